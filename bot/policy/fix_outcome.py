"""What became of an attempt to fix: what was pushed, or how the agent's run ended without a push.

The rules, in order; the first that holds decides.

1. The record of the run is lost, and nothing was pushed: the agent failed.
2. The run opened another pull request, and has ended or something was pushed: a second one.
3. The head moved: it is judged by the paths that differ. What changes nothing, or nothing but
   tests and workflows, is judged at the run's end only: the rest of it may be on its way.
4. The run goes on: so does the attempt.
5. The run ended: without a push, in failure, or because it was cancelled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from bot.domain.agent_runs import UNENDED, AgentRun, RemotePullRequest, RunStatus
from bot.domain.pull_request_records import FixAttempt, FixOutcome, StopRule

STOPS: Final[Mapping[FixOutcome, StopRule]] = {
    FixOutcome.NO_PUSH: StopRule.NO_PUSH,
    FixOutcome.EMPTY_PUSH: StopRule.EMPTY_PUSH,
    FixOutcome.ONLY_TESTS: StopRule.ONLY_TESTS,
    FixOutcome.SECOND_PULL_REQUEST: StopRule.SECOND_PULL_REQUEST,
    FixOutcome.CANCELLED: StopRule.CANCELLED,
}
"""The outcomes that are no progress, or that a person wanted: fixing stops at once."""
MOST_NAMED: Final = 3
UNDER_WAY: Final = "a fix is under way"
NOT_COMPARED: Final = "the head moved; what was pushed is not known yet"

_FOLDERS: Final = frozenset(
    {"test", "tests", "__tests__", "spec", "specs", "e2e", "cypress", "fixtures", "__snapshots__"}
)
_NAMES: Final = re.compile(
    r"test_[^/]*\.py"
    r"|[^/]*_test\.(?:py|go|rb|exs|dart|cc|cpp)"
    r"|[^/]*_spec\.rb"
    r"|[^/]*\.(?:test|spec)\.[^/]+"
    r"|[^/]*\.snap"
    r"|[^/]*Tests?\.(?:java|kt|cs|php|swift)"
    r"|conftest\.py|pytest\.ini|tox\.ini"
    r"|(?:jest|vitest|playwright|cypress|karma)\.(?:config|conf)\.[^/]+|\.mocharc[^/]*"
)
_LOST: Final = "The record of the agent's run is gone."


@dataclass(frozen=True)
class AttemptFacts:
    """An attempt that goes on, the run that has it, and where the pull request stands.

    ``moved`` says that the head is no longer the attempt's; ``pushed_paths`` are those that differ
    since, None where nobody asked.
    """

    attempt: FixAttempt
    run: AgentRun | None
    number: int
    head_sha: str
    moved: bool
    pushed_paths: Sequence[str] | None = None


@dataclass(frozen=True)
class Judgement:
    """What became of it, in a sentence; it goes on where there is no outcome."""

    outcome: FixOutcome | None
    sentence: str


def judge(facts: AttemptFacts) -> Judgement:
    """What became of an attempt, by the rules above."""
    run, attempt = facts.run, facts.attempt
    if run is None:
        return _pushed(facts) if facts.moved else Judgement(FixOutcome.AGENT_FAILED, _LOST)
    at_work = _is_at_work(run, attempt)
    second = _second(run, attempt, facts.number)
    if second is not None and (facts.moved or not at_work):
        return Judgement(
            FixOutcome.SECOND_PULL_REQUEST,
            f"The agent opened `#{second}` beside this pull request: close the one that you do "
            "not want.",
        )
    if facts.moved:
        pushed = _pushed(facts)
        return Judgement(None, UNDER_WAY) if at_work and pushed.outcome in STOPS else pushed
    return Judgement(None, UNDER_WAY) if at_work else _unpushed(run, attempt)


def is_test_or_workflow(path: str) -> bool:
    """Whether a path is a test, what tests need or are run by, or lies in ``.github/``.

    A change of nothing else may have mended the alarm, not the fault.
    """
    if path.startswith(".github/"):
        return True
    *folders, name = path.split("/")
    if any(folder.lower() in _FOLDERS for folder in folders):
        return True
    return _NAMES.fullmatch(name) is not None


def _is_at_work(run: AgentRun, attempt: FixAttempt) -> bool:
    """Whether the run may still push: one that ended just before it got the message has it yet."""
    unsent = any(it.id == attempt.id for it in run.pending)
    return run.status in UNENDED or (
        unsent and run.status in (RunStatus.COMPLETED, RunStatus.WAITING)
    )


def _second(run: AgentRun, attempt: FixAttempt, number: int) -> int | None:
    """Another pull request that the run brought while it had the attempt."""
    if run.pull_request not in (None, number):
        return run.pull_request
    if run.id != attempt.id:  # it may name what it brought before
        return None
    own = run.request.repository.full_name.casefold()
    named = [RemotePullRequest(0, str(url)) for url in run.response_data.get("pull_requests") or ()]
    others = (it.number for it in named if it.full_name.casefold() == own and it.number != number)
    return next(others, None)


def _pushed(facts: AttemptFacts) -> Judgement:
    head, paths = f"`{facts.head_sha[:12]}`", facts.pushed_paths
    if paths is None:
        return Judgement(None, NOT_COMPARED)
    if not paths:
        sentence = f"The agent's push of {head} changes nothing."
        return Judgement(FixOutcome.EMPTY_PUSH, sentence)
    if all(map(is_test_or_workflow, paths)):
        sentence = (
            f"The agent's push of {head} touches nothing but tests or workflows ({_named(paths)}): "
            "look whether the fault is mended, or only no longer seen."
        )
        return Judgement(FixOutcome.ONLY_TESTS, sentence)
    return Judgement(FixOutcome.PUSHED, f"The agent pushed {head}.")


def _unpushed(run: AgentRun, attempt: FixAttempt) -> Judgement:
    still = f"It still fails: {attempt.failure}"
    match run.status:
        case RunStatus.CANCELLED:
            return Judgement(FixOutcome.CANCELLED, "The agent's run was cancelled.")
        case RunStatus.FAILED:
            return Judgement(FixOutcome.AGENT_FAILED, run.reason or "The agent failed at it.")
        case RunStatus.WAITING:
            told = run.reason or "The agent waits for an answer."
            return Judgement(FixOutcome.NO_PUSH, f"Nothing was pushed. {told}")
        case RunStatus.COMPLETED:
            return Judgement(FixOutcome.NO_PUSH, f"The agent ended without a push. {still}")
        case RunStatus.QUEUED | RunStatus.ACTIVE:
            return Judgement(None, UNDER_WAY)
        case _:
            assert_never(run.status)


def _named(paths: Sequence[str]) -> str:
    shown = ", ".join(f"`{it}`" for it in paths[:MOST_NAMED])
    more = len(paths) - MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown
