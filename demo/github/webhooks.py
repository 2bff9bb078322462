"""Webhooks: signed, sent, kept, and sent again."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import uuid
from collections.abc import Mapping
from typing import Any

import aiohttp

from demo.github.objects import Objects
from demo.github.state import DeliveryState, RepositoryState, State, User, now

HOOK_SECONDS = 10.0


class Webhooks:
    """Sends events to ``hook_url``; where that is empty, they are only kept.

    ``url`` is GitHub's own, once it serves.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.secret = secrets.token_hex(20)
        self._objects = Objects(state, "")
        self._session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        """Where it is served, for API, pages and git alike."""
        return self._objects.url

    @property
    def hook_url(self) -> str:
        """Where webhooks go, empty for nowhere."""
        return self.state.hook_url

    @hook_url.setter
    def hook_url(self, url: str) -> None:
        self.state.hook_url = url

    async def send(
        self,
        event: str,
        payload: Mapping[str, Any],
        repository: RepositoryState | None,
        sender: User,
        *,
        guid: str = "",
    ) -> DeliveryState:
        """Deliver a webhook; ``repository``, ``installation`` and ``sender`` are added."""
        told: dict[str, Any] = dict(payload) | {"sender": self._objects.user(sender)}
        if repository is not None:
            told["repository"] = self._objects.repository(repository)
            told["installation"] = {
                "id": repository.installation_id,
                "node_id": f"I_{repository.installation_id}",
            }
        delivery = DeliveryState(
            id=next(self.state.ids),
            guid=guid or str(uuid.uuid4()),
            event=event,
            action=told.get("action"),
            body=json.dumps(told).encode(),
            delivered_at=now(),
            status_code=0,
            installation_id=repository.installation_id if repository else None,
            repository_id=repository.id if repository else None,
        )
        self.state.deliveries.append(delivery)
        delivery.status_code = await self._post(delivery)
        return delivery

    async def redeliver(self, attempt_id: int, *, guid: str = "") -> None:
        """Send a known delivery once more, under its GUID or another. Raises LookupError."""
        known = next((it for it in self.state.deliveries if it.id == attempt_id), None)
        if known is None:
            raise LookupError(attempt_id)
        again = DeliveryState(
            **{
                **vars(known),
                "id": next(self.state.ids),
                "guid": guid or known.guid,
                "delivered_at": now(),
                "redelivery": True,
                "status_code": 0,
            }
        )
        self.state.deliveries.append(again)
        again.status_code = await self._post(again)

    async def _post(self, delivery: DeliveryState) -> int:
        if not self.hook_url or self._session is None:
            return 0
        signature = hmac.new(self.secret.encode(), delivery.body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/stand-in",
            "X-GitHub-Event": delivery.event,
            "X-GitHub-Delivery": delivery.guid,
            "X-GitHub-Hook-ID": "1",
            "X-Hub-Signature-256": f"sha256={signature}",
        }
        try:
            async with self._session.post(
                self.hook_url, data=delivery.body, headers=headers
            ) as response:
                return response.status
        except (TimeoutError, aiohttp.ClientError):
            return 0
