"""What happened: webhooks, timers and results, as one closed union of frozen events.

``parse`` makes one of a delivery; only fields that are used are read. An event names what to look
at, never what is true: handlers fetch, because deliveries come late, twice and out of order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from bot.domain.agent_runs import AgentStep, RemoteRun
from bot.domain.commands import Command, Mistake, Verb
from bot.domain.comments import CommentReference
from bot.domain.repositories import Account, Repository


class PullRequestChange(StrEnum):
    """Why to look at a pull request; values are GitHub's actions where it has one."""

    OPENED = "opened"
    PUSHED = "synchronize"
    REOPENED = "reopened"
    READY_FOR_REVIEW = "ready_for_review"
    CONVERTED_TO_DRAFT = "converted_to_draft"
    CLOSED = "closed"
    RETARGETED = "edited"
    SEEN = "seen"


@dataclass(frozen=True)
class PullRequestChanged:
    """Something about a pull request may be new.

    ``before`` and ``after`` are the heads of a push, empty where it was none.
    """

    repository: Repository
    number: int
    change: PullRequestChange
    sender: Account | None = None
    before: str = ""
    after: str = ""
    kind: Literal["pull_request_changed"] = "pull_request_changed"


@dataclass(frozen=True)
class CommitsPushed:
    """A branch moved. ``head_sha`` is empty where it was deleted."""

    repository: Repository
    branch: str
    head_sha: str


@dataclass(frozen=True)
class CheckRerequested:
    """Somebody asks for our check of a commit once more, or for the whole suite."""

    repository: Repository
    head_sha: str
    sender: Account


@dataclass(frozen=True)
class CheckActionRequested:
    """Somebody pressed a button of our check run; ``external_id`` is the validation's id."""

    repository: Repository
    head_sha: str
    external_id: str
    identifier: str
    sender: Account


@dataclass(frozen=True)
class ValidationAsked:
    """Somebody who may ask for it wants this pull request's commit validated (again)."""

    repository: Repository
    number: int
    head_sha: str
    sender: Account
    kind: Literal["validation_asked"] = "validation_asked"


@dataclass(frozen=True)
class MergeGroupFormed:
    """A merge queue wants our check on the head of a group."""

    repository: Repository
    head_sha: str
    head_ref: str
    base_sha: str
    base_branch: str


@dataclass(frozen=True)
class MergeGroupDestroyed:
    """A merge queue no longer waits for a group; ``reason`` is GitHub's word."""

    repository: Repository
    head_sha: str
    reason: str


@dataclass(frozen=True)
class CommandsGiven:
    """Somebody wrote a comment with commands, or with what wants to be one.

    They are the comment's own, as it was created: a later edit gives none. ``place`` is the file
    and line that an inline comment stands at.
    """

    repository: Repository
    comment: CommentReference
    commands: tuple[Command | Mistake, ...]
    sender: Account
    is_pull_request: bool
    is_open: bool
    place: str = ""


class IssueChange(StrEnum):
    """What happened to an issue; values are GitHub's actions."""

    OPENED = "opened"
    LABELED = "labeled"


@dataclass(frozen=True)
class IssueChanged:
    """An issue was opened, or got a label. ``comment`` is the issue itself, as what is answered."""

    repository: Repository
    comment: CommentReference
    change: IssueChange
    sender: Account
    label: str = ""


class InstallationChange(StrEnum):
    """What happened to an installation; ``seen`` comes from our own reconciliation."""

    CREATED = "created"
    DELETED = "deleted"
    SUSPENDED = "suspend"
    UNSUSPENDED = "unsuspend"
    PERMISSIONS_ACCEPTED = "new_permissions_accepted"
    REPOSITORIES_CHANGED = "repositories_changed"
    SEEN = "seen"


@dataclass(frozen=True)
class InstallationChanged:
    """Which repositories an installation reaches may be new."""

    installation_id: int
    account: str
    change: InstallationChange
    kind: Literal["installation_changed"] = "installation_changed"


class RepositoryChange(StrEnum):
    """What happened to a repository; values are GitHub's actions."""

    RENAMED = "renamed"
    TRANSFERRED = "transferred"
    DELETED = "deleted"
    EDITED = "edited"
    ARCHIVED = "archived"
    UNARCHIVED = "unarchived"
    PRIVATIZED = "privatized"
    PUBLICIZED = "publicized"


@dataclass(frozen=True)
class RepositoryChanged:
    """A repository has another name, owner, default branch or visibility, or is gone."""

    repository: Repository
    change: RepositoryChange


@dataclass(frozen=True)
class ValidationEnded:
    """A job of a validation ended, in whatever way; its result is in the job's record."""

    repository: Repository
    number: int | None
    validation_id: str
    job_id: str
    kind: Literal["validation_ended"] = "validation_ended"


@dataclass(frozen=True)
class AgentRunsTouched:
    """Something about the agent runs of a repository may be new: one waits, or its time is up.

    ``look`` says that the agent may have done something.
    """

    repository: Repository
    look: bool = False
    kind: Literal["agent_runs_touched"] = "agent_runs_touched"


@dataclass(frozen=True)
class AgentRunSeen:
    """A run was looked at where the agent is, at a time.

    ``remote`` is None where the agent no longer knows it; ``step`` the newest of its log, if
    somebody looked.
    """

    repository: Repository
    run_id: str
    at: datetime
    remote: RemoteRun | None
    step: AgentStep | None = None
    kind: Literal["agent_run_seen"] = "agent_run_seen"


@dataclass(frozen=True)
class StatusOutdated:
    """What the status comment of an issue or pull request is to say may be new."""

    repository: Repository
    number: int
    kind: Literal["status_outdated"] = "status_outdated"


@dataclass(frozen=True)
class PullRequestTouched:
    """Something that a pull request's fixing or merging hangs on may be new."""

    repository: Repository
    number: int
    kind: Literal["pull_request_touched"] = "pull_request_touched"


@dataclass(frozen=True)
class CommitJudged:
    """Another App's check, or a status, of a commit is new."""

    repository: Repository
    head_sha: str
    kind: Literal["commit_judged"] = "commit_judged"


@dataclass(frozen=True)
class ButtonPressed:
    """Somebody who may pressed a button of our check run, for a pull request with that head.

    ``id`` is derived from the delivery that told of it.
    """

    repository: Repository
    number: int
    head_sha: str
    verb: Verb
    sender: Account
    id: str
    kind: Literal["button_pressed"] = "button_pressed"


@dataclass(frozen=True)
class MergeLineMoved:
    """Who is to merge next into a branch may be new: pull requests go one after the other."""

    repository: Repository
    base_branch: str
    kind: Literal["merge_line_moved"] = "merge_line_moved"


@dataclass(frozen=True)
class BaseMoved:
    """A branch moved into which others may be merged; ``head_sha`` is where it went."""

    repository: Repository
    base_branch: str
    head_sha: str
    kind: Literal["base_moved"] = "base_moved"


@dataclass(frozen=True)
class Pinged:
    """GitHub tried the webhook."""

    hook_id: int


Event = (
    PullRequestChanged
    | CommitsPushed
    | CheckRerequested
    | CheckActionRequested
    | ValidationAsked
    | CommandsGiven
    | MergeGroupFormed
    | MergeGroupDestroyed
    | InstallationChanged
    | RepositoryChanged
    | ValidationEnded
    | IssueChanged
    | AgentRunsTouched
    | AgentRunSeen
    | StatusOutdated
    | PullRequestTouched
    | CommitJudged
    | MergeLineMoved
    | BaseMoved
    | ButtonPressed
    | Pinged
)

InternalEvent = (
    PullRequestChanged
    | InstallationChanged
    | ValidationAsked
    | ValidationEnded
    | AgentRunsTouched
    | AgentRunSeen
    | StatusOutdated
    | PullRequestTouched
    | CommitJudged
    | MergeLineMoved
    | BaseMoved
    | ButtonPressed
)
"""What we leave in the inbox for ourselves.

Each has its ``kind``: a decision that is stored holds them, and some have the same fields.
"""


@dataclass(frozen=True)
class Ignored:
    """A delivery that nobody here listens to, and why."""

    reason: str


def key(event: Event) -> str:
    """What is handled one at a time: a pull request, else the rest of its repository.

    ``REPOSITORY_ID:NUMBER`` (number 0 where there is none), ``REPOSITORY_ID:runs`` for its agent
    runs, which have one queue, ``REPOSITORY_ID:line:BRANCH`` for who merges next into a branch,
    ``REPOSITORY_ID:base:BRANCH`` for a look at all that go into it; ``installation:ID`` or ``app``.
    """
    match event:
        case PullRequestChanged() | ValidationAsked() | StatusOutdated() | PullRequestTouched():
            return f"{event.repository.id}:{event.number}"
        case CommandsGiven() | IssueChanged():
            return f"{event.repository.id}:{event.comment.number}"
        case ValidationEnded():
            return f"{event.repository.id}:{event.number or 0}"
        case AgentRunsTouched() | AgentRunSeen():
            return f"{event.repository.id}:runs"
        case MergeLineMoved():
            return f"{event.repository.id}:line:{event.base_branch}"
        case BaseMoved():
            return f"{event.repository.id}:base:{event.base_branch}"
        case InstallationChanged():
            return f"installation:{event.installation_id}"
        case Pinged():
            return "app"
        case _:
            return f"{event.repository.id}:0"
