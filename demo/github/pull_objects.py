"""The JSON objects of pull requests, of their reviews and of the threads about their lines."""

from __future__ import annotations

from demo.github.mergeability import Standing
from demo.github.merging_state import ReviewState, ThreadState
from demo.github.objects import Json, Objects, node_id
from demo.github.state import PullRequestState, RepositoryState, iso

UNKNOWN = Standing("unknown")


def pull_request(
    objects: Objects,
    it: RepositoryState,
    pull: PullRequestState,
    base_sha: str,
    standing: Standing = UNKNOWN,
) -> Json:
    """``pull-request``, which has all of ``pull-request-simple``."""
    merged = pull.merged_at is not None
    return (
        _addresses(objects, it, pull)
        | _text(objects, it, pull)
        | {
            "head": _end(objects, it, pull.head_branch, pull.head_sha, pull.head_repository_id),
            "base": _end(objects, it, pull.base_branch, base_sha, it.id),
            "merged_at": iso(pull.merged_at),
            "merge_commit_sha": pull.merge_commit_sha if merged else standing.merge_sha,
            "merged": merged,
            "merged_by": objects.user(pull.merged_by) if pull.merged_by else None,
            "mergeable": standing.mergeable,
            "mergeable_state": standing.state,
            "rebaseable": standing.mergeable,
            "maintainer_can_modify": pull.maintainer_can_modify,
        }
    )


def _addresses(objects: Objects, it: RepositoryState, pull: PullRequestState) -> Json:
    at = f"{objects.url}/repos/{it.full_name}/pulls/{pull.number}"
    issue = f"{objects.url}/repos/{it.full_name}/issues/{pull.number}"
    page = f"{objects.url}/{it.full_name}/pull/{pull.number}"
    links = {
        "self": at,
        "html": page,
        "issue": issue,
        "comments": f"{issue}/comments",
        "review_comments": f"{at}/comments",
        "review_comment": f"{objects.url}/repos/{it.full_name}/pulls/comments{{/number}}",
        "commits": f"{at}/commits",
        "statuses": f"{objects.url}/repos/{it.full_name}/statuses/{pull.head_sha}",
    }
    return {
        "url": at,
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "issue_url": issue,
        "comments_url": links["comments"],
        "commits_url": links["commits"],
        "review_comment_url": links["review_comment"],
        "review_comments_url": links["review_comments"],
        "statuses_url": links["statuses"],
        "_links": {name: {"href": url} for name, url in links.items()},
    }


def _text(objects: Objects, it: RepositoryState, pull: PullRequestState) -> Json:
    return {
        "id": pull.id,
        "node_id": node_id("PR", pull.id),
        "number": pull.number,
        "title": pull.title,
        "body": pull.body or None,
        "state": pull.state,
        "draft": pull.draft,
        "locked": pull.locked,
        "active_lock_reason": None,
        "user": objects.user(pull.author),
        "created_at": iso(pull.created_at),
        "updated_at": iso(pull.updated_at),
        "closed_at": None if pull.state == "open" else iso(pull.closed_at or pull.updated_at),
        "assignee": None,
        "assignees": [],
        "requested_reviewers": [],
        "requested_teams": [],
        "labels": [objects.label(it, name) for name in pull.labels],
        "milestone": None,
        "author_association": "CONTRIBUTOR",
        "auto_merge": None,
        "comments": 0,
        "review_comments": 0,
        "commits": 1,
        "additions": 0,
        "deletions": 0,
        "changed_files": 0,
    }


def _end(
    objects: Objects, it: RepositoryState, ref: str, sha: str, repository_id: int | None
) -> Json:
    other = objects.state.repositories.get(repository_id) if repository_id else None
    owner = other.owner if other else it.owner
    return {
        "label": f"{owner.login}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": objects.user(owner),
        "repo": objects.repository(other) if other else None,
    }


def review(objects: Objects, it: RepositoryState, of: ReviewState) -> Json:
    """``pull-request-review``, with its state in small letters as webhooks have it."""
    pull = f"{objects.url}/repos/{it.full_name}/pulls/{of.number}"
    page = f"{objects.url}/{it.full_name}/pull/{of.number}#pullrequestreview-{of.id}"
    return {
        "id": of.id,
        "node_id": node_id("PRR", of.id),
        "user": objects.user(of.author),
        "body": of.body or None,
        "commit_id": of.commit_id,
        "submitted_at": iso(of.submitted_at),
        "state": of.state,
        "html_url": page,
        "pull_request_url": pull,
        "author_association": "COLLABORATOR",
        "_links": {"html": {"href": page}, "pull_request": {"href": pull}},
    }


def thread(objects: Objects, it: RepositoryState, of: ThreadState) -> Json:
    """A thread, with its comments."""
    said = [objects.state.comments[id_] for id_ in of.comments]
    told = [_line_comment(objects, it, of, objects.comment(it, comment)) for comment in said]
    return {"node_id": node_id("PRRT", of.id), "comments": told}


def _line_comment(objects: Objects, it: RepositoryState, of: ThreadState, said: Json) -> Json:
    """``pull-request-review-comment``, made of the comment's plain object."""
    pull = f"{objects.url}/repos/{it.full_name}/pulls/{of.number}"
    links = {"self": said["url"], "html": said["html_url"], "pull_request": pull}
    sha = it.pull_requests[of.number].head_sha
    return said | {
        "pull_request_review_id": of.id,
        "diff_hunk": "@@ -1 +1 @@",
        "commit_id": sha,
        "original_commit_id": sha,
        "pull_request_url": pull,
        "_links": {name: {"href": url} for name, url in links.items()},
        "original_line": said["line"],
        "start_line": None,
        "original_start_line": None,
        "start_side": None,
        "side": "RIGHT",
        "position": 1,
        "original_position": 1,
        "subject_type": "line",
    }
