"""Code that tries to reach another step: its secrets, its processes, its exit code."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.plan import Cause, HealthCheck, Stage, StageStatus
from tests.sandbox.conftest import Room
from tests.sandbox.hostile import LIMITS, SERVER, failed, outcome, passed, steps

pytestmark = pytest.mark.engine

SECRET = "s3cr3t-value-of-a-step"
SNOOP = (
    "import glob, os\n"
    "found = 0\n"
    "for path in glob.glob('/proc/*/environ') + glob.glob('/proc/*/fd/*') + "
    "glob.glob('/proc/*/task/*/environ') + glob.glob('/proc/*/cmdline'):\n"
    "    try:\n"
    "        with open(path, 'rb', opener=lambda p, f: os.open(p, f | os.O_NONBLOCK)) as file:\n"
    "            found += (file.read(1 << 20) or b'').count(b's3cr3t-' + b'value')\n"
    "    except OSError: pass\n"
    "print('found', found)\n"
)
# Each is given its step's shell, waits until that is over, and only then does its worst.
ORPHAN = (
    "import os, sys, time\n"
    "if os.fork(): os._exit(0)\n"
    "os.setsid()\n"
    "if os.fork(): os._exit(0)\n"
    "import signal\n"
    "for n in range(1, 65):\n"
    "    if n not in (9, 19, 32, 33): signal.signal(n, signal.SIG_IGN)\n"
    "for fd in (0, 1, 2): os.close(fd)\n"
    "while os.path.exists('/proc/' + sys.argv[1]): time.sleep(0.001)\n"
)
REFORKING = ORPHAN + "while True:\n    if os.fork(): os._exit(0)\n"
WATCHING = ORPHAN + (
    "while True:\n"
    "    for pid in os.listdir('/proc'):\n"
    "        if not pid.isdigit() or int(pid) == os.getpid(): continue\n"
    "        try: text = open(f'/proc/{pid}/environ', 'rb').read()\n"
    "        except OSError: continue\n"
    "        if b's3cr3t' in text: open('/workspace/stolen', 'wb').write(text)\n"
)
# Quick enough to stop a shell between its start and its first command, where it may.
TRACER = """
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <unistd.h>
int main(int count, char **words) {
    int step = atoi(words[1]);
    if (fork()) _exit(0);
    setsid();
    if (fork()) _exit(0);
    for (int it = 0; it < 3; it++) close(it);
    while (kill(step, 0) == 0) usleep(100);
    for (int from = getpid();;) for (int it = from + 1; it < from + 40; it++)
        ptrace(PTRACE_ATTACH, it, 0, 0);
}
"""
SIGNALLING = ORPHAN + (
    "while True:\n    try: os.kill(-1, int(sys.argv[2]))\n    except OSError: pass\n"
)


async def test_no_secret_of_a_step_is_in_proc(room: Room) -> None:
    plan = steps(
        (Stage.INSTALL, "echo $TOKEN > /dev/null; sleep 50 &"),
        (Stage.BUILD, "python3 snoop.py"),
        (Stage.START, "python3 snoop.py; python3 server.py"),
        secrets={Stage.INSTALL: "TOKEN"},
        health=HealthCheck(8000, settle_seconds=0.5),
    )
    heard = await room.run(plan, {"snoop.py": SNOOP, "server.py": SERVER}, {"TOKEN": SECRET})
    assert outcome(heard) == passed(Stage.STABILITY)
    assert heard.output == "found 0\nfound 0\n"


async def test_a_step_finds_its_own_secret_and_it_is_masked(room: Room) -> None:
    plan = steps(
        (Stage.BUILD, "python3 snoop.py; cat /proc/self/environ | tr '\\0' '\\n' | grep TOKEN"),
        secrets={Stage.BUILD: "TOKEN"},
    )
    heard = await room.run(plan, {"snoop.py": SNOOP}, {"TOKEN": SECRET})
    assert "found 0" not in heard.output
    assert "TOKEN=***" in heard.output
    assert SECRET not in heard.output


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(ORPHAN + "time.sleep(99)\n", id="deaf and detached"),
        pytest.param(REFORKING, id="another process each moment"),
        pytest.param(WATCHING, id="watches for secrets"),
    ],
)
async def test_what_a_step_leaves_behind_is_gone_before_the_next(room: Room, program: str) -> None:
    plan = steps(
        (Stage.BUILD, "python3 leave.py $$; sleep 0.5"),
        (Stage.TEST, "set -- /proc/[0-9]*; echo $#; test ! -e stolen; exit 7"),
        secrets={Stage.TEST: "TOKEN"},
    )
    heard = await room.run(plan, {"leave.py": program}, {"TOKEN": SECRET})
    assert heard.results[Stage.BUILD].status is StageStatus.PASSED
    result = heard.results[Stage.TEST]
    # init, the lease's shell, this step's shell
    assert (result.log.text, result.exit_code) == ("3\n", 7)


async def test_a_leftover_that_traces_all_it_sees_stops_nothing(room: Room) -> None:
    plan = steps(
        (Stage.BUILD, "gcc -o tracer tracer.c && ./tracer $$"),
        (Stage.TEST, "exit 7"),
        limits=replace(LIMITS, disk_mb=512),
    )
    heard = await room.run(plan, {"tracer.c": TRACER})
    assert heard.results[Stage.BUILD].status is StageStatus.PASSED
    assert heard.results[Stage.TEST].exit_code == 7


@pytest.mark.parametrize("signal", [9, 19], ids=["kills", "stops"])
async def test_a_leftover_that_signals_all_it_sees_forges_nothing(room: Room, signal: int) -> None:
    plan = steps((Stage.BUILD, f"python3 leave.py $$ {signal}; sleep 0.2"), (Stage.TEST, "exit 7"))
    heard = await room.run(plan, {"leave.py": SIGNALLING})
    assert outcome(heard) == failed(Stage.TEST, Cause.EXIT_CODE)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        pytest.param("kill -9 -1; exit 0", 0, id="kills all others"),
        pytest.param("kill -9 1 || kill -9 2 || exit 3", 3, id="kills init and the lease"),
        pytest.param("kill -9 0; exit 0", 137, id="kills its own group"),
        pytest.param("kill -9 $$", 137, id="kills itself"),
    ],
)
async def test_a_step_that_kills(room: Room, command: str, code: int) -> None:
    heard = await room.run(steps((Stage.BUILD, command)))
    assert heard.results[Stage.BUILD].exit_code == code


async def test_tools_that_a_step_puts_before_ours_are_not_used(room: Room) -> None:
    fake = (
        "mkdir -p ~/.local/bin; cd ~/.local/bin\n"
        "for tool in sh kill bash env; do\n"
        "  printf '#!/bin/dash\\necho stolen $TOKEN >> /workspace/stolen; exit 0\\n' > $tool\n"
        "  chmod +x $tool\ndone; sleep 77 &"
    )
    plan = steps(
        (Stage.BUILD, fake),
        (Stage.TEST, "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep 'sleep 7[7]' || exit 7"),
        secrets={Stage.TEST: "TOKEN"},
    )
    heard = await room.run(plan, secrets={"TOKEN": SECRET})
    assert heard.results[Stage.TEST].exit_code == 7


@pytest.mark.parametrize(
    ("command", "passes"),
    [
        pytest.param("rm -rf /workspace/* /workspace/.[a-z]*", True, id="emptied"),
        pytest.param("chmod 000 /workspace", True, id="closed"),
        pytest.param("rm -rf /workspace", False, id="removed"),
        pytest.param("mv /workspace /w; ln -s /etc /workspace", False, id="a link elsewhere"),
    ],
)
async def test_a_step_that_breaks_the_workspace(room: Room, command: str, passes: bool) -> None:
    heard = await room.run(steps((Stage.BUILD, command), (Stage.TEST, "exit 7")))
    stage = Stage.TEST if passes else Stage.BUILD
    assert outcome(heard) == failed(stage, Cause.EXIT_CODE)


async def test_links_out_of_the_tree_lead_nowhere_but_into_the_box(room: Room) -> None:
    files = {"passwd": "->/etc/passwd", "up": "->../../../../../../etc", "root": "->/"}
    command = (
        "ls up/ > /dev/null; cat passwd; "
        "for f in passwd up/passwd root/etc/x; do (echo evil > $f) && exit 1; done; exit 7"
    )
    heard = await room.run(steps((Stage.BUILD, command)), files)
    result = heard.results[Stage.BUILD]
    assert result.exit_code == 7
    assert "65002" in result.log.text  # the box's own file, not the host's
