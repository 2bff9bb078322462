"""What a browser saw of a commit that changes are held against, kept by its SHA."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

NOT_YET = "was not evaluated yet"
"""Why there is nothing to compare with, where somebody may still look."""


@dataclass(frozen=True)
class KeptPicture:
    """A screenshot among the artifacts; ``name`` is that in its evaluation."""

    name: str
    media_type: str
    artifact_id: str


@dataclass(frozen=True)
class BaseEvaluation:
    """``evaluation`` is the JSON of a ``WebEvaluation``, None where nothing could be looked at.

    Then ``reason`` says why; it goes on after "the base commit".
    """

    repository_id: int
    sha: str
    at: datetime
    evaluation: Mapping[str, Any] | None = None
    reason: str = ""
    pictures: tuple[KeptPicture, ...] = ()
