"""Links within the application: which to open as pages, and which are broken."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from probe_health import judged, own_origin

MOST_LINKS = 100
MOST_QUERIES = 3
LINK_SECONDS = 8.0
AT_ONCE = 4
LONGEST_PATH = 1000
UNJUDGED = {401, 403, 405, 406, 429}
"""Answers of a link that works for somebody else, or in another way."""
DESTRUCTIVE = re.compile(
    r"delet|remov|destroy|eras|clear|reset|wipe|purge|drop|trash|discard|archive"
    r"|log[\s_-]?out|log[\s_-]?off|sign[\s_-]?out|sign[\s_-]?off|unsubscrib|deactivat|disabl|revok"
    r"|terminat|cancel|shut[\s_-]?down|restart|(?<![a-z])(?:pay|buy|purchase|order|checkout|donate)"
    r"|bezahl|lösch|entfern|abmeld|kauf",
    re.IGNORECASE,
)


def destructive(text: str) -> bool:
    """Whether words of a component or link say that something would be gone afterwards."""
    return DESTRUCTIVE.search(text) is not None


@dataclass
class Link:
    """A link as it was found first; ``kind`` is ``page``, ``other``, ``broken`` or not known."""

    path: str
    page: str
    text: str
    kind: str = ""
    status: int | None = None
    reason: str = ""


@dataclass
class Links:
    """All links of the application that were found, each once."""

    port: int
    found: dict[str, Link] = field(default_factory=dict)
    left_out: int = 0
    skipped: int = 0
    _queries: dict[str, int] = field(default_factory=dict)

    async def take(self, page: str, links: list[dict[str, Any]]) -> list[Link]:
        """Remember a page's links, and look at the new ones; gives those."""
        fresh = [it for it in (self._new(page, link) for link in links) if it is not None]
        limit = asyncio.Semaphore(AT_ONCE)

        async def look(link: Link) -> None:
            async with limit:
                await self._look(link)

        await asyncio.gather(*(look(link) for link in fresh))
        return fresh

    def _new(self, page: str, link: dict[str, Any]) -> Link | None:
        href, text = str(link.get("href", "")), str(link.get("text", ""))
        try:
            if not own_origin(href, self.port):
                return None
            parts = urlsplit(href)
        except ValueError:
            return None
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if path in self.found or len(path) > LONGEST_PATH or link.get("saves"):
            return None
        if destructive(f"{path} {text}"):
            self.skipped += 1
            return None
        count = self._queries.get(parts.path, 0)
        if len(self.found) >= MOST_LINKS or count >= MOST_QUERIES:
            self.left_out += 1
            return None
        self._queries[parts.path] = count + 1
        self.found[path] = Link(path, page, text)
        return self.found[path]

    async def _look(self, link: Link) -> None:
        judgement = await judged(self.port, link.path, LINK_SECONDS)
        answer = judgement.answer
        if answer is None:
            link.kind, link.reason = "page", judgement.reason
            return
        link.status = answer.status
        html = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if "another origin" in judgement.reason or answer.status in UNJUDGED:
            link.kind = "other"
        elif 400 <= answer.status < 500:
            link.kind, link.reason = "broken", f"it answered {answer.status}"
        else:
            page = html in {"text/html", "application/xhtml+xml"} or answer.status >= 500
            link.kind = "page" if page else "other"

    @property
    def broken(self) -> list[Link]:
        """Those whose target is not there."""
        return [link for link in self.found.values() if link.kind == "broken"]
