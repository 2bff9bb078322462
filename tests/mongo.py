"""A real ``mongod`` for tests: one for a run, a database of its own for each test."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.adapters.clock import SystemClock
from bot.adapters.mongo.database import Database, connect

HOLDER = """
import asyncio, sys
from pathlib import Path
from bot.adapters.clock import SystemClock
from bot.adapters.mongo.embedded import EmbeddedMongo

async def main():
    async with EmbeddedMongo(Path(sys.argv[1]), SystemClock()) as server:
        print(server.uri, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""
"""A user of a home's server; it leaves when its input ends."""


@pytest.fixture(scope="session")
def mongodb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that all test processes of a run share."""
    root = tmp_path_factory.getbasetemp()
    home = (root.parent if root.name.startswith("popen-") else root) / "mongodb-home"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    ) as holder:
        assert holder.stdout is not None
        uri = holder.stdout.readline().strip()
        assert uri, "MongoDB did not come up"
        yield uri


@pytest_asyncio.fixture
async def database(mongodb: str) -> AsyncIterator[Database]:
    """An empty database with its indexes."""
    async with connect(mongodb, f"test_{uuid.uuid4().hex}", SystemClock()) as connected:
        await connected.ensure_indexes()
        yield connected
        await connected.client.drop_database(connected.database.name)
