"""One test that passes, and one that fills the disk; space is reserved, which takes no time."""

import os
import unittest


class Toy(unittest.TestCase):
    def test_good(self):
        self.assertEqual(1 + 1, 2)

    def test_writes(self):
        with open("filler", "wb") as filler:
            size = 0
            for step in (1 << 30, 1 << 24, 1 << 12):
                try:
                    while True:
                        os.posix_fallocate(filler.fileno(), size, step)
                        size += step
                except OSError:
                    pass
            filler.seek(size)
            filler.write(b"x" * (1 << 20))
