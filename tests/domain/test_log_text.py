"""What a terminal would show, and nothing that hides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.log_text import excerpt, one_line, plain


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        pytest.param("\x1b[31mred\x1b[0m", "red", id="colours"),
        pytest.param("\x1b[2K\x1b[1Gstep 1\x1b[?25h", "step 1", id="cursor control"),
        pytest.param("\x1b]0;title\x07text", "text", id="window title"),
        pytest.param("\x1b]8;;https://a.b\x1b\\link\x1b]8;;\x1b\\", "link", id="hyperlink"),
        pytest.param("\x1b]0;never ends\nnext", "\nnext", id="an open sequence ends with its line"),
        pytest.param("\x1b(Btext", "text", id="character set"),
        pytest.param("10%\r50%\r100%\n", "100%\n", id="progress"),
        pytest.param("downloading\rdone", "doneloading", id="overwritten in part"),
        pytest.param("downloading\r\x1b[Kdone", "done", id="erased, then written"),
        pytest.param("one\r\ntwo\r\n", "one\ntwo\n", id="Windows lines"),
        pytest.param("ab\b\bxy", "xy", id="backspaces"),
        pytest.param("a\x00b\x07c\x7f", "a␀b␇c␡", id="controls are shown"),
        pytest.param("if \u202eadmin\u2066", "if [U+202E]admin[U+2066]", id="bidirectional"),
        pytest.param("pass\u200bword", "pass[U+200B]word", id="zero width"),
        pytest.param("a\ud800b", "a[U+D800]b", id="lone surrogate"),
        pytest.param("tab\tstays · ünï 👩‍👩‍👧", "tab\tstays · ünï 👩‍👩‍👧", id="text stays"),
        pytest.param("\x1b", "␛", id="a lone escape is shown"),
    ],
)
def test_plain(raw: str, shown: str) -> None:
    assert plain(raw) == shown


@given(st.text(st.sampled_from("ab\r\n\b\x1b[]0;mK\x07\u202e\x9b 2")))
def test_plain_leaves_nothing_to_interpret(text: str) -> None:
    shown = plain(text)
    assert plain(shown) == shown
    assert not set(shown) & set("\x1b\x07\b\r\u202e\x9b")
    assert shown.count("\n") == text.count("\n")


def test_one_line() -> None:
    assert one_line(" a\n\n b\t\x1b[1mc\x1b[0m ") == "a b c"


def test_an_excerpt_keeps_head_and_tail() -> None:
    text = "\n".join(str(number) for number in range(100))
    lines = excerpt(text, head_lines=2, tail_lines=3).split("\n")
    assert lines == ["0", "1", "… 95 lines left out …", "97", "98", "99"]


def test_an_excerpt_does_not_replace_one_line_by_a_line_that_says_so() -> None:
    text = "\n".join("abcdef")
    assert excerpt(text, head_lines=2, tail_lines=3) == text


def test_long_lines_are_shortened() -> None:
    assert excerpt("x" * 1000) == "x" * 600 + "… 400 characters left out …"


def test_a_byte_limit_takes_from_the_middle() -> None:
    lines = excerpt("\n".join(f"line {n:03}" for n in range(50)), max_bytes=100).split("\n")
    assert lines[0] == "line 000"
    assert lines[-1] == "line 049"
    assert lines[3] == "… 39 lines left out …"


@given(st.text(st.sampled_from("aü\n"), max_size=400), st.integers(0, 5), st.integers(1, 5))
def test_an_excerpt_ends_as_the_text_does(text: str, head: int, tail: int) -> None:
    stripped = text.strip("\n")
    assert excerpt(text, head, tail).split("\n")[-1] == stripped.split("\n")[-1]
    assert len(excerpt(text, head, tail).split("\n")) <= head + tail + 1
