"""What only the dummy engine has: a script, faults on demand, a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from sandbox.dummy import DummyEngine
from sandbox.dummy_shell import Process, Program, Scripted
from sandbox.engine import BoxSpec, EngineGone
from tests.busybox import archive_of, chunked
from tests.engine_rig import Rig, ended


class SkippingClock:
    """Sleeps take no time, and the time knows how long they were."""

    def __init__(self) -> None:
        self.slept = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(1000 + self.slept, UTC)

    async def sleep(self, seconds: float) -> None:
        self.slept += seconds


async def greet(process: Process) -> int:
    while line := await process.read():
        await process.write(b"hello " + line)
    return 5


SCRIPT: dict[str, Program] = {
    "npm ci": Scripted(output="added 3 packages\n", files={"node_modules/a": b"1"}, seconds=90),
    "npm test": Scripted(errors="1 failed\n", exit_code=1),
    "npm start": Scripted(output="listening\n", seconds=float("inf")),
    "greeter --loud": greet,
}


@pytest.fixture
def clock() -> SkippingClock:
    return SkippingClock()


@pytest.fixture
async def rig(clock: SkippingClock) -> AsyncIterator[Rig]:
    engine = DummyEngine(SCRIPT, registry=["postgres:17"], clock=clock)
    await engine.import_image(
        chunked(archive_of({"a": b"b"})), "codegenapp-test/busybox", labels={}
    )
    yield Rig(engine, "a=b", {"a": "b"})
    await engine.close()


def dummy(rig: Rig) -> DummyEngine:
    assert isinstance(rig.engine, DummyEngine)
    return rig.engine


async def test_script_tells_what_commands_do(rig: Rig, clock: SkippingClock) -> None:
    box = await rig.box()
    assert await rig.outcome(box, "npm ci && npm test") == (1, "added 3 packages\n1 failed\n")
    assert clock.slept == 90
    assert await rig.outcome(box, "cat node_modules/a") == (0, "1")


async def test_program_speaks_with_its_controller(rig: Rig) -> None:
    _, channel = await rig.leased(command=("greeter", "--loud"))
    await channel.write(b"you\n")
    assert await channel.read() == (1, b"hello you\n")


async def test_engine_that_goes_away_fails_what_waits_and_what_comes(rig: Rig) -> None:
    box = await rig.box()
    waiting = asyncio.ensure_future(rig.engine.wait(box))
    hearing = asyncio.ensure_future(anext(rig.engine.out_of_memory_events("a")))
    await rig.engine.info()  # gives both their turn
    dummy(rig).go_away()
    for call in (waiting, hearing, rig.engine.state(box)):
        with pytest.raises(EngineGone):
            await call
    dummy(rig).come_back()
    assert (await rig.engine.state(box)).running


async def test_engine_goes_away_for_some_calls(rig: Rig) -> None:
    dummy(rig).go_away(calls=2)
    for _ in range(2):
        with pytest.raises(EngineGone):
            await rig.engine.info()
    await rig.engine.info()


async def test_closing_the_engine_ends_what_runs(rig: Rig) -> None:
    real = DummyEngine({"npm start": Scripted(seconds=float("inf"))})
    await real.import_image(chunked(archive_of({"a": b"b"})), "image", labels={})
    box = await real.create(BoxSpec(image="image", labels={}, command=("cat",)))
    await real.start(box)
    started = await real.execute(box, ("sh", "-c", "npm start"), user="1", environment={})
    await real.close()
    assert await ended(started) == 137


async def test_registry_gives_what_it_has(rig: Rig) -> None:
    await rig.engine.pull("postgres:17")
    image = await rig.engine.image("postgres:17")
    assert image is not None
    assert image.tagged_at == 1000


async def test_broken_program_is_told_and_ends(rig: Rig) -> None:
    code, output = await rig.outcome(await rig.box(), "echo 'never closed")
    assert code == 255
    assert "No closing quotation" in output
