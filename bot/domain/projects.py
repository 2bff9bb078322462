"""The project: the record that is kept for every repository of an installation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from bot.domain.repositories import Repository


class ProjectStatus(StrEnum):
    """Whether events of its repository are acted upon."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    REMOVED = "removed"


@dataclass(frozen=True)
class Project:
    """A repository that the App is installed on. ``id`` is a UUID, for ever."""

    id: str
    repository: Repository
    status: ProjectStatus
    created_at: datetime
    updated_at: datetime
    webhook_url: str = ""
    deployment_settings: Mapping[str, Any] = field(default_factory=dict)
    auto_merge_enabled: bool | None = None
    reason: str = ""
    check_left_alone: bool = False

    @property
    def name(self) -> str:
        """``owner/name``, as people call it."""
        return self.repository.full_name
