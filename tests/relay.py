"""A relay in front of the container engine's socket, for when the engine has to go away."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from types import TracebackType
from typing import Self

ENGINE_SOCKET = "/var/run/docker.sock"


class Relay:
    """Passes connections on; ``go_away`` drops them all and refuses new ones."""

    def __init__(self, path: Path, docker_host: str | None) -> None:
        self.address = f"unix://{path}"
        self.docker_host = docker_host
        self._path = path
        self._engine = (docker_host or f"unix://{ENGINE_SOCKET}").removeprefix("unix://")
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.come_back()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.go_away()

    async def come_back(self) -> None:
        """Listen."""
        self._server = await asyncio.start_unix_server(self._serve, self._path)

    async def go_away(self) -> None:
        """Refuse, and drop what there is."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)
            self._server = None
        for line in list(self._lines):
            line.transport.abort()
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        there, thither = await asyncio.open_unix_connection(self._engine)
        self._lines |= {writer, thither}
        try:
            await asyncio.gather(_copy(reader, thither), _copy(there, writer))
        finally:
            self._lines -= {writer, thither}
            for line in (writer, thither):
                line.close()
                with contextlib.suppress(OSError):
                    await line.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy to the end, half-closes too: the engine tells by them that an input has ended."""
    with contextlib.suppress(OSError):
        while chunk := await reader.read(256 * 1024):
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
