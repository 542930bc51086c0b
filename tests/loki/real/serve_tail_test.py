#!/usr/bin/env python3
"""A tail of `weir serve` is one of a Loki: the same entries byte for byte, the same refusals."""
import json
import tempfile
import time
import unittest
import urllib.parse

import loki_server
import serve_kit
import weir_kit as kit
import ws_kit

START = '{"streams":['
CATEGORIES = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}


def streams_of(frame):
    """The texts of the streams of a frame, and what follows them."""
    assert frame.startswith(START), frame
    at, found, decoder = len(START), [], json.JSONDecoder()
    while frame[at] != "]":
        _, end = decoder.raw_decode(frame, at)
        found.append(frame[at:end])
        at = end + (frame[end] == ",")
    return found, frame[at:]


class Tails(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.loki = loki_server.Loki(limits={"max_concurrent_tail_requests": 50})
        cls.folder = tempfile.TemporaryDirectory()
        cls.serve = serve_kit.Serve(f"{cls.folder.name}/spool.db")
        cls.both = (cls.serve.url, cls.loki.url)

    @classmethod
    def tearDownClass(cls):
        cls.serve.stop()
        cls.loki.stop()
        cls.folder.cleanup()

    def push(self, streams):
        body = json.dumps({"streams": [{"stream": labels, "values": [[str(ns), *rest] for ns, *rest in rows]} for labels, rows in streams]})
        for url in self.both:
            self.assertEqual(kit.get(url + "/loki/api/v1/push", {"Content-Type": "application/json"}, body.encode()), (204, b""))

    def tails(self, path="loki/api/v1/tail", headers=None, **parameters):
        found = []
        for url in self.both:
            found.append(ws_kit.WebSocket(f"{url}/{path}?{urllib.parse.urlencode(parameters)}", headers))
            self.addCleanup(found[-1].close)
        return found

    def entries(self, tail, count):
        found = []
        while len(found) < count:
            streams, end = streams_of(tail.text())
            found += streams
        return found, end

    def test_entries_are_the_same(self):
        app = f"tail-{time.time_ns()}"
        now = time.time_ns()
        self.push([({"app": app}, [(now - 3 * 10**9 + i, f'before {i} <a&b> "\u2028" \x01 \x7f \u00e9 \U0001f600', {"m": f"<{i % 2}>"}) for i in range(5)])])
        queries = {"plain": {}, "logfmt": {"query": f'{{app="{app}"}} | logfmt'}, "limit": {"limit": 3}, "later": {"start": now - 3 * 10**9 + 3},
                   "formatted": {"query": f'{{app="{app}"}} | label_format x="y" | line_format "{{{{.m}}}}"'}}
        tails = {}
        for name, parameters in queries.items():
            for kind, headers in (("", None), (" in categories", CATEGORIES)):
                tails[name + kind] = self.tails(headers=headers, **{"query": f'{{app="{app}"}}', "start": now - 10**10, **parameters})
        tails["old form"] = self.tails("api/prom/tail", query=f'{{app="{app}"}} | logfmt', start=now - 10**10)
        counts = {"limit": 3, "later": 2}
        for name, (ours, theirs) in tails.items():
            with self.subTest(name):
                count = counts.get(name.split()[0], 5)
                self.assertEqual(self.entries(ours, count), self.entries(theirs, count))
        now = time.time_ns()
        self.push([({"app": app}, [(now + 2, "k=v <two> level=error"), (now + 1, "k=v one", {"m": "x"})]),
                   ({"app": app, "z": "y"}, [(now, 'zero k=v m="n" app=q')])])
        for name, (ours, theirs) in tails.items():
            with self.subTest("new, " + name):
                mine, end = self.entries(ours, 3)
                loki, loki_end = self.entries(theirs, 3)
                self.assertEqual(self.in_order(mine), [self.mended(name, entry) for entry in self.in_order(loki)])
                self.assertEqual(end, loki_end)

    @staticmethod
    def in_order(texts):
        """By time: Loki sorts neither new entries nor the names of their metadata."""
        return sorted((json.loads(text) for text in texts), key=lambda one: one["values"][0][0] if "values" in one else one["entries"][0]["line"])

    @staticmethod
    def mended(name, entry):
        """Of new entries, a Loki leaves the metadata out of the labels where the query has no stages, unlike of those before, and unlike
        every other answer; and in the old form it shows what stages extracted a second time. serve does neither."""
        if name == "old form":
            for one in entry["entries"]:
                one.pop("parsed", None), one.pop("structuredMetadata", None)
        elif name in ("plain", "limit", "later"):
            line = entry["values"][0][1]
            entry["stream"].update({"detected_level": "error"} if "error" in line else {"detected_level": "unknown"}, **({"m": "x"} if "one" in line else {}))
        return entry

    def test_refusals_are_the_same(self):
        good = '{a="b"}'
        cases = {"no query": {}, "half a query": {"query": "{a="}, "everything": {"query": "{}"}, "delay": {"query": good, "delay_for": 6},
                 "no delay": {"query": good, "delay_for": "x"}, "limit 0": {"query": good, "limit": 0}, "no limit": {"query": good, "limit": "x"},
                 "no start": {"query": good, "start": "x"}, "negative delay": {"query": good, "delay_for": -1}, "no since": {"query": good, "since": "x"},
                 "no end": {"query": good, "end": "x"}, "too long": {"query": good + " " * 131_072}}
        for name, parameters in cases.items():
            with self.subTest(name):
                answers = []
                for url in self.both:
                    with self.assertRaises(ws_kit.Refused) as refused:
                        ws_kit.WebSocket(f"{url}/loki/api/v1/tail?{urllib.parse.urlencode(parameters)}")
                    answers.append((refused.exception.status, refused.exception.body))
                self.assertEqual(answers[0], answers[1])

    def test_what_a_loki_accepts_and_never_answers_is_refused(self):
        for stage, text in (('|~ "("', "missing closing )"), ('| line_format "{{"', "unclosed action")):
            with self.assertRaises(ws_kit.Refused) as refused:
                ws_kit.WebSocket(f"{self.serve.url}/loki/api/v1/tail?" + urllib.parse.urlencode({"query": '{a="b"} ' + stage}))
            self.assertEqual(refused.exception.status, 400)
            self.assertIn(text, refused.exception.body)

    def test_a_metric_query_is_closed_with_the_same_words(self):
        closes = []
        for tail in self.tails(query='rate({a="b"}[1m])'):
            with self.assertRaises(ws_kit.Closed) as closed:
                tail.text()
            closes.append((closed.exception.code, closed.exception.reason))
        self.assertEqual(closes[0], closes[1])


if __name__ == "__main__":
    unittest.main()
