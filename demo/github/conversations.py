"""Issues, comments and reactions: their state is people's and the bot's, by GitHub's rules."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from aiohttp import web

from demo.github.answers import answer, body_of, not_found, number, paged
from demo.github.checks import Invalid
from demo.github.objects import Objects
from demo.github.state import CommentState, RepositoryState, State, User, now

LONGEST_BODY = 65_536
"""Characters."""
REACTIONS = frozenset({"+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"})

Named = Callable[[web.Request], RepositoryState]


class Conversations:
    """The routes of comments. ``named`` finds the repository that a call may see."""

    def __init__(self, state: State, objects: Objects, named: Named) -> None:
        self._state = state
        self._objects = objects
        self._named = named

    def add_to(self, application: web.Application) -> None:
        """Add the routes."""
        router, repo = application.router, "/repos/{owner}/{name}"
        router.add_get(f"{repo}/issues/{{number}}/comments", self._comments)
        router.add_post(f"{repo}/issues/{{number}}/comments", self._create)
        router.add_patch(f"{repo}/issues/comments/{{id}}", self._update)
        router.add_post(f"{repo}/issues/comments/{{id}}/reactions", self._reaction("issue"))
        router.add_post(f"{repo}/pulls/comments/{{id}}/reactions", self._reaction("inline"))

    async def _comments(self, request: web.Request) -> web.Response:
        repository = self._named(request)
        wanted = number(request, "number")
        if not repository.has(wanted):
            return not_found()
        since = request.query.get("since")
        found = [
            it
            for it in self._state.conversation(repository, wanted)
            if since is None or it.updated_at >= datetime.fromisoformat(since)
        ]
        return paged(request, [self._objects.comment(repository, it) for it in found])

    async def _create(self, request: web.Request) -> web.Response:
        repository = self._named(request)
        wanted = number(request, "number")
        if not repository.has(wanted):
            return not_found()
        body = _body(await body_of(request))
        made = add_comment(self._state, repository, wanted, self._state.app_account, body)
        return answer(request, self._objects.comment(repository, made), status=201)

    async def _update(self, request: web.Request) -> web.Response:
        repository = self._named(request)
        comment = self._state.comments.get(number(request, "id"))
        if comment is None or comment.repository_id != repository.id:
            return not_found()
        comment.body, comment.updated_at = _body(await body_of(request)), now()
        comment.history.append(comment.body)
        return answer(request, self._objects.comment(repository, comment))

    def _reaction(self, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def react(request: web.Request) -> web.Response:
            repository = self._named(request)
            comment = self._state.comments.get(number(request, "id"))
            known = comment is not None and (comment.kind == "inline") == (kind == "inline")
            if comment is None or not known or comment.repository_id != repository.id:
                return not_found()
            content = (await body_of(request)).get("content")
            if content not in REACTIONS:
                raise Invalid(f"content: {content!r} is no reaction")
            given = (self._state.app_account.login, str(content))
            fresh = given not in comment.reactions
            if fresh:
                comment.reactions.append(given)
            told = self._objects.reaction(self._state.app_account, comment, str(content))
            return answer(request, told, status=201 if fresh else 200)

        return react


def add_comment(
    state: State,
    repository: RepositoryState,
    wanted: int,
    author: User,
    body: str,
    kind: str = "issue",
) -> CommentState:
    """Have a new comment. ``kind`` is ``issue``, ``review`` or ``inline``."""
    at = now()
    comment = CommentState(
        next(state.ids), repository.id, wanted, author, body, at, at, kind, history=[body]
    )
    state.comments[comment.id] = comment
    return comment


def _body(told: dict[str, Any]) -> str:
    body = told.get("body")
    if not isinstance(body, str) or not body.strip():
        raise Invalid("body: can't be blank")
    if len(body) > LONGEST_BODY:
        raise Invalid(f"body: is too long (maximum is {LONGEST_BODY} characters)")
    return body
