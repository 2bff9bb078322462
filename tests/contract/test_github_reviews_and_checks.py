"""What a branch requires, on the stand-in GitHub: reviews, conversations, checks of other Apps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from demo.github.checks import Invalid
from demo.github.merging_state import Requirements
from demo.github.state import PullRequestState
from tests.contract.github_calls import call, commit, held_to
from tests.contract.github_events import Webhooks, payload, told
from tests.contract.github_queries import pull_request
from tests.stand_in import Stage

pytestmark = pytest.mark.slow

REVIEW = "At least 1 approving review is required by reviewers with write access."


@pytest.fixture(scope="module")
def contract() -> Webhooks:
    return Webhooks()


@pytest.fixture
async def on(tmp_path: Path, contract: Webhooks) -> AsyncIterator[Stage]:
    async with held_to(contract, tmp_path) as it:
        yield it


@pytest.fixture
async def pull(on: Stage) -> PullRequestState:
    await commit(on.shop, "main", "It.", to="change")
    return await on.github.open_pull_request(
        on.shop, "change", author=on.mallory, title="Say it", silent=True
    )


async def refused(on: Stage, pull: PullRequestState) -> str:
    """Why it is not merged, empty where it is."""
    status, answered = await call(on, "PUT", f"pulls/{pull.number}/merge")
    assert status in {200, 405, 409}
    return "" if status == 200 else f"{status} {answered['message']}"


async def state_of(on: Stage, pull: PullRequestState) -> str:
    state: str = (await call(on, "GET", f"pulls/{pull.number}"))[1]["mergeable_state"]
    return state


async def test_an_approval_of_who_may_write_is_required(on: Stage, pull: PullRequestState) -> None:
    github, shop = on.github, on.shop
    github.protect(shop, "main", Requirements(approvals=1))
    trudy = github.state.user("trudy")
    assert await refused(on, pull) == f"405 {REVIEW}"
    await github.submit_review(shop, pull, "approved", author=trudy)
    await github.submit_review(shop, pull, "commented", author=on.alice, body="Hm.")
    assert await refused(on, pull) == f"405 {REVIEW}"
    objection = await github.submit_review(shop, pull, "changes_requested", author=on.alice)
    assert (await pull_request(on, 1))["reviewDecision"] == "CHANGES_REQUESTED"
    assert "Changes have been requested" in await refused(on, pull)
    await github.dismiss_review(shop, pull, objection, sender=on.alice)
    found = await pull_request(on, 1)
    assert (found["reviewDecision"], found["mergeStateStatus"]) == ("REVIEW_REQUIRED", "BLOCKED")
    reviews = found["latestOpinionatedReviews"]["nodes"]
    assert [(it["author"]["login"], it["state"]) for it in reviews] == [("alice", "DISMISSED")]
    await github.submit_review(shop, pull, "approved", author=on.alice)
    found = await pull_request(on, 1)
    assert (found["reviewDecision"], found["mergeStateStatus"]) == ("APPROVED", "CLEAN")
    for state in ("approved", "changes_requested"):
        with pytest.raises(Invalid, match="your own pull request"):
            await github.submit_review(shop, pull, state, author=on.mallory)
    assert told(github.state.deliveries) == [
        *["pull_request_review submitted"] * 3,
        "pull_request_review dismissed",
        "pull_request_review submitted",
    ]
    assert payload(github.state.deliveries[1])["review"]["body"] == "Hm."
    assert await refused(on, pull) == ""


async def test_a_push_makes_approvals_stale(on: Stage, pull: PullRequestState) -> None:
    github, shop = on.github, on.shop
    github.add_ruleset(shop, Requirements(approvals=1, dismiss_stale=True))
    await github.submit_review(shop, pull, "approved", author=on.alice)
    assert await state_of(on, pull) == "clean"
    github.state.deliveries.clear()
    await github.push(shop, pull, await commit(shop, "change", "More."), sender=on.mallory)
    assert told(github.state.deliveries) == [
        "pull_request synchronize",
        "pull_request_review dismissed",
    ]
    assert await refused(on, pull) == f"405 Repository rule violations found\n\n{REVIEW}\n\n"


async def test_a_push_leaves_approvals_where_nobody_minds(
    on: Stage, pull: PullRequestState
) -> None:
    on.github.protect(on.shop, "main", Requirements(approvals=1))
    await on.github.submit_review(on.shop, pull, "approved", author=on.alice)
    more = await commit(on.shop, "change", "More.")
    await on.github.push(on.shop, pull, more, sender=on.mallory)
    assert await refused(on, pull) == ""


async def test_conversations_must_be_resolved(on: Stage, pull: PullRequestState) -> None:
    github, shop = on.github, on.shop
    github.protect(shop, "main", Requirements(conversations=True))
    thread = await github.open_thread(shop, pull, "Why?", author=on.alice)
    said = "405 A conversation must be resolved before this pull request can be merged."
    assert await refused(on, pull) == said
    for _ in range(2):
        await github.resolve_thread(shop, thread, sender=on.mallory)
    assert await state_of(on, pull) == "clean"
    await github.unresolve_thread(shop, thread, sender=on.alice)
    assert await refused(on, pull) == said
    assert told(github.state.deliveries) == [
        "pull_request_review_comment created",
        "pull_request_review_thread resolved",
        "pull_request_review_thread unresolved",
    ]


async def test_a_required_check_of_the_expected_app(on: Stage, pull: PullRequestState) -> None:
    github, shop = on.github, on.shop
    ci, other = github.state.another_app("ci"), github.state.another_app("other")
    github.protect(shop, "main", Requirements(checks={"build": ci.id}))
    assert await refused(on, pull) == '405 Required status check "build" is expected.'
    await github.report_check(shop, pull.head_sha, "build", app=other)
    assert await refused(on, pull) == '405 Required status check "build" is expected.'
    run = await github.report_check(shop, pull.head_sha, "build", app=ci, conclusion=None)
    assert await refused(on, pull) == '405 Required status check "build" is in progress.'
    await github.finish_check(shop, run, "failure")
    assert await refused(on, pull) == '405 Required status check "build" is failing.'
    github.state.deliveries.clear()
    again = await github.report_check(shop, pull.head_sha, "build", app=ci)
    events = ["check_run created", "check_run completed", "check_suite completed"]
    assert told(github.state.deliveries) == events
    assert payload(github.state.deliveries[2])["check_suite"]["app"]["id"] == ci.id
    nodes = await contexts(on)
    assert [(it["checkSuite"]["app"]["slug"], it["isRequired"]) for it in nodes] == [
        ("other", False),
        ("ci", True),
    ]
    assert (nodes[1]["databaseId"], nodes[1]["conclusion"]) == (again.id, "SUCCESS")
    assert await refused(on, pull) == ""


async def contexts(on: Stage) -> list[dict[str, Any]]:
    head = (await pull_request(on, 1))["commits"]["nodes"][0]["commit"]
    found: list[dict[str, Any]] = head["statusCheckRollup"]["contexts"]["nodes"]
    return found


async def test_the_bots_own_check_may_be_required(on: Stage, pull: PullRequestState) -> None:
    state, own = on.github.state, {"name": "codegen", "head_sha": pull.head_sha}
    on.github.protect(on.shop, "main", Requirements(checks={"codegen": state.app_id}))
    run = (await call(on, "POST", "check-runs", own | {"status": "in_progress"}))[1]
    assert await state_of(on, pull) == "blocked"
    await call(on, "PATCH", f"check-runs/{run['id']}", {"conclusion": "neutral"})
    assert await state_of(on, pull) == "clean"


async def test_a_status_may_be_required(on: Stage, pull: PullRequestState) -> None:
    github, shop = on.github, on.shop
    github.protect(shop, "main", Requirements(checks={"ci/build": None, "ci/lint": None}))
    assert await refused(on, pull) == "405 2 of 2 required status checks are expected."
    await github.set_status(shop, pull.head_sha, "ci/build", "pending", creator=on.alice)
    said = "405 2 of 2 required status checks have not succeeded: 1 expected and 1 pending."
    assert await refused(on, pull) == said
    for context in ("ci/build", "ci/lint"):
        await github.set_status(shop, pull.head_sha, context, "success", creator=on.alice)
    assert told(github.state.deliveries) == ["status"] * 3
    sent = payload(github.state.deliveries[2])
    assert (sent["context"], [it["name"] for it in sent["branches"]]) == ("ci/lint", ["change"])
    status, found = await call(on, "GET", "commits/change/status")
    assert (status, found["state"], found["total_count"]) == (200, "success", 2)
    assert found["sha"] == pull.head_sha
    nodes = await contexts(on)
    assert [(it["context"], it["state"], it["isRequired"]) for it in nodes] == [
        ("ci/build", "SUCCESS", True),
        ("ci/lint", "SUCCESS", True),
    ]
    assert (await call(on, "GET", "commits/main/status"))[1]["state"] == "pending"
    assert await refused(on, pull) == ""


async def test_what_is_not_required_makes_it_unstable(on: Stage, pull: PullRequestState) -> None:
    await on.github.set_status(on.shop, pull.head_sha, "ci", "failure", creator=on.alice)
    found = await pull_request(on, 1)
    assert (found["mergeStateStatus"], found["mergeable"]) == ("UNSTABLE", "MERGEABLE")
    rollup = found["commits"]["nodes"][0]["commit"]["statusCheckRollup"]
    assert rollup["state"] == "FAILURE"
    assert await refused(on, pull) == ""


async def test_a_head_that_is_behind_and_a_history_that_is_a_line(
    on: Stage, pull: PullRequestState
) -> None:
    await commit(on.shop, "main", "Elsewhere.", name="other.txt")
    on.github.add_ruleset(on.shop, Requirements(strict=True, linear=True))
    behind = "409 Head branch is out of date. Review and try the merge again."
    assert await refused(on, pull) == behind
    assert (await call(on, "PUT", f"pulls/{pull.number}/update-branch"))[0] == 202
    assert "This branch must not contain merge commits." in await refused(on, pull)
    squash = {"merge_method": "squash"}
    assert (await call(on, "PUT", f"pulls/{pull.number}/merge", squash))[0] == 200


async def test_the_newest_run_of_each_app_and_name_is_listed(
    on: Stage, pull: PullRequestState
) -> None:
    ci = on.github.state.another_app("ci")
    made = [
        await on.github.report_check(on.shop, pull.head_sha, name, app=ci, conclusion=conclusion)
        for name, conclusion in (("build", "failure"), ("build", "success"), ("lint", "success"))
    ]
    body = {"name": "build", "head_sha": pull.head_sha}
    await call(on, "POST", "check-runs", body)
    at = f"commits/{pull.head_sha}/check-runs"
    found = (await call(on, "GET", at))[1]["check_runs"]
    assert [(it["app"]["slug"], it["name"], it["conclusion"]) for it in found] == [
        ("ci", "build", "success"),
        ("ci", "lint", "success"),
        ("codegenapp", "build", None),
    ]
    asked = {
        "check_name=lint": 1,
        f"app_id={ci.id}": 2,
        "status=queued": 1,
        "filter=all": 4,
    }
    for query, total in asked.items():
        assert (await call(on, "GET", f"{at}?{query}"))[1]["total_count"] == total
    status, answered = await call(
        on, "PATCH", f"check-runs/{made[2].id}", {"conclusion": "failure"}
    )
    assert (status, made[2].conclusion) == (403, "success")
    assert "can only be modified by the GitHub App that created it" in answered["message"]


async def test_a_pull_request_is_edited(on: Stage, pull: PullRequestState) -> None:
    github, shop = on.github, on.shop
    await github.edit_pull_request(shop, pull, sender=on.alice, title="Said", body="Closes #9")
    await github.edit_pull_request(shop, pull, sender=on.alice, title="Said")
    await github.edit_pull_request(shop, pull, sender=on.alice, base="typo-in-total")
    with pytest.raises(LookupError):
        await github.edit_pull_request(shop, pull, sender=on.alice, base="none")
    await github.make_draft(shop, pull, sender=on.alice)
    assert await state_of(on, pull) == "draft"
    await github.make_ready(shop, pull, sender=on.alice)
    assert told(github.state.deliveries) == [
        "pull_request edited",
        "pull_request edited",
        "pull_request converted_to_draft",
        "pull_request ready_for_review",
    ]
    changes = payload(github.state.deliveries[0])["changes"]
    assert changes == {"title": {"from": "Say it"}, "body": {"from": ""}}
    assert payload(github.state.deliveries[1])["changes"]["base"]["ref"] == {"from": "main"}
    found = (await call(on, "GET", f"pulls/{pull.number}"))[1]
    assert (found["title"], found["body"], found["base"]["ref"]) == (
        "Said",
        "Closes #9",
        "typo-in-total",
    )
