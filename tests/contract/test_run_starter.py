"""What is asked of the agent itself: once, whatever is not answered. Over a real database."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.adapters.mongo.database import Database
from bot.adapters.mongo.inbox import MongoInbox
from bot.domain.agent_runs import RunStatus
from bot.domain.config_parser import ParsedConfig
from bot.domain.effects import Decision
from bot.domain.events import AgentRunsTouched
from bot.domain.problems import TryAgain, UserProblem
from bot.domain.repositories import Account, Repository
from bot.policy import agent_words as words
from bot.ports.coding_agent import AgentFault, AgentProblem
from bot.ports.github import NotFound
from bot.ports.handlers import Configuration, Context, Needs
from bot.services.run_starter import MOST_ATTEMPTS, SETTLED
from bot.work.apply import Hands
from handlers.agent_runs import advance_runs
from tests.contract.run_desk import DAY, LIMITED, REQUEST, SHOP, UNANSWERED, Desk, desk_at

pytestmark = pytest.mark.database
FULL = AgentProblem(AgentFault.PLAN_LIMIT, "No runs left.")
UNUSED: Any = None


@pytest.fixture
def desk(database: Database) -> Desk:
    return desk_at(database)


async def test_a_run_is_started_with_its_prompt(desk: Desk) -> None:
    await desk.ask()
    run = await desk.start()
    assert (run.status, run.attempts, run.intended_at) == (RunStatus.ACTIVE, 0, None)
    assert (run.started_at, run.active_since) == (desk.clock.now(), desk.clock.now())
    assert desk.sent == [["Mend it"]]
    assert [it.run_id for it in desk.agent.runs.values()] == ["run"]


# ── limits ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("call", ["repository_id", "turn", "create"])
async def test_a_limit_never_fails_a_run_and_leaves_no_intention(desk: Desk, call: str) -> None:
    await desk.ask()
    desk.agent.refusing[call] = LIMITED
    for _ in range(20):
        run = await desk.start()
        assert (run.status, run.intended_at, run.attempts) == (RunStatus.QUEUED, None, 0)
        assert run.reason == f"{words.BOUNDED}; this one is next."
        assert run.not_before == desk.clock.now() + timedelta(seconds=30)
        desk.clock.advance(seconds=30)
    desk.agent.refusing.clear()
    run = await desk.start()
    assert (run.status, run.reason, run.place) == (RunStatus.ACTIVE, "", 0)
    assert "find" not in desk.agent.calls, "nothing had been asked that could be there"


async def test_the_place_in_line_is_said(desk: Desk) -> None:
    for number in range(3):
        await desk.ask(f"run {number}")
        desk.clock.advance(seconds=1)
    desk.agent.refusing["turn"] = LIMITED
    run = await desk.start("run 2")
    assert (run.place, run.reason) == (3, f"{words.BOUNDED}; 2 are ahead of this one.")


@pytest.mark.parametrize("call", ["turn", "resume"])
@pytest.mark.parametrize("status", [RunStatus.ACTIVE, RunStatus.COMPLETED])
async def test_a_limit_never_fails_a_message(desk: Desk, call: str, status: RunStatus) -> None:
    await desk.started(status)
    before = await desk.say("more")
    desk.agent.refusing[call] = LIMITED
    for _ in range(20):
        run = await desk.start()
        assert (run.status, run.intended_at, run.attempts) == (before.status, None, 0)
        desk.clock.advance(seconds=30)
    desk.agent.refusing.clear()
    run = await desk.start()
    assert (run.status, run.pending) == (RunStatus.ACTIVE, ())
    assert desk.sent == [["Mend it", "more"]]


@pytest.mark.parametrize("call", ["find", "get", "steps"])
async def test_a_limit_while_something_is_looked_up_forgets_nothing(desk: Desk, call: str) -> None:
    if call == "find":
        await desk.ask()
        desk.agent.silent["create"] = UNANSWERED
    else:
        await desk.started(RunStatus.COMPLETED)
        await desk.say("more")
        desk.agent.silent["resume"] = UNANSWERED
    begun = await desk.start()
    assert begun.intended_at is not None
    desk.agent.refusing[call] = LIMITED
    for _ in range(20):
        desk.clock.advance(minutes=1)
        run = await desk.start()
        assert (run.status, run.intended_at) == (RunStatus.QUEUED, begun.intended_at)
    desk.agent.refusing.clear()
    assert (await desk.start()).status is RunStatus.ACTIVE
    assert len(desk.agent.runs) == 1
    assert desk.agent.made("create") + desk.agent.made("resume") == 1


# ── a creation that was not answered ─────────────────────────────────────────────────────────


async def test_what_was_begun_is_taken_up(desk: Desk) -> None:
    await desk.ask()
    desk.agent.silent["create"] = UNANSWERED
    run = await desk.start()
    assert (run.status, run.reason) == (RunStatus.QUEUED, words.UNKNOWN_START)
    assert run.not_before is not None
    run = await desk.start()
    assert (run.status, run.remote_id) == (RunStatus.ACTIVE, desk.agent.newest)
    assert desk.agent.made("create") == 1


async def test_what_was_not_begun_is_begun_when_that_is_certain(desk: Desk) -> None:
    await desk.ask()
    desk.agent.refusing["create"] = UNANSWERED
    begun = await desk.start()
    desk.agent.refusing.clear()
    for passed in (0, 59):
        desk.clock.moment = (begun.intended_at or desk.clock.now()) + timedelta(seconds=passed)
        run = await desk.start()
        assert (run.status, run.attempts) == (RunStatus.QUEUED, 1), "looking is no attempt"
        assert desk.agent.made("create") == 1
    desk.clock.advance(seconds=1)
    assert (await desk.start()).status is RunStatus.ACTIVE
    assert desk.sent == [["Mend it"]]


async def test_a_message_for_an_unanswered_creation_is_sent_later(desk: Desk) -> None:
    await desk.ask()
    await desk.say("at first")
    desk.agent.silent["create"] = UNANSWERED
    await desk.start()
    await desk.say("and then")
    run = await desk.start()
    assert [it.text for it in run.pending] == ["and then"]
    assert (await desk.start()).pending == ()
    assert desk.sent == [["Mend it | at first", "and then"]]


async def test_a_message_that_comes_while_a_run_is_created_is_sent_later(desk: Desk) -> None:
    await desk.ask()
    desk.agent.during["create"] = lambda: desk.say("and then")
    run = await desk.start()
    assert (run.status, len(run.pending)) == (RunStatus.ACTIVE, 1)
    assert (await desk.start()).pending == ()
    assert desk.sent == [["Mend it", "and then"]]


async def test_a_message_for_a_creation_that_was_lost_goes_with_the_next(desk: Desk) -> None:
    await desk.ask()
    desk.agent.refusing["create"] = UNANSWERED
    await desk.start()
    await desk.say("and then")
    desk.agent.refusing.clear()
    desk.clock.advance(seconds=SETTLED.total_seconds())
    run = await desk.start()
    assert (run.status, run.pending) == (RunStatus.ACTIVE, ())
    assert desk.sent == [["Mend it | and then"]]


async def test_an_agent_that_is_away_is_given_up_at_last(desk: Desk) -> None:
    await desk.ask()
    desk.agent.refusing["repository_id"] = UNANSWERED
    for attempt in range(1, MOST_ATTEMPTS + 1):
        run = await desk.start()
        assert (run.status, run.attempts) == (RunStatus.QUEUED, attempt)
    run = await desk.start()
    assert (run.status, run.reason) == (RunStatus.FAILED, words.AWAY)
    assert "create" not in desk.agent.calls
    desk.agent.refusing.clear()
    await desk.say("try again")
    assert (await desk.start()).status is RunStatus.ACTIVE
    assert desk.sent == [["Mend it | try again"]]


# ── several at once ──────────────────────────────────────────────────────────────────────────


MESSAGES = pytest.mark.parametrize("is_message", [False, True], ids=["a run", "a message"])


async def asked(desk: Desk, *, is_message: bool) -> list[list[str]]:
    """A run, or a message for one, that is to be asked of the agent; what it is told in the end."""
    if not is_message:
        await desk.ask()
        return [["Mend it"]]
    await desk.started(RunStatus.COMPLETED)
    await desk.say("more")
    return [["Mend it", "more"]]


@MESSAGES
async def test_of_many_that_start_at_once_one_asks(desk: Desk, is_message: bool) -> None:
    """All of them have read the record, and intend it, before the first one is answered."""
    wanted = await asked(desk, is_message=is_message)
    turns, refused = asyncio.Barrier(4), asyncio.Event()
    left = [3]

    async def start() -> None:
        if "somebody else" in await desk.service.start("run"):
            left[0] -= 1
            if not left[0]:
                refused.set()

    desk.agent.during = {"turn": turns.wait, "create": refused.wait, "resume": refused.wait}
    async with asyncio.timeout(30):
        await asyncio.gather(*(start() for _ in range(4)))
    assert (await desk.run()).status is RunStatus.ACTIVE
    assert desk.sent == wanted


@MESSAGES
async def test_who_waits_for_a_turn_while_another_one_asks_does_not(
    desk: Desk, is_message: bool
) -> None:
    """A worker that lost its lease there: the other one has been answered meanwhile."""
    wanted = await asked(desk, is_message=is_message)

    async def overtake() -> None:
        desk.agent.during.clear()
        await desk.start()

    desk.agent.during["turn"] = overtake
    await desk.start()
    assert desk.sent == wanted


async def test_who_comes_while_it_is_begun_waits(desk: Desk) -> None:
    await desk.ask()
    desk.agent.during["create"] = desk.start
    run = await desk.start()
    assert (run.status, run.reason, run.not_before) == (RunStatus.ACTIVE, "", None)
    assert desk.sent == [["Mend it"]]


# ── cancelled meanwhile ──────────────────────────────────────────────────────────────────────


async def test_a_kill_finds_and_bans_what_was_not_answered(desk: Desk) -> None:
    await desk.ask()
    desk.agent.silent["create"] = UNANSWERED
    await desk.start()
    assert await desk.cancel(kill=True) == "banned"
    run = await desk.run()
    assert (run.status, run.remote_id) == (RunStatus.CANCELLED, desk.agent.newest)
    assert desk.agent.banned == [run.remote_id]
    await desk.start()
    assert desk.agent.made("create") == 1


@pytest.mark.parametrize("kill", [True, False], ids=["kill", "cancel"])
async def test_a_cancel_while_a_run_is_created(desk: Desk, kill: bool) -> None:
    await desk.ask()

    async def cancel() -> None:
        with contextlib.suppress(TryAgain):  # nobody can ban yet what is not there
            await desk.cancel(kill=kill)

    desk.agent.during["create"] = cancel
    run = await desk.start()
    assert (run.status, run.remote_id) == (RunStatus.CANCELLED, desk.agent.newest)
    assert desk.agent.banned == ([run.remote_id] if kill else [])


async def test_a_kill_waits_for_what_may_still_appear(desk: Desk) -> None:
    """A creation that was not answered may be carried out for a while yet."""
    await desk.ask()
    desk.agent.refusing["create"] = UNANSWERED
    await desk.start()
    with pytest.raises(TryAgain):
        await desk.cancel(kill=True)
    late = desk.agent.begin("run")
    assert await desk.cancel(kill=True) == "banned"
    assert desk.agent.banned == [late]


async def test_what_was_never_begun_is_not_banned(desk: Desk) -> None:
    await desk.ask()
    assert await desk.cancel(kill=True) == "it never began"
    assert desk.agent.calls == []


async def test_what_a_cancelled_run_was_told_is_not_sent_again(desk: Desk) -> None:
    await desk.ask()
    await desk.say("at first")
    desk.agent.during["create"] = lambda: desk.cancel(kill=False)
    await desk.start()
    desk.agent.during.clear()
    await desk.say("go on after all")
    await desk.start()
    assert desk.sent == [["Mend it | at first", "go on after all"]]


# ── one beside the other ─────────────────────────────────────────────────────────────────────


async def advanced(desk: Desk, database: Database) -> Decision:
    """The queue of the repository, looked at and carried out as a worker does."""

    async def configuration(_repository: Repository, _ref: str) -> Configuration:
        return Configuration(ParsedConfig())

    needs = Needs(
        github=UNUSED,
        projects=desk.projects,
        validations=UNUSED,
        jobs=UNUSED,
        runs=desk.runs,
        pull_requests=UNUSED,
        budget=UNUSED,
        agent=desk.agent,
        configuration=configuration,
        clock=desk.clock,
        app_id=1,
        details_url=UNUSED,
    )
    hands = Hands(
        requests=UNUSED,
        checks=UNUSED,
        bases=UNUSED,
        projects=UNUSED,
        replies=UNUSED,
        runs=desk.service,
        statuses=UNUSED,
        courses=UNUSED,
        merger=UNUSED,
        budget=UNUSED,
        notifier=UNUSED,
        inbox=MongoInbox(database, DAY),
        clock=desk.clock,
    )
    context = Context("delivery", "advance_runs")
    decision = await advance_runs(AgentRunsTouched(SHOP), needs, context)
    for index, effect in enumerate(decision.effects):
        await hands.apply(effect, context, index)
    return decision


@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        pytest.param(ValueError("a bug"), RunStatus.QUEUED, words.PASSING, id="a bug of ours"),
        pytest.param(UNANSWERED, RunStatus.QUEUED, words.PASSING, id="a passing fault"),
        pytest.param(LIMITED, RunStatus.QUEUED, words.BOUNDED, id="a limit"),
        pytest.param(
            UserProblem("It was closed.", "Reopen it."),
            RunStatus.FAILED,
            "It was closed. Reopen it.",
            id="a person's to mend",
        ),
        pytest.param(
            NotFound("no issue", 404),
            RunStatus.FAILED,
            "GitHub does not tell",
            id="GitHub's refusal",
        ),
        pytest.param(FULL, RunStatus.FAILED, "has no runs left", id="the agent's refusal"),
    ],
)
async def test_what_is_wrong_with_one_run_keeps_no_other_from_starting(
    desk: Desk, database: Database, fault: Exception, status: RunStatus, reason: str
) -> None:
    for number in range(3):
        asked = replace(REQUEST, number=number, asked_by=Account(number, f"user {number}"))
        await desk.ask(f"run {number}", asked)
        desk.clock.advance(seconds=1)
    desk.faults["run 0"] = fault
    await advanced(desk, database)
    broken = await desk.run("run 0")
    assert (broken.status, broken.intended_at) == (status, None)
    assert reason in broken.reason
    assert {it.run_id for it in desk.agent.runs.values()} == {"run 1", "run 2"}
    desk.faults.clear()
    desk.clock.advance(minutes=6)
    await advanced(desk, database)
    again = (await desk.run("run 0")).status
    assert again is (RunStatus.ACTIVE if status is RunStatus.QUEUED else RunStatus.FAILED)
    assert len(desk.agent.runs) == (3 if status is RunStatus.QUEUED else 2)


async def test_an_effect_that_is_carried_out_twice_starts_one_run(
    desk: Desk, database: Database
) -> None:
    await desk.ask()
    await advanced(desk, database)
    await desk.start()
    await advanced(desk, database)
    assert desk.sent == [["Mend it"]]
