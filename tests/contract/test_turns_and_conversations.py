"""The places where agent runs are told, and turns, over a real server."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.adapters.clock import SystemClock
from bot.adapters.mongo.agent_runs import MongoConversations, MongoTurns
from bot.adapters.mongo.database import Database
from bot.domain.conversations import Conversation

pytestmark = pytest.mark.database
NOW = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

# ── where they are told ──────────────────────────────────────────────────────────────────────

PLACE = Conversation(7, 3)


async def test_a_conversation_is_kept_and_found(database: Database) -> None:
    conversations = MongoConversations(database)
    assert await conversations.get(7, 3) == PLACE
    told = replace(PLACE, comment_id=99, digest="d")
    await conversations.keep(told)
    await conversations.keep(replace(told, number=4, comment_id=100))
    assert await conversations.get(7, 3) == told
    await conversations.keep(replace(told, digest="e"))
    assert await conversations.get(7, 3) == replace(told, digest="e")
    assert await conversations.get(7, 4) == replace(told, number=4, comment_id=100)
    assert await conversations.get(8, 3) == Conversation(8, 3)


@pytest.mark.parametrize(
    ("by", "after", "wanted"),
    [
        pytest.param("first", timedelta(0), True, id="the same one at once"),
        pytest.param("first", timedelta(seconds=30), True, id="the same one within a minute"),
        pytest.param("second", timedelta(0), False, id="another one at once"),
        pytest.param("second", timedelta(seconds=59), False, id="another one within a minute"),
        pytest.param("second", MINUTE, False, id="another one at the minute"),
        pytest.param("second", timedelta(seconds=61), True, id="another one when it has lapsed"),
    ],
)
async def test_one_makes_a_comment(
    database: Database, by: str, after: timedelta, wanted: bool
) -> None:
    conversations = MongoConversations(database)
    assert await conversations.intend(PLACE, "first", NOW, NOW - MINUTE)
    at = NOW + after
    assert await conversations.intend(PLACE, by, at, at - MINUTE) is wanted
    # Who has taken it over keeps it; who has not leaves it to the first.
    assert await conversations.intend(PLACE, "first", at, at - MINUTE) is (
        by == "first" or not wanted
    )
    elsewhere = replace(PLACE, number=4)
    assert await conversations.intend(elsewhere, "third", at, at - MINUTE)
    assert await conversations.get(7, 3) == replace(PLACE, intended_at=at), "the last one's"


async def test_of_many_that_intend_it_at_once_one_does(database: Database) -> None:
    conversations = MongoConversations(database)
    made = await asyncio.gather(
        *(conversations.intend(PLACE, str(it), NOW, NOW - MINUTE) for it in range(8))
    )
    assert sum(made) == 1


async def test_an_intention_stays_when_the_comment_is_kept(database: Database) -> None:
    conversations = MongoConversations(database)
    await conversations.intend(PLACE, "first", NOW, NOW - MINUTE)
    await conversations.keep(replace(PLACE, comment_id=99))
    kept = await conversations.get(7, 3)
    assert kept == replace(PLACE, comment_id=99, intended_at=NOW)
    assert not await conversations.intend(PLACE, "second", NOW, NOW - MINUTE)
    assert await conversations.intend(PLACE, "first", NOW, NOW - MINUTE)
    await conversations.keep(replace(kept, intended_at=None, digest="d"))
    assert await conversations.get(7, 3) == replace(kept, digest="d")


async def test_a_deleted_comment_that_nobody_intended_can_be_made_again(
    database: Database,
) -> None:
    """One that was kept without an intention is not held for ever."""
    conversations = MongoConversations(database)
    await conversations.keep(replace(PLACE, comment_id=99))
    assert await conversations.intend(PLACE, "first", NOW, NOW - MINUTE)


# ── turns ────────────────────────────────────────────────────────────────────────────────────


class Moment(SystemClock):
    """A clock that stands."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now


def turns(database: Database, owner: str, minute: float = 0) -> MongoTurns:
    """Those of a process, so many minutes after the first look."""
    return MongoTurns(replace(database, clock=Moment(NOW + minute * MINUTE)), owner)


async def test_a_turn_is_one_process_s_until_its_end(database: Database) -> None:
    until = NOW + MINUTE
    assert await turns(database, "one").take("sweep", until)
    assert not await turns(database, "two").take("sweep", NOW + 9 * MINUTE)
    assert not await turns(database, "two", 1).take("sweep", NOW + 9 * MINUTE)
    assert await turns(database, "two").take("another", until)


async def test_a_turn_is_prolonged_by_who_has_it(database: Database) -> None:
    one, two = turns(database, "one"), turns(database, "two", 1.5)
    assert await one.take("sweep", NOW + MINUTE)
    assert await one.take("sweep", NOW + 2 * MINUTE)
    assert not await two.take("sweep", NOW + 9 * MINUTE)


async def test_a_turn_is_taken_over_after_its_end(database: Database) -> None:
    one, two = turns(database, "one"), turns(database, "two", 1.1)
    assert await one.take("sweep", NOW + MINUTE)
    assert await two.take("sweep", NOW + 3 * MINUTE)
    assert not await turns(database, "one", 1.2).take("sweep", NOW + 9 * MINUTE)


async def test_of_many_that_take_a_turn_at_once_one_has_it(database: Database) -> None:
    until = NOW + MINUTE
    made = await asyncio.gather(*(turns(database, str(it)).take("sweep", until) for it in range(8)))
    assert sum(made) == 1
    late = await asyncio.gather(
        *(turns(database, f"late {it}", 2).take("sweep", NOW + 3 * MINUTE) for it in range(8))
    )
    assert sum(late) == 1
