"""Long work, with a lease of its own: it never holds a pull request's key.

A job is queued, claimed by a worker that has capacity for its class, kept alive by heartbeats, and
ended in one transaction with the event that tells of it, where somebody waits for that. A job whose
worker died is claimed again by nobody: its lease runs out, and ``expire`` ends it as an
infrastructure error.
Of each ``lane`` at most one job runs; of those that wait in turn over repositories.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from bot.ports.inbox import Item


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True)
class Job:
    """A piece of long work. ``subject`` is the id of the record it is for.

    ``result`` is what the ended job found, None where it was cancelled before it began.
    """

    id: str
    kind: str
    subject: str
    lane: str
    repository_id: int
    created_at: datetime
    not_before: datetime | None = None
    state: JobState = JobState.QUEUED
    cancel_requested: bool = False
    cancel_reason: str = ""
    result: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class JobClaim:
    """A running job, leased; ``token`` fences every write."""

    job: Job
    token: int


class Jobs(Protocol):
    """See the module. A late write after ``claim`` raises ``bot.ports.inbox.LeaseLost``."""

    async def add(self, job: Job) -> None:
        """Queue a job; one with a known id stays as it is."""

    async def get(self, job_id: str) -> Job | None:
        """A job by its id."""

    async def claim(self, owner: str, kinds: Sequence[str]) -> JobClaim | None:
        """Lease the next job; None where nothing is due that may run now."""

    async def beat(self, claims: Sequence[JobClaim]) -> Sequence[JobClaim]:
        """Prolong leases; gives the claims that are lost."""

    async def cancel(self, job_id: str, reason: str) -> bool:
        """Ask a job to end. True where it had not begun, and is ended now."""

    async def cancelled(self, claims: Sequence[JobClaim]) -> Sequence[JobClaim]:
        """Those whose cancellation was requested."""

    async def has_younger(self, job: Job) -> bool:
        """Whether a job of the same kind and lane that was queued later waits."""

    async def end(self, claim: JobClaim, result: Mapping[str, Any], event: Item | None) -> None:
        """End a job and leave its event in the inbox, if it has one, in one transaction."""

    async def hand_back(self, claim: JobClaim) -> None:
        """Queue a running job again at once: this process is stopping."""

    async def expired(self, limit: int) -> Sequence[JobClaim]:
        """Running jobs whose lease ran out, for somebody to ``end`` them."""

    def wakes(self) -> AsyncIterator[None]:
        """One for each job queued or to be cancelled; may be late, never ends."""
