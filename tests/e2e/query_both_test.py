#!/usr/bin/env python3
"""`weir query --with-spool`: a Loki and a spool together; `weir serve` stands for the Loki."""
import json
import sqlite3
import subprocess
import time
import unittest

import serve_kit
import weir_kit as kit

SECOND = 1_000_000_000
FIRST = (int(time.time()) // 60 - 20) * 60 * SECOND
METRICS = ('sum by (app) (count_over_time({app=~"shop|cart"}[2m]))', 'sum(rate({app=~".+"} |= "5" [3m]))',
           'sum by (app) (count_over_time({app="shop"} | json | status=500 [5m])) / sum by (app) (count_over_time({app="shop"}[5m]))',
           'sum(count_over_time({app="shop"}[1m])) - sum(count_over_time({app="shop"}[1m] offset 4m))',
           'quantile_over_time(0.5, {app=~".+"} | json | unwrap took [4m]) by (app)')


def stamp(ns):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ns // SECOND))


class Both(kit.Case):
    def setUp(self):
        super().setUp()
        rows = [{"timestamp": str(FIRST + i * 2 * SECOND), "labels": {"app": "shop" if i % 3 else "cart"},
                 "line": json.dumps({"status": 500 if i % 7 == 0 else 200, "took": i % 11, "id": i})} for i in range(400)]
        self.whole = self.store("whole.db", rows)
        # The Loki lacks a piece in the middle and the end, the spool the beginning.
        self.spool = self.store("spool.db", rows[100:])
        self.loki = serve_kit.Serve(self.store("loki.db", rows[:150] + rows[250:380]), "--read-only")
        self.addCleanup(self.loki.stop)
        self.window = ["--from", stamp(FIRST), "--to", stamp(FIRST + 900 * SECOND)]

    def store(self, name, rows):
        text = "".join(json.dumps(row) + "\n" for row in rows).encode()
        subprocess.run([kit.WEIR, "buffer", "--store", "--min-free", "0", self.dir / name], input=text, check=True, stderr=subprocess.DEVNULL)
        return self.dir / name

    def query(self, *arguments):
        """The exit code, and what it prints."""
        done = subprocess.run([kit.WEIR, "query", *map(str, arguments)], capture_output=True, text=True, env=kit.environment(), timeout=60)
        return done.returncode, done.stdout, done.stderr

    def both(self, *arguments):
        return self.query("--addr", self.loki.url, "--with-spool", self.spool, *arguments)

    def test_metrics_are_those_of_all_records(self):
        for query in METRICS:
            for times in (["--step", "1m", *self.window], ["--instant", "--now", stamp(FIRST + 500 * SECOND)]):
                for form in ("jsonl", "csv", "text", "table", "raw"):
                    with self.subTest(query, times=times, form=form):
                        asked = [query, *times, "-o", form, "--utc"]
                        whole = self.query("--spool", self.whole, *asked)
                        self.assertEqual(whole[0], 0, whole[2])
                        self.assertTrue(whole[1])
                        self.assertEqual(self.both(*asked)[:2], whole[:2])

    def test_a_pipe_and_a_fused_chain(self):
        words = f"query --addr {self.loki.url} --with-spool {self.spool} -o jsonl {' '.join(self.window)}"
        for query in METRICS[:2] + ('{app="shop"} |= "500"',):
            with self.subTest(query):
                alone = self.both(query, "-o", "jsonl", *self.window)
                self.assertEqual(alone[0], 0, alone[2])
                fused = subprocess.run([kit.WEIR, "run", f"{words} '{query}'"], capture_output=True, text=True, env=kit.environment(), timeout=60)
                self.assertEqual((fused.returncode, fused.stdout), alone[:2], fused.stderr)

    def test_an_expectation_counts_both(self):
        self.assertEqual(self.both('{app=~".+"}', "--expect", "400", *self.window)[0], 0)
        self.assertEqual(self.both('{app=~".+"}', "--expect-max", "399", *self.window)[0], 1)
        code, _, text = self.both('{app=~".+"}', "--expect", "400", "--wait", "1s", "--since", "30m")
        self.assertEqual(code, 2)
        self.assertIn("cannot take --with-spool together with --wait", text)

    def test_a_damaged_spool_is_an_incomplete_answer(self):
        with sqlite3.connect(self.spool) as database:
            database.execute("UPDATE bodies SET body = CAST(substr(body, 1, length(body) - 1) || x'7f' AS BLOB)")
        code, out, text = self.both(METRICS[0], "-o", "jsonl", *self.window)
        self.assertEqual(code, 3, text)
        of_loki = self.query("--addr", self.loki.url, METRICS[0], "-o", "jsonl", *self.window)
        self.assertEqual(out, of_loki[1])

    def test_a_loki_that_is_gone_is_an_error(self):
        self.loki.stop()
        for query in (METRICS[0], '{app="shop"}'):
            code, out, text = self.both(query, "-o", "jsonl", *self.window)
            self.assertEqual((code, out), (4, ""), text)
            self.assertIn("cannot reach", text)


if __name__ == "__main__":
    unittest.main()
