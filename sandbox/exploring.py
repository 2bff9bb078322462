"""A tab of the probe's browser for somebody outside to drive: fulfils ``bot.ports.explorer.Tab``.

It comes after all that decides has looked at the application, so that whatever is done in the tab,
and whatever becomes of application and browser, no stage's result is touched by it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.domain.bounded_json import NotInShape
from bot.domain.exploring import Action, Observation
from bot.domain.plan import HealthCheck, Stage, StageAttachment
from bot.domain.web import WebPlan
from bot.ports.explorer import Explore, Gone, TabGone
from sandbox.application import Application
from sandbox.engine import EngineFault
from sandbox.probe_parts import Parts

ACT_SECONDS = 35.0
"""The longest that the probe takes for one action and what is seen of it."""
CLOSE_SECONDS = 10.0
LEFT_FOR_THE_END = 10.0
"""Seconds of the whole validation that the exploration leaves."""
LEAST_SECONDS = 5.0


class ProbeTab:
    """See ``bot.ports.explorer``. ``seconds`` is what the validation has left when it begins."""

    def __init__(self, application: Application, health: HealthCheck, plan: WebPlan) -> None:
        self._application = application
        self._port = health.port
        self._path = plan.pages[0] if plan.pages else "/"
        self.seconds = max(LEAST_SECONDS, application.runner.remaining() - LEFT_FOR_THE_END)

    async def open(self) -> Observation:
        """See the port."""
        return await self._observed("explore_open", port=self._port, path=self._path)

    async def act(self, action: Action) -> Observation:
        """See the port."""
        return await self._observed(
            "explore_act", kind=action.kind.value, ref=action.ref, text=action.text
        )

    async def close(self) -> None:
        """Close the tab, if it can be; the box goes anyway."""
        with contextlib.suppress(EngineFault):
            await self._application.probe.ask("explore_close", seconds=CLOSE_SECONDS)

    async def _observed(self, verb: str, **arguments: Any) -> Observation:
        parts, application = Parts(), self._application
        try:
            told = await application.watching(
                application.probe.ask(verb, seconds=ACT_SECONDS, parts=parts, **arguments)
            )
        except EngineFault as fault:
            raise TabGone(Gone.MACHINE, str(fault)) from fault
        if told is None or application.ended(Stage.WEB_EVALUATION, 0.0):
            raise TabGone(Gone.APPLICATION, "the application ended")
        if "gone" in told:
            raise TabGone(Gone.BROWSER, str(told["gone"])[:300])
        seen = read_observation(parts, told)
        if seen.content:
            await application.runner.emit(
                StageAttachment(Stage.WEB_EVALUATION, seen.picture, seen.media_type, seen.content)
            )
        return seen


def read_observation(parts: Parts, told: Mapping[str, Any]) -> Observation:
    """What a probe has told, typed. Raises TabGone where anything of it is not as agreed."""
    if not parts.whole or parts.data or len(parts.files) > 1:
        raise TabGone(Gone.MACHINE, "the probe box told an observation without all of its parts")
    try:
        seen = Observation.from_json({**told, "picture": "", "media_type": ""})
    except NotInShape as fault:
        raise TabGone(Gone.MACHINE, f"the probe box told something else: {fault}") from None
    for file in parts.files.values():
        seen = replace(seen, picture=file.name, media_type=file.media_type, content=file.content)
    return seen


async def explored(
    application: Application, health: HealthCheck, plan: WebPlan, explore: Explore
) -> None:
    """Have somebody explore the application; no fault of that is anybody's but theirs."""
    tab = ProbeTab(application, health, plan)
    await explore(tab)
    await tab.close()
