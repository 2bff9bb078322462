"""Which slice of which log is worth reading."""

from __future__ import annotations

from bot.domain.log_text import excerpt, plain
from bot.domain.plan import Log, Stage, StageResult, StageStatus
from bot.domain.validations import ValidationResult

_OF_THE_APPLICATION = frozenset({Stage.HEALTH, Stage.PORTS, Stage.WEB_EVALUATION, Stage.STABILITY})
_DID_NOT_PASS = frozenset({StageStatus.FAILED, StageStatus.TIMED_OUT, StageStatus.ERROR})


def excerpt_of(log: Log) -> str:
    """Head and tail of a log, plain; empty where nothing was printed."""
    return excerpt(plain(log.text)) if log.text.strip() else ""


def excerpts(result: ValidationResult) -> dict[str, str]:
    """The log slice of each stage that printed something, by the stage's name."""
    slices = {stage.stage.value: excerpt_of(stage.log) for stage in result.stages}
    return {name: text for name, text in slices.items() if text}


def ended_at(stages: tuple[StageResult, ...]) -> StageResult | None:
    """The first stage that did not pass, though it ran."""
    return next((stage for stage in stages if stage.status in _DID_NOT_PASS), None)


def telling(stages: tuple[StageResult, ...]) -> StageResult | None:
    """The stage whose log tells why the validation did not pass.

    A check of the started application prints nothing itself: then it is the application's log.
    """
    ended = ended_at(stages)
    if ended is None or ended.log.text.strip() or ended.stage not in _OF_THE_APPLICATION:
        return ended
    start = next((stage for stage in stages if stage.stage is Stage.START), None)
    return start if start is not None and start.log.text.strip() else ended
