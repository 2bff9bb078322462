"""Calls that create something, paced over all processes that share a database."""

from __future__ import annotations

import uuid

import pytest
from limits import RateLimitItemPerMinute, RateLimitItemPerSecond

from bot.adapters.clock import SystemClock
from bot.adapters.pacing import SharedPace
from bot.domain.problems import TryAgain


@pytest.mark.database
async def test_shared_by_all(mongodb: str) -> None:
    windows = (RateLimitItemPerMinute(3),)
    name = f"test_{uuid.uuid4().hex}"
    one, two = (SharedPace(SystemClock(), mongodb, name, windows=windows) for _ in range(2))
    try:
        for pace in (one, two, one):
            await pace("seven")
        for pace in (one, two):
            with pytest.raises(TryAgain, match="limit for creating") as told:
                await pace("seven")
            assert 5 < told.value.after <= 61
        await two("eight")  # another one has a limit of its own
    finally:
        await one.close()
        await two.close()


@pytest.mark.slow
async def test_what_is_free_soon_is_waited_for() -> None:
    waited: list[float] = []

    class Clock(SystemClock):
        async def sleep(self, seconds: float) -> None:
            waited.append(seconds)
            await super().sleep(seconds)

    pace = SharedPace(Clock(), windows=(RateLimitItemPerSecond(1, 2),))
    await pace("seven")
    await pace("seven")
    assert 0 < sum(waited) <= 3
