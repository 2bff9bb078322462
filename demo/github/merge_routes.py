"""The REST routes that change what is merged: merge, bring up to date, remove a branch."""

from __future__ import annotations

from aiohttp import web

from demo.github.access import Forbidden, account_of
from demo.github.answers import answer, body_of, number
from demo.github.conversations import Named
from demo.github.merge_acts import MergeActs
from demo.github.objects import Objects
from demo.github.state import PullRequestState, RepositoryState, State, User


class MergeRoutes:
    """``named`` finds the repository that a call may see; only who may write changes it."""

    def __init__(self, state: State, objects: Objects, acts: MergeActs, named: Named) -> None:
        self._state = state
        self._objects = objects
        self._acts = acts
        self._named = named

    def add_to(self, application: web.Application) -> None:
        """Add the routes."""
        router, repo = application.router, "/repos/{owner}/{name}"
        router.add_put(f"{repo}/pulls/{{number}}/merge", self._merge)
        router.add_put(f"{repo}/pulls/{{number}}/update-branch", self._update)
        router.add_delete(f"{repo}/git/refs/heads/{{branch:.+}}", self._delete)

    async def _merge(self, request: web.Request) -> web.Response:
        repository, account = self._writable(request)
        told = await body_of(request)
        sha = await self._acts.merge(
            repository,
            self._pull(request, repository),
            by=account,
            method=str(told.get("merge_method") or "merge"),
            sha=str(told.get("sha") or ""),
            title=str(told.get("commit_title") or ""),
            message=str(told.get("commit_message") or ""),
        )
        merged = {"sha": sha, "merged": True, "message": "Pull Request successfully merged"}
        return answer(request, merged)

    async def _update(self, request: web.Request) -> web.Response:
        repository, account = self._writable(request)
        pull = self._pull(request, repository)
        expected = str((await body_of(request)).get("expected_head_sha") or "")
        await self._acts.update_branch(repository, pull, by=account, expected=expected)
        url = f"{self._objects.url}/{repository.full_name}/pull/{pull.number}"
        told = {"message": "Updating pull request branch.", "url": url}
        return answer(request, told, status=202)

    async def _delete(self, request: web.Request) -> web.Response:
        repository, account = self._writable(request)
        await self._acts.delete_branch(repository, request.match_info["branch"], by=account)
        return web.Response(status=204)

    def _writable(self, request: web.Request) -> tuple[RepositoryState, User]:
        repository, account = self._named(request), account_of(self._state, request)
        if not self._state.may_write(repository, account):
            raise Forbidden("Resource not accessible by personal access token")
        return repository, account

    def _pull(self, request: web.Request, repository: RepositoryState) -> PullRequestState:
        pull = repository.pull_requests.get(number(request, "number"))
        if pull is None:
            raise LookupError
        return pull
