"""A box's streams and a command's output, over connections that Docker hands over."""

from __future__ import annotations

from aiodocker.stream import Stream

from sandbox.docker_wire import FOREVER, Wire, closed
from sandbox.engine import EngineRefused


class DockerChannel:
    """A ``Channel``: standard input, output and errors of one box, attached before its start."""

    def __init__(self, wire: Wire, stream: Stream) -> None:
        self._wire = wire
        self._stream = stream

    async def write(self, data: bytes) -> None:
        """Send to the box's standard input. EngineRefused where nothing reads it any more."""
        async with self._wire.bounded(self._wire.call_timeout):
            try:
                await self._stream.write_in(data)
            except (AssertionError, RuntimeError, ConnectionError) as error:
                # What aiodocker raises once either side has closed: its own state, unworded.
                raise EngineRefused("The box takes no more input: it has ended.") from error

    async def read(self) -> tuple[int, bytes] | None:
        async with self._wire.bounded(FOREVER):
            message = await self._stream.read_out()
        return None if message is None else (message.stream, message.data)

    async def close(self) -> None:
        await closed(self._stream)


class DockerExecution:
    """An ``Execution``: one exec of the engine."""

    def __init__(self, wire: Wire, identity: str, stream: Stream) -> None:
        self._wire = wire
        self._identity = identity
        self._stream = stream

    async def read(self) -> bytes | None:
        async with self._wire.bounded(FOREVER):
            message = await self._stream.read_out()
        return None if message is None else message.data

    async def exit_code(self) -> int | None:
        """The code of the ended command. NotThere once the box is removed, and its code with it."""
        found = await self._wire.call("GET", f"exec/{self._identity}/json")
        code = found["ExitCode"]
        return None if found["Running"] or code is None else int(code)

    async def close(self) -> None:
        """Stop listening. It does not end the command."""
        await closed(self._stream)
