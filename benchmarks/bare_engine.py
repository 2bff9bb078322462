"""The floor: what a validation asks of the engine, asked by a plain aiodocker script.

The same two boxes with the same hardening, the same archive, the same commands with the same
clearing between them, the same closed test, the same removal; and nothing else: no plan, no
events, no masking, no limits watched, no labels, no sweep, no deadline. What can run side by side
does. Of the product's code nothing runs in here; three texts are taken from it, so that they are
the same: the seccomp profile, the clearing command, the users' numbers.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiodocker import Docker
from aiodocker.containers import DockerContainer
from aiodocker.stream import Stream

from sandbox.box import CLEAR_SCRIPT, CLEAR_USER, SHELL, STEP_USER
from sandbox.seccomp import profile

MEGABYTE = 1024 * 1024
POLL_SECONDS = 0.005
LABEL = "codegenapp-benchmark"

CLOSED = {
    "type": "action",
    "id": 1,
    "verb": "closed",
    "targets": [["169.254.169.254", 80], ["172.17.0.1", 80], ["1.1.1.1", 443]],
}


@dataclass(frozen=True)
class Work:
    """What to do in the boxes: an uncompressed tar for ``/``, then shell commands in order."""

    image: str
    content: bytes
    commands: Sequence[str]
    environment: Mapping[str, str]
    cpus: float = 2.0


@dataclass
class Seen:
    """What was seen: each command's exit code and seconds, all output's size and checksum.

    ``boxes`` is what the engine knows of the two boxes, where that was asked for.
    """

    codes: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    size: int = 0
    checksum: int = 0
    boxes: list[Any] = field(default_factory=list)

    def take(self, data: bytes) -> None:
        """Count a piece of output."""
        self.size += len(data)
        self.checksum = zlib.crc32(data, self.checksum)


@asynccontextmanager
async def client(url: str | None = None) -> AsyncIterator[Docker]:
    """A client without aiohttp's usual limit of 100 connections; ``url`` None: the local engine."""
    path = (url or "unix:///var/run/docker.sock").removeprefix("unix://")
    if "://" in path:
        raise SystemExit(f"the bare script wants a local engine, and DOCKER_HOST is {url}")
    async with (
        aiohttp.UnixConnector(path, limit=0) as connector,
        Docker("unix://localhost", connector=connector) as docker,
    ):
        yield docker


async def run(docker: Docker, work: Work, *, inspect: bool = False) -> Seen:
    """One validation's worth of calls; ``inspect`` also asks how the boxes were made."""
    seen = Seen()
    application = await docker.containers.create(application_box(work))
    boxes, streams = [application], [application.attach(stdin=True, stdout=True, stderr=True)]
    try:
        await streams[0].__aenter__()
        await application.start()
        channel = await filled(docker, work, application, boxes, streams)
        if inspect:
            seen.boxes = [await box.show() for box in boxes]
        await closed(channel)
        clear = (SHELL, "-c", CLEAR_SCRIPT)
        for number, command in enumerate(work.commands):
            if number and await execute(application, clear, CLEAR_USER, {}, Seen(), None):
                raise RuntimeError("the box could not be cleared")
            shell = (SHELL, "-ec", command)
            began = asyncio.get_running_loop().time()
            code = await execute(application, shell, STEP_USER, work.environment, seen)
            seen.codes.append(code)
            seen.seconds.append(asyncio.get_running_loop().time() - began)
    finally:
        await asyncio.gather(*(stream.close() for stream in streams))
        await asyncio.gather(*(removed(box) for box in boxes))
    return seen


async def filled(
    docker: Docker,
    work: Work,
    application: DockerContainer,
    boxes: list[DockerContainer],
    streams: list[Stream],
) -> Stream:
    """Start the probe box while the tree is put in; both are entered for removal."""

    async def start() -> Stream:
        probe = await docker.containers.create(probe_box(work.image, application.id))
        boxes.append(probe)
        channel = probe.attach(stdin=True, stdout=True, stderr=True)
        streams.append(channel)
        await channel.__aenter__()
        await probe.start()
        return channel

    async def fill() -> None:
        await application.put_archive("/", work.content)  # type: ignore[no-untyped-call]

    channel, _ = await asyncio.gather(start(), fill())
    return channel


async def execute(
    box: DockerContainer,
    command: Sequence[str],
    user: str,
    environment: Mapping[str, str],
    seen: Seen,
    workdir: str | None = "/workspace",
) -> int:
    """Run one command to its end; its exit code as the engine says it."""
    execution = await box.exec(command, user=user, environment=environment, workdir=workdir)
    async with execution.start(detach=False) as stream:
        while (message := await stream.read_out()) is not None:
            seen.take(message.data)
        while (found := await execution.inspect())["Running"]:  # noqa: ASYNC110 - only polls tell
            await asyncio.sleep(POLL_SECONDS)  # noqa: TID251 - no code of the product in here
    return int(found["ExitCode"])


async def closed(channel: Stream) -> None:
    """Ask the probe whether the box is closed; raises RuntimeError where it is not."""
    await channel.write_in(json.dumps(CLOSED).encode() + b"\n")
    text = b""
    while b'"end"' not in text or not text.endswith(b"\n"):
        message = await channel.read_out()
        if message is None:
            raise RuntimeError(f"the probe ended: {text!r}")
        text += message.data if message.stream == 1 else b""
    answer = json.loads(text.splitlines()[-1])["result"]
    if answer["interfaces"] != ["lo"] or answer["routes"] or answer["open"] or answer["dns"]:
        raise RuntimeError(f"the box is not closed: {answer}")


async def removed(box: DockerContainer) -> None:
    """Remove a box and see it gone; its lease may have begun to remove it already."""
    try:
        await box.delete(force=True, v=True)
    except aiohttp.ClientError:
        raise
    except Exception as fault:
        status = getattr(fault, "status", 0)
        if status == 409:
            await gone(box)
        elif status != 404:
            raise


async def gone(box: DockerContainer) -> None:
    """Wait until a box that is being removed is gone."""
    try:
        await box.wait(condition="removed")
    except Exception as fault:
        if getattr(fault, "status", 0) != 404:
            raise


def application_box(work: Work) -> dict[str, Any]:
    """The box in which the commands run."""
    body = box(work.image, "65001:65001", [SHELL], ["-c", "while read -r line; do :; done"])
    body["HostConfig"] |= {
        "NetworkMode": "none",
        "ReadonlyRootfs": False,
        "ShmSize": 256 * MEGABYTE,
        "Tmpfs": {"/tmp": tmpfs(512)},
        "Memory": 2048 * MEGABYTE,
        "MemorySwap": 2048 * MEGABYTE,
        "NanoCpus": int(work.cpus * 1e9),
    }
    body["HostConfig"]["Ulimits"].append(ulimit("fsize", 4096 * MEGABYTE))
    return body


def probe_box(image: str, application: str) -> dict[str, Any]:
    """The box that looks at the first one, in its network."""
    body = box(
        image, "65003:65003", ["/usr/bin/python3"], ["-I", "/opt/codegenapp/probe.py"], "HOME=/tmp"
    )
    body["HostConfig"] |= {
        "NetworkMode": f"container:{application}",
        "ReadonlyRootfs": True,
        "ShmSize": 256 * MEGABYTE,
        "Tmpfs": {"/tmp": tmpfs(256)},
        "Memory": 1024 * MEGABYTE,
        "MemorySwap": 1024 * MEGABYTE,
        "NanoCpus": 1_000_000_000,
    }
    return body


def box(
    image: str, user: str, entrypoint: list[str], command: list[str], *environment: str
) -> dict[str, Any]:
    """What both boxes have in common: the lease, and the hardening."""
    return {
        "Image": image,
        "Labels": {LABEL: "bare"},
        "User": user,
        "Env": list(environment),
        "Entrypoint": entrypoint,
        "Cmd": command,
        "Tty": False,
        "OpenStdin": True,
        "StdinOnce": True,
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": {
            "Init": True,
            "AutoRemove": True,
            "Privileged": False,
            "CapDrop": ["ALL"],
            "CapAdd": [],
            "SecurityOpt": ["no-new-privileges:true", f"seccomp={profile()}"],
            "IpcMode": "private",
            "PidsLimit": 512,
            "Ulimits": [ulimit("core", 0), ulimit("nofile", 16384)],
            "LogConfig": {"Type": "none", "Config": {}},
        },
    }


def tmpfs(megabytes: int) -> str:
    """The options of a sized memory file system."""
    return f"rw,exec,nosuid,nodev,size={megabytes * MEGABYTE},mode=1777"


def ulimit(name: str, most: int) -> dict[str, Any]:
    """A limit of each process."""
    return {"Name": name, "Soft": most, "Hard": most}
