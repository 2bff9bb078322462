"""Following the agent's runs: what is asked of it, and what of that goes into the inbox."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import structlog

from bot.domain.agent_runs import RunStatus
from bot.domain.events import AgentRunSeen, AgentRunsTouched
from bot.domain.problems import Limited
from bot.domain.repositories import Repository
from bot.ports.coding_agent import AgentFault, AgentProblem
from bot.work.run_follower import AT_ONCE, LOOK_SECONDS, STUCK, TURN_TIME, UNSEEN
from tests.contract.fake_agent import BEGIN, PAGE, SetClock
from tests.contract.follower_rig import REQUEST, SHOP, Rig, rig_at

API = Repository(8, "octo", "api", 1, default_branch="main")
MOMENT = timedelta(seconds=1)


@pytest.fixture
def rig() -> Rig:
    return rig_at(SetClock())


# ── news ─────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_new_is_left_with_what_was_seen(rig: Rig) -> None:
    new = rig.follow()
    rig.follow(is_new=False)
    assert await rig.follower().look()
    [event] = rig.events
    assert isinstance(event, AgentRunSeen)
    assert (event.repository, event.run_id, event.at) == (SHOP, new.id, BEGIN)
    assert event.remote == rig.agent.runs[new.remote_id or 0]
    assert event.step is None


async def test_without_runs_nothing_is_asked(rig: Rig) -> None:
    rig.follow(status=RunStatus.QUEUED, remote_id=None)
    assert await rig.follower().look()
    assert rig.agent.calls == []


async def test_news_that_moves_nothing_is_left_ever_more_seldom(rig: Rig) -> None:
    """Its handler may be dead, or may have nothing to do: nobody is asked every five seconds."""
    rig.follow()
    follower = rig.follower()
    for _ in range(121):
        await follower.look()
        rig.clock.advance(seconds=LOOK_SECONDS)
    ages = [(it - BEGIN).total_seconds() for it in rig.kept.left_at]
    assert ages == [0, 10, 30, 70, 150, 310]


@pytest.mark.parametrize("is_there", [True, False], ids=["the agent", "the record"])
async def test_what_moves_is_news_at_once(rig: Rig, is_there: bool) -> None:
    run = rig.follow()
    follower = rig.follower()
    rig.clock.advance(minutes=7)
    await follower.look()
    rig.clock.advance(seconds=LOOK_SECONDS)
    await follower.look()
    assert rig.seen == [run.id]
    rig.clock.advance(seconds=LOOK_SECONDS)
    if is_there:
        assert run.remote_id is not None
        rig.agent.completed(run.remote_id)
    else:
        rig.change(run, updated_at=rig.clock.now())
    await follower.look()
    assert rig.seen == [run.id, run.id]


# ── the list ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("followed", "pages"),
    [
        pytest.param(1, 1, id="one"),
        pytest.param(PAGE, 1, id="a page"),
        pytest.param(PAGE + 1, 2, id="one more than a page"),
        pytest.param(AT_ONCE * PAGE, AT_ONCE, id="as many as are asked for at once"),
    ],
)
async def test_as_many_pages_are_asked_for_at_once_as_are_expected(
    rig: Rig, followed: int, pages: int
) -> None:
    runs = [rig.follow() for _ in range(followed)]
    barrier = asyncio.Barrier(pages)
    rig.agent.during["page"] = barrier.wait
    async with asyncio.timeout(30):
        await rig.follower().look()
    assert rig.agent.calls == ["page"] * pages
    assert set(rig.seen) == {it.id for it in runs}


@pytest.mark.slow
async def test_no_more_pages_are_asked_for_at_once_than_that(rig: Rig) -> None:
    runs = [rig.follow() for _ in range(1_000)]
    under_way: list[int] = [0, 0]

    async def page() -> None:
        under_way[0] += 1
        under_way[1] = max(under_way)
        await asyncio.sleep(0)  # noqa: TID251  the others have their turn
        under_way[0] -= 1

    rig.agent.during["page"] = page
    await rig.follower().look()
    assert under_way == [0, AT_ONCE]
    assert set(rig.seen) == {it.id for it in runs}


async def test_the_sweep_stops_behind_what_is_older_than_all_that_is_followed(rig: Rig) -> None:
    for _ in range(1_000):
        rig.agent.begin()
    followed = [rig.follow(hidden=hidden) for hidden in (True, False)]
    for _ in range(50):
        rig.agent.begin()
    await rig.follower().look()
    assert rig.agent.calls == ["page", "get"], "one that the list hides is asked for alone"
    assert set(rig.seen) == {it.id for it in followed}


async def test_the_sweep_goes_on_until_all_is_found(rig: Rig) -> None:
    followed = [rig.follow()]
    for number in range(210):
        rig.agent.begin()
        if number == 100:
            followed.append(rig.follow())
    await rig.follower().look()
    assert rig.agent.calls == ["page"] * 3
    assert set(rig.seen) == {it.id for it in followed}


async def test_an_old_run_that_was_set_going_again_is_read_alone(rig: Rig) -> None:
    old = rig.follow()
    for _ in range(5_000):
        rig.agent.begin()
    new = rig.follow()
    await rig.follower().look()
    assert rig.agent.made("get") == 1
    assert rig.agent.made("page") <= 3
    assert set(rig.seen) == {old.id, new.id}


async def test_a_limit_is_waited_for(rig: Rig) -> None:
    run = rig.follow()

    async def refuse_twice() -> None:
        if rig.agent.made("page") <= 2:
            raise Limited("sixty in thirty seconds", after=7.0)

    rig.agent.during["page"] = refuse_twice
    assert await rig.follower().look()
    assert rig.clock.slept == [7.0, 7.0]
    assert rig.seen == [run.id]
    assert rig.kept.until == rig.clock.now() + TURN_TIME, "the turn is kept meanwhile"


@pytest.mark.parametrize("limited", [False, True], ids=["it is told", "a limit"])
async def test_a_run_that_ends_while_its_log_is_read_breaks_nothing(
    rig: Rig, *, limited: bool
) -> None:
    run = rig.follow(is_new=False)
    rig.agent.log(run.remote_id or 0, "ACTION", said="Reading")
    follower = rig.follower()
    await follower.look()

    async def the_list_is_read() -> None:
        rig.kept.runs.clear()
        await follower.look()
        if limited:
            raise Limited("three in a minute", after=1.0)

    rig.agent.during["steps"] = the_list_is_read
    with structlog.testing.capture_logs() as lines:
        await follower.read_steps()
    assert [it for it in lines if it["log_level"] == "error"] == []
    assert rig.seen == ([] if limited else [run.id])


# ── whose turn it is ─────────────────────────────────────────────────────────────────────────


async def test_one_of_two_followers_asks(rig: Rig) -> None:
    run = rig.follow(is_new=False)
    rig.agent.log(run.remote_id or 0, "ACTION", said="Reading")
    one, two = rig.follower("one"), rig.follower("two")
    for _ in range(30):  # each look of the first prolongs its turn
        assert await one.look()
        rig.agent.calls.clear()
        assert not await two.look()
        await two.read_steps()
        assert rig.agent.calls == []
        rig.clock.advance(seconds=LOOK_SECONDS)


async def test_the_other_follower_takes_over_from_one_that_is_gone(rig: Rig) -> None:
    run = rig.follow(is_new=False)
    one, two = rig.follower("one"), rig.follower("two")
    assert await one.look()
    rig.clock.advance(seconds=TURN_TIME.total_seconds())
    assert not await two.look()
    rig.clock.advance(seconds=1)
    assert await two.look()
    rig.agent.calls.clear()
    rig.agent.log(run.remote_id or 0, "ACTION", said="Reading")
    assert not await one.look()
    await one.read_steps()
    assert rig.agent.calls == [], "the first one, when it comes back, asks for nothing"
    await two.read_steps()
    assert rig.seen == [run.id]


# ── what the agent does not know ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("active", "fault", "is_gone"),
    [
        pytest.param(timedelta(0), AgentFault.NOT_FOUND, False, id="just begun"),
        pytest.param(UNSEEN - MOMENT, AgentFault.NOT_FOUND, False, id="new"),
        pytest.param(UNSEEN, AgentFault.NOT_FOUND, True, id="no longer new"),
        pytest.param(None, AgentFault.NOT_FOUND, False, id="nobody knows since when"),
        pytest.param(UNSEEN, AgentFault.FORBIDDEN, False, id="no longer shown to us"),
    ],
)
async def test_a_run_that_the_agent_does_not_know_is_gone_when_it_is_not_new(
    rig: Rig, active: timedelta | None, fault: AgentFault, is_gone: bool
) -> None:
    run = rig.follow(hidden=True, active_since=None if active is None else BEGIN - active)
    rig.agent.broken["get", run.remote_id or 0] = AgentProblem(fault, "No such run.")
    await rig.follower().look()
    gone = [AgentRunSeen(SHOP, run.id, BEGIN, None)]
    assert rig.events == (gone if is_gone else [])


# ── queues that nothing else moves ───────────────────────────────────────────────────────────

WAITING: dict[str, Any] = {"status": RunStatus.QUEUED, "remote_id": None, "active_since": None}
LATE = BEGIN - timedelta(minutes=120)


@pytest.mark.parametrize(
    ("changes", "is_touched"),
    [
        pytest.param(WAITING, False, id="it waits"),
        pytest.param(WAITING | {"not_before": BEGIN + MOMENT}, False, id="it is tried later"),
        pytest.param(WAITING | {"not_before": BEGIN}, True, id="it is due"),
        pytest.param(WAITING | {"updated_at": BEGIN - STUCK}, False, id="it waits for long"),
        pytest.param(WAITING | {"updated_at": BEGIN - STUCK - MOMENT}, True, id="it is stuck"),
        pytest.param({}, False, id="it goes on"),
        pytest.param({"active_since": LATE + MOMENT}, False, id="its time is nearly up"),
        pytest.param({"active_since": LATE}, True, id="its time is up"),
        pytest.param({"not_before": BEGIN}, False, id="it has nothing to send"),
    ],
)
async def test_which_queues_are_touched(
    rig: Rig, changes: dict[str, Any], is_touched: bool
) -> None:
    rig.follow(is_new=False, **changes)
    await rig.follower().look()
    assert rig.events == ([AgentRunsTouched(SHOP)] if is_touched else [])


async def test_a_queue_is_touched_once_however_many_are_due(rig: Rig) -> None:
    for number in range(6):
        at = (SHOP, API)[number % 2]
        rig.follow(**WAITING, not_before=BEGIN, request=replace(REQUEST, repository=at))
    follower = rig.follower()
    await follower.look()
    await follower.look()
    assert rig.events == [AgentRunsTouched(SHOP), AgentRunsTouched(API)]
    rig.clock.advance(seconds=10)
    await follower.look()
    assert len(rig.events) == 4
