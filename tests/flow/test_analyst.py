"""What the report says of an analysis: advice with its evidence, or why there is none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bot.domain.analysis import Review, ReviewRequest, Statement
from bot.domain.plan import Stage, StageStatus
from bot.domain.problems import Limited, TryAgain
from bot.policy import analysis as policy
from bot.policy.analysis import attach
from bot.ports.reviewer import Reviewer, ReviewerFault, ReviewerProblem
from bot.services.analysis import Analyst
from demo.gemini import scripts
from demo.gemini.server import Script
from tests.contract.results import samples
from tests.flow.analyst import (
    BUILD,
    CONTEXT,
    RENDERER,
    Desk,
    Patient,
    analyst_desk,
    assert_inert,
)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with analyst_desk() as it:
        yield it


async def test_a_sensible_answer_is_told_with_its_evidence(desk: Desk) -> None:
    desk.server.script = scripts.sensible
    outcome = await desk.analyse(BUILD, CONTEXT)
    assert outcome.review is not None
    assert outcome.review.where is not None
    assert (outcome.review.where.file, outcome.review.where.line) == ("src/app.ts", 3)
    assert not outcome.dropped
    text = RENDERER.review_markdown(outcome)
    assert "- **Where:** `src/app.ts:3` (E2, E4)" in text
    assert "- **Confidence:** 90 %" in text
    assert "  1. Open `src/app.ts`.\n  2. Mend what it says:" in text
    assert "- E2: finding of build at src/app.ts:3:7" in text
    assert "no say in the verdict" in text
    assert_inert(text)
    (row,) = (it for it in attach(BUILD, outcome).stages if it.stage is Stage.ANALYSIS)
    assert (row.status, row.reason) == (StageStatus.PASSED, "advice in the report")


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (scripts.garbage, "could not be read, twice"),
        (scripts.empty, "could not be read, twice"),
        (scripts.truncated, "was cut short, twice"),
        (scripts.refusing, "refused to answer"),
        (scripts.blocking, "refused to look"),
        (scripts.no_json_at_all, "does not answer"),
    ],
)
async def test_without_an_answer_the_verdict_stands_and_the_report_says_so(
    desk: Desk, script: Script, sentence: str
) -> None:
    desk.server.script = script
    outcome = await desk.analyst.analyse(BUILD, CONTEXT)
    assert outcome.review is None
    assert sentence in outcome.sentence
    assert outcome.sentence in RENDERER.review_markdown(outcome)
    after = attach(BUILD, outcome)
    assert (after.verdict, after.reason) == (BUILD.verdict, BUILD.reason)
    (row,) = (it for it in after.stages if it.stage is Stage.ANALYSIS)
    assert (row.status, row.reason) == (StageStatus.SKIPPED, outcome.sentence)


class Scripted(Reviewer):
    """Raises or answers what it is given, one after the other."""

    def __init__(self, *answers: Exception | Review) -> None:
        self.answers = list(answers)
        self.asked: list[ReviewRequest] = []

    async def review(self, request: ReviewRequest) -> Review:
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


REVIEW = Review(None, Statement("A typo.", ("E1",)), None, None, None)


@pytest.mark.parametrize(
    ("answers", "sentence", "slept"),
    [
        pytest.param([TryAgain("x", after=5), REVIEW], "", [5], id="once more"),
        pytest.param([TryAgain("x", after=5), TryAgain("x", after=5)], policy.AWAY, [5], id="away"),
        pytest.param([TryAgain("x", after=60)], policy.AWAY, [], id="away for long"),
        pytest.param([Limited("x", after=60)], policy.LIMITED, [], id="limited"),
        pytest.param([ReviewerProblem(ReviewerFault.NO_KEY, "x")], policy.NO_KEY, [], id="no key"),
        pytest.param([LookupError("a bug")], policy.BROKEN, [], id="a bug"),
        pytest.param([Review(None, None, None, None, None)], policy.NOTHING_HOLDS, [], id="hollow"),
    ],
)
async def test_faults_of_a_reviewer(
    answers: list[Exception | Review], sentence: str, slept: list[float]
) -> None:
    clock = Patient()
    outcome = await Analyst(Scripted(*answers), RENDERER, clock).analyse(BUILD, CONTEXT)
    assert (outcome.sentence, clock.slept) == (sentence, slept)
    assert (outcome.review is None) is bool(sentence)


async def test_a_deadline_holds() -> None:
    class Silent(Reviewer):
        async def review(self, request: ReviewRequest) -> Review:
            await asyncio.Event().wait()
            raise AssertionError(request)

    analyst = Analyst(Silent(), RENDERER, Patient(), deadline_seconds=0.05)
    assert (await analyst.analyse(BUILD, CONTEXT)).sentence == policy.TOO_SLOW
    waiting = asyncio.ensure_future(Analyst(Silent(), RENDERER, Patient()).analyse(BUILD, CONTEXT))
    await asyncio.wait({waiting}, timeout=0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_without_a_key_it_says_so_and_where_nothing_failed_nobody_is_asked() -> None:
    outcome = await Analyst(None, RENDERER, Patient()).analyse(BUILD, CONTEXT)
    assert outcome.sentence == policy.NO_KEY
    idle = Scripted()
    for name in ("passed", "cancelled", "error", "neutral"):
        outcome = await Analyst(idle, RENDERER, Patient()).analyse(samples()[name], CONTEXT)
        assert outcome.sentence == "There is no failure to explain."
    assert not idle.asked
