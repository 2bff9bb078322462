"""What people do with issues and conversations: open, label, close, comment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from demo.github.conversations import add_comment
from demo.github.state import (
    CommentState,
    DeliveryState,
    IssueState,
    RepositoryState,
    User,
    now,
)
from demo.github.webhooks import Webhooks


class IssueActs(Webhooks):
    """Each does what GitHub does then, and sends what GitHub sends."""

    def open_issue(
        self, repository: RepositoryState, *, author: User, title: str, body: str = ""
    ) -> IssueState:
        """Open an issue, and tell nobody."""
        issue = IssueState(
            next(self.state.ids), repository.next_number, title, body, author, now(), now()
        )
        repository.issues[issue.number] = issue
        return issue

    async def report_issue(
        self, repository: RepositoryState, *, author: User, title: str, body: str = ""
    ) -> IssueState:
        """Open an issue, and tell of it."""
        issue = self.open_issue(repository, author=author, title=title, body=body)
        await self.tell_of_issue(repository, issue, "opened", author)
        return issue

    async def label_issue(
        self, repository: RepositoryState, issue: IssueState, label: str, *, sender: User
    ) -> None:
        """Put a label on an issue, and tell of it; one that it has changes nothing."""
        if label in issue.labels:
            return
        issue.labels.append(label)
        issue.updated_at = now()
        more = {"label": self._objects.label(repository, label)}
        await self.tell_of_issue(repository, issue, "labeled", sender, more)

    async def close_issue(
        self, repository: RepositoryState, issue: IssueState, *, sender: User
    ) -> None:
        """Close an issue, and tell of it."""
        issue.state, issue.updated_at = "closed", now()
        await self.tell_of_issue(repository, issue, "closed", sender)

    async def tell_of_issue(
        self,
        repository: RepositoryState,
        issue: IssueState,
        action: str,
        sender: User,
        more: Mapping[str, Any] | None = None,
    ) -> DeliveryState:
        """Send ``issues`` with an action."""
        payload = {
            "action": action,
            "issue": self._objects.issue(repository, issue),
            **(more or {}),
        }
        return await self.send("issues", payload, repository, sender)

    async def comment(
        self,
        repository: RepositoryState,
        number: int,
        body: str,
        *,
        author: User,
        kind: str = "issue",
    ) -> CommentState:
        """Write a comment, a ``review`` or an ``inline`` comment, and tell of it.

        Raises Forbidden where the conversation is locked and the author may not write.
        """
        made = add_comment(self.state, repository, number, author, body, kind)
        await self.tell_of_comment(repository, made)
        return made

    async def tell_of_comment(
        self, repository: RepositoryState, it: CommentState, action: str = "", guid: str = ""
    ) -> DeliveryState:
        """Send the event of a comment, by its kind."""
        told = self._objects.comment(repository, it)
        pull = repository.pull_requests.get(it.number)
        payload: dict[str, Any] = {"action": action or "created", "comment": told}
        event = "issue_comment"
        if it.kind == "issue":
            issue = repository.issue(it.number)
            assert issue is not None
            payload["issue"] = self._objects.issue(repository, issue)
        else:
            assert pull is not None
            base_sha = await repository.commit(pull.base_branch)
            payload["pull_request"] = self._objects.pull_request(repository, pull, base_sha)
            event = "pull_request_review_comment"
            if it.kind == "review":
                event = "pull_request_review"
                payload |= {"action": action or "submitted", "review": payload.pop("comment")}
        return await self.send(event, payload, repository, it.author, guid=guid)
