"""The REST routes that tell of a branch, and of the rules that hold for it."""

from __future__ import annotations

from aiohttp import web

from demo.github.answers import answer, paged, problem
from demo.github.conversations import Named
from demo.github.diffs import Diffs
from demo.github.objects import Json, Objects
from demo.github.rule_objects import protection, rules
from demo.github.rules import applying, rulesets_of
from demo.github.state import State


class BranchRoutes:
    """``named`` finds the repository that a call may see."""

    def __init__(self, state: State, objects: Objects, named: Named) -> None:
        self._state = state
        self._objects = objects
        self._diffs = Diffs(objects)
        self._named = named

    def add_to(self, application: web.Application) -> None:
        """Add the routes."""
        router, repo = application.router, "/repos/{owner}/{name}"
        router.add_get(f"{repo}/branches/{{branch:.+}}", self._branch)
        router.add_get(f"{repo}/rules/branches/{{branch:.+}}", self._rules)

    async def _branch(self, request: web.Request) -> web.Response:
        repository, branch = self._named(request), request.match_info["branch"]
        try:
            commit = await self._diffs.commit(repository, f"refs/heads/{branch}")
        except LookupError:
            return problem(404, "Branch not found")
        at = f"{self._objects.url}/repos/{repository.full_name}/branches/{branch}"
        page = f"{self._objects.url}/{repository.full_name}/tree/{branch}"
        found = {
            "name": branch,
            "commit": commit,
            "_links": {"self": at, "html": page},
            # A branch counts as protected where only a ruleset holds, whose checks are not here.
            "protected": bool(applying(repository, branch)),
            "protection": protection(repository.protections.get(branch)),
            "protection_url": f"{at}/protection",
        }
        return answer(request, found)

    async def _rules(self, request: web.Request) -> web.Response:
        repository, branch = self._named(request), request.match_info["branch"]
        found: list[Json] = []
        for it in rulesets_of(repository, branch):
            found += rules(repository, it)
        return paged(request, found)
