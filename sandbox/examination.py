"""What ``doctor`` shows of the sandbox: one line a finding, each fault with its mend."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator

from bot.domain.problems import UserProblem
from bot.ports.sandbox import Examined, SandboxUnavailable
from sandbox.closed import prove_closed
from sandbox.engine import EngineFault, Kind
from sandbox.equipment import Equipment
from sandbox.ownership import INSTALLATION, KIND
from sandbox.snapshots import own_bytes

OLDEST_ENGINE = (20, 10)
LEAST_DISK_BYTES = 10 * 1024**3
LEAST_MEMORY_BYTES = 4 * 1024**3
GIGABYTE = 1024**3


async def examine(equipment: Equipment) -> AsyncIterator[Examined]:
    """Engine, machine, image, closed boxes, snapshots and disk, in the order of their need."""
    try:
        info = await equipment.engine.info()
    except EngineFault as fault:
        mend = "Install and start one (Debian: apt-get install docker.io), or set DOCKER_HOST."
        yield Examined("container engine", ok=False, detail=str(fault), mend=mend)
        return
    numbers = [int(number) for number in re.findall(r"\d+", info.version)[:2]]
    new_enough = not numbers or tuple(numbers) >= OLDEST_ENGINE  # a build without one is a new one
    mend = "" if new_enough else "Install Docker 20.10 or newer."
    yield Examined("container engine", new_enough, f"Docker {info.version}", mend)
    roomy = info.memory_bytes >= LEAST_MEMORY_BYTES
    size = f"{info.cpus} cores, {info.memory_bytes / GIGABYTE:.1f} GB of memory"
    mend = "" if roomy else "Lower sandbox.memory_mb, or give the engine 4 GB."
    yield Examined("engine's machine", roomy, size, mend)
    yield await _image(equipment)
    yield await _snapshots(equipment)
    yield await asyncio.to_thread(_disk, equipment)


async def _image(equipment: Equipment) -> Examined:
    try:
        image = await equipment.own_image()
        remembered = equipment.home / "closed.json"
        remembered.unlink(missing_ok=True)
        await prove_closed(equipment.engine, image, equipment.owner, equipment.clock, remembered)
    except (EngineFault, UserProblem, SandboxUnavailable) as fault:
        return Examined("sandbox", ok=False, detail=str(fault), mend=getattr(fault, "mend", ""))
    detail = f"image {', '.join(image.tags)} ({image.bytes / GIGABYTE:.1f} GB); boxes are closed"
    return Examined("sandbox", ok=True, detail=detail)


async def _snapshots(equipment: Equipment) -> Examined:
    try:
        images = await equipment.engine.list_images(f"{KIND}={Kind.SNAPSHOT.value}")
    except EngineFault as fault:
        return Examined("snapshots", ok=False, detail=str(fault), mend="Try again.")
    mine = [it for it in images if it.labels.get(INSTALLATION) == equipment.owner.installation]
    size = sum(own_bytes(image) for image in mine) / GIGABYTE
    return Examined("snapshots", ok=True, detail=f"{len(mine)} kept, {size:.1f} GB")


def _disk(equipment: Equipment) -> Examined:
    free = shutil.disk_usage(equipment.home).free
    ok = free >= LEAST_DISK_BYTES
    mend = "" if ok else "Free some space, or lower SNAPSHOT_CACHE_GB."
    return Examined("disk", ok, f"{free / GIGABYTE:.0f} GB free", mend)
