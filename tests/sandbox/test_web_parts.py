"""What a probe tells is taken as far as it is of the protocol, and no further."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from bot.domain.web import FaultKind, Frame
from sandbox.probe import ProbeFault
from sandbox.probe_parts import MOST_PARTS, File, NotOfTheProtocol, Parts
from sandbox.web import read_evaluation

END = {"left_out": [], "browser": "Chromium 1", "seconds": 1.5}
PAGE = {"part": "page", "path": "/", "size": "desktop"}


def piece(data: bytes, part: int = 0, *, last: bool = True, **more: Any) -> dict[str, Any]:
    told = {
        "type": "artifact",
        "name": "01-desktop-root.png",
        "media_type": "image/png",
        "part": part,
        "last": last,
        "content": base64.b64encode(data).decode(),
    }
    return {**told, **more}


def parts(*data: Any) -> Parts:
    told = Parts()
    for it in data:
        told.take({"type": "event", "data": it})
    return told


def test_a_file_comes_in_pieces() -> None:
    told = Parts()
    whole = []
    for message in (piece(b"ab", last=False), piece(b"cd", 1)):
        told.take(message)
        whole.append(told.whole)
    assert whole == [False, True]
    assert told.files == {"01-desktop-root.png": File("01-desktop-root.png", "image/png", b"abcd")}


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(piece(b"x", name="../x.png"), id="a path"),
        pytest.param(piece(b"x", name=""), id="no name"),
        pytest.param(piece(b"x", name="a/b.png"), id="a folder"),
        pytest.param(piece(b"x", name="a" * 300), id="a long name"),
        pytest.param(piece(b"x", media_type="text/html"), id="no picture"),
        pytest.param(piece(b"x", media_type=[]), id="no type"),
        pytest.param(piece(b"x", part=1), id="not the first piece"),
        pytest.param(piece(b"x", content="?"), id="not base64"),
        pytest.param(piece(b"x", content=None), id="no content"),
        pytest.param({"type": "event", "data": []}, id="a part that is no object"),
    ],
)
def test_what_no_probe_of_ours_would_send_is_refused(message: dict[str, Any]) -> None:
    with pytest.raises(NotOfTheProtocol):
        Parts().take(message)


def test_a_file_is_sent_once_and_in_one_go() -> None:
    told = Parts()
    told.take(piece(b"x"))
    with pytest.raises(NotOfTheProtocol):
        told.take(piece(b"x"))
    told = Parts()
    told.take(piece(b"x", last=False))
    with pytest.raises(NotOfTheProtocol):
        told.take(piece(b"x", 1, name="02-other.png"))


def test_parts_and_bytes_are_bounded() -> None:
    told = parts(*({} for _ in range(MOST_PARTS)))
    with pytest.raises(NotOfTheProtocol):
        told.take({"type": "event", "data": {}})
    big = Parts()
    megabytes = b"x" * (8 * 1024 * 1024)
    for number in range(4):
        big.take(piece(megabytes, number, last=False))
    with pytest.raises(NotOfTheProtocol):
        big.take(piece(b"x", 4))


def test_parts_become_an_evaluation() -> None:
    page = {
        **PAGE,
        "fault": {"kind": "blank", "reason": "it is blank", "flaky": False},
        "exceptions": [{"text": "Error: x", "frames": [["/a.js", 3, None]], "flaky": True}],
        "picture": "01-desktop-root.png",
    }
    told = parts({"part": "picture", "name": "01-desktop-root.png", "width": 8, "height": 9}, page)
    told.take(piece(b"abc"))
    seen = read_evaluation(told, END)
    (found,) = seen.pages
    assert found.fault is not None
    assert found.fault.kind is FaultKind.BLANK
    assert found.exceptions[0].frames == (Frame("/a.js", 3, None),)
    (picture,) = seen.pictures
    assert (picture.size, picture.width, picture.height) == (3, 8, 9)
    assert picture.sha256.startswith("ba7816bf")
    assert (seen.browser, seen.seconds) == ("Chromium 1", 1.5)


@pytest.mark.parametrize(
    ("told", "end"),
    [
        pytest.param(parts(), END, id="no page"),
        pytest.param(parts(PAGE), {}, id="an empty end"),
        pytest.param(parts(PAGE), {**END, "seconds": "1"}, id="an end in another shape"),
        pytest.param(parts({**PAGE, "size": "wall"}), END, id="another size"),
        pytest.param(parts({**PAGE, "exceptions": [3]}), END, id="no exception"),
        pytest.param(parts({**PAGE, "exceptions": [{"frames": [3]}]}), END, id="no frame"),
        pytest.param(parts(PAGE, {"part": "verdict"}), END, id="another part"),
        pytest.param(parts(PAGE, {"part": ["page"]}), END, id="a part of no kind"),
        pytest.param(parts(PAGE, {}), END, id="a part without kind"),
    ],
)
def test_an_evaluation_in_another_shape_is_our_fault(told: Parts, end: dict[str, Any]) -> None:
    with pytest.raises(ProbeFault):
        read_evaluation(told, end)


def test_a_file_without_its_end_is_our_fault() -> None:
    told = parts(PAGE)
    told.take(piece(b"x", last=False))
    with pytest.raises(ProbeFault):
        read_evaluation(told, END)
