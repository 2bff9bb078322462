"""Agent runs' records, over a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.adapters.mongo.agent_runs import MOST_OF_AN_ISSUE, MongoAgentRuns
from bot.adapters.mongo.database import Database
from bot.domain.agent_runs import (
    UNENDED,
    AgentRun,
    ResponseType,
    RunMessage,
    RunRequest,
    RunStatus,
)
from bot.domain.comments import CommentKind, CommentReference
from bot.domain.repositories import Account, Repository

pytestmark = pytest.mark.database
NOW = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SHOP = Repository(7, "Octo", "Shop", 1, private=False, default_branch="main")
API = Repository(8, "Octo", "Api", 1)
REQUEST = RunRequest(
    SHOP,
    3,
    "Mend it\n\nplease",
    Account(1, "alice"),
    CommentReference(CommentKind.INLINE, 50, 3, "https://x/3"),
    "main",
    is_pull_request=True,
    head_branch="change",
    head_sha="a" * 40,
    place="src/app.ts:7",
    wants_plan=True,
    model="m",
    agent_type="claude_code",
    deadline_minutes=9,
)
MESSAGE = RunMessage("m1", "Go on", "bob", approves=True)
RUN = AgentRun("id", REQUEST, NOW, NOW, project_id="project")
FULL = replace(
    RUN,
    status=RunStatus.WAITING,
    response_type=ResponseType.PLAN,
    response_data={"plan": "1. Read", "notes": ["a", "b"], "pull_requests": []},
    progress=40,
    current_step="Reading",
    reason="because",
    place=2,
    started_at=NOW,
    active_since=NOW + MINUTE,
    ended_at=NOW + 2 * MINUTE,
    remote_id=9,
    remote_url="https://agent/9",
    remote_status="ACTIVE",
    remote_seen="ACTIVE 5",
    intended_at=NOW,
    intended_messages=1,
    attempts=3,
    not_before=NOW,
    messages=(MESSAGE,),
    sent=1,
    known_pull_requests=(5, 6),
    pull_request=12,
    pull_request_url="https://x/12",
    head_sha="b" * 40,
    kill=True,
    cancelled_by="somebody's wish",
)


def run(
    name: str, minute: int = 0, number: int = 3, at: Repository = SHOP, **more: Any
) -> AgentRun:
    """A run that was asked for so many minutes after the first."""
    asked_at = NOW + minute * MINUTE
    request = replace(REQUEST, number=number, repository=at)
    return replace(RUN, id=name, request=request, created_at=asked_at, updated_at=asked_at, **more)


async def kept(database: Database, *runs: AgentRun) -> MongoAgentRuns:
    records = MongoAgentRuns(database)
    for it in runs:
        await records.add(it)
    return records


def ids(runs: Sequence[AgentRun]) -> list[str]:
    return [it.id for it in runs]


# ── runs ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("wanted", [RUN, FULL], ids=["new", "with everything"])
async def test_a_run_comes_back_as_it_was(database: Database, wanted: AgentRun) -> None:
    records = MongoAgentRuns(database)
    assert await records.add(wanted) == wanted
    assert await records.get("id") == wanted
    assert await records.get("nobody") is None


async def test_a_run_that_is_added_twice_stays_as_it_is(database: Database) -> None:
    records = await kept(database, RUN)
    changed = await records.change("id", {"status": RunStatus.ACTIVE, "remote_id": 9})
    again = replace(RUN, created_at=NOW + MINUTE, request=replace(REQUEST, goal="Another"))
    assert await records.add(again) == changed
    assert await records.get("id") == changed


async def test_of_many_that_add_a_run_at_once_one_does(database: Database) -> None:
    records = MongoAgentRuns(database)
    several = (replace(RUN, project_id=str(number)) for number in range(8))
    made = await asyncio.gather(*map(records.add, several))
    assert len({it.project_id for it in made}) == 1


async def test_a_run_has_the_fields_of_the_interface(database: Database) -> None:
    await kept(database, FULL)
    document = await database.collection("agent_runs").find_one({"_id": "id"})
    assert document is not None
    wanted = {
        "project_id": "project",
        "target_text": REQUEST.goal,
        "status": "waiting",
        "progress": 40,
        "current_step": "Reading",
        "response_type": "plan",
        "response_data": dict(FULL.response_data),
        "repository_id": 7,
        "number": 3,
        "created_at": NOW,
        "updated_at": NOW,
    }
    assert {name: document[name] for name in wanted} == wanted


async def test_runs_of_an_issue_and_of_a_pull_request(database: Database) -> None:
    records = await kept(
        database,
        run("asked here", 1),
        run("brought this", 3, number=1, pull_request=3),
        run("in another repository", 2, at=API),
        run("of another", 2, number=4, pull_request=12),
        run("both", 2, pull_request=12),
    )
    assert ids(await records.of_issue(7, 3)) == ["brought this", "both", "asked here"]
    assert set(ids(await records.of_issue(7, 12))) == {"of another", "both"}
    assert ids(await records.of_issue(7, 1)) == ["brought this"]
    assert ids(await records.of_issue(8, 3)) == ["in another repository"]
    assert ids(await records.of_issue(8, 12)) == []
    many = {3, 12, 1, 99}
    assert {it: ids(runs) for it, runs in (await records.of_issues(7, many)).items()} == {
        it: ids(await records.of_issue(7, it)) for it in many - {99}
    }


async def test_of_an_issue_the_last_hundred_are_told(database: Database) -> None:
    records = await kept(database, *(run(f"{it:03}", it) for it in range(MOST_OF_AN_ISSUE + 1)))
    found = ids(await records.of_issue(7, 3))
    assert found == [f"{it:03}" for it in range(MOST_OF_AN_ISSUE, 0, -1)]


async def test_what_has_not_ended_comes_oldest_first(database: Database) -> None:
    records = await kept(
        database,
        run("second", 2, status=RunStatus.ACTIVE),
        run("first", 1),
        run("elsewhere", 0, at=API, status=RunStatus.ACTIVE),
        run("third", 3),
        *(run(it.value, status=it) for it in RunStatus if it not in UNENDED),
    )
    assert ids(await records.unended_of(7)) == ["first", "second", "third"]
    assert [it.id async for it in records.unended()] == ["elsewhere", "first", "second", "third"]
    assert ids(await records.unended_of(9)) == []


async def test_runs_of_the_same_moment_stand_in_one_order(database: Database) -> None:
    """Those of one comment, whose queue must not change from look to look."""
    records = await kept(database, *(run(it) for it in "cab"))
    for _ in range(3):
        assert ids(await records.unended_of(7)) == ["a", "b", "c"]
        assert [it.id async for it in records.unended()] == ["a", "b", "c"]
        assert ids(await records.of_issue(7, 3)) == ["a", "b", "c"]


async def test_a_change_is_made_only_from_where_it_may(database: Database) -> None:
    records = await kept(database, RUN)
    changes = {"status": RunStatus.ACTIVE, "progress": 5}
    assert await records.change("id", changes, only=(RunStatus.ACTIVE,)) is None
    assert await records.get("id") == RUN
    active = await records.change("id", changes, only=UNENDED)
    assert active == replace(RUN, status=RunStatus.ACTIVE, progress=5)
    ended: dict[str, Any] = {
        "status": RunStatus.COMPLETED,
        "response_type": ResponseType.PULL_REQUEST,
        "response_data": {"answer": "Done.", "notes": []},
        "known_pull_requests": (5, 6),
        "ended_at": NOW,
    }
    found = await records.change("id", ended, only=(RunStatus.ACTIVE,))
    assert found == replace(RUN, progress=5, **ended)
    assert await records.change("id", {"progress": 1}, only=(RunStatus.ACTIVE,)) is None
    late = await records.change("id", {"kill": True})
    assert late == replace(RUN, progress=5, kill=True, **ended)
    assert await records.change("nobody", {"kill": True}) is None


async def test_of_two_that_end_a_run_one_does(database: Database) -> None:
    records = await kept(database, replace(RUN, status=RunStatus.ACTIVE))
    ends = [{"status": it} for it in (RunStatus.COMPLETED, RunStatus.CANCELLED) * 4]
    made = await asyncio.gather(
        *(records.change("id", it, only=(RunStatus.ACTIVE,)) for it in ends)
    )
    assert sum(it is not None for it in made) == 1


async def test_a_message_is_told_once(database: Database) -> None:
    records = await kept(database, replace(RUN, status=RunStatus.COMPLETED))
    changes = {"status": RunStatus.QUEUED}
    told = await records.tell("id", MESSAGE, changes)
    assert told == replace(RUN, messages=(MESSAGE,))
    await records.change("id", {"status": RunStatus.ACTIVE})
    assert await records.tell("id", MESSAGE, changes) is None
    assert await records.tell("id", replace(MESSAGE, text="Another"), changes) is None
    second = replace(MESSAGE, id="m2")
    both = await records.tell("id", second, changes)
    assert both == replace(RUN, messages=(MESSAGE, second))
    assert await records.tell("nobody", MESSAGE, changes) is None
    assert await records.get("nobody") is None


async def test_one_message_told_many_times_at_once_is_one(database: Database) -> None:
    records = await kept(database, RUN)
    made = await asyncio.gather(*(records.tell("id", MESSAGE, {}) for _ in range(8)))
    assert sum(it is not None for it in made) == 1


def brought(name: str, *urls: str, **more: Any) -> AgentRun:
    """A run that ended, and named these addresses then."""
    data = {"pull_requests": list(urls), "notes": []}
    return run(name, status=RunStatus.COMPLETED, response_data=data, **more)


async def test_runs_that_named_a_pull_request_by_its_address(database: Database) -> None:
    records = await kept(
        database,
        brought("older", "https://x/12", minute=1),
        brought("newer", "https://x/11", "https://x/12", minute=2),
        brought("another", "https://x/121"),
        brought("elsewhere", "https://x/12", at=API),
        run("none"),
    )
    assert ids(await records.naming(7, "https://x/12")) == ["newer", "older"]
    assert ids(await records.naming(8, "https://x/12")) == ["elsewhere"]
    assert ids(await records.naming(7, "https://x/1")) == []


# ── what is about to be asked of the agent ───────────────────────────────────────────────────


@pytest.mark.parametrize("status", sorted(UNENDED))
async def test_an_intention_is_written_down_with_what_the_agent_has_then(
    database: Database, status: RunStatus
) -> None:
    before = replace(RUN, status=status, messages=(MESSAGE,), attempts=2)
    records = await kept(database, before)
    intended = await records.intend(before, NOW + MINUTE)
    assert intended == replace(
        before,
        intended_at=NOW + MINUTE,
        intended_messages=1,
        attempts=3,
        updated_at=NOW + MINUTE,
    )
    assert await records.get("id") == intended
    again = await records.intend(intended, NOW + 2 * MINUTE)
    assert again is not None
    assert (again.intended_at, again.attempts) == (NOW + 2 * MINUTE, 4)


@pytest.mark.parametrize("status", [it for it in RunStatus if it not in UNENDED])
async def test_what_has_ended_is_not_intended(database: Database, status: RunStatus) -> None:
    before = replace(RUN, status=status)
    records = await kept(database, before)
    assert await records.intend(before, NOW) is None
    assert await records.get("id") == before


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"intended_at": NOW}, id="somebody has intended it"),
        pytest.param({"attempts": 1}, id="somebody has tried it"),
        pytest.param({"status": RunStatus.CANCELLED}, id="somebody has cancelled it"),
        pytest.param(
            {"status": RunStatus.ACTIVE, "remote_id": 9},
            id="somebody has begun it",
        ),
        pytest.param(
            {"status": RunStatus.ACTIVE, "sent": 1},
            id="somebody has sent it",
        ),
    ],
)
async def test_what_was_read_before_is_not_intended(
    database: Database, changes: dict[str, Any]
) -> None:
    records = await kept(database, RUN)
    changed = await records.change("id", changes)
    assert await records.intend(RUN, NOW + MINUTE) is None
    assert await records.get("id") == changed


async def test_of_many_that_intend_a_run_at_once_one_does(database: Database) -> None:
    records = await kept(database, RUN)
    made = await asyncio.gather(*(records.intend(RUN, NOW + it * MINUTE) for it in range(8)))
    assert sum(it is not None for it in made) == 1


# ── counted ──────────────────────────────────────────────────────────────────────────────────


async def test_how_many_are_ahead_at_the_agent(database: Database) -> None:
    records = await kept(
        database,
        run("ahead", 1),
        run("ahead in another repository", 2, at=API),
        run("has a number", 1, remote_id=9),
        run("is active", 1, status=RunStatus.ACTIVE),
        run("was cancelled", 1, status=RunStatus.CANCELLED),
        run("itself", 3),
        run("behind", 4),
    )
    assert await records.uncreated_before(NOW + 3 * MINUTE) == 2
    assert await records.uncreated_before(NOW) == 0
