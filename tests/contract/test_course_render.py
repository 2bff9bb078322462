"""What people read of a pull request's course: tries, stops, criteria, the merge."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest
from syrupy.assertion import SnapshotAssertion

from bot.domain.check_runs import MAXIMUM_TEXT_BYTES
from bot.domain.comments import Explained
from bot.domain.effects import Reply
from bot.domain.merging import Criterion, CriterionState, Explanation, MergeMethod
from bot.domain.pull_request_records import (
    FixAttempt,
    FixOutcome,
    MergeIntent,
    PullRequestRecord,
    Stop,
    StopRule,
)
from bot.ports.renderer import StatusView
from tests.contract.shown_runs import COMMENT, HEAD, NOW, OPENED, PASSED, RENDERER, SHOP
from tests.contract.test_run_render import MarkdownFile
from tests.policy.test_requests import DONE, ORDER

OLD = "c0ffee" + "0" * 34
MET, UNMET = CriterionState.MET, CriterionState.UNMET
CRITERIA = (
    Criterion("validation", MET, "passed on `aaaaaaaaaaaa`", "CodegenApp"),
    Criterion(
        "ci",
        CriterionState.WAITING,
        "it is under way",
        "branch protection",
        "It ends by itself.",
    ),
    Criterion(
        "approvals",
        UNMET,
        "0 of 1; the approval of `bob` was for an older commit",
        "`validation.required_approvals`",
        "Somebody who may write approves `aaaaaaaaaaaa`.",
    ),
    Criterion("hold", CriterionState.NOT_APPLICABLE, "nobody holds it", "`/codegen hold`"),
    Criterion(
        "conversations",
        CriterionState.OVERRIDDEN,
        "2 are open; `carol` lets it count: they are about | style",
        "a ruleset",
    ),
)
BACK = Explanation(HEAD, NOW, "2 criteria keep it back: ci and approvals.", CRITERIA)
FREE = replace(BACK, sentence="Nothing keeps it back.", criteria=(CRITERIA[0], CRITERIA[3]))
ATTEMPT = FixAttempt(
    "one",
    1,
    OLD,
    "v1",
    "sig",
    "build: src/list.ts:35 Property 'totl' does not exist | TS2551",
    "run",
    NOW,
    outcome=FixOutcome.PUSHED,
    pushed_sha="b" * 40,
    changed=("src/list.ts", "src/list.test.ts", "a|b.ts", "d.ts", "e.ts", "f.ts", "g.ts"),
)
SECOND = replace(ATTEMPT, id="two", ordinal=2, outcome=None, pushed_sha="", changed=(),
                 asked_by="alice")  # fmt: skip
RECORD = PullRequestRecord(SHOP, 12, base_branch="main", head_sha=HEAD, explanation=BACK)
STOPPED = replace(
    RECORD,
    attempts=(ATTEMPT, replace(SECOND, outcome=FixOutcome.NO_PUSH)),
    stop=Stop(
        StopRule.NO_PUSH,
        "The agent ended without pushing anything. It says what it found in its answer.",
        HEAD,
        NOW,
        "alice",
    ),
)
BUDGET = replace(
    STOPPED,
    stop=Stop(
        StopRule.BUDGET_OF_DAY,
        "This repository has had its 50 agent runs of a day (`budgets.agent_runs_per_day`).",
        HEAD,
        NOW,
        "alice",
        NOW + timedelta(hours=3),
    ),
)
MERGED = replace(
    RECORD,
    attempts=(ATTEMPT,),
    is_open=False,
    merge=MergeIntent(HEAD, MergeMethod.SQUASH, NOW),
    merged_sha="d" * 40,
    merged_at=NOW,
    explanation=FREE,
)
COURSES: Final[dict[str, PullRequestRecord]] = {
    "a fix under way": replace(RECORD, attempts=(ATTEMPT, SECOND)),
    "stopped": STOPPED,
    "a budget is spent": BUDGET,
    "held": replace(RECORD, held_by="bob"),
    "in line": replace(RECORD, queued_at=NOW),
    "merged": MERGED,
    "closed": replace(RECORD, is_open=False, attempts=(ATTEMPT,)),
}


@pytest.mark.parametrize("name", COURSES)
def test_the_status_in_the_pull_request(name: str, snapshot: SnapshotAssertion) -> None:
    view = StatusView(12, [OPENED], {12: PASSED}, NOW, {12: COURSES[name]})
    assert RENDERER.status(view) == snapshot(extension_class=MarkdownFile)


def test_a_pull_request_without_runs_has_a_story_too() -> None:
    text = RENDERER.status(StatusView(12, [], {}, NOW, {12: MERGED}))
    assert "### 🎉 Merged into main as dddddddddddd" in text
    assert "Agent run" not in text


def test_the_issue_is_told_what_became_of_it(snapshot: SnapshotAssertion) -> None:
    text = RENDERER.status(StatusView(3, [OPENED], {12: PASSED}, NOW, {12: MERGED}))
    assert "- 🎉 Merged into main as dddddddddddd" in text
    assert "Tries to mend it" not in text


@pytest.mark.parametrize("record", [STOPPED, BUDGET], ids=["stopped", "budget"])
def test_a_person_is_asked_once(record: PullRequestRecord, snapshot: SnapshotAssertion) -> None:
    marker, text = RENDERER.stop(record)
    assert text == snapshot(extension_class=MarkdownFile)
    assert text.startswith(f"{marker}\n\n@alice, ")
    assert text.count("@") == 1


@pytest.mark.parametrize("person", ["", "not a login", "x/team", "a" * 60])
def test_only_a_person_is_mentioned(person: str) -> None:
    assert STOPPED.stop is not None
    _, text = RENDERER.stop(replace(STOPPED, stop=replace(STOPPED.stop, person=person)))
    assert "@" not in text


def test_explained(snapshot: SnapshotAssertion) -> None:
    reply = Reply(SHOP, COMMENT, "alice", (Explained(BACK),))
    text = RENDERER.reply(reply, {}, {}, {})
    assert text == snapshot(extension_class=MarkdownFile)


def test_explained_in_a_terminal(snapshot: SnapshotAssertion) -> None:
    assert RENDERER.explanation_text("octo/shop#12", BACK) == snapshot


def test_the_check_shows_the_same() -> None:
    record = replace(DONE, order=replace(ORDER, head_sha=HEAD), detail="### Findings\n")
    text = RENDERER.check_text(record, RECORD, "https://bot/v/1")
    said = RENDERER.reply(Reply(SHOP, COMMENT, "alice", (Explained(BACK),)), {}, {}, {})
    table = re.search(r"### Merge.*For `a+`\.", said, re.DOTALL)
    assert table is not None
    assert text.startswith(table[0])
    assert text.endswith("### Findings\n")


def test_the_check_of_another_commit_says_nothing_of_the_merge() -> None:
    record = replace(DONE, order=replace(ORDER, head_sha=OLD), detail="### Findings\n")
    assert RENDERER.check_text(record, RECORD, "https://bot/v/1") == "### Findings\n"
    assert RENDERER.check_text(record, None, "https://bot/v/1") == "### Findings\n"


def test_the_check_keeps_to_githubs_bytes() -> None:
    record = replace(DONE, order=replace(ORDER, head_sha=HEAD), detail="é" * 32_767)
    text = RENDERER.check_text(record, RECORD, "https://bot/v/1")
    assert len(text.encode()) <= MAXIMUM_TEXT_BYTES
    assert "[the page of this validation](https://bot/v/1)" in text


def test_words_of_others_act_nowhere() -> None:
    hostile = "@team closes #1 | <img src=x> [x](https://evil.example)"
    attempt = replace(ATTEMPT, failure=hostile, changed=(hostile,))
    assert STOPPED.stop is not None
    stop = replace(STOPPED.stop, reason=hostile, person="")
    criterion = Criterion("x | @team", UNMET, hostile, hostile, hostile)
    explanation = replace(BACK, criteria=(criterion,))
    record = replace(RECORD, attempts=(attempt,), stop=stop, explanation=explanation)
    texts = [
        RENDERER.stop(record)[1],
        RENDERER.status(StatusView(12, [OPENED], {}, NOW, {12: record})),
        RENDERER.reply(Reply(SHOP, COMMENT, "alice", (Explained(explanation),)), {}, {}, {}),
    ]
    for text in texts:
        assert "<img" not in text
        assert "](https://evil" not in text
        outside_code = re.sub(r"`[^`\n]*`", "", text)
        assert "@team" not in outside_code
        assert "closes #1" not in outside_code
