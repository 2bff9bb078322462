"""The long work of one validation: the pipeline, its output and progress, its report."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from bot.domain.base_evaluations import NOT_YET
from bot.domain.changes import ChangeContext
from bot.domain.events import ValidationEnded
from bot.domain.excerpts import excerpts
from bot.domain.ids import derived
from bot.domain.plan import Stage, StageAttachment, StageEvent, StageOutput, StageStarted
from bot.domain.problems import TryAgain
from bot.domain.repositories import Repository
from bot.domain.source import Origin
from bot.domain.validation_records import ValidationRecord
from bot.domain.validations import (
    AttachmentReference,
    FailureClass,
    ValidationResult,
    ValidationStatus,
    Verdict,
)
from bot.domain.web import WebBase
from bot.log import get_logger
from bot.ports.artifacts import Artifacts
from bot.ports.clock import Clock
from bot.ports.github import GitHubProblem
from bot.ports.handlers import Configuration
from bot.ports.jobs import Job
from bot.ports.records import LogChunks, Validations
from bot.ports.renderer import Renderer
from bot.services.base_evaluations import BaseEvaluations
from bot.services.check_runs import CheckRuns
from bot.services.validation_course import ValidationRequest
from bot.services.validation_pipeline import ValidationPipeline
from bot.work.apply import item_of
from bot.work.jobs import JobEnd
from bot.work.log_writer import LogWriter

PROGRESS_SECONDS = 3.0
"""Between two updates of a check run that is in progress."""
LOST = "the worker that ran it was lost"

_STATUSES: Final[Mapping[Stage, ValidationStatus]] = {
    Stage.RETRIEVE: ValidationStatus.RETRIEVING,
    Stage.INSTALL: ValidationStatus.PREPARING,
}

log = get_logger()


@dataclass(frozen=True)
class ValidationJob:
    """What the work needs. ``clone_url`` gives a repository's address."""

    pipeline: ValidationPipeline
    validations: Validations
    checks: CheckRuns
    chunks: LogChunks
    artifacts: Artifacts
    renderer: Renderer
    configuration: Callable[[Repository], Awaitable[Configuration]]
    change: Callable[[ValidationRecord], Awaitable[ChangeContext]]
    bases: BaseEvaluations
    clone_url: Callable[[Repository], str]
    details_url: Callable[[ValidationRecord], str]
    maximum_timeout_minutes: int
    clock: Clock

    async def do(self, job: Job) -> JobEnd:
        """Validate; whatever happens is in the end's result. Cancelled, it returns soon."""
        record = await self.validations.get(job.subject)
        if record is None or record.ended or record.job_id != job.id:
            return self._end(job, record, cancelled("nobody wants it any more"))
        try:
            return self._end(job, record, await self._outcome(record, job))
        except asyncio.CancelledError:
            return self._end(job, record, cancelled("cancelled while it ran"))
        except (TryAgain, GitHubProblem) as fault:
            return self._end(job, record, ours(fault.message))
        except Exception as bug:
            log.exception("a validation failed", validation=record.id)
            return self._end(job, record, ours(f"a fault of this service: {type(bug).__name__}"))

    async def lost(self, job: Job) -> JobEnd:
        """The end of a job whose worker was lost."""
        return self._end(job, await self.validations.get(job.subject), ours(LOST))

    async def _outcome(self, record: ValidationRecord, job: Job) -> dict[str, Any]:
        await self.chunks.forget(job.id)  # of a process that handed the job back
        progress = Progress(record, job, self)
        try:
            result = await self._validate(record, job, progress)
        finally:
            await progress.close()
        kept = tuple(progress.kept.get(it.name, it) for it in result.attachments)
        return await self._found(record, job, replace(result, attachments=kept))

    async def _validate(
        self, record: ValidationRecord, job: Job, progress: Progress
    ) -> ValidationResult:
        order = record.order
        url = self.clone_url(order.repository)
        request = ValidationRequest(
            origin=Origin(url, order.head_sha, alone=not order.trusted),
            scope=f"{order.repository.id}{'' if order.trusted else '-untrusted'}",
            trusted=order.trusted,
            maximum_timeout_minutes=self.maximum_timeout_minutes,
            config=(await self.configuration(order.repository)).parsed,
            base_sha=order.base_sha,
            change=await self.change(record),
            web_base=await self._base(record),
            environment_id=job.id,
        )
        return await self.pipeline.trigger_validation(request, progress.take)

    async def _base(self, record: ValidationRecord) -> WebBase | None:
        sha = record.order.base_sha
        return await self.bases.of(record.order.repository.id, sha) if sha else None

    async def _found(
        self, record: ValidationRecord, job: Job, result: ValidationResult
    ) -> dict[str, Any]:
        """What the record is to hold; the report and the log become artifacts."""
        url = self.details_url(record)
        page = self.renderer.report_html(
            result, log_url=f"{record.id}/log", artifacts_at=f"{record.id}/artifacts"
        )
        report = await self.artifacts.put("report.html", "text/html", _pieces(page))
        output = await self.artifacts.put("log.txt", "text/plain", self._log(job))
        await self.chunks.forget(job.id)
        return {
            "verdict": result.verdict,
            "class": result.failure_class,
            "title": result.title,
            "reason": result.reason,
            "missed_base": any(
                it.comparison is not None and it.comparison.reason == NOT_YET
                for it in result.stages
            ),
            "passing": result.verdict is Verdict.ERROR
            and result.failure_class is FailureClass.INFRASTRUCTURE,
            "result": result.to_json(excerpts(result)),
            "summary": self.renderer.check_summary(result, url),
            "detail": self.renderer.check_detail(result, url),
            "report_id": report.id,
            "log_id": output.id,
            "environment_id": result.environment_id or None,
        }

    async def _log(self, job: Job) -> AsyncIterator[bytes]:
        stage = ""
        async for chunk in self.chunks.of_job(job.id):
            if chunk.stage != stage:
                stage = chunk.stage
                yield f"\n──── {stage} ────\n".encode()
            yield chunk.text.encode()

    def _end(self, job: Job, record: ValidationRecord | None, result: dict[str, Any]) -> JobEnd:
        unknown = Repository(job.repository_id, "", "", 0)
        event = ValidationEnded(
            repository=record.order.repository if record else unknown,
            number=record.order.number if record else None,
            validation_id=job.subject,
            job_id=job.id,
        )
        return JobEnd(result, item_of(event, derived(job.id, "ended"), self.clock))


def ours(reason: str) -> dict[str, Any]:
    """The result of a job that came to nothing by no fault of the change."""
    return {
        "verdict": Verdict.ERROR,
        "class": FailureClass.INFRASTRUCTURE,
        "title": f"Could not run: {reason}",
        "reason": reason,
        "passing": True,
    }


def cancelled(reason: str) -> dict[str, Any]:
    """The result of a job that was told to stop."""
    return {"verdict": Verdict.CANCELLED, "title": "Cancelled", "reason": reason}


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _pieces(text: str) -> AsyncIterator[bytes]:
    yield text.encode()


class Progress:
    """Tells of a running validation: its stage in the record and the check run, its output."""

    def __init__(self, record: ValidationRecord, job: Job, work: ValidationJob) -> None:
        self._record = record
        self._work = work
        self._writer = LogWriter(work.chunks, record.id, job.id, work.clock)
        self._telling: asyncio.Task[None] | None = None
        self._wanted: Stage | None = None
        self._begun = False
        self.kept: dict[str, AttachmentReference] = {}

    async def take(self, event: StageEvent) -> None:
        """Take one event of the pipeline."""
        if isinstance(event, StageOutput):
            await self._writer.take(event)
        elif isinstance(event, StageAttachment):
            await self._keep(event)
        elif isinstance(event, StageStarted):
            self._wanted = event.stage
            if self._telling is None or self._telling.done():
                self._telling = asyncio.create_task(self._tell())

    async def _keep(self, it: StageAttachment) -> None:
        """Keep a file; one that can't be kept is told by its name alone."""
        try:
            kept = await self._work.artifacts.put(it.name, it.media_type, _whole(it.content))
        except TryAgain as fault:
            log.info("a file was not kept", reason=fault.message)
            return
        self.kept[it.name] = AttachmentReference(
            it.stage.value, it.name, it.media_type, kept.size, kept.id
        )

    async def close(self) -> None:
        """Write what is left; nothing is told afterwards."""
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)
        await self._writer.close()

    async def _tell(self) -> None:
        """Bring record and check run to the stage, then pause; the newest stage wins."""
        told: Stage | None = None
        while self._wanted is not None and self._wanted is not told:
            told = self._wanted
            changes: dict[str, Any] = {
                "stage": told,
                "status": _STATUSES.get(told, ValidationStatus.RUNNING),
            }
            if not self._begun and self._record.started_at is None:
                changes["started_at"] = self._work.clock.now()
            self._begun = True
            try:
                await self._work.validations.change(self._record.id, changes)
                await self._work.checks.refresh(self._record.id)
            except (TryAgain, GitHubProblem) as fault:
                log.info("progress was not told", reason=fault.message)
            await self._work.clock.sleep(PROGRESS_SECONDS)
