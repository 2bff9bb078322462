"""What orchestration costs: 8 x `true` on a 10-file tree, beside the bare script, in turns.

Reach: 1.1 times the bare script's time at most.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from aiodocker import Docker

from benchmarks import bare_engine
from benchmarks.room import Room, plan_of, room
from benchmarks.tables import Machine, Table, arguments, publish, spread
from bot.domain.plan import StageEvent, StageFinished, StageStatus
from sandbox.ownership import KIND

REACH = 1.1
STEPS = 8
PLAN = plan_of(*["true"] * STEPS)


async def main() -> int:
    """Measure, and write the table; 1 where the reach was missed."""
    given = arguments(__doc__, pairs=30)
    async with room() as place, bare_engine.client(place.docker_host) as docker:
        work = await place.work(PLAN)
        await require_same_boxes(place, docker, work)
        machine = await Machine.look(place.engine)
        pairs = [await pair(place, docker, work) for _ in range(given.pairs)]
    ours, bare = zip(*pairs, strict=True)
    ratios = [a / b for a, b in pairs]
    table = Table(
        ("", "median (least to most)"),
        (
            ("product, s", spread(ours)),
            ("bare script, s", spread(bare)),
            ("**ratio of each pair**", f"**{spread(ratios, 3)}**"),
            ("reach", f"≤ {REACH}"),
        ),
        (f"{given.pairs} pairs. The boxes of both sides were made alike: compared first.",),
    )
    publish(
        "orchestration",
        "python -m benchmarks.orchestration",
        machine,
        table,
        page=not given.no_page,
    )
    return 0 if statistics.median(ratios) <= REACH else 1


async def pair(place: Room, docker: Docker, work: bare_engine.Work) -> tuple[float, float]:
    """Seconds of the product's run and of the bare one's just after it."""
    passed: list[bool] = []

    async def listen(event: StageEvent) -> None:
        if isinstance(event, StageFinished):
            passed.append(event.result.status is StageStatus.PASSED)

    async def bare() -> None:
        seen = await bare_engine.run(docker, work)
        assert seen.codes == [0] * STEPS

    seconds = await timed(lambda: place.validate(PLAN, listen)), await timed(bare)
    assert passed == [True] * STEPS
    return seconds


async def timed(work: Callable[[], Awaitable[None]]) -> float:
    """Seconds that it takes."""
    clock = asyncio.get_running_loop().time
    began = clock()
    await work()
    return clock() - began


async def require_same_boxes(place: Room, docker: Docker, work: bare_engine.Work) -> None:
    """See that the product's boxes and the bare ones are hardened alike, before measuring."""
    found: dict[str, Any] = {}

    async def look(event: StageEvent) -> None:
        if isinstance(event, StageFinished) and not found:
            for box in await place.engine.list_boxes(place.label):
                shown = await docker.containers.container(box.id).show()
                found[box.labels[KIND]] = shown

    await place.validate(PLAN, look)
    bare = (await bare_engine.run(docker, work, inspect=True)).boxes
    for ours, theirs in zip((found["application"], found["probe"]), bare, strict=True):
        one, other = made_of(ours), made_of(theirs)
        unlike = {key: (one[key], other[key]) for key in one if one[key] != other[key]}
        assert not unlike, unlike


def made_of(shown: Any) -> dict[str, Any]:
    """How a box was made, without the names that every box has of its own."""
    made = {**shown["Config"], **shown["HostConfig"]}
    made["NetworkMode"] = made["NetworkMode"].partition(":")[0]
    return {key: value for key, value in made.items() if key not in ("Labels", "Hostname")}


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
