"""Leases on documents: what the inbox and the jobs have in common.

A leased document carries ``owner``, ``token`` and ``lease_until``. The token counts the leases,
so that a late writer is known by an old one. Lease times are the server's own clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo import ReturnDocument, UpdateOne
from pymongo.errors import DuplicateKeyError

from bot.adapters.mongo.codec import Document
from bot.adapters.mongo.database import Collection, passing_faults
from bot.ports.inbox import LeaseLost

LEASE_MILLISECONDS = 30_000
MOST_COLLISIONS = 20
"""Tries of one claim when other workers take the same key at the same instant."""

LEASE_UNTIL: Mapping[str, Any] = {"$add": ["$$NOW", LEASE_MILLISECONDS]}
IS_EXPIRED: Mapping[str, Any] = {"$expr": {"$lt": ["$lease_until", "$$NOW"]}}


class Leases:
    """``held`` is the state of a leased document; of ``lane`` only one is leased at a time."""

    def __init__(
        self, collection: Collection, *, free: str, held: str, lane: str, due: str
    ) -> None:
        self._collection = collection
        self._free = free
        self._held = held
        self._lane = lane
        self._due = due
        self._last_repository = 0

    async def next(
        self, owner: str, now: datetime, also: Mapping[str, Any] | None = None
    ) -> Document | None:
        """Lease what is due, in turn over repositories, oldest first; None where nothing is."""
        for _ in range(MOST_COLLISIONS):
            with passing_faults():
                busy = await self._collection.distinct(self._lane, {"state": self._held})
            free = {
                "state": self._free,
                self._due: {"$lte": now},
                self._lane: {"$nin": busy},
                **(also or {}),
            }
            try:
                return await self._next_repository(owner, free)
            except DuplicateKeyError:
                continue  # somebody took the same lane since we looked
        return None

    async def _next_repository(self, owner: str, free: Document) -> Document | None:
        for turn in ({"$gt": self._last_repository}, {"$lte": self._last_repository}):
            wanted = free | {"repository_id": turn}
            order = [("repository_id", 1), (self._due, 1)]
            found = await self._lease(wanted, owner, sort=order)
            if found is not None:
                self._last_repository = found["repository_id"]
                return found
        return None

    async def take_over(self, owner: str) -> Document | None:
        """Lease anew what somebody's lease ran out on; one attempt older."""
        older = {"attempts": {"$add": ["$attempts", 1]}}
        return await self._lease({"state": self._held, **IS_EXPIRED}, owner, older)

    async def beat(self, held: Mapping[str, int]) -> set[str]:
        """Prolong leases, tokens by id; gives the ids that are lost."""
        with passing_faults():
            await self._collection.bulk_write(
                [
                    UpdateOne(self.guard(it, token), [{"$set": {"lease_until": LEASE_UNTIL}}])
                    for it, token in held.items()
                ],
                ordered=False,
            )
            found = self._collection.find({"_id": {"$in": list(held)}}, {"token": 1})
            tokens = {it["_id"]: it["token"] async for it in found}
        # What its holder has ended meanwhile keeps its token, and is not lost.
        return {it for it, token in held.items() if tokens.get(it) != token}

    def guard(self, document_id: str, token: int) -> Document:
        """The filter of every write under a lease."""
        return {"_id": document_id, "token": token, "state": self._held}

    async def write(
        self,
        document_id: str,
        token: int,
        change: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        also: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        """Change a leased document. Raises LeaseLost where the token is no longer the newest."""
        with passing_faults():
            done = await self._collection.update_one(
                self.guard(document_id, token) | dict(also or {}), change, **options
            )
        if not done.matched_count:
            raise LeaseLost(document_id)

    async def _lease(
        self,
        wanted: Document,
        owner: str,
        also: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Document | None:
        lease = {
            "state": self._held,
            "owner": owner,
            "token": {"$add": ["$token", 1]},
            "lease_until": LEASE_UNTIL,
            **(also or {}),
        }
        with passing_faults(but=frozenset({11000})):
            return await self._collection.find_one_and_update(
                wanted, [{"$set": lease}], return_document=ReturnDocument.AFTER, **options
            )
