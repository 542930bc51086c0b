#!/usr/bin/env python3
"""weir spool status: who runs, what blocks it, how far it is behind, what was lost; beside a running chain and when none runs."""
import functools
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

import weir_kit as kit

DEAD = "http://127.0.0.1:9"


def cri(text, seconds_ago=0):
    now = time.time_ns() - seconds_ago * 10**9
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now // 10**9))}.{now % 10**9:09d}Z stdout F {text}\n".encode()


def both_ways(body):
    @functools.wraps(body)
    def run(self):
        self.both(lambda fused: body(self, fused))
    return run


class Status(kit.SinkCase):
    def status(self):
        return json.loads(kit.weir("spool", "status", self.spool, "-o", "json"))

    def status_when(self, holds, chain):
        """The first status for which `holds(status)` is true. The spool may not be there yet."""
        def ask():
            text = kit.weir("spool", "status", self.spool, "-o", "json", expect=(0, 4))
            return text and holds(status := json.loads(text)) and status
        return kit.wait_for(ask, chain.errors)

    def text(self, *args, expect=0):
        return kit.weir("spool", "status", self.spool, *args, expect=expect).decode()

    def log(self, pod="web"):
        log = self.pods / f"shop_{pod}_uid" / "app" / "0.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        return log

    def write(self, *lines, pod="web", seconds_ago=0):
        rows = b"".join(cri(line, seconds_ago) for line in lines)
        with open(self.log(pod), "ab") as out:
            out.write(rows)
        return len(rows)

    def start_chain(self, fused, url=None, stages=None):
        return self.chain(stages or [f"tail -f --checkpoint {self.spool} {self.pods}", f"buffer {self.spool} --min-free 0",
                                     f"push --drain-rate 0 {url or self.url}"], fused)

    def delivered(self, count, chain):
        kit.wait_for(lambda: kit.sink_stats(self.url)["entries"] >= count, chain.errors)

    @both_ways
    def test_a_chain_that_runs_and_then_ends(self, fused):
        self.write("one", "two")
        chain = self.start_chain(fused)
        self.delivered(2, chain)
        status = self.status_when(lambda s: s["last_success"] and s["behind_seconds"] == 0, chain)
        self.assertTrue(status["running"])
        writer, push = status["writer"], status["consumers"][0]["process"]
        self.assertEqual(writer["pid"], chain.processes[0 if fused else 1].pid)
        self.assertEqual(push["pid"], chain.processes[0 if fused else 2].pid)
        self.assertIn("run -c" if fused else "buffer", writer["command"])
        self.assertTrue(writer["running"] and push["running"])
        self.assertIsNone(status["blocked"])
        self.assertIsNone(status["last_error"])
        self.assertEqual(status["unread_bytes"], 0)
        self.assertLess(abs(kit.nanoseconds(status["last_success"]) - time.time_ns()), 60 * 10**9)
        self.assertIn(f"process {writer['pid']}", self.text())
        chain.stop()
        status = self.status()
        self.assertFalse(status["running"])
        self.assertFalse(status["writer"]["running"])
        self.assertIsNotNone(status["writer"]["ended"])
        self.assertEqual(status["writer"]["pid"], writer["pid"])
        self.assertIsNotNone(status["last_success"])
        self.assertIn(f"none; the last was process {writer['pid']} (ended ", self.text())

    def test_unread_lines_over_rotations_while_nothing_runs(self):
        self.write("one", "two")
        chain = self.start_chain(True)
        self.delivered(2, chain)
        chain.stop()
        self.assertEqual(self.text("--max-behind", "1s"), "")
        rest = self.write("three", seconds_ago=600)
        log = self.log()
        rotated = log.with_name("0.log.20260101-000001")
        log.rename(rotated)
        second = self.write("four", "five")
        with gzip.open(log.with_name("0.log.20260101-000002.gz"), "wb") as out:
            out.write(log.read_bytes())
        log.unlink()
        live = self.write("six")
        self.write("not known yet", pod="other")
        status = self.status()
        self.assertEqual(status["unread_bytes"], rest + second + live)
        self.assertEqual([(one["log"], one["unread_files"], one["gone_files"]) for one in status["unread"]], [("shop/web/app", 3, 0)])
        self.assertAlmostEqual(status["unread_seconds"], 600, delta=60)
        self.assertEqual(status["behind_seconds"], status["unread_seconds"])
        self.assertEqual(self.text("--max-behind", "1h"), "", "cron sends a mail for whatever is printed")
        self.assertIn("behind        10 minutes", self.text("--max-behind", "1h", "-o", "text"))
        done = subprocess.run([kit.WEIR, "spool", "status", self.spool, "--max-behind", "5m"], capture_output=True, check=False,
                              env=kit.environment())
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(b"10 minutes behind, which is more than 5m (--max-behind)", done.stderr)
        self.assertRegex(self.text(), r"unread +\d+ B in 1 log\n +shop/web/app: \d+ B, 10 minutes behind\n")
        # What is read then is not behind any more.
        chain = self.start_chain(True)
        self.delivered(7, chain)
        kit.wait_for(lambda: self.status()["behind_seconds"] == 0, chain.errors)
        chain.stop()

    def test_a_log_that_cannot_be_read_is_not_within_the_bound(self):
        self.write("one", pod="good")
        self.write("one")
        chain = self.start_chain(True)
        self.delivered(2, chain)
        chain.stop()
        self.log().unlink()
        self.log().mkdir()  # root, too, cannot read it
        status = self.status()
        self.assertEqual([(one["log"], one["unread_bytes"], one["seconds"]) for one in status["unread"]], [("shop/web/app", None, None)])
        self.assertEqual((status["behind_seconds"], status["unread_bytes"], status["unread_seconds"]), (None, None, None))
        self.assertIn("behind        unknown\n", self.text())

        def judge(*options):
            done = subprocess.run([kit.WEIR, "spool", "status", self.spool, "--max-behind", "1h", *options], capture_output=True,
                                  check=False, env=kit.environment())
            return done.returncode, done.stdout.decode(), done.stderr.decode()

        code, out, errors = judge()
        self.assertEqual((code, out), (4, ""), errors)
        self.assertRegex(errors, r"cannot tell how far '.*' is behind: 1 log cannot be read \(.*0\.log.*\)")
        code, out, errors = judge("-o", "json")
        self.assertEqual(code, 4, errors)
        self.assertIsNone(json.loads(out)["behind_seconds"])
        # What is known is enough.
        self.write("late", pod="good", seconds_ago=7200)
        code, out, errors = judge()
        self.assertEqual((code, out), (1, ""), errors)
        self.assertIn("2 hours behind, which is more than 1h", errors)

    def test_a_file_that_was_removed_before_it_was_read(self):
        self.write("one")
        chain = self.start_chain(True)
        self.delivered(1, chain)
        chain.stop()
        self.write("two")
        shutil.rmtree(self.log().parent)
        status = self.status()
        self.assertEqual([(one["log"], one["gone_files"]) for one in status["unread"]], [("shop/web/app", 1)])
        self.assertRegex(self.text(), r"gone +1 file was removed since the last run before its end was read\n")

    @both_ways
    def test_what_blocks_a_chain_and_how_it_died(self, fused):
        self.write("one", seconds_ago=100)
        chain = self.start_chain(fused, DEAD)
        status = self.status_when(lambda s: s["blocked"], chain)
        self.assertIn("Connection refused", status["blocked"])
        self.assertIn("Connection refused", status["last_error"])
        self.assertIsNone(status["last_success"])
        # A line that was old when it was stored is late from then on.
        self.assertLess(status["behind_seconds"], 99)
        self.assertEqual(status["behind_seconds"], status["undelivered_seconds"])
        self.assertEqual(status["oldest_undelivered"], status["consumers"][0]["oldest"])
        self.assertIsNone(status["full_in_seconds"], "some seconds are no rate")
        text = self.text()
        self.assertRegex(text, r"behind +\d+ seconds?; the oldest undelivered record is of .*; undelivered records have waited in the spool for up to \d+ s")
        self.assertRegex(text, r"lost +nothing since ")
        self.assertRegex(self.text(), r"blocked +for \d+ seconds?: cannot reach http://127.0.0.1:9: Connection refused\n")
        chain.kill()
        status = self.status()
        self.assertFalse(status["running"])
        self.assertIsNone(status["blocked"], "who does not run is not blocked")
        self.assertIsNone(status["writer"]["ended"])
        self.assertIn("did not end in order", self.text())
        chain = self.start_chain(fused)
        self.delivered(1, chain)
        kit.wait_for(lambda: self.status()["last_success"], chain.errors)
        chain.stop()

    def test_a_full_spool_says_that_it_waits(self):
        chain = self.start_chain(True, DEAD, [f"tail -f --checkpoint {self.spool} {self.pods}",
                                              f"buffer {self.spool} --min-free 0 --max-size 4MiB", f"push {DEAD}"])
        for i in range(40):
            self.write(*(os.urandom(1000).hex() for _ in range(150)), pod=f"p{i}")
        status = self.status_when(lambda s: s["writer"] and s["writer"]["blocked"], chain)
        self.assertIn("has reached its limit of 4.0 MiB", status["writer"]["blocked"])
        self.assertGreater(status["unread_bytes"], 0)
        self.assertEqual(status["blocked"], status["writer"]["blocked"])
        self.assertEqual(status["full_in_seconds"], 0)
        both = re.compile(r"blocked +for .*has reached its limit of 4.0 MiB.*\nblocked +for .*Connection refused\n")
        text = kit.wait_for(lambda: both.search(text := self.text()) and text, self.text)  # push may hear later than buffer what blocks it
        self.assertRegex(text, r"full +now: the logs wait until there is room\n")
        chain.kill()

    @both_ways
    def test_a_checkpoint_has_a_status_as_well(self, fused):
        self.spool = self.dir / "positions"
        self.write("one")
        chain = self.start_chain(fused, None, [f"tail -f --checkpoint {self.spool} {self.pods}", f"push --checkpoint {self.spool} {self.url}"])
        self.delivered(1, chain)
        status = self.status_when(lambda s: s["last_success"] and s["unread_bytes"] == 0, chain)
        self.assertEqual(status["writer"]["pid"], chain.processes[-1].pid)
        self.assertTrue(status["running"])
        chain.stop()
        more = self.write("two", "three")
        self.assertEqual(self.status()["unread_bytes"], more)
        self.assertIn("did not end" if self.status()["writer"]["ended"] is None else "ended", self.text())

    def test_no_secret_stands_in_the_command(self):
        chain = self.start_chain(False, None, [f"tail -f --checkpoint {self.spool} {self.pods}", f"buffer {self.spool} --min-free 0",
                                               f"push --password s3cret-word --username me {self.url}"])
        self.write("one")
        self.delivered(1, chain)
        status = self.status_when(lambda s: s["consumers"] and s["consumers"][0]["process"], chain)
        self.assertIn("--password", status["consumers"][0]["process"]["command"])
        for path in self.dir.glob("spool.db-status*"):
            self.assertNotIn(b"s3cret-word", path.read_bytes())
        chain.stop()

    def test_it_is_shown_again_and_again(self):
        self.write("one")
        self.run_chain([f"tail {self.pods}", f"buffer {self.spool} --store --min-free 0"], True)
        for options, wanted in (([], 2), (["-o", "json"], 2)):
            out = self.dir / "shown"
            with open(out, "wb") as to:
                watch = self.start(kit.WEIR, "spool", "status", self.spool, "-f", *options, stdout=to, env=kit.environment())
            kit.wait_for(lambda: out.read_bytes().count(b"\n\nspool " if not options else b"\n") >= wanted - (not options), out.read_text)
            watch.send_signal(signal.SIGINT)
            self.assertEqual(watch.wait(), 130)
            self.assertNotIn(b"\x1b", out.read_bytes())
            if options:
                self.assertEqual([json.loads(line)["spool"] for line in out.read_text().splitlines()][:2], [str(self.spool)] * 2)

    def test_who_watches_through_a_pipe_may_leave(self):
        self.write("one")
        self.run_chain([f"tail {self.pods}", f"buffer {self.spool} --store --min-free 0"], True)
        watch = self.start(kit.WEIR, "spool", "status", self.spool, "-f", stdout=subprocess.PIPE, env=kit.environment())
        watch.stdout.readline()
        watch.stdout.close()
        self.assertEqual(watch.wait(timeout=kit.PATIENCE), 0)

    @unittest.skipUnless(shutil.which("tmux"), "tmux is not installed")
    def test_a_terminal_shows_the_latest_in_place(self):
        self.write("one")
        chain = self.start_chain(True)
        self.delivered(1, chain)
        tmux = ["tmux", "-S", str(self.dir / "tmux")]
        self.addCleanup(subprocess.run, [*tmux, "kill-server"], check=False, capture_output=True)
        subprocess.run([*tmux, "-f", "/dev/null", "new-session", "-d", "-x", "160", "-y", "40",
                        f"exec {kit.WEIR} spool status {self.spool} -f"], check=True, env=kit.environment(LC_ALL="C.UTF-8"))
        screen = lambda: subprocess.run([*tmux, "capture-pane", "-p"], capture_output=True, check=False, text=True).stdout
        kit.wait_for(lambda: re.search(r"^spool .*\n(.*\n)*positions +1 log", screen()), screen)
        self.write("two", pod="second")
        kit.wait_for(lambda: re.search(r"^positions +2 logs", screen(), re.M), screen)
        self.assertEqual(len(re.findall(r"^spool ", screen(), re.M)), 1, screen())
        chain.stop()


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
