"""Which pieces of a failed validation's report the agent is told, and how long they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.changes import ChangeContext, Hunk
from bot.domain.pull_request_records import FixAttempt, FixOutcome
from bot.policy import failure_report as report
from bot.policy.failure_report import (
    GONE,
    LONGEST_DIFF,
    LONGEST_FINDINGS,
    LONGEST_LOG,
    LONGEST_SUGGESTION,
    LONGEST_SUMMARY,
    LONGEST_TRIED,
    MOST_ATTEMPTS,
    MOST_FINDINGS,
    MOST_HUNKS,
    NO_LOG,
    NO_REPORT,
    NO_STAGE,
    UNVERIFIED,
)
from bot.ports.renderer import Piece
from tests.contract.failures import BUILD, SAMPLES, TRIED, attempt, holding, record_of

SLACK = 60
"""What is said of what was left out."""


def told(result: object) -> dict[str, str]:
    """The pieces by name, of a record with this result."""
    pieces, _ = report.reported(holding(result))
    return {it.name: it.text for it in pieces}


def test_a_report_in_pieces() -> None:
    pieces, missing = report.reported(record_of(BUILD))
    assert missing == ()
    assert [it.name for it in pieces] == [
        "what failed", "findings", "log of build", "a model's suggestion, unverified",
    ]  # fmt: skip
    summary, findings, log, suggestion = (it.text for it in pieces)
    assert summary == (
        "Failed: build\n"
        "build failed: `npm run build` exited with 2\n"
        "class: code\n"
        "stage: build\n"
        "status: failed\n"
        "command: npm run build\n"
        "exit code: 2\n"
        "reason: `npm run build` exited with 2"
    )
    assert findings == (
        "src/app.ts:3: TS2322 Type 'string' is not assignable to type 'number'.\n"
        "src/total.ts:12: TS2551 Property 'lenght' does not exist on type 'Item[]'. "
        "Did you mean 'length'?"
    )
    assert log.startswith("> shop@1.0.0 build")
    assert "\x1b" not in log
    assert suggestion == (
        "root cause: `total` is a string.\n"
        "where: src/app.ts:3\n"
        "recommended fix: Make it a number:\n`const total = 3`\n"
        "confidence, by its own account: 0.80"
    )
    assert [it.note for it in pieces] == ["", "", "", UNVERIFIED]


@pytest.mark.parametrize(
    ("result", "missing"),
    [
        pytest.param(None, NO_REPORT, id="no result"),
        pytest.param({}, NO_REPORT, id="an empty one"),
        pytest.param({"verdict": "failed"}, NO_STAGE, id="no stages"),
        pytest.param({"stages": "build"}, NO_STAGE, id="stages that are none"),
        pytest.param({"stages": [{"status": "passed"}]}, NO_STAGE, id="none failed"),
        pytest.param({"stages": [{"status": "failed"}]}, NO_LOG, id="a stage without a name"),
        pytest.param(
            {"stages": [{"name": "build", "status": "timed_out", "log_excerpt": " \n"}]},
            NO_LOG,
            id="nothing printed",
        ),
    ],
)
def test_a_report_without_parts_says_so(result: Any, missing: str) -> None:
    pieces, said = report.reported(holding(result))
    assert said == (missing,)
    assert pieces[0].name == "what failed"
    assert pieces[0].text.startswith("Failed: build")


def test_a_validation_that_is_gone_says_so() -> None:
    assert report.reported(None) == ((), (GONE,))


def test_a_check_of_the_application_tells_by_the_applications_log() -> None:
    pieces, _ = report.reported(record_of(SAMPLES["crash"]))
    logs = [it for it in pieces if it.name.startswith("log")]
    start = "listening on 3000\nTypeError: x is not a function"
    assert logs == [Piece("log of start", start)]


def test_what_failed_in_the_browser_is_named() -> None:
    text = told(record_of(SAMPLES["browser"]).result)["what failed"]
    assert "stage: web_evaluation" in text
    assert "\n- " in text
    assert "TypeError: total is not a function" in text


def findings_of(count: int, **changes: Any) -> dict[str, Any]:
    found = {"file": "a.ts", "line": 1, "level": "failure", "message": "m", "rule": "r"} | changes
    return {"stages": [], "findings": [found | {"line": it} for it in range(count)]}


def test_the_first_findings_are_told_and_the_others_counted() -> None:
    lines = told(findings_of(MOST_FINDINGS + 7))["findings"].split("\n")
    assert lines == [*(f"a.ts:{it}: r m" for it in range(MOST_FINDINGS)), "… 7 more left out …"]


def test_failures_come_before_warnings() -> None:
    found = findings_of(2)
    found["findings"][0]["level"] = "warning"
    assert told(found)["findings"] == "a.ts:1: r m\na.ts:0: r m"


def test_a_finding_is_one_line_whatever_it_says() -> None:
    nasty = findings_of(1, file="a\nb.ts", message="one\r\ntwo\u202e\x1b[2K", rule="")
    assert told(nasty)["findings"] == "a b.ts:0: one two[U+202E]"


def test_a_finding_without_a_line_is_told_by_its_file() -> None:
    assert told({"findings": [{"file": "a.ts", "message": "m"}]})["findings"] == "a.ts: m"


LONG = "\u202e" * 30_000


@pytest.mark.parametrize(
    ("result", "name", "most"),
    [
        pytest.param(
            {"stages": [{"name": "build", "status": "failed", "reason": LONG, "faults": [LONG] * 50}
                        for _ in range(9)], "title": LONG, "what_to_do": LONG},
            "what failed", LONGEST_SUMMARY, id="summary",
        ),
        pytest.param(
            findings_of(99, file=LONG, message=LONG, rule=LONG), "findings", LONGEST_FINDINGS,
            id="findings",
        ),
        pytest.param(
            {"stages": [{"name": "build", "status": "failed", "log_excerpt": f"{LONG}\n" * 30}]},
            "log of build", LONGEST_LOG, id="log",
        ),
        pytest.param(
            {"analysis": {"review": {"root_cause": {"text": LONG},
                                     "recommended_fix": {"text": LONG}}}},
            "a model's suggestion, unverified", LONGEST_SUGGESTION, id="suggestion",
        ),
    ],
)  # fmt: skip
def test_every_piece_is_bounded(result: Any, name: str, most: int) -> None:
    text = told(result)[name]
    assert most // 3 < len(text) <= most + SLACK
    assert "\u202e" not in text


KEYS = (
    *("stages", "findings", "analysis", "review", "root_cause", "where", "text", "file", "line"),
    *("status", "name", "artifacts", "web_evaluation", "flows", "pages", "pictures", "picture"),
    *("faults", "outcome", "fault", "level", "confidence", "media_type", "id", "stage"),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(JSON, JSON, JSON, JSON)
def test_a_report_of_any_shape_raises_nothing(stages: Any, one: Any, two: Any, three: Any) -> None:
    web = [{"name": "web_evaluation", "status": "failed"}]
    result = {
        "stages": [*web, stages] if isinstance(one, int) else stages,
        "findings": one,
        "analysis": {"review": two},
        "artifacts": three,
        "web_evaluation": one,
    }
    record = holding(result)
    report.reported(record)
    report.shots(record)
    report.shots(holding(stages))


# ── what was tried ───────────────────────────────────────────────────────────────────────────


def test_what_was_tried_and_how_it_came_out() -> None:
    piece = report.tried(TRIED)
    assert piece is not None
    assert piece.text == (
        "1. at 111111111111: build: `npm run build` exited with 2; it was pushed; "
        "it changed src/app.ts, src/total.ts\n"
        "2. at 222222222222, asked for by bob: build: `npm run build` exited with 2; "
        "nothing was pushed"
    )


@pytest.mark.parametrize("outcome", FixOutcome)
def test_every_outcome_has_words(outcome: FixOutcome) -> None:
    piece = report.tried([attempt(1, outcome)])
    assert piece is not None
    assert len(piece.text.rpartition("; ")[2]) > 5


@pytest.mark.parametrize("attempts", [(), (attempt(1),)], ids=["nothing", "what goes on"])
def test_nothing_was_tried(attempts: tuple[FixAttempt, ...]) -> None:
    assert report.tried(attempts) is None


def test_of_many_attempts_the_last_ones_are_told() -> None:
    many = [attempt(it, FixOutcome.NO_PUSH) for it in range(1, MOST_ATTEMPTS + 3)]
    piece = report.tried(many)
    assert piece is not None
    numbers = [int(line.partition(".")[0]) for line in piece.text.split("\n")]
    assert numbers == list(range(3, MOST_ATTEMPTS + 3))
    long = [replace(it, failure="x" * 900, changed=("y" * 900,) * 20) for it in many]
    cut = report.tried(long)
    assert cut is not None
    assert len(cut.text) <= LONGEST_TRIED
    assert cut.text.split("\n")[-1].startswith(f"{MOST_ATTEMPTS + 2}. ")


def test_the_last_attempt_that_pushed_is_the_one_whose_change_is_shown() -> None:
    assert report.last_pushed(TRIED) is TRIED[0]
    assert report.last_pushed(TRIED[1:]) is None
    assert report.last_pushed([attempt(1, FixOutcome.EMPTY_PUSH, pushed_sha="1" * 40)]) is None


def test_the_change_of_an_attempt() -> None:
    piece = report.changed(ChangeContext(hunks=(Hunk("a.ts", "@@ -1 +1 @@\n-x\n+y"),)))
    assert piece is not None
    assert piece.text == "--- a.ts\n@@ -1 +1 @@\n-x\n+y"
    assert report.changed(ChangeContext("a title", ("words",))) is None


def test_a_change_is_bounded_in_number_and_size() -> None:
    many = report.changed(ChangeContext(hunks=(Hunk("a.ts", "+x"),) * (MOST_HUNKS + 5)))
    assert many is not None
    assert many.text.count("--- a.ts") == MOST_HUNKS
    assert many.text.endswith("… 5 more hunks left out …")
    large = report.changed(ChangeContext(hunks=(Hunk("a\nb", "\x00" * 90_000),) * 30))
    assert large is not None
    assert len(large.text) <= LONGEST_DIFF + SLACK
    assert "\n--- a b\n" in large.text


# ── pictures ─────────────────────────────────────────────────────────────────────────────────


def web(**told: Any) -> dict[str, Any]:
    """A report whose browser stage failed, with five files kept."""
    kept = [
        {"id": f"id-{name}", "stage": "web_evaluation", "name": name, "media_type": media_type}
        for name, media_type in (
            ("home", "image/png"), ("cart", "image/jpeg"), ("step-1", "image/png"),
            ("step-2", "image/webp"), ("trace", "application/zip"),
        )
    ]  # fmt: skip
    stages = [{"name": "web_evaluation", "status": "failed"}]
    return {"stages": stages, "artifacts": kept, "web_evaluation": told}


FLOW = {"name": "add\nan item", "outcome": "failed", "pictures": ["step-1", "step-2"]}
CART = {"path": "/cart", "size": "phone", "picture": "cart", "exceptions": [{"text": "no"}]}
HOME = {"path": "/", "size": "desktop", "picture": "home"}


@pytest.mark.parametrize(
    ("result", "wanted"),
    [
        pytest.param(
            web(pages=[HOME, CART], flows=[FLOW]),
            [("id-step-2", "flow add an item"), ("id-cart", "page /cart at phone size")],
            id="what failed alone, the flow first",
        ),
        pytest.param(
            web(pages=[HOME], flows=[FLOW | {"outcome": "passed"}]),
            [(f"id-{it}", "a page") for it in ("home", "cart", "step-1", "step-2")],
            id="nothing is known to have failed: all",
        ),
        pytest.param(
            web(pages=[CART | {"picture": "gone"}, CART | {"picture": None}, HOME | {"fault": 1}]),
            [("id-home", "page / at desktop size")],
            id="one that was not kept",
        ),
        pytest.param(web(flows=[FLOW | {"pictures": ["trace"]}, FLOW]),
                     [("id-step-2", "flow add an item")], id="no picture"),
        pytest.param(
            web(flows=[FLOW]) | {"stages": [{"name": "web_evaluation", "status": "passed"}]},
            [], id="the browser found nothing",
        ),
        pytest.param(
            web(flows=[FLOW]) | {"stages": [{"name": "build", "status": "failed"}]}, [],
            id="another stage failed",
        ),
        pytest.param(web() | {"artifacts": []}, [], id="nothing was kept"),
        pytest.param(None, [], id="no report"),
    ],
)  # fmt: skip
def test_the_pictures_of_what_failed(result: Any, wanted: list[tuple[str, str]]) -> None:
    shots = report.shots(holding(result))
    assert [(it.artifact_id, it.label) for it in shots] == wanted


def test_a_real_report_has_its_picture() -> None:
    (shot,) = report.shots(record_of(SAMPLES["browser"]))
    assert (shot.artifact_id, shot.media_type) == ("id-0", "image/png")
    assert shot.label == "page / at desktop size"
    assert report.shots(None) == ()
