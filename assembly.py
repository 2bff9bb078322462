"""The bot, assembled: adapters, services, hands and doors introduced to one another."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import aiohttp
from aiohttp import web

from bot.adapters.clock import SystemClock
from bot.adapters.git.remote import Authorization
from bot.adapters.github.app import GitHubApp
from bot.adapters.github.examination import Examination
from bot.adapters.github.pacing import SharedPace
from bot.adapters.github.tokens import AppCredentials
from bot.adapters.mongo.artifacts import GridFSArtifacts
from bot.adapters.mongo.binary import find_mongod
from bot.adapters.mongo.database import Database, connect
from bot.adapters.mongo.embedded import EmbeddedMongo
from bot.adapters.mongo.inbox import MongoInbox
from bot.adapters.mongo.jobs import MongoJobs
from bot.adapters.mongo.records import (
    MongoAuditLog,
    MongoLogChunks,
    MongoProjects,
    MongoValidations,
)
from bot.cli.wiring import DemoBranch, Letters, Running, Workbench
from bot.domain.plan import Limits
from bot.domain.problems import TryAgain, UserProblem
from bot.domain.validation_records import ValidationRecord
from bot.domain.webhooks import Own
from bot.log import get_logger
from bot.ports.clock import Clock
from bot.ports.handlers import Configuration, Needs
from bot.ports.renderer import Renderer
from bot.ports.sandbox import Examined, SandboxUnavailable
from bot.services.check_runs import CheckRuns
from bot.services.configurations import Configurations
from bot.services.links import ReportLinks
from bot.services.projects import ProjectService
from bot.services.validation_requests import VALIDATION, ValidationRequests
from bot.settings import Settings
from bot.web.application import make_web
from bot.web.health import Health
from bot.web.metrics import Metrics
from bot.web.pages import ValidationPages
from bot.web.webhook import WebhookDoor
from bot.work.apply import Hands
from bot.work.dispatch import Dispatcher
from bot.work.jobs import JobRunner, Work
from bot.work.repair import Repair
from bot.work.validation_job import ValidationJob
from bot.work.worker import Worker
from demo.github.server import StandInGitHub
from demo.github.state import CheckRunState, RepositoryState
from demo.repository import MAIN, SampleBranch, SampleRepository, build_repository
from handlers import ROUTES
from sandbox.engine import EngineGone

SECRET_KEY_BYTES = 32
WEB_STOP_SECONDS = 10.0
SANDBOX_PAUSE_SECONDS = 15.0

log = get_logger()

Tasks = tuple[Callable[[], Awaitable[None]], ...]
Bench = Callable[[Authorization], AbstractAsyncContextManager[Workbench]]
"""Makes a sandbox and a pipeline whose git is let in by this."""


@dataclass(frozen=True)
class House:
    """What web and worker have in common, over one database."""

    settings: Settings
    clock: Clock
    database: Database
    inbox: MongoInbox
    jobs: MongoJobs
    projects: MongoProjects
    validations: MongoValidations
    audit: MongoAuditLog
    chunks: MongoLogChunks
    artifacts: GridFSArtifacts
    github: GitHubApp
    links: ReportLinks
    renderer: Renderer

    @property
    def app_id(self) -> int:
        """The App's number."""
        assert self.settings.github_app_id is not None
        return self.settings.github_app_id

    async def forget(self) -> None:
        """Remove what is past its time."""
        await self.inbox.forget()
        await self.artifacts.forget()


@asynccontextmanager
async def state(settings: Settings, clock: Clock) -> AsyncIterator[tuple[Database, str]]:
    """The database with its indexes, embedded where no address is set; and its address."""
    async with AsyncExitStack() as stack:
        uri = settings.mongodb_uri
        if not uri:
            uri = (await stack.enter_async_context(EmbeddedMongo(settings.home, clock))).uri
        database = await stack.enter_async_context(connect(uri, settings.mongodb_database, clock))
        await database.ensure_indexes()
        yield database, uri


@asynccontextmanager
async def house(
    settings: Settings, renderer: Renderer, clock: Clock | None = None
) -> AsyncIterator[House]:
    """Database and GitHub. Raises UserProblem for what is missing.

    ``clock`` is for all but GitHub, whose times are the world's.
    """
    if missing := settings.missing_for_serve():
        raise UserProblem("\ncodegenapp: ".join(missing))
    assert settings.github_app_id is not None
    system = SystemClock()
    clock = clock or system
    retention = timedelta(days=settings.retention_days)
    async with AsyncExitStack() as stack:
        database, uri = await stack.enter_async_context(state(settings, clock))
        pace = SharedPace(system, uri, settings.mongodb_database)
        stack.push_async_callback(pace.close)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        credentials = AppCredentials(settings.github_app_id, settings.github_private_key)
        github = GitHubApp(session, credentials, pace, system, settings.github_api_url)
        inbox = MongoInbox(database, retention)
        keys = settings.secret_keys or (kept_secret_key(settings.home),)
        public_url = settings.public_url or f"http://{settings.host}:{settings.port}"
        yield House(
            settings=settings,
            clock=clock,
            database=database,
            inbox=inbox,
            jobs=MongoJobs(database, inbox, retention),
            projects=MongoProjects(database),
            validations=MongoValidations(database),
            audit=MongoAuditLog(database, retention),
            chunks=MongoLogChunks(database),
            artifacts=GridFSArtifacts(database, retention),
            github=github,
            links=ReportLinks(public_url, keys, retention, clock),
            renderer=renderer,
        )


def kept_secret_key(home: Path) -> str:
    """The key of this home, made on first use."""
    path = home / "secret_key"
    with contextlib.suppress(FileExistsError):
        path.touch(mode=0o600, exist_ok=False)
        aside = path.with_suffix(f".{uuid.uuid4().hex}")
        aside.touch(mode=0o600)
        aside.write_text(secrets.token_urlsafe(SECRET_KEY_BYTES))
        aside.rename(path)
    return path.read_text()


# ── hands ────────────────────────────────────────────────────────────────────────────────────


def worker_of(it: House) -> tuple[Worker, CheckRuns]:
    """The hands at the inbox."""
    configurations = Configurations(it.github)
    checks = CheckRuns(it.validations, it.github, it.links.to, it.clock)
    needs = Needs(it.github, it.projects, it.validations, it.jobs, configurations.of, it.clock)
    requests = ValidationRequests(it.validations, it.projects, it.jobs, it.audit, it.clock)
    hands = Hands(
        requests, checks, ProjectService(it.projects, it.audit, it.clock), it.inbox, it.clock
    )
    dispatcher = Dispatcher(ROUTES, needs, it.inbox, hands.apply, it.audit)

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
    by_memory = info.memory_bytes // (limits.memory_mb * 1024**2)
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
async def hands(
    it: House, bench: Bench
) -> AsyncIterator[tuple[Callable[[], Awaitable[None]], ...]]:
    """Everything that a worker process runs, until cancelled."""
    worker, checks = worker_of(it)
    configurations = Configurations(it.github)

    async def configuration(record: ValidationRecord) -> Configuration:
        return await configurations.of(record.order.repository)

    def clone_url(record: ValidationRecord) -> str:
        return f"{it.settings.github_url}/{record.order.repository.full_name}.git"

    async with bench(let_in(it)) as workbench:
        job = ValidationJob(
            pipeline=workbench.pipeline,
            validations=it.validations,
            checks=checks,
            chunks=it.chunks,
            artifacts=it.artifacts,
            renderer=it.renderer,
            configuration=configuration,
            clone_url=clone_url,
            details_url=it.links.to,
            maximum_timeout_minutes=it.settings.validation_timeout_minutes,
            clock=it.clock,
        )
        kinds: Mapping[str, Work] = {VALIDATION: Work(job.do, job.lost)}
        places = await places_of(workbench, it.settings.max_concurrent_validations)
        runner = JobRunner(it.jobs, kinds, owner(), places, it.clock)
        repair = Repair(
            it.github, it.inbox, it.jobs, runner, it.validations, checks, it.forget, it.clock
        )

        async def validate() -> None:
            await until_ready(workbench, it.clock)
            await runner.run()

        yield worker.run, validate, repair.run


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


# ── doors ────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def doors(it: House) -> AsyncIterator[str]:
    """The web server; gives its address."""
    metrics = Metrics()

    async def github() -> None:
        await it.github.own_login()

    door = WebhookDoor([it.settings.github_webhook_secret], it.app_id, it.inbox, it.clock, metrics)
    health = Health({"mongodb": it.database.ping, "github": github}, it.inbox, metrics)
    pages = ValidationPages(it.validations, it.artifacts, it.chunks, it.links, it.renderer)
    runner = web.AppRunner(
        make_web(door, health, pages), access_log=None, shutdown_timeout=WEB_STOP_SECONDS
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, it.settings.host, it.settings.port, reuse_port=True)
        try:
            await site.start()
        except OSError as fault:
            raise UserProblem(
                f"Nothing can listen on {it.settings.host}:{it.settings.port}: {fault.strerror}.",
                "Set HOST and PORT to an address of this machine that is free.",
            ) from None
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serving(
    settings: Settings, renderer: Renderer, bench: Bench, role: str
) -> AsyncIterator[Running]:
    """The bot in a role (``web``, ``worker`` or ``all``): its address, and what it runs."""
    async with AsyncExitStack() as stack:
        it = await stack.enter_async_context(house(settings, renderer))
        url = await stack.enter_async_context(doors(it)) if role in ("web", "all") else ""
        tasks: Tasks = ()
        if role in ("worker", "all"):
            tasks = await stack.enter_async_context(hands(it, bench))
        yield Running(url, tasks)


@asynccontextmanager
async def letters(settings: Settings, renderer: Renderer) -> AsyncIterator[Letters]:
    """The inbox, for people."""
    async with house(settings, renderer) as it:
        worker, _ = worker_of(it)
        yield Letters(it.inbox, worker.rehearse)


async def examined(settings: Settings) -> AsyncIterator[Examined]:
    """What ``doctor`` shows of the service: its database and its App."""
    clock = SystemClock()
    yield await _database_examined(settings, clock)
    missing = settings.missing_for_serve()
    if settings.github_app_id is None and not settings.github_private_key:
        detail = "not set up (`validate` and `demo` need none; `serve` does)"
        yield Examined("GitHub App", ok=True, detail=detail)
        return
    for fault in missing:
        name, _, meaning = fault.partition(": ")
        yield Examined(name, ok=False, detail="", mend=f"Set it: {meaning}.")
    if settings.github_app_id is None or not settings.github_private_key:
        return
    credentials = AppCredentials(settings.github_app_id, settings.github_private_key)
    door = f"{settings.public_url}/webhooks/github" if settings.public_url else ""
    async with aiohttp.ClientSession() as session:
        look = Examination(session, credentials, clock, settings.github_api_url, door)
        async for it in look.run():
            yield it


async def _database_examined(settings: Settings, clock: Clock) -> Examined:
    if not settings.mongodb_uri:
        try:
            program = find_mongod(settings.home)
        except UserProblem as problem:
            return Examined("MongoDB", ok=False, detail=problem.message, mend=problem.mend)
        return Examined("MongoDB", ok=True, detail=f"embedded, {program.name} on demand")
    try:
        async with connect(settings.mongodb_uri, settings.mongodb_database, clock) as database:
            await database.ping()
            await database.ensure_indexes()
    except (TryAgain, UserProblem) as fault:
        mend = "Is MONGODB_URI right, and is it a replica set (one member will do)?"
        return Examined("MongoDB", ok=False, detail=str(fault)[:300], mend=mend)
    return Examined(
        "MongoDB", ok=True, detail=f"database {settings.mongodb_database}, indexes made"
    )


# ── the demo ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Demonstration:
    """The stand-in GitHub with the sample's repository, and the bot at work on it."""

    github: StandInGitHub
    repository: RepositoryState
    sample: SampleRepository
    session: aiohttp.ClientSession

    @property
    def path(self) -> Path:
        """Where the sample's git repository is."""
        return self.sample.path

    @property
    def branches(self) -> tuple[SampleBranch, ...]:
        """The branches to open pull requests of."""
        return tuple(it for it in self.sample.branches if it.name != MAIN)

    async def open_pull_request(self, branch: DemoBranch) -> int:
        """Open a pull request; gives what the door answered to its webhook."""
        author = self.github.state.user("alice")
        pull = await self.github.open_pull_request(
            self.repository, branch.name, author=author, title=branch.title, silent=True
        )
        delivery = await self.github.tell_of(self.repository, pull, "opened", author)
        return delivery.status_code

    def checks(self, sha: str) -> list[CheckRunState]:
        """The check runs of a commit."""
        return self.github.state.runs_of(self.repository.id, sha)

    async def page(self, url: str) -> str:
        """What the bot shows at an address of its own."""
        async with self.session.get(url, raise_for_status=True) as response:
            return await response.text()


@asynccontextmanager
async def demonstrated(
    settings: Settings, renderer: Renderer, bench: Bench, folder: Path
) -> AsyncIterator[Demonstration]:
    """The bot at work on a GitHub of one's own, with a database that is gone afterwards."""
    async with AsyncExitStack() as stack:
        github = await stack.enter_async_context(StandInGitHub())
        sample = await build_repository(folder)
        repository = github.add_repository(github.install("octo"), "shop", sample.path / ".git")
        repository.permissions["alice"] = "write"
        port = free_port()
        settings = replace(
            settings,
            github_app_id=github.state.app_id,
            github_private_key=github.private_key,
            github_webhook_secret=github.secret,
            github_api_url=github.url,
            github_url=github.url,
            mongodb_uri="",
            mongodb_database=f"codegenapp_demo_{uuid.uuid4().hex[:12]}",
            host="127.0.0.1",
            port=port,
            public_url="",
        )
        it = await stack.enter_async_context(house(settings, renderer))
        stack.push_async_callback(it.database.client.drop_database, settings.mongodb_database)
        url = await stack.enter_async_context(doors(it))
        github.hook_url = f"{url}/webhooks/github"
        tasks = await stack.enter_async_context(hands(it, bench))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        await stack.enter_async_context(at_work(tasks))
        yield Demonstration(github, repository, sample, session)


def free_port() -> int:
    """A port of this machine that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def at_work(tasks: Tasks) -> AsyncIterator[None]:
    """Run everything while the block lasts."""
    running = [asyncio.ensure_future(task()) for task in tasks]
    try:
        yield
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
