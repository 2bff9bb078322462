"""``validate``: the validation pipeline on any repository, from the terminal."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bot.cli.progress import Progress
from bot.cli.wiring import Wiring
from bot.domain.excerpts import excerpts
from bot.domain.plan import Stage
from bot.domain.source import Origin
from bot.domain.validations import ValidationResult, Verdict
from bot.ports.renderer import Renderer
from bot.services.validation_course import ValidationRequest

EXIT_CODES = {
    Verdict.PASSED: 0,
    Verdict.FAILED: 1,
    Verdict.NEUTRAL: 2,
    Verdict.ERROR: 2,
    Verdict.CANCELLED: 130,
}


class Format(StrEnum):
    """How the report is printed."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


@dataclass(frozen=True)
class Validate:
    """The command, ready to run."""

    wiring: Wiring
    request: ValidationRequest
    form: Format

    def run(self) -> int:
        """Run it; gives the exit code."""
        return asyncio.run(self._run())

    async def _run(self) -> int:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        with Progress(Console(stderr=True, highlight=False)) as progress:

            async def tell(result: ValidationResult) -> None:
                progress.say("")
                with progress.aside():
                    print_report(render(self.wiring.renderer, result, self.form))

            async with self.wiring.workbench(progress.say) as workbench:
                result = await workbench.pipeline.trigger_validation(
                    self.request, progress.show, tell
                )
        if self.request.kept and result.environment_id:
            typer.echo(_how_to_look(result.environment_id), err=True)
        return EXIT_CODES[result.verdict]


def command(wiring: Wiring) -> object:
    """The typer command."""

    def validate(
        where: Annotated[
            str, typer.Argument(metavar="PATH|URL", help="A folder, or a git URL.")
        ] = ".",
        ref: Annotated[
            str | None,
            typer.Option(help="Branch, tag or commit: exactly that, without local changes."),
        ] = None,
        form: Annotated[
            Format, typer.Option("--format", help="How the report is printed.")
        ] = Format.TEXT,
        secret: Annotated[
            list[str] | None,
            typer.Option(metavar="NAME", help="Give the value of this environment variable."),
        ] = None,
        stage: Annotated[Stage | None, typer.Option(help="Stop after this stage.")] = None,
        keep: Annotated[
            bool, typer.Option("--keep", help="Leave the boxes, for a look inside.")
        ] = False,
    ) -> None:
        """Validate a repository in the sandbox: install, build, test, start, health, ports.

        PATH validates HEAD plus the uncommitted changes of tracked files.
        Exit status: 0 passed, 1 failed, 2 could not run or nothing to run, 130 interrupted.
        """
        request = ValidationRequest(
            origin=Origin(where, ref),
            scope=scope_of(where),
            secrets=_secrets(wiring, secret or []),
            stop_after=stage,
            maximum_timeout_minutes=wiring.maximum_timeout_minutes,
            kept=keep,
        )
        raise typer.Exit(Validate(wiring, request, form).run())

    return validate


def scope_of(where: str) -> str:
    """What keeps the snapshots of one place apart from those of others."""
    path = Path(where)
    place = str(path.resolve()) if path.exists() else where
    return hashlib.sha256(place.encode()).hexdigest()[:16]


def render(renderer: Renderer, result: ValidationResult, form: Format) -> str:
    """The report in a format."""
    match form:
        case Format.TEXT:
            return renderer.report_text(result)
        case Format.MARKDOWN:
            return renderer.report_markdown(result)
        case Format.JSON:
            return json.dumps(result.to_json(excerpts(result)), indent=2, ensure_ascii=False)


def print_report(text: str) -> None:
    """Print a report to standard output, as it is."""
    try:
        typer.echo(text.rstrip("\n"))
    except BrokenPipeError:
        # Who reads has had enough. The exit code tells the verdict all the same, and the
        # interpreter's last flush must not stumble over the closed pipe either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _secrets(wiring: Wiring, names: list[str]) -> dict[str, str]:
    found = {name: wiring.secret(name) for name in names}
    missing = [name for name, value in found.items() if value is None]
    if missing:
        raise typer.BadParameter(
            f"no environment variable {', '.join(missing)}: set it, then name it here",
            param_hint="--secret",
        )
    return {name: value for name, value in found.items() if value is not None}


def _how_to_look(environment_id: str) -> str:
    label = f"label=codegenapp.run={environment_id}"
    return (
        f"The boxes stay until a later run sweeps them (AUTO_CLEANUP_HOURS, else a day).\n"
        f"  look inside:  docker exec -it $(docker ps -q --filter {label} "
        f"--filter label=codegenapp.kind=application) sh\n"
        f"  remove them:  docker rm -f $(docker ps -aq --filter {label})"
    )
