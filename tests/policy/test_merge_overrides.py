"""What an admin's word changes of a merge's criteria, and what nobody's word does."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.merging import MergeMethod, ReviewDecision
from bot.domain.pull_request_effects import MergePullRequest
from bot.domain.pull_request_records import MergeIntent, Stop, StopRule
from bot.policy.merge import decide
from bot.policy.merge_criteria import chosen, overridable, overridable_names
from tests.policy.merges import (
    OLD_HEAD,
    RED,
    RUNNING,
    check,
    facts,
    named,
    override,
    required,
    state_of,
)
from tests.policy.places import HEAD, NOW

REFUSED = MergeIntent(HEAD, MergeMethod.SQUASH, NOW, refusal="no", refused_at=NOW)
LINE: dict[str, Any] = {"validation": {"require_up_to_date": True}}
BEHIND: dict[str, Any] = {"rules": {"up_to_date": True}, "situation": {"is_behind": True}}


def test_an_override_counts_with_its_name_and_reason() -> None:
    word = override("validation", reason="the build is\nknown")
    found = named(facts(of_head=(RED,), record={"overrides": (word,)}), "validation")
    assert (found.state, found.holds) == ("overridden", True)
    assert found.value == (
        "overridden by `root`: the build is known (it stood so: Failed in build: npm run build)"
    )
    assert not found.mend


def test_of_two_words_the_later_one_counts() -> None:
    words = (override("hold"), override("hold", login="boss"))
    found = named(facts(record={"held_by": "bob", "overrides": words}), "hold")
    assert "`boss`" in found.value


def test_what_holds_is_not_overridden() -> None:
    assert state_of(facts(record={"overrides": (override("validation"),)}), "validation") == "met"


def test_what_waits_can_be_overridden_too() -> None:
    waits = facts(of_head=(RUNNING,), record={"overrides": (override("validation"),)})
    assert state_of(waits, "validation") == "overridden"


def test_a_word_for_another_commit_or_criterion_is_none() -> None:
    words = (override("validation", OLD_HEAD), override("hold"), override("Validation"))
    assert state_of(facts(of_head=(RED,), record={"overrides": words}), "validation") == "unmet"


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        pytest.param("open", {"pull": {"is_open": False}}, id="open"),
        pytest.param("mergeable", {"situation": {"mergeable": False}}, id="mergeable"),
        pytest.param("up_to_date", BEHIND, id="up to date"),
        pytest.param("github_rules", {"record": {"merge": REFUSED}}, id="GitHub's no"),
        pytest.param("merge_line", LINE, id="the line"),
        pytest.param("merge_queue", {"situation": {"in_merge_queue": True}}, id="GitHub's queue"),
        pytest.param(
            "code_review",
            {"situation": {"review_decision": ReviewDecision.REVIEW_REQUIRED}},
            id="GitHub's reviews",
        ),
        pytest.param(
            "conversations",
            {"rules": {"conversations": True}, "situation": {"unresolved_conversations": 1}},
            id="conversations",
        ),
        pytest.param("merge_method", {"situation": {"allowed_methods": ()}}, id="method"),
        pytest.param("draft", {"pull": {"draft": True}}, id="a draft"),
        pytest.param("merge_feature", {"features": {"merge": False}}, id="switched off"),
        pytest.param("lint", {"rules": {"checks": (required("lint"),)}}, id="a rule's check"),
        pytest.param(
            "lint",
            {"situation": {"checks": (check("lint", "failure", required=True),)}},
            id="a check that GitHub marks",
        ),
    ],
)
def test_what_nobody_overrides(name: str, changes: dict[str, Any]) -> None:
    kept = {**changes.get("record", {}), "overrides": (override(name),)}
    found = facts(**{**changes, "record": kept})
    assert not named(found, name).holds
    assert not overridable(name, found)
    assert "/codegen override" not in named(found, name).mend


def test_the_names_that_can_be_overridden() -> None:
    found = facts(
        validation={"required_checks": ["e2e (node 22)"]}, rules={"checks": (required("lint"),)}
    )
    assert overridable_names(found) == (
        "validation",
        "e2e (node 22)",
        "approvals",
        "changes_requested",
        "hold",
        "labels",
        "title",
        "merge_window",
        "auto_merge",
        "paused",
        "needs_human",
    )
    assert not overridable("nonsense", found)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        pytest.param("hold it is fine", ("hold", "it is fine"), id="a name and a reason"),
        pytest.param("`hold`  fine\nreally ", ("hold", "fine\nreally"), id="in backticks"),
        pytest.param("e2e on linux is down", ("e2e on linux", "is down"), id="with blanks"),
        pytest.param("e2e on fire", ("e2e", "on fire"), id="the shorter one"),
        pytest.param("hold", None, id="no reason"),
        pytest.param("`hold` ", None, id="no reason, in backticks"),
        pytest.param("holding is fine", None, id="another word"),
        pytest.param("draft now", None, id="one that nobody overrides"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_which_criterion_is_meant(said: str, wanted: tuple[str, str] | None) -> None:
    found = facts(validation={"required_checks": ["e2e", "e2e on linux"]})
    assert chosen(said, overridable_names(found)) == wanted


def test_the_merge_knows_which_criteria_an_admins_word_stands_for() -> None:
    stop = Stop(StopRule.ONLY_TESTS, "Only tests were changed.", HEAD, NOW)
    words = (override("hold"), override("needs_human"))
    found = facts(record={"held_by": "bob", "stop": stop, "overrides": words})
    (merge,) = [it for it in decide(found).effects if isinstance(it, MergePullRequest)]
    assert merge.overridden == ("hold", "needs_human")
