"""``Changes``: what people wrote of a change that is validated, for whoever explains a failure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.domain.changes import ChangeContext
from bot.domain.problems import TryAgain
from bot.domain.validation_records import ValidationRecord
from bot.log import get_logger
from bot.ports.github import GitHub, GitHubProblem

log = get_logger()


@dataclass(frozen=True)
class Changes:
    """GitHub knows a pull request's title, and how exactly its two commits differ."""

    github: GitHub

    async def of(self, record: ValidationRecord) -> ChangeContext:
        """The validated commits' change, as far as GitHub says it: it is context only."""
        order = record.order
        known = ChangeContext()
        if order.number is None or order.base_sha is None:
            return known
        try:
            pull = await self.github.pull_request(order.repository, order.number)
            known = ChangeContext(pull.title)
            found = await self.github.comparison(order.repository, order.base_sha, order.head_sha)
        except (TryAgain, GitHubProblem) as fault:
            log.warning("no context of a change", validation=record.id, reason=fault.message)
            return known
        return replace(found, title=pull.title)


async def unasked(_: ValidationRecord) -> ChangeContext:
    """Nothing, where nobody would read it."""
    return ChangeContext()
