"""Goals in comments, through the door, to what the agent brings: one run, one status comment.

Every comment is delivered twice, the second time under another GUID: nothing is doubled.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bot.domain.agent_runs import ResponseType, RunStatus
from bot.domain.conversations import STATUS_MARKER
from demo.codegen.agent import by_prompt, in_order, when
from demo.codegen.checkout import Change
from tests.flow.agency import Agency, agency, reactions
from tests.flow.rig import until
from tests.octokit import examples

pytestmark = pytest.mark.database

CHANGE = Change("Say how many of each", patch="add-quantities")
NOTES = Change("Write notes", files={"NOTES.md": "notes\n"})


@pytest.fixture
async def it(mongodb: str, tmp_path: Path) -> AsyncIterator[Agency]:
    async with agency(mongodb, tmp_path) as running:
        yield running


# ── what a run comes back with ───────────────────────────────────────────────────────────────


async def test_a_goal_becomes_a_validated_pull_request(it: Agency) -> None:
    it.agent.choose = by_prompt(it.agent.opens(CHANGE))
    number = it.issue()
    said = await it.say(number, "/codegen Say how many of each thing is to be bought")
    run = await it.ended(number)
    assert (run.status, run.response_type, run.progress) == (
        RunStatus.COMPLETED,
        ResponseType.PULL_REQUEST,
        100,
    )
    assert reactions(said) == ["eyes", "rocket"]
    assert it.replies(number) == []
    (remote,) = it.remote
    assert "Say how many of each thing is to be bought" in remote.prompts[0]
    assert "Two of each, please." in remote.prompts[0]
    pull = it.bot.on.shop.pull_requests[run.pull_request or 0]
    check = await it.bot.concluded(pull.head_sha)
    await it.bot.idle()
    assert check.conclusion == "success"
    shown = await it.shows(number, f"[#{pull.number}](", "Passed")
    assert "pull request opened" in shown
    # The pull request tells of the run, the issue and its validation as well.
    there = await it.shows(pull.number, "Passed", f"#{number}")
    assert "pull request opened" in there
    record = await it.bot.it.validations.newest_of(it.bot.on.shop.id, pull.number)
    assert record is not None
    assert record.agent_run_id == run.id


async def test_a_plan_is_approved_and_the_same_run_goes_on(it: Agency) -> None:
    it.agent.choose = by_prompt(
        it.agent.plans("1. Edit `src/list.ts`\n2. Ask @mallory"), it.agent.opens(CHANGE)
    )
    number = it.issue()
    await it.say(number, "/codegen plan Say how many\nof each")
    run = await it.ended(number)
    assert (run.status, run.response_type) == (RunStatus.WAITING, ResponseType.PLAN)
    shown = await it.shows(number, "the plan is ready", "/codegen approve")
    assert "@mallory" not in shown
    assert run.plan_marker not in shown
    said = await it.say(number, "/codegen approve")
    assert reactions(said) == ["eyes", "rocket"]
    run = await it.run(number, RunStatus.COMPLETED)
    assert run.response_type is ResponseType.PULL_REQUEST
    assert [len(remote.prompts) for remote in it.remote] == [2]


async def test_words_alone_are_an_answer(it: Agency) -> None:
    it.agent.choose = by_prompt(it.agent.says("It is **fine** as it is, @mallory. Closes #1"))
    number = it.issue()
    await it.say(number, "/codegen Is this right?")
    run = await it.ended(number)
    assert run.response_type is ResponseType.REGULAR
    shown = await it.shows(number, "answered", "It brought no pull request")
    assert "**fine**" in shown
    assert "@mallory" not in shown
    assert "#1" not in shown


async def test_a_follow_up_goes_to_the_newest_run(it: Agency) -> None:
    it.agent.choose = by_prompt(it.agent.says("Which ones?"), it.agent.opens(CHANGE))
    number = it.issue()
    await it.say(number, "/codegen Say how many")
    await it.ended(number)
    await it.say(number, "/codegen resume All of them,\nplease")
    run = await it.run(number, RunStatus.COMPLETED)
    while run.response_type is not ResponseType.PULL_REQUEST:
        run = await it.run(number, RunStatus.COMPLETED)
    (remote,) = it.remote
    assert remote.prompts[1] == "All of them,\nplease"


async def test_in_a_pull_request_the_agent_pushes_to_its_branch(it: Agency) -> None:
    on = it.bot.on
    pull = await on.github.open_pull_request(on.shop, "add-quantities", author=on.alice)
    await it.bot.concluded(pull.head_sha)
    first = pull.head_sha
    it.agent.choose = by_prompt(it.agent.pushes(NOTES))
    await it.say(pull.number, "/codegen run Write notes", kind="inline")
    run = await it.ended(pull.number)
    assert run.status is RunStatus.COMPLETED
    assert pull.head_sha != first
    assert "src/list.ts:35" in it.remote[0].prompts[0]
    shown = await it.shows(pull.number, "pushed", f"The head of `#{pull.number}` is")
    assert pull.head_sha[:12] in shown
    assert (await it.bot.concluded(pull.head_sha)).conclusion == "success"
    await it.bot.idle()


@pytest.mark.parametrize(
    ("act", "words"),
    [
        pytest.param(lambda it: it.agent.opens(CHANGE, NOTES), "a second pull request", id="two"),
        pytest.param(
            lambda it: it.agent.opens(NOTES, base="add-quantities"),
            "not into `main`",
            id="wrong base",
        ),
        pytest.param(
            lambda it: it.agent.opens(NOTES, elsewhere=other(it)),
            "another repository",
            id="elsewhere",
        ),
        pytest.param(lambda it: it.agent.fails("ERROR"), "The agent failed at it", id="error"),
        pytest.param(lambda it: it.agent.fails("OUT_OF_TOKENS"), "ran out of tokens", id="tokens"),
        pytest.param(lambda it: it.agent.fails("STOPPED"), "was stopped", id="stopped"),
        pytest.param(lambda it: it.agent.pauses("Which?"), "waits for an answer", id="paused"),
    ],
)
async def test_what_else_may_come_is_told(
    it: Agency, act: Callable[[Agency], object], words: str
) -> None:
    it.agent.choose = by_prompt(act(it))  # type: ignore[arg-type]  # an act of the agent's
    number = it.issue()
    await it.say(number, "/codegen Do it well")
    await it.ended(number)
    await it.shows(number, words)
    await it.bot.idle()
    assert len(it.remote) == 1


def other(it: Agency) -> object:
    github = it.bot.on.github
    folder = it.bot.on.shop.folder
    repository = github.add_repository(github.install("elsewhere"), "other", folder)
    repository.permissions[it.agent.account.login] = "write"
    return repository


# ── who, when, and in which order ────────────────────────────────────────────────────────────


async def test_runs_of_an_issue_go_one_after_the_other(it: Agency) -> None:
    done = asyncio.Event()
    it.agent.choose = lambda run: (
        when(done, it.agent.says("one")) if "first" in run.prompts[0] else it.agent.says("two")
    )
    number = it.issue()
    await it.say(number, "/codegen run the first thing")
    await it.run(number, RunStatus.ACTIVE)
    await it.say(number, "/codegen run the other thing")
    shown = await it.shows(number, "Next in line", "one after the other")
    assert "the other thing" in shown
    assert len(it.remote) == 1
    done.set()
    run = await it.ended(number)
    assert run.request.goal == "the other thing"
    assert [it.status for it in await it.runs(number)] == [RunStatus.COMPLETED] * 2
    await it.shows(number, "Earlier runs: 1")


async def test_concurrency_is_bounded_and_told(it: Agency) -> None:
    done = asyncio.Event()
    it.agent.choose = lambda _run: when(done, it.agent.says("done"))
    numbers = [it.issue() for _ in range(3)]
    for number in numbers:
        await it.say(number, "/codegen do something")
    await it.shows(numbers[2], "Place 1 in the queue", "for one person")
    assert len(it.remote) == 2
    done.set()
    await it.ended(numbers[2])
    assert len(it.remote) == 3


async def test_cancel_stops_following_and_kill_bans(it: Agency) -> None:
    it.agent.choose = lambda _run: it.agent.thinks("Thinking for ever")
    number = it.issue()
    await it.say(number, "/codegen do something")
    await it.run(number, RunStatus.ACTIVE)
    said = await it.say(number, "/codegen cancel")
    run = await it.run(number, RunStatus.CANCELLED)
    assert reactions(said) == ["eyes", "rocket"]
    await it.shows(number, "cancelled", "Cancelled by `alice`")
    (remote,) = it.remote
    assert not remote.banned
    await it.say(number, "/codegen cancel --kill")
    await until(lambda: remote.banned)
    run = await it.run(number, RunStatus.CANCELLED)
    assert run.kill
    await it.say(number, "/codegen resume go on")
    assert "was banned" in it.replies(number)[-1]


async def test_progress_is_shown_as_it_goes(it: Agency) -> None:
    it.agent.choose = lambda _run: it.agent.thinks("Reading src/list.ts")
    number = it.issue()
    await it.say(number, "/codegen do something")
    shown = await it.shows(number, "at work", "Reading src/list.ts", "█")
    assert "%**" in shown


@pytest.mark.parametrize(
    "text", ["/codegen run it now", "/codegen plan it now", "/codegen approve", "/codegen resume x"]
)
async def test_a_stranger_starts_and_moves_nothing(it: Agency, text: str) -> None:
    number = it.issue()
    said = await it.say(number, text, it.bot.on.mallory)
    (reply,) = it.replies(number)
    assert "takes **write** permission" in reply
    assert reactions(said) == ["confused"]
    assert it.remote == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/codegen approve", "no plan waits"),
        ("/codegen resume go on", "no agent run here"),
        ("/codegen cancel", "Nothing was running"),
    ],
)
async def test_what_makes_no_sense_says_why(it: Agency, text: str, words: str) -> None:
    number = it.issue()
    await it.say(number, text)
    (reply,) = it.replies(number)
    assert words in reply
    assert it.remote == []


async def test_closed_issues_and_forks_say_why(it: Agency) -> None:
    on = it.bot.on
    issue = await on.github.report_issue(on.shop, author=on.alice, title="Old")
    await on.github.close_issue(on.shop, issue, sender=on.alice)
    await it.say(issue.number, "/codegen do it again")
    assert "this issue is closed" in it.replies(issue.number)[0]
    fork = on.github.add_repository(on.github.install("mallory-org"), "shop", on.shop.folder)
    pull = await on.github.open_pull_request(
        on.shop, "add-quantities", author=on.mallory, fork=fork
    )
    await it.bot.idle()
    await it.say(pull.number, "/codegen do it again")
    assert "is in a fork" in it.replies(pull.number)[-1]
    assert it.remote == []


async def test_status_lists_the_runs(it: Agency) -> None:
    it.agent.choose = by_prompt(it.agent.says("Fine."))
    number = it.issue()
    await it.say(number, "/codegen look at this")
    await it.ended(number)
    await it.say(number, "/codegen status", it.bot.on.mallory)
    (reply,) = it.replies(number)
    assert "look at this" in reply
    assert "answered" in reply


async def test_a_deleted_status_comment_is_made_again(it: Agency) -> None:
    it.agent.choose = by_prompt(
        it.agent.says("One."), in_order(it.agent.thinks("Hm"), it.agent.says("Two."))
    )
    number = it.issue()
    await it.say(number, "/codegen look at this")
    await it.ended(number)
    await it.shows(number, "answered")
    (comment,) = it.own(number)
    del it.bot.on.github.state.comments[comment.id]
    await it.say(number, "/codegen resume and at that")
    await it.shows(number, "Two.")


async def test_a_planted_status_marker_is_not_taken_for_ours(it: Agency) -> None:
    it.agent.choose = by_prompt(it.agent.says("Fine."))
    number = it.issue()
    github = it.bot.on.github
    planted = await github.comment(it.bot.on.shop, number, STATUS_MARKER, author=it.bot.on.mallory)
    await it.say(number, "/codegen look at this")
    await it.ended(number)
    await it.shows(number, "answered")
    assert planted.history == [STATUS_MARKER]


async def test_our_check_is_left_alone_by_the_agents_own_fixer(it: Agency) -> None:
    it.agent.choose = by_prompt(it.agent.says("Fine."))
    number = it.issue()
    await it.say(number, "/codegen look at this")
    await it.ended(number)
    (settings,) = it.agent.codegen.settings.values()
    assert settings["ignored_checks"] == ["codegenapp/validation"]


# ── GitHub's own payloads ────────────────────────────────────────────────────────────────────


async def test_real_payloads_of_comments_start_a_run(it: Agency) -> None:
    """Each ``issue_comment`` example, with a goal as its text, in our repository."""
    it.agent.choose = lambda _run: it.agent.says("Done.")
    github, shop = it.bot.on.github, it.bot.on.shop
    payloads = [each.payload for each in examples() if each.name == "issue_comment"]
    created = [payload for payload in payloads if payload["action"] == "created"]
    assert created
    for payload in payloads:
        issue = github.open_issue(shop, author=it.bot.on.alice, title=payload["issue"]["title"])
        comment = payload["comment"] | {"body": "/codegen say that it is done", "id": issue.id}
        payload |= {"issue": payload["issue"] | {"number": issue.number}, "comment": comment}
        payload["issue"].pop("pull_request", None)
        for _ in range(2):
            await github.send("issue_comment", payload, shop, it.bot.on.alice)
        await it.bot.idle_inbox()
        if payload["action"] != "created":
            assert await it.runs(issue.number) == []
        else:
            run = await it.ended(issue.number)
            assert run.request.goal == "say that it is done"
    assert len(it.remote) == len(created)
