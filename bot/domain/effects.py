"""The closed list of all that the bot may do, and the ``Decision`` that holds it.

An effect is "make it so": carrying it out twice is the same as once. It carries frozen views and
ids, never text; it is stored in the inbox item before the first one is carried out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bot.domain.comments import Answer, CommentReference, Reaction
from bot.domain.events import InternalEvent
from bot.domain.projects import ProjectStatus
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
    """Have an event in the inbox, for another key or for later."""

    event: InternalEvent
    due_at: datetime | None = None
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


Effect = (
    RecordValidation
    | StartValidation
    | DeclineValidation
    | CancelValidation
    | LeavePullRequest
    | ConcludeValidation
    | PublishCheck
    | KeepProject
    | RetireProject
    | LeaveEvent
    | React
    | Reply
)


@dataclass(frozen=True)
class Decision:
    """What should happen and why. ``reason`` is one sentence for the audit log."""

    reason: str
    effects: tuple[Effect, ...] = ()
