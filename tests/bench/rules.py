"""What rules cost, and how soon a changed file of rules takes effect while records flow."""
import bisect
import contextlib
import fcntl
import os
import pathlib
import re
import shlex
import shutil
import statistics
import subprocess
import threading
import time

import measure
import weir_kit as kit

DROP = 'drop | detected_level="debug"\n'
SPACES = 50     # namespaces
RATE = 50_000   # lines a second while rules change
CHUNK = 500     # lines of one write(2)
KEYS = 100      # every line has one of so many keys, in turn; the rules of a generation drop two of them
APART = 37      # the distance of these two
PIPE = 1 << 20  # bytes, so that what is measured is weir and not this reader


def weir(stage):
    return [kit.WEIR, *shlex.split(stage)]


def rotate(kinds, runs):
    """The median CPU seconds of each kind; the runs alternate, so that another load on the machine hits all of them. kinds: name -> a call
    that runs once and gives its CPU seconds."""
    found = {name: [] for name in kinds}
    for _ in range(runs):
        for name, once in kinds.items():
            found[name].append(once())
    for name, values in found.items():
        print(f"  {name:<66} " + " ".join(f"{v:.3f}" for v in values) + " CPU s", flush=True)
    return {name: statistics.median(values) for name, values in found.items()}


@contextlib.contextmanager
def sink():
    with subprocess.Popen([kit.SINK], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process.stdout.readline().decode().strip()
        process.stdin.close()


def fused(stages, sent=None, name=None):
    """A call that runs the chain into a sink. The entries that the sink got go to sent[name]."""
    def once():
        with sink() as url:
            (cost,) = measure.run([[kit.WEIR, "run", "-c", " | ".join([*stages, f"push {url}"])]], ["weir run"], env=kit.environment())
            if sent is not None:
                sent[name] = kit.sink_stats(url)["entries"]
        return cost.cpu
    return once


def alone(stage, path):
    """A call that runs one stage over a file of JSON lines."""
    def once():
        (cost,) = measure.run([weir(stage)], ["filter"], stdin=path, env=kit.environment())
        return cost.cpu
    return once


def records(stages):
    """How many records with a line come out of a chain."""
    with subprocess.Popen([kit.WEIR, "run", "-c", " | ".join(stages)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          env=kit.environment()) as process:
        return sum(1 for line in process.stdout if b'"line":' in line)


def cost(report, tree, folder, runs):
    report.title("Rules: tail | enrich --level | filter --rules | push into a sink, fused")
    drop, idle = folder / "drop.rules", folder / "idle.rules"
    drop.write_text(DROP)
    idle.write_text('drop | detected_level="none of them"\n')
    stages, sent = [f"tail {tree}", "enrich --level"], {}
    kinds = {"without rules": stages, DROP.strip(): [*stages, f"filter --rules {drop}"],
             "the same, but no record has the level": [*stages, f"filter --rules {idle}"]}
    got = rotate({name: fused(chain, sent, name) for name, chain in kinds.items()}, runs)
    base, dropping, passing = got.values()
    every, kept, all_of_them = sent.values()
    wanted = every - records([*stages, "filter '| detected_level=\"debug\"'"])
    report.check("all records but those of level debug arrive", kept == wanted and all_of_them == every, f"{kept:,} of {every:,}")
    report.figure("with that rule, relative to the chain without rules", dropping / base, "times", limit=1.25)
    report.figure("with a rule that drops none, relative to it", passing / base, "times", limit=1.3)


def many(namespace):
    """Four rules for one namespace. What they take away together is what `drop |= "/healthz"` takes away."""
    here = f'{{namespace="{namespace}"}}'
    return [f'drop {here} |= "/healthz"', f'drop {here} |~ "probe of [a-z]+ failed"', f'drop {here} |= "cache" | detected_level="trace"',
            f'sample 10% {here} |= "keep-alive ping"']


def spread(tree, folder):
    """The tree with its pods spread over the namespaces, as hard links."""
    out = folder / "spread"
    shutil.rmtree(out, ignore_errors=True)
    for i, pod in enumerate(sorted(p for p in pathlib.Path(tree).iterdir() if p.is_dir())):
        name = pod.name.split("_", 1)[1]
        shutil.copytree(pod, out / f"space-{i % SPACES:02d}_{name}", copy_function=os.link)
    return out


def scale(report, tree, folder, runs):
    tree = spread(tree, folder)
    spaces = sorted({p.name.split("_")[0] for p in tree.iterdir()})
    report.title(f"{4 * SPACES} rules over {SPACES} namespaces, of which the logs have {len(spaces)}")
    texts = {"one rule": ['drop |= "/healthz"'],
             f"{4 * SPACES} rules": [rule for i in range(SPACES) for rule in many(f"space-{i:02d}")],
             "one rule of another namespace": many("elsewhere")[:1],
             f"{4 * SPACES} rules of other namespaces": [rule for i in range(SPACES) for rule in many(f"elsewhere-{i:02d}")]}
    files = {}
    for i, (name, rules) in enumerate(texts.items()):
        files[name] = folder / f"many-{i}.rules"
        files[name].write_text("\n".join(rules) + "\n")
    stages, sent = [f"tail {tree}", "enrich --level"], {}
    jsonl = folder / "rules.jsonl"
    measure.run([[kit.WEIR, "run", "-c", " | ".join(stages)]], stdout=jsonl, env=kit.environment())
    whole = rotate({f"chain: {name}": fused([*stages, f"filter --rules {path}"], sent, name) for name, path in files.items()}, runs)
    part = rotate({f"filter: {name}": alone(f"filter --rules {path}", jsonl) for name, path in files.items()}, runs)
    jsonl.unlink()
    shutil.rmtree(tree)
    entries = list(sent.values())
    report.check("one rule and many let the same number pass", entries[0] == entries[1] and entries[2] == entries[3], f"{entries[0]:,}, {entries[2]:,}")
    for what, got in (("the whole chain", whole), ("filter alone", part)):
        one, all_of_them, far, all_far = got.values()
        report.figure(f"{what}: many rules relative to one", all_of_them / one, "times", limit=1.5)
        report.figure(f"{what}: many rules that select no stream, relative to one", all_far / far, "times", limit=1.5)


class Writer(threading.Thread):
    """Numbered lines with keys into one log, at a steady rate. `times`: when each chunk had been written, on CLOCK_MONOTONIC."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.times, self.ended = path, [], threading.Event()

    def run(self):
        begin = time.monotonic()
        with open(self.path, "ab", buffering=0) as log:
            while not self.ended.is_set():
                time.sleep(max(0.0, begin + len(self.times) * CHUNK / RATE - time.monotonic()))
                first = len(self.times) * CHUNK
                log.write(b"".join(b"%d k=%02d a line of an application\n" % (i, i % KEYS) for i in range(first, first + CHUNK)))
                self.times.append(time.monotonic())

    def lines(self):
        return len(self.times) * CHUNK


class Taker(threading.Thread):
    """Everything from a pipe into a file, and at which offset it was when."""

    def __init__(self, descriptor, path):
        super().__init__(daemon=True)
        self.descriptor, self.path, self.offsets, self.times, self.size = descriptor, path, [], [], 0

    def run(self):
        with open(self.path, "wb", buffering=0) as out:
            while data := os.read(self.descriptor, PIPE):
                self.times.append(time.monotonic())
                self.size += len(data)
                self.offsets.append(self.size)
                out.write(data)

    def arrived(self, offset):
        return self.times[bisect.bisect_left(self.offsets, offset)]


def dropped_by(generation):
    first = generation % KEYS
    return first, (first + APART) % KEYS


def generation_text(generation):
    """The two rules that matter stand first and last of twenty: half a set would drop but one of the two keys."""
    first, last = dropped_by(generation)
    between = [f'drop |= "never {generation} {i}"' for i in range(18)]
    return "\n".join([f'drop |= "k={first:02d} "', *between, f'drop |= "k={last:02d} "']) + "\n"


def boundaries(numbers, total, generations):
    """Reads off the numbers that passed which generation judged which lines. Gives [(first number judged by it at the latest, generation)] and the
    lines that no generation explains."""
    found, wrong, current, at = [(0, 0)], [], 0, 0
    by_key = [set(dropped_by(g)) for g in range(generations)]
    for number in range(total):
        passed = at < len(numbers) and numbers[at] == number
        at += passed
        key = number % KEYS
        if passed != (key in by_key[current]):
            continue
        # The rules have changed before this line: to the next set that explains it.
        following = next((g for g in range(current + 1, min(current + 3, generations)) if passed != (key in by_key[g])), None)
        if following is None:
            wrong.append(number)
            continue
        current = following
        found.append((number, current))
    return found, wrong


def changes(report, folder, chained, seconds, count):
    """Changes the rules `count` times in `seconds`."""
    log, rules, errors = folder / "flow.log", folder / "flow.rules", folder / "flow.err"
    taken = folder / "flow.out"
    log.write_bytes(b"")
    rules.write_text(generation_text(0))
    stages = [f"tail -f {log}", f"filter --rules {rules}"]
    reading, writing = os.pipe()
    fcntl.fcntl(reading, fcntl.F_SETPIPE_SZ, PIPE)
    chain = kit.Chain(stages, chained == "fused", folder, stdout=writing, detached=True)
    os.close(writing)
    taker, writer = Taker(reading, taken), Writer(log)
    taker.start()
    changed = {}
    try:
        writer.start()
        kit.wait_for(lambda: taker.size > 0, chain.errors)
        begin = time.monotonic()
        for generation in range(1, count + 1):
            time.sleep(max(0.0, begin + generation * seconds / count - time.monotonic()))
            text = generation_text(generation)
            if generation % 4 == 0:
                rules.write_text(text)  # in place, which counts half a second later
            else:
                fresh = folder / "flow.rules.new"
                fresh.write_text(text)
                os.rename(fresh, rules)
            changed[generation] = time.monotonic()
        time.sleep(2)
        writer.ended.set()
        writer.join()
        total = writer.lines()
        last = b'"line":"%d k=' % (total - 1 - next(i for i in range(KEYS) if (total - 1 - i) % KEYS not in dropped_by(count)))

        def all_came():
            with open(taken, "rb") as out:
                out.seek(max(0, taker.size - 65536))
                return last in out.read()
        kit.wait_for(all_came, chain.errors)
        chain.stop()
    finally:
        chain.kill()
        writer.ended.set()
    taker.join()
    os.close(reading)
    errors.write_text(chain.errors())
    data = taken.read_bytes()
    matches = list(re.finditer(rb'"line":"(\d+) k=', data))
    numbers = [int(m.group(1)) for m in matches]
    offsets = [m.start() for m in matches]
    del matches
    wall = total / (writer.times[-1] - writer.times[0])
    ordered = all(a < b for a, b in zip(numbers, numbers[1:]))
    report.check(f"{chained}: no line twice, all in order", ordered, f"{total:,} lines at {wall:,.0f}/s, {len(numbers):,} passed")
    found, wrong = boundaries(numbers, total, count + 1)
    dropped = total - len(numbers)
    report.check(f"{chained}: each missing line was dropped by the rules of its time", not wrong,
                 f"{dropped:,} dropped" + (f"; not explained: {wrong[:5]}" if wrong else ""))
    # By how much the rules were late: by the records, and by the clock on the wall, output included.
    late, seen, reached = [], [], {g: number for number, g in reversed(found)}
    for generation, at in changed.items():
        number = next((reached[g] for g in range(generation, count + 1) if g in reached), None)
        if number is None:
            report.check(f"{chained}: rules {generation} took effect", False)
            continue
        late.append(max(0.0, writer.times[number // CHUNK] - at))
        # The first that passed at or behind it.
        place = min(bisect.bisect_left(numbers, number), len(offsets) - 1)
        seen.append(max(0.0, taker.arrived(offsets[place] + 1) - at))
    skipped = count - sum(1 for g in reached if g)
    report.figure(f"{chained}: changes", count)
    report.figure(f"{chained}: changes that the next one overtook", skipped, "", limit=0)
    report.figure(f"{chained}: a line written so long after the change still met the old rules, worst", max(late), "s", limit=1)
    report.figure(f"{chained}: from the change to the first record by the new rules, median", statistics.median(seen), "s")
    report.figure(f"{chained}: the same, worst", max(seen), "s", limit=1)
    for path in (log, taken, rules, chain.path):
        path.unlink(missing_ok=True)


def reload(report, folder, seconds, count):
    report.title(f"Rules that change {count} times in {seconds:.0f} s under {RATE:,} lines/s: tail -f | filter --rules")
    for chained in ("pipe", "fused"):
        changes(report, folder, chained, seconds, count)


def run(report, tree, folder, runs, seconds, count):
    cost(report, tree, folder, runs)
    scale(report, tree, folder, runs)
    reload(report, folder, seconds, count)
