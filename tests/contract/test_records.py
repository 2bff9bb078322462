"""Projects, validations, the audit log, running output and artifacts, over a real server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from bot.adapters.clock import SystemClock
from bot.adapters.mongo.artifacts import GridFSArtifacts
from bot.adapters.mongo.database import Database
from bot.adapters.mongo.records import (
    MongoAuditLog,
    MongoLogChunks,
    MongoProjects,
    MongoValidations,
)
from bot.domain.effects import ValidationOrder
from bot.domain.plan import Stage
from bot.domain.projects import ProjectStatus
from bot.domain.repositories import Account, Repository
from bot.domain.validation_records import ValidationRecord
from bot.domain.validations import ValidationStatus, Verdict
from bot.ports.records import AuditEvent, CursorTooOld, LogChunk

pytestmark = pytest.mark.database
CLOCK = SystemClock()
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEPT = timedelta(days=1)
REPOSITORY = Repository(7, "Octo", "Shop", 1, private=False, default_branch="main")
ORDER = ValidationOrder(
    REPOSITORY,
    "a" * 40,
    "refs/pull/3/head",
    "main",
    "b" * 40,
    3,
    "https://x/3",
    trusted=True,
    asked_by=Account(1, "octo"),
)
RECORD = ValidationRecord("id", ORDER, NOW, pull_requests=frozenset({3}), project_id="project")


async def test_a_project_keeps_its_id_under_every_name(database: Database) -> None:
    projects = MongoProjects(database)
    first = await projects.keep(REPOSITORY, NOW)
    later = NOW + timedelta(hours=1)
    moved = await projects.keep(replace(REPOSITORY, owner="cat", name="store"), later)
    assert (moved.id, moved.name) == (first.id, "cat/store")
    assert (moved.created_at, moved.updated_at) == (NOW, later)
    assert await projects.named("CAT/Store") == moved
    assert await projects.named("octo/shop") is None
    assert await projects.get(first.id) == await projects.of_repository(7) == moved


async def test_two_that_keep_it_at_once_make_one(database: Database) -> None:
    projects = MongoProjects(database)
    made = await asyncio.gather(*(projects.keep(REPOSITORY, NOW) for _ in range(8)))
    assert len({project.id for project in made}) == 1


async def test_a_project_has_the_fields_of_the_interface(database: Database) -> None:
    project = await MongoProjects(database).keep(REPOSITORY, NOW)
    document = await database.collection("projects").find_one({"_id": project.id})
    assert document is not None
    wanted: dict[str, Any] = {
        "name": "Octo/Shop",
        "repository_owner": "Octo",
        "repository_name": "Shop",
        "webhook_url": "",
        "deployment_settings": {},
        "auto_merge_enabled": None,
        "status": "active",
        "created_at": NOW,
        "updated_at": NOW,
    }
    assert {name: document[name] for name in wanted} == wanted


async def test_projects_of_an_installation(database: Database) -> None:
    projects = MongoProjects(database)
    await projects.keep(REPOSITORY, NOW)
    await projects.keep(Repository(8, "octo", "api", 2), NOW)
    assert [it.name async for it in projects.all()] == ["octo/api", "Octo/Shop"]
    assert [it.name async for it in projects.all(installation_id=2)] == ["octo/api"]
    await projects.retire(8, ProjectStatus.REMOVED, "uninstalled", NOW)
    gone = await projects.of_repository(8)
    assert gone is not None
    assert (gone.status, gone.reason) == (ProjectStatus.REMOVED, "uninstalled")
    assert (await projects.keep(Repository(8, "octo", "api", 2), NOW)).reason == ""
    changed = await projects.update(gone.id, {"auto_merge_enabled": True})
    assert changed is not None
    assert changed.auto_merge_enabled


async def test_a_record_is_one_for_each_attempt(database: Database) -> None:
    validations = MongoValidations(database)
    first = await validations.add(RECORD)
    assert first == RECORD
    shared = await validations.add(
        replace(RECORD, id="other", pull_requests=frozenset({9}), created_at=NOW)
    )
    assert (shared.id, shared.pull_requests) == ("id", frozenset({3, 9}))
    again = replace(RECORD, id="again", order=replace(ORDER, attempt=2))
    await validations.add(again)
    assert [it.id for it in await validations.of_commit(7, "a" * 40)] == ["id", "again"]
    await validations.change("id", {"summary": "long", "detail": "longer", "result": {"a": 1}})
    many = await validations.of_commits(7, {"a" * 40, "b" * 40})
    assert {sha: [it.id for it in of] for sha, of in many.items()} == {
        "a" * 40: ["id", "again"],
        "b" * 40: [],
    }
    assert many["a" * 40][0] == replace(shared, version=1), "without its report"
    assert [it.id for it in await validations.unended_of(7, 9)] == ["id"]
    assert await validations.get("other") is None


async def test_a_record_has_the_fields_of_the_interface(database: Database) -> None:
    await MongoValidations(database).add(RECORD)
    document = await database.collection("validation_pipelines").find_one({"_id": "id"})
    assert document is not None
    wanted = {
        "project_id": "project",
        "agent_run_id": None,
        "pr_number": 3,
        "pr_url": "https://x/3",
        "head_sha": "a" * 40,
        "status": "requested",
        "validation_results": None,
        "environment_id": None,
        "attempt": 1,
        "created_at": NOW,
        "completed_at": None,
    }
    assert {name: document[name] for name in wanted} == wanted


async def test_an_ended_record_stays_as_it_ended(database: Database) -> None:
    validations = MongoValidations(database)
    await validations.add(RECORD)
    running = await validations.change(
        "id", {"status": ValidationStatus.RUNNING, "stage": Stage.BUILD}
    )
    assert running is not None
    assert (running.status, running.stage, running.version) == (
        ValidationStatus.RUNNING,
        Stage.BUILD,
        1,
    )
    result = {"schema": 1, "stages": [{"name": "build"}]}
    ended = await validations.change(
        "id",
        {"status": ValidationStatus.COMPLETED, "verdict": Verdict.PASSED, "result": result},
    )
    assert ended is not None
    assert ended.result == result
    assert await validations.change("id", {"stage": Stage.TEST}) is None
    late = await validations.change("id", {"check_run_id": 5}, unless_ended=False)
    assert late is not None
    assert (late.check_run_id, late.version, late.verdict) == (5, 3, Verdict.PASSED)
    assert [it async for it in validations.unended()] == []


async def test_pull_requests_leave(database: Database) -> None:
    validations = MongoValidations(database)
    await validations.add(replace(RECORD, pull_requests=frozenset({3, 9})))
    left = await validations.leave("id", 3)
    assert left is not None
    assert left.pull_requests == frozenset({9})


async def test_the_audit_log_is_followed_and_resumed(database: Database) -> None:
    audit = MongoAuditLog(database, KEPT)
    events = [AuditEvent("decision.made", NOW, None, "7:1", {"n": n}) for n in range(4)]
    follower = audit.follow()
    reading = asyncio.ensure_future(anext(follower))
    await CLOCK.sleep(0.5)
    async with asyncio.timeout(30):
        await audit.write(events)
        first = await reading
        assert first.data == {"n": 0}
        resumed = audit.follow(first.cursor)
        assert [(await anext(resumed)).data["n"] for _ in range(3)] == [1, 2, 3]
    assert [it.data["n"] for it in await audit.of_subject("7:1", 2)] == [3, 2]


@pytest.mark.parametrize("cursor", ["nonsense", "[]", '{"_data": "8200"}'])
async def test_a_cursor_that_is_none(database: Database, cursor: str) -> None:
    with pytest.raises(CursorTooOld):
        async with asyncio.timeout(30):
            await anext(MongoAuditLog(database, KEPT).follow(cursor))


async def test_output_comes_back_in_order(database: Database) -> None:
    chunks = MongoLogChunks(database)
    wanted = [LogChunk("id", "job", "build", n, f"line {n}\n", NOW) for n in range(50)]
    await chunks.write(wanted[:25])
    await chunks.write([replace(wanted[0], job_id="another")])
    await chunks.write(wanted[25:])
    assert [it async for it in chunks.of_job("job")] == wanted
    await chunks.forget("job")
    assert [it async for it in chunks.of_job("job")] == []
    assert [it.job_id async for it in chunks.of_job("another")] == ["another"]


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_the_same_content_is_kept_once(database: Database) -> None:
    artifacts = GridFSArtifacts(database, KEPT)
    large = os.urandom(5 * 1024 * 1024)
    kept = await asyncio.gather(
        *(artifacts.put("log.txt", "text/plain", pieces(large, b"end")) for _ in range(4))
    )
    assert len({it.id for it in kept}) == 1
    assert await artifacts.get(kept[0].id) == kept[0]
    assert b"".join([it async for it in artifacts.read(kept[0].id)]) == large + b"end"
    assert await database.collection("artifacts.files").count_documents({}) == 1
    empty = await artifacts.put("empty", "text/plain", pieces())
    assert [it async for it in artifacts.read(empty.id)] == []
    assert await artifacts.get("nobody") is None
    assert [it async for it in artifacts.read("nobody")] == []


async def test_the_oldest_artifacts_go_when_there_is_too_much(database: Database) -> None:
    artifacts = GridFSArtifacts(database, KEPT, most_bytes=25)
    names = [str(number) * 10 for number in range(4)]
    kept = [await artifacts.put(it, "text/plain", pieces(it.encode())) for it in names]
    await artifacts.put("again", "text/plain", pieces(names[0].encode()))
    assert await artifacts.forget() == 2
    assert [await artifacts.get(it.id) is not None for it in kept] == [True, False, False, True]
    assert await artifacts.forget() == 0


async def test_what_a_killed_process_left_behind_is_no_hindrance(database: Database) -> None:
    """Pieces without their file: an upload that ended between the two."""
    artifacts = GridFSArtifacts(database, KEPT)
    kept = await artifacts.put("a", "text/plain", pieces(b"a picture"))
    await database.collection("artifacts.files").delete_one({"_id": kept.id})
    chunks = database.collection("artifacts.chunks")
    await artifacts.put("a", "text/plain", pieces(b"a picture"))
    assert await artifacts.get(kept.id) is None, "somebody may still be at it"
    (chunk,) = [it async for it in chunks.find({})]
    await chunks.delete_one({"_id": chunk["_id"]})
    old = ObjectId.from_datetime(CLOCK.now() - timedelta(minutes=5))
    await chunks.insert_one({**chunk, "_id": old})
    await artifacts.put("a", "text/plain", pieces(b"a picture"))
    assert await artifacts.get(kept.id) is not None
    assert b"".join([it async for it in artifacts.read(kept.id)]) == b"a picture"


async def test_artifacts_past_their_time_are_removed(database: Database) -> None:
    late = GridFSArtifacts(database, timedelta(seconds=-1))
    await late.put("late", "text/plain", pieces(b"late"))
    kept = await GridFSArtifacts(database, KEPT).put("kept", "text/plain", pieces(b"kept"))
    assert await late.forget() == 1
    assert await late.get(kept.id) is not None
    assert await database.collection("artifacts.chunks").count_documents({}) == 1
