"""How people hear of issues and pull requests: the two events that every family of acts sends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from demo.github.objects import Json
from demo.github.pull_objects import pull_request
from demo.github.state import (
    DeliveryState,
    IssueState,
    PullRequestState,
    RepositoryState,
    User,
)
from demo.github.webhooks import Webhooks


class Telling(Webhooks):
    """What all acts are made on."""

    async def told_of(self, repository: RepositoryState, pull: PullRequestState) -> Json:
        """A pull request as webhooks have it: whether it merges is not known yet."""
        base_sha = await repository.base_sha_of(pull)
        return pull_request(self._objects, repository, pull, base_sha)

    async def tell_of(
        self,
        repository: RepositoryState,
        pull: PullRequestState,
        action: str,
        sender: User,
        more: Mapping[str, Any] | None = None,
    ) -> DeliveryState:
        """Send ``pull_request`` with an action."""
        payload = {
            "action": action,
            "number": pull.number,
            "pull_request": await self.told_of(repository, pull),
            **(more or {}),
        }
        return await self.send("pull_request", payload, repository, sender)

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
