"""GraphQL's words for a pull request to what a merge hangs on. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from bot.adapters.github.reading import GHOST
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

Json = Mapping[str, Any]

_MERGEABLE: Final[Mapping[str, bool]] = {"MERGEABLE": True, "CONFLICTING": False}
_CONCLUSIONS: Final[Mapping[str, CheckOutcome]] = {
    "ACTION_REQUIRED": CheckOutcome.ACTION_REQUIRED,
    "CANCELLED": CheckOutcome.CANCELLED,
    "FAILURE": CheckOutcome.FAILURE,
    "NEUTRAL": CheckOutcome.NEUTRAL,
    "SKIPPED": CheckOutcome.SKIPPED,
    "STALE": CheckOutcome.STALE,
    "STARTUP_FAILURE": CheckOutcome.FAILURE,
    "SUCCESS": CheckOutcome.SUCCESS,
    "TIMED_OUT": CheckOutcome.TIMED_OUT,
}
_STATES: Final[Mapping[str, CheckOutcome]] = {
    "ERROR": CheckOutcome.FAILURE,
    "EXPECTED": CheckOutcome.PENDING,
    "FAILURE": CheckOutcome.FAILURE,
    "PENDING": CheckOutcome.PENDING,
    "SUCCESS": CheckOutcome.SUCCESS,
}
_METHODS: Final[Mapping[MergeMethod, str]] = {
    MergeMethod.SQUASH: "squashMergeAllowed",
    MergeMethod.MERGE: "mergeCommitAllowed",
    MergeMethod.REBASE: "rebaseMergeAllowed",
}


def situation_of(
    repository: Json, pull: Json, contexts: Sequence[Json], threads: Sequence[Json], app_id: int
) -> MergeSituation:
    """A pull request's situation.

    ``repository`` has the settings and ``pull`` the rest; ``contexts`` and ``threads`` are those
    of all pages. ``app_id`` is our own App's, whose check runs are none that we wait for.
    """
    commit = head_commit_of(pull)
    return MergeSituation(
        pull=_pull_request_of(pull),
        body=pull["body"] or "",
        labels=tuple(it["name"] for it in _nodes(pull["labels"])),
        merged=pull["merged"],
        merge_sha=(pull["mergeCommit"] or {}).get("oid") or "",
        merged_at=_time(pull["mergedAt"]),
        mergeable=_MERGEABLE.get(pull["mergeable"]),
        review_decision=_decision_of(pull["reviewDecision"]),
        reviews=tuple(_reviews_of(_nodes(pull["latestOpinionatedReviews"]))),
        checks=checks_of(contexts, app_id) if commit else (),
        unresolved_conversations=sum(not it["isResolved"] for it in threads),
        allowed_methods=tuple(it for it, key in _METHODS.items() if repository[key]),
        queue_required=pull["isMergeQueueEnabled"],
        in_merge_queue=pull["isInMergeQueue"],
        linked_issues=tuple(
            it["number"]
            for it in _nodes(pull["closingIssuesReferences"])
            if it["repository"]["databaseId"] == repository["databaseId"]
        ),
        node_id=pull["id"],
    )


def head_commit_of(pull: Json) -> Json | None:
    """The head's commit, None where GitHub still tells of the one before (right after a push)."""
    for node in _nodes(pull["commits"]):
        commit: Json = node["commit"]
        if commit["oid"] == pull["headRefOid"]:
            return commit
    return None


def checks_of(contexts: Iterable[Json], app_id: int) -> tuple[CommitCheck, ...]:
    """The newest check run of each name and App but ours, and each context's status."""
    newest: dict[tuple[str, int | None, bool], tuple[int, CommitCheck]] = {}
    for told in contexts:
        is_run = told["__typename"] == "CheckRun"
        check = _run_of(told) if is_run else _status_of(told)
        if is_run and check.app_id == app_id:
            continue
        order = (told["databaseId"] or 0) if is_run else 0
        key = (check.name, check.app_id, is_run)
        if key not in newest or newest[key][0] <= order:
            newest[key] = (order, check)
    return tuple(check for _, check in newest.values())


def _run_of(told: Json) -> CommitCheck:
    app = (told["checkSuite"] or {}).get("app") or {}
    done = told["status"] == "COMPLETED"
    outcome = _CONCLUSIONS.get(told["conclusion"] or "") if done else CheckOutcome.PENDING
    return CommitCheck(
        name=told["name"],
        outcome=outcome or CheckOutcome.PENDING,
        app_id=app.get("databaseId") or NO_APP,
        app_slug=app.get("slug") or "",
        required=bool(told["isRequired"]),
    )


NO_APP: Final = 0
"""An App that is gone: no status, and nobody's that a rule could ask for."""


def _status_of(told: Json) -> CommitCheck:
    outcome = _STATES.get(told["state"], CheckOutcome.PENDING)
    return CommitCheck(told["context"], outcome, required=bool(told["isRequired"]))


def _pull_request_of(told: Json) -> PullRequest:
    return PullRequest(
        number=told["number"],
        title=told["title"],
        url=told["url"],
        author=account_of(told["author"]),
        is_open=told["state"] == "OPEN",
        draft=told["isDraft"],
        head_sha=told["headRefOid"],
        head_branch=told["headRefName"],
        head_repository_id=(told["headRepository"] or {}).get("databaseId"),
        base_sha=told["baseRefOid"],
        base_branch=told["baseRefName"],
        updated_at=_time(told["updatedAt"]),
        maintainer_can_modify=told["maintainerCanModify"],
    )


def account_of(told: Json | None) -> Account:
    """Who did something, as REST and webhooks name them: GraphQL leaves ``[bot]`` out."""
    if not told:
        return GHOST
    is_bot = told["__typename"] == "Bot"
    login = str(told["login"])
    if is_bot and not login.endswith("[bot]"):
        login += "[bot]"
    return Account(told.get("databaseId") or 0, login, is_bot)


def _decision_of(told: str | None) -> ReviewDecision | None:
    word = (told or "").lower()
    return ReviewDecision(word) if word in set(ReviewDecision) else None


def _reviews_of(nodes: Iterable[Json]) -> Iterator[Review]:
    for told in nodes:
        word = str(told["state"]).lower()
        if word in set(ReviewState):
            sha = (told["commit"] or {}).get("oid") or ""
            at = _time(told["submittedAt"])
            yield Review(account_of(told["author"]), ReviewState(word), sha, at)


def _nodes(connection: Json | None) -> list[Json]:
    """What a connection lists, as far as the App may see it."""
    return [it for it in (connection or {}).get("nodes") or () if it]


def _time(told: str | None) -> datetime | None:
    return datetime.fromisoformat(told) if told else None
