"""The commands of the service: `serve`, `replay`, and what `doctor` looks at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp

from assembly.doors import doors
from assembly.hands import Bench, Tasks, hands, worker_of
from assembly.house import house
from bot.adapters.clock import SystemClock
from bot.adapters.github.examination import Examination
from bot.adapters.github.tokens import AppCredentials
from bot.adapters.mongo.binary import find_mongod
from bot.adapters.mongo.database import connect
from bot.cli.wiring import Letters, Running
from bot.domain.problems import TryAgain, UserProblem
from bot.ports.clock import Clock
from bot.ports.renderer import Renderer
from bot.ports.sandbox import Examined
from bot.settings import Settings


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
