"""A state machine that drives pull requests at random, through the whole bot, and looks on.

Pushes, reviews, commands, agents that fail or cheat, lost answers and workers that die in the
midst of a call come in any order; ``course`` says what has to hold, after each step and at the end.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from bot.work import pool, repair
from demo.github.faults import Fault
from tests.flow.course import Course, Rules, course

pytestmark = pytest.mark.database
T = TypeVar("T")

PAUSES = st.sampled_from([0.0, 0.05, 0.3, None])
"""Seconds until the next step; None waits until all is quiet."""
WHICH = st.integers(0, 1)
ACTS = st.sampled_from(["good", "good", "bad", "bad", "tests", "beside", "fails", "says"])
COMMANDS = st.sampled_from(
    ["hold", "unhold", "merge", "fix", "validate", "explain", "override validation We know."]
)
FAULTS = st.sampled_from([None, Fault.LOST_ANSWER, Fault.BROKEN_AFTER, Fault.DROPPED, Fault.BROKEN])
RULES = st.builds(
    Rules,
    approvals=st.sampled_from([0, 0, 1]),
    up_to_date=st.booleans(),
    max_retries=st.integers(1, 2),
)


class PullRequests(RuleBasedStateMachine):
    """Each example has a bot, a database and a GitHub of its own."""

    mongodb = ""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.stack = AsyncExitStack()
        self.trace: list[str] = []
        self.failed = False

    def run(self, work: Awaitable[T]) -> T:
        async def do() -> T:
            return await work

        return self.loop.run_until_complete(do())

    @initialize(rules=RULES, first=st.sampled_from(["good", "bad", "bad"]), acts=st.lists(ACTS))
    def begins(self, rules: Rules, first: str, acts: list[str]) -> None:
        begun = self.stack.enter_async_context(course(self.mongodb, self.folder, rules, first))
        self.it: Course = self.run(begun)
        self.it.coming = acts
        self.it.trace.append(f"{rules} {first} {acts}")

    def step(self, told: str, work: Awaitable[None], pause: float | None) -> None:
        """Do it, wait, and see what holds."""
        self.it.trace.append(told)
        self.run(work)
        self.run(self.it.quiet() if pause is None else self.it.pass_time(pause))
        self.holds(self.run(self.it.judge()))

    def holds(self, wrong: list[str]) -> None:
        self.failed = self.failed or bool(wrong)
        assert not wrong, "\n".join([*wrong, "after:", *self.it.trace])

    # ── what happens ─────────────────────────────────────────────────────────────────────────

    @rule(which=WHICH, word=st.sampled_from(["good", "bad"]), pause=PAUSES)
    def a_person_pushes(self, which: int, word: str, pause: float | None) -> None:
        pull = self.it.pulls[which]
        self.step(f"push {word} to #{pull.number}", self.it.push(pull, word), pause)

    @rule(pause=PAUSES)
    def the_base_moves(self, pause: float | None) -> None:
        name = f"base-{len(self.it.trace)}.md"
        self.step("push to main", self.it.it.push_base(name), pause)

    @rule(which=WHICH, state=st.sampled_from(["approved", "changes_requested"]), pause=PAUSES)
    def bob_reviews(self, which: int, state: str, pause: float | None) -> None:
        pull = self.it.pulls[which]
        self.step(f"{state} #{pull.number}", self.it.review(pull, state), pause)

    @rule(which=WHICH, pause=PAUSES)
    def a_label_comes_or_goes(self, which: int, pause: float | None) -> None:
        pull = self.it.pulls[which]
        self.step(f"label #{pull.number}", self.it.label(pull), pause)

    @rule(which=WHICH, pause=PAUSES)
    def a_conversation_begins_or_ends(self, which: int, pause: float | None) -> None:
        pull = self.it.pulls[which]
        self.step(f"talk about #{pull.number}", self.it.talk(pull), pause)

    @rule(which=WHICH, words=COMMANDS, pause=PAUSES)
    def somebody_commands(self, which: int, words: str, pause: float | None) -> None:
        pull = self.it.pulls[which]
        self.step(f"{words} #{pull.number}", self.it.say(pull, words), pause)

    @rule(acts=st.lists(ACTS, min_size=1, max_size=3))
    def the_agent_will(self, acts: list[str]) -> None:
        self.it.trace.append(f"the agent will {acts}")
        self.it.coming = acts

    @rule(after=st.integers(1, 12), fault=FAULTS, crash=st.booleans())
    def a_call_will_fail(self, after: int, fault: Fault | None, crash: bool) -> None:
        self.it.trace.append(f"call {after} will fail: {fault}, crash={crash}")
        self.it.fail(after, fault, crash=crash)

    @rule()
    def time_passes(self) -> None:
        self.step("time passes", self.jumped(), 0.05)

    async def jumped(self) -> None:
        await self.it.jump(timedelta(minutes=15))

    def teardown(self) -> None:
        try:
            if hasattr(self, "it") and not self.failed:
                self.run(self.it.all_timers_run_out())
                self.holds([*self.run(self.it.judge()), *self.run(self.it.judge_end())])
        finally:
            try:
                self.run(self.stack.aclose())
            finally:
                self.loop.close()
                shutil.rmtree(self.folder)


@pytest.fixture(autouse=True)
def impatient(mongodb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "POLL_SECONDS", 0.05)  # timers are found by it alone
    monkeypatch.setattr(repair, "UNJUDGED", timedelta(days=999))  # the sweep would hide a fault
    monkeypatch.setattr(PullRequests, "mongodb", mongodb)


def play(examples: int, steps: int) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    run_state_machine_as_test(PullRequests, settings=chosen)


def test_driven_at_random() -> None:
    play(4, 15)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_driven_at_random_for_long() -> None:
    play(60, 30)


async def test_what_only_time_mends(mongodb: str, tmp_path: Path) -> None:
    """Found at random but seldom: GitHub refused, its reason is gone, and no event comes."""
    async with course(mongodb, tmp_path, Rules(), "good") as it:
        agents, alices = it.pulls
        await it.label(agents)
        await it.talk(alices)
        await it.quiet()
        await it.push(alices, "good")
        await it.quiet()
        await it.talk(alices)
        await it.all_timers_run_out()
        assert [*await it.judge(), *await it.judge_end()] == []
        assert alices.merged_at is not None
        assert agents.merged_at is None
