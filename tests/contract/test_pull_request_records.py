"""The records of pull requests, over a real server."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.adapters.mongo.database import Database
from bot.adapters.mongo.pull_requests import MongoPullRequests
from bot.domain.merging import Criterion, CriterionState, Explanation, MergeMethod
from bot.domain.pull_request_records import (
    FixAttempt,
    FixOutcome,
    FixWish,
    MergeIntent,
    Override,
    PullRequestRecord,
    Revalidation,
    Stop,
    StopRule,
)
from bot.domain.repositories import Account, Repository
from bot.ports.records import Unreadable

pytestmark = pytest.mark.database
NOW = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SHOP = Repository(7, "octo", "shop", 1, default_branch="main")
ALICE = Account(3, "alice")
ATTEMPT = FixAttempt("one", 1, "a" * 40, "v1", "sig", "build: x", "run", NOW)
FULL = PullRequestRecord(
    SHOP,
    3,
    base_branch="main",
    head_sha="b" * 40,
    held_by="alice",
    merge_asked_by=ALICE,
    overrides=(Override("ci", "b" * 40, "alice", "it is away", NOW),),
    wish=FixWish("w", ALICE, "b" * 40, NOW, "look at the list"),
    attempts=(
        replace(ATTEMPT, outcome=FixOutcome.PUSHED, pushed_sha="b" * 40, changed=("x.ts",)),
        replace(ATTEMPT, id="two", ordinal=2),
    ),
    counted_from=2,
    stop=Stop(StopRule.BUDGET_OF_DAY, "enough", "b" * 40, NOW, "alice", NOW + MINUTE),
    revalidations=(Revalidation("a" * 40, "v0", NOW),),
    merge=MergeIntent("b" * 40, MergeMethod.REBASE, NOW, refusal="no", refused_at=NOW),
    queued_at=NOW,
    updating_from="a" * 40,
    updates=(("b" * 40, "a" * 40),),
    explanation=Explanation(
        "b" * 40, NOW, "held", (Criterion("hold", CriterionState.UNMET, "v", "s", "m", NOW),)
    ),
    looked_at=NOW,
)


def fields_of(record: PullRequestRecord) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


async def test_what_is_kept_comes_back(database: Database) -> None:
    records = MongoPullRequests(database)
    assert await records.get(SHOP, 3) == PullRequestRecord(SHOP, 3)
    assert await records.change(SHOP, 3, fields_of(FULL)) == FULL
    assert await records.get(SHOP, 3) == FULL
    changed = await records.change(SHOP, 3, {"held_by": "", "stop": None})
    assert changed == replace(FULL, held_by="", stop=None)
    assert await records.get(SHOP, 4) == PullRequestRecord(SHOP, 4)
    assert await records.get(replace(SHOP, id=8), 3) == PullRequestRecord(replace(SHOP, id=8), 3)


async def test_who_came_first_stands_first_in_the_line_of_a_branch(database: Database) -> None:
    records = MongoPullRequests(database)
    for number, branch, minute in ((1, "main", 3), (2, "main", 1), (3, "next", 0), (4, "main", 1)):
        at = NOW + minute * MINUTE
        await records.change(SHOP, number, {"base_branch": branch, "queued_at": at})
    await records.change(SHOP, 5, {"base_branch": "main", "queued_at": None})
    assert [it.number for it in await records.line(SHOP.id, "main")] == [2, 4, 1]
    assert [it.number for it in await records.line(8, "main")] == []


async def test_those_that_nobody_looked_at_for_longest_come_first(database: Database) -> None:
    records = MongoPullRequests(database)
    for number, minute in ((1, 5), (2, 1), (3, 9)):
        await records.change(SHOP, number, {"looked_at": NOW + minute * MINUTE})
    await records.change(SHOP, 4, {"looked_at": NOW, "is_open": False})
    await records.change(SHOP, 5, {"held_by": "alice"})
    found = [it.number async for it in records.unfinished(NOW + 8 * MINUTE)]
    assert found == [5, 2, 1]


async def test_a_record_that_can_not_be_understood_says_so(database: Database) -> None:
    records = MongoPullRequests(database)
    await records.change(SHOP, 3, {"attempts": (ATTEMPT,)})
    found = database.collection("pull_requests")
    await found.update_one({"_id": "7:3"}, {"$set": {"attempts.0.ordinal": "many"}})
    with pytest.raises(Unreadable, match="7:3"):
        await records.get(SHOP, 3)
    held = await records.change(SHOP, 4, {"held_by": "alice"})
    assert await records.of_numbers(SHOP, {3, 4, 5}) == {4: held, 5: PullRequestRecord(SHOP, 5)}
