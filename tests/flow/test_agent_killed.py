"""kill -9 of the worker around every call to the agent: one run, one comment, no message twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.domain.agent_runs import RunStatus
from bot.domain.conversations import STATUS_MARKER
from bot.policy.agent_words import MESSAGE_LOST
from demo.codegen.agent import ScriptedAgent, by_prompt
from demo.codegen.server import ORGANIZATION, TOKEN
from demo.github.faults import Fault
from tests.flow.killing import Call, Moment, all_of, killer, restarted, written
from tests.flow.serving import CLOCK, Served, served, small_repository
from tests.stand_in import coding_agent, stage

pytestmark = [pytest.mark.database, pytest.mark.engine]

PATIENCE = 300.0
AGENT = {
    "looking up the repository": ("GET", "/repos"),
    "creating the run": ("POST", "/agent/run"),
    "reading the agent's settings": ("GET", "/check-suite-settings"),
    "writing the agent's settings": ("PUT", "/check-suite-settings"),
    "listing runs": ("GET", "/agent/runs"),
    "sending the approval": ("POST", "/agent/run/resume"),
}
"""Each call to the agent in the life of a run: killed before it does anything, and after it did."""
GITHUB = {
    "reading the issue": ("GET", "/issues/1"),
    "making the status comment": ("POST", "/issues/1/comments"),
    "editing the status comment": ("PATCH", "/issues/comments/"),
}
WRITES = {
    "the run is recorded": written("agent_runs", status="queued"),
    "its creation is intended": written("agent_runs", "intended_at", attempts=1),
    "it is known to be there": written("agent_runs", "remote_id", status="active"),
    "the plan is known": written("agent_runs", status="waiting"),
    "the approval is recorded": written("agent_runs", "messages", status="queued"),
    "the approval was sent": written("agent_runs", status="active", sent=1),
    "it is completed": written("agent_runs", status="completed"),
    "a comment is intended": written("conversations", "intended_by"),
    "the comment is known": written("conversations", "comment_id"),
}
FAULTS = {"before": Fault.DROPPED, "after": Fault.LOST_ANSWER}
MOMENTS = [
    *(f"{call}: {when}" for call in (*AGENT, *GITHUB) for when in FAULTS),
    *WRITES,
]


@dataclass
class Play:
    """A plan that is asked for and approved, with a worker that dies on the way."""

    it: Served
    agent: ScriptedAgent

    def moment(self, name: str) -> Moment:
        call, _, when = name.partition(": ")
        if call in AGENT:
            method, part = AGENT[call]
            return Call(self.agent.codegen.faults, method, part, FAULTS[when], at_end=True)
        if call in GITHUB:
            method, part = GITHUB[call]
            return Call(self.it.on.github.faults, method, part, FAULTS[when])
        return WRITES[name]

    async def say(self, text: str) -> None:
        on = self.it.on
        await on.github.comment(on.shop, 1, text, author=on.alice)

    async def planned(self) -> None:
        """Wait until the plan waits for approval."""
        await self._until(lambda run: run["status"] == RunStatus.WAITING)

    async def ended(self) -> None:
        """Wait until the approved run is done, or nobody knows whether the approval arrived."""
        await self._until(
            lambda run: run["status"] == RunStatus.COMPLETED or run["reason"] == MESSAGE_LOST
        )

    async def _until(self, holds: Callable[[Mapping[str, Any]], bool]) -> None:
        runs = self.it.database.collection("agent_runs")
        try:
            async with asyncio.timeout(PATIENCE):
                while not any(map(holds, await runs.find().to_list(10))):
                    await CLOCK.sleep(0.2)
        except TimeoutError:
            told = [(it["status"], it["reason"]) for it in await runs.find().to_list(10)]
            raise AssertionError(f"{told}\n{self.it.worker.errors[-3000:]}") from None

    async def settled(self) -> None:
        """Wait until nothing is due."""
        inbox = self.it.database.collection("inbox")
        async with asyncio.timeout(PATIENCE):
            while await inbox.count_documents({"state": {"$in": ["ready", "leased"]}}):
                await CLOCK.sleep(0.2)

    async def wrong(self) -> list[str]:
        """What is not as it must be."""
        own = self.it.on.github.state.app_account
        comments = self.it.on.github.state.conversation(self.it.on.shop, 1)
        statuses = [c for c in comments if c.author is own and STATUS_MARKER in c.body]
        replies = [c for c in comments if c.author is own and STATUS_MARKER not in c.body]
        (run,) = await self.it.database.collection("agent_runs").find().to_list(10)
        remote = list(self.agent.codegen.runs.values())
        prompts = len(remote[0].prompts) if remote else 0
        lost = run["reason"] == MESSAGE_LOST
        inbox = self.it.database.collection("inbox")
        checks = {
            f"{len(remote)} runs at the agent's": len(remote) == 1,
            f"{prompts} prompts": prompts == 2 or (lost and prompts == 1),
            f"it stands as {run['status']}: {run['reason']}": lost or run["status"] == "completed",
            f"{len(statuses)} status comments": len(statuses) == 1,
            f"the comment says {statuses[0].body if statuses else ''}": bool(statuses)
            and ("Nobody knows" if lost else "Done.") in statuses[0].body,
            f"{len(replies)} replies": not replies,
            f"{await inbox.count_documents({'state': 'dead'})} dead letters": not (
                await inbox.count_documents({"state": "dead"})
            ),
        }
        return [told for told, well in checks.items() if not well]


@asynccontextmanager
async def play(folder: Path, docker_host: str | None) -> AsyncIterator[Play]:
    git_folder = await asyncio.to_thread(small_repository, folder / "repository")
    async with stage(folder, git_folder=git_folder) as on, coding_agent(on) as agent:
        agent.choose = by_prompt(agent.plans("1. Do it."), agent.says("Done."))
        on.github.open_issue(on.shop, author=on.alice, title="Broken")
        variables = {
            "CODEGEN_ORG_ID": str(ORGANIZATION),
            "CODEGEN_API_TOKEN": TOKEN,
            "CODEGEN_API_URL": agent.codegen.url,
        }
        async with served(on, folder / "bot", docker_host, **variables) as it:
            yield Play(it, agent)


async def killed_at(moment: str, folder: Path, docker_host: str | None) -> str:
    """Play one scenario; gives what was wrong, empty where nothing was."""
    async with play(folder, docker_host) as it:
        async with killer(it.it, it.moment(moment)) as killed:
            restarting = asyncio.create_task(restarted(it.it, killed))
            await it.say("/codegen plan it well")
            await it.planned()
            await it.say("/codegen approve")
            await it.ended()
            async with asyncio.timeout(PATIENCE):
                await restarting
        await it.settled()
        return "; ".join(await it.wrong())


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_killed_around_every_call(tmp_path: Path, docker_host: str | None) -> None:
    await all_of(MOMENTS, lambda moment, n: killed_at(moment, tmp_path / str(n), docker_host))
