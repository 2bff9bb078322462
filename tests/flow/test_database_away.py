"""``mongod`` is killed, or the primary steps down, at every step: nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from demo.github.faults import Fault
from tests.flow.serving import CLOCK, Served, served, small_repository
from tests.flow.test_worker_killed import what_is_wrong
from tests.mongo import ReplicaSet
from tests.stand_in import stage

pytestmark = [pytest.mark.database, pytest.mark.engine]

MOMENTS = {
    "before the delivery": "",
    "while the check run is made": "POST /check-runs",
    "while it runs": "PATCH /check-runs",
    "while it is concluded": "completed",
}

QUICK = {"while it is concluded"}
PLAYED = [it if it in QUICK else pytest.param(it, marks=pytest.mark.long) for it in MOMENTS]


async def play(it: Served, moment: str, strike: Callable[[], None]) -> list[str]:
    """Open a pull request and strike once, at a moment; gives what was wrong."""
    struck = asyncio.Event()
    wanted = MOMENTS[moment]

    def once() -> None:
        if not struck.is_set():
            struck.set()
            strike()

    def choose(_number: int, method: str, path: str) -> Fault | None:
        verb, _, part = wanted.partition(" ")
        if part and method == verb and part in path:
            once()
        return None

    it.on.github.faults.choose = choose
    if not wanted:
        once()
    pull = await it.on.github.open_pull_request(it.on.shop, "change", author=it.on.alice)
    if wanted == "completed":
        await job_ended(it)
        once()
    await taken(it)
    async with asyncio.timeout(120):
        await struck.wait()
    await it.concluded(pull.head_sha)
    return await what_is_wrong(it, pull.head_sha)


async def job_ended(it: Served) -> None:
    """Wait until a job has ended."""
    async with it.database.database.watch() as stream:
        async for change in stream:
            updated = change.get("updateDescription", {}).get("updatedFields", {})
            if change["ns"]["coll"] == "jobs" and updated.get("state") == "ended":
                return


async def taken(it: Served) -> None:
    """Have the last delivery made again until it is taken, as GitHub does when it is asked to."""
    github = it.on.github
    delivery = github.state.deliveries[-1]
    for _ in range(60):
        status = github.state.deliveries[-1].status_code
        if status == 202:
            return
        assert status in (0, 503), status
        await CLOCK.sleep(1)
        await github.redeliver(delivery.id)
    raise AssertionError("the delivery was never taken")


@pytest.mark.parametrize("moment", PLAYED)
async def test_killed(moment: str, tmp_path: Path, docker_host: str | None) -> None:
    git_folder = await asyncio.to_thread(small_repository, tmp_path / "repository")
    async with (
        stage(tmp_path, git_folder=git_folder) as on,
        served(on, tmp_path / "bot", docker_host) as it,
    ):

        def kill() -> None:
            known = json.loads((it.product.home / "mongodb" / "server.json").read_text())
            os.kill(known["pid"], signal.SIGKILL)

        assert await play(it, moment, kill) == []


@pytest.mark.parametrize("moment", PLAYED)
async def test_stepped_down(moment: str, tmp_path: Path, docker_host: str | None) -> None:
    git_folder = await asyncio.to_thread(small_repository, tmp_path / "repository")
    three = ReplicaSet(tmp_path / "three")
    await asyncio.to_thread(three.start)
    try:
        async with (
            stage(tmp_path, git_folder=git_folder) as on,
            served(
                on,
                tmp_path / "bot",
                docker_host,
                MONGODB_URI=three.uri,
                SECRET_KEY="a key for the tests",
            ) as it,
        ):
            loop = asyncio.get_running_loop()
            stepping: list[asyncio.Future[None]] = []

            def step_down() -> None:
                stepping.append(loop.run_in_executor(None, three.step_down))

            assert await play(it, moment, step_down) == []
            await asyncio.gather(*stepping)
    finally:
        await asyncio.to_thread(three.stop)


async def test_ready_tells_of_it(tmp_path: Path, docker_host: str | None) -> None:
    git_folder = await asyncio.to_thread(small_repository, tmp_path / "repository")
    async with (
        stage(tmp_path, git_folder=git_folder) as on,
        served(on, tmp_path / "bot", docker_host) as it,
        aiohttp.ClientSession() as session,
    ):
        base = on.github.hook_url.removesuffix("/webhooks/github")
        async with session.get(f"{base}/readyz") as response:
            told = await response.json()
            assert (response.status, told["dependencies"]["mongodb"]["ok"]) == (200, True)
        known = json.loads((it.product.home / "mongodb" / "server.json").read_text())
        os.kill(known["pid"], signal.SIGSTOP)
        try:
            async with session.get(f"{base}/readyz") as response:
                told = await response.json()
            assert response.status == 503
            assert told["dependencies"]["mongodb"]["detail"] == "no answer within 5 s"
            async with session.get(f"{base}/healthz") as response:
                assert response.status == 200
        finally:
            os.kill(known["pid"], signal.SIGCONT)
