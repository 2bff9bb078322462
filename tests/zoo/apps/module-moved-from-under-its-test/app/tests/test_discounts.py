from pricing.discount import discounted


def test_ten_percent():
    assert discounted(2000, 10) == 1800
