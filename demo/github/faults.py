"""Faults on demand: at which call GitHub is to fail, and how."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from aiohttp import web

from demo.github.answers import GRAPHQL


class Fault(StrEnum):
    """How a call fails.

    ``lost_answer`` and ``broken_after`` do what was asked, and then drop the connection or say that
    it went wrong.
    """

    UNAUTHORIZED = "401"
    PRIMARY_LIMIT = "403 primary"
    SECONDARY_LIMIT = "403 secondary"
    NOT_FOUND = "404"
    CONFLICT = "409"
    UNPROCESSABLE = "422"
    TOO_MANY = "429"
    BROKEN = "500"
    HANG = "hang"
    DROPPED = "dropped"
    LOST_ANSWER = "lost answer"
    BROKEN_AFTER = "502 although done"

    @property
    def lands(self) -> bool:
        """Whether what was asked is done all the same."""
        return self in {Fault.LOST_ANSWER, Fault.BROKEN_AFTER}


SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes."
_ANSWERS = {
    Fault.UNAUTHORIZED: (401, "Bad credentials"),
    Fault.PRIMARY_LIMIT: (403, "API rate limit exceeded for installation ID 1."),
    Fault.SECONDARY_LIMIT: (403, SECONDARY),
    Fault.NOT_FOUND: (404, "Not Found"),
    Fault.CONFLICT: (409, "Conflict"),
    Fault.UNPROCESSABLE: (422, "Validation Failed"),
    Fault.TOO_MANY: (429, SECONDARY),
    Fault.BROKEN: (500, "Server Error"),
    Fault.BROKEN_AFTER: (502, "Server Error"),
}
RETRY_AFTER = "1"


@dataclass
class Faults:
    """``choose`` is asked before each call: its number (from 1), method and path."""

    choose: Callable[[int, str, str], Fault | None] = lambda _number, _method, _path: None
    calls: list[str] = field(default_factory=list)
    hang_seconds: float = 60.0

    def next(self, method: str, path: str) -> Fault | None:
        """Count a call, and say how it fails."""
        self.calls.append(f"{method} {path}")
        return self.choose(len(self.calls), method, path)

    async def answer(self, fault: Fault, request: web.Request) -> web.StreamResponse:
        """Fail in that way."""
        if fault is Fault.HANG:
            await asyncio.sleep(self.hang_seconds)  # noqa: TID251  it is GitHub that hangs
        if fault in (Fault.HANG, Fault.DROPPED, Fault.LOST_ANSWER):
            return drop(request)
        status, message = _ANSWERS[fault]
        told: dict[str, Any] = {
            "message": message,
            "documentation_url": "https://docs.github.com/rest",
        }
        headers: dict[str, str] = {}
        if fault is Fault.PRIMARY_LIMIT:
            reset = str(int(time.time()) + 1)  # noqa: TID251  GitHub's clock
            headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
            if request.path == GRAPHQL:  # which says so in its own way
                status, told = 200, {"errors": [{"type": "RATE_LIMITED", "message": message}]}
        elif fault is Fault.SECONDARY_LIMIT or fault is Fault.TOO_MANY:
            headers = {"retry-after": RETRY_AFTER}
        return web.json_response(told, status=status, headers=headers)


def drop(request: web.Request) -> web.Response:
    """Drop the connection without a word."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
