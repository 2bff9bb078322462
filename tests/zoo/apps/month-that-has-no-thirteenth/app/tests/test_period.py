from datetime import date

from billing.period import following


def test_within_a_year():
    assert following(date(2027, 3, 14)) == date(2027, 4, 1)


def test_over_the_new_year():
    assert following(date(2027, 12, 14)) == date(2028, 1, 1)
