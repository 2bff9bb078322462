"""When merges may happen: ``Mon-Fri 09:00-17:00 Europe/Berlin``, by the clock on the wall there.

The form is ``config_forms.MERGE_WINDOW``: days and ranges of days, a start that counts and an end
that does not, a zone. A window that ends before it starts goes over midnight; its day is the one
that it starts on. Where the clock is put forward or back, what it shows is what counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.domain.config_forms import MERGE_WINDOW

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_AHEAD_DAYS = 15
"""A window of a day a week can fall into the hour that is left out; then it is the week after."""


class WindowUnreadable(Exception):
    """A window names a zone that this machine does not know. Its text is a sentence for users."""


@dataclass(frozen=True)
class _Window:
    days: frozenset[int]
    start: time
    end: time
    zone: ZoneInfo

    def holds(self, at: datetime) -> bool:
        local = at.astimezone(self.zone)
        day, clock = local.weekday(), local.time()
        if self.start < self.end:
            return day in self.days and self.start <= clock < self.end
        late = day in self.days and clock >= self.start
        return late or ((day - 1) % 7 in self.days and clock < self.end)


def is_open(window: str, now: datetime) -> bool:
    """Whether merges may happen now; an empty window is always open. Raises WindowUnreadable."""
    return not window or _read(window).holds(now)


def next_opening(window: str, now: datetime) -> datetime | None:
    """The first time from now on at which it is open, in UTC. Raises WindowUnreadable.

    That is now where it is open; None where it does not open within two weeks.
    """
    now = now.astimezone(UTC)
    if is_open(window, now):
        return now
    read = _read(window)
    openings = (it for it in (*_starts(read, now), *_shifts(read.zone, now)) if it > now)
    return next((it for it in sorted(openings) if read.holds(it)), None)


def _starts(window: _Window, now: datetime) -> Iterator[datetime]:
    """Whenever the clock shows the start: twice in the night when it is put back."""
    today = now.astimezone(window.zone).date()
    for ahead in range(-1, _AHEAD_DAYS):
        for fold in (0, 1):
            start = window.start.replace(fold=fold)
            local = datetime.combine(today + timedelta(days=ahead), start, window.zone)
            yield local.astimezone(UTC)


def _shifts(zone: ZoneInfo, now: datetime) -> Iterator[datetime]:
    """Whenever the clock is put forward or back: that may open a window, too."""
    hour, minute = timedelta(hours=1), timedelta(minutes=1)
    at = now.replace(minute=0, second=0, microsecond=0)
    for _ in range(_AHEAD_DAYS * 24):
        before = at.astimezone(zone).utcoffset()
        if (at + hour).astimezone(zone).utcoffset() != before:
            steps = (at + minute * step for step in range(1, 61))
            yield next(it for it in steps if it.astimezone(zone).utcoffset() != before)
        at += hour


def _read(window: str) -> _Window:
    found = MERGE_WINDOW.fullmatch(window)
    if found is None:
        raise WindowUnreadable(f"`{window}` is not like `Mon-Fri 09:00-17:00 Europe/Berlin`")
    try:
        zone = ZoneInfo(found["zone"])
    except (ZoneInfoNotFoundError, OSError, ValueError):
        raise WindowUnreadable(f"the zone `{found['zone']}` is not known here") from None
    start, end = time.fromisoformat(found["start"]), time.fromisoformat(found["end"])
    days = frozenset(day for part in found["days"].split(",") for day in _days(part))
    return _Window(days, start, end, zone)


def _days(part: str) -> Iterator[int]:
    """``Mon``, ``Mon-Fri``, and over the week's end: ``Fri-Mon``."""
    first, _, last = part.partition("-")
    start = _DAYS.index(first)
    length = (_DAYS.index(last or first) - start) % 7
    return ((start + it) % 7 for it in range(length + 1))
