"""What a dummy box can run: scripted programs, and a shell of a dozen words. Nothing of the host.

The shell knows simple commands joined by ``;``, newline, ``&&``, ``||`` and ``&``, words in quotes,
``$NAME`` (in any quotes), and ``> file``, ``>> file`` and ``>&2`` at a command's end::

    :  true  false  exit N  echo [-n] WORDS  sleep SECONDS  cat [FILES]  printenv [NAME]  pwd
    rm [-f] FILES  kill -9 -1

A command whose text is in the script is played from there, a whole line before its parts.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shlex
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

KILLED = 137
NOT_FOUND = 127
PENDING_CHUNKS = 64

STATUS = {":": 0, "true": 0, "false": 1}
"""Commands that are nothing but their exit code."""

STDOUT, STDERR = 1, 2


class OutOfMemory(Exception):
    """The kernel ends this process for lack of memory."""


class Exit(Exception):
    """The shell's ``exit``."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Output:
    """What processes write and one reader reads; it ends when the last who holds it lets go."""

    def __init__(self) -> None:
        self._chunks: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue()
        self._room = asyncio.Event()
        self._room.set()
        self._holders = 0
        self._closed = False

    def hold(self) -> None:
        self._holders += 1

    def release(self) -> None:
        self._holders -= 1
        if self._holders == 0:
            self._chunks.put_nowait(None)

    async def write(self, data: bytes, stream: int) -> None:
        """Wait for room, then leave a chunk; what nobody will read is dropped."""
        await self._room.wait()
        self.leave(data, stream)

    def leave(self, data: bytes, stream: int) -> None:
        """Leave a chunk at once."""
        if self._closed or not data:
            return
        self._chunks.put_nowait((stream, data))
        if self._chunks.qsize() >= PENDING_CHUNKS:
            self._room.clear()

    async def read(self) -> tuple[int, bytes] | None:
        chunk = await self._chunks.get()
        if chunk is None:
            self._chunks.put_nowait(None)  # the end is there for every later read too
        elif self._chunks.qsize() < PENDING_CHUNKS:
            self._room.set()
        return chunk

    def close(self) -> None:
        """Stop reading: writers go on into the void."""
        self._closed = True
        self._room.set()
        self._chunks.put_nowait(None)


class Surroundings(Protocol):
    """What a process sees of its box."""

    files: dict[str, bytes]
    extra_bytes: int

    @property
    def sleep(self) -> Sleep:
        """How time passes in the box."""

    def start(self, process: Process) -> None:
        """Run a process, the box's or a child, as one more of the box."""

    def kill_all(self, user: str, but: Process) -> None:
        """End every process of a user but one."""


@dataclass(eq=False)
class Process:
    """A program that runs in a dummy box: what it was given, and what it may do."""

    box: Surroundings
    command: Sequence[str]
    script: Mapping[str, Program]
    user: str
    environment: Mapping[str, str]
    working_directory: str
    output: Output
    stdin: asyncio.Queue[bytes] | None = None
    exit_code: int | None = None
    task: asyncio.Task[int] | None = field(default=None, repr=False)

    async def read(self) -> bytes:
        """A chunk of standard input; empty at its end."""
        if self.stdin is None:
            return b""
        chunk = await self.stdin.get()
        if not chunk:
            self.stdin.put_nowait(b"")
        return chunk

    async def write(self, data: bytes, stream: int = STDOUT) -> None:
        await self.output.write(data, stream)

    def fork(self, command: Sequence[str]) -> None:
        """A child in the background, which holds the output open for as long as it runs."""
        self.box.start(
            Process(
                self.box,
                command,
                self.script,
                self.user,
                self.environment,
                self.working_directory,
                self.output,
            )
        )

    def path(self, name: str) -> str:
        """A file's path from the root, without its slash: the key in the box's files."""
        whole = name if name.startswith("/") else f"{self.working_directory}/{name}"
        return "/".join(part for part in whole.split("/") if part not in ("", "."))


Sleep = Callable[[float], Awaitable[None]]
"""Waits so many seconds, for ever where they are infinite."""

Program = Callable[[Process], Awaitable[int]]
"""Plays a command; gives its exit code. It may read, write, wait, and raise OutOfMemory."""


@dataclass(frozen=True)
class Scripted:
    """A program told in data.

    ``seconds`` may be infinite. ``held_open`` is how long a background child keeps the output
    open from then on. ``disk_bytes`` is what it writes, beside ``files``.
    """

    output: str = ""
    errors: str = ""
    exit_code: int = 0
    seconds: float = 0.0
    held_open: float = 0.0
    disk_bytes: int = 0
    files: Mapping[str, bytes] = field(default_factory=dict)
    out_of_memory: bool = False

    async def __call__(self, process: Process) -> int:
        await process.write(self.output.encode())
        await process.write(self.errors.encode(), STDERR)
        process.box.extra_bytes += self.disk_bytes
        process.box.files.update({process.path(name): data for name, data in self.files.items()})
        await process.box.sleep(self.seconds)
        if self.held_open:
            process.fork(("sleep", str(self.held_open)))
        if self.out_of_memory:
            raise OutOfMemory
        return self.exit_code


async def linger(seconds: float) -> None:
    """Let real time pass."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()


async def run(process: Process) -> int:
    """Run a process's command; gives its exit code."""
    command = list(process.command)
    is_line = len(command) >= 3 and command[0].endswith("sh") and command[-2].endswith("c")
    text = command[-1] if is_line else shlex.join(command)
    if program := process.script.get(text):
        return await program(process)
    try:
        return await (_line(process, text) if is_line else _simple(process, command))
    except Exit as asked:
        return asked.code


async def _line(process: Process, line: str) -> int:
    lexer = shlex.shlex(line.strip().replace("\n", ";"), posix=True, punctuation_chars=";&|<>")
    lexer.whitespace_split = True
    code, before = 0, ";"
    words: list[str] = []
    for token in [*lexer, ";"]:
        if token not in (";", "&&", "||", "&"):
            words.append(token)
            continue
        wanted = before in (";", "&") or (before == "&&") == (code == 0)
        if words and wanted:
            if token == "&":
                process.fork(words)
                code = 0
            else:
                code = await _simple(process, words)
        words, before = [], token
    return code


async def _simple(process: Process, words: Sequence[str]) -> int:
    """One command with its redirection."""
    if program := process.script.get(shlex.join(words)):
        return await program(process)
    expanded = (
        re.sub(r"\$(\w+)", lambda found: process.environment.get(found[1], ""), word)
        for word in words
    )
    name, *arguments = (
        after for word, after in zip(words, expanded, strict=True) if after or not word
    )
    target = ""
    if len(arguments) >= 2 and arguments[-2] in (">", ">>", ">&"):
        target = arguments[-2] + arguments[-1]
        arguments = arguments[:-2]
    if name == "sleep":
        await process.box.sleep(float(arguments[0]))
        return 0
    if name == "cat" and not arguments and not target:
        while chunk := await process.read():
            await process.write(chunk)
        return 0
    code, text, errors = _instant(process, name, arguments)
    await process.write(errors, STDERR)
    if target == ">&2":
        await process.write(text, STDERR)
    elif target:
        _redirect(process, target, text)
    else:
        await process.write(text)
    return code


def _redirect(process: Process, target: str, text: bytes) -> None:
    key = process.path(target.lstrip(">"))
    kept = process.box.files.get(key, b"") if target.startswith(">>") else b""
    process.box.files[key] = kept + text


Instant = tuple[int, bytes, bytes]
"""Exit code, output, errors of a command that takes no time."""


def _instant(process: Process, name: str, arguments: Sequence[str]) -> Instant:
    if name in STATUS:
        return STATUS[name], b"", b""
    match name:
        case "exit":
            raise Exit(int(arguments[0]) if arguments else 0)
        case "echo":
            end = "" if arguments[:1] == ["-n"] else "\n"
            return 0, (" ".join(arguments[not end :]) + end).encode(), b""
        case "pwd":
            return 0, f"{process.working_directory}\n".encode(), b""
        case "printenv":
            return _printenv(process, arguments)
        case "cat":
            return _cat(process, arguments)
        case "rm":
            for argument in arguments:
                process.box.files.pop(process.path(argument), None)
            return 0, b"", b""
        case "kill" if list(arguments) == ["-9", "-1"]:
            process.box.kill_all(process.user, process)
            return 0, b"", b""
    return NOT_FOUND, b"", f"sh: {name}: not found\n".encode()


def _printenv(process: Process, arguments: Sequence[str]) -> Instant:
    if not arguments:
        lines = (f"{name}={value}\n" for name, value in process.environment.items())
        return 0, "".join(lines).encode(), b""
    value = process.environment.get(arguments[0])
    return (1, b"", b"") if value is None else (0, f"{value}\n".encode(), b"")


def _cat(process: Process, arguments: Sequence[str]) -> Instant:
    files = process.box.files
    missing = [name for name in arguments if process.path(name) not in files]
    text = b"".join(files.get(process.path(name), b"") for name in arguments)
    errors = "".join(f"cat: {name}: No such file or directory\n" for name in missing)
    return (1 if missing else 0), text, errors.encode()
