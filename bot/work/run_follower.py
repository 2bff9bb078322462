"""Follows the agent's runs: one sweep over its list for all processes, and what lists do not tell.

It changes no record: what it sees goes into the inbox. Of all processes one sweeps at a time. The
list is newest first: a sweep ends behind the page that is older than every run that is followed,
and only those that its pages missed are read one by one. Beside it the logs of runs that somebody
reads along with are read in turn. All of it keeps within the agent's limits, which the adapter
paces; whatever is wrong with one run is its own affair.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from bot.domain.agent_runs import AgentRun, RemoteRun, RunStatus
from bot.domain.events import AgentRunSeen, AgentRunsTouched
from bot.domain.ids import derived
from bot.domain.problems import Limited, TryAgain
from bot.log import get_logger
from bot.policy.agent_answers import said_of
from bot.policy.agent_queue import late
from bot.ports.clock import Clock
from bot.ports.coding_agent import AgentFault, AgentProblem, CodingAgent
from bot.ports.inbox import Inbox, Item
from bot.ports.records import AgentRuns, Turns
from bot.work.apply import item_of

T = TypeVar("T")

TURN = "agent runs"
TURN_TIME = timedelta(seconds=45)
"""After it, another process follows: this one is gone, or hangs in a call."""
LOOK_SECONDS = 5.0
LEAST_PAUSE_SECONDS = 1.0
"""Of a look that took longer than that: the agent's limit is pause enough."""
PAGE = 100
AT_ONCE = 4
"""Pages that are asked for together: the pace bounds them, not the agent's slowness."""
MOST_PAGES = 200
MOST_SINGLE = 20
"""Runs that one look reads one by one, those that waited longest first."""
MOST_STEPS = 30
"""Logs that are read between two pauses."""
STEP_AGAIN = timedelta(seconds=10)
"""A run's log is not read more often: each new step is an edit of a comment."""
FRESH = timedelta(minutes=45)
"""How long after a run was set going somebody reads along."""
STUCK = timedelta(minutes=5)
"""A queued run that nothing moved for so long is looked at again."""
UNSEEN = timedelta(minutes=2)
"""A run that is new may not be told of yet."""
AGAIN_SECONDS = 10.0
"""What was left in the inbox and moved nothing is left again after this, then after twice that…"""
MOST_WAITS = 5
LONGEST_WAIT_SECONDS = 30.0

log = get_logger()


@dataclass
class RunFollower:
    """See the module."""

    runs: AgentRuns
    agent: CodingAgent
    inbox: Inbox
    turns: Turns
    clock: Clock
    _looked_at: dict[str, datetime] = field(default_factory=dict)
    _read_at: dict[str, datetime] = field(default_factory=dict)
    _noted: list[tuple[AgentRun, RemoteRun]] = field(default_factory=list)
    """The runs whose steps are read, as the list told of them: it is read again meanwhile."""

    async def run(self) -> None:
        """Follow for ever: the list and, by a limit of their own, the logs."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._for_ever(self.look), name="agent runs")
            group.create_task(self._for_ever(self.read_steps), name="agent runs' logs")

    async def _for_ever(self, look: Callable[[], Awaitable[object]]) -> None:
        while True:
            began = self.clock.now()
            try:
                await look()
            except TryAgain as fault:
                log.info("agent runs could not be followed", reason=fault.message)
            except AgentProblem as problem:
                log.warning("the agent refuses to tell of its runs", reason=str(problem.fault))
            except Exception:
                log.exception("following agent runs failed")
            took = (self.clock.now() - began).total_seconds()
            await self.clock.sleep(max(LEAST_PAUSE_SECONDS, LOOK_SECONDS - took))

    async def look(self) -> bool:
        """Look once at all that is followed; False where another process does."""
        if not await self._keep_turn():
            self._noted = []
            return False
        runs = [run async for run in self.runs.unended()]
        await self._leave(_touched(runs, self.clock))
        self._forget(runs)
        going = {
            it.remote_id: it
            for it in runs
            if it.status is RunStatus.ACTIVE and it.remote_id is not None
        }
        seen: dict[str, RemoteRun] = {}
        await self._sweep(going, seen)
        self._noted = [(it, seen[it.id]) for it in going.values() if _is_noted(it, seen)]
        return True

    async def read_steps(self) -> None:
        """Read the newest step of runs that somebody still reads along with, in turn."""
        now = self.clock.now()
        long_ago = datetime.min.replace(tzinfo=now.tzinfo)
        turn = sorted(
            (it for it in self._noted if _is_fresh(it[0], now)),
            key=lambda it: self._looked_at.get(it[0].id, long_ago),
        )
        for run, remote in turn[:MOST_STEPS]:
            at = self.clock.now()
            if at < self._looked_at.get(run.id, long_ago) + STEP_AGAIN:
                return
            self._looked_at[run.id] = at
            try:
                await self._read_step(run, remote, at)
            except Limited:
                self._looked_at.pop(run.id, None)
                return  # its turn comes when the limit lets it
            except (TryAgain, AgentProblem) as fault:
                log.info("a run's log could not be read", run=run.id, reason=type(fault).__name__)
            except Exception:
                log.exception("a run's log could not be read", run=run.id)

    # ── the list ─────────────────────────────────────────────────────────────────────────────

    async def _sweep(self, going: Mapping[int, AgentRun], seen: dict[str, RemoteRun]) -> None:
        """Find runs on the agent's pages, then one by one; ``seen`` takes what was found."""
        missing = dict(going)
        expected = -(-len(going) // PAGE)
        at_once = max(1, min(AT_ONCE, expected))
        for first in range(0, MOST_PAGES, at_once):
            if not missing:
                return
            if first > 2 * expected and len(missing) <= MOST_SINGLE:
                break  # they are old ones, set going again: quicker to ask for than to look for
            at = self.clock.now()
            await self._keep_turn()
            pages = await asyncio.gather(
                *(
                    self._patiently(partial(self.agent.page, number * PAGE))
                    for number in range(first, first + at_once)
                )
            )
            remotes = [remote for page in pages for remote in page]
            found = [(missing.pop(it.id), it) for it in remotes if it.id in missing]
            seen |= {run.id: remote for run, remote in found}
            await self._tell(found, at)
            oldest = min((it.id for it in remotes), default=0)
            if any(len(page) < PAGE for page in pages) or oldest < min(missing, default=oldest):
                break
        waited = sorted(missing.values(), key=lambda it: self._read_at.get(it.id, it.created_at))
        for run in waited[:MOST_SINGLE]:
            try:
                await self._read(run, seen)
            except (TryAgain, AgentProblem) as fault:
                log.info("a run could not be read", run=run.id, reason=type(fault).__name__)
            except Exception:
                log.exception("a run could not be read", run=run.id)

    async def _read(self, run: AgentRun, seen: dict[str, RemoteRun]) -> None:
        """Read a run that the pages missed."""
        assert run.remote_id is not None
        at = self._read_at[run.id] = self.clock.now()
        await self._keep_turn()
        try:
            remote = await self._patiently(partial(self.agent.get, run.remote_id))
        except AgentProblem as problem:
            is_new = run.active_since is None or at < run.active_since + UNSEEN
            if problem.fault is not AgentFault.NOT_FOUND or is_new:
                raise
            gone = AgentRunSeen(run.request.repository, run.id, at, None)
            await self._leave([self._item(run, gone, "gone")])
            return
        seen[run.id] = remote
        await self._tell([(run, remote)], at)

    async def _read_step(self, run: AgentRun, remote: RemoteRun, at: datetime) -> None:
        assert run.remote_id is not None
        steps = await self.agent.steps(run.remote_id, 1)
        if steps and said_of(steps[0]) != run.current_step:
            event = AgentRunSeen(run.request.repository, run.id, at, remote, steps[0])
            await self._leave([self._item(run, event, said_of(steps[0]))])

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Ask the agent in our turn; its limit is waited for."""
        for _ in range(MOST_WAITS):
            try:
                return await call()
            except Limited as limit:
                await self.clock.sleep(min(limit.after, LONGEST_WAIT_SECONDS))
                await self._keep_turn()
        return await call()

    # ── what is left in the inbox ────────────────────────────────────────────────────────────

    async def _tell(self, found: Sequence[tuple[AgentRun, RemoteRun]], at: datetime) -> None:
        """Leave what is new of runs in the inbox."""
        items: list[Item] = []
        for run, remote in found:
            if remote.digest != run.remote_seen:
                event = AgentRunSeen(run.request.repository, run.id, at, remote)
                items.append(self._item(run, event, "seen"))
        await self._leave(items)

    def _item(self, run: AgentRun, event: AgentRunSeen, about: str) -> Item:
        """The same news of a run as it stands is left ever more seldom, not at every look."""
        said = event.remote.digest if event.remote else ""
        age = max(0.0, (event.at - run.updated_at).total_seconds())
        moment = int(math.log2(1 + age / AGAIN_SECONDS))
        name = derived(run.id, about, said, run.updated_at.isoformat(), moment)
        return item_of(event, name, self.clock)

    async def _leave(self, items: Sequence[Item]) -> None:
        if items:
            await self.inbox.add(items)

    async def _keep_turn(self) -> bool:
        return await self.turns.take(TURN, self.clock.now() + TURN_TIME)

    def _forget(self, runs: Sequence[AgentRun]) -> None:
        """Drop what is remembered of runs that are over."""
        known = {it.id for it in runs}
        for memory in (self._looked_at, self._read_at):
            for gone in memory.keys() - known:
                del memory[gone]


def _touched(runs: Sequence[AgentRun], clock: Clock) -> list[Item]:
    """One event for each repository whose queue may move without anything else happening."""
    now = clock.now()
    items: dict[str, Item] = {}
    for run in runs:
        waits = run.status is RunStatus.QUEUED or bool(run.pending)
        due = waits and run.not_before is not None and run.not_before <= now
        overdue = run.status is RunStatus.ACTIVE and late(run, now)
        stuck = waits and run.updated_at < now - STUCK
        if not (due or overdue or stuck):
            continue
        seconds = AGAIN_SECONDS if due or overdue else STUCK.total_seconds()
        repository = run.request.repository
        name = derived(repository.id, "touched", int(seconds), int(now.timestamp() // seconds))
        items[name] = item_of(AgentRunsTouched(repository), name, clock)
    return list(items.values())


def _is_noted(run: AgentRun, seen: Mapping[str, RemoteRun]) -> bool:
    """Whether nothing but its steps may be new of a run."""
    return run.id in seen and seen[run.id].digest == run.remote_seen


def _is_fresh(run: AgentRun, now: datetime) -> bool:
    return run.active_since is not None and now < run.active_since + FRESH
