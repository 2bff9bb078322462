"""The JSON objects of what is required of a branch, by its protection and by rulesets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from demo.github.merging_state import Requirements, Ruleset
from demo.github.objects import Json
from demo.github.state import RepositoryState


def protection(it: Requirements | None) -> Json:
    """What ``GET /branches/{branch}`` has of a branch's protection, without administration."""
    checks = it.checks if it else {}
    level = "non_admins" if checks else "off"
    required = {
        "enforcement_level": level,
        "contexts": list(checks),
        "checks": [{"context": name, "app_id": app_id} for name, app_id in checks.items()],
    }
    return {"enabled": it is not None, "required_status_checks": required}


def rules(repository: RepositoryState, ruleset: Ruleset) -> list[Json]:
    """``repository-rule-detailed`` of each of its rules."""
    of = {
        "ruleset_source_type": "Repository",
        "ruleset_source": repository.full_name,
        "ruleset_id": ruleset.id,
    }
    return [rule | of for rule in _rules(ruleset.requirements)]


def _rules(it: Requirements) -> Iterator[Json]:
    if not it.deletable:
        yield {"type": "deletion"}
    if it.linear:
        yield {"type": "required_linear_history"}
    reviewed = it.approvals or it.reviews or it.dismiss_stale or it.conversations
    if reviewed or len(it.methods) < 3:
        yield {"type": "pull_request", "parameters": _review_parameters(it)}
    if it.checks:
        yield {"type": "required_status_checks", "parameters": _check_parameters(it)}
    if it.queue:
        yield {"type": "merge_queue", "parameters": QUEUE_PARAMETERS}


def _review_parameters(it: Requirements) -> Json:
    return {
        "allowed_merge_methods": list(it.methods),
        "dismiss_stale_reviews_on_push": it.dismiss_stale,
        "require_code_owner_review": False,
        "require_last_push_approval": False,
        "required_approving_review_count": it.approvals,
        "required_review_thread_resolution": it.conversations,
    }


def _check_parameters(it: Requirements) -> Json:
    checks: list[dict[str, Any]] = []
    for name, app_id in it.checks.items():
        checks.append({"context": name} | ({} if app_id is None else {"integration_id": app_id}))
    return {
        "required_status_checks": checks,
        "strict_required_status_checks_policy": it.strict,
        "do_not_enforce_on_create": False,
    }


QUEUE_PARAMETERS: Json = {
    "check_response_timeout_minutes": 60,
    "grouping_strategy": "ALLGREEN",
    "max_entries_to_build": 5,
    "max_entries_to_merge": 5,
    "merge_method": "MERGE",
    "min_entries_to_merge": 1,
    "min_entries_to_merge_wait_minutes": 5,
}
