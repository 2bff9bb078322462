"""What goes wrong at a merge: whether it landed is known to who looks, and to nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from demo.github.faults import Fault
from demo.github.merging_state import Requirements
from tests.contract.github_calls import call, call_at, commit
from tests.contract.github_queries import ENQUEUE
from tests.stand_in import Stage, stage

pytestmark = pytest.mark.slow

LANDS = {
    Fault.LOST_ANSWER: True,
    Fault.BROKEN_AFTER: True,
    Fault.BROKEN: False,
    Fault.DROPPED: False,
}


@pytest.fixture
async def on(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as it:
        await commit(it.shop, "main", "It.", to="change")
        await it.github.open_pull_request(it.shop, "change", author=it.mallory)
        yield it


def fail(on: Stage, path: str, fault: Fault) -> None:
    """The next call there fails, and none after it."""
    left = [fault]
    on.github.faults.choose = lambda _number, _method, at: (
        left.pop() if left and at.endswith(path) else None
    )


async def status_of(on: Stage, method: str, path: str, body: object = None) -> int | None:
    """None where there is no answer."""
    try:
        return (await call_at(on, method, path, body))[0]
    except aiohttp.ClientError:
        return None


@pytest.mark.parametrize(("fault", "lands"), LANDS.items(), ids=str)
async def test_a_merge_may_have_landed(on: Stage, fault: Fault, lands: bool) -> None:
    fail(on, "/merge", fault)
    before = await on.shop.commit("main")
    answered = {Fault.BROKEN: 500, Fault.BROKEN_AFTER: 502}.get(fault)
    assert await status_of(on, "PUT", "/repos/octo/shop/pulls/1/merge") == answered
    assert (await call(on, "GET", "pulls/1"))[1]["merged"] is lands
    assert (await on.shop.commit("main") != before) is lands
    assert await status_of(on, "PUT", "/repos/octo/shop/pulls/1/merge") == (405 if lands else 200)


@pytest.mark.parametrize(("fault", "lands"), LANDS.items(), ids=str)
async def test_an_update_may_have_landed(on: Stage, fault: Fault, lands: bool) -> None:
    await commit(on.shop, "main", "Elsewhere.", name="other.txt")
    fail(on, "/update-branch", fault)
    at, pull = "/repos/octo/shop/pulls/1/update-branch", on.shop.pull_requests[1]
    before = pull.head_sha
    await status_of(on, "PUT", at, {"expected_head_sha": before})
    assert (pull.head_sha != before) is lands
    again = await status_of(on, "PUT", at, {"expected_head_sha": before})
    assert again == (422 if lands else 202)


@pytest.mark.parametrize(("fault", "lands"), LANDS.items(), ids=str)
async def test_one_may_be_in_the_queue(on: Stage, fault: Fault, lands: bool) -> None:
    on.github.turn_on_queue(on.shop, requirements=Requirements())
    fail(on, "/graphql", fault)
    wanted = {"input": {"pullRequestId": f"PR_{on.shop.pull_requests[1].id}"}}
    await status_of(on, "POST", "/graphql", {"query": ENQUEUE, "variables": wanted})
    assert bool(on.shop.queues.get("main")) is lands
    assert on.github.kinds["graphql mutation"] == 1


async def test_graphql_tells_of_its_limit_in_its_own_way(on: Stage) -> None:
    fail(on, "/graphql", Fault.PRIMARY_LIMIT)
    status, answered = await call_at(on, "POST", "/graphql", {"query": "{ rateLimit { cost } }"})
    assert (status, [it["type"] for it in answered["errors"]]) == (200, ["RATE_LIMITED"])
