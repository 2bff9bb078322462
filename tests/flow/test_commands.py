"""Commands in comments, through the door: reactions, one reply, and what they set going.

Every comment is delivered twice, the second time under another GUID: nothing is said or done twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.commands import COMMANDS, Verb
from demo.github.state import CommentState, PullRequestState, User
from tests.flow.rig import Bot, bot
from tests.stand_in import stage

pytestmark = pytest.mark.database


@pytest.fixture
async def it(mongodb: str, tmp_path: Path) -> AsyncIterator[Bot]:
    async with stage(tmp_path / "repository") as on, bot(on, mongodb, tmp_path) as running:
        yield running
        assert await running.dead() == []


async def opened(it: Bot, **more: object) -> PullRequestState:
    pull = await it.on.github.open_pull_request(
        it.on.shop,
        "add-quantities",
        author=it.on.alice,
        **more,  # type: ignore[arg-type]  # names
    )
    await it.concluded(pull.head_sha)
    await it.idle()
    return pull


async def say(
    it: Bot, number: int, text: str, author: User | None = None, kind: str = "issue"
) -> CommentState:
    """Write a comment, delivered twice; returns when nothing is left to do."""
    github = it.on.github
    made = await github.comment(it.on.shop, number, text, author=author or it.on.alice, kind=kind)
    await it.idle()
    await github.tell_of_comment(it.on.shop, made)
    await it.idle()
    return made


def replies(it: Bot, number: int) -> list[str]:
    """What the bot said in a conversation; each comment of its own was written once."""
    own = it.on.github.state.app_account
    found = [
        comment
        for comment in it.on.github.state.conversation(it.on.shop, number)
        if comment.author is own
    ]
    assert all(len(comment.history) == 1 for comment in found), "a second delivery changed it"
    return [comment.body for comment in found]


def reactions(comment: CommentState) -> list[str]:
    return [content for _, content in comment.reactions]


def issue(it: Bot) -> int:
    return it.on.github.open_issue(it.on.shop, author=it.on.alice, title="Broken").number


async def test_help_lists_every_command(it: Bot) -> None:
    number = issue(it)
    said = await say(it, number, "/codegen help", it.on.mallory)
    (reply,) = replies(it, number)
    assert reactions(said) == ["eyes", "rocket"]
    assert all(f"/codegen {verb}" in reply for verb in Verb)
    assert f"#issuecomment-{said.id}" in reply


@pytest.mark.parametrize("verb", [it.verb for it in COMMANDS.values() if not it.is_there])
async def test_what_is_not_there_yet_says_so(it: Bot, verb: Verb) -> None:
    number = issue(it)
    it.on.shop.permissions["alice"] = "admin"
    said = await say(it, number, f"/codegen {verb}{_argument(verb)}")
    (reply,) = replies(it, number)
    assert "is not there yet" in reply
    assert reactions(said) == ["eyes", "confused"]


def _argument(verb: Verb) -> str:
    wants_text = {Verb.RUN, Verb.PLAN, Verb.RESUME}
    return " do it" if verb in wants_text else " lint flaky" if verb is Verb.OVERRIDE else ""


async def test_a_stranger_is_refused_once_and_told_who_may(it: Bot) -> None:
    pull = await opened(it)
    said = await say(it, pull.number, "/codegen validate", it.on.mallory)
    (reply,) = replies(it, pull.number)
    assert "takes **write** permission" in reply
    assert reactions(said) == ["confused"]
    assert len(it.runs(pull.head_sha)) == 1


async def test_validate_runs_the_head_once_more(it: Bot) -> None:
    pull = await opened(it)
    said = await say(it, pull.number, "/codegen validate")
    await it.concluded(pull.head_sha, 2)
    assert reactions(said) == ["eyes", "rocket"]
    assert replies(it, pull.number) == []


async def test_commands_of_a_comment_in_order_with_one_reply(it: Bot) -> None:
    pull = await opened(it)
    said = await say(it, pull.number, "/codegen status\n/codegen cancel\n/codegen statsu\n")
    (reply,) = replies(it, pull.number)
    parts = ("Where things stand", "Passed", "Nothing was running here", "There is no command")
    assert sorted(map(reply.index, parts)) == [reply.index(it) for it in parts]
    assert reactions(said) == ["eyes", "confused"]


async def test_cancel_ends_what_runs(it: Bot) -> None:
    async def hold() -> None:
        await it.on.github.comment(it.on.shop, 1, "/codegen cancel", author=it.on.alice)
        await it.idle_inbox()

    it.boxes.during = hold
    pull = await it.on.github.open_pull_request(it.on.shop, "add-quantities", author=it.on.alice)
    run = await it.concluded(pull.head_sha)
    await it.idle()
    assert (run.conclusion, run.title) == ("cancelled", "Cancelled: alice cancelled it")
    assert replies(it, pull.number) == []


async def test_a_fork_runs_only_for_the_commit_that_is_named(it: Bot) -> None:
    fork = it.on.github.add_repository(
        it.on.github.install("mallory-org"), "shop", it.on.shop.folder
    )
    pull = await it.on.github.open_pull_request(
        it.on.shop, "add-quantities", author=it.on.mallory, fork=fork
    )
    assert (await it.concluded(pull.head_sha)).conclusion == "action_required"
    await it.idle()
    head = pull.head_sha
    refused = await say(it, pull.number, "/codegen validate")
    wrong = await say(it, pull.number, "/codegen trust 0123456789")
    stranger = await say(it, pull.number, f"/codegen trust {head}", it.on.mallory)
    assert [reactions(it)[-1] for it in (refused, wrong, stranger)] == ["confused"] * 3
    assert it.boxes.ran == []
    for reply in replies(it, pull.number)[:2]:
        assert f"/codegen trust {head[:12]}" in reply
    trusted = await say(it, pull.number, f"/codegen trust {head[:12]}")
    assert reactions(trusted) == ["eyes", "rocket"]
    assert (await it.concluded(head, 2)).conclusion == "success"
    assert it.boxes.trusted == [False] * len(it.boxes.trusted), "never with secrets"


async def test_what_makes_no_sense_there_says_why(it: Bot) -> None:
    pull = await opened(it)
    number = issue(it)
    await say(it, number, "/codegen validate")
    await say(it, pull.number, f"/codegen trust {pull.head_sha}")
    await it.on.github.close(it.on.shop, pull, sender=it.on.alice)
    await say(it, pull.number, "/codegen validate")
    (of_issue,) = replies(it, number)
    of_own_branch, of_closed = replies(it, pull.number)
    assert "this is an issue" in of_issue
    assert "its branch is in this repository" in of_own_branch
    assert "the pull request is closed" in of_closed


async def test_config_tells_values_and_sources(it: Bot) -> None:
    number = issue(it)
    await say(it, number, "@codegenapp config", it.on.mallory)
    (reply,) = replies(it, number)
    assert ".github/codegenapp.yml" in reply
    assert "<code>validation.timeout&#95;minutes</code>" in reply.replace("_", "&#95;")


async def test_status_of_an_issue(it: Bot) -> None:
    number = issue(it)
    await say(it, number, "/codegen status", it.on.mallory)
    (reply,) = replies(it, number)
    assert "nothing is validated here" in reply


@pytest.mark.parametrize("kind", ["review", "inline"])
async def test_commands_in_reviews(it: Bot, kind: str) -> None:
    pull = await opened(it)
    said = await say(it, pull.number, "/codegen validate", kind=kind)
    await it.concluded(pull.head_sha, 2)
    # GitHub has no reactions for a review's body: there the answer is in words.
    assert (reactions(said), len(replies(it, pull.number))) == (
        ([], 1) if kind == "review" else (["eyes", "rocket"], 0)
    )


async def test_edits_bots_and_plain_words_set_nothing_going(it: Bot) -> None:
    pull = await opened(it)
    github, shop = it.on.github, it.on.shop
    robot = github.state.user("dependabot[bot]", "Bot")
    shop.permissions[robot.login] = "write"
    by_robot = await say(it, pull.number, "/codegen validate", robot)
    plain = await say(it, pull.number, "@alice see `/codegen validate`")
    edited = await github.comment(shop, pull.number, "hm", author=it.on.alice)
    edited.body = "/codegen validate"
    await github.tell_of_comment(shop, edited, "edited")
    await it.idle()
    assert [reactions(it) for it in (by_robot, plain, edited)] == [[], [], []]
    assert replies(it, pull.number) == []
    assert len(it.runs(pull.head_sha)) == 1


async def test_a_planted_marker_is_not_taken_for_our_reply(it: Bot) -> None:
    number = issue(it)
    github = it.on.github
    said = await github.comment(it.on.shop, number, "hm", author=it.on.alice)
    marker = f"<!-- codegenapp:reply:issue_comment:{said.id} -->"
    await github.comment(it.on.shop, number, marker, author=it.on.mallory)
    said.body = "/codegen help"
    await github.tell_of_comment(it.on.shop, said)
    await it.idle()
    (reply,) = replies(it, number)
    assert reply.startswith(marker)
