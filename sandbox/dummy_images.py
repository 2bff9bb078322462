"""A dummy engine's images: files by path, tags, labels, and the tars that they come from."""

from __future__ import annotations

import io
import tarfile
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace

from sandbox.engine import Image, NotThere

Files = dict[str, bytes]
"""Contents by path from the root, without the leading slash."""


@dataclass(eq=False)
class DummyImage:
    """An image: what the engine tells of it, and its files."""

    about: Image
    files: Files


class DummyImages:
    """All images of an engine. ``now`` gives the seconds since the epoch."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._images: dict[str, DummyImage] = {}

    def all(self) -> list[Image]:
        return [image.about for image in self._images.values()]

    def find(self, reference: str) -> DummyImage | None:
        """An image by id or tag."""
        tag = _whole(reference)
        tagged = (image for image in self._images.values() if tag in image.about.tags)
        return self._images.get(reference) or next(tagged, None)

    def get(self, reference: str) -> DummyImage:
        """An image by id or tag; NotThere where there is none."""
        if found := self.find(reference):
            return found
        raise NotThere(f"No such image: {reference}", 404)

    def keep(
        self,
        tag: str,
        files: Files,
        *,
        labels: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """Make an image and tag it; gives its id."""
        about = Image(
            id=f"sha256:{identity()}",
            tags=(),
            labels=dict(labels or {}),
            bytes=sum(map(len, files.values())),
            created_at=self._now(),
            tagged_at=0.0,
            environment=dict(environment or {}),
            architecture="amd64",
        )
        self._images[about.id] = DummyImage(about, files)
        self.tag(about.id, tag)
        return about.id

    def tag(self, reference: str, tag: str) -> None:
        """Move a tag to an image. The one that had it stays, as Docker's untagged ones do."""
        image, tag = self.get(reference), _whole(tag)
        for other in self._images.values():
            other.about = replace(other.about, tags=_without(tag, other.about))
        image.about = replace(image.about, tags=(*image.about.tags, tag), tagged_at=self._now())

    def remove(self, reference: str) -> None:
        """Take a tag away, and the image with its last one."""
        image = self.get(reference)
        is_id = reference == image.about.id
        image.about = replace(
            image.about, tags=() if is_id else _without(_whole(reference), image.about)
        )
        if not image.about.tags:
            del self._images[image.about.id]


def identity() -> str:
    """A new object's id: 64 hex digits, as an engine gives."""
    return uuid.uuid4().hex * 2


def unpacked(tar: bytes, below: str = "") -> Files:
    """The regular files of a tar, put below a folder."""
    files: Files = {}
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        for member in archive:
            if content := archive.extractfile(member):
                parts = f"{below}/{member.name}".split("/")
                files["/".join(part for part in parts if part not in ("", "."))] = content.read()
    return files


async def collected(chunks: AsyncIterator[bytes]) -> bytes:
    """A whole stream."""
    return b"".join([chunk async for chunk in chunks])


def _whole(reference: str) -> str:
    """A reference with its tag, ``latest`` where it has none."""
    return reference if ":" in reference.rpartition("/")[2] else f"{reference}:latest"


def _without(tag: str, about: Image) -> tuple[str, ...]:
    return tuple(each for each in about.tags if each != tag)
