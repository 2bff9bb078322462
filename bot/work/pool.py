"""Claims leases and carries them out, as many at a time as there is room for.

What the worker of the inbox and the worker of jobs have in common: being woken, heartbeats, lost
leases, and handing back what is not done when the process stops.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from bot.domain.problems import TryAgain
from bot.log import get_logger
from bot.ports.clock import Clock
from bot.ports.inbox import LeaseLost

C = TypeVar("C")

HEARTBEAT_SECONDS = 10.0
POLL_SECONDS = 2.0
"""Belt and braces: how long a change that woke nobody can go unnoticed."""
LONGEST_PAUSE_SECONDS = 30.0
"""Between two tries to reach a database that does not answer."""

log = get_logger()


@dataclass(frozen=True)
class Desk(Generic[C]):
    """Where leases come from and what to do with one.

    ``carry_out`` settles its claim by itself, whatever happens; it is cancelled when the lease is
    lost, and when the process stops; then ``hand_back`` is called, but not for a lost one.
    """

    name: str
    claim: Callable[[], Awaitable[C | None]]
    carry_out: Callable[[C], Awaitable[None]]
    beat: Callable[[Sequence[C]], Awaitable[Sequence[C]]]
    hand_back: Callable[[C], Awaitable[None]]
    wakes: Callable[[], AsyncIterator[None]]


class Pool(Generic[C]):
    """Works at a desk until it is stopped; ``room`` is how many leases it holds at most."""

    def __init__(self, desk: Desk[C], room: int, clock: Clock) -> None:
        self._desk = desk
        self._room = room
        self._clock = clock
        self._running: dict[asyncio.Task[None], C] = {}
        self._lost: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()

    @property
    def busy(self) -> int:
        """How many leases are held now."""
        return len(self._running)

    async def run(self) -> None:
        """Work until cancelled; then hand back what is not done, and end."""
        around = [
            asyncio.create_task(self._heartbeats(), name=f"{self._desk.name} heartbeats"),
            asyncio.create_task(self._listen(), name=f"{self._desk.name} wakes"),
        ]
        try:
            await self._claiming()
        finally:
            await self._stop(around)

    async def step(self) -> bool:
        """Claim once and carry it out to its end; whether there was anything to claim."""
        claim = await self._desk.claim()
        if claim is None:
            return False
        await self._begin(claim)
        return True

    async def release(self) -> None:
        """Hand back at once all that is held."""
        await self._stop(())

    async def _claiming(self) -> None:
        failures = 0
        while True:
            try:
                await self._fill()
            except TryAgain as fault:
                failures += 1
                log.warning("claiming failed", desk=self._desk.name, reason=fault.message)
                await self._clock.sleep(min(2.0**failures, LONGEST_PAUSE_SECONDS))
            else:
                failures = 0
                await self._wait()

    async def _fill(self) -> None:
        """Claim into every free place, as long as anything is due."""
        while len(self._running) < self._room:
            claim = await self._desk.claim()
            if claim is None:
                return
            self._begin(claim)

    def _begin(self, claim: C) -> asyncio.Task[None]:
        task = asyncio.create_task(self._carry_out(claim), name=self._desk.name)
        self._running[task] = claim
        task.add_done_callback(self._ended)
        return task

    async def _carry_out(self, claim: C) -> None:
        try:
            await self._desk.carry_out(claim)
        except LeaseLost:
            log.warning("the lease was lost", desk=self._desk.name)
        except TryAgain as fault:
            # The database went away before the claim was settled: its lease will run out.
            log.warning("could not be settled", desk=self._desk.name, reason=fault.message)
        except Exception:
            log.exception("a claim was not settled", desk=self._desk.name)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._lost.discard(task)
        self._woken.set()

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await self._woken.wait()
        self._woken.clear()

    async def _listen(self) -> None:
        async for _ in self._desk.wakes():
            self._woken.set()

    async def _heartbeats(self) -> None:
        while True:
            await self._clock.sleep(HEARTBEAT_SECONDS)
            held = dict(self._running)
            if not held:
                continue
            try:
                lost = await self._desk.beat(list(held.values()))
            except TryAgain as fault:
                log.warning("no heartbeat", desk=self._desk.name, reason=fault.message)
                continue
            for task, claim in held.items():
                if task in self._running and any(claim is it for it in lost):
                    log.warning("a lease was lost", desk=self._desk.name)
                    self._lost.add(task)
                    task.cancel()

    async def _stop(self, around: Sequence[asyncio.Task[None]]) -> None:
        """Cancel what runs, and hand back what that has interrupted."""
        held = dict(self._running)
        lost = set(self._lost)
        for task in (*around, *held):
            task.cancel()
        await asyncio.gather(*around, *held, return_exceptions=True)
        for task, claim in held.items():
            if task.cancelled() and task not in lost:
                with contextlib.suppress(LeaseLost, TryAgain):
                    await self._desk.hand_back(claim)
