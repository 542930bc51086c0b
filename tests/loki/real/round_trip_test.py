#!/usr/bin/env python3
"""What was pushed is in a real Loki, record for record, by its raw API and by `weir query`."""
import itertools
import json
import sys
import time
import unittest

import loki_server
import weir_kit as kit

NOW = int(time.time()) * 1_000_000_000
START, END = NOW - 600_000_000_000, NOW + 60_000_000_000
RUNS = itertools.count()
loki = None


def setUpModule():
    global loki
    loki = loki_server.Loki()


def tearDownModule():
    loki.stop()


def stamp(ns):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ns // 1_000_000_000)) + f".{ns % 1_000_000_000:09d}Z"


def record(ns, line, labels, metadata=None):
    return {"timestamp": stamp(ns), "line": line, "labels": labels, **({"metadata": metadata} if metadata else {})}


class RoundTrip(kit.Case):
    def setUp(self):
        super().setUp()
        self.run_name = f"rt-{NOW}-{next(RUNS)}"
        self.selector = f'{{run="{self.run_name}"}}'

    def push(self, rows, *args, expect=0):
        """Rows of (ns, line, labels, metadata) through `weir push`; what Loki should show of them."""
        path = self.dir / "in.jsonl"
        with open(path, "w", encoding="ascii") as out:
            for ns, line, labels, metadata in rows:
                out.write(json.dumps(record(ns, line, dict(labels, run=self.run_name), metadata)) + "\n")
        with open(path, "rb") as stdin:
            kit.weir("push", loki.url, *args, stdin=stdin, expect=expect)
        return loki_server.multiset(loki_server.as_loki_shows(dict(labels, run=self.run_name), ns, line, metadata or {})
                                    for ns, line, labels, metadata in rows)

    def query(self, *args, selector=None, **kwargs):
        return kit.weir("query", "--addr", loki.url, "-o", "jsonl", "--from", stamp(START), "--to", stamp(END), *args,
                        selector or self.selector, **kwargs).splitlines()

    def check(self, expected):
        times = [ns for _, ns, _, _ in expected]
        raw = loki_server.multiset(loki.entries(self.selector, min(times), max(times) + 1))
        self.assertEqual(loki.counted(self.selector, 660, END), sum(expected.values()), "nothing but these")
        self.assertEqual(loki_server.differences(expected, raw), "", "by the raw API")
        lines = self.query()
        self.assertEqual(loki_server.differences(expected, loki_server.multiset(loki_server.of_json_lines(lines))), "", "by weir query")
        times = [kit.nanoseconds(r["timestamp"]) for r in kit.records(lines)]
        self.assertEqual(times, sorted(times), "oldest first")

    def test_odd_lines(self):
        lines = ['say "hi" \\ back', "two\nlines\n\nand a tail\n", "".join(map(chr, range(1, 32))) + "\x7f", "\U0001f600 \U00010348 \U0010ffff",
                 "\u2028 \u00e9 \ufeff \ufffd", "x" * 200 * 1024, "ü" * 100 * 1024, " spaces around ", "\t", "{\"json\":\"\\u0000\"}", "a\x00b",
                 "a=b c=\"d e\"", "\udcff\udcfe broken \udce2\udc82", "`backquoted`", "<html>&amp;</html>", ""]
        self.check(self.push([(NOW - i * 1_000_003, line, {"app": "odd"}, {"n": str(i)}) for i, line in enumerate(lines)]))

    def test_odd_names(self):
        pods = ["web-0", "a.b.c", "UPPER_lower", "päd", "with space", 'quote"d', "back\\slash", "new\nline", "tab\t", "brace{}=,", "日本語", "\U0001f600",
                "$(echo)", "'single'", "`tick`", "-", "x" * 253]
        self.check(self.push([(NOW - i * 7, f"line of pod {i}", {"namespace": "odd names", "pod": pod}, {"uid": f"u-{pod}"})
                              for i, pod in enumerate(pods)]))

    def test_label_values_that_loki_refuses_arrive_as_others(self):
        """Bytes that are not UTF-8, and U+FFFD, which Loki takes for such: nothing is refused, two values stay two streams."""
        values = {"caf\udce9.log": r"caf\xe9.log", "caf\udce8.log": r"caf\xe8.log", "caf\ufffd.log": r"caf\xef\xbf\xbd.log", "back\\slash": "back\\slash"}
        self.push([(NOW - i, f"line {i}", {"app": "f", "filename": value}, None) for i, value in enumerate(values)])
        found = {line: (dict(labels)["filename"], dict(metadata)) for labels, _, line, metadata in loki.entries(self.selector, NOW - 1000, NOW + 1)}
        for i, (value, sent) in enumerate(values.items()):
            label, metadata = found[f"line {i}"]
            self.assertEqual(label, sent)
            self.assertEqual(metadata.get("weir_escaped_labels"), None if value == sent else "filename")
        self.assertEqual(loki.counted(self.selector, 660, END), len(values))
        self.assertEqual(len(self.query(selector=f'{{run="{self.run_name}", filename="caf\\\\xe9.log"}}')), 1)

    def test_names_of_metadata_that_loki_bears_in_no_form(self):
        """Each of them alone makes Loki answer 500 to the whole request; here each record arrives, and nothing beside it is lost."""
        names = {"_": "weir_unnamed_5f", "é": "weir_unnamed_c3a9", "日本": "weir_unnamed_e697a5e69cac", " ": "weir_unnamed_20", "": "weir_unnamed",
                 "____": "weir_unnamed_5f5f5f5f", "__res__": "__res__", "__a..b__": "__a_b__", "___x___": "___x___", "_a": "_a", "a__b": "a_b", "9a": "key_9a",
                 "__x": "_x", "x__": "x_", "größe": "gr_e"}
        self.push([(NOW - i, f"line {i}", {"app": "n"}, {name: str(i), "beside": "y"}) for i, name in enumerate(names)])
        found = {line: dict(metadata) for _, _, line, metadata in loki.entries(self.selector, NOW - 1000, NOW + 1)}
        for i, name in enumerate(names.values()):
            metadata = {k: v for k, v in found[f"line {i}"].items() if k != "detected_level"}
            self.assertEqual(metadata, {name: str(i), "beside": "y"}, i)

    def test_loki_itself_makes_the_same_of_names(self):
        """What weir makes of names before it sends them is what Loki makes of them."""
        names = ["__res__", "__a..b__", "___x___", "_a", "a__b", "9a", "__x", "x__", "größe", "a.b", "a.-b"]
        rows = [(NOW - i, f"line {i}", {name: str(i)}) for i, name in enumerate(names)]
        self.assertEqual(loki.push([({"run": self.run_name, "app": "loki"}, rows)])[0], 204)
        self.push([(ns, line, {"app": "weir"}, metadata) for ns, line, metadata in rows])
        found = {app: {line: sorted(k for k in dict(metadata) if k != "detected_level")
                       for labels, _, line, metadata in loki.entries(f'{{run="{self.run_name}", app="{app}"}}', NOW - 1000, NOW + 1)} for app in ("loki", "weir")}
        self.assertEqual(found["loki"], found["weir"])
        for bad in ("_", "é", " ", "", "____"):
            self.assertEqual(loki.push([({"run": self.run_name, "app": "bad"}, [(NOW, "x", {bad: "1"})])])[0], 500, bad)

    def test_label_names(self):
        """Loki takes a label of underscores; one that is no name is refused before it is sent, and the others arrive."""
        self.push([(NOW - 1, "a", {"app": "n", "_": "1"}, None), (NOW - 2, "b", {"app": "n", "by": "1"}, None)])
        self.push([(NOW - 3, "c", {"app": "n", "é": "1"}, None), (NOW - 4, "d", {"app": "n"}, None)], expect=3)
        self.assertEqual(sorted(line for _, _, line, _ in loki.entries(self.selector, NOW - 1000, NOW + 1)), ["a", "b", "d"])

    def test_check_says_that_loki_takes_records(self):
        done = kit.subprocess.run([kit.WEIR, "push", "--check", loki.url], stderr=kit.subprocess.PIPE, env=kit.environment(), check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"takes records: it answered 422", done.stderr)

    def test_service_name(self):
        sets = [{"app": "a"}, {"service": "s", "app": "a"}, {"container": "c"}, {"job": "j", "container": "c"}, {"service_name": "mine", "app": "a"},
                {"other": "x"}, {"name": "n", "component": "c"}, {"app": "", "workload": "w"}]
        self.check(self.push([(NOW - i, f"line {i}", labels, None) for i, labels in enumerate(sets)]))

    def test_metadata(self):
        rows = [(NOW - i, f"line {i}", {"app": "m"}, metadata) for i, metadata in enumerate(
            [{"trace_id": "abc", "span_id": "1"}, {"quoted": 'a "b" \\ c'}, {"text": "two\nlines"}, {"empty": ""}, {f"n{i}": "v" * 100 for i in range(100)},
             {"wide": "\U0001f600 日本語"}])]
        self.check(self.push(rows))

    def test_nanoseconds(self):
        self.check(self.push([(NOW - i, f"line {i}", {"app": "ns"}, None) for i in range(2000)]))

    def test_more_than_a_page_with_one_timestamp(self):
        rows = [(NOW - 5, f"line {i:05d}", {"app": f"same-{i % 2}"}, None) for i in range(12000)]
        self.check(self.push(rows))

    def test_more_than_a_page_with_one_timestamp_in_one_stream(self):
        self.check(self.push([(NOW - 5, f"line {i:05d}", {"app": "same"}, None) for i in range(7000)]))

    def test_same_timestamp_in_the_middle_of_much_else(self):
        rows = [(NOW - (3000 - i) * 1000, f"before {i}", {"app": "m"}, None) for i in range(3000)]
        rows += [(NOW, f"same {i}", {"app": f"m{i % 3}"}, None) for i in range(9000)]
        rows += [(NOW + (i + 1) * 1000, f"after {i}", {"app": "m"}, None) for i in range(3000)]
        self.check(self.push(rows))

    def test_two_streams_with_equal_lines(self):
        rows = [(NOW - i * 10, f"equal {i}", {"app": app, "pod": "p"}, None) for i in range(3000) for app in ("one", "two")]
        self.check(self.push(rows))

    def test_equal_lines_with_other_metadata(self):
        self.check(self.push([(NOW - 1, "equal", {"app": "m"}, {"trace_id": str(i)}) for i in range(100)]))

    def test_large_lines_with_one_timestamp(self):
        self.check(self.push([(NOW - 1, f"{i:03d} " + "y" * 150_000 + str(i), {"app": "large"}, None) for i in range(120)]))

    def test_a_stream_that_loki_has_sharded(self):
        """Loki gives a stream that is written fast an internal label more, whose value changes; the records are those that were pushed."""
        expected = loki_server.multiset([])

        def push_more():
            first = sum(expected.values())
            rows = [(NOW - 1 - i, f"{i:04d} " + "z" * 150_000, {"app": "fast"}, None) for i in range(first, first + 15)]
            expected.update(self.push(rows))
            series = loki.api("series", start=START, end=END, **{"match[]": self.selector})
            return any("__stream_shard__" in one for one in series)

        kit.wait_for(push_more, "Loki has not sharded the stream")
        self.check(expected)
        window = ("--addr", loki.url, "--from", stamp(START), "--to", stamp(END))
        self.assertNotIn(b"shard", kit.weir("query", "series", *window, self.selector) + kit.weir("query", "labels", *window, self.selector))

    def test_order_within_a_stream(self):
        # Loki itself keeps no order among lines of one nanosecond.
        self.push([(NOW - 8000 + i, f"line {i:05d}", {"app": "order"}, None) for i in range(8000)])
        self.assertEqual([r["line"] for r in kit.records(self.query())], [f"line {i:05d}" for i in range(8000)])

    def test_weir_reads_what_others_pushed(self):
        rows = [(NOW - i, f"direct {i}", {"k": str(i)}) for i in range(50)]
        self.assertEqual(loki.push([({"run": self.run_name, "app": "direct"}, rows)])[0], 204)
        self.check(loki_server.multiset(loki_server.as_loki_shows({"run": self.run_name, "app": "direct"}, *row) for row in rows))

    def test_limits_directions_and_the_exit_code(self):
        self.push([(NOW - 1000 + i, f"line {i}", {"app": "l"}, None) for i in range(20)])
        pick = lambda *args: [int(r["line"].split()[1]) for r in kit.records(self.query(*args))]
        self.assertEqual(pick("--limit", "5"), [15, 16, 17, 18, 19])
        self.assertEqual(pick("--limit", "5", "--forward"), [0, 1, 2, 3, 4])
        self.assertEqual(self.query(selector='{run="nobody"}', expect=1), [])
        self.assertEqual([r["line"] for r in kit.records(self.query(selector=self.selector + ' |= "line 7"'))], ["line 7"])

    def test_labels_and_series(self):
        self.push([(NOW - 1, "x", {"app": "ls", "pod": f"p{i}"}, None) for i in range(3)])
        window = ("--addr", loki.url, "--from", stamp(START), "--to", stamp(END))
        self.assertIn("pod", kit.weir("query", "labels", *window).decode().split())
        self.assertTrue({"p0", "p1", "p2"} <= set(kit.weir("query", "labels", "pod", *window).decode().split()))
        series = kit.weir("query", "series", *window, self.selector).decode().strip().splitlines()
        self.assertEqual(len(series), 3)

    def test_counted_once(self):
        rows = [(NOW - i * 1000, f"line {i}", {"app": f"a{i % 7}"}, None) for i in range(30000)]
        self.push(rows)
        self.assertEqual(loki.counted(self.selector, 900, NOW + 1_000_000_000), 30000)


class Refusals(kit.Case):
    def test_what_loki_refuses_is_named_and_the_rest_is_stored(self):
        run = f"rt-{NOW}-{next(RUNS)}"
        rows = [record(NOW - i, f"good {i}", {"run": run}) for i in range(500)]
        rows[100] = record(NOW - 100, "too long " + "x" * 300_000, {"run": run})
        rows[200] = record(NOW - 30 * 86400 * 1_000_000_000, "too old", {"run": run})
        path = self.dir / "in.jsonl"
        path.write_text("".join(json.dumps(r) + "\n" for r in rows))
        with open(path, "rb") as stdin:
            kit.weir("push", loki.url, stdin=stdin, expect=3)
        self.assertEqual(loki.counted(f'{{run="{run}"}}', 900, NOW + 1_000_000_000), 498)

    def test_a_query_that_loki_refuses(self):
        for query, expect in (("{app=", 2), ('{app=~".*"}', (2, 4))):
            done = kit.subprocess.run([kit.WEIR, "query", "--addr", loki.url, query], capture_output=True, env=kit.environment(), check=False)
            self.assertIn(done.returncode, expect if isinstance(expect, tuple) else (expect,), done.stderr)

    def test_nobody_listens(self):
        (port,) = loki_server.free_ports(1)
        path = self.dir / "in.jsonl"
        path.write_text('{"line":"x"}\n')
        with open(path, "rb") as stdin:
            kit.weir("push", f"http://127.0.0.1:{port}", "--give-up", "1s", stdin=stdin, expect=4)


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
