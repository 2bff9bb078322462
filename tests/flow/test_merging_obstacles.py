"""What gets in the way of a merge: GitHub's refusals, lost answers, what no event tells of."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from demo.github.faults import Fault
from demo.github.merging_state import Requirements
from demo.github.state import PullRequestState
from tests.flow.merging import Courses, courses
from tests.flow.rig import until

pytestmark = pytest.mark.database

AUTO = "auto_merge: true"


# ── GitHub says no, or nothing ───────────────────────────────────────────────────────────────


async def test_the_base_moved_under_it(mongodb: str, tmp_path: Path) -> None:
    async with courses(mongodb, tmp_path, AUTO) as it:
        it.on.shop.base_moves = 2
        pull = await it.opened("one")
        await it.merged(pull)
        assert it.asked(pull) == 3
        assert (await it.on_main()).count("one (#1)") == 1


@pytest.mark.parametrize(
    ("fault", "calls"),
    [
        pytest.param(Fault.LOST_ANSWER, 1, id="landed, and nothing was heard of it"),
        pytest.param(Fault.BROKEN_AFTER, 1, id="landed, and GitHub says that it did not"),
        pytest.param(Fault.BROKEN, 2, id="GitHub is out of order"),
        pytest.param(Fault.DROPPED, 2, id="it did not land, and nothing was heard of it"),
    ],
)
async def test_nobody_knows_whether_it_landed(
    fault: Fault, calls: int, mongodb: str, tmp_path: Path
) -> None:
    async with courses(mongodb, tmp_path, AUTO) as it:
        it.when_merging(lambda: fault)
        pull = await it.opened("one")
        await it.merged(pull)
        assert it.asked(pull) == calls
        assert (await it.on_main()).count("one (#1)") == 1
        assert not await it.has_branch("one")


async def test_a_method_that_is_not_allowed_any_more(mongodb: str, tmp_path: Path) -> None:
    async with courses(mongodb, tmp_path, AUTO) as it:
        it.when_merging(lambda: it.on.github.allow_merging(it.on.shop, "merge"))
        pull = await it.opened("one")
        merged = await it.merged(pull)
        assert it.asked(pull) == 2
        assert (await it.message(merged)).startswith("Merge pull request #1 from octo/one")


async def test_a_conflict_is_told_once(mongodb: str, tmp_path: Path) -> None:
    """It came up between judgement and merge."""
    async with courses(mongodb, tmp_path, AUTO) as it:
        pull = await it.opened("one", "same.md")
        other = await it.commit("main", "same.md", "otherwise\n")
        it.when_merging(partial(it.move, "refs/heads/main", other))
        await it.agency.bot.concluded(pull.head_sha)
        text = await it.kept_back(pull, "github_rules", "mergeable")
        assert "it conflicts with" in text
        assert it.asked(pull) == 1
        assert it.agency.replies(pull.number) == []
        for _ in range(2):
            await it.push_base("another.md", "other\n")
            await it.agency.bot.idle()
        assert it.asked(pull) == 1
        await it.on.github.push(
            it.on.shop,
            pull,
            await it.commit("main", "same.md", "in peace\n"),
            sender=it.on.alice,
        )
        await it.merged(pull)
        assert it.asked(pull) == 2


async def test_a_rule_that_nobody_may_read_is_named(mongodb: str, tmp_path: Path) -> None:
    async with courses(mongodb, tmp_path, AUTO, speed=60.0) as it:
        github, shop = it.on.github, it.on.shop
        github.protect(shop, "main", Requirements(conversations=True))
        pull = await it.opened("one", draft=True)
        thread = await github.open_thread(shop, pull, "Why?", author=it.bob)
        await github.make_ready(shop, pull, sender=it.on.alice)
        await it.green(pull)
        text = await it.kept_back(pull, "github_rules")
        assert "A conversation must be resolved before this pull request can be merged." in text
        asked = it.asked(pull)
        await github.resolve_thread(shop, thread, sender=it.on.alice)
        await it.merged(pull)
        assert (asked, it.asked(pull)) == (1, 2)


async def test_github_does_not_know_yet_whether_it_conflicts(mongodb: str, tmp_path: Path) -> None:
    async with courses(mongodb, tmp_path, AUTO) as it:
        it.on.github.state.slow_mergeability = True
        pull = await it.opened("one")
        await it.merged(pull)
        assert it.asked(pull) == 1


# ── the head is another ──────────────────────────────────────────────────────────────────────


async def test_the_head_moved_between_judgement_and_merge(mongodb: str, tmp_path: Path) -> None:
    async with courses(mongodb, tmp_path, AUTO) as it:
        pull = await it.opened("one")
        first = pull.head_sha
        second = await it.commit(first, "more.md")
        it.when_merging(lambda: setattr(pull, "head_sha", second))
        await until(lambda: it.asked(pull) == 1)
        await it.agency.bot.idle()
        assert not pull.merged_at
        await it.on.github.push(it.on.shop, pull, second, sender=it.on.alice)
        merged = await it.merged(pull)
        assert it.agency.bot.boxes.ran[:2] == [first, second], "then comes main itself"
        assert it.asked(pull) == 2
        assert it.has_files(merged, "one.md", "more.md")


async def test_a_push_before_the_verdict(mongodb: str, tmp_path: Path) -> None:
    """What is green is not what is there; what is there is red."""
    async with courses(mongodb, tmp_path, AUTO) as it:
        pull = await it.opened("one", draft=True)
        await it.push(pull, "good.md")
        green = pull.head_sha
        await it.on.github.make_ready(it.on.shop, pull, sender=it.on.alice)
        await until(lambda: it.agency.bot.boxes.ran == [green])
        bad = await it.commit(green, "bad.md")
        it.agency.bot.boxes.broken.add(bad)
        await it.on.github.push(it.on.shop, pull, bad, sender=it.on.alice)
        await it.agency.bot.concluded(bad)
        if not pull.merged_at:  # it may have been quicker than the push
            await it.kept_back(pull, "validation")
            assert it.asked(pull) == 0


# ── no event ─────────────────────────────────────────────────────────────────────────────────


async def silent_label(it: Courses, pull: PullRequestState) -> None:
    pull.labels.remove("do-not-merge")


async def silent_approval(it: Courses, pull: PullRequestState) -> None:
    github, url = it.on.github, it.on.github.hook_url
    github.hook_url = ""
    await github.submit_review(it.on.shop, pull, "approved", author=it.bob)
    github.hook_url = url
    github.state.deliveries.pop()  # GitHub does not know of it, either


@pytest.mark.parametrize(
    ("criterion", "happens"),
    [
        pytest.param("labels", silent_label, id="a label"),
        pytest.param("approvals", silent_approval, id="an approval"),
    ],
)
async def test_what_no_event_tells_of_is_found(
    criterion: str, happens: object, mongodb: str, tmp_path: Path
) -> None:
    rules = f"{AUTO}, required_approvals: {int(criterion == 'approvals')}"
    async with courses(mongodb, tmp_path, rules, speed=100.0) as it:
        pull = await it.opened("one", draft=True)
        if criterion == "labels":
            await it.on.github.label_issue(it.on.shop, pull, "do-not-merge", sender=it.on.alice)
        await it.on.github.make_ready(it.on.shop, pull, sender=it.on.alice)
        await it.agency.bot.concluded(pull.head_sha)
        await it.kept_back(pull, criterion)
        await happens(it, pull)  # type: ignore[operator]  # one of those above
        await it.merged(pull)
        assert it.asked(pull) == 1


# ── people's own merges, and branches that stay ──────────────────────────────────────────────


async def test_a_person_merges_by_hand(mongodb: str, tmp_path: Path) -> None:
    async with courses(mongodb, tmp_path, "auto_merge: false") as it:
        pull = await it.opened("one")
        await it.green(pull)
        await it.agency.say(pull.number, "/codegen hold")
        await it.on.github.merge(it.on.shop, pull, by=it.on.alice)
        await it.merged(pull)
        assert it.asked(pull) == 0
        assert await it.has_branch("one"), "it is theirs"


async def test_a_branch_that_is_anothers_base_stays(mongodb: str, tmp_path: Path) -> None:
    async with courses(mongodb, tmp_path, AUTO) as it:
        await it.branch("one")
        await it.branch("two", of="one")
        top = await it.on.github.open_pull_request(
            it.on.shop, "two", author=it.on.alice, base="one", draft=True
        )
        pull = await it.on.github.open_pull_request(it.on.shop, "one", author=it.on.alice)
        await it.merged(pull)
        assert await it.has_branch("one")
        assert top.state == "open"


async def test_a_protected_branch_stays(mongodb: str, tmp_path: Path) -> None:
    async with courses(mongodb, tmp_path, AUTO) as it:
        it.on.github.protect(it.on.shop, "one", Requirements())
        await it.merged(await it.opened("one"))
        assert await it.has_branch("one")


async def test_branches_stay_where_that_is_configured(mongodb: str, tmp_path: Path) -> None:
    async with courses(mongodb, tmp_path, f"{AUTO}, delete_branch: false") as it:
        await it.merged(await it.opened("one"))
        assert await it.has_branch("one")


async def test_a_forks_is_merged_and_its_branch_is_theirs(mongodb: str, tmp_path: Path) -> None:
    async with courses(mongodb, tmp_path, AUTO) as it:
        on = it.on
        fork = on.github.add_repository(on.github.install("mallory"), "shop", on.shop.folder)
        await it.branch("one")
        pull = await on.github.open_pull_request(on.shop, "one", author=on.mallory, fork=fork)
        await it.agency.bot.concluded(pull.head_sha)
        assert "/codegen trust" in await it.kept_back(pull, "validation", "auto_merge")
        await it.agency.say(pull.number, f"/codegen trust {pull.head_sha}")
        await it.agency.bot.concluded(pull.head_sha, 2)
        # Who lets it run does not want it for that.
        assert "/codegen merge" in await it.kept_back(pull, "auto_merge")
        assert it.asked(pull) == 0
        await it.agency.say(pull.number, "/codegen merge")
        await it.merged(pull)
        assert it.asked(pull) == 1
        assert await it.has_branch("one")
