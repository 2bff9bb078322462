"""The probe as a local process, for tests: the same program that the probe box runs."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).parents[2] / "sandbox" / "image" / "probe.py"


class ProbeProcess:
    """A running probe; every line that it writes is one of its protocol, or the test fails."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.events: list[str] = []
        self._number = 0

    async def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        await self.process.stdin.drain()

    async def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            line = await self.process.stdout.readline()
        assert len(line) <= 256 * 1024
        assert line.isascii()
        message = json.loads(line)
        assert isinstance(message, dict)
        assert message["type"] in {"hello", "event", "end"}
        return message

    async def begin(self, verb: str, **arguments: Any) -> int:
        self._number += 1
        await self.send({"type": "action", "id": self._number, "verb": verb, **arguments})
        return self._number

    async def end(self) -> dict[str, Any]:
        while (message := await self.line())["type"] == "event":
            self.events.append(message["text"])
        assert message["type"] == "end"
        return message

    async def ask(self, verb: str, **arguments: Any) -> dict[str, Any]:
        number = await self.begin(verb, **arguments)
        message = await self.end()
        assert message["id"] == number
        result = message["result"]
        assert isinstance(result, dict)
        return result

    async def health(self, port: int, path: str = "/", **arguments: Any) -> dict[str, Any]:
        """The verb with short times; ``patience`` of 0 stops at the first whole bad answer."""
        usual = {"timeout": 5.0, "request_timeout": 2.0, "patience": 0.0, "fallback_path": None}
        return await self.ask("health", port=port, path=path, **{**usual, **arguments})


@asynccontextmanager
async def running_probe() -> AsyncIterator[ProbeProcess]:
    """A probe that has said hello; it is ended and waited for at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", str(PROGRAM), stdin=PIPE, stdout=PIPE, limit=1024 * 1024
    )
    probe = ProbeProcess(process)
    try:
        assert await probe.line() == {"type": "hello", "protocol": 1}
        yield probe
    finally:
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(5):
            await process.wait()
