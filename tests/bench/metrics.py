"""What --metrics costs: the same chain without and with it, in one run."""
import os
import pathlib
import re
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request

import live
import rules
import weir_kit as kit

SCRAPE_EVERY = 15  # seconds, as Prometheus does by default; a batch, which is short, is scraped each second
PAIRS = 6          # of windows in which both chains are measured side by side


class Scraper(threading.Thread):
    """Reads the metrics of a process as Prometheus does."""

    def __init__(self, errors, every):
        super().__init__(daemon=True)
        self.errors, self.every, self.ended, self.scrapes = errors, every, threading.Event(), 0

    def run(self):
        url = None
        while not self.ended.wait(self.every if self.scrapes else 0.05):
            if url is None:
                said = re.search(r"metrics on (http://\S+)", pathlib.Path(self.errors).read_text(errors="replace"))
                if said is None:
                    continue
                url = said[1]
            try:
                with urllib.request.urlopen(url, timeout=5) as answer:
                    answer.read()
            except OSError:  # the chain has ended
                return
            self.scrapes += 1

    def end(self):
        self.ended.set()
        self.join()


def batch(stages, options):
    def once():
        with rules.sink() as url, tempfile.NamedTemporaryFile() as errors:
            scraper = Scraper(errors.name, 1)
            if options:
                scraper.start()
            with open(errors.name, "wb") as out:
                process = subprocess.Popen([kit.WEIR, "run", *options, "-c", " | ".join([*stages, f"push {url}"])], env=kit.environment(),
                                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=out)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if options:
                scraper.end()
            if process.returncode != 0:
                raise SystemExit(f"the chain ended with {process.returncode}: {errors.read().decode()}")
            return usage.ru_utime + usage.ru_stime
    return once


def switches(pid):
    """How often its threads went to sleep so far: each wake-up is one."""
    total = 0
    for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status.read_text(), re.M)[1])
    return total


def private(pid):
    """Memory that goes when the process does, in bytes."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(kib) * 1024 for kib in re.findall(r"^Private_(?:Clean|Dirty):\s+(\d+)", text, re.M))


def following(report, folder, seconds):
    report.title(f"--metrics: {live.RATE} lines/s over {live.PODS} pods, two chains beside one another, {PAIRS} windows of {seconds:.0f} s")
    tree = folder / "live"
    subprocess.run(["rm", "-rf", str(tree)], check=True)
    subprocess.run([kit.PODGEN, str(tree), "--rate", "1000", "--seconds", "0.05", "--pods", str(live.PODS), "--idle", str(live.IDLE)], check=True,
                   stdout=subprocess.DEVNULL)
    stages = [f"tail -f {tree}", "enrich --level", "filter --drop '|= \"/healthz\"'"]
    with rules.sink() as one, rules.sink() as two, tempfile.NamedTemporaryFile() as errors:
        def start(url, *options):
            with open(errors.name if options else "/dev/null", "wb") as out:
                return subprocess.Popen([kit.WEIR, "run", *options, "-c", " | ".join([*stages, f"push {url}"])], env=kit.environment(),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=out)

        groups = {"off": live.Group([start(one)]), "on": live.Group([start(two, "--metrics", "127.0.0.1:0")])}
        scraper = Scraper(errors.name, SCRAPE_EVERY)
        try:
            time.sleep(live.SETTLE)
            before = {name: switches(group.processes[0].pid) for name, group in groups.items()}
            live.over(groups, live.IDLE_SECONDS)
            idle = {name: switches(group.processes[0].pid) - before[name] for name, group in groups.items()}
            scraper.start()
            writer = subprocess.Popen([kit.PODGEN, str(tree), "--rate", str(live.RATE), "--seconds", str(PAIRS * seconds + 5), "--pods",
                                       str(live.PODS)], stdout=subprocess.DEVNULL)
            time.sleep(1)
            windows = [live.over(groups, seconds) for _ in range(PAIRS)]
            memory = {name: private(group.processes[0].pid) for name, group in groups.items()}
            writer.wait()
            for group in groups.values():
                group.check()
        finally:
            scraper.ended.set()
            for group in groups.values():
                group.end()
            subprocess.run(["rm", "-rf", str(tree)], check=True)
    print("  on / off: " + " ".join(f"{w['on'] / w['off']:.3f}" for w in windows) + f"; {scraper.scrapes} scrapes")
    report.figure("live, CPU with --metrics relative to without", statistics.median(w["on"] / w["off"] for w in windows), "times", limit=1.02)
    report.figure("memory that it adds (private)", (memory["on"] - memory["off"]) / 1e6, "MB", limit=1)
    report.figure(f"wake-ups in {live.IDLE_SECONDS} idle seconds that it adds", idle["on"] - idle["off"], limit=0)


def run(report, tree, folder, runs, seconds):
    report.title("--metrics: tail | enrich --level | filter | push into a sink, fused")
    stages = [f"tail {tree}", "enrich --level", "filter --drop '|= \"/healthz\"'"]
    got = rules.rotate({"without": batch(stages, []), "--metrics": batch(stages, ["--metrics", "127.0.0.1:0"])}, runs)
    report.figure("batch, CPU with --metrics relative to without", got["--metrics"] / got["without"], "times", limit=1.02)
    following(report, folder, seconds)
