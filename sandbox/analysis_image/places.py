"""The names of a tree, asked by those who look for a module's file. Knows no language."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

SUBMODULE = re.compile(r"^\s*path\s*=\s*(\S+)\s*$", re.MULTILINE)


class Answer(Enum):
    """Whether something is there; ``UNKNOWN`` where the tree alone can't tell."""

    THERE = "there"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass
class Places:
    """All paths of a tree. ``blind`` are places that can't be looked into: links, submodules."""

    paths: frozenset[str]
    blind: frozenset[str]
    folders: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, paths: Iterable[str], links: Iterable[str], submodules: str = "") -> Places:
        """From a tree's paths, its symlinks, and the text of its ``.gitmodules``."""
        paths = frozenset(paths)
        folders: dict[str, set[str]] = {"": set()}
        for path in paths:
            _enter(folders, path)
        blind = frozenset(links) | frozenset(SUBMODULE.findall(submodules))
        return cls(paths, blind, {name: frozenset(held) for name, held in folders.items()})

    def is_blind(self, path: str) -> bool:
        """Whether a path is, or lies below, what can't be looked into."""
        parts = path.split("/")
        return any("/".join(parts[:end]) in self.blind for end in range(1, len(parts) + 1))

    def stem(self, path: str) -> list[str]:
        """The files of a folder whose names begin with a path's last part and a dot."""
        folder, _, name = path.rpartition("/")
        return [
            f"{folder}/{held}" if folder else held
            for held in self.folders.get(folder, ())
            if held.startswith(f"{name}.")
        ]

    def is_folder(self, path: str) -> bool:
        """Whether a path is a folder with anything in it."""
        return path in self.folders


def _enter(folders: dict[str, set[str]], path: str) -> None:
    while path:
        folder, _, name = path.rpartition("/")
        known = folder in folders
        folders.setdefault(folder, set()).add(name)
        if known and folder and name in folders[folder] and len(folders[folder]) > 1:
            return
        path = folder


def joined(folder: str, relative: str) -> str | None:
    """A relative path seen from a folder; None where it leads out of the tree."""
    parts = folder.split("/") if folder else []
    for part in relative.split("/"):
        if part in ("", "."):
            continue
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
        else:
            return None
    return "/".join(parts)
