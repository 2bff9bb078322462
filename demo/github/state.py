"""What the stand-in GitHub knows: accounts, installations, repositories, pull requests, checks.

Commits and files are those of real bare git repositories; nothing of them is kept here.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from demo.github.merging_state import (
    AppState,
    QueueEntry,
    Requirements,
    ReviewState,
    Ruleset,
    StatusState,
    ThreadState,
)

GIT_SECONDS = 60.0
WRITERS = frozenset({"write", "maintain", "admin"})
"""The roles that may push, and speak where others may not."""


@dataclass
class User:
    """An account."""

    id: int
    login: str
    kind: str = "User"


@dataclass
class PullRequestState:
    """A pull request; its head is ``refs/pull/N/head`` of the base repository."""

    id: int
    number: int
    title: str
    author: User
    head_branch: str
    base_branch: str
    head_sha: str
    head_repository_id: int | None
    created_at: datetime
    updated_at: datetime
    state: str = "open"
    draft: bool = False
    body: str = ""
    locked: bool = False
    reactions: list[tuple[str, str]] = field(default_factory=list)
    """Login and content of each."""
    labels: list[str] = field(default_factory=list)
    maintainer_can_modify: bool = False
    base_sha: str = ""
    """Where the base stood when it was closed; an open one's base moves."""
    closed_at: datetime | None = None
    merged_at: datetime | None = None
    merged_by: User | None = None
    merge_commit_sha: str | None = None
    looked_at: tuple[str, str] = ("", "")
    """For which base and head GitHub has begun to find out whether they merge."""

    @property
    def head_ref(self) -> str:
        """Where the base repository has its head."""
        return f"refs/pull/{self.number}/head"


@dataclass
class IssueState:
    """An issue."""

    id: int
    number: int
    title: str
    body: str
    author: User
    created_at: datetime
    updated_at: datetime
    state: str = "open"
    labels: list[str] = field(default_factory=list)
    locked: bool = False
    reactions: list[tuple[str, str]] = field(default_factory=list)
    """Login and content of each."""


@dataclass
class CommentState:
    """A comment; ``kind`` is ``issue`` (the conversation), ``review`` or ``inline``."""

    id: int
    repository_id: int
    number: int
    author: User
    body: str
    created_at: datetime
    updated_at: datetime
    kind: str = "issue"
    reactions: list[tuple[str, str]] = field(default_factory=list)
    """Login and content of each."""
    history: list[str] = field(default_factory=list)
    """Each body that it ever had."""


@dataclass
class RepositoryState:
    """A repository, with its bare git folder."""

    id: int
    owner: User
    name: str
    folder: Path
    installation_id: int
    created_at: datetime
    private: bool = False
    default_branch: str = "main"
    pull_requests: dict[int, PullRequestState] = field(default_factory=dict)
    issues: dict[int, IssueState] = field(default_factory=dict)
    permissions: dict[str, str] = field(default_factory=dict)
    """Roles by login (``write``, ``maintain``, …); strangers may ``read`` what is public."""
    pushing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by who moves branches: what a push moved is what is different after it."""
    allowed_methods: set[str] = field(default_factory=lambda: {"merge", "squash", "rebase"})
    delete_branch_on_merge: bool = False
    protections: dict[str, Requirements] = field(default_factory=dict)
    """Of the branches that are protected in the classic way, by name."""
    rulesets: dict[int, Ruleset] = field(default_factory=dict)
    queues: dict[str, list[QueueEntry]] = field(default_factory=dict)
    """What waits to be merged into each branch, first come first."""
    queueing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by who puts something into a queue."""
    base_moves: int = 0
    """How many merges are still to be told that the base moved under them."""
    settled: dict[tuple[str, ...], bytes] = field(default_factory=dict)
    """What git says of commits by their own names, which never changes."""
    merged_trees: dict[tuple[str, str], str | None] = field(default_factory=dict)
    """What two commits come to, None where they conflict: git need not be asked twice."""
    tried_merges: dict[tuple[str, str], str | None] = field(default_factory=dict)
    """The merge commit that was made of a base and a head, to see whether there is one."""
    ancestry: dict[tuple[str, str], bool] = field(default_factory=dict)
    """Whether the second of two commits holds the first."""

    @property
    def full_name(self) -> str:
        """``owner/name``."""
        return f"{self.owner.login}/{self.name}"

    @property
    def next_number(self) -> int:
        """The number of the next issue or pull request: they share theirs."""
        return max([0, *self.pull_requests, *self.issues]) + 1

    def issue(self, number: int) -> IssueState | PullRequestState | None:
        """The issue or pull request of this number: to GitHub, both are issues."""
        return self.pull_requests.get(number) or self.issues.get(number)

    async def base_sha_of(self, pull: PullRequestState) -> str:
        """Where a pull request's base stands, or stood when it was closed. Raises LookupError."""
        if pull.base_sha and pull.state != "open":
            return pull.base_sha
        return await self.commit(f"refs/heads/{pull.base_branch}")

    def entry_of(self, pull: PullRequestState) -> QueueEntry | None:
        """Its place in a merge queue, if it has one."""
        queue = self.queues.get(pull.base_branch, [])
        return next((it for it in queue if it.number == pull.number), None)

    def role_of(self, user: User) -> str:
        """What an account is here: ``none``, ``read``, ``triage``, ``write``, ``maintain``, …."""
        stranger = "none" if self.private else "read"
        return self.permissions.get(user.login, "admin" if self.owner is user else stranger)

    async def git(self, *words: str, sent: bytes = b"") -> bytes:
        """What a git command prints, given this. Raises LookupError where it fails."""
        process = await asyncio.create_subprocess_exec(
            *("git", f"--git-dir={self.folder}", *words),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"PATH": os.defpath, "HOME": "/", "GIT_CONFIG_NOSYSTEM": "1"},
        )
        try:
            async with asyncio.timeout(GIT_SECONDS):
                said, _ = await process.communicate(sent)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        if process.returncode:
            raise LookupError(words)
        return said

    async def git_of_commits(self, *words: str) -> bytes:
        """The same of a command that names commits by their object names alone, asked once."""
        if words not in self.settled:
            self.settled[words] = await self.git(*words)
        return self.settled[words]

    async def commit(self, name: str) -> str:
        """The object name of a commit. Raises LookupError."""
        said = await self.git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        return said.decode().strip()


@dataclass
class InstallationState:
    """An installation of the App."""

    id: int
    account: User
    created_at: datetime
    suspended_at: datetime | None = None


@dataclass
class CheckRunState:
    """A check run; ``output`` keeps all annotations that were ever sent."""

    id: int
    repository_id: int
    name: str
    head_sha: str
    external_id: str
    status: str
    started_at: str
    details_url: str = ""
    conclusion: str | None = None
    completed_at: str | None = None
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    annotations: list[dict[str, Any]] = field(default_factory=list)
    actions: list[dict[str, str]] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    """Each state that it was ever in: ``status`` or ``completed/conclusion``, and the title."""
    texts: list[str] = field(default_factory=list)
    """Each text that its details ever had."""
    buttons: list[tuple[str, ...]] = field(default_factory=list)
    """What its buttons were called by each time that they were others."""
    app: AppState | None = None
    """Whose it is; None for the App under test."""

    @property
    def app_slug(self) -> str:
        """What tells Apps apart, empty for the App under test."""
        return self.app.slug if self.app else ""


@dataclass
class DeliveryState:
    """One attempt to deliver a webhook."""

    id: int
    guid: str
    event: str
    action: str | None
    body: bytes
    delivered_at: datetime
    status_code: int
    installation_id: int | None
    repository_id: int | None
    redelivery: bool = False


@dataclass
class State:
    """Everything. Ids are given in turn."""

    app_id: int
    app_slug: str
    public_key: str
    hook_url: str = ""
    users: dict[str, User] = field(default_factory=dict)
    installations: dict[int, InstallationState] = field(default_factory=dict)
    repositories: dict[int, RepositoryState] = field(default_factory=dict)
    check_runs: dict[int, CheckRunState] = field(default_factory=dict)
    comments: dict[int, CommentState] = field(default_factory=dict)
    reviews: dict[int, ReviewState] = field(default_factory=dict)
    threads: dict[int, ThreadState] = field(default_factory=dict)
    statuses: list[StatusState] = field(default_factory=list)
    apps: dict[str, AppState] = field(default_factory=dict)
    """Other Apps, by slug."""
    slow_mergeability: bool = False
    """Who looks first at a new base or head is not told whether they merge, as on GitHub."""
    deliveries: list[DeliveryState] = field(default_factory=list)
    tokens: dict[str, tuple[int, frozenset[int] | None, datetime]] = field(default_factory=dict)
    """Installation id, repository ids (None: all) and the end of each token that was minted."""
    push_tokens: dict[str, User] = field(default_factory=dict)
    """Whose each token is that was given to an account; it may what the account may."""
    attachments: dict[str, bytes] = field(default_factory=dict)
    """The pictures (PNG) that were dropped into comments, by their ids."""
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1001))

    def user(self, login: str, kind: str = "User") -> User:
        """An account, made where there is none."""
        return self.users.setdefault(login, User(next(self.ids), login, kind))

    @property
    def app_account(self) -> User:
        """The App's own account."""
        return self.user(f"{self.app_slug}[bot]", "Bot")

    def another_app(self, slug: str) -> AppState:
        """An App that is not the one under test, made where there is none."""
        if slug not in self.apps:
            account = self.user(f"{slug}[bot]", "Bot")
            self.apps[slug] = AppState(next(self.ids), slug, slug.capitalize(), account)
        return self.apps[slug]

    def may_write(self, repository: RepositoryState, user: User) -> bool:
        """Whether an account may change a repository: the App may, in all that it sees."""
        return user is self.app_account or repository.role_of(user) in WRITERS

    def conversation(self, repository: RepositoryState, number: int) -> list[CommentState]:
        """The comments of an issue or pull request's conversation, oldest first."""
        return [
            it
            for it in self.comments.values()
            if (it.repository_id, it.number, it.kind) == (repository.id, number, "issue")
        ]

    def reviews_of(self, repository: RepositoryState, number: int) -> list[ReviewState]:
        """The reviews of a pull request, oldest first."""
        known = self.reviews.values()
        return [it for it in known if (it.repository_id, it.number) == (repository.id, number)]

    def threads_of(self, repository: RepositoryState, number: int) -> list[ThreadState]:
        """The conversations about a pull request's lines, oldest first."""
        known = self.threads.values()
        return [it for it in known if (it.repository_id, it.number) == (repository.id, number)]

    def named(self, owner: str, name: str) -> RepositoryState | None:
        """A repository by its present name."""
        wanted = f"{owner}/{name}".casefold()
        return next(
            (it for it in self.repositories.values() if it.full_name.casefold() == wanted), None
        )

    def runs_of(self, repository_id: int, head_sha: str) -> list[CheckRunState]:
        """The check runs of a commit, oldest first."""
        return [
            run
            for run in self.check_runs.values()
            if run.repository_id == repository_id and run.head_sha == head_sha
        ]


def now() -> datetime:
    """The stand-in's clock."""
    return datetime.now(UTC)  # noqa: TID251  the demo has a clock of its own, as GitHub has


def iso(at: datetime | None) -> str | None:
    """A time as GitHub writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else None
