"""What is done about a pull request's merge: tables of facts and effects."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.domain.effects import Effect, LeaveEvent, PublishCheck
from bot.domain.events import MergeLineMoved, PullRequestTouched, StatusOutdated
from bot.domain.ids import derived
from bot.domain.merging import MergeMethod
from bot.domain.pull_request_effects import (
    DeleteBranch,
    JoinMergeLine,
    KeepExplanation,
    LeaveMergeLine,
    MergePullRequest,
    NoteMerged,
    TakeTurn,
    UpdateBranch,
)
from bot.domain.pull_request_records import MergeIntent
from bot.policy.merge import LATER_SECONDS, MergeFacts, decide, explain, worth_a_look
from bot.policy.merge_facts import UPDATING
from bot.policy.merge_message import message
from tests.policy.merges import (
    BOB,
    LONG_AGO,
    NUMBER,
    OLD_HEAD,
    RED,
    RUN,
    RUNNING,
    facts,
    override,
    required,
    validated,
)
from tests.policy.places import HEAD, NOW, REPOSITORY

SQUASH, MERGE, REBASE = MergeMethod.SQUASH, MergeMethod.MERGE, MergeMethod.REBASE
TOUCHED = PullRequestTouched(REPOSITORY, NUMBER)
MOVED = LeaveEvent(MergeLineMoved(REPOSITORY, "main"))
JOIN = JoinMergeLine(REPOSITORY, NUMBER, NOW)
LEAVE = LeaveMergeLine(REPOSITORY, NUMBER)
UPDATE = UpdateBranch(REPOSITORY, NUMBER, HEAD)
LINE: dict[str, Any] = {"validation": {"require_up_to_date": True}}
STANDING: dict[str, Any] = {**LINE, "line": (NUMBER, 7), "record": {"queued_at": LONG_AGO}}
SECOND: dict[str, Any] = {**STANDING, "line": (7, NUMBER)}
TURN: dict[str, Any] = {
    **STANDING,
    "has_turn": True,
    "record": {"queued_at": LONG_AGO, "turn_since": NOW},
}
BEHIND: dict[str, Any] = {"is_behind": True}
INTENT = MergeIntent(HEAD, SQUASH, NOW)
SHOWN: tuple[Effect, ...] = (
    PublishCheck("v1"),
    LeaveEvent(StatusOutdated(REPOSITORY, NUMBER)),
)


def merge(**changes: Any) -> MergePullRequest:
    """The merge of a pull request as it is in the tables."""
    title, text = message(facts(), SQUASH)
    whole = MergePullRequest(REPOSITORY, NUMBER, HEAD, NOW, (SQUASH, MERGE, REBASE), title, text)
    return replace(whole, **changes)


def again(due: datetime, head: str = HEAD) -> LeaveEvent:
    """A look at a time, left once."""
    once = derived(REPOSITORY.id, NUMBER, "again", head, due.isoformat(timespec="seconds"))
    return LeaveEvent(TOUCHED, due, once)


UPDATED = (UPDATE, again(NOW + UPDATING + timedelta(seconds=LATER_SECONDS)))
IN_LINE = merge(up_to_date_with="main")


def known(found: MergeFacts, **changes: Any) -> MergeFacts:
    """The same, where the record has it already."""
    kept = replace(found.record, explanation=explain(found), looked_at=NOW, **changes)
    return replace(found, record=kept)


def done(**changes: Any) -> tuple[Effect, ...]:
    """What is done where the explanation is told already."""
    return decide(known(facts(**changes))).effects


# ── to be merged ─────────────────────────────────────────────────────────────────────────────


def test_all_holds() -> None:
    decision = decide(facts())
    assert decision.reason == "Nothing keeps it back."
    kept, *rest = decision.effects
    assert kept == KeepExplanation(REPOSITORY, NUMBER, "main", HEAD, True, explain(facts()))
    assert rest == [*SHOWN, merge(), LeaveEvent(TOUCHED)]


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        pytest.param({}, (merge(), LeaveEvent(TOUCHED)), id="all holds"),
        pytest.param(
            {"record": {"merge": INTENT}},
            (merge(), again(NOW + timedelta(seconds=10))),
            id="it was begun before: looked at after a moment, or nothing would end it",
        ),
        pytest.param(
            {"record": {"merge": replace(INTENT, head_sha=OLD_HEAD)}},
            (merge(), LeaveEvent(TOUCHED)),
            id="another head was begun with",
        ),
        pytest.param(
            {"validation": {"merge_method": "rebase"}},
            (
                merge(methods=(REBASE, SQUASH, MERGE), title="", message=""),
                LeaveEvent(TOUCHED),
            ),
            id="by rebase",
        ),
        pytest.param(
            {"rules": {"methods": (MERGE, REBASE), "linear": True}},
            (merge(methods=(REBASE,), title="", message=""), LeaveEvent(TOUCHED)),
            id="only by what is allowed",
        ),
        pytest.param(
            {"situation": {"queue_required": True}},
            (merge(title="", message="", by_queue=True, node_id="PR_20"), LeaveEvent(TOUCHED)),
            id="by GitHub's own queue",
        ),
        pytest.param(
            {"auto_merge": False, "record": {"merge_asked_by": BOB}},
            (merge(), LeaveEvent(TOUCHED)),
            id="because somebody asked",
        ),
        pytest.param({"auto_merge": False}, (), id="nobody asked"),
        pytest.param({"of_head": (RED,)}, (), id="red"),
        pytest.param({"of_head": (RUNNING,)}, (), id="running"),
        pytest.param({"of_head": (validated(OLD_HEAD),)}, (), id="another commit is green"),
        pytest.param({"features": {"merge": False}}, (), id="switched off"),
        pytest.param({"record": {"held_by": "bob"}}, (), id="held"),
        pytest.param({"situation": {"in_merge_queue": True}}, (), id="in GitHub's queue"),
        pytest.param({"rules": {"checks": (required("lint"),)}}, (), id="a check is missing"),
        pytest.param(
            {"of_head": (RED,), "record": {"overrides": (override("validation", OLD_HEAD),)}},
            (),
            id="red, and overridden for another commit",
        ),
        pytest.param(
            {
                "situation": {"mergeable": None},
            },
            (again(NOW + timedelta(seconds=10)),),
            id="GitHub is asked again",
        ),
        pytest.param(
            {"situation": {"mergeable": None}, "record": {"held_by": "bob"}},
            (),
            id="GitHub is not asked again while something else is missing",
        ),
        pytest.param(
            {"validation": {"merge_window": "Mon 09:00-10:00 UTC"}, "record": {"held_by": "bob"}},
            (again(NOW.replace(day=5, hour=9)),),
            id="once the window opens",
        ),
        pytest.param(
            {
                "validation": {"merge_window": "Mon 09:00-10:00 UTC"},
                "record": {"merge": replace(INTENT, refusal="no", refused_at=NOW)},
            },
            (again(NOW + timedelta(minutes=10)),),
            id="at the earliest of several times",
        ),
    ],
)
def test_what_is_done(changes: dict[str, Any], wanted: tuple[Effect, ...]) -> None:
    assert done(**changes) == wanted


def test_an_admins_word_for_this_commit_merges_what_is_red_and_does_not_claim_it_green() -> None:
    word = override("validation")
    (merged, _) = done(of_head=(RED,), record={"overrides": (word,)})
    assert isinstance(merged, MergePullRequest)
    assert "Validated-by" not in merged.message


def test_switched_off_stops_at_the_decision_and_says_so() -> None:
    wanted = "It would be merged; merging is switched off (`features.merge`)."
    assert decide(facts(features={"merge": False})).reason == wanted
    held = decide(facts(features={"merge": False}, record={"held_by": "bob"}))
    assert held.reason == "2 criteria keep it back: hold and merge_feature."


# ── what is told ─────────────────────────────────────────────────────────────────────────────


HELD: dict[str, Any] = {"record": {"held_by": "bob"}}


def test_nothing_new_is_nothing_to_tell() -> None:
    assert done(**HELD) == ()


def test_the_same_is_written_down_again_after_five_minutes_and_told_to_nobody() -> None:
    found = known(facts(**HELD))
    assert decide(replace(found, now=NOW + timedelta(minutes=5))).effects == ()
    later = replace(found, now=NOW + timedelta(minutes=5, seconds=1))
    (kept,) = decide(later).effects
    assert isinstance(kept, KeepExplanation)
    assert kept.explanation is not None
    assert kept.explanation.at == later.now


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"record": {"held_by": "carol"}}, id="another value"),
        pytest.param({"pull": {"base_branch": "next"}}, id="another base"),
        pytest.param({"pull": {"head_sha": OLD_HEAD}}, id="another head"),
        pytest.param({"pull": {"draft": True}}, id="another criterion"),
    ],
)
def test_what_is_new_is_told(changes: dict[str, Any]) -> None:
    before = known(facts(**HELD)).record
    now = facts(**{**HELD, **changes})
    kept = replace(now.record, explanation=before.explanation, looked_at=NOW)
    effects = decide(replace(now, record=kept)).effects
    assert isinstance(effects[0], KeepExplanation)
    assert effects[0].base_branch == now.pull.base_branch
    assert LeaveEvent(StatusOutdated(REPOSITORY, NUMBER)) in effects


def test_a_head_without_a_validation_has_no_check_to_bring_up_to_date() -> None:
    effects = decide(facts(of_head=())).effects
    assert [type(it) for it in effects] == [KeepExplanation, LeaveEvent]


# ── one after the other ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        pytest.param(LINE, (JOIN, MOVED), id="it joins the line"),
        pytest.param({**LINE, "situation": BEHIND}, (JOIN, MOVED), id="it joins, behind as it is"),
        pytest.param(
            {**LINE, "situation": {"is_behind": None}},
            (JOIN, MOVED, again(NOW + timedelta(seconds=10))), id="it joins, behind or not",
        ),
        pytest.param({**LINE, "of_head": (RUNNING,)}, (), id="what is not green does not join"),
        pytest.param({**LINE, **HELD}, (), id="what is held does not join"),
        pytest.param(
            {**LINE, "situation": BEHIND, "pull": {"head_repository_id": 8}}, (),
            id="what nobody may bring up to date does not join",
        ),
        pytest.param({**LINE, "features": {"merge": False}}, (), id="switched off: nobody joins"),
        pytest.param(
            {**LINE, "rules": {"merge_queue": True}},
            (merge(title="", message="", by_queue=True, node_id="PR_20"), LeaveEvent(TOUCHED)),
            id="GitHub's own queue needs no line",
        ),
        pytest.param(STANDING, (MOVED,), id="the first one is left to the line's handler"),
        pytest.param({**STANDING, "situation": BEHIND}, (MOVED,), id="so is a first one behind"),
        pytest.param(TURN, (IN_LINE, LeaveEvent(TOUCHED)), id="it has the turn"),
        pytest.param({**TURN, "situation": BEHIND}, UPDATED, id="it has the turn, and is behind"),
        pytest.param(
            {**TURN, "record": {"queued_at": LONG_AGO}},
            (TakeTurn(REPOSITORY, NUMBER, NOW), IN_LINE, LeaveEvent(TOUCHED)),
            id="it has the turn since now",
        ),
        pytest.param(
            {**TURN, "of_head": (RUNNING,), "record": {**TURN["record"], "turn_since": LONG_AGO}},
            (LEAVE, MOVED),
            id="it had its turn",
        ),
        pytest.param(
            {**TURN, "situation": BEHIND, "of_head": (RUNNING,)}, (),
            id="it has the turn, and its new head is being validated",
        ),
        pytest.param({**TURN, "of_head": (RUNNING,)}, (), id="who waits keeps the place"),
        pytest.param({**TURN, "of_head": (RED,)}, (LEAVE, MOVED), id="who is red leaves"),
        pytest.param(
            {**TURN, "situation": {"mergeable": False}}, (LEAVE, MOVED), id="a conflict leaves"
        ),
        pytest.param(
            {**TURN, "situation": BEHIND, "pull": {"head_repository_id": 8}}, (LEAVE, MOVED),
            id="who cannot be brought up to date leaves",
        ),
        pytest.param(SECOND, (), id="the second one waits"),
        pytest.param(
            {**SECOND, "has_turn": True, "record": TURN["record"]}, (),
            id="the second one never has the turn",
        ),
        pytest.param({**SECOND, "situation": BEHIND}, (), id="the second one is not updated yet"),
        pytest.param({**SECOND, "of_head": (RED,)}, (LEAVE, MOVED), id="the second one leaves"),
        pytest.param(
            {"record": {"queued_at": LONG_AGO}},
            (LEAVE, MOVED, merge(), LeaveEvent(TOUCHED)),
            id="there is no line any more",
        ),
    ],
)  # fmt: skip
def test_the_line(changes: dict[str, Any], wanted: tuple[Effect, ...]) -> None:
    assert done(**changes) == wanted


def test_another_base_is_another_line() -> None:
    left = (LEAVE, LeaveEvent(MergeLineMoved(REPOSITORY, "next")), JOIN, MOVED)
    retargeted = facts(**LINE, record={"queued_at": LONG_AGO, "base_branch": "next"})
    assert decide(retargeted).effects[-4:] == left


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        pytest.param({}, (JOIN, MOVED), id="only that is missing"),
        pytest.param({"of_head": (RED,)}, (), id="red as well"),
        pytest.param({"pull": {"head_repository_id": 8}}, (), id="a fork that lets nobody push"),
    ],
)
def test_a_rule_of_github_that_wants_it_up_to_date_makes_a_line_too(
    changes: dict[str, Any], wanted: tuple[Effect, ...]
) -> None:
    assert done(**changes, rules={"up_to_date": True}, situation=BEHIND) == wanted


# ── closed, merged ───────────────────────────────────────────────────────────────────────────


def test_a_closed_one_is_told_once() -> None:
    closed = facts(pull={"is_open": False})
    decision = decide(closed)
    assert decision.reason == "It was closed without a merge."
    kept, *rest = decision.effects
    assert isinstance(kept, KeepExplanation)
    assert not kept.is_open
    assert rest == list(SHOWN)
    assert decide(known(closed, is_open=False)).effects == ()


def test_a_closed_one_leaves_the_line() -> None:
    closed = facts(**{**STANDING, "pull": {"is_open": False}})
    assert decide(known(closed, is_open=False)).effects == (LEAVE, MOVED)


def test_one_that_was_opened_again_is_told() -> None:
    reopened = known(facts(**HELD), is_open=False)
    assert isinstance(decide(reopened).effects[0], KeepExplanation)


def merged(**changes: Any) -> MergeFacts:
    """One that GitHub says is merged, by us."""
    situation = {"merged": True, "merge_sha": "f" * 40, "merged_at": NOW, "linked_issues": (3, 4)}
    record = {"merge": INTENT, **changes.pop("record", {})}
    pull = {"is_open": False, **changes.pop("pull", {})}
    return facts(situation=situation, record=record, pull=pull, **changes)


NOTED = NoteMerged(REPOSITORY, NUMBER, "f" * 40, NOW)
GONE = DeleteBranch(REPOSITORY, NUMBER, "change")


def test_the_story_is_closed() -> None:
    found = merged()
    decision = decide(found)
    assert decision.reason == f"Merged as `{'f' * 12}`."
    assert decision.effects == (
        NOTED,
        KeepExplanation(REPOSITORY, NUMBER, "main", HEAD, False, explain(found)),
        PublishCheck("v1"),
        *(LeaveEvent(StatusOutdated(REPOSITORY, it)) for it in (20, 3, 4)),
        GONE,
    )
    assert explain(found).criteria == ()


def test_the_story_is_closed_once() -> None:
    told = known(merged(), merged_at=NOW, is_open=False)
    assert decide(told).effects == (GONE,), "what is left of it"
    gone = replace(told, record=replace(told.record, branch_deleted=True))
    assert decide(gone).effects == ()


def test_a_merge_that_was_noted_before_is_not_noted_again() -> None:
    effects = decide(merged(record={"merged_at": NOW})).effects
    assert NOTED not in effects
    assert GONE in effects


def test_a_merge_at_a_time_that_github_does_not_tell_has_one_all_the_same() -> None:
    found = merged()
    found = replace(found, situation=replace(found.situation, merged_at=None))
    assert decide(found).effects[0] == NOTED


def test_the_line_moves_on() -> None:
    effects = decide(merged(**LINE, line=(NUMBER,), record={"queued_at": LONG_AGO})).effects
    assert effects[1:3] == (LEAVE, MOVED)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"record": {"merge": None}}, id="somebody else merged it"),
        pytest.param({"record": {"merge": replace(INTENT, refusal="no")}}, id="we were refused to"),
        pytest.param(
            {"record": {"merge": replace(INTENT, head_sha=OLD_HEAD)}}, id="we had another head"
        ),
        pytest.param({"record": {"branch_deleted": True}}, id="it is gone"),
        pytest.param({"validation": {"delete_branch": False}}, id="it is to stay"),
        pytest.param({"pull": {"head_repository_id": 8}}, id="a fork's"),
        pytest.param({"pull": {"head_branch": "trunk"}}, id="the default branch"),
        pytest.param({"pull": {"head_branch": "main"}}, id="its own base"),
    ],
)
def test_a_branch_that_stays(changes: dict[str, Any]) -> None:
    assert not any(isinstance(it, DeleteBranch) for it in decide(merged(**changes)).effects)


def test_the_places_of_its_runs_are_told() -> None:
    other = replace(RUN, request=replace(RUN.request, number=9))
    told = decide(merged(runs=(other, RUN))).effects[-5:-1]
    assert told == tuple(LeaveEvent(StatusOutdated(REPOSITORY, it)) for it in (20, 9, 3, 4))


CONFLICTS: dict[str, Any] = {"mergeable": False}
APPROVED_FIRST: dict[str, Any] = {"required_approvals": 1}
KNOWN = {"explanation": explain(facts(validation=APPROVED_FIRST))}
KNOWN_TO_CONFLICT = {"explanation": explain(facts(situation=CONFLICTS, validation=APPROVED_FIRST))}


@pytest.mark.parametrize(
    ("found", "is_worth_it"),
    [
        pytest.param(facts(), True, id="nothing keeps it back"),
        pytest.param(facts(situation={"mergeable": None}), True, id="whether it conflicts"),
        pytest.param(facts(situation={"is_behind": None}, **LINE), True, id="whether it is behind"),
        pytest.param(facts(situation={"is_behind": True}, **SECOND), True, id="its turn"),
        pytest.param(facts(validation=APPROVED_FIRST), False, id="it waits for an approval"),
        pytest.param(facts(of_head=(RED,)), False, id="it is red"),
        pytest.param(
            facts(situation={"mergeable": None}, validation=APPROVED_FIRST),
            False,
            id="whether it conflicts does not matter yet",
        ),
        pytest.param(
            facts(situation=CONFLICTS, validation=APPROVED_FIRST, record=KNOWN),
            True,
            id="a new conflict is told",
        ),
        pytest.param(
            facts(situation=CONFLICTS, validation=APPROVED_FIRST, record=KNOWN_TO_CONFLICT),
            False,
            id="a known conflict is not",
        ),
        pytest.param(facts(situation={"merged": True}), True, id="it is merged"),
        pytest.param(facts(pull={"is_open": False}), True, id="it is closed"),
    ],
)
def test_which_are_worth_a_look_when_their_base_moves(found: MergeFacts, is_worth_it: bool) -> None:
    assert worth_a_look(found) is is_worth_it
