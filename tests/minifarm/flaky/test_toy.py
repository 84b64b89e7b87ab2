"""One test that passes, and one that needs luck.

Machines share nothing: whoever runs this changes `LUCK` in the record between two tries.
"""

import os
import unittest


class Toy(unittest.TestCase):
    def test_luck(self):
        self.assertEqual(os.environ["LUCK"], "good")

    def test_one(self):
        self.assertEqual(1 + 1, 2)
