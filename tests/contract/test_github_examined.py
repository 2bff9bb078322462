"""``doctor``'s look at the App, over the stand-in: each fault is named, with its mend."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from bot.adapters.clock import SystemClock
from bot.adapters.github.examination import Examination
from bot.adapters.github.tokens import AppCredentials
from bot.ports.sandbox import Examined
from demo.github import objects
from demo.github.server import StandInGitHub
from tests.stand_in import Stage, stage


class Ahead(SystemClock):
    """A clock that is two minutes ahead of the world's."""

    def now(self) -> datetime:
        return super().now() + timedelta(minutes=2)


class Hasty(SystemClock):
    """A clock that tells the time, and does not wait for it."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / 100)


@pytest.fixture
async def on(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as it:
        it.github.hook_url = f"{it.github.url}/zen"
        yield it


async def looked(
    on: Stage, *, key: str = "", door: str = "", clock: SystemClock | None = None, url: str = ""
) -> dict[str, Examined]:
    credentials = AppCredentials(on.github.state.app_id, key or on.github.private_key)
    async with aiohttp.ClientSession() as session:
        look = Examination(session, credentials, clock or SystemClock(), url or on.github.url, door)
        return {it.name: it async for it in look.run()}


async def test_all_is_well(on: Stage) -> None:
    found = await looked(on, door=on.github.hook_url)
    assert list(found) == ["clock", "GitHub App", "permissions", "events", "webhook"]
    assert [it.mend for it in found.values() if not it.ok] == []


async def test_a_key_that_is_none(on: Stage) -> None:
    found = await looked(on, key="no key at all")
    assert not found["GitHub App"].ok
    assert "GITHUB_PRIVATE_KEY is no private key" in found["GitHub App"].detail


async def test_a_key_of_another_app(on: Stage) -> None:
    found = await looked(on, key=StandInGitHub(app_id=7).private_key)
    assert not found["GitHub App"].ok
    assert "must belong together" in found["GitHub App"].mend


async def test_a_clock_that_is_ahead(on: Stage) -> None:
    found = await looked(on, clock=Ahead())
    assert not found["clock"].ok
    assert re.fullmatch(r"\+1[12]\d s beside GitHub's", found["clock"].detail)
    assert not found["GitHub App"].ok


async def test_nobody_there(on: Stage) -> None:
    found = await looked(on, url="http://127.0.0.1:1", clock=Hasty())
    assert not found["clock"].ok
    assert "Can this machine reach" in found["clock"].mend


async def test_permissions_and_events_that_are_lacking(
    on: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "PERMISSIONS", {"checks": "read", "metadata": "read"})
    monkeypatch.setattr(objects, "EVENTS", ["push"])
    found = await looked(on)
    assert found["permissions"].detail == (
        "lacks checks: write, contents: write, issues: write, pull_requests: write, statuses: read"
    )
    assert "merge_group" in found["events"].detail


async def test_a_webhook_that_goes_elsewhere(on: Stage) -> None:
    found = await looked(on, door="https://bot.example.com/webhooks/github")
    assert not found["webhook"].ok
    assert "not to https://bot.example.com/webhooks/github" in found["webhook"].detail


async def test_a_delivery_that_did_not_arrive(on: Stage) -> None:
    pull = await on.github.open_pull_request(on.shop, "add-quantities", author=on.alice)
    assert pull.number == 1
    found = await looked(on)
    assert not found["webhook"].ok
    assert "0 of the last 1 arrived" in found["webhook"].detail
