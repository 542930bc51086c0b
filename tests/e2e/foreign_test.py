#!/usr/bin/env python3
"""Programs of others in a chain that keeps positions: the way that weir-record(5) shows."""
import json
import os
import pathlib
import re
import subprocess
import unittest

import weir_kit as kit

ROOT = pathlib.Path(__file__).resolve().parents[2]


def shown(path, undo=lambda text: text):
    """The jq program of a document."""
    return re.search(r"jq -c --unbuffered '([^']+)'", undo(path.read_text(encoding="utf-8"))).group(1)


PROGRAM = shown(ROOT / "man" / "weir-record.5", lambda text: text.replace("\\-", "-"))


class Foreign(kit.Case):
    def setUp(self):
        super().setUp()
        self.pods = self.dir / "pods"
        self.logs = [self.pods / f"ns_pod-{i}_uid" / "c" / "0.log" for i in range(2)]
        self.written = 0
        for log in self.logs:
            log.parent.mkdir(parents=True)

    def write(self, count):
        for log in self.logs:
            with open(log, "a", encoding="ascii") as out:
                for i in range(self.written, self.written + count):
                    out.write(f"2026-01-02T03:04:05.{i:09d}Z stdout F {i} {'error' if i % 3 == 0 else 'fine'}\n")
        self.written += count

    def run_through(self, program, spool):
        """A one-shot chain; the objects that came out of the program."""
        seen = self.dir / "seen"
        script = 'set -o pipefail; "$WEIR" tail --checkpoint "$SPOOL" "$PODS" | jq -c --unbuffered "$PROGRAM" | tee "$SEEN" | "$WEIR" buffer "$SPOOL" --store'
        env = kit.environment(WEIR=pathlib.Path(kit.WEIR).resolve(), SPOOL=spool, PODS=self.pods, PROGRAM=program, SEEN=seen)
        done = subprocess.run(["bash", "-c", script], env=env, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return kit.whole_lines(seen)

    def stored(self, spool):
        return sorted((r["labels"]["pod"], int(r["line"].split()[0])) for r in kit.records(kit.weir("replay", spool, "-o", "jsonl").splitlines()))

    def expected(self):
        return sorted((f"pod-{log}", i) for log in range(2) for i in range(0, self.written, 3))

    def test_what_the_manual_shows_keeps_positions(self):
        spool = self.dir / "spool.db"
        self.write(100)  # the last line passes
        self.assertTrue(any("marker" in one for one in self.run_through(PROGRAM, spool)))
        self.assertEqual(self.stored(spool), self.expected())
        status = json.loads(kit.weir("spool", "status", spool, "-o", "json"))
        self.assertEqual(sorted(p["offset"] for p in status["positions"]), sorted(log.stat().st_size for log in self.logs))
        self.write(101)  # the last line is dropped
        again = [one for one in self.run_through(PROGRAM, spool) if "line" in one]
        self.assertTrue(all(int(one["line"].split()[0]) >= 100 for one in again), "what was done with is read again")
        self.assertEqual(self.stored(spool), self.expected())
        self.assertEqual([one for one in self.run_through(PROGRAM, spool) if "line" in one], [])
        self.assertEqual(self.stored(spool), self.expected())

    def test_a_gap_passes(self):
        gap = {"timestamp": "2026-01-02T03:04:05Z", "line": "lost", "labels": {"pod": "p"}, "metadata": {"weir_gap_bytes": "7"}}
        plain = {"timestamp": "2026-01-02T03:04:05Z", "line": "fine", "labels": {}}
        for one, passes in ((gap, True), (plain, False), ({**plain, "line": "an error"}, True), ({"source": "f.1.1.o.5"}, True)):
            out = subprocess.run(["jq", "-c", PROGRAM], input=json.dumps(one), stdout=subprocess.PIPE, text=True, check=True).stdout
            self.assertEqual([json.loads(line) for line in out.splitlines()], [one] if passes else [])


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    unittest.main()
