"""The one Chromium of a probe box: started ahead or when first wanted, and anew where it died.

Every page gets a context of its own. What we run in a page runs in an *isolated world*: it sees
the page's document and none of its scripts' globals, so that a page can't answer in our place.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHROMIUM = "/usr/bin/chromium"
LIBRARIES = "opt/codegenapp/venv/lib/python3*/site-packages"
ARGUMENTS = [
    "--disable-gpu",
    "--mute-audio",
    "--no-proxy-server",
    # There is no network: a name that is not ours fails at once, whoever answers for names.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost",
    "--js-flags=--max-old-space-size=512",
]
SIZES: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}
# A box has no interface but loopback, of which Chromium concludes that it is offline. What a page
# says without end is cut where it begins: a getter gives the browser's own function or none.
BEFORE_EVERY_PAGE = """
Object.defineProperty(Navigator.prototype, 'onLine', {get: () => true, configurable: true});
for (const [name, most] of [['log', 50], ['info', 50], ['debug', 50], ['warn', 50], ['trace', 50],
                            ['table', 50], ['dir', 50], ['error', 200]]) {
  const own = console[name], none = () => {};
  let count = 0;
  Object.defineProperty(console, name, {
    get: () => (count += 1) > most ? none : own,
    set(value) { Object.defineProperty(console, name, {value, writable: true}); },
    configurable: true,
  });
}
"""
START_SECONDS = 30.0
CLOSE_SECONDS = 5.0
EVALUATE_SECONDS = 5.0


class BrowserGone(Exception):
    """The browser did not start, or ended, or a page of it did."""


class Browsers:
    """Keeps one browser running.

    ``shut_in`` says whether its pages are in Chromium's own sandbox, which takes a machine that
    lets ordinary users make namespaces.
    """

    def __init__(self) -> None:
        self._driver: Any = None
        self.shut_in = True
        self._starting: asyncio.Task[Any] | None = None

    def begin(self) -> None:
        """Start it in the background, unless it runs or is being started."""
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
            # A failed start is told to whoever asks for the browser, who tries again.
            self._starting.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def get(self) -> Any:
        """The running browser. Raises BrowserGone."""
        for _ in range(2):
            self.begin()
            assert self._starting is not None
            try:
                browser = await asyncio.shield(self._starting)
                if browser.is_connected():
                    return browser
            except Exception as fault:  # noqa: BLE001 - the driver's, and all of it told
                self._starting = None
                last = f"{type(fault).__name__}: {str(fault)[:300]}"
                continue
            self._starting, last = None, "it ended"
        raise BrowserGone(f"Chromium did not start: {last}")

    async def _start(self) -> Any:
        sys.path.extend(
            path for path in map(str, Path("/").glob(LIBRARIES)) if path not in sys.path
        )
        from playwright.async_api import async_playwright

        async with asyncio.timeout(START_SECONDS):
            if self._driver is None:
                self._driver = await async_playwright().start()
            try:
                return await self._launch()
            except Exception as fault:
                # A machine may grant no namespaces; the box is shut without them, too.
                if not self.shut_in or "sandbox" not in str(fault).lower():
                    raise
                self.shut_in = False
                return await self._launch()

    async def _launch(self) -> Any:
        return await self._driver.chromium.launch(
            executable_path=CHROMIUM,
            args=ARGUMENTS,
            chromium_sandbox=self.shut_in,
            timeout=START_SECONDS * 1000,
        )


BROWSERS = Browsers()


@dataclass
class Tab:
    """A page in a context of its own, and a line to its debugger."""

    page: Any
    debugger: Any

    async def evaluate(self, script: str, *, seconds: float = EVALUATE_SECONDS) -> Any:
        """The value (JSON) of an expression in an isolated world of the page's main frame.

        Raises BrowserGone where the page does not answer in time or the script fails.
        """
        try:
            async with asyncio.timeout(seconds):
                return await self._evaluated(script)
        except TimeoutError:
            raise BrowserGone(f"the page did not answer within {seconds:g} s") from None
        except Exception as fault:
            raise BrowserGone(f"{type(fault).__name__}: {str(fault)[:300]}") from fault

    async def worked_out(self, function: str, argument: Any) -> Any:
        """What a function of ours gives on a page of ours, which is empty. Raises BrowserGone."""
        try:
            return await self.page.evaluate(function, argument)
        except Exception as fault:
            raise BrowserGone(f"{type(fault).__name__}: {str(fault)[:300]}") from fault

    async def _evaluated(self, script: str) -> Any:
        tree = await self.debugger.send("Page.getFrameTree")
        world = await self.debugger.send(
            "Page.createIsolatedWorld",
            {"frameId": tree["frameTree"]["frame"]["id"], "worldName": "codegenapp"},
        )
        answer = await self.debugger.send(
            "Runtime.evaluate",
            {
                "expression": script,
                "contextId": world["executionContextId"],
                "awaitPromise": True,
                "returnByValue": True,
            },
        )
        if "exceptionDetails" in answer:
            raise BrowserGone(json.dumps(answer["exceptionDetails"])[:300])
        return answer["result"].get("value")


@asynccontextmanager
async def opened_tab(size: str) -> AsyncIterator[Tab]:
    """A tab of a size, closed at the end; other pages that it opens are closed at once."""
    browser = await BROWSERS.get()
    context = None
    try:
        async with asyncio.timeout(START_SECONDS):
            context = await browser.new_context(
                **SIZES[size], accept_downloads=False, locale="en-US", timezone_id="UTC"
            )
            await context.add_init_script(BEFORE_EVERY_PAGE)
            page = await context.new_page()
            page.on("popup", _close_at_once)
            debugger = await context.new_cdp_session(page)
        yield Tab(page, debugger)
    except TimeoutError:
        raise BrowserGone("the browser gave no page in time") from None
    finally:
        if context is not None:
            await _closed(browser, context)


def _close_at_once(popup: Any) -> None:
    task = asyncio.ensure_future(popup.close())
    task.add_done_callback(lambda it: it.cancelled() or it.exception())


async def _closed(browser: Any, context: Any) -> None:
    """Close a context; a browser that can't is ended, and the next one starts afresh."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await context.close()
    except Exception:  # noqa: BLE001 - the driver's; that browser is given up
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_SECONDS):
                await browser.close()
