#!/usr/bin/env python3
"""replay --held --release: what was held is delivered once, by whoever writes the spool, also across kills."""
import collections
import json
import os
import random
import subprocess
import sys
import time
import unittest

import weir_kit as kit

HELD = 6000


class Release(kit.SinkCase):
    def stages(self, rate="0"):
        return [f"tail -f --checkpoint {self.spool} {self.pods}",
                f"buffer {self.spool} --min-free 0 --release-rate {rate} --release-jitter 1ms", f"push {self.url} --start-jitter 0s"]

    def live(self, seconds, rate):
        return self.start(kit.PODGEN, str(self.pods), "--truth", str(self.dir / "truth"), "--rate", str(rate), "--seconds", str(seconds),
                          "--pods", "2", stdout=subprocess.DEVNULL)

    def hold(self, count=HELD, age=600, first=0, app="checkout"):
        """Held records of `count` milliseconds that begin `age` seconds ago, every tenth of another app."""
        start = time.time_ns() - age * 10**9
        path = self.dir / f"held-{app}-{first}"
        with open(path, "w", encoding="ascii") as out:
            for i in range(first, first + count):
                out.write(json.dumps({"timestamp": str(start + i * 10**6), "line": f"debug {app} {i}", "held": True,
                                      "labels": {"app": "other" if i % 10 == 9 else app, "namespace": "shop"}}) + "\n")
        with open(path, "rb") as lines:
            kit.weir("buffer", self.spool, "--store", "--min-free", "0", stdin=lines)

    def wanted(self, count=HELD, first=0):
        return {f"debug checkout {i}" for i in range(first, first + count) if i % 10 != 9}

    def release(self, *more, expect=0):
        return kit.weir("replay", self.spool, "--held", "--release", "--since", "20m", '{app="checkout"}', *more, expect=expect).decode()

    def status(self):
        return json.loads(kit.weir("spool", "status", self.spool, "-o", "json"))

    def one(self):
        (release,) = self.status()["releases"]
        return release

    def rows(self):
        """What the sink has of released records: line -> how often, and the names that they carry."""
        lines, names = collections.Counter(), set()
        for row in kit.whole_lines(self.record):
            name = row["metadata"].get("weir_release") or kit.parse_labels(row["labels"]).get("weir_release")
            if name:
                lines[row["line"]] += 1
                names.add(name)
        return lines, names

    def wait_for_all(self, chain, wanted):
        kit.wait_for(lambda: set(self.rows()[0]) >= wanted, lambda: f"{len(self.rows()[0])} of {len(wanted)}, {self.status()}\n{chain.errors()}")
        self.assertEqual(set(self.rows()[0]), wanted)

    def test_while_a_chain_runs(self):
        def body(fused):
            self.hold()
            chain = self.chain(self.stages(), fused)
            writer = self.live(3, 500)
            kit.wait_for(lambda: kit.sink_stats(self.url)["entries"] > 0, chain.errors)
            self.assertEqual(self.rows()[0], {})
            said = self.release()
            self.assertIn(f"{HELD * 9 // 10:,} held records are released", said)
            self.assertIn("the chain that writes the spool delivers them now", said)
            self.wait_for_all(chain, self.wanted())
            # Again: there is nothing left.
            self.assertIn("no held record matches", self.release(expect=1))
            writer.wait()
            live = kit.count(kit.truth(self.dir / "truth"))
            kit.wait_for(lambda: kit.sink_stats(self.url)["entries"] >= live + len(self.wanted()), chain.errors)
            chain.stop()
            lines, names = self.rows()
            self.assertEqual(lines, collections.Counter(self.wanted()))
            self.assertEqual(len(names), 1)
            self.assertIn(names.pop(), said)
            first = self.status()["releases"][0]
            self.assertEqual((first["state"], first["matched"], first["released"], first["sent"], first["refused"], first["pending"]),
                             ("released", len(self.wanted()), len(self.wanted()), len(self.wanted()), 0, 0))
            self.assertEqual(self.status()["held"], HELD // 10)
            self.assertEqual(kit.sink_stats(self.url)["entries"], live + len(self.wanted()))

        self.both(body)

    def test_it_begins_within_two_seconds(self):
        self.hold(100)
        chain = self.chain(self.stages(), fused=True)
        kit.wait_for(lambda: self.status()["writing"], chain.errors)
        began = time.monotonic()
        self.release()
        kit.wait_for(lambda: self.rows()[0], chain.errors)
        self.assertLess(time.monotonic() - began, 2 + float(os.environ.get("WEIR_TEST_SLACK", "1")))
        chain.stop()

    def test_while_no_chain_runs(self):
        self.hold()
        said = self.release("--release-id", "by-hand")
        self.assertIn("release by-hand: ", said)
        self.assertIn("the next one delivers them", said)
        self.assertIn("has had a release of this name", self.release("--release-id", "by-hand"))
        self.assertEqual((self.one()["released"], self.one()["sent"]), (len(self.wanted()), 0))
        chain = self.chain(self.stages(), fused=True)
        self.wait_for_all(chain, self.wanted())
        chain.stop()
        self.assertEqual(self.rows(), (collections.Counter(self.wanted()), {"by-hand"}))
        self.assertEqual(self.one()["sent"], len(self.wanted()))

    def test_as_json(self):
        self.hold(10)
        answer = json.loads(self.release("--release-id", "x", "-o", "jsonl"))
        self.assertEqual((answer["release"], answer["state"], answer["blocks"], answer["records"]), ("x", "released", 1, 9))

    def test_cancelled(self):
        # Blocks of their own, of which the slow rate lets one through.
        for i in range(4):
            self.hold(100, first=100 * i)
        chain = self.chain(self.stages(rate="1KiB"), fused=True)
        kit.wait_for(lambda: self.status()["writing"], chain.errors)
        self.release("--release-id", "x")
        kit.wait_for(lambda: self.rows()[0], chain.errors)
        self.assertIn("stay held", kit.weir("spool", "cancel", "x", self.spool).decode())
        chain.stop()
        release = self.one()
        self.assertEqual((release["state"], release["pending"]), ("cancelled", 0))
        self.assertEqual(release["released"] + release["left_out"], 360)
        self.assertLess(release["released"], 360)
        self.assertEqual(sum(self.rows()[0].values()), release["released"])
        kit.weir("spool", "cancel", "y", self.spool, expect=2)

    def test_what_is_too_far_behind_its_stream_gets_one_of_its_own(self):
        self.hold(100, age=3 * 3600)
        self.hold(100, age=600, first=100)
        kit.weir("replay", self.spool, "--held", "--release", "--release-id", "x", '{app="checkout"}')
        chain = self.chain(self.stages(), fused=True)
        self.wait_for_all(chain, self.wanted(200))
        chain.stop()
        labels = {row["line"]: kit.parse_labels(row["labels"]) for row in kit.whole_lines(self.record)}
        for line in self.wanted(100):
            self.assertEqual(labels[line].get("weir_release"), "x")
        for line in self.wanted(100, first=100):
            self.assertNotIn("weir_release", labels[line])

    def test_killed_in_the_middle(self):
        seed = int(os.environ.get("WEIR_TEST_SEED", "47"))

        def body(fused):
            dice = random.Random(seed)
            for i in range(12):
                self.hold(HELD // 12, first=HELD // 12 * i)
            chain = self.chain(self.stages(rate="100KiB"), fused)
            writer = self.live(6, 1000)
            kit.wait_for(lambda: self.spool.exists() and self.status()["writing"], chain.errors)
            self.release("--release-id", "x")
            for i in range(4):
                goal = len(self.wanted()) * (i + 1) // 6
                kit.wait_for(lambda g=goal: self.one()["released"] >= g or not chain.running(), lambda: f"{self.status()}\n{chain.errors()}")
                self.assertTrue(chain.running(), f"seed {seed}: {chain.errors()}")
                victim = None if fused else dice.choice([None, 0, 1, 2])
                chain.kill(victim)
                if victim is not None:
                    chain.signal(15, 0)
                    chain.wait()
                chain = self.chain(self.stages(rate="100KiB"), fused)
            writer.wait()
            self.wait_for_all(chain, self.wanted())
            kit.wait_for(lambda: self.one()["sent"] == len(self.wanted()), lambda: f"{self.status()}\n{chain.errors()}")
            chain.stop()
            self.assertEqual(self.one()["released"], len(self.wanted()), f"seed {seed}")
            # Each is in the spool once; what was in flight at a kill may have been sent again.
            stored = collections.Counter(json.loads(line)["line"] for line in
                                         kit.weir("replay", self.spool, '{app="checkout"}').splitlines())
            self.assertEqual(stored, collections.Counter(self.wanted()), f"seed {seed}")

        self.both(body)


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
