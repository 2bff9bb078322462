"""A real ``mongod`` for tests: one for a run, a database of its own for each test."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pymongo import MongoClient
from pymongo.errors import AutoReconnect

from bot.adapters.clock import SystemClock
from bot.adapters.mongo.binary import find_mongod
from bot.adapters.mongo.database import Database, connect

START_MILLISECONDS = 60_000
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


class ReplicaSet:
    """Three members on this machine, each a real ``mongod``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._members: list[subprocess.Popen[bytes]] = []
        self.uri = ""

    def start(self) -> None:
        """Start the members, and wait for a primary."""
        ports = [_free_port() for _ in range(3)]
        for number, port in enumerate(ports):
            self._members.append(self._start(self._folder / str(number), port))
        hosts = [f"127.0.0.1:{port}" for port in ports]
        for host in hosts:
            with _direct(host) as member:
                member.admin.command("ping")
        members = [{"_id": number, "host": host} for number, host in enumerate(hosts)]
        with _direct(hosts[0]) as client:
            settings = {"electionTimeoutMillis": 1000, "heartbeatIntervalMillis": 500}
            client.admin.command(
                "replSetInitiate", {"_id": "three", "members": members, "settings": settings}
            )
        self.uri = f"mongodb://{','.join(hosts)}/?replicaSet=three"
        with self._client() as client:
            client.admin.command("ping")

    def stop(self) -> None:
        """Kill the members."""
        for member in self._members:
            member.kill()
            member.wait()

    def step_down(self) -> None:
        """Have another member become primary, as in an upgrade of the machines."""
        with self._client() as client, contextlib.suppress(AutoReconnect):
            client.admin.command("replSetStepDown", 10, secondaryCatchUpPeriodSecs=5)

    def _client(self) -> MongoClient[dict[str, Any]]:
        return MongoClient(self.uri, serverSelectionTimeoutMS=START_MILLISECONDS)

    def _start(self, folder: Path, port: int) -> subprocess.Popen[bytes]:
        folder.mkdir(parents=True)
        return subprocess.Popen(
            [
                str(find_mongod(folder)),
                *("--quiet", "--bind_ip", "127.0.0.1", "--port", str(port), "--nounixsocket"),
                *("--dbpath", str(folder), "--replSet", "three", "--oplogSize", "64"),
                *("--wiredTigerCacheSizeGB", "0.25"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def _direct(host: str) -> MongoClient[dict[str, Any]]:
    return MongoClient(host, directConnection=True, serverSelectionTimeoutMS=START_MILLISECONDS)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
