#!/usr/bin/env python3
"""Log queries: `weir query --spool` answers what a real Loki answers over the same records, entry for entry.

The rest of LogQL in weir (filter, replay, --match) is the same library. The environment of logql_kit.py asks more, or other, random queries.
"""
import sys
import time
import unittest

import logql_kit
import logql_queries as queries
from logql_kit import Log, RANDOM, SECOND, SEED

NOW = int(time.time()) * SECOND
ROWS = queries.records(NOW)
START, END = min(row[1] for row in ROWS), NOW + 1
# Times, limits and directions in turn: all; the newest and the oldest few; bounds on and beside records; nothing.
WHERE = [(START, END, 0, False), (START, END, 7, False), (START, END, 7, True), (NOW - 60 * SECOND, NOW, 0, False), (NOW - 60 * SECOND, NOW + 1, 1, False),
         (NOW - 60 * SECOND + 1, NOW - 1, 1, True), (START, END, 1000, True), (NOW - 100 * SECOND, NOW - 99 * SECOND, 0, False), (NOW - 90 * SECOND, NOW - 10 * SECOND, 13, False),
         (START - 7200 * SECOND, START, 0, False)]


class LogQueries(logql_kit.Comparison):
    @classmethod
    def make_twins(cls):
        return logql_kit.Twins(ROWS)

    def test_every_form(self):
        answers = self.compare([Log(query, START, END) for query in queries.QUERIES], self.twins.of_process)
        refused = [str(ask) for ask, want, _ in answers if isinstance(want, str)]
        self.assertEqual(refused, [])
        # A query that passes nothing, or everything unchanged, would compare nothing.
        telling = [want for ask, want, _ in answers if want and (len(want) < len(ROWS) or "|" in ask.query)]
        self.assertGreater(len(telling), len(queries.QUERIES) * 0.8)

    def test_the_command_with_bounds_limits_and_directions(self):
        asks = [Log(query, *WHERE[i % len(WHERE)]) for i, query in enumerate(queries.QUERIES)]
        self.compare(asks, self.twins.of_command)

    def test_random_pipelines(self):
        generator = queries.Generator(SEED)
        answers = self.compare([Log(generator.query(), START, END) for _ in range(RANDOM)], self.twins.of_process)
        telling = [want for _, want, _ in answers if not isinstance(want, str) and want]
        self.assertGreater(len(telling), RANDOM * 0.5)

    def test_refusals(self):
        """What Loki refuses is refused, in its words."""
        answers = self.compare([Log(query, START, END) for query in queries.REFUSED], self.twins.of_process)
        self.assertEqual([str(ask) for ask, want, _ in answers if not isinstance(want, str)], [])

    def test_refusals_of_the_command(self):
        # Over a spool the selector may be left out, and so may select everything.
        selects_all = ("", "{}", '{app=""}', '{app=~".*"}', '{app!="x"}')
        self.compare([Log(query, START, END) for query in queries.REFUSED if query not in selects_all], self.twins.of_command)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
