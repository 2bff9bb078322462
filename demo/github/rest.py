"""The REST routes that the bot calls, answered from the state and the git repositories."""

from __future__ import annotations

import base64
from typing import Any

from aiohttp import web

from demo.github import access
from demo.github.acts import Acts
from demo.github.answers import answer, body_of, not_found, number, paged, problem
from demo.github.branch_routes import BranchRoutes
from demo.github.check_routes import CheckRoutes
from demo.github.conversations import Conversations
from demo.github.diffs import Diffs
from demo.github.merge_routes import MergeRoutes
from demo.github.mergeability import look
from demo.github.objects import Objects
from demo.github.pull_objects import pull_request
from demo.github.state import PullRequestState, RepositoryState, State


class Rest:
    """The routes. What they do to the state is done by the ``acts`` that people have, too."""

    def __init__(self, state: State, objects: Objects, acts: Acts) -> None:
        self._state = state
        self._objects = objects
        self._redeliver = acts.redeliver
        self._diffs = Diffs(objects)
        self._families = (
            Conversations(state, objects, acts, self._named),
            CheckRoutes(state, objects, acts, self._named),
            MergeRoutes(state, objects, acts, self._named),
            BranchRoutes(state, objects, self._named),
        )

    def add_to(self, application: web.Application) -> None:
        """Add the routes."""
        router, repo = application.router, "/repos/{owner}/{name}"
        router.add_get("/app", self._app)
        router.add_get("/app/installations", self._installations)
        router.add_get("/app/installations/{id}", self._installation)
        router.add_post("/app/installations/{id}/access_tokens", self._mint)
        router.add_get("/app/hook/config", self._hook)
        router.add_get("/app/hook/deliveries", self._deliveries)
        router.add_post("/app/hook/deliveries/{id}/attempts", self._attempt)
        router.add_get("/installation/repositories", self._repositories)
        router.add_get("/repositories/{id}", self._repository_by_id)
        router.add_get(repo, self._repository)
        router.add_get(f"{repo}/pulls", self._pulls)
        router.add_get(f"{repo}/pulls/{{number}}", self._pull)
        router.add_get(f"{repo}/pulls/{{number}}/files", self._files)
        router.add_get(f"{repo}/compare/{{between}}", self._compare)
        router.add_get(f"{repo}/commits/{{sha}}/pulls", self._pulls_of_commit)
        router.add_get(f"{repo}/contents/{{path:.+}}", self._contents)
        router.add_get(f"{repo}/collaborators/{{login}}/permission", self._permission)
        router.add_get("/user-attachments/assets/{id}", self._attachment)
        for it in self._families:
            it.add_to(application)

    # ── the App ──────────────────────────────────────────────────────────────────────────────

    async def _app(self, request: web.Request) -> web.Response:
        access.as_app(self._state, request)
        return answer(request, self._objects.app())

    async def _installations(self, request: web.Request) -> web.Response:
        access.as_app(self._state, request)
        found = [self._objects.installation(it) for it in self._state.installations.values()]
        return paged(request, found)

    async def _installation(self, request: web.Request) -> web.Response:
        access.as_app(self._state, request)
        found = self._state.installations.get(number(request, "id"))
        return answer(request, self._objects.installation(found)) if found else not_found()

    async def _mint(self, request: web.Request) -> web.Response:
        access.as_app(self._state, request)
        found = self._state.installations.get(number(request, "id"))
        if found is None:
            return not_found()
        if found.suspended_at:
            return problem(403, "This installation has been suspended")
        told = await body_of(request)
        return answer(
            request, access.mint(self._state, found.id, told.get("repository_ids")), status=201
        )

    async def _hook(self, request: web.Request) -> web.Response:
        access.as_app(self._state, request)
        url = self._state.hook_url
        found = {"url": url, "content_type": "json", "insecure_ssl": "0", "secret": "********"}
        return answer(request, found)

    async def _deliveries(self, request: web.Request) -> web.Response:
        access.as_app(self._state, request)
        newest = sorted(self._state.deliveries, key=lambda it: -it.id)
        return paged(request, [self._objects.delivery(it) for it in newest])

    async def _attempt(self, request: web.Request) -> web.Response:
        access.as_app(self._state, request)
        await self._redeliver(number(request, "id"))
        return answer(request, {}, status=202)

    # ── repositories ─────────────────────────────────────────────────────────────────────────

    async def _repositories(self, request: web.Request) -> web.Response:
        mine = access.installation_of(self._state, request)
        found = [it for it in self._state.repositories.values() if it.installation_id == mine]
        return paged(request, [self._objects.repository(it) for it in found], "repositories")

    async def _repository_by_id(self, request: web.Request) -> web.Response:
        found = self._state.repositories.get(number(request, "id"))
        mine = access.installation_of(self._state, request)
        if found is None or found.installation_id != mine:
            return not_found()
        return answer(request, self._objects.repository(found))

    async def _repository(self, request: web.Request) -> web.Response:
        return answer(request, self._objects.repository(self._named(request)))

    async def _contents(self, request: web.Request) -> web.Response:
        repository, path = self._named(request), request.match_info["path"]
        ref = request.query.get("ref", repository.default_branch)
        try:
            sha = (await repository.git("rev-parse", "--verify", f"{ref}:{path}")).decode().strip()
            content = await repository.git("cat-file", "blob", sha)
        except LookupError:
            return not_found()
        url = str(request.url)
        found = {
            "type": "file",
            "encoding": "base64",
            "size": len(content),
            "name": path.rpartition("/")[2],
            "path": path,
            "content": base64.encodebytes(content).decode(),
            "sha": sha,
            "url": url,
            "git_url": url,
            "html_url": url,
            "download_url": url,
            "_links": {"self": url, "git": url, "html": url},
        }
        return answer(request, found)

    async def _permission(self, request: web.Request) -> web.Response:
        repository, login = self._named(request), request.match_info["login"]
        user = self._state.users.get(login)
        if user is None:
            return not_found()
        role = repository.role_of(user)
        coarse = {"maintain": "write", "triage": "read"}.get(role, role)
        found = {
            "permission": coarse,
            "role_name": role,
            "user": self._objects.user(user) | {"permissions": _rights(role), "role_name": role},
        }
        return answer(request, found)

    async def _attachment(self, request: web.Request) -> web.Response:
        found = self._state.attachments.get(request.match_info["id"])
        if found is None:
            return not_found()
        return web.Response(body=found, content_type="image/png")

    # ── pull requests ────────────────────────────────────────────────────────────────────────

    async def _pulls(self, request: web.Request) -> web.Response:
        repository = self._named(request)
        head = request.query.get("head", "")
        base = request.query.get("base", "")
        wanted = request.query.get("state", "open")
        found = [
            pull
            for pull in sorted(repository.pull_requests.values(), key=lambda it: -it.number)
            if wanted in ("all", pull.state)
            and base in ("", pull.base_branch)
            and self._is_head(pull, head)
        ]
        return paged(request, [await self._pull_request(repository, it) for it in found])

    def _is_head(self, pull: PullRequestState, head: str) -> bool:
        if not head:
            return True
        owner, _, branch = head.partition(":")
        repository = self._state.repositories.get(pull.head_repository_id or 0)
        return (
            repository is not None
            and pull.head_branch == branch
            and repository.owner.login.casefold() == owner.casefold()
        )

    async def _pull(self, request: web.Request) -> web.Response:
        repository = self._named(request)
        pull = repository.pull_requests.get(number(request, "number"))
        if pull is None:
            return not_found()
        base_sha = await repository.base_sha_of(pull)
        standing = await look(self._state, repository, pull)
        return answer(request, pull_request(self._objects, repository, pull, base_sha, standing))

    async def _files(self, request: web.Request) -> web.Response:
        repository = self._named(request)
        pull = repository.pull_requests.get(number(request, "number"))
        if pull is None:
            return not_found()
        base_sha = await repository.base_sha_of(pull)
        return paged(request, await self._diffs.files(repository, base_sha, pull.head_sha))

    async def _compare(self, request: web.Request) -> web.Response:
        base, _, head = request.match_info["between"].partition("...")
        return answer(request, await self._diffs.comparison(self._named(request), base, head))

    async def _pulls_of_commit(self, request: web.Request) -> web.Response:
        repository, sha = self._named(request), request.match_info["sha"]
        found = [
            pull
            for pull in repository.pull_requests.values()
            # As GitHub does: those of forks are not listed here.
            if pull.head_sha == sha and pull.head_repository_id == repository.id
        ]
        return paged(request, [await self._pull_request(repository, it) for it in found])

    # ── what several need ────────────────────────────────────────────────────────────────────

    def _named(self, request: web.Request) -> RepositoryState:
        access.account_of(self._state, request)
        found = self._state.named(request.match_info["owner"], request.match_info["name"])
        if found is None or not access.sees(self._state, request, found):
            raise LookupError
        return found

    async def _pull_request(
        self, repository: RepositoryState, pull: PullRequestState
    ) -> dict[str, Any]:
        """As it is listed: whether it merges is told only to who asks for it alone."""
        base_sha = await repository.base_sha_of(pull)
        return pull_request(self._objects, repository, pull, base_sha)


def _rights(role: str) -> dict[str, bool]:
    rank = ("none", "read", "triage", "write", "maintain", "admin").index(role)
    names = ("pull", "triage", "push", "maintain", "admin")
    return {name: rank >= least for least, name in enumerate(names, 1)}
