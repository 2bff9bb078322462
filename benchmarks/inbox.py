"""Claim to finish of 10,000 deliveries over 500 pull requests, by 1 and by 4 workers."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from benchmarks.tables import Machine, Table, arguments, publish
from bot.adapters.clock import SystemClock
from bot.adapters.mongo.database import Database, connect
from bot.adapters.mongo.embedded import EmbeddedMongo
from bot.adapters.mongo.inbox import MongoInbox
from bot.ports.inbox import Claim, Item, ItemState, LeaseLost
from bot.work.pool import Desk, Pool
from sandbox.docker import DockerEngine

DELIVERIES = 10_000
PULL_REQUESTS = 500
REPOSITORIES = 50
PLACES = 16
PATIENCE = 900.0
CLOCK = SystemClock()
REMARK = """\
{deliveries:,} deliveries over {pulls} pull requests of {repositories} repositories are in the
inbox before the workers start; each worker has {places} places, a connection pool of its own,
and a handler that does nothing. The floor is one process that marks as many documents as done,
one by one, {places} at a time. Every delivery was finished once, and no two of one pull request
were held at once."""


async def main() -> int:
    """Measure, and write the table."""
    given = arguments(__doc__, deliveries=DELIVERIES)
    engine = DockerEngine(None)
    machine = await Machine.look(engine)
    await engine.close()
    rows: list[Sequence[str]] = []
    with tempfile.TemporaryDirectory() as home:
        async with EmbeddedMongo(Path(home), CLOCK) as mongo:
            floor = await floor_of(mongo.uri, given.deliveries)
            rows.append(("the floor", f"{floor:,.0f}", "1.00"))
            for workers in (1, 4):
                rate = await worked(mongo.uri, given.deliveries, workers)
                name = f"{workers} worker{'s' if workers > 1 else ''}"
                rows.append((name, f"{rate:,.0f}", f"**{rate / floor:.2f}**"))
    remark = REMARK.format(
        deliveries=given.deliveries, pulls=PULL_REQUESTS, repositories=REPOSITORIES, places=PLACES
    )
    table = Table(("", "deliveries/s", "of the floor"), rows, (remark,))
    publish("inbox", "python -m benchmarks.inbox", machine, table, page=not given.no_page)
    return 0


def items(count: int) -> list[Item]:
    """Deliveries, spread over pull requests and repositories."""
    now = CLOCK.now()
    return [
        Item(
            id=f"{n}",
            name="pull_request",
            body=b'{"action": "synchronize"}',
            key=f"{n % REPOSITORIES}:{n % PULL_REQUESTS}",
            repository_id=n % REPOSITORIES,
            received_at=now,
        )
        for n in range(count)
    ]


async def worked(uri: str, count: int, workers: int) -> float:
    """Deliveries a second, by so many workers."""
    name = f"inbox_{uuid.uuid4().hex}"
    async with contextlib.AsyncExitStack() as stack:
        databases = [
            await stack.enter_async_context(connect(uri, name, CLOCK)) for _ in range(workers)
        ]
        await databases[0].ensure_indexes()
        inboxes = [MongoInbox(it, timedelta(days=1)) for it in databases]
        for at in range(0, count, 1000):
            await inboxes[0].add(items(count)[at : at + 1000])
        held: set[str] = set()
        finished: Counter[str] = Counter()
        through = asyncio.Event()

        def pool(inbox: MongoInbox) -> Pool[Claim]:
            async def carry_out(claim: Claim) -> None:
                assert claim.item.key not in held, "two of one pull request at once"
                held.add(claim.item.key)
                held.discard(claim.item.key)
                with contextlib.suppress(LeaseLost):
                    await inbox.finish(claim, ItemState.DONE, "done")
                    finished[claim.item.id] += 1
                if len(finished) == count:
                    through.set()

            desk = Desk(
                "inbox",
                claim=lambda: inbox.claim("benchmark"),
                carry_out=carry_out,
                beat=inbox.beat,
                hand_back=inbox.hand_back,
                wakes=inbox.wakes,
            )
            return Pool(desk, PLACES, CLOCK)

        began = asyncio.get_running_loop().time()
        running = [asyncio.ensure_future(pool(it).run()) for it in inboxes]
        async with asyncio.timeout(PATIENCE):
            await through.wait()
        seconds = asyncio.get_running_loop().time() - began
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        assert set(finished.values()) == {1}, "something was doubled"
        await forget(databases[0], name)
    return count / seconds


async def floor_of(uri: str, count: int) -> float:
    """Documents a second that are marked as done, and nothing else."""
    name = f"floor_{uuid.uuid4().hex}"
    async with connect(uri, name, CLOCK) as database:
        things = database.collection("things")
        await things.insert_many([{"_id": n, "state": "ready"} for n in range(count)])
        room = asyncio.Semaphore(PLACES)

        async def mark(number: int) -> None:
            async with room:
                await things.update_one({"_id": number}, {"$set": {"state": "done"}})

        began = asyncio.get_running_loop().time()
        await asyncio.gather(*map(mark, range(count)))
        seconds = asyncio.get_running_loop().time() - began
        await forget(database, name)
    return count / seconds


async def forget(database: Database, name: str) -> None:
    """Drop a database."""
    await database.client.drop_database(name)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
