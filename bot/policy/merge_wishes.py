"""The criteria that people set: drafts, holds, labels, titles, times, and whether at all."""

from __future__ import annotations

import re
import warnings

from bot.domain.agent_runs import UNENDED
from bot.domain.merging import Criterion
from bot.policy.matchers.reading import Unsafe
from bot.policy.matchers.regexps import measure
from bot.policy.merge_approvals import approving
from bot.policy.merge_facts import Asked, MergeFacts, listed, override_mend
from bot.policy.merge_window import WindowUnreadable, next_opening
from bot.policy.merge_window import is_open as window_is_open

LONGEST_TITLE = 256
"""Characters of a title; GitHub takes no more."""
MOST_STEPS = 2_000_000
"""What matching a title may take; beyond it nothing is matched, and nothing merged."""
_ANY_CASE = "(?i)"


def draft(facts: MergeFacts) -> Criterion:
    """A draft is no wish to merge."""
    asked = Asked("draft", "GitHub")
    if facts.pull.draft:
        return asked.unmet("it is a draft", "Mark it as ready for review.")
    return asked.met("it is ready for review")


def hold(facts: MergeFacts) -> Criterion:
    """Somebody holds it."""
    asked = Asked("hold", "`/codegen hold`")
    if facts.record.held_by:
        return asked.unmet(f"it is held by `{facts.record.held_by}`", "Write `/codegen unhold`.")
    return asked.met("nobody holds it")


def labels(facts: MergeFacts) -> Criterion:
    """No label that stops a merge."""
    asked = Asked("labels", "`validation.blocking_labels`")
    blocking = {it.casefold() for it in facts.config.validation.blocking_labels}
    if not blocking:
        return asked.idle("no label blocks here")
    found = [f"`{it}`" for it in facts.situation.labels if it.casefold() in blocking]
    if not found:
        return asked.met("no blocking label")
    noun = "label" if len(found) == 1 else "labels"
    verb = "blocks" if len(found) == 1 else "block"
    return asked.unmet(f"the {noun} {listed(found)} {verb} it", f"Take the {noun} off.")


def title(facts: MergeFacts) -> Criterion:
    """No title that stops a merge."""
    asked = Asked("title", "`validation.blocking_title`")
    pattern = facts.config.validation.blocking_title
    if not pattern:
        return asked.idle("no title blocks here")
    matched = _matches(pattern, facts.pull.title[:LONGEST_TITLE])
    if matched is None:
        return asked.unmet(
            f"the expression `{pattern}` may take too long, so no title is matched",
            f"Write a simpler one in the configuration. {override_mend(asked.name)}",
        )
    if matched:
        return asked.unmet(f"the title matches `{pattern}`", "Give it another title.")
    return asked.met("the title blocks nothing")


def merge_window(facts: MergeFacts) -> Criterion:
    """Merges happen at some times only."""
    window = facts.config.validation.merge_window
    asked = Asked("merge_window", "`validation.merge_window`")
    if not window:
        return asked.idle("it may be merged at any time")
    try:
        if window_is_open(window, facts.now):
            return asked.met(f"it is open: {window}")
        opening = next_opening(window, facts.now)
    except WindowUnreadable as unknown:
        return asked.unmet(str(unknown), "Name a zone of the IANA list, as `Europe/Berlin`.")
    when = f" until {opening:%Y-%m-%d %H:%M} UTC" if opening else ""
    mend = f"It opens by itself. {override_mend(asked.name)}"
    return asked.waiting(f"it is closed{when}: {window}", mend, opening)


def auto_merge(facts: MergeFacts) -> Criterion:
    """Somebody wants it merged: by a setting, or by a word for this one."""
    asker, asked_at = facts.record.merge_asked_by, facts.record.merge_asked_at
    is_fork = facts.pull.head_repository_id != facts.repository.id
    into = facts.record.merge_asked_into
    if asker is not None and into and into != facts.pull.base_branch:
        return Asked("auto_merge", "`/codegen merge`").unmet(
            f"`{asker.login}` asked for it to be merged into `{into}`",
            f"Write `/codegen merge` again for `{facts.pull.base_branch}`.",
        )
    if asker is not None:
        by_word = Asked("auto_merge", "`/codegen merge`")
        if not is_fork or facts.same_work(asked_at):
            return by_word.met(f"asked by `{asker.login}`")
        if facts.may_be_our_update:
            return by_word.waiting(
                f"asked by `{asker.login}` for the head before",
                "GitHub tells within moments whether the new head is the base merged in for it.",
                facts.update_given_up,
            )
        # Whoever may push to the fork may not merge here.
        return by_word.unmet(
            f"`{asker.login}` asked for `{asked_at[:12]}`, before a push to the fork",
            "Look at what was pushed, then write `/codegen merge` again.",
        )
    asked = Asked("auto_merge", facts.auto_merge_source)
    if facts.auto_merge and is_fork and not approving(facts):
        return asked.unmet(
            "it comes from a fork, which no setting alone merges",
            "Somebody who may write here approves it, or writes `/codegen merge`.",
        )
    if facts.auto_merge:
        return asked.met("merging is automatic")
    return asked.unmet(
        "merging is not automatic here",
        "Write `/codegen merge`, or set `validation.auto_merge: true`.",
    )


def merge_feature(facts: MergeFacts) -> Criterion:
    """The switch of all merging."""
    asked = Asked("merge_feature", "`features.merge`")
    if facts.config.features.merge:
        return asked.met("switched on")
    return asked.unmet("switched off (`features.merge`)", "Set `features.merge: true`.")


def paused(facts: MergeFacts) -> Criterion:
    """Nothing is merged here at all, for a time."""
    asked = Asked("paused", "this project")
    if facts.paused:
        mend = f"It goes on once that has changed. {override_mend(asked.name)}"
        return asked.unmet(f"merging is paused: {facts.paused}", mend)
    return asked.met("merging is not paused")


def needs_human(facts: MergeFacts) -> Criterion:
    """Fixing stopped: what is green then may be so for its tests were weakened."""
    asked, stop = Asked("needs_human", "the rules of fixing"), facts.record.stop
    if stop is None:
        return asked.met("nothing waits for a person")
    mend = f"Push a commit, or write `/codegen fix`. {override_mend(asked.name)}"
    later = stop.again_at if stop.again_at and stop.again_at > facts.now else None
    return asked.unmet(stop.reason, mend, later)


def agent_at_work(facts: MergeFacts) -> Criterion:
    """Nobody pushes to it any more: what the agent is at may change what is merged."""
    asked = Asked("agent_at_work", "agent runs")
    going = [it for it in facts.runs if it.status in UNENDED]
    if not going and facts.record.open_attempt is None:
        return asked.met("no run is under way here")
    what = "a fix" if facts.record.open_attempt is not None else "a run"
    return asked.waiting(
        f"{what} of the agent's is under way",
        "It is judged once that has ended. `/codegen cancel` ends it now.",
    )


def _matches(pattern: str, text: str) -> bool | None:
    """Whether an expression is found; None where it may take too long.

    What makes it blind to case is not read when it is measured, and does not change its cost.
    """
    try:
        cost = measure(pattern.removeprefix(_ANY_CASE))
        if cost.of(text, MOST_STEPS) > MOST_STEPS:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.search(pattern, text) is not None
    except (Unsafe, re.error, RecursionError, OverflowError):
        return None
