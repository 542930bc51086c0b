"""What reading a spool back costs: exports, searches and metric queries, over logs that were read one after another and over live ones."""
import os
import shlex
import shutil
import subprocess
import time

import measure
import weir_kit as kit

DAY = 86400  # seconds of log in the spools: a node that writes one GB a day
OVERLAP = 64e6  # bytes of memory, where blocks overlap
USUAL = 32e6


def weir(text):
    return [kit.WEIR, *shlex.split(text)]


def make_spools(folder, megabytes):
    """Two spools with the same lines: read one log after the other, and as they came in live, packed well."""
    tree, pods, apart, live = (folder / name for name in ("query-pods", "query-pods-there", "query-apart.db", "query-live.db"))
    for path in (apart, live):
        for end in ("", "-wal", "-shm", "-lock", "-status"):
            path.with_name(path.name + end).unlink(missing_ok=True)
    for path in (tree, pods):
        shutil.rmtree(path, ignore_errors=True)
    subprocess.run([kit.PODGEN, str(tree), "--mb", str(megabytes), "--pods", "20", "--span", str(DAY)], check=True, stdout=subprocess.DEVNULL)
    raw = sum(path.stat().st_size for path in tree.rglob("*.log"))
    # A tail that finds all of them reads the oldest lines first, so that blocks hardly overlap.
    chain = f"tail {pods} | enrich --level | buffer {apart} --store --max-size 1TiB --retain 1000000h"
    pods.mkdir()
    for pod in sorted(tree.iterdir()):
        pod.rename(pods / pod.name)
        subprocess.run([kit.WEIR, "run", "-c", chain], check=True, stderr=subprocess.DEVNULL, env=kit.environment())
    subprocess.run([*weir(f"replay {apart} --export {live}")], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for path in (tree, pods):
        shutil.rmtree(path)
    return raw, apart, live


def output(command):
    return subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=kit.environment()).stdout


def wall(command):
    """Seconds. Nothing samples the process meanwhile: that would take a part of the second core from it."""
    start = time.monotonic()
    code = subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=kit.environment()).returncode
    if code not in (0, 1):
        raise SystemExit(f"{shlex.join(command)} ended with {code}")
    return time.monotonic() - start


def run(report, folder, megabytes):
    report.title("A spool read back: replay, query (1 GB a day, 20 pods)")
    raw, apart, live = make_spools(folder, megabytes)
    gigabytes = raw / 1e9
    for name, spool in (("logs read one after another", apart), ("live", live)):
        print(f"  {name}: {raw / 1e6:.0f} MB of log, {os.path.getsize(spool) / 1e6:.0f} MB of spool")
        pod, newest = output(weir(f"query labels pod --spool {spool}")).split()[0], output(weir(f"query --spool {spool} --limit 1 -o jsonl"))
        stamp = newest.split('"timestamp":"')[1].split('"')[0]

        def cost(text):
            (one,) = measure.run([weir(text)], env=kit.environment())
            return one

        def figure(what, text, limit, memory=USUAL, unit="CPU s/GB"):
            one = cost(text)
            report.figure(f"{what}: {text.split(' --spool')[0][:40]}", one.cpu / gigabytes, unit, limit=limit)
            report.figure(f"{what}: memory", one.hwm / 1e6, "MB RSS", limit=memory / 1e6)
            return one

        figure("export", f"replay {spool}", 6, OVERLAP)
        figure("export", f"query --spool {spool} -o jsonl", 6, OVERLAP)
        figure("rare text", f"query '|= \"a needle that is nowhere\"' --spool {spool} -o jsonl", 1)
        figure("rare text of a regular expression", f"query '|~ \"a (needle|pin) [0-9]+ nowhere\"' --spool {spool} -o jsonl", 1)
        figure("fields", f"query '| json | status>=500' --spool {spool} -o jsonl", 6)
        rate = "query 'sum by (pod) (rate({pod=~\".+\"}[1m]))' --step 1m"
        figure("rate", f"{rate} --spool {spool} -o jsonl", 2)
        one = min((cost(f"query '{{pod=\"{pod}\"}}' --spool {spool} --now {stamp} --since 5m -o jsonl") for _ in range(5)), key=lambda c: c.wall)
        report.figure("one pod in 5 minutes, the whole process", one.wall * 1e3, "ms", limit=60)
        if (os.cpu_count() or 1) < 2:
            continue
        for query in ("query '|= \"a needle that is nowhere\"'", "query '| json | status>=500'", rate):
            text = f"{query} --spool {spool} -o jsonl"
            two, alone = [], []
            for _ in range(5):  # in turns: the machine may have other work
                two.append(wall(weir(text)))
                alone.append(wall(["taskset", "-c", "0", *weir(text)]))
            report.figure(f"two cores beside one: {query[:43]}", min(alone) / min(two), "times", at_least=1.7)
