"""Writes a benchmark's table into ``docs/performance.md``, with where and when it was measured."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bot.adapters.clock import SystemClock
from sandbox.engine import Engine

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
BUSY_SHARE = 0.5


@dataclass(frozen=True)
class Machine:
    """Where a measurement was made. ``load`` is the load average just before it began."""

    processor: str
    cores: int
    memory_gb: int
    engine: str
    load: float

    @classmethod
    async def look(cls, engine: Engine) -> Machine:
        """Look at the machine that runs it."""
        info = await engine.info()
        return cls(
            _processor(),
            info.cpus,
            round(info.memory_bytes / 1e9),
            info.version,
            os.getloadavg()[0],
        )

    def __str__(self) -> str:
        shared = "; other work ran on it" if self.load > BUSY_SHARE * self.cores else ""
        return (
            f"{self.processor}, {self.cores} cores, {self.memory_gb} GB, Docker {self.engine}, "
            f"Linux {platform.release().split('-')[0]}; load average before it {self.load:.1f}"
            f"{shared}"
        )


@dataclass(frozen=True)
class Table:
    """Rows under a head; ``remarks`` are sentences below it. ``left`` columns are of words."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    remarks: Sequence[str] = ()
    left: int = 1

    def __str__(self) -> str:
        sides = [":--"] * self.left + ["--:"] * (len(self.head) - self.left)
        lines = [_row(self.head), _row(sides)]
        lines += [_row(row) for row in self.rows]
        return "\n".join([*lines, *(f"\n{remark}" for remark in self.remarks)])


def publish(
    name: str,
    command: str,
    machine: Machine,
    table: Table,
    *,
    page: bool,
    when: datetime | None = None,
) -> None:
    """Print a table, and where ``page`` put it between its markers on the page."""
    day = (when or SystemClock().now()).strftime("%Y-%m-%d %H:%M UTC")
    text = f"{table}\n\n*`{command}`, {day}; {machine}.*"
    print(text)
    if page:
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        whole = PAGE.read_text()
        before, _, rest = whole.partition(begin)
        _, _, after = rest.partition(end)
        if not rest or begin not in whole or end not in whole:
            raise ValueError(f"{PAGE.name} has no place for {name}: {begin} {end}")
        PAGE.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def arguments(description: str | None, **counts: int) -> argparse.Namespace:
    """The command line: a number for each of ``counts``, and ``--no-page``."""
    parser = argparse.ArgumentParser(description=(description or "").split("\n")[0])
    for name, usual in counts.items():
        parser.add_argument(f"--{name}", type=int, default=usual, help=f"usually {usual}")
    parser.add_argument("--no-page", action="store_true", help="leave docs/performance.md alone")
    return parser.parse_args()


def spread(values: Iterable[float], digits: int = 2) -> str:
    """Median (least to most)."""
    found = list(values)
    median, least, most = statistics.median(found), min(found), max(found)
    return f"{median:.{digits}f} ({least:.{digits}f} to {most:.{digits}f})"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
