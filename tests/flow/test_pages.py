"""A validation's page and log: open for public repositories, by its link alone for private ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from bot.adapters.clock import SystemClock
from bot.domain.plan import Stage, StageAttachment
from bot.services.links import ReportLinks
from tests.flow.rig import Bot, Boxes, bot
from tests.policy.test_requests import RECORD
from tests.stand_in import stage

pytestmark = pytest.mark.database
CLOCK = SystemClock()


async def concluded_at(at: Bot) -> tuple[str, URL]:
    """A concluded validation: the path of its page, and the whole link of its check run."""
    at.boxes.broken.add(await at.on.shop.commit("typo-in-total"))
    pull = await at.on.github.open_pull_request(at.on.shop, "typo-in-total", author=at.on.alice)
    run = await at.concluded(pull.head_sha)
    link = URL(run.details_url)
    return f"{at.url}{link.path}", URL(at.url).join(link.relative())


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as it:
        yield it


PICTURE = StageAttachment(Stage.WEB_EVALUATION, "index.png", "image/png", b"\x89PNG and more")
REPORT = StageAttachment(Stage.TEST, "junit<i>.xml", "text/plain", b"<script>alert(1)</script>")
TRACE = StageAttachment(Stage.WEB_EVALUATION, "01-trace-buy.zip", "application/zip", b"PK")
PAGE = StageAttachment(Stage.TEST, "page", "text/html", b"<script>alert(2)</script>")


async def test_files_of_a_stage(
    mongodb: str, tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    boxes = Boxes(left=(PICTURE, REPORT, TRACE, PAGE))
    async with stage(tmp_path / "r") as on, bot(on, mongodb, tmp_path, boxes=boxes) as at:
        page, _ = await concluded_at(at)
        async with session.get(page) as answer:
            text = await answer.text()
        assert "junit&lt;i&gt;.xml</a>" in text
        record = await at.it.validations.get(URL(page).name)
        assert record is not None
        assert record.result is not None
        ids = [it["id"] for it in record.result["artifacts"]]
        answers = []
        for it in (*ids, "0" * 64):
            async with session.get(f"{page}/artifacts/{it}") as answer:
                answers.append((answer.status, answer.content_type, await answer.read()))
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                saved = answer.headers.get("Content-Disposition") == "attachment"
                assert saved is (answer.content_type == "application/zip")
        assert answers[:3] == [
            (200, "image/png", PICTURE.content),
            (200, "text/plain", REPORT.content),
            (200, "application/zip", TRACE.content),
        ]
        assert [status for status, _, _ in answers[3:]] == [404, 404]


async def test_open_for_a_public_repository(
    mongodb: str, tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    async with stage(tmp_path / "r") as on, bot(on, mongodb, tmp_path) as at:
        path, link = await concluded_at(at)
        assert str(link) == path, "nothing to sign"
        async with session.get(path) as response:
            page = await response.text()
            assert response.status == 200
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert "Build failed" in page
        assert f'href="{link.name}/log"' in page
        async with session.get(f"{path}/log") as response:
            assert (response.status, response.content_type) == (200, "text/plain")


async def test_a_private_one_is_shown_by_its_link_alone(
    mongodb: str, tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    async with stage(tmp_path / "r", private=True) as on, bot(on, mongodb, tmp_path) as at:
        path, link = await concluded_at(at)
        wrong = link.update_query(signature="0" * 64)
        later = link.update_query(expires=str(int(link.query["expires"]) + 1))
        for url in (path, f"{path}/log", wrong, later, link.update_query(expires="soon")):
            async with session.get(url) as response:
                assert response.status == 404, url
                assert "octo" not in await response.text()
        async with session.get(link) as response:
            assert response.status == 200
        # The page's own links work from there on.
        async with session.get(f"{path}/log") as response:
            assert response.status == 200
        # Its code was fetched with a token of this repository alone.
        assert [it[1] for it in on.github.state.tokens.values() if it[1] is not None] == [
            frozenset({on.shop.id})
        ]


async def test_nobody_there(mongodb: str, tmp_path: Path, session: aiohttp.ClientSession) -> None:
    async with (
        stage(tmp_path / "r") as on,
        bot(on, mongodb, tmp_path) as at,
        session.get(f"{at.url}/validations/{'0' * 36}") as response,
    ):
        assert response.status == 404
        assert "Not found" in await response.text()


def test_keys_can_be_replaced_and_links_end() -> None:
    week = timedelta(days=7)
    old = ReportLinks("https://x", ["the old key"], week, CLOCK)
    both = ReportLinks("https://x", ["the new key", "the old key"], week, CLOCK)
    new = ReportLinks("https://x", ["the new key"], week, CLOCK)
    late = ReportLinks("https://x", ["the old key"], timedelta(0), CLOCK)
    query = URL(ReportLinks("https://x", ["the old key"], 1000 * week, CLOCK).to(RECORD)).query
    given = (query["expires"], query["signature"])
    assert old.allows(RECORD, *given)
    assert both.allows(RECORD, *given)
    assert not new.allows(RECORD, *given)
    ended = URL(late.to(RECORD)).query
    assert not old.allows(RECORD, ended["expires"], ended["signature"])
