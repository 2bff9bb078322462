"""A call that is cancelled while the engine makes something leaves nothing of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from sandbox.engine import NetworkSpec
from tests.engine_rig import Rig

NAME = "codegenapp-test-cancelled"
MOMENTS = [0.0, 0.001, 0.005, 0.02]


async def cancelled_after(task: asyncio.Task[Any], seconds: float) -> None:
    """Cancel a task some time after its start; a task that was quicker is fine too."""
    await asyncio.wait([task], timeout=seconds)
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.parametrize("seconds", MOMENTS)
async def test_box_whose_maker_is_cancelled(rig: Rig, seconds: float) -> None:
    spec = replace(rig.spec, name=NAME)
    task = asyncio.create_task(rig.engine.create(spec))
    await cancelled_after(task, seconds)
    boxes = await rig.engine.list_boxes(rig.label)
    assert [box.id for box in boxes] == ([] if task.cancelled() else [task.result()])
    for box in boxes:
        await rig.engine.remove(box.id)
    assert await rig.engine.create(spec), "its name is free again"


@pytest.mark.parametrize("seconds", [*MOMENTS, 0.06])
async def test_network_whose_maker_is_cancelled(rig: Rig, seconds: float) -> None:
    spec = NetworkSpec(NAME, "10.232.7.0/28", rig.labels)
    task = asyncio.create_task(rig.engine.create_network(spec))
    await cancelled_after(task, seconds)
    networks = await rig.engine.list_networks(rig.label)
    assert [network.id for network in networks] == ([] if task.cancelled() else [task.result()])
    for network in networks:
        await rig.engine.remove_network(network.id)
    assert await rig.engine.create_network(spec), "its addresses are free again"


@pytest.mark.parametrize("seconds", [*MOMENTS, 0.06])
async def test_box_that_joins_while_its_maker_is_cancelled(rig: Rig, seconds: float) -> None:
    own = await rig.engine.create_network(NetworkSpec(NAME, "10.232.7.0/28", rig.labels))
    other = await rig.engine.create_network(NetworkSpec(f"{NAME}-2", "10.232.7.16/28", rig.labels))
    box = await rig.box(network=own)
    joining = asyncio.create_task(rig.engine.connect(other, box))
    await cancelled_after(joining, seconds)
    addresses = (await rig.engine.state(box)).addresses
    assert (f"{NAME}-2" in addresses) is not joining.cancelled()
    await rig.engine.remove_network(other)


async def test_cancelled_twice(rig: Rig) -> None:
    task = asyncio.create_task(rig.engine.create(rig.spec))
    await asyncio.wait([task], timeout=0.002)
    task.cancel()
    await asyncio.wait([task], timeout=0)
    task.cancel()
    await asyncio.wait([task])
    await rig.engine.close()  # what is still being unmade is waited for
    boxes = await rig.engine.list_boxes(rig.label)
    assert [box.id for box in boxes] == ([] if task.cancelled() else [task.result()])


async def test_refusal_reaches_who_is_cancelled_later(rig: Rig) -> None:
    task = asyncio.create_task(rig.engine.create(replace(rig.spec, image="no/such/image")))
    await cancelled_after(task, 0.002)
    assert task.cancelled() or task.exception()
    assert not await rig.engine.list_boxes(rig.label)
