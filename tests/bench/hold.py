"""Held records: their size on disk, how soon one can read them, and what a release does to live delivery."""
import json
import os
import re
import statistics
import subprocess
import time

import measure
import proxy
import weir_kit as kit

PACE = 4000            # lines a second
PODS = 20
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")
HEAD = len("2026-01-01T00:00:00.000000000Z stdout F ") + 1  # what a container runtime writes beside the line, with the line feed
SETTLE, BEFORE = 8, 30  # seconds of live delivery without a release
RULE = 'hold | detected_level="debug"\n'


def moment(i, start, step):
    """The time of line `i`: lines come in order, but not in step, so that the digits of a time cost what they cost in real logs."""
    return start + i * step + ((i * i * 2654435761 >> 7) ^ i) % step


class Lines:
    """Debug lines of a tree in the order of their time, as JSON lines whose time is left open: again and again, each with a time of its own.

    A round is tens of megabytes long, so no block of a spool holds a line twice. `digits`: of a second, in times within lines.
    """

    def __init__(self, tree, labels=None, digits=9):
        text = f"tail {tree} | enrich --level | filter '| detected_level=\"debug\"'"
        done = subprocess.run([kit.WEIR, "run", "-c", text], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=kit.environment())
        rows = sorted(map(json.loads, done.stdout.splitlines()), key=lambda row: row["timestamp"])
        self.pieces, self.raw, self.pods, self.digits = [], [], [], digits
        for i, row in enumerate(rows):
            size = len(row["line"].encode("utf-8", "surrogatepass")) + HEAD
            row["timestamp"], (row["line"], times) = "\0", STAMP.subn("\0", row["line"])
            self.raw.append(size - times * (9 - digits))
            if labels:
                row["labels"] = labels[i % len(labels)]
            self.pods.append((row["labels"]["namespace"], row["labels"]["pod"]))
            begin, *rest = (json.dumps(row, separators=(",", ":")) + "\n").encode("utf-8", "surrogatepass").split(b"\\u0000")
            self.pieces.append((begin, rest))

    def raw_bytes(self, count):
        whole, rest = divmod(count, len(self.raw))
        return whole * sum(self.raw) + sum(self.raw[:rest])

    def of_pod(self, pod, first, last):
        """How many of the lines [first, last) are of the pod."""
        def until(n):
            whole, rest = divmod(n, len(self.pods))
            return whole * self.pods.count(pod) + self.pods[:rest].count(pod)
        return until(last) - until(first)

    def write(self, out, count, start, step, paced=False):
        """Lines from `start` on, one in each `step` nanoseconds; as fast as they go, or at the pace of live ones."""
        pieces, size, began, cut = self.pieces, len(self.pieces), time.monotonic(), 10**(9 - self.digits)
        chunk, inner = PACE // 20 if paced else PACE, b"%%0%ddZ" % self.digits
        for first in range(0, count, chunk):
            if paced:
                time.sleep(max(0.0, began + first / PACE - time.monotonic()))
            texts, second = [], None
            for i in range(first, min(count, first + chunk)):
                whole, rest = divmod(moment(i, start, step), 10**9)
                if whole != second:
                    second, head = whole, time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(whole)).encode()
                begin, others = pieces[i % size]
                texts += (begin, head, b"%09dZ" % rest, (head + inner % (rest // cut)).join(others))
            out.write(b"".join(texts))
            if paced:
                out.flush()


def store(lines, spool, rules, count, start, step, enrich="", paced=False):
    """Puts held lines into a new spool. What that cost."""
    remove(spool)
    rules.write_text(RULE)
    stages = [*([enrich] if enrich else []), f"filter --rules {rules}",
              f"buffer {spool} --store --min-free 0 --max-size 8GiB --hold 6h --hold-max 4GiB"]
    cost = measure.Cost("filter | buffer")
    with subprocess.Popen([kit.WEIR, "run", "-c", " | ".join(stages)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          env=kit.environment()) as process:
        sampler = measure.Sampler({process.pid: cost})
        lines.write(process.stdin, count, start, step, paced)
        process.stdin.close()
        said = process.stderr.read().decode(errors="replace")
        _, code, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(code)
        sampler.stop()
    if process.returncode:
        raise SystemExit(f"{' | '.join(stages)} ended with {process.returncode}: {said[-2000:]}")
    cost.cpu = usage.ru_utime + usage.ru_stime
    return cost


def remove(spool):
    for part in spool.parent.glob(spool.name + "*"):
        part.unlink()


def status(spool):
    return json.loads(kit.weir("spool", "status", spool, "-o", "json"))


def forget(spool):
    """Takes the spool out of the page cache, as it is long after the records were held."""
    for part in spool.parent.glob(spool.name + "*"):
        with open(part, "rb") as data:
            os.fsync(data.fileno())
            os.posix_fadvise(data.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def first_line(command):
    """Seconds until the first bytes come out."""
    begin = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=kit.environment()) as process:
        got = os.read(process.stdout.fileno(), 1)
        took = time.monotonic() - begin
        process.kill()
    if not got:
        raise SystemExit(f"{command} gave nothing")
    return took


def spool_size(spool):
    return sum(part.stat().st_size for part in spool.parent.glob(spool.name + "*"))


def size(report, lines, folder, seconds):
    """At the pace of live records, because what comes faster is packed faster, and larger. Blocks do not depend on each other, so an hour has
    the same ratio."""
    report.title(f"Held debug lines at {PACE:,} lines/s, {seconds:.0f} s, times within lines of {lines.digits} digits of a second")
    spool, step, count = folder / "held.db", 10**9 // PACE, int(seconds * PACE)
    raw = lines.raw_bytes(count)
    cost = store(lines, spool, folder / "hold.rules", count, time.time_ns(), step, paced=True)
    found = status(spool)
    report.check("all of them are held", found["held"] == count, f"{found['held']:,} in {found['blocks']} blocks, {raw / 1e6:.1f} MB of log")
    report.figure("filter | buffer, fused", cost.cpu / raw * 1e9, "CPU s/GB of log")
    report.figure("peak memory of it (PSS)", cost.pss / 1e6, "MB")
    report.figure("size of the spool for each byte of log", spool_size(spool) / raw, "", limit=0.15)
    report.figure("bytes of blocks for each byte of log", found["held_bytes"] / raw)
    remove(spool)


def replay(report, lines, folder, count):
    report.title(f"{count:,} held debug lines, as of {PACE:,} lines/s over {count / PACE / 60:.0f} minutes, as fast as they go")
    spool, step = folder / "held.db", 10**9 // PACE
    start = (time.time_ns() // 10**9) * 10**9 - count * step
    raw = lines.raw_bytes(count)
    cost = store(lines, spool, folder / "hold.rules", count, start, step)
    report.check("all of them are held", status(spool)["held"] == count, f"{status(spool)['held']:,}")
    report.figure("log lines", raw / 1e6, "MB")
    report.figure("filter | buffer, fused", cost.cpu / raw * 1e9, "CPU s/GB of log")
    report.figure("peak memory of it (PSS)", cost.pss / 1e6, "MB")
    report.figure("size of the spool for each byte of log, packed in haste", spool_size(spool) / raw)
    first, last = count // 3, 2 * count // 3  # of an hour, 20 minutes
    namespace, pod = lines.pods[0]
    command = [kit.WEIR, "replay", str(spool), "--held", "-o", "jsonl", "--from", stamp(start + first * step), "--to", stamp(start + last * step),
               f'{{namespace="{namespace}", pod="{pod}"}}']
    warm = [first_line(command) for _ in range(5)]
    cold = []
    for _ in range(5):
        forget(spool)
        cold.append(first_line(command))
    report.figure("replay --held of one app's 20 minutes, first line, median", statistics.median(warm) * 1e3, "ms", limit=200)
    report.figure("the same with a cold cache", statistics.median(cold) * 1e3, "ms", limit=200)
    out = folder / "held.jsonl"
    (cost,) = measure.run([command], ["replay"], stdout=out, env=kit.environment())
    with open(out, "rb") as text:
        got = sum(1 for line in text if b'"line":' in line)
    wanted = lines.of_pod((namespace, pod), first, last)
    report.check("replay gives all of that app", got == wanted, f"{got:,} of {wanted:,} in {cost.wall:.1f} s, {cost.cpu:.1f} CPU s")
    report.figure("peak memory of replay (PSS)", cost.pss / 1e6, "MB", limit=32)
    out.unlink()
    remove(spool)


def stamp(ns):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ns // 10**9)) + f".{ns % 10**9:09d}Z"


def streams_of(tree):
    """The labels that tail finds in a tree, each set once."""
    done = subprocess.run([kit.WEIR, "run", "-c", f"tail {tree}"], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=kit.environment())
    found = {json.dumps(json.loads(text)["labels"], sort_keys=True) for text in done.stdout.splitlines()}
    return [json.loads(text) for text in sorted(found)]


class Arrivals:
    """What a proxy saw stored: every entry with the time at which Loki had answered. A sink decodes the requests, in their order."""

    def __init__(self, journal, folder, run):
        record, self.rows = folder / "arrivals", []
        clock = time.time_ns() - time.monotonic_ns()
        pushes = [push for push in journal if push.body and push.stored and push.status == 204]
        counts = []
        with subprocess.Popen([kit.SINK, "--record", str(record)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as sink:
            url, before = sink.stdout.readline().decode().strip(), 0
            for push in pushes:
                kit.get(url + "/loki/api/v1/push", {"Content-Type": "application/x-protobuf"}, push.body)
                now = kit.sink_stats(url)["entries"]
                counts.append(now - before)
                before = now
            sink.stdin.close()
        mark, text = re.compile(rb'"timestamp":(\d+)'), run.encode()
        with open(record, "rb") as entries:
            for push, count in zip(pushes, counts):
                at = int(push.stored_at * 1e9) + clock
                for _ in range(count):
                    entry = next(entries)
                    if text in entry:
                        self.rows.append((int(mark.search(entry).group(1)), at, b"weir_release=" in entry))
        record.unlink()


def percentiles(delays):
    ordered = sorted(delays)
    return ordered[len(ordered) // 2] / 1e9, ordered[int(len(ordered) * 0.99)] / 1e9, ordered[-1] / 1e9


def release(report, tree, folder, megabytes, rate):
    import loki_server
    live, spool, rules = folder / "release", folder / "release.db", folder / "hold.rules"
    subprocess.run(["rm", "-rf", str(live)], check=True)
    pods = [kit.PODGEN, str(live), "--pods", str(PODS)]
    subprocess.run([*pods, "--rate", "2000", "--seconds", "0.2"], check=True, stdout=subprocess.DEVNULL)
    lines = Lines(tree, streams_of(live))
    count = int(megabytes * 1e6 / (sum(lines.raw) / len(lines.raw)))
    report.title(f"A release of {count:,} held lines, {lines.raw_bytes(count) / 1e6:.0f} MB of log, with --release-rate {rate}, "
                 f"while {PACE:,} live lines/s go into Loki")
    run = f"bench-release-{time.time_ns()}"
    # From 90 minutes to 5 minutes ago: what is older than an hour is beyond Loki's window of its stream.
    step = 85 * 60 * 10**9 // count
    start = (time.time_ns() // 10**9 - 90 * 60) * 10**9
    store(lines, spool, rules, count, start, step, f"enrich --label run={run}")
    rules.write_text('hold | detected_level="trace"\n')
    loki = loki_server.Loki()
    gate = proxy.Proxy(loki.url)
    stages = [f"tail -f --checkpoint {spool} {live}", f"enrich --level --label run={run}", f"filter --rules {rules}",
              f"buffer {spool} --min-free 0 --max-size 8GiB --hold 6h --hold-max 4GiB --release-rate {rate} --release-jitter 1ms",
              f"push {gate.url} --start-jitter 0s --drain-rate {rate}"]
    chain, writer = kit.Chain(stages, True, folder, detached=True), None
    cost = measure.Cost("weir run")
    sampler = measure.Sampler({chain.processes[0].pid: cost})
    try:
        kit.wait_for(lambda: any(p.stored for p in list(gate.journal)), chain.errors)
        begin = time.time_ns()
        writer = subprocess.Popen([*pods, "--rate", str(PACE), "--seconds", "7200"], stdout=subprocess.DEVNULL)
        time.sleep(SETTLE)
        calm = time.time_ns()
        time.sleep(BEFORE)
        quiet, cost.pss = cost.pss, 0
        asked, cpu = time.time_ns(), measure.cpu(chain.processes[0].pid)
        kit.weir("replay", spool, "--held", "--release", "--release-id", "bench", f'{{run="{run}"}}')

        def sent():
            (one,) = status(spool)["releases"]
            time.sleep(0.5)
            return one if not chain.running() or (one["state"] == "released" and one["sent"] + one["refused"] >= one["matched"]) else None
        one = kit.wait_for(sent, lambda: f"{status(spool)}\n{chain.errors()}", seconds=3600)
        ended, cpu = time.time_ns(), measure.cpu(chain.processes[0].pid) - cpu
        time.sleep(5)
        after = measure.pss(chain.processes[0].pid)
        writer.kill()
        writer.wait()
        written = sorted(ts for rows in kit.oracle(live).values() for ts, _ in rows)
        kit.wait_for(lambda: loki.counted(f'{{run="{run}"}}', 3 * 3600, time.time_ns()) >= count + len(written),
                     lambda: f"of {count + len(written):,} lines some are missing: {status(spool)}\n{chain.errors()}")
        chain.stop()
        sampler.stop()
        refusals = [push for push in gate.journal if push.status not in (0, 200, 204)]
        rows = Arrivals(gate.journal, folder, run).rows
        late = [row for row in rows if row[0] < start + count * step]
        now = [row for row in rows if row[0] >= start + count * step]
        report.check("the release says so", (one["matched"], one["released"], one["sent"], one["refused"]) == (count, count, count, 0), str(one))
        report.check("Loki refused no request", not refusals, "; ".join(f"{p.status} {p.answer}" for p in refusals[:3]))
        expected = [moment(i, start, step) for i in range(count)]
        report.check("each released line was delivered once", sorted(row[0] for row in late) == expected, f"{len(late):,} of {count:,}")
        old = sum(1 for row in late if row[2])
        report.figure("of these, in a stream of their own", old)
        report.check("each live line was delivered once", sorted(row[0] for row in now) == written, f"{len(now):,} of {len(written):,}")
        end = time.time_ns()
        total = loki.counted(f'{{run="{run}"}}', 3 * 3600, end)
        report.check("Loki counts as many", total == count + len(written), f"{total:,} of {count + len(written):,}")
        discarded = sum(float(text.split()[-1]) for text in kit.get(loki.url + "/metrics")[1].decode().splitlines()
                        if text.startswith("loki_discarded_samples_total"))
        report.check("Loki discarded nothing", discarded == 0, f"{discarded:.0f}")
        before = percentiles([at - ts for ts, at, _ in now if calm <= ts < asked])
        during = percentiles([at - ts for ts, at, _ in now if asked <= ts < ended])
        begun = min(at for ts, at, _ in late) - asked
        report.figure("from the request to the first released line in Loki", begun / 1e9, "s", limit=2)
        report.figure("the release took", (ended - asked) / 1e9, "s")
        for what, figures in (("before", before), ("during the release", during)):
            report.figure(f"live, written to stored, {what}: median", figures[0], "s")
            report.figure(f"live, written to stored, {what}: 99 %", figures[1], "s")
            report.figure(f"live, written to stored, {what}: worst", figures[2], "s")
        report.figure("live lines are late by more than before, worst against worst", during[2] - before[2], "s", limit=2)
        report.figure("CPU of the chain during the release", cpu / ((ended - asked) / 1e9) * 100, "% of a core")
        report.figure("peak memory of the chain before (PSS)", quiet / 1e6, "MB")
        report.figure("peak memory of the chain during the release (PSS)", cost.pss / 1e6, "MB")
        report.figure("memory of the chain 5 s after it (PSS)", after / 1e6, "MB")
    finally:
        chain.kill()
        if writer:
            writer.kill()
            writer.wait()
        gate.close()
        loki.stop()
    remove(spool)
    subprocess.run(["rm", "-rf", str(live)], check=True)


def run(report, tree, folder, seconds, count, megabytes, rates):
    if seconds:
        for digits in (9, 3):
            size(report, Lines(tree, digits=digits), folder, seconds)
    if count:
        replay(report, Lines(tree), folder, count)
    if not megabytes:
        return
    if not os.environ.get("LOKI_BIN") and not os.environ.get("LOKI_ADDR"):
        print("\nSKIPPED: a release into a real Loki (LOKI_BIN or LOKI_ADDR name one)")
        return
    for rate in rates:
        release(report, tree, folder, megabytes, rate)
