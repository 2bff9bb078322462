"""``StandInCodegen``: the API's routes over runs that a script carries out.

Shapes and codes are those of the published OpenAPI document of October 2025.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from demo.github.faults import Fault, Faults
from demo.github.state import iso, now

ORGANIZATION = 321
TOKEN = "a-codegen-token"
STATUSES = {Fault.UNAUTHORIZED: 401, Fault.NOT_FOUND: 404, Fault.TOO_MANY: 429, Fault.BROKEN: 500}


@dataclass
class AgentRunState:
    """A run. ``prompts`` are the first one and each message that followed.

    ``images`` are those of the first one; ``pictures`` those of each.
    """

    id: int
    repository_id: int | None
    prompts: list[str]
    metadata: dict[str, Any] | None
    created_at: str
    model: str | None = None
    agent_type: str = "codegen"
    images: list[str] = field(default_factory=list)
    pictures: list[list[str]] = field(default_factory=list)
    status: str = "ACTIVE"
    result: str | None = None
    summary: str | None = None
    pull_requests: list[dict[str, Any]] = field(default_factory=list)
    logs: list[dict[str, Any]] = field(default_factory=list)
    banned: bool = False


Script = Callable[[AgentRunState], Awaitable[None]]


async def idle(run: AgentRunState) -> None:
    """An agent that thinks for ever."""
    del run


class StandInCodegen:
    """Serves on 127.0.0.1 while its block lasts; ``script`` is what the agent does with a run.

    ``refuse`` gives a status and message for a call (its number from 1, method and path), if any.
    """

    def __init__(self) -> None:
        self.url = ""
        self.runs: dict[int, AgentRunState] = {}
        self.repositories: list[dict[str, Any]] = []
        self.settings: dict[int, dict[str, Any]] = {}
        self.script: Script = idle
        self.faults = Faults()
        self.refuse: Callable[[str, str], tuple[int, str] | None] = lambda _method, _path: None
        self._ids = itertools.count(9001)
        self._working: set[asyncio.Task[None]] = set()
        self._broken: list[BaseException] = []
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        application = web.Application(middlewares=[self._around], client_max_size=8 * 1024**2)
        router, at = application.router, f"/v1/organizations/{ORGANIZATION}"
        router.add_post(f"{at}/agent/run", self._create)
        router.add_get(f"{at}/agent/run/{{id}}", self._get)
        router.add_get(f"{at}/agent/runs", self._list)
        router.add_post(f"{at}/agent/run/resume", self._resume)
        router.add_post(f"{at}/agent/run/ban", self._ban)
        router.add_get(f"{at}/repos", self._repos)
        router.add_get(f"{at}/repos/check-suite-settings", self._settings)
        router.add_put(f"{at}/repos/check-suite-settings", self._settings)
        logs = f"/v1/alpha/organizations/{ORGANIZATION}/agent/run/{{id}}/logs"
        router.add_get(logs, self._logs)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)
        assert self._runner is not None
        await self._runner.cleanup()
        if error is None and self._broken:
            raise self._broken[0]

    def set_up(self, github_id: int, full_name: str) -> int:
        """Have a repository set up; gives the number that it has here."""
        number = next(self._ids)
        self.repositories.append(
            {
                "id": number,
                "name": full_name.partition("/")[2],
                "full_name": full_name,
                "description": None,
                "github_id": str(github_id),
                "organization_id": ORGANIZATION,
                "visibility": "private",
                "archived": False,
                "setup_status": "completed",
                "language": None,
            }
        )
        return number

    def think(self, run: AgentRunState, thought: str, tool: str = "", kind: str = "ACTION") -> None:
        """Write an entry into a run's log; ``kind`` is its ``message_type``."""
        run.logs.append(_entry(run, kind) | {"thought": thought, "tool_name": tool or None})

    async def settled(self) -> None:
        """Wait until the agent has done all that it began. Raises what the script raised."""
        while self._working:
            await asyncio.wait(self._working)
        if self._broken:
            raise self._broken.pop(0)

    # ── calls ────────────────────────────────────────────────────────────────────────────────

    @web.middleware
    async def _around(
        self, request: web.Request, handler: Callable[[web.Request], Any]
    ) -> web.StreamResponse:
        fault = self.faults.next(request.method, request.path)
        if fault is not None and not fault.lands:
            if fault not in STATUSES:
                return await self.faults.answer(fault, request)
            return _problem(STATUSES[fault], fault.value)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _problem(401, "Invalid token")
        refusal = self.refuse(request.method, request.path)
        if refusal is not None:
            return _problem(*refusal)
        try:
            response: web.StreamResponse = await handler(request)
        except LookupError:
            return _problem(404, "Agent run not found")
        except ValueError as wrong:
            detail = [{"loc": ["body"], "msg": str(wrong), "type": "value_error"}]
            return web.json_response({"detail": detail}, status=422)
        return response if fault is None else await self.faults.answer(fault, request)

    async def _create(self, request: web.Request) -> web.Response:
        told = await request.json()
        if not told.get("prompt"):
            raise ValueError("prompt: field required")
        run = AgentRunState(
            next(self._ids),
            told.get("repo_id"),
            [told["prompt"]],
            told.get("metadata"),
            iso(now()) or "",
            told.get("model"),
            told.get("agent_type", "codegen"),
            told.get("images") or [],
        )
        run.pictures.append(run.images)
        self.runs[run.id] = run
        self._work(run)
        return web.json_response(_run(run))

    async def _get(self, request: web.Request) -> web.Response:
        return web.json_response(_run(self._of(request.match_info["id"])))

    async def _list(self, request: web.Request) -> web.Response:
        found = [_run(run) for run in sorted(self.runs.values(), key=lambda it: -it.id)]
        return _page(request, found)

    async def _resume(self, request: web.Request) -> web.Response:
        told = await request.json()
        run = self._of(told.get("agent_run_id"))
        if not told.get("prompt"):
            raise ValueError("prompt: field required")
        run.prompts.append(told["prompt"])
        run.pictures.append(told.get("images") or [])
        run.logs.append(_entry(run, "USER_MESSAGE") | {"observation": told["prompt"]})
        run.status = "ACTIVE"
        self._work(run)
        return web.json_response(_run(run))

    async def _ban(self, request: web.Request) -> web.Response:
        self._of((await request.json()).get("agent_run_id")).banned = True
        return web.json_response({})

    async def _repos(self, request: web.Request) -> web.Response:
        return _page(request, self.repositories)

    async def _settings(self, request: web.Request) -> web.Response:
        number = int(request.query["repo_id"])
        kept = self.settings.setdefault(number, {"check_retry_count": 3, "ignored_checks": []})
        if request.method == "PUT":
            kept |= await request.json()
        return web.json_response(kept | {"available_check_suite_names": []})

    async def _logs(self, request: web.Request) -> web.Response:
        run = self._of(request.match_info["id"])
        found = run.logs[::-1] if request.query.get("reverse") == "true" else run.logs
        page = _paged(request, found)
        return web.json_response(_run(run) | {"logs": page.pop("items")} | page)

    def _of(self, number: object) -> AgentRunState:
        return self.runs[int(str(number))]

    def _work(self, run: AgentRunState) -> None:
        async def work() -> None:
            await self.script(run)

        task = asyncio.create_task(work())
        self._working.add(task)
        task.add_done_callback(self._worked)

    def _worked(self, task: asyncio.Task[None]) -> None:
        self._working.discard(task)
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            self._broken.append(fault)


def _entry(run: AgentRunState, kind: str) -> dict[str, Any]:
    return {
        "agent_run_id": run.id,
        "created_at": iso(now()),
        "message_type": kind,
        "thought": None,
        "tool_name": None,
        "observation": None,
        "tool_input": None,
        "tool_output": None,
    }


def _run(run: AgentRunState) -> dict[str, Any]:
    return {
        "id": run.id,
        "organization_id": ORGANIZATION,
        "status": run.status,
        "created_at": run.created_at,
        "web_url": f"https://codegen.com/agent/trace/{run.id}",
        "result": run.result,
        "summary": run.summary,
        "source_type": "API",
        "metadata": run.metadata,
        "github_pull_requests": run.pull_requests,
    }


def _page(request: web.Request, found: list[dict[str, Any]]) -> web.Response:
    return web.json_response(_paged(request, found))


def _paged(request: web.Request, found: list[dict[str, Any]]) -> dict[str, Any]:
    skip, limit = int(request.query.get("skip", 0)), int(request.query.get("limit", 100))
    if not 1 <= limit <= 100 or skip < 0:
        raise ValueError("limit: ensure this value is less than or equal to 100")
    return {
        "items": found[skip : skip + limit],
        "total": len(found),
        "page": skip // limit + 1,
        "size": limit,
        "pages": -(-len(found) // limit),
    }


def _problem(status: int, message: str) -> web.Response:
    return web.json_response({"message": message, "status_code": status}, status=status)
