"""What fixing hangs on: the facts, and what follows from them for every rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from bot.domain.agent_runs import AgentRun
from bot.domain.effects import Decision, Effect, LeaveEvent, PublishStatus
from bot.domain.events import PullRequestTouched
from bot.domain.ids import derived
from bot.domain.pull_request_effects import GoOnFixing, StopFixing
from bot.domain.pull_request_records import (
    FixOutcome,
    FixWish,
    PullRequestRecord,
    Stop,
    StopRule,
)
from bot.domain.repo_config import RepoConfig
from bot.domain.repositories import Account, PullRequest, Repository
from bot.domain.validation_records import ValidationRecord
from bot.policy.backoff import delay
from bot.policy.notices import notify

LONGEST_BACKOFF_SECONDS: Final = 3600.0


@dataclass(frozen=True)
class FixFacts:
    """All that fixing hangs on, each read once.

    ``of_head`` are the validations of the head, oldest first. ``runs`` are the agent runs of the
    pull request, newest first; ``attempt_run`` the one that has the attempt that goes on.
    ``sent_today`` are the times of the last day, oldest first, at which the agent was set going in
    this repository, by whomever. ``pushed_paths`` are those that differ between the head that the
    attempt was for and the head now: None where that is not known (they are the same, or nobody
    asked). ``pusher`` is who pushed the head, where an event just told of it.
    """

    repository: Repository
    pull_request: PullRequest
    config: RepoConfig
    record: PullRequestRecord
    of_head: Sequence[ValidationRecord]
    runs: Sequence[AgentRun]
    now: datetime
    attempt_run: AgentRun | None = None
    sent_today: Sequence[datetime] = ()
    pushed_paths: Sequence[str] | None = None
    pusher: Account | None = None
    has_agent: bool = True


class FixCase:
    """The facts, and what follows from them.

    ``newest`` is the newest validation of the head. ``asked`` is a person's wish that no attempt
    has taken and no stop has answered; ``wish`` is that one where it is about this head.
    ``brought`` is the agent run that opened the pull request; ``is_agents`` says that there was
    one, though the run may have named another pull request since. ``tried`` are the attempts that
    count: one that a person's push overtook does not.
    """

    def __init__(self, facts: FixFacts, new_id: Callable[[int], str]) -> None:
        self.facts = facts
        self.new_id = new_id
        self.pull = facts.pull_request
        self.record = record = facts.record
        self.config = facts.config
        self.number = facts.pull_request.number
        self.head = head = facts.pull_request.head_sha
        of_head = [it for it in facts.of_head if it.order.head_sha == head]
        self.newest = of_head[-1] if of_head else None
        self.asked = _unanswered(record)
        self.wish = self.asked if self.asked and self.is_head(self.asked.head_sha) else None
        self.brought = next((it for it in facts.runs if it.brought == self.number), None)
        self.is_agents = self.brought is not None or any(not it.wish_id for it in record.attempts)
        self.last = record.attempts[-1] if record.attempts else None
        self.next_ordinal = self.last.ordinal + 1 if self.last else 1
        self.tried = [it for it in record.counted if it.outcome is not FixOutcome.OVERTAKEN]
        self.is_fork = facts.pull_request.head_repository_id != facts.repository.id

    def is_head(self, commit_sha: str) -> bool:
        """Whether a commit is the head, but for the base that we had merged into it since."""
        return replace(self.record, head_sha=self.head).same_work(commit_sha)

    @property
    def touched(self) -> tuple[Effect, ...]:
        """Have it told, and what follows judged on fresh facts."""
        repository, number = self.facts.repository, self.number
        look = LeaveEvent(PullRequestTouched(repository, number))
        return PublishStatus(repository, number), look

    def look_again(self, at: datetime, why: str) -> LeaveEvent:
        """Have it judged at a time; another delivery that comes to the same leaves no second."""
        repository, number = self.facts.repository, self.number
        once = derived(repository.id, number, why, at.isoformat())
        return LeaveEvent(PullRequestTouched(repository, number), at, once)

    def stop(
        self, rule: StopRule, reason: str, again_at: datetime | None = None
    ) -> tuple[Effect, ...]:
        """Stop, and tell; the person is who has to look at it."""
        facts = self.facts
        person = "" if rule is StopRule.CANCELLED else self.responsible
        stop = Stop(rule, reason, self.head, facts.now, person, again_at)
        about = f"{self.head} {rule} {len(self.record.attempts)}"
        told = notify(
            self.config,
            facts.repository,
            self.pull,
            "needs_human",
            about,
            reason,
            facts.now,
            person,
        )
        return (StopFixing(facts.repository, self.number, stop), *told)

    def stopped(self, rule: StopRule, reason: str, again_at: datetime | None = None) -> Decision:
        """Fixing stops; it begins again by itself at a time, if there is one."""
        later = (self.look_again(again_at, "budget"),) if again_at else ()
        effects = (*self.stop(rule, reason, again_at), *later, *self.touched)
        return Decision(f"fixing stops: {rule.replace('_', ' ')}", effects)

    def goes_on(self, why: str, counted_from: int, *before: Effect) -> Decision:
        """There is no stop any more."""
        go_on = GoOnFixing(self.facts.repository, self.number, counted_from)
        return Decision(why, (*before, go_on, *self.touched))

    @property
    def responsible(self) -> str:
        """Who asked for the fix, or started the run that brought it, or wrote it: a person."""
        asked_by = [it.asked_by for it in reversed(self.record.counted) if it.asked_by]
        if self.asked is not None:
            return self.asked.asker.login
        if asked_by:
            return asked_by[0]
        started = [it.request.asked_by for it in (self.brought, self.facts.attempt_run) if it]
        people = (it.login for it in (*started, self.pull.author) if not it.is_bot)
        return next(people, "")

    @property
    def validation(self) -> ValidationRecord:
        """The newest one of the head, for rules behind the one that there is none."""
        assert self.newest is not None
        return self.newest

    def due(self, before: int) -> datetime:
        """When the next try is due, after so many: counted from what last came to nothing."""
        since = self.validation.completed_at or self.validation.created_at
        if self.last is not None and self.last.ended_at is not None:
            since = max(since, self.last.ended_at)
        seconds = delay(
            before,
            f"{self.facts.repository.id}:{self.number}",
            first=self.config.validation.retry_backoff_seconds,
            longest=LONGEST_BACKOFF_SECONDS,
        )
        return whole_second(since + timedelta(seconds=seconds))


def whole_second(at: datetime) -> datetime:
    """The next one: the inbox keeps no finer times, and what is due must be so when it is told."""
    return at if at.microsecond == 0 else at.replace(microsecond=0) + timedelta(seconds=1)


def _unanswered(record: PullRequestRecord) -> FixWish | None:
    """The wish that no attempt has taken, and after which nothing stopped."""
    wish, stop = record.wish, record.stop
    if wish is None or any(it.wish_id == wish.id for it in record.attempts):
        return None
    return None if stop is not None and stop.at >= wish.at else wish
