"""What the demo reads in comments and check runs is what they say: its facts can fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bot.cli.demo_news import criteria, held, in_a_line, judged, of_course, of_run, tries
from bot.domain.conversations import STATUS_MARKER
from bot.domain.merging import CriterionState
from bot.domain.pull_request_records import FixAttempt, PullRequestRecord
from bot.ports.renderer import StatusView
from demo.github.state import CheckRunState
from tests.contract.shown_runs import HEAD, NOW, OPENED, PASSED, RENDERER
from tests.contract.test_course_render import ATTEMPT, BACK, CRITERIA, MERGED, RECORD, SECOND
from tests.policy.test_requests import DONE, ORDER

TOUCHED = "### Notes\n\n| <code>add</code> | <code>src/list.ts</code> | 3 | 2 files |\n"
PATHS = "src/list.ts, src/list.test.ts, a|b.ts, d.ts, e.ts and 2 more"


def comment(record: PullRequestRecord, number: int = 12) -> str:
    """The status comment of the pull request, or of the issue."""
    run = replace(OPENED, pull_request=12)
    return RENDERER.status(StatusView(number, [run], {12: PASSED}, NOW, {12: record}))


def details(record: PullRequestRecord) -> str:
    """The details of the head's check."""
    validated = replace(DONE, order=replace(ORDER, head_sha=HEAD), detail=TOUCHED)
    return RENDERER.check_text(validated, record, "https://bot/v/1")


@pytest.mark.parametrize(
    ("attempts", "told"),
    [
        pytest.param((), [], id="none"),
        pytest.param((ATTEMPT,), [(PATHS, "pushed bbbbbbbbbbbb")], id="one"),
        pytest.param(
            (ATTEMPT, SECOND),
            [(PATHS, "pushed bbbbbbbbbbbb"), ("", "🔄 under way (asked by alice)")],
            id="two",
        ),
    ],
)
def test_the_tries_are_those_of_the_table(
    attempts: tuple[FixAttempt, ...], told: Sequence[tuple[str, str]]
) -> None:
    assert tries(comment(replace(RECORD, attempts=attempts))) == told


def test_a_course_is_told_a_line_each() -> None:
    assert of_course(comment(replace(RECORD, attempts=(ATTEMPT,)))) == [
        f"try 1 to mend it: pushed bbbbbbbbbbbb, {PATHS}",
        "Merge: 2 criteria keep it back: ci and approvals.",
    ]
    assert of_course(comment(MERGED))[0] == "🎉 Merged into main as dddddddddddd"


def test_the_issue_tells_of_the_merge_in_its_line() -> None:
    assert comment(RECORD, 3).startswith(STATUS_MARKER)
    assert "🎉" not in of_run(comment(RECORD, 3))
    assert of_run(comment(MERGED, 3)).endswith(" · 🎉 Merged into main as dddddddddddd")


def test_criteria_are_those_of_the_table() -> None:
    found = criteria(details(RECORD))
    assert found == {
        "ci": "⏳",
        "approvals": "❌",
        "validation": "✅",
        "hold": "➖",
        "conversations": "⚠️",
    }
    assert in_a_line(found) == (
        "❌ approvals · ⏳ ci · ✅ validation · ⚠️ conversations · 1 does not apply"
    )
    assert criteria(TOUCHED) == {}


def test_the_first_criteria_that_count_are_those_of_the_judged_commit() -> None:
    check = CheckRunState(1, 2, "n", HEAD, "v", "completed", "")
    waiting = replace(CRITERIA[0], state=CriterionState.WAITING)
    before = replace(RECORD, explanation=replace(BACK, criteria=(waiting,)))
    check.texts += [details(before)]
    assert judged(check) == {}
    check.texts += [details(RECORD), details(MERGED)]
    assert judged(check) == criteria(details(RECORD))
    assert not held(check), "something keeps it back in each"
    free = replace(BACK, criteria=(CRITERIA[0], CRITERIA[3]))
    check.texts += [details(replace(RECORD, explanation=free))]
    assert held(check)
