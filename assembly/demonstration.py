"""The bot at work on a GitHub of one's own, with a coding agent: what `demo` plays."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp

from assembly.doors import doors
from assembly.hands import Bench, Tasks, hands
from assembly.house import House, house
from bot.cli.demo_stage import DemoBranch
from bot.ports.renderer import Renderer
from bot.settings import Settings
from demo.codegen.agent import ScriptedAgent, by_prompt
from demo.codegen.checkout import Change
from demo.codegen.server import ORGANIZATION, TOKEN, AgentRunState, StandInCodegen
from demo.gemini.explorers import either, filling
from demo.gemini.scripts import sensible
from demo.gemini.server import KEY, MODEL, StandInGemini
from demo.github.commenting import add_comment
from demo.github.pushes import ZEROS, Push
from demo.github.server import Exchange, StandInGitHub
from demo.github.state import CheckRunState, CommentState, PullRequestState, RepositoryState
from demo.repository import MERGES, SampleBranch, SampleRepository, build_repository

AGENT = "codegen-sh[bot]"
AGENT_PAUSE_SECONDS = 0.8
"""Between two steps of the agent, so that one can follow it."""
CHANGE = Change(
    "Say how many of each",
    patch=("add-quantities", "broken-in-browser"),
    body="Each line has a number, and the tab's title says what is left.\n\nCloses #1",
)
"""What the agent brings first: everything passes but the browser, which meets an exception."""
MEND = Change("Find the summary by its name", patch="mend-title", at="2026-01-06T09:30:00+00:00")
"""What it pushes when it is sent that failure."""
EXPLORER = filling((("What do you need", "Milk"), ("Price", "1.20")), "Add", "Milk")
"""Tries the task of the sample's configuration."""
PATIENCE_SECONDS = 180.0
LOOK_SECONDS = 0.1
BROKEN = ("typo-in-total",)


@dataclass(frozen=True)
class Demonstration:
    """The stand-ins with the sample's repository, and the bot at work on it."""

    github: StandInGitHub
    codegen: StandInCodegen
    repository: RepositoryState
    sample: SampleRepository
    session: aiohttp.ClientSession
    house: House
    merges: list[Mapping[str, Any]] = field(default_factory=list)
    """What each call sent that asked GitHub for a merge."""

    @property
    def path(self) -> Path:
        """Where the sample's git repository is."""
        return self.sample.path

    @property
    def branches(self) -> tuple[SampleBranch, ...]:
        """The branches that people open pull requests of."""
        return tuple(it for it in self.sample.branches if it.name in BROKEN)

    async def push(self) -> tuple[str, int]:
        """Have alice push the default branch; gives its commit, and what the door answered."""
        projects = self.house.projects
        await self._until(lambda: projects.of_repository(self.repository.id))
        sha = await self.repository.commit(self.repository.default_branch)
        pushed = Push(f"refs/heads/{self.repository.default_branch}", ZEROS, sha)
        await self.github.pushed(self.repository, pushed, self.github.state.user("alice"))
        return sha, self.github.state.deliveries[-1].status_code

    async def evaluated(self, sha: str) -> bool:
        """Wait until it is known what a browser sees of a commit; False where that takes long."""

        async def seen() -> object:
            return (await self.house.bases.of(self.repository.id, sha)).evaluation

        return await self._until(seen)

    async def _until(self, look: Callable[[], Awaitable[object]]) -> bool:
        """Wait until there is something to see; False where that takes long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not await look():
                    await self.house.clock.sleep(LOOK_SECONDS)
                return True
        return False

    async def report_issue(self, title: str, body: str) -> int:
        """Have alice report an issue; gives its number."""
        alice = self.github.state.user("alice")
        issue = await self.github.report_issue(
            self.repository, author=alice, title=title, body=body
        )
        return issue.number

    async def comment(self, number: int, text: str) -> tuple[CommentState, int]:
        """Have alice write a comment; gives it, and what the door answered to its webhook."""
        alice = self.github.state.user("alice")
        made = add_comment(self.github.state, self.repository, number, alice, text)
        delivery = await self.github.tell_of_comment(self.repository, made)
        return made, delivery.status_code

    def own_comments(self, number: int) -> list[CommentState]:
        """The bot's comments of an issue or pull request."""
        own = self.github.state.app_account
        found = self.github.state.conversation(self.repository, number)
        return [it for it in found if it.author is own]

    def pull_requests(self) -> list[PullRequestState]:
        """All that were opened, oldest first."""
        return sorted(self.repository.pull_requests.values(), key=lambda it: it.number)

    def is_open(self, number: int) -> bool:
        """Whether an issue is."""
        return self.repository.issues[number].state == "open"

    @property
    def agent_runs(self) -> list[AgentRunState]:
        """The runs that the coding agent was given."""
        return list(self.codegen.runs.values())

    async def commit(self, branch: str) -> str:
        """Where a branch is; empty where there is none."""
        try:
            return await self.repository.commit(f"refs/heads/{branch}")
        except LookupError:
            return ""

    async def file(self, branch: str, path: str) -> str:
        """A file as a branch has it."""
        return (await self.repository.git("show", f"{branch}:{path}")).decode()

    def look_on(self, exchange: Exchange) -> None:
        """Write down what asks GitHub for a merge."""
        if exchange.method == "PUT" and exchange.path.endswith("/merge"):
            self.merges.append(json.loads(exchange.sent))

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

    async def picture(self, url: str) -> bytes:
        """A picture that the bot shows at an address of its own."""
        async with self.session.get(url, raise_for_status=True) as response:
            return await response.read()

    async def page(self, url: str) -> str:
        """What the bot shows at an address of its own."""
        async with self.session.get(url, raise_for_status=True) as response:
            return await response.text()


@asynccontextmanager
async def demonstrated(
    settings: Settings, renderer: Renderer, bench_of: Callable[[Settings], Bench], folder: Path
) -> AsyncIterator[Demonstration]:
    """The bot at work on a GitHub of one's own, with a database that is gone afterwards."""
    async with AsyncExitStack() as stack:
        github = await stack.enter_async_context(StandInGitHub())
        codegen = await stack.enter_async_context(StandInCodegen())
        gemini = await stack.enter_async_context(StandInGemini(either(EXPLORER, sensible)))
        sample = await build_repository(folder, on_main=(MERGES,))
        repository = github.add_repository(github.install("octo"), "shop", sample.path / ".git")
        account = github.state.user(AGENT, "Bot")
        repository.permissions |= {"alice": "write", account.login: "write"}
        codegen.set_up(repository.id, repository.full_name)
        agent = ScriptedAgent(github, codegen, account, pause=AGENT_PAUSE_SECONDS)
        agent.choose = by_prompt(agent.opens(CHANGE), agent.pushes(MEND))
        settings = _settings(settings, github, codegen, gemini)
        it = await stack.enter_async_context(house(settings, renderer))
        stack.push_async_callback(it.database.client.drop_database, settings.mongodb_database)
        url = await stack.enter_async_context(doors(it))
        github.hook_url = f"{url}/webhooks/github"
        tasks = await stack.enter_async_context(hands(it, bench_of(settings)))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        await stack.enter_async_context(at_work(tasks))
        demonstration = Demonstration(github, codegen, repository, sample, session, it)
        github.look_on = demonstration.look_on
        yield demonstration


def _settings(
    settings: Settings, github: StandInGitHub, codegen: StandInCodegen, gemini: StandInGemini
) -> Settings:
    return replace(
        settings,
        github_app_id=github.state.app_id,
        github_private_key=github.private_key,
        github_webhook_secret=github.secret,
        github_api_url=github.url,
        github_url=github.url,
        codegen_org_id=ORGANIZATION,
        codegen_api_token=TOKEN,
        codegen_api_url=codegen.url,
        gemini_api_key=KEY,
        gemini_model=MODEL,
        gemini_api_endpoint=gemini.url,
        mongodb_uri="",
        mongodb_database=f"codegenapp_demo_{uuid.uuid4().hex[:12]}",
        host="127.0.0.1",
        port=free_port(),
        public_url="",
    )


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
