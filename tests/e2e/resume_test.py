#!/usr/bin/env python3
"""A tracked chain that is killed and started again loses nothing and stores nothing twice."""
import collections
import os
import random
import signal
import subprocess
import sys
import time
import unittest

import weir_kit as kit

LINES = 12000


class Resume(kit.Case):
    def setUp(self):
        super().setUp()
        self.pods = self.dir / "pods"
        self.pods.mkdir()
        self.spool = self.dir / "spool.db"

    def write(self, seconds=4):
        return self.start(kit.PODGEN, str(self.pods), "--truth", str(self.dir / "truth"), "--rate", str(LINES / seconds), "--seconds", str(seconds),
                          "--pods", "4", "--late-pods", "1", "--partial", stdout=subprocess.PIPE)

    def stored(self):
        if not self.spool.exists():
            return 0
        return len(kit.weir("replay", self.spool, "-o", "jsonl", expect=None).splitlines())

    def expected(self):
        return kit.keep(kit.truth(self.dir / "truth"), lambda _, line: "/healthz" not in line)

    def stages(self, *behind):
        return [f"tail -f --checkpoint {self.spool} {self.pods}", "filter --drop '|= \"/healthz\"'", *behind]

    def crash(self, stages, fused, progress, kills, seed):
        """Runs the chain over a live tree and kills one process, or all, each time `progress()` has grown enough."""
        dice = random.Random(seed)
        writer = self.write()
        chain = self.chain(stages, fused)
        for i in range(kills):
            goal = LINES * (i + 1) * 0.8 / (kills + 1)
            kit.wait_for(lambda g=goal: progress() >= g or not chain.running(), f"{goal} records\n{chain.errors()}")
            self.assertTrue(chain.running(), f"seed {seed}: {chain.errors()}")
            victim = None if fused else dice.choice([None, *range(len(stages))])
            chain.kill(victim)
            if victim is not None:
                chain.wait()
            chain = self.chain(stages, fused)
        writer.communicate()
        self.assertEqual(writer.returncode, 0)
        return chain

    def test_into_a_spool(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                chain = self.crash(self.stages(f"buffer {self.spool} --store"), fused, self.stored, 5, 42)
                expected = self.expected()
                kit.wait_for(lambda: self.stored() >= kit.count(expected), chain.errors())
                chain.stop()
                self.assert_records(kit.weir("replay", self.spool, "-o", "jsonl").splitlines(), expected)

    def test_stopped_in_good_order_and_started_again(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                writer = self.write(2)
                stages = self.stages(f"buffer {self.spool} --store")
                for share in (0.2, 0.5):
                    chain = self.chain(stages, fused)
                    kit.wait_for(lambda g=share * LINES * 0.8: self.stored() >= g, chain.errors)
                    chain.stop()
                writer.communicate()
                once = [s.replace("tail -f", "tail") for s in stages]
                self.run_chain(once, fused)
                self.run_chain(once, fused)
                self.assert_records(kit.weir("replay", self.spool, "-o", "jsonl").splitlines(), self.expected())

    def test_through_a_spool_into_push(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                record = self.dir / "sink"
                url = self.sink(record)
                chain = self.crash(self.stages(f"buffer {self.spool}", f"push {url}"), fused, lambda: kit.sink_stats(url)["entries"], 4, 43)
                expected = self.expected()
                seen = lambda: sum(len(set(rows)) for rows in kit.sink_records(record).values())
                kit.wait_for(lambda: seen() >= kit.count(expected), lambda: f"{seen()} of {kit.count(expected)}\n{chain.errors()}")
                chain.stop()
                self.check_pushed(record, expected)

    def test_push_that_keeps_the_checkpoint(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                record = self.dir / "sink"
                url = self.sink(record)
                chain = self.crash(self.stages(f"push {url} --checkpoint {self.spool}"), fused, lambda: kit.sink_stats(url)["entries"], 4, 44)
                expected = self.expected()
                seen = lambda: sum(len(set(rows)) for rows in kit.sink_records(record).values())
                kit.wait_for(lambda: seen() >= kit.count(expected), lambda: f"{seen()} of {kit.count(expected)}\n{chain.errors()}")
                chain.stop()
                self.check_pushed(record, expected)

    def check_pushed(self, record, expected):
        """Nothing is missing; what came twice was in flight when a process was killed, and its first copies are in order."""
        for key, rows in kit.sink_records(record).items():
            first = list(collections.OrderedDict.fromkeys(row[:2] for row in rows))
            self.assertEqual(first, expected[key], key)

    def test_a_refusing_target_delays_and_loses_nothing(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                record = self.dir / "sink"
                url = self.sink(record)
                kit.get(f"{url}/fail?status=503&count=3", data=b"")
                subprocess.run([kit.PODGEN, str(self.pods), "--lines", "5000", "--pods", "3", "--truth", str(self.dir / "truth")], check=True,
                               stdout=subprocess.DEVNULL)
                self.run_chain([f"tail --checkpoint {self.spool} {self.pods}", "filter --drop '|= \"/healthz\"'", f"buffer {self.spool}",
                                f"push {url}"], fused)
                found = {key: [row[:2] for row in rows] for key, rows in kit.sink_records(record).items()}
                self.assertEqual(found, {k: v for k, v in self.expected().items() if v})

    def test_a_second_keeper_waits_and_says_who_holds_it(self):
        (self.pods / "ns_pod_uid" / "c").mkdir(parents=True)
        (self.pods / "ns_pod_uid" / "c" / "0.log").write_text(time.strftime("%Y-%m-%dT%H:%M:%S.0Z stdout F one\n", time.gmtime()))  # an old line would be left out
        first = self.chain(self.stages(f"buffer {self.spool} --store"), False)
        kit.wait_for(lambda: self.stored() == 1, first.errors)
        second = self.chain(self.stages(f"buffer {self.spool} --store --wait 0s"), False)
        self.assertEqual(second.processes[-1].wait(kit.PATIENCE), 4, second.errors())
        self.assertIn(str(first.processes[-1].pid), second.errors())
        first.stop()
        self.assertTrue(os.path.exists(self.spool))
        self.assertNotEqual(first.processes[0].returncode, -signal.SIGKILL)


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
