"""How much the agent may be asked: counted once, and told with the time of reset."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.agent_runs import RunStatus
from bot.domain.commands import Command, Verb
from bot.domain.comments import Impossible
from bot.domain.pull_request_records import FixAttempt, PullRequestRecord
from bot.policy.agent_requests import request
from bot.policy.budgets import DAY, free_again, of_pull_request, spent
from tests.policy.places import ISSUE, NOW, PULL, REPOSITORY, config, run

HOUR = timedelta(hours=1)
RECORD = PullRequestRecord(REPOSITORY, PULL.number)
BROUGHT = run(RunStatus.COMPLETED, id="brought", pull_request=PULL.number)


def attempt(name: str, run_id: str, asked_by: str = "") -> FixAttempt:
    return FixAttempt(name, 1, "a" * 40, "v", "s", "build", run_id, NOW, asked_by)


@pytest.mark.parametrize(
    ("runs", "attempts", "count"),
    [
        pytest.param([], (), 0, id="nothing"),
        pytest.param([BROUGHT], (), 1, id="a run"),
        pytest.param([BROUGHT], (attempt("1", "brought"),), 2, id="a run, and a message to it"),
        pytest.param(
            [BROUGHT, replace(BROUGHT, id="2")],
            (attempt("1", "brought"), attempt("2", "2")),
            3,
            id="an attempt that made a run of its own counts once",
        ),
        pytest.param([], (attempt("1", "lost"),), 2, id="a run that is lost was one"),
    ],
)
def test_what_counts_for_a_pull_request(
    runs: list[object], attempts: tuple[FixAttempt, ...], count: int
) -> None:
    assert of_pull_request(runs, replace(RECORD, attempts=attempts)) == count  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ago", "most", "again"),
    [
        pytest.param([], 1, None, id="nothing was sent"),
        pytest.param([1], 2, None, id="there is room"),
        pytest.param([5, 3, 1], 2, 24 - 3, id="when the last but one is a day old"),
        pytest.param([30, 3, 1], 2, 24 - 3, id="what is older is not counted"),
        pytest.param([3], 0, None, id="none is allowed, ever"),
    ],
)
def test_when_a_day_has_room_again(ago: list[int], most: int, again: int | None) -> None:
    wanted = None if again is None else NOW + again * HOUR
    assert free_again([NOW - it * HOUR for it in ago], most, NOW) == wanted


def test_they_are_told_with_the_time_of_reset() -> None:
    limits = config(validation={"max_retries": 3}, budgets={"agent_runs_per_day": 50})
    tried = (attempt("1", "brought"), attempt("2", "brought", "alice"))
    told = spent(limits, [BROUGHT], replace(RECORD, attempts=tried), [NOW - HOUR], NOW)
    assert told == (
        "Attempts to mend it since a person had a hand in it: 2 of 3 (`validation.max_retries`)",
        "Agent runs for this pull request: 3 of 6 (`budgets.agent_runs_per_pull_request`)",
        (
            "Agent runs in this repository within a day: 1 of 50 (`budgets.agent_runs_per_day`); "
            f"the first of them is free again at {NOW - HOUR + DAY:%Y-%m-%d %H:%M} UTC"
        ),
    )
    (day,) = spent(limits, [], None, [], NOW)
    assert day.endswith("0 of 50 (`budgets.agent_runs_per_day`)")


def test_a_command_keeps_to_the_pull_requests_budget() -> None:
    place = replace(
        ISSUE,
        pull_request=PULL,
        record=RECORD,
        runs=[BROUGHT],
        config=config(budgets={"agent_runs_per_pull_request": 1}),
    )
    answer = request(Command(Verb.RUN, text="mend it"), place, 0)
    assert isinstance(answer, Impossible)
    assert "its 1 agent runs" in answer.reason
