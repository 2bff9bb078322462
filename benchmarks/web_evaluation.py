"""The web evaluation of the demo's sample, beside a bare Playwright script that visits its pages.

Both look at the same running application from a box with the same limits, in turns. Reach: the
stage in no more than 1.5 times the script, flows and interactive components included. What the
other looks at a change take by themselves is shown beside it.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assembly.demonstration import EXPLORER
from benchmarks.room import Room, ignore, room
from benchmarks.tables import Machine, Table, arguments, publish
from bot.domain.plan import (
    Stage,
    StageAttachment,
    StageEvent,
    StageFinished,
    StageResult,
    StageStatus,
)
from bot.domain.source import Origin
from bot.domain.validations import ValidationResult
from bot.domain.web import BasePicture, WebBase
from bot.services.validation_course import ValidationRequest
from demo.gemini.explorers import either
from demo.gemini.scripts import sensible
from demo.gemini.server import KEY, StandInGemini
from demo.repository import MAIN, SampleRepository, build_repository
from sandbox.engine import BoxSpec, Kind, joined
from sandbox.ownership import RUN
from sandbox.probe import MEGABYTE, PROBE_USER

REACH = 1.5
SCRIPT = Path(__file__).parent / "bare_browser.py"
PYTHON = "/opt/codegenapp/venv/bin/python"
SCOPE = "benchmark"
REMARK = """\
Medians of {rounds} rounds; branch `main` of the demo's sample: one page, at both sizes, vitals
three times. The stage also exercises {components} interactive components, each in a tab of its
own, and its browser was started while the build ran. Reach: at most {reach} × the script.
Against its base: branch `add-quantities`, whose {differ} pictures differ from those of `main`.
Code analysis: the same branch, {files} files in each tree. Explained: branch `typo-in-total`, by a
stand-in that answers at once, so that the time is ours."""


async def main() -> int:
    """Measure, and write the table; 1 where the reach was missed."""
    given = arguments(__doc__, rounds=3)
    stages: list[StageResult] = []
    scripts: list[dict[str, Any]] = []
    looks: list[Looks] = []
    with tempfile.TemporaryDirectory() as folder:
        sample = await build_repository(Path(folder) / "sample")
        async with (
            StandInGemini(either(EXPLORER, sensible)) as gemini,
            room(GEMINI_API_KEY=KEY, GEMINI_API_ENDPOINT=gemini.url) as place,
        ):
            machine = await Machine.look(place.engine)
            for _ in range(given.rounds):
                stage, script = await measured(place, Origin(str(sample.path), MAIN))
                stages.append(stage)
                scripts.append(script)
                looks.append(await looked(place, sample))
    ours = statistics.median(it.seconds for it in stages)
    bare = statistics.median(it["seconds"] for it in scripts)
    based = statistics.median(it.based.seconds for it in looks)
    code = statistics.median(it.code for it in looks)
    explained = statistics.median(it.explained for it in looks)
    evaluation, comparison = stages[0].evaluation, looks[0].based.comparison
    assert evaluation is not None
    assert comparison is not None
    remark = REMARK.format(
        rounds=given.rounds,
        components=len(evaluation.components),
        reach=REACH,
        differ=len(comparison.pictures),
        files=looks[0].files,
    )
    table = Table(
        ("seconds", "the stage", "the script", "ratio"),
        [
            ("the sample's pages", f"{ours:.2f}", f"{bare:.2f}", f"**{ours / bare:.2f}**"),
            ("the same, against its base", f"{based:.2f}", "", f"{based / bare:.2f}"),
            ("code analysis", f"{code:.2f}", "", ""),
            ("a failure explained", f"{explained:.2f}", "", ""),
        ],
        (remark,),
    )
    command = "python -m benchmarks.web_evaluation"
    publish("web-evaluation", command, machine, table, page=not given.no_page)
    return 0 if ours <= REACH * bare else 1


@dataclass(frozen=True)
class Looks:
    """The web evaluation with a base; seconds of the code analysis, and of explaining a failure."""

    based: StageResult
    code: float
    explained: float
    files: int


async def looked(place: Room, sample: SampleRepository) -> Looks:
    """A change that adds something, held against its base; and one that fails, explained."""
    pictures: dict[str, BasePicture] = {}

    async def keep(event: StageEvent) -> None:
        if isinstance(event, StageAttachment):
            pictures[event.name] = BasePicture(event.media_type, event.content)

    main, added, broken = (
        Origin(str(sample.path), name) for name in (MAIN, "add-quantities", "typo-in-total")
    )
    base = await place.pipeline.trigger_validation(
        ValidationRequest(main, scope=SCOPE, for_the_browser=True), keep
    )
    known = WebBase(base.head_sha, stage_of(base, Stage.WEB_EVALUATION).evaluation, "", pictures)
    based = await place.pipeline.trigger_validation(
        ValidationRequest(added, scope=SCOPE, base_sha=base.head_sha, web_base=known), ignore
    )
    failed = await place.pipeline.trigger_validation(ValidationRequest(broken, scope=SCOPE), ignore)
    return Looks(
        stage_of(based, Stage.WEB_EVALUATION),
        stage_of(based, Stage.CODE_ANALYSIS).seconds,
        stage_of(failed, Stage.ANALYSIS).seconds,
        int(stage_of(based, Stage.RETRIEVE).reason.split()[0]),
    )


def stage_of(result: ValidationResult, stage: Stage) -> StageResult:
    """What a stage found, which must have passed or, of a model, said something."""
    (found,) = (it for it in result.stages if it.stage is stage)
    assert found.status is StageStatus.PASSED, (found, result.reason)
    return found


async def measured(place: Room, origin: Origin) -> tuple[StageResult, dict[str, Any]]:
    """The stage, then the script on the application that the stage has looked at."""
    results: dict[Stage, StageResult] = {}

    async def listen(event: StageEvent) -> None:
        if isinstance(event, StageFinished):
            results[event.result.stage] = event.result

    run = str(uuid.uuid4())
    request = ValidationRequest(origin, scope=SCOPE, kept=True, environment_id=run)
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
