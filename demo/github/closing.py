"""Which issues a text closes: GitHub's keywords before a number, a name with one, or an address."""

from __future__ import annotations

import re

from demo.github.state import IssueState, PullRequestState, RepositoryState, State

_CLOSES = re.compile(
    r"\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):?\s+"
    r"(?:https?://\S+?/(?P<of>[\w.-]+/[\w.-]+)/issues/(?P<at>\d+)"
    r"|(?P<name>[\w.-]+/[\w.-]+)?\#(?P<number>\d+))\b",
    re.IGNORECASE,
)


def closes(
    state: State, repository: RepositoryState, text: str
) -> list[tuple[RepositoryState, IssueState]]:
    """The issues that a text closes, each once, with the repository that it is in."""
    found: dict[int, tuple[RepositoryState, IssueState]] = {}
    for it in _CLOSES.finditer(text):
        owner, _, name = (it["name"] or it["of"] or repository.full_name).partition("/")
        where = state.named(owner, name)
        issue = where.issues.get(int(it["number"] or it["at"])) if where else None
        if where is not None and issue is not None:
            found[issue.id] = (where, issue)
    return list(found.values())


def linked(
    state: State, repository: RepositoryState, pull: PullRequestState
) -> list[tuple[RepositoryState, IssueState]]:
    """The issues that a pull request's text would close: only into the default branch."""
    if pull.base_branch != repository.default_branch:
        return []
    return closes(state, repository, pull.body)
