#!/usr/bin/env python3
"""What takes over two seconds shows on a terminal how far it is: one line, gone at the end; nothing where there is no terminal.

For what only this machine slows down, time flies (tests/support/fast_clock.cc). A Loki is a server that answers when the line is there.
"""
import contextlib
import fcntl
import http.server
import json
import os
import pty
import re
import select
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
import threading
import time
import unittest

import proxy
import weir_kit as kit

FAST_CLOCK = os.environ.get("WEIR_FAST_CLOCK", "build/release/tests/support/libweir_fast_clock.so")
COLUMNS = 100
LINES = 120_000
ALL = r"\d+%, [\d,]+ records?, [\d.]+ [KMG]?i?B, [\d.]+ [KMG]?i?B/s, (\d+[smhd]( \d+[smhd])? left|\d+[smhd]( \d+[smhd])? so far)"
BYTES = r"\d+%, [\d.]+ [KMG]?i?B, [\d.]+ [KMG]?i?B/s, (\d+[smhd]( \d+[smhd])? left|\d+[smhd]( \d+[smhd])? so far)"


class Terminal:
    """The far side of a terminal, and all that came out of it."""

    def __init__(self, case, columns=COLUMNS):
        self.far, self.near = pty.openpty()
        fcntl.ioctl(self.near, termios.TIOCSWINSZ, struct.pack("HHHH", 25, columns, 0, 0))
        case.addCleanup(self.close)
        self.text = ""

    def close(self):
        for end in ("far", "near"):
            if getattr(self, end) is not None:
                os.close(getattr(self, end))
                setattr(self, end, None)

    def read(self, seconds=0.02):
        """What has come. False: nobody can write any more."""
        if not select.select([self.far], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.far, 65536)
        except OSError:  # the last writer is gone
            return False
        self.text += data.decode()
        return bool(data)

    def shown(self, command="weir "):
        """The progress lines, in their order."""
        return [line for line in re.split(r"\r\x1b\[K|\r\n", self.text) if line.startswith(command) and ("so far" in line or " left" in line)]


class Progress(kit.Case):
    def setUp(self):
        super().setUp()
        self.pods = self.dir / "pods"
        self.log = self.pods / "shop_web-0_uid" / "main" / "0.log"
        self.log.parent.mkdir(parents=True)
        second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - 60))
        with open(self.log, "w", encoding="ascii") as log:
            # Text that is hard to compress, so that a spool of it has some size.
            log.writelines(f"{second}.{i:09d}Z stdout F line {i} {os.urandom(30).hex()}\n" for i in range(LINES))
        self.spool = self.dir / "spool.db"

    def fill(self):
        kit.weir("run", "-c", f"tail {self.pods} | buffer {self.spool} --store")

    def begin(self, *args, stdout=None, fast=True, terminal=None, stdin=subprocess.DEVNULL, **changes):
        """Starts it with a terminal as standard error."""
        terminal = terminal or Terminal(self)
        environment = kit.environment(**({"LD_PRELOAD": FAST_CLOCK} if fast else {}), **changes)
        process = self.start(kit.WEIR, *map(str, args), stdin=stdin, stdout=stdout or subprocess.DEVNULL, stderr=terminal.near, env=environment)
        return process, terminal

    def end(self, process, terminal, expect=0):
        """Reads to the end. The terminal has nothing left of a progress line."""
        os.close(terminal.near)
        terminal.near = None
        while terminal.read(kit.PATIENCE):
            pass
        self.assertEqual(process.wait(kit.PATIENCE), expect, terminal.text)
        self.check_gone(terminal)

    def check_gone(self, terminal):
        if terminal.shown():
            rest = terminal.text.rpartition("\r\x1b[K")[2]
            self.assertFalse(rest.startswith("weir ") and "\r\n" not in rest, f"the line stands at the end: {terminal.text[-300:]!r}")
        for line in terminal.text.split("\r\n"):
            self.assertFalse(re.search("(left|so far)$", line), f"a progress line became text: {line!r}")

    def check(self, args, shape, expect=0):
        """It shows lines of this shape on a terminal, and without one it writes nothing but what it says anyway."""
        process, terminal = self.begin(*args)
        self.end(process, terminal, expect)
        shown = terminal.shown()
        self.assertTrue(shown, terminal.text)
        for line in shown:
            self.assertLess(len(line), COLUMNS)
        self.assertTrue(any(re.fullmatch(shape, line) for line in shown), f"{shape}\n" + "\n".join(shown[:5]))
        shares = [int(found[1]) for line in shown if (found := re.search(r" (\d+)%", line))]
        self.assertEqual(shares, sorted(shares))
        return shown

    def check_silent(self, args, expect=0):
        done = subprocess.run([kit.WEIR, *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              env=kit.environment(LD_PRELOAD=FAST_CLOCK), check=False)
        self.assertEqual(done.returncode, expect, done.stderr)
        self.assertNotRegex(done.stderr.decode(), r"\r|\x1b|so far| left")

    def both(self, args, shape, expect=0):
        self.check(args, shape, expect)
        self.check_silent(args, expect)

    def test_tail(self):
        self.both(["tail", self.pods], "weir tail: read " + ALL)

    def test_tail_that_follows_shows_none(self):
        process, terminal = self.begin("tail", "-f", self.pods, stdout=subprocess.PIPE)
        for number, _ in enumerate(process.stdout, 1):
            if number == LINES:
                break
        process.send_signal(signal.SIGTERM)
        self.end(process, terminal, 143)
        self.assertEqual(terminal.shown(), [])

    def test_replay(self):
        self.fill()
        self.both(["replay", self.spool], "weir replay: replayed " + ALL)
        # Where nothing matches, the search shows as well.
        self.both(["replay", self.spool, '|= "nowhere" | json'], r"weir replay: replayed \d+%, .*", 1)

    def test_query_of_a_spool(self):
        self.fill()
        self.both(["query", "--spool", self.spool, "-o", "jsonl"], "weir query: searched " + BYTES + ", [\\d,]+ records? found")
        self.both(["query", "--spool", self.spool, "-o", "raw", "--limit", "50000"], "weir query: searched " + BYTES)

    def test_rules_test(self):
        self.fill()
        rules = self.dir / "rules"
        rules.write_text('drop |= "line 7"\n')
        self.both(["rules", "test", rules, "--against", self.spool], "weir rules: tried " + ALL)
        self.both(["rules", "test", rules, "--against", self.pods], "weir rules: read " + ALL)

    def test_spool(self):
        self.fill()
        self.both(["spool", "check", self.spool], "weir spool: checked " + BYTES)
        self.check(["spool", "copy", self.spool, self.dir / "one.db"], "weir spool: copied " + BYTES)
        self.check_silent(["spool", "copy", self.spool, self.dir / "two.db"])
        for run in (self.check, lambda args, _: self.check_silent(args)):
            with sqlite3.connect(self.spool) as database:  # unused space
                database.execute("CREATE TABLE filler (bytes)")
                database.executemany("INSERT INTO filler VALUES (zeroblob(?))", [(1 << 20,)] * 40)
                database.execute("DROP TABLE filler")
            database.close()
            run(["spool", "compact", self.spool], "weir spool: gave back " + BYTES)

    def test_push_once(self):
        self.fill()
        target = proxy.Proxy(self.sink(), keep_bodies=False)
        self.addCleanup(target.close)
        target.set("slow", 0.2)
        process, terminal = self.begin("push", "--spool", self.spool, "--once", target.url, "--parallel", "1", fast=False)
        kit.wait_for(lambda: terminal.read() and terminal.shown(), lambda: terminal.text)
        target.set("up")
        self.end(process, terminal)
        self.assertRegex(terminal.shown()[0], "weir push: pushed " + ALL + r", [\d,]+ in flight")

    def answer_when_told(self):
        """The URL of a Loki that answers a query when `event` is set."""
        event = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                event.wait(kit.PATIENCE)
                body = json.dumps({"status": "success", "data": {"resultType": "streams", "result": []}}).encode()
                with contextlib.suppress(OSError):  # who asked may be gone
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.addCleanup(event.set)
        return f"http://127.0.0.1:{server.server_port}", event

    def test_query_of_a_loki_that_is_slow(self):
        url, event = self.answer_when_told()
        process, terminal = self.begin("query", "--addr", url, '{a="b"}', "-o", "jsonl", fast=False)
        kit.wait_for(lambda: terminal.read() and terminal.shown(), lambda: terminal.text)
        event.set()
        self.end(process, terminal, 1)
        self.assertRegex(terminal.shown()[0], r"^weir query: searched 0%, \d+s so far$")

    def test_an_interrupt_ends_a_query(self):
        url, _ = self.answer_when_told()
        process, terminal = self.begin("query", "--addr", url, '{a="b"}', fast=False)
        kit.wait_for(lambda: terminal.read() and terminal.shown(), lambda: terminal.text)
        process.send_signal(signal.SIGINT)
        self.end(process, terminal, 130)

    def test_records_on_the_terminal_are_whole(self):
        """Time flies: two seconds without a record are two milliseconds. A line may come between records, never within one."""
        terminal = Terminal(self)
        process, _ = self.begin("tail", self.pods, "-o", "raw", stdout=terminal.near, terminal=terminal)
        self.end(process, terminal)
        self.assertEqual(len(re.findall(r"(?:^|\r\n|\r\x1b\[K)line \d+ [0-9a-f]{60}(?=\r\n)", terminal.text)), LINES)

    def test_one_line_for_all_processes_of_a_terminal(self):
        """A source in front knows how much there is: push leaves the line to it."""
        target = proxy.Proxy(self.sink(), keep_bodies=False)
        self.addCleanup(target.close)
        target.set("slow", 0.5)
        terminal = Terminal(self)
        tail, _ = self.begin("tail", self.pods, stdout=subprocess.PIPE, terminal=terminal, fast=False)
        push, _ = self.begin("push", target.url, "--parallel", "1", stdin=tail.stdout, terminal=terminal, fast=False)
        kit.wait_for(lambda: terminal.read() and len(terminal.shown()) > 5, lambda: terminal.text)
        self.assertEqual({line.split(":")[0] for line in terminal.shown()}, {"weir tail"})
        target.set("up")
        self.end(push, terminal)
        self.assertEqual(tail.wait(kit.PATIENCE), 0)

    def test_a_narrow_terminal_cuts_the_line(self):
        terminal = Terminal(self, columns=30)
        process, _ = self.begin("tail", self.pods, terminal=terminal)
        os.close(terminal.near)
        terminal.near = None
        while terminal.read(kit.PATIENCE):
            pass
        self.assertEqual(process.wait(kit.PATIENCE), 0)
        shown = [line for line in re.split(r"\r\x1b\[K|\r\n", terminal.text) if "read" in line]
        self.assertTrue(shown)
        self.assertTrue(all(len(line) < 30 for line in shown), shown)

    def test_a_job_in_the_background_shows_none(self):
        """The terminal belongs to the shell and what is typed there."""
        child, far = pty.fork()
        if child == 0:
            # Job control: the background is a process group of its own.
            script = f'set -m; LD_PRELOAD={FAST_CLOCK} {kit.WEIR} tail {self.pods} > /dev/null & wait; echo "the" "end"'
            os.execvpe("bash", ["bash", "-c", script], kit.environment())
        self.addCleanup(os.waitpid, child, 0)
        terminal = Terminal(self)
        os.close(terminal.far)
        terminal.far = far
        kit.wait_for(lambda: terminal.read() and "the end" in terminal.text, lambda: terminal.text)
        self.assertNotIn("read ", terminal.text)


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
