"""The probe box: our image beside the application, in its network and in no other namespace of it.

It reaches the application on 127.0.0.1; no process of the application reaches it. Actions go in
and answers come out as JSON lines on its standard streams (``sandbox/image/probe.py`` is the
other end). A missing ``end`` is an infrastructure fault, never success.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.engine import BoxSpec, Channel, Engine, EngineGone, Image, joined
from sandbox.probe_parts import NotOfTheProtocol, Parts
from sandbox.seccomp import profile

PROBE_USER = "65003:65003"
LONGEST_LINE = 256 * 1024
COMMAND = ("/usr/bin/python3", "-I", "/opt/codegenapp/probe.py")
PLAIN_MB = 1024
BROWSER_MB = 2048
"""Memory of the box, without and with a browser in it."""
MEGABYTE = 1024 * 1024
GRACE_SECONDS = 10.0
CANCEL_SECONDS = 5.0


class ProbeFault(EngineGone):
    """The probe box ended, or said something that is not of its protocol."""


@dataclass
class Waiting:
    """An action that has not ended; ``parts`` take what it tells on its way."""

    parts: Parts | None
    answer: asyncio.Future[Mapping[str, Any]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Probe:
    """The controller's end of a running probe box."""

    def __init__(self, engine: Engine, box: str, channel: Channel) -> None:
        self.id = box
        self._engine = engine
        self._channel = channel
        self._next = 0
        self._waiting: dict[int, Waiting] = {}
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
        browser_cpus: float | None = None,
    ) -> Probe:
        """Start a probe box in the network of an application box, once that is ``running``.

        ``browser_cpus`` are those of a box that a browser will run in, None where none will.
        """
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
                memory_bytes=(PLAIN_MB if browser_cpus is None else BROWSER_MB) * MEGABYTE,
                cpus=browser_cpus or 1.0,
                seccomp=profile(browser=browser_cpus is not None),
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

    async def ask(
        self, verb: str, *, seconds: float = 30.0, parts: Parts | None = None, **arguments: Any
    ) -> Mapping[str, Any]:
        """Send one action and wait for its end; ``seconds`` bounds the action itself.

        What it tells on its way is put into ``parts``, and lost where there are none.
        Raises ProbeFault where the box ends, answers with an error, or does not answer in time.
        """
        self._next += 1
        number = self._next
        waiting = self._waiting[number] = Waiting(parts)
        try:
            if self._reader.done():
                raise ProbeFault(f"the probe box has ended{self._last_words()}")
            line = {"type": "action", "id": number, "verb": verb, **arguments}
            await self._channel.write(json.dumps(line).encode() + b"\n")
            async with asyncio.timeout(seconds + GRACE_SECONDS):
                return await asyncio.shield(waiting.answer)
        except TimeoutError:
            await self._cancel(waiting)
            raise ProbeFault(f"the probe box did not answer {verb!r} in {seconds:g} s") from None
        finally:
            self._waiting.pop(number, None)

    async def _cancel(self, waiting: Waiting) -> None:
        """Have an action end that is late, so that the next one finds the probe at leisure."""
        with contextlib.suppress(TimeoutError, EngineGone):
            async with asyncio.timeout(CANCEL_SECONDS):
                await self._channel.write(b'{"type": "cancel"}\n')
                await asyncio.shield(waiting.answer)

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
            for waiting in self._waiting.values():
                if not waiting.answer.done():
                    waiting.answer.set_exception(ProbeFault(fault + self._last_words()))

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
            waiting = self._waiting.get(number) if isinstance(number, int) else None
            if waiting is None or waiting.answer.done():
                continue
            if kind == "end":
                _end(waiting, message)
            elif waiting.parts is not None:
                try:
                    waiting.parts.take(message)
                except NotOfTheProtocol as fault:
                    raise ProbeFault(f"the probe box sent what is not allowed: {fault}") from None

    def _last_words(self) -> str:
        words = self._complaints.decode(errors="replace").strip().splitlines()
        return f": {words[-1]}" if words else ""


def _end(waiting: Waiting, message: Mapping[str, Any]) -> None:
    result = message.get("result")
    if isinstance(result, Mapping):
        waiting.answer.set_result(result)
    else:
        fault = f"the probe failed: {message.get('error', 'its answer is no object')}"
        waiting.answer.set_exception(ProbeFault(fault))
