#!/usr/bin/env python3
"""The benchmarks: stages, whole chains, a durable buffer, a real Loki where there is one. See run.sh for the arguments."""
import argparse
import collections
import contextlib
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys
import time

import churn
import first_start
import hold
import kubernetes
import journal
import journal_kit
import live
import measure
import metrics
import multiline
import peers
import query
import serve
import report as reports
import rules
import weir_kit as kit

FILTER = "filter --drop '|= \"/healthz\"'"
ENRICH = "enrich --level"


def weir(stage):
    return [kit.WEIR, *shlex.split(stage)]


def name(stage):
    words = shlex.split(stage)
    return words[0] if len(words) < 2 else f"{words[0]} …"


def piped(stages, **kwargs):
    return measure.run([weir(s) for s in stages], [name(s) for s in stages], env=kit.environment(), **kwargs)


def fused(stages, **kwargs):
    (cost,) = measure.run([[kit.WEIR, "run", "-c", " | ".join(stages)]], ["weir run"], env=kit.environment(), **kwargs)
    return cost


@contextlib.contextmanager
def sink():
    with subprocess.Popen([kit.SINK], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process.stdout.readline().decode().strip()
        process.stdin.close()


def remove_spool(path):
    for part in pathlib.Path(path).parent.glob(pathlib.Path(path).name + "*"):
        part.unlink()


class Digest:
    """Order-free sum over (labels, time, line), and one over each log that also knows the order."""

    def __init__(self, lines):
        self.count, self.sum = 0, 0
        logs = collections.defaultdict(hashlib.blake2b)
        for text in lines:
            record = json.loads(text)
            if "line" not in record:
                continue
            labels = record["labels"]
            key = "\0".join(labels.get(k, "") for k in ("namespace", "pod", "container", "stream"))
            one = hashlib.blake2b(f"{key}\0{kit.nanoseconds(record['timestamp'])}\0{record['line']}".encode("utf-8", "surrogatepass"), digest_size=16)
            self.count += 1
            self.sum = (self.sum + int.from_bytes(one.digest(), "big")) % 2**128
            logs[key].update(one.digest())
        self.logs = {key: value.hexdigest() for key, value in logs.items()}


def digest(path):
    with open(path, "rb") as lines:
        return Digest(lines)


def command(*args):
    """The output of one weir command, streamed through a digest."""
    with subprocess.Popen([kit.WEIR, *args], stdout=subprocess.PIPE, env=kit.environment()) as process:
        return Digest(process.stdout)


def baselines(report, files, log_bytes, jsonl):
    report.title("The same input through other tools")
    json_bytes = jsonl.stat().st_size
    # Into a file: GNU grep stops at its first match when it writes to /dev/null.
    counted = jsonl.with_name("counted")
    (cost,) = measure.run([["cat", *files]], ["cat (log files)"])
    report.cost(cost, log_bytes)
    (cost,) = measure.run([["grep", "-c", "error", *files]], ["grep -c error (log files)"], stdout=counted)
    report.cost(cost, log_bytes)
    (cost,) = measure.run([["cat"]], ["cat (JSON lines)"], stdin=jsonl)
    report.cost(cost, json_bytes)
    (cost,) = measure.run([["grep", "-c", "error"]], ["grep -c error (JSON lines)"], stdin=jsonl, stdout=counted)
    counted.unlink()
    report.cost(cost, json_bytes)
    (jq,) = measure.run([["jq", "-c", "."]], ["jq -c . (JSON lines)"], stdin=jsonl)
    report.cost(jq, json_bytes)
    return jq


def stages(report, tree, log_bytes, jsonl, folder, jq):
    report.title("One stage at a time")
    json_bytes = jsonl.stat().st_size
    (cost,) = piped([f"tail {tree}"])
    report.cost(cost, log_bytes, "of log")
    memory = [cost]
    chosen = None
    for stage in (ENRICH, "enrich --label cluster=a", "filter '{namespace=~\".+\"}'", FILTER, "filter '|~ \"status=5[0-9]+\"'",
                  "filter '| json | status >= 500'"):
        (cost,) = measure.run([weir(stage)], [stage[:34]], stdin=jsonl, env=kit.environment())
        report.cost(cost, json_bytes, "of JSON lines")
        memory.append(cost)
        if stage.startswith("filter '{namespace"):
            chosen = cost
    spool = folder / "stage.db"
    remove_spool(spool)
    (cost,) = measure.run([weir(f"buffer {spool} --store")], ["buffer --store"], stdin=jsonl, env=kit.environment())
    report.cost(cost, json_bytes, "of JSON lines")
    memory.append(cost)
    (cost,) = measure.run([weir(f"buffer {spool}-2")], ["buffer, forwarding"], stdin=jsonl, env=kit.environment())
    remove_spool(f"{spool}-2")
    report.cost(cost, json_bytes, "of JSON lines")
    memory.append(cost)
    (cost,) = piped([f"replay {spool}"])
    report.cost(cost, json_bytes, "of JSON lines")
    memory.append(cost)
    (cost,) = piped([f"query --spool {spool} -o raw --from 2000-01-01 --limit 100000000 '{{namespace=\"payments\"}} |= \"error\"'"])
    report.cost(cost, json_bytes, "of JSON lines")
    with sink() as url:
        (push,) = measure.run([weir(f"push {url}")], ["push (no disk behind it)"], stdin=jsonl, env=kit.environment())
        report.cost(push, json_bytes, "of JSON lines")
    remove_spool(spool)
    report.figure("filter '{namespace=~\".+\"}' on JSON lines, CPU relative to jq -c .", chosen.cpu / jq.cpu, "times", limit=1 / 15)
    report.figure("peak memory of one stage (PSS)", max(c.pss for c in memory) / 1e6, "MB", limit=15)
    report.figure("peak memory of push (PSS)", push.pss / 1e6, "MB", limit=20)


def chains(report, tree, log_bytes):
    report.title("tail | enrich | filter | push into a sink that answers at once")
    with sink() as url:
        costs = piped([f"tail {tree}", ENRICH, FILTER, f"push {url}"])
        for cost in costs:
            report.cost(cost, log_bytes, "of log")
        whole = measure.total(costs)
        whole.name = "four processes"
        report.cost(whole, log_bytes, "of log")
        sent = kit.sink_stats(url)["entries"]
    with sink() as url:
        one = fused([f"tail {tree}", ENRICH, FILTER, f"push {url}"])
        report.cost(one, log_bytes, "of log")
        report.check("the sink got as many entries from both", kit.sink_stats(url)["entries"] == sent, f"{sent:,}")
    report.figure("four processes", whole.cpu / log_bytes * 1e9, "CPU s/GB of log", limit=20)
    report.figure("fused", one.cpu / log_bytes * 1e9, "CPU s/GB of log", limit=6)
    report.figure("peak memory of a stage in the pipe (PSS)", max(c.pss for c in costs[:-1]) / 1e6, "MB", limit=15)
    report.figure("peak memory of push in the pipe (PSS)", costs[-1].pss / 1e6, "MB", limit=20)
    report.figure("peak memory fused (PSS)", one.pss / 1e6, "MB", limit=40)


def same(report, tree, folder):
    report.title("Pipe and fused in front of push")
    paths = [folder / "pipe.jsonl", folder / "fused.jsonl"]
    piped([f"tail {tree}", ENRICH, FILTER], stdout=paths[0])
    fused([f"tail {tree}", ENRICH, FILTER], stdout=paths[1])
    a, b = map(digest, paths)
    report.check("the same records in the same order for each log", a.logs == b.logs, f"{a.count:,} and {b.count:,}")
    for path in paths:
        path.unlink()
    return a


def durable(report, tree, log_bytes, folder, seconds):
    report.title("Durable buffer: tail | enrich | filter | buffer --store, tracked")
    spool = folder / "durable.db"
    stages_ = [f"tail --checkpoint {spool} {tree}", ENRICH, FILTER]
    remove_spool(spool)
    costs = piped([*stages_, f"buffer {spool} --store"])
    for cost in costs:
        report.cost(cost, log_bytes, "of log")
    report.figure("bytes written for each byte of log, pipe", sum(c.written for c in costs) / log_bytes, "", limit=0.35)
    size = sum(p.stat().st_size for p in folder.glob("durable.db*"))
    report.figure("size of the spool for each byte of log", size / log_bytes)
    remove_spool(spool)
    cost = fused([*stages_, f"buffer {spool} --store"])
    report.cost(cost, log_bytes, "of log")
    report.figure("bytes written for each byte of log, fused", cost.written / log_bytes, "", limit=0.35)
    remove_spool(spool)
    limit = max(8, int(size / 4 / 2**20))
    cost = fused([*stages_, f"buffer {spool} --store --max-size {limit}MiB"])
    report.figure(f"bytes written for each byte of log, at its limit of {limit} MiB", cost.written / log_bytes, "", limit=0.30)
    remove_spool(spool)
    live.durable(report, tree, folder, seconds)


def tracked(report, tree, log_bytes, folder):
    """What positions cost: the chain of the README, and the same five processes that keep none."""
    report.title("Tracked and untracked: tail | enrich | filter | buffer | push, five processes")
    spool = folder / "tracked.db"
    best = {}
    for _ in range(3):  # in turn, and the least of each: another load on the machine only adds
        for kind, source in (("untracked", f"tail {tree}"), ("tracked", f"tail --checkpoint {spool} {tree}")):
            remove_spool(spool)
            with sink() as url:
                costs = piped([source, ENRICH, FILTER, f"buffer {spool}", f"push {url}"])
            if kind not in best or measure.total(costs).cpu < measure.total(best[kind]).cpu:
                best[kind] = costs
    remove_spool(spool)
    for cost in best["tracked"]:
        report.cost(cost, log_bytes, "of log")
    for kind, costs in best.items():
        whole = measure.total(costs)
        whole.name = f"five processes, {kind}"
        report.cost(whole, log_bytes, "of log")
    report.figure("five processes, tracked relative to untracked", measure.total(best["tracked"]).cpu / measure.total(best["untracked"]).cpu, "times",
                  limit=1.25)
    report.figure("peak memory of a stage in that pipe (PSS)", max(c.pss for c in best["tracked"][:-1]) / 1e6, "MB", limit=15)
    report.figure("peak memory of push in that pipe (PSS)", best["tracked"][-1].pss / 1e6, "MB", limit=20)


def can_spill():
    return "--spill" in subprocess.run([kit.WEIR, "buffer", "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout


def spill(report, tree, log_bytes, folder, seconds):
    if not can_spill():
        print("\nSKIPPED: buffer --spill, which this weir does not have")
        return
    report.title("buffer --spill while the target keeps up, tracked")
    spool = folder / "spill.db"
    remove_spool(spool)
    with sink() as url:
        costs = piped([f"tail --checkpoint {spool} {tree}", ENRICH, FILTER, f"buffer {spool} --spill", f"push {url}"])
        sent = kit.sink_stats(url)["entries"]
    report.figure("bytes written for each byte of log, pipe", sum(c.written for c in costs) / log_bytes, "", limit=0.01)
    remove_spool(spool)
    with sink() as url:
        cost = fused([f"tail --checkpoint {spool} {tree}", ENRICH, FILTER, f"buffer {spool} --spill", f"push {url}"])
        report.check("the sink got as many entries from both", kit.sink_stats(url)["entries"] == sent, f"{sent:,}")
    report.figure("bytes written for each byte of log, fused", cost.written / log_bytes, "", limit=0.01)
    remove_spool(spool)
    live.spill(report, folder, seconds)


def outage(report, folder, lines):
    """What an hour without Loki does to memory: by volume, since what matters is how much has to be kept."""
    report.title(f"An outage: {lines:,} lines into a target that refuses, fused (1 h at 4,000 lines/s is 14,400,000: --outage-lines)")
    tree, spool = folder / "outage", folder / "outage.db"
    subprocess.run(["rm", "-rf", str(tree)], check=True)
    remove_spool(spool)
    made = json.loads(subprocess.run([kit.PODGEN, str(tree), "--lines", str(lines), "--pods", "20"], check=True, stdout=subprocess.PIPE).stdout)
    stages_ = [f"tail -f --checkpoint {spool} {tree}", ENRICH, "filter '{namespace=~\".+\"}'", f"buffer {spool} --min-free 1%", "push http://127.0.0.1:9"]
    with subprocess.Popen([kit.WEIR, "run", "-c", " | ".join(stages_)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=kit.environment()) as process:
        cost = measure.Cost("weir run")
        sampler = measure.Sampler({process.pid: cost})

        def stored():
            if process.poll() is not None:
                raise SystemExit(f"the chain ended with {process.returncode}")
            status = subprocess.run([kit.WEIR, "spool", "status", spool, "-o", "json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False,
                                    env=kit.environment()).stdout
            return status and json.loads(status)["records"] >= made["lines"]

        try:
            kit.wait_for(stored, f"{made['lines']:,} records in the spool", seconds=3600)
            cost.cpu = measure.cpu(process.pid)
        finally:
            process.kill()
            sampler.stop()
    size = sum(p.stat().st_size for p in folder.glob("outage.db*"))
    report.figure("records kept", made["lines"])
    report.figure("size of the spool for each byte of log", size / made["bytes"])
    report.figure("peak memory fused (PSS)", cost.pss / 1e6, "MB", limit=40)
    remove_spool(spool)
    subprocess.run(["rm", "-rf", str(tree)], check=True)


def newest(files):
    """The newest timestamp of CRI log files, in nanoseconds: a tree may reach into the future."""
    found = 0
    for path in files:
        with open(path, "rb") as log:
            log.seek(max(0, os.path.getsize(path) - 65536))
            for line in log.read().splitlines()[1:]:
                with contextlib.suppress(AttributeError):  # the middle of a line
                    found = max(found, kit.nanoseconds(line.split(b" ", 1)[0].decode("ascii", "replace")))
    return found


def loki(report, tree, files, log_bytes, expected):
    import loki_server
    report.title("Into a real Loki and back")
    server = loki_server.Loki()
    try:
        for mode in ("pipe", "fused"):
            run = f"bench-{mode}-{int(time.time())}"
            stages_ = [f"tail {tree}", f"{ENRICH} --label run={run}", FILTER, f"push {server.url}"]
            costs = piped(stages_) if mode == "pipe" else [fused(stages_)]
            whole = measure.total(costs)
            whole.name = mode
            report.cost(whole, log_bytes, "of log")
            report.figure(f"{mode}", whole.cpu / log_bytes * 1e9, "CPU s/GB of log", limit=20 if mode == "pipe" else 6)
            end = max(time.time_ns(), newest(files)) // 10**9 + 1
            counted = server.counted(f'{{run="{run}"}}', 6 * 3600, end * 10**9)
            report.check(f"sum(count_over_time()) of {mode} is what was written less what was dropped", counted == expected.count,
                         f"{counted:,} of {expected.count:,}")
        selector = f'{{run="{run}"}}'
        args = ["query", "--addr", server.url, "-o", "jsonl", "--from", str(end - 6 * 3600), "--to", str(end), selector]
        read = command(*args)
        report.check("weir query gives every line back, none missing, none twice", (read.count, read.sum) == (expected.count, expected.sum),
                     f"{read.count:,} of {expected.count:,}")
        (cost,) = measure.run([[kit.WEIR, *args]], ["weir query of everything"], env=kit.environment())
        report.cost(cost, log_bytes, "of log")
        report.figure("peak memory of weir query (PSS)", cost.pss / 1e6, "MB", limit=30)
    finally:
        server.stop()


def memory_and_size(report, folder):
    report.title("Memory does not grow with the input")
    for mb in (16, 128):
        out = folder / f"pods-{mb}"
        subprocess.run([kit.PODGEN, str(out), "--mb", str(mb), "--pods", "20"], check=True, stdout=subprocess.DEVNULL)
        with sink() as url:
            costs = piped([f"tail {out}", ENRICH, FILTER, f"push {url}"])
            one = fused([f"tail {out}", ENRICH, FILTER, f"push {url}"])
        print(f"  {mb:4d} MB: " + ", ".join(f"{c.name} {c.pss / 1e6:.1f}" for c in [*costs, one]) + " MB PSS", flush=True)
        subprocess.run(["rm", "-rf", str(out)], check=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tree")
    parser.add_argument("--mb", type=float, default=256)
    parser.add_argument("--dir", default="build/bench")
    parser.add_argument("--only", default="stages,chains,same,rules,metrics,kubernetes,hold,query,serve,durable,tracked,spill,outage,memory,loki,live,churn,first-start,multiline,journal")
    parser.add_argument("--live-seconds", type=float, default=30)
    parser.add_argument("--churn-pods", type=int, default=40_000)
    parser.add_argument("--outage-lines", type=int, default=1_500_000)
    parser.add_argument("--first-start-mb", type=float, default=1000)
    parser.add_argument("--first-start-tail", default="", help="options of tail in that chain")
    parser.add_argument("--query-mb", type=float, default=1000, help="log lines of the spools that are read back")
    parser.add_argument("--runs", type=int, default=5, help="alternating runs of which the median counts (rules, peers)")
    parser.add_argument("--changes", type=int, default=100, help="changes of the rules, 600 ms apart")
    parser.add_argument("--hold-seconds", type=float, default=60, help="how long lines are held at the pace of live ones; 0: not")
    parser.add_argument("--hold-lines", type=int, default=14_400_000, help="lines of the spool of which replay reads; 0: none")
    parser.add_argument("--release-mb", type=float, default=500, help="log lines to release into a Loki; 0: none")
    parser.add_argument("--release-rates", default="0", help="of buffer, separated by commas; 0: no limit")
    a = parser.parse_args()
    folder = pathlib.Path(a.dir)
    folder.mkdir(parents=True, exist_ok=True)
    only, report = a.only.split(","), reports.Report()
    print(f"{os.cpu_count()} cores; {subprocess.run([kit.WEIR, '--version'], capture_output=True, text=True, check=False).stdout.strip()}")

    if set(only) - {"live", "query", "serve", "memory", "outage", "churn", "first-start", "multiline", "journal"}:
        tree = pathlib.Path(a.tree) if a.tree else folder / "pods"
        if not a.tree:
            subprocess.run(["rm", "-rf", str(tree)], check=True)
            subprocess.run([kit.PODGEN, str(tree), "--mb", str(a.mb), "--pods", "20"], check=True, stdout=subprocess.DEVNULL)
        files = sorted(str(p) for p in tree.rglob("*.log"))
        log_bytes = sum(os.path.getsize(f) for f in files)
        print(f"{log_bytes / 1e6:.0f} MB of log in {len(files)} files")
        measure.run([["cat", *files]])  # into the page cache
    if "stages" in only:
        jsonl = folder / "in.jsonl"
        piped([f"tail {tree}"], stdout=jsonl)
        jq = baselines(report, files, log_bytes, jsonl)
        stages(report, tree, log_bytes, jsonl, folder, jq)
        jsonl.unlink()
    if "chains" in only:
        chains(report, tree, log_bytes)
    if "rules" in only:
        rules.run(report, tree, folder, a.runs, a.changes * 0.6, a.changes)
    if "metrics" in only:
        metrics.run(report, tree, folder, a.runs, a.live_seconds / 3)
    if "kubernetes" in only:
        kubernetes.run(report, tree, folder, a.runs)
    if "peers" in only:
        peers.run(report, tree, files, newest(files), folder, a.live_seconds, a.runs)
    if "hold" in only:
        hold.run(report, tree, folder, a.hold_seconds, a.hold_lines, a.release_mb, a.release_rates.split(","))
    if "query" in only:
        query.run(report, folder, a.query_mb)
    if "serve" in only:
        serve.run(report, folder, a.query_mb)
    if "durable" in only:
        durable(report, tree, log_bytes, folder, a.live_seconds)
    if "tracked" in only:
        tracked(report, tree, log_bytes, folder)
    if "spill" in only:
        spill(report, tree, log_bytes, folder, a.live_seconds)
    if "outage" in only:
        outage(report, folder, a.outage_lines)
    if "same" in only or "loki" in only:
        expected = same(report, tree, folder)
    if "loki" in only:
        if os.environ.get("LOKI_BIN") or os.environ.get("LOKI_ADDR"):
            loki(report, tree, files, log_bytes, expected)
        else:
            print("\nSKIPPED: a real Loki (LOKI_BIN or LOKI_ADDR name one)")
    if "memory" in only:
        memory_and_size(report, folder)
    if "live" in only:
        live.run(report, folder, a.live_seconds)
    if "churn" in only:
        churn.run(report, folder, a.churn_pods)

    if "first-start" in only:
        first_start.run(report, folder, a.first_start_mb, a.first_start_tail)
    if "multiline" in only:
        multiline.run(report, folder, a.mb, a.runs)

    if "journal" in only:
        if journal_kit.there():
            journal.run(report, folder, int(a.mb))
        else:
            print(f"\nSKIPPED: the journal ({journal_kit.REMOTE} is not there)")

    if report.missed:
        print("\nMissed:")
        for line in report.missed:
            print(f"  {line}")
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
