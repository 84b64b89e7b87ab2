"""One test that passes, and one that kills the tox that runs it."""

import os
import signal
import time
import unittest


class Toy(unittest.TestCase):
    def test_good(self):
        self.assertEqual(1 + 1, 2)

    def test_kills(self):
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(600)
