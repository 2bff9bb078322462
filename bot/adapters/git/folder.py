"""The folder of one opening: locked while it is in use, and gone behind it.

The lock is how a later process tells what a dead one left behind: the kernel lets go of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from bot.adapters.git.command import NOBODY
from bot.ports.source import SourceProblem

_PREFIX = "codegenapp-git-"


@contextlib.asynccontextmanager
async def temporary_folder(base: Path, *, nobody: bool) -> AsyncIterator[Path]:
    """A folder below ``base``, ours or nobody's. Raises SourceProblem where there can be none."""
    try:
        # Not in a thread: a cancelled wait for one would leave the folder behind.
        folder, lock = _make_folder(base, nobody=nobody)
    except OSError as fault:
        raise SourceProblem(
            f"No folder can be made in {base}: {fault.strerror}.", ours=True
        ) from None
    try:
        yield folder
    finally:
        try:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))
        finally:
            os.close(lock)


def _make_folder(base: Path, *, nobody: bool) -> tuple[Path, int]:
    if nobody:
        _check_passable(base.resolve())
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base)).resolve()
        lock = _locked(folder)
        if lock is None:
            continue  # a sweep in this very moment took it for a dead one's
        if nobody:
            os.chown(folder, NOBODY, NOBODY)
        return folder, lock


def _locked(folder: Path) -> int | None:
    """The lock of a folder; None where the folder was gone before it was locked."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        still_there = os.path.samestat(folder.stat(), os.fstat(lock))
    except FileNotFoundError:
        still_there = False
    if not still_there:
        os.close(lock)
        return None
    return lock


def _check_passable(base: Path) -> None:
    for folder in (base, *base.parents):
        if not folder.stat().st_mode & 0o001:
            raise SourceProblem(
                f"{folder} lets no other user through, so git cannot run without privileges in "
                f"{base}: choose another temporary folder (TMPDIR).",
                ours=True,
            )


def sweep(base: Path) -> int:
    """Remove the folders below ``base`` that no living process holds; says how many."""
    removed = 0
    for folder in base.glob(f"{_PREFIX}*"):
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue  # gone already, or not ours to touch
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
            removed += not folder.exists()
        except BlockingIOError:
            continue
        finally:
            os.close(lock)
    return removed


def size_of(folder: Path) -> int:
    """The bytes of all files below a folder; those that go while it looks count as none."""
    total = 0
    for where, _folders, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(Path(where, name)).st_size
    return total
