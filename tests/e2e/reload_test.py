#!/usr/bin/env python3
"""`weir run FILE` reads FILE again on SIGHUP: pipelines are replaced while logs are written, and nothing is lost or comes twice."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time
import unittest

import fake_kube
import proxy
import weir_kit as kit


class ReloadCase(kit.Case):
    def setUp(self):
        super().setUp()
        self.file = self.dir / "pipelines.weir"
        self.errors = self.dir / "err"
        self.logs = {}
        for name in ("a", "b"):
            folder = self.dir / name / f"ns_{name}_uid" / "main"
            folder.mkdir(parents=True)
            self.logs[name] = folder / "0.log"

    def pipeline(self, name, *stages):
        spool = self.dir / f"{name}.db"
        return " | ".join([f"tail -f --checkpoint {spool} {self.dir / name}", *stages, f"buffer {spool} --store"])

    def run_file(self, *pipelines, creates="a.db"):
        self.file.write_text("\n".join(pipelines) + "\n")
        with open(self.errors, "wb") as errors:
            # In a session of its own: on a terminal SIGHUP would end it.
            self.process = self.start(kit.WEIR, "run", str(self.file), stderr=errors, stdin=subprocess.DEVNULL, env=kit.environment(),
                                      start_new_session=True)
        # Before it handles signals, SIGHUP would end it.
        kit.wait_for(lambda: (self.dir / creates).exists(), self.errors.read_text)

    def said(self, text):
        return self.errors.read_text().count(text)

    def reload(self, *pipelines):
        before = self.said("read the pipelines again")
        self.file.write_text("\n".join(pipelines) + "\n")
        self.process.send_signal(signal.SIGHUP)
        kit.wait_for(lambda: self.said("read the pipelines again") > before, self.errors.read_text)

    def write(self, name, numbers, pause=0.0):
        for number in numbers:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
            with open(self.logs[name], "a", encoding="ascii") as log:
                log.write(f"{stamp}.{number:09d}Z stdout F {name} {number}\n")
            time.sleep(pause)

    def stored(self, name):
        spool = self.dir / f"{name}.db"
        if not spool.exists():
            return []
        return [json.loads(text)["line"] for text in kit.weir("replay", spool, "-o", "jsonl", expect=(0, 1, 4)).splitlines()]

    def wait_for_lines(self, name, lines):
        kit.wait_for(lambda: len(self.stored(name)) >= len(lines), lambda: f"{len(self.stored(name))} lines of {name}\n{self.errors.read_text()}")
        self.assertEqual(self.stored(name), lines)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.process.wait(kit.PATIENCE), 143, self.errors.read_text())


class Reload(ReloadCase):
    def test_replaced_while_lines_are_written(self):
        count = 400
        texts = [[self.pipeline("a", f"filter --drop '|= \"never {i}\"'"), self.pipeline("b")] for i in range(4)]
        self.run_file(*texts[0])
        writers = [threading.Thread(target=self.write, args=(name, range(count), 0.005)) for name in ("a", "b")]
        for writer in writers:
            writer.start()
        for text in texts[1:]:
            self.reload(*text)
            kit.wait_for(lambda: self.said("0 new, 0 ended") >= 1, self.errors.read_text)
        for writer in writers:
            writer.join()
        for name in ("a", "b"):
            self.wait_for_lines(name, [f"{name} {i}" for i in range(count)])
        self.stop()
        for name in ("a", "b"):
            self.assertEqual(self.stored(name), [f"{name} {i}" for i in range(count)])

    def test_two_change_again_and_again(self):
        count = 300
        text = lambda i, *names: [self.pipeline(name, f"enrich --label round={i}") for name in names]
        self.run_file(*text(0, "a", "b"))
        writers = [threading.Thread(target=self.write, args=(name, range(count), 0.005)) for name in ("a", "b")]
        for writer in writers:
            writer.start()
        for i in range(1, 8):
            # Their places in the file change, too.
            self.reload(*text(i, *(("a", "b") if i % 2 else ("b", "a"))))
        for writer in writers:
            writer.join()
        for name in ("a", "b"):
            self.wait_for_lines(name, [f"{name} {i}" for i in range(count)])
        self.assertNotIn("cannot", self.errors.read_text())
        self.stop()

    def test_two_pipelines_do_not_share_a_spool(self):
        self.file.write_text("\n".join([self.pipeline("a"), self.pipeline("a")]))
        done = subprocess.run([kit.WEIR, "run", "--check", str(self.file)], stderr=subprocess.PIPE, env=kit.environment(), check=False)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn(b"a second pipeline keeps its positions in", done.stderr)

    def test_the_rule_of_the_new_text_holds_for_what_comes_then(self):
        self.run_file(self.pipeline("a"))
        self.write("a", range(3))
        self.wait_for_lines("a", [f"a {i}" for i in range(3)])
        self.reload(self.pipeline("a", "filter --drop '|= \"a 4\"'"), self.pipeline("b"))
        self.write("a", range(3, 6))
        self.write("b", range(2))
        self.wait_for_lines("a", ["a 0", "a 1", "a 2", "a 3", "a 5"])
        self.wait_for_lines("b", ["b 0", "b 1"])
        self.reload(self.pipeline("b"))
        # What ended let go of its spool: another process can take it.
        kit.wait_for(lambda: not (self.dir / "a.db-lock").exists() or self.can_lock("a"), "the lock of a.db")
        self.stop()

    def can_lock(self, name):
        done = subprocess.run([kit.WEIR, "buffer", str(self.dir / f"{name}.db"), "--store", "--wait", "0s"], stdin=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, env=kit.environment(), check=False)
        return done.returncode == 0

    def test_a_signal_that_comes_before_the_first_pipeline_runs_is_remembered(self):
        self.file.write_text(self.pipeline("a") + "\n")
        with open(self.errors, "wb") as errors:
            # The signal waits from before the start: weir takes it when it can remember it.
            self.process = self.start(kit.WEIR, "run", str(self.file), stderr=errors, stdin=subprocess.DEVNULL, env=kit.environment(),
                                      start_new_session=True, preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP}))
        self.process.send_signal(signal.SIGHUP)
        kit.wait_for(lambda: self.said("read the pipelines again: 1 unchanged"), self.errors.read_text)
        self.write("a", range(2))
        self.wait_for_lines("a", ["a 0", "a 1"])
        self.stop()

    def test_a_mistake_changes_nothing(self):
        self.run_file(self.pipeline("a"))
        self.write("a", range(2))
        self.wait_for_lines("a", ["a 0", "a 1"])
        self.file.write_text("tail -f | filtre x\n")
        self.process.send_signal(signal.SIGHUP)
        kit.wait_for(lambda: self.said("the pipelines run on as they were"), self.errors.read_text)
        self.write("a", range(2, 4))
        self.wait_for_lines("a", [f"a {i}" for i in range(4)])
        self.stop()

class Pods(ReloadCase):
    """A pipeline that asks the API server for pods, of which one does not want its logs collected."""

    def setUp(self):
        super().setUp()
        self.kube = fake_kube.FakeKube()
        self.addCleanup(self.kube.close)
        self.kube.put(fake_kube.pod("uid", "ns", "a", {"app": "wanted"}))
        self.kube.put(fake_kube.pod("secret", "ns", "a", None, {"weir.io/exclude": "true"}))
        folder = self.dir / "a" / "ns_a_secret" / "main"
        folder.mkdir(parents=True)
        self.logs["secret"] = folder / "0.log"

    def held(self):
        """Threads and sockets of the process."""
        process = pathlib.Path(f"/proc/{self.process.pid}")
        sockets = 0
        for fd in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                sockets += os.readlink(fd).startswith("socket:")
        return len(list((process / "task").iterdir())), sockets

    def text(self, number):
        enrich = f"enrich --kubernetes api --kube-server {self.kube.url} --node-name n"
        return self.pipeline("a", enrich, f"filter --drop '|= \"never {number}\"'")

    def test_replaced_while_a_pod_is_left_out(self):
        count = 500
        self.run_file(self.text(0))
        self.write("a", range(1))
        self.wait_for_lines("a", ["a 0"])
        held = []

        def settled():
            held.append(self.held())
            return len(held) > 20 and len(set(held[-20:])) == 1
        kit.wait_for(settled, lambda: str(held))
        before = held[-1]
        self.assertGreaterEqual(before[1], 1)
        writers = [threading.Thread(target=self.write, args=("a", range(1, count), 0.005)),
                   threading.Thread(target=self.write, args=("secret", range(count), 0.005))]
        for writer in writers:
            writer.start()
        for number in range(1, 5):
            watches = self.kube.watches
            self.reload(self.text(number))
            kit.wait_for(lambda: self.kube.watches > watches, self.errors.read_text)
        for writer in writers:
            writer.join()
        self.wait_for_lines("a", [f"a {i}" for i in range(count)])
        kit.wait_for(lambda: self.held() == before, lambda: f"{self.held()}, and it was {before}")
        records = [json.loads(text) for text in kit.weir("replay", self.dir / "a.db", "-o", "jsonl").splitlines()]
        self.assertEqual({record["labels"].get("app") for record in records}, {"wanted"})
        self.stop()


class DeletedFiles(ReloadCase):
    """Loki hangs, files lose their names before they are read, and the pipeline is replaced: each line comes once, without a gap."""

    def setUp(self):
        super().setUp()
        self.record = self.dir / "sink"
        self.gate = proxy.Proxy(self.sink(self.record), keep_bodies=False)
        self.addCleanup(self.gate.close)
        self.folder = self.logs["a"].parent
        self.count = 0

    def add(self, count):
        """Lines to the live log, which exists from then on."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        numbers = range(self.count, self.count + count)
        with open(self.logs["a"], "a", encoding="ascii") as log:
            log.write("".join(f"{stamp}.{number:09d}Z stdout F {number:07d} {'x' * 200}\n" for number in numbers))
        self.count += count
        kit.wait_for(lambda: str(self.logs["a"]) in self.descriptors(), self.errors.read_text)

    def descriptors(self):
        found = []
        for fd in (pathlib.Path("/proc") / str(self.process.pid) / "fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                found.append(os.readlink(fd))
        return found

    def deleted(self):
        return [path for path in self.descriptors() if path.endswith(" (deleted)") and ".log" in path]

    def pushed(self):
        return [row for rows in (kit.sink_records(self.record).values() if self.record.exists() else ()) for row in rows]

    def start_blocked(self, end):
        self.text = lambda i: f"tail -f {self.dir / 'a'} | enrich --label round={i} | {end.format(url=self.gate.url, dir=self.dir)}"
        self.run_file(self.text(1), creates="kept")
        self.add(10)
        kit.wait_for(lambda: len(self.pushed()) == 10, self.errors.read_text)
        self.gate.set("hang")

    def wait_until_blocked(self):
        """Nothing more is read, so that a log that comes now has no reader yet."""
        seen = {"bytes": 0, "since": 0.0}

        def still():
            read = int(pathlib.Path(f"/proc/{self.process.pid}/io").read_text().split()[1])
            if read != seen["bytes"]:
                seen.update(bytes=read, since=time.monotonic())
            return time.monotonic() - seen["since"] > 2

        kit.wait_for(still, self.errors.read_text)

    def replace_and_check(self, outlasts=False):
        """`outlasts`: the old pipeline has to end before it can deliver anything."""
        self.assertTrue(self.deleted())
        self.reload(self.text(2))
        if outlasts:
            kit.wait_for(lambda: self.said("stopped before Loki had acknowledged"), self.errors.read_text)
        self.gate.set("up")
        kit.wait_for(lambda: len(self.pushed()) >= self.count, lambda: f"{len(self.pushed())} of {self.count} lines\n{self.errors.read_text()}")
        kit.wait_for(lambda: not self.deleted(), lambda: f"{self.deleted()}\n{self.errors.read_text()}")
        self.stop()
        rows = self.pushed()
        self.assertEqual([row for row in rows if "weir_gap_bytes" in dict(row[3])], [], self.errors.read_text())
        self.assertEqual(sorted(int(row[1].split()[0]) for row in rows), list(range(self.count)))
        self.assertIn("2", {dict(row[2])["round"] for row in rows})

    def test_a_pod_is_deleted(self):
        self.start_blocked("push {url} --checkpoint {dir}/kept")
        self.add(150_000)
        shutil.rmtree(self.folder.parent)
        self.replace_and_check()

    def test_a_log_is_rotated_and_its_oldest_files_are_deleted(self):
        self.start_blocked("push {url} --checkpoint {dir}/kept")
        for i in range(4):
            self.add(60_000)
            self.logs["a"].rename(self.folder / f"0.log.2026010{i}-000000")
            self.add(10)
            if i > 0:
                (self.folder / f"0.log.2026010{i - 1}-000000").unlink()
        self.replace_and_check()

    def test_nothing_of_a_log_was_safe(self):
        self.start_blocked("push {url} --checkpoint {dir}/kept")
        self.add(100_000)  # blocks the chain, so that nobody reads the second log
        self.wait_until_blocked()
        self.logs["a"] = self.folder / "1.log"
        self.add(1000)
        self.logs["a"].rename(self.folder / "1.log.20260101-000000")
        self.add(1000)
        shutil.rmtree(self.folder.parent)
        self.replace_and_check()

    def test_rotated_files_that_were_read_are_deleted(self):
        self.start_blocked("push {url} --checkpoint {dir}/kept")
        for i in range(3):
            self.add(1000)  # all of it is in flight
            self.logs["a"].rename(self.folder / f"0.log.2026010{i}-000000")
            self.add(10)
        self.wait_until_blocked()
        for i in range(3):
            (self.folder / f"0.log.2026010{i}-000000").unlink()
        self.replace_and_check(outlasts=True)

    def test_a_pod_that_was_read_is_deleted(self):
        self.start_blocked("push {url} --checkpoint {dir}/kept")
        self.add(1000)
        self.wait_until_blocked()
        shutil.rmtree(self.folder.parent)
        self.wait_until_blocked()  # its log has ended
        self.replace_and_check(outlasts=True)

    def test_what_is_done_with_is_closed_and_not_read_again(self):
        self.start_blocked("push {url} --checkpoint {dir}/kept")
        self.add(1000)
        shutil.rmtree(self.folder.parent)
        self.wait_until_blocked()
        self.assertTrue(self.deleted())
        self.gate.set("up")
        kit.wait_for(lambda: not self.deleted(), self.errors.read_text)
        self.reload(self.text(2))
        self.stop()
        self.assertEqual(sorted(int(row[1].split()[0]) for row in self.pushed()), list(range(self.count)), self.errors.read_text())

    def test_a_full_spool_blocks(self):
        self.start_blocked("buffer {dir}/kept --max-size 8MiB --on-full block | push {url}")
        self.add(150_000)
        shutil.rmtree(self.folder.parent)
        self.replace_and_check()


if __name__ == "__main__":
    unittest.main()
