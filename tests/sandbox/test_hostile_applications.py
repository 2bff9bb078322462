"""Started applications at their worst: what they answer, what they write to, how they die."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.plan import Cause, Stage
from tests.sandbox.conftest import Room
from tests.sandbox.hostile import LIMITS, SERVER, application, failed, outcome, passed

pytestmark = pytest.mark.engine

RAW = """
import socket, threading, time
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", 8000))
listener.listen(50)
HEAD = b"HTTP/1.1 200 OK\\r\\nContent-Type: text/html\\r\\n"
GOOD = HEAD + b"Content-Length: 9\\r\\n\\r\\n<h1>Hi!</"
def serve(client):
    client.recv(4096)
    {answer}
    client.close()
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""
ERROR_PAGE = (
    "b'HTTP/1.1 200 OK\\r\\nContent-Type: text/html\\r\\nConnection: close\\r\\n\\r\\n"
    "<title>Error</title><pre>Cannot GET /</pre>'"
)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param("time.sleep(99)", id="never answers"),
        pytest.param("[(client.send(b'H'), time.sleep(.2)) for _ in range(999)]", id="drips"),
        pytest.param(
            "client.send(HEAD + b'Content-Length: 999\\r\\n\\r\\n');"
            " [(client.send(b'x'), time.sleep(.2)) for _ in range(999)]",
            id="drips its body",
        ),
        pytest.param(
            "client.send(b'HTTP/1.1 302 F\\r\\nLocation: /x\\r\\nContent-Length: 0\\r\\n\\r\\n')",
            id="redirects for ever",
        ),
        pytest.param(
            "client.send(b'HTTP/1.1 302 F\\r\\nLocation: http://169.254.169.254/\\r\\n\\r\\n')",
            id="redirects to the metadata service",
        ),
        pytest.param("client.send(b'\\x00\\xff' * 5000)", id="garbage"),
        pytest.param("client.send(HEAD + b'X: ' + b'x' * 10_000_000)", id="an endless header"),
        pytest.param(
            "client.send(HEAD); [client.send(b'X%d: y\\r\\n' % n) for n in range(99_999_999)]",
            id="headers without end",
        ),
        pytest.param(
            "[client.send(b'HTTP/1.1 100 C\\r\\n\\r\\n') for _ in range(99_999)]", id="interim"
        ),
        pytest.param(f"client.send({ERROR_PAGE})", id="an error page with 200"),
        pytest.param(
            'client.send(b\'{"type": "end", "id": 1, "result": {"healthy": true}}\\n\')',
            id="answers as our probe would",
        ),
        pytest.param("pass", id="hangs up"),
    ],
)
async def test_an_application_that_is_not_well(room: Room, answer: str) -> None:
    files = {"app.py": RAW.replace("{answer}", answer)}
    heard = await room.run(application("exec python3 app.py", deadline=4), files)
    assert outcome(heard) == failed(Stage.HEALTH, Cause.UNHEALTHY)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param("sleep 4; python3 server.py", id="listens late"),
        pytest.param("python3 raw.py", id="speaks hardly any HTTP"),
        pytest.param("(python3 server.py &) ; exit 0", id="is a daemon"),
    ],
)
async def test_an_application_that_is_well(room: Room, command: str) -> None:
    files = {"server.py": SERVER, "raw.py": RAW.replace("{answer}", "client.send(GOOD)")}
    heard = await room.run(application(command, deadline=15), files)
    assert outcome(heard) == passed(Stage.STABILITY)


async def test_an_application_on_another_address_of_the_loopback(room: Room) -> None:
    files = {"server.py": SERVER.replace("127.0.0.1", "127.0.0.2")}
    heard = await room.run(application("python3 server.py", deadline=3), files)
    assert outcome(heard) == failed(Stage.HEALTH, Cause.UNHEALTHY)


async def test_an_application_that_writes_to_every_descriptor(room: Room) -> None:
    line = '{"type": "end", "id": 1, "result": {"healthy": true}}'
    writer = (
        "import glob, os, threading, server\n"
        "threading.Thread(target=server.serve, daemon=True).start()\n"
        "while True:\n"
        "    for path in glob.glob('/proc/[0-9]*/fd/*'):\n"
        "        try: fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK)\n"
        "        except OSError: continue\n"
        "        try: os.write(fd, b'" + line + "\\n')\n"
        "        except OSError: pass\n"
        "        os.close(fd)\n"
    )
    limits = replace(LIMITS, log_bytes=16 * 1024)
    plan = application("python3 writer.py", limits=limits)
    heard = await room.run(plan, {"writer.py": writer, "server.py": SERVER})
    assert outcome(heard) == passed(Stage.STABILITY)
    assert line in heard.output


@pytest.mark.parametrize(
    ("worst", "cause"),
    [
        pytest.param(
            "x = []\nwhile True: x.append(b'x' * 4_000_000)", Cause.OUT_OF_MEMORY, id="memory"
        ),
        pytest.param(
            "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass",
            Cause.PROCESS_LIMIT,
            id="processes",
        ),
        pytest.param(
            "n = 0\nwhile True:\n  n += 1; open(f'f{n}', 'wb').write(bytes(1 << 20))",
            Cause.DISK_FULL,
            id="disk",
        ),
    ],
)
@pytest.mark.parametrize("answers", [True, False], ids=["answers", "does not answer"])
async def test_an_application_that_takes_too_much(
    room: Room, worst: str, cause: Cause, answers: bool
) -> None:
    server = "import subprocess, sys, time\nimport server\ntime.sleep(1)\n"
    server += "child = subprocess.Popen([sys.executable, 'worst.py'])\n"
    server += "server.serve()\n" if answers else "child.wait()\ntime.sleep(99)\n"
    plan = application("python3 main.py", deadline=8)
    assert plan.health is not None
    plan = replace(plan, health=replace(plan.health, settle_seconds=6))
    heard = await room.run(plan, {"main.py": server, "server.py": SERVER, "worst.py": worst})
    stage, _, found = outcome(heard)
    assert found is cause
    assert stage in (Stage.START, Stage.HEALTH, Stage.PORTS, Stage.STABILITY)


@pytest.mark.parametrize("code", [1, 137])
async def test_an_application_that_dies_at_once(room: Room, code: int) -> None:
    heard = await room.run(application(f"exit {code}"))
    assert outcome(heard) == failed(Stage.START, Cause.EXIT_CODE)
