"""What Python and its tools print when they blame a line of a file."""

from __future__ import annotations

import re
from typing import Any

from bot.policy.matchers.shape import Matcher, Pattern, Trace, lines

_PY_FILE = r"[^\s:()]{1,300}\.pyi?"
_CODE = r"[A-Z]{1,4}\d{3,4}|invalid-syntax|unformatted"

ACTIONS: list[dict[str, Any]] = [
    # /workspace/tests/test_a.py:8: AssertionError: no (pytest --tb=line)
    {
        "owner": "pytest-line",
        "pattern": [
            {
                "regexp": (
                    rf"^({_PY_FILE}):(\d{{1,7}}): "
                    r"([A-Za-z_][\w.]{0,80}(?:Error|Exception): \S.*|assert \S.*)"
                ),
                "file": 1,
                "line": 2,
                "message": 3,
            }
        ],
    },
    # F401 [*] `os` imported but unused, then " --> a.py:1:8"
    {
        "owner": "ruff",
        "pattern": [
            {"regexp": rf"^({_CODE}):? (?:\[\*\] )?(\S.*)", "code": 1, "message": 2},
            {
                "regexp": rf"^\s{{1,12}}--> ({_PY_FILE}):(\d{{1,7}}):(\d{{1,5}})",
                "file": 1,
                "line": 2,
                "column": 3,
            },
        ],
    },
    # Would reformat: a.py (ruff format, black)
    {
        "owner": "python-format",
        "pattern": [{"regexp": rf"^([Ww]ould reformat:? ({_PY_FILE}))$", "message": 1, "file": 2}],
    },
    # a.py:3:5: E999 SyntaxError: invalid syntax (flake8, ruff's concise form)
    {
        "owner": "flake8",
        "pattern": [
            {
                "regexp": rf"^({_PY_FILE}):(\d{{1,7}}):(\d{{1,5}}): ({_CODE}):? (?:\[\*\] )?(\S.*)",
                "file": 1,
                "line": 2,
                "column": 3,
                "code": 4,
                "message": 5,
            }
        ],
    },
    # a.py:3: error: Incompatible types  [assignment] (mypy)
    {
        "owner": "mypy",
        "pattern": [
            {
                "regexp": (
                    rf"^({_PY_FILE}):(\d{{1,7}})(?::(\d{{1,5}}))?: (error|warning|note): "
                    r"(\S.{0,1500}?)(?:  \[([\w-]{1,60})\])?$"
                ),
                "file": 1,
                "line": 2,
                "column": 3,
                "severity": 4,
                "message": 5,
                "code": 6,
            }
        ],
    },
    # ERROR: Invalid requirement: 'flask ==> 2' (from line 2 of requirements.txt)
    {
        "owner": "pip-requirement",
        "pattern": [
            {
                "regexp": (
                    r"^ERROR: (Invalid requirement: .{1,300}) "
                    r"\(from line (\d{1,7}) of ([^\s:()]{1,300})\)"
                ),
                "message": 1,
                "line": 2,
                "file": 3,
            }
        ],
    },
    # ERROR: Cannot install -r requirements.txt (line 1) and asgiref==3.0 because …
    {
        "owner": "pip-conflict",
        "pattern": [
            {
                "regexp": (
                    r"^ERROR: (Cannot install [^()]{0,300}-r ([^\s:()]{1,300}) "
                    r"\(line (\d{1,7})\).* conflicting dependencies\.)"
                ),
                "message": 1,
                "file": 2,
                "line": 3,
            }
        ],
    },
]

COLUMNS_FROM_ZERO: frozenset[str] = frozenset()

EXTRA: tuple[Matcher, ...] = (
    # E   assert 1 == 2, then "tests/test_a.py:12: AssertionError" (pytest)
    lines(
        "pytest",
        r"E {1,8}(?P<message>\S.*)",
        rf"(?P<file>{_PY_FILE}):(?P<line>\d{{1,7}}): (?P<code>[A-Za-z_][\w.]{{0,80}})\s*$",
        within=25,
        until=r"^[_=]{3}",
    ),
    # file /workspace/tests/test_a.py, line 20; the code; "E   fixture 'x' not found" (pytest)
    lines(
        "pytest-fixture",
        rf"file (?P<file>{_PY_FILE}), line (?P<line>\d{{1,7}})$",
        r"E {1,8}(?P<message>\S.*)",
        within=12,
        until=r"^[_=]{3}",
    ),
    # FAILED tests/test_a.py::test_x - AssertionError: …
    lines(
        "pytest-summary",
        rf"(?:FAILED|ERROR) (?P<file>{_PY_FILE})(?:::\S{{1,300}})?(?: - (?P<message>\S.*))?$",
    ),
    # blog.Post.author: (fields.E300) Field defines a relation with … (manage.py check)
    Matcher(
        "django-check",
        (
            Pattern(
                re.compile(
                    r"^(?P<file>[a-z_][a-z0-9_]{0,60})\.\w{1,80}(?:\.\w{1,80})?: "
                    r"\((?P<code>\w{1,40}\.[EC]\d{3})\) (?P<message>\S.*)"
                )
            ),
        ),
        file="{file}/models.py",
    ),
)

_FRAME = re.compile(r'(?:E )?\s{0,12}File "(?P<file>[^"]{1,400})", line (?P<line>\d{1,7})')
_PYTEST_FRAME = re.compile(rf"(?P<file>{_PY_FILE}):(?P<line>\d{{1,7}}): in ")

TRACES: tuple[Trace, ...] = (
    # File "/workspace/a.py", line 3, in f … ValueError: message
    Trace(
        "python",
        opens=_FRAME,
        frame=_FRAME,
        closes=re.compile(r"(?:E {1,8})?(?P<code>[A-Za-z_][\w.]{0,80})(?:: (?P<message>.*))?$"),
        message_last=True,
        span=12,
    ),
    # tests/test_a.py:1: in <module> … E   ModuleNotFoundError: No module named 'x'
    Trace(
        "pytest-import",
        opens=_PYTEST_FRAME,
        frame=_PYTEST_FRAME,
        closes=re.compile(r"E {1,8}(?P<message>(?!File \")\S.*)"),
        message_last=True,
        span=6,
    ),
)
