"""One row a tool: what it prints, and what it blames."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.plan import Stage
from bot.domain.validations import Level
from bot.policy.findings import MOST, extract, signature

PATHS = frozenset(
    {
        "src/a.ts",
        "src/a.js",
        "src/a.rs",
        "src/a.c",
        "src/A.java",
        "a.go",
        "pkg/a_test.go",
        "a.py",
        "app/views.py",
        "blog/models.py",
        "index.php",
        "tests/test_a.py",
        "test/a.test.js",
        "packages/web/src/main.tsx",
        "packages/one/index.js",
        "packages/two/index.js",
    }
)

ROWS = [
    pytest.param(
        "src/a.ts(3,7): error TS2322: Type 'string' is not assignable to type 'number'.",
        ("src/a.ts", 3, 7, "TS2322", "Type 'string' is not assignable to type 'number'."),
        id="tsc",
    ),
    pytest.param(
        "\x1b[96msrc/a.ts\x1b[0m:\x1b[93m3\x1b[0m:\x1b[93m7\x1b[0m - \x1b[91merror\x1b[0m "
        "TS2322: No.",
        ("src/a.ts", 3, 7, "TS2322", "No."),
        id="tsc, pretty",
    ),
    pytest.param(
        "/workspace/src/a.js\n  3:7  error  'x' is not defined  no-undef\n\n✖ 1 problem",
        ("src/a.js", 3, 7, "no-undef", "'x' is not defined"),
        id="eslint",
    ),
    pytest.param(
        '/workspace/src/a.js:3:7: ERROR: Expected ";" but found "x"',
        ("src/a.js", 3, 8, "", 'Expected ";" but found "x"'),
        id="vite's esbuild",
    ),
    pytest.param(
        '✘ [ERROR] Could not resolve "x"\n\n    src/a.js:3:7:\n      3 │ import "x"',
        ("src/a.js", 3, 8, "", 'Could not resolve "x"'),
        id="esbuild",
    ),
    pytest.param(
        'RollupError: src/a.js (3:7): "x" is not exported by "src/b.js"',
        ("src/a.js", 3, 8, "", '"x" is not exported by "src/b.js"'),
        id="rollup",
    ),
    pytest.param(
        '[vite]: Rollup failed to resolve import "x" from "/workspace/src/a.js".',
        ("src/a.js", None, None, "", None),
        id="vite, unresolved import",
    ),
    pytest.param(
        "ERROR in ./src/a.js 3:7-12\nModule not found: Error: Can't resolve './x'",
        ("src/a.js", 3, 8, "", "Module not found: Error: Can't resolve './x'"),
        id="webpack",
    ),
    pytest.param(
        "./packages/web/src/main.tsx:3:7\nType error: Cannot find name 'x'.",
        ("packages/web/src/main.tsx", 3, 7, "", "Type error: Cannot find name 'x'."),
        id="Next.js",
    ),
    pytest.param(
        "/workspace/src/a.js:10\nconst = 1\n      ^\n\nSyntaxError: Unexpected token '='\n"
        "    at wrapSafe (node:internal/modules/cjs/loader:1486:18)",
        ("src/a.js", 10, None, "SyntaxError", "Unexpected token '='"),
        id="node, syntax error",
    ),
    pytest.param(
        "TypeError: x is not a function\n    at Object.y (/workspace/node_modules/z/a.js:1:1)\n"
        "    at f (/workspace/src/a.js:3:7)\n    at g (/workspace/test/a.test.js:1:1)",
        ("src/a.js", 3, 7, "TypeError", "x is not a function"),
        id="node, innermost frame of the tree",
    ),
    pytest.param(
        "  AssertionError [ERR_ASSERTION]: Expected values to be equal:\n\n  1 !== 2\n\n"
        "      at TestContext.<anonymous> (file:///workspace/test/a.test.js:5:10)",
        ("test/a.test.js", 5, 10, "AssertionError", "Expected values to be equal: 1 !== 2"),
        id="node:test",
    ),
    pytest.param(
        "  location: '/workspace/test/a.test.js:3:1'\n  failureType: 'x'\n  error: 'it broke'",
        ("test/a.test.js", 3, 1, "", "it broke"),
        id="node:test, TAP",
    ),
    pytest.param(
        "  location: '/workspace/test/a.test.js:1:1'\n  failureType: 'testCodeFailure'\n"
        "  exitCode: 3\n  signal: ~\n  error: 'test failed'\n  code: 'ERR_TEST_FAILURE'",
        ("test/a.test.js", 1, 1, "", "exitCode: 3"),
        id="node:test, TAP, the file's process ended",
    ),
    pytest.param(
        "  location: '/workspace/test/a.test.js:1:1'\n  failureType: 'testCodeFailure'\n"
        "  exitCode: ~\n  signal: 'SIGSEGV'\n  error: 'test failed'",
        ("test/a.test.js", 1, 1, "", "signal: 'SIGSEGV'"),
        id="node:test, TAP, the file's process was killed",
    ),
    pytest.param(
        "  ● adds › numbers\n\n    expect(received).toBe(expected)\n\n    Expected: 1\n\n"
        "      at Object.toBe (test/a.test.js:5:15)",
        ("test/a.test.js", 5, 15, "", "adds › numbers; Expected: 1"),
        id="jest",
    ),
    pytest.param(
        " FAIL  test/a.test.js > adds\nAssertionError: expected 1 to be 2\n ❯ test/a.test.js:5:15",
        ("test/a.test.js", 5, 15, "AssertionError", "expected 1 to be 2"),
        id="vitest",
    ),
    pytest.param(
        "SyntaxError: /workspace/src/a.js: Unexpected token (3:7)",
        ("src/a.js", 3, 8, "SyntaxError", "Unexpected token"),
        id="Babel",
    ),
    pytest.param(
        'Traceback (most recent call last):\n  File "/workspace/a.py", line 3, in <module>\n'
        '    f()\n  File "/workspace/app/views.py", line 8, in f\n    g()\n'
        '  File "/usr/lib/python3.13/json/decoder.py", line 1, in g\n    raise\n'
        "json.decoder.JSONDecodeError: Expecting value: line 1 column 1",
        ("app/views.py", 8, None, "json.decoder.JSONDecodeError", None),
        id="Python traceback",
    ),
    pytest.param(
        '  File "/workspace/a.py", line 3\n    def\n       ^\nSyntaxError: invalid syntax',
        ("a.py", 3, None, "SyntaxError", "invalid syntax"),
        id="Python, syntax error",
    ),
    pytest.param(
        "    def test_x():\n>       assert 1 == 2\nE       assert 1 == 2\n\n"
        "tests/test_a.py:12: AssertionError",
        ("tests/test_a.py", 12, None, "AssertionError", "assert 1 == 2"),
        id="pytest",
    ),
    pytest.param(
        "FAILED tests/test_a.py::test_x - AssertionError: no",
        ("tests/test_a.py", None, None, "", "AssertionError: no"),
        id="pytest, summary only",
    ),
    pytest.param(
        "tests/test_a.py:1: in <module>\n    import x\nE   ModuleNotFoundError: No module 'x'",
        ("tests/test_a.py", 1, None, "", "ModuleNotFoundError: No module 'x'"),
        id="pytest, import",
    ),
    pytest.param(
        "a.py:3: error: Incompatible types in assignment  [assignment]",
        ("a.py", 3, None, "assignment", "Incompatible types in assignment"),
        id="mypy",
    ),
    pytest.param(
        "F401 [*] `os` imported but unused\n --> a.py:1:8\n  |",
        ("a.py", 1, 8, "F401", "`os` imported but unused"),
        id="ruff",
    ),
    pytest.param(
        "./a.py:3:5: E999 SyntaxError: invalid syntax",
        ("a.py", 3, 5, "E999", "SyntaxError: invalid syntax"),
        id="flake8",
    ),
    pytest.param(
        "src/a.c:3:5: error: expected ';' before 'x'",
        ("src/a.c", 3, 5, "", "expected ';' before 'x'"),
        id="gcc",
    ),
    pytest.param("./a.go:3:5: undefined: x", ("a.go", 3, 5, "", "undefined: x"), id="go"),
    pytest.param(
        "--- FAIL: TestX (0.00s)\n    a_test.go:12: got 1",
        ("pkg/a_test.go", 12, None, "", "got 1"),
        id="go test",
    ),
    pytest.param(
        "error[E0308]: mismatched types\n --> src/a.rs:3:5",
        ("src/a.rs", 3, 5, "E0308", "mismatched types"),
        id="rustc",
    ),
    pytest.param(
        "src/A.java:3: error: ';' expected", ("src/A.java", 3, None, "", "';' expected"), id="javac"
    ),
    pytest.param(
        "[ERROR] /workspace/src/A.java:[3,5] ';' expected",
        ("src/A.java", 3, 5, "", "';' expected"),
        id="Maven",
    ),
    pytest.param(
        "PHP Parse error:  syntax error, unexpected '}' in /workspace/index.php on line 3",
        ("index.php", 3, None, "", "syntax error, unexpected '}'"),
        id="PHP",
    ),
    pytest.param(
        "blog.Post.author: (fields.E300) Field defines a relation with model 'X'",
        ("blog/models.py", None, None, "fields.E300", "Field defines a relation with model 'X'"),
        id="Django check",
    ),
]


@pytest.mark.parametrize(("log", "expected"), ROWS)
def test_each_tool(log: str, expected: tuple[str, int | None, int | None, str, str | None]) -> None:
    file, line, column, rule, message = expected
    findings = extract(Stage.BUILD, f"before\n{log}\nafter", PATHS)
    assert len(findings) == 1, findings
    found = findings[0]
    assert (found.file, found.line, found.column, found.rule) == (file, line, column, rule)
    assert message is None or found.message == message
    assert found.level is Level.FAILURE
    assert found.stage == "build"


@pytest.mark.parametrize(
    ("named", "path"),
    [
        pytest.param("./src/a.c", "src/a.c", id="dot"),
        pytest.param("/workspace/src/a.c", "src/a.c", id="workspace"),
        pytest.param("src/../src/a.c", "src/a.c", id="dots inside"),
        pytest.param("src\\a.c", "src/a.c", id="backslash"),
        pytest.param("src/main.tsx", "packages/web/src/main.tsx", id="monorepo, the only one"),
        pytest.param("index.js", None, id="monorepo, one of two"),
        pytest.param("/usr/include/src/a.c", None, id="outside"),
        pytest.param("node_modules/x/src/a.c", None, id="a dependency's"),
        pytest.param("../../etc/passwd", None, id="above"),
    ],
)
def test_only_files_of_the_tree(named: str, path: str | None) -> None:
    found = extract(Stage.BUILD, f"{named}:3:5: error: no", PATHS)
    assert [finding.file for finding in found] == ([path] if path else [])


def test_all_rows_of_eslint_with_their_levels_failures_first() -> None:
    log = "/workspace/src/a.js\n  1:1  warning  odd  x/odd\n  3:7  error  bad  x/bad\n"
    found = extract(Stage.TEST, log, PATHS)
    assert [(f.line, f.level.value, f.rule) for f in found] == [
        (3, "failure", "x/bad"),
        (1, "warning", "x/odd"),
    ]


def test_a_summary_adds_nothing_where_the_line_is_known() -> None:
    log = (
        "E       assert 1 == 2\n\ntests/test_a.py:12: AssertionError\n"
        "FAILED tests/test_a.py::test_x - assert 1 == 2\n"
    )
    assert [finding.line for finding in extract(Stage.TEST, log, PATHS)] == [12]


def test_no_more_than_a_page_can_hold() -> None:
    log = "\n".join(f"src/a.c:{n}:1: error: no" for n in range(1, 300))
    assert len(extract(Stage.BUILD, log, PATHS)) == MOST


def test_a_signature_outlives_paths_lines_addresses_and_times() -> None:
    one = signature("test", "E1", "object at 0x7f3a in /workspace/src/a.py:3 after 1.25 s")
    two = signature("test", "E1", "Object at 0x11 in /home/lib/b.py:99 after 3 s")
    assert one == two
    assert len(one) == 12
    assert one != signature("test", "E1", "another message")
    assert one != signature("build", "E1", "object at 0x7f3a in /workspace/src/a.py:3 after 1.25 s")


@given(st.text(st.sampled_from("aE:()./\\ \n\t\"'[]-–>✘at1 0Error\x1b\r"), max_size=300))
def test_no_log_raises(log: str) -> None:
    assert len(extract(Stage.TEST, log, PATHS)) <= MOST


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        "a" * 1999,
        "a:" * 999,
        "(" * 1999,
        " " * 1999,
        "at " * 660,
        "at " + "a " * 990,
        "a.Error" * 280,
        "E " + "x " * 990,
        "  1:1 error " + "x " * 990,
        "a.py:1: error: " + "x " * 900,
        "PHP Fatal error:  " + "in " * 600,
        '"resolve load ' * 140,
        "  ● x",
        "Error: x",
        "/a/b",
        "E   x",
        '  File "a", line 1',
        "✘ [ERROR] x",
    ],
)
def test_hostile_logs_take_linear_time(line: str) -> None:
    log = (line + "\n") * (256 * 1024 // (len(line) + 1))
    started = time.process_time()
    extract(Stage.TEST, log, PATHS)
    assert time.process_time() - started < 5
