"""How the checks of a commit stand, and which of them a branch requires."""

from __future__ import annotations

from collections.abc import Iterable

from demo.github.merging_state import StatusState
from demo.github.state import CheckRunState, RepositoryState, State, User

Check = CheckRunState | StatusState

FINE = frozenset({"success", "neutral", "skipped"})


def latest_runs(state: State, repository_id: int, sha: str) -> list[CheckRunState]:
    """The newest run of each App and name, oldest first."""
    newest = {(it.app_slug, it.name): it for it in state.runs_of(repository_id, sha)}
    return sorted(newest.values(), key=lambda it: it.id)


def latest_statuses(state: State, repository_id: int, sha: str) -> list[StatusState]:
    """The newest status of each context, oldest first."""
    known = (it for it in state.statuses if (it.repository_id, it.sha) == (repository_id, sha))
    return sorted({it.context: it for it in known}.values(), key=lambda it: it.id)


def latest_checks(state: State, repository: RepositoryState, sha: str) -> list[Check]:
    """Runs and statuses together, as they count for a merge."""
    runs: list[Check] = list(latest_runs(state, repository.id, sha))
    return [*runs, *latest_statuses(state, repository.id, sha)]


def name_of(check: Check) -> str:
    """What a rule calls it."""
    return check.name if isinstance(check, CheckRunState) else check.context


def is_of(state: State, check: Check, app_id: int | None) -> bool:
    """Whether it comes from the App that is expected; any will do where that is None."""
    if app_id is None:
        return True
    if isinstance(check, CheckRunState):
        return app_id == (check.app.id if check.app else state.app_id)
    return check.creator is _account_of(state, app_id)


def _account_of(state: State, app_id: int) -> User | None:
    if app_id == state.app_id:
        return state.app_account
    return next((it.account for it in state.apps.values() if it.id == app_id), None)


def standing_of(check: Check) -> str:
    """``passed``, ``failing``, or in what way it is not finished yet, in GitHub's words."""
    if isinstance(check, StatusState):
        return {"success": "passed", "pending": "pending"}.get(check.state, "failing")
    if check.status != "completed":
        return {"in_progress": "in progress"}.get(check.status, check.status)
    return "passed" if check.conclusion in FINE else "failing"


def rolled_up(states: Iterable[str]) -> str:
    """What statuses come to together: one that fails decides, then one that is pending."""
    found = set(states)
    if found & {"failure", "error"}:
        return "failure"
    return "success" if found == {"success"} else "pending"
