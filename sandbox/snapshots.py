"""Snapshots: boxes with everything installed, kept as images of the engine.

One is tagged by the key of what it was made of (``bot.policy.snapshot_key``), carries the day on
which it goes stale, and is forgotten least recently used first when all together pass the limit.
Using one tags it again, and so the engine itself remembers when each was last used.
"""

from __future__ import annotations

from datetime import UTC, datetime

from bot.ports.clock import Clock
from sandbox.engine import Engine, Image, Kind, NotThere
from sandbox.ownership import INSTALLATION, KIND, Owner, deadline_in, expired

REPOSITORY = "codegenapp/snapshot"
BASE_BYTES = "codegenapp.base-bytes"
LOCKED_SECONDS = 90 * 24 * 3600.0
UNLOCKED_SECONDS = 24 * 3600.0


def tag_of(key: str) -> str:
    """The tag of a snapshot's image."""
    return f"{REPOSITORY}:{key}"


def installed_on(image: Image) -> str:
    """The day on which a snapshot was installed, for the report."""
    return datetime.fromtimestamp(image.created_at, UTC).strftime("%Y-%m-%d %H:%M UTC")


class Snapshots:
    """The snapshots of this installation on one engine; ``limit_bytes`` bounds all together."""

    def __init__(self, engine: Engine, owner: Owner, limit_bytes: int, clock: Clock) -> None:
        self._engine = engine
        self._owner = owner
        self._limit = limit_bytes
        self._clock = clock

    async def find(self, key: str) -> Image | None:
        """A snapshot that is not stale, marked as used now."""
        image = await self._engine.image(tag_of(key))
        if image is None or expired(image.labels, self._clock.now()):
            return None
        try:
            await self._engine.tag(image.id, tag_of(key))
        except NotThere:
            return None  # another process forgot it in this moment
        return image

    async def keep(self, key: str, box: str, base: Image, *, locked: bool) -> None:
        """Keep a box as the snapshot of a key; forgets others where all pass the limit."""
        lifetime = LOCKED_SECONDS if locked else UNLOCKED_SECONDS
        deadline = deadline_in(self._clock.now(), lifetime)
        labels = self._owner.labels(Kind.SNAPSHOT, key, deadline) | {BASE_BYTES: str(base.bytes)}
        await self._engine.commit(box, tag_of(key), labels=labels)
        await self.forget()

    async def forget(self) -> int:
        """Forget what is stale or replaced, then the least recently used above the limit.

        Says how many.
        """
        images = await self._engine.list_images(f"{KIND}={Kind.SNAPSHOT.value}")
        mine = [it for it in images if it.labels.get(INSTALLATION) == self._owner.installation]
        mine.sort(key=_last_use, reverse=True)
        total, forgotten = 0, 0
        for image in mine:
            total += own_bytes(image)
            useless = not image.tags or expired(image.labels, self._clock.now())
            if useless or total > self._limit:
                total -= own_bytes(image)
                await self._engine.remove_image(image.id)
                forgotten += 1
        return forgotten


def own_bytes(image: Image) -> int:
    """What a snapshot takes beyond the image that it stands on, in bytes."""
    base = image.labels.get(BASE_BYTES, "0")
    return max(0, image.bytes - int(base)) if base.isdecimal() else image.bytes


def _last_use(image: Image) -> float:
    return max(image.tagged_at, image.created_at)
