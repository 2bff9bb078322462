"""The product as ``app.py`` wires it, in a home of its own that is empty before and after."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import app
from benchmarks import bare_engine
from bot.adapters.clock import SystemClock
from bot.domain.plan import Limits, NetworkAccess, Plan, Stage, StageEvent, Step
from bot.domain.source import EntryKind, TreeEntry
from bot.ports.sandbox import Emit
from bot.services.validation_pipeline import ValidationPipeline
from bot.settings import Settings
from sandbox.box import STEP_UID, WORKSPACE, furniture, step_environment
from sandbox.boxes import BoxSandbox
from sandbox.docker import DockerEngine
from sandbox.engine import Image
from sandbox.ownership import INSTALLATION, Owner

FILES = {f"file-{number}.txt": f"file {number}\n" for number in range(10)}


@dataclass
class Files:
    """A tree of plain files, given as text."""

    files: Mapping[str, str] = field(default_factory=lambda: FILES)
    head_sha: str = "0" * 40
    dirty: bool = False
    notes: Sequence[str] = ()

    @property
    def entries(self) -> Sequence[TreeEntry]:
        """All of them, in order."""
        return [
            TreeEntry(path, EntryKind.FILE, "0" * 40, len(content))
            for path, content in self.files.items()
        ]

    async def read(self, path: str, limit: int = 1024 * 1024) -> bytes | None:
        """A file's beginning."""
        content = self.files.get(path)
        return None if content is None else content.encode()[:limit]

    async def archive(self, prefix: str, uid: int) -> AsyncIterator[bytes]:
        """The tree as one chunk of tar."""
        yield self.tar(prefix, uid)

    def tar(self, prefix: str = WORKSPACE.lstrip("/"), uid: int = STEP_UID) -> bytes:
        """The tree as a tar."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for path, content in self.files.items():
                entry = tarfile.TarInfo(f"{prefix}/{path}")
                entry.uid = entry.gid = uid
                entry.size = len(content.encode())
                tar.addfile(entry, io.BytesIO(content.encode()))
        return buffer.getvalue()


@dataclass
class Room:
    """The product's sandbox and pipeline, the engine, and the image that all boxes are made of."""

    sandbox: BoxSandbox
    pipeline: ValidationPipeline
    engine: DockerEngine
    image: Image
    home: Path
    docker_host: str | None
    ca_bundle: bytes

    async def validate(
        self, plan: Plan, emit: Emit | None = None, secrets: Mapping[str, str] | None = None
    ) -> None:
        """Open, run and close. Raises StageEnded where a step does not pass."""
        environment_id = str(uuid.uuid4())
        try:
            environment = await self.sandbox.open(
                environment_id, plan, Files(), secrets or {}, emit or ignore, scope="benchmark"
            )
            await self.sandbox.run(environment)
        finally:
            await self.sandbox.close(environment_id)

    async def work(self, plan: Plan) -> bare_engine.Work:
        """The same for the bare script."""
        cpus = min(plan.limits.cpus, float((await self.engine.info()).cpus))
        limits = plan.with_cpus(cpus).limits
        return bare_engine.Work(
            self.image.id,
            furniture(self.ca_bundle) + Files().tar(),
            [step.command for step in plan.steps],
            step_environment(self.image, limits, self.ca_bundle),
            cpus,
        )

    @property
    def label(self) -> str:
        """The label of all that this installation makes."""
        return f"{INSTALLATION}={(self.home / 'installation-id').read_text().strip()}"

    async def forget_snapshots(self) -> None:
        """Remove the images of this installation."""
        for image in await self.engine.list_images(self.label):
            await self.engine.remove_image(image.id)


def plan_of(*commands: str, limits: Limits | None = None, secrets: Sequence[str] = ()) -> Plan:
    """A plan of build steps without install, network, start."""
    steps = (Step(Stage.BUILD, command, secrets=tuple(secrets)) for command in commands)
    return Plan(steps=tuple(steps), prepare_network=NetworkAccess.NONE, limits=limits or Limits())


@asynccontextmanager
async def room(**more: str) -> AsyncIterator[Room]:
    """The product in a home of its own; at the end the engine has nothing of it.

    ``more`` are settings beside those of this process's environment.
    """
    with tempfile.TemporaryDirectory(prefix="codegenapp-benchmark-") as folder:
        home = Path(folder) / "home"
        home.mkdir()
        environ = {**os.environ, "CODEGENAPP_HOME": str(home), **more}  # noqa: TID251 - handed over
        settings = Settings.from_env(environ)
        ca_bundle = settings.ca_bundle.read_bytes() if settings.ca_bundle else b""
        engine = DockerEngine(settings.docker_host)
        try:
            image = await _image(engine, settings, ca_bundle)
            async with app.workbench(settings, print) as bench:
                assert isinstance(bench.sandbox, BoxSandbox)
                await bench.sandbox.ready()
                made = Room(
                    bench.sandbox,
                    bench.pipeline,
                    engine,
                    image,
                    home,
                    settings.docker_host,
                    ca_bundle,
                )
                try:
                    yield made
                finally:
                    await made.forget_snapshots()
            left = [*await engine.list_boxes(made.label), *await engine.list_networks(made.label)]
            assert not left, f"the benchmark left {left}"
        finally:
            await engine.close()


async def _image(engine: DockerEngine, settings: Settings, ca_bundle: bytes) -> Image:
    """The sandbox's image, built where it is missing, as the product would."""
    owner = Owner.claim(settings.home)
    try:
        return await app.find_image(settings, engine, owner, SystemClock(), ca_bundle, print)
    finally:
        owner.release()


async def ignore(event: StageEvent) -> None:
    """Listen to nothing."""
    del event
