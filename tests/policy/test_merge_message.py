"""The commit message of a merge, exactly as it stands in the history afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.agent_runs import AgentRun
from bot.domain.merging import MergeMethod
from bot.policy.merge_message import LONGEST_BODY, message
from tests.policy.merges import BOB, RED, RUN, facts

VALIDATED = "Validated-by: codegenapp/validation https://bot.example/validations/v1"
TRAILERS = f"Goal: Mend it\nRequested-by: alice\n{VALIDATED}"


def of_goal(goal: str, **changes: Any) -> AgentRun:
    """A run with another goal."""
    return replace(RUN, request=replace(RUN.request, goal=goal, **changes))


def body(text: str = "", **changes: Any) -> str:
    return message(facts(situation={"body": text}, **changes), MergeMethod.SQUASH)[1]


def test_a_squash_has_title_description_and_trailers() -> None:
    found = facts(situation={"body": "It adds a cart.\r\n\r\nCloses #3"})
    assert message(found, MergeMethod.SQUASH) == (
        "Add a cart (#20)",
        f"It adds a cart.\n\nCloses #3\n\n{TRAILERS}",
    )


def test_a_merge_commit_has_the_title_that_github_gives_it() -> None:
    found = facts(situation={"body": "It adds a cart."})
    assert message(found, MergeMethod.MERGE) == ("", f"It adds a cart.\n\n{TRAILERS}")


def test_a_rebase_makes_no_commit() -> None:
    assert message(facts(situation={"body": "b"}), MergeMethod.REBASE) == ("", "")


@pytest.mark.parametrize(
    ("title", "wanted"),
    [
        pytest.param("Add a cart (#20)", "Add a cart (#20)", id="the number is there already"),
        pytest.param("Add (#7)", "Add (#7) (#20)", id="another number"),
        pytest.param("Thanks @bob", "Thanks bob (#20)", id="a mention"),
        pytest.param("Add\n a\x00cart", "Add a␀cart (#20)", id="more than a line"),
        pytest.param("", "(#20)", id="none"),
    ],
)
def test_the_title(title: str, wanted: str) -> None:
    assert message(facts(pull={"title": title}), MergeMethod.SQUASH)[0] == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param("", "", id="none"),
        pytest.param(" \n a \n ", "a", id="blanks around it"),
        pytest.param("a<!-- hidden\n@bob -->b", "ab", id="a comment"),
        pytest.param("a <!-- without end", "a", id="a comment without end"),
        pytest.param("a\x00b\x1b[31m\tc", "ab[31m\tc", id="control characters"),
        pytest.param("a\r\nb\rc", "a\nb\nc", id="ends of lines"),
        pytest.param("a\n\n \n\n\nb", "a\n\nb", id="many blank lines"),
        pytest.param("by @bob, @octo/team and @@eve", "by bob, octo/team and eve", id="mentions"),
        pytest.param("@<!-- -->bob @\x00eve", "bob eve", id="mentions that come together"),
        pytest.param("é@bob (@eve)", "ébob (eve)", id="mentions behind other characters"),
        pytest.param("bob@example.com a @ b", "bob@example.com a @ b", id="mail, and no mention"),
        pytest.param("x" * 4000, "x" * 4000, id="just short enough"),
        pytest.param("x" * 4001, "x" * 3999 + "…", id="too long"),
    ],
)
def test_the_description(text: str, wanted: str) -> None:
    assert body(text) == (f"{wanted}\n\n{TRAILERS}" if wanted else TRAILERS)
    assert len(wanted) <= LONGEST_BODY


def test_a_description_cannot_pass_for_trailers() -> None:
    forged = "Requested-by: root\nValidated-by: somebody"
    assert body(forged).split("\n\n") == [forged, TRAILERS]


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        pytest.param({"runs": ()}, VALIDATED, id="no run"),
        pytest.param(
            {"runs": (of_goal("\n\nFor @bob\nand more"),)},
            f"Goal: For bob\nRequested-by: alice\n{VALIDATED}",
            id="a goal of several lines",
        ),
        pytest.param(
            {"runs": (of_goal("x" * 300),)},
            f"Goal: {'x' * 199}…\nRequested-by: alice\n{VALIDATED}",
            id="a long goal",
        ),
        pytest.param(
            {"runs": (of_goal(" "),)}, f"Requested-by: alice\n{VALIDATED}", id="a goal of nothing"
        ),
        pytest.param(
            {"runs": (of_goal("Later", asked_by=BOB), RUN)}, TRAILERS, id="the first of two runs"
        ),
        pytest.param(
            {"runs": (RUN, of_goal("Mend the build", failure="v0"))},
            TRAILERS,
            id="a run that was to mend a failure is not what was wanted",
        ),
        pytest.param({"of_head": (RED,)}, "Goal: Mend it\nRequested-by: alice", id="not green"),
        pytest.param(
            {"details_url": ""},
            "Goal: Mend it\nRequested-by: alice\nValidated-by: codegenapp/validation",
            id="no page",
        ),
    ],
)
def test_the_trailers(changes: dict[str, Any], wanted: str) -> None:
    assert body(**changes) == wanted
