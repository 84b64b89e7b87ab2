"""Under unittest: one test that passes, one that fails, and a class that cannot be set up."""

import unittest


class Toy(unittest.TestCase):
    def test_good(self):
        self.assertEqual(1 + 1, 2)

    def test_bad(self):
        self.assertEqual(1 + 1, 3, "arithmetic is off")


class Broken(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise RuntimeError("cannot be set up")

    def test_never(self):
        pass
