"""The closed list of all that the bot may do, and the ``Decision`` that holds it.

An effect is "make it so": carrying it out twice is the same as once. It carries frozen views and
ids, never text; it is stored in the inbox item before the first one is carried out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from bot.domain.agent_runs import ResponseType, RunMessage, RunRequest, RunStatus
from bot.domain.comments import Answer, CommentReference, Reaction
from bot.domain.events import InternalEvent
from bot.domain.notices import Notice
from bot.domain.projects import ProjectStatus
from bot.domain.pull_request_effects import PullRequestEffect
from bot.domain.repositories import Account, Repository
from bot.domain.validations import FailureClass


@dataclass(frozen=True)
class ValidationOrder:
    """Which commit to validate, for whom, and what it may do.

    ``ref`` is what to fetch from the repository; ``base_sha`` is None where nothing is compared.
    ``trusted`` code may have secrets, services and snapshots of its own: never a fork's.
    ``asked_by`` is who allowed or asked for it where it did not start by itself.
    """

    repository: Repository
    head_sha: str
    ref: str
    base_branch: str
    base_sha: str | None
    number: int | None
    url: str
    trusted: bool
    attempt: int = 1
    asked_by: Account | None = None

    @property
    def lane(self) -> str:
        """What runs one at a time: a pull request, else a commit of the repository."""
        return f"{self.repository.id}:{self.number or self.head_sha}"


@dataclass(frozen=True)
class RecordValidation:
    """Have a validation's record, in state ``requested``; a known attempt stays as it is."""

    validation_id: str
    order: ValidationOrder
    kind: Literal["record_validation"] = "record_validation"


@dataclass(frozen=True)
class StartValidation:
    """Have a job for a recorded validation, not before a time; a cancelled one gets none."""

    validation_id: str
    job_id: str
    not_before: datetime | None = None
    kind: Literal["start_validation"] = "start_validation"


@dataclass(frozen=True)
class DeclineValidation:
    """Conclude a recorded validation without running it: ``reason`` is a clause for its title.

    The class ``untrusted_fork`` says that somebody who may can still let it run.
    """

    validation_id: str
    reason: str
    failure_class: FailureClass | None = None
    kind: Literal["decline_validation"] = "decline_validation"


@dataclass(frozen=True)
class CancelValidation:
    """Have a validation cancelled, its job and its box gone; an ended one stays as it ended."""

    validation_id: str
    reason: str
    kind: Literal["cancel_validation"] = "cancel_validation"


@dataclass(frozen=True)
class LeavePullRequest:
    """A pull request no longer wants a validation; the last one to leave has it cancelled."""

    validation_id: str
    number: int
    reason: str
    kind: Literal["leave_pull_request"] = "leave_pull_request"


@dataclass(frozen=True)
class ConcludeValidation:
    """Write a job's result into the validation's record; an ended one stays as it ended."""

    validation_id: str
    job_id: str
    kind: Literal["conclude_validation"] = "conclude_validation"


@dataclass(frozen=True)
class PublishCheck:
    """Bring GitHub's check run of a validation to what its record says now."""

    validation_id: str
    kind: Literal["publish_check"] = "publish_check"


@dataclass(frozen=True)
class EvaluateBase:
    """Have a commit looked at in a browser, some time, for changes to be held against.

    ``pushed`` where its branch has just moved to it: then it is idle once the branch moves on.
    """

    repository: Repository
    sha: str
    pushed: bool = False
    kind: Literal["evaluate_base"] = "evaluate_base"


@dataclass(frozen=True)
class KeepProject:
    """Have an active project for a repository, under its present name."""

    repository: Repository
    kind: Literal["keep_project"] = "keep_project"


@dataclass(frozen=True)
class RetireProject:
    """Have a repository's project inactive; its records stay."""

    repository_id: int
    status: ProjectStatus
    reason: str
    kind: Literal["retire_project"] = "retire_project"


@dataclass(frozen=True)
class LeaveEvent:
    """Have an event in the inbox, for another key or for later.

    ``once`` names what it is left for, where another delivery may tell of the same: empty, it is
    left once for each delivery.
    """

    event: InternalEvent
    due_at: datetime | None = None
    once: str = ""
    kind: Literal["leave_event"] = "leave_event"


@dataclass(frozen=True)
class React:
    """Have our reaction at a comment; where GitHub refuses it, there is none."""

    repository: Repository
    comment: CommentReference
    reaction: Reaction
    kind: Literal["react"] = "react"


@dataclass(frozen=True)
class Reply:
    """Have one reply to a comment, with an answer to each of its commands that wants one."""

    repository: Repository
    comment: CommentReference
    login: str
    answers: tuple[Answer, ...]
    kind: Literal["reply"] = "reply"


@dataclass(frozen=True)
class Notify:
    """Have somebody outside of GitHub told, at an address of the repository's configuration."""

    webhook_url: str
    notice: Notice
    kind: Literal["notify"] = "notify"


@dataclass(frozen=True)
class SpendBudget:
    """Have it counted that the agent is set going, within what a repository may spend in a day.

    ``what`` is the run or message that it is for: it is counted once. Where the budget is spent
    meanwhile, the decision is made anew.
    """

    repository: Repository
    what: str
    most_a_day: int
    kind: Literal["spend_budget"] = "spend_budget"


@dataclass(frozen=True)
class RequestRun:
    """Have a run's record, in the queue; a known one stays as it is."""

    run_id: str
    request: RunRequest
    kind: Literal["request_run"] = "request_run"


@dataclass(frozen=True)
class MessageRun:
    """Have a message among a run's, and the run in the queue to send it; a known one stays."""

    run_id: str
    message: RunMessage
    kind: Literal["message_run"] = "message_run"


@dataclass(frozen=True)
class StartRun:
    """Have a queued run under way at the agent's, created or sent its messages there."""

    run_id: str
    kind: Literal["start_run"] = "start_run"


@dataclass(frozen=True)
class QueueRun:
    """Have a run's place in the queue, and why it waits, in its record."""

    run_id: str
    place: int
    reason: str
    kind: Literal["queue_run"] = "queue_run"


@dataclass(frozen=True)
class NoteRun:
    """Have a run's record say how far it is."""

    run_id: str
    remote_status: str
    remote_seen: str
    progress: int
    step: str
    pull_request: int | None = None
    pull_request_url: str = ""
    kind: Literal["note_run"] = "note_run"


@dataclass(frozen=True)
class EndRun:
    """Have a run no longer followed: ended, or waiting for a person. One that ended before stays.

    ``known_pull_requests`` are the agent's numbers of all that it named and that are settled.
    """

    run_id: str
    status: RunStatus
    reason: str
    response_type: ResponseType | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    remote_status: str = ""
    remote_seen: str = ""
    pull_request: int | None = None
    pull_request_url: str = ""
    head_sha: str = ""
    known_pull_requests: tuple[int, ...] = ()
    kind: Literal["end_run"] = "end_run"


@dataclass(frozen=True)
class LinkRun:
    """Have a pull request that a run named before count as the one that it brought."""

    run_id: str
    pull_request: int
    pull_request_url: str
    head_sha: str
    kind: Literal["link_run"] = "link_run"


@dataclass(frozen=True)
class CancelRun:
    """Have a run cancelled: no longer followed; ``kill`` also keeps agents from its pull request.

    One that has ended stays so; it is killed all the same. ``by`` is what the wish is known by.
    """

    run_id: str
    reason: str
    kill: bool = False
    by: str = ""
    kind: Literal["cancel_run"] = "cancel_run"


@dataclass(frozen=True)
class PublishStatus:
    """Bring the status comment of an issue or pull request to what the records say now."""

    repository: Repository
    number: int
    kind: Literal["publish_status"] = "publish_status"


Effect = (
    RecordValidation
    | StartValidation
    | DeclineValidation
    | CancelValidation
    | LeavePullRequest
    | ConcludeValidation
    | PublishCheck
    | EvaluateBase
    | KeepProject
    | RetireProject
    | LeaveEvent
    | React
    | Reply
    | Notify
    | SpendBudget
    | RequestRun
    | MessageRun
    | StartRun
    | QueueRun
    | NoteRun
    | EndRun
    | LinkRun
    | CancelRun
    | PublishStatus
    | PullRequestEffect
)


@dataclass(frozen=True)
class Decision:
    """What should happen and why. ``reason`` is one sentence for the audit log."""

    reason: str
    effects: tuple[Effect, ...] = ()
