"""Pull requests that could be merged, and what can stand in the way: what the tables share."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.domain.agent_runs import RunStatus
from bot.domain.effects import ValidationOrder
from bot.domain.merging import (
    BranchRules,
    CheckOutcome,
    CommitCheck,
    Criterion,
    MergeMethod,
    MergeSituation,
    RequiredCheck,
    Review,
    ReviewState,
)
from bot.domain.pull_request_records import Override, PullRequestRecord
from bot.domain.repositories import Account
from bot.domain.validation_records import ValidationRecord
from bot.domain.validations import ValidationStatus, Verdict
from bot.policy.merge import MergeFacts, criteria
from tests.policy.places import HEAD, NOW, PULL, REPOSITORY, config, run

NUMBER = PULL.number
OLD_HEAD = "b" * 40
OWN_APP = 77
ACTIONS = 15368
BOB, CAROL = Account(2, "bob"), Account(3, "carol")
ROBOT = Account(9, "robot[bot]", is_bot=True)
BY_ROBOT = replace(PULL, author=ROBOT, title="Add a cart")
"""The agent's pull request: nobody that reviews it is its author."""
ALL_METHODS = (MergeMethod.SQUASH, MergeMethod.MERGE, MergeMethod.REBASE)
RUN = run(RunStatus.COMPLETED, pull_request=NUMBER)
LONG_AGO = NOW - timedelta(days=1)


def validated(head_sha: str = HEAD, **changes: Any) -> ValidationRecord:
    """A green validation of a commit."""
    order = ValidationOrder(
        REPOSITORY, head_sha, "refs/pull/20/head", "main", "c" * 40, NUMBER, "https://x/20", True
    )
    green = ValidationRecord(
        "v1",
        order,
        LONG_AGO,
        status=ValidationStatus.COMPLETED,
        verdict=Verdict.PASSED,
        title="Passed",
    )
    return replace(green, **changes)


RED = validated(verdict=Verdict.FAILED, title="Failed in build: npm run build")
RUNNING = validated(status=ValidationStatus.RUNNING, verdict=None, title="")
SITUATION = MergeSituation(
    BY_ROBOT,
    mergeable=True,
    is_behind=False,
    allowed_methods=ALL_METHODS,
    node_id="PR_20",
)
RECORD = PullRequestRecord(REPOSITORY, NUMBER, base_branch="main", head_sha=HEAD)


def facts(
    *,
    situation: dict[str, Any] | None = None,
    pull: dict[str, Any] | None = None,
    rules: dict[str, Any] | None = None,
    record: dict[str, Any] | None = None,
    validation: dict[str, Any] | None = None,
    features: dict[str, Any] | None = None,
    **changes: Any,
) -> MergeFacts:
    """A pull request that nothing keeps back, but for what is said."""
    told = replace(SITUATION, pull=replace(BY_ROBOT, **(pull or {})), **(situation or {}))
    whole = MergeFacts(
        repository=REPOSITORY,
        situation=told,
        rules=BranchRules(**(rules or {})),
        config=config(validation=validation or {}, features=features or {}),
        record=replace(RECORD, **(record or {})),
        of_head=(validated(),),
        runs=(RUN,),
        own_app_id=OWN_APP,
        now=NOW,
        auto_merge=True,
        auto_merge_source="file",
        details_url="https://bot.example/validations/v1",
    )
    return replace(whole, **changes)


def named(found: MergeFacts, name: str) -> Criterion:
    """The one criterion of a name."""
    (criterion,) = (it for it in criteria(found) if it.name == name)
    return criterion


def state_of(found: MergeFacts, name: str) -> str:
    return named(found, name).state.value


def check(
    name: str, outcome: str = "success", app_id: int | None = ACTIONS, **changes: Any
) -> CommitCheck:
    slug = "github-actions" if app_id == ACTIONS else ""
    return replace(CommitCheck(name, CheckOutcome(outcome), app_id, slug), **changes)


def required(
    name: str, app_id: int | None = ACTIONS, source: str = "ruleset `main`"
) -> RequiredCheck:
    return RequiredCheck(name, source, app_id)


def review(by: Account, state: str = "approved", commit_sha: str = HEAD) -> Review:
    return Review(by, ReviewState(state), commit_sha, NOW)


def override(criterion: str, head_sha: str = HEAD, **changes: Any) -> Override:
    return replace(Override(criterion, head_sha, "root", "we know", NOW), **changes)
