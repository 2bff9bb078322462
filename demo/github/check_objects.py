"""The JSON objects of check runs, their suites, and commit statuses."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from demo.github.check_states import rolled_up
from demo.github.merging_state import AppState, StatusState
from demo.github.objects import Json, Objects, node_id
from demo.github.state import CheckRunState, RepositoryState, iso


def suite_id(sha: str, app_slug: str = "") -> int:
    """The number of an App's suite for a commit: there is one."""
    return int(hashlib.sha256(f"{sha}{app_slug}".encode()).hexdigest()[:10], 16)


def check_run(objects: Objects, run: CheckRunState) -> Json:
    """``check-run``."""
    repository = objects.state.repositories[run.repository_id]
    at = f"{objects.url}/repos/{repository.full_name}/check-runs/{run.id}"
    return {
        "id": run.id,
        "node_id": node_id("CR", run.id),
        "name": run.name,
        "head_sha": run.head_sha,
        "external_id": run.external_id,
        "url": at,
        "html_url": f"{objects.url}/{repository.full_name}/runs/{run.id}",
        "details_url": run.details_url or None,
        "status": run.status,
        "conclusion": run.conclusion,
        "started_at": run.started_at,
        "completed_at": run.completed_at,
        "output": {
            "title": run.title,
            "summary": run.summary,
            "text": run.text,
            "annotations_count": len(run.annotations),
            "annotations_url": f"{at}/annotations",
        },
        "check_suite": {"id": suite_id(run.head_sha, run.app_slug)},
        "app": objects.app(run.app),
        "pull_requests": [],
    }


def check_suite(
    objects: Objects,
    it: RepositoryState,
    app: AppState,
    runs: Sequence[CheckRunState],
    head_commit: Json,
    branch: str | None,
) -> Json:
    """``check_suite`` of a webhook: the App's runs of a commit, all of them completed."""
    sha = head_commit["id"]
    number = suite_id(sha, app.slug)
    at = f"{objects.url}/repos/{it.full_name}/check-suites/{number}"
    states = {run.conclusion for run in runs}
    return {
        "id": number,
        "node_id": node_id("CS", number),
        "head_branch": branch,
        "head_sha": sha,
        "status": "completed",
        "conclusion": "failure" if "failure" in states else "success",
        "url": at,
        "before": None,
        "after": sha,
        "pull_requests": [],
        "app": objects.app(app),
        "created_at": runs[0].started_at,
        "updated_at": runs[-1].completed_at or runs[-1].started_at,
        "latest_check_runs_count": len(runs),
        "check_runs_url": f"{at}/check-runs",
        "head_commit": head_commit,
    }


def status(objects: Objects, it: RepositoryState, of: StatusState) -> Json:
    """``status``, which has all of ``simple-commit-status``."""
    return {
        "id": of.id,
        "node_id": node_id("SC", of.id),
        "url": f"{objects.url}/repos/{it.full_name}/statuses/{of.sha}",
        "avatar_url": f"{objects.url}/avatars/{of.creator.id}",
        "state": of.state,
        "description": of.description or None,
        "target_url": of.target_url or None,
        "context": of.context,
        "created_at": iso(of.created_at),
        "updated_at": iso(of.created_at),
        "creator": objects.user(of.creator),
    }


def combined(objects: Objects, it: RepositoryState, sha: str, all_: Sequence[StatusState]) -> Json:
    """``combined-commit-status`` of the latest status of each context."""
    at = f"{objects.url}/repos/{it.full_name}/commits/{sha}"
    return {
        "state": rolled_up([one.state for one in all_]),
        "statuses": [status(objects, it, one) for one in all_],
        "sha": sha,
        "total_count": len(all_),
        "repository": objects.repository(it),
        "commit_url": at,
        "url": f"{at}/status",
    }
