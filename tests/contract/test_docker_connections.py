"""An engine is asked as many things at once as there are to ask."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web

from tests.contract.test_docker_faults import engine_that_answers

MANY = 120
"""More than the 100 connections of an aiohttp client that nobody told otherwise."""


async def test_waiting_for_many_boxes_holds_nothing_else_up(tmp_path: Path) -> None:
    waiting = 0
    all_there = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        nonlocal waiting
        waiting += 1
        if waiting == MANY:
            all_there.set()
        await all_there.wait()
        return web.json_response({"StatusCode": 0})

    async with engine_that_answers(tmp_path, answer) as engine, asyncio.timeout(20):
        assert await asyncio.gather(*(engine.wait(str(it)) for it in range(MANY))) == [0] * MANY
