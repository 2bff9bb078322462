"""Analysis of a failure by a model: the evidence it is shown, what it says, what stands of that.

No word of a verdict, a stage or a check exists here, and an import contract keeps it so: what a
model says has nothing that it could be written into. A category is a name among those that the
request offers, and says what the model thinks of the cause.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bot.domain.changes import ChangeContext


class EvidenceKind(StrEnum):
    """What a piece of evidence is."""

    STAGE = "stage"
    FINDING = "finding"
    LOG = "log"
    DIFF = "diff"
    PAGE = "page"
    TITLE = "pull request title"
    COMMIT_MESSAGE = "commit message"
    SCREENSHOT = "screenshot"


@dataclass(frozen=True)
class Evidence:
    """A piece of evidence: ``E1``, ``E2`` and so on. ``stage`` is empty where it has none.

    ``place`` is where it comes from (``src/app.ts:3``, ``/cart at phone size``). ``text`` is
    plain, with known secrets masked; a screenshot has ``content`` of ``media_type`` instead.
    """

    id: str
    kind: EvidenceKind
    stage: str = ""
    place: str = ""
    text: str = ""
    media_type: str = ""
    content: bytes = b""

    @property
    def label(self) -> str:
        """What it is, in a few words: ``log of build``, ``finding of build at src/app.ts:3``."""
        of = f" of {self.stage.replace('_', ' ')}" if self.stage else ""
        return f"{self.kind.value}{of}{f' at {self.place}' if self.place else ''}"


@dataclass(frozen=True)
class Observed:
    """Something that a stage saw: what a page says, what its console says."""

    stage: str
    place: str
    text: str


@dataclass(frozen=True)
class Screenshot:
    """What a page looked like."""

    stage: str
    place: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class AnalysisContext(ChangeContext):
    """What is known of a failure beside its result. All of it was written by others.

    ``paths`` are all files of the tree; ``secrets`` the values that steps were given, by name.
    """

    observed: tuple[Observed, ...] = ()
    screenshots: tuple[Screenshot, ...] = ()
    paths: frozenset[str] = frozenset()
    secrets: Mapping[str, str] | None = None


@dataclass(frozen=True)
class AnalysisPromptView:
    """What a prompt is made of. ``fence`` is a random word that no evidence has."""

    evidence: tuple[Evidence, ...]
    categories: tuple[str, ...]
    fence: str
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReviewRequest:
    """What a reviewer is asked. ``rules`` are ours alone; ``text`` has the fenced evidence."""

    rules: str
    text: str
    pictures: tuple[Evidence, ...] = ()
    categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class Statement:
    """Something that is said, with the ids of the evidence that it is said of."""

    text: str
    references: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """A file, and a line from 1 where one is named."""

    file: str
    line: int | None = None
    references: tuple[str, ...] = ()


@dataclass(frozen=True)
class Review:
    """What a model says. As it comes nothing of it holds but its form."""

    category: Statement | None
    root_cause: Statement | None
    where: Place | None
    recommended_fix: Statement | None
    confidence: float | None
    tokens: int = 0
    model: str = ""


@dataclass(frozen=True)
class AnalysisOutcome:
    """What stands in the report: a judged review, or the sentence why there is none.

    ``dropped`` says what of the review did not hold; ``evidence`` is what it may refer to;
    ``left_out`` what the model was not shown.
    """

    review: Review | None
    sentence: str = ""
    dropped: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    left_out: tuple[str, ...] = ()
    seconds: float = 0.0
    tokens: int = 0

    def to_json(self) -> dict[str, Any]:
        """The public JSON: null for what is not told."""
        review = self.review
        cited = {it for said in _said(review) for it in said.references}
        return {
            "review": _review_json(review) if review else None,
            "sentence": self.sentence,
            "dropped": list(self.dropped),
            "evidence": [
                {"id": it.id, "kind": it.kind.value, "stage": it.stage, "place": it.place}
                for it in self.evidence
                if it.id in cited
            ],
            "seconds": round(self.seconds, 3),
            "tokens": self.tokens,
        }


# ── the reply's form ─────────────────────────────────────────────────────────────────────────


class Malformed(Exception):
    """A reply that has not the form that was asked for; ``problems`` says what is wrong."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def schema(categories: tuple[str, ...]) -> dict[str, Any]:
    """The reply's form, in the part of JSON Schema that Gemini takes."""
    ids = {"type": "array", "items": {"type": "string"}}

    def statement(**value: Any) -> dict[str, Any]:
        properties = {"text": {"type": "string", **value}, "evidence": ids}
        return {"type": "object", "properties": properties, "required": ["text", "evidence"]}

    where = {
        "type": "object",
        "nullable": True,
        "properties": {
            "file": {"type": "string"},
            "line": {"type": "integer", "nullable": True},
            "evidence": ids,
        },
        "required": ["file", "evidence"],
    }
    properties = {
        "category": statement(enum=list(categories)),
        "root_cause": statement(),
        "where": where,
        "recommended_fix": statement(),
        "confidence": {"type": "number"},
    }
    required = ["category", "root_cause", "recommended_fix", "confidence"]
    return {"type": "object", "properties": properties, "required": required}


def parse(text: str) -> Review:
    """A reply of that form. Raises Malformed; keys that were not asked for are not read."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        raise Malformed(("the answer is not JSON",)) from None
    if not isinstance(told, dict):
        raise Malformed(("the answer is not a JSON object",))
    problems: list[str] = []
    review = Review(
        category=_statement(told, "category", problems),
        root_cause=_statement(told, "root_cause", problems),
        where=_place(told, problems),
        recommended_fix=_statement(told, "recommended_fix", problems),
        confidence=_number(told, problems),
    )
    if problems:
        raise Malformed(tuple(problems))
    return review


def _statement(told: Mapping[str, Any], name: str, problems: list[str]) -> Statement | None:
    value = told.get(name)
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        problems.append(f"`{name}` is not an object with a `text`")
        return None
    return Statement(value["text"], _references(value, name, problems))


def _place(told: Mapping[str, Any], problems: list[str]) -> Place | None:
    value = told.get("where")
    if value is None:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("file"), str):
        problems.append("`where` is neither null nor an object with a `file`")
        return None
    line = value.get("line")
    if line is not None and (isinstance(line, bool) or not isinstance(line, int)):
        problems.append("`where.line` is neither null nor a whole number")
        return None
    return Place(value["file"], line, _references(value, "where", problems))


def _references(told: Mapping[str, Any], name: str, problems: list[str]) -> tuple[str, ...]:
    ids = told.get("evidence")
    if not isinstance(ids, list) or not all(isinstance(it, str) for it in ids):
        problems.append(f"`{name}.evidence` is not a list of ids")
        return ()
    return tuple(dict.fromkeys(ids))


def _number(told: Mapping[str, Any], problems: list[str]) -> float | None:
    value = told.get("confidence")
    if isinstance(value, bool) or not isinstance(value, int | float):
        problems.append("`confidence` is not a number")
        return None
    try:
        return float(value)
    except OverflowError:
        problems.append("`confidence` is out of range")
        return None


def _said(review: Review | None) -> tuple[Statement | Place, ...]:
    if review is None:
        return ()
    told = (review.category, review.root_cause, review.where, review.recommended_fix)
    return tuple(it for it in told if it is not None)


def _review_json(review: Review) -> dict[str, Any]:
    def shown(said: Statement | None) -> dict[str, Any] | None:
        return {"text": said.text, "evidence": list(said.references)} if said else None

    where = review.where
    return {
        "category": shown(review.category),
        "root_cause": shown(review.root_cause),
        "where": (
            {"file": where.file, "line": where.line, "evidence": list(where.references)}
            if where
            else None
        ),
        "recommended_fix": shown(review.recommended_fix),
        "confidence": review.confidence,
        "model": review.model,
    }
