from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from bot.domain.code_analysis import (
    AnalysisState,
    BadAnalysis,
    ChangedSymbol,
    CodeAnalysis,
    Cycle,
    DanglingImport,
    Language,
    LeftOut,
    UnusedFunction,
    parse_analysis,
)
from bot.domain.plan import Cause, StageStatus
from bot.domain.validations import Level
from bot.policy.code_analysis import judge, readable

DANGLING = DanglingImport("src/a.ts", 3, 1, "./gone", "", certain=True, why="")
NAME = DanglingImport("src/b.ts", 4, 9, "./c", "helper", certain=True, why="")
MEANT = DanglingImport(
    "app/x.py", 8, 5, ".speed", "", certain=False, why="it stands in a condition"
)
CLEAN = CodeAnalysis(AnalysisState.ANALYSED, has_base=True, lines=100, line_limit=1000)


# ── how the stage stands ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        pytest.param({}, StageStatus.PASSED, "", id="clean"),
        pytest.param(
            {"dangling": (DANGLING,)},
            StageStatus.FAILED,
            "src/a.ts:3 imports `./gone`, which is not there",
            id="a module is gone",
        ),
        pytest.param(
            {"dangling": (NAME, DANGLING)},
            StageStatus.FAILED,
            "src/b.ts:4 imports `helper` of `./c`, which is not there, and 1 more",
            id="a name is gone, and more",
        ),
        pytest.param({"dangling": (MEANT,)}, StageStatus.PASSED, "", id="the tree has a reason"),
        pytest.param(
            {"dangling": (DANGLING,), "has_base": False}, StageStatus.PASSED, "", id="no base"
        ),
        pytest.param(
            {"cycles": (Cycle("a.py", 1, ("a.py", "b.py", "a.py")),)},
            StageStatus.PASSED,
            "",
            id="a cycle is advice",
        ),
        pytest.param(
            {"unused": (UnusedFunction("f", "a.py", 1),)},
            StageStatus.PASSED,
            "",
            id="an unused function is advice",
        ),
        pytest.param(
            {"state": AnalysisState.UNCHANGED, "reason": "no file that it reads has changed"},
            StageStatus.PASSED,
            "no file that it reads has changed",
            id="nothing to compare",
        ),
        pytest.param(
            {"state": AnalysisState.TOO_LARGE, "reason": "the head has 5 lines"},
            StageStatus.SKIPPED,
            "the head has 5 lines",
            id="too large",
        ),
        pytest.param(
            {"state": AnalysisState.CRASHED}, StageStatus.SKIPPED, "the code could not be analysed",
            id="no reason",
        ),
    ],
)  # fmt: skip
def test_the_stage(changes: dict[str, Any], status: StageStatus, reason: str) -> None:
    result = judge(replace(CLEAN, **changes)).result
    assert (result.status, result.reason) == (status, reason)


@pytest.mark.parametrize(
    ("state", "required", "cause"),
    [
        (AnalysisState.UNAVAILABLE, ("code_analysis_pass",), Cause.INFRASTRUCTURE),
        (AnalysisState.UNAVAILABLE, ("build_success",), None),
        (AnalysisState.TOO_LARGE, ("code_analysis_pass",), None),
        (AnalysisState.OUT_OF_MEMORY, ("code_analysis_pass",), None),
    ],
)
def test_whose_fault_it_is_that_a_required_analysis_did_not_run(
    state: AnalysisState, required: tuple[str, ...], cause: Cause | None
) -> None:
    result = judge(replace(CLEAN, state=state, reason="so it is"), required).result
    assert (result.status, result.cause) == (StageStatus.SKIPPED, cause)


# ── what is told ─────────────────────────────────────────────────────────────────────────────


def test_what_fails_comes_first_and_the_rest_is_advice() -> None:
    found = judge(
        replace(
            CLEAN,
            dangling=(MEANT, DANGLING),
            cycles=(Cycle("a.py", 2, ("a.py", "b.py", "a.py")),),
            unused=(UnusedFunction("lonely", "c.py", 5),),
        )
    ).findings
    assert [(it.level, it.file, it.line, it.rule, it.message) for it in found] == [
        (Level.FAILURE, "src/a.ts", 3, "dangling-import", "imports `./gone`, which is not there"),
        (
            Level.WARNING,
            "app/x.py",
            8,
            "dangling-import",
            "imports `.speed`, which is not there (it stands in a condition)",
        ),
        (Level.WARNING, "a.py", 2, "import-cycle", "closes an import cycle: a.py → b.py → a.py"),
        (
            Level.NOTICE,
            "c.py",
            5,
            "unused-function",
            "adds the function `lonely`, which nothing uses",
        ),
    ]
    assert all(it.stage == "code_analysis" and it.signature for it in found)


def test_without_a_base_nothing_fails_and_the_findings_say_why() -> None:
    report = judge(replace(CLEAN, has_base=False, dangling=(DANGLING,)))
    assert [it.level for it in report.findings] == [Level.WARNING]
    assert "there is no base to compare with" in report.findings[0].message
    assert any("no base" in note for note in report.notes)


def test_the_blast_radius_is_a_short_table_of_what_is_used() -> None:
    changed = tuple(
        ChangedSymbol(
            f"s{n}", "a.py", n + 1, "function", 20 - n, ("b.py", "c.py", "d.py", "e.py"), 7
        )
        for n in range(12)
    )
    idle = ChangedSymbol("idle", "a.py", 90, "function", 0, (), 0)
    report = judge(replace(CLEAN, changed=(*changed, idle)))
    assert len(report.rows) == 10
    assert report.more_rows == 2
    row = report.rows[0]
    assert (row.symbol, row.place, row.usages) == ("s0", "a.py:1", 20)
    assert row.files == "b.py, c.py, d.py and 4 more"


def test_what_was_not_looked_at_is_told() -> None:
    report = judge(
        replace(
            CLEAN,
            languages=(
                Language("Go", 700, 9, known=False),
                Language("Python", 299, 3, known=True),
                Language("Shell", 1, 1, known=False),
            ),
            left_out=(LeftOut("big.py", "larger than 512 KB"),),
            left_out_count=3,
            standing=1,
        )
    )
    assert report.notes == (
        "code analysis does not read Go (70% of the lines)",
        "code analysis left out: big.py (larger than 512 KB) and 2 more",
        "code analysis: 1 import dangles as before, in the base too",
    )


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["README.md", "src/a.ts"], True),
        (["app.py"], True),
        (["main.go", "node_modules/x/index.js"], False),
        ([], False),
    ],
)
def test_a_tree_that_nothing_of_can_be_read_has_no_such_stage(
    paths: list[str], expected: bool
) -> None:
    assert readable(paths) is expected


# ── what the box may say ─────────────────────────────────────────────────────────────────────

ANSWER: dict[str, Any] = {
    "schema": 1,
    "state": "analysed",
    "reason": "",
    "base": True,
    "lines": 12,
    "line_limit": 100,
    "languages": [{"name": "Python", "lines": 12, "files": 2, "known": True}],
    "left_out": [{"file": "a\u202eb.py", "why": "not a text"}],
    "left_out_count": 1,
    "dangling": [
        {"file": "a.py", "line": 1, "column": 1, "module": "b", "name": "c", "certain": True,
         "why": ""}
    ],
    "dangling_count": 1,
    "standing": 0,
    "cycles": [{"file": "a.py", "line": 1, "files": ["a.py", "b.py", "a.py"]}],
    "cycles_count": 1,
    "changed": [
        {"symbol": "f", "file": "a.py", "line": 2, "kind": "function", "usages": 3,
         "files": ["b.py"], "file_count": 1}
    ],
    "changed_count": 1,
    "unused": [{"symbol": "g", "file": "b.py", "line": 4}],
    "unused_count": 1,
    "seconds": 1.5,
}  # fmt: skip


def test_an_answer_is_read() -> None:
    analysis = parse_analysis(json.dumps(ANSWER))
    assert analysis.state is AnalysisState.ANALYSED
    assert analysis.dangling[0].name == "c"
    assert analysis.cycles[0].files == ("a.py", "b.py", "a.py")
    assert analysis.files == {"a.py", "b.py"}
    assert analysis.seconds == 1.5


def test_what_could_look_like_other_text_is_spelt_out() -> None:
    assert parse_analysis(json.dumps(ANSWER)).left_out[0].file == "a[U+202E]b.py"


def test_an_answer_of_what_could_not_be_done_has_no_lists() -> None:
    short = {
        key: ANSWER[key] for key in ("schema", "base", "lines", "line_limit", "left_out_count")
    }
    analysis = parse_analysis(
        json.dumps(short | {"state": "timed_out", "reason": "too long", "seconds": 9})
    )
    assert (analysis.state, analysis.reason, analysis.dangling) == (
        AnalysisState.TIMED_OUT,
        "too long",
        (),
    )


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param("[" * 100_000, id="deep"),
        pytest.param("[]", id="a list"),
        pytest.param(json.dumps(ANSWER | {"schema": 2}), id="another version"),
        pytest.param(json.dumps(ANSWER | {"state": "passed"}), id="unknown state"),
        pytest.param(json.dumps(ANSWER | {"lines": "12"}), id="a text for a number"),
        pytest.param(json.dumps(ANSWER | {"lines": -1}), id="a negative number"),
        pytest.param(json.dumps(ANSWER | {"lines": 10**12}), id="a huge number"),
        pytest.param(json.dumps(ANSWER | {"lines": True}), id="a flag for a number"),
        pytest.param(json.dumps(ANSWER | {"base": 1}), id="a number for a flag"),
        pytest.param(json.dumps(ANSWER | {"seconds": "1"}), id="a text for a time"),
        pytest.param('{"seconds": NaN}', id="no number"),
        pytest.param(json.dumps(ANSWER | {"seconds": float("nan")}), id="not a time"),
        pytest.param(json.dumps(ANSWER | {"reason": "x" * 401}), id="a long text"),
        pytest.param(json.dumps(ANSWER | {"unused": {}}), id="no list"),
        pytest.param(json.dumps(ANSWER | {"unused": [1]}), id="no object"),
        pytest.param(json.dumps(ANSWER | {"unused": ANSWER["unused"] * 201}), id="a long list"),
        pytest.param(
            json.dumps(ANSWER | {"unused": [{"symbol": "g", "file": "b.py", "line": 0}]}),
            id="line 0",
        ),
    ],
)
def test_an_answer_that_is_not_of_the_protocol_is_no_finding(answer: str | bytes) -> None:
    with pytest.raises(BadAnalysis):
        parse_analysis(answer)
