"""The Codegen adapter over the stand-in, both by the schema's facts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from bot.adapters import codegen
from bot.adapters.codegen import CodegenAgent, Paces
from bot.adapters.pacing import Pace
from bot.domain.agent_runs import RemotePullRequest, RemoteState
from bot.domain.problems import Limited, TryAgain
from bot.domain.repositories import Repository
from bot.ports.coding_agent import (
    AgentFault,
    AgentProblem,
    RunOrder,
)
from demo.codegen.server import ORGANIZATION, TOKEN, AgentRunState, StandInCodegen
from demo.github.faults import Fault
from tests.stand_in import agent_at, at_once

SHOP = Repository(77, "octo", "shop", 1)
EVER = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
async def server() -> AsyncIterator[StandInCodegen]:
    async with StandInCodegen() as it:
        it.set_up(77, "octo/shop")
        yield it


@pytest.fixture
async def agent(server: StandInCodegen) -> AsyncIterator[CodegenAgent]:
    async with agent_at(server) as it:
        yield it


async def test_a_run_from_its_beginning_to_its_pull_request(
    server: StandInCodegen, agent: CodegenAgent
) -> None:
    async def work(run: AgentRunState) -> None:
        server.think(run, "Reading the code", "ripgrep")
        server.think(run, "Writing a fix", "edit_file")
        url = "https://github.com/octo/shop/pull/12"
        run.pull_requests.append(
            {"id": 5, "created_at": "2026-01-01T00:00:00Z", "title": "Fix", "url": url,
             "head_branch_name": "codegen/fix"}
        )  # fmt: skip
        run.status, run.result = "COMPLETE", "Done."

    server.script = work
    number = await agent.repository_id(SHOP)
    order = RunOrder("our id", "Mend it", number, "a-model", "claude_code", ("data:image/png,",))
    made = await agent.create(order)
    await server.settled()
    kept = server.runs[made.id]
    assert (kept.prompts, kept.model, kept.agent_type) == (["Mend it"], "a-model", "claude_code")
    assert kept.images == ["data:image/png,"]
    run = await agent.get(made.id)
    assert (run.state, run.result, run.run_id) == (RemoteState.COMPLETE, "Done.", "our id")
    assert [(it.number, it.full_name) for it in run.pull_requests] == [(12, "octo/shop")]
    assert await agent.find("our id", EVER) == run
    assert await agent.find("another", EVER) is None
    [step] = await agent.steps(made.id, 1)
    assert (step.kind, step.tool, step.thought) == ("ACTION", "edit_file", "Writing a fix")
    assert step.at is not None
    assert step.at.tzinfo is not None
    server.script = idle_again
    resumed = await agent.resume(made.id, "And now the tests")
    assert (resumed.id, resumed.state) == (made.id, RemoteState.GOING)
    assert server.runs[made.id].prompts[1] == "And now the tests"
    assert [it.kind for it in await agent.steps(made.id, 1)] == ["USER_MESSAGE"]
    await agent.ban(made.id)
    assert server.runs[made.id].banned


async def idle_again(run: AgentRunState) -> None:
    run.status = "ACTIVE"


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("PENDING", "going"), ("active", "going"), ("EVALUATION", "going"), ("WHATEVER", "going"),
        ("", "going"), ("PAUSED", "waiting"), ("COMPLETE", "complete"), ("completed", "complete"),
        ("ERROR", "failed"), ("OUT_OF_TOKENS", "failed"), ("MAX_ITERATIONS_REACHED", "failed"),
    ],
)  # fmt: skip
async def test_statuses(
    server: StandInCodegen, agent: CodegenAgent, status: str, state: str
) -> None:
    made = await agent.create(RunOrder("id", "x", 1))
    server.runs[made.id].status = status
    assert (await agent.get(made.id)).state == state


@pytest.mark.parametrize(
    ("status", "fault"),
    [(401, "unauthorized"), (402, "plan_limit"), (403, "forbidden"), (404, "not_found"),
     (409, "invalid")],
)  # fmt: skip
async def test_refusals(
    server: StandInCodegen, agent: CodegenAgent, status: int, fault: str
) -> None:
    server.refuse = lambda _method, _path: (status, "The agent's own sentence")
    with pytest.raises(AgentProblem) as told:
        await agent.create(RunOrder("id", "x", 1))
    assert (told.value.fault, told.value.message) == (fault, "The agent's own sentence")


@pytest.mark.parametrize(
    "fault", [Fault.TOO_MANY, Fault.BROKEN, Fault.HANG, Fault.DROPPED, Fault.LOST_ANSWER]
)
async def test_passing_faults(
    server: StandInCodegen, agent: CodegenAgent, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codegen, "CALL_SECONDS", 0.5)
    server.faults.hang_seconds = 1.0
    server.faults.choose = lambda _number, _method, _path: fault
    with pytest.raises(TryAgain):
        await agent.create(RunOrder("id", "x", 1))
    server.faults.choose = lambda _number, _method, _path: None
    found = await agent.find("id", EVER)
    assert (found is not None) == (fault is Fault.LOST_ANSWER), "what was begun is found"


async def test_what_it_says_is_wrong(server: StandInCodegen, agent: CodegenAgent) -> None:
    with pytest.raises(AgentProblem, match="prompt: field required"):
        await agent.create(RunOrder("id", "", 1))
    with pytest.raises(AgentProblem) as told:
        await agent.repository_id(Repository(78, "octo", "other", 1))
    assert told.value.fault is AgentFault.NOT_SET_UP
    async with agent_at(server, "another") as stranger:
        with pytest.raises(AgentProblem, match="Invalid token"):
            await stranger.get(1)


async def test_pages(server: StandInCodegen, agent: CodegenAgent) -> None:
    for _ in range(250):
        await agent.create(RunOrder("id", "x", 1))
    found = [it.id for skip in range(0, 300, 100) for it in await agent.page(skip)]
    assert found == sorted(server.runs, reverse=True)


# ── what was begun is found ──────────────────────────────────────────────────────────────────


@pytest.fixture
async def many(server: StandInCodegen, agent: CodegenAgent) -> list[AgentRunState]:
    """Three hundred runs, a minute apart, oldest first; each under an id of its own."""
    for number in range(300):
        made = await agent.create(RunOrder(f"id {number}", "x", 1))
        at = EVER + timedelta(minutes=number)
        server.runs[made.id].created_at = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return list(server.runs.values())


@pytest.mark.parametrize(
    ("run_id", "since", "found", "pages"),
    [
        pytest.param("id 299", 290, True, 1, id="the newest"),
        pytest.param("id 150", 150, True, 2, id="on a later page"),
        pytest.param("id 0", 0, True, 3, id="the very first"),
        pytest.param("never begun", 201, False, 1, id="not since a time: no page behind it"),
        pytest.param("never begun", 200, False, 2, id="not since a page's last one"),
        pytest.param("never begun", 0, False, 4, id="not at all"),
    ],
)
async def test_what_was_begun_is_looked_for_back_to_a_time(
    server: StandInCodegen,
    agent: CodegenAgent,
    many: list[AgentRunState],
    run_id: str,
    since: int,
    found: bool,
    pages: int,
) -> None:
    asked: list[str] = []
    server.refuse = lambda _method, path: asked.append(path)
    run = await agent.find(run_id, EVER + timedelta(minutes=since))
    assert (run is not None) is found
    assert run is None or run.run_id == run_id
    assert len(asked) == pages


# ── whose turn it is ─────────────────────────────────────────────────────────────────────────


async def test_which_calls_are_paced_by_what(server: StandInCodegen) -> None:
    """A creation is intended and made in one go: only ``turn`` waits before it."""
    passed: list[str] = []

    def pace(kind: str) -> Pace:
        async def wait(name: str) -> None:
            assert name == f"codegen:{ORGANIZATION}"
            passed.append(kind)

        return wait

    async def paced(call: Callable[[], Any]) -> list[str]:
        passed.clear()
        await call()
        return list(passed)

    async with aiohttp.ClientSession() as session:
        paces = Paces(pace("create"), pace("read"), pace("log"))
        agent = CodegenAgent(session, paces, server.url, ORGANIZATION, TOKEN)
        assert await paced(agent.turn) == ["create"]
        assert await paced(lambda: agent.create(RunOrder("id", "x", 1))) == []
        [number] = server.runs
        assert await paced(lambda: agent.resume(number, "more")) == []
        assert await paced(lambda: agent.get(number)) == ["read"]
        assert await paced(lambda: agent.page(0)) == ["read"]
        assert await paced(lambda: agent.find("id", EVER)) == ["read"]
        assert await paced(lambda: agent.steps(number, 1)) == ["log"]
        assert await paced(lambda: agent.repository_id(SHOP)) == ["read"]
        assert await paced(lambda: agent.repository_id(SHOP)) == [], "it is cached"


async def test_a_turn_that_is_refused_asks_nothing(server: StandInCodegen) -> None:
    async def refuse(name: str) -> None:
        raise Limited(f"ten a minute at {name}", after=9.0)

    async with aiohttp.ClientSession() as session:
        paces = Paces(refuse, at_once, at_once)
        agent = CodegenAgent(session, paces, server.url, ORGANIZATION, TOKEN)
        with pytest.raises(Limited):
            await agent.turn()
    assert server.runs == {}


async def test_our_check_is_left_alone(server: StandInCodegen, agent: CodegenAgent) -> None:
    number = await agent.repository_id(SHOP)
    server.settings[number] = {"ignored_checks": ["lint"], "check_retry_count": 5}
    for _ in range(2):
        await agent.ignore_check(SHOP, "codegenapp/validation")
    assert server.settings[number]["ignored_checks"] == ["lint", "codegenapp/validation"]


@pytest.mark.parametrize(
    ("url", "number", "name"),
    [
        ("https://github.com/octo/shop/pull/12", 12, "octo/shop"),
        ("https://github.com/octo/shop/pull/12/files?x", 12, "octo/shop"),
        ("https://github.com/octo/shop/issues/12", None, ""),
        ("", None, ""),
    ],
)
def test_addresses_of_pull_requests(url: str, number: int | None, name: str) -> None:
    found = RemotePullRequest(1, url)
    assert (found.number, found.full_name) == (number, name)
