"""``serve`` and ``replay`` as commands: what they need, how they end, what they tell."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from bot.ports.inbox import ItemState
from tests.flow.rig import until
from tests.flow.serving import served, small_repository
from tests.product import Product
from tests.stand_in import stage

GUID = "72d3162e-cc78-11e3-81ab-4c9367dc0958"


def test_without_credentials_each_is_named(tmp_path: Path) -> None:
    command = Product(tmp_path).run("serve")
    assert command.process.returncode == 2
    for name in ("GITHUB_APP_ID", "GITHUB_PRIVATE_KEY", "GITHUB_WEBHOOK_SECRET"):
        assert f"codegenapp: {name} is not set" in command.errors


def test_without_a_webhook_secret_it_refuses(tmp_path: Path) -> None:
    known = {"GITHUB_APP_ID": "1", "GITHUB_PRIVATE_KEY": "-----BEGIN RSA PRIVATE KEY-----"}
    command = Product(tmp_path, environment=known).run("serve", "--role", "web")
    assert command.process.returncode == 2
    assert "GITHUB_WEBHOOK_SECRET is not set" in command.errors
    assert "GITHUB_APP_ID" not in command.errors


def test_a_key_is_never_shown(tmp_path: Path) -> None:
    wrong = {"GITHUB_PRIVATE_KEY": "s3cret-but-no-key", "SECRET_KEY": "sh0rt"}
    command = Product(tmp_path, environment=wrong).run("serve")
    assert command.process.returncode == 2
    assert "GITHUB_PRIVATE_KEY: is neither a PEM text nor a file" in command.errors
    assert "SECRET_KEY: wants at least 16 characters" in command.errors
    assert "s3cret" not in command.errors
    assert "sh0rt" not in command.errors


@pytest.mark.database
@pytest.mark.engine
async def test_a_worker_that_is_told_to_stop_hands_its_work_back(
    tmp_path: Path, docker_host: str | None
) -> None:
    git_folder = await asyncio.to_thread(small_repository, tmp_path / "repository")
    async with (
        stage(tmp_path, git_folder=git_folder) as on,
        served(on, tmp_path / "bot", docker_host) as it,
    ):
        pull = await on.github.open_pull_request(on.shop, "change", author=on.alice)
        runs = on.github.state.check_runs
        await until(lambda: any("Running" in (run.title or "") for run in runs.values()))
        it.worker.signal(signal.SIGTERM)
        assert await asyncio.to_thread(it.worker.end) == 0
        (job,) = [job async for job in it.database.collection("jobs").find()]
        assert (job["state"], job["attempts"]) == ("queued", 0)
        assert await asyncio.to_thread(it.product.things) == []
        await it.start_worker()
        await it.concluded(pull.head_sha)
        (run,) = on.github.state.runs_of(on.shop.id, pull.head_sha)
        assert run.conclusion == "failure"
        assert not any("Trying again" in stand for stand in run.history), "no try was lost"


@pytest.mark.database
@pytest.mark.engine
async def test_replay(tmp_path: Path, docker_host: str | None) -> None:
    git_folder = await asyncio.to_thread(small_repository, tmp_path / "repository")
    async with (
        stage(tmp_path, git_folder=git_folder) as on,
        served(on, tmp_path / "bot", docker_host) as it,
    ):
        pull = await on.github.open_pull_request(on.shop, "change", author=on.alice)
        await it.concluded(pull.head_sha)
        guid = on.github.state.deliveries[-1].guid

        def replay(*words: str) -> tuple[int, str, str]:
            command = it.product.run("replay", *words)
            return command.process.returncode, command.output, command.errors

        said = await asyncio.to_thread(replay)
        assert (said[0], said[1]) == (0, "")
        assert "There are no dead letters." in said[2]
        code, output, _ = await asyncio.to_thread(replay, guid, "--dry-run")
        assert code == 0
        assert f"validate_pull_request: {pull.head_sha[:12]} is validated: Failed" in output
        code, _, errors = await asyncio.to_thread(replay, GUID)
        assert (code, f"No delivery {GUID} is stored." in errors) == (2, True)
        code, output, _ = await asyncio.to_thread(replay, guid)
        assert (code, "is in the inbox again" in output) == (0, True)
        await it.concluded(pull.head_sha)
        assert len(on.github.state.runs_of(on.shop.id, pull.head_sha)) == 1
        # A dead letter is listed with its reason.
        await it.database.collection("inbox").update_one(
            {"_id": guid}, {"$set": {"state": ItemState.DEAD.value, "reason": "a bug of ours"}}
        )
        _, output, _ = await asyncio.to_thread(replay)
        assert guid in output
        assert "a bug of ours" in output
