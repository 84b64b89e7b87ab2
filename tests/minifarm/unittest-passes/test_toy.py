"""Two tests that pass under unittest."""

import unittest


class Toy(unittest.TestCase):
    def test_one(self):
        self.assertEqual(1 + 1, 2)

    def test_two(self):
        self.assertEqual("farm".upper(), "FARM")
