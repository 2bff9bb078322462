"""What becomes of ``approve`` and ``resume``: tables of places, and the message that follows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.agent_runs import AgentRun, RunMessage, RunStatus
from bot.domain.commands import Verb
from bot.domain.comments import Impossible
from bot.domain.effects import MessageRun
from bot.policy.agent_requests import (
    MOST_MESSAGES,
    NO_AGENT,
    Place,
    approval,
    approve,
    resume,
)
from bot.policy.agent_words import LONGEST_MESSAGES, OVERTAKEN, follow_up
from tests.policy.places import (
    CLOSED_ISSUE,
    CLOSED_PULL,
    COMPLETED,
    DAY_OF_TWO,
    HEAD,
    IN_PULL,
    ISSUE,
    NOW,
    PLAN,
    QUEUE,
    RESUME_IT,
    granted,
    hours_ago,
    in_issue,
    message,
    run,
    shown,
)

# ── approve and resume ───────────────────────────────────────────────────────────────────────


def test_a_plan_is_approved() -> None:
    plan = replace(PLAN, pull_request=12)
    answer = granted(approve(in_issue(plan, COMPLETED), 1))
    wanted = RunMessage(ISSUE.comment.named("message", 1), approval(plan), "alice", approves=True)
    assert answer.effects == (MessageRun(plan.id, wanted), QUEUE, *shown(3, 12))
    assert answer.sentence == "The plan is approved."


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(ISSUE, id="no run at all"),
        pytest.param(in_issue(COMPLETED), id="a run that ended"),
        pytest.param(
            in_issue(replace(PLAN, response_type=None)), id="a run that waits for an answer"
        ),
        pytest.param(
            in_issue(replace(PLAN, status=RunStatus.QUEUED)), id="a plan that is approved already"
        ),
        pytest.param(
            in_issue(replace(PLAN, status=RunStatus.CANCELLED)), id="a plan that was cancelled"
        ),
    ],
)
def test_there_is_no_plan_to_approve(place: Place) -> None:
    answer = approve(place, 0)
    assert answer == Impossible(
        Verb.APPROVE,
        "no plan waits for approval here",
        "Write `/codegen plan GOAL…` to ask for one.",
    )


OLDER = replace(PLAN, id="older")


@pytest.mark.parametrize(
    ("runs", "wanted"),
    [
        *(
            pytest.param([run(it), PLAN], PLAN.id, id=f"though a newer run is {it}")
            for it in RunStatus
        ),
        pytest.param([PLAN, OLDER], PLAN.id, id="of two the newer one"),
        pytest.param(
            [replace(PLAN, status=RunStatus.QUEUED), OLDER],
            "older",
            id="of two the one that nobody has approved",
        ),
        pytest.param(
            [replace(PLAN, response_type=None, id="asks"), OLDER],
            "older",
            id="not one that waits for an answer",
        ),
    ],
)
def test_the_newest_plan_that_waits_is_approved(runs: list[AgentRun], wanted: str) -> None:
    approved = message(approve(in_issue(*runs), 0))
    assert (approved.run_id, approved.message.approves) == (wanted, True)


@pytest.mark.parametrize("status", list(RunStatus))
def test_the_newest_run_is_resumed_however_it_stands(status: RunStatus) -> None:
    newest = run(status, pull_request=12)
    answer = granted(resume(RESUME_IT, in_issue(newest, PLAN), 0))
    wanted = RunMessage(ISSUE.comment.named("message", 0), "Try harder", "alice")
    assert answer.effects == (MessageRun(newest.id, wanted), QUEUE, *shown(3, 12))
    assert not wanted.approves


def test_a_message_asked_for_in_the_pull_request_is_told_in_the_issue_too() -> None:
    newest = replace(COMPLETED, pull_request=20)
    answer = granted(resume(RESUME_IT, replace(IN_PULL, runs=(newest,)), 0))
    assert answer.effects[1:] == (QUEUE, *shown(20, 3))


def test_there_is_no_run_to_resume() -> None:
    assert resume(RESUME_IT, ISSUE, 0) == Impossible(
        Verb.RESUME, "there is no agent run here", "Write `/codegen GOAL…` to start one."
    )


def test_a_banned_agent_is_not_resumed() -> None:
    answer = resume(RESUME_IT, in_issue(replace(COMPLETED, kill=True), PLAN), 0)
    assert isinstance(answer, Impossible)
    assert answer.reason == "the agent was banned from here"
    older = in_issue(PLAN, replace(COMPLETED, kill=True))
    assert message(resume(RESUME_IT, older, 0)).run_id == PLAN.id


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"has_agent": False}, NO_AGENT, id="no agent"),
        pytest.param({"is_open": False}, CLOSED_ISSUE[0], id="a closed issue"),
    ],
)
def test_no_message_without_an_agent_or_in_a_closed_issue(
    changes: dict[str, Any], reason: str
) -> None:
    place = in_issue(PLAN, **changes)
    for answer in (approve(place, 0), resume(RESUME_IT, place, 0)):
        assert isinstance(answer, Impossible)
        assert answer.reason == reason
    closed = replace(IN_PULL, is_open=False, runs=(PLAN,))
    refused = resume(RESUME_IT, closed, 0)
    assert isinstance(refused, Impossible)
    assert refused.reason == CLOSED_PULL[0]


def test_a_message_costs_nothing_of_the_days_budget() -> None:
    spent = in_issue(COMPLETED, config=DAY_OF_TWO, asked_today=hours_ago(3, 2, 1))
    assert message(resume(RESUME_IT, spent, 0)).run_id == COMPLETED.id


def messages(count: int) -> tuple[RunMessage, ...]:
    return tuple(RunMessage(f"m{it}", "Go on", "bob") for it in range(count))


def test_a_run_has_its_most_messages() -> None:
    last = in_issue(replace(PLAN, messages=messages(MOST_MESSAGES - 1)))
    assert message(approve(last, 0)).run_id == message(resume(RESUME_IT, last, 0)).run_id == PLAN.id
    full = in_issue(replace(PLAN, messages=messages(MOST_MESSAGES)))
    said = "this run has had its 50 messages", "Write `/codegen GOAL…` to start another one."
    assert approve(full, 0) == Impossible(Verb.APPROVE, *said)
    assert resume(RESUME_IT, full, 0) == Impossible(Verb.RESUME, *said)


def test_a_comment_is_one_message_however_often_it_is_told() -> None:
    first = message(resume(RESUME_IT, in_issue(COMPLETED), 0)).message.id
    again = in_issue(run(RunStatus.ACTIVE), now=NOW + timedelta(hours=1))
    assert message(resume(RESUME_IT, again, 0)).message.id == first
    assert message(resume(RESUME_IT, again, 1)).message.id != first


def test_a_message_told_again_stays_with_the_run_that_has_it() -> None:
    """A second delivery finds another newest run, or an approved plan."""
    first = message(resume(RESUME_IT, in_issue(COMPLETED), 0))
    has_it = replace(COMPLETED, messages=(first.message,))
    newer = run(RunStatus.ACTIVE, kill=True)
    assert message(resume(RESUME_IT, in_issue(newer, has_it), 0)) == first
    assert isinstance(resume(RESUME_IT, in_issue(newer, has_it), 1), Impossible)

    approved = message(approve(in_issue(PLAN), 0))
    going = replace(PLAN, status=RunStatus.ACTIVE, messages=(approved.message,))
    assert message(approve(in_issue(going), 0)) == approved
    assert isinstance(approve(in_issue(going), 1), Impossible)


def test_what_an_approved_plan_may_do_is_said_with_the_approval() -> None:
    in_an_issue = approval(PLAN)
    assert "new branch from `trunk`" in in_an_issue
    assert f"Refs #{PLAN.request.number}" in in_an_issue
    asked = replace(PLAN.request, is_pull_request=True, head_branch="fix", head_sha=HEAD)
    in_a_pull_request = approval(replace(PLAN, request=asked))
    assert "Push to the existing branch `fix`" in in_a_pull_request
    assert "new branch" not in in_a_pull_request


# ── what the agent is sent ───────────────────────────────────────────────────────────────────


def test_the_agent_is_sent_what_it_does_not_have() -> None:
    told = tuple(RunMessage(it, f"text of {it}", "bob") for it in ("one", "two", "three"))
    assert follow_up(replace(COMPLETED, messages=told, sent=1)) == "text of two\n\ntext of three"


def test_a_plan_that_is_changed_is_to_be_marked_again() -> None:
    asked = replace(PLAN.request, wants_plan=True)
    changed = replace(PLAN, request=asked, messages=(RunMessage("m", "Shorter", "bob"),))
    sent = follow_up(changed)
    assert sent.startswith("Shorter\n\nAnswer with the whole plan again")
    assert sent.endswith(f"\n\n{changed.plan_marker}")
    approved = RunMessage("n", "Go on", "bob", approves=True)
    assert follow_up(replace(changed, messages=(*changed.messages, approved), sent=1)) == "Go on"


def test_a_whole_text_stands_in_the_place_of_its_message() -> None:
    told = tuple(RunMessage(it, f"text of {it}", "bob") for it in ("one", "two", "three"))
    run = replace(COMPLETED, messages=told)
    assert follow_up(run, {"two": "A"}, most=0).split("\n\n")[1] == "A"
    assert follow_up(run, {"two": "A"}) == "text of one\n\nA\n\ntext of three"


def test_a_failure_that_another_one_overtook_leaves_its_hint() -> None:
    told = (
        RunMessage("one", "use a map", "bob", failure="v"),
        RunMessage("two", "", "", failure="v"),
        RunMessage("three", "", "", failure="w"),
    )
    sent = follow_up(replace(COMPLETED, messages=told), {"three": "A"})
    assert sent == f"{OVERTAKEN}\n\nbob adds:\n\nuse a map\n\n{OVERTAKEN}\n\nA"


def test_the_newest_messages_have_the_most_room() -> None:
    told = tuple(RunMessage(str(it), str(it) * 30, "bob") for it in range(3))
    sent = follow_up(replace(COMPLETED, messages=told), most=40)
    assert sent.split("\n\n") == [
        "… 30 characters left out …",
        f"{'1' * 10}\n… 20 characters left out …",
        "2" * 30,
    ]
    whole = replace(COMPLETED, messages=(RunMessage("m", "x" * LONGEST_MESSAGES, "bob"),))
    assert follow_up(whole) == "x" * LONGEST_MESSAGES
