"""When a failure is sent to the agent, to which run, and with what: tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.agent_runs import RunMessage, RunRequest, RunStatus
from bot.domain.comments import CommentKind, CommentReference
from bot.domain.effects import (
    LeaveEvent,
    MessageRun,
    PublishStatus,
    RequestRun,
    SpendBudget,
)
from bot.domain.events import AgentRunsTouched, PullRequestTouched
from bot.domain.pull_request_effects import RecordAttempt
from bot.domain.pull_request_records import FixAttempt, FixOutcome
from bot.policy.agent_requests import MOST_MESSAGES
from tests.policy.fixes import (
    ALICE,
    ASKED,
    BOB,
    FAILED,
    HEAD,
    NOW,
    NUMBER,
    PULL,
    REPOSITORY,
    RUN,
    attempt,
    attempt_id,
    config,
    decided,
    facts,
    message,
    other,
    run,
    sends,
    wish,
)

LOST = attempt(1, FixOutcome.AGENT_FAILED, head_sha=HEAD)
SECOND_RUN = replace(RUN, id="second")
"""The newer one."""


# ── when it is sent ──────────────────────────────────────────────────────────────────────────


JUST_NOW = replace(FAILED, completed_at=NOW)


def waits(given: dict[str, Any]) -> timedelta | None:
    decision = decided(facts(**given))
    if sends(decision):
        return None
    (left,) = decision.effects
    assert isinstance(left, LeaveEvent)
    assert left.event == PullRequestTouched(REPOSITORY, NUMBER)
    assert left.due_at is not None
    assert left.due_at.microsecond == 0
    assert f"{left.due_at:%H:%M:%S}" in decision.reason
    return left.due_at - NOW


@pytest.mark.parametrize(
    ("given", "least", "most"),
    [
        pytest.param({"of_head": [JUST_NOW]}, None, None, id="the first one does not wait"),
        pytest.param(
            {"of_head": [JUST_NOW], "record_attempts": (other(1),)}, 22, 30, id="the second one"
        ),
        pytest.param(
            {"of_head": [JUST_NOW], "record_attempts": (other(1), other(2))},
            45,
            60,
            id="the third one waits longer",
        ),
        pytest.param(
            {
                "of_head": [JUST_NOW],
                "record_attempts": (other(1),),
                "config": config(validation={"retry_backoff_seconds": 600}),
            },
            450,
            600,
            id="as the configuration says",
        ),
        pytest.param(
            {
                "of_head": [JUST_NOW],
                "record_attempts": tuple(other(it) for it in range(1, 12)),
                "config": config(
                    validation={"max_retries": 20}, budgets={"agent_runs_per_pull_request": 99}
                ),
            },
            2700,
            3600,
            id="an hour at most",
        ),
        pytest.param(
            {"of_head": [JUST_NOW], "record_attempts": (other(1),), "record_counted_from": 2},
            None,
            None,
            id="the first one after a person's hand does not wait",
        ),
        pytest.param({"record_attempts": (other(1),)}, None, None, id="it has waited"),
        pytest.param(
            {"record_attempts": (replace(LOST, ended_at=NOW),)},
            22,
            30,
            id="the agent failed just now at what failed long ago",
        ),
        pytest.param(
            {"record_attempts": (replace(LOST, ended_at=None),)}, None, None, id="nobody knows when"
        ),
    ],
)
def test_the_wait(given: dict[str, Any], least: int | None, most: int | None) -> None:
    wait = waits(given)
    if least is None or most is None:
        assert wait is None
    else:
        assert wait is not None
        assert timedelta(seconds=least) <= wait <= timedelta(seconds=most)


def test_a_wish_waits_for_nothing() -> None:
    counted = {"record_attempts": (other(1),), "record_counted_from": 2}
    assert sends(decided(facts(of_head=[JUST_NOW], record_wish=wish(), **counted)))
    fresh = other(1, sent_at=NOW, ended_at=NOW)  # sent after the wish, which nobody has taken
    assert sends(decided(facts(of_head=[JUST_NOW], record_wish=wish(), record_attempts=(fresh,))))


def test_two_looks_leave_one_timer_and_a_later_time_another() -> None:
    def left(at: timedelta, completed: timedelta) -> LeaveEvent:
        made = facts(
            now=NOW + at,
            of_head=[replace(FAILED, completed_at=NOW + completed)],
            record_attempts=(other(1),),
        )
        (effect,) = decided(made).effects
        assert isinstance(effect, LeaveEvent)
        return effect

    second = timedelta(seconds=1)
    assert left(second, 0 * second) == left(2 * second, 0 * second)
    assert left(second, 0 * second).once != left(second, second).once
    assert left(second, 0 * second).once != ""


def test_what_is_due_is_due_when_the_timer_fires() -> None:
    odd = NOW + timedelta(microseconds=123_456)
    made = facts(now=odd, of_head=[replace(FAILED, completed_at=odd)], record_attempts=(other(1),))
    (left,) = decided(made).effects
    assert isinstance(left, LeaveEvent)
    assert left.due_at is not None
    assert sends(decided(replace(made, now=left.due_at)))
    assert not sends(decided(replace(made, now=left.due_at - timedelta(microseconds=1))))


# ── how it is sent ───────────────────────────────────────────────────────────────────────────


QUEUE = LeaveEvent(AgentRunsTouched(REPOSITORY))
SHOWN = PublishStatus(REPOSITORY, NUMBER)
SENT = attempt(
    1,
    head_sha=HEAD,
    validation_id=FAILED.id,
    sent_at=NOW,
)


def recorded(**changes: Any) -> RecordAttempt:
    return RecordAttempt(REPOSITORY, NUMBER, replace(SENT, **changes))


BOBS = {"asked_by": "bob", "wish_id": "wish"}
WISHED = wish(hint="Look at the list.")
OWN_REQUEST = RunRequest(
    repository=REPOSITORY,
    number=NUMBER,
    goal="Mend what fails in this pull request.",
    asked_by=ALICE,
    comment=ASKED,
    base_branch="main",
    is_pull_request=True,
    head_branch="change",
    head_sha=HEAD,
    model="big",
    agent_type="codegen",
    deadline_minutes=60,
    failure=FAILED.id,
)
HERE = CommentReference(CommentKind.ISSUE, 0, NUMBER, PULL.url)
SPENT = SpendBudget(REPOSITORY, attempt_id(1), 50)
ITS_OWN = other(1)
SECOND = {"ordinal": 2, "id": attempt_id(2), "run_id": attempt_id(2)}
IN_IT = replace(
    RUN,
    remote_id=None,
    request=replace(RUN.request, number=NUMBER, is_pull_request=True, asked_by=BOB),
)
AGENT_CONFIG = config(agent={"model": "big", "deadline_minutes": 60})


def test_the_same_run_is_sent_the_failure() -> None:
    assert decided(facts()).effects == (
        SPENT,
        MessageRun("run", RunMessage(SENT.id, "", "", failure=FAILED.id)),
        recorded(),
        QUEUE,
        SHOWN,
    )


def test_it_is_told_what_the_person_said_who_asks() -> None:
    assert decided(facts(record_wish=WISHED)).effects == (
        SPENT,
        MessageRun("run", RunMessage(SENT.id, "Look at the list.", "bob", failure=FAILED.id)),
        recorded(**BOBS),
        QUEUE,
        SHOWN,
    )


@pytest.mark.parametrize(
    ("given", "attempted", "request_"),
    [
        pytest.param(
            {"runs": [replace(RUN, remote_id=None)]},
            {},
            OWN_REQUEST,
            id="by itself: for who started what brought it",
        ),
        pytest.param(
            {"runs": [], "record_wish": WISHED},
            BOBS,
            replace(
                OWN_REQUEST,
                asked_by=BOB,
                comment=HERE,
                goal="Mend what fails in this pull request.\n\nLook at the list.",
            ),
            id="for who asks, with a hint",
        ),
        pytest.param(
            {"runs": [replace(RUN, remote_id=None)], "record_wish": wish()},
            BOBS,
            replace(OWN_REQUEST, asked_by=BOB, comment=HERE),
            id="for who asks, whoever started what brought it",
        ),
        pytest.param(
            {"runs": [IN_IT], "record_attempts": (ITS_OWN,), "record_counted_from": 2},
            SECOND,
            replace(OWN_REQUEST, asked_by=BOB, failure=FAILED.id),
            id="what brought it went elsewhere: for who started the newest here",
        ),
        pytest.param(
            {"runs": [], "record_attempts": (ITS_OWN,), "record_counted_from": 2},
            SECOND,
            replace(OWN_REQUEST, asked_by=PULL.author, comment=HERE),
            id="nobody knows for whom",
        ),
    ],
)
def test_a_run_of_its_own(
    given: dict[str, Any], attempted: dict[str, Any], request_: RunRequest
) -> None:
    assert decided(facts(config=AGENT_CONFIG, **given)).effects == (
        replace(SPENT, what=attempted.get("id", SENT.id)),
        RequestRun(attempted.get("id", SENT.id), request_),
        recorded(**{"run_id": attempt_id(1), **attempted}),
        QUEUE,
        SHOWN,
    )


FULL = tuple(replace(message(), id=str(it)) for it in range(MOST_MESSAGES))
PLANNING = replace(RUN, request=replace(RUN.request, wants_plan=True))
APPROVED = replace(PLANNING, messages=(RunMessage("m", "Go on", "alice", approves=True),))
ELSEWHERE = replace(RUN, id="elsewhere", pull_request=21)
AGENTS_FAILURE = {"record_attempts": (replace(LOST, run_id="run"),)}


@pytest.mark.parametrize(
    ("given", "resumed"),
    [
        pytest.param({}, "run", id="it ended"),
        pytest.param({"runs": [run(RunStatus.WAITING)]}, "run", id="it waits"),
        pytest.param({"runs": [run(RunStatus.CANCELLED)]}, "run", id="it was cancelled"),
        pytest.param({"runs": [run(RunStatus.FAILED)]}, "run", id="it failed at something else"),
        pytest.param({"runs": [SECOND_RUN, RUN]}, "second", id="the newest"),
        pytest.param({"runs": [replace(RUN, remote_id=None)]}, None, id="it never began"),
        pytest.param({"runs": [replace(RUN, messages=FULL)]}, None, id="it was told too much"),
        pytest.param({"runs": [PLANNING]}, None, id="it is to plan only"),
        pytest.param({"runs": [APPROVED]}, "run", id="its plan was approved"),
        pytest.param({"runs": [ELSEWHERE, RUN]}, None, id="the newest works at another one"),
        pytest.param(AGENTS_FAILURE, None, id="it failed at the last attempt"),
        pytest.param(
            {"record_attempts": (replace(LOST, run_id="another"),)},
            "run",
            id="another one failed at the last attempt",
        ),
        pytest.param(
            {"runs": [replace(RUN, kill=True)], "record_wish": wish()}, None, id="it was banned"
        ),
        pytest.param(
            {"runs": [run(RunStatus.ACTIVE)], "record_wish": wish()},
            "run",
            id="it goes on, and a person asks",
        ),
        pytest.param({"runs": [], "record_wish": wish()}, None, id="there is none"),
    ],
)
def test_which_run_is_resumed(given: dict[str, Any], resumed: str | None) -> None:
    _, asked, first, *_ = decided(facts(**given)).effects
    assert isinstance(first, RecordAttempt)
    if resumed is None:
        assert isinstance(asked, RequestRun)
        assert first.attempt.run_id == asked.run_id == first.attempt.id
    else:
        assert isinstance(asked, MessageRun)
        assert first.attempt.run_id == asked.run_id == resumed
        assert asked.message.id == first.attempt.id


@pytest.mark.parametrize(
    ("attempts", "ordinal"),
    [((), 1), ((other(1),), 2), ((other(1), other(2)), 3), ((other(6),), 7)],
)
def test_an_attempt_is_known_by_its_place(attempts: tuple[FixAttempt, ...], ordinal: int) -> None:
    _, _, first, *_ = decided(facts(record_attempts=attempts)).effects
    assert isinstance(first, RecordAttempt)
    assert (first.attempt.ordinal, first.attempt.id) == (ordinal, attempt_id(ordinal))
