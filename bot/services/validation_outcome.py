"""What a validation's stages come to: the rules are asked, and their answers put together."""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.excerpts import ended_at
from bot.domain.plan import Stage, StageResult, StageStatus
from bot.domain.validations import (
    AttachmentReference,
    ChangedSymbolRow,
    ClassRule,
    Finding,
    SnapshotUse,
    ValidationResult,
    ValidationStatus,
    Verdict,
)
from bot.policy.advice import advice
from bot.policy.exploring import notes as unexplored
from bot.policy.findings import extract, merged
from bot.policy.manifest_lines import with_lines
from bot.policy.next_step import next_step
from bot.policy.test_reports import read_report
from bot.policy.validation import ValidationFacts, decide
from bot.policy.web_places import findings as web_findings
from bot.services.validation_course import Course

FINAL_STATUS: Mapping[Verdict, ValidationStatus] = {
    Verdict.PASSED: ValidationStatus.COMPLETED,
    Verdict.FAILED: ValidationStatus.COMPLETED,
    Verdict.NEUTRAL: ValidationStatus.COMPLETED,
    Verdict.CANCELLED: ValidationStatus.CANCELLED,
    Verdict.ERROR: ValidationStatus.ERROR,
}


def judged(course: Course) -> ValidationResult:
    """The result of a course that has come to its end."""
    plan = course.plan
    found = {it.stage: _findings(course, it) for it in course.stages}
    if course.code is not None:
        found[Stage.CODE_ANALYSIS] = course.code.findings
    failed = ended_at(tuple(course.stages))
    decision = decide(
        ValidationFacts(
            plan=plan,
            stages=tuple(course.stages),
            cancelled=course.cancelled,
            fault=course.fault,
            missing_secrets=course.missing_secrets,
            findings=found.get(failed.stage, ()) if failed else (),
            paths=course.paths,
        )
    )
    course.go(FINAL_STATUS[decision.verdict])
    findings = tuple(finding for stage in decision.stages for finding in found.get(stage.stage, ()))
    because = decision.classification
    validation = course.validation
    assert validation.completed_at is not None
    return ValidationResult(
        verdict=decision.verdict,
        reason=decision.reason,
        failure_class=decision.failure_class,
        head_sha=validation.head_sha,
        base_sha=course.request.base_sha,
        started_at=validation.created_at,
        completed_at=validation.completed_at,
        stages=decision.stages,
        checks=decision.checks,
        environment_id=validation.id if course.has_boxes else "",
        snapshot=_snapshot(course),
        findings=findings,
        assumed=plan.assumed,
        not_verified=decision.not_verified,
        notes=_notes(course, decision.stages),
        title=decision.title,
        exploration=course.exploration,
        class_rule=ClassRule(because.rule, because.sentence, because.evidence) if because else None,
        what_to_do=next_step(decision.verdict, because, findings),
        changed_symbols=tuple(
            ChangedSymbolRow(it.symbol, it.place, it.usages, it.files)
            for it in (course.code.rows if course.code else ())
        ),
        attachments=tuple(
            AttachmentReference(it.stage.value, it.name, it.media_type, len(it.content))
            for it in course.attachments
        ),
    )


def _snapshot(course: Course) -> SnapshotUse | None:
    """The snapshot that the environment came from, or will make."""
    environment = course.environment
    if environment is None or not environment.snapshot_key:
        return None
    return SnapshotUse(environment.snapshot_key, environment.snapshot_hit)


def _notes(course: Course, stages: tuple[StageResult, ...]) -> tuple[str, ...]:
    """All that was noted on the way and at the end, each once."""
    ending = (*advice(course.plan, stages), *unexplored(course.exploration, stages))
    return tuple(dict.fromkeys((*course.notes, *ending)))


def _findings(course: Course, result: StageResult) -> tuple[Finding, ...]:
    """What a browser has seen, and what reports and log of a stage that failed say."""
    paths = course.paths
    seen = web_findings(result.evaluation, paths) if result.evaluation else ()
    if result.status not in (StageStatus.FAILED, StageStatus.TIMED_OUT):
        return seen
    reports = [
        read_report(it.stage, it.content.decode(errors="replace"), it.name, paths)
        for it in course.attachments
        # One that is part of the tree may tell of another day.
        if it.stage is Stage.TEST is result.stage and it.name not in paths
    ]
    course.notes += [it.problem for it in reports if it.problem]
    said = extract(result.stage, result.log.text, paths, matchers=course.matchers)
    said = with_lines(said, course.files)
    return (*seen, *merged(*(it.findings for it in reports), said))
