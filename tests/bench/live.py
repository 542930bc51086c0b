"""The mode in which weir spends its life: few lines a second, over many files, most of which nobody writes."""
import itertools
import pathlib
import shlex
import statistics
import subprocess
import threading
import time

import measure
import weir_kit as kit

RATE, PODS, IDLE = 2000, 50, 1000
SETTLE, IDLE_SECONDS = 4, 15  # seconds; what is measured here is time, so nothing else could be waited for


def start(command, **kwargs):
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, env=kit.environment(), **kwargs)


def pipe(stages):
    processes, source = [], subprocess.DEVNULL
    for i, stage in enumerate(stages):
        process = start([kit.WEIR, *shlex.split(stage)], stdin=source, stdout=subprocess.DEVNULL if i + 1 == len(stages) else subprocess.PIPE)
        if source is not subprocess.DEVNULL:
            source.close()
        source = process.stdout
        processes.append(process)
    return processes


class Group:
    """Processes that are measured together."""

    def __init__(self, processes):
        self.processes = processes

    def cpu(self):
        return sum(measure.cpu(p.pid) for p in self.processes)

    def pss(self):
        return sum(measure.pss(p.pid) for p in self.processes)

    def check(self):
        for p in self.processes:
            if p.poll() is not None:
                raise SystemExit(f"{p.args} ended with {p.returncode}")

    def end(self):
        for p in self.processes:
            p.kill()
            p.wait()


def over(groups, seconds):
    """CPU seconds of each group in the next `seconds`, as a share of one core."""
    before, begin = {n: g.cpu() for n, g in groups.items()}, time.monotonic()
    time.sleep(seconds)
    after, wall = {n: g.cpu() for n, g in groups.items()}, time.monotonic() - begin
    return {n: (after[n] - before[n]) / wall for n in groups}


def run(report, folder, seconds):
    report.title(f"Live: {RATE} lines/s one by one over {PODS} pods, beside {IDLE} files that nobody writes, {seconds:.0f} s")
    tree = pathlib.Path(folder) / "live"
    subprocess.run(["rm", "-rf", str(tree)], check=True)
    subprocess.run([kit.PODGEN, str(tree), "--rate", "1000", "--seconds", "0.05", "--pods", str(PODS), "--idle", str(IDLE)], check=True,
                   stdout=subprocess.DEVNULL)
    files = sorted(str(p) for p in tree.rglob("*.log"))
    servers = [subprocess.Popen([kit.SINK], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)]
    urls = [s.stdout.readline().decode().strip() for s in servers]
    stages = [f"tail -f {tree}", "enrich --level", "filter --drop '|= \"/healthz\"'"]
    groups = {}
    try:
        groups = {
            "tail -q -F": Group([start(["tail", "-q", "-n", "0", "-F", *files], stdout=subprocess.DEVNULL)]),
            "weir run": Group([start([kit.WEIR, "run", "-c", " | ".join([*stages, f"push {urls[0]}"])], stdout=subprocess.DEVNULL)]),
            "four processes": Group(pipe([*stages, f"push {urls[1]}"])),
        }
        time.sleep(SETTLE)
        for group in groups.values():
            group.check()
        idle = over(groups, IDLE_SECONDS)
        before = [kit.sink_stats(url)["entries"] for url in urls]
        requests = [kit.sink_stats(url)["requests"] for url in urls]
        # The same seed gives the same pods, so the lines go to files that are followed already.
        def write(seconds):
            return subprocess.Popen([kit.PODGEN, str(tree), "--rate", str(RATE), "--seconds", str(seconds), "--pods", str(PODS)],
                                    stdout=subprocess.DEVNULL)

        writer = write(seconds + 3)
        time.sleep(1)
        busy = over(groups, seconds)
        memory = {n: g.pss() for n, g in groups.items()}
        writer.wait()
        written = int(RATE * (seconds + 3))
        kit.wait_for(lambda: all(g.check() is None for g in groups.values()) and
                     kit.sink_stats(urls[0])["entries"] == kit.sink_stats(urls[1])["entries"] > before[0] + written * 0.8,
                     lambda: f"both chains to deliver: {[kit.sink_stats(u) for u in urls]}, before {before}")
        sent = [kit.sink_stats(url)["requests"] - n for url, n in zip(urls, requests)]
        latency = [lone_line(files[0], url) for url in urls for _ in range(5)]
        # Beside others the libraries are shared with them; on a node it is alone.
        for name in ("tail -q -F", "four processes"):
            groups.pop(name).end()
        writer = write(4)
        time.sleep(3)
        memory["alone"] = groups["weir run"].pss()
        writer.wait()
    finally:
        for group in groups.values():
            group.end()
        for server in servers:
            server.stdin.close()
            server.stdout.close()
            server.wait()
        subprocess.run(["rm", "-rf", str(tree)], check=True)

    base = busy["tail -q -F"]
    report.figure("tail -q -F on the same files", base * 100, "% of a core")
    report.figure("weir run", busy["weir run"] * 100, "% of a core")
    report.figure("four processes", busy["four processes"] * 100, "% of a core")
    report.figure("weir run relative to tail -q -F", busy["weir run"] / base, "times", limit=0.7)
    report.figure("four processes relative to tail -q -F", busy["four processes"] / base, "times", limit=3)
    report.figure("weir run idle", idle["weir run"] * 100, "% of a core", limit=0.3)
    report.figure("four processes idle", idle["four processes"] * 100, "% of a core")
    report.figure("memory of weir run alone (PSS)", memory["alone"] / 1e6, "MB", limit=20)
    report.figure("memory of weir run beside the others (PSS)", memory["weir run"] / 1e6, "MB")
    report.figure("memory of the four processes (PSS)", memory["four processes"] / 1e6, "MB")
    report.figure("requests a second, weir run", sent[0] / (seconds + 3))
    report.figure("requests a second, four processes", sent[1] / (seconds + 3))
    report.figure("a lone line, written to pushed, median", statistics.median(latency), "s")
    report.figure("a lone line, written to pushed, worst of ten", max(latency), "s", limit=1.5)


def spill(report, folder, seconds):
    """Bytes a second that a spool with --spill writes while its target keeps up."""
    tree, spool = pathlib.Path(folder) / "live", pathlib.Path(folder) / "live.db"
    subprocess.run(["rm", "-rf", str(tree)], check=True)
    for part in spool.parent.glob(spool.name + "*"):
        part.unlink()
    subprocess.run([kit.PODGEN, str(tree), "--rate", "1000", "--seconds", "0.05", "--pods", str(PODS)], check=True, stdout=subprocess.DEVNULL)
    with subprocess.Popen([kit.SINK], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        url = server.stdout.readline().decode().strip()
        stages = [f"tail -f --checkpoint {spool} {tree}", "enrich --level", f"buffer {spool} --spill", f"push {url}"]
        process = start([kit.WEIR, "run", "-c", " | ".join(stages)], stdout=subprocess.DEVNULL)
        try:
            time.sleep(SETTLE)
            writer = subprocess.Popen([kit.PODGEN, str(tree), "--rate", str(RATE), "--seconds", str(seconds + 2), "--pods", str(PODS)],
                                      stdout=subprocess.DEVNULL)
            time.sleep(1)
            before, begin = measure.written(process.pid), time.monotonic()
            time.sleep(seconds)
            rate = (measure.written(process.pid) - before) / (time.monotonic() - begin)
            writer.wait()
            if process.poll() is not None:
                raise SystemExit(f"the chain ended with {process.returncode}")
        finally:
            process.kill()
            process.wait()
            server.stdin.close()
    report.figure(f"live at {RATE} lines/s, written", rate / 1e3, "KB/s", limit=8)
    for part in spool.parent.glob(spool.name + "*"):
        part.unlink()
    subprocess.run(["rm", "-rf", str(tree)], check=True)


class Feeder(threading.Thread):
    """Writes lines of a tree's logs as pods do: in turn, with the time of now."""

    def __init__(self, source, out):
        super().__init__(daemon=True)
        files = sorted(source.rglob("*.log"))
        self.stopped = threading.Event()
        self.lines, self.logs = [], []
        for i in range(PODS):
            with open(files[i % len(files)], "rb") as log:
                lines = list(itertools.islice(log, 2000 * (i // len(files)), None))
            self.lines.append(itertools.cycle(line[line.index(b" "):] for line in lines[:4000]))
            folder = out / f"shop_app-{i:02d}_{i:08x}-0000-4000-8000-000000000000" / "main"
            folder.mkdir(parents=True)
            self.logs.append(open(folder / "0.log", "ab", buffering=0))

    def run(self):
        begin, count = time.monotonic(), 0
        while not self.stopped.wait(0.005):
            for _ in range(int((time.monotonic() - begin) * RATE) - count):
                pod, now = count * 37 % PODS, time.time_ns()
                stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 10**9)) + f".{now % 10**9:09d}Z"
                self.logs[pod].write(stamp.encode() + next(self.lines[pod]))
                count += 1

    def written(self):
        return sum(log.tell() for log in self.logs)

    def stop(self):
        self.stopped.set()
        self.join()
        for log in self.logs:
            log.close()


def durable(report, tree, folder, seconds):
    """Bytes that a durable spool writes for each byte of log, live, while each block evicts an older one."""
    pods, spool, limit = folder / "live", folder / "live.db", "--min-free 0 --max-size 8MiB"
    subprocess.run(["rm", "-rf", str(pods)], check=True)
    feeder = Feeder(tree, pods)
    with subprocess.Popen([kit.SINK], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        url = server.stdout.readline().decode().strip()
        subprocess.run([kit.WEIR, "run", "-c", f"tail {tree} | enrich --level | buffer {spool} {limit} | push {url}"], check=True,
                       env=kit.environment(), stderr=subprocess.DEVNULL)
        stages = [f"tail -f --checkpoint {spool} {pods}", "enrich --level", f"buffer {spool} {limit}", f"push {url}"]
        process = start([kit.WEIR, "run", "-c", " | ".join(stages)], stdout=subprocess.DEVNULL)
        try:
            feeder.start()
            time.sleep(5)
            before, log, begin = measure.written(process.pid), feeder.written(), time.monotonic()
            time.sleep(max(seconds, 60))  # several turns of the write-ahead log
            written, log = measure.written(process.pid) - before, feeder.written() - log
            if process.poll() is not None:
                raise SystemExit(f"the chain ended with {process.returncode}")
        finally:
            feeder.stop()
            process.kill()
            process.wait()
            server.stdin.close()
    report.figure(f"bytes written for each byte of log, live at {log / (time.monotonic() - begin) / 1e3:.0f} KB/s, at its limit", written / log, "",
                  limit=0.30)
    for part in spool.parent.glob(spool.name + "*"):
        part.unlink()
    subprocess.run(["rm", "-rf", str(pods)], check=True)


def lone_line(path, url):
    """Seconds from the write of one line to the arrival of its request."""
    before = kit.sink_stats(url)["entries"]
    now = time.time_ns()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 10**9)) + f".{now % 10**9:09d}Z"
    with open(path, "ab", buffering=0) as log:
        log.write(f"{stamp} stdout F a lone line\n".encode())
    written = time.time_ns()
    kit.wait_for(lambda: kit.sink_stats(url)["entries"] > before, "a lone line")
    return max(0, kit.sink_stats(url)["last_arrival_ns"] - written) / 1e9
