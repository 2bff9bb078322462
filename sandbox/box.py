"""The application box: any image with ``/bin/sh``, where the pull request's code runs.

Two users share it. The *lease* user runs nothing but a shell that reads an open standard input;
when the controller dies, that input ends and the engine removes the box. The *step* user runs the
project's commands, each as an execution of its own whose exit code comes from the engine, so that
nothing inside can forge it. Before each step ``kill -9 -1`` as the step user clears what earlier
steps left behind: a leftover could read the next step's secrets, which live in that execution's
environment and nowhere else.
"""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.plan import Limits
from bot.ports.clock import Clock
from sandbox.engine import (
    NO_NETWORK,
    BoxSpec,
    Channel,
    Engine,
    EngineGone,
    EngineRefused,
    Execution,
    Image,
    NotThere,
)

LEASE_USER = "65001:65001"
STEP_UID = 65002
STEP_USER = f"{STEP_UID}:{STEP_UID}"
# May kill what steps left behind, while they may not trace it: that takes the same group as well.
CLEAR_USER = f"{STEP_UID}:65005"
SHELL = "/bin/sh"  # by its path: a step may have put a ``sh`` of its own into its PATH
WORKSPACE = "/workspace"
HOME = "/home/codegenapp"
CA_PATH = "/etc/ssl/certs/ca-certificates.crt"
MEGABYTE = 1024 * 1024

LEASE_COMMAND = ("-c", "while read -r line; do :; done")

# ``kill -1`` succeeds as long as there is anybody else in the box, the lease's shell among them,
# so the loop looks for itself whether a process of this user is left. A killed one is there until
# init reaps it, hence the rounds; they are bounded, since a box in which a thousand of them do not
# end everything is no place for the next step. Only what every ``sh`` has built in is used.
# Both scripts say how often the kernel has refused the box one more process.
REFUSED_SCRIPT = """
for events in /sys/fs/cgroup/pids/pids.events /sys/fs/cgroup/pids.events; do
  [ -r "$events" ] || continue
  while read -r name count; do [ "$name" = max ] && echo "$count"; done <"$events"
done
exit 0
"""
CLEAR_SCRIPT = f"""
round=0
while :; do
  kill -9 -1 2>/dev/null
  left=
  for process in /proc/[0-9]*; do
    [ "$process" != "/proc/$$" ] && [ -O "$process" ] && left=yes
  done
  [ -z "$left" ] && break
  round=$((round + 1))
  [ $round -lt 1000 ] || exit 1
done
{REFUSED_SCRIPT}"""
CLEAR_ATTEMPTS = 3
CLEAR_SECONDS = 15.0
LONGEST_ANSWER = 100


class LeftoversRemain(Exception):
    """What an earlier step started could not be killed; no further step may run beside it."""


class TooSlow(EngineGone):
    """A command that should be quick was not."""


@dataclass
class Box:
    """A running application box. ``channel`` is its lease.

    ``refused`` is how often the kernel had refused it one more process when it was last cleared.
    """

    engine: Engine
    id: str
    channel: Channel
    environment: Mapping[str, str]
    clock: Clock
    refused: int = 0

    async def clear(self) -> None:
        """Kill everything that runs as the step user. Raises LeftoversRemain."""
        # A leftover that kills or stops whatever it sees may be quicker than one attempt.
        for _ in range(CLEAR_ATTEMPTS):
            if (said := await self._ask(CLEAR_SCRIPT)) is not None:
                self.refused = said
                return
        raise LeftoversRemain

    async def was_full(self) -> bool:
        """Whether the box has been refused a process since it was cleared, or is full now."""
        said = await self._ask(REFUSED_SCRIPT)
        return said is None or said > self.refused

    async def _ask(self, script: str) -> int | None:
        """Run one of our own scripts; the number that it says, None where it failed."""
        try:
            execution = await self.engine.execute(
                self.id, (SHELL, "-c", script), user=CLEAR_USER, environment={}
            )
            code, said = await answered(execution, self.clock, CLEAR_SECONDS)
        except NotThere:
            raise
        except (EngineRefused, TooSlow):
            return None  # a box that is full of processes has no room for one more execution
        number = said.decode("ascii", "replace").strip()
        return None if code != 0 else int(number) if number.isdecimal() else 0

    async def execute(
        self, command: str, environment: Mapping[str, str], *, working_directory: str = WORKSPACE
    ) -> Execution:
        """Start a shell command as the step user."""
        return await self.engine.execute(
            self.id,
            (SHELL, "-ec", command),
            user=STEP_USER,
            environment={**self.environment, **environment},
            working_directory=working_directory,
        )

    async def drop_lease(self) -> None:
        """Let go: the box ends by itself, and the engine removes it."""
        await self.channel.close()


def application_box(
    image: Image, limits: Limits, labels: Mapping[str, str], *, network: str, name: str = ""
) -> BoxSpec:
    """The box in which a project's steps run, with all limits and no capability."""
    return BoxSpec(
        image=image.id,
        name=name,
        labels=labels,
        entrypoint=(SHELL,),
        command=LEASE_COMMAND,
        user=LEASE_USER,
        network=network,
        # Nothing answers there: without it the engine's resolver forwards to the host's.
        dns=() if network == NO_NETWORK else ("127.0.0.1",),
        tmpfs={"/tmp": limits.tmp_mb * MEGABYTE},  # noqa: S108 - the box's, not ours
        shm_bytes=256 * MEGABYTE,
        memory_bytes=limits.memory_mb * MEGABYTE,
        cpus=limits.cpus,
        pids=limits.pids,
        # A file that is open and in no folder is not seen by those who measure the box's layer.
        file_bytes=limits.disk_mb * MEGABYTE,
    )


def step_environment(image: Image, limits: Limits, ca_bundle: bytes) -> dict[str, str]:
    """What every step finds in its environment, whatever the project says.

    ``free`` and ``nproc`` show the host inside a box, so the tools that would ask them are told.
    """
    path = image.environment.get(
        "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    )
    jobs = str(max(1, int(limits.cpus)))
    environment = {
        "HOME": HOME,
        "USER": "app",
        "LOGNAME": "app",
        "PATH": f"{HOME}/.local/bin:{path}",
        "LANG": "C.UTF-8",
        "TMPDIR": "/tmp",  # noqa: S108 - the box's, not ours
        "PYTHONUNBUFFERED": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_CACHE_DIR": "1",
        "npm_config_update_notifier": "false",
        "npm_config_fund": "false",
        "npm_config_audit": "false",
        "DO_NOT_TRACK": "1",
        "NEXT_TELEMETRY_DISABLED": "1",
        "ASTRO_TELEMETRY_DISABLED": "1",
        "NODE_OPTIONS": f"--max-old-space-size={limits.memory_mb * 3 // 4}",
        "MAKEFLAGS": f"-j{jobs}",
        "CARGO_BUILD_JOBS": jobs,
        "CMAKE_BUILD_PARALLEL_LEVEL": jobs,
        "GOMAXPROCS": jobs,
        "OMP_NUM_THREADS": jobs,
    }
    if ca_bundle:
        environment |= dict.fromkeys(
            (
                "SSL_CERT_FILE",
                "NODE_EXTRA_CA_CERTS",
                "PIP_CERT",
                "REQUESTS_CA_BUNDLE",
                "CURL_CA_BUNDLE",
                "GIT_SSL_CAINFO",
                "CARGO_HTTP_CAINFO",
            ),
            CA_PATH,
        )
    return environment


def furniture(ca_bundle: bytes) -> bytes:
    """What a fresh box lacks: the workspace, the home folder and the certificates.

    It is the beginning of a tar for ``/``, without the end of one: more entries may follow.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in (WORKSPACE, HOME):
            entry = tarfile.TarInfo(folder.lstrip("/"))
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            entry.uid = entry.gid = STEP_UID
            tar.addfile(entry)
        if ca_bundle:
            entry = tarfile.TarInfo(CA_PATH.lstrip("/"))
            entry.mode, entry.size = 0o644, len(ca_bundle)
            tar.addfile(entry, io.BytesIO(ca_bundle))
        length = tar.offset
    return buffer.getvalue()[:length]


async def finished(execution: Execution, clock: Clock, seconds: float = 30.0) -> int:
    """Read a short execution to its end; gives its exit code.

    Raises TooSlow where it takes longer than ``seconds``.
    """
    return (await answered(execution, clock, seconds))[0]


async def answered(execution: Execution, clock: Clock, seconds: float = 30.0) -> tuple[int, bytes]:
    """Read a short execution to its end; its exit code, and how its output begins.

    Raises TooSlow where it takes longer than ``seconds``.
    """
    said = b""
    try:
        async with asyncio.timeout(seconds):
            while (chunk := await execution.read()) is not None:
                said = (said + chunk)[:LONGEST_ANSWER]
            return await exit_code(execution, clock), said
    except TimeoutError:
        raise TooSlow(f"a command that should be quick took longer than {seconds:g} s") from None
    finally:
        await execution.close()


async def exit_code(execution: Execution, clock: Clock, *, least: float = 0.005) -> int:
    """Ask the engine until the command has ended; more and more seldom, at most twice a second."""
    pause = least
    while (code := await execution.exit_code()) is None:
        await clock.sleep(pause)
        pause = min(pause * 2, 0.5)
    return code
