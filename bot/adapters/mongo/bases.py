"""``MongoEvaluatedBases``: fulfils ``bot.ports.records.EvaluatedBases``."""

from __future__ import annotations

from datetime import timedelta

from bot.adapters.mongo.codec import Document, from_document, to_document
from bot.adapters.mongo.database import Database, passing_faults
from bot.domain.base_evaluations import BaseEvaluation
from bot.ports.records import EvaluatedBases


class MongoEvaluatedBases(EvaluatedBases):
    """One document for each repository id and SHA, forgotten after ``retention``."""

    def __init__(self, database: Database, retention: timedelta) -> None:
        self._bases = database.collection("evaluated_bases")
        self._retention = retention

    async def get(self, repository_id: int, sha: str) -> BaseEvaluation | None:
        with passing_faults():
            found = await self._bases.find_one({"_id": f"{repository_id}:{sha}"})
        return from_document(BaseEvaluation, found) if found else None

    async def keep(self, evaluation: BaseEvaluation) -> None:
        document: Document = to_document(evaluation)
        document["forget_at"] = evaluation.at + self._retention
        name = f"{evaluation.repository_id}:{evaluation.sha}"
        with passing_faults():
            await self._bases.replace_one({"_id": name}, document, upsert=True)
