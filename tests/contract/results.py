"""Results of validations as they come out of the rules, for the tests of what people read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.domain.base_evaluations import NOT_YET
from bot.domain.plan import (
    Cause,
    HealthCheck,
    Log,
    Plan,
    Stage,
    StageResult,
    StageStatus,
    Step,
)
from bot.domain.validations import AttachmentReference, Finding, SnapshotUse, ValidationResult
from bot.domain.web import (
    Difference,
    Frame,
    PageSeen,
    Picture,
    PictureChange,
    Size,
    Thrown,
    Vitals,
    VitalsChange,
    WebComparison,
    WebEvaluation,
    WebPlan,
)
from bot.policy.findings import extract
from bot.policy.validation import ValidationFacts, decide
from bot.policy.web import judge, reason

STARTED = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
PATHS = frozenset({"package.json", "src/app.ts", "src/total.ts", "test/total.test.js"})
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
    health=HealthCheck(port=3000, path="/health"),
    required_checks=("build_success", "deployment_success", "web_evaluation_pass"),
    assumed=(
        "install_command: npm ci (package-lock.json)",
        "start_command: npm start (package.json)",
    ),
)
SECONDS = {Stage.RETRIEVE: 0.31, Stage.INSTALL: 0.74, Stage.BUILD: 4.2, Stage.TEST: 2.05}


def passed(stage: Stage, log: str = "") -> StageResult:
    command = COMMANDS.get(stage, "")
    return StageResult(
        stage,
        StageStatus.PASSED,
        command=command,
        exit_code=0 if command and stage is not Stage.START else None,
        seconds=SECONDS.get(stage, 0.4),
        log=Log(head=log),
    )


def failed(
    stage: Stage,
    cause: Cause = Cause.EXIT_CODE,
    *,
    log: str = "",
    exit_code: int | None = None,
    reason: str = "",
    seconds: float = 3.1,
    status: StageStatus = StageStatus.FAILED,
) -> StageResult:
    return StageResult(
        stage,
        status,
        reason=reason,
        cause=cause,
        command=COMMANDS.get(stage, ""),
        exit_code=exit_code,
        seconds=seconds,
        log=Log(head=log),
    )


def until(stage: Stage) -> tuple[StageResult, ...]:
    """Every stage of the plan before ``stage``, passed."""
    order = list(Stage)
    return tuple(passed(s) for s in order[: order.index(stage)] if s not in LATER)


def result(
    *stages: StageResult,
    plan: Plan = PLAN,
    cancelled: bool = False,
    fault: str | None = None,
    notes: tuple[str, ...] = (),
    snapshot: SnapshotUse | None = None,
) -> ValidationResult:
    decision = decide(ValidationFacts(plan, stages, cancelled, fault))
    findings: list[Finding] = []
    for stage in stages:
        if stage.status is not StageStatus.PASSED:
            findings += extract(stage.stage, stage.log.text, PATHS)
    return ValidationResult(
        verdict=decision.verdict,
        reason=decision.reason,
        failure_class=decision.failure_class,
        head_sha="3f1c9a7e5b2d4806a1c3e5f7092b4d6e8f0a1c3e",
        started_at=STARTED,
        completed_at=STARTED + timedelta(seconds=sum(stage.seconds for stage in stages) + 1.3),
        stages=decision.stages,
        checks=decision.checks,
        environment_id="7d444840-9dc0-11d1-b245-5ffdce74fad2",
        snapshot=snapshot,
        findings=tuple(findings),
        assumed=plan.assumed,
        not_verified=decision.not_verified,
        notes=notes,
    )


CYAN, YELLOW, RED, GREY, INVERSE, OFF = (f"\x1b[{n}m" for n in (96, 93, 91, 90, 7, 0))
BUILD_LOG = f"""
> shop@1.0.0 build
> tsc --noEmit && vite build

{CYAN}src/app.ts{OFF}:{YELLOW}3{OFF}:{YELLOW}7{OFF} - {RED}error{OFF}{GREY} TS2322: {OFF}\
Type 'string' is not assignable to type 'number'.

{INVERSE}3{OFF} const total: number = "three";
        {RED}~~~~~{OFF}

{CYAN}src/total.ts{OFF}:{YELLOW}12{OFF}:{YELLOW}22{OFF} - {RED}error{OFF}{GREY} TS2551: {OFF}\
Property 'lenght' does not exist on type 'Item[]'. Did you mean 'length'?

{INVERSE}12{OFF}   return items.lenght;

Found 2 errors in 2 files.
"""

TEST_LOG = """TAP version 13
# Subtest: adds the prices
not ok 1 - adds the prices
  ---
  duration_ms: 1.21
  location: '/workspace/test/total.test.js:7:1'
  failureType: 'testCodeFailure'
  error: 'Expected values to be strictly equal: 5 !== 6'
  code: 'ERR_ASSERTION'
  ...
1..1
# fail 1
"""


def looked_at(comparison: WebComparison, *, status: StageStatus) -> ValidationResult:
    """A page that throws, or one that does not, held against its base."""
    thrown = Thrown("TypeError: total is not a function", (Frame("/app.js", 12, 3),))
    broken = status is StageStatus.FAILED
    page = PageSeen(
        "/",
        Size.DESKTOP,
        status=200,
        exceptions=(thrown,) if broken else (),
        vitals=Vitals(3, 412.0, 0.02, 6.0, 51_200.0),
        picture="01-desktop-root.png",
    )
    pictures = ("01-desktop-root.png", "base-01-desktop-root.png", "changed-01-desktop-root.png")
    seen = WebEvaluation(pages=(page,), pictures=(Picture(pictures[0], "image/png"),))
    judgement = judge(seen, WebPlan())
    stage = replace(
        failed(Stage.WEB_EVALUATION, Cause.BROKEN_PAGE, reason=reason(seen, judgement), seconds=9),
        status=status,
        cause=Cause.BROKEN_PAGE if broken else None,
        evaluation=seen,
        comparison=comparison,
        faults=judgement.gates,
        advice=judgement.advice,
    )
    plan = replace(
        PLAN, skipped={it: why for it, why in LATER.items() if it is not Stage.WEB_EVALUATION}
    )
    last = () if broken else (passed(Stage.STABILITY),)
    told = result(*until(Stage.WEB_EVALUATION), stage, *last, plan=plan)
    return replace(
        told,
        base_sha=comparison.sha,
        attachments=(
            *(
                AttachmentReference("web_evaluation", name, "image/png", 900, f"id-{at}")
                for at, name in enumerate(pictures)
            ),
            AttachmentReference("web_evaluation", "01-trace-buy.zip", "application/zip", 9, "id-t"),
        ),
    )


BASE = "5d41402abc4b2a76b9719d911017c592deadbeef"
CHANGED = WebComparison(
    BASE,
    new=(Difference("uncaught exception", "`/`: TypeError: total is not a function"),),
    gone=(Difference("accessibility violation", "`/`: Images need text (image-alt, critical)"),),
    vitals=(VitalsChange("/", lcp_ms=312.0, cls=0.0, ttfb_ms=1.0, transfer_bytes=20_480.0),),
    pictures=(
        PictureChange(
            "/",
            Size.DESKTOP,
            0.3412,
            "base-01-desktop-root.png",
            "01-desktop-root.png",
            "changed-01-desktop-root.png",
        ),
    ),
    alike=1,
)


def samples() -> Mapping[str, ValidationResult]:
    """One result of each kind that a person can meet, by name."""
    bare = Plan(skipped={**LATER, Stage.BUILD: "no build command"})
    everything = [s for s in Stage if s not in LATER]
    limited = StageStatus.TIMED_OUT
    return {
        "passed": result(
            *(passed(stage) for stage in everything),
            snapshot=SnapshotUse("9f2c1b7a", hit=True),
            notes=("install: from snapshot 9f2c1b7a, installed 2026-02-27",),
        ),
        "build": result(
            *until(Stage.BUILD), failed(Stage.BUILD, exit_code=2, log=BUILD_LOG, seconds=4.2)
        ),
        "test": result(
            *until(Stage.TEST), failed(Stage.TEST, exit_code=1, log=TEST_LOG, seconds=2.05)
        ),
        "memory": result(
            *until(Stage.BUILD),
            failed(Stage.BUILD, Cause.OUT_OF_MEMORY, exit_code=137, log="transforming (412)\n"),
        ),
        "timeout": result(
            *until(Stage.TEST),
            failed(Stage.TEST, Cause.TIMEOUT, status=limited, seconds=1794, log="waiting …\n" * 90),
        ),
        "refused host": result(
            *until(Stage.INSTALL),
            failed(
                Stage.INSTALL,
                Cause.HOST_REFUSED,
                exit_code=1,
                reason=(
                    "`npm ci` exited with 1; it tried to reach downloads.example.com, which the "
                    "sandbox refuses: add it to `sandbox.allow_hosts`"
                ),
                log="npm error network request to https://downloads.example.com/a.tgz failed\n",
            ),
        ),
        "crash": result(
            *until(Stage.START),
            passed(Stage.START, log="listening on 3000\nTypeError: x is not a function\n"),
            passed(Stage.HEALTH),
            passed(Stage.PORTS),
            failed(
                Stage.STABILITY,
                Cause.CRASHED,
                reason="the application ended with code 1 after it had answered",
            ),
        ),
        "browser": looked_at(CHANGED, status=StageStatus.FAILED),
        "browser, no base": looked_at(WebComparison(BASE, NOT_YET), status=StageStatus.PASSED),
        "browser, same": looked_at(WebComparison(BASE, alike=2), status=StageStatus.PASSED),
        "neutral": result(passed(Stage.RETRIEVE), plan=bare),
        "error": result(*until(Stage.TEST), fault="the container engine does not answer"),
        "cancelled": result(*until(Stage.TEST), cancelled=True),
        "stopped": result(
            *until(Stage.TEST),
            plan=Plan(
                steps=PLAN.steps,
                skipped=LATER,
                health=PLAN.health,
                stop_after=Stage.BUILD,
                required_checks=PLAN.required_checks,
            ),
        ),
    }
