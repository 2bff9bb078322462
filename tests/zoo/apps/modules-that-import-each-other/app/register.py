from names import christened


PREFIX = "MS"


def boats():
    return [christened("Aurora"), christened("Fram")]
