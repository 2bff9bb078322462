"""kill -9 of the worker at every step: one concluded check all the same, nothing left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from bot.work.validation_job import PROGRESS_SECONDS
from demo.github.faults import Fault, Faults
from tests.flow.killing import Call, Moment, Write, all_of, killer, written
from tests.flow.serving import Served, served, small_repository
from tests.stand_in import stage

pytestmark = [pytest.mark.database, pytest.mark.engine]

WRITES: Mapping[str, Write] = {
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
MOMENTS = [*CALLS, *WRITES]
SECONDS = {"installing": int(PROGRESS_SECONDS) + 1}
"""Of an install: a stage that is over sooner may pass untold, another one then being told of."""


async def killed_at(moment: str, folder: Path, docker_host: str | None) -> str:
    """Play one scenario; gives what was wrong, empty where nothing was."""
    git_folder = await asyncio.to_thread(
        small_repository, folder / "repository", SECONDS.get(moment, 1)
    )
    async with (
        stage(folder, git_folder=git_folder) as on,
        served(on, folder / "bot", docker_host) as it,
    ):
        async with killer(it, moment_of(moment, on.github.faults)) as killed:
            pull = await on.github.open_pull_request(on.shop, "change", author=on.alice)
            async with asyncio.timeout(120):
                await killed.wait()
        await asyncio.to_thread(it.worker.end)
        await it.start_worker()
        await it.concluded(pull.head_sha)
        wrong = await what_is_wrong(it, pull.head_sha)
    left = await asyncio.to_thread(it.product.things)
    return "; ".join([*wrong, *(f"{thing.name} is left" for thing in left)])


def moment_of(name: str, faults: Faults) -> Moment:
    return Call(faults, *CALLS[name]) if name in CALLS else WRITES[name]


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


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_killed_at_every_moment(tmp_path: Path, docker_host: str | None) -> None:
    await all_of(MOMENTS, lambda moment, n: killed_at(moment, tmp_path / str(n), docker_host))
