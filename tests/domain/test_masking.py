"""No form of a secret survives, however the stream is cut."""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.masking import MASK, Masker, forms

SECRET = 'p@ss w0rd/"+&key?ü'
KEY = "-----BEGIN KEY-----\nMIIBVgIBADANBgkqhkiG9w0BAQEF\nAASCAUAwggE8AgEAAkEAq7BFUpkGp3\n"


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(SECRET, id="plain"),
        pytest.param(json.dumps(SECRET)[1:-1], id="JSON"),
        pytest.param(json.dumps(SECRET, ensure_ascii=False)[1:-1], id="JSON, not ASCII"),
        pytest.param(quote(SECRET), id="URL path"),
        pytest.param(quote(SECRET, safe=""), id="URL component"),
        pytest.param(quote_plus(SECRET), id="form"),
        pytest.param(quote(SECRET, safe="").replace("%2F", "%2f"), id="mixed case is not a form"),
        pytest.param(SECRET.encode().hex(), id="hexadecimal"),
        pytest.param(SECRET.encode().hex().upper(), id="hexadecimal, upper case"),
        pytest.param(base64.b64encode(SECRET.encode()).decode(), id="base64"),
        pytest.param(base64.urlsafe_b64encode(SECRET.encode()).decode(), id="base64, URL-safe"),
    ],
)
def test_each_form_is_masked(written: str, request: pytest.FixtureRequest) -> None:
    masked = Masker({"TOKEN": SECRET}).mask(f"before {written} after")
    if "not a form" in request.node.name:
        assert masked != f"before {MASK} after"
    else:
        assert masked == f"before {MASK} after"


@pytest.mark.parametrize("shift", range(3))
def test_base64_of_a_longer_text_keeps_only_its_neighbours(shift: int) -> None:
    secret = "correct-horse-battery"
    encoded = base64.b64encode(b"u" * shift + secret.encode() + b":tail").decode()
    masked = Masker({"TOKEN": secret}).mask(encoded)
    assert MASK in masked
    shown = base64.b64decode(masked.replace(MASK, "A" * (len(encoded) - len(masked) + 3)))
    assert not any(secret[i : i + 3].encode() in shown for i in range(len(secret) - 2))


def test_wrapped_base64_is_masked_line_by_line() -> None:
    value = "a secret that is long enough to fill more than one line of wrapped base64, really"
    wrapped = base64.encodebytes(value.encode()).decode()
    assert Masker({"KEY": value}).mask(wrapped) == f"{MASK}\n{MASK}\n"


def test_each_line_of_a_secret_is_masked() -> None:
    masked = Masker({"KEY": KEY}).mask("x MIIBVgIBADANBgkqhkiG9w0BAQEF y")
    assert masked == f"x {MASK} y"


def test_overlapping_secrets_leave_no_remainder() -> None:
    assert Masker({"A": "abcdef", "B": "defghi"}).mask("<abcdefghi>") == f"<{MASK}>"


def test_short_values_are_named_and_left() -> None:
    masker = Masker({"DEBUG": "1", "TOKEN": "s3cr3t", "EMPTY": ""})
    assert masker.unmaskable == ("DEBUG",)
    assert masker.mask("1 s3cr3t") == f"1 {MASK}"


def test_a_beginning_is_held_back_until_it_is_none() -> None:
    masker = Masker({"TOKEN": "s3cr3t"})
    assert masker.feed("got s3c") == "got "
    assert masker.feed("tor\n") == "s3ctor\n"
    assert masker.feed("s3cr3") == ""
    assert masker.flush() == "s3cr3"
    assert masker.flush() == ""


def test_ordinary_lines_are_not_held_back() -> None:
    masker = Masker({"TOKEN": "s3cr3t"})
    assert masker.feed("an ordinary line\n") == "an ordinary line\n"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("token=correct-horse", "token=***"),
        ("token=correct-horse-bat", "token=***"),
        ("token=correct-horse-battery", "token=***"),
        ("that is correct", "that is ***"),  # it may be the beginning: better none than half
        ("an apple a co", "an apple a co"),  # too little to tell anything
        ("correct-horse-battery, and so on", "***, and so on"),
    ],
)
def test_the_beginning_of_a_secret_at_the_end_of_a_text_that_was_cut(
    text: str, masked: str
) -> None:
    assert Masker({"TOKEN": "correct-horse-battery"}).mask_cut(text) == masked


def test_a_run_of_secrets_is_not_kept_in_memory() -> None:
    masker = Masker({"TOKEN": "aaaa"})
    shown = "".join(masker.feed("aaaaaaaaaa") for _ in range(1000))
    assert shown + masker.flush() == MASK


SECRETS = st.dictionaries(
    st.sampled_from(["A", "B", "C"]), st.text("ab+/\n ü", min_size=4, max_size=12), max_size=3
)


@st.composite
def streams(draw: st.DrawFn) -> tuple[dict[str, str], list[str]]:
    """Secrets, and pieces of a stream that are likely to hold them, cut anywhere."""
    secrets = draw(SECRETS)
    known = sorted({form for value in secrets.values() for form in forms(value)}) or ["x"]
    text = "".join(draw(st.lists(st.one_of(st.sampled_from(known), st.text("ab+/\n", max_size=5)))))
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8)))
    ends = [0, *cuts, len(text)]
    return secrets, [text[a:b] for a, b in pairwise(ends)]


@given(streams())
def test_any_split_gives_the_same_and_shows_no_secret(
    stream: tuple[dict[str, str], list[str]],
) -> None:
    secrets, pieces = stream
    masker = Masker(secrets)
    shown = "".join(masker.feed(piece) for piece in pieces) + masker.flush()
    assert shown == Masker(secrets).mask("".join(pieces))
    assert not [form for value in secrets.values() for form in forms(value) if form in shown]
