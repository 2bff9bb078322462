"""Repositories, accounts and pull requests, as far as the product uses them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True)
class Repository:
    """A repository that an installation reaches. ``id`` is GitHub's and outlives a new name."""

    id: int
    owner: str
    name: str
    installation_id: int
    private: bool = True
    default_branch: str = ""

    @property
    def full_name(self) -> str:
        """``owner/name``."""
        return f"{self.owner}/{self.name}"


@dataclass(frozen=True)
class Account:
    """Who did something. ``id`` is GitHub's; a login can be imitated, an id can't."""

    id: int
    login: str
    is_bot: bool = False


class Permission(StrEnum):
    """What somebody may do in a repository, from nothing to everything."""

    NONE = "none"
    READ = "read"
    TRIAGE = "triage"
    WRITE = "write"
    MAINTAIN = "maintain"
    ADMIN = "admin"

    def allows(self, least: Permission) -> bool:
        """Whether this permission is at least the other one."""
        order = list(Permission)
        return order.index(self) >= order.index(least)


@dataclass(frozen=True)
class PullRequest:
    """A pull request as GitHub tells it now, never as an event told it once.

    ``head_repository_id`` is None where the fork is gone. ``ref`` is where its head can be
    fetched from in the base repository, whoever owns the branch. ``maintainer_can_modify`` says
    that whoever may write here may push to the branch of a fork.
    """

    number: int
    title: str
    url: str
    author: Account
    is_open: bool
    draft: bool
    head_sha: str
    head_branch: str
    head_repository_id: int | None
    base_sha: str
    base_branch: str
    updated_at: datetime | None = None
    maintainer_can_modify: bool = False

    @property
    def ref(self) -> str:
        """``refs/pull/7/head``."""
        return f"refs/pull/{self.number}/head"
