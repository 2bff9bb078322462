"""Agent runs and where they are told: ``agent_runs``, ``conversations``, ``turns``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from bot.adapters.mongo.codec import Document, from_document, to_document
from bot.adapters.mongo.database import Database, passing_faults
from bot.domain.agent_runs import UNENDED, AgentRun, RunMessage, RunStatus
from bot.domain.conversations import Conversation
from bot.ports.records import AgentRuns, Conversations, Turns

DUPLICATE = frozenset({11000})
MOST_OF_AN_ISSUE = 100
OLDEST = [("created_at", 1), ("_id", 1)]


class MongoAgentRuns(AgentRuns):
    """See ``bot.ports.records``; the fields of interface.md stand beside the request."""

    def __init__(self, database: Database) -> None:
        self._runs = database.collection("agent_runs")

    async def add(self, run: AgentRun) -> AgentRun:
        document: Document = to_document(run)
        del document["id"]
        document |= {
            "repository_id": run.request.repository.id,
            "number": run.request.number,
            "target_text": run.request.goal,
        }
        with passing_faults():
            found = await self._runs.find_one_and_update(
                {"_id": run.id},
                {"$setOnInsert": document},
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        return _run(found)

    async def get(self, run_id: str) -> AgentRun | None:
        with passing_faults():
            found = await self._runs.find_one({"_id": run_id})
        return _run(found) if found else None

    async def of_issue(self, repository_id: int, number: int) -> Sequence[AgentRun]:
        places = [{"number": number}, {"pull_request": number}]
        wanted = {"repository_id": repository_id, "$or": places}
        with passing_faults():
            found = (
                self._runs.find(wanted)
                .sort([("created_at", -1), ("_id", 1)])
                .limit(MOST_OF_AN_ISSUE)
            )
            return [_run(it) async for it in found]

    async def of_issues(
        self, repository_id: int, numbers: Collection[int]
    ) -> Mapping[int, Sequence[AgentRun]]:
        any_of = {"$in": sorted(numbers)}
        places = [{"number": any_of}, {"pull_request": any_of}]
        wanted = {"repository_id": repository_id, "$or": places}
        runs: dict[int, list[AgentRun]] = {}
        with passing_faults():
            async for document in self._runs.find(wanted).sort([("created_at", -1), ("_id", 1)]):
                run = _run(document)
                for number in {*run.numbers} & {*numbers}:
                    runs.setdefault(number, []).append(run)
        return {number: found[:MOST_OF_AN_ISSUE] for number, found in runs.items()}

    async def unended_of(self, repository_id: int) -> Sequence[AgentRun]:
        wanted = {"repository_id": repository_id, "status": {"$in": sorted(UNENDED)}}
        with passing_faults():
            return [_run(it) async for it in self._runs.find(wanted).sort(OLDEST)]

    async def unended(self) -> AsyncIterator[AgentRun]:
        wanted = {"status": {"$in": sorted(UNENDED)}}
        with passing_faults():
            async for document in self._runs.find(wanted).sort(OLDEST):
                yield _run(document)

    async def uncreated_before(self, at: datetime) -> int:
        wanted = {"status": RunStatus.QUEUED.value, "remote_id": None, "created_at": {"$lt": at}}
        with passing_faults():
            return await self._runs.count_documents(wanted)

    async def change(
        self, run_id: str, changes: Mapping[str, Any], *, only: Collection[RunStatus] = ()
    ) -> AgentRun | None:
        wanted: Document = {"_id": run_id}
        if only:
            wanted["status"] = {"$in": [it.value for it in only]}
        return await self._change(wanted, {"$set": to_document(changes)})

    async def intend(self, run: AgentRun, at: datetime) -> AgentRun | None:
        as_read = {it: getattr(run, it) for it in ("attempts", "intended_at", "remote_id", "sent")}
        wanted = {"_id": run.id, "status": {"$in": sorted(UNENDED)}} | as_read
        intention = {
            "intended_at": at,
            "intended_messages": len(run.messages),
            "attempts": run.attempts + 1,
            "updated_at": at,
        }
        return await self._change(wanted, {"$set": intention})

    async def tell(
        self, run_id: str, message: RunMessage, changes: Mapping[str, Any]
    ) -> AgentRun | None:
        wanted = {"_id": run_id, "messages.id": {"$ne": message.id}}
        change = {"$set": to_document(changes), "$push": {"messages": to_document(message)}}
        return await self._change(wanted, change)

    async def naming(self, repository_id: int, url: str) -> Sequence[AgentRun]:
        wanted = {"repository_id": repository_id, "response_data.pull_requests": url}
        with passing_faults():
            found = self._runs.find(wanted).sort("created_at", -1).limit(MOST_OF_AN_ISSUE)
            return [_run(it) async for it in found]

    async def _change(self, wanted: Document, change: Document) -> AgentRun | None:
        with passing_faults():
            found = await self._runs.find_one_and_update(
                wanted, change, return_document=ReturnDocument.AFTER
            )
        return _run(found) if found else None


def _run(document: Document) -> AgentRun:
    return from_document(AgentRun, document | {"id": document["_id"]})


class MongoConversations(Conversations):
    """See ``bot.ports.records``."""

    def __init__(self, database: Database) -> None:
        self._conversations = database.collection("conversations")

    async def get(self, repository_id: int, number: int) -> Conversation:
        with passing_faults():
            found = await self._conversations.find_one({"_id": _at(repository_id, number)})
        place = {"repository_id": repository_id, "number": number}
        return from_document(Conversation, (found or {}) | place)

    async def intend(
        self, conversation: Conversation, by: str, at: datetime, lapsed: datetime
    ) -> bool:
        wanted = {
            "_id": _at(conversation.repository_id, conversation.number),
            "$or": [
                {"intended_by": by},
                {"intended_at": {"$lt": lapsed}},
                {"intended_at": None},
            ],
        }
        change = {"$set": {"intended_by": by, "intended_at": at}}
        try:
            with passing_faults(DUPLICATE):
                await self._conversations.update_one(wanted, change, upsert=True)
        except DuplicateKeyError:
            return False
        return True

    async def keep(self, conversation: Conversation) -> None:
        document: Document = to_document(conversation)
        del document["intended_at"]
        name = _at(conversation.repository_id, conversation.number)
        with passing_faults():
            await self._conversations.update_one({"_id": name}, {"$set": document}, upsert=True)


def _at(repository_id: int, number: int) -> str:
    return f"{repository_id}:{number}"


class MongoTurns(Turns):
    """See ``bot.ports.records``. ``owner`` is this process."""

    def __init__(self, database: Database, owner: str) -> None:
        self._database = database
        self._turns = database.collection("turns")
        self._owner = owner

    async def take(self, name: str, until: datetime) -> bool:
        now = self._database.clock.now()
        free = [{"owner": self._owner}, {"until": {"$lt": now}}]
        change = {"$set": {"owner": self._owner, "until": until}}
        try:
            with passing_faults(DUPLICATE):
                await self._turns.update_one({"_id": name, "$or": free}, change, upsert=True)
        except DuplicateKeyError:
            return False
        return True
