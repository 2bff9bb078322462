"""The floor: a model turns no red to green and no green to red, by its types and by trial."""

from __future__ import annotations

import dataclasses
import types
import typing
from enum import Enum

from hypothesis import given
from hypothesis import strategies as st

from bot.domain import effects
from bot.domain.analysis import (
    AnalysisOutcome,
    Evidence,
    EvidenceKind,
    Place,
    Review,
    Statement,
)
from bot.domain.exploring import (
    Action,
    ActionKind,
    Exploration,
    ExploredStep,
    Outcome,
    Proposal,
    Remark,
)
from bot.domain.plan import Log, Stage, StageResult, StageStatus
from bot.domain.validations import Check, CheckState, ValidationResult, Verdict
from bot.policy.analysis import attach
from bot.policy.validation import ValidationFacts
from tests.contract.results import passed, result, samples
from tests.policy.reviews import REVIEWS, TEXTS, review

SAMPLES = samples()
OUTCOMES = st.builds(
    AnalysisOutcome,
    review=st.none() | REVIEWS,
    sentence=TEXTS,
    dropped=st.lists(TEXTS, max_size=2).map(tuple),
    seconds=st.floats(0, 1e6),
    tokens=st.integers(0, 10**9),
)
RESULTS = st.sampled_from(sorted(SAMPLES)).map(SAMPLES.__getitem__)


@given(RESULTS, OUTCOMES)
def test_no_outcome_changes_anything_but_the_row_of_its_own_stage(
    sample: ValidationResult, outcome: AnalysisOutcome
) -> None:
    told = attach(sample, outcome)
    for field in dataclasses.fields(ValidationResult):
        if field.name != "stages":
            assert getattr(told, field.name) == getattr(sample, field.name), field.name
    assert [it.stage for it in told.stages] == [it.stage for it in sample.stages]
    for after, before in zip(told.stages, sample.stages, strict=True):
        if after.stage is Stage.ANALYSIS:
            assert after.status in {StageStatus.PASSED, StageStatus.SKIPPED}
            assert not after.log.text
        else:
            assert after == before


def _words_of(kind: object, seen: set[object]) -> set[object]:
    """All types that a value of a type can hold."""
    if kind in seen:
        return seen
    seen.add(kind)
    for inner in typing.get_args(kind):
        _words_of(inner, seen)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        for inner in typing.get_type_hints(kind).values():
            _words_of(inner, seen)
    return seen


def test_an_outcome_has_no_place_for_a_verdict_an_effect_or_a_command() -> None:
    held = _words_of(AnalysisOutcome, set()) | _words_of(Review, set())
    plain = {str, float, int, bytes, types.NoneType, Ellipsis}
    own = {AnalysisOutcome, Review, Statement, Place, Evidence, EvidenceKind}
    made = {it for it in held if not typing.get_args(it)}
    assert made == plain | own
    for word in (Verdict, Check, CheckState, StageStatus, StageResult, ValidationResult):
        assert word not in held
    assert not held & {it for it in vars(effects).values() if isinstance(it, type)} - plain - own
    assert not {it for it in made - {EvidenceKind} if isinstance(it, type) and issubclass(it, Enum)}


def test_an_exploration_has_no_place_for_a_verdict_an_effect_or_a_command() -> None:
    held = _words_of(Exploration, set()) | _words_of(Proposal, set())
    own = {Exploration, ExploredStep, Remark, Outcome, Proposal, Action, ActionKind}
    made = {it for it in held if not typing.get_args(it)}
    assert made == {str, float, int, types.NoneType, Ellipsis} | own


def test_the_verdict_is_decided_from_facts_that_have_no_analysis() -> None:
    held = _words_of(ValidationFacts, set())
    assert StageResult in held
    assert Log in held
    assert not held & {AnalysisOutcome, Review, Statement, Place, Evidence, Exploration, Remark}


def test_passed_is_not_touched_either() -> None:
    sample = result(passed(Stage.RETRIEVE))
    said = AnalysisOutcome(review(root_cause=Statement("It failed.", ("E1",))))
    assert attach(sample, said).verdict is sample.verdict
