"""``replay``: feeds a stored delivery through again, or lists the dead letters."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from bot.cli.wiring import Letters, Wiring
from bot.domain.events import Ignored
from bot.domain.problems import UserProblem
from bot.ports.inbox import ItemState

MOST_LISTED = 50


def command(wiring: Wiring) -> object:
    """The typer command."""

    def replay(
        delivery: Annotated[
            str, typer.Argument(help="A delivery's GUID; without one: the dead letters.")
        ] = "",
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Print what would be decided; change nothing.")
        ] = False,
    ) -> None:
        """Feed one stored delivery through again. Without an argument, list the dead letters."""
        asyncio.run(_replay(wiring, delivery, dry_run=dry_run))

    return replay


async def _replay(wiring: Wiring, delivery: str, *, dry_run: bool) -> None:
    console = Console(highlight=False)
    async with wiring.letters() as letters:
        if not delivery:
            await _list(letters, console)
        elif dry_run:
            await _rehearse(letters, delivery, console)
        elif await letters.inbox.reopen(delivery):
            console.print(f"{delivery} is in the inbox again; a worker takes it up.")
        else:
            raise await _not_reopened(letters, delivery)


async def _list(letters: Letters, console: Console) -> None:
    count = 0
    async for kept in letters.inbox.listing(ItemState.DEAD, MOST_LISTED):
        count += 1
        item = kept.item
        line = Text(f"{item.id}  ", style="bold")
        line.append(f"{item.received_at:%Y-%m-%d %H:%M}  {item.name}  {item.key}  ")
        line.append(kept.reason)
        console.print(line, soft_wrap=True)
    if not count:
        sys.stderr.write("There are no dead letters.\n")


async def _rehearse(letters: Letters, delivery: str, console: Console) -> None:
    kept = await letters.inbox.get(delivery)
    if kept is None:
        raise await _not_reopened(letters, delivery)
    decided = await letters.rehearse(kept)
    if isinstance(decided, Ignored):
        console.print(Text(f"ignored: {decided.reason}"), soft_wrap=True)
        return
    for handler, decision in decided:
        console.print(Text(f"{handler}: {decision.reason}"), soft_wrap=True)
        for effect in decision.effects:
            console.print(Text(f"  {effect}"), soft_wrap=True)


async def _not_reopened(letters: Letters, delivery: str) -> UserProblem:
    kept = await letters.inbox.get(delivery)
    if kept is None:
        return UserProblem(
            f"No delivery {delivery} is stored.",
            "Its GUID stands in the App's settings under Advanced, as X-GitHub-Delivery.",
        )
    return UserProblem(f"{delivery} is {kept.state}: it is being handled already.")
