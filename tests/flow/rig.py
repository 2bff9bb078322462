"""The whole bot in this process: real database, real git over HTTP, the stand-in GitHub, its doors.

Only the boxes are scripted: what a commit's validation finds is said by the test.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from assembly.analysis import advisers
from assembly.doors import doors
from assembly.hands import Bench, hands
from assembly.house import House, house
from bot.adapters.clock import SystemClock
from bot.adapters.git.remote import Authorization
from bot.adapters.git.source import GitSource
from bot.adapters.render import TemplateRenderer
from bot.cli.wiring import Workbench
from bot.domain.code_analysis import AnalysisState, CodeAnalysis
from bot.domain.plan import Cause, Log, Plan, Stage, StageAttachment, StageResult, StageStatus
from bot.domain.projects import Project
from bot.ports.explorer import Explore, Tab
from bot.ports.inbox import ItemState
from bot.ports.sandbox import Emit, Environment
from bot.ports.source import Tree
from bot.services.validation_pipeline import ValidationPipeline
from bot.settings import Settings
from demo.codegen.server import StandInCodegen
from demo.gemini.server import KEY, StandInGemini
from demo.github.state import CheckRunState
from sandbox.engine import EngineInfo
from tests.flow.scripted import Happening, ScriptedSandbox, nothing, passed
from tests.stand_in import Stage as OnStage
from tests.stand_in import agent_at

SYSTEM = SystemClock()
PATIENCE = 60.0
SOON = timedelta(minutes=3)
"""By the bot's own clock: what is put off for longer waits for another day or a person."""
BROKEN = StageResult(
    Stage.BUILD,
    StageStatus.FAILED,
    cause=Cause.EXIT_CODE,
    exit_code=2,
    command="npm run build",
    log=Log("src/list.ts(35,41): error TS2551: no such property\n"),
)


class FastClock(SystemClock):
    """A clock that runs ``speed`` times as fast as the world's, and can be put forward."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._start = SYSTEM.now()
        self.ahead = timedelta()

    def now(self) -> datetime:
        return self._start + self.ahead + (SYSTEM.now() - self._start) * self._speed

    async def sleep(self, seconds: float) -> None:
        await SYSTEM.sleep(seconds / self._speed)


@dataclass
class Boxes:
    """A sandbox for all commits: ``broken`` ones fail to build; ``during`` happens in each run."""

    broken: set[str] = field(default_factory=set)
    fails: Callable[[str], bool] = lambda head_sha: False
    """Whether a commit fails as well that nobody knows beforehand: it is asked at each run."""
    during: Happening = nothing
    opening: Happening = nothing
    ran: list[str] = field(default_factory=list)
    """The commits that were run, in order."""
    secrets: list[Mapping[str, str]] = field(default_factory=list)
    trusted: list[bool] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    closed: int = 0
    failure: Callable[[str], StageResult] = lambda head_sha: BROKEN
    """How a commit fails."""
    look: Callable[[Plan], StageResult] = lambda plan: passed(Stage.WEB_EVALUATION)
    """What a browser would see of any commit."""
    left: Sequence[StageAttachment] = ()
    """The files that each run makes."""
    tab: Callable[[Emit], Tab] | None = None
    """Makes the tab that an exploring agent is given where all stages passed."""
    _made: dict[str, ScriptedSandbox] = field(default_factory=dict)

    async def ready(self) -> None:
        """Boxes are closed."""

    async def open(
        self,
        environment_id: str,
        plan: Plan,
        tree: Tree,
        secrets: Mapping[str, str],
        emit: Emit,
        *,
        scope: str,
        kept: bool = False,
    ) -> Environment:
        self.ran.append(tree.head_sha)
        self.trusted.append(plan.trusted)
        self.secrets.append(secrets)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        is_broken = tree.head_sha in self.broken or self.fails(tree.head_sha)
        failure = self.failure(tree.head_sha) if is_broken else None
        results = tuple(self._results(plan, failure))
        script = ScriptedSandbox(results, {"build": self.during, "open": self.opening})
        self._made[environment_id] = script
        return await script.open(environment_id, plan, tree, secrets, emit, scope=scope, kept=kept)

    async def run(self, environment: Environment, explore: Explore | None = None) -> None:
        script = self._made[environment.id]
        assert script.emit is not None
        script.tab = self.tab(script.emit) if self.tab else None
        for attachment in self.left:
            await script.emit(attachment)
        await script.run(environment, explore)

    async def close(self, environment_id: str) -> None:
        if self._made.pop(environment_id, None) is not None:
            self.running -= 1
            self.closed += 1

    async def analyse(
        self, environment_id: str, head: Tree, base: Tree, emit: Emit
    ) -> CodeAnalysis:
        return CodeAnalysis(AnalysisState.UNCHANGED, has_base=True)

    async def keep_snapshot(self, environment: Environment, tree: Tree) -> bool:
        return False

    async def sweep(self) -> int:
        return 0

    def _results(self, plan: Plan, failure: StageResult | None) -> Iterator[StageResult]:
        """One for each stage that the plan has."""
        of_the_application = {Stage.HEALTH, Stage.PORTS, Stage.STABILITY} if plan.health else set()
        for stage in Stage:
            if failure is not None and stage is Stage.BUILD:
                yield failure
                return
            if stage is Stage.WEB_EVALUATION and plan.web is not None:
                yield self.look(plan)
            elif plan.wants(stage) and (plan.step(stage) or stage in of_the_application):
                yield passed(stage)

    def examine(self) -> AsyncIterator[object]:
        raise NotImplementedError("only `doctor` examines, and it asks a real sandbox")


@dataclass
class Shift:
    """The hands at work. ``stop`` ends them wherever they are; ``begin`` has new ones."""

    it: House
    bench: Bench
    _work: Sequence[asyncio.Future[None]] = ()
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _is_cancelled: bool = False

    async def begin(self) -> None:
        self._is_cancelled = False
        tasks = await self._stack.enter_async_context(hands(self.it, self.bench))
        self._work = [asyncio.ensure_future(run(task)) for task in tasks]

    def cancel(self) -> None:
        """At once: they notice where they next wait for something, and end. Once is enough."""
        if not self._is_cancelled:
            self._is_cancelled = True
            for task in self._work:
                task.cancel()

    async def stop(self) -> None:
        self.cancel()
        ended = await asyncio.gather(*self._work, return_exceptions=True)
        self._work = ()
        await self._stack.aclose()
        faults = [it for it in ended if not isinstance(it, asyncio.CancelledError)]
        assert not faults, faults


@dataclass
class Bot:
    """The bot at work, and where to look at what it did."""

    on: OnStage
    it: House
    boxes: Boxes
    url: str
    clock: FastClock
    shift: Shift

    def runs(self, head_sha: str) -> list[CheckRunState]:
        """The check runs of a commit, oldest first."""
        return self.on.github.state.runs_of(self.on.shop.id, head_sha)

    async def concluded(self, head_sha: str, count: int = 1) -> CheckRunState:
        """The newest check run of a commit, when there are so many and it is completed."""

        def done() -> bool:
            runs = self.runs(head_sha)
            return len(runs) >= count and all(run.status == "completed" for run in runs)

        await until(done, lambda: f"{[run.history for run in self.runs(head_sha)]}")
        return self.runs(head_sha)[-1]

    async def known_project(self) -> Project:
        """The repository's project, when the look at start has found it."""
        async with asyncio.timeout(PATIENCE):
            while (found := await self.it.projects.of_repository(self.on.shop.id)) is None:
                await SYSTEM.sleep(0.02)
        return found

    async def idle_inbox(self) -> None:
        """Wait until no delivery is leased or due, nor will be soon; jobs may run."""
        async with asyncio.timeout(PATIENCE):
            while await self._deliveries():
                await SYSTEM.sleep(0.02)

    async def idle(self) -> None:
        """Wait until nothing is due, leased or running."""
        jobs = self.it.database.collection("jobs")
        async with asyncio.timeout(PATIENCE):
            while True:
                await self.idle_inbox()
                # A job ends together with the event that tells of it.
                left = await jobs.count_documents({"state": {"$ne": "ended"}})
                if not left and not await self._deliveries():
                    return
                await SYSTEM.sleep(0.02)

    async def _deliveries(self) -> int:
        """How many are leased, due, or will be within ``SOON``."""
        soon = self.it.clock.now() + SOON
        due = {"state": ItemState.READY.value, "due_at": {"$lte": soon}}
        leased = {"state": ItemState.LEASED.value}
        inbox = self.it.database.collection("inbox")
        return await inbox.count_documents({"$or": [due, leased]})

    async def dead(self) -> list[str]:
        """Why there are dead letters; there should be none."""
        return [kept.reason async for kept in self.it.inbox.listing(ItemState.DEAD, 100)]


async def until(holds: Callable[[], bool], told: Callable[[], str] = lambda: "") -> None:
    """Wait for something to hold."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not holds():
                await SYSTEM.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"it never came: {told()}") from None


def settings_for(on: OnStage, mongodb: str, folder: Path, **more: str) -> Settings:
    """Settings of a bot at the stand-in, with a database of its own."""
    return Settings.from_env(
        {
            "CODEGENAPP_HOME": str(folder),
            "MONGODB_URI": mongodb,
            "MONGODB_DATABASE": f"test_{uuid.uuid4().hex}",
            "SECRET_KEY": "a key for the tests alone",
            "GITHUB_APP_ID": str(on.github.state.app_id),
            "GITHUB_PRIVATE_KEY": on.github.private_key,
            "GITHUB_WEBHOOK_SECRET": on.github.secret,
            "GITHUB_API_URL": on.github.url,
            "GITHUB_URL": on.github.url,
            "PORT": "0",
            "PUBLIC_URL": "https://bot.example.com",
            **more,
        }
    )


@asynccontextmanager
async def bot(
    on: OnStage,
    mongodb: str,
    folder: Path,
    *,
    speed: float = 20.0,
    boxes: Boxes | None = None,
    codegen: StandInCodegen | None = None,
    gemini: StandInGemini | None = None,
) -> AsyncIterator[Bot]:
    """The bot, web and worker, while the block lasts; the agent at ``codegen`` has no limits."""
    key = {"GEMINI_API_KEY": KEY, "GEMINI_API_ENDPOINT": gemini.url} if gemini else {}
    settings = settings_for(on, mongodb, folder, **key)
    boxes = boxes or Boxes()
    clock = FastClock(speed)

    @asynccontextmanager
    async def bench(authorization: Authorization) -> AsyncIterator[Workbench]:
        source = GitSource(SYSTEM, environment={}, authorization=authorization)

        async def info() -> EngineInfo:
            return EngineInfo("id", "1", 4, 8 * 1024**3, "x86_64")

        async with advisers(settings, TemplateRenderer(), clock) as told:
            pipeline = ValidationPipeline(
                source,
                boxes,  # type: ignore[arg-type]  # examine is not asked
                clock,
                told.analyst,
                told.explorations,
            )
            yield Workbench(pipeline, boxes, info)  # type: ignore[arg-type]  # as above

    async with AsyncExitStack() as stack:
        it = await stack.enter_async_context(house(settings, TemplateRenderer(), clock))
        if codegen is not None:
            it = replace(it, agent=await stack.enter_async_context(agent_at(codegen)))
        url = await stack.enter_async_context(doors(it))
        shift = Shift(it, bench)
        await shift.begin()
        try:
            on.github.hook_url = f"{url}/webhooks/github"
            try:
                yield Bot(on, it, boxes, url, clock, shift)
            finally:
                await shift.stop()
        finally:
            await it.database.client.drop_database(settings.mongodb_database)


async def run(task: Callable[[], Awaitable[None]]) -> None:
    await task()
