"""``MongoPullRequests``: fulfils ``bot.ports.records.PullRequests``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from pymongo import ReturnDocument

from bot.adapters.mongo.codec import Document, from_document, to_document
from bot.adapters.mongo.database import Database, passing_faults
from bot.domain.pull_request_records import PullRequestRecord
from bot.domain.repositories import Repository
from bot.ports.records import PullRequests, Unreadable

MOST_FIXES = 2_000
"""Of a repository and day that are counted; no budget is larger."""


class MongoPullRequests(PullRequests):
    """One document for each repository id and number."""

    def __init__(self, database: Database) -> None:
        self._pull_requests = database.collection("pull_requests")

    async def get(self, repository: Repository, number: int) -> PullRequestRecord:
        with passing_faults():
            found = await self._pull_requests.find_one({"_id": _at(repository, number)})
        return _record(found) if found else PullRequestRecord(repository, number)

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
            return [_record(it) async for it in found]

    async def fixes_since(self, repository_id: int, since: datetime) -> Sequence[datetime]:
        wanted = {"repository_id": repository_id, "attempts.sent_at": {"$gt": since}}
        times: list[datetime] = []
        with passing_faults():
            found = self._pull_requests.find(wanted, {"attempts": 1}).limit(MOST_FIXES)
            async for document in found:
                times += [
                    it["sent_at"]
                    for it in document["attempts"]
                    if it["sent_at"] > since and it["run_id"] != it["id"]
                ]
        return sorted(times)

    async def unfinished(self, looked_before: datetime) -> AsyncIterator[PullRequestRecord]:
        longest_ago = [{"looked_at": None}, {"looked_at": {"$lt": looked_before}}]
        wanted = {"is_open": {"$ne": False}, "$or": longest_ago}
        with passing_faults():
            async for document in self._pull_requests.find(wanted).sort("looked_at", 1):
                yield _record(document)


def _at(repository: Repository, number: int) -> str:
    return f"{repository.id}:{number}"


def _record(document: Document) -> PullRequestRecord:
    try:
        return from_document(PullRequestRecord, document)
    except ValidationError as fault:
        raise Unreadable(f"the record of {document['_id']} can't be understood") from fault
