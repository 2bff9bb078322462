"""Following the agent's runs: their logs, and that one of them is no other's affair."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.domain.events import AgentRunSeen
from bot.domain.problems import Limited, TryAgain
from bot.ports.coding_agent import AgentFault, AgentProblem
from bot.work.run_follower import FRESH, LOOK_SECONDS, MOST_SINGLE, MOST_STEPS, STEP_AGAIN
from tests.contract.fake_agent import BEGIN, SetClock
from tests.contract.follower_rig import Rig, rig_at

MOMENT = timedelta(seconds=1)
AWAY = TryAgain("it does not answer", after=5.0)
REFUSED = AgentProblem(AgentFault.FORBIDDEN, "Not this one.")
FAULTS = [
    pytest.param(AWAY, id="no answer"),
    pytest.param(REFUSED, id="a refusal"),
    pytest.param(
        RuntimeError("a bug"),
        id="a bug",
    ),
]


@pytest.fixture
def rig() -> Rig:
    return rig_at(SetClock())


# ── one beside the other ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fault", FAULTS)
async def test_one_whose_read_fails_starves_nobody(rig: Rig, fault: Exception) -> None:
    broken, *others = (rig.follow(hidden=True) for _ in range(MOST_SINGLE + 5))
    noted = rig.follow(is_new=False)
    rig.agent.broken["get", broken.remote_id or 0] = fault
    rig.agent.log(noted.remote_id or 0, "ACTION", said="Reading")
    follower = rig.follower()
    for _ in range(2):
        rig.clock.advance(seconds=LOOK_SECONDS)
        await follower.look()
        await follower.read_steps()
    assert {it.id for it in others} | {noted.id} <= set(rig.seen)
    assert broken.id not in rig.seen
    rig.agent.broken.clear()
    await follower.look()
    assert broken.id in rig.seen


async def test_runs_that_are_read_alone_have_their_turns(rig: Rig) -> None:
    """Those that waited longest come first, and no look asks for more than so many."""
    for _ in range(2 * MOST_SINGLE + 1):
        rig.follow(hidden=True)
        rig.clock.advance(seconds=1)
    follower = rig.follower()
    for number in range(1, 4):
        await follower.look()
        assert rig.agent.made("get") == number * MOST_SINGLE
        rig.clock.advance(seconds=LOOK_SECONDS)
    assert {it.id for it in rig.kept.runs} == set(rig.seen)


@pytest.mark.parametrize("fault", FAULTS)
async def test_one_whose_log_fails_starves_nobody(rig: Rig, fault: Exception) -> None:
    broken, *others = (rig.follow(is_new=False) for _ in range(4))
    for run in (broken, *others):
        rig.agent.log(run.remote_id or 0, "ACTION", said="Reading")
    rig.agent.broken["steps", broken.remote_id or 0] = fault
    follower = rig.follower()
    await follower.look()
    await follower.read_steps()
    assert rig.seen == [it.id for it in others]
    rig.agent.broken.clear()
    rig.clock.advance(seconds=STEP_AGAIN.total_seconds())
    await follower.look()
    await follower.read_steps()
    assert broken.id in rig.seen


@pytest.mark.parametrize("name", ["page", "steps"])
async def test_following_goes_on_after_every_fault(name: str) -> None:
    class Enough(BaseException):
        """The test has seen it all."""

    class Waiting(SetClock):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            if len(self.slept) > 60:
                raise Enough
            await asyncio.sleep(0)  # noqa: TID251  the other task has its turn

    rig = rig_at(Waiting())
    run = rig.follow(is_new=False)
    rig.agent.log(run.remote_id or 0, "ACTION", said="Reading")
    faults = [AWAY, REFUSED, RuntimeError("a bug")]

    async def fail() -> None:
        if faults:
            raise faults.pop()

    rig.agent.during[name] = fail
    with pytest.raises(BaseExceptionGroup):
        await rig.follower().run()
    assert faults == []
    assert run.id in rig.seen


# ── logs ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_new_step_is_left_once(rig: Rig) -> None:
    run = rig.follow(is_new=False)
    rig.agent.log(run.remote_id or 0, "ACTION", said="Reading")
    follower = rig.follower()
    await follower.look()
    await follower.read_steps()
    [event] = rig.events
    assert isinstance(event, AgentRunSeen)
    assert event.step is not None
    assert event.step.thought == "Reading"
    rig.change(run, current_step="Reading")
    rig.forget()
    rig.clock.advance(seconds=STEP_AGAIN.total_seconds())
    await follower.look()
    await follower.read_steps()
    assert (rig.agent.made("steps"), rig.seen) == (1, [])


@pytest.mark.parametrize(
    ("age", "is_new", "read"),
    [
        pytest.param(FRESH - MOMENT, False, 1, id="somebody reads along"),
        pytest.param(FRESH, False, 0, id="nobody reads along any more"),
        pytest.param(MOMENT, True, 0, id="there is other news of it"),
    ],
)
async def test_whose_log_is_read(rig: Rig, age: timedelta, is_new: bool, read: int) -> None:
    rig.follow(is_new=is_new, active_since=BEGIN - age)
    follower = rig.follower()
    await follower.look()
    await follower.read_steps()
    assert rig.agent.made("steps") == read


async def test_logs_are_read_in_turn_and_none_too_often(rig: Rig) -> None:
    for _ in range(MOST_STEPS + 10):
        rig.follow(is_new=False)
    follower = rig.follower()
    await follower.look()
    read = []
    for _ in range(3):
        await follower.read_steps()
        read.append(rig.agent.made("steps"))
        rig.clock.advance(seconds=STEP_AGAIN.total_seconds() / 2 - 1)
    assert read == [MOST_STEPS, MOST_STEPS + 10, MOST_STEPS + 10]


async def test_a_limit_for_logs_ends_their_turn_and_forgets_nobody(rig: Rig) -> None:
    runs = [rig.follow(is_new=False) for _ in range(3)]
    for run in runs:
        rig.agent.log(run.remote_id or 0, "ACTION", said="Reading")
    follower = rig.follower()
    await follower.look()
    rig.agent.refusing["steps"] = Limited("ten a second", after=1.0)
    await follower.read_steps()
    assert (rig.agent.made("steps"), rig.seen) == (1, [])
    rig.agent.refusing.clear()
    await follower.read_steps()
    assert rig.seen == [it.id for it in runs]
