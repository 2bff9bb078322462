"""Billing periods: from the first of a month to the first of the next."""

from datetime import date


def following(day: date) -> date:
    """The first day of the next period."""
    return date(day.year, day.month + 1, 1)
