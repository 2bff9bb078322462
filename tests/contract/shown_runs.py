"""Agent runs as people may see them, for what is written of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.adapters.render import TemplateRenderer
from bot.domain.agent_runs import AgentRun, ResponseType, RunRequest, RunStatus
from bot.domain.comments import CommentKind, CommentReference
from bot.domain.repositories import Account, Repository
from bot.ports.renderer import Renderer, ShownValidation

RENDERER: Renderer = TemplateRenderer()

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
BEGUN = NOW - timedelta(minutes=7, seconds=20)
SHOP = Repository(7, "octo", "shop", 1, default_branch="main")
ALICE, BOB = Account(1, "alice"), Account(2, "bob")
HEAD = "a" * 40
ISSUES, PULLS = "https://github.com/octo/shop/issues", "https://github.com/octo/shop/pull"
COMMENT = CommentReference(CommentKind.CONVERSATION, 50, 3, f"{ISSUES}/3#issuecomment-50")
REQUEST = RunRequest(
    SHOP, 3, "Make the basket keep its items\nwhen the page is reloaded.", ALICE, COMMENT, "main"
)
RUN = AgentRun("5d6a7c1e", REQUEST, BEGUN, BEGUN)
AT_WORK = replace(
    RUN,
    status=RunStatus.ACTIVE,
    started_at=BEGUN + timedelta(seconds=20),
    active_since=BEGUN + timedelta(seconds=20),
    remote_id=9,
    remote_url="https://codegen.com/agent/trace/9",
    progress=26,
    current_step="Reading `src/basket.ts` to see where items are kept",
)
PLAN = (
    "1. Read `src/basket.ts`\n2. Keep the items in **local storage**\n   - under one key\n\nDone."
)
PLANNED = replace(
    AT_WORK,
    request=replace(REQUEST, wants_plan=True),
    status=RunStatus.WAITING,
    response_type=ResponseType.PLAN,
    response_data={"plan": PLAN, "answer": "", "notes": [], "pull_requests": []},
    reason="Write `/codegen approve` to go on, or `/codegen resume …` to have it changed.",
)
OPENED = replace(
    AT_WORK,
    status=RunStatus.COMPLETED,
    response_type=ResponseType.PULL_REQUEST,
    response_data={"answer": "I opened a pull request.", "plan": "", "notes": []},
    progress=100,
    ended_at=NOW - timedelta(minutes=1),
    pull_request=12,
    pull_request_url=f"{PULLS}/12",
)
ANSWERED = replace(
    OPENED,
    response_type=ResponseType.REGULAR,
    response_data={
        "answer": "The basket keeps its items already:\n\n```ts\nlocalStorage.basket\n```",
        "plan": "",
        "notes": ["It brought no pull request.", "Write `/codegen resume …` with a hint."],
    },
    pull_request=None,
    pull_request_url="",
)
FAILED = replace(
    ANSWERED,
    status=RunStatus.FAILED,
    response_type=None,
    response_data={"answer": "", "plan": "", "notes": []},
    progress=40,
    reason="The agent ran out of tokens. Write `/codegen resume …` with a hint.",
)
CANCELLED = replace(FAILED, status=RunStatus.CANCELLED, reason="Cancelled by `bob`.")
QUEUED = replace(RUN, place=2, reason="another run is under way here; they go one after the other")
PASSED = ShownValidation(HEAD, "Passed: 7 stages in 1 min 12 s", "passed", "https://bot/v/1")


def other(name: str, run: AgentRun, goal: str, minutes: int, **changes: Any) -> AgentRun:
    """Another run of the same place, asked for so many minutes before the first."""
    at = run.created_at - timedelta(minutes=minutes)
    started = at if run.started_at else None
    ended = at + timedelta(minutes=5) if run.ended_at else None
    return replace(
        run,
        id=name,
        request=replace(run.request, goal=goal, asked_by=BOB),
        created_at=at,
        started_at=started,
        ended_at=ended,
        **changes,
    )
