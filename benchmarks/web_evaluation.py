"""The web evaluation of the demo's sample, beside a bare Playwright script that visits its pages.

Both look at the same running application from a box with the same limits, in turns. Reach: the
stage in no more than 1.5 times the script, flows and interactive components included.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

from benchmarks.room import Room, room
from benchmarks.tables import Machine, Table, arguments, publish
from bot.domain.plan import Stage, StageEvent, StageFinished, StageResult
from bot.domain.source import Origin
from bot.services.validation_course import ValidationRequest
from demo.repository import MAIN, build_repository
from sandbox.engine import BoxSpec, Kind, joined
from sandbox.ownership import RUN
from sandbox.probe import MEGABYTE, PROBE_USER

REACH = 1.5
SCRIPT = Path(__file__).parent / "bare_browser.py"
PYTHON = "/opt/codegenapp/venv/bin/python"
REMARK = """\
Medians of {rounds} rounds; branch `main` of the demo's sample: one page, at both sizes, vitals
three times. The stage also exercises {components} interactive components, each in a tab of its
own, and its browser was started while the build ran. Reach: at most {reach} × the script."""


async def main() -> int:
    """Measure, and write the table; 1 where the reach was missed."""
    given = arguments(__doc__, rounds=3)
    stages: list[StageResult] = []
    scripts: list[dict[str, Any]] = []
    machine: Machine | None = None
    with tempfile.TemporaryDirectory() as folder:
        repository = await build_repository(Path(folder) / "sample")
        origin = Origin(str(repository.path), MAIN)
        async with room() as place:
            machine = await Machine.look(place.engine)
            for _ in range(given.rounds):
                stage, script = await measured(place, origin)
                stages.append(stage)
                scripts.append(script)
    ours = statistics.median(it.seconds for it in stages)
    bare = statistics.median(it["seconds"] for it in scripts)
    evaluation = stages[0].evaluation
    assert evaluation is not None
    components = len(evaluation.components)
    table = Table(
        ("seconds", "the stage", "the script", "ratio"),
        [("the sample's pages", f"{ours:.2f}", f"{bare:.2f}", f"**{ours / bare:.2f}**")],
        (REMARK.format(rounds=given.rounds, components=components, reach=REACH),),
    )
    command = "python -m benchmarks.web_evaluation"
    publish("web-evaluation", command, machine, table, page=not given.no_page)
    return 0 if ours <= REACH * bare else 1


async def measured(place: Room, origin: Origin) -> tuple[StageResult, dict[str, Any]]:
    """The stage, then the script on the application that the stage has looked at."""
    results: dict[Stage, StageResult] = {}

    async def listen(event: StageEvent) -> None:
        if isinstance(event, StageFinished):
            results[event.result.stage] = event.result

    run = str(uuid.uuid4())
    request = ValidationRequest(origin, scope="benchmark", kept=True, environment_id=run)
    await place.pipeline.trigger_validation(request, listen)
    try:
        assert results[Stage.STABILITY].reason, results
        return results[Stage.WEB_EVALUATION], await scripted(place, run)
    finally:
        await place.pipeline.cleanup_environment(run)


async def scripted(place: Room, run: str) -> dict[str, Any]:
    """What the script says, from a box like the probe's."""
    boxes = await place.engine.list_boxes(f"{RUN}={run}")
    application, probe = (
        next(it for it in boxes if it.labels["codegenapp.kind"] == kind)
        for kind in (Kind.APPLICATION, Kind.PROBE)
    )
    box = await place.engine.create(
        BoxSpec(
            image=place.image.id,
            labels=probe.labels,
            entrypoint=(PYTHON,),
            command=("-c", SCRIPT.read_text(encoding="utf-8"), "http://localhost:3000/"),
            user=PROBE_USER,
            network=joined(application.id),
            environment={"HOME": "/tmp"},
            read_only=True,
            tmpfs={"/tmp": 256 * MEGABYTE},
            shm_bytes=256 * MEGABYTE,
            memory_bytes=2048 * MEGABYTE,
            cpus=2.0,
        )
    )
    channel = await place.engine.attach(box)
    try:
        await place.engine.start(box)
        said = b""
        while (chunk := await channel.read()) is not None:
            said += chunk[1]
    finally:
        await channel.close()
    told: dict[str, Any] = json.loads(said)
    return told


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
