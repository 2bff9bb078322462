"""What merging asks about: rules of branches, reviews and threads, statuses, queues, other Apps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from demo.github.state import User

OPINIONS = frozenset({"approved", "changes_requested", "dismissed"})
"""What a review may say that counts; a comment takes nothing back."""


@dataclass(frozen=True)
class AppState:
    """Another App than the one under test; ``account`` is what it acts as."""

    id: int
    slug: str
    name: str
    account: User


@dataclass(frozen=True)
class Requirements:
    """What must hold before a branch takes a change."""

    checks: Mapping[str, int | None] = field(default_factory=dict)
    """The App that each required check must come from, by the check's name; None for any."""
    strict: bool = False
    """The head must hold all of the base."""
    approvals: int = 0
    reviews: bool = False
    """Reviews are required; so they are where ``approvals`` is not zero."""
    dismiss_stale: bool = False
    conversations: bool = False
    """All of them must be resolved."""
    linear: bool = False
    queue: bool = False
    """Only the merge queue merges."""
    methods: tuple[str, ...] = ("merge", "squash", "rebase")
    """Which ways of merging a ruleset allows."""
    deletable: bool = False


@dataclass(frozen=True)
class Ruleset:
    """Requirements for the branches whose names match one of ``branches``."""

    id: int
    name: str
    branches: tuple[str, ...]
    requirements: Requirements

    def holds_for(self, branch: str, default: str) -> bool:
        """Whether it applies; ``~DEFAULT_BRANCH`` and ``~ALL`` as on GitHub."""
        return any(
            it == "~ALL"
            or (it == "~DEFAULT_BRANCH" and branch == default)
            or fnmatchcase(branch, it)
            for it in self.branches
        )


@dataclass
class ReviewState:
    """A submitted review: ``approved``, ``changes_requested``, ``commented`` or ``dismissed``."""

    id: int
    repository_id: int
    number: int
    author: User
    state: str
    body: str
    commit_id: str
    submitted_at: datetime


@dataclass
class ThreadState:
    """A conversation about a line; ``comments`` are the ids of its comments."""

    id: int
    repository_id: int
    number: int
    comments: list[int]
    resolved_by: User | None = None


@dataclass(frozen=True)
class StatusState:
    """A commit status; a later one of the same context takes its place."""

    id: int
    repository_id: int
    sha: str
    context: str
    state: str
    description: str
    target_url: str
    creator: User
    created_at: datetime


@dataclass
class QueueEntry:
    """A pull request in a merge queue; ``head_sha`` is of the commit that would be merged."""

    id: int
    number: int
    enqueuer: User
    enqueued_at: datetime
    base_sha: str
    head_sha: str
    head_ref: str
    state: str = "AWAITING_CHECKS"
