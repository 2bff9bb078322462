"""What is kept of a pull request: what people decided, what was tried, and how it came out.

GitHub knows the rest, and is asked. Nothing here says that a commit is good: validations do.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.merging import Explanation, MergeMethod
from bot.domain.repositories import Account, Repository


@dataclass(frozen=True)
class Override:
    """An admin's word that a criterion counts as met, for one head and base only."""

    criterion: str
    head_sha: str
    login: str
    reason: str
    at: datetime
    base_branch: str = ""


@dataclass(frozen=True)
class FixWish:
    """Somebody who may asks for a fix. ``id`` is derived from the comment, or the press.

    ``head_sha`` is the head when it was asked: the failure of that one is meant.
    """

    id: str
    asker: Account
    head_sha: str
    at: datetime
    hint: str = ""


class FixOutcome(StrEnum):
    """What became of an attempt to fix; without one it goes on."""

    PUSHED = "pushed"
    NO_PUSH = "no_push"
    EMPTY_PUSH = "empty_push"
    ONLY_TESTS = "only_tests"
    SECOND_PULL_REQUEST = "second_pull_request"
    AGENT_FAILED = "agent_failed"
    CANCELLED = "cancelled"
    OVERTAKEN = "overtaken"


@dataclass(frozen=True)
class FixAttempt:
    """A failure that was sent to the agent, and what came of it.

    ``ordinal`` counts from 1 over the pull request's life. ``head_sha`` is the failed head,
    ``validation_id`` the validation that failed there, ``signature`` what tells that failure from
    another, ``failure`` the failure in a line. ``run_id`` is the agent run that took it.
    ``changed`` are the paths that its push touched (the first twenty), ``pushed_sha`` the head
    that it led to.
    ``wish_id`` names what a person asked for, ``asked_by`` that person; both are empty where it
    began by itself.
    """

    id: str
    ordinal: int
    head_sha: str
    validation_id: str
    signature: str
    failure: str
    run_id: str
    sent_at: datetime
    asked_by: str = ""
    wish_id: str = ""
    outcome: FixOutcome | None = None
    pushed_sha: str = ""
    changed: tuple[str, ...] = ()
    ended_at: datetime | None = None


class StopRule(StrEnum):
    """Why fixing stopped, until a person goes on."""

    ATTEMPTS_SPENT = "attempts_spent"
    SAME_FAILURE = "same_failure"
    FAILURE_CAME_BACK = "failure_came_back"
    NO_PUSH = "no_push"
    EMPTY_PUSH = "empty_push"
    ONLY_TESTS = "only_tests"
    SECOND_PULL_REQUEST = "second_pull_request"
    AGENT_FAILED = "agent_failed"
    CANCELLED = "cancelled"
    BUDGET_OF_PULL_REQUEST = "budget_of_pull_request"
    BUDGET_OF_DAY = "budget_of_day"
    FORK = "fork"


@dataclass(frozen=True)
class Stop:
    """Fixing stopped. ``reason`` is a sentence; ``again_at`` when a budget is there again.

    ``person`` is who is mentioned, once; empty where there is nobody to tell: whoever cancelled
    the run knows.
    """

    rule: StopRule
    reason: str
    head_sha: str
    at: datetime
    person: str = ""
    again_at: datetime | None = None


@dataclass(frozen=True)
class Revalidation:
    """A head that was validated again by itself, for a failure that was not the change's."""

    head_sha: str
    validation_id: str
    at: datetime


@dataclass(frozen=True)
class MergeIntent:
    """A merge that was begun: what was asked of GitHub, and for which head.

    ``method`` is None where GitHub's merge queue has its own; ``queued`` says that it took it.
    ``refusal`` is GitHub's own sentence where it said no for this head, at ``refused_at``.
    """

    head_sha: str
    method: MergeMethod | None
    at: datetime
    queued: bool = False
    refusal: str = ""
    refused_at: datetime | None = None


@dataclass(frozen=True)
class PullRequestRecord:
    """A pull request as people and the bot have dealt with it.

    ``held_by`` is the login of who holds it, empty where nobody does; ``merge_asked_by`` who wants
    it merged as soon as it may be, and asked so at the head
    ``merge_asked_at`` and for the base ``merge_asked_into``.
    ``counted_from`` is the ordinal of the first attempt that counts
    for the stop rules: a person's push or wish begins anew. ``queued_at`` is since when it stands
    in the line of its base (``require_up_to_date``). ``updating_from`` is the head that the base is
    being merged into for us since ``updating_since``, ``updates`` are heads that this led to, with
    the heads before them.
    ``turn_since`` is since when it is the first one of its line. ``merged_sha`` is the commit that
    it became. ``looked_at`` is when its
    merge was last judged.
    """

    repository: Repository
    number: int
    base_branch: str = ""
    head_sha: str = ""
    is_open: bool = True
    held_by: str = ""
    merge_asked_by: Account | None = None
    merge_asked_at: str = ""
    merge_asked_into: str = ""
    overrides: tuple[Override, ...] = ()
    wish: FixWish | None = None
    attempts: tuple[FixAttempt, ...] = ()
    counted_from: int = 1
    stop: Stop | None = None
    revalidations: tuple[Revalidation, ...] = ()
    merge: MergeIntent | None = None
    queued_at: datetime | None = None
    updating_from: str = ""
    updating_since: datetime | None = None
    updates: tuple[tuple[str, str], ...] = ()
    turn_since: datetime | None = None
    merged_sha: str = ""
    merged_at: datetime | None = None
    branch_deleted: bool = False
    explanation: Explanation | None = None
    looked_at: datetime | None = None

    @property
    def is_told(self) -> bool:
        """Whether it is worth a comment: something was decided here, or tried."""
        decided = self.held_by or self.merge_asked_by or self.queued_at or self.merge
        return bool(decided or self.attempts or self.stop or self.merged_sha)

    @property
    def open_attempt(self) -> FixAttempt | None:
        """The attempt that goes on."""
        newest = self.attempts[-1] if self.attempts else None
        return newest if newest is not None and newest.outcome is None else None

    @property
    def counted(self) -> tuple[FixAttempt, ...]:
        """The attempts since a person last had a hand in it."""
        return tuple(it for it in self.attempts if it.ordinal >= self.counted_from)

    def same_work(self, commit_sha: str) -> bool:
        """Whether a commit is the head, but for the base that we had merged into it since."""
        before, head = dict(self.updates), self.head_sha
        if not commit_sha:
            return False
        for _ in range(len(self.updates) + 1):
            if head == commit_sha:
                return True
            head = before.get(head, "")
        return False
