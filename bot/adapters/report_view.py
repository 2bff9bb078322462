"""A validation's result as the report's templates see it: plain texts in reading order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.adapters.comparison_view import ShownComparison, shown_comparison
from bot.adapters.duration import duration
from bot.adapters.exploration_view import ShownExploration, shown_exploration
from bot.adapters.review_view import CLASSES, ShownAnalysis, shown_analysis
from bot.domain.excerpts import ended_at, excerpts, telling
from bot.domain.log_text import one_line
from bot.domain.plan import Stage, StageResult, StageStatus
from bot.domain.validations import (
    AttachmentReference,
    ChangedSymbolRow,
    Check,
    CheckState,
    Finding,
    Level,
    ValidationResult,
    Verdict,
)
from bot.domain.web import FlowOutcome, WebEvaluation

# An emoji for GitHub; a mark that every font has for a page and a terminal; words.
_VERDICTS: Mapping[Verdict, tuple[str, str, str]] = {
    Verdict.PASSED: ("✅", "✓", "Passed"),
    Verdict.FAILED: ("❌", "✗", "Failed"),
    Verdict.NEUTRAL: ("⚪", "○", "Nothing to run"),
    Verdict.CANCELLED: ("🚫", "×", "Cancelled"),
    Verdict.ERROR: ("⚠️", "!", "Could not run"),
}
_STATUSES: Mapping[StageStatus, tuple[str, str]] = {
    StageStatus.PASSED: ("✅", "passed"),
    StageStatus.FAILED: ("❌", "failed"),
    StageStatus.TIMED_OUT: ("⏱️", "timed out"),
    StageStatus.ERROR: ("⚠️", "error"),
    StageStatus.SKIPPED: ("⏭️", "skipped"),
    StageStatus.NOT_REACHED: ("▫️", "not reached"),
}
_STATES: Mapping[CheckState, str] = {
    CheckState.PASSED: "passed",
    CheckState.FAILED: "failed",
    CheckState.NOT_RUN: "not run",
    CheckState.NOT_APPLICABLE: "not applicable",
}
_IDLE = frozenset({StageStatus.SKIPPED, StageStatus.NOT_REACHED})


@dataclass(frozen=True)
class Row:
    """A line of the stage table: one stage, or idle ones that share their reason."""

    names: str
    icon: str
    status: str
    code: str
    time: str
    command: str
    told: str


@dataclass(frozen=True)
class FindingLine:
    """A finding as it is read: ``src/app.ts:3:7``, its level, message and rule."""

    place: str
    level: str
    message: str
    rule: str


@dataclass(frozen=True)
class LogSlice:
    """What is shown of a stage's log; ``opened`` where it tells the failure."""

    stage: str
    command: str
    exit_code: int | None
    text: str
    opened: bool


@dataclass(frozen=True)
class VitalsRow:
    """What a page of the application took: paint, shift, first byte, bytes."""

    path: str
    values: tuple[str, str, str, str]


@dataclass(frozen=True)
class WebSection:
    """What was seen in the browser: what failed, what is advice, vitals, pictures.

    ``telling`` is the name of the picture that shows the failure, empty where nothing failed.
    """

    faults: tuple[str, ...]
    advice: tuple[str, ...]
    vitals: tuple[VitalsRow, ...]
    pictures: tuple[AttachmentReference, ...]
    traces: tuple[AttachmentReference, ...]
    left_out: tuple[str, ...]
    telling: str
    comparison: ShownComparison | None


@dataclass(frozen=True)
class ReportView:
    """The report, ready to be laid out."""

    title: str
    icon: str
    mark: str
    verdict: str
    code: str
    reason: str
    due_to: str
    because: str
    what_to_do: str
    rows: tuple[Row, ...]
    failure: LogSlice | None
    slices: tuple[LogSlice, ...]
    findings: tuple[FindingLine, ...]
    first: FindingLine | None
    checks: tuple[tuple[str, str], ...]
    assumed: tuple[str, ...]
    not_verified: tuple[str, ...]
    notes: tuple[str, ...]
    snapshot: str
    head_sha: str
    base_sha: str
    environment_id: str
    started: str
    seconds: str
    analysis: ShownAnalysis | None
    web: WebSection | None
    exploration: ShownExploration | None
    changed: tuple[ChangedSymbolRow, ...]
    test_reports: tuple[AttachmentReference, ...]


def view(result: ValidationResult, title: str) -> ReportView:
    """The view of a result. Every text is plain: no escape sequence, no unseen character."""
    icon, mark, verdict = _VERDICTS[result.verdict]
    slices = tuple(_slices(result))
    return ReportView(
        title=one_line(title),
        icon=icon,
        mark=mark,
        verdict=verdict,
        code=result.verdict.value,
        reason=_sentence(result.reason),
        due_to=CLASSES[result.failure_class.value] if result.failure_class else "",
        because=_because(result),
        what_to_do=one_line(result.what_to_do),
        rows=tuple(_rows(result.stages)),
        failure=next((piece for piece in slices if piece.opened), None),
        slices=slices,
        findings=tuple(_finding(finding) for finding in result.findings),
        first=_first(result),
        checks=_checks(result.checks),
        assumed=tuple(map(one_line, result.assumed)),
        not_verified=tuple(map(one_line, result.not_verified)),
        notes=tuple(map(one_line, result.notes)),
        snapshot=_snapshot(result),
        head_sha=one_line(result.head_sha),
        base_sha=one_line(result.base_sha or ""),
        environment_id=one_line(result.environment_id),
        started=_time(result.started_at),
        seconds=duration(result.seconds),
        analysis=_analysis(result),
        web=_web(result),
        exploration=shown_exploration(result.exploration, result.attachments),
        changed=result.changed_symbols,
        test_reports=tuple(it for it in result.attachments if it.stage == Stage.TEST.value),
    )


def _because(result: ValidationResult) -> str:
    """The rule that says whose failure it is, with what it saw."""
    rule = result.class_rule
    if rule is None:
        return ""
    return one_line(f"{rule.sentence} (`{rule.name}`)")


def _analysis(result: ValidationResult) -> ShownAnalysis | None:
    """What a model says; why it says nothing stands in the table of stages."""
    said = result.analysis is not None and result.analysis.review is not None
    return shown_analysis(result.analysis) if said and result.analysis else None


def _web(result: ValidationResult) -> WebSection | None:
    stage = next((it for it in result.stages if it.evaluation is not None), None)
    if stage is None or stage.evaluation is None:
        return None
    own = {it.name for it in stage.evaluation.pictures}
    rows = [(page.path, page.vitals) for page in stage.evaluation.pages if page.vitals]
    return WebSection(
        faults=tuple(map(one_line, stage.faults)),
        advice=tuple(map(one_line, stage.advice)),
        vitals=tuple(
            VitalsRow(
                one_line(path),
                (
                    _amount(it.lcp_ms, "ms"),
                    "–" if it.cls is None else f"{it.cls:.2f}",
                    _amount(it.ttfb_ms, "ms"),
                    _amount(None if it.transfer_bytes is None else it.transfer_bytes / 1024, "kB"),
                ),
            )
            for path, it in rows
        ),
        pictures=tuple(it for it in result.attachments if _is_picture(it) and it.name in own),
        traces=tuple(it for it in result.attachments if it.media_type == "application/zip"),
        left_out=tuple(map(one_line, stage.evaluation.left_out)),
        telling=_telling_picture(stage.evaluation) if stage.faults else "",
        comparison=shown_comparison(stage.comparison, result.attachments)
        if stage.comparison
        else None,
    )


def _telling_picture(seen: WebEvaluation) -> str:
    """That of a flow that failed, else of the first page with a fault, else of the first page."""
    failed = (it for it in seen.flows if it.outcome is FlowOutcome.FAILED and it.pictures)
    if (flow := next(failed, None)) is not None:
        return flow.pictures[-1]
    pages = [it for it in seen.pages if it.picture]
    faulty = (it for it in pages if it.fault or it.exceptions or it.requests)
    page = next(faulty, pages[0] if pages else None)
    return page.picture or "" if page else ""


def _is_picture(it: AttachmentReference) -> bool:
    return it.media_type.startswith("image/")


def _amount(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{value:,.0f} {unit}"


def _sentence(text: str) -> str:
    """A reason as a sentence: a capital (unless it begins with code) and a full stop."""
    text = one_line(text)
    text = text[:1].upper() + text[1:]
    return text if not text or text[-1] in ".!?…" else f"{text}."


def _rows(stages: tuple[StageResult, ...]) -> Iterator[Row]:
    groups: dict[tuple[object, ...], list[StageResult]] = {}
    for result in stages:
        idle = result.status in _IDLE
        alike = (result.status, result.reason) if idle else (result.stage,)
        groups.setdefault(alike, []).append(result)
    # What ran comes first, in order; then what did not.
    for results in sorted(groups.values(), key=lambda group: group[0].status in _IDLE):
        first = results[0]
        icon, status = _STATUSES[first.status]
        idle = first.status in _IDLE
        command, told = one_line(first.command), one_line(first.reason)
        yield Row(
            names=", ".join(_words(result.stage) for result in results),
            icon=icon,
            status=status,
            code=first.status.value,
            time="" if idle else duration(first.seconds),
            command="" if idle or f"`{command}`" in told else command,
            told=told,
        )


def _slices(result: ValidationResult) -> Iterator[LogSlice]:
    texts = excerpts(result)
    shown = telling(result.stages)
    for stage in result.stages:
        text = texts.get(stage.stage.value, "")
        opened = stage is shown
        if text or (opened and stage.command):
            yield LogSlice(
                stage=_words(stage.stage),
                command=one_line(stage.command),
                exit_code=stage.exit_code,
                text=text,
                opened=opened,
            )


def _finding(finding: Finding) -> FindingLine:
    numbers = [str(n) for n in (finding.line, finding.column) if n is not None]
    return FindingLine(
        place=one_line(":".join([finding.file, *numbers])),
        level=finding.level.value,
        message=one_line(finding.message),
        rule=one_line(finding.rule),
    )


def _first(result: ValidationResult) -> FindingLine | None:
    """The first fault in the log of the stage that failed, or of the application."""
    told = {
        stage.stage.value for stage in (ended_at(result.stages), telling(result.stages)) if stage
    }
    if result.verdict is not Verdict.FAILED:
        return None
    for finding in result.findings:
        if finding.stage in told and finding.level is Level.FAILURE:
            return _finding(finding)
    return None


def _checks(checks: Mapping[Check, CheckState]) -> tuple[tuple[str, str], ...]:
    return tuple((check.value, _STATES[state]) for check, state in checks.items())


def _snapshot(result: ValidationResult) -> str:
    if result.snapshot is None:
        return ""
    how = "used" if result.snapshot.hit else "not there yet"
    return f"{one_line(result.snapshot.key)} ({how})"


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _words(stage: Stage) -> str:
    return stage.value.replace("_", " ")
