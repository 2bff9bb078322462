"""Branch protection and rulesets to one account of what a merge into a branch needs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from bot.domain.merging import BranchRules, MergeMethod, RequiredCheck

Json = Mapping[str, Any]

PROTECTION: Final = "branch protection"


def rules_of(branch: Json, rules: Iterable[Json]) -> BranchRules:
    """What REST says of a branch, and the active rules of rulesets for it; either may be empty.

    Classic protection tells those who don't administer a repository its checks only. A branch
    counts as protected where protection or a ruleset forbids to delete it.
    """
    listed = list(rules)
    statuses = [it for it in listed if it["type"] == "required_status_checks"]
    reviews = [it for it in listed if it["type"] == "pull_request"]
    kinds = {it["type"] for it in listed}
    classic = _classic_of(branch)
    checks = [*_classic_checks(classic), *(it for rule in statuses for it in _checks(rule))]
    return BranchRules(
        checks=tuple(dict.fromkeys(checks)),
        up_to_date=bool(classic.get("strict"))
        or any(_of(it).get("strict_required_status_checks_policy") for it in statuses),
        approvals=max(
            (_of(it).get("required_approving_review_count") or 0 for it in reviews), default=0
        ),
        last_push_approval=any(_of(it).get("require_last_push_approval") for it in reviews),
        conversations=any(_of(it).get("required_review_thread_resolution") for it in reviews),
        methods=_methods(reviews),
        linear="required_linear_history" in kinds,
        merge_queue="merge_queue" in kinds,
        protected=bool(branch.get("protected")) or "deletion" in kinds,
        source=_source(reviews[0]) if reviews else PROTECTION,
    )


def _of(rule: Json) -> Json:
    parameters: Json = rule.get("parameters") or {}
    return parameters


def _source(rule: Json) -> str:
    kind = str(rule.get("ruleset_source_type") or "").lower()
    name = rule.get("ruleset_source") or ""
    number = f" {rule['ruleset_id']}" if rule.get("ruleset_id") else ""
    return f"ruleset{number}" + (f" of {kind} {name}".replace("  ", " ") if name else "")


def _checks(rule: Json) -> Iterator[RequiredCheck]:
    for it in _of(rule).get("required_status_checks") or ():
        yield RequiredCheck(it["context"], _source(rule), _app(it.get("integration_id")))


def _classic_of(branch: Json) -> Json:
    """Classic protection's required checks; none where they are not enforced."""
    told: Json = (branch.get("protection") or {}).get("required_status_checks") or {}
    return {} if told.get("enforcement_level") == "off" else told


def _classic_checks(classic: Json) -> Iterator[RequiredCheck]:
    """Each check with its App; ``contexts`` is the older list of the same names."""
    checks = classic.get("checks") or ()
    for it in checks:
        yield RequiredCheck(it["context"], PROTECTION, _app(it.get("app_id")))
    known = {it["context"] for it in checks}
    for name in classic.get("contexts") or ():
        if name not in known:
            yield RequiredCheck(name, PROTECTION)


def _app(told: int | None) -> int | None:
    """The App that a check must come from; GitHub says -1 or null for any."""
    return told if told is not None and told > 0 else None


def _methods(reviews: Iterable[Json]) -> tuple[MergeMethod, ...]:
    """Those that every rule allows; GitHub itself refuses where rules leave none."""
    allowed = [set(it) for rule in reviews if (it := _of(rule).get("allowed_merge_methods"))]
    if not allowed:
        return ()
    return tuple(it for it in MergeMethod if all(it.value in some for some in allowed))
