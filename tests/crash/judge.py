"""What is in Loki against what was written: lost, repeated, out of order, and whose fault a repeat is."""
import collections
import dataclasses
import json
import subprocess

import pods
import proxy
import weir_kit as kit

AT_THE_KILL = 0.05    # an answer that went out this shortly before a kill may not have been read
COMMIT = 1.3          # a kill may undo acknowledgements that are younger: they are stored once a second


def dropped(number):
    """What the chain's filter drops."""
    return number % 10 == 9


DROP = '|~ "^[0-9]{7}9 "'


@dataclasses.dataclass
class Verdict:
    written: int = 0        # lines that must be in Loki
    distinct: int = 0       # of them in Loki
    rejected: int = 0       # of them in the rejected store instead
    counted: int = 0        # by count_over_time
    lost: list = dataclasses.field(default_factory=list)    # (pod, stream, first, last)
    foreign: list = dataclasses.field(default_factory=list)  # lines that were never written, or not like this
    disordered: int = 0     # by the time Loki shows
    arrived_disordered: int = 0  # first copies that came after a later line of their stream
    gaps: list = dataclasses.field(default_factory=list)    # the lines of gap records
    sent_again: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # by cause

    @property
    def lost_lines(self):
        return sum(last - first + 1 for _, _, first, last in self.lost)

    @property
    def repeated(self):
        return self.counted - self.distinct - len(self.gaps)

    @property
    def share(self):
        """Of the written lines that count_over_time counts more than once, in per cent."""
        return 100 * self.repeated / max(1, self.written)


def wanted_of(truth):
    """{(pod, stream): numbers that must be there}."""
    wanted = {}
    for key, count in truth["streams"].items():
        pod, stream = key.split()
        wanted[int(pod), stream] = {number for number in range(count) if not dropped(number)}
    return wanted


def ranges(numbers):
    """Neighbours that were lost together. Numbers that are filtered away do not part them."""
    found = []
    for number in sorted(numbers):
        if found and number - found[-1][1] <= 2:
            found[-1][1] = number
        else:
            found.append([number, number])
    return [tuple(pair) for pair in found]


def judge(truth, loki, run, start, end, journal, kills, kept):
    """`start`, `end`: seconds of the wall clock around it all. `kills`: moments, as the journal's. `kept`: the spool or checkpoint."""
    verdict = Verdict()
    wanted = wanted_of(truth)
    verdict.written = sum(map(len, wanted.values()))
    selector = f'{{run="{run}"}}'
    verdict.counted = loki.counted(selector, end - start, end * 10**9)
    read_loki(verdict, wanted, loki.entries(selector, start * 10**9, end * 10**9))
    refused = rejected_of(kept, wanted)
    for key, numbers in wanted.items():
        missing = numbers - verdict_seen(verdict, key)
        verdict.rejected += len(missing & refused[key])
        verdict.lost += [(*key, first, last) for first, last in ranges(missing - refused[key])]
    blame(verdict, journal, kills)
    return verdict


def read_loki(verdict, wanted, entries):
    seen = collections.defaultdict(dict)
    for labels, nanoseconds, line, metadata in entries:
        if any(name == "weir_gap_bytes" for name, _ in metadata):
            verdict.gaps.append(line)
            continue
        labels = dict(labels)
        key = int(labels["pod"].rpartition("-")[2]), labels["stream"]
        number = pods.number_of(line)
        if number is None or number not in wanted.get(key, ()) or line != pods.content(*key, number):
            verdict.foreign.append((key, line))
            continue
        seen[key].setdefault(number, nanoseconds)
        verdict.distinct += 1
    verdict.seen = {key: set(numbers) for key, numbers in seen.items()}
    # Loki lists a line of one time once, so what it lists twice has two times: that is no repeat but a change.
    verdict.foreign += [(key, "a line with two times")] * (verdict.distinct - sum(map(len, seen.values())))
    for numbers in seen.values():
        times = [numbers[number] for number in sorted(numbers)]
        verdict.disordered += sum(1 for a, b in zip(times, times[1:]) if b <= a)


def verdict_seen(verdict, key):
    return verdict.seen.get(key, set())


def rejected_of(kept, wanted):
    """{(pod, stream): numbers} of the rejected store."""
    found = {key: set() for key in wanted}
    done = subprocess.run([kit.WEIR, "replay", str(kept), "--rejected", "-o", "jsonl"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False,
                          env=kit.environment())
    for text in done.stdout.splitlines():
        record = json.loads(text)
        if "marker" in record:
            continue
        key = int(record["labels"]["pod"].rpartition("-")[2]), record["labels"]["stream"]
        found[key].add(pods.number_of(record["line"]))
    return found


def told_of(body):
    """What a push had: for each line its stream, what makes it the same line as another, and its place in the order of its stream."""
    for labels, lines in proxy.entries_of(body):
        for line in lines:
            yield labels, (labels, line), pods.number_of(line.decode(errors="replace"))


def blame(verdict, journal, kills, told=told_of):
    """Every copy that Loki took before the last one of a line was not known to be taken by whoever sent the line again. Why not?"""
    copies = collections.defaultdict(list)   # a line -> pushes that stored it, in their order
    newest = {}                              # labels -> the highest number that came
    for push in sorted((push for push in journal if push.stored and push.body), key=lambda push: push.stored_at):
        for labels, line, number in told(push.body):
            before = copies[line]
            if not before and number is not None:
                if number < newest.get(labels, -1):
                    verdict.arrived_disordered += 1
                newest[labels] = max(number, newest.get(labels, -1))
            before.append(push)
    for pushes in copies.values():
        for push in pushes[:-1]:
            verdict.sent_again[cause_of(push, kills)] += 1


def cause_of(push, kills):
    if not push.answered:
        if push.behaviour in ("mute", "reset-after"):
            return "answer withheld"
        return "in flight at a kill"
    later = [at - push.answered for at in kills if at is not None and at >= push.answered - AT_THE_KILL]
    if not later:
        return "acknowledged, no kill since"
    if min(later) < AT_THE_KILL:
        return "in flight at a kill"
    if min(later) < COMMIT:
        return "acknowledgement not stored yet"
    return "acknowledged long before the kill"
