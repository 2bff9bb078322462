"""Agent runs, what the agent and GitHub say of them, and looks at both: what the tables share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.agent_runs import (
    AgentRun,
    AgentStep,
    RemotePullRequest,
    RemoteRun,
    RemoteState,
    RunMessage,
    RunRequest,
    RunStatus,
)
from bot.domain.comments import CommentKind, CommentReference
from bot.domain.effects import Decision, Effect, EndRun, LeaveEvent, NoteRun
from bot.domain.events import (
    AgentRunsTouched,
    PullRequestChange,
    PullRequestChanged,
    PullRequestTouched,
    StatusOutdated,
)
from bot.domain.repositories import Account, PullRequest, Repository
from bot.policy.agent_answers import AGAIN, SeenFacts, decide

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
BEFORE = NOW - timedelta(minutes=1)
REPOSITORY = Repository(7, "octo", "shop", 1, default_branch="main")
ALICE = Account(1, "alice")
HEAD, NEXT = "a" * 40, "b" * 40
PULLS = "https://github.com/octo/shop/pull"

COMMENT = CommentReference(CommentKind.CONVERSATION, 50, 3, "https://x/3")
REQUEST = RunRequest(REPOSITORY, 3, "Mend it", ALICE, COMMENT, "main")
RUN = AgentRun(
    "our-id",
    REQUEST,
    BEFORE,
    BEFORE,
    status=RunStatus.ACTIVE,
    remote_id=9,
    started_at=BEFORE,
    active_since=BEFORE,
)
PLANNING = replace(RUN, request=replace(REQUEST, wants_plan=True))
APPROVED = replace(PLANNING, messages=(RunMessage("m", "Go on", "alice", approves=True),), sent=1)
IN_PULL = replace(
    RUN,
    request=replace(REQUEST, number=20, is_pull_request=True, head_branch="change", head_sha=HEAD),
    pull_request=20,
    head_sha=HEAD,
)
RESUMED = replace(RUN, messages=(RunMessage("m", "Go on", "alice"),), sent=1, active_since=NOW)

MARKED = "1. Read\n2. Write\n\nPLAN our-id"
NONE_BROUGHT = ["It brought no pull request.", AGAIN]
QUEUE = LeaveEvent(AgentRunsTouched(REPOSITORY))
STEP = AgentStep("ACTION", "ripgrep", "Reading the code")


def pull(number: int = 12, **changes: Any) -> PullRequest:
    """A pull request of the repository into the default branch, as GitHub tells it."""
    wanted = PullRequest(
        number=number,
        title="Fix",
        url=f"{PULLS}/{number}",
        author=ALICE,
        is_open=True,
        draft=False,
        head_sha=HEAD,
        head_branch=f"codegen/{number}",
        head_repository_id=7,
        base_sha="c" * 40,
        base_branch="main",
    )
    return replace(wanted, **changes)


def named(number: int = 12, url: str = "") -> RemotePullRequest:
    """A pull request as the agent names it; its id there is a hundred times its number."""
    return RemotePullRequest(number * 100, url or f"{PULLS}/{number}", "Fix")


def remote(state: RemoteState, status: str, *pulls: RemotePullRequest, **more: Any) -> RemoteRun:
    return replace(RemoteRun(9, state, status, pull_requests=pulls), **more)


def going(*pulls: RemotePullRequest, **more: Any) -> RemoteRun:
    return remote(RemoteState.GOING, "ACTIVE", *pulls, **more)


def complete(*pulls: RemotePullRequest, result: str = "Done.") -> RemoteRun:
    return remote(RemoteState.COMPLETE, "COMPLETE", *pulls, result=result)


def look(
    told: RemoteRun | None,
    run: AgentRun = RUN,
    *,
    at: datetime = NOW,
    step: AgentStep | None = None,
    found: Mapping[int, PullRequest | None] | None = None,
    here: PullRequest | None = None,
    names: tuple[str, ...] = (),
) -> Decision:
    return decide(SeenFacts(run, at, told, step, found, here, names))


def ended(decision: Decision) -> EndRun:
    first = decision.effects[0]
    assert isinstance(first, EndRun)
    return first


def noted(decision: Decision) -> NoteRun:
    first = decision.effects[0]
    assert isinstance(first, NoteRun)
    return first


def judged(*numbers: int) -> tuple[Effect, ...]:
    """Pull requests are looked at again."""
    return tuple(LeaveEvent(PullRequestTouched(REPOSITORY, it)) for it in numbers)


def shown(*numbers: int) -> tuple[Effect, ...]:
    return tuple(LeaveEvent(StatusOutdated(REPOSITORY, it)) for it in numbers)


def seen(number: int) -> Effect:
    return LeaveEvent(PullRequestChanged(REPOSITORY, number, PullRequestChange.SEEN))
