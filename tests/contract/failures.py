"""Failed validations as their records hold them, for the tests of what an agent is told of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bot.domain.analysis import AnalysisOutcome, Place, Review, Statement
from bot.domain.effects import ValidationOrder
from bot.domain.excerpts import excerpts
from bot.domain.pull_request_records import FixAttempt, FixOutcome
from bot.domain.repositories import Repository
from bot.domain.validation_records import ValidationRecord
from bot.domain.validations import ValidationResult, ValidationStatus
from tests.contract.results import samples

SHOP = Repository(7, "octo", "shop", 1, default_branch="main")
HEAD, BEFORE = "a" * 40, "b" * 40
NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
SAMPLES = samples()
SUGGESTED = AnalysisOutcome(
    Review(
        Statement("code", ("E1",)),
        Statement("`total` is a string.", ("E1",)),
        Place("src/app.ts", 3, ("E1",)),
        Statement("Make it a number:\n`const total = 3`", ("E1",)),
        0.8,
        model="a-model",
    )
)


def record_of(result: ValidationResult | None, **changes: Any) -> ValidationRecord:
    """The record of a validation of pull request 12."""
    order = ValidationOrder(SHOP, HEAD, "refs/pull/12/head", "main", BEFORE, 12, "", trusted=True)
    told = result.to_json(excerpts(result)) if result else None
    record = ValidationRecord(
        "validation",
        order,
        NOW,
        ValidationStatus.COMPLETED,
        pull_requests=frozenset({12}),
        title="Failed: build",
        reason="`npm run build` exited with 2",
        result=told,
    )
    return replace(record, **changes)


def holding(result: Any) -> ValidationRecord:
    """A record with this in the place of a result."""
    return replace(record_of(None), result=result)


def attempt(ordinal: int, outcome: FixOutcome | None = None, **changes: Any) -> FixAttempt:
    """An attempt to fix, at a head of its own; by itself it goes on."""
    made = FixAttempt(
        f"attempt {ordinal}",
        ordinal,
        f"{ordinal:x}" * 40,
        f"validation {ordinal}",
        "signature",
        "build: `npm run build` exited with 2",
        "run",
        NOW,
        outcome=outcome,
    )
    return replace(made, **changes)


BUILD = replace(SAMPLES["build"], analysis=SUGGESTED)
TRIED = (
    attempt(1, FixOutcome.PUSHED, pushed_sha="2" * 40, changed=("src/app.ts", "src/total.ts")),
    attempt(2, FixOutcome.NO_PUSH, asked_by="bob"),
    attempt(3, validation_id="validation", head_sha=HEAD),
)
