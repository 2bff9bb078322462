"""Whoever stops a validation is heard within moments, and nothing of it stays."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import pytest

from bot.domain.plan import (
    HealthCheck,
    Plan,
    SnapshotRecipe,
    Stage,
    StageEvent,
    StageStarted,
    Step,
)
from tests.product import Product, project
from tests.sandbox.conftest import Heard, MemoryTree, Room

pytestmark = pytest.mark.engine

PROMPT_SECONDS = 10.0
"""What is done in one second must not take ten, even where others use the machine."""

TREE = MemoryTree({"README": "hello"})
PLAN = Plan(
    steps=(
        Step(Stage.INSTALL, "sleep 0.3"),
        Step(Stage.BUILD, "sleep 0.3"),
        Step(Stage.START, "sleep 600"),
    ),
    health=HealthCheck(8000),
    snapshot=SnapshotRecipe(needs_source=True),
)


class Until(Heard):
    """Hears events, and knows when a stage has begun."""

    def __init__(self, stage: Stage | None) -> None:
        super().__init__()
        self.reached = asyncio.Event()
        self._stage = stage

    async def __call__(self, event: StageEvent) -> None:
        await super().__call__(event)
        if isinstance(event, StageStarted) and event.stage is self._stage:
            self.reached.set()


async def whole(room: Room, heard: Heard) -> None:
    """Prepare, run, and clean up whatever happens."""
    try:
        opened = await room.sandbox.open("environment", PLAN, TREE, {}, heard, scope="test")
        await room.sandbox.run(opened)
    finally:
        await room.sandbox.close("environment")


async def cancelled(room: Room, run: asyncio.Task[object], when: str) -> None:
    """Cancel a run; it ends at once, and nothing of it is left."""
    before = time.monotonic()
    run.cancel()
    await asyncio.wait([run])
    assert run.cancelled(), run
    assert time.monotonic() - before < PROMPT_SECONDS
    assert await room.left() == [], f"left behind by a cancellation {when}"


async def test_while_boxes_are_made(room: Room) -> None:
    """Networks, boxes and the proxy: what the engine was asked for at that moment is taken back."""
    for moment in (0.0, 0.02, 0.08, 0.15, 0.2, 0.25, 0.35, 0.5):
        run = asyncio.create_task(whole(room, Heard()))
        await asyncio.wait([run], timeout=moment)
        await cancelled(room, run, f"after {moment:g} s")


@pytest.mark.parametrize(
    "stage",
    [
        Stage.INSTALL,
        pytest.param(Stage.BUILD, marks=pytest.mark.long),
        pytest.param(Stage.START, marks=pytest.mark.long),
        pytest.param(Stage.HEALTH, marks=pytest.mark.long),
    ],
)
async def test_during_a_stage(room: Room, stage: Stage) -> None:
    heard = Until(stage)
    run = asyncio.create_task(whole(room, heard))
    await heard.reached.wait()
    await asyncio.wait([run], timeout=0.1)
    await cancelled(room, run, f"during {stage}")
    assert stage not in heard.results


async def test_while_a_snapshot_is_made(room: Room) -> None:
    environment = await room.sandbox.open("environment", PLAN, TREE, {}, Heard(), scope="test")
    await room.sandbox.close("environment")
    for moment in (0.0, 0.1, 0.4, 0.8):
        run = asyncio.create_task(room.sandbox.keep_snapshot(environment, TREE))
        await asyncio.wait([run], timeout=moment)
        await cancelled(room, run, f"after {moment:g} s of making a snapshot")


@pytest.fixture(scope="module")
def product(docker_host: str | None, tmp_path_factory: pytest.TempPathFactory) -> Product:
    """An installation for commands that are stopped."""
    return Product(tmp_path_factory.mktemp("stopped"), docker_host)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal(number: signal.Signals, product: Product, tmp_path: Path) -> None:
    where = project(tmp_path / "project", install_command="true", build_command="sleep 600")
    command = product.start("validate", str(where), "--format", "json")
    command.wait_for("build: sleep")
    before = time.monotonic()
    command.signal(number)
    assert command.end() == 130
    assert time.monotonic() - before < PROMPT_SECONDS
    assert command.result["verdict"] == "cancelled"
    assert command.result["reason"] == "cancelled during build"
    assert "Traceback" not in command.errors
    assert product.things() == []
    assert product.source_folders() == []


def test_signal_before_the_first_stage(docker_host: str | None, tmp_path: Path) -> None:
    """The start-up test runs: there is a verdict to give all the same."""
    product = Product(tmp_path, docker_host)
    where = project(tmp_path / "project", build_command="true")
    command = product.start("validate", str(where), "--format", "json")
    command.wait_for("✓ retrieve")
    command.signal(signal.SIGINT)
    assert command.end() == 130
    assert command.result["verdict"] == "cancelled"
    assert "Traceback" not in command.errors
    assert product.things() == []
