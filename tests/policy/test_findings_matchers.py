"""Problem matchers of a project: read, refused with the fault and its mend, run within bounds."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.plan import Stage
from bot.domain.validations import Level
from bot.policy.findings import extract
from bot.policy.matchers import ACTIONS, MATCHERS, parse_matchers
from bot.policy.matchers.reading import Unsafe
from bot.policy.matchers.regexps import measure

PATH = ".github/lint.json"
TREE = frozenset({"src/a.js", "src/b.js", "app/app.csproj", "app/src/Main.cs"})


def document(*matchers: Any) -> str:
    return json.dumps({"problemMatcher": list(matchers)})


def matcher(**pattern: Any) -> dict[str, Any]:
    whole = {"regexp": "^(.+):(\\d+): (.+)$", "file": 1, "line": 2, "message": 3}
    return {"owner": "lint", "pattern": [whole | pattern]}


ESLINT_COMPACT = {  # actions/setup-node, .github/eslint-compact.json
    "owner": "eslint-compact",
    "pattern": [
        {
            "regexp": (
                "^(.+):\\sline\\s(\\d+),\\scol\\s(\\d+),\\s(Error|Warning|Info)\\s-\\s(.+)"
                "\\s\\((.+)\\)$"
            ),
            "file": 1,
            "line": 2,
            "column": 3,
            "severity": 4,
            "message": 5,
            "code": 6,
        }
    ],
}
ESLINT_STYLISH = {  # actions/setup-node, .github/eslint-stylish.json
    "owner": "eslint-stylish",
    "pattern": [
        {"regexp": "^([^\\s].*)$", "file": 1},
        {
            "regexp": "^\\s+(\\d+):(\\d+)\\s+(error|warning|info)\\s+(.*)\\s\\s+(.*)$",
            "line": 1,
            "column": 2,
            "severity": 3,
            "message": 4,
            "code": 5,
            "loop": True,
        },
    ],
}
TSC = {  # actions/setup-node, .github/tsc.json
    "owner": "tsc",
    "pattern": [
        {
            "regexp": (
                "^([^\\s].*)[\\(:](\\d+)[,:](\\d+)(?:\\):\\s+|\\s+-\\s+)(error|warning|info)"
                "\\s+TS(\\d+)\\s*:\\s*(.*)$"
            ),
            "file": 1,
            "line": 2,
            "column": 3,
            "severity": 4,
            "code": 5,
            "message": 6,
        }
    ],
}
PYTHON = {  # actions/setup-python, .github/python.json
    "owner": "python",
    "pattern": [
        {"regexp": '^\\s*File\\s\\"(.*)\\",\\sline\\s(\\d+),\\sin\\s(.*)$', "file": 1, "line": 2},
        {"regexp": "^\\s*raise\\s(.*)\\(\\'(.*)\\'\\)$", "message": 2},
    ],
}
GO = {  # actions/setup-go, matchers.json
    "owner": "go",
    "pattern": [
        {
            "regexp": "^\\s*(.+\\.go):(?:(\\d+):(\\d+):)? (.*)",
            "file": 1,
            "line": 2,
            "column": 3,
            "message": 4,
        }
    ],
}


@pytest.mark.parametrize(
    ("entry", "log", "place"),
    [
        pytest.param(
            ESLINT_COMPACT,
            "/workspace/src/a.js: line 3, col 5, Warning - odd (x/odd)",
            ("src/a.js", 3, 5, Level.WARNING, "odd", "x/odd"),
            id="eslint-compact of setup-node",
        ),
        pytest.param(
            ESLINT_STYLISH,
            "/workspace/src/b.js\n  4:2  error  bad thing  x/bad",
            ("src/b.js", 4, 2, Level.FAILURE, "bad thing", "x/bad"),
            id="eslint-stylish of setup-node",
        ),
        pytest.param(
            TSC,
            "src/a.js(3,7): error TS2322: no",
            ("src/a.js", 3, 7, Level.FAILURE, "no", "2322"),
            id="tsc of setup-node",
        ),
        pytest.param(
            PYTHON,
            "  File \"/workspace/src/a.js\", line 9, in f\n    raise X('it broke')",
            ("src/a.js", 9, None, Level.FAILURE, "it broke", ""),
            id="python of setup-python",
        ),
        pytest.param(
            GO,
            "src/a.js.go:1:1: no\n",
            None,
            id="go of setup-go, no file of the tree",
        ),
        pytest.param(
            {"severity": "notice", **matcher(regexp="^(?<file>.+)#(\\d+)# (.+)$")},
            "src/a.js#7# look",
            ("src/a.js", 7, None, Level.NOTICE, "look", ""),
            id="severity of the matcher, a named group",
        ),
        pytest.param(
            matcher(regexp="^(.+)!(\\d+)! (.+) \\[(.+)\\]$", fromPath=4),
            "src/Main.cs!7! no [/workspace/app/app.csproj]",
            ("app/src/Main.cs", 7, None, Level.FAILURE, "no", ""),
            id="fromPath",
        ),
    ],
)
def test_what_a_matcher_finds(
    entry: dict[str, Any], log: str, place: tuple[Any, ...] | None
) -> None:
    matchers, problems = parse_matchers(document(entry), PATH)
    assert problems == ()
    found = extract(Stage.TEST, f"before\n{log}\nafter", TREE, matchers=matchers)
    places = [(f.file, f.line, f.column, f.level, f.message, f.rule) for f in found]
    assert place in places if place else not places


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("{", f"`{PATH}` is not JSON (Expecting property name", id="no JSON"),
        pytest.param("[" * 100_000, f"`{PATH}` is not JSON (nested too deeply)", id="deep"),
        pytest.param("[]", "has no list `problemMatcher`", id="a list"),
        pytest.param('{"problemMatcher": {}}', "has no list `problemMatcher`", id="no list"),
        pytest.param(" " * 300_000, "is larger than 256 kB: split it", id="large"),
        pytest.param(document(1), "matcher 1 is not an object", id="a number"),
        pytest.param(document({"pattern": []}), "matcher 1 has no `owner`", id="no owner"),
        pytest.param(document({"owner": "x"}), "matcher `x` has no list `pattern`", id="empty"),
        pytest.param(
            document({"owner": "x", "pattern": [{}]}), "in pattern 1 no `regexp`", id="no regexp"
        ),
        pytest.param(document(matcher(), matcher()), "has the owner of another", id="owner twice"),
        pytest.param(
            document(matcher(file=7)), "`file: 7`, and its expression has 3 groups", id="group"
        ),
        pytest.param(document(matcher(file="1")), "`file: 1`, and its", id="a text for a group"),
        pytest.param(document(matcher(file=None)), "sets no `file`", id="no file"),
        pytest.param(document(matcher(message=None)), "sets no `message`", id="no message"),
        pytest.param(
            document({"severity": "fatal", **matcher()}),
            "has the severity `fatal`: use error, warning, notice",
            id="severity",
        ),
        pytest.param(document(matcher(loop=True)), "not the last of several", id="loop alone"),
        pytest.param(
            document(
                {"owner": "x", "pattern": [*matcher()["pattern"], {"regexp": "a(b)", "file": 1}]}
            ),
            "sets `file` in two patterns: keep one",
            id="file twice",
        ),
        pytest.param(
            document(
                {"owner": "x", "pattern": [*matcher()["pattern"], {"regexp": "a", "loop": True}]}
            ),
            "loops over a pattern without `message`",
            id="loop without message",
        ),
        pytest.param(document(matcher(regexp="(a")), "a `(` is not closed", id="open group"),
        pytest.param(document(matcher(regexp="(a)\\p{L}(b)(c)")), "bad expression", id="escape"),
        pytest.param(
            document(matcher(regexp="^(\\w+\\s?)*$")), "holds another repetition", id="nested"
        ),
        pytest.param(document(matcher(regexp="(a|a)*")), "holds another repetition", id="choice"),
        pytest.param(document(matcher(regexp="(.*)\\1")), "a reference", id="reference"),
        pytest.param(document(matcher(regexp="(?i)(a)")), "`(?i)` is not read here", id="flags"),
        pytest.param(document(matcher(regexp="a" * 1001)), "longer than 1000", id="long"),
    ],
)
def test_a_bad_file_is_told_with_the_fault_and_its_mend(text: str, problem: str) -> None:
    _, problems = parse_matchers(text, PATH)
    assert len(problems) == 1
    assert problem in problems[0]
    assert problems[0].startswith(f"`{PATH}`")


def test_one_bad_matcher_leaves_the_others() -> None:
    matchers, problems = parse_matchers(document(matcher(regexp="(a"), ESLINT_COMPACT), PATH)
    assert [known.owner for known in matchers] == ["eslint-compact"]
    assert len(problems) == 1


def test_the_built_in_table_is_in_the_format_that_users_write() -> None:
    matchers, problems = parse_matchers(json.dumps({"problemMatcher": ACTIONS}), PATH)
    assert problems == ()
    assert [known.owner for known in matchers] == [entry["owner"] for entry in ACTIONS]
    assert len({known.owner for known in MATCHERS}) == len(MATCHERS)


def test_a_projects_matcher_comes_before_ours() -> None:
    matchers, _ = parse_matchers(document(matcher(regexp="^(.+):(\\d+):\\d+: (.+)$")), PATH)
    found = extract(Stage.TEST, "src/a.js:3:7: ERROR: no", TREE, matchers=matchers)
    assert (found[0].line, found[0].column, found[0].message) == (3, None, "ERROR: no")


@given(st.text(max_size=200))
def test_no_text_of_a_file_raises(text: str) -> None:
    parse_matchers(text, PATH)


@given(st.text(st.sampled_from("ab()[]{}|*+?^$\\d.1,:!<=-"), max_size=40))
def test_an_expression_that_is_let_through_ends_soon_on_any_line(expression: str) -> None:
    try:
        cost = measure(expression)
        regex = re.compile(expression)
    except (Unsafe, re.error, FutureWarning):
        return
    for line in ("a" * 200, "ab" * 100, "a:1" * 60, "-" * 200):
        if cost.of(line, 100_000) <= 100_000:
            started = time.process_time()
            regex.search(line)
            assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    "expression",
    [
        "(.*)a(.*)b(.*)c(.*)d(.*)e(.*)f(.*)g$",
        "(.+)(.+)(.+)(.+)(.+)(.+)!",
        "\\s*\\s*\\s*\\s*\\s*x",
        "^(?:a?){8}(?:a?){8}(?:a?){8}aaaaaaaaaaaaaaaaaaaaaaaaX$",
        "^(\\d+),(\\d+),(\\d+),(\\d+)(.*)x(.*)y(.*)z$",
    ],
)
@pytest.mark.parametrize("line", ["a" * 1999, "abcdefg" * 280, "1,1,xyz" * 280, " " * 1999])
def test_hostile_expressions_and_logs_are_bounded(expression: str, line: str) -> None:
    entry = {"owner": "x", "pattern": [{"regexp": f"{expression}|()", "file": 1, "message": 1}]}
    matchers, _ = parse_matchers(document(entry), PATH)
    log = (line + "\n") * 20
    started = time.process_time()
    extract(Stage.TEST, log, TREE, matchers=matchers)
    assert time.process_time() - started < 5
