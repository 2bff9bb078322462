"""``OwnComments``: one comment for each marker, made once and edited from then on."""

from __future__ import annotations

from bot.domain.repositories import Repository
from bot.log import get_logger
from bot.ports.github import GitHub, GitHubProblem

log = get_logger()


class OwnComments:
    """A marker can be planted by anyone: ours stands first, in our own comment."""

    def __init__(self, github: GitHub) -> None:
        self._github = github

    async def upsert(self, repository: Repository, number: int, marker: str, body: str) -> str:
        """Have one comment that begins with a marker say this. Raises TryAgain.

        What GitHub refuses is told in words: a comment never fails what it tells of.
        """
        try:
            return await self._upsert(repository, number, marker, body)
        except GitHubProblem as refusal:
            log.warning("no comment", number=number, reason=refusal.message)
            return f"GitHub refused: {refusal.message}"

    async def _upsert(self, repository: Repository, number: int, marker: str, body: str) -> str:
        own = await self._github.own_login()
        async for comment in self._github.comments(repository, number):
            if comment.author == own and comment.body.startswith(marker):
                if comment.body != body:
                    await self._github.update_comment(repository, comment.id, body)
                return f"comment {comment.id}"
        return f"comment {await self._github.create_comment(repository, number, body)}"
