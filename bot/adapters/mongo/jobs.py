"""``MongoJobs``: fulfils ``bot.ports.jobs`` on the collection ``jobs``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from pymongo.errors import DuplicateKeyError

from bot.adapters.mongo.codec import Document, from_document, to_document
from bot.adapters.mongo.database import Database, Session, passing_faults
from bot.adapters.mongo.inbox import MongoInbox
from bot.adapters.mongo.leases import Leases
from bot.ports.inbox import Item, LeaseLost
from bot.ports.jobs import Job, JobClaim, Jobs, JobState

DUPLICATE = frozenset({11000})
LOST = "taken up by repair"


class MongoJobs(Jobs):
    """See ``bot.ports.jobs``. Ended jobs are forgotten after ``retention``."""

    def __init__(self, database: Database, inbox: MongoInbox, retention: timedelta) -> None:
        self._database = database
        self._jobs = database.collection("jobs")
        self._inbox = inbox
        self._retention = retention
        self._leases = Leases(
            self._jobs,
            free=JobState.QUEUED.value,
            held=JobState.RUNNING.value,
            lane="lane",
            due="not_before",
        )

    async def add(self, job: Job) -> None:
        document: Document = to_document(job)
        document["_id"] = document.pop("id")
        document["not_before"] = job.not_before or job.created_at
        document |= {"token": 0, "attempts": 0}
        try:
            with passing_faults(DUPLICATE):
                await self._jobs.insert_one(document)
        except DuplicateKeyError:
            return

    async def get(self, job_id: str) -> Job | None:
        with passing_faults():
            found = await self._jobs.find_one({"_id": job_id})
        return _job(found) if found else None

    async def claim(self, owner: str, kinds: Sequence[str]) -> JobClaim | None:
        now = self._database.clock.now()
        found = await self._leases.next(owner, now, {"kind": {"$in": list(kinds)}})
        return JobClaim(_job(found), found["token"]) if found else None

    async def beat(self, claims: Sequence[JobClaim]) -> Sequence[JobClaim]:
        lost = await self._leases.beat({claim.job.id: claim.token for claim in claims})
        return [claim for claim in claims if claim.job.id in lost]

    async def cancel(self, job_id: str, reason: str) -> bool:
        asked = {"cancel_requested": True, "cancel_reason": reason}
        with passing_faults():
            ended = await self._jobs.update_one(
                {"_id": job_id, "state": "queued"},
                {"$set": asked | {"state": "ended", "forget_at": self._forget_at()}},
            )
            if ended.modified_count:
                return True
            await self._jobs.update_one({"_id": job_id, "state": "running"}, {"$set": asked})
        return False

    async def cancelled(self, claims: Sequence[JobClaim]) -> Sequence[JobClaim]:
        ids = [claim.job.id for claim in claims]
        with passing_faults():
            wanted = set(
                await self._jobs.distinct("_id", {"_id": {"$in": ids}, "cancel_requested": True})
            )
        return [claim for claim in claims if claim.job.id in wanted]

    async def has_younger(self, job: Job) -> bool:
        younger = {
            "state": "queued",
            "repository_id": job.repository_id,
            "kind": job.kind,
            "lane": job.lane,
            "created_at": {"$gt": job.created_at},
        }
        with passing_faults():
            return await self._jobs.find_one(younger, {"_id": 1}) is not None

    async def end(self, claim: JobClaim, result: Mapping[str, Any], event: Item | None) -> None:
        ended = {"state": "ended", "result": to_document(result), "forget_at": self._forget_at()}

        async def both(session: Session) -> None:
            done = await self._jobs.update_one(
                self._leases.guard(claim.job.id, claim.token), {"$set": ended}, session=session
            )
            if not done.matched_count:
                raise LeaseLost(claim.job.id)
            if event is not None:
                await self._inbox.add_within(session, event)

        await self._database.transaction(both)

    async def hand_back(self, claim: JobClaim) -> None:
        await self._leases.write(claim.job.id, claim.token, {"$set": {"state": "queued"}})

    async def expired(self, limit: int) -> Sequence[JobClaim]:
        claims: list[JobClaim] = []
        while len(claims) < limit and (found := await self._leases.take_over(LOST)) is not None:
            claims.append(JobClaim(_job(found), found["token"]))
        return claims

    async def wakes(self) -> AsyncIterator[None]:
        wanted = {
            "$match": {
                "$or": [
                    {"operationType": "insert"},
                    {"updateDescription.updatedFields.state": {"$in": ["queued", "ended"]}},
                    {"updateDescription.updatedFields.cancel_requested": True},
                ]
            }
        }
        async for _ in self._database.changes("jobs", [wanted, {"$project": {"_id": 1}}]):
            yield None

    def _forget_at(self) -> Any:
        return self._database.clock.now() + self._retention


def _job(document: Document) -> Job:
    return from_document(Job, document | {"id": document["_id"]})
