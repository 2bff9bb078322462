"""An engine that goes away in the middle of a validation, and what must be so afterwards."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

import app
from bot.adapters.clock import SystemClock
from bot.domain.plan import Stage, StageEvent, StageFinished, StageStarted, StageStatus
from bot.domain.source import Origin
from bot.domain.validations import FailureClass, ValidationResult, Verdict
from bot.services.validation_course import ValidationRequest
from bot.services.validation_pipeline import ValidationPipeline
from bot.settings import Settings
from sandbox.docker import DockerEngine
from sandbox.engine import Thing
from sandbox.ownership import INSTALLATION, KIND
from tests.product import Product, project

CLOCK = SystemClock()
ON_AND_ON = "sleep 600"
WHOLE: dict[str, str | int] = {
    "install_command": "true",
    "build_command": "true",
    "start_command": "python3 -m http.server 8000 --bind 127.0.0.1",
    "port": 8000,
    "health_check_url": "/",
}


class Fickle(Protocol):
    """An engine that goes away and comes back.

    ``address`` is where the installation finds it, ``docker_host`` where the test does.
    """

    @property
    def address(self) -> str: ...

    @property
    def docker_host(self) -> str | None: ...

    async def go_away(self) -> None: ...

    async def come_back(self) -> None: ...


@dataclass
class Away:
    """An installation on an engine that may go away."""

    engine: Fickle
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
            await self.engine.go_away()
            await CLOCK.sleep(seconds)
            await self.engine.come_back()

        request = ValidationRequest(Origin(str(where)), scope="away")
        result = await self.pipeline.trigger_validation(request, hear)
        for task in comes_back:
            await task
        return result


@asynccontextmanager
async def installation_on(
    engine: Fickle, folder: Path, proof: Path | None = None
) -> AsyncIterator[Away]:
    """An installation whose engine may go away; at the end its next start finds nothing left."""
    product = Product(folder / "product", engine.docker_host)
    settings = Settings.from_env(product.environ | {"DOCKER_HOST": engine.address})
    settings.home.mkdir(parents=True)
    if proof is not None and proof.exists():
        shutil.copy(proof, settings.home)
    async with app.workbench(settings, lambda _: None) as bench:
        await bench.sandbox.ready()
        yield Away(engine, product, bench.pipeline)
    where = project(folder / "last", build_command="true")
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
