#!/usr/bin/env python3
"""`weir query -f` and `--expect … --wait` against a real Loki, across restarts of it. WEIR_FOLLOW_SECONDS: how long it is followed."""
import collections
import os
import random
import signal
import subprocess
import sys
import threading
import time
import unittest

import loki_server
import weir_kit as kit

SECONDS = float(os.environ.get("WEIR_FOLLOW_SECONDS", "75"))
NS = 1_000_000_000


class RestartingLoki(loki_server.Loki):
    """A Loki of its own that can be killed, and started again on the same files and ports, where it replays its log."""

    def __init__(self):
        super().__init__(limits={"max_entries_limit_per_query": 5000})  # limits: not the Loki of LOKI_ADDR

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def start_again(self):
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen([os.environ["LOKI_BIN"], f"-config.file={self.dir}/loki.yaml"], stdout=log, stderr=log, cwd=self.dir,
                                            env=dict(os.environ, GOMAXPROCS="2"))


class Writer(threading.Thread):
    """Pushes lines as they come, some late, some ahead, each again until Loki takes it."""

    def __init__(self, server, run, seconds):
        super().__init__(daemon=True)
        self.server, self.run_label, self.end = server, run, time.monotonic() + seconds
        self.written = collections.Counter()
        self.random = random.Random(17)
        self.number = 0

    def rows(self):
        """What comes in a fifth of a second: (stream, [(time, line, metadata)])."""
        streams = collections.defaultdict(list)
        for _ in range(self.random.randrange(1, 12)):
            now, kind = time.time_ns(), self.random.random()
            late = self.random.randrange(50 * NS) if kind < 0.05 else -self.random.randrange(30 * NS) if kind > 0.98 else 0
            self.number += 1
            streams[f"p{self.random.randrange(3)}"].append((now - late, f"line {self.number}", {"n": str(self.number)} if kind > 0.5 else {}))
        return [({"run": self.run_label, "pod": pod}, rows) for pod, rows in streams.items()]

    def run(self):
        while time.monotonic() < self.end:
            for stream in self.rows():
                while True:
                    try:
                        if self.server.push([stream])[0] == 204:
                            break
                    except OSError:
                        pass
                    time.sleep(0.5)
                self.written.update((stream[0]["pod"], at, line) for at, line, _ in stream[1])
            time.sleep(0.2)


class Follow(kit.Case):
    @classmethod
    def setUpClass(cls):
        cls.loki = RestartingLoki()

    @classmethod
    def tearDownClass(cls):
        cls.loki.stop()

    def query(self, *args):
        out, err = open(self.dir / "out", "wb"), open(self.dir / "err", "wb")
        with out, err:
            return self.start(kit.WEIR, "query", "--addr", self.loki.url, "-o", "jsonl", *args, stdout=out, stderr=err)

    def shown(self):
        return collections.Counter((r["labels"]["pod"], kit.nanoseconds(r["timestamp"]), r["line"])
                                   for r in kit.whole_lines(self.dir / "out"))

    def errors(self):
        return (self.dir / "err").read_text(errors="replace")

    def test_every_line_once_over_restarts(self):
        run = f"follow-{os.urandom(4).hex()}"
        writer = Writer(self.loki, run, SECONDS)
        writer.start()
        kit.wait_for(lambda: writer.written, "a first line")
        weir = self.query("-f", "--since", "5m", f'{{run="{run}"}}')
        restarts = max(1, int(SECONDS // 240))
        for _ in range(restarts):
            time.sleep(SECONDS / (restarts + 1) / 3)
            self.assertIsNone(weir.poll(), self.errors())
            self.loki.kill()
            time.sleep(SECONDS / (restarts + 1) / 4)
            self.loki.start_again()
        writer.join()
        kit.wait_for(lambda: sum(self.shown().values()) >= sum(writer.written.values()) or weir.poll() is not None,
                     "all lines", max(120, kit.PATIENCE))
        # Only a wide look finds a line this late, and it sees the others once more.
        late = time.time_ns() - 50 * NS
        self.assertEqual(self.loki.push([({"run": run, "pod": "late"}, [(late, "late", {})])])[0], 204)
        writer.written["late", late, "late"] += 1
        kit.wait_for(lambda: self.shown()["late", late, "late"] or weir.poll() is not None, "the late line", max(120, kit.PATIENCE))
        weir.send_signal(signal.SIGINT)
        self.assertEqual(weir.wait(), 130, self.errors())
        shown = self.shown()
        self.assertEqual(shown - writer.written, collections.Counter(), "shown too often")
        self.assertEqual(writer.written - shown, collections.Counter(), "not shown")
        print(f"{sum(shown.values())} lines in {SECONDS:.0f} s over {restarts} restarts; messages:\n{self.errors()}", file=sys.stderr)
        self.assertEqual(self.errors().count("asking again until it answers"), self.errors().count("answers again after"), self.errors())

    def test_new_lines_show_within_seconds(self):
        run = f"soon-{os.urandom(4).hex()}"
        self.loki.push([({"run": run, "pod": "a"}, [(time.time_ns(), "first", {})])])
        self.query("-f", f'{{run="{run}"}}')
        kit.wait_for(lambda: sum(self.shown().values()) == 1, "the line that was there")
        delays = []
        for number in range(5):
            self.loki.push([({"run": run, "pod": "a"}, [(time.time_ns(), f"new {number}", {})])])
            begin = time.monotonic()
            kit.wait_for(lambda n=number: sum(self.shown().values()) == n + 2, "a new line")
            delays.append(time.monotonic() - begin)
        self.assertLess(sorted(delays)[2], 5)
        begin = time.monotonic()
        self.loki.push([({"run": run, "pod": "b"}, [(time.time_ns() - 50 * NS, "late", {})])])
        kit.wait_for(lambda: sum(self.shown().values()) == 7, "a late line")
        self.assertLess(time.monotonic() - begin, 15 + 2)

    def test_a_burst(self):
        """A hundred thousand lines of one second are read again with each look. Late lines show in time, or a message says so."""
        run, burst = f"burst-{os.urandom(4).hex()}", 100_000
        self.loki.push([({"run": run, "pod": "a"}, [(time.time_ns(), "first", {})])])
        weir = self.query("-f", f'{{run="{run}"}}')
        kit.wait_for(lambda: (self.dir / "out").stat().st_size > 0, "the line that was there")
        at = time.time_ns()
        for first in range(0, burst, 10_000):
            rows = [(at + number * NS // burst, f"burst {number}", {}) for number in range(first, first + 10_000)]
            self.assertEqual(self.loki.push([({"run": run, "pod": f"p{first % 4}"}, rows)])[0], 204)
        sent, shown = {}, {}
        with open(self.dir / "out", "rb") as out:
            def watch():
                for line in iter(out.readline, b""):
                    if b'"late ' in line:
                        shown[line.split(b'"late ')[1].split(b'"')[0]] = time.monotonic()

            for number in range(20):
                self.loki.push([({"run": run, "pod": "late"}, [(time.time_ns() - 40 * NS, f"late {number}", {})])])
                sent[str(number).encode()] = time.monotonic()
                end = time.monotonic() + 2
                while time.monotonic() < end:
                    watch()
                    time.sleep(0.05)
            kit.wait_for(lambda: watch() or len(shown) == len(sent) or weir.poll() is not None, "all late lines", max(120, kit.PATIENCE))
        worst = max(shown[number] - at for number, at in sent.items())
        print(f"late lines showed within {worst:.1f} s; messages:\n{self.errors()}", file=sys.stderr)
        weir.send_signal(signal.SIGINT)
        self.assertEqual(weir.wait(), 130, self.errors())
        self.assertEqual((self.dir / "out").read_bytes().count(b'"burst '), burst)
        if "after they reach Loki" not in self.errors():
            self.assertLess(worst, 15 + 2)  # the push itself takes its time

    def test_expectations(self):
        run = f"expect-{os.urandom(4).hex()}"
        selector = f'{{run="{run}"}}'

        def expect(*args, code):
            result = subprocess.run([kit.WEIR, "query", "--addr", self.loki.url, "-o", "jsonl", *args, selector], capture_output=True, text=True,
                                    env=kit.environment(), timeout=60)
            self.assertEqual(result.returncode, code, result.stderr)
            return len(result.stdout.splitlines()), result.stderr

        self.assertEqual(expect("--expect-none", code=0)[0], 0)
        count, said = expect("--expect-min", "1", "--wait", "2s", code=1)
        self.assertEqual(count, 0)
        self.assertIn("expected at least 1 record, found none in 2 seconds", said)
        process = self.query("--expect", "3", "--wait", "40s", selector)
        for number in range(3):
            self.loki.push([({"run": run, "pod": "a"}, [(time.time_ns(), f"line {number}", {})])])
        self.assertEqual(process.wait(timeout=60), 0, self.errors())
        self.assertEqual(sum(self.shown().values()), 3)
        self.assertEqual(expect("--expect-max", "2", code=1)[1].count("expected at most 2 records, found"), 1)
        self.assertEqual(expect("--expect", "3", code=0)[0], 3)

    def test_context(self):
        """Against grep over what was pushed, log by log."""
        run, start = f"context-{os.urandom(4).hex()}", time.time_ns() - 600 * NS
        chance, logs = random.Random(3), collections.defaultdict(list)
        for number in range(4000):
            pod = f"p{chance.randrange(3)}"
            # Some times are shared by many lines.
            logs[pod].append((start + number // 40 * NS if number < 2000 else start + number * 10**6 + 60 * NS,
                              f"line {number}{' needle' if chance.random() < 0.01 else ''}", chance.choice(["stdout", "stderr"])))
        for pod, rows in logs.items():
            for stream in ("stdout", "stderr"):
                self.assertEqual(self.loki.push([({"run": run, "pod": pod, "stream": stream}, [(at, line, {}) for at, line, s in rows if s == stream])])[0], 204)
        for before, after in ((2, 1), (0, 30)):
            with self.subTest(before=before, after=after):
                process = self.query("-B", str(before), "-A", str(after), "--since", "1h", f'{{run="{run}"}} |= "needle"')
                self.assertEqual(process.wait(timeout=120), 0, self.errors())
                groups = collections.defaultdict(list)
                for record in kit.whole_lines(self.dir / "out"):
                    groups[record["metadata"]["weir_group"]].append((record["labels"]["pod"], record["line"], record["metadata"].get("weir_context")))
                found = collections.Counter((pod, line) for rows in groups.values() for pod, line, place in rows if place is None)
                self.assertEqual(found, collections.Counter((pod, line) for pod, rows in logs.items() for _, line, _ in rows if "needle" in line))
                everything = collections.Counter((pod, line) for rows in groups.values() for pod, line, _ in rows)
                self.assertEqual(set(everything.values()), {1})  # no record stands in two groups
                for rows in groups.values():
                    self.assertEqual(len({pod for pod, _, _ in rows}), 1)
                # Where each line has a time of its own, the context is exactly the neighbours.
                for pod, lines in logs.items():
                    late = [line for at, line, _ in lines if at > start + 60 * NS]
                    wanted = {late[i] for at, line in enumerate(late) if "needle" in line
                              for i in range(max(0, at - before), min(len(late), at + after + 1))}
                    shown = {line for p, line in everything if p == pod} & set(late)
                    carried = {line for line in shown - wanted if late.index(line) < after}  # behind a match among the shared times
                    self.assertEqual(shown - carried, wanted)


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
