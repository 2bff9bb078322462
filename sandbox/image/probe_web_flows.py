"""Flows of the configuration: step by step in a tab of its own, a picture where one fails.

A run that is ``traced`` leaves Playwright's trace where it fails: every step with what the page
was before and after it, for `playwright show-trace`.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from probe_browser import BrowserGone, Tab, opened_tab
from probe_health import own_origin
from probe_web_page import Picture, Visit, go, photograph
from probe_web_watch import Watcher

STEP_SECONDS = 5.0
TRACE_SECONDS = 10.0
MOST_PICTURES = 5
Step = dict[str, Any]


class StepFailed(Exception):
    """A step did not come to what it is for; the message says why."""


class FlowRun:
    """One run of one flow."""

    def __init__(self, flow: dict[str, Any], port: int, *, traced: bool = False) -> None:
        self.name = str(flow["name"])
        self.steps: list[Step] = flow["steps"]
        self.port = port
        self.traced = traced
        self.trace = b""
        self.step = 0
        self.reason = ""
        self.heard: dict[str, Any] = {}
        self.pictures: list[tuple[str, Picture]] = []
        self.seconds = 0.0

    @property
    def failed(self) -> bool:
        """Whether a step failed, or a page threw."""
        return bool(self.reason or self.heard.get("exceptions"))

    async def run(self, seconds: float) -> None:
        """Carry the steps out, until one fails; ends within ``seconds``, and some."""
        began = time.monotonic()
        try:
            async with opened_tab("desktop") as tab:
                watcher = Watcher(tab, self.port)
                await watcher.listen()
                async with self._tracing(tab):
                    try:
                        async with asyncio.timeout(seconds):
                            await self._all(tab, watcher)
                    except TimeoutError:
                        self.reason = f"the flow was not over within {seconds:.0f} s"
                    self.heard = watcher.seen
                if watcher.crashed.is_set() or watcher.closed.is_set():
                    self.reason = "the page crashed or closed itself"
                elif self.reason:
                    await self._photograph(tab, "failure")
        except BrowserGone as gone:
            self.reason = f"the browser gave up: {gone}"
        self.seconds = round(time.monotonic() - began, 3)

    @asynccontextmanager
    async def _tracing(self, tab: Tab) -> AsyncIterator[None]:
        """Keep the trace of a run that fails; without one a flow is worth as much."""
        tracing = tab.page.context.tracing
        begun = False
        if self.traced:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(TRACE_SECONDS):
                    await tracing.start(title=self.name[:80], screenshots=True, snapshots=True)
                begun = True
        yield
        if begun and self.failed:
            with tempfile.TemporaryDirectory() as folder, contextlib.suppress(Exception):
                file = Path(folder) / "trace.zip"
                async with asyncio.timeout(TRACE_SECONDS):
                    await tracing.stop(path=file)
                self.trace = file.read_bytes()

    async def _all(self, tab: Tab, watcher: Watcher) -> None:
        for number, step in enumerate(self.steps, 1):
            self.step = number
            try:
                async with asyncio.timeout(STEP_SECONDS * 2):
                    await self._one(tab, watcher, step)
            except StepFailed as fault:
                self.reason = str(fault)
            except TimeoutError:
                self.reason = f"it took longer than {STEP_SECONDS * 2:.0f} s"
            except Exception as fault:  # noqa: BLE001 - Playwright's, and told
                self.reason = words(fault, STEP_SECONDS)
            if self.reason:
                return
        await watcher.rest()

    async def _one(self, tab: Tab, watcher: Watcher, step: Step) -> None:
        page, patience = tab.page, STEP_SECONDS * 1000
        verb, value = next(iter(step.items()))
        match verb:
            case "goto":
                if fault := await go(tab, watcher, self.port, value):
                    raise StepFailed(fault)
            case "click":
                await page.locator(value).first.click(timeout=patience)
            case "fill":
                await page.locator(value["selector"]).first.fill(value["text"], timeout=patience)
            case "select":
                await choose(page.locator(value["selector"]).first, value["text"], patience)
            case "press":
                await page.keyboard.press(value)
            case "wait_for":
                await page.locator(value).first.wait_for(state="visible", timeout=patience)
            case "screenshot":
                await watcher.rest()
                await self._photograph(tab, value)
            case "expect":
                await self._expect(tab, watcher, value)
            case _:
                raise StepFailed(f"no such step: {verb}")

    async def _expect(self, tab: Tab, watcher: Watcher, wanted: dict[str, Any]) -> None:
        page, patience = tab.page, STEP_SECONDS * 1000
        kind, value = next(iter(wanted.items()))
        match kind:
            case "text":
                found = page.get_by_text(value).locator("visible=true").first
                await found.wait_for(state="visible", timeout=patience)
            case "selector":
                await page.locator(value).first.wait_for(state="visible", timeout=patience)
            case "url":
                await self._until(
                    lambda: self._is_at(page.url, value),
                    lambda: f"it is at {watcher.local(page.url)}",
                )
            case "status":
                await self._until(
                    lambda: watcher.status == value, lambda: f"the status is {watcher.status}"
                )
            case _:
                raise StepFailed(f"no such expectation: {kind}")

    async def _until(self, holds: Any, instead: Any) -> None:
        end = time.monotonic() + STEP_SECONDS
        while not holds():
            if time.monotonic() > end:
                raise StepFailed(instead())
            await asyncio.sleep(0.05)

    def _is_at(self, url: str, wanted: str) -> bool:
        if url == wanted or not own_origin(url, self.port):
            return url == wanted
        parts = urlsplit(url)
        path, query = parts.path or "/", f"?{parts.query}" if parts.query else ""
        fragment = f"#{parts.fragment}" if parts.fragment else ""
        return wanted in {path, path + query, path + query + fragment, path + fragment}

    async def _photograph(self, tab: Tab, name: str) -> None:
        if len(self.pictures) >= MOST_PICTURES:
            return
        seen = Visit("", "desktop", picture=Picture("", b"", 0, 0))
        try:
            async with asyncio.timeout(STEP_SECONDS):
                await photograph(seen, tab)
        except TimeoutError:
            return
        if seen.picture is not None:
            self.pictures.append((name, seen.picture))


async def choose(element: Any, text: str, patience: float) -> None:
    """Choose the option of a label, else of a value."""
    try:
        await element.select_option(label=text, timeout=patience / 4)
    except Exception:  # noqa: BLE001 - Playwright's: there is no such label
        await element.select_option(value=text, timeout=patience)


def words(fault: Exception, seconds: float) -> str:
    """Playwright's first line; a timeout means that there was no such element to act on."""
    line = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
    line = line.partition(": ")[2] or line
    if "Timeout" in line and "exceeded" in line:
        return f"it was not there within {seconds:.0f} s"
    return line[:300]
