"""The guard's looks at a box whose use of the disk can't be told."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest

from bot.adapters.clock import SystemClock
from bot.domain.plan import Cause, Limits
from sandbox.dummy import DummyEngine
from sandbox.engine import BoxSpec, EngineGone, EngineInfo, EngineSlow, Usage
from sandbox.guard import SLOW_LOOKS, Guard, OutOfMemoryEvents
from tests.busybox import archive_of, chunked


class Counting(DummyEngine):
    """An engine that may not come to an end with counting a box's files."""

    fault: Exception | None = None
    away = False

    async def usage(self, box: str) -> Usage:
        if self.fault is not None:
            raise self.fault
        return await super().usage(box)

    async def info(self) -> EngineInfo:
        if self.away:
            raise EngineGone("the container engine does not answer")
        return await super().info()


@contextlib.asynccontextmanager
async def watched(engine: DummyEngine) -> AsyncIterator[Guard]:
    clock = SystemClock()
    image = await engine.import_image(chunked(archive_of({"bin/sh": b""})), "app", labels={})
    box = await engine.create(BoxSpec(image=image, labels={}, command=("cat",), lease=True))
    await engine.attach(box)
    await engine.start(box)
    events = OutOfMemoryEvents(engine, "label")
    guard = Guard(engine, box, Limits(disk_mb=128), events, clock)
    try:
        yield guard
    finally:
        await guard.close()
        await events.close()


async def test_files_that_cannot_be_counted_are_a_full_disk() -> None:
    engine = Counting()
    async with watched(engine) as guard:
        engine.fault = EngineSlow("no answer within 30 s")
        for _ in range(SLOW_LOOKS):
            assert not guard.tripped.done()
            await guard.look()
        trip = guard.tripped.result()
    assert trip.cause is Cause.DISK_FULL
    assert "more files than can be counted" in trip.reason
    assert "sandbox.disk_mb" in trip.reason


async def test_one_slow_look_between_good_ones_is_nothing() -> None:
    engine = Counting()
    async with watched(engine) as guard:
        for fault in (EngineSlow("slow"), None, EngineSlow("slow"), None):
            engine.fault = fault
            await guard.look()
        assert not guard.tripped.done()


@pytest.mark.parametrize("fault", [EngineSlow("slow"), EngineGone("hung up")], ids=["slow", "gone"])
async def test_an_engine_that_is_away_is_nobodys_full_disk(fault: Exception) -> None:
    engine = Counting()
    async with watched(engine) as guard:
        engine.fault, engine.away = fault, True
        for _ in range(SLOW_LOOKS + 1):
            with pytest.raises(EngineGone):
                await guard.look()
        assert not guard.tripped.done()
