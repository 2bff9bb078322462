"""What keeps a merge back, criterion by criterion: tables of facts and how they stand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.domain.agent_runs import RunStatus
from bot.domain.merging import Explanation, MergeMethod, ReviewDecision
from bot.domain.pull_request_records import FixAttempt, MergeIntent, Stop, StopRule
from bot.policy.merge import criteria, explain
from tests.policy.merges import (
    BOB,
    OLD_HEAD,
    RED,
    RUN,
    facts,
    named,
    required,
    review,
)
from tests.policy.places import HEAD, NOW

ONE = {"required_approvals": 1}
FORK = {"head_repository_id": 99}


def test_nothing_keeps_it_back() -> None:
    explanation = explain(facts())
    assert explanation.sentence == "Nothing keeps it back."
    assert (explanation.head_sha, explanation.at) == (HEAD, NOW)
    assert [(it.name, it.state.value) for it in explanation.criteria] == [
        ("validation", "met"),
        ("approvals", "not_applicable"),
        ("changes_requested", "met"),
        ("code_review", "not_applicable"),
        ("mergeable", "met"),
        ("up_to_date", "not_applicable"),
        ("merge_method", "met"),
        ("draft", "met"),
        ("hold", "met"),
        ("labels", "met"),
        ("title", "met"),
        ("merge_window", "not_applicable"),
        ("auto_merge", "met"),
        ("merge_feature", "met"),
        ("paused", "met"),
        ("needs_human", "met"),
        ("agent_at_work", "met"),
    ]
    assert not any(it.mend or it.again_at for it in explanation.criteria)
    assert all(it.source and it.value for it in explanation.criteria)


CLOSED_WINDOW = "Mon-Thu 09:00-17:00 Europe/Berlin"
REFUSED = MergeIntent(HEAD, MergeMethod.SQUASH, NOW, refusal="Rule\n says no", refused_at=NOW)
QUEUED = MergeIntent(HEAD, MergeMethod.SQUASH, NOW - timedelta(minutes=1), queued=True)
TRIED = FixAttempt("one", 1, HEAD, "v1", "s", "build", "run", NOW)
STOPPED = Stop(StopRule.NO_PUSH, "The agent pushed nothing.", HEAD, NOW, again_at=NOW)
LINE: dict[str, Any] = {"validation": {"require_up_to_date": True}}
QUEUE: dict[str, Any] = {"situation": {"queue_required": True}}
BEHIND: dict[str, Any] = {"rules": {"up_to_date": True}, "situation": {"is_behind": True}}
METHODS = tuple(MergeMethod)


@pytest.mark.parametrize(
    ("name", "changes", "state", "value", "mend"),
    [
        pytest.param(
            "open", {"pull": {"is_open": False}}, "unmet", "it is closed", "Reopen it.", id="closed"
        ),
        # ── GitHub's own word on reviews
        pytest.param(
            "code_review", {"situation": {"review_decision": ReviewDecision.APPROVED}},
            "met", "reviewed", "", id="GitHub: approved",
        ),
        pytest.param(
            "code_review", {"situation": {"review_decision": ReviewDecision.REVIEW_REQUIRED}},
            "unmet", "misses a review", "code owner", id="GitHub: a review is required",
        ),
        pytest.param(
            "code_review", {"situation": {"review_decision": ReviewDecision.CHANGES_REQUESTED}},
            "unmet", "changes", "dismissed", id="GitHub: changes requested",
        ),
        pytest.param(
            "conversations", {"rules": {"conversations": True}}, "met", "all are resolved", "",
            id="conversations resolved",
        ),
        pytest.param(
            "conversations",
            {"rules": {"conversations": True}, "situation": {"unresolved_conversations": 1}},
            "unmet", "1 conversation is not resolved", "resolve", id="a conversation",
        ),
        # ── the branch
        pytest.param(
            "mergeable", {"situation": {"mergeable": None}}, "waiting", "still working out",
            "asked again", id="GitHub does not know yet",
        ),
        pytest.param(
            "mergeable", {"situation": {"mergeable": False}}, "unmet", "it conflicts with `main`",
            "Merge `main` into the branch", id="a conflict",
        ),
        pytest.param(
            "up_to_date", {"situation": {"is_behind": True}}, "not_applicable", "need not", "",
            id="behind, and that does not matter",
        ),
        pytest.param(
            "up_to_date", BEHIND, "unmet", "the branch is behind `main`",
            "It is updated when its turn comes", id="behind",
        ),
        pytest.param(
            "up_to_date", {**BEHIND, "pull": {"head_repository_id": 8}}, "unmet",
            "its fork lets nobody else push", "allow edits by maintainers", id="a fork's, behind",
        ),
        pytest.param(
            "up_to_date",
            {**BEHIND, "pull": {"head_repository_id": None, "maintainer_can_modify": True}},
            "unmet", "nobody else", "", id="the fork is gone",
        ),
        pytest.param(
            "up_to_date",
            {**BEHIND, "pull": {"head_repository_id": 8, "maintainer_can_modify": True}},
            "unmet", "the branch is behind `main`", "It is updated", id="a fork's that lets us",
        ),
        pytest.param(
            "up_to_date", {**LINE, "situation": {"is_behind": None}}, "waiting", "not known yet",
            "looked at again", id="nobody asked whether it is behind",
        ),
        pytest.param("up_to_date", LINE, "met", "it has all of `main`", "", id="not behind"),
        pytest.param(
            "up_to_date", {**BEHIND, "situation": {"is_behind": True, "queue_required": True}},
            "not_applicable", "merge queue", "", id="behind, with GitHub's queue",
        ),
        pytest.param("merge_method", {}, "met", "`squash`", "", id="the configured method"),
        pytest.param(
            "merge_method", {"situation": {"allowed_methods": METHODS[1:]}}, "met",
            "`merge`, since `squash` is not allowed here", "", id="the repository's next one",
        ),
        pytest.param(
            "merge_method",
            {"situation": {"allowed_methods": METHODS[1:]}, "rules": {"linear": True}}, "met",
            "`rebase`", "", id="a linear history has no merge commits",
        ),
        pytest.param(
            "merge_method", {"rules": {"methods": (MergeMethod.REBASE,)}}, "met", "`rebase`", "",
            id="the rules' only one",
        ),
        pytest.param(
            "merge_method",
            {"rules": {"linear": True}, "situation": {"allowed_methods": (MergeMethod.MERGE,)}},
            "unmet", "leave no method", "Allow one", id="none is left",
        ),
        pytest.param(
            "merge_method", {"situation": {"allowed_methods": ()}}, "unmet", "no method", "",
            id="none is allowed",
        ),
        pytest.param(
            "merge_method", {"rules": {"merge_queue": True}}, "not_applicable", "queue", "",
            id="GitHub's queue has its own",
        ),
        # ── what people set
        pytest.param("draft", {"pull": {"draft": True}}, "unmet", "a draft", "ready", id="draft"),
        pytest.param(
            "hold", {"record": {"held_by": "bob"}}, "unmet", "it is held by `bob`",
            "Write `/codegen unhold`.", id="held",
        ),
        pytest.param(
            "labels", {"situation": {"labels": ("bug", "Do-Not-Merge")}}, "unmet",
            "the label `Do-Not-Merge` blocks it", "Take the label off.", id="a blocking label",
        ),
        pytest.param(
            "labels",
            {"situation": {"labels": tuple("abc")}, "validation": {"blocking_labels": ["A", "B"]}},
            "unmet", "the labels `a` and `b` block it", "labels off", id="two blocking labels",
        ),
        pytest.param(
            "labels", {"validation": {"blocking_labels": []}, "situation": {"labels": ("a",)}},
            "not_applicable", "no label blocks", "", id="no label blocks",
        ),
        pytest.param("title", {"pull": {"title": "WIP: x"}}, "unmet", "matches", "title", id="WIP"),
        pytest.param("title", {"pull": {"title": "Not WIP"}}, "met", "", "", id="WIP elsewhere"),
        pytest.param(
            "title", {"validation": {"blocking_title": ""}, "pull": {"title": "WIP"}},
            "not_applicable", "", "", id="no title blocks",
        ),
        pytest.param(
            "title", {"validation": {"blocking_title": "(?i)^wip"}, "pull": {"title": "Wip"}},
            "unmet", "matches", "", id="in any case",
        ),
        pytest.param(
            "title",
            {"validation": {"blocking_title": "(a+)+$"}, "pull": {"title": "a" * 255 + "!"}},
            "unmet", "may take too long", "simpler", id="an expression without end",
        ),
        pytest.param(
            "title", {"validation": {"blocking_title": "x$"}, "pull": {"title": "a" * 256 + "x"}},
            "met", "", "", id="beyond the longest title",
        ),
        pytest.param(
            "merge_window", {"validation": {"merge_window": "Fri 12:00-14:00 UTC"}}, "met",
            "it is open: Fri 12:00-14:00 UTC", "", id="the window is open",
        ),
        pytest.param(
            "merge_window", {"validation": {"merge_window": CLOSED_WINDOW}}, "waiting",
            "it is closed until 2026-01-05 08:00 UTC", "/codegen override merge_window REASON…",
            id="the window is closed",
        ),
        pytest.param(
            "merge_window", {"validation": {"merge_window": "Mon 09:00-17:00 Middle/Earth"}},
            "unmet", "the zone `Middle/Earth` is not known here", "IANA", id="no such zone",
        ),
        pytest.param(
            "auto_merge", {"auto_merge": False}, "unmet", "not automatic", "/codegen merge",
            id="nobody wants it merged",
        ),
        pytest.param(
            "auto_merge", {"auto_merge": False, "record": {"merge_asked_by": BOB}}, "met",
            "asked by `bob`", "", id="somebody asked",
        ),
        pytest.param(
            "auto_merge", {"pull": FORK}, "unmet", "it comes from a fork", "/codegen merge",
            id="a fork, which no setting alone merges",
        ),
        pytest.param(
            "auto_merge", {"pull": FORK, "situation": {"reviews": (review(BOB),)}}, "met",
            "automatic", "", id="a fork that somebody approved",
        ),
        pytest.param(
            "auto_merge",
            {"pull": FORK, "situation": {"reviews": (review(BOB, commit_sha=OLD_HEAD),)}},
            "unmet", "it comes from a fork", "", id="a fork that somebody approved before a push",
        ),
        pytest.param(
            "auto_merge",
            {"pull": FORK, "record": {"merge_asked_by": BOB, "merge_asked_at": HEAD}}, "met",
            "asked by `bob`", "", id="a fork, asked for at this head",
        ),
        pytest.param(
            "auto_merge",
            {"pull": FORK, "record": {"merge_asked_by": BOB, "merge_asked_at": OLD_HEAD}},
            "unmet", "before a push to the fork", "/codegen merge", id="a fork, asked for before",
        ),
        pytest.param(
            "merge_feature", {"features": {"merge": False}}, "unmet",
            "switched off (`features.merge`)", "features.merge: true", id="switched off",
        ),
        pytest.param(
            "paused", {"paused": "the last deployment was rolled back"}, "unmet",
            "merging is paused: the last deployment was rolled back", "", id="paused",
        ),
        pytest.param(
            "needs_human", {"record": {"stop": STOPPED}}, "unmet", "The agent pushed nothing.",
            "/codegen fix", id="fixing stopped",
        ),
        # ── GitHub's no, and who is first
        pytest.param(
            "github_rules", {"record": {"merge": REFUSED}}, "unmet",
            "GitHub refused the merge: Rule says no", "10 minutes", id="GitHub refused",
        ),
        pytest.param(
            "github_rules",
            {"record": {"merge": replace(REFUSED, refused_at=NOW - timedelta(minutes=10))}},
            "met", "it is tried again; GitHub had said: Rule says no", "", id="refused a while ago",
        ),
        pytest.param("merge_line", LINE, "waiting", "not in the line", "joins", id="not in line"),
        pytest.param("merge_line", {**LINE, "line": (20, 7)}, "met", "first", "", id="the first"),
        pytest.param(
            "merge_line", {**LINE, "line": (5, 7, 20)}, "waiting",
            "it has place 3 in the line, behind #7", "Its turn comes", id="the third",
        ),
        pytest.param(
            "merge_queue", {"situation": {"in_merge_queue": True}}, "waiting", "has it", "merges",
            id="in GitHub's queue",
        ),
        pytest.param(
            "merge_queue", {**QUEUE, "record": {"merge": QUEUED}}, "unmet", "took this commit out",
            "/codegen merge", id="out of GitHub's queue again",
        ),
        pytest.param(
            "merge_queue", {**QUEUE, "record": {"merge": replace(QUEUED, at=NOW)}}, "waiting",
            "a moment ago", "merges it", id="GitHub's queue does not show it yet",
        ),
        pytest.param(
            "agent_at_work", {"runs": (replace(RUN, status=RunStatus.ACTIVE),)}, "waiting",
            "a run of the agent's", "/codegen cancel", id="the agent is at work here",
        ),
        pytest.param(
            "agent_at_work", {"record": {"attempts": (TRIED,)}}, "waiting",
            "a fix of the agent's", "/codegen cancel", id="a fix is under way",
        ),
    ],
)  # fmt: skip
def test_a_criterion(name: str, changes: dict[str, Any], state: str, value: str, mend: str) -> None:
    found = named(facts(**changes), name)
    assert found.state == state
    assert value in found.value
    assert mend in found.mend
    assert bool(found.mend) is not found.holds


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        pytest.param("conversations", {"situation": {"unresolved_conversations": 3}}, id="no rule"),
        pytest.param(
            "github_rules",
            {"record": {"merge": replace(REFUSED, head_sha=OLD_HEAD)}},
            id="another head was refused",
        ),
        pytest.param("github_rules", {"record": {"merge": QUEUED}}, id="nothing was refused"),
        pytest.param("merge_line", {"line": (20,)}, id="no line here"),
        pytest.param("merge_line", {**LINE, "rules": {"merge_queue": True}}, id="GitHub's queue"),
        pytest.param("merge_queue", {"record": {"merge": QUEUED}}, id="no queue any more"),
        pytest.param("merge_queue", {**QUEUE, "record": {"merge": REFUSED}}, id="never queued"),
        pytest.param(
            "merge_queue",
            {**QUEUE, "record": {"merge": replace(QUEUED, head_sha=OLD_HEAD)}},
            id="another head was queued",
        ),
        pytest.param("open", {}, id="it is open"),
    ],
)
def test_what_is_not_told(name: str, changes: dict[str, Any]) -> None:
    assert name not in [it.name for it in criteria(facts(**changes))]


def test_of_a_closed_one_that_alone_is_told_and_of_a_merged_one_nothing() -> None:
    closed = facts(pull={"is_open": False, "draft": True})
    assert [it.name for it in criteria(closed)] == ["open"]
    merged = facts(pull={"is_open": False}, situation={"merged": True, "merge_sha": "f" * 40})
    assert criteria(merged) == ()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param(
            {"of_head": (RED,)}, "1 criterion keeps it back: validation.", id="one criterion"
        ),
        pytest.param(
            {"of_head": (RED,), "validation": ONE, "record": {"held_by": "bob"}},
            "3 criteria keep it back: validation, approvals and hold.",
            id="three",
        ),
        pytest.param(
            {
                "of_head": (),
                "rules": {"checks": tuple(required(it) for it in "abcdefghi")},
            },
            "10 criteria keep it back: validation, a, b, c, d, e, f, g and 2 more.",
            id="many",
        ),
        pytest.param({"pull": {"is_open": False}}, "It was closed without a merge.", id="closed"),
        pytest.param(
            {"pull": {"is_open": False}, "situation": {"merged": True, "merge_sha": "f" * 40}},
            f"Merged as `{'f' * 12}`.",
            id="merged",
        ),
    ],
)
def test_the_sentence(changes: dict[str, Any], sentence: str) -> None:
    assert explain(facts(**changes)).sentence == sentence


# ── when to look again ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "changes", "again_at"),
    [
        pytest.param(
            "merge_window",
            {"validation": {"merge_window": CLOSED_WINDOW}},
            NOW.replace(day=5, hour=8),
            id="the window opens",
        ),
        pytest.param(
            "github_rules",
            {"record": {"merge": REFUSED}},
            NOW + timedelta(minutes=10),
            id="after GitHub's no",
        ),
        pytest.param(
            "github_rules",
            {"record": {"merge": replace(REFUSED, refused_at=None)}},
            NOW + timedelta(minutes=10),
            id="after GitHub's no, at a time nobody wrote down",
        ),
        pytest.param(
            "merge_queue",
            {**QUEUE, "record": {"merge": replace(QUEUED, at=NOW)}},
            NOW + timedelta(minutes=1),
            id="when GitHub's queue should show it",
        ),
        pytest.param(
            "needs_human",
            {"record": {"stop": replace(STOPPED, again_at=NOW + timedelta(hours=1))}},
            NOW + timedelta(hours=1),
            id="the budget is there again",
        ),
        pytest.param(
            "needs_human", {"record": {"stop": STOPPED}}, None, id="a time that has passed"
        ),
        pytest.param("hold", {"record": {"held_by": "bob"}}, None, id="time alone changes nothing"),
    ],
)
def test_when_it_may_stand_otherwise(
    name: str, changes: dict[str, Any], again_at: datetime | None
) -> None:
    assert named(facts(**changes), name).again_at == again_at


@pytest.mark.parametrize(
    ("waited", "number", "seconds"),
    [
        pytest.param(None, 20, 10, id="at first"),
        pytest.param(0, 23, 13, id="each one a little aside"),
        pytest.param(4, 20, 10, id="soon after"),
        pytest.param(40, 20, 40, id="the longer it has been so, the later"),
        pytest.param(9000, 20, 300, id="with a bound"),
    ],
)
def test_github_is_asked_again_for_what_it_works_out(
    waited: int | None, number: int, seconds: int
) -> None:
    unknown: dict[str, Any] = {
        "situation": {"mergeable": None},
        "pull": {"number": number},
    }
    known: Explanation | None = None
    if waited is not None:
        before = explain(facts(**unknown))
        known = replace(before, at=NOW - timedelta(seconds=waited))
    found = named(facts(**unknown, record={"explanation": known}), "mergeable")
    assert found.again_at == NOW + timedelta(seconds=seconds)
    later = facts(**unknown, now=NOW + timedelta(seconds=3))
    if waited is None:
        assert named(later, "mergeable").again_at == NOW + timedelta(seconds=20), "the next time"


def test_what_was_said_of_another_head_is_no_waiting() -> None:
    before = replace(
        explain(facts(situation={"mergeable": None})),
        head_sha=OLD_HEAD,
        at=NOW - timedelta(hours=1),
    )
    found = facts(situation={"mergeable": None}, record={"explanation": before})
    assert named(found, "mergeable").again_at == NOW + timedelta(seconds=10)
