#!/usr/bin/env python3
"""This release and the one before (WEIR_RELEASE_BIN) take turns on one spool: upgrade, roll back, upgrade again. Nothing is lost.

Pods write and rotate all the time. A turn ends with SIGKILL or with a stop in good order. Meanwhile the other release reads the spool.
"""
import collections
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time
import unittest

import fake_kube
import weir_kit as kit

NEW = os.path.abspath(kit.WEIR)
OLD = os.environ.get("WEIR_RELEASE_BIN", "")
NAMES = {OLD: "old", NEW: "new"}
TURNS = (OLD, NEW, OLD, NEW)
RATE, SECONDS = 2500, 6


def weir(binary, *args, expect=0):
    """One command of one release; its standard output."""
    done = subprocess.run([binary, *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=kit.environment(),
                          check=False)
    if expect is not None and done.returncode not in (expect if isinstance(expect, tuple) else (expect,)):
        raise AssertionError(f"{NAMES[binary]}: weir {args}: exit {done.returncode}\n{done.stderr.decode(errors='replace')}")
    return done.stdout


def status(binary, spool):
    return json.loads(weir(binary, "spool", "status", spool, "-o", "json"))


class Reader(threading.Thread):
    """Reads the spool again and again with the release that does not run the chain. `errors` has what went wrong."""

    def __init__(self, spool):
        super().__init__()
        self.spool, self.binary, self.ended = spool, NEW, threading.Event()
        self.errors, self.reads = [], collections.Counter()

    def run(self):
        commands = (("replay", self.spool, "-o", "raw", "--since", "2s"), ("query", "--spool", self.spool, "{}", "--limit", "5", "-o", "jsonl"),
                    ("spool", "status", self.spool, "-o", "json"), ("spool", "check", self.spool))
        while not self.ended.wait(0.05):
            for command in commands:
                binary = self.binary
                if not self.spool.exists() or self.spool.stat().st_size == 0:
                    continue
                done = subprocess.run([binary, *map(str, command)], stdin=subprocess.DEVNULL, capture_output=True, env=kit.environment(), check=False)
                self.reads[NAMES[binary]] += 1
                # 1: nothing in the last seconds. A spool of which nothing is committed yet has nothing to read.
                if done.returncode not in (0, 1) and b"nothing is stored" not in done.stderr:
                    self.errors.append(f"{NAMES[binary]} {command}: {done.returncode} {done.stderr.decode(errors='replace')}")


class Upgrade(kit.Case):
    def setUp(self):
        super().setUp()
        self.pods = self.dir / "pods"
        self.pods.mkdir()
        self.spool = self.dir / "spool.db"
        self.record = self.dir / "sink"
        self.url = self.sink(self.record)

    def pods_write(self, seconds=SECONDS, *options):
        return self.start(kit.PODGEN, str(self.pods), "--truth", str(self.dir / "truth"), "--rate", str(RATE), "--seconds", str(seconds), "--pods", "4",
                          "--late-pods", "1", "--partial", "--rotate-bytes", "120000", "--keep", "50", *options, stdout=subprocess.PIPE)

    def turn(self, binary, stages, fused):
        chain = kit.Chain(stages, fused, self.dir, executable=binary)
        self.addCleanup(chain.kill)
        return chain

    def entries(self):
        return kit.sink_stats(self.url)["entries"]

    def take_turns(self, stages, fused, kills, reads=True):
        """The releases take turns while pods write; returns the last chain, when all lines have come to the sink."""
        writer = self.pods_write()
        reader = Reader(self.spool)
        if reads:
            reader.start()
        try:
            for number, binary in enumerate(TURNS):
                reader.binary = OLD if binary == NEW else NEW
                begun = self.entries()
                chain = self.turn(binary, stages, fused)
                goal = RATE * SECONDS * (number + 1) / (len(TURNS) + 1)
                if number + 1 < len(TURNS):
                    goal = max(goal, begun + 1)  # it has delivered something itself
                kit.wait_for(lambda: self.entries() >= goal or not chain.running(), lambda: f"{self.entries()} of {goal}\n{chain.errors()}")
                self.assertTrue(chain.running(), f"{NAMES[binary]}: {chain.errors()}")
                if number + 1 == len(TURNS):
                    break
                if kills:
                    chain.kill()
                else:
                    chain.stop()
            writer.communicate()
            self.assertEqual(writer.returncode, 0)
            expected = kit.truth(self.dir / "truth")
            seen = lambda: sum(len(set(rows)) for rows in kit.sink_records(self.record).values())
            kit.wait_for(lambda: seen() >= kit.count(expected), lambda: f"{seen()} of {kit.count(expected)}\n{chain.errors()}")
            chain.stop()
        finally:
            reader.ended.set()
            if reads:
                reader.join()
        self.assertEqual(reader.errors, [])
        if reads:
            self.assertTrue(reader.reads["old"] and reader.reads["new"], reader.reads)
        return expected

    def check(self, expected, kills):
        """Every line, in order; once, unless it was in flight when a process was killed."""
        repeats = 0
        found = kit.sink_records(self.record)
        for key, want in expected.items():
            rows = [(ns, line) for ns, line, *_ in found.get(key, [])]
            first = list(dict.fromkeys(rows))
            self.assertEqual(first, list(dict.fromkeys(want)), key)
            repeats += len(rows) - len(want)
            # No process sends a line twice. How much is in flight at a kill is what loki.crash measures.
            often = collections.Counter(rows)
            of_truth = collections.Counter(want)
            most = {row: count for row, count in often.items() if count > of_truth[row] * (len(TURNS) if kills else 1)}
            self.assertEqual(most, {}, key)
        self.assertEqual({key for key in found if found[key]}, {key for key, rows in expected.items() if rows})
        if kills:
            print(f"{repeats} of {kit.count(expected)} lines came twice, of {len(TURNS) - 1} kills", file=sys.stderr)
        else:
            self.assertEqual(repeats, 0)

    def each(self, stages_of, reads=True):
        for fused, kills in ((True, True), (False, False)):
            with self.subTest(fused=fused, kills=kills):
                self.setUp()
                expected = self.take_turns(stages_of(fused), fused, kills, reads)
                self.check(expected, kills)

    # ---- chains ------------------------------------------------------------------------------------------------------

    def test_through_a_spool(self):
        self.each(lambda fused: [f"tail -f --checkpoint {self.spool} {self.pods}", "enrich --level", f"buffer {self.spool} --min-free 0",
                                 f"push {self.url} --start-jitter 0"])
        for binary in (OLD, NEW):
            self.assertIn(b"sound", weir(binary, "spool", "check", self.spool))
            self.assertEqual(status(binary, self.spool)["consumers"][0]["behind_records"], 0)

    def test_spill(self):
        self.each(lambda fused: [f"tail -f --checkpoint {self.spool} {self.pods}", f"buffer --spill {self.spool} --min-free 0",
                                 f"push {self.url} --start-jitter 0"])

    def test_checkpoint(self):
        self.each(lambda fused: [f"tail -f --checkpoint {self.spool} {self.pods}", f"push {self.url} --checkpoint {self.spool} --start-jitter 0"], reads=False)

    # ---- what a spool remembers --------------------------------------------------------------------------------------

    def log(self, name="shop_web_uid"):
        path = self.pods / name / "app" / "0.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, *lines, name="shop_web_uid"):
        with self.log(name).open("a") as out:
            for line in lines:
                at = time.time_ns()
                out.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at // 10**9))}.{at % 10**9:09d}Z stdout F {line}\n")
        return list(lines)

    def lines(self):
        return [line for rows in kit.sink_records(self.record).values() for _, line, *_ in rows] if self.record.exists() else []

    def arrive(self, count, chain):
        kit.wait_for(lambda: len(self.lines()) >= count, lambda: f"{len(self.lines())} of {count}\n{chain.errors()}")

    def test_held_records_releases_and_consumers(self):
        """What one release holds, the other releases; consumers and rejected records stay what they were."""
        rules = self.dir / "rules"
        rules.write_text("hold |= \"debug\"\n")
        stages = [f"tail -f {self.pods}", f"filter --rules {rules}", f"buffer {self.spool} --min-free 0 --hold 1d", f"push {self.url} --start-jitter 0"]
        kept, held, released = [], [], []
        for number, binary in enumerate(TURNS):
            other = OLD if binary == NEW else NEW
            chain = self.turn(binary, stages, True)
            kept += self.write(*(f"info {number}-{i}" for i in range(20)))
            held += self.write(*(f"debug {number}-{i}" for i in range(20)))
            self.arrive(len(kept) + len(released), chain)
            kit.wait_for(lambda: status(other, self.spool)["held"] == len(held) - len(released), chain.errors)
            # The release that does not run asks; the one that runs copies and delivers.
            if number in (1, 2):
                weir(other, "replay", self.spool, "--held", "--release", "--release-id", f"r{number}", f'|= "debug {number - 1}-"')
                released += [line for line in held if line.startswith(f"debug {number - 1}-")]
                self.arrive(len(kept) + len(released), chain)
                again = weir(other, "replay", self.spool, "--held", "--release", "--release-id", f"r{number}", f'|= "debug {number - 1}-"')
                self.assertIn(b"has had a release of this name", again)
            # A second consumer reads with the other release and stops half-way.
            if number == 0:
                weir(other, "push", "--spool", self.spool, "--as", "archive", "--once", self.url + "/archive", expect=(0, 3, 4))
            chain.stop()
            for reader in (OLD, NEW):
                seen = status(reader, self.spool)
                self.assertEqual(seen["held"], len(held) - len(released), NAMES[reader])
                self.assertEqual(sorted(c["name"] for c in seen["consumers"]), ["archive", "main"])
                self.assertIn(b"sound", weir(reader, "spool", "check", self.spool))
        lines = collections.Counter(self.lines())
        for line in kept:
            self.assertGreaterEqual(lines[line], 1, line)
        for line in released:
            self.assertEqual(lines[line], 1, line)
        for line in set(held) - set(released):
            self.assertEqual(lines[line], 0, line)

    def test_what_stands_beside_it(self):
        """Kept text of pipelines and rules, the values of enrich, the cache of pods, the status files: each release uses what the other wrote."""
        kube = fake_kube.FakeKube()
        self.addCleanup(kube.close)
        kube.put(fake_kube.pod("uid", "shop", "web", {"app": "shop-web"}))
        rules, pipeline = self.dir / "rules", self.dir / "node.weir"
        good_rules, good_pipeline = "drop |= \"noise\"\n", (
            f"tail -f {self.pods} | enrich --kubernetes api --kube-server {kube.url} --node-name n1 --wait 1s --parse logfmt --to-label user --max-values user=2 | "
            f"filter --rules {rules} | buffer {self.spool} --min-free 0 | push {self.url} --start-jitter 0\n")
        count = 0
        for number, binary in enumerate(TURNS):
            other = OLD if binary == NEW else NEW
            # From the second turn on, the start has a mistake in each text, and no API server answers.
            rules.write_text(good_rules if number == 0 else "dorp\n")
            pipeline.write_text(good_pipeline if number == 0 else good_pipeline.replace("tail", "tali"))
            kube.hang(number > 0)
            with open(self.dir / f"err-{number}", "wb") as errors:
                process = self.start(binary, "run", str(pipeline), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, env=kit.environment())
            said = lambda: (self.dir / f"err-{number}").read_text()
            self.write(f"user=u{number} line {number}", "noise")
            count += 1
            kit.wait_for(lambda: len(self.lines()) >= count or process.poll() is not None, said)
            self.assertIsNone(process.poll(), said())
            seen = status(other, self.spool)
            self.assertEqual((seen["writer"]["running"], seen["writer"]["pid"]), (True, process.pid), "the status file of the other release")
            if number == 2:
                process.kill()
            else:
                process.send_signal(signal.SIGTERM)
            process.wait()
            if number > 0:
                self.assertIn("node.weir", said())
                self.assertIn("rules", said())
        rows = [row for rows in kit.sink_records(self.record).values() for row in rows]
        self.assertEqual(sorted({line for _, line, *_ in rows}), [f"user=u{i} line {i}" for i in range(len(TURNS))])
        labels = {line: dict(labels) for _, line, labels, _ in rows}
        self.assertEqual({one.get("app") for one in labels.values()}, {"shop-web"}, "the cache of pods")
        self.assertEqual([labels[f"user=u{i} line {i}"].get("user", "-") in (f"u{i}",) for i in range(len(TURNS))], [True, True, False, False],
                         "two values, whichever release counted them")

    def test_files_are_read_by_both(self):
        """A spool, a copy and an export of this release, and a spool of the release before, are the same to both."""
        self.podgen("--pods", "3", "--lines", "3000", "--rotate-bytes", "50000", "--gzip", out=self.pods)
        made = []
        for binary in (OLD, NEW):
            spool = self.dir / f"{NAMES[binary]}.db"
            weir(binary, "run", "-c", f"tail {self.pods} | enrich --level | buffer {spool} --store --min-free 0")
            copy = self.dir / f"{NAMES[binary]}-copy.db"
            weir(binary, "spool", "copy", spool, copy)
            made += [spool, copy]
            # Each copies what the other one wrote.
            weir(OLD if binary == NEW else NEW, "spool", "copy", spool, self.dir / f"{NAMES[binary]}-copied.db")
            made.append(self.dir / f"{NAMES[binary]}-copied.db")
        rules = self.dir / "rules"
        rules.write_text("redact `[0-9]{3,}` with \"N\"\n")
        for spool in ("old", "new"):
            made.append(self.dir / f"{spool}-export.db")
            weir(NEW, "replay", self.dir / f"{spool}.db", "--export", made[-1], "--rules", rules)
        for file in made:
            with self.subTest(file=file.name):
                answers = collections.defaultdict(list)
                for binary in (OLD, NEW):
                    answers["replay"].append(weir(binary, "replay", file, "-o", "jsonl"))
                    answers["query"].append(weir(binary, "query", "--spool", file, '{namespace=~".+"} |= "a"', "-o", "jsonl", "--limit", "0"))
                    seen = status(binary, file)
                    answers["status"].append({name: seen[name] for name in ("records", "held", "undelivered", "consumers", "positions", "oldest", "newest")})
                    answers["check"].append(weir(binary, "spool", "check", file))
                for what, (old, new) in answers.items():
                    self.assertEqual(old, new, what)
                self.assertEqual(len(answers["replay"][0].splitlines()), 3000)
                self.assertIn(b"sound", answers["check"][0])


if __name__ == "__main__":
    if not OLD:
        print("SKIPPED: no release before to take turns with (tests/run.sh builds it out of the history; WEIR_RELEASE_BIN names it)", file=sys.stderr)
        sys.exit(77)
    print(f"{OLD}: {subprocess.run([OLD, '--version'], capture_output=True, text=True, check=True).stdout.splitlines()[0]}", file=sys.stderr)
    unittest.main(argv=sys.argv, verbosity=2)
