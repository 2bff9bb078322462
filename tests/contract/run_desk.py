"""The services of agent runs over a real database, before an agent that does as it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.adapters.mongo.agent_runs import MongoAgentRuns
from bot.adapters.mongo.database import Database
from bot.adapters.mongo.records import MongoAuditLog, MongoProjects, MongoValidations
from bot.domain.agent_runs import AgentRun, RunMessage, RunRequest, RunStatus
from bot.domain.comments import CommentKind, CommentReference
from bot.domain.effects import CancelRun, MessageRun, RequestRun
from bot.domain.problems import Limited, TryAgain
from bot.domain.repositories import Account, Repository
from bot.policy import agent_words as words
from bot.ports.renderer import Prompt
from bot.services.agent_runs import AgentRunService
from bot.services.run_records import RunRecords
from bot.services.run_starter import RunStarter
from tests.contract.fake_agent import FakeAgent, SetClock

SHOP = Repository(7, "octo", "shop", 1, default_branch="main")
COMMENT = CommentReference(CommentKind.CONVERSATION, 50, 3, "https://x/3")
REQUEST = RunRequest(SHOP, 3, "Mend it", Account(1, "alice"), COMMENT, "main")
UNANSWERED = TryAgain("it does not answer", after=5.0)
LIMITED = Limited("ten a minute", after=30.0)
DAY = timedelta(days=1)


@dataclass
class StubPrompts:
    """Goal and messages as they are; of a failure its id, and a picture of it."""

    faults: dict[str, Exception]

    async def of(self, run: AgentRun) -> Prompt:
        told = [run.request.goal, *(it.text for it in run.messages)]
        return self._prompt(run, " | ".join(told), run.messages)

    async def follow_up(self, run: AgentRun) -> Prompt:
        told = {it.id: f"failed: {it.failure} {it.text}" for it in run.pending if it.failure}
        return self._prompt(run, words.follow_up(run, told), run.pending)

    def _prompt(self, run: AgentRun, text: str, told: Sequence[RunMessage]) -> Prompt:
        if run.id in self.faults:
            raise self.faults[run.id]
        return Prompt(text, tuple(f"data:{it.failure}" for it in told if it.failure))


@dataclass
class Desk:
    """The services over real records, and an agent that does as it is told."""

    runs: MongoAgentRuns
    projects: MongoProjects
    clock: SetClock
    agent: FakeAgent
    service: AgentRunService
    faults: dict[str, Exception]

    async def ask(self, run_id: str = "run", request: RunRequest = REQUEST) -> AgentRun:
        await self.service.create_run(RequestRun(run_id, request))
        return await self.run(run_id)

    async def run(self, run_id: str = "run") -> AgentRun:
        found = await self.runs.get(run_id)
        assert found is not None
        return found

    async def say(self, text: str, run_id: str = "run", *, failure: str = "") -> AgentRun:
        message = RunMessage(text or failure, text, "bob", failure=failure)
        await self.service.resume_run(MessageRun(run_id, message))
        return await self.run(run_id)

    async def start(self, run_id: str = "run") -> AgentRun:
        await self.service.start(run_id)
        return await self.run(run_id)

    async def started(self, status: RunStatus = RunStatus.ACTIVE) -> AgentRun:
        """A run that the agent has, and that has stood so since."""
        await self.ask()
        run = await self.start()
        assert run.remote_id is not None
        if status is not RunStatus.ACTIVE:
            self.agent.completed(run.remote_id)
        remote = self.agent.runs[run.remote_id]
        seen = {"status": status, "remote_seen": remote.digest, "progress": 100}
        await self.runs.change("run", seen)
        self.clock.advance(minutes=5)
        self.agent.calls.clear()
        return await self.run()

    async def cancel(self, *, kill: bool) -> str:
        return await self.service.cancel_run(CancelRun("run", "Cancelled by `bob`.", kill, "wish"))

    @property
    def sent(self) -> list[list[str]]:
        """What each of the agent's runs was told."""
        return list(self.agent.prompts.values())

    @property
    def pictures(self) -> list[tuple[str, ...]]:
        """The pictures of everything that the agent was told, in order."""
        return self.agent.images


def desk_at(database: Database) -> Desk:
    """A fresh one."""
    clock = SetClock()
    runs, agent = MongoAgentRuns(database), FakeAgent(clock)
    records = RunRecords(runs, MongoAuditLog(database, DAY), clock)
    projects = MongoProjects(database)

    prompts = StubPrompts({})
    starter = RunStarter(records, agent, prompts, projects)
    service = AgentRunService(records, starter, MongoValidations(database), projects)
    return Desk(runs, projects, clock, agent, service, prompts.faults)
