#!/usr/bin/env python3
"""buffer --spill: next to nothing is stored while the target keeps up, nothing is lost when it does not, or when processes are killed."""
import collections
import json
import os
import random
import signal
import subprocess
import sys
import unittest

import weir_kit as kit

LINES = 12000


class Spill(kit.SinkCase):
    def write(self, seconds=4):
        return self.start(kit.PODGEN, str(self.pods), "--truth", str(self.dir / "truth"), "--rate", str(LINES / seconds), "--seconds", str(seconds),
                          "--pods", "4", "--late-pods", "1", "--partial", stdout=subprocess.PIPE)

    def stages(self):
        return [f"tail -f --checkpoint {self.spool} {self.pods}", "filter --drop '|= \"/healthz\"'", f"buffer {self.spool} --spill --min-free 0",
                f"push {self.url}"]

    def refuse(self, count, status=503):
        kit.get(f"{self.url}/fail?status={status}&count={count}", data=b"")

    def delivered(self):
        return kit.sink_stats(self.url)["entries"]

    def expected(self):
        return kit.keep(kit.truth(self.dir / "truth"), lambda _, line: "/healthz" not in line)

    def distinct(self):
        return sum(len(set(rows)) for rows in kit.sink_records(self.record).values())

    def status(self):
        return json.loads(kit.weir("spool", "status", self.spool, "-o", "json"))

    def check(self, chain, expect=(0, 143)):
        expected = self.expected()
        kit.wait_for(lambda: self.distinct() >= kit.count(expected), lambda: f"{self.distinct()} of {kit.count(expected)}\n{chain.errors()}")
        chain.stop(expect)
        rows = kit.sink_records(self.record)
        for key, want in expected.items():
            self.assertEqual(list(collections.OrderedDict.fromkeys(row[:2] for row in rows[key])), want, key)
        return sum(map(len, rows.values())) - kit.count(expected)

    def test_nothing_is_stored_while_the_target_keeps_up(self):
        def body(fused):
            chain = self.chain(self.stages(), fused)
            writer = self.write()
            writer.communicate()
            self.assertEqual(self.check(chain), 0, "something was sent twice")
            status = self.status()
            self.assertEqual(status["records"], 0)
            # A second run finds nothing to do.
            before = self.delivered()
            self.run_chain([s.replace("tail -f", "tail") for s in self.stages()], fused)
            self.assertEqual(self.delivered(), before)

        self.both(body)

    def test_what_an_outage_holds_up_is_stored_and_delivered_afterwards(self):
        def body(fused):
            self.refuse(10**6)
            chain = self.chain(self.stages(), fused)
            self.write(2).communicate()
            kit.wait_for(lambda: self.spool.exists() and self.status()["undelivered"] > 0, chain.errors)
            self.refuse(0)
            self.assertEqual(self.check(chain), 0)
            self.assertEqual(self.status()["undelivered"], 0)

        self.both(body)

    def test_stopped_in_an_outage_and_started_again(self):
        def body(fused):
            self.refuse(10**6)
            chain = self.chain(self.stages(), fused)
            self.write(1).communicate()
            kit.wait_for(lambda: "trying again" in chain.errors(), chain.errors)
            chain.signal(signal.SIGTERM)
            chain.wait()
            self.refuse(0)
            self.assertEqual(self.check(self.chain(self.stages(), fused)), 0)

        self.both(body)

    def quiet(self):
        """Whether all that push had in flight has been answered, as far as one can see from here."""
        before = kit.sink_stats(self.url)["requests"]
        return not kit.poll(lambda: kit.sink_stats(self.url)["requests"] > before, 0.15)

    def crash(self, fused, kills, seed, at):
        """Kills one process, or all, each time `at(goal)` holds."""
        dice = random.Random(seed)
        writer = self.write()
        chain = self.chain(self.stages(), fused)
        for i in range(kills):
            goal = LINES * (i + 1) * 0.7 / (kills + 1)
            kit.wait_for(lambda g=goal: at(g) or not chain.running(), lambda g=goal: f"{g} records\n{chain.errors()}")
            self.assertTrue(chain.running(), f"seed {seed}: {chain.errors()}")
            victim = None if fused else dice.choice([None, 0, 1, 2, 3])
            chain.kill(victim)
            if victim is not None:
                chain.signal(signal.SIGTERM, 0)  # an idle tail sees late that its reader has gone
                chain.wait()
            chain = self.chain(self.stages(), fused)
        writer.communicate()
        self.assertEqual(writer.returncode, 0)
        return chain

    def test_killed_in_the_middle_of_it(self):
        seed = int(os.environ.get("WEIR_TEST_SEED", "45"))
        self.both(lambda fused: self.check(self.crash(fused, 6, seed, lambda goal: self.delivered() >= goal)))

    def test_what_was_answered_before_a_kill_is_not_sent_again(self):
        seed = int(os.environ.get("WEIR_TEST_SEED", "46"))

        def body(fused):
            repeated = self.check(self.crash(fused, 3, seed, lambda goal: self.delivered() >= goal and self.quiet()))
            self.assertEqual(repeated, 0, f"seed {seed}")

        self.both(body)


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
