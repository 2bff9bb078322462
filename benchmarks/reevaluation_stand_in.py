"""The GitHub that ``reevaluation`` works on, in a process of its own: many open pull requests."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from bot.domain.check_runs import CHECK_NAME
from bot.domain.repositories import Repository
from demo.github.answers import GRAPHQL
from demo.github.graph import kind_of
from demo.github.graph_cost import cost_of
from demo.github.pushes import Push
from demo.github.server import Exchange, StandInGitHub
from demo.github.state import CheckRunState, PullRequestState, iso, now
from tests.git_repository import GitRepository

CONFIGURED = """
validation: {auto_merge: true, required_approvals: 1}
web_evaluation: {enabled: false}
"""
READS = frozenset({"GET", "HEAD"})


class Call(NamedTuple):
    """A call as GitHub's limits see it: ``at`` in seconds; ``points`` are GraphQL's, else 0."""

    at: float
    kind: str
    points: int

    @property
    def is_query(self) -> bool:
        """Whether it is GraphQL's."""
        return self.kind.startswith("graphql")

    @property
    def is_read(self) -> bool:
        """Whether it changes nothing."""
        return self.kind == "graphql query" or self.kind.partition(" ")[0] in READS


class Pull(NamedTuple):
    """An open pull request, and our check run of its head."""

    number: int
    head_sha: str
    check_run_id: int


class Told(NamedTuple):
    """What the bot needs to know of the stand-in."""

    url: str
    private_key: str
    secret: str
    app_id: int
    repository: Repository
    pulls: Sequence[Pull]


class StandIn:
    """The process."""

    def __init__(self, folder: Path, count: int, approved: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._line, theirs = context.Pipe()
        self._process = context.Process(
            target=serve, args=(theirs, folder, count, approved), daemon=True
        )
        self._process.start()
        theirs.close()
        self.told: Told = self._line.recv()

    async def push(self, hook_url: str) -> None:
        """Have somebody push to the base; webhooks go there from now on."""
        self._line.send(hook_url)
        await asyncio.to_thread(self._line.recv)

    def calls(self) -> tuple[list[Call], int]:
        """Those since it was last asked, and how many pull requests are merged."""
        self._line.send(True)
        told: tuple[list[Call], int] = self._line.recv()
        return told

    def end(self) -> None:
        """Stop it."""
        self._line.send(None)
        self._process.join()


def serve(line: Connection, folder: Path, count: int, approved: int) -> None:
    """What that process does."""

    async def main() -> None:
        async with StandInGitHub() as github:
            calls: list[Call] = []
            began = time.perf_counter()
            github.look_on = lambda it: calls.append(_call(it, time.perf_counter() - began))
            # As GitHub: whether it merges is worked out after somebody has asked.
            github.state.slow_mergeability = True
            world = _Hub(github, folder, count)
            line.send(await world.begin(approved))
            while (asked := await asyncio.to_thread(line.recv)) is not None:
                if asked is True:
                    merged = [it for it in world.pulls if it.merged_at is not None]
                    line.send((list(calls), len(merged)))
                    calls.clear()
                else:
                    github.hook_url = asked
                    await world.push()
                    line.send(asked)

    asyncio.run(main())


def _call(exchange: Exchange, at: float) -> Call:
    if exchange.route != GRAPHQL:
        return Call(at, f"{exchange.method} {exchange.route}", 0)
    sent = json.loads(exchange.sent)
    points = cost_of(sent["query"], sent.get("variables") or {})
    return Call(at, f"graphql {kind_of(exchange.sent)}", points)


class _Hub:
    """One repository, and who pushes to it."""

    def __init__(self, github: StandInGitHub, folder: Path, count: int) -> None:
        self._github = github
        self._folder = folder
        self._count = count
        self._alice = github.state.user("alice")
        installation = github.install("octo")
        self._shop = github.add_repository(installation, "shop", folder / ".git")
        self._shop.permissions |= {"alice": "write", "bob": "write"}

    @property
    def pulls(self) -> list[PullRequestState]:
        return list(self._shop.pull_requests.values())

    async def begin(self, approved: int) -> Told:
        """All that is there at first: green pull requests, some of which are approved."""
        made = GitRepository(self._folder)
        main = made.commit({".github/codegenapp.yml": CONFIGURED, "README.md": "A shop.\n"})
        numbers = range(1, self._count + 1)
        made.git("fast-import", "--quiet", standard_input=_commits(main, numbers))
        heads = made.git("for-each-ref", "--format=%(objectname) %(refname)", "refs/pull")
        pulls = [self._pull(*it.split()) for it in heads.splitlines()]
        pulls.sort()
        bob, state, shop = self._github.state.user("bob"), self._github.state, self._shop
        for it in pulls[:: max(1, self._count // approved)][:approved]:
            pull = shop.pull_requests[it.number]
            await self._github.submit_review(shop, pull, "approved", author=bob)
        known = Repository(
            shop.id, "octo", "shop", shop.installation_id, shop.private, shop.default_branch
        )
        github = self._github
        return Told(github.url, github.private_key, github.secret, state.app_id, known, pulls)

    async def push(self) -> None:
        """Another commit on the base."""
        shop = self._shop
        before = await shop.commit("main")
        who = ("-c", "user.name=alice", "-c", "user.email=alice@example.com")
        words = ("commit-tree", "-p", before, "-m", "Say more", f"{before}^{{tree}}")
        after = (await shop.git(*who, *words)).decode().strip()
        await shop.git("update-ref", "refs/heads/main", after)
        await self._github.pushed(shop, Push("refs/heads/main", before, after), self._alice)

    def _pull(self, head_sha: str, ref: str) -> Pull:
        state, shop = self._github.state, self._shop
        number = int(ref.split("/")[2])
        shop.pull_requests[number] = PullRequestState(
            id=next(state.ids),
            number=number,
            title=f"Change number {number}",
            author=self._alice,
            head_branch=f"change-{number}",
            base_branch="main",
            head_sha=head_sha,
            head_repository_id=shop.id,
            created_at=now(),
            updated_at=now(),
        )
        run = CheckRunState(
            next(state.ids),
            shop.id,
            CHECK_NAME,
            head_sha,
            external_id=f"validation-{number}",
            status="completed",
            conclusion="success",
            started_at=str(iso(now())),
            title="Passed",
            summary="Passed",
        )
        state.check_runs[run.id] = run
        return Pull(number, head_sha, run.id)


def _commits(main: str, numbers: Sequence[int]) -> bytes:
    """A branch and a pull request's head for each number, for ``git fast-import``."""
    parts = []
    for number in numbers:
        text = f"Change number {number}\n"
        parts.append(
            f"commit refs/heads/change-{number}\nmark :{number}\n"
            f"committer Alice <alice@example.com> {1_700_000_000 + number} +0000\n"
            f"data {len(text)}\n{text}from {main}\n"
            f"M 100644 inline changes/{number}.txt\ndata {len(text)}\n{text}\n"
            f"reset refs/pull/{number}/head\nfrom :{number}\n"
        )
    return "\n".join(parts).encode()
