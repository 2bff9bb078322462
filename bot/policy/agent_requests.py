"""What becomes of the agent's commands: ``run``, ``plan``, ``approve``, ``resume``, ``cancel``.

A run, or a message for one, is known by the comment that asked for it: whichever delivery tells of
it, and however often, it is one run and one message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.agent_runs import AgentRun, ResponseType, RunMessage, RunRequest, RunStatus
from bot.domain.commands import PREFIX, Command, Verb
from bot.domain.comments import CommentReference, Impossible
from bot.domain.effects import CancelRun, Effect, LeaveEvent, MessageRun, RequestRun, SpendBudget
from bot.domain.events import AgentRunsTouched
from bot.domain.log_text import one_line
from bot.domain.pull_request_records import PullRequestRecord
from bot.domain.repo_config import RepoConfig
from bot.domain.repositories import Account, PullRequest, Repository
from bot.policy.agent_queue import judged, shown
from bot.policy.budgets import free_again, of_pull_request

MOST_MESSAGES = 50
"""For one run: what it remembers of a conversation has an end too."""
NO_AGENT = "no coding agent is set up for this App"
NO_AGENT_MEND = "Its operator sets CODEGEN_ORG_ID and CODEGEN_API_TOKEN."
STOPPABLE = frozenset({RunStatus.QUEUED, RunStatus.ACTIVE, RunStatus.WAITING})


@dataclass(frozen=True)
class Place:
    """Where something is asked of the agent, and what there is.

    ``runs`` are those of the issue or pull request, newest first; ``asked_today`` when each run of
    the last day was asked for in the repository, oldest first. ``has_agent`` says whether one is
    set up. ``record`` is what is kept of the pull request, None for an issue.
    """

    repository: Repository
    comment: CommentReference
    sender: Account
    config: RepoConfig
    now: datetime
    is_open: bool = True
    pull_request: PullRequest | None = None
    place: str = ""
    runs: Sequence[AgentRun] = ()
    asked_today: Sequence[datetime] = ()
    has_agent: bool = True
    record: PullRequestRecord | None = None


@dataclass(frozen=True)
class Wanted:
    """What follows from a command: effects, and what is said of them in words."""

    sentence: str
    effects: tuple[Effect, ...] = ()


def request(command: Command, place: Place, ordinal: int) -> Wanted | Impossible:
    """``run`` and ``plan``. ``ordinal`` is the command's place in its comment, from 0."""
    run_id = place.comment.named("run", ordinal)
    known = any(it.id == run_id for it in place.runs)  # another delivery told of it
    if not known and (impossible := _why_no_run(command.verb, place)):
        return impossible
    pull, agent = place.pull_request, place.config.agent
    wanted = RunRequest(
        repository=place.repository,
        number=place.comment.number,
        goal=command.text,
        asked_by=place.sender,
        comment=place.comment,
        base_branch=pull.base_branch if pull else place.repository.default_branch,
        is_pull_request=pull is not None,
        head_branch=pull.head_branch if pull else "",
        head_sha=pull.head_sha if pull else "",
        place=one_line(place.place),
        wants_plan=command.verb is Verb.PLAN,
        model=agent.model,
        agent_type=agent.agent_type,
        deadline_minutes=agent.deadline_minutes,
    )
    spent = SpendBudget(place.repository, run_id, place.config.budgets.agent_runs_per_day)
    asked = RequestRun(run_id, wanted)
    what = "A plan is asked for" if wanted.wants_plan else "A run is asked for"
    return Wanted(f"{what}; the status comment follows it.", (spent, asked, *_queued(place, ())))


def go_on(command: Command, place: Place, ordinal: int) -> Wanted | Impossible:
    """``approve`` and ``resume``: a run that is there goes on."""
    if command.verb is Verb.APPROVE:
        return approve(place, ordinal)
    return resume(command, place, ordinal)


def approve(place: Place, ordinal: int) -> Wanted | Impossible:
    """``approve``: the plan that waits here."""
    told = _told(place, ordinal)
    if told is not None:
        return _message(Verb.APPROVE, approval(told), told, place, ordinal)
    plans = (it for it in place.runs if it.response_type is ResponseType.PLAN)
    waiting = next((it for it in plans if it.status is RunStatus.WAITING), None)
    if waiting is None:
        mend = f"Write `{PREFIX} plan GOAL…` to ask for one."
        return Impossible(Verb.APPROVE, "no plan waits for approval here", mend)
    return _message(Verb.APPROVE, approval(waiting), waiting, place, ordinal)


def resume(command: Command, place: Place, ordinal: int) -> Wanted | Impossible:
    """``resume``: a message to the newest run here."""
    told = _told(place, ordinal)
    if told is not None:
        return _message(Verb.RESUME, command.text, told, place, ordinal)
    if not place.runs:
        mend = f"Write `{PREFIX} GOAL…` to start one."
        return Impossible(Verb.RESUME, "there is no agent run here", mend)
    if place.runs[0].kill:
        return Impossible(
            Verb.RESUME,
            "the agent was banned from here",
            f"Write `{PREFIX} GOAL…` in another issue to start a new run.",
        )
    return _message(Verb.RESUME, command.text, place.runs[0], place, ordinal)


def cancel(command: Command, place: Place) -> tuple[Effect, ...]:
    """``cancel``: what goes on here, or waits; with ``--kill``, the newest one that ended too."""
    reason = f"Cancelled by `{place.sender.login}`."
    by = place.comment.named("cancel")
    stopped = [it for it in place.runs if it.status in STOPPABLE or it.cancelled_by == by]
    if command.kill and not stopped:
        stopped = [it for it in place.runs if it.remote_id is not None][:1]
    if not stopped:
        return ()
    ended = [CancelRun(it.id, reason, command.kill, by) for it in stopped]
    looks = [look for run in stopped for look in judged(run)]
    return (*ended, *_queued(place, stopped), *looks)


def approval(run: AgentRun) -> str:
    """What the agent is told when its plan is approved."""
    request = run.request
    if request.is_pull_request:
        return (
            "The plan is approved: carry it out.\n\n"
            f"- Push to the existing branch `{request.head_branch}` of this repository. Do not "
            "open another pull request, do not force-push, and do not merge."
        )
    return (
        "The plan is approved: carry it out.\n\n"
        f"- Work on a new branch from `{request.base_branch}`, and open exactly one pull "
        f"request of it into `{request.base_branch}` of {request.repository.full_name}.\n"
        f"- Write `Refs #{request.number}` into its description. Do not merge it."
    )


def _told(place: Place, ordinal: int) -> AgentRun | None:
    """The run that has this comment's message already: another delivery told of it."""
    known = place.comment.named("message", ordinal)
    return next((it for it in place.runs if any(known == m.id for m in it.messages)), None)


def _message(
    verb: Verb, text: str, run: AgentRun, place: Place, ordinal: int
) -> Wanted | Impossible:
    if not place.has_agent:
        return Impossible(verb, NO_AGENT, NO_AGENT_MEND)
    if not place.is_open:
        return _closed(verb, place)
    if len(run.messages) >= MOST_MESSAGES:
        mend = f"Write `{PREFIX} GOAL…` to start another one."
        return Impossible(verb, f"this run has had its {MOST_MESSAGES} messages", mend)
    message = RunMessage(
        place.comment.named("message", ordinal),
        text,
        place.sender.login,
        approves=verb is Verb.APPROVE,
    )
    said = "The plan is approved." if message.approves else "The message goes to the newest run."
    return Wanted(said, (MessageRun(run.id, message), *_queued(place, (run,))))


def _queued(place: Place, runs: Sequence[AgentRun]) -> tuple[Effect, ...]:
    numbers = (place.comment.number, *(number for run in runs for number in run.numbers))
    touched = LeaveEvent(AgentRunsTouched(place.repository))
    return (touched, *shown(place.repository, numbers))


def _why_no_run(verb: Verb, place: Place) -> Impossible | None:
    pull, limits = place.pull_request, place.config.budgets
    if not place.has_agent:
        return Impossible(verb, NO_AGENT, NO_AGENT_MEND)
    if not place.is_open:
        return _closed(verb, place)
    if pull is not None and pull.head_repository_id != place.repository.id:
        return Impossible(
            verb,
            "its branch is in a fork, where the agent can't push",
            "Ask in an issue of this repository; the agent then opens a pull request of its own.",
        )
    most = limits.agent_runs_per_pull_request
    if place.record is not None and of_pull_request(place.runs, place.record) >= most:
        return Impossible(
            verb,
            f"this pull request has had its {most} agent runs "
            "(`budgets.agent_runs_per_pull_request`)",
            "Raise it in the repository's configuration, or ask in an issue.",
        )
    most = limits.agent_runs_per_day
    if most == 0:
        mend = "Raise it in the repository's configuration."
        return Impossible(
            verb, "no agent runs are allowed here (`budgets.agent_runs_per_day`)", mend
        )
    again = free_again(place.asked_today, most, place.now)
    if again is not None:
        return Impossible(
            verb,
            f"this repository has had its {most} agent runs of a day "
            "(`budgets.agent_runs_per_day`)",
            f"The next one is possible at {again:%Y-%m-%d %H:%M} UTC.",
        )
    return None


def _closed(verb: Verb, place: Place) -> Impossible:
    what = "issue" if place.pull_request is None else "pull request"
    return Impossible(verb, f"this {what} is closed", "Reopen it, then write the command again.")
