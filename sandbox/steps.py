"""Runs one step in an application box and says how it ended."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.masking import Masker
from bot.domain.plan import (
    Cause,
    Log,
    Plan,
    StageFinished,
    StageResult,
    StageStarted,
    StageStatus,
    Step,
)
from bot.ports.clock import Clock
from bot.ports.sandbox import Emit
from sandbox.box import Box, LeftoversRemain, exit_code
from sandbox.engine import EngineGone, Execution, NotThere
from sandbox.guard import Guard, Trip
from sandbox.logs import LogCollector

DRAIN_SECONDS = 0.5
FILE_TOO_LARGE = 128 + 25
"""What a shell says of a command that SIGXFSZ has ended."""
KILLED = 137
END_SECONDS = 1.0
GUARD_SECONDS = 5.0
"""How long the guard may take to say why a box has ended."""


@dataclass
class Running:
    """A step under way. ``reader`` collects its output, ``ended`` gives its exit code."""

    step: Step
    execution: Execution
    collector: LogCollector
    reader: asyncio.Task[None]
    ended: asyncio.Task[int]
    started: float

    async def stop(self) -> Log:
        """Give up reading; gives what was read."""
        for task in (self.reader, self.ended):
            task.cancel()
        try:
            await asyncio.gather(self.reader, self.ended, return_exceptions=True)
        finally:
            await self.execution.close()
        return await self.collector.finish()


@dataclass
class Runner:
    """Runs the steps of one validation, one after the other.

    ``deadline`` is the event loop's time at which the whole validation ends.
    """

    box: Box
    guard: Guard
    plan: Plan
    secrets: Mapping[str, str]
    emit: Emit
    clock: Clock
    deadline: float
    first: bool = True

    async def run(self, step: Step, extra: Mapping[str, str] | None = None) -> StageResult:
        """Run a step to its end; emits its start and output, not its result."""
        try:
            running = await self.launch(step, extra)
        except LeftoversRemain:
            return self.leftovers(step)
        try:
            return await self._to_the_end(running)
        finally:
            await running.stop()

    async def launch(self, step: Step, extra: Mapping[str, str] | None = None) -> Running:
        """Clear the box and start a step. Raises LeftoversRemain."""
        await self.emit(StageStarted(step.stage, step.command, self.clock.now().timestamp()))
        started = _now()
        if not self.first:
            await self._clear()
        self.first = False
        given = {name: self.secrets[name] for name in step.secrets if name in self.secrets}
        environment = {**(extra or {}), **step.environment, **given}
        execution = await self.box.execute(step.command, environment)
        collector = LogCollector(
            step.stage, Masker(self.secrets), self.plan.limits.log_bytes, self.emit
        )
        reader = asyncio.create_task(_read(execution, collector))
        ended = asyncio.create_task(_ended(reader, execution, self.clock))
        return Running(step, execution, collector, reader, ended, started)

    async def _clear(self) -> None:
        try:
            await self.box.clear()
        except LeftoversRemain:
            await self._unless_the_box_ended()
            await self.guard.look()
            raise

    async def check_end(self, ended: asyncio.Future[int]) -> None:
        """See that a command which ended badly did so by itself.

        Whoever ends the box ends its commands too, and their exit codes then say nothing about
        the author's work. Comes back with the guard tripped where a limit was passed; raises
        EngineGone where the box ended from outside.
        """
        if ended.exception() is not None:
            await self._unless_the_box_ended()
        elif code := ended.result():
            # A box's end kills what runs in it, and the engine may tell of that end a bit later.
            await self._unless_the_box_ended(END_SECONDS if code == KILLED else 0.0)

    async def _unless_the_box_ended(self, patience: float = 0.0) -> None:
        until = _now() + patience
        with contextlib.suppress(NotThere):
            while (await self.box.engine.state(self.box.id)).running:
                if _now() >= until:
                    return
                await self.clock.sleep(END_SECONDS / 20)
        await first_of(self.guard.tripped, seconds=GUARD_SECONDS)
        if not self.guard.tripped.done():
            raise EngineGone("the application box ended from outside")

    def leftovers(self, step: Step) -> StageResult:
        """The result of a step that could not be begun, for what an earlier one left running."""
        reason, cause = "what an earlier step left running could not be killed", Cause.EXIT_CODE
        if self.guard.full:
            trip = self.guard.process_trip()
            reason, cause = f"{reason}: it {trip.reason}", trip.cause
        return StageResult(step.stage, StageStatus.FAILED, reason, cause, step.command)

    def remaining(self, step: Step | None = None) -> float:
        """The seconds that a step may take, or that are left in all."""
        left = max(0.0, self.deadline - _now())
        return (
            left
            if step is None or step.timeout_seconds is None
            else min(left, step.timeout_seconds)
        )

    async def _to_the_end(self, running: Running) -> StageResult:
        seconds = self.remaining(running.step)
        await first_of(running.ended, self.guard.tripped, seconds=seconds)
        if running.ended.done() and not self.guard.tripped.done():
            await self.check_end(running.ended)
        if self.guard.tripped.done():
            return self._result(running, self.guard.tripped.result(), await running.stop())
        if not running.ended.done():
            return self._timed_out(running, await running.stop())
        code = running.ended.result()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await asyncio.shield(running.reader)
        log = await running.stop()
        if self.guard.out_of_memory:
            self.guard.out_of_memory = False
            return self._result(running, self.guard.memory_trip(), log, code)
        if code != 0 and (trip := await self._limit_met(code)):
            return self._result(running, trip, log, code)
        return finished_result(running.step, code, _now() - running.started, log)

    async def _limit_met(self, code: int) -> Trip | None:
        """The limit that a step has met and answered to by itself, by its exit code."""
        await self.guard.look()
        if self.guard.tripped.done():
            return self.guard.tripped.result()
        if code == FILE_TOO_LARGE:
            return self.guard.file_trip()
        return self.guard.refusal_trip(code) if await self.box.was_full() else None

    def _timed_out(self, running: Running, log: Log) -> StageResult:
        seconds = _now() - running.started
        own = running.step.timeout_seconds
        whole = own is None or seconds < own
        limit = "validation.timeout_minutes" if whole else "its own time"
        return StageResult(
            running.step.stage,
            StageStatus.TIMED_OUT,
            f"`{running.step.command}` still ran after {seconds:.0f} s, at the end of {limit}",
            Cause.TIMEOUT,
            running.step.command,
            seconds=seconds,
            log=log,
        )

    def _result(
        self, running: Running, trip: Trip, log: Log, code: int | None = None
    ) -> StageResult:
        return StageResult(
            running.step.stage,
            StageStatus.FAILED,
            f"`{running.step.command}` {trip.reason}",
            trip.cause,
            running.step.command,
            exit_code=code,
            seconds=_now() - running.started,
            log=log,
        )


def finished_result(step: Step, code: int, seconds: float, log: Log) -> StageResult:
    """What a step that came to its own end found."""
    passed = code == 0
    return StageResult(
        step.stage,
        StageStatus.PASSED if passed else StageStatus.FAILED,
        "" if passed else f"`{step.command}` exited with {code}{_meaning(code)}",
        None if passed else Cause.EXIT_CODE,
        step.command,
        exit_code=code,
        seconds=seconds,
        log=log,
    )


async def first_of(*futures: asyncio.Future[Any], seconds: float | None = None) -> None:
    """Wait until one of them is done, or the time is over; cancels none."""
    await asyncio.wait(futures, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)


async def emit_result(emit: Emit, result: StageResult) -> StageResult:
    """Emit a stage's end; gives the result back."""
    await emit(StageFinished(result))
    return result


def _meaning(code: int) -> str:
    meanings: Mapping[int, str] = {
        126: " (found, but not executable)",
        127: " (command not found: does the image have it?)",
        137: " (killed)",
        139: " (segmentation fault)",
        143: " (terminated)",
    }
    return meanings.get(code, "")


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _read(execution: Execution, collector: LogCollector) -> None:
    while (chunk := await execution.read()) is not None:
        await collector.feed(chunk)


async def _ended(reader: asyncio.Task[None], execution: Execution, clock: Clock) -> int:
    """The step's exit code. Its stream's end is the quickest hint, but not a sure one."""
    asking = asyncio.create_task(exit_code(execution, clock, least=0.1))
    try:
        await first_of(reader, asking)
        if asking.done():
            return asking.result()
        reader.result()
        return await exit_code(execution, clock)
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
