"""The validation record's states, and the public JSON of a result."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from typing import Any

import pytest

from bot.domain.plan import Log, Stage, StageResult, StageStatus
from bot.domain.validations import (
    Check,
    CheckState,
    FailureClass,
    Finding,
    IllegalTransition,
    Level,
    SnapshotUse,
    Validation,
    ValidationResult,
    ValidationStatus,
    Verdict,
    iso8601,
)

BORN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = BORN + timedelta(seconds=12.3456)

ALL = set(ValidationStatus)
LEGAL = {
    ("requested", "retrieving"),
    ("requested", "cancelled"),
    ("requested", "error"),
    ("retrieving", "preparing"),
    ("retrieving", "completed"),
    ("retrieving", "cancelled"),
    ("retrieving", "error"),
    ("preparing", "running"),
    ("preparing", "completed"),
    ("preparing", "cancelled"),
    ("preparing", "error"),
    ("running", "completed"),
    ("running", "cancelled"),
    ("running", "error"),
}
FINAL = {"completed", "cancelled", "error"}


def record(status: str) -> Validation:
    return Validation("id", "sha", BORN, status=ValidationStatus(status))


@pytest.mark.parametrize(("before", "after"), sorted(LEGAL))
def test_legal_transition(before: str, after: str) -> None:
    moved = record(before).to(ValidationStatus(after), at=LATER)
    assert moved.status == after
    assert moved.completed_at == (LATER if after in FINAL else None)
    assert (moved.id, moved.head_sha, moved.created_at) == ("id", "sha", BORN)


@pytest.mark.parametrize(("before", "after"), sorted({*product(ALL, ALL)} - LEGAL))
def test_illegal_transition(before: ValidationStatus, after: ValidationStatus) -> None:
    with pytest.raises(IllegalTransition, match=f"from {before} to {after}"):
        record(before).to(after, at=LATER)


def test_every_state_is_reached() -> None:
    assert {after for _, after in LEGAL} | {"requested"} == {status.value for status in ALL}


def test_fields_of_the_record() -> None:
    fields = "id project_id agent_run_id pr_number pr_url head_sha status environment_id attempt"
    assert {*fields.split(), "created_at", "completed_at"} == set(vars(record("requested")))


RESULT = ValidationResult(
    verdict=Verdict.FAILED,
    reason="build failed",
    failure_class=FailureClass.CODE,
    head_sha="abc",
    started_at=BORN,
    completed_at=LATER,
    stages=(
        StageResult(
            Stage.BUILD,
            StageStatus.FAILED,
            "exited with 2",
            command="npm run build",
            exit_code=2,
            seconds=1.23456,
            log=Log("whole log"),
        ),
    ),
    checks={Check.BUILD_SUCCESS: CheckState.FAILED, Check.TESTS_PASS: CheckState.NOT_RUN},
    environment_id="e",
    snapshot=SnapshotUse("key", hit=True),
    findings=(Finding("build", "src/app.ts", 3, None, Level.FAILURE, "no", "TS2322", "sig"),),
    assumed=("start_command: npm start (package.json)",),
    not_verified=("web evaluation: disabled",),
    notes=("a note",),
    title="Failed: build",
)


def test_json_as_published() -> None:
    expected: dict[str, Any] = {
        "schema": 1,
        "verdict": "failed",
        "title": "Failed: build",
        "reason": "build failed",
        "class": "code",
        "head_sha": "abc",
        "base_sha": None,
        "started_at": "2026-01-02T03:04:05Z",
        "completed_at": "2026-01-02T03:04:17Z",
        "seconds": 12.346,
        "environment_id": "e",
        "snapshot": {"key": "key", "hit": True},
        "stages": [
            {
                "name": "build",
                "status": "failed",
                "reason": "exited with 2",
                "command": "npm run build",
                "exit_code": 2,
                "seconds": 1.235,
                "faults": [],
                "advice": [],
                "log_excerpt": "the slice",
            }
        ],
        "web_evaluation": None,
        "web_comparison": None,
        "class_rule": None,
        "what_to_do": "",
        "analysis": None,
        "exploration": None,
        "artifacts": [],
        "changed_symbols": [],
        "checks": {"build_success": "failed", "tests_pass": "not_run"},
        "findings": [
            {
                "stage": "build",
                "file": "src/app.ts",
                "line": 3,
                "column": None,
                "level": "failure",
                "message": "no",
                "rule": "TS2322",
                "signature": "sig",
            }
        ],
        "assumed": ["start_command: npm start (package.json)"],
        "not_verified": ["web evaluation: disabled"],
        "notes": ["a note"],
    }
    assert RESULT.to_json({"build": "the slice"}) == expected


def test_json_of_what_is_not_there() -> None:
    bare = ValidationResult(Verdict.NEUTRAL, "nothing to run", None, "", BORN, BORN, (), {})
    written = bare.to_json({})
    assert (written["class"], written["snapshot"], written["base_sha"]) == (None, None, None)
    assert (written["stages"], written["checks"], written["findings"]) == ([], {}, [])
    assert written["seconds"] == 0


def words(*members: str) -> set[str]:
    return set(members)


def test_words_of_the_interface() -> None:
    assert set(Verdict) == words("passed", "failed", "neutral", "cancelled", "error")
    assert set(FailureClass) == words(
        "code", "configuration", "dependency", "infrastructure", "flaky", "missing_secret",
        "untrusted_fork", "inconclusive",
    )  # fmt: skip
    assert set(StageStatus) == words(
        "passed", "failed", "skipped", "not_reached", "timed_out", "error"
    )
    assert set(CheckState) == words("passed", "failed", "not_run", "not_applicable")
    assert set(Level) == words("failure", "warning", "notice")
    assert " ".join(Stage) == (
        "retrieve install build test start health ports web_evaluation code_analysis stability "
        "analysis"
    )
    assert set(Check) == words(
        "build_success", "deployment_success", "tests_pass", "web_evaluation_pass",
        "code_analysis_pass",
    )  # fmt: skip


def test_times_are_written_in_utc() -> None:
    east = datetime(2026, 1, 2, 5, 4, 5, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert iso8601(east) == "2026-01-02T03:04:05Z"
