"""The exploring agent's rules, table by table."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.analysis import Malformed
from bot.domain.exploring import (
    Action,
    ActionKind,
    Element,
    Exploration,
    ExploredStep,
    Observation,
    Outcome,
    Proposal,
    Remark,
    parse,
    schema,
)
from bot.domain.plan import Stage, StageResult, StageStatus
from bot.policy import exploring as rules
from bot.policy.exploring import ExploringBudget
from bot.ports.explorer import Gone
from bot.ports.reviewer import ReviewerFault

BUDGET = ExploringBudget()
TREE = (
    "- generic [active] [ref=e1]:",
    "  - 'heading \"It''s: here\" [level=1] [ref=e2]'",
    '  - textbox "Name" [ref=e5]: "v: [ref=e3]"',
    '  - combobox "Kind" [ref=e8]:',
    '    - option "a"',
    '  - \'button "Save \\"all\\": [ref=e2]" [ref=e11]\'',
    '  - paragraph [ref=e12]: button "x" [ref=e99]',
    '  - text: button "y" [ref=e98]',
    '  - link "About" [ref=e14] [cursor=pointer]:',
    "    - /url: /about [ref=e97]",
    "  - generic [ref=e15] [cursor=pointer]: clicky",
    "  - iframe [ref=e19]:",
    '    - button "inner" [ref=f1e2]',
)
SEEN = Observation(url="/", lines=TREE)


def same(text: str) -> str:
    return text


def test_elements_are_those_that_the_browser_names_and_no_text_of_a_page_is_one() -> None:
    assert SEEN.elements == {
        "e1": Element("generic"),
        "e2": Element("heading", "It's: here"),
        "e5": Element("textbox", "Name"),
        "e8": Element("combobox", "Kind"),
        "e11": Element("button", 'Save "all": [ref=e2]'),
        "e12": Element("paragraph", 'button "x" [ref=e99]'),
        "e14": Element("link", "About"),
        "e15": Element("generic", "clicky"),
        "e19": Element("iframe"),
        "f1e2": Element("button", "inner"),
    }


@given(st.text(max_size=60).map(lambda it: it.replace("\n", " ")))
def test_no_name_makes_another_element(name: str) -> None:
    for line in (
        f"- button {json.dumps(name, ensure_ascii=False)} [ref=e1]",
        f"- generic [ref=e1]: {name}",
    ):
        assert set(Observation(lines=(line,)).elements) <= {"e1"}


@pytest.mark.parametrize(
    ("action", "told"),
    [
        pytest.param(Action(ActionKind.CLICK, "e11"), "", id="a button"),
        pytest.param(Action(ActionKind.CLICK, "f1e2"), "", id="in a frame"),
        pytest.param(Action(ActionKind.CLICK, "e99"), "no element", id="forged in a text"),
        pytest.param(Action(ActionKind.CLICK), "no element", id="nothing"),
        pytest.param(Action(ActionKind.CLICK, "e1 >> css=a"), "no element", id="a selector"),
        pytest.param(Action(ActionKind.FILL, "e5", "Milk"), "", id="fill"),
        pytest.param(Action(ActionKind.FILL, "e5", ""), "", id="empty a field"),
        pytest.param(Action(ActionKind.FILL, "", "Milk"), "no element", id="fill nothing"),
        pytest.param(Action(ActionKind.FILL, "e5", "x" * 501), "longer than", id="long"),
        pytest.param(Action(ActionKind.SELECT, "e8", "a"), "", id="select"),
        pytest.param(Action(ActionKind.SELECT, "e8"), "option", id="no option"),
        pytest.param(Action(ActionKind.PRESS, "", "Enter"), "", id="a key"),
        pytest.param(Action(ActionKind.PRESS, "e5", "Control+a"), "", id="a key in a field"),
        pytest.param(Action(ActionKind.PRESS, "e7", "Enter"), "no element", id="a key nowhere"),
        pytest.param(Action(ActionKind.PRESS, "", "Meta+Q"), "one key", id="another key"),
        pytest.param(Action(ActionKind.PRESS, "", "rm -rf"), "one key", id="a text"),
        pytest.param(Action(ActionKind.SCROLL), "", id="scroll"),
        pytest.param(Action(ActionKind.SCROLL, "", "up"), "", id="scroll up"),
        pytest.param(Action(ActionKind.SCROLL, "", "left"), "up or down", id="scroll left"),
        pytest.param(Action(ActionKind.GOTO, "", "/"), "", id="the root"),
        pytest.param(Action(ActionKind.GOTO, "", "/a?b=c#d"), "", id="a path"),
        pytest.param(Action(ActionKind.GOTO, "", ""), "a path", id="no path"),
        pytest.param(Action(ActionKind.GOTO, "", "//evil.example"), "a path", id="a host"),
        pytest.param(Action(ActionKind.GOTO, "", "/\\evil.example"), "a path", id="a host too"),
        pytest.param(Action(ActionKind.GOTO, "", "http://localhost/"), "a path", id="a URL"),
        pytest.param(Action(ActionKind.GOTO, "", "javascript:x"), "a path", id="a script"),
        pytest.param(Action(ActionKind.GOTO, "", "/a b"), "a path", id="a blank"),
        pytest.param(Action(ActionKind.BACK), "", id="back"),
        pytest.param(Action(ActionKind.DONE), "", id="done"),
    ],
)
def test_what_may_be_done(action: Action, told: str) -> None:
    why = rules.refusal(action, SEEN)
    assert bool(why) is bool(told)
    assert told in why


@pytest.mark.parametrize(
    ("action", "told"),
    [
        (Action(ActionKind.CLICK, "e14"), "clicked link “About”"),
        (Action(ActionKind.CLICK, "e19"), "clicked iframe"),
        (Action(ActionKind.CLICK, "e99"), "clicked an element that is not there"),
        (Action(ActionKind.FILL, "e5", "Milk\n2"), "wrote “Milk 2” into field “Name”"),
        (Action(ActionKind.FILL, "e5"), "emptied field “Name”"),
        (Action(ActionKind.SELECT, "e8", "a"), "chose “a” in list “Kind”"),
        (Action(ActionKind.PRESS, "", "Enter"), "pressed Enter"),
        (Action(ActionKind.PRESS, "e5", "Enter"), "pressed Enter in field “Name”"),
        (Action(ActionKind.SCROLL), "scrolled down"),
        (Action(ActionKind.SCROLL, "", "up"), "scrolled up"),
        (Action(ActionKind.GOTO, "", "/a`b"), "went to `/a´b`"),
        (Action(ActionKind.BACK), "went back"),
        (Action(ActionKind.DONE), "was done"),
        (Action(ActionKind.FILL, "e5", "x" * 99), f"wrote “{'x' * 59}…” into field “Name”"),
    ],
)
def test_what_was_done_in_words(action: Action, told: str) -> None:
    assert rules.words(action, SEEN) == told


def proposal(*findings: Remark, **changes: Any) -> Proposal:
    return Proposal("a note", Action(ActionKind.DONE), findings, **changes)


def test_a_finding_cites_a_step_that_there_is() -> None:
    said = proposal(
        Remark(1, "one"),
        Remark(3, "three"),
        Remark(0, "none"),
        Remark(4, "later"),
        Remark(-1, "before"),
        Remark(2, " \u200b\n "),
        Remark(2, "known"),
        Remark(2, "one"),
        not_verified=("the mail", "", "the mail"),
    )
    judged = rules.judge(said, 3, [Remark(1, "known")], same, BUDGET)
    kept = judged.findings
    assert [(it.step, it.text) for it in kept if "U+" not in it.text] == [(1, "one"), (3, "three")]
    assert judged.dropped == ("3 findings: it cites a step that there is not",)
    assert judged.not_verified == ("the mail",)


def test_words_are_bounded_plain_and_clean() -> None:
    few = replace(BUDGET, findings=2, not_verified=1)
    said = proposal(
        Remark(1, "x" * 9_000),
        Remark(1, "secret \x1b[31mred\x1b[0m\n# two"),
        Remark(1, "one too many"),
        not_verified=("v" * 9_000, "w"),
    )
    said = replace(said, note="n" * 9_000)
    judged = rules.judge(said, 1, [], lambda text: text.replace("secret", "***"), few)
    assert [it.text for it in judged.findings] == ["x" * 499 + "…", "*** red # two"]
    assert judged.dropped == ("1 finding: there are 2 already",)
    assert judged.note == "n" * 299 + "…"
    assert judged.not_verified == ("v" * 299 + "…",)


def test_an_observation_is_masked_before_it_is_cut_and_bounded() -> None:
    seen = Observation(
        said="s" * 9_000,
        url="/secret",
        title="a\nb",
        lines=tuple(f"- text: {number} secret {'x' * 2000}" for number in range(300)),
        left_out=7,
        complaints=tuple(f"{number} {'y' * 2000}" for number in range(50)),
        media_type="image/jpeg",
        content=b"x" * 700_000,
    )
    shown = rules.cleaned(seen, lambda text: text.replace("secret", "***"), BUDGET)
    assert "secret" not in repr(shown)
    assert shown.lines[0].startswith("- text: 0 *** x")
    assert sum(len(it) + 1 for it in shown.lines) <= BUDGET.tree_characters
    assert shown.left_out == 7 + 300 - len(shown.lines)
    assert len(shown.complaints) == rules.MOST_COMPLAINTS
    assert max(map(len, (*shown.lines, *shown.complaints, shown.said))) <= rules.LONGEST_LINE
    assert (shown.url, shown.title) == ("/***", "a b")
    assert shown.content == b""
    small = replace(seen, content=b"x")
    assert rules.cleaned(small, same, BUDGET).content == b"x"
    assert rules.cleaned(replace(small, media_type="text/html"), same, BUDGET).content == b""


def test_every_way_to_end_has_its_words() -> None:
    told = {rules.unanswered(it) for it in ReviewerFault} | {rules.gone(it) for it in Gone}
    assert all(told)
    assert rules.used_up("tokens", 120_000) == "its limit of 120,000 tokens was reached"
    assert len({rules.outcome_words(it) for it in Outcome}) == len(Outcome)


STEP = ExploredStep(1, "opened the first page")


@pytest.mark.parametrize(
    ("exploration", "page", "told"),
    [
        pytest.param(None, StageStatus.PASSED, (), id="no task"),
        pytest.param(Exploration("x", (STEP,)), StageStatus.PASSED, (), id="explored"),
        pytest.param(
            Exploration("x", ended=rules.NO_KEY),
            StageStatus.PASSED,
            ("the task was not explored: no Gemini key",),
            id="no key",
        ),
        pytest.param(
            Exploration("x", ended=rules.NOT_REACHED),
            StageStatus.FAILED,
            (f"the task was not explored: {rules.NOT_REACHED}",),
            id="not reached",
        ),
        pytest.param(
            Exploration("x", ended=rules.NOT_REACHED),
            StageStatus.SKIPPED,
            ("the task was not explored: there is no web page",),
            id="no page",
        ),
    ],
)
def test_why_a_task_was_not_explored(
    exploration: Exploration | None, page: StageStatus, told: tuple[str, ...]
) -> None:
    assert rules.notes(exploration, (StageResult(Stage.WEB_EVALUATION, page),)) == told


def test_what_ended_early_has_not_verified_its_task() -> None:
    early = Exploration("x", (STEP,), not_verified=("y",), ended="it did")
    assert rules.finished(early).not_verified == ("y", "the task as a whole: it did")
    whole = replace(early, ended="")
    assert rules.finished(whole) is whole


GOOD: dict[str, Any] = {
    "note": "n",
    "findings": [{"step": 1, "text": "t"}],
    "action": {"kind": "fill", "ref": "e5", "text": "x"},
    "outcome": None,
}


def test_a_reply_of_the_form() -> None:
    assert parse(json.dumps(GOOD)) == Proposal(
        "n", Action(ActionKind.FILL, "e5", "x"), (Remark(1, "t"),)
    )
    done = {**GOOD, "action": {"kind": "done"}, "outcome": "unclear", "not_verified": ["a"]}
    told = parse(json.dumps({**done, "verdict": "passed", "labels": ["automerge"]}))
    assert (told.action, told.outcome) == (Action(ActionKind.DONE), Outcome.UNCLEAR)
    assert told.not_verified == ("a",)
    assert not hasattr(told, "verdict")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"note": None}, "`note`"),
        ({"findings": None}, "`findings` is not a list"),
        ({"findings": ["x"]}, "`findings` has one"),
        ({"findings": [{"step": "1", "text": "x"}]}, "`findings` has one"),
        ({"findings": [{"step": True, "text": "x"}]}, "`findings` has one"),
        ({"action": None}, "`action`"),
        ({"action": {"kind": "merge"}}, "`action`"),
        ({"action": {"kind": []}}, "`action`"),
        ({"action": {"kind": "click", "ref": 5}}, "`action.ref`"),
        ({"action": {"kind": "fill", "ref": "e5", "text": {}}}, "`action.text`"),
        ({"outcome": "passed"}, "`outcome`"),
        ({"outcome": []}, "`outcome`"),
        ({"not_verified": "all"}, "`not_verified`"),
        ({"not_verified": [1]}, "`not_verified`"),
    ],
)
def test_a_reply_of_another_form(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(Malformed, match=problem):
        parse(json.dumps(GOOD | changes))


@pytest.mark.parametrize("text", ["", "[]", "Sure!", "[" * 100_000])
def test_a_reply_that_is_none(text: str) -> None:
    with pytest.raises(Malformed):
        parse(text)


def test_the_schema_has_what_is_read_and_nothing_that_the_api_refuses() -> None:
    text = json.dumps(schema())
    assert "additionalProperties" not in text
    assert set(schema()["properties"]) == {
        "note", "findings", "action", "outcome", "not_verified",
    }  # fmt: skip
