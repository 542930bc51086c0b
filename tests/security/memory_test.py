#!/usr/bin/env python3
"""The memory limit of a node (192 MiB, as in examples/systemd and the chart): a backlog is drained while held records are read, in one cgroup.

WEIR_MEMORY_MB sets the size of the backlog (256 MiB of lines; the figure that the documents state is that of 1024). Where no cgroup can be
written, the memory of the processes themselves is added up instead, and the test says so.
"""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

import weir_kit as kit

MIB = 1 << 20
LIMIT = 192 * MIB
BACKLOG = int(os.environ.get("WEIR_MEMORY_MB", "256"))


class Cgroup:
    """A memory cgroup of version 1 or 2 with a limit, and no swap."""

    def __init__(self):
        self.path = self.make()
        self.v2 = (self.path / "memory.max").exists()
        if self.v2:
            self.write("memory.max", LIMIT)
            with contextlib.suppress(OSError):
                self.write("memory.swap.max", 0)
        else:
            self.write("memory.limit_in_bytes", LIMIT)
            with contextlib.suppress(OSError):
                self.write("memory.swappiness", 0)

    @staticmethod
    def make():
        """OSError where it cannot be made."""
        name = f"weir-test-{os.getpid()}"
        for base in ("/sys/fs/cgroup/memory", "/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
            path = pathlib.Path(base) / name
            with contextlib.suppress(OSError):
                path.mkdir()
                if (path / "memory.max").exists() or (path / "memory.limit_in_bytes").exists():
                    return path
                path.rmdir()
        raise OSError("no cgroup for memory can be made")

    def write(self, name, value):
        (self.path / name).write_text(str(value))

    def read(self, name):
        return (self.path / name).read_text()

    def enter(self):
        """For preexec_fn."""
        self.write("cgroup.procs", os.getpid())

    def table(self, name):
        return {line.split()[0]: int(line.split()[1]) for line in self.read(name).splitlines()}

    def kills(self):
        return self.table("memory.events" if self.v2 else "memory.oom_control").get("oom_kill", 0)

    def peak(self):
        """With the cache of files, which the kernel takes back when it needs room."""
        name = "memory.peak" if self.v2 else "memory.max_usage_in_bytes"
        return int(self.read(name)) if (self.path / name).exists() else 0

    def own(self):
        """What cannot be taken back: the memory of the processes."""
        return self.table("memory.stat")["anon" if self.v2 else "rss"]

    def remove(self):
        kit.wait_for(lambda: not self.read("cgroup.procs").strip(), "the processes of the cgroup to end")
        self.path.rmdir()


class NoCgroup:
    """The same questions, asked of the processes."""

    def __init__(self):
        self.processes = []

    def enter(self):
        pass

    def kills(self):
        return 0

    def peak(self):
        return 0

    def own(self):
        total = 0
        for process in self.processes:
            with contextlib.suppress(OSError):
                for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
                    if line.startswith("RssAnon:"):
                        total += int(line.split()[1]) * 1024
        return total

    def remove(self):
        pass


class Memory(kit.SinkCase):
    def setUp(self):
        super().setUp()
        self.url = self.sink()  # that keeps nothing
        try:
            self.group = Cgroup()
        except OSError as error:
            if os.environ.get("CI") == "true" and os.geteuid() == 0:
                raise
            print(f"no cgroup: {error}. The memory of the processes is added up instead, and nothing limits them.", flush=True)
            self.group = NoCgroup()
        self.addCleanup(self.group.remove)

    def begin(self, *words):
        """A process of weir in the cgroup."""
        errors = open(self.dir / f"errors-{time.monotonic_ns()}", "wb")
        self.addCleanup(errors.close)
        process = self.start(kit.WEIR, *map(str, words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=kit.environment(),
                             preexec_fn=self.group.enter)
        process.errors = pathlib.Path(errors.name)
        if isinstance(self.group, NoCgroup):
            self.group.processes.append(process)
        return process

    def test_a_backlog_is_drained_while_held_records_are_read(self):
        summary = self.podgen("--mb", BACKLOG, "--pods", 40, "--seed", 3, "--end", int(time.time()))
        rules = self.dir / "rules"
        rules.write_text('hold |~ "[02468]$|[a-m]\\"}$|[a-m]$"\n')
        kit.weir("run", "-c", f"tail --max-age 0 {self.pods} | enrich --level | filter --rules {rules} | buffer --max-size 8GiB --hold-max 4GiB "
                 f"--hold 100000h {self.spool} --store")
        status = kit.weir("spool", "status", self.spool, "-o", "json")
        status = json.loads(status)
        held, waiting = status["held"], status["undelivered"] + status.get("delivered", 0)
        self.assertGreater(held, summary.get("lines", summary.get("records", 0)) // 10, status)
        self.assertGreater(waiting, 0, status)
        begun = time.monotonic()
        drain = self.begin("push", "--once", "--spool", self.spool, self.url)
        readers, own, read = [], 0, 0
        while drain.poll() is None:
            if not readers or readers[-1].poll() is not None:
                readers.append(self.begin("replay", "--held", self.spool, "-o", "jsonl"))
                counted = self.start("wc", "-l", stdin=readers[-1].stdout, stdout=subprocess.PIPE)
                readers[-1].counted = counted
            own = max(own, self.group.own())
            self.assertLess(time.monotonic() - begun, 600, "the drain does not end")
            time.sleep(0.02)
        self.assertEqual(drain.returncode, 0, drain.errors.read_text())
        for reader in readers:
            self.assertEqual(reader.wait(kit.PATIENCE * 5), 0, reader.errors.read_text())
            lines = int(reader.counted.communicate()[0])
            self.assertEqual(lines, held)
            read += 1
        own = max(own, self.group.own())
        self.assertEqual(self.group.kills(), 0)
        self.assertEqual(kit.sink_stats(self.url)["entries"], waiting)
        self.assertLess(own, LIMIT)
        print(f"{BACKLOG} MiB of lines: {waiting} records drained while {read} replays read {held} held ones each, in "
              f"{time.monotonic() - begun:.1f} s; the processes took {own / MIB:.1f} MiB at most, the cgroup {self.group.peak() / MIB:.1f} MiB with "
              f"the cache of files, of {LIMIT // MIB} MiB; no OOM kill", flush=True)

    def test_the_limit_is_one(self):
        """The harness can fail: a process that takes more than the limit is killed."""
        if isinstance(self.group, NoCgroup):
            self.skipTest("no cgroup")
        greedy = self.start(sys.executable, "-c", f"x = bytearray({LIMIT}); x[::4096] = b'1' * len(x[::4096]); print(len(x))", stdout=subprocess.DEVNULL,
                            preexec_fn=self.group.enter)
        self.assertEqual(greedy.wait(kit.PATIENCE), -signal.SIGKILL)
        self.assertEqual(self.group.kills(), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
