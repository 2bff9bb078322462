"""The product as its users start it: ``python app.py …`` in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import app
from sandbox.docker import DockerEngine
from sandbox.engine import Thing
from sandbox.ownership import INSTALLATION

PATIENCE = 90.0
T = TypeVar("T")

HEARS_SIGINT = ("env", "--default-signal=INT")
"""What a shell starts in the background ignores SIGINT, and so does all that it starts."""


@dataclass
class Product:
    """One installation: a home and a temporary folder of its own, and commands that use them."""

    folder: Path
    docker_host: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home = self.folder / "home"
        self.temporary = self.folder / "tmp"
        self.temporary.mkdir(parents=True, exist_ok=True)

    @property
    def environ(self) -> dict[str, str]:
        """What its processes find in their environment: little, and nothing of the tester's."""
        host = {"DOCKER_HOST": self.docker_host} if self.docker_host else {}
        own = {"CODEGENAPP_HOME": str(self.home), "TMPDIR": str(self.temporary)}
        return {"PATH": os.defpath, "LANG": "C.UTF-8"} | own | host | dict(self.environment)

    def start(self, *arguments: str, **environment: str) -> Command:
        """Start a command."""
        return Command(
            subprocess.Popen(
                [*HEARS_SIGINT, sys.executable, str(app.HERE / "app.py"), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self.environ | environment,
                cwd=self.folder,
                start_new_session=True,
            )
        )

    def run(self, *arguments: str, **environment: str) -> Command:
        """Run a command to its end."""
        command = self.start(*arguments, **environment)
        command.end()
        return command

    def things(self) -> list[Thing]:
        """All boxes and networks that carry this installation's label."""
        identity = self.home / "installation-id"
        if not identity.exists():
            return []
        label = f"{INSTALLATION}={identity.read_text()}"

        async def ask(engine: DockerEngine) -> list[Thing]:
            return [*await engine.list_boxes(label), *await engine.list_networks(label)]

        return with_engine(self.docker_host, ask)

    def forget_images(self) -> None:
        """Remove the snapshots that this installation has made."""
        label = f"{INSTALLATION}={(self.home / 'installation-id').read_text()}"

        async def forget(engine: DockerEngine) -> None:
            for image in await engine.list_images(label):
                await engine.remove_image(image.id)

        with_engine(self.docker_host, forget)

    def source_folders(self) -> list[str]:
        """What sources have in the temporary folder."""
        return [path.name for path in self.temporary.glob("codegenapp-git-*")]

    def boxes_end(self) -> list[Thing]:
        """Wait until no box runs any more; gives what is left."""
        end = time.monotonic() + PATIENCE
        while any(thing.running for thing in self.things()) and time.monotonic() < end:
            time.sleep(0.1)
        return self.things()


class Command:
    """A command under way. ``output`` and ``errors`` are whole once it has ended."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._heard = threading.Condition()
        self._streams = {"out": b"", "err": b""}
        assert process.stdout is not None
        assert process.stderr is not None
        self._readers = [
            threading.Thread(target=self._read, args=("out", process.stdout), daemon=True),
            threading.Thread(target=self._read, args=("err", process.stderr), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def output(self) -> str:
        return self._streams["out"].decode()

    @property
    def errors(self) -> str:
        return self._streams["err"].decode()

    @property
    def result(self) -> Any:
        """The JSON that it printed, and nothing beside it."""
        return json.loads(self.output)

    def wait_for(self, marker: str) -> None:
        """Wait until it has said something on standard error."""
        with self._heard:
            said = self._heard.wait_for(
                lambda: marker in self.errors or self.process.poll() is not None, PATIENCE
            )
        if not said or marker not in self.errors:
            self.kill()
            raise AssertionError(f"it did not say {marker!r}:\n{self.errors}\n{self.output}")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """Kill -9, as the kernel does when memory is short."""
        self.process.kill()
        self.end()

    def end(self) -> int:
        """Wait for its end; gives its exit code."""
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"it did not end:\n{self.errors}\n{self.output}") from None
        for reader in self._readers:
            reader.join(PATIENCE)
        return code

    def _read(self, name: str, stream: Any) -> None:
        with stream:
            while chunk := os.read(stream.fileno(), 65536):
                with self._heard:
                    self._streams[name] += chunk
                    self._heard.notify_all()
        with self._heard:
            self._heard.notify_all()


def with_engine(docker_host: str | None, do: Callable[[DockerEngine], Awaitable[T]]) -> T:
    """Do something with an engine, from a test that is not asynchronous."""

    async def run() -> T:
        engine = DockerEngine(docker_host)
        try:
            return await do(engine)
        finally:
            await engine.close()

    return asyncio.run(run())


def project(folder: Path, **deployment: str | int | float) -> Path:
    """A folder without git whose configuration file says only this of its deployment."""
    lines = [f"  {key}: {json.dumps(value)}" for key, value in deployment.items()]
    return configured(folder, "\n".join(["deployment:", *lines]))


def configured(folder: Path, configuration: str, files: Mapping[str, str] | None = None) -> Path:
    """A folder without git, with this configuration file and these files."""
    everything = {".github/codegenapp.yml": configuration + "\n", **(files or {})}
    for name, content in everything.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder
