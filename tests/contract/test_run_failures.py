"""A failed validation goes back to the agent: text and pictures, once. Over a real database."""

from __future__ import annotations

import pytest

from bot.adapters.mongo.database import Database
from bot.domain.agent_runs import RunStatus
from bot.policy import agent_words as words
from bot.services.run_starter import SETTLED
from tests.contract.run_desk import UNANSWERED, Desk, desk_at

pytestmark = pytest.mark.database


@pytest.fixture
def desk(database: Database) -> Desk:
    return desk_at(database)


TOLD, PICTURE = "failed: v1 use a map", ("data:v1",)


async def test_a_failure_arrives_with_its_pictures_once(desk: Desk) -> None:
    await desk.started(RunStatus.COMPLETED)
    await desk.say("at first")
    await desk.say("use a map", failure="v1")
    await desk.start()
    run = await desk.start()
    assert (run.status, run.pending) == (RunStatus.ACTIVE, ())
    assert desk.sent == [["Mend it", f"at first\n\n{TOLD}"]]
    assert desk.pictures == [(), PICTURE]


async def test_a_new_run_has_its_failures_pictures(desk: Desk) -> None:
    await desk.ask()
    await desk.say("use a map", failure="v1")
    await desk.start()
    assert desk.pictures == [PICTURE]


async def test_a_failure_that_was_not_answered_is_not_sent_again(desk: Desk) -> None:
    """Killed behind the call: the agent has it, and nobody here knows."""
    await desk.started(RunStatus.COMPLETED)
    await desk.say("use a map", failure="v1")
    desk.agent.silent["resume"] = UNANSWERED
    begun = await desk.start()
    assert begun.intended_at is not None
    desk.agent.silent.clear()
    run = await desk.start()
    assert (run.status, run.pending, run.intended_at) == (RunStatus.ACTIVE, (), None)
    assert desk.sent == [["Mend it", TOLD]]
    assert desk.pictures == [(), PICTURE]


async def test_a_failure_whose_sending_was_cut_off_is_not_sent_twice(desk: Desk) -> None:
    """Killed between intention and call: whether it arrived nobody knows, so it is told as lost."""
    await desk.started(RunStatus.COMPLETED)
    await desk.say("use a map", failure="v1")
    assert await desk.runs.intend(await desk.run(), desk.clock.now()) is not None
    for _ in range(3):
        await desk.start()
        desk.clock.advance(seconds=SETTLED.total_seconds())
    run = await desk.run()
    assert (run.status, run.reason) == (RunStatus.WAITING, words.MESSAGE_LOST)
    assert "resume" not in desk.agent.calls
    assert desk.pictures == [()]


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        pytest.param(UNANSWERED, RunStatus.QUEUED, id="GitHub is away"),
        pytest.param(ValueError("a bug"), RunStatus.QUEUED, id="a bug of ours"),
    ],
)
async def test_a_failure_that_cant_be_told_yet_leaves_no_intention(
    desk: Desk, fault: Exception, status: RunStatus
) -> None:
    await desk.started(RunStatus.COMPLETED)
    await desk.say("use a map", failure="v1")
    desk.faults["run"] = fault
    run = await desk.start()
    assert (run.status, run.intended_at, len(run.pending)) == (status, None, 1)
    desk.faults.clear()
    assert (await desk.start()).pending == ()
    assert desk.sent == [["Mend it", TOLD]]
