"""What detection finds, each value with the file that it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value", str, int)


@dataclass(frozen=True)
class Found(Generic[Value]):
    """A value and where it was found: a path, or what it follows from ("Vite's default")."""

    value: Value
    origin: str


@dataclass(frozen=True)
class Missing:
    """A key of ``deployment`` that nothing was found for, and what to do about it."""

    key: str
    sentence: str


@dataclass(frozen=True)
class Detected:
    """How a repository is installed, built, tested and started, as far as its files tell.

    ``needs_image`` names tools that the default image lacks, empty where it has all: the commands
    then count only with an image of the project's own. ``fallback_path`` is asked where
    ``health_path``, which is a guess, is not there. ``manifests``, ``locked`` and
    ``needs_source`` are those of ``bot.domain.plan.SnapshotRecipe``.
    """

    stack: str = ""
    install: Found[str] | None = None
    build: Found[str] | None = None
    test: Found[str] | None = None
    start: Found[str] | None = None
    port: Found[int] | None = None
    health_path: Found[str] | None = None
    fallback_path: str | None = None
    needs_image: str = ""
    notes: tuple[str, ...] = ()
    missing: tuple[Missing, ...] = ()
    manifests: tuple[str, ...] = ()
    locked: bool = False
    needs_source: bool = False

    def values(self) -> Iterator[tuple[str, Found[str] | Found[int]]]:
        """Every value that was found, under its key in ``deployment``."""
        found: tuple[tuple[str, Found[str] | Found[int] | None], ...] = (
            ("install_command", self.install),
            ("build_command", self.build),
            ("test_command", self.test),
            ("start_command", self.start),
            ("port", self.port),
            ("health_check_url", self.health_path),
        )
        for key, value in found:
            if value is not None:
                yield key, value

    @property
    def assumed(self) -> tuple[str, ...]:
        """One line a value: ``start_command: npm start (package.json)``."""
        return tuple(f"{key}: {found.value} ({found.origin})" for key, found in self.values())
