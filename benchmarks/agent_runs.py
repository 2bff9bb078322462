"""Following 5,000 open agent runs for ten minutes of a simulated clock, in one worker.

Reach: every change of a run stands in its record within 60 s, and no limit of the agent is passed.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from assembly.hands import owner, worker_of
from assembly.house import House, house
from benchmarks.agent_run_stand_ins import (
    BEGUN_A_MINUTE,
    REACH_SECONDS,
    REPOSITORIES,
    SECONDS,
    Change,
    Place,
    StandIns,
    Told,
    remote_ids,
    script_of,
)
from benchmarks.simulated_clock import ALLOWED, SYSTEM, Calls, World, agent_of
from benchmarks.tables import Machine, Table, arguments, publish
from bot.adapters.mongo.agent_runs import MongoAgentRuns, MongoTurns
from bot.adapters.mongo.database import Database
from bot.adapters.mongo.embedded import EmbeddedMongo
from bot.adapters.mongo.inbox import MongoInbox
from bot.adapters.render import TemplateRenderer
from bot.domain.agent_runs import (
    AgentRun,
    RunRequest,
    RunStatus,
)
from bot.domain.comments import CommentKind, CommentReference
from bot.domain.conversations import Conversation
from bot.domain.problems import Limited, TryAgain
from bot.domain.repositories import Account
from bot.log import configure
from bot.ports.inbox import Added, Item, ItemState
from bot.services.projects import ProjectService
from bot.settings import Settings
from bot.work.pool import POLL_SECONDS
from bot.work.run_follower import LEAST_PAUSE_SECONDS, LOOK_SECONDS, PAGE, RunFollower
from bot.work.worker import PLACES, Worker
from sandbox.docker import DockerEngine

RUNS, ENDED, CHANGES = 5_000, 3_000, 600
LATENCY_MILLISECONDS = 200
"""Of each call to the agent: how old what it tells is when it arrives."""
AT_A_TIME = 100
REMARK = """\
{runs:,} open runs in {repositories} repositories, and {ended:,} that have ended between them on the
agent's list; {changes} changes (answers, pull requests, failures) at random moments. Follower,
worker and adapter are the product's, over a real `mongod`; the stand-ins for agent and GitHub run
in a process of their own, so that CPU and memory are the bot's. Waiting moves the clock at once; a
call to the agent takes {latency} s of it, the worker's own work none (it took {real:.0f} s of real
time). The bare loop reads the same pages as fast as the same pace lets it, and does nothing
else. Reach: no change later than {reach:.0f} s, and no limit passed.{missed}"""


# ── who follows ──────────────────────────────────────────────────────────────────────────────


@dataclass
class Watch:
    """How long after a change somebody knew of it."""

    world: World
    script: Sequence[Change]
    seconds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._awaited = {it.remote_id: it for it in self.script}

    def see(self, remote_id: int | None, digest: str) -> None:
        """Somebody knows this of a run."""
        change = self._awaited.get(remote_id or 0)
        late = self.world.elapsed - change.at if change else 0.0
        if change is not None and late >= 0 and change.digest == digest:
            del self._awaited[change.remote_id]
            self.seconds.append(late)

    @property
    def unseen(self) -> int:
        """How many changes nobody knows of."""
        return len(self._awaited)

    @property
    def late(self) -> int:
        """How many were known of too late."""
        return sum(it > REACH_SECONDS for it in self.seconds)

    def at(self, share: float) -> float:
        """A quantile, in seconds."""
        return sorted(self.seconds)[min(len(self.seconds) - 1, int(len(self.seconds) * share))]


class WatchedRuns(MongoAgentRuns):
    """The records; a change of theirs is seen when it is written."""

    def __init__(self, database: Database, watch: Watch) -> None:
        super().__init__(database)
        self._watch = watch

    async def change(
        self, run_id: str, changes: Mapping[str, Any], *, only: Collection[RunStatus] = ()
    ) -> AgentRun | None:
        run = await super().change(run_id, changes, only=only)
        if run is not None:
            self._watch.see(run.remote_id, run.remote_seen)
        return run


class WakingInbox(MongoInbox):
    """The inbox, whose change stream is a flag here."""

    woken = True

    async def add(self, items: Sequence[Item]) -> Sequence[Added]:
        self.woken = True
        return await super().add(items)


@dataclass
class Outcome:
    """What following came to."""

    calls: Calls
    watch: Watch
    seconds: float = 0.0
    processor: float = 0.0
    handling: float = 0.0
    """Seconds of the processor, all of them and those of the worker."""
    real: float = 0.0
    """Seconds that the worker took."""
    handled: int = 0
    broken: int = 0
    """Events that the worker handled; looks of the follower that were cut short."""
    left: Mapping[ItemState, int] = field(default_factory=dict)
    memory: Sequence[float] = ()
    """Megabytes: before the records, after the first look, after the last, and at most."""


async def followed(
    mongodb: str, world: World, told: Told, ids: Sequence[int], script: Sequence[Change]
) -> Outcome:
    """The follower and the worker, for ten minutes."""
    async with AsyncExitStack() as stack:
        agent, calls = await stack.enter_async_context(agent_of(world, told.codegen_url))
        outcome = Outcome(calls, Watch(world, script))
        settings = settings_of(told, mongodb)
        it = await stack.enter_async_context(house(settings, TemplateRenderer(), world))
        runs = WatchedRuns(it.database, outcome.watch)
        inbox = WakingInbox(it.database, timedelta(days=settings.retention_days))
        it = replace(it, agent=agent, runs=runs, inbox=inbox)
        worker, _ = worker_of(it)
        await it.github.own_login()
        before = megabytes("VmRSS")
        await keep_records(it, told.places, ids)
        world.meanwhile = hands_of(worker, inbox, world, outcome)
        follower = RunFollower(runs, agent, inbox, MongoTurns(it.database, owner()), world)
        began, first = time.process_time(), 0.0
        while world.elapsed < SECONDS:
            looked = world.elapsed
            try:
                await asyncio.gather(follower.look(), follower.read_steps())
            except TryAgain:
                outcome.broken += 1
            took = world.elapsed - looked
            await world.sleep(max(LEAST_PAUSE_SECONDS, LOOK_SECONDS - took))
            first = first or megabytes("VmRSS")
        await world.meanwhile()
        outcome.processor, outcome.seconds = time.process_time() - began, world.elapsed
        outcome.memory = (before, first, megabytes("VmRSS"), megabytes("VmHWM"))
        outcome.left = await inbox.waiting()
        found = [(await runs.get(f"run-{it.place}"), it) for it in script]
        missing = sum(run is None or run.remote_seen != it.digest for run, it in found)
        assert missing == outcome.watch.unseen, "what was seen to be written is not there"
    return outcome


def hands_of(
    worker: Worker, inbox: WakingInbox, world: World, outcome: Outcome
) -> Callable[[], Awaitable[None]]:
    """The worker, when it is woken or polls: all of its places, until nothing is due."""
    polled = -POLL_SECONDS

    async def carry_out() -> None:
        nonlocal polled
        if not inbox.woken and world.elapsed < polled + POLL_SECONDS:
            return
        processor, began = time.process_time(), time.perf_counter()
        inbox.woken, polled = False, world.elapsed
        while await worker.pool.step():
            counts = await asyncio.gather(*(worker.drain() for _ in range(PLACES)))
            outcome.handled += 1 + sum(counts)
        outcome.handling += time.process_time() - processor
        outcome.real += time.perf_counter() - began

    return carry_out


async def keep_records(it: House, places: Sequence[Place], ids: Sequence[int]) -> None:
    """Projects, runs that are under way, and the comments that tell of them."""
    projects = ProjectService(it.projects, it.audit, it.clock)
    await in_turn(projects.create_project(place.repository) for place in places)
    records = (record_of(n, ids, places, it.clock.now()) for n in range(len(ids)))
    await in_turn(it.runs.add(record) for record in records)
    await in_turn(
        it.conversations.keep(Conversation(place.repository.id, number, comment))
        for place in places
        for number, comment in enumerate(place.comments, 1)
    )


def record_of(n: int, ids: Sequence[int], places: Sequence[Place], now: datetime) -> AgentRun:
    """A run that is under way, the n-th oldest."""
    at = now - timedelta(minutes=(len(ids) - n) / BEGUN_A_MINUTE)
    number = n // len(places) + 1
    request = RunRequest(
        places[n % len(places)].repository,
        number,
        "Sort the list by name, and say so in the README.",
        Account(1, "alice"),
        CommentReference(CommentKind.ISSUE, n, number, "https://github.com/owner/shop/issues/1"),
        "main",
        deadline_minutes=24 * 60,
    )
    return AgentRun(
        f"run-{n}",
        request,
        at,
        at,
        RunStatus.ACTIVE,
        progress=5,
        started_at=at,
        active_since=at,
        remote_id=ids[n],
        remote_url=f"https://codegen.com/agent/trace/{ids[n]}",
        remote_status="ACTIVE",
        remote_seen="ACTIVE",
    )


async def in_turn(things: Iterable[Awaitable[object]]) -> None:
    """Do many things, so many at a time."""
    left = iter(things)
    while some := list(islice(left, AT_A_TIME)):
        await asyncio.gather(*some)


def settings_of(told: Told, mongodb: str) -> Settings:
    """A worker's settings, with a database of its own."""
    return Settings.from_env(
        {
            "MONGODB_URI": mongodb,
            "MONGODB_DATABASE": f"runs_{uuid.uuid4().hex}",
            "SECRET_KEY": "a key for the benchmark",
            "GITHUB_APP_ID": str(told.app_id),
            "GITHUB_PRIVATE_KEY": told.private_key,
            "GITHUB_WEBHOOK_SECRET": "a secret",
            "GITHUB_API_URL": told.github_url,
            "GITHUB_URL": told.github_url,
        }
    )


def megabytes(name: str) -> float:
    """What this process has of memory: ``VmRSS``, or ``VmHWM`` at most until now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(it.split()[1]) / 1024 for it in lines if it.startswith(f"{name}:"))


async def paged(world: World, url: str, script: Sequence[Change]) -> Outcome:
    """The floor: page after page, as fast as the pace lets it."""
    async with agent_of(world, url) as (agent, calls):
        outcome, skip, began = Outcome(calls, Watch(world, script)), 0, time.process_time()
        while world.elapsed < SECONDS:
            try:
                page = await agent.page(skip)
            except Limited as limit:
                await world.sleep(limit.after)
                continue
            for run in page:
                outcome.watch.see(run.id, run.digest)
            skip = skip + PAGE if len(page) == PAGE else 0
        outcome.processor, outcome.seconds = time.process_time() - began, world.elapsed
    return outcome


# ── the table ────────────────────────────────────────────────────────────────────────────────


async def main() -> int:
    """Measure, and write the table."""
    usual = {"runs": RUNS, "ended": ENDED, "changes": CHANGES, "latency": LATENCY_MILLISECONDS}
    given = arguments(__doc__, **usual)
    configure("warning", "console")
    engine = DockerEngine(None)
    machine = await Machine.look(engine)
    await engine.close()
    ids, latency = remote_ids(given.runs, given.ended), given.latency / 1000
    script = script_of(ids, given.changes)
    with tempfile.TemporaryDirectory() as home:
        others = StandIns(Path(home) / "bare", given.runs, given.ended, script)
        floor = await paged(World(others, latency), others.told.codegen_url, script)
        others.end()
        others = StandIns(Path(home) / "product", given.runs, given.ended, script)
        async with EmbeddedMongo(Path(home), SYSTEM) as mongo:
            ours = await followed(mongo.uri, World(others, latency), others.told, ids, script)
        github = others.end()
    faults = faults_of(ours)
    remark = REMARK.format(
        **{name: getattr(given, name) for name in ("runs", "ended", "changes")},
        repositories=REPOSITORIES,
        latency=latency,
        real=ours.real,
        reach=REACH_SECONDS,
        missed=f" **Missed**: {', '.join(faults)}." if faults else "",
    )
    head = ("", "follower and worker", "bare loop", "ratio")
    table = Table(head, rows_of(ours, floor, github), (remark,))
    publish("agent_runs", "python -m benchmarks.agent_runs", machine, table, page=not given.no_page)
    return 1 if faults else 0


def faults_of(it: Outcome) -> list[str]:
    """What was to be reached and was not."""
    faults = [
        f"the limit of {name} was passed"
        for name, (kinds, most, seconds) in ALLOWED.items()
        if it.calls.most(kinds, seconds) > most
    ]
    if it.watch.unseen or it.watch.at(1.0) > REACH_SECONDS:
        faults.append(f"{it.watch.late} changes were seen later, {it.watch.unseen} never")
    if it.broken or any(it.left.values()):
        faults.append(f"{it.broken} looks were cut short, and the inbox has {dict(it.left)}")
    return faults


def rows_of(ours: Outcome, floor: Outcome, github: Counter[str]) -> list[Sequence[str]]:
    """What stands in the table."""
    both, minutes = (ours, floor), ours.seconds / 60
    rows: list[Sequence[str]] = []

    def ratio(name: str, values: Iterable[float], digits: int = 0) -> None:
        mine, bare = values
        told = (f"{it:.{digits}f}" for it in (mine, bare))
        rows.append((name, *told, f"**{mine / bare:.2f}**" if bare else ""))

    ratio("from a change to its record, s: median", [it.watch.at(0.5) for it in both])
    ratio("95th percentile", [it.watch.at(0.95) for it in both])
    ratio("most", [it.watch.at(1.0) for it in both])
    ratio("pages read a minute", [60 * it.calls.count("pages") / it.seconds for it in both])
    for name, (kinds, most, seconds) in ALLOWED.items():
        full = [f"{it.calls.most(kinds, seconds)}" for it in both]
        used = [it.calls.count(*kinds) / it.seconds * seconds / most for it in both]
        told = [f"{count} · {share:.0%}" for count, share in zip(full, used, strict=True)]
        what = f"{name}: in the fullest {seconds:.0f} s, of {most} · of all that are allowed"
        rows.append((what, *told, ""))
    following = [60 * (it.processor - it.handling) / it.seconds for it in both]
    ratio("processor, s a minute: following", following, 2)
    memory = ", ".join(f"{it:.0f}" for it in ours.memory)
    comments = "/repos/{owner}/{name}/issues"
    edited, made = f"{comments}/comments/{{id}}", f"{comments}/{{number}}/comments"
    for name, value in (
        ("handling what was seen", f"{ours.handling / minutes:.2f}"),
        ("memory, MB: before the records, after the first look, at the end, at most", memory),
        ("runs read one by one", str(ours.calls.count("single reads"))),
        ("status comments: edited", str(github[f"PATCH {edited}"])),
        ("made, at pull requests", str(github[f"POST {made}"])),
        ("events: handled", f"{ours.handled:,}"),
        ("left in the inbox", str(sum(ours.left.values()))),
    ):
        rows.append((name, value, "", ""))
    return rows


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
