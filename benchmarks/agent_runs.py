"""Following 5,000 open agent runs for ten minutes of a simulated clock, in one worker.

Reach: every change of a run stands in its record within 60 s, and no limit of the agent is passed.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import sys
import tempfile
import time
import uuid
from collections import Counter, deque
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import aiohttp
from limits import RateLimitItem

from assembly.hands import owner, worker_of
from assembly.house import House, house
from benchmarks.tables import Machine, Table, arguments, publish
from bot.adapters.clock import SystemClock
from bot.adapters.codegen import RUN_ID, CodegenAgent, Paces
from bot.adapters.mongo.agent_runs import MongoAgentRuns, MongoTurns
from bot.adapters.mongo.database import Database
from bot.adapters.mongo.embedded import EmbeddedMongo
from bot.adapters.mongo.inbox import MongoInbox
from bot.adapters.pacing import AGENT_CREATIONS, AGENT_LOGS, AGENT_READS, MOST_LOOKS
from bot.adapters.pacing import LONGEST_WAIT_SECONDS as LONGEST_PACE_SECONDS
from bot.adapters.render import TemplateRenderer
from bot.domain.agent_runs import AgentRun, RunRequest, RunStatus
from bot.domain.comments import CommentKind, CommentReference
from bot.domain.conversations import STATUS_MARKER, Conversation
from bot.domain.problems import Limited, TryAgain
from bot.domain.repositories import Account, Repository
from bot.log import configure
from bot.ports.clock import Clock
from bot.ports.inbox import Added, Item, ItemState
from bot.services.projects import ProjectService
from bot.settings import Settings
from bot.work.pool import POLL_SECONDS
from bot.work.run_follower import LOOK_SECONDS, PAGE, RunFollower
from bot.work.worker import PLACES, Worker
from demo.codegen.server import ORGANIZATION, TOKEN, AgentRunState, StandInCodegen
from demo.github.conversations import add_comment
from demo.github.server import Exchange, StandInGitHub
from demo.github.state import RepositoryState
from sandbox.docker import DockerEngine
from tests.flow.serving import small_repository

RUNS, ENDED, CHANGES = 5_000, 3_000, 600
REPOSITORIES, INSTALLATIONS = 500, 10
SECONDS = 600.0
REACH_SECONDS = 60.0
LATENCY_MILLISECONDS = 200
"""Of each call to the agent: how old what it tells is when it arrives."""
BEGUN_A_MINUTE = 9.0
"""How fast runs were begun: the newest ones are as fresh as that allows. Others' go on so."""
STEP_EVERY = 60.0
"""Seconds between two steps of a run's log."""
SEED = 7
AT_A_TIME = 100
SYSTEM = SystemClock()
ALLOWED: Mapping[str, tuple[frozenset[str], int, float]] = {
    "reads": (frozenset({"pages", "single reads", "other reads"}), 60, 30.0),
    "reads of logs": (frozenset({"logs"}), 60, 60.0),
    "new runs": (frozenset({"new runs"}), 10, 60.0),
}
"""What Codegen's API allows: kinds of calls, how many, in how many seconds."""
REMARK = """\
{runs:,} open runs in {repositories} repositories, and {ended:,} that have ended between them on the
agent's list; {changes} changes (answers, pull requests, failures) at random moments. Follower,
worker and adapter are the product's, over a real `mongod`; the stand-ins for agent and GitHub run
in a process of their own, so that CPU and memory are the bot's. Waiting moves the clock at once; a
call to the agent takes {latency} s of it, the worker's own work none (it took {real:.0f} s of real
time). The bare loop reads the same pages as fast as the same pace lets it, and does nothing
else. Reach: no change later than {reach:.0f} s, and no limit passed.{missed}"""


class Change(NamedTuple):
    """What the agent does ``at`` seconds: a status, maybe a pull request (its id; 0 for none)."""

    at: float
    remote_id: int
    place: int
    status: str
    pull_request: int = 0

    @property
    def digest(self) -> str:
        """What a record has of it."""
        return f"{self.status} {self.pull_request or ''}".strip()


def remote_ids(runs: int, ended: int) -> list[int]:
    """The agent's numbers of our runs, oldest first, with gaps where others' are."""
    ours = [True] * runs + [False] * ended
    random.Random(SEED).shuffle(ours)
    return [20_000 + place for place, mine in enumerate(ours) if mine]


def script_of(ids: Sequence[int], changes: int) -> list[Change]:
    """Changes of as many runs, in the order of time; the last minute has none."""
    chance = random.Random(SEED + 1)
    kinds = [("COMPLETE", False)] * 11 + [("COMPLETE", True)] * 3 + [("ACTIVE", True)] * 3
    kinds += [("ERROR", False)] * 2 + [("MAX_ITERATIONS_REACHED", False)]
    made = []
    for index in chance.sample(range(len(ids)), changes):
        status, brings = chance.choice(kinds)
        at = chance.uniform(0, SECONDS - REACH_SECONDS)
        made.append(Change(at, ids[index], index, status, ids[index] * 10 if brings else 0))
    return sorted(made)


# ── the stand-ins, in a process of their own ─────────────────────────────────────────────────


@dataclass(frozen=True)
class Place:
    """A repository on the stand-in, and the bot's comment in each of its issues, from 1."""

    repository: Repository
    comments: Sequence[int]


@dataclass(frozen=True)
class Told:
    """What the bot needs to know of the stand-ins."""

    codegen_url: str
    github_url: str
    private_key: str
    app_id: int
    places: Sequence[Place]


class StandIns:
    """The process; ``pass_to`` has the agent do what it does until a second."""

    def __init__(self, folder: Path, runs: int, ended: int, script: Sequence[Change]) -> None:
        context = multiprocessing.get_context("spawn")
        self._line, theirs = context.Pipe()
        self._process = context.Process(
            target=serve, args=(theirs, folder, runs, ended, script), daemon=True
        )
        self._process.start()
        theirs.close()
        self.told: Told = self._line.recv()

    def pass_to(self, seconds: float) -> None:
        """Raises EOFError where they broke."""
        self._line.send(seconds)
        self._line.recv()

    def end(self) -> Counter[str]:
        """Stop them; how often each call to GitHub was made."""
        self._line.send(None)
        calls: Counter[str] = self._line.recv()
        self._process.join()
        return calls


def serve(line: Connection, folder: Path, runs: int, ended: int, script: Sequence[Change]) -> None:
    """What that process does."""

    async def main() -> None:
        git_folder = small_repository(folder / "repository")
        async with StandInGitHub() as github, StandInCodegen() as codegen:
            calls: Counter[str] = Counter()

            def look_on(exchange: Exchange) -> None:
                calls[f"{exchange.method} {exchange.route}"] += 1

            github.look_on = look_on
            world = _Others(github, codegen, script)
            line.send(world.begin(git_folder, remote_ids(runs, ended), runs + ended))
            while (seconds := await asyncio.to_thread(line.recv)) is not None:
                await world.pass_to(seconds)
                line.send(seconds)
            line.send(calls)

    asyncio.run(main())


class _Others:
    """The agent and the people, by the script."""

    def __init__(
        self, github: StandInGitHub, codegen: StandInCodegen, script: Sequence[Change]
    ) -> None:
        self._github, self._codegen = github, codegen
        self._script = deque(script)
        self._repositories: list[RepositoryState] = []
        self._chance = random.Random(SEED + 2)
        self._steps = self._begun = self._seconds = 0.0

    def begin(self, git_folder: Path, ids: Sequence[int], count: int) -> Told:
        """What is there at first."""
        ours, github = dict(zip(ids, range(len(ids)), strict=True)), self._github
        for number in range(20_000, 20_000 + count):
            self._add(number, f"run-{ours[number]}" if number in ours else "")
        installations = [github.install(f"owner-{n}") for n in range(INSTALLATIONS)]
        places = []
        for n in range(REPOSITORIES):
            it = github.add_repository(installations[n % INSTALLATIONS], f"shop-{n}", git_folder)
            alice, comments = github.state.user("alice"), []
            for _ in ids[n::REPOSITORIES]:
                number = github.open_issue(it, author=alice, title="Sort the list").number
                bot, said = github.state.app_account, f"{STATUS_MARKER}\nat work"
                comments.append(add_comment(github.state, it, number, bot, said).id)
            self._repositories.append(it)
            owner, installation = it.owner.login, it.installation_id
            known = Repository(it.id, owner, it.name, installation, it.private, it.default_branch)
            places.append(Place(known, comments))
        state, key = github.state, github.private_key
        return Told(self._codegen.url, github.url, key, state.app_id, places)

    async def pass_to(self, seconds: float) -> None:
        """Do what happens until then: changes, steps of logs, and new runs of others."""
        passed, self._seconds = seconds - self._seconds, seconds
        while self._script and self._script[0].at <= seconds:
            await self._carry_out(self._script.popleft())
        runs = self._codegen.runs
        self._steps += passed * len(runs) / STEP_EVERY
        for _ in range(int(self._steps)):
            run = runs[20_000 + self._chance.randrange(len(runs))]
            if run.status == "ACTIVE":
                run.logs.clear()
                self._codegen.think(run, f"I look at line {self._chance.randrange(10**6)}")
        self._steps %= 1
        self._begun += passed * BEGUN_A_MINUTE / 60
        for _ in range(int(self._begun)):
            self._add(20_000 + len(runs), "")
        self._begun %= 1

    def _add(self, number: int, run_id: str) -> None:
        run = AgentRunState(number, None, [], {RUN_ID: run_id} if run_id else None, "")
        if not run_id:
            run.status, run.result = "COMPLETE", "I have sorted the list. " * 80
        self._codegen.runs[number] = run

    async def _carry_out(self, change: Change) -> None:
        run = self._codegen.runs[change.remote_id]
        if change.pull_request:
            it = self._repositories[change.place % REPOSITORIES]
            account = self._github.state.user("codegen-sh[bot]", "Bot")
            pull = await self._github.open_pull_request(it, "change", author=account, silent=True)
            url = f"{self._github.url}/{it.full_name}/pull/{pull.number}"
            head, title = pull.head_branch, pull.title
            told = {"id": change.pull_request, "url": url, "title": title, "head_branch_name": head}
            run.pull_requests.append(told)
        run.status = change.status
        if change.status == "COMPLETE":
            run.result = "The list is sorted now. " * 40


# ── the simulated clock, and what goes by it ─────────────────────────────────────────────────


class World(Clock):
    """Time that moves when somebody waits; ``meanwhile`` is what others do before it does."""

    def __init__(self, others: StandIns, latency: float) -> None:
        self.latency = latency
        self._others = others
        self._start = SYSTEM.now().replace(microsecond=0)
        self._busy = False
        self.elapsed = 0.0
        self.meanwhile: Callable[[], Awaitable[None]] = _nothing

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.elapsed)

    async def sleep(self, seconds: float) -> None:
        """Go on, in steps of the worker's polls."""
        until = self.elapsed + seconds
        while self.elapsed < until:
            if not self._busy:  # else it is one of the others who waits
                self._busy = True
                await self.meanwhile()
                self._busy = False
            self.elapsed = min(until, self.elapsed + POLL_SECONDS)
            self._others.pass_to(self.elapsed)


async def _nothing() -> None:
    """Nobody else is there."""


class WorldPace:
    """``SharedPace`` by a clock that is not the world's, with one window."""

    def __init__(self, clock: Clock, windows: Sequence[RateLimitItem]) -> None:
        (self._window,) = windows
        self._clock = clock
        self._taken: deque[float] = deque()

    async def __call__(self, name: str) -> None:
        wait = 0.0
        for _ in range(MOST_LOOKS):
            wait = self._wait()
            if wait <= 0:
                return
            if wait > LONGEST_PACE_SECONDS:
                break
            await self._clock.sleep(wait)
        raise Limited(f"the limit of {name} is reached", after=wait)

    def _wait(self) -> float:
        now, seconds = self._clock.now().timestamp(), self._window.get_expiry()
        while self._taken and self._taken[0] < now - seconds:
            self._taken.popleft()
        if len(self._taken) >= self._window.amount:
            return max(0.1, self._taken[0] + seconds - now)
        self._taken.append(now)
        return 0.0


@dataclass
class Calls:
    """When each call to the agent was made, by kind; each takes its time."""

    world: World
    made: dict[str, list[float]] = field(default_factory=dict)

    def trace(self) -> aiohttp.TraceConfig:
        """What a session tells them by."""

        async def begin(
            session: aiohttp.ClientSession,
            context: SimpleNamespace,
            asked: aiohttp.TraceRequestStartParams,
        ) -> None:
            del session, context
            kind = kind_of(asked.method, asked.url.path)
            self.made.setdefault(kind, []).append(self.world.elapsed)

        async def end(
            session: aiohttp.ClientSession,
            context: SimpleNamespace,
            answered: aiohttp.TraceRequestEndParams,
        ) -> None:
            del session, context, answered
            await self.world.sleep(self.world.latency)

        told = aiohttp.TraceConfig()
        told.on_request_start.append(begin)
        told.on_request_end.append(end)
        return told

    def count(self, *kinds: str) -> int:
        """How many were made."""
        return sum(len(self.made.get(kind, ())) for kind in kinds)

    def most(self, kinds: Collection[str], seconds: float) -> int:
        """How many were made in the fullest window of so many seconds."""
        times = sorted(at for kind in kinds for at in self.made.get(kind, ()))
        most = first = 0
        for place, at in enumerate(times):
            while times[first] <= at - seconds:
                first += 1
            most = max(most, place - first + 1)
        return most


def kind_of(method: str, path: str) -> str:
    """What a call is counted as."""
    if method == "POST":
        return "new runs"
    if path.endswith("/logs"):
        return "logs"
    if path.endswith("/agent/runs"):
        return "pages"
    return "single reads" if "/agent/run/" in path else "other reads"


@asynccontextmanager
async def agent_of(world: World, url: str) -> AsyncIterator[tuple[CodegenAgent, Calls]]:
    """The adapter, paced by the simulated clock."""
    calls = Calls(world)
    windows = (AGENT_CREATIONS, AGENT_READS, AGENT_LOGS)
    paces = Paces(*(WorldPace(world, it) for it in windows))
    async with aiohttp.ClientSession(trace_configs=[calls.trace()]) as session:
        yield CodegenAgent(session, paces, url, ORGANIZATION, TOKEN), calls


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
            try:
                await follower.look()
                await follower.read_steps()
            except TryAgain:
                outcome.broken += 1
            await world.sleep(LOOK_SECONDS)
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
