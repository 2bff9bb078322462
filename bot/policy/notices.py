"""Which notices a repository's configuration wants."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from bot.domain.effects import Effect, Notify
from bot.domain.ids import derived
from bot.domain.notices import Notice
from bot.domain.repo_config import RepoConfig
from bot.domain.repositories import PullRequest, Repository


def notify(
    config: RepoConfig,
    repository: Repository,
    pull: PullRequest,
    event: Literal["needs_human", "merge_complete"],
    about: str,
    sentence: str,
    at: datetime,
    person: str = "",
) -> tuple[Effect, ...]:
    """The effect that tells, if it is wanted. ``about`` is what is told once."""
    wanted = config.notifications
    if not wanted.webhook_url or event not in wanted.webhook_events:
        return ()
    name = derived("notice", repository.id, pull.number, event, about)
    notice = Notice(name, event, repository, pull.number, pull.url, sentence, at, person)
    return (Notify(wanted.webhook_url, notice),)
