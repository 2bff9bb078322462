"""Whose approval counts for a merge, and who stands in its way: tables of reviews."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.merging import Review
from bot.domain.repositories import Account
from bot.policy.merge_facts import UPDATING
from tests.policy.merges import BOB, CAROL, OLD_HEAD, facts, named, review
from tests.policy.places import ALICE, HEAD, NOW

TWO = {"required_approvals": 2}
ONE = {"required_approvals": 1}
ELDER = "e" * 40


@pytest.mark.parametrize(
    ("validation", "changes", "reviews", "state", "value"),
    [
        pytest.param({}, {}, [], "not_applicable", "none is required", id="none needed"),
        pytest.param(ONE, {}, [], "unmet", "0 of 1 approval", id="none given"),
        pytest.param(ONE, {}, [review(BOB)], "met", "1 of 1 approval by `bob`", id="given"),
        pytest.param(
            TWO, {}, [review(BOB), review(CAROL)], "met", "2 of 2 approvals by `bob` and `carol`",
            id="two people",
        ),
        pytest.param(
            TWO, {}, [review(BOB), review(BOB)], "unmet", "1 of 2 approvals by `bob`",
            id="one person twice",
        ),
        pytest.param(
            TWO, {}, [review(BOB), review(Account(2, "robert"))], "unmet",
            "1 of 2 approvals by `robert`", id="one person under two names",
        ),
        pytest.param(
            ONE, {"rules": {"approvals": 2}}, [review(BOB)], "unmet", "1 of 2 approvals by `bob`",
            id="the rules want more",
        ),
        pytest.param(
            TWO, {"rules": {"approvals": 1}}, [review(BOB)], "unmet", "1 of 2 approvals by `bob`",
            id="the rules want fewer",
        ),
        pytest.param(
            ONE, {"pull": {"author": BOB}}, [review(BOB)], "unmet",
            "that of `bob` does not count: it is their own pull request", id="the author's",
        ),
        pytest.param(
            ONE, {}, [review(Account(5, "linter", is_bot=True))], "unmet", "it is a bot's",
            id="a bot's",
        ),
        pytest.param(
            ONE, {}, [review(ALICE)], "unmet",
            "0 of 1 approval; that of `alice` does not count: they started the agent run "
            "(`validation.count_starter_approval`)",
            id="of who started the run",
        ),
        pytest.param(
            {**ONE, "count_starter_approval": True}, {}, [review(ALICE)], "met",
            "1 of 1 approval by `alice`", id="of who started the run, where that counts",
        ),
        pytest.param(
            ONE, {"runs": ()}, [review(ALICE)], "met", "1 of 1 approval by `alice`",
            id="nobody started a run",
        ),
        pytest.param(
            ONE, {}, [review(BOB, commit_sha=OLD_HEAD)], "unmet",
            f"that of `bob` does not count: it is stale, being of `{OLD_HEAD[:12]}`",
            id="of an earlier commit",
        ),
        pytest.param(
            ONE, {}, [review(BOB, commit_sha="")], "unmet", "stale", id="of a commit nobody knows"
        ),
        pytest.param(
            ONE, {"record": {"updates": ((HEAD, OLD_HEAD),)}}, [review(BOB, commit_sha=OLD_HEAD)],
            "met", "`bob`", id="of the head before the base was merged into it for us",
        ),
        pytest.param(
            ONE,
            {"record": {"updates": ((OLD_HEAD, ELDER), (HEAD, OLD_HEAD))}},
            [review(BOB, commit_sha=ELDER)], "met", "`bob`", id="two such heads before",
        ),
        pytest.param(
            ONE, {"record": {"updates": ((OLD_HEAD, ELDER),)}}, [review(BOB, commit_sha="")],
            "unmet", "stale", id="of no commit, whatever else was updated",
        ),
        pytest.param(
            ONE,
            {"own_update": (HEAD, OLD_HEAD)},
            [review(BOB, commit_sha=OLD_HEAD)], "met", "`bob`",
            id="GitHub just told of the update, and it is not in the record yet",
        ),
        pytest.param(
            ONE,
            {"record": {"updating_from": OLD_HEAD, "updating_since": NOW}},
            [review(BOB, commit_sha=OLD_HEAD)], "waiting", "stale",
            id="the update may have come: GitHub will tell whose it is",
        ),
        pytest.param(
            ONE,
            {"record": {"updating_from": OLD_HEAD, "updating_since": NOW - UPDATING}},
            [review(BOB, commit_sha=OLD_HEAD)], "unmet", "stale",
            id="somebody pushed on top while it was being updated: no event is ours",
        ),
        pytest.param(
            ONE, {"record": {"head_sha": OLD_HEAD}}, [review(BOB, commit_sha=OLD_HEAD)],
            "unmet", "stale", id="the record still has the head before",
        ),
        pytest.param(
            ONE, {}, [review(BOB, "dismissed")], "unmet", "0 of 1 approval", id="dismissed"
        ),
        pytest.param(
            ONE, {}, [review(BOB, "changes_requested")], "unmet", "0 of 1", id="wants changes"
        ),
    ],
)  # fmt: skip
def test_approvals(
    validation: dict[str, Any],
    changes: dict[str, Any],
    reviews: list[Review],
    state: str,
    value: str,
) -> None:
    there = {**changes.get("situation", {}), "reviews": tuple(reviews)}
    found = named(facts(**{**changes, "validation": validation, "situation": there}), "approvals")
    assert found.state == state
    assert value in found.value
    assert found.holds or found.mend


@pytest.mark.parametrize(
    ("ours", "theirs", "source"),
    [
        pytest.param(2, 0, "`validation.required_approvals`", id="ours"),
        pytest.param(0, 2, "branch protection", id="GitHub's"),
        pytest.param(2, 2, "`validation.required_approvals` and branch protection", id="both"),
        pytest.param(0, 0, "`validation.required_approvals`", id="nobody's"),
    ],
)
def test_who_asks_for_approvals(ours: int, theirs: int, source: str) -> None:
    asked = facts(validation={"required_approvals": ours}, rules={"approvals": theirs})
    assert named(asked, "approvals").source == source


def test_changes_that_were_asked_for_stand_until_the_same_person_approves() -> None:
    def found(*reviews: Review) -> tuple[str, str]:
        criterion = named(facts(situation={"reviews": reviews}), "changes_requested")
        return criterion.state.value, criterion.value

    wanted = review(BOB, "changes_requested", OLD_HEAD)
    assert found(wanted) == ("unmet", "changes are requested by `bob`")
    assert found(wanted, review(CAROL)) == ("unmet", "changes are requested by `bob`")
    assert found(wanted, review(CAROL, "changes_requested"))[1].endswith("`bob` and `carol`")
    assert found(review(ALICE, "changes_requested"))[0] == "unmet", "who started the run, too"
    assert found(wanted, review(BOB))[0] == "met"
    assert found(wanted, review(BOB, "dismissed"))[0] == "met"
