"""The exploring agent's rules: its bounds, what it may do, and what of its words stands.

The floor is the one of ``bot.policy.analysis``: an exploration comes after all that decides has
been seen, and stands beside a verdict that is made of stages alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bot.domain.exploring import (
    Action,
    ActionKind,
    Exploration,
    ExploredStep,
    Observation,
    Outcome,
    Proposal,
    Remark,
)
from bot.domain.log_text import one_line
from bot.domain.plan import Stage, StageResult, StageStatus
from bot.ports.explorer import Gone
from bot.ports.reviewer import ReviewerFault

Clean = Callable[[str], str]
"""Makes a text plain and masks the secrets in it."""

LONGEST_NOTE = 300
LONGEST_FINDING = 500
LONGEST_TYPED = 500
LONGEST_PATH = 500
LONGEST_LINE = 300
LONGEST_QUOTE = 60
MOST_COMPLAINTS = 8
MEDIA_TYPES = frozenset({"image/png", "image/jpeg"})

NO_KEY = "no Gemini key"
NO_PAGE = "there is no web page"
NOT_REACHED = "it comes after the other stages of the application, which did not all pass"
BROKEN = "a fault of ours"
LIMITED = "Gemini's limit is reached"
AWAY = "Gemini does not answer"
_FAULTS: Final[Mapping[ReviewerFault, str]] = {
    ReviewerFault.NO_KEY: NO_KEY,
    ReviewerFault.UNAUTHORIZED: "Gemini refused our key",
    ReviewerFault.UNKNOWN_MODEL: "Gemini has no such model",
    ReviewerFault.INVALID: "Gemini did not take the question",
    ReviewerFault.BLOCKED: "Gemini refused to look at this page",
    ReviewerFault.REFUSED: "Gemini refused to answer about this page",
    ReviewerFault.TRUNCATED: "Gemini's answer was cut short, twice",
    ReviewerFault.BAD_ANSWER: "Gemini's answer could not be read, twice",
}
_GONE: Final[Mapping[Gone, str]] = {
    Gone.APPLICATION: "the application ended meanwhile",
    Gone.BROWSER: "the browser could not go on",
    Gone.MACHINE: "the machine or this service was at fault",
}
_KEYS = re.compile(
    r"(?:(?:Shift|Control|Alt)\+){0,2}(?:[A-Za-z0-9]|Enter|Tab|Escape|Backspace|Delete|Space|"
    r"Home|End|PageUp|PageDown|Arrow(?:Up|Down|Left|Right))"
)
_PATH = re.compile(r"/(?![/\\])[^\s\\]*")
_WITH_REF = frozenset({ActionKind.CLICK, ActionKind.FILL, ActionKind.SELECT})
_ROLES: Final[Mapping[str, str]] = {
    "textbox": "field",
    "searchbox": "field",
    "spinbutton": "field",
    "combobox": "list",
    "listbox": "list",
    "generic": "element",
    "img": "picture",
}
"""Words of people, for those that only programs use."""
_SUPPOSED_DONE = {
    Outcome.ACHIEVED: "it says that the task can be done",
    Outcome.NOT_ACHIEVED: "it says that the task can't be done",
    Outcome.UNCLEAR: "it can't say whether the task can be done",
}


@dataclass(frozen=True)
class ExploringBudget:
    """How far an exploration goes. ``steps`` count the opening of the first page.

    ``waits`` is how often it waits, before one step, for a fault of the model's that passes.
    """

    steps: int = 15
    seconds: float = 180.0
    tokens: int = 120_000
    tree_characters: int = 12_000
    picture_bytes: int = 600_000
    findings: int = 12
    not_verified: int = 10
    waits: int = 2


@dataclass(frozen=True)
class JudgedWords:
    """What holds of an answer's words, and what was dropped and why."""

    note: str
    findings: tuple[Remark, ...]
    not_verified: tuple[str, ...]
    dropped: tuple[str, ...]


# ── what is seen ─────────────────────────────────────────────────────────────────────────────


def cleaned(seen: Observation, clean: Clean, budget: ExploringBudget) -> Observation:
    """An observation as it may be shown and kept: every text a plain line, masked and bounded.

    All texts go through ``clean`` before they are cut here, so that no half of a secret is left;
    of what the probe has cut ``clean`` knows beginnings of secrets, too.
    """

    def line(text: str) -> str:
        return clean(text).replace("\n", " ")

    seen = seen.masked(line)
    lines, room = [], budget.tree_characters
    for it in seen.lines:
        shown = _cut(it, LONGEST_LINE)
        room -= len(shown) + 1
        if room < 0:
            break
        lines.append(shown)
    fits = seen.media_type in MEDIA_TYPES and 0 < len(seen.content) <= budget.picture_bytes
    return replace(
        seen,
        said=_words(seen.said, LONGEST_NOTE),
        url=_words(seen.url, LONGEST_PATH),
        title=_words(seen.title, LONGEST_LINE),
        lines=tuple(lines),
        left_out=max(0, seen.left_out) + len(seen.lines) - len(lines),
        complaints=tuple(_words(it, LONGEST_LINE) for it in seen.complaints[:MOST_COMPLAINTS]),
        content=seen.content if fits else b"",
    )


def step(number: int, did: str, seen: Observation, note: str = "") -> ExploredStep:
    """What is kept of a step, once it is seen what came of it."""
    came = seen.said or ("" if seen.ok else "it did not work")
    return ExploredStep(number, did, came, note, seen.url, seen.complaints, seen.picture)


# ── what is done ─────────────────────────────────────────────────────────────────────────────


def refusal(action: Action, seen: Observation) -> str:
    """Why an action is not carried out; empty where it is. Addressed to the model.

    There is no list of words that are not clicked: the box is thrown away, nothing looks at the
    application afterwards, and whoever wrote the task may mean just that.
    """
    kind, text = action.kind, action.text
    needs_ref = kind in _WITH_REF or (kind is ActionKind.PRESS and bool(action.ref))
    if needs_ref and action.ref not in seen.elements:
        return "refused: the page has no element of this `ref`"
    if len(text) > LONGEST_TYPED:
        return f"refused: `text` is longer than {LONGEST_TYPED} characters"
    if kind is ActionKind.SELECT and not text:
        return "refused: `text` must be the option that is to be chosen"
    if kind is ActionKind.PRESS and not _KEYS.fullmatch(text):
        return "refused: `text` must be one key, such as Enter, Tab, Escape or ArrowDown"
    if kind is ActionKind.SCROLL and text not in {"", "up", "down"}:
        return "refused: `text` must be up or down"
    if kind is ActionKind.GOTO and not _PATH.fullmatch(text):
        return "refused: `text` must be a path of this application, such as /about"
    return ""


def words(action: Action, seen: Observation) -> str:
    """An action in our words, for what it was done to: ``clicked button “Save”``."""
    element = seen.elements.get(action.ref)
    what = "an element that is not there"
    if element is not None:
        role = _ROLES.get(element.role, element.role)
        what = f"{role} “{_quoted(element.name)}”" if element.name else role
    text = _quoted(action.text)
    match action.kind:
        case ActionKind.CLICK:
            return f"clicked {what}"
        case ActionKind.FILL:
            return f"wrote “{text}” into {what}" if text else f"emptied {what}"
        case ActionKind.SELECT:
            return f"chose “{text}” in {what}"
        case ActionKind.PRESS:
            return f"pressed {text} in {what}" if action.ref else f"pressed {text}"
        case ActionKind.SCROLL:
            return f"scrolled {text or 'down'}"
        case ActionKind.GOTO:
            return f"went to `{text.replace('`', '´')}`"
        case ActionKind.BACK:
            return "went back"
        case ActionKind.DONE:
            return "was done"


# ── what is said ─────────────────────────────────────────────────────────────────────────────


def judge(
    proposal: Proposal,
    last_step: int,
    known: Sequence[Remark],
    clean: Clean,
    budget: ExploringBudget,
) -> JudgedWords:
    """Keep what can be checked: findings that cite a step there is, each once, as plain lines."""
    kept: list[Remark] = []
    dropped: dict[str, int] = {}

    def drop(why: str) -> None:
        dropped[why] = dropped.get(why, 0) + 1

    for it in proposal.findings:
        text = _words(clean(it.text), LONGEST_FINDING)
        if not text:
            drop("it says nothing")
        elif not 1 <= it.step <= last_step:
            drop("it cites a step that there is not")
        elif any(text == other.text for other in (*known, *kept)):
            continue
        elif len(known) + len(kept) >= budget.findings:
            drop(f"there are {budget.findings} already")
        else:
            kept.append(Remark(it.step, text))
    unsure = (_words(clean(it), LONGEST_NOTE) for it in proposal.not_verified)
    listed = tuple(dict.fromkeys(it for it in unsure if it))
    return JudgedWords(
        note=_words(clean(proposal.note), LONGEST_NOTE),
        findings=tuple(kept),
        not_verified=listed[: budget.not_verified],
        dropped=tuple(f"{_count(number, 'finding')}: {why}" for why, number in dropped.items()),
    )


def outcome_words(outcome: Outcome) -> str:
    """What the model says of its task, as something that it says."""
    return _SUPPOSED_DONE[outcome]


# ── how it ended ─────────────────────────────────────────────────────────────────────────────


def unanswered(fault: ReviewerFault) -> str:
    """The report's words for a model's refusal."""
    return _FAULTS[fault]


def gone(why: Gone) -> str:
    """The report's words for a tab that could not go on."""
    return _GONE[why]


def used_up(name: str, number: float) -> str:
    """The report's words for a bound: ``steps``, ``seconds`` or ``tokens``."""
    return f"its limit of {number:,.0f} {name} was reached"


def finished(exploration: Exploration) -> Exploration:
    """With what was not verified where it ended before the model was done."""
    if not exploration.ended or not exploration.steps:
        return exploration
    said = f"the task as a whole: {exploration.ended}"
    return replace(exploration, not_verified=(*exploration.not_verified, said))


def notes(exploration: Exploration | None, stages: Sequence[StageResult]) -> tuple[str, ...]:
    """What the report's notes say of a task that was not explored."""
    if exploration is None or exploration.steps:
        return ()
    page = {it.stage: it.status for it in stages}.get(Stage.WEB_EVALUATION)
    why = exploration.ended or NOT_REACHED
    if why == NOT_REACHED and page is StageStatus.SKIPPED:
        why = NO_PAGE
    return (f"the task was not explored: {why}",)


def _quoted(text: str) -> str:
    return _words(text, LONGEST_QUOTE)


def _words(text: str, most: int) -> str:
    return _cut(one_line(text), most)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"
