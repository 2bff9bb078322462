"""From a tree's list to the entries that a box may get. Pure.

A tree is made by whoever made the commit: it may hold ``..``, ``.git``, a name that no file system
takes, or a file where another path needs a folder. Such paths are left out, with a note; unpacking
the rest touches nothing outside its folder.
"""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.adapters.git.address import shown
from bot.adapters.git.repository import Listed
from bot.domain.source import EntryKind, TreeEntry
from bot.ports.source import SourceProblem

GITLINK = 0o160000
_NAME_BYTES = 255
_PATH_BYTES = 3072  # Linux takes 4096, the folder that all of it goes to included
_LINK_BYTES = 4095


@dataclass
class Notes:
    """Sentences for the report, and paths grouped by what became of them."""

    sentences: list[str] = field(default_factory=list)
    _groups: dict[str, list[str]] = field(default_factory=dict)

    def say(self, sentence: str) -> None:
        """Add a sentence."""
        self.sentences.append(sentence)

    def about(self, reason: str, path: str) -> None:
        """Add a path to those of which ``reason`` (a clause with a verb) holds."""
        self._groups.setdefault(reason, []).append(path)

    def all(self) -> tuple[str, ...]:
        """Every sentence; a group is one sentence, with three of its paths."""
        return (*self.sentences, *(_grouped(*group) for group in self._groups.items()))


def is_gitlink(listed: Listed) -> bool:
    """Whether a line is a submodule's commit."""
    return stat.S_IFMT(listed.mode) == GITLINK


def entries_of(
    listing: Sequence[Listed], notes: Notes, *, entries_limit: int, bytes_limit: int
) -> list[TreeEntry]:
    """The entries of a list without submodules' commits. Raises SourceProblem above a limit."""
    if len(listing) > entries_limit:
        raise SourceProblem(f"The tree has more than {entries_limit:,} files.")
    if sum(listed.size for listed in listing) > bytes_limit:
        raise SourceProblem(f"The tree's files have more than {bytes_limit // 1024**2:,} MB.")
    entries: list[TreeEntry] = []
    leaves: set[str] = set()
    folders: set[str] = set()
    for listed in listing:
        kind = _kind(listed)
        fault = _fault(listed, kind) or _clash(listed.path, leaves, folders)
        if fault:
            notes.about(fault, listed.path)
            continue
        leaves.add(listed.path)
        folders.update(parents_of(listed.path, folders))
        entries.append(TreeEntry(listed.path, kind, listed.object_id, listed.size))
    return entries


def parents_of(path: str, known: set[str]) -> list[str]:
    """The folders above a path that are not ``known``, the outermost first."""
    parents = []
    end = path.rfind("/")
    while end > 0 and (parent := path[:end]) not in known:
        parents.append(parent)
        end = path.rfind("/", 0, end)
    return parents[::-1]


def _kind(listed: Listed) -> EntryKind:
    if stat.S_ISLNK(listed.mode):
        return EntryKind.SYMLINK
    return EntryKind.EXECUTABLE if listed.mode & 0o100 else EntryKind.FILE


def _fault(listed: Listed, kind: EntryKind) -> str:
    path = listed.path
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        return "left out: the name is not UTF-8"
    if not path.isprintable() and any(ord(letter) < 32 or ord(letter) == 127 for letter in path):
        return "left out: the name has control characters in it"
    names = encoded.split(b"/")
    if any(name in (b"", b".", b"..") or name.lower() == b".git" for name in names):
        return "left out, as git itself would refuse to check it out"
    if len(encoded) > _PATH_BYTES or any(len(name) > _NAME_BYTES for name in names):
        return "left out: the name is too long for a file system"
    if kind is EntryKind.SYMLINK and not 0 < listed.size <= _LINK_BYTES:
        return "left out: the symlink's target is empty or too long"
    return ""


def _clash(path: str, leaves: set[str], folders: set[str]) -> str:
    if path in leaves or path in folders:
        return "left out: the path is there twice"
    end = path.find("/")
    while end > 0:
        if path[:end] in leaves:
            return "left out: a file or symlink is where its folder would be"
        end = path.find("/", end + 1)
    return ""


def _grouped(reason: str, paths: Sequence[str]) -> str:
    names = ", ".join(f"`{shown(path)}`" for path in paths[:3])
    if len(paths) == 1:
        return f"1 path was {reason} ({names})."
    more = f" and {len(paths) - 3:,} more" if len(paths) > 3 else ""
    return f"{len(paths):,} paths were {reason} ({names}{more})."
