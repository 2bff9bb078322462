"""The inbox: everything that happened and is not yet settled, one at a time per key.

Life cycle of an item:

1. ``add`` makes it durable; what is ignored is kept too, as done, with its reason.
2. ``claim`` leases it with a fencing token: of each key one item at a time, oldest first, and in
   turn over repositories, so that a noisy one starves nobody. ``beat`` keeps the lease.
3. For each handler: ``decide`` stores its decision before its first effect, ``settle_effect``
   counts one effect after the other, ``settle_handler`` ends it.
4. ``finish`` ends the item as done or dead; ``again`` puts it back for later; ``hand_back`` puts
   it back at once, as if it had not been claimed.

Every write after ``claim`` is guarded by the token: after a lost lease it raises ``LeaseLost``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from bot.domain.effects import Decision


class LeaseLost(Exception):
    """Somebody else has the item now: stop, and write nothing more for it."""


class ItemState(StrEnum):
    """Where an item stands."""

    READY = "ready"
    LEASED = "leased"
    DONE = "done"
    DEAD = "dead"


class Added(StrEnum):
    """What became of an item that was to be added."""

    NEW = "new"
    DUPLICATE = "duplicate"
    REOPENED = "reopened"


@dataclass(frozen=True)
class Item:
    """One delivery or internal event.

    ``id`` is the delivery's GUID, or derived for internal events; ``name`` the event's name as
    GitHub has it, or an internal one; ``body`` the raw JSON. ``ignored`` is the reason why nobody
    listens, empty where somebody does. ``repository_id`` is 0 where there is none.
    """

    id: str
    name: str
    body: bytes = field(repr=False)
    key: str
    repository_id: int
    received_at: datetime
    due_at: datetime | None = None
    ignored: str = ""


@dataclass(frozen=True)
class Progress:
    """How far a handler has come: its stored decision, and one outcome for each settled effect."""

    decision: Decision | None = None
    outcomes: tuple[str, ...] = ()
    settled: bool = False


@dataclass(frozen=True)
class Claim:
    """A leased item. ``attempts`` counts the claims that failed before; ``token`` fences."""

    item: Item
    token: int
    attempts: int
    progress: Mapping[str, Progress]


@dataclass(frozen=True)
class Kept:
    """An item as it is kept, for listing and replaying."""

    item: Item
    state: ItemState
    attempts: int
    reason: str
    progress: Mapping[str, Progress]


class Inbox(Protocol):
    """See the module."""

    async def add(self, items: Sequence[Item]) -> Sequence[Added]:
        """Make items durable; the answers stand in their order.

        A duplicate of a dead item reopens it. Raises TryAgain where it can't be recorded.
        """

    async def claim(self, owner: str) -> Claim | None:
        """Lease the next item; None where nothing is due that may be handled now."""

    async def beat(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        """Prolong leases; gives the claims that are lost."""

    async def decide(self, claim: Claim, handler: str, decision: Decision) -> None:
        """Store a handler's decision; a later one replaces what is not settled yet.

        It holds all effects: the settled ones first, unchanged, then the new ones.
        """

    async def settle_effect(self, claim: Claim, handler: str, index: int, outcome: str) -> None:
        """Note that the effect with this index (from 0) is done."""

    async def settle_handler(self, claim: Claim, handler: str) -> None:
        """Note that nothing of this handler remains."""

    async def finish(self, claim: Claim, state: ItemState, reason: str) -> None:
        """End the item as ``DONE`` or ``DEAD``."""

    async def again(self, claim: Claim, due_at: datetime, reason: str) -> None:
        """Put the item back for later, one attempt older."""

    async def hand_back(self, claim: Claim) -> None:
        """Put the item back at once, no attempt older: this process is stopping."""

    async def get(self, item_id: str) -> Kept | None:
        """An item by its id."""

    async def reopen(self, item_id: str) -> bool:
        """Have an ended item handled from the beginning; False where there is none such."""

    def listing(self, state: ItemState, limit: int) -> AsyncIterator[Kept]:
        """Items of a state, newest first."""

    async def waiting(self) -> Mapping[ItemState, int]:
        """How many items there are of each state."""

    def wakes(self) -> AsyncIterator[None]:
        """One for each time that something may have become due; may be late, never ends."""
