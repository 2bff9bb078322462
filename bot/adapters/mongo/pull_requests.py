"""``MongoPullRequests``: fulfils ``bot.ports.records.PullRequests``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from pymongo import ReturnDocument

from bot.adapters.mongo.codec import Document, from_document, to_document
from bot.adapters.mongo.database import Database, passing_faults
from bot.domain.pull_request_records import PullRequestRecord
from bot.domain.repositories import Repository
from bot.log import get_logger
from bot.ports.records import PullRequests, Unreadable

log = get_logger()


class MongoPullRequests(PullRequests):
    """One document for each repository id and number."""

    def __init__(self, database: Database) -> None:
        self._pull_requests = database.collection("pull_requests")

    async def get(self, repository: Repository, number: int) -> PullRequestRecord:
        with passing_faults():
            found = await self._pull_requests.find_one({"_id": _at(repository, number)})
        return _record(found) if found else PullRequestRecord(repository, number)

    async def of_numbers(
        self, repository: Repository, numbers: Collection[int]
    ) -> Mapping[int, PullRequestRecord]:
        records = {it: PullRequestRecord(repository, it) for it in numbers}
        wanted = {"_id": {"$in": [_at(repository, it) for it in records]}}
        with passing_faults():
            async for document in self._pull_requests.find(wanted):
                number = int(document["_id"].rpartition(":")[2])
                del records[number]
                if (record := _readable(document)) is not None:
                    records[number] = record
        return records

    async def change(
        self, repository: Repository, number: int, changes: Mapping[str, Any]
    ) -> PullRequestRecord:
        always = {"repository": repository, "number": number, "repository_id": repository.id}
        with passing_faults():
            found = await self._pull_requests.find_one_and_update(
                {"_id": _at(repository, number)},
                {"$set": to_document({**changes, **always})},
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        return _record(found)

    async def line(self, repository_id: int, base_branch: str) -> Sequence[PullRequestRecord]:
        wanted = {
            "repository_id": repository_id,
            "base_branch": base_branch,
            "queued_at": {"$type": "date"},
        }
        with passing_faults():
            found = self._pull_requests.find(wanted).sort([("queued_at", 1), ("number", 1)])
            records = [_readable(it) async for it in found]
        return [it for it in records if it is not None]

    async def unfinished(self, looked_before: datetime) -> AsyncIterator[PullRequestRecord]:
        longest_ago = [{"looked_at": None}, {"looked_at": {"$lt": looked_before}}]
        wanted = {"is_open": {"$ne": False}, "$or": longest_ago}
        with passing_faults():
            async for document in self._pull_requests.find(wanted).sort("looked_at", 1):
                if (record := _readable(document)) is not None:
                    yield record


def _at(repository: Repository, number: int) -> str:
    return f"{repository.id}:{number}"


def _record(document: Document) -> PullRequestRecord:
    try:
        return from_document(PullRequestRecord, document)
    except ValidationError as fault:
        raise Unreadable(f"the record of {document['_id']} can't be understood") from fault


def _readable(document: Document) -> PullRequestRecord | None:
    """A record among many: one that can't be understood is no reason to stop at it."""
    try:
        return _record(document)
    except Unreadable as fault:
        log.warning("left out", reason=str(fault))
        return None
