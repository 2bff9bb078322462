"""Whether a failure goes back to the agent: whose failure it is, who wants it, and the order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.agent_runs import RunStatus
from bot.domain.pull_request_records import StopRule
from bot.domain.validations import FailureClass, ValidationStatus, Verdict
from bot.policy.autofix import MOOT_WHEN_GREEN
from tests.policy.fixes import (
    ALICE,
    BOB,
    FAILED,
    HEAD,
    HOUR,
    NEW,
    NOW,
    NUMBER,
    OLD,
    PASSED,
    RUN,
    attempt,
    config,
    decided,
    facts,
    goes_on,
    kinds,
    other,
    revalidations,
    run,
    sends,
    stop,
    stop_of,
    validation,
    wish,
)

OFF = config(features={"autofix": False})
OPEN = attempt()
"""Under way, for the old head: something was pushed since."""
DONE = other(1)
STOPPED = {"record_stop": stop()}


# ── what the validation found ────────────────────────────────────────────────────────────────

RUNNING = replace(FAILED, status=ValidationStatus.RUNNING, verdict=None, completed_at=None)
NOBODYS: dict[str, Any] = {"runs": []}


@pytest.mark.parametrize(
    ("of_head", "by_itself", "asked"),
    [
        pytest.param([], False, False, id="no validation"),
        pytest.param([RUNNING], False, False, id="one that runs"),
        pytest.param([FAILED, RUNNING], False, False, id="once more, which runs"),
        pytest.param([validation(head=OLD)], False, False, id="one of another head"),
        pytest.param([PASSED], False, False, id="green"),
        pytest.param([FAILED, PASSED], False, False, id="green at last"),
        pytest.param([PASSED, FAILED], True, True, id="failed at last"),
        pytest.param([validation(FailureClass.CODE)], True, True, id="code"),
        pytest.param([validation(FailureClass.CONFIGURATION)], True, True, id="configuration"),
        pytest.param([validation(FailureClass.DEPENDENCY)], True, True, id="dependency"),
        pytest.param([validation(FailureClass.INFRASTRUCTURE)], False, False, id="infrastructure"),
        pytest.param([validation(FailureClass.FLAKY)], False, False, id="flaky"),
        pytest.param([validation(FailureClass.MISSING_SECRET)], False, False, id="missing secret"),
        pytest.param([validation(FailureClass.UNTRUSTED_FORK)], False, False, id="untrusted fork"),
        pytest.param(
            [validation(FailureClass.UNTRUSTED_FORK, Verdict.NEUTRAL)],
            False,
            False,
            id="untrusted fork, not run",
        ),
        pytest.param([validation(FailureClass.INCONCLUSIVE)], False, True, id="inconclusive"),
        pytest.param([validation(None)], False, True, id="no class"),
        pytest.param([validation(None, Verdict.NEUTRAL)], False, False, id="neutral"),
        pytest.param([validation(None, Verdict.CANCELLED)], False, False, id="cancelled"),
        pytest.param([validation(None, Verdict.ERROR)], False, False, id="an error"),
    ],
)
def test_which_failures_are_sent(of_head: Any, by_itself: bool, asked: bool) -> None:
    assert sends(decided(facts(of_head=of_head))) is by_itself
    assert sends(decided(facts(of_head=of_head, record_wish=wish()))) is asked
    assert decided(facts(of_head=of_head)).reason


@pytest.mark.parametrize("rule", StopRule)
def test_a_green_head_takes_away_a_stop_that_the_failure_alone_gave_cause_for(
    rule: StopRule,
) -> None:
    given = facts(
        of_head=[PASSED],
        record_stop=stop(rule),
        record_attempts=(DONE, other(2)),
        record_counted_from=2,
    )
    # What was tried counts on: nobody had a hand in it.
    assert decided(given).effects == (goes_on(2) if rule in MOOT_WHEN_GREEN else ())


def test_which_stops_a_person_has_to_look_at() -> None:
    assert set(StopRule) - MOOT_WHEN_GREEN == {
        StopRule.ONLY_TESTS,
        StopRule.SECOND_PULL_REQUEST,
        StopRule.FORK,
    }


# ── validated again ──────────────────────────────────────────────────────────────────────────


AGAIN = ["record_validation", "publish_check", "start_validation", "note_revalidation"]
FLAKY = validation(FailureClass.FLAKY)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param({"of_head": [FLAKY]}, AGAIN, id="flaky"),
        pytest.param({"of_head": [validation(FailureClass.INFRASTRUCTURE)]}, AGAIN, id="machine"),
        pytest.param({"of_head": [validation(None, Verdict.ERROR)]}, AGAIN, id="an error"),
        pytest.param({"of_head": [FLAKY], **NOBODYS}, AGAIN, id="a person's own pull request"),
        pytest.param({"of_head": [FLAKY], "record_held_by": "bob"}, AGAIN, id="held"),
        pytest.param({"of_head": [FLAKY], "record_stop": stop()}, AGAIN, id="stopped"),
        pytest.param({"of_head": [FLAKY], "has_agent": False}, AGAIN, id="no agent"),
        pytest.param({"of_head": [FLAKY], "pull_head_repository_id": 8}, AGAIN, id="a fork"),
        pytest.param({"of_head": [FLAKY], "record_wish": wish()}, AGAIN, id="somebody asks"),
        pytest.param(
            {"of_head": [FLAKY], "record_revalidations": revalidations(1)}, AGAIN, id="once more"
        ),
        pytest.param(
            {"of_head": [FLAKY], "record_revalidations": revalidations(2)}, [], id="twice is enough"
        ),
        pytest.param(
            {"of_head": [FLAKY], "record_revalidations": revalidations(2, OLD)},
            AGAIN,
            id="those of another head do not count",
        ),
        pytest.param(
            {"of_head": [FLAKY], "config": config(validation={"infrastructure_retries": 0})},
            [],
            id="none is allowed",
        ),
        pytest.param(
            {"of_head": [replace(FLAKY, completed_at=NOW)]}, ["leave_event"], id="too early"
        ),
        pytest.param(
            {"of_head": [replace(FLAKY, completed_at=None)]}, AGAIN, id="nobody knows since when"
        ),
    ],
)
def test_validated_again(given: dict[str, Any], wanted: list[str]) -> None:
    assert kinds(decided(facts(**given)).effects) == wanted


def test_a_head_is_validated_again_as_it_was() -> None:
    order = replace(FLAKY.order, trusted=False, asked_by=BOB)
    first = replace(FLAKY, order=order)
    second = replace(FLAKY, id="second", order=replace(order, attempt=2))
    recorded, _, _, noted = decided(facts(of_head=[first, second])).effects
    assert recorded.kind == "record_validation"
    assert recorded.validation_id == "new 0"
    assert recorded.order == replace(order, attempt=3)
    assert noted.kind == "note_revalidation"
    assert noted.revalidation.validation_id == "new 0"
    assert (noted.revalidation.head_sha, noted.revalidation.at) == (HEAD, NOW)


def test_each_time_it_waits_longer() -> None:
    def due(times: int) -> timedelta:
        given = facts(
            of_head=[replace(FLAKY, completed_at=NOW)], record_revalidations=revalidations(times)
        )
        (left,) = decided(given).effects
        assert left.kind == "leave_event"
        assert left.due_at is not None
        assert left.once
        return left.due_at - NOW

    assert timedelta(seconds=22) < due(0) <= timedelta(seconds=30)
    assert timedelta(seconds=45) <= due(1) <= timedelta(seconds=60)


@pytest.mark.parametrize(
    ("before", "said"),
    [(0, "it is not validated again"), (1, "validated again once"), (2, "again 2 times")],
)
def test_it_says_that_it_is_enough(before: int, said: str) -> None:
    given = facts(
        of_head=[FLAKY],
        record_revalidations=revalidations(before),
        config=config(validation={"infrastructure_retries": before}),
    )
    assert said in decided(given).reason
    assert "`validation.infrastructure_retries`" in decided(given).reason


# ── who wants it, and whether it may be ──────────────────────────────────────────────────────


STRANGER = replace(RUN, pull_request=4)
FORK = {"pull_head_repository_id": 8}
OPEN_FORK = FORK | {"pull_maintainer_can_modify": True}
IN_IT = replace(RUN, request=replace(RUN.request, number=NUMBER, is_pull_request=True))
BANNED = replace(RUN, kill=True)
ITS_OWN = replace(DONE, sent_at=NOW - 2 * HOUR)


@pytest.mark.parametrize(
    ("given", "by_itself", "asked"),
    [
        pytest.param({}, True, True, id="a run brought it"),
        pytest.param({"runs": []}, False, True, id="a person's own"),
        pytest.param({"runs": [IN_IT]}, False, True, id="a person's own, where a run was asked"),
        pytest.param({"runs": [STRANGER]}, False, True, id="a run that brought another one"),
        pytest.param({"runs": [IN_IT, RUN]}, True, True, id="an older run brought it"),
        pytest.param(
            {"runs": [], "record_attempts": (ITS_OWN,), "record_counted_from": 2},
            True,
            True,
            id="the run that brought it went elsewhere since",
        ),
        pytest.param(
            {
                "runs": [],
                "record_attempts": (replace(ITS_OWN, wish_id="w"),),
                "record_counted_from": 2,
            },
            False,
            True,
            id="a person's own, where a fix was asked for before",
        ),
        pytest.param({"record_held_by": "bob"}, False, True, id="held"),
        pytest.param({"has_agent": False}, False, False, id="no agent is set up"),
        pytest.param(FORK, False, False, id="a fork"),
        pytest.param(OPEN_FORK, False, True, id="a fork that lets maintainers push"),
        pytest.param(OPEN_FORK | {"runs": []}, False, True, id="such a fork of a stranger"),
        pytest.param(
            {"pull_head_repository_id": None, "pull_maintainer_can_modify": True},
            False,
            False,
            id="a fork that is gone",
        ),
        pytest.param({"runs": [BANNED]}, False, True, id="the agent is banned from here"),
        pytest.param(
            {"runs": [RUN, replace(STRANGER, kill=True)]}, True, True, id="banned elsewhere"
        ),
        pytest.param(
            {"runs": [run(RunStatus.ACTIVE)]}, False, True, id="the run that brought it goes on"
        ),
        pytest.param({"runs": [run(RunStatus.QUEUED), RUN]}, False, True, id="a run is queued"),
        pytest.param({"runs": [run(RunStatus.WAITING)]}, True, True, id="a run waits"),
        pytest.param({"runs": [run(RunStatus.FAILED)]}, True, True, id="a run failed"),
        pytest.param(
            {"config": config(validation={"max_retries": 0})}, False, True, id="never by itself"
        ),
    ],
)
def test_who_wants_it(given: dict[str, Any], by_itself: bool, asked: bool) -> None:
    assert sends(decided(facts(**given))) is by_itself
    assert sends(decided(facts(**given, record_wish=wish()))) is asked
    assert not sends(decided(facts(**given, record_stop=stop())))
    # A wish about an older head wants that one's failure mended.
    older = decided(facts(**given, record_wish=wish(head_sha=OLD)))
    assert sends(older) is by_itself


def test_a_wish_follows_a_head_that_only_the_base_was_merged_into() -> None:
    given = facts(runs=[], record_wish=wish(head_sha=OLD), record_updates=((HEAD, OLD),))
    assert sends(decided(given))


def test_a_wish_in_a_fork_that_may_not_be_pushed_to_is_answered_once() -> None:
    given = facts(**FORK, record_wish=wish())
    found = stop_of(decided(given))
    assert found is not None
    assert (found.rule, found.person) == (StopRule.FORK, "bob")
    assert "Allow edits by maintainers" in found.reason
    after = replace(given, record=replace(given.record, stop=found))
    assert decided(after).effects == ()


@pytest.mark.parametrize("rule", StopRule)
def test_a_stop_stands_whatever_it_was_for(rule: StopRule) -> None:
    decision = decided(facts(record_stop=stop(rule, at=NOW - HOUR, head_sha=NEW)))
    assert decision.effects == ()
    assert "has stopped" in decision.reason


# ── the order of the rules ───────────────────────────────────────────────────────────────────


CLOSED = {"pull_is_open": False}
PUSHED_BY_HAND = {"pusher": ALICE}
TRIED = {"record_attempts": (replace(DONE, pushed_sha=NEW),)}
GOING = {"record_attempts": (OPEN,)}
ASKED = {"record_wish": wish()}
BACK = {"record_stop": stop(StopRule.BUDGET_OF_DAY, again_at=NOW)}
GREEN = {"of_head": [PASSED]}
SPENT = {"config": config(validation={"max_retries": 1})}


@pytest.mark.parametrize(
    ("earlier", "later", "said"),
    [
        pytest.param(CLOSED, PUSHED_BY_HAND | TRIED, "is closed", id="closed · a push by hand"),
        pytest.param(CLOSED, ASKED | STOPPED, "is closed", id="closed · a wish"),
        pytest.param(CLOSED, GOING, "is closed", id="closed · an attempt"),
        pytest.param(PUSHED_BY_HAND, ASKED | STOPPED, "a person pushed", id="a push · a wish"),
        pytest.param(PUSHED_BY_HAND, GOING, "a person pushed", id="a push · an attempt"),
        pytest.param(PUSHED_BY_HAND | STOPPED, GREEN, "a person pushed", id="a push · green"),
        pytest.param(ASKED, BACK, "asks for a fix", id="a wish · a budget is back"),
        pytest.param(ASKED | STOPPED, GREEN, "asks for a fix", id="a wish · green"),
        pytest.param(GOING, BACK, "not known yet", id="an attempt · a budget is back"),
        pytest.param(GOING, GREEN, "not known yet", id="an attempt · green"),
        pytest.param(GOING, {"config": OFF}, "not known yet", id="an attempt · switched off"),
        pytest.param(BACK, {"config": OFF}, "budget again", id="a budget is back · switched off"),
        pytest.param(BACK, {"of_head": []}, "budget again", id="a budget is back · no validation"),
        pytest.param({"config": OFF}, GREEN, "features.autofix", id="switched off · green"),
        pytest.param({"of_head": []}, NOBODYS, "no validation", id="no validation · unwanted"),
        pytest.param({"of_head": [RUNNING]}, STOPPED, "being validated", id="it runs · stopped"),
        pytest.param(GREEN, NOBODYS, "green", id="green · unwanted"),
        pytest.param({"of_head": [FLAKY]}, NOBODYS, "validate again", id="flaky · unwanted"),
        pytest.param(
            {"of_head": [validation(None)]}, NOBODYS, "whose failure", id="no class · unwanted"
        ),
        pytest.param(
            NOBODYS, {"record_held_by": "bob"}, "no agent run brought", id="unwanted · held"
        ),
        pytest.param({"record_held_by": "bob"}, FORK, "bob holds it", id="held · a fork"),
        pytest.param(FORK, {"has_agent": False}, "a fork", id="a fork · no agent"),
        pytest.param(
            {"has_agent": False}, {"runs": [BANNED]}, "no coding agent", id="no agent · banned"
        ),
        pytest.param({"runs": [BANNED]}, STOPPED, "banned", id="banned · stopped"),
        pytest.param(
            STOPPED, {"runs": [run(RunStatus.ACTIVE)]}, "has stopped", id="stopped · at work"
        ),
        pytest.param(
            {"runs": [run(RunStatus.ACTIVE)]}, TRIED | SPENT, "at work", id="at work · spent"
        ),
    ],
)
def test_what_comes_first(earlier: dict[str, Any], later: dict[str, Any], said: str) -> None:
    assert said in decided(facts(**later | earlier)).reason
    assert said in decided(facts(**needed(earlier))).reason
    assert said not in decided(facts(**later)).reason


def needed(earlier: dict[str, Any]) -> dict[str, Any]:
    """What a rule has no say without: a hand in it takes something away."""
    return earlier | (STOPPED if {"pusher", "record_wish"} & {*earlier} else {})
