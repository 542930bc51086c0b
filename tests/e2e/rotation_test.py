#!/usr/bin/env python3
"""Rotation under fire: a chain that is blocked while the kubelet rotates and deletes, dead while it compresses, blind while its queue
overflows. Every line that had a name or an open descriptor arrives once; what could not be read is told once, to the byte."""
import collections
import gzip
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

import weir_kit as kit

MB = 1_000_000
LOSSY = (0, 3, 143)  # how the stages of a chain end that lost something: a signal does not hide it
BAD_DISK = os.environ.get("WEIR_BAD_DISK", "build/release/tests/support/libweir_bad_disk.so")


class Log:
    """A container's log as the runtime writes it and the kubelet rotates it, and what is to come of it."""

    def __init__(self, pods, pod="web", container="c", keep=5, compress=True, name="0.log", namespace="shop"):
        self.folder = pathlib.Path(pods) / f"{namespace}_{pod}_uid" / container
        self.live = self.folder / name
        self.keep, self.compress = keep, compress
        self.key = (namespace, pod, container, "stdout", "")
        self.clock = time.time_ns()
        self.sizes = {}      # of each record's CRI line, by its text
        self.expected = []   # (nanoseconds, text)
        self.rotated = []
        self.folder.mkdir(parents=True, exist_ok=True)
        self.writer = open(self.live, "ab", buffering=0)

    def write(self, count=1, size=200):
        rows = []
        for _ in range(count):
            self.clock += 1000
            text = f"{self.key[1]}/{self.key[2]} {len(self.expected):07d} ".ljust(size - 48, "x")
            second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(self.clock // 10**9))
            rows.append(f"{second}.{self.clock % 10**9:09d}Z stdout F {text}\n".encode())
            self.expected.append((self.clock, text))
            self.sizes[text] = len(rows[-1])
        self.writer.write(b"".join(rows))
        return self

    def rotate(self):
        """In the kubelet's order: the oldest go, the others are compressed by way of a temporary name, the live file is renamed."""
        while len(self.rotated) > self.keep - 2:
            self.rotated.pop(0).unlink()
        for i, path in enumerate(self.rotated):
            if self.compress and path.suffix != ".gz":
                temporary = path.with_name(path.name + ".tmp")
                temporary.write_bytes(gzip.compress(path.read_bytes(), 1))
                self.rotated[i] = path.with_name(path.name + ".gz")
                temporary.rename(self.rotated[i])
                path.unlink()
        self.rotations = getattr(self, "rotations", 0) + 1
        target = self.live.with_name(f"{self.live.name}.20260101-{self.rotations:06d}")
        self.live.rename(target)
        self.rotated.append(target)
        self.writer.close()
        self.writer = open(self.live, "ab", buffering=0)
        return self

    def remove_pod(self):
        self.writer.close()
        shutil.rmtree(self.folder.parent)

    def bytes(self):
        return sum(self.sizes.values())


class Gate:
    """A proxy in front of a target that can stop passing anything on, as a target that hangs."""

    def __init__(self, url):
        host, port = url.split("//")[1].split("/")[0].split(":")
        self.upstream = (host, int(port))
        self.opened = threading.Event()
        self.opened.set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.ends = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.upstream)
            except OSError:
                return
            self.ends += [client, server]
            for a, b in ((client, server), (server, client)):
                threading.Thread(target=self.pump, args=(a, b), daemon=True).start()

    def pump(self, source, target):
        try:
            while data := source.recv(1 << 16):
                self.opened.wait()
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def shut(self):
        self.opened.clear()

    def open(self):
        self.opened.set()

    def close(self):
        self.open()
        for end in (self.listener, *self.ends):
            end.close()


def descriptors(pid):
    """What a process has open: path (" (deleted)" behind it when it has no name) and size of each file."""
    found = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append((os.readlink(f"/proc/{pid}/fd/{fd}"), os.stat(f"/proc/{pid}/fd/{fd}").st_size))
        except OSError:
            pass  # closed meanwhile
    return found


def held(pid):
    return [size for path, size in descriptors(pid) if path.endswith(" (deleted)") and ".log" in path]


def memory(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def both_ways(test):
    """Runs the test as a pipe and fused, each in a folder of its own."""

    def run(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                test(self, fused)

    run.__name__ = test.__name__
    return run


class Rotation(kit.Case):
    def setUp(self):
        super().setUp()
        self.pods = self.dir / "pods"
        self.pods.mkdir()

    def log(self, *args, **kwargs):
        log = Log(self.pods, *args, **kwargs)
        self.addCleanup(lambda: log.writer.close())
        return log

    def gate(self):
        self.record = self.dir / "sink"
        self.target = self.sink(self.record)
        gate = Gate(self.target)
        self.addCleanup(gate.close)
        return gate

    def arrived(self):
        return kit.sink_stats(self.target)["entries"]

    def came(self, log):
        """Whether the log's last line is among what arrived last."""
        if not self.record.exists():
            return False
        with open(self.record, "rb") as record:
            record.seek(max(0, record.seek(0, os.SEEK_END) - (4 << 20)))
            return log.expected[-1][1].encode() in record.read()

    def open_files(self, chain):
        return {path for path, _ in descriptors(chain.processes[0].pid)}

    def wait_open(self, chain, log):
        kit.wait_for(lambda: str(log.live) in self.open_files(chain), lambda: f"{log.live} to be opened\n{chain.errors()}")

    def wait_blocked(self, chain, log):
        """Until the first process has read much of the log and then nothing for longer than it ever gathers."""
        pid = chain.processes[0].pid
        read, since = -1, time.monotonic()

        def still():
            nonlocal read, since
            now = next(int(line.split()[1]) for line in pathlib.Path(f"/proc/{pid}/io").read_text().splitlines() if line.startswith("rchar:"))
            if now != read:
                read, since = now, time.monotonic()
            return read > MB and time.monotonic() - since > 0.8

        kit.wait_for(still, lambda: f"{log.live} to block the chain\n{chain.errors()}")

    def pushed(self):
        """Records by key without the gaps, and the gaps: (bytes as told, line)."""
        rows, gaps = {}, []
        for key, entries in kit.sink_records(self.record).items():
            for stamp, line, _, metadata in entries:
                told = dict(metadata).get("weir_gap_bytes")
                if told is None:
                    rows.setdefault(key, []).append((stamp, line))
                else:
                    gaps.append((told, line))
        return rows, gaps

    def split(self, lines):
        """The same of JSON lines."""
        rows, gaps = collections.defaultdict(list), []
        for record in kit.records(lines):
            told = record.get("metadata", {}).get("weir_gap_bytes")
            if told is None:
                rows[kit.key_of(record["labels"])].append((kit.nanoseconds(record["timestamp"]), record["line"]))
            else:
                gaps.append((told, record["line"], record["labels"]))
        return dict(rows), gaps

    def assert_all(self, lines, *logs):
        rows, gaps = self.split(lines)
        self.assertEqual(gaps, [])
        self.assertEqual({k: len(v) for k, v in rows.items()}, {log.key: len(log.expected) for log in logs})
        for log in logs:
            self.assertEqual(rows[log.key], log.expected)

    # -- blocked --

    @both_ways
    def test_a_blocked_chain_reads_every_generation_afterwards(self, fused):
        gate = self.gate()
        log = self.log(keep=2).write(10)
        chain = self.chain([f"tail -f {self.pods}", "enrich --level", f"push {gate.url}"], fused)
        kit.wait_for(lambda: self.arrived() == 10, chain.errors)
        gate.shut()
        for _ in range(20):
            log.write(5000)
            self.wait_open(chain, log)  # whoever has a file open reads it, though it loses its name; nobody can open one that is gone
            log.rotate()
        log.write(10)
        tail = chain.processes[0].pid
        kit.wait_for(lambda: len(held(tail)) >= 8, lambda: f"{descriptors(tail)}\n{chain.errors()}")
        gate.open()
        kit.wait_for(lambda: self.arrived() >= len(log.expected), chain.errors)
        kit.wait_for(lambda: not held(tail), lambda: f"{descriptors(tail)}")
        chain.stop()
        rows, gaps = self.pushed()
        self.assertEqual(gaps, [])
        self.assertEqual(rows, {log.key: log.expected})

    @both_ways
    def test_deleted_files_are_bounded_and_their_loss_is_told_to_the_byte(self, fused):
        gate = self.gate()
        log = self.log(keep=2, compress=False).write(10)
        chain = self.chain([f"tail -f --hold-deleted 3MiB {self.pods}", "enrich --level", "filter --drop '|= \"no such line\"'", f"push {gate.url}"], fused)
        kit.wait_for(lambda: self.arrived() == 10, chain.errors)
        gate.shut()
        for _ in range(20):
            log.write(5000)
            self.wait_open(chain, log)  # whoever has a file open reads it, though it loses its name; nobody can open one that is gone
            log.rotate()
        log.write(10)
        tail = chain.processes[0].pid
        # Said, and the blocks given back, while nothing is read.
        kit.wait_for(lambda: "are lost, because deleted files may keep 3.0 MiB" in chain.errors(), lambda: f"{held(tail)}\n{chain.errors()}")
        kit.wait_for(lambda: sum(held(tail)) < 4.2 * MB, lambda: f"{held(tail)}\n{chain.errors()}")
        self.assertGreater(len(held(tail)), 1)
        gate.open()
        kit.wait_for(lambda: self.came(log), chain.errors)
        chain.stop(LOSSY)
        rows, gaps = self.pushed()
        got = rows[log.key]
        there = set(got)
        self.assertEqual(got, [row for row in log.expected if row in there])
        self.assertGreater(len(gaps), 3)
        delivered = sum(log.sizes[text] for _, text in got)
        self.assertEqual(delivered + sum(int(told) for told, _ in gaps), log.bytes())
        for told, line in gaps:
            self.assertIn(f"weir: {told} bytes of {log.live} from byte ", line)
            self.assertIn("(--hold-deleted)", line)

    @both_ways
    def test_compressed_copies_take_the_place_of_deleted_files(self, fused):
        gate = self.gate()
        log = self.log(keep=30).write(10)
        chain = self.chain([f"tail -f --hold-deleted 2MB {self.pods}", "enrich --level", f"push {gate.url}"], fused)
        kit.wait_for(lambda: self.arrived() == 10, chain.errors)
        gate.shut()
        for _ in range(16):
            log.write(5000).rotate()
        log.write(10)
        tail = chain.processes[0].pid
        kit.wait_for(lambda: any(path.endswith(".gz") for path, _ in descriptors(tail)), lambda: f"{descriptors(tail)}\n{chain.errors()}")
        kit.wait_for(lambda: sum(held(tail)) < 3.2 * MB, lambda: f"{held(tail)}\n{chain.errors()}")
        gate.open()
        kit.wait_for(lambda: self.arrived() >= len(log.expected), chain.errors)
        chain.stop()
        rows, gaps = self.pushed()
        self.assertEqual(gaps, [])
        self.assertEqual(rows, {log.key: log.expected})

    @both_ways
    def test_pods_that_come_and_go_while_the_chain_is_blocked(self, fused):
        gate = self.gate()
        spool = self.dir / "positions.db"
        big = self.log("big", keep=2).write(10)
        chain = self.chain([f"tail -f --checkpoint {spool} {self.pods}", "enrich --level", f"push {gate.url} --checkpoint {spool}"], fused)
        tail = chain.processes[0].pid
        kit.wait_for(lambda: self.arrived() == 10, chain.errors)
        memory_before = memory(tail)
        gate.shut()
        big.write(60000)  # more than all stages together keep in memory
        self.wait_blocked(chain, big)
        brief = []
        for i in range(150):
            log = self.log(f"brief-{i}").write(5)
            self.wait_open(chain, log)
            log.remove_pod()
            brief.append(log)
        self.assertEqual(len(held(tail)), len(brief))
        gate.open()
        kit.wait_for(lambda: self.arrived() >= len(big.expected) + 5 * len(brief), chain.errors)
        kit.wait_for(lambda: {p for p in self.open_files(chain) if str(self.pods) in p} == {str(big.live)}, lambda: f"{descriptors(tail)}\n{chain.errors()}")
        self.assertLess(memory(tail), memory_before + 12 * MB)
        # Each log's positions end with it.
        kit.wait_for(lambda: len(self.positions(spool)) == 1, lambda: f"{self.positions(spool)}")
        chain.stop()
        rows, gaps = self.pushed()
        self.assertEqual(gaps, [])
        self.assertEqual(rows, {log.key: log.expected for log in [big, *brief]})

    def positions(self, spool):
        """The logs that have a position, as a restart would see them."""
        status = kit.weir("spool", "status", spool, "-o", "json", expect=None)
        return [p["log"] for p in json.loads(status)["positions"]] if status else []

    @both_ways
    def test_a_container_that_restarts_over_and_over(self, fused):
        spool = self.dir / "spool.db"
        chain = self.chain([f"tail -f --checkpoint {spool} {self.pods}", f"buffer {spool} --store"], fused)
        logs = []
        for restart in range(30):  # 0.log, 1.log, …: the kubelet keeps that of the instance before
            log = self.log("crash", name=f"{restart}.log").write(20)
            logs.append(log)
            self.wait_open(chain, log)
            log.writer.close()
            if restart >= 2:
                logs[restart - 2].live.unlink()
        wanted = [row for log in logs for row in log.expected]
        kit.wait_for(lambda: len(self.stored(spool)) >= len(wanted), chain.errors)
        kit.wait_for(lambda: len(self.positions(spool)) == 2, lambda: f"{self.positions(spool)}\n{chain.errors()}")
        chain.stop()
        rows, gaps = self.split(self.stored(spool))
        self.assertEqual(gaps, [])
        self.assertEqual(sorted(rows[logs[0].key]), sorted(wanted))

    def stored(self, spool):
        return kit.weir("replay", spool, "-o", "jsonl", expect=None).splitlines() if spool.exists() else []

    @both_ways
    def test_a_new_file_is_worth_the_descriptor_of_the_oldest_deleted_one(self, fused):
        limit = 60
        gate = self.gate()
        big = self.log("big", keep=2).write(10)
        chain = self.chain([f"tail -f {self.pods}", f"push {gate.url}"], fused)
        tail = chain.processes[0].pid
        resource.prlimit(tail, resource.RLIMIT_NOFILE, (limit, limit))
        kit.wait_for(lambda: self.arrived() == 10, chain.errors)
        gate.shut()
        big.write(60000)
        self.wait_blocked(chain, big)
        logs = []
        for i in range(limit + 20):
            log = self.log(f"brief-{i:03d}").write(5)
            self.wait_open(chain, log)
            log.remove_pod()
            logs.append(log)
        gate.open()
        kit.wait_for(lambda: self.came(logs[-1]), chain.errors)
        kit.wait_for(lambda: not held(tail), lambda: f"{descriptors(tail)}\n{chain.errors()}")
        chain.stop(LOSSY)
        rows, gaps = self.pushed()
        for log in [big, *logs]:
            self.assertEqual(rows.get(log.key, log.expected), log.expected)
        lost = [log for log in logs if log.key not in rows]
        self.assertGreater(len(lost), 0)
        self.assertEqual(sorted(int(told) for told, _ in gaps), sorted(log.bytes() for log in lost))
        self.assertIn("a new file needed its descriptor", chain.errors())

    # -- blind --

    @both_ways
    def test_a_queue_that_overflows(self, fused):
        events = int(pathlib.Path("/proc/sys/fs/inotify/max_queued_events").read_text())
        if events > 200_000:
            self.skipTest(f"{events} events would have to be made")
        log, other = self.log(keep=6).write(10), self.log("again").write(10)
        chain = self.chain([f"tail -f {self.pods}", "enrich --level"], fused)
        kit.wait_for(lambda: len(chain.output()) == 20, chain.errors)
        chain.signal(signal.SIGSTOP, 0)
        # A folder that is replaced by another one, perhaps with the same inode; rotations; a new pod: and the kernel drops all of it.
        for i in range(events // 2 + 100):
            name = self.pods / f"noise-{i % 2}"
            name.touch()
            name.unlink()
        other.remove_pod()
        again = self.log("again")
        again.clock = other.clock
        again.expected = other.expected
        again.write(10)
        for _ in range(3):
            log.write(1000).rotate()
        log.write(10)
        new = self.log("new").write(10)
        chain.signal(signal.SIGCONT, 0)
        total = len(log.expected) + len(again.expected) + len(new.expected)
        kit.wait_for(lambda: len(chain.output()) >= total, lambda: f"{len(chain.output())} of {total}\n{chain.errors()}")
        # And what is watched is what is there.
        for one in (log, again, new):
            one.write(5)
        late = self.log("again", "late").write(5)
        kit.wait_for(lambda: len(chain.output()) >= total + 20, lambda: f"{len(chain.output())}\n{chain.errors()}")
        chain.stop()
        self.assert_all(chain.output(), log, again, new, late)

    @both_ways
    def test_what_came_and_went_while_it_was_stopped_is_told(self, fused):
        """Files that the kubelet deleted while nobody could open them are lost, but not in silence; what still has a name is read."""
        self.kept = self.dir / "kept.db"
        log = self.log(keep=4, compress=False).write(10)
        chain = self.chain([f"tail -f --checkpoint {self.kept} {self.pods}", f"buffer {self.kept} --store"], fused)
        stored = lambda: [record for record in kit.records(kit.weir("replay", self.kept, "-o", "jsonl", expect=None).splitlines())]
        kit.wait_for(lambda: self.kept.exists() and len(stored()) == 10, chain.errors)
        expected, gaps = list(log.expected), 0
        for again in range(2):
            chain.signal(signal.SIGSTOP, 0)
            tasks = pathlib.Path(f"/proc/{chain.processes[0].pid}/task")
            kit.wait_for(lambda t=tasks: all(") T " in (task / "stat").read_text() for task in t.iterdir()), "all threads to stop")
            for i in range(7):
                log.write(100).rotate()
                if i in (0, 4, 5, 6):  # it holds the first; of the others the last three keep a name
                    expected += log.expected[-100:]
            new = self.log(f"new-{again}").write(100).rotate().write(10)
            chain.signal(signal.SIGCONT, 0)
            log.write(5)
            expected += log.expected[-5:]
            gaps += 1
            kit.wait_for(lambda: len(stored()) >= len(expected) + gaps + gaps * 110, lambda: f"{len(stored())} of {len(expected)}\n{chain.errors()}")
            rows, told = self.split(kit.weir("replay", self.kept, "-o", "jsonl").splitlines())
            self.assertEqual(rows[log.key], expected)
            self.assertEqual(rows[new.key], new.expected)
            self.assertEqual([bytes_ for bytes_, _, _ in told], ["unknown"] * gaps)
            self.assertIn("3 files came and went before they could be opened", told[-1][1])
            if again == 0:
                chain.kill()
                chain = self.chain([f"tail -f --checkpoint {self.kept} {self.pods}", f"buffer {self.kept} --store"], fused)
                log.write(1)
                expected += log.expected[-1:]
                kit.wait_for(lambda: len(stored()) == len(expected) + gaps + 110, chain.errors)
        chain.stop(expect=(0, 3, 143))

    @both_ways
    def test_a_folder_that_goes_and_comes_again_at_once(self, fused):
        log = self.log().write(10)
        chain = self.chain([f"tail -f {self.pods}", "enrich --level"], fused)
        kit.wait_for(lambda: len(chain.output()) == 10, chain.errors)
        for i in range(5):
            log.remove_pod()
            log.folder.mkdir(parents=True)
            log.writer = open(log.live, "ab", buffering=0)
            log.write(10)
            kit.wait_for(lambda n=10 * (i + 2): len(chain.output()) >= n, chain.errors)
        chain.stop()
        self.assert_all(chain.output(), log)

    # -- dead --

    def store(self, fused, *pods, follow=False, expect=(0,)):
        """One run of a tracked chain to its end; what the spool holds."""
        spool = self.dir / "spool.db"
        tail = " ".join(["tail", *(["-f"] if follow else []), f"--checkpoint {spool}", *map(str, pods or [self.pods])])
        stages = [tail, "filter '{namespace=~\".*\"}' --drop '|= \"no such line\"'", f"buffer {spool} --store"]
        if follow:
            return self.chain(stages, fused)
        self.errors = self.run_and_tell(stages, fused, expect)
        return self.stored(spool)

    def run_and_tell(self, stages, fused, expect):
        chain = self.chain(stages, fused)
        codes = chain.wait()
        self.assertTrue(all(code in expect for code in codes), f"{codes} of {stages}\n{chain.errors()}")
        return chain.errors()

    @both_ways
    def test_rotated_and_compressed_while_dead(self, fused):
        log = self.log(keep=6).write(100)
        self.store(fused)
        for _ in range(3):
            log.write(1000).rotate()
        log.write(10)
        self.assert_all(self.store(fused), log)
        log.write(10)
        self.assert_all(self.store(fused), log)

    @both_ways
    def test_killed_again_and_again_while_it_is_rotated(self, fused):
        log = self.log(keep=9).write(10)
        self.store(fused)
        for _ in range(6):
            chain = self.store(fused, follow=True)
            for _ in range(2):
                before = len(self.stored(self.dir / "spool.db"))
                log.write(1500).rotate().write(100)
                kit.wait_for(lambda n=before: len(self.stored(self.dir / "spool.db")) > n, chain.errors)
            chain.kill()
            log.write(300).rotate().write(50)
        self.assert_all(self.store(fused), log)

    @both_ways
    def test_copied_and_truncated(self, fused):
        log = self.dir / "app.log"
        spool = self.dir / "spool.db"
        lines = []

        def write(count):
            fresh = [f"line {len(lines) + i} of the application" for i in range(count)]
            with open(log, "a", encoding="ascii") as out:
                out.write("".join(f"{line}\n" for line in fresh))
            lines.extend(fresh)

        def rotate(compress):
            for i in (3, 2, 1):
                for suffix in ("", ".gz"):
                    old = self.dir / f"app.log.{i}{suffix}"
                    if old.exists():
                        old.rename(self.dir / f"app.log.{i + 1}{suffix}")
            copy = self.dir / "app.log.1"
            shutil.copyfile(log, copy)
            os.truncate(log, 0)
            if compress:
                subprocess.run(["gzip", str(copy)], check=True)

        write(100)
        stages = [f"tail -f --format raw --checkpoint {spool} {log}", "enrich --level", f"buffer {spool} --store"]
        chain = self.chain(stages, fused)
        kit.wait_for(lambda: len(self.stored(spool)) == 100, chain.errors)
        # Nobody reads while lines are written, copied and cut away: only the copy has them.
        for compress in (False, True):
            chain.signal(signal.SIGSTOP, 0)
            write(50)
            rotate(compress)
            write(10)
            chain.signal(signal.SIGCONT, 0)
            kit.wait_for(lambda: len(self.stored(spool)) >= len(lines), lambda: f"{len(self.stored(spool))} of {len(lines)}\n{chain.errors()}")
        chain.kill()
        write(30)
        rotate(False)
        write(20)
        rotate(True)
        write(5)
        self.run_and_tell([stage.replace("tail -f", "tail") for stage in stages], fused, (0,))
        rows, gaps = self.split(self.stored(spool))
        self.assertEqual(gaps, [])
        (got,) = rows.values()
        self.assertEqual([line for _, line in got], lines)

    @both_ways
    def test_a_file_that_was_cut_by_a_loss_of_power(self, fused):
        log = self.log().write(100)
        self.store(fused)
        size = log.live.stat().st_size
        os.truncate(log.live, size - 1000)
        stored = self.store(fused, expect=(0, 3))
        self.assertEqual(self.split(stored)[1], [("unknown", f"weir: the content of {log.live} from byte {size - 1000} on is lost: the file is shorter than what "
                                                  "was read of it, as after a loss of power", {"namespace": "shop", "pod": "web", "container": "c"})])
        self.assertIn("is lost: the file is shorter", self.errors)
        log.write(3)
        for _ in range(2):
            rows, gaps = self.split(self.store(fused))
            self.assertEqual(len(gaps), 1)
            self.assertEqual(rows[log.key], log.expected)

    @both_ways
    def test_a_loss_is_told_once_passes_every_filter_and_is_no_success(self, fused):
        log, other = self.log().write(100), self.log("other").write(3)
        spool = self.dir / "spool.db"
        self.store(fused)
        log.writer.close()
        log.live.unlink()
        log.writer = open(log.live, "ab", buffering=0)
        other.write(2)
        stages = [f"tail --checkpoint {spool} {self.pods}", "filter '{app=\"x\"}'", "filter --drop '{}'", f"buffer {spool} --store"]
        chain = self.chain(stages, fused)
        codes = chain.wait()
        self.assertIn(3, codes[:1], f"{codes}\n{chain.errors()}")
        self.assertIn(f"the content of {log.live} from byte {log.bytes()} on is lost: the file is gone", chain.errors())
        for _ in range(2):
            rows, gaps = self.split(self.stored(spool))
            self.assertEqual([(told, labels) for told, _, labels in gaps], [("unknown", {"namespace": "shop", "pod": "web", "container": "c"})])
            self.assertEqual(rows[other.key], other.expected[:3])  # the others were dropped, as asked
            self.store(fused)

    @both_ways
    def test_a_compressed_file_that_is_damaged_costs_its_rest(self, fused):
        log = self.log(keep=6).write(10)
        self.store(fused)
        for _ in range(3):
            log.write(3000).rotate()
        log.write(10)
        packed = log.rotated[0]
        data = bytearray(packed.read_bytes())
        data[len(data) * 2 // 3:] = b"\0" * (len(data) - len(data) * 2 // 3)
        packed.write_bytes(data)
        rows, gaps = self.split(self.store(fused, expect=(0, 3)))
        self.assertEqual([told for told, _, _ in gaps], ["unknown"])
        self.assertIn(str(packed), gaps[0][1])
        got, wanted = rows[log.key], set(log.expected)
        self.assertGreater(len([row for row in got if row in wanted]), 6000)
        self.assertEqual(got[-6010:], log.expected[-6010:])  # the files behind it

    def bad_spot(self, begin, end):
        return kit.environment(LD_PRELOAD=BAD_DISK, WEIR_TEST_BAD_SPOT=f"/c/0.log:{begin}:{end}")

    @both_ways
    def test_a_bad_spot_of_the_disk_costs_what_stands_there(self, fused):
        log = self.log().write(200)
        begin, end = 8192, 16384
        chain = self.chain([f"tail {self.pods}", "enrich --level"], fused, env=self.bad_spot(begin, end))
        self.assertIn(3, chain.wait(), chain.errors())
        rows, gaps = self.split(chain.output())
        self.assertEqual([(told, line) for told, line, _ in gaps],
                         [("8192", f"weir: 8192 bytes of {log.live} from byte {begin} on are lost: Input/output error")])
        self.assertIn("are lost: Input/output error", chain.errors())
        place, whole = 0, []
        for stamp, text in log.expected:
            if place + log.sizes[text] <= begin or place >= end:
                whole.append((stamp, text))
            place += log.sizes[text]
        self.assertGreater(len(whole), 100)
        self.assertEqual([row for row in rows[log.key] if row in set(log.expected)], whole)

    @both_ways
    def test_a_file_that_cannot_be_read_to_its_end_does_not_stop_its_log(self, fused):
        log = self.log().write(100)
        size = log.live.stat().st_size
        chain = self.chain([f"tail -f {self.pods}", "enrich --level"], fused, env=self.bad_spot(8192, 1 << 40))
        kit.wait_for(lambda: "cannot read" in chain.errors(), chain.errors)
        self.assertEqual(self.split(chain.output())[1], [])  # it may be readable later, and nothing waits behind it
        log.live.rename(log.live.with_name("0.log.20260101-000001"))
        log.writer.close()
        log.live.write_bytes(b"2026-01-02T03:04:05.000000001Z stdout F behind it\n")
        kit.wait_for(lambda: b"behind it" in b"".join(chain.output()), chain.errors)
        chain.stop(LOSSY)
        rows, gaps = self.split(chain.output())
        self.assertEqual([told for told, _, _ in gaps], [str(size - 8192)])
        self.assertEqual(rows[log.key][-1][1], "behind it")

    @both_ways
    def test_links_of_a_node_with_docker(self, fused):
        docker = self.dir / "docker" / "0123"
        docker.mkdir(parents=True)
        json_log = docker / "0123-json.log"
        pod = self.pods / "shop_web_uid" / "c"
        pod.mkdir(parents=True)
        containers = self.dir / "containers"
        containers.mkdir()
        link = containers / f"web_shop_c-{'0123' * 16}.log"
        (pod / "0.log").symlink_to(json_log)
        link.symlink_to(pod / "0.log")
        roots = [f"--log-root {docker.parent}", containers, self.pods]  # as with a data-root of one's own
        lines = []

        def write(count):
            with open(json_log, "a", encoding="ascii") as out:
                for _ in range(count):
                    lines.append(f"line {len(lines)}")
                    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{len(lines):09d}Z"
                    out.write(json.dumps({"log": lines[-1] + "\n", "stream": "stdout", "time": stamp}) + "\n")

        def rotate():
            for i in (2, 1):
                old = docker / f"0123-json.log.{i}"
                if old.exists():
                    old.rename(docker / f"0123-json.log.{i + 1}")
            json_log.rename(docker / "0123-json.log.1")
            json_log.touch()

        write(10)
        spool = self.dir / "spool.db"
        chain = self.store(fused, *roots, follow=True)
        kit.wait_for(lambda: len(self.stored(spool)) == 10, chain.errors)
        rotate()
        write(10)
        kit.wait_for(lambda: len(self.stored(spool)) == 20, chain.errors)
        chain.kill()
        write(10)
        rotate()
        write(10)
        rotate()
        write(10)
        rows, gaps = self.split(self.store(fused, *roots))
        self.assertEqual(gaps, [])
        self.assertEqual([line for _, line in rows[("shop", "web", "c", "stdout", "")]], lines)


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
