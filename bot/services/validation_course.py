"""One validation under way: what was asked for, and what its stages have said so far."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from bot.domain.changes import ChangeContext
from bot.domain.config_parser import ParsedConfig
from bot.domain.exploring import Exploration
from bot.domain.plan import (
    Plan,
    Stage,
    StageAttachment,
    StageEvent,
    StageFinished,
    StageNote,
    StageResult,
    StageStarted,
)
from bot.domain.source import Origin
from bot.domain.validations import Validation, ValidationResult, ValidationStatus
from bot.domain.web import WebBase
from bot.policy.code_analysis import CodeAnalysisReport
from bot.policy.matchers import Matcher
from bot.ports.clock import Clock
from bot.ports.sandbox import Emit, Environment

MOST_ATTACHMENTS = 160
"""Files of one validation: the sandbox bounds their size."""


@dataclass(frozen=True)
class ValidationRequest:
    """What to validate and how. ``scope`` keeps the snapshots of repositories apart.

    ``secrets`` are values by name; a step sees one only where the configuration gives it that.
    ``trusted`` code may use them, start services and write snapshots. ``config`` stands in place of
    the tree's own configuration (the default branch's does for a pull request). ``environment_id``
    is a UUID, drawn where it is empty. ``change`` is what people wrote of the change: data.
    ``web_base`` is what is known of the base's look. ``for_the_browser`` is a validation of which
    nobody wants a verdict: it does no more than what the web evaluation needs.
    """

    origin: Origin
    scope: str
    secrets: Mapping[str, str] = field(default_factory=dict)
    trusted: bool = True
    stop_after: Stage | None = None
    maximum_timeout_minutes: int = 30
    kept: bool = False
    config: ParsedConfig | None = None
    base_sha: str | None = None
    change: ChangeContext = field(default_factory=ChangeContext)
    environment_id: str = ""
    web_base: WebBase | None = None
    for_the_browser: bool = False


@dataclass
class Course:
    """One validation under way: its record, and what its stages have said so far."""

    validation: Validation
    request: ValidationRequest
    emit: Emit
    clock: Clock
    plan: Plan = field(default_factory=Plan)
    environment: Environment | None = None
    stages: list[StageResult] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    paths: frozenset[str] = frozenset()
    files: Mapping[str, str] = field(default_factory=dict)
    missing_secrets: Mapping[str, Collection[str]] = field(default_factory=dict)
    matchers: tuple[Matcher, ...] = ()
    attachments: list[StageAttachment] = field(default_factory=list)
    code: CodeAnalysisReport | None = None
    exploration: Exploration | None = None
    under_way: StageStarted | None = None
    fault: str | None = None
    cancelled: bool = False
    has_boxes: bool = False
    result: ValidationResult | None = None
    is_told: bool = False

    async def take(self, event: StageEvent) -> None:
        """Remember what an event says, and pass it on."""
        match event:
            case StageStarted():
                self.under_way = event
            case StageFinished(result):
                self.under_way = None
                self.stages.append(result)
            case StageNote(_, text):
                self.notes.append(text)
            case StageAttachment() if len(self.attachments) < MOST_ATTACHMENTS:
                self.attachments.append(event)
        await self.emit(event)

    def go(self, status: ValidationStatus) -> None:
        """Move the record to its next state."""
        self.validation = self.validation.to(status, at=self.clock.now())
