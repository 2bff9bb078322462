"""Finds what a path of this machine is: a repository's work tree, a bare one, or a plain folder.

Git is not asked: it would read the configuration of whatever it finds, and refuse what belongs to
somebody else. Layouts: gitrepository-layout(5).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_LINK_BYTES = 8192


@dataclass(frozen=True)
class LocalRepository:
    """A repository of this machine.

    ``top`` is the work tree's folder, None for a bare one. ``directory`` holds HEAD and the index,
    ``common`` objects and refs; they differ in a linked work tree.
    """

    top: Path | None
    directory: Path
    common: Path

    @property
    def objects(self) -> Path:
        """The folder of its objects."""
        return self.common / "objects"


def repository_at(path: Path) -> LocalRepository | None:
    """The repository that ``path``, an existing folder, is or lies in; None where there is none."""
    if found := _opened(path, None):
        return found
    for folder in (path, *path.parents):
        if found := _opened(_linked(folder / ".git"), folder):
            return found
    return None


def _opened(directory: Path, top: Path | None) -> LocalRepository | None:
    if not (directory / "HEAD").is_file():
        return None
    common = directory
    link = directory / "commondir"
    if link.is_file():
        common = (directory / _first_line(link)).resolve()
    if not (common / "objects").is_dir() or not (common / "refs").is_dir():
        return None
    return LocalRepository(top, directory, common)


def _linked(git: Path) -> Path:
    """Where a ``.git`` leads: itself, or what the file of a linked work tree or submodule names."""
    if not git.is_file():
        return git
    line = _first_line(git)
    return (git.parent / line.removeprefix("gitdir:").strip()).resolve()


def _first_line(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_LINK_BYTES).split(b"\n")[0].decode("utf-8", "surrogateescape").strip()
