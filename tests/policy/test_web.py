from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.config_web import WebBudgets
from bot.domain.validations import Level
from bot.domain.web import (
    BrokenLink,
    ComponentOutcome,
    ComponentSeen,
    ConsoleError,
    FailedRequest,
    FaultKind,
    FlowOutcome,
    FlowSeen,
    Frame,
    PageFault,
    PageSeen,
    Size,
    Thrown,
    Violation,
    Vitals,
    WebBase,
    WebEvaluation,
    WebPlan,
)
from bot.policy.web import judge, reason
from bot.policy.web_places import findings

PAGE = PageSeen("/", Size.DESKTOP, status=200, violations=(), configured=True)
PHONE = replace(PAGE, size=Size.PHONE)
THROWN = Thrown("TypeError: x is not a function", (Frame("/js/app.js", 3, 7),))
PALE = Violation("color-contrast", "serious", "Text must have contrast", 2, ("p", "h1"))


def evaluation(page: PageSeen = PAGE, **more: Any) -> WebEvaluation:
    return WebEvaluation(pages=(page,), browser="Chromium 1", **more)


def based(base: WebEvaluation) -> WebBase:
    return WebBase("b" * 40, base)


def request(status: int | None, kind: str = "fetch", url: str = "/api") -> FailedRequest:
    return FailedRequest("GET", url, status, kind, "" if status else "net::ERR_FAILED")


def vitals(lcp_ms: float = 100, cls: float = 0) -> PageSeen:
    return replace(PAGE, vitals=Vitals(3, lcp_ms, cls, 5, 1000))


def fault(kind: FaultKind, why: str, *, flaky: bool = False) -> PageSeen:
    return replace(PAGE, fault=PageFault(kind, why, flaky))


GATES = [
    pytest.param(
        evaluation(fault(FaultKind.NOT_LOADED, "it answered 500")), "`/` answered 500", id="load"
    ),
    pytest.param(
        evaluation(replace(PHONE, fault=PageFault(FaultKind.BLANK, "it is blank"))),
        "`/` (phone) is blank",
        id="blank on a phone",
    ),
    pytest.param(
        evaluation(replace(PAGE, exceptions=(THROWN,))),
        "`/`: uncaught exception: TypeError: x is not a function (`/js/app.js:3:7`)",
        id="exception",
    ),
    pytest.param(
        evaluation(
            replace(
                PAGE,
                exceptions=(Thrown("Uncaught (in promise) SyntaxError: no", (Frame("/", 1, 1),)),),
            )
        ),
        "`/`: uncaught exception: SyntaxError: no",
        id="exception of which the browser knows no place",
    ),
    pytest.param(
        evaluation(
            replace(PAGE, exceptions=(THROWN,), missing=("script www.googletagmanager.com",))
        ),
        "`/`: uncaught exception: TypeError: x is not a function (`/js/app.js:3:7`)",
        id="an exception beside a script that only measures",
    ),
    pytest.param(
        evaluation(replace(PAGE, requests=(request(503),))),
        "`/`: GET `/api` answered 503",
        id="a request's 5xx",
    ),
    pytest.param(
        evaluation(replace(PAGE, requests=(request(404, "script", "/a.js"),))),
        "`/`: GET `/a.js` answered 404, the script is missing",
        id="a missing asset",
    ),
    pytest.param(
        evaluation(replace(PAGE, requests=(request(None, "image", "/a.png"),))),
        "`/`: GET `/a.png` failed (net::ERR_FAILED)",
        id="an asset without an answer",
    ),
    pytest.param(
        evaluation(flows=(FlowSeen("buy", FlowOutcome.FAILED, False, 2, 3, "click", "not there"),)),
        "the flow “buy” failed in step 2 of 3 (`click`): not there",
        id="flow",
    ),
    pytest.param(
        evaluation(flows=(FlowSeen("buy", FlowOutcome.NOT_RUN, reason="no time"),)),
        "the flow “buy” was not tried: no time",
        id="flow without time",
    ),
    pytest.param(
        evaluation(flows=(FlowSeen("buy", FlowOutcome.PASSED, exceptions=(THROWN,)),)),
        "the flow “buy”: uncaught exception: TypeError: x is not a function (`/js/app.js:3:7`)",
        id="exception in a flow",
    ),
    pytest.param(
        evaluation(replace(PAGE, console=(ConsoleError("bad"),))),
        "1 console error, the budget is 0: `/`: bad",
        id="console",
    ),
    pytest.param(
        evaluation(replace(PAGE, requests=(request(422),))),
        "1 failed request, the budget is 0: GET `/api` answered 422",
        id="another failed request",
    ),
    pytest.param(
        evaluation(replace(PAGE, violations=(PALE,))),
        "1 serious accessibility violation, the budget is 0: `/`: Text must have contrast "
        "(color-contrast)",
        id="accessibility",
    ),
    pytest.param(
        evaluation(vitals(lcp_ms=5000)),
        "`/`: its largest content is painted after 5000 ms, the budget is 4000 ms",
        id="paint",
    ),
    pytest.param(
        evaluation(vitals(cls=0.5)),
        "`/`: its layout shifts by 0.50, the budget is 0.25",
        id="shift",
    ),
]

NO_GATES = [
    pytest.param(evaluation(), 0, id="nothing"),
    pytest.param(
        evaluation(fault(FaultKind.BLANK, "it is blank", flaky=True)), 1, id="a flaky fault"
    ),
    pytest.param(
        evaluation(replace(PAGE, exceptions=(replace(THROWN, flaky=True),))), 1, id="flaky throw"
    ),
    pytest.param(
        evaluation(replace(PAGE, requests=(replace(request(500), flaky=True),))), 1, id="flaky 500"
    ),
    pytest.param(
        evaluation(replace(PAGE, console=(ConsoleError("bad", flaky=True),))), 1, id="flaky console"
    ),
    pytest.param(evaluation(replace(PAGE, requests=(request(401),))), 0, id="asking who one is"),
    pytest.param(
        evaluation(replace(PAGE, requests=(request(404, "image", "/favicon.ico"),))),
        0,
        id="what browsers ask for by themselves",
    ),
    pytest.param(evaluation(replace(PAGE, third_party=9)), 0, id="third parties"),
    pytest.param(
        evaluation(replace(PAGE, violations=(replace(PALE, impact="moderate"),))), 1, id="moderate"
    ),
    pytest.param(evaluation(links=(BrokenLink("/", "/gone", "Gone", 404, "404"),)), 1, id="link"),
    pytest.param(
        evaluation(
            components=(
                ComponentSeen("/", "button", "#b", "Go", ComponentOutcome.BROKE, "x", (THROWN,)),
            )
        ),
        1,
        id="component",
    ),
    pytest.param(
        evaluation(flows=(FlowSeen("buy", FlowOutcome.FAILED, True, 1, 1, "goto", "slow"),)),
        1,
        id="flaky flow",
    ),
    pytest.param(
        evaluation(
            replace(
                PAGE,
                exceptions=(THROWN,),
                console=(ConsoleError("bad"),),
                fault=PageFault(FaultKind.BLANK, "it is blank"),
                missing=("script cdn.example",),
            )
        ),
        3,
        id="what a script of another host may have caused",
    ),
    pytest.param(
        evaluation(replace(PAGE, violations=(PALE,), missing=("stylesheet cdn.example",))),
        1,
        id="colours without the stylesheet of another host",
    ),
    pytest.param(
        evaluation(
            flows=(
                FlowSeen("buy", FlowOutcome.FAILED, reason="x", missing=("script cdn.example",)),
            )
        ),
        1,
        id="a flow without a script of another host",
    ),
    pytest.param(evaluation(vitals(lcp_ms=4000, cls=0.25)), 0, id="within the budgets"),
]


@pytest.mark.parametrize(("seen", "sentence"), GATES)
def test_what_gates(seen: WebEvaluation, sentence: str) -> None:
    judgement = judge(seen, WebPlan(budgets=WebBudgets(absolute=True)))
    assert judgement.gates == (sentence,)
    assert not judgement.passed
    assert reason(seen, judgement) == sentence


@pytest.mark.parametrize(("seen", "advice"), NO_GATES)
def test_what_is_advice(seen: WebEvaluation, advice: int) -> None:
    judgement = judge(seen, WebPlan())
    assert judgement.passed
    assert len(judgement.advice) == advice


ERRORS = {
    number: evaluation(
        replace(PAGE, console=tuple(ConsoleError(f"error {'abcdef'[it]}") for it in range(number)))
    )
    for number in (0, 1, 2, 3)
}


@pytest.mark.parametrize(
    ("head", "base", "budgets", "passes"),
    [
        pytest.param(1, None, WebBudgets(), True, id="no base, nobody's budget: advice"),
        pytest.param(1, None, WebBudgets(console_errors=0), False, id="no base, their budget"),
        pytest.param(1, None, WebBudgets(lcp_ms=9), True, id="no base, their other budget"),
        pytest.param(1, None, WebBudgets(absolute=True), False, id="no base, absolute"),
        pytest.param(1, 0, WebBudgets(), False, id="worse than the base"),
        pytest.param(2, 2, WebBudgets(console_errors=0), True, id="as the base"),
        pytest.param(1, 3, WebBudgets(), True, id="better than the base"),
        pytest.param(2, 2, WebBudgets(absolute=True), False, id="absolute"),
    ],
)
def test_a_budget_is_held_against_the_base(
    head: int, base: int | None, budgets: WebBudgets, passes: bool
) -> None:
    plan = WebPlan(budgets=budgets, base=None if base is None else based(ERRORS[base]))
    assert judge(ERRORS[head], plan).passed is passes


@pytest.mark.parametrize(
    ("page", "budgets"),
    [
        pytest.param(vitals(5000), WebBudgets(lcp_ms=4000), id="slow"),
        pytest.param(vitals(cls=0.5), WebBudgets(cls=0.25), id="shifting"),
    ],
)
def test_without_a_base_the_project_s_own_budget_holds(page: PageSeen, budgets: WebBudgets) -> None:
    unknown = WebBase("b" * 40, reason="was not evaluated yet")
    assert not judge(evaluation(page), WebPlan(budgets=budgets, base=unknown)).passed
    assert judge(evaluation(page), WebPlan(base=unknown)).passed


@pytest.mark.parametrize(
    ("head", "base", "passes"),
    [
        pytest.param(vitals(5000), vitals(1000), False, id="much slower"),
        pytest.param(vitals(5000), vitals(4800), True, id="as slow, but for noise"),
        pytest.param(vitals(cls=0.5), vitals(cls=0.1), False, id="shifts more"),
        pytest.param(vitals(cls=0.5), vitals(cls=0.5), True, id="shifts as much"),
        pytest.param(vitals(5000), PAGE, True, id="the base was not measured"),
    ],
)
def test_vitals_are_held_against_the_base(head: PageSeen, base: PageSeen, passes: bool) -> None:
    assert judge(evaluation(head), WebPlan(base=based(evaluation(base)))).passed is passes


OTHER = replace(PAGE, path="/b")
BAD = replace(PAGE, violations=(PALE,))
NOWHERE = PageFault(FaultKind.NOT_REACHED, "it was not looked at")


@pytest.mark.parametrize(
    ("base", "head"),
    [
        pytest.param((replace(PAGE, violations=None),), (BAD,), id="not examined"),
        pytest.param(
            (PAGE, replace(OTHER, fault=NOWHERE)), (PAGE, replace(BAD, path="/b")), id="no time"
        ),
        pytest.param((PAGE,), (PAGE, replace(BAD, path="/b")), id="no such page"),
        pytest.param((PAGE,), (PAGE, replace(BAD, size=Size.PHONE)), id="another size"),
    ],
)
def test_where_the_base_was_not_looked_at_nobody_knows_whose_it_is(
    base: tuple[PageSeen, ...], head: tuple[PageSeen, ...]
) -> None:
    known = based(WebEvaluation(base))
    said = judge(WebEvaluation(head), WebPlan(base=known))
    assert said.passed
    assert any("the base was not looked at everywhere" in it for it in said.advice)
    own = WebBudgets(accessibility_serious=0)
    assert not judge(WebEvaluation(head), WebPlan(base=known, budgets=own)).passed


def test_what_is_worse_on_a_page_of_both_gates_all_the_same() -> None:
    base, head = WebEvaluation((PAGE,)), WebEvaluation((BAD, replace(BAD, path="/b")))
    said = judge(head, WebPlan(base=based(base)))
    assert "(the base has 0 on the same pages)" in said.gates[0]


def test_an_exception_gates_whatever_the_base_is() -> None:
    broken = evaluation(replace(PAGE, exceptions=(THROWN,)))
    assert not judge(broken, WebPlan(base=based(broken))).passed


def test_what_passed_is_counted() -> None:
    seen = evaluation(links=(BrokenLink("/", "/gone"),))
    assert reason(seen, judge(seen, WebPlan())) == "1 page looked at; 1 remark"


# ── findings ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("/js/app.js", "js/app.js"),
        ("/page.mjs?v=3", "public/page.mjs"),
        ("/twice.js", ""),
        ("/assets/index-3f2a9c1b.js", ""),
        ("https://cdn.example/js/app.js", ""),
        ("/", ""),
        ("/app.js", ""),  # a build may have made it of js/app.js, with other lines
    ],
)
def test_a_place_is_told_where_it_is_one_file_of_the_tree(url: str, file: str) -> None:
    paths = {
        "js/app.js",
        "public/page.mjs",
        "a/static/twice.js",
        "public/twice.js",
        "index.html",
        "my-app.js",
    }
    thrown = Thrown("Error: x", (Frame("https://cdn.example/lib.js", 1), Frame(url, 3, 7)))
    found = findings(evaluation(replace(PAGE, exceptions=(thrown,))), paths)
    assert [(it.file, it.line, it.column, it.level) for it in found] == (
        [(file, 3, 7, Level.FAILURE)] if file else []
    )


def test_the_same_place_is_told_once_and_the_gravest_first() -> None:
    page = replace(
        PAGE,
        console=(ConsoleError("said", "/js/app.js", 1, 1),),
        exceptions=(THROWN,),
    )
    seen = WebEvaluation(pages=(page, replace(page, size=Size.PHONE)))
    found = findings(seen, {"js/app.js"})
    assert [(it.line, it.level, it.rule) for it in found] == [
        (3, Level.FAILURE, "exception"),
        (1, Level.WARNING, "console"),
    ]


def test_a_blank_page_is_told_with_what_the_console_says_of_it() -> None:
    said = ConsoleError("Executing inline script violates the policy", "/", 10)
    page = replace(PAGE, fault=PageFault(FaultKind.BLANK, "it is blank"), console=(said,))
    assert judge(evaluation(page), WebPlan()).gates == (
        "`/` is blank; the console says: Executing inline script violates the policy (`/:10`)",
    )
    thrown = replace(page, exceptions=(THROWN,))
    assert judge(evaluation(thrown), WebPlan()).gates[0] == "`/` is blank"
