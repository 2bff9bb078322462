"""The connection, its collections, and the one place where the driver's faults are translated."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bson.errors import InvalidDocument
from motor.motor_asyncio import (
    AsyncIOMotorClient,
    AsyncIOMotorClientSession,
    AsyncIOMotorCollection,
    AsyncIOMotorDatabase,
    AsyncIOMotorGridFSBucket,
)
from pymongo import WriteConcern
from pymongo.errors import (
    ConfigurationError,
    OperationFailure,
    PyMongoError,
)
from pymongo.read_concern import ReadConcern

from bot.adapters.mongo.codec import Document
from bot.adapters.mongo.indexes import INDEXES
from bot.domain.problems import TryAgain, UserProblem
from bot.log import get_logger
from bot.ports.clock import Clock

SELECTION_MILLISECONDS = 10_000
SOCKET_MILLISECONDS = 30_000
WRITE_MILLISECONDS = 10_000
PAUSE_SECONDS = 1.0
"""Before a change stream that broke is opened again; nobody waits for it longer than a poll."""
INDEX_CONFLICTS = frozenset({85, 86, 11000})
HISTORY_LOST = frozenset({280, 286})
"""The server no longer remembers what followed a resume token."""

Collection = AsyncIOMotorCollection[Document]
Session = AsyncIOMotorClientSession

log = get_logger()


@dataclass(frozen=True)
class Database:
    """The product's database. ``clock`` pauses between two looks at a server that is away."""

    client: AsyncIOMotorClient[Document]
    database: AsyncIOMotorDatabase[Document]
    clock: Clock

    def collection(self, name: str) -> Collection:
        """A collection by the name that architecture.md gives it."""
        return self.database[name]

    def bucket(self, name: str) -> AsyncIOMotorGridFSBucket:
        """GridFS, for what is larger than a document."""
        return AsyncIOMotorGridFSBucket(self.database, bucket_name=name)

    async def ping(self) -> None:
        """Raises TryAgain where the server can't be written to now."""
        with passing_faults():
            said = await self.client.admin.command("hello")
        if not said.get("isWritablePrimary"):
            raise TryAgain("MongoDB has no primary at the moment")

    async def ensure_indexes(self) -> None:
        """Make every index, and make sure that those that exist are the same.

        Raises UserProblem where one of the same name or key is another, or can't be made.
        """
        for name, models in INDEXES.items():
            try:
                with passing_faults(INDEX_CONFLICTS):
                    await self.collection(name).create_indexes(list(models))
            except OperationFailure as conflict:
                raise UserProblem(
                    f"MongoDB's collection {name} has other indexes than it must: "
                    f"{(conflict.details or {}).get('errmsg', conflict)}.",
                    "Drop that index (or the records that it names twice), then start again.",
                ) from None

    async def transaction(self, work: Callable[[Session], Coroutine[Any, Any, None]]) -> None:
        """All or nothing, with majority; ``work`` is done again where it met another writer.

        Raises TryAgain where it did not come about.
        """
        with passing_faults():
            async with await self.client.start_session() as session:
                await session.with_transaction(
                    work,
                    read_concern=ReadConcern("snapshot"),
                    write_concern=WriteConcern("majority", wtimeout=WRITE_MILLISECONDS),
                )

    async def changes(
        self, name: str, pipeline: Sequence[Mapping[str, Any]]
    ) -> AsyncIterator[Document | None]:
        """Changes of a collection for ever; None each time that some may have been missed."""
        while True:
            try:
                async with self.collection(name).watch(list(pipeline)) as stream:
                    yield None
                    async for change in stream:
                        yield dict(change)
            except PyMongoError as fault:
                log.info("a change stream broke", collection=name, reason=str(fault)[:200])
            await self.clock.sleep(PAUSE_SECONDS)


@asynccontextmanager
async def connect(uri: str, name: str, clock: Clock) -> AsyncIterator[Database]:
    """A connection pool, closed behind the block. Raises UserProblem for a wrong address."""
    try:
        client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
            uri,
            tz_aware=True,
            appname="codegenapp",
            serverSelectionTimeoutMS=SELECTION_MILLISECONDS,
            connectTimeoutMS=SELECTION_MILLISECONDS,
            socketTimeoutMS=SOCKET_MILLISECONDS,
            w="majority",
            journal=True,
            wTimeoutMS=WRITE_MILLISECONDS,
            readConcernLevel="majority",
        )
    except (ConfigurationError, ValueError) as fault:
        raise UserProblem(
            f"MONGODB_URI is not an address of a MongoDB server: {fault}",
            "It looks like mongodb://host:27017/?replicaSet=rs0.",
        ) from None
    try:
        yield Database(client, client[name], clock)
    finally:
        client.close()


@contextlib.contextmanager
def passing_faults(but: frozenset[int] = frozenset()) -> Iterator[None]:
    """Every fault of the driver as ``TryAgain``, except codes that the caller knows.

    A fault of ours (a document that is none) stays what it is.
    """
    try:
        yield
    except InvalidDocument:
        raise
    except OperationFailure as fault:
        if fault.code in but:
            raise
        raise TryAgain(f"MongoDB: {fault}"[:500], after=2.0) from fault
    except PyMongoError as fault:
        raise TryAgain(f"MongoDB does not answer: {fault}"[:500], after=2.0) from fault
