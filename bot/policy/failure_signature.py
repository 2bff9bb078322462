"""What tells one failure of a validation from another, and what it is in a line.

Both read what the stages and their tools found, never what a model says of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from bot.domain.log_text import one_line
from bot.domain.plan import StageStatus
from bot.domain.validation_records import ValidationRecord
from bot.domain.validations import Level
from bot.policy.findings import signature

MOST_SIGNATURES: Final = 10
LONGEST_FAILURE: Final = 200
_DID_NOT_PASS: Final = frozenset({StageStatus.FAILED, StageStatus.TIMED_OUT, StageStatus.ERROR})


def signature_of(record: ValidationRecord) -> str:
    """Twelve hex digits, the same for the same failure, whatever moved around it.

    It is made of what was found in the stage that failed, so that a failure of which a part is
    mended is another one. Where nothing was found, the class's rule and the reason stand for it.
    """
    stage = _stage(record)
    found = {str(it.get("signature") or "") for it in _failures(record, stage)} - {""}
    if found:
        core = "\0".join((stage, *sorted(found)[:MOST_SIGNATURES]))
        return hashlib.sha256(core.encode()).hexdigest()[:12]
    rule = _result(record).get("class_rule") or {}
    return signature(stage, str(rule.get("name") or ""), record.reason)


def failure_of(record: ValidationRecord) -> str:
    """``build: src/app.ts:3 TS2322 Type 'string' is not…``, on one line of bounded length."""
    stage = _stage(record)
    first = next(iter(_failures(record, stage)), None)
    said = record.reason or record.title or "it failed"
    if first is not None:
        said = f"{stage.replace('_', ' ')}: {_found(first)}"
    line = one_line(said)
    return line if len(line) <= LONGEST_FAILURE else f"{line[: LONGEST_FAILURE - 1]}…"


def _found(finding: Mapping[str, Any]) -> str:
    file, line = str(finding.get("file") or ""), finding.get("line")
    rule, message = str(finding.get("rule") or ""), str(finding.get("message") or "")
    place = f"{file}:{line}" if file and line else file
    return " ".join(filter(None, (place, "" if rule in message else rule, message)))


def _stage(record: ValidationRecord) -> str:
    """The name of the first stage that did not pass; empty where all did."""
    stages: Sequence[Mapping[str, Any]] = _result(record).get("stages") or ()
    return next((str(it["name"]) for it in stages if it.get("status") in _DID_NOT_PASS), "")


def _failures(record: ValidationRecord, stage: str) -> list[Mapping[str, Any]]:
    findings: Sequence[Mapping[str, Any]] = _result(record).get("findings") or ()
    return [it for it in findings if it.get("level") == Level.FAILURE and it.get("stage") == stage]


def _result(record: ValidationRecord) -> Mapping[str, Any]:
    return record.result or {}
