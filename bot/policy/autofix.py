"""Whether a failure goes back to the agent, and when that stops.

Level-triggered, one step at a time: ``RULES`` is the whole of it, in order, and the first row that
has something to say decides. What changes the record leaves an event, so that the rest is judged
on fresh facts. An attempt is sent only where no row had a say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bot.domain.agent_runs import UNENDED
from bot.domain.effects import Decision, Effect
from bot.domain.pull_request_effects import EndAttempt, NoteRevalidation
from bot.domain.pull_request_records import FixAttempt, FixOutcome, Revalidation, StopRule
from bot.domain.validations import FailureClass, Verdict
from bot.policy import fix_limits
from bot.policy import fix_words as words
from bot.policy.agent_requests import NO_AGENT
from bot.policy.fix_case import FixCase, FixFacts
from bot.policy.fix_outcome import STOPS, AttemptFacts, judge
from bot.policy.fix_sending import send
from bot.policy.requests import request

__all__ = ["RULES", "FixFacts", "decide"]

MOST_CHANGED: Final = 20
MOOT_WHEN_GREEN: Final = frozenset(
    {
        StopRule.SAME_FAILURE,
        StopRule.ATTEMPTS_SPENT,
        StopRule.FAILURE_CAME_BACK,
        StopRule.AGENT_FAILED,
        StopRule.NO_PUSH,
        StopRule.EMPTY_PUSH,
        StopRule.CANCELLED,
        StopRule.BUDGET_OF_PULL_REQUEST,
        StopRule.BUDGET_OF_DAY,
    }
)
"""Stops that the failure alone gave cause for. The others a person has to look at."""
NOT_THE_CHANGES: Final = frozenset({FailureClass.INFRASTRUCTURE, FailureClass.FLAKY})
NOT_THE_AGENTS: Final = frozenset({FailureClass.MISSING_SECRET, FailureClass.UNTRUSTED_FORK})
UNCERTAIN: Final = frozenset({FailureClass.INCONCLUSIVE, None})


def decide(facts: FixFacts, new_id: Callable[[int], str]) -> Decision:
    """What to do about a pull request's failure, by the first rule that has a say.

    ``new_id`` gives the id for the effect with an index: that of a validation's new record.
    """
    case = FixCase(facts, new_id)
    for rule in RULES:
        decision = rule(case)
        if decision is not None:
            return decision
    return send(case)


# ── closed, a person's hand, and the attempt that goes on ────────────────────────────────────


def _closed(case: FixCase) -> Decision | None:
    if case.pull.is_open:
        return None
    attempt, reason = case.record.open_attempt, "the pull request is closed"
    if attempt is None:
        return Decision(reason)
    return Decision(reason, (_end(case, attempt, FixOutcome.OVERTAKEN), *case.touched))


def _person_pushed(case: FixCase) -> Decision | None:
    """Whoever pushes by hand takes over: the attempt is overtaken, and counting begins anew."""
    attempt = case.record.open_attempt
    anything = attempt is not None or case.record.stop is not None or bool(case.record.counted)
    if not anything or not _is_a_persons_push(case):
        return None
    ended = () if attempt is None else (_end(case, attempt, FixOutcome.OVERTAKEN),)
    return case.goes_on("a person pushed: counting begins anew", case.next_ordinal, *ended)


def _is_a_persons_push(case: FixCase) -> bool:
    pusher, last, stop = case.facts.pusher, case.last, case.record.stop
    if pusher is None or pusher.is_bot or (last is not None and case.is_head(last.head_sha)):
        return False
    of_attempt = last is not None and (last.outcome is None or last.pushed_sha == case.head)
    if of_attempt and case.is_agents and pusher.id == case.pull.author.id:
        return False  # the agent works under that person's name
    # A stop that was made for this very head came after the push, late though it be told.
    return stop is None or stop.head_sha != case.head or of_attempt


def _person_asked(case: FixCase) -> Decision | None:
    """A wish begins anew as well; what was sent or stopped after it is not undone by it."""
    asked = case.asked
    if asked is None or case.record.open_attempt is not None:
        return None
    before = any(it.sent_at < asked.at for it in case.record.counted)
    if case.record.stop is None and not before:
        return None
    return case.goes_on(f"{asked.asker.login} asks for a fix", case.next_ordinal)


def _attempt(case: FixCase) -> Decision | None:
    """At most one goes on; what comes of it is judged, and that is all for now."""
    attempt, facts = case.record.open_attempt, case.facts
    if attempt is None:
        return None
    judged = judge(
        AttemptFacts(
            attempt=attempt,
            run=facts.attempt_run,
            number=case.number,
            head_sha=case.head,
            moved=not case.is_head(attempt.head_sha),
            pushed_paths=facts.pushed_paths,
        )
    )
    outcome = judged.outcome
    if outcome is None:
        return Decision(judged.sentence)
    effects: tuple[Effect, ...] = (_end(case, attempt, outcome),)
    if outcome in STOPS and case.record.stop is None:
        effects += case.stop(STOPS[outcome], judged.sentence)
    said = f"attempt {attempt.ordinal} ended: {outcome.replace('_', ' ')}"
    return Decision(said, (*effects, *case.touched))


def _budget_is_back(case: FixCase) -> Decision | None:
    """A stop with an end of its own; what was tried counts on."""
    stop = case.record.stop
    if stop is None or stop.again_at is None or case.facts.now < stop.again_at:
        return None
    return case.goes_on("there is a budget again", case.record.counted_from)


def _end(case: FixCase, attempt: FixAttempt, outcome: FixOutcome) -> EndAttempt:
    moved = outcome is not FixOutcome.OVERTAKEN and not case.is_head(attempt.head_sha)
    return EndAttempt(
        case.facts.repository,
        case.number,
        attempt.id,
        outcome,
        pushed_sha=case.head if moved else "",
        changed=tuple(case.facts.pushed_paths or ())[:MOST_CHANGED] if moved else (),
    )


# ── what the validation of the head found ────────────────────────────────────────────────────


def _switched_off(case: FixCase) -> Decision | None:
    if case.config.features.autofix or case.wish is not None:
        return None
    return Decision("failures are not sent to the agent here (`features.autofix: false`)")


def _not_judged(case: FixCase) -> Decision | None:
    if case.newest is None:
        return Decision("the head has no validation")
    return None if case.newest.ended else Decision("the head is being validated")


def _green(case: FixCase) -> Decision | None:
    if case.validation.verdict is not Verdict.PASSED:
        return None
    stop = case.record.stop
    if stop is None or stop.rule not in MOOT_WHEN_GREEN:
        return Decision("it is green")
    # Nobody had a hand in it: what was tried counts on.
    return case.goes_on("it is green: the stop is moot", case.record.counted_from)


def _validate_again(case: FixCase) -> Decision | None:
    """A failure that is not the change's costs no agent run: the head is validated once more."""
    newest, facts, rules = case.validation, case.facts, case.config.validation
    if newest.verdict is not Verdict.ERROR and newest.failure_class not in NOT_THE_CHANGES:
        return None
    before = sum(it.head_sha == case.head for it in case.record.revalidations)
    if before >= rules.infrastructure_retries:
        times = "once" if before == 1 else f"{before} times"
        spent = f"it was validated again {times}" if before else "it is not validated again"
        return Decision(f"{spent} (`validation.infrastructure_retries`); a person may have it run")
    due = case.due(before + 1)
    if facts.now < due:
        why = f"it is validated again at {due:%H:%M:%S} UTC: it was no fault of the change"
        return Decision(why, (case.look_again(due, "validate again"),))
    wanted = request(newest.order, facts.of_head, case.new_id, asked=True)
    note = NoteRevalidation(
        facts.repository, case.number, Revalidation(case.head, case.new_id(0), facts.now)
    )
    return Decision("it was no fault of the change: validate again", (*wanted.effects, note))


def _not_for_the_agent(case: FixCase) -> Decision | None:
    newest = case.validation
    if newest.failure_class in NOT_THE_AGENTS:
        return Decision("the agent can't mend it: a person has to give a secret, or trust")
    if newest.verdict is not Verdict.FAILED:
        return Decision(f"there is no failure to send: it is {newest.verdict or newest.status}")
    if newest.failure_class in UNCERTAIN and case.wish is None:
        return Decision("nobody knows whose failure it is: it is sent only where a person asks")
    return None


# ── who wants it, and whether it may be ──────────────────────────────────────────────────────


def _unwanted(case: FixCase) -> Decision | None:
    if case.is_agents or case.wish is not None:
        return None
    return Decision("no agent run brought it, and nobody asks for a fix")


def _held(case: FixCase) -> Decision | None:
    if not case.record.held_by or case.wish is not None:
        return None
    return Decision(f"{case.record.held_by} holds it")


def _fork(case: FixCase) -> Decision | None:
    if not case.is_fork:
        return None
    if case.wish is None:
        return Decision("it comes from a fork, and nobody asks for a fix")
    if case.pull.maintainer_can_modify and case.pull.head_repository_id is not None:
        return None
    return case.stopped(StopRule.FORK, words.FORK)


def _no_agent(case: FixCase) -> Decision | None:
    return None if case.facts.has_agent else Decision(NO_AGENT)


def _banned(case: FixCase) -> Decision | None:
    banned = any(it.kill and it.pull_request == case.number for it in case.facts.runs)
    return Decision("the agent was banned from here") if banned and case.wish is None else None


def _stop_stands(case: FixCase) -> Decision | None:
    stop = case.record.stop
    if stop is None:
        return None
    return Decision(f"fixing has stopped: {stop.rule.replace('_', ' ')}")


def _at_work(case: FixCase) -> Decision | None:
    """Whatever the agent does here may mend it, or fail otherwise: its end is waited for."""
    going = any(it.status in UNENDED for it in case.facts.runs)
    return Decision("the agent is at work here") if going and case.wish is None else None


Rule = Callable[[FixCase], Decision | None]
RULES: Final[tuple[Rule, ...]] = (
    _closed,
    _person_pushed,
    _person_asked,
    _attempt,
    _budget_is_back,
    _switched_off,
    _not_judged,
    _green,
    _validate_again,
    _not_for_the_agent,
    _unwanted,
    _held,
    _fork,
    _no_agent,
    _banned,
    _stop_stands,
    _at_work,
    fix_limits.same_failure,
    fix_limits.came_back,
    fix_limits.spent,
    fix_limits.budget_of_pull_request,
    fix_limits.budget_of_day,
    fix_limits.too_early,
)
