"""Pictures that people put into comments, from GitHub's own addresses and no other.

An address comes from whoever wrote the comment: it must not make this process ask anybody else,
its own network least of all.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urljoin, urlsplit

import aiohttp

from bot.log import get_logger
from bot.ports.github import Image

SECONDS = 15.0
LARGEST = 5 * 1024 * 1024
MOST_REDIRECTS = 3
STORES: Final = (".githubusercontent.com", "github-production-user-asset-6210df.s3.amazonaws.com")
"""Where GitHub's own addresses of attachments lead to."""
KINDS: Final = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
}
_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}(?:\.[A-Za-z0-9]{1,10})?")

log = get_logger()


class Attachments:
    """``url`` is where GitHub's pages are."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url.rstrip("/")

    async def image(self, url: str) -> Image | None:
        """See ``bot.ports.github``."""
        if not self._is_ours(url) and not _is_stored(url):
            return None
        try:
            content = await self._content(url)
        except (aiohttp.ClientError, TimeoutError, ValueError) as fault:
            log.info("an image could not be had", reason=type(fault).__name__)
            return None
        media_type = next((kind for magic, kind in KINDS.items() if content.startswith(magic)), "")
        if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
            media_type = "image/webp"
        return Image(media_type, content) if media_type else None

    def _is_ours(self, url: str) -> bool:
        rest = url.removeprefix(f"{self._url}/user-attachments/assets/")
        return rest != url and _NAME.fullmatch(rest) is not None

    async def _content(self, url: str) -> bytes:
        """The first redirects are followed, as long as they stay in GitHub's stores."""
        timeout = aiohttp.ClientTimeout(total=SECONDS)
        for _ in range(MOST_REDIRECTS + 1):
            async with self._session.get(url, timeout=timeout, allow_redirects=False) as answer:
                if answer.status in (301, 302, 303, 307, 308):
                    url = urljoin(url, answer.headers.get("Location", ""))
                    if not _is_stored(url):
                        return b""
                    continue
                if answer.status != 200 or (answer.content_length or 0) > LARGEST:
                    return b""
                content = await answer.content.read(LARGEST + 1)
                while len(content) <= LARGEST and (more := await answer.content.read(LARGEST)):
                    content += more
                return content if len(content) <= LARGEST else b""
        return b""


def _is_stored(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    stored = any(host == it or (it[0] == "." and host.endswith(it)) for it in STORES)
    return parts.scheme == "https" and stored and port is None
