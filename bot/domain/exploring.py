"""An exploration: what a model sees of a started application, may do there, and says of it.

No word of a verdict, a stage or a check exists here, and an import contract keeps it so: what the
model says is advice, and has nothing that it could be written into. Steps count from 1, which is
the opening of the first page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from bot.domain.analysis import Malformed
from bot.domain.bounded_json import mapped, plain, read


class ActionKind(StrEnum):
    """What can be done in a tab; ``done`` ends the exploration."""

    CLICK = "click"
    FILL = "fill"
    SELECT = "select"
    PRESS = "press"
    SCROLL = "scroll"
    GOTO = "goto"
    BACK = "back"
    DONE = "done"


class Outcome(StrEnum):
    """What the model thinks came of its task."""

    ACHIEVED = "achieved"
    NOT_ACHIEVED = "not_achieved"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Action:
    """One thing to do. ``ref`` names an element of the last observation.

    ``text`` is what is entered or chosen, a key, ``up`` or ``down``, or a path.
    """

    kind: ActionKind
    ref: str = ""
    text: str = ""


@dataclass(frozen=True)
class Element:
    """An element of a page that can be acted on, by what it says of itself."""

    role: str
    name: str = ""


@dataclass(frozen=True)
class Observation:
    """What a tab shows after an action.

    ``ok`` is whether the action worked; ``said`` what came of it beside what is seen. ``url`` is
    path and query. ``lines`` are the accessibility tree as Playwright writes it, with ``[ref=e5]``
    at each element; ``left_out`` lines of it are missing at its end. ``complaints`` are what the
    page threw, said on its console or asked for in vain since the last observation. ``picture`` is
    the name of a screenshot, empty where there is none; its bytes are ``content``.
    """

    ok: bool = True
    said: str = ""
    url: str = ""
    title: str = ""
    status: int | None = None
    lines: tuple[str, ...] = ()
    left_out: int = 0
    complaints: tuple[str, ...] = ()
    picture: str = ""
    media_type: str = ""
    content: bytes = b""

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read what a probe sent, all but the bytes. Raises NotInShape."""
        return read(cls, value)

    def masked(self, mask: Callable[[str], str]) -> Self:
        """The same with every text masked."""
        return mapped(self, mask)

    @property
    def elements(self) -> dict[str, Element]:
        """The elements that can be acted on, by their references."""
        return dict(_elements(self.lines))


@dataclass(frozen=True)
class ExploredStep:
    """One step: what was done in our words, what came of it, and why the model wanted it.

    ``came`` is empty where it just worked; ``picture`` is a screenshot's name, empty for none.
    """

    number: int
    did: str
    came: str = ""
    note: str = ""
    url: str = ""
    complaints: tuple[str, ...] = ()
    picture: str = ""


@dataclass(frozen=True)
class Remark:
    """Something that the model found, and the step that shows it."""

    step: int
    text: str


@dataclass(frozen=True)
class Proposal:
    """A model's answer. As it comes nothing of it holds but its form."""

    note: str
    action: Action
    findings: tuple[Remark, ...] = ()
    not_verified: tuple[str, ...] = ()
    outcome: Outcome | None = None


@dataclass(frozen=True)
class ExplorerAnswer:
    """A proposal and what it cost."""

    proposal: Proposal
    tokens: int = 0
    model: str = ""


@dataclass(frozen=True)
class ExplorerRequest:
    """What a model is asked. ``rules`` are ours alone; ``text`` has the fenced data.

    ``picture`` is a media type and bytes, None where no picture may leave the machine.
    """

    rules: str
    text: str
    picture: tuple[str, bytes] | None = None


@dataclass(frozen=True)
class ExploringPromptView:
    """What a prompt is made of. ``fence`` is a random word that nothing else here has."""

    fence: str
    task: str
    steps: Sequence[ExploredStep]
    seen: Observation
    findings: Sequence[Remark]
    steps_left: int
    has_picture: bool


@dataclass(frozen=True)
class Exploration:
    """What came of a task. ``ended`` says why it ended before the model was done.

    Without ``steps`` the task was not explored at all. ``dropped`` says what of the model's words
    did not hold.
    """

    task: str
    steps: tuple[ExploredStep, ...] = ()
    findings: tuple[Remark, ...] = ()
    not_verified: tuple[str, ...] = ()
    outcome: Outcome | None = None
    ended: str = ""
    dropped: tuple[str, ...] = ()
    seconds: float = 0.0
    tokens: int = 0
    model: str = ""

    def to_json(self) -> dict[str, Any]:
        """The public JSON."""
        told: dict[str, Any] = plain(self)
        return {**told, "seconds": round(self.seconds, 3)}


# ── the tree ─────────────────────────────────────────────────────────────────────────────────

_QUOTED_KEY = re.compile(r"'((?:[^']|'')*)'(.*)$")
_KEY = re.compile(r'([a-z][\w-]*)(?: ("(?:[^"\\]|\\.)*"))?((?: \[[^\]\[]*\])*)(?:: (.*)|:?$)')
_REF = re.compile(r"\[ref=((?:f\d+)?e\d+)\]")
LONGEST_NAME = 80


def _elements(lines: Sequence[str]) -> Iterator[tuple[str, Element]]:
    """Each line is ``- role "name" [attribute] [ref=e5]: text``, its key quoted where it must be.

    Only attributes count, which stand behind a quoted name: no page can write one.
    """
    for line in lines:
        key = line.strip().removeprefix("- ")
        if quoted := _QUOTED_KEY.match(key):
            key = quoted[1].replace("''", "'") + quoted[2]
        found = _KEY.match(key)
        ref = _REF.search(found[3]) if found else None
        if found is None or ref is None:
            continue
        name = _unquoted(found[2]) if found[2] else (found[4] or "")
        yield ref[1], Element(found[1], " ".join(name.split())[:LONGEST_NAME])


def _unquoted(text: str) -> str:
    try:
        value = json.loads(text)
    except ValueError:
        return text[1:-1]
    return value if isinstance(value, str) else ""


# ── the reply's form ─────────────────────────────────────────────────────────────────────────


def schema() -> dict[str, Any]:
    """The reply's form, in the part of JSON Schema that Gemini takes."""
    text = {"type": "string"}
    finding = {
        "type": "object",
        "properties": {"step": {"type": "integer"}, "text": text},
        "required": ["step", "text"],
    }
    action = {
        "type": "object",
        "properties": {
            "kind": {"type": "string", "enum": [it.value for it in ActionKind]},
            "ref": {"type": "string", "nullable": True},
            "text": {"type": "string", "nullable": True},
        },
        "required": ["kind"],
    }
    outcomes = [it.value for it in Outcome]
    properties = {
        "note": text,
        "findings": {"type": "array", "items": finding},
        "action": action,
        "outcome": {"type": "string", "enum": outcomes, "nullable": True},
        "not_verified": {"type": "array", "items": text},
    }
    return {"type": "object", "properties": properties, "required": ["note", "findings", "action"]}


def parse(text: str) -> Proposal:
    """A reply of that form. Raises Malformed; keys that were not asked for are not read."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        raise Malformed(("the answer is not JSON",)) from None
    if not isinstance(told, dict):
        raise Malformed(("the answer is not a JSON object",))
    problems: list[str] = []
    proposal = Proposal(
        note=_text(told, "note", problems),
        action=_action(told.get("action"), problems),
        findings=tuple(_remarks(told.get("findings"), problems)),
        not_verified=_texts(told.get("not_verified"), problems),
        outcome=_outcome(told.get("outcome"), problems),
    )
    if problems:
        raise Malformed(tuple(problems))
    return proposal


def _text(told: Mapping[str, Any], name: str, problems: list[str]) -> str:
    value = told.get(name)
    if not isinstance(value, str):
        problems.append(f"`{name}` is not a string")
        return ""
    return value


def _action(value: object, problems: list[str]) -> Action:
    kinds = [it.value for it in ActionKind]  # what comes may be unhashable
    if not isinstance(value, dict) or value.get("kind") not in kinds:
        problems.append(f"`action` is not an object with a `kind` of {', '.join(sorted(kinds))}")
        return Action(ActionKind.DONE)
    given = {name: value.get(name) for name in ("ref", "text")}
    for name, it in given.items():
        if it is not None and not isinstance(it, str):
            problems.append(f"`action.{name}` is neither null nor a string")
    return Action(ActionKind(value["kind"]), str(given["ref"] or ""), str(given["text"] or ""))


def _remarks(value: object, problems: list[str]) -> Iterator[Remark]:
    if not isinstance(value, list):
        problems.append("`findings` is not a list")
        return
    for it in value:
        step = it.get("step") if isinstance(it, dict) else None
        said = it.get("text") if isinstance(it, dict) else None
        if not isinstance(step, int) or isinstance(step, bool) or not isinstance(said, str):
            problems.append("`findings` has one that is no object of `step` (a number) and `text`")
            return
        yield Remark(step, said)


def _texts(value: object, problems: list[str]) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(it, str) for it in value):
        problems.append("`not_verified` is not a list of strings")
        return ()
    return tuple(value)


def _outcome(value: object, problems: list[str]) -> Outcome | None:
    if value is None:
        return None
    if value not in [it.value for it in Outcome]:
        problems.append("`outcome` is none of those that were given")
        return None
    return Outcome(str(value))
