#!/usr/bin/env python3
"""examples/incident/incident.sh against a real Loki: what was held before an incident arrives once, and nothing else does."""
import os
import pathlib
import subprocess
import unittest

import loki_server
import weir_kit as kit

loki = None
SCRIPT = pathlib.Path(__file__).resolve().parents[3] / "examples" / "incident" / "incident.sh"


def setUpModule():
    global loki
    loki = loki_server.Loki()


def tearDownModule():
    loki.stop()


class Incident(unittest.TestCase):
    def test_the_walk(self):
        done = subprocess.run(["bash", str(SCRIPT)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False,
                              env=kit.environment(LOKI_ADDR=loki.url, WEIR_BIN=os.path.abspath(kit.WEIR)))
        output = done.stdout.decode(errors="replace")
        self.assertEqual(done.returncode, 0, output)
        self.assertIn("All counts are as they must be", output)


if __name__ == "__main__":
    unittest.main()
