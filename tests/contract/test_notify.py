"""Notices, posted to a real server: told, tried again, and never to an own network."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.adapters.notify import MOST_TRIES, WebhookNotifier, is_public
from bot.domain.notices import Notice
from bot.domain.repositories import Repository
from tests.contract.github_adapter import Hasty

NOTICE = Notice(
    "one",
    "needs_human",
    Repository(7, "octo", "shop", 1),
    12,
    "https://github.com/octo/shop/pull/12",
    "The agent ended without a push.",
    datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "alice",
)


@dataclass
class Listener:
    """Somebody who is told; ``answers`` are the statuses, the last one for all that follow."""

    server: TestServer
    answers: list[int] = field(default_factory=lambda: [204])
    heard: list[Any] = field(default_factory=list)

    @property
    def url(self) -> str:
        return str(self.server.make_url("/hook"))


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    application = web.Application()
    it = Listener(TestServer(application))

    async def hear(request: web.Request) -> web.Response:
        it.heard.append(await request.json())
        status = it.answers[min(len(it.heard), len(it.answers)) - 1]
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    application.router.add_post("/hook", hear)
    application.router.add_post("/elsewhere", hear)
    async with it.server:
        yield it


NOTIFIER = WebhookNotifier(Hasty(), allows=lambda _address: True)


async def test_it_is_told_as_json(listener: Listener) -> None:
    assert await NOTIFIER.tell(listener.url, NOTICE) == "told: 204"
    assert listener.heard == [
        {
            "id": "one",
            "event": "needs_human",
            "repository": "octo/shop",
            "pull_request": 12,
            "url": "https://github.com/octo/shop/pull/12",
            "text": "The agent ended without a push.",
            "person": "alice",
            "at": "2026-01-02T03:04:05Z",
        }
    ]


async def test_who_does_not_answer_is_told_again_and_then_let_go(listener: Listener) -> None:
    listener.answers = [503, 200]
    assert await NOTIFIER.tell(listener.url, NOTICE) == "told: 200"
    assert len(listener.heard) == 2
    listener.answers, listener.heard[:] = [500], []
    assert await NOTIFIER.tell(listener.url, NOTICE) == "could not be told: HTTP 500"
    assert len(listener.heard) == MOST_TRIES


async def test_nobody_is_told_elsewhere(listener: Listener) -> None:
    listener.answers = [307]
    assert "HTTP 307" in await NOTIFIER.tell(listener.url, NOTICE)
    assert len(listener.heard) == MOST_TRIES


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_its_own_network_is_never_asked(listener: Listener, host: str) -> None:
    url = listener.url.replace("127.0.0.1", host)
    said = await WebhookNotifier(Hasty()).tell(url, NOTICE)
    assert "not of the public network" in said
    assert listener.heard == []


@pytest.mark.parametrize("url", ["", "no address", "ftp://example.com", "http://[::1"])
async def test_what_is_no_address_fails_nothing(url: str) -> None:
    assert "could not be told" in await NOTIFIER.tell(url, NOTICE)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("1.1.1.1", True),
        ("2606:4700:4700::1111", True),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("172.17.0.1", False),
        ("::1", False),
        ("fd00::1", False),
        ("0.0.0.0", False),
    ],
)
def test_which_network_is_public(address: str, public: bool) -> None:
    assert is_public(address) is public
