"""Issues on the stand-in GitHub, by its REST and by its webhooks, held to GitHub's contract."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from demo.github.access import Forbidden
from tests.contract.github_calls import call, held_to
from tests.contract.github_events import Webhooks, payload, told
from tests.stand_in import Stage


@pytest.fixture(scope="module")
def contract() -> Webhooks:
    return Webhooks()


@pytest.fixture
async def on(tmp_path: Path, contract: Webhooks) -> AsyncIterator[Stage]:
    async with held_to(contract, tmp_path) as it:
        yield it


async def test_an_issue_is_reported_labelled_and_closed(on: Stage) -> None:
    github, shop = on.github, on.shop
    issue = await github.report_issue(shop, author=on.mallory, title="Broken", body="By far.")
    for _ in range(2):
        await github.label_issue(shop, issue, "codegen: fix it", sender=on.alice)
    status, found = await call(on, "GET", f"issues/{issue.number}")
    assert (status, found["title"], found["body"]) == (200, "Broken", "By far.")
    assert ([it["name"] for it in found["labels"]], found["state"]) == (["codegen: fix it"], "open")
    await github.close_issue(shop, issue, sender=on.alice)
    assert (await call(on, "GET", f"issues/{issue.number}"))[1]["state"] == "closed"
    deliveries = github.state.deliveries
    assert told(deliveries) == ["issues opened", "issues labeled", "issues closed"]
    labelled = payload(deliveries[1])
    assert labelled["label"] == found["labels"][0]
    assert labelled["sender"]["login"] == "alice"
    assert payload(deliveries[2])["issue"]["closed_at"]


async def test_an_issue_without_a_word_has_no_body(on: Stage) -> None:
    issue = await on.github.report_issue(on.shop, author=on.mallory, title="Broken")
    assert (await call(on, "GET", f"issues/{issue.number}"))[1]["body"] is None


async def test_a_pull_request_is_an_issue_too(on: Stage) -> None:
    pull = await on.github.open_pull_request(
        on.shop, "add-quantities", author=on.alice, title="More", body="Refs #7", base="main"
    )
    status, found = await call(on, "GET", f"issues/{pull.number}")
    assert (status, found["title"], found["body"]) == (200, "More", "Refs #7")
    assert found["pull_request"]["html_url"] == f"{on.github.url}/octo/shop/pull/{pull.number}"
    assert (await call(on, "GET", f"pulls/{pull.number}"))[1]["body"] == "Refs #7"
    await on.github.comment(on.shop, pull.number, "Fine.", author=on.alice)
    assert told(on.github.state.deliveries) == ["pull_request opened", "issue_comment created"]
    assert (await call(on, "GET", "issues/99"))[0] == 404


async def test_a_pull_request_goes_into_the_branch_that_is_asked_for(on: Stage) -> None:
    pull = await on.github.open_pull_request(
        on.shop, "add-quantities", author=on.alice, base="typo-in-total"
    )
    found = (await call(on, "GET", f"pulls/{pull.number}"))[1]
    assert found["base"]["ref"] == "typo-in-total"
    assert found["base"]["sha"] == await on.shop.commit("typo-in-total")
    with pytest.raises(LookupError):
        await on.github.open_pull_request(on.shop, "main", author=on.alice, base="no-such")
    assert list(on.shop.pull_requests) == [pull.number]


@pytest.mark.parametrize("kind", ["issue", "pull request"])
async def test_a_reaction_is_there_once_for_each_who_gives_it(on: Stage, kind: str) -> None:
    if kind == "issue":
        number = on.github.open_issue(on.shop, author=on.alice, title="Broken").number
    else:
        pull = await on.github.open_pull_request(on.shop, "add-quantities", author=on.alice)
        number = pull.number
    at = f"issues/{number}/reactions"
    told_of = [
        (await call(on, "POST", at, {"content": content}, by=by))[0]
        for content, by in (("eyes", None), ("eyes", None), ("eyes", on.mallory), ("+1", None))
    ]
    assert told_of == [201, 200, 201, 201]
    subject = on.shop.issue(number)
    assert subject is not None
    own = "codegenapp[bot]"
    assert subject.reactions == [(own, "eyes"), ("mallory", "eyes"), (own, "+1")]
    rollup = (await call(on, "GET", f"issues/{number}"))[1]["reactions"]
    assert (rollup["eyes"], rollup["+1"], rollup["total_count"]) == (2, 1, 3)
    assert (await call(on, "POST", "issues/99/reactions", {"content": "eyes"}))[0] == 404
    on.github.look_on = lambda _exchange: None  # what is sent now breaks the contract
    assert (await call(on, "POST", at, {"content": "clap"}))[0] == 422
    assert len(subject.reactions) == 3


async def test_in_a_locked_conversation_only_writers_speak(on: Stage) -> None:
    issue = on.github.open_issue(on.shop, author=on.alice, title="Broken")
    issue.locked = True
    at = f"issues/{issue.number}"
    assert (await call(on, "GET", at))[1]["locked"] is True
    for by, status in ((on.mallory, 403), (on.alice, 201), (None, 201)):
        assert (await call(on, "POST", f"{at}/comments", {"body": "So."}, by=by))[0] == status
    with pytest.raises(Forbidden, match="because issue is locked"):
        await on.github.comment(on.shop, issue.number, "But!", author=on.mallory)
    authors = [it.author.login for it in on.github.state.conversation(on.shop, issue.number)]
    assert authors == ["alice", "codegenapp[bot]"]
    assert on.github.state.deliveries == []


async def test_a_persons_token_does_what_the_person_may(on: Stage) -> None:
    issue = on.github.open_issue(on.shop, author=on.alice, title="Broken")
    body = {"body": "Another's words"}
    _, made = await call(on, "POST", f"issues/{issue.number}/comments", body, by=on.mallory)
    assert made["user"]["login"] == "mallory"
    mine, theirs = f"issues/comments/{made['id']}", on.github.state.user("trudy")
    assert (await call(on, "PATCH", mine, body, by=theirs))[0] == 403
    assert (await call(on, "PATCH", mine, body, by=on.mallory))[0] == 200
    check = {"name": "forged", "head_sha": await on.shop.commit("main")}
    assert (await call(on, "POST", "check-runs", check, by=on.alice))[0] == 403
    on.shop.private = True
    assert (await call(on, "GET", f"issues/{issue.number}", by=on.mallory))[0] == 404
    assert (await call(on, "GET", f"issues/{issue.number}", by=on.alice))[0] == 200
