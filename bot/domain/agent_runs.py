"""Agent runs: the record, its legal state transitions, and a run as the agent itself tells it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from bot.domain.comments import CommentReference
from bot.domain.repositories import Account, Repository


class RunStatus(StrEnum):
    """Where a run stands. A run that has a message to send waits in the queue again."""

    QUEUED = "queued"
    ACTIVE = "active"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED: Final = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED})
UNENDED: Final = frozenset({RunStatus.QUEUED, RunStatus.ACTIVE})
"""Those that the bot has something to do for; one that waits, waits for a person."""


class ResponseType(StrEnum):
    """What a run came back with."""

    REGULAR = "regular"
    PLAN = "plan"
    PULL_REQUEST = "pr"


@dataclass(frozen=True)
class RunRequest:
    """What somebody wants of the agent, and where. ``base_branch`` is what its work goes into.

    ``head_branch`` and ``head_sha`` are those of the pull request that it was asked in, else empty.
    ``place`` is the file and line of an inline comment. ``failure`` is the validation whose failure
    is to be mended, empty where the goal is another.
    """

    repository: Repository
    number: int
    goal: str
    asked_by: Account
    comment: CommentReference
    base_branch: str
    is_pull_request: bool = False
    head_branch: str = ""
    head_sha: str = ""
    place: str = ""
    wants_plan: bool = False
    model: str = ""
    agent_type: str = "codegen"
    deadline_minutes: int = 120
    failure: str = ""


@dataclass(frozen=True)
class RunMessage:
    """A follow-up for a run. ``id`` is derived from the comment that gave it.

    One that ``approves`` lets a run that was to plan go on to a pull request. ``failure`` is the
    validation whose failure is to be mended: what is told of it is gathered when it is sent.
    """

    id: str
    text: str
    login: str
    approves: bool = False
    failure: str = ""


@dataclass(frozen=True)
class AgentRun:
    """A run as it stands.

    ``remote_id`` is the agent's number, None until it has one; ``remote_seen`` the digest of what
    the agent was last seen to say. ``intended_at`` is when its creation, or the sending of
    ``messages``, was begun and not yet answered, and ``intended_messages`` how many the agent has
    if it arrived; ``attempts`` counts how often in vain; ``sent`` how many messages the agent has.
    ``active_since`` is when it was last set going. ``known_pull_requests`` are the agent's numbers
    of those that are settled; ``pull_request`` is the number of the one that counts, and
    ``head_sha`` its head when it was last looked at. ``place`` is the one in the queue, from 1.
    ``kill`` asks for the agent to be kept from the pull request as soon as it is known there;
    ``cancelled_by`` is what the wish to cancel it is known by.
    """

    id: str
    request: RunRequest
    created_at: datetime
    updated_at: datetime
    status: RunStatus = RunStatus.QUEUED
    project_id: str | None = None
    response_type: ResponseType | None = None
    response_data: Mapping[str, Any] = field(default_factory=dict)
    progress: int = 0
    current_step: str = ""
    reason: str = ""
    place: int = 0
    started_at: datetime | None = None
    active_since: datetime | None = None
    ended_at: datetime | None = None
    remote_id: int | None = None
    remote_url: str = ""
    remote_status: str = ""
    remote_seen: str = ""
    intended_at: datetime | None = None
    intended_messages: int = 0
    attempts: int = 0
    not_before: datetime | None = None
    messages: tuple[RunMessage, ...] = ()
    sent: int = 0
    known_pull_requests: tuple[int, ...] = ()
    pull_request: int | None = None
    pull_request_url: str = ""
    head_sha: str = ""
    kill: bool = False
    cancelled_by: str = ""

    @property
    def plan_marker(self) -> str:
        """The line that an answer has that is a plan."""
        return f"PLAN {self.id}"

    @property
    def wants_plan(self) -> bool:
        """Whether a plan is what it is to bring next: nobody has approved one."""
        return self.request.wants_plan and not any(it.approves for it in self.messages)

    @property
    def brought(self) -> int | None:
        """The pull request that it opened, if so: not the one that it was asked for in."""
        return self.pull_request if self.pull_request != self.request.number else None

    @property
    def pending(self) -> tuple[RunMessage, ...]:
        """The messages that the agent does not have yet."""
        return self.messages[self.sent :]

    @property
    def numbers(self) -> tuple[int, ...]:
        """The issue or pull request where it was asked for, and the pull request that it brought.

        They tell of it, and of what shares one of them, one thing runs at a time.
        """
        found = (self.request.number, self.pull_request)
        return tuple(dict.fromkeys(it for it in found if it is not None))


# ── as the agent tells it ────────────────────────────────────────────────────────────────────


_PULL_REQUEST = re.compile(r"//[^/]+/([^/]+/[^/]+)/pull/([0-9]{1,12})(?:[/?#]|$)")


class RemoteState(StrEnum):
    """What an agent's own word for a run's status means; an unknown word is still going."""

    GOING = "going"
    WAITING = "waiting"
    COMPLETE = "complete"
    FAILED = "failed"


@dataclass(frozen=True)
class RemotePullRequest:
    """A pull request that a run names. ``id`` is the agent's, the rest may be missing there."""

    id: int
    url: str = ""
    title: str = ""
    head_branch: str = ""

    @property
    def number(self) -> int | None:
        """Its number, by its address."""
        found = _PULL_REQUEST.search(self.url)
        return int(found[2]) if found else None

    @property
    def full_name(self) -> str:
        """Its repository, ``owner/name``, by its address; empty where that says nothing."""
        found = _PULL_REQUEST.search(self.url)
        return found[1] if found else ""


@dataclass(frozen=True)
class RemoteRun:
    """A run as the agent tells it. ``status`` is its own word; ``run_id`` ours, empty if none."""

    id: int
    state: RemoteState
    status: str
    created_at: datetime | None = None
    url: str = ""
    result: str = ""
    summary: str = ""
    run_id: str = ""
    pull_requests: tuple[RemotePullRequest, ...] = ()

    @property
    def digest(self) -> str:
        """What tells one look at it from the next: its status, pull requests and answer."""
        pulls = " ".join(str(it.id) for it in self.pull_requests)
        answer = hashlib.sha256(self.result.encode()).hexdigest()[:8] if self.result else ""
        return " ".join(filter(None, (self.status, pulls, answer)))


@dataclass(frozen=True)
class AgentStep:
    """An entry of a run's log: the tool that was used and what the agent thought, cut short."""

    kind: str
    tool: str
    thought: str
    at: datetime | None = None
