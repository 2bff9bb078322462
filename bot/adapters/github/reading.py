"""GitHub's JSON to the product's words, and a check's view to GitHub's JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from bot.domain.changes import ChangeContext, Hunk
from bot.domain.check_runs import (
    ANNOTATIONS_A_REQUEST,
    CHECK_NAME,
    CheckRun,
    CheckStatus,
    CheckView,
    Conclusion,
)
from bot.domain.comments import Comment
from bot.domain.conversations import Issue
from bot.domain.repositories import Account, PullRequest, Repository
from bot.domain.validations import Finding, iso8601

Json = Mapping[str, Any]

GHOST = Account(10137, "ghost")
"""GitHub's account for what a deleted one has left."""

_HUNK = re.compile(r"^(?=@@ )", re.MULTILINE)


def repository_of(told: Json, installation_id: int) -> Repository:
    """A repository."""
    return Repository(
        id=told["id"],
        owner=told["owner"]["login"],
        name=told["name"],
        installation_id=installation_id,
        private=told["private"],
        default_branch=told.get("default_branch") or "",
    )


def issue_of(told: Json) -> Issue:
    """An issue."""
    return Issue(
        number=told["number"],
        title=told["title"],
        body=told.get("body") or "",
        url=told["html_url"],
        author=_author(told),
        is_open=told["state"] == "open",
        is_pull_request="pull_request" in told,
        labels=tuple(it if isinstance(it, str) else it.get("name", "") for it in told["labels"]),
    )


def _author(told: Json) -> Account:
    """Who opened it; what a deleted account leaves is GitHub's ghost's."""
    author = told.get("user")
    if not author:
        return GHOST
    return Account(author["id"], author["login"], author.get("type") == "Bot")


def change_of(told: Json) -> ChangeContext:
    """A comparison of two commits."""
    return ChangeContext(
        commit_messages=tuple(it["commit"]["message"] for it in told["commits"]),
        hunks=tuple(
            Hunk(file["filename"], text)
            for file in told.get("files") or ()
            for text in _HUNK.split(file.get("patch") or "")
            if text
        ),
    )


def paths_of(file: Json) -> Iterator[str]:
    """A changed file's paths: its name, and the one that it had."""
    yield file["filename"]
    if file.get("previous_filename"):
        yield file["previous_filename"]


def tree_of(commit: Json) -> str:
    """What names the content of a commit."""
    return str(commit["commit"]["tree"]["sha"])


def pull_request_of(told: Json) -> PullRequest:
    """A pull request; a list of them does not tell ``maintainer_can_modify``."""
    head_repository = told["head"].get("repo")
    return PullRequest(
        number=told["number"],
        title=told["title"],
        url=told["html_url"],
        author=_author(told),
        is_open=told["state"] == "open",
        draft=bool(told.get("draft")),
        head_sha=told["head"]["sha"],
        head_branch=told["head"]["ref"],
        head_repository_id=head_repository["id"] if head_repository else None,
        base_sha=told["base"]["sha"],
        base_branch=told["base"]["ref"],
        updated_at=datetime.fromisoformat(told["updated_at"]),
        maintainer_can_modify=bool(told.get("maintainer_can_modify")),
    )


def check_run_of(told: Json) -> CheckRun:
    """A check run; a conclusion that we never give (``stale``) is none."""
    status, concluded = str(told["status"]), str(told.get("conclusion"))
    return CheckRun(
        id=told["id"],
        external_id=told.get("external_id") or "",
        status=CheckStatus(status) if status in set(CheckStatus) else CheckStatus.QUEUED,
        conclusion=Conclusion(concluded) if concluded in set(Conclusion) else None,
    )


def comment_of(told: Json) -> Comment:
    """A comment; one of a deleted account is the ghost's."""
    return Comment(told["id"], (told.get("user") or {}).get("login", "ghost"), told["body"] or "")


def payloads(view: CheckView, *, fresh: bool) -> Iterator[dict[str, Any]]:
    """The requests that bring a check run to a view: one, or more for more than 50 annotations.

    GitHub appends annotations and removes none, so that they go out with the conclusion only; the
    last request is the one that concludes.
    """
    annotations = [_annotation(finding) for finding in view.annotations if finding.line is not None]
    batches = [
        annotations[at : at + ANNOTATIONS_A_REQUEST]
        for at in range(0, len(annotations), ANNOTATIONS_A_REQUEST)
    ] or [[]]
    for number, batch in enumerate(batches):
        last = number == len(batches) - 1
        yield _payload(view, batch, fresh=fresh and number == 0, concluded=last)


def _payload(
    view: CheckView, annotations: list[dict[str, Any]], *, fresh: bool, concluded: bool
) -> dict[str, Any]:
    output: dict[str, Any] = {"title": view.title, "summary": view.summary}
    if view.text:
        output["text"] = view.text
    if annotations:
        output["annotations"] = annotations
    payload: dict[str, Any] = {"external_id": view.external_id, "output": output}
    if fresh:
        payload |= {"name": CHECK_NAME, "head_sha": view.head_sha}
    if view.details_url:
        payload["details_url"] = view.details_url
    if view.started_at is not None:
        payload["started_at"] = iso8601(view.started_at)
    if view.conclusion is None or not concluded:
        status = CheckStatus.IN_PROGRESS if view.conclusion is not None else view.status
        return payload | {"status": status.value}
    payload |= {"status": "completed", "conclusion": view.conclusion.value}
    if view.completed_at is not None:
        payload["completed_at"] = iso8601(view.completed_at)
    payload["actions"] = [
        {"label": it.label, "description": it.description, "identifier": it.identifier}
        for it in view.actions
    ]
    return payload


def _annotation(finding: Finding) -> dict[str, Any]:
    annotation: dict[str, Any] = {
        "path": finding.file,
        "start_line": finding.line,
        "end_line": finding.line,
        "annotation_level": finding.level.value,
        "message": finding.message[:8000] or "see the report",
    }
    if finding.column is not None:
        annotation |= {"start_column": finding.column, "end_column": finding.column}
    if finding.rule:
        annotation["title"] = finding.rule[:255]
    return annotation
