"""The table of what tools print when they blame a line of a file.

A ``Matcher`` is what GitHub Actions calls a problem matcher: patterns for consecutive lines, the
last of which may repeat. A ``Trace`` is a stack: a message and its frames. Both are data; the
groups of their patterns are named ``file line column level rule message``.

Patterns are matched at the start of a line. To stay linear on hostile lines, each repeats only
bounded classes that exclude the character after them; ``.*`` stands only at an end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.domain.validations import Level

_FILE = r"(?P<file>[^\s:()\[\]'\"<>|,;]{1,300})"
_URL_FILE = r"(?P<file>(?:file://)?[^\s:()\[\]'\"<>|,;]{1,300})"
_LINE = r"(?P<line>\d{1,7})"
_COLUMN = r"(?P<column>\d{1,5})"
_MESSAGE = r"(?P<message>\S.*)"
_ERROR_NAME = r"(?P<rule>[A-Za-z_][\w.]{0,80}(?:Error|Exception|Warning|Failure))"


@dataclass(frozen=True)
class Pattern:
    """One line. ``within``: it may stand so many lines after the one before it."""

    regex: re.Pattern[str]
    within: int = 1


@dataclass(frozen=True)
class Matcher:
    """Lines that follow one another. ``message`` and ``level`` stand where no group gives one.

    ``file`` makes a path of the group ``file``; ``loop`` repeats the last pattern.
    """

    owner: str
    patterns: tuple[Pattern, ...]
    loop: bool = False
    level: Level = Level.FAILURE
    message: str = "failed here"
    file: str = "{file}"


@dataclass(frozen=True)
class Trace:
    """A stack of calls.

    It begins at a line that ``opens`` matches and ends at one that ``closes`` matches, or when
    ``span`` lines in a row are no ``frame``. With ``message_last`` the first frame opens it, the
    message closes it and the last frame is the innermost; else the message opens it and the
    first frame is the innermost.
    """

    owner: str
    opens: re.Pattern[str]
    frame: re.Pattern[str]
    closes: re.Pattern[str]
    message_last: bool
    span: int
    message: str = "failed here"


def _lines(owner: str, *regexes: str, within: int = 1, loop: bool = False) -> Matcher:
    patterns = tuple(Pattern(re.compile(regex), within) for regex in regexes)
    return Matcher(owner, patterns, loop=loop)


MATCHERS: tuple[Matcher, ...] = (
    # src/a.ts(3,7): error TS2322: Type 'string' is not assignable to type 'number'.
    _lines(
        "tsc",
        rf"{_FILE}\({_LINE},{_COLUMN}\): (?P<level>error|warning|info) (?P<rule>TS\d{{1,6}}): "
        rf"{_MESSAGE}",
    ),
    # src/a.ts:3:7 - error TS2322: …
    _lines(
        "tsc-pretty",
        rf"{_FILE}:{_LINE}:{_COLUMN} - (?P<level>error|warning|info) (?P<rule>TS\d{{1,6}}): "
        rf"{_MESSAGE}",
    ),
    # /workspace/src/a.js, then rows of "  3:7  error  message  rule"
    _lines(
        "eslint",
        r"(?P<file>[^\s:()]{1,300})$",
        rf"\s{{1,8}}{_LINE}:{_COLUMN}\s{{1,8}}(?P<level>error|warning)\s{{1,8}}"
        r"(?P<message>\S(?:[^ ]| (?! )){0,400})(?:  +(?P<rule>[\w@/-]{1,80}))?",
        loop=True,
    ),
    # ✘ [ERROR] message, an empty line, "    src/x.js:3:7:"
    _lines(
        "esbuild",
        rf"\s{{0,4}}[✘▲X] \[(?P<level>ERROR|WARNING)\] {_MESSAGE}",
        rf"\s{{1,8}}{_FILE}:{_LINE}:{_COLUMN}:\s*$",
        within=3,
    ),
    # RollupError: src/x.js (3:7): "a" is not exported by "src/y.js", imported by "src/x.js".
    _lines(
        "rollup",
        r"(?:\[[\w: -]{1,60}\] )?(?:\w{0,40}Error: )?"
        rf"{_FILE} \({_LINE}:{_COLUMN}\): {_MESSAGE}",
    ),
    # [vite]: Rollup failed to resolve import "x" from "/workspace/src/main.js".
    _lines(
        "vite-resolve",
        r"(?:\w{0,40}Error: )?(?:\[[\w:-]{1,60}\]:? )?"
        r"(?P<message>[^\"]{0,80}(?:resolve|load) [^\"]{0,40}\"[^\"]{1,200}\" from "
        r"\"(?P<file>[^\"]{1,300})\".*)",
    ),
    # ERROR in ./src/index.js 3:7-12, then the message
    _lines(
        "webpack",
        rf"(?P<level>ERROR|WARNING) in {_FILE}(?:[ :]{_LINE}:{_COLUMN}(?:-[\d:]{{1,12}})?)?\s*$",
        rf"(?:\[tsl\] )?(?:(?P<rule>TS\d{{1,6}}): )?{_MESSAGE}",
    ),
    # ./src/a.tsx:3:7, then "Type error: …" (Next.js)
    _lines("next", rf"{_FILE}:{_LINE}:{_COLUMN}\s*$", r"(?P<message>[A-Z][\w ]{0,30}:? .*)"),
    # SyntaxError: /workspace/src/a.js: Unexpected token (3:7) (Babel, Jest)
    _lines(
        "babel",
        rf"\s{{0,8}}(?P<rule>\w{{0,40}}Error): {_FILE}: "
        rf"(?P<message>[^()]{{1,300}}) \({_LINE}:{_COLUMN}\)",
    ),
    # /workspace/src/a.js:10, the code, a caret, then "SyntaxError: …" (node)
    _lines(
        "node-header",
        rf"{_URL_FILE}:{_LINE}\s*$",
        rf"{_ERROR_NAME}(?: \[\w{{1,60}}\])?: {_MESSAGE}",
        within=8,
    ),
    # location: '/workspace/test/a.test.js:3:1', then "error: 'message'" (TAP of node:test)
    _lines(
        "node-tap",
        rf"\s{{0,12}}location: '{_URL_FILE}:{_LINE}:{_COLUMN}'",
        r"\s{0,12}error: (?:\|-|'?(?P<message>[^']{1,400})'?)\s*$",
        within=5,
    ),
    # test at test/a.test.js:3:1, then "✖ name (1.2ms)" (spec of node:test)
    _lines(
        "node-spec",
        rf"\s{{0,12}}test at {_URL_FILE}:{_LINE}:{_COLUMN}\s*$",
        r"\s{0,12}✖ (?P<message>\S.*)",
    ),
    # E   assert 1 == 2, then "tests/test_a.py:12: AssertionError" (pytest)
    _lines(
        "pytest",
        rf"E {{1,8}}{_MESSAGE}",
        rf"{_FILE}:{_LINE}: (?P<rule>[A-Za-z_][\w.]{{0,80}})\s*$",
        within=25,
    ),
    # FAILED tests/test_a.py::test_x - AssertionError: …
    _lines(
        "pytest-summary",
        r"(?:FAILED|ERROR) (?P<file>[^\s:]{1,300}\.py)(?:::\S{1,300})?(?: - (?P<message>\S.*))?$",
    ),
    # error[E0308]: mismatched types, then " --> src/a.rs:3:5" (rustc, ruff)
    _lines(
        "rustc",
        rf"(?P<level>error|warning)(?:\[(?P<rule>\w{{1,60}})\])?: {_MESSAGE}",
        rf"\s{{1,12}}--> {_FILE}:{_LINE}:{_COLUMN}",
        within=2,
    ),
    # F401 [*] `os` imported but unused, then " --> a.py:1:8"
    _lines(
        "ruff",
        rf"(?P<rule>[A-Z]{{1,4}}\d{{3,4}}|invalid-syntax):? (?:\[\*\] )?{_MESSAGE}",
        rf"\s{{1,12}}--> {_FILE}:{_LINE}:{_COLUMN}",
        within=2,
    ),
    # a.py:3:5: E999 SyntaxError: invalid syntax (flake8, ruff's concise form)
    _lines("flake8", rf"{_FILE}:{_LINE}:{_COLUMN}: (?P<rule>[A-Z]{{1,4}}\d{{3,4}}):? {_MESSAGE}"),
    # a.py:3: error: Incompatible types  [assignment] (mypy)
    _lines(
        "mypy",
        rf"(?P<file>[^\s:()]{{1,300}}\.pyi?):{_LINE}(?::{_COLUMN})?: "
        r"(?P<level>error|warning|note): "
        r"(?P<message>\S(?:[^ ]| (?! \[)){0,400})(?:  \[(?P<rule>[\w-]{1,60})\])?",
    ),
    # src/a.c:3:5: error: expected ';' [-Wx]; src/A.java:3: error: ';' expected; esbuild's ERROR
    _lines(
        "gcc",
        rf"(?![^\s:]{{1,300}}\.pyi?:){_FILE}:{_LINE}(?::{_COLUMN})?: (?:fatal )?"
        rf"(?P<level>error|warning|note|ERROR|WARNING): {_MESSAGE}",
    ),
    # [ERROR] /workspace/src/A.java:[3,5] ';' expected (Maven)
    _lines(
        "maven",
        rf"\[(?P<level>ERROR|WARNING)\] {_FILE}:\[{_LINE},{_COLUMN}\] (?:error: )?{_MESSAGE}",
    ),
    # ./a.go:3:5: undefined: x; vet: ./a.go:3:5: …;     a_test.go:12: got 1 (go test)
    _lines(
        "go",
        rf"(?:vet: |\s{{4,8}})?(?P<file>[^\s:()]{{1,300}}\.go):{_LINE}(?::{_COLUMN})?: {_MESSAGE}",
    ),
    # PHP Fatal error:  message in /workspace/a.php on line 3
    _lines(
        "php",
        r"(?:PHP )?(?:Fatal|Parse) error:\s{1,4}(?P<message>.{1,300}?) in "
        rf"(?P<file>[^\s:()]{{1,300}}\.php) on line {_LINE}",
    ),
    # blog.Post.author: (fields.E300) Field defines a relation with … (manage.py check)
    Matcher(
        "django-check",
        (
            Pattern(
                re.compile(
                    r"(?P<file>[a-z_][a-z0-9_]{0,60})\.\w{1,80}(?:\.\w{1,80})?: "
                    rf"\((?P<rule>\w{{1,40}}\.[EC]\d{{3}})\) {_MESSAGE}"
                )
            ),
        ),
        file="{file}/models.py",
    ),
)

_PYTHON_FRAME = re.compile(rf'\s{{0,12}}File "(?P<file>[^"]{{1,400}})", line {_LINE}')
_PYTEST_FRAME = re.compile(rf"(?P<file>[^\s:()]{{1,300}}\.py):{_LINE}: in ")
_SCRIPT_FRAME = re.compile(
    rf"\s{{0,16}}(?:at|❯) (?:[^()]{{1,160}} \()?{_URL_FILE}:{_LINE}:{_COLUMN}\)?"
)
_SCRIPT_MESSAGE = re.compile(
    rf"\s{{0,12}}(?:Uncaught |\[cause\]: )?{_ERROR_NAME}(?: \[\w{{1,60}}\])?"
    r"(?: \(.{1,60}\))?: (?P<message>\S.*)"
)
_JEST_MESSAGE = re.compile(r"\s{1,4}● (?P<message>\S.*)")

TRACES: tuple[Trace, ...] = (
    # File "/workspace/a.py", line 3, in f … ValueError: message
    Trace(
        "python",
        opens=_PYTHON_FRAME,
        frame=_PYTHON_FRAME,
        closes=re.compile(r"(?P<rule>[A-Za-z_][\w.]{0,80})(?:: (?P<message>.*))?$"),
        message_last=True,
        span=12,
    ),
    # tests/test_a.py:1: in <module> … E   ModuleNotFoundError: No module named 'x'
    Trace(
        "pytest-import",
        opens=_PYTEST_FRAME,
        frame=_PYTEST_FRAME,
        closes=re.compile(r"E {1,8}(?P<message>\S.*)"),
        message_last=True,
        span=6,
    ),
    # TypeError: x is not a function, then "    at f (/workspace/src/a.js:3:7)" (node, vitest)
    Trace(
        "javascript",
        opens=_SCRIPT_MESSAGE,
        frame=_SCRIPT_FRAME,
        closes=_SCRIPT_MESSAGE,
        message_last=False,
        span=16,
    ),
    # ● suite › test, then "      at Object.<anonymous> (src/a.test.js:5:15)" (jest)
    Trace(
        "jest",
        opens=_JEST_MESSAGE,
        frame=_SCRIPT_FRAME,
        closes=_JEST_MESSAGE,
        message_last=False,
        span=40,
    ),
)
