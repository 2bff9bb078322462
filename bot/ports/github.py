"""GitHub, as far as the product needs it: reads that are fetched, writes that are "make it so"."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.domain.changes import ChangeContext
from bot.domain.check_runs import CheckRun, CheckView
from bot.domain.comments import Comment, CommentReference, Reaction
from bot.domain.conversations import Issue
from bot.domain.merging import BranchRules, MergeAnswer, MergeOrder, MergeSituation
from bot.domain.repositories import Permission, PullRequest, Repository


class GitHubProblem(Exception):
    """GitHub said no, for good. ``status`` is HTTP's; ``message`` is GitHub's own sentence."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class NotFound(GitHubProblem):
    """404 or 410: not there, or not for us (GitHub does not tell them apart)."""


class Forbidden(GitHubProblem):
    """403 that no waiting mends: the App lacks a permission, or its owner has not accepted it."""


class Unprocessable(GitHubProblem):
    """422: GitHub understood the request and refuses what it says."""


class InstallationGone(GitHubProblem):
    """The installation is suspended (403 on minting) or uninstalled (404): end quietly."""


@dataclass(frozen=True)
class Installation:
    """An installation of the App. ``suspended`` ones answer nothing else."""

    id: int
    account: str
    suspended: bool


@dataclass(frozen=True)
class File:
    """A file of a repository; ``blob_sha`` names its content."""

    path: str
    blob_sha: str
    content: bytes


@dataclass(frozen=True)
class Image:
    """A picture: ``media_type`` is told by its content."""

    media_type: str
    content: bytes


@dataclass(frozen=True)
class Missed:
    """A delivery that GitHub tried to make: ``id`` is the attempt's, ``guid`` the delivery's."""

    id: int
    guid: str
    event: str
    delivered_at: datetime
    delivered: bool


class GitHub(Protocol):
    """The App's view of GitHub.

    Every call has a timeout. A limit (primary or secondary), a 5xx, a timeout and a dropped
    connection are waited out within the call where that is short and the call is safe to repeat,
    else they raise ``TryAgain(after)``. Whatever waiting does not mend is a ``GitHubProblem``.
    Calls that create content, or edit comments, are paced over all processes that share a database.
    """

    async def own_login(self) -> str:
        """The App's account, ``SLUG[bot]``; cached for the process."""

    def installations(self) -> AsyncIterator[Installation]:
        """All installations of the App."""

    def installation_repositories(self, installation_id: int) -> AsyncIterator[Repository]:
        """All repositories that an installation reaches."""

    async def repository(self, repository: Repository) -> Repository:
        """The repository as it is now, looked up by its id, whatever its name was."""

    async def issue(self, repository: Repository, number: int) -> Issue:
        """One issue, or what a pull request is beside."""

    async def image(self, url: str) -> Image | None:
        """An image that somebody put into a comment; None for what is none, or is elsewhere.

        Only GitHub's own addresses of attachments are asked, up to 5 MB.
        """

    async def pull_request(self, repository: Repository, number: int) -> PullRequest:
        """One pull request."""

    def open_pull_requests(
        self, repository: Repository, *, head_branch: str = "", base_branch: str = ""
    ) -> AsyncIterator[PullRequest]:
        """Open pull requests, newest first.

        Those of one branch of this repository, or into one, if named.
        """

    async def pull_requests_of(self, repository: Repository, head_sha: str) -> Sequence[int]:
        """Numbers of the open pull requests whose head is exactly this commit."""

    async def changed_paths(self, repository: Repository, number: int) -> Sequence[str]:
        """Paths that a pull request touches, old names of renamed files too, the first 3,000."""

    async def comparison(
        self, repository: Repository, base_sha: str, head_sha: str
    ) -> ChangeContext:
        """What a head's own commits since a base say and change, the first 100 and 300 files.

        It has no title; a file that GitHub shows no lines of (binary, or too long) has no hunk.
        """

    async def paths_between(
        self, repository: Repository, base_sha: str, head_sha: str
    ) -> Sequence[str]:
        """Paths that differ between two commits, the first 300; none where the trees are equal."""

    async def merge_situation(self, repository: Repository, number: int) -> MergeSituation:
        """All that a merge hangs on, in one call; ``is_behind`` is left open."""

    def open_situations(
        self, repository: Repository, base_branch: str
    ) -> AsyncIterator[MergeSituation]:
        """That of every open pull request into a branch, some tens a call."""

    async def branch_rules(self, repository: Repository, branch: str) -> BranchRules:
        """What protection and rulesets ask of a merge into a branch; at most a minute old."""

    async def is_behind(self, repository: Repository, base_branch: str, head_sha: str) -> bool:
        """Whether a branch has commits that a head lacks."""

    async def merge(self, repository: Repository, number: int, order: MergeOrder) -> MergeAnswer:
        """Merge a pull request, if its head is the order's. Never repeated by itself.

        A lost answer and a 5xx raise ``TryAgain``: it may have landed, look before asking again.
        """

    async def enqueue(self, repository: Repository, node_id: str, head_sha: str) -> MergeAnswer:
        """Put a pull request into GitHub's merge queue; one that is there stays there."""

    async def update_branch(
        self, repository: Repository, number: int, head_sha: str
    ) -> MergeAnswer:
        """Have the base merged into a pull request's branch, if its head is this one.

        ``QUEUED``: GitHub does it soon; ``MERGED``: there is nothing to merge.
        """

    async def branch_head(self, repository: Repository, branch: str) -> str:
        """The commit that a branch is at. Raises NotFound."""

    async def delete_branch(self, repository: Repository, branch: str) -> None:
        """Have a branch gone. Raises Unprocessable where GitHub protects it."""

    async def add_label(self, repository: Repository, number: int, label: str) -> None:
        """Have a label at an issue or pull request."""

    async def remove_label(self, repository: Repository, number: int, label: str) -> None:
        """Have it without a label."""

    async def read_file(self, repository: Repository, path: str, ref: str) -> File | None:
        """A file's content at a branch or commit, up to 1 MB; None where there is none."""

    async def permission(self, repository: Repository, login: str) -> Permission:
        """Somebody's effective permission, at most a minute old; NONE for strangers and ghosts."""

    async def find_check_runs(self, repository: Repository, head_sha: str) -> Sequence[CheckRun]:
        """Our own check runs of the product's name on a commit, newest first."""

    async def create_check_run(self, repository: Repository, view: CheckView) -> CheckRun:
        """Make a check run, with all its annotations. Not safe to repeat: look one up first.

        A lost answer raises ``TryAgain``; the caller looks up before it tries again.
        """

    async def update_check_run(
        self, repository: Repository, check_run_id: int, view: CheckView
    ) -> None:
        """Bring a check run to a view.

        GitHub appends annotations, 50 at a time: they are sent with the conclusion only.
        """

    def comments(
        self, repository: Repository, number: int, since: datetime | None = None
    ) -> AsyncIterator[Comment]:
        """Comments of an issue or pull request's conversation, oldest first.

        Only those that were made or edited since a time, where one is given.
        """

    async def create_comment(self, repository: Repository, number: int, body: str) -> int:
        """Make a comment; gives its id. Not safe to repeat: look for it first.

        A lost answer raises ``TryAgain``; the caller looks before it tries again.
        """

    async def update_comment(self, repository: Repository, comment_id: int, body: str) -> None:
        """Have a comment say this."""

    async def react(
        self, repository: Repository, comment: CommentReference, reaction: Reaction
    ) -> None:
        """Have our reaction at a comment or issue; a review's body takes none, and gets none."""

    async def clone_token(self, repository: Repository) -> str:
        """A token that reads this repository's contents and nothing else, for git over HTTP."""

    def deliveries(self, since: datetime) -> AsyncIterator[Missed]:
        """What GitHub tried to deliver since then, newest first."""

    async def redeliver(self, attempt_id: int) -> None:
        """Have GitHub deliver one again, by its attempt's id."""
