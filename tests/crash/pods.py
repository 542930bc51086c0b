#!/usr/bin/env python3
"""Pods that log, and a kubelet that rotates their logs: the world in front of a chain under test.

Lines are written one by one, as a container runtime does: one write() a line, or a part of one. Every line carries its number within
its log and stream, and everything else in it follows from that number, so the truth is no more than how far each stream got.

A process of its own, so that the harness beside it does not slow it down: pods.py FOLDER --seconds 60 --rate 4000 --pods 4 …
Prints the truth as JSON when it ends; SIGTERM ends it early, in good order.
"""
import argparse
import gzip
import hashlib
import json
import os
import pathlib
import random
import re
import signal
import sys
import time

NAMESPACE = "crash"
CONTAINER = "app"
STREAMS = ("stdout", "stderr")
OURS = re.compile(r"(\d{8}) pod-\d+ std(?:out|err) [0-9a-f]{32}")
NO_STAMPS = "e-none b-none"  # see rules.py
DEBUG = 4    # lines whose number ends so are of level debug
PARTIAL = 3  # every so many lines of a pod with split lines has parts


def split_lines(pod):
    """Pods whose runtime splits some lines: every other one."""
    return pod % 2 == 0


def content(pod, stream, number):
    """The line `number` of a stream. Lines that come in parts are long, the others of a log's usual length."""
    seed = hashlib.md5(f"{pod} {stream} {number}".encode()).hexdigest()
    text = f"{number:08d} pod-{pod} {stream} {seed}"
    if split_lines(pod) and number % PARTIAL == 0:
        text += " " + (seed * (2 + int(seed[0], 16) % 8))
    return text


def stamped(text, number):
    """The line for a chain with rules: with two words that the rules replace by which version of them it was, and a level."""
    return f"{text} {NO_STAMPS} level={'debug' if number % 10 == DEBUG else 'info'}"


def number_of(line):
    """The number of a line, None for what is no line of ours."""
    match = OURS.match(line)
    return int(match[1]) if match else None


class Kubelet:
    """Rotation as the kubelet's: what is over is deleted, what is left uncompressed is compressed under a temporary name, the live log is
    renamed, and then the runtime is asked to open a new one. So the newest rotated log is plain and may still grow a little."""

    def __init__(self, size, keep):
        self.size, self.keep = size, keep

    def due(self, log):
        return log.written >= self.size

    def rotate(self, log):
        rotated = sorted(p for p in log.path.parent.iterdir() if p.name.startswith(log.path.name + "."))
        for path in rotated[:max(0, len(rotated) - (self.keep - 2))]:
            path.unlink()
        for path in rotated[max(0, len(rotated) - (self.keep - 2)):]:
            if path.suffix != ".gz":
                self.compress(path)
        # Two rotations within a second would have one name; the kubelet looks every 10 s, so that it never comes to that.
        log.stamp = max(log.stamp + 1, int(time.time()))
        log.path.rename(log.path.with_name(f"{log.path.name}.{time.strftime('%Y%m%d-%H%M%S', time.localtime(log.stamp))}"))

    @staticmethod
    def compress(path):
        temporary = path.with_name(path.name + ".tmp")
        with open(path, "rb") as plain, gzip.open(temporary, "wb", compresslevel=1) as packed:
            packed.write(plain.read())
        temporary.rename(path.with_name(path.name + ".gz"))
        path.unlink()


class Log:
    """One container's log and who writes it."""

    def __init__(self, folder, pod, dice, stamps=False):
        self.pod, self.dice, self.stamps = pod, dice, stamps
        self.path = folder / f"{NAMESPACE}_pod-{pod}_uid-{pod}" / CONTAINER / "0.log"
        self.path.parent.mkdir(parents=True)
        self.numbers = dict.fromkeys(STREAMS, 0)   # lines whose end is written
        self.open_parts = dict.fromkeys(STREAMS, None)  # what is left of a line whose first part is written
        self.stamp = self.rotations = self.bytes = self.last_time = 0
        self.rotated_but_not_reopened = 0
        self.reopen()

    def reopen(self):
        self.file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        self.written = os.fstat(self.file).st_size

    def write(self, stream, tag, text):
        self.last_time = max(self.last_time + 1, time.time_ns())
        seconds, nanoseconds = divmod(self.last_time, 10**9)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
        entry = f"{stamp}.{nanoseconds:09d}Z {stream} {tag} {text}\n".encode()
        os.write(self.file, entry)
        self.written += len(entry)
        self.bytes += len(entry)

    def step(self, finish=False):
        """Writes one entry: a line, or a part of one. Between the parts of a line there may be lines of the other stream."""
        stream = self.dice.choices(STREAMS, (4, 1))[0]
        rest = self.open_parts[stream]
        if rest is None:
            if finish:
                return
            rest = content(self.pod, stream, self.numbers[stream])
            if self.stamps:
                rest = stamped(rest, self.numbers[stream])
            if split_lines(self.pod) and self.numbers[stream] % PARTIAL == 0:
                cut = self.dice.randrange(20, len(rest))
                self.write(stream, "P", rest[:cut])
                self.open_parts[stream] = rest[cut:]
                return
        elif len(rest) > 40 and self.dice.random() < 0.4:
            cut = self.dice.randrange(1, len(rest))
            self.write(stream, "P", rest[:cut])
            self.open_parts[stream] = rest[cut:]
            return
        self.write(stream, "F", rest)
        self.open_parts[stream] = None
        self.numbers[stream] += 1

    def rotate(self, kubelet):
        """The runtime opens its new file a moment after the rename: lines go on into the old one meanwhile."""
        if self.rotated_but_not_reopened > 0:
            self.rotated_but_not_reopened -= 1
            if self.rotated_but_not_reopened == 0:
                os.close(self.file)
                self.reopen()
        elif kubelet.due(self):
            kubelet.rotate(self)
            self.rotations += 1
            self.rotated_but_not_reopened = 1 + self.dice.randrange(4)

    def close(self):
        while any(part is not None for part in self.open_parts.values()):
            self.step(finish=True)
        os.close(self.file)


def run(options):
    folder = pathlib.Path(options.folder)
    dice = random.Random(options.seed)
    # The last pod appears later than the others.
    coming = options.pods - 1 if options.late_at is not None else options.pods
    logs = [Log(folder, pod, random.Random(dice.random()), options.stamps) for pod in range(coming)]
    kubelet = Kubelet(options.rotate_bytes, options.keep)
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    start = time.monotonic()
    lines = entries = 0
    wanted = int(options.seconds * options.rate)
    late = 0.0
    while lines < wanted and not stopped:
        due = start + lines / options.rate
        now = time.monotonic()
        if due > now:
            time.sleep(due - now)
        late = max(late, now - due)
        if coming < options.pods and now - start >= options.late_at:
            logs.append(Log(folder, coming, random.Random(dice.random()), options.stamps))
            coming += 1
        log = logs[entries % len(logs)]
        before = sum(log.numbers.values())
        log.step()
        log.rotate(kubelet)
        entries += 1
        lines += sum(log.numbers.values()) - before
    for log in logs:
        log.close()
    return {
        "streams": {f"{log.pod} {stream}": log.numbers[stream] for log in logs for stream in STREAMS},
        "lines": sum(sum(log.numbers.values()) for log in logs),
        "bytes": sum(log.bytes for log in logs),
        "rotations": [log.rotations for log in logs],
        "seconds": time.monotonic() - start,
        "behind_at_most": late,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, default=4000, help="lines a second, over all pods")
    parser.add_argument("--pods", type=int, default=4)
    parser.add_argument("--rotate-bytes", type=int, default=10**6)
    parser.add_argument("--keep", type=int, default=5, help="files of a log, the live one among them")
    parser.add_argument("--late-at", type=float, help="when the last of the pods appears, in seconds; without it all are there at the start")
    parser.add_argument("--stamps", action="store_true", help="end lines with words that rules replace")
    parser.add_argument("--seed", type=int, default=1)
    json.dump(run(parser.parse_args()), sys.stdout)


if __name__ == "__main__":
    main()
