"""What a check run shows of a record, in every state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.check_runs import CheckStatus, Conclusion
from bot.domain.commands import Verb
from bot.domain.plan import Stage
from bot.domain.pull_request_records import FixAttempt, PullRequestRecord
from bot.domain.validations import FailureClass, ValidationStatus, Verdict
from bot.policy.check_view import (
    BUTTONS,
    FIX,
    HOLD,
    MERGE,
    MOST_ANNOTATIONS,
    TRUST,
    UNHOLD,
    check_view,
)
from tests.policy.test_requests import ALICE, NOW, RECORD, REPOSITORY

FINDING = {
    "stage": "build",
    "file": "src/app.ts",
    "line": 3,
    "column": 7,
    "level": "failure",
    "message": "no",
    "rule": "TS1",
    "signature": "s",
}


def ended(verdict: Verdict, **more: Any) -> dict[str, Any]:
    statuses = {
        Verdict.CANCELLED: ValidationStatus.CANCELLED,
        Verdict.ERROR: ValidationStatus.ERROR,
    }
    status = statuses.get(verdict, ValidationStatus.COMPLETED)
    return {"status": status, "verdict": verdict, "completed_at": NOW, "title": "T", **more}


@pytest.mark.parametrize(
    ("changes", "status", "conclusion", "title"),
    [
        ({}, "queued", None, "Queued"),
        ({"tries": 0, "job_id": None}, "queued", None, "Queued"),
        (
            {"status": ValidationStatus.RETRIEVING, "stage": Stage.RETRIEVE},
            "in_progress",
            None,
            "Running: retrieve",
        ),
        ({"status": ValidationStatus.RUNNING}, "in_progress", None, "Running: starting"),
        ({"tries": 2, "reason": "lost"}, "in_progress", None, "Trying again (try 2)"),
        (ended(Verdict.PASSED), "completed", "success", "T"),
        (ended(Verdict.FAILED), "completed", "failure", "T"),
        (ended(Verdict.NEUTRAL), "completed", "neutral", "T"),
        (ended(Verdict.CANCELLED), "completed", "cancelled", "T"),
        (ended(Verdict.ERROR), "completed", "action_required", "T"),
        (
            ended(Verdict.NEUTRAL, failure_class=FailureClass.UNTRUSTED_FORK),
            "completed",
            "action_required",
            "T",
        ),
    ],
)
def test_states(changes: dict[str, Any], status: str, conclusion: str | None, title: str) -> None:
    view = check_view(replace(RECORD, **changes), "https://x")
    assert (view.status, view.conclusion, view.title) == (status, conclusion, title)
    assert view.summary
    assert (view.completed_at is None) == (view.status is not CheckStatus.COMPLETED)


def test_our_fault_is_neither_red_nor_green() -> None:
    view = check_view(replace(RECORD, **ended(Verdict.ERROR)), "")
    assert view.conclusion not in (Conclusion.FAILURE, Conclusion.SUCCESS, Conclusion.NEUTRAL)


def test_a_title_is_cut() -> None:
    view = check_view(replace(RECORD, **ended(Verdict.FAILED, title="é" * 400)), "")
    assert len(view.title) == 255
    assert view.title.endswith("…")


def test_findings_are_annotations_once_it_ended() -> None:
    result = {"findings": [FINDING, FINDING | {"line": None}]}
    assert check_view(replace(RECORD, result=result), "").annotations == ()
    (annotation,) = check_view(
        replace(RECORD, **ended(Verdict.FAILED, result=result)), ""
    ).annotations
    assert (annotation.file, annotation.line, annotation.level) == ("src/app.ts", 3, "failure")


def test_annotations_are_bounded() -> None:
    result = {"findings": [FINDING] * 2000}
    view = check_view(replace(RECORD, **ended(Verdict.FAILED, result=result)), "")
    assert len(view.annotations) == MOST_ANNOTATIONS


FAILURE, PASSED = ended(Verdict.FAILED), ended(Verdict.PASSED)
COURSE = PullRequestRecord(REPOSITORY, 3)
TRIED = FixAttempt("one", 1, "a" * 40, "v", "sig", "build", "run", NOW)


@pytest.mark.parametrize(
    ("changes", "course", "has_agent", "buttons"),
    [
        pytest.param(
            ended(Verdict.NEUTRAL, failure_class=FailureClass.UNTRUSTED_FORK),
            COURSE,
            True,
            ["trust"],
            id="an untrusted fork",
        ),
        pytest.param({}, COURSE, True, [], id="not ended"),
        pytest.param(FAILURE, None, True, [], id="of no pull request"),
        pytest.param(FAILURE, replace(COURSE, is_open=False), True, [], id="closed"),
        pytest.param(FAILURE, COURSE, True, ["fix", "hold"], id="failed"),
        pytest.param(FAILURE, COURSE, False, ["hold"], id="failed, and no agent is set up"),
        pytest.param(
            FAILURE, replace(COURSE, attempts=(TRIED,)), True, ["hold"], id="a fix is under way"
        ),
        pytest.param(
            FAILURE | {"failure_class": FailureClass.FLAKY}, COURSE, True, ["hold"], id="flaky"
        ),
        pytest.param(
            FAILURE | {"failure_class": FailureClass.MISSING_SECRET},
            COURSE,
            True,
            ["hold"],
            id="a secret is missing",
        ),
        pytest.param(PASSED, COURSE, True, ["merge", "hold"], id="passed"),
        pytest.param(
            PASSED, replace(COURSE, merge_asked_by=ALICE), True, ["hold"], id="its merge was asked"
        ),
        pytest.param(
            PASSED, replace(COURSE, held_by="alice"), True, ["merge", "unhold"], id="held"
        ),
        pytest.param(ended(Verdict.ERROR), COURSE, True, ["hold"], id="our fault"),
    ],
)
def test_buttons(
    changes: dict[str, Any], course: PullRequestRecord | None, has_agent: bool, buttons: list[str]
) -> None:
    view = check_view(replace(RECORD, **changes), "", course, has_agent=has_agent)
    assert [it.identifier for it in view.actions] == buttons


def test_buttons_keep_to_githubs_limits_and_to_the_commands() -> None:
    for it in (FIX, MERGE, HOLD, UNHOLD, TRUST):
        assert (len(it.label) <= 20, len(it.description) <= 40, len(it.identifier) <= 20) == (
            True,
            True,
            True,
        )
        assert it.identifier in set(Verb)
    assert len(BUTTONS) == 4


def test_what_github_was_told_once_is_not_annotated_again() -> None:
    record = replace(RECORD, **ended(Verdict.FAILED, result={"findings": [FINDING]}))
    assert len(check_view(record, "").annotations) == 1
    assert check_view(replace(record, check_concluded=True), "").annotations == ()
