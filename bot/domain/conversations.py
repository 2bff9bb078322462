"""What is kept of an issue or pull request as a place where the bot speaks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.domain.repositories import Account

STATUS_MARKER = "<!-- codegenapp:status -->"
"""What the status comment of an issue or pull request is found by, beside its author."""


@dataclass(frozen=True)
class Conversation:
    """The status comment of an issue or pull request.

    ``comment_id`` is GitHub's, None until there is one; ``intended_at`` when one was last about to
    be made; ``digest`` is that of what it says.
    """

    repository_id: int
    number: int
    comment_id: int | None = None
    intended_at: datetime | None = None
    digest: str = ""


@dataclass(frozen=True)
class Issue:
    """An issue, or what a pull request is beside, as GitHub tells it now."""

    number: int
    title: str
    body: str
    url: str
    author: Account
    is_open: bool
    is_pull_request: bool
    labels: tuple[str, ...] = ()
