"""Remove what this installation and its tests left on the container engine.

Boxes, networks and snapshots; with the argument ``yes`` the sandbox's image and its base too.
"""

from __future__ import annotations

import asyncio
import os
import sys

from bot.settings import Settings
from sandbox.docker import DockerEngine
from sandbox.engine import Engine, EngineFault, Image, Kind
from sandbox.image_builder import OWN_BASE

TESTS = "codegenapp.test"


async def clean(engine: Engine, settings: Settings, *, images: bool) -> None:
    """Remove what carries our labels, never another installation's."""
    labels = [TESTS]
    name = settings.home / "installation-id"
    if name.exists():
        labels.append(f"codegenapp.installation={name.read_text().strip()}")
    for label in labels:
        for box in await engine.list_boxes(label):
            print(f"clean: removing box {box.name}")
            await engine.remove(box.id)
        for network in await engine.list_networks(label):
            print(f"clean: removing network {network.name}")
            await engine.remove_network(network.id)
        for image in await engine.list_images(label):
            if images or image.labels.get("codegenapp.kind") != Kind.IMAGE:
                await remove(engine, image)
    if images:
        for image in await engine.list_images(f"codegenapp.kind={Kind.IMAGE.value}"):
            await remove(engine, image)
        await engine.remove_image(OWN_BASE)


async def remove(engine: Engine, image: Image) -> None:
    """Remove an image by all its names."""
    for tag in image.tags or (image.id,):
        print(f"clean: removing image {tag}")
        await engine.remove_image(tag)


async def main() -> None:
    """Clean up where an engine answers; without one nothing of ours runs."""
    settings = Settings.from_env(os.environ)  # noqa: TID251 - a program of its own
    engine = DockerEngine(settings.docker_host)
    try:
        await clean(engine, settings, images=sys.argv[1:] == ["yes"])
    except EngineFault as fault:
        print(f"clean: {fault}")
    finally:
        await engine.close()


asyncio.run(main())
