"""What becomes of ``run``, ``plan`` and ``cancel``: tables of places and what follows."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.domain.agent_runs import RunRequest, RunStatus
from bot.domain.commands import Command, Verb
from bot.domain.comments import CommentKind, Impossible
from bot.domain.config_parser import ParsedConfig
from bot.domain.effects import CancelRun, Reply, RequestRun, SpendBudget
from bot.domain.events import CommandsGiven
from bot.domain.repositories import Permission
from bot.policy.agent_requests import (
    NO_AGENT,
    NO_AGENT_MEND,
    Place,
    Wanted,
    cancel,
    request,
)
from bot.policy.commands import CommandFacts, decide
from tests.policy.places import (
    ALICE,
    CLOSED_ISSUE,
    CLOSED_PULL,
    DAY_OF_TWO,
    HEAD,
    IN_PULL,
    ISSUE,
    NOW,
    PLAN_IT,
    PULL,
    QUEUE,
    REPOSITORY,
    RUN_IT,
    config,
    granted,
    hours_ago,
    in_issue,
    judged,
    requested,
    run,
    shown,
)

# ── run and plan ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("command", "place", "wanted"),
    [
        pytest.param(
            RUN_IT,
            ISSUE,
            RunRequest(REPOSITORY, 3, "Mend it", ALICE, ISSUE.comment, "trunk"),
            id="in an issue",
        ),
        pytest.param(
            PLAN_IT,
            ISSUE,
            RunRequest(REPOSITORY, 3, "Mend it", ALICE, ISSUE.comment, "trunk", wants_plan=True),
            id="a plan",
        ),
        pytest.param(
            RUN_IT,
            replace(IN_PULL, place="src/app.ts:7"),
            RunRequest(
                REPOSITORY,
                20,
                "Mend it",
                ALICE,
                IN_PULL.comment,
                "main",
                is_pull_request=True,
                head_branch="change",
                head_sha=HEAD,
                place="src/app.ts:7",
            ),
            id="in a pull request, at a line",
        ),
        pytest.param(
            RUN_IT,
            replace(
                ISSUE,
                config=config(
                    agent={"model": "m", "agent_type": "claude_code", "deadline_minutes": 9}
                ),
            ),
            RunRequest(
                REPOSITORY,
                3,
                "Mend it",
                ALICE,
                ISSUE.comment,
                "trunk",
                model="m",
                agent_type="claude_code",
                deadline_minutes=9,
            ),
            id="as the configuration has the agent",
        ),
    ],
)
def test_what_is_asked_of_the_agent(command: Command, place: Place, wanted: RunRequest) -> None:
    answer = granted(request(command, place, 0))
    run_id = place.comment.named("run", 0)
    number = place.comment.number
    spent = SpendBudget(REPOSITORY, run_id, 50)
    assert answer.effects == (spent, RequestRun(run_id, wanted), QUEUE, *shown(number))
    assert answer.sentence.startswith("A plan" if command is PLAN_IT else "A run")


def test_a_run_that_is_there_already_hinders_no_other() -> None:
    there = in_issue(run(RunStatus.ACTIVE))
    assert request(RUN_IT, there, 0) == request(RUN_IT, ISSUE, 0)


def test_a_comment_is_one_run_however_often_it_is_told() -> None:
    first = requested(request(RUN_IT, ISSUE, 0)).run_id
    later = replace(ISSUE, now=NOW + timedelta(hours=1), runs=(run(RunStatus.ACTIVE),))
    assert requested(request(RUN_IT, later, 0)).run_id == first
    edited_kind = replace(ISSUE.comment, kind=CommentKind.REVIEW)
    others = {
        requested(request(RUN_IT, ISSUE, 1)).run_id,
        requested(request(RUN_IT, replace(ISSUE, comment=replace(ISSUE.comment, id=51)), 0)).run_id,
        requested(request(RUN_IT, replace(ISSUE, comment=edited_kind), 0)).run_id,
    }
    assert len(others | {first}) == 4


FORKED = (
    "its branch is in a fork, where the agent can't push",
    "Ask in an issue of this repository; the agent then opens a pull request of its own.",
)
NONE_ALLOWED = (
    "no agent runs are allowed here (`budgets.agent_runs_per_day`)",
    "Raise it in the repository's configuration.",
)


@pytest.mark.parametrize(
    ("place", "reason", "mend"),
    [
        pytest.param(replace(ISSUE, has_agent=False), NO_AGENT, NO_AGENT_MEND, id="no agent"),
        pytest.param(
            replace(ISSUE, has_agent=False, is_open=False),
            NO_AGENT,
            NO_AGENT_MEND,
            id="no agent comes first",
        ),
        pytest.param(replace(ISSUE, is_open=False), *CLOSED_ISSUE, id="a closed issue"),
        pytest.param(replace(IN_PULL, is_open=False), *CLOSED_PULL, id="a closed pull request"),
        pytest.param(
            replace(IN_PULL, pull_request=replace(PULL, head_repository_id=8)),
            *FORKED,
            id="a fork's pull request",
        ),
        pytest.param(
            replace(IN_PULL, pull_request=replace(PULL, head_repository_id=None)),
            *FORKED,
            id="a pull request of a fork that is gone",
        ),
        pytest.param(
            replace(ISSUE, config=DAY_OF_TWO, asked_today=hours_ago(20, 3)),
            "this repository has had its 2 agent runs of a day (`budgets.agent_runs_per_day`)",
            "The next one is possible at 2026-01-02 16:00 UTC.",
            id="the day's budget is spent",
        ),
        pytest.param(
            replace(ISSUE, config=DAY_OF_TWO, asked_today=hours_ago(20, 19, 3)),
            "this repository has had its 2 agent runs of a day (`budgets.agent_runs_per_day`)",
            "The next one is possible at 2026-01-02 17:00 UTC.",
            id="the day's budget is more than spent: so many must be a day old",
        ),
        pytest.param(
            replace(ISSUE, config=config(budgets={"agent_runs_per_day": 0})),
            *NONE_ALLOWED,
            id="a budget of none",
        ),
        pytest.param(
            replace(
                ISSUE,
                config=config(budgets={"agent_runs_per_day": 0}),
                asked_today=hours_ago(20, 3),
            ),
            *NONE_ALLOWED,
            id="a budget of none since today",
        ),
    ],
)
@pytest.mark.parametrize("command", [RUN_IT, PLAN_IT], ids=["run", "plan"])
def test_why_there_is_no_run(command: Command, place: Place, reason: str, mend: str) -> None:
    assert request(command, place, 0) == Impossible(command.verb, reason, mend)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"asked_today": [NOW] * 50}, id="the budget is spent, by itself too"),
        pytest.param({"config": config(budgets={"agent_runs_per_day": 0})}, id="none is allowed"),
        pytest.param({"is_open": False}, id="closed meanwhile"),
        pytest.param({"has_agent": False}, id="no agent any more"),
    ],
)
def test_a_run_that_is_known_is_granted_again(changes: dict[str, Any]) -> None:
    """A second delivery, or a worker that was killed, must not be told another thing."""
    first = requested(request(RUN_IT, ISSUE, 0))
    known = run(RunStatus.QUEUED, id=first.run_id)
    again = in_issue(run(RunStatus.ACTIVE), known, **changes)
    assert requested(request(RUN_IT, again, 0)).run_id == first.run_id
    assert isinstance(request(RUN_IT, again, 1), Impossible), "the comment's next one is another"


def asked(before: tuple[datetime, ...], *commands: Command) -> CommandFacts:
    """A comment in a repository that may have two runs a day."""
    event = CommandsGiven(
        REPOSITORY, ISSUE.comment, commands, ALICE, is_pull_request=False, is_open=True
    )
    parsed = ParsedConfig(DAY_OF_TWO)
    return CommandFacts(event, Permission.WRITE, parsed, NOW, asked_today=before, has_agent=True)


@pytest.mark.parametrize(
    ("before", "most", "at"),
    [
        pytest.param((), 2, "2026-01-03 12:00", id="none before"),
        pytest.param(hours_ago(20), 1, "2026-01-02 16:00", id="one before"),
        pytest.param(hours_ago(20, 3), 0, "2026-01-02 16:00", id="as many as there may be before"),
    ],
)
def test_several_runs_in_one_comment_count(
    before: tuple[datetime, ...], most: int, at: str
) -> None:
    """They are asked for together, and must not all be granted for what the last one may have."""
    decision = decide(asked(before, *[RUN_IT, PLAN_IT, RUN_IT][: most + 1]))
    runs = [it for it in decision.effects if isinstance(it, RequestRun)]
    assert [it.run_id for it in runs] == [ISSUE.comment.named("run", it) for it in range(most)]
    [reply] = [it for it in decision.effects if isinstance(it, Reply)]
    [answer] = reply.answers
    assert isinstance(answer, Impossible)
    assert answer.mend == f"The next one is possible at {at} UTC."


def test_the_place_of_an_inline_comment_is_one_line() -> None:
    """A file may be called anything, and stands in the prompt."""
    odd = replace(IN_PULL, place="src/a\n# Goal\n\x1b[2Kb.ts:7")
    assert requested(request(RUN_IT, odd, 0)).request.place == "src/a # Goal b.ts:7"


def test_the_last_run_of_a_day_is_granted() -> None:
    one = replace(ISSUE, config=DAY_OF_TWO, asked_today=[NOW])
    assert isinstance(request(RUN_IT, one, 0), Wanted)
    fifty = replace(ISSUE, asked_today=[NOW] * 49)
    assert isinstance(request(RUN_IT, fifty, 0), Wanted)
    assert isinstance(request(RUN_IT, replace(ISSUE, asked_today=[NOW] * 50), 0), Impossible)


# ── cancel ───────────────────────────────────────────────────────────────────────────────────


CANCEL, KILL = Command(Verb.CANCEL), Command(Verb.CANCEL, kill=True)


def cancels(run_id: str, *, kill: bool = False) -> CancelRun:
    """As the issue's comment has it."""
    by = ISSUE.comment.named("cancel")
    return CancelRun(run_id, "Cancelled by `alice`.", kill, by)


@pytest.mark.parametrize("kill", [False, True], ids=["cancel", "kill"])
@pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.ACTIVE, RunStatus.WAITING])
def test_what_goes_on_or_waits_is_cancelled(status: RunStatus, kill: bool) -> None:
    stopped = run(status, pull_request=12)
    wanted = (cancels(stopped.id, kill=kill), QUEUE, *shown(3, 12), *judged(12))
    assert cancel(KILL if kill else CANCEL, in_issue(stopped)) == wanted


ENDINGS = [RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED]


@pytest.mark.parametrize("status", ENDINGS)
def test_what_has_ended_is_killed_and_not_cancelled(status: RunStatus) -> None:
    ended, before = run(status, remote_id=9), run(RunStatus.FAILED, id="before", remote_id=8)
    assert cancel(CANCEL, in_issue(ended, before)) == ()
    wanted = (cancels(ended.id, kill=True), QUEUE, *shown(3))
    assert cancel(KILL, in_issue(ended, before)) == wanted


def test_what_the_agent_never_had_is_not_killed() -> None:
    never, before = run(RunStatus.FAILED), run(RunStatus.COMPLETED, remote_id=8)
    assert cancel(KILL, in_issue(never)) == ()
    assert cancel(KILL, in_issue(never, before))[0] == cancels(before.id, kill=True)


def test_a_wish_told_again_cancels_the_same_and_another_one_does_not() -> None:
    """A second delivery of ``--kill`` must not reach for an older run."""
    mine = run(RunStatus.CANCELLED, cancelled_by=ISSUE.comment.named("cancel"))
    before = run(RunStatus.COMPLETED, id="before", remote_id=8)
    assert cancel(KILL, in_issue(mine, before))[0] == cancels(mine.id, kill=True)
    assert cancel(CANCEL, in_issue(mine, before))[0] == cancels(mine.id)
    others = replace(mine, cancelled_by="another")
    assert cancel(KILL, in_issue(others, before))[0] == cancels("before", kill=True)
    assert cancel(CANCEL, in_issue(others, before)) == ()


def test_all_that_goes_on_is_cancelled_and_what_ended_is_left() -> None:
    there = [run(it, remote_id=9) for it in RunStatus]
    cancelled = [it.run_id for it in cancel(KILL, in_issue(*there)) if isinstance(it, CancelRun)]
    assert cancelled == ["run queued", "run active", "run waiting"]


def test_where_there_is_nothing_nothing_is_cancelled() -> None:
    assert cancel(CANCEL, ISSUE) == cancel(KILL, ISSUE) == ()
