"""The started application: it is the one process that stays, and the probe box looks at it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from bot.domain.plan import (
    Cause,
    HealthCheck,
    Log,
    Stage,
    StageResult,
    StageStarted,
    StageStatus,
    Step,
)
from sandbox.probe import Probe
from sandbox.steps import Runner, Running, finished_result, first_of

START_SECONDS = 3.0
"""After how long a command that has no port counts as started."""
LISTEN_SECONDS = 10.0
"""How long one with a port may take to listen, or to end by itself, and still be starting."""
REQUEST_SECONDS = 10.0
STABILITY_SECONDS = 15.0
STABILITY_PATIENCE = 2.0
"""How long a bad answer is asked for again at the end, in seconds."""
GONE_SECONDS = 1.0
"""How long the end of a box that is gone may take to be heard of."""
ENGINE_RESOLVER = "127.0.0.11"
"""Where the engine's own name server listens in a box that was on a network."""


@dataclass
class Application:
    """One started application, from its start to its second health check."""

    runner: Runner
    probe: Probe
    step: Step
    health: HealthCheck | None
    running: Running | None = None
    healthy_at: float = field(default=0.0)
    beside: frozenset[int] = frozenset()
    """Ports that the services have opened before it was started."""

    async def start(self) -> StageResult:
        """Start it. It has started when it listens, or when it has not ended after a while."""
        if self.health and self.runner.plan.services:
            self.beside = _ports((await self.probe.ask("listeners"))["listeners"])
        self.running = running = await self.runner.launch(self.step)
        if self.health:
            await self.watching(
                self.probe.ask(
                    "wait_for_listener",
                    seconds=LISTEN_SECONDS,
                    port=self.health.port,
                    timeout=LISTEN_SECONDS,
                )
            )
        else:
            await first_of(running.ended, self.runner.guard.tripped, seconds=START_SECONDS)
            await self._check_end(running)
        if (ended := self.ended(Stage.START, running.started)) is not None:
            return ended
        return StageResult(
            Stage.START,
            StageStatus.PASSED,
            self._what_is_left() if running.ended.done() else "",
            command=self.step.command,
            seconds=_now() - running.started,
            log=running.collector.log,
        )

    def _what_is_left(self) -> str:
        if self.health is None:
            return "the command ended with 0; nobody looked whether it left anything running"
        return "the command ended with 0; what it left running is looked at next"

    async def check_health(self, health: HealthCheck) -> StageResult:
        """Ask until the application is well, or the check's deadline has come."""
        started = await self.begin(Stage.HEALTH)
        answer = await self._ask(Stage.HEALTH, started, health, health.deadline_seconds)
        if isinstance(answer, StageResult):
            return answer
        self.healthy_at = _now()
        reason = f"{answer['url']} answered {answer['status']} after {answer['waited']:.1f} s"
        return StageResult(Stage.HEALTH, StageStatus.PASSED, reason, seconds=_now() - started)

    async def check_ports(self, health: HealthCheck) -> StageResult:
        """See that the port is open on 127.0.0.1 or on all interfaces, and what else is."""
        started = await self.begin(Stage.PORTS)
        answer = await self.probe.ask("listeners")
        if passed := self._limit_passed(Stage.PORTS, started):
            return passed
        listeners = [it for it in answer["listeners"] if it["address"] != ENGINE_RESOLVER]
        mine = [it for it in listeners if it["port"] == health.port]
        others = sorted({it["port"] for it in listeners if it["port"] != health.port})
        if not any(it["loopback"] or it["all_interfaces"] for it in mine):
            if ended := await self._ended_meanwhile(Stage.PORTS, started):
                return ended
            reason = f"nothing listens on 127.0.0.1:{health.port} any more"
            assert self.running is not None
            if self.running.ended.done():
                reason += ": the start command has ended, with exit code 0"
            return self._bad(Stage.PORTS, started, Cause.CRASHED, reason)
        where = "all interfaces" if any(it["all_interfaces"] for it in mine) else "127.0.0.1"
        reason = f"port {health.port} is open on {where}"
        if others:
            reason += f"; also open: {', '.join(str(port) for port in others)}"
        return StageResult(Stage.PORTS, StageStatus.PASSED, reason, seconds=_now() - started)

    async def check_stability(self, health: HealthCheck) -> StageResult:
        """Ask once more, no sooner than the settling time after the first good answer."""
        started = await self.begin(Stage.STABILITY)
        settle = max(0.0, self.healthy_at + health.settle_seconds - _now())
        await self.watching(self.runner.clock.sleep(min(settle, self.runner.remaining())))
        answer = await self._ask(
            Stage.STABILITY, started, health, STABILITY_SECONDS, patience=STABILITY_PATIENCE
        )
        if isinstance(answer, StageResult):
            return answer
        waited = _now() - self.healthy_at
        reason = f"still well {waited:.1f} s after the first good answer"
        return StageResult(Stage.STABILITY, StageStatus.PASSED, reason, seconds=_now() - started)

    @property
    def log(self) -> Log:
        """What it has printed so far."""
        return self.running.collector.log if self.running else Log()

    def since(self, started: float) -> float:
        """The seconds since a stage's start."""
        return _now() - started

    async def stop(self) -> Log:
        """Stop reading its output; the box's end ends the application. Gives its log."""
        return await self.running.stop() if self.running else Log()

    async def _ask(
        self,
        stage: Stage,
        started: float,
        health: HealthCheck,
        deadline: float,
        *,
        patience: float | None = None,
    ) -> Mapping[str, Any] | StageResult:
        """Ask for a good answer within ``deadline`` seconds; the stage's result where none came."""
        seconds = min(deadline, self.runner.remaining())
        more: dict[str, Any] = {} if patience is None else {"patience": patience}
        answer = await self.watching(
            self.probe.ask(
                "health",
                seconds=seconds,
                port=health.port,
                path=health.path,
                fallback_path=health.fallback_path,
                timeout=seconds,
                request_timeout=min(REQUEST_SECONDS, seconds),
                **more,
            )
        )
        if passed := self._limit_passed(stage, started):
            return passed
        if answer is not None and answer["healthy"]:
            return answer
        if ended := self.ended(stage, started):
            return ended
        if seconds < deadline:
            return self._bad(stage, started, Cause.TIMEOUT, _OUT_OF_TIME)
        assert answer is not None
        if stage is Stage.STABILITY:
            reason = f"well at first, and then no more: {_unwell(answer)}"
            return self._bad(stage, started, Cause.UNHEALTHY, reason)
        others = sorted(_ports(answer["listeners"]) - self.beside)
        if others and health.port not in others:
            return self._bad(stage, started, Cause.PORT_CLOSED, _unwell(answer, others))
        return self._bad(stage, started, Cause.UNHEALTHY, _unwell(answer))

    async def begin(self, stage: Stage) -> float:
        """Emit a stage's start; gives its time on the loop's clock."""
        await self.runner.emit(StageStarted(stage, "", self.runner.clock.now().timestamp()))
        return _now()

    async def watching(self, work: Coroutine[Any, Any, Any]) -> Mapping[str, Any] | None:
        """Do something while watching the application; None where it failed meanwhile."""
        assert self.running is not None
        task = asyncio.ensure_future(work)
        crash = asyncio.ensure_future(_crashed(self.running))
        try:
            await first_of(task, crash, self.runner.guard.tripped)
            await self._check_end(self.running)
            return task.result() if task.done() else None
        finally:
            for pending in (task, crash):
                pending.cancel()
            await asyncio.gather(task, crash, return_exceptions=True)

    async def _check_end(self, running: Running) -> None:
        if running.ended.done() and not self.runner.guard.tripped.done():
            await self.runner.check_end(running.ended)

    async def _ended_meanwhile(self, stage: Stage, started: float) -> StageResult | None:
        """As ``_ended``, where the application is gone already and nobody has been told why."""
        assert self.running is not None
        told: set[asyncio.Future[Any]] = {self.running.ended, self.runner.guard.tripped}
        await asyncio.wait(told, timeout=GONE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        await self._check_end(self.running)
        return self.ended(stage, started)

    def ended(self, stage: Stage, started: float) -> StageResult | None:
        """The stage's result where the application has failed or a limit was passed."""
        if passed := self._limit_passed(stage, started):
            return passed
        running = self.running
        assert running is not None
        log = running.collector.log
        if not running.ended.done() or (code := running.ended.result()) == 0:
            return None
        if stage is Stage.START:
            return finished_result(self.step, code, _now() - started, log)
        reason = f"the application ended by itself, with exit code {code}"
        return self._bad(stage, started, Cause.CRASHED, reason, code)

    def _limit_passed(self, stage: Stage, started: float) -> StageResult | None:
        """The stage's result where a limit was passed, well as the application may look."""
        guard = self.runner.guard
        trip = guard.tripped.result() if guard.tripped.done() else None
        if trip is None and guard.out_of_memory:
            trip = guard.memory_trip()
        if trip is None:
            return None
        return self._bad(stage, started, trip.cause, f"the application {trip.reason}")

    def _bad(
        self, stage: Stage, started: float, cause: Cause, reason: str, code: int | None = None
    ) -> StageResult:
        return StageResult(
            stage,
            StageStatus.TIMED_OUT if cause is Cause.TIMEOUT else StageStatus.FAILED,
            reason,
            cause,
            self.step.command,
            exit_code=code,
            seconds=_now() - started,
            log=self.log,
        )


_OUT_OF_TIME = "the time of the validation (validation.timeout_minutes) came to its end"


def _unwell(answer: Mapping[str, Any], others: Sequence[int] = ()) -> str:
    """The probe's sentence, with the path that was asked; ``others`` are ports that are open."""
    reason = str(answer["reason"])
    if reason.startswith("it "):
        reason = f"`{urlsplit(answer['url']).path}` {reason.removeprefix('it ')}"
    if others:
        reason += f"; open in its place: {', '.join(map(str, others))}"
    return f"{reason} ({answer['attempts']} attempts in {answer['waited']:.0f} s)"


def _ports(listeners: Iterable[Mapping[str, Any]]) -> frozenset[int]:
    """The ports of listeners, without the engine's own name server."""
    return frozenset(it["port"] for it in listeners if it["address"] != ENGINE_RESOLVER)


async def _crashed(running: Running) -> None:
    """Come back when the start command has ended with a failure; never where it ended well."""
    if await asyncio.shield(running.ended) == 0:
        await asyncio.get_running_loop().create_future()


def _now() -> float:
    return asyncio.get_running_loop().time()
