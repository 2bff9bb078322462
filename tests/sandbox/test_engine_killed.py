"""A real engine killed in the middle of a validation, and started again twenty seconds later."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from bot.domain.plan import StageEvent
from sandbox.engine import Image
from tests.conftest import IN_CI
from tests.sandbox.away import MOMENTS, Away, goes, installation_on
from tests.second_engine import SecondEngine

pytestmark = [pytest.mark.engine, pytest.mark.long, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def dockerd() -> str:
    """The program of an engine that this process may start."""
    path = shutil.which("dockerd", path=f"{os.defpath}:/usr/sbin:/usr/local/bin")
    if path is None or os.geteuid() != 0:
        (pytest.fail if IN_CI else pytest.skip)("needs root and dockerd, for an engine of its own")
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(
    dockerd: str, docker_host: str | None, sandbox_image: Image
) -> AsyncIterator[SecondEngine]:
    async with SecondEngine(dockerd) as engine:
        await engine.take_image(sandbox_image.tags[0], docker_host)
        yield engine


@pytest_asyncio.fixture(loop_scope="module")
async def away(engine: SecondEngine, tmp_path: Path) -> AsyncIterator[Away]:
    async with installation_on(engine, tmp_path) as away:
        yield away


@pytest.mark.parametrize(("deployment", "when"), MOMENTS)
async def test_for_twenty_seconds(
    away: Away, deployment: dict[str, str | int], when: Callable[[StageEvent], bool]
) -> None:
    await goes(away, deployment, when, 20.0)
