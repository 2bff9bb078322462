"""Takes a commit, or the work tree as it stands, out of a folder of this machine.

The user's repository is only read. A bare repository of ours borrows its objects, and a copy of
its index takes up the changed files, so that not even a time stamp changes there. Its configuration
is obeyed nowhere but in looking up a revision: no filter, hook or monitor of it runs. What stands
is what ``git commit -a`` would commit without filters: changed files go in as they are, but for
line endings where attributes speak of these.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.adapters.git.address import Refused, check_revision, shown
from bot.adapters.git.command import Call, Git
from bot.adapters.git.complaints import brief
from bot.adapters.git.listing import GITLINK, Notes
from bot.adapters.git.remote import no_such_ref
from bot.adapters.git.repository import Repository, fields
from bot.adapters.git.worktree import LocalRepository, repository_at
from bot.ports.source import SourceProblem

# How the user's repository sees files: without these, files would seem changed that are not.
_VIEW = ("core.filemode", "core.symlinks", "core.autocrlf", "core.eol")

# The extension that says so, without content: gitformat-index(5).
_SPARSE = b"sdir\0\0\0\0"

# A plain folder is a commit that is the same each time. Not 1970: zip, and so wheels, cannot.
_FIXED = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (
        ("NAME", "codegenapp"),
        ("EMAIL", "codegenapp@localhost"),
        ("DATE", "2000-01-01T00:00:00Z"),
    )
}


@dataclass(frozen=True)
class Taken:
    """What was taken: ``tree`` names the tree to list, ``commit`` the commit that it stands on."""

    repository: Repository
    commit: str
    tree: str
    dirty: bool = False


class LocalFolders:
    """Reads folders with our own identity, writing only below ``folder``."""

    def __init__(self, git: Git, folder: Path, notes: Notes) -> None:
        self._git = git
        self._folder = folder
        self._notes = notes

    async def take(self, path: str, ref: str | None) -> Taken:
        """The commit ``ref`` of a path's repository, or what stands there. Raises SourceProblem."""
        place = await asyncio.to_thread(_existing_folder, path)
        found = await asyncio.to_thread(repository_at, place)
        if found is None or (ref is None and await self._is_apart(found, place)):
            if ref is not None:
                raise SourceProblem(f"{path} is no git repository, so it has no `{shown(ref)}`.")
            return await self._plain(place)
        if found.top is not None and found.top != place:
            self._notes.say(f"{path} lies in a repository: all of {found.top} was taken.")
        repository = await self._borrowing(found)
        commit = await self._commit(repository, found, ref, path)
        if found.top is None or ref is not None:
            return Taken(repository, commit, commit)
        return await self._standing(repository, found, found.top, commit)

    async def _is_apart(self, found: LocalRepository, place: Path) -> bool:
        """Whether a folder lies in a repository's work tree, but nothing of it is tracked."""
        if found.top is None or found.top == place:
            return False
        call = _in(found, found.top)
        below = str(place.relative_to(found.top))
        settings = {"core.quotePath": "false"}
        call = Call(call.directory, {**call.environment, "GIT_LITERAL_PATHSPECS": "1"}, settings)
        listed = await self._git.run(["ls-files", "-z", "--", below], call)
        return not listed.output

    async def _borrowing(self, found: LocalRepository) -> Repository:
        repository = Repository(self._git, self._folder / "repository.git")
        configured = await _setting(self._git, found, "extensions.objectformat")
        await repository.create(configured or "sha1")
        repository.borrow(found.objects)
        return repository

    async def _commit(
        self, repository: Repository, found: LocalRepository, ref: str | None, path: str
    ) -> str:
        if ref is not None:
            try:
                check_revision(ref)
            except Refused as refused:
                raise SourceProblem(f"The ref `{shown(ref)}` was refused: {refused}.") from None
        call = Call(environment={"GIT_DIR": str(found.directory)})
        outcome = await repository.run(
            "rev-parse", "--verify", "--quiet", f"{ref or 'HEAD'}^{{commit}}", call=call
        )
        if outcome.code == 0:
            return outcome.output.decode("ascii").strip()
        if outcome.complaint:  # it is silent where only the revision is unknown
            raise SourceProblem(f"Git cannot read {path}: {brief(outcome.complaint)}.")
        if ref is None:
            raise SourceProblem(f"{path} has no commit yet: make one with `git commit`.")
        names = await repository.run(
            "for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags", "refs/remotes",
            call=call,
        )  # fmt: skip
        raise no_such_ref(ref, path, names.output.decode("utf-8", "replace").splitlines())

    async def _standing(
        self, repository: Repository, found: LocalRepository, top: Path, commit: str
    ) -> Taken:
        """HEAD with the changes of tracked files, staged or not."""
        is_sparse = await asyncio.to_thread(_copy_index, found, repository.directory)
        view = {name: value for name in _VIEW if (value := await _setting(self._git, found, name))}
        call = Call(top, {"GIT_WORK_TREE": str(top)}, view)
        present, gone = await self._tracked(repository, call, top)
        # Git renews the time of an object that it would write anew, borrowed or not: so what writes
        # borrows nothing. A sparse index alone cannot be read without the user's trees.
        writing = repository if is_sparse else Repository(self._git, repository.directory)
        await _update_index(writing, call, present, "--ignore-skip-worktree-entries", "--remove")
        await _update_index(writing, call, gone, "--force-remove")
        written = await writing.must("write-tree", "--missing-ok", call=call)
        tree = written.decode("ascii").strip()
        changed = fields(
            await repository.must(
                "diff-tree", "-r", "-z", "--name-only", "--no-renames", commit, tree
            )
        )
        if not changed:
            return Taken(repository, commit, commit)
        files = "1 tracked file" if len(changed) == 1 else f"{len(changed):,} tracked files"
        self._notes.say(f"Validates HEAD plus the uncommitted changes of {files}.")
        return Taken(repository, commit, tree, dirty=True)

    async def _tracked(
        self, repository: Repository, call: Call, top: Path
    ) -> tuple[list[str], list[str]]:
        """Tracked paths, submodules left out: those to look at, and those behind a symlink now."""
        paths = []
        for line in fields(await repository.must("ls-files", "--stage", "-z", call=call)):
            about, _, path = line.partition("\t")
            mode, _object_id, stage = about.split()
            if stage != "0":
                raise SourceProblem(
                    f"`{shown(path)}` has a merge conflict: resolve it, or give a ref."
                )
            if int(mode, 8) != GITLINK:
                paths.append(path)
        return await asyncio.to_thread(_split_by_symlinks, top, paths)

    async def _plain(self, place: Path) -> Taken:
        """A folder without git, as one commit; what its ``.gitignore`` files name stays out."""
        repository = Repository(self._git, self._folder / "repository.git")
        await repository.create()
        call = Call(place, {"GIT_WORK_TREE": str(place)})
        others = ("ls-files", "--others", "--exclude-standard", "-z")
        paths = []
        for path in fields(await repository.must(*others, call=call)):
            if path.endswith("/"):
                self._notes.about("left out: a git repository of its own", path)
            else:
                paths.append(path)
        if not paths:
            raise SourceProblem(f"There is nothing to validate in {place}: it has no files.")
        if ignored := fields(await repository.must(*others, "--ignored", "--directory", call=call)):
            names = ", ".join(f"`{shown(name)}`" for name in ignored[:3])
            self._notes.say(f"What .gitignore names was left out ({names}).")
        await _update_index(repository, call, paths, "--add")
        tree = (await repository.must("write-tree", call=call)).decode("ascii").strip()
        made = await repository.must(
            "commit-tree", "-m", "The folder as it stands", tree, call=Call(environment=_FIXED)
        )
        self._notes.say(f"{place} is no git repository: it was taken as one commit.")
        commit = made.decode("ascii").strip()
        return Taken(repository, commit, commit)


async def _update_index(
    repository: Repository, call: Call, paths: Sequence[str], *options: str
) -> None:
    if not paths:
        return
    listed = "".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape")
    outcome = await repository.run(
        "update-index", *options, "-z", "--stdin",
        call=Call(call.directory, call.environment, call.settings, listed),
    )  # fmt: skip
    if outcome.code != 0:
        raise SourceProblem(f"A file cannot be read: {brief(outcome.complaint)}")


async def _setting(git: Git, found: LocalRepository, name: str) -> str:
    """One setting of the user's repository, read without obeying any; empty where unset."""
    file = found.common / "config"
    outcome = await git.run(["config", f"--file={file}", "--no-includes", "--get", name])
    return outcome.output.decode("utf-8", "replace").strip()


def _in(found: LocalRepository, top: Path) -> Call:
    return Call(top, {"GIT_DIR": str(found.directory), "GIT_WORK_TREE": str(top)})


def _existing_folder(path: str) -> Path:
    place = Path(path)
    if not place.exists():
        raise SourceProblem(f"{shown(path)} does not exist.")
    if not place.is_dir():
        raise SourceProblem(f"{shown(path)} is no folder.")
    if not os.access(place, os.R_OK | os.X_OK):
        raise SourceProblem(f"{shown(path)} may not be read by this user.")
    return place.resolve()


def _copy_index(found: LocalRepository, directory: Path) -> bool:
    """The index, with its times (they tell git what cannot have changed), and its shared part.

    Says whether it is sparse: whether it has trees in the place of their files.
    """
    is_sparse = False
    for source in (found.directory / "index", *found.directory.glob("sharedindex.*")):
        if source.is_file():
            copied = Path(shutil.copy2(source, directory / source.name))
            is_sparse = is_sparse or _SPARSE in copied.read_bytes()
    return is_sparse


def _split_by_symlinks(top: Path, paths: Sequence[str]) -> tuple[list[str], list[str]]:
    """Git refuses to look behind a symlink: such paths are gone from the tree."""
    linked: dict[str, bool] = {"": False}

    def is_linked(folder: str) -> bool:
        if folder not in linked:
            above = folder.rpartition("/")[0]
            linked[folder] = is_linked(above) or (top / folder).is_symlink()
        return linked[folder]

    present: list[str] = []
    gone: list[str] = []
    for path in paths:
        (gone if is_linked(path.rpartition("/")[0]) else present).append(path)
    return present, gone
