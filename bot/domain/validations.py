"""The validation record, its legal state transitions, and the result that everybody reads.

The JSON of a result (``ValidationResult.to_json``) is public, schema 1: fields may be added,
never renamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from bot.domain.analysis import AnalysisOutcome
from bot.domain.exploring import Exploration
from bot.domain.plan import StageResult

SCHEMA = 1


class Verdict(StrEnum):
    """What a validation concluded."""

    PASSED = "passed"
    FAILED = "failed"
    NEUTRAL = "neutral"
    CANCELLED = "cancelled"
    ERROR = "error"


class FailureClass(StrEnum):
    """Whose failure it is, so that nothing is spent on the wrong mend."""

    CODE = "code"
    CONFIGURATION = "configuration"
    DEPENDENCY = "dependency"
    INFRASTRUCTURE = "infrastructure"
    FLAKY = "flaky"
    MISSING_SECRET = "missing_secret"
    UNTRUSTED_FORK = "untrusted_fork"
    INCONCLUSIVE = "inconclusive"


class Check(StrEnum):
    """The checks that ``validation.required_checks`` can name."""

    BUILD_SUCCESS = "build_success"
    DEPLOYMENT_SUCCESS = "deployment_success"
    TESTS_PASS = "tests_pass"
    WEB_EVALUATION_PASS = "web_evaluation_pass"
    CODE_ANALYSIS_PASS = "code_analysis_pass"


class CheckState(StrEnum):
    """``not_applicable`` always has its reason in the result and counts as met."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not_run"
    NOT_APPLICABLE = "not_applicable"


class Level(StrEnum):
    """How grave a finding is, in GitHub's words for annotations."""

    FAILURE = "failure"
    WARNING = "warning"
    NOTICE = "notice"


@dataclass(frozen=True)
class Finding:
    """A fault at a place of the tree. Lines and columns count from 1; None is unknown.

    ``signature`` is stable over paths, line shifts, times and addresses.
    """

    stage: str
    file: str
    line: int | None
    column: int | None
    level: Level
    message: str
    rule: str = ""
    signature: str = ""


@dataclass(frozen=True)
class SnapshotUse:
    """Which snapshot the install belongs to, and whether it was there already."""

    key: str
    hit: bool


class ValidationStatus(StrEnum):
    """Where a validation stands; ``completed`` and ``cancelled`` and ``error`` are final."""

    REQUESTED = "requested"
    RETRIEVING = "retrieving"
    PREPARING = "preparing"
    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    ERROR = "error"


TRANSITIONS: Mapping[ValidationStatus, frozenset[ValidationStatus]] = {
    ValidationStatus.REQUESTED: frozenset(
        {ValidationStatus.RETRIEVING, ValidationStatus.CANCELLED, ValidationStatus.ERROR}
    ),
    ValidationStatus.RETRIEVING: frozenset(
        {
            ValidationStatus.PREPARING,
            ValidationStatus.COMPLETED,
            ValidationStatus.CANCELLED,
            ValidationStatus.ERROR,
        }
    ),
    ValidationStatus.PREPARING: frozenset(
        {
            ValidationStatus.RUNNING,
            ValidationStatus.COMPLETED,
            ValidationStatus.CANCELLED,
            ValidationStatus.ERROR,
        }
    ),
    ValidationStatus.RUNNING: frozenset(
        {ValidationStatus.COMPLETED, ValidationStatus.CANCELLED, ValidationStatus.ERROR}
    ),
    ValidationStatus.COMPLETED: frozenset(),
    ValidationStatus.CANCELLED: frozenset(),
    ValidationStatus.ERROR: frozenset(),
}


class IllegalTransition(Exception):
    """A record was asked to go where its state does not lead: a bug of the caller."""


@dataclass(frozen=True)
class Validation:
    """One attempt to validate one commit; ``id`` is a UUID in its usual text form."""

    id: str
    head_sha: str
    created_at: datetime
    status: ValidationStatus = ValidationStatus.REQUESTED
    project_id: str | None = None
    agent_run_id: str | None = None
    pr_number: int | None = None
    pr_url: str | None = None
    environment_id: str | None = None
    attempt: int = 1
    completed_at: datetime | None = None

    def to(self, status: ValidationStatus, *, at: datetime) -> Self:
        """The record in its next state.

        Raises IllegalTransition where ``TRANSITIONS`` has no way from here to there.
        """
        if status not in TRANSITIONS[self.status]:
            raise IllegalTransition(f"a validation does not go from {self.status} to {status}")
        final = not TRANSITIONS[status]
        return replace(self, status=status, completed_at=at if final else None)


@dataclass(frozen=True)
class ClassRule:
    """Which rule decided whose failure it is, its sentence, and what it saw."""

    name: str
    sentence: str
    evidence: str = ""


@dataclass(frozen=True)
class ChangedSymbolRow:
    """A symbol that the change touches, and who uses it: the blast radius."""

    symbol: str
    place: str
    usages: int
    files: str


@dataclass(frozen=True)
class AttachmentReference:
    """A file that a stage has made (a screenshot). ``id`` is the artifact's, empty if not kept."""

    stage: str
    name: str
    media_type: str
    size: int
    id: str = ""


@dataclass(frozen=True)
class ValidationResult:
    """The verdict with its evidence.

    ``what_to_do`` is a sentence for the author, empty where nothing is. ``analysis`` is what a
    model says of a failure: it comes after the verdict, and has no say in it. Nor has
    ``exploration``, what a model found in the browser: None where there is no task.
    """

    verdict: Verdict
    reason: str
    failure_class: FailureClass | None
    head_sha: str
    started_at: datetime
    completed_at: datetime
    stages: tuple[StageResult, ...]
    checks: Mapping[Check, CheckState]
    environment_id: str = ""
    base_sha: str | None = None
    snapshot: SnapshotUse | None = None
    findings: tuple[Finding, ...] = ()
    assumed: tuple[str, ...] = ()
    not_verified: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    title: str = ""
    class_rule: ClassRule | None = None
    what_to_do: str = ""
    analysis: AnalysisOutcome | None = None
    exploration: Exploration | None = None
    attachments: tuple[AttachmentReference, ...] = ()
    changed_symbols: tuple[ChangedSymbolRow, ...] = ()

    @property
    def seconds(self) -> float:
        """From start to end, in seconds."""
        return (self.completed_at - self.started_at).total_seconds()

    def to_json(self, excerpts: Mapping[str, str]) -> dict[str, Any]:
        """The public JSON; ``excerpts`` maps a stage's name to the log slice worth reading."""
        return {
            "schema": SCHEMA,
            "verdict": self.verdict.value,
            "title": self.title,
            "reason": self.reason,
            "class": self.failure_class.value if self.failure_class else None,
            "class_rule": (
                {
                    "name": self.class_rule.name,
                    "sentence": self.class_rule.sentence,
                    "evidence": self.class_rule.evidence,
                }
                if self.class_rule
                else None
            ),
            "what_to_do": self.what_to_do,
            "head_sha": self.head_sha,
            "base_sha": self.base_sha,
            "started_at": iso8601(self.started_at),
            "completed_at": iso8601(self.completed_at),
            "seconds": round(self.seconds, 3),
            "environment_id": self.environment_id,
            "snapshot": (
                {"key": self.snapshot.key, "hit": self.snapshot.hit} if self.snapshot else None
            ),
            "stages": [
                {
                    "name": stage.stage.value,
                    "status": stage.status.value,
                    "reason": stage.reason,
                    "command": stage.command,
                    "exit_code": stage.exit_code,
                    "seconds": round(stage.seconds, 3),
                    "faults": list(stage.faults),
                    "advice": list(stage.advice),
                    "log_excerpt": excerpts.get(stage.stage.value, ""),
                }
                for stage in self.stages
            ],
            "web_evaluation": next(
                (it.evaluation.to_json() for it in self.stages if it.evaluation), None
            ),
            "web_comparison": next(
                (it.comparison.to_json() for it in self.stages if it.comparison), None
            ),
            "checks": {check.value: state.value for check, state in self.checks.items()},
            "findings": [
                {
                    "stage": finding.stage,
                    "file": finding.file,
                    "line": finding.line,
                    "column": finding.column,
                    "level": finding.level.value,
                    "message": finding.message,
                    "rule": finding.rule,
                    "signature": finding.signature,
                }
                for finding in self.findings
            ],
            "analysis": self.analysis.to_json() if self.analysis else None,
            "exploration": self.exploration.to_json() if self.exploration else None,
            "changed_symbols": [
                {"symbol": it.symbol, "place": it.place, "usages": it.usages, "files": it.files}
                for it in self.changed_symbols
            ],
            "artifacts": [
                {
                    "id": it.id,
                    "stage": it.stage,
                    "name": it.name,
                    "media_type": it.media_type,
                    "size": it.size,
                }
                for it in self.attachments
            ],
            "assumed": list(self.assumed),
            "not_verified": list(self.not_verified),
            "notes": list(self.notes),
        }


def iso8601(at: datetime) -> str:
    """A time as GitHub and the public JSON write it: UTC, seconds, ``Z``."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
