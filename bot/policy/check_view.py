"""What a validation's check run shows, from its record alone."""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.check_runs import (
    MAXIMUM_TITLE,
    CheckAction,
    CheckStatus,
    CheckView,
    Conclusion,
)
from bot.domain.pull_request_records import PullRequestRecord
from bot.domain.validation_records import ValidationRecord
from bot.domain.validations import (
    FailureClass,
    Finding,
    Level,
    ValidationStatus,
    Verdict,
)

MOST_ANNOTATIONS = 500
"""GitHub shows what is sent; beyond some hundreds nobody reads on."""
TRUST = CheckAction("Trust and run", "Let this commit of a fork run", "trust")
FIX = CheckAction("Fix it", "Send this failure to the agent", "fix")
MERGE = CheckAction("Merge", "Merge when nothing keeps it back", "merge")
HOLD = CheckAction("Hold", "Stop automatic fixing and merging", "hold")
UNHOLD = CheckAction("Go on", "Allow fixing and merging again", "unhold")
BUTTONS = frozenset(it.identifier for it in (FIX, MERGE, HOLD, UNHOLD))
"""Those that do what the command of the same name does."""
NEVER_FIXED = frozenset(
    {
        FailureClass.MISSING_SECRET,
        FailureClass.UNTRUSTED_FORK,
        FailureClass.INFRASTRUCTURE,
        FailureClass.FLAKY,
    }
)
"""Failures that the button has nothing to offer for."""
WAITING = "Waiting for a free place in the sandbox."

_CONCLUSIONS: Mapping[Verdict, Conclusion] = {
    Verdict.PASSED: Conclusion.SUCCESS,
    Verdict.FAILED: Conclusion.FAILURE,
    Verdict.NEUTRAL: Conclusion.NEUTRAL,
    Verdict.CANCELLED: Conclusion.CANCELLED,
    # Ours, not the author's: never red, and never green, which neutral would count as.
    Verdict.ERROR: Conclusion.ACTION_REQUIRED,
}


def check_view(
    record: ValidationRecord,
    details_url: str,
    course: PullRequestRecord | None = None,
    *,
    text: str = "",
    has_agent: bool = False,
) -> CheckView:
    """The view of a record, cut to GitHub's limits.

    ``course`` is what is kept of the pull request that it belongs to, for its buttons. ``text`` is
    what the details say, where it is more than the record's.
    """
    status, conclusion = _state(record)
    title, words = _words(record)
    return CheckView(
        head_sha=record.order.head_sha,
        external_id=record.id,
        status=status,
        conclusion=conclusion,
        title=title if len(title) <= MAXIMUM_TITLE else f"{title[: MAXIMUM_TITLE - 1]}…",
        summary=record.summary or words,
        text=text or record.detail,
        details_url=details_url,
        started_at=record.started_at or record.created_at,
        completed_at=record.completed_at if conclusion else None,
        # GitHub appends annotations: what it was told once is not told again.
        annotations=annotations_of(record) if conclusion and not record.check_concluded else (),
        actions=_actions(record, course, has_agent=has_agent) if conclusion else (),
    )


def _actions(
    record: ValidationRecord, course: PullRequestRecord | None, *, has_agent: bool
) -> tuple[CheckAction, ...]:
    """The buttons of an ended validation, by how it and its pull request stand."""
    if record.failure_class is FailureClass.UNTRUSTED_FORK:
        return (TRUST,)
    if course is None or not course.is_open or len(record.pull_requests) != 1:
        return ()  # nobody would know which one is meant
    found: list[CheckAction] = []
    mendable = record.verdict is Verdict.FAILED and record.failure_class not in NEVER_FIXED
    if mendable and has_agent and course.open_attempt is None:
        found.append(FIX)
    if record.verdict is Verdict.PASSED and course.merge_asked_by is None:
        found.append(MERGE)
    found.append(UNHOLD if course.held_by else HOLD)
    return tuple(found)


def annotations_of(record: ValidationRecord) -> tuple[Finding, ...]:
    """The findings that name a line."""
    found = (record.result or {}).get("findings", [])
    return tuple(
        Finding(
            stage=it["stage"],
            file=it["file"],
            line=it["line"],
            column=it["column"],
            level=Level(it["level"]),
            message=it["message"],
            rule=it["rule"],
        )
        for it in found
        if it["line"] is not None
    )[:MOST_ANNOTATIONS]


def _state(record: ValidationRecord) -> tuple[CheckStatus, Conclusion | None]:
    if not record.ended:
        waits = record.status is ValidationStatus.REQUESTED
        first = waits and record.tries <= 1
        return CheckStatus.QUEUED if first else CheckStatus.IN_PROGRESS, None
    if record.failure_class is FailureClass.UNTRUSTED_FORK:
        return CheckStatus.COMPLETED, Conclusion.ACTION_REQUIRED
    return CheckStatus.COMPLETED, _CONCLUSIONS[record.verdict or Verdict.ERROR]


def _words(record: ValidationRecord) -> tuple[str, str]:
    """Title and, where there is no report, summary."""
    if record.ended:
        title = record.title or record.reason or record.status.value
        return title, f"{_sentence(record.reason or title)}"
    if record.status is not ValidationStatus.REQUESTED:
        stage = record.stage.value.replace("_", " ") if record.stage else "starting"
        return f"Running: {stage}", "The validation is under way; this page follows it."
    if record.tries > 1:
        return (
            f"Trying again (try {record.tries})",
            f"{_sentence(record.reason)} That was no fault of the change; it is tried again.",
        )
    return "Queued", WAITING


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
