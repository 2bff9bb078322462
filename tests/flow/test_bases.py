"""Commits of the default branch are looked at in a browser, for what comes on top of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.plan import Plan, Stage, StageAttachment, StageResult, StageStatus
from bot.domain.web import ConsoleError, PageSeen, Picture, Size, WebComparison, WebEvaluation
from bot.policy.web_comparison import compare
from demo.github.pushes import ZEROS, Push
from demo.github.state import PullRequestState
from tests.flow.rig import Bot, Boxes, bot, until
from tests.stand_in import stage

pytestmark = pytest.mark.database
PICTURE = StageAttachment(Stage.WEB_EVALUATION, "01.png", "image/png", b"a picture")
MISSED = "was not evaluated yet. Nothing was held against it."


class Eyes:
    """A browser: it says what the test wants it to see, and compares as ours does."""

    def __init__(self) -> None:
        self.errors: tuple[ConsoleError, ...] = ()
        self.bases: list[str] = []
        """The pictures that it was given to compare with, in order of validations."""

    def look(self, plan: Plan) -> StageResult:
        assert plan.web is not None
        page = PageSeen("/", Size.DESKTOP, 200, console=self.errors, picture="01.png")
        seen = WebEvaluation(pages=(page,), pictures=(Picture("01.png", "image/png"),))
        base, comparison = plan.web.base, None
        if base is not None:
            self.bases += [it.content.decode() for it in base.pictures.values()]
            comparison = WebComparison(base.sha, base.reason)
            if base.evaluation is not None:
                comparison = compare(base.sha, base.evaluation, seen)
        return StageResult(
            Stage.WEB_EVALUATION, StageStatus.PASSED, evaluation=seen, comparison=comparison
        )


@pytest.fixture
def eyes() -> Eyes:
    return Eyes()


@pytest.fixture
async def at(mongodb: str, eyes: Eyes, tmp_path: Path) -> AsyncIterator[Bot]:
    boxes = Boxes(look=eyes.look, left=(PICTURE,))
    async with (
        stage(tmp_path / "repository") as on,
        bot(on, mongodb, tmp_path, boxes=boxes) as it,
    ):
        await it.known_project()
        yield it
        assert await it.dead() == []


async def main_of(at: Bot) -> str:
    return (await at.on.shop.git("rev-parse", "refs/heads/main")).decode().strip()


async def main_moved(at: Bot) -> str:
    """Tell of a push to the default branch; the commit."""
    sha = await main_of(at)
    push = Push("refs/heads/main", ZEROS, sha)
    await at.on.github.pushed(at.on.shop, push, at.on.alice)
    return sha


async def opened(at: Bot) -> PullRequestState:
    return await at.on.github.open_pull_request(at.on.shop, "add-quantities", author=at.on.alice)


async def text_of(at: Bot, pull: PullRequestState, count: int = 1) -> str:
    run = await at.concluded(pull.head_sha, count)
    assert run.conclusion == "success", run.title
    return run.text or ""


async def test_a_pull_request_is_held_against_the_branch_it_comes_on_top_of(
    at: Bot, eyes: Eyes
) -> None:
    base = await main_moved(at)
    await at.idle()
    assert at.boxes.ran == [base]
    assert at.runs(base) == [], "nobody wants a check run of it"
    eyes.errors = (ConsoleError("no apples"),)
    text = await text_of(at, await opened(at))
    assert "### Against the base" in text
    assert "- 🆕 console error: `/`: no apples" in text
    assert eyes.bases == ["a picture"]
    await at.idle()
    assert len(at.boxes.ran) == 2


async def test_a_missed_base_is_told_waited_for_by_nobody_and_there_the_next_time(
    at: Bot,
) -> None:
    pull = await opened(at)
    text = await text_of(at, pull)
    assert MISSED in text
    await at.idle()
    assert at.boxes.ran == [pull.head_sha, await main_of(at)]
    await at.on.github.ask_again(at.on.shop, at.runs(pull.head_sha)[0], sender=at.on.alice)
    text = await text_of(at, pull, 2)
    assert "Nothing changed against the base commit" in text
    await at.idle()
    assert len(at.boxes.ran) == 3


async def test_everything_twice(at: Bot) -> None:
    await main_moved(at)
    await opened(at)
    github = at.on.github
    await asyncio.gather(*(github.redeliver(it.id) for it in list(github.state.deliveries)))
    await at.idle()
    await asyncio.gather(*(github.redeliver(it.id) for it in list(github.state.deliveries)))
    await at.idle()
    assert sorted(at.boxes.ran) == sorted({*at.boxes.ran})
    assert len(at.boxes.ran) == 2


async def test_a_base_that_can_t_be_built_is_told(at: Bot) -> None:
    at.boxes.broken.add(await main_moved(at))
    await at.idle()
    text = await text_of(at, await opened(at))
    assert "could not be looked at: build failed: `npm run build` exited with 2" in text


async def test_other_branches_are_nobody_s_base(at: Bot) -> None:
    sha = await at.on.shop.commit("typo-in-total")
    push = Push("refs/heads/typo-in-total", ZEROS, sha)
    await at.on.github.pushed(at.on.shop, push, at.on.alice)
    await at.idle()
    assert at.boxes.ran == []


async def test_the_tests_of_a_base_are_not_run(at: Bot) -> None:
    ran: list[Plan] = []
    look = at.boxes.look

    def remembered(plan: Plan) -> StageResult:
        ran.append(plan)
        return look(plan)

    at.boxes.look = remembered
    await main_moved(at)
    await until(lambda: bool(ran))
    assert [step.stage for step in ran[0].steps] == [Stage.INSTALL, Stage.BUILD, Stage.START]
    await at.idle()
