"""One account's calls to GitHub: gidgethub's requests, with timeouts, and faults told apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import aiohttp
from gidgethub.abc import CACHE_TYPE, GitHubAPI

from bot.adapters.github.answers import Broken, Fine, Limited, Refused, Unauthorized, classify
from bot.domain.problems import TryAgain
from bot.log import get_logger
from bot.policy.backoff import delay
from bot.ports.clock import Clock
from bot.ports.github import Forbidden, GitHubProblem, NotFound, Unprocessable

REQUESTER: Final = "codegenapp"
CALL_SECONDS = 20.0
CONNECT_SECONDS = 5.0
MOST_TRIES = 3
LONGEST_WAIT_SECONDS = 5.0
"""What is longer is waited for outside of the call, with no place at a desk taken."""
_SAFE: Final = frozenset({"GET", "PATCH", "PUT", "DELETE"})
"""Our PATCHes say how things shall be, so that twice is the same as once."""

log = get_logger()


class NotAuthorized(GitHubProblem):
    """401: the credential was not taken."""


class Client(GitHubAPI):
    """Calls with one credential. ``cache`` (ETags) belongs to that credential alone."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        clock: Clock,
        base_url: str,
        cache: CACHE_TYPE | None = None,
    ) -> None:
        super().__init__(REQUESTER, base_url=base_url, cache=cache)
        self._session = session
        self._clock = clock

    async def sleep(self, seconds: float) -> None:
        """Wait, by the product's clock."""
        await self._clock.sleep(seconds)

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        safe = method in _SAFE or url.endswith("/access_tokens")
        for attempt in range(1, MOST_TRIES + 1):
            try:
                status, answered, content = await self._once(method, url, headers, body)
            except (aiohttp.ClientError, TimeoutError) as fault:
                said = f"GitHub does not answer: {type(fault).__name__}"
                await self._pause(attempt, delay(attempt, url), said, safe=safe)
                continue
            match classify(status, answered, content, self._clock.now()):
                case Fine():
                    return status, answered, content
                case Limited(after, primary, message):
                    kind = "primary" if primary else "secondary"
                    said = f"GitHub's {kind} rate limit: {message}"
                    await self._pause(attempt, after, said, safe=True)
                case Broken(after, message):
                    await self._pause(attempt, after, f"GitHub is at fault: {message}", safe=safe)
                case Unauthorized(message):
                    raise NotAuthorized(message, status)
                case Refused(_, message):
                    raise _refusal(status, f"{method} {_path(url)}: {message}")
        raise AssertionError("the last pause raises")

    async def _once(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        timeout = aiohttp.ClientTimeout(total=CALL_SECONDS, connect=CONNECT_SECONDS)
        async with self._session.request(
            method, url, headers=headers, data=body, timeout=timeout
        ) as response:
            return response.status, response.headers, await response.read()

    async def _pause(self, attempt: int, seconds: float, said: str, *, safe: bool) -> None:
        if not safe or attempt == MOST_TRIES or seconds > LONGEST_WAIT_SECONDS:
            raise TryAgain(said, after=seconds)
        log.info("waiting for GitHub", reason=said, seconds=seconds)
        await self._clock.sleep(seconds)


def _refusal(status: int, message: str) -> GitHubProblem:
    kinds = {403: Forbidden, 404: NotFound, 410: NotFound, 422: Unprocessable}
    return kinds.get(status, GitHubProblem)(message, status)


def _path(url: str) -> str:
    return "/" + url.split("://", 1)[-1].partition("/")[2].partition("?")[0]
