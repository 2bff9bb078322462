"""The whole bot in this process, with a coding agent whose acts are scripted, its git real."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.domain.agent_runs import AgentRun, RunStatus
from bot.domain.conversations import STATUS_MARKER
from demo.codegen.agent import ScriptedAgent
from demo.codegen.server import AgentRunState
from demo.github.state import CommentState, User, now
from tests.flow.rig import SYSTEM, Bot, bot, until
from tests.stand_in import coding_agent, stage


@dataclass
class Agency:
    """The bot at work, and its coding agent."""

    bot: Bot
    agent: ScriptedAgent

    @property
    def remote(self) -> list[AgentRunState]:
        """The runs that the agent has, in order."""
        return list(self.agent.codegen.runs.values())

    def issue(self, title: str = "Quantities", body: str = "Two of each, please.") -> int:
        on = self.bot.on
        return on.github.open_issue(on.shop, author=on.alice, title=title, body=body).number

    async def say(
        self, number: int, text: str, author: User | None = None, kind: str = "issue"
    ) -> CommentState:
        """Write a comment, delivered twice."""
        on = self.bot.on
        made = await on.github.comment(on.shop, number, text, author=author or on.alice, kind=kind)
        await self.bot.idle_inbox()
        await on.github.tell_of_comment(on.shop, made)
        await self.bot.idle_inbox()
        return made

    async def runs(self, number: int) -> list[AgentRun]:
        """The records of an issue or pull request, oldest first."""
        found = await self.bot.it.runs.of_issue(self.bot.on.shop.id, number)
        return list(reversed(found))

    async def run(self, number: int, *stands: RunStatus, idle: bool = True) -> AgentRun:
        """The newest run here, when it stands so."""
        async with asyncio.timeout(60):
            while True:
                runs = await self.runs(number)
                if runs and runs[-1].status in stands:
                    if idle:
                        await self.bot.idle_inbox()
                    return (await self.runs(number))[-1]
                await SYSTEM.sleep(0.02)

    async def ended(self, number: int) -> AgentRun:
        return await self.run(
            number, RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.WAITING, RunStatus.CANCELLED
        )

    def own(self, number: int) -> list[CommentState]:
        own = self.bot.on.github.state.app_account
        found = self.bot.on.github.state.conversation(self.bot.on.shop, number)
        return [it for it in found if it.author is own]

    def status(self, number: int) -> str:
        """What the one status comment says."""
        (comment,) = [it for it in self.own(number) if it.body.startswith(STATUS_MARKER)]
        return comment.body

    def replies(self, number: int) -> list[str]:
        found = [it for it in self.own(number) if not it.body.startswith(STATUS_MARKER)]
        assert all(len(it.history) == 1 for it in found), "a second delivery changed it"
        return [it.body for it in found]

    async def shows(self, number: int, *words: str) -> str:
        """What the status comment says, when it says these."""
        await until(
            lambda: any(
                all(word in it.body for word in words)
                for it in self.own(number)
                if it.body.startswith(STATUS_MARKER)
            ),
            lambda: f"{words}: {[it.body for it in self.own(number)]}",
        )
        return self.status(number)

    async def configure(self, text: str) -> None:
        """Have a repository configuration on the default branch."""
        shop = self.bot.on.shop
        blob = await shop.git("hash-object", "-w", "--stdin", sent=text.encode())
        index = f"100644 blob {blob.decode().strip()}\tcodegenapp.yml\n"
        folder = (await shop.git("mktree", sent=index.encode())).decode().strip()
        commit = await self._commit(shop.default_branch, f"040000 tree {folder}\t.github")
        await shop.git("update-ref", f"refs/heads/{shop.default_branch}", commit)

    async def write(self, parent: str, name: str, text: str) -> str:
        """A commit on top of another one that has a file at its root; nothing points to it."""
        blob = await self.bot.on.shop.git("hash-object", "-w", "--stdin", sent=text.encode())
        return await self._commit(parent, f"100644 blob {blob.decode().strip()}\t{name}")

    async def _commit(self, parent: str, entry: str) -> str:
        """A commit whose tree is its parent's but for an entry of its root."""
        shop, name = self.bot.on.shop, entry.partition("\t")[2]
        listed = (await shop.git("ls-tree", parent)).decode().splitlines()
        kept = [line for line in listed if line.partition("\t")[2] != name]
        tree = await shop.git("mktree", sent="\n".join([*kept, entry, ""]).encode())
        who = ("-c", "user.name=alice", "-c", "user.email=alice@example.com")
        words = ("commit-tree", "-p", parent, "-m", f"write {name}", tree.decode().strip())
        return (await shop.git(*who, *words)).decode().strip()

    async def suspend(self) -> None:
        """Have the App's installation suspended."""
        on = self.bot.on
        installation = on.github.state.installations[on.shop.installation_id]
        installation.suspended_at = now()
        payload = {
            "action": "suspend",
            "installation": {"id": installation.id, "account": {"login": "octo"}},
        }
        await on.github.send("installation", payload, None, on.alice)


@asynccontextmanager
async def agency(
    mongodb: str, folder: Path, *, with_agent: bool = True, speed: float = 20.0
) -> AsyncIterator[Agency]:
    """The bot and its agent at work; at the end nothing may be a dead letter."""
    async with (
        stage(folder / "repository") as on,
        coding_agent(on) as agent,
        bot(
            on, mongodb, folder, speed=speed, codegen=agent.codegen if with_agent else None
        ) as running,
    ):
        yield Agency(running, agent)
        assert await running.dead() == []


def reactions(comment: CommentState) -> list[str]:
    """Ours, in order."""
    return [content for _, content in comment.reactions]
