"""A validation as it goes on, on standard error: a line a stage, and what is being printed now."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from bot.domain.log_text import one_line, plain
from bot.domain.plan import (
    StageEvent,
    StageFinished,
    StageNote,
    StageOutput,
    StageResult,
    StageStarted,
    StageStatus,
)
from bot.policy.reasons import words

MARKS = {
    StageStatus.PASSED: ("✓", "green"),
    StageStatus.FAILED: ("✗", "red"),
    StageStatus.TIMED_OUT: ("✗", "red"),
    StageStatus.ERROR: ("!", "yellow"),
    StageStatus.SKIPPED: ("–", "dim"),
    StageStatus.NOT_REACHED: ("–", "dim"),
}
TAIL_CHARACTERS = 4000


class Progress:
    """Shows stage events while they come. On a terminal it is alive, elsewhere plain lines."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._running: StageStarted | None = None
        self._since = 0.0
        self._tail = ""
        self._doing = ""
        self._spinner = Spinner("dots")

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(self, console=self._console, refresh_per_second=8, transient=True)
            self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, trace)
            self._live = None

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Step aside while something else is printed on the same terminal."""
        if self._live is not None:
            self._live.stop()
        yield
        if self._live is not None:
            self._live.start()

    async def show(self, event: StageEvent) -> None:
        """Take one event; fulfils ``bot.ports.sandbox.Emit``."""
        match event:
            case StageStarted():
                self._running, self._since, self._tail = event, time.monotonic(), ""
                self._doing = ""
                if self._live is None:
                    self._console.print(Text(_name(event), style="dim"))
            case StageOutput(_, _, text) if self._running is None:
                self.say(text)  # of what goes on after the stages
            case StageOutput(_, _, text):
                self._tail = (self._tail + text)[-TAIL_CHARACTERS:]
            case StageNote(_, text):
                self._print(Text(f"· {one_line(text)}", style="dim"))
            case StageFinished(result):
                self._running = None
                self._print(_line(result))

    def say(self, text: str) -> None:
        """Show what is being waited for outside of any stage; empty ends it."""
        self._doing = one_line(text)
        if self._live is None and self._doing:
            self._console.print(Text(self._doing, style="dim"))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._running is None and not self._doing:
            return
        table = Table.grid(padding=(0, 1))
        doing = self._doing
        if self._running is not None:
            doing = f"{_name(self._running)}  {time.monotonic() - self._since:.0f} s"
        table.add_row(self._spinner, Text(doing, overflow="ellipsis", no_wrap=True))
        lines = plain(self._tail).rstrip().splitlines() if self._running else []
        for line in lines[-1:]:
            shown = Text(line, style="dim", overflow="ellipsis", no_wrap=True)
            table.add_row("", shown)
        yield table

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)


def _name(event: StageStarted) -> str:
    command = f": {one_line(event.command)}" if event.command else ""
    return f"{words(event.stage)}{command}"


def _line(result: StageResult) -> Text:
    mark, style = MARKS[result.status]
    line = Text(f"{mark} ", style=style)
    line.append(f"{words(result.stage):<15}", style="bold")
    line.append(f"{result.seconds:>7.1f} s  ", style="dim")
    line.append(one_line(result.reason or result.command))
    return line
