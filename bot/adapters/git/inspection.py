"""What small blobs say of themselves: symlinks that no file system takes, Git LFS pointers."""

from __future__ import annotations

from collections.abc import Sequence

from bot.adapters.git.listing import Notes
from bot.adapters.git.repository import Repository
from bot.domain.source import EntryKind, TreeEntry

_POINTER = b"version https://git-lfs.github.com/spec/v1\n"
_POINTER_BYTES = range(len(_POINTER), 1024)
_ATTRIBUTES_BYTES = 64 * 1024


async def inspect(
    repository: Repository, entries: Sequence[TreeEntry], notes: Notes
) -> list[TreeEntry]:
    """The entries without impossible symlinks; notes on these and on LFS pointers.

    Small files are read only where an attributes file speaks of LFS: else no pointer is one.
    """
    attributes = [
        entry
        for entry in entries
        if entry.path.rpartition("/")[2] == ".gitattributes"
        and entry.kind is not EntryKind.SYMLINK
        and entry.size <= _ATTRIBUTES_BYTES
    ]
    contents = await _read(repository, attributes)
    uses_lfs = any(b"filter=lfs" in content for content in contents)
    small = [
        entry
        for entry in entries
        if entry.kind is EntryKind.SYMLINK or (uses_lfs and entry.size in _POINTER_BYTES)
    ]
    impossible: set[str] = set()
    for entry, content in zip(small, await _read(repository, small), strict=True):
        if entry.kind is not EntryKind.SYMLINK:
            if content.startswith(_POINTER):
                notes.about("kept in Git LFS: only the pointer is here", entry.path)
        elif b"\0" in content:
            impossible.add(entry.path)
            notes.about("left out: the symlink's target has a zero byte in it", entry.path)
    if not impossible:
        return list(entries)
    return [entry for entry in entries if entry.path not in impossible]


async def _read(repository: Repository, entries: Sequence[TreeEntry]) -> list[bytes]:
    if not entries:
        return []
    async with repository.blobs(entry.object_id for entry in entries) as blobs:
        return [await blobs.whole() for _ in entries]
