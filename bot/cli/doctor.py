"""``doctor``: what this machine needs, and the mend for each finding."""

from __future__ import annotations

import asyncio

import typer
from rich.console import Console
from rich.text import Text

from bot.cli.progress import Progress
from bot.cli.wiring import Wiring


def command(wiring: Wiring) -> object:
    """The typer command."""

    def doctor() -> None:
        """Check engine, image, closed boxes and disk; builds the sandbox image where it is missing.

        Exit status: 0 all is well, 1 something wants mending.
        """
        raise typer.Exit(asyncio.run(_doctor(wiring)))

    return doctor


async def _doctor(wiring: Wiring) -> int:
    healthy = True
    console = Console(highlight=False)
    with Progress(Console(stderr=True, highlight=False)) as progress:
        async with wiring.workbench(progress.say) as workbench:
            async for finding in workbench.sandbox.examine():
                progress.say("")
                healthy = healthy and finding.ok
                mark, style = ("✓", "green") if finding.ok else ("✗", "red")
                line = Text(f"{mark} ", style=style)
                line.append(f"{finding.name}: ", style="bold")
                line.append(finding.detail)
                with progress.aside():
                    console.print(line, soft_wrap=True)
                    if finding.mend:
                        console.print(Text(f"  → {finding.mend}"), soft_wrap=True)
    return 0 if healthy else 1
