"""The long work of evaluating a commit that changes are held against, when nothing else waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.plan import StageAttachment, StageEvent
from bot.domain.problems import TryAgain
from bot.domain.projects import Project, ProjectStatus
from bot.domain.repositories import Repository
from bot.domain.source import Origin
from bot.domain.validations import Verdict
from bot.log import get_logger
from bot.ports.clock import Clock
from bot.ports.github import GitHubProblem
from bot.ports.handlers import Configuration
from bot.ports.jobs import Job, Jobs
from bot.ports.records import AuditEvent, AuditLog, Projects
from bot.services.base_evaluations import EVALUATED, MOVED_ON, PUSHED, BaseEvaluations
from bot.services.validation_course import ValidationRequest
from bot.services.validation_pipeline import ValidationPipeline
from bot.work.jobs import JobEnd

INTERRUPTED = "cancelled while it ran"

log = get_logger()


@dataclass(frozen=True)
class BaseEvaluationJob:
    """What the work needs. ``clone_url`` gives a repository's address."""

    pipeline: ValidationPipeline
    bases: BaseEvaluations
    jobs: Jobs
    projects: Projects
    configuration: Callable[[Repository], Awaitable[Configuration]]
    clone_url: Callable[[Repository], str]
    audit: AuditLog
    maximum_timeout_minutes: int
    clock: Clock

    async def do(self, job: Job) -> JobEnd:
        """Evaluate; whatever happens is in the end's result. Cancelled, it returns soon."""
        project = await self.projects.of_repository(job.repository_id)
        if project is None or project.status is not ProjectStatus.ACTIVE:
            return _end("the App is no longer active in this repository")
        if await self.bases.knows(job.repository_id, job.subject):
            return _end(EVALUATED)  # this very job had done it, and could not say so
        if job.lane.endswith(PUSHED) and await self.jobs.has_younger(job):
            return _end(MOVED_ON)
        try:
            said = await self._evaluate(project, job)
        except asyncio.CancelledError:
            return _end(INTERRUPTED)
        except (TryAgain, GitHubProblem) as fault:
            said = fault.message
        except Exception as bug:
            log.exception("an evaluation of a base failed", sha=job.subject)
            said = f"a fault of this service: {type(bug).__name__}"
        if said == INTERRUPTED:
            return _end(said)  # it will be begun anew
        data: Mapping[str, Any] = {"sha": job.subject, "outcome": said}
        event = AuditEvent("base.evaluated", self.clock.now(), project.id, job.id, data)
        await self.audit.write([event])
        return _end(said)

    async def lost(self, job: Job) -> JobEnd:
        """The end of a job whose worker was lost."""
        del job
        return _end("the worker that ran it was lost")

    async def _evaluate(self, project: Project, job: Job) -> str:
        files: dict[str, StageAttachment] = {}

        async def take(event: StageEvent) -> None:
            if isinstance(event, StageAttachment):
                files[event.name] = event

        repository = project.repository
        request = ValidationRequest(
            origin=Origin(self.clone_url(repository), job.subject),
            scope=str(repository.id),
            maximum_timeout_minutes=self.maximum_timeout_minutes,
            config=(await self.configuration(repository)).parsed,
            for_the_browser=True,
            environment_id=job.id,
        )
        result = await self.pipeline.trigger_validation(request, take)
        if result.verdict is Verdict.CANCELLED:
            return INTERRUPTED
        return await self.bases.keep(repository.id, result, files)


def _end(said: str) -> JobEnd:
    return JobEnd({"outcome": said})
