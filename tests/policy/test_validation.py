"""The verdict's rules, a row each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.config_parser import ParsedConfig
from bot.domain.plan import Cause, HealthCheck, Limits, Plan, Stage, StageResult, StageStatus, Step
from bot.domain.validations import Check, CheckState, FailureClass, Verdict
from bot.policy.detect import Detected
from bot.policy.plan import make_plan
from bot.policy.validation import TITLE_LIMIT, ValidationFacts, VerdictDecision, decide

LATER = {
    Stage.WEB_EVALUATION: "not there yet",
    Stage.CODE_ANALYSIS: "not there yet",
    Stage.ANALYSIS: "not there yet",
}
COMMANDS = {
    Stage.INSTALL: "npm ci",
    Stage.BUILD: "npm run build",
    Stage.TEST: "npm test",
    Stage.START: "npm start",
}
PLAN = Plan(
    steps=tuple(Step(stage, command) for stage, command in COMMANDS.items()),
    skipped=LATER,
    health=HealthCheck(port=3000),
    required_checks=("build_success", "deployment_success", "web_evaluation_pass"),
)
NOTHING = Plan(
    steps=(Step(Stage.INSTALL, "npm ci"),),
    skipped={
        stage: "no command" for stage in Stage if stage not in (Stage.RETRIEVE, Stage.INSTALL)
    },
    required_checks=PLAN.required_checks,
)
RUN = tuple(stage for stage in Stage if stage not in LATER)


def ok(*stages: Stage) -> tuple[StageResult, ...]:
    return tuple(StageResult(stage, StageStatus.PASSED, seconds=1.0) for stage in stages)


def up_to(last: StageResult) -> tuple[StageResult, ...]:
    return (*ok(*RUN[: RUN.index(last.stage)]), last)


def bad(
    stage: Stage,
    cause: Cause | None = Cause.EXIT_CODE,
    code: int | None = None,
    reason: str = "",
    status: StageStatus = StageStatus.FAILED,
) -> StageResult:
    return StageResult(stage, status, reason, cause, COMMANDS.get(stage, ""), code, 12.0)


def judge(
    *stages: StageResult,
    plan: Plan = PLAN,
    cancelled: bool = False,
    fault: str | None = None,
    missing_secrets: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> VerdictDecision:
    return decide(ValidationFacts(plan, stages, cancelled, fault, missing_secrets))


TIMED_OUT = StageStatus.TIMED_OUT
CODE, CONFIGURATION = FailureClass.CODE, FailureClass.CONFIGURATION


@pytest.mark.parametrize(
    ("failing", "reason", "of"),
    [
        pytest.param(
            bad(Stage.BUILD, code=2), "build failed: `npm run build` exited with 2", CODE, id="exit"
        ),
        pytest.param(
            bad(Stage.TEST, code=139),
            "test failed: `npm test` exited with 139, ended by signal 11",
            CODE,
            id="signal",
        ),
        pytest.param(
            bad(Stage.BUILD, code=127),
            "build failed: `npm run build` exited with 127, a command was not found",
            CONFIGURATION,
            id="a tool that is not there",
        ),
        pytest.param(
            bad(Stage.INSTALL, code=1),
            "install failed: `npm ci` exited with 1",
            FailureClass.DEPENDENCY,
            id="dependencies",
        ),
        pytest.param(
            bad(Stage.INSTALL, Cause.HOST_REFUSED, 1, "the step tried to reach a.example.com:443"),
            "install was refused the host a.example.com:443; add it to `sandbox.allow_hosts`",
            CONFIGURATION,
            id="refused host",
        ),
        pytest.param(
            bad(
                Stage.INSTALL,
                Cause.HOST_REFUSED,
                1,
                "`sh a.sh` exited with 1; it tried to reach a.io:81, 10.0.0.1: add `b.io`",
            ),
            "install was refused the hosts a.io:81 and 10.0.0.1; add them to `sandbox.allow_hosts`",
            CONFIGURATION,
            id="refused hosts",
        ),
        pytest.param(
            bad(Stage.BUILD, Cause.OUT_OF_MEMORY, 137),
            "build failed: `npm run build` ran out of memory: the limit is 2048 MB; "
            "use less, or raise `sandbox.memory_mb`",
            CODE,
            id="out of memory",
        ),
        pytest.param(
            bad(Stage.BUILD, Cause.OUT_OF_MEMORY, 0),
            "build failed: `npm run build` ran out of memory: the limit is 2048 MB; "
            "use less, or raise `sandbox.memory_mb`",
            CODE,
            id="out of memory with exit code 0",
        ),
        pytest.param(
            bad(Stage.BUILD, Cause.DISK_FULL),
            "build failed: `npm run build` wrote more than 4096 MB to disk; "
            "write less, or raise `sandbox.disk_mb`",
            CODE,
            id="disk",
        ),
        pytest.param(
            bad(Stage.TEST, Cause.PROCESS_LIMIT, 1),
            "test failed: `npm test` reached the limit of 512 processes; run fewer at a time",
            CODE,
            id="fork bomb",
        ),
        pytest.param(
            bad(Stage.TEST, Cause.TIMEOUT, status=TIMED_OUT),
            "test timed out: `npm test` was ended after 12 s; the whole validation may take "
            "30 min: make it quicker, or raise `validation.timeout_minutes`",
            CODE,
            id="timeout",
        ),
        pytest.param(
            bad(
                Stage.HEALTH,
                Cause.OUT_OF_MEMORY,
                reason="the application ran out of memory: the limit is 9 MB (sandbox.memory_mb)",
            ),
            "health failed: the application ran out of memory: the limit is 9 MB; "
            "use less, or raise `sandbox.memory_mb`",
            CODE,
            id="out of memory, in the sandbox's words",
        ),
        pytest.param(
            bad(
                Stage.TEST,
                Cause.TIMEOUT,
                reason="`x` still ran after 9 s, at the end of validation.timeout_minutes",
                status=TIMED_OUT,
            ),
            "test timed out: `x` still ran after 9 s, at the end of `validation.timeout_minutes`; "
            "make it quicker, or raise it",
            CODE,
            id="timeout, in the sandbox's words",
        ),
        pytest.param(
            bad(Stage.HEALTH, Cause.UNHEALTHY, reason="GET /health answered 500."),
            "health failed: GET /health answered 500",
            CODE,
            id="unhealthy",
        ),
        pytest.param(
            bad(Stage.START, Cause.CONFIGURATION, reason="no port is known"),
            "start failed: no port is known",
            CONFIGURATION,
            id="bad configuration",
        ),
        pytest.param(
            bad(Stage.RETRIEVE, Cause.SOURCE, reason="no such ref"),
            "retrieve failed: no such ref",
            CONFIGURATION,
            id="source",
        ),
        pytest.param(
            bad(Stage.STABILITY, Cause.CRASHED, reason="it ended with code 1"),
            "stability failed: it ended with code 1",
            CODE,
            id="late crash",
        ),
    ],
)
def test_a_stage_that_failed_fails_the_verdict(
    failing: StageResult, reason: str, of: FailureClass
) -> None:
    decision = judge(*up_to(failing))
    assert decision.verdict is Verdict.FAILED
    assert decision.reason == reason
    assert decision.failure_class is of
    assert decision.title == f"Failed: {reason}".replace("`", "")
    assert decision.stages[list(Stage).index(failing.stage)].reason


def test_tests_that_nobody_required_fail_the_verdict_too() -> None:
    assert "tests_pass" not in PLAN.required_checks
    assert judge(*up_to(bad(Stage.TEST, code=1))).verdict is Verdict.FAILED


def test_a_step_of_its_own_limit_names_it() -> None:
    plan = replace(PLAN, steps=(Step(Stage.BUILD, "make", timeout_seconds=300),))
    reason = judge(bad(Stage.BUILD, Cause.TIMEOUT, status=TIMED_OUT), plan=plan).reason
    assert reason.endswith("its own limit is 5 min")


def test_all_passed_names_what_ran_and_what_did_not_apply() -> None:
    decision = judge(*ok(*RUN))
    assert decision.verdict is Verdict.PASSED
    assert decision.failure_class is None
    assert decision.reason == "build, test, start, health, ports and stability passed"
    assert decision.title == (
        "Passed: build, test, start, health, ports and stability. "
        "Not applicable: web_evaluation_pass, code_analysis_pass"
    )
    assert decision.not_verified == ("web evaluation, code analysis: not there yet",)


def test_every_stage_is_told_in_order() -> None:
    decision = judge(*up_to(bad(Stage.BUILD, code=2)))
    assert [(r.stage.value, r.status.value, r.reason) for r in decision.stages] == [
        ("retrieve", "passed", ""),
        ("install", "passed", ""),
        ("build", "failed", "`npm run build` exited with 2"),
        ("test", "not_reached", "build ended it"),
        ("start", "not_reached", "build ended it"),
        ("health", "not_reached", "build ended it"),
        ("ports", "not_reached", "build ended it"),
        ("web_evaluation", "skipped", "not there yet"),
        ("code_analysis", "skipped", "not there yet"),
        ("stability", "not_reached", "build ended it"),
        ("analysis", "skipped", "not there yet"),
    ]


@pytest.mark.parametrize(
    ("plan", "stages", "expected"),
    [
        pytest.param(PLAN, ok(*RUN), "passed passed passed n/a n/a", id="all passed"),
        pytest.param(
            PLAN, up_to(bad(Stage.BUILD)), "failed not_run not_run n/a n/a", id="build failed"
        ),
        pytest.param(
            PLAN, up_to(bad(Stage.STABILITY)), "passed failed passed n/a n/a", id="a late crash"
        ),
        pytest.param(
            PLAN, ok(*RUN[:5]), "passed not_run passed n/a n/a", id="started, never asked"
        ),
        pytest.param(NOTHING, ok(*RUN[:2]), "n/a n/a n/a n/a n/a", id="nothing configured"),
        pytest.param(
            replace(PLAN, stop_after=Stage.TEST),
            ok(*RUN[:4]),
            "passed not_run passed n/a n/a",
            id="stopped by the user",
        ),
        pytest.param(
            PLAN,
            up_to(bad(Stage.TEST, status=StageStatus.ERROR)),
            "passed not_run not_run n/a n/a",
            id="an error judges nothing",
        ),
    ],
)
def test_checks(plan: Plan, stages: tuple[StageResult, ...], expected: str) -> None:
    checks = judge(*stages, plan=plan).checks
    assert list(checks) == list(Check)
    assert (
        " ".join(state.value for state in checks.values()).replace("not_applicable", "n/a")
        == expected
    )


def test_nothing_beyond_install_is_never_passed() -> None:
    decision = judge(*ok(*RUN[:2]), plan=NOTHING)
    assert decision.verdict is Verdict.NEUTRAL
    assert decision.title == "Neutral: nothing to run beyond install"


def test_a_stop_that_was_asked_for_is_told_and_judges_what_ran() -> None:
    decision = judge(*ok(*RUN[:3]), plan=replace(PLAN, stop_after=Stage.BUILD))
    assert decision.verdict is Verdict.PASSED
    assert decision.reason == "build passed; stopped after build, as asked"
    assert decision.not_verified[0] == (
        "test, start, health, ports, stability: stopped after build, as asked"
    )


def test_a_required_check_that_did_not_run_fails() -> None:
    idle = StageResult(Stage.BUILD, StageStatus.SKIPPED, "the image has no make")
    stages = (*ok(Stage.RETRIEVE, Stage.INSTALL), idle, *ok(*RUN[3:]))
    decision = judge(*stages)
    assert decision.verdict is Verdict.FAILED
    assert decision.reason == (
        "the required check build_success did not run: build, the image has no make"
    )
    assert decision.failure_class is FailureClass.INCONCLUSIVE
    relaxed = replace(PLAN, required_checks=("deployment_success", "ci/other-app"))
    assert judge(*stages, plan=relaxed).verdict is Verdict.PASSED


def test_a_required_check_that_our_own_fault_kept_from_running_is_an_error() -> None:
    idle = StageResult(
        Stage.BUILD, StageStatus.SKIPPED, "no room for a box", cause=Cause.INFRASTRUCTURE
    )
    decision = judge(*ok(Stage.RETRIEVE, Stage.INSTALL), idle, *ok(*RUN[3:]))
    assert decision.verdict is Verdict.ERROR


@pytest.mark.parametrize(
    ("stages", "fault", "reason"),
    [
        pytest.param(
            ok(*RUN[:3]), "the engine does not answer.", "the engine does not answer", id="fault"
        ),
        pytest.param(ok(*RUN), "the disk is full", "the disk is full", id="fault at the end"),
        pytest.param(
            up_to(bad(Stage.TEST, Cause.INFRASTRUCTURE, None, "no room", StageStatus.ERROR)),
            None,
            "test could not be judged: no room",
            id="error",
        ),
        pytest.param(ok(*RUN[:-1]), None, "the sandbox gave no result for stability", id="silence"),
        pytest.param((), None, "the sandbox gave no result for retrieve", id="nothing at all"),
    ],
)
def test_what_is_ours_is_an_error(
    stages: tuple[StageResult, ...], fault: str | None, reason: str
) -> None:
    decision = judge(*stages, fault=fault)
    assert decision.verdict is Verdict.ERROR
    assert decision.reason == reason
    assert decision.failure_class is FailureClass.INFRASTRUCTURE


def test_code_that_could_not_be_had_is_an_error_and_nothing_is_said_of_its_stages() -> None:
    missing = StageResult(Stage.RETRIEVE, StageStatus.ERROR, "no such ref", Cause.SOURCE)
    decision = judge(missing, plan=Plan())
    assert decision.verdict is Verdict.ERROR
    assert decision.title == "Could not run: retrieve failed: no such ref"
    assert decision.failure_class is CONFIGURATION
    assert {r.status for r in decision.stages[1:]} == {StageStatus.NOT_REACHED}
    assert set(decision.checks.values()) == {CheckState.NOT_RUN}


def test_a_failure_stands_though_the_machine_failed_afterwards() -> None:
    decision = judge(*up_to(bad(Stage.BUILD, code=2)), fault="the engine does not answer")
    assert decision.verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("stages", "title"),
    [
        pytest.param((), "Cancelled before anything ran", id="at once"),
        pytest.param(ok(*RUN[:3]), "Cancelled after build", id="between stages"),
        pytest.param(
            up_to(bad(Stage.TEST, Cause.CANCELLED, 137)), "Cancelled during test", id="in a stage"
        ),
    ],
)
def test_cancelled(stages: tuple[StageResult, ...], title: str) -> None:
    decision = judge(*stages, cancelled=True)
    assert (decision.verdict, decision.title) == (Verdict.CANCELLED, title)
    assert decision.failure_class is None


@pytest.mark.parametrize("stage", [Stage.START, Stage.HEALTH, Stage.STABILITY])
def test_a_secret_that_nobody_gave_is_to_blame(stage: Stage) -> None:
    failing = up_to(bad(stage, code=1))
    wanted = {"DB": ("start",)}
    assert judge(*failing).failure_class is CODE
    assert judge(*failing, missing_secrets={"DB": ("deploy",)}).failure_class is CODE
    missing = judge(*failing, missing_secrets=wanted)
    assert missing.failure_class is FailureClass.MISSING_SECRET
    fork = judge(*failing, missing_secrets=wanted, plan=replace(PLAN, trusted=False))
    assert fork.failure_class is FailureClass.UNTRUSTED_FORK


@pytest.mark.parametrize(
    ("cause", "failure_class"),
    [
        (Cause.OUT_OF_MEMORY, CODE),
        (Cause.DISK_FULL, CODE),
        (Cause.PROCESS_LIMIT, CODE),
        (Cause.HOST_REFUSED, FailureClass.CONFIGURATION),
        (Cause.UNHEALTHY, FailureClass.MISSING_SECRET),
    ],
)
def test_what_is_certain_is_blamed_before_a_missing_secret(
    cause: Cause, failure_class: FailureClass
) -> None:
    failing = up_to(bad(Stage.HEALTH, cause))
    assert judge(*failing, missing_secrets={"DB": ("start",)}).failure_class is failure_class


def test_the_plan_says_of_what_the_user_left_out_what_the_verdict_looks_for() -> None:
    plan = make_plan(
        ParsedConfig(),
        Detected(),
        trusted=True,
        given_secrets=frozenset(),
        maximum_timeout_minutes=30,
        stop_after=Stage.BUILD,
    )
    checks = judge(plan=plan).checks
    assert checks[Check.DEPLOYMENT_SUCCESS] is CheckState.NOT_RUN
    assert checks[Check.WEB_EVALUATION_PASS] is CheckState.NOT_APPLICABLE


def test_what_a_stopped_plan_leaves_out_is_not_run_and_excused() -> None:
    """As ``bot.policy.plan`` makes it: later steps are gone, their stages skipped."""
    cut = dict.fromkeys(RUN[3:], "stopped after build by --stage")
    plan = replace(
        PLAN,
        steps=PLAN.steps[:2],
        skipped={**LATER, **cut},
        health=None,
        stop_after=Stage.BUILD,
        not_verified=("tests: stopped after build by --stage", "web evaluation: not there yet"),
    )
    decision = judge(*ok(*RUN[:3]), plan=plan)
    assert decision.verdict is Verdict.PASSED
    assert decision.checks[Check.DEPLOYMENT_SUCCESS] is CheckState.NOT_RUN
    assert decision.checks[Check.CODE_ANALYSIS_PASS] is CheckState.NOT_APPLICABLE
    assert decision.not_verified == plan.not_verified


def test_a_title_fits_and_is_plain() -> None:
    step = Step(Stage.BUILD, "echo \x1b[1m\u202e" + "x" * 500 + "\nrm")
    decision = judge(
        bad(Stage.BUILD, Cause.UNHEALTHY, reason="y" * 400), plan=replace(PLAN, steps=(step,))
    )
    assert len(decision.title) == TITLE_LIMIT
    assert decision.title.endswith("…")


RESULTS = st.builds(
    StageResult,
    stage=st.sampled_from(Stage),
    status=st.sampled_from(StageStatus),
    reason=st.sampled_from(["", "why", "tried to reach a.io"]),
    cause=st.one_of(st.none(), st.sampled_from(Cause)),
    exit_code=st.one_of(st.none(), st.sampled_from([0, 1, 126, 127, 137])),
)


@given(
    stages=st.lists(RESULTS, max_size=12, unique_by=lambda result: result.stage),
    plan=st.sampled_from([PLAN, NOTHING, Plan(), replace(PLAN, limits=Limits(total_seconds=1))]),
    stop=st.one_of(st.none(), st.sampled_from(Stage)),
    cancelled=st.booleans(),
    fault=st.sampled_from([None, "", "the engine is gone"]),
)
def test_never_passed_unless_something_ran_and_nothing_failed(
    stages: list[StageResult], plan: Plan, stop: Stage | None, cancelled: bool, fault: str | None
) -> None:
    plan = replace(plan, stop_after=stop)
    decision = decide(ValidationFacts(plan, tuple(stages), cancelled, fault))
    assert [result.stage for result in decision.stages] == list(Stage)
    assert decision.reason
    assert 0 < len(decision.title) <= TITLE_LIMIT
    if decision.verdict is Verdict.PASSED:
        ran = [r for r in stages if r.stage not in (Stage.RETRIEVE, Stage.INSTALL)]
        assert any(result.status is StageStatus.PASSED for result in ran)
        assert all(r.status in (StageStatus.PASSED, StageStatus.SKIPPED) for r in decision.stages)
        assert not cancelled
        assert fault is None
        assert CheckState.FAILED not in decision.checks.values()
