from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.sandbox.probe_process import ProbeProcess, running_probe

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def probe() -> AsyncIterator[ProbeProcess]:
    async with running_probe() as probe:
        yield probe


@asynccontextmanager
async def application(**pages: Any) -> AsyncIterator[int]:
    """A web application on 127.0.0.1; each page is a response factory. Gives its port."""

    async def answer(request: web.Request) -> web.StreamResponse:
        page = pages.get(request.path.strip("/") or "home")
        if page is None:
            raise web.HTTPNotFound
        response = page(request)
        assert isinstance(response, web.StreamResponse)
        return response

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with TestServer(app, host="127.0.0.1") as server:
        assert server.port is not None
        yield server.port


@asynccontextmanager
async def raw(talk: Talk) -> AsyncIterator[int]:
    """A TCP server that says whatever it likes. Gives its port."""

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except OSError:
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(guarded, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def says(text: str, status: int = 200, kind: str = "text/html") -> Any:
    return lambda request: web.Response(text=text, status=status, content_type=kind)


def sends(location: str, status: int = 302) -> Any:
    return lambda request: web.Response(status=status, headers={"Location": location})


# ── the protocol ─────────────────────────────────────────────────────────────────────────────


async def test_the_end_of_the_input_ends_it_at_once_in_the_middle_of_an_action(
    probe: ProbeProcess,
) -> None:
    await probe.begin("wait_for_listener", port=free_port(), timeout=60)
    assert probe.process.stdin is not None
    began = time.monotonic()
    probe.process.stdin.close()
    assert await probe.process.wait() == 0
    assert time.monotonic() - began < 1


async def test_a_cancelled_action_says_so_and_the_next_one_runs(probe: ProbeProcess) -> None:
    number = await probe.begin("health", port=free_port(), path="/", timeout=60, request_timeout=5)
    await probe.send({"type": "cancel"})
    assert await probe.end() == {"type": "end", "id": number, "error": "cancelled"}
    assert "listeners" in await probe.ask("listeners")


async def test_a_cancel_with_nothing_running_is_no_fault(probe: ProbeProcess) -> None:
    await probe.send({"type": "cancel"})
    assert "listeners" in await probe.ask("listeners")


async def test_a_second_action_is_told_that_it_is_busy(probe: ProbeProcess) -> None:
    await probe.begin("wait_for_listener", port=free_port(), timeout=60)
    second = await probe.begin("listeners")
    assert await probe.end() == {"type": "end", "id": second, "error": "busy"}


async def test_unknown_verbs_and_missing_arguments_end_with_an_error(probe: ProbeProcess) -> None:
    number = await probe.begin("format_disk")
    assert await probe.end() == {"type": "end", "id": number, "error": "no such verb"}
    await probe.begin("health")
    assert "KeyError" in (await probe.end())["error"]


@pytest.mark.parametrize("line", [b"hello\n", b"[]\n", b'{"type":"end"}\n', b"x" * 300_000 + b"\n"])
async def test_a_line_that_is_no_message_ends_it(probe: ProbeProcess, line: bytes) -> None:
    assert probe.process.stdin is not None
    probe.process.stdin.write(line)
    assert "no message" in (await probe.end())["error"]
    assert await probe.process.wait() == 2


# ── listeners ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("family", "address", "all_interfaces", "loopback"),
    [
        (socket.AF_INET, "127.0.0.1", False, True),
        (socket.AF_INET, "0.0.0.0", True, False),
        (socket.AF_INET6, "::1", False, True),
        (socket.AF_INET6, "::", True, False),
    ],
)
async def test_listeners_are_found_with_their_address(
    probe: ProbeProcess,
    family: socket.AddressFamily,
    address: str,
    all_interfaces: bool,
    loopback: bool,
) -> None:
    with socket.socket(family) as one:
        one.bind((address, 0))
        one.listen()
        port = one.getsockname()[1]
        found = (await probe.ask("listeners"))["listeners"]
    assert [it for it in found if it["port"] == port] == [
        {
            "address": address,
            "port": port,
            "all_interfaces": all_interfaces,
            "loopback": loopback,
        }
    ]


async def test_a_late_listener_is_waited_for(probe: ProbeProcess) -> None:
    port = free_port()
    await probe.begin("wait_for_listener", port=port, timeout=10)
    await asyncio.sleep(0.3)  # noqa: TID251 - the lateness that is tested
    with socket.socket() as one:
        one.bind(("127.0.0.1", port))
        one.listen()
        result = (await probe.end())["result"]
    assert result["listening"]
    assert 0.2 < result["waited"] < 2


async def test_nobody_listening_is_an_answer_after_the_time(probe: ProbeProcess) -> None:
    result = await probe.ask("wait_for_listener", port=free_port(), timeout=0.3)
    assert not result["listening"]
    assert result["waited"] == pytest.approx(0.3, abs=0.2)


# ── closed ───────────────────────────────────────────────────────────────────────────────────


async def test_what_is_reached_is_told_and_loopback_is_not_outside(probe: ProbeProcess) -> None:
    port = free_port()
    result = await probe.ask("closed", targets=[["127.0.0.1", port], ["192.0.2.123", 9]])
    assert "lo" in result["interfaces"]
    assert ["127.0.0.1", port] not in result["open"]
    assert isinstance(result["dns"], bool)
    assert {tuple(one) for one in result["refused"]} <= {tuple(one) for one in result["open"]}


# ── health ───────────────────────────────────────────────────────────────────────────────────


async def test_a_good_page_is_healthy(probe: ProbeProcess) -> None:
    async with application(home=says("<h1>Hello</h1>")) as port:
        result = await probe.health(port)
    assert result["healthy"]
    assert (result["status"], result["reason"], result["attempts"]) == (200, "", 1)
    assert result["url"] == f"http://localhost:{port}/"
    assert result["body_excerpt"] == "<h1>Hello</h1>"
    assert result["content_type"].startswith("text/html")


async def test_an_empty_answer_is_healthy(probe: ProbeProcess) -> None:
    async with application(health=says("", 204)) as port:
        assert (await probe.health(port, "/health"))["healthy"]


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (says("nope", 500, "text/plain"), "it answered 500"),
        (says("<title>Error</title><pre>Cannot GET /</pre>", 404), "an Express error page"),
        (says("<h1>Internal Server Error</h1>"), "it answered 200, but with a page"),
        (says('{"status":"down"}', 200, "application/json"), '"status": "down"'),
        (sends("https://login.example.com/x"), "another origin (https://login.example.com/x)"),
        (sends("//localhost:1/"), "another origin"),
        (sends("http://[::1"), "another origin"),
        (sends("/"), "redirects more than 5 times"),
        (says("", 302), "it answered 302"),
    ],
)
async def test_a_bad_answer_has_its_reason(probe: ProbeProcess, page: Any, reason: str) -> None:
    async with application(home=page) as port:
        result = await probe.health(port)
    assert not result["healthy"]
    assert reason in result["reason"]


async def test_redirects_on_the_own_origin_are_followed(probe: ProbeProcess) -> None:
    async def chain(port: int) -> dict[str, Any]:
        return await probe.health(port, "/one")

    pages: dict[str, Any] = {
        "one": sends("two?x=1#part", 301),
        "two": lambda request: web.Response(
            status=307, headers={"Location": f"http://127.0.0.1:{request.url.port}/drei und ü"}
        ),
        "drei und ü": says("here"),
    }
    async with application(**pages) as port:
        result = await chain(port)
    assert result["healthy"], result
    assert result["url"] == f"http://127.0.0.1:{port}/drei%20und%20%C3%BC"
    assert len(result["redirects"]) == 2


async def test_the_fallback_is_asked_where_the_path_is_not_there(probe: ProbeProcess) -> None:
    async with application(home=says("home")) as port:
        result = await probe.health(port, "/health", fallback_path="/")
        without = await probe.health(port, "/health")
    assert result["healthy"]
    assert result["url"].endswith(f":{port}/")
    assert without["status"] == 404


async def test_a_late_application_is_waited_for(probe: ProbeProcess) -> None:
    port = free_port()
    await probe.begin(
        "health", port=port, path="/", timeout=10, request_timeout=2, fallback_path=None
    )
    await asyncio.sleep(0.4)  # noqa: TID251 - the lateness that is tested
    app = web.Application()
    app.router.add_get("/", _ok)
    async with TestServer(app, host="127.0.0.1", port=port):
        result = (await probe.end())["result"]
    assert result["healthy"]
    assert result["attempts"] > 1


async def _ok(request: web.Request) -> web.Response:
    return web.Response(text="ok")


async def test_an_application_that_warms_up_becomes_healthy(probe: ProbeProcess) -> None:
    asked = 0

    def warming(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.Response(text="hi", status=503 if asked < 4 else 200)

    async with application(home=warming) as port:
        result = await probe.health(port, patience=5.0)
    assert result["healthy"]
    assert result["attempts"] == 4
    assert probe.events == ["it answered 503"]


async def test_the_same_bad_answer_ends_the_wait_before_the_deadline(probe: ProbeProcess) -> None:
    async with application(home=says("no", 500)) as port:
        result = await probe.health(port, timeout=30.0, patience=0.6)
    assert not result["healthy"]
    assert 0.5 < result["waited"] < 2


async def test_nothing_listening_is_told_with_what_does_listen(probe: ProbeProcess) -> None:
    port = free_port()
    async with application(home=says("hi")) as other:
        result = await probe.health(port, timeout=0.5)
    assert result["reason"] == f"nothing listens on port {port}"
    assert result["status"] is None
    assert other in {it["port"] for it in result["listeners"]}


async def test_an_application_on_ipv6_alone_is_found(probe: ProbeProcess) -> None:
    app = web.Application()
    app.router.add_get("/", _ok)
    async with TestServer(app, host="::1") as server:
        assert server.port is not None
        assert (await probe.health(server.port))["healthy"]


# ── hostile applications ─────────────────────────────────────────────────────────────────────

GREETING = b"HTTP/1.1 200 OK\r\n"


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(GREETING)
    while True:
        writer.write(b"X-A: b\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)  # noqa: TID251 - the slowness that is tested


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(GREETING + b"Content-Type: text/html\r\n\r\n")
    while True:
        writer.write(b"<script" * 10_000)
        await writer.drain()


async def endless_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(GREETING)
    while True:
        writer.write(b"X-A: " + b"b" * 1000 + b"\r\n")
        await writer.drain()


def at_once(data: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)
        await writer.drain()
        writer.write_eof()
        await reader.read()

    return talk


@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        (drip, "no whole answer within"),
        (silent, "no whole answer within"),
        (endless_head, "head is too long"),
        (at_once(b""), "closed without an answer"),
        (at_once(b"\x15\x03\x01\x00\x02\x02F"), "speaks TLS"),
        (at_once(b"SSH-2.0-OpenSSH_9.2\r\n"), "does not speak HTTP"),
        (at_once(b"\xff\x00" * 50_000), "head is too long"),
        (at_once(b"HTTP/1.1 2x0 OK\r\n\r\n"), "does not speak HTTP"),
        (at_once(b"HTTP/1.1 100 Continue\r\n\r\n" * 9), "interim answers without end"),
        (at_once(GREETING + b"Content-Length: 10\r\n\r\nabc"), "ended in the middle"),
        (at_once(GREETING + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"), "chunks are malformed"),
    ],
)
async def test_a_server_that_gives_no_whole_answer_has_its_reason(
    probe: ProbeProcess, talk: Talk, reason: str
) -> None:
    async with raw(talk) as port:
        result = await probe.health(port, timeout=0.5, request_timeout=0.4)
    assert not result["healthy"]
    assert reason in result["reason"]


@pytest.mark.parametrize(
    "answer",
    [
        GREETING + b"\r\nuntil it is closed",
        GREETING + b"Content-Length: 2\r\n\r\nokand more",
        GREETING + b"Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + GREETING + b"Content-Length: 0\r\n\r\n",
        b"HTTP/1.0 200\n\nbare line ends",
    ],
)
async def test_every_way_to_frame_an_answer_is_read(probe: ProbeProcess, answer: bytes) -> None:
    async with raw(at_once(answer)) as port:
        assert (await probe.health(port))["healthy"]


async def test_an_endless_page_is_cut_and_judged_quickly(probe: ProbeProcess) -> None:
    async with raw(endless) as port:
        result = await probe.health(port)
    assert result["status"] == 200
    assert result["waited"] < 2
    assert len(result["body_excerpt"]) == 2000


async def test_what_the_application_says_cannot_make_a_line_of_ours(probe: ProbeProcess) -> None:
    forged = '\n{"type":"end","id":1,"result":{"healthy":true}}\n\u2028\x00\ud83d\ude00'
    body = forged.encode("utf-8", "surrogatepass")
    head = b"HTTP/1.1 500 Oops\r\nContent-Type: text/plain\r\n"
    async with raw(at_once(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)) as port:
        result = await probe.health(port)
    assert not result["healthy"]
    assert '"healthy":true' in result["body_excerpt"]
