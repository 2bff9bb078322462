"""A pipeline over a source and a sandbox that do as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bot.adapters.clock import SystemClock
from bot.domain.code_analysis import AnalysisState, CodeAnalysis
from bot.domain.plan import (
    Cause,
    Log,
    Plan,
    Stage,
    StageFinished,
    StageResult,
    StageStarted,
    StageStatus,
)
from bot.domain.source import Origin
from bot.domain.validations import ValidationResult
from bot.ports.explorer import Explore, Tab
from bot.ports.sandbox import Emit, Environment, Examined, StageEnded
from bot.ports.source import Tree
from bot.services.validation_course import ValidationRequest
from bot.services.validation_pipeline import ValidationPipeline
from tests.sandbox.conftest import Heard, MemoryTree

CONFIGURED = """
deployment:
  install_command: npm ci
  build_command: npm run build
  test_command: npm test
  secrets: {TOKEN: [test]}
validation: {required_checks: [build_success, tests_pass]}
"""
TREE = {".github/codegenapp.yml": CONFIGURED, "src/app.ts": "let x"}

UNCHANGED = CodeAnalysis(AnalysisState.UNCHANGED, has_base=True)
Happening = Callable[[], Awaitable[None]]


async def nothing() -> None:
    """Does not happen."""


async def for_ever() -> None:
    await asyncio.Event().wait()


def raising(fault: BaseException) -> Happening:
    async def happen() -> None:
        raise fault

    return happen


@dataclass
class ScriptedSource:
    """One tree; ``opening`` happens before it is there, ``closing`` behind it."""

    files: Mapping[str, str] = field(default_factory=lambda: TREE)
    opening: Happening = nothing
    closing: Happening = nothing
    is_open: bool = False

    @asynccontextmanager
    async def open(self, origin: Origin) -> AsyncIterator[MemoryTree]:
        await self.opening()
        self.is_open = True
        try:
            yield MemoryTree(self.files, notes=["a note of the source"])
        finally:
            self.is_open = False
            await self.closing()


@dataclass
class ScriptedSandbox:
    """Emits ``results`` one by one; ``happenings`` come to pass in the verb of their name."""

    results: Sequence[StageResult] = ()
    happenings: Mapping[str, Happening] = field(default_factory=dict)
    key: str = "key"
    hit: bool = False
    analysis: CodeAnalysis = UNCHANGED
    calls: list[str] = field(default_factory=list)
    secrets: Mapping[str, str] = field(default_factory=dict)
    emit: Emit | None = None
    tab: Tab | None = None
    """What an exploring agent is given where all results passed."""

    async def _happen(self, verb: str) -> None:
        self.calls.append(verb)
        await self.happenings.get(verb, nothing)()

    async def ready(self) -> None:
        await self._happen("ready")

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
        await self._happen("open")
        self.secrets, self.emit = secrets, emit
        for result in self.results:
            if result.stage is Stage.INSTALL:
                await self._say(result)
        return Environment(environment_id, plan, "image", self.key, self.hit)

    async def run(self, environment: Environment, explore: Explore | None = None) -> None:
        await self._happen("run")
        for result in self.results:
            if result.stage is not Stage.INSTALL:
                await self._say(result)
        if explore is not None and self.tab is not None:
            await explore(self.tab)

    async def close(self, environment_id: str) -> None:
        await self._happen("close")

    async def analyse(
        self, environment_id: str, head: Tree, base: Tree, emit: Emit
    ) -> CodeAnalysis:
        return self.analysis

    async def keep_snapshot(self, environment: Environment, tree: Tree) -> bool:
        await self._happen("keep_snapshot")
        return True

    async def sweep(self) -> int:
        return 0

    async def examine(self) -> AsyncIterator[Examined]:
        yield Examined("all", ok=True, detail="")

    async def _say(self, result: StageResult) -> None:
        assert self.emit is not None
        await self.emit(StageStarted(result.stage, result.command, 0.0))
        await self._happen(result.stage.value)
        await self.emit(StageFinished(result))
        if result.status is not StageStatus.PASSED:
            raise StageEnded


def passed(stage: Stage, seconds: float = 0.0) -> StageResult:
    return StageResult(stage, StageStatus.PASSED, command="c", exit_code=0, seconds=seconds)


GOOD = (passed(Stage.INSTALL), passed(Stage.BUILD), passed(Stage.TEST))
SLOW = (passed(Stage.INSTALL, 60.0), passed(Stage.BUILD), passed(Stage.TEST))
BROKEN_BUILD = StageResult(
    Stage.BUILD,
    StageStatus.FAILED,
    cause=Cause.EXIT_CODE,
    exit_code=2,
    log=Log("src/app.ts(1,5): error TS2322: no\n"),
)


@dataclass
class Bench:
    """A pipeline over its script, and what it said and told."""

    sandbox: ScriptedSandbox
    source: ScriptedSource = field(default_factory=ScriptedSource)
    heard: Heard = field(default_factory=Heard)
    told: list[ValidationResult] = field(default_factory=list)

    async def validate(self, **request: Any) -> ValidationResult:
        async def tell(result: ValidationResult) -> None:
            self.told.append(result)

        pipeline = ValidationPipeline(self.source, self.sandbox, SystemClock())
        asked = ValidationRequest(Origin("somewhere"), "scope", **request)
        result = await pipeline.trigger_validation(asked, self.heard, tell)
        assert self.told == [result], "told once, and the same"
        assert not self.source.is_open
        return result
