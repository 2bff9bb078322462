"""What all validations of one process share, and what one of them has made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot.domain.plan import Plan
from bot.ports.clock import Clock
from bot.ports.sandbox import Environment
from sandbox import ownership
from sandbox.box import Box
from sandbox.egress import Egress
from sandbox.engine import Engine, Image, Kind
from sandbox.guard import Guard, OutOfMemoryEvents
from sandbox.ownership import Owner, deadline_in
from sandbox.probe import Probe
from sandbox.services import RunningService
from sandbox.snapshots import Snapshots
from sandbox.steps import Runner
from sandbox.subnets import Subnet

GRACE_SECONDS = 600.0
"""What an object may stay beyond its validation's time before a sweep takes it."""


@dataclass(frozen=True)
class Equipment:
    """What all validations of this process share.

    ``own_image`` gives the product's image, built where it is missing; ``ca_bundle`` holds the
    certificates (PEM) that this machine trusts, for the time of PREPARE.
    """

    engine: Engine
    owner: Owner
    clock: Clock
    home: Path
    own_image: Callable[[], Awaitable[Image]]
    egress: Egress
    events: OutOfMemoryEvents
    snapshots: Snapshots
    ca_bundle: bytes = b""
    index_variables: Mapping[str, str] = field(default_factory=dict)
    kept_seconds: float = 24 * 3600.0

    def labels(self, kind: Kind, run: str, seconds: float, *, kept: bool = False) -> dict[str, str]:
        """The labels of an object that may live so many seconds, and some grace.

        One that is ``kept`` outlives this process, for ``kept_seconds``.
        """
        now = self.clock.now()
        labels = self.owner.labels(kind, run, deadline_in(now, seconds + GRACE_SECONDS))
        return ownership.kept(labels, deadline_in(now, self.kept_seconds)) if kept else labels


@dataclass
class Opened:
    """One validation's boxes. ``deadline`` is the event loop's time at which it must have ended.

    ``refused`` are the hosts that earlier steps tried to reach.
    """

    equipment: Equipment
    id: str
    plan: Plan
    image: Image
    deadline: float
    environment: Environment
    box: Box
    probe: Probe
    guard: Guard
    runner: Runner
    network: Subnet | None = None
    proxy: Mapping[str, str] = field(default_factory=dict)
    services: list[RunningService] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    kept: bool = False

    async def stop_watching(self) -> None:
        """Let go of all streams, so that the boxes end by themselves."""
        await self.guard.close()
        await asyncio.gather(
            self.probe.close(),
            self.box.drop_lease(),
            *(service.close() for service in self.services),
            return_exceptions=True,
        )
