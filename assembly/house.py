"""What web and worker have in common: database, GitHub, records, links."""

from __future__ import annotations

import contextlib
import secrets
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aiohttp

from bot.adapters.clock import SystemClock
from bot.adapters.codegen import CodegenAgent, Paces
from bot.adapters.github.app import GitHubApp
from bot.adapters.github.tokens import AppCredentials
from bot.adapters.mongo.agent_runs import MongoAgentRuns, MongoConversations
from bot.adapters.mongo.artifacts import GridFSArtifacts
from bot.adapters.mongo.bases import MongoEvaluatedBases
from bot.adapters.mongo.budgets import MongoAgentBudget
from bot.adapters.mongo.database import Database, connect
from bot.adapters.mongo.embedded import EmbeddedMongo
from bot.adapters.mongo.inbox import MongoInbox
from bot.adapters.mongo.jobs import MongoJobs
from bot.adapters.mongo.pull_requests import MongoPullRequests
from bot.adapters.mongo.records import (
    MongoAuditLog,
    MongoLogChunks,
    MongoProjects,
    MongoValidations,
)
from bot.adapters.pacing import (
    AGENT_CREATIONS,
    AGENT_LOGS,
    AGENT_READS,
    SharedPace,
    Windows,
)
from bot.domain.problems import UserProblem
from bot.ports.clock import Clock
from bot.ports.renderer import Renderer
from bot.services.base_evaluations import BaseEvaluations
from bot.services.links import ReportLinks
from bot.settings import Settings

SECRET_KEY_BYTES = 32


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
    runs: MongoAgentRuns
    pull_requests: MongoPullRequests
    budget: MongoAgentBudget
    conversations: MongoConversations
    audit: MongoAuditLog
    chunks: MongoLogChunks
    artifacts: GridFSArtifacts
    bases: BaseEvaluations
    github: GitHubApp
    agent: CodegenAgent | None
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
        agent = await stack.enter_async_context(coding_agent(settings, system, uri))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        credentials = AppCredentials(settings.github_app_id, settings.github_private_key)
        github = GitHubApp(
            session, credentials, pace, system, settings.github_api_url, settings.github_url
        )
        inbox = MongoInbox(database, retention)
        keys = settings.secret_keys or (kept_secret_key(settings.home),)
        public_url = settings.public_url or f"http://{settings.host}:{settings.port}"
        jobs = MongoJobs(database, inbox, retention)
        most_bytes = int(settings.artifacts_max_gb * 1024**3)
        artifacts = GridFSArtifacts(database, retention, most_bytes)
        evaluated = MongoEvaluatedBases(database, retention)
        yield House(
            settings=settings,
            clock=clock,
            database=database,
            inbox=inbox,
            jobs=jobs,
            projects=MongoProjects(database),
            validations=MongoValidations(database),
            runs=MongoAgentRuns(database),
            pull_requests=MongoPullRequests(database),
            budget=MongoAgentBudget(database),
            conversations=MongoConversations(database),
            audit=MongoAuditLog(database, retention),
            chunks=MongoLogChunks(database),
            artifacts=artifacts,
            bases=BaseEvaluations(evaluated, artifacts, jobs, clock),
            github=github,
            agent=agent,
            links=ReportLinks(public_url, keys, retention, clock),
            renderer=renderer,
        )


@asynccontextmanager
async def coding_agent(
    settings: Settings, clock: Clock, mongodb_uri: str
) -> AsyncIterator[CodegenAgent | None]:
    """The coding agent, its limits shared through the database; None where none is set up."""
    organization, database = settings.codegen_org_id, settings.mongodb_database
    if organization is None or not settings.codegen_api_token:
        yield None
        return
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())

        def pace(windows: Windows, what: str) -> SharedPace:
            said = f"the coding agent's limit for {what} is reached"
            made = SharedPace(clock, mongodb_uri, database, windows=windows, said=said)
            stack.push_async_callback(made.close)
            return made

        paces = Paces(
            create=pace(AGENT_CREATIONS, "new runs"),
            read=pace(AGENT_READS, "reads"),
            log=pace(AGENT_LOGS, "reads of logs"),
        )
        token, url = settings.codegen_api_token, settings.codegen_api_url
        yield CodegenAgent(session, paces, url, organization, token)


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
