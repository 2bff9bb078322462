"""What the box's network has: interfaces, routes, listeners, and what can be reached from it."""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import os
import socket
import struct
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

PROC = Path("/proc/net")
CONNECT_SECONDS = 1.0
GATEWAY_PORTS = (22, 53, 80, 443, 2375, 2376, 2377)
POLL_SECONDS = 0.05
MOST_LISTENERS = 200
TABLE_LIMIT = 8 * 1024 * 1024
LISTENING = "0A"

Say = Callable[[str], None]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def table(name: str) -> list[list[str]]:
    """The rows of a table below /proc/net, without its head; none where the kernel has none."""
    try:
        with (PROC / name).open("rb") as file:
            text = file.read(TABLE_LIMIT).decode("ascii", "replace")
    except OSError:
        return []
    return [line.split() for line in text.splitlines()[1:]]


def address_of(digits: str) -> Address:
    """An address as /proc/net/tcp writes it: words of 32 bits in the machine's byte order."""
    words = struct.unpack(f">{len(digits) // 8}I", bytes.fromhex(digits))
    packed = struct.pack(f"={len(words)}I", *words)
    address = ipaddress.ip_address(packed)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def listening() -> set[tuple[Address, int]]:
    """Every TCP listener of this network namespace."""
    found = set()
    for row in [*table("tcp"), *table("tcp6")]:
        if len(row) > 3 and row[3] == LISTENING:
            digits, port = row[1].split(":")
            found.add((address_of(digits), int(port, 16)))
    return found


def described(found: Iterable[tuple[Address, int]]) -> list[dict[str, Any]]:
    """Listeners as the protocol shows them, ordered by port, at most ``MOST_LISTENERS``."""
    ordered = sorted(found, key=lambda one: (one[1], one[0].version, int(one[0])))
    return [
        {
            "address": str(address),
            "port": port,
            "all_interfaces": address.is_unspecified,
            "loopback": address.is_loopback,
        }
        for address, port in ordered[:MOST_LISTENERS]
    ]


async def listeners(_message: dict[str, Any], _say: Say) -> dict[str, Any]:
    """Verb ``listeners``: {} -> {listeners: [{address, port, all_interfaces, loopback}]}."""
    return {"listeners": described(listening())}


async def wait_for_listener(message: dict[str, Any], _say: Say) -> dict[str, Any]:
    """Verb ``wait_for_listener``: {port, timeout} -> {listening, waited, listeners}; seconds."""
    port, timeout = int(message["port"]), float(message["timeout"])
    began = time.monotonic()
    while True:
        found = listening()
        there = any(one == port for _, one in found)
        waited = time.monotonic() - began
        if there or waited >= timeout:
            return {"listening": there, "waited": round(waited, 3), "listeners": described(found)}
        await asyncio.sleep(min(POLL_SECONDS, timeout - waited))


def interfaces() -> list[str]:
    """The names of the network interfaces."""
    # Two lines of head, of which ``table`` takes one; the second one's first word has no colon.
    return sorted(row[0].split(":")[0] for row in table("dev") if row and ":" in row[0])


def routes() -> list[tuple[str, Address, Address]]:
    """The IPv4 routes: interface, destination and gateway, 0.0.0.0 for none."""
    return [
        (row[0], address_of(row[1]), address_of(row[2])) for row in table("route") if len(row) > 2
    ]


def own_addresses() -> set[Address]:
    """The addresses of this namespace's own interfaces, as the kernel's local table has them."""
    own: set[Address] = set()
    lines = (PROC / "fib_trie").read_text().splitlines() if (PROC / "fib_trie").exists() else []
    for above, line in itertools.pairwise(lines):
        if "host LOCAL" in line:
            own.add(ipaddress.ip_address(above.split()[-1]))
    own.update(
        ipaddress.ip_address(bytes.fromhex(row[0]))
        for row in _rows_without_head("if_inet6")
        if row and len(row[0]) == 32
    )
    return own


def _rows_without_head(name: str) -> list[list[str]]:
    try:
        return [line.split() for line in (PROC / name).read_text().splitlines()]
    except OSError:
        return []


async def reach(host: str, port: int) -> str:
    """``open`` or ``refused`` (a packet came back), else ``closed``."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await asyncio.get_running_loop().sock_connect(connection, (host, port))
        return "open"
    except ConnectionRefusedError:
        return "refused"
    except OSError:  # TimeoutError is one
        return "closed"
    finally:
        connection.close()


async def closed(message: dict[str, Any], _say: Say) -> dict[str, Any]:
    """Verb ``closed``: what this box can reach that is not itself.

    {targets: [[address, port]], allow: [[address, port]], name: a public name} ->
    {interfaces: [name], routes: [text], open: [[address, port]], refused: [same], dns: bool}.
    Every gateway is a target too. A connection that is refused counts as open (a packet got
    there and an answer came back) and stands in ``refused`` as well.
    """
    targets = {(str(host), int(port)) for host, port in message.get("targets", ())}
    found = routes()
    gateways = {str(gateway) for _, _, gateway in found if not gateway.is_unspecified}
    targets.update((gateway, port) for gateway in gateways for port in GATEWAY_PORTS)
    targets -= {(str(host), int(port)) for host, port in message.get("allow", ())}
    own = own_addresses()
    outside = sorted(
        (host, port)
        for host, port in targets
        if (address := ipaddress.ip_address(host)) not in own and not address.is_loopback
    )
    answers, dns = await asyncio.gather(
        asyncio.gather(*(reach(host, port) for host, port in outside)),
        resolves(str(message.get("name", "example.com"))),
    )
    tried = list(zip(outside, answers, strict=True))
    return {
        "interfaces": interfaces(),
        "routes": [f"{destination} by {interface}" for interface, destination, _ in found],
        "open": [target for target, answer in tried if answer != "closed"],
        "refused": [target for target, answer in tried if answer == "refused"],
        "dns": dns,
    }


def name_servers() -> list[str]:
    """The addresses in /etc/resolv.conf, and the engine's embedded resolver."""
    try:
        rows = [line.split() for line in Path("/etc/resolv.conf").read_text().splitlines()]
    except OSError:
        rows = []
    named = [row[1] for row in rows if len(row) > 1 and row[0] == "nameserver"]
    return list(dict.fromkeys([*named, "127.0.0.11"]))


def question(name: str, number: int) -> bytes:
    """A DNS query for a name's IPv4 address."""
    labels = b"".join(bytes([len(one)]) + one for one in name.encode("ascii").split(b"."))
    head = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0)
    return head + labels + b"\x00" + struct.pack(">HH", 1, 1)


async def resolves(name: str) -> bool:
    """Whether any name server answers for a public name, within a second.

    An answer that there is no such name counts as well: the question got out.
    """
    return any(await asyncio.gather(*(_asked(server, name) for server in name_servers())))


async def _asked(server: str, name: str) -> bool:
    number = int.from_bytes(os.urandom(2), "big")
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_DGRAM)
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await loop.sock_connect(connection, (server, 53))
            await loop.sock_sendall(connection, question(name, number))
            answer = await loop.sock_recv(connection, 4096)
    except (OSError, ValueError):
        return False
    finally:
        connection.close()
    if len(answer) < 12:
        return False
    echoed, flags, _, answers = struct.unpack(">HHHH", answer[:8])
    code = flags & 0x000F
    return echoed == number and (code == 3 or (code == 0 and answers > 0))
