"""``explain``: why a pull request is not merged, criterion by criterion."""

from __future__ import annotations

import asyncio
import re
import sys
from typing import Annotated

import typer

from bot.cli.wiring import Wiring
from bot.domain.merging import Explanation
from bot.domain.problems import UserProblem

_NAME = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(?:#|/pull/)(?P<number>[1-9]\d{0,8})")


def command(wiring: Wiring) -> object:
    """The typer command."""

    def explain(
        pull_request: Annotated[str, typer.Argument(help="OWNER/REPO#NUMBER.")],
    ) -> None:
        """Say why a pull request is not merged: every criterion, and what would change it.

        Exit status: 0 it is merged, or nothing keeps it back; 1 something does.
        """
        found = _NAME.search(pull_request)
        if found is None:
            raise UserProblem(
                f"{pull_request} names no pull request.", "Write it like owner/repository#12."
            )
        name, number = found["repository"], int(found["number"])
        explanation = asyncio.run(_explained(wiring, name, number))
        sys.stdout.write(wiring.renderer.explanation_text(f"{name}#{number}", explanation))
        holds = all(it.holds for it in explanation.criteria)
        raise typer.Exit(0 if holds else 1)

    return explain


async def _explained(wiring: Wiring, name: str, number: int) -> Explanation:
    return await wiring.explain(name, number)
