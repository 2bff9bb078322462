"""A root file system small enough to import in a blink: the host's static busybox."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

BUSYBOX_IMAGE = "codegenapp-test/busybox"

APPLETS = ("sh", "cat", "sleep", "true", "kill", "tail", "id", "nc", "ip", "wget")
FOLDERS = (("bin", 0o755), ("etc", 0o755), ("tmp", 0o1777))


def static_busybox() -> Path | None:
    """The host's busybox, if it needs no library."""
    program = shutil.which("busybox")
    if program is None:
        return None
    linkage = subprocess.run(["ldd", program], check=False, capture_output=True, text=True)
    return Path(program) if "not a dynamic" in linkage.stdout + linkage.stderr else None


def busybox_archive(program: Path) -> bytes:
    """A tar of busybox, some of its applets, and a writable /tmp."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for folder, mode in FOLDERS:
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            archive.addfile(entry)
        entry = tarfile.TarInfo("bin/busybox")
        entry.size, entry.mode = program.stat().st_size, 0o755
        archive.addfile(entry, io.BytesIO(program.read_bytes()))
        for applet in APPLETS:
            entry = tarfile.TarInfo(f"bin/{applet}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(entry)
    return packed.getvalue()


def archive_of(files: dict[str, bytes]) -> bytes:
    """A tar of a few readable files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


async def chunked(data: bytes, size: int = 64 * 1024) -> AsyncIterator[bytes]:
    """Bytes as a stream."""
    for start in range(0, len(data), size):
        yield data[start : start + size]
