"""What a probe tells of a tab is taken as far as it is of the protocol, and no further."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.exploring import Observation
from bot.ports.explorer import Gone, TabGone
from sandbox.exploring import read_observation
from sandbox.probe_parts import Parts
from tests.sandbox.probe_process import running_probe
from tests.sandbox.test_web_parts import piece

TOLD = {
    "ok": True,
    "said": "",
    "url": "/",
    "title": "A page",
    "status": 200,
    "lines": ["- main [ref=e1]"],
    "left_out": 0,
    "complaints": [],
}
SEEN = Observation(url="/", title="A page", status=200, lines=("- main [ref=e1]",))


def parts(*messages: dict[str, Any]) -> Parts:
    told = Parts()
    for message in messages:
        told.take(message)
    return told


def test_an_observation_with_and_without_its_picture() -> None:
    assert read_observation(Parts(), TOLD) == SEEN
    seen = read_observation(
        parts(piece(b"x", name="explore-01.jpg", media_type="image/jpeg")),
        {**TOLD, "picture": "other.png"},
    )
    assert (seen.picture, seen.media_type, seen.content) == ("explore-01.jpg", "image/jpeg", b"x")
    assert read_observation(Parts(), {**TOLD, "picture": "other.png"}).picture == ""


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        pytest.param({"lines": "all"}, (), id="no list"),
        pytest.param({"lines": [1]}, (), id="no text"),
        pytest.param({"ok": "yes"}, (), id="no answer"),
        pytest.param({"status": "200"}, (), id="no status"),
        pytest.param({"content": "bytes"}, (), id="bytes of its own"),
        pytest.param({}, (piece(b"x", last=False),), id="half a picture"),
        pytest.param({}, (piece(b"x"), piece(b"x", name="2.png")), id="two pictures"),
        pytest.param({}, ({"type": "event", "data": {"part": "page"}},), id="a part"),
    ],
)
def test_what_no_probe_of_ours_would_tell_is_our_fault(
    changes: dict[str, Any], messages: tuple[dict[str, Any], ...]
) -> None:
    with pytest.raises(TabGone) as told:
        read_observation(parts(*messages), {**TOLD, **changes})
    assert told.value.gone is Gone.MACHINE


def test_an_observation_is_cut_where_it_is_too_long() -> None:
    seen = read_observation(Parts(), {**TOLD, "lines": ["x" * 9_000] * 9_000, "title": "y" * 9_000})
    assert len(seen.lines) == 500
    assert {len(it) for it in (*seen.lines, seen.title)} == {2_000}


async def test_without_a_tab_or_a_browser_a_probe_says_so_and_goes_on() -> None:
    async with running_probe() as probe:
        assert await probe.ask("explore_close") == {}
        told = await probe.ask("explore_act", kind="click", ref="e1", text="")
        assert told == {"gone": "no tab is open"}
        told = await probe.ask("explore_open", port=1, path="/")  # there is no Chromium here
        assert set(told) == {"gone"}
        assert await probe.ask("explore_close") == {}
        assert (await probe.ask("listeners"))["listeners"] is not None
