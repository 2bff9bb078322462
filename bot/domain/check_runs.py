"""The check run that GitHub shows for a validation: ``codegenapp/validation``, one per head SHA."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.validations import Finding

CHECK_NAME = "codegenapp/validation"
MAXIMUM_TEXT_BYTES = 65_535
"""Of ``summary`` and of ``text``, each, in UTF-8; GitHub answers 422 above it."""
MAXIMUM_TITLE = 255
MAXIMUM_ACTIONS = 3
ANNOTATIONS_A_REQUEST = 50


class CheckStatus(StrEnum):
    """Where a check run stands; a completed one never goes back."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"


class Conclusion(StrEnum):
    """How a completed check run ended, in GitHub's words."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    TIMED_OUT = "timed_out"
    ACTION_REQUIRED = "action_required"


@dataclass(frozen=True)
class CheckAction:
    """A button: label of 20 characters, description of 40, identifier of 20 at most."""

    label: str
    description: str
    identifier: str


@dataclass(frozen=True)
class CheckView:
    """All that a check run shows. ``summary`` and ``text`` are Markdown, already cut to size."""

    head_sha: str
    external_id: str
    status: CheckStatus
    title: str
    summary: str
    text: str = ""
    details_url: str = ""
    conclusion: Conclusion | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    annotations: tuple[Finding, ...] = ()
    actions: tuple[CheckAction, ...] = ()


@dataclass(frozen=True)
class CheckRun:
    """A check run as GitHub keeps it."""

    id: int
    external_id: str
    status: CheckStatus
    conclusion: Conclusion | None = None
