"""Test reports: JUnit and TAP, of every make, and hostile ones."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.plan import Stage
from bot.policy import test_reports
from bot.policy.findings import MOST, extract, merged
from bot.policy.test_reports import TestReport, read_report

PATHS = frozenset(
    {"src/cart.js", "test/cart.test.js", "tests/test_cart.py", "it/shop/CartTest.java"}
)


def read(text: str) -> TestReport:
    return read_report(Stage.TEST, text, "report", PATHS)


STACK = "at f (src/cart.js:3:7)"


def failing(body: str, attributes: str = "") -> str:
    return f'<testcase name="n"{attributes}><failure message="no">{body}</failure></testcase>'


def junit(case: str, suite: str = 'name="s"') -> str:
    return f"<testsuites><testsuite {suite}>{case}</testsuite></testsuites>"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param(
            junit(failing(STACK)),
            ("src/cart.js", 3, 7, "n: no"),
            id="a stack",
        ),
        pytest.param(
            junit(failing("", ' classname="tests.test_cart.CartTest"').replace("failure", "error")),
            ("tests/test_cart.py", None, None, "n: no"),
            id="a Python class",
        ),
        pytest.param(
            junit(failing("no\nmore", ' classname="shop.CartTest"').replace(' message="no"', "")),
            ("it/shop/CartTest.java", None, None, "n: no"),
            id="a Java class",
        ),
        pytest.param(
            junit(
                '<testcase name="n"><failure message="no"/></testcase>', 'name="test/cart.test.js"'
            ),
            ("test/cart.test.js", None, None, "n: no"),
            id="a suite that is a file",
        ),
        pytest.param(
            junit('<testcase name="n" file="./test/cart.test.js"><failure/></testcase>'),
            ("test/cart.test.js", None, None, "n"),
            id="no word of why",
        ),
        pytest.param(
            "TAP version 14\nnot ok 1 - n\n  ---\n  message: 'no'\n  at: src/cart.js:3:7\n  ...",
            ("src/cart.js", 3, 7, "n: no"),
            id="TAP",
        ),
        pytest.param(
            "not ok n\n# at src/cart.js:3\n1..1",
            ("src/cart.js", 3, None, "n: # at src/cart.js:3"),
            id="TAP without numbers",
        ),
    ],
)
def test_where_a_test_failed(text: str, place: tuple[str, int | None, int | None, str]) -> None:
    report = read(text)
    assert (report.tests, report.failed, report.problem) == (1, 1, "")
    (found,) = report.findings
    assert (found.file, found.line, found.column, found.message) == place


@pytest.mark.parametrize(
    ("text", "tests", "failed"),
    [
        pytest.param(junit('<testcase name="n"/>'), 1, 0, id="passed"),
        pytest.param(junit('<testcase name="n"><skipped/></testcase>'), 0, 0, id="skipped"),
        pytest.param(junit(""), 0, 0, id="no tests"),
        pytest.param("1..0", 0, 0, id="TAP, no tests"),
        pytest.param("ok 1\nnot ok 2 # TODO later\nok 3 # SKIP no", 2, 0, id="TAP, directives"),
        pytest.param(
            "    not ok 1 - inner\n    ok 2 - other\n    1..2\nnot ok 1 - outer\n1..1",
            2,
            1,
            id="TAP, nested",
        ),
        pytest.param(
            junit(failing("at /usr/lib/x.js:1:1", ' classname="else.Where"')),
            1,
            1,
            id="outside of the tree",
        ),
    ],
)
def test_what_is_counted(text: str, tests: int, failed: int) -> None:
    report = read(text)
    assert (report.tests, report.failed, report.findings) == (tests, failed, ())


LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    '<testsuite><testcase name="&b;"/></testsuite>'
)
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><testsuite name="&a;"/>'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(LAUGHS, "declares a document type", id="entities"),
        pytest.param(OUTSIDE, "declares a document type", id="a file of the machine"),
        pytest.param("<testsuite>", "is not well-formed XML", id="cut off"),
        pytest.param("<html/>", "it has no `testsuite`", id="other XML"),
        pytest.param("# Read me\n", "is neither JUnit's XML nor TAP", id="neither"),
        pytest.param("", "is neither JUnit's XML nor TAP", id="empty"),
        pytest.param("<testsuite>" * 100, "is nested too deeply", id="deep"),
        pytest.param(" " * (8 * 1024 * 1024 + 1), "is larger than 8 MB", id="large"),
    ],
)
def test_what_is_not_read_is_told(text: str, problem: str) -> None:
    report = read(text)
    assert problem in report.problem
    assert report.problem.startswith("The test report `report` ")
    assert (report.tests, report.findings) == (0, ())


def test_no_more_tests_than_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_reports, "_MOST_TESTS", 3)
    assert "has more than 3 tests" in read(junit('<testcase name="n"/>' * 4)).problem


def test_many_failures_are_counted_and_few_are_shown() -> None:
    report = read(junit(failing(STACK) * 500))
    assert report.failed == 500
    assert len(report.findings) == MOST


def test_a_hostile_report_takes_linear_time() -> None:
    body = "src/cart.js:" * 3000
    case = f'<testcase name="n"><failure message="{body}">{body}</failure></testcase>'
    started = time.process_time()
    read(junit(case * 100))
    read("not ok 1 - x\n" + ("  error: '" + "a'" * 900 + "\n") * 2000)
    assert time.process_time() - started < 10


def test_what_a_report_and_a_log_both_tell_of_is_told_once() -> None:
    report = read(junit(failing(STACK)))
    log = extract(Stage.TEST, "TypeError: no\n    at f (src/cart.js:3:7)", PATHS)
    assert merged(report.findings, log) == report.findings


@given(st.text(st.sampled_from("<>/testcasefailureok not1.-#&;\"'=\n \x00\ud800"), max_size=200))
def test_no_report_raises(text: str) -> None:
    read(text)
    read(junit(text))
