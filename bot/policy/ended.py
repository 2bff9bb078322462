"""What becomes of a validation whose job ended: concluded, or tried again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.domain.effects import (
    ConcludeValidation,
    Decision,
    Effect,
    EvaluateBase,
    PublishCheck,
    StartValidation,
)
from bot.domain.validation_records import ValidationRecord
from bot.domain.validations import Verdict
from bot.policy.backoff import delay
from bot.policy.requests import job_id

FIRST_RETRY_SECONDS = 10.0


@dataclass(frozen=True)
class EndedFacts:
    """A validation's record, and what the job found that ended."""

    record: ValidationRecord
    job_id: str
    result: Mapping[str, Any] | None
    infrastructure_retries: int
    now: datetime


def decide(facts: EndedFacts) -> Decision:
    """Conclude, try again, or ignore a late result."""
    record, result = facts.record, facts.result
    if record.ended:
        return Decision(f"a late result: the validation is {record.status}", ())
    if record.job_id != facts.job_id:
        return Decision("a late result: another try is under way", ())
    if result is None:
        return Decision("the job was cancelled before it began", (PublishCheck(record.id),))
    again = record.tries <= facts.infrastructure_retries
    if result.get("verdict") == Verdict.ERROR and result.get("passing") and again:
        tries = record.tries + 1
        seconds = delay(record.tries, record.id, first=FIRST_RETRY_SECONDS)
        not_before = facts.now + timedelta(seconds=seconds)
        start = StartValidation(record.id, job_id(record.id, tries), not_before)
        return Decision(f"try again: {result.get('reason')}", (start, PublishCheck(record.id)))
    effects: tuple[Effect, ...] = (
        ConcludeValidation(record.id, facts.job_id),
        PublishCheck(record.id),
    )
    if result.get("missed_base") and record.order.base_sha:
        # The next validation that is held against it finds it.
        effects += (EvaluateBase(record.order.repository, record.order.base_sha),)
    return Decision(f"conclude: {result.get('verdict')}", effects)
