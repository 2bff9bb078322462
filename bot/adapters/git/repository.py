"""One bare repository of ours: what a commit is, what its tree lists, what its blobs hold."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bot.adapters.git.command import Call, Git, Outcome, Running
from bot.adapters.git.complaints import brief
from bot.ports.source import SourceProblem


@dataclass(frozen=True)
class Listed:
    """One line of a tree's list: ``mode`` as git has it, ``size`` 0 for a submodule's commit.

    ``path`` is as git gives it, bytes that are not UTF-8 as surrogates.
    """

    mode: int
    object_id: str
    size: int
    path: str


class Repository:
    """A bare repository at ``directory``. All failures are SourceProblem."""

    def __init__(self, git: Git, directory: Path) -> None:
        self.git = git
        self.directory = directory
        self._alternates: list[Path] = []

    async def create(self, object_format: str = "sha1") -> None:
        """Make it, empty: without templates, so without hooks."""
        await self.must(
            "init",
            "--quiet",
            "--bare",
            "--template=",
            f"--object-format={object_format}",
            str(self.directory),
        )

    async def create_again(self, object_format: str) -> None:
        """Make it anew, for objects of another format: git keeps to the first one."""
        await asyncio.to_thread(shutil.rmtree, self.directory)
        await self.create(object_format)

    def borrow(self, objects: Path) -> None:
        """Read objects of another repository as well; nothing is ever written there."""
        self._alternates.append(objects)

    @property
    def objects(self) -> Path:
        """The folder that another repository borrows."""
        return self.directory / "objects"

    async def run(
        self, *arguments: str, call: Call | None = None, limit: int | None = None
    ) -> Outcome:
        """Run a git command here."""
        placed = self._placed(call)
        if limit is None:
            return await self.git.run(arguments, placed)
        return await self.git.run(arguments, placed, limit=limit)

    async def must(self, *arguments: str, call: Call | None = None) -> bytes:
        """As ``run``, for what fails only when something is broken; gives the output."""
        outcome = await self.run(*arguments, call=call)
        if outcome.code != 0:
            raise SourceProblem(f"git {arguments[0]} failed: {brief(outcome.complaint)}", ours=True)
        return outcome.output

    async def commit_of(self, revision: str) -> str | None:
        """The full name of the commit that a revision means; None where it means none."""
        outcome = await self.run("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        return outcome.output.decode("ascii").strip() if outcome.code == 0 else None

    async def commit_time(self, commit: str) -> int:
        """The committer's time, in seconds since the epoch; 0 where the commit has none."""
        shown = await self.must("show", "--no-patch", "--format=%ct", commit)
        last = shown.decode("ascii", "replace").split()[-1:]
        return int(last[0]) if last and last[0].lstrip("-").isdigit() else 0

    async def tree(self, treeish: str, bytes_limit: int) -> list[Listed]:
        """Everything that a tree holds, its folders themselves left out, in git's order."""
        outcome = await self.run(
            "ls-tree", "-r", "-z", "-l", "--full-tree", treeish, limit=bytes_limit
        )
        if outcome.code != 0:
            raise SourceProblem(f"The tree cannot be read: {brief(outcome.complaint)}")
        return await asyncio.to_thread(_parsed, outcome.output)

    @contextlib.asynccontextmanager
    async def blobs(self, object_ids: Iterable[str]) -> AsyncIterator[Blobs]:
        """The contents of so many blobs, in their order, through one process."""
        wanted = "".join(f"{object_id}\n" for object_id in object_ids).encode("ascii")
        call = self._placed(Call(standard_input=wanted))
        async with self.git.start(["cat-file", "--batch", "--buffer"], call) as running:
            yield Blobs(running)

    def _placed(self, call: Call | None) -> Call:
        call = call or Call()
        placed: Mapping[str, str] = {"GIT_DIR": str(self.directory)}
        if self._alternates:
            borrowed = ":".join(_quoted(folder) for folder in self._alternates)
            placed = {**placed, "GIT_ALTERNATE_OBJECT_DIRECTORIES": borrowed}
        return replace(call, environment={**placed, **call.environment})


class Blobs:
    """Blobs as they come: ``next`` gives the size of one, then ``pieces`` must be read to its end.

    What is at hand is taken without waiting, so that 50,000 small files cost no 50,000 waits.
    """

    def __init__(self, running: Running) -> None:
        self._running = running
        self._held = b""
        self._at = 0

    async def next(self) -> int:
        """The size of the next blob, in bytes. Raises SourceProblem where it cannot be read."""
        while (end := self._held.find(b"\n", self._at)) < 0:
            await self._more()
        header, self._at = self._held[self._at : end], end + 1
        words = header.decode("ascii", "replace").split()
        if len(words) != 3 or words[1] != "blob":
            raise SourceProblem(
                f"The object {words[0] if words else '?'} is missing in the repository "
                "(a partial or damaged clone?)."
            )
        return int(words[2])

    async def pieces(self, size: int) -> AsyncIterator[bytes]:
        """The contents, in pieces of at most 256 KiB."""
        while size:
            if self._at == len(self._held):
                await self._more()
            piece = self._held[self._at : self._at + size]
            self._at += len(piece)
            size -= len(piece)
            yield piece
        if self._at == len(self._held):
            await self._more()
        self._at += 1  # the line feed behind a blob

    async def whole(self) -> bytes:
        """The next blob at once: for small ones."""
        size = await self.next()
        if self._at + size < len(self._held):
            content = self._held[self._at : self._at + size]
            self._at += size + 1
            return content
        return b"".join([piece async for piece in self.pieces(size)])

    async def _more(self) -> None:
        piece = await self._running.read()
        if not piece:
            outcome = await self._running.outcome()
            raise SourceProblem(f"A file cannot be read: {brief(outcome.complaint)}", ours=True)
        self._held, self._at = self._held[self._at :] + piece, 0


def _parsed(listing: bytes) -> list[Listed]:
    found = []
    for line in listing.split(b"\0"):
        if not line:
            continue
        about, _, path = line.partition(b"\t")
        mode, _kind, object_id, size = about.split()
        found.append(
            Listed(
                mode=int(mode, 8),
                object_id=object_id.decode("ascii"),
                size=0 if size == b"-" else int(size),
                path=path.decode("utf-8", "surrogateescape"),
            )
        )
    return found


def _quoted(folder: Path) -> str:
    escaped = str(folder).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def fields(output: bytes) -> Sequence[str]:
    """The fields of output made with ``-z``."""
    return output.decode("utf-8", "surrogateescape").rstrip("\0").split("\0") if output else ()
