"""What a probe tells while an action runs: parts of its result, and files in pieces. Bounded."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MOST_PARTS = 1000
MOST_FILES = 100
MOST_BYTES = 32 * 1024 * 1024
"""Of all files of one action together."""
FILE_NAME = re.compile(r"[A-Za-z0-9][\w.%~-]{0,199}", re.ASCII)
PICTURES = frozenset({"image/png", "image/jpeg"})
MEDIA_TYPES = PICTURES | {"application/zip"}


class NotOfTheProtocol(Exception):
    """A message that no probe of ours would send."""


@dataclass(frozen=True)
class File:
    """A file that the probe has sent, whole."""

    name: str
    media_type: str
    content: bytes


@dataclass
class Parts:
    """What one action has told so far."""

    data: list[Mapping[str, Any]] = field(default_factory=list)
    files: dict[str, File] = field(default_factory=dict)
    _name: str = ""
    _pieces: list[bytes] = field(default_factory=list)
    _bytes: int = 0

    def take(self, message: Mapping[str, Any]) -> None:
        """Take an ``event`` or ``artifact``; others are passed over. Raises NotOfTheProtocol."""
        if message["type"] == "artifact":
            self._piece(message)
        elif message["type"] == "event" and "data" in message:
            if not isinstance(message["data"], Mapping) or len(self.data) >= MOST_PARTS:
                raise NotOfTheProtocol("a part that is no object, or one too many")
            self.data.append(message["data"])

    @property
    def whole(self) -> bool:
        """Whether no file is missing its end."""
        return not self._pieces

    def _piece(self, message: Mapping[str, Any]) -> None:
        name, kind, content = (message.get(it) for it in ("name", "media_type", "content"))
        if not isinstance(name, str) or not FILE_NAME.fullmatch(name):
            raise NotOfTheProtocol("a file without a proper name")
        if not isinstance(kind, str) or kind not in MEDIA_TYPES:
            raise NotOfTheProtocol("a file of another type")
        expected = len(self._pieces)
        if message.get("part") != expected or (expected and name != self._name):
            raise NotOfTheProtocol("a file's pieces out of order")
        if name in self.files or len(self.files) >= MOST_FILES or not isinstance(content, str):
            raise NotOfTheProtocol("a file that was there already, or one too many")
        try:
            piece = base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError):
            raise NotOfTheProtocol("a piece that is not base64") from None
        self._bytes += len(piece)
        if self._bytes > MOST_BYTES:
            raise NotOfTheProtocol("more bytes than files may have together")
        self._name = name
        self._pieces.append(piece)
        if message.get("last") is True:
            self.files[name] = File(name, kind, b"".join(self._pieces))
            self._pieces.clear()
