#!/usr/bin/env python3
"""A disk that is full, a spool that is damaged or at its limit, a reader that pauses: the chain goes on and nothing is lost."""
import fcntl
import json
import os
import pathlib
import random
import signal
import struct
import subprocess
import sys
import termios
import time
import unittest

import weir_kit as kit

MiB = 1 << 20
LINES = 40000  # of 400 bytes that compress to half


class Disk(kit.Case):
    def setUp(self):
        super().setUp()
        self.pods = self.dir / "pods"
        self.log = self.pods / "ns_pod_uid" / "c" / "0.log"
        self.log.parent.mkdir(parents=True)
        self.log.touch()
        self.spool = self.dir / "spool.db"
        self.lines = []
        self.second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())

    def write(self, count, seed=1):
        """Appends lines that compress badly, as pods that log identifiers do."""
        dice = random.Random(seed)
        fresh = [f"{len(self.lines) + i} {dice.randbytes(200).hex()}" for i in range(count)]
        with open(self.log, "a", encoding="ascii") as log:
            for i, line in enumerate(fresh, len(self.lines)):
                log.write(f"{self.second}.{i:09d}Z stdout F {line}\n")
        self.lines += fresh

    def pushed(self, record):
        return [row[1] for rows in kit.sink_records(record).values() for row in rows] if record.exists() else []

    def count_pushed(self, url):
        return kit.sink_stats(url)["entries"]

    def spool_size(self):
        return sum(p.stat().st_size for p in (self.spool, pathlib.Path(f"{self.spool}-wal")) if p.exists())

    def newest(self):
        out = kit.weir("query", "--spool", self.spool, "{}", "--limit", "1", "-o", "jsonl", expect=None).splitlines()
        return json.loads(out[-1])["line"] if out else None

    def status(self):
        """None while there is no spool yet."""
        return json.loads(kit.weir("spool", "status", self.spool, "-o", "json", expect=None) or "null")

    def records(self):
        status = self.status()
        return status["records"] if status else 0


class SmallDisk(Disk):
    """On a file system of its own."""

    SIZE = 10 * MiB

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("mounting a small file system needs root")
        self.mount = self.dir / "disk"
        self.mount.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.SIZE}", "none", str(self.mount)], stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            self.skipTest(f"cannot mount a small file system: {done.stderr.decode().strip()}")
        self.addCleanup(subprocess.run, ["umount", "--lazy", str(self.mount)], check=False)
        self.spool = self.mount / "spool.db"
        self.ballast = self.mount / "ballast"

    def free(self):
        status = os.statvfs(self.mount)
        return status.f_bavail * status.f_frsize

    def fill(self, leave=0):
        """Another program takes what is left but for some bytes."""
        with open(self.ballast, "ab") as ballast:
            os.posix_fallocate(ballast.fileno(), ballast.tell(), max(4096, self.free() - leave))

    def stages(self, url, *options):
        return [f"tail -f --checkpoint {self.spool} {self.pods}", " ".join([f"buffer {self.spool} --min-free 0", *options]), f"push {url}"]

    def finish(self, chain, url, record):
        kit.wait_for(lambda: self.count_pushed(url) >= len(self.lines), lambda: f"{self.count_pushed(url)} of {len(self.lines)}\n{chain.errors()}", 3 * kit.PATIENCE)  # push may be waiting for a minute
        chain.stop()
        self.assertEqual(self.pushed(record), self.lines, "each line once, in order")
        status = self.status()
        self.assertEqual((status["undelivered"], status["evicted_undelivered"]), (0, 0))
        self.assertEqual(kit.weir("spool", "check", self.spool).count(b"sound"), 1)


class FullDisk(SmallDisk):
    def both(self, body):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                body(fused)

    def test_it_fills_while_the_target_is_down(self):
        def body(fused):
            record = self.dir / "sink"
            url = self.sink(record)
            kit.get(f"{url}/fail?status=503&count=1000000", data=b"")
            chain = self.chain(self.stages(url), fused)
            self.write(2000)
            kit.wait_for(lambda: self.records() == 2000, chain.errors)
            self.fill(leave=3 * MiB)
            self.write(LINES - 2000, seed=2)
            kit.wait_for(lambda: "the disk is full" in chain.errors(), chain.errors)
            self.assertIn("goes on by itself when there is room", chain.errors())
            self.assertIn(str(self.spool), chain.errors())
            self.fill()
            self.assertTrue(chain.running(), chain.errors())
            kit.wait_for(lambda: "the disk is full" in (self.status()["writer"]["blocked"] or ""), chain.errors)
            status = self.status()
            self.assertEqual((status["blocked"], status["full_in_seconds"]), (status["writer"]["blocked"], 0))
            self.assertLess(status["room_bytes"], 4 * MiB)
            text = kit.weir("spool", "status", self.spool).decode()
            self.assertRegex(text, r"blocked +for .*the disk is full.*\nblocked +for .*503")
            self.assertRegex(text, r"full +now: ")
            self.ballast.unlink()
            kit.wait_for(lambda: "takes records again" in chain.errors(), chain.errors)
            kit.get(f"{url}/fail?status=503&count=0", data=b"")
            self.finish(chain, url, record)

        self.both(body)

    def test_what_is_delivered_makes_room_on_a_disk_that_stays_full(self):
        def body(fused):
            record = self.dir / "sink"
            url = self.sink(record)
            kit.get(f"{url}/fail?status=503&count=1000000", data=b"")
            chain = self.chain(self.stages(url), fused)
            self.write(LINES)
            kit.wait_for(lambda: "the disk is full" in chain.errors(), chain.errors)
            self.fill()
            # Acknowledging needs a little of the disk, and evicting does: the reserve is there for that.
            kit.get(f"{url}/fail?status=503&count=0", data=b"")
            self.finish(chain, url, record)
            self.assertTrue(self.ballast.exists())

        self.both(body)

    def test_full_from_the_start(self):
        def body(fused):
            record = self.dir / "sink"
            url = self.sink(record)
            self.fill()
            self.write(1000)
            chain = self.chain(self.stages(url), fused)
            kit.wait_for(lambda: "the disk is full" in chain.errors(), chain.errors)
            self.assertTrue(chain.running(), chain.errors())
            self.ballast.unlink()
            self.finish(chain, url, record)

        self.both(body)

    def test_stopped_while_full_and_started_again(self):
        def body(fused):
            record = self.dir / "sink"
            url = self.sink(record)
            kit.get(f"{url}/fail?status=503&count=1000000", data=b"")
            chain = self.chain(self.stages(url), fused)
            self.write(LINES)
            kit.wait_for(lambda: "the disk is full" in chain.errors(), chain.errors)
            self.fill()
            chain.kill()
            self.ballast.unlink()
            kit.get(f"{url}/fail?status=503&count=0", data=b"")
            self.finish(self.chain(self.stages(url), fused), url, record)

        self.both(body)

    def test_drop_oldest_never_waits(self):
        def body(fused):
            url = self.sink()
            kit.get(f"{url}/fail?status=503&count=1000000", data=b"")
            chain = self.chain(self.stages(url, "--on-full drop-oldest"), fused)
            self.write(LINES)
            kit.wait_for(lambda: "evicted" in chain.errors(), chain.errors)
            kit.wait_for(lambda: self.newest() == self.lines[-1], chain.errors)
            gaps = kit.weir("replay", self.spool).count(b"weir_gap_bytes")  # none, unless this takes a minute
            status = self.status()
            self.assertEqual(status["evicted_undelivered"] + status["records"], len(self.lines) + gaps)
            chain.kill()

        self.both(body)


    def test_reading_needs_no_room(self):
        def files():
            return {p.name: (p.stat().st_size, p.stat().st_mtime_ns, p.stat().st_ino) for p in self.mount.iterdir()}

        for end in ("killed", "stopped"):
            with self.subTest(end=end):
                self.setUp()
                chain = self.chain([f"tail -f --checkpoint {self.spool} {self.pods}", f"buffer {self.spool} --store --min-free 0"], False)
                self.write(300)
                kit.wait_for(lambda: self.records() == 300, chain.errors)
                if end == "killed":
                    chain.kill()
                    os.unlink(f"{self.spool}-shm")
                else:
                    chain.stop()
                while self.free() > 0:
                    self.fill()
                before = files()
                self.assertEqual(self.records(), 300)
                self.assertEqual(len(kit.weir("replay", self.spool).splitlines()), 300)
                self.assertEqual(len(kit.weir("query", "--spool", self.spool, "{}", "-o", "jsonl", "--limit", "0").splitlines()), 300)
                self.assertIn(b"sound", kit.weir("spool", "check", self.spool))
                self.assertEqual(files(), before)
                kit.weir("spool", "copy", self.spool, self.dir / "copy.db")
                self.assertIn(b"sound", kit.weir("spool", "check", self.dir / "copy.db"))
                self.assertEqual(files(), before)


class Limits(Disk):
    @staticmethod
    def waits_for_room(writer):
        """Whether the pipe that it writes into is full and it sleeps."""
        pipe = writer.stdout.fileno()
        unread = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]
        state = pathlib.Path(f"/proc/{writer.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
        return unread > fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) - 4096 and state == "S"

    def test_max_size_blocks_and_goes_on(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                record = self.dir / "sink"
                url = self.sink(record)
                kit.get(f"{url}/fail?status=503&count=1000000", data=b"")
                chain = self.chain([f"tail -f --checkpoint {self.spool} {self.pods}", f"buffer {self.spool} --min-free 0 --max-size 4MiB", f"push {url}"], fused)
                self.write(LINES)
                kit.wait_for(lambda: "reached its limit of 4.0 MiB" in chain.errors(), chain.errors)
                self.assertLess(self.spool_size(), 4.8 * MiB)
                kit.get(f"{url}/fail?status=503&count=0", data=b"")
                kit.wait_for(lambda: self.count_pushed(url) >= LINES, chain.errors)
                chain.stop()
                self.assertEqual(self.pushed(record), self.lines)
                self.assertLess(self.spool_size(), 4.8 * MiB)

    def test_a_stopped_reader_does_not_grow_the_file(self):
        limit = 4 * MiB
        for command in ("query --spool SPOOL {} -o jsonl", "replay SPOOL"):
            with self.subTest(command):
                self.setUp()
                chain = self.chain([f"tail -f --checkpoint {self.spool} {self.pods}", f"buffer {self.spool} --store --min-free 0 --max-size {limit}"], False)
                self.write(6000)
                kit.wait_for(lambda: self.records() == 6000, chain.errors)
                reader = self.start(kit.WEIR, *command.replace("SPOOL", str(self.spool)).split(), stdout=subprocess.PIPE, env=kit.environment())
                self.assertTrue(reader.stdout.readline())
                kit.wait_for(lambda: self.waits_for_room(reader), chain.errors)  # not in the middle of reading the spool
                reader.send_signal(signal.SIGSTOP)
                most = 0
                for seed in range(2, 6):
                    self.write(30000, seed)
                    kit.wait_for(lambda: self.newest() == self.lines[-1], chain.errors)
                    most = max(most, self.spool_size())
                self.assertGreater(sum(map(len, self.lines)) / 2, 5 * limit)
                self.assertLessEqual(most, 1.2 * limit)
                reader.send_signal(signal.SIGCONT)
                reader.stdout.read()
                self.assertEqual(reader.wait(kit.PATIENCE), 0)
                chain.stop()


class ReadOnlyDisk(SmallDisk):
    """A spool on a file system that is only to be read, such as a snapshot of a node's disk."""

    def test_it_is_read_and_whoever_must_write_says_why_not(self):
        self.write(50)
        kit.weir("run", "-c", f"tail {self.pods} | buffer {self.spool} --store --min-free 0")
        names = [self.spool, self.mount / "odd %41?#.db"]
        names[1].write_bytes(self.spool.read_bytes())
        subprocess.run(["mount", "-o", "remount,ro", str(self.mount)], check=True)
        for spool in names:
            self.assertEqual(len(kit.weir("replay", spool).splitlines()), 50)
            self.assertEqual(len(kit.weir("query", "--spool", spool, "{}", "-o", "jsonl").splitlines()), 50)
            self.assertEqual(json.loads(kit.weir("spool", "status", spool, "-o", "json"))["records"], 50)
            self.assertIn(b"sound", kit.weir("spool", "check", spool))
            for command in (["push", "--spool", spool, "--once", "http://127.0.0.1:1"], ["spool", "forget", "main", spool], ["spool", "compact", spool]):
                refused = subprocess.run([kit.WEIR, *map(str, command)], stderr=subprocess.PIPE, env=kit.environment(), check=False)
                self.assertEqual((refused.returncode, f"cannot write '{spool}'" in refused.stderr.decode()), (4, True), refused.stderr)


class Administration(Disk):
    def test_beside_a_running_chain(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                url = self.sink()
                self.write(20000)
                chain = self.chain([f"tail -f --checkpoint {self.spool} {self.pods}", f"buffer {self.spool} --min-free 0 --max-size 8MiB --retain 0",
                                    f"push {url}"], fused)
                kit.wait_for(lambda: self.count_pushed(url) >= len(self.lines), chain.errors)
                refused = subprocess.run([kit.WEIR, "spool", "forget", "main", str(self.spool)], stderr=subprocess.PIPE, env=kit.environment(), check=False)
                self.assertEqual(refused.returncode, 4)
                self.assertIn(str(chain.processes[-1].pid).encode(), refused.stderr)
                kit.wait_for(lambda: self.status()["blocks"] == 1 and self.status()["undelivered"] == 0, self.status)  # the newest stays
                done = json.loads(kit.weir("spool", "compact", self.spool, "-o", "json"))
                self.assertTrue(done["by_writer"])
                self.assertLess(done["after_bytes"], 1.5 * MiB)
                self.assertTrue(chain.running(), chain.errors())
                chain.stop()
                kit.weir("spool", "forget", "main", env=kit.environment(WEIR_SPOOL=self.spool))
                self.assertEqual(self.status()["consumers"], [])
                self.assertEqual(kit.weir("spool", "check", self.spool).count(b"sound"), 1)


class Damage(Disk):
    def flip(self, at):
        with open(self.spool, "r+b") as spool:
            spool.seek(at)
            byte = spool.read(1)[0]
            spool.seek(at)
            spool.write(bytes([byte ^ 16]))

    def fill_spool(self):
        """Some blocks in the file, no log beside it."""
        self.write(6000)
        self.run_chain([f"tail --checkpoint {self.spool} {self.pods}", f"buffer {self.spool} --store"], False)
        self.assertFalse(pathlib.Path(f"{self.spool}-wal").exists())
        return self.status()

    def test_a_damaged_block_is_left_out_and_set_aside(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                before = self.fill_spool()
                self.flip(self.spool.stat().st_size // 2 // 4096 * 4096 + 2000)  # the file is nearly all bodies
                query = kit.weir("query", "--spool", self.spool, "{}", "-o", "jsonl", expect=3)
                left = [json.loads(line)["line"] for line in query.splitlines()]
                self.assertLess(len(left), len(self.lines))
                record = self.dir / "sink"
                url = self.sink(record)
                self.write(10, seed=9)
                chain = self.chain([f"tail -f --checkpoint {self.spool} {self.pods}", f"buffer {self.spool}", f"push {url}"], fused)
                expected = left + self.lines[-10:]
                kit.wait_for(lambda: self.count_pushed(url) >= len(expected), chain.errors)
                kit.wait_for(lambda: self.status()["damaged_blocks"] == 1, chain.errors)
                chain.stop(expect=(0, 3, 143))
                if not fused:  # there the signal is told
                    self.assertIn(3, [p.returncode for p in chain.processes])
                self.assertEqual(self.pushed(record), expected)
                status = self.status()
                self.assertEqual(status["blocks"], before["blocks"])  # one less, one more
                self.assertEqual(status["damaged_records"], len(self.lines) - len(expected))
                self.assertEqual(len(status["set_aside"]), 1)
                self.assertIn("set aside", chain.errors())
                self.assertEqual(kit.weir("spool", "check", self.spool).count(b"sound"), 1)

    def test_a_damaged_file_is_kept_and_what_is_left_goes_on(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                before = self.fill_spool()
                with open(self.spool, "r+b") as spool:
                    spool.write(b"\0" * 4096)
                record = self.dir / "sink"
                url = self.sink(record)
                self.write(10, seed=9)
                chain = self.chain([f"tail -f --checkpoint {self.spool} {self.pods}", f"buffer {self.spool}", f"push {url}"], fused)
                kit.wait_for(lambda: self.count_pushed(url) >= len(self.lines), chain.errors)
                chain.stop(expect=(0, 3, 143))
                self.assertEqual(self.pushed(record), self.lines)
                status = self.status()
                self.assertEqual(status["id"], before["id"])
                self.assertEqual(len(status["set_aside"]), 1)
                self.assertIn("was damaged", chain.errors())

    def test_a_newer_format_is_refused_with_both_numbers(self):
        self.fill_spool()
        with open(self.spool, "r+b") as spool:
            spool.seek(60)
            spool.write((77).to_bytes(4, "big"))
        for command in (["buffer", "--store", self.spool], ["replay", self.spool], ["push", "--spool", self.spool, "--once", "http://127.0.0.1:9"]):
            with self.subTest(command[0]):
                done = subprocess.run([kit.WEIR, *map(str, command)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      env=kit.environment(), check=False)
                self.assertEqual(done.returncode, 4, done.stderr)
                self.assertIn(b"77", done.stderr)
                self.assertIn(b"up to 1", done.stderr)
        self.assertEqual(list(self.dir.glob("spool.db.damaged-*")), [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
