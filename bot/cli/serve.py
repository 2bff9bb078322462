"""``serve``: the bot."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Annotated

import typer

from bot.cli.wiring import Running, Wiring
from bot.log import get_logger

log = get_logger()


class Role(StrEnum):
    """What one process does."""

    WEB = "web"
    WORKER = "worker"
    ALL = "all"


def command(wiring: Wiring) -> object:
    """The typer command."""

    def serve(
        role: Annotated[
            Role, typer.Option(help="`web` takes deliveries, `worker` does what they ask for.")
        ] = Role.ALL,
    ) -> None:
        """Run the bot: webhooks in, check runs out. Any number of processes may share a database.

        SIGTERM and Ctrl-C hand the work back and end it.
        """
        raise typer.Exit(asyncio.run(_serve(wiring, role)))

    return serve


async def _serve(wiring: Wiring, role: Role) -> int:
    serving = asyncio.create_task(_run(wiring, role))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, serving.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await serving
    log.info("stopped")
    return 0


async def _run(wiring: Wiring, role: Role) -> None:
    async with wiring.serve(role.value) as running:
        log.info("serving", role=role.value, url=running.url)
        await _work(running)


async def _work(running: Running) -> None:
    """Run everything until cancelled; the first that fails ends all."""
    async with asyncio.TaskGroup() as group:
        for task in running.tasks:
            group.create_task(_one(task))
        if not running.tasks:
            await asyncio.Event().wait()


async def _one(task: Callable[[], Awaitable[None]]) -> None:
    await task()
