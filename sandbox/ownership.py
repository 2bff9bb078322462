"""Who owns an object of the engine: the labels of all that we make, and whether an owner lives.

An *installation* is one home folder of the product; several may share an engine, and none ever
touches another's objects. An *owner* is one running process of an installation. It holds a lock
on a file of its own for as long as it lives; the kernel lets go of the lock however it dies, so
a sweep can tell the dead from the living without asking them.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from bot.domain.validations import iso8601
from sandbox.engine import Kind

INSTALLATION = "codegenapp.installation"
OWNER = "codegenapp.owner"
RUN = "codegenapp.run"
DEADLINE = "codegenapp.deadline"
KIND = "codegenapp.kind"

KEPT = "kept"
"""The owner of what its user wanted to keep: only its deadline ends it."""


@dataclass
class Owner:
    """One process, as the labels name it. Made by ``Owner.claim``; ``release`` when done."""

    installation: str
    id: str
    folder: Path
    descriptor: int

    @classmethod
    def claim(cls, home: Path) -> Self:
        """Take a place among the owners of the installation whose home folder this is."""
        folder = home / "owners"
        folder.mkdir(parents=True, exist_ok=True)
        owner = str(uuid.uuid4())
        # Locked before it has its name: nobody ever sees an unlocked file of a living owner.
        unnamed = folder / f".{owner}"
        descriptor = os.open(unnamed, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unnamed.rename(folder / owner)
        return cls(_installation(home), owner, folder, descriptor)

    def labels(self, kind: Kind, run: str, deadline: datetime) -> dict[str, str]:
        """The labels of an object of ours; ``run`` is a validation's id or what it is for."""
        return {
            INSTALLATION: self.installation,
            OWNER: self.id,
            RUN: run,
            DEADLINE: iso8601(deadline),
            KIND: kind.value,
        }

    def lives(self, owner: str) -> bool:
        """Whether an owner of this installation is still running."""
        if owner in (self.id, KEPT):
            return True
        path = self.folder / owner
        if not owner or path.parent != self.folder:
            return False
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        path.unlink(missing_ok=True)
        return False

    def release(self) -> None:
        """Leave the owners; what still carries our label is then for the next sweep."""
        (self.folder / self.id).unlink(missing_ok=True)
        os.close(self.descriptor)


def expired(labels: Mapping[str, str], now: datetime) -> bool:
    """Whether an object is past the deadline that its label names; without one, never."""
    deadline = labels.get(DEADLINE, "")
    try:
        return datetime.fromisoformat(deadline) <= now
    except ValueError:
        return False


def kept(labels: Mapping[str, str], until: datetime) -> dict[str, str]:
    """The labels of an object that outlives its process, until a time."""
    return {**labels, OWNER: KEPT, DEADLINE: iso8601(until)}


def deadline_in(now: datetime, seconds: float) -> datetime:
    """A deadline so many seconds from now."""
    return now + timedelta(seconds=seconds)


def _installation(home: Path) -> str:
    """The installation's id, drawn once and kept in its home."""
    path = home / "installation-id"
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        # Another process may be between making the file and writing its 36 characters.
        for _ in range(1000):
            text = path.read_text().strip()
            if text:
                return text
        raise RuntimeError(f"{path} is empty; remove it, and a new id is drawn") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(str(uuid.uuid4()))
        file.flush()
    return path.read_text().strip()
