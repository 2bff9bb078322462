"""``MongoInbox``: fulfils ``bot.ports.inbox`` on the collection ``inbox``.

Bodies are kept compressed; one that is too large for a document lies in GridFS, written first.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import zstandard
from bson import Binary
from gridfs.errors import FileExists, NoFile
from pymongo.errors import BulkWriteError, DuplicateKeyError

from bot.adapters.mongo.codec import Document, from_document, to_document
from bot.adapters.mongo.database import Database, Session, passing_faults
from bot.adapters.mongo.leases import Leases
from bot.domain.effects import Decision
from bot.domain.problems import TryAgain
from bot.ports.inbox import (
    Added,
    Claim,
    Inbox,
    Item,
    ItemState,
    Kept,
    Progress,
)

PACKED_LEVEL = 1
LARGEST_INLINE = 12 * 1024 * 1024
LARGEST_BODY = 32 * 1024 * 1024
DUPLICATE = 11000
RECLAIM_EVERY = timedelta(seconds=1)
"""How often one process looks for leases that ran out."""


class MongoInbox(Inbox):
    """See ``bot.ports.inbox``. Ended items are forgotten after ``retention``."""

    def __init__(self, database: Database, retention: timedelta) -> None:
        self._database = database
        self._items = database.collection("inbox")
        self._bodies = database.bucket("inbox_bodies")
        self._retention = retention
        self._packer = zstandard.ZstdCompressor(PACKED_LEVEL)
        self._reclaimed_at: datetime | None = None
        self._leases = Leases(
            self._items,
            free=ItemState.READY.value,
            held=ItemState.LEASED.value,
            lane="key",
            due="due_at",
        )

    async def add(self, items: Sequence[Item]) -> Sequence[Added]:
        """See the port: one ``insert_many`` for all of them."""
        if not items:
            return ()
        documents = [await self._document(item) for item in items]
        added = [Added.NEW] * len(items)
        try:
            with passing_faults(but=frozenset({65})):
                await self._items.insert_many(documents, ordered=False)
        except BulkWriteError as failure:
            details: Mapping[str, Any] = failure.details
            faults = details.get("writeErrors", [])
            if details.get("writeConcernErrors") or any(it["code"] != DUPLICATE for it in faults):
                raise TryAgain(f"MongoDB could not record deliveries: {failure}"[:500]) from failure
            for fault in faults:
                item = items[fault["index"]]
                reopened = await self._reopen({"_id": item.id, "state": "dead"}, item.received_at)
                added[fault["index"]] = Added.REOPENED if reopened else Added.DUPLICATE
        return added

    async def add_within(self, session: Session, item: Item) -> None:
        """Add one in somebody else's transaction; a known one stays as it is."""
        if await self._items.find_one({"_id": item.id}, {"_id": 1}, session=session) is None:
            await self._items.insert_one(await self._document(item), session=session)

    async def claim(self, owner: str) -> Claim | None:
        now = self._database.clock.now()
        found = None
        if self._reclaimed_at is None or now - self._reclaimed_at > RECLAIM_EVERY:
            found = await self._leases.take_over(owner)
            self._reclaimed_at = now if found is None else None
        found = found or await self._leases.next(owner, now)
        if found is None:
            return None
        return Claim(
            item=await self._item(found),
            token=found["token"],
            attempts=found["attempts"],
            progress=_progress(found),
        )

    async def beat(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        lost = await self._leases.beat({claim.item.id: claim.token for claim in claims})
        return [claim for claim in claims if claim.item.id in lost]

    async def decide(self, claim: Claim, handler: str, decision: Decision) -> None:
        at = f"progress.{handler}"
        changes = {
            f"{at}.decision": {"$literal": to_document(decision)},
            f"{at}.outcomes": {"$ifNull": [f"${at}.outcomes", []]},
            f"{at}.settled": False,
        }
        await self._leases.write(claim.item.id, claim.token, [{"$set": changes}])

    async def settle_effect(self, claim: Claim, handler: str, index: int, outcome: str) -> None:
        at = f"progress.{handler}.outcomes"
        await self._leases.write(
            claim.item.id, claim.token, {"$push": {at: outcome}}, {at: {"$size": index}}
        )

    async def settle_handler(self, claim: Claim, handler: str) -> None:
        change = {"$set": {f"progress.{handler}.settled": True}}
        await self._leases.write(claim.item.id, claim.token, change)

    async def finish(self, claim: Claim, state: ItemState, reason: str) -> None:
        forget_at = self._database.clock.now() + self._retention
        change = {"state": state.value, "reason": reason, "forget_at": forget_at}
        await self._leases.write(claim.item.id, claim.token, {"$set": change})

    async def again(self, claim: Claim, due_at: datetime, reason: str) -> None:
        change = {"state": "ready", "reason": reason, "due_at": due_at}
        await self._leases.write(
            claim.item.id, claim.token, {"$set": change, "$inc": {"attempts": 1}}
        )

    async def hand_back(self, claim: Claim) -> None:
        await self._leases.write(claim.item.id, claim.token, {"$set": {"state": "ready"}})

    async def get(self, item_id: str) -> Kept | None:
        with passing_faults():
            found = await self._items.find_one({"_id": item_id})
        return await self._kept(found) if found else None

    async def reopen(self, item_id: str) -> bool:
        ended = {"_id": item_id, "state": {"$in": ["dead", "done"]}}
        return await self._reopen(ended, self._database.clock.now(), {"progress": {}})

    async def listing(self, state: ItemState, limit: int) -> AsyncIterator[Kept]:
        with passing_faults():
            found = self._items.find({"state": state.value}).sort("received_at", -1).limit(limit)
            async for document in found:
                yield await self._kept(document)

    async def waiting(self) -> Mapping[ItemState, int]:
        with passing_faults():
            return {
                state: await self._items.count_documents({"state": state.value})
                for state in (ItemState.READY, ItemState.LEASED, ItemState.DEAD)
            }

    async def wakes(self) -> AsyncIterator[None]:
        ready = {
            "$match": {
                "$or": [
                    {"operationType": "insert", "fullDocument.state": "ready"},
                    {"updateDescription.updatedFields.state": "ready"},
                ]
            }
        }
        async for _ in self._database.changes("inbox", [ready, {"$project": {"_id": 1}}]):
            yield None

    async def forget(self) -> int:
        """Remove bodies in GridFS whose items are forgotten; says how many."""
        count = 0
        with passing_faults():
            files = self._database.collection("inbox_bodies.files")
            async for stored in files.find({}, {"_id": 1}).limit(1_000):
                if await self._items.find_one({"_id": stored["_id"]}, {"_id": 1}) is None:
                    await self._bodies.delete(stored["_id"])
                    count += 1
        return count

    async def _reopen(
        self, wanted: Document, due_at: datetime, also: Mapping[str, Any] | None = None
    ) -> bool:
        change = {"state": "ready", "due_at": due_at, "attempts": 0, **(also or {})}
        with passing_faults():
            done = await self._items.update_one(
                wanted, {"$set": change, "$unset": {"forget_at": ""}}
            )
        return bool(done.modified_count)

    async def _document(self, item: Item) -> Document:
        packed = self._packer.compress(item.body)
        document: Document = {
            "_id": item.id,
            "name": item.name,
            "body": Binary(packed),
            "key": item.key,
            "repository_id": item.repository_id,
            "received_at": item.received_at,
            "due_at": item.due_at or item.received_at,
            "ignored": item.ignored,
            "state": "done" if item.ignored else "ready",
            "reason": item.ignored,
            "attempts": 0,
            "token": 0,
            "progress": {},
        }
        if item.ignored:
            document["forget_at"] = item.received_at + self._retention
        if len(packed) > LARGEST_INLINE:
            document["body"] = None
            # The same delivery may come twice.
            with passing_faults(), contextlib.suppress(FileExists, DuplicateKeyError):
                await self._bodies.upload_from_stream_with_id(item.id, item.id, packed)
        return document

    async def _item(self, document: Document) -> Item:
        packed = document["body"]
        if packed is None:
            with passing_faults():
                try:
                    stream = await self._bodies.open_download_stream(document["_id"])
                    packed = await stream.read()
                except NoFile:
                    packed = zstandard.compress(b"null")
        body = zstandard.ZstdDecompressor().decompress(packed, max_output_size=LARGEST_BODY)
        return Item(
            id=document["_id"],
            name=document["name"],
            body=body,
            key=document["key"],
            repository_id=document["repository_id"],
            received_at=document["received_at"],
            due_at=document["due_at"],
            ignored=document["ignored"],
        )

    async def _kept(self, document: Document) -> Kept:
        return Kept(
            item=await self._item(document),
            state=ItemState(document["state"]),
            attempts=document["attempts"],
            reason=document["reason"],
            progress=_progress(document),
        )


def _progress(document: Document) -> dict[str, Progress]:
    return {
        handler: from_document(Progress, stored) for handler, stored in document["progress"].items()
    }
