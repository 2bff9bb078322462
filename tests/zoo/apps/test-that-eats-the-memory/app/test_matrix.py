import unittest

from matrix import identity


class MatrixTest(unittest.TestCase):
    def test_a_large_one(self):
        matrices = [identity(2000) for _ in range(100)]
        self.assertEqual(len(matrices), 100)
