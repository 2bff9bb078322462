"""A regular expression, read: items with how often they stand, and groups of alternatives.

Only what can be judged is read; ``Unsafe`` says which part is not. What is read is the part that
Python and JavaScript write alike, and JavaScript's ``(?<name>…)``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_LIMIT = 1000
_DEEPEST = 20
_GROUP = re.compile(r"\((?:\?(?P<kind>:|=|!|<=|<!|P?<[A-Za-z_]\w{0,40}>)|(?!\?))")
_COUNT = re.compile(r"\{(\d{1,4})(?:(,)(\d{0,4}))?\}")
_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]")
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[^xukABZ1-9])")
_ANCHOR = re.compile(r"\^|\$|\\[bBAZ]")
_LOOKS = ("=", "!", "<=", "<!")
_MEANT_OTHERWISE = re.compile(r"\[\^?\[|--|&&|\|\||~~")
_OFTEN: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}


class Unsafe(ValueError):
    """An expression that is not run; the text says which part of it, and what to do."""


@dataclass(frozen=True)
class Group:
    """Alternatives, each a sequence; one that ``looks`` ahead or back takes no character."""

    alternatives: Sequence[Sequence[Item]]
    looks: bool = False


@dataclass(frozen=True)
class Item:
    """A group, or the source of what matches one character, and how often it stands.

    An anchor has an empty source; it ``ends`` the line where it is a ``$``. ``most`` is None
    where there is no end.
    """

    part: Group | str
    least: int = 1
    most: int | None = 1
    ends: bool = False

    @property
    def once(self) -> bool:
        return self.least == 1 and self.most == 1


def read(expression: str) -> Group:
    """The alternatives of an expression. Raises ``Unsafe``."""
    if len(expression) > _LIMIT:
        raise Unsafe(f"it is longer than {_LIMIT} characters: make it shorter")
    reader = _Reader(expression)
    whole = reader.alternatives()
    if reader.at < len(expression):
        raise Unsafe("it has a `)` without a `(`: add the one or escape the other")
    return Group(whole)


class _Reader:
    """Goes over an expression from left to right."""

    def __init__(self, text: str) -> None:
        self.at = 0
        self._text = text
        self._depth = 0

    def alternatives(self) -> list[list[Item]]:
        """Up to the end of a group, or of the whole."""
        found = [self._sequence()]
        while self._text.startswith("|", self.at):
            self.at += 1
            found.append(self._sequence())
        return found

    def _sequence(self) -> list[Item]:
        items = []
        while self.at < len(self._text) and self._text[self.at] not in "|)":
            items.append(self._item())
        return items

    def _item(self) -> Item:
        sign = self._text[self.at]
        anchor = _ANCHOR.match(self._text, self.at)
        if anchor is not None:
            self.at = anchor.end()
            return Item("", ends=anchor[0] in ("$", r"\Z"))
        part = self._group() if sign == "(" else self._single(sign)
        least, most = self._often()
        return Item(part, least, most)

    def _single(self, sign: str) -> str:
        """The source of what matches one character."""
        if sign in "*+?":
            raise Unsafe(f"a `{sign}` repeats nothing, or a repetition: remove or escape it")
        if sign not in "[\\":
            self.at += 1
            return sign if sign == "." else re.escape(sign)
        found = (_CLASS if sign == "[" else _ESCAPE).match(self._text, self.at)
        if found is None and sign == "[":
            raise Unsafe("a `[` is not closed: close or escape it")
        if found is None:
            part = self._text[self.at : self.at + 2]
            raise Unsafe(f"`{part}` is not read here, a reference can take for ever: write it out")
        if sign == "[" and _MEANT_OTHERWISE.search(found[0]):
            raise Unsafe("a class holds `[`, or a sign twice, which not all read alike: escape it")
        self.at = found.end()
        return found[0]

    def _group(self) -> Group:
        found = _GROUP.match(self._text, self.at)
        if found is None:
            raise Unsafe(
                f"`{self._text[self.at : self.at + 4]}` is not read here: use `(…)`, `(?:…)`, "
                "`(?=…)` or `(?!…)`"
            )
        if self._depth >= _DEEPEST:
            raise Unsafe("its groups are nested too deeply: make it simpler")
        self.at = found.end()
        self._depth += 1
        alternatives = self.alternatives()
        self._depth -= 1
        if not self._text.startswith(")", self.at):
            raise Unsafe("a `(` is not closed: close or escape it")
        self.at += 1
        return Group(alternatives, looks=found["kind"] in _LOOKS)

    def _often(self) -> tuple[int, int | None]:
        """How often the item before stands."""
        sign = self._text[self.at : self.at + 1]
        found = _COUNT.match(self._text, self.at)
        if sign and sign in _OFTEN:
            self.at += 1
            least, most = _OFTEN[sign]
        elif found is not None:
            self.at = found.end()
            least = int(found[1])
            most = int(found[3]) if found[3] else None if found[2] else least
        else:
            return 1, 1
        if self._text.startswith("?", self.at):
            self.at += 1
        if self._text[self.at : self.at + 1] in ("*", "+", "?"):
            raise Unsafe("a repetition is repeated: repeat once")
        return least, most
