"""Which agent runs begin, which wait for what, which are given up: tables of facts and effects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.agent_runs import AgentRun, RunMessage, RunRequest, RunStatus
from bot.domain.comments import CommentKind, CommentReference
from bot.domain.effects import CancelRun, Effect, EndRun, LeaveEvent, QueueRun, StartRun
from bot.domain.events import AgentRunsTouched, PullRequestTouched, StatusOutdated
from bot.domain.repo_config import Agent
from bot.domain.repositories import Account, Repository
from bot.policy.agent_queue import QueueFacts, decide, late, shown

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
REPOSITORY = Repository(7, "octo", "shop", 1, default_branch="main")
ALICE, BOB, CAROL = Account(1, "alice"), Account(2, "bob"), Account(3, "carol")
LATER = NOW + timedelta(seconds=1)
MESSAGE = RunMessage("m", "Go on", "bob")
AGAIN: tuple[Effect, ...] = (LeaveEvent(AgentRunsTouched(REPOSITORY)),)
"""The queue is looked at once more: one that does not begin leaves its place to others."""

HERE = "another run is under way here; they go one after the other"
THREE = "3 runs at a time are allowed here (`agent.concurrent_runs`)"
ONE = "1 run at a time is allowed here (`agent.concurrent_runs`)"
TWO_EACH = "2 runs at a time are allowed for one person (`agent.concurrent_runs_per_user`)"
ONE_EACH = "1 run at a time is allowed for one person (`agent.concurrent_runs_per_user`)"


def queued(number: int, by: Account = ALICE, **changes: Any) -> AgentRun:
    """A run that was asked for in an issue or pull request of that number, which is its id too."""
    comment = CommentReference(CommentKind.CONVERSATION, number, number, f"https://x/{number}")
    request = RunRequest(REPOSITORY, number, "Mend it", by, comment, "main", deadline_minutes=60)
    return replace(AgentRun(str(number), request, NOW, NOW), **changes)


def active(number: int, by: Account = ALICE, **changes: Any) -> AgentRun:
    return replace(
        queued(number, by), status=RunStatus.ACTIVE, remote_id=1, active_since=NOW, **changes
    )


def told(*numbers: int) -> tuple[Effect, ...]:
    return tuple(LeaveEvent(StatusOutdated(REPOSITORY, it)) for it in numbers)


def looks(*numbers: int) -> tuple[Effect, ...]:
    return tuple(LeaveEvent(PullRequestTouched(REPOSITORY, it)) for it in numbers)


def begins(*numbers: int) -> tuple[Effect, ...]:
    return tuple(StartRun(str(it)) for it in numbers)


def effects(runs: Sequence[AgentRun], **limits: Any) -> tuple[Effect, ...]:
    facts = QueueFacts(REPOSITORY, runs, Agent.model_validate(limits), NOW)
    return decide(facts).effects


@pytest.mark.parametrize(
    ("runs", "limits", "wanted"),
    [
        pytest.param([], {}, (), id="nothing there"),
        pytest.param([queued(1)], {}, (*begins(1), *told(1)), id="it may begin"),
        pytest.param([active(1)], {}, (), id="it goes on"),
        pytest.param(
            [active(1), active(2, BOB), active(3, CAROL), queued(4, BOB)],
            {},
            (QueueRun("4", 1, THREE), *told(4)),
            id="as many as the project may have are going",
        ),
        pytest.param(
            [active(1), active(2, BOB), queued(3, CAROL)],
            {},
            (*begins(3), *told(3)),
            id="one fewer than it may have are going",
        ),
        pytest.param(
            [queued(1), queued(2, BOB), queued(3, CAROL), queued(4, BOB)],
            {},
            (*begins(1, 2, 3), QueueRun("4", 1, THREE), *told(1, 2, 3, 4), *AGAIN),
            id="those that begin now count too",
        ),
        pytest.param(
            [active(1), queued(2, BOB)],
            {"concurrent_runs": 1},
            (QueueRun("2", 1, ONE), *told(2)),
            id="one at a time in the project",
        ),
        pytest.param(
            [active(1), active(2), queued(3), queued(4, BOB)],
            {},
            (QueueRun("3", 1, TWO_EACH), *begins(4), *told(3, 4), *AGAIN),
            id="a person with their two waits, another one does not",
        ),
        pytest.param(
            [active(1), queued(2)],
            {"concurrent_runs_per_user": 1},
            (QueueRun("2", 1, ONE_EACH), *told(2)),
            id="one at a time for a person",
        ),
        pytest.param(
            [active(1, Account(1, "renamed")), queued(2)],
            {"concurrent_runs_per_user": 1},
            (QueueRun("2", 1, ONE_EACH), *told(2)),
            id="a person is known by id, not by login",
        ),
        pytest.param(
            [active(1), queued(2, Account(9, "alice"))],
            {"concurrent_runs_per_user": 1},
            (*begins(2), *told(2)),
            id="somebody of the same login is another person",
        ),
        pytest.param(
            [active(1), queued(1, BOB, id="second")],
            {},
            (QueueRun("second", 1, HERE), *told(1)),
            id="one after the other in an issue",
        ),
        pytest.param(
            [queued(1), queued(1, BOB, id="second")],
            {},
            (StartRun("1"), QueueRun("second", 1, HERE), *told(1), *AGAIN),
            id="of two in an issue the first begins",
        ),
        pytest.param(
            [active(1, pull_request=12), queued(12, BOB, pull_request=12)],
            {},
            (QueueRun("12", 1, HERE), *told(12)),
            id="in the pull request that another issue's run brought",
        ),
        pytest.param(
            [active(12, pull_request=12), queued(1, BOB, pull_request=12)],
            {},
            (QueueRun("1", 1, HERE), *told(1, 12)),
            id="in the issue whose pull request is worked on",
        ),
        pytest.param(
            [active(1, pull_request=12), queued(2, BOB, pull_request=13)],
            {},
            (*begins(2), *told(2, 13), *looks(13)),
            id="in another issue with another pull request",
        ),
        pytest.param(
            [active(1), queued(1, BOB, id="second"), queued(1, CAROL, id="third")],
            {"concurrent_runs": 1},
            (QueueRun("second", 1, HERE), QueueRun("third", 2, HERE), *told(1)),
            id="the place counts up; what is here comes before how many there are",
        ),
        pytest.param(
            [active(1), active(2), queued(3), queued(2, BOB, id="four")],
            {"concurrent_runs": 9},
            (QueueRun("3", 1, TWO_EACH), QueueRun("four", 2, HERE), *told(3, 2)),
            id="each waits for its own reason",
        ),
        pytest.param(
            [active(1), queued(1, BOB, id="second", place=1, reason=HERE)],
            {},
            (),
            id="place and reason as before: nothing is told",
        ),
        pytest.param(
            [active(1), queued(1, BOB, id="second", place=2, reason=HERE)],
            {},
            (QueueRun("second", 1, HERE), *told(1)),
            id="another place",
        ),
        pytest.param(
            [active(1), queued(1, BOB, id="second", place=1, reason=THREE)],
            {},
            (QueueRun("second", 1, HERE), *told(1)),
            id="another reason",
        ),
        pytest.param(
            [queued(1, not_before=LATER)], {}, (), id="not before a time that is yet to come"
        ),
        pytest.param(
            [queued(1, not_before=NOW)], {}, (*begins(1), *told(1)), id="not before this very time"
        ),
        pytest.param(
            [queued(1, not_before=LATER), queued(1, BOB, id="second")],
            {},
            (QueueRun("second", 1, HERE), *told(1)),
            id="one that is tried again later keeps its turn in its issue",
        ),
        pytest.param(
            [queued(1), queued(1, BOB, id="second", place=1, reason=HERE)],
            {},
            (*begins(1), *told(1), *AGAIN),
            id="one begins, and another one waits as before",
        ),
        pytest.param(
            [queued(1, not_before=LATER), queued(2, BOB)],
            {"concurrent_runs": 1},
            (QueueRun("2", 1, ONE), *told(2)),
            id="one that is tried again later keeps its turn in the project",
        ),
        pytest.param(
            [active(1, messages=(MESSAGE,))],
            {},
            (*begins(1), *told(1)),
            id="a message for one that is going is sent",
        ),
        pytest.param(
            [active(1, messages=(MESSAGE,), sent=1)], {}, (), id="a message that was sent already"
        ),
        pytest.param(
            [active(1, messages=(MESSAGE,), not_before=LATER)],
            {},
            (),
            id="a message that is tried again later",
        ),
        pytest.param(
            [active(1, messages=(MESSAGE,)), active(2), queued(3)],
            {},
            (StartRun("1"), QueueRun("3", 1, TWO_EACH), *told(1, 3), *AGAIN),
            id="a message takes no second place",
        ),
        pytest.param(
            [queued(1, remote_id=5, messages=(MESSAGE,))],
            {},
            (*begins(1), *told(1)),
            id="one that was resumed begins like any other",
        ),
        pytest.param(
            [replace(queued(1), status=RunStatus.WAITING), queued(1, BOB, id="second")],
            {},
            (StartRun("second"), *told(1)),
            id="one that waits for a person keeps nobody waiting",
        ),
    ],
)
def test_the_queue(
    runs: Sequence[AgentRun], limits: dict[str, Any], wanted: tuple[Effect, ...]
) -> None:
    assert effects(runs, **limits) == wanted


def test_an_overdue_run_is_given_up_and_makes_room_at_once() -> None:
    seen: dict[str, Any] = {
        "remote_status": "ACTIVE",
        "remote_seen": "ACTIVE 5",
        "known_pull_requests": (5,),
    }
    old = active(1, pull_request=12, messages=(MESSAGE,), **seen)
    overdue = replace(old, active_since=NOW - timedelta(minutes=60))
    ended, *rest = effects([overdue, queued(1, BOB, id="second")])
    assert isinstance(ended, EndRun)
    assert (ended.run_id, ended.status) == ("1", RunStatus.FAILED)
    assert "given up after 60 minutes (`agent.deadline_minutes`)" in ended.reason
    assert "/codegen resume" in ended.reason
    assert {name: getattr(ended, name) for name in seen} == seen, "what it said is not news again"
    assert rest == [StartRun("second"), *told(1, 12), *looks(12)]


@pytest.mark.parametrize(
    ("run", "wanted"),
    [
        pytest.param(active(1), False, id="just set going"),
        pytest.param(
            active(1, created_at=NOW - timedelta(days=9)), False, id="old, and set going just now"
        ),
        pytest.param(
            replace(active(1), active_since=NOW - timedelta(minutes=60, microseconds=-1)),
            False,
            id="a moment before its time",
        ),
        pytest.param(
            replace(active(1), active_since=NOW - timedelta(minutes=60)), True, id="at its time"
        ),
        pytest.param(
            replace(active(1), active_since=None, created_at=NOW - timedelta(minutes=60)),
            True,
            id="nobody knows since when: since it was asked for",
        ),
    ],
)
def test_the_deadline(run: AgentRun, wanted: bool) -> None:
    assert late(run, NOW) is wanted
    assert any(isinstance(it, EndRun) for it in effects([run])) is wanted


def test_what_waits_in_the_queue_has_no_deadline() -> None:
    asleep = queued(1, created_at=NOW - timedelta(days=9), not_before=LATER)
    assert effects([asleep]) == ()


def test_an_inactive_project_ends_all_and_tells_of_each() -> None:
    overdue = replace(active(3, pull_request=12), active_since=NOW - timedelta(days=1))
    why = "The App was uninstalled."
    decision = decide(QueueFacts(REPOSITORY, [active(1), queued(2), overdue], Agent(), NOW, why))
    assert decision.effects == (
        *(CancelRun(it, why) for it in "123"),
        *told(1, 2, 3, 12),
        *looks(12),
    )
    assert decision.reason == why


def test_an_inactive_project_without_runs_is_left_alone() -> None:
    assert decide(QueueFacts(REPOSITORY, [], Agent(), NOW, "gone")).effects == ()


def test_the_reason_counts_what_becomes_of_the_runs() -> None:
    overdue = replace(active(4, BOB), active_since=NOW - timedelta(hours=2))
    facts = QueueFacts(REPOSITORY, [active(1), queued(2), queued(1, id="x"), overdue], Agent(), NOW)
    assert decide(facts).reason == "1 started, 1 wait, 1 go on, 1 given up"


def test_each_place_is_told_once_in_its_first_order() -> None:
    assert shown(REPOSITORY, [3, 1, 3]) == told(3, 1)
