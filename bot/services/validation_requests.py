"""``ValidationRequests``: from wanting a commit validated to its job, and to its end.

Every verb is "make it so": done twice it is the same as once. It alone writes validations'
records, but for what a running job says of its progress.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.domain.effects import (
    CancelValidation,
    ConcludeValidation,
    DeclineValidation,
    LeavePullRequest,
    RecordValidation,
    StartValidation,
    ValidationOrder,
)
from bot.domain.problems import AssumptionFailed
from bot.domain.validation_records import ValidationRecord
from bot.domain.validations import FailureClass, ValidationStatus, Verdict
from bot.ports.clock import Clock
from bot.ports.jobs import Job, Jobs
from bot.ports.records import AgentRuns, AuditEvent, AuditLog, Projects, Validations
from bot.services.validation_outcome import FINAL_STATUS

VALIDATION = "validation"
"""The kind of job."""


class ValidationRequests:
    """See the module."""

    def __init__(
        self,
        validations: Validations,
        runs: AgentRuns,
        projects: Projects,
        jobs: Jobs,
        audit: AuditLog,
        clock: Clock,
    ) -> None:
        self._validations = validations
        self._runs = runs
        self._projects = projects
        self._jobs = jobs
        self._audit = audit
        self._clock = clock

    async def record(self, effect: RecordValidation) -> str:
        """Keep a record in state ``requested``.

        Raises AssumptionFailed where another one has its commit and attempt already.
        """
        order = effect.order
        project = await self._projects.of_repository(order.repository.id)
        run = await self._run_of(order)
        numbers = frozenset() if order.number is None else frozenset({order.number})
        wanted = ValidationRecord(
            effect.validation_id,
            order,
            self._clock.now(),
            project_id=project.id if project else None,
            agent_run_id=run,
            pull_requests=numbers,
        )
        kept = await self._validations.add(wanted)
        if kept.id != effect.validation_id:
            raise AssumptionFailed(f"{order.head_sha[:12]} has a validation already")
        if kept.version == 0:
            await self._tell(kept, "validation.requested", {"head_sha": order.head_sha})
        return kept.status.value

    async def start(self, effect: StartValidation) -> str:
        """Queue a job for a record that has not ended; the newest job is the record's."""
        record = await self._existing(effect.validation_id)
        if record.ended:
            return f"it has ended: {record.status}"
        if record.job_id != effect.job_id:
            changes = {
                "job_id": effect.job_id,
                "tries": record.tries + 1,
                "status": ValidationStatus.REQUESTED,
                "stage": None,
                "not_before": effect.not_before,
            }
            await self._validations.change(record.id, changes)
        await self._jobs.add(
            Job(
                id=effect.job_id,
                kind=VALIDATION,
                subject=record.id,
                lane=record.order.lane,
                repository_id=record.order.repository.id,
                created_at=self._clock.now(),
                not_before=effect.not_before,
            )
        )
        fresh = await self._existing(effect.validation_id)
        if fresh.ended:  # cancelled since we looked: nobody else knows of this job
            await self._jobs.cancel(effect.job_id, fresh.reason)
        return "queued"

    async def decline(self, effect: DeclineValidation) -> str:
        """Conclude without running anything."""
        untrusted = effect.failure_class is FailureClass.UNTRUSTED_FORK
        return await self._end(
            effect.validation_id,
            {
                "status": ValidationStatus.COMPLETED,
                "verdict": Verdict.NEUTRAL,
                "failure_class": effect.failure_class,
                "title": f"{'Waits for trust' if untrusted else 'Not run'}: {effect.reason}",
                "reason": effect.reason,
            },
        )

    async def cancel(self, effect: CancelValidation) -> str:
        """End a record as cancelled, and its job with it."""
        return await self._cancel(effect.validation_id, effect.reason)

    async def leave(self, effect: LeavePullRequest) -> str:
        """Take a pull request from a record; the last one to leave has it cancelled."""
        left = await self._validations.leave(effect.validation_id, effect.number)
        if left is None:
            return "no such validation"
        if left.pull_requests:
            return "another pull request still wants it"
        return await self._cancel(effect.validation_id, effect.reason)

    async def conclude(self, effect: ConcludeValidation) -> str:
        """Write what the job found into the record."""
        job = await self._jobs.get(effect.job_id)
        found: Mapping[str, Any] = (job.result if job else None) or {}
        verdict = Verdict(found.get("verdict", Verdict.ERROR))
        failure_class = found.get("class")
        return await self._end(
            effect.validation_id,
            {
                "status": FINAL_STATUS[verdict],
                "verdict": verdict,
                "failure_class": FailureClass(failure_class) if failure_class else None,
                "title": found.get("title", ""),
                "reason": found.get("reason", ""),
                "result": found.get("result"),
                "summary": found.get("summary", ""),
                "detail": found.get("detail", ""),
                "report_id": found.get("report_id"),
                "log_id": found.get("log_id"),
                "environment_id": found.get("environment_id"),
            },
        )

    async def _run_of(self, order: ValidationOrder) -> str | None:
        """The agent run that brought its pull request, the newest one."""
        if order.number is None:
            return None
        runs = await self._runs.of_issue(order.repository.id, order.number)
        return next((it.id for it in runs if it.brought == order.number), None)

    async def _cancel(self, validation_id: str, reason: str) -> str:
        said = await self._end(
            validation_id,
            {
                "status": ValidationStatus.CANCELLED,
                "verdict": Verdict.CANCELLED,
                "title": f"Cancelled: {reason}",
                "reason": reason,
            },
        )
        record = await self._validations.get(validation_id)
        if record is not None and record.job_id is not None:
            await self._jobs.cancel(record.job_id, reason)
        return said

    async def _end(self, validation_id: str, changes: Mapping[str, Any]) -> str:
        ended = await self._validations.change(
            validation_id, {**changes, "completed_at": self._clock.now(), "stage": None}
        )
        if ended is None:
            return "it had ended before"
        told = {"verdict": ended.verdict, "title": ended.title, "head_sha": ended.order.head_sha}
        await self._tell(ended, "validation.completed", told)
        return f"{ended.status}: {ended.title}"

    async def _existing(self, validation_id: str) -> ValidationRecord:
        record = await self._validations.get(validation_id)
        if record is None:
            raise AssumptionFailed(f"there is no validation {validation_id}")
        return record

    async def _tell(self, record: ValidationRecord, kind: str, data: Mapping[str, Any]) -> None:
        event = AuditEvent(kind, self._clock.now(), record.project_id, record.id, data)
        await self._audit.write([event])
