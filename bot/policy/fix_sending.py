"""How a failure is sent to the agent: to the run that is there, or to a run of its own."""

from __future__ import annotations

from bot.domain.agent_runs import AgentRun, RunMessage, RunRequest
from bot.domain.comments import CommentKind, CommentReference
from bot.domain.effects import (
    Decision,
    Effect,
    LeaveEvent,
    MessageRun,
    PublishStatus,
    RequestRun,
    SpendBudget,
)
from bot.domain.events import AgentRunsTouched
from bot.domain.ids import derived
from bot.domain.pull_request_effects import RecordAttempt
from bot.domain.pull_request_records import FixAttempt, FixOutcome
from bot.domain.validation_records import ValidationRecord
from bot.policy import fix_words as words
from bot.policy.agent_requests import MOST_MESSAGES
from bot.policy.failure_signature import failure_of, signature_of
from bot.policy.fix_case import FixCase


def send(case: FixCase) -> Decision:
    """Record the attempt, have the agent told, and show it.

    What the agent reads of the failure is gathered when it is sent.
    """
    facts, newest, wish = case.facts, case.validation, case.wish
    ordinal, number = case.next_ordinal, case.number
    attempt_id = derived(facts.repository.id, number, "fix", ordinal)
    resumed = next(iter(facts.runs), None)
    if resumed is None or not _can_be_resumed(resumed, case):
        resumed = None
    attempt = FixAttempt(
        id=attempt_id,
        ordinal=ordinal,
        head_sha=case.head,
        validation_id=newest.id,
        signature=signature_of(newest),
        failure=failure_of(newest),
        run_id=resumed.id if resumed else attempt_id,
        sent_at=facts.now,
        asked_by=wish.asker.login if wish else "",
        wish_id=wish.id if wish else "",
    )
    asked: Effect = RequestRun(attempt_id, _run_request(case, newest))
    if resumed is not None:
        hint = wish.hint if wish else ""
        message = RunMessage(attempt_id, hint, attempt.asked_by, failure=newest.id)
        asked = MessageRun(resumed.id, message)
    most = case.config.budgets.agent_runs_per_day
    effects = (
        SpendBudget(facts.repository, attempt_id, most),
        asked,  # first: an attempt without it would be judged as one that pushed nothing
        RecordAttempt(facts.repository, number, attempt),
        LeaveEvent(AgentRunsTouched(facts.repository)),
        PublishStatus(facts.repository, number),
    )
    how = "the same run" if resumed else "a new run"
    return Decision(f"attempt {ordinal}: {how} is sent the failure of {case.head[:12]}", effects)


def _can_be_resumed(run: AgentRun, case: FixCase) -> bool:
    """Whether the agent can go on with a run here; one that just failed at it begins anew."""
    last = case.last
    failed = last is not None and last.outcome is FixOutcome.AGENT_FAILED and last.run_id == run.id
    return (
        run.remote_id is not None
        and run.pull_request == case.number
        and len(run.messages) < MOST_MESSAGES
        and not (run.kill or run.wants_plan or failed)
    )


def _run_request(case: FixCase, newest: ValidationRecord) -> RunRequest:
    """A run of its own, asked for by who wished it, or by who started what brought it."""
    pull, agent, wish = case.pull, case.config.agent, case.wish
    started = case.brought or next(iter(case.facts.runs), None)
    here = CommentReference(CommentKind.ISSUE, 0, pull.number, pull.url)
    asker, comment = pull.author, here
    if wish is not None:
        asker = wish.asker
    elif started is not None:
        asker, comment = started.request.asked_by, started.request.comment
    return RunRequest(
        repository=case.facts.repository,
        number=pull.number,
        goal=f"{words.GOAL}\n\n{wish.hint}" if wish and wish.hint else words.GOAL,
        asked_by=asker,
        comment=comment,
        base_branch=pull.base_branch,
        is_pull_request=True,
        head_branch=pull.head_branch,
        head_sha=case.head,
        model=agent.model,
        agent_type=agent.agent_type,
        deadline_minutes=agent.deadline_minutes,
        failure=newest.id,
    )
