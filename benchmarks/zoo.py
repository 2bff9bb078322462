"""The zoo: small applications, most with one planted fault; what is told of each, and where.

Each is a git repository that goes through the product's pipeline, in a real box and a real browser.
With names, only those are visited, and the page is left alone; ``--keep FOLDER`` leaves each result
as JSON; ``--told FILE`` writes the table of a tour that ``tests/sandbox/test_zoo.py`` has left.
Exits with 1 where anything is told wrongly.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.room import room
from benchmarks.tables import Machine, Table, publish
from bot.adapters.clock import SystemClock
from bot.domain.plan import Stage
from tests.zoo.animals import Animal, Kind, Told, animals
from tests.zoo.visits import AT_A_TIME, Visit, tour

COMMAND = "python -m benchmarks.zoo"
NOTHING = "nothing"
SUMMARY = """\
Rows: where the fault was planted; columns: where it was told. Of {faults} faults **{faults_right}**
were told right in all: verdict, stage, whose failure it is, the place, and what the report must
name. Of {faultless} applications without a fault **{alarms}** gave an alarm, a finding or a remark.
Of {advice} faults that are advice by design, and fail nothing, **{advice_right}** were told as
that. All {total}, {at_a_time} at a time, took {minutes:.0f} minutes; the seconds are those of
one validation."""
WRONG = "What was told wrongly:\n\n{}"


@dataclass(frozen=True)
class Tour:
    """What was told of each animal, and where and when that was."""

    told: Sequence[tuple[Animal, Told]]
    machine: Machine
    began: datetime
    seconds: float
    at_a_time: int

    @property
    def wrong(self) -> list[str]:
        """A line for each that was told wrongly."""
        return [
            f"{animal.name}: {'; '.join(told.misses)}"
            for animal, told in self.told
            if not told.right
        ]

    def save(self, path: Path) -> None:
        """Leave it for ``--told``."""
        path.parent.mkdir(parents=True, exist_ok=True)
        given = {
            "machine": asdict(self.machine),
            "began": self.began.isoformat(),
            "seconds": self.seconds,
            "at_a_time": self.at_a_time,
            "told": {animal.name: asdict(told) for animal, told in self.told},
        }
        path.write_text(json.dumps(given, indent=1))

    @classmethod
    def load(cls, path: Path) -> Tour:
        """The tour that somebody has left."""
        given: dict[str, Any] = json.loads(path.read_text())
        told = given["told"]
        return cls(
            [(animal, _told(told[animal.name])) for animal in animals(told)],
            Machine(**given["machine"]),
            datetime.fromisoformat(given["began"]),
            given["seconds"],
            given["at_a_time"],
        )


def _told(given: dict[str, Any]) -> Told:
    stage = Stage(given["stage"]) if given["stage"] else None
    return Told(**{**given, "stage": stage, "misses": tuple(given["misses"])})


async def visited(
    those: Iterable[Animal],
    at_a_time: int = AT_A_TIME,
    heard: Callable[[Visit], None] = print,
) -> Tour:
    """Visit some animals in a room of their own; ``heard`` gets each at its end."""
    began, clock = SystemClock().now(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="codegenapp-zoo-") as folder:
        async with room(GEMINI_API_KEY="") as place:  # no model is asked
            machine = await Machine.look(place.engine)
            visits = await tour(those, place.pipeline, Path(folder), heard, at_a_time)
    told = [(visit.animal, visit.told) for visit in visits]
    return Tour(told, machine, began, time.monotonic() - clock, at_a_time)


def confusion(made: Tour) -> Table:
    """Where faults were planted, by where they were told; and a line for each animal."""
    judged = [(it, told) for it, told in made.told if it.kind is not Kind.ADVICE]
    counts = Counter((_planted(it), _shown(told.stage)) for it, told in judged)
    order = [*(stage.value for stage in Stage), NOTHING]
    rows = [it for it in order if any(planted == it for planted, _ in counts)]
    columns = [it for it in order if any(it in pair for pair in counts)]
    table = [
        [row, *(_count(counts[row, column], ours=row == column) for column in columns)]
        for row in rows
    ]
    remarks = [_summary(made), str(_each(made))]
    if made.wrong:
        remarks.append(WRONG.format("\n".join(f"- {it}" for it in made.wrong)))
    return Table(("planted ↓, told →", *columns), table, remarks)


def _each(made: Tour) -> Table:
    rows = [
        (
            f"`{animal.name}`",
            animal.what,
            animal.kind.value if animal.kind is not Kind.FAULT else "",
            _shown(told.stage),
            _code(told.place),
            "✓" if told.right else "✗",
            f"{told.seconds:.0f}",
        )
        for animal, told in sorted(made.told, key=lambda pair: _rank(pair[0]))
    ]
    head = ("application", "what is planted", "", "told at", "place told", "", "s")
    return Table(head, rows, left=5)


def _rank(animal: Animal) -> tuple[int, int, str]:
    stage = list(Stage).index(animal.stage) if animal.stage else 0
    return list(Kind).index(animal.kind), stage, animal.name


def _summary(made: Tour) -> str:
    count = Counter((animal.kind, told.right) for animal, told in made.told)
    return SUMMARY.format(
        faults=count[Kind.FAULT, True] + count[Kind.FAULT, False],
        faults_right=count[Kind.FAULT, True],
        advice=count[Kind.ADVICE, True] + count[Kind.ADVICE, False],
        advice_right=count[Kind.ADVICE, True],
        faultless=count[Kind.FAULTLESS, True] + count[Kind.FAULTLESS, False],
        alarms=count[Kind.FAULTLESS, False],
        total=len(made.told),
        at_a_time=made.at_a_time,
        minutes=made.seconds / 60,
    )


def _planted(animal: Animal) -> str:
    return _shown(animal.stage)


def _shown(stage: Stage | None) -> str:
    return stage.value if stage else NOTHING


def _code(text: str) -> str:
    return f"`{text}`" if (text := text.replace("`", "").replace("|", "\\|")) else "–"


def _count(number: int, *, ours: bool) -> str:
    return f"**{number}**" if ours else str(number or "")


def main() -> int:
    """Visit, and write the table; 1 where anything was told wrongly."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="*", help="only these")
    parser.add_argument("--at-a-time", type=int, default=AT_A_TIME)
    parser.add_argument("--keep", type=Path, help="leave each result here, as JSON")
    parser.add_argument("--told", type=Path, help="write the table of the tour in this file")
    parser.add_argument("--no-page", action="store_true", help="leave docs/performance.md alone")
    given = parser.parse_args()

    def heard(visit: Visit) -> None:
        print(visit, flush=True)
        if given.keep:
            given.keep.mkdir(parents=True, exist_ok=True)
            text = json.dumps(visit.result, indent=1, ensure_ascii=False)
            (given.keep / f"{visit.animal.name}.json").write_text(text)

    if given.told:
        made = Tour.load(given.told)
    else:
        made = asyncio.run(visited(animals(given.names), given.at_a_time, heard))
    page = not given.no_page and not given.names
    publish("zoo", COMMAND, made.machine, confusion(made), page=page, when=made.began)
    return 1 if made.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
