"""The engine goes away in the middle of a validation: no verdict is invented, nothing stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

import app
from bot.domain.plan import HealthCheck, NetworkAccess, Plan, Stage, StageEvent, Step
from bot.domain.source import Origin
from bot.domain.validations import FailureClass, Verdict
from bot.ports.sandbox import SandboxUnavailable
from bot.services.validation_course import ValidationRequest
from bot.settings import Settings
from sandbox.ownership import INSTALLATION, KIND
from tests.product import Product, project
from tests.relay import Relay
from tests.sandbox.away import (
    CLOCK,
    MOMENTS,
    ON_AND_ON,
    WHOLE,
    Away,
    begun,
    ended,
    goes,
    installation_on,
)
from tests.sandbox.conftest import Heard, Room

pytestmark = pytest.mark.engine


@pytest.fixture
async def away(docker_host: str | None, tmp_path: Path, proof: Path) -> AsyncIterator[Away]:
    """An installation behind a relay."""
    async with (
        Relay(tmp_path / "relay.sock", docker_host) as relay,
        installation_on(relay, tmp_path, proof) as away,
    ):
        yield away


@pytest.mark.parametrize(("deployment", "when"), [MOMENTS[1], MOMENTS[3]])
async def test_for_three_seconds(
    away: Away, deployment: dict[str, str | int], when: Callable[[StageEvent], bool]
) -> None:
    await goes(away, deployment, when, 3.0)


@pytest.mark.long
@pytest.mark.parametrize(("deployment", "when"), MOMENTS)
async def test_for_twenty_seconds(
    away: Away, deployment: dict[str, str | int], when: Callable[[StageEvent], bool]
) -> None:
    await goes(away, deployment, when, 20.0)


@pytest.mark.long
@pytest.mark.parametrize("after", [0.0, 0.05, 0.15, 0.25, 0.4, 0.6, 0.9])
async def test_while_boxes_are_made(away: Away, after: float) -> None:
    await goes(away, WHOLE | {"install_command": ON_AND_ON}, ended(Stage.RETRIEVE), 3, after=after)


async def test_for_a_blink(away: Away) -> None:
    """Every connection drops, and new ones are taken at once: still nobody's failure but ours."""
    await goes(away, WHOLE | {"build_command": ON_AND_ON}, begun(Stage.BUILD), 0.0)


async def test_before_it_all(away: Away) -> None:
    where = project(away.product.folder / "project", build_command="true")
    await away.engine.go_away()
    request = ValidationRequest(Origin(str(where)), scope="away")

    async def ignore(event: StageEvent) -> None:
        del event

    result = await away.pipeline.trigger_validation(request, ignore)
    assert (result.verdict, result.failure_class) == (Verdict.ERROR, FailureClass.INFRASTRUCTURE)
    assert "does not answer" in result.reason
    assert any("not everything could be removed yet" in note for note in result.notes)


async def test_an_engine_that_is_not_there_at_the_start(tmp_path: Path) -> None:
    product = Product(tmp_path, f"unix://{tmp_path / 'nothing.sock'}")
    settings = Settings.from_env(product.environ)
    settings.home.mkdir(parents=True)
    async with app.workbench(settings, lambda _: None) as bench:
        with pytest.raises(SandboxUnavailable, match=r"does not answer .*DOCKER_HOST"):
            await bench.sandbox.ready()


@pytest.mark.parametrize("stage", [Stage.BUILD, Stage.START, Stage.HEALTH])
async def test_box_that_somebody_else_ends(room: Room, stage: Stage) -> None:
    """Its commands end with it, and their exit codes are nobody's fault."""
    plan = Plan(
        steps=(Step(Stage.BUILD, "sleep 1"), Step(Stage.START, ON_AND_ON)),
        health=HealthCheck(8000),
        prepare_network=NetworkAccess.NONE,
    )
    ends: list[asyncio.Task[None]] = []

    async def end() -> None:
        await CLOCK.sleep(0.3)
        boxes = await room.engine.list_boxes(f"{INSTALLATION}={room.installation}")
        await asyncio.gather(
            *(room.engine.kill(it.id) for it in boxes if it.labels[KIND] == "application")
        )

    class Ending(Heard):
        async def __call__(self, event: StageEvent) -> None:
            await super().__call__(event)
            if begun(stage)(event):
                ends.append(asyncio.create_task(end()))

    heard = Ending()
    with pytest.raises(SandboxUnavailable, match=r"ended from outside|box has ended"):
        await room.run(plan, heard=heard)
    await asyncio.gather(*ends)
    assert stage not in heard.results
