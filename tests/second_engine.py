"""A container engine of the tests' own: a real ``dockerd`` that may be killed.

It lives in a network namespace of its own, so its bridge and its rules are nobody else's, and in
a folder of its own, with the sandbox's image taken over from the first engine.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from bot.adapters.clock import SystemClock
from sandbox.docker import DockerEngine
from sandbox.engine import EngineGone

ENGINE_SOCKET = "/var/run/docker.sock"
START_SECONDS = 60.0
STOP_SECONDS = 30.0
CLOCK = SystemClock()


class SecondEngine:
    """Starts when entered; ``go_away`` kills it with -9, ``come_back`` starts it again."""

    def __init__(self, dockerd: str) -> None:
        # Short, for a socket's path has room for 108 bytes; on a disk, for overlays need one.
        self._folder = Path(tempfile.mkdtemp(prefix="cga-", dir="/var/tmp"))
        self.address = f"unix://{self._folder / 's'}"
        self.docker_host = self.address
        self._dockerd = dockerd
        self._namespace: asyncio.subprocess.Process | None = None
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        try:
            self._namespace = await asyncio.create_subprocess_exec(
                "unshare", "--net", "sleep", "infinity", start_new_session=True
            )
            await self.come_back()
        except BaseException:
            await self._remove()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._remove()

    async def go_away(self) -> None:
        """Kill it, as the kernel does when memory is short."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def come_back(self) -> None:
        """Start it, and wait until it answers."""
        assert self._namespace is not None
        log = (self._folder / "log").open("ab")
        with log:
            self._process = await asyncio.create_subprocess_exec(
                *("nsenter", f"--net=/proc/{self._namespace.pid}/ns/net", self._dockerd),
                f"--host={self.address}",
                f"--data-root={self._folder / 'data'}",
                f"--exec-root={self._folder / 'exec'}",
                f"--pidfile={self._folder / 'pid'}",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        async with asyncio.timeout(START_SECONDS):
            while not await self._answers():
                assert self._process.returncode is None, self._said()
                await CLOCK.sleep(0.1)

    async def take_image(self, name: str, docker_host: str | None) -> None:
        """Take an image over from another engine."""
        theirs = (docker_host or f"unix://{ENGINE_SOCKET}").removeprefix("unix://")
        patience = aiohttp.ClientTimeout(total=None, sock_read=300)
        async with (
            _http(theirs) as source,
            _http(self.address.removeprefix("unix://")) as target,
            source.get(f"http://engine/images/{name}/get", timeout=patience) as saved,
        ):
            saved.raise_for_status()
            pieces: AsyncIterator[bytes] = saved.content.iter_chunked(1024 * 1024)
            async with target.post(
                "http://engine/images/load", data=pieces, timeout=patience
            ) as loaded:
                loaded.raise_for_status()
                await loaded.read()

    async def _answers(self) -> bool:
        engine = DockerEngine(self.address, call_timeout=5)
        try:
            await engine.info()
        except EngineGone:
            return False
        finally:
            await engine.close()
        return True

    async def _remove(self) -> None:
        for process in (self._process, self._namespace):
            if process is not None and process.returncode is None:
                process.terminate()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(STOP_SECONDS):
                        await process.wait()
        for pid in self._left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(STOP_SECONDS):
            while list(self._left()):
                await CLOCK.sleep(0.1)
        for mount in self._mounts():
            unmount = await asyncio.create_subprocess_exec("umount", "--lazy", mount)
            await unmount.wait()
        shutil.rmtree(self._folder)

    def _left(self) -> Iterator[int]:
        """Processes that name its folder: containerd, shims, and itself."""
        word = str(self._folder).encode()
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):
                    if word in (entry / "cmdline").read_bytes():
                        yield int(entry.name)

    def _mounts(self) -> list[str]:
        lines = Path("/proc/self/mounts").read_text().splitlines()
        paths = [line.split(" ")[1] for line in lines]
        return [path for path in reversed(paths) if path.startswith(f"{self._folder}/")]

    def _said(self) -> str:
        return (self._folder / "log").read_text(errors="replace")[-4000:]


def _http(socket: str) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.UnixConnector(socket))
