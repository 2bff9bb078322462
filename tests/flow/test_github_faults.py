"""GitHub fails in every way at every call in turn: one concluded check, with the right verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.adapters.github import client
from bot.ports.inbox import ItemState
from demo.github.faults import Fault
from tests.flow.rig import bot
from tests.stand_in import Stage, stage

pytestmark = pytest.mark.database
QUICK = {Fault.SECONDARY_LIMIT, Fault.LOST_ANSWER}
PLAYED = [it if it in QUICK else pytest.param(it, marks=pytest.mark.long) for it in Fault]
CALLS = range(1, 15)
"""The scenario makes so many; the last ones only where progress is slow enough to be told."""


@pytest.mark.parametrize(
    "fault",
    [it if it in QUICK else pytest.param(it, marks=pytest.mark.long) for it in Fault],
    ids=str,
)
async def test_one_call_fails(
    fault: Fault, mongodb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "CALL_SECONDS", 2.0)
    async with stage(tmp_path / "repository") as on:
        for at in CALLS:
            await _scenario(fault, at, mongodb, tmp_path / str(at), on)


async def _scenario(fault: Fault, at: int, mongodb: str, folder: Path, on: Stage) -> None:

    folder.mkdir()
    faults = on.github.faults
    faults.calls.clear()
    faults.choose = lambda number, _method, _path: fault if number == at else None
    on.shop.pull_requests.clear()
    on.github.state.check_runs.clear()
    on.github.state.tokens.clear()
    on.github.state.deliveries.clear()
    async with bot(on, mongodb, folder, speed=40.0) as it:
        it.boxes.broken.add(await on.shop.commit("typo-in-total"))
        pull = await on.github.open_pull_request(on.shop, "typo-in-total", author=on.alice)
        run = await it.concluded(pull.head_sha)
        await it.idle()
        reasons = [kept.reason async for kept in it.it.inbox.listing(ItemState.DONE, 20)]
        told = f"{fault} at {at}: {faults.calls[at - 1 : at]}: {run.history} {reasons}"
        assert run.conclusion == "failure", told
        assert len(it.runs(pull.head_sha)) == 1, told
        assert await it.dead() == [], told
        assert it.boxes.ran == [pull.head_sha], told
