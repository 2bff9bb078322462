"""The probe: asks a started application how it is, from a box that the application cannot touch.

It runs beside the application, in its network and with none of its processes, and speaks JSON
lines (each at most 256 KiB, ASCII) on its own standard streams.

In:   ``{"type": "action", "id": N, "verb": VERB, ...}`` · ``{"type": "cancel"}``
Out:  ``{"type": "hello", "protocol": 1}`` once, then for each action any number of
      ``{"type": "event", "id": N, "text": ...}``, ``{"type": "event", "id": N, "data": {...}}``
      and ``{"type": "artifact", "id": N, "name": ..., "media_type": ..., "part": 0..., "last":
      BOOL, "content": BASE64}``, and one
      ``{"type": "end", "id": N, "result": {...}}`` or ``{"type": "end", "id": N, "error": ...}``

One action runs at a time; a second one ends with the error ``busy``, a cancelled one with
``cancelled``. The end of the input ends the probe at once, whatever runs: that is its lease.
A line that is no such message ends it with status 2.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

# An isolated interpreter (-I) does not look beside the program by itself.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from probe_explore import explore_act, explore_close, explore_open
from probe_health import health
from probe_network import closed, listeners, wait_for_listener
from probe_pictures import compare, put
from probe_web import warm, web

PROTOCOL = 1
LINE_LIMIT = 256 * 1024
PIECE = 128 * 1024

Message = dict[str, Any]
Verb = Callable[[Message, Any], Awaitable[Message]]

VERBS: dict[str, Verb] = {
    "closed": closed,
    "listeners": listeners,
    "wait_for_listener": wait_for_listener,
    "health": health,
    "warm": warm,
    "web": web,
    "put": put,
    "compare": compare,
    "explore_open": explore_open,
    "explore_act": explore_act,
    "explore_close": explore_close,
}


class NoMessage(Exception):
    """A line that the protocol does not know."""


class Say:
    """What a running action tells before its end."""

    def __init__(self, number: Any) -> None:
        self._number = number

    def __call__(self, text: str) -> None:
        """Tell a sentence."""
        send({"type": "event", "id": self._number, "text": text[:2000]})

    def data(self, part: Message) -> None:
        """Tell a part of the result."""
        send({"type": "event", "id": self._number, "data": part})

    def artifact(self, name: str, media_type: str, content: bytes) -> None:
        """Send a file, in pieces."""
        pieces = [content[at : at + PIECE] for at in range(0, len(content), PIECE)] or [b""]
        for part, piece in enumerate(pieces):
            send(
                {
                    "type": "artifact",
                    "id": self._number,
                    "name": name,
                    "media_type": media_type,
                    "part": part,
                    "last": part == len(pieces) - 1,
                    "content": base64.b64encode(piece).decode("ascii"),
                }
            )


def send(message: Message) -> None:
    """Write one line, whole; one that would be too long becomes an error of its action."""
    line = json.dumps(message, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"
    if len(line) > LINE_LIMIT:
        return send({"type": "end", "id": message.get("id"), "error": "the answer is too long"})
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
    return None


def parse(line: bytes) -> Message:
    """The message of a line. Raises NoMessage."""
    try:
        message = json.loads(line)
    except ValueError as fault:
        raise NoMessage("not JSON") from fault
    if not isinstance(message, dict) or message.get("type") not in {"action", "cancel"}:
        raise NoMessage("neither action nor cancel")
    return message


def begin(message: Message) -> asyncio.Task[Message] | None:
    """Start an action, whose end is sent when it comes, cancelled or not."""
    number = message.get("id")
    verb = VERBS.get(str(message.get("verb")))
    if verb is None:
        send({"type": "end", "id": number, "error": "no such verb"})
        return None

    async def perform() -> Message:
        return await verb(message, Say(number))

    task = asyncio.create_task(perform())
    task.add_done_callback(functools.partial(finish, number))
    return task


def finish(number: Any, task: asyncio.Task[Message]) -> None:
    """Send an action's end."""
    if task.cancelled():
        send({"type": "end", "id": number, "error": "cancelled"})
    elif fault := task.exception():  # whatever the application made us stumble over
        send({"type": "end", "id": number, "error": f"{type(fault).__name__}: {fault}"[:500]})
    else:
        send({"type": "end", "id": number, "result": task.result()})


async def standard_input() -> asyncio.StreamReader:
    """Standard input, readable without blocking."""
    reader = asyncio.StreamReader(limit=LINE_LIMIT)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    return reader


async def serve() -> int:
    """Read messages until the input ends; the program's exit status."""
    reader = await standard_input()
    send({"type": "hello", "protocol": PROTOCOL})
    running: asyncio.Task[Message] | None = None
    while True:
        try:
            line = await reader.readline()
            if not line.endswith(b"\n"):
                return 0
            message = parse(line)
        except (NoMessage, ValueError) as fault:
            send({"type": "end", "id": None, "error": f"no message: {fault}"[:200]})
            return 2
        busy = running is not None and not running.done()
        if message["type"] == "cancel":
            if running is not None and busy:
                running.cancel()
        elif busy:
            send({"type": "end", "id": message.get("id"), "error": "busy"})
        else:
            running = begin(message)


def main() -> None:
    """Run until the input ends, and go without waiting for anything that still runs."""
    try:
        status = asyncio.run(_leave_at_once())
    except (BrokenPipeError, KeyboardInterrupt):
        status = 0
    sys.exit(status)


async def _leave_at_once() -> int:
    status = await serve()
    sys.stdout.buffer.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
