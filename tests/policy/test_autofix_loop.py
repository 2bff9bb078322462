"""The loop of fixing, driven at random: what holds whatever agents, checks and people do.

The effects are carried out upon the record by a few pure lines; the rest of the world is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.agent_runs import AgentRun, RunMessage, RunStatus
from bot.domain.effects import (
    Decision,
    Effect,
    LeaveEvent,
    MessageRun,
    RecordValidation,
    RequestRun,
)
from bot.domain.pull_request_effects import (
    EndAttempt,
    GoOnFixing,
    NoteRevalidation,
    RecordAttempt,
    StopFixing,
)
from bot.domain.pull_request_records import FixWish, PullRequestRecord
from bot.domain.repo_config import RepoConfig
from bot.domain.repositories import Account
from bot.domain.validation_records import ValidationRecord
from bot.domain.validations import FailureClass, Verdict
from bot.policy.autofix import FixFacts, decide
from bot.policy.budgets import DAY
from tests.policy.fixes import (
    AGENT,
    ALICE,
    BOB,
    FACTS,
    NOW,
    NUMBER,
    REPOSITORY,
    RUN,
    config,
    sends,
    validation,
)

MOST_STEPS: Final = 6
"""Looks, each at what the one before left, until nothing is left: it never goes round."""


def applied(record: PullRequestRecord, effect: Effect, now: datetime) -> PullRequestRecord:
    """The record as an effect leaves it."""
    match effect:
        case RecordAttempt():
            return replace(record, attempts=(*record.attempts, effect.attempt))
        case EndAttempt():
            changes: dict[str, Any] = {
                "outcome": effect.outcome,
                "pushed_sha": effect.pushed_sha,
                "changed": effect.changed,
                "ended_at": now,
            }
            ended = (
                replace(it, **changes) if it.id == effect.attempt_id else it
                for it in record.attempts
            )
            return replace(record, attempts=tuple(ended))
        case StopFixing():
            return replace(record, stop=effect.stop)
        case GoOnFixing():
            return replace(record, stop=None, counted_from=effect.counted_from)
        case NoteRevalidation():
            noted = (*record.revalidations, effect.revalidation)
            return replace(record, revalidations=noted)
        case _:
            return record


class World:
    """A pull request, its agent and its people. ``automatic`` counts since a person's hand."""

    def __init__(self, rules: RepoConfig, *, agents: bool, author: Account) -> None:
        self.config = rules
        self.author = author
        self.now = NOW
        self.heads = 0
        self.record = PullRequestRecord(REPOSITORY, NUMBER)
        self.validations: dict[str, list[ValidationRecord]] = {}
        self.runs: list[AgentRun] = [RUN] if agents else []
        self.sent = [NOW] if agents else []
        self.paths: list[str] = []
        self.is_open = True
        self.automatic = 0

    @property
    def head(self) -> str:
        return f"{self.heads:040x}"

    @property
    def attempt_run(self) -> AgentRun | None:
        attempt = self.record.open_attempt
        ids = attempt.run_id if attempt else ""
        return next((it for it in self.runs if it.id == ids), None)

    def facts(self, pusher: Account | None = None) -> FixFacts:
        attempt = self.record.open_attempt
        moved = attempt is not None and attempt.head_sha != self.head
        pull = replace(
            FACTS.pull_request, head_sha=self.head, is_open=self.is_open, author=self.author
        )
        return FixFacts(
            REPOSITORY,
            pull,
            self.config,
            self.record,
            tuple(self.validations.get(self.head, ())),
            tuple(it for it in self.runs if NUMBER in it.numbers),
            self.now,
            self.attempt_run,
            tuple(self.sent),
            tuple(self.paths) if moved else None,
            pusher,
        )

    # ── what may happen ──────────────────────────────────────────────────────────────────────

    def validated(self, said: str) -> None:
        """The newest of the head ends, or there is one more."""
        verdict, failure = VERDICTS[said[:1]]
        known = self.validations.setdefault(self.head, [])
        made = validation(failure, verdict, head=self.head, signature=said, at=self.now)
        if known and not known[-1].ended:
            known.pop()
        known.append(replace(made, id=f"{self.head[-4:]} {len(known)}"))

    def agent(self, said: str) -> None:
        run = self.attempt_run
        if run is None or run.status is not RunStatus.ACTIVE:
            return
        if said in PATHS:
            self.heads += 1
            self.paths += PATHS[said]
            self.settle(self.author)
            run = next(it for it in self.runs if it.id == run.id)
        changes: dict[str, Any] = {"status": ENDS.get(said, RunStatus.COMPLETED)}
        if said == "second":
            changes["pull_request"] = NUMBER + 1
        self.runs[self.runs.index(run)] = replace(run, **changes)

    def person(self, said: str) -> None:
        match said:
            case "push":
                self.heads += 1
                self.automatic = 0
                self.settle(BOB)
            case "wish":
                self.automatic = 0
                wish = FixWish(f"wish at {self.now}", BOB, self.head, self.now)
                self.record = replace(self.record, wish=wish, stop=None)
            case "hold":
                self.record = replace(self.record, held_by="" if self.record.held_by else "bob")
            case "close":
                self.is_open, self.automatic = not self.is_open, 0

    # ── what follows ─────────────────────────────────────────────────────────────────────────

    def settle(self, pusher: Account | None = None) -> None:
        reason = ""
        for _ in range(MOST_STEPS):
            facts = self.facts(pusher)
            decision = decide(facts, str)
            assert decide(facts, str) == decision  # same facts, same decision
            self.judge(decision)
            self.carry_out(decision)
            if not any(it.kind == "leave_event" and it.due_at is None for it in decision.effects):
                return
            if sends(decision):  # what it leaves is for the agent's queue
                return
            pusher, reason = None, decision.reason
        pytest.fail(f"it goes round: {reason}")

    def judge(self, decision: Decision) -> None:
        """What must hold of whatever is decided."""
        validated = [it for it in decision.effects if isinstance(it, RecordValidation)]
        again = sum(it.head_sha == self.head for it in self.record.revalidations)
        assert again + len(validated) <= self.config.validation.infrastructure_retries
        self.comes_to_something(decision)
        if not sends(decision):
            return
        assert self.is_open
        assert self.record.open_attempt is None, "one at a time"
        assert self.record.stop is None, "a stop stands"
        attempt = next(it.attempt for it in decision.effects if isinstance(it, RecordAttempt))
        assert attempt.wish_id or not self.record.held_by
        if attempt.wish_id:
            assert all(it.wish_id != attempt.wish_id for it in self.record.attempts)
        else:
            self.automatic += 1
            assert self.automatic <= self.config.validation.max_retries
        budgets = self.config.budgets
        known = {it.id for it in self.runs} | {it.id for it in self.record.attempts}
        assert len(known) < budgets.agent_runs_per_pull_request
        assert sum(it > self.now - DAY for it in self.sent) < budgets.agent_runs_per_day

    def comes_to_something(self, decision: Decision) -> None:
        """What waits for a time is not left waiting for it then."""
        timers = [it for it in decision.effects if isinstance(it, LeaveEvent) and it.due_at]
        if not decision.effects or len(timers) != len(decision.effects):
            return
        due = timers[0].due_at
        assert due is not None
        assert due > self.now
        then = decide(replace(self.facts(), now=due), str)
        assert any(not isinstance(it, LeaveEvent) for it in then.effects), then.reason

    def carry_out(self, decision: Decision) -> None:
        for effect in decision.effects:
            self.record = applied(self.record, effect, self.now)
            match effect:
                case RecordAttempt():
                    self.sent.append(self.now)
                    self.paths = []
                case MessageRun():
                    at = next(n for n, it in enumerate(self.runs) if it.id == effect.run_id)
                    self.runs[at] = told(self.runs[at], effect.message)
                case RequestRun():
                    run = AgentRun(effect.run_id, effect.request, self.now, self.now)
                    begun = replace(run, status=RunStatus.ACTIVE, remote_id=1, pull_request=NUMBER)
                    self.runs.insert(0, begun)
                case RecordValidation():
                    order = effect.order
                    assert order.head_sha == self.head
                    record = ValidationRecord(effect.validation_id, order, self.now)
                    self.validations[self.head].append(record)


def told(run: AgentRun, message: RunMessage) -> AgentRun:
    messages = (*run.messages, message)
    return replace(run, messages=messages, sent=len(messages), status=RunStatus.ACTIVE)


VERDICTS: Final[dict[str, tuple[Verdict, FailureClass | None]]] = {
    "x": (Verdict.FAILED, FailureClass.CODE),
    "y": (Verdict.FAILED, FailureClass.DEPENDENCY),
    "z": (Verdict.FAILED, FailureClass.CONFIGURATION),
    "n": (Verdict.FAILED, None),
    "i": (Verdict.FAILED, FailureClass.INCONCLUSIVE),
    "s": (Verdict.FAILED, FailureClass.MISSING_SECRET),
    "f": (Verdict.FAILED, FailureClass.FLAKY),
    "e": (Verdict.ERROR, FailureClass.INFRASTRUCTURE),
    "p": (Verdict.PASSED, None),
    "c": (Verdict.CANCELLED, None),
}
PATHS: Final = {"code": ["src/a.ts"], "tests": ["tests/a.ts"], "empty": []}
ENDS: Final = {
    "failed": RunStatus.FAILED,
    "waits": RunStatus.WAITING,
    "cancelled": RunStatus.CANCELLED,
    "code": RunStatus.COMPLETED,
}
TIMES: Final = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": DAY}
# Failures and pushes come more often, so that the loop goes far.
FINDINGS: Final = [*"xxyyz", "x2", "x3", "x4", "x5", "x6", *"nisfepc"]
ACTIONS: Final = st.one_of(
    st.tuples(st.just("validated"), st.sampled_from(FINDINGS)),
    st.tuples(
        st.just("agent"),
        st.sampled_from(["code"] * 5 + ["tests", "empty", "none", "second", *ENDS]),
    ),
    st.tuples(st.just("person"), st.sampled_from(["push", "wish", "wish", "hold", "close"])),
    st.tuples(st.just("time"), st.sampled_from(["hour", *TIMES])),
    st.just(("round", "")),
)
Action = tuple[str, str]
RULES: Final = st.builds(
    lambda retries, again, pull, day: config(
        validation={"max_retries": retries, "infrastructure_retries": again},
        budgets={"agent_runs_per_pull_request": pull, "agent_runs_per_day": day},
    ),
    st.integers(0, 5),
    st.integers(0, 2),
    st.integers(0, 12),
    st.integers(0, 8),
)


def act(world: World, action: Action, count: int) -> None:
    kind, said = action
    world.now += timedelta(seconds=1)
    match kind:
        case "validated":
            world.validated(said)
        case "agent":
            world.agent(said)
        case "person":
            world.person(said)
        case "time":
            world.now += TIMES[said]
        case "round":  # the agent pushes, and what it pushed fails otherwise
            world.agent("code")
            world.settle()
            world.validated(f"x round {count}")
            world.settle()
            world.now += TIMES["hour"]
    world.settle()


@given(
    rules=RULES,
    agents=st.sampled_from([True, True, False]),
    author=st.sampled_from([AGENT, ALICE]),
    actions=st.lists(ACTIONS, max_size=40),
)
@settings(max_examples=300, deadline=None)
def test_the_loop_stops_in_time(
    rules: RepoConfig, agents: bool, author: Account, actions: Sequence[Action]
) -> None:
    world = World(rules, agents=agents, author=author)
    world.settle()
    for count, action in enumerate(actions):
        act(world, action, count)


def driven(most: int, failure: Callable[[int], str], pushed: str = "code") -> World:
    """An agent that always pushes, and that always fails."""
    rules = config(
        validation={"max_retries": most},
        budgets={"agent_runs_per_pull_request": 50, "agent_runs_per_day": 50},
    )
    world = World(rules, agents=True, author=AGENT)
    for count in range(30):
        world.validated(failure(count))
        world.settle()
        world.now += timedelta(hours=1)
        world.settle()
        world.agent(pushed)
        world.settle()
    return world


@pytest.mark.parametrize(
    ("failure", "pushed", "attempts", "rule"),
    [
        pytest.param(lambda count: f"x{count}", "code", 5, "attempts_spent", id="always another"),
        pytest.param(lambda _: "x", "code", 1, "same_failure", id="always the same"),
        pytest.param(lambda n: "xy"[n % 2], "code", 4, "failure_came_back", id="by turns"),
        pytest.param(lambda count: f"x{count}", "tests", 1, "only_tests", id="only tests"),
        pytest.param(lambda count: f"x{count}", "empty", 1, "empty_push", id="nothing"),
        pytest.param(lambda count: f"x{count}", "none", 1, "no_push", id="no push"),
        pytest.param(lambda count: f"x{count}", "failed", 5, "agent_failed", id="the agent fails"),
        pytest.param(lambda _: "x", "second", 1, "second_pull_request", id="another pull request"),
        pytest.param(lambda _: "x", "cancelled", 1, "cancelled", id="cancelled"),
        pytest.param(lambda _: "f", "code", 0, None, id="flaky for ever"),
    ],
)
def test_where_the_loop_ends(
    failure: Callable[[int], str], pushed: str, attempts: int, rule: str | None
) -> None:
    world = driven(5, failure, pushed)
    stop = world.record.stop
    assert len(world.record.attempts) == attempts
    assert (stop.rule if stop else None) == rule
    # A person's push, and it goes on.
    world.person("push")
    world.validated("y anew")
    world.settle()
    assert world.record.stop is None
    assert len(world.record.attempts) == attempts + 1


ROUND: Final = ("round", "")
SPENT: Final = (ROUND,) * 4


@pytest.mark.parametrize(
    ("actions", "attempts"),
    [
        pytest.param(SPENT, 3, id="until it is spent"),
        pytest.param((*SPENT, ("person", "wish"), *SPENT), 6, id="a wish, and as many again"),
        pytest.param((*SPENT, ("person", "push"), *SPENT, *SPENT), 6, id="a push, and as many"),
        pytest.param(
            (("validated", "x"), ("person", "wish"), *SPENT, *SPENT),
            4,
            id="a wish while a fix is under way gives one new beginning",
        ),
        pytest.param(
            (*SPENT, ("validated", "p"), ("validated", "x9"), *SPENT),
            3,
            id="a green head in between gives none",
        ),
        pytest.param(
            (
                ("validated", "x"),
                ("agent", "none"),
                ("person", "wish"),
                ("agent", "failed"),
                *(("time", "hour"),) * 3,
            ),
            3,
            id="a wish is taken once; the agent failed at it, and gets it anew by itself",
        ),
        pytest.param(
            (("validated", "x"), ("agent", "none"), ("person", "hold"), ("person", "push"), ROUND),
            1,
            id="held: a push gives a new beginning, which waits",
        ),
    ],
)
def test_stories(actions: Sequence[Action], attempts: int) -> None:
    world = World(config(budgets={"agent_runs_per_pull_request": 50}), agents=True, author=AGENT)
    for count, action in enumerate(actions):
        act(world, action, count)
    assert len(world.record.attempts) == attempts
