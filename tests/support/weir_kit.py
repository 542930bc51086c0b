"""What the end-to-end tests, the tests against a real Loki and the benchmarks share: running chains, reading records, an oracle.

The programs come from the environment (ctest sets it): WEIR_BIN, WEIR_PODGEN, WEIR_SINK.
"""
import calendar
import collections
import functools
import gzip
import itertools
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

WEIR = os.environ.get("WEIR_BIN", "build/release/cmd/weir")
PODGEN = os.environ.get("WEIR_PODGEN", "build/release/examples/podgen")
SINK = os.environ.get("WEIR_SINK", "build/release/tests/support/weir_sink")
PATIENCE = float(os.environ.get("WEIR_TEST_PATIENCE", "60"))  # seconds a condition may take


def poll(condition, seconds=PATIENCE, pause=0.02):
    """The first true value of `condition()`, or its last value when `seconds` are over. Between two calls it sleeps for `pause` seconds, later
    for up to 0.08, and never shorter than a call took: the processor is for what is waited for."""
    deadline, longest = time.monotonic() + seconds, max(pause, 0.08)
    while True:
        asked = time.monotonic()
        value = condition()
        now = time.monotonic()
        if value or now > deadline:
            return value
        time.sleep(max(pause, now - asked))
        pause = min(1.2 * pause, longest)


def wait_for(condition, what, seconds=PATIENCE):
    """The first true value of `condition()`. Fails the test with `what` (text, or a function that gives it) if none comes."""
    if not (value := poll(condition, seconds)):
        raise AssertionError(f"waited {seconds:.0f} s in vain: {what() if callable(what) else what}")
    return value


def environment(**changes):
    """The environment of a test's processes: no setting of the user's reaches them."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LOKI_", "WEIR_"))}
    kept.update({k: str(v) for k, v in changes.items()})
    return kept


class Case(unittest.TestCase):
    """A test with a folder of its own, and whose processes die with it."""

    def setUp(self):
        # Without underscores: a folder named a_b_c is one of a pod.
        self.dir = pathlib.Path(tempfile.gettempdir()) / f"weir-e2e-{os.urandom(6).hex()}"
        self.dir.mkdir(mode=0o700)
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def start(self, *args, **kwargs):
        process = subprocess.Popen(args, **kwargs)
        self.addCleanup(end, process)
        return process

    def podgen(self, *args, out=None):
        """Writes a tree and waits; its summary."""
        done = subprocess.run([PODGEN, str(out or self.dir / "pods"), *map(str, args)], check=True, stdout=subprocess.PIPE)
        return json.loads(done.stdout)

    def sink(self, record=None):
        process = self.start(SINK, *(["--record", str(record)] if record else []), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return process.stdout.readline().decode().strip()

    def chain(self, stages, fused, **kwargs):
        chain = Chain(stages, fused, self.dir, **kwargs)
        self.addCleanup(chain.kill)
        return chain

    def run_chain(self, stages, fused, expect=(0,), **kwargs):
        """Runs to the end and checks every exit code. The records' JSON lines on stdout."""
        chain = self.chain(stages, fused, **kwargs)
        codes = chain.wait()
        self.assertTrue(all(code in expect for code in codes), f"{codes} of {stages}\n{chain.errors()}")
        return chain.output()

    def assert_same(self, one, other, names=("pipe", "fused")):
        """The same records with a line for each log and stream, in the same order, byte for byte."""
        a, b = by_log(one), by_log(other)
        self.assertEqual(sorted(a), sorted(b), f"the logs of {names[0]} and {names[1]} differ")
        for key in a:
            if a[key] == b[key]:
                continue
            at = next((i for i, (x, y) in enumerate(zip(a[key], b[key])) if x != y), min(len(a[key]), len(b[key])))
            self.fail(f"{key}: {names[0]} has {len(a[key])} records, {names[1]} {len(b[key])}; they part at {at}:\n"
                      f"  {a[key][at:at + 1]}\n  {b[key][at:at + 1]}")

    def assert_records(self, lines, expected):
        """The JSON lines hold exactly the records of `expected` (as oracle() gives them), in order for each log."""
        found = collections.defaultdict(list)
        for record in records(lines):
            found[key_of(record["labels"])].append((nanoseconds(record["timestamp"]), record["line"]))
        self.assertEqual({k: len(v) for k, v in found.items()}, {k: len(v) for k, v in expected.items() if v})
        for key, want in expected.items():
            if want:
                self.assertEqual(found[key], want, key)


class SinkCase(Case):
    """A test of chains from `pods` through `spool` to a sink at `url`, which writes what it gets to `record`."""

    def setUp(self):
        super().setUp()
        self.pods = self.dir / "pods"
        self.pods.mkdir()
        self.spool = self.dir / "spool.db"
        self.record = self.dir / "sink"
        self.url = self.sink(self.record)

    def both(self, body):
        """Runs `body(fused)` as a pipe and fused, each in a folder of its own."""
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                body(fused)


def end(process):
    if process.poll() is None:
        process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            stream.close()


class Chain:
    """Stages such as "tail -f DIR" as processes in a pipe, or fused in one `weir run`. Standard output goes to a file, or to the descriptor
    `stdout`. `detached`: without the terminal that the tests may run on. `options`: of `weir run`, or else of each stage."""

    count = 0

    def __init__(self, stages, fused, folder, stdin=None, env=None, executable=WEIR, stdout=None, detached=False, options=()):
        Chain.count += 1
        self.stages, self.fused = stages, fused
        self.path = pathlib.Path(folder) / f"out-{Chain.count}"
        self.stderr_paths, self.processes = [], []
        env = environment() if env is None else env
        commands = [[executable, "run", *options, "-c", " | ".join(stages)]] if fused else [[executable, *shlex.split(s), *options] for s in stages]
        previous = open(stdin, "rb") if stdin else subprocess.DEVNULL
        for i, command in enumerate(commands):
            last = i + 1 == len(commands)
            self.stderr_paths.append(self.path.with_name(f"{self.path.name}.err-{i}"))
            with open(self.stderr_paths[-1], "wb") as errors, open(self.path, "wb") if last else open(os.devnull, "wb") as out:
                process = subprocess.Popen(command, stdin=previous, stdout=(stdout or out) if last else subprocess.PIPE, stderr=errors, env=env,
                                           start_new_session=detached)
            if previous is not subprocess.DEVNULL:
                previous.close()
            previous = process.stdout
            self.processes.append(process)

    def signal(self, number, index=None):
        """As a terminal does: to all processes at once; or to one."""
        for i, process in enumerate(self.processes):
            if index in (None, i) and process.poll() is None:
                process.send_signal(number)

    def kill(self, index=None):
        self.signal(signal.SIGKILL, index)
        if index is None:
            for process in self.processes:
                process.wait()

    def stop(self, expect=(0, 143)):
        """Ends a following chain in good order: only the source is asked to stop, the others read to the end."""
        self.signal(signal.SIGTERM, 0)
        codes = self.wait()
        if not all(code in expect for code in codes):
            raise AssertionError(f"{codes} of {self.stages}\n{self.errors()}")

    def wait(self, seconds=None):
        deadline = time.monotonic() + (seconds or 2 * PATIENCE)
        for process in self.processes:
            try:
                process.wait(max(0.01, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                errors = self.errors()
                self.kill()
                raise AssertionError(f"still running: {self.stages}\n{errors}") from None
        return [process.returncode for process in self.processes]

    def running(self):
        return all(process.poll() is None for process in self.processes)

    def output(self):
        return self.path.read_bytes().splitlines(keepends=True)

    def errors(self):
        return "\n".join(f"[{i}] {path.read_text(errors='replace')}" for i, path in enumerate(self.stderr_paths) if path.exists())


def weir(*args, expect=0, env=None, stdin=None):
    """Runs one command to its end; its standard output as bytes. `expect`: the exit code, several of them, or None for any."""
    done = subprocess.run([WEIR, *map(str, args)], stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=env or environment(), check=False)
    if expect is not None and done.returncode not in (expect if isinstance(expect, tuple) else (expect,)):
        raise AssertionError(f"weir {args}: exit {done.returncode}\n{done.stderr.decode(errors='replace')}")
    return done.stdout


def stamp_of(seconds, nanoseconds=0):
    """RFC 3339, as a container runtime writes it. Lines of a fixed day grow old: tail leaves out what is older than --max-age."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanoseconds:09}Z"


def parsed(lines):
    """The value of each JSON line. A thousand at a time: that takes half of the time of one by one."""
    lines = iter(lines)
    while chunk := list(itertools.islice(lines, 1000)):
        values = json.loads(b"[" + b",".join(chunk) + b"]")
        assert len(values) == len(chunk), "a line has more than one value"
        yield from values


def whole_lines(path):
    """The JSON lines of a file that somebody may be writing; an unfinished line at its end does not count."""
    data = path.read_bytes() if path.exists() else b""
    return list(parsed(data[:data.rfind(b"\n") + 1].splitlines()))


def records(lines):
    """The records with a line among JSON lines; markers are left out."""
    return (record for record in parsed(lines) if "line" in record)


def key_of(labels):
    return tuple(labels.get(name, "") for name in ("namespace", "pod", "container", "stream", "filename"))


def by_log(lines):
    """The JSON texts of the records with a line, for each log and stream, in order. What only tracking adds is left out."""
    found = collections.defaultdict(list)
    for text, record in zip(lines := list(lines), parsed(lines)):
        if "line" in record:
            found[key_of(record.get("labels", {}))].append(re.sub(rb',?"source":"[^"]*"', b"", text.rstrip(b"\n")))
    return found


STAMP = re.compile(r"(\d+)-(\d+)-(\d+)[Tt ](\d+):(\d+):(\d+)(?:\.(\d+))?(?:[Zz]|([+-])(\d+):(\d+))$")


def nanoseconds(text):
    """RFC 3339 to nanoseconds since 1970, exactly."""
    year, month, day, hour, minute, second, fraction, sign, zh, zm = STAMP.match(text).groups()
    seconds = calendar.timegm((int(year), int(month), int(day), int(hour), int(minute), int(second)))
    if sign:
        seconds -= (1 if sign == "+" else -1) * (int(zh) * 3600 + int(zm) * 60)
    return seconds * 1_000_000_000 + int((fraction or "0").ljust(9, "0"))


CRI = re.compile(rb"(\S+) (stdout|stderr) (\S+) (.*)", re.S)


def oracle(tree):
    """What a correct reader finds in a pods tree: {(namespace, pod, container, stream, ""): [(nanoseconds, line), …]}.

    Written on its own, after the CRI format: rotated files first, parts joined for each stream, the time of the closing part.
    """
    found = collections.defaultdict(list)
    for container in sorted(p for p in pathlib.Path(tree).glob("*/*") if p.is_dir()):
        namespace, pod, _ = container.parent.name.split("_", 2)
        live = sorted(p for p in container.iterdir() if re.fullmatch(r"\d+\.log", p.name))
        for log in live:
            rotated = sorted(p for p in container.iterdir() if p.name.startswith(log.name + "."))
            opened = {b"stdout": b"", b"stderr": b""}
            for path in [*rotated, log]:
                data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
                for text in data.split(b"\n")[:-1]:
                    stamp, stream, tag, rest = CRI.match(text).groups()
                    opened[stream] += rest
                    if tag.split(b":")[0] != b"P":
                        line = opened[stream].decode("utf-8", "surrogateescape")
                        found[(namespace, pod, container.name, stream.decode(), "")].append((nanoseconds(stamp.decode()), line))
                        opened[stream] = b""
    return found


def truth(path):
    """What podgen --truth wrote, in the form of oracle()."""
    found = collections.defaultdict(list)
    with open(path, "rb") as lines:
        for record in records(lines):
            found[key_of(record["labels"])].append((nanoseconds(record["timestamp"]), record["line"]))
    return found


def keep(expected, wanted):
    """The part of oracle() for which wanted(key, line) holds."""
    return {key: [r for r in rows if wanted(key, r[1])] for key, rows in expected.items()}


def count(expected):
    return sum(map(len, expected.values()))


def get(url, headers=None, data=None):
    """One HTTP exchange: status and body."""
    request = urllib.request.Request(url, data=data, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def sink_stats(url):
    return json.loads(get(url + "/stats")[1])


LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def parse_labels(text):
    """{a="b"} to a dict; values of tests hold no escapes but those JSON shares."""
    return {name: json.loads(f'"{value}"') for name, value in LABEL.findall(text)}


@functools.lru_cache(1000)
def key_and_labels(text):
    """Of the labels of an entry as a sink writes them: key_of() them, and all of them in order. Thousands of entries share theirs."""
    labels = parse_labels(text.encode("latin-1").decode("utf-8"))
    return key_of(labels), tuple(sorted(labels.items()))


def sink_records(path):
    """What a sink recorded, as oracle() gives it, plus (labels, metadata) of each record beside it. A line that it has not yet written to the
    end does not count."""
    found = collections.defaultdict(list)
    with open(path, "rb") as lines:
        for entry in parsed(line for line in lines if line.endswith(b"\n")):
            key, labels = key_and_labels(entry["labels"])
            line = entry["line"].encode("latin-1").decode("utf-8", "surrogateescape")
            found[key].append((entry["timestamp"], line, labels, tuple(sorted(entry["metadata"].items()))))
    return found
