#!/usr/bin/env python3
"""How a chain ends: by a signal, by the death of a neighbour, by a reader that leaves; stopped and continued; with no streams to use.

Where nothing else is said, a chain is run as a shell pipe and fused, and what was on disk is delivered once in the end.
"""
import array
import fcntl
import json
import os
import pathlib
import pty
import shlex
import signal
import subprocess
import sys
import termios
import time
import unittest

import proxy
import weir_kit as kit

LINES = 3000
TEXT = "and what else there is to say, so that a pipe holds only some thousands of these"

# name: (stages behind `tail -f` and the filter, whether positions are kept)
CHAINS = {
    "untracked": ["push {url}"],
    "checkpoint": ["push {url} --checkpoint {kept}"],
    "buffer": ["buffer {kept}", "push {url}"],
    "store": ["buffer {kept} --store"],
}
TRACKED = [name for name in CHAINS if name != "untracked"]


def kill_session(leader):
    """The leader of a session and everything in it."""
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.getsid(int(entry.name)) == leader:
                os.kill(int(entry.name), signal.SIGKILL)
        except ProcessLookupError:
            pass


def waiting_in(pipe):
    """Bytes that lie in a pipe."""
    size = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, size)
    return size[0]


class Case(kit.Case):
    """A log that grows, chains over it, and a target that may misbehave."""

    def setUp(self):
        super().setUp()
        self.pods = self.dir / "pods"
        self.log = self.pods / "ns_pod_uid" / "c" / "0.log"
        self.log.parent.mkdir(parents=True)
        self.kept = self.dir / "kept.db"
        self.record = self.dir / "sink"
        self.second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())  # push refuses what is old
        self.written = 0
        self.write(LINES)

    def write(self, count):
        with open(self.log, "a", encoding="ascii") as log:
            for i in range(self.written, self.written + count):
                log.write(f"{self.second}.{i:09d}Z stdout F {i} {TEXT}\n")
        self.written += count

    def rotate(self):
        self.log.rename(self.log.with_name(f"0.log.20260102-{self.written:06d}"))

    def open_target(self):
        """A target behind a proxy, which is told how to behave."""
        self.sink_url = self.sink(self.record)
        self.proxy = proxy.Proxy(self.sink_url, keep_bodies=False)
        self.addCleanup(self.proxy.close)

    def stages(self, name):
        head = ["tail -f --from start " + ("" if name == "untracked" else f"--checkpoint {self.kept} ") + str(self.pods), "filter '{container=\"c\"}'"]
        return head + [stage.format(url=self.proxy.url, kept=self.kept) for stage in CHAINS[name]]

    def start_chain(self, name, fused, **kwargs):
        return self.chain(self.stages(name), fused, **kwargs)

    def on_terminal(self, commands, before=""):
        """Runs a shell pipe in the foreground of a terminal of its own: the terminal's other side, and a function that gives the exit codes once
        all have ended."""
        codes = self.dir / "codes"
        codes.unlink(missing_ok=True)
        line = " | ".join(shlex.join(command) for command in commands)
        # The first shell dies with its terminal, at which the system tells all that ran in its foreground.
        script = f'trap : HUP; {before} {line}; echo "${{PIPESTATUS[@]}}" > {codes}.new && mv {codes}.new {codes}'
        child, terminal = pty.fork()
        if child == 0:
            os.execvpe("bash", ["bash", "-c", f"bash -c {shlex.quote(script)}; :"], kit.environment())
        self.addCleanup(os.waitpid, child, 0)
        self.addCleanup(kill_session, child)

        def ended():
            return [int(code) for code in codes.read_text().split()] if codes.exists() else None

        return terminal, ended

    def there(self, name):
        """The numbers of the lines that arrived, in their order."""
        if name == "store":
            lines = [r["line"] for r in kit.records(kit.weir("replay", self.kept, "-o", "jsonl", expect=None).splitlines())] if self.kept.exists() else []
        else:
            lines = [row[1] for rows in kit.sink_records(self.record).values() for row in rows] if self.record.exists() else []
        return [int(line.split()[0]) for line in lines]

    def arrived(self, name):
        """How many lines, repeats among them."""
        if name != "store":
            return kit.sink_stats(self.sink_url)["entries"]
        status = kit.weir("spool", "status", self.kept, "-o", "json", expect=None)
        return json.loads(status)["records"] if status else 0

    def wait_for_all(self, name, chain):
        kit.wait_for(lambda: self.arrived(name) >= self.written, lambda: f"{self.arrived(name)} of {self.written}\n{chain.errors()}")

    def check_once(self, name):
        self.assertEqual(self.there(name), list(range(self.written)), name)

    def each(self, names, body, fused=(False, True)):
        for name in names:
            for way in fused:
                with self.subTest(chain=name, fused=way):
                    self.setUp()
                    self.open_target()
                    body(name, way)

    def check_next_start(self, name, fused):
        """With a target that takes everything again, the next chain delivers what is missing."""
        self.proxy.set("up")
        again = self.start_chain(name, fused)
        self.wait_for_all(name, again)
        again.stop()
        self.check_once(name)

    def side_by_side(self, cases, begin, end):
        """Of cases that wait for a deadline: all are begun, each in a world of its own, then all are ended."""
        worlds = []
        for name, what in cases:
            self.setUp()
            self.open_target()
            chain = begin(name, what)
            worlds.append((name, what, chain, self.__dict__.copy()))
        for name, what, chain, world in worlds:
            with self.subTest(chain=name, case=what):
                self.__dict__.update(world)
                end(name, what, chain)

    @staticmethod
    def signals_taken(chain):
        """True when no signal waits to be noticed; one of a kind waits only once."""
        for process in chain.processes:
            if process.poll() is not None:
                continue
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
            if any(int(line.split()[1], 16) for line in status.splitlines() if line.startswith(("SigPnd", "ShdPnd"))):
                return False
        return True


class Signals(Case):
    def test_drains_and_says_which_signal_it_was(self):
        for number, code, to_all in ((signal.SIGTERM, 143, False), (signal.SIGINT, 130, True)):
            def body(name, fused, number=number, code=code, to_all=to_all):
                chain = self.start_chain(name, fused)
                self.wait_for_all(name, chain)
                self.write(LINES)
                chain.signal(number, None if to_all else 0)
                count = len(chain.processes)
                self.assertEqual(chain.wait(), [code] * count if to_all else [code] + [0] * (count - 1), chain.errors())
                there = self.there(name)
                self.assertEqual(there, list(range(len(there))), "what arrived is a beginning of what there is")
                self.assertGreaterEqual(len(there), LINES)
                if name != "untracked" and to_all:  # the rest is read at the next start
                    again = self.start_chain(name, fused)
                    self.wait_for_all(name, again)
                    again.stop()
                    self.check_once(name)

            self.each(CHAINS, body)

    def test_exit_zero_on_term_is_for_a_clean_end_alone(self):
        """For service managers. A loss still gives 3."""
        def body(name, fused):
            chain = self.start_chain(name, fused, options=["--exit-zero-on-term"])
            self.wait_for_all(name, chain)
            chain.signal(signal.SIGTERM)
            self.assertEqual(chain.wait(), [0] * len(chain.processes), chain.errors())
            if name == "untracked":
                return
            self.write(LINES)  # which nobody reads before they are gone
            self.log.unlink()
            self.written = 0
            self.write(1)
            chain = self.start_chain(name, fused, options=["--exit-zero-on-term"])
            kit.wait_for(lambda: self.arrived(name) >= LINES + 2, chain.errors)  # the record that reports the gap, and the line
            chain.signal(signal.SIGTERM, 0)
            self.assertEqual(chain.wait()[0], 3, chain.errors())

        self.each(["untracked", "buffer"], body)

    def test_exit_zero_on_term_while_loki_is_down(self):
        """Where positions are kept, nothing is lost by that: a service manager sees no failure. Elsewhere it does."""
        def body(name, fused):
            self.proxy.set("hang")
            self.write(20 * LINES)  # more than pipes and push hold
            chain = self.start_chain(name, fused, options=["--exit-zero-on-term"])
            kit.wait_for(lambda: self.proxy.journal, chain.errors)
            for _ in range(2):  # the second one ends the drain at once
                chain.signal(signal.SIGTERM)
                kit.wait_for(lambda: self.signals_taken(chain), "signals were not taken")
            code = chain.wait()[-1]
            if name == "untracked":
                self.assertEqual(code, 143, chain.errors())
                self.assertIn("not delivered: ", chain.errors())
                return
            self.assertEqual(code, 0, chain.errors())
            self.assertNotIn("not delivered: ", chain.errors())
            self.assertRegex(chain.errors(), "stopped before Loki had acknowledged [0-9,]+ records, .*" + (
                "which push had in hand; the spool keeps them and all that were to follow, and the next start sends them"
                if name == "buffer" else ": the next start sends them again"))
            self.check_next_start(name, fused)

        self.each(["untracked", "checkpoint", "buffer"], body)

    def test_a_second_signal_leaves_at_once(self):
        def body(name, fused):
            self.proxy.set("hang")
            self.write(10 * LINES)  # more than pipes and push hold
            chain = self.start_chain(name, fused)
            kit.wait_for(lambda: self.proxy.journal, chain.errors)
            for _ in range(2):
                chain.signal(signal.SIGTERM)
                kit.wait_for(lambda: self.signals_taken(chain), "signals were not taken")
            # With the first alone it would be ten seconds and more.
            self.assertEqual(chain.wait(8), [143] * len(chain.processes), chain.errors())
            if name == "untracked":
                self.assertIn("not delivered", chain.errors())
                return
            self.check_next_start(name, fused)

        self.each(["untracked", "checkpoint", "buffer"], body)

    def test_signals_come_to_the_last_moment(self):
        """Also while main() has ended and the process has not."""
        for _ in range(60):
            with subprocess.Popen([kit.WEIR, "filter"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  env=kit.environment()) as process:
                process.stdin.write(b'{"ts":"1","line":"x","labels":{}}\n')
                process.stdin.flush()
                process.stdout.readline()  # its signals are handled by now
                while process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                self.assertEqual(process.returncode, 143)

    def test_a_drain_that_takes_long_is_announced_once(self):
        def body(name, fused):
            self.proxy.set("hang")
            self.write(10 * LINES)  # more than pipes and push hold
            chain = self.start_chain(name, fused)
            kit.wait_for(lambda: self.proxy.journal, chain.errors)
            chain.signal(signal.SIGTERM)
            announced = "still draining: it ends in at most "
            kit.wait_for(lambda: announced in chain.errors(), chain.errors)
            chain.signal(signal.SIGTERM)
            self.assertEqual(chain.wait(8), [143] * len(chain.processes), chain.errors())
            # Those in front may have been done within a second.
            self.assertLessEqual(chain.errors().count(announced), len(chain.processes), chain.errors())

        self.each(["checkpoint"], body)

    def test_a_second_signal_frees_who_waits_for_a_reader(self):
        """Whichever thread writes, and whichever got the signal."""
        tracked = f"tail -f --checkpoint {self.kept} {self.pods}"
        self.write(10 * LINES)
        for stages, fused in (([f"tail -f {self.pods}", "filter '{}'"], False), ([f"tail -f {self.pods} -o raw"], False),
                              ([tracked, f"buffer {self.kept}"], False), ([tracked, f"buffer {self.kept}"], True)):
            with self.subTest(stages=stages, fused=fused):
                self.kept.unlink(missing_ok=True)
                read, write = os.pipe()
                self.addCleanup(os.close, read)
                chain = self.chain(stages, fused, stdout=write)
                size = fcntl.fcntl(write, fcntl.F_GETPIPE_SZ)
                os.close(write)
                # Full but for what does not fill a page.
                kit.wait_for(lambda: waiting_in(read) > 0.9 * max(size, fcntl.fcntl(read, fcntl.F_GETPIPE_SZ)), chain.errors)
                for _ in range(2):
                    chain.signal(signal.SIGTERM)
                    kit.wait_for(lambda: self.signals_taken(chain), "signals were not taken")
                self.assertEqual(chain.wait(8), [143] * len(chain.processes), chain.errors())

    def test_a_blocked_chain_ends_by_its_deadlines(self):
        """Ctrl-C to all at once while the target hangs: what is in front gives up first."""
        def begin(name, fused):
            self.proxy.set("hang")
            self.write(10 * LINES)
            chain = self.start_chain(name, fused)
            kit.wait_for(lambda: self.proxy.journal, chain.errors)
            chain.signal(signal.SIGINT)
            return chain

        def end(name, fused, chain):
            self.assertEqual(chain.wait(), [130] * len(chain.processes), chain.errors())
            self.check_next_start(name, fused)

        self.side_by_side([(name, fused) for name in ("checkpoint", "buffer") for fused in (False, True)], begin, end)

    def test_hangup_is_no_end(self):
        def body(name, fused):
            chain = self.start_chain(name, fused, detached=True)
            self.wait_for_all(name, chain)
            for _ in range(3):
                chain.signal(signal.SIGHUP)
                kit.wait_for(lambda: self.signals_taken(chain), "signals were not taken")
            self.write(LINES)
            self.wait_for_all(name, chain)
            chain.stop()
            self.check_once(name)

        self.each(["untracked", "buffer"], body)

    def test_the_terminal_goes(self):
        def body(name, fused):
            stages = self.stages(name)
            commands = [[kit.WEIR, "run", "-c", " | ".join(stages)]] if fused else [[kit.WEIR, *shlex.split(stage)] for stage in stages]
            terminal, ended = self.on_terminal(commands)
            kit.wait_for(lambda: self.arrived(name) >= self.written, lambda: f"{self.arrived(name)} of {self.written}")
            self.write(LINES)
            os.close(terminal)
            codes = kit.wait_for(ended, "the chain goes on without its terminal")
            self.assertEqual(codes, [129] * len(commands))
            if name == "untracked":  # what it read, it passed on
                there = self.there(name)
                self.assertEqual(there, list(range(len(there))))
            else:
                self.check_next_start(name, fused)

        self.each(CHAINS, body)

    def test_the_terminal_that_shows_the_records_goes(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                follow = ["tail", "-f", str(self.pods)]
                terminal, ended = self.on_terminal([[kit.WEIR, *(["run", "-c", shlex.join(follow)] if fused else follow)]])
                os.read(terminal, 1)
                os.close(terminal)
                # Whichever it sees first: that it is told to end, or that nobody reads any more.
                self.assertIn(kit.wait_for(ended, "it goes on without its terminal"), ([129], [0]))

    def test_nohup_outlives_the_terminal(self):
        self.open_target()
        terminal, ended = self.on_terminal([[kit.WEIR, "run", "-c", " | ".join(self.stages("store"))]], before='trap "" HUP;')
        kit.wait_for(lambda: self.arrived("store") >= self.written, "nothing is stored")
        os.close(terminal)
        self.write(LINES)
        kit.wait_for(lambda: self.arrived("store") >= self.written, "it ended with the terminal")
        self.assertIsNone(ended())

    def test_an_interrupt_that_was_to_be_ignored_is(self):
        """As shells have it for what a script runs in the background."""
        with subprocess.Popen(["bash", "-c", 'trap "" INT; exec "$@"', "bash", kit.WEIR, "tail", "-f", str(self.pods)], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, env=kit.environment()) as process:
            self.addCleanup(process.kill)
            self.assertTrue(process.stdout.readline())
            process.send_signal(signal.SIGINT)
            self.write(1)
            for line in process.stdout:  # it still follows
                if b'"line":"%d ' % LINES in line:
                    break
            else:
                self.fail("it ended")
            process.send_signal(signal.SIGTERM)
            process.stdout.read()
            self.assertEqual(process.wait(), 143)

    def test_stopped_and_continued(self):
        """One stage after the other stands still while more is written than all pipes hold, and the log rotates."""
        def body(name, fused):
            chain = self.start_chain(name, fused)
            self.wait_for_all(name, chain)
            for index in range(len(chain.processes)):
                chain.signal(signal.SIGSTOP, index)
                for _ in range(3):
                    self.write(4 * LINES)
                    self.rotate()
                    self.write(10)
                chain.signal(signal.SIGCONT, index)
                self.wait_for_all(name, chain)
            chain.stop()
            self.check_once(name)

        self.each(["buffer", "checkpoint"], body)


class Deaths(Case):
    # What is left of a chain of which one process was killed while nothing moved.
    CODES = {
        "untracked": [[-9, 0, 0], [0, -9, 0], [0, 0, -9]],
        "checkpoint": [[-9, 4, 4], [4, -9, 4], [4, 4, -9]],
        "buffer": [[-9, 4, 4, 4], [4, -9, 4, 4], [4, 4, -9, 4], [4, 4, 4, -9]],
        "store": [[-9, 4, 4], [4, -9, 4], [4, 4, -9]],
    }

    def test_neighbours_notice_while_nothing_moves(self):
        def body(name, _):
            for victim, codes in enumerate(self.CODES[name]):
                self.write(victim)  # so that something goes through all of it
                chain = self.start_chain(name, False)
                if name == "untracked":  # it reads all of it each time
                    kit.wait_for(lambda: self.there(name)[-self.written:] == list(range(self.written)), chain.errors)
                else:
                    self.wait_for_all(name, chain)
                    kit.wait_for(lambda: self.written - 1 in self.there(name), chain.errors)  # arrived() counts repeats, too
                chain.kill(victim)
                self.assertEqual(chain.wait(), codes, chain.errors())
            if name != "untracked":
                self.write(LINES)
                chain = self.start_chain(name, False)
                self.wait_for_all(name, chain)
                chain.stop()
                # What a kill left unacknowledged comes twice, which is another test's matter.
                self.assertEqual(sorted(set(self.there(name))), list(range(self.written)))

        self.each(CHAINS, body, fused=(False,))

    def test_a_source_that_died_does_not_leave_a_blocked_chain_waiting(self):
        """What is left ends by itself though the target takes nothing, so that whoever starts chains can start the next."""
        def begin(name, lines):
            self.proxy.set("hang")
            self.write(lines)
            chain = self.start_chain(name, False)
            kit.wait_for(lambda: self.proxy.journal, chain.errors)
            chain.kill(0)
            return chain

        def end(name, _, chain):
            self.assertEqual(chain.wait(), [-9] + [4] * (len(chain.processes) - 1), chain.errors())
            self.check_next_start(name, False)

        # Ten times the lines fill every pipe, so that nobody can read on to the end of his input.
        self.side_by_side([(name, lines) for name in ("checkpoint", "buffer") for lines in (0, 10 * LINES)], begin, end)

    def test_a_source_that_died_does_not_leave_a_full_spool_waiting(self):
        self.open_target()
        self.proxy.set("hang")
        with open(self.log, "a", encoding="ascii") as log:
            for i in range(self.written, self.written + 10 * LINES):
                log.write(f"{self.second}.{i:09d}Z stdout F {i} {os.urandom(200).hex()}\n")
        self.written += 10 * LINES
        chain = self.chain([f"tail -f --checkpoint {self.kept} {self.pods}", f"buffer {self.kept} --min-free 0 --max-size 4MiB", f"push {self.proxy.url}"], False)
        kit.wait_for(lambda: "reached its limit of 4.0 MiB" in chain.errors(), chain.errors)
        chain.kill(0)
        self.assertEqual(chain.wait(), [-9, 4, 4], chain.errors())
        self.check_next_start("buffer", False)

    def test_a_line_that_was_cut_is_not_taken(self):
        tracked = kit.weir("tail", "--checkpoint", self.kept, self.pods)
        untracked = kit.weir("tail", self.pods)
        self.assertIn(b'"marker"', tracked)
        for text, codes in ((tracked, {4}), (untracked, {0, 3})):
            for cut in range(len(text) // 3, len(text) // 3 + 400, 37):
                part = text[:cut]
                done = subprocess.run([kit.WEIR, "filter", "{}"], input=part, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=kit.environment(), check=False)
                self.assertIn(done.returncode, codes, done.stderr)
                whole = part[:part.rfind(b"\n") + 1]
                if text is tracked or part.endswith(b"\n"):
                    self.assertEqual(done.stdout, whole)
                else:  # an untracked stream may end anywhere: what was cut goes on as the text it is
                    self.assertTrue(done.stdout.startswith(whole))
                    self.assertIn(b"weir_error", done.stdout[len(whole):])


class Readers(Case):
    """Standard output, standard input, and who is at their other ends."""

    def test_a_reader_that_leaves_is_noticed_while_nothing_moves(self):
        follow = f"tail -f {self.pods}"
        for stages, fused, codes in (([follow], False, [0]),
                                     ([follow + " -o raw"], False, [0]),
                                     ([follow, "enrich --level", "filter '{}'"], False, [0, 0, 0]),
                                     ([follow, "enrich --level", "filter '{}'"], True, [0]),
                                     ([f"tail -f --checkpoint {self.kept} {self.pods}", "filter '{}'"], False, [4, 4]),
                                     ([f"tail -f --checkpoint {self.kept} {self.pods}", f"buffer {self.kept}"], False, [4, 4]),
                                     ([f"tail -f --checkpoint {self.kept} {self.pods}", f"buffer {self.kept}"], True, [4])):
            with self.subTest(stages=stages, fused=fused):
                self.kept.unlink(missing_ok=True)
                read, write = os.pipe()
                chain = self.chain(stages, fused, stdout=write)
                os.close(write)
                with os.fdopen(read, "rb") as reader:
                    last = b"%d %s" % (LINES - 1, TEXT.encode())
                    for line in reader:
                        if last in line:  # there is nothing more to write
                            break
                    else:
                        self.fail(chain.errors())
                self.assertEqual(chain.wait(), codes, chain.errors())

    def test_a_reader_of_typed_text_that_leaves(self):
        source_read, source_write = os.pipe()
        with os.fdopen(source_read) as source, os.fdopen(source_write, "wb", buffering=0) as typed:
            process = self.start(kit.WEIR, "tail", "-", stdin=source, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=kit.environment())
            typed.write(b"one\n")
            self.assertIn(b"one", process.stdout.readline())
            process.stdout.close()
            self.assertEqual(process.wait(kit.PATIENCE), 0)

    def test_streams_that_cannot_be_used(self):
        tail = f"weir tail {self.pods}"
        for text, message in ((f"{tail} >&-", "cannot write the output: Bad file descriptor"),
                              (f"{tail} -o raw >&-", "cannot write the output: Bad file descriptor"),
                              (f"{tail} > /dev/full", "cannot write the output: No space left on device"),
                              (f"{tail} -o raw > /dev/full", "cannot write the output: No space left on device"),
                              (f"weir tail -f {self.pods} > /dev/full", "cannot write the output: No space left on device"),
                              (f"weir run -c 'tail {self.pods} | enrich --level' > /dev/full", "cannot write the output: No space left on device"),
                              (f"weir buffer {self.kept} < {self.jsonl()} > /dev/full", "cannot write the output: No space left on device"),
                              ("weir filter '{}' <&-", "cannot read the input: Bad file descriptor"),
                              ("weir tail - <&-", "cannot read the input: Bad file descriptor"),
                              ("weir --help > /dev/full", "cannot write to standard output: No space left on device"),
                              ("weir spool status --help >&-", "cannot write to standard output: Bad file descriptor")):
            with self.subTest(text):
                done = subprocess.run(["bash", "-c", f'weir() {{ "$WEIR" "$@"; }}; {text}'], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.PIPE, env=kit.environment(WEIR=kit.WEIR), timeout=kit.PATIENCE, check=False)
                self.assertEqual(done.returncode, 4, done.stderr)
                self.assertIn(message, done.stderr.decode())

    def jsonl(self):
        path = self.dir / "records"
        path.write_bytes(kit.weir("tail", self.pods))
        return path


LOG = b"".join(b"2026-01-02T03:04:05.%09dZ stdout F line %d\n" % (i, i) for i in range(20000))


class Ends(kit.Case):
    def setUp(self):
        super().setUp()
        self.pods = self.dir / "pods"
        self.log = self.pods / "ns_pod_uid" / "c" / "0.log"
        self.log.parent.mkdir(parents=True)
        self.log.write_bytes(LOG)

    def shell(self, text):
        """Exit codes of a shell pipe, by bash's PIPESTATUS, and its output."""
        script = f'weir() {{ "$WEIR" "$@"; }}\n{text}\ncodes=("${{PIPESTATUS[@]}}")\necho "${{codes[*]}}" >&3\n'
        read, write = os.pipe()
        with subprocess.Popen(["bash", "-c", f"exec 3>&{write}; {script}"], pass_fds=[write], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=kit.environment(WEIR=kit.WEIR, P=self.pods, D=self.dir)) as process:
            out, err = process.communicate(timeout=kit.PATIENCE)
        os.close(write)
        with os.fdopen(read) as codes:
            return [int(c) for c in codes.read().split()], out, err.decode()

    def test_a_reader_that_has_enough_is_a_normal_end(self):
        for chain in ("weir tail $P | head -n 1", "weir tail $P | weir enrich --level | head -n 1",
                      "weir run -c \"tail $P | enrich --level\" | head -n 1"):
            with self.subTest(chain):
                codes, out, err = self.shell(chain)
                self.assertEqual(set(codes), {0}, err)
                self.assertEqual(out.count(b"\n"), 1, err)

    def test_a_tracked_stage_whose_reader_left_cannot_go_on(self):
        codes, _, err = self.shell("weir tail --checkpoint $D/c.db $P | head -n 1")
        self.assertEqual(codes, [4, 0], err)

    def test_a_tracked_stream_that_is_read_to_its_end_ends_well(self):
        for stage in ("filter '|= \"line\"'", "filter --drop '|= \"line 19999\"'", "filter '|= \"nothing has this\"'"):
            with self.subTest(stage):
                codes, _, err = self.shell(f"rm -f $D/s.db*; weir tail --checkpoint $D/s.db $P | weir {stage} | weir buffer $D/s.db --store")
                self.assertEqual(codes, [0, 0, 0], err)
                # What was dropped at the end is not read again.
                codes, out, err = self.shell(f"weir tail --checkpoint $D/s.db $P | weir filter '{{}}' -o jsonl | grep -c '\"line\"'")
                self.assertEqual((codes[:2], out), ([0, 0], b"0\n"), err)

    def test_an_untracked_stream_may_end_anywhere(self):
        codes, out, err = self.shell("""printf '{"line":"a"}\\n{"line":"b"}' | weir filter '|~ "a|b"'""")
        self.assertEqual(codes, [0, 0], err)
        self.assertEqual(out.count(b"\n"), 2)

    def test_input_that_is_no_record(self):
        codes, out, err = self.shell("echo plain text | weir filter '|= \"a\"'")
        self.assertEqual(codes[-1], 2, err)
        self.assertEqual(out, b"")
        codes, out, err = self.shell("""printf '{"line":"a"}\\nbroken\\n{"line":"c"}\\n' | weir enrich --level""")
        self.assertEqual(codes[-1], 3, err)
        self.assertEqual([r["line"] for r in kit.records(out.splitlines())], ["a", "broken", "c"])
        self.assertIn("weir_error", next(r for r in kit.records(out.splitlines()) if r["line"] == "broken")["metadata"])

    def test_files_that_cannot_be_read(self):
        if os.geteuid() == 0:
            self.skipTest("root may read everything")
        self.log.chmod(0)
        self.assertEqual(self.shell("weir tail $P")[0], [4])
        other = self.log.with_name("1.log")
        other.write_bytes(LOG)
        self.assertEqual(self.shell("weir tail $P")[0], [3])

    def test_wrong_usage(self):
        for text in ("weir nonsense", "weir tail --no-such-option", "weir filter '{a='", "weir run -c 'tail $P |'", "weir run -c 'tail *'"):
            with self.subTest(text):
                self.assertEqual(self.shell(text)[0], [2])


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
