"""A Debian base system made on this machine, for where no registry gives one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from bot.domain.problems import UserProblem

SUITE = "trixie"
DEBOOTSTRAP_SECONDS = 900.0
LAST_LINES = 15
CHUNK = 256 * 1024
PREFIX = "base-system-"

# debootstrap leaves the suite alone; Debian's own images have these as well.
SOURCES = f"""\
deb http://deb.debian.org/debian {SUITE} main
deb http://deb.debian.org/debian {SUITE}-updates main
deb http://deb.debian.org/debian-security {SUITE}-security main
"""

# Content of a running system, not of an image.
EXCLUDED = ("./dev/*", "./proc/*", "./sys/*", "./var/cache/apt/archives/*.deb")

MEND = (
    "Give the engine a registry that has debian:trixie-slim, "
    "or install debootstrap and run this as root."
)


@contextlib.asynccontextmanager
async def make_base_system(
    folder: Path, progress: Callable[[str], None]
) -> AsyncIterator[AsyncIterator[bytes]]:
    """A minimal Debian as the stream of an uncompressed tar; made below ``folder``, then removed.

    One process at a time may use ``folder``. Raises UserProblem where this machine can't (no
    debootstrap, not root) or it failed.
    """
    program = shutil.which("debootstrap", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if program is None:
        raise UserProblem("The sandbox image has no base: there is no debootstrap here.", MEND)
    if os.geteuid() != 0:
        raise UserProblem("The sandbox image has no base: debootstrap needs root.", MEND)
    for left in folder.glob(f"{PREFIX}*"):  # by a process that was killed
        await asyncio.to_thread(shutil.rmtree, left, ignore_errors=True)
    place = Path(tempfile.mkdtemp(prefix=PREFIX, dir=folder))
    root = place / "root"
    try:
        progress("debootstrap: fetching a minimal Debian (about a minute)")
        await _debootstrap(program, root)
        (root / "etc/apt/sources.list").write_text(SOURCES)
        yield _tar(root)
    finally:
        await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)


async def _debootstrap(program: str, root: Path) -> None:
    # It mounts /proc and /sys below its root: in a mount namespace of its own, so that however it
    # ends they are gone before anything is removed there.
    process = await asyncio.create_subprocess_exec(
        "unshare",
        "--mount",
        "--propagation=private",
        program,
        "--variant=minbase",
        SUITE,
        str(root),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        start_new_session=True,
    )
    latest: deque[str] = deque(maxlen=LAST_LINES)
    try:
        async with asyncio.timeout(DEBOOTSTRAP_SECONDS):
            assert process.stdout is not None
            async for line in process.stdout:
                latest.append(line.decode(errors="replace").rstrip())
            code = await process.wait()
    except TimeoutError:
        code = -1
        latest.append(f"it took longer than {DEBOOTSTRAP_SECONDS:.0f} s")
    finally:
        await _end(process)
    if code != 0:
        raise UserProblem("debootstrap failed:\n" + "\n".join(latest), "Mend that and try again.")


async def _tar(root: Path) -> AsyncIterator[bytes]:
    process = await asyncio.create_subprocess_exec(
        "tar",
        "-C",
        str(root),
        "--numeric-owner",
        "--one-file-system",
        *(f"--exclude={pattern}" for pattern in EXCLUDED),
        "-c",
        ".",
        stdin=DEVNULL,
        stdout=PIPE,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        while chunk := await process.stdout.read(CHUNK):
            yield chunk
        if await process.wait() != 0:
            raise UserProblem("tar could not read the base system.", "Is the disk full?")
    finally:
        await _end(process)


async def _end(process: Process) -> None:
    """End a program and all that it started, where it still runs."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
