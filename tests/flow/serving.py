"""``serve`` as its users start it: processes of web and worker, a real engine, the stand-in."""

from __future__ import annotations

import asyncio
import json
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.adapters.clock import SystemClock
from bot.adapters.mongo.database import Database, connect
from tests.git_repository import GitRepository
from tests.product import Command, Product
from tests.stand_in import Stage

CLOCK = SystemClock()
PATIENCE = 240.0
CONFIGURED = """
deployment:
  install_command: sleep %d
  build_command: sleep 4; echo no such thing; exit 3
web_evaluation: {enabled: false}
"""
"""What needs nothing of a registry, and fails."""


def small_repository(folder: Path, install_seconds: int = 1) -> Path:
    """A repository whose branch ``change`` fails to build; gives its git folder."""
    repository = GitRepository(folder)
    configured = CONFIGURED % install_seconds
    repository.commit({".github/codegenapp.yml": configured, "src/app.c": "int x;\n"})
    repository.git("checkout", "--quiet", "-b", "change")
    repository.commit({"src/app.c": "int y;\n"})
    return folder / ".git"


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Served:
    """One installation of the bot at work. ``worker`` may be killed and started again."""

    on: Stage
    product: Product
    web: Command
    worker: Command
    database: Database

    async def start_worker(self) -> None:
        """Start a worker in the place of one that was killed."""
        self.worker = self.product.start("serve", "--role", "worker")
        await asyncio.to_thread(self.worker.wait_for, "serving")

    async def concluded(self, head_sha: str) -> None:
        """Wait until a commit's check runs are completed and the inbox and the jobs are empty."""
        inbox, jobs = self.database.collection("inbox"), self.database.collection("jobs")

        async def done() -> bool:
            runs = self.on.github.state.runs_of(self.on.shop.id, head_sha)
            if not runs or any(run.status != "completed" for run in runs):
                return False
            left = await inbox.count_documents({"state": {"$in": ["ready", "leased"]}})
            return not left and not await jobs.count_documents({"state": {"$ne": "ended"}})

        try:
            async with asyncio.timeout(PATIENCE):
                while not await done():
                    await CLOCK.sleep(0.2)
        except TimeoutError:
            runs = self.on.github.state.runs_of(self.on.shop.id, head_sha)
            told = f"{[run.history for run in runs]}\n"
            for command in (self.web, self.worker):
                told += command.errors[-6000:]
            raise AssertionError(f"it never came: {told}") from None


@asynccontextmanager
async def served(
    on: Stage, folder: Path, docker_host: str | None, **more: str
) -> AsyncIterator[Served]:
    """The bot, as one process of web and one of worker, while the block lasts."""
    port = free_port()
    environment = {
        "GITHUB_APP_ID": str(on.github.state.app_id),
        "GITHUB_PRIVATE_KEY": on.github.private_key,
        "GITHUB_WEBHOOK_SECRET": on.github.secret,
        "GITHUB_API_URL": on.github.url,
        "GITHUB_URL": on.github.url,
        "PORT": str(port),
        # Git runs without privileges: it must get through every folder above its own.
        "TMPDIR": tempfile.gettempdir(),
        **more,
    }
    product = Product(folder, docker_host, environment)
    web = product.start("serve", "--role", "web")
    await asyncio.to_thread(web.wait_for, "serving")
    worker = product.start("serve", "--role", "worker")
    try:
        await asyncio.to_thread(worker.wait_for, "serving")
        on.github.hook_url = f"http://127.0.0.1:{port}/webhooks/github"
        async with connect(_uri(product), "codegenapp", CLOCK) as database:
            it = Served(on, product, web, worker, database)
            yield it
            worker = it.worker
    finally:
        for command in (worker, web):
            if command.process.poll() is None:
                command.process.terminate()
        await asyncio.to_thread(worker.end)
        await asyncio.to_thread(web.end)


def _uri(product: Product) -> str:
    if uri := product.environ.get("MONGODB_URI"):
        return uri
    known = json.loads((product.home / "mongodb" / "server.json").read_text())
    return f"mongodb://127.0.0.1:{known['port']}/?replicaSet=rs0"
