"""A change to make, and the clone that it is made in: real git, over HTTP."""

from __future__ import annotations

import base64
import re
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from demo.git_command import run_git
from demo.repository import CHANGES

LONGEST_SLUG = 40


@dataclass(frozen=True)
class Change:
    """A commit to make, of patches, of whole files, or of both.

    ``patch`` names one of ``sample_changes``, or several in order; ``files`` are contents by path,
    None to remove one.
    ``branch`` is where it goes whatever the prompt says; where empty, that is decided by the run.
    ``at`` is the time of the commit.
    """

    title: str
    patch: str | tuple[str, ...] = ()
    files: Mapping[str, str | None] = field(default_factory=dict)
    body: str = ""
    branch: str = ""
    at: str = "2026-01-06T09:00:00+00:00"

    @property
    def patches(self) -> tuple[str, ...]:
        """Every patch, in order."""
        return (self.patch,) if isinstance(self.patch, str) else self.patch

    @property
    def slug(self) -> str:
        """The title, as a part of a branch's name."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower())[:LONGEST_SLUG].strip("-")


class Checkout:
    """A clone of a repository in a folder of its own, with the right to push there."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self._folder = folder
        self._variables = variables

    async def start(self, branch: str, base: str) -> bool:
        """Check a branch out, made from ``base`` where there is none; whether there was one."""
        known = await self.git("ls-remote", "--heads", "origin", f"refs/heads/{branch}")
        start = branch if known else base
        await self.git("switch", "--force-create", branch, "--no-track", f"origin/{start}")
        return bool(known)

    async def edit(self, change: Change) -> list[str]:
        """Make a change in the folder; the paths that it touches."""
        for name in change.patches:
            await self.git("apply", str(CHANGES / f"{name}.patch"))
        for path, content in change.files.items():
            file = self._folder / path
            if content is None:
                file.unlink()
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(content)
        await self.git("add", "--all")
        return (await self.git("diff", "--cached", "--name-only")).splitlines()

    async def commit(self, change: Change) -> str:
        """Commit what was edited; the commit's object name."""
        await self.git("commit", f"--message={change.title}", at=change.at)
        return await self.git("rev-parse", "--verify", "HEAD")

    async def push(self, branch: str) -> None:
        """Push what is checked out. Raises GitFailed where it is refused."""
        await self.git("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")

    async def git(self, *arguments: str, at: str = "") -> str:
        """Run git in the clone. Raises GitFailed."""
        return await run_git(self._folder, *arguments, at=at, variables=self._variables)


@asynccontextmanager
async def checkout(url: str, token: str, name: str) -> AsyncIterator[Checkout]:
    """Clone a repository with a token, for as long as the block lasts; ``name`` commits.

    The token stands neither in the clone's configuration nor in a command that others can see.
    Raises GitFailed.
    """
    credentials = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    email = f"{name.removesuffix('[bot]')}@example.com"
    variables = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {credentials}",
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": email,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": email,
    }
    with tempfile.TemporaryDirectory(prefix="codegen-") as above:
        folder = Path(above) / "clone"
        folder.mkdir()
        words = ("clone", "--quiet", "--template=", "--no-tags", "--config=gc.auto=0", url, ".")
        await run_git(folder, *words, variables=variables)
        yield Checkout(folder, variables)
