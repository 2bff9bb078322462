"""``MongoAgentBudget``: fulfils ``bot.ports.records.AgentBudget``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.adapters.mongo.database import Database, passing_faults
from bot.ports.records import AgentBudget

MOST_KEPT = 2_000
"""Times of a repository; no budget of a day is larger."""


class MongoAgentBudget(AgentBudget):
    """One document for each repository id, with what was spent, and when."""

    def __init__(self, database: Database) -> None:
        self._budgets = database.collection("agent_budgets")

    async def spend(
        self, repository_id: int, what: str, at: datetime, since: datetime, most: int
    ) -> bool:
        spent = {"$push": {"spent": {"$each": [{"what": what, "at": at}], "$slice": -MOST_KEPT}}}
        of_day = {"$filter": {"input": "$spent", "cond": {"$gt": ["$$this.at", since]}}}
        room = {"$expr": {"$lt": [{"$size": of_day}, most]}}
        with passing_faults():
            await self._budgets.update_one(
                {"_id": repository_id}, {"$setOnInsert": {"spent": []}}, upsert=True
            )
            wanted = {"_id": repository_id, "spent.what": {"$ne": what}}
            if (await self._budgets.update_one(wanted | room, spent)).modified_count:
                return True
            known = {"_id": repository_id, "spent.what": what}
            return await self._budgets.find_one(known, {"_id": 1}) is not None

    async def spent_since(self, repository_id: int, since: datetime) -> Sequence[datetime]:
        with passing_faults():
            found = await self._budgets.find_one({"_id": repository_id})
        return sorted(it["at"] for it in (found or {}).get("spent", ()) if it["at"] > since)
