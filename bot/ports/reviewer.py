"""The reviewer: a model that is shown the evidence of a failure and says what it thinks of it.

What holds of every reviewer:

1. ``review`` asks once, and once more where the answer has not the form that was asked for. It may
   be repeated and cancelled at any time: nothing is changed there.
2. A review that comes back has that form. Whether what it says is so is for
   ``bot.policy.analysis.judge``.
3. It raises TryAgain for a passing fault and Limited where too much was asked; ReviewerProblem
   where waiting mends nothing. No fault carries a key.
4. It ends in bounded time, whatever the other side does.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from bot.domain.analysis import AnalysisPromptView, Review, ReviewRequest


class ReviewerFault(StrEnum):
    """Why there is no review, for good."""

    NO_KEY = "no_key"
    UNAUTHORIZED = "unauthorized"
    UNKNOWN_MODEL = "unknown_model"
    INVALID = "invalid"
    BLOCKED = "blocked"
    REFUSED = "refused"
    TRUNCATED = "truncated"
    BAD_ANSWER = "bad_answer"


class ReviewerProblem(Exception):
    """No review, and waiting mends nothing. ``message`` is for the operator, not for a report.

    ``tokens`` is what it cost all the same.
    """

    def __init__(self, fault: ReviewerFault, message: str, tokens: int = 0) -> None:
        super().__init__(message)
        self.fault = fault
        self.message = message
        self.tokens = tokens


class Reviewer(Protocol):
    """See the module."""

    async def review(self, request: ReviewRequest) -> Review:
        """What it says. Raises TryAgain, Limited or ReviewerProblem."""


class AnalysisPrompts(Protocol):
    """The words that a reviewer is asked in."""

    def analysis_rules(self, view: AnalysisPromptView) -> str:
        """What it is to do, and what is data; nothing that others wrote."""

    def analysis_prompt(self, view: AnalysisPromptView) -> str:
        """The evidence, each piece between fences."""
