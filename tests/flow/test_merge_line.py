"""One after the other: our own line where ``require_up_to_date`` is set, and GitHub's queue."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.check_runs import CHECK_NAME
from demo.github.merging_state import Requirements
from demo.github.state import PullRequestState, now
from tests.flow.merging import Courses, courses
from tests.flow.rig import until

pytestmark = pytest.mark.database

LINE = "auto_merge: true, require_up_to_date: true"


async def ready(it: Courses, *names: str) -> list[PullRequestState]:
    """Pull requests that are green, each alone; their titles keep them back yet."""
    pulls = [await it.opened(name, title=f"WIP {name}") for name in names]
    for pull in pulls:
        await it.green(pull)
        await it.kept_back(pull, "title", "merge_line")
    return pulls


async def go(it: Courses, *pulls: PullRequestState) -> None:
    """Let them go, all at the same time."""
    for pull in pulls:
        title = pull.title.removeprefix("WIP ")
        await it.on.github.edit_pull_request(it.on.shop, pull, sender=it.on.alice, title=title)


async def test_the_second_is_validated_on_top_of_the_first(mongodb: str, tmp_path: Path) -> None:
    async with courses(mongodb, tmp_path, LINE) as it:
        pulls = await ready(it, "one", "two")
        alone = {pull.number: pull.head_sha for pull in pulls}
        await go(it, *pulls)
        for pull in pulls:
            await it.merged(pull)
            assert it.asked(pull) == 1
        first, second = sorted(pulls, key=lambda pull: pull.merged_at or now())
        assert first.head_sha == alone[first.number]
        assert second.head_sha != alone[second.number], "it was brought up to date"
        assert second.head_sha in it.agency.bot.boxes.ran
        assert it.has_files(second.head_sha, "one.md", "two.md")
        expected = [f"{pull.title} (#{pull.number})" for pull in (second, first)]
        assert (await it.on_main())[:2] == expected


async def test_green_alone_is_not_green_together(mongodb: str, tmp_path: Path) -> None:
    """The second fails on top of the first, leaves the line, and the third goes on."""
    async with courses(mongodb, tmp_path, LINE) as it:
        it.agency.bot.boxes.fails = lambda head: it.has_files(head, "one.md", "two.md")
        one, two, three = await ready(it, "one", "two", "three")
        await go(it, one)
        await it.merged(one)
        await go(it, two, three)
        await it.merged(three)
        await it.kept_back(two, "validation", "up_to_date", "merge_line")
        assert (await it.record(two)).queued_at is None
        assert it.asked(two) == 0
        assert it.has_files("main", "one.md", "three.md")
        assert not it.has_files("main", "two.md")


async def test_the_place_in_the_line_is_seen(mongodb: str, tmp_path: Path) -> None:
    async with courses(mongodb, tmp_path, LINE) as it:
        pulls = one, two, three = await ready(it, "one", "two", "three")
        release = asyncio.Event()
        it.agency.bot.boxes.during = release.wait  # type: ignore[assignment]  # says True, which nobody reads
        await go(it, one)
        await until(lambda: one.merged_at is not None)
        await go(it, two)
        await until(lambda: two.head_sha in it.agency.bot.boxes.ran[3:])
        await go(it, three)
        await it.waits(three, "merge_line", "up_to_date")
        await it.agency.shows(three.number, "place 2 in the line")
        await it.agency.say(three.number, "/codegen explain", it.bob)
        (answer,) = it.agency.replies(three.number)
        assert "it has place 2 in the line, behind" in answer
        release.set()
        await it.merged(two)
        await it.merged(three)
        assert [it.asked(pull) for pull in pulls] == [1, 1, 1]


async def test_who_can_not_have_a_turn_keeps_nobody_from_it(mongodb: str, tmp_path: Path) -> None:
    """Of the first two one has a record that nobody understands, the other is not at GitHub."""
    async with courses(mongodb, tmp_path, LINE) as it:
        broken, good = await ready(it, "broken", "good")
        records = it.agency.bot.it.database.collection("pull_requests")
        long_ago = {"base_branch": "main", "queued_at": now() - timedelta(hours=1)}
        await it.agency.bot.it.pull_requests.change(it.on.repository, 999, long_ago)
        nonsense = {"queued_at": now() - timedelta(hours=2), "counted_from": "the first"}
        this = {"_id": f"{it.on.shop.id}:{broken.number}"}
        await records.update_one(this, {"$set": nonsense})
        await go(it, good)
        await it.merged(good)
        assert (await it.agency.bot.it.pull_requests.get(it.on.repository, 999)).queued_at is None
        assert it.asked(broken) == 0
        await records.update_one(this, {"$set": {"queued_at": None, "counted_from": 1}})
        await go(it, broken)
        await it.merged(broken)


async def test_githubs_queue_merges(mongodb: str, tmp_path: Path) -> None:
    async with courses(mongodb, tmp_path, "auto_merge: true") as it:
        github, shop = it.on.github, it.on.shop
        ours = Requirements(checks={CHECK_NAME: github.state.app_id})
        github.turn_on_queue(shop, "main", requirements=ours)
        one, two = await it.opened("one"), await it.opened("two")
        for pull in (one, two):
            merged = await it.merged(pull)
            assert it.asked(pull) == 0
            runs = it.agency.bot.runs(merged)
            assert [run.conclusion for run in runs] == ["success"], "the group had its own check"
        assert github.kinds["graphql mutation"] == 2
        assert it.has_files("main", "one.md", "two.md")
