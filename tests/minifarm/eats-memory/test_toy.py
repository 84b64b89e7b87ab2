"""One test that passes, and one that takes all memory there is."""

import unittest


class Toy(unittest.TestCase):
    def test_good(self):
        self.assertEqual(1 + 1, 2)

    def test_takes_all(self):
        kept = []
        while True:
            kept.append(b"x" * (16 << 20))
