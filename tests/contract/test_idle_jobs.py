"""Idle jobs, over a real server: done where there is room left, and given up for what is urgent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from bot.adapters.clock import SystemClock
from bot.adapters.mongo.database import Database
from bot.adapters.mongo.inbox import MongoInbox
from bot.adapters.mongo.jobs import MongoJobs
from bot.ports.jobs import Job, JobState
from bot.work.jobs import JobEnd, JobRunner, Work

pytestmark = pytest.mark.database
CLOCK = SystemClock()
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PATIENCE = 30.0


@dataclass
class Hall:
    """A runner, and what its work has begun, interrupted and done, in order."""

    jobs: MongoJobs
    told: list[str] = field(default_factory=list)
    gates: dict[str, asyncio.Event] = field(default_factory=dict)

    async def add(self, name: str, kind: str) -> None:
        self.gates[name] = asyncio.Event()
        await self.jobs.add(Job(name, kind, "", f"7:{name}", 7, NOW))

    async def do(self, job: Job) -> JobEnd:
        self.told.append(f"{job.id} begins")
        try:
            await self.gates[job.id].wait()
        except asyncio.CancelledError:
            self.told.append(f"{job.id} is interrupted")
            raise
        self.told.append(f"{job.id} is done")
        return JobEnd({})

    async def lost(self, job: Job) -> JobEnd:
        raise AssertionError(f"{job.id} was lost")

    async def until(self, holds: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                while not holds():
                    await CLOCK.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"it never came: {self.told}") from None

    async def ended(self, name: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while (job := await self.jobs.get(name)) is None or job.state is not JobState.ENDED:
                await CLOCK.sleep(0.01)


@asynccontextmanager
async def hall(database: Database, room: int) -> AsyncIterator[Hall]:
    it = Hall(MongoJobs(database, MongoInbox(database, timedelta(days=1)), timedelta(days=1)))
    work = Work(it.do, it.lost)
    runner = JobRunner(it.jobs, {"urgent": work}, "me", room, CLOCK, {"idle": work})
    running = asyncio.create_task(runner.run())
    try:
        yield it
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_an_idle_job_gives_way_and_is_begun_anew(database: Database) -> None:
    async with hall(database, 1) as it:
        await it.add("base", "idle")
        await it.until(lambda: it.told == ["base begins"])
        await it.add("pull", "urgent")
        await it.until(lambda: len(it.told) == 3)
        assert set(it.told[1:]) == {"base is interrupted", "pull begins"}
        it.gates["pull"].set()
        await it.until(lambda: it.told[3:] == ["pull is done", "base begins"])
        it.gates["base"].set()
        await it.ended("base")


async def test_with_room_left_nothing_is_interrupted(database: Database) -> None:
    async with hall(database, 2) as it:
        await it.add("base", "idle")
        await it.until(lambda: it.told == ["base begins"])
        await it.add("pull", "urgent")
        await it.until(lambda: it.told == ["base begins", "pull begins"])
        for name in it.gates:
            it.gates[name].set()
            await it.ended(name)


async def test_no_more_than_one_idle_job_at_a_time(database: Database) -> None:
    async with hall(database, 4) as it:
        await it.add("one", "idle")
        await it.add("two", "idle")
        await it.until(lambda: it.told == ["one begins"])
        await CLOCK.sleep(0.3)
        assert it.told == ["one begins"]
        for name in it.gates:
            it.gates[name].set()
            await it.ended(name)


async def test_idle_jobs_wait_for_urgent_ones(database: Database) -> None:
    async with hall(database, 1) as it:
        await it.add("pull", "urgent")
        await it.until(lambda: it.told == ["pull begins"])
        await it.add("base", "idle")
        await CLOCK.sleep(0.3)
        assert it.told == ["pull begins"]
        it.gates["pull"].set()
        await it.until(lambda: it.told[1:] == ["pull is done", "base begins"])
        it.gates["base"].set()
        await it.ended("base")
