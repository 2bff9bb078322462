"""Runs git, shut in: nobody's configuration, nobody's hooks, three protocols, no questions.

Every command is a process group of its own, which is killed as a whole when the command is over,
fails, is cancelled, or is stopped. As root, what touches foreign code runs as nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from bot.ports.source import SourceProblem

NOBODY = 65534
_PIECE = 256 * 1024
_COMPLAINT_BYTES = 16 * 1024
_OUTPUT_BYTES = 64 * 1024 * 1024

# Taken over from the caller's environment; nothing else is.
_INHERITED = (
    "PATH",
    "SSH_AUTH_SOCK",
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
)

# ssh asks nothing, trusts no host that it does not know, and leaves no master process behind.
_SSH = "ssh -oBatchMode=yes -oStrictHostKeyChecking=yes -oControlMaster=no -oControlPath=none"

_ENVIRONMENT = {
    "LC_ALL": "C",  # its complaints are read
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "/bin/false",
    "SSH_ASKPASS": "/bin/false",
    "GIT_SSH_COMMAND": _SSH,
    "GIT_NO_REPLACE_OBJECTS": "1",  # a replacement would be another commit under the same name
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
}

# Objects are not fscked: old, honest repositories fail it (zero-padded modes, dates without a
# space), and its use is to protect checkouts. Ours is none: ``listing.py`` judges every path and
# ``submodules.py`` every address, and index-pack checks all object names anyway.
_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.attributesFile": os.devnull,
    "core.excludesFile": os.devnull,
    "core.bigFileThreshold": "16m",  # larger files are streamed, not held
    "core.looseCompression": "0",
    "credential.helper": "",
    "protocol.file.allow": "never",
    "protocol.ext.allow": "never",
    "protocol.git.allow": "never",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "fetch.unpackLimit": "1",
    "fetch.fsckObjects": "false",
    "transfer.bundleURI": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    # Should our process die in the middle, a silent server does not keep git for ever.
    "http.lowSpeedLimit": "1",
    "http.lowSpeedTime": "60",
}


@dataclass(frozen=True)
class Outcome:
    """How a command ended: exit code, standard output, and the end of what it complained of."""

    code: int
    output: bytes
    complaint: str


@dataclass(frozen=True)
class Call:
    """What one command gets beside its arguments.

    ``settings`` are git settings for this command alone; they travel in its environment, so a
    token among them is on no command line and on no disk. ``remote`` opens the three protocols.
    """

    directory: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    standard_input: bytes = b""
    remote: bool = False


class Running:
    """A command that runs: its output by pieces, then its exit code and complaint."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self._process = process
        self._output = process.stdout
        self._complaint = asyncio.create_task(_end_of(process.stderr))
        self._ending: asyncio.Task[None] | None = None

    async def read(self) -> bytes:
        """The next piece of output, at most 256 KiB; empty at the end."""
        return await self._output.read(_PIECE)

    async def outcome(self, output: bytes = b"") -> Outcome:
        """Wait for the end, once the output has been read."""
        code = await self._process.wait()
        return Outcome(code, output, (await self._complaint).decode("utf-8", "replace").strip())

    def kill(self) -> None:
        """End the whole group; one that has ended is fine."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def end(self) -> None:
        """Kill, and wait until nothing is left of it; may be called again."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end())
        await asyncio.shield(self._ending)

    async def _end(self) -> None:
        self.kill()
        while await self._output.read(_PIECE):
            pass
        await self._process.wait()
        await self._complaint


class Git:
    """Runs git commands with ``home`` as their home, and knows all that run.

    ``nobody`` runs them without privileges: possible for root only.
    """

    def __init__(
        self,
        executable: str,
        home: Path,
        *,
        inherited: Mapping[str, str],
        ca_bundle: Path | None = None,
        nobody: bool = False,
    ) -> None:
        self._executable = executable
        self._home = home
        self._nobody = nobody
        self._running: set[Running] = set()
        self._stopped = ""
        self._environment = {name: inherited[name] for name in _INHERITED if name in inherited}
        self._environment |= _ENVIRONMENT | {"HOME": str(home), "TMPDIR": str(home)}
        if ca_bundle is not None:
            self._environment["GIT_SSL_CAINFO"] = str(ca_bundle)

    async def run(
        self, arguments: Sequence[str], call: Call | None = None, *, limit: int = _OUTPUT_BYTES
    ) -> Outcome:
        """Run a command to its end. Raises SourceProblem when it says more than ``limit`` bytes."""
        output = bytearray()
        async with self.start(arguments, call) as running:
            while piece := await running.read():
                output += piece
                if len(output) > limit:
                    raise SourceProblem(
                        f"The repository is too large to be listed: its list has more than "
                        f"{limit // 1024 // 1024} MB."
                    )
            outcome = await running.outcome(bytes(output))
        self.check()
        return outcome

    @contextlib.asynccontextmanager
    async def start(
        self, arguments: Sequence[str], call: Call | None = None
    ) -> AsyncIterator[Running]:
        """Start a command; behind the block nothing is left of it."""
        self.check()
        call = call or Call()
        with tempfile.TemporaryFile(dir=self._home) as source:
            source.write(call.standard_input)
            source.seek(0)
            running = await self._spawn(arguments, call, source)
        self._running.add(running)
        try:
            yield running
        finally:
            await running.end()
            self._running.discard(running)

    def stop(self, reason: str) -> None:
        """Kill all that runs and let nothing more start: everything raises ``reason`` from now."""
        self._stopped = reason
        for running in self._running:
            running.kill()

    async def close(self) -> None:
        """End all that still runs; nothing can be started any more."""
        self.stop("The source has been closed.")
        await asyncio.gather(*(running.end() for running in self._running), return_exceptions=True)

    def check(self) -> None:
        """Raise SourceProblem where git has been stopped."""
        if self._stopped:
            raise SourceProblem(self._stopped)

    async def _spawn(self, arguments: Sequence[str], call: Call, source: IO[bytes]) -> Running:
        creation = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                self._executable,
                *arguments,
                stdin=source,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=_PIECE,
                cwd=call.directory or self._home,
                env=self._environment_of(call),
                umask=0o077,
                start_new_session=True,
                user=NOBODY if self._nobody else None,
                group=NOBODY if self._nobody else None,
                extra_groups=[] if self._nobody else None,
            )
        )
        try:
            process = await asyncio.shield(creation)
        except asyncio.CancelledError:
            # The process may exist already: it is waited for, so that it can be ended.
            await Running(await creation).end()
            raise
        return Running(process)

    def _environment_of(self, call: Call) -> dict[str, str]:
        settings = _SETTINGS | dict(call.settings)
        variables = {"GIT_CONFIG_COUNT": str(len(settings))}
        for index, (key, value) in enumerate(settings.items()):
            variables |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
        allowed = "https:http:ssh" if call.remote else "none"
        return (
            self._environment | variables | {"GIT_ALLOW_PROTOCOL": allowed} | dict(call.environment)
        )


async def _end_of(stream: asyncio.StreamReader) -> bytes:
    kept = b""
    while piece := await stream.read(_PIECE):
        kept = (kept + piece)[-_COMPLAINT_BYTES:]
    return kept
