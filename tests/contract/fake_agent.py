"""A coding agent in memory, whose calls a test may refuse, delay, or leave without an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from bot.domain.agent_runs import AgentStep, RemoteRun, RemoteState
from bot.domain.repositories import Repository
from bot.ports.coding_agent import AgentFault, AgentProblem, CodingAgent, RunOrder
from bot.services.run_starter import USER_MESSAGE

T = TypeVar("T")
BEGIN = datetime(2026, 1, 2, 12, tzinfo=UTC)
PAGE = 100


@dataclass
class SetClock:
    """A clock that a test sets; who waits makes it go on."""

    moment: datetime = BEGIN
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds=seconds)

    def advance(self, **passed: float) -> None:
        self.moment += timedelta(**passed)


@dataclass
class FakeAgent(CodingAgent):
    """Runs and their messages; hooks by the name of a call.

    ``refusing`` is raised before a call has done anything, ``silent`` after it was carried out;
    ``during`` happens between both. ``broken`` is raised for single runs that are read. The
    ``hidden`` ones are on no page.
    """

    clock: SetClock
    runs: dict[int, RemoteRun] = field(default_factory=dict)
    prompts: dict[int, list[str]] = field(default_factory=dict)
    images: list[tuple[str, ...]] = field(default_factory=list)
    logs: dict[int, list[AgentStep]] = field(default_factory=dict)
    banned: list[int] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    refusing: dict[str, Exception] = field(default_factory=dict)
    silent: dict[str, Exception] = field(default_factory=dict)
    during: dict[str, Callable[[], Awaitable[object]]] = field(default_factory=dict)
    broken: dict[tuple[str, int], Exception] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)
    newest: int = 100

    def begin(self, run_id: str = "", **changes: object) -> int:
        """Have one more run, the newest."""
        self.newest += 1
        fresh = RemoteRun(
            self.newest, RemoteState.GOING, "ACTIVE", created_at=self.clock.now(), run_id=run_id
        )
        self.runs[self.newest] = fresh
        self.set(self.newest, **changes)
        return self.newest

    def set(self, remote_id: int, **changes: object) -> None:
        """Have a run otherwise."""
        self.runs[remote_id] = replace(self.runs[remote_id], **changes)  # type: ignore[arg-type]

    def completed(self, remote_id: int) -> None:
        self.set(remote_id, state=RemoteState.COMPLETE, status="COMPLETE", result="Done.")

    def made(self, call: str) -> int:
        """How often a call was made."""
        return self.calls.count(call)

    # ── the port ─────────────────────────────────────────────────────────────────────────────

    async def repository_id(self, repository: Repository) -> int:
        return await self._call("repository_id", lambda: repository.id)

    async def turn(self) -> None:
        return await self._call("turn", lambda: None)

    async def create(self, order: RunOrder) -> RemoteRun:
        def create() -> RemoteRun:
            remote_id = self.begin(order.run_id)
            self.prompts[remote_id] = [order.prompt]
            self.images.append(order.images)
            return self.runs[remote_id]

        return await self._call("create", create)

    async def find(self, run_id: str, since: datetime) -> RemoteRun | None:
        def find() -> RemoteRun | None:
            there = (it for it in self.runs.values() if it.run_id == run_id)
            return next((it for it in there if it.created_at and it.created_at >= since), None)

        return await self._call("find", find)

    async def resume(self, remote_id: int, prompt: str, images: Sequence[str] = ()) -> RemoteRun:
        def resume() -> RemoteRun:
            self.prompts.setdefault(remote_id, []).append(prompt)
            self.images.append(tuple(images))
            self.log(remote_id, USER_MESSAGE)
            self.set(remote_id, state=RemoteState.GOING, status="ACTIVE", result="")
            return self.runs[remote_id]

        return await self._call("resume", resume)

    async def get(self, remote_id: int) -> RemoteRun:
        return await self._call("get", lambda: self._known(remote_id), remote_id)

    async def page(self, skip: int) -> Sequence[RemoteRun]:
        told = (it for it in self.runs.values() if it.id not in self.hidden)
        newest = sorted(told, key=lambda it: -it.id)
        return await self._call("page", lambda: newest[skip : skip + PAGE])

    async def steps(self, remote_id: int, most: int) -> Sequence[AgentStep]:
        def steps() -> Sequence[AgentStep]:
            self._known(remote_id)
            return self.logs.get(remote_id, [])[::-1][:most]

        return await self._call("steps", steps, remote_id)

    async def ban(self, remote_id: int) -> None:
        return await self._call("ban", lambda: self.banned.append(remote_id))

    async def ignore_check(self, repository: Repository, name: str) -> None:
        return await self._call("ignore_check", lambda: self.ignored.append(name))

    def log(self, remote_id: int, kind: str, at: datetime | None = None, said: str = "") -> None:
        """Write an entry into a run's log."""
        entry = AgentStep(kind, "", said, at or self.clock.now())
        self.logs.setdefault(remote_id, []).append(entry)

    def _known(self, remote_id: int) -> RemoteRun:
        if remote_id not in self.runs:
            raise AgentProblem(AgentFault.NOT_FOUND, "Agent run not found")
        return self.runs[remote_id]

    async def _call(self, name: str, work: Callable[[], T], remote_id: int = 0) -> T:
        self.calls.append(name)
        if name in self.refusing:
            raise self.refusing[name]
        if name in self.during:
            await self.during[name]()
        if (name, remote_id) in self.broken:
            raise self.broken[name, remote_id]
        done = work()
        if name in self.silent:
            raise self.silent[name]
        return done
