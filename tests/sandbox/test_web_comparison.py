from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.plan import StageAttachment, StageResult, StageStatus
from bot.domain.web import BasePicture, Difference, Size, WebBase, WebComparison, WebPlan
from tests.sandbox.conftest import Heard, Room
from tests.sandbox.test_web_evaluation import ROOT, look, seen
from tests.sandbox.web_application import Pages, page

pytestmark = pytest.mark.engine

SHA = "b" * 40
BEFORE: Pages = {"/": page("<h1>Shop</h1><p>Three apples</p>")}


def attached(heard: Heard) -> dict[str, StageAttachment]:
    return {it.name: it for it in heard.events if isinstance(it, StageAttachment)}


def based(result: StageResult, heard: Heard) -> WebBase:
    pictures = attached(heard)
    return WebBase(
        SHA,
        seen(result),
        pictures={
            it.name: BasePicture(it.media_type, pictures[it.name].content)
            for it in seen(result).pictures
        },
    )


async def compared(room: Room, pages: Pages, base: WebBase) -> tuple[WebComparison, Heard]:
    result, heard = await look(room, pages, replace(ROOT, base=base))
    assert result.comparison is not None
    return result.comparison, heard


async def test_head_is_held_against_base_in_words_and_pictures(room: Room) -> None:
    first = await look(room, BEFORE, ROOT)
    base = based(*first)
    same, heard = await compared(room, BEFORE, base)
    assert (same.new, same.gone, same.pictures, same.alike) == ((), (), (), 2)
    assert set(attached(heard)) == {it.name for it in seen(first[0]).pictures}

    taller = page(
        "<h1 style='background:#060;color:#fff'>Shop</h1><p>Three apples</p>"
        "<div style='height:1500px'></div><script>console.error('no apples')</script>"
    )
    found, heard = await compared(room, {"/": taller}, base)
    assert found.new == (Difference("console error", "`/`: no apples"),)
    assert (found.gone, found.alike, found.left_out) == ((), 0, ())
    assert [it.path for it in found.vitals] == ["/"]
    assert {it.size for it in found.pictures} == {Size.DESKTOP, Size.PHONE}
    files = attached(heard)
    for it in found.pictures:
        assert 0.3 < it.share < 1  # most of it is room that the base has not
        before, after, changed = (files[name] for name in (it.before, it.after, it.changed))
        assert before.content == base.pictures[it.before.removeprefix("base-")].content
        assert after.content != before.content
        assert changed.content.startswith(b"\xff\xd8")


async def test_what_can_t_be_decoded_is_left_out_and_the_verdict_stands(room: Room) -> None:
    base = based(*await look(room, BEFORE, ROOT))
    torn = {name: replace(it, content=b"no picture") for name, it in base.pictures.items()}
    result, _ = await look(room, BEFORE, replace(ROOT, base=replace(base, pictures=torn)))
    assert result.status is StageStatus.PASSED, result.reason
    assert result.comparison is not None
    assert result.comparison.pictures == ()
    assert len(result.comparison.left_out) == 2
    assert "the pictures were not compared" in result.comparison.left_out[0]


async def test_without_an_evaluation_of_the_base_the_reason_is_told(room: Room) -> None:
    unknown = WebBase(SHA, reason="was not evaluated yet")
    result, _ = await look(room, BEFORE, WebPlan(pages=("/",), explicit=True, base=unknown))
    assert result.comparison == WebComparison(SHA, "was not evaluated yet")
