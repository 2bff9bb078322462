"""What the tools of JavaScript and TypeScript print when they blame a line of a file."""

from __future__ import annotations

import re
from typing import Any

from bot.policy.matchers.shape import Matcher, Trace, lines

_FILE = r"[^\s:()\[\]'\"<>|,;]{1,300}"
_ERROR = r"(?:[A-Za-z_][\w.]{0,80})?(?:Error|Exception|Warning|Failure)"
_URL_FILE = rf"(?P<file>(?:file://)?{_FILE})"
_PLACE = rf"{_URL_FILE}:(?P<line>\d{{1,7}}):(?P<column>\d{{1,5}})"

ACTIONS: list[dict[str, Any]] = [
    # src/a.ts(3,7): error TS2322: Type 'string' is not assignable to type 'number'.
    {
        "owner": "tsc",
        "pattern": [
            {
                "regexp": (
                    rf"^({_FILE})\((\d{{1,7}}),(\d{{1,5}})\): "
                    r"(error|warning|info) (TS\d{1,6}): (\S.*)"
                ),
                "file": 1,
                "line": 2,
                "column": 3,
                "severity": 4,
                "code": 5,
                "message": 6,
            }
        ],
    },
    # src/a.ts:3:7 - error TS2322: …
    {
        "owner": "tsc-pretty",
        "pattern": [
            {
                "regexp": (
                    rf"^({_FILE}):(\d{{1,7}}):(\d{{1,5}}) - "
                    r"(error|warning|info) (TS\d{1,6}): (\S.*)"
                ),
                "file": 1,
                "line": 2,
                "column": 3,
                "severity": 4,
                "code": 5,
                "message": 6,
            }
        ],
    },
    # /workspace/src/a.js, then rows of "  3:7  error  message  rule"
    {
        "owner": "eslint-stylish",
        "pattern": [
            {"regexp": r"^([^\s:()]{1,300})$", "file": 1},
            {
                "regexp": (
                    r"^\s{1,8}(\d{1,7}):(\d{1,5})\s{1,8}(error|warning)\s{1,8}"
                    r"(\S.{0,1500}?)(?: {2,400}([\w@/-]{1,80}))?$"
                ),
                "line": 1,
                "column": 2,
                "severity": 3,
                "message": 4,
                "code": 5,
                "loop": True,
            },
        ],
    },
    # /workspace/src/a.js: line 3, col 12, Error - Expected '==='. (eqeqeq)
    {
        "owner": "eslint-compact",
        "pattern": [
            {
                "regexp": (
                    r"^([^\s:]{1,300}): line (\d{1,7}), col (\d{1,5}), (Error|Warning|Info) - "
                    r"(\S.{0,400}?)(?: \(([\w@/-]{1,80})\))?$"
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
    # /workspace/src/a.ts:2:13: ERROR: Unexpected ";" (esbuild in Vite)
    {
        "owner": "esbuild-line",
        "pattern": [
            {
                "regexp": (rf"^({_FILE}):(\d{{1,7}}):(\d{{1,5}}): (ERROR|WARNING): (\S.*)"),
                "file": 1,
                "line": 2,
                "column": 3,
                "severity": 4,
                "message": 5,
            }
        ],
    },
    # RollupError: src/x.js (3:7): "a" is not exported by "src/y.js", imported by "src/x.js".
    {
        "owner": "rollup",
        "pattern": [
            {
                "regexp": (
                    r"^(?:\[!\] )?(?:\[[\w: -]{1,60}\] ){0,2}(?:\w{0,40}Error: )?"
                    rf"({_FILE}) \((\d{{1,7}}):(\d{{1,5}})\): (\S.*)"
                ),
                "file": 1,
                "line": 2,
                "column": 3,
                "message": 4,
            }
        ],
    },
    # [vite]: Rollup failed to resolve import "x" from "/workspace/src/main.js".
    {
        "owner": "vite-resolve",
        "pattern": [
            {
                "regexp": (
                    r"^(?:\w{0,40}Error: )?(?:\[[\w:-]{1,60}\]:? )?"
                    r"([^\"']{0,80}(?:resolve|load) [^\"']{0,40}[\"'][^\"']{1,200}[\"'] from "
                    r"[\"']([^\"']{1,300})[\"'].*)"
                ),
                "message": 1,
                "file": 2,
            }
        ],
    },
    # ERROR in ./src/index.js 3:7-12, then the message
    {
        "owner": "webpack",
        "pattern": [
            {
                "regexp": (
                    rf"^(ERROR|WARNING) in ({_FILE})"
                    r"(?:[ :](\d{1,7}):(\d{1,5})(?:-[\d:]{1,12})?)?\s*$"
                ),
                "severity": 1,
                "file": 2,
                "line": 3,
                "column": 4,
            },
            {
                "regexp": r"^(?!\[tsl\] |(?:\S{1,300} )?\d+:\d+-)(?:(TS\d{1,6}): )?(\S.*)",
                "code": 1,
                "message": 2,
            },
        ],
    },
    # [tsl] ERROR in /workspace/src/cart.ts(4,3), then "      TS2322: …" (ts-loader)
    {
        "owner": "ts-loader",
        "pattern": [
            {
                "regexp": rf"^\[tsl\] (ERROR|WARNING) in ({_FILE})\((\d{{1,7}}),(\d{{1,5}})\)",
                "severity": 1,
                "file": 2,
                "line": 3,
                "column": 4,
            },
            {"regexp": r"^\s{1,12}(TS\d{1,6}): (\S.*)", "code": 1, "message": 2},
        ],
    },
    # ./src/a.tsx:3:7, then "Type error: …" (Next.js)
    {
        "owner": "next",
        "pattern": [
            {
                "regexp": rf"^({_FILE}):(\d{{1,7}}):(\d{{1,5}})\s*$",
                "file": 1,
                "line": 2,
                "column": 3,
            },
            {"regexp": r"^([A-Z][\w ]{0,30}:? .*)", "message": 1},
        ],
    },
    # SyntaxError: /workspace/src/a.js: Unexpected token (3:7) (Babel, Jest)
    {
        "owner": "babel",
        "pattern": [
            {
                "regexp": (
                    rf"^\s{{0,8}}(\w{{0,40}}Error): ({_FILE}): "
                    r"([^()]{1,300}) \((\d{1,7}):(\d{1,5})\)"
                ),
                "code": 1,
                "file": 2,
                "message": 3,
                "line": 4,
                "column": 5,
            }
        ],
    },
    # Error [ERR_MODULE_NOT_FOUND]: Cannot find module '/w/b.js' imported from /w/a.js
    {
        "owner": "node-import",
        "pattern": [
            {
                "regexp": (
                    r"^(?:\w{0,40}Error(?: \[\w{1,60}\])?: )"
                    rf"(Cannot find (?:module|package) '[^']{{1,300}}' imported from ({_FILE}))$"
                ),
                "message": 1,
                "file": 2,
            }
        ],
    },
    # Error: Timeout of 30ms exceeded. For async tests … (/workspace/test/cart.js) (Mocha)
    {
        "owner": "mocha-timeout",
        "pattern": [
            {
                "regexp": (
                    r"^\s{1,8}Error: (Timeout of \d{1,9}ms exceeded\."
                    r"[^(]{0,200}\"done\(\)\"[^(]{0,200}) "
                    rf"\(({_FILE})\)$"
                ),
                "message": 1,
                "file": 2,
            }
        ],
    },
]

COLUMNS_FROM_ZERO = frozenset({"babel", "esbuild", "esbuild-line", "rollup", "webpack"})

EXTRA: tuple[Matcher, ...] = (
    # ✘ [ERROR] message, an empty line, "    src/x.js:3:7:"
    lines(
        "esbuild",
        r"\s{0,4}[✘▲X] \[(?P<severity>ERROR|WARNING)\] (?P<message>\S.*)",
        rf"\s{{1,8}}{_PLACE}:\s*$",
        within=3,
    ),
    # /workspace/src/a.js:10, the code, a caret, then "SyntaxError: …" (node)
    lines(
        "node-header",
        rf"{_URL_FILE}:(?P<line>\d{{1,7}})\s*$",
        rf"(?P<code>{_ERROR})(?: \[\w{{1,60}}\])?: (?P<message>\S.*)",
        within=8,
    ),
    # location: '/workspace/a.test.js:1:1', then "exitCode: 3": the file's process has ended, of
    # which the error says no more than 'test failed'
    lines(
        "node-tap-exit",
        rf"\s{{0,12}}location: '{_PLACE}'",
        r"\s{0,12}(?P<message>exitCode: [1-9]\d{0,9}|signal: 'SIG[A-Z]{1,12}')\s*$",
        within=5,
        fallback=True,
    ),
    # location: '/workspace/test/a.test.js:3:1', then "error: 'message'" (TAP of node:test)
    lines(
        "node-tap",
        rf"\s{{0,12}}location: '{_PLACE}'",
        r"\s{0,12}error: (?![|>]|'test failed'\s*$)[\"']?(?P<message>.{1,400}?)[\"']?\s*$",
        within=5,
        fallback=True,
    ),
    # error: |-, its first line; then the stack's "TestContext.<anonymous> (/w/a.test.js:6:10)"
    lines(
        "node-tap-block",
        r"\s{0,12}error: [|>]-?\s*$",
        r"\s{0,16}(?P<message>\S.*)",
        rf"\s{{0,16}}(?:async )?TestContext\.<anonymous> \({_PLACE}\)",
        within=40,
        until=r"^\s{0,12}(?:\.\.\.|(?:not )?ok \d)",
    ),
    # test at test/a.test.js:3:1, then "✖ name (1.2ms)" (spec of node:test)
    lines(
        "node-spec",
        rf"\s{{0,12}}test at {_PLACE}\s*$",
        r"\s{0,12}✖ (?P<message>\S.{0,400}?)(?: \([\d.]{1,20}ms\))?$",
        fallback=True,
    ),
)

_FRAME = re.compile(rf"\s{{0,16}}(?:at|❯) (?:[^()]{{1,160}} \(|[\w.<>$]{{1,80}} )?{_PLACE}\)?")
_SAID = re.compile(
    rf"\s{{0,12}}(?:Exception during run: |Uncaught |\[cause\]: )?(?P<code>{_ERROR})"
    r"(?: \[\w{1,60}\])?(?: \(.{1,60}\))?: (?P<message>\S.*)"
)
_EXPECTED = re.compile(r"\s{4}((?:Expected|Received)(?: [\w ]{1,40})?: {1,10}\S.{0,100})$")
_JEST = re.compile(r"\s{1,4}● (?P<message>\S.*)")

_TAP_SAID = re.compile(r"\s{0,12}error: (?![|>])[\"']?(?P<message>.{1,400}?)[\"']?\s*$")
_TAP_FRAME = re.compile(rf"\s{{0,16}}(?:[\w.<>$ ]{{1,160}} \()?{_PLACE}\)?$")
_UNRESOLVED = re.compile(
    r"\s{2,8}(?P<message>Cannot find module '[^']{1,300}' from '[^']{1,300}')$"
)

TRACES: tuple[Trace, ...] = (
    # error: 'message', then in the stack "    f (/workspace/src/a.js:2:17)" (TAP of node:test)
    Trace(
        "node-tap-stack",
        _TAP_SAID,
        _TAP_FRAME,
        re.compile(r"\s{0,12}\.\.\.$"),
        message_last=False,
        span=16,
    ),
    # TypeError: x is not a function, then "    at f (/workspace/src/a.js:3:7)" (node, Vitest)
    Trace("javascript", _SAID, _FRAME, _SAID, message_last=False, span=16),
    # Cannot find module '../src/b' from 'test/a.test.js' (Jest)
    Trace("jest-resolve", _UNRESOLVED, _FRAME, _JEST, message_last=False, span=20),
    # ● suite › test, then "      at Object.<anonymous> (src/a.test.js:5:15)" (Jest)
    Trace("jest", _JEST, _FRAME, _JEST, message_last=False, span=40, details=_EXPECTED),
)
