"""Listens to one page: what its scripts complain of, and what its requests come to.

All lists are bounded, all texts cut; what falls out is counted. A place of our own origin is told
as path and query, any other as it is.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any
from urllib.parse import urlsplit

from probe_health import own_origin

MOST_OF_A_KIND = 30
LONGEST_TEXT = 600
LONGEST_URL = 300
MOST_FRAMES = 8
MOST_HOSTS = 20
QUIET_SECONDS = 0.25
LONGEST_UNREST = 4.0
NOT_REQUESTED = {"data", "blob", "about", "chrome-extension"}
ABORTED = "net::ERR_ABORTED"


class Watcher:
    """What one page has said and asked for since it was made, or since ``forget``."""

    def __init__(self, tab: Any, port: int) -> None:
        self._tab = tab
        self._port = port
        self._under_way = 0
        self._changed = time.monotonic()
        self.crashed = asyncio.Event()
        self.closed = asyncio.Event()
        self.status: int | None = None
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.console: list[dict[str, Any]] = []
        self.exceptions: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        self.third_party = 0
        self.missing: dict[str, None] = {}
        self.left_out = 0

    async def listen(self) -> None:
        """Begin to listen; before the page goes anywhere."""
        page, debugger = self._tab.page, self._tab.debugger
        page.on("request", lambda _: self._moved(1))
        page.on("requestfinished", lambda _: self._moved(-1))
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)
        page.on("crash", lambda _: self.crashed.set())
        page.on("close", lambda _: self.closed.set())
        debugger.on("Runtime.exceptionThrown", self._threw)
        debugger.on("Runtime.exceptionRevoked", self._revoked)
        debugger.on("Runtime.consoleAPICalled", self._said)
        debugger.on("Log.entryAdded", self._logged)
        await debugger.send("Runtime.enable")
        await debugger.send("Log.enable")

    async def rest(self, quiet: float = QUIET_SECONDS) -> None:
        """Wait until no request has been under way for a while; bounded."""
        end = time.monotonic() + LONGEST_UNREST
        while (now := time.monotonic()) < end and not self.crashed.is_set():
            if self._under_way <= 0 and now - self._changed >= quiet:
                return
            await asyncio.sleep(0.02)

    def local(self, url: str) -> str:
        """A place as it is told."""
        if own_origin(url, self._port):
            parts = urlsplit(url)
            url = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return url[:LONGEST_URL]

    @property
    def seen(self) -> dict[str, Any]:
        """All that was heard."""
        return {
            "console": list(self.console),
            "exceptions": list(self.exceptions),
            "requests": list(self.requests),
            "third_party": self.third_party,
            "missing": list(self.missing),
            "left_out": self.left_out,
        }

    def _moved(self, by: int) -> None:
        self._under_way += by
        self._changed = time.monotonic()

    def _take(self, into: list[dict[str, Any]], item: dict[str, Any]) -> None:
        if any({**item, "id": 0} == {**known, "id": 0} for known in into):
            return
        if len(into) < MOST_OF_A_KIND:
            into.append(item)
        else:
            self.left_out += 1

    def _own(self, url: str) -> bool:
        try:
            if urlsplit(url).scheme in NOT_REQUESTED:
                return True
            return own_origin(url, self._port)
        except ValueError:
            return False

    def _failed(self, request: Any) -> None:
        self._moved(-1)
        if self._is_the_page(request):
            return
        reason = str(request.failure or "it failed")
        if not self._own(request.url):
            self.third_party += 1
            if request.resource_type in {"script", "stylesheet"} and len(self.missing) < MOST_HOSTS:
                host = urlsplit(request.url).hostname or ""
                self.missing[f"{request.resource_type} {host}"[:200]] = None
        elif reason != ABORTED:
            self._take(self.requests, self._request(request, None, reason))

    def _answered(self, response: Any) -> None:
        request = response.request
        if self._is_the_page(request):
            self.status = response.status
            return
        if response.status >= 400 and self._own(response.url):
            self._take(self.requests, self._request(request, response.status, ""))

    def _is_the_page(self, request: Any) -> bool:
        return bool(request.is_navigation_request() and request.frame == self._tab.page.main_frame)

    def _request(self, request: Any, status: int | None, reason: str) -> dict[str, Any]:
        return {
            "method": str(request.method)[:20],
            "url": self.local(request.url),
            "status": status,
            "type": str(request.resource_type)[:20],
            "reason": reason[:100],
        }

    def _threw(self, event: Any) -> None:
        details = event.get("exceptionDetails", {})
        thrown = details.get("exception", {})
        text = str(thrown.get("description") or thrown.get("value") or details.get("text") or "")
        frames = [
            [
                self.local(str(it.get("url", ""))),
                _from_one(it, "lineNumber"),
                _from_one(it, "columnNumber"),
            ]
            for it in details.get("stackTrace", {}).get("callFrames", [])[:MOST_FRAMES]
        ]
        if not frames and details.get("url"):
            place = self.local(str(details["url"]))
            frames = [[place, _from_one(details, "lineNumber"), _from_one(details, "columnNumber")]]
        said = text.partition("\n    at ")[0].strip() or "an exception without words"
        item = {"id": details.get("exceptionId"), "text": said[:LONGEST_TEXT], "frames": frames}
        self._take(self.exceptions, item)

    def _revoked(self, event: Any) -> None:
        """A promise's rejection was handled after all."""
        self.exceptions = [it for it in self.exceptions if it["id"] != event.get("exceptionId")]

    def _said(self, event: Any) -> None:
        if event.get("type") not in {"error", "assert"}:
            return
        texts = (
            str(it.get("description") or it.get("value") or it.get("type") or "")[:LONGEST_TEXT]
            for it in event.get("args", [])[:10]
        )
        frames = event.get("stackTrace", {}).get("callFrames", [])
        self._complaint(" ".join(texts), frames[0] if frames else {})

    def _logged(self, event: Any) -> None:
        """The browser's own complaints; of requests we hear elsewhere."""
        entry = event.get("entry", {})
        if entry.get("level") == "error" and entry.get("source") != "network":
            self._complaint(str(entry.get("text", "")), entry)

    def _complaint(self, text: str, place: Any) -> None:
        item = {
            "text": text.partition("\n    at ")[0].strip()[:LONGEST_TEXT],
            "url": self.local(str(place.get("url", ""))),
            "line": _from_one(place, "lineNumber"),
            "column": _from_one(place, "columnNumber"),
        }
        self._take(self.console, item)


def _from_one(place: Any, name: str) -> int | None:
    """A line or column, which the browser counts from 0."""
    number = place.get(name)
    return number + 1 if isinstance(number, int) and 0 <= number < 10_000_000 else None
