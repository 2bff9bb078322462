"""Places where the agent is asked for something, and what is said there: what the tables share."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.agent_runs import AgentRun, ResponseType, RunRequest, RunStatus
from bot.domain.commands import Command, Verb
from bot.domain.comments import CommentKind, CommentReference, Impossible
from bot.domain.effects import Effect, LeaveEvent, MessageRun, RequestRun, SpendBudget
from bot.domain.events import AgentRunsTouched, PullRequestTouched, StatusOutdated
from bot.domain.repo_config import RepoConfig
from bot.domain.repositories import Account, PullRequest, Repository
from bot.policy.agent_requests import Place, Wanted

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
REPOSITORY = Repository(7, "octo", "shop", 1, default_branch="trunk")
ALICE = Account(1, "alice")
HEAD = "a" * 40
ISSUE = Place(
    REPOSITORY,
    CommentReference(CommentKind.CONVERSATION, 50, 3, "https://x/3"),
    ALICE,
    RepoConfig(),
    NOW,
)
PULL = PullRequest(
    number=20,
    title="t",
    url="https://x/20",
    author=ALICE,
    is_open=True,
    draft=False,
    head_sha=HEAD,
    head_branch="change",
    head_repository_id=7,
    base_sha="c" * 40,
    base_branch="main",
)
IN_PULL = replace(ISSUE, comment=replace(ISSUE.comment, number=20), pull_request=PULL)
RUN_IT = Command(Verb.RUN, "Mend it")
PLAN_IT = Command(Verb.PLAN, "Mend it")
RESUME_IT = Command(Verb.RESUME, "Try harder")
QUEUE = LeaveEvent(AgentRunsTouched(REPOSITORY))


def run(status: RunStatus, **changes: Any) -> AgentRun:
    """A run of the issue."""
    asked = RunRequest(REPOSITORY, 3, "Mend it", ALICE, ISSUE.comment, "trunk")
    return replace(AgentRun(f"run {status}", asked, NOW, NOW, status=status), **changes)


def in_issue(*runs: AgentRun, **changes: Any) -> Place:
    return replace(ISSUE, runs=runs, **changes)


PLAN = run(RunStatus.WAITING, response_type=ResponseType.PLAN)
COMPLETED = run(RunStatus.COMPLETED, remote_id=9)


def config(**sections: Any) -> RepoConfig:
    return RepoConfig.model_validate(sections)


def judged(*numbers: int) -> tuple[Effect, ...]:
    """Pull requests are looked at again."""
    return tuple(LeaveEvent(PullRequestTouched(REPOSITORY, it)) for it in numbers)


def shown(*numbers: int) -> tuple[Effect, ...]:
    return tuple(LeaveEvent(StatusOutdated(REPOSITORY, it)) for it in numbers)


def granted(answer: Wanted | Impossible) -> Wanted:
    assert isinstance(answer, Wanted), answer
    return answer


def requested(answer: Wanted | Impossible) -> RequestRun:
    spent, first, *_ = granted(answer).effects
    assert isinstance(first, RequestRun)
    assert isinstance(spent, SpendBudget)
    assert spent.what == first.run_id
    return first


def message(answer: Wanted | Impossible) -> MessageRun:
    first = granted(answer).effects[0]
    assert isinstance(first, MessageRun)
    return first


DAY_OF_TWO = config(budgets={"agent_runs_per_day": 2})
CLOSED_ISSUE = ("this issue is closed", "Reopen it, then write the command again.")
CLOSED_PULL = ("this pull request is closed", "Reopen it, then write the command again.")


def hours_ago(*hours: int) -> tuple[datetime, ...]:
    return tuple(NOW - timedelta(hours=it) for it in hours)
