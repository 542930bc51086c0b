"""A run with rules: filter reads two files that change all the time, pipelines are replaced, held records are released.

Three releases, the ranges of the first two overlap: by command while lines are written, by a rule, and by command when all lines are there.
Each is followed by a kill.
"""
import json
import random
import threading
import time

import chains
import crash
import rules
import rules_judge
import weir_kit as kit

DRAIN, DRAIN_IN_OUTAGE = 3.0, 12.0  # seconds until a pipeline is replaced
STARTS = 3.0  # seconds until a chain that starts has read its rules
MODES = ("buffer", "spill", "store")  # spools in which a rule may hold, and where a disk is not full of other things


class RulesWorld(crash.World):
    PODS = ("--stamps",)

    def __init__(self, plan, loki, folder, say=lambda text: None):
        super().__init__(plan, loki, folder, say)
        self.files = rules.Files(folder, self.run)
        self.editor = None
        self.releases, self.askers = [], []
        self.edits = random.Random(plan.seed + 1)
        self.never = 0
        self.drains = []

    def pipelines(self):
        front = [f"enrich --level --label run={self.run}",
                 f"filter --drop '|= \"never {self.never}\"' --rules {self.files.paths['emergency']} --rules {self.files.paths['base']}"]
        # Slow enough to be killed in the middle. With every other seed what is released has streams of its own.
        options = f" --release-rate 128KiB --release-jitter 200ms --max-behind {'6s' if self.plan.seed % 2 == 0 else '1h'}"
        return self.plan.mode.pipelines(self.folder, self.proxy.url, front, options)

    def follow(self, start, kills, dead, outage, more=()):
        seconds = self.plan.seconds
        wall = time.time_ns() + int((start - time.monotonic()) * 1e9)

        def at(share):
            return wall + int(share * seconds * 1e9)

        self.editor = rules.Editor(self.files, self.edits, seconds, self.plan.mode.fused)
        self.cleanup.append(self.files.over.set)
        by_command = rules.Release("by-command", "456", at(0.15), at(1.0))  # up to what was held a moment before
        by_rule = rules.Release("by-rule", "48", at(0.3), at(0.5))
        asked = self.edits.uniform(0.5, 0.6) * seconds
        ruled = self.edits.uniform(0.65, 0.75) * seconds
        delay = self.edits.choice([0.0, 0.1, 0.3, 1.0, 2.0])
        events = [(asked, lambda: self.ask(by_command)), (asked + delay, self.kill_all), (ruled, lambda: self.add(by_rule)),
                  (ruled + delay + 0.3, self.kill_all)]
        events += [(share * seconds, self.reload) for share in (0.25, 0.45, 0.8)] + [(0.62 * seconds, self.reload_of_nonsense)]
        super().follow(start, kills, dead, outage, [*more, *events])
        self.editor.end()
        for thread in self.askers:
            thread.join()

    def kill_all(self):
        self.kills.append(self.chains.kill("all", self.dice))

    def background(self, work):
        """In a thread, so that kills come meanwhile."""
        def run():
            try:
                work()
            except Exception as failure:
                self.wrong(f"a release failed: {failure}")

        self.askers.append(threading.Thread(target=run))
        self.askers[-1].start()

    def held_now(self):
        return {(key, number) for key, number, _ in rules_judge.stored(self.spool(), "--held")}

    def ask(self, release):
        """weir replay --held --release, with records that are held already."""
        def work():
            release.before = self.held_now()
            release.asked = time.time()
            self.releases.append(release)
            kit.weir("replay", self.spool(), "--held", "--release", "--release-id", release.name, "--from", rules.rfc3339(release.start), "--to",
                     rules.rfc3339(release.end), f'{{run="{self.run}"}} {rules.digits(release.which)}')

        self.background(work)

    def add(self, release):
        def work():
            release.before = self.held_now()
            release.asked = time.time()
            self.releases.append(release)
            self.editor.add(release)

        self.background(work)

    def reload(self):
        self.never += 1
        if self.plan.mode.fused:
            away = self.proxy.behaviour[0] != "up"
            self.drains.append((time.time(), time.time() + (DRAIN_IN_OUTAGE if away else DRAIN)))
        self.chains.hang_up("filter", chains.text_of(self.pipelines()))

    def reload_of_nonsense(self):
        self.chains.hang_up("filter", chains.text_of(self.pipelines()).replace("filter", "filtre"))

    def wanted_of(self, truth):
        """What arrives whatever the rules say."""
        return {key: {number for number in range(count) if number % 10 in (0, 1, 2, 3)} for key, count in rules_judge.streams_of(truth).items()}

    def before_the_end(self, deadline):
        if not status_of(self.spool())["held"]:
            self.wrong("nothing is held")
        last = rules.Release("at-the-end", "6", self.files.began, time.time_ns())
        self.ask(last)
        time.sleep(self.edits.choice([0.0, 0.5, 1.5]))  # picks the moment of the kill
        self.kill_all()
        # Each chain was killed, and runs again: it is to end in good order.
        kit.wait_for(self.all_run, "a chain does not start again after a kill")
        for thread in self.askers:
            thread.join()
        if not kit.poll(lambda: not self.unfinished(), deadline + crash.SETTLED - time.monotonic(), pause=0.2):
            for release in self.unfinished():
                self.wrong(f"a release has not ended: {release}")
        names = {release["id"] for release in status_of(self.spool())["releases"]}
        by_rule = next((name for name in names if name.startswith("rule-")), None)
        for release in self.releases:
            if release.name == "by-rule" and by_rule:
                release.name = by_rule
        asked = {release.name for release in self.releases}
        if len(self.releases) != 3 or names != asked:
            self.wrong(f"the spool knows the releases {sorted(names)}, asked for were {sorted(asked)}")

    def all_run(self):
        runs = [part.runs[-1] for part in self.chains.parts]
        return all(not run.killed and not run.ended_at and time.monotonic() - run.started > chains.HANDLES for run in runs)

    def unfinished(self):
        return [release for release in status_of(self.spool())["releases"]
                if release["state"] != "released" or release["pending"] or release["sent"] != release["released"] or release["refused"]]

    def judge(self, truth):
        (self.folder / "history").write_text("".join(f"{state}\n" for state in self.files.states))
        offset = time.time() - time.monotonic()
        past = rules_judge.Past(self.files, self.releases, [kill + offset for kill in self.kills if kill],
                                [run.started + offset for run in self.chains.runs()], self.drains,
                                self.plan.mode.spool == "spill")
        return rules_judge.judge_run(truth, self.loki, self.run, self.begun, int(time.time()) + 5, self.proxy.journal, self.spool(), past, self.kills)

    def refused(self, run):
        """A filter of its own does not start with rules that are broken; `weir run` starts with those of the latest run."""
        begin = run.started + time.time() - time.monotonic()
        return not self.plan.mode.fused and 2 in run.codes() and set(run.codes()) <= {0, 2, 4, -9} and self.files.unusable(begin, begin + STARTS)

    def check(self, verdict):
        super().check(verdict)
        for fault in rules_judge.faults_of(verdict):
            self.wrong(fault)
        for what, count in (("held", verdict.held), ("released", verdict.released), ("dropped", verdict.dropped)):
            if not count:
                self.wrong(f"no line was {what}")


def status_of(spool):
    return json.loads(kit.weir("spool", "status", spool, "-o", "json"))
