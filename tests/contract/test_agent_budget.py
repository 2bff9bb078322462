"""How often the agent was set going, over a real server."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bot.adapters.mongo.budgets import MongoAgentBudget
from bot.adapters.mongo.database import Database

pytestmark = pytest.mark.database
NOW = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
DAY = timedelta(days=1)


async def test_each_is_counted_once_and_no_more_than_there_is_room_for(database: Database) -> None:
    budget = MongoAgentBudget(database)

    async def spend(what: str, at: datetime = NOW, repository_id: int = 7) -> bool:
        return await budget.spend(repository_id, what, at, at - DAY, 2)

    assert [await spend(it) for it in ("a", "b", "a", "c")] == [True, True, True, False]
    assert await budget.spent_since(7, NOW - DAY) == [NOW, NOW]
    assert await spend("c", repository_id=8), "another repository has its own"
    assert await spend("c", NOW + DAY), "a day later there is room again"
    assert await budget.spent_since(7, NOW) == [NOW + DAY]
    assert await budget.spent_since(9, NOW) == []


async def test_many_at_once_never_spend_more_than_there_is(database: Database) -> None:
    budget = MongoAgentBudget(database)
    asked = (budget.spend(7, str(it), NOW, NOW - DAY, 5) for it in range(40))
    assert sum(await asyncio.gather(*asked)) == 5
    assert len(await budget.spent_since(7, NOW - DAY)) == 5
