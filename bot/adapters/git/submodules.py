"""Submodules: fetched at the commit that the tree names, from the repository's own host only.

Each goes into a bare repository of its own, whose objects the first one borrows, and its tree is
mounted at its path. Whatever cannot or may not be fetched is left out with a note: the build then
says whether it was needed.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bot.adapters.git.address import Refused, Remote, address_beside, shown
from bot.adapters.git.complaints import brief
from bot.adapters.git.listing import Notes, is_gitlink
from bot.adapters.git.remote import Fetched, Remotes
from bot.adapters.git.repository import Listed, Repository, fields
from bot.ports.source import SourceProblem

_MODULES = ".gitmodules"
_MODULES_BYTES = 256 * 1024


@dataclass(frozen=True)
class Allowance:
    """How many submodules, how deep, and how much of a list is taken."""

    count: int
    depth: int
    listing_bytes: int


class Submodules:
    """Mounts the submodules of one tree, recursively."""

    def __init__(
        self, remotes: Remotes, folder: Path, borrower: Repository, notes: Notes, allowed: Allowance
    ) -> None:
        self._remotes = remotes
        self._folder = folder
        self._borrower = borrower
        self._notes = notes
        self._allowed = allowed
        self._taken = 0

    async def mounted(
        self,
        listing: Sequence[Listed],
        fetched: Fetched,
        remote: Remote,
        *,
        below: str = "",
        depth: int = 0,
    ) -> list[Listed]:
        """The list with every submodule's commit replaced by its files, as paths of the whole."""
        found: list[Listed] = []
        links = []
        for listed in listing:
            if is_gitlink(listed):
                links.append(listed)
            else:
                found.append(replace(listed, path=f"{below}{listed.path}"))
        if not links:
            return found
        addresses = await self._addresses(listing, fetched.repository)
        for link in links:
            path = f"{below}{link.path}"
            found += await self._mount(link, path, addresses.get(link.path), remote, depth)
        return found

    async def _mount(
        self, link: Listed, path: str, address: str | None, remote: Remote, depth: int
    ) -> list[Listed]:
        try:
            source = self._source(address, remote, depth)
            self._taken += 1
            directory = self._folder / f"submodule-{self._taken}.git"
            fetched = await self._remotes.fetch(source, link.object_id, directory)
            listing = await fetched.repository.tree(fetched.commit, self._allowed.listing_bytes)
        except Refused as refused:
            self._notes.say(f"The submodule `{shown(path)}` was left out: {refused}.")
            return []
        except SourceProblem as problem:
            self._notes.say(
                f"The submodule `{shown(path)}` was left out, as it could not be fetched: "
                f"{problem.message}"
            )
            return []
        self._borrower.borrow(fetched.repository.objects)
        return await self.mounted(listing, fetched, source, below=f"{path}/", depth=depth + 1)

    def _source(self, address: str | None, remote: Remote, depth: int) -> Remote:
        if address is None:
            raise Refused(f"no {_MODULES} says where it is")
        if depth >= self._allowed.depth:
            raise Refused(f"it is more than {self._allowed.depth} submodules deep")
        if self._taken >= self._allowed.count:
            raise Refused(f"there are more than {self._allowed.count}")
        return address_beside(remote, address)

    async def _addresses(
        self, listing: Sequence[Listed], repository: Repository
    ) -> Mapping[str, str]:
        """Addresses by path, out of ``.gitmodules``; none where that is no plain, small file."""
        listed = next((listed for listed in listing if listed.path == _MODULES), None)
        if listed is None or not stat.S_ISREG(listed.mode) or listed.size > _MODULES_BYTES:
            return {}
        outcome = await repository.run(
            "config", f"--blob={listed.object_id}", "--no-includes", "--list", "-z"
        )
        if outcome.code != 0:
            self._notes.say(f"{_MODULES} cannot be read: {brief(outcome.complaint)}.")
            return {}
        return _by_path(fields(outcome.output))


def _by_path(settings: Sequence[str]) -> dict[str, str]:
    paths: dict[str, str] = {}
    urls: dict[str, str] = {}
    for setting in settings:
        key, _, value = setting.partition("\n")
        section, _, rest = key.partition(".")
        name, _, variable = rest.rpartition(".")
        if section == "submodule" and variable == "path":
            paths[name] = value
        elif section == "submodule" and variable == "url":
            urls[name] = value
    return {path: urls[name] for name, path in paths.items() if name in urls}
