"""Findings: which line of which file of the tree a log blames.

``extract`` runs the table of ``bot.policy.matchers`` over a log and keeps what points into the
tree. Logs are hostile: they are cut to a size and their lines to a length before any pattern sees
them, no pattern can go back over more than a few hundred characters, and nothing here raises.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bot.domain.log_text import one_line, plain
from bot.domain.plan import Stage
from bot.domain.validations import Finding, Level
from bot.policy.matchers import MATCHERS, TRACES, Matcher, Trace

MOST = 50
LOG_LIMIT = 1024 * 1024
LINE_LIMIT = 2000
_MESSAGE_LIMIT = 400
_MOST_PLACES = 2000
_ORDER = {Level.FAILURE: 0, Level.WARNING: 1, Level.NOTICE: 2}
_LEVELS = {
    "warning": Level.WARNING,
    "warn": Level.WARNING,
    "note": Level.NOTICE,
    "info": Level.NOTICE,
    "notice": Level.NOTICE,
    "help": Level.NOTICE,
}
_PREFIX = re.compile(r"(?:file://|webpack-internal:///|webpack://[\w.-]*/?|\([\w-]{1,40}\)/)+")
_VARIABLE = re.compile(
    r"0x[0-9a-fA-F]+"
    r"|\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"
    r"|(?:[\w.@~-]*[/\\])+[\w.@~-]*(?::\d+)*"
    r"|\d+(?:[.:,]\d+)*"
)


@dataclass(frozen=True)
class _Place:
    """Where a pattern points to, before it is known whether that is in the tree."""

    file: str
    line: int | None
    column: int | None
    level: Level
    message: str
    rule: str


def extract(
    stage: Stage,
    log: str,
    paths: frozenset[str],
    workspace: str = "/workspace",
) -> tuple[Finding, ...]:
    """The findings of a stage's log, failures first, at most ``MOST``.

    ``paths`` are all files of the tree, relative to its root; a finding in any other file is left
    out. ``workspace`` is where the tree lies in the box.
    """
    lines = [line[:LINE_LIMIT] for line in plain(log[-LOG_LIMIT:]).split("\n")]
    tree = _Tree(paths, workspace)
    found: dict[tuple[str, int | None, str], Finding] = {}
    for place in _places(lines, tree):
        finding = _finding(stage, place)
        key = (finding.file, finding.line, finding.message)
        known = found.get(key)
        if known is None or (known.column is None and finding.column is not None):
            found[key] = finding
        if len(found) >= _MOST_PLACES:
            break
    located = {finding.file for finding in found.values() if finding.line is not None}
    kept = [f for f in found.values() if f.line is not None or f.file not in located]
    return tuple(sorted(kept, key=lambda finding: _ORDER[finding.level])[:MOST])


def signature(stage: str, rule: str, message: str) -> str:
    """Twelve hex digits, the same for the same fault wherever and whenever it shows up.

    Paths, numbers, addresses and times do not count; nor does the file, which may be moved.
    """
    core = _VARIABLE.sub("_", " ".join(message.lower().split()))
    return hashlib.sha256(f"{stage}\0{rule}\0{core}".encode()).hexdigest()[:12]


class _Tree:
    """The tree's files, found again under the names that tools give them."""

    def __init__(self, paths: frozenset[str], workspace: str) -> None:
        self._paths = paths
        self._root = workspace.rstrip("/") + "/"
        self._ends: dict[str, list[str]] = {}
        for path in sorted(paths):
            self._ends.setdefault(path.rsplit("/", 1)[-1], []).append(path)

    def find(self, name: str) -> str | None:
        """The path in the tree; None where the file is not in it or is not the only one."""
        name = _PREFIX.sub("", name.strip().replace("\\", "/"), count=1).split("?", 1)[0]
        if name.startswith(self._root):
            name = name.removeprefix(self._root)
            return _flat(name) if _flat(name) in self._paths else None
        if name.startswith("/"):
            return None
        path = _flat(name)
        if path in self._paths:
            return path
        # A tool that ran in a folder of the tree names its files from there.
        ends = [p for p in self._ends.get(path.rsplit("/", 1)[-1], ()) if p.endswith("/" + path)]
        return ends[0] if len(ends) == 1 else None


def _flat(path: str) -> str:
    """A relative path without ``.`` and ``..``."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in ("", ".", ".."):
            parts.append(part)
    return "/".join(parts)


def _finding(stage: Stage, place: _Place) -> Finding:
    message = one_line(place.message)
    if len(message) > _MESSAGE_LIMIT:
        message = message[: _MESSAGE_LIMIT - 1] + "…"
    return Finding(
        stage=stage.value,
        file=place.file,
        line=place.line,
        column=place.column,
        level=place.level,
        message=message,
        rule=place.rule,
        signature=signature(stage.value, place.rule, message),
    )


# ── the engine of the table ──────────────────────────────────────────────────────────────────


def _places(lines: list[str], tree: _Tree) -> Iterator[_Place]:
    for matcher in MATCHERS:
        yield from _matched(matcher, lines, tree)
    for trace in TRACES:
        yield from _traced(trace, lines, tree)


def _matched(matcher: Matcher, lines: list[str], tree: _Tree) -> Iterator[_Place]:
    """Each place where all patterns of a matcher follow one another."""
    at = 0
    while at < len(lines):
        groups, after = _sequence(matcher, lines, at)
        if groups is None:
            at += 1
            continue
        for found in _repeated(matcher, lines, after, groups):
            place = _place(found, tree, matcher.level, matcher.message, matcher.file)
            if place is not None:
                yield place
        at = max(after, at + 1)


def _sequence(matcher: Matcher, lines: list[str], at: int) -> tuple[dict[str, str] | None, int]:
    """The groups of a matcher that begins at a line, and the line after; None where it fails."""
    groups: dict[str, str] = {}
    for number, pattern in enumerate(matcher.patterns):
        window = 1 if number == 0 else pattern.within
        for line in lines[at : at + window]:
            at += 1
            match = pattern.regex.match(line)
            if match is not None:
                groups |= _named(match)
                break
        else:
            return None, at
    return groups, at


def _repeated(
    matcher: Matcher, lines: list[str], after: int, groups: dict[str, str]
) -> Iterator[dict[str, str]]:
    """What was matched, and each further line that the last pattern of a looping one matches."""
    yield groups
    while matcher.loop and after < len(lines):
        match = matcher.patterns[-1].regex.match(lines[after])
        if match is None:
            return
        yield groups | _named(match)
        after += 1


def _traced(trace: Trace, lines: list[str], tree: _Tree) -> Iterator[_Place]:
    """For each stack, its innermost frame that is in the tree, with the stack's message."""
    at = 0
    while at < len(lines):
        opened = trace.opens.match(lines[at])
        if opened is None:
            at += 1
            continue
        frames: list[dict[str, str]] = []
        said = _named(opened)
        if trace.message_last:
            frames.append(said)
            said = {}
        at += 1
        quiet = 0
        while at < len(lines) and quiet < trace.span:
            frame = trace.frame.match(lines[at])
            if frame is not None:
                frames.append(_named(frame))
                quiet = 0
            elif trace.closes.match(lines[at]):
                break
            else:
                quiet += 1
            at += 1
        if trace.message_last and at < len(lines):
            closed = trace.closes.match(lines[at])
            said = _named(closed) if closed is not None else {}
            at += closed is not None
        yield from _innermost(trace, frames, said, tree)


def _innermost(
    trace: Trace, frames: list[dict[str, str]], said: Mapping[str, str], tree: _Tree
) -> Iterator[_Place]:
    for frame in reversed(frames) if trace.message_last else frames:
        place = _place({**frame, **said}, tree, Level.FAILURE, trace.message, "{file}")
        if place is not None:
            yield place
            return


def _named(match: re.Match[str]) -> dict[str, str]:
    return {name: value for name, value in match.groupdict().items() if value}


def _place(
    groups: Mapping[str, str], tree: _Tree, level: Level, message: str, file: str
) -> _Place | None:
    path = tree.find(file.replace("{file}", groups.get("file", "")))
    if path is None:
        return None
    return _Place(
        file=path,
        line=_number(groups.get("line")),
        column=_number(groups.get("column")),
        level=_LEVELS.get(groups.get("level", "").lower(), level),
        message=_message(groups, message),
        rule=groups.get("rule", ""),
    )


def _message(groups: Mapping[str, str], otherwise: str) -> str:
    return groups.get("message", "").strip() or groups.get("rule", "") or otherwise


def _number(text: str | None) -> int | None:
    """A line or column from 1; tools that say 0 mean the whole file."""
    return int(text) or None if text else None
