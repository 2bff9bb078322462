"""What a model is shown of a failure, and what stands of that which it says.

The floor: a verdict is decided before any of this, from stages alone. ``attach`` is the only way
from an outcome into a result, and writes the row of the analysis stage, which nothing judges.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from bot.domain.analysis import (
    AnalysisContext,
    AnalysisOutcome,
    Evidence,
    EvidenceKind,
    Place,
    Review,
    Statement,
)
from bot.domain.changes import Hunk
from bot.domain.excerpts import ended_at, telling
from bot.domain.log_text import excerpt, one_line, plain
from bot.domain.plan import Stage, StageResult, StageStatus
from bot.domain.validations import FailureClass, ValidationResult, Verdict
from bot.ports.reviewer import ReviewerFault

Clean = Callable[[str], str]
"""Makes a text plain and masks the secrets in it."""

CATEGORIES: Final = tuple(it.value for it in FailureClass)
LONGEST_STATEMENT = 2_000
LAST_LINE = 10_000_000
LONGEST_PLACE = 200
LONGEST_LOG = 256 * 1024
MEDIA_TYPES = frozenset({"image/png", "image/jpeg", "image/webp"})

_ALONE = "so the deterministic analysis alone speaks."
NO_KEY = f"No Gemini key is set, {_ALONE}"
BROKEN = f"The analysis met a fault of ours, {_ALONE}"
TOO_SLOW = f"Gemini did not answer in time, {_ALONE}"
LIMITED = f"Gemini's limit is reached, {_ALONE}"
AWAY = f"Gemini does not answer, {_ALONE}"
NOTHING_HOLDS = f"Gemini's answer named no evidence for what it says, {_ALONE}"
_FAULTS: Final[Mapping[ReviewerFault, str]] = {
    ReviewerFault.NO_KEY: "No Gemini key is set",
    ReviewerFault.UNAUTHORIZED: "Gemini refused our key",
    ReviewerFault.UNKNOWN_MODEL: "Gemini has no such model",
    ReviewerFault.INVALID: "Gemini did not take the question",
    ReviewerFault.BLOCKED: "Gemini refused to look at this failure",
    ReviewerFault.REFUSED: "Gemini refused to answer about this failure",
    ReviewerFault.TRUNCATED: "Gemini's answer was cut short, twice",
    ReviewerFault.BAD_ANSWER: "Gemini's answer could not be read, twice",
}
_NOT_THE_CHANGE: Final[Mapping[FailureClass, str]] = {
    FailureClass.INFRASTRUCTURE: "the machine or this service is at fault, not the change",
    FailureClass.MISSING_SECRET: "a secret was not given, and that says all",
    FailureClass.UNTRUSTED_FORK: "the fork is not trusted yet, and that says all",
}


@dataclass(frozen=True)
class Budget:
    """How much a model is shown: characters in all, pictures by number and bytes.

    ``kinds`` bounds what all pieces of a kind have together, ``piece`` what one has.
    """

    characters: int = 60_000
    kinds: Mapping[EvidenceKind, int] = field(
        default_factory=lambda: {EvidenceKind.FINDING: 8_000, EvidenceKind.PAGE: 8_000}
    )
    piece: Mapping[EvidenceKind, int] = field(
        default_factory=lambda: {
            EvidenceKind.STAGE: 3_000,
            EvidenceKind.FINDING: 800,
            EvidenceKind.TITLE: 300,
            EvidenceKind.LOG: 16_000,
            EvidenceKind.DIFF: 8_000,
            EvidenceKind.PAGE: 3_000,
            EvidenceKind.COMMIT_MESSAGE: 1_000,
        }
    )
    pictures: int = 4
    picture_bytes: int = 1_500_000


@dataclass(frozen=True)
class Selection:
    """The evidence, numbered, and a line for each kind of which something was left out."""

    evidence: tuple[Evidence, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """What holds of a review (None where that is nothing), and what was dropped and why."""

    review: Review | None
    dropped: tuple[str, ...] = ()


# ── before ───────────────────────────────────────────────────────────────────────────────────


def no_need(result: ValidationResult) -> str:
    """Why nothing is to be spent on a result; empty where a model may explain it."""
    if result.verdict is not Verdict.FAILED:
        return "There is no failure to explain."
    why = _NOT_THE_CHANGE.get(result.failure_class) if result.failure_class else None
    return f"Nothing was asked of Gemini: {why}." if why else ""


def unexplained(fault: ReviewerFault) -> str:
    """The report's sentence for a reviewer's refusal."""
    return f"{_FAULTS[fault]}, {_ALONE}"


def select(
    result: ValidationResult,
    context: AnalysisContext,
    clean: Clean,
    budget: Budget | None = None,
) -> Selection:
    """The evidence within a budget: what tells most comes first, and what fits no more is counted.

    All texts go through ``clean`` before they are cut, so that no half of a secret is left.
    """
    budget = budget or Budget()
    basket = _Basket(budget.characters)
    for piece in _pieces(result, context):
        text = _cut(piece.kind, clean(piece.text), budget.piece[piece.kind])
        if text.strip():
            cleaned = replace(piece, place=_short(clean(piece.place)), text=text)
            basket.put(cleaned, budget.kinds.get(piece.kind, budget.characters))
    # A secret in a picture can't be masked: where steps were given some, no picture leaves.
    most = 0 if any((context.secrets or {}).values()) else budget.pictures
    for shot in context.screenshots:
        fits = shot.media_type in MEDIA_TYPES and 0 < len(shot.content) <= budget.picture_bytes
        basket.put(
            Evidence(
                "",
                EvidenceKind.SCREENSHOT,
                shot.stage,
                _short(clean(shot.place)),
                media_type=shot.media_type,
                content=shot.content,
            ),
            budget.characters if fits and basket.count(EvidenceKind.SCREENSHOT) < most else 0,
        )
    return Selection(
        tuple(basket.kept), tuple(_left(kind, number) for kind, number in basket.left.items())
    )


class _Basket:
    """Takes pieces while there is room, numbers them, and counts what it could not take."""

    def __init__(self, room: int) -> None:
        self.kept: list[Evidence] = []
        self.left: dict[EvidenceKind, int] = {}
        self._room = room
        self._spent: dict[EvidenceKind, int] = {}

    def count(self, kind: EvidenceKind) -> int:
        return sum(it.kind is kind for it in self.kept)

    def put(self, piece: Evidence, most_of_kind: int) -> None:
        size = len(piece.text) + len(piece.place) + 1
        spent = self._spent.get(piece.kind, 0)
        if size > min(self._room, most_of_kind - spent):
            self.left[piece.kind] = self.left.get(piece.kind, 0) + 1
            return
        self._room -= size
        self._spent[piece.kind] = spent + size
        self.kept.append(replace(piece, id=f"E{len(self.kept) + 1}"))


def _cut(kind: EvidenceKind, text: str, most: int) -> str:
    """A piece's text, a log's head and tail or the beginning of any other."""
    if kind is EvidenceKind.LOG:
        return excerpt(text, head_lines=20, tail_lines=120, max_bytes=most)[:most]
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _short(place: str) -> str:
    place = one_line(place)
    return place if len(place) <= LONGEST_PLACE else f"{place[: LONGEST_PLACE - 1]}…"


def _end_of(log: str) -> str:
    """The whole lines at the end of a log that is too long to be read through."""
    if len(log) <= LONGEST_LOG:
        return log
    return log[-LONGEST_LOG:].partition("\n")[2] or log


def _left(kind: EvidenceKind, number: int) -> str:
    word = "piece" if kind in (EvidenceKind.DIFF, EvidenceKind.PAGE, EvidenceKind.LOG) else ""
    name = f"{kind.value} {word}".strip()
    return f"{number} {name}{'s' if number > 1 else ''}"


def _pieces(result: ValidationResult, context: AnalysisContext) -> Iterator[Evidence]:
    """All that could be shown, what tells most first; not numbered yet, and not cut."""
    ended = ended_at(result.stages)
    yield Evidence("", EvidenceKind.STAGE, ended.stage.value if ended else "", "", _stage(result))
    for finding in result.findings:
        where = ":".join(str(it) for it in (finding.file, finding.line, finding.column) if it)
        rule = f" ({finding.rule})" if finding.rule else ""
        said = f"{finding.level.value}: {finding.message}{rule}"
        yield Evidence("", EvidenceKind.FINDING, finding.stage, where, said)
    # The title is small, and says what was meant.
    if context.title:
        yield Evidence("", EvidenceKind.TITLE, text=one_line(context.title))
    told = telling(result.stages)
    if told is not None:
        yield Evidence("", EvidenceKind.LOG, told.stage.value, text=_end_of(told.log.text))
    for hunk in _in_order(context.hunks, {it.file for it in result.findings}):
        yield Evidence("", EvidenceKind.DIFF, place=hunk.file, text=hunk.text)
    for seen in context.observed:
        yield Evidence("", EvidenceKind.PAGE, seen.stage, seen.place, seen.text)
    for message in context.commit_messages:
        yield Evidence("", EvidenceKind.COMMIT_MESSAGE, text=message)


def _stage(result: ValidationResult) -> str:
    """The stage that failed, in our words, and those before it."""
    lines = [f"The validation failed: {result.reason}"]
    for stage in result.stages:
        if stage.status in (StageStatus.SKIPPED, StageStatus.NOT_REACHED):
            continue
        code = f", exit code {stage.exit_code}" if stage.exit_code is not None else ""
        command = f", command: {stage.command}" if stage.command else ""
        reason = f", {stage.reason}" if stage.reason else ""
        lines.append(f"- {stage.stage.value}: {stage.status.value}{code}{command}{reason}")
    return "\n".join(lines)


def _in_order(hunks: tuple[Hunk, ...], blamed: Collection[str]) -> list[Hunk]:
    """What changes a blamed file comes first; else as the change has them."""
    return sorted(hunks, key=lambda hunk: hunk.file not in blamed)


# ── after ────────────────────────────────────────────────────────────────────────────────────


def judge(review: Review, evidence: tuple[Evidence, ...], paths: frozenset[str]) -> Judgement:
    """Keep what can be checked: known classes, evidence that exists, files of the tree.

    Without a cause that names evidence nothing holds: advice for an unknown cause is noise.
    """
    known = {it.id for it in evidence}
    dropped: list[str] = []
    category = _statement("category", review.category, known, dropped)
    if category is not None and category.text not in CATEGORIES:
        dropped.append("the category: it is none of the classes")
        category = None
    cause = _statement("root cause", review.root_cause, known, dropped)
    fix = _statement("recommended fix", review.recommended_fix, known, dropped)
    where = _where(review.where, known, paths, dropped)
    confidence = review.confidence
    if confidence is not None and not (math.isfinite(confidence) and 0 <= confidence <= 1):
        dropped.append("the confidence: it is not between 0 and 1")
        confidence = None
    if cause is None:
        return Judgement(None, tuple(dropped))
    held = replace(
        review,
        category=category,
        root_cause=cause,
        where=where,
        recommended_fix=fix,
        confidence=confidence,
    )
    return Judgement(held, tuple(dropped))


def _statement(
    name: str, said: Statement | None, known: Collection[str], dropped: list[str]
) -> Statement | None:
    if said is None:
        return None
    text = plain(said.text).strip()
    references = _known(name, said.references, known, dropped)
    if not text or not references:
        dropped.append(f"the {name}: it {'says nothing' if not text else 'names no evidence'}")
        return None
    if len(text) > LONGEST_STATEMENT:
        dropped.append(f"the end of the {name}: it is too long")
        text = f"{text[: LONGEST_STATEMENT - 1]}…"
    return Statement(text, references)


def _where(
    said: Place | None, known: Collection[str], paths: frozenset[str], dropped: list[str]
) -> Place | None:
    if said is None:
        return None
    references = _known("place", said.references, known, dropped)
    if said.file not in paths:
        dropped.append("the place: there is no such file in the tree")
        return None
    if not references:
        dropped.append("the place: it names no evidence")
        return None
    line = said.line
    if line is not None and not 1 <= line <= LAST_LINE:
        dropped.append("the place's line: there is none of that number")
        line = None
    return Place(said.file, line, references)


def _known(
    name: str, references: tuple[str, ...], known: Collection[str], dropped: list[str]
) -> tuple[str, ...]:
    kept = tuple(it for it in references if it in known)
    if missing := len(references) - len(kept):
        is_one = missing == 1
        number = "a reference" if is_one else f"{missing} references"
        dropped.append(f"{number} of the {name}: there is no such evidence")
    return kept


def attach(result: ValidationResult, outcome: AnalysisOutcome) -> ValidationResult:
    """A result whose analysis stage says what came of it; all else is as it was decided."""
    status = StageStatus.PASSED if outcome.review else StageStatus.SKIPPED
    row = StageResult(
        Stage.ANALYSIS,
        status,
        "advice in the report" if outcome.review else outcome.sentence,
        seconds=outcome.seconds,
    )
    stages = tuple(row if it.stage is Stage.ANALYSIS else it for it in result.stages)
    return replace(result, stages=stages)


def cleaned(text: str, mask: Clean) -> str:
    """Plain and masked: as it came, and once more, as an escape may stand inside a secret."""
    return mask(plain(mask(text)))
