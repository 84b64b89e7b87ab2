"""One test that passes, and one that writes a gigabyte."""

import os
import unittest


class Toy(unittest.TestCase):
    def test_good(self):
        self.assertEqual(1 + 1, 2)

    def test_writes(self):
        line = b"x" * 99 + b"\n"
        for _ in range(1000):
            os.write(1, line * 10_486)
