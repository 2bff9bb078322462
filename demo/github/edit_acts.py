"""What people do with a pull request's own words: its title, its base, whether it is a draft."""

from __future__ import annotations

from typing import Any

from demo.github.state import PullRequestState, RepositoryState, User, now
from demo.github.telling import Telling


class EditActs(Telling):
    """Each does what GitHub does then, and sends what GitHub sends."""

    async def edit_pull_request(
        self,
        repository: RepositoryState,
        pull: PullRequestState,
        *,
        sender: User,
        title: str = "",
        body: str | None = None,
        base: str = "",
    ) -> None:
        """Change what is given, and tell of it. Raises LookupError where there is no such base."""
        changes: dict[str, Any] = {}
        if title and title != pull.title:
            changes["title"], pull.title = {"from": pull.title}, title
        if body is not None and body != pull.body:
            changes["body"], pull.body = {"from": pull.body}, body
        if base and base != pull.base_branch:
            before = await repository.base_sha_of(pull)
            await repository.commit(f"refs/heads/{base}")
            changes["base"] = {"ref": {"from": pull.base_branch}, "sha": {"from": before}}
            pull.base_branch = base
        if changes:
            pull.updated_at = now()
            await self.tell_of(repository, pull, "edited", sender, {"changes": changes})

    async def make_draft(
        self, repository: RepositoryState, pull: PullRequestState, *, sender: User
    ) -> None:
        """Say that it is not ready."""
        pull.draft, pull.updated_at = True, now()
        await self.tell_of(repository, pull, "converted_to_draft", sender)

    async def make_ready(
        self, repository: RepositoryState, pull: PullRequestState, *, sender: User
    ) -> None:
        """Say that it is ready for review."""
        pull.draft, pull.updated_at = False, now()
        await self.tell_of(repository, pull, "ready_for_review", sender)
