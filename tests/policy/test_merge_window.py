"""When a merge window is open, and when it opens next: by the clock on the wall of its zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.policy.merge_window import WindowUnreadable, is_open, next_opening

OFFICE = "Mon-Fri 09:00-17:00 Europe/Berlin"
NIGHTS = "Mon-Thu,Sat 22:00-06:00 UTC"


def utc(text: str) -> datetime:
    """``2026-03-27 08:00``."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "now", "opening"),
    [
        # 2026-01-02 is a Friday; Berlin is at UTC+1 in winter, at UTC+2 from 2026-03-29 on.
        pytest.param("", "2026-01-02 12:00", None, id="none: always"),
        pytest.param(OFFICE, "2026-01-02 12:00", None, id="at noon"),
        pytest.param(OFFICE, "2026-01-02 08:00", None, id="its first moment"),
        pytest.param(OFFICE, "2026-01-02 07:59:59", "2026-01-02 08:00", id="a second before"),
        pytest.param(OFFICE, "2026-01-02 15:59:59", None, id="its last second"),
        pytest.param(OFFICE, "2026-01-02 16:00", "2026-01-05 08:00", id="its end, over a weekend"),
        pytest.param(OFFICE, "2026-01-04 12:00", "2026-01-05 08:00", id="on a Sunday"),
        pytest.param(OFFICE, "2026-01-05 16:00", "2026-01-06 08:00", id="until the next day"),
        pytest.param(OFFICE, "2026-03-27 16:00", "2026-03-30 07:00", id="into summer time"),
        pytest.param(OFFICE, "2026-10-23 15:00", "2026-10-26 08:00", id="into winter time"),
        pytest.param(OFFICE, "2026-07-01 07:00", None, id="in summer"),
        pytest.param(NIGHTS, "2026-01-05 23:00", None, id="a night"),
        pytest.param(NIGHTS, "2026-01-06 05:59", None, id="after midnight"),
        pytest.param(NIGHTS, "2026-01-06 06:00", "2026-01-06 22:00", id="in the morning"),
        pytest.param(NIGHTS, "2026-01-09 05:00", None, id="Thursday's night, on Friday"),
        pytest.param(NIGHTS, "2026-01-09 23:00", "2026-01-10 22:00", id="no Friday's night"),
        pytest.param(NIGHTS, "2026-01-11 03:00", None, id="Saturday's night, on Sunday"),
        pytest.param(NIGHTS, "2026-01-12 03:00", "2026-01-12 22:00", id="no Sunday's night"),
        pytest.param("Fri-Mon 09:00-10:00 UTC", "2026-01-04 09:30", None, id="over the week's end"),
        pytest.param(
            "Fri-Mon 09:00-10:00 UTC", "2026-01-05 10:00", "2026-01-09 09:00", id="and not within"
        ),
        pytest.param("Wed 09:00-10:00 UTC", "2026-01-07 10:00", "2026-01-14 09:00", id="a week on"),
        pytest.param("Fri 20:00-00:00 UTC", "2026-01-02 23:59", None, id="until midnight"),
        pytest.param(
            "Fri 20:00-00:00 UTC", "2026-01-03 00:00", "2026-01-09 20:00", id="at midnight"
        ),
        pytest.param(
            "Mon 09:00-10:00 Asia/Kolkata",
            "2026-01-04 12:00",
            "2026-01-05 03:30",
            id="half hours",
        ),
        pytest.param(
            "Mon 09:00-10:00 Pacific/Auckland",
            "2026-01-04 12:00",
            "2026-01-04 20:00",
            id="where it is tomorrow already",
        ),
        # On 2026-03-29 the clock goes from 02:00 to 03:00 in Berlin, at 01:00 UTC.
        pytest.param(
            "Sun 02:30-05:00 Europe/Berlin",
            "2026-03-29 00:59",
            "2026-03-29 01:00",
            id="the start is left out: once the clock is past it",
        ),
        pytest.param(
            "Sun 02:10-02:50 Europe/Berlin",
            "2026-03-28 12:00",
            "2026-04-05 00:10",
            id="all of it is left out: a week later",
        ),
        pytest.param(
            "Sun 01:00-02:30 Europe/Berlin",
            "2026-03-29 01:00",
            "2026-04-04 23:00",
            id="the end is left out: it has ended",
        ),
        # On 2026-10-25 it goes from 03:00 back to 02:00, at 01:00 UTC.
        pytest.param(
            "Sun 02:30-05:00 Europe/Berlin", "2026-10-25 00:30", None, id="the hour's first time"
        ),
        pytest.param(
            "Sun 02:30-05:00 Europe/Berlin",
            "2026-10-25 01:15",
            "2026-10-25 01:30",
            id="the clock shows a time before the start again",
        ),
        pytest.param(
            "Sun 01:00-02:30 Europe/Berlin",
            "2026-10-25 00:45",
            "2026-10-25 01:00",
            id="the clock shows a time before the end again",
        ),
        # On 2026-04-24 it goes from 00:00 to 01:00 in Cairo, at 22:00 UTC of the day before.
        pytest.param(
            "Fri 00:00-02:00 Africa/Cairo",
            "2026-04-23 20:00",
            "2026-04-23 22:00",
            id="midnight is left out",
        ),
    ],
)
def test_the_window(window: str, now: str, opening: str | None) -> None:
    at = utc(now)
    assert is_open(window, at) is (opening is None)
    assert next_opening(window, at) == (at if opening is None else utc(opening))


@pytest.mark.parametrize(
    ("window", "message"),
    [
        pytest.param(
            "Mon 09:00-10:00 Middle/Earth",
            "the zone `Middle/Earth` is not known here",
            id="unknown",
        ),
        pytest.param(
            "Mon 09:00-10:00 Europe", "the zone `Europe` is not known here", id="a folder of zones"
        ),
        pytest.param("sometimes", "`sometimes` is not like", id="no window"),
    ],
)
def test_what_cannot_be_read_says_so(window: str, message: str) -> None:
    with pytest.raises(WindowUnreadable, match=message):
        is_open(window, utc("2026-01-02 12:00"))


DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
CLOCKS = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
YEAR = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31))  # noqa: DTZ001 - made UTC below


@given(st.lists(st.sampled_from(DAYS), min_size=1), CLOCKS, CLOCKS, ZONES, YEAR)
def test_it_is_closed_until_it_opens(
    days: list[str], start: str, end: str, zone: str, now: datetime
) -> None:
    if start == end:
        return
    window, at = f"{','.join(days)} {start}-{end} {zone}", now.replace(tzinfo=UTC)
    opening = next_opening(window, at)
    assert opening is not None
    assert is_open(window, opening)
    assert is_open(window, at) is (opening == at)
    minutes = int((opening - at).total_seconds() // 60)
    step = max(minutes // 50, 1)
    between = (at + timedelta(minutes=it) for it in range(0, minutes, step))
    assert not any(is_open(window, it) for it in between if it < opening)
    assert not is_open(window, opening - timedelta(seconds=1)) or opening == at
