"""Merging: once, by its criteria, each opened by its event; through doors, database and real git.

At the end of each test every delivery is told once more, which changes nothing (``courses``).
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from demo.codegen.agent import by_prompt
from demo.codegen.checkout import Change
from demo.github.merging_state import Requirements
from demo.github.state import PullRequestState
from tests.flow.agency import reactions
from tests.flow.merging import Courses, courses

pytestmark = pytest.mark.database

AUTO = "auto_merge: true"
FIRST = Change("Say how many of each", patch="add-quantities")
GOAL = "Say how many of each thing is to be bought"


async def brought(it: Courses) -> tuple[int, PullRequestState]:
    """A pull request that comes of what alice asked for in an issue."""
    it.agency.agent.choose = by_prompt(it.agency.agent.opens(FIRST))
    number = it.agency.issue()
    await it.agency.say(number, f"/codegen {GOAL}")
    run = await it.agency.ended(number)
    return number, it.on.shop.pull_requests[run.pull_request or 0]


# ── green is merged ──────────────────────────────────────────────────────────────────────────


async def test_green_is_merged_once(mongodb: str, tmp_path: Path) -> None:
    async with courses(mongodb, tmp_path, AUTO) as it:
        issue, pull = await brought(it)
        merged = await it.merged(pull)
        assert it.asked(pull) == 1
        said = await it.message(merged)
        assert said.startswith(f"Say how many of each (#{pull.number})\n")
        assert f"\nGoal: {GOAL}\nRequested-by: alice\nValidated-by: " in said
        assert (await it.on_main()).count(said.splitlines()[0]) == 1
        assert not await it.has_branch(pull.head_branch)
        await it.agency.shows(issue, "Merged into main")
        (check,) = it.agency.bot.runs(pull.head_sha)
        assert check.actions == []


async def test_hold_keeps_it_and_unhold_lets_it_go(mongodb: str, tmp_path: Path) -> None:
    async with courses(mongodb, tmp_path, AUTO) as it:
        pull = await it.opened("one", draft=True)
        await it.agency.say(pull.number, "/codegen hold")
        await it.on.github.make_ready(it.on.shop, pull, sender=it.on.alice)
        await it.green(pull)
        text = await it.kept_back(pull, "hold")
        assert "it is held by" in text
        await it.agency.say(pull.number, "/codegen unhold")
        await it.merged(pull)
        assert it.asked(pull) == 1


async def test_merge_says_what_it_waits_for(mongodb: str, tmp_path: Path) -> None:
    async with courses(mongodb, tmp_path, "required_approvals: 1") as it:
        pull = await it.opened("one")
        await it.green(pull)
        await it.kept_back(pull, "approvals", "auto_merge")
        said = await it.agency.say(pull.number, "/codegen merge", it.bob)
        assert reactions(said)[-1] == "rocket"
        (answer,) = it.agency.replies(pull.number)
        assert "as soon as nothing keeps it back. Now: `approvals`." in answer
        await it.on.github.submit_review(it.on.shop, pull, "approved", author=it.bob)
        await it.merged(pull)
        assert it.asked(pull) == 1


async def test_who_may_not_write_merges_nothing(mongodb: str, tmp_path: Path) -> None:
    async with courses(mongodb, tmp_path, "required_approvals: 0") as it:
        pull = await it.opened("one")
        await it.green(pull)
        await it.agency.say(pull.number, "/codegen merge", it.on.mallory)
        await it.kept_back(pull, "auto_merge")
        assert it.asked(pull) == 0


# ── what others have to say ──────────────────────────────────────────────────────────────────


async def test_another_apps_check_is_waited_for(mongodb: str, tmp_path: Path) -> None:
    async with courses(mongodb, tmp_path, AUTO) as it:
        on = it.on
        lint = on.github.state.another_app("lint")
        on.github.protect(on.shop, "main", Requirements(checks={"ci": lint.id}))
        pull = await it.opened("one")
        await it.green(pull)
        await it.kept_back(pull, "ci")
        await on.github.set_status(on.shop, pull.head_sha, "ci", "success", creator=on.alice)
        assert "anybody who may push can write a status" in await it.kept_back(pull, "ci")
        run = await on.github.report_check(on.shop, pull.head_sha, "ci", app=lint, conclusion=None)
        await it.kept_back(pull, "ci")
        assert it.asked(pull) == 0
        await on.github.finish_check(on.shop, run, "success")
        await it.merged(pull)
        assert it.asked(pull) == 1


async def test_the_starters_approval_does_not_count(mongodb: str, tmp_path: Path) -> None:
    async with courses(mongodb, tmp_path, f"{AUTO}, required_approvals: 1") as it:
        github, shop = it.on.github, it.on.shop
        _, pull = await brought(it)
        await it.green(pull)
        await github.submit_review(shop, pull, "approved", author=it.on.alice)
        assert "they started the agent run" in await it.kept_back(pull, "approvals")
        await github.submit_review(shop, pull, "approved", author=it.bob)
        await it.merged(pull)


async def test_a_push_makes_an_approval_stale(mongodb: str, tmp_path: Path) -> None:
    async with courses(mongodb, tmp_path, f"{AUTO}, required_approvals: 1") as it:
        github, shop = it.on.github, it.on.shop
        pull = await it.opened("one", draft=True)
        await github.submit_review(shop, pull, "approved", author=it.bob)
        await it.push(pull, "more.md")
        await github.make_ready(shop, pull, sender=it.on.alice)
        await it.green(pull)
        assert "it is stale" in await it.kept_back(pull, "approvals")
        await github.submit_review(shop, pull, "approved", author=it.bob)
        await it.merged(pull)


async def test_changes_requested_stand_until_dismissed(mongodb: str, tmp_path: Path) -> None:
    async with courses(mongodb, tmp_path, f"{AUTO}, required_approvals: 1") as it:
        github, shop = it.on.github, it.on.shop
        pull = await it.opened("one")
        await it.green(pull)
        review = await github.submit_review(shop, pull, "changes_requested", author=it.root)
        await github.submit_review(shop, pull, "approved", author=it.bob)
        await it.kept_back(pull, "changes_requested")
        await github.dismiss_review(shop, pull, review, sender=it.on.alice)
        await it.merged(pull)


# ── what is told of it ───────────────────────────────────────────────────────────────────────


def table(text: str) -> list[str]:
    """The rows of the criteria in a comment or a check's text."""
    return [line for line in text.splitlines() if line.startswith("|")]


async def test_explain_and_the_check_show_the_same(mongodb: str, tmp_path: Path) -> None:
    async with courses(mongodb, tmp_path, "required_approvals: 1") as it:
        pull = await it.opened("one")
        await it.green(pull)
        text = await it.kept_back(pull, "approvals", "auto_merge")
        await it.agency.say(pull.number, "/codegen explain", it.on.mallory)
        (answer,) = it.agency.replies(pull.number)
        assert "2 criteria keep it back: approvals and auto_merge." in answer
        rows = table(answer)
        assert len(rows) > 10
        assert [line for line in table(text) if line in rows] == rows


async def test_override_counts_for_one_commit(mongodb: str, tmp_path: Path) -> None:
    async with courses(mongodb, tmp_path, f"{AUTO}, required_checks: [build_success, ci]") as it:
        pull = await it.opened("one")
        await it.green(pull)
        await it.kept_back(pull, "ci")
        await it.agency.say(pull.number, "/codegen override ci It is down", it.bob)
        await it.kept_back(pull, "ci")
        assert "admin" in it.agency.replies(pull.number)[0]
        await it.agency.say(pull.number, "/codegen hold", it.root)
        await it.agency.say(pull.number, "/codegen override ci It is down", it.root)
        await it.kept_back(pull, "hold")
        await it.push(pull, "more.md")
        await it.green(pull)
        await it.kept_back(pull, "hold", "ci")
        await it.agency.say(pull.number, "/codegen unhold", it.root)
        await it.kept_back(pull, "ci")
        await it.agency.say(pull.number, "/codegen override ci Still down", it.root)
        await it.merged(pull)
        assert it.asked(pull) == 1


async def test_a_failure_is_overridden_by_an_admin(mongodb: str, tmp_path: Path) -> None:
    async with courses(mongodb, tmp_path, AUTO) as it:
        sha = await it.branch("one")
        it.agency.bot.boxes.broken.add(sha)
        pull = await it.on.github.open_pull_request(it.on.shop, "one", author=it.on.alice)
        await it.agency.bot.concluded(sha)
        await it.kept_back(pull, "validation")
        await it.agency.say(pull.number, "/codegen override validation We know", it.root)
        await it.merged(pull)


# ── what people set, each opened by its event ────────────────────────────────────────────────


async def test_what_people_set_keeps_it_until_it_is_gone(mongodb: str, tmp_path: Path) -> None:
    async with courses(mongodb, tmp_path, AUTO) as it:
        github, shop, alice = it.on.github, it.on.shop, it.on.alice
        github.add_ruleset(shop, Requirements(conversations=True))
        pull = await it.opened("one", title="WIP: one", draft=True)
        await github.label_issue(shop, pull, "do-not-merge", sender=alice)
        thread = await github.open_thread(shop, pull, "Why?", author=it.bob)
        await github.make_ready(shop, pull, sender=alice)
        await it.green(pull)
        await it.kept_back(pull, "conversations", "labels", "title")
        await github.unlabel_issue(shop, pull, "do-not-merge", sender=alice)
        await it.kept_back(pull, "conversations", "title")
        await github.edit_pull_request(shop, pull, sender=alice, title="One")
        await it.kept_back(pull, "conversations")
        await github.make_draft(shop, pull, sender=alice)
        await it.kept_back(pull, "conversations", "draft")
        await github.resolve_thread(shop, thread, sender=alice)
        await it.kept_back(pull, "draft")
        await github.make_ready(shop, pull, sender=alice)
        await it.merged(pull)
        assert it.asked(pull) == 1


async def test_a_window_opens_by_itself(mongodb: str, tmp_path: Path) -> None:
    async with courses(mongodb, tmp_path, AUTO) as it:
        now = it.agency.bot.it.clock.now()
        opens, closes = now + timedelta(minutes=3), now + timedelta(hours=5)
        window = f"Mon-Sun {opens:%H:%M}-{closes:%H:%M} UTC"
        await it.agency.configure(f'validation: {{{AUTO}, merge_window: "{window}"}}\n')
        pull = await it.opened("one")
        await it.agency.bot.concluded(pull.head_sha)
        await it.waits(pull, "merge_window")
        await it.merged(pull)
        merged_at = (await it.record(pull)).looked_at
        assert merged_at is not None
        assert merged_at >= opens.replace(second=0, microsecond=0)
        assert it.asked(pull) == 1
