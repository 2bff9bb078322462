"""A step that prints a million lines: nothing lost, memory flat, and how fast it goes.

The bare script reads the same stream and counts it, without decoding, masking, cutting or keeping.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tracemalloc
import zlib
from dataclasses import dataclass, field, replace
from functools import cache

from aiodocker import Docker

from benchmarks import bare_engine
from benchmarks.room import Room, plan_of, room
from benchmarks.tables import Machine, Table, arguments, publish, spread
from bot.domain.masking import MASK
from bot.domain.plan import Plan, StageEvent, StageFinished, StageOutput, StageStatus

SECRET = "correct-horse-battery-staple"
PLAIN_COMMAND = "seq 1 {lines}"
SECRET_COMMAND = 'seq 1 {lines} | sed "s/000$/$TOKEN/"'
"""Every thousandth line ends with the secret."""

REMARK = """\
Medians of {rounds} rounds. In every one the offsets were contiguous and the checksum of all output
was that of what the step printed (`{mask}` for the secret, in every thousandth line). Memory is the
peak of what Python had allocated (`tracemalloc`) during one more run of its own, beyond what it had
before; a step's log keeps 1 MiB."""


@dataclass
class Listener:
    """Checks the events of a step as they come, and keeps none of them."""

    offset: int = 0
    checksum: int = 0
    gaps: int = 0
    passed: bool = False
    seconds: float = 0.0
    kept: int = 0

    async def __call__(self, event: StageEvent) -> None:
        match event:
            case StageOutput(_, offset, text):
                self.gaps += offset != self.offset
                self.offset = offset + len(text)
                self.checksum = zlib.crc32(text.encode(), self.checksum)
            case StageFinished(result):
                self.passed = result.status is StageStatus.PASSED
                self.seconds = result.seconds
                self.kept = len(result.log.head) + len(result.log.tail)


@dataclass
class Case:
    """One kind of output, measured. Rates are lines a second, ``memory`` is in MB."""

    name: str
    plan: Plan
    lines: int
    secret: bool
    rates: list[float] = field(default_factory=list)
    bare_rates: list[float] = field(default_factory=list)
    memory: float = 0.0

    @property
    def secrets(self) -> dict[str, str]:
        """What the step gets."""
        return {"TOKEN": SECRET} if self.secret else {}

    async def measure(self, place: Room, docker: Docker) -> None:
        """Once the product, once the bare script. Raises AssertionError where output is lost."""
        listener = await self.validate(place)
        self.rates.append(self.lines / listener.seconds)
        work = await place.work(self.plan)
        work = replace(work, environment={**work.environment, **self.secrets})
        seen = await bare_engine.run(docker, work)
        raw = printed(self.lines, SECRET if self.secret else "000")
        assert (seen.size, seen.checksum) == raw
        self.bare_rates.append(self.lines / seen.seconds[0])

    async def validate(self, place: Room) -> Listener:
        """Run it in the product, and check all that was heard."""
        listener = Listener()
        await place.validate(self.plan, listener, self.secrets)
        assert listener.passed
        assert listener.gaps == 0
        expected = printed(self.lines, MASK if self.secret else "000")
        assert (listener.offset, listener.checksum) == expected
        assert listener.kept <= 2 * self.plan.limits.log_bytes
        return listener

    async def weigh(self, place: Room) -> None:
        """See how much memory one run takes at most."""
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        await self.validate(place)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        self.memory = (most - before) / 1e6

    def row(self) -> tuple[str, ...]:
        """The case in the table."""
        ratios = [a / b for a, b in zip(self.rates, self.bare_rates, strict=True)]
        return (
            self.name,
            f"{statistics.median(self.rates):,.0f}",
            f"{statistics.median(self.bare_rates):,.0f}",
            f"**{spread(ratios)}**",
            f"{self.memory:.1f}",
        )


async def main() -> int:
    """Measure, and write the table."""
    given = arguments(__doc__, rounds=5)
    cases = [
        Case(
            f"{lines:,} lines{', one secret' if secret else ''}",
            plan_of(
                (SECRET_COMMAND if secret else PLAIN_COMMAND).format(lines=lines),
                secrets=("TOKEN",) if secret else (),
            ),
            lines,
            secret,
        )
        for lines in (100_000, 1_000_000, 10_000_000)
        for secret in (False, True)
    ]
    async with room() as place, bare_engine.client(place.docker_host) as docker:
        machine = await Machine.look(place.engine)
        for _ in range(given.rounds):
            for case in cases:
                await case.measure(place, docker)
        for case in cases:
            await case.weigh(place)
    table = Table(
        (
            "",
            "product, lines/s",
            "bare script, lines/s",
            "ratio of each round",
            "memory, MB",
        ),
        [case.row() for case in cases],
        (REMARK.format(rounds=given.rounds, mask=MASK),),
    )
    publish(
        "log-streaming",
        "python -m benchmarks.log_streaming",
        machine,
        table,
        page=not given.no_page,
    )
    return 0


@cache
def printed(lines: int, thousandth: str) -> tuple[int, int]:
    """Size and checksum of what ``seq`` prints, every thousandth line's ``000`` replaced."""
    size = checksum = 0
    for start in range(1, lines + 1, 1000):
        numbers = [f"{number}\n" for number in range(start, start + 1000)]
        numbers[-1] = f"{numbers[-1][:-4]}{thousandth}\n"
        text = "".join(numbers).encode()
        size, checksum = size + len(text), zlib.crc32(text, checksum)
    return size, checksum


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
