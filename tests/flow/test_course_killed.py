"""kill -9 of the worker around every call of fixing and merging: one prompt, one merge, told once.

Whether a message reached the agent that nobody answered for can't always be found out. It is not
sent twice then: fixing stops, and a person is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from bot.adapters.mongo.pull_requests import MongoPullRequests
from bot.domain.conversations import STATUS_MARKER
from bot.domain.pull_request_records import FixOutcome, PullRequestRecord, StopRule
from bot.policy.agent_words import MESSAGE_LOST
from bot.services.pull_requests import NEEDS_HUMAN
from demo.codegen.agent import ScriptedAgent, by_prompt
from demo.codegen.checkout import Change
from demo.codegen.server import ORGANIZATION, TOKEN
from demo.github.faults import Fault
from demo.github.pushes import Push
from demo.github.state import CommentState, PullRequestState
from tests.flow.killing import Call, Moment, all_of, killer, restarted, written
from tests.flow.serving import CLOCK, Served, served
from tests.git_repository import GitRepository
from tests.stand_in import coding_agent, stage

pytestmark = [pytest.mark.database, pytest.mark.engine]

PATIENCE = 450.0
"""A branch that was never brought up to date is asked for again after two minutes."""
SOON = timedelta(seconds=60)
CONFIGURED = """
deployment:
  install_command: sleep 1
  build_command: "test -f mended || { echo it is not mended; exit 3; }"
validation: {auto_merge: true, retry_backoff_seconds: 1, require_up_to_date: %s}
web_evaluation: {enabled: false}
"""
"""What needs nothing of a registry, and fails until it is mended."""
FIRST = Change("Say how many of each", files={"src/app.c": "int y;\n"}, branch="codegen/quantities")
MENDED = Change("Mend it", files={"mended": "yes\n"})
ISSUE, PULL = 1, 2

AGENT = {
    "creating the run": ("POST", "/agent/run"),
    "sending the failure": ("POST", "/agent/run/resume"),
}
MERGE = ("PUT", f"/pulls/{PULL}/merge")
LABEL = ("POST", f"/issues/{PULL}/labels")
GITHUB: dict[str, tuple[str, str, tuple[str, str] | None]] = {
    "making the check run": ("POST", "/check-runs", None),
    "telling the check run's course": ("PATCH", "/check-runs/", None),
    "reading the situation": ("POST", "/graphql", None),
    "making the issue's comment": ("POST", f"/issues/{ISSUE}/comments", None),
    "making the pull request's comment": ("POST", f"/issues/{PULL}/comments", None),
    "editing a comment": ("PATCH", "/issues/comments/", None),
    "asking whether a base moved on": ("GET", "/compare/codegen/", None),
    "reading what the push changed": ("GET", r"/compare/[0-9a-f]{40}\.\.\.", None),
    "merging": (*MERGE, None),
    "reading what came of the merge": ("POST", "/graphql", MERGE),
    "deleting the branch": ("DELETE", "/git/refs/heads/", None),
    "telling the check run of the merge": ("PATCH", "/check-runs/", MERGE),
    "telling people of the merge": ("PATCH", "/issues/comments/", MERGE),
}
LINE: dict[str, tuple[str, str, tuple[str, str] | None]] = {
    "asking whether it is behind": ("GET", r"/compare/main\.\.\.", None),
    "updating the branch": ("PUT", f"/pulls/{PULL}/update-branch", None),
    "merging what was updated": (*MERGE, None),
}
"""Of a repository where pull requests go one after the other, and the base has moved."""
STOP: dict[str, tuple[str, str, tuple[str, str] | None]] = {
    "labelling what stopped": (*LABEL, None),
    "telling a person": ("POST", f"/issues/{PULL}/comments", LABEL),
    "telling of the stop in the status": ("PATCH", "/issues/comments/", LABEL),
}
"""Where the agent answers with words, and pushes nothing."""
WRITES = {
    "the attempt is recorded": written("pull_requests", "attempts"),
    "the failure is to be sent": written("agent_runs", "intended_at", intended_messages=1),
    "the merge is intended": written("pull_requests", "merge"),
    "the merge is known": written("pull_requests", "merged_at"),
    "the branch is gone": written("pull_requests", "branch_deleted"),
}
FAULTS = {"before": Fault.DROPPED, "after": Fault.LOST_ANSWER}
MOMENTS = [
    *(f"{call}: {when}" for call in (*AGENT, *GITHUB, *LINE, *STOP) for when in FAULTS),
    *WRITES,
]


@dataclass
class Play:
    """A change that an issue asks for: it fails, is mended and merged, or a person is called."""

    it: Served
    agent: ScriptedAgent
    in_line: bool
    stops: bool

    def moment(self, name: str) -> Moment:
        call, _, when = name.partition(": ")
        if call in AGENT:
            method, part = AGENT[call]
            return Call(self.agent.codegen.faults, method, part, FAULTS[when], at_end=True)
        if call in WRITES:
            return WRITES[call]
        method, part, after = (GITHUB | LINE | STOP)[call]
        return Call(self.it.on.github.faults, method, part, FAULTS[when], after=after)

    @property
    def pull(self) -> PullRequestState:
        return self.it.on.shop.pull_requests[PULL]

    async def record(self) -> PullRequestRecord:
        return await MongoPullRequests(self.it.database).get(self.it.on.repository, PULL)

    async def begin(self) -> None:
        """Ask for the change; where it goes in line, its base moves once it is there."""
        on = self.it.on
        await on.github.comment(on.shop, ISSUE, "/codegen Say how many of each", author=on.alice)
        if not self.in_line:
            return
        async with asyncio.timeout(PATIENCE):
            while PULL not in on.shop.pull_requests:
                await CLOCK.sleep(0.1)
        before = await on.shop.commit("main")
        who = ("-c", "user.name=alice", "-c", "user.email=alice@example.com")
        words = ("commit-tree", "-p", before, "-m", "Meanwhile", f"{before}^{{tree}}")
        after = (await on.shop.git(*who, *words)).decode().strip()
        await on.shop.git("update-ref", "refs/heads/main", after)
        await on.github.pushed(on.shop, Push("refs/heads/main", before, after), on.alice)

    async def ended(self) -> None:
        """Wait until it is merged or stopped, and nothing is due."""
        async with asyncio.timeout(PATIENCE):
            while not _is_over(await self.record()):
                await CLOCK.sleep(0.2)
        inbox = self.it.database.collection("inbox")
        async with asyncio.timeout(PATIENCE):
            while True:
                soon = {"state": "ready", "due_at": {"$lte": CLOCK.now() + SOON}}
                if not await inbox.count_documents({"$or": [soon, {"state": "leased"}]}):
                    return
                await CLOCK.sleep(0.2)

    # ── what must be so ──────────────────────────────────────────────────────────────────────

    async def wrong(self) -> list[str]:
        """What is not as it must be."""
        record = await self.record()
        runs = await self.it.database.collection("agent_runs").find().to_list(10)
        lost = any(it["reason"] == MESSAGE_LOST for it in runs)
        remote = list(self.agent.codegen.runs.values())
        prompts = [len(it.prompts) for it in remote]
        dead = await self.it.database.collection("inbox").count_documents({"state": "dead"})
        checks = {
            f"{prompts} prompts": prompts == [2] or (lost and prompts == [1]),
            f"{len(record.attempts)} attempts": len(record.attempts) == 1,
            f"{dead} dead letters": not dead,
            **self._of_check_runs(),
            **self._of_comments(stopped=lost or self.stops),
        }
        if lost or self.stops:
            checks |= self._of_stop(record)
        else:
            checks |= await self._of_merge(record)
        return [told for told, well in checks.items() if not well]

    def _of_stop(self, record: PullRequestRecord) -> dict[str, bool]:
        rule = record.stop.rule if record.stop else None
        return {
            f"it stopped for {rule}": rule is StopRule.NO_PUSH,
            f"labels {self.pull.labels}": self.pull.labels == [NEEDS_HUMAN],
            "it was merged": self.pull.merged_at is None,
        }

    async def _of_merge(self, record: PullRequestRecord) -> dict[str, bool]:
        shop = self.it.on.shop
        outcomes = [it.outcome for it in record.attempts]
        listed = (await shop.git("log", "--first-parent", "--format=%s", "main")).decode()
        merges = sum(FIRST.title in it for it in listed.splitlines())
        branches = (await shop.git("branch", "--list", FIRST.branch)).decode().strip()
        known = (record.merged_sha, record.is_open, record.branch_deleted)
        return {
            f"the attempt ended as {outcomes}": outcomes == [FixOutcome.PUSHED],
            f"{merges} merges: {listed}": merges == 1,
            f"the branch {branches} is there": not branches,
            f"labels {self.pull.labels}": not self.pull.labels,
            f"the record says {known}": known == (self.pull.merge_commit_sha, False, True),
        }

    def _of_check_runs(self) -> dict[str, bool]:
        known = list(self.it.on.github.state.check_runs.values())
        heads = [it.head_sha for it in known]
        wanted = 3 if self.in_line and self.pull.merged_at else 2 if self._was_pushed() else 1
        conclusions = [it.conclusion for it in known]
        return {
            f"{len(heads)} check runs of {wanted} heads": len(heads) == len({*heads}) == wanted,
            f"they are {conclusions}": conclusions == ["failure", *["success"] * (wanted - 1)],
            "a merged one has buttons": not (self.pull.merged_at and known[-1].actions),
        }

    def _was_pushed(self) -> bool:
        return any("I pushed" in (it.result or "") for it in self.agent.codegen.runs.values())

    def _of_comments(self, *, stopped: bool) -> dict[str, bool]:
        own = self.it.on.github.state.app_account
        told: dict[str, bool] = {}
        for number in (ISSUE, PULL):
            found = self.it.on.github.state.conversation(self.it.on.shop, number)
            ours = [it for it in found if it.author is own]
            statuses = [it for it in ours if STATUS_MARKER in it.body]
            others = [it for it in ours if STATUS_MARKER not in it.body]
            calls = 1 if stopped and number == PULL else 0
            told[f"#{number} has {len(statuses)} status comments"] = len(statuses) == 1
            told[f"#{number} has the replies {[it.body for it in others]}"] = len(
                others
            ) == calls and all("@alice" in it.body for it in others)
            said = "Merged into main"
            if stopped:
                said = "A person is needed" if number == PULL else f"#{PULL}"
            told |= dict(_says(statuses, said))
        return told


def _says(statuses: list[CommentState], words: str) -> Iterator[tuple[str, bool]]:
    for it in statuses:
        yield f"#{it.number} says {it.body}", words in it.body


def _is_over(record: PullRequestRecord) -> bool:
    return record.stop is not None or (record.merged_at is not None and not record.is_open)


@asynccontextmanager
async def play(moment: str, folder: Path, docker_host: str | None) -> AsyncIterator[Play]:
    call = moment.partition(": ")[0]
    in_line, stops = call in LINE, call in STOP
    repository = GitRepository(folder / "repository")
    configured = CONFIGURED % str(in_line).lower()
    repository.commit({".github/codegenapp.yml": configured, "src/app.c": "int x;\n"})
    git_folder = folder / "repository" / ".git"
    async with stage(folder, git_folder=git_folder) as on, coding_agent(on) as agent:
        second = agent.says("I could not find it.") if stops else agent.pushes(MENDED)
        agent.choose = by_prompt(agent.opens(FIRST), second)
        on.github.open_issue(on.shop, author=on.alice, title="Quantities")
        variables = {
            "CODEGEN_ORG_ID": str(ORGANIZATION),
            "CODEGEN_API_TOKEN": TOKEN,
            "CODEGEN_API_URL": agent.codegen.url,
        }
        async with served(on, folder / "bot", docker_host, **variables) as it:
            yield Play(it, agent, in_line, stops)


async def killed_at(moment: str, folder: Path, docker_host: str | None) -> str:
    """Play one scenario; gives what was wrong, empty where nothing was."""
    async with play(moment, folder, docker_host) as it, killer(it.it, it.moment(moment)) as killed:
        restarting = asyncio.create_task(restarted(it.it, killed))
        try:
            await it.begin()
            await it.ended()
            async with asyncio.timeout(PATIENCE if killed.is_set() else 5.0):
                await asyncio.shield(restarting)
            await it.ended()
        except TimeoutError:
            at = "it was killed" if killed.is_set() else "it was never killed"
            return f"{at}; {await it.record()}\n{it.it.worker.errors[-3000:]}"
        finally:
            restarting.cancel()
            await asyncio.gather(restarting, return_exceptions=True)
        return "; ".join(await it.wrong())


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_killed_around_every_call(tmp_path: Path, docker_host: str | None) -> None:
    await all_of(MOMENTS, lambda moment, n: killed_at(moment, tmp_path / str(n), docker_host))
