#!/usr/bin/env python3
"""Stack traces as records: of CRI logs with two streams, over rotations and kills, as a pipe and fused; each trace once and whole."""
import collections
import pathlib
import random
import time
import unittest

import weir_kit as kit

JAVA = ["{} ERROR [http-1] shop.Orders - order {} failed", "java.lang.IllegalStateException: no stock",
        "\tat shop.Stock.take(Stock.java:12)", "\tat shop.Orders.pay(Orders.java:3)", "Caused by: java.io.IOException: broken pipe",
        "\t... 2 more"]


class Log:
    """A container that logs ordinary lines and traces to both streams, and whose file rotates."""

    def __init__(self, pods, seed=1):
        self.folder = pathlib.Path(pods) / "shop_web-0_uid" / "web"
        self.folder.mkdir(parents=True)
        self.live = self.folder / "0.log"
        self.dice = random.Random(seed)
        self.clock = time.time_ns()
        self.expected = collections.defaultdict(list)
        self.count = self.rotations = 0
        self.file = open(self.live, "ab", buffering=0)

    def put(self, stream, text):
        self.clock += 1000
        second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(self.clock // 10**9))
        return f"{second}.{self.clock % 10**9:09d}Z {stream} F {text}\n".encode()

    def write(self, count=1, cut=None):
        """`count` records, in blocks that end anywhere; `cut` is called between two blocks."""
        rows = []
        for _ in range(count):
            self.count += 1
            waiting = {"stdout": [], "stderr": []}
            for stream in waiting:
                kind = self.dice.random()
                lines = [f"INFO order {self.count} accepted"] if kind < 0.5 else [line.format(self.count, self.count) for line in JAVA]
                if stream == "stderr" and kind < 0.4:
                    continue
                waiting[stream] = list(lines)
                self.expected[stream].append("\n".join(lines))
            while any(waiting.values()):  # the streams are interleaved
                stream = self.dice.choice([s for s in waiting if waiting[s]])
                rows.append(self.put(stream, waiting[stream].pop(0)))
        data = b"".join(rows)
        while data:
            size = self.dice.randint(1, 700)
            self.file.write(data[:size])
            data = data[size:]
            if cut and self.dice.random() < 0.3:
                cut()
        return self

    def rotate(self):
        self.rotations += 1
        self.live.rename(self.live.with_name(f"0.log.20261130-{self.rotations:06d}"))
        self.file.close()
        self.file = open(self.live, "ab", buffering=0)


def by_stream(lines):
    found = collections.defaultdict(list)
    for record in kit.records(lines):
        found[record["labels"]["stream"]].append(record["line"])
    return found


class Once(kit.Case):
    def test_pipe_is_fused(self):
        log = Log(self.dir / "pods").write(400)
        outputs = [self.run_chain([f"tail --multiline java {self.dir}/pods", "enrich --label a=b"],
                                  fused) for fused in (False, True)]
        self.assert_same(*outputs)
        self.assertEqual(by_stream(outputs[0]), log.expected)

    def test_the_time_is_that_of_the_first_line(self):
        log = Log(self.dir / "pods").write(50)
        first = {}
        for text in log.live.read_bytes().splitlines():
            stamp, stream, _, line = text.decode().split(" ", 3)
            first.setdefault((stream, line), stamp)
        for record in kit.records(self.run_chain([f"tail --multiline java {self.dir}/pods"], False)):
            if "\n" in record["line"]:
                self.assertEqual(kit.nanoseconds(record["timestamp"]), kit.nanoseconds(first[record["labels"]["stream"], record["line"].split("\n")[0]]))

    def test_a_regular_expression(self):
        log = Log(self.dir / "pods").write(200)
        for fused in (False, True):
            lines = self.run_chain([f"tail --multiline '^(INFO|[0-9]+ ERROR) ' {self.dir}/pods", "enrich --label a=b"], fused)
            self.assertEqual(by_stream(lines), log.expected)

    def test_standard_input(self):
        text = self.dir / "text"
        text.write_text("INFO a\nERROR b\n\tat shop.A.a(A.java:1)\nINFO c\n")
        lines = self.run_chain(["tail --multiline java -"], False, stdin=text)
        self.assertEqual([record["line"] for record in kit.records(lines)], ["INFO a", "ERROR b\n\tat shop.A.a(A.java:1)", "INFO c"])

    def test_bounds(self):
        text = self.dir / "text"
        text.write_text("#\n" + "x\n" * 9)
        lines = self.run_chain(["tail --multiline '^#' --multiline-lines 4 -"], False, stdin=text)
        self.assertEqual([record["line"].count("\n") + 1 for record in kit.records(lines)], [4, 4, 2])
        lines = self.run_chain(["tail --multiline '^#' --multiline-size 64 -"], False, stdin=text)
        self.assertEqual([len(record["line"]) for record in kit.records(lines)], [19])


class Followed(kit.SinkCase):
    def test_the_last_trace_goes_out_after_its_time(self):
        def body(fused):
            log = Log(self.pods).write(3)
            chain = self.chain([f"tail -f --multiline java {self.pods}", "enrich --label a=b"], fused)
            kit.wait_for(lambda: by_stream(chain.output()) == log.expected, lambda: f"{by_stream(chain.output())} {chain.errors()}")
            log.clock += 2 * 10**9
            log.write(1)
            kit.wait_for(lambda: by_stream(chain.output()) == log.expected, lambda: f"{by_stream(chain.output())} {chain.errors()}")
            chain.stop()
        self.both(body)

    def test_kills_and_rotations(self):
        """Every kill is one of all processes at once; each trace arrives in the spool once, whole and in order."""
        def body(fused):
            log = Log(self.pods, seed=7 + fused)
            # Writers pause between two blocks, so that kills find open groups; a trace never takes as long as its wait.
            tail = f"tail -f --multiline java --multiline-wait 1h {self.pods}"
            stages = [tail + ("" if fused else f" --checkpoint {self.spool}"), f"buffer {self.spool}"]
            chain = self.chain(stages, fused)
            stored = lambda: by_stream(kit.weir("replay", self.spool, "-o", "jsonl", expect=None).splitlines())
            log.write(5)
            kit.wait_for(lambda: self.spool.exists() and stored(), lambda: chain.errors())  # from when the log has a position
            for kill in range(6):
                log.write(25)
                done = len(chain.output())
                log.write(25, cut=lambda: kit.poll(lambda: len(chain.output()) > done, 0.3))
                chain.kill()
                log.write(10)
                if kill % 2:
                    log.rotate()
                log.write(5)
                chain = self.chain(stages, fused)
            log.clock += 2 * 3600 * 10**9  # closes what is open
            for stream in ("stdout", "stderr"):
                log.file.write(log.put(stream, "INFO end"))
            want = {stream: len(lines) for stream, lines in log.expected.items()}
            kit.wait_for(lambda: (found := stored()) and all(len(found[s]) >= n for s, n in want.items()), lambda: f"{ {s: len(l) for s, l in stored().items()} } of {want} {chain.errors()}", 60)
            chain.stop((0, 143))
            found = stored()
            for stream, lines in log.expected.items():
                self.assertEqual(found[stream][:len(lines)], lines)
                self.assertLessEqual(len(found[stream]), len(lines) + 1)
        self.both(body)


if __name__ == "__main__":
    unittest.main()
