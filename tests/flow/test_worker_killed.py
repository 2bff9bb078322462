"""kill -9 of the worker at every step: one concluded check all the same, nothing left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.mongo.database import Database
from demo.github.faults import Fault
from tests.flow.serving import Served, served, small_repository
from tests.stand_in import stage

pytestmark = [pytest.mark.database, pytest.mark.engine]

Change = Mapping[str, Any]
AT_ONCE = 4
"""Scenarios beside one another: most of their time they wait for a lease to run out."""


def written(collection: str, *fields: str, **values: object) -> Callable[[Change], bool]:
    """A write to a collection that sets these fields, and some to these values."""

    def holds(change: Change) -> bool:
        if change["ns"]["coll"] != collection:
            return False
        update = change.get("updateDescription", {}).get("updatedFields", {})
        new = update or change.get("fullDocument") or {}
        named = all(any(name.startswith(field) for name in new) for field in fields)
        return named and all(new.get(name) == value for name, value in values.items())

    return holds


WRITES: Mapping[str, Callable[[Change], bool]] = {
    "the delivery is recorded": written("inbox", name="pull_request"),
    "claimed": written("inbox", state="leased"),
    "the decision is stored": written("inbox", "progress.validate_pull_request"),
    "the record is made": written("validation_pipelines", status="requested"),
    "the first effect is settled": written("inbox", "progress.validate_pull_request.outcomes"),
    "a check run is intended": written("validation_pipelines", "check_intended_by"),
    "the check run is known": written("validation_pipelines", "check_run_id"),
    "the record knows its job": written("validation_pipelines", "job_id"),
    "the job is queued": written("jobs", state="queued"),
    "the handler is settled": written("inbox", "progress.validate_pull_request.settled"),
    "the delivery is done": written("inbox", state="done"),
    "the job is leased": written("jobs", state="running"),
    "retrieving": written("validation_pipelines", stage="retrieve"),
    "installing": written("validation_pipelines", stage="install"),
    "building": written("validation_pipelines", stage="build"),
    "output is written": written("log_chunks"),
    "the report is kept": written("artifacts.files"),
    "the job is ended": written("jobs", state="ended"),
    "its event is claimed": written("inbox", "lease_until", state="leased", token=1),
    "the end is decided": written("inbox", "progress.conclude_validation"),
    "the record is concluded": written("validation_pipelines", ended=True),
    "the end is settled": written("inbox", "progress.conclude_validation.outcomes"),
    "GitHub knows the end": written("validation_pipelines", check_concluded=True),
}
CALLS: Mapping[str, tuple[str, str, Fault | None]] = {
    "reading the pull request": ("GET", "/pulls/", Fault.DROPPED),
    "making the check run: not done": ("POST", "/check-runs", Fault.DROPPED),
    "making the check run: done": ("POST", "/check-runs", Fault.LOST_ANSWER),
    "showing progress": ("PATCH", "/check-runs/", Fault.LOST_ANSWER),
}
QUICK = ["making the check run: done", "building", "the job is ended", "the record is concluded"]


async def killed_at(moment: str, folder: Path, docker_host: str | None) -> str:
    """Play one scenario; gives what was wrong, empty where nothing was."""
    git_folder = await asyncio.to_thread(small_repository, folder / "repository")
    async with (
        stage(folder, git_folder=git_folder) as on,
        served(on, folder / "bot", docker_host) as it,
    ):
        async with killer(it, moment) as killed:
            pull = await on.github.open_pull_request(on.shop, "change", author=on.alice)
            async with asyncio.timeout(120):
                await killed.wait()
        await asyncio.to_thread(it.worker.end)
        await it.start_worker()
        await it.concluded(pull.head_sha)
        wrong = await what_is_wrong(it, pull.head_sha)
    left = await asyncio.to_thread(it.product.things)
    return "; ".join([*wrong, *(f"{thing.name} is left" for thing in left)])


async def what_is_wrong(it: Served, head_sha: str) -> list[str]:
    runs = it.on.github.state.runs_of(it.on.shop.id, head_sha)
    made = [call for call in it.on.github.faults.calls if call.startswith("POST /repos")]
    ends = [stand for run in runs for stand in run.history if stand.startswith("completed")]
    dead = await it.database.collection("inbox").count_documents({"state": "dead"})
    checks = {
        f"{len(runs)} check runs": len(runs) == 1,
        f"made by {len(made)} calls": len(made) <= 2,
        f"it ended as {ends}": set(ends) == {"completed/failure: Failed: build failed: " + SAID},
        f"{dead} dead letters": dead == 0,
    }
    return [told for told, well in checks.items() if not well]


SAID = "sleep 4; echo no such thing; exit 3 exited with 3"


@asynccontextmanager
async def killer(it: Served, moment: str) -> AsyncIterator[asyncio.Event]:
    """Kills the worker when its moment comes; the event says that it did."""
    killed = asyncio.Event()

    def kill() -> None:
        if not killed.is_set():
            it.worker.process.kill()
            killed.set()

    if moment in CALLS:
        method, part, fault = CALLS[moment]

        def choose(_number: int, called: str, path: str) -> Fault | None:
            if killed.is_set() or called != method or part not in path:
                return None
            kill()
            return fault

        it.on.github.faults.choose = choose
        yield killed
        it.on.github.faults.choose = lambda _number, _method, _path: None
        return
    watching = asyncio.create_task(_watch(it.database, WRITES[moment], kill))
    await asyncio.sleep(0.5)  # noqa: TID251  until the stream stands
    try:
        yield killed
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _watch(
    database: Database, moment: Callable[[Change], bool], kill: Callable[[], None]
) -> None:
    async with database.database.watch() as stream:
        async for change in stream:
            if moment(change):
                kill()
                return


async def all_of(moments: list[str], folder: Path, docker_host: str | None) -> None:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, moment: str) -> str:
        async with room:
            try:
                wrong = await killed_at(moment, folder / str(number), docker_host)
            except Exception as fault:  # noqa: BLE001  told with the others'
                wrong = f"{type(fault).__name__}: {fault}"
        return f"{moment}: {wrong}" if wrong else ""

    told = await asyncio.gather(*(one(n, moment) for n, moment in enumerate(moments)))
    assert not any(told), "\n".join(filter(None, told))


async def test_killed_at_telling_moments(tmp_path: Path, docker_host: str | None) -> None:
    await all_of(QUICK, tmp_path, docker_host)


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_killed_at_every_moment(tmp_path: Path, docker_host: str | None) -> None:
    await all_of([*CALLS, *WRITES], tmp_path, docker_host)
