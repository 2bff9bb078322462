"""The code analysis's box: an image of its own, no network, two trees in, one answer out.

The image (``sandbox/analysis_image/``) is built on first use. The trees go in over the box's
standard input and are read there, never run; its root is read-only. The input is also its lease:
when the controller dies, so does the box. Whatever happens, the box is gone at the end.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from bot.domain.code_analysis import (
    AnalysisState,
    BadAnalysis,
    CodeAnalysis,
    parse_analysis,
)
from bot.domain.problems import UserProblem
from bot.ports.source import Tree
from sandbox.engine import (
    NO_NETWORK,
    BoxSpec,
    Channel,
    EngineFault,
    EngineGone,
    EngineRefused,
    Image,
    Kind,
)
from sandbox.equipment import Equipment
from sandbox.image_builder import ensure_image
from sandbox.ownership import deadline_in

IMAGE_FOLDER = Path(__file__).parent / "analysis_image"
IMAGE_LIFETIME_SECONDS = 10 * 365 * 24 * 3600.0
USER = "65006:65006"
COMMAND = (
    "/opt/codegenapp/venv/bin/python",
    "-I",
    "-m",
    "sandbox.analysis_image.analyse",
)
MEGABYTE = 1024 * 1024
LONGEST_ANSWER = 512 * 1024
LONGEST_REASON = 300
PIECE = 256 * 1024
GRACE_SECONDS = 15.0
LAST_EVENT_SECONDS = 1.0


@dataclass(frozen=True)
class AnalysisLimits:
    """What an analysis may use. ``lines`` are those of one tree in languages that it knows.

    ``tree_bytes`` is the size of one tree as a whole, ``source_bytes`` of what is analysed of it.
    """

    lines: int = 100_000
    file_bytes: int = 512 * 1024
    source_bytes: int = 16 * MEGABYTE
    tree_bytes: int = 512 * MEGABYTE
    memory_mb: int = 2048
    cpus: float = 2.0
    seconds: float = 120.0


class AnalysisFault(EngineGone):
    """The box ended without an answer, or its answer is not of the protocol: ours."""


async def analysis_image(equipment: Equipment, progress: Callable[[str], None]) -> Image:
    """The analysis's image, built where it is missing. Raises UserProblem, EngineRefused."""
    deadline = deadline_in(equipment.clock.now(), IMAGE_LIFETIME_SECONDS)
    return await ensure_image(
        equipment.engine,
        IMAGE_FOLDER,
        ca_bundle=equipment.ca_bundle or None,
        build_arguments=equipment.index_variables,
        progress=progress,
        labels=equipment.owner.labels(Kind.IMAGE, "image", deadline),
        # The same as the sandbox image's: both make their base in that folder.
        lock=equipment.home / "image.lock",
        clock=equipment.clock,
    )


async def analyse(
    equipment: Equipment,
    run: str,
    head: Tree,
    base: Tree | None,
    *,
    progress: Callable[[str], None],
    limits: AnalysisLimits | None = None,
) -> CodeAnalysis:
    """Compare head with base, or look at the head alone; ``run`` is the validation's id.

    What the tree is to blame for, and a machine on which the image can't be had, is told by the
    result's state. Raises EngineFault where the engine, or the analysis itself, is at fault.
    """
    limits = limits or AnalysisLimits()
    for name, tree in (("head", head), ("base", base)):
        if tree is not None and sum(it.size for it in tree.entries) > limits.tree_bytes:
            megabytes = limits.tree_bytes // MEGABYTE
            return CodeAnalysis(
                AnalysisState.TOO_LARGE, f"the {name} is larger than {megabytes:,} MB as a whole"
            )
    try:
        image = await analysis_image(equipment, progress)
    except (UserProblem, EngineRefused) as problem:
        return CodeAnalysis(AnalysisState.UNAVAILABLE, _unavailable(problem))
    return await _Analysis(equipment, run, limits).of(image, head, base)


@dataclass
class _Analysis:
    """One analysis under way."""

    equipment: Equipment
    run: str
    limits: AnalysisLimits
    out_of_memory: bool = False

    async def of(self, image: Image, head: Tree, base: Tree | None) -> CodeAnalysis:
        engine, events = self.equipment.engine, self.equipment.events
        box = await engine.create(self._spec(image, await self._cpus()))
        events.watch(box, self._notice)
        channel: Channel | None = None
        try:
            channel = await engine.attach(box)
            await engine.start(box)
            async with asyncio.timeout(self.limits.seconds + GRACE_SECONDS):
                answer = await self._ask(channel, head, base)
            return await self._parsed(answer, head)
        except TimeoutError:
            return CodeAnalysis(AnalysisState.TIMED_OUT, self._too_long())
        finally:
            events.forget(box)
            await asyncio.shield(self._away(box, channel))

    def _spec(self, image: Image, cpus: float) -> BoxSpec:
        seconds = self.limits.seconds + GRACE_SECONDS
        return BoxSpec(
            image=image.id,
            labels=self.equipment.labels(Kind.PROBE, self.run, seconds),
            entrypoint=COMMAND[:1],
            command=COMMAND[1:],
            user=USER,
            network=NO_NETWORK,
            environment={
                "HOME": "/tmp",  # noqa: S108 - the box's, not ours
                "GIT_CONFIG_GLOBAL": "/dev/null",
                "GIT_CONFIG_NOSYSTEM": "1",
                "LANG": "C.UTF-8",
            },
            working_directory="/tmp",  # noqa: S108 - the box's, not ours
            read_only=True,
            tmpfs={"/tmp": 256 * MEGABYTE},  # noqa: S108 - the box's, not ours
            memory_bytes=self.limits.memory_mb * MEGABYTE,
            cpus=cpus,
            pids=128,
        )

    async def _cpus(self) -> float:
        """An engine refuses a box with more cores than it has."""
        return min(self.limits.cpus, float((await self.equipment.engine.info()).cpus))

    def _notice(self) -> None:
        self.out_of_memory = True

    async def _ask(self, channel: Channel, head: Tree, base: Tree | None) -> bytes:
        """Send the trees and read the answer; a box that ends early is not written to for ever."""
        sending = asyncio.create_task(self._send(channel, head, base))
        reading = asyncio.create_task(_answer(channel))
        try:
            await asyncio.wait((sending, reading), return_when=asyncio.FIRST_COMPLETED)
            if not reading.done() and (fault := sending.exception()):
                if not isinstance(fault, EngineFault):
                    raise fault  # the source's, not the box's
                async with asyncio.timeout(GRACE_SECONDS):
                    return await reading
            return await reading
        finally:
            for task in (sending, reading):
                task.cancel()
            await asyncio.gather(sending, reading, return_exceptions=True)

    async def _send(self, channel: Channel, head: Tree, base: Tree | None) -> None:
        limits = {
            "lines": self.limits.lines,
            "file_bytes": self.limits.file_bytes,
            "source_bytes": self.limits.source_bytes,
            "seconds": self.limits.seconds,
        }
        order = {"limits": limits, "base": base is not None}
        await channel.write(json.dumps(order).encode() + b"\n")
        for tree in (head, base):
            if tree is not None:
                async for frame in _framed(tree.archive("tree", 0)):
                    await channel.write(frame)

    async def _parsed(self, answer: bytes, head: Tree) -> CodeAnalysis:
        if not answer:
            if not self.out_of_memory:  # the event may come after the end
                await self.equipment.clock.sleep(LAST_EVENT_SECONDS)
            if self.out_of_memory:
                return CodeAnalysis(AnalysisState.OUT_OF_MEMORY, self._too_big())
            raise AnalysisFault("the code analysis ended without an answer")
        try:
            analysis = parse_analysis(answer)
        except BadAnalysis as fault:
            raise AnalysisFault(f"the code analysis: {fault}") from fault
        if stray := analysis.files - {it.path for it in head.entries}:
            raise AnalysisFault(f"the code analysis names {min(stray)!r}, which is not in the tree")
        return analysis

    def _too_big(self) -> str:
        return f"it needs more than {self.limits.memory_mb:,} MB of memory"

    def _too_long(self) -> str:
        return f"it took longer than {self.limits.seconds:g} s"

    async def _away(self, box: str, channel: Channel | None) -> None:
        try:
            if channel is not None:
                await channel.close()
        finally:
            await self.equipment.engine.remove(box)


def _unavailable(problem: UserProblem | EngineRefused) -> str:
    """Where the image can't be had: how the problem begins, and the last line that was said."""
    text = problem.message if isinstance(problem, UserProblem) else str(problem)
    first, *rest = [line.strip() for line in text.splitlines() if line.strip()] or ["no reason"]
    said = f"{first} {rest[-1]}" if rest else first
    return f"its image can't be built here: {said[:LONGEST_REASON]}"


async def _framed(tar: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A tar in frames: four bytes of length, then so many; length 0 is the end."""
    async for data in tar:
        for start in range(0, len(data), PIECE):
            piece = data[start : start + PIECE]
            yield len(piece).to_bytes(4, "big") + piece
    yield bytes(4)


async def _answer(channel: Channel) -> bytes:
    """All that the box prints, without its complaints. Raises AnalysisFault where that is much."""
    answer = bytearray()
    while (chunk := await channel.read()) is not None:
        stream, data = chunk
        if stream == 1:
            answer += data
            if len(answer) > LONGEST_ANSWER:
                raise AnalysisFault("the code analysis said more than its protocol allows")
    return bytes(answer)
