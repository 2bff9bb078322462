"""A stand-in GitHub whose every exchange and delivery is held to the contract, and calls to it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from demo.github import access
from demo.github.server import Exchange
from demo.github.state import RepositoryState, State, User
from tests.contract.github_events import Webhooks
from tests.stand_in import Stage, stage

OUTSIDE_OPENAPI = ("/graphql", "/user-attachments")


@asynccontextmanager
async def held_to(contract: Webhooks, folder: Path) -> AsyncIterator[Stage]:
    """A stage; at its end it is an error if anything was no exchange or event of GitHub's."""
    wrong: list[str] = []

    def look_on(it: Exchange) -> None:
        if not it.path.startswith(OUTSIDE_OPENAPI):
            wrong.extend(contract.check(it.method, it.path, it.status, it.sent, it.answered))

    async with stage(folder) as it:
        it.github.look_on = look_on
        yield it
        wrong += contract.faults(it.github.state.deliveries)
    assert not wrong, "\n".join(wrong)


async def call(
    on: Stage, method: str, path: str, body: Any = None, *, by: User | None = None
) -> tuple[int, Any]:
    """A call on the repository, by the App or a person: status and answer."""
    return await call_at(on, method, f"/repos/{on.shop.full_name}/{path}".rstrip("/"), body, by=by)


async def call_at(
    on: Stage, method: str, path: str, body: Any = None, *, by: User | None = None
) -> tuple[int, Any]:
    """A call on any path."""
    state = on.github.state
    token = token_of_app(state, on.shop.installation_id) if by is None else on.github.token_for(by)
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        session._retry_connection = False  # it would send a PUT that was dropped once more
        async with session.request(method, f"{on.github.url}{path}", json=body) as response:
            answered = await response.read()
            return response.status, json.loads(answered) if answered else None


def token_of_app(state: State, installation_id: int) -> str:
    return access.mint(state, installation_id, None)["token"]


async def commit(
    repository: RepositoryState, branch: str, text: str, *, name: str = "said.txt", to: str = ""
) -> str:
    """A new commit on a branch (or, ``to`` a new one from there), with one file's text."""
    ref = f"refs/heads/{branch}"
    blob = (await repository.git("hash-object", "-w", "--stdin", sent=text.encode())).decode()
    listed = (await repository.git("ls-tree", ref)).decode().splitlines()
    kept = [line for line in listed if line.partition("\t")[2] != name]
    lines = "\n".join([*kept, f"100644 blob {blob.strip()}\t{name}", ""])
    tree = (await repository.git("mktree", sent=lines.encode())).decode().strip()
    people = ("-c", "user.name=alice", "-c", "user.email=alice@example.com")
    message = f"Say {text}"
    made = await repository.git(*people, "commit-tree", tree, "-p", ref, "-m", message)
    sha = made.decode().strip()
    await repository.git("update-ref", f"refs/heads/{to or branch}", sha)
    return sha
