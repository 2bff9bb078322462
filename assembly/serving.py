"""The commands of the service: `serve`, `replay`, and what `doctor` looks at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp

from assembly.doors import doors
from assembly.hands import Bench, Tasks, hands, needs_of, worker_of
from assembly.house import coding_agent, house
from bot.adapters.clock import SystemClock
from bot.adapters.github.examination import Examination
from bot.adapters.github.tokens import AppCredentials
from bot.adapters.mongo.binary import find_mongod
from bot.adapters.mongo.database import connect
from bot.cli.wiring import Letters, Running
from bot.domain.merging import Explanation
from bot.domain.problems import TryAgain, UserProblem
from bot.ports.clock import Clock
from bot.ports.coding_agent import AgentProblem
from bot.ports.github import GitHubProblem, NotFound
from bot.ports.records import Unreadable
from bot.ports.renderer import Renderer
from bot.ports.sandbox import Examined
from bot.settings import Settings
from handlers.merging import explained


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


async def explaining(settings: Settings, renderer: Renderer, name: str, number: int) -> Explanation:
    """Why a pull request is not merged. Raises UserProblem for what can't be told."""
    async with house(settings, renderer) as it:
        project = await it.projects.named(name)
        if project is None:
            raise UserProblem(
                f"{name} is no repository that this App was heard of in.",
                "Is the App installed there, and did `serve` run since?",
            )
        try:
            return await explained(project.repository, number, needs_of(it))
        except NotFound:
            raise UserProblem(
                f"{name} has no pull request #{number} that this App may see."
            ) from None
        except (GitHubProblem, TryAgain, Unreadable) as fault:
            raise UserProblem(f"Why #{number} is not merged can't be told: {fault}.") from fault


async def examined(settings: Settings) -> AsyncIterator[Examined]:
    """What ``doctor`` shows of the service: its database and its App."""
    clock = SystemClock()
    yield await _database_examined(settings, clock)
    yield await _agent_examined(settings, clock)
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


async def _agent_examined(settings: Settings, clock: Clock) -> Examined:
    name, number = "coding agent", settings.codegen_org_id
    if number is None and not settings.codegen_api_token:
        return Examined(name, ok=True, detail="not set up: `/codegen GOAL…` says so")
    async with coding_agent(settings, clock, "") as agent:
        if agent is None:
            detail = "half set up"
            mend = "Set both CODEGEN_ORG_ID and CODEGEN_API_TOKEN, or neither."
            return Examined(name, ok=False, detail=detail, mend=mend)
        try:
            await agent.page(0)
        except AgentProblem as problem:
            mend = "CODEGEN_API_TOKEN must be a token of the organisation CODEGEN_ORG_ID."
            return Examined(name, ok=False, detail=str(problem), mend=mend)
        except TryAgain as fault:
            mend = f"Can this machine reach CODEGEN_API_URL ({settings.codegen_api_url})?"
            return Examined(name, ok=False, detail=fault.message, mend=mend)
    return Examined(name, ok=True, detail=f"organisation {number} of {settings.codegen_api_url}")


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
