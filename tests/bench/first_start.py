"""The first start on a node with history: lines that Loki takes no more, fresh ones behind and beside them, and kills all the time."""
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import measure
import weir_kit as kit

PODS, RATE = 20, 4000
OLD = 9 * 24 * 3600         # seconds
KILL_EVERY, LIVES = 20, 3   # seconds; runs of the chain
WARM = 10                   # seconds until what is fresh has to keep up
MAX_SIZE = 64 << 20
FRESH = re.compile(rb'"timestamp":(\d+),"line":"fresh (\d+) ')


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1e9):09d}Z"


def history(tree, megabytes):
    """Logs of PODS pods, all of nine days ago. Their paths."""
    begin, files = time.time() - OLD, []
    text = "old line of a request that was answered with 200 after some milliseconds, and a little more to make it a usual one"
    for pod in range(PODS):
        folder = tree / f"shop_web-{pod}_{pod:08d}-2222-3333-4444-555555555555" / "main"
        folder.mkdir(parents=True)
        files.append(folder / "0.log")
        with open(files[-1], "w", encoding="ascii") as out:
            size, number = 0, 0
            while size < megabytes * 1e6 / PODS:
                block = "".join(f"{stamp(begin + (number + i) * 0.001)} stdout F {number + i} {text}\n" for i in range(1000))
                out.write(block)
                size, number = size + len(block), number + 1000
    return files


class Writer(threading.Thread):
    """Appends RATE lines a second, behind the history of half of the pods."""

    def __init__(self, files):
        super().__init__(daemon=True)
        self.logs = [open(f, "a", encoding="ascii") for f in files[: PODS // 2]]
        self.written, self.done = 0, threading.Event()

    def run(self):
        begin = time.monotonic()
        while not self.done.wait(0.05):
            due = int((time.monotonic() - begin) * RATE) - self.written
            for log in self.logs:
                lines = []
                for _ in range(due // len(self.logs)):
                    lines.append(f"{stamp(time.time())} stdout F fresh {self.written} {'x' * 100}\n")
                    self.written += 1
                log.write("".join(lines))
                log.flush()

    def end(self):
        self.done.set()
        self.join()
        for log in self.logs:
            log.close()


class Arrivals(threading.Thread):
    """Follows what the sink records: when each fresh line came first, and how late."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.seen, self.repeats, self.late, self.old = path, set(), 0, [], 0
        self.done = threading.Event()

    def run(self):
        rest = b""
        with open(self.path, "rb") as record:
            while True:
                ended = self.done.is_set()
                text = rest + record.read()
                now, (text, _, rest) = time.time(), text.rpartition(b"\n")
                for stamped, number in FRESH.findall(text):
                    self.repeats += int(number) in self.seen
                    if int(number) not in self.seen:
                        self.late.append((now, now - int(stamped) / 1e9))
                    self.seen.add(int(number))
                self.old += text.count(b'"line":"') - len(FRESH.findall(text))
                if ended and not text:
                    return
                if not text:
                    self.done.wait(0.05)

    def end(self):
        self.done.set()
        self.join()


def size_of(spool):
    return sum(os.path.getsize(spool + suffix) for suffix in ("", "-wal") if os.path.exists(spool + suffix))


def run(report, folder, megabytes, tail_options=""):
    title = f"First start: {megabytes:.0f} MB of lines nine days old, {RATE} fresh lines/s, SIGKILL every {KILL_EVERY} s"
    report.title(title + (f", tail {tail_options}" if tail_options else ""))
    root = pathlib.Path(folder) / "first_start"
    subprocess.run(["rm", "-rf", str(root)], check=True)
    root.mkdir(parents=True)
    files, spool, record = history(root / "pods", megabytes), str(root / "spool.db"), str(root / "record")
    pathlib.Path(record).touch()
    sink = subprocess.Popen([kit.SINK, "--record", record], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    url = sink.stdout.readline().decode().strip()
    text = f"tail -f {root / 'pods'} --checkpoint {spool} {tail_options} | enrich | buffer {spool} --max-size {MAX_SIZE // (1 << 20)}MiB | push {url}"
    writer, arrivals, memory, space, chain = Writer(files), Arrivals(record), 0, 0, None
    errors = open(root / "errors", "wb")
    arrivals.start()
    writer.start()
    begin, starts = time.time(), []
    try:
        for _ in range(LIVES):
            chain = subprocess.Popen([kit.WEIR, "run", "-c", text], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
                                     env=kit.environment())
            starts.append(time.time())
            end = time.monotonic() + KILL_EVERY
            while time.monotonic() < end:
                time.sleep(0.25)
                if chain.poll() is not None:
                    raise SystemExit(f"the chain ended with {chain.returncode}: see {root / 'errors'}")
                memory, space = max(memory, measure.pss(chain.pid)), max(space, size_of(spool))
            if len(starts) < LIVES:
                chain.send_signal(signal.SIGKILL)
                chain.wait()
        writer.end()
        last = time.time()
        wait_for = time.monotonic() + 300
        while len(arrivals.seen) < writer.written and time.monotonic() < wait_for:
            time.sleep(0.25)
            memory, space = max(memory, measure.pss(chain.pid)), max(space, size_of(spool))
        caught_up = time.time() - last
        chain.send_signal(signal.SIGTERM)
        chain.wait(60)
    finally:
        if chain is not None and chain.poll() is None:
            chain.kill()
        arrivals.end()
        sink.stdin.close()
        sink.wait()
    late = [delay for at, delay in arrivals.late if at > begin + WARM]
    report.figure("memory of the chain (PSS, the largest)", memory / 1e6, "MB", limit=30)
    report.figure("spool with its log, the largest", space / 2**20, "MiB", limit=MAX_SIZE / 2**20)
    report.figure(f"a fresh line arrives, from second {WARM} on, at the latest after", max(late, default=0), "s", limit=5)
    report.figure("half of them after", sorted(late)[len(late) // 2] if late else 0, "s")
    report.figure("fresh lines lost", writer.written - len(arrivals.seen), "", limit=0)
    report.figure("fresh lines that arrived twice, of 100", 100 * arrivals.repeats / max(1, writer.written), "", limit=3)
    report.figure("all had arrived after the end of writing, after", caught_up, "s")
    report.figure("old lines that were sent in vain", arrivals.old, "")
    subprocess.run(["rm", "-rf", str(root / "pods"), record], check=True)
