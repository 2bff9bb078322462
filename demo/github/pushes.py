"""What a push moved, and how GitHub tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from demo.github.state import RepositoryState, User

ZEROS = "0" * 40
MOST_COMMITS = 2_048
_FIELDS = ("%H", "%T", "%cI", "%an", "%ae", "%cn", "%ce", "%B")
_BETWEEN = "\x1f"


@dataclass(frozen=True)
class Push:
    """A branch or tag, and where it stood and stands; ``ZEROS`` where it was not, or is no more."""

    ref: str
    before: str
    after: str

    @property
    def branch(self) -> str:
        """The branch's name, empty for a tag."""
        return self.ref.removeprefix("refs/heads/") if self.ref.startswith("refs/heads/") else ""

    @property
    def is_new(self) -> bool:
        """Whether it was not there before."""
        return self.before == ZEROS

    @property
    def is_gone(self) -> bool:
        """Whether it is there no more."""
        return self.after == ZEROS


async def refs_of(repository: RepositoryState) -> dict[str, str]:
    """Where each branch and tag stands."""
    listed = await repository.git(
        "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags"
    )
    pairs = (line.partition(" ") for line in listed.decode().splitlines())
    return {ref: sha for ref, _, sha in pairs}


def moved(before: Mapping[str, str], after: Mapping[str, str]) -> list[Push]:
    """What stands elsewhere than it did, by name."""
    return [
        Push(ref, before.get(ref, ZEROS), after.get(ref, ZEROS))
        for ref in sorted({*before, *after})
        if before.get(ref) != after.get(ref)
    ]


async def payload_of(
    repository: RepositoryState, push: Push, pusher: User, url: str
) -> dict[str, Any]:
    """``push``, but for its sender and repository; ``url`` is GitHub's own."""
    page = f"{url}/{repository.full_name}"
    return {
        "ref": push.ref,
        "before": push.before,
        "after": push.after,
        "base_ref": None,
        "created": push.is_new,
        "deleted": push.is_gone,
        "forced": await _is_forced(repository, push),
        "compare": f"{page}/compare/{push.before[:12]}...{push.after[:12]}",
        "commits": [] if push.is_gone else await _new_commits(repository, push, page),
        "head_commit": None if push.is_gone else await commit_of(repository, push.after, url),
        "pusher": {"name": pusher.login, "email": f"{pusher.login}@users.noreply.github.com"},
    }


async def commit_of(repository: RepositoryState, sha: str, url: str) -> dict[str, Any]:
    """A commit as webhooks have it beside what they tell of. Raises LookupError."""
    page = f"{url}/{repository.full_name}"
    return (await _commits(repository, page, "--max-count=1", sha))[0]


async def _is_forced(repository: RepositoryState, push: Push) -> bool:
    if push.is_new or push.is_gone:
        return False
    try:
        await repository.git("merge-base", "--is-ancestor", push.before, push.after)
    except LookupError:
        return True
    return False


async def _new_commits(repository: RepositoryState, push: Push, page: str) -> list[dict[str, Any]]:
    """Those that came with it, oldest first."""
    known = [f"^{push.before}"]
    if push.is_new:
        default = f"refs/heads/{repository.default_branch}"
        known = [f"^{default}"] if default in await refs_of(repository) else []
        known = [] if push.ref == default else known
    return await _commits(
        repository, page, "--reverse", f"--max-count={MOST_COMMITS}", push.after, *known
    )


async def _commits(repository: RepositoryState, page: str, *which: str) -> list[dict[str, Any]]:
    form = f"--format={_BETWEEN.join(_FIELDS)}"
    listed = (await repository.git("log", "-z", form, *which)).decode(errors="replace")
    return [_commit(it, page) for it in listed.split("\0") if it]


def _commit(line: str, page: str) -> dict[str, Any]:
    sha, tree, at, author, author_email, committer, committer_email, message = line.split(
        _BETWEEN, len(_FIELDS) - 1
    )
    return {
        "id": sha,
        "tree_id": tree,
        "distinct": True,
        "message": message.strip(),
        "timestamp": at,
        "url": f"{page}/commit/{sha}",
        "author": {"name": author, "email": author_email},
        "committer": {"name": committer, "email": committer_email},
    }
