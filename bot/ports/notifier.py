"""Telling people outside of GitHub."""

from __future__ import annotations

from typing import Protocol

from bot.domain.notices import Notice


class Notifier(Protocol):
    """Tells, and never fails what it tells of."""

    async def tell(self, url: str, notice: Notice) -> str:
        """Post a notice to an address of a repository's configuration; what came of it, in words.

        It is told at least once, a few times over where nobody answers, and then let go. An
        address of a network that is not the public one is not asked.
        """
