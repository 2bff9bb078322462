from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.bounded_json import LONGEST_TEXT, NotInShape
from bot.domain.web import (
    FaultKind,
    Frame,
    PageFault,
    PageSeen,
    Size,
    Thrown,
    Violation,
    Vitals,
    WebEvaluation,
)

BLANK = PageSeen("/", Size.DESKTOP, fault=PageFault(FaultKind.BLANK, "blank of secret"))


def test_an_evaluation_survives_its_json() -> None:
    page = replace(
        BLANK,
        vitals=Vitals(3, 100.5, 0, None, 1000),
        exceptions=(Thrown("x", (Frame("/a.js", 1, None),), flaky=True),),
        violations=(Violation("rule", "serious", selectors=("p",)),),
    )
    seen = WebEvaluation(pages=(page,), left_out=("two pages",), seconds=1.5)
    assert WebEvaluation.from_json(seen.to_json()) == seen


@pytest.mark.parametrize(
    "told",
    [
        pytest.param([], id="no object"),
        pytest.param({"pages": {}}, id="no list"),
        pytest.param({"pages": [{"path": "/"}]}, id="a field is missing"),
        pytest.param({"pages": [{"path": 3, "size": "phone"}]}, id="no text"),
        pytest.param({"pages": [{"path": "/", "size": "huge"}]}, id="no such word"),
        pytest.param({"pages": [{"path": "/", "size": "phone", "status": True}]}, id="no number"),
        pytest.param({"pages": [{"path": "/", "size": "phone", "status": 1.5}]}, id="no whole one"),
        pytest.param({"seconds": float("nan")}, id="not a number"),
        pytest.param({"seconds": float("inf")}, id="without end"),
        pytest.param({"pages": [{"path": "/", "size": "phone", "fault": "x"}]}, id="no fault"),
    ],
)
def test_what_is_in_another_shape_is_refused(told: object) -> None:
    with pytest.raises(NotInShape):
        WebEvaluation.from_json(told)


def test_what_is_too_long_is_cut() -> None:
    told = {"left_out": ["x" * 10_000] * 10_000, "unknown": 1}
    seen = WebEvaluation.from_json(told)
    assert len(seen.left_out) == 500
    assert {len(it) for it in seen.left_out} == {LONGEST_TEXT}


def test_every_text_is_masked_and_no_word() -> None:
    seen = WebEvaluation(pages=(BLANK,), left_out=("secret",))
    masked = seen.masked(lambda text: text.replace("secret", "***").replace("blank", "b"))
    assert masked.left_out == ("***",)
    assert masked.pages[0].fault == PageFault(FaultKind.BLANK, "b of ***")


def test_half_a_character_becomes_one_that_can_be_written() -> None:
    told = {"pages": [{"path": "/", "size": "phone", "title": "ok \ud83d\ude00, torn \ud83d"}]}
    (page,) = WebEvaluation.from_json(told).pages
    assert page.title == "ok \U0001f600, torn \ufffd"
    page.title.encode()
