#!/usr/bin/env python3
"""A spool by another name, without its log, deleted, copied, or read by somebody who may not write."""
import json
import os
import pathlib
import re
import stat
import subprocess
import sys
import threading
import time
import unittest

import weir_kit as kit
from disk_test import Disk

NOBODY = 65534


def run(*args, user=None, umask=None):
    """Exit code, standard output and error of one command."""
    more = {"user": user, "group": user, "extra_groups": []} if user else {}
    if umask is not None:
        more["umask"] = umask
    done = subprocess.run([kit.WEIR, *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=kit.environment(), check=False, **more)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def need_root(case):
    if os.geteuid() != 0:
        case.skipTest("acting as another user needs root")


class SpoolCase(Disk):
    def store(self, *options, fused=False):
        """A chain that stores what is written."""
        buffer = " ".join([f"buffer {self.spool} --store --min-free 0", *options])
        return self.chain([f"tail -f --checkpoint {self.spool} {self.pods}", buffer], fused)

    def stored(self, chain, count):
        kit.wait_for(lambda: self.records() >= count, chain.errors)

    def files(self):
        return [p.name for p in self.spool.parent.iterdir() if p.is_file()]


class Names(SpoolCase):
    def test_a_hard_link_is_no_second_spool(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                first = self.store(fused=fused)
                self.write(100)
                self.stored(first, 100)
                other = self.dir / "other.db"
                os.link(self.spool, other)
                code, _, errors = run("buffer", "--store", other)
                self.assertEqual(code, 4, errors)
                self.assertIn("in use under another name", errors)
                self.assertIn("find / -samefile", errors)
                for command in (["replay", other], ["query", "--spool", other, "{}"], ["spool", "status", other], ["spool", "check", other],
                                ["spool", "copy", other, self.dir / "copy.db"], ["spool", "compact", other],
                                ["push", "--spool", other, "--once", "http://127.0.0.1:1"]):
                    code, _, errors = run(*command)
                    self.assertEqual((code, "under another name" in errors), (4, True), (command, errors))
                self.write(50, seed=2)
                self.stored(first, 150)
                first.stop()
                self.assertEqual(len(kit.weir("replay", other).splitlines()), 150)

    def test_a_mounted_file_is_no_second_spool(self):
        need_root(self)
        first = self.store()
        self.write(10)
        self.stored(first, 10)
        other = self.dir / "mounted.db"
        other.touch()
        if subprocess.run(["mount", "--bind", str(self.spool), str(other)], stderr=subprocess.DEVNULL, check=False).returncode != 0:
            self.skipTest("cannot mount")
        self.addCleanup(subprocess.run, ["umount", "--lazy", str(other)], check=False)
        code, _, errors = run("buffer", "--store", other)
        self.assertEqual((code, "under another name" in errors), (4, True), errors)
        first.stop()

    def test_the_folder_is_made_if_the_one_above_is_there(self):
        spool = self.dir / "var" / "spool.db"
        code, _, errors = run("buffer", "--store", spool, umask=0o022)
        self.assertEqual(code, 0, errors)
        self.assertEqual(stat.S_IMODE(spool.parent.stat().st_mode), 0o700)
        code, _, errors = run("buffer", "--store", self.dir / "no" / "such" / "spool.db")
        self.assertEqual(code, 4)
        self.assertIn(f"mkdir -p '{self.dir}/no/such'", errors)

    def test_a_umask_that_takes_everything(self):
        need_root(self)
        os.chmod(self.dir, 0o755)
        home = self.dir / "home"
        home.mkdir()
        os.chown(home, NOBODY, NOBODY)
        self.write(20)
        spool = home / "spool.db"
        for _ in range(2):
            chain = f"tail --checkpoint {spool} {self.pods} | buffer {spool} --store --min-free 0"
            code, _, errors = run("run", "-c", chain, user=NOBODY, umask=0o777)
            self.assertEqual(code, 0, errors)
        code, out, errors = run("replay", spool, user=NOBODY, umask=0o777)
        self.assertEqual((code, len(out.splitlines())), (0, 20), errors)
        self.assertEqual({stat.S_IMODE(p.stat().st_mode) for p in home.iterdir()}, {0o600})


class Gone(SpoolCase):
    def test_deleted_while_it_is_written(self):
        for fused in (False, True):
            for replaced in (False, True):
                with self.subTest(fused=fused, replaced=replaced):
                    self.setUp()
                    chain = self.store(fused=fused)
                    self.write(30)
                    self.stored(chain, 30)
                    for suffix in ("", "-wal", "-shm"):
                        pathlib.Path(f"{self.spool}{suffix}").unlink()
                    if replaced:
                        self.spool.touch()
                    self.write(3, seed=2)
                    chain.signal(15, 0)
                    codes = chain.wait()
                    self.assertEqual(codes[-1], 4, chain.errors())
                    self.assertIn("was deleted or replaced while it was in use", chain.errors())
                    # A chain that ends may leave the last ones unread.
                    self.assertRegex(chain.errors(), "up to 3[0-3] undelivered records")
                    self.assertIn("may send records again", chain.errors())

    def test_with_spill_all_was_delivered_and_that_is_said(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                record = self.dir / "sink"
                url = self.sink(record)
                chain = self.chain([f"tail -f --checkpoint {self.spool} {self.pods}", f"buffer {self.spool} --spill --min-free 0",
                                    f"push {url}"], fused)
                self.write(30)
                kit.wait_for(lambda: self.count_pushed(url) >= 30, chain.errors)
                for suffix in ("", "-wal", "-shm"):
                    pathlib.Path(f"{self.spool}{suffix}").unlink()
                chain.signal(15, 0)
                codes = chain.wait()
                self.assertIn(4, codes, chain.errors())
                self.assertIn("is gone with its positions", chain.errors())
                self.assertNotIn("undelivered record", chain.errors())
                self.assertEqual(self.pushed(record), self.lines)


    def test_a_checkpoint_that_was_deleted(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                url = self.sink()
                chain = self.chain([f"tail -f --checkpoint {self.spool} {self.pods}", f"push --checkpoint {self.spool} {url}"], fused)
                self.write(30)
                kit.wait_for(lambda: self.count_pushed(url) >= 30, chain.errors)
                for suffix in ("", "-wal", "-shm"):
                    pathlib.Path(f"{self.spool}{suffix}").unlink()
                chain.signal(15, 0)
                self.assertIn(4, chain.wait(), chain.errors())
                self.assertIn("is gone with its positions", chain.errors())


class Copies(SpoolCase):
    def copied_by_hand(self, *suffixes):
        folder = self.dir / "hand"
        folder.mkdir(exist_ok=True)
        for suffix in ("", *suffixes):
            (folder / f"spool.db{suffix}").write_bytes(pathlib.Path(f"{self.spool}{suffix}").read_bytes())
        return folder / "spool.db"

    def test_without_its_log(self):
        chain = self.store()
        self.write(50)
        self.stored(chain, 50)
        copy = self.copied_by_hand()
        missing = f"its write-ahead log '{copy}-wal' is missing: '{copy}' holds 0 of the 50 records"
        code, out, _ = run("spool", "check", copy)
        self.assertEqual((code, missing in out, "sound" in out), (3, True, False), out)
        code, out, errors = run("spool", "status", copy)
        self.assertEqual(code, 0, errors)
        self.assertIn(missing, out)
        self.assertIn(missing, json.loads(run("spool", "status", copy, "-o", "json")[1])["missing"])
        for command in (["replay", copy], ["query", "--spool", copy, "{}"], ["spool", "copy", copy, self.dir / "again.db"]):
            code, _, errors = run(*command)
            self.assertEqual((code, missing in errors), (3, True), (command, errors))
        copy = self.copied_by_hand("-wal")
        code, out, errors = run("spool", "check", copy)
        self.assertEqual((code, "50 records" in out, "sound" in out), (0, True, True), out + errors)
        chain.stop()
        self.assertIn("sound", run("spool", "check", self.spool)[1])

    def test_copy_while_it_is_written(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                chain = self.store(fused=fused)
                self.write(2000)
                self.stored(chain, 2000)
                stop = threading.Event()

                def keep_writing():
                    seed = 2
                    while not stop.is_set():
                        self.write(500, seed)
                        seed += 1
                        time.sleep(0.01)

                writer = threading.Thread(target=keep_writing)
                writer.start()
                try:
                    for i in range(3):
                        before = self.records()
                        copy = self.dir / f"copy-{i}.db"
                        code, out, errors = run("spool", "copy", self.spool, copy)
                        self.assertEqual(code, 0, errors)
                        self.assertIn(f"copied to '{copy}'", out)
                        self.assertEqual(stat.S_IMODE(copy.stat().st_mode), 0o600)
                        code, out, errors = run("spool", "check", copy)
                        self.assertEqual((code, "sound" in out), (0, True), out + errors)
                        status = json.loads(run("spool", "status", copy, "-o", "json")[1])
                        self.assertGreaterEqual(status["records"], before)
                        self.assertEqual(len(status["positions"]), 1)
                        replayed = [json.loads(line)["line"] for line in kit.weir("replay", copy).splitlines()]
                        self.assertEqual(replayed, self.lines[:len(replayed)])
                finally:
                    stop.set()
                    writer.join()
                self.assertTrue(chain.running(), chain.errors())
                chain.stop()
                code, _, errors = run("spool", "copy", self.spool, copy)
                self.assertEqual((code, "that file exists already" in errors), (2, True), errors)
                self.assertEqual([p.name for p in self.dir.iterdir() if "partial" in p.name], [])


class Readers(SpoolCase):
    """By a user who may read the file and nothing else."""

    COMMANDS = (["replay", "SPOOL"], ["query", "--spool", "SPOOL", "{}", "-o", "jsonl", "--limit", "0"],
                ["spool", "status", "SPOOL", "-o", "json"], ["spool", "check", "SPOOL"])

    def read_all(self, count):
        before = self.files()
        for command in self.COMMANDS:
            code, out, errors = run(*[str(self.spool) if c == "SPOOL" else c for c in command], user=NOBODY)
            self.assertEqual(code, 0, (command, errors))
            if command[0] in ("replay", "query"):
                self.assertEqual(len(out.splitlines()), count, (command, errors))
            elif command[1] == "status":
                self.assertEqual(json.loads(out)["records"], count)
            else:
                self.assertIn("sound", out)
        self.assertEqual(sorted(self.files()), sorted(before))

    def test_a_folder_that_may_not_be_written(self):
        need_root(self)
        for left in ("-shm", "nothing"):
            with self.subTest(left=left):
                self.setUp()
                os.chmod(self.dir, 0o755)
                chain = self.store()
                self.write(40)
                self.stored(chain, 40)
                code, _, errors = run("spool", "status", self.spool, user=NOBODY)
                self.assertEqual(code, 4)
                self.assertIn("Permission denied", errors)
                self.assertIn("read it as that user or as root", errors)
                for name in ("", "-wal"):
                    os.chmod(f"{self.spool}{name}", 0o644)
                self.read_all(40)
                chain.kill()
                if left == "nothing":
                    os.unlink(f"{self.spool}-shm")
                self.read_all(40)
                kit.weir("spool", "check", self.spool)
                chain = self.store()
                self.write(10, seed=2)
                self.stored(chain, 50)
                chain.stop()
                self.read_all(50)

    def test_nothing_of_theirs_is_left_where_others_may_write(self):
        need_root(self)
        os.chmod(self.dir, 0o777)
        chain = self.store()
        self.write(40)
        self.stored(chain, 40)
        chain.stop()
        os.chmod(self.spool, 0o666)
        self.read_all(40)


class DropOldest(Disk):
    def test_what_was_evicted_is_not_promised_again(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                record = self.dir / "sink"
                url = self.sink(record)
                kit.get(f"{url}/fail?status=503&count=1000000", data=b"")
                chain = self.chain([f"tail -f --checkpoint {self.spool} {self.pods}",
                                    f"buffer {self.spool} --min-free 0 --max-size 4MiB --on-full drop-oldest", f"push {url}"], fused)
                self.write(40000)
                kit.wait_for(lambda: self.newest() == self.lines[-1], chain.errors, 2 * kit.PATIENCE)
                self.assertIn("were evicted and are lost", chain.errors())
                chain.signal(15)
                codes = chain.wait()
                self.assertEqual(codes[-1], 3, chain.errors())
                errors = chain.errors()
                self.assertIn("evicted from the spool to make room and are lost", errors)
                lost = int(re.search(r"([0-9,]+) records were evicted from the spool", errors)[1].replace(",", ""))
                self.assertNotIn("the next start sends them again", errors)
                status = self.status()
                gaps = kit.weir("replay", self.spool).count(b"weir_gap_bytes")
                self.assertGreater(gaps, 0)
                self.assertEqual(status["evicted_undelivered"] + status["records"], len(self.lines) + gaps)
                self.assertGreater(lost, 0)
                self.assertLessEqual(lost, status["evicted_undelivered"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
