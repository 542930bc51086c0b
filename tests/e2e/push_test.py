#!/usr/bin/env python3
"""push at the end of whole chains: several targets of one spool, streams that Loki limits, targets in trouble, ends, rejected records."""
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import time
import unittest

import weir_kit as kit

# An answer is given within the time that a test has; the pace of a backlog is not what these tests are about.
QUICK = "--drain-rate 0"


class Push(kit.Case):
    def setUp(self):
        super().setUp()
        self.pods = self.dir / "pods"
        self.pods.mkdir(exist_ok=True)
        self.spool = self.dir / "spool.db"

    def target(self, name="sink"):
        """A sink: its process, URL and what it records."""
        process = self.start(kit.SINK, "--record", str(self.dir / name), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return process, process.stdout.readline().decode().strip(), self.dir / name

    def post(self, url):
        self.assertEqual(kit.get(url, data=b"")[0], 200)

    def entries(self, path):
        """(labels, line) of what a sink has taken, in the order of arrival; the sink may be writing its last line still."""
        found = []
        for text in path.read_bytes().split(b"\n")[:-1]:
            entry = json.loads(text)
            found.append((entry["labels"], entry["line"]))
        return found

    def write(self, pod, first, count, size=0):
        log = self.pods / f"ns_{pod}_uid" / "c" / "0.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "ab") as out:
            now = time.time_ns()
            for i in range(first, first + count):
                stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime((now + i) // 10**9)) + f".{(now + i) % 10**9:09d}Z"
                out.write(f"{stamp} stdout F {pod} {i} {os.urandom(size // 2).hex()}\n".encode())

    def lines_of(self, path, pod):
        return [int(line.split()[1]) for labels, line in self.entries(path) if line.startswith(pod + " ")]

    def status(self, *args):
        return json.loads(kit.weir("spool", "status", self.spool, "-o", "json", *args))

    def consumer(self, name):
        return next((c for c in self.status()["consumers"] if c["name"] == name), None)

    def pusher(self, *args):
        errors = self.dir / f"push-{len(list(self.dir.glob('push-*')))}"
        return self.push_into(errors, "--spool", str(self.spool), *args, stdin=subprocess.DEVNULL), errors

    def push_into(self, errors, *args, stdin):
        with open(errors, "wb") as stderr:
            return self.start(kit.WEIR, "push", *args, stdin=stdin, stderr=stderr, env=kit.environment())

    # ---- several targets ------------------------------------------------------------------------------------------------------------

    def test_a_spool_that_is_only_being_made_is_waited_for(self):
        """At the first boot of a node all processes start together: absent, then a file without a table, then a spool."""
        for made in (False, True):
            with self.subTest(made=made):
                self.setUp()
                record, spool = self.dir / "sink", self.dir / "spool.db"
                url = self.sink(record)
                if made:
                    database = sqlite3.connect(spool)
                    database.execute("PRAGMA auto_vacuum = INCREMENTAL")  # as buffer makes it; it takes another file for a damaged one
                    database.execute("PRAGMA journal_mode = WAL")
                    database.close()
                    self.assertGreater(spool.stat().st_size, 0)
                push = self.chain([f"push --spool {spool} {url}"], False)
                status = pathlib.Path(f"/proc/{push.processes[0].pid}/status")
                waits = lambda: int(status.read_text(encoding="ascii").split("\nvoluntary_ctxt_switches:")[1].split()[0])
                before = waits()
                kit.wait_for(lambda: not push.running() or waits() > before + 10, push.errors)  # it has looked and waited some times
                (self.dir / "in.jsonl").write_text('{"line":"one"}\n')
                self.run_chain([f"buffer {spool} --store --min-free 0"], False, stdin=self.dir / "in.jsonl")
                kit.wait_for(lambda: kit.sink_stats(url)["entries"] == 1 or not push.running(), push.errors)
                push.stop()
                self.assertEqual(list(self.dir.glob("spool.db.damaged*")), [])

    def test_two_targets_of_one_spool(self):
        """One is hours behind (it does not answer), one is gone; the first has everything at once. Then they are there again, or forgotten."""
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                _, main, main_file = self.target("main")
                slow_sink, slow, slow_file = self.target("slow")
                chain = self.chain([f"tail -f --checkpoint {self.spool} {self.pods}", f"buffer {self.spool}", f"push {main}"], fused)
                self.write("a", 0, 100)
                kit.wait_for(lambda: len(self.entries(main_file)) == 100, chain.errors)
                pusher, errors = self.pusher(slow, "--as", "slow", "--timeout", "2s", *QUICK.split())
                gone, _ = self.pusher("http://127.0.0.1:1", "--as", "gone", *QUICK.split())
                kit.wait_for(lambda: len(self.entries(slow_file)) == 100 and self.consumer("gone"), lambda: errors.read_text())
                slow_sink.send_signal(signal.SIGSTOP)
                for i in range(1, 20):
                    self.write("a", i * 100, 100)
                kit.wait_for(lambda: len(self.entries(main_file)) == 2000, chain.errors)
                kit.wait_for(lambda: self.consumer("main")["behind_records"] == 0, chain.errors)
                self.assertGreaterEqual(self.consumer("slow")["behind_records"], 1800)
                self.assertEqual(self.consumer("gone")["behind_records"], 2000)
                self.assertEqual(self.status()["undelivered"], 2000)

                slow_sink.send_signal(signal.SIGCONT)
                kit.wait_for(lambda: len(set(self.lines_of(slow_file, "a"))) == 2000, lambda: errors.read_text())
                kit.wait_for(lambda: self.consumer("slow")["behind_records"] == 0, lambda: errors.read_text())
                # One that runs cannot be forgotten; one that is gone can, and then nothing is kept for it.
                kit.weir("spool", "forget", "gone", self.spool, expect=4)
                gone.kill()
                gone.wait()
                kit.weir("spool", "forget", "gone", self.spool)
                self.assertIsNone(self.consumer("gone"))
                self.assertEqual(self.status()["undelivered"], 0)
                self.assertEqual(self.lines_of(main_file, "a"), list(range(2000)))
                pusher.send_signal(signal.SIGTERM)
                self.assertEqual(pusher.wait(kit.PATIENCE), 143, errors.read_text())
                chain.stop()

    def test_match_is_a_consumers_own(self):
        self.write("a", 0, 50)
        self.write("b", 0, 50)
        kit.weir("run", "-c", f"tail {self.pods} | buffer {self.spool} --store")
        _, url, path = self.target()
        kit.weir("push", "--spool", self.spool, "--as", "only-b", "--match", '{pod="b"} != " 7 "', "--once", url)
        self.assertEqual(sorted(line.split()[0] for _, line in self.entries(path)), ["b"] * 49)
        self.assertEqual(self.consumer("only-b")["behind_records"], 0)
        self.assertEqual(self.consumer("only-b")["match"], '{pod="b"} != " 7 "')
        kit.weir("push", "--spool", self.spool, "--once", url)
        self.assertEqual(len(self.entries(path)), 149)

    # ---- streams that Loki limits ---------------------------------------------------------------------------------------------------

    def limited(self, buffer, middle, fused, waits):
        """A chatty pod is limited for good while others go on; then it is not any more. Everything arrives once and in order."""
        _, url, path = self.target()
        self.post(f"{url}/limit?stream=hot")
        chain = self.chain([f"tail -f --checkpoint {self.spool} {self.pods}", f"{buffer} {self.spool}", *middle, f"push {url}"], fused)
        hot = 0
        for i in range(20):  # 16 MB in all, four times what push keeps
            self.write("hot", hot, 200, 4000)
            self.write("calm", i * 10, 10)
            hot += 200
        if waits:
            kit.wait_for(lambda: len(self.lines_of(path, "calm")) == 200, chain.errors)
            self.write("calm", 200, 1)
            kit.wait_for(lambda: len(self.lines_of(path, "calm")) == 201, chain.errors)
            self.assertEqual(self.lines_of(path, "hot"), [])
            kit.wait_for(lambda: self.consumer("main")["behind_records"] >= 4000, chain.errors)
        else:
            # What is changed on its way cannot be read again: the limited stream holds up the others in the end.
            kit.wait_for(lambda: "something between the spool and push changes or drops records" in chain.errors(), chain.errors)
        self.post(f"{url}/limit?stream=")
        calm = 201 if waits else 200
        kit.wait_for(lambda: len(self.lines_of(path, "hot")) >= 4000 and len(self.lines_of(path, "calm")) >= calm, chain.errors)
        kit.wait_for(lambda: self.consumer("main")["behind_records"] == 0, chain.errors)
        chain.stop()
        self.assertEqual(self.lines_of(path, "hot"), list(range(4000)))
        self.assertEqual(self.lines_of(path, "calm"), list(range(calm)))
        self.assertEqual(self.status()["undelivered"], 0)

    def test_a_limited_stream_waits_in_the_spool(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                self.limited("buffer", [], fused, True)

    def test_and_with_spill(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                self.limited("buffer --spill", [], fused, True)

    def test_where_records_are_changed_behind_the_buffer_it_holds_up_the_others(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                self.limited("buffer", ["enrich --label site=x"], fused, False)

    def test_a_limited_stream_survives_kills(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                _, url, path = self.target()
                self.post(f"{url}/limit?stream=hot")
                stages = [f"tail -f --checkpoint {self.spool} {self.pods}", f"buffer {self.spool}", f"push {url}"]
                for run in range(3):
                    chain = self.chain(stages, fused)
                    for i in range(6):
                        self.write("hot", run * 1200 + i * 200, 200, 4000)
                        self.write("calm", run * 60 + i * 10, 10)
                    kit.wait_for(lambda r=run: len(set(self.lines_of(path, "calm"))) == (r + 1) * 60, chain.errors)  # a kill may repeat
                    if run < 2:
                        chain.kill()
                self.post(f"{url}/limit?stream=")
                kit.wait_for(lambda: len(set(self.lines_of(path, "hot"))) == 3600, chain.errors)
                kit.wait_for(lambda: self.consumer("main")["behind_records"] == 0, chain.errors)
                chain.stop()
                hot = self.lines_of(path, "hot")
                self.assertEqual(list(dict.fromkeys(hot)), list(range(3600)))
                calm = self.lines_of(path, "calm")
                self.assertEqual(list(dict.fromkeys(calm)), list(range(180)))

    # ---- rejected records -----------------------------------------------------------------------------------------------------------

    def rejected(self):
        return [json.loads(line) for line in kit.weir("replay", self.spool, "--rejected", "-o", "jsonl", expect=(0, 1)).splitlines() if b'"line"' in line]

    def test_what_is_rejected_can_be_delivered_later(self):
        old = [{"timestamp": f"2020-01-01T00:00:{i:02d}Z", "line": f"old {i}", "labels": {"app": "x"}} for i in range(10)]
        new = [{"line": f"new {i}", "labels": {"app": "x"}} for i in range(10)]
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                (self.dir / "in").write_text("".join(json.dumps(r) + "\n" for r in old + new))
                self.spool.unlink(missing_ok=True)
                _, url, path = self.target(f"sink-{fused}")
                self.run_chain([f"buffer {self.spool}", f"push {url}"], fused, expect=(0, 3), stdin=self.dir / "in")
                self.assertEqual(len(self.entries(path)), 10)
                rejected = self.rejected()
                self.assertEqual([r["line"] for r in rejected], [f"old {i}" for i in range(10)])
                self.assertIn("timestamp too old", rejected[0]["rejected"]["reason"])
                self.assertEqual(self.status()["rejected"], 10)
                # Refused again: all stay. The odd ones are filtered away: they stay. With the present time the others leave.
                self.run_chain([f"replay {self.spool} --rejected", f"push {url}"], fused, expect=(0, 3))
                self.assertEqual(len(self.rejected()), 10)
                self.run_chain([f"replay {self.spool} --rejected --retime now", "filter '|~ \"[02468]$\"'", "enrich --label again=yes", f"push {url}"], fused)
                self.assertEqual([r["line"] for r in self.rejected()], [f"old {i}" for i in range(1, 10, 2)])
                again = [line for labels, line in self.entries(path) if "again" in labels]
                self.assertEqual(again, [f"old {i}" for i in range(0, 10, 2)])
                self.run_chain([f"replay {self.spool} --rejected --retime now", f"push {url}"], fused)
                self.assertEqual(self.rejected(), [])
                self.assertEqual(self.status()["rejected"], 0)
                self.assertEqual(len(self.entries(path)), 20)

    def test_rejected_records_beside_the_running_drain(self):
        _, url, path = self.target()
        chain = self.chain([f"tail -f --checkpoint {self.spool} {self.pods}", f"buffer {self.spool}", f"push {url} --max-line-size 100"], True)
        self.write("a", 0, 5)
        self.write("a", 5, 1, 400)
        kit.wait_for(lambda: self.spool.exists() and len(self.entries(path)) == 5 and len(self.rejected()) == 1, chain.errors)
        self.run_chain([f"replay {self.spool} --rejected", f"push {url}"], False)
        self.assertEqual(self.rejected(), [])
        self.assertEqual(self.lines_of(path, "a"), list(range(6)))
        chain.stop(expect=(0, 3, 143))

    def test_a_killed_second_delivery_repeats_what_was_on_the_way(self):
        """Of many rejected records, most of them in their blocks. push holds one request of 200; 1,000 records may wait for their commit."""
        total = 50_000
        text = "".join(json.dumps({"line": f"a {i}", "labels": {"app": f"x{i % 3}"}}) + "\n" for i in range(total))
        for fused, killed in ((False, 1), (False, 0), (True, 0)):
            with self.subTest(fused=fused, killed=killed):
                self.setUp()
                (self.dir / "in").write_text(text)
                sink, url, path = self.target(f"sink-{fused}-{killed}")
                self.spool = self.dir / f"spool-{fused}-{killed}.db"
                self.run_chain([f"buffer {self.spool}", f"push {url} --max-line-size 1"], True, expect=(3,), stdin=self.dir / "in")
                self.assertEqual(self.status()["rejected"], total)
                stages = [f"replay {self.spool} --rejected", f"push {url} --parallel 1 --batch-records 200"]
                chain = self.chain(stages, fused)
                kit.wait_for(lambda: kit.sink_stats(url)["entries"] >= 5000, chain.errors)
                sink.send_signal(signal.SIGSTOP)
                chain.kill(killed)
                if not fused and killed == 0:
                    sink.send_signal(signal.SIGCONT)
                chain.processes[-1].wait(kit.PATIENCE)
                sink.send_signal(signal.SIGCONT)
                chain.wait()
                left = self.status()["rejected"]
                self.assertLess(0, left, "it was killed too late")
                self.run_chain(stages, fused)
                lines = self.lines_of(path, "a")
                self.assertEqual(set(lines), set(range(total)))
                self.assertEqual(self.status()["rejected"], 0)
                # Where only replay was killed, push has come to its end.
                self.assertLessEqual(len(lines) - total, 0 if not fused and killed == 0 else 1500, chain.errors())

    def test_who_takes_nothing_holds_nobody_up(self):
        """No request is ever made: what does not match, and what is too old, is stored as such all the same, and a small spool does not fill up."""
        self.write("a", 0, 6000, 4000)
        old = "".join(json.dumps({"timestamp": "2020-01-01T00:00:00Z", "line": f"{i} {os.urandom(1500).hex()}", "labels": {"app": "x"}}) + "\n"
                      for i in range(8000))
        (self.dir / "old").write_text(old)
        _, url, path = self.target()
        for fused in (False, True):
            with self.subTest(fused=fused):
                for stages, stdin in (([f"tail {self.pods}", f"buffer {self.spool} --max-size 4MiB", f"push {url} --match '|= `none`'"], None),
                                      ([f"buffer {self.spool} --max-size 4MiB", f"push {url}"], self.dir / "old")):
                    for file in self.dir.glob("spool.db*"):
                        file.unlink()
                    self.run_chain(stages, fused, expect=(0, 3), stdin=stdin)
                    self.assertEqual(self.status()["undelivered"], 0)
                    self.assertLess(self.status()["file_bytes"] + self.status()["log_bytes"], 5 << 20)
        self.assertEqual(self.entries(path), [])

    # ---- trouble and ends -----------------------------------------------------------------------------------------------------------

    def push_lines(self, *args, count=10, timeout=None):
        """push of some records on standard input: exit code and standard error."""
        lines = "".join(json.dumps({"line": f"line {i}", "labels": {"app": "x"}}) + "\n" for i in range(count))
        done = subprocess.run([kit.WEIR, "push", *args], input=lines.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=kit.environment(),
                              check=False, timeout=timeout or kit.PATIENCE)
        return done.returncode, done.stderr.decode()

    def test_trouble_with_the_first_request_ends_a_one_shot_push(self):
        for status in (301, 401, 403, 404, 405):
            with self.subTest(status):
                _, url, path = self.target(f"sink-{status}")
                self.post(f"{url}/fail?status={status}&count=1000")
                code, errors = self.push_lines(url)
                self.assertEqual(code, 4, errors)
                self.assertIn(f": {status} ", errors)
                self.assertEqual(errors.count("cannot push to"), 1, errors)
                self.assertEqual(kit.sink_stats(url)["requests"], 1)

    def test_behind_a_spool_trouble_is_said_and_waited_out(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                _, url, path = self.target(f"sink-{fused}")
                self.post(f"{url}/fail?status=401&count=1")
                self.write("a", 0, 10)
                chain = self.chain([f"tail -f --checkpoint {self.spool} {self.pods}", f"buffer {self.spool}", f"push {url}"], fused)
                kit.wait_for(lambda: "401 Unauthorized" in chain.errors(), chain.errors)
                self.assertIn("name a tenant (--tenant, LOKI_ORG_ID) or credentials", chain.errors())
                kit.wait_for(lambda: len(self.entries(path)) == 10, chain.errors)
                chain.stop()

    def test_it_gives_up(self):
        code, errors = self.push_lines("http://127.0.0.1:1", "--give-up", "1s")
        self.assertEqual(code, 4, errors)
        self.assertIn("gave up after 1s: cannot reach http://127.0.0.1:1: Connection refused; not delivered: 10 records, the first of ", errors)

    def test_secrets_are_never_shown(self):
        (self.dir / "token").write_text("s3cret-token\n")
        _, url, _ = self.target()
        self.post(f"{url}/fail?status=401&count=1000")
        host = url.removeprefix("http://")
        for args in ([f"http://user:s3cret@{host}/?key=s3cret"], [url, "--bearer-token-file", str(self.dir / "token")],
                     [url, "--header", "X-Key: s3cret"], [url, "--username", "u", "--password", "s3cret"], ["http://u:s3cret@127.0.0.1:1", "--give-up", "1s"]):
            with self.subTest(args):
                code, errors = self.push_lines(*args)
                self.assertEqual(code, 4, errors)
                self.assertNotIn("s3cret", errors)
        kit.weir("run", "-c", f"tail {self.pods} | buffer {self.spool} --store", expect=1)  # of nothing
        code, errors = self.push_lines(f"http://user:s3cret@{host}?key=s3cret")
        self.assertNotIn(b"s3cret", b"".join(p.read_bytes() for p in self.dir.glob("spool.db*")))

    def stopped(self, *signals, spool=False):
        """A push whose Loki does not answer is sent these signals; exit code, standard error, seconds."""
        sink, url, path = self.target(f"sink-{time.monotonic_ns()}")
        errors = self.dir / f"errors-{time.monotonic_ns()}"
        if spool:
            self.write("a", 0, 10)
            kit.weir("run", "-c", f"tail {self.pods} | buffer {self.spool} --store")
            args, stdin = ["--spool", str(self.spool), url], subprocess.DEVNULL
        else:
            args, stdin = [url], subprocess.PIPE
        sink.send_signal(signal.SIGSTOP)
        process = self.push_into(errors, *args, stdin=stdin)
        if not spool:
            process.stdin.write(b'{"line":"x","labels":{"app":"x"}}\n')
            process.stdin.flush()
        # It is on its way once its bytes wait in the socket of the sink.
        port = int(url.rsplit(":", 1)[1])
        kit.wait_for(lambda: waiting_bytes(port) > 0, lambda: errors.read_text())
        start = time.monotonic()
        for number in signals:
            process.send_signal(number)
            kit.wait_for(lambda: process.poll() is not None or not pending_signals(process.pid), "the signal to be taken")
        code = process.wait(kit.PATIENCE)
        sink.send_signal(signal.SIGCONT)
        return code, errors.read_text(), time.monotonic() - start

    def test_a_second_signal_leaves_at_once_and_loses_nothing_that_is_tracked(self):
        code, errors, seconds = self.stopped(signal.SIGTERM, signal.SIGTERM)
        self.assertEqual(code, 143, errors)
        self.assertLess(seconds, 5)
        self.assertIn("stopped; not delivered: 1 record", errors)
        code, errors, seconds = self.stopped(signal.SIGINT, signal.SIGINT, spool=True)
        self.assertEqual(code, 130, errors)
        self.assertLess(seconds, 5)
        self.assertEqual(self.consumer("main")["behind_records"], 10)
        _, url, path = self.target("after")
        kit.weir("push", "--spool", self.spool, "--once", url)
        self.assertEqual(self.lines_of(path, "a"), list(range(10)))

    def test_one_signal_drains_what_is_on_its_way(self):
        """Loki takes its time; what was sent is acknowledged before push goes."""
        self.write("a", 0, 10)
        kit.weir("run", "-c", f"tail {self.pods} | buffer {self.spool} --store")
        sink, url, path = self.target()
        sink.send_signal(signal.SIGSTOP)
        process, errors = self.pusher(url)
        kit.wait_for(lambda: waiting_bytes(int(url.rsplit(":", 1)[1])) > 0, lambda: errors.read_text())
        process.send_signal(signal.SIGTERM)
        sink.send_signal(signal.SIGCONT)
        self.assertEqual(process.wait(kit.PATIENCE), 143, errors.read_text())
        self.assertEqual(self.lines_of(path, "a"), list(range(10)))
        self.assertEqual(self.consumer("main")["behind_records"], 0)


def pending_signals(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return any(int(line.split()[1], 16) for line in status if line.startswith(("SigPnd:", "ShdPnd:")))


def waiting_bytes(port):
    """Bytes that lie unread in sockets of this port."""
    total = 0
    with open("/proc/net/tcp", encoding="ascii") as table:
        for line in list(table)[1:]:
            fields = line.split()
            if int(fields[1].split(":")[1], 16) == port:
                total += int(fields[4].split(":")[1], 16)
    return total


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
