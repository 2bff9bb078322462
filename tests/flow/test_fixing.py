"""Failures that go back to the agent: mended and merged, or stopped in time; by real git."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from assembly import hands
from bot.adapters.notify import WebhookNotifier
from bot.domain.pull_request_records import FixOutcome, PullRequestRecord, StopRule
from bot.services.pull_requests import NEEDS_HUMAN
from demo.codegen.agent import Act, Ending, by_prompt
from demo.codegen.checkout import Change
from demo.codegen.server import AgentRunState
from demo.github.state import PullRequestState
from tests.flow.agency import Agency, agency
from tests.flow.rig import SYSTEM

pytestmark = pytest.mark.database

CONFIGURED = """
validation: {auto_merge: true, retry_backoff_seconds: 1, %s}
"""
FIRST = Change("Say how many of each", patch="add-quantities")
MENDED = Change("Mend the list", files={"src/mended.ts": "export const mended = 1\n"})
AGAIN = Change("Mend it once more", files={"src/mended.ts": "export const mended = 2\n"})
ONLY_TESTS = Change("Mend the tests", files={"src/list.test.ts": "// nothing is tested\n"})


@pytest.fixture
async def it(mongodb: str, tmp_path: Path) -> AsyncIterator[Agency]:
    async with agency(mongodb, tmp_path) as running:
        await running.configure(CONFIGURED % "max_retries: 3")
        yield running


def first(count: int) -> Callable[[str], bool]:
    """The first so many commits fail; what fails once fails always."""
    seen: list[str] = []

    def fails(head_sha: str) -> bool:
        if head_sha not in seen:
            seen.append(head_sha)
        return seen.index(head_sha) < count

    return fails


async def goal(it: Agency, *acts: Act) -> tuple[int, PullRequestState]:
    """Ask for it in an issue; gives the issue's number and the pull request that comes of it."""
    it.agent.choose = by_prompt(it.agent.opens(FIRST), *acts)
    number = it.issue()
    await it.say(number, "/codegen Say how many of each thing is to be bought")
    run = await it.ended(number)
    return number, it.bot.on.shop.pull_requests[run.pull_request or 0]


async def record(it: Agency, number: int) -> PullRequestRecord:
    return await it.bot.it.pull_requests.get(it.bot.on.repository, number)


async def settled(
    it: Agency, number: int, holds: Callable[[PullRequestRecord], bool]
) -> PullRequestRecord:
    """The record of a pull request, when something holds of it and nothing is under way."""
    found = await record(it, number)
    for _ in range(3_000):
        if holds(found):
            await it.bot.idle()
            return await record(it, number)
        await SYSTEM.sleep(0.02)
        found = await record(it, number)
    raise AssertionError(f"it never came: {found}")


def stopped(found: PullRequestRecord) -> bool:
    return found.stop is not None


async def test_a_failure_is_mended_by_the_same_run_and_merged(it: Agency) -> None:
    it.bot.boxes.fails = first(1)
    number, pull = await goal(it, it.agent.pushes(MENDED))
    found = await settled(it, pull.number, lambda it: it.merged_at is not None)
    (attempt,) = found.attempts
    assert (attempt.pushed_sha, attempt.outcome) == (pull.head_sha, FixOutcome.PUSHED)
    assert [check.conclusion for check in it.bot.runs(attempt.head_sha)] == ["failure"]
    assert attempt.changed == ("src/mended.ts",)
    assert [len(remote.prompts) for remote in it.remote] == [2], "the same run went on"
    told = it.remote[0].prompts[1]
    assert f"Push to the existing branch `{pull.head_branch}`" in told
    assert "TS2551" in told
    assert pull.merged_at
    assert found.merged_sha == pull.merge_commit_sha
    with pytest.raises(LookupError):
        await it.bot.on.shop.commit(pull.head_branch)
    await it.shows(pull.number, "Merged into main", "src/mended.ts", "pushed")
    await it.shows(number, "Merged into main")


async def test_the_same_failure_after_a_push_is_no_progress(it: Agency) -> None:
    it.bot.boxes.fails = first(99)
    _, pull = await goal(it, it.agent.pushes(MENDED), it.agent.pushes(AGAIN))
    found = await settled(it, pull.number, stopped)
    assert found.stop is not None
    assert found.stop.rule is StopRule.SAME_FAILURE
    assert [len(remote.prompts) for remote in it.remote] == [2]
    assert NEEDS_HUMAN in pull.labels
    mentions = [body for body in it.replies(pull.number) if "@alice" in body]
    assert len(mentions) == 1
    assert "src/mended.ts" in mentions[0]
    await it.shows(pull.number, "A person is needed")
    assert not pull.merged_at


async def test_a_history_of_its_own_is_a_push_of_everything(it: Agency) -> None:
    it.bot.boxes.fails = first(1)
    on = it.bot.on

    async def begins_anew(_run: AgentRunState) -> Ending:
        (pull,) = on.shop.pull_requests.values()
        tree = (await on.shop.git("rev-parse", f"{pull.head_sha}^{{tree}}")).decode().strip()
        who = ("-c", "user.name=agent", "-c", "user.email=agent@example.com")
        orphan = await on.shop.git(*who, "commit-tree", "-m", "All of it, anew", tree)
        made = orphan.decode().strip()
        await on.github.push(on.shop, pull, made, sender=it.agent.account)
        return Ending("COMPLETE", "I began anew.")

    _, pull = await goal(it, begins_anew)
    found = await settled(it, pull.number, lambda it: bool(it.attempts) and it.open_attempt is None)
    (attempt,) = found.attempts
    assert attempt.outcome is FixOutcome.PUSHED
    assert attempt.changed == ("(a history that has nothing in common with the one before)",)


async def test_no_push_stops(it: Agency) -> None:
    it.bot.boxes.fails = first(1)
    _, pull = await goal(it, it.agent.says("I could not find it."))
    found = await settled(it, pull.number, stopped)
    assert found.stop is not None
    assert found.stop.rule is StopRule.NO_PUSH
    assert [it.outcome for it in found.attempts] == [FixOutcome.NO_PUSH]


async def test_a_stop_is_told_where_the_configuration_says(
    it: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Any] = []

    async def hear(request: web.Request) -> web.Response:
        heard.append(await request.json())
        return web.Response(status=204)

    anywhere = functools.partial(WebhookNotifier, allows=lambda _address: True)
    monkeypatch.setattr(hands, "WebhookNotifier", anywhere)  # the listener's is no public address
    await it.bot.shift.stop()
    await it.bot.shift.begin()
    application = web.Application()
    application.router.add_post("/hook", hear)
    async with TestServer(application) as server:
        events = f"{{webhook_url: '{server.make_url('/hook')}', webhook_events: [needs_human]}}"
        await it.configure(CONFIGURED % "max_retries: 3" + f"notifications: {events}\n")
        it.bot.boxes.fails = first(1)
        _, pull = await goal(it, it.agent.says("I could not find it."))
        await settled(it, pull.number, stopped)
    told = [(it["event"], it["pull_request"], it["person"]) for it in heard]
    assert told == [("needs_human", pull.number, "alice")]


async def test_a_green_that_weakened_its_tests_is_not_merged(it: Agency) -> None:
    it.bot.boxes.fails = first(1)
    _, pull = await goal(it, it.agent.pushes(ONLY_TESTS))
    found = await settled(it, pull.number, stopped)
    check = await it.bot.concluded(pull.head_sha)
    await it.bot.idle()
    assert check.conclusion == "success"
    assert found.stop is not None
    assert found.stop.rule is StopRule.ONLY_TESTS
    assert not pull.merged_at
    assert "needs_human" in (check.text or "")


async def test_a_second_pull_request_stops(it: Agency) -> None:
    it.bot.boxes.fails = first(1)
    beside = Change("Beside it", files={"beside.md": "beside\n"}, branch="beside")
    number, _ = await goal(it, it.agent.opens(beside))
    found = await settled(it, number + 1, stopped)
    assert found.stop is not None
    assert found.stop.rule is StopRule.SECOND_PULL_REQUEST


async def test_a_person_pushes_and_it_goes_on(it: Agency) -> None:
    it.bot.boxes.fails = first(2)
    _, pull = await goal(it, it.agent.says("No idea."), it.agent.pushes(MENDED))
    await settled(it, pull.number, stopped)
    on = it.bot.on
    by_hand = await it.write(pull.head_sha, "hand.md", "by hand\n")
    await on.github.push(on.shop, pull, by_hand, sender=on.alice)
    found = await settled(it, pull.number, lambda it: it.merged_at is not None)
    assert found.stop is None
    assert [it.outcome for it in found.attempts] == [FixOutcome.NO_PUSH, FixOutcome.PUSHED]
    assert NEEDS_HUMAN not in pull.labels


async def test_a_person_asks_for_a_fix_of_their_own_pull_request(it: Agency) -> None:
    it.bot.boxes.fails = first(1)
    on = it.bot.on
    pull = await on.github.open_pull_request(on.shop, "add-quantities", author=on.alice)
    await it.bot.concluded(pull.head_sha)
    await it.bot.idle()
    assert it.remote == [], "nobody asked"
    it.agent.choose = by_prompt(it.agent.pushes(MENDED))
    await it.say(pull.number, "/codegen fix Mind the list.")
    found = await settled(it, pull.number, lambda it: it.merged_at is not None)
    (attempt,) = found.attempts
    assert attempt.asked_by == "alice"
    (remote,) = it.remote
    assert "Mind the list." in remote.prompts[0]
    assert "TS2551" in remote.prompts[0]


async def test_the_button_does_the_same(it: Agency) -> None:
    it.bot.boxes.fails = first(1)
    on = it.bot.on
    pull = await on.github.open_pull_request(on.shop, "add-quantities", author=on.alice)
    check = await it.bot.concluded(pull.head_sha)
    await it.bot.idle()
    assert [it["identifier"] for it in check.actions] == ["fix", "hold"]
    it.agent.choose = by_prompt(it.agent.pushes(MENDED))
    for _ in range(2):
        await on.github.press(on.shop, check, "fix", sender=on.alice)
    await on.github.press(on.shop, check, "fix", sender=on.mallory)
    found = await settled(it, pull.number, lambda it: it.merged_at is not None)
    assert len(found.attempts) == 1
    assert [len(remote.prompts) for remote in it.remote] == [1]


async def test_what_is_held_is_neither_mended_nor_merged(it: Agency) -> None:
    it.bot.boxes.fails = first(1)
    on = it.bot.on
    it.agent.choose = by_prompt(it.agent.opens(FIRST), it.agent.pushes(MENDED))
    number = it.issue()
    await it.bot.it.pull_requests.change(on.repository, number + 1, {"held_by": "alice"})
    await it.say(number, "/codegen Say how many of each thing is to be bought")
    run = await it.ended(number)
    pull = on.shop.pull_requests[run.pull_request or 0]
    assert pull.number == number + 1
    await it.bot.concluded(pull.head_sha)
    await it.bot.idle()
    assert (await record(it, pull.number)).attempts == ()
    await it.say(pull.number, "/codegen unhold")
    await settled(it, pull.number, lambda it: it.merged_at is not None)


async def test_budgets_hold(mongodb: str, tmp_path: Path) -> None:
    async with agency(mongodb, tmp_path) as it:
        await it.configure(CONFIGURED % "max_retries: 9" + "budgets: {agent_runs_per_day: 1}\n")
        it.bot.boxes.fails = first(9)
        _, pull = await goal(it, it.agent.pushes(MENDED))
        found = await settled(it, pull.number, stopped)
        assert found.stop is not None
        assert found.stop.rule is StopRule.BUDGET_OF_DAY
        assert found.stop.again_at is not None
        assert [len(remote.prompts) for remote in it.remote] == [1]
        await it.shows(pull.number, "budgets.agent_runs_per_day", "It may go on at")


async def test_a_run_that_fails_is_tried_again_and_then_given_up(
    mongodb: str, tmp_path: Path
) -> None:
    async with agency(mongodb, tmp_path) as it:
        await it.configure(CONFIGURED % "max_retries: 2")
        it.bot.boxes.fails = first(9)
        _, pull = await goal(it, it.agent.fails("ERROR"))
        found = await settled(it, pull.number, stopped)
        assert [it.outcome for it in found.attempts] == [FixOutcome.AGENT_FAILED] * 2
        assert found.stop is not None
        assert found.stop.rule is StopRule.AGENT_FAILED
        assert "2 attempts" in found.stop.reason
