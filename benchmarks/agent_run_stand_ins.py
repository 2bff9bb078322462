"""The agent and GitHub that ``agent_runs`` follows, in a process of their own, by a script."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
from collections import Counter, deque
from collections.abc import (
    Sequence,
)
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from bot.adapters.codegen import RUN_ID
from bot.domain.agent_runs import (
    RemotePullRequest,
    RemoteRun,
    RemoteState,
)
from bot.domain.conversations import STATUS_MARKER
from bot.domain.repositories import Repository
from demo.codegen.server import AgentRunState, StandInCodegen
from demo.github.commenting import add_comment
from demo.github.server import Exchange, StandInGitHub
from demo.github.state import RepositoryState
from tests.flow.serving import small_repository

REPOSITORIES, INSTALLATIONS = 500, 10
SECONDS = 600.0
REACH_SECONDS = 60.0
BEGUN_A_MINUTE = 9.0
"""How fast runs were begun: the newest ones are as fresh as that allows. Others' go on so."""
STEP_EVERY = 60.0
"""Seconds between two steps of a run's log."""
SEED = 7
ANSWER = "The list is sorted now. " * 40


class Change(NamedTuple):
    """What the agent does ``at`` seconds: a status, maybe a pull request (its id; 0 for none)."""

    at: float
    remote_id: int
    place: int
    status: str
    pull_request: int = 0

    @property
    def digest(self) -> str:
        """What a record has of it."""
        pulls = (RemotePullRequest(self.pull_request),) if self.pull_request else ()
        answer = ANSWER if self.status == "COMPLETE" else ""
        state = RemoteState.GOING  # which is no part of it
        return RemoteRun(1, state, self.status, result=answer, pull_requests=pulls).digest


def remote_ids(runs: int, ended: int) -> list[int]:
    """The agent's numbers of our runs, oldest first, with gaps where others' are."""
    ours = [True] * runs + [False] * ended
    random.Random(SEED).shuffle(ours)
    return [20_000 + place for place, mine in enumerate(ours) if mine]


def script_of(ids: Sequence[int], changes: int) -> list[Change]:
    """Changes of as many runs, in the order of time; the last minute has none."""
    chance = random.Random(SEED + 1)
    kinds = [("COMPLETE", False)] * 11 + [("COMPLETE", True)] * 3 + [("ACTIVE", True)] * 3
    kinds += [("ERROR", False)] * 2 + [("MAX_ITERATIONS_REACHED", False)]
    made = []
    for index in chance.sample(range(len(ids)), changes):
        status, brings = chance.choice(kinds)
        at = chance.uniform(0, SECONDS - REACH_SECONDS)
        made.append(Change(at, ids[index], index, status, ids[index] * 10 if brings else 0))
    return sorted(made)


@dataclass(frozen=True)
class Place:
    """A repository on the stand-in, and the bot's comment in each of its issues, from 1."""

    repository: Repository
    comments: Sequence[int]


@dataclass(frozen=True)
class Told:
    """What the bot needs to know of the stand-ins."""

    codegen_url: str
    github_url: str
    private_key: str
    app_id: int
    places: Sequence[Place]


class StandIns:
    """The process; ``pass_to`` has the agent do what it does until a second."""

    def __init__(self, folder: Path, runs: int, ended: int, script: Sequence[Change]) -> None:
        context = multiprocessing.get_context("spawn")
        self._line, theirs = context.Pipe()
        self._process = context.Process(
            target=serve, args=(theirs, folder, runs, ended, script), daemon=True
        )
        self._process.start()
        theirs.close()
        self.told: Told = self._line.recv()

    def pass_to(self, seconds: float) -> None:
        """Raises EOFError where they broke."""
        self._line.send(seconds)
        self._line.recv()

    def end(self) -> Counter[str]:
        """Stop them; how often each call to GitHub was made."""
        self._line.send(None)
        calls: Counter[str] = self._line.recv()
        self._process.join()
        return calls


def serve(line: Connection, folder: Path, runs: int, ended: int, script: Sequence[Change]) -> None:
    """What that process does."""

    async def main() -> None:
        git_folder = small_repository(folder / "repository")
        async with StandInGitHub() as github, StandInCodegen() as codegen:
            calls: Counter[str] = Counter()

            def look_on(exchange: Exchange) -> None:
                calls[f"{exchange.method} {exchange.route}"] += 1

            github.look_on = look_on
            world = _Others(github, codegen, script)
            line.send(world.begin(git_folder, remote_ids(runs, ended), runs + ended))
            while (seconds := await asyncio.to_thread(line.recv)) is not None:
                await world.pass_to(seconds)
                line.send(seconds)
            line.send(calls)

    asyncio.run(main())


class _Others:
    """The agent and the people, by the script."""

    def __init__(
        self, github: StandInGitHub, codegen: StandInCodegen, script: Sequence[Change]
    ) -> None:
        self._github, self._codegen = github, codegen
        self._script = deque(script)
        self._repositories: list[RepositoryState] = []
        self._chance = random.Random(SEED + 2)
        self._steps = self._begun = self._seconds = 0.0

    def begin(self, git_folder: Path, ids: Sequence[int], count: int) -> Told:
        """What is there at first."""
        ours, github = dict(zip(ids, range(len(ids)), strict=True)), self._github
        for number in range(20_000, 20_000 + count):
            self._add(number, f"run-{ours[number]}" if number in ours else "")
        installations = [github.install(f"owner-{n}") for n in range(INSTALLATIONS)]
        places = []
        for n in range(REPOSITORIES):
            it = github.add_repository(installations[n % INSTALLATIONS], f"shop-{n}", git_folder)
            alice, comments = github.state.user("alice"), []
            for _ in ids[n::REPOSITORIES]:
                number = github.open_issue(it, author=alice, title="Sort the list").number
                bot, said = github.state.app_account, f"{STATUS_MARKER}\nat work"
                comments.append(add_comment(github.state, it, number, bot, said).id)
            self._repositories.append(it)
            owner, installation = it.owner.login, it.installation_id
            known = Repository(it.id, owner, it.name, installation, it.private, it.default_branch)
            places.append(Place(known, comments))
        state, key = github.state, github.private_key
        return Told(self._codegen.url, github.url, key, state.app_id, places)

    async def pass_to(self, seconds: float) -> None:
        """Do what happens until then: changes, steps of logs, and new runs of others."""
        passed, self._seconds = seconds - self._seconds, seconds
        while self._script and self._script[0].at <= seconds:
            await self._carry_out(self._script.popleft())
        runs = self._codegen.runs
        self._steps += passed * len(runs) / STEP_EVERY
        for _ in range(int(self._steps)):
            run = runs[20_000 + self._chance.randrange(len(runs))]
            if run.status == "ACTIVE":
                run.logs.clear()
                self._codegen.think(run, f"I look at line {self._chance.randrange(10**6)}")
        self._steps %= 1
        self._begun += passed * BEGUN_A_MINUTE / 60
        for _ in range(int(self._begun)):
            self._add(20_000 + len(runs), "")
        self._begun %= 1

    def _add(self, number: int, run_id: str) -> None:
        run = AgentRunState(number, None, [], {RUN_ID: run_id} if run_id else None, "")
        if not run_id:
            run.status, run.result = "COMPLETE", "I have sorted the list. " * 80
        self._codegen.runs[number] = run

    async def _carry_out(self, change: Change) -> None:
        run = self._codegen.runs[change.remote_id]
        if change.pull_request:
            it = self._repositories[change.place % REPOSITORIES]
            account = self._github.state.user("codegen-sh[bot]", "Bot")
            pull = await self._github.open_pull_request(it, "change", author=account, silent=True)
            url = f"{self._github.url}/{it.full_name}/pull/{pull.number}"
            head, title = pull.head_branch, pull.title
            told = {"id": change.pull_request, "url": url, "title": title, "head_branch_name": head}
            run.pull_requests.append(told)
        run.status = change.status
        if change.status == "COMPLETE":
            run.result = ANSWER
