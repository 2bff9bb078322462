from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.web import (
    BrokenLink,
    ComponentOutcome,
    ComponentSeen,
    ConsoleError,
    Difference,
    FailedRequest,
    FaultKind,
    FlowOutcome,
    FlowSeen,
    PageFault,
    PageSeen,
    PictureChange,
    Size,
    Thrown,
    Violation,
    Vitals,
    WebEvaluation,
)
from bot.policy.web_comparison import MOST_DIFFERENCES, compare

SHA = "b" * 40
PAGE = PageSeen("/", Size.DESKTOP, status=200, violations=(), configured=True)
PALE = Violation("color-contrast", "serious", "Text must have contrast", 2, ("p", "h1"))
SHUT = PageFault(FaultKind.NOT_LOADED, "it answered 500")
UNSEEN = PageFault(FaultKind.NOT_REACHED, "it was not looked at")


def seen(*pages: PageSeen, **more: Any) -> WebEvaluation:
    return WebEvaluation(pages=pages or (PAGE,), **more)


def page(**what: Any) -> WebEvaluation:
    return seen(replace(PAGE, **what))


ADD = ComponentSeen("/", "button", "#a", "Add", ComponentOutcome.BROKE, "it throws")
NEW = [
    (page(fault=SHUT), "broken page", "`/`: it answered 500 (desktop)"),
    (page(console=(ConsoleError("no such\nuser"),)), "console error", "`/`: no such user"),
    (page(exceptions=(Thrown("Error: 7"),)), "uncaught exception", "`/`: Error: 7"),
    (page(requests=(FailedRequest("GET", "/a", 503),)), "failed request", "`GET /a`: 503"),
    (
        page(violations=(PALE,)),
        "accessibility violation",
        "`/`: Text must have contrast (color-contrast, serious)",
    ),
    (seen(links=(BrokenLink("/", "/gone"),)), "broken link", "`/`: /gone"),
    (seen(flows=(FlowSeen("buy", FlowOutcome.FAILED, reason="no"),)), "failed flow", "`buy`: no"),
    (
        seen(components=(ADD,)),
        "broken component",
        "`/`: button “Add”: it throws",
    ),
]


@pytest.mark.parametrize(("head", "kind", "text"), NEW, ids=[kind for _, kind, _ in NEW])
def test_what_head_has_and_base_has_not_is_new_and_the_other_way_round_gone(
    head: WebEvaluation, kind: str, text: str
) -> None:
    well = replace(ADD, outcome=ComponentOutcome.OK, reason="")
    good = seen(flows=(FlowSeen("buy", FlowOutcome.PASSED),), components=(well,))
    there = compare(SHA, good, head)
    assert (there.new, there.gone) == ((Difference(kind, text),), ())
    back = compare(SHA, head, good)
    assert (back.new, back.gone) == ((), (Difference(kind, text),))
    same = compare(SHA, head, head)
    assert (same.new, same.gone) == ((), ())


def test_a_build_s_own_hashes_and_numbers_change_nothing() -> None:
    one = page(console=(ConsoleError("at /assets/a-1f2e3d4c.js took 12 ms"),))
    two = page(console=(ConsoleError("at /assets/a-9f8e7d6c.js took 90 ms"),))
    assert compare(SHA, one, two).new == ()


def test_another_status_of_the_same_request_is_new() -> None:
    one = page(requests=(FailedRequest("GET", "/a", 404),))
    two = page(requests=(FailedRequest("GET", "/a", 500),))
    found = compare(SHA, one, two)
    assert [it.text for it in (*found.new, *found.gone)] == ["`GET /a`: 500", "`GET /a`: 404"]


def test_the_same_request_of_several_pages_is_told_once() -> None:
    lacking = replace(PAGE, requests=(FailedRequest("GET", "/a.css", 404),))
    head = seen(lacking, replace(lacking, path="/b"))
    assert len(compare(SHA, seen(), head).new) == 1


@pytest.mark.parametrize(
    "head",
    [
        page(console=(ConsoleError("x", flaky=True),)),
        page(exceptions=(Thrown("x", flaky=True),)),
        page(fault=replace(SHUT, flaky=True)),
        seen(flows=(FlowSeen("buy", FlowOutcome.FAILED, flaky=True),)),
    ],
    ids=["console", "exception", "page", "flow"],
)
def test_what_is_flaky_is_not_new(head: WebEvaluation) -> None:
    assert compare(SHA, seen(), head).new == ()


PAGE_B = replace(PAGE, path="/b")
UNEXAMINED = replace(PAGE, violations=None)
FAILING = FailedRequest("GET", "/a", 503)


@pytest.mark.parametrize(
    ("base", "head"),
    [
        pytest.param(
            seen(PAGE), seen(PAGE, replace(PAGE_B, violations=(PALE,))), id="no such page"
        ),
        pytest.param(
            seen(PAGE, replace(PAGE_B, fault=UNSEEN)),
            seen(PAGE, replace(PAGE_B, console=(ConsoleError("x"),))),
            id="not reached",
        ),
        pytest.param(seen(UNEXAMINED), page(violations=(PALE,)), id="accessibility"),
        pytest.param(
            seen(flows=(FlowSeen("buy", FlowOutcome.NOT_RUN),)),
            seen(flows=(FlowSeen("buy", FlowOutcome.FAILED),)),
            id="flow not tried",
        ),
        pytest.param(seen(), seen(components=(ADD,)), id="component not exercised"),
        pytest.param(
            seen(PAGE, replace(PAGE_B, fault=UNSEEN)),
            seen(PAGE, replace(PAGE_B, requests=(FAILING,))),
            id="request of a page not reached",
        ),
    ],
)
def test_what_one_side_was_not_looked_at_for_is_neither_new_nor_gone(
    base: WebEvaluation, head: WebEvaluation
) -> None:
    there, back = compare(SHA, base, head), compare(SHA, head, base)
    assert (there.new, there.gone, back.new, back.gone) == ((), (), (), ())


def test_what_was_not_looked_at_is_not_gone() -> None:
    base = seen(PAGE, replace(PAGE, path="/b", violations=(PALE,)))
    assert compare(SHA, base, seen(PAGE)).gone == ()
    assert compare(SHA, base, seen(PAGE, replace(PAGE, path="/b", fault=UNSEEN))).gone == ()
    assert compare(SHA, base, seen(PAGE, replace(PAGE, path="/b"))).gone != ()


def test_vitals_are_head_minus_base() -> None:
    def measured(lcp_ms: float | None, cls: float) -> WebEvaluation:
        return page(vitals=Vitals(3, lcp_ms, cls, 5, 1000))

    (change,) = compare(SHA, measured(100, 0.1), measured(150, 0.05)).vitals
    assert (change.path, change.lcp_ms, change.cls, change.transfer_bytes) == ("/", 50, -0.05, 0)
    (change,) = compare(SHA, measured(100, 0), measured(None, 0)).vitals
    assert change.lcp_ms is None
    assert compare(SHA, seen(), measured(1, 0)).vitals == ()


def test_pictures_come_with_the_greatest_change_first_and_without_what_nobody_sees() -> None:
    def changed(path: str, share: float) -> PictureChange:
        return PictureChange(path, Size.PHONE, share, "b", "a", "c")

    pictures = (changed("/a", 0.01), changed("/caret", 0.0001), changed("/b", 0.5))
    found = compare(SHA, seen(), seen(), pictures, alike=2)
    assert [it.path for it in found.pictures] == ["/b", "/a"]
    assert found.alike == 3


def test_no_more_is_told_than_somebody_reads() -> None:
    many = page(console=tuple(ConsoleError("x" * at) for at in range(1, MOST_DIFFERENCES + 8)))
    found = compare(SHA, seen(), many)
    assert len(found.new) == MOST_DIFFERENCES
    assert found.left_out == ("7 more that are new",)
