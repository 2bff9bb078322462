"""Where code comes from: exact trees of exact commits, never a checkout."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from bot.domain.source import Origin, TreeEntry


class Tree(Protocol):
    """One commit's tree, readable while its source is open.

    ``head_sha`` is the commit's full object name (40 or 64 hex digits). Where uncommitted changes
    were taken along, ``dirty`` is true and ``head_sha`` names the commit that they stand on.
    ``notes`` are sentences for the report (LFS left out, a submodule refused).
    """

    @property
    def head_sha(self) -> str: ...

    @property
    def dirty(self) -> bool: ...

    @property
    def notes(self) -> Sequence[str]: ...

    @property
    def entries(self) -> Sequence[TreeEntry]:
        """Every file, executable and symlink, submodules of the same host included."""

    async def read(self, path: str, limit: int = 1024 * 1024) -> bytes | None:
        """A file's first ``limit`` bytes; None where the tree has no such file."""

    def archive(self, prefix: str, uid: int) -> AsyncIterator[bytes]:
        """The whole tree as an uncompressed tar stream, owned by ``uid``, below ``prefix``.

        May be called more than once; each call streams the same tree.
        """


class SourceProblem(Exception):
    """The code could not be had: no such repository, ref or commit, or access refused.

    ``ours`` is true where the network, the machine or a time limit is at fault.
    """

    def __init__(self, message: str, *, ours: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.ours = ours


class Source(Protocol):
    """Fetches into a repository of its own and gives the tree; closes it behind you."""

    def open(self, origin: Origin) -> AbstractAsyncContextManager[Tree]:
        """The tree of an origin. Raises SourceProblem."""
