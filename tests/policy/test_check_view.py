"""What a check run shows of a record, in every state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.check_runs import CheckStatus, Conclusion
from bot.domain.plan import Stage
from bot.domain.validations import FailureClass, ValidationStatus, Verdict
from bot.policy.check_view import MOST_ANNOTATIONS, check_view
from tests.policy.test_requests import NOW, RECORD

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


def test_only_an_untrusted_fork_has_a_button() -> None:
    fork = ended(Verdict.NEUTRAL, failure_class=FailureClass.UNTRUSTED_FORK)
    assert [it.identifier for it in check_view(replace(RECORD, **fork), "").actions] == ["trust"]
    assert check_view(replace(RECORD, **ended(Verdict.FAILED)), "").actions == ()
