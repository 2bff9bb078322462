"""The machine's clock; nothing else asks it for the time of day."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime


class SystemClock:
    """Fulfils ``bot.ports.clock.Clock``."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this is the one home of the time of day

    async def sleep(self, seconds: float) -> None:
        """Wait so many seconds."""
        await asyncio.sleep(seconds)  # noqa: TID251 - this is the one home of waiting
