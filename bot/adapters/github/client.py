"""One account's calls to GitHub: gidgethub's requests, with timeouts, and faults told apart."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import aiohttp
from gidgethub.abc import CACHE_TYPE, GitHubAPI

from bot.adapters.github.answers import (
    Broken,
    Fine,
    Limited,
    Refused,
    Unauthorized,
    classify,
    classify_query,
)
from bot.adapters.github.graphql import is_query
from bot.domain import problems
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
_MERGE: Final = re.compile(r"/pulls/\d+/merge$")

log = get_logger()


class NotAuthorized(GitHubProblem):
    """401: the credential was not taken."""


class AtFault(TryAgain):
    """5xx, or a query that took GitHub too long."""


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
        safe = repeatable(method, url, body)
        meaning = classify_query if url.endswith("/graphql") else classify
        for attempt in range(1, MOST_TRIES + 1):
            try:
                status, answered, content = await self._once(
                    method, url, headers, body, () if safe else (_not_again,)
                )
            except (aiohttp.ClientError, TimeoutError) as fault:
                said = f"GitHub does not answer: {type(fault).__name__}"
                await self._pause(attempt, TryAgain(said, delay(attempt, url)), safe=safe)
                continue
            match meaning(status, answered, content, self._clock.now()):
                case Fine():
                    return status, answered, content
                case Limited(after, primary, message):
                    kind = "primary" if primary else "secondary"
                    said = f"GitHub's {kind} rate limit: {message}"
                    # Whoever may not ask again blindly is told that nothing was done.
                    fault_of = TryAgain if safe else problems.Limited
                    await self._pause(attempt, fault_of(said, after), safe=True)
                case Broken(after, message):
                    at_fault = AtFault(f"GitHub is at fault: {message}", after)
                    await self._pause(attempt, at_fault, safe=safe)
                case Unauthorized(message):
                    raise NotAuthorized(message, status)
                case Refused(_, message):
                    raise _refusal(status, f"{method} {_path(url)}: {message}")
        raise AssertionError("the last pause raises")

    async def _once(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        middlewares: Sequence[aiohttp.ClientMiddlewareType],
    ) -> tuple[int, Mapping[str, str], bytes]:
        timeout = aiohttp.ClientTimeout(total=CALL_SECONDS, connect=CONNECT_SECONDS)
        async with self._session.request(
            method, url, headers=headers, data=body, timeout=timeout, middlewares=middlewares
        ) as response:
            return response.status, response.headers, await response.read()

    async def _pause(self, attempt: int, fault: TryAgain, *, safe: bool) -> None:
        if not safe or attempt == MOST_TRIES or fault.after > LONGEST_WAIT_SECONDS:
            raise fault
        log.info("waiting for GitHub", reason=fault.message, seconds=fault.after)
        await self._clock.sleep(fault.after)


async def _not_again(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a PUT once more, as it does by itself where a connection drops."""
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as fault:
        raise aiohttp.ClientConnectionError(type(fault).__name__) from fault


def repeatable(method: str, url: str, body: bytes) -> bool:
    """Whether a call that may have landed can be made once more.

    A merge can't: whether it landed is looked up, and decided anew. A GraphQL query can.
    """
    if method == "POST":
        return url.endswith("/access_tokens") or (url.endswith("/graphql") and is_query(body))
    return method in _SAFE and not (method == "PUT" and _MERGE.search(url))


def _refusal(status: int, message: str) -> GitHubProblem:
    kinds = {403: Forbidden, 404: NotFound, 410: NotFound, 422: Unprocessable}
    return kinds.get(status, GitHubProblem)(message, status)


def _path(url: str) -> str:
    return "/" + url.split("://", 1)[-1].partition("/")[2].partition("?")[0]
