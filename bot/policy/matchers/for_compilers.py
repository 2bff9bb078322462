"""What compilers, make and the tools of Go, Rust, Java and PHP print when they blame a line."""

from __future__ import annotations

import re
from typing import Any

from bot.policy.matchers.shape import Matcher, Trace

_FILE = r"[^\s:()\[\]'\"<>|,;]{1,300}"

ACTIONS: list[dict[str, Any]] = [
    # ::error file=src/a.js,line=3,col=7,title=x::message (what tools print for GitHub Actions)
    {
        "owner": "workflow-command",
        "pattern": [
            {
                "regexp": (
                    r"^::(error|warning|notice) (?=(?:[^:]{0,200},)?file=([^,:]{1,300}))"
                    r"(?:(?=(?:[^:]{0,500},)?line=(\d{1,7})))?"
                    r"(?:(?=(?:[^:]{0,500},)?col=(\d{1,5})))?[^:]{1,800}::"
                    r"(?:[^\s:]{1,300}:\d{1,7}:\d{1,5}: )?((?:(?!%0A).){1,1900})"
                ),
                "severity": 1,
                "file": 2,
                "line": 3,
                "column": 4,
                "message": 5,
            }
        ],
    },
    # src/a.c:3:5: error: expected ';' [-Wx]; src/A.java:3: error: ';' expected
    {
        "owner": "gcc",
        "pattern": [
            {
                "regexp": (
                    rf"^(?![^\s:]{{1,300}}\.pyi?:)({_FILE}):(\d{{1,7}})(?::(\d{{1,5}}))?: "
                    r"(?:fatal )?(error|warning|note): "
                    r"(\S.{0,1900}?)(?: \[(-W[\w=+-]{1,60})\])?$"
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
    # main.c:(.text+0x5): undefined reference to `list'
    {
        "owner": "linker",
        "pattern": [
            {
                "regexp": (
                    r"^(?:[^\s:]{1,300}ld: )?([^\s:()]{1,300}\.(?:c|cc|cpp|cxx|m|s|S))"
                    r"(?::(\d{1,7}))?:(?:\(\.[^()]{1,80}\):)? (undefined reference to .*)"
                ),
                "file": 1,
                "line": 2,
                "message": 3,
            }
        ],
    },
    # Makefile:2: *** missing separator.  Stop.
    {
        "owner": "make",
        "pattern": [
            {
                "regexp": r"^([^\s:()]{1,300}):(\d{1,7}): \*\*\* (\S.{0,400}?)(?:  Stop\.)?$",
                "file": 1,
                "line": 2,
                "message": 3,
            }
        ],
    },
    # ./a.go:3:5: undefined: x; vet: ./a.go:3:5: …;     a_test.go:12: got 1 (go test)
    {
        "owner": "go",
        "pattern": [
            {
                "regexp": (
                    r"^(?:vet: |\s{4,8})?([^\s:()]{1,300}\.go):(\d{1,7})(?::(\d{1,5}))?: (\S.*)"
                ),
                "file": 1,
                "line": 2,
                "column": 3,
                "message": 4,
            }
        ],
    },
    # error[E0308]: mismatched types, then " --> src/a.rs:3:5"
    {
        "owner": "rustc",
        "pattern": [
            {
                "regexp": r"^(error|warning)(?:\[(\w{1,60})\])?: (\S.*)",
                "severity": 1,
                "code": 2,
                "message": 3,
            },
            {
                "regexp": rf"^\s{{1,12}}--> ({_FILE}):(\d{{1,7}}):(\d{{1,5}})",
                "file": 1,
                "line": 2,
                "column": 3,
            },
        ],
    },
    # thread 'tests::sums' panicked at src/lib.rs:11:9:, then the message
    {
        "owner": "rust-panic",
        "pattern": [
            {
                "regexp": (
                    r"^thread '[^']{1,200}' (?:\(\d{1,10}\) )?"
                    rf"panicked at ({_FILE}):(\d{{1,7}}):(\d{{1,5}}):$"
                ),
                "file": 1,
                "line": 2,
                "column": 3,
            },
            {"regexp": r"^(\S.*)", "message": 1},
        ],
    },
    # [ERROR] /workspace/src/A.java:[3,5] ';' expected (Maven)
    {
        "owner": "maven",
        "pattern": [
            {
                "regexp": (
                    rf"^\[(ERROR|WARNING)\] ({_FILE}):\[(\d{{1,7}}),(\d{{1,5}})\] "
                    r"(?:error: )?(\S.*)"
                ),
                "severity": 1,
                "file": 2,
                "line": 3,
                "column": 4,
                "message": 5,
            }
        ],
    },
    # PHP Fatal error:  message in /workspace/a.php on line 3
    {
        "owner": "php",
        "pattern": [
            {
                "regexp": (
                    r"^(?:PHP )?(?:Fatal|Parse) error:\s{1,4}(.{1,300}?) in "
                    r"([^\s:()]{1,300}\.php) on line (\d{1,7})"
                ),
                "message": 1,
                "file": 2,
                "line": 3,
            }
        ],
    },
]

COLUMNS_FROM_ZERO: frozenset[str] = frozenset()

EXTRA: tuple[Matcher, ...] = ()

_GO_PANIC = re.compile(r"\t?(?:panic|fatal error): (?P<message>\S.*)")
_JAVA_SAID = re.compile(
    r"(?:Exception in thread \"[^\"]{1,80}\" |Caused by: )?"
    r"(?P<code>(?:[a-z_]\w{0,60}\.){1,12}[A-Z]\w{0,80}(?:Error|Exception))(?:: (?P<message>.*))?$"
)
_JAVA_FRAME = re.compile(
    r"\s{1,8}at (?!(?:java|javax|jdk|sun|org\.junit)[./])[\w.$/<>@-]{1,300}"
    r"\((?P<file>\w{1,100}\.(?:java|kt)):(?P<line>\d{1,7})\)"
)

TRACES: tuple[Trace, ...] = (
    # panic: runtime error: …, then "\t/workspace/main.go:6 +0x1a"
    Trace(
        "go-panic",
        opens=_GO_PANIC,
        frame=re.compile(r"\t(?P<file>[^\s:()]{1,300}\.go):(?P<line>\d{1,7})(?: \+0x\w{1,16})?$"),
        closes=re.compile(r"FAIL|exit status"),
        message_last=False,
        span=8,
    ),
    # Exception in thread "main" java.lang.X: message, then "\tat shop.Main.port(Main.java:7)"
    Trace("java", _JAVA_SAID, _JAVA_FRAME, _JAVA_SAID, message_last=False, span=12),
)
