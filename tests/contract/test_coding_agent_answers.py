"""What the Codegen adapter makes of answers that are none, or half of one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.adapters import codegen
from bot.adapters.codegen import LIMITED_SECONDS, CodegenAgent, Paces
from bot.domain.agent_runs import RemotePullRequest, RemoteState
from bot.domain.problems import Limited, TryAgain
from bot.domain.repositories import Repository
from bot.ports.coding_agent import AgentFault, AgentProblem, RunOrder
from demo.codegen.server import ORGANIZATION, TOKEN
from tests.stand_in import at_once

SHOP = Repository(77, "octo", "shop", 1)
EVER = datetime(2020, 1, 1, tzinfo=UTC)
AgentOf = Callable[[int, Any], AbstractAsyncContextManager[CodegenAgent]]


@pytest.fixture
def agent_of() -> AgentOf:
    """The adapter before a server that gives everybody one answer."""

    @asynccontextmanager
    async def agent_of(status: int, said: Any) -> AsyncIterator[CodegenAgent]:
        body = said if isinstance(said, str) else json.dumps(said)

        async def answer(_request: web.Request) -> web.Response:
            kind = "text/html" if isinstance(said, str) else "application/json"
            return web.Response(status=status, text=body, content_type=kind)

        application = web.Application()
        application.router.add_route("*", "/{path:.*}", answer)
        async with TestServer(application) as server, aiohttp.ClientSession() as session:
            paces = Paces(at_once, at_once, at_once)
            url = str(server.make_url(""))
            yield CodegenAgent(session, paces, url, ORGANIZATION, TOKEN)

    return agent_of


async def test_a_list_without_an_end_is_no_answer(agent_of: AgentOf) -> None:
    """That nothing was begun must be certain before it is begun again."""
    page = {"items": [{"id": it, "status": "ACTIVE"} for it in range(100)]}
    async with agent_of(200, page) as agent:
        with pytest.raises(TryAgain, match="no end"):
            await agent.find("id", EVER)


PAGE = "<html><body><h1>A proxy's own page</h1></body></html>"


@pytest.mark.parametrize("said", [PAGE, "", [], "null"], ids=["HTML", "nothing", "a list", "null"])
async def test_a_limit_is_known_by_its_status_alone(agent_of: AgentOf, said: Any) -> None:
    async with agent_of(429, said) as agent:
        with pytest.raises(Limited) as told:
            await agent.create(RunOrder("id", "x", 1))
    assert told.value.after == LIMITED_SECONDS


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_proxys_page_is_a_passing_fault(agent_of: AgentOf, status: int) -> None:
    async with agent_of(status, PAGE) as agent:
        with pytest.raises(TryAgain) as told:
            await agent.create(RunOrder("id", "x", 1))
    assert not isinstance(told.value, Limited), "nobody knows what became of it"


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        pytest.param(413, AgentFault.INVALID, id="too large"),
        pytest.param(401, AgentFault.UNAUTHORIZED, id="token"),
        pytest.param(403, AgentFault.FORBIDDEN, id="forbidden"),
    ],
)
async def test_a_proxys_page_that_refuses_is_a_refusal(
    agent_of: AgentOf, status: int, fault: AgentFault
) -> None:
    async with agent_of(status, PAGE) as agent:
        with pytest.raises(AgentProblem) as told:
            await agent.create(RunOrder("id", "x", 1))
    assert (told.value.fault, told.value.message) == (fault, f"HTTP {status}")


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(PAGE, id="HTML"),
        pytest.param("", id="nothing"),
        pytest.param([], id="a list"),
        pytest.param(None, id="null"),
        pytest.param({}, id="an empty object"),
        pytest.param({"id": "9"}, id="an id that is no number"),
    ],
)
async def test_an_answer_that_is_no_run_may_be_one_that_was_begun(
    agent_of: AgentOf, said: Any
) -> None:
    async with agent_of(200, said) as agent:
        for call in (
            agent.create(RunOrder("id", "x", 1)),
            agent.resume(9, "more"),
            agent.get(9),
        ):
            with pytest.raises(TryAgain) as told:
                await call
            assert not isinstance(told.value, Limited)


MALFORMED: list[Any] = [None, 7, "x", [], {}, {"id": None}, {"id": "9"}]


async def test_malformed_items_are_skipped(agent_of: AgentOf) -> None:
    pull = {"id": 5, "url": "https://github.com/octo/shop/pull/12"}
    run = {"id": 9, "status": 7, "metadata": [], "github_pull_requests": [*MALFORMED, pull]}
    async with agent_of(200, {"items": [*MALFORMED, run]}) as agent:
        [found] = await agent.page(0)
        assert (found.id, found.state, found.run_id) == (9, RemoteState.GOING, "")
        assert [it.number for it in found.pull_requests] == [12]
        assert await agent.find("id", EVER) is None
    logs: list[Any] = [None, 7, [], {"tool_name": "edit", "thought": 3, "created_at": "yesterday"}]
    async with agent_of(200, {"logs": logs}) as agent:
        [step] = await agent.steps(9, 4)
        assert (step.kind, step.tool, step.thought, step.at) == ("", "edit", "", None)
    async with agent_of(200, {"items": None, "logs": None}) as agent:
        assert await agent.page(0) == []
        assert await agent.steps(9, 1) == []


async def test_a_malformed_repository_hides_no_other(agent_of: AgentOf) -> None:
    known = {"id": 3, "github_id": "77"}
    for_another = [{"github_id": "77"}, {"id": 1, "github_id": "\u00b2"}, {"id": 2}]
    async with agent_of(200, {"items": [None, "x", *for_another, known]}) as agent:
        assert await agent.repository_id(SHOP) == 3


@pytest.mark.parametrize("said", [[], None, '"x"', {"items": 7, "logs": 7}])
async def test_a_list_that_is_none_is_a_passing_fault(agent_of: AgentOf, said: Any) -> None:
    async with agent_of(200, said) as agent:
        with pytest.raises(TryAgain):
            await agent.page(0)
        with pytest.raises(TryAgain):
            await agent.steps(9, 1)
        with pytest.raises(TryAgain):
            await agent.repository_id(SHOP)


async def test_halves_of_characters_are_replaced(agent_of: AgentOf) -> None:
    """They fit no encoding: the database would take nothing of the run."""
    half = "cut \ud83d off"
    pull = {"id": 5, "url": half, "title": half, "head_branch_name": half}
    run = {"id": 9, "result": half, "summary": half, "github_pull_requests": [pull]}
    async with agent_of(200, run | {"metadata": {codegen.RUN_ID: half}}) as agent:
        found = await agent.get(9)
    assert (found.result, found.summary, found.run_id) == ("cut ? off",) * 3
    assert found.pull_requests == (RemotePullRequest(5, *["cut ? off"] * 3),)
    assert found.digest
    async with agent_of(200, {"logs": [{"thought": half}]}) as agent:
        assert (await agent.steps(9, 1))[0].thought == "cut ? off"
