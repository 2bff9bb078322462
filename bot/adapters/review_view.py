"""An analysis as templates see it: plain texts in reading order, nothing of them defused yet.

A model's words are handled as a stranger's are. Steps are told line by line, so that no text lays
out anything; the Markdown templates' last gate and HTML's escaping do the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.adapters.duration import duration
from bot.domain.analysis import AnalysisOutcome, Evidence, Review
from bot.domain.log_text import one_line, plain

MOST_STEPS = 12
CLASSES = {
    "code": "the change itself",
    "configuration": "the configuration",
    "dependency": "the dependencies",
    "infrastructure": "the machine or this service, not the change",
    "flaky": "a flaky test",
    "missing_secret": "a secret that was not given",
    "untrusted_fork": "a fork that is not trusted yet",
    "inconclusive": "not known",
}
_MARKER = re.compile(r"^(?:[-+*•]|\d{1,3}[.)])\s+")
_FENCE = re.compile(r"^[`~]{3,}\s*\w*$")


@dataclass(frozen=True)
class ShownAnalysis:
    """A review in words; ``sentence`` alone where there is none.

    ``cause_from`` and its like are ids of ``evidence``, joined: ``E1, E4``; ``evidence`` has id
    and label of what is cited.
    """

    sentence: str
    has_review: bool = False
    cause: str = ""
    cause_from: str = ""
    place: str = ""
    place_from: str = ""
    category: str = ""
    steps: Sequence[str] = ()
    steps_from: str = ""
    confidence: str = ""
    evidence: Sequence[tuple[str, str]] = ()
    dropped: Sequence[str] = ()
    left_out: Sequence[str] = ()
    cost: str = ""


def shown_analysis(outcome: AnalysisOutcome) -> ShownAnalysis:
    """The view of an outcome. Every text is one plain line."""
    review = outcome.review
    if review is None:
        return ShownAnalysis(one_line(outcome.sentence))
    cause, fix, where = review.root_cause, review.recommended_fix, review.where
    line = f":{where.line}" if where and where.line else ""
    return ShownAnalysis(
        sentence="",
        has_review=True,
        cause=one_line(cause.text) if cause else "",
        cause_from=_ids(cause.references) if cause else "",
        place=one_line(f"{where.file}{line}") if where else "",
        place_from=_ids(where.references) if where else "",
        category=CLASSES.get(review.category.text, "") if review.category else "",
        steps=tuple(_steps(fix.text))[:MOST_STEPS] if fix else (),
        steps_from=_ids(fix.references) if fix else "",
        confidence=f"{round(review.confidence * 100)} %" if review.confidence is not None else "",
        evidence=tuple(_cited(review, outcome.evidence)),
        dropped=tuple(map(one_line, outcome.dropped)),
        left_out=tuple(map(one_line, outcome.left_out)),
        cost=_cost(outcome, review),
    )


def _ids(references: tuple[str, ...]) -> str:
    return one_line(", ".join(references))


def _steps(text: str) -> Iterator[str]:
    """Each line of a text, without its list's marker; a code block's fences are no lines."""
    for line in plain(text).split("\n"):
        said = _MARKER.sub("", one_line(line))
        if said and not _FENCE.match(said):
            yield said


def _cited(review: Review, evidence: tuple[Evidence, ...]) -> Iterator[tuple[str, str]]:
    said = (review.category, review.root_cause, review.where, review.recommended_fix)
    cited = {it for statement in said if statement for it in statement.references}
    for it in evidence:
        if it.id in cited:
            yield one_line(it.id), one_line(it.label)


def _cost(outcome: AnalysisOutcome, review: Review) -> str:
    model = one_line(review.model) or "Gemini"
    tokens = f", {outcome.tokens:,} tokens" if outcome.tokens else ""
    return f"{model}, {duration(outcome.seconds)}{tokens}"
