"""What tells one failure from another, and a failure in a line: tables."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bot.domain.validation_records import ValidationRecord
from bot.policy.failure_signature import LONGEST_FAILURE, failure_of, signature_of
from tests.policy.fixes import finding, result, validation


def failed(*findings: Any, reason: str = "it failed", title: str = "", **said: Any) -> Any:
    return validation(result=result(*findings, **said), reason=reason, title=title)


ONE, TWO = finding("one"), finding("two")
NOTHING = failed(reason="test failed: `npm test` exited with 1")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param(failed(ONE), failed(finding("one", line=99, file="b.ts")), id="it moved"),
        pytest.param(failed(ONE, TWO), failed(TWO, ONE), id="another order"),
        pytest.param(failed(ONE), failed(ONE, ONE), id="twice"),
        pytest.param(
            failed(ONE), failed(ONE, finding("w", level="warning")), id="a warning beside it"
        ),
        pytest.param(
            failed(ONE), failed(ONE, finding("b", stage="build")), id="one of another stage"
        ),
        pytest.param(failed(ONE), failed(ONE, finding("")), id="one without a signature"),
        pytest.param(failed(ONE, reason="a"), failed(ONE, reason="b"), id="another reason"),
        pytest.param(
            failed(reason="health timed out after 31 s"),
            failed(reason="health timed out after 62 s"),
            id="nothing found: numbers in the reason",
        ),
        pytest.param(
            failed(*(finding(f"{it:03}") for it in range(12))),
            failed(*(finding(f"{it:03}") for it in range(11))),
            id="more than ten",
        ),
    ],
)
def test_the_same_failure(left: ValidationRecord, right: ValidationRecord) -> None:
    assert signature_of(left) == signature_of(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param(failed(ONE), failed(TWO), id="another finding"),
        pytest.param(failed(ONE, TWO), failed(TWO), id="a part is mended"),
        pytest.param(
            failed(finding("one", stage="build"), stage="build"), failed(ONE), id="another stage"
        ),
        pytest.param(failed(ONE), NOTHING, id="nothing found"),
        pytest.param(failed(), failed(stage="health"), id="nothing found: another stage"),
        pytest.param(failed(), failed(rule="no-tests"), id="nothing found: another rule"),
        pytest.param(failed(), failed(reason="it broke"), id="nothing found: another reason"),
    ],
)
def test_another_failure(left: ValidationRecord, right: ValidationRecord) -> None:
    assert signature_of(left) != signature_of(right)


@pytest.mark.parametrize(
    "made",
    [
        None,
        {},
        {"stages": None, "findings": None, "class_rule": None},
        {"stages": [{"name": "test", "status": "passed"}], "findings": [finding()]},
    ],
    ids=["no result", "an empty one", "nothing in it", "no stage failed"],
)
def test_a_result_that_says_little_is_told_by_its_reason(made: Any) -> None:
    record = validation(result=made, reason="tests did not run")
    assert re.fullmatch("[0-9a-f]{12}", signature_of(record))
    assert signature_of(record) == signature_of(validation(result={}, reason="tests did not run"))
    assert failure_of(record) == "tests did not run"


@pytest.mark.parametrize("status", ["failed", "timed_out", "error"])
def test_the_first_stage_that_did_not_pass_counts(status: str) -> None:
    stages = [{"name": "build", "status": status}, {"name": "test", "status": "failed"}]
    record = validation(result={"stages": stages, "findings": [finding("one", stage="build")]})
    assert failure_of(record).startswith("build: ")


@pytest.mark.parametrize(
    ("record", "line"),
    [
        pytest.param(
            failed(finding(rule="TS2322", message="Type 'string' is not…")),
            "test: src/list.test.ts:12 TS2322 Type 'string' is not…",
            id="a place, a rule, a message",
        ),
        pytest.param(
            failed(finding(rule="E1", message="E1 it is wrong")),
            "test: src/list.test.ts:12 E1 it is wrong",
            id="the message names the rule",
        ),
        pytest.param(
            failed(finding(line=None, message="m")), "test: src/list.test.ts m", id="no line"
        ),
        pytest.param(failed(finding(file="", message="m")), "test: m", id="no place"),
        pytest.param(
            failed(finding(stage="web_evaluation", message="m"), stage="web_evaluation"),
            "web evaluation: src/list.test.ts:12 m",
            id="a stage of two words",
        ),
        pytest.param(
            failed(finding("w", level="warning", message="w"), finding(message="m")),
            "test: src/list.test.ts:12 m",
            id="the first failure",
        ),
        pytest.param(
            failed(finding(message="a\x1b[31m\n\tb\u202ec")),
            "test: src/list.test.ts:12 a b[U+202E]c",
            id="what a terminal makes of it, on one line",
        ),
        pytest.param(NOTHING, "test failed: `npm test` exited with 1", id="nothing found"),
        pytest.param(failed(reason="", title="Failed"), "Failed", id="no reason"),
        pytest.param(failed(reason="", title=""), "it failed", id="nothing at all"),
    ],
)
def test_a_failure_in_a_line(record: ValidationRecord, line: str) -> None:
    assert failure_of(record) == line


def test_a_long_failure_is_cut() -> None:
    line = failure_of(failed(finding(message="x" * 500)))
    assert len(line) == LONGEST_FAILURE
    assert line.endswith("x…")
