#!/usr/bin/env python3
"""Queries of the tables and of the generators (tests/loki/real) without a Loki: what each prints as parses back to it, and what Loki
refuses is refused.

usage: queries_test.py ANSWERS, the program weir_logql_answers. WEIR_TEST_QUERIES and WEIR_TEST_SEED ask more, or others.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "loki" / "real"))

import logql_queries
import metric_queries

SECOND = 1_000_000_000
SEED = int(os.environ.get("WEIR_TEST_SEED", "1"))
RANDOM = int(os.environ.get("WEIR_TEST_QUERIES", "1000"))
NOW = 1_780_000_000 * SECOND


class Queries(unittest.TestCase):
    answers = ""

    def ask(self, rows, requests):
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as records:
            for labels, ns, line, metadata in rows:
                records.write(json.dumps({"timestamp": str(ns), "line": line, "labels": labels, "metadata": metadata}) + "\n")
            records.flush()
            done = subprocess.run([self.answers, records.name], input="".join(json.dumps(request) + "\n" for request in requests), text=True,
                                  stdout=subprocess.PIPE, check=True, encoding="utf-8")
        found = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(len(found), len(requests))
        return found

    def check(self, rows, make, queries, random, refused):
        print(f"seed {SEED}", flush=True)
        errors = [answer.get("error", "") for answer in self.ask(rows, [make(query) for query in queries + random])]
        for query, error in zip(queries + random, errors):
            self.assertNotIn("prints as", error, query)
        for query, error in zip(queries, errors):
            self.assertFalse(error.startswith("parse error at"), f"{query}: {error}")
        # The generators write a few that do not parse: `group_left (` begins a list of labels.
        self.assertLess(sum(error.startswith("parse error") for error in errors), len(errors) * 0.1)
        for query, answer in zip(refused, self.ask(rows, [make(query) for query in refused])):
            self.assertIn("error", answer, query)

    def test_log_queries(self):
        generator = logql_queries.Generator(SEED)
        random = [generator.query() for _ in range(RANDOM)]
        self.check(logql_queries.records(NOW), lambda query: {"query": query, "kind": "log", "start": 0, "end": NOW + 1}, logql_queries.QUERIES, random,
                   logql_queries.REFUSED)

    def test_metric_queries(self):
        generator = metric_queries.Generator(SEED)
        random = [generator.vector() for _ in range(RANDOM)]
        at = NOW + 1200 * SECOND
        self.check(metric_queries.records(NOW), lambda query: {"query": query, "kind": "instant", "start": at, "end": at, "step": 0},
                   metric_queries.QUERIES + metric_queries.INSTANT, random, metric_queries.REFUSED)


if __name__ == "__main__":
    Queries.answers = sys.argv.pop(1)
    unittest.main(argv=sys.argv[:1], verbosity=2)
