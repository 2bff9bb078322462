"""What two commits of a repository differ in, as GitHub lists it."""

from __future__ import annotations

import hashlib
from typing import Any

from demo.github.objects import Objects
from demo.github.state import RepositoryState

STATUSES = {"A": "added", "M": "modified", "D": "removed", "R": "renamed"}
MOST_COMMITS = 100
MOST_FILES = 300


class Diffs:
    """Reads git, as the real one does: a head's own commits, since it left the base."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def files(self, it: RepositoryState, base: str, head: str) -> list[dict[str, Any]]:
        """``diff-entry`` of each file. Raises LookupError."""
        listed = await it.git("diff", "--name-status", "-z", "-M", f"{base}...{head}")
        words = listed.decode().split("\0")[:-1]
        files: list[dict[str, Any]] = []
        while words:
            kind, path = words.pop(0), words.pop(0)
            before = path if kind.startswith("R") else None
            path = words.pop(0) if before else path
            change = await it.git("diff", "-M", f"{base}...{head}", "--", *{before or path, path})
            files.append(_file(it, kind, path, before, change.decode(errors="replace")))
        return files

    async def comparison(self, it: RepositoryState, base: str, head: str) -> dict[str, Any]:
        """``commit-comparison``: the first page of it. Raises LookupError."""
        left = (await it.git("merge-base", base, head)).decode().strip()
        own = (await it.git("rev-list", "--reverse", f"{base}..{head}")).decode().split()
        behind = (await it.git("rev-list", "--count", f"{head}..{base}")).decode()
        ahead_by, behind_by = len(own), int(behind)
        states = {(True, True): "diverged", (True, False): "ahead", (False, True): "behind"}
        page = f"{self._objects.url}/{it.full_name}/compare/{base}...{head}"
        return {
            "url": f"{self._objects.url}/repos/{it.full_name}/compare/{base}...{head}",
            "html_url": page,
            "permalink_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "base_commit": await self.commit(it, base),
            "merge_base_commit": await self.commit(it, left),
            "status": states.get((ahead_by > 0, behind_by > 0), "identical"),
            "ahead_by": ahead_by,
            "behind_by": behind_by,
            "total_commits": ahead_by,
            "commits": [await self.commit(it, sha) for sha in own[:MOST_COMMITS]],
            "files": (await self.files(it, base, head))[:MOST_FILES],
        }

    async def commit(self, it: RepositoryState, name: str) -> dict[str, Any]:
        """``commit``, with its message. Raises LookupError."""
        told = await it.git("show", "-s", "--format=%H%n%T%n%P%n%an%n%ae%n%aI%n%B", name)
        sha, tree, parents, author, email, at, message = told.decode().split("\n", 6)
        return self._objects.commit(
            it,
            sha=sha,
            tree=tree,
            parents=parents.split(),
            by={"name": author, "email": email, "date": at},
            message=message.rstrip("\n"),
        )


def _file(
    it: RepositoryState, kind: str, path: str, before: str | None, change: str
) -> dict[str, Any]:
    url = f"http://stand-in/{it.full_name}/{path}"
    start = change.find("\n@@ ")
    patch = change[start + 1 :].removesuffix("\n") if start >= 0 else ""
    lines = patch.splitlines()
    added = sum(line.startswith("+") for line in lines)
    removed = sum(line.startswith("-") for line in lines)
    file: dict[str, Any] = {
        "sha": hashlib.sha1(path.encode(), usedforsecurity=False).hexdigest(),
        "filename": path,
        "status": STATUSES.get(kind[0], "changed"),
        "additions": added,
        "deletions": removed,
        "changes": added + removed,
        "blob_url": url,
        "raw_url": url,
        "contents_url": url,
    }
    more = {"previous_filename": before} if before else {}
    return file | more | ({"patch": patch} if patch else {})
