"""GraphQL's commits, and the checks of them: runs and statuses in one list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from demo.github.check_objects import suite_id
from demo.github.check_states import Check, latest_checks, rolled_up, standing_of
from demo.github.graph_connections import Connection, Wrong, connection
from demo.github.merging_state import AppState, StatusState
from demo.github.objects import node_id
from demo.github.rules import requires
from demo.github.state import CheckRunState, PullRequestState, RepositoryState, State, User, iso


@dataclass(frozen=True)
class ActorNode:
    """An account. GraphQL calls a bot by its name alone, where REST puts ``[bot]`` behind."""

    of: User

    @property
    def typename(self) -> str:
        return self.of.kind

    @property
    def login(self) -> str:
        return self.of.login.removesuffix("[bot]")

    @property
    def database_id(self) -> int:
        return self.of.id

    @property
    def id(self) -> str:
        return node_id("U", self.of.id)


class CommitNode:
    """A commit of a repository."""

    typename = "Commit"

    def __init__(self, state: State, repository: RepositoryState, oid: str) -> None:
        self._state = state
        self._repository = repository
        self.oid = oid
        self.id = f"C_{oid}"

    async def parents(self, **page: Any) -> Connection:
        """The commits that it stands upon."""
        listed = await self._repository.git_of_commits("show", "-s", "--format=%P", self.oid)
        nodes = [CommitNode(self._state, self._repository, it) for it in listed.decode().split()]
        return connection("parents", nodes, **page)

    @property
    def status_check_rollup(self) -> Rollup | None:
        """None where there is no check at all."""
        found = latest_checks(self._state, self._repository, self.oid)
        return Rollup(self._state, self._repository, self.oid, found) if found else None


class Rollup:
    """All checks of a commit."""

    def __init__(
        self, state: State, repository: RepositoryState, oid: str, checks: list[Check]
    ) -> None:
        self._state = state
        self._repository = repository
        self._checks = checks
        self.id = f"SCR_{oid}"

    @property
    def state(self) -> str:
        words = {"passed": "success", "failing": "failure"}
        return rolled_up(words.get(standing_of(it), "pending") for it in self._checks).upper()

    def contexts(self, **page: Any) -> Connection:
        nodes = [
            RunNode(self._state, self._repository, it)
            if isinstance(it, CheckRunState)
            else StatusNode(self._state, self._repository, it)
            for it in self._checks
        ]
        return connection("contexts", nodes, **page)


class _Required:
    """What a rule may require: whether one does is a matter of the pull request."""

    def __init__(self, state: State, repository: RepositoryState, of: Check) -> None:
        self._state = state
        self._repository = repository
        self._of = of

    def is_required(
        self, pull_request_number: int | None = None, pull_request_id: str | None = None
    ) -> bool:
        known = self._repository.pull_requests
        pull = known.get(pull_request_number or 0) or next(
            (it for it in known.values() if node_id("PR", it.id) == pull_request_id), None
        )
        if pull is None:
            raise Wrong("NOT_FOUND", "Either a valid pull request ID or number is required.")
        return self._is_required_by(pull)

    def _is_required_by(self, pull: PullRequestState) -> bool:
        return requires(self._state, self._repository, pull.base_branch, self._of)


class RunNode(_Required):
    """A check run."""

    typename = "CheckRun"

    def __init__(self, state: State, repository: RepositoryState, run: CheckRunState) -> None:
        super().__init__(state, repository, run)
        self.id = node_id("CR", run.id)
        self.database_id = run.id
        self.name = run.name
        self.status = run.status.upper()
        self.conclusion = run.conclusion.upper() if run.conclusion else None
        self.started_at = run.started_at
        self.completed_at = run.completed_at
        self.details_url = run.details_url or None
        self.check_suite = SuiteNode(state, run)


class SuiteNode:
    """The suite of a run's App."""

    def __init__(self, state: State, run: CheckRunState) -> None:
        self.id = node_id("CS", suite_id(run.head_sha, run.app_slug))
        own = AppState(state.app_id, state.app_slug, "CodegenApp", state.app_account)
        self.app = AppNode(run.app or own)


class AppNode:
    """An App."""

    def __init__(self, app: AppState) -> None:
        self.id = node_id("A", app.id)
        self.database_id = app.id
        self.slug = app.slug
        self.name = app.name


class StatusNode(_Required):
    """A commit status."""

    typename = "StatusContext"

    def __init__(self, state: State, repository: RepositoryState, status: StatusState) -> None:
        super().__init__(state, repository, status)
        self.id = node_id("SC", status.id)
        self.context = status.context
        self.state = status.state.upper()
        self.description = status.description or None
        self.target_url = status.target_url or None
        self.created_at = iso(status.created_at)
        self.creator = ActorNode(status.creator)
