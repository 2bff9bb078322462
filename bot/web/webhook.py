"""``POST /webhooks/github``: verify, make durable, answer; nothing else happens here."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from bot.domain.events import Ignored, key
from bot.domain.problems import TryAgain
from bot.domain.unheard import UNHEARD
from bot.domain.webhooks import INTERNAL, MalformedPayload, Own, loads, parse
from bot.log import get_logger
from bot.ports.clock import Clock
from bot.ports.inbox import Added, Inbox, Item
from bot.web.metrics import Metrics

LARGEST_BODY = 25 * 1024 * 1024
LARGE_BODY = 256 * 1024
"""Beyond it reading JSON would keep the others waiting: it is done in a thread."""
LONGEST_NAME = 100
GROUP_SECONDS = 0.002
MOST_IN_A_GROUP = 500
MOST_BYTES_IN_A_GROUP = 8 * 1024 * 1024
MOST_WAITING = 10_000
RECORD_SECONDS = 8.0
"""GitHub waits ten."""
RETRY_AFTER = "5"
FORM = "application/x-www-form-urlencoded"

log = get_logger()


class Groups:
    """Commits what arrives within some milliseconds with one write."""

    def __init__(self, inbox: Inbox, clock: Clock) -> None:
        self._inbox = inbox
        self._clock = clock
        self._waiting: list[tuple[Item, asyncio.Future[Added]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def add(self, item: Item) -> Added:
        """Have one item durable. Raises TryAgain."""
        if len(self._waiting) >= MOST_WAITING:
            raise TryAgain("too much is waiting to be recorded")
        future: asyncio.Future[Added] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        return await future

    async def _write(self) -> None:
        await self._clock.sleep(GROUP_SECONDS)
        try:
            while group := self._next():
                await self._record(group)
        finally:
            self._writer = None

    def _next(self) -> list[tuple[Item, asyncio.Future[Added]]]:
        size = count = 0
        for item, _ in self._waiting[:MOST_IN_A_GROUP]:
            size += len(item.body)
            if count and size > MOST_BYTES_IN_A_GROUP:
                break
            count += 1
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group

    async def _record(self, group: Sequence[tuple[Item, asyncio.Future[Added]]]) -> None:
        try:
            added = await self._inbox.add([item for item, _ in group])
        except Exception as fault:  # noqa: BLE001  each of those who wait is told
            for _, future in group:
                if not future.done():
                    future.set_exception(fault)
            return
        for (_, future), said in zip(group, added, strict=True):
            if not future.done():
                future.set_result(said)


class WebhookDoor:
    """See the module. ``secrets`` are those that a signature may be made with."""

    def __init__(
        self, secrets: Sequence[str], app_id: int, inbox: Inbox, clock: Clock, metrics: Metrics
    ) -> None:
        self._secrets = [secret.encode() for secret in secrets]
        self._own = Own(app_id, "")
        self._groups = Groups(inbox, clock)
        self._clock = clock
        self._metrics = metrics

    async def post(self, request: web.Request) -> web.Response:
        """Take one delivery."""
        with self._metrics.webhook_seconds.time():
            response, outcome = await self._take(request)
        self._metrics.deliveries.labels(outcome).inc()
        return response

    async def _take(self, request: web.Request) -> tuple[web.Response, str]:
        if (request.content_length or 0) > LARGEST_BODY:
            return _refusal(413, "a delivery has at most 25 MiB"), "too large"
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _refusal(413, "a delivery has at most 25 MiB"), "too large"
        if not self._is_signed(body, request.headers.get("X-Hub-Signature-256", "")):
            return _refusal(401, "X-Hub-Signature-256 is missing or wrong"), "unsigned"
        try:
            item = await self._item(request.headers, request.content_type, body)
        except MalformedPayload as fault:
            return _refusal(400, str(fault)), "malformed"
        try:
            async with asyncio.timeout(RECORD_SECONDS):
                added = await self._groups.add(item)
        except (TryAgain, TimeoutError) as fault:
            log.warning("a delivery could not be recorded", delivery=item.id, reason=str(fault))
            response = _refusal(503, "it could not be recorded; try again")
            response.headers["Retry-After"] = RETRY_AFTER
            return response, "unavailable"
        log.info("delivery", delivery=item.id, name=item.name, key=item.key, outcome=added.value)
        return web.json_response({"delivery": item.id, "status": added.value}, status=202), added

    def _is_signed(self, body: bytes, signature: str) -> bool:
        good = [
            f"sha256={hmac.new(secret, body, hashlib.sha256).hexdigest()}"
            for secret in self._secrets
        ]
        told = signature.encode(errors="replace")
        return any(hmac.compare_digest(it.encode(), told) for it in good)

    async def _item(self, headers: Mapping[str, str], content_type: str, body: bytes) -> Item:
        name, delivery = headers.get("X-GitHub-Event", ""), headers.get("X-GitHub-Delivery", "")
        for header, value in (("X-GitHub-Event", name), ("X-GitHub-Delivery", delivery)):
            if not 0 < len(value) <= LONGEST_NAME or not value.isascii() or not value.isprintable():
                raise MalformedPayload(f"{header} is missing or no name")
        if name in INTERNAL:
            raise MalformedPayload(f"{name} is no event of GitHub's")
        if content_type == FORM:
            body = _from_form(body)
        payload = await (asyncio.to_thread(loads, body) if len(body) > LARGE_BODY else _now(body))
        if not isinstance(payload, dict):
            raise MalformedPayload("the payload is no JSON object")
        where, repository_id, ignored = self._address(name, payload)
        return Item(delivery, name, body, where, repository_id, self._clock.now(), ignored=ignored)

    def _address(self, name: str, payload: Mapping[str, Any]) -> tuple[str, int, str]:
        """The key, the repository's id (0 where there is none) and why it is ignored, if so."""
        if name in UNHEARD:
            return "app", 0, UNHEARD[name]
        try:
            event = parse(name, payload, self._own)
        except MalformedPayload as fault:
            return "app", 0, f"malformed: {fault}"
        if isinstance(event, Ignored):
            return "app", 0, event.reason
        repository = getattr(event, "repository", None)
        return key(event), repository.id if repository else 0, ""


async def _now(body: bytes) -> Any:
    return loads(body)


def _from_form(body: bytes) -> bytes:
    fields = parse_qs(body.decode(errors="replace"), max_num_fields=10)
    if "payload" not in fields:
        raise MalformedPayload("the form has no field `payload`")
    return fields["payload"][0].encode()


def _refusal(status: int, reason: str) -> web.Response:
    return web.json_response({"error": reason}, status=status)
