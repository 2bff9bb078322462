"""The stand-ins for tests: GitHub with the sample's repository on it, and the coding agent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bot.adapters.clock import SystemClock
from bot.adapters.codegen import CodegenAgent, Paces
from bot.adapters.github.app import GitHubApp
from bot.adapters.github.tokens import AppCredentials
from bot.adapters.pacing import SharedPace
from bot.domain.repositories import Repository
from bot.ports.clock import Clock
from demo.codegen.agent import ScriptedAgent
from demo.codegen.server import ORGANIZATION, TOKEN, StandInCodegen
from demo.github.server import StandInGitHub
from demo.github.state import RepositoryState, User
from demo.repository import build_repository


@dataclass(frozen=True)
class Stage:
    """A stand-in with one installation of the App, one repository and two people."""

    github: StandInGitHub
    shop: RepositoryState
    alice: User
    """May write to the repository."""
    mallory: User

    @property
    def repository(self) -> Repository:
        """The repository in the product's words."""
        it = self.shop
        return Repository(
            it.id, it.owner.login, it.name, it.installation_id, it.private, it.default_branch
        )


@asynccontextmanager
async def stage(
    folder: Path, *, private: bool = False, git_folder: Path | None = None
) -> AsyncIterator[Stage]:
    """A stand-in that serves while the block lasts, with the sample or another repository."""
    async with StandInGitHub() as github:
        if git_folder is None:
            folder.mkdir(parents=True, exist_ok=True)
            git_folder = (await build_repository(folder)).path / ".git"
        installation = github.install("octo")
        shop = github.add_repository(installation, "shop", git_folder, private=private)
        alice, mallory = github.state.user("alice"), github.state.user("mallory")
        shop.permissions["alice"] = "write"
        yield Stage(github, shop, alice, mallory)


@asynccontextmanager
async def adapter(github: StandInGitHub, clock: Clock | None = None) -> AsyncIterator[GitHubApp]:
    """The product's view of it."""
    clock = clock or SystemClock()
    credentials = AppCredentials(github.state.app_id, github.private_key)
    async with aiohttp.ClientSession() as session:
        yield GitHubApp(session, credentials, SharedPace(clock), clock, github.url, github.url)


@asynccontextmanager
async def coding_agent(on: Stage) -> AsyncIterator[ScriptedAgent]:
    """The coding agent's API with the repository set up, and an agent that may write to it."""
    async with StandInCodegen() as codegen:
        codegen.set_up(on.shop.id, on.shop.full_name)
        account = on.github.state.user("codegen-sh[bot]", "Bot")
        on.shop.permissions[account.login] = "write"
        yield ScriptedAgent(on.github, codegen, account)


async def at_once(name: str) -> None:
    """No pace."""


@asynccontextmanager
async def agent_at(server: StandInCodegen, token: str = TOKEN) -> AsyncIterator[CodegenAgent]:
    """The product's view of that API."""
    async with aiohttp.ClientSession() as session:
        paces = Paces(at_once, at_once, at_once)
        yield CodegenAgent(session, paces, server.url, ORGANIZATION, token)
