"""Logs that real tools printed over real mistakes, each with what must be read out of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.domain.plan import Cause, Plan, Stage, StageResult, StageStatus
from bot.domain.validations import Finding
from bot.policy.classification import FailureFacts, classify
from bot.policy.findings import extract
from bot.policy.test_reports import read_report

FOLDER = Path(__file__).parent / "logs"
CASES = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
LOGS = [name for name, case in CASES.items() if "report" not in case]
REPORTS = [name for name, case in CASES.items() if "report" in case]
FAILED = [name for name in LOGS if CASES[name]["exit_code"]]
TOOLS = {
    *("npm", "pnpm", "yarn", "TypeScript", "ESLint", "Vite", "esbuild", "webpack", "Rollup"),
    *("node", "node:test", "Jest", "Vitest", "Mocha", "Python", "pytest", "unittest", "pip"),
    *("ruff", "mypy", "Django", "GCC", "make", "Go", "Rust", "Java"),
}


def rows(findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
    return [
        {
            "file": finding.file,
            "line": finding.line,
            "column": finding.column,
            "level": finding.level.value,
            "rule": finding.rule,
            "message": finding.message,
        }
        for finding in findings
    ]


def text_of(name: str) -> str:
    file: str = CASES[name].get("report", f"{name}.log")
    return (FOLDER / file).read_text()


@pytest.mark.parametrize("name", LOGS)
def test_a_log_of_a_real_tool(name: str) -> None:
    case = CASES[name]
    found = extract(Stage(case["stage"]), text_of(name), frozenset(case["paths"]))
    assert rows(found) == case["findings"]


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_of_a_real_tool(name: str) -> None:
    case = CASES[name]
    paths = frozenset(case["paths"])
    report = read_report(Stage(case["stage"]), text_of(name), case["report"], paths)
    assert report.problem == ""
    assert (report.tests, report.failed) == (case["tests"], case["failed"])
    assert rows(report.findings) == case["findings"]


@pytest.mark.parametrize("name", FAILED)
def test_whose_failure_a_log_of_a_real_tool_tells_of(name: str) -> None:
    case = CASES[name]
    stage, paths, log = Stage(case["stage"]), frozenset(case["paths"]), text_of(name)
    result = StageResult(
        stage, StageStatus.FAILED, cause=Cause.EXIT_CODE, exit_code=case["exit_code"]
    )
    facts = FailureFacts(Plan(), result, log, extract(stage, log, paths), paths=paths)
    decided = classify(facts)
    assert (decided.failure_class.value, decided.rule) == (case["class"], case["rule"])


def test_there_are_logs_enough_and_of_every_tool() -> None:
    assert len(LOGS) >= 40
    assert {case["tool"] for case in CASES.values()} >= TOOLS


def test_a_log_that_has_no_tree_blames_nothing() -> None:
    assert not any(extract(Stage.TEST, text_of(name), frozenset()) for name in LOGS)


@pytest.mark.parametrize("odd", [0, 1])
def test_no_finding_points_at_a_file_that_is_not_in_the_tree(odd: int) -> None:
    for name in LOGS:
        paths = frozenset(CASES[name]["paths"][odd::2])
        found = extract(Stage.TEST, text_of(name), paths)
        assert {finding.file for finding in found} <= paths, name


@pytest.mark.parametrize("name", [name for name in LOGS if not CASES[name]["exit_code"]])
def test_what_passed_blames_nothing(name: str) -> None:
    assert CASES[name]["findings"] == []


def test_every_log_is_small_and_names_no_machine() -> None:
    for path in FOLDER.iterdir():
        text = path.read_text()
        assert len(text) < 60_000, path.name
        assert not any(word in text for word in ("/root/", "/home/runner", "/opt/")), path.name
