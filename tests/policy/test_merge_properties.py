"""What holds of the merge's policy whatever the facts: drawn at random, from what is told above."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from bot.domain.check_runs import CHECK_NAME
from bot.domain.effects import LeaveEvent
from bot.domain.events import MergeLineMoved, PullRequestTouched
from bot.domain.merging import MergeMethod, ReviewDecision
from bot.domain.pull_request_effects import (
    JoinMergeLine,
    LeaveMergeLine,
    MergePullRequest,
    UpdateBranch,
)
from bot.domain.pull_request_records import MergeIntent, Stop, StopRule
from bot.domain.validations import ValidationStatus, Verdict
from bot.policy.merge import MergeFacts, decide, explain
from bot.policy.merge_criteria import NEVER, criteria, judged
from tests.policy.merges import (
    BOB,
    CAROL,
    LONG_AGO,
    NUMBER,
    OLD_HEAD,
    OWN_APP,
    check,
    facts,
    override,
    required,
    review,
    validated,
)
from tests.policy.places import ALICE, HEAD, NOW

NAMES = ("validation", "approvals", "hold", "lint", "draft", "mergeable", "auto_merge", "title")
INTENT = MergeIntent(HEAD, MergeMethod.SQUASH, NOW - timedelta(minutes=1))
REFUSED = replace(INTENT, refusal="no", refused_at=NOW)
STOP = Stop(StopRule.NO_PUSH, "The agent pushed nothing.", HEAD, NOW)
LINT = required("lint")
RECORDS = tuple(
    validated(sha, status=status, verdict=verdict)
    for sha in (HEAD, OLD_HEAD)
    for status, verdict in (
        (ValidationStatus.RUNNING, None),
        (ValidationStatus.CANCELLED, Verdict.CANCELLED),
        (ValidationStatus.COMPLETED, Verdict.PASSED),
        (ValidationStatus.COMPLETED, Verdict.FAILED),
        (ValidationStatus.COMPLETED, Verdict.NEUTRAL),
    )
)
CHECKS = (
    *(check("lint", it) for it in ("success", "neutral", "skipped", "pending", "failure", "stale")),
    check("lint", app_id=None),
    check("lint", "failure", 666, required=True),
    check(CHECK_NAME, app_id=666),
)
REVIEWS = tuple(
    review(by, state, sha)
    for by in (ALICE, BOB, CAROL)
    for state in ("approved", "changes_requested")
    for sha in (HEAD, OLD_HEAD)
)
OTHERWISE: Mapping[str, Mapping[str, Sequence[Any]]] = {
    "pull": {
        "draft": [True],
        "title": ["WIP: a cart"],
        "is_open": [False],
        "base_branch": ["next"],
        "head_repository_id": [8, None],
    },
    "situation": {
        "labels": [("do-not-merge",)],
        "mergeable": [False, None],
        "is_behind": [True, None],
        "review_decision": list(ReviewDecision),
        "reviews": [(it,) for it in REVIEWS] + [(REVIEWS[4], REVIEWS[8]), (REVIEWS[4], REVIEWS[5])],
        "checks": [(it,) for it in CHECKS] + [CHECKS[:1] + CHECKS[7:], CHECKS[4:7]],
        "allowed_methods": [(), (MergeMethod.MERGE,)],
        "queue_required": [True],
        "in_merge_queue": [True],
        "unresolved_conversations": [1],
        "merged": [True],
    },
    "rules": {
        "checks": [(LINT,), (LINT, required(CHECK_NAME, OWN_APP)), (required("lint", None),)],
        "up_to_date": [True],
        "approvals": [1],
        "conversations": [True],
        "linear": [True],
        "methods": [(MergeMethod.REBASE,)],
        "merge_queue": [True],
    },
    "record": {
        "held_by": ["bob"],
        "merge_asked_by": [BOB],
        "stop": [STOP],
        "queued_at": [LONG_AGO],
        "base_branch": ["next"],
        "head_sha": [OLD_HEAD],
        "merge": [
            INTENT,
            replace(INTENT, refusal="no", refused_at=NOW),
            replace(INTENT, queued=True),
        ],
        "updating_from": [OLD_HEAD],
        "updates": [((HEAD, OLD_HEAD),)],
    },
    "validation": {
        "required_checks": [["lint"]],
        "required_approvals": [1, 2],
        "require_up_to_date": [True, True, True],
        "merge_window": ["Fri 12:00-13:00 UTC", "Mon 12:00-13:00 UTC"],
        "merge_method": ["merge", "rebase"],
    },
    "features": {"merge": [False]},
    "": {
        "of_head": [(), *((it,) for it in RECORDS), RECORDS[2:4], RECORDS[6:8]],
        "runs": [()],
        "auto_merge": [False],
        "paused": ["the last deployment was rolled back"],
        "line": [(NUMBER,), (NUMBER, 7), (7, NUMBER)],
        "has_turn": [True, True, True],
    },
}
"""What may stand otherwise than where nothing keeps it back."""
WAYS = [
    (section, key, value)
    for section, keys in OTHERWISE.items()
    for key, values in keys.items()
    for value in values
]
WORDS = st.lists(st.builds(override, st.sampled_from(NAMES), st.sampled_from([HEAD, OLD_HEAD])))


@st.composite
def whole(draw: st.DrawFn) -> MergeFacts:
    """A pull request that could be merged, but for up to six things that stand otherwise."""
    changes: dict[str, dict[str, Any]] = {section: {} for section in OTHERWISE}
    for section, key, value in draw(st.lists(st.sampled_from(WAYS), max_size=6)):
        changes[section][key] = value
    own = changes.pop("")
    if NUMBER in own.get("line", ()):
        changes["record"]["queued_at"] = LONG_AGO
        changes["validation"]["require_up_to_date"] = True
    changes["record"]["overrides"] = tuple(draw(WORDS))
    return facts(**changes, **own)


LONG = settings(max_examples=200, deadline=None)


@LONG
@given(whole())
def test_it_is_merged_only_where_every_criterion_holds(found: MergeFacts) -> None:
    effects = decide(found).effects
    merges = [it for it in effects if isinstance(it, MergePullRequest)]
    if not merges:
        return
    event("merged")
    (merge,) = merges
    assert all(it.holds for it in criteria(found))
    assert merge.expected_head_sha == found.pull.head_sha
    of_head = [it for it in found.of_head if it.order.head_sha == HEAD]
    green = bool(of_head) and of_head[-1].verdict is Verdict.PASSED and of_head[-1].ended
    words = {(it.criterion, it.head_sha) for it in found.record.overrides}
    assert green or ("validation", HEAD) in words
    allowed = set(found.situation.allowed_methods)
    assert set(merge.methods) <= allowed
    assert merge.methods or merge.by_queue
    if found.by_line:
        assert found.has_turn
        assert found.line[0] == NUMBER
    assert found.pull.is_open
    assert not found.situation.merged
    assert not any(isinstance(it, UpdateBranch | JoinMergeLine) for it in effects)


@LONG
@given(whole())
def test_it_never_sits_still_where_every_criterion_holds(found: MergeFacts) -> None:
    if not found.pull.is_open or found.situation.merged:
        return
    if not all(it.holds for it in criteria(found)):
        return
    event("all holds")
    effects = decide(found).effects
    moves = any(
        isinstance(it, LeaveEvent) and isinstance(it.event, MergeLineMoved) for it in effects
    )
    assert moves or any(isinstance(it, MergePullRequest) for it in effects)


@LONG
@given(whole())
def test_the_same_facts_give_the_same_decision(found: MergeFacts) -> None:
    assert decide(found) == decide(found)
    assert explain(found).digest == explain(replace(found, has_turn=not found.has_turn)).digest


@LONG
@given(whole(), st.lists(st.sampled_from(NAMES)))
def test_a_word_for_another_commit_never_counts(found: MergeFacts, names: list[str]) -> None:
    without = replace(found, record=replace(found.record, overrides=()))
    others = tuple(override(it, OLD_HEAD) for it in names)
    assert criteria(without) == judged(found)
    with_others = replace(found, record=replace(found.record, overrides=others))
    assert criteria(with_others) == criteria(without)
    assert decide(with_others) == decide(without)


@LONG
@given(whole())
def test_what_nobody_overrides_stands_whatever_an_admin_says(found: MergeFacts) -> None:
    words = tuple(override(it.name) for it in judged(found))
    told = criteria(replace(found, record=replace(found.record, overrides=words)))
    for before, after in zip(judged(found), told, strict=True):
        if before.holds or before.name in NEVER:
            assert after == before
        if before.name == "lint" and (
            required("lint") in found.rules.checks or _github_wants_lint(found)
        ):
            assert after == before


def _github_wants_lint(found: MergeFacts) -> bool:
    wanted = {it.name for it in found.rules.checks}
    return "lint" in wanted | {it.name for it in found.situation.checks if it.required}


@LONG
@given(whole())
def test_what_is_kept_back_says_what_would_change_it(found: MergeFacts) -> None:
    told = criteria(found)
    assert len({it.name for it in told}) == len(told)
    for it in told:
        assert it.value
        assert it.source
        assert it.holds is not bool(it.mend)
        assert it.again_at is None or it.again_at > found.now
    dues = [it.due_at for it in decide(found).effects if isinstance(it, LeaveEvent)]
    assert all(due is None or found.now < due for due in dues)


@LONG
@given(whole())
def test_once_told_nothing_is_told_again(found: MergeFacts) -> None:
    """Where nothing can be done, a second look at the same facts has at most a timer to set."""
    if found.situation.merged or all(it.holds for it in criteria(found)):
        return
    left = any(isinstance(it, LeaveMergeLine) for it in decide(found).effects)
    kept = replace(
        found.record,
        explanation=explain(found),
        looked_at=found.now,
        is_open=found.pull.is_open,
        base_branch=found.pull.base_branch,
        queued_at=None if left else found.record.queued_at,
        turn_since=found.now if found.has_turn else None,
    )
    rest = decide(replace(found, record=kept)).effects
    moving = (MergeLineMoved, PullRequestTouched)
    assert all(
        isinstance(it, JoinMergeLine | UpdateBranch)
        or (isinstance(it, LeaveEvent) and isinstance(it.event, moving))
        for it in rest
    )
