"""A Docker engine that is not there, hangs, or hangs up: always EngineGone, always in time."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from sandbox.docker import DockerEngine
from sandbox.engine import BoxSpec, EngineGone, EngineRefused
from tests.busybox import archive_of, chunked

SPEC = BoxSpec(image="any", labels={})


@asynccontextmanager
async def engine_at(address: str, call_timeout: float = 5) -> AsyncIterator[DockerEngine]:
    engine = DockerEngine(address, call_timeout=call_timeout, slow_timeout=call_timeout)
    try:
        yield engine
    finally:
        await engine.close()


@asynccontextmanager
async def engine_that_answers(
    tmp_path: Path, answer: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> AsyncIterator[DockerEngine]:
    """An engine whose every path but its version is answered by ``answer``."""

    async def version(request: web.Request) -> web.Response:
        return web.json_response({"ApiVersion": "1.41"})

    application = web.Application()
    application.router.add_get("/version", version)
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "engine.sock")).start()
    try:
        async with engine_at(f"unix://{tmp_path / 'engine.sock'}") as engine:
            yield engine
    finally:
        await runner.cleanup()


@pytest.fixture
def dead_address(tmp_path: Path) -> str:
    """A socket that nobody listens on any more."""
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    return f"unix://{path}"


@pytest.fixture
async def silent_address(tmp_path: Path) -> AsyncIterator[str]:
    """A socket that takes connections and never says a word."""
    path = tmp_path / "silent.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        yield f"unix://{path}"


async def read_out(lines: AsyncIterator[object]) -> None:
    async for _ in lines:
        pass


CALLS = [
    pytest.param(lambda engine: engine.info(), id="info"),
    pytest.param(lambda engine: engine.create(SPEC), id="create"),
    pytest.param(lambda engine: engine.attach("box"), id="attach"),
    pytest.param(lambda engine: engine.start("box"), id="start"),
    pytest.param(
        lambda engine: engine.execute("box", ("true",), user="1", environment={}), id="execute"
    ),
    pytest.param(lambda engine: engine.usage("box"), id="usage"),
    pytest.param(lambda engine: engine.remove("box"), id="remove"),
    pytest.param(lambda engine: engine.remove_network("network"), id="remove network"),
    pytest.param(lambda engine: engine.list_images("label"), id="list images"),
    pytest.param(lambda engine: engine.pull("image"), id="pull"),
    pytest.param(
        lambda engine: engine.put_archive("box", "/", chunked(archive_of({"a": b"b"}))),
        id="put archive",
    ),
    pytest.param(
        lambda engine: read_out(engine.build(b"tar", "tag", labels={}, arguments={})), id="build"
    ),
]


@pytest.mark.parametrize("call", CALLS)
async def test_engine_that_is_not_there(
    dead_address: str, call: Callable[[DockerEngine], Awaitable[object]]
) -> None:
    async with engine_at(dead_address) as engine:
        with pytest.raises(EngineGone, match=f"{dead_address}.*Start it"):
            await call(engine)


@pytest.mark.parametrize("call", CALLS)
async def test_engine_that_hangs(
    silent_address: str, call: Callable[[DockerEngine], Awaitable[object]]
) -> None:
    before = time.monotonic()
    async with engine_at(silent_address, call_timeout=0.1) as engine:
        with pytest.raises(EngineGone, match=f"{silent_address}.*no answer within"):
            await call(engine)
    assert time.monotonic() - before < 2


@pytest.mark.parametrize("address", ["nonsense", "unix:///no/such/socket", "tcp://127.0.0.1:9"])
async def test_address_that_leads_nowhere(address: str) -> None:
    async with engine_at(address) as engine:
        with pytest.raises(EngineGone, match=address):
            await engine.info()


async def test_engine_that_hangs_up_while_a_box_runs(tmp_path: Path) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        await answer.write(b'{"StatusC')
        assert request.transport is not None
        request.transport.close()
        return answer

    async with engine_that_answers(tmp_path, half) as engine:
        with pytest.raises(EngineGone):
            await engine.wait("box")


async def test_engine_that_shuts_down_while_a_box_runs(tmp_path: Path) -> None:
    async def empty(request: web.Request) -> web.StreamResponse:
        return web.Response(content_type="application/json")

    async with engine_that_answers(tmp_path, empty) as engine:
        with pytest.raises(EngineGone):
            await engine.wait("box")


async def test_log_that_ends_before_its_last_word_is_no_success(tmp_path: Path) -> None:
    async def first_step(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.Response(text='{"stream": "Step 1/2 : FROM a\\n"}\n')

    async with engine_that_answers(tmp_path, first_step) as engine:
        build = engine.build(b"tar", "tag", labels={}, arguments={})
        assert await anext(build) == "Step 1/2 : FROM a"
        with pytest.raises(EngineGone, match="hung up"):
            await anext(build)


async def test_events_that_end_are_a_fault(tmp_path: Path) -> None:
    async def one(request: web.Request) -> web.StreamResponse:
        return web.Response(text='{"Actor": {"ID": "box"}}\n')

    async with engine_that_answers(tmp_path, one) as engine:
        events = engine.out_of_memory_events("label")
        assert await anext(events) == "box"
        with pytest.raises(EngineGone):
            await anext(events)


async def test_stream_that_moves_may_take_longer_than_a_call(tmp_path: Path) -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.Response()

    async def trickle() -> AsyncIterator[bytes]:
        for _ in range(6):
            await asyncio.wait([asyncio.ensure_future(asyncio.Event().wait())], timeout=0.1)
            yield b"chunk"

    async with engine_that_answers(tmp_path, slow) as engine:
        hasty = DockerEngine(engine._wire.address, call_timeout=0.3)
        await hasty.put_archive("box", "/", trickle())
        await hasty.close()


async def test_engine_without_an_init_is_told_how_to_mend_it(tmp_path: Path) -> None:
    async def refuse(request: web.Request) -> web.StreamResponse:
        message = 'exec: "docker-init": executable file not found in $PATH'
        return web.json_response({"message": message}, status=400)

    async with engine_that_answers(tmp_path, refuse) as engine:
        with pytest.raises(EngineRefused, match=r"has no docker-init.*put tini") as refusal:
            await engine.start("box")
    assert refusal.value.status == 400
