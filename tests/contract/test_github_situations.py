"""GraphQL's words for a pull request, in GitHub's shape, to what a merge hangs on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.adapters.github.reading import GHOST
from bot.adapters.github.situations import account_of, checks_of, situation_of
from bot.domain.merging import (
    CheckOutcome,
    CommitCheck,
    MergeMethod,
    MergeSituation,
    Review,
    ReviewDecision,
    ReviewState,
)
from bot.domain.repositories import Account, PullRequest

OURS, ACTIONS = 4242, 15368
HEAD, BEFORE, BASE = "a" * 40, "b" * 40, "c" * 40
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ALICE = Account(7, "alice")
SHOP = {
    "databaseId": 1,
    "mergeCommitAllowed": True,
    "squashMergeAllowed": True,
    "rebaseMergeAllowed": False,
}
PLAIN: dict[str, Any] = {
    "id": "PR_1",
    "number": 1,
    "title": "Add quantities",
    "body": None,
    "url": "https://github.com/octo/shop/pull/1",
    "state": "OPEN",
    "isDraft": False,
    "updatedAt": "2026-01-02T03:04:05Z",
    "maintainerCanModify": False,
    "author": {"__typename": "User", "login": "alice", "databaseId": 7},
    "headRefName": "add-quantities",
    "headRefOid": HEAD,
    "headRepository": {"databaseId": 1},
    "baseRefName": "main",
    "baseRefOid": BASE,
    "mergeable": "MERGEABLE",
    "merged": False,
    "mergedAt": None,
    "mergeCommit": None,
    "isInMergeQueue": False,
    "isMergeQueueEnabled": False,
    "reviewDecision": None,
    "labels": {"nodes": []},
    "latestOpinionatedReviews": {"nodes": []},
    "closingIssuesReferences": {"nodes": []},
    "reviewThreads": {"pageInfo": {"hasNextPage": False, "endCursor": None}, "nodes": []},
    "commits": {
        "nodes": [
            {
                "commit": {
                    "oid": HEAD,
                    "parents": {"nodes": [{"oid": BASE}]},
                    "statusCheckRollup": None,
                }
            }
        ]
    },
}
PULL = PullRequest(
    1,
    "Add quantities",
    "https://github.com/octo/shop/pull/1",
    ALICE,
    is_open=True,
    draft=False,
    head_sha=HEAD,
    head_branch="add-quantities",
    head_repository_id=1,
    base_sha=BASE,
    base_branch="main",
    updated_at=AT,
)
SITUATION = MergeSituation(
    PULL,
    mergeable=True,
    allowed_methods=(MergeMethod.SQUASH, MergeMethod.MERGE),
    node_id="PR_1",
)


def review(state: str, author: dict[str, Any] | None = PLAIN["author"]) -> dict[str, Any]:
    at = "2026-01-02T03:04:05Z"
    return {"author": author, "state": state, "submittedAt": at, "commit": {"oid": HEAD}}


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        pytest.param({}, SITUATION, id="plain"),
        pytest.param({"body": "Why."}, replace(SITUATION, body="Why."), id="a body"),
        pytest.param(
            {"mergeable": "UNKNOWN"}, replace(SITUATION, mergeable=None), id="not worked out"
        ),
        pytest.param(
            {"mergeable": "CONFLICTING"}, replace(SITUATION, mergeable=False), id="a conflict"
        ),
        pytest.param(
            {"isDraft": True}, replace(SITUATION, pull=replace(PULL, draft=True)), id="draft"
        ),
        pytest.param(
            {"headRepository": None, "maintainerCanModify": True},
            replace(
                SITUATION, pull=replace(PULL, head_repository_id=None, maintainer_can_modify=True)
            ),
            id="a fork that is gone",
        ),
        pytest.param(
            {
                "state": "MERGED",
                "merged": True,
                "mergedAt": "2026-01-02T03:04:05Z",
                "mergeCommit": {"oid": "d" * 40},
                "mergeable": "UNKNOWN",
            },
            replace(
                SITUATION,
                pull=replace(PULL, is_open=False),
                merged=True,
                merged_at=AT,
                merge_sha="d" * 40,
                mergeable=None,
            ),
            id="merged",
        ),
        pytest.param(
            {"labels": {"nodes": [{"name": "do-not-merge"}, {"name": "a"}]}},
            replace(SITUATION, labels=("do-not-merge", "a")),
            id="labels",
        ),
        pytest.param(
            {
                "reviewDecision": "CHANGES_REQUESTED",
                "latestOpinionatedReviews": {
                    "nodes": [review("APPROVED"), review("CHANGES_REQUESTED", None), None]
                },
            },
            replace(
                SITUATION,
                review_decision=ReviewDecision.CHANGES_REQUESTED,
                reviews=(
                    Review(ALICE, ReviewState.APPROVED, HEAD, AT),
                    Review(GHOST, ReviewState.CHANGES_REQUESTED, HEAD, AT),
                ),
            ),
            id="reviews, one of an account that is gone",
        ),
        pytest.param(
            {"latestOpinionatedReviews": {"nodes": [review("COMMENTED"), review("DISMISSED")]}},
            replace(SITUATION, reviews=(Review(ALICE, ReviewState.DISMISSED, HEAD, AT),)),
            id="a comment is no opinion",
        ),
        pytest.param(
            {
                "latestOpinionatedReviews": {
                    "nodes": [review("APPROVED") | {"commit": None, "submittedAt": None}]
                }
            },
            replace(SITUATION, reviews=(Review(ALICE, ReviewState.APPROVED, ""),)),
            id="a review of a commit that is gone",
        ),
        pytest.param(
            {
                "closingIssuesReferences": {
                    "nodes": [
                        {"number": 5, "repository": {"databaseId": 1}},
                        {"number": 6, "repository": {"databaseId": 2}},
                        None,
                    ]
                }
            },
            replace(SITUATION, linked_issues=(5,)),
            id="linked issues, here only",
        ),
        pytest.param(
            {"isInMergeQueue": True, "isMergeQueueEnabled": True},
            replace(SITUATION, in_merge_queue=True, queue_required=True),
            id="in the queue",
        ),
    ],
)
def test_situations(told: dict[str, Any], wanted: MergeSituation) -> None:
    assert situation_of(SHOP, PLAIN | told, [], [], OURS) == wanted


def test_conversations_that_are_not_resolved() -> None:
    threads = [{"isResolved": False}, {"isResolved": True}, {"isResolved": False}]
    found = situation_of(SHOP, PLAIN, [], threads, OURS)
    assert found.unresolved_conversations == 2


def test_checks_of_another_commit_than_the_head_are_none() -> None:
    """Right after a push, GitHub's last commit may still be the one before."""
    moved = PLAIN | {"headRefOid": BEFORE}
    found = situation_of(SHOP, moved, [run("build")], [], OURS)
    assert (found.pull.head_sha, found.checks) == (BEFORE, ())


def run(name: str, number: int = 1, app: int | None = ACTIONS, **more: Any) -> dict[str, Any]:
    plain = {
        "__typename": "CheckRun",
        "databaseId": number,
        "name": name,
        "status": "COMPLETED",
        "conclusion": "SUCCESS",
        "isRequired": False,
        "checkSuite": {"app": app and {"databaseId": app, "slug": f"app-{app}"}},
    }
    return plain | more


def status(context: str, state: str = "SUCCESS", **more: Any) -> dict[str, Any]:
    plain = {"__typename": "StatusContext", "context": context, "state": state, "isRequired": False}
    return plain | more


def check(name: str, outcome: CheckOutcome = CheckOutcome.SUCCESS, **more: Any) -> CommitCheck:
    plain = CommitCheck(name, outcome, ACTIONS, f"app-{ACTIONS}")
    return replace(plain, **more)


@pytest.mark.parametrize(
    ("contexts", "wanted"),
    [
        pytest.param([], [], id="none"),
        pytest.param(
            [run("build", isRequired=True)], [check("build", required=True)], id="required"
        ),
        pytest.param(
            [run("build", 2, conclusion="FAILURE"), run("build", 1)],
            [check("build", CheckOutcome.FAILURE)],
            id="the newest of a name and App, told first",
        ),
        pytest.param(
            [run("build", 1, conclusion="FAILURE"), run("build", 2)],
            [check("build")],
            id="the newest of a name and App, told last",
        ),
        pytest.param(
            [run("build", 1), run("build", 2, app=9, conclusion="FAILURE")],
            [check("build"), CommitCheck("build", CheckOutcome.FAILURE, 9, "app-9")],
            id="of two Apps",
        ),
        pytest.param(
            [run("build"), status("build", "FAILURE")],
            [check("build"), CommitCheck("build", CheckOutcome.FAILURE)],
            id="a run and a status of one name",
        ),
        pytest.param(
            [run("codegenapp/validation", app=OURS), run("something else of ours", app=OURS)],
            [],
            id="our own",
        ),
        pytest.param(
            [run("codegenapp/validation"), status("codegenapp/validation")],
            [
                check("codegenapp/validation"),
                CommitCheck("codegenapp/validation", CheckOutcome.SUCCESS),
            ],
            id="our name, of others",
        ),
        pytest.param(
            [run("build", app=None)],
            [CommitCheck("build", CheckOutcome.SUCCESS, 0)],
            id="of an App that is gone, which is no status",
        ),
    ],
)
def test_checks(contexts: list[dict[str, Any]], wanted: list[CommitCheck]) -> None:
    assert list(checks_of(contexts, OURS)) == wanted


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        *(
            pytest.param(run("x", conclusion=word), outcome, id=word)
            for word, outcome in {
                "ACTION_REQUIRED": CheckOutcome.ACTION_REQUIRED,
                "CANCELLED": CheckOutcome.CANCELLED,
                "FAILURE": CheckOutcome.FAILURE,
                "NEUTRAL": CheckOutcome.NEUTRAL,
                "SKIPPED": CheckOutcome.SKIPPED,
                "STALE": CheckOutcome.STALE,
                "STARTUP_FAILURE": CheckOutcome.FAILURE,
                "SUCCESS": CheckOutcome.SUCCESS,
                "TIMED_OUT": CheckOutcome.TIMED_OUT,
                "A_NEW_ONE": CheckOutcome.PENDING,
            }.items()
        ),
        *(
            pytest.param(
                run("x", status=word, conclusion=None), CheckOutcome.PENDING, id=f"{word} run"
            )
            for word in ("IN_PROGRESS", "PENDING", "QUEUED", "REQUESTED", "WAITING")
        ),
        *(
            pytest.param(status("x", word), outcome, id=f"{word} status")
            for word, outcome in {
                "ERROR": CheckOutcome.FAILURE,
                "EXPECTED": CheckOutcome.PENDING,
                "FAILURE": CheckOutcome.FAILURE,
                "PENDING": CheckOutcome.PENDING,
                "SUCCESS": CheckOutcome.SUCCESS,
            }.items()
        ),
    ],
)
def test_outcomes(told: dict[str, Any], outcome: CheckOutcome) -> None:
    assert [it.outcome for it in checks_of([told], OURS)] == [outcome]


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        pytest.param(None, GHOST, id="gone"),
        pytest.param(PLAIN["author"], ALICE, id="a person"),
        pytest.param(
            {"__typename": "Bot", "login": "dependabot", "databaseId": 3},
            Account(3, "dependabot[bot]", is_bot=True),
            id="a bot, whose suffix GraphQL leaves out",
        ),
        pytest.param({"__typename": "New", "login": "x"}, Account(0, "x"), id="of a new kind"),
    ],
)
def test_accounts(told: dict[str, Any] | None, wanted: Account) -> None:
    assert account_of(told) == wanted
