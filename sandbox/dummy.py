"""An engine in memory: for dry runs, and for tests that need no Docker. Runs nothing of the host.

Boxes, networks, images and their labels behave as Docker's do, down to what is refused. What a
command does is told by a script (``dummy_shell.Scripted`` or a program of one's own) or played by
a small shell. ``go_away`` and ``come_back`` are the faults.
"""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from string import Template

from bot.ports.clock import Clock
from sandbox.dummy_box import DummyBox, DummyChannel, DummyExecution, DummyNetwork
from sandbox.dummy_images import DummyImages, collected, identity, unpacked
from sandbox.dummy_shell import KILLED, Output, Program, Scripted, Sleep, linger
from sandbox.engine import (
    NO_NETWORK,
    BoxSpec,
    BoxState,
    EngineGone,
    EngineInfo,
    EngineRefused,
    Image,
    NetworkSpec,
    NotThere,
    Thing,
    Usage,
)

CONFLICT = 409
FORBIDDEN = 403
GIBIBYTE = 1024**3

JOINED = "container:"


class DummyEngine:
    """``sandbox.engine.Engine`` in memory.

    ``script`` maps a command (the line of an ``sh -c``, else its words as a shell would quote
    them) to what it does. ``registry`` holds what ``pull`` finds. ``clock`` tells when images are
    made and how long sleeps last; without one every look at the time is a second later than the
    one before, and sleeps are real.
    """

    def __init__(
        self,
        script: Mapping[str, Program] | None = None,
        *,
        registry: Iterable[str] = (),
        clock: Clock | None = None,
    ) -> None:
        self._script = dict(script or {})
        self._registry = frozenset(registry)
        self._now: Callable[[], float] = itertools.count(1.0).__next__
        self._sleep: Sleep = linger
        if clock is not None:
            self._now = lambda: clock.now().timestamp()
            self._sleep = clock.sleep
        self._boxes: dict[str, DummyBox] = {}
        self._networks: dict[str, DummyNetwork] = {}
        self._images = DummyImages(self._now)
        self._listeners: list[tuple[str, asyncio.Queue[str]]] = []
        self._calls_to_fail = 0.0
        self._went_away = asyncio.Event()

    # ── faults ───────────────────────────────────────────────────────────────────────────────

    def go_away(self, calls: float = float("inf")) -> None:
        """Fail the next so many verbs, and whatever waits now, as an engine that is not there."""
        self._calls_to_fail = calls
        self._went_away.set()
        self._went_away = asyncio.Event()

    def come_back(self) -> None:
        """Answer again. The boxes are as they were."""
        self._calls_to_fail = 0

    async def _reach(self) -> None:
        """What every verb does first: go to the engine, which may not be there."""
        await asyncio.sleep(0)  # noqa: TID251 - gives others their turn; no time passes
        if self._calls_to_fail > 0:
            self._calls_to_fail -= 1
            raise EngineGone("The dummy engine does not answer: a test had it go away.")

    async def _until(self, event: asyncio.Event) -> None:
        """Wait for an event, as long as the engine is there."""
        waits = [asyncio.create_task(each.wait()) for each in (event, self._went_away)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if not event.is_set():
            raise EngineGone("The dummy engine hung up: a test had it go away.")

    # ── boxes ────────────────────────────────────────────────────────────────────────────────

    async def info(self) -> EngineInfo:
        await self._reach()
        return EngineInfo("dummy", "0", cpus=2, memory_bytes=8 * GIBIBYTE, architecture="x86_64")

    async def close(self) -> None:
        """End what still runs: nobody could reach it any more."""
        tasks = [process.task for box in self._boxes.values() for process in box.processes]
        for box in list(self._boxes.values()):
            box.end(KILLED)
        await asyncio.gather(*filter(None, tasks), return_exceptions=True)

    async def create(self, spec: BoxSpec) -> str:
        await self._reach()
        image = self._images.get(spec.image)
        if spec.name and any(spec.name == box.spec.name for box in self._boxes.values()):
            raise EngineRefused(f"The box name {spec.name} is already in use.", CONFLICT)
        box = DummyBox(
            identity(), spec, image, self._script, self._ended, self._starved, self._sleep
        )
        if not _is_closed(spec.network):
            self._network(spec.network).join(box.id, spec.address)
        self._boxes[box.id] = box
        return box.id

    async def attach(self, box: str) -> DummyChannel:
        await self._reach()
        return DummyChannel(self._box(box))

    async def start(self, box: str) -> None:
        await self._reach()
        found = self._box(box)
        if found.spec.network.startswith(JOINED):
            try:
                self._running(found.spec.network.removeprefix(JOINED))
            except EngineRefused:
                self._ended(found)
                raise
        if not found.running:
            found.boot(f"{self._now():g}")

    async def execute(
        self,
        box: str,
        command: Sequence[str],
        *,
        user: str,
        environment: Mapping[str, str],
        working_directory: str = "",
    ) -> DummyExecution:
        await self._reach()
        found = self._running(box)
        process = found.process(tuple(command), user, environment, working_directory, Output())
        found.start(process)
        return DummyExecution(self._reach, process)

    async def put_archive(self, box: str, path: str, tar: AsyncIterator[bytes]) -> None:
        await self._reach()
        found = self._box(box)
        if found.spec.read_only:
            raise EngineRefused("container rootfs is marked read-only", FORBIDDEN)
        found.files.update(unpacked(await collected(tar), path))

    async def state(self, box: str) -> BoxState:
        await self._reach()
        found = self._box(box)
        networks = self._networks.values() if found.running else ()
        return BoxState(
            running=found.running,
            exit_code=found.exit_code,
            out_of_memory=found.out_of_memory,
            addresses={
                net.name: net.members[found.id] for net in networks if found.id in net.members
            },
            started_at=found.started_at,
        )

    async def usage(self, box: str) -> Usage:
        await self._reach()
        found = self._box(box)
        init = 1 if found.running and found.spec.lease else 0
        return Usage(found.disk_bytes, len(found.processes) + init)

    async def wait(self, box: str) -> int | None:
        await self._reach()
        try:
            found = self._box(box)
        except NotThere:
            return None
        await self._until(found.ended)
        return found.exit_code

    async def kill(self, box: str) -> None:
        await self._reach()
        if found := self._find(box):
            found.end(KILLED)

    async def remove(self, box: str) -> None:
        await self._reach()
        if found := self._find(box):
            found.end(KILLED)
            self._forget(found)

    # ── networks ─────────────────────────────────────────────────────────────────────────────

    async def create_network(self, spec: NetworkSpec) -> str:
        await self._reach()
        subnet = ipaddress.IPv4Network(spec.subnet)
        for other in self._networks.values():
            if other.name == spec.name:
                raise EngineRefused(f"network with name {spec.name} already exists", CONFLICT)
            if other.subnet.overlaps(subnet):
                raise EngineRefused("Pool overlaps with other one on this address space", FORBIDDEN)
        network = DummyNetwork(identity(), spec.name, subnet, dict(spec.labels))
        self._networks[network.id] = network
        return network.id

    async def connect(self, network: str, box: str, address: str = "") -> None:
        await self._reach()
        found, member = self._network(network), self._box(box)
        if _is_closed(member.spec.network):
            raise EngineRefused("a box without a network of its own joins none", FORBIDDEN)
        found.join(member.id, address)

    async def disconnect(self, network: str, box: str) -> None:
        await self._reach()
        found, member = self._find_network(network), self._find(box)
        if found and member:
            found.members.pop(member.id, None)

    async def remove_network(self, network: str) -> None:
        await self._reach()
        if found := self._find_network(network):
            del self._networks[found.id]

    # ── what is there ────────────────────────────────────────────────────────────────────────

    async def list_boxes(self, label: str) -> Sequence[Thing]:
        await self._reach()
        return [
            Thing(box.id, box.spec.name, box.labels, running=box.running)
            for box in self._boxes.values()
            if _carries(box.labels, label)
        ]

    async def list_networks(self, label: str) -> Sequence[Thing]:
        await self._reach()
        return [
            Thing(network.id, network.name, network.labels)
            for network in self._networks.values()
            if _carries(network.labels, label)
        ]

    async def list_images(self, label: str) -> Sequence[Image]:
        await self._reach()
        return [image for image in self._images.all() if _carries(image.labels, label)]

    # ── images ───────────────────────────────────────────────────────────────────────────────

    async def image(self, reference: str) -> Image | None:
        await self._reach()
        found = self._images.find(reference)
        return found.about if found else None

    async def pull(self, reference: str) -> None:
        await self._reach()
        if reference not in self._registry:
            raise NotThere(f"no registry gives {reference}", 404)
        self._images.keep(reference, {})

    async def import_image(
        self, tar: AsyncIterator[bytes], tag: str, *, labels: Mapping[str, str]
    ) -> str:
        await self._reach()
        return self._images.keep(tag, unpacked(await collected(tar)), labels=labels)

    async def build(
        self,
        context: bytes,
        tag: str,
        *,
        labels: Mapping[str, str],
        arguments: Mapping[str, str],
    ) -> AsyncGenerator[str, None]:
        """Read out the Dockerfile's instructions; ``RUN`` fails where the script says it does."""
        await self._reach()
        files = unpacked(context)
        if "Dockerfile" not in files:
            raise EngineRefused("Cannot locate specified Dockerfile: Dockerfile", 500)
        text = Template(files["Dockerfile"].decode()).safe_substitute(arguments)
        steps = [line for line in text.splitlines() if line.strip()]
        for number, step in enumerate(steps, start=1):
            line = f"Step {number}/{len(steps)} : {step}"
            yield line
            program = self._script.get(step.removeprefix("RUN "))
            if isinstance(program, Scripted) and program.exit_code:
                raise EngineRefused(f"{line}\nreturned a non-zero code: {program.exit_code}")
        yield f"Successfully tagged {tag}"
        self._images.keep(tag, files, labels=labels)

    async def commit(self, box: str, tag: str, *, labels: Mapping[str, str]) -> str:
        """Keep a box's files as an image; the box's own labels are emptied (see ``Engine``)."""
        await self._reach()
        found = self._box(box)
        return self._images.keep(
            tag,
            dict(found.files),
            labels={**dict.fromkeys(found.labels, ""), **labels},
            environment=found.environment,
        )

    async def tag(self, image: str, tag: str) -> None:
        await self._reach()
        self._images.tag(image, tag)

    async def remove_image(self, image: str) -> None:
        await self._reach()
        found = self._images.find(image)
        if found and not any(box.image is found for box in self._boxes.values()):
            self._images.remove(image)

    # ── events ───────────────────────────────────────────────────────────────────────────────

    async def out_of_memory_events(self, label: str) -> AsyncGenerator[str, None]:
        """Ids of boxes with ``label``; EngineGone where the engine goes away."""
        await self._reach()
        heard: asyncio.Queue[str] = asyncio.Queue()
        listener = (label, heard)
        self._listeners.append(listener)
        hung_up = asyncio.create_task(self._went_away.wait())
        try:
            while True:
                hearing = asyncio.create_task(heard.get())
                try:
                    await asyncio.wait((hearing, hung_up), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    hearing.cancel()
                if not hearing.done():
                    raise EngineGone("The dummy engine hung up: a test had it go away.")
                yield hearing.result()
        finally:
            hung_up.cancel()
            self._listeners.remove(listener)

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _ended(self, box: DummyBox) -> None:
        if box.spec.lease and not box.spec.kept:
            self._forget(box)

    def _starved(self, box: DummyBox) -> None:
        for label, heard in self._listeners:
            if _carries(box.labels, label):
                heard.put_nowait(box.id)

    def _forget(self, box: DummyBox) -> None:
        self._boxes.pop(box.id, None)
        for network in self._networks.values():
            network.members.pop(box.id, None)

    def _find(self, reference: str) -> DummyBox | None:
        named = (box for box in self._boxes.values() if reference and box.spec.name == reference)
        return self._boxes.get(reference) or next(named, None)

    def _box(self, reference: str) -> DummyBox:
        if found := self._find(reference):
            return found
        raise NotThere(f"No such container: {reference}", 404)

    def _running(self, reference: str) -> DummyBox:
        found = self._box(reference)
        if not found.running:
            raise EngineRefused(f"Container {reference} is not running", CONFLICT)
        return found

    def _find_network(self, reference: str) -> DummyNetwork | None:
        named = (net for net in self._networks.values() if net.name == reference)
        return self._networks.get(reference) or next(named, None)

    def _network(self, reference: str) -> DummyNetwork:
        if found := self._find_network(reference):
            return found
        raise NotThere(f"network {reference} not found", 404)


def _is_closed(network: str) -> bool:
    return network == NO_NETWORK or network.startswith(JOINED)


def _carries(labels: Mapping[str, str], wanted: str) -> bool:
    name, equals, value = wanted.partition("=")
    return name in labels and (not equals or labels[name] == value)
