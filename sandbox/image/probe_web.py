"""The verbs ``warm`` and ``web``: look at a started application in a real browser.

``warm``: {} -> {}; begins to start the browser, so that it is there when it is wanted.

``web``: {port, pages, follow, flows, traces, total, page_seconds} -> {browser, left_out, seconds}.
``pages`` are paths; with ``follow`` those that they link to are looked at as well, breadth-first.
``flows`` are the configuration's; with ``traces`` one that fails is traced when it is tried again,
and its trace is sent, a zip. What is seen is sent on the way, as events whose ``data`` is ``{part,
...}`` with a part of ``page``, ``link``, ``flow``, ``component`` or ``picture``, and pictures and
traces as artifacts before the part that names them. Everything is bounded; what a bound leaves out
is told in ``left_out``.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from typing import Any, Protocol

from probe_browser import BROWSERS
from probe_pictures import KEPT
from probe_web_components import Choice, exercised
from probe_web_flows import FlowRun
from probe_web_links import Links
from probe_web_merge import keys, merged, sightings
from probe_web_page import Picture, Visit, Wanted, quoted, visit

MOST_PAGES = 20
MOST_FLOWS = 30
MOST_PICTURES = 60
MOST_PICTURE_BYTES = 24 * 1024 * 1024
MOST_TRACE_BYTES = 6 * 1024 * 1024
AT_ONCE = 3
VITAL_RUNS = 3
FLOW_SECONDS = 60.0
LONGEST_PART = 48 * 1024


class Say(Protocol):
    """How a verb tells what it sees, while it runs."""

    def data(self, part: dict[str, Any]) -> None: ...

    def artifact(self, name: str, media_type: str, content: bytes) -> None: ...


async def warm(message: dict[str, Any], say: Say) -> dict[str, Any]:  # noqa: ARG001 - a verb
    """Begin to start the browser."""
    BROWSERS.begin()
    return {}


async def web(message: dict[str, Any], say: Say) -> dict[str, Any]:
    """Carry the verb out; see the module's text."""
    return await Evaluation(message, say).run()


class Evaluation:
    """One evaluation under way."""

    def __init__(self, message: dict[str, Any], say: Say) -> None:
        self.port = int(message["port"])
        self.configured: list[str] = list(dict.fromkeys(map(str, message["pages"])))
        self.follow = bool(message["follow"])
        self.flows: list[dict[str, Any]] = list(message["flows"])
        self.traces = bool(message["traces"])
        self.traced = 0
        self.trace_bytes = 0
        self.page_seconds = float(message["page_seconds"])
        self.began = time.monotonic()
        self.end = self.began + float(message["total"])
        self.say = say
        self.links = Links(self.port)
        self.left_out: list[str] = []
        self.choice = Choice()
        self.pictures = 0
        self.picture_bytes = 0

    @property
    def left(self) -> float:
        """The seconds that are left for all of it."""
        return self.end - time.monotonic()

    async def run(self) -> dict[str, Any]:
        """Pages at both sizes, flows, and components last, since they change things."""
        browser = await BROWSERS.get()
        await self._pages()
        for link in self.links.broken:
            part = {"page": link.page, "url": link.path, "text": link.text}
            self._tell("link", {**part, "status": link.status, "reason": link.reason})
        await self._flows()
        await self._components()
        if self.links.left_out:
            self.left_out.append(f"{self.links.left_out} links beyond the limit")
        return {
            "browser": f"Chromium {browser.version}"
            + ("" if BROWSERS.shut_in else ", without its own sandbox"),
            "left_out": self.left_out[:20],
            "seconds": round(time.monotonic() - self.began, 3),
        }

    def _tell(self, part: str, data: dict[str, Any]) -> None:
        message = {"part": part, **data}
        while len(json.dumps(message)) > LONGEST_PART:
            # Shorten the longest list: what was seen is told, if not all of it.
            name = max(
                (it for it in message if isinstance(message[it], list)),
                key=lambda it: len(json.dumps(message[it])),
            )
            message[name] = message[name][: len(message[name]) // 2]
        self.say.data(message)

    # ── pages ────────────────────────────────────────────────────────────────────────────────

    async def _pages(self) -> None:
        if len(self.configured) > MOST_PAGES:
            self.left_out.append(f"{len(self.configured) - MOST_PAGES} pages beyond {MOST_PAGES}")
        waiting = deque(self.configured[:MOST_PAGES])
        planned, first = set(waiting), len(waiting)
        number = 0
        while waiting:
            path = waiting.popleft()
            number += 1
            if self.left < 2:
                self._tell("page", _unvisited(path, configured=number <= first))
                continue
            seen = await self._page(path, configured=number <= first)
            fresh = await self.links.take(path, seen.links)
            for link in fresh if self.follow else ():
                if link.kind != "page" or link.path in planned:
                    continue
                if len(planned) < MOST_PAGES:
                    planned.add(link.path)
                    waiting.append(link.path)
                else:
                    self.left_out.append(f"the linked page {link.path}"[:200])

    async def _page(self, path: str, *, configured: bool) -> Visit:
        """Look at a page at both sizes."""
        everything = Wanted(vitals=configured, axe=True, picture=True, components=True)
        visits = [await self._visit(path, "desktop", everything)]
        if visits[0].fault:
            visits.append(await self._visit(path, "desktop", everything))
        elif configured:
            again = Wanted(vitals=True)
            visits += [await self._visit(path, "desktop", again) for _ in range(VITAL_RUNS - 1)]
        elif keys(visits[0]):
            visits.append(await self._visit(path, "desktop", Wanted()))
        seen, told = merged(visits)
        self._show(told, seen, configured=configured)
        self.choice.take(path, seen.components)
        if not all(it.fault for it in visits):
            await self._phone(path, set().union(*map(keys, visits)), configured=configured)
        return seen

    async def _phone(self, path: str, known: set[str], *, configured: bool) -> None:
        wanted = Wanted(axe=True, picture=True)
        visits = [await self._visit(path, "phone", wanted)]
        if not keys(visits[0]) <= known:
            visits.append(await self._visit(path, "phone", wanted))
        seen, told = merged(visits)
        self._show(told, seen, configured=configured)

    async def _visit(self, path: str, size: str, wanted: Wanted) -> Visit:
        return await visit(
            self.port, path, size, wanted, max(1.0, min(self.page_seconds, self.left))
        )

    def _show(self, told: dict[str, Any], seen: Visit, *, configured: bool) -> None:
        name = f"{seen.size}-{quoted(seen.path)}"
        picture = self._picture(name, seen.picture) if seen.picture else None
        self._tell("page", {**told, "configured": configured, "picture": picture})

    def _picture(self, name: str, picture: Picture) -> str | None:
        """Send a picture; its name, None where there were enough."""
        if (
            not picture.content
            or self.pictures >= MOST_PICTURES
            or self.picture_bytes + len(picture.content) > MOST_PICTURE_BYTES
        ):
            return None
        self.pictures += 1
        self.picture_bytes += len(picture.content)
        ending = picture.media_type.partition("/")[2].replace("jpeg", "jpg")
        name = f"{self.pictures:02d}-{name}.{ending}"
        self.say.artifact(name, picture.media_type, picture.content)
        KEPT.keep(name, picture.media_type, picture.content)
        self._tell("picture", {"name": name, "width": picture.width, "height": picture.height})
        return name

    # ── flows and components ─────────────────────────────────────────────────────────────────

    async def _flows(self) -> None:
        for flow in self.flows[:MOST_FLOWS]:
            if self.left < 2:
                self._tell(
                    "flow",
                    {
                        "name": flow["name"],
                        "outcome": "not_run",
                        "step": 0,
                        "reason": "the time for the whole evaluation was over",
                    },
                )
                continue
            await self._flow(flow)
        if len(self.flows) > MOST_FLOWS:
            self.left_out.append(f"{len(self.flows) - MOST_FLOWS} flows beyond {MOST_FLOWS}")

    async def _flow(self, flow: dict[str, Any]) -> None:
        runs = [FlowRun(flow, self.port)]
        await runs[0].run(min(FLOW_SECONDS, self.left))
        if runs[0].failed and self.left > 2:
            runs.append(FlowRun(flow, self.port, traced=self.traces))
            await runs[1].run(min(FLOW_SECONDS, self.left))
        # The first failure is told; where it did not repeat, as flaky.
        told = runs[0]
        names = [
            (f"flow-{quoted(flow['name'])}-{quoted(name)}", picture)
            for name, picture in told.pictures
        ]
        failing = [run for run in runs if run.reason]
        self._tell(
            "flow",
            {
                "name": flow["name"],
                "outcome": "failed" if told.reason else "passed",
                "flaky": bool(failing) and len(failing) < len(runs),
                "step": told.step,
                "steps": len(flow["steps"]),
                "doing": json.dumps(flow["steps"][told.step - 1])[:300] if told.step else "",
                "reason": told.reason,
                "missing": told.heard.get("missing", []),
                "exceptions": sightings(
                    [run.heard.get("exceptions", []) for run in runs], lambda it: it["text"]
                ),
                "pictures": [it for it in (self._picture(*one) for one in names) if it],
                "trace": self._trace(flow["name"], runs[-1].trace),
                "seconds": round(sum(run.seconds for run in runs), 3),
            },
        )

    def _trace(self, name: str, content: bytes) -> str:
        """Send a trace; its name, empty where there is none or no room for it."""
        if not content:
            return ""
        if self.trace_bytes + len(content) > MOST_TRACE_BYTES:
            self.left_out.append(f"the trace of the flow {name}: there was no room"[:200])
            return ""
        self.trace_bytes += len(content)
        self.traced += 1
        told = f"{self.traced:02d}-trace-{quoted(name)}.zip"
        self.say.artifact(told, "application/zip", content)
        return told

    async def _components(self) -> None:
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(component: dict[str, Any]) -> dict[str, Any] | None:
            async with limit:
                return None if self.left < 2 else await exercised(component, self.port)

        found = await asyncio.gather(*(one(component) for component in self.choice.picked))
        for told in found:
            if told is not None:
                self._tell("component", told)
        if late := found.count(None):
            self.left_out.append(f"{_counted(late, 'component')}: the time was over")
        if self.choice.destructive:
            counted = _counted(self.choice.destructive, "component")
            self.left_out.append(f"{counted} whose words say that something would be gone")
        if self.choice.left_out:
            self.left_out.append(f"{_counted(self.choice.left_out, 'component')} beyond the limit")


def _counted(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def _unvisited(path: str, *, configured: bool) -> dict[str, Any]:
    reason = "it was not looked at: the time for the whole evaluation was over"
    fault = {"kind": "not_reached", "reason": reason, "flaky": False}
    return {"path": path, "size": "desktop", "configured": configured, "fault": fault}
