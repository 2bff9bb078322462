"""A signature knows a fault again, and only that fault."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.plan import Stage
from bot.policy.findings import extract, signature

NAMES = st.text("abcdefgxyz_", min_size=1, max_size=8)
PATHS = st.one_of(
    st.lists(NAMES, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts) + "/a.py"),
    st.lists(NAMES, min_size=1, max_size=4).map(lambda parts: "/".join(parts) + "/a.py"),
    NAMES.map(lambda name: f"/tmp/tmp{name}/a.py"),
    NAMES.map(lambda name: f"C:\\Users\\{name}\\a.py"),
)
NUMBERS = st.integers(0, 99_999)
ADDRESSES = st.integers(0, 2**48).map(lambda number: f"0x{number:012x}")
TIMES = st.one_of(
    st.floats(0, 9999).map(lambda seconds: f"{seconds:.2f}s"),
    st.integers(0, 9999).map(lambda milliseconds: f"{milliseconds}ms"),
    st.integers(0, 9999).map(lambda milliseconds: f"{milliseconds} ms"),
)
MOMENTS = st.datetimes(datetime(1970, 1, 1)).map(  # noqa: DTZ001 - a moment, wherever it is
    lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ")
)
IDS = st.uuids().map(str)


@given(*([PATHS] * 2), *([NUMBERS] * 2), *([ADDRESSES] * 2), *([TIMES] * 2))
def test_paths_lines_addresses_and_times_do_not_count(
    path: str,
    other_path: str,
    line: int,
    other_line: int,
    address: str,
    other_address: str,
    time: str,
    other_time: str,
) -> None:
    text = "cannot read {} at line {}: <object at {}> after {} of waiting"
    one = text.format(path, line, address, time)
    other = text.format(other_path, other_line, other_address, other_time)
    assert signature("test", "E1", one) == signature("test", "E1", other)


@given(MOMENTS, MOMENTS, IDS, IDS)
def test_moments_and_ids_do_not_count(moment: str, other: str, one_id: str, other_id: str) -> None:
    text = "order {} of {} was lost"
    one = signature("test", "", text.format(one_id, moment))
    assert one == signature("test", "", text.format(other_id, other))


@given(st.integers(1, 9999), st.integers(1, 9999), NAMES, NAMES)
def test_the_same_fault_in_a_file_that_moved_has_the_same_signature(
    line: int, moved: int, folder: str, other: str
) -> None:
    log = "{}/a.c:{}:1: error: unknown type name 'list'"
    (one,) = extract(Stage.BUILD, log.format(folder, line), frozenset({f"{folder}/a.c"}))
    (two,) = extract(Stage.BUILD, log.format(other, moved), frozenset({f"{other}/a.c"}))
    assert one.signature == two.signature


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("'x' is not defined", "'y' is not defined", id="names"),
        pytest.param("expected ';'", "expected ')'", id="signs"),
        pytest.param("cannot find module 'a'", "cannot find module 'b'", id="modules"),
    ],
)
def test_another_fault_has_another_signature(one: str, other: str) -> None:
    assert signature("test", "", one) != signature("test", "", other)
    assert signature("test", "A", one) != signature("test", "B", one)
    assert signature("test", "", one) != signature("build", "", one)
