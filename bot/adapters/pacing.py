"""Calls that an outside system limits, paced over all processes that share a database."""

from __future__ import annotations

from typing import Protocol

from limits import (
    RateLimitItem,
    RateLimitItemPerHour,
    RateLimitItemPerMinute,
    RateLimitItemPerSecond,
)
from limits.aio.storage import MemoryStorage, MongoDBStorage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError

from bot.domain.problems import Limited
from bot.ports.clock import Clock

Windows = tuple[RateLimitItem, ...]

CONTENT = (RateLimitItemPerMinute(72), RateLimitItemPerHour(450))
"""GitHub allows 80 creating calls a minute, 500 an hour; a tenth less: its clock is not ours."""
AGENT_CREATIONS = (RateLimitItemPerMinute(9),)
AGENT_READS = (RateLimitItemPerSecond(54, 30),)
AGENT_LOGS = (RateLimitItemPerMinute(54),)
"""Codegen allows 10 a minute, 60 in 30 s and 60 a minute."""
LONGEST_WAIT_SECONDS = 5.0
MOST_LOOKS = 10


class Pace(Protocol):
    """Waits for the turn of a name. Raises Limited where that is long."""

    async def __call__(self, name: str) -> None: ...


class SharedPace:
    """Moving windows in the database, or in memory where ``uri`` is empty."""

    def __init__(
        self,
        clock: Clock,
        uri: str = "",
        database: str = "",
        *,
        windows: Windows = CONTENT,
        said: str = "GitHub's limit for creating things is reached",
    ) -> None:
        self._clock = clock
        self._windows = windows
        self._said = said
        self._storage: MongoDBStorage | MemoryStorage = (
            MongoDBStorage(
                uri.replace("mongodb", "async+mongodb", 1),
                database_name=database,
                counter_collection_name="pace_counters",
                window_collection_name="pace_windows",
                wrap_exceptions=True,
                serverSelectionTimeoutMS=5_000,
            )
            if uri
            else MemoryStorage()
        )
        self._limiter = MovingWindowRateLimiter(self._storage)

    async def __call__(self, name: str) -> None:
        """Wait for a turn."""
        try:
            for _ in range(MOST_LOOKS):
                wait = await self._wait(name)
                if wait <= 0:
                    return
                if wait > LONGEST_WAIT_SECONDS:
                    break
                await self._clock.sleep(wait)
            else:
                wait = LONGEST_WAIT_SECONDS
        except StorageError as fault:
            raise Limited(f"the pace of calls could not be read: {fault}") from fault
        raise Limited(self._said, after=wait)

    async def close(self) -> None:
        """Close the connection to the database."""
        if isinstance(self._storage, MongoDBStorage):
            self._storage.storage.close()

    async def _wait(self, name: str) -> float:
        for limit in self._windows:
            if not await self._limiter.test(limit, name):
                free_at = (await self._limiter.get_window_stats(limit, name)).reset_time
                return max(0.1, free_at - self._clock.now().timestamp())
        for limit in self._windows:
            if not await self._limiter.hit(limit, name):
                return 0.1  # somebody else took it since we looked
        return 0.0
