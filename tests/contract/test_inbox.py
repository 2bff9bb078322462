"""The inbox, over a real server: one at a time per key, fair, fenced, nothing lost."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.adapters.clock import SystemClock
from bot.adapters.mongo.database import Database
from bot.adapters.mongo.inbox import LARGEST_INLINE, MongoInbox
from bot.domain.effects import Decision, LeaveEvent, PublishCheck, RecordValidation, ValidationOrder
from bot.domain.events import PullRequestChange, PullRequestChanged
from bot.domain.problems import UserProblem
from bot.domain.repositories import Account, Repository
from bot.ports.inbox import Added, Claim, Item, ItemState, LeaseLost, Progress

pytestmark = pytest.mark.database
CLOCK = SystemClock()
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
REPOSITORY = Repository(7, "octo", "shop", 1)
ORDER = ValidationOrder(
    REPOSITORY, "a" * 40, "refs/pull/1/head", "main", "b" * 40, 1, "https://x", trusted=True
)


@pytest.fixture
def inbox(database: Database) -> MongoInbox:
    return MongoInbox(database, timedelta(days=1))


def item(name: str, key: str = "7:1", repository: int = 7, **more: Any) -> Item:
    return Item(name, "pull_request", b'{"n":1}', key, repository, NOW, **more)


async def claimed(inbox: MongoInbox) -> Claim:
    claim = await inbox.claim("me")
    assert claim is not None
    return claim


async def run_out(database: Database, item_id: str) -> None:
    """Let a lease run out at once."""
    past = CLOCK.now() - timedelta(seconds=1)
    await database.collection("inbox").update_one({"_id": item_id}, {"$set": {"lease_until": past}})


async def test_what_is_added_is_claimed_as_it_was(inbox: MongoInbox) -> None:
    assert await inbox.add([item("one")]) == [Added.NEW]
    claim = await claimed(inbox)
    assert claim.item == replace(item("one"), due_at=NOW)
    assert (claim.attempts, claim.progress) == (0, {})
    await inbox.finish(claim, ItemState.DONE, "well")
    assert await inbox.claim("me") is None
    kept = await inbox.get("one")
    assert kept is not None
    assert (kept.state, kept.reason) == (ItemState.DONE, "well")


async def test_duplicates_in_one_group_fail_no_neighbour(inbox: MongoInbox) -> None:
    await inbox.add([item("one")])
    again = await inbox.add([item("one"), item("two"), item("two"), item("three")])
    assert again == [Added.DUPLICATE, Added.NEW, Added.DUPLICATE, Added.NEW]


async def test_a_duplicate_of_a_dead_one_reopens_it(inbox: MongoInbox) -> None:
    await inbox.add([item("one")])
    await inbox.finish(await claimed(inbox), ItemState.DEAD, "a bug")
    assert [kept.item.id async for kept in inbox.listing(ItemState.DEAD, 10)] == ["one"]
    assert await inbox.add([item("one")]) == [Added.REOPENED]
    assert (await claimed(inbox)).item.id == "one"


async def test_replay_of_a_done_one(inbox: MongoInbox) -> None:
    await inbox.add([item("one")])
    assert not await inbox.reopen("one"), "it is not through yet"
    claim = await claimed(inbox)
    await inbox.decide(claim, "validate", Decision("because"))
    await inbox.finish(claim, ItemState.DONE, "well")
    assert await inbox.reopen("one")
    assert (await claimed(inbox)).progress == {}
    assert not await inbox.reopen("nobody")


async def test_what_nobody_listens_to_is_kept_and_never_claimed(inbox: MongoInbox) -> None:
    await inbox.add([item("one", ignored="nobody listens")])
    assert await inbox.claim("me") is None
    kept = await inbox.get("one")
    assert kept is not None
    assert (kept.state, kept.reason) == (ItemState.DONE, "nobody listens")


@pytest.mark.parametrize("size", [0, 1, LARGEST_INLINE + 1, 25 * 1024 * 1024])
async def test_bodies_of_every_size(inbox: MongoInbox, size: int) -> None:
    body = os.urandom(size)  # what can't be compressed
    wanted = replace(item("one"), body=body)
    await inbox.add([wanted])
    assert await inbox.add([wanted]) == [Added.DUPLICATE]
    assert (await claimed(inbox)).item.body == body


async def test_bodies_of_forgotten_items_are_removed(inbox: MongoInbox, database: Database) -> None:
    for name in ("one", "two"):
        await inbox.add([replace(item(name), body=os.urandom(LARGEST_INLINE + 1))])
    await database.collection("inbox").delete_one({"_id": "one"})
    assert await inbox.forget() == 1
    kept = await inbox.get("two")
    assert kept is not None
    assert len(kept.item.body) > LARGEST_INLINE


async def test_one_at_a_time_per_key(inbox: MongoInbox) -> None:
    await inbox.add([item("one"), item("two"), item("other", key="7:2")])
    first, second = await claimed(inbox), await claimed(inbox)
    assert {first.item.key, second.item.key} == {"7:1", "7:2"}
    assert await inbox.claim("me") is None
    await inbox.finish(first, ItemState.DONE, "")
    await inbox.finish(second, ItemState.DONE, "")
    assert (await claimed(inbox)).item.id == "two"


async def test_many_workers_never_share_a_key(database: Database) -> None:
    inboxes = [MongoInbox(database, timedelta(days=1)) for _ in range(8)]
    keys = 12
    await inboxes[0].add([item(f"{n}", key=f"7:{n % keys}") for n in range(96)])
    held: set[str] = set()
    handled: list[str] = []

    async def work(inbox: MongoInbox) -> None:
        for _ in range(1000):
            claim = await inbox.claim("me")
            if claim is None:
                if len(handled) == 96:
                    return
                await CLOCK.sleep(0.005)
                continue
            assert claim.item.key not in held
            held.add(claim.item.key)
            await CLOCK.sleep(0.001)
            held.remove(claim.item.key)
            handled.append(claim.item.id)
            await inbox.finish(claim, ItemState.DONE, "")

    await asyncio.gather(*map(work, inboxes))
    assert sorted(handled, key=int) == [str(n) for n in range(96)]


async def test_a_noisy_repository_starves_nobody(inbox: MongoInbox) -> None:
    noisy = [item(f"noisy {n}", key=f"1:{n}", repository=1) for n in range(200)]
    await inbox.add(noisy)
    await inbox.add([item(f"quiet {n}", key=f"{n}:1", repository=n) for n in (2, 3, 4)])
    order = [(await claimed(inbox)).item.id for _ in range(6)]
    assert [it.split()[0] for it in order].count("quiet") == 3, order


async def test_oldest_first(inbox: MongoInbox) -> None:
    await inbox.add([replace(item("late"), received_at=NOW + timedelta(seconds=1)), item("early")])
    assert (await claimed(inbox)).item.id == "early"


async def test_what_is_not_due_waits(inbox: MongoInbox) -> None:
    await inbox.add([item("one", due_at=CLOCK.now() + timedelta(seconds=0.3))])
    assert await inbox.claim("me") is None
    async with asyncio.timeout(30):
        while (claim := await inbox.claim("me")) is None:
            await CLOCK.sleep(0.05)
    await inbox.again(claim, CLOCK.now() - timedelta(seconds=1), "once more")
    assert (await claimed(inbox)).attempts == 1


async def test_handed_back_is_no_attempt(inbox: MongoInbox) -> None:
    await inbox.add([item("one")])
    await inbox.hand_back(await claimed(inbox))
    assert (await claimed(inbox)).attempts == 0


async def test_progress_is_what_was_stored(inbox: MongoInbox, database: Database) -> None:
    event = PullRequestChanged(REPOSITORY, 3, PullRequestChange.SEEN, Account(1, "octo"))
    decision = Decision(
        "because: $set is {not: $read}",
        (RecordValidation("id", ORDER), PublishCheck("id"), LeaveEvent(event, NOW)),
    )
    await inbox.add([item("one")])
    claim = await claimed(inbox)
    await inbox.decide(claim, "validate", decision)
    await inbox.settle_effect(claim, "validate", 0, "made")
    await inbox.decide(claim, "other", Decision("nothing to do"))
    await inbox.settle_handler(claim, "other")
    await run_out(database, "one")
    heir = await claimed(MongoInbox(database, timedelta(days=1)))
    assert heir.attempts == 1
    assert heir.progress == {
        "validate": Progress(decision, ("made",)),
        "other": Progress(Decision("nothing to do"), settled=True),
    }


async def test_a_later_decision_keeps_what_is_settled(inbox: MongoInbox) -> None:
    await inbox.add([item("one")])
    claim = await claimed(inbox)
    await inbox.decide(claim, "validate", Decision("first", (PublishCheck("a"), PublishCheck("b"))))
    await inbox.settle_effect(claim, "validate", 0, "done")
    later = Decision("later", (PublishCheck("a"), PublishCheck("c")))
    await inbox.decide(claim, "validate", later)
    await inbox.settle_effect(claim, "validate", 1, "done too")
    kept = await inbox.get("one")
    assert kept is not None
    assert kept.progress["validate"] == Progress(later, ("done", "done too"))


async def test_a_late_writer_is_known_by_its_token(inbox: MongoInbox, database: Database) -> None:
    await inbox.add([item("one")])
    late = await claimed(inbox)
    await inbox.decide(late, "validate", Decision("because", (PublishCheck("a"),)))
    assert await inbox.beat([late]) == []
    await run_out(database, "one")
    heir = await claimed(MongoInbox(database, timedelta(days=1)))
    assert heir.token > late.token
    assert await inbox.beat([late]) == [late]
    for write in (
        inbox.decide(late, "validate", Decision("late")),
        inbox.settle_effect(late, "validate", 0, "late"),
        inbox.settle_handler(late, "validate"),
        inbox.finish(late, ItemState.DONE, "late"),
        inbox.again(late, NOW, "late"),
        inbox.hand_back(late),
    ):
        with pytest.raises(LeaseLost):
            await write
    await inbox.finish(heir, ItemState.DONE, "the heir's")


async def test_what_its_holder_has_ended_is_not_lost(inbox: MongoInbox) -> None:
    await inbox.add([item("one")])
    claim = await claimed(inbox)
    await inbox.finish(claim, ItemState.DONE, "")
    assert await inbox.beat([claim]) == []


async def test_a_beat_keeps_the_lease(inbox: MongoInbox, database: Database) -> None:
    await inbox.add([item("one")])
    claim = await claimed(inbox)
    await run_out(database, "one")
    assert await inbox.beat([claim]) == []
    assert await MongoInbox(database, timedelta(days=1)).claim("heir") is None


async def test_wakes_who_waits(inbox: MongoInbox, database: Database) -> None:
    wakes = inbox.wakes()
    async with asyncio.timeout(30):
        await anext(wakes)  # the stream stands
        for change in (
            inbox.add([item("one")]),
            MongoInbox(database, timedelta(days=1)).add([item("two")]),
        ):
            await change
            await anext(wakes)


async def test_how_much_waits(inbox: MongoInbox) -> None:
    await inbox.add([item("one"), item("two"), item("three", key="7:3")])
    await claimed(inbox)
    counted = await inbox.waiting()
    assert counted == {ItemState.READY: 2, ItemState.LEASED: 1, ItemState.DEAD: 0}


async def test_indexes_that_are_others_are_told(database: Database) -> None:
    await database.collection("inbox").drop_index("serial")
    await database.collection("inbox").create_index("key", name="serial")
    with pytest.raises(UserProblem, match=r"inbox has other indexes.*serial.*Drop that index"):
        await database.ensure_indexes()


async def test_indexes_are_used(database: Database) -> None:
    """No claim reads more documents than it gives."""
    inbox = MongoInbox(database, timedelta(days=1))
    await inbox.add([item(f"{n}", key=f"{n % 5}:{n}", repository=n % 5) for n in range(100)])
    plan = await database.database.command(
        "explain",
        {
            "find": "inbox",
            "filter": {
                "state": "ready",
                "due_at": {"$lte": CLOCK.now()},
                "repository_id": {"$gt": 2},
                "key": {"$nin": ["1:1"]},
            },
            "sort": {"repository_id": 1, "due_at": 1},
            "limit": 1,
        },
        verbosity="executionStats",
    )
    examined: Sequence[int] = (
        plan["executionStats"]["totalDocsExamined"],
        plan["executionStats"]["totalKeysExamined"],
    )
    assert examined[0] <= 1
    assert examined[1] <= 3
