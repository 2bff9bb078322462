"""A dummy engine's boxes and networks, and the streams of what runs in them."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from sandbox.dummy_images import DummyImage, Files
from sandbox.dummy_shell import KILLED, STDERR, OutOfMemory, Output, Process, Program, Sleep, run
from sandbox.engine import BoxSpec, EngineRefused

BROKEN_PROGRAM = 255

BROKEN_PROGRAM = 255


@dataclass(eq=False)
class DummyNetwork:
    """A network and the addresses of the boxes on it, by box id. The first one is the gateway's."""

    id: str
    name: str
    subnet: ipaddress.IPv4Network
    labels: Mapping[str, str]
    members: dict[str, str] = field(default_factory=dict)

    def join(self, box: str, address: str) -> None:
        """Give a box an address, the one asked for or the next free one."""
        if box in self.members:
            raise EngineRefused(f"endpoint of {box} already exists in network {self.name}", 403)
        taken = set(self.members.values())
        _gateway, *hosts = (str(host) for host in self.subnet.hosts())
        free = [host for host in hosts if host not in taken]
        if address and address not in free:
            raise EngineRefused(f"address {address} is not free in network {self.name}", 403)
        if not free:
            raise EngineRefused(f"no address is free in network {self.name}", 403)
        self.members[box] = address or free[0]


@dataclass(eq=False)
class DummyBox:
    """A box: its files, its processes, its end.

    ``on_end`` and ``on_oom`` are the engine's ears; ``sleep`` is how time passes in it.
    """

    id: str
    spec: BoxSpec
    image: DummyImage
    script: Mapping[str, Program]
    on_end: Callable[[DummyBox], None]
    on_oom: Callable[[DummyBox], None]
    sleep: Sleep
    extra_bytes: int = 0
    exit_code: int | None = None
    out_of_memory: bool = False
    started_at: str = ""
    running: bool = False
    main: Process | None = None

    def __post_init__(self) -> None:
        self.files: Files = dict(self.image.files)
        self.labels = {**self.image.about.labels, **self.spec.labels}
        self.environment = {**self.image.about.environment, **self.spec.environment}
        self.stdin: asyncio.Queue[bytes] = asyncio.Queue()
        self.output = Output()
        self.ended = asyncio.Event()
        self.processes: set[Process] = set()

    def boot(self, moment: str) -> None:
        """Start the main process. The box ends when it does."""
        self.running, self.started_at, self.exit_code = True, moment, None
        self.ended.clear()
        entrypoint, command = self.spec.entrypoint or (), self.spec.command or ()
        self.main = self.process((*entrypoint, *command), self.spec.user, {}, "", self.output)
        self.main.stdin = self.stdin if self.spec.lease else None
        self.start(self.main)

    def process(
        self,
        command: tuple[str, ...],
        user: str,
        environment: Mapping[str, str],
        working_directory: str,
        output: Output,
    ) -> Process:
        """A process of this box, not yet running."""
        return Process(
            self,
            command,
            self.script,
            user or self.spec.user,
            {**self.environment, **environment},
            working_directory or self.spec.working_directory or "/",
            output,
        )

    def start(self, process: Process) -> None:
        self.processes.add(process)
        process.output.hold()
        process.task = asyncio.create_task(run(process))
        process.task.add_done_callback(lambda task: self._finish(process, task))

    def kill_all(self, user: str, but: Process) -> None:
        for process in list(self.processes):
            if process.user == user and process is not but:
                self._kill(process)

    def end(self, code: int) -> None:
        """End the box and all that runs in it."""
        if not self.running:
            return
        self.running, self.exit_code = False, code
        for process in list(self.processes):
            self._kill(process)
        self.ended.set()
        self.on_end(self)

    @property
    def disk_bytes(self) -> int:
        """What was written since the box was made."""
        before = self.image.files
        written = (data for path, data in self.files.items() if before.get(path) != data)
        return self.extra_bytes + sum(map(len, written))

    def _kill(self, process: Process) -> None:
        if process.exit_code is None:
            process.exit_code = KILLED
        if process.task is not None:
            process.task.cancel()

    def _finish(self, process: Process, task: asyncio.Task[int]) -> None:
        """Settle a process; a callback, since a task may be cancelled before its first step."""
        code = KILLED
        if not task.cancelled():
            fault = task.exception()
            if isinstance(fault, OutOfMemory):
                self.out_of_memory = True
                self.on_oom(self)
            elif fault is not None:
                code = BROKEN_PROGRAM
                process.output.leave(f"dummy: {fault!r}\n".encode(), STDERR)
            else:
                code = task.result()
        if process.exit_code is None:
            process.exit_code = code
        self.processes.discard(process)
        process.output.release()
        if process is self.main:
            self.end(process.exit_code)


class DummyChannel:
    """A ``Channel`` of a dummy box."""

    def __init__(self, box: DummyBox) -> None:
        self._box = box
        self._open = True

    async def write(self, data: bytes) -> None:
        if not self._open or self._box.ended.is_set():
            raise EngineRefused("The box takes no more input: it has ended.")
        if data:
            self._box.stdin.put_nowait(data)

    async def read(self) -> tuple[int, bytes] | None:
        return await self._box.output.read()

    async def close(self) -> None:
        if self._open:
            self._open = False
            if not self._box.spec.kept:
                self._box.stdin.put_nowait(b"")
            self._box.output.close()


class DummyExecution:
    """An ``Execution`` of a dummy box. ``reach`` fails where the engine is away."""

    def __init__(self, reach: Callable[[], Awaitable[None]], process: Process) -> None:
        self._reach = reach
        self._process = process

    async def read(self) -> bytes | None:
        chunk = await self._process.output.read()
        return None if chunk is None else chunk[1]

    async def exit_code(self) -> int | None:
        await self._reach()
        return self._process.exit_code

    async def close(self) -> None:
        self._process.output.close()
