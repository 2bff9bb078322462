"""Repair: what no event tells of is found and mended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.validations import ValidationStatus
from bot.work.repair import MOST_SWEPT
from tests.flow.rig import Bot, bot, until
from tests.stand_in import Stage, stage

pytestmark = pytest.mark.database


@pytest.fixture
async def on(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path / "repository") as it:
        yield it


async def opened(at: Bot, branch: str = "add-quantities") -> str:
    on = at.on
    return (await on.github.open_pull_request(on.shop, branch, author=on.alice)).head_sha


async def test_a_delivery_that_never_arrived_is_asked_for(
    on: Stage, mongodb: str, tmp_path: Path
) -> None:
    pull = await on.github.open_pull_request(on.shop, "add-quantities", author=on.alice)
    missed = on.github.state.deliveries[-1]
    assert missed.status_code == 0, "nobody listened"
    missed.delivered_at -= timedelta(minutes=2)
    async with bot(on, mongodb, tmp_path) as at:
        assert (await at.concluded(pull.head_sha)).conclusion == "success"
        assert [it.guid for it in on.github.state.deliveries] == [missed.guid] * 2


async def test_one_that_is_under_way_is_not(on: Stage, mongodb: str, tmp_path: Path) -> None:
    await on.github.open_pull_request(on.shop, "add-quantities", author=on.alice)
    async with bot(on, mongodb, tmp_path, speed=1.0) as at:
        await until(lambda: "GET /app/hook/deliveries" in on.github.faults.calls)
        await at.idle()
        assert len(on.github.state.deliveries) == 1


async def test_a_record_that_nobody_works_on_is_taken_up(
    on: Stage, mongodb: str, tmp_path: Path
) -> None:
    """Its job ended, and the event that told of it came to nothing."""
    async with bot(on, mongodb, tmp_path, speed=200.0) as at:
        sha = await opened(at)
        await at.concluded(sha)
        (record,) = await at.it.validations.of_commit(on.shop.id, sha)
        changes = {"status": ValidationStatus.RUNNING, "completed_at": None, "summary": ""}
        await at.it.validations.change(record.id, changes, unless_ended=False)

        async def mended() -> bool:
            again = await at.it.validations.get(record.id)
            return again is not None and again.ended and bool(again.summary)

        for _ in range(600):
            if await mended():
                break
            await at.it.clock.sleep(10)
        assert await mended()


async def test_a_check_that_was_not_told_is_told(on: Stage, mongodb: str, tmp_path: Path) -> None:
    async with bot(on, mongodb, tmp_path, speed=200.0) as at:
        sha = await opened(at)
        run = await at.concluded(sha)
        await at.idle()
        (record,) = await at.it.validations.of_commit(on.shop.id, sha)
        await at.it.validations.change(
            record.id, {"check_concluded": False, "title": "Told late"}, unless_ended=False
        )
        await until(lambda: run.title == "Told late")


async def test_many_that_nobody_can_look_at_keep_no_other_from_its_look(
    on: Stage, mongodb: str, tmp_path: Path
) -> None:
    """A repository that the App no longer reaches has more open pull requests than a sweep has."""
    async with bot(on, mongodb, tmp_path, speed=200.0) as at:
        pull = await on.github.open_pull_request(on.shop, "add-quantities", author=on.alice)
        await at.concluded(pull.head_sha)
        await at.idle()
        records, away = at.it.pull_requests, replace(on.repository, id=999, name="away")
        long_ago = {"looked_at": at.clock.now() - timedelta(days=2), "is_open": True}
        for number in range(2 * MOST_SWEPT):
            await records.change(away, number, long_ago)
        before = at.clock.now()
        await records.change(
            on.repository, pull.number, {"looked_at": at.clock.now() - timedelta(days=1)}
        )

        async def looked() -> bool:
            found = await records.get(on.repository, pull.number)
            return found.looked_at is not None and found.looked_at >= before

        for _ in range(600):
            if await looked():
                break
            await at.it.clock.sleep(10)
        assert await looked()
