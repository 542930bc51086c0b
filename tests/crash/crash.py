#!/usr/bin/env python3
"""Nothing lost under fire: pods that log and rotate, a chain whose processes are killed, a Loki that is away, and a judge who counts.

One line a run: mode, scenario and seed; what was written, lost, repeated; what the chain said it lost; whose fault a repeat is.
See --help, and run.sh beside this, which finds the programs and a Loki.
"""
import argparse
import dataclasses
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

import chains
import judge
import loki_server
import proxy
import weir_kit as kit

HERE = pathlib.Path(__file__).resolve().parent

# name: (who is killed, seconds dead besides, faults besides the outage)
SCENARIOS = {
    "kills": ("all", False, False),    # all processes at once, several times, and an outage
    "one": ("one", False, False),      # one process at random each time
    "dead": ("all", True, False),      # and nothing runs for a while, over rotations
    "faults": ("one", False, True),    # the target misbehaves in every way it knows, all the time
}
FAULTS = [("refuse",), ("hang",), ("mute",), ("reset-before",), ("reset-after",), ("slow", 0.3), ("status", 500), ("status", 503),
          ("status", 429, 1), ("status", 401), ("status", 404)]
SETTLED = 2.5  # seconds until positions are stored: the first start ever reads no rotated files, so that all goes well so long
STARTED = 1.0  # seconds until a marker has gone through a chain
SMALL_DISK = 12 << 20
LEAVE = 1 << 20


@dataclasses.dataclass
class Plan:
    """What one run is made of."""
    mode: chains.Mode
    scenario: str
    seed: int
    seconds: float = 60
    rate: float = 4000
    pods: int = 4
    kills: int = 4
    outage: float = 15
    dead: float = 15
    rotate_bytes: int = 10**6
    keep: int = 5
    patience: float = 120   # how long the rest may take to arrive when all troubles are over
    fault: tuple = ("refuse",)


@dataclasses.dataclass
class Outcome:
    plan: Plan
    truth: dict
    verdict: judge.Verdict
    starts: int
    slowest_end: float       # of a chain after one of its processes was killed
    catch_up: float          # from the last written line, or the last trouble, until all was in Loki
    wrongs: list             # sentences: what must not be

    def causes(self):
        return ", ".join(f"{count} {cause}" for cause, count in self.verdict.sent_again.most_common()) or "-"


def schedule(plan, dice):
    """What happens when, in seconds since the start: kills, death or None, behaviours of the proxy, the outage, the last pod's birth."""
    outage = min(plan.outage, plan.seconds / 2)
    _, dies, faulty = SCENARIOS[plan.scenario]
    moments, dead = [], None
    if dies:
        # The outage and the time in which nothing runs lie apart: together they would outlast what the kubelet keeps.
        gap = plan.seconds * 0.12
        first, second = dice.sample([("outage", outage), ("dead", plan.dead)], 2)
        slack = max(0.0, plan.seconds * 0.9 - first[1] - second[1] - gap - SETTLED)
        at = SETTLED + slack * dice.random()
        begins = {first[0]: at, second[0]: at + first[1] + gap}
        dead = begins["dead"]
        outage_at = begins["outage"]
    else:
        outage_at = dice.uniform(SETTLED, max(SETTLED, 0.5 * plan.seconds))
    if faulty:
        at = SETTLED
        while at < plan.seconds:
            moments.append((at, dice.choice(FAULTS)))
            at += dice.uniform(0.5, 3)
            moments.append((at, ("up",)))
            at += dice.uniform(1, 4)
    elif outage > 0:
        moments = [(outage_at, plan.fault), (outage_at + outage, ("up",))]
    kills = sorted(dice.uniform(SETTLED, 0.97 * plan.seconds) for _ in range(plan.kills))
    for i in range(1, len(kills)):
        kills[i] = max(kills[i], kills[i - 1] + 0.5)
    # A pod that appears while nothing runs, and rotates, must be found with its rotated logs.
    late = dead + plan.dead * dice.uniform(0, 0.4) if dead is not None else dice.uniform(0.1, 0.6) * plan.seconds
    return kills, dead, moments, (outage_at, outage_at + outage), late


class Ballast:
    """Another program that takes what is left of a small disk while the outage lasts."""

    def __init__(self, disk):
        self.path = disk / "ballast"

    def fill(self):
        with open(self.path, "wb") as ballast:
            free = shutil.disk_usage(self.path.parent).free
            for _ in range(max(0, free - LEAVE) >> 16):
                try:
                    ballast.write(b"\0" * (1 << 16))
                    ballast.flush()
                except OSError:
                    return

    def free(self):
        self.path.unlink(missing_ok=True)


class World:
    """One run: builds everything, lets it happen, judges, and cleans up."""

    PODS = ()  # more options of pods.py

    def __init__(self, plan, loki, folder, say=lambda text: None):
        self.plan, self.loki, self.folder, self.say = plan, loki, folder, say
        self.dice = random.Random(plan.seed)
        self.run = f"crash-{plan.mode.name}-{plan.scenario}-{plan.seed}-{time.time_ns() // 1000}"
        self.wrongs, self.kills, self.cleanup = [], [], []
        (folder / "pods").mkdir(parents=True)
        (folder / "spool").mkdir()

    def happen(self):
        plan = self.plan
        try:
            if plan.mode.spool == "full":
                self.cleanup.append(chains.small_disk(self.folder / "spool", SMALL_DISK))
            kills, dead, moments, outage, late = schedule(plan, self.dice)
            self.begun = int(time.time()) - 5
            self.proxy = proxy.Proxy(self.loki.url)
            self.cleanup.append(self.proxy.close)
            self.chains = chains.Chains(plan.mode, self.folder, self.pipelines())
            self.cleanup.append(self.chains.end)
            writer = subprocess.Popen([sys.executable, str(HERE / "pods.py"), str(self.folder / "pods"), "--seconds", str(plan.seconds), "--rate",
                                       str(plan.rate), "--pods", str(plan.pods), "--rotate-bytes", str(plan.rotate_bytes), "--keep", str(plan.keep),
                                       "--late-at", str(late), "--seed", str(plan.seed), *self.PODS], stdout=subprocess.PIPE)
            self.cleanup.append(lambda: kit.end(writer))
            start = time.monotonic()
            script = proxy.Script(self.proxy, moments, start)
            self.cleanup.append(script.end)
            self.follow(start, kills, dead, outage)
            truth = json.loads(writer.communicate()[0])
            script.end()
            return self.settle(truth)
        finally:
            for clean in reversed(self.cleanup):
                clean()

    def pipelines(self):
        """What matches judge.DROP is filtered away in front of whatever keeps the positions."""
        return self.plan.mode.pipelines(self.folder, self.proxy.url, [f"enrich --label run={self.run}", f"filter --drop '{judge.DROP}'"])

    def follow(self, start, kills, dead, outage, more=()):
        """Kills, fills the disk, and does `more` (seconds since the start, function) when it is time."""
        events = [(at, "kill") for at in kills] + list(more)
        if dead is not None:
            events.append((dead, "dead"))
        if self.plan.mode.spool == "full" and outage[1] > outage[0]:
            ballast = Ballast(self.folder / "spool")
            events += [(outage[0], ballast.fill), (outage[1], ballast.free)]
        victim = SCENARIOS[self.plan.scenario][0]
        for at, what in sorted(events, key=lambda event: event[0]):
            time.sleep(max(0.0, start + at - time.monotonic()))
            if what == "kill":
                self.kills.append(self.chains.kill(victim, self.dice))
                if self.kills[-1] is None:
                    self.say(f"nothing ran at {at:.1f} s that could be killed")
            elif what == "dead":
                self.kills.append(self.chains.dead(self.plan.dead))
            else:
                what()
        time.sleep(max(0.0, start + self.plan.seconds - time.monotonic()))

    def missing_ends(self, last):
        """The streams whose last line is not in Loki yet."""
        now = int(time.time()) + 5
        missing = []
        for (pod, stream), number in last.items():
            selector = f'{{run="{self.run}", pod="pod-{pod}", stream="{stream}"}} |= "{number:08d} "'
            if not self.loki.api("query_range", query=selector, start=self.begun * 10**9, end=now * 10**9, limit=1)["result"]:
                missing.append((pod, stream))
        return missing

    def settle(self, truth):
        """Waits for the rest, ends the chain in good order, judges."""
        last = {key: max(numbers) for key, numbers in self.wanted_of(truth).items() if numbers}
        over = time.monotonic()
        deadline = over + self.plan.patience
        # Within a stream order is kept, so where its last line is, all is.
        while (late := self.missing_ends(last)) and time.monotonic() < deadline:
            last = {key: last[key] for key in late}
            time.sleep(0.5)
        catch_up = time.monotonic() - over
        self.before_the_end(deadline)
        for codes in self.chains.stop():
            if codes is None:
                self.wrong("the chain did not end after SIGTERM to its source")
            elif not set(codes) <= {0, 143}:
                self.wrong(f"ended with {codes} after SIGTERM to its source")
        verdict = self.judge(truth)
        slowest = self.check_ends()
        self.check_spool()
        self.check_books()
        self.check(verdict)
        return Outcome(self.plan, truth, verdict, len(self.chains.runs()), slowest, catch_up, self.wrongs)

    def wanted_of(self, truth):
        return judge.wanted_of(truth)

    def before_the_end(self, deadline):
        """All lines have arrived, the chain still runs."""

    def judge(self, truth):
        return judge.judge(truth, self.loki, self.run, self.begun, int(time.time()) + 5, self.proxy.journal, self.kills, self.spool())

    def spool(self):
        return self.folder / "spool" / "spool.db"

    def wrong(self, sentence):
        self.wrongs.append(sentence)

    def check_ends(self):
        """How chains ended of which one process was killed: what is left must end by itself, with 4."""
        slowest = 0.0
        for run in self.chains.runs():
            if run.hung:
                self.wrong(f"still running {chains.HANG} s after a kill of process {run.killed}")
                continue
            if run.stopped or self.refused(run):
                continue
            left = [code for i, code in enumerate(run.codes()) if i not in run.killed]
            if not run.killed:
                self.wrong(f"ended by itself with {run.codes()}")
            elif run.killed_at - run.started < STARTED:
                if not set(left) <= {0, 4}:  # who has seen nothing yet of a tracked stream sees an empty one
                    self.wrong(f"ended with {run.codes()} after a kill of process {run.killed} at its start")
            elif not set(left) <= {4}:
                self.wrong(f"ended with {run.codes()} after a kill of process {run.killed}")
            if run.killed and left:
                slowest = max(slowest, run.ended_at - run.killed_at)
        return slowest

    def refused(self, run):
        """A start that had to fail."""
        return False

    def check_spool(self):
        if self.plan.mode.spool == "none":
            return
        spool = self.spool()
        done = subprocess.run([kit.WEIR, "spool", "check", str(spool)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, env=kit.environment())
        if done.returncode != 0:
            self.wrong(f"the spool is not sound: {done.stdout.decode(errors='replace').strip()[:300]}")
        status = json.loads(kit.weir("spool", "status", spool, "-o", "json"))
        if status["undelivered"] != 0:
            self.wrong(f"{status['undelivered']} records of the spool are undelivered")

    def check_books(self):
        books = self.chains.books
        if books.wrong:
            self.wrong("the books do not balance: " + ", ".join(f"{stage} {count}" for stage, count in books.wrong[:6]))
        if books.looks < self.plan.seconds:
            self.wrong(f"the metrics were read {books.looks} times only")

    def check(self, verdict):
        if verdict.lost:
            self.wrong("lost: " + ", ".join(f"pod {pod} {stream} {first}-{last}" for pod, stream, first, last in verdict.lost[:6]))
        if verdict.foreign:
            self.wrong(f"{len(verdict.foreign)} lines that nobody wrote, such as {verdict.foreign[0]}")
        if verdict.disordered or verdict.arrived_disordered:
            self.wrong(f"out of order: {verdict.disordered} by time, {verdict.arrived_disordered} by arrival")
        if verdict.gaps:
            self.wrong(f"{len(verdict.gaps)} gap records, such as {verdict.gaps[0]!r}")
        if verdict.rejected:
            self.wrong(f"{verdict.rejected} records in the rejected store")
        if self.plan.scenario != "faults" and verdict.share > 0.5:
            self.wrong(f"{verdict.share:.2f} % are counted more than once")


COLUMNS = "{:<12} {:<7} {:>5} {:>8} {:>6} {:>8} {:>7} {:>5} {:>5} {:>5} {:>6} {:>6} {:>7}  {}"


def headings():
    return COLUMNS.format("mode", "what", "seed", "lines", "lost", "repeated", "%", "order", "gaps", "rej", "starts", "ended", "caught", "sent again")


def row(outcome):
    v = outcome.verdict
    return COLUMNS.format(outcome.plan.mode.name, outcome.plan.scenario, outcome.plan.seed, v.written, v.lost_lines, v.repeated, f"{v.share:.3f}",
                          v.disordered + v.arrived_disordered, len(v.gaps), v.rejected, outcome.starts, f"{outcome.slowest_end:.1f}",
                          f"{outcome.catch_up:.1f}", outcome.causes())


def run_one(plan, loki, keep=None, say=print, world_class=World):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-crash-"))
    world = world_class(plan, loki, folder, say)
    outcome = None
    try:
        outcome = world.happen()
        return outcome, "" if not outcome.wrongs else world.chains.errors()
    finally:
        if keep and (outcome is None or outcome.wrongs):
            kept = pathlib.Path(keep) / f"{plan.mode.name}-{plan.scenario}-{plan.seed}"
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(folder, kept)
            say(f"  kept in {kept}")
        shutil.rmtree(folder, ignore_errors=True)


def choose(names, known, what):
    chosen = list(known) if names == "all" else names.split(",")
    for name in chosen:
        if name not in known:
            raise SystemExit(f"crash.py: there is no {what} '{name}'; there are: all, {', '.join(known)}")
    return chosen


def rules_world():
    import rules_world as module  # which derives from World
    return module


def main():
    parser = argparse.ArgumentParser(prog="run.sh", description="Kills a chain of weir, takes its Loki away, and counts what arrives.")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, default=4000, help="lines a second, over all pods (4000)")
    parser.add_argument("--pods", type=int, default=4)
    parser.add_argument("--kills", type=int, default=4)
    parser.add_argument("--outage", type=float, default=15, help="seconds without Loki (15)")
    parser.add_argument("--fault", default="refuse", help="what the outage is: refuse, hang, mute, reset-before, reset-after, or a status (refuse)")
    parser.add_argument("--dead", type=float, default=15, help="seconds in which nothing runs, in the scenario of this name (15)")
    parser.add_argument("--rotate-bytes", type=int, default=10**6)
    parser.add_argument("--keep", type=int, default=5, help="files of a log, the live one among them (5)")
    parser.add_argument("--mode", default="all", help="all, or some of " + ", ".join(mode.name for mode in chains.MODES))
    parser.add_argument("--scenario", default="kills,one,dead", help="all, or some of " + ", ".join(SCENARIOS) + " (kills,one,dead)")
    parser.add_argument("--seed", default="1", help="one, or several with commas")
    parser.add_argument("--rules", action="store_true", help="rules that drop and hold and change all the time, releases, and reloads; modes "
                        "with buffer, spill or store")
    parser.add_argument("--keep-failed", metavar="DIR", help="copy logs, spool and stderr of runs that went wrong there")
    options = parser.parse_args()
    world_class = rules_world().RulesWorld if options.rules else World
    modes = choose(options.mode, {mode.name: mode for mode in chains.MODES}, "mode")
    scenarios = choose(options.scenario, SCENARIOS, "scenario")
    fault = ("status", int(options.fault)) if options.fault.isdigit() else (options.fault,)
    by_name = {mode.name: mode for mode in chains.MODES}
    loki = loki_server.Loki()
    bad = 0
    try:
        print(headings(), flush=True)
        for name in modes:
            if options.rules and by_name[name].spool not in rules_world().MODES:
                continue
            if why := by_name[name].available():
                print(f"{name:<12} skipped: {why}", flush=True)
                continue
            for scenario in scenarios:
                for seed in map(int, options.seed.split(",")):
                    plan = Plan(by_name[name], scenario, seed, options.seconds, options.rate, options.pods, options.kills, options.outage, options.dead,
                                options.rotate_bytes, options.keep, fault=fault)
                    outcome, errors = run_one(plan, loki, options.keep_failed, world_class=world_class)
                    print(row(outcome), flush=True)
                    if options.rules:
                        print(f"  {outcome.verdict.notes()}", flush=True)
                    for wrong in outcome.wrongs:
                        print(f"  WRONG: {wrong}", flush=True)
                    bad += bool(outcome.wrongs)
    finally:
        loki.stop()
    if bad:
        print(f"{bad} runs went wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    import crash  # what derives from World does so from this one
    sys.exit(crash.main())
