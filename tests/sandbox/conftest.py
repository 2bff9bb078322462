"""The sandbox as the product wires it, on the real engine, for one test at a time."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import sys
import tarfile
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import app
from bot.adapters.clock import SystemClock
from bot.adapters.git.source import GitSource
from bot.domain.plan import (
    Plan,
    Stage,
    StageEvent,
    StageFinished,
    StageNote,
    StageOutput,
    StageResult,
)
from bot.domain.source import EntryKind, Origin, TreeEntry
from bot.domain.validations import ValidationResult
from bot.ports.sandbox import Environment, StageEnded
from bot.services.validation_course import ValidationRequest
from bot.services.validation_pipeline import ValidationPipeline
from bot.settings import Settings
from sandbox.boxes import BoxSandbox
from sandbox.docker import DockerEngine
from sandbox.engine import Image
from sandbox.image_builder import ensure_image
from sandbox.ownership import INSTALLATION, Owner

CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
SHA = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class MemoryTree:
    """A tree of files given as text; a value that starts with ``->`` is a symlink's target."""

    files: Mapping[str, str]
    head_sha: str = SHA
    dirty: bool = False
    notes: Sequence[str] = ()

    @property
    def entries(self) -> Sequence[TreeEntry]:
        return [
            TreeEntry(path, EntryKind.FILE, "0" * 40, len(content))
            for path, content in self.files.items()
        ]

    async def read(self, path: str, limit: int = 1024 * 1024) -> bytes | None:
        content = self.files.get(path)
        return None if content is None else content.encode()[:limit]

    async def archive(self, prefix: str, uid: int) -> AsyncIterator[bytes]:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for path, content in self.files.items():
                entry = tarfile.TarInfo(f"{prefix}/{path}")
                entry.uid = entry.gid = uid
                entry.mode = 0o755
                if content.startswith("->"):
                    entry.type, entry.linkname = tarfile.SYMTYPE, content[2:]
                    tar.addfile(entry)
                else:
                    data = content.encode()
                    entry.size = len(data)
                    tar.addfile(entry, io.BytesIO(data))
        yield buffer.getvalue()


@dataclass
class Heard:
    """What a run has said."""

    events: list[StageEvent] = field(default_factory=list)

    async def __call__(self, event: StageEvent) -> None:
        self.events.append(event)

    @property
    def results(self) -> dict[Stage, StageResult]:
        return {it.result.stage: it.result for it in self.events if isinstance(it, StageFinished)}

    @property
    def output(self) -> str:
        return "".join(it.text for it in self.events if isinstance(it, StageOutput))

    @property
    def notes(self) -> list[str]:
        return [it.text for it in self.events if isinstance(it, StageNote)]


@dataclass
class Room:
    """A sandbox and its engine, and the verbs that most tests want."""

    sandbox: BoxSandbox
    engine: DockerEngine
    home: Path
    installation: str

    async def run(
        self,
        plan: Plan,
        files: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
        heard: Heard | None = None,
        *,
        kept: bool = False,
    ) -> Heard:
        """Carry a plan out and clean up; a stage that ends it is in what was heard."""
        heard = heard or Heard()
        environment_id = str(uuid.uuid4())
        tree = MemoryTree(files or {"README": "hello"})
        try:
            environment = await self.sandbox.open(
                environment_id, plan, tree, secrets or {}, heard, scope="test", kept=kept
            )
            await self.sandbox.run(environment)
        except StageEnded:
            pass
        finally:
            await self.sandbox.close(environment_id)
        return heard

    async def open(
        self,
        plan: Plan,
        files: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
        heard: Heard | None = None,
    ) -> Environment:
        """Open an environment; the caller closes it."""
        tree = MemoryTree(files or {"README": "hello"})
        return await self.sandbox.open(
            str(uuid.uuid4()), plan, tree, secrets or {}, heard or Heard(), scope="test"
        )

    async def left(self) -> list[str]:
        """The names of all that this installation has on the engine, proxies left out."""
        label = f"{INSTALLATION}={self.installation}"
        things = [*await self.engine.list_boxes(label), *await self.engine.list_networks(label)]
        return [
            it.name
            for it in things
            if "egress" not in it.labels["codegenapp.kind"] and "egress" not in it.name
        ]


@pytest.fixture(scope="session")
def proof(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first room leaves its proof that boxes are closed: the others need none."""
    return tmp_path_factory.mktemp("proof") / "closed.json"


@pytest.fixture
async def room(docker_host: str | None, tmp_path: Path, proof: Path) -> AsyncIterator[Room]:
    """The sandbox of an installation of its own, wired by ``app.py``; it must end empty."""
    environ = {"CODEGENAPP_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}
    if docker_host:
        environ["DOCKER_HOST"] = docker_host
    settings = Settings.from_env(environ)
    settings.home.mkdir(parents=True)
    if proof.exists():
        shutil.copy(proof, settings.home)
    async with AsyncExitStack() as stack:
        bench = await stack.enter_async_context(app.workbench(settings, lambda _: None))
        assert isinstance(bench.sandbox, BoxSandbox)
        engine = DockerEngine(docker_host)
        stack.push_async_callback(engine.close)
        await bench.sandbox.ready()
        shutil.copy(settings.home / proof.name, proof)
        installation = (settings.home / "installation-id").read_text()
        room = Room(bench.sandbox, engine, settings.home, installation)
        yield room
        left = await room.left()
    assert not left, f"the test left these behind: {left}"


@dataclass
class Validator:
    """The whole pipeline in a room; ``heard`` is what it said of the last validation."""

    room: Room
    heard: Heard = field(default_factory=Heard)

    async def __call__(self, folder: Path, **request: Any) -> ValidationResult:
        """Validate a folder. ``request`` are fields of ``ValidationRequest``."""
        clock = SystemClock()
        ca_bundle = CA_BUNDLE if CA_BUNDLE.exists() else None
        source = GitSource(clock, environment={"PATH": os.defpath}, ca_bundle=ca_bundle)
        pipeline = ValidationPipeline(source, self.room.sandbox, clock)
        self.heard = Heard()
        wanted = ValidationRequest(Origin(str(folder)), scope="test", **request)
        return await pipeline.trigger_validation(wanted, self.heard)


@pytest.fixture
async def validate(room: Room) -> AsyncIterator[Validator]:
    """Validates folders; the snapshots of it are gone at the end."""
    yield Validator(room)
    for image in await room.engine.list_images(f"{INSTALLATION}={room.installation}"):
        await room.engine.remove_image(image.id)


@pytest.fixture
def clock() -> SystemClock:
    """The machine's clock."""
    return SystemClock()


@pytest.fixture(scope="session")
def sandbox_image(docker_host: str | None, tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The sandbox's own image. The set-up builds it; where it did not, this takes minutes."""

    async def ensure() -> Image:
        engine = DockerEngine(docker_host)
        try:
            return await ensure_image(
                engine,
                app.IMAGE_FOLDER,
                ca_bundle=CA_BUNDLE.read_bytes() if CA_BUNDLE.exists() else None,
                build_arguments={},
                progress=lambda line: print(line, file=sys.stderr),  # noqa: T201 - shown by pytest
                labels={"codegenapp.kind": "image"},
                lock=tmp_path_factory.getbasetemp() / "image.lock",
                clock=SystemClock(),
            )
        finally:
            await engine.close()

    return asyncio.run(ensure())


@pytest.fixture
async def owner(tmp_path: Path, docker_engine: DockerEngine) -> AsyncIterator[Owner]:
    """An owner of an installation of its own; at the end the engine has nothing of it."""
    owner = Owner.claim(tmp_path / "home")
    yield owner
    owner.release()
    label = f"{INSTALLATION}={owner.installation}"
    boxes, networks = (
        await docker_engine.list_boxes(label),
        await docker_engine.list_networks(label),
    )
    for box in boxes:
        await docker_engine.remove(box.id)
    for network in networks:
        await docker_engine.remove_network(network.id)
    assert not boxes
    assert not networks
