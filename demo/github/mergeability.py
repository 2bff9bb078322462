"""Whether a pull request can be merged, as GitHub says it: after a while, and in one word."""

from __future__ import annotations

from dataclasses import dataclass

from demo.github import merges
from demo.github.check_states import latest_checks, standing_of
from demo.github.rules import Violation, violations
from demo.github.state import PullRequestState, RepositoryState, State


@dataclass(frozen=True)
class Standing:
    """``state`` is REST's ``mergeable_state``; ``mergeable`` is None while nobody knows."""

    state: str
    mergeable: bool | None = None
    merge_sha: str | None = None
    """The merge that was tried."""
    unmet: tuple[Violation, ...] = ()


async def look(state: State, repository: RepositoryState, pull: PullRequestState) -> Standing:
    """What somebody is told who asks: at first nothing, where GitHub is slow to find out."""
    if pull.state != "open":
        return Standing("unknown")
    base = await repository.base_sha_of(pull)
    seen, pull.looked_at = pull.looked_at, (base, pull.head_sha)
    if state.slow_mergeability and seen != pull.looked_at:
        return Standing("unknown")
    return await standing(state, repository, pull, base)


async def standing(
    state: State, repository: RepositoryState, pull: PullRequestState, base: str
) -> Standing:
    """How an open pull request stands against its base's commit."""
    merge_sha = await merges.tried(repository, base, pull.head_sha)
    if merge_sha is None:
        return Standing("dirty", mergeable=False)
    behind = not await merges.is_in(repository, base, pull.head_sha)
    unmet = tuple(violations(state, repository, pull, behind=behind))
    word = _word(state, repository, pull, unmet)
    return Standing(word, mergeable=True, merge_sha=merge_sha, unmet=unmet)


def _word(
    state: State, repository: RepositoryState, pull: PullRequestState, unmet: tuple[Violation, ...]
) -> str:
    if pull.draft:
        return "draft"
    if any(not it.only_behind for it in unmet):
        return "blocked"
    if unmet:
        return "behind"
    checks = latest_checks(state, repository, pull.head_sha)
    if any(standing_of(it) != "passed" for it in checks):
        return "unstable"
    return "clean"  # also where only the queue merges
