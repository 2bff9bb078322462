"""One bounded HTTP/1.1 request by plain TCP, to a server that may be anything.

The whole answer is bounded in time (by the caller's ``asyncio.timeout``), its head to 64 KiB and
its body to the first 256 KiB. What is not HTTP is a ``NoAnswer`` with a reason to show.
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from dataclasses import dataclass

HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 256 * 1024
INTERIM_ANSWERS = 5
TLS_ALERT = b"\x15\x03"


class NoAnswer(Exception):
    """There was no HTTP answer; the message says what there was. Nobody listening is Refused."""


class Refused(NoAnswer):
    """Nobody listens there."""


@dataclass(frozen=True)
class Answer:
    """A complete answer; header names are in lower case, ``body`` is decoded and cut."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text; bytes that are none are replaced."""
        kind = self.headers.get("content-type", "").lower()
        latin = "charset=iso-8859-1" in kind or "charset=latin1" in kind
        return self.body.decode("latin-1" if latin else "utf-8", "replace")


async def get(address: str, port: int, target: str) -> Answer:
    """Ask for ``target`` (an origin-form path) and read the answer. Raises NoAnswer."""
    try:
        reader, writer = await asyncio.open_connection(address, port, limit=HEAD_LIMIT)
    except ConnectionRefusedError as fault:
        raise Refused("the connection was refused") from fault
    except OSError as fault:
        raise NoAnswer(f"no connection: {fault.strerror or fault}") from fault
    try:
        writer.write(_request(target, port))
        await writer.drain()
        return await _answer(reader)
    except (OSError, asyncio.IncompleteReadError) as fault:
        raise NoAnswer("the connection ended in the middle of the answer") from fault
    except asyncio.LimitOverrunError as fault:
        raise NoAnswer("the answer's head is too long") from fault
    finally:
        writer.transport.abort()


def _request(target: str, port: int) -> bytes:
    lines = [
        f"GET {target} HTTP/1.1",
        f"Host: localhost:{port}",
        "User-Agent: codegenapp-health/1",
        "Accept: text/html,application/json;q=0.9,*/*;q=0.8",
        "Accept-Encoding: identity",
        "Connection: close",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


async def _answer(reader: asyncio.StreamReader) -> Answer:
    for _ in range(INTERIM_ANSWERS):
        status, headers = await _head(reader)
        if status >= 200:
            body = b"" if status in {204, 304} else await _body(reader, headers)
            return Answer(status, headers, _decoded(body, headers))
    raise NoAnswer("the server sent interim answers without end")


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    try:
        line = await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError as fault:
        raise NoAnswer(_not_http(fault.partial)) from fault
    version, _, rest = line.strip().partition(b" ")
    code = rest[:3]
    if not version.startswith(b"HTTP/1.") or not code.isdigit() or len(code) != 3:
        raise NoAnswer(_not_http(line))
    headers: dict[str, str] = {}
    size = len(line)
    while (line := await reader.readuntil(b"\n")).strip():
        size += len(line)
        if size > HEAD_LIMIT:
            raise NoAnswer("the answer's head is too long")
        name, _, value = line.decode("utf-8", "replace").partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    return int(code), headers


def _not_http(start: bytes) -> str:
    if not start:
        return "the connection was closed without an answer"
    if start.startswith(TLS_ALERT):
        return "it speaks TLS there, and the health check asks by plain HTTP"
    return "what answered does not speak HTTP"


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return await _chunks(reader)
    length = headers.get("content-length", "")
    if length.isdigit() and length.isascii() and len(length) < 20:
        return await reader.readexactly(min(int(length), BODY_LIMIT))
    return await _until_closed(reader)


async def _until_closed(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while len(body) < BODY_LIMIT and (part := await reader.read(65536)):
        body += part
    return bytes(body[:BODY_LIMIT])


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while len(body) < BODY_LIMIT:
        line = await reader.readuntil(b"\n")
        digits = line.partition(b";")[0].strip()
        try:
            size = int(digits, 16)
        except ValueError as fault:
            raise NoAnswer("the answer's chunks are malformed") from fault
        if size <= 0:
            break
        body += await reader.readexactly(min(size, BODY_LIMIT - len(body)))
        await reader.readuntil(b"\n")
    return bytes(body)


def _decoded(body: bytes, headers: dict[str, str]) -> bytes:
    """The body without gzip or deflate, which some servers send unasked."""
    if headers.get("content-encoding", "").lower() in {"gzip", "x-gzip", "deflate"}:
        with contextlib.suppress(zlib.error):
            return zlib.decompressobj(47).decompress(body, BODY_LIMIT)
    return body
