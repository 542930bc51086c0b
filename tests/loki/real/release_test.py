#!/usr/bin/env python3
"""Released records in a real Loki: each once, and none refused as too far behind a stream that has records of this moment."""
import json
import os
import sys
import time
import unittest

import loki_server
import weir_kit as kit

loki = None


def setUpModule():
    global loki
    loki = loki_server.Loki()


def tearDownModule():
    loki.stop()


class Release(kit.Case):
    def test_all_of_it_once_however_old(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                now = int(time.time())
                run, spool = f"release-{now}-{os.getpid()}-{int(fused)}", self.dir / "spool.db"
                (self.dir / "pods").mkdir()
                # Three hours of debug lines, one every ten seconds, and one line of now that is not held, all of one stream.
                with open(self.dir / "lines", "w", encoding="ascii") as out:
                    for age in range(3 * 3600, -1, -10):
                        out.write(json.dumps({"timestamp": str((now - age) * 10**9), "line": f"line {age}", "held": age > 0,
                                              "labels": {"app": "checkout", "run": run}}) + "\n")
                with open(self.dir / "lines", "rb") as lines:
                    kit.weir("buffer", spool, "--store", "--min-free", "0", stdin=lines)
                chain = self.chain([f"tail -f --checkpoint {spool} {self.dir / 'pods'}", f"buffer {spool} --min-free 0",
                                    f"push {loki.url} --start-jitter 0s"], fused)
                selector, count = f'{{run="{run}"}}', 3 * 360
                counted = lambda more="": loki.counted(selector + more, 4 * 3600, (now + 60) * 10**9)
                kit.wait_for(lambda: counted() == 1, chain.errors)
                kit.weir("replay", spool, "--held", "--release", "--release-id", "r1", '{app="checkout"}')
                status = lambda: json.loads(kit.weir("spool", "status", spool, "-o", "json"))["releases"][0]
                kit.wait_for(lambda: status()["sent"] + status()["refused"] == count, lambda: f"{status()}\n{chain.errors()}")
                self.assertEqual((status()["refused"], status()["lost"]), (0, 0), chain.errors())
                kit.weir("replay", spool, "--held", "--release", "--release-id", "r2", '{app="checkout"}', expect=1)
                chain.stop()
                kit.wait_for(lambda: counted() == count + 1, lambda: f"{counted()} of {count + 1}")
                entries = loki.entries(selector, (now - 4 * 3600) * 10**9, (now + 60) * 10**9)
                # What is there is counted above: Loki lists some entries of the hour before this one twice, and counts them once.
                self.assertEqual({(ns // 10**9, line) for _, ns, line, _ in entries},
                                 {(now - age, f"line {age}") for age in range(0, 3 * 3600 + 1, 10)})
                # The name finds those in a stream of their own and the others.
                self.assertEqual(counted(' | weir_release="r1"'), count)


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
