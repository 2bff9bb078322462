"""Issues, comments and reactions: their state is people's and the bot's, by GitHub's rules."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from aiohttp import web

from demo.github.access import Forbidden, account_of
from demo.github.answers import answer, body_of, not_found, number, paged, problem
from demo.github.checks import Invalid
from demo.github.commenting import add_comment
from demo.github.issue_acts import IssueActs
from demo.github.objects import REACTIONS, Objects
from demo.github.state import (
    CommentState,
    IssueState,
    PullRequestState,
    RepositoryState,
    State,
    User,
    now,
)

READERS = frozenset({"none", "read"})
LONGEST_BODY = 65_536
"""Characters."""

Named = Callable[[web.Request], RepositoryState]


class Conversations:
    """The routes of issues and comments. ``named`` finds the repository that a call may see."""

    def __init__(self, state: State, objects: Objects, acts: IssueActs, named: Named) -> None:
        self._state = state
        self._objects = objects
        self._acts = acts
        self._named = named

    def add_to(self, application: web.Application) -> None:
        """Add the routes."""
        router, repo = application.router, "/repos/{owner}/{name}"
        router.add_get(f"{repo}/issues/{{number}}", self._issue)
        router.add_post(f"{repo}/issues/{{number}}/reactions", self._react_to_issue)
        router.add_post(f"{repo}/issues/{{number}}/labels", self._label)
        router.add_delete(f"{repo}/issues/{{number}}/labels/{{label}}", self._unlabel)
        router.add_get(f"{repo}/issues/{{number}}/comments", self._comments)
        router.add_post(f"{repo}/issues/{{number}}/comments", self._create)
        router.add_patch(f"{repo}/issues/comments/{{id}}", self._update)
        router.add_post(f"{repo}/issues/comments/{{id}}/reactions", self._reaction("issue"))
        router.add_post(f"{repo}/pulls/comments/{{id}}/reactions", self._reaction("inline"))

    async def _issue(self, request: web.Request) -> web.Response:
        repository = self._named(request)
        issue = repository.issue(number(request, "number"))
        return answer(request, self._objects.issue(repository, issue)) if issue else not_found()

    async def _comments(self, request: web.Request) -> web.Response:
        repository = self._named(request)
        wanted = number(request, "number")
        if repository.issue(wanted) is None:
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
        if repository.issue(wanted) is None:
            return not_found()
        author, body = account_of(self._state, request), _body(await body_of(request))
        made = add_comment(self._state, repository, wanted, author, body)
        return answer(request, self._objects.comment(repository, made), status=201)

    async def _update(self, request: web.Request) -> web.Response:
        repository = self._named(request)
        comment = self._state.comments.get(number(request, "id"))
        if comment is None or comment.repository_id != repository.id:
            return not_found()
        account = account_of(self._state, request)
        if account is not comment.author and not self._state.may_write(repository, account):
            raise Forbidden("Must have push access to edit another's comment.")
        comment.body, comment.updated_at = _body(await body_of(request)), now()
        comment.history.append(comment.body)
        return answer(request, self._objects.comment(repository, comment))

    async def _label(self, request: web.Request) -> web.Response:
        repository, issue, account = self._labelled(request)
        told = (await body_of(request)).get("labels", [])
        for label in told:
            name = label if isinstance(label, str) else label["name"]
            await self._acts.label_issue(repository, issue, name, sender=account)
        return self._labels(request, repository, issue)

    async def _unlabel(self, request: web.Request) -> web.Response:
        repository, issue, account = self._labelled(request)
        label = request.match_info["label"]
        if label not in issue.labels:
            return problem(404, "Label does not exist")
        await self._acts.unlabel_issue(repository, issue, label, sender=account)
        return self._labels(request, repository, issue)

    def _labelled(
        self, request: web.Request
    ) -> tuple[RepositoryState, IssueState | PullRequestState, User]:
        repository, account = self._named(request), account_of(self._state, request)
        issue = repository.issue(number(request, "number"))
        if issue is None:
            raise LookupError
        if account is not self._state.app_account and repository.role_of(account) in READERS:
            raise Forbidden("Must have triage rights to Repository.")
        return repository, issue, account

    def _labels(
        self, request: web.Request, repository: RepositoryState, it: IssueState | PullRequestState
    ) -> web.Response:
        return answer(request, [self._objects.label(repository, name) for name in it.labels])

    def _reaction(self, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def react(request: web.Request) -> web.Response:
            repository = self._named(request)
            comment = self._state.comments.get(number(request, "id"))
            known = comment is not None and (comment.kind == "inline") == (kind == "inline")
            if comment is None or not known or comment.repository_id != repository.id:
                return not_found()
            return await self._react(request, comment)

        return react

    async def _react_to_issue(self, request: web.Request) -> web.Response:
        issue = self._named(request).issue(number(request, "number"))
        return await self._react(request, issue) if issue else not_found()

    async def _react(
        self, request: web.Request, to: CommentState | IssueState | PullRequestState
    ) -> web.Response:
        """Have a reaction of who calls: 201 where it is new, 200 where it was there."""
        content = (await body_of(request)).get("content")
        if content not in REACTIONS:
            raise Invalid(f"content: {content!r} is no reaction")
        account = account_of(self._state, request)
        given = (account.login, str(content))
        fresh = given not in to.reactions
        if fresh:
            to.reactions.append(given)
        told = self._objects.reaction(account, to.id, str(content))
        return answer(request, told, status=201 if fresh else 200)


def _body(told: dict[str, Any]) -> str:
    body = told.get("body")
    if not isinstance(body, str) or not body.strip():
        raise Invalid("body: can't be blank")
    if len(body) > LONGEST_BODY:
        raise Invalid(f"body: is too long (maximum is {LONGEST_BODY} characters)")
    return body
