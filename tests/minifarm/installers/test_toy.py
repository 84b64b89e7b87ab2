import unittest

import installers


class Release(unittest.TestCase):
    def test_release(self):
        print("found six", installers.release)
        self.assertGreaterEqual(installers.release, "1.14")
