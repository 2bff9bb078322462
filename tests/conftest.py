"""What the tests share: the container engine where there is one, a tiny image, clean ends."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest
import structlog

from sandbox.docker import DockerEngine
from sandbox.engine import EngineGone
from tests.busybox import BUSYBOX_IMAGE, busybox_archive, chunked, static_busybox
from tests.engine_rig import cleared

pytest_plugins = ["tests.mongo"]
collect_ignore = ["zoo/apps"]  # applications with tests of their own, faulty on purpose
TEST_LABEL = "codegenapp.test"
structlog.configure(  # as the product: a traceback with every local takes a second to draw
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        ),
    ]
)

IN_CI = os.environ.get("CI") == "true"  # noqa: TID251 - the tests' only look at the environment
DOCKER_HOST = os.environ.get("DOCKER_HOST")  # noqa: TID251 - as above; settings hold for the product


@pytest.fixture(scope="session")
def docker_host() -> str | None:
    """The address of an engine that answers. Without one: a skip, and an error in CI."""

    async def ask() -> None:
        engine = DockerEngine(DOCKER_HOST, call_timeout=10)
        try:
            await engine.info()
        finally:
            await engine.close()

    try:
        asyncio.run(ask())
    except EngineGone as gone:
        if IN_CI:
            pytest.fail(f"CI needs a container engine. {gone}")
        pytest.skip(f"needs a container engine. {gone}")
    return DOCKER_HOST


@pytest.fixture(scope="session")
def docker_label(docker_host: str | None) -> Iterator[str]:
    """A label for all that this session's tests make; at the end nothing may carry it."""
    label = f"{TEST_LABEL}={uuid.uuid4()}"
    yield label

    async def sweep() -> Sequence[str]:
        engine = DockerEngine(docker_host)
        try:
            return await cleared(engine, label)
        finally:
            await engine.close()

    left = asyncio.run(sweep())
    assert not left, f"the tests left these behind: {left}"


@pytest.fixture
async def docker_engine(docker_host: str | None, docker_label: str) -> AsyncIterator[DockerEngine]:
    """The real engine, for one test."""
    engine = DockerEngine(docker_host)
    yield engine
    await engine.close()


@pytest.fixture(scope="session")
def busybox_tar() -> bytes:
    """A root file system of the host's static busybox, some applets, and a writable /tmp."""
    program = static_busybox()
    if program is None:
        message = "needs a static busybox (Debian: apt-get install busybox-static)"
        (pytest.fail if IN_CI else pytest.skip)(message)
    return busybox_archive(program)


@pytest.fixture(scope="session")
def docker_busybox(docker_host: str | None, request: pytest.FixtureRequest) -> str:
    """The name of a tiny image on the engine, made from the host's busybox where it is absent."""

    async def ensure() -> None:
        engine = DockerEngine(docker_host)
        try:
            if await engine.image(BUSYBOX_IMAGE) is None:
                tar: bytes = request.getfixturevalue("busybox_tar")
                await engine.import_image(chunked(tar), f"{BUSYBOX_IMAGE}:latest", labels={})
        finally:
            await engine.close()

    asyncio.run(ensure())
    return BUSYBOX_IMAGE
