"""``Replies``: the bot's reactions and its one reply to a comment."""

from __future__ import annotations

from bot.domain.comments import Answer, Standing
from bot.domain.effects import React, Reply
from bot.domain.problems import TryAgain
from bot.domain.validation_records import ValidationRecord
from bot.log import get_logger
from bot.ports.github import GitHub, GitHubProblem
from bot.ports.records import AgentRuns, Validations
from bot.ports.renderer import Renderer
from bot.services.check_runs import DetailsUrl
from bot.services.own_comments import OwnComments

MOST_RUNS = 10
"""That a reply tells of, the newest ones."""

log = get_logger()


class Replies:
    """Speaks in conversations; what GitHub refuses here never fails a command."""

    def __init__(
        self,
        github: GitHub,
        validations: Validations,
        runs: AgentRuns,
        renderer: Renderer,
        details_url: DetailsUrl,
    ) -> None:
        self._github = github
        self._comments = OwnComments(github)
        self._validations = validations
        self._runs = runs
        self._renderer = renderer
        self._details_url = details_url

    async def react(self, effect: React) -> str:
        """Have a reaction; one that fails is let go."""
        try:
            await self._github.react(effect.repository, effect.comment, effect.reaction)
        except (GitHubProblem, TryAgain) as fault:
            log.info("no reaction", reason=fault.message)
            return f"no reaction: {fault.message}"
        return effect.reaction.value

    async def reply(self, effect: Reply) -> str:
        """Have one reply with these answers: the known one is edited. Raises TryAgain."""
        found = [await self._record(answer) for answer in effect.answers]
        records = {it.id: it for it in found if it is not None}
        urls = {it.id: self._details_url(it) for it in records.values()}
        named = [id_ for it in effect.answers if isinstance(it, Standing) for id_ in it.run_ids]
        runs = [await self._runs.get(id_) for id_ in named[:MOST_RUNS]]
        shown = {it.id: it for it in runs if it is not None}
        body = self._renderer.reply(effect, records, urls, shown)
        comment = effect.comment
        return await self._comments.upsert(
            effect.repository, comment.number, comment.reply_marker, body
        )

    async def _record(self, answer: Answer) -> ValidationRecord | None:
        if not isinstance(answer, Standing) or answer.validation_id is None:
            return None
        return await self._validations.get(answer.validation_id)
