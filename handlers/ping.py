"""GitHub's ping."""

from __future__ import annotations

from bot.domain.effects import Decision
from bot.domain.events import Pinged
from bot.ports.handlers import Context, Needs


async def note_ping(event: Pinged, needs: Needs, context: Context) -> Decision:
    """Note that the webhook works."""
    del needs, context
    return Decision(f"the webhook {event.hook_id} works")
