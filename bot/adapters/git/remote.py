"""Fetches one commit of a repository on another machine, no deeper than the server makes us.

A branch, a tag, a full ref and HEAD are one shallow fetch. So is a full commit name, which most
servers give (GitHub, GitLab, and every server that speaks protocol 2). Where one gives only what
its refs point at, and for an abbreviated name, which no protocol knows, all branches and tags are
fetched with their history, within the same bounds of time and size.
"""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.adapters.git.address import (
    Refused,
    Remote,
    check_ref,
    is_full_sha,
    is_short_sha,
    shown,
)
from bot.adapters.git.command import Call, Git, Outcome
from bot.adapters.git.complaints import (
    fetch_problem,
    is_missing_ref,
    is_unadvertised,
    other_format,
)
from bot.adapters.git.repository import Repository
from bot.ports.source import SourceProblem

Authorization = Callable[[str], Awaitable[str | None]]
"""Gives the value of the HTTP header ``Authorization`` for a URL, None where there is none."""

_HERE = "refs/codegenapp/head"
_FETCH = (
    "fetch",
    "--quiet",
    "--force",
    "--no-tags",
    "--no-recurse-submodules",
    "--no-write-fetch-head",
    "--no-auto-maintenance",
)
_ALL = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")


@dataclass(frozen=True)
class Fetched:
    """A commit that is here now."""

    repository: Repository
    commit: str


class Remotes:
    """Fetches from other machines with one git, and one way to be let in."""

    def __init__(self, git: Git, authorization: Authorization | None) -> None:
        self._git = git
        self._authorization = authorization

    async def fetch(self, remote: Remote, ref: str | None, directory: Path) -> Fetched:
        """Fetch a ref, or the default branch, into a new repository. Raises SourceProblem."""
        if ref is not None:
            try:
                check_ref(ref)
            except Refused as refused:
                raise SourceProblem(f"The ref `{shown(ref)}` was refused: {refused}.") from None
        fetch = _Fetch(Repository(self._git, directory), remote, await self._call(remote))
        return Fetched(fetch.repository, await fetch.commit(ref))

    async def _call(self, remote: Remote) -> Call:
        if remote.scheme == "ssh":
            return Call(remote=True)
        header = remote.authorization
        if not header and self._authorization is not None:
            header = await self._authorization(remote.url) or ""
        if not header:
            return Call(remote=True, settings={"http.followRedirects": "initial"})
        # Git sends its extra headers on to wherever it was redirected: so with a credential it
        # follows no redirect at all.
        return Call(
            remote=True,
            settings={
                "http.extraHeader": f"Authorization: {header}",
                "http.followRedirects": "false",
            },
        )


@dataclass(frozen=True)
class _Fetch:
    """One fetch: ``call`` carries its credential."""

    repository: Repository
    remote: Remote
    call: Call

    async def commit(self, ref: str | None) -> str:
        await self.repository.create()
        wanted = ref or "HEAD"
        fetched = await self._fetch(f"+{wanted}:{_HERE}", "--depth=1")
        if fetched.code == 0:
            return await self._commit_at(_HERE, wanted)
        if is_unadvertised(fetched.complaint) and is_full_sha(wanted):
            await self._fetch_all()
            return await self._commit_at(wanted, wanted)
        if not is_missing_ref(fetched.complaint):
            raise fetch_problem(fetched.complaint, self.remote.url)
        if ref is None:
            raise SourceProblem(
                f"{self.remote.url} has no commit on its default branch yet: push one, "
                "or name a branch."
            )
        if is_full_sha(ref):
            raise self._missing(ref, ())
        names = await self._names()
        if is_short_sha(ref):
            return await self._commit_of_short(ref, names)
        raise self._missing(ref, names)

    async def _fetch(self, refspec: str, *options: str) -> Outcome:
        arguments = (*_FETCH, *options, "--", self.remote.url, refspec)
        outcome = await self.repository.run(*arguments, call=self.call)
        if found := other_format(outcome.complaint):
            await self.repository.create_again(found)
            outcome = await self.repository.run(*arguments, call=self.call)
        return outcome

    async def _fetch_all(self) -> None:
        outcome = await self.repository.run(*_FETCH, "--", self.remote.url, *_ALL, call=self.call)
        if outcome.code != 0:
            raise fetch_problem(outcome.complaint, self.remote.url)

    async def _commit_of_short(self, short: str, names: Sequence[str]) -> str:
        await self._fetch_all()
        found = await self.repository.run("rev-parse", f"--disambiguate={short}")
        commits = {
            commit
            for name in found.output.decode("ascii").split()[:100]
            if (commit := await self.repository.commit_of(name))
        }
        if len(commits) > 1:
            raise SourceProblem(
                f"`{short}` is the beginning of {len(commits)} commits of {self.remote.url}: "
                "give more of it."
            )
        if not commits:
            raise self._missing(short, names)
        return commits.pop()

    async def _commit_at(self, revision: str, asked: str) -> str:
        commit = await self.repository.commit_of(revision)
        if commit is None:
            raise SourceProblem(f"`{shown(asked)}` of {self.remote.url} is there, but no commit.")
        return commit

    async def _names(self) -> list[str]:
        listed = await self.repository.run(
            "ls-remote", "--heads", "--tags", "--refs", "--", self.remote.url, call=self.call
        )
        if listed.code != 0:
            raise fetch_problem(listed.complaint, self.remote.url)
        lines = listed.output.decode("utf-8", "replace").splitlines()
        return [line.partition("\t")[2].split("/", 2)[2] for line in lines if line.count("/") > 1]

    def _missing(self, ref: str, names: Sequence[str]) -> SourceProblem:
        return no_such_ref(ref, self.remote.url, names)


def no_such_ref(ref: str, where: str, names: Sequence[str]) -> SourceProblem:
    """The problem that a ref is not there, with the nearest of the names that are."""
    near = difflib.get_close_matches(ref, names[:10_000], n=5, cutoff=0.5)
    nearest = ", ".join(f"`{shown(name)}`" for name in near)
    hint = f" The nearest names there: {nearest}." if nearest else ""
    return SourceProblem(f"{where} has no branch, tag or commit `{shown(ref)}`.{hint}")
