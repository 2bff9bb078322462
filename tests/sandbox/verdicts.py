"""What tests ask of a validation's result, and how they lay a project out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import app
from bot.adapters.render import TemplateRenderer
from bot.domain.plan import Cause, Stage, StageResult, StageStatus
from bot.domain.validations import ValidationResult


def passed(result: ValidationResult) -> set[Stage]:
    """The stages that ran and passed."""
    return {it.stage for it in result.stages if it.status is StageStatus.PASSED}


def stage_of(result: ValidationResult, stage: Stage) -> StageResult:
    """What one stage found."""
    return next(it for it in result.stages if it.stage is stage)


def failed_at(result: ValidationResult) -> tuple[Stage, StageStatus, Cause | None]:
    """Where, how and why a validation failed."""
    bad = (StageStatus.FAILED, StageStatus.TIMED_OUT, StageStatus.ERROR)
    stage = next(it for it in result.stages if it.status in bad)
    return stage.stage, stage.status, stage.cause


def report(result: ValidationResult) -> str:
    """The report as the terminal shows it; good to read when an assertion fails."""
    return TemplateRenderer(app.HERE / "templates").report_text(result)


def lay_out(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files below a folder; gives it back."""
    for path, content in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
    return folder
