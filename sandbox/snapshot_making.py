"""Makes a snapshot aside: from a clean install that no other step of a validation has touched."""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import AsyncIterator, Sequence

from bot.domain.plan import StageEvent
from bot.ports.sandbox import Environment, StageEnded
from bot.ports.source import Tree
from sandbox.box import HOME, STEP_UID, WORKSPACE, LeftoversRemain, finished
from sandbox.engine import EngineRefused
from sandbox.equipment import Equipment, Opened
from sandbox.preparation import Preparation

NAME_TAKEN = 409
LIST = f"{HOME}/.codegenapp-tree"
FORGET_TREE = (
    f"cd {WORKSPACE}; "
    f"if command -v xargs >/dev/null; then xargs -0 rm -f -- <{LIST}; "
    f"else tr '\\0' '\\n' <{LIST} | while IFS= read -r path; do rm -f -- \"$path\"; done; fi; "
    f"rm -f {LIST}"
)
FORGET_SECONDS = 120.0


def preparation_of(
    equipment: Equipment, environment: Environment, tree: Tree, run: str
) -> Preparation:
    """A second preparation of an environment's plan, in a box that is made to be kept.

    The box's name is the key's lock: the engine gives it to one box at a time, on whichever
    process, and only while that box lives.
    """
    name = f"codegenapp-snapshot-{environment.snapshot_key}"
    return Preparation(equipment, run, environment.plan, tree, {}, _ignore, scope="", name=name)


async def make_snapshot(preparation: Preparation, key: str) -> bool:
    """Install once more, and keep that; says whether it did. The caller closes the preparation."""
    plan, equipment = preparation.plan, preparation.equipment
    image = await preparation.find_image(plan.image)
    deadline = asyncio.get_running_loop().time() + plan.limits.total_seconds
    try:
        opened = await preparation.cold(image, key, deadline)
    except StageEnded:
        return False  # the validation itself has told why the install fails
    except EngineRefused as refused:
        if refused.status == NAME_TAKEN:
            return False
        raise
    try:
        await opened.box.clear()
    except LeftoversRemain:
        return False  # the next step of the validation itself has told of them
    if not await _forget_tree(opened, [entry.path for entry in preparation.tree.entries]):
        return False
    locked = plan.snapshot is not None and plan.snapshot.locked
    await equipment.snapshots.keep(key, opened.box.id, image, locked=locked)
    return True


async def _forget_tree(opened: Opened, paths: Sequence[str]) -> bool:
    """Take the tree's files out again: the next commit may not have all of them.

    Says whether all of them are gone; an install may have made one impossible to remove.
    """
    engine = opened.equipment.engine
    names = "\0".join(paths).encode("utf-8", "surrogateescape")
    await engine.put_archive(opened.box.id, "/", _one_file(LIST, names))
    execution = await opened.box.execute(FORGET_TREE, {})
    return await finished(execution, opened.equipment.clock, FORGET_SECONDS) == 0


async def _one_file(path: str, content: bytes) -> AsyncIterator[bytes]:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo(path.lstrip("/"))
        entry.size, entry.uid, entry.gid = len(content), STEP_UID, STEP_UID
        tar.addfile(entry, io.BytesIO(content))
    yield buffer.getvalue()


async def _ignore(event: StageEvent) -> None:
    """Nobody follows a snapshot's install."""
    del event
