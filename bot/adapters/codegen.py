"""``CodegenAgent``: fulfils ``bot.ports.coding_agent`` over the Codegen API.

By its published OpenAPI document of October 2025; its own client drops fields and has no timeout.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp
from cachetools import LRUCache

from bot.adapters.pacing import Pace
from bot.domain.agent_runs import AgentStep, RemotePullRequest, RemoteRun, RemoteState
from bot.domain.problems import Limited, TryAgain
from bot.domain.repositories import Repository
from bot.ports.coding_agent import (
    AgentFault,
    AgentProblem,
    CodingAgent,
    RunOrder,
)

Json = Mapping[str, Any]

RUN_ID: Final = "codegenapp_run_id"
"""Where our own id stands in a run's metadata."""
CALL_SECONDS = 30.0
CONNECT_SECONDS = 5.0
PAGE = 100
MOST_PAGES = 100
MOST_REPOSITORIES = 10_000
LIMITED_SECONDS = 30.0
"""The API documents no ``Retry-After``: its longest window for reads."""
BROKEN_SECONDS = 5.0
LONGEST_THOUGHT = 500
LONGEST_RESULT = 60_000

_STATES: Final[Mapping[str, RemoteState]] = {
    "PAUSED": RemoteState.WAITING,
    "COMPLETE": RemoteState.COMPLETE,
    "COMPLETED": RemoteState.COMPLETE,
} | dict.fromkeys(
    ("ERROR", "FAILED", "CANCELLED", "STOPPED", "TIMEOUT", "MAX_ITERATIONS_REACHED",
     "OUT_OF_TOKENS"),
    RemoteState.FAILED,
)  # fmt: skip
_FAULTS: Final[Mapping[int, AgentFault]] = {
    401: AgentFault.UNAUTHORIZED,
    402: AgentFault.PLAN_LIMIT,
    403: AgentFault.FORBIDDEN,
    404: AgentFault.NOT_FOUND,
}


@dataclass(frozen=True)
class Paces:
    """Whose turn it is: to create a run, to read, and to read a run's log."""

    create: Pace
    read: Pace
    log: Pace


class CodegenAgent(CodingAgent):
    """See ``bot.ports.coding_agent``. One organisation, one token."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        paces: Paces,
        base_url: str,
        organization: int,
        token: str,
    ) -> None:
        self._session = session
        self._paces = paces
        self._at = f"{base_url.rstrip('/')}/v1/organizations/{organization}"
        self._logs_at = f"{base_url.rstrip('/')}/v1/alpha/organizations/{organization}"
        self._name = f"codegen:{organization}"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._repositories: LRUCache[int, int] = LRUCache(MOST_REPOSITORIES)

    async def repository_id(self, repository: Repository) -> int:
        if repository.id not in self._repositories:
            async for told in self._repos():
                github_id = str(told.get("github_id"))
                if github_id.isascii() and github_id.isdigit():
                    self._repositories[int(github_id)] = told["id"]
        if repository.id not in self._repositories:
            raise AgentProblem(AgentFault.NOT_SET_UP, f"{repository.full_name} is not set up there")
        return self._repositories[repository.id]

    async def turn(self) -> None:
        await self._paces.create(self._name)

    async def create(self, order: RunOrder) -> RemoteRun:
        payload: dict[str, Any] = {
            "prompt": order.prompt,
            "repo_id": order.repository_id,
            "metadata": {RUN_ID: order.run_id},
            "agent_type": order.agent_type,
        }
        if order.model:
            payload["model"] = order.model
        if order.images:
            payload["images"] = list(order.images)
        return _the_run(await self._call("POST", f"{self._at}/agent/run", payload))

    async def find(self, run_id: str, since: datetime) -> RemoteRun | None:
        for skip in range(0, MOST_PAGES * PAGE, PAGE):
            page = await self.page(skip)
            found = next((run for run in page if run.run_id == run_id), None)
            last = page[-1].created_at if page else None
            if found is not None or len(page) < PAGE or (last is not None and last < since):
                return found
        raise TryAgain("Codegen's list has no end", after=BROKEN_SECONDS)

    async def resume(self, remote_id: int, prompt: str, images: Sequence[str] = ()) -> RemoteRun:
        payload: dict[str, Any] = {"agent_run_id": remote_id, "prompt": prompt}
        if images:
            payload["images"] = list(images)
        return _the_run(await self._call("POST", f"{self._at}/agent/run/resume", payload))

    async def get(self, remote_id: int) -> RemoteRun:
        await self._paces.read(self._name)
        return _the_run(await self._call("GET", f"{self._at}/agent/run/{remote_id}"))

    async def page(self, skip: int) -> Sequence[RemoteRun]:
        await self._paces.read(self._name)
        told = await self._call("GET", f"{self._at}/agent/runs?skip={skip}&limit={PAGE}")
        return [_run(it) for it in _list(told, "items") if _is_run(it)]

    async def steps(self, remote_id: int, most: int) -> Sequence[AgentStep]:
        await self._paces.log(self._name)
        url = f"{self._logs_at}/agent/run/{remote_id}/logs?skip=0&limit={most}&reverse=true"
        told = await self._call("GET", url)
        return [
            AgentStep(
                _text(it, "message_type"),
                _text(it, "tool_name"),
                _text(it, "thought")[:LONGEST_THOUGHT],
                _time(it.get("created_at")),
            )
            for it in _list(told, "logs")
            if isinstance(it, dict)
        ]

    async def ban(self, remote_id: int) -> None:
        await self._call("POST", f"{self._at}/agent/run/ban", {"agent_run_id": remote_id})

    async def ignore_check(self, repository: Repository, name: str) -> None:
        number = await self.repository_id(repository)
        await self._paces.read(self._name)
        url = f"{self._at}/repos/check-suite-settings?repo_id={number}"
        ignored = (await self._call("GET", url)).get("ignored_checks") or []
        if name not in ignored:
            await self._call("PUT", url, {"ignored_checks": [*ignored, name]})

    # ── calls ────────────────────────────────────────────────────────────────────────────────

    async def _repos(self) -> AsyncIterator[Json]:
        for page in range(MOST_PAGES):
            await self._paces.read(self._name)
            told = await self._call("GET", f"{self._at}/repos?skip={page * PAGE}&limit={PAGE}")
            items = _list(told, "items")
            for it in items:
                if _is_run(it):
                    yield it
            if len(items) < PAGE:
                return

    async def _call(self, method: str, url: str, payload: Json | None = None) -> Any:
        timeout = aiohttp.ClientTimeout(total=CALL_SECONDS, connect=CONNECT_SECONDS)
        try:
            async with self._session.request(
                method, url, json=payload, headers=self._headers, timeout=timeout
            ) as response:
                return _answer(response.status, await response.read())
        except (aiohttp.ClientError, TimeoutError) as fault:
            said = f"Codegen does not answer: {type(fault).__name__}"
            raise TryAgain(said, after=BROKEN_SECONDS) from fault


def _answer(status: int, body: bytes) -> Any:
    """The JSON of an answer. Raises TryAgain or AgentProblem."""
    try:
        told = json.loads(body) if body else {}
    except ValueError:
        if status < 400:
            raise TryAgain("Codegen answers with no JSON", after=BROKEN_SECONDS) from None
        told = {}
    if status < 400:
        return told
    message = _message(told) or f"HTTP {status}"
    if status == 429:
        raise Limited(f"Codegen's rate limit: {message}", after=LIMITED_SECONDS)
    if status >= 500:
        raise TryAgain(f"Codegen is at fault: {message}", after=BROKEN_SECONDS)
    raise AgentProblem(_FAULTS.get(status, AgentFault.INVALID), message)


def _message(told: Any) -> str:
    """The API's own sentence: ``{message}``, or ``{detail: [{loc, msg}]}``."""
    if not isinstance(told, dict):
        return ""
    detail = told.get("detail")
    if isinstance(detail, list):
        found = [it for it in detail if isinstance(it, dict)]
        parts = (f"{'.'.join(map(str, it.get('loc', ())))}: {it.get('msg')}" for it in found)
        return "; ".join(parts)[:1000]
    return str(told.get("message") or detail or "")[:1000]


def _list(told: Any, name: str) -> list[Any]:
    """A list of an answer; none is an empty one."""
    found = told.get(name) if isinstance(told, dict) else told or False
    if (found is not None and not isinstance(found, list)) or not isinstance(told, dict):
        raise TryAgain("Codegen answers with no list", after=BROKEN_SECONDS)
    return found or []


def _is_run(told: Any) -> bool:
    return isinstance(told, dict) and isinstance(told.get("id"), int)


def _the_run(told: Any) -> RemoteRun:
    """The run of an answer that must be one: what was asked may have been done all the same."""
    if not _is_run(told):
        raise TryAgain("Codegen answers with no run", after=BROKEN_SECONDS)
    return _run(told)


def _run(told: Json) -> RemoteRun:
    status = _text(told, "status").upper()
    metadata = told.get("metadata")
    return RemoteRun(
        id=told["id"],
        state=_STATES.get(status, RemoteState.GOING),
        status=status,
        created_at=_time(told.get("created_at")),
        url=_text(told, "web_url"),
        result=_text(told, "result")[:LONGEST_RESULT],
        summary=_text(told, "summary")[:LONGEST_RESULT],
        run_id=_text(metadata, RUN_ID) if isinstance(metadata, dict) else "",
        pull_requests=tuple(
            RemotePullRequest(
                it["id"], _text(it, "url"), _text(it, "title"), _text(it, "head_branch_name")
            )
            for it in _list(told, "github_pull_requests")
            if _is_run(it)
        ),
    )


def _text(told: Json, name: str) -> str:
    value = told.get(name)
    # Half of a character that an agent cut in two fits no encoding.
    return value.encode(errors="replace").decode() if isinstance(value, str) else ""


def _time(value: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
