"""RUN: services, build, test, and the started application, in a box that is closed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial

from bot.domain.plan import (
    Cause,
    HealthCheck,
    Log,
    NetworkAccess,
    Stage,
    StageNote,
    StageResult,
    StageStatus,
    Step,
)
from bot.ports.explorer import Explore
from bot.ports.sandbox import StageEnded
from sandbox.application import Application
from sandbox.box import LeftoversRemain
from sandbox.engine import Kind
from sandbox.equipment import Opened
from sandbox.exploring import explored
from sandbox.preparation import cut, with_refusals
from sandbox.probe import ProbeFault
from sandbox.services import ServiceNotReady, ended_services, start_service, wait_until_ready
from sandbox.steps import emit_result
from sandbox.test_reports import fetch_reports
from sandbox.web import evaluate

Look = Callable[[HealthCheck], Awaitable[StageResult]]
"""Looks at the started application; gives the stage's result."""
_GOES_ON = (StageStatus.PASSED, StageStatus.SKIPPED)


async def run_stages(opened: Opened, explore: Explore | None = None) -> None:
    """Carry out the plan from the build on. Raises StageEnded at the first stage that fails.

    ``explore`` is the last to look at the application, where all else has.
    """
    plan = opened.plan
    if plan.web is not None and plan.step(Stage.START):
        # The browser starts while the build runs; where it does not, the evaluation will say so.
        with contextlib.suppress(ProbeFault):
            await opened.probe.ask("warm")
    fault = await _start_services(opened)
    services_waited_for = False
    for step in plan.steps:
        if step.stage is Stage.INSTALL:
            continue
        if step.stage is not Stage.BUILD and not services_waited_for:
            await _wait_for_services(opened, step, fault)
            services_waited_for = True
        if step.stage is Stage.START:
            if plan.build_network is not NetworkAccess.NONE:
                await cut(opened)
            await _start_application(opened, step, explore)
        else:
            extra = opened.proxy if plan.build_network is not NetworkAccess.NONE else None
            result = await opened.runner.run(step, extra)
            if step.stage is Stage.TEST and result.cause is Cause.EXIT_CODE:
                await fetch_reports(opened)
            await _conclude(opened, with_refusals(opened, result))


async def _start_services(opened: Opened) -> ServiceNotReady | None:
    """Start all, until one can't be; that is told when they are waited for: not the build's."""
    plan, equipment = opened.plan, opened.equipment
    for service in plan.services:
        labels = equipment.labels(
            Kind.SERVICE, opened.id, plan.limits.total_seconds, kept=opened.kept
        )
        try:
            running = await start_service(equipment.engine, service, opened.box.id, labels)
        except ServiceNotReady as fault:
            return fault
        opened.services.append(running)
        opened.guard.watch_beside(running.box, service.name)
    return None


async def _wait_for_services(opened: Opened, step: Step, fault: ServiceNotReady | None) -> None:
    if not opened.plan.services:
        return
    try:
        if fault is not None:
            raise fault
        async with asyncio.timeout(opened.runner.remaining()):
            await wait_until_ready(opened.equipment.engine, opened.services, opened.equipment.clock)
    except ServiceNotReady as fault:
        await _conclude(
            opened,
            StageResult(
                step.stage,
                StageStatus.FAILED,
                str(fault),
                Cause.CONFIGURATION,
                step.command,
                log=Log(fault.log),
            ),
        )
    except TimeoutError:
        reason = "the services were not ready before the end of validation.timeout_minutes"
        await _conclude(
            opened,
            StageResult(step.stage, StageStatus.TIMED_OUT, reason, Cause.TIMEOUT, step.command),
        )


async def _start_application(opened: Opened, step: Step, explore: Explore | None) -> None:
    plan = opened.plan
    application = Application(opened.runner, opened.probe, step, plan.health)
    try:
        await _conclude(opened, await application.start())
        if plan.health is not None:
            await _look_at(opened, application, plan.health, explore)
    except LeftoversRemain:
        await _conclude(opened, opened.runner.leftovers(step))
    finally:
        await application.stop()


async def _look_at(
    opened: Opened, application: Application, health: HealthCheck, explore: Explore | None
) -> None:
    plan = opened.plan.web
    web = None if plan is None else partial(evaluate, application, plan=plan)
    looks: tuple[tuple[Stage, Look | None], ...] = (
        (Stage.HEALTH, application.check_health),
        (Stage.PORTS, application.check_ports),
        (Stage.WEB_EVALUATION, web),
        (Stage.STABILITY, application.check_stability),
    )
    has_page = False
    for stage, look in looks:
        if look is not None and opened.plan.wants(stage):
            result = await look(health)
            await _conclude(opened, result)
            has_page = has_page or result.evaluation is not None
    if explore is not None and plan is not None and has_page:
        await explored(application, health, plan, explore)


async def _conclude(opened: Opened, result: StageResult) -> None:
    if result.status not in _GOES_ON and result.cause is not Cause.CONFIGURATION:
        # It may be why: a test says no more than that nobody answers any more.
        for sentence in await ended_services(opened.equipment.engine, opened.services):
            await opened.runner.emit(StageNote(result.stage, sentence))
    await emit_result(opened.runner.emit, result)
    if result.status not in _GOES_ON:
        raise StageEnded
