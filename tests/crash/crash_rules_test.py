#!/usr/bin/env python3
"""The short version of run.sh --rules: chains are killed while rules change, pipelines are replaced and held records are released."""
import shutil
import sys
import tempfile
import unittest

import crash
import crash_case
import rules
import rules_judge
import rules_world

SHORT = dict(seconds=9, rate=800, pods=3, kills=1, outage=2, dead=4, rotate_bytes=100_000, keep=6, patience=90)

# mode: scenario. run.sh has them all.
RUNS = {
    "pipe-buffer": "one",
    "fused-spill": "kills",
}


class CrashWithRules(crash_case.CrashCase):
    def run_mode(self, name):
        plan = crash.Plan(crash_case.mode_of(name), RUNS[name], seed=7, **SHORT)
        outcome, errors = self.run_plan(plan, world_class=rules_world.RulesWorld)
        print(crash.row(outcome), outcome.verdict.notes(), sep="\n  ", file=sys.stderr)
        self.assert_sound(outcome, errors, 0.5)


for each in RUNS:
    setattr(CrashWithRules, f"test_{each.replace('-', '_')}", lambda self, name=each: self.run_mode(name))


class JudgingRules(unittest.TestCase):
    """Each thing that must not be is found in a world of some lines."""

    KEY = (0, "stdout")
    SECOND = 10**9

    def setUp(self):
        folder = tempfile.mkdtemp(prefix="weir-crash-")
        self.addCleanup(shutil.rmtree, folder)
        self.files = rules.Files(folder, "r")
        # Version 1 until the second 1100, then 5 is held, and from 1200 on 7 is dropped.
        self.files.states = [rules.State(1000, True, 1, 1, rules.Variant()), rules.State(1100, True, 1, 2, rules.Variant(holds_5=True)),
                             rules.State(1200, True, 2, 2, rules.Variant(holds_5=True, drops_7=True))]
        self.release = rules.Release("r", "4", 1000 * self.SECOND, 1050 * self.SECOND, asked=1060)
        self.past = rules_judge.Past(self.files, [self.release], kills=[1150], starts=[1000, 1151], drains=[], spill=False)

    def copy(self, at, stamps=("1", "1"), release=""):
        return rules_judge.Copy(at * self.SECOND, stamps, release)

    def judged(self, number, in_loki=(), in_spool=()):
        verdict = rules_judge.Verdict()
        return list(rules_judge.judge_line(verdict, self.KEY, number, list(in_loki), list(in_spool), self.past))

    def test_what_may_be(self):
        for number, in_loki, in_spool in ((0, [self.copy(1010)], []), (4, [], [self.copy(1060)]), (4, [self.copy(1010, release="r")], []),
                                          (5, [self.copy(1010)], []), (5, [], [self.copy(1110, ("1", "2"))]), (7, [self.copy(1150, ("1", "2"))], []),
                                          (8, [], [self.copy(1010)]), (5, [self.copy(1099)], [self.copy(1099, ("1", "2"))])):
            with self.subTest(number=number, in_loki=in_loki, in_spool=in_spool):
                if in_loki and in_spool:
                    self.past.kills, self.past.starts = [1100], [1000, 1101]
                self.assertEqual(self.judged(number, in_loki, in_spool), [])

    def test_what_must_not_be(self):
        held, freed = self.copy(1060), self.copy(1010, release="r")
        for wrong, number, in_loki, in_spool in (
                ("is held more than once", 4, [], [held, held]),
                ("was released more than once", 4, [freed, freed], []),
                ("was released, and is held still", 4, [freed], [held]),
                ("is in two places, as one rule set says", 0, [self.copy(1010), self.copy(1011)], []),
                ("was judged twice, far from any kill", 5, [self.copy(1099)], [self.copy(1099, ("1", "2"))]),
                ("was judged by rules that never were a whole", 0, [self.copy(1010, ("none", "1"))], []),
                ("was judged by rules that never were a whole", 0, [self.copy(1010, ("2", "1"))], []),
                ("is not where its rules say (hold)", 4, [self.copy(1010)], []),
                ("is not where its rules say (pass)", 5, [], [self.copy(1010)]),
                ("is not where its rules say (drop)", 7, [self.copy(1210, ("2", "2"))], []),
                ("is not where its rules say (drop)", 9, [self.copy(1010)], []),
                ("was judged by rules of another time", 0, [self.copy(1110)], []),
                ("was judged by rules of another time", 0, [self.copy(1010, ("1", "2"))], []),
                ("was released, and no release asked for it", 4, [self.copy(1055, release="r")], []),
                ("was released, and no release asked for it", 6, [self.copy(1010, release="r")], []),
                ("was released, and no release asked for it", 4, [self.copy(1010, release="s")], [])):
            with self.subTest(wrong=wrong, number=number):
                self.assertIn(wrong, self.judged(number, in_loki, in_spool))
        self.release.before = {(self.KEY, 4)}
        self.assertEqual(self.judged(4, [], [self.copy(1010)]), ["was to be released by r, and is held still"])

    def test_what_is_nowhere(self):
        def lost(number, before, after):
            return not rules_judge.may_be_nowhere(number, [(9, before * self.SECOND), (20, after * self.SECOND)], self.past)

        self.assertFalse(lost(19, 1010, 1011))
        self.assertTrue(lost(17, 1010, 1011))
        self.assertFalse(lost(17, 1210, 1211))
        self.assertFalse(lost(17, 1198, 1199))  # judged when 7 is dropped
        for number in (10, 14, 15, 16, 18):
            self.assertTrue(lost(number, 1210, 1211))


if __name__ == "__main__":
    print(crash.headings(), file=sys.stderr)
    unittest.main(argv=sys.argv, verbosity=2)
