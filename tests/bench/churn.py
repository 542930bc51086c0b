"""Pods that come and go: memory must follow how many there are, not how many there ever were."""
import collections
import itertools
import shutil
import subprocess
import time

import live
import weir_kit as kit

ALIVE = 400     # pods at a time
LINES = 5       # of each
WARM = 1000     # pods after which nothing may grow any more …
LIMIT = 2.0     # … by more MB than this


def make_pod(folder, number):
    pod = folder / f"shop_web-{number:06d}_11111111-2222-3333-4444-{number:012d}"
    log = pod / "main" / "0.log"
    log.parent.mkdir(parents=True)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    log.write_text("".join(f"{stamp}.{i:09d}Z stdout F pod {number} line {i}\n" for i in range(LINES)))
    return pod


def churn(report, name, groups, pods, total, url):
    """Makes pods and removes them, and looks at each process as they go by."""
    alive, made = collections.deque(), itertools.count()
    first, most, arrived = {}, {}, 0
    try:
        for number in itertools.islice(made, total):
            alive.append(make_pod(pods, number))
            if len(alive) > ALIVE:
                shutil.rmtree(alive.popleft())
            # Not faster than they are read: what waits is memory, too, of another kind.
            while number % 32 == 0 and arrived < (number - ALIVE * 3 // 4) * LINES:
                arrived = kit.sink_stats(url)["entries"]
                time.sleep(0.01)
                for group in groups.values():
                    group.check()
            if number < WARM or number % 500 != 0:
                continue
            for who, group in groups.items():
                size = group.pss()
                first.setdefault(who, size)
                most[who] = max(most.get(who, 0), size)
        kit.wait_for(lambda: kit.sink_stats(url)["entries"] >= total * LINES, f"the lines of {total} pods", seconds=120)
    finally:
        for group in groups.values():
            group.end()
    for who in groups:
        report.figure(f"{name}, {who}: {first[who] / 1e6:.1f} MB after {WARM:,} pods; growth until {total:,}", (most[who] - first[who]) / 1e6, "MB",
                      limit=LIMIT)
    got = kit.sink_stats(url)["entries"]
    report.check(f"{name}: each line came", got == total * LINES, f"{got:,} of {total * LINES:,}")


def run(report, folder, total):
    report.title(f"{total:,} pods that come and go, {ALIVE} at a time")
    for fused in (False, True):
        pods, spool = folder / "churn", folder / "churn.db"
        shutil.rmtree(pods, ignore_errors=True)
        pods.mkdir()
        for part in folder.glob("churn.db*"):
            part.unlink()
        with subprocess.Popen([kit.SINK], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as sink:
            url = sink.stdout.readline().decode().strip()
            stages = [f"tail -f --checkpoint {spool} {pods}", "enrich --level", "filter --drop '|= \"/healthz\"'", f"buffer {spool} --retain 0s", f"push {url}"]
            if fused:
                groups = {"weir run": live.Group([live.start([kit.WEIR, "run", "-c", " | ".join(stages)])])}
            else:
                groups = {stage.split()[0]: live.Group([process]) for stage, process in zip(stages, live.pipe(stages))}
            churn(report, "fused" if fused else "pipe", groups, pods, total, url)
            sink.stdin.close()
    for kept in (False, True):
        churn_push(report, folder, total // 4, kept)


def churn_push(report, folder, total, kept):
    """Without a spool: push keeps the positions, or nobody does."""
    pods, checkpoint = folder / "churn", folder / "churn.db"
    shutil.rmtree(pods, ignore_errors=True)
    pods.mkdir()
    for part in folder.glob("churn.db*"):
        part.unlink()
    with subprocess.Popen([kit.SINK], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as sink:
        url = sink.stdout.readline().decode().strip()
        keeps = f" --checkpoint {checkpoint}" if kept else ""
        groups = {"weir run": live.Group([live.start([kit.WEIR, "run", "-c", f"tail -f {pods} | enrich | push {url}{keeps}"])])}
        churn(report, "push keeps positions" if kept else "untracked", groups, pods, total, url)
        sink.stdin.close()
