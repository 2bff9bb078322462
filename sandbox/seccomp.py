"""The system calls of every box: an inline seccomp profile, whatever the engine's own is.

What is not named fails with "operation not permitted". Left out is what reaches the kernel's
modules, keys, clocks, swap, mounts, namespaces, tracing of performance or of other users' memory,
``bpf``, ``userfaultfd`` and ``io_uring``; see the kernel's ``syscalls(2)`` for each. Names that an
architecture does not have are passed over by the engine.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

ARCHITECTURES = (
    "SCMP_ARCH_X86_64",
    "SCMP_ARCH_X86",
    "SCMP_ARCH_X32",
    "SCMP_ARCH_AARCH64",
    "SCMP_ARCH_ARM",
)

ALLOWED = """
_llseek _newselect accept accept4 access adjtimex alarm arch_prctl bind brk cachestat capget
capset chdir chmod chown chown32 clock_getres clock_getres_time64 clock_gettime
clock_gettime64 clock_nanosleep clock_nanosleep_time64 close close_range connect
copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old
epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit
exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat
fchmodat2 fchown fchown32 fchownat fdatasync fgetxattr flistxattr flock fork
fremovexattr fsetxattr fstat fstat64 fstatat fstatat64 fstatfs fstatfs64 fsync ftruncate
ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat
get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid getegid32 geteuid
geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid
getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit getrusage
getsid getsockname getsockopt gettid gettimeofday getuid getuid32 getxattr inotify_add_watch
inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents
io_pgetevents_time64 io_setup io_submit ioctl ioprio_get ioprio_set ipc landlock_add_rule
landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link linkat listen
listxattr llistxattr llseek lremovexattr lseek lsetxattr lstat lstat64 madvise
map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat
mlock mlock2 mlockall mmap mmap2 modify_ldt mprotect mq_getsetattr mq_notify mq_open
mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap
msgctl msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep
newfstatat nice oldfstat oldlstat oldolduname oldstat olduname open openat openat2 pause
pidfd_open pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll
ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_madvise process_mrelease pselect6
pselect6_time64 ptrace pwrite64 pwritev pwritev2 read readahead readdir readlink readlinkat
readv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr rename renameat
renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask
rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64
sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity
sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select semctl semget semop
semtimedop semtimedop_time64 sendfile sendfile64 sendmmsg sendmsg sendto set_robust_list
set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32
setgroups setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid setresgid32
setresuid setresuid32 setreuid setreuid32 setrlimit setsid setsockopt setuid setuid32 setxattr
sgetmask shmat shmctl shmdt shmget shutdown sigaction sigaltstack signal signalfd signalfd4
sigpending sigprocmask sigreturn sigsuspend socketcall socketpair splice ssetmask stat stat64
statfs statfs64 statx symlink symlinkat sync sync_file_range sync_file_range2 syncfs sysinfo
tee time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64
timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime
timerfd_settime64 times truncate truncate64 ugetrlimit umask uname unlink unlinkat utime
utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev
"""

BROWSER = "chroot setns unshare"
"""What Chromium's sandbox needs beside ``clone`` with namespaces."""

NEW_NAMESPACES = 0x7E020000
"""The flags of ``clone`` that make a namespace (CLONE_NEWNS to CLONE_NEWNET, CLONE_NEWCGROUP)."""

VIRTUAL_SOCKETS = 40
"""AF_VSOCK: it reaches the host of a virtual machine past every network rule."""

SENDING = {
    "kill": 1,
    "tkill": 1,
    "tgkill": 2,
    "rt_sigqueueinfo": 1,
    "rt_tgsigqueueinfo": 2,
    "pidfd_send_signal": 1,
}
"""The calls that send a signal, and which argument it is."""

NOT_STOP = ((0, 16), (16, 2), (18, 1), (20, 4), (24, 8), (32, 32), (64, 1))
"""All signals but SIGSTOP (19), as blocks: where one begins, and its size, a power of two.

The engine's own process becomes the step's user a moment before it is the step's command. A
leftover that stops it then makes the engine wait without end: that box can't even be killed.
"""

NOT_CHOOSE_SIGNAL = ((0, 8), (8, 2), (11, 1), (12, 4), (16, 16), (32, 32), (1024, 1024))
"""All of ``fcntl`` but F_SETSIG (10), by which the kernel would send a stop in a file's name."""

LOW_BITS = 0xFFFFFFFF
"""Of an ``int`` the kernel drops the upper half, which a filter would compare."""

NATIVE_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
"""Linux's own, its 32-bit form, both with UNAME26, and the question which one it is."""

NOT_IMPLEMENTED = 38
"""ENOSYS, upon which libc falls back from ``clone3``, whose flags no filter can see."""


@cache
def profile(*, browser: bool = False) -> str:
    """The profile as the engine takes it, JSON.

    The one for a ``browser`` lets new namespaces through, by which Chromium shuts its pages in.
    It is for boxes that run no code but ours: what a page runs is behind Chromium's own filter.
    """
    calls: list[dict[str, Any]] = [
        {"names": ALLOWED.split(), "action": "SCMP_ACT_ALLOW"},
        {"names": ["clone", *BROWSER.split()], "action": "SCMP_ACT_ALLOW"}
        if browser
        else _allowed_if("clone", 0, "SCMP_CMP_MASKED_EQ", NEW_NAMESPACES, 0),
        _allowed_if("socket", 0, "SCMP_CMP_NE", VIRTUAL_SOCKETS),
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": NOT_IMPLEMENTED},
    ]
    calls += [_allowed_if("personality", 0, "SCMP_CMP_EQ", it) for it in NATIVE_PERSONALITIES]
    for name, index in SENDING.items():
        calls += _allowed_within(name, index, NOT_STOP)
    for name in ("fcntl", "fcntl64"):
        calls += _allowed_within(name, 1, NOT_CHOOSE_SIGNAL)
    return json.dumps(
        {
            "defaultAction": "SCMP_ACT_ERRNO",
            "architectures": ARCHITECTURES,
            "syscalls": calls,
        }
    )


def _allowed_if(name: str, index: int, op: str, value: int, value_two: int = 0) -> dict[str, Any]:
    condition = {"index": index, "value": value, "valueTwo": value_two, "op": op}
    return {"names": [name], "action": "SCMP_ACT_ALLOW", "args": [condition]}


def _allowed_within(
    name: str, index: int, blocks: Iterable[tuple[int, int]]
) -> list[dict[str, Any]]:
    """Allow a call where an argument, as an ``int``, is in one of the blocks."""
    masked = ((start, LOW_BITS & ~(size - 1)) for start, size in blocks)
    return [_allowed_if(name, index, "SCMP_CMP_MASKED_EQ", mask, start) for start, mask in masked]
