"""``GridFSArtifacts``: fulfils ``bot.ports.artifacts``; an artifact's id is its content's hash."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import AsyncIterator
from datetime import timedelta

from gridfs.errors import FileExists, NoFile
from pymongo.errors import DuplicateKeyError

from bot.adapters.mongo.database import Database, passing_faults
from bot.ports.artifacts import Artifact, Artifacts

IN_MEMORY = 4 * 1024 * 1024
PIECE = 256 * 1024


class GridFSArtifacts(Artifacts):
    """See ``bot.ports.artifacts``."""

    def __init__(self, database: Database, retention: timedelta) -> None:
        self._database = database
        self._bucket = database.bucket("artifacts")
        self._files = database.collection("artifacts.files")
        self._retention = retention

    async def put(self, name: str, media_type: str, content: AsyncIterator[bytes]) -> Artifact:
        digest, size = hashlib.sha256(), 0
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as spool:
            async for piece in content:
                digest.update(piece)
                size += len(piece)
                spool.write(piece)
            spool.seek(0)
            artifact = Artifact(digest.hexdigest(), name, media_type, size)
            kept_until = self._database.clock.now() + self._retention
            metadata = {"media_type": media_type, "kept_until": kept_until}
            with passing_faults():
                known = await self._files.update_one(
                    {"_id": artifact.id}, {"$set": {"metadata.kept_until": kept_until}}
                )
                if not known.matched_count:
                    # Somebody else may keep the same at this instant.
                    with contextlib.suppress(FileExists, DuplicateKeyError):
                        await self._bucket.upload_from_stream_with_id(
                            artifact.id, name, spool, metadata=metadata
                        )
        return artifact

    async def get(self, artifact_id: str) -> Artifact | None:
        with passing_faults():
            found = await self._files.find_one({"_id": artifact_id})
        if found is None:
            return None
        media_type = found["metadata"]["media_type"]
        return Artifact(artifact_id, found["filename"], media_type, found["length"])

    async def read(self, artifact_id: str) -> AsyncIterator[bytes]:
        with passing_faults():
            try:
                stream = await self._bucket.open_download_stream(artifact_id)
            except NoFile:
                return
            for _ in range(0, stream.length, PIECE):
                yield bytes(await stream.read(PIECE))

    async def forget(self) -> int:
        """Remove what is past its time; says how much."""
        count = 0
        late = {"metadata.kept_until": {"$lt": self._database.clock.now()}}
        with passing_faults():
            async for found in self._files.find(late, {"_id": 1}).limit(1_000):
                await self._bucket.delete(found["_id"])
                count += 1
        return count
