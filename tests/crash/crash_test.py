#!/usr/bin/env python3
"""The short version of run.sh for every day: each kind of chain is killed and loses its Loki for some seconds, with a fixed seed."""
import dataclasses
import shutil
import sys
import tempfile
import unittest

import chains
import crash
import loki_server
import rules
import rules_judge
import rules_world

# Some seconds of everything. What the kubelet keeps outlasts the outage, the time in which nothing runs and a slow machine.
SHORT = dict(seconds=9, rate=1000, pods=3, kills=3, outage=2.5, dead=4, rotate_bytes=100_000, keep=6, patience=90)

# mode: scenarios
RUNS = {
    "pipe-buffer": ("one", "dead"),
    "fused-buffer": ("kills", "faults"),
    "pipe-spill": ("one",),
    "fused-spill": ("kills", "dead"),
    "pipe-none": ("one",),
    "fused-none": ("kills",),
    "pipe-store": ("one",),
    "fused-store": ("kills",),
    "pipe-full": ("kills",),
    "fused-full": ("kills",),
}

# With rules that drop, hold and release; the same seconds, in which rules change some ten times.
RULES = {
    "pipe-buffer": "one",
    "fused-buffer": "kills",
    "pipe-spill": "kills",
    "fused-spill": "one",
}
RULES_SHORT = dict(SHORT, seconds=12, rate=800, kills=2)

loki = None


def setUpModule():
    global loki
    loki = loki_server.Loki()


def tearDownModule():
    loki.stop()


class Crash(unittest.TestCase):
    def run_mode(self, name):
        mode = next(mode for mode in chains.MODES if mode.name == name)
        if why := mode.available():
            self.skipTest(why)
        for scenario in RUNS[name]:
            with self.subTest(scenario=scenario):
                outcome, errors = crash.run_one(crash.Plan(mode, scenario, seed=7, **SHORT), loki)
                print(crash.row(outcome), file=sys.stderr)
                # A share of few lines says little: a request in flight at a kill may be more than that. The long version holds it.
                wrongs = [wrong for wrong in outcome.wrongs if "counted more than once" not in wrong]
                self.assertEqual(wrongs, [], errors)
                self.assertGreater(outcome.verdict.written, 0.8 * SHORT["seconds"] * SHORT["rate"])


for each in RUNS:
    setattr(Crash, f"test_{each.replace('-', '_')}", lambda self, name=each: self.run_mode(name))


class CrashWithRules(unittest.TestCase):
    def run_mode(self, name):
        mode = next(mode for mode in chains.MODES if mode.name == name)
        outcome, errors = crash.run_one(crash.Plan(mode, RULES[name], seed=7, **RULES_SHORT), loki, world_class=rules_world.RulesWorld)
        print(crash.row(outcome), outcome.verdict.notes(), sep="\n  ", file=sys.stderr)
        wrongs = [wrong for wrong in outcome.wrongs if "counted more than once" not in wrong]
        self.assertEqual(wrongs, [], errors)
        self.assertGreater(outcome.verdict.written, 0.5 * RULES_SHORT["seconds"] * RULES_SHORT["rate"])


for each in RULES:
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
        self.past = rules_judge.Past(self.files, [self.release], kills=[1150], starts=[1000, 1151], spill=False)

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


class Judging(unittest.TestCase):
    """The judge must be able to condemn: what is wrong with a world that was tampered with is found."""

    def outcome(self, tamper):
        mode = next(mode for mode in chains.MODES if mode.name == "fused-none")
        plan = crash.Plan(mode, "kills", seed=3, **dict(SHORT, seconds=3, kills=0, outage=0))
        return crash.run_one(plan, loki, world_class=tamper)[0]

    def test_what_is_missing_repeated_or_changed_is_found(self):
        class Tampered(crash.World):
            def settle(self, truth):
                truth["streams"]["1 stdout"] += 3  # lines that nobody wrote; one of three may be one that the filter drops
                labels = {"run": self.run, "pod": "pod-0", "stream": "stdout"}
                self.loki.push([(labels, [(self.begun * 10**9 + 1, "00000001 pod-0 stdout not what it was", {})])])
                self.plan = dataclasses.replace(self.plan, patience=3)
                return super().settle(truth)

        outcome = self.outcome(Tampered)
        self.assertIn(outcome.verdict.lost_lines, (2, 3))
        self.assertEqual(len(outcome.verdict.foreign), 1)
        self.assertTrue(any(wrong.startswith("lost: pod 1 stdout") for wrong in outcome.wrongs), outcome.wrongs)


if __name__ == "__main__":
    print(crash.headings(), file=sys.stderr)
    unittest.main(argv=sys.argv, verbosity=2)
