"""Which agent runs begin, which wait for what, and which are given up. One queue a repository."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain.agent_runs import AgentRun, RunStatus
from bot.domain.effects import (
    CancelRun,
    Decision,
    Effect,
    EndRun,
    LeaveEvent,
    QueueRun,
    StartRun,
)
from bot.domain.events import AgentRunsTouched, PullRequestTouched, StatusOutdated
from bot.domain.repo_config import Agent
from bot.domain.repositories import Repository


@dataclass(frozen=True)
class QueueFacts:
    """The unended runs of a repository, oldest first; ``inactive`` says why none may go on."""

    repository: Repository
    runs: Sequence[AgentRun]
    limits: Agent
    now: datetime
    inactive: str = ""


def decide(facts: QueueFacts) -> Decision:
    """Start what may start, in order; say of the rest what it waits for."""
    if facts.inactive:
        ended = tuple(CancelRun(it.id, facts.inactive) for it in facts.runs)
        told = shown(facts.repository, (number for it in facts.runs for number in it.numbers))
        told += tuple(look for it in facts.runs for look in judged(it))
        return Decision(facts.inactive, (*ended, *told))
    queue = _Queue(facts)
    overdue = [run for run in facts.runs if run.status is RunStatus.ACTIVE and late(run, facts.now)]
    for run in overdue:
        queue.give_up(run)
    going = [it for it in facts.runs if it.status is RunStatus.ACTIVE and it not in overdue]
    for run in going:
        queue.keep(run)
    for run in facts.runs:
        if run.status is RunStatus.QUEUED:
            queue.take(run)
    starts = sum(isinstance(it, StartRun) for it in queue.effects)
    reason = f"{starts} started, {queue.places} wait, {len(going)} go on, {len(overdue)} given up"
    told = shown(facts.repository, queue.touched)
    looks = [look for run in queue.moved for look in judged(run)]
    # One that does not begin leaves its place to those behind it.
    again = (LeaveEvent(AgentRunsTouched(facts.repository)),) if starts and queue.places else ()
    return Decision(reason, (*queue.effects, *told, *looks, *again))


def late(run: AgentRun, now: datetime) -> bool:
    """Whether a run has had its time since it was last set going."""
    since = run.active_since or run.created_at
    return now >= since + timedelta(minutes=run.request.deadline_minutes)


def shown(repository: Repository, numbers: Iterable[int]) -> tuple[Effect, ...]:
    """Have the status comments of issues and pull requests brought up to date."""
    return tuple(LeaveEvent(StatusOutdated(repository, it)) for it in dict.fromkeys(numbers))


def judged(run: AgentRun) -> tuple[Effect, ...]:
    """Have the pull requests of a run looked at: it may have been to mend one of them."""
    numbers = [run.request.number] if run.request.is_pull_request else []
    if run.pull_request is not None:
        numbers.append(run.pull_request)
    repository = run.request.repository
    return tuple(
        LeaveEvent(PullRequestTouched(repository, number)) for number in dict.fromkeys(numbers)
    )


@dataclass
class _Queue:
    """What comes together, run after run."""

    facts: QueueFacts
    effects: list[Effect] = field(default_factory=list)
    touched: list[int] = field(default_factory=list)
    moved: list[AgentRun] = field(default_factory=list)
    running: list[AgentRun] = field(default_factory=list)
    places: int = 0

    def give_up(self, run: AgentRun) -> None:
        minutes = run.request.deadline_minutes
        reason = (
            f"It was given up after {minutes} minutes (`agent.deadline_minutes`); it may still go "
            "on where the agent is. Write `/codegen resume …` to follow it again."
        )
        self.effects.append(
            EndRun(
                run.id,
                RunStatus.FAILED,
                reason,
                remote_status=run.remote_status,
                remote_seen=run.remote_seen,
                known_pull_requests=run.known_pull_requests,
            )
        )
        self.touched += run.numbers
        self.moved.append(run)

    def keep(self, run: AgentRun) -> None:
        """A run that is going; a message that came meanwhile is sent."""
        self.running.append(run)
        if run.pending and self._is_due(run):
            self._start(run)

    def take(self, run: AgentRun) -> None:
        """A run that is queued."""
        reason = self._waits_for(run)
        if not reason:
            self.running.append(run)
            if self._is_due(run):
                self._start(run)
            return
        self.places += 1
        if (run.place, run.reason) != (self.places, reason):
            self.effects.append(QueueRun(run.id, self.places, reason))
            self.touched += run.numbers

    def _start(self, run: AgentRun) -> None:
        self.effects.append(StartRun(run.id))
        self.touched += run.numbers
        self.moved.append(run)  # it may end here, where it can't be started

    def _is_due(self, run: AgentRun) -> bool:
        return run.not_before is None or run.not_before <= self.facts.now

    def _waits_for(self, run: AgentRun) -> str:
        limits, who = self.facts.limits, run.request.asked_by
        here = [it for it in self.running if set(it.numbers) & set(run.numbers)]
        mine = [it for it in self.running if it.request.asked_by.id == who.id]
        if here:
            return "another run is under way here; they go one after the other"
        if len(self.running) >= limits.concurrent_runs:
            return f"{_at_a_time(limits.concurrent_runs)} here (`agent.concurrent_runs`)"
        if len(mine) >= limits.concurrent_runs_per_user:
            most = _at_a_time(limits.concurrent_runs_per_user)
            return f"{most} for one person (`agent.concurrent_runs_per_user`)"
        return ""


def _at_a_time(most: int) -> str:
    return f"{most} run{'s' if most > 1 else ''} at a time {'are' if most > 1 else 'is'} allowed"
