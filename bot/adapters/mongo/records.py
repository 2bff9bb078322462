"""The records: projects, validations, the audit log and running output, each on its collection."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError, OperationFailure, PyMongoError

from bot.adapters.mongo.codec import Document, from_document, to_document
from bot.adapters.mongo.database import HISTORY_LOST, PAUSE_SECONDS, Database, passing_faults
from bot.domain.projects import Project, ProjectStatus
from bot.domain.repositories import Repository
from bot.domain.validation_records import FINAL, ValidationRecord
from bot.ports.records import (
    AuditEvent,
    AuditLog,
    CursorTooOld,
    LogChunk,
    LogChunks,
    Projects,
    Validations,
)

DUPLICATE = frozenset({11000})
NO_REPORTS = {"validation_results": 0, "summary": 0, "detail": 0}
LOG_CHUNKS_KEPT = timedelta(days=7)
"""Of a job whose log never became an artifact."""


class MongoProjects(Projects):
    """See ``bot.ports.records``; the fields of interface.md stand beside the nested repository."""

    def __init__(self, database: Database) -> None:
        self._projects = database.collection("projects")

    async def keep(self, repository: Repository, at: datetime) -> Project:
        known = {
            "repository": to_document(repository),
            "name": repository.full_name,
            "name_folded": repository.full_name.casefold(),
            "repository_owner": repository.owner,
            "repository_name": repository.name,
            "installation_id": repository.installation_id,
            "status": ProjectStatus.ACTIVE.value,
            "reason": "",
            "updated_at": at,
        }
        fresh = {
            "_id": str(uuid.uuid4()),
            "created_at": at,
            "webhook_url": "",
            "deployment_settings": {},
            "auto_merge_enabled": None,
        }
        for _ in range(2):  # two that make it at the same instant: the second one finds it
            try:
                with passing_faults(DUPLICATE):
                    found = await self._projects.find_one_and_update(
                        {"repository_id": repository.id},
                        {"$set": known, "$setOnInsert": fresh},
                        upsert=True,
                        return_document=ReturnDocument.AFTER,
                    )
            except DuplicateKeyError:
                continue
            return _project(found)
        raise AssertionError("an upsert met a duplicate twice")

    async def retire(
        self, repository_id: int, status: ProjectStatus, reason: str, at: datetime
    ) -> None:
        change = {"status": status.value, "reason": reason, "updated_at": at}
        with passing_faults():
            await self._projects.update_one({"repository_id": repository_id}, {"$set": change})

    async def of_repository(self, repository_id: int) -> Project | None:
        return await self._one({"repository_id": repository_id})

    async def get(self, project_id: str) -> Project | None:
        return await self._one({"_id": project_id})

    async def named(self, full_name: str) -> Project | None:
        return await self._one({"name_folded": full_name.casefold()})

    async def all(self, *, installation_id: int | None = None) -> AsyncIterator[Project]:
        wanted = {} if installation_id is None else {"installation_id": installation_id}
        with passing_faults():
            async for document in self._projects.find(wanted).sort("name_folded", 1):
                yield _project(document)

    async def update(self, project_id: str, changes: Mapping[str, Any]) -> Project | None:
        with passing_faults():
            found = await self._projects.find_one_and_update(
                {"_id": project_id},
                {"$set": to_document(changes)},
                return_document=ReturnDocument.AFTER,
            )
        return _project(found) if found else None

    async def _one(self, wanted: Document) -> Project | None:
        with passing_faults():
            found = await self._projects.find_one(wanted, sort=[("updated_at", -1)])
        return _project(found) if found else None


def _project(document: Document) -> Project:
    return from_document(Project, document | {"id": document["_id"]})


class MongoValidations(Validations):
    """See ``bot.ports.records``; the fields of interface.md stand beside the order."""

    def __init__(self, database: Database) -> None:
        self._records = database.collection("validation_pipelines")

    async def add(self, record: ValidationRecord) -> ValidationRecord:
        document: Document = to_document(record)
        document["_id"] = document.pop("id")
        wanted = sorted(document.pop("pull_requests"))
        order = record.order
        document |= {
            "repository_id": order.repository.id,
            "head_sha": order.head_sha,
            "attempt": order.attempt,
            "pr_number": order.number,
            "pr_url": order.url if order.number is not None else None,
            "validation_results": document.pop("result"),
            "ended": False,
        }
        commit = {it: document.pop(it) for it in ("repository_id", "head_sha", "attempt")}
        for _ in range(2):
            try:
                with passing_faults(DUPLICATE):
                    found = await self._records.find_one_and_update(
                        commit,
                        {
                            "$setOnInsert": document,
                            "$addToSet": {"pull_requests": {"$each": wanted}},
                        },
                        upsert=True,
                        return_document=ReturnDocument.AFTER,
                    )
            except DuplicateKeyError:
                continue
            return _record(found)
        raise AssertionError("an upsert met a duplicate twice")

    async def get(self, validation_id: str) -> ValidationRecord | None:
        with passing_faults():
            found = await self._records.find_one({"_id": validation_id})
        return _record(found) if found else None

    async def of_commit(self, repository_id: int, head_sha: str) -> Sequence[ValidationRecord]:
        wanted = {"repository_id": repository_id, "head_sha": head_sha}
        with passing_faults():
            return [_record(it) async for it in self._records.find(wanted).sort("attempt", 1)]

    async def of_commits(
        self, repository_id: int, head_shas: Collection[str]
    ) -> Mapping[str, Sequence[ValidationRecord]]:
        wanted = {"repository_id": repository_id, "head_sha": {"$in": sorted(head_shas)}}
        records: dict[str, list[ValidationRecord]] = {it: [] for it in head_shas}
        with passing_faults():
            async for document in self._records.find(wanted, NO_REPORTS).sort("attempt", 1):
                records[document["head_sha"]].append(_record(document))
        return records

    async def unended_of(self, repository_id: int, number: int) -> Sequence[ValidationRecord]:
        wanted = {"repository_id": repository_id, "pull_requests": number, "ended": False}
        with passing_faults():
            return [_record(it) async for it in self._records.find(wanted).sort("created_at", 1)]

    async def unended(self) -> AsyncIterator[ValidationRecord]:
        with passing_faults():
            async for document in self._records.find({"ended": False}):
                yield _record(document)

    async def unconcluded(self, since: datetime) -> AsyncIterator[ValidationRecord]:
        wanted = {"ended": True, "check_concluded": False, "completed_at": {"$gt": since}}
        with passing_faults():
            async for document in self._records.find(wanted):
                yield _record(document)

    async def change(
        self, validation_id: str, changes: Mapping[str, Any], *, unless_ended: bool = True
    ) -> ValidationRecord | None:
        written: Document = to_document(changes)
        if "status" in written:
            written["ended"] = changes["status"] in FINAL
        if "result" in written:
            written["validation_results"] = written.pop("result")
        wanted: Document = {"_id": validation_id} | ({"ended": False} if unless_ended else {})
        return await self._change(wanted, {"$set": written, "$inc": {"version": 1}})

    async def intend_check(
        self, validation_id: str, by: str, at: datetime, lapsed: datetime
    ) -> bool:
        free = [
            {"check_intended_by": {"$in": ["", by]}},
            {"check_intended_at": {"$lt": lapsed}},
        ]
        change = {"$set": {"check_intended_by": by, "check_intended_at": at}}
        return await self._change({"_id": validation_id, "$or": free}, change) is not None

    async def leave(self, validation_id: str, number: int) -> ValidationRecord | None:
        change = {"$pull": {"pull_requests": number}, "$inc": {"version": 1}}
        return await self._change({"_id": validation_id}, change)

    async def newest_of(self, repository_id: int, number: int) -> ValidationRecord | None:
        wanted = {"repository_id": repository_id, "pull_requests": number}
        with passing_faults():
            found = await self._records.find_one(wanted, sort=[("created_at", -1)])
        return _record(found) if found else None

    async def belong(self, repository_id: int, number: int, agent_run_id: str) -> None:
        wanted = {"repository_id": repository_id, "pull_requests": number, "agent_run_id": None}
        with passing_faults():
            await self._records.update_many(wanted, {"$set": {"agent_run_id": agent_run_id}})

    async def _change(self, wanted: Document, change: Document) -> ValidationRecord | None:
        with passing_faults():
            found = await self._records.find_one_and_update(
                wanted, change, return_document=ReturnDocument.AFTER
            )
        return _record(found) if found else None


def _record(document: Document) -> ValidationRecord:
    named = {"id": document["_id"], "result": document.get("validation_results")}
    return from_document(ValidationRecord, document | named)


class MongoAuditLog(AuditLog):
    """See ``bot.ports.records``; a cursor is the change stream's resume token."""

    def __init__(self, database: Database, retention: timedelta) -> None:
        self._database = database
        self._events = database.collection("events")
        self._retention = retention

    async def write(self, events: Sequence[AuditEvent]) -> None:
        if not events:
            return
        documents = [to_document(event) for event in events]
        for document in documents:
            del document["cursor"]
            document["_id"] = ObjectId()
            document["forget_at"] = document["at"] + self._retention
        with passing_faults():
            await self._events.insert_many(documents)

    async def follow(self, after: str = "") -> AsyncIterator[AuditEvent]:
        token: Any = _token(after) if after else None
        while True:
            try:
                async with self._events.watch(
                    [{"$match": {"operationType": "insert"}}], resume_after=token
                ) as stream:
                    async for change in stream:
                        token = change["_id"]
                        written = dict(change["fullDocument"]) | {"cursor": json.dumps(token)}
                        yield from_document(AuditEvent, written)
            except OperationFailure as fault:
                if fault.code in HISTORY_LOST or token is not None:
                    raise CursorTooOld(after) from fault
            except PyMongoError:
                pass  # the server is away for a moment; the token knows where we were
            await self._database.clock.sleep(PAUSE_SECONDS)

    async def of_subject(self, subject: str, limit: int) -> Sequence[AuditEvent]:
        with passing_faults():
            found = self._events.find({"subject": subject}).sort([("at", -1), ("_id", -1)])
            return [from_document(AuditEvent, it) async for it in found.limit(limit)]


def _token(cursor: str) -> Any:
    try:
        token = json.loads(cursor)
    except ValueError:
        raise CursorTooOld(cursor) from None
    if not isinstance(token, dict):
        raise CursorTooOld(cursor)
    return token


class MongoLogChunks(LogChunks):
    """See ``bot.ports.records``."""

    def __init__(self, database: Database) -> None:
        self._chunks = database.collection("log_chunks")

    async def write(self, chunks: Sequence[LogChunk]) -> None:
        documents = [
            to_document(chunk) | {"_id": ObjectId(), "forget_at": chunk.at + LOG_CHUNKS_KEPT}
            for chunk in chunks
        ]
        with passing_faults():
            await self._chunks.insert_many(documents)

    async def of_job(self, job_id: str) -> AsyncIterator[LogChunk]:
        with passing_faults():
            async for document in self._chunks.find({"job_id": job_id}).sort("_id", 1):
                yield from_document(LogChunk, document)

    async def forget(self, job_id: str) -> None:
        with passing_faults():
            await self._chunks.delete_many({"job_id": job_id})
