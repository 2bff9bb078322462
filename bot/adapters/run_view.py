"""Agent runs in words, for templates: plain values, nothing of them defused yet."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from bot.adapters.course_view import ShownCourse, shown_course
from bot.domain.agent_runs import UNENDED, AgentRun, ResponseType, RunStatus
from bot.domain.log_text import one_line
from bot.ports.renderer import ShownValidation, StatusView

BAR = 12
"""Characters of a progress bar."""
LONGEST_GOAL = 300
LONGEST_IN_A_LINE = 80
SHORT_ANSWER = 1_200
"""Characters of an answer that stands open; a longer one is folded."""
STATES: Final[Mapping[RunStatus, tuple[str, str]]] = {
    RunStatus.QUEUED: ("⏳", "waiting"),
    RunStatus.ACTIVE: ("🔄", "at work"),
    RunStatus.WAITING: ("💬", "waits for an answer"),
    RunStatus.COMPLETED: ("✅", "done"),
    RunStatus.FAILED: ("❌", "failed"),
    RunStatus.CANCELLED: ("🚫", "cancelled"),
}
VERDICTS: Final[Mapping[str, str]] = {"passed": "✅", "failed": "❌", "": "🔄"}
_URL = re.compile(r"[A-Za-z0-9:/?#@!$&'*+,;=%._~-]{1,2000}")


@dataclass(frozen=True)
class ShownRun:
    """A run in words. ``pull_request`` is ``#12``; addresses are empty where there is none.

    ``validation`` is that of its pull request; ``elsewhere`` the number of the issue or pull
    request that it was asked for in, where that is another one.
    """

    icon: str
    state: str
    goal: str
    brief: str
    who: str
    begun: str
    elapsed: str
    place: str
    bar: str
    progress: int
    step: str
    reason: str
    agent_url: str
    comment_url: str
    pull_request: str
    pull_request_url: str
    notes: Sequence[str]
    answer: str
    is_long: bool
    plan: str
    messages: Sequence[tuple[str, str]]
    validation: ShownValidation | None
    validation_icon: str
    came_to: str
    elsewhere: int | None


@dataclass(frozen=True)
class ShownStatus:
    """A status comment: the run that matters now, those that wait, and the earlier ones.

    ``course`` is that of the pull request where it stands.
    """

    newest: ShownRun | None
    waiting: Sequence[ShownRun]
    earlier: Sequence[ShownRun]
    course: ShownCourse | None = None


def shown_status(view: StatusView) -> ShownStatus:
    """Which run stands where: what goes on comes first, then what came last."""
    going = [it for it in view.runs if it.status is RunStatus.ACTIVE]
    queued = [it for it in view.runs if it.status is RunStatus.QUEUED]
    first = next(iter(reversed(going)), None) or next(iter(queued[-1:] or view.runs), None)
    waiting = [it for it in reversed(view.runs) if it.status in UNENDED and it is not first]
    earlier = [it for it in view.runs if it.status not in UNENDED and it is not first]

    def show(run: AgentRun) -> ShownRun:
        number = run.pull_request or 0
        shown = shown_run(run, view.now, view.validations.get(number), view.number)
        course = view.courses.get(number)
        if course is None or number == view.number:
            return shown
        return replace(shown, came_to=shown_course(course).headline)

    here = view.courses.get(view.number)
    return ShownStatus(
        show(first) if first is not None else None,
        [*map(show, waiting)],
        [*map(show, earlier)],
        shown_course(here) if here is not None else None,
    )


def shown_run(
    run: AgentRun,
    now: datetime,
    validation: ShownValidation | None = None,
    number: int | None = None,
) -> ShownRun:
    """A run in words. ``number`` is the issue or pull request where it is told of."""
    icon, state = _state(run)
    request, data = run.request, run.response_data
    begun = run.started_at or run.created_at
    answer = str(data.get("answer") or "")
    # A run that was asked for in a pull request and pushed to it needs no link to it there.
    pull = run.pull_request if run.pull_request != number else None
    return ShownRun(
        icon=icon,
        state=state,
        goal=_cut(request.goal, LONGEST_GOAL),
        brief=_cut(request.goal, LONGEST_IN_A_LINE),
        who=request.asked_by.login,
        begun=f"{begun:%Y-%m-%d %H:%M} UTC",
        elapsed=_elapsed(run, now),
        place=f"place {run.place}" if run.place else "",
        bar="█" * round(run.progress * BAR / 100) + "░" * (BAR - round(run.progress * BAR / 100)),
        progress=run.progress,
        step=run.current_step if run.status is RunStatus.ACTIVE else "",
        reason=_reason(run),
        agent_url=safe_url(run.remote_url),
        comment_url=safe_url(request.comment.url),
        pull_request=f"#{pull}" if pull is not None else "",
        pull_request_url=safe_url(run.pull_request_url),
        notes=[str(it) for it in data.get("notes") or ()],
        answer=answer,
        is_long=len(answer) > SHORT_ANSWER,
        plan=str(data.get("plan") or "") if run.status is RunStatus.WAITING else "",
        # A failure that was sent has no words of anybody's, and stands among the tries.
        messages=[(it.login, _cut(it.text, LONGEST_IN_A_LINE)) for it in run.messages if it.text],
        validation=validation and replace(validation, title=validation.title.partition(". ")[0]),
        validation_icon=VERDICTS.get(validation.verdict, "⚠️") if validation else "",
        came_to="",
        elsewhere=request.number if number not in (None, request.number) else None,
    )


def safe_url(url: str) -> str:
    """An address as it may stand in Markdown; empty where it is none of the web."""
    if not _URL.fullmatch(url):
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in {"http", "https"} and parts.hostname else ""


def _state(run: AgentRun) -> tuple[str, str]:
    icon, state = STATES[run.status]
    if run.status is RunStatus.WAITING and run.response_type is ResponseType.PLAN:
        return "📝", "the plan is ready"
    in_its_own = run.request.is_pull_request and run.pull_request == run.request.number
    # Set going again, as for a failure, it names no pull request a second time.
    went_on = run.pull_request is not None and run.response_type is ResponseType.REGULAR
    pushed = run.response_data.get("pushed") and (in_its_own or went_on)
    if run.status is RunStatus.COMPLETED and pushed:
        return icon, "pushed"
    if run.status is RunStatus.COMPLETED and run.response_type is ResponseType.PULL_REQUEST:
        return icon, "pull request opened"
    if run.status is RunStatus.COMPLETED:
        return icon, "answered"
    return icon, state


def _reason(run: AgentRun) -> str:
    if run.status is RunStatus.QUEUED and not run.reason:
        return "It is about to start."
    place = f"Place {run.place} in the queue: " if run.place else ""
    said = run.reason[:1].upper() + run.reason[1:]
    if place and run.reason[:1].islower():
        said = f"{place}{run.reason}"
    elif place:
        said = f"{place.removesuffix(': ')}. {said}"
    return said if not said or said.endswith((".", "!", "?")) else f"{said}."


def _elapsed(run: AgentRun, now: datetime) -> str:
    """How long the agent took, or has been at it; empty for a run that has not begun."""
    if run.started_at is None:
        return ""
    seconds = max(0, int(((run.ended_at or now) - run.started_at).total_seconds()))
    minutes = seconds // 60
    hours = f"{minutes // 60} h {minutes % 60} min"
    said = f"{seconds} s" if seconds < 60 else f"{minutes} min" if minutes < 60 else hours
    return f"took {said}" if run.ended_at else f"{said} so far"


def _cut(text: str, most: int) -> str:
    text = one_line(text)
    return text if len(text) <= most else f"{text[: most - 1]}…"
