"""The container engine's verbs, as the sandbox needs them.

One suite (``tests/contract/test_engine.py``) holds for every engine. All sizes are bytes, all
times seconds. Every verb is bounded by the engine's own call timeout and raises:

- ``EngineGone`` when the engine does not answer, hangs up, or takes too long,
- ``NotThere`` when the named object does not exist (removing verbs swallow it: removed is removed),
- ``EngineRefused`` for every other answer that is not success, with the engine's own words.

A call to ``create``, ``create_network`` or ``connect`` that is cancelled has made nothing once it
is over, even where the engine was in the middle of making it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from sandbox.seccomp import profile


class EngineFault(Exception):
    """Something between us and the engine; never the author's fault."""


class EngineGone(EngineFault):
    """The engine does not answer, hung up in the middle, or took longer than the call may."""


class EngineSlow(EngineGone):
    """The engine took longer than the call may; it may yet be well otherwise."""


class EngineRefused(EngineFault):
    """The engine answered, and said no. ``status`` is the HTTP status, 0 where there is none."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class NotThere(EngineRefused):
    """The named box, network or image does not exist."""


class Kind(StrEnum):
    """What an object of ours is, as its label ``codegenapp.kind`` says."""

    APPLICATION = "application"
    PROBE = "probe"
    EGRESS = "egress"
    SERVICE = "service"
    NETWORK = "network"
    SNAPSHOT = "snapshot"
    IMAGE = "image"


NO_NETWORK = "none"


def joined(box_id: str) -> str:
    """The network mode of a box that shares another box's network."""
    return f"container:{box_id}"


@dataclass(frozen=True)
class BoxSpec:
    """A box to create.

    ``network`` is ``NO_NETWORK``, a network's name or id, or ``joined(box)``. A box with
    ``lease`` has an open standard input that ends when its controller goes (StdinOnce), runs
    under the engine's init, and is removed by the engine when it ends; with ``kept`` as well, its
    input stays open without a controller, and nobody removes it but ``remove``. ``user`` is
    ``uid:gid``; empty leaves the image's own. ``entrypoint`` and ``command`` of None leave the
    image's own. Capabilities are all dropped but ``capabilities``. ``read_only`` closes the root
    file system.
    ``tmpfs`` maps a path to its size. No file may grow beyond ``file_bytes``, 0 for no such limit.
    ``seccomp`` is an inline profile, empty for the engine's own.
    """

    image: str
    labels: Mapping[str, str]
    name: str = ""
    entrypoint: Sequence[str] | None = None
    command: Sequence[str] | None = None
    user: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    working_directory: str = ""
    network: str = NO_NETWORK
    address: str = ""
    dns: Sequence[str] = ()
    lease: bool = True
    kept: bool = False
    read_only: bool = False
    tmpfs: Mapping[str, int] = field(default_factory=dict)
    shm_bytes: int = 64 * 1024 * 1024
    memory_bytes: int = 512 * 1024 * 1024
    cpus: float = 1.0
    pids: int = 512
    file_bytes: int = 0
    capabilities: Sequence[str] = ()
    seccomp: str = field(default_factory=profile)


@dataclass(frozen=True)
class NetworkSpec:
    """A network to create. ``internal`` ones have no way out and no address on the host."""

    name: str
    subnet: str
    labels: Mapping[str, str]
    internal: bool = True


@dataclass(frozen=True)
class EngineInfo:
    """Who the engine is. ``id`` changes with its installation."""

    id: str
    version: str
    cpus: int
    memory_bytes: int
    architecture: str


@dataclass(frozen=True)
class BoxState:
    """What the engine knows of a box. ``exit_code`` is None while it runs."""

    running: bool
    exit_code: int | None
    out_of_memory: bool
    addresses: Mapping[str, str]
    started_at: str = ""


@dataclass(frozen=True)
class Usage:
    """What a box uses now.

    ``disk_bytes`` is its writable layer. ``pids`` counts as the limit does: threads too, and init.
    """

    disk_bytes: int
    pids: int


@dataclass(frozen=True)
class Thing:
    """A labelled object of the engine, as ``list_things`` finds it."""

    id: str
    name: str
    labels: Mapping[str, str]
    running: bool = False


@dataclass(frozen=True)
class Image:
    """An image. ``bytes`` is its whole size, ``tagged_at`` the time since the epoch of its tag."""

    id: str
    tags: Sequence[str]
    labels: Mapping[str, str]
    bytes: int
    created_at: float
    tagged_at: float
    environment: Mapping[str, str]
    architecture: str


class Channel(Protocol):
    """A box's standard streams, attached before its start, so that nothing is lost.

    Reading has back-pressure. ``read`` gives (stream, bytes) with stream 1 or 2, None at the end.
    Closing the channel closes the box's standard input: the lease ends.
    """

    async def write(self, data: bytes) -> None: ...

    async def read(self) -> tuple[int, bytes] | None: ...

    async def close(self) -> None: ...


class Execution(Protocol):
    """A command that runs in a box.

    ``read`` gives output chunks as they come, None at the end of the stream (which a background
    child may hold open after the command has ended). ``exit_code`` asks the engine: None while
    the command runs, else the code, which nothing in the box can forge.
    """

    async def read(self) -> bytes | None: ...

    async def exit_code(self) -> int | None: ...

    async def close(self) -> None: ...


class Engine(Protocol):
    """A container engine."""

    async def info(self) -> EngineInfo: ...

    async def create(self, spec: BoxSpec) -> str:
        """Create a box, not started; gives its id. A taken name is EngineRefused (409)."""

    async def attach(self, box: str) -> Channel:
        """Attach to a created box's streams; call it before ``start``."""

    async def start(self, box: str) -> None:
        """Start a created box. A leased one that can't start is refused and removed at once."""

    async def execute(
        self,
        box: str,
        command: Sequence[str],
        *,
        user: str,
        environment: Mapping[str, str],
        working_directory: str = "",
    ) -> Execution:
        """Start a command in a running box, standard input closed, output of both streams."""

    async def put_archive(self, box: str, path: str, tar: AsyncIterator[bytes]) -> None:
        """Unpack a tar stream at ``path`` of a created or running box (writable root)."""

    async def state(self, box: str) -> BoxState: ...

    async def usage(self, box: str) -> Usage: ...

    async def wait(self, box: str) -> int | None:
        """Wait until a started box has ended; its exit code, None where it is gone.

        Not time-limited, but EngineGone where the engine goes meanwhile.
        """

    async def kill(self, box: str) -> None:
        """End a box at once; a box that has ended or is gone is fine."""

    async def remove(self, box: str) -> None:
        """Kill and remove a box with its anonymous volumes; one that is gone is fine."""

    async def create_network(self, spec: NetworkSpec) -> str:
        """Create a network; gives its id. A subnet in use is EngineRefused."""

    async def connect(self, network: str, box: str, address: str = "") -> None: ...

    async def disconnect(self, network: str, box: str) -> None:
        """Take a box off a network, at once; one that is not on it is fine."""

    async def remove_network(self, network: str) -> None:
        """Remove a network; one that is gone is fine."""

    async def list_boxes(self, label: str) -> Sequence[Thing]:
        """All boxes, ended ones too, that carry ``label`` (``name`` or ``name=value``)."""

    async def list_networks(self, label: str) -> Sequence[Thing]: ...

    async def list_images(self, label: str) -> Sequence[Image]: ...

    async def image(self, reference: str) -> Image | None:
        """An image by tag or id; None where the engine has none."""

    async def pull(self, reference: str) -> None:
        """Pull an image; may take minutes.

        NotThere where a registry says that it has no such image, EngineRefused where none gives it.
        """

    async def import_image(
        self, tar: AsyncIterator[bytes], tag: str, *, labels: Mapping[str, str]
    ) -> str:
        """Make an image of one layer from a root file system's tar; gives its id."""

    def build(
        self,
        context: bytes,
        tag: str,
        *,
        labels: Mapping[str, str],
        arguments: Mapping[str, str],
    ) -> AsyncGenerator[str, None]:
        """Build an image from a tar of its context (``Dockerfile`` in it); yields the log's lines.

        Raises EngineRefused, with the last lines, when a step of it fails.
        """

    async def commit(self, box: str, tag: str, *, labels: Mapping[str, str]) -> str:
        """Keep a box's writable layer as an image, environment included; gives its id.

        The image keeps the names of the box's own labels too, emptied where ``labels`` lacks them.
        """

    async def tag(self, image: str, tag: str) -> None:
        """Tag an image (``repository:tag``) once more; ``tagged_at`` becomes now."""

    async def remove_image(self, image: str) -> None:
        """Untag and remove an image; one that is gone, or still in use, is fine."""

    def out_of_memory_events(self, label: str) -> AsyncGenerator[str, None]:
        """Ids of boxes with ``label`` in which the kernel ended a process for lack of memory.

        Listening begins with the first step and ends with ``aclose``; never by itself.
        """

    async def close(self) -> None:
        """Give the connection back."""
