"""What a change is, in its author's words and lines: data, written by others."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Hunk:
    """A piece of the change, as ``git diff`` writes it, without the file's header."""

    file: str
    text: str


@dataclass(frozen=True)
class ChangeContext:
    """What people wrote of a change, and the change itself."""

    title: str = ""
    commit_messages: tuple[str, ...] = ()
    hunks: tuple[Hunk, ...] = ()
