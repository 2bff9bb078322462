"""A clock that moves when somebody waits, the pace of an agent's calls by it, and their count."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Protocol

import aiohttp
from limits import RateLimitItem

from bot.adapters.clock import SystemClock
from bot.adapters.codegen import CodegenAgent, Paces
from bot.adapters.pacing import AGENT_CREATIONS, AGENT_LOGS, AGENT_READS, MOST_LOOKS
from bot.adapters.pacing import LONGEST_WAIT_SECONDS as LONGEST_PACE_SECONDS
from bot.domain.problems import Limited
from bot.ports.clock import Clock
from bot.work.pool import POLL_SECONDS
from demo.codegen.server import ORGANIZATION, TOKEN

SYSTEM = SystemClock()
_IS_WORKER: ContextVar[bool] = ContextVar("is_worker", default=False)
"""Whether it is the worker who waits, and not one of those that it works for."""
ALLOWED: Mapping[str, tuple[frozenset[str], int, float]] = {
    "reads": (frozenset({"pages", "single reads", "other reads"}), 60, 30.0),
    "reads of logs": (frozenset({"logs"}), 60, 60.0),
    "new runs": (frozenset({"new runs"}), 10, 60.0),
}
"""What Codegen's API allows: kinds of calls, how many, in how many seconds."""


class Others(Protocol):
    """Who else lives by the clock."""

    def pass_to(self, seconds: float) -> None:
        """Do all that happens until then."""


class World(Clock):
    """Time that moves when somebody waits; ``meanwhile`` is what others do before it does."""

    def __init__(self, others: Others, latency: float) -> None:
        self.latency = latency
        self._others = others
        self._start = SYSTEM.now().replace(microsecond=0)
        self._turn = asyncio.Lock()
        self.elapsed = 0.0
        self.meanwhile: Callable[[], Awaitable[None]] = _nothing

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.elapsed)

    async def sleep(self, seconds: float) -> None:
        """Go on, in steps of the worker's polls; nobody goes on while the worker is at work."""
        until = self.elapsed + seconds
        while self.elapsed < until:
            if _IS_WORKER.get():
                self._pass(until)
                continue
            async with self._turn:
                if self.elapsed < until:
                    given = _IS_WORKER.set(True)
                    await self.meanwhile()
                    _IS_WORKER.reset(given)
                    self._pass(until)

    def _pass(self, until: float) -> None:
        self.elapsed = max(self.elapsed, min(until, self.elapsed + POLL_SECONDS))
        self._others.pass_to(self.elapsed)


async def _nothing() -> None:
    """Nobody else is there."""


class WorldPace:
    """``SharedPace`` by a clock that is not the world's, with one window."""

    def __init__(self, clock: Clock, windows: Sequence[RateLimitItem]) -> None:
        (self._window,) = windows
        self._clock = clock
        self._taken: deque[float] = deque()

    async def __call__(self, name: str) -> None:
        wait = 0.0
        for _ in range(MOST_LOOKS):
            wait = self._wait()
            if wait <= 0:
                return
            if wait > LONGEST_PACE_SECONDS:
                break
            await self._clock.sleep(wait)
        raise Limited(f"the limit of {name} is reached", after=wait)

    def _wait(self) -> float:
        now, seconds = self._clock.now().timestamp(), self._window.get_expiry()
        while self._taken and self._taken[0] < now - seconds:
            self._taken.popleft()
        if len(self._taken) >= self._window.amount:
            return max(0.1, self._taken[0] + seconds - now)
        self._taken.append(now)
        return 0.0


@dataclass
class Calls:
    """When each call to the agent was made, by kind; each takes its time."""

    world: World
    made: dict[str, list[float]] = field(default_factory=dict)

    def trace(self) -> aiohttp.TraceConfig:
        """What a session tells them by."""

        async def begin(
            session: aiohttp.ClientSession,
            context: SimpleNamespace,
            asked: aiohttp.TraceRequestStartParams,
        ) -> None:
            del session, context
            kind = kind_of(asked.method, asked.url.path)
            self.made.setdefault(kind, []).append(self.world.elapsed)

        async def end(
            session: aiohttp.ClientSession,
            context: SimpleNamespace,
            answered: aiohttp.TraceRequestEndParams,
        ) -> None:
            del session, context, answered
            await self.world.sleep(self.world.latency)

        told = aiohttp.TraceConfig()
        told.on_request_start.append(begin)
        told.on_request_end.append(end)
        return told

    def count(self, *kinds: str) -> int:
        """How many were made."""
        return sum(len(self.made.get(kind, ())) for kind in kinds)

    def most(self, kinds: Collection[str], seconds: float) -> int:
        """How many were made in the fullest window of so many seconds."""
        times = sorted(at for kind in kinds for at in self.made.get(kind, ()))
        most = first = 0
        for place, at in enumerate(times):
            while times[first] <= at - seconds:
                first += 1
            most = max(most, place - first + 1)
        return most


def kind_of(method: str, path: str) -> str:
    """What a call is counted as."""
    if method == "POST":
        return "new runs"
    if path.endswith("/logs"):
        return "logs"
    if path.endswith("/agent/runs"):
        return "pages"
    return "single reads" if "/agent/run/" in path else "other reads"


@asynccontextmanager
async def agent_of(world: World, url: str) -> AsyncIterator[tuple[CodegenAgent, Calls]]:
    """The adapter, paced by the simulated clock."""
    calls = Calls(world)
    windows = (AGENT_CREATIONS, AGENT_READS, AGENT_LOGS)
    paces = Paces(*(WorldPace(world, it) for it in windows))
    async with aiohttp.ClientSession(trace_configs=[calls.trace()]) as session:
        yield CodegenAgent(session, paces, url, ORGANIZATION, TOKEN), calls
