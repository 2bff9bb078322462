"""The probe box: our image beside the application, in its network and in no other namespace of it.

It reaches the application on 127.0.0.1; no process of the application reaches it. Actions go in
and answers come out as JSON lines on its standard streams (``sandbox/image/probe.py`` is the
other end). A missing ``end`` is an infrastructure fault, never success.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from sandbox.engine import BoxSpec, Channel, Engine, EngineGone, Image, joined

PROBE_USER = "65003:65003"
LONGEST_LINE = 256 * 1024
COMMAND = ("/usr/bin/python3", "-I", "/opt/codegenapp/probe.py")
MEGABYTE = 1024 * 1024
GRACE_SECONDS = 10.0


class ProbeFault(EngineGone):
    """The probe box ended, or said something that is not of its protocol."""


class Probe:
    """The controller's end of a running probe box."""

    def __init__(self, engine: Engine, box: str, channel: Channel) -> None:
        self.id = box
        self._engine = engine
        self._channel = channel
        self._next = 0
        self._waiting: dict[int, asyncio.Future[Mapping[str, Any]]] = {}
        self._complaints = b""
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(
        cls,
        engine: Engine,
        image: Image,
        application: str,
        labels: Mapping[str, str],
        *,
        running: Awaitable[None] | None = None,
    ) -> Probe:
        """Start a probe box in the network of an application box, once that is ``running``."""
        box = await engine.create(
            BoxSpec(
                image=image.id,
                labels=labels,
                entrypoint=COMMAND[:1],
                command=COMMAND[1:],
                user=PROBE_USER,
                network=joined(application),
                environment={"HOME": "/tmp"},  # noqa: S108 - the box's, not ours
                read_only=True,
                tmpfs={"/tmp": 256 * MEGABYTE},  # noqa: S108 - the box's, not ours
                shm_bytes=256 * MEGABYTE,
                memory_bytes=1024 * MEGABYTE,
                cpus=1.0,
            )
        )
        channel = await engine.attach(box)
        try:
            if running is not None:
                await running
            await engine.start(box)
        except BaseException:
            await channel.close()
            raise
        return cls(engine, box, channel)

    async def ask(self, verb: str, *, seconds: float = 30.0, **arguments: Any) -> Mapping[str, Any]:
        """Send one action and wait for its end; ``seconds`` bounds the action itself.

        Raises ProbeFault where the box ends, answers with an error, or does not answer in time.
        """
        self._next += 1
        number = self._next
        answer: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            if self._reader.done():
                raise ProbeFault(f"the probe box has ended{self._last_words()}")
            line = {"type": "action", "id": number, "verb": verb, **arguments}
            await self._channel.write(json.dumps(line).encode() + b"\n")
            async with asyncio.timeout(seconds + GRACE_SECONDS):
                return await answer
        except TimeoutError:
            raise ProbeFault(f"the probe box did not answer {verb!r} in {seconds:g} s") from None
        finally:
            self._waiting.pop(number, None)

    async def close(self) -> None:
        """End the box's lease and stop listening."""
        self._reader.cancel()
        try:
            await asyncio.gather(self._reader, return_exceptions=True)
        finally:
            await self._channel.close()

    async def _read(self) -> None:
        fault = "the probe box has ended"
        try:
            await self._read_lines()
        except EngineGone as gone:
            fault = str(gone)
        finally:
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(ProbeFault(fault + self._last_words()))

    async def _read_lines(self) -> None:
        rest = b""
        while (chunk := await self._channel.read()) is not None:
            stream, data = chunk
            if stream != 1:
                self._complaints = (self._complaints + data)[-2000:]
                continue
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) > LONGEST_LINE:
                raise ProbeFault("the probe box sent a line longer than its protocol allows")
            self._take(lines)

    def _take(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            try:
                message = json.loads(line)
                kind, number = message["type"], message.get("id")
            except (ValueError, KeyError, TypeError, AttributeError):
                raise ProbeFault("the probe box sent a line that is not of its protocol") from None
            answer = self._waiting.get(number)
            if kind != "end" or answer is None or answer.done():
                continue
            if "result" in message:
                answer.set_result(message["result"])
            else:
                answer.set_exception(ProbeFault(f"the probe failed: {message.get('error')}"))

    def _last_words(self) -> str:
        words = self._complaints.decode(errors="replace").strip().splitlines()
        return f": {words[-1]}" if words else ""
