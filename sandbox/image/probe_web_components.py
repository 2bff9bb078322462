"""Interactive components, each exercised once in a tab of its own; what breaks is told.

Of what stands in rows that are alike, the first rows are enough.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Any

from probe_browser import BrowserGone, Tab, opened_tab
from probe_web_links import destructive
from probe_web_page import go
from probe_web_scripts import BLANK
from probe_web_watch import Watcher

ACT_SECONDS = 2.5
WHOLE_SECONDS = 12.0
QUIET_SECONDS = 0.12
MOST = 30
MOST_OF_A_PAGE = 12
MOST_ROWS = 2
ROW = re.compile(r"(?<=[a-z]):nth-of-type\(\d+\)")
TEXTS = {
    "email": "someone@example.com",
    "number": "1",
    "range": "",
    "date": "2026-01-15",
    "time": "10:30",
    "month": "2026-01",
    "week": "2026-W03",
    "datetime-local": "2026-01-15T10:30",
    "tel": "+15550100",
    "url": "https://example.com/",
    "color": "#336699",
    "password": "Correct-Horse-7",
}
Component = dict[str, Any]


class Choice:
    """Which components are exercised: each once, of rows that are alike the first ones only."""

    def __init__(self) -> None:
        self.picked: list[Component] = []
        self.destructive = 0
        self.left_out = 0
        self._known: set[str] = set()
        self._rows: dict[str, int] = {}

    def take(self, page: str, found: list[Component]) -> None:
        """Choose among what a page has."""
        of_this_page = 0
        for it in found if isinstance(found, list) else []:
            name = f"{it['kind']} {it['selector']} {it['label']}"
            if name in self._known:
                continue  # what all pages have
            self._known.add(name)
            if destructive(f"{it['hint']} {it['label']}"):
                self.destructive += 1
            elif self._is_another_row(it):
                continue
            elif len(self.picked) < MOST and of_this_page < MOST_OF_A_PAGE:
                self.picked.append({**it, "page": page})
                of_this_page += 1
            else:
                self.left_out += 1

    def _is_another_row(self, component: Component) -> bool:
        """Whether it has the place of others in the rows of a list or table."""
        above, _, own = component["selector"].rpartition(" > ")
        row = f"{component['kind']} {ROW.sub('', above)} {own}"
        self._rows[row] = self._rows.get(row, 0) + 1
        return ROW.search(above) is not None and self._rows[row] > MOST_ROWS


async def exercised(component: Component, port: int) -> dict[str, Any]:
    """Exercise a component; once more where it breaks. Gives what the report is told."""
    first = await _once(component, port)
    again = await _once(component, port) if first["reason"] else first
    told = first if first["reason"] else again
    return {
        "page": component["page"],
        "kind": component["kind"],
        "selector": component["selector"],
        "label": component["label"],
        "outcome": "broke" if told["reason"] else "ok",
        "reason": told["reason"][:400],
        "exceptions": told["exceptions"][:3],
        "flaky": bool(first["reason"]) and not again["reason"],
    }


async def _once(component: Component, port: int) -> dict[str, Any]:
    outcome: dict[str, Any] = {"reason": "", "exceptions": []}
    try:
        async with opened_tab("desktop") as tab, asyncio.timeout(WHOLE_SECONDS):
            watcher = Watcher(tab, port)
            await watcher.listen()
            if await go(tab, watcher, port, component["page"]):
                return outcome  # the page's own fault is told of the page
            await watcher.rest(QUIET_SECONDS)
            watcher.forget()
            watcher.status = None
            with contextlib.suppress(NotActed):
                await _act(tab, component)
            await watcher.rest(QUIET_SECONDS)
            outcome["exceptions"] = watcher.seen["exceptions"]
            outcome["reason"] = await _broken(tab, watcher)
    except (BrowserGone, TimeoutError) as fault:
        # What can't be examined has not been shown to be broken, but for a page that hangs.
        if isinstance(fault, TimeoutError):
            outcome["reason"] = f"the page did not come to rest within {WHOLE_SECONDS:.0f} s"
    return outcome


class NotActed(Exception):
    """The component was not there any more, or covered: nothing was tried, nothing broke."""


async def _act(tab: Tab, component: Component) -> None:
    try:
        async with asyncio.timeout(ACT_SECONDS * 2):
            if component["kind"] == "form":
                for one in component["fields"]:
                    await _enter(tab, one)
                await _click(tab, component["submit"])
            elif component["kind"] == "input":
                await _enter(tab, component)
            else:
                await _click(tab, component["selector"])
    except TimeoutError:
        raise NotActed from None


async def _click(tab: Tab, selector: str) -> None:
    try:
        await tab.page.locator(selector).first.click(timeout=ACT_SECONDS * 1000)
    except Exception as fault:
        raise NotActed from fault


async def _enter(tab: Tab, one: Component) -> None:
    """Enter something that fits the field; a field that takes nothing is left as it is."""
    element, patience = tab.page.locator(one["selector"]).first, ACT_SECONDS * 1000
    kind = str(one.get("type", ""))
    with contextlib.suppress(Exception):
        if kind in {"checkbox", "radio"}:
            await element.click(timeout=patience)
        elif kind.startswith("select"):
            values = [value for value in one["options"] if value]
            if values:
                await element.select_option(value=values[-1], timeout=patience)
        elif kind == "range":
            await element.press("ArrowRight", timeout=patience)
        else:
            text = str(one.get("min") or TEXTS.get(kind, "Example"))
            longest = one.get("longest")
            if isinstance(longest, int) and longest > 0:
                text = text[:longest]
            await element.fill(text, timeout=patience)
            await element.press("Tab", timeout=patience)


async def _broken(tab: Tab, watcher: Watcher) -> str:
    """Why a page is broken after something was done to it; empty where it is well."""
    if watcher.crashed.is_set():
        return "it makes the browser's page crash"
    if watcher.closed.is_set():
        return ""
    if watcher.exceptions:
        return str(watcher.exceptions[0]["text"])
    for request in watcher.requests:
        status = request["status"]
        if status is None or status >= 500 or status in {404, 405, 410}:
            said = f"answered {status}" if status else f"failed ({request['reason']})"
            return f"{request['method']} {request['url']} {said}"
    if watcher.status is not None and (watcher.status >= 500 or watcher.status in {404, 405}):
        return f"{watcher.local(tab.page.url)} answered {watcher.status}"
    try:
        if await tab.evaluate(BLANK):
            await asyncio.sleep(0.5)
            return "the page is blank afterwards" if await tab.evaluate(BLANK) else ""
    except BrowserGone:
        return ""
    return ""
