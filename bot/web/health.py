"""``/healthz``, ``/readyz``, ``/metrics``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

from bot.domain.problems import TryAgain, UserProblem
from bot.ports.github import GitHubProblem
from bot.ports.inbox import Inbox
from bot.web.metrics import Metrics

LOOK_SECONDS = 5.0

Look = Callable[[], Awaitable[None]]
"""Raises where a dependency is not well."""


class Health:
    """See the module; ``dependencies`` are looked at one and all, by name."""

    def __init__(self, dependencies: Mapping[str, Look], inbox: Inbox, metrics: Metrics) -> None:
        self._dependencies = dependencies
        self._inbox = inbox
        self._metrics = metrics

    async def alive(self, request: web.Request) -> web.Response:
        """The process answers."""
        del request
        return web.json_response({"status": "ok"})

    async def ready(self, request: web.Request) -> web.Response:
        """Each dependency with its state; 503 where one is not well."""
        del request
        looks = [self._look(look) for look in self._dependencies.values()]
        said = dict(zip(self._dependencies, await asyncio.gather(*looks), strict=True))
        well = not any(said.values())
        told = {name: {"ok": not fault, "detail": fault or "ok"} for name, fault in said.items()}
        return web.json_response(
            {"status": "ok" if well else "unavailable", "dependencies": told},
            status=200 if well else 503,
        )

    async def metrics(self, request: web.Request) -> web.Response:
        """What Prometheus reads."""
        del request
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                for state, count in (await self._inbox.waiting()).items():
                    self._metrics.inbox.labels(state.value).set(count)
        except (TryAgain, TimeoutError):
            self._metrics.inbox.clear()
        return web.Response(
            body=generate_latest(self._metrics.registry),  # type: ignore[no-untyped-call]  # has no types
            headers={"Content-Type": CONTENT_TYPE_LATEST},
        )

    async def _look(self, look: Look) -> str:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await look()
        except TimeoutError:
            return f"no answer within {LOOK_SECONDS:.0f} s"
        except (TryAgain, UserProblem, GitHubProblem) as fault:
            return str(fault)
        return ""
