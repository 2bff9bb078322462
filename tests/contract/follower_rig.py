"""A follower of the agent's runs before an agent, records, turns and an inbox in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, cast

from bot.domain.agent_runs import AgentRun, RunRequest, RunStatus
from bot.domain.comments import CommentKind, CommentReference
from bot.domain.events import AgentRunSeen, Event, Ignored
from bot.domain.repositories import Account, Repository
from bot.domain.webhooks import Own, loads, parse
from bot.ports.inbox import Inbox, Item
from bot.ports.records import AgentRuns, Turns
from bot.work.run_follower import RunFollower
from tests.contract.fake_agent import BEGIN, FakeAgent, SetClock

SHOP = Repository(7, "octo", "shop", 1, default_branch="main")
COMMENT = CommentReference(CommentKind.CONVERSATION, 50, 3, "https://x/3")
REQUEST = RunRequest(SHOP, 3, "Mend it", Account(1, "alice"), COMMENT, "main")


@dataclass
class InMemory:
    """The records, the turns and the inbox, as far as a follower sees them."""

    clock: SetClock
    runs: list[AgentRun] = field(default_factory=list)
    items: dict[str, Item] = field(default_factory=dict)
    left_at: list[datetime] = field(default_factory=list)
    owner: str = ""
    until: datetime = BEGIN

    async def unended(self) -> AsyncIterator[AgentRun]:
        for run in self.runs:
            yield run

    async def add(self, items: Sequence[Item]) -> None:
        for item in items:
            if item.id not in self.items:
                self.items[item.id] = item
                self.left_at.append(self.clock.now())

    async def take(self, owner: str, until: datetime) -> bool:
        if self.owner not in {"", owner} and self.until >= self.clock.now():
            return False
        self.owner, self.until = owner, until
        return True


@dataclass
class Mine(Turns):
    """A process's own view of the turns."""

    shared: InMemory
    owner: str

    async def take(self, name: str, until: datetime) -> bool:
        return await self.shared.take(self.owner, until)


@dataclass
class Rig:
    """An agent, and what is followed of it."""

    clock: SetClock
    agent: FakeAgent
    kept: InMemory

    def follower(self, owner: str = "one") -> RunFollower:
        kept: Any = self.kept
        return RunFollower(
            cast(AgentRuns, kept), self.agent, cast(Inbox, kept), Mine(kept, owner), self.clock
        )

    def follow(self, *, is_new: bool = True, hidden: bool = False, **changes: Any) -> AgentRun:
        """Have one more run that goes on here and there; of one that is not new we know all."""
        remote_id = self.agent.begin()
        if hidden:
            self.agent.hidden.add(remote_id)
        now = self.clock.now()
        seen = "" if is_new else self.agent.runs[remote_id].digest
        run = AgentRun(
            f"run {remote_id}",
            REQUEST,
            now,
            now,
            status=RunStatus.ACTIVE,
            remote_id=remote_id,
            active_since=now,
            remote_seen=seen,
        )
        self.kept.runs.append(replace(run, **changes))
        return self.kept.runs[-1]

    def change(self, run: AgentRun, **changes: Any) -> None:
        index = self.kept.runs.index(run)
        self.kept.runs[index] = replace(run, **changes)

    @property
    def events(self) -> list[Event | Ignored]:
        own = Own(1, "codegenapp[bot]")
        return [parse(it.name, loads(it.body), own) for it in self.kept.items.values()]

    @property
    def seen(self) -> list[str]:
        """Which runs something was left about, in order."""
        return [it.run_id for it in self.events if isinstance(it, AgentRunSeen)]

    def forget(self) -> None:
        """What was asked and left so far."""
        self.agent.calls.clear()
        self.kept.items.clear()
        self.kept.left_at.clear()


def rig_at(clock: SetClock) -> Rig:
    """A fresh one."""
    return Rig(clock, FakeAgent(clock), InMemory(clock))
