"""The JSON objects of GitHub's answers and webhooks, with every field that its schema asks for."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import quote

from demo.github.links import COUNTS, REPOSITORY_URLS, USER_URLS
from demo.github.merging_state import AppState
from demo.github.state import (
    CommentState,
    DeliveryState,
    InstallationState,
    IssueState,
    PullRequestState,
    RepositoryState,
    State,
    User,
    iso,
    now,
)

Json = dict[str, Any]

REACTIONS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes")

PERMISSIONS = {
    "checks": "write",
    "contents": "write",
    "issues": "write",
    "metadata": "read",
    "pull_requests": "write",
    "statuses": "read",
}
EVENTS = [
    "check_run",
    "check_suite",
    "issue_comment",
    "issues",
    "merge_group",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "pull_request_review_thread",
    "push",
    "repository",
    "status",
]


class Objects:
    """Makes the objects; ``url`` is the stand-in's own, for API and pages alike."""

    def __init__(self, state: State, url: str) -> None:
        self.state = state
        self.url = url

    def user(self, user: User) -> Json:
        """``simple-user``."""
        at = f"{self.url}/users/{user.login}"
        return {name: at + rest for name, rest in USER_URLS.items()} | {
            "id": user.id,
            "node_id": node_id("U", user.id),
            "login": user.login,
            "avatar_url": f"{self.url}/avatars/{user.id}",
            "gravatar_id": "",
            "html_url": f"{self.url}/{user.login}",
            "type": user.kind,
            "site_admin": False,
        }

    def repository(self, it: RepositoryState) -> Json:
        """``full-repository``, which has all of ``repository``."""
        at = f"{self.url}/repos/{it.full_name}"
        page = f"{self.url}/{it.full_name}"
        return (
            {name: at + rest for name, rest in REPOSITORY_URLS.items()}
            | dict.fromkeys(COUNTS, 0)
            | dict.fromkeys(("homepage", "language", "license", "mirror_url", "description"))
            | dict.fromkeys(("has_downloads", "has_issues", "has_projects", "has_wiki"), True)
            | dict.fromkeys(("has_pages", "has_discussions", "archived", "disabled", "fork"), False)
            | {
                "id": it.id,
                "node_id": node_id("R", it.id),
                "name": it.name,
                "full_name": it.full_name,
                "private": it.private,
                "owner": self.user(it.owner),
                "html_url": page,
                "clone_url": f"{page}.git",
                "git_url": f"{page}.git",
                "ssh_url": f"git@stand-in:{it.full_name}.git",
                "svn_url": page,
                "default_branch": it.default_branch,
                "open_issues": len(it.pull_requests),
                "open_issues_count": len(it.pull_requests),
                "pushed_at": iso(it.created_at),
                "created_at": iso(it.created_at),
                "updated_at": iso(it.created_at),
                "visibility": "private" if it.private else "public",
                "topics": [],
                "allow_merge_commit": "merge" in it.allowed_methods,
                "allow_squash_merge": "squash" in it.allowed_methods,
                "allow_rebase_merge": "rebase" in it.allowed_methods,
                "delete_branch_on_merge": it.delete_branch_on_merge,
            }
        )

    def commit(
        self,
        it: RepositoryState,
        *,
        sha: str,
        tree: str,
        parents: list[str],
        by: Json,
        message: str,
    ) -> Json:
        """``commit``. Whose account wrote it is not known."""
        at = f"{self.url}/repos/{it.full_name}"
        page = f"{self.url}/{it.full_name}/commit"
        return {
            "sha": sha,
            "node_id": node_id("C", it.id),
            "url": f"{at}/commits/{sha}",
            "html_url": f"{page}/{sha}",
            "comments_url": f"{at}/commits/{sha}/comments",
            "commit": {
                "url": f"{at}/git/commits/{sha}",
                "author": by,
                "committer": by,
                "message": message,
                "comment_count": 0,
                "verification": {
                    "verified": False,
                    "reason": "unsigned",
                    "signature": None,
                    "payload": None,
                    "verified_at": None,
                },
                "tree": {"sha": tree, "url": f"{at}/git/trees/{tree}"},
            },
            "author": None,
            "committer": None,
            "parents": [
                {"sha": it, "url": f"{at}/commits/{it}", "html_url": f"{page}/{it}"}
                for it in parents
            ],
        }

    def issue(self, it: RepositoryState, issue: IssueState | PullRequestState) -> Json:
        """``issue``: also what a pull request is beside."""
        at = f"{self.url}/repos/{it.full_name}/issues/{issue.number}"
        is_pull_request = isinstance(issue, PullRequestState)
        page = f"{self.url}/{it.full_name}/{'pull' if is_pull_request else 'issues'}/{issue.number}"
        told: Json = {
            "id": issue.id,
            "node_id": node_id("I", issue.id),
            "number": issue.number,
            "title": issue.title,
            "body": issue.body or None,
            "state": issue.state,
            "locked": issue.locked,
            "active_lock_reason": None,
            "user": self.user(issue.author),
            "author_association": "CONTRIBUTOR",
            "url": at,
            "html_url": page,
            "repository_url": f"{self.url}/repos/{it.full_name}",
            "labels_url": f"{at}/labels{{/name}}",
            "comments_url": f"{at}/comments",
            "events_url": f"{at}/events",
            "labels": [self.label(it, name) for name in issue.labels],
            "assignee": None,
            "assignees": [],
            "milestone": None,
            "comments": len(self.state.conversation(it, issue.number)),
            "created_at": iso(issue.created_at),
            "updated_at": iso(issue.updated_at),
            "closed_at": None if issue.state == "open" else iso(issue.updated_at),
            "performed_via_github_app": None,
            "reactions": _rollup(at, issue.reactions),
        }
        if is_pull_request:
            told["pull_request"] = {
                "url": f"{self.url}/repos/{it.full_name}/pulls/{issue.number}",
                "html_url": page,
                "diff_url": f"{page}.diff",
                "patch_url": f"{page}.patch",
            }
        return told

    def label(self, it: RepositoryState, name: str) -> Json:
        """``label``; its number follows from its name."""
        return {
            "id": int(hashlib.sha256(name.encode()).hexdigest()[:8], 16),
            "node_id": node_id("LA", it.id),
            "url": f"{self.url}/repos/{it.full_name}/labels/{quote(name)}",
            "name": name,
            "color": "ededed",
            "default": False,
            "description": None,
        }

    def comment(self, it: RepositoryState, comment: CommentState) -> Json:
        """``issue-comment``; an inline one has its place, a review its state beside."""
        at = f"{self.url}/repos/{it.full_name}/issues"
        by_app = comment.author is self.state.app_account
        kind = "pull" if comment.number in it.pull_requests else "issues"
        page = f"{self.url}/{it.full_name}/{kind}/{comment.number}#issuecomment-{comment.id}"
        told: Json = {
            "id": comment.id,
            "node_id": node_id("IC", comment.id),
            "url": f"{at}/comments/{comment.id}",
            "html_url": page,
            "issue_url": f"{at}/{comment.number}",
            "user": self.user(comment.author),
            "body": comment.body,
            "author_association": "CONTRIBUTOR",
            "created_at": iso(comment.created_at),
            "updated_at": iso(comment.updated_at),
            "performed_via_github_app": self.app() if by_app else None,
            "reactions": _rollup(f"{at}/comments/{comment.id}", comment.reactions),
        }
        if comment.kind == "inline":
            told |= {"path": "src/list.ts", "line": 35}
        if comment.kind == "review":
            told["state"] = "commented"
        return told

    def reaction(self, user: User, to: int, content: str) -> Json:
        """``reaction``, ``to`` the comment or issue of this id."""
        return {
            "id": to * 10 + REACTIONS.index(content),
            "node_id": node_id("REA", to),
            "user": self.user(user),
            "content": content,
            "created_at": iso(now()),
        }

    def installation(self, it: InstallationState) -> Json:
        """``installation``."""
        at = f"{self.url}/app/installations/{it.id}"
        return {
            "id": it.id,
            "account": self.user(it.account),
            "app_id": self.state.app_id,
            "app_slug": self.state.app_slug,
            "target_id": it.account.id,
            "target_type": it.account.kind,
            "single_file_name": None,
            "repository_selection": "all",
            "access_tokens_url": f"{at}/access_tokens",
            "repositories_url": f"{self.url}/installation/repositories",
            "html_url": f"{self.url}/settings/installations/{it.id}",
            "events": EVENTS,
            "permissions": PERMISSIONS,
            "created_at": iso(it.created_at),
            "updated_at": iso(it.created_at),
            "suspended_at": iso(it.suspended_at),
            "suspended_by": self.user(it.account) if it.suspended_at else None,
        }

    def app(self, other: AppState | None = None) -> Json:
        """``integration``: the App under test, or another."""
        id_ = other.id if other else self.state.app_id
        slug = other.slug if other else self.state.app_slug
        return {
            "id": id_,
            "slug": slug,
            "node_id": node_id("A", id_),
            "owner": self.user(self.state.user("acme", "Organization")),
            "name": other.name if other else "CodegenApp",
            "description": None,
            "external_url": self.url,
            "html_url": f"{self.url}/apps/{slug}",
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z",
            "permissions": PERMISSIONS,
            "events": EVENTS,
            "installations_count": len(self.state.installations),
        }

    def delivery(self, it: DeliveryState) -> Json:
        """``hook-delivery-item``."""
        return {
            "id": it.id,
            "guid": it.guid,
            "delivered_at": iso(it.delivered_at),
            "redelivery": it.redelivery,
            "duration": 0.03,
            "status": "OK" if it.status_code < 300 else "failed to deliver",
            "status_code": it.status_code,
            "event": it.event,
            "action": it.action,
            "installation_id": it.installation_id,
            "repository_id": it.repository_id,
            "throttled_at": None,
        }


def _rollup(at: str, reactions: list[tuple[str, str]]) -> Json:
    """``reaction-rollup``."""
    given = [content for _, content in reactions]
    counts = {content: given.count(content) for content in REACTIONS}
    return {"url": f"{at}/reactions", "total_count": len(given), **counts}


def node_id(kind: str, number: int) -> str:
    """The name that GraphQL knows it by."""
    return f"{kind}_{number}"
