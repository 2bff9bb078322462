"""The pipeline from request to verdict, over a source and a sandbox that do as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from bot.adapters.clock import SystemClock
from bot.domain.code_analysis import AnalysisState, CodeAnalysis, DanglingImport
from bot.domain.plan import (
    Cause,
    Log,
    Stage,
    StageAttachment,
    StageEvent,
    StageNote,
    StageResult,
    StageStatus,
)
from bot.domain.validations import ValidationResult, ValidationStatus, Verdict
from bot.ports.sandbox import SandboxUnavailable
from bot.ports.source import SourceProblem
from bot.services import validation_pipeline
from bot.services.validation_course import Course
from bot.services.validation_pipeline import ValidationPipeline
from tests.flow.scripted import (
    BROKEN_BUILD,
    GOOD,
    SLOW,
    Bench,
    ScriptedSandbox,
    ScriptedSource,
    for_ever,
    passed,
    raising,
)


@pytest.fixture(autouse=True)
def statuses(monkeypatch: pytest.MonkeyPatch) -> list[ValidationStatus]:
    """The states that the record goes through."""
    seen: list[ValidationStatus] = []
    go = Course.go

    def watched(course: Course, status: ValidationStatus) -> None:
        go(course, status)
        seen.append(status)

    monkeypatch.setattr(Course, "go", watched)
    return seen


# ── verdicts ─────────────────────────────────────────────────────────────────────────────────


async def test_all_is_well(statuses: list[ValidationStatus]) -> None:
    bench = Bench(ScriptedSandbox(GOOD))
    result = await bench.validate(secrets={"TOKEN": "t"})
    assert (result.verdict, result.failure_class) == (Verdict.PASSED, None)
    assert bench.sandbox.calls == ["open", "install", "run", "build", "test", "close"]
    assert bench.sandbox.secrets == {"TOKEN": "t"}
    assert statuses == ["retrieving", "preparing", "running", "completed"]
    assert result.snapshot is not None
    assert (result.snapshot.key, result.snapshot.hit) == ("key", False)
    assert "a note of the source" in result.notes
    assert bench.heard.results[Stage.RETRIEVE].status is StageStatus.PASSED


async def test_an_install_that_fails_is_blamed_on_the_line_of_the_manifest() -> None:
    log = Log("npm error code ETARGET\nnpm error notarget No matching version found for ms@99.\n")
    install = StageResult(
        Stage.INSTALL, StageStatus.FAILED, cause=Cause.EXIT_CODE, exit_code=1, log=log
    )
    manifest = '{\n  "dependencies": {\n    "ms": "99"\n  }\n}\n'
    source = ScriptedSource({"package.json": manifest})
    result = await Bench(ScriptedSandbox((install,)), source).validate()
    assert (result.verdict, result.failure_class) == (Verdict.FAILED, "dependency")
    assert [(it.file, it.line) for it in result.findings] == [("package.json", 3)]


async def test_an_import_that_leads_nowhere_is_blamed_on_its_line() -> None:
    lost = DanglingImport("src/app.ts", 1, 1, "./cart", "", certain=True, why="")
    analysis = CodeAnalysis(AnalysisState.ANALYSED, has_base=True, dangling=(lost,))
    result = await Bench(ScriptedSandbox(GOOD, analysis=analysis)).validate(base_sha="b" * 40)
    assert (result.verdict, result.failure_class) == (Verdict.FAILED, "code")
    assert [(it.stage, it.file, it.line) for it in result.findings] == [
        ("code_analysis", "src/app.ts", 1)
    ]
    assert result.what_to_do == "Mend `src/app.ts:1`, and push."


async def test_a_stage_fails(statuses: list[ValidationStatus]) -> None:
    bench = Bench(ScriptedSandbox((passed(Stage.INSTALL, 60.0), BROKEN_BUILD, passed(Stage.TEST))))
    result = await bench.validate()
    assert (result.verdict, result.failure_class) == (Verdict.FAILED, "code")
    assert bench.sandbox.calls[-2:] == ["close", "keep_snapshot"], "the install was good"
    assert [(it.file, it.line, it.rule) for it in result.findings] == [("src/app.ts", 1, "TS2322")]
    assert statuses[-1] == "completed"


async def test_install_fails_before_there_is_an_environment() -> None:
    bad = StageResult(Stage.INSTALL, StageStatus.FAILED, cause=Cause.EXIT_CODE, exit_code=1)
    bench = Bench(ScriptedSandbox([bad]))
    result = await bench.validate()
    assert (result.verdict, result.failure_class) == (Verdict.FAILED, "dependency")
    assert bench.sandbox.calls == ["open", "install", "close"]


async def test_nothing_to_run_opens_no_box(statuses: list[ValidationStatus]) -> None:
    bench = Bench(ScriptedSandbox(), ScriptedSource({"README": "hello"}))
    result = await bench.validate()
    assert result.verdict is Verdict.NEUTRAL
    assert bench.sandbox.calls == []
    assert statuses == ["retrieving", "completed"]


async def test_a_sandbox_that_says_nothing_is_no_success() -> None:
    result = await Bench(ScriptedSandbox([passed(Stage.INSTALL)])).validate()
    assert (result.verdict, result.failure_class) == (Verdict.ERROR, "infrastructure")


async def test_untrusted_code_gets_no_secret_in_its_plan() -> None:
    bench = Bench(ScriptedSandbox(GOOD))
    result = await bench.validate(trusted=False, secrets={"TOKEN": "t"})
    assert "secret TOKEN is not given to an untrusted fork" in result.not_verified


async def test_stage_that_the_user_stops_after() -> None:
    bench = Bench(ScriptedSandbox(GOOD[:2]))
    result = await bench.validate(stop_after=Stage.BUILD)
    assert result.verdict is Verdict.PASSED
    stages = {it.stage: it for it in result.stages}
    assert stages[Stage.TEST].status is StageStatus.SKIPPED


# ── faults ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("problem", "failure_class"),
    [
        pytest.param(SourceProblem("there is no such branch"), "configuration", id="theirs"),
        pytest.param(SourceProblem("no network", ours=True), "infrastructure", id="ours"),
    ],
)
async def test_source_that_has_a_problem(
    problem: SourceProblem, failure_class: str, statuses: list[ValidationStatus]
) -> None:
    bench = Bench(ScriptedSandbox(), ScriptedSource(opening=raising(problem)))
    result = await bench.validate()
    assert (result.verdict, result.failure_class) == (Verdict.ERROR, failure_class)
    assert problem.message in result.reason
    assert bench.sandbox.calls == []
    assert statuses == ["retrieving", "error"]


async def test_source_that_fails_while_the_tree_is_put_in() -> None:
    problem = SourceProblem("git ended", ours=True)
    bench = Bench(ScriptedSandbox(happenings={"open": raising(problem)}))
    result = await bench.validate()
    assert (result.verdict, result.failure_class) == (Verdict.ERROR, "infrastructure")
    assert "git ended" in result.reason
    assert bench.sandbox.calls == ["open", "close"]


GONE = SandboxUnavailable("The container engine does not answer. Start it.")


@pytest.mark.parametrize("verb", ["open", "install", "run", "build", "test"])
async def test_sandbox_that_fails(verb: str, statuses: list[ValidationStatus]) -> None:
    bench = Bench(ScriptedSandbox(GOOD, {verb: raising(GONE)}))
    result = await bench.validate()
    assert (result.verdict, result.failure_class) == (Verdict.ERROR, "infrastructure")
    assert "does not answer" in result.reason
    assert bench.sandbox.calls[-1] == "close"
    assert statuses[-1] == "error"
    under_way = [it for it in result.stages if it.status is StageStatus.ERROR]
    assert [it.stage for it in under_way] == ([verb] if verb in set(Stage) else [])


async def test_fault_after_a_failure_does_not_hide_it() -> None:
    bench = Bench(ScriptedSandbox((passed(Stage.INSTALL), BROKEN_BUILD), {"close": raising(GONE)}))
    result = await bench.validate()
    assert result.verdict is Verdict.FAILED
    assert any("not everything could be removed yet" in note for note in result.notes)


async def test_cleaning_up_that_fails_is_told() -> None:
    bench = Bench(ScriptedSandbox(GOOD, {"close": raising(GONE)}))
    result = await bench.validate()
    assert result.verdict is Verdict.PASSED
    assert any("not everything could be removed yet" in note for note in result.notes)


async def test_bug_is_not_a_verdict() -> None:
    bench = Bench(ScriptedSandbox(GOOD, {"build": raising(ZeroDivisionError())}))
    with pytest.raises(ZeroDivisionError):
        await bench.validate()
    assert bench.sandbox.calls[-1] == "close"
    assert bench.told == []


# ── cancellation ─────────────────────────────────────────────────────────────────────────────


async def stopped_at(bench: Bench, reached: Callable[[], bool]) -> ValidationResult:
    """Cancel a validation when it has come so far; gives its result."""
    task = asyncio.create_task(bench.validate())
    async with asyncio.timeout(5):
        while not reached():
            await asyncio.wait([task], timeout=0.001)
            assert not task.done()
    task.cancel()
    result = await task
    assert task.cancelling() == 0, "the caller's task is no longer being cancelled"
    return result


@pytest.mark.parametrize("verb", ["open", "install", "run", "build", "test"])
async def test_cancelled_in(verb: str, statuses: list[ValidationStatus]) -> None:
    bench = Bench(ScriptedSandbox(SLOW, {verb: for_ever}))
    result = await stopped_at(bench, lambda: bench.sandbox.calls[-1:] == [verb])
    assert (result.verdict, result.failure_class) == (Verdict.CANCELLED, None)
    assert bench.sandbox.calls[-1] == "close", "cleaned up, and no snapshot"
    assert statuses[-1] == "cancelled"
    if verb in set(Stage):
        assert result.reason == f"cancelled during {verb}"
        ended = bench.heard.results[Stage(verb)]
        assert (ended.status, ended.cause) == (StageStatus.ERROR, Cause.CANCELLED)


async def test_cancelled_while_the_source_opens(statuses: list[ValidationStatus]) -> None:
    bench = Bench(ScriptedSandbox(GOOD), ScriptedSource(opening=for_ever))
    result = await stopped_at(bench, lambda: "retrieving" in statuses)
    assert result.reason == "cancelled during retrieve"
    assert bench.sandbox.calls == []
    assert statuses == ["retrieving", "cancelled"]


async def test_cancelled_while_cleaning_up() -> None:
    released = asyncio.Event()

    async def slowly() -> None:
        await released.wait()
        bench.sandbox.calls.append("closed")

    bench = Bench(ScriptedSandbox(SLOW, {"close": slowly}))
    task = asyncio.create_task(bench.validate())
    while "close" not in bench.sandbox.calls:
        await asyncio.wait([task], timeout=0.001)
    task.cancel()
    await asyncio.wait([task], timeout=0.05)
    assert not task.done(), "what cleans up is waited for"
    released.set()
    assert (await task).verdict is Verdict.CANCELLED
    assert bench.sandbox.calls[-1] == "closed"


async def test_cancelled_while_a_snapshot_is_made_keeps_the_verdict(
    statuses: list[ValidationStatus],
) -> None:
    bench = Bench(ScriptedSandbox(SLOW, {"keep_snapshot": for_ever}))
    result = await stopped_at(bench, lambda: "keep_snapshot" in bench.sandbox.calls)
    assert result.verdict is Verdict.PASSED
    assert statuses[-1] == "completed"


async def test_cancelled_behind_the_verdict_keeps_it(statuses: list[ValidationStatus]) -> None:
    bench = Bench(ScriptedSandbox(GOOD), ScriptedSource(closing=for_ever))
    result = await stopped_at(bench, lambda: bool(bench.told))
    assert result.verdict is Verdict.PASSED
    assert statuses.count(ValidationStatus.COMPLETED) == 1


@pytest.mark.slow
async def test_cancelled_twice() -> None:
    bench = Bench(ScriptedSandbox(SLOW, {"build": for_ever, "close": for_ever}))
    task = asyncio.create_task(bench.validate())
    for verb in ("build", "close"):
        while bench.sandbox.calls[-1:] != [verb]:
            await asyncio.wait([task], timeout=0.001)
        task.cancel()
    assert (await task).verdict is Verdict.CANCELLED


# ── snapshots and what is kept ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("sandbox", "wanted"),
    [
        pytest.param(ScriptedSandbox(SLOW), True, id="slow install"),
        pytest.param(ScriptedSandbox(GOOD), False, id="quick install"),
        pytest.param(ScriptedSandbox(SLOW, hit=True), False, id="came from one"),
        pytest.param(ScriptedSandbox(SLOW, key=""), False, id="nothing to keep"),
        pytest.param(ScriptedSandbox(SLOW, {"test": raising(GONE)}), False, id="after a fault"),
    ],
)
async def test_a_snapshot_is_made(sandbox: ScriptedSandbox, *, wanted: bool) -> None:
    bench = Bench(sandbox)
    await bench.validate()
    assert ("keep_snapshot" in sandbox.calls) is wanted
    assert (validation_pipeline.KEEPING in bench.heard.notes) is wanted


async def test_the_verdict_does_not_wait_for_the_snapshot() -> None:
    bench = Bench(ScriptedSandbox(SLOW))
    told: list[bool] = []

    async def look() -> None:
        told.append(bool(bench.told))

    bench.sandbox.happenings = {"keep_snapshot": look}
    await bench.validate()
    assert told == [True]


async def test_a_snapshot_that_fails_changes_nothing() -> None:
    bench = Bench(ScriptedSandbox(SLOW, {"keep_snapshot": raising(GONE)}))
    assert (await bench.validate()).verdict is Verdict.PASSED


async def test_kept_boxes_are_not_cleaned_up() -> None:
    bench = Bench(ScriptedSandbox(GOOD))
    result = await bench.validate(kept=True)
    assert "close" not in bench.sandbox.calls
    assert result.environment_id


async def test_notes_of_stages_are_in_the_report() -> None:
    bench = Bench(ScriptedSandbox(GOOD))

    async def note() -> None:
        assert bench.sandbox.emit is not None
        event: StageEvent = StageNote(Stage.BUILD, "something worth telling")
        await bench.sandbox.emit(event)

    bench.sandbox.happenings = {"build": note}
    assert "something worth telling" in (await bench.validate()).notes


REPORT = """<testsuite><testcase name="adds"><failure message="3 is not 4">
at test (src/app.ts:2:5)</failure></testcase></testsuite>"""


@pytest.mark.parametrize(
    ("name", "content", "place", "note"),
    [
        ("junit.xml", REPORT, ("src/app.ts", 2), ""),
        ("src/app.ts", REPORT, ("src/app.ts", 1), ""),  # of the tree: not this run's
        ("junit.xml", "<!DOCTYPE a>", ("src/app.ts", 1), "The test report `junit.xml` "),
    ],
)
async def test_a_report_of_the_tests_tells_places(
    name: str, content: str, place: tuple[str, int], note: str
) -> None:
    log = Log("src/app.ts(1,5): error TS2322: no\n")
    broken = StageResult(Stage.TEST, StageStatus.FAILED, cause=Cause.EXIT_CODE, log=log)
    bench = Bench(ScriptedSandbox((*GOOD[:2], broken)))

    async def leave() -> None:
        assert bench.sandbox.emit is not None
        await bench.sandbox.emit(StageAttachment(Stage.TEST, name, "text/plain", content.encode()))

    bench.sandbox.happenings = {"test": leave}
    result = await bench.validate()
    assert result.verdict is Verdict.FAILED
    assert place in {(it.file, it.line) for it in result.findings}
    assert (result.findings[0].file, result.findings[0].line) == place
    assert not note or any(it.startswith(note) for it in result.notes)


async def test_cleaning_up_twice_is_fine() -> None:
    sandbox = ScriptedSandbox(GOOD)
    pipeline = ValidationPipeline(ScriptedSource(), sandbox, SystemClock())
    await pipeline.cleanup_environment("some id")
    await pipeline.cleanup_environment("some id")
    assert sandbox.calls == ["close", "close"]
