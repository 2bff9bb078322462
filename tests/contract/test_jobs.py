"""Jobs, over a real server: leased, cancelled, and ended together with their event."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.adapters.clock import SystemClock
from bot.adapters.mongo.database import Database
from bot.adapters.mongo.inbox import MongoInbox
from bot.adapters.mongo.jobs import MongoJobs
from bot.ports.inbox import Item, LeaseLost
from bot.ports.jobs import Job, JobClaim, JobState

pytestmark = pytest.mark.database
CLOCK = SystemClock()
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEPT = timedelta(days=1)
KINDS = ["validation"]


@pytest.fixture
def inbox(database: Database) -> MongoInbox:
    return MongoInbox(database, KEPT)


@pytest.fixture
def jobs(database: Database, inbox: MongoInbox) -> MongoJobs:
    return MongoJobs(database, inbox, KEPT)


def job(name: str, lane: str = "7:1", repository: int = 7) -> Job:
    return Job(name, "validation", f"subject of {name}", lane, repository, NOW)


def event(name: str) -> Item:
    return Item(name, "codegenapp.validation_ended", b"{}", "7:1", 7, NOW)


async def claimed(jobs: MongoJobs) -> JobClaim:
    claim = await jobs.claim("me", KINDS)
    assert claim is not None
    return claim


async def run_out(database: Database, job_id: str) -> None:
    past = CLOCK.now() - timedelta(seconds=1)
    await database.collection("jobs").update_one({"_id": job_id}, {"$set": {"lease_until": past}})


async def test_queued_once(jobs: MongoJobs) -> None:
    await jobs.add(job("one"))
    await jobs.add(replace(job("one"), subject="another"))
    claim = await claimed(jobs)
    assert claim.job.subject == "subject of one"
    assert await jobs.claim("me", KINDS) is None


async def test_other_kinds_are_left(jobs: MongoJobs) -> None:
    await jobs.add(job("one"))
    assert await jobs.claim("me", ["deployment"]) is None


async def test_one_at_a_time_in_a_lane(jobs: MongoJobs) -> None:
    for it in (job("one"), job("two"), job("three", lane="7:2")):
        await jobs.add(it)
    lanes = {(await claimed(jobs)).job.lane for _ in range(2)}
    assert lanes == {"7:1", "7:2"}
    assert await jobs.claim("me", KINDS) is None


async def test_not_before_its_time(jobs: MongoJobs) -> None:
    await jobs.add(replace(job("one"), not_before=CLOCK.now() + timedelta(hours=1)))
    assert await jobs.claim("me", KINDS) is None


async def test_end_and_event_are_one(jobs: MongoJobs, inbox: MongoInbox) -> None:
    await jobs.add(job("one"))
    claim = await claimed(jobs)
    await jobs.end(claim, {"verdict": "passed"}, event("ended"))
    ended = await jobs.get("one")
    assert ended is not None
    assert (ended.state, ended.result) == (JobState.ENDED, {"verdict": "passed"})
    heard = await inbox.claim("me")
    assert heard is not None
    assert heard.item.id == "ended"


async def test_a_late_end_leaves_nothing(
    jobs: MongoJobs, inbox: MongoInbox, database: Database
) -> None:
    await jobs.add(job("one"))
    late = await claimed(jobs)
    await run_out(database, "one")
    (heir,) = await jobs.expired(10)
    assert await jobs.expired(10) == []
    assert await jobs.beat([late]) == [late]
    assert await jobs.beat([heir]) == []
    with pytest.raises(LeaseLost):
        await jobs.end(late, {"verdict": "passed"}, event("late"))
    with pytest.raises(LeaseLost):
        await jobs.hand_back(late)
    assert await inbox.get("late") is None
    await jobs.end(heir, {"verdict": "error"}, event("lost"))
    assert await inbox.get("lost") is not None


async def test_cancelled_before_it_began(jobs: MongoJobs) -> None:
    await jobs.add(job("one"))
    assert await jobs.cancel("one", "closed")
    assert await jobs.claim("me", KINDS) is None
    ended = await jobs.get("one")
    assert ended is not None
    assert (ended.state, ended.result, ended.cancel_reason) == (JobState.ENDED, None, "closed")


async def test_cancelled_while_it_runs(jobs: MongoJobs) -> None:
    await jobs.add(job("one"))
    await jobs.add(job("two", lane="7:2"))
    claims = [await claimed(jobs), await claimed(jobs)]
    wakes = jobs.wakes()
    async with asyncio.timeout(30):
        await anext(wakes)
        assert not await jobs.cancel("one", "a newer commit")
        await anext(wakes)
    wanted = await jobs.cancelled(claims)
    assert [claim.job.id for claim in wanted] == ["one"]
    assert not await jobs.cancel("nobody", "")


async def test_handed_back_is_claimed_again(jobs: MongoJobs) -> None:
    await jobs.add(job("one"))
    first = await claimed(jobs)
    await jobs.hand_back(first)
    assert (await claimed(jobs)).token == first.token + 1


async def test_repositories_take_turns(jobs: MongoJobs) -> None:
    for n in range(20):
        await jobs.add(job(f"noisy {n}", lane=f"1:{n}", repository=1))
    await jobs.add(job("quiet", lane="2:1", repository=2))
    order = [(await claimed(jobs)).job.id for _ in range(3)]
    assert "quiet" in order


async def test_a_younger_one_of_its_lane_waits(jobs: MongoJobs) -> None:
    older, younger = job("one"), replace(job("two"), created_at=NOW + timedelta(seconds=1))
    await jobs.add(older)
    await jobs.add(replace(younger, id="elsewhere", lane="7:2"))
    await jobs.add(replace(younger, id="of another kind", kind="deployment"))
    assert not await jobs.has_younger(older)
    await jobs.add(younger)
    assert await jobs.has_younger(older)
    assert not await jobs.has_younger(younger)
    await jobs.cancel("two", "")
    assert not await jobs.has_younger(older)


async def test_a_job_that_nobody_waits_for_ends_without_an_event(
    jobs: MongoJobs, inbox: MongoInbox
) -> None:
    await jobs.add(job("one"))
    await jobs.end(await claimed(jobs), {"outcome": "done"}, None)
    ended = await jobs.get("one")
    assert ended is not None
    assert (ended.state, ended.result) == (JobState.ENDED, {"outcome": "done"})
    assert await inbox.claim("me") is None
