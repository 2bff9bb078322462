"""What becomes of a validation whose job ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.effects import (
    ConcludeValidation,
    Effect,
    EvaluateBase,
    PublishCheck,
    StartValidation,
)
from bot.domain.validations import ValidationStatus
from bot.policy.ended import EndedFacts, decide
from bot.policy.requests import job_id
from tests.policy.test_requests import NOW, RECORD

OURS = {"verdict": "error", "reason": "the engine went away", "passing": True}
BASED = replace(RECORD, order=replace(RECORD.order, base_sha="b" * 40))
FACTS = EndedFacts(BASED, "job", {"verdict": "passed"}, infrastructure_retries=2, now=NOW)
MISSED = {"verdict": "failed", "missed_base": True}
WITHOUT_BASE = replace(RECORD, order=replace(RECORD.order, base_sha=None))
EVALUATE = EvaluateBase(RECORD.order.repository, "b" * 40)
CONCLUDED = (ConcludeValidation("known", "job"), PublishCheck("known"))


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        pytest.param({}, CONCLUDED, id="passed"),
        pytest.param({"result": {"verdict": "failed"}}, CONCLUDED, id="failed"),
        pytest.param({"result": {"verdict": "error"}}, CONCLUDED, id="an error that stays"),
        pytest.param({"result": MISSED}, (*CONCLUDED, EVALUATE), id="it missed its base"),
        pytest.param({"result": MISSED, "record": WITHOUT_BASE}, CONCLUDED, id="it has no base"),
        pytest.param({"result": OURS, "infrastructure_retries": 0}, CONCLUDED, id="no retries"),
        pytest.param(
            {"result": OURS, "record": replace(RECORD, tries=3)}, CONCLUDED, id="tried enough"
        ),
        pytest.param(
            {"record": replace(RECORD, status=ValidationStatus.CANCELLED)}, (), id="cancelled"
        ),
        pytest.param({"job_id": "an older job"}, (), id="another try is under way"),
        pytest.param({"result": None}, (PublishCheck("known"),), id="it never began"),
    ],
)
def test_decisions(changes: dict[str, Any], wanted: tuple[Effect, ...]) -> None:
    assert decide(replace(FACTS, **changes)).effects == wanted


def test_our_own_fault_is_tried_again_later_and_later() -> None:
    waits = []
    for tries in (1, 2):
        decision = decide(replace(FACTS, result=OURS, record=replace(RECORD, tries=tries)))
        start, shown = decision.effects
        assert isinstance(start, StartValidation)
        assert (start.job_id, shown) == (job_id("known", tries + 1), PublishCheck("known"))
        assert start.not_before is not None
        waits.append(start.not_before - NOW)
    assert timedelta(seconds=7) < waits[0] <= timedelta(seconds=10)
    assert timedelta(seconds=14) < waits[1] <= timedelta(seconds=20)
