#!/usr/bin/env python3
"""Metric queries: weir answers what a real Loki answers over the same records, value for value; as `weir query --spool`, and at one point.

The environment of logql_kit.py asks more, or other, random queries.
"""
import sys
import time
import unittest

import logql_kit
import metric_queries as queries
from logql_kit import Range, RANDOM, SECOND, SEED

FIRST = int(time.time()) // 60 * 60 * SECOND - 1200 * SECOND
ROWS = queries.records(FIRST)


def over(query, where):
    (start, end), step = where
    return Range(query, FIRST + int(start * SECOND), FIRST + int(end * SECOND), int(step * SECOND))


class MetricQueries(logql_kit.Comparison):
    @classmethod
    def make_twins(cls):
        return logql_kit.Twins(ROWS)

    def assert_telling(self, answers, share):
        telling = [want for _, want, _ in answers if not isinstance(want, str) and want]
        self.assertGreater(len(telling), len(answers) * share)

    def test_every_form(self):
        answers = self.compare([over(query, queries.RANGES[0]) for query in queries.QUERIES], self.twins.of_process)
        self.assert_telling(answers, 0.7)

    def test_the_command_with_odd_bounds_and_steps(self):
        # The command's time has a length; that of one point is asked for in test_at_one_point.
        ranges = [where for where in queries.RANGES if where[0][0] < where[0][1]]
        self.compare([over(query, ranges[i % len(ranges)]) for i, query in enumerate(queries.QUERIES)], self.twins.of_command)

    # Loki lacks nothing here, so what it answers alone is the answer of both. What stands in Loki is filtered by Loki, also where a
    # record has an error that a metric query overlooks.
    def test_loki_and_a_spool_together(self):
        ranges = [where for where in queries.RANGES if where[0][0] < where[0][1]]
        asks = [over(query, ranges[(i + 1) % len(ranges)]) for i, query in enumerate(queries.QUERIES)]
        self.assert_telling(self.compare(asks, self.twins.of_both), 0.5)

    def test_at_one_point(self):
        points = (1200, 600, 0, 601.5)
        asks = [Range(query, FIRST + int(points[i % 4] * SECOND)) for i, query in enumerate(queries.QUERIES)]
        asks += [Range(query, FIRST + point * SECOND) for query in queries.INSTANT for point in (1200, 1777)]
        self.assert_telling(self.compare(asks, self.twins.of_process), 0.5)

    def test_random_queries(self):
        generator = queries.Generator(SEED)
        asks = []
        for i in range(RANDOM):
            query, where = generator.vector(), generator.one(queries.RANGES)
            asks.append(over(query, where) if i % 4 else Range(query, FIRST + int(where[0][1] * SECOND)))
        self.assert_telling(self.compare(asks, self.twins.of_process), 0.3)

    def test_refusals(self):
        answers = self.compare([over(query, queries.RANGES[0]) for query in queries.REFUSED], self.twins.of_process)
        self.assertEqual([str(ask) for ask, want, _ in answers if not isinstance(want, str)], [])

    def test_refusals_of_the_command(self):
        # What begins with - is an option to the command.
        self.compare([over(query, queries.RANGES[0]) for query in queries.REFUSED
                      if not query.startswith("-") and query not in queries.WITHOUT_SELECTOR], self.twins.of_command)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
