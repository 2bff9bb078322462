"""1, 2, 4 and 8 validations at a time, beside the bare script at the same concurrency.

Reach: 90 % of the bare script's throughput at least.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import Awaitable, Callable

from aiodocker import Docker

from benchmarks import bare_engine
from benchmarks.room import Room, plan_of, room
from benchmarks.tables import Machine, Table, arguments, publish, spread

REACH = 0.9
CONCURRENCIES = (1, 2, 4, 8)
LEAST_A_ROUND = 8
REMARK = """\
Medians of {rounds} rounds; a validation has two steps of `true`, a 10-file tree and two boxes; a
round has {least} validations at least. Reach: ≥ {reach}."""
PLAN = plan_of("true", "true")


async def main() -> int:
    """Measure, and write the table; 1 where the reach was missed."""
    given = arguments(__doc__, rounds=5)
    async with room() as place, bare_engine.client(place.docker_host) as docker:
        machine = await Machine.look(place.engine)
        await one_round(place, docker, 1)  # the first of each side pays for what is made once
        found = {
            many: [await one_round(place, docker, many) for _ in range(given.rounds)]
            for many in CONCURRENCIES
        }
    ratios = {many: [ours / bare for ours, bare in rounds] for many, rounds in found.items()}
    table = Table(
        ("at a time", "product, a minute", "bare script, a minute", "ratio of each round"),
        [
            (
                str(many),
                f"{statistics.median(ours for ours, _ in rounds):.0f}",
                f"{statistics.median(bare for _, bare in rounds):.0f}",
                f"**{spread(ratios[many])}**",
            )
            for many, rounds in found.items()
        ],
        (REMARK.format(rounds=given.rounds, least=LEAST_A_ROUND, reach=REACH),),
    )
    publish("throughput", "python -m benchmarks.throughput", machine, table, page=not given.no_page)
    return 0 if all(statistics.median(it) >= REACH for it in ratios.values()) else 1


async def one_round(place: Room, docker: Docker, many: int) -> tuple[float, float]:
    """Validations a minute, of the product and then of the bare script."""
    work = await place.work(PLAN)

    async def bare() -> None:
        seen = await bare_engine.run(docker, work)
        assert seen.codes == [0, 0]

    return await rate(lambda: place.validate(PLAN), many), await rate(bare, many)


async def rate(once: Callable[[], Awaitable[None]], many: int) -> float:
    """How often a minute it can be done, so many at a time."""
    each = max(2, LEAST_A_ROUND // many)

    async def again_and_again() -> None:
        for _ in range(each):
            await once()

    clock = asyncio.get_running_loop().time
    began = clock()
    async with asyncio.TaskGroup() as group:
        for _ in range(many):
            group.create_task(again_and_again())
    return 60 * each * many / (clock() - began)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
