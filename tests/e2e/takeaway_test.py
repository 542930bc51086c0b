#!/usr/bin/env python3
"""A spool that is taken away: exported or copied while it is written, onto full disks, killed half-way; and read by anyone."""
import json
import os
import pathlib
import resource
import signal
import stat
import subprocess
import sys
import threading
import unittest

import weir_kit as kit
from disk_test import Disk

NOBODY = 65534
MEMORY = 32 << 20  # bytes that an export may take, beside the program itself

RULES = """# What leaves the house.
name card: redact `\\b[0-9a-f]{16}` with "<id>"
redact `web-[0-9]+` with "web-N"
drop |= "noise"
hold |= "debug"
"""


def run(*args, user=None, folder=None, env=None, before=None):
    """Exit code, standard output and error of one command."""
    more = {"user": user, "group": user, "extra_groups": []} if user else {}
    done = subprocess.run([kit.WEIR, *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder,
                          env=kit.environment(**(env or {})), preexec_fn=before, check=False, **more)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def need_root(case):
    if os.geteuid() != 0:
        case.skipTest("acting as another user, and mounting, need root")


class Takeaway(Disk):
    def setUp(self):
        super().setUp()
        self.case = self.dir / "case.db"

    def store(self, fused=False):
        """A chain that stores what is written."""
        return self.chain([f"tail -f --checkpoint {self.spool} {self.pods}", f"buffer {self.spool} --store --min-free 0"], fused)

    def stored(self, chain, count):
        kit.wait_for(lambda: (self.records() or 0) >= count, chain.errors)

    def fill(self, count, fused=False):
        chain = self.store(fused)
        self.write(count)
        self.stored(chain, count)
        return chain

    def replayed(self, spool, *args, **kwargs):
        code, out, errors = run("replay", spool, *args, "-o", "jsonl", **kwargs)
        self.assertIn(code, (0, 1), errors)
        return [json.loads(line) for line in out.splitlines()]

    def beside(self, path):
        return sorted(p.name for p in path.parent.iterdir() if p.name.startswith(path.name))

    def mount_tmpfs(self, options):
        folder = self.dir / "disk"
        folder.mkdir(exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            self.skipTest(f"cannot mount here: {done.stderr.decode().strip()}")
        self.addCleanup(subprocess.run, ["umount", "--lazy", str(folder)], stderr=subprocess.DEVNULL, check=False)
        return folder


class Export(Takeaway):
    def test_while_it_is_written_as_pipe_and_fused(self):
        """Each export holds a beginning of what was written, and is what replay of the same moment prints, or more."""
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                chain = self.fill(2000, fused)
                stop = threading.Event()

                def keep_writing():
                    for seed in range(2, 200):
                        self.write(100, seed)
                        if stop.wait(0.02):
                            return

                writer = threading.Thread(target=keep_writing)
                writer.start()
                try:
                    for i in range(3):
                        before = [r["line"] for r in self.replayed(self.spool)]
                        case = self.dir / f"case-{i}.db"
                        code, out, errors = run("replay", self.spool, "--export", case, '{namespace="ns"}', "--since", "1h", "-o", "jsonl")
                        self.assertEqual(code, 0, errors)
                        report = json.loads(out)
                        self.assertEqual(self.beside(case), [case.name])
                        lines = [r["line"] for r in self.replayed(case)]
                        self.assertEqual(len(lines), report["records"])
                        self.assertGreaterEqual(len(lines), len(before))
                        self.assertTrue(lines == self.lines[:len(lines)], "a beginning of what was written")
                        self.assertEqual(stat.S_IMODE(case.stat().st_mode), 0o600)
                        self.assertEqual(report["bytes"], case.stat().st_size)
                        self.assertIn("sound", run("spool", "check", case)[1])
                finally:
                    stop.set()
                    writer.join()
                self.assertTrue(chain.running(), chain.errors())
                chain.stop()

    def test_rules_are_those_of_filter(self):
        """The export holds what `replay | filter --rules` lets pass, unless a rule holds it; and nothing of what rules take out."""
        rules = self.dir / "rules"
        rules.write_text(RULES)
        pods = self.dir / "other"
        self.podgen("--pods", "3", "--lines", "2000", "--seed", "5", out=pods)
        kit.weir("run", "-c", f"tail {pods} --checkpoint {self.spool} | enrich --level | buffer {self.spool} --store --min-free 0")
        with self.subTest("redacted"):
            code, out, errors = run("replay", self.spool, "--export", self.case, "--rules", rules, '{namespace=~".+"} |~ "[0-9]"')
            self.assertEqual(code, 0, errors)
            self.assertRegex(out, r"^[0-9,]+ records exported to '.*case\.db': .* from 20.* to 20")
            self.assertRegex(out, r"[0-9,]+ records were redacted by the rules")
            self.assertRegex(out, r"left out by the rules: [0-9,]+ by hold")
            self.assertRegex(out, rf"\n  {rules}:2: redact card: [0-9,]+ records?\n")
        for fused in (False, True):
            with self.subTest(fused=fused):
                other = self.dir / f"filtered-{fused}.db"
                self.run_chain([f"replay {self.spool} '{{namespace=~\".+\"}} |~ \"[0-9]\"'", f"filter --rules {rules}",
                                f"buffer {other} --store --min-free 0"], fused)
                self.assertGreater(len(self.replayed(other, "--held")), 0)
                self.assertEqual(self.replayed(self.case), self.replayed(other))
        status = json.loads(run("spool", "status", self.case, "-o", "json")[1])
        self.assertEqual((status["consumers"], status["held"], status["max_size"]), ([], 0, None))

    def test_a_mistake_exports_nothing(self):
        self.fill(10).stop()
        rules = self.dir / "rules"
        for text, words in (("redct `x` with \"y\"\n", "unknown action"), ("# nothing yet\n", "there is no rule in them"), (None, "rules")):
            with self.subTest(text=text):
                if text is None:
                    rules.unlink()
                else:
                    rules.write_text(text)
                code, _, errors = run("replay", self.spool, "--export", self.case, "--rules", rules)
                self.assertEqual((code in (2, 4), words in errors), (True, True), errors)
                self.assertEqual(self.beside(self.case), [])

    def test_nothing_matches(self):
        self.fill(10).stop()
        code, out, errors = run("replay", self.spool, "--export", self.case, '{namespace="sn"}')
        self.assertEqual((code, out), (1, ""), errors)
        self.assertIn("nothing is exported: no namespace 'sn' here; did you mean 'ns'?", errors)
        self.assertEqual(self.beside(self.case), [])

    def test_the_spool_of_the_environment(self):
        self.fill(10).stop()
        code, out, errors = run("replay", "--export", "case.db", '{namespace="ns"}', "--since", "1h", folder=self.dir, env={"WEIR_SPOOL": self.spool})
        self.assertEqual(code, 0, errors)
        self.assertIn("10 records exported to 'case.db'", out)
        self.assertEqual([r["line"] for r in self.replayed(self.case)], self.lines)

    def test_a_full_disk(self):
        need_root(self)
        self.fill(8000).stop()
        disk = self.mount_tmpfs("size=1m")
        for command in (["replay", self.spool, "--export", disk / "new.db"], ["spool", "copy", self.spool, disk / "new.db"]):
            with self.subTest(command[0]):
                code, _, errors = run(*command)
                self.assertEqual(code, 4, errors)
                self.assertRegex(errors, "no room|is full|No space")
                self.assertEqual(list(disk.iterdir()), [])

    def test_a_disk_on_which_it_just_fits_or_just_not(self):
        """Of each size, an export or a copy is whole, or it is refused and leaves nothing: never a part with exit code 0."""
        need_root(self)
        self.fill(60_000).stop()
        outcomes = {}
        for command in (["replay", self.spool, "--export"], ["spool", "copy", self.spool]):
            whole = self.dir / f"whole-{command[0]}.db"
            self.assertEqual(run(*command, whole)[0], 0)
            size = whole.stat().st_size // 1024
            for percent in (60, 90, 120, 150, 190, 300):
                with self.subTest(command=command[0], percent=percent):
                    disk = self.mount_tmpfs(f"size={size * percent // 100}k")
                    made = disk / "new.db"
                    code, _, errors = run(*command, made)
                    if code == 0:
                        self.assertIn("60,000 records", run("spool", "check", made)[1])
                    else:
                        self.assertEqual((code, list(disk.iterdir())), (4, []), errors)
                        self.assertRegex(errors, "no room|is full|No space")
                    outcomes.setdefault(command[0], set()).add(code)
                    subprocess.run(["umount", "--lazy", str(disk)], check=True)
        self.assertEqual(outcomes, {"replay": {0, 4}, "spool": {0, 4}})

    def test_killed_half_way(self):
        """No file of the name is left, and the next one to the same place goes well."""
        self.fill(20000).stop()
        for command, option in ((["replay", self.spool, "--export", self.case], "export"), (["spool", "copy", self.spool, self.case], "copy")):
            with self.subTest(option):
                process = self.start(kit.WEIR, *map(str, command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                partial = pathlib.Path(f"{self.case}-partial")
                kit.wait_for(lambda: partial.exists() or self.case.exists(), "nothing is made")
                process.kill()
                process.wait()
                if self.case.exists():
                    self.skipTest("it was faster than the kill")
                self.assertTrue(partial.exists())
                code, _, errors = run(*command)
                self.assertEqual(code, 0, errors)
                self.assertEqual(self.beside(self.case), [self.case.name])
                self.assertEqual(len(self.replayed(self.case)), 20000)
                for name in self.beside(self.case):
                    (self.dir / name).unlink()

    def test_a_signal_leaves_nothing(self):
        self.fill(20000).stop()
        process = self.start(kit.WEIR, "replay", str(self.spool), "--export", str(self.case), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE)
        kit.wait_for(lambda: pathlib.Path(f"{self.case}-partial").exists(), "nothing is made")
        process.send_signal(signal.SIGINT)
        process.wait()
        self.assertIn(process.returncode, (0, 130))
        self.assertEqual(self.beside(self.case), [self.case.name] if process.returncode == 0 else [])

    def test_memory_is_bounded(self):
        """Of long lines and of many short ones, all of which are exported. Once under a limit on data, so that more fails."""
        rules = self.dir / "rules"
        rules.write_text("redact `x{10}` with \"y\"\nlimit 1000000/s\n")

        def limit():
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))

        for count, width in ((70_000, 900), (120_000, 40)):
            with self.subTest(width=width):
                big = self.dir / f"big-{width}.db"
                feed = self.start(kit.WEIR, "buffer", str(big), "--store", "--min-free", "0", stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
                for i in range(count):
                    feed.stdin.write(b'{"timestamp":"2026-01-01T%02d:%02d:%02d.%06dZ","line":"%d %s","labels":{"app":"a%d"}}\n' % (
                        i // 72000 % 24, i // 1200 % 60, i // 20 % 60, i % 20, i, b"x" * width, i % 7))
                feed.stdin.close()
                self.assertEqual(feed.wait(), 0)
                code, out, errors = run("replay", big, "--export", self.dir / f"limited-{width}.db", "--rules", rules, before=limit)
                self.assertEqual(code, 0, errors)
                self.assertIn(f"{count:,} records exported", out)
                usage = subprocess.run(["/usr/bin/env", "python3", "-c",
                                        "import resource,subprocess,sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL); "
                                        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)",
                                        kit.WEIR, "replay", str(big), "--export", str(self.dir / f"measured-{width}.db"), "--rules", str(rules)],
                                       capture_output=True, check=True, env=kit.environment())
                peak = int(usage.stdout) * 1024
                print(f"an export of {count} lines of {width} bytes: {peak / 1048576:.1f} MiB at most", file=sys.stderr)
                self.assertLess(peak, MEMORY)


class Places(Takeaway):
    def test_a_folder_that_cannot_be_written(self):
        need_root(self)
        os.chmod(self.dir, 0o755)
        chain = self.fill(20)
        for name in ("", "-wal"):
            os.chmod(f"{self.spool}{name}", 0o644)
        closed = self.dir / "closed"
        closed.mkdir(mode=0o755)
        for command in (["replay", self.spool, "--export", closed / "new.db"], ["spool", "copy", self.spool, closed / "new.db"]):
            with self.subTest(command[0]):
                code, _, errors = run(*command, user=NOBODY)
                self.assertEqual(code, 4, errors)
                self.assertRegex(errors, rf"cannot (copy|export) to '{closed}/new.db': Permission denied")
                self.assertIn("able to write the folder", errors)
        # They may take away what they may read, into a folder of theirs.
        theirs = self.dir / "theirs"
        theirs.mkdir()
        os.chown(theirs, NOBODY, NOBODY)
        for command, made in ((["replay", self.spool, "--export", theirs / "a.db"], "a.db"), (["spool", "copy", self.spool, theirs / "b.db"], "b.db")):
            with self.subTest(made):
                code, _, errors = run(*command, user=NOBODY)
                self.assertEqual(code, 0, errors)
                self.assertEqual((theirs / made).stat().st_uid, NOBODY)
                self.assertEqual([r["line"] for r in self.replayed(theirs / made, user=NOBODY)], self.lines)
        chain.stop()


class Readers(Takeaway):
    """By a user who may read the file, and neither write it nor its folder."""

    def read_all(self, spool, count, user=NOBODY, missing=False):
        """Every command that reads. `missing`: the log is not there, and what was in it is reported."""
        rules = self.dir / "readers.rules"
        rules.write_text("drop |= \"1\"\n")
        os.chmod(rules, 0o644)
        before = sorted((p.name, p.stat().st_mtime_ns) for p in spool.parent.iterdir())
        wanted = 3 if missing else 0
        code, out, errors = run("replay", spool, "-o", "jsonl", user=user)
        self.assertEqual((code, len(out.splitlines())), (wanted if not missing or count else code, count), errors)
        code, out, errors = run("query", "--spool", spool, "{}", "-o", "jsonl", "--limit", "0", user=user)
        self.assertEqual((code, len(out.splitlines())), (wanted, count), errors)
        code, out, errors = run("spool", "status", spool, "-o", "json", user=user)
        self.assertEqual((code, json.loads(out)["records"]), (0, count), errors)
        code, out, errors = run("spool", "check", spool, user=user)
        self.assertEqual((code, "sound" in out), (wanted, not missing), out + errors)
        code, out, errors = run("rules", "test", rules, "--against", spool, "-o", "json", user=user)
        self.assertEqual((code, json.loads(out)["records"]), (wanted, count), errors)
        self.assertEqual(sorted((p.name, p.stat().st_mtime_ns) for p in spool.parent.iterdir()), before, "reading leaves no trace")

    def test_a_folder_that_they_may_not_look_into(self):
        """As /var/lib/weir of the package: the message says whose right is missing."""
        need_root(self)
        closed = self.dir / "closed"
        closed.mkdir(mode=0o750)
        os.chmod(self.dir, 0o755)
        self.fill(5).stop()
        (closed / "spool.db").write_bytes(self.spool.read_bytes())
        for command in (["replay", closed / "spool.db"], ["spool", "status", closed / "spool.db"], ["spool", "check", closed / "spool.db"],
                        ["query", "--spool", closed / "spool.db", "{}"], ["spool", "copy", closed / "spool.db", "/tmp/none.db"]):
            with self.subTest(command[:2]):
                code, out, errors = run(*command, user=NOBODY)
                self.assertEqual((code, out), (4, ""), errors)
                self.assertIn("Permission denied", errors)
                self.assertIn("may not look into its folder", errors)

    def opened(self, folder):
        """A folder that anybody may look into, and only root may write."""
        os.chmod(folder, 0o755)
        for path in folder.iterdir():
            if path.is_file():
                os.chmod(path, 0o644)

    def test_an_original_an_export_and_a_copy(self):
        need_root(self)
        os.chmod(self.dir, 0o755)
        chain = self.fill(40)
        away = self.dir / "away"
        away.mkdir()
        run("replay", self.spool, "--export", away / "case.db")
        run("spool", "copy", self.spool, away / "copy.db")
        self.opened(away)
        for name in ("case.db", "copy.db"):
            with self.subTest(name):
                self.read_all(away / name, 40)
        with self.subTest("while it is written"):
            for name in ("", "-wal"):
                os.chmod(f"{self.spool}{name}", 0o644)
            code, out, errors = run("replay", self.spool, user=NOBODY)
            self.assertEqual((code, len(out.splitlines())), (0, 40), errors)
        with self.subTest("a log that may not be read"):
            # What is in the log is a part of the spool: without it an answer would be a wrong one.
            os.chmod(f"{self.spool}-wal", 0o600)
            for command in (["replay", self.spool], ["query", "--spool", self.spool, "{}"], ["spool", "status", self.spool], ["spool", "check", self.spool]):
                code, out, errors = run(*command, user=NOBODY)
                self.assertEqual((code, out), (4, ""), (command, errors))
                self.assertIn(f"'{self.spool}-wal'", errors)
                self.assertIn("Permission denied", errors)
        chain.kill()
        with self.subTest("with a log and no index"):
            pathlib.Path(f"{self.spool}-shm").unlink()
            self.opened(self.dir)
            self.read_all(self.spool, 40)

    def test_a_read_only_file_system(self):
        need_root(self)
        os.chmod(self.dir, 0o755)
        chain = self.fill(40)
        chain.kill()  # so that a log is left
        folder = self.mount_tmpfs("size=64m")
        for name in ("", "-wal"):
            (folder / f"spool.db{name}").write_bytes(pathlib.Path(f"{self.spool}{name}").read_bytes())
        run("replay", self.spool, "--export", folder / "case.db")
        self.opened(folder)
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        for user in (None, NOBODY):
            for name in ("spool.db", "case.db"):
                with self.subTest(user=user, name=name):
                    self.read_all(folder / name, 40, user=user)

    def test_without_its_log(self):
        need_root(self)
        os.chmod(self.dir, 0o755)
        self.fill(40).stop()
        # Of these the file itself has nothing yet.
        chain = self.store()
        self.write(10, seed=2)
        self.stored(chain, 50)
        chain.kill()
        away = self.dir / "away"
        away.mkdir()
        (away / "spool.db").write_bytes(self.spool.read_bytes())
        self.opened(away)
        for command in (["replay", away / "spool.db"], ["spool", "check", away / "spool.db"]):
            code, out, errors = run(*command, user=NOBODY)
            self.assertEqual(code, 3, errors)
            self.assertIn("is missing", out + errors)
        # After a stop in good order the log is empty, and the file is whole.
        chain = self.store()
        self.write(10, seed=3)
        self.stored(chain, 60)
        chain.stop()
        (away / "whole.db").write_bytes(self.spool.read_bytes())
        self.opened(away)
        self.read_all(away / "whole.db", 60)


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
