#!/usr/bin/env python3
"""Two chains that keep positions in one file: one after the other, one beside the other, and one that names the wrong file."""
import os
import pathlib
import signal
import sqlite3
import sys
import time
import unittest

import proxy
import weir_kit as kit

LINES = 4000
BEHIND = {"buffer": ["buffer {kept}", "push {url}"], "checkpoint": ["push {url} --checkpoint {kept}"]}


class Case(kit.Case):
    def setUp(self):
        super().setUp()
        self.pods = self.dir / "pods"
        self.log = self.pods / "ns_pod_uid" / "c" / "0.log"
        self.log.parent.mkdir(parents=True)
        self.kept = self.dir / "kept.db"
        self.record = self.dir / "sink"
        self.second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())  # push refuses what is old
        self.written = 0
        self.sink_url = self.sink(self.record)
        self.proxy = proxy.Proxy(self.sink_url, keep_bodies=False)
        self.addCleanup(self.proxy.close)
        self.write(LINES)

    def write(self, count):
        with open(self.log, "a", encoding="ascii") as log:
            for i in range(self.written, self.written + count):
                log.write(f"{self.second}.{i:09d}Z stdout F {i} of a log that two read\n")
        self.written += count

    def start_chain(self, name, fused, *last):
        stages = [f"tail -f --checkpoint {self.kept} {self.pods}", *(stage.format(url=self.proxy.url, kept=self.kept) for stage in BEHIND[name])]
        stages[-1] = " ".join([stages[-1], *last])
        return self.chain(stages, fused)

    def there(self):
        return [int(row[1].split()[0]) for rows in kit.sink_records(self.record).values() for row in rows] if self.record.exists() else []

    def wait_for_all(self, *chains):
        kit.wait_for(lambda: kit.sink_stats(self.sink_url)["entries"] >= self.written and self.written - 1 in self.there(),
                     lambda: "\n".join(chain.errors() for chain in chains))

    def opens(self, chain, name):
        """True once a process of the chain has the file open."""
        for process in chain.processes:
            for fd in pathlib.Path(f"/proc/{process.pid}/fd").glob("*"):
                try:
                    if os.readlink(fd) == str(name):
                        return True
                except OSError:
                    pass  # closed meanwhile
        return False

    def each(self, body):
        for name in BEHIND:
            for fused in (False, True):
                with self.subTest(chain=name, fused=fused):
                    self.setUp()
                    body(name, fused)


class OneAfterTheOther(Case):
    def test_the_second_waits_and_takes_over(self):
        def body(name, fused):
            first = self.start_chain(name, fused)
            self.wait_for_all(first)
            second = self.start_chain(name, fused)
            kit.wait_for(lambda: self.opens(second, f"{self.kept}-lock"), second.errors)
            self.write(LINES)
            self.wait_for_all(first)
            self.write(LINES)
            first.stop()
            self.write(LINES)
            self.wait_for_all(first, second)
            self.assertTrue(second.running(), second.errors())
            second.stop()
            self.assertEqual(self.there(), list(range(self.written)))

        self.each(body)

    def test_an_old_chain_that_still_drains(self):
        """Its tail was killed, what is behind goes on delivering; the new one has read the positions before that is done."""
        for name in BEHIND:
            with self.subTest(chain=name):
                self.setUp()
                self.proxy.set("slow", 0.4)
                old = self.start_chain(name, False)
                kit.wait_for(lambda: self.proxy.journal, old.errors)
                old.kill(0)
                new = self.start_chain(name, False)
                self.write(LINES)
                self.assertEqual(old.wait(), [-signal.SIGKILL] + [4] * (len(old.processes) - 1), old.errors())
                self.proxy.set("up")
                self.wait_for_all(old, new)
                new.stop()
                there = self.there()
                if "stopped before Loki had acknowledged" in old.errors():  # a slow machine: what was in flight is sent again
                    there = list(dict.fromkeys(there))
                self.assertEqual(there, list(range(self.written)), old.errors() + new.errors())

    def test_an_old_buffer_that_commits_after_a_new_tail_has_read_the_positions(self):
        stages = [f"tail -f --checkpoint {self.kept} {self.pods}", f"buffer {self.kept} --store"]
        stored = lambda: len(kit.weir("replay", self.kept, expect=None).splitlines()) if self.kept.exists() else 0
        old = self.chain(stages, False)
        kit.wait_for(lambda: stored() == LINES, old.errors)
        old.signal(signal.SIGSTOP, 1)
        before = self.passed_on(old.processes[0])
        self.write(1000)  # few enough for the pipe in between
        kit.wait_for(lambda: self.passed_on(old.processes[0]) - before > 0.95 * before * 1000 / LINES, old.errors)
        old.kill(0)
        new = self.chain(stages, False)
        kit.wait_for(lambda: self.opens(new, f"{self.kept}-lock") and self.opens(new, self.log), new.errors)
        old.signal(signal.SIGCONT, 1)
        self.assertEqual(old.wait(), [-signal.SIGKILL, 4], old.errors())
        self.assertIn("stored 5,000 records", old.errors())
        self.write(1000)
        kit.wait_for(lambda: stored() >= self.written, new.errors)
        new.stop()
        self.assertIn("1,000 were stored before", new.errors())
        lines = [record["line"] for record in kit.records(kit.weir("replay", self.kept, "-o", "jsonl").splitlines())]
        self.assertEqual([int(line.split()[0]) for line in lines], list(range(self.written)))

    @staticmethod
    def passed_on(process):
        """Bytes that a process has written."""
        text = pathlib.Path(f"/proc/{process.pid}/io").read_text(encoding="ascii")
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("wchar"))


class OneBesideTheOther(Case):
    def test_the_second_says_who_holds_the_file(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                first = self.start_chain("buffer", fused)
                self.wait_for_all(first)
                second = self.chain([f"tail -f --checkpoint {self.kept} {self.pods}", f"buffer {self.kept} --wait 0s", f"push {self.proxy.url}"], fused)
                second.wait()
                keeper = -1 if fused else 1
                self.assertEqual(second.processes[keeper].returncode, 4, second.errors())
                self.assertIn(f"process {first.processes[keeper].pid} holds it", second.errors())
                first.stop()
                self.assertEqual(self.there(), list(range(self.written)))

    def test_a_busy_file_is_waited_for(self):
        """Whoever holds the file for itself, a backup, say: tail must not take it for one without positions."""
        def body(name, fused):
            chain = self.start_chain(name, fused)
            self.wait_for_all(chain)
            chain.stop()
            self.write(LINES)
            holder = sqlite3.connect(self.kept, isolation_level=None)
            self.addCleanup(holder.close)
            holder.execute("PRAGMA locking_mode=EXCLUSIVE")
            holder.execute("BEGIN EXCLUSIVE")
            if not fused:  # fused, buffer and push come first, and wait as well
                done = self.chain([f"tail --checkpoint {self.kept} --wait 0s {self.pods}"], False)
                self.assertEqual(done.wait(), [4], done.errors())
                self.assertIn("locked", done.errors())
            chain = self.start_chain(name, fused)
            kit.wait_for(lambda: self.opens(chain, self.kept), chain.errors)
            holder.execute("COMMIT")
            holder.close()
            self.wait_for_all(chain)
            chain.stop()
            self.assertEqual(self.there(), list(range(self.written)))

        self.each(body)

    def test_the_wrong_file(self):
        other = self.dir / "other.db"
        for stages, fused, codes in (
                ([f"tail -f --checkpoint {other} {self.pods}", f"buffer {self.kept}", f"push {self.proxy.url}"], False, [4, 2, 0]),
                ([f"tail -f --checkpoint {other} {self.pods}", f"push {self.proxy.url} --checkpoint {self.kept}"], False, [4, 2]),
                ([f"tail -f --checkpoint {other} {self.pods}", f"buffer {self.kept}", f"push {self.proxy.url}"], True, [2]),
                ([f"tail -f --checkpoint {other} {self.pods}", f"push {self.proxy.url} --checkpoint {self.kept}"], True, [2])):
            with self.subTest(stages=stages, fused=fused):
                chain = self.chain(stages, fused)
                self.assertEqual(chain.wait(), codes, chain.errors())
                self.assertIn(str(other), chain.errors())
                self.assertIn(str(self.kept), chain.errors())
                self.assertEqual(self.there(), [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
