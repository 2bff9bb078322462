"""When fixing stops before an attempt, and how long it waits: no progress, attempts, budgets.

A wish begins anew, so that no earlier attempt keeps it back; a budget does.
"""

from __future__ import annotations

from bot.domain.effects import Decision
from bot.domain.pull_request_records import FixOutcome, StopRule
from bot.policy import budgets
from bot.policy import fix_words as words
from bot.policy.failure_signature import failure_of, signature_of
from bot.policy.fix_case import FixCase, whole_second


def same_failure(case: FixCase) -> Decision | None:
    """The newest push left it as it was."""
    pushed = [it for it in case.tried if it.outcome is FixOutcome.PUSHED]
    newest = case.validation
    if case.wish is not None or not pushed or pushed[-1].signature != signature_of(newest):
        return None
    reason = words.same_failure(pushed[-1], failure_of(newest))
    return case.stopped(StopRule.SAME_FAILURE, reason)


def came_back(case: FixCase) -> Decision | None:
    """Where the agent itself failed, it has not tried."""
    signature = signature_of(case.validation)
    tried = [it for it in case.tried if it.outcome is not FixOutcome.AGENT_FAILED]
    if case.wish is not None or sum(it.signature == signature for it in tried) < 2:
        return None
    reason = words.failure_came_back(failure_of(case.validation))
    return case.stopped(StopRule.FAILURE_CAME_BACK, reason)


def spent(case: FixCase) -> Decision | None:
    """With ``max_retries: 0`` nothing begins by itself, so that nothing stops, either."""
    most = case.config.validation.max_retries
    if case.wish is not None or len(case.tried) < most:
        return None
    if not case.tried:
        return Decision("nothing is sent by itself (`validation.max_retries: 0`)")
    failure = failure_of(case.validation)
    if words.all_failed(case.tried):
        return case.stopped(StopRule.AGENT_FAILED, words.agent_failed(case.tried, failure))
    return case.stopped(StopRule.ATTEMPTS_SPENT, words.attempts_spent(case.tried, failure))


def budget_of_pull_request(case: FixCase) -> Decision | None:
    """Whoever set the agent going here."""
    sent = budgets.of_pull_request(case.facts.runs, case.record)
    if sent < case.config.budgets.agent_runs_per_pull_request:
        return None
    reason = words.budget_of_pull_request(case.config)
    return case.stopped(StopRule.BUDGET_OF_PULL_REQUEST, reason)


def budget_of_day(case: FixCase) -> Decision | None:
    """Whoever set the agent going; it begins again by itself, a day after one of those."""
    most = case.config.budgets.agent_runs_per_day
    today, now = case.facts.sent_today, case.facts.now
    if len(budgets.of_day(today, now)) < most:
        return None
    free = budgets.free_again(today, most, now)
    again_at = whole_second(free) if free else None
    reason = words.budget_of_day(case.config, again_at)
    return case.stopped(StopRule.BUDGET_OF_DAY, reason, again_at)


def too_early(case: FixCase) -> Decision | None:
    """The first attempt does not wait, nor does a person's."""
    if case.wish is not None or not case.tried:
        return None
    due = case.due(len(case.tried))
    if case.facts.now >= due:
        return None
    why = f"attempt {case.next_ordinal} is sent at {due:%H:%M:%S} UTC"
    return Decision(why, (case.look_again(due, "fix"),))
