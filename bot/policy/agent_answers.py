"""What a look at an agent's run means for it: how far it is, or what it came back with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.domain.agent_runs import (
    AgentRun,
    AgentStep,
    RemotePullRequest,
    RemoteRun,
    RemoteState,
    ResponseType,
    RunStatus,
)
from bot.domain.effects import Decision, Effect, EndRun, LeaveEvent, NoteRun
from bot.domain.events import AgentRunsTouched, PullRequestChange, PullRequestChanged
from bot.domain.log_text import one_line
from bot.domain.repositories import PullRequest
from bot.policy.agent_queue import judged, shown

RESUMED_GRACE = timedelta(seconds=20)
"""A run that was sent a message may be told as it was for some seconds more."""
STARTED_PROGRESS = 5
STEP_PROGRESS = 3
MOST_WORKING_PROGRESS = 75
KIND_PROGRESS: Mapping[str, int] = {
    "PLAN_EVALUATION": 20,
    "INITIAL_PR_GENERATION": 85,
    "FINAL_ANSWER": 95,
}
"""How far a run is at least, by the kind of its newest step. The agent tells no percentage."""
LONGEST_STEP = 120
LONGEST_ANSWER = 20_000
FAILURES: Mapping[str, str] = {
    "CANCELLED": "It was cancelled where the agent is.",
    "STOPPED": "It was stopped where the agent is.",
    "TIMEOUT": "The agent ran out of time.",
    "MAX_ITERATIONS_REACHED": "The agent took all of its steps and had not finished.",
    "OUT_OF_TOKENS": "The agent ran out of tokens.",
}
FAILED = "The agent failed at it."
NO_LONGER_KNOWN = "The agent no longer knows this run."
AGAIN = "Write `/codegen resume …` with a hint to have it tried again."


@dataclass(frozen=True)
class SeenFacts:
    """A run, and a look at it.

    ``pull_requests`` are those that it names in this repository, as GitHub tells them; None where
    GitHub has none of that number. ``here`` is its own one, or that where it was asked for.
    ``names`` are what the repository is and was called.
    """

    run: AgentRun
    at: datetime
    remote: RemoteRun | None
    step: AgentStep | None = None
    pull_requests: Mapping[int, PullRequest | None] | None = None
    here: PullRequest | None = None
    names: tuple[str, ...] = ()


def fresh(run: AgentRun, remote: RemoteRun) -> tuple[RemotePullRequest, ...]:
    """The pull requests that a run did not bring before."""
    return tuple(it for it in remote.pull_requests if it.id not in run.known_pull_requests)


def decide(facts: SeenFacts) -> Decision:
    """Note how far it is, or end it."""
    run, remote = facts.run, facts.remote
    if run.status is not RunStatus.ACTIVE:
        return Decision(f"a late look: the run is {run.status}")
    if run.active_since is not None and facts.at < run.active_since:
        return Decision("an old look: the run was set going since")
    if remote is None:
        return _end(facts, RunStatus.FAILED, f"{NO_LONGER_KNOWN} {AGAIN}")
    if remote.state is RemoteState.GOING:
        return _note(facts, remote)
    if _is_stale(facts):
        return Decision("it was sent a message a moment ago, and has not begun again")
    found = _Sorted.of(facts, remote)
    match remote.state:
        case RemoteState.WAITING:
            reason = "The agent waits for an answer. Write `/codegen resume …` with it."
            return _end(facts, RunStatus.WAITING, reason, found=found)
        case RemoteState.FAILED:
            reason = f"{FAILURES.get(remote.status, FAILED)} {AGAIN}"
            return _end(facts, RunStatus.FAILED, reason, found=found)
        case RemoteState.COMPLETE:
            return _completed(facts, remote, found)


def _is_stale(facts: SeenFacts) -> bool:
    since = facts.run.active_since
    resumed = facts.run.sent > 0 and since is not None and facts.run.started_at != since
    return resumed and since is not None and facts.at < since + RESUMED_GRACE


# ── on its way ───────────────────────────────────────────────────────────────────────────────


def _note(facts: SeenFacts, remote: RemoteRun) -> Decision:
    run, step = facts.run, facts.step
    said = said_of(step) if step else run.current_step
    sorted_out = _Sorted.of(facts, remote)
    pull = sorted_out.ours[0] if sorted_out.ours else None
    number = pull.number if pull else run.pull_request
    same = said == run.current_step and number == run.pull_request
    if same and remote.digest == run.remote_seen:
        return Decision("nothing is new")
    note = NoteRun(
        run.id,
        remote.status,
        remote.digest,
        progress_of(run, step, has_pull_request=pull is not None),
        said,
        number,
        pull.url if pull else run.pull_request_url,
    )
    linked = _linked(facts, pull)
    return Decision("it goes on", (note, *linked, *_told(facts, pull)))


def progress_of(run: AgentRun, step: AgentStep | None, *, has_pull_request: bool = False) -> int:
    """How far a run is, 0 to 100: never back, and never whole before its end."""
    least = KIND_PROGRESS.get(step.kind, 0) if step else 0
    if has_pull_request:
        least = max(least, KIND_PROGRESS["INITIAL_PR_GENERATION"])
    grown = run.progress
    if step and said_of(step) != run.current_step:
        grown = max(grown, min(grown + STEP_PROGRESS, MOST_WORKING_PROGRESS))
    return max(STARTED_PROGRESS, grown, least)


def said_of(step: AgentStep) -> str:
    """A step in a line: what the agent thinks, or which tool it uses."""
    said = one_line(step.thought) or step.tool or step.kind.replace("_", " ").lower()
    return said if len(said) <= LONGEST_STEP else f"{said[: LONGEST_STEP - 1]}…"


# ── at its end ───────────────────────────────────────────────────────────────────────────────


def _completed(facts: SeenFacts, remote: RemoteRun, found: _Sorted) -> Decision:
    run = facts.run
    plan = plan_of(run, remote.result)
    if found.ours:
        pull, *others = found.ours
        notes = [_second(it, pull) for it in others]
        if run.request.is_pull_request and pull.number != run.request.number:
            notes.append(f"It opened `#{pull.number}` instead of pushing to this pull request.")
        if run.wants_plan:
            notes.append("A plan was asked for; the agent went on to a pull request.")
        kind = ResponseType.PULL_REQUEST
        return _end(facts, RunStatus.COMPLETED, "", kind, found=found, notes=notes)
    if plan is not None:
        reason = "Write `/codegen approve` to go on, or `/codegen resume …` to have it changed."
        return _end(facts, RunStatus.WAITING, reason, ResponseType.PLAN, found=found, plan=plan)
    kind, notes = ResponseType.REGULAR, _about_none(facts, found)
    return _end(facts, RunStatus.COMPLETED, "", kind, found=found, notes=notes)


def plan_of(run: AgentRun, result: str) -> str | None:
    """The plan in an answer, without its marker; None where none was asked for or marked."""
    lines = result.split("\n")
    marked = [line for line in lines if run.plan_marker in line]
    if not run.wants_plan or not marked:
        return None
    return "\n".join(line for line in lines if line not in marked).strip() or None


def _about_none(facts: SeenFacts, found: _Sorted) -> list[str]:
    """What is said of an answer that brought no new pull request."""
    run, here = facts.run, facts.here
    if run.wants_plan:
        return ["The agent did not mark its answer as a plan, so that there is none to approve."]
    if here is not None and here.head_sha != run.head_sha:
        return [f"The head of `#{here.number}` is `{here.head_sha[:12]}` now."]
    if here is not None:
        return [f"Nothing was pushed to `#{here.number}`."]
    return [] if found.notes else ["It brought no pull request.", AGAIN]


def _second(other: PullRequest, first: PullRequest) -> str:
    return (
        f"It opened a second pull request, `#{other.number}`: the first one, `#{first.number}`, "
        "counts. Close the one that you do not want."
    )


@dataclass(frozen=True)
class _Sorted:
    """The fresh pull requests of a run: those that count, and why the others do not.

    ``settled`` are the agent's numbers of those that will not be judged otherwise later.
    """

    ours: tuple[PullRequest, ...]
    notes: tuple[str, ...]
    settled: tuple[int, ...]

    @classmethod
    def of(cls, facts: SeenFacts, remote: RemoteRun) -> _Sorted:
        ours: list[PullRequest] = []
        notes: list[str] = []
        settled: list[int] = []
        for told in fresh(facts.run, remote):
            found = (facts.pull_requests or {}).get(told.number or 0)
            wrong, for_good = _wrong(facts, told, found)
            if wrong:
                notes.append(wrong)
            elif found is not None and found not in ours:
                ours.append(found)
            if for_good:
                settled.append(told.id)
        return cls(tuple(sorted(ours, key=lambda it: it.number)), tuple(notes), tuple(settled))


def _wrong(
    facts: SeenFacts, told: RemotePullRequest, found: PullRequest | None
) -> tuple[str, bool]:
    """Why a pull request is not this run's, empty where it is; and whether that is for good."""
    request = facts.run.request
    names = {it.casefold() for it in (request.repository.full_name, *facts.names)}
    if not told.url:
        return "It names a pull request without an address, which is not followed.", True
    if told.full_name.casefold() not in names:  # which may be nobody's here to see
        return "It opened a pull request in another repository, which is not followed.", True
    if found is None:
        return f"It names `#{told.number}`, and GitHub knows no such pull request.", False
    if found.number == request.number:
        return "", True
    if found.head_repository_id != request.repository.id:
        return f"Its pull request `#{found.number}` is of a fork, which is not followed.", True
    wrong = wrong_base(facts.run, found)
    return wrong, not wrong


def wrong_base(run: AgentRun, pull: PullRequest) -> str:
    """What is said of a pull request that goes elsewhere than it should, if it does."""
    wanted = run.request.base_branch
    if pull.base_branch == wanted:
        return ""
    return (
        f"Its pull request `#{pull.number}` goes into `{pull.base_branch}`, not into `{wanted}`, "
        "and is not followed: change its base, or close it."
    )


def _end(
    facts: SeenFacts,
    status: RunStatus,
    reason: str,
    response_type: ResponseType | None = None,
    *,
    found: _Sorted | None = None,
    notes: Sequence[str] = (),
    plan: str = "",
) -> Decision:
    run, remote, here = facts.run, facts.remote, facts.here
    found = found or _Sorted((), (), ())
    pull = found.ours[0] if found.ours else None
    answer = (remote.result or remote.summary) if remote else ""
    newest = pull or here
    data: dict[str, Any] = {
        "answer": "" if plan else answer[:LONGEST_ANSWER],
        "plan": plan[:LONGEST_ANSWER],
        "notes": [*found.notes, *notes],
        "pull_requests": [it.url for it in (remote.pull_requests if remote else ()) if it.url],
        "pushed": here is not None and here.head_sha != run.head_sha,
    }
    end = EndRun(
        run.id,
        status,
        reason,
        response_type,
        data,
        remote_status=remote.status if remote else run.remote_status,
        remote_seen=remote.digest if remote else run.remote_seen,
        pull_request=pull.number if pull else run.pull_request,
        pull_request_url=pull.url if pull else run.pull_request_url,
        head_sha=newest.head_sha if newest else "",
        known_pull_requests=tuple(sorted({*run.known_pull_requests, *found.settled})),
    )
    queue = LeaveEvent(AgentRunsTouched(run.request.repository))
    told = f"it is {status}: {response_type or 'no answer'}"
    looks = judged(run)
    return Decision(told, (end, queue, *_linked(facts, pull), *_told(facts, pull), *looks))


def _linked(facts: SeenFacts, pull: PullRequest | None) -> tuple[Effect, ...]:
    """Look at a pull request that was brought: its own event may be lost."""
    if pull is None or pull.number == facts.run.pull_request:
        return ()
    repository = facts.run.request.repository
    seen = PullRequestChanged(repository, pull.number, PullRequestChange.SEEN)
    return (LeaveEvent(seen),)


def _told(facts: SeenFacts, pull: PullRequest | None) -> tuple[Effect, ...]:
    numbers = (*facts.run.numbers, *((pull.number,) if pull else ()))
    return shown(facts.run.request.repository, numbers)
