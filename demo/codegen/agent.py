"""``ScriptedAgent``: what it does is written down, and how it does it is real.

It clones over HTTP, commits, pushes with a token of its own, and opens pull requests.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from demo.codegen.checkout import Change, checkout
from demo.codegen.server import AgentRunState, StandInCodegen
from demo.git_command import GitFailed
from demo.github.server import StandInGitHub
from demo.github.state import PullRequestState, RepositoryState, User, iso

_EXISTING = re.compile(
    r"^\W*push to the existing branch:?\s+(?:`([^`\s]+)`|(\S+))", re.IGNORECASE | re.MULTILINE
)
_MARKER = re.compile(r"^\W*(PLAN [0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\W*$", re.MULTILINE)


@dataclass(frozen=True)
class Ending:
    """How a run ends, or pauses."""

    status: str
    result: str | None = None
    summary: str | None = None


Act = Callable[[AgentRunState], Awaitable[Ending | None]]
"""What the agent does for a prompt; without an ending the run stays under way."""
Choice = Callable[[AgentRunState], Act]


class CannotWork(Exception):
    """What was asked for can't be begun."""


class ScriptedAgent:
    """Works for a stand-in API on a stand-in GitHub, as ``account``, which needs to write there.

    ``choose`` gives the act for a run's newest prompt (see ``by_prompt``). ``pause`` seconds pass
    between its steps.
    """

    def __init__(
        self,
        github: StandInGitHub,
        codegen: StandInCodegen,
        account: User,
        choose: Choice | None = None,
        *,
        pause: float = 0.0,
    ) -> None:
        self.github = github
        self.codegen = codegen
        self.account = account
        self.choose = choose or (lambda _run: self.says("There was nothing to do."))
        self.pause = pause
        self._token = github.token_for(account)
        codegen.script = self.work

    async def work(self, run: AgentRunState) -> None:
        """Do what was chosen for a run's newest prompt, and end it so."""
        try:
            ending = await self.choose(run)(run)
        except (CannotWork, GitFailed) as fault:
            ending = Ending("ERROR", str(fault))
        if ending is None:
            return
        if ending.status != "PAUSED":
            kind = "FINAL_ANSWER" if ending.status == "COMPLETE" else "ERROR"
            self.codegen.think(run, ending.result or ending.status, kind=kind)
        run.status, run.result, run.summary = ending.status, ending.result, ending.summary

    # ── acts ─────────────────────────────────────────────────────────────────────────────────

    def opens(
        self, *changes: Change, base: str = "", elsewhere: RepositoryState | None = None
    ) -> Act:
        """Open a pull request for each change, into ``base`` or what the repository calls default.

        It goes to the change's own branch, the one that the prompt names, or a new one. Where that
        has an open pull request, the run names that one. ``elsewhere`` is another repository.
        """

        async def act(run: AgentRunState) -> Ending:
            repository = elsewhere or self._repository_of(run)
            into = base or repository.default_branch
            pulls = [await self._open(run, repository, it, into) for it in changes]
            done = "\n".join(f"- {it['title']}: {it['url']}" for it in pulls)
            return Ending("COMPLETE", f"I made the changes.\n\n{done}", changes[-1].title)

        return act

    def pushes(self, change: Change, branch: str = "") -> Act:
        """Push a change to a branch that is there, the prompt's or this; name no pull request."""

        async def act(run: AgentRunState) -> Ending:
            repository = self._repository_of(run)
            onto = branch or existing_branch(run)
            if not onto:
                raise CannotWork("No branch was named.")
            await self._push(run, repository, change, onto, repository.default_branch)
            return Ending("COMPLETE", f"I pushed to {onto}: {change.title}", change.title)

        return act

    def plans(self, text: str) -> Act:
        """Answer with a plan, and under it with the line that the prompt asks for, if it does."""

        async def act(run: AgentRunState) -> Ending:
            await self._step(run, "Weighing what has to be done", kind="PLAN_EVALUATION")
            marker = plan_marker(run)
            return Ending("COMPLETE", f"{text}\n\n{marker}" if marker else text)

        return act

    def says(self, text: str) -> Act:
        """Answer with words."""

        async def act(run: AgentRunState) -> Ending:
            await self._step(run, "Reading the code", "ripgrep_search")
            return Ending("COMPLETE", text)

        return act

    def thinks(self, *thoughts: str) -> Act:
        """Think, and stay under way."""

        async def act(run: AgentRunState) -> None:
            for thought in thoughts:
                await self._step(run, thought)

        return act

    def fails(self, status: str = "ERROR", text: str | None = None) -> Act:
        """Fail, with a status of the API's own (``ERROR``, ``OUT_OF_TOKENS``, ``TIMEOUT``, …)."""
        return _ends(Ending(status, text))

    def pauses(self, text: str | None = None) -> Act:
        """Wait for a person."""
        return _ends(Ending("PAUSED", text))

    # ── what several need ────────────────────────────────────────────────────────────────────

    async def _step(
        self, run: AgentRunState, thought: str, tool: str = "", kind: str = "ACTION"
    ) -> None:
        self.codegen.think(run, thought, tool, kind)
        if self.pause:
            await asyncio.sleep(self.pause)  # noqa: TID251  an agent takes its time

    async def _open(
        self, run: AgentRunState, repository: RepositoryState, change: Change, base: str
    ) -> dict[str, Any]:
        """Push a change, and have a pull request of it, that the run names."""
        branch = change.branch or existing_branch(run) or f"codegen/{run.id}-{change.slug}"
        await self._push(run, repository, change, branch, base)
        pull = _open_of(repository, branch)
        if pull is None:
            await self._step(run, "Opening a pull request", "create_pr", "INITIAL_PR_GENERATION")
            pull = await self.github.open_pull_request(
                repository,
                branch,
                author=self.account,
                title=change.title,
                body=change.body,
                base=base,
            )
        named = self._named(repository, pull)
        if named not in run.pull_requests:
            run.pull_requests.append(named)
        return named

    async def _push(
        self,
        run: AgentRunState,
        repository: RepositoryState,
        change: Change,
        branch: str,
        base: str,
    ) -> None:
        """Clone, change, commit and push. Raises GitFailed."""
        url = f"{self.github.url}/{repository.full_name}.git"
        await self._step(run, f"Cloning {repository.full_name}", "run_command")
        async with checkout(url, self._token, self.account.login) as clone:
            there = await clone.start(branch, base)
            await self._step(run, f"Reading {branch if there else base}", "ripgrep_search")
            for path in await clone.edit(change):
                await self._step(run, f"Editing {path}", "edit_file")
            await clone.commit(change)
            await self._step(run, f"Committing: {change.title}", "run_command")
            await clone.push(branch)
            await self._step(run, f"Pushed to {branch}", "run_command")

    def _repository_of(self, run: AgentRunState) -> RepositoryState:
        for it in self.codegen.repositories:
            if it["id"] == run.repository_id:
                return self.github.state.repositories[int(it["github_id"])]
        raise CannotWork(f"No repository {run.repository_id} is set up.")

    def _named(self, repository: RepositoryState, pull: PullRequestState) -> dict[str, Any]:
        """A pull request as a run names it."""
        return {
            "id": pull.id,
            "created_at": iso(pull.created_at),
            "title": pull.title,
            "url": f"{self.github.url}/{repository.full_name}/pull/{pull.number}",
            "head_branch_name": pull.head_branch,
        }


def by_prompt(*acts: Act) -> Choice:
    """The first act for a run's first prompt, and so on; the last one for all that follow."""
    return lambda run: acts[min(len(run.prompts), len(acts)) - 1]


def in_order(*acts: Act) -> Act:
    """One act after another, for one prompt; it ends as the last one does."""

    async def act(run: AgentRunState) -> Ending | None:
        ending = None
        for it in acts:
            ending = await it(run)
        return ending

    return act


def when(happened: asyncio.Event, act: Act) -> Act:
    """An act that is begun when something has happened."""

    async def later(run: AgentRunState) -> Ending | None:
        await happened.wait()
        return await act(run)

    return later


def existing_branch(run: AgentRunState) -> str:
    """The branch that the newest prompt to name one says to push to, empty where none does."""
    for prompt in reversed(run.prompts):
        found = _EXISTING.search(prompt)
        if found is not None:
            return next(it for it in found.groups() if it).rstrip(".,;:)")
    return ""


def plan_marker(run: AgentRunState) -> str:
    """The line (``PLAN`` and an id) that the newest prompt wants repeated, if it does."""
    found = _MARKER.search(run.prompts[-1])
    return found[1] if found else ""


def _ends(ending: Ending) -> Act:
    async def act(run: AgentRunState) -> Ending:
        del run  # it ends like any other
        return ending

    return act


def _open_of(repository: RepositoryState, branch: str) -> PullRequestState | None:
    """The open pull request of a branch of this repository."""
    for pull in repository.pull_requests.values():
        at = (pull.state, pull.head_branch, pull.head_repository_id)
        if at == ("open", branch, repository.id):
            return pull
    return None
