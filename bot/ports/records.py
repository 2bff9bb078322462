"""The records that only services write, the audit log, and the lines of running validations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from bot.domain.agent_runs import AgentRun, RunMessage, RunStatus
from bot.domain.base_evaluations import BaseEvaluation
from bot.domain.conversations import Conversation
from bot.domain.projects import Project, ProjectStatus
from bot.domain.pull_request_records import PullRequestRecord
from bot.domain.repositories import Repository
from bot.domain.validation_records import ValidationRecord


class Projects(Protocol):
    """One project for each repository id."""

    async def keep(self, repository: Repository, at: datetime) -> Project:
        """The active project of a repository, made or brought up to date."""

    async def retire(
        self, repository_id: int, status: ProjectStatus, reason: str, at: datetime
    ) -> None:
        """Have a project in another state, where there is one."""

    async def of_repository(self, repository_id: int) -> Project | None: ...

    async def get(self, project_id: str) -> Project | None: ...

    async def named(self, full_name: str) -> Project | None:
        """The project whose repository is called ``owner/name``, in any case."""

    def all(self, *, installation_id: int | None = None) -> AsyncIterator[Project]: ...

    async def update(self, project_id: str, changes: Mapping[str, Any]) -> Project | None:
        """Change settings of a project: keys are fields of ``Project``."""


class EvaluatedBases(Protocol):
    """What a browser saw of commits that changes are held against; kept ``RETENTION_DAYS``."""

    async def get(self, repository_id: int, sha: str) -> BaseEvaluation | None: ...

    async def keep(self, evaluation: BaseEvaluation) -> None:
        """Keep one; it takes the place of an earlier one of its commit."""


class Validations(Protocol):
    """One record for each (repository id, head SHA, attempt)."""

    async def add(self, record: ValidationRecord) -> ValidationRecord:
        """Keep a new record; the known one of its repository, commit and attempt where there is.

        The pull requests of both are joined.
        """

    async def get(self, validation_id: str) -> ValidationRecord | None: ...

    async def of_commit(self, repository_id: int, head_sha: str) -> Sequence[ValidationRecord]:
        """All attempts at a commit, oldest first."""

    async def of_commits(
        self, repository_id: int, head_shas: Collection[str]
    ) -> Mapping[str, Sequence[ValidationRecord]]:
        """The same for many commits, by their SHAs, without the reports.

        That is, ``result``, ``summary`` and ``detail`` are empty.
        """

    async def unended_of(self, repository_id: int, number: int) -> Sequence[ValidationRecord]:
        """Those of a pull request that have not ended."""

    def unended(self) -> AsyncIterator[ValidationRecord]:
        """All that have not ended, for repair."""

    def unconcluded(self, since: datetime) -> AsyncIterator[ValidationRecord]:
        """Those that ended since then, and whose check run was not told, for repair."""

    async def change(
        self, validation_id: str, changes: Mapping[str, Any], *, unless_ended: bool = True
    ) -> ValidationRecord | None:
        """Change fields of a record and count its version up; the record as it is then.

        None where there is no such record, or where it has ended and ``unless_ended`` is true.
        """

    async def intend_check(
        self, validation_id: str, by: str, at: datetime, lapsed: datetime
    ) -> bool:
        """Write down that a check run is about to be made; False where somebody else makes it.

        An intention of the same one, or from before ``lapsed``, is taken over.
        """

    async def leave(self, validation_id: str, number: int) -> ValidationRecord | None:
        """Take a pull request from a record's; the record as it is then."""

    async def newest_of(self, repository_id: int, number: int) -> ValidationRecord | None:
        """The newest one that a pull request wanted."""

    async def belong(self, repository_id: int, number: int, agent_run_id: str) -> None:
        """Have those of a pull request belong to an agent run, where they belong to none."""


class AgentRuns(Protocol):
    """One record for each run."""

    async def add(self, run: AgentRun) -> AgentRun:
        """Keep a new record; the known one of its id where there is."""

    async def get(self, run_id: str) -> AgentRun | None: ...

    async def of_issue(self, repository_id: int, number: int) -> Sequence[AgentRun]:
        """Those asked for in an issue or pull request, or that brought it: newest first.

        The last hundred.
        """

    async def of_issues(
        self, repository_id: int, numbers: Collection[int]
    ) -> Mapping[int, Sequence[AgentRun]]:
        """The same for many of them, by number; those of none are left out."""

    async def unended_of(self, repository_id: int) -> Sequence[AgentRun]:
        """Those of a repository that are queued or active, oldest first."""

    def unended(self) -> AsyncIterator[AgentRun]:
        """All that are queued or active, oldest first."""

    async def uncreated_before(self, at: datetime) -> int:
        """How many that were asked for before wait for the agent to take them."""

    async def change(
        self, run_id: str, changes: Mapping[str, Any], *, only: Collection[RunStatus] = ()
    ) -> AgentRun | None:
        """Change fields of a record; as it is then. None where it is in none of ``only``."""

    async def intend(self, run: AgentRun, at: datetime) -> AgentRun | None:
        """Write down that a run is about to be created or sent its messages; one attempt more.

        None where it has ended, or somebody else has intended it since ``run`` was read.
        """

    async def tell(
        self, run_id: str, message: RunMessage, changes: Mapping[str, Any]
    ) -> AgentRun | None:
        """Add a message and change fields; None where the message is among the record's."""

    async def naming(self, repository_id: int, url: str) -> Sequence[AgentRun]:
        """Those of a repository that named a pull request by this address at their end."""


class AgentBudget(Protocol):
    """How often the agent was set going in each repository: counted before it is."""

    async def spend(
        self, repository_id: int, what: str, at: datetime, since: datetime, most: int
    ) -> bool:
        """Count something once, if fewer than ``most`` were counted since a time.

        True where it is counted, now or before; False where there is no room. Of many at once no
        more than there is room for are.
        """

    async def spent_since(self, repository_id: int, since: datetime) -> Sequence[datetime]:
        """When each was counted since then, oldest first."""


class Unreadable(Exception):
    """A record is there and can't be understood: whoever counts by it must not go on."""


class PullRequests(Protocol):
    """One record for each pull request that was dealt with."""

    async def get(self, repository: Repository, number: int) -> PullRequestRecord:
        """The record; an empty one where there is none. Raises Unreadable."""

    async def of_numbers(
        self, repository: Repository, numbers: Collection[int]
    ) -> Mapping[int, PullRequestRecord]:
        """The same for many of them, by number; what can't be understood is left out."""

    async def change(
        self, repository: Repository, number: int, changes: Mapping[str, Any]
    ) -> PullRequestRecord:
        """Change fields, made where there is no record; the record as it is then."""

    async def line(self, repository_id: int, base_branch: str) -> Sequence[PullRequestRecord]:
        """Those that stand in the line of a branch, the first one first."""

    def unfinished(self, looked_before: datetime) -> AsyncIterator[PullRequestRecord]:
        """Open ones that were last judged before then, the longest ago first, for repair."""


class Conversations(Protocol):
    """One record for each issue or pull request where the bot has a status comment."""

    async def get(self, repository_id: int, number: int) -> Conversation: ...

    async def intend(
        self, conversation: Conversation, by: str, at: datetime, lapsed: datetime
    ) -> bool:
        """Write down that its comment is about to be made; False where somebody else makes it.

        An intention of the same one, or from before ``lapsed``, is taken over.
        """

    async def keep(self, conversation: Conversation) -> None:
        """Have the record like this."""


class Turns(Protocol):
    """Work that one process does for all of them."""

    async def take(self, name: str, until: datetime) -> bool:
        """Have the turn until a time; False where another process has it. Safe to repeat."""


@dataclass(frozen=True)
class AuditEvent:
    """Something that was decided or became so. ``type`` is dotted (``validation.completed``).

    ``cursor`` is where to resume after it; empty until it is read back.
    """

    type: str
    at: datetime
    project_id: str | None
    subject: str
    data: Mapping[str, Any]
    cursor: str = ""


class AuditLog(Protocol):
    """The collection ``events``: what was decided, in order. Never log lines."""

    async def write(self, events: Sequence[AuditEvent]) -> None: ...

    def follow(self, after: str = "") -> AsyncIterator[AuditEvent]:
        """Events as they are written, from now or after a cursor. Raises CursorTooOld."""

    async def of_subject(self, subject: str, limit: int) -> Sequence[AuditEvent]:
        """The events of one subject, newest first."""


class CursorTooOld(Exception):
    """The database no longer remembers what followed this cursor."""


@dataclass(frozen=True)
class LogChunk:
    """A piece of a validation's output, masked. ``offset`` is in bytes of UTF-8 of its stage."""

    validation_id: str
    job_id: str
    stage: str
    offset: int
    text: str
    at: datetime


class LogChunks(Protocol):
    """The lines of validations under way, until they are an artifact."""

    async def write(self, chunks: Sequence[LogChunk]) -> None: ...

    def of_job(self, job_id: str) -> AsyncIterator[LogChunk]:
        """All chunks of a job, in order of stage and offset."""

    async def forget(self, job_id: str) -> None:
        """Remove a job's chunks: its log is an artifact now."""
