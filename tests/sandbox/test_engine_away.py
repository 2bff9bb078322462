"""The engine goes away in the middle of a validation: no verdict is invented, nothing stays."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import app
from bot.adapters.clock import SystemClock
from bot.domain.plan import (
    HealthCheck,
    NetworkAccess,
    Plan,
    Stage,
    StageEvent,
    StageFinished,
    StageStarted,
    StageStatus,
    Step,
)
from bot.domain.source import Origin
from bot.domain.validations import FailureClass, ValidationResult, Verdict
from bot.ports.sandbox import SandboxUnavailable
from bot.services.validation_pipeline import ValidationPipeline, ValidationRequest
from bot.settings import Settings
from sandbox.docker import DockerEngine
from sandbox.engine import Thing
from sandbox.ownership import INSTALLATION, KIND
from tests.product import Product, project
from tests.relay import Relay
from tests.sandbox.conftest import Heard, Room

pytestmark = pytest.mark.engine

CLOCK = SystemClock()
ON_AND_ON = "sleep 600"
WHOLE: dict[str, str | int] = {
    "install_command": "true",
    "build_command": "true",
    "start_command": "python3 -m http.server 8000 --bind 127.0.0.1",
    "port": 8000,
    "health_check_url": "/",
}


@dataclass
class Away:
    """An installation behind a relay."""

    relay: Relay
    product: Product
    pipeline: ValidationPipeline

    async def things(self) -> list[Thing]:
        """What the installation has on the real engine."""
        label = f"{INSTALLATION}={(self.product.home / 'installation-id').read_text()}"
        engine = DockerEngine(self.product.docker_host)
        try:
            return [*await engine.list_boxes(label), *await engine.list_networks(label)]
        finally:
            await engine.close()

    async def validate(
        self,
        where: Path,
        when: Callable[[StageEvent], bool],
        seconds: float,
        *,
        after: float = 0.3,
    ) -> ValidationResult:
        """Validate; ``after`` an event that is waited for, the engine goes for so long."""
        comes_back: list[asyncio.Task[None]] = []

        async def hear(event: StageEvent) -> None:
            if when(event) and not comes_back:
                comes_back.append(asyncio.create_task(go()))

        async def go() -> None:
            await CLOCK.sleep(after)
            await self.relay.go_away()
            await CLOCK.sleep(seconds)
            await self.relay.come_back()

        request = ValidationRequest(Origin(str(where)), scope="away")
        result = await self.pipeline.trigger_validation(request, hear)
        for task in comes_back:
            await task
        return result


@pytest.fixture
async def away(docker_host: str | None, tmp_path: Path, proof: Path) -> AsyncIterator[Away]:
    async with Relay(tmp_path / "relay.sock", docker_host) as relay:
        product = Product(tmp_path / "product", docker_host)
        settings = Settings.from_env(product.environ | {"DOCKER_HOST": relay.address})
        settings.home.mkdir(parents=True)
        if proof.exists():
            shutil.copy(proof, settings.home)
        async with app.workbench(settings, lambda _: None) as bench:
            await bench.sandbox.ready()
            yield Away(relay, product, bench.pipeline)
    where = project(tmp_path / "last", build_command="true")
    last = await asyncio.to_thread(product.run, "validate", str(where))
    assert last.process.returncode == 0, last.errors
    assert not await asyncio.to_thread(product.things), "the next start has removed everything"


def begun(stage: Stage) -> Callable[[StageEvent], bool]:
    return lambda event: isinstance(event, StageStarted) and event.stage is stage


def ended(stage: Stage) -> Callable[[StageEvent], bool]:
    return lambda event: isinstance(event, StageFinished) and event.result.stage is stage


MOMENTS = [
    pytest.param(WHOLE, ended(Stage.RETRIEVE), id="creating boxes"),
    pytest.param(WHOLE | {"install_command": ON_AND_ON}, begun(Stage.INSTALL), id="install"),
    pytest.param(WHOLE | {"build_command": ON_AND_ON}, begun(Stage.BUILD), id="build"),
    pytest.param(WHOLE | {"start_command": ON_AND_ON}, begun(Stage.HEALTH), id="health"),
    pytest.param(WHOLE, begun(Stage.STABILITY), id="stability"),
]


async def goes(
    away: Away,
    deployment: dict[str, str | int],
    when: Callable[[StageEvent], bool],
    seconds: float,
    *,
    after: float = 0.3,
) -> None:
    where = project(away.product.folder / "project", **deployment)
    result = await away.validate(where, when, seconds, after=after)
    assert (result.verdict, result.failure_class) == (
        Verdict.ERROR,
        FailureClass.INFRASTRUCTURE,
    ), result
    assert any("not everything could" in note for note in result.notes) or seconds < 1
    assert "container engine" in result.reason or "box" in result.reason, result.reason
    assert not {it.status for it in result.stages} & {StageStatus.FAILED, StageStatus.TIMED_OUT}
    quick = project(away.product.folder / "next", build_command="true")
    second = await away.validate(quick, lambda event: False, 0)
    assert second.verdict is Verdict.PASSED, second
    own = "egress"  # the proxy serves the validations of this process, for as long as it lives
    left = [it for it in await away.things() if own not in it.name and own != it.labels[KIND]]
    assert not left, "the next validation of the same process has removed the rest"


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
    await away.relay.go_away()
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
