#!/usr/bin/env python3
"""`weir query` of a real Loki beside the same of a spool: instants, stats, volume, fields and values; and --with-spool."""
import json
import os
import random
import subprocess
import sys
import time
import unittest
import urllib.parse
import urllib.request

import loki_server
import weir_kit as kit

LOGCLI = os.environ.get("LOGCLI_BIN")
SECOND = 1_000_000_000
NOW = int(time.time()) // 60 * 60 * SECOND
FIRST = NOW - 900 * SECOND
loki = None


def setUpModule():
    global loki
    loki = loki_server.Loki()


def tearDownModule():
    loki.stop()


def stamp(ns):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ns // SECOND)) + f".{ns % SECOND:09d}Z"


class Query(kit.Case):
    def setUp(self):
        super().setUp()
        self.run_name = f"q-{NOW}-{self.id().rsplit('.', 1)[-1]}"
        self.selector = f'{{run="{self.run_name}"}}'
        self.window = ["--from", stamp(FIRST - SECOND), "--to", stamp(NOW)]

    def weir(self, *arguments, input=None, codes=(0,)):
        done = subprocess.run([kit.WEIR, "query", *arguments], input=input, capture_output=True, text=True, timeout=120)
        self.assertIn(done.returncode, codes, done.stderr)
        return done.stdout

    def of_loki(self, *arguments, **more):
        return self.weir("--addr", loki.url, *arguments, **more)

    def records(self, count, seed=1):
        chooser = random.Random(seed)
        rows = []
        for i in range(count):
            labels = {"run": self.run_name, "app": chooser.choice(("shop", "cart")), "pod": chooser.choice(("a", "b"))}
            line = chooser.choice((
                json.dumps({"status": chooser.choice((200, 404)), "took": f"{i % 7}ms", "user": {"id": f"u{i % 3}"}}),
                f"level=info n={i % 5} ok={chooser.choice(('true', 'false'))} size={i % 4 + 1}KB", f"plain text {i % 20}"))
            rows.append({"timestamp": stamp(FIRST + i * 600 * SECOND // count // SECOND * SECOND), "line": line, "labels": labels,
                         "metadata": {"trace": f"t{i % 4}"}})
        return rows

    def lines(self, rows):
        return "".join(json.dumps(row) + "\n" for row in rows)

    def push(self, rows, to=None):
        done = subprocess.run([kit.WEIR, "push", (to or loki).url], input=self.lines(rows), capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)

    def spool(self, rows, name="s.db"):
        path = str(self.dir / name)
        # What enrich adds is what Loki adds, so that both have the same labels and metadata.
        enriched = subprocess.run([kit.WEIR, "enrich", "--level"], input=self.lines(rows), capture_output=True, text=True, timeout=120)
        self.assertEqual(enriched.returncode, 0, enriched.stderr)
        done = subprocess.run([kit.WEIR, "buffer", path, "--store", "--min-free", "0"], input=enriched.stdout, capture_output=True, text=True,
                              timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        return path

    def wait_for(self, count):
        query = f"sum(count_over_time({self.selector}[1h]))"
        ask = ("--instant", "--now", stamp(NOW + SECOND), "-o", "jsonl", query)
        kit.wait_for(lambda: f'"{count}"' in self.of_loki(*ask, codes=(0, 1)), f"{count} records in Loki")

    def test_the_same_of_both(self):
        rows = self.records(300)
        self.push(rows)
        spool = self.spool(rows)
        self.wait_for(len(rows))
        counted = f'sum by (app, pod) (count_over_time({self.selector}[5m]))'
        both = [["--instant", "--now", stamp(NOW - 300 * SECOND), counted, "-o", "jsonl"],
                ["--instant", "--now", stamp(NOW), "1 + 1", "-o", "jsonl"],
                ["instant-query", "--now", stamp(NOW - 300 * SECOND), f"sum(rate({self.selector}[1m]))", "-o", "jsonl"],
                ["fields", self.selector, "-o", "jsonl", *self.window],
                ["fields", self.selector + ' |= "status" | json', "-o", "jsonl", *self.window],
                ["values", "status", self.selector, *self.window],
                ["values", "size", self.selector, *self.window],
                ["values", "trace", self.selector, *self.window]]
        for arguments in both:
            with self.subTest(arguments):
                self.assertEqual(self.of_loki(*arguments), self.weir("--spool", spool, *arguments))
        with self.subTest("an instant of records"):
            for of in (["--addr", loki.url], ["--spool", spool]):
                self.weir(*of, "--instant", self.selector, codes=(2,))

    def test_stats_and_volume(self):
        rows = self.records(200, seed=2)
        self.push(rows)
        spool = self.spool(rows)
        self.wait_for(len(rows))
        # Loki's index counts what is in chunks, so they have to be written.
        loki.flush()
        ask = ("stats", self.selector, "-o", "jsonl", *self.window)
        kit.wait_for(lambda: f'"entries":{len(rows)}' in self.of_loki(*ask, codes=(0, 1)), "all chunks in the index")
        one, other = (json.loads(self.weir(*of, "stats", self.selector, "-o", "jsonl", *self.window)) for of in (["--addr", loki.url], ["--spool", spool]))
        self.assertEqual((one["streams"], one["entries"]), (other["streams"], other["entries"]))
        names = [[json.loads(line)["labels"] for line in self.weir(*of, "volume", "--by", "app,pod", self.selector, "-o", "jsonl", *self.window).splitlines()]
                 for of in (["--addr", loki.url], ["--spool", spool])]
        self.assertEqual(*(sorted(json.dumps(labels, sort_keys=True) for labels in side) for side in names))

    def test_a_spool_fills_in(self):
        rows = self.records(400, seed=3)
        rows += rows[50:60]  # stored twice, in Loki once
        chooser = random.Random(4)
        there = [row for row in rows[:400] if chooser.random() < 0.6]
        here = [row for row in rows if row not in there or chooser.random() < 0.5]
        only_loki = [row for row in there if row not in here]
        self.push(there)
        spool = self.spool(here)
        stored = {}
        for row in there:
            stored.setdefault(json.dumps([row["labels"], row["timestamp"], row["line"]], sort_keys=True), [0, 0])[0] = 1  # Loki keeps one of equal ones
        for row in here:
            stored.setdefault(json.dumps([row["labels"], row["timestamp"], row["line"]], sort_keys=True), [0, 0])[1] += 1
        self.wait_for(sum(one for one, _ in stored.values()))
        self.assertTrue(only_loki)
        expected = sorted(key for key, counts in stored.items() for _ in range(max(counts)))
        for query in (self.selector, self.selector + ' | json | __error__="" or __error__!=""'):
            with self.subTest(query):
                found = [json.loads(line) for line in self.of_loki("--with-spool", spool, query, "-o", "jsonl", *self.window).splitlines()]
                times = [record["timestamp"] for record in found]
                self.assertEqual(times, sorted(times))
                keys = []
                for record in found:
                    labels = {name: value for name, value in record["labels"].items() if name != "service_name"}
                    keys.append(json.dumps([labels, stamp_of(record["timestamp"]), record["line"]], sort_keys=True))
                    self.assertIn("service_name", record["labels"])
                self.assertEqual(sorted(keys), expected)
        newest = self.of_loki("--with-spool", spool, self.selector, "--limit", "10", "-o", "jsonl", *self.window).splitlines()
        everything = self.of_loki("--with-spool", spool, self.selector, "-o", "jsonl", *self.window).splitlines()
        self.assertEqual([json.loads(line)["timestamp"] for line in newest], [json.loads(line)["timestamp"] for line in everything[-10:]])

    def metric_queries(self):
        run = f'run="{self.run_name}"'
        return [f'sum by (app, pod) (count_over_time({{{run}}}[1m]))', f'sum(rate({{{run}}} |= "status" [5m]))',
                f'sum by (app) (bytes_over_time({{{run}}}[2m]))', f'count_over_time({{{run}, app="shop"}}[90s])',
                f'sum by (status) (count_over_time({{{run}}} | json | __error__="" [3m]))',
                f'sum by (app) (count_over_time({{{run}}} | json | status>=400 | __error__="" [3m]))',
                f'sum by (pod) (sum_over_time({{{run}}} | logfmt | unwrap bytes(size) | __error__="" [2m]))',
                f'quantile_over_time(0.9, {{{run}}} | json | unwrap duration(took) | __error__="" [5m]) by (app)',
                f'sum by (app) (count_over_time({{{run}}} |= "404" [3m])) / sum by (app) (count_over_time({{{run}}}[3m]))',
                f'sum(count_over_time({{{run}, app="shop"}}[2m])) + sum(count_over_time({{{run}, app="cart"}}[2m]))',
                f'sum(count_over_time({{{run}}}[2m])) - sum(count_over_time({{{run}}}[2m] offset 3m))',
                f'sum by (kind) (count_over_time({{{run}}} | label_format kind="{{{{ .app }}}}-{{{{ .pod }}}}" | line_format "{{{{ .kind }}}}" |= "shop" [2m]))',
                # Weighed, so that no two pods have the same: of equal ones Loki takes any.
                f'topk(1, sum by (pod) (sum_over_time({{{run}}} | label_format n=`{{{{ if eq .pod "a" }}}}1000{{{{ else }}}}1001{{{{ end }}}}` | unwrap n [4m])))',
                f'sum by (trace) (count_over_time({{{run}}} | trace!="t1" [2m]))',
                f'absent_over_time({{{run}, app="nothing"}}[5m])']

    def metric_windows(self):
        yield ["--step", "1m", *self.window]
        yield ["--step", "37s", "--from", stamp(FIRST + 111 * SECOND), "--to", stamp(FIRST + 577 * SECOND)]
        yield ["--instant", "--now", stamp(FIRST + 480 * SECOND)]

    def assert_same_metrics(self, one, other, least):
        telling = 0
        for query in self.metric_queries():
            for window in self.metric_windows():
                with self.subTest(query, window=window):
                    expected = other(query, "-o", "jsonl", *window, codes=(0, 1))
                    self.assertEqual(one(query, "-o", "jsonl", *window, codes=(0, 1)), expected)
                    telling += bool(expected)
        self.assertGreaterEqual(telling, least)

    def test_metrics_of_both_where_loki_lacks_nothing(self):
        rows = self.records(400, seed=5)
        self.push(rows)
        spool = self.spool(rows)
        self.wait_for(len(rows))
        beside = lambda *arguments, **more: self.of_loki("--with-spool", spool, *arguments, **more)
        self.assert_same_metrics(beside, self.of_loki, 40)

    def test_metrics_of_both_where_loki_lacks_a_piece_in_the_middle(self):
        rows = self.records(400, seed=6)
        here = rows[100:]
        self.push(rows[:150] + rows[250:390])  # the spool alone has the middle and the end, Loki alone has the beginning
        spool, whole = self.spool(here), self.spool(rows, "whole.db")
        self.wait_for(290)
        beside = lambda *arguments, **more: self.of_loki("--with-spool", spool, *arguments, **more)
        self.assert_same_metrics(beside, lambda *arguments, **more: self.weir("--spool", whole, *arguments, **more), 40)

    def test_metrics_of_both_where_loki_has_nothing(self):
        spool = self.spool(self.records(300, seed=7))
        beside = lambda *arguments, **more: self.of_loki("--with-spool", spool, *arguments, **more)
        self.assert_same_metrics(beside, lambda *arguments, **more: self.weir("--spool", spool, *arguments, **more), 40)

    def assert_counts_of_both(self, spool, expected):
        """`expected`: stages of a query, and how many records they take, as Loki counts them, too."""
        for stages, count in expected.items():
            with self.subTest(stages):
                counted = ("--instant", "--now", stamp(NOW), f"sum(count_over_time({self.selector} {stages} [1h]))", "-o", "jsonl")
                self.assertIn(f'"value":"{count}"', self.of_loki(*counted))
                self.assertIn(f'"value":"{count}"', self.of_loki("--with-spool", spool, *counted))
                self.of_loki("--with-spool", spool, self.selector + stages, "--expect", str(count), *self.window)
                newest = self.of_loki("--with-spool", spool, self.selector + stages, "--limit", "1000", "-o", "raw", *self.window)
                self.assertEqual(len(newest.splitlines()), count)

    def test_labels_of_parsers_with_the_names_of_metadata(self):
        # Behind a parser Loki gives trace_id and level as metadata of all records, or as made by the parser of all.
        rows = []
        for i in range(20):
            line, metadata = (("plain", {"trace_id": "t1"}), ("trace_id=t1 x", {}), ("an error", {}), ("a fault", {"level": "error"}))[i % 4]
            rows.append({"timestamp": stamp(FIRST + i * SECOND), "line": line, "labels": {"run": self.run_name}, "metadata": metadata})
        self.push(rows)
        spool = self.spool(rows)
        self.wait_for(len(rows))
        self.assert_counts_of_both(spool, {
            "": 20, "| logfmt": 20, '| logfmt | trace_id="t1"': 10, '| regexp "(?P<trace_id>t1)" | trace_id="t1"': 10,
            '| pattern "trace_id=<trace_id> <_>" | trace_id="t1"': 10, '| regexp "(?P<level>error)"': 20, '| regexp "(?P<level>error)" | level="error"': 10,
            '| logfmt |= "plain"': 5, '| label_format trace_id="t1" | trace_id="t1"': 20, '| logfmt | drop trace_id': 20})

    def test_labels_of_streams_that_are_metadata_elsewhere(self):
        rows = []
        for i in range(20):
            labels, metadata = ({"run": self.run_name}, {"k": "v"}) if i % 2 else ({"run": self.run_name, "k": "v"}, {})
            rows.append({"timestamp": stamp(FIRST + i * SECOND), "line": f"line {i % 4}", "labels": labels, "metadata": metadata})
        self.push(rows)
        spool = self.spool(rows)
        self.wait_for(len(rows))
        self.assert_counts_of_both(spool, {"": 20, '| k="v"': 20, '|= "line 2"': 5, '| logfmt | k="v" |= "line 1"': 5})

    def test_a_range_that_is_longer_than_loki_takes(self):
        limited = loki_server.Loki(limits={"max_query_length": "10m"})
        self.addCleanup(limited.stop)
        of_limited = lambda *arguments, **more: self.weir("--addr", limited.url, *arguments, **more)
        # At the seams of parts of 10 minutes, and beside them.
        times = [NOW - minutes * 60 * SECOND + beside for minutes in (5, 10, 20, 30, 40, 50) for beside in (-SECOND, -1, 0, 1, SECOND)]
        rows = [{"timestamp": stamp(time), "line": str(time), "labels": {"run": self.run_name}} for time in times]
        self.push(rows, limited)
        spool = self.spool(rows[::2])
        window = ("--from", stamp(NOW - 3600 * SECOND), "--to", stamp(NOW))
        kit.wait_for(lambda: len(of_limited(self.selector, "-o", "raw", *window, codes=(0, 1)).splitlines()) >= len(rows), "all records in Loki")
        expected = [str(time) for time in sorted(times)]
        for of in ((), ("--with-spool", spool)):
            for more in (("--limit", "0"), ("--limit", "1000"), ("--forward", "--limit", "1000")):
                with self.subTest(of=of, more=more):
                    self.assertEqual(of_limited(*of, self.selector, "-o", "raw", *more, *window).splitlines(), expected)
        counted = ("--instant", "--now", stamp(NOW), f"sum(count_over_time({self.selector}[1h]))", "-o", "jsonl")
        self.assertIn(f'"value":"{len(rows)}"', of_limited("--with-spool", spool, *counted))
        # A metric query of Loki alone is not put together from parts.
        self.assertEqual(of_limited(f"rate({self.selector}[1m])", "--step", "5m", *window, codes=(2,)), "")

    def test_an_expectation_of_both(self):
        rows = self.records(50, seed=8)
        self.push(rows[:30])
        spool = self.spool(rows[20:])
        self.wait_for(30)
        self.of_loki("--with-spool", spool, self.selector, "--expect", "50", *self.window)
        self.of_loki("--with-spool", spool, self.selector, "--expect", "49", *self.window, codes=(1,))

    def test_the_format_is_lokis(self):
        for query in ('{app="x"}|="a"|json', 'sum by(pod)(rate({namespace="checkout",app=~"web|api"}|="timeout"!~"health.*"|json|status>=500|method="POST"[5m]))',
                      'sum(rate({app="aaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}|="bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"[5m]))/sum(rate({app="aaaaaaaaaaaaaaaaaaaaaaaaaaa"}[5m]))'):
            with self.subTest(query):
                of_weir = self.weir("fmt", query)
                self.assertEqual(self.weir("fmt", input=query + "\n"), of_weir)
                answer = json.loads(urllib.request.urlopen(loki.url + "/loki/api/v1/format_query?" + urllib.parse.urlencode({"query": query})).read())
                self.assertEqual(of_weir, answer["data"] + "\n")
                if LOGCLI:
                    of_logcli = subprocess.run([LOGCLI, "fmt"], input=query, capture_output=True, text=True, timeout=60, check=True)
                    self.assertEqual(of_weir, of_logcli.stdout)

    def test_what_there_is_when_nothing_matched(self):
        rows = self.records(5)
        self.push(rows)
        self.wait_for(5)
        done = subprocess.run([kit.WEIR, "query", "--addr", loki.url, "--since", "1m", self.selector], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"nothing in the last 1 minute; the newest record is \d+ minutes? .*old")
        done = subprocess.run([kit.WEIR, "query", "--addr", loki.url, f'{{run="{self.run_name}x"}}'], capture_output=True, text=True, timeout=60)
        self.assertIn(f"did you mean '{self.run_name}'?", done.stderr)


def stamp_of(text):
    """The time with nine digits."""
    seconds, _, fraction = text.rstrip("Z").partition(".")
    return f"{seconds}.{fraction:0<9}Z"


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
