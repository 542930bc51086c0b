#!/usr/bin/env python3
"""The systemd journal: from its files, which systemd-journal-remote writes, and from `journalctl -o json`."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import unittest

import journal_kit as journal
import metrics_test
import weir_kit as kit

ERASED = "weir_gap_bytes"


def lines_of(output):
    return [record["line"] for record in kit.records(output)]


class JournalCase(kit.Case):
    def setUp(self):
        super().setUp()
        self.folder = self.dir / "journal"
        self.folder.mkdir()
        self.live = self.folder / "remote-a.journal"

    def read(self, *args, expect=0, folder=None):
        return kit.weir("tail", "--journal-dir", folder or self.folder, "-o", "jsonl", *args, expect=expect).splitlines()

    def feed(self, path=None):
        return self.start(journal.REMOTE, "-o", str(path or self.live), "-", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)

    def add(self, feeder, entries):
        feeder.stdin.write(b"".join(entries))
        feeder.stdin.flush()

    def journalctl(self, *args):
        return subprocess.run(["journalctl", "-D", str(self.folder), "-o", "json", "-q", *args], check=True, stdout=subprocess.PIPE).stdout

    def from_json(self, *args, options=(), expect=0):
        path = self.dir / "export.json"
        path.write_bytes(self.journalctl(*args))
        with open(path, "rb") as stdin:
            return kit.weir("tail", "--format", "journal", "-o", "jsonl", *options, "-", stdin=stdin, expect=expect).splitlines()


class Reading(JournalCase):
    def test_a_record_of_an_entry(self):
        journal.write(self.live, [journal.entry(1, priority=3)])
        self.assertEqual([json.loads(line) for line in self.read("--journal-field", "_TRANSPORT", "--journal-field", "_PID=process")], [{
            "timestamp": "2025-11-30T00:00:00.001Z", "line": "line 1",
            "labels": {"job": "systemd-journal", "node_name": "node-1", "unit": "kubelet.service"},
            "metadata": {"detected_level": "error", "transport": "stdout", "process": "1001"}}])

    def test_same_records_from_files_and_from_journalctl(self):
        odd = [journal.entry(1, message=b"\xff\x00 not text"), journal.entry(2, message="two\nlines"), journal.entry(3, message=[]),
               journal.entry(4, unit=None, _TRANSPORT="kernel"), journal.entry(5, priority=None), journal.entry(6, message="\x1b[31mred\x1b[0m"),
               journal.entry(7, message="ünïcödé ✓"), journal.entry(8, message="x" * 5000), journal.entry(9, OTHER=["a", "b"]),
               journal.entry(10, message='quo"ted\\'), journal.entry(11, message=""), journal.entry(12, message="y" * 700_000)]
        journal.write(self.live, odd + [journal.entry(i, priority=i % 8, unit=f"unit-{i % 5}.service") for i in range(13, 400)])
        options = ("--journal-field", "_TRANSPORT", "--journal-field", "OTHER=other", "--max-line", "1MiB")
        native = self.read(*options)
        self.assertEqual(native, self.from_json("--all", options=options))
        self.assertEqual(len(native), 399)
        self.assertEqual(lines_of(native)[:3], ["\udcff\x00 not text", "two\nlines", ""])
        self.assertEqual([json.loads(native[8])["metadata"]["other"], json.loads(native[11])["line"]], ["a", "y" * 700_000])
        # In pieces, at the same places.
        self.live.unlink()
        journal.write(self.live, [journal.entry(1, message="é" * 9_000), journal.entry(2, message=b"\xff" * 9_000), journal.entry(3)])
        pieces = ("--max-line", "4097")
        self.assertEqual(self.read(*pieces), self.from_json("--all", options=pieces))
        self.assertEqual([json.loads(line).get("metadata", {}).get("weir_split") for line in self.read(*pieces)],
                         ["1", "2", "3", "4", "5/5", "1", "2", "3/3", None])

    def test_what_journalctl_cuts_is_not_lost_in_silence(self):
        journal.write(self.live, [journal.entry(1, message="x" * 5000)])
        record = json.loads(self.from_json(expect=3)[0])
        self.assertEqual((record["timestamp"], record["labels"]["unit"]), ("2025-11-30T00:00:00.001Z", "kubelet.service"))
        self.assertIn('"MESSAGE":null', record["line"].replace(" ", ""))

    def test_filters(self):
        journal.write(self.live, [journal.entry(i, unit=f"u{i % 4}.service", priority=i % 8) for i in range(80)])
        self.assertEqual(len(self.read("--unit", "u1")), 20)
        self.assertEqual(len(self.read("--unit", "u1", "--unit", "u2.service")), 40)
        self.assertEqual(len(self.read("--priority", "err")), 40)
        self.assertEqual(lines_of(self.read("--unit", "u1", "--priority", "notice..info")), [f"line {i}" for i in range(5, 80, 8)])
        self.assertEqual(self.read("--since", "2030-01-01T00:00:00Z", "--unit", "u1"), [])
        self.assertEqual(self.read("--unit", "u9", expect=1), [])
        (self.dir / "app.log").write_text("of a file\n")
        self.assertEqual(lines_of(self.read("--unit", "u9", self.dir / "app.log")), ["of a file"])

    def test_where_to_start(self):
        journal.write(self.live, [journal.entry(i) for i in range(50)])
        journal.write(self.folder / "remote-b.journal", [journal.entry(i, host="node-2", message=f"b {i}") for i in range(0, 50, 10)])
        self.assertEqual(lines_of(self.read("--lines", "3")), ["line 47", "line 48", "line 49"])
        self.assertEqual(sorted(lines_of(self.read("--since", "2025-11-30T00:00:00.0395Z"))), ["b 40", *(f"line {i}" for i in range(40, 50))])
        self.assertEqual(self.read("--from", "end"), [])
        self.assertEqual(len(self.read("--lines", "all")), 55)

    def test_journals_of_machines_in_their_folders_in_order_of_time(self):
        for name, host, first in (("0" * 32, "one", 0), ("1" * 32, "two", 1)):
            journal.write(self.folder / name / "system.journal", [journal.entry(i, host=host) for i in range(first, 40, 2)])
        (self.folder / "no-machine").mkdir()
        journal.write(self.folder / "no-machine" / "system.journal", [journal.entry(100)])
        found = self.read()
        self.assertEqual(lines_of(found), [f"line {i}" for i in range(40)])
        self.assertEqual([record["labels"]["node_name"] for record in kit.records(found)][:4], ["one", "two", "one", "two"])

    def test_rotated_files_are_read_too(self):
        journal.write(self.live, [journal.entry(i) for i in range(10)])
        journal.next_file(self.live, [journal.entry(i) for i in range(10, 20)])
        journal.next_file(self.live, [journal.entry(i) for i in range(20, 30)])
        self.assertEqual(lines_of(self.read()), [f"line {i}" for i in range(30)])

    def test_beside_files(self):
        journal.write(self.live, [journal.entry(i) for i in range(10)])
        (self.dir / "app.log").write_text("of a file\n")
        found = self.read(self.dir / "app.log")
        self.assertEqual(sorted(lines_of(found)), sorted(["of a file", *(f"line {i}" for i in range(10))]))


class Errors(JournalCase):
    def fails(self, *args, expect, says, env=None, user=None):
        done = subprocess.run([kit.WEIR, "tail", *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=env or kit.environment(), check=False, user=user)
        self.assertEqual((done.returncode, [word for word in says if word not in done.stderr.decode()]), (expect, []), done.stderr.decode())
        return done.stdout

    def test_no_journal(self):
        self.fails("--journal-dir", self.folder, expect=1, says=["there is no journal in"])
        self.fails("--journal-dir", self.folder / "missing", expect=4, says=["cannot read", "No such file"])

    def test_no_libsystemd(self):
        bad = self.dir / "lib"
        bad.mkdir()
        (bad / "libsystemd.so.0").write_text("no library")
        self.fails("--journal-dir", self.folder, expect=4, says=["cannot load libsystemd", "libsystemd0"], env=kit.environment(LD_LIBRARY_PATH=bad))

    @unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
    def test_no_permission(self):
        journal.write(self.live, [journal.entry(1)])
        self.live.chmod(0o600)
        self.dir.chmod(0o755)
        weir = pathlib.Path("/tmp") / f"weir-{os.urandom(4).hex()}"
        shutil.copy(kit.WEIR, weir)
        self.addCleanup(weir.unlink)
        done = subprocess.run([weir, "tail", "--journal-dir", str(self.folder)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=kit.environment(), check=False, user=65534)
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn("group systemd-journal", done.stderr.decode())

    def test_damaged_files(self):
        journal.write(self.live, [journal.entry(i) for i in range(10)])
        (self.folder / "remote-b.journal").write_bytes(b"no journal " * 100)
        self.assertEqual(len(lines_of(self.fails("--journal-dir", self.folder, expect=3, says=["remote-b.journal", "damaged"]).splitlines())), 10)

    def test_a_file_that_was_cut(self):
        journal.write(self.live, [journal.entry(i) for i in range(10)])
        aside = journal.next_file(self.live, [journal.entry(i) for i in range(10, 20)])
        os.truncate(aside, 8192)
        found = [json.loads(line) for line in self.fails("--journal-dir", self.folder, "-o", "jsonl", expect=3, says=["damaged"]).splitlines()]
        gaps = [record for record in found if ERASED in record.get("metadata", {})]
        self.assertEqual([record["metadata"][ERASED] for record in gaps], ["unknown"])
        self.assertIn("up to 10 entries", gaps[0]["line"])
        self.assertEqual([record["line"] for record in found if record not in gaps], [f"line {i}" for i in range(10, 20)])

    def test_bad_calls(self):
        for args, says in ((("--unit", "a"), "without --journal"), (("--journal", "-"), "standard input"), (("--journal", "--unit", "a*"), "glob"),
                           (("--journal", "--priority", "loud"), "priority"), (("--journal", "--journal-field", "lower"), "NAME=KEY"),
                           (("--journal", "--multiline", "java"), "the journal alone"),
                           (("--format", "journal", "--multiline", "java", "-"), "with --format journal"),
                           (("--journal", "-n", "shop"), "--namespace with the journal alone"),
                           (("--journal-dir", "d", "--multiline", "java"), "--multiline with the journal alone"),
                           (("--journal", "--format", "cri"), "--format with the journal alone"), (("--journal", "--follow-links"), "--follow-links")):
            with self.subTest(args=args):
                self.fails(*args, expect=2, says=[says])


class Following(JournalCase):
    def test_follows_beside_files(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                log = self.dir / "app.log"
                log.write_text("")
                chain = self.chain([f"tail -f --journal-dir {self.folder} {log}", "enrich --label a=b"], fused)
                feeder = self.feed()
                for part in range(3):
                    self.add(feeder, [journal.entry(i) for i in range(part * 10, part * 10 + 10)])
                    with open(log, "a") as file:
                        file.write(f"file {part}\n")
                    kit.wait_for(lambda n=(part + 1) * 11: len(chain.output()) >= n, chain.errors)
                chain.stop()
                found = lines_of(chain.output())
                self.assertEqual([line for line in found if line.startswith("line")], [f"line {i}" for i in range(30)])
                self.assertEqual([line for line in found if line.startswith("file")], ["file 0", "file 1", "file 2"])

    def test_a_folder_that_comes_later(self):
        later = self.folder / ("0" * 32)
        chain = self.chain([f"tail -f --journal-dir {self.folder}"], False)
        kit.wait_for(lambda: "no journal" in chain.errors(), chain.errors)
        journal.write(later / "system.journal", [journal.entry(1)])
        kit.wait_for(lambda: lines_of(chain.output()) == ["line 1"], chain.errors)
        chain.stop()

    def test_rotation(self):
        journal.write(self.live, [journal.entry(i) for i in range(10)])
        chain = self.chain([f"tail -f --journal-dir {self.folder}"], False)
        for part in range(1, 4):
            kit.wait_for(lambda n=part * 10: len(chain.output()) >= n, chain.errors)
            old = journal.next_file(self.live, [journal.entry(i) for i in range(part * 10, part * 10 + 10)])
        kit.wait_for(lambda: len(chain.output()) >= 40, chain.errors)
        old.unlink()  # it was read
        journal.write(self.live, [journal.entry(i) for i in range(40, 50)])
        kit.wait_for(lambda: len(chain.output()) >= 50, chain.errors)
        chain.stop()
        self.assertEqual(lines_of(chain.output()), [f"line {i}" for i in range(50)])

    def test_a_late_entry_of_another_machine(self):
        journal.write(self.live, [journal.entry(i) for i in range(100, 110)])
        other = self.folder / "remote-b.journal"
        journal.write(other, [journal.entry(0, host="node-2", message="b 0")])
        chain = self.chain([f"tail -f --journal-dir {self.folder}"], False)
        kit.wait_for(lambda: len(chain.output()) >= 11, chain.errors)
        journal.write(other, [journal.entry(1, host="node-2", message="b 1")])  # older than what was read
        kit.wait_for(lambda: len(chain.output()) >= 12, chain.errors)
        chain.stop()

    def test_no_wake_up_while_nothing_is_written(self):
        journal.write(self.live, [journal.entry(i) for i in range(10)])
        chain = self.chain([f"tail -f --journal-dir {self.folder}"], False)
        kit.wait_for(lambda: len(chain.output()) >= 10, chain.errors)

        def switches():
            with open(f"/proc/{chain.processes[0].pid}/status", encoding="ascii") as status:
                return sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)

        def is_quiet():
            before = switches()
            time.sleep(2)  # the time over which nothing is to happen
            return switches() == before

        kit.wait_for(is_quiet, "two seconds without a wake-up")
        chain.stop()


class Positions(JournalCase):
    def setUp(self):
        super().setUp()
        self.spool = self.dir / "spool.db"

    def stages(self, *options, follow=True):
        return [" ".join(["tail", *(["-f"] if follow else []), "--checkpoint", str(self.spool), *([] if "--max-age" in options else ["--max-age 0"]), "--journal-dir", str(self.folder), *options]),
                f"buffer {self.spool} --store"]

    def stored(self):
        return [json.loads(line) for line in kit.weir("replay", self.spool, "-o", "jsonl", expect=None).splitlines()] if self.spool.exists() else []

    def once(self, fused=True, expect=(0,), options=()):
        """Reads what is there. What was stored by that, the reports of lost parts first."""
        before = self.stored()
        self.run_chain(self.stages(*options, follow=False), fused, expect=expect)
        after = self.stored()
        for record in before:
            after.remove(record)
        return sorted(after, key=lambda record: ERASED not in record.get("metadata", {}))

    def test_killed_again_and_again(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                feeders = [self.feed(), self.feed(self.folder / "remote-b.journal")]
                chain = self.chain(self.stages(), fused)
                for part in range(6):
                    for name, feeder in zip("ab", feeders):
                        self.add(feeder, [journal.entry(i, message=f"{name} {i}") for i in range(part * 500, part * 500 + 500)])
                    kit.wait_for(lambda n=part * 1000 + 300: len(self.stored()) >= n, chain.errors)
                    chain.kill()
                    chain = self.chain(self.stages(), fused)
                kit.wait_for(lambda: len(self.stored()) >= 6000, chain.errors)
                chain.stop()
                found = [record["line"] for record in self.stored()]
                for name in "ab":
                    self.assertEqual([line for line in found if line[0] == name], [f"{name} {i}" for i in range(3000)])

    def test_killed_with_a_filter_while_others_write(self):
        feeder = self.feed()
        chain = self.chain(self.stages("--unit", "wanted"), True)
        for part in range(4):
            self.add(feeder, [journal.entry(i, unit="wanted.service" if i % 10 == 3 else "other.service") for i in range(part * 1000, part * 1000 + 1000)])
            kit.wait_for(lambda n=part * 100 + 50: len(self.stored()) >= n, chain.errors)
            chain.kill()
            chain = self.chain(self.stages("--unit", "wanted"), True)
        kit.wait_for(lambda: len(self.stored()) >= 400, chain.errors)
        chain.stop()
        self.assertEqual([r["line"] for r in self.stored()], [f"line {i}" for i in range(3, 4000, 10)])

    def test_a_restart_continues_with_and_without_filters(self):
        for options in ((), ("--unit", "u1")):
            with self.subTest(options=options):
                self.setUp()
                entries = [journal.entry(i, unit=f"u{i % 3}.service") for i in range(30)]
                wanted = [f"line {i}" for i in range(30) if not options or i % 3 == 1]
                journal.write(self.live, entries[:20])
                found = [r["line"] for r in self.once(options=options)]
                self.assertEqual([r["line"] for r in self.once(options=options)], [])
                journal.write(self.live, entries[20:])
                found += [r["line"] for r in self.once(fused=False, options=options)]
                self.assertEqual(found, wanted)
                self.assertEqual([r["line"] for r in self.once(options=options)], [])

    def test_the_source_is_a_cursor(self):
        journal.write(self.live, [journal.entry(i) for i in range(3)])
        kit.weir("buffer", self.spool, "--store", stdin=subprocess.DEVNULL)
        out = kit.weir("tail", "--journal-dir", self.folder, "--checkpoint", self.spool, "-o", "jsonl").splitlines()
        markers = [json.loads(line) for line in out if b'"marker"' in line]
        self.assertIn(f"journal:{journal.id_of(self.live).hex()}", [m["marker"].get("log") for m in markers])
        self.assertEqual([json.loads(line)["source"].split(".")[2:] for line in out if b'"line"' in line], [["1", "o", str(i)] for i in (1, 2, 3)])

    def test_rotated_while_nothing_ran(self):
        journal.write(self.live, [journal.entry(i) for i in range(10)])
        self.assertEqual(len(self.once()), 10)
        journal.write(self.live, [journal.entry(i) for i in range(10, 15)])
        journal.next_file(self.live, [journal.entry(i) for i in range(15, 20)])
        self.assertEqual([r["line"] for r in self.once()], [f"line {i}" for i in range(10, 20)])

    def test_vacuumed_while_nothing_ran(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                journal.write(self.live, [journal.entry(i) for i in range(10)])
                self.assertEqual(len(self.once(fused)), 10)
                first = journal.next_file(self.live, [journal.entry(i) for i in range(10, 20)])
                second = journal.next_file(self.live, [journal.entry(i) for i in range(20, 30)])
                first.unlink()
                second.unlink()
                found = self.once(fused, expect=(0, 3))
                self.assertEqual([r["line"] for r in found[1:]], [f"line {i}" for i in range(20, 30)])
                self.assertEqual(found[0]["metadata"], {"filename": str(self.folder), ERASED: "unknown"})
                self.assertIn("up to 10 entries", found[0]["line"])
                self.assertEqual(self.once(fused), [])

    def test_old_files_go_that_were_read(self):
        journal.write(self.live, [journal.entry(i) for i in range(10)])
        old = journal.next_file(self.live, [journal.entry(i) for i in range(10, 20)])
        self.assertEqual(len(self.once()), 20)
        old.unlink()
        journal.write(self.live, [journal.entry(i) for i in range(20, 25)])
        self.assertEqual([r["line"] for r in self.once()], [f"line {i}" for i in range(20, 25)])

    def test_a_journal_that_is_gone_is_reported_once(self):
        """When its writer still had it open, there may have been more. When it was deleted with the folder of its machine, too."""
        for live in (self.live, self.folder / ("0" * 32) / "system.journal"):
            with self.subTest(live=live.name):
                journal.write(live, [journal.entry(i) for i in range(10)])
                journal._patch(live, (journal.STATE, b"\1"))  # pylint: disable=protected-access
                journal.write(self.folder / "remote-b.journal", [journal.entry(i, message=f"b {i}") for i in range(10)])
                self.once()
                shutil.rmtree(live.parent) if live.parent != self.folder else live.unlink()
                found = self.once(expect=(0, 3))
                self.assertEqual([r["metadata"].get(ERASED) for r in found], ["unknown"])
                self.assertEqual(self.once(), [])

    def test_a_journal_that_was_read_to_its_end_may_go(self):
        for options, fused in (((), True), ((), False), (("--unit", "u1"), True)):
            for live in (self.live, self.folder / ("0" * 32) / "system.journal"):
                with self.subTest(options=options, fused=fused, live=live.name):
                    live.parent.mkdir(exist_ok=True)
                    journal.write(live, [journal.entry(i, unit=f"u{i % 3}.service") for i in range(9)])
                    journal.write(self.folder / "remote-b.journal", [journal.entry(0, unit="u1.service")])
                    self.once(fused, options=options)
                    journal.write(live, [journal.entry(i, unit=f"u{i % 3}.service") for i in range(9, 12)])
                    self.assertEqual(len(self.once(fused, options=options)), 1 if options else 3)
                    shutil.rmtree(live.parent) if live.parent != self.folder else live.unlink()
                    self.assertEqual(self.once(fused, options=options), [])

    def test_where_nothing_is_found_positions_stay(self):
        machine = self.folder / ("0" * 32)
        journal.write(machine / "system.journal", [journal.entry(i) for i in range(10)])
        self.assertEqual(len(self.once()), 10)
        machine.rename(self.dir / "not-mounted")
        self.assertEqual(self.once(expect=(0, 1)), [])
        (self.dir / "not-mounted").rename(machine)
        self.assertEqual(self.once(), [])

    def test_what_a_filter_left_out_stays_out(self):
        """Also the last entry of a file that is written. When it is deleted afterwards, nothing of it is lost."""
        for options in (("--unit", "none"), ("--priority", "err"), ("--max-age", "1h")):
            for fused in (False, True):
                for state in (b"\0", b"\1"):
                    with self.subTest(options=options, fused=fused, state=state):
                        self.setUp()
                        journal.write(self.live, [journal.entry(i) for i in range(10)])
                        journal._patch(self.live, (journal.STATE, state))  # pylint: disable=protected-access
                        self.assertEqual(self.once(fused, expect=(0, 1), options=options), [])
                        self.assertEqual(self.once(fused), [])
                        old = journal.next_file(self.live, [journal.entry(i) for i in range(10, 20)])
                        old.unlink()
                        self.assertEqual([r["line"] for r in self.once(fused)], [f"line {i}" for i in range(10, 20)])

    def test_what_a_filter_left_out_stays_out_when_tail_is_stopped(self):
        feeder = self.feed()
        chain = self.chain(self.stages("--unit", "wanted"), True)
        self.add(feeder, [journal.entry(0, unit="wanted.service")])
        kit.wait_for(lambda: len(self.stored()) == 1, chain.errors)
        self.add(feeder, [journal.entry(i) for i in range(1, 20)] + [journal.entry(20, unit="wanted.service"), journal.entry(21)])
        kit.wait_for(lambda: len(self.stored()) == 2, chain.errors)
        kit.wait_for(lambda: journal.tail_of(self.live) == 22, chain.errors)
        chain.stop()
        self.assertLessEqual(len(self.once()), 1)  # the last one, where it came after the stop

    @unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
    def test_without_permission_no_position_is_lost(self):
        journal.write(self.live, [journal.entry(i) for i in range(10)])
        self.assertEqual(len(self.once()), 10)
        self.live.chmod(0o600)
        for path in (self.dir, self.folder, self.spool):
            path.chmod(0o777)
        weir = pathlib.Path("/tmp") / f"weir-{os.urandom(4).hex()}"
        shutil.copy(kit.WEIR, weir)
        self.addCleanup(weir.unlink)
        done = subprocess.run([weir, "tail", "--checkpoint", self.spool, "--journal-dir", self.folder, "-o", "jsonl"], stdin=subprocess.DEVNULL,
                              capture_output=True, env=kit.environment(), check=False, user=65534)
        self.assertEqual((done.returncode, ERASED in done.stdout.decode(), b'"done"' in done.stdout), (4, False, False), done.stderr)
        self.assertEqual(self.once(), [])

    def test_a_journal_that_another_one_replaced_and_that_was_read_may_go(self):
        journal.write(self.live, [journal.entry(i) for i in range(10)])
        crashed = self.live.with_name("remote-a@0006-00ff.journal~")
        self.live.rename(crashed)
        journal.write(self.live, [journal.entry(i) for i in range(10, 20)])
        self.assertEqual([r["line"] for r in self.once()], [f"line {i}" for i in range(20)])
        crashed.unlink()
        self.assertEqual(self.once(), [])

    def test_long_messages_in_a_tracked_chain(self):
        journal.write(self.live, [journal.entry(1, message="z" * 300_000), journal.entry(2)])
        found = self.once(options=("--max-line", "100KB"))
        self.assertEqual("".join(r["line"] for r in found[:-1]), "z" * 300_000)
        self.assertEqual(self.once(), [])

    def test_begins_where_it_was_told(self):
        journal.write(self.live, [journal.entry(i) for i in range(10)])
        self.assertEqual(self.once(options=("--from", "end")), [])
        journal.write(self.live, [journal.entry(10)])
        self.assertEqual([r["line"] for r in self.once(options=("--from", "end"))], ["line 10"])

    def test_begins_behind_a_cursor(self):
        journal.write(self.live, [journal.entry(i) for i in range(10)])
        other = journal.write(self.folder / "remote-b.journal", [journal.entry(i, message=f"b {i}") for i in range(10)])
        shown = [json.loads(line) for line in self.journalctl().splitlines()]
        cursor = next(entry["__CURSOR"] for entry in shown if entry["MESSAGE"] == "line 4")
        place = f"s={journal.id_of(self.live).hex()};i=5;t={journal.FIRST + 4000:x}"
        # Of the other journal, what is older than the time of the cursor was read as well.
        expected = sorted([f"line {i}" for i in range(5, 10)] + [f"b {i}" for i in range(5, 10)])
        self.assertEqual(sorted(r["line"] for r in self.once(options=("--from", f"'{place}'"))), expected)
        self.assertEqual(self.once(options=("--from", f"'{place}'")), [], "a position counts more")
        self.assertEqual(sorted(lines_of(self.read("--from", cursor))), expected)
        # A journal that is not there any more: its time counts.
        gone = f"s={'0' * 32};i=5;t={journal.FIRST + 4000:x}"
        self.assertEqual(sorted(lines_of(self.read("--from", gone))), expected)
        self.assertTrue(other.exists())

    def test_goes_on_where_another_agent_stopped(self):
        cursor = lambda n: f"s={journal.id_of(self.live).hex()};i={n:x};b={journal.BOOT};m=1;t={journal.FIRST + n * 1000 - 1000:x};x=1"  # pylint: disable=unnecessary-lambda-assignment
        forms = {"Promtail": lambda n: f'positions:\n  /var/log/app.log: "5"\n  cursor-journal: {cursor(n)}\n',
                 "Alloy": lambda n: f"positions:\n    ? path: cursor-loki.source.journal.node\n      labels: '{{}}'\n    : {cursor(n)}\n"}
        for name, form in forms.items():
            for fused in (False, True):
                with self.subTest(form=name, fused=fused):
                    self.setUp()
                    journal.write(self.live, [journal.entry(i) for i in range(10)])
                    positions = self.dir / "positions.yaml"
                    options = ("--positions", str(positions))
                    positions.write_text(form(4))
                    self.assertEqual([r["line"] for r in self.once(fused, options=options)], [f"line {i}" for i in range(4, 10)])
                    positions.write_text(form(2))
                    self.assertEqual(self.once(fused, options=options), [], "a position counts more")
                    self.assertEqual(lines_of(self.read(*options)), [f"line {i}" for i in range(2, 10)])
                    # Bad ones: an error at the first start only.
                    positions.write_text(form(2).replace("s=", "s=x").replace("t=", "t=x").replace("posix", "posi"))
                    self.assertEqual(self.once(fused, options=options), [])
                    done = subprocess.run([kit.WEIR, "tail", "--journal-dir", self.folder, *options], capture_output=True, env=kit.environment(), check=False)
                    self.assertEqual((done.returncode, done.stdout), (2, b""), done.stderr)
                    self.assertIn("is no cursor", done.stderr.decode())

    def test_replaced_by_a_reload(self):
        pipelines, log = self.dir / "pipelines", self.dir / "app.log"
        journal.write(self.live, [journal.entry(i) for i in range(10)])
        text = f"tail -f --max-age 0 --journal-dir {self.folder} {{}}| enrich --label v={{}} | buffer {self.spool} --store\n"
        pipelines.write_text(text.format("", 1))
        run = self.start(kit.WEIR, "run", str(pipelines), stderr=subprocess.PIPE)
        kit.wait_for(lambda: len(self.stored()) == 10, "the first entries")
        log.write_text("of a file\n")
        for version, path in ((2, ""), (3, f"{log} "), (4, "")):
            pipelines.write_text(text.format(path, version))
            run.send_signal(signal.SIGHUP)
            journal.write(self.live, [journal.entry(version * 10, message=f"v{version}")])
            kit.wait_for(lambda v=version: any(r["line"] == f"v{v}" and r["labels"]["v"] == str(v) for r in self.stored()), f"version {version}")
        run.send_signal(signal.SIGTERM)
        run.wait()
        self.assertEqual(sorted(r["line"] for r in self.stored()), sorted([f"line {i}" for i in range(10)] + ["v2", "v3", "v4", "of a file"]))

    def status(self):
        """The journal in `weir spool status -o json`, the object around it, and the line of the text."""
        found = json.loads(kit.weir("spool", "status", self.spool, "-o", "json"))
        text = [line for line in kit.weir("spool", "status", self.spool).decode().splitlines() if line.startswith("journal ")]
        self.assertEqual((len(found["journals"]), len(text)), (1, 1))
        return found["journals"][0], found, text[0]

    def test_status(self):
        journal.write(self.live, [journal.entry(i) for i in range(1, 11)])
        self.once()
        one, found, text = self.status()
        self.assertEqual(one, {"journal": journal.id_of(self.live).hex(), "folder": str(self.folder), "entry": 10, "time": "2025-11-30T00:00:00.01Z",
                               "unread_entries": 0, "oldest": None, "seconds": 0, "trouble": None})
        self.assertEqual(found["unread_seconds"], 0)
        self.assertIn(f"entry 10 in {self.folder}, of 2025-11-30T00:00:00Z (", text)
        self.assertIn("); nothing behind it is unread", text)

        journal.write(self.live, [journal.entry(i) for i in range(11, 16)])
        one, found, text = self.status()
        self.assertEqual((one["unread_entries"], one["oldest"], one["trouble"]), (5, "2025-11-30T00:00:00.011Z", None))
        self.assertEqual(found["unread_seconds"], one["seconds"])
        self.assertAlmostEqual(one["seconds"], time.time() - journal.FIRST / 1e6, delta=100)
        self.assertIn("; up to 5 entries are unread, ", text)
        kit.weir("spool", "status", self.spool, "--max-behind", "1h", expect=1)

        # What cannot be read is not "nothing".
        self.live.write_bytes(self.live.read_bytes()[:5000])
        one, found, text = self.status()
        self.assertEqual((one["unread_entries"], one["seconds"], found["behind_seconds"]), (None, None, None))
        self.assertIn("cannot read the journal", one["trouble"])
        self.assertIn("; how far it is behind is not known", text)
        kit.weir("spool", "status", self.spool, "--max-behind", "1h", expect=4)

        self.live.unlink()
        one, found, text = self.status()
        self.assertEqual((one["unread_entries"], one["trouble"], found["unread_seconds"]), (None, None, 0))
        self.assertIn("; no file of this journal is there", text)
        self.once(expect=(1,))  # no journal is there: its disk may come later
        self.assertEqual(self.status()[0]["entry"], 10)
        other = self.folder / "other.journal"
        journal.write(other, [journal.entry(i) for i in range(1, 4)])
        self.once(expect=(0, 3))  # knows that it is gone
        self.assertEqual([(one["journal"], one["entry"]) for one in json.loads(kit.weir("spool", "status", self.spool, "-o", "json"))["journals"]],
                         [(journal.id_of(other).hex(), 3)])

    def test_a_chain_without_the_journal(self):
        journal.write(self.live, [journal.entry(i) for i in range(10)])
        self.once()
        log = self.dir / "app.log"
        log.write_text("one\n")
        self.run_chain([f"tail --checkpoint {self.spool} {log}", f"buffer {self.spool} --store"], True)
        self.assertEqual(self.once(), [])


class Measured(metrics_test.MetricsCase):
    def test_how_far_it_is_behind(self):
        live = self.dir / "journal" / "remote-a.journal"
        journal.write(live, [journal.entry(1)])
        self.weir("run", "--metrics", "127.0.0.1:0", "-c", f"tail -f --max-age 0 --journal-dir {live.parent} | "
                  f"buffer {self.spool} --max-size 4MiB --on-full block | push http://127.0.0.1:1")
        self.wait_for_metric("weir_tail_output_records_total", 1)
        # A chain that is busy answers a scrape with the figures of before.
        kit.wait_for(lambda: [self.metrics()[f"weir_tail_{name}"] for name in ("journal_unread_entries", "journal_lag_seconds", "oldest_unread_seconds")]
                     == [0, 0, 0], self.metrics)
        journal.write(live, [journal.entry(i, message=os.urandom(5000).hex()) for i in range(2, 2000)])
        kit.wait_for(lambda: "waits for room in the spool" in self.get("/-/healthy")[1], lambda: f"{self.get('/-/healthy')[1]}{self.said()}{self.metrics()}")

        def told():
            found = self.metrics()
            lag = found["weir_tail_journal_lag_seconds"]
            return (10 < found["weir_tail_journal_unread_entries"] < 1999 and abs(lag - (time.time() - journal.FIRST / 1e6)) < 100
                    and found["weir_tail_oldest_unread_seconds"] == lag)

        kit.wait_for(told, self.metrics)


class Foreign(kit.Case):
    """Lines with their time in front: kubectl logs --timestamps [--prefix], docker logs -t."""

    def test_carriage_returns(self):
        for form, text in (("rfc3339", "2024-05-01T10:00:00Z one\r\n[pod/a/b] 2024-05-01T10:00:00Z two\r\n2024-05-01T10:00:00Z \r\n"),
                           ("journal", "".join(f'{{"MESSAGE":"{line}","__REALTIME_TIMESTAMP":"1"}}\r\n' for line in ("one", "two", "")))):
            with self.subTest(form=form):
                (self.dir / "export").write_bytes(text.encode())
                self.assertEqual(lines_of(kit.weir("tail", "--format", form, "-o", "jsonl", self.dir / "export").splitlines()), ["one", "two", ""])

    def test_kubectl_and_docker(self):
        text = ("2024-05-01T10:00:00.123456789Z one\n[pod/web-0/app] 2024-05-01T12:00:01.5+02:00 two\n[pod/web-0/side] 2024-05-01T10:00:02Z \n"
                "no time\n2024-05-01T10:00:03Z [pod/x/y] text\n")
        path = self.dir / "export"
        path.write_text(text)
        with open(path, "rb") as stdin:
            stream = kit.weir("tail", "--format", "rfc3339", "-o", "jsonl", "-", stdin=stdin, expect=3)
        found = [json.loads(line) for line in stream.splitlines()]
        self.assertEqual([(r["line"], r.get("labels", {})) for r in found],
                         [("one", {}), ("two", {"pod": "web-0", "container": "app"}), ("", {"pod": "web-0", "container": "side"}), ("no time", {}),
                          ("[pod/x/y] text", {})])
        self.assertEqual([r["timestamp"] for r in found][:3], ["2024-05-01T10:00:00.123456789Z", "2024-05-01T10:00:01.5Z", "2024-05-01T10:00:02Z"])
        of_file = [json.loads(line) for line in kit.weir("tail", "--format", "rfc3339", "-o", "jsonl", path, expect=3).splitlines()]
        self.assertEqual(of_file[1]["labels"], {"filename": str(path), "pod": "web-0", "container": "app"})
        # What has a prefix stands alone.
        joined = [json.loads(line)["line"]
                  for line in kit.weir("tail", "--format", "rfc3339", "--multiline", "^one|^no", "-o", "jsonl", path, expect=3).splitlines()]
        self.assertEqual(joined, ["one", "two", "", "no time\n[pod/x/y] text"])
        for fused in (False, True):
            self.assertEqual(len(self.run_chain([f"tail --format rfc3339 {path}", "filter '{pod=\"web-0\"}'"], fused, expect=(0, 3))), 2)


if __name__ == "__main__":
    if not journal.there():
        print(f"skipped: {journal.REMOTE} is not there (apt install systemd-journal-remote)", file=sys.stderr)
        sys.exit(0)
    unittest.main()
