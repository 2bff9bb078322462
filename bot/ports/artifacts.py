"""Large results: reports, logs, later screenshots; by content, written once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Artifact:
    """Something kept. ``id`` is made of its content; ``size`` is in bytes."""

    id: str
    name: str
    media_type: str
    size: int


class Artifacts(Protocol):
    """Content that is kept ``RETENTION_DAYS``, or until there is too much of it: the oldest goes.

    The same content twice is kept once.
    """

    async def put(self, name: str, media_type: str, content: AsyncIterator[bytes]) -> Artifact:
        """Keep content; safe to repeat."""

    async def get(self, artifact_id: str) -> Artifact | None: ...

    def read(self, artifact_id: str) -> AsyncIterator[bytes]:
        """The content, in pieces."""
