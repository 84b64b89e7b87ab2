"""One test that runs what a package of the system brought."""

import os
import subprocess
import unittest


class Toy(unittest.TestCase):
    def test_it_is_there(self):
        self.assertIn("Hello", subprocess.check_output("hello", text=True, timeout=60))

    def test_variables_are_there(self):
        self.assertEqual(os.environ["TOY_GREETING"], "Hello")
