"""A commit's tree, as the controller sees it: names, modes and sizes, never a checkout."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EntryKind(StrEnum):
    """What a path of a tree is."""

    FILE = "file"
    EXECUTABLE = "executable"
    SYMLINK = "symlink"


@dataclass(frozen=True)
class TreeEntry:
    """One path of a tree. ``size`` is in bytes; ``object_id`` names the blob."""

    path: str
    kind: EntryKind
    object_id: str
    size: int


@dataclass(frozen=True)
class Origin:
    """Where code comes from: a repository's URL or a local path, and what to take of it.

    ``ref`` is a branch, tag, pull-request ref or commit; None means the default branch of a URL,
    or HEAD plus the uncommitted changes of tracked files of a path.
    ``alone``: no credential is given for anything but the location itself, so that a stranger's
    submodules reach nothing private.
    """

    location: str
    ref: str | None = None
    alone: bool = False
