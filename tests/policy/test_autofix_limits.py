"""When fixing stops before an attempt: no progress, attempts, budgets; tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.effects import (
    LeaveEvent,
)
from bot.domain.pull_request_records import FixOutcome, StopRule
from tests.policy.fixes import (
    ALICE,
    FAILURE,
    HEAD,
    HOUR,
    NOW,
    RUN,
    TOUCHED,
    attempt,
    attempt_id,
    config,
    decided,
    facts,
    goes_on,
    other,
    sends,
    stop,
    stop_of,
    wish,
)

PUSHED = FixOutcome.PUSHED
FAILED_AGENT = FixOutcome.AGENT_FAILED
SAME = attempt(1, PUSHED)
LOST = attempt(1, FAILED_AGENT, head_sha=HEAD)


def retries(most: int) -> dict[str, Any]:
    return {"config": config(validation={"max_retries": most})}


# ── no progress, and attempts ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given", "rule", "reason"),
    [
        pytest.param({}, None, "", id="the first time"),
        pytest.param({"record_attempts": (other(1),)}, None, "", id="another failure than before"),
        pytest.param(
            {"record_attempts": (SAME,)},
            StopRule.SAME_FAILURE,
            f"The same failure came back after the push of `{HEAD[:12]}`: {FAILURE}",
            id="the same after a push",
        ),
        pytest.param(
            {"record_attempts": (replace(SAME, pushed_sha=""),)},
            StopRule.SAME_FAILURE,
            f"The same failure came back after the agent's push: {FAILURE}",
            id="the same after a push of nobody knows what",
        ),
        pytest.param(
            {"record_attempts": (SAME,), "record_counted_from": 2},
            None,
            "",
            id="the same, but a person had a hand in it since",
        ),
        pytest.param(
            {"record_attempts": (SAME, attempt(2, FAILED_AGENT, signature="other"))},
            StopRule.SAME_FAILURE,
            f"The same failure came back after the push of `{HEAD[:12]}`: {FAILURE}",
            id="the same after a push, and the agent failed at another one since",
        ),
        pytest.param(
            {"record_attempts": (LOST,)}, None, "", id="the same, but the agent itself failed"
        ),
        pytest.param(
            {"record_attempts": (attempt(1, FixOutcome.OVERTAKEN),)},
            None,
            "",
            id="the same, but the attempt was overtaken",
        ),
        pytest.param(
            {"record_attempts": (SAME, other(2))}, None, "", id="it came back once: tried once"
        ),
        pytest.param(
            {"record_attempts": (SAME, other(2), attempt(3, PUSHED), other(4)), **retries(9)},
            StopRule.FAILURE_CAME_BACK,
            f"A failure that the agent was sent twice is back: {FAILURE}",
            id="it came back after two tries",
        ),
        pytest.param(
            {"record_attempts": (SAME, other(2), attempt(3, PUSHED), other(4)), **retries(4)},
            StopRule.FAILURE_CAME_BACK,
            f"A failure that the agent was sent twice is back: {FAILURE}",
            id="it came back, and the attempts are spent",
        ),
        pytest.param(
            {
                "record_attempts": (SAME, other(2), attempt(3, PUSHED), other(4)),
                "record_counted_from": 2,
                **retries(9),
            },
            None,
            "",
            id="one of the two tries no longer counts",
        ),
        pytest.param(
            {
                "record_attempts": (
                    SAME,
                    attempt(2, FAILED_AGENT),
                    attempt(3, FAILED_AGENT),
                    other(4),
                ),
                **retries(9),
            },
            None,
            "",
            id="the agent itself failed at two of the tries",
        ),
        pytest.param(
            {"record_attempts": (other(1), other(2), other(3))},
            StopRule.ATTEMPTS_SPENT,
            "3 attempts were made (`validation.max_retries`), and it still fails: " + FAILURE,
            id="spent",
        ),
        pytest.param({"record_attempts": (other(1), other(2))}, None, "", id="the last one"),
        pytest.param(
            {"record_attempts": (other(1),), **retries(1)},
            StopRule.ATTEMPTS_SPENT,
            "One attempt was made (`validation.max_retries`), and it still fails: " + FAILURE,
            id="the only one is spent",
        ),
        pytest.param(
            {"record_attempts": (other(1), other(2), other(3)), "record_counted_from": 2},
            None,
            "",
            id="one of them no longer counts",
        ),
        pytest.param(
            {"record_attempts": (other(1), other(2), attempt(3, FixOutcome.OVERTAKEN))},
            None,
            "",
            id="one of them was overtaken",
        ),
        pytest.param(
            {"record_attempts": (other(1), other(2), attempt(3, FAILED_AGENT))},
            StopRule.ATTEMPTS_SPENT,
            "3 attempts were made (`validation.max_retries`), and it still fails: " + FAILURE,
            id="the agent itself failed at the last one",
        ),
        pytest.param(
            {
                "record_attempts": (LOST, replace(LOST, ordinal=2), replace(LOST, ordinal=3)),
            },
            StopRule.AGENT_FAILED,
            "The agent failed in each of the 3 attempts (`validation.max_retries`); "
            "it still fails: " + FAILURE,
            id="the agent itself failed at all of them",
        ),
        pytest.param(
            {"record_attempts": (LOST,), **retries(1)},
            StopRule.AGENT_FAILED,
            "The agent failed in the attempt (`validation.max_retries`); it still fails: "
            + FAILURE,
            id="the agent itself failed at the only one",
        ),
        pytest.param(
            {"record_attempts": (other(1, asked_by="bob"),), **retries(0)},
            StopRule.ATTEMPTS_SPENT,
            "One attempt was made (`validation.max_retries`), and it still fails: " + FAILURE,
            id="none by itself: what a person asked for is tried",
        ),
    ],
)
def test_no_progress_and_attempts(
    given: dict[str, Any], rule: StopRule | None, reason: str
) -> None:
    decision = decided(facts(**given))
    found = stop_of(decision)
    if rule is None:
        assert found is None
        assert sends(decision)
        return
    person = "bob" if any(it.asked_by for it in given["record_attempts"]) else "alice"
    assert found == stop(rule, reason=reason, head_sha=HEAD, at=NOW, person=person)
    assert decision.effects[1:] == TOUCHED
    # A person who asks begins anew.
    asked = facts(**given, record_wish=wish())
    assert decided(asked).effects == goes_on(given["record_attempts"][-1].ordinal + 1)
    anew = replace(asked.record, counted_from=given["record_attempts"][-1].ordinal + 1)
    assert sends(decided(replace(asked, record=anew)))


def test_where_nothing_begins_by_itself_nothing_stops() -> None:
    decision = decided(facts(**retries(0)))
    assert decision.effects == ()
    assert "`validation.max_retries: 0`" in decision.reason


# ── budgets ──────────────────────────────────────────────────────────────────────────────────


def per_pull(most: int) -> dict[str, Any]:
    return {"config": config(budgets={"agent_runs_per_pull_request": most})}


def per_day(most: int) -> dict[str, Any]:
    return {"config": config(budgets={"agent_runs_per_day": most})}


SECOND_RUN = replace(RUN, id="second")
OWN = other(1, run_id=attempt_id(1))
"""An attempt that began a run of its own."""
OWN_RUN = replace(RUN, id=attempt_id(1))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        pytest.param(per_pull(2), "", id="one run of two"),
        pytest.param(
            per_pull(1),
            "This pull request has had its one agent run (`budgets.agent_runs_per_pull_request`): "
            "raise it, or mend the rest by hand.",
            id="one of one",
        ),
        pytest.param(
            per_pull(2) | {"runs": [SECOND_RUN, RUN]},
            "This pull request has had its 2 agent runs (`budgets.agent_runs_per_pull_request`): "
            "raise it, or mend the rest by hand.",
            id="two runs of two",
        ),
        pytest.param(
            per_pull(2) | {"record_attempts": (other(1),)},
            "This pull request has had its 2 agent runs (`budgets.agent_runs_per_pull_request`): "
            "raise it, or mend the rest by hand.",
            id="a run, and a message to it",
        ),
        pytest.param(
            per_pull(3) | {"record_attempts": (OWN,), "runs": [OWN_RUN, RUN]},
            "",
            id="a run that an attempt began counts once",
        ),
        pytest.param(
            per_pull(2) | {"record_attempts": (OWN,)},
            "This pull request has had its 2 agent runs (`budgets.agent_runs_per_pull_request`): "
            "raise it, or mend the rest by hand.",
            id="it counts though its record is lost",
        ),
        pytest.param(
            per_pull(2) | {"record_attempts": (other(1),), "runs": [], "pull_author": ALICE},
            "This pull request has had its 2 agent runs (`budgets.agent_runs_per_pull_request`): "
            "raise it, or mend the rest by hand.",
            id="a message, and the run that it was to, which went elsewhere",
        ),
        pytest.param(
            per_pull(2) | {"record_attempts": (other(1),), "record_counted_from": 2},
            "This pull request has had its 2 agent runs (`budgets.agent_runs_per_pull_request`): "
            "raise it, or mend the rest by hand.",
            id="a person's hand gives no budget",
        ),
        pytest.param(
            per_pull(0),
            "No agent runs are allowed for a pull request here "
            "(`budgets.agent_runs_per_pull_request`).",
            id="none",
        ),
    ],
)
def test_the_budget_of_a_pull_request(given: dict[str, Any], reason: str) -> None:
    decision = decided(facts(**given))
    if not reason:
        assert sends(decision)
        return
    rule = StopRule.BUDGET_OF_PULL_REQUEST
    assert stop_of(decision) == stop(rule, reason=reason, head_sha=HEAD, at=NOW)
    assert decision.effects[1:] == TOUCHED


HALF = timedelta(microseconds=500)
AT_13 = NOW + HOUR


@pytest.mark.parametrize(
    ("given", "sent", "again_at", "reason"),
    [
        pytest.param(per_day(1), [], None, "", id="none of one"),
        pytest.param(per_day(2), [23 * HOUR], None, "", id="one of two"),
        pytest.param(
            per_day(1),
            [23 * HOUR],
            AT_13,
            "This repository has had its one agent run of a day (`budgets.agent_runs_per_day`); "
            "fixing goes on by itself at 2026-01-02 13:00 UTC.",
            id="one of one",
        ),
        pytest.param(
            per_day(2),
            [23 * HOUR, 2 * HOUR],
            AT_13,
            "This repository has had its 2 agent runs of a day (`budgets.agent_runs_per_day`); "
            "fixing goes on by itself at 2026-01-02 13:00 UTC.",
            id="two of two",
        ),
        pytest.param(
            per_day(1),
            [23 * HOUR, 2 * HOUR],
            NOW + 22 * HOUR,
            "This repository has had its one agent run of a day (`budgets.agent_runs_per_day`); "
            "fixing goes on by itself at 2026-01-03 10:00 UTC.",
            id="two of one: the budget was more then",
        ),
        pytest.param(per_day(1), [24 * HOUR], None, "", id="a day old"),
        pytest.param(
            per_day(1),
            [24 * HOUR - HALF],
            NOW + timedelta(seconds=1),
            "This repository has had its one agent run of a day (`budgets.agent_runs_per_day`); "
            "fixing goes on by itself at 2026-01-02 12:00 UTC.",
            id="nearly a day old: no timer is finer than a second",
        ),
        pytest.param(
            per_day(0),
            [],
            None,
            "No agent runs are allowed in this repository (`budgets.agent_runs_per_day`).",
            id="none are allowed",
        ),
    ],
)
def test_the_budget_of_a_day(given: dict[str, Any], sent: Any, again_at: Any, reason: str) -> None:
    decision = decided(facts(**given, sent_today=[NOW - it for it in sent]))
    if not reason:
        assert sends(decision)
        return
    rule = StopRule.BUDGET_OF_DAY
    assert stop_of(decision) == stop(rule, reason=reason, head_sha=HEAD, at=NOW, again_at=again_at)
    _, *timers, shown, look = decision.effects
    assert (shown, look) == TOUCHED
    assert [it.due_at for it in timers if isinstance(it, LeaveEvent)] == (
        [again_at] if again_at else []
    )


@pytest.mark.parametrize("given", [per_pull(1), per_day(1)], ids=["pull request", "day"])
def test_a_wish_lifts_no_budget(given: dict[str, Any]) -> None:
    made = facts(**given, sent_today=[NOW - HOUR], record_wish=wish())
    found = stop_of(decided(made))
    assert found is not None
    assert found.person == "bob"
    # It is answered: the next look changes nothing.
    assert decided(replace(made, record=replace(made.record, stop=found))).effects == ()


@pytest.mark.parametrize(
    ("after", "wanted"),
    [
        pytest.param(-timedelta(seconds=1), (), id="before"),
        pytest.param(timedelta(0), goes_on(2), id="at the time"),
        pytest.param(HOUR, goes_on(2), id="after"),
    ],
)
@pytest.mark.parametrize("given", [{}, {"runs": []}], ids=["an agent's", "a person's"])
def test_a_stop_for_the_budget_of_a_day_ends_by_itself(
    given: dict[str, Any], after: timedelta, wanted: Any
) -> None:
    made = facts(
        **given,
        record_stop=stop(StopRule.BUDGET_OF_DAY, at=NOW - HOUR, again_at=NOW - after),
        record_attempts=(other(1), other(2)),
        record_counted_from=2,
    )
    assert decided(made).effects == wanted


def test_what_waited_for_the_budget_of_a_day_is_sent_then() -> None:
    """A wish for a person's own pull request, too: it is open again when the stop has ended."""
    made = facts(runs=[], record_wish=wish(at=NOW - 2 * HOUR))
    assert sends(decided(made))


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        pytest.param(
            {"record_attempts": (SAME, attempt(2, PUSHED)), **retries(2)},
            StopRule.SAME_FAILURE,
            id="the same failure · it came back, spent",
        ),
        pytest.param(
            {
                "record_attempts": (other(1),),
                "config": config(
                    validation={"max_retries": 1}, budgets={"agent_runs_per_pull_request": 1}
                ),
            },
            StopRule.ATTEMPTS_SPENT,
            id="spent · the budget of the pull request",
        ),
        pytest.param(
            {"config": config(budgets={"agent_runs_per_pull_request": 1, "agent_runs_per_day": 0})},
            StopRule.BUDGET_OF_PULL_REQUEST,
            id="the budget of the pull request · of the day",
        ),
        pytest.param(
            {
                "record_attempts": (other(1, ended_at=NOW),),
                "config": config(budgets={"agent_runs_per_day": 0}),
            },
            StopRule.BUDGET_OF_DAY,
            id="the budget of the day · too early",
        ),
    ],
)
def test_which_stop_comes_first(given: dict[str, Any], rule: StopRule) -> None:
    found = stop_of(decided(facts(**given)))
    assert found is not None
    assert found.rule is rule
