"""``StatusComments``: the one comment of an issue or pull request that tells of its agent runs."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta

from bot.domain.conversations import STATUS_MARKER, Conversation
from bot.domain.problems import TryAgain
from bot.domain.pull_request_records import PullRequestRecord
from bot.domain.repositories import Repository
from bot.log import get_logger
from bot.policy.check_view import check_view
from bot.ports.clock import Clock
from bot.ports.github import GitHub, GitHubProblem, NotFound
from bot.ports.records import (
    AgentRuns,
    Conversations,
    PullRequests,
    Unreadable,
    Validations,
)
from bot.ports.renderer import Renderer, ShownValidation, StatusView
from bot.services.check_runs import DetailsUrl

INTENTION = timedelta(minutes=1)
"""How long an intention to make a comment stands while nothing is heard of it."""
REPLICATED = timedelta(seconds=10)
"""How long a comment that GitHub made may not be listed."""

log = get_logger()


class StatusComments:
    """Makes the comment once and edits it from then on; what GitHub refuses fails nothing."""

    def __init__(
        self,
        runs: AgentRuns,
        conversations: Conversations,
        validations: Validations,
        pull_requests: PullRequests,
        github: GitHub,
        renderer: Renderer,
        details_url: DetailsUrl,
        clock: Clock,
    ) -> None:
        self._runs = runs
        self._conversations = conversations
        self._validations = validations
        self._pull_requests = pull_requests
        self._github = github
        self._renderer = renderer
        self._details_url = details_url
        self._clock = clock

    async def publish(self, repository: Repository, number: int, by: str) -> str:
        """Have the comment say what the records say. Raises TryAgain.

        ``by`` names who does it, such that a second try of the same one is known.
        """
        runs = await self._runs.of_issue(repository.id, number)
        pulls = {it.pull_request for it in runs if it.pull_request is not None}
        courses = {it: await self._course(repository, it) for it in sorted(pulls | {number})}
        kept = {it: course for it, course in courses.items() if course is not None}
        if not runs and number not in kept:
            return "there is nothing to tell"
        shown = {pull: await self._shown(repository, pull) for pull in sorted(pulls)}
        validations = {pull: it for pull, it in shown.items() if it is not None}
        now = self._clock.now()
        view = StatusView(number, runs, validations, now, kept)
        body = self._renderer.status(view)
        # The times in it grow by themselves: only what else is new is worth an edit.
        timeless = replace(view, now=runs[0].created_at if runs else now)
        digest = _digest(self._renderer.status(timeless))
        known = await self._conversations.get(repository.id, number)
        if known.comment_id is not None and known.digest == digest:
            return "it says so already"
        try:
            comment_id = await self._upsert(repository, known, body, by)
        except GitHubProblem as refusal:
            log.warning("no status comment", reason=refusal.message)
            return f"GitHub refused: {refusal.message}"
        await self._conversations.keep(replace(known, comment_id=comment_id, digest=digest))
        return f"comment {comment_id}"

    async def _course(self, repository: Repository, number: int) -> PullRequestRecord | None:
        """What is kept of a pull request, where that is worth telling."""
        try:
            record = await self._pull_requests.get(repository, number)
        except Unreadable as fault:
            log.warning("a status comment without its pull request", reason=str(fault))
            return None
        return record if record.is_told else None

    async def _shown(self, repository: Repository, number: int) -> ShownValidation | None:
        record = await self._validations.newest_of(repository.id, number)
        if record is None:
            return None
        title = check_view(record, "").title
        verdict = record.verdict.value if record.verdict else ""
        return ShownValidation(record.order.head_sha, title, verdict, self._details_url(record))

    async def _upsert(self, repository: Repository, kept: Conversation, body: str, by: str) -> int:
        if kept.comment_id is not None:
            try:
                await self._github.update_comment(repository, kept.comment_id, body)
            except NotFound:
                log.info("the status comment was deleted", number=kept.number)
            else:
                return kept.comment_id
        now = self._clock.now()
        if not await self._conversations.intend(kept, by, now, now - INTENTION):
            raise TryAgain("its status comment is being made by somebody else", after=5.0)
        # What was begun before, or by an earlier database, is looked up.
        own = await self._github.own_login()
        async for comment in self._github.comments(repository, kept.number):
            # A marker can be planted by anyone: ours stands first, in our own comment.
            if comment.author == own and comment.body.startswith(STATUS_MARKER):
                if comment.body != body:
                    await self._github.update_comment(repository, comment.id, body)
                return comment.id
        if kept.intended_at is not None and now < kept.intended_at + REPLICATED:
            raise TryAgain("a status comment that was begun may still appear", after=10.0)
        return await self._github.create_comment(repository, kept.number, body)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
