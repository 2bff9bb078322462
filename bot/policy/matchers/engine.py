"""Runs the table over the lines of a log: lines -> places that they blame."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bot.domain.validations import Level
from bot.policy.matchers.shape import Manifest, Matcher, Pattern, Trace

_STEPS = 200_000_000
"""What the expressions of somebody else may take for a log: a few seconds at the worst."""
_STEPS_A_LINE = 2_000_000
_COMPARED = re.compile(r"\s{0,12}(?P<what>\S.{0,200} (?:!==|!=|===|==) \S.{0,200})$")
"""What a message that ends in a colon says two lines below: ``2.36 !== 2.37`` (Node's assert)."""
_LONG_ENOUGH = 300
_LEVELS = {
    "warning": Level.WARNING,
    "warn": Level.WARNING,
    "note": Level.NOTICE,
    "info": Level.NOTICE,
    "notice": Level.NOTICE,
    "help": Level.NOTICE,
}

Find = Callable[[str], str | None]
"""The path in the tree of a file as a tool names it; None where it has no such file."""


@dataclass(frozen=True)
class Place:
    """A file of the tree that a line blames. Lines and columns count from 1."""

    file: str
    line: int | None
    column: int | None
    level: Level
    message: str
    rule: str


def places(lines: Sequence[str], find: Find, matchers: Iterable[Matcher]) -> Iterator[Place]:
    """Each place that a matcher finds, matcher by matcher."""
    budget = _Budget()
    for matcher in matchers:
        yield from _matched(matcher, lines, find, budget)


def traced(lines: Sequence[str], find: Find, traces: Iterable[Trace]) -> Iterator[Place]:
    """The place of each stack, kind by kind."""
    for trace in traces:
        yield from _stacks(trace, lines, find)


def mended_in(
    lines: Sequence[str], paths: frozenset[str], manifests: Iterable[Manifest]
) -> Iterator[Place]:
    """The manifest at fault for each error without a place, where there is just one."""
    for manifest in manifests:
        candidates = [path for path in paths if path.rsplit("/", 1)[-1] in manifest.files]
        if len(candidates) != 1:
            continue
        for line in lines:
            match = manifest.regex.match(line)
            if match is not None:
                groups = {name: value for name, value in match.groupdict().items() if value}
                place = _place(groups | {"file": candidates[0]}, _itself, Level.FAILURE, "", "")
                if place is not None:
                    yield place


class _Budget:
    """What is left for expressions of somebody else."""

    def __init__(self) -> None:
        self._left = _STEPS

    def match(self, pattern: Pattern, line: str) -> dict[str, str] | None:
        """A pattern's match; None also where trying it could take too long."""
        if pattern.cost is not None:
            steps = pattern.cost.of(line, _STEPS_A_LINE)
            if steps > _STEPS_A_LINE or steps > self._left:
                return None
            self._left -= steps
        return pattern.match(line)


def _matched(
    matcher: Matcher, lines: Sequence[str], find: Find, budget: _Budget
) -> Iterator[Place]:
    """Each place where all patterns of a matcher follow one another."""
    at = 0
    while at < len(lines):
        groups, after = _sequence(matcher, lines, at, budget)
        if groups is None:
            at += 1
            continue
        for found in _repeated(matcher, lines, after, groups, budget):
            place = _place(found, find, matcher.level, matcher.message, matcher.file)
            if place is not None and matcher.first_column == 0 and found.get("column"):
                place = replace(place, column=(place.column or 0) + 1)
            if place is not None:
                yield place
        at = max(after, at + 1)


def _sequence(
    matcher: Matcher, lines: Sequence[str], at: int, budget: _Budget
) -> tuple[dict[str, str] | None, int]:
    """The groups of a matcher that begins at a line, and the line after; None where it fails."""
    groups: dict[str, str] = {}
    for number, pattern in enumerate(matcher.patterns):
        window = 1 if number == 0 else pattern.within
        for line in lines[at : at + window]:
            at += 1
            found = budget.match(pattern, line)
            if found is not None:
                groups |= _completed(found, lines[at : at + 2])
                break
            if pattern.until is not None and pattern.until.match(line):
                return None, at
        else:
            return None, at
    return groups, at


def _repeated(
    matcher: Matcher,
    lines: Sequence[str],
    after: int,
    groups: dict[str, str],
    budget: _Budget,
) -> Iterator[dict[str, str]]:
    """What was matched, and each further line that the last pattern of a looping one matches."""
    yield groups
    while matcher.loop and after < len(lines):
        last = matcher.patterns[-1]
        found = budget.match(last, lines[after])
        if found is None:
            return
        kept = {name: value for name, value in groups.items() if name not in last.fields}
        yield kept | found
        after += 1


def _stacks(trace: Trace, lines: Sequence[str], find: Find) -> Iterator[Place]:
    """For each stack, its innermost frame that is in the tree, with the stack's message."""
    at = 0
    while at < len(lines):
        opened = trace.opens.match(lines[at])
        if opened is None:
            at += 1
            continue
        frames: list[dict[str, str]] = []
        said = _completed(_named(opened.groupdict()), lines[at + 1 : at + 3])
        if trace.message_last:
            frames.append(said)
            said = {}
        at += 1
        quiet = 0
        while at < len(lines) and quiet < trace.span:
            frame = trace.frame.match(lines[at])
            if frame is not None:
                frames.append(_named(frame.groupdict()))
                quiet = 0
            elif trace.closes.match(lines[at]):
                break
            else:
                said = _detailed(trace, said, frames, lines[at])
                quiet += 1
            at += 1
        if trace.message_last and at < len(lines):
            closed = trace.closes.match(lines[at])
            said = _named(closed.groupdict()) if closed is not None else {}
            at += closed is not None
        yield from _innermost(trace, frames, said, find)


def _detailed(
    trace: Trace, said: dict[str, str], frames: Sequence[object], line: str
) -> dict[str, str]:
    """What opened a stack, with what a line before its first frame adds to the message."""
    detail = trace.details.match(line) if trace.details is not None and not frames else None
    if detail is None or len(said.get("message", "")) > _LONG_ENOUGH:
        return said
    return said | {"message": f"{said.get('message', '')}; {detail[1].strip()}"}


def _innermost(
    trace: Trace, frames: list[dict[str, str]], said: Mapping[str, str], find: Find
) -> Iterator[Place]:
    for frame in reversed(frames) if trace.message_last else frames:
        place = _place({**frame, **said}, find, Level.FAILURE, trace.message, "{file}")
        if place is not None:
            yield place
            return


def _named(groups: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in groups.items() if value}


def _completed(groups: dict[str, str], below: Sequence[str]) -> dict[str, str]:
    """The groups, with what was compared where their message only announces it."""
    if not groups.get("message", "").endswith(":"):
        return groups
    compared = next((match for line in below if (match := _COMPARED.match(line))), None)
    if compared is None:
        return groups
    return groups | {"message": f"{groups['message']} {compared['what'].strip()}"}


def _itself(path: str) -> str:
    return path


def _place(
    groups: Mapping[str, str], find: Find, level: Level, message: str, file: str
) -> Place | None:
    path = _found(groups, find, file or "{file}")
    if path is None:
        return None
    return Place(
        file=path,
        line=_number(groups.get("line")),
        column=_number(groups.get("column")),
        level=_LEVELS.get(groups.get("severity", "").lower(), level),
        message=groups.get("message", "").strip() or groups.get("code", "") or message,
        rule=groups.get("code", ""),
    )


def _found(groups: Mapping[str, str], find: Find, file: str) -> str | None:
    """The file of the tree; a relative one counts from the folder of ``fromPath`` first."""
    name = file.replace("{file}", groups.get("file", ""))
    if not name:
        return None
    folder = groups.get("fromPath", "").replace("\\", "/").rpartition("/")[0]
    below = find(f"{folder}/{name}") if folder and not name.startswith("/") else None
    return below or find(name)


def _number(text: str | None) -> int | None:
    """A line or column from 1; tools that say 0 mean the whole file."""
    digits = (text or "").strip()
    return int(digits) or None if digits.isdecimal() and len(digits) < 10 else None
