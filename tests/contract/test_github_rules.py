"""Branch protection and rulesets, as REST tells them, to one account of what a merge needs."""

from __future__ import annotations

from typing import Any

import pytest

from bot.adapters.github.rules import rules_of
from bot.domain.merging import BranchRules, MergeMethod, RequiredCheck

CLASSIC = "branch protection"
OF_SHOP = {
    "ruleset_source_type": "Repository",
    "ruleset_source": "octo/shop",
    "ruleset_id": 7,
}
SOURCE = "ruleset 7 of repository octo/shop"


def classic(**checks: Any) -> dict[str, Any]:
    return {
        "protected": True,
        "protection": {
            "enabled": True,
            "required_status_checks": {"enforcement_level": "everyone", "contexts": [], **checks},
        },
    }


def rule(kind: str, **parameters: Any) -> dict[str, Any]:
    return {"type": kind, **OF_SHOP} | ({"parameters": parameters} if parameters else {})


def statuses(*checks: dict[str, Any], strict: bool = False) -> dict[str, Any]:
    return rule(
        "required_status_checks",
        required_status_checks=list(checks),
        strict_required_status_checks_policy=strict,
    )


@pytest.mark.parametrize(
    ("branch", "rules", "wanted"),
    [
        pytest.param({}, [], BranchRules(), id="nothing"),
        pytest.param(
            {"protected": False, "protection": {"enabled": False}}, [], BranchRules(), id="bare"
        ),
        pytest.param(
            classic(contexts=["build"], checks=[{"context": "build", "app_id": 15368}]),
            [],
            BranchRules((RequiredCheck("build", CLASSIC, 15368),), protected=True),
            id="classic, of an App",
        ),
        pytest.param(
            classic(
                contexts=["build", "old"],
                checks=[{"context": "build", "app_id": None}, {"context": "lint", "app_id": -1}],
            ),
            [],
            BranchRules(
                tuple(RequiredCheck(it, CLASSIC) for it in ("build", "lint", "old")),
                protected=True,
            ),
            id="classic, of any App, and in the older list only",
        ),
        pytest.param(
            classic(contexts=["build"], enforcement_level="off"),
            [],
            BranchRules(protected=True),
            id="classic, not enforced",
        ),
        pytest.param(
            {},
            [statuses({"context": "build", "integration_id": 15368}, strict=True)],
            BranchRules((RequiredCheck("build", SOURCE, 15368),), up_to_date=True),
            id="a ruleset's checks, up to date",
        ),
        pytest.param(
            {},
            [statuses({"context": "build"}), statuses({"context": "build"}, {"context": "b"})],
            BranchRules((RequiredCheck("build", SOURCE), RequiredCheck("b", SOURCE))),
            id="the same check twice",
        ),
        pytest.param(
            classic(contexts=["build"]),
            [statuses({"context": "build", "integration_id": 1})],
            BranchRules(
                (RequiredCheck("build", CLASSIC), RequiredCheck("build", SOURCE, 1)),
                protected=True,
            ),
            id="both ask for it, one of them for its App",
        ),
        pytest.param(
            {},
            [
                rule("pull_request", required_approving_review_count=1),
                rule(
                    "pull_request",
                    required_approving_review_count=2,
                    require_last_push_approval=True,
                    required_review_thread_resolution=True,
                ),
            ],
            BranchRules(approvals=2, last_push_approval=True, conversations=True, source=SOURCE),
            id="the strictest reviews",
        ),
        pytest.param(
            {},
            [
                rule("pull_request", allowed_merge_methods=["rebase", "squash"]),
                rule("pull_request", allowed_merge_methods=["merge", "rebase", "squash"]),
            ],
            BranchRules(methods=(MergeMethod.SQUASH, MergeMethod.REBASE), source=SOURCE),
            id="methods that all allow",
        ),
        pytest.param(
            {},
            [rule("required_linear_history"), rule("merge_queue", merge_method="SQUASH")],
            BranchRules(linear=True, merge_queue=True),
            id="linear, through a queue",
        ),
        pytest.param({}, [rule("deletion")], BranchRules(protected=True), id="not to delete"),
        pytest.param(
            {}, [rule("creation"), rule("a_new_one", x=1)], BranchRules(), id="no business of ours"
        ),
    ],
)
def test_rules(branch: dict[str, Any], rules: list[dict[str, Any]], wanted: BranchRules) -> None:
    assert rules_of(branch, rules) == wanted
