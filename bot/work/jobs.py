"""Takes jobs from the queue, and ends each together with the event that tells of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from bot.domain.problems import TryAgain
from bot.log import get_logger
from bot.policy.backoff import delay
from bot.ports.clock import Clock
from bot.ports.inbox import Item
from bot.ports.jobs import Job, JobClaim, Jobs
from bot.work.pool import POLL_SECONDS, Desk, Pool

MOST_ENDINGS = 6
"""Tries to end a job, within some minutes; its lease may have run out by then."""
MOST_EXPIRED = 100
"""Lost jobs that one look takes up."""

log = get_logger()


@dataclass(frozen=True)
class JobEnd:
    """What a job found, and the event that tells of it where somebody waits for that."""

    result: Mapping[str, Any]
    event: Item | None = None


@dataclass(frozen=True)
class Work:
    """One kind of job: how it is done, and what to say of one whose worker was lost.

    ``do`` returns, with whatever there is to tell, soon after it is cancelled.
    """

    do: Callable[[Job], Coroutine[Any, Any, JobEnd]]
    lost: Callable[[Job], Awaitable[JobEnd]]


class JobRunner:
    """The hands at the queue of jobs, with room for a number of them at a time.

    Those of the kinds ``idle`` are done one at a time, where there is room left; when another one
    needs that, they are interrupted and begun anew later.
    """

    def __init__(
        self,
        jobs: Jobs,
        kinds: Mapping[str, Work],
        owner: str,
        room: int,
        clock: Clock,
        idle: Mapping[str, Work] | None = None,
    ) -> None:
        self._jobs = jobs
        self._idle_kinds = dict(idle or {})
        self._urgent_kinds = dict(kinds)
        self._kinds = self._urgent_kinds | self._idle_kinds
        self._owner = owner
        self._room = room
        self._clock = clock
        self._under_way: dict[str, tuple[JobClaim, asyncio.Task[JobEnd]]] = {}
        self._claiming = asyncio.Lock()
        self._giving_way: asyncio.Task[None] | None = None
        desk = Desk(
            "jobs",
            claim=self._claim,
            carry_out=self._carry_out,
            beat=jobs.beat,
            hand_back=jobs.hand_back,
            wakes=jobs.wakes,
        )
        self.pool: Pool[JobClaim] = Pool(desk, room, clock)
        idle_desk = replace(desk, name="idle jobs", claim=self._claim_idle)
        self.idle_pool: Pool[JobClaim] = Pool(idle_desk, 1, clock)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.pool.run(), name="jobs")
            group.create_task(self._watch(), name="cancellations")
            if self._idle_kinds:
                group.create_task(self.idle_pool.run(), name="idle jobs")

    async def _claim(self) -> JobClaim | None:
        async with self._claiming:
            claim = await self._jobs.claim(self._owner, list(self._urgent_kinds))
            crowded = self.pool.busy + 1 + self.idle_pool.busy > self._room
            if claim is not None and crowded and self._giving_way is None:
                log.info("an idle job gives way", job=claim.job.id)
                self._giving_way = asyncio.create_task(self._give_way(), name="giving way")
            return claim

    async def _give_way(self) -> None:
        """Hand the idle job back; whoever comes meanwhile leaves its clean-up in peace."""
        try:
            await self.idle_pool.release()
        finally:
            self._giving_way = None

    async def _claim_idle(self) -> JobClaim | None:
        async with self._claiming:
            if self.pool.busy + self.idle_pool.busy >= self._room:
                return None
            return await self._jobs.claim(self._owner, list(self._idle_kinds))

    async def take_up_lost(self) -> int:
        """End the jobs whose worker was lost; says how many there were."""
        lost: Sequence[JobClaim] = await self._jobs.expired(MOST_EXPIRED)
        for claim in lost:
            log.warning("a job's worker was lost", job=claim.job.id, subject=claim.job.subject)
            end = await self._kinds[claim.job.kind].lost(claim.job)
            await self._jobs.end(claim, end.result, end.event)
        return len(lost)

    async def cancel_requested(self) -> int:
        """Cancel what is under way here and is to be cancelled; says how many there were."""
        held = dict(self._under_way)
        if not held:
            return 0
        wanted = await self._jobs.cancelled([claim for claim, _ in held.values()])
        for claim in wanted:
            log.info("cancelling a job", job=claim.job.id)
            held[claim.job.id][1].cancel()
        return len(wanted)

    async def _carry_out(self, claim: JobClaim) -> None:
        job = claim.job
        with structlog.contextvars.bound_contextvars(job=job.id, subject=job.subject):
            task = asyncio.create_task(self._kinds[job.kind].do(job), name=f"job {job.id}")
            self._under_way[job.id] = (claim, task)
            try:
                await self._settle(claim, await asyncio.shield(task))
            except asyncio.CancelledError:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                raise
            finally:
                del self._under_way[job.id]

    async def _settle(self, claim: JobClaim, end: JobEnd) -> None:
        """End the job; long work is not thrown away because the database is away for a moment."""
        for attempt in range(1, MOST_ENDINGS + 1):
            try:
                await self._jobs.end(claim, end.result, end.event)
            except TryAgain as fault:
                if attempt == MOST_ENDINGS:
                    raise
                log.warning("a job could not be ended", reason=fault.message)
                await self._clock.sleep(delay(attempt, claim.job.id))
            else:
                log.info("a job ended", kind=claim.job.kind)
                return

    async def _watch(self) -> None:
        wakes = self._jobs.wakes()
        async for _ in _now_and_then(wakes):
            try:
                await self.cancel_requested()
            except TryAgain as fault:
                log.warning("cancellations could not be read", reason=fault.message)


async def _now_and_then(wakes: AsyncIterator[None]) -> AsyncIterator[None]:
    """Yields at each wake, and after a while without one."""
    waiting: asyncio.Future[None] | None = None
    try:
        while True:
            waiting = waiting or asyncio.ensure_future(anext(wakes))
            await asyncio.wait({waiting}, timeout=POLL_SECONDS)
            if waiting.done():
                waiting.result()
                waiting = None
            yield
    finally:
        if waiting is not None:
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
                await waiting
