"""One commit's tree, read out of a bare repository: what ``ports.source.Tree`` asks for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from bot.adapters.git.archive import archive
from bot.adapters.git.repository import Repository
from bot.domain.source import EntryKind, TreeEntry


@dataclass(frozen=True)
class GitTree:
    """A tree whose blobs ``repository`` has, borrowed ones included.

    ``modified`` is the commit's time in seconds since the epoch. Symlinks are never followed:
    ``read`` gives None for them.
    """

    repository: Repository
    head_sha: str
    entries: Sequence[TreeEntry]
    notes: Sequence[str]
    modified: int
    dirty: bool = False

    async def read(self, path: str, limit: int = 1024 * 1024) -> bytes | None:
        """A file's first ``limit`` bytes; None where the tree has no such file."""
        entry = next((entry for entry in self.entries if entry.path == path), None)
        if entry is None or entry.kind is EntryKind.SYMLINK:
            return None
        content = bytearray()
        async with self.repository.blobs([entry.object_id]) as blobs:
            async for piece in blobs.pieces(await blobs.next()):
                content += piece
                if len(content) >= limit:
                    break
        return bytes(content[:limit])

    def archive(self, prefix: str, uid: int) -> AsyncIterator[bytes]:
        """The whole tree as an uncompressed tar stream, owned by ``uid``, below ``prefix``."""
        return archive(
            self.repository, self.entries, prefix=prefix, uid=uid, modified=self.modified
        )
