"""``demo``: good and broken branches of a sample application, validated before one's eyes."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from bot.cli.progress import Progress
from bot.cli.validate import scope_of
from bot.cli.wiring import DemoBranch, DemoRepository, Wiring, Workbench
from bot.domain.excerpts import ended_at
from bot.domain.source import Origin
from bot.domain.validations import ValidationResult, Verdict
from bot.services.validation_pipeline import ValidationRequest

REPORTS = Path("demo-reports")


def command(wiring: Wiring) -> object:
    """The typer command."""

    def demo(
        keep: Annotated[
            bool, typer.Option("--keep", help="Keep the sample's git repository.")
        ] = False,
        reports: Annotated[
            Path, typer.Option(help="Where the reports are written, as Markdown and HTML.")
        ] = REPORTS,
    ) -> None:
        """Validate a sample web application: good branches, and a broken one.

        Exit status: 0 if every verdict is right, 1 if not, 130 interrupted.
        """
        raise typer.Exit(asyncio.run(Demo(wiring, reports, keep).run()))

    return demo


@dataclass
class Demo:
    """The command, ready to run."""

    wiring: Wiring
    reports: Path
    keep: bool
    console: Console = field(default_factory=lambda: Console(highlight=False))

    async def run(self) -> int:
        """Play it; gives the exit code."""
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        with contextlib.ExitStack() as stack:
            if self.keep:
                folder = Path(tempfile.mkdtemp(prefix="codegenapp-demo-"))
            else:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            repository = await self.wiring.demo_repository(folder)
            self._tell(f"A sample repository stands in {repository.path}.")
            return await self._play(repository)

    async def _play(self, repository: DemoRepository) -> int:
        right: list[bool] = []
        with Progress(Console(stderr=True, highlight=False)) as progress:
            async with self.wiring.workbench(progress.say) as workbench:
                for branch in repository.branches:
                    with progress.aside():
                        self._heading(branch)
                    result = await self._validate(workbench, progress, repository, branch)
                    if result.verdict is Verdict.CANCELLED:
                        return 130
                    with progress.aside():
                        right.append(self._judge(branch, result))
        self._tell(f"The reports are in {self.reports}/, as Markdown and as HTML.")
        return 0 if right and all(right) else 1

    async def _validate(
        self,
        workbench: Workbench,
        progress: Progress,
        repository: DemoRepository,
        branch: DemoBranch,
    ) -> ValidationResult:
        path = str(repository.path)

        async def tell(result: ValidationResult) -> None:
            with progress.aside():
                self._show(branch, result)

        request = ValidationRequest(Origin(path, branch.name), scope=scope_of("demo"))
        return await workbench.pipeline.trigger_validation(request, progress.show, tell)

    def _heading(self, branch: DemoBranch) -> None:
        self.console.print()
        self.console.print(Rule(Text(f"{branch.name}: {branch.title}", style="bold")))

    def _show(self, branch: DemoBranch, result: ValidationResult) -> None:
        """Show the report as a person would read it, and write it to the folder."""
        renderer = self.wiring.renderer
        markdown = renderer.report_markdown(result, title=branch.title)
        self.reports.mkdir(parents=True, exist_ok=True)
        (self.reports / f"{branch.name}.md").write_text(markdown)
        page = renderer.report_html(result, title=branch.title)
        (self.reports / f"{branch.name}.html").write_text(page)
        typer.echo(renderer.report_text(result, title=branch.title))

    def _judge(self, branch: DemoBranch, result: ValidationResult) -> bool:
        ended = ended_at(result.stages)
        stage = ended.stage if ended else None
        right = result.verdict is branch.expected_verdict and stage is branch.expected_stage
        right = right and result.head_sha == branch.sha
        wanted = f"{branch.expected_verdict} was expected of {branch.name}"
        style = "green" if right else "red"
        self.console.print(Text(f"{'✓' if right else '✗'} {wanted}: {result.verdict}", style))
        return right

    def _tell(self, text: str) -> None:
        self.console.print(Text(text), soft_wrap=True)
