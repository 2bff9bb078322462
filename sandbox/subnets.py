"""Small networks with explicit addresses.

An engine's own address pools allow some thirty networks; a /28 of a private range, drawn at
random, allows thousands, and two installations on one engine rarely meet.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Mapping
from typing import NamedTuple

from sandbox.engine import Engine, EngineRefused, NetworkSpec

RANGE = ipaddress.IPv4Network("10.231.0.0/16")
PREFIX = 28
ATTEMPTS = 20
TAKEN = ("overlap", "in use", "already exists", "conflicts with network")


class Subnet(NamedTuple):
    """A network that was made: the engine's ``id``, and the addresses of its boxes."""

    id: str
    addresses: ipaddress.IPv4Network


async def create_network(
    engine: Engine,
    name: str,
    labels: Mapping[str, str],
    *,
    internal: bool,
    pool: ipaddress.IPv4Network = RANGE,
) -> Subnet:
    """Make a network on a free /28 of ``pool``; its name is ``name`` and a random end.

    Raises EngineRefused when the engine refuses for another reason than that addresses are
    taken, or when ``ATTEMPTS`` draws were all taken.
    """
    slots = 1 << (PREFIX - pool.prefixlen)
    for attempt in range(1, ATTEMPTS + 1):
        first = int(pool.network_address) + (secrets.randbelow(slots) << (32 - PREFIX))
        addresses = ipaddress.IPv4Network((first, PREFIX))
        spec = NetworkSpec(
            name=f"{name}-{secrets.token_hex(4)}",
            subnet=str(addresses),
            labels=labels,
            internal=internal,
        )
        try:
            return Subnet(await engine.create_network(spec), addresses)
        except EngineRefused as refused:
            taken = any(word in str(refused).lower() for word in TAKEN)
            if not taken or attempt == ATTEMPTS:
                raise
    raise AssertionError("the loop returns or raises")
