"""What the code analysis found: head against base, as its box told it.

The box reads hostile code, so what it says is taken like any input: types are checked, numbers
and texts bounded, control characters spelt out. Lines and columns count from 1.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from bot.domain.log_text import one_line

SCHEMA = 1
LONGEST_TEXT = 400
MOST_ITEMS = 200
LARGEST = 10**9

Item = TypeVar("Item")


class BadAnalysis(Exception):
    """The answer is not of the analysis's protocol: an infrastructure fault, never a finding."""


class AnalysisState(StrEnum):
    """How an analysis ended; only the first three have looked at all that they should."""

    ANALYSED = "analysed"
    UNCHANGED = "unchanged"
    NOTHING = "nothing"
    TOO_LARGE = "too_large"
    OUT_OF_MEMORY = "out_of_memory"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class Language:
    """A language of the head. ``known`` says whether it is analysed."""

    name: str
    lines: int
    files: int
    known: bool


@dataclass(frozen=True)
class LeftOut:
    """A source file of a known language that was not analysed, and why."""

    file: str
    why: str


@dataclass(frozen=True)
class DanglingImport:
    """An import that leads nowhere in head, and did not in base.

    ``name`` is empty where the whole module is missing. ``certain`` is false where the tree has
    a reason for it, told in ``why``.
    """

    file: str
    line: int
    column: int
    module: str
    name: str
    certain: bool
    why: str


@dataclass(frozen=True)
class Cycle:
    """Files that import one another while they are loaded; the first is also the last."""

    file: str
    line: int
    files: tuple[str, ...]


@dataclass(frozen=True)
class ChangedSymbol:
    """A symbol whose text has changed, and who uses it; ``files`` may be the first of many."""

    symbol: str
    file: str
    line: int
    kind: str
    usages: int
    files: tuple[str, ...]
    file_count: int


@dataclass(frozen=True)
class UnusedFunction:
    """A function that the head adds and that nothing in it names again."""

    symbol: str
    file: str
    line: int


@dataclass(frozen=True)
class CodeAnalysis:
    """The whole result. A ``…_count`` is of all that there were, however many are listed.

    ``standing`` counts imports that dangle in head and base alike.
    """

    state: AnalysisState
    reason: str = ""
    has_base: bool = False
    lines: int = 0
    line_limit: int = 0
    languages: tuple[Language, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    left_out_count: int = 0
    dangling: tuple[DanglingImport, ...] = ()
    dangling_count: int = 0
    standing: int = 0
    cycles: tuple[Cycle, ...] = ()
    cycles_count: int = 0
    changed: tuple[ChangedSymbol, ...] = ()
    changed_count: int = 0
    unused: tuple[UnusedFunction, ...] = ()
    unused_count: int = 0
    seconds: float = 0.0

    @property
    def files(self) -> frozenset[str]:
        """Every file that the analysis points at."""
        return frozenset(
            (
                *(it.file for it in self.dangling),
                *(it.file for it in self.cycles),
                *(it.file for it in self.changed),
                *(it.file for it in self.unused),
            )
        )


def parse_analysis(answer: bytes | str) -> CodeAnalysis:
    """The result that an answer stands for. Raises BadAnalysis."""
    try:
        told = _Told(json.loads(answer))
    except (ValueError, RecursionError) as fault:
        raise BadAnalysis("the answer is no JSON") from fault
    if told.number("schema") != SCHEMA:
        raise BadAnalysis("the answer is of another version")
    try:
        state = AnalysisState(told.text("state"))
    except ValueError as fault:
        raise BadAnalysis("the answer has an unknown state") from fault
    return CodeAnalysis(
        state=state,
        reason=told.text("reason"),
        has_base=told.flag("base"),
        lines=told.number("lines"),
        line_limit=told.number("line_limit"),
        languages=told.items("languages", _language),
        left_out=told.items("left_out", _left_out),
        left_out_count=told.number("left_out_count"),
        dangling=told.items("dangling", _dangling),
        dangling_count=told.number("dangling_count", 0),
        standing=told.number("standing", 0),
        cycles=told.items("cycles", _cycle),
        cycles_count=told.number("cycles_count", 0),
        changed=told.items("changed", _changed),
        changed_count=told.number("changed_count", 0),
        unused=told.items("unused", _unused),
        unused_count=told.number("unused_count", 0),
        seconds=told.seconds("seconds"),
    )


class _Told:
    """An object of the answer, read field by field."""

    def __init__(self, value: object) -> None:
        if not isinstance(value, dict):
            raise BadAnalysis("the answer has something else where an object belongs")
        self._value: Mapping[str, Any] = value

    def text(self, name: str) -> str:
        value = self._value.get(name)
        if not isinstance(value, str) or len(value) > LONGEST_TEXT:
            raise BadAnalysis(f"the answer's {name} is no text, or too long a one")
        return one_line(value)

    def number(self, name: str, absent: int | None = None) -> int:
        value = self._value.get(name, absent)
        if type(value) is not int or not 0 <= value <= LARGEST:
            raise BadAnalysis(f"the answer's {name} is no number, or too large a one")
        return value

    def position(self, name: str) -> int:
        """A line or a column."""
        if (value := self.number(name)) < 1:
            raise BadAnalysis(f"the answer's {name} is no place")
        return value

    def seconds(self, name: str) -> float:
        value = self._value.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadAnalysis(f"the answer's {name} is no time")
        if not 0 <= value <= LARGEST:
            raise BadAnalysis(f"the answer's {name} is no time")
        return float(value)

    def flag(self, name: str) -> bool:
        value = self._value.get(name)
        if not isinstance(value, bool):
            raise BadAnalysis(f"the answer's {name} is neither true nor false")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(_Told({"": it}).text("") for it in self._list(name))

    def items(self, name: str, make: Callable[[_Told], Item]) -> tuple[Item, ...]:
        return tuple(make(_Told(it)) for it in self._list(name))

    def _list(self, name: str) -> list[object]:
        value = self._value.get(name, [])
        if not isinstance(value, list) or len(value) > MOST_ITEMS:
            raise BadAnalysis(f"the answer's {name} is no list, or too long a one")
        return value


def _language(it: _Told) -> Language:
    return Language(it.text("name"), it.number("lines"), it.number("files"), it.flag("known"))


def _left_out(it: _Told) -> LeftOut:
    return LeftOut(it.text("file"), it.text("why"))


def _dangling(it: _Told) -> DanglingImport:
    return DanglingImport(
        file=it.text("file"),
        line=it.position("line"),
        column=it.position("column"),
        module=it.text("module"),
        name=it.text("name"),
        certain=it.flag("certain"),
        why=it.text("why"),
    )


def _cycle(it: _Told) -> Cycle:
    return Cycle(it.text("file"), it.position("line"), it.texts("files"))


def _changed(it: _Told) -> ChangedSymbol:
    return ChangedSymbol(
        symbol=it.text("symbol"),
        file=it.text("file"),
        line=it.position("line"),
        kind=it.text("kind"),
        usages=it.number("usages"),
        files=it.texts("files"),
        file_count=it.number("file_count"),
    )


def _unused(it: _Told) -> UnusedFunction:
    return UnusedFunction(it.text("symbol"), it.text("file"), it.position("line"))
