"""``WebhookNotifier``: fulfils ``bot.ports.notifier`` by posting JSON.

The address comes from a repository: it must not make this process ask its own network.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Mapping
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from bot.domain.notices import Notice
from bot.log import get_logger
from bot.policy.backoff import delay
from bot.ports.clock import Clock
from bot.ports.notifier import Notifier

SECONDS: Final = 10.0
MOST_TRIES: Final = 3

log = get_logger()


def is_public(address: str) -> bool:
    """Whether an address is of the public network."""
    return ipaddress.ip_address(address).is_global


class NotPublic(OSError):
    """An address that is not asked."""


class WebhookNotifier(Notifier):
    """See the port. ``allows`` says of an IP address whether it may be asked."""

    def __init__(self, clock: Clock, allows: Callable[[str], bool] = is_public) -> None:
        self._clock = clock
        self._allows = allows

    async def tell(self, url: str, notice: Notice) -> str:
        said = ""
        for attempt in range(1, MOST_TRIES + 1):
            try:
                status = await self._post(url, notice.to_json())
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as fault:
                cause = getattr(fault, "os_error", fault)  # what a connector wraps says more
                said = f"{type(cause).__name__}: {cause}"[:200]
            else:
                if 200 <= status < 300:
                    return f"told: {status}"
                said = f"HTTP {status}"
            if attempt < MOST_TRIES:
                await self._clock.sleep(delay(attempt, notice.id))
        log.warning("a notice could not be told", notice_event=notice.event, reason=said)
        return f"could not be told: {said}"

    async def _post(self, url: str, body: Mapping[str, Any]) -> int:
        host = URL(url).host or ""
        if _is_address(host) and not self._allows(host):
            raise NotPublic(f"{host} is not of the public network")
        connector = aiohttp.TCPConnector(resolver=_Resolver(self._allows))
        timeout = aiohttp.ClientTimeout(total=SECONDS)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.post(url, json=body, allow_redirects=False) as response,
        ):
            return response.status


class _Resolver(AbstractResolver):
    """Names become addresses that may be asked, at the moment of asking: no other is used."""

    def __init__(self, allows: Callable[[str], bool]) -> None:
        self._names = ThreadedResolver()
        self._allows = allows

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._names.resolve(host, port, family)
        allowed = [it for it in found if self._allows(it["host"])]
        if not allowed:
            raise NotPublic(f"{host} is not of the public network")
        return allowed

    async def close(self) -> None:
        await self._names.close()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
