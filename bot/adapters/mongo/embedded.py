"""The embedded server: a real ``mongod`` below ``CODEGENAPP_HOME``, shared by all who use the home.

Whoever comes first starts it, as a replica set of one; others join it; whoever leaves last stops
it. Two locks in ``home/mongodb`` hold that together, and neither outlives a process that is killed:
``lock`` is held while somebody looks, starts or stops; ``users`` is shared by everybody who uses
the server, so that the last one is who can have it alone. A server whose users were all killed is
adopted by the next one. A server that is killed is started again by any user, and always at its
address: the others know no other. Only somebody who is alone may move it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from bot.adapters.mongo.binary import find_mongod
from bot.domain.problems import UserProblem
from bot.log import get_logger
from bot.ports.clock import Clock

REPLICA_SET = "rs0"
START_SECONDS = 60.0
STOP_SECONDS = 30.0
LOOK_SECONDS = 1.0
PORT_SECONDS = 5.0
"""A killed server keeps its port some milliseconds longer than it is seen to live."""
ANSWER_MILLISECONDS = 5_000
CACHE_GIGABYTES = "0.25"
LOG_BYTES = 16 * 1024 * 1024
NOT_YET_INITIALIZED = 94
LAST_LINES = 5

_PATIENCE = threading.Event()
"""Never set: waiting for it is how a thread waits."""

log = get_logger()


@dataclass(frozen=True)
class _Running:
    """The server's process. ``started`` is its start time in clock ticks, as the kernel has it."""

    pid: int
    started: int
    port: int

    @property
    def lives(self) -> bool:
        return _start_time(self.pid) == self.started


class EmbeddedMongo:
    """One user of a home's server; ``uri`` is its address from ``async with`` on."""

    def __init__(self, home: Path, clock: Clock) -> None:
        self._folder = home / "mongodb"
        self._clock = clock
        self._users: IO[bytes] | None = None
        self._child: int | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self.uri = ""

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._join)
        self._supervisor = asyncio.create_task(self._supervise(), name="embedded MongoDB")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
        await asyncio.shield(asyncio.to_thread(self._leave))

    # ── joining and leaving, in a thread: locks block ────────────────────────────────────────

    def _join(self) -> None:
        (self._folder / "data").mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._locked():
            self._users = (self._folder / "users").open("ab")
            try:
                running = self._ensure(alone=self._is_alone(self._users))
                fcntl.flock(self._users, fcntl.LOCK_SH)
            except BaseException:
                self._users.close()
                raise
        self.uri = f"mongodb://127.0.0.1:{running.port}/?replicaSet={REPLICA_SET}"

    def _leave(self) -> None:
        with self._locked():
            assert self._users is not None
            self._users.close()
            with (self._folder / "users").open("ab") as users:
                if not self._is_alone(users):
                    return
                if (running := self._known()) is not None and running.lives:
                    self._stop(running)
        self._reap()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._folder / "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _is_alone(self, users: IO[bytes]) -> bool:
        """Whether nobody else uses the server; then nobody can, while ``users`` is open."""
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    async def _supervise(self) -> None:
        while True:
            await self._clock.sleep(LOOK_SECONDS)
            running = self._known()
            if running is not None and running.lives:
                continue
            try:
                await asyncio.to_thread(self._revive)
            except (UserProblem, OSError, PyMongoError) as fault:
                log.warning("the embedded MongoDB does not start", reason=str(fault))

    def _revive(self) -> None:
        with self._locked():
            self._reap()
            self._ensure(alone=False)

    # ── the server, under the lock ───────────────────────────────────────────────────────────

    def _ensure(self, *, alone: bool) -> _Running:
        """The running server, started where there is none: at its old address, if it had one."""
        running = self._known()
        if running is not None and running.lives and self._is_ours(running):
            return running
        port = running.port if running is not None else _free_port()
        if not _is_free_within(port, PORT_SECONDS):
            if not alone:
                raise UserProblem(
                    f"Another program listens at 127.0.0.1:{port}, the embedded MongoDB's address.",
                    "Stop that program, or stop every process of the bot and start them again.",
                )
            port = _free_port()
        running = self._start(port)
        (self._folder / "server.json.new").write_text(json.dumps(asdict(running)))
        (self._folder / "server.json.new").rename(self._folder / "server.json")
        return running

    def _known(self) -> _Running | None:
        """What was left about the server; whether it lives is another question."""
        try:
            return _Running(**json.loads((self._folder / "server.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def _is_ours(self, running: _Running) -> bool:
        """Whether that process serves this home's data, and answers at the address."""
        try:
            words = Path(f"/proc/{running.pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        if str(self._folder / "data").encode() not in words:
            return False
        return self._is_primary_within(running, START_SECONDS)

    def _start(self, port: int) -> _Running:
        said = self._folder / "mongod.log"
        if said.exists() and said.stat().st_size > LOG_BYTES:
            said.rename(said.with_suffix(".log.old"))
        words = [
            str(find_mongod(self._folder)),
            "--quiet",
            *("--bind_ip", "127.0.0.1", "--port", str(port), "--nounixsocket"),
            *("--dbpath", str(self._folder / "data")),
            *("--replSet", REPLICA_SET, "--oplogSize", "256"),
            *("--wiredTigerCacheSizeGB", CACHE_GIGABYTES),
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
        ]
        with said.open("ab") as output, Path(os.devnull).open("rb") as nothing:
            # It may outlive this user, which subprocess.Popen holds against its owner.
            # A session of its own: Ctrl-C in one user's terminal must not stop it for the others.
            self._child = os.posix_spawn(
                words[0],
                words,
                {},
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, nothing.fileno(), 0),
                    (os.POSIX_SPAWN_DUP2, output.fileno(), 1),
                    (os.POSIX_SPAWN_DUP2, output.fileno(), 2),
                ],
                setsid=True,
            )
        running = _Running(self._child, _start_time(self._child), port)
        if not self._is_primary_within(running, START_SECONDS):
            self._stop(running)
            raise UserProblem(
                f"The embedded MongoDB did not start: {self._last_words()}",
                f"Its log is {said}. Mend that, or set MONGODB_URI to a server of your own.",
            )
        return running

    def _is_primary_within(self, running: _Running, seconds: float) -> bool:
        """Wait until the server can be written to, making it a replica set where it is none."""
        client: MongoClient[dict[str, Any]] = MongoClient(
            "127.0.0.1",
            running.port,
            directConnection=True,
            serverSelectionTimeoutMS=500,
            socketTimeoutMS=ANSWER_MILLISECONDS,
        )
        with client:
            for _ in range(int(seconds / 0.1)):
                if not running.lives:
                    return False
                with contextlib.suppress(PyMongoError):
                    if client.admin.command("hello").get("isWritablePrimary"):
                        return True
                    self._make_replica_set(client, running.port)
                _PATIENCE.wait(0.1)
        return False

    def _make_replica_set(self, client: MongoClient[dict[str, Any]], port: int) -> None:
        member = {"_id": 0, "host": f"127.0.0.1:{port}"}
        try:
            config = client.admin.command("replSetGetConfig")["config"]
        except OperationFailure as failure:
            if failure.code != NOT_YET_INITIALIZED:
                raise
            client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [member]})
            return
        if config["members"][0]["host"] != member["host"]:
            moved = config | {"version": config["version"] + 1, "members": [member]}
            client.admin.command("replSetReconfig", moved, force=True)

    def _stop(self, running: _Running) -> None:
        for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(running.pid, number)
            for _ in range(int(seconds / 0.05)):
                self._reap()
                if not running.lives:
                    return
                _PATIENCE.wait(0.05)

    def _reap(self) -> None:
        if self._child is not None and os.waitpid(self._child, os.WNOHANG)[0]:
            self._child = None

    def _last_words(self) -> str:
        lines = (self._folder / "mongod.log").read_text(errors="replace").splitlines()
        faults = [line for line in lines if '"s":"E"' in line or '"s":"F"' in line]
        return " / ".join((faults or lines)[-LAST_LINES:])[-1000:] or "it said nothing"


def _start_time(pid: int) -> int:
    """When a process started, in clock ticks since the machine did; -1 where it does not run."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return -1
    return -1 if fields[0] in {"Z", "X"} else int(fields[19])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_free_within(port: int, seconds: float) -> bool:
    for _ in range(int(seconds / 0.1)):
        if _is_free(port):
            return True
        _PATIENCE.wait(0.1)
    return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
