"""Pull requests on their way into ``main`` of the stand-in GitHub, and what was asked of it."""

from __future__ import annotations

import re
import subprocess
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.domain.pull_request_records import PullRequestRecord
from demo.github.faults import Fault
from demo.github.pushes import Push
from demo.github.state import CheckRunState, PullRequestState, User
from tests.flow.agency import Agency, agency
from tests.flow.rig import SYSTEM, until
from tests.stand_in import Stage

MERGE = re.compile(r"PUT /repos/octo/shop/pulls/(\d+)/merge")
COMMENTS = frozenset({"issue_comment", "pull_request_review_comment"})
Happening = Callable[[], Fault | None]
"""What happens when GitHub is asked for something, and how it fails, if it does."""


@dataclass
class Courses:
    """The bot at work, with people: ``root`` is an admin, ``alice`` and ``bob`` may write."""

    agency: Agency
    root: User
    bob: User

    @property
    def on(self) -> Stage:
        return self.agency.bot.on

    # ── what people do ───────────────────────────────────────────────────────────────────────

    async def commit(self, parent: str, name: str, text: str = "") -> str:
        """A commit that has a file more than its parent, or another one."""
        return await self.agency.write(await self.on.shop.commit(parent), name, text or f"{name}\n")

    async def branch(self, name: str, file: str = "", *, text: str = "", of: str = "main") -> str:
        """A branch that changes a file, ``NAME.md`` where none is said; its commit."""
        made = await self.commit(of, file or f"{name}.md", text)
        await self.on.shop.git("update-ref", f"refs/heads/{name}", made)
        return made

    async def opened(self, name: str, file: str = "", **more: object) -> PullRequestState:
        """A pull request of alice's, of a new branch."""
        await self.branch(name, file)
        return await self.on.github.open_pull_request(
            self.on.shop,
            name,
            author=self.on.alice,
            **more,  # type: ignore[arg-type]  # by their names
        )

    async def push(self, pull: PullRequestState, name: str, text: str = "") -> str:
        """A commit more on a pull request, by alice."""
        made = await self.commit(pull.head_sha, name, text)
        await self.on.github.push(self.on.shop, pull, made, sender=self.on.alice)
        return made

    async def push_base(self, name: str, text: str = "") -> None:
        """A commit more on ``main``, by hand."""
        before, made = await self.on.shop.commit("main"), await self.commit("main", name, text)
        await self.on.shop.git("update-ref", "refs/heads/main", made)
        push = Push("refs/heads/main", before, made)
        await self.on.github.pushed(self.on.shop, push, self.on.alice)

    # ── how it stands ────────────────────────────────────────────────────────────────────────

    async def green(self, pull: PullRequestState) -> CheckRunState:
        """The check of the head, when it is green and nothing is left to do."""
        runs = self.agency.bot.runs
        await until(
            lambda: any(it.conclusion == "success" for it in runs(pull.head_sha)[-1:]),
            lambda: f"{[it.history for it in runs(pull.head_sha)]}",
        )
        await self.agency.bot.idle()
        return runs(pull.head_sha)[-1]

    async def record(self, pull: PullRequestState) -> PullRequestRecord:
        """What is kept of a pull request."""
        return await self.agency.bot.it.pull_requests.get(self.on.repository, pull.number)

    async def merged(self, pull: PullRequestState) -> str:
        """Wait until a pull request is merged, and its story closed; the commit that it is."""
        await until(lambda: pull.merged_at is not None, lambda: f"{self.on.github.faults.calls}")
        await self.agency.bot.idle()
        found = await self.record(pull)
        assert (found.merged_sha, found.is_open) == (pull.merge_commit_sha, False)
        await self.agency.shows(pull.number, "Merged into main")
        return found.merged_sha

    async def kept_back(self, pull: PullRequestState, *names: str) -> str:
        """Wait until exactly these keep it back, and nothing is left to do; the check's text."""
        await self.waits(pull, *names)
        await self.agency.bot.idle()
        await self.waits(pull, *names)
        assert not pull.merged_at
        runs = self.agency.bot.runs(pull.head_sha)
        return (runs[-1].text or "") if runs else ""

    async def waits(self, pull: PullRequestState, *names: str) -> None:
        """Wait until exactly these are said to keep a pull request back."""
        missing: dict[str, str] = {}
        for _ in range(1_500):
            found = (await self.record(pull)).explanation
            if found is not None and found.head_sha == pull.head_sha:
                missing = {it.name: it.value for it in found.criteria if not it.holds}
                if set(missing) == set(names):
                    return
            await SYSTEM.sleep(0.02)
        raise AssertionError(f"#{pull.number} is kept back by {missing}, not by {names}")

    def asked(self, pull: PullRequestState) -> int:
        """How often GitHub was asked to merge it."""
        calls = (MERGE.fullmatch(it) for it in self.on.github.faults.calls)
        return sum(it is not None and it[1] == str(pull.number) for it in calls)

    async def on_main(self) -> list[str]:
        """The subjects of the commits of ``main``, newest first."""
        said = await self.on.shop.git("log", "--first-parent", "--format=%s", "main")
        return said.decode().splitlines()

    async def message(self, commit: str) -> str:
        """A commit's message."""
        return (await self.on.shop.git("log", "-1", "--format=%B", commit)).decode().strip()

    async def has_branch(self, name: str) -> bool:
        """Whether there is such a branch."""
        found = await self.on.shop.git("for-each-ref", f"refs/heads/{name}")
        return bool(found.strip())

    def has_files(self, commit: str, *names: str) -> bool:
        """Whether a commit has all of these files."""
        words = ("git", f"--git-dir={self.on.shop.folder}", "ls-tree", "--name-only", commit)
        found = subprocess.run(words, capture_output=True, text=True, check=True)
        return set(names) <= set(found.stdout.splitlines())

    def move(self, ref: str, commit: str) -> None:
        """Move a ref at once, and tell nobody yet."""
        words = ("git", f"--git-dir={self.on.shop.folder}", "update-ref", ref, commit)
        subprocess.run(words, check=True)

    # ── moments ──────────────────────────────────────────────────────────────────────────────

    def when_merging(self, *happenings: Happening) -> None:
        """What happens at the first call for a merge, at the second, …"""
        left = list(happenings)

        def choose(_number: int, method: str, path: str) -> Fault | None:
            is_it = left and MERGE.fullmatch(f"{method} {path}")
            return left.pop(0)() if is_it else None

        self.on.github.faults.choose = choose

    async def told_again(self) -> None:
        """Every delivery once more, as another one: nothing changes.

        Comments are told twice where they are made: the same one would undo what came after it.
        """
        before = await self._seen()
        github = self.on.github
        for it in [it for it in github.state.deliveries if it.event not in COMMENTS]:
            await github.redeliver(it.id, guid=str(uuid.uuid4()))
        await self.agency.bot.idle()
        after = await self._seen()
        assert after == before, "a second delivery changed something"

    async def _seen(self) -> list[object]:
        """What people see, and how it came to be."""
        state = self.on.github.state
        return [
            await self.on_main(),
            {pull.number: self.asked(pull) for pull in self.on.shop.pull_requests.values()},
            {it.id: len(it.history) for it in state.check_runs.values()},
            {it.id: list(it.history) for it in state.comments.values()},
        ]


@asynccontextmanager
async def courses(
    mongodb: str, folder: Path, rules: str, *, speed: float = 40.0
) -> AsyncIterator[Courses]:
    """All of it, with these rules of validation; at the end everything is told once more."""
    async with agency(mongodb, folder, speed=speed) as running:
        on = running.bot.on
        root, bob = on.github.state.user("root"), on.github.state.user("bob")
        on.shop.permissions |= {"root": "admin", "bob": "write"}
        await running.configure(f"validation: {{{rules}}}\n")
        it = Courses(running, root, bob)
        yield it
        on.github.faults.choose = lambda _number, _method, _path: None
        await it.told_again()
