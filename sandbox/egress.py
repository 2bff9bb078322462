"""The allow-list proxy: the one way out of a box that installs, and only to hosts by name.

One proxy box serves all validations of this process that have the same policy. It stands on a
network of its own that leads outward, and is taken to each validation's internal network, where
it has the last address. Its lease is our connection, so it ends with us; its rules are in
``sandbox/image/squid.conf.in``.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from bot.ports.clock import Clock
from sandbox.egress_box import REGISTRIES, EgressPolicy, ProxyBox, allowed_names
from sandbox.engine import BoxSpec, Engine, EngineFault, EngineRefused, Image, Kind
from sandbox.ownership import Owner, deadline_in
from sandbox.subnets import Subnet, create_network

__all__ = ["REGISTRIES", "Egress", "EgressPolicy"]

PORT = 3128
USER = "65004:65004"
COMMAND = ("/bin/sh", "/opt/codegenapp/egress.sh")
MEGABYTE = 1024 * 1024
# It lives as long as its owner and ends with it; a deadline of its own would only cut it short.
LIFETIME_SECONDS = 10 * 365 * 24 * 3600.0
DEFAULT_PORTS = {"http": 80, "https": 443}


class Egress:
    """The proxies of one process; one instance for one event loop.

    ``index_variables`` hold addresses of the operator's own package indexes; their hosts are
    allowed whatever the policy, at private addresses too. ``refused_addresses`` (addresses or
    networks) are refused beside all private ones, such as public addresses of this machine.
    """

    def __init__(
        self,
        engine: Engine,
        owner: Owner,
        clock: Clock,
        own_image: Callable[[], Awaitable[Image]],
        index_variables: Mapping[str, str],
        *,
        refused_addresses: Iterable[str] = (),
    ) -> None:
        self._engine = engine
        self._owner = owner
        self._clock = clock
        self._own_image = own_image
        self._index = sorted(_index_places(index_variables.values()))
        self._refused = sorted(refused_addresses)
        self._outward: Subnet | None = None
        self._proxies: dict[EgressPolicy, ProxyBox] = {}
        self._lock = asyncio.Lock()

    async def attach(self, network: Subnet, policy: EgressPolicy) -> str:
        """Give a network its proxy, ready for connections; the proxy's URL there.

        Raises EngineFault.
        """
        async with self._lock:
            address = network.addresses[-2]
            proxy = await self._proxy(policy)
            try:
                await self._engine.connect(network.id, proxy.id, str(address))
            except EngineRefused:
                if proxy.alive and await self._runs(proxy):
                    raise
                proxy = await self._renewed(policy)
                await self._engine.connect(network.id, proxy.id, str(address))
            proxy.networks[network.id] = network.addresses
            return f"http://{address}:{PORT}"

    async def detach(self, network_id: str) -> None:
        """Take the proxy off a network; one that has none is fine. Its refusals are forgotten."""
        async with self._lock:
            for policy, proxy in list(self._proxies.items()):
                addresses = proxy.networks.pop(network_id, None)
                if addresses is None:
                    continue
                proxy.forget(addresses)
                await self._engine.disconnect(network_id, proxy.id)
                if not proxy.networks and policy != EgressPolicy():
                    await self._end(policy)

    def refusals(self, addresses: ipaddress.IPv4Network) -> tuple[str, ...]:
        """The hosts that boxes of these addresses were refused, in order, each once, at most 50.

        ``host``, or ``host:port`` where the port is neither 80 nor 443.
        """
        found = (host for proxy in self._proxies.values() for host in proxy.refusals(addresses))
        return tuple(dict.fromkeys(found))

    def alive(self, network_id: str) -> bool:
        """Whether the proxy of a network still runs; without one, installs fail for our fault."""
        return any(proxy.alive for proxy in self._proxies.values() if network_id in proxy.networks)

    async def close(self) -> None:
        """Remove the proxies and their network. Nothing fails where they, or the engine, are gone.

        What an engine that is away keeps of them is for the next sweep.
        """
        async with self._lock:
            for policy in list(self._proxies):
                with contextlib.suppress(EngineFault):
                    await self._end(policy)
            if self._outward is not None:
                with contextlib.suppress(EngineFault):
                    await self._engine.remove_network(self._outward.id)
                self._outward = None

    async def _proxy(self, policy: EgressPolicy) -> ProxyBox:
        proxy = self._proxies.get(policy)
        if proxy is not None and proxy.alive:
            return proxy
        return await self._renewed(policy)

    async def _renewed(self, policy: EgressPolicy) -> ProxyBox:
        await self._end(policy)
        proxy = self._proxies[policy] = await self._started(policy)
        return proxy

    async def _started(self, policy: EgressPolicy) -> ProxyBox:
        image = await self._own_image()
        spec = BoxSpec(
            image=image.id,
            labels=self._labels(Kind.EGRESS),
            entrypoint=COMMAND[:1],
            command=COMMAND[1:],
            user=USER,
            environment=self._environment(policy),
            network=await self._way_out(),
            read_only=True,
            tmpfs={"/tmp": 16 * MEGABYTE},  # noqa: S108 - the box's, not ours
            memory_bytes=256 * MEGABYTE,
            cpus=1.0,
            pids=64,
        )
        try:
            box = await self._engine.create(spec)
        except EngineRefused:
            # The network may have been removed behind our back; a new one is no loss.
            self._outward = None
            spec = replace(spec, network=await self._way_out())
            box = await self._engine.create(spec)
        return await ProxyBox.start(self._engine, box)

    async def _way_out(self) -> str:
        if self._outward is None:
            labels = self._labels(Kind.NETWORK)
            self._outward = await create_network(
                self._engine, "codegenapp-egress", labels, internal=False
            )
        return self._outward.id

    async def _runs(self, proxy: ProxyBox) -> bool:
        try:
            return (await self._engine.state(proxy.id)).running
        except EngineFault:
            return False

    async def _end(self, policy: EgressPolicy) -> None:
        if proxy := self._proxies.pop(policy, None):
            await proxy.close()
            await self._engine.remove(proxy.id)

    def _labels(self, kind: Kind) -> Mapping[str, str]:
        deadline = deadline_in(self._clock.now(), LIFETIME_SECONDS)
        return self._owner.labels(kind, "egress", deadline)

    def _environment(self, policy: EgressPolicy) -> dict[str, str]:
        return {
            "EGRESS_POLICY": "internet" if policy.internet else "registries",
            "EGRESS_HOSTS": "\n".join(allowed_names(policy)),
            "EGRESS_INDEX_HOSTS": "\n".join(dict.fromkeys(host for host, _ in self._index)),
            "EGRESS_INDEX_PORTS": "\n".join(dict.fromkeys(str(port) for _, port in self._index)),
            "EGRESS_REFUSED_ADDRESSES": "\n".join(self._refused),
        }


def _index_places(urls: Iterable[str]) -> set[tuple[str, int]]:
    """Host and port of each http(s) URL."""
    places = set()
    for url in urls:
        parts = urlsplit(url)
        if parts.hostname and parts.scheme in DEFAULT_PORTS:
            places.add((parts.hostname, parts.port or DEFAULT_PORTS[parts.scheme]))
    return places
