#!/usr/bin/env python3
"""Held records: stored and not delivered, in the pipe and fused, with and without --spill; kills neither lose nor double them; in an outage they
give way.

Until rules hold records by themselves, a small process between tail and buffer marks those whose line has the word `debug`.
"""
import collections
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import unittest

import weir_kit as kit

# Marks records, and leaves markers and all else as they are.
HOLD = """
import json, sys
for line in sys.stdin:
    record = json.loads(line)
    if "debug" in record.get("line", ""):
        record["held"] = True
        line = json.dumps(record) + "\\n"
    sys.stdout.write(line)
    sys.stdout.flush()
"""
# What buffer says at its end, and push --spool at its start.
NOTES = r"([\d,]+) held records? stays? in the spool"


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class Hold(kit.SinkCase):
    def setUp(self):
        super().setUp()
        self.written = {"web": 0, "debug": 0}

    def both(self, body):
        for fused in (False, True):
            for spill in (False, True):
                with self.subTest(fused=fused, spill=spill):
                    self.setUp()
                    body(fused, spill)

    def write(self, web, debug):
        path = self.pods / "shop_a_uid-a" / "app" / "0.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        stamp = now()
        with open(path, "a", encoding="ascii") as log:
            for kind, count in (("debug", debug), ("web", web)):
                for _ in range(count):
                    log.write(f"{stamp} stdout F {kind} {self.written[kind]}\n")
                    self.written[kind] += 1

    def feed(self, follow):
        """tail, and what marks its records: the standard input of the chain."""
        tail = self.start(kit.WEIR, "tail", *(["-f"] if follow else []), "--checkpoint", str(self.spool), str(self.pods), stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, env=kit.environment())
        read, write = os.pipe()
        marks = self.start(sys.executable, "-c", HOLD, stdin=tail.stdout, stdout=write)
        os.close(write)
        tail.stdout.close()
        self.feeders = [tail, marks]
        return f"/dev/fd/{read}", read

    def begin(self, fused, spill, follow=True, options=""):
        stages = [f"buffer {self.spool} --min-free 0{' --spill' if spill else ''} {options}", f"push {self.url} --start-jitter 0"]
        name, descriptor = self.feed(follow)
        chain = self.chain(stages, fused, stdin=name)
        os.close(descriptor)
        return chain

    def end(self, chain):
        self.feeders[0].send_signal(signal.SIGTERM)
        codes = chain.wait()
        self.assertTrue(all(code == 0 for code in codes), f"{codes}\n{chain.errors()}")

    def kill(self, chain, victim=None):
        chain.kill(victim)
        for process in self.feeders:
            process.kill()
            process.wait()
        chain.signal(signal.SIGTERM)
        chain.wait()

    def delivered(self):
        return [row[1] for rows in kit.sink_records(self.record).values() for row in rows]

    def held(self):
        done = subprocess.run([kit.WEIR, "replay", str(self.spool), "--held"], env=kit.environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              check=False)
        return [json.loads(line)["line"] for line in done.stdout.splitlines()]

    def status(self, *options):
        return kit.weir("spool", "status", self.spool, *options).decode()

    def numbers(self):
        return json.loads(self.status("-o", "json"))

    def expected(self, kind):
        return [f"{kind} {n}" for n in range(self.written[kind])]

    def test_held_records_are_stored_and_the_others_delivered(self):
        def body(fused, spill):
            self.write(500, 200)
            chain = self.begin(fused, spill, follow=False)
            codes = chain.wait()
            self.assertEqual(codes, [0] * len(codes), chain.errors())
            self.assertEqual(self.delivered(), self.expected("web"))
            self.assertEqual(self.held(), self.expected("debug"))
            self.assertEqual(re.findall(NOTES, chain.errors()), ["200"])
            numbers = self.numbers()
            self.assertEqual((numbers["held"], numbers["undelivered"], numbers["delivered"]), (200, 0, 0 if spill else 500))
            self.assertIn("held          200 records, ", self.status())
            # A second run finds nothing to do, and doubles nothing.
            self.begin(fused, spill, follow=False).wait()
            self.assertEqual(self.held(), self.expected("debug"))
            self.assertEqual(len(self.delivered()), 500)

        self.both(body)

    def test_nothing_is_said_where_nothing_was_held(self):
        self.write(10, 0)
        chain = self.begin(True, False, follow=False)
        chain.wait()
        self.assertNotIn("held", chain.errors() + self.status())

    def test_push_from_the_spool_says_what_stays(self):
        self.write(20, 7)
        feed, descriptor = self.feed(False)
        self.run_chain([f"buffer --store {self.spool} --min-free 0"], False, stdin=feed)
        os.close(descriptor)
        chain = self.chain([f"push {self.url} --spool {self.spool} --once"], False)
        self.assertEqual(chain.wait(), [0], chain.errors())
        self.assertEqual(re.findall(NOTES, chain.errors()), ["7"])
        self.assertEqual(self.delivered(), self.expected("web"))

    def test_without_a_buffer_push_sends_none_and_says_so_once(self):
        lines = "".join(json.dumps({"timestamp": now(), "line": str(n), "labels": {"app": "a"}, **({"held": True} if n % 2 else {})}) + "\n"
                        for n in range(10))
        (self.dir / "in").write_text(lines)
        chain = self.chain([f"push {self.url}"], False, stdin=self.dir / "in")
        self.assertEqual(chain.wait(), [3], chain.errors())
        self.assertEqual(self.delivered(), ["0", "2", "4", "6", "8"])
        self.assertEqual(chain.errors().count("held records are not pushed"), 1)

    def test_killed_in_the_middle_of_it(self):
        seed = int(os.environ.get("WEIR_TEST_SEED", "7"))

        def body(fused, spill):
            dice = random.Random(seed)
            self.write(100, 100)
            chain = self.begin(fused, spill)
            for _ in range(5):
                self.write(400, 300)
                goal = len(self.delivered()) + dice.randrange(50, 400)
                kit.wait_for(lambda g=goal, c=chain: len(self.delivered()) >= g or not c.running(), chain.errors)
                self.write(dice.randrange(1, 100), dice.randrange(1, 100))
                time.sleep(dice.random() * 0.5)  # picks the moment of the kill, between two commits
                self.kill(chain, None if fused else dice.choice([None, 0, 1]))
                chain = self.begin(fused, spill)
            kit.wait_for(lambda: set(self.delivered()) >= set(self.expected("web")), chain.errors)
            self.end(chain)
            self.assertEqual(self.held(), self.expected("debug"), f"seed {seed}")
            self.assertEqual(list(collections.OrderedDict.fromkeys(self.delivered())), self.expected("web"), f"seed {seed}")

        self.both(body)

    def test_in_an_outage_they_give_way_and_collection_goes_on(self):
        """Held lines that would fill the spool four times over, and others that fit."""
        kit.get(f"{self.url}/fail?status=503&count={10**6}", data=b"")
        noise = random.Random(3)

        def lines(kind, count):
            for n in range(count):
                yield {"timestamp": now(), "line": f"{kind} {n} {noise.randbytes(400).hex()}", "labels": {"app": kind}}

        with open(self.dir / "in", "w", encoding="ascii") as out:
            web = lines("web", 2000)
            for i, record in enumerate(lines("debug", 40000)):
                out.write(json.dumps({**record, "held": True}) + "\n")
                if i % 20 == 0:
                    out.write(json.dumps(next(web)) + "\n")
        stages = [f"buffer {self.spool} --min-free 0 --max-size 4MiB", f"push {self.url} --start-jitter 0"]
        chain = self.chain(stages, True, stdin=self.dir / "in")
        kit.wait_for(lambda: "trying again" in chain.errors() and self.numbers()["undelivered"] == 2000, chain.errors)
        chain.signal(signal.SIGTERM)
        chain.wait()
        numbers = self.numbers()
        self.assertEqual((numbers["undelivered"], numbers["evicted_undelivered"]), (2000, 0), chain.errors())
        self.assertLess(numbers["held"], 4000)
        self.assertLess(numbers["file_bytes"] + numbers["log_bytes"], 5 << 20)


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
