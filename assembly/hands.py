"""Everything that a worker process runs."""

from __future__ import annotations

import base64
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from assembly.house import House
from bot.adapters.git.remote import Authorization
from bot.adapters.mongo.agent_runs import MongoTurns
from bot.adapters.notify import WebhookNotifier
from bot.cli.wiring import Workbench
from bot.domain.plan import Limits
from bot.domain.repositories import Repository
from bot.domain.webhooks import Own
from bot.log import get_logger
from bot.ports.clock import Clock
from bot.ports.handlers import Needs
from bot.ports.sandbox import SandboxUnavailable
from bot.services.agent_runs import AgentRunService
from bot.services.base_evaluations import BASE_EVALUATION
from bot.services.changes import Changes, unasked
from bot.services.check_runs import CheckRuns
from bot.services.configurations import Configurations
from bot.services.failure_prompts import FailurePrompts
from bot.services.merger import Merger
from bot.services.projects import ProjectService
from bot.services.prompts import Prompts
from bot.services.pull_requests import PullRequestService
from bot.services.replies import Replies
from bot.services.run_records import RunRecords
from bot.services.run_starter import RunStarter
from bot.services.status_comments import StatusComments
from bot.services.validation_requests import VALIDATION, ValidationRequests
from bot.work.apply import Hands
from bot.work.base_evaluation_job import BaseEvaluationJob
from bot.work.dispatch import Dispatcher
from bot.work.jobs import JobRunner, Work
from bot.work.repair import Repair
from bot.work.run_follower import RunFollower
from bot.work.validation_job import ValidationJob
from bot.work.worker import Worker
from handlers import ROUTES
from sandbox.engine import EngineGone
from sandbox.probe import BROWSER_MB

SANDBOX_PAUSE_SECONDS = 15.0

log = get_logger()

Tasks = tuple[Callable[[], Awaitable[None]], ...]
Bench = Callable[[Authorization], AbstractAsyncContextManager[Workbench]]
"""Makes a sandbox and a pipeline whose git is let in by this."""


def needs_of(it: House) -> Needs:
    """What handlers may read."""
    return Needs(
        it.github,
        it.projects,
        it.validations,
        it.jobs,
        it.runs,
        it.pull_requests,
        it.budget,
        it.agent,
        Configurations(it.github).of,
        it.clock,
        it.app_id,
        it.links.plain,
    )


def worker_of(it: House) -> tuple[Worker, CheckRuns]:
    """The hands at the inbox."""
    checks = CheckRuns(
        it.validations,
        it.pull_requests,
        it.github,
        it.renderer,
        it.links.to,
        it.clock,
        has_agent=it.agent is not None,
    )
    requests = ValidationRequests(it.validations, it.runs, it.projects, it.jobs, it.audit, it.clock)
    records = RunRecords(it.runs, it.audit, it.clock)
    failures = FailurePrompts(
        it.validations,
        it.pull_requests,
        it.artifacts,
        it.github,
        Configurations(it.github).of,
    )
    prompts = Prompts(it.github, it.renderer, failures)
    starter = RunStarter(records, it.agent, prompts, it.projects)
    runs = AgentRunService(records, starter, it.validations, it.projects)
    statuses = StatusComments(
        it.runs,
        it.conversations,
        it.validations,
        it.pull_requests,
        it.github,
        it.renderer,
        it.links.to,
        it.clock,
    )
    hands = Hands(
        requests,
        checks,
        it.bases,
        ProjectService(it.projects, it.audit, it.clock),
        Replies(it.github, it.validations, it.runs, it.renderer, it.links.to),
        runs,
        statuses,
        PullRequestService(
            it.pull_requests, it.projects, it.github, it.renderer, it.audit, it.clock
        ),
        Merger(it.pull_requests, it.github, it.clock),
        it.budget,
        WebhookNotifier(it.clock),
        it.inbox,
        it.clock,
    )
    dispatcher = Dispatcher(ROUTES, needs_of(it), it.inbox, hands.apply, it.audit)

    async def own() -> Own:
        return Own(it.app_id, await it.github.own_login())

    return Worker(it.inbox, dispatcher, own, owner(), it.clock), checks


def owner() -> str:
    """Whose leases these are: for people who look; the token is what counts."""
    return f"{socket.gethostname()}/{uuid.uuid4().hex[:12]}"


async def places_of(workbench: Workbench, most: int) -> int:
    """How many validations run here at a time: what the machine can bear, at least one."""
    limits = Limits()
    try:
        info = await workbench.info()
    except EngineGone:
        return 1
    by_cores = int(info.cpus / limits.cpus)
    by_memory = info.memory_bytes // ((limits.memory_mb + BROWSER_MB) * 1024**2)
    return max(1, min(most, by_cores, by_memory))


def let_in(it: House) -> Authorization:
    """Git's way into the repositories of our installations, by their clone addresses."""

    async def authorization(url: str) -> str | None:
        prefix = f"{it.settings.github_url}/"
        if not url.startswith(prefix):
            return None
        name = url.removeprefix(prefix).removesuffix("/").removesuffix(".git")
        project = await it.projects.named(name)
        if project is None:
            return None
        token = await it.github.clone_token(project.repository)
        return "Basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode()

    return authorization


@asynccontextmanager
async def hands(it: House, bench: Bench) -> AsyncIterator[Tasks]:
    """Everything that a worker process runs, until cancelled."""
    worker, checks = worker_of(it)
    configurations = Configurations(it.github)

    def clone_url(repository: Repository) -> str:
        return f"{it.settings.github_url}/{repository.full_name}.git"

    async with bench(let_in(it)) as workbench:
        job = ValidationJob(
            pipeline=workbench.pipeline,
            validations=it.validations,
            checks=checks,
            chunks=it.chunks,
            artifacts=it.artifacts,
            renderer=it.renderer,
            configuration=configurations.of,
            change=Changes(it.github).of if it.settings.gemini_api_key else unasked,
            bases=it.bases,
            clone_url=clone_url,
            details_url=it.links.to,
            maximum_timeout_minutes=it.settings.validation_timeout_minutes,
            clock=it.clock,
        )
        kinds: Mapping[str, Work] = {VALIDATION: Work(job.do, job.lost)}
        places = await places_of(workbench, it.settings.max_concurrent_validations)
        base_job = BaseEvaluationJob(
            pipeline=workbench.pipeline,
            bases=it.bases,
            jobs=it.jobs,
            projects=it.projects,
            configuration=configurations.of,
            clone_url=clone_url,
            audit=it.audit,
            maximum_timeout_minutes=it.settings.validation_timeout_minutes,
            clock=it.clock,
        )
        idle: Mapping[str, Work] = {BASE_EVALUATION: Work(base_job.do, base_job.lost)}
        runner = JobRunner(it.jobs, kinds, owner(), places, it.clock, idle)
        repair = Repair(
            it.github,
            it.inbox,
            it.jobs,
            runner,
            it.validations,
            it.runs,
            it.pull_requests,
            checks,
            it.forget,
            it.clock,
        )

        async def validate() -> None:
            await until_ready(workbench, it.clock)
            await runner.run()

        tasks: Tasks = (worker.run, validate, repair.run)
        if it.agent is not None:
            turns = MongoTurns(it.database, owner())
            tasks += (RunFollower(it.runs, it.agent, it.inbox, turns, it.clock).run,)
        yield tasks


async def until_ready(workbench: Workbench, clock: Clock) -> None:
    """Wait for boxes that are proven to be closed: nothing runs before. Jobs wait meanwhile."""
    while True:
        try:
            await workbench.sandbox.ready()
            await workbench.sandbox.sweep()
        except SandboxUnavailable as fault:
            log.warning("the sandbox is not ready", reason=str(fault))
            await clock.sleep(SANDBOX_PAUSE_SECONDS)
        else:
            return
