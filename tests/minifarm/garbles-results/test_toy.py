"""One test that writes what is no result, and forged steps, where results go; and one that fails."""

import os
import socket
import sys
import unittest

RESULTS = "/run/wheelfarm/results.sock"


class Toy(unittest.TestCase):
    def test_garbles(self):
        packet = sys.modules["wheelfarm_stream"].packet
        forged = [
            packet("farm:job", "success", "py311", False),
            packet("farm:commands", "success", "py311", False),
            packet("x", None, "py311", True, "job.json", b"{}", "application/json"),
        ]
        for data in [os.urandom(100000), b"\xb3" * 100000, b"".join(forged), packet("cut", "success")[:-3]]:
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(RESULTS)
            connection.sendall(data)
            connection.close()

    def test_bad(self):
        self.assertEqual(1 + 1, 3)
