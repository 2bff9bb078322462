"""The verbs ``explore_open``, ``explore_act`` and ``explore_close``: a tab that is driven.

``explore_open``: {port, path} -> an observation; opens a tab with a context of its own.
``explore_act``: {kind, ref, text} -> an observation; ``kind`` is ``click``, ``fill``, ``select``,
``press``, ``scroll``, ``goto`` or ``back``, ``ref`` names an element of the last observation.
``explore_close``: {} -> {}

An observation is {ok, said, url, title, status, lines, left_out, complaints}, with a picture of the
window as an artifact before it. ``lines`` are the accessibility tree as Playwright writes it for
models. What can't be done is told in it; {gone} alone says that the tab or its browser is gone. The
tab never leaves the application's origin, and what it shows is bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from contextlib import AsyncExitStack
from typing import Any, Protocol

from probe_browser import BrowserGone, Tab, opened_tab
from probe_health import own_origin
from probe_web_flows import choose, words
from probe_web_page import go
from probe_web_watch import Watcher

LOAD_SECONDS = 10.0
ACT_SECONDS = 3.0
LOOK_SECONDS = 5.0
WHOLE_SECONDS = 30.0
QUIET_SECONDS = 0.15
MOST_LINES = 400
LONGEST_LINE = 400
MOST_CHARACTERS = 24_000
MOST_COMPLAINTS = 12
LONGEST_COMPLAINT = 300
LONGEST_SAID = 300
MOST_TOLD = 3
BIGGEST_PICTURE = 512 * 1024
SCROLL_PIXELS = 600
REF = re.compile(r"(?:f\d{1,6})?e\d{1,6}")
ELSEWHERE = "it leads out of the application, which is not followed"


class Say(Protocol):
    """How a verb tells what it sees, while it runs."""

    def artifact(self, name: str, media_type: str, content: bytes) -> None: ...


class NotDone(Exception):
    """An action could not be carried out; the message says why."""


class Session:
    """One tab, from its opening to its end."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.steps = 0
        self._stack = AsyncExitStack()
        self._elsewhere = False
        self._told_by_page: list[str] = []
        self._home = f"http://localhost:{port}/"

    async def open(self, path: str) -> dict[str, Any]:
        self._tab: Tab = await self._stack.enter_async_context(opened_tab("desktop"))
        self._watcher = Watcher(self._tab, self.port)
        await self._watcher.listen()
        self._tab.page.on("dialog", self._answered)
        self._tab.page.on("popup", self._opened)
        await self._tab.page.route(lambda url: not self._own(url), self._stopped)
        return await self._told(self._goto("", path))

    async def act(self, message: dict[str, Any]) -> dict[str, Any]:
        texts = {name: str(message.get(name) or "") for name in ("kind", "ref", "text")}
        return await self._told(self._done(**texts))

    async def close(self) -> None:
        await self._stack.aclose()

    # ── what is done ─────────────────────────────────────────────────────────────────────────

    async def _told(self, doing: Any) -> dict[str, Any]:
        """Do something, let the page come to rest, and tell what is so far."""
        self.steps += 1
        self._elsewhere, said = False, ""
        self._told_by_page.clear()
        self._watcher.forget()
        try:
            await doing
        except NotDone as fault:
            said = str(fault)
        ok = not said
        with contextlib.suppress(Exception):
            await self._tab.page.wait_for_load_state("load", timeout=ACT_SECONDS * 1000)
        await self._watcher.rest(QUIET_SECONDS)
        if self._watcher.crashed.is_set() or self._watcher.closed.is_set():
            raise BrowserGone("the page crashed or closed itself")
        if not self._own(self._tab.page.url):
            self._elsewhere = True
            if fault := await self._return():
                raise BrowserGone(f"the page went elsewhere, and not back: {fault}")
        if self._elsewhere:
            ok, said = False, ELSEWHERE
        self._home = self._tab.page.url
        return {
            "ok": ok,
            "said": "; ".join([*filter(None, [said]), *self._told_by_page])[:LONGEST_SAID],
        }

    async def _done(self, kind: str, ref: str, text: str) -> None:
        acts = {
            "click": self._click,
            "fill": self._fill,
            "select": self._select,
            "press": self._press,
            "scroll": self._scroll,
            "goto": self._goto,
            "back": self._back,
        }
        act = acts.get(kind)
        if act is None:
            raise NotDone(f"no such action: {kind}"[:100])
        try:
            async with asyncio.timeout(LOAD_SECONDS + ACT_SECONDS):
                await act(ref, text)
        except NotDone:
            raise
        except TimeoutError:
            raise NotDone("it took too long") from None
        except Exception as fault:
            raise NotDone(words(fault, ACT_SECONDS)) from fault

    async def _click(self, ref: str, text: str) -> None:  # noqa: ARG002 - an act
        await self._element(ref).click(timeout=ACT_SECONDS * 1000)

    async def _fill(self, ref: str, text: str) -> None:
        await self._element(ref).fill(text, timeout=ACT_SECONDS * 1000)

    async def _select(self, ref: str, text: str) -> None:
        await choose(self._element(ref), text, ACT_SECONDS * 1000)

    async def _press(self, ref: str, text: str) -> None:
        if ref:
            await self._element(ref).press(text, timeout=ACT_SECONDS * 1000)
        else:
            await self._tab.page.keyboard.press(text)

    async def _scroll(self, ref: str, text: str) -> None:  # noqa: ARG002 - an act
        await self._tab.page.mouse.wheel(0, -SCROLL_PIXELS if text == "up" else SCROLL_PIXELS)

    async def _goto(self, ref: str, path: str) -> None:  # noqa: ARG002 - an act
        if not path.startswith("/") or path.startswith(("//", "/\\")):
            raise NotDone("that is no path of the application")
        try:
            async with asyncio.timeout(LOAD_SECONDS):
                fault = await go(self._tab, self._watcher, self.port, path)
        except TimeoutError:
            fault = f"it was not loaded within {LOAD_SECONDS:.0f} s"
        if fault:
            raise NotDone(fault)

    async def _back(self, ref: str, text: str) -> None:  # noqa: ARG002 - an act
        page = self._tab.page
        if await page.go_back(timeout=LOAD_SECONDS * 1000, wait_until="commit") is None:
            raise NotDone("there is nothing to go back to")

    def _element(self, ref: str) -> Any:
        if not REF.fullmatch(ref):
            raise NotDone("there is no such element")
        return self._tab.page.locator(f"aria-ref={ref}")

    async def _return(self) -> str:
        """Go back to where the tab was last; why that failed, empty where it did not."""
        try:
            await self._tab.page.goto(self._home, timeout=LOAD_SECONDS * 1000)
        except Exception as fault:  # noqa: BLE001 - Playwright's, and told
            return words(fault, LOAD_SECONDS)
        return "" if self._own(self._tab.page.url) else "it is still elsewhere"

    # ── what the page does ───────────────────────────────────────────────────────────────────

    def _own(self, url: str) -> bool:
        try:
            return own_origin(url, self.port)
        except ValueError:
            return False

    async def _stopped(self, route: Any) -> None:
        """A request to elsewhere: one that would take the tab there ends, others fail or not."""
        whole = False
        with contextlib.suppress(Exception):
            request = route.request
            whole = request.is_navigation_request() and request.frame == self._tab.page.main_frame
        self._elsewhere = self._elsewhere or whole
        with contextlib.suppress(Exception):
            await (route.abort("aborted") if whole else route.continue_())

    async def _answered(self, dialog: Any) -> None:
        """Say yes to what the page asks: whoever clicked on it meant it."""
        if dialog.type != "beforeunload":
            said = " ".join(str(dialog.message).split())[:120]
            self._tell(f"a dialog said “{said}” and was accepted")
        with contextlib.suppress(Exception):
            await dialog.accept()

    def _opened(self, popup: Any) -> None:
        """Another window, which is closed at once, wherever it comes from."""
        self._tell(f"another window opened, at {self._watcher.local(popup.url)}, and was closed")

    def _tell(self, sentence: str) -> None:
        if len(self._told_by_page) < MOST_TOLD:
            self._told_by_page.append(sentence)

    # ── what is seen ─────────────────────────────────────────────────────────────────────────

    async def observation(self, told: dict[str, Any], say: Say) -> dict[str, Any]:
        """Look at the tab."""
        lines, left_out = await self._lines()
        await self._photograph(say)
        title = ""
        with contextlib.suppress(BrowserGone):
            title = str(await self._tab.evaluate("String(document.title).slice(0, 200)"))
        return {
            **told,
            "url": self._watcher.local(self._tab.page.url),
            "title": title,
            "status": self._watcher.status,
            "lines": lines,
            "left_out": left_out,
            "complaints": self._complaints()[:MOST_COMPLAINTS],
        }

    async def _lines(self) -> tuple[list[str], int]:
        """The accessibility tree, as far as it goes."""
        try:
            async with asyncio.timeout(LOOK_SECONDS * 2):
                text = await self._tab.page.aria_snapshot(mode="ai", timeout=LOOK_SECONDS * 1000)
        except Exception as fault:  # noqa: BLE001 - Playwright's, and told
            self._gone_for_good()
            return [f"- text: the page can't be read: {type(fault).__name__}"], 0
        found = str(text).split("\n")
        kept: list[str] = []
        room = MOST_CHARACTERS
        for line in found[:MOST_LINES]:
            room -= len(line[:LONGEST_LINE])
            if room < 0:
                break
            kept.append(line[:LONGEST_LINE])
        return kept, len(found) - len(kept)

    def _gone_for_good(self) -> None:
        if self._tab.page.is_closed() or not self._tab.page.context.browser.is_connected():
            raise BrowserGone("the browser ended")

    async def _photograph(self, say: Say) -> None:
        with contextlib.suppress(Exception):
            content = await self._tab.page.screenshot(
                type="jpeg", quality=60, animations="disabled", timeout=LOOK_SECONDS * 1000
            )
            if len(content) <= BIGGEST_PICTURE:
                say.artifact(f"explore-{self.steps:02d}.jpg", "image/jpeg", content)

    def _complaints(self) -> list[str]:
        seen = self._watcher.seen
        found = [f"uncaught exception: {it['text']}" for it in seen["exceptions"]]
        found += [f"console error: {it['text']}" for it in seen["console"]]
        for it in seen["requests"]:
            answered = it["status"] or f"nothing ({it['reason']})"
            found.append(f"{it['method']} {it['url']} answered {answered}")
        return [it[:LONGEST_COMPLAINT] for it in found]


_sessions: list[Session] = []
"""The tab that is open; at most one."""


async def explore_open(message: dict[str, Any], say: Say) -> dict[str, Any]:
    """Open a tab, in place of one that was open."""
    await explore_close(message, say)
    session = Session(int(message["port"]))
    _sessions.append(session)
    return await _bounded(session, session.open(str(message["path"])), say)


async def explore_act(message: dict[str, Any], say: Say) -> dict[str, Any]:
    """Do something in the tab."""
    if not _sessions:
        return {"gone": "no tab is open"}
    return await _bounded(_sessions[0], _sessions[0].act(message), say)


async def explore_close(message: dict[str, Any], say: Say) -> dict[str, Any]:  # noqa: ARG001 - a verb
    """Close the tab, if one is open."""
    while _sessions:
        with contextlib.suppress(Exception):
            await _sessions.pop().close()
    return {}


async def _bounded(session: Session, doing: Any, say: Say) -> dict[str, Any]:
    try:
        async with asyncio.timeout(WHOLE_SECONDS):
            return await session.observation(await doing, say)
    except (BrowserGone, TimeoutError) as fault:
        return {"gone": str(fault)[:300] or f"it took longer than {WHOLE_SECONDS:.0f} s"}
    except Exception as fault:  # noqa: BLE001 - the driver's; that tab is given up
        return {"gone": f"{type(fault).__name__}: {fault}"[:300]}
