"""``GridFSArtifacts``: fulfils ``bot.ports.artifacts``; an artifact's id is its content's hash."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import IO, Any

from gridfs.errors import FileExists, NoFile
from pymongo.errors import DuplicateKeyError

from bot.adapters.mongo.database import Database, passing_faults
from bot.ports.artifacts import Artifact, Artifacts

DEFAULT_MOST_BYTES = 20 * 1024**3
MOST_AT_ONCE = 1_000
UPLOAD = timedelta(minutes=1)
"""Between two pieces of an upload that goes on."""
IN_MEMORY = 4 * 1024 * 1024
PIECE = 256 * 1024


class GridFSArtifacts(Artifacts):
    """See ``bot.ports.artifacts``; ``most_bytes`` are those of all together."""

    def __init__(
        self, database: Database, retention: timedelta, most_bytes: int = DEFAULT_MOST_BYTES
    ) -> None:
        self._database = database
        self._bucket = database.bucket("artifacts")
        self._files = database.collection("artifacts.files")
        self._chunks = database.collection("artifacts.chunks")
        self._retention = retention
        self._most_bytes = most_bytes

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
                    await self._upload(artifact, spool, metadata)
        return artifact

    async def _upload(
        self, artifact: Artifact, spool: IO[bytes], metadata: Mapping[str, Any]
    ) -> None:
        """Upload, unless somebody does; what a killed process has left behind is no hindrance."""
        for _ in range(2):
            try:
                await self._bucket.upload_from_stream_with_id(
                    artifact.id, artifact.name, spool, metadata=metadata
                )
            except (FileExists, DuplicateKeyError):
                if not await self._is_torn(artifact.id):
                    return
                await self._chunks.delete_many({"files_id": artifact.id})
                spool.seek(0)
            else:
                return

    async def _is_torn(self, artifact_id: str) -> bool:
        """Whether there are pieces without their file, which nobody is adding to any more."""
        if await self._files.find_one({"_id": artifact_id}, {"_id": 1}) is not None:
            return False
        newest = await self._chunks.find_one({"files_id": artifact_id}, sort=[("n", -1)])
        if newest is None:
            return True
        age = self._database.clock.now() - newest["_id"].generation_time
        return bool(age > UPLOAD)

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
        """Remove what is past its time, then the oldest of what is too much; says how many."""
        count, now = 0, self._database.clock.now()
        with passing_faults():
            left = await self._size()
            oldest = self._files.find({}, {"metadata.kept_until": 1, "length": 1})
            async for found in oldest.sort("metadata.kept_until", 1).limit(MOST_AT_ONCE):
                if found["metadata"]["kept_until"] >= now and left <= self._most_bytes:
                    break
                # Somebody may have kept it anew meanwhile, or another worker was quicker.
                kept_until = found["metadata"]["kept_until"]
                wanted = {"_id": found["_id"], "metadata.kept_until": kept_until}
                if (await self._files.delete_one(wanted)).deleted_count:
                    await self._chunks.delete_many({"files_id": found["_id"]})
                    left -= found["length"]
                    count += 1
        return count

    async def _size(self) -> int:
        """The bytes of all."""
        whole = {"$group": {"_id": None, "bytes": {"$sum": "$length"}}}
        async for found in self._files.aggregate([whole]):
            return int(found["bytes"])
        return 0
