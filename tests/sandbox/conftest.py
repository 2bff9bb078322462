"""What the tests of the sandbox share: its image, built where the engine does not have it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.adapters.clock import SystemClock
from sandbox.docker import DockerEngine
from sandbox.engine import Image
from sandbox.image_builder import ensure_image
from sandbox.ownership import Owner

IMAGE_FOLDER = Path(__file__).parents[2] / "sandbox" / "image"
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


@pytest.fixture(scope="session")
def sandbox_image(docker_host: str | None, tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The sandbox's own image. The set-up builds it; where it did not, this takes minutes."""

    async def ensure() -> Image:
        engine = DockerEngine(docker_host)
        try:
            return await ensure_image(
                engine,
                IMAGE_FOLDER,
                ca_bundle=CA_BUNDLE.read_bytes() if CA_BUNDLE.exists() else None,
                build_arguments={},
                progress=lambda line: print(line, file=sys.stderr),  # noqa: T201 - shown by pytest
                labels={"codegenapp.kind": "image"},
                lock=tmp_path_factory.getbasetemp() / "image.lock",
                clock=SystemClock(),
            )
        finally:
            await engine.close()

    return asyncio.run(ensure())


@pytest.fixture
async def owner(tmp_path: Path, docker_engine: DockerEngine) -> AsyncIterator[Owner]:
    """An owner of an installation of its own; at the end the engine has nothing of it."""
    owner = Owner.claim(tmp_path / "home")
    yield owner
    owner.release()
    label = f"codegenapp.installation={owner.installation}"
    left = [*await docker_engine.list_boxes(label), *await docker_engine.list_networks(label)]
    for thing in left:
        await docker_engine.remove(thing.id)
        await docker_engine.remove_network(thing.id)
    assert not left
