"""Test reports: what a JUnit or a TAP file says of the tests that failed.

Both are written inside the box by programs of the pull request. They are cut to a size, an XML
document with a type declaration (where entities are made) is refused, and nothing here raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from xml.parsers import expat

from bot.domain.log_text import one_line, plain
from bot.domain.plan import Stage
from bot.domain.validations import Finding, Level
from bot.policy.findings import MOST, Tree, extract, located
from bot.policy.matchers.engine import Place

REPORT_LIMIT = 8 * 1024 * 1024
"""Characters of a report; a longer one is not read."""
_BODY_LIMIT = 32 * 1024
_MOST_TESTS = 100_000
_MOST_FAILED = 200
_DEEPEST = 64
_ROLES = {"testcase", "failure", "error", "skipped"}
_TAP = re.compile(r"^(?:TAP version \d| {0,64}(?:not )?ok\b| {0,64}1\.\.\d)", re.MULTILINE)
_TAP_TEST = re.compile(
    r"(?P<indent> {0,64})(?P<failed>not )?ok\b(?: \d{1,9})?(?: ?- | )?(?P<name>.{0,400}?)"
    r"(?:\s{0,8}(?<!\\)#\s?(?P<directive>(?i:todo|skip))\b.*)?$"
)
_TAP_SAID = re.compile(r"\s*(?:error|message): ?(?P<block>[|>]-?)?['\"]?(?P<said>.{0,400}?)['\"]?$")
_PLACE = re.compile(
    r"(?:^|[\s('\"])(?P<file>(?:file://)?[^\s:()'\"<>|,;]{1,300}):(?P<line>\d{1,7})"
    r"(?::(?P<column>\d{1,5}))?(?![\d.])"
)


@dataclass(frozen=True)
class TestReport:
    """What a report says. ``problem`` is a sentence where it could not be read, else empty.

    ``tests`` counts all of them but the skipped ones; ``findings`` are those of ``failed`` tests
    that point into the tree.
    """

    __test__ = False  # no test of pytest's, whatever its name

    tests: int = 0
    failed: int = 0
    findings: tuple[Finding, ...] = ()
    problem: str = ""


@dataclass
class _Test:
    """One test while it is read."""

    name: str = ""
    group: str = ""
    file: str = ""
    line: str = ""
    failed: bool = False
    skipped: bool = False
    message: str = ""
    rule: str = ""
    body: str = ""


class _Refused(Exception):
    """A report that is not read; the text says why."""


def read_report(
    stage: Stage,
    text: str,
    path: str,
    paths: frozenset[str],
    workspace: str = "/workspace",
) -> TestReport:
    """What the report in a file says; ``path`` is named where it cannot be read.

    ``paths`` are all files of the tree: no finding points anywhere else.
    """
    try:
        tests = _read(text.removeprefix("\ufeff"))
    except _Refused as refused:
        return TestReport(problem=f"The test report `{path}` {refused}.")
    failed = [test for test in tests if test.failed]
    tree = Tree(paths, workspace)
    found = (_finding(stage, test, tree, paths, workspace) for test in failed[:_MOST_FAILED])
    return TestReport(
        tests=sum(not test.skipped for test in tests),
        failed=len(failed),
        findings=tuple(islice((finding for finding in found if finding is not None), MOST)),
    )


def _read(text: str) -> list[_Test]:
    if len(text) > REPORT_LIMIT:
        raise _Refused(f"is larger than {REPORT_LIMIT // 1024 // 1024} MB: split it")
    if text.lstrip().startswith("<"):
        return _junit(text)
    if _TAP.search(text[:_BODY_LIMIT]):
        return list(_tap(text))
    raise _Refused("is neither JUnit's XML nor TAP: name such files in `validation.test_reports`")


# ── where a test failed ──────────────────────────────────────────────────────────────────────


def _finding(
    stage: Stage, test: _Test, tree: Tree, paths: frozenset[str], workspace: str
) -> Finding | None:
    """The finding of a failed test; None where nothing that it says is in the tree."""
    said = test.message or next((line for line in test.body.split("\n") if line.strip()), "")
    message = ": ".join(part for part in (one_line(test.name), one_line(said)) if part)
    place = _stack(stage, test, paths, workspace) or _named_place(test, tree) or _owner(test, tree)
    if place is None:
        return None
    return located(stage, replace(place, message=message or "failed here", rule=test.rule))


def _stack(stage: Stage, test: _Test, paths: frozenset[str], workspace: str) -> Place | None:
    """The innermost place of the stack that a test printed."""
    for found in extract(stage, test.body, paths, workspace):
        if found.level is Level.FAILURE and found.line is not None:
            return Place(found.file, found.line, found.column, found.level, "", "")
    return None


def _named_place(test: _Test, tree: Tree) -> Place | None:
    """The first ``file:line`` in what a test printed; where it was defined only counts last."""
    lines = plain(test.body).split("\n")
    for line in sorted(lines, key=lambda line: line.lstrip().startswith("location:")):
        for match in _PLACE.finditer(line[:2000]):
            if (path := tree.find(match["file"])) is not None:
                column = int(match["column"]) or None if match["column"] else None
                return Place(path, int(match["line"]) or None, column, Level.FAILURE, "", "")
    return None


def _owner(test: _Test, tree: Tree) -> Place | None:
    """The file that a test says it is in: by its path, or by its module's or class's name."""
    module = test.group.replace(".", "/")
    above = module.rpartition("/")[0]
    guesses = [test.file, test.group]
    guesses += [f"{base}{end}" for base in (module, above) if base for end in (".py", ".java")]
    for guess in guesses:
        path = tree.find(guess) if guess else None
        if path is not None:
            return Place(path, None, None, Level.FAILURE, "", "")
    return None


# ── JUnit ────────────────────────────────────────────────────────────────────────────────────


def _junit(text: str) -> list[_Test]:
    reader = _JUnit()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError as fault:
        raise _Refused(f"is not well-formed XML ({fault}): see what wrote it") from fault
    if not reader.is_junit:
        raise _Refused("is XML, but not JUnit's: it has no `testsuite`")
    return reader.tests


def _refuse_doctype(*_: object) -> None:
    raise _Refused("declares a document type, which JUnit reports have no use for: leave it out")


class _JUnit:
    """Gathers test cases while a document goes by."""

    def __init__(self) -> None:
        self.tests: list[_Test] = []
        self.is_junit = False
        self._suites: list[dict[str, str]] = []
        self._open: list[str] = []
        self._size = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        self._open.append(name)
        if len(self._open) > _DEEPEST:
            raise _Refused("is nested too deeply: see what wrote it")
        if name in ("testsuite", "testsuites"):
            self.is_junit = True
            self._suites.append(attributes)
        elif name == "testcase":
            self._test(attributes)
        elif name in _ROLES and self.tests and "testcase" in self._open:
            self._outcome(name, attributes)

    def _test(self, attributes: dict[str, str]) -> None:
        if len(self.tests) >= _MOST_TESTS:
            raise _Refused(f"has more than {_MOST_TESTS:,} tests: split it")
        suite = self._suites[-1] if self._suites else {}
        file = attributes.get("file") or suite.get("file") or suite.get("name") or ""
        self.tests.append(_Test(attributes.get("name", ""), attributes.get("classname", ""), file))

    def _outcome(self, name: str, attributes: dict[str, str]) -> None:
        test = self.tests[-1]
        if name == "skipped":
            test.skipped = True
            return
        test.failed = True
        self._size = 0
        said = attributes.get("message", "").strip().split("\n", 1)[0]
        test.message = test.message or said
        kind = attributes.get("type", "")
        test.rule = test.rule or (kind if re.fullmatch(r"[A-Za-z_][\w.$]{0,80}", kind) else "")

    def end(self, _name: str) -> None:
        if self._open.pop() in ("testsuite", "testsuites"):
            self._suites.pop()

    def text(self, data: str) -> None:
        if self._open and self._open[-1] in ("failure", "error") and self.tests:
            room = _BODY_LIMIT - self._size
            self.tests[-1].body += data[:room]
            self._size += len(data[:room])


# ── TAP ──────────────────────────────────────────────────────────────────────────────────────


def _tap(text: str) -> Iterator[_Test]:
    """Each test that holds no others: the lines after its result belong to it."""
    test: _Test | None = None
    inner = -1
    indent = 0
    for number, line in enumerate(plain(text).split("\n")):
        match = _TAP_TEST.match(line[:1000])
        if match is None:
            if test is not None and len(test.body) < _BODY_LIMIT:
                test.body += line[:2000] + "\n"
            continue
        if number >= _MOST_TESTS * 20:
            raise _Refused("has too many lines: split it")
        if test is not None:
            yield _told(test)
        indent = len(match["indent"])
        test = None
        if indent >= inner or not match["failed"]:
            unplanned = match["directive"] or ""
            failed = bool(match["failed"]) and not unplanned
            test = _Test(match["name"].strip(), failed=failed, skipped=unplanned.lower() == "skip")
        # A result further out than the last one sums up what stands further in.
        inner = indent
    if test is not None:
        yield _told(test)


def _told(test: _Test) -> _Test:
    """A test with the message that stands in its diagnostics."""
    lines = [line for line in test.body.split("\n") if line.strip() and line.strip() != "---"]
    for number, line in enumerate(lines[:200]):
        match = _TAP_SAID.match(line[:1000])
        if match is not None:
            after = lines[number + 1].strip() if number + 1 < len(lines) else ""
            test.message = after if match["block"] else match["said"]
            break
    return test
