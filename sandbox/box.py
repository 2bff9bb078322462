"""The application box: any image with ``sh``, where the pull request's code runs.

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
from collections.abc import AsyncIterator, Mapping
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
WORKSPACE = "/workspace"
HOME = "/home/codegenapp"
CA_PATH = "/etc/ssl/certs/ca-certificates.crt"
MEGABYTE = 1024 * 1024

LEASE_COMMAND = ("-c", "while read -r line; do :; done")

# ``kill -1`` succeeds as long as there is anybody else in the box, the lease's shell among them,
# so the loop looks for itself whether a process of this user is left. A killed one is there until
# init reaps it, hence the rounds; they are bounded, since a box in which a thousand of them do not
# end everything is no place for the next step. Only what every ``sh`` has built in is used.
CLEAR_SCRIPT = """
round=0
while :; do
  kill -9 -1 2>/dev/null
  left=
  for process in /proc/[0-9]*; do
    [ "$process" != "/proc/$$" ] && [ -O "$process" ] && left=yes
  done
  [ -z "$left" ] && exit 0
  round=$((round + 1))
  [ $round -lt 1000 ] || exit 1
done
"""
CLEAR_COMMAND = ("sh", "-c", CLEAR_SCRIPT)


class LeftoversRemain(Exception):
    """What an earlier step started could not be killed; no further step may run beside it."""


@dataclass
class Box:
    """A running application box. ``channel`` is its lease."""

    engine: Engine
    id: str
    channel: Channel
    environment: Mapping[str, str]
    clock: Clock

    async def clear(self) -> None:
        """Kill everything that runs as the step user. Raises LeftoversRemain."""
        try:
            execution = await self.engine.execute(
                self.id, CLEAR_COMMAND, user=STEP_USER, environment={}
            )
            code = await finished(execution, self.clock)
        except NotThere:
            raise
        except EngineRefused as refused:
            # A box that is full of processes has no room for one more execution.
            raise LeftoversRemain from refused
        if code != 0:
            raise LeftoversRemain

    async def execute(
        self, command: str, environment: Mapping[str, str], *, working_directory: str = WORKSPACE
    ) -> Execution:
        """Start a shell command as the step user."""
        return await self.engine.execute(
            self.id,
            ("sh", "-ec", command),
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
        entrypoint=("sh",),
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


async def furnish(engine: Engine, box: str, ca_bundle: bytes) -> None:
    """Put the workspace, the home folder and the certificates into a fresh box."""
    await engine.put_archive(box, "/", _chunks(_furniture(ca_bundle)))


async def finished(execution: Execution, clock: Clock, seconds: float = 30.0) -> int:
    """Read a short execution to its end; gives its exit code.

    Raises EngineGone where it takes longer than ``seconds``.
    """
    try:
        async with asyncio.timeout(seconds):
            while await execution.read() is not None:
                pass
            return await exit_code(execution, clock)
    except TimeoutError:
        raise EngineGone(f"a command that should be quick took longer than {seconds:g} s") from None
    finally:
        await execution.close()


async def exit_code(execution: Execution, clock: Clock, *, least: float = 0.005) -> int:
    """Ask the engine until the command has ended; more and more seldom, at most twice a second."""
    pause = least
    while (code := await execution.exit_code()) is None:
        await clock.sleep(pause)
        pause = min(pause * 2, 0.5)
    return code


def _furniture(ca_bundle: bytes) -> bytes:
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
    return buffer.getvalue()


async def _chunks(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 256 * 1024):
        yield data[start : start + 256 * 1024]
