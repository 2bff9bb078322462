"""A pull request's course in words, for templates: what was tried, who decided, what keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bot.domain.merging import Criterion, CriterionState, Explanation
from bot.domain.pull_request_records import FixAttempt, FixOutcome, PullRequestRecord

SHOWN_PATHS = 5
ICONS: Final[Mapping[CriterionState, str]] = {
    CriterionState.MET: "✅",
    CriterionState.UNMET: "❌",
    CriterionState.WAITING: "⏳",
    CriterionState.OVERRIDDEN: "⚠️",
    CriterionState.NOT_APPLICABLE: "➖",
}
OUTCOMES: Final[Mapping[FixOutcome | None, str]] = {
    None: "🔄 under way",
    FixOutcome.PUSHED: "pushed",
    FixOutcome.NO_PUSH: "❌ nothing was pushed",
    FixOutcome.EMPTY_PUSH: "❌ a push that changed nothing",
    FixOutcome.ONLY_TESTS: "❌ only tests or workflows were changed",
    FixOutcome.SECOND_PULL_REQUEST: "❌ a second pull request was opened",
    FixOutcome.AGENT_FAILED: "❌ the agent failed",
    FixOutcome.CANCELLED: "🚫 cancelled",
    FixOutcome.OVERTAKEN: "➖ a person went on",
}


@dataclass(frozen=True)
class ShownAttempt:
    """An attempt in a row of a table."""

    ordinal: int
    failure: str
    changed: Sequence[str]
    more: int
    came_to: str
    pushed: str
    asked_by: str


@dataclass(frozen=True)
class ShownCriterion:
    """A criterion in a row of a table."""

    icon: str
    name: str
    state: str
    value: str
    source: str
    mend: str


@dataclass(frozen=True)
class ShownExplanation:
    """Every criterion; ``back`` are those that keep the merge back."""

    sentence: str
    head: str
    rows: Sequence[ShownCriterion]
    back: Sequence[ShownCriterion]
    rest: Sequence[ShownCriterion]


@dataclass(frozen=True)
class ShownCourse:
    """How a pull request stands. ``headline`` is empty where nothing but its runs is to tell."""

    number: int
    headline: str
    about: str
    attempts: Sequence[ShownAttempt]
    again_at: str
    merge: ShownExplanation | None


def shown_course(record: PullRequestRecord) -> ShownCourse:
    """A course in words."""
    headline, about = _headline(record)
    stop = record.stop
    wants = record.is_open and record.explanation is not None and record.merged_at is None
    return ShownCourse(
        number=record.number,
        headline=headline,
        about=about,
        attempts=[_attempt(it) for it in record.attempts],
        again_at=f"{stop.again_at:%Y-%m-%d %H:%M} UTC" if stop and stop.again_at else "",
        merge=shown_explanation(record.explanation) if wants and record.explanation else None,
    )


def shown_explanation(explanation: Explanation) -> ShownExplanation:
    """An explanation in words: what keeps back first."""
    rows = [_criterion(it) for it in explanation.criteria]
    back = [row for row, it in zip(rows, explanation.criteria, strict=True) if not it.holds]
    rest = [row for row, it in zip(rows, explanation.criteria, strict=True) if it.holds]
    return ShownExplanation(explanation.sentence, explanation.head_sha[:12], rows, back, rest)


def _headline(record: PullRequestRecord) -> tuple[str, str]:
    """What it has come to, and a sentence about it."""
    if record.merged_at is not None:
        return f"🎉 Merged into {record.base_branch} as {record.merged_sha[:12]}", ""
    if not record.is_open:
        return "🚪 Closed without a merge", ""
    if record.stop is not None:
        return "🙋 A person is needed", record.stop.reason
    if record.held_by:
        return f"⏸️ Held by {record.held_by}", "Nothing is merged or sent to the agent meanwhile."
    if record.queued_at is not None:
        return f"🚦 In line to be merged into {record.base_branch}", ""
    return "", ""


def _attempt(attempt: FixAttempt) -> ShownAttempt:
    return ShownAttempt(
        ordinal=attempt.ordinal,
        failure=attempt.failure,
        changed=attempt.changed[:SHOWN_PATHS],
        more=max(0, len(attempt.changed) - SHOWN_PATHS),
        came_to=OUTCOMES[attempt.outcome],
        pushed=attempt.pushed_sha[:12],
        asked_by=attempt.asked_by,
    )


def _criterion(it: Criterion) -> ShownCriterion:
    state = it.state.value.replace("_", " ")
    return ShownCriterion(ICONS[it.state], it.name, state, it.value, it.source, it.mend)
