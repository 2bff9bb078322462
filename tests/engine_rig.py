"""An engine in a test's hands: labelled boxes in one line, and whole outcomes of commands."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sandbox.engine import BoxSpec, Channel, Engine, Execution
from tests.busybox import BUSYBOX_IMAGE

USER = "1000:1000"


@dataclass
class Rig:
    """An engine, the labels of one test, and short ways to make what tests need."""

    engine: Engine
    label: str
    labels: Mapping[str, str]
    channels: list[Channel] = field(default_factory=list)

    @property
    def spec(self) -> BoxSpec:
        """A leased box that waits on its standard input."""
        return BoxSpec(
            image=BUSYBOX_IMAGE,
            labels=self.labels,
            entrypoint=(),
            command=("cat",),
            environment={"PATH": "/bin"},
            memory_bytes=32 * 1024 * 1024,
            pids=64,
        )

    async def box(self, **changes: object) -> str:
        """A started box; its channel stays open until the test's end."""
        box, _ = await self.leased(**changes)
        return box

    async def leased(self, **changes: object) -> tuple[str, Channel]:
        """A started box and its channel."""
        box = await self.engine.create(replace(self.spec, **changes))  # type: ignore[arg-type]
        channel = await self.engine.attach(box)
        self.channels.append(channel)
        await self.engine.start(box)
        return box, channel

    async def shell(self, box: str, line: str, **environment: str) -> Execution:
        return await self.engine.execute(
            box, ("sh", "-c", line), user=USER, environment=environment
        )

    async def outcome(self, box: str, line: str, **environment: str) -> tuple[int, str]:
        """Exit code and whole output of a line of shell."""
        execution = await self.shell(box, line, **environment)
        output = b""
        while (chunk := await execution.read()) is not None:
            output += chunk
        code = await ended(execution)
        await execution.close()
        return code, output.decode()


async def ended(execution: Execution) -> int:
    """The exit code of an execution that is about to end."""
    async with asyncio.timeout(10):
        while (code := await execution.exit_code()) is None:
            await pause()
    return code


async def pause() -> None:
    """A moment, for what can only be polled."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()


async def cleared(engine: Engine, label: str) -> Sequence[str]:
    """Remove all that carries a label; says what there was."""
    left = []
    for box in await engine.list_boxes(label):
        await engine.remove(box.id)
        left.append(f"box {box.name}")
    for network in await engine.list_networks(label):
        await engine.remove_network(network.id)
        left.append(f"network {network.name}")
    for image in await engine.list_images(label):
        for tag in image.tags or (image.id,):
            await engine.remove_image(tag)
            left.append(f"image {tag}")
    return left
