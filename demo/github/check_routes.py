"""The REST routes of check runs, and of the statuses of a commit."""

from __future__ import annotations

from aiohttp import web

from demo.github import access, check_objects, checks
from demo.github.acts import Acts
from demo.github.answers import answer, body_of, not_found, number, paged, problem
from demo.github.check_states import latest_runs, latest_statuses
from demo.github.conversations import Named
from demo.github.objects import Objects
from demo.github.state import CheckRunState, State

NOT_YOURS = "check run can only be modified by the GitHub App that created it."


class CheckRoutes:
    """Only the App under test writes check runs here, and only its own."""

    def __init__(self, state: State, objects: Objects, acts: Acts, named: Named) -> None:
        self._state = state
        self._objects = objects
        self._acts = acts
        self._named = named

    def add_to(self, application: web.Application) -> None:
        """Add the routes."""
        router, repo = application.router, "/repos/{owner}/{name}"
        router.add_get(f"{repo}/commits/{{sha}}/check-runs", self._check_runs)
        router.add_get(f"{repo}/commits/{{ref:.+}}/status", self._status)
        router.add_post(f"{repo}/check-runs", self._create_check_run)
        router.add_patch(f"{repo}/check-runs/{{id}}", self._update_check_run)

    async def _check_runs(self, request: web.Request) -> web.Response:
        repository, sha = self._named(request), request.match_info["sha"]
        found = self._state.runs_of(repository.id, sha)
        if request.query.get("filter", "latest") == "latest":
            found = latest_runs(self._state, repository.id, sha)
        told = [
            check_objects.check_run(self._objects, run)
            for run in found
            if self._is_asked_for(request, run)
        ]
        return paged(request, told, "check_runs")

    def _is_asked_for(self, request: web.Request, run: CheckRunState) -> bool:
        app_id = str(run.app.id if run.app else self._state.app_id)
        return (
            request.query.get("check_name") in (None, run.name)
            and request.query.get("status") in (None, run.status)
            and request.query.get("app_id") in (None, app_id)
        )

    async def _status(self, request: web.Request) -> web.Response:
        repository = self._named(request)
        sha = await repository.commit(request.match_info["ref"])
        found = latest_statuses(self._state, repository.id, sha)
        return answer(request, check_objects.combined(self._objects, repository, sha, found))

    async def _create_check_run(self, request: web.Request) -> web.Response:
        access.only_an_app(self._state, request)
        repository = self._named(request)
        told = await body_of(request)
        try:
            await repository.commit(str(told.get("head_sha")))
        except LookupError:
            return problem(422, f"No commit found for SHA: {told.get('head_sha')}")
        run = checks.create(self._state, repository.id, told)
        await self._acts.checks_changed(repository, run.head_sha)
        return answer(request, check_objects.check_run(self._objects, run), status=201)

    async def _update_check_run(self, request: web.Request) -> web.Response:
        access.only_an_app(self._state, request)
        repository = self._named(request)
        run = self._state.check_runs.get(number(request, "id"))
        if run is None or run.repository_id != repository.id:
            return not_found()
        if run.app is not None:
            return problem(403, f"Invalid app_id `{self._state.app_id}` - {NOT_YOURS}")
        checks.update(run, await body_of(request))
        await self._acts.checks_changed(repository, run.head_sha)
        return answer(request, check_objects.check_run(self._objects, run))
