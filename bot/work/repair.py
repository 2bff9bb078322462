"""Repair: what no event will ever tell of, looked for at start and from time to time."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from bot.domain.events import (
    AgentRunsTouched,
    InstallationChange,
    InstallationChanged,
    PullRequestChange,
    PullRequestChanged,
    PullRequestTouched,
    ValidationEnded,
)
from bot.domain.ids import derived
from bot.domain.problems import TryAgain
from bot.domain.validation_records import ValidationRecord
from bot.log import get_logger
from bot.ports.clock import Clock
from bot.ports.github import GitHub, GitHubProblem
from bot.ports.inbox import Inbox
from bot.ports.jobs import Jobs, JobState
from bot.ports.records import AgentRuns, PullRequests, Validations
from bot.services.check_runs import CheckRuns
from bot.work.apply import item_of
from bot.work.jobs import JobRunner

LOOK_SECONDS = 5.0
LOST_EVERY = 1
UNENDED_EVERY = 12
MISSED_EVERY = 120
FORGET_EVERY = 720
"""In looks: every 5 seconds, minute, ten minutes, hour."""
PATIENCE = timedelta(minutes=2)
"""How long a record may stand still before somebody asks why."""
FORSAKEN = timedelta(minutes=30)
MISSED_SINCE = timedelta(days=3)
"""As long as GitHub can deliver again."""
UNDER_WAY = timedelta(minutes=1)
"""GitHub waits ten seconds for an answer: what is younger may still get one."""
MOST_REDELIVERED = 200
UNJUDGED = timedelta(minutes=10)
"""How long nobody looks at a pull request of which nothing is heard."""
MOST_SWEPT = 20
"""Pull requests that are looked at again in a minute: one call each, of GitHub's 83."""

log = get_logger()


@dataclass(frozen=True)
class Repair:
    """Leaves events in the inbox; of records it changes only when one was last looked at.

    ``forget`` removes what is old.
    """

    github: GitHub
    inbox: Inbox
    jobs: Jobs
    runner: JobRunner
    validations: Validations
    runs: AgentRuns
    pull_requests: PullRequests
    checks: CheckRuns
    forget: Callable[[], Awaitable[None]]
    clock: Clock

    async def run(self) -> None:
        """Repair at start, and for ever."""
        await self._tried(self.reconcile)
        looks = 0
        while True:
            for every, look in (
                (LOST_EVERY, self.lost_jobs),
                (UNENDED_EVERY, self.standing_still),
                (UNENDED_EVERY, self.untold),
                (MISSED_EVERY, self.forsaken_runs),
                (UNENDED_EVERY, self.long_unjudged),
                (MISSED_EVERY, self.missed_deliveries),
                (FORGET_EVERY, self.forget),
            ):
                if looks % every == 0:
                    await self._tried(look)
            looks += 1
            await self.clock.sleep(LOOK_SECONDS)

    async def reconcile(self) -> None:
        """Have a look at every installation."""
        async for it in self.github.installations():
            change = InstallationChange.SUSPENDED if it.suspended else InstallationChange.SEEN
            event = InstallationChanged(it.id, it.account, change)
            await self.inbox.add([item_of(event, str(uuid.uuid4()), self.clock)])

    async def lost_jobs(self) -> None:
        """End the jobs whose worker is gone."""
        await self.runner.take_up_lost()

    async def standing_still(self) -> None:
        """Ask again for records that have not ended, and that nobody works on."""
        late = self.clock.now() - PATIENCE
        async for record in self.validations.unended():
            if record.created_at < late and not await self._is_worked_on(record):
                await self._ask_for(record)

    async def untold(self) -> None:
        """Tell GitHub the end of validations whose check run was not told."""
        now = self.clock.now()
        async for record in self.validations.unconcluded(now - MISSED_SINCE):
            if record.completed_at is not None and record.completed_at < now - PATIENCE:
                log.info("a check run was not told", validation=record.id)
                await self._tried(partial(self.checks.publish, record.id, "repair"))

    async def forsaken_runs(self) -> None:
        """Ask about agent runs that nothing was heard of for long: nobody may follow them."""
        now = self.clock.now()
        hour = f"{now:%Y-%m-%dT%H}"
        async for run in self.runs.unended():
            if run.updated_at < now - FORSAKEN:
                repository = run.request.repository
                name = derived(repository.id, "forsaken", hour)
                touched = AgentRunsTouched(repository, look=True)
                await self.inbox.add([item_of(touched, name, self.clock)])

    async def long_unjudged(self) -> None:
        """Look again at open pull requests that nothing was heard of: what they wait for may be so.

        An event may be lost, a rule of GitHub's may change without one, and time goes by.
        """
        now = self.clock.now()
        count = 0
        async for it in self.pull_requests.unfinished(now - UNJUDGED):
            # It has had its look, whatever comes of it: the others have theirs.
            await self.pull_requests.change(it.repository, it.number, {"looked_at": now})
            name = derived(it.repository.id, it.number, "swept", f"{now:%Y-%m-%dT%H:%M}")
            touched = PullRequestTouched(it.repository, it.number)
            await self.inbox.add([item_of(touched, name, self.clock)])
            count += 1
            if count == MOST_SWEPT:
                return

    async def missed_deliveries(self) -> None:
        """Have GitHub deliver again what did not reach us."""
        now = self.clock.now()
        delivered: set[str] = set()
        missed: dict[str, int] = {}
        async for it in self.github.deliveries(now - MISSED_SINCE):
            if it.delivered or it.delivered_at > now - UNDER_WAY:
                delivered.add(it.guid)
            elif it.guid not in delivered:
                missed.setdefault(it.guid, it.id)
        for guid, attempt in list(missed.items())[:MOST_REDELIVERED]:
            if guid not in delivered and await self.inbox.get(guid) is None:
                log.info("asking for a missed delivery", delivery=guid)
                await self.github.redeliver(attempt)

    async def _is_worked_on(self, record: ValidationRecord) -> bool:
        job = await self.jobs.get(record.job_id) if record.job_id else None
        return job is not None and job.state is not JobState.ENDED

    async def _ask_for(self, record: ValidationRecord) -> None:
        log.warning("a validation stands still", validation=record.id, status=record.status)
        repository, number = record.order.repository, record.order.number
        minute = f"{self.clock.now():%Y-%m-%dT%H:%M}"
        if record.job_id is not None:
            ended = ValidationEnded(repository, number, record.id, record.job_id)
            name = derived(record.job_id, "ended again", minute)
            await self.inbox.add([item_of(ended, name, self.clock)])
            return
        for each in sorted(record.pull_requests):
            seen = PullRequestChanged(repository, each, PullRequestChange.SEEN)
            name = derived(record.id, "seen", each, minute)
            await self.inbox.add([item_of(seen, name, self.clock)])

    async def _tried(self, look: Callable[[], Awaitable[object]]) -> None:
        try:
            await look()
        except (TryAgain, GitHubProblem) as fault:
            log.info("repair could not look", reason=str(fault))
        except Exception:
            log.exception("repair failed")
