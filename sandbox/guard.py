"""Watches one box while steps run in it: memory, disk, processes, and whether it lives at all.

Memory is judged by the kernel's own events, not by exit codes: a process that was ended for lack
of memory may be covered up by a parent that exits with 0.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from bot.domain.plan import Cause, Limits
from bot.ports.clock import Clock
from sandbox.engine import Engine, EngineFault, EngineGone, EngineSlow, NotThere, Usage

POLL_SECONDS = 1.0
LONGEST_POLL_SECONDS = 5.0
REST = 4
"""How much longer than a look at the box the pause behind it is: many files make for long looks."""
LAST_EVENT_SECONDS = 1.0
"""How long the engine may take to tell that a box which has ended was out of memory."""
FULL_HOUSE_POLLS = 3
SLOW_LOOKS = 2
"""How many looks in a row the engine may not finish while it answers everything else at once."""
MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Trip:
    """A limit that was passed; ``reason`` is a clause that fits behind the command."""

    cause: Cause
    reason: str


class OutOfMemoryEvents:
    """One subscription to the engine for all boxes of this process."""

    def __init__(self, engine: Engine, label: str) -> None:
        self._engine = engine
        self._label = label
        self._watchers: dict[str, Callable[[], None]] = {}
        self._task: asyncio.Task[None] | None = None

    def watch(self, box: str, notice: Callable[[], None]) -> None:
        """Call ``notice`` for each event of a box, until ``forget``."""
        self._watchers[box] = notice
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._listen())

    def forget(self, box: str) -> None:
        """No longer watch a box."""
        self._watchers.pop(box, None)

    async def close(self) -> None:
        """End the subscription."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _listen(self) -> None:
        # Where the engine goes away the steps fail by themselves; the next box subscribes anew.
        with contextlib.suppress(EngineFault):
            async for box in self._engine.out_of_memory_events(self._label):
                if notice := self._watchers.get(box):
                    notice()


class Guard:
    """The watch over one application box. ``tripped`` is done when the box must end."""

    def __init__(
        self,
        engine: Engine,
        box: str,
        limits: Limits,
        events: OutOfMemoryEvents,
        clock: Clock,
    ) -> None:
        self.tripped: asyncio.Future[Trip] = asyncio.get_running_loop().create_future()
        self.out_of_memory = False
        self._engine = engine
        self._box = box
        self._limits = limits
        self._events = events
        self._clock = clock
        self._full_house = 0
        self._slow_looks = 0
        self._beside: dict[str, str] = {}
        events.watch(box, self._notice)
        self._tasks = [self._start(self._watch_usage()), self._start(self._watch_life())]

    @property
    def full(self) -> bool:
        """Whether the box was full of processes when it was last looked at."""
        return self._full_house > 0

    def watch_beside(self, box: str, name: str) -> None:
        """Watch the disk of a service too, by its box; its volumes are not of its layer."""
        self._beside[box] = name

    async def close(self) -> None:
        """Stop watching."""
        self._events.forget(self._box)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.tripped.done() and not self.tripped.cancelled():
            self.tripped.exception()
        self.tripped.cancel()

    def _start(self, watch: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(watch)
        task.add_done_callback(self._failed)
        return task

    def _failed(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (fault := task.exception()) and not self.tripped.done():
            self.tripped.set_exception(fault)

    def _notice(self) -> None:
        self.out_of_memory = True

    async def _watch_life(self) -> None:
        await self._engine.wait(self._box)
        if not self.out_of_memory:
            await self._clock.sleep(LAST_EVENT_SECONDS)
        if self.out_of_memory:
            self._trip(self.memory_trip())
        elif not self.tripped.done():
            self.tripped.set_exception(EngineGone("the application box ended from outside"))

    async def _watch_usage(self) -> None:
        loop = asyncio.get_running_loop()
        pause = POLL_SECONDS
        while not self.tripped.done():
            await self._clock.sleep(pause)
            began = loop.time()
            await self.look()
            pause = min(max(POLL_SECONDS, REST * (loop.time() - began)), LONGEST_POLL_SECONDS)

    async def look(self) -> None:
        """Compare what the box uses now with its limits."""
        try:
            usage = await self._measure()
        except NotThere:
            return
        if usage is None:
            return
        if usage.disk_bytes > self._limits.disk_mb * MEGABYTE:
            self._trip(self._disk_trip())
        self._full_house = self._full_house + 1 if usage.pids >= self._limits.pids - 2 else 0
        if self._full_house >= FULL_HOUSE_POLLS:
            self._trip(self.process_trip())
        for box, name in tuple(self._beside.items()):  # a service may be added meanwhile
            with contextlib.suppress(NotThere):
                beside = await self._engine.usage(box)
                if beside.disk_bytes > self._limits.disk_mb * MEGABYTE:
                    self._trip(self._disk_trip(f" of service `{name}`"))

    async def _measure(self) -> Usage | None:
        """What the box uses; None where the engine can't say, though it is well.

        It walks over every file of the box: one that never comes to an end is the box's doing.
        """
        try:
            usage = await self._engine.usage(self._box)
        except EngineSlow:
            await self._engine.info()  # raises where the engine is what is at fault
            self._slow_looks += 1
            if self._slow_looks >= SLOW_LOOKS:
                self._trip(self._uncountable_trip())
            return None
        self._slow_looks = 0
        return usage

    def _trip(self, trip: Trip) -> None:
        if not self.tripped.done():
            self.tripped.set_result(trip)

    def memory_trip(self) -> Trip:
        """What to tell where the kernel ended a process for lack of memory."""
        return Trip(
            Cause.OUT_OF_MEMORY,
            f"ran out of memory: the limit is {self._limits.memory_mb} MB (sandbox.memory_mb)",
        )

    def process_trip(self) -> Trip:
        """What to tell where the box is full of processes."""
        return Trip(
            Cause.PROCESS_LIMIT,
            f"reached the limit of {self._limits.pids} processes and stayed there",
        )

    def refusal_trip(self, code: int) -> Trip:
        """What to tell where a step was refused processes and has ended for it."""
        return Trip(
            Cause.PROCESS_LIMIT,
            f"was refused more than {self._limits.pids} processes, and exited with {code}",
        )

    def file_trip(self) -> Trip:
        """What to tell where a single file would have filled the disk."""
        return Trip(
            Cause.DISK_FULL,
            f"wrote a file of more than {self._limits.disk_mb} MB (sandbox.disk_mb)",
        )

    def _uncountable_trip(self) -> Trip:
        return Trip(
            Cause.DISK_FULL,
            "wrote more files than can be counted in time "
            f"(the limit is {self._limits.disk_mb} MB, sandbox.disk_mb)",
        )

    def _disk_trip(self, whose: str = "") -> Trip:
        return Trip(
            Cause.DISK_FULL,
            f"wrote more than {self._limits.disk_mb} MB to disk{whose} (sandbox.disk_mb)",
        )
