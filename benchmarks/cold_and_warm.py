"""The demo's sample, validated cold (nothing kept) and warm (from its snapshot), part by part.

Reach: warm under a third of cold, as far as installing goes: build, tests, the browser and the
settling time that the interface promises are the same in both.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.room import Room, room
from benchmarks.tables import Machine, Table, arguments, publish
from bot.domain.plan import Stage, StageEvent, StageFinished, StageResult, StageStarted
from bot.domain.source import Origin
from bot.domain.validations import ValidationResult, Verdict
from bot.services.validation_course import ValidationRequest
from demo.repository import build_repository

REACH = 1 / 3
BRANCH = "add-quantities"
REMARK = """\
Medians of {rounds} rounds; branch `{branch}` of the demo's sample. The first cold one of a process
also starts the proxy. The snapshot is made after the verdict and is not in these times. Reach: warm
in under a third of cold's time. It holds for the way to the ready box, which is what this program
judges. The whole can't: build, tests, start, the browser and what it leaves of the interface's
settling time are in both, and alone are **{floor:.2f}** of cold's whole."""
WORK = (Stage.BUILD, Stage.TEST, Stage.START, Stage.HEALTH, Stage.PORTS, Stage.WEB_EVALUATION)


@dataclass
class Course:
    """One validation's times, in seconds from its beginning, by the event loop's clock."""

    began: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    ready: float = 0.0
    whole: float = 0.0
    results: dict[Stage, StageResult] = field(default_factory=dict)
    hit: bool = False

    async def listen(self, event: StageEvent) -> None:
        """Note when the box was ready: the first stage after install begins."""
        match event:
            case StageStarted(Stage.BUILD):
                self.ready = self._now()
            case StageFinished(result):
                self.results[result.stage] = result

    async def tell(self, result: ValidationResult) -> None:
        """Note the end; the snapshot is made after it."""
        self.whole = self._now()
        assert result.verdict is Verdict.PASSED, result.reason
        assert result.snapshot is not None
        self.hit = result.snapshot.hit

    def stages(self, *stages: Stage) -> float:
        """The seconds of some stages."""
        return sum(self.results[stage].seconds for stage in stages)

    def _now(self) -> float:
        return asyncio.get_running_loop().time() - self.began


PARTS: Mapping[str, Callable[[Course], float]] = {
    "retrieve": lambda it: it.stages(Stage.RETRIEVE),
    "install": lambda it: it.stages(Stage.INSTALL),
    "boxes, network, proxy, closed test": lambda it: (
        it.ready - it.stages(Stage.RETRIEVE, Stage.INSTALL)
    ),
    "**until the box is ready**": lambda it: it.ready,
    "build, test, start, health, ports, browser": lambda it: it.stages(*WORK),
    "stability: what is left of 5 s": lambda it: it.stages(Stage.STABILITY),
    "the rest: cleaning up": lambda it: it.whole - it.ready - it.stages(*WORK, Stage.STABILITY),
    "**whole**": lambda it: it.whole,
}


async def main() -> int:
    """Measure, and write the table; 1 where the reach was missed."""
    given = arguments(__doc__, rounds=3)
    first: list[Course] = []
    cold: list[Course] = []
    warm: list[Course] = []
    machine: Machine | None = None
    with tempfile.TemporaryDirectory() as folder:
        repository = await build_repository(Path(folder) / "sample")
        request = ValidationRequest(Origin(str(repository.path), BRANCH), scope="benchmark")
        for _ in range(given.rounds):
            async with room() as place:
                machine = machine or await Machine.look(place.engine)
                first.append(await validated(place, request, hit=False))
                await place.forget_snapshots()
                cold.append(await validated(place, request, hit=False))
                warm.append(await validated(place, request, hit=True))
    assert machine is not None, "no rounds, no table"
    floor = statistics.median(it.stages(*WORK, Stage.STABILITY) / it.whole for it in cold)
    table = Table(
        ("seconds", "cold, first of a process", "cold", "warm", "warm ÷ cold"),
        [row(name, part, first, cold, warm) for name, part in PARTS.items()],
        (REMARK.format(rounds=given.rounds, branch=BRANCH, floor=floor),),
    )
    publish(
        "cold-and-warm",
        "python -m benchmarks.cold_and_warm",
        machine,
        table,
        page=not given.no_page,
    )
    ready = [statistics.median(it.ready for it in courses) for courses in (cold, warm)]
    return 0 if ready[1] < REACH * ready[0] else 1


async def validated(place: Room, request: ValidationRequest, *, hit: bool) -> Course:
    """Validate once; the snapshot is there when it returns."""
    course = Course()
    await place.pipeline.trigger_validation(request, course.listen, course.tell)
    assert course.hit is hit
    return course


def row(name: str, part: Callable[[Course], float], *columns: Sequence[Course]) -> tuple[str, ...]:
    """One part of all three kinds, and what warm is of cold."""
    medians = [statistics.median(part(it) for it in courses) for courses in columns]
    ratio = f"{medians[2] / medians[1]:.2f}" if medians[1] > 0.05 else "–"
    if name.startswith("**"):
        ratio = f"**{ratio}**"
    return (name, *(f"{it:.2f}" for it in medians), ratio)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
