"""Products of square matrices, as lists of rows."""


def identity(size):
    return [[1.0 if row == column else 0.0 for column in range(size)] for row in range(size)]
