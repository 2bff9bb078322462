"""How a comment comes to be, whoever writes it: a person here, or a call of the API."""

from __future__ import annotations

from demo.github.access import Forbidden
from demo.github.state import CommentState, RepositoryState, State, User, now


def add_comment(
    state: State,
    repository: RepositoryState,
    wanted: int,
    author: User,
    body: str,
    kind: str = "issue",
) -> CommentState:
    """Have a new comment. ``kind`` is ``issue``, ``review`` or ``inline``.

    Raises Forbidden where the conversation is locked and the author may not write.
    """
    issue = repository.issue(wanted)
    if issue is not None and issue.locked and not state.may_write(repository, author):
        raise Forbidden("Unable to create comment because issue is locked.")
    at = now()
    comment = CommentState(
        next(state.ids), repository.id, wanted, author, body, at, at, kind, history=[body]
    )
    state.comments[comment.id] = comment
    return comment
