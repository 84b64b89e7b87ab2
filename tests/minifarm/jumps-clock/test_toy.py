"""A test in which time runs backwards and leaps ahead, and one after it."""

import time
import unittest
from unittest import mock


class Toy(unittest.TestCase):
    def test_clock(self):
        with self.assertRaises(PermissionError):
            time.clock_settime(time.CLOCK_REALTIME, 0)
        patch = mock.patch.multiple(time, time=lambda: -1e9, monotonic=lambda: 1e9)
        patch.start()
        self.addClassCleanup(patch.stop)

    def test_later(self):
        self.assertEqual(time.time(), -1e9)
