"""Problem matchers in the format of GitHub Actions: text -> matchers, and what is wrong with it.

The format (actions/runner, docs/adrs/0276-problem-matchers.md, docs/problem-matchers in toolkit):
``{"problemMatcher": [{"owner", "severity", "pattern": [{"regexp", "file", "fromPath", "line",
"column", "severity", "code", "message", "loop"}]}]}``. The rules are the runner's: consecutive
lines match consecutive patterns, a part is named once, only the last of several patterns may
``loop``, and one of them has the message. A finding needs a file here, so one must be named too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bot.domain.log_text import one_line
from bot.domain.validations import Level
from bot.policy.matchers.reading import Unsafe
from bot.policy.matchers.regexps import measure
from bot.policy.matchers.shape import FIELDS, Matcher, Pattern

_TEXT_LIMIT = 256 * 1024
_MOST_MATCHERS = 50
_MOST_PATTERNS = 10
_MOST_PROBLEMS = 20
_SHOWN = 60
_LEVELS = {"error": Level.FAILURE, "warning": Level.WARNING, "notice": Level.NOTICE}
_NAMED = re.compile(r"(?<!\\)\(\?<(?=[A-Za-z_])")


class _Wrong(Exception):
    """A matcher that cannot be used; the text is the fault and its mend."""


def parse_matchers(text: str, path: str) -> tuple[tuple[Matcher, ...], tuple[str, ...]]:
    """The matchers of a file, and a sentence for each thing in it that is not used.

    ``path`` is named in the sentences. A matcher with a fault is left out, the others stand.
    """
    try:
        entries = _entries(text)
    except _Wrong as wrong:
        return (), (f"`{path}` {wrong}",)
    matchers: list[Matcher] = []
    problems: list[str] = []
    for number, entry in enumerate(entries[:_MOST_MATCHERS], 1):
        try:
            matcher = _matcher(entry)
            _check_owner(matcher, matchers)
        except _Wrong as wrong:
            problems.append(f"`{path}`: {_name(entry, number)} {wrong}")
        else:
            matchers.append(matcher)
    if len(entries) > _MOST_MATCHERS:
        problems.append(f"`{path}` has more than {_MOST_MATCHERS} matchers: the rest is not used")
    return tuple(matchers), tuple(problems[:_MOST_PROBLEMS])


def built_in(entries: Iterable[dict[str, Any]]) -> tuple[Matcher, ...]:
    """Matchers of our own, in the same format; they are written to be cheap, so nothing counts."""
    return tuple(_matcher(entry, ours=True) for entry in entries)


def _check_owner(matcher: Matcher, known: list[Matcher]) -> None:
    if any(other.owner == matcher.owner for other in known):
        raise _Wrong("has the owner of another: give each its own")


def _entries(text: str) -> list[Any]:
    if len(text) > _TEXT_LIMIT:
        raise _Wrong(f"is larger than {_TEXT_LIMIT // 1024} kB: split it into several files")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as fault:
        said = one_line(str(fault)) if isinstance(fault, ValueError) else "nested too deeply"
        raise _Wrong(f"is not JSON ({said}): mend it there") from fault
    entries = document.get("problemMatcher") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries:
        raise _Wrong("has no list `problemMatcher`: write it as GitHub Actions' format wants it")
    return entries


def _name(entry: object, number: int) -> str:
    owner = entry.get("owner") if isinstance(entry, dict) else None
    return f"matcher `{_shown(owner)}`" if isinstance(owner, str) and owner else f"matcher {number}"


def _shown(value: object) -> str:
    text = one_line(str(value)).replace("`", "'")
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _matcher(entry: object, *, ours: bool = False) -> Matcher:
    if not isinstance(entry, dict):
        raise _Wrong("is not an object: write it in braces, with `owner` and `pattern`")
    owner = entry.get("owner")
    if not isinstance(owner, str) or not owner.strip():
        raise _Wrong("has no `owner`: give it a name of its own")
    patterns = entry.get("pattern")
    if not isinstance(patterns, list) or not 0 < len(patterns) <= _MOST_PATTERNS:
        raise _Wrong(f"has no list `pattern` of 1 to {_MOST_PATTERNS} patterns: add it")
    parsed = tuple(_pattern(pattern, number, ours) for number, pattern in enumerate(patterns, 1))
    _check_parts(parsed)
    return Matcher(
        owner=_shown(owner),
        patterns=parsed,
        loop=_loops(patterns, parsed),
        level=_level(entry.get("severity")),
    )


def _level(severity: object) -> Level:
    if severity is None:
        return Level.FAILURE
    level = _LEVELS.get(severity.lower()) if isinstance(severity, str) else None
    if level is None:
        raise _Wrong(f"has the severity `{_shown(severity)}`: use {', '.join(_LEVELS)}")
    return level


def _check_parts(patterns: tuple[Pattern, ...]) -> None:
    named = [name for pattern in patterns for name in pattern.fields]
    twice = next((name for name in named if named.count(name) > 1), None)
    if twice is not None:
        raise _Wrong(f"sets `{twice}` in two patterns: keep one")
    for name in ("file", "message"):
        if name not in named:
            raise _Wrong(f"sets no `{name}`: name the group that holds it")


def _loops(entries: list[Any], patterns: tuple[Pattern, ...]) -> bool:
    looping = [number for number, entry in enumerate(entries) if entry.get("loop") is True]
    if not looping:
        return False
    if len(entries) == 1 or looping != [len(entries) - 1]:
        raise _Wrong("has `loop` on a pattern that is not the last of several: move it there")
    if "message" not in patterns[-1].fields:
        raise _Wrong("loops over a pattern without `message`: name the group that holds it")
    return True


def _pattern(entry: object, number: int, ours: bool) -> Pattern:
    where = f"has in pattern {number}"
    if not isinstance(entry, dict) or not isinstance(entry.get("regexp"), str):
        raise _Wrong(f"{where} no `regexp`: add it")
    expression = entry["regexp"]
    try:
        cost = None if ours else measure(expression)
        regex = re.compile(_NAMED.sub("(?P<", expression))
    except Unsafe as unsafe:
        raise _Wrong(
            f"{where} the expression `{_shown(expression)}` that is refused: {unsafe}"
        ) from unsafe
    except (re.error, RecursionError, OverflowError) as fault:
        said = one_line(str(fault))
        raise _Wrong(f"{where} the bad expression `{_shown(expression)}`: mend {said}") from fault
    return Pattern(regex, dict(_fields(entry, regex.groups, where)), cost=cost)


def _fields(entry: Mapping[str, Any], groups: int, where: str) -> Iterator[tuple[str, int]]:
    for name in FIELDS:
        group = entry.get(name)
        if group is None:
            continue
        if type(group) is not int or not 0 <= group <= groups:
            raise _Wrong(
                f"{where} `{name}: {_shown(group)}`, and its expression has {groups} groups: "
                "name one of them by its number"
            )
        yield name, group
