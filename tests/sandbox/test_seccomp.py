"""The boxes' own seccomp profile: what it keeps from them, and what it must not."""

from __future__ import annotations

import json

import pytest

from bot.domain.plan import NetworkAccess, Plan, Stage, StageStatus, Step
from sandbox.seccomp import profile
from tests.sandbox.conftest import Room

CALLS = """
import ctypes, errno, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    ctypes.set_errno(0)
    libc.syscall(number, *arguments)
    return errno.errorcode.get(ctypes.get_errno(), "OK")
print("unshare", call(272, 0x10000000))
print("keyctl", call(250, 0, 0))
print("bpf", call(321, 0, 0, 0))
print("userfaultfd", call(323, 0))
print("io_uring_setup", call(425, 1, 0))
print("mount", call(165, 0, 0, 0, 0, 0))
print("clone3", call(435, 0, 0))
print("kill_stop", call(62, 0, 19))
print("kill_stop_wide", call(62, 0, 19 + (7 << 32)))
print("tkill_stop", call(200, os.getpid(), 19))
print("tgkill_stop", call(234, os.getpid(), os.getpid(), 19))
print("fcntl_setsig", call(72, 0, 10, 19))
try:
    socket.socket(40, socket.SOCK_STREAM)
    print("vsock OK")
except OSError as error:
    print("vsock", errno.errorcode[error.errno])
"""


def test_what_is_not_named_is_refused() -> None:
    found = json.loads(profile())
    named = {name for call in found["syscalls"] for name in call["names"]}
    assert found["defaultAction"] == "SCMP_ACT_ERRNO"
    assert named.isdisjoint({"bpf", "mount", "setns", "unshare", "keyctl", "userfaultfd", "reboot"})
    assert {"execve", "clone", "socket", "openat", "futex"} <= named


def test_a_browser_s_box_differs_in_namespaces_only() -> None:
    def named(found: str) -> set[str]:
        return {name for call in json.loads(found)["syscalls"] for name in call["names"]}

    assert named(profile(browser=True)) - named(profile()) == {"chroot", "setns", "unshare"}
    assert named(profile()) <= named(profile(browser=True))


@pytest.mark.engine
async def test_a_box_is_kept_from_the_kernel(room: Room) -> None:
    plan = Plan(steps=(Step(Stage.BUILD, "python3 calls.py"),), prepare_network=NetworkAccess.NONE)
    heard = await room.run(plan, {"calls.py": CALLS})
    told = dict(line.split() for line in heard.output.splitlines())
    assert told.pop("clone3") == "ENOSYS"
    assert set(told.values()) == {"EPERM"}


@pytest.mark.engine
async def test_ordinary_programs_do_not_notice(room: Room) -> None:
    commands = 'node -e \'new (require("worker_threads").Worker)("1", {eval: true})\' && git init x'
    plan = Plan(
        steps=(
            Step(
                Stage.BUILD,
                f"{commands} && python3 -c 'import threading, subprocess' && kill -0 $$",
            ),
        ),
        prepare_network=NetworkAccess.NONE,
    )
    heard = await room.run(plan)
    assert heard.results[Stage.BUILD].status is StageStatus.PASSED
