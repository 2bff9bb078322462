"""The bot at work on a GitHub of one's own: what `demo` plays."""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from assembly.doors import doors
from assembly.hands import Bench, Tasks, hands
from assembly.house import house
from bot.cli.wiring import DemoBranch
from bot.ports.renderer import Renderer
from bot.settings import Settings
from demo.github.server import StandInGitHub
from demo.github.state import CheckRunState, RepositoryState
from demo.repository import MAIN, SampleBranch, SampleRepository, build_repository


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
