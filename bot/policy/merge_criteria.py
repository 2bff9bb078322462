"""Every criterion of a merge in the order of reading, and what an admin's word may change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.domain.merging import Criterion, CriterionState
from bot.policy import merge_approvals, merge_branch, merge_checks, merge_wishes
from bot.policy.merge_facts import MergeFacts, quoted

NEVER = frozenset(
    {
        "open",
        "agent_at_work",
        "code_review",
        "conversations",
        "mergeable",
        "up_to_date",
        "merge_method",
        "draft",
        "merge_feature",
        "github_rules",
        "merge_line",
        "merge_queue",
    }
)
"""What nobody overrides: GitHub would refuse the merge, or there would be nothing to do.

Beside these it is the checks that GitHub's own rules require.
"""


def criteria(facts: MergeFacts) -> tuple[Criterion, ...]:
    """All that a merge hangs on; none where it is merged, one where it is closed."""
    return tuple(_overridden(it, facts) for it in judged(facts))


def judged(facts: MergeFacts) -> tuple[Criterion, ...]:
    """The criteria as they stand by themselves, whatever an admin said."""
    if facts.situation.merged:
        return ()
    if not facts.pull.is_open:
        return (merge_branch.closed(),)
    return (
        merge_checks.validation(facts),
        *merge_checks.required_checks(facts),
        merge_approvals.approvals(facts),
        merge_approvals.changes_requested(facts),
        merge_approvals.code_review(facts),
        *merge_approvals.conversations(facts),
        merge_branch.mergeable(facts),
        merge_branch.up_to_date(facts),
        merge_branch.merge_method(facts),
        merge_wishes.draft(facts),
        merge_wishes.hold(facts),
        merge_wishes.labels(facts),
        merge_wishes.title(facts),
        merge_wishes.merge_window(facts),
        merge_wishes.auto_merge(facts),
        merge_wishes.merge_feature(facts),
        merge_wishes.paused(facts),
        merge_wishes.needs_human(facts),
        merge_wishes.agent_at_work(facts),
        *merge_branch.github_rules(facts),
        *merge_branch.merge_line(facts),
        *merge_branch.merge_queue(facts),
    )


def overridable_names(facts: MergeFacts) -> tuple[str, ...]:
    """The names that ``/codegen override`` takes for this pull request, in the order of reading."""
    required = {it.criterion for it in merge_checks.wanted_checks(facts) if it.by_github}
    return tuple(it.name for it in judged(facts) if it.name not in NEVER | required)


def overridable(name: str, facts: MergeFacts) -> bool:
    """Whether an admin's word can make a criterion of this name count as met."""
    return name in overridable_names(facts)


def chosen(said: str, names: Sequence[str]) -> tuple[str, str] | None:
    """The criterion that a command's ``NAME REASON…`` begins with, and the reason.

    The names of checks may have blanks in them: the longest one that fits is meant. None where
    none fits, or where no reason follows.
    """
    text = said.strip().lstrip("`")
    for name in sorted(names, key=len, reverse=True):
        rest = text.removeprefix(name).removeprefix("`")
        if text.startswith(name) and rest[:1].isspace() and rest.strip():
            return name, rest.strip()
    return None


def _overridden(criterion: Criterion, facts: MergeFacts) -> Criterion:
    if criterion.holds or not facts.record.overrides:
        return criterion
    words = [
        it
        for it in facts.record.overrides
        if it.criterion == criterion.name
        and it.head_sha == facts.pull.head_sha
        and it.base_branch in ("", facts.pull.base_branch)
    ]
    if not words or not overridable(criterion.name, facts):
        return criterion
    word = words[-1]
    said = f"overridden by `{word.login}`: {quoted(word.reason)}"
    return replace(
        criterion,
        state=CriterionState.OVERRIDDEN,
        value=f"{said} (it stood so: {criterion.value})",
        mend="",
        again_at=None,
    )
