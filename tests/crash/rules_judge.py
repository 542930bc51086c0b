"""What is in Loki and in the spool against what was written, where rules drop, hold and release lines while they change."""
import bisect
import collections
import dataclasses
import json
import subprocess

import judge
import pods
import proxy
import rules
import weir_kit as kit

LAG = 5.0      # seconds from a line's write until a chain that runs has judged it
UNSAFE = 10.0  # seconds after which a kill does not make tail read a line again
UNSETTLED = 10.0  # held records of so many seconds may not be seen by a release, weir-replay(1)


@dataclasses.dataclass
class Copy:
    nanoseconds: int
    stamps: tuple
    release: str     # "": it was not released


@dataclasses.dataclass
class Verdict(judge.Verdict):
    held: int = 0           # lines that are in the spool and nowhere else
    released: int = 0       # lines that a release delivered
    dropped: int = 0        # lines that are nowhere, as a rule says
    judged_again: int = 0   # lines that two rule sets judged, because of a kill, and that are in two places
    faults: dict = dataclasses.field(default_factory=lambda: collections.defaultdict(list))  # what is wrong -> where

    def notes(self):
        return f"{self.dropped} dropped, {self.held} held, {self.released} released, {self.judged_again} judged again after a kill"


@dataclasses.dataclass
class Past:
    """What happened while lines were written. Moments of the wall clock, in seconds."""
    files: rules.Files
    releases: list
    kills: list
    starts: list            # of chains
    drains: list            # (begin, end) of times in which a pipeline may have drained, to be replaced
    spill: bool

    def judged_until(self, written):
        """When a line that was written then was judged for the last time, at the latest."""
        until = written + LAG
        for kill in sorted(self.kills):
            if written <= kill + UNSAFE and kill <= until + UNSAFE:
                until = max(until, self.start_after(kill) + LAG)
        for begin, end in sorted(self.drains):
            if written <= end and begin <= until:
                until = max(until, end + LAG)
        return until

    def start_after(self, kill):
        return min((start for start in self.starts if start > kill), default=kill)


    def calm(self, begin, end):
        """Whether the chain ran from the one to the other."""
        away = [(kill, self.start_after(kill) + 1) for kill in self.kills] + self.drains
        return not any(gone <= end and back >= begin for gone, back in away)

    def allowed(self, written, judged):
        return self.files.allowed(written, judged, self.calm)


def number_and_copy(key, nanoseconds, line, metadata, labels):
    """(number, Copy) of a line that a pod wrote, None for another."""
    number = pods.number_of(line)
    found = rules.STAMPS.search(line)
    if number is None or found is None:
        return None
    if rules.STAMPS.sub(pods.NO_STAMPS, line, count=1) != pods.stamped(pods.content(*key, number), number):
        return None
    return number, Copy(nanoseconds, found.groups(), metadata.get("weir_release") or labels.get("weir_release") or "")


def key_of(labels):
    return int(labels["pod"].rpartition("-")[2]), labels["stream"]


def stored(spool, *options):
    """Records of the spool: (key, number, Copy)."""
    done = subprocess.run([kit.WEIR, "replay", str(spool), *options, "-o", "jsonl"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                          env=kit.environment())
    if done.returncode not in (0, 1):
        raise AssertionError(f"replay {options}: exit {done.returncode}\n{done.stderr.decode(errors='replace')}")
    found = []
    for record in kit.records(done.stdout.splitlines()):
        labels, metadata = record["labels"], record.get("metadata", {})
        if "weir_gap_bytes" in metadata:
            continue
        pair = number_and_copy(key_of(labels), kit.nanoseconds(record["timestamp"]), record["line"], metadata, labels)
        if pair is None:
            raise AssertionError(f"the spool has a line that nobody wrote: {record}")
        found.append((key_of(labels), *pair))
    return found


def by_line(copies):
    found = collections.defaultdict(list)
    for key, number, copy in copies:
        found[key, number].append(copy)
    return found


def judge_run(truth, loki, run, start, end, journal, spool, past, monotonic_kills):
    verdict = Verdict()
    selector = f'{{run="{run}"}}'
    verdict.counted = loki.counted(selector, end - start, end * 10**9)
    delivered = []
    for labels, nanoseconds, line, metadata in loki.entries(selector, start * 10**9, end * 10**9):
        labels, metadata = dict(labels), dict(metadata)
        if "weir_gap_bytes" in metadata:
            verdict.gaps.append(line)
            continue
        pair = number_and_copy(key_of(labels), nanoseconds, line, metadata, labels)
        if pair is None:
            verdict.foreign.append((key_of(labels), line))
        else:
            delivered.append((key_of(labels), *pair))
    for (key, number), copies in by_line(stored(spool, '| weir_release!=""')).items():
        if len(copies) > 1:
            verdict.faults["is in the spool more than once as released"].append((key, number, copies))
    judge_lines(verdict, truth, by_line(delivered), by_line(stored(spool, "--held")), past)
    refused = judge.rejected_of(spool, {key: () for key in streams_of(truth)})
    verdict.rejected = sum(map(len, refused.values()))
    judge.blame(verdict, journal, monotonic_kills, told_of)
    return verdict


def streams_of(truth):
    return {(int(pod), stream): count for (pod, stream), count in ((key.split(), count) for key, count in truth["streams"].items())}


def judge_lines(verdict, truth, delivered, held, past):
    for key, count in streams_of(truth).items():
        times = sorted((number, copy.nanoseconds) for found in (delivered, held) for (other, number), copies in found.items() if other == key
                       for copy in copies)
        missing, last = set(), 0
        for number in range(count):
            in_loki, in_spool = delivered.get((key, number), []), held.get((key, number), [])
            if not in_loki and not in_spool:
                if may_be_nowhere(number, times, past):
                    verdict.dropped += 1
                else:
                    missing.add(number)
                continue
            for wrong in judge_line(verdict, key, number, in_loki, in_spool, past):
                verdict.faults[wrong].append((key, number, in_loki, in_spool))
            live = [copy.nanoseconds for copy in in_loki if not copy.release]
            if live:
                verdict.disordered += min(live) <= last
                last = max(live)
        verdict.lost += [(*key, first, end) for first, end in judge.ranges(missing)]
    verdict.written = verdict.distinct + verdict.lost_lines


def may_be_nowhere(number, times, past):
    """When the line was written lies between its neighbours, which are there."""
    if rules.Variant().action(number) == rules.DROP:
        return True
    at = bisect.bisect_left(times, (number, 0))
    before = times[at - 1][1] / 1e9 if at > 0 else 0.0
    after = times[at][1] / 1e9 if at < len(times) else past.judged_until(before)
    return any(state.variant.action(number) == rules.DROP for state in past.allowed(before, past.judged_until(after)))


def judge_line(verdict, key, number, in_loki, in_spool, past):
    """What is wrong with a line that is somewhere."""
    live, freed = [copy for copy in in_loki if not copy.release], [copy for copy in in_loki if copy.release]
    verdict.distinct += bool(in_loki)
    verdict.released += bool(freed)
    verdict.held += bool(in_spool and not in_loki)
    if len(in_spool) > 1:
        yield "is held more than once"
    if len(freed) > 1:
        yield "was released more than once"
    if freed and in_spool:
        yield "was released, and is held still"
    places = {copy.stamps for copy in live} | {copy.stamps for copy in freed + in_spool}
    if len(live) + bool(freed or in_spool) > 1:
        written = in_loki[0].nanoseconds / 1e9
        verdict.judged_again += 1
        if len(places) < 2:
            yield "is in two places, as one rule set says"
        if not any(written <= kill <= past.judged_until(written) for kill in past.kills):
            yield "was judged twice, far from any kill"
    for copy, action in [(copy, rules.PASS) for copy in live] + [(copy, rules.HOLD) for copy in freed + in_spool]:
        state = past.files.of_stamps(copy.stamps)
        if state is None:
            yield "was judged by rules that never were a whole"
            continue
        if state.variant.action(number) != action:
            yield f"is not where its rules say ({state.variant.action(number)})"
        written = copy.nanoseconds / 1e9
        if state not in past.allowed(written, past.judged_until(written)):
            yield "was judged by rules of another time"
    for copy in freed:
        release = next((release for release in past.releases if release.name == copy.release), None)
        if release is None or not release.covers(number, copy.nanoseconds):
            yield "was released, and no release asked for it"
    for copy in in_spool:
        for release in past.releases:
            settled = copy.nanoseconds / 1e9 < release.asked - UNSETTLED or not past.spill
            if (key, number) in release.before and release.covers(number, copy.nanoseconds) and settled:
                yield f"was to be released by {release.name}, and is held still"


def told_of(body):
    """For judge.blame: what a push had, released lines as streams of their own."""
    for labels, entries in proxy.entries_with_metadata(body):
        for line, metadata in entries:
            number = pods.number_of(line.decode(errors="replace"))
            if number is None:
                continue
            freed = "weir_release" in metadata or "weir_release=" in labels
            yield labels, (labels, number, freed), None if freed else number


def faults_of(verdict):
    for wrong, where in verdict.faults.items():
        key, number, *copies = where[0]
        yield f"{len(where)} lines: {wrong}; the first: pod {key[0]} {key[1]} {number}: {json.dumps(copies, default=vars)}"
