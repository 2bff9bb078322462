"""The record of a validation in the database, and what may become of it.

A record belongs to (repository id, head SHA, attempt). A retry for a fault of the machine is
another ``tries`` of the same attempt: the same record, the same check run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.domain.effects import ValidationOrder
from bot.domain.plan import Stage
from bot.domain.validations import FailureClass, ValidationStatus, Verdict

FINAL = frozenset({ValidationStatus.COMPLETED, ValidationStatus.CANCELLED, ValidationStatus.ERROR})


@dataclass(frozen=True)
class ValidationRecord:
    """One attempt to validate one commit, as it stands.

    ``pull_requests`` are the numbers of those that want it. ``stage`` is the one under way.
    ``result`` is the public JSON of the ended validation; ``summary`` and ``detail`` are its report
    in Markdown, cut to what GitHub takes. ``check_run_id`` is GitHub's, None until it is known;
    ``check_intended_by`` and ``check_intended_at`` say who began to make one, and when.
    ``check_concluded`` says that GitHub was told the end. ``version`` counts the changes.
    ``job_id`` is the newest job's; ``tries`` counts the jobs that there were.
    """

    id: str
    order: ValidationOrder
    created_at: datetime
    status: ValidationStatus = ValidationStatus.REQUESTED
    project_id: str | None = None
    agent_run_id: str | None = None
    pull_requests: frozenset[int] = frozenset()
    environment_id: str | None = None
    stage: Stage | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    verdict: Verdict | None = None
    failure_class: FailureClass | None = None
    title: str = ""
    reason: str = ""
    result: Mapping[str, Any] | None = None
    summary: str = ""
    detail: str = ""
    report_id: str | None = None
    log_id: str | None = None
    check_run_id: int | None = None
    check_concluded: bool = False
    check_intended_by: str = ""
    check_intended_at: datetime | None = None
    job_id: str | None = None
    tries: int = 0
    not_before: datetime | None = None
    version: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing more will become of it."""
        return self.status in FINAL
