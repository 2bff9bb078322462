"""An agent that refuses, is away or has too much to do: told in a sentence, and never asked twice.

Every comment is delivered twice, the second time under another GUID.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bot.adapters import codegen
from bot.domain.agent_runs import RunStatus
from bot.domain.conversations import STATUS_MARKER
from bot.services import run_starter
from demo.codegen.agent import by_prompt
from demo.codegen.checkout import Change
from demo.github.faults import Fault
from tests.flow.agency import Agency, agency, reactions
from tests.flow.rig import until

pytestmark = pytest.mark.database

NOTES = Change("Write notes", files={"NOTES.md": "notes\n"})
CREATION = ("POST", "/agent/run")


@pytest.fixture
async def it(mongodb: str, tmp_path: Path) -> AsyncIterator[Agency]:
    async with agency(mongodb, tmp_path) as running:
        yield running


def refusing(
    it: Agency, status: int, path: str = "", times: int = 1_000
) -> Callable[[str, str], tuple[int, str] | None]:
    """Refuse calls whose path ends so, as often."""
    left = [times]

    def refuse(method: str, called: str) -> tuple[int, str] | None:
        if method == "POST" and called.endswith(path or CREATION[1]) and left[0]:
            left[0] -= 1
            return status, "The agent's own sentence."
        return None

    return refuse


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "does not take our token"),
        (402, "has no runs left"),
        (403, "lacks the permission there"),
        (404, "knows no such organisation"),
        (422, "does not take what it was asked"),
    ],
)
async def test_each_refusal_has_its_sentence(it: Agency, status: int, words: str) -> None:
    it.agent.codegen.refuse = refusing(it, status)
    number = it.issue()
    said = await it.say(number, "/codegen do something")
    run = await it.ended(number)
    assert run.status is RunStatus.FAILED
    shown = await it.shows(number, words, "The agent's own sentence")
    assert "failed" in shown
    assert reactions(said) == ["eyes", "rocket"], "the command itself was taken"
    assert it.remote == []


async def test_a_repository_that_is_not_set_up_there(it: Agency) -> None:
    it.agent.codegen.repositories.clear()
    number = it.issue()
    await it.say(number, "/codegen do something")
    await it.ended(number)
    await it.shows(number, "does not have this repository")


async def test_after_a_refusal_a_follow_up_tries_again(it: Agency) -> None:
    it.agent.choose = by_prompt(it.agent.says("Done."))
    it.agent.codegen.refuse = refusing(it, 402)
    number = it.issue()
    await it.say(number, "/codegen do something")
    await it.ended(number)
    it.agent.codegen.refuse = lambda _method, _path: None
    await it.say(number, "/codegen resume now there is money")
    await it.run(number, RunStatus.COMPLETED)
    (remote,) = it.remote
    assert "do something" in remote.prompts[0]
    assert "now there is money" in remote.prompts[0]


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_passes_is_waited_for(it: Agency, status: int) -> None:
    it.agent.choose = by_prompt(it.agent.says("Done."))
    it.agent.codegen.refuse = refusing(it, status, times=2)
    number = it.issue()
    await it.say(number, "/codegen do something")
    run = await it.ended(number)
    assert run.status is RunStatus.COMPLETED
    assert len(it.remote) == 1


async def test_the_place_in_line_is_shown_while_a_limit_is_waited_for(it: Agency) -> None:
    it.agent.codegen.refuse = refusing(it, 429)
    number = it.issue()
    await it.say(number, "/codegen do something")
    await it.shows(number, "waiting", "a bounded number of new runs a minute", "next")


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.DROPPED, Fault.HANG, Fault.BROKEN])
async def test_a_run_whose_start_was_not_answered_is_looked_up(
    it: Agency, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codegen, "CALL_SECONDS", 0.5)
    it.agent.codegen.faults.hang_seconds = 1.0
    it.agent.choose = by_prompt(it.agent.says("Done."))
    done: list[int] = []

    def choose(_number: int, method: str, path: str) -> Fault | None:
        if method == "POST" and path.endswith("/agent/run") and not done:
            done.append(1)
            return fault
        return None

    it.agent.codegen.faults.choose = choose
    number = it.issue()
    await it.say(number, "/codegen do something")
    run = await it.ended(number)
    assert run.status is RunStatus.COMPLETED
    assert len(it.remote) == 1


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.DROPPED])
async def test_a_message_is_never_sent_twice(it: Agency, fault: Fault) -> None:
    it.agent.choose = by_prompt(it.agent.says("Which?"), it.agent.thinks("Working"))
    number = it.issue()
    await it.say(number, "/codegen do something")
    await it.ended(number)
    done: list[int] = []

    def choose(_number: int, _method: str, path: str) -> Fault | None:
        if path.endswith("/resume") and not done:
            done.append(1)
            return fault
        return None

    it.agent.codegen.faults.choose = choose
    await it.say(number, "/codegen resume that one")
    if fault is Fault.LOST_ANSWER:
        await it.run(number, RunStatus.ACTIVE)
    else:
        await it.run(number, RunStatus.WAITING)
        await it.shows(number, "Nobody knows whether")
    (remote,) = it.remote
    assert len(remote.prompts) == (2 if fault is Fault.LOST_ANSWER else 1)


async def test_an_agent_that_is_away_for_long_is_given_up(
    it: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_starter, "MOST_ATTEMPTS", 4)
    it.agent.codegen.refuse = lambda _method, _path: (503, "down")
    number = it.issue()
    await it.say(number, "/codegen do something")
    run = await it.ended(number)
    assert run.status is RunStatus.FAILED
    await it.shows(number, "could not be reached")
    assert it.remote == []


async def test_a_run_that_never_ends_is_given_up_at_its_deadline(it: Agency) -> None:
    it.agent.choose = lambda _run: it.agent.thinks("For ever")
    await it.configure("agent: {deadline_minutes: 3}")
    number = it.issue()
    await it.say(number, "/codegen do something")
    run = await it.ended(number)
    assert run.status is RunStatus.FAILED
    await it.shows(number, "given up after 3 minutes")


async def test_a_run_that_the_agent_forgot(it: Agency) -> None:
    it.agent.choose = lambda _run: it.agent.thinks("For ever")
    number = it.issue()
    await it.say(number, "/codegen do something")
    await it.run(number, RunStatus.ACTIVE)
    it.agent.codegen.runs.clear()
    await it.ended(number)
    await it.shows(number, "no longer knows this run")


@pytest.mark.parametrize("fault", [Fault.UNPROCESSABLE, Fault.SECONDARY_LIMIT, Fault.BROKEN])
async def test_comments_and_reactions_that_fail_do_not_fail_the_command(
    it: Agency, fault: Fault
) -> None:
    it.agent.choose = by_prompt(it.agent.says("Done."))

    def choose(_number: int, method: str, path: str) -> Fault | None:
        said = "/reactions" in path or ("/issues/" in path and method in {"POST", "PATCH"})
        return fault if said else None

    it.bot.on.github.faults.choose = choose
    number = it.issue()
    await it.bot.on.github.comment(
        it.bot.on.shop, number, "/codegen do something", author=it.bot.on.alice
    )
    run = await it.run(number, RunStatus.COMPLETED, idle=False)
    assert run.response_data["answer"] == "Done."
    it.bot.on.github.faults.choose = lambda _number, _method, _path: None
    if fault is not Fault.UNPROCESSABLE:
        await it.shows(number, "Done.")


async def test_no_agent_is_set_up(mongodb: str, tmp_path: Path) -> None:
    async with agency(mongodb, tmp_path, with_agent=False) as it:
        number = it.issue()
        await it.say(number, "/codegen do something")
        (reply,) = it.replies(number)
        assert "no coding agent is set up" in reply
        assert not [c for c in it.own(number) if c.body.startswith(STATUS_MARKER)]


async def test_a_suspended_app_is_quiet_and_its_runs_end(it: Agency) -> None:
    it.agent.choose = lambda _run: it.agent.thinks("For ever")
    number = it.issue()
    await it.say(number, "/codegen do something")
    await it.run(number, RunStatus.ACTIVE)
    await it.suspend()
    run = await it.run(number, RunStatus.CANCELLED)
    assert "no longer active" in run.reason


# ── issues that start by themselves ──────────────────────────────────────────────────────────


async def test_issues_start_nothing_unless_configured(it: Agency) -> None:
    on = it.bot.on
    issue = await on.github.report_issue(on.shop, author=on.alice, title="Broken")
    await on.github.label_issue(on.shop, issue, "agent", sender=on.alice)
    await it.bot.idle_inbox()
    assert await it.runs(issue.number) == []
    assert it.remote == []


async def test_an_issue_starts_one_run_by_its_label(it: Agency) -> None:
    it.agent.choose = by_prompt(it.agent.says("Done."))
    await it.configure("agent: {start_on: {issue_label: Agent, issue_opened: true}}")
    on = it.bot.on
    strangers = await on.github.report_issue(on.shop, author=on.mallory, title="Give me money")
    await it.bot.idle_inbox()
    assert it.remote == []
    assert it.own(strangers.number) == []
    await on.github.label_issue(on.shop, strangers, "agent", sender=on.mallory)
    await it.bot.idle_inbox()
    (reply,) = it.replies(strangers.number)
    assert "takes **write** permission" in reply
    await on.github.label_issue(on.shop, strangers, "AGENT", sender=on.alice)
    await it.ended(strangers.number)
    await on.github.tell_of_issue(on.shop, strangers, "opened", on.alice)
    await it.bot.idle_inbox()
    assert len(it.remote) == 1
    assert "Give me money" in it.remote[0].prompts[0]
    assert ("codegenapp[bot]", "rocket") in strangers.reactions


async def test_a_run_that_can_not_begin_keeps_no_other_from_it(it: Agency) -> None:
    """Anybody may write a picture's address that is none, and GitHub may fail for one issue."""
    it.agent.choose = by_prompt(it.agent.says("Done."))
    hostile, other = it.issue(), it.issue()
    await it.say(hostile, "![x](http://[bad/x.png) ![y](https://a:99999/y)", it.bot.on.mallory)
    await it.say(hostile, "/codegen do something")
    assert (await it.ended(hostile)).status is RunStatus.COMPLETED
    broken = it.issue()

    def choose(_number: int, method: str, path: str) -> Fault | None:
        return Fault.BROKEN if method == "GET" and path.endswith(f"/issues/{broken}") else None

    it.bot.on.github.faults.choose = choose
    await it.bot.on.github.comment(
        it.bot.on.shop, broken, "/codegen do something", author=it.bot.on.alice
    )
    await it.say(other, "/codegen do something else")
    assert (await it.ended(other)).status is RunStatus.COMPLETED
    assert len(it.remote) == 2
    it.bot.on.github.faults.choose = lambda _number, _method, _path: None
    assert (await it.ended(broken)).status is RunStatus.COMPLETED


async def test_a_pull_request_whose_base_is_mended_counts_after_all(it: Agency) -> None:
    it.agent.choose = by_prompt(it.agent.opens(NOTES, base="add-quantities"))
    number = it.issue()
    await it.say(number, "/codegen write notes please")
    run = await it.ended(number)
    assert run.pull_request is None
    await it.shows(number, "not into `main`")
    on = it.bot.on
    (pull,) = on.shop.pull_requests.values()
    pull.base_branch = "main"
    await on.github.tell_of(on.shop, pull, "edited", on.alice, {"changes": {"base": {}}})
    await it.shows(number, f"[#{pull.number}](")
    assert (await it.ended(number)).pull_request == pull.number
    await it.bot.idle()


async def test_a_message_for_a_run_at_work_is_sent_to_it(it: Agency) -> None:
    it.agent.choose = lambda _run: it.agent.thinks("Working")
    number = it.issue()
    await it.say(number, "/codegen do something")
    await it.run(number, RunStatus.ACTIVE)
    await it.say(number, "/codegen resume and that as well")
    (remote,) = it.remote
    await until(lambda: len(remote.prompts) == 2)
    assert remote.prompts[1] == "and that as well"
    assert (await it.run(number, RunStatus.ACTIVE)).sent == 1
