"""What the agent is told of a failed validation: its report in pieces, plain and bounded.

All of it was written by others, by programs or by a model. A report that lacks a part, or has it in
another shape, has fewer pieces: nothing here raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.domain.changes import ChangeContext
from bot.domain.log_text import excerpt, one_line, plain
from bot.domain.plan import Stage, StageStatus
from bot.domain.pull_request_records import FixAttempt, FixOutcome
from bot.domain.validation_records import ValidationRecord
from bot.domain.validations import Level
from bot.policy import agent_words as words
from bot.ports.renderer import Piece

MOST_STAGES = 3
MOST_FAULTS = 10
MOST_FINDINGS = 20
MOST_HUNKS = 20
MOST_ATTEMPTS = 8
LONGEST_LINE = 300
LONGEST_SUMMARY = 3_000
LONGEST_FINDINGS = 5_000
LONGEST_LOG = 8_000
LONGEST_HUNK = 2_000
LONGEST_DIFF = 8_000
LONGEST_SUGGESTION = 3_000
LONGEST_TRIED = 3_000
MEDIA_TYPES = frozenset({"image/png", "image/jpeg", "image/webp"})
"""What a model takes as a picture."""

GONE = "The record of the validation is gone: see its check on GitHub for what failed."
NO_REPORT = "The validation left no report."
NO_STAGE = "The report names no stage that failed."
NO_LOG = "The stage that failed printed nothing."
UNVERIFIED = (
    "A model's suggestion, unverified. It may be wrong: hold it against the code before you use it."
)
CHANGED = "What the last attempt to mend it changed:"
TRIED = "What was tried before. Try something else:"

_DID_NOT_PASS = frozenset(
    it.value for it in (StageStatus.FAILED, StageStatus.TIMED_OUT, StageStatus.ERROR)
)
_OF_THE_APPLICATION = frozenset(
    it.value for it in (Stage.HEALTH, Stage.PORTS, Stage.WEB_EVALUATION, Stage.STABILITY)
)
_STAGES = frozenset(it.value for it in Stage)
_GRAVITY = {level.value: rank for rank, level in enumerate(Level)}
_OUTCOMES: Mapping[FixOutcome, str] = {
    FixOutcome.PUSHED: "it was pushed",
    FixOutcome.NO_PUSH: "nothing was pushed",
    FixOutcome.EMPTY_PUSH: "what was pushed changed no file",
    FixOutcome.ONLY_TESTS: "only tests or `.github/` were changed",
    FixOutcome.SECOND_PULL_REQUEST: "a second pull request was opened",
    FixOutcome.AGENT_FAILED: "the agent failed",
    FixOutcome.CANCELLED: "it was cancelled",
    FixOutcome.OVERTAKEN: "somebody else pushed meanwhile",
}

Told = Mapping[str, Any]


@dataclass(frozen=True)
class Shot:
    """A screenshot of what failed, as an artifact; ``label`` says of what, in data's words."""

    artifact_id: str
    media_type: str
    label: str


def cut(text: str, most: int) -> str:
    """A plain text of at most ``most`` characters, and a few that say what is missing."""
    return words.cut(plain(text).strip("\n"), most)


def reported(record: ValidationRecord | None) -> tuple[tuple[Piece, ...], tuple[str, ...]]:
    """The pieces of a validation's report, and sentences on what it does not tell."""
    if record is None:
        return (), (GONE,)
    result = record.result
    if not isinstance(result, Mapping) or not result:
        said = "\n".join(filter(None, (_line(record.title), _line(record.reason))))
        return _pieces(Piece("what failed", said)), (NO_REPORT,)
    failed = [it for it in _dicts(result.get("stages")) if _text(it.get("status")) in _DID_NOT_PASS]
    log = _log(result, failed)
    missing = () if log else (NO_LOG if failed else NO_STAGE,)
    return _pieces(
        Piece("what failed", _summary(record, result, failed[:MOST_STAGES])),
        Piece("findings", _findings(result)),
        log,
        Piece("a model's suggestion, unverified", _suggestion(result), UNVERIFIED),
    ), missing


def tried(attempts: Sequence[FixAttempt]) -> Piece | None:
    """What was tried, the newest last; the one that goes on is left out."""
    kept: list[str] = []
    room = LONGEST_TRIED
    ended = [it for it in attempts if it.outcome is not None]
    for attempt in reversed(ended[-MOST_ATTEMPTS:]):
        said = _attempt(attempt)
        room -= len(said) + 1
        if room < 0:
            break
        kept.insert(0, said)
    return Piece("what was tried before", "\n".join(kept), TRIED) if kept else None


def last_pushed(attempts: Sequence[FixAttempt]) -> FixAttempt | None:
    """The last attempt that led to another head."""
    pushed = (it for it in reversed(attempts) if it.pushed_sha and it.pushed_sha != it.head_sha)
    return next(pushed, None)


def changed(change: ChangeContext) -> Piece | None:
    """The hunks of an attempt, the first ones that there is room for."""
    shown: list[str] = []
    room = LONGEST_DIFF
    for hunk in change.hunks[:MOST_HUNKS]:
        said = f"--- {_line(hunk.file)}\n{cut(hunk.text, LONGEST_HUNK)}"
        if len(said) > room:
            continue
        room -= len(said)
        shown.append(said)
    if not shown:
        return None
    if left := len(change.hunks) - len(shown):
        shown.append(f"… {left:,} more hunk{'s' if left > 1 else ''} left out …")
    return Piece("changes of the last attempt", "\n".join(shown), CHANGED)


def shots(record: ValidationRecord | None) -> tuple[Shot, ...]:
    """The screenshots of flows and pages that failed, the one that tells most first."""
    result = record.result if record else None
    if not isinstance(result, Mapping):
        return ()
    web = Stage.WEB_EVALUATION.value
    stages = _dicts(result.get("stages"))
    if not any(it.get("name") == web and _text(it.get("status")) in _DID_NOT_PASS for it in stages):
        return ()
    kept = {
        _text(it.get("name")): it
        for it in _dicts(result.get("artifacts"))
        if it.get("stage") == web
        and _text(it.get("media_type")) in MEDIA_TYPES
        and _text(it.get("id"))
    }
    evaluation = result.get("web_evaluation")
    told = _failed_pictures(evaluation) if isinstance(evaluation, Mapping) else ()
    found = {name: label for name, label in told if name in kept}
    if not found:
        found = dict.fromkeys(kept, "a page")
    return tuple(
        Shot(str(kept[name]["id"]), str(kept[name]["media_type"]), label)
        for name, label in found.items()
    )


# ── the pieces ───────────────────────────────────────────────────────────────────────────────


def _summary(record: ValidationRecord, result: Told, failed: Sequence[Told]) -> str:
    lines = [
        _line(_text(result.get("title")) or record.title),
        _line(_text(result.get("reason"))),
        _named("class", result.get("class")),
        _named("what to do", result.get("what_to_do")),
    ]
    for stage in failed:
        lines += [
            _named("stage", stage.get("name")),
            _named("status", stage.get("status")),
            _named("command", stage.get("command")),
            _named("exit code", stage.get("exit_code")),
            _named("reason", stage.get("reason")),
            *(f"- {_line(it)}" for it in _texts(stage.get("faults"))[:MOST_FAULTS]),
        ]
    return cut("\n".join(filter(None, lines)), LONGEST_SUMMARY)


def _findings(result: Told) -> str:
    """``file:line: rule message``, failures first."""
    found = _dicts(result.get("findings"))
    found.sort(key=lambda it: _GRAVITY.get(_text(it.get("level")), len(_GRAVITY)))
    lines = [_finding(it) for it in found[:MOST_FINDINGS]]
    if left := len(found) - len(lines):
        lines.append(f"… {left:,} more left out …")
    return cut("\n".join(lines), LONGEST_FINDINGS)


def _finding(found: Told) -> str:
    line = found.get("line")
    place = _line(_text(found.get("file"))) + (f":{line}" if isinstance(line, int) else "")
    said = " ".join(_line(_text(found.get(it))) for it in ("rule", "message") if found.get(it))
    return f"{place}: {said}"


def _log(result: Told, failed: Sequence[Told]) -> Piece | None:
    """The log of the stage that ended it; a check of the application tells by the application's."""
    if not failed:
        return None
    stage = failed[0]
    if (
        not _text(stage.get("log_excerpt")).strip()
        and _text(stage.get("name")) in _OF_THE_APPLICATION
    ):
        stages = _dicts(result.get("stages"))
        stage = next((it for it in stages if it.get("name") == Stage.START.value), stage)
    text = plain(_text(stage.get("log_excerpt")))
    name = _text(stage.get("name"))
    of = f" of {name.replace('_', ' ')}" if name in _STAGES else ""
    return Piece(f"log{of}", excerpt(text, max_bytes=LONGEST_LOG)) if text.strip() else None


def _suggestion(result: Told) -> str:
    analysis = result.get("analysis")
    review = analysis.get("review") if isinstance(analysis, Mapping) else None
    if not isinstance(review, Mapping):
        return ""
    place = review.get("where")
    where = place if isinstance(place, Mapping) else {}
    line, confidence = where.get("line"), review.get("confidence")
    file = _named("where", where.get("file"))
    lines = [
        _said("root cause", review.get("root_cause")),
        f"{file}:{line}" if file and isinstance(line, int) else file,
        _said("recommended fix", review.get("recommended_fix")),
    ]
    if not any(lines):
        return ""
    if isinstance(confidence, int | float):
        lines.append(f"confidence, by its own account: {confidence:.2f}")
    return cut("\n".join(filter(None, lines)), LONGEST_SUGGESTION)


def _attempt(attempt: FixAttempt) -> str:
    by = f", asked for by {_line(attempt.asked_by)}" if attempt.asked_by else ""
    paths = ", ".join(map(_line, attempt.changed))
    outcome = _OUTCOMES[attempt.outcome] if attempt.outcome else "it goes on"
    shown = f"; it changed {cut(paths, LONGEST_LINE)}" if paths else ""
    head = attempt.head_sha[:12]
    return f"{attempt.ordinal}. at {head}{by}: {_line(attempt.failure)}; {outcome}{shown}".replace(
        "\n", " "
    )


def _failed_pictures(evaluation: Told) -> Iterable[tuple[str, str]]:
    """Names of pictures and what they show: of flows that failed, then of pages with faults."""
    for flow in _dicts(evaluation.get("flows")):
        pictures = _texts(flow.get("pictures"))
        if flow.get("outcome") == "failed" and pictures:
            yield pictures[-1], f"flow {_line(_text(flow.get('name')))}"
    for page in _dicts(evaluation.get("pages")):
        if any(page.get(it) for it in ("fault", "exceptions", "requests", "console")):
            size = _line(_text(page.get("size")))
            label = f"page {_line(_text(page.get('path')))}{f' at {size} size' if size else ''}"
            yield _text(page.get("picture")), label


# ── reading what may have any shape ──────────────────────────────────────────────────────────


def _pieces(*pieces: Piece | None) -> tuple[Piece, ...]:
    return tuple(it for it in pieces if it is not None and it.text)


def _said(name: str, value: object) -> str:
    text = plain(_text(value.get("text"))).strip() if isinstance(value, Mapping) else ""
    return f"{name}: {text}" if text else ""


def _named(name: str, value: object) -> str:
    text = str(value) if isinstance(value, int) else _text(value)
    return f"{name}: {_line(text)}" if text.strip() else ""


def _line(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    return [it for it in value if isinstance(it, str)] if isinstance(value, list | tuple) else []


def _dicts(value: object) -> list[Told]:
    if not isinstance(value, list | tuple):
        return []
    return [it for it in value if isinstance(it, Mapping)]
