"""Findings: which line of which file of the tree a log blames.

``extract`` runs the table of ``bot.policy.matchers`` over a log and keeps what points into the
tree. Logs are hostile: they are cut to a size and their lines to a length before any pattern sees
them, no pattern can go back over more than a few hundred characters, and nothing here raises.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from itertools import islice

from bot.domain.log_text import one_line, plain
from bot.domain.plan import Stage
from bot.domain.validations import Finding, Level
from bot.policy.matchers import MANIFESTS, MATCHERS, TRACES, Matcher
from bot.policy.matchers.engine import Place, mended_in, places, traced
from bot.policy.matchers.manifests import NETWORK, SERVER

MOST = 50
LOG_LIMIT = 1024 * 1024
LINE_LIMIT = 2000
_MESSAGE_LIMIT = 400
_MOST_PLACES = 2000
_FIRST = tuple(matcher for matcher in MATCHERS if not matcher.fallback)
_FALLBACK = tuple(matcher for matcher in MATCHERS if matcher.fallback)
_ORDER = {Level.FAILURE: 0, Level.WARNING: 1, Level.NOTICE: 2}
_PREFIX = re.compile(r"(?:file://|webpack-internal:///|webpack://[\w.-]*/?|\([\w-]{1,40}\)/)+")
_VARIABLE = re.compile(
    r"0x[0-9a-f]+"
    r"|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
    r"|\b(?=[0-9a-f]*[0-9])[0-9a-f]{7,64}\b"
    r"|\d{4}-\d\d-\d\d(?:[t ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:z|[+-]\d\d:?\d\d)?)?"
    r"|(?:\b[a-z]:)?(?:[\w.@~-]*[/\\])+[\w.@~-]*(?::\d+)*"
    r"|\d+(?:[.:,]\d+)*\s?(?:µs|ms|s|sec|secs|seconds?|min|minutes?)?\b"
    r"|\d+"
)
"""What changes from run to run in a message: addresses, ids, times, paths, numbers."""


def extract(
    stage: Stage,
    log: str,
    paths: frozenset[str],
    workspace: str = "/workspace",
    matchers: Sequence[Matcher] = (),
) -> tuple[Finding, ...]:
    """The findings of a stage's log, failures first, at most ``MOST``.

    ``paths`` are all files of the tree, relative to its root; a finding in any other file is left
    out. ``workspace`` is where the tree lies in the box. ``matchers`` are the project's own; they
    come first.
    """
    lines = [line[:LINE_LIMIT] for line in plain(log[-LOG_LIMIT:]).split("\n")]
    tree = Tree(paths, workspace)
    found = _Found(stage)
    found.add(places(lines, tree.find, (*matchers, *_FIRST)))
    found.add_new(traced(lines, tree.find, TRACES))
    if not found.a_failure:
        found.add(places(lines, tree.find, _FALLBACK))
    if not found.a_failure:
        found.add(_without_place(lines, paths))
    return merged(found.findings)


class _Found:
    """The findings of a log, each once, with its column where any of its kind has one."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._by_key: dict[tuple[str, int | None, str], Finding] = {}

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(self._by_key.values())

    @property
    def a_failure(self) -> bool:
        return any(finding.level is Level.FAILURE for finding in self._by_key.values())

    def add(self, found: Iterable[Place]) -> None:
        for place in islice(found, _MOST_PLACES):
            finding = located(self._stage, place)
            key = (finding.file, finding.line, finding.message)
            known = self._by_key.get(key)
            if known is None or (known.column is None and finding.column is not None):
                self._by_key[key] = finding

    def add_new(self, found: Iterable[Place]) -> None:
        """Add what stands at another place: a stack is often the long form of what was told."""
        known = {(one.file, one.line, one.column) for one in self._by_key.values()}
        for place in islice(found, _MOST_PLACES):
            at = (place.file, place.line, place.column)
            if at not in known:
                known.add(at)
                self.add((place,))


def merged(*groups: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings of several sources as one list, failures first, at most ``MOST``.

    A place that an earlier source tells of is not told again by a later one, nor a file without
    a line where a line of it is known.
    """
    kept: list[Finding] = []
    for group in groups:
        known = {(finding.file, finding.line) for finding in kept}
        kept += [finding for finding in group if (finding.file, finding.line) not in known]
    lined = {finding.file for finding in kept if finding.line is not None}
    kept = [finding for finding in kept if finding.line is not None or finding.file not in lined]
    return tuple(sorted(kept, key=lambda finding: _ORDER[finding.level])[:MOST])


def signature(stage: str, rule: str, message: str) -> str:
    """Twelve hex digits, the same for the same fault wherever and whenever it shows up.

    Paths, numbers, addresses and times do not count; nor does the file, which may be moved.
    """
    core = _VARIABLE.sub("_", " ".join(message.lower().split()))
    return hashlib.sha256(f"{stage}\0{rule}\0{core}".encode()).hexdigest()[:12]


def located(stage: Stage, place: Place) -> Finding:
    """A finding of a stage at a place, its message on one line and not too long."""
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


class Tree:
    """The tree's files, found again under the names that tools give them."""

    def __init__(self, paths: frozenset[str], workspace: str = "/workspace") -> None:
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


def _without_place(lines: list[str], paths: frozenset[str]) -> Iterable[Place]:
    """The manifest of each error that names no file; none where a host could not be reached."""
    if any(NETWORK.search(line) or SERVER.search(line) for line in lines):
        return ()
    return mended_in(lines, paths, MANIFESTS)
