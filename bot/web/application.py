"""All doors, on one page."""

from __future__ import annotations

from aiohttp import web

from bot.web.health import Health
from bot.web.pages import ValidationPages
from bot.web.webhook import LARGEST_BODY, WebhookDoor


def make_web(door: WebhookDoor, health: Health, pages: ValidationPages) -> web.Application:
    """The web application."""
    application = web.Application(client_max_size=LARGEST_BODY)
    application.router.add_post("/webhooks/github", door.post)
    application.router.add_get("/healthz", health.alive)
    application.router.add_get("/readyz", health.ready)
    application.router.add_get("/metrics", health.metrics)
    application.router.add_get("/validations/{id}", pages.page)
    application.router.add_get("/validations/{id}/log", pages.log)
    application.router.add_get("/validations/{id}/artifacts/{artifact}", pages.artifact)
    return application
