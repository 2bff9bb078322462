"""The verb ``health``: ask a started application until it answers well, or it is clear it won't.

{port, path, timeout, request_timeout, patience, fallback_path} -> {healthy, status, reason, url,
redirects, attempts, waited, body_excerpt, content_type, listeners}. All times are seconds.
``timeout`` is the deadline of the whole, ``request_timeout`` that of one answer with its
redirects; the same complete bad answer over ``patience`` ends it early. ``fallback_path`` is
asked where ``path`` answers 404. ``reason`` is empty where ``healthy``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from probe_http import Answer, NoAnswer, Refused, get
from probe_network import described, listening
from probe_pages import error_page

FIRST_DELAY = 0.05
LONGEST_DELAY = 0.5
MOST_REDIRECTS = 5
MOST_EVENTS = 20
EXCERPT = 2000
LOOPBACK = ("127.0.0.1", "::1")
OWN_NAMES = {"localhost", "127.0.0.1", "::1", "0.0.0.0"}
REDIRECTING = {301, 302, 303, 307, 308}


@dataclass(frozen=True)
class Judgement:
    """What one attempt found; ``complete`` where the application gave a whole answer."""

    reason: str
    url: str
    complete: bool = False
    answer: Answer | None = None
    redirects: tuple[str, ...] = ()


@dataclass
class Patience:
    """Since when the same complete bad answer has been repeated, and what has been told."""

    seconds: float
    reason: str = ""
    since: float = field(default_factory=time.monotonic)
    told: int = 0

    def over(self, judgement: Judgement, say: Callable[[str], None]) -> bool:
        """Take note of an attempt; whether it is enough."""
        now = time.monotonic()
        if judgement.reason != self.reason:
            self.reason, self.since = judgement.reason, now
            self.told += 1
            if self.told <= MOST_EVENTS:
                say(judgement.reason)
        return judgement.complete and now - self.since >= self.seconds


async def health(message: dict[str, Any], say: Callable[[str], None]) -> dict[str, Any]:
    """Carry the verb out; see the module's text."""
    port = int(message["port"])
    timeout, request_timeout = float(message["timeout"]), float(message["request_timeout"])
    fallback = message.get("fallback_path")
    patience = Patience(float(message.get("patience", 10.0)))
    began = time.monotonic()
    attempts, delay = 0, FIRST_DELAY
    while True:
        remaining = max(began + timeout - time.monotonic(), FIRST_DELAY)
        bound = min(request_timeout, remaining)
        judgement = await judged(port, str(message["path"]), bound)
        if fallback and judgement.answer is not None and judgement.answer.status == 404:
            judgement = await judged(port, str(fallback), bound)
        attempts += 1
        waited = time.monotonic() - began
        if not judgement.reason or patience.over(judgement, say) or waited + FIRST_DELAY >= timeout:
            return shown(judgement, port, attempts, waited)
        await asyncio.sleep(min(delay, timeout - waited))
        delay = min(delay * 1.5, LONGEST_DELAY)


def shown(judgement: Judgement, port: int, attempts: int, waited: float) -> dict[str, Any]:
    """The verb's result."""
    answer = judgement.answer
    reason = judgement.reason
    found = listening()
    if reason and answer is None and not any(one == port for _, one in found):
        reason = f"nothing listens on port {port}"
    return {
        "healthy": not reason,
        "status": answer.status if answer else None,
        "reason": reason,
        "url": judgement.url,
        "redirects": list(judgement.redirects),
        "attempts": attempts,
        "waited": round(waited, 3),
        "body_excerpt": answer.text[:EXCERPT] if answer else "",
        "content_type": answer.headers.get("content-type", "")[:200] if answer else "",
        "listeners": described(found),
    }


async def judged(port: int, path: str, bound: float) -> Judgement:
    """Ask once, follow redirects, and judge the last answer; ends within ``bound`` seconds."""
    url = f"http://localhost:{port}/{quotable(path).lstrip('/')}"
    try:
        async with asyncio.timeout(bound):
            return await followed(port, url)
    except TimeoutError:
        return Judgement(f"it gave no whole answer within {bound:.0f} s", url)
    except NoAnswer as fault:
        return Judgement(str(fault), url)


async def followed(port: int, url: str) -> Judgement:
    """The judgement of what is at ``url`` after at most ``MOST_REDIRECTS`` redirects."""
    redirects: list[str] = []
    while True:
        answer = await asked(port, url)
        location = answer.headers.get("location", "")
        if answer.status not in REDIRECTING or not location:
            return Judgement(fault_of(answer), url, True, answer, tuple(redirects))
        target = redirected(url, location)
        if target is None or not own_origin(target, port):
            where = (target or location)[:300]
            reason = (
                f"it redirects to another origin ({where}), which cannot be followed in the box"
            )
            return Judgement(reason, url, True, answer, (*redirects, where))
        if len(redirects) == MOST_REDIRECTS:
            reason = f"it redirects more than {MOST_REDIRECTS} times"
            return Judgement(reason, url, True, answer, tuple(redirects))
        redirects.append(target[:300])
        url = target


async def asked(port: int, url: str) -> Answer:
    """The answer of the application, on either loopback address. Raises NoAnswer."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        return await get(LOOPBACK[0], port, target)
    except Refused as refused:
        try:
            return await get(LOOPBACK[1], port, target)
        except NoAnswer as fault:
            raise (refused if isinstance(fault, Refused) or _no_ipv6(fault) else fault) from fault


def _no_ipv6(fault: NoAnswer) -> bool:
    return isinstance(fault.__cause__, OSError) and not isinstance(fault, Refused)


def fault_of(answer: Answer) -> str:
    """Why an answer is no good one; empty for a good one."""
    page = error_page(answer.status, answer.headers.get("content-type", ""), answer.text)
    if not 200 <= answer.status < 300:
        return f"it answered {answer.status}" + (f", {page}" if page else "")
    return f"it answered {answer.status}, but with {page}" if page else ""


def redirected(url: str, location: str) -> str | None:
    """Where a redirect leads, as a quoted URL; None where it is no URL."""
    try:
        target = urljoin(url, quotable(location))
        urlsplit(target).port  # noqa: B018 — raises for a port that is none
    except ValueError:
        return None
    return target.partition("#")[0]


def own_origin(url: str, port: int) -> bool:
    """Whether a URL is on the application's own origin, under any name of the loopback."""
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in OWN_NAMES and (parts.port or 80) == port


def quotable(text: str) -> str:
    """A path or URL with everything quoted that has no place in a request line."""
    return quote(text.strip(), safe="/:?#[]@!$&'()*+,;=%~-._", encoding="utf-8", errors="replace")
