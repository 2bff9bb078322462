"""``doctor``: what this machine needs, and the mend for each finding."""

from __future__ import annotations

import asyncio

import typer
from rich.console import Console
from rich.text import Text

from bot.cli.progress import Progress
from bot.cli.wiring import Wiring
from bot.ports.sandbox import Examined


def command(wiring: Wiring) -> object:
    """The typer command."""

    def doctor() -> None:
        """Check database, GitHub App, webhook, engine, closed boxes and disk.

        It prints the mend for each finding, and builds the sandbox image where it is missing.

        Exit status: 0 all is well, 1 something wants mending.
        """
        raise typer.Exit(asyncio.run(_doctor(wiring)))

    return doctor


async def _doctor(wiring: Wiring) -> int:
    healthy = True
    console = Console(highlight=False)
    with Progress(Console(stderr=True, highlight=False)) as progress:

        def tell(finding: Examined) -> None:
            nonlocal healthy
            progress.say("")
            healthy = healthy and finding.ok
            mark, style = ("✓", "green") if finding.ok else ("✗", "red")
            line = Text(f"{mark} ", style=style)
            line.append(finding.name, style="bold")
            line.append(f": {finding.detail}" if finding.detail else "")
            with progress.aside():
                console.print(line, soft_wrap=True)
                if finding.mend:
                    console.print(Text(f"  → {finding.mend}"), soft_wrap=True)

        async for finding in wiring.examined():
            tell(finding)
        async with wiring.workbench(progress.say) as workbench:
            async for finding in workbench.sandbox.examine():
                tell(finding)
    return 0 if healthy else 1
