"""The web server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from assembly.house import House
from bot.domain.problems import UserProblem
from bot.web.application import make_web
from bot.web.health import Health
from bot.web.metrics import Metrics
from bot.web.pages import ValidationPages
from bot.web.webhook import WebhookDoor

WEB_STOP_SECONDS = 10.0


@asynccontextmanager
async def doors(it: House) -> AsyncIterator[str]:
    """The web server; gives its address."""
    metrics = Metrics()

    async def github() -> None:
        await it.github.own_login()

    door = WebhookDoor([it.settings.github_webhook_secret], it.app_id, it.inbox, it.clock, metrics)
    health = Health({"mongodb": it.database.ping, "github": github}, it.inbox, metrics)
    pages = ValidationPages(it.validations, it.artifacts, it.chunks, it.links, it.renderer)
    runner = web.AppRunner(
        make_web(door, health, pages), access_log=None, shutdown_timeout=WEB_STOP_SECONDS
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, it.settings.host, it.settings.port, reuse_port=True)
        try:
            await site.start()
        except OSError as fault:
            raise UserProblem(
                f"Nothing can listen on {it.settings.host}:{it.settings.port}: {fault.strerror}.",
                "Set HOST and PORT to an address of this machine that is free.",
            ) from None
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
