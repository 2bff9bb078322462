"""Durable webhook acceptance, beside Probot with an empty handler: requests a second, and p99.

Reach: Probot's rate or better with one process, at half its p99.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from benchmarks.tables import Machine, Table, arguments, publish, spread
from bot.adapters.clock import SystemClock
from bot.adapters.mongo.database import connect
from bot.adapters.mongo.embedded import EmbeddedMongo
from sandbox.docker import DockerEngine
from tests.octokit import examples
from tests.stand_in import stage

HERE = Path(__file__).resolve().parent
PROBOT = "14.3.2"
FOLDER = HERE.parent / ".state" / "probot"
SECRET = "the benchmark's own"
SECONDS = 8
CONNECTIONS = 32
CLOCK = SystemClock()
REMARK = """\
Medians of {rounds} rounds, each side in turn; wrk with {connections} connections for {seconds}
s a round on the same two cores, a real `pull_request` payload of {size} kB, each delivery with
a GUID of its own. Ours answers when a `mongod` on this machine has the delivery journaled;
Probot answers when it has called an empty handler, and keeps nothing. Every answer was 2xx, and
every delivery of ours was found in the inbox. Reach: ≥ 1 of the rate with one process, ≤ 0.5 of
the p99."""


@dataclass(frozen=True)
class Figures:
    """One round: requests a second, p99 in milliseconds."""

    rate: float
    p99: float


async def main() -> int:
    """Measure, and write the table; what was missed is said below it."""
    given = arguments(__doc__, rounds=3)
    payload = next(it.payload for it in examples() if it.name == "pull_request")
    body = json.dumps(payload).encode()
    await asyncio.to_thread(install)
    engine = DockerEngine(None)
    machine = await Machine.look(engine)
    await engine.close()
    found: dict[str, list[Figures]] = {"Probot": [], "one process": [], "two processes": []}
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "payload.json"
        file.write_bytes(body)
        async with EmbeddedMongo(Path(scratch) / "home", CLOCK) as mongo:
            for _ in range(given.rounds):
                async with probot(Path(scratch)) as url:
                    found["Probot"].append(await loaded(url, file, body))
                for name, count in (("one process", 1), ("two processes", 2)):
                    found[name].append(await ours(mongo.uri, Path(scratch), file, body, count))
    table = told(found, given.rounds, len(body) // 1000)
    publish("webhooks", "python -m benchmarks.webhooks", machine, table, page=not given.no_page)
    return 0


def told(found: dict[str, list[Figures]], rounds: int, size: int) -> Table:
    """The table."""
    rows, ratios = [], {}
    for name, figures in found.items():
        rates = [it.rate / base.rate for it, base in zip(figures, found["Probot"], strict=True)]
        p99s = [it.p99 / base.p99 for it, base in zip(figures, found["Probot"], strict=True)]
        ratios[name] = (statistics.median(rates), statistics.median(p99s))
        rows.append(
            (
                name,
                f"{statistics.median(it.rate for it in figures):,.0f}",
                f"{statistics.median(it.p99 for it in figures):.0f}",
                f"**{spread(rates)}**",
                f"**{spread(p99s)}**",
            )
        )
    remark = REMARK.format(rounds=rounds, connections=CONNECTIONS, seconds=SECONDS, size=size)
    head = ("", "requests/s", "p99, ms", "rate, of Probot's", "p99, of Probot's")
    rate, p99 = ratios["one process"]
    missed = "" if rate >= 1 and p99 <= 0.5 else " **Missed** on this machine."
    return Table(head, rows, (remark + missed,))


def install() -> None:
    """Have Probot, and say what else is needed."""
    for program in ("wrk", "npm", "node"):
        if shutil.which(program) is None:
            sys.exit(f"needs {program} (Debian: apt-get install wrk npm)")
    if not (FOLDER / "node_modules" / "probot").exists():
        subprocess.run(
            ["npm", "install", "--silent", "--no-audit", f"--prefix={FOLDER}", f"probot@{PROBOT}"],
            check=True,
            timeout=300,
        )
    shutil.copy(HERE / "probot.mjs", FOLDER / "probot.mjs")


@asynccontextmanager
async def probot(scratch: Path) -> AsyncIterator[str]:
    """Probot, listening."""
    async with stage(scratch / uuid.uuid4().hex) as on:
        key, port = on.github.private_key, free_port()
    environment = {"PRIVATE_KEY": key, "WEBHOOK_SECRET": SECRET, "PORT": str(port)}
    process = await asyncio.create_subprocess_exec(
        *("node", "probot.mjs"),
        cwd=FOLDER,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "NODE_ENV": "production", **environment},
        stdout=asyncio.subprocess.DEVNULL,
    )
    async with ending(process):
        await listening(port)
        yield f"http://127.0.0.1:{port}/webhooks/github"


async def ours(uri: str, scratch: Path, file: Path, body: bytes, count: int) -> Figures:
    """The product's door, so many processes on one port."""
    async with stage(scratch / uuid.uuid4().hex) as on:
        key, port = on.github.private_key, free_port()
    database = f"webhooks_{uuid.uuid4().hex}"
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "CODEGENAPP_HOME": str(scratch / "home"),
        "MONGODB_URI": uri,
        "MONGODB_DATABASE": database,
        "SECRET_KEY": "the benchmark's own key",
        "GITHUB_APP_ID": "1",
        "GITHUB_PRIVATE_KEY": key,
        "GITHUB_WEBHOOK_SECRET": SECRET,
        "PORT": str(port),
        "LOG_LEVEL": "error",
    }
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(count):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, str(HERE.parent / "app.py"), "serve", "--role", "web"),
                env=environment,
                stderr=asyncio.subprocess.DEVNULL,
            )
            await stack.enter_async_context(ending(process))
            await listening(port)
            await CLOCK.sleep(1)  # the second one listens at the same port
        figures = await loaded(f"http://127.0.0.1:{port}/webhooks/github", file, body)
    async with connect(uri, database, CLOCK) as it:
        kept = await it.collection("inbox").count_documents({})
        await it.client.drop_database(database)
    assert kept >= figures.rate * SECONDS * 0.99, (kept, figures)
    return figures


async def loaded(url: str, file: Path, body: bytes) -> Figures:
    """Load a door, after a moment for it to warm up."""
    signature = f"sha256={hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}"
    figures = Figures(0, 0)
    for seconds in (2, SECONDS):
        process = await asyncio.create_subprocess_exec(
            *(
                "wrk",
                "-t1",
                f"-c{CONNECTIONS}",
                f"-d{seconds}s",
                "-s",
                str(HERE / "deliveries.lua"),
            ),
            *(url, "--", str(file), signature, uuid.uuid4().hex[:12]),
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate()
        words = next(it for it in said.decode().splitlines() if it.startswith("RESULT")).split()
        requests, microseconds, p99, bad = map(int, words[1:])
        assert not bad, said.decode()
        figures = Figures(requests / microseconds * 1e6, p99 / 1000)
    return figures


@asynccontextmanager
async def ending(process: asyncio.subprocess.Process) -> AsyncIterator[None]:
    """A process that ends with the block."""
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def listening(port: int) -> None:
    """Wait until something answers there."""
    async with asyncio.timeout(60), aiohttp.ClientSession() as session:
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"http://127.0.0.1:{port}/healthz"):
                    return
            await CLOCK.sleep(0.1)


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
