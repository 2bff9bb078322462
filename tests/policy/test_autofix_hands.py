"""Closed, switched off, a person's hand, and what came of an attempt: tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.agent_runs import RunStatus
from bot.domain.effects import Effect
from bot.domain.pull_request_effects import StopFixing
from bot.domain.pull_request_records import FixOutcome, StopRule
from bot.domain.repositories import Account
from bot.domain.validations import FailureClass
from bot.policy.autofix import FixFacts
from tests.policy.fixes import (
    AGENT,
    ALICE,
    BOB,
    HEAD,
    LOOK,
    NOW,
    OLD,
    RUN,
    TOUCHED,
    attempt,
    config,
    decided,
    ended,
    facts,
    goes_on,
    message,
    other,
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
HERE = attempt(head_sha=HEAD)
"""Under way, and the head is still the same."""
DONE = other(1)
TOLD = run(messages=(message(),), sent=1)


# ── closed, switched off ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param(facts(pull_is_open=False), (), id="closed"),
        pytest.param(facts(pull_is_open=False, record_wish=wish()), (), id="closed, and wished"),
        pytest.param(
            facts(pull_is_open=False, record_attempts=(HERE,)),
            (ended(1, FixOutcome.OVERTAKEN), *TOUCHED),
            id="closed while a fix is under way",
        ),
        pytest.param(
            facts(pull_is_open=False, record_attempts=(OPEN,), pushed_paths=["a"]),
            (ended(1, FixOutcome.OVERTAKEN), *TOUCHED),
            id="closed, and the head had moved",
        ),
        pytest.param(
            facts(pull_is_open=False, record_attempts=(DONE,)), (), id="closed after a fix"
        ),
        pytest.param(facts(config=OFF), (), id="switched off"),
        pytest.param(
            facts(config=OFF, of_head=[validation(FailureClass.FLAKY)]),
            (),
            id="switched off: nothing is validated again, either",
        ),
        pytest.param(
            facts(config=OFF, record_attempts=(HERE,), attempt_run=run(RunStatus.FAILED)),
            (ended(1, FixOutcome.AGENT_FAILED), *TOUCHED),
            id="switched off while a fix is under way: its end is noted",
        ),
        pytest.param(
            facts(config=OFF, record_stop=stop(), pusher=ALICE),
            goes_on(1),
            id="switched off: a person's push still takes the stop away",
        ),
    ],
)
def test_closed_or_switched_off(given: FixFacts, wanted: tuple[Effect, ...]) -> None:
    decision = decided(given)
    assert decision.effects == wanted
    assert decision.reason


def test_where_it_is_switched_off_it_is_sent_when_a_person_asks() -> None:
    assert "`features.autofix: false`" in decided(facts(config=OFF)).reason
    assert sends(decided(facts(config=OFF, record_wish=wish())))
    assert not sends(decided(facts(config=OFF, record_wish=wish(head_sha=OLD))))


# ── a person's hand ──────────────────────────────────────────────────────────────────────────


NONE: tuple[Effect, ...] = ()
STOPPED = {"record_stop": stop()}


def hand(**changes: Any) -> FixFacts:
    """A person just pushed; the head is not validated yet."""
    return facts(**{"pusher": ALICE, "of_head": []} | changes)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param(hand(), NONE, id="nothing was tried"),
        pytest.param(hand(**STOPPED), goes_on(1), id="after a stop, before any attempt"),
        pytest.param(
            hand(**STOPPED, record_attempts=(DONE,)), goes_on(2), id="after an attempt and a stop"
        ),
        pytest.param(
            hand(record_attempts=(replace(DONE, pushed_sha=OLD),)),
            goes_on(2),
            id="after an attempt",
        ),
        pytest.param(
            hand(record_attempts=(DONE,), record_counted_from=2),
            NONE,
            id="told twice: counting began anew already",
        ),
        pytest.param(
            hand(record_attempts=(OPEN,), attempt_run=run(RunStatus.ACTIVE), pushed_paths=["a"]),
            (ended(1, FixOutcome.OVERTAKEN), *goes_on(2)),
            id="while a fix is under way",
        ),
        pytest.param(
            hand(record_attempts=(OPEN,), **STOPPED),
            (ended(1, FixOutcome.OVERTAKEN), *goes_on(2)),
            id="while a fix is under way, and a stop stands",
        ),
        pytest.param(
            hand(record_attempts=(HERE,), attempt_run=run(RunStatus.ACTIVE)),
            NONE,
            id="an old push: the attempt is for this very head",
        ),
        pytest.param(
            hand(record_attempts=(replace(HERE, outcome=FixOutcome.NO_PUSH),), **STOPPED),
            NONE,
            id="an old push: the last attempt was for this very head",
        ),
        pytest.param(
            hand(record_stop=stop(head_sha=HEAD)), NONE, id="an old push: the stop came after it"
        ),
        pytest.param(
            hand(record_attempts=(DONE,), record_stop=stop(StopRule.ONLY_TESTS, head_sha=HEAD)),
            goes_on(2),
            id="what was taken for the agent's push was a person's",
        ),
        pytest.param(hand(pusher=None, **STOPPED), NONE, id="nobody knows who pushed"),
        pytest.param(hand(pusher=AGENT, **STOPPED), NONE, id="the agent"),
        pytest.param(
            hand(pusher=Account(8, "renovate[bot]", is_bot=True), **STOPPED), NONE, id="another bot"
        ),
        pytest.param(
            hand(pusher=ALICE, pull_author=ALICE, **STOPPED), goes_on(1), id="the author, a person"
        ),
        pytest.param(
            hand(pull_author=ALICE, record_attempts=(OPEN,), attempt_run=None, pushed_paths=["a"]),
            (ended(1, FixOutcome.PUSHED, "a"), *TOUCHED),
            id="the agent pushes under the author's name while it is at it",
        ),
        pytest.param(
            hand(pull_author=ALICE, record_attempts=(DONE,)),
            NONE,
            id="the agent pushed under the author's name, and is told of late",
        ),
        pytest.param(
            hand(pusher=BOB, pull_author=ALICE, record_attempts=(DONE,)),
            goes_on(2),
            id="it was another person who pushed",
        ),
        pytest.param(
            hand(pull_author=ALICE, runs=[], record_attempts=(replace(OPEN, wish_id="w"),)),
            (ended(1, FixOutcome.OVERTAKEN), *goes_on(2)),
            id="a person's own pull request",
        ),
        pytest.param(
            hand(record_attempts=(OPEN,), record_updates=((HEAD, OLD),), attempt_run=TOLD),
            (
                ended(1, FixOutcome.NO_PUSH),
                *decided(facts(record_attempts=(HERE,), attempt_run=TOLD)).effects[1:],
            ),
            id="the base was merged into it for us: that is nobody's work",
        ),
    ],
)
def test_a_person_pushes(given: FixFacts, wanted: tuple[Effect, ...]) -> None:
    assert decided(given).effects == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param(facts(record_wish=wish(), record_stop=stop()), goes_on(1), id="after a stop"),
        pytest.param(
            facts(record_wish=wish(), record_attempts=(DONE,)), goes_on(2), id="after an attempt"
        ),
        pytest.param(
            facts(record_wish=wish(head_sha=OLD), record_stop=stop()),
            goes_on(1),
            id="it was about an older head: the stop goes, too",
        ),
        pytest.param(
            facts(record_wish=wish(), record_stop=stop(at=NOW), runs=[]),
            NONE,
            id="a stop came after it: it is answered",
        ),
        pytest.param(
            facts(record_wish=wish(at=NOW), record_stop=stop(at=NOW), runs=[]),
            NONE,
            id="a stop came with it",
        ),
        pytest.param(
            facts(
                record_wish=wish(),
                record_attempts=(replace(DONE, wish_id="wish"),),
                record_stop=stop(),
                runs=[],
            ),
            NONE,
            id="an attempt has taken it",
        ),
        pytest.param(
            facts(
                record_wish=wish(head_sha=OLD),
                record_attempts=(replace(DONE, sent_at=NOW),),
                of_head=[],
            ),
            NONE,
            id="an older wish does not undo what was sent after it",
        ),
        pytest.param(
            facts(record_wish=wish(), record_attempts=(DONE,), record_counted_from=2, of_head=[]),
            NONE,
            id="told twice",
        ),
        pytest.param(
            facts(
                record_wish=wish(),
                record_attempts=(HERE,),
                attempt_run=run(RunStatus.ACTIVE),
            ),
            NONE,
            id="while a fix is under way: that one first",
        ),
    ],
)
def test_a_person_asks(given: FixFacts, wanted: tuple[Effect, ...]) -> None:
    assert decided(given).effects == wanted


# ── the attempt that goes on ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given", "outcome", "rule"),
    [
        pytest.param(
            facts(record_attempts=(HERE,), attempt_run=run(RunStatus.ACTIVE)),
            None,
            None,
            id="under way",
        ),
        pytest.param(
            facts(record_attempts=(OPEN,), attempt_run=TOLD), None, None, id="not compared yet"
        ),
        pytest.param(
            facts(record_attempts=(OPEN,), attempt_run=TOLD, pushed_paths=["src/a.ts"]),
            FixOutcome.PUSHED,
            None,
            id="a push",
        ),
        pytest.param(
            facts(record_attempts=(OPEN,), attempt_run=TOLD, pushed_paths=[]),
            FixOutcome.EMPTY_PUSH,
            StopRule.EMPTY_PUSH,
            id="an empty push",
        ),
        pytest.param(
            facts(record_attempts=(OPEN,), attempt_run=TOLD, pushed_paths=["tests/a"]),
            FixOutcome.ONLY_TESTS,
            StopRule.ONLY_TESTS,
            id="a push of tests",
        ),
        pytest.param(
            facts(record_attempts=(HERE,), attempt_run=TOLD),
            FixOutcome.NO_PUSH,
            StopRule.NO_PUSH,
            id="no push",
        ),
        pytest.param(
            facts(record_attempts=(HERE,), attempt_run=replace(TOLD, pull_request=21)),
            FixOutcome.SECOND_PULL_REQUEST,
            StopRule.SECOND_PULL_REQUEST,
            id="a second pull request",
        ),
        pytest.param(
            facts(record_attempts=(HERE,), attempt_run=run(RunStatus.CANCELLED)),
            FixOutcome.CANCELLED,
            StopRule.CANCELLED,
            id="cancelled",
        ),
        pytest.param(
            facts(record_attempts=(HERE,), attempt_run=run(RunStatus.FAILED)),
            FixOutcome.AGENT_FAILED,
            None,
            id="the agent failed",
        ),
        pytest.param(
            facts(record_attempts=(HERE,)), FixOutcome.AGENT_FAILED, None, id="the run is lost"
        ),
        pytest.param(
            facts(record_attempts=(HERE,), attempt_run=TOLD, record_stop=stop()),
            FixOutcome.NO_PUSH,
            None,
            id="a stop stands already",
        ),
    ],
)
def test_the_attempt(given: FixFacts, outcome: FixOutcome | None, rule: StopRule | None) -> None:
    decision = decided(given)
    if outcome is None:
        assert decision.effects == ()
        return
    paths = given.pushed_paths or ()
    first, *rest = decision.effects
    moved = given.record.attempts[-1].head_sha != HEAD
    assert first == replace(ended(1, outcome, *paths), pushed_sha=HEAD if moved else "")
    stops = [it for it in rest if isinstance(it, StopFixing)]
    assert [it.stop.rule for it in stops] == ([rule] if rule else [])
    assert tuple(it for it in rest if it not in stops) == TOUCHED
    assert decision.effects[-1] == LOOK


def test_what_a_push_changed_is_kept_up_to_twenty_paths() -> None:
    paths = [f"src/{it}" for it in range(30)]
    given = facts(record_attempts=(OPEN,), attempt_run=TOLD, pushed_paths=paths)
    assert decided(given).effects[0] == ended(1, FixOutcome.PUSHED, *paths[:20])


def test_a_stop_says_where_when_why_and_to_whom() -> None:
    found = stop_of(decided(facts(record_attempts=(HERE,), attempt_run=TOLD)))
    assert found == stop(
        StopRule.NO_PUSH,
        reason=f"The agent ended without a push. It still fails: {HERE.failure}",
        head_sha=HEAD,
        at=NOW,
    )


HUMAN = Account(5, "carol")
BOTS = replace(TOLD, request=replace(RUN.request, asked_by=AGENT))
LOST_RUN = {"runs": [], "attempt_run": BOTS}


@pytest.mark.parametrize(
    ("given", "person"),
    [
        pytest.param({}, "alice", id="who started the run"),
        pytest.param({"record_wish": wish()}, "bob", id="whose wish waits"),
        pytest.param(
            {"record_attempts": (replace(HERE, asked_by="bob"),)}, "bob", id="who asked for it"
        ),
        pytest.param(
            {
                "record_attempts": (
                    replace(DONE, asked_by="bob"),
                    attempt(2, head_sha=HEAD),
                )
            },
            "bob",
            id="who asked for an earlier one",
        ),
        pytest.param(
            {
                "record_attempts": (replace(DONE, asked_by="bob"), attempt(2, head_sha=HEAD)),
                "record_counted_from": 2,
            },
            "alice",
            id="one that no longer counts",
        ),
        pytest.param({"runs": []}, "alice", id="who started the run that had it"),
        pytest.param({**LOST_RUN, "pull_author": HUMAN}, "carol", id="the author"),
        pytest.param(LOST_RUN, "", id="an author that is no person"),
        pytest.param(
            {"runs": [BOTS], "attempt_run": BOTS, "pull_author": HUMAN},
            "carol",
            id="a run that no person started",
        ),
        pytest.param(
            {"attempt_run": run(RunStatus.CANCELLED)}, "", id="cancelled: whoever did it knows"
        ),
    ],
)
def test_who_is_mentioned(given: dict[str, Any], person: str) -> None:
    made = facts(**{"record_attempts": (HERE,), "attempt_run": TOLD} | given)
    found = stop_of(decided(made))
    assert found is not None
    assert found.person == person
