"""One visit of one page at one size: what it shows, says, asks for, and how quick it is."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from probe_browser import BrowserGone, Tab, opened_tab
from probe_health import own_origin, quotable
from probe_pages import error_page
from probe_web_scripts import BLANK, COMPONENTS, FACTS, VITALS, axe
from probe_web_watch import LONGEST_URL, Watcher

BLANK_SECONDS = 3.0
EXAMINE_SECONDS = 40.0
AXE_SECONDS = 8.0
PICTURE_SECONDS = 8.0
LONGEST_PAGE = 6000
"""Height of the tallest picture, in CSS pixels; what is further down is left out."""
BIGGEST_PICTURE = 2 * 1024 * 1024
HTML = ("text/html", "application/xhtml+xml")


@dataclass(frozen=True)
class Picture:
    """A screenshot."""

    media_type: str
    content: bytes
    width: int
    height: int


@dataclass
class Visit:
    """What was seen. ``fault`` is empty or ``{kind, reason}``; ``links`` are for the crawl."""

    path: str
    size: str
    status: int | None = None
    content_type: str = ""
    url: str = ""
    title: str = ""
    fault: dict[str, str] = field(default_factory=dict)
    vitals: dict[str, Any] | None = None
    violations: list[dict[str, Any]] | None = None
    links: list[dict[str, Any]] = field(default_factory=list)
    components: list[dict[str, Any]] = field(default_factory=list)
    heard: dict[str, Any] = field(default_factory=dict)
    picture: Picture | None = None
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class Wanted:
    """What a visit is to bring beside what the page says by itself."""

    vitals: bool = False
    axe: bool = False
    picture: bool = False
    components: bool = False


async def visit(port: int, path: str, size: str, wanted: Wanted, seconds: float) -> Visit:
    """Open a page, wait until it rests, and look at it.

    ``seconds`` are for the loading; what is examined afterwards has its own time.
    """
    seen = Visit(path, size)
    began = time.monotonic()
    try:
        async with opened_tab(size) as tab:
            watcher = Watcher(tab, port)
            await watcher.listen()
            try:
                await _look(seen, tab, watcher, port, wanted, seconds)
            except TimeoutError:
                seen.notes.append(f"it was not examined within {EXAMINE_SECONDS:.0f} s")
            seen.heard = watcher.seen
            if watcher.crashed.is_set():
                seen.fault = {"kind": "crashed", "reason": "it made the browser's page crash"}
            elif watcher.closed.is_set():
                seen.fault = {"kind": "not_loaded", "reason": "it closed its own window"}
    except BrowserGone as gone:
        _blame(seen, "crashed", f"the browser gave up on it: {gone}")
    seen.seconds = round(time.monotonic() - began, 3)
    return seen


def _blame(seen: Visit, kind: str, reason: str) -> None:
    if not seen.fault:
        seen.fault = {"kind": kind, "reason": reason[:300]}


async def _look(
    seen: Visit, tab: Tab, watcher: Watcher, port: int, wanted: Wanted, seconds: float
) -> None:
    try:
        async with asyncio.timeout(seconds):
            fault = await go(tab, watcher, port, seen.path)
    except TimeoutError:
        fault = f"it was not loaded within {seconds:.0f} s"
    if fault:
        _blame(seen, "not_loaded", fault)
        return
    seen.status = watcher.status
    seen.url = watcher.local(tab.page.url)
    await watcher.rest()
    async with asyncio.timeout(EXAMINE_SECONDS):
        await _examine(seen, tab, port, wanted)


async def _examine(seen: Visit, tab: Tab, port: int, wanted: Wanted) -> None:
    """What is quick first: a page may keep axe busy longer than there is time for."""
    await _facts(seen, tab, port)
    if wanted.vitals and not seen.fault:
        seen.vitals = await _vitals(tab)
    if wanted.components and not seen.fault:
        with contextlib.suppress(BrowserGone):
            seen.components = await tab.evaluate(COMPONENTS)
    if wanted.picture:
        await photograph(seen, tab)
    if wanted.axe and not seen.fault:
        try:
            seen.violations = await tab.evaluate(axe(), seconds=AXE_SECONDS)
        except BrowserGone as gone:
            seen.notes.append(f"accessibility was not examined: {gone}"[:300])


async def go(tab: Tab, watcher: Watcher, port: int, path: str) -> str:
    """Open a path of the application; why that failed, empty where it loads."""
    url = f"http://localhost:{port}/{quotable(path).lstrip('/')}"
    going = asyncio.ensure_future(tab.page.goto(url, wait_until="load", timeout=0))
    ends = [asyncio.ensure_future(it.wait()) for it in (watcher.crashed, watcher.closed)]
    try:
        await asyncio.wait([going, *ends], return_when=asyncio.FIRST_COMPLETED)
        if not going.done():
            return "its page ended while it loaded"
        response = going.result()
    except Exception as fault:  # noqa: BLE001 - Playwright's, and told
        return _failure(str(fault))
    finally:
        for task in (going, *ends):
            task.cancel()
        await asyncio.gather(going, *ends, return_exceptions=True)
    if response is not None and watcher.status is None:
        watcher.status = response.status
    return ""


def _failure(text: str) -> str:
    """Chromium's words for a navigation that failed, as a reason."""
    line = text.splitlines()[0] if text else ""
    code = line.partition("net::")[2].split(" ")[0]
    known = {
        "ERR_CONNECTION_REFUSED": "nobody answers there any more",
        "ERR_TOO_MANY_REDIRECTS": "it redirects without end",
        "ERR_EMPTY_RESPONSE": "the connection ended without an answer",
        "ERR_CONNECTION_RESET": "the connection was reset in the middle of the answer",
        "ERR_ABORTED": "it is a download, no page",
        "ERR_NAME_NOT_RESOLVED": "it leads to another host, which cannot be reached in the box",
    }
    return known.get(code, f"net::{code}" if code else line[:200] or "it could not be opened")


async def _facts(seen: Visit, tab: Tab, port: int) -> None:
    try:
        facts = await tab.evaluate(FACTS)
    except BrowserGone as gone:
        _blame(seen, "not_loaded", f"it keeps the browser busy without end: {gone}")
        return
    facts = facts if isinstance(facts, dict) else {}
    seen.title = str(facts.get("title", ""))
    seen.links = facts.get("links", [])
    seen.picture = Picture("", b"", int(facts.get("width", 0)), int(facts.get("height", 0)))
    if not own_origin(tab.page.url, port):
        _blame(seen, "not_loaded", f"it goes to another origin ({tab.page.url[:LONGEST_URL]})")
    elif seen.status is not None and seen.status >= 400:
        _blame(seen, "not_loaded", f"it answered {seen.status}")
    elif page := error_page(seen.status or 200, HTML[0], str(facts.get("html", ""))):
        _blame(seen, "error_page", f"it shows {page}")
    elif facts.get("blank") and await _stays_blank(tab):
        _blame(seen, "blank", "it is blank: no text, and nothing else that can be seen")


async def _stays_blank(tab: Tab) -> bool:
    """Whether nothing appears on a page that is empty, while it is given some time."""
    end = time.monotonic() + BLANK_SECONDS
    while time.monotonic() < end:
        await asyncio.sleep(0.25)
        with contextlib.suppress(BrowserGone):
            if not await tab.evaluate(BLANK):
                return False
    return True


async def _vitals(tab: Tab) -> dict[str, Any] | None:
    with contextlib.suppress(BrowserGone):
        vitals = await tab.evaluate(VITALS)
        return vitals if isinstance(vitals, dict) else None
    return None


async def photograph(seen: Visit, tab: Tab) -> None:
    """Take the picture of a whole page, as far as its height and size allow."""
    size = seen.picture
    seen.picture = None
    height = max(1, min(size.height if size else 0, LONGEST_PAGE))
    view = tab.page.viewport_size
    clip = {"x": 0, "y": 0, "width": view["width"], "height": max(height, view["height"])}
    for options in (
        {"full_page": True, "clip": clip, "type": "png"},
        {"full_page": True, "clip": clip, "type": "jpeg", "quality": 60},
        {"type": "jpeg", "quality": 60},
    ):
        try:
            content = await tab.page.screenshot(
                **options, animations="disabled", timeout=PICTURE_SECONDS * 1000
            )
        except Exception as fault:  # noqa: BLE001 - Playwright's, and told
            seen.notes.append(f"no picture: {type(fault).__name__}: {str(fault)[:100]}")
            return
        if len(content) <= BIGGEST_PICTURE:
            shown = clip if "clip" in options else {**view}
            kind = f"image/{options['type']}"
            seen.picture = Picture(kind, content, shown["width"], shown["height"])
            return
    seen.notes.append("no picture: it would be too big")


def quoted(text: str) -> str:
    """A text as a part of an artifact's name."""
    return quote(text.strip("/") or "root", safe="")[:80]
