"""The verdict: from what the stages found to passed, failed, neutral, cancelled or error.

The rules, in order; the first that holds decides (interface: "Verdict").

1. The user stopped it: ``cancelled``.
2. A stage that ran failed or timed out: ``failed``, whether a required check lists it or not.
3. A stage met an error, the sandbox gave up, or a planned stage ended without a word: ``error``.
4. A required check did not run, though the user did not stop before it: ``failed``.
5. Nothing beyond install ran: ``neutral``.
6. ``passed``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from bot.domain.excerpts import ended_at, telling
from bot.domain.log_text import one_line
from bot.domain.plan import Cause, Plan, Stage, StageResult, StageStatus
from bot.domain.validations import Check, CheckState, FailureClass, Finding, Verdict
from bot.policy.classification import Classification, FailureFacts, classify
from bot.policy.reasons import STOPPED, sentence, words

TITLE_LIMIT = 255
"""Characters of a check run's title."""

CHECK_STAGES: Mapping[Check, tuple[Stage, ...]] = {
    Check.BUILD_SUCCESS: (Stage.BUILD,),
    Check.TESTS_PASS: (Stage.TEST,),
    Check.DEPLOYMENT_SUCCESS: (Stage.START, Stage.HEALTH, Stage.PORTS, Stage.STABILITY),
    Check.WEB_EVALUATION_PASS: (Stage.WEB_EVALUATION,),
    Check.CODE_ANALYSIS_PASS: (Stage.CODE_ANALYSIS,),
}

_PREPARATION = frozenset({Stage.RETRIEVE, Stage.INSTALL})
_VERIFY_NOTHING = _PREPARATION | {Stage.ANALYSIS}
_DID_NOT_RUN = frozenset({StageStatus.SKIPPED, StageStatus.NOT_REACHED})
_FAILED = frozenset({StageStatus.FAILED, StageStatus.TIMED_OUT})


@dataclass(frozen=True)
class ValidationFacts:
    """All that the verdict is made of.

    ``stages`` are the results of the stages that were reached. ``fault`` is a sentence where the
    machine or the sandbox failed. ``missing_secrets`` are the configured secrets that nobody
    gave, each with the names of the stages that want it. ``findings`` are those of the stage that
    failed, ``paths`` the tree's files; ``passed_on_repeat`` says that the stage passed when it ran
    once more. These three only decide whose failure it is.
    """

    plan: Plan
    stages: tuple[StageResult, ...] = ()
    cancelled: bool = False
    fault: str | None = None
    missing_secrets: Mapping[str, Collection[str]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    paths: frozenset[str] = frozenset()
    passed_on_repeat: bool = False


@dataclass(frozen=True)
class VerdictDecision:
    """The verdict, why, and what follows from it.

    ``stages`` are all stages in order. ``title`` is the state in words, plain text, at most
    ``TITLE_LIMIT`` characters. ``not_verified`` has a line for each thing that was not looked at.
    ``classification`` is the class with the rule that decided it; None where nothing failed.
    """

    verdict: Verdict
    reason: str
    title: str
    failure_class: FailureClass | None
    stages: tuple[StageResult, ...]
    checks: Mapping[Check, CheckState]
    not_verified: tuple[str, ...]
    classification: Classification | None = None


def decide(facts: ValidationFacts) -> VerdictDecision:
    """Judge a validation that has ended."""
    stages = _completed(facts)
    checks = {check: _check(facts.plan, stages, check) for check in Check}
    verdict, reason, classification = _judged(facts, stages, checks)
    return VerdictDecision(
        verdict=verdict,
        reason=reason,
        title=_title(verdict, reason, checks),
        failure_class=classification.failure_class if classification else None,
        stages=tuple(_with_reason(facts.plan, result) for result in stages),
        checks=checks,
        not_verified=_not_verified(facts.plan, stages),
        classification=classification,
    )


# ── stages and checks ────────────────────────────────────────────────────────────────────────


def _completed(facts: ValidationFacts) -> tuple[StageResult, ...]:
    """A result for every stage, in order."""
    reached = {result.stage: result for result in facts.stages}
    ended = ended_at(facts.stages)
    ending = _ending(facts, ended)
    source = reached.get(Stage.RETRIEVE)
    known = source is not None and source.status is StageStatus.PASSED
    completed = []
    for stage in Stage:
        result = reached.get(stage)
        if result is None:
            status, reason = _unreached(facts.plan, stage, ending, known=known)
            result = StageResult(stage, status, reason)
        completed.append(result)
    return tuple(completed)


def _with_reason(plan: Plan, result: StageResult) -> StageResult:
    """A result that says why it did not pass, without what stands beside it in the report."""
    if result.reason or result.status in _DID_NOT_RUN | {StageStatus.PASSED}:
        return result
    said = sentence(plan, result).removeprefix(f"{words(result.stage)} ")
    return replace(result, reason=said.removeprefix("failed: ").removeprefix("timed out: "))


def _ending(facts: ValidationFacts, ended: StageResult | None) -> str:
    """What kept later stages from being reached."""
    if ended is not None:
        return f"{words(ended.stage)} ended it"
    if facts.cancelled:
        return "it was cancelled"
    return "the sandbox failed"


def _unreached(plan: Plan, stage: Stage, ending: str, *, known: bool) -> tuple[StageStatus, str]:
    """How a stage without a result stands; before the plan was made it is not ``known``."""
    if stage in plan.skipped:
        return StageStatus.SKIPPED, plan.skipped[stage]
    if not _planned(plan, stage) and known:
        return StageStatus.SKIPPED, "nothing to do"
    if not plan.wants(stage):
        return StageStatus.SKIPPED, f"{STOPPED} {_stop(plan)}, as asked"
    return StageStatus.NOT_REACHED, ending


def _planned(plan: Plan, stage: Stage) -> bool:
    """Whether there is something to do in a stage, though the user may stop before it."""
    if stage in plan.skipped:
        return not plan.wants(stage) and plan.skipped[stage].startswith(STOPPED)
    if stage in (Stage.INSTALL, Stage.BUILD, Stage.TEST, Stage.START):
        return plan.step(stage) is not None
    if stage in (Stage.HEALTH, Stage.PORTS, Stage.STABILITY):
        return plan.health is not None
    if stage is Stage.WEB_EVALUATION:
        return plan.web is not None
    return True


def _stop(plan: Plan) -> str:
    return words(plan.stop_after) if plan.stop_after else ""


def _check(plan: Plan, stages: tuple[StageResult, ...], check: Check) -> CheckState:
    """A check's state: the worst of its stages; those that have nothing to do do not count."""
    mine = [
        result
        for result in stages
        if result.stage in CHECK_STAGES[check]
        and (result.status is not StageStatus.SKIPPED or _planned(plan, result.stage))
        and not _has_no_page(plan, result)
    ]
    if not mine:
        return CheckState.NOT_APPLICABLE
    if any(result.status in _FAILED for result in mine):
        return CheckState.FAILED
    if all(result.status is StageStatus.PASSED for result in mine):
        return CheckState.PASSED
    return CheckState.NOT_RUN


def _has_no_page(plan: Plan, result: StageResult) -> bool:
    """Whether the sandbox found that the application, started and well, has no web page."""
    skipped = result.stage is Stage.WEB_EVALUATION and result.status is StageStatus.SKIPPED
    return skipped and plan.web is not None and plan.wants(result.stage)


# ── verdict ──────────────────────────────────────────────────────────────────────────────────

Judgement = tuple[Verdict, str, Classification | None]


def _judged(
    facts: ValidationFacts,
    stages: tuple[StageResult, ...],
    checks: Mapping[Check, CheckState],
) -> Judgement:
    ran = [result for result in stages if result.status not in _DID_NOT_RUN]
    failed = next((result for result in ran if result.status in _FAILED), None)
    if facts.cancelled or any(result.cause is Cause.CANCELLED for result in ran):
        return Verdict.CANCELLED, _cancelled(ran), None
    if failed is not None:
        return Verdict.FAILED, sentence(facts.plan, failed), _class(facts, stages, failed)
    fault = _fault(facts, stages)
    if fault:
        source = any(result.cause is Cause.SOURCE for result in ran)
        return Verdict.ERROR, fault, _of_no_judgement(fault, source=source)
    missing = _missing(facts.plan, stages, checks)
    if missing:
        said = "A required check did not run, so nothing tells whose failure it is."
        idle = Classification(FailureClass.INCONCLUSIVE, "check-did-not-run", said, missing)
        return Verdict.FAILED, missing, idle
    passed = [words(result.stage) for result in ran if result.stage not in _PREPARATION]
    stopped = f"; {STOPPED} {_stop(facts.plan)}, as asked" if facts.plan.stop_after else ""
    if not passed:
        return Verdict.NEUTRAL, f"nothing to run beyond install{stopped}", None
    return Verdict.PASSED, f"{_joined(passed)} passed{stopped}", None


def _cancelled(ran: list[StageResult]) -> str:
    if not ran:
        return "cancelled before anything ran"
    when = "during" if ran[-1].cause is Cause.CANCELLED else "after"
    return f"cancelled {when} {words(ran[-1].stage)}"


def _fault(facts: ValidationFacts, stages: tuple[StageResult, ...]) -> str:
    """What of ours kept the validation from being judged; empty where nothing did."""
    error = next((result for result in stages if _is_no_judgement(result)), None)
    if error is not None:
        return sentence(facts.plan, error)
    if facts.fault is not None:
        return one_line(facts.fault).rstrip(".") or "the sandbox failed"
    silent = next((result for result in stages if result.status is StageStatus.NOT_REACHED), None)
    # A stage that never said how it ended is no success, whatever came before and after it.
    return f"the sandbox gave no result for {words(silent.stage)}" if silent else ""


def _is_no_judgement(result: StageResult) -> bool:
    """An error, or a stage that our own fault kept from running."""
    ours = result.cause is Cause.INFRASTRUCTURE and result.status in _DID_NOT_RUN
    return ours or result.status is StageStatus.ERROR


def _missing(
    plan: Plan,
    stages: tuple[StageResult, ...],
    checks: Mapping[Check, CheckState],
) -> str:
    """The first required check that should have run and did not; empty where all did.

    Names of other apps' checks are for the merge, never for the verdict.
    """
    for check in Check:
        if check.value not in plan.required_checks or checks[check] is not CheckState.NOT_RUN:
            continue
        own = [r for r in stages if r.stage in CHECK_STAGES[check] and _planned(plan, r.stage)]
        idle = next((r for r in own if r.status in _DID_NOT_RUN), None)
        if idle is not None and all(plan.wants(result.stage) for result in own):
            why = one_line(idle.reason).rstrip(".") or "no reason was given"
            return f"the required check {check.value} did not run: {words(idle.stage)}, {why}"
    return ""


# ── class ────────────────────────────────────────────────────────────────────────────────────


def _class(
    facts: ValidationFacts, stages: tuple[StageResult, ...], failed: StageResult
) -> Classification:
    """Whose failure it is, from the log that tells of it."""
    told = telling(stages)
    return classify(
        FailureFacts(
            plan=facts.plan,
            result=failed,
            log=told.log.text if told is not None else "",
            findings=facts.findings,
            missing_secrets=facts.missing_secrets,
            paths=facts.paths,
            passed_on_repeat=facts.passed_on_repeat,
        )
    )


def _of_no_judgement(fault: str, *, source: bool) -> Classification:
    if source:
        said = "The source cannot be had as it is asked for."
        return Classification(FailureClass.CONFIGURATION, "no-source", said, fault)
    said = "The machine or the sandbox failed."
    return Classification(FailureClass.INFRASTRUCTURE, "our-fault", said, fault)


# ── words ────────────────────────────────────────────────────────────────────────────────────


def _title(verdict: Verdict, reason: str, checks: Mapping[Check, CheckState]) -> str:
    label = {Verdict.ERROR: "Could not run", Verdict.NEUTRAL: "Neutral"}.get(
        verdict, verdict.value.capitalize()
    )
    said = reason.removesuffix(" passed").removeprefix("cancelled").strip()
    title = f"{label}: {said}" if said else label
    if verdict is Verdict.CANCELLED and said:
        title = f"{label} {said}"
    idle = [check.value for check, state in checks.items() if state is CheckState.NOT_APPLICABLE]
    if verdict is Verdict.PASSED and idle:
        title += f". Not applicable: {', '.join(idle)}"
    title = one_line(title.replace("`", ""))
    return title if len(title) <= TITLE_LIMIT else title[: TITLE_LIMIT - 1] + "…"


def _not_verified(plan: Plan, stages: tuple[StageResult, ...]) -> tuple[str, ...]:
    """The plan's own lines, then one for each stage beyond install that did not run.

    What a model says verifies nothing, whether it was asked or not.
    """
    told = [one_line(line).partition(": ") for line in plan.not_verified]
    names = {name.lower().replace("_", " ") for name, _, _ in told}
    reasons = {reason for _, _, reason in told}
    lines: dict[str, list[str]] = {}
    for result in stages:
        name = words(result.stage)
        if result.stage in _VERIFY_NOTHING or name in names or one_line(result.reason) in reasons:
            continue
        if result.status in _DID_NOT_RUN:
            lines.setdefault(_why_not(result), []).append(name)
    return (*plan.not_verified, *(f"{', '.join(idle)}: {why}" for why, idle in lines.items()))


def _why_not(result: StageResult) -> str:
    reason = one_line(result.reason).rstrip(".") or "no reason was given"
    return f"not reached, {reason}" if result.status is StageStatus.NOT_REACHED else reason


def _joined(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
