"""The door: ``GitSource`` fulfils ``ports.source.Source`` with the machine's git."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.adapters.git.address import (
    LocalPath,
    Refused,
    Remote,
    parse_address,
    shown,
    without_credentials,
)
from bot.adapters.git.command import Git
from bot.adapters.git.folder import size_of, sweep, temporary_folder
from bot.adapters.git.inspection import inspect
from bot.adapters.git.listing import Notes, entries_of, is_gitlink
from bot.adapters.git.local import LocalFolders
from bot.adapters.git.remote import Authorization, Remotes
from bot.adapters.git.repository import Listed, Repository
from bot.adapters.git.submodules import Allowance, Submodules
from bot.adapters.git.tree import GitTree
from bot.domain.source import Origin
from bot.ports.clock import Clock
from bot.ports.source import SourceProblem

_OLDEST = (2, 32)  # the first that can be kept from all configuration (GIT_CONFIG_GLOBAL)
_VERSION = re.compile(rb"git version (\d+)\.(\d+)")
_LOOK_SECONDS = 0.25


@dataclass(frozen=True)
class Bounds:
    """What an origin may cost; above a bound opening it is a SourceProblem.

    ``seconds`` is for all of opening, submodules included. ``fetched_bytes`` is the disk that
    fetching takes, ``tree_bytes`` the sum of the tree's files, ``listing_bytes`` its list.
    """

    seconds: float = 300
    fetched_bytes: int = 4 * 1024**3
    tree_bytes: int = 8 * 1024**3
    listing_bytes: int = 64 * 1024**2
    entries: int = 500_000
    submodules: int = 50
    submodule_depth: int = 3


_BOUNDS = Bounds()


class GitSource:
    """Gives exact trees of repositories anywhere, and of folders of this machine.

    Each opening has a folder of its own below ``base`` (default: the system's temporary folder),
    removed at its end; ``sweep`` removes what dead processes left. As root, what comes from other
    machines is fetched and read as nobody (65534), so every folder above ``base`` must let others
    through. ``environment`` is asked for PATH, proxies and the ssh agent, nothing else.
    ``authorization`` gives a URL's credential; it is asked for submodules too.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        environment: Mapping[str, str],
        base: Path | None = None,
        ca_bundle: Path | None = None,
        authorization: Authorization | None = None,
        bounds: Bounds = _BOUNDS,
    ) -> None:
        self._clock = clock
        self._environment = {"PATH": os.defpath, **environment}
        self._base = base or Path(tempfile.gettempdir())
        self._ca_bundle = ca_bundle
        self._authorization = authorization
        self._bounds = bounds

    @contextlib.asynccontextmanager
    async def open(self, origin: Origin) -> AsyncIterator[GitTree]:
        """The tree of an origin. Raises SourceProblem."""
        place = _judged(origin.location)
        nobody = isinstance(place, Remote) and os.geteuid() == 0
        async with temporary_folder(self._base, nobody=nobody) as folder:
            git = Git(
                self._executable(),
                folder,
                inherited=self._environment,
                ca_bundle=self._ca_bundle,
                nobody=nobody,
            )
            try:
                opening = _Opening(git, folder, self._bounds, self._clock)
                yield await self._bounded(opening, place, origin)
            finally:
                await git.close()

    async def sweep(self) -> int:
        """Remove the folders below ``base`` that no living process holds; says how many."""
        return await asyncio.to_thread(sweep, self._base)

    def _executable(self) -> str:
        found = shutil.which("git", path=self._environment["PATH"])
        if found is None:
            raise SourceProblem(
                "git is not installed here: install it (`apt-get install git`).", ours=True
            )
        return found

    async def _bounded(
        self, opening: _Opening, place: Remote | LocalPath, origin: Origin
    ) -> GitTree:
        watch = asyncio.create_task(opening.watch())
        try:
            async with asyncio.timeout(self._bounds.seconds):
                if isinstance(place, LocalPath):
                    return await opening.local(place, origin.ref)
                authorization = self._authorization
                if origin.alone and authorization is not None:
                    authorization = _only_for(place.url, authorization)
                tree = await opening.remote(place, origin.ref, authorization)
                await opening.check_size()
                return tree
        except TimeoutError:
            raise SourceProblem(
                f"The code was not here within {self._bounds.seconds:g} seconds.", ours=True
            ) from None
        except OSError as fault:
            raise SourceProblem(
                f"This machine failed: {fault.strerror or fault}.", ours=True
            ) from fault
        finally:
            watch.cancel()
            await asyncio.wait([watch])


def _only_for(url: str, authorization: Authorization) -> Authorization:
    async def guarded(asked: str) -> str | None:
        return await authorization(asked) if asked == url else None

    return guarded


@dataclass(frozen=True)
class _Opening:
    """One origin being opened, with its own git and folder."""

    git: Git
    folder: Path
    bounds: Bounds
    clock: Clock

    async def watch(self) -> None:
        """Stop git when the folder grows above its bound: fetching has no such option."""
        while await asyncio.to_thread(size_of, self.folder) <= self.bounds.fetched_bytes:
            await self.clock.sleep(_LOOK_SECONDS)
        self.git.stop(self._too_large())

    async def check_size(self) -> None:
        """What was quicker than the watch is too large all the same."""
        if await asyncio.to_thread(size_of, self.folder) > self.bounds.fetched_bytes:
            raise SourceProblem(self._too_large())

    def _too_large(self) -> str:
        return f"The repository takes more than {self.bounds.fetched_bytes // 1024**2:,} MB."

    async def local(self, place: LocalPath, ref: str | None) -> GitTree:
        await self._check_version()
        notes = Notes()
        taken = await LocalFolders(self.git, self.folder, notes).take(place.path, ref)
        listing = await taken.repository.tree(taken.tree, self.bounds.listing_bytes)
        for link in filter(is_gitlink, listing):
            notes.about("left out: submodules of a local repository are not taken", link.path)
        files = [listed for listed in listing if not is_gitlink(listed)]
        return await self._tree(taken.repository, taken.commit, files, notes, dirty=taken.dirty)

    async def remote(
        self, place: Remote, ref: str | None, authorization: Authorization | None
    ) -> GitTree:
        await self._check_version()
        notes = Notes()
        remotes = Remotes(self.git, authorization)
        fetched = await remotes.fetch(place, ref, self.folder / "repository.git")
        listing = await fetched.repository.tree(fetched.commit, self.bounds.listing_bytes)
        allowed = Allowance(
            self.bounds.submodules, self.bounds.submodule_depth, self.bounds.listing_bytes
        )
        submodules = Submodules(remotes, self.folder, fetched.repository, notes, allowed)
        files = await submodules.mounted(listing, fetched, place)
        return await self._tree(fetched.repository, fetched.commit, files, notes)

    async def _tree(
        self,
        repository: Repository,
        commit: str,
        files: list[Listed],
        notes: Notes,
        *,
        dirty: bool = False,
    ) -> GitTree:
        entries = await asyncio.to_thread(
            entries_of,
            files,
            notes,
            entries_limit=self.bounds.entries,
            bytes_limit=self.bounds.tree_bytes,
        )
        entries = await inspect(repository, entries, notes)
        modified = await repository.commit_time(commit)
        self.git.check()
        return GitTree(repository, commit, entries, notes.all(), modified, dirty)

    async def _check_version(self) -> None:
        outcome = await self.git.run(["version"])
        found = _VERSION.match(outcome.output)
        if found is None or (int(found[1]), int(found[2])) < _OLDEST:
            said = outcome.output.decode("ascii", "replace").strip()
            oldest = ".".join(map(str, _OLDEST))
            raise SourceProblem(f"git {oldest} or newer is needed here; this is {said}.", ours=True)


def _judged(location: str) -> Remote | LocalPath:
    try:
        return parse_address(location)
    except Refused as refused:
        named = shown(without_credentials(location))
        raise SourceProblem(f"The address `{named}` was refused: {refused}.") from None
