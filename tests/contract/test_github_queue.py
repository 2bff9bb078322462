"""The stand-in's merge queue: in by GraphQL, out by the checks of a merge made ahead."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from demo.github.merging_state import AppState, Requirements
from demo.github.pushes import Push
from demo.github.state import PullRequestState, User
from tests.contract.github_calls import call, commit, held_to
from tests.contract.github_events import Webhooks, payload, told
from tests.contract.github_queries import ENQUEUE, ask, pull_request
from tests.stand_in import Stage

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def contract() -> Webhooks:
    return Webhooks()


@pytest.fixture
async def on(tmp_path: Path, contract: Webhooks) -> AsyncIterator[Stage]:
    async with held_to(contract, tmp_path) as it:
        yield it


@pytest.fixture
def ci(on: Stage) -> AppState:
    """An App whose check each group needs."""
    app = on.github.state.another_app("ci")
    on.github.turn_on_queue(on.shop, requirements=Requirements(checks={"build": app.id}))
    return app


async def ready(on: Stage, ci: AppState, name: str, text: str = "") -> PullRequestState:
    """A pull request that may be queued."""
    head = await commit(on.shop, "main", text or name, name="same" if text else name, to=name)
    pull = await on.github.open_pull_request(on.shop, name, author=on.mallory)
    await on.github.report_check(on.shop, head, "build", app=ci)
    return pull


async def enqueue(on: Stage, pull: PullRequestState, *, by: User | None = None, **more: Any) -> Any:
    return await ask(on, ENQUEUE, by=by, input={"pullRequestId": f"PR_{pull.id}", **more})


async def test_one_lands_when_its_groups_check_passes(on: Stage, ci: AppState) -> None:
    github, shop = on.github, on.shop
    pull, base = await ready(on, ci, "one"), await shop.commit("main")
    found = await pull_request(on, pull.number)
    assert (found["isMergeQueueEnabled"], found["mergeStateStatus"]) == (True, "CLEAN")
    status, answered = await call(on, "PUT", f"pulls/{pull.number}/merge")
    assert status == 405
    assert "Changes must be made through the merge queue" in answered["message"]
    github.state.deliveries.clear()
    answered = await enqueue(on, pull, expectedHeadOid=pull.head_sha, clientMutationId="mine")
    assert "errors" not in answered
    head = shop.queues["main"][0].head_sha
    assert answered["data"]["enqueuePullRequest"] == {
        "clientMutationId": "mine",
        "mergeQueueEntry": {
            "position": 1,
            "state": "AWAITING_CHECKS",
            "pullRequest": {"number": pull.number},
            "headCommit": {"oid": head},
        },
    }
    assert told(github.state.deliveries) == [
        "pull_request enqueued",
        "push",
        "merge_group checks_requested",
    ]
    group = payload(github.state.deliveries[2])["merge_group"]
    assert (group["head_sha"], group["base_sha"]) == (head, base)
    assert group["base_ref"] == "refs/heads/main"
    assert await shop.commit(group["head_ref"]) == head
    found = await pull_request(on, pull.number)
    assert (found["isInMergeQueue"], found["mergeStateStatus"]) == (True, "CLEAN")
    github.state.deliveries.clear()
    await github.report_check(shop, head, "build", app=ci)
    assert await shop.commit("main") == head == pull.merge_commit_sha
    assert (pull.state, pull.merged_by) == ("closed", github.state.app_account)
    assert told(github.state.deliveries)[3:] == [
        "pull_request dequeued",
        "merge_group destroyed",
        "push",
        "pull_request closed",
        "push",
    ]
    assert payload(github.state.deliveries[3])["reason"] == "MERGE"
    assert payload(github.state.deliveries[4])["reason"] == "merged"
    with pytest.raises(LookupError):
        await shop.commit(group["head_ref"])
    assert github.kinds["graphql mutation"] == 1


async def test_one_that_fails_is_out_and_the_next_is_merged_anew(on: Stage, ci: AppState) -> None:
    github, shop = on.github, on.shop
    one, two = await ready(on, ci, "one"), await ready(on, ci, "two")
    for pull in (one, two):
        await enqueue(on, pull)
    first, second = shop.queues["main"]
    assert second.base_sha == first.head_sha
    stale = second.head_sha
    assert (await pull_request(on, two.number))["mergeQueueEntry"]["position"] == 2
    await github.report_check(shop, stale, "build", app=ci)
    assert two.state == "open"  # its turn has not come
    github.state.deliveries.clear()
    await github.report_check(shop, first.head_sha, "build", app=ci, conclusion="failure")
    assert [it.number for it in shop.queues["main"]] == [two.number]
    assert (second.base_sha, second.head_sha == stale) == (await shop.commit("main"), False)
    events = told(github.state.deliveries)
    assert events.count("merge_group destroyed") == 2
    assert events.count("merge_group checks_requested") == 1
    assert payload(github.state.deliveries[3])["reason"] == "CI_FAILURE"
    assert await github.land_queued(shop, "main") == two.merge_commit_sha
    assert (one.state, two.state) == ("open", "closed")


async def test_both_land_in_their_turn(on: Stage, ci: AppState) -> None:
    github, shop = on.github, on.shop
    pulls = [await ready(on, ci, name) for name in ("one", "two")]
    for pull in pulls:
        await enqueue(on, pull)
    first, second = (it.head_sha for it in shop.queues["main"])
    await github.report_check(shop, second, "build", app=ci)
    await github.report_check(shop, first, "build", app=ci)
    assert [it.state for it in pulls] == ["closed", "closed"]
    assert (await shop.commit("main"), shop.queues["main"]) == (second, [])


async def test_a_push_to_the_head_or_the_base(on: Stage, ci: AppState) -> None:
    github, shop = on.github, on.shop
    one, two = await ready(on, ci, "one"), await ready(on, ci, "two")
    for pull in (one, two):
        await enqueue(on, pull)
    await github.push(shop, one, await commit(shop, "one", "More."), sender=on.mallory)
    assert [it.number for it in shop.queues["main"]] == [two.number]
    before = await shop.commit("main")
    after = await commit(shop, "main", "Elsewhere.", name="other.txt")
    assert shop.queues["main"][0].base_sha == before
    await github.pushed(shop, Push("refs/heads/main", before, after), on.alice)
    assert shop.queues["main"][0].base_sha == after
    await github.dequeue(shop, two, by=on.alice)
    assert shop.queues["main"] == []


async def test_two_that_conflict_do_not_both_wait(on: Stage, ci: AppState) -> None:
    one, two = await ready(on, ci, "one", "mine"), await ready(on, ci, "two", "yours")
    await enqueue(on, one)
    answered = await enqueue(on, two)
    assert answered["data"]["enqueuePullRequest"]["mergeQueueEntry"] is None
    assert [it.number for it in on.shop.queues["main"]] == [one.number]
    assert payload(on.github.state.deliveries[-1])["reason"] == "MERGE_CONFLICT"


async def test_what_is_not_taken_into_the_queue(on: Stage, ci: AppState) -> None:
    head = await commit(on.shop, "main", "It.", to="change")
    pull = await on.github.open_pull_request(on.shop, "change", author=on.mallory)

    async def refused(by: User | None = None, **more: Any) -> tuple[str, str]:
        error = (await enqueue(on, pull, by=by, **more))["errors"][0]
        assert error["path"] == ["enqueuePullRequest"]
        return error["type"], error["message"]

    expected = 'Pull request Required status check "build" is expected.'
    assert await refused() == ("UNPROCESSABLE", expected)
    assert (await refused(expectedHeadOid="0" * 40))[0] == "UNPROCESSABLE"
    assert (await refused(by=on.mallory))[0] == "FORBIDDEN"
    await on.github.report_check(on.shop, head, "build", app=ci)
    await enqueue(on, pull)
    assert (await refused())[1] == "Pull request is already in the queue"
    answered = await ask(on, ENQUEUE, input={"pullRequestId": "PR_1"})
    assert answered["errors"][0]["type"] == "NOT_FOUND"
