"""One test that fails, as the project declares."""

import unittest


class Toy(unittest.TestCase):
    def test_bad(self):
        self.assertEqual(1 + 1, 3)
