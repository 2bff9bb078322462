"""Merging in a bare repository, with git's own merge and without a work tree."""

from __future__ import annotations

from datetime import datetime

from demo.github.state import RepositoryState, User, now

GITHUB = "GitHub <noreply@github.com>"


class Conflict(Exception):
    """The two change the same place."""


async def merged_tree(repository: RepositoryState, ours: str, theirs: str) -> str | None:
    """The tree that two commits merge into, None where they conflict."""
    known = repository.merged_trees
    if (ours, theirs) not in known:
        try:
            said = await repository.git("merge-tree", "--write-tree", ours, theirs)
        except LookupError:
            known[ours, theirs] = None
        else:
            known[ours, theirs] = said.decode().strip()
    return known[ours, theirs]


async def is_in(repository: RepositoryState, commit: str, of: str) -> bool:
    """Whether ``of`` holds a commit already."""
    known = repository.ancestry
    if (commit, of) not in known:
        try:
            await repository.git("merge-base", "--is-ancestor", commit, of)
        except LookupError:
            known[commit, of] = False
        else:
            known[commit, of] = True
    return known[commit, of]


async def tried(repository: RepositoryState, base: str, head: str) -> str | None:
    """The merge that GitHub tries for itself, None where there is a conflict.

    The same for the same two commits, as it carries the head's own time.
    """
    known = repository.tried_merges
    if (base, head) not in known:
        known[base, head] = await _trial(repository, base, head)
    return known[base, head]


async def _trial(repository: RepositoryState, base: str, head: str) -> str | None:
    tree = await merged_tree(repository, base, head)
    if tree is None:
        return None
    seconds = (await repository.git("show", "-s", "--format=%ct", head)).decode().strip()
    by = f"{GITHUB} {seconds} +0000"
    return await _commit(repository, tree, [base, head], f"Merge {head} into {base}", by, by)


async def merge(repository: RepositoryState, ours: str, theirs: str, message: str, by: User) -> str:
    """A merge commit of both. Raises Conflict."""
    tree = await merged_tree(repository, ours, theirs)
    if tree is None:
        raise Conflict
    return await _commit(repository, tree, [ours, theirs], message, _signed(by), _github())


async def squash(repository: RepositoryState, base: str, head: str, message: str, by: User) -> str:
    """One commit on the base with all that the head changes. Raises Conflict."""
    tree = await merged_tree(repository, base, head)
    if tree is None:
        raise Conflict
    return await _commit(repository, tree, [base], message, _signed(by), _github())


async def rebase(repository: RepositoryState, base: str, head: str, by: User) -> str:
    """The head's commits anew on the base, whose last it gives. Raises Conflict."""
    listed = await repository.git("rev-list", "--reverse", "--no-merges", f"{base}..{head}")
    onto = base
    for commit in listed.decode().split():
        onto = await _picked(repository, onto, commit, by)
    return onto


async def messages(repository: RepositoryState, base: str, head: str) -> list[str]:
    """What the head's own commits say, oldest first."""
    said = await repository.git("log", "-z", "--reverse", "--format=%B", f"{base}..{head}")
    return [it.strip() for it in said.decode(errors="replace").split("\0") if it.strip()]


async def _picked(repository: RepositoryState, onto: str, commit: str, by: User) -> str:
    """A commit's own change on another: a merge whose common ancestor is the commit's parent."""
    raw = (await repository.git("cat-file", "commit", commit)).decode(errors="replace")
    head, _, message = raw.partition("\n\n")
    author = next(line for line in head.splitlines() if line.startswith("author "))
    tree = (await repository.git("rev-parse", f"{onto}^{{tree}}")).decode().strip()
    ours = await _commit(repository, tree, [f"{commit}^"], "ours", _github(), _github())
    merged = await merged_tree(repository, ours, commit)
    if merged is None:
        raise Conflict
    author = author.removeprefix("author ")
    return await _commit(repository, merged, [onto], message, author, _signed(by))


async def _commit(
    repository: RepositoryState,
    tree: str,
    parents: list[str],
    message: str,
    author: str,
    committer: str,
) -> str:
    """Write a commit object; its people and times are given, not those of this machine."""
    shas = [await repository.commit(it) for it in parents]
    lines = [f"tree {tree}", *(f"parent {it}" for it in shas)]
    text = "\n".join([*lines, f"author {author}", f"committer {committer}", "", message.strip()])
    said = await repository.git(
        "hash-object", "-t", "commit", "-w", "--stdin", sent=f"{text}\n".encode()
    )
    return said.decode().strip()


def _signed(by: User, at: datetime | None = None) -> str:
    mail = f"{by.id}+{by.login}@users.noreply.github.com"
    return f"{by.login} <{mail}> {int((at or now()).timestamp())} +0000"


def _github() -> str:
    return f"{GITHUB} {int(now().timestamp())} +0000"
