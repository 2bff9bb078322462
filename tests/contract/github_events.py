"""GitHub's published schemas of its webhooks, and what the stand-in sent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from demo.github.state import DeliveryState
from tests.octokit import Contract


class Webhooks(Contract):
    """What is wrong with deliveries, by GitHub's schema of each event and action."""

    def faults(self, deliveries: Sequence[DeliveryState]) -> list[str]:
        wrong: list[str] = []
        for it in deliveries:
            name = "-".join(filter(None, (it.event, it.action))).replace("_", "-")
            schema = {"$ref": f"#/components/schemas/webhook-{name}"}
            wrong += self._against(schema, it.body, name)
        return wrong


def told(deliveries: Sequence[DeliveryState]) -> list[str]:
    """Event and action of each: ``pull_request opened``, ``push``."""
    return [" ".join(filter(None, (it.event, it.action))) for it in deliveries]


def payload(delivery: DeliveryState) -> dict[str, Any]:
    """What was sent."""
    sent: dict[str, Any] = json.loads(delivery.body)
    return sent
