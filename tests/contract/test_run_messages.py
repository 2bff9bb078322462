"""Messages to the agent's runs: none is swallowed, and none sent twice. Over a real database."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.adapters.mongo.database import Database
from bot.domain.agent_runs import ENDED, AgentRun, RunMessage, RunStatus
from bot.domain.effects import EndRun, MessageRun
from bot.policy import agent_words as words
from bot.ports.coding_agent import AgentFault, AgentProblem
from bot.services.run_starter import SETTLED, SKEW, USER_MESSAGE
from tests.contract.run_desk import UNANSWERED, Desk, desk_at

pytestmark = pytest.mark.database
MOMENT = timedelta(seconds=1)


@pytest.fixture
def desk(database: Database) -> Desk:
    return desk_at(database)


def texts(run: AgentRun) -> list[str]:
    """What the agent does not have yet."""
    return [it.text for it in run.pending]


# ── where a run stands when one comes ────────────────────────────────────────────────────────


async def test_a_message_to_an_active_run_keeps_it_active(desk: Desk) -> None:
    before = await desk.started()
    run = await desk.say("more")
    assert (run.status, texts(run)) == (RunStatus.ACTIVE, ["more"])
    assert (run.remote_seen, run.active_since) == (before.remote_seen, before.active_since)
    run = await desk.start()
    assert (run.status, texts(run)) == (RunStatus.ACTIVE, [])
    assert run.active_since == desk.clock.now()
    assert desk.sent == [["Mend it", "more"]]


@pytest.mark.parametrize("status", [*sorted(ENDED), RunStatus.WAITING])
async def test_a_message_to_one_that_ended_or_waits_goes_into_the_queue(
    desk: Desk, status: RunStatus
) -> None:
    await desk.started(status)
    run = await desk.say("more")
    assert (run.status, run.ended_at, run.reason) == (RunStatus.QUEUED, None, "")
    run = await desk.start()
    assert (run.status, run.progress, run.response_type) == (RunStatus.ACTIVE, 5, None)
    assert desk.sent == [["Mend it", "more"]]


@pytest.mark.parametrize("status", [RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.WAITING])
async def test_a_run_that_ends_while_a_message_came_goes_into_the_queue_again(
    desk: Desk, status: RunStatus
) -> None:
    await desk.started()
    await desk.say("more")
    await desk.service.end(EndRun("run", status, "because", remote_seen="COMPLETE"))
    run = await desk.run()
    assert (run.status, run.ended_at, run.reason) == (RunStatus.QUEUED, None, "")
    assert texts(await desk.start()) == []
    assert desk.sent == [["Mend it", "more"]]


async def test_a_run_that_ends_with_nothing_to_send_stays_so(desk: Desk) -> None:
    await desk.started()
    await desk.say("more")
    await desk.start()
    await desk.service.end(EndRun("run", RunStatus.COMPLETED, ""))
    run = await desk.run()
    assert (run.status, run.ended_at) == (RunStatus.COMPLETED, desk.clock.now())


async def test_a_message_that_is_told_again_is_one(desk: Desk) -> None:
    await desk.started()
    for _ in range(3):
        await desk.say("more")
        await desk.start()
    await desk.service.end(EndRun("run", RunStatus.COMPLETED, ""))
    run = await desk.say("more")
    assert run.status is RunStatus.COMPLETED
    assert desk.sent == [["Mend it", "more"]]


async def test_a_message_that_was_kept_and_not_queued_is_queued_when_it_is_told_again(
    desk: Desk,
) -> None:
    """A worker was killed between both."""
    await desk.started(RunStatus.COMPLETED)
    await desk.runs.tell("run", RunMessage("more", "more", "bob"), {})
    assert (await desk.run()).status is RunStatus.COMPLETED
    assert (await desk.say("more")).status is RunStatus.QUEUED


async def test_a_message_that_is_told_again_revives_no_cancelled_run(desk: Desk) -> None:
    """GitHub delivers the message's comment once more, after somebody has cancelled the run."""
    await desk.started(RunStatus.WAITING)
    await desk.say("more")
    await desk.cancel(kill=False)
    run = await desk.say("more")
    assert run.status is RunStatus.CANCELLED


async def test_several_messages_are_sent_together(desk: Desk) -> None:
    await desk.started()
    await desk.say("one")
    await desk.say("two")
    await desk.start()
    assert desk.sent == [["Mend it", "one\n\ntwo"]]


async def test_a_message_that_comes_while_another_is_sent_is_sent_later(desk: Desk) -> None:
    await desk.started()
    await desk.say("one")
    desk.agent.during["resume"] = lambda: desk.say("two")
    run = await desk.start()
    assert (run.status, texts(run)) == (RunStatus.ACTIVE, ["two"])
    desk.agent.during.clear()
    assert texts(await desk.start()) == []
    assert desk.sent == [["Mend it", "one", "two"]]


async def test_a_message_that_is_refused_is_not_kept_for_the_next_try(desk: Desk) -> None:
    await desk.started(RunStatus.COMPLETED)
    await desk.say("one")
    desk.agent.refusing["resume"] = AgentProblem(AgentFault.INVALID, "Not that.")
    run = await desk.start()
    assert (run.status, texts(run), run.intended_at) == (RunStatus.FAILED, [], None)
    assert "another wording may do. The agent says: Not that." in run.reason
    desk.agent.refusing.clear()
    await desk.say("two")
    await desk.start()
    assert desk.sent == [["Mend it", "two"]]


# ── a sending that was not answered ──────────────────────────────────────────────────────────


async def unanswered(desk: Desk, status: RunStatus, *, arrived: bool) -> AgentRun:
    """A run of that kind whose message ``one`` was sent, and nothing heard of it."""
    await desk.started(status)
    await desk.say("one")
    faults = desk.agent.silent if arrived else desk.agent.refusing
    faults["resume"] = UNANSWERED
    run = await desk.start()
    faults.clear()
    assert (run.reason, texts(run)) == (words.UNKNOWN_MESSAGE, ["one"])
    assert run.intended_at == desk.clock.now()
    assert run.remote_id is not None
    return run


BOTH = pytest.mark.parametrize("status", [RunStatus.ACTIVE, RunStatus.COMPLETED])


@BOTH
async def test_a_message_that_arrived_is_known_by_the_log(desk: Desk, status: RunStatus) -> None:
    """The run itself says the same as before: only its log tells."""
    before = await unanswered(desk, status, arrived=True)
    assert before.remote_id is not None
    if status is RunStatus.COMPLETED:
        desk.agent.completed(before.remote_id)
        assert desk.agent.runs[before.remote_id].digest == before.remote_seen
    desk.clock.advance(seconds=5)
    run = await desk.start()
    assert (run.status, texts(run), run.intended_at) == (RunStatus.ACTIVE, [], None)
    assert (run.reason, run.attempts, run.remote_seen) == ("", 0, "")
    assert desk.sent == [["Mend it", "one"]]


@pytest.mark.parametrize(
    ("kind", "before", "is_heard"),
    [
        pytest.param(USER_MESSAGE, -MOMENT, True, id="a moment after it was sent"),
        pytest.param(USER_MESSAGE, SKEW, True, id="by a clock that is behind ours"),
        pytest.param(USER_MESSAGE, SKEW + MOMENT, False, id="an earlier message"),
        pytest.param("ACTION", -MOMENT, False, id="what the agent does"),
    ],
)
async def test_which_entry_of_the_log_is_the_message(
    desk: Desk, kind: str, before: timedelta, is_heard: bool
) -> None:
    run = await unanswered(desk, RunStatus.ACTIVE, arrived=False)
    assert run.remote_id is not None
    assert run.intended_at is not None
    desk.agent.log(run.remote_id, kind, run.intended_at - before)
    desk.clock.advance(seconds=5)
    assert texts(await desk.start()) == ([] if is_heard else ["one"])
    assert desk.agent.made("resume") == 1


async def test_one_that_stood_still_and_goes_on_has_the_message(desk: Desk) -> None:
    run = await unanswered(desk, RunStatus.COMPLETED, arrived=True)
    assert run.remote_id is not None
    desk.agent.logs.clear()
    assert texts(await desk.start()) == []
    assert desk.agent.made("resume") == 1


async def test_one_that_was_going_may_have_moved_without_the_message(desk: Desk) -> None:
    run = await unanswered(desk, RunStatus.ACTIVE, arrived=False)
    assert run.remote_id is not None
    desk.agent.set(run.remote_id, status="EVALUATION")
    assert desk.agent.runs[run.remote_id].digest != run.remote_seen
    assert texts(await desk.start()) == ["one"]


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        pytest.param(RunStatus.ACTIVE, RunStatus.ACTIVE, id="it goes on all the same"),
        pytest.param(RunStatus.COMPLETED, RunStatus.WAITING, id="it had ended"),
    ],
)
async def test_a_message_that_is_lost_is_told_and_never_sent_twice(
    desk: Desk, status: RunStatus, wanted: RunStatus
) -> None:
    before = await unanswered(desk, status, arrived=False)
    for _ in range(2):
        desk.clock.advance(seconds=SETTLED.total_seconds() / 2 - 1)
        run = await desk.start()
        assert (run.status, texts(run), run.attempts) == (before.status, ["one"], 1)
    desk.clock.advance(seconds=2)
    run = await desk.start()
    assert (run.status, run.reason) == (wanted, words.MESSAGE_LOST)
    assert (texts(run), run.intended_at, run.attempts) == ([], None, 0)
    assert desk.agent.made("resume") == 1
    await desk.start()
    await desk.say("one")
    await desk.start()
    assert desk.agent.made("resume") == 1, "nor when it is told again"
    await desk.say("one, once more")
    await desk.start()
    assert desk.sent == [["Mend it", "one, once more"]]


@BOTH
async def test_a_message_for_an_unanswered_sending_is_sent_later(
    desk: Desk, status: RunStatus
) -> None:
    await unanswered(desk, status, arrived=True)
    await desk.say("two")
    assert texts(await desk.start()) == ["two"]
    assert texts(await desk.start()) == []
    assert desk.sent == [["Mend it", "one", "two"]]


@pytest.mark.parametrize(
    "status",
    [
        RunStatus.ACTIVE,
        pytest.param(
            RunStatus.COMPLETED,
        ),
    ],
)
async def test_a_message_behind_one_that_is_lost_is_sent(desk: Desk, status: RunStatus) -> None:
    await unanswered(desk, status, arrived=False)
    await desk.say("two")
    desk.clock.advance(seconds=SETTLED.total_seconds())
    await desk.start()
    assert texts(await desk.start()) == []
    assert desk.sent == [["Mend it", "two"]]


async def test_one_that_ends_while_a_sending_is_unanswered_is_looked_up(desk: Desk) -> None:
    before = await unanswered(desk, RunStatus.ACTIVE, arrived=True)
    assert before.remote_id is not None
    desk.agent.completed(before.remote_id)
    seen = desk.agent.runs[before.remote_id].digest
    await desk.service.end(EndRun("run", RunStatus.COMPLETED, "", remote_seen=seen))
    assert (await desk.run()).status is RunStatus.QUEUED
    run = await desk.start()
    assert (run.status, texts(run)) == (RunStatus.ACTIVE, [])
    assert desk.sent == [["Mend it", "one"]]


async def test_the_same_message_of_another_comment_is_another(desk: Desk) -> None:
    await desk.started()
    for name in ("a", "b"):
        await desk.service.resume_run(MessageRun("run", RunMessage(name, "more", "bob")))
        await desk.start()
    assert desk.sent == [["Mend it", "more", "more"]]
