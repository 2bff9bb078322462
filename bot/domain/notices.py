"""What those who run a project are told outside of GitHub, by the events of ``notifications``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from bot.domain.repositories import Repository
from bot.domain.validations import iso8601


@dataclass(frozen=True)
class Notice:
    """Something worth telling. ``id`` is the same however often it is told of.

    ``url`` is the pull request's page, ``sentence`` what happened, ``person`` who has to look at
    it, empty where nobody in particular.
    """

    id: str
    event: Literal["needs_human", "merge_complete"]
    repository: Repository
    number: int
    url: str
    sentence: str
    at: datetime
    person: str = ""

    def to_json(self) -> Mapping[str, Any]:
        """As it is posted: fields may be added, never renamed."""
        return {
            "id": self.id,
            "event": self.event,
            "repository": self.repository.full_name,
            "pull_request": self.number,
            "url": self.url,
            "text": self.sentence,
            "person": self.person,
            "at": iso8601(self.at),
        }
