"""``Analyst``: asks a model why a validation failed. The verdict is decided before, and stands."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, replace

from bot.domain.analysis import (
    AnalysisContext,
    AnalysisOutcome,
    AnalysisPromptView,
    Evidence,
    EvidenceKind,
    Review,
    ReviewRequest,
)
from bot.domain.masking import Masker
from bot.domain.problems import Limited, TryAgain
from bot.domain.validations import ValidationResult
from bot.log import get_logger
from bot.policy import analysis as rules
from bot.ports.clock import Clock
from bot.ports.reviewer import AnalysisPrompts, Reviewer, ReviewerProblem

DEADLINE_SECONDS = 100.0
PATIENCE_SECONDS = 10.0
"""A passing fault that is over sooner is waited for, once."""

log = get_logger()


@dataclass(frozen=True)
class _Asked:
    """What came of asking."""

    review: Review | None
    sentence: str = ""
    tokens: int = 0


class Analyst:
    """``reviewer`` is None where there is no key: then it says so."""

    def __init__(
        self,
        reviewer: Reviewer | None,
        prompts: AnalysisPrompts,
        clock: Clock,
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self._reviewer = reviewer
        self._prompts = prompts
        self._clock = clock
        self._deadline = deadline_seconds

    async def analyse(self, result: ValidationResult, context: AnalysisContext) -> AnalysisOutcome:
        """What stands in the report. Raises nothing but the cancellation of its own task."""
        if said := rules.no_need(result):
            return AnalysisOutcome(None, said)
        if self._reviewer is None:
            return AnalysisOutcome(None, rules.NO_KEY)
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            outcome = await self._analysed(self._reviewer, result, context)
        except Exception:
            log.exception("the analysis broke")
            outcome = AnalysisOutcome(None, rules.BROKEN)
        return replace(outcome, seconds=loop.time() - started)

    async def _analysed(
        self, reviewer: Reviewer, result: ValidationResult, context: AnalysisContext
    ) -> AnalysisOutcome:
        masker = Masker(context.secrets or {})
        selection = rules.select(result, context, lambda text: rules.cleaned(text, masker.mask))
        evidence = selection.evidence
        view = AnalysisPromptView(evidence, rules.CATEGORIES, _fence(evidence), selection.left_out)
        request = ReviewRequest(
            rules=self._prompts.analysis_rules(view),
            text=self._prompts.analysis_prompt(view),
            pictures=tuple(it for it in evidence if it.kind is EvidenceKind.SCREENSHOT),
            categories=rules.CATEGORIES,
        )
        asked = await self._ask(reviewer, request)
        shown = AnalysisOutcome(
            None,
            asked.sentence,
            evidence=evidence,
            left_out=selection.left_out,
            tokens=asked.tokens,
        )
        if asked.review is None:
            return shown
        judged = rules.judge(asked.review, evidence, context.paths)
        said = "" if judged.review else rules.NOTHING_HOLDS
        return replace(shown, review=judged.review, sentence=said, dropped=judged.dropped)

    async def _ask(self, reviewer: Reviewer, request: ReviewRequest) -> _Asked:
        try:
            async with asyncio.timeout(self._deadline):
                review = await self._patiently(reviewer, request)
        except TimeoutError:
            log.warning("no analysis", reason="deadline")
            return _Asked(None, rules.TOO_SLOW)
        except ReviewerProblem as problem:
            log.warning("no analysis", fault=problem.fault.value, reason=problem.message)
            return _Asked(None, rules.unexplained(problem.fault), problem.tokens)
        except TryAgain as fault:
            log.warning("no analysis", reason=fault.message)
            limited = isinstance(fault, Limited)
            return _Asked(None, rules.LIMITED if limited else rules.AWAY)
        return _Asked(review, tokens=review.tokens)

    async def _patiently(self, reviewer: Reviewer, request: ReviewRequest) -> Review:
        """Ask, and once more where a fault passes soon."""
        try:
            return await reviewer.review(request)
        except TryAgain as fault:
            if fault.after > PATIENCE_SECONDS:
                raise
            wait = fault.after
        await self._clock.sleep(wait)
        return await reviewer.review(request)


def _fence(evidence: tuple[Evidence, ...]) -> str:
    """A word that nobody could have written."""
    texts = [text for it in evidence for text in (it.text, it.label)]
    while True:
        word = secrets.token_hex(8)
        if not any(word in text for text in texts):
            return word
