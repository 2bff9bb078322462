"""Boxes are closed: shown by trying, before anything untrusted runs.

The start-up test tries the network of PREPARE (internal, with nothing on it) and the cut network
of RUN, from a box like any other. The test of a single box, after its network has been cut, asks
for the same from its own probe: no interface but loopback, no route, no name, no way out.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from bot.domain.plan import Limits
from bot.ports.clock import Clock
from bot.ports.sandbox import SandboxUnavailable
from sandbox.box import application_box
from sandbox.engine import Engine, Image, Kind
from sandbox.ownership import Owner, deadline_in
from sandbox.probe import Probe
from sandbox.subnets import create_network

METADATA = "169.254.169.254"
ELSEWHERE = ("1.1.1.1", 443)
HOST_PORTS = (22, 53, 80, 2375, 2376, 2377, 8080)
DEFAULT_BRIDGE_GATEWAY = "172.17.0.1"
REMEMBERED_SECONDS = 24 * 3600
TEST_LIMITS = Limits(memory_mb=64, cpus=0.5, pids=32, tmp_mb=8)
TEST_SECONDS = 120.0


@dataclass(frozen=True)
class Proof:
    """What the start-up test was made of; another engine, image or boot wants a new one."""

    engine: str
    image: str
    boot: str


async def prove_closed(
    engine: Engine, image: Image, owner: Owner, clock: Clock, remembered: Path
) -> None:
    """Run the start-up test, unless it was passed here within a day.

    Raises SandboxUnavailable with what was open.
    """
    proof = Proof((await engine.info()).id, image.id, _boot_id())
    if _remembers(remembered, proof, clock):
        return
    try:
        async with asyncio.timeout(TEST_SECONDS):
            await _try_everything(engine, image, owner, clock)
    except TimeoutError:
        raise SandboxUnavailable(
            f"the test that boxes are closed took longer than {TEST_SECONDS:.0f} s: "
            "the engine's machine may be overloaded"
        ) from None
    record = {**asdict(proof), "at": clock.now().timestamp()}
    with contextlib.suppress(OSError):  # without the memory it is tested again next time
        remembered.write_text(json.dumps(record))


async def require_closed(probe: Probe) -> None:
    """Test one box whose network was cut, or never was. Raises SandboxUnavailable."""
    answer = await probe.ask(
        "closed", seconds=5.0, targets=[[METADATA, 80], [DEFAULT_BRIDGE_GATEWAY, 80], [*ELSEWHERE]]
    )
    faults = [f"interface {name}" for name in answer["interfaces"] if name != "lo"]
    faults += [f"a route to {route}" for route in answer["routes"]]
    faults += _ways_out(answer)
    if faults:
        raise SandboxUnavailable(f"the box is not closed after the cut: {', '.join(faults)}")


async def _try_everything(engine: Engine, image: Image, owner: Owner, clock: Clock) -> None:
    labels = owner.labels(Kind.NETWORK, "start-up-test", deadline_in(clock.now(), TEST_SECONDS))
    box_labels = labels | {"codegenapp.kind": Kind.APPLICATION.value}
    network, subnet = await create_network(engine, "codegenapp-test", labels, internal=True)
    box, probe = "", None
    try:
        spec = application_box(image, TEST_LIMITS, box_labels, network=network)
        box = await engine.create(spec)
        lease = await engine.attach(box)
        await engine.start(box)
        probe = await Probe.start(engine, image, box, box_labels)
        hosts = {str(next(subnet.hosts())), DEFAULT_BRIDGE_GATEWAY, *own_addresses()}
        targets = [[host, port] for host in sorted(hosts) for port in HOST_PORTS]
        targets += [[METADATA, 80], [*ELSEWHERE]]
        answer = await probe.ask("closed", seconds=30.0, targets=targets)
        if faults := _ways_out(answer):
            raise SandboxUnavailable(
                f"boxes are not closed on this engine: from inside one could reach "
                f"{', '.join(faults)}. Nothing untrusted runs here until this is mended: "
                "look for firewall rules of the host that override the engine's"
            )
        await engine.disconnect(network, box)
        await require_closed(probe)
        await probe.close()
        await lease.close()
    finally:
        if probe is not None:
            await engine.remove(probe.id)
        if box:
            await engine.remove(box)
        await engine.remove_network(network)


def _ways_out(answer: object) -> list[str]:
    assert isinstance(answer, dict)
    ways = [f"{host}:{port}" for host, port in answer["open"]]
    return ways + (["a name server"] if answer["dns"] else [])


def own_addresses() -> set[str]:
    """The addresses of this machine that a box could try; the socket sends nothing."""
    found: set[str] = set()
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((ELSEWHERE[0], 9))
        found.add(probe.getsockname()[0])
    return {it for it in found if not ipaddress.ip_address(it).is_loopback}


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _remembers(path: Path, proof: Proof, clock: Clock) -> bool:
    try:
        record = json.loads(path.read_text())
        fresh = 0 <= clock.now().timestamp() - record.pop("at") < REMEMBERED_SECONDS
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return bool(fresh and record == asdict(proof))
