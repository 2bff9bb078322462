"""`fix`, `hold`, `unhold`, `merge` and `override`: what follows, and why not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.commands import Command, Verb
from bot.domain.comments import Impossible
from bot.domain.effects import Effect, LeaveEvent, PublishCheck
from bot.domain.events import PullRequestTouched, StatusOutdated
from bot.domain.merging import Criterion, CriterionState, Explanation
from bot.domain.pull_request_effects import (
    AskMerge,
    HoldPullRequest,
    OverrideCriterion,
    WishFix,
)
from bot.domain.pull_request_records import FixAttempt, FixWish, Override, PullRequestRecord
from bot.domain.validations import FailureClass, ValidationStatus, Verdict
from bot.policy.agent_requests import Wanted
from bot.policy.pull_request_commands import Asked, decide
from tests.policy.test_requests import ALICE, DONE, NOW, PULL, REPOSITORY

FAILED = replace(DONE, verdict=Verdict.FAILED, failure_class=FailureClass.CODE, title="Failed")
BACK = Explanation(
    PULL.head_sha,
    NOW,
    "back",
    (
        Criterion("validation", CriterionState.MET, "passed", "CodegenApp"),
        Criterion("ci", CriterionState.UNMET, "it failed", "`validation.required_checks`"),
        Criterion("mergeable", CriterionState.UNMET, "a conflict", "GitHub"),
        Criterion("auto_merge", CriterionState.UNMET, "off", "a default"),
    ),
)
ASKED = Asked(
    REPOSITORY,
    PULL,
    ALICE,
    "wish",
    NOW,
    [FAILED],
    PullRequestRecord(REPOSITORY, PULL.number),
    has_agent=True,
    explanation=BACK,
    overridable=("validation", "ci", "build (linux, 20)"),
)
FIX = Command(Verb.FIX, text="mind the list")


def then(number: int = PULL.number) -> tuple[Effect, ...]:
    touched = LeaveEvent(PullRequestTouched(REPOSITORY, number))
    told = LeaveEvent(StatusOutdated(REPOSITORY, number))
    return (PublishCheck(FAILED.id), touched, told)


def said(command: Command, asked: Asked) -> tuple[Effect, ...]:
    wanted = decide(command, asked)
    assert isinstance(wanted, Wanted), wanted
    return wanted.effects


@pytest.mark.parametrize(
    ("verb", "effect"),
    [
        (Verb.HOLD, HoldPullRequest(REPOSITORY, PULL.number, "alice")),
        (Verb.UNHOLD, HoldPullRequest(REPOSITORY, PULL.number, "")),
        (Verb.MERGE, AskMerge(REPOSITORY, PULL.number, ALICE, PULL.head_sha, PULL.base_branch)),
    ],
)
def test_is_done_and_looked_at(verb: Verb, effect: Effect) -> None:
    assert said(Command(verb), ASKED) == (effect, *then())


@pytest.mark.parametrize("verb", [Verb.HOLD, Verb.UNHOLD, Verb.MERGE, Verb.FIX, Verb.OVERRIDE])
def test_nothing_is_done_to_what_is_closed(verb: Verb) -> None:
    closed = replace(ASKED, pull_request=replace(PULL, is_open=False))
    answer = decide(Command(verb, name="ci", text="x"), closed)
    assert isinstance(answer, Impossible)
    assert "closed" in answer.reason


def test_a_merge_is_told_what_it_waits_for() -> None:
    wanted = decide(Command(Verb.MERGE), ASKED)
    assert isinstance(wanted, Wanted)
    assert "`ci`, `mergeable`" in wanted.sentence
    assert "auto_merge" not in wanted.sentence, "asking for it settles that"
    free = replace(ASKED, explanation=replace(BACK, criteria=(BACK.criteria[0],)))
    wanted = decide(Command(Verb.MERGE), free)
    assert isinstance(wanted, Wanted)
    assert "as soon as GitHub has it" in wanted.sentence


def test_a_fix_is_wished_for_with_its_hint() -> None:
    wish = FixWish("wish", ALICE, PULL.head_sha, NOW, "mind the list")
    assert said(FIX, ASKED) == (WishFix(REPOSITORY, PULL.number, wish), *then())


ATTEMPT = FixAttempt("one", 1, PULL.head_sha, "v", "sig", "build", "run", NOW)
FORK = replace(PULL, head_repository_id=99)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"has_agent": False}, "no coding agent", id="no agent"),
        pytest.param(
            {"record": replace(ASKED.record, attempts=(ATTEMPT,))}, "under way", id="under way"
        ),
        pytest.param({"of_head": []}, "not been validated", id="never validated"),
        pytest.param(
            {"of_head": [replace(FAILED, status=ValidationStatus.RUNNING, verdict=None)]},
            "not been validated to the end",
            id="it runs",
        ),
        pytest.param({"of_head": [DONE]}, "nothing failed", id="it passed"),
        pytest.param(
            {"of_head": [replace(FAILED, verdict=Verdict.NEUTRAL)]}, "no failure", id="neutral"
        ),
        pytest.param(
            {"of_head": [replace(FAILED, failure_class=FailureClass.MISSING_SECRET)]},
            "a secret that is missing",
            id="a secret",
        ),
        pytest.param(
            {"of_head": [replace(FAILED, failure_class=FailureClass.UNTRUSTED_FORK)]},
            "nobody has let",
            id="an untrusted fork",
        ),
        pytest.param({"pull_request": FORK}, "in a fork", id="a fork that nobody may push to"),
    ],
)
def test_why_no_fix(changes: dict[str, Any], reason: str) -> None:
    answer = decide(FIX, replace(ASKED, **changes))
    assert isinstance(answer, Impossible)
    assert reason in answer.reason
    assert answer.mend


def test_a_fork_that_may_be_pushed_to_can_be_fixed() -> None:
    fork = replace(ASKED, pull_request=replace(FORK, maintainer_can_modify=True))
    assert isinstance(said(FIX, fork)[0], WishFix)


@pytest.mark.parametrize(
    ("name", "text", "criterion"),
    [
        pytest.param("ci", "the runner is away", "ci", id="a word"),
        pytest.param("build", "(linux, 20) the runner is away", "build (linux, 20)", id="blanks"),
        pytest.param("build", "(linux, 20)` the runner is away", "build (linux, 20)", id="as code"),
    ],
)
def test_an_override_is_for_this_head_and_recorded_with_name_and_reason(
    name: str, text: str, criterion: str
) -> None:
    command = Command(Verb.OVERRIDE, name=name, text=text)
    override = Override(
        criterion, PULL.head_sha, "alice", "the runner is away", NOW, PULL.base_branch
    )
    effect = OverrideCriterion(REPOSITORY, PULL.number, override)
    assert said(command, ASKED) == (effect, *then())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("cii", "there is no such criterion", id="unknown"),
        pytest.param("mergeable", "GitHub decides it", id="GitHub's own"),
    ],
)
def test_why_no_override(name: str, reason: str) -> None:
    answer = decide(Command(Verb.OVERRIDE, name=name, text="because"), ASKED)
    assert isinstance(answer, Impossible)
    assert reason in answer.reason
    assert "`ci`" in answer.mend, "what can be is named"
