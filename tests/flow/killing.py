"""Killing a worker with -9 at its moment: at a write that the database tells of, or at a call."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bot.adapters.mongo.database import Database
from demo.github.faults import Fault, Faults
from tests.flow.serving import Served

Change = Mapping[str, Any]
AT_ONCE = 4
"""Scenarios beside one another: most of their time they wait for a lease to run out."""


@dataclass(frozen=True)
class Write:
    """A write to the database that makes this true."""

    holds: Callable[[Change], bool]


@dataclass(frozen=True)
class Call:
    """A call to a stand-in, the first one whose path has (or ends with) a part, a pattern.

    ``fault`` is what becomes of it: dropped before it does anything, or answered to nobody.
    ``after`` is a call, by method and part, that must have come to the same stand-in before.
    """

    faults: Faults
    method: str
    part: str
    fault: Fault | None
    at_end: bool = False
    after: tuple[str, str] | None = None

    def matches(self, method: str, path: str) -> bool:
        """Whether it is a call like this."""
        found = re.search(f"{self.part}$" if self.at_end else self.part, path)
        return found is not None and method == self.method


Moment = Write | Call


def written(collection: str, *fields: str, **values: object) -> Write:
    """A write to a collection that sets these fields, and some to these values."""

    def holds(change: Change) -> bool:
        if change["ns"]["coll"] != collection:
            return False
        update = change.get("updateDescription", {}).get("updatedFields", {})
        new = update or change.get("fullDocument") or {}
        named = all(any(name.startswith(field) for name in new) for field in fields)
        return named and all(new.get(name) == value for name, value in values.items())

    return Write(holds)


@asynccontextmanager
async def killer(it: Served, moment: Moment) -> AsyncIterator[asyncio.Event]:
    """Kills the worker when its moment comes; the event says that it did."""
    killed = asyncio.Event()

    def kill() -> None:
        if not killed.is_set():
            it.worker.process.kill()
            killed.set()

    if isinstance(moment, Call):
        is_awaited = moment.after is None

        def choose(_number: int, called: str, path: str) -> Fault | None:
            nonlocal is_awaited
            if not is_awaited and moment.after is not None:
                is_awaited = called == moment.after[0] and moment.after[1] in path
                return None
            if killed.is_set() or not moment.matches(called, path):
                return None
            kill()
            return moment.fault

        moment.faults.choose = choose
        yield killed
        moment.faults.choose = lambda _number, _method, _path: None
        return
    watching = asyncio.create_task(_watch(it.database, moment, kill))
    await asyncio.sleep(0.5)  # noqa: TID251  until the stream stands
    try:
        yield killed
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _watch(database: Database, moment: Write, kill: Callable[[], None]) -> None:
    async with database.database.watch() as stream:
        async for change in stream:
            if moment.holds(change):
                kill()
                return


async def restarted(it: Served, killed: asyncio.Event) -> None:
    """Have another worker in the place of the one that is killed."""
    await killed.wait()
    await asyncio.to_thread(it.worker.end)
    await it.start_worker()


async def all_of(moments: Sequence[str], play: Callable[[str, int], Awaitable[str]]) -> None:
    """Play a scenario for each moment, some at once; each gives what was wrong, or nothing."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, moment: str) -> str:
        async with room:
            try:
                wrong = await play(moment, number)
            except Exception as fault:  # noqa: BLE001  told with the others'
                wrong = f"{type(fault).__name__}: {fault}"
        return f"{moment}: {wrong}" if wrong else ""

    told = await asyncio.gather(*(one(n, moment) for n, moment in enumerate(moments)))
    assert not any(told), "\n".join(filter(None, told))
