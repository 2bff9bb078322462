"""What a regular expression of somebody else's may cost, before it is run on a hostile line.

Python's expressions go back over a line again and again. ``measure`` reads an expression, refuses
what can take time exponential in a line (a repetition or a choice inside a repetition) and what it
cannot judge, and gives for all others a ``Cost``: how many steps a given line can take at most. It
is counted: a repetition can end only where that begins which follows it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

from bot.policy.matchers.reading import Group, Item, Unsafe, read

_COPIES = 8
_SAMPLES = "".join(map(chr, range(9, 127))) + "éЖ–漢✖"
_END = "$"
_UNKNOWN = ""

Choices = Callable[[str], int]
"""In how many ways a part of an expression can be tried on a line."""


@dataclass(frozen=True)
class Cost:
    """The most steps that a line can take: its length times the ways to try it."""

    choices: tuple[Choices, ...]

    def of(self, line: str, most: int) -> int:
        """The steps for a line; the count ends above ``most``."""
        steps = len(line) + 1
        for choice in self.choices:
            steps *= choice(line)
            if steps > most:
                break
        return steps


def measure(expression: str) -> Cost:
    """What an expression may cost.

    Raises ``Unsafe`` where it is refused, and ``re.error`` where a part of it is not valid; it
    need not be valid beyond that.
    """
    whole = read(expression)
    choices = _alternatives(whole.alternatives, _END)
    anchored = len(whole.alternatives) == 1 and expression.startswith("^")
    return Cost(tuple(choices if anchored else [_anywhere, *choices]))


def _alternatives(alternatives: Sequence[Sequence[Item]], after: str) -> list[Choices]:
    each = [_sequence(items, after) for items in alternatives]
    return each[0] if len(each) == 1 else [_sum(each)]


def _sequence(items: Sequence[Item], after: str) -> list[Choices]:
    """The ways to try items one after the other; each ends where the next may begin."""
    choices: list[Choices] = []
    for item in reversed(items):
        choices += _repeated(item, after)
        after = _first(item, after)
    return choices


def _repeated(item: Item, after: str) -> list[Choices]:
    part, least, most = item.part, item.least, item.most
    if isinstance(part, str):
        return [] if not part or least == most else [_ends(part, after, least, most)]
    if item.once:
        return _alternatives(part.alternatives, _END if part.looks else after)
    again = _either(_first_of(part, after), after) if most != 1 else after
    inside = _alternatives(part.alternatives, again)
    if most is not None and most <= _COPIES:
        return [_sum([inside * copies for copies in range(least, most + 1)])]
    if inside:
        raise Unsafe(
            "a repetition holds another repetition, or a choice, and may never end: "
            f"write the outer one as `{{0,{_COPIES}}}` at most, or leave the inner one out"
        )
    return [_anywhere]


def _ends(single: str, after: str, least: int, most: int | None) -> Choices:
    """Where a repetition of one kind of character can end, before ``after``."""
    mine = re.compile(single)
    if after == _END:
        return _one
    following = re.compile(after) if after else None
    if following and not any(mine.match(one) and following.match(one) for one in _SAMPLES):
        return _one
    bound = most - least + 1 if most is not None else None

    def choices(line: str) -> int:
        count = len(following.findall(line)) + 1 if following else len(line) + 1
        return count if bound is None else min(count, bound)

    return choices


def _first(item: Item, after: str) -> str:
    """The source of one character that must stand where an item begins; empty where unknown."""
    if isinstance(item.part, str):
        if not item.part:
            return _END if item.ends else after
        own = item.part
    else:
        if item.part.looks:
            return after
        own = _first_of(item.part, after)
    return own if item.least > 0 else _either(own, after)


def _first_of(group: Group, after: str) -> str:
    found = ""
    for number, items in enumerate(group.alternatives):
        first = after
        for item in reversed(items):
            first = _first(item, first)
        found = first if number == 0 else _either(found, first)
    return found


def _either(one: str, other: str) -> str:
    """What begins with the one or the other. The end of a line is nothing that stands there."""
    if _UNKNOWN in (one, other):
        return _UNKNOWN
    if _END in (one, other):
        return other if one == _END else one
    return one if one == other else f"(?:{one}|{other})"


def _anywhere(line: str) -> int:
    return len(line) + 1


def _one(_line: str) -> int:
    return 1


def _sum(alternatives: list[list[Choices]]) -> Choices:
    def choices(line: str) -> int:
        return sum(prod(choice(line) for choice in each) for each in alternatives)

    return choices
