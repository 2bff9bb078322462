"""What people do with issues and conversations: open, label, close, comment."""

from __future__ import annotations

from typing import Any

from demo.github.commenting import add_comment
from demo.github.state import (
    CommentState,
    DeliveryState,
    IssueState,
    PullRequestState,
    RepositoryState,
    User,
    now,
)
from demo.github.telling import Telling


class IssueActs(Telling):
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
        self,
        repository: RepositoryState,
        issue: IssueState | PullRequestState,
        label: str,
        *,
        sender: User,
    ) -> None:
        """Put a label on an issue or pull request, and tell of it; one that it has is no change."""
        if label in issue.labels:
            return
        issue.labels.append(label)
        await self._tell_of_label(repository, issue, "labeled", label, sender)

    async def unlabel_issue(
        self,
        repository: RepositoryState,
        issue: IssueState | PullRequestState,
        label: str,
        *,
        sender: User,
    ) -> None:
        """Take a label off an issue or pull request, and tell of it. Raises LookupError."""
        if label not in issue.labels:
            raise LookupError(label)
        issue.labels.remove(label)
        await self._tell_of_label(repository, issue, "unlabeled", label, sender)

    async def _tell_of_label(
        self,
        repository: RepositoryState,
        issue: IssueState | PullRequestState,
        action: str,
        label: str,
        sender: User,
    ) -> None:
        issue.updated_at = now()
        more = {"label": self._objects.label(repository, label)}
        if isinstance(issue, PullRequestState):
            await self.tell_of(repository, issue, action, sender, more)
        else:
            await self.tell_of_issue(repository, issue, action, sender, more)

    async def close_issue(
        self, repository: RepositoryState, issue: IssueState, *, sender: User
    ) -> None:
        """Close an issue, and tell of it."""
        issue.state, issue.updated_at = "closed", now()
        await self.tell_of_issue(repository, issue, "closed", sender)

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
            payload["pull_request"] = await self.told_of(repository, pull)
            event = "pull_request_review_comment"
            if it.kind == "review":
                event = "pull_request_review"
                payload |= {"action": action or "submitted", "review": payload.pop("comment")}
        return await self.send(event, payload, repository, it.author, guid=guid)
