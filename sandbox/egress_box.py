"""One running proxy box: what it lets through, and what it says that it refused."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote

from sandbox.engine import Channel, Engine, EngineFault, EngineGone

REGISTRIES = frozenset(
    {
        "archive.ubuntu.com",
        "crates.io",
        "deb.debian.org",
        "files.pythonhosted.org",
        "index.crates.io",
        "proxy.golang.org",
        "pypi.org",
        "registry.npmjs.org",
        "registry.yarnpkg.com",
        "repo.maven.apache.org",
        "repo1.maven.org",
        "rubygems.org",
        "security.debian.org",
        "static.crates.io",
        "sum.golang.org",
    }
)
"""Package registries of the common ecosystems. No host of code or of files at large is one."""

READY_SECONDS = 20.0
LONGEST_LINE = 8 * 1024
MOST_HOSTS = 50
MOST_CLIENTS = 512
USUAL_PORTS = {"80", "443"}

NAME = re.compile(r"(\*\.)?[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*", re.ASCII)
LITERAL = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+))*", re.ASCII)
SHOWN = re.compile(r"[A-Za-z0-9._:\[\]-]{1,253}", re.ASCII)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class EgressPolicy:
    """What a validation's install may reach: the registries and ``hosts``, or all of ``internet``.

    A host is a name, or ``*.name`` for all below it. What is no name, such as an address, is never
    let through.
    """

    internet: bool = False
    hosts: frozenset[str] = frozenset()


def allowed_names(policy: EgressPolicy) -> list[str]:
    """The names that a policy lets through as squid takes them; a leading dot is a wildcard."""
    found = set(REGISTRIES)
    for host in policy.hosts:
        name = host.strip().lower().rstrip(".")
        if NAME.fullmatch(name) and not LITERAL.fullmatch(name):
            found.add(name.removeprefix("*"))
    wild = {name for name in found if name.startswith(".")}
    # Squid refuses a list that says the same twice.
    return sorted(
        name
        for name in found
        if not any(other != name and f".{name}".endswith(other) for other in wild)
    )


class EgressGone(EngineGone):
    """The proxy box ended, or never came to be."""


class ProxyBox:
    """A running proxy box. ``networks`` are those that it serves, by id."""

    def __init__(self, box: str, channel: Channel) -> None:
        self.id = box
        self.networks: dict[str, ipaddress.IPv4Network] = {}
        self._channel = channel
        self._ready = asyncio.Event()
        self._refused: dict[Address, dict[str, None]] = {}
        self._complaints = b""
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, engine: Engine, box: str) -> Self:
        """Start a created proxy box and wait until it takes connections. Raises EngineFault."""
        channel = await engine.attach(box)
        proxy = cls(box, channel)
        try:
            await engine.start(box)
            await proxy._until_ready()
        except BaseException:
            await proxy.close()
            await engine.remove(box)
            raise
        return proxy

    @property
    def alive(self) -> bool:
        """Whether its output is still open; it ends with the box."""
        return not self._reader.done()

    def refusals(self, addresses: ipaddress.IPv4Network) -> tuple[str, ...]:
        """What clients of these addresses were refused, in order, each once."""
        found = dict.fromkeys(
            host for client, hosts in self._refused.items() if client in addresses for host in hosts
        )
        return tuple(found)[:MOST_HOSTS]

    def forget(self, addresses: ipaddress.IPv4Network) -> None:
        """Forget the refusals of clients that are gone: others will get their addresses."""
        for client in [client for client in self._refused if client in addresses]:
            del self._refused[client]

    async def close(self) -> None:
        """Let go of the lease; the box ends by itself."""
        self._reader.cancel()
        try:
            await asyncio.gather(self._reader, return_exceptions=True)
        finally:
            await self._channel.close()

    async def _until_ready(self) -> None:
        ready = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait(
                {ready, self._reader}, timeout=READY_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            ready.cancel()
        if not self._ready.is_set():
            words = self._complaints.decode(errors="replace").strip().splitlines()[-5:]
            raise EgressGone("\n".join(["the proxy box did not start:", *words]))

    async def _read(self) -> None:
        rest = b""
        with contextlib.suppress(EngineFault):
            while (chunk := await self._channel.read()) is not None:
                stream, data = chunk
                if stream != 1:
                    self._complaints = (self._complaints + data)[-4000:]
                    continue
                *lines, rest = (rest + data).split(b"\n")
                rest = rest[-LONGEST_LINE:]
                for line in lines:
                    self._take(line.decode("ascii", "replace"))

    def _take(self, line: str) -> None:
        """Note a refusal. A client chooses the host's name, and so the line is not trusted."""
        if line == "ready":
            self._ready.set()
        match line.split(" "):
            case ["request", client, result, host, port] if result.startswith("TCP_DENIED"):
                self._note(client, unquote(host), port)

    def _note(self, client: str, host: str, port: str) -> None:
        with contextlib.suppress(ValueError):
            address = ipaddress.ip_address(client)
            if not SHOWN.fullmatch(host) or not (port.isdigit() or port == "-"):
                return
            if address not in self._refused and len(self._refused) >= MOST_CLIENTS:
                return
            hosts = self._refused.setdefault(address, {})
            if len(hosts) < MOST_HOSTS:
                hosts[host if port in USUAL_PORTS else f"{host}:{port}"] = None
