#!/usr/bin/env python3
"""`weir query -f`, `--expect … --wait` and context over a spool that a chain writes."""
import json
import signal
import subprocess
import sys
import time
import unittest

import weir_kit as kit


class QueryFollow(kit.Case):
    def setUp(self):
        super().setUp()
        self.spool = self.dir / "spool.db"
        self.store(["first"])

    def store(self, lines, ago=0):
        now = time.time_ns() - ago * 10**9
        text = "".join(json.dumps({"timestamp": str(now + i), "line": line, "labels": {"pod": "a"}}) + "\n" for i, line in enumerate(lines))
        subprocess.run([kit.WEIR, "buffer", "--store", str(self.spool)], input=text.encode(), check=True, env=kit.environment(),
                       stderr=subprocess.DEVNULL)

    def query(self, *args, **kwargs):
        out, err = open(self.dir / "out", "wb"), open(self.dir / "err", "wb")
        with out, err:
            return self.start(kit.WEIR, "query", "--spool", str(self.spool), "-o", "raw", *args, stdout=out, stderr=err, env=kit.environment(), **kwargs)

    def lines(self):
        return (self.dir / "out").read_text().splitlines()

    def test_each_record_once_late_ones_too(self):
        process = self.query("-f")
        kit.wait_for(lambda: self.lines() == ["first"], "the record that was there")
        self.store(["second"])
        kit.wait_for(lambda: self.lines() == ["first", "second"], "a new record")
        self.store(["old"], ago=7200)
        kit.wait_for(lambda: self.lines() == ["first", "second", "old"], "an old record")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(), 130)
        self.assertEqual(self.lines(), ["first", "second", "old"])
        self.assertEqual((self.dir / "err").read_text(), "")

    def test_a_signal_and_a_reader_end_it(self):
        process = self.query("-f")
        kit.wait_for(self.lines, "a record")
        process.terminate()
        self.assertEqual(process.wait(), 143)
        process = self.start(kit.WEIR, "query", "--spool", str(self.spool), "-f", "-o", "raw", stdout=subprocess.PIPE, env=kit.environment())
        self.assertEqual(process.stdout.readline(), b"first\n")
        process.stdout.close()
        self.assertEqual(process.wait(timeout=kit.PATIENCE), 0)

    def test_an_expectation_is_waited_for(self):
        process = self.query("--expect", "2", "--wait", "60s")
        kit.wait_for(lambda: self.lines() == ["first"], "the record that was there")
        self.store(["second"])
        self.assertEqual(process.wait(timeout=kit.PATIENCE), 0)
        self.assertEqual(self.lines(), ["first", "second"])
        self.assertIn("expected 2 records, found 2", (self.dir / "err").read_text())
        process = self.query("--expect-none", "|= \"third\"", "--wait", "60s")
        self.store(["third"])
        self.assertEqual(process.wait(timeout=kit.PATIENCE), 1)
        self.assertEqual(self.lines(), ["third"])

    def test_context(self):
        self.store(["one", "two", "three", "four"])
        self.query("-C", "1", "|= \"three\"").wait()
        self.assertEqual([line for line in self.lines() if line != "--"], ["two", "three", "four"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
