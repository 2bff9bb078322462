"""Every engine that fulfils the contract, each with the same tiny image."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from sandbox.docker import DockerEngine
from sandbox.dummy import DummyEngine
from sandbox.dummy_shell import Scripted
from sandbox.engine import Engine
from tests.busybox import BUSYBOX_IMAGE, archive_of, chunked
from tests.contract.lines import COUNT, EAT_MEMORY, MISSING_COMMAND, WRITE_MEGABYTE
from tests.engine_rig import Rig, cleared

SCRIPT = {
    EAT_MEMORY: Scripted(out_of_memory=True),
    COUNT: Scripted(output="".join(f"line {number}\n" for number in range(100_000))),
    WRITE_MEGABYTE: Scripted(disk_bytes=1024 * 1024),
    MISSING_COMMAND: Scripted(exit_code=127),
}


@dataclass(frozen=True)
class Kind:
    """One kind of engine: how one is made, and the label of all that this session makes there."""

    make: Callable[[], Engine]
    session_label: str


@pytest.fixture(params=["dummy", pytest.param("docker", marks=pytest.mark.engine)])
def kind(request: pytest.FixtureRequest) -> Kind:
    if request.param == "dummy":
        return Kind(lambda: DummyEngine(SCRIPT), "codegenapp.test=dummy")
    request.getfixturevalue("docker_busybox")
    docker_host: str | None = request.getfixturevalue("docker_host")
    return Kind(lambda: DockerEngine(docker_host), request.getfixturevalue("docker_label"))


@pytest.fixture
async def rig(kind: Kind) -> AsyncIterator[Rig]:
    """An engine with the tiny image; whatever a test has made there is removed after it."""
    engine = kind.make()
    if isinstance(engine, DummyEngine):
        await engine.import_image(chunked(archive_of({"bin/sh": b""})), BUSYBOX_IMAGE, labels={})
    case = f"codegenapp.test.case={uuid.uuid4()}"
    made = Rig(engine, case, dict(label.split("=") for label in (kind.session_label, case)))
    yield made
    for channel in made.channels:
        await channel.close()
    await cleared(engine, case)
    left = await cleared(engine, case)
    await engine.close()
    assert not left
