#!/usr/bin/env python3
"""What a real Loki refuses costs nothing but itself: the rest is there once, by counting, and what was refused is in the rejected store."""
import itertools
import json
import os
import signal
import sys
import time
import unittest

import loki_server
import weir_kit as kit

SECOND = 1_000_000_000
NOW = int(time.time()) * SECOND
HOUR = 3600 * SECOND
DAY = 24 * HOUR
RUNS = itertools.count()

loki = None


def setUpModule():
    global loki
    if not os.environ.get("LOKI_BIN"):
        print("SKIPPED: limits of its own need LOKI_BIN", file=sys.stderr)
        sys.exit(77)
    loki = loki_server.Loki(limits={"reject_old_samples_max_age": "168h"})


def tearDownModule():
    loki.stop()


def record(ns, line, labels):
    return {"timestamp": str(ns), "line": line, "labels": labels}


class Refusal(kit.Case):
    def setUp(self):
        super().setUp()
        self.run_name = f"refusal-{NOW}-{next(RUNS)}"
        self.spool = self.dir / "spool.db"

    def rows(self, streams):
        """The rows of several streams, taking turns as a node's logs do."""
        return [row for turn in itertools.zip_longest(*streams) for row in turn if row is not None]

    def stream(self, app, start, step, count):
        return [record(start + i * step, f"{app} line {i} {'x' * 60}", {"run": self.run_name, "app": app}) for i in range(count)]

    def deliver(self, rows, fused, *args, target=None, expect=(0, 3)):
        """Through a spool into Loki; afterwards nothing is undelivered. The rejected records."""
        path = self.dir / "in.jsonl"
        with open(path, "w", encoding="ascii") as out:
            for row in rows:
                out.write(json.dumps(row) + "\n")
        self.run_chain([f"buffer {self.spool}", " ".join(["push", (target or loki).url, *args])], fused, expect=expect, stdin=path)
        status = json.loads(kit.weir("spool", "status", self.spool, "-o", "json"))
        self.assertEqual(status["undelivered"], 0)
        return [json.loads(text) for text in kit.weir("replay", self.spool, "--rejected", "-o", "jsonl", expect=(0, 1)).splitlines() if b'"line"' in text]

    def count(self, start, end, target=None):
        seconds = (end - start) // SECOND + 2
        return (target or loki).counted(f'{{run="{self.run_name}"}}', seconds, end + SECOND)

    def one_bad_line(self, bad, place, fused, args, reason, status):
        """100,000 lines of seven streams, two of them almost as old as Loki allows, and the bad one in the midst of one of them."""
        recent, old = NOW - 600 * SECOND, NOW - 7 * DAY + 2 * HOUR
        streams = [self.stream(f"new-{i}", recent, 600 * SECOND // 15000, 15000) for i in range(5)]
        streams += [self.stream(f"old-{i}", old, 1800 * SECOND // 12500, 12500) for i in range(2)]
        streams[place].insert(len(streams[place]) // 2, bad)
        rows = self.rows(streams)
        self.assertEqual(len(rows), 100_001)
        rejected = self.deliver(rows, fused, *args)
        self.assertEqual([r["line"][:40] for r in rejected], [bad["line"][:40]])
        self.assertEqual(rejected[0]["rejected"]["status"], status)
        self.assertIn(reason, rejected[0]["rejected"]["reason"])
        self.assertEqual(self.count(recent, NOW), 75_000)
        loki.flush()
        kit.wait_for(lambda: self.count(old, old + 1800 * SECOND) == 25_000, lambda: f"{self.count(old, old + 1800 * SECOND)} of 25,000 old lines")

    def test_one_line_that_is_too_old(self):
        for args, status in ((["--max-age", "0"], 400), ([], 0)):
            with self.subTest(args=args):
                self.setUp()
                self.one_bad_line(record(NOW - 8 * DAY, "too old", {"run": self.run_name, "app": "old-1"}), 6, status == 0, args, "has timestamp too old", status)

    def test_one_line_that_is_too_long(self):
        for args, status in ((["--max-line-size", "0"], 400), ([], 0)):
            with self.subTest(args=args):
                self.setUp()
                bad = record(NOW - 300 * SECOND, "too long " + "y" * 300_000, {"run": self.run_name, "app": "new-2"})
                self.one_bad_line(bad, 2, status == 0, args, "max entry size '262144' bytes exceeded", status)

    def test_one_line_with_too_many_labels(self):
        for args, status in ((["--max-labels", "0"], 400), ([], 0)):
            with self.subTest(args=args):
                self.setUp()
                labels = {"run": self.run_name, "app": "new-3", **{f"l{i}": "v" for i in range(15)}}
                self.one_bad_line(record(NOW - 300 * SECOND, "bad labels", labels), 3, status == 0, args, "label names; limit 15", status)

    def test_thousands_that_are_too_old_for_this_loki(self):
        """Its limit is below ours: the answer names each second of them, and is longer than anybody wants to read."""
        target = loki_server.Loki(limits={"reject_old_samples_max_age": "24h"})
        try:
            for fused in (False, True):
                with self.subTest(fused=fused):
                    self.setUp()
                    start = NOW - 24 * HOUR - 6000 * SECOND
                    rows = self.stream("x", start, SECOND, 6000) + self.stream("x", NOW - 3000 * SECOND, SECOND, 3000)
                    rejected = self.deliver(rows, fused, "--max-age", "0", target=target)
                    # The clock goes on meanwhile: some of the youngest old ones became too old on their way.
                    self.assertGreaterEqual(len(rejected), 5900)
                    self.assertLessEqual(len(rejected), 6000)
                    self.assertEqual({r["rejected"]["status"] for r in rejected}, {400})
                    target.flush()
                    kit.wait_for(lambda r=rejected, s=start: len(r) + self.count(s, NOW, target) == 9000,
                                 lambda r=rejected, s=start: f"{len(r)} rejected, {self.count(s, NOW, target)} in Loki")
        finally:
            target.stop()

    def test_behind_and_too_old_at_once(self):
        """What the ingester says of those that are behind hides what the distributor had refused before."""
        rows = [record(NOW - 30 * SECOND + i, f"first {i}", {"run": self.run_name, "app": "x"}) for i in range(10)]
        mixed = []
        for i in range(300):
            age = 8 * DAY if i % 10 == 3 else 3 * HOUR if i % 10 == 7 else 20 * SECOND
            mixed.append(record(NOW - age + i, f"mixed {i}", {"run": self.run_name, "app": "x"}))
        self.assertEqual(self.deliver(rows, True), [])
        rejected = self.deliver(mixed, True, "--max-age", "0")
        self.assertEqual(sorted(r["line"] for r in rejected), sorted(f"mixed {i}" for i in range(300) if i % 10 in (3, 7)))
        self.assertEqual(self.count(NOW - HOUR, NOW), 250)
        entries = loki.entries(f'{{run="{self.run_name}"}}', NOW - HOUR, NOW + HOUR)
        self.assertEqual(len({line for _, _, line, _ in entries}), 250)

    def test_refused_records_get_in_with_the_present_time(self):
        rejected = self.deliver([record(NOW - 9 * DAY + i, f"line {i}", {"run": self.run_name, "app": "x"}) for i in range(20)], False)
        self.assertEqual(len(rejected), 20)
        self.run_chain([f"replay {self.spool} --rejected --retime now", f"push {loki.url}"], False)
        self.assertEqual(kit.weir("replay", self.spool, "--rejected", "-o", "raw", expect=1), b"")
        entries = loki.entries(f'{{run="{self.run_name}"}}', NOW - HOUR, time.time_ns() + HOUR)
        self.assertEqual(sorted(line for _, _, line, _ in entries), sorted(f"line {i}" for i in range(20)))
        self.assertTrue(all(dict(metadata)["weir_original_timestamp"].startswith("20") for _, _, _, metadata in entries))


class Limits(kit.Case):
    """Streams over Loki's limits wait alone."""

    def setUp(self):
        super().setUp()
        self.spool = self.dir / "spool.db"

    def follow(self, rows, url, fused):
        path = self.dir / "in.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        self.run_chain([f"buffer {self.spool} --store"], fused=True, stdin=path)
        return self.chain([f"push --spool {self.spool} {url} --drain-rate 0"], fused)

    def test_a_stream_over_its_rate(self):
        target = loki_server.Loki(limits={"shard_streams": "{enabled: false}"}, stream_rate="512KB")
        try:
            for fused in (False, True):
                with self.subTest(fused=fused):
                    self.setUp()
                    run = f"rate-{fused}"
                    hot = [record(NOW - 60 * SECOND + i, f"hot {i} {os.urandom(2000).hex()}", {"run": run, "app": "hot"}) for i in range(1000)]
                    calm = [record(NOW - 60 * SECOND + i, f"calm {i}", {"run": run, "app": "calm"}) for i in range(1000)]
                    chain = self.follow([row for pair in zip(hot, calm) for row in pair], target.url, fused)
                    count = lambda app, r=run: target.counted(f'{{run="{r}",app="{app}"}}', 600, NOW + 60 * SECOND)
                    kit.wait_for(lambda: count("calm") == 1000, chain.errors)
                    kit.wait_for(lambda: count("hot") >= 1000, chain.errors)
                    kit.wait_for(lambda: json.loads(kit.weir("spool", "status", self.spool, "-o", "json"))["undelivered"] == 0, chain.errors)
                    chain.stop()
                    lines = [int(e[2].split()[1]) for e in sorted(target.entries(f'{{run="{run}",app="hot"}}', NOW - 600 * SECOND, NOW + 60 * SECOND),
                                                                  key=lambda e: e[1])]
                    self.assertEqual(lines, list(range(1000)))
        finally:
            target.stop()

    def test_one_stream_too_many(self):
        target = loki_server.Loki(limits={"max_global_streams_per_user": 4})
        try:
            rows = [record(NOW - 60 * SECOND + i, f"line {i}", {"app": f"app-{i % 6}"}) for i in range(600)]
            chain = self.follow(rows, target.url, False)
            count = lambda: target.counted('{app=~".+"}', 600, NOW + 60 * SECOND)
            kit.wait_for(lambda: count() == 400 and "maximum active stream limit exceeded" in chain.errors(), chain.errors)
            status = lambda: json.loads(kit.weir("spool", "status", self.spool, "-o", "json"))
            kit.wait_for(lambda: status()["undelivered"] == 200, chain.errors)
            chain.stop()
            self.assertEqual((count(), status()["undelivered"]), (400, 200))
        finally:
            target.stop()


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
