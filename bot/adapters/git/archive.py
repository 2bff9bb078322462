"""A tree as a tar stream, written by ourselves.

Not by ``git archive``: that obeys the tree's own attributes (export-ignore, export-subst). Every
folder is an entry of its own, so that all is owned by the same user. What does not fit a plain
header (long names, names and link targets that are not ASCII) goes in PAX headers.
"""

from __future__ import annotations

import tarfile
from collections.abc import AsyncIterator, Sequence

from bot.adapters.git.listing import parents_of
from bot.adapters.git.repository import Blobs, Repository
from bot.domain.source import EntryKind, TreeEntry

_BLOCK = 512
_PIECE = 256 * 1024
_END = bytes(20 * _BLOCK)

# Commits may claim any time; tools fail on some. Zip, and so every Python wheel, begins in 1980.
_EARLIEST = 315_619_200  # 1980-01-02
_LATEST = 4_102_444_800  # 2100-01-01


async def archive(
    repository: Repository, entries: Sequence[TreeEntry], *, prefix: str, uid: int, modified: int
) -> AsyncIterator[bytes]:
    """The stream, in pieces of some 256 KiB; memory does not grow with the tree."""
    header = _Header(uid, min(max(modified, _EARLIEST), _LATEST))
    below = prefix.strip("/")
    folders: set[str] = set()
    out = bytearray(header.folder(below) if below else b"")
    async with repository.blobs(entry.object_id for entry in entries) as blobs:
        for entry in entries:
            for parent in parents_of(entry.path, folders):
                folders.add(parent)
                out += header.folder(_joined(below, parent))
            if entry.kind is EntryKind.SYMLINK:
                out += header.link(_joined(below, entry.path), await blobs.whole())
                continue
            size = await blobs.next()
            out += header.file(_joined(below, entry.path), entry.kind, size)
            async for piece in _padded(blobs, size):
                out += piece
                if len(out) >= _PIECE:
                    yield bytes(out)
                    out.clear()
    yield bytes(out + _END)


async def _padded(blobs: Blobs, size: int) -> AsyncIterator[bytes]:
    async for piece in blobs.pieces(size):
        yield piece
    yield bytes(-size % _BLOCK)


class _Header:
    """Makes the headers of one archive, all with the same owner and time."""

    def __init__(self, uid: int, modified: int) -> None:
        self._uid = uid
        self._modified = modified

    def folder(self, path: str) -> bytes:
        return self._bytes(path, tarfile.DIRTYPE, 0o755)

    def file(self, path: str, kind: EntryKind, size: int) -> bytes:
        mode = 0o755 if kind is EntryKind.EXECUTABLE else 0o644
        return self._bytes(path, tarfile.REGTYPE, mode, size=size)

    def link(self, path: str, target: bytes) -> bytes:
        text = target.decode("utf-8", "surrogateescape")
        return self._bytes(path, tarfile.SYMTYPE, 0o777, target=text)

    def _bytes(
        self, path: str, kind: bytes, mode: int, *, size: int = 0, target: str = ""
    ) -> bytes:
        member = tarfile.TarInfo(path)
        member.type, member.mode, member.size, member.linkname = kind, mode, size, target
        member.uid = member.gid = self._uid
        member.mtime = self._modified
        return member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _joined(prefix: str, path: str) -> str:
    return f"{prefix}/{path}" if prefix else path
