"""Code that takes more than it may: each ends within its limits, with the cause told apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.plan import Cause, Stage, StageEvent, StageOutput
from tests.sandbox.conftest import Heard, Room
from tests.sandbox.hostile import BRIEF, LIMITS, failed, outcome, passed, steps

pytestmark = pytest.mark.engine

HOG = "x = []\nwhile True: x.append(b'x' * 4_000_000)\n"
UNLINKED = (
    "import os, signal\n"
    "signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
    "out = os.open('big', os.O_CREAT | os.O_WRONLY)\n"
    "os.unlink('big')\n"
    "while True: os.write(out, bytes(1 << 20))\n"
)
FORKS = "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass\n"
THREADS = (
    "import threading, time\n"
    "while True: threading.Thread(target=time.sleep, args=(99,), daemon=True).start()\n"
)
FILES = {"hog.py": HOG, "unlinked.py": UNLINKED, "forks.py": FORKS, "threads.py": THREADS}


@pytest.mark.parametrize(
    ("command", "cause"),
    [
        pytest.param("f() { f | f & }; f; sleep 2; exit 1", Cause.PROCESS_LIMIT, id="fork bomb"),
        pytest.param("python3 forks.py", Cause.PROCESS_LIMIT, id="forks without rest"),
        pytest.param("python3 threads.py", Cause.PROCESS_LIMIT, id="threads"),
        pytest.param("head -c 50G /dev/zero > big", Cause.DISK_FULL, id="50 GB in a file"),
        pytest.param("truncate -s 50G big", Cause.DISK_FULL, id="50 GB that are a hole"),
        pytest.param("fallocate -l 50G big", Cause.DISK_FULL, id="50 GB reserved"),
        pytest.param("python3 unlinked.py", Cause.DISK_FULL, id="50 GB in no folder"),
        pytest.param(
            "i=0; while :; do i=$((i+1)); head -c 1M /dev/zero > f$i; done",
            Cause.DISK_FULL,
            id="50 GB in many files",
        ),
        pytest.param("python3 hog.py", Cause.OUT_OF_MEMORY, id="memory"),
        pytest.param("python3 hog.py || exit 0", Cause.OUT_OF_MEMORY, id="memory, covered up"),
        pytest.param("python3 hog.py & sleep 2", Cause.OUT_OF_MEMORY, id="memory, aside"),
        pytest.param(
            "for i in 1 2 3; do head -c 99M /dev/zero > /dev/shm/$i; done",
            Cause.OUT_OF_MEMORY,
            id="/dev/shm",
        ),
        pytest.param("head -c 1G /dev/zero > /tmp/big", Cause.EXIT_CODE, id="/tmp"),
    ],
)
async def test_a_build_that_takes_too_much(room: Room, command: str, cause: Cause) -> None:
    limits = replace(LIMITS, total_seconds=30)
    plan = steps((Stage.BUILD, command), (Stage.TEST, "true"), limits=limits)
    heard = await room.run(plan, FILES)
    assert outcome(heard) == failed(Stage.BUILD, cause)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param("sleep infinity", id="sleeps"),
        pytest.param("trap '' TERM INT HUP; while :; do sleep 1; done", id="deaf to signals"),
        pytest.param("exec >&- 2>&- <&-; sleep infinity", id="says nothing"),
    ],
)
@pytest.mark.parametrize("stage", [Stage.INSTALL, Stage.TEST])
async def test_a_step_that_never_ends(room: Room, stage: Stage, command: str) -> None:
    limits = replace(LIMITS, total_seconds=4)
    heard = await room.run(steps((stage, command), limits=limits))
    assert outcome(heard) == failed(stage, Cause.TIMEOUT)
    assert heard.results[stage].reason.endswith("validation.timeout_minutes")


@pytest.mark.parametrize(
    "command",
    [
        pytest.param("yes 'the same line again'", id="lines"),
        pytest.param("head -c 100G /dev/zero", id="one line"),
        pytest.param("while :; do printf '\\033[2J\\033[H\\r'; done", id="escapes"),
        pytest.param("head -c 100G /dev/urandom", id="noise"),
    ],
)
async def test_output_without_end(room: Room, command: str) -> None:
    class Counting(Heard):
        heard = 0

        async def __call__(self, event: StageEvent) -> None:
            if isinstance(event, StageOutput):
                self.heard += len(event.text)
            else:
                self.events.append(event)

    heard = Counting()
    limits = replace(LIMITS, log_bytes=64 * 1024, total_seconds=4)
    await room.run(steps((Stage.BUILD, command), limits=limits), heard=heard)
    assert outcome(heard) == failed(Stage.BUILD, Cause.TIMEOUT)
    log = heard.results[Stage.BUILD].log
    assert heard.heard > 1024 * 1024
    assert len(log.text) < 4 * limits.log_bytes
    assert log.dropped_bytes > 0


async def test_fewer_processes_than_the_limit_are_fine(room: Room) -> None:
    command = "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1 & done; wait"
    heard = await room.run(steps((Stage.BUILD, command), (Stage.TEST, "exit 4")))
    assert outcome(heard) == failed(Stage.TEST, Cause.EXIT_CODE)


async def test_a_step_is_not_blamed_for_what_an_earlier_one_was_refused(room: Room) -> None:
    command = "(f() { f | f & }; f; sleep 1) 2>/dev/null; exit 0"
    heard = await room.run(steps((Stage.BUILD, command), (Stage.TEST, "exit 4")))
    assert heard.results[Stage.BUILD].exit_code == 0
    assert outcome(heard) == failed(Stage.TEST, Cause.EXIT_CODE)


@pytest.mark.long
async def test_fifty_thousand_files(room: Room) -> None:
    files = {f"d{number % 250}/f{number}": "x" for number in range(50_000)}
    plan = steps((Stage.BUILD, "find . -type f | wc -l"), seconds=BRIEF * 5)
    heard = await room.run(plan, files)
    assert outcome(heard) == passed(Stage.BUILD)
    assert heard.results[Stage.BUILD].log.text.strip() == "50000"
