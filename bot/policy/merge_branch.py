"""The criteria that are the branch's: conflicts, the base, methods, queues, GitHub's own word."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.domain.merging import Criterion, MergeMethod
from bot.policy.merge_facts import Asked, MergeFacts, quoted

LOOK_SECONDS = 10
LONGEST_LOOK_SECONDS = 300
QUEUED_FOR = timedelta(minutes=1)
"""How long GitHub may not show what its merge queue has taken."""
REFUSED_FOR = timedelta(minutes=10)
"""How long GitHub's no stands before it is asked again."""
_GITHUB = "GitHub"
_QUEUE = "GitHub's merge queue"


def closed() -> Criterion:
    """The only thing to tell of one that is closed."""
    return Asked("open", _GITHUB).unmet("it is closed", "Reopen it.")


def mergeable(facts: MergeFacts) -> Criterion:
    """No conflict with the base. GitHub works it out when it is asked, and not at once."""
    asked, base = Asked("mergeable", _GITHUB), facts.pull.base_branch
    match facts.situation.mergeable:
        case None:
            return asked.waiting(
                "GitHub is still working out whether it conflicts with its base",
                "It is asked again shortly.",
                _look_again(facts, asked.name),
            )
        case True:
            return asked.met(f"no conflict with `{base}`")
        case False:
            mend = f"Merge `{base}` into the branch, or rebase it, and push it without conflicts."
            return asked.unmet(f"it conflicts with `{base}`", mend)


def up_to_date(facts: MergeFacts) -> Criterion:
    """The head has all that the base has, where that is asked for."""
    ours, theirs = facts.config.validation.require_up_to_date, facts.rules.up_to_date
    source = facts.rules.source if theirs and not ours else "`validation.require_up_to_date`"
    asked, base = Asked("up_to_date", source), facts.pull.base_branch
    if not (ours or theirs):
        return asked.idle("it need not be")
    if facts.by_queue:
        return asked.idle("GitHub's merge queue sees to that")
    if facts.situation.is_behind is None:
        return asked.waiting(
            "it is not known yet whether it is behind its base",
            "It is looked at again shortly.",
            _look_again(facts, asked.name),
        )
    if not facts.situation.is_behind:
        return asked.met(f"it has all of `{base}`")
    if not may_update(facts):
        return asked.unmet(
            f"the branch is behind `{base}`, and its fork lets nobody else push",
            f"Merge `{base}` into the branch and push it, or allow edits by maintainers.",
        )
    return asked.unmet(
        f"the branch is behind `{base}`",
        "It is updated when its turn comes, once everything else holds.",
    )


def may_update(facts: MergeFacts) -> bool:
    """Whether the base can be merged into its branch for it."""
    own = facts.pull.head_repository_id == facts.repository.id
    return own or (facts.pull.head_repository_id is not None and facts.pull.maintainer_can_modify)


def methods(facts: MergeFacts) -> tuple[MergeMethod, ...]:
    """The methods that repository and rules allow, the configured one first."""
    rules = facts.rules
    configured = MergeMethod(facts.config.validation.merge_method)
    return tuple(
        it
        for it in dict.fromkeys((configured, *MergeMethod))
        if it in facts.situation.allowed_methods
        and (not rules.methods or it in rules.methods)
        and not (rules.linear and it is MergeMethod.MERGE)
    )


def merge_method(facts: MergeFacts) -> Criterion:
    """There is a method left that is allowed."""
    asked = Asked("merge_method", "`validation.merge_method`")
    configured, allowed = facts.config.validation.merge_method, methods(facts)
    if facts.by_queue:
        return asked.idle("GitHub's merge queue has its own")
    if not allowed:
        return asked.unmet(
            "the repository and its rules leave no method",
            "Allow one in the repository's settings that its rules allow too.",
        )
    if allowed[0] != configured:
        return asked.met(f"`{allowed[0]}`, since `{configured}` is not allowed here")
    return asked.met(f"`{configured}`")


def github_rules(facts: MergeFacts) -> tuple[Criterion, ...]:
    """GitHub refused to merge this head; it is asked again after a while."""
    merge = facts.record.merge
    if merge is None or merge.head_sha != facts.pull.head_sha or not merge.refusal:
        return ()
    asked = Asked("github_rules", "GitHub's rules")
    again_at = (merge.refused_at or merge.at) + REFUSED_FOR
    if facts.now >= again_at:
        return (asked.met(f"it is tried again; GitHub had said: {quoted(merge.refusal)}"),)
    mend = "Mend what GitHub names; it is tried again after 10 minutes."
    return (asked.unmet(f"GitHub refused the merge: {quoted(merge.refusal)}", mend, again_at),)


def merge_line(facts: MergeFacts) -> tuple[Criterion, ...]:
    """Its place among those that go one after the other; the first one has the turn."""
    if not facts.by_line:
        return ()
    asked = Asked("merge_line", "`validation.require_up_to_date`")
    line, number = list(facts.line), facts.pull.number
    if number not in line:
        return (asked.waiting("it is not in the line yet", "It joins once everything else holds."),)
    place = line.index(number)
    if place == 0:
        return (asked.met("it is the first in the line"),)
    before = line[place - 1]
    value = f"it has place {place + 1} in the line, behind #{before}"
    return (asked.waiting(value, "Its turn comes when those before it are merged or leave."),)


def merge_queue(facts: MergeFacts) -> tuple[Criterion, ...]:
    """GitHub's own queue has it, or had it a moment ago."""
    asked, merge = Asked("merge_queue", _QUEUE), facts.record.merge
    if facts.situation.in_merge_queue:
        return (asked.waiting("GitHub has it in its merge queue", "GitHub merges it from there."),)
    if not facts.by_queue:
        return ()
    if merge is None or not merge.queued or merge.head_sha != facts.pull.head_sha:
        return ()
    settled = merge.at + QUEUED_FOR
    if facts.now < settled:
        value = "it was given to GitHub's merge queue a moment ago"
        return (asked.waiting(value, "GitHub merges it from there.", settled),)
    return (
        asked.unmet(
            "GitHub took this commit out of its merge queue",
            "See why in the queue's own checks; then push a commit, or write `/codegen merge`.",
        ),
    )


def _look_again(facts: MergeFacts, name: str) -> datetime:
    """When to ask again: soon at first, then the later the longer it has been so."""
    known, waited = facts.record.explanation, 0.0
    of_head = known.criteria if known and known.head_sha == facts.pull.head_sha else ()
    if known and any(it.name == name and it.again_at is not None for it in of_head):
        waited = (facts.now - known.at).total_seconds()
    return soon(facts, min(max(waited, LOOK_SECONDS), LONGEST_LOOK_SECONDS))


def soon(facts: MergeFacts, seconds: float) -> datetime:
    """A time to look again at, so many seconds from now and up to ten more.

    The times stand ten seconds apart, each pull request's a little aside: what several events ask
    for is done once, and not for all pull requests at once.
    """
    whole = (facts.now + timedelta(seconds=seconds)).replace(microsecond=0)
    aside = (facts.pull.number - int(whole.timestamp())) % LOOK_SECONDS
    return whole + timedelta(seconds=aside)
