"""``demo``: the whole loop on this machine: pull requests, webhooks, and their check runs."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from bot.cli.wiring import DemoBranch, DemoCheck, DemoStage, Wiring
from bot.domain.validations import Verdict

REPORTS = Path("demo-reports")
PATIENCE_SECONDS = 900.0
LOOK_SECONDS = 0.1
CONCLUSIONS = {Verdict.PASSED: "success", Verdict.FAILED: "failure"}
STYLES = {"success": "green", "failure": "red"}


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
        """Play the whole loop with no account: GitHub is a stand-in, everything else is real.

        A good and a broken pull request are opened; their check runs appear, step by step.
        Exit status: 0 if every step really happened, 1 if not, 130 interrupted.
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
    began: float = field(default_factory=time.monotonic)

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
            self._say("starting MongoDB, a stand-in for GitHub, and the bot")
            async with self.wiring.demo(folder) as on:
                if self.keep:
                    self._say(f"the sample's git repository stays in {on.path}")
                return await self._play(on)

    async def _play(self, on: DemoStage) -> int:
        wrong: list[str] = []
        for number, branch in enumerate(on.branches, 1):
            self._heading(f"Pull request {number}: {branch.title}")
            status = await on.open_pull_request(branch)
            self._say(f"alice opens #{number} from {branch.name} ({branch.sha[:12]})")
            self._say(f"GitHub delivers its signed webhook; the door answers {status}")
            check = await self._followed(on, branch)
            await self._show(on, branch, check)
            wrong += self._judged(on, branch, check, status)
        self.console.print(Rule(style="dim"))
        self._tell(f"The check runs and their pages are in {self.reports}/.")
        for fault in wrong:
            self.console.print(Text(f"✗ {fault}", "red"), soft_wrap=True)
        return 1 if wrong else 0

    async def _followed(self, on: DemoStage, branch: DemoBranch) -> DemoCheck:
        """The branch's check run, once it is completed; each of its states is told."""
        told = 0
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                checks = on.checks(branch.sha)
                history = list(checks[-1].history) if checks else []
                for stand in history[told:]:
                    self._say(f"check run: {stand}")
                told = len(history)
                if checks and checks[-1].status == "completed":
                    return checks[-1]
                await asyncio.sleep(LOOK_SECONDS)  # noqa: TID251  a terminal's own pace

    async def _show(self, on: DemoStage, branch: DemoBranch, check: DemoCheck) -> None:
        """Show the check run as a person would read it, and write it to the folder."""
        summary, text = check.summary or "", check.text or ""
        self.reports.mkdir(parents=True, exist_ok=True)
        (self.reports / f"{branch.name}.md").write_text(f"{summary}\n{text}")
        (self.reports / f"{branch.name}.html").write_text(await on.page(check.details_url))
        self.console.print()
        self.console.print(Padding(Markdown(_for_terminal(summary)), (0, 0, 0, 2)))
        for it in check.annotations:
            place = f"{it['path']}:{it['start_line']}"
            line = Text(f"  annotation at {place}: ", "bold")
            self.console.print(line.append(it["message"], "not bold"), soft_wrap=True)
        self.console.print()

    def _judged(
        self, on: DemoStage, branch: DemoBranch, check: DemoCheck, status: int
    ) -> list[str]:
        """What is not as it must be; the rest is told."""
        wanted = CONCLUSIONS[branch.expected_verdict]
        places = [f"{it['path']}:{it['start_line']}" for it in check.annotations]
        stage = branch.expected_stage
        facts = {
            "the door answered 202": status == 202,
            "the commit has one check run": len(on.checks(branch.sha)) == 1,
            "it was queued first": check.history[0].startswith("queued"),
            f"it concluded as {wanted}": check.conclusion == wanted,
        }
        if stage is not None:
            named = f"{stage.value} failed" in (check.title or "")
            facts[f"its title names {stage.value}"] = named
        if branch.expected_place:
            facts[f"its annotation stands at {branch.expected_place}"] = places == [
                branch.expected_place
            ]
        for fact, holds in facts.items():
            mark, style = ("✓", "green") if holds else ("✗", "red")
            self.console.print(Text(f"{mark} {branch.name}: {fact}", style), soft_wrap=True)
        return [f"{branch.name}: not so: {fact}" for fact, holds in facts.items() if not holds]

    def _heading(self, text: str) -> None:
        self.console.print()
        self.console.print(Rule(Text(text, style="bold")))

    def _say(self, text: str) -> None:
        """A line of the timeline."""
        line = Text(f"{time.monotonic() - self.began:6.1f} s  ", "dim")
        style = next((it for name, it in STYLES.items() if f"/{name}" in text), "")
        self.console.print(line.append(text, style), soft_wrap=True)

    def _tell(self, text: str) -> None:
        self.console.print(Text(text), soft_wrap=True)


def _for_terminal(markdown: str) -> str:
    """GitHub's Markdown without its HTML, which a terminal can't show."""
    for tag, plain in (("<code>", "`"), ("</code>", "`"), ("<br>", " · "), ("<!-- -->", "")):
        markdown = markdown.replace(tag, plain)
    return markdown
