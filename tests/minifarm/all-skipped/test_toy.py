"""Two tests, both skipped."""

import unittest


@unittest.skip("not today")
class Toy(unittest.TestCase):
    def test_one(self):
        self.fail()

    def test_two(self):
        self.fail()
