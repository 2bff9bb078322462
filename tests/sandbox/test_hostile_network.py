"""Code that looks for a way out: from the install, the build, and the started application."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from bot.domain.plan import Cause, HealthCheck, NetworkAccess, Plan, Stage, StageStatus, Step
from tests.sandbox.conftest import Room
from tests.sandbox.hostile import LIMITS, SERVER, failed, outcome, passed, steps

pytestmark = pytest.mark.engine

ROOMY = replace(LIMITS, pids=512)
"""The program that looks for a way out tries everything at once."""

# A connection that is refused got through: a packet went out and an answer came back.
REACH = """
import glob, os, socket, struct, threading

def routes():
    for line in open("/proc/net/route").readlines()[1:]:
        words = line.split()
        packed = struct.pack("<I", int(words[1], 16))
        if words[1] != "00000000":
            yield ".".join(map(str, packed[:3])), packed[3]

PORTS = (22, 53, 80, 443, 2375, 2376, 2377, 4789, 7946)
targets = [("169.254.169.254", 80), ("169.254.170.2", 80), ("1.1.1.1", 443), ("8.8.8.8", 53)]
for host in ("172.17.0.1", "172.17.0.2", "10.0.0.1", "192.168.0.1", HOST):
    targets += [(host, port) for port in PORTS]
for prefix, first in routes():
    targets += [(f"{prefix}.{first + 1}", port) for port in PORTS]

def attempt(host, port):
    connection = socket.socket()
    connection.settimeout(2)
    try:
        connection.connect((host, port))
        print(f"reached {host}:{port}")
    except ConnectionRefusedError:
        print(f"reached {host}:{port}, which refused")
    except OSError:
        pass

def ask(server, kind):
    query = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0)
    query += b"".join(bytes([len(it)]) + it for it in (b"pypi", b"org")) + bytes(1)
    query += struct.pack(">HH", 1, 1)
    connection = socket.socket(socket.AF_INET, kind)
    connection.settimeout(3)
    try:
        connection.connect((server, 53))
        framed = query if kind == socket.SOCK_DGRAM else struct.pack(">H", len(query)) + query
        connection.sendall(framed)
        answer = connection.recv(4096)[0 if kind == socket.SOCK_DGRAM else 2:]
        if answer[3] & 15 in (0, 3):
            print(f"the name server {server} answered")
    except (OSError, IndexError):
        pass

tasks = [threading.Thread(target=attempt, args=target) for target in targets]
for server in ("127.0.0.11", "127.0.0.1", "127.0.0.53", "8.8.8.8", HOST):
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        tasks.append(threading.Thread(target=ask, args=(server, kind)))
for task in tasks: task.start()
for task in tasks: task.join()
try: print("resolved", socket.getaddrinfo("pypi.org", 443)[0][4])
except OSError: pass
for place in ("/var/run", "/run", "/tmp", "/"):
    for path in glob.glob(place + "/**/*.sock", recursive=place != "/"):
        print("socket", path)
try: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); print("a raw socket")
except OSError: pass
try: socket.socket(socket.AF_PACKET, socket.SOCK_RAW); print("a packet socket")
except OSError: pass
print("interfaces", *sorted(os.listdir("/sys/class/net")))
"""


def own_address() -> str:
    """An address of this machine that other machines see; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


@pytest.fixture
def reach() -> dict[str, str]:
    """The program that looks for a way out, as a tree's file, and an honest application."""
    return {"reach.py": f"HOST = {own_address()!r}\n{REACH}", "server.py": SERVER}


async def test_nothing_is_in_reach_of_an_install(room: Room, reach: dict[str, str]) -> None:
    plan = steps(
        (Stage.INSTALL, "python3 reach.py"), network=NetworkAccess.REGISTRIES, limits=ROOMY
    )
    heard = await room.run(plan, reach)
    assert outcome(heard) == passed(Stage.INSTALL)
    assert heard.output == "interfaces eth0 lo\n"


@pytest.mark.parametrize("network", [NetworkAccess.NONE, NetworkAccess.REGISTRIES])
async def test_nothing_is_in_reach_once_the_network_is_cut(
    room: Room, reach: dict[str, str], network: NetworkAccess
) -> None:
    plan = steps(
        (Stage.INSTALL, "true"),
        (Stage.BUILD, "python3 reach.py"),
        (Stage.START, "python3 reach.py; python3 server.py"),
        network=network,
        limits=ROOMY,
        health=HealthCheck(8000, settle_seconds=0.5),
    )
    heard = await room.run(plan, reach)
    assert outcome(heard) == passed(Stage.STABILITY)
    assert heard.output == "interfaces lo\n" * 2


@pytest.mark.parametrize(
    ("url", "host"),
    [
        pytest.param("https://evil.example.com/x", "evil.example.com", id="a name"),
        pytest.param("http://evil.example.com/x", "evil.example.com", id="by plain http"),
        pytest.param("https://1.1.1.1/", "1.1.1.1", id="an address"),
        pytest.param("http://169.254.169.254/latest", "169.254.169.254", id="metadata"),
        pytest.param("http://2130706433:2375/", "127.0.0.1:2375", id="a number"),
        pytest.param("https://pypi.org:22/", "pypi.org:22", id="another port"),
        pytest.param("http://localhost/", "localhost", id="an allowed name of the loopback"),
        pytest.param("https://github.com.evil.example/", "github.com.evil.example", id="a prefix"),
    ],
)
async def test_a_host_that_is_refused_is_named(room: Room, url: str, host: str) -> None:
    # curl leaves the proxy aside for localhost unless it is told not to.
    plan = steps(
        (Stage.INSTALL, f"curl --noproxy '' -sSf -m 20 {url}"),
        network=NetworkAccess.REGISTRIES,
        allow_hosts=("localhost", "github.com"),
    )
    heard = await room.run(plan)
    assert outcome(heard) == failed(Stage.INSTALL, Cause.HOST_REFUSED)
    assert f"it tried to reach {host}, which" in heard.results[Stage.INSTALL].reason


async def test_a_failure_without_a_refusal_is_not_called_one(room: Room) -> None:
    plan = steps((Stage.INSTALL, "exit 5"), network=NetworkAccess.REGISTRIES)
    heard = await room.run(plan)
    assert outcome(heard) == failed(Stage.INSTALL, Cause.EXIT_CODE)


async def test_a_limit_is_told_before_a_refusal(room: Room) -> None:
    command = (
        "curl -s -m 9 https://evil.example.com/ || python3 -c 'x = bytearray(999_999_999)'; exit 1"
    )
    heard = await room.run(steps((Stage.INSTALL, command), network=NetworkAccess.REGISTRIES))
    assert outcome(heard) == failed(Stage.INSTALL, Cause.OUT_OF_MEMORY)


async def test_a_registry_is_let_through(room: Room) -> None:
    plan = steps(
        (Stage.INSTALL, "pip download --quiet --no-deps six && ls"),
        (Stage.BUILD, "ls; curl -sS -m 5 https://pypi.org/ && exit 1; exit 0"),
        network=NetworkAccess.REGISTRIES,
    )
    heard = await room.run(plan)
    assert outcome(heard) == passed(Stage.BUILD)
    assert "six-" in heard.results[Stage.INSTALL].log.text


async def test_a_build_with_a_network_is_cut_off_before_the_start(
    room: Room, reach: dict[str, str]
) -> None:
    plan = steps(
        (Stage.BUILD, "curl -sSf -m 20 https://pypi.org/simple/six/ > /dev/null"),
        (Stage.START, "python3 reach.py; python3 server.py"),
        network=NetworkAccess.REGISTRIES,
        limits=ROOMY,
        health=HealthCheck(8000, settle_seconds=0.5),
    )
    heard = await room.run(_with_build_network(plan), reach)
    assert outcome(heard) == passed(Stage.STABILITY)
    assert heard.output == "interfaces lo\n"


async def test_a_build_that_was_refused_a_host_says_so(room: Room) -> None:
    plan = steps((Stage.BUILD, "curl -sSf -m 20 https://evil.example.com/"))
    heard = await room.run(_with_build_network(plan))
    assert outcome(heard) == failed(Stage.BUILD, Cause.HOST_REFUSED)
    assert heard.results[Stage.BUILD].status is StageStatus.FAILED


def _with_build_network(plan: Plan) -> Plan:
    registries = NetworkAccess.REGISTRIES
    return replace(plan, prepare_network=registries, build_network=registries)


async def test_a_host_that_install_did_without_is_no_later_steps_trouble(room: Room) -> None:
    plan = Plan(
        steps=(
            Step(Stage.INSTALL, "curl --silent --max-time 5 https://example.com || true"),
            Step(Stage.BUILD, "exit 4"),
        ),
        build_network=NetworkAccess.REGISTRIES,
    )
    heard = await room.run(plan)
    result = heard.results[Stage.BUILD]
    assert (result.cause, result.exit_code) == (Cause.EXIT_CODE, 4)
