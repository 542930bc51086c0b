#!/usr/bin/env python3
"""A node taken over from a real Promtail that is stopped in good order with Loki up: no line is lost, none is in Loki twice."""
import collections
import os
import pathlib
import re
import signal
import sys
import threading
import time
import unittest

import loki_server
import weir_kit as kit

SECOND = 1_000_000_000
PODS = 4
RATE = 100  # lines a second and pod
CONFIG = """
server: {{disable: true}}
positions: {{filename: {dir}/positions.yaml}}
clients:
  - {{url: "{url}/loki/api/v1/push", batchwait: 200ms}}
scrape_configs:
  - job_name: pods
    pipeline_stages: [cri: {{}}]
    static_configs:
      - {{targets: [localhost], labels: {{job: pods, __path__: "{pods}/*/*/*.log"}}}}
"""
loki = None


def setUpModule():
    global loki
    if not os.environ.get("PROMTAIL_BIN"):
        print("SKIPPED: no Promtail to take over from (tests/run.sh --loki builds one; PROMTAIL_BIN names one)", file=sys.stderr)
        sys.exit(77)
    loki = loki_server.Loki()


def tearDownModule():
    loki.stop()


class Pod(threading.Thread):
    """Writes numbered lines until it is stopped. `quiet` is held by whoever wants it to write nothing for a moment."""

    def __init__(self, folder, run, number):
        super().__init__(daemon=True)
        self.name = f"{run}-{number}"
        self.log = folder / f"shop_web-{number}_0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f{number}" / "app" / "0.log"
        self.log.parent.mkdir(parents=True)
        self.file = open(self.log, "w", encoding="ascii")
        self.quiet = threading.Lock()
        self.stopped = threading.Event()
        self.written = 0    # lines
        self.partial = None  # of a line whose end has not come

    def write(self, tag, text):
        now = time.time_ns()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // SECOND))
        self.file.write(f"{stamp}.{now % SECOND:09}Z stdout {tag} {text}\n")
        self.file.flush()

    def run(self):
        while not self.stopped.wait(1 / RATE):
            with self.quiet:
                if self.partial is not None:
                    self.end_line()
                elif self.written % 10 == 7:
                    self.begin_line()
                else:
                    self.write("F", f"{self.name} line {self.written}")
                    self.written += 1

    def begin_line(self):
        self.partial = f"line {self.written}"
        self.write("P", f"{self.name} ")

    def end_line(self):
        self.write("F", self.partial)
        self.partial = None
        self.written += 1

    def rotate(self):
        """As the kubelet does: the file is renamed, and the runtime opens a new one."""
        with self.quiet:
            self.log.rename(self.log.with_name(time.strftime("0.log.%Y%m%d-%H%M%S")))
            self.file.close()
            self.file = open(self.log, "w", encoding="ascii")

    def stop(self):
        self.stopped.set()
        self.join()
        if self.partial is not None:
            self.end_line()
        self.file.close()


class TakeOver(kit.Case):
    def setUp(self):
        super().setUp()
        self.run_id = f"take{os.urandom(4).hex()}"
        self.begun = time.time_ns()
        self.folder = self.dir / "pods"
        self.pods = [Pod(self.folder, self.run_id, number) for number in range(PODS)]
        self.addCleanup(lambda: [pod.stop() for pod in self.pods if pod.is_alive()])
        for pod in self.pods:
            pod.start()

    def in_loki(self):
        """How often each line is in Loki."""
        entries = loki.entries(f'{{service_name=~".+"}} |= "{self.run_id}"', self.begun - SECOND, time.time_ns() + SECOND)
        return collections.Counter(line for _, _, line, _ in entries)

    def written(self):
        return collections.Counter(f"{pod.name} line {number}" for pod in self.pods for number in range(pod.written))

    def wait_for_lines(self, more):
        """Each pod writes so many lines."""
        goals = [(pod, pod.written + more) for pod in self.pods]
        kit.wait_for(lambda: all(pod.written >= goal for pod, goal in goals), "the pods write")

    def promtail(self):
        """Follows the pods until it has delivered what they wrote by then; the file with its positions.

        The pods are quiet while it ends. Otherwise what is written between the moment at which it notes a position and the one at
        which it stops reading is delivered, and not behind the position (Stop() in clients/pkg/promtail/targets/file/tailer.go):
        that would be twice in Loki, without a means to tell. One line of one pod is open then: Promtail has read its first part, and
        never delivers it.
        """
        config = self.dir / "promtail.yaml"
        config.write_text(CONFIG.format(dir=self.dir, url=loki.url, pods=self.folder))
        with open(self.dir / "promtail.log", "wb") as log:
            process = self.start(os.environ["PROMTAIL_BIN"], f"-config.file={config}", stdout=log, stderr=log)
        said = lambda: (self.dir / "promtail.log").read_text()[-3000:]
        kit.wait_for(lambda: sum(self.in_loki().values()) >= PODS * RATE or process.poll() is not None, said)
        self.assertIsNone(process.poll(), said())
        for pod in self.pods:
            pod.quiet.acquire()
        if self.pods[0].partial is None:
            self.pods[0].begin_line()
        kit.wait_for(lambda: self.in_loki() == self.written(), lambda: f"{sum((self.written() - self.in_loki()).values())} lines\n{said()}")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(60), 0, said())
        for pod in self.pods:
            pod.quiet.release()
        positions = self.dir / "positions.yaml"
        self.assertIn("0.log", positions.read_text())
        return positions

    def chain(self, positions, fused=True):
        spool = self.dir / "spool.db"
        checkpoint = "" if fused else f"--checkpoint {spool}"
        return super().chain([f"tail -f --positions {positions} {checkpoint} {self.folder}", f"buffer {spool}", f"push {loki.url}"], fused)

    def finish(self, chain):
        self.wait_for_lines(RATE)
        for pod in self.pods:
            pod.stop()
        all_lines = self.written()
        kit.wait_for(lambda: not all_lines - self.in_loki(), lambda: f"{sum((all_lines - self.in_loki()).values())} lines are lost\n{chain.errors()}")
        chain.stop()
        twice = self.in_loki() - all_lines
        self.assertFalse(twice, f"twice: {sum(twice.values())}, as {list(twice)[:5]}\n{chain.errors()}")
        print(f"{self.id()}: {sum(all_lines.values())} lines, 0 lost, 0 twice", file=sys.stderr)

    def rotate(self):
        self.wait_for_lines(RATE // 2)
        for pod in self.pods:
            pod.rotate()
        self.wait_for_lines(RATE // 2)

    def test_with_a_rotation_in_between(self):
        positions = self.promtail()
        self.rotate()
        self.finish(self.chain(positions))

    def test_as_a_pipe_and_without_a_rotation(self):
        self.finish(self.chain(self.promtail(), fused=False))

    def test_positions_of_alloy(self):
        """Alloy's file has the same offsets, by path and labels."""
        text = "positions:\n"
        for path, offset in re.findall(r'^  (?:\? )?(/\S+?)(?:\n  )?: "(\d+)"$', self.promtail().read_text(), re.M):
            text += f"  ? path: {path}\n    labels: '{{filename=\"{path}\", job=\"pods\"}}'\n  : \"{offset}\"\n"
        self.assertEqual(text.count("? path"), PODS, text)
        positions = self.dir / "positions.yml"
        positions.write_text(text)
        self.rotate()
        self.finish(self.chain(positions))

    def test_killed_while_it_takes_over(self):
        positions = self.promtail()
        self.rotate()
        chain = self.chain(positions)
        spool = pathlib.Path(self.dir / "spool.db")
        kit.wait_for(lambda: spool.exists() or not chain.running(), chain.errors)
        for _ in range(3):
            chain.kill()
            delivered = sum(self.in_loki().values())
            chain = self.chain(positions)
            kit.wait_for(lambda d=delivered: sum(self.in_loki().values()) > d, chain.errors)
        self.finish(chain)


if __name__ == "__main__":
    unittest.main()
