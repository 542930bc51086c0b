#!/usr/bin/env python3
"""The short version of run.sh for every day: each kind of chain is killed and loses its Loki for some seconds, with a fixed seed."""
import dataclasses
import sys
import unittest

import crash
import crash_case

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


class Crash(crash_case.CrashCase):
    def run_mode(self, name):
        mode = crash_case.mode_of(name)
        if why := mode.available():
            self.skipTest(why)
        for scenario in RUNS[name]:
            with self.subTest(scenario=scenario):
                outcome, errors = self.run_plan(crash.Plan(mode, scenario, seed=7, **SHORT))
                print(crash.row(outcome), file=sys.stderr)
                self.assert_sound(outcome, errors, 0.8)


for each in RUNS:
    setattr(Crash, f"test_{each.replace('-', '_')}", lambda self, name=each: self.run_mode(name))


class Judging(crash_case.CrashCase):
    """The judge must be able to condemn: what is wrong with a world that was tampered with is found."""

    def outcome(self, tamper):
        plan = crash.Plan(crash_case.mode_of("fused-none"), "kills", seed=3, **dict(SHORT, seconds=3, kills=0, outage=0))
        return self.run_plan(plan, world_class=tamper)[0]

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
