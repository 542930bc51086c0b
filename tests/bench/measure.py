"""Runs processes in a pipe and says what they cost: CPU seconds, wall time, peak memory, bytes written to disk."""
import dataclasses
import os
import re
import subprocess
import threading
import time


@dataclasses.dataclass
class Cost:
    """What one process cost. Memory in bytes; `pss` is the largest of samples 10 ms apart, `hwm` the kernel's own peak RSS."""

    name: str
    cpu: float = 0.0
    wall: float = 0.0
    pss: int = 0
    hwm: int = 0
    written: int = 0
    code: int = 0


def pss(pid):
    """PSS in bytes; 0 when the process is gone."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as text:
            return int(re.search(rb"^Pss:\s+(\d+)", text.read(), re.M).group(1)) * 1024
    except (OSError, AttributeError):
        return 0


def high_water(pid):
    try:
        with open(f"/proc/{pid}/status", "rb") as text:
            return int(re.search(rb"^VmHWM:\s+(\d+)", text.read(), re.M).group(1)) * 1024
    except (OSError, AttributeError):
        return 0


def written(pid):
    """Bytes the process caused to be written to a disk."""
    try:
        with open(f"/proc/{pid}/io", "rb") as text:
            return int(re.search(rb"^write_bytes: (\d+)", text.read(), re.M).group(1))
    except (OSError, AttributeError):
        return 0


def cpu(pid):
    """CPU seconds of a running process so far, of the threads that it has now: the scheduler's count, which is exact."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat", "rb") as text:
            total += int(text.read().split()[0])
    return total / 1e9


class Sampler(threading.Thread):
    def __init__(self, costs):
        super().__init__(daemon=True)
        self.costs, self.done = costs, threading.Event()
        self.start()

    def run(self):
        while not self.done.wait(0.01):
            for pid, cost in self.costs.items():
                cost.pss, cost.hwm = max(cost.pss, pss(pid)), max(cost.hwm, high_water(pid))

    def stop(self):
        self.done.set()
        self.join()


def run(commands, names=None, stdin=None, stdout=None, env=None):
    """Runs the commands as a pipe from file `stdin` to file `stdout` (/dev/null without). One Cost each."""
    names = names or [os.path.basename(c[0]) for c in commands]
    start, costs, processes = time.monotonic(), {}, []
    source = open(stdin or os.devnull, "rb")
    with open(stdout or os.devnull, "wb") as target:
        for i, command in enumerate(commands):
            last = i + 1 == len(commands)
            process = subprocess.Popen(command, stdin=source, stdout=target if last else subprocess.PIPE, stderr=subprocess.PIPE, env=env)
            source.close()
            source = process.stdout
            processes.append(process)
            costs[process.pid] = Cost(names[i])
    errors = [[] for _ in processes]
    readers = [threading.Thread(target=lambda p=p, e=e: e.append(p.stderr.read()), daemon=True) for p, e in zip(processes, errors)]
    for reader in readers:
        reader.start()
    sampler = Sampler(costs)
    waiting = {p.pid: p for p in processes}
    while waiting:
        # The process stays a zombie until its counters are read.
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT).si_pid
        if ended not in waiting:
            os.waitpid(ended, 0)
            continue
        cost, process = costs[ended], waiting.pop(ended)
        cost.wall, cost.written = time.monotonic() - start, written(ended)
        _, status, usage = os.wait4(ended, 0)
        cost.cpu = usage.ru_utime + usage.ru_stime
        process.returncode = cost.code = os.waitstatus_to_exitcode(status)
    sampler.stop()
    for reader in readers:
        reader.join()
    for process, text, cost in zip(processes, errors, costs.values()):
        process.stderr.close()
        if cost.code not in (0, 1):
            raise SystemExit(f"{cost.name} ended with {cost.code}: {b''.join(text).decode(errors='replace')[-2000:]}")
    return list(costs.values())


def total(costs):
    """The pipe as a whole: sums, and the longest wall time."""
    return Cost("all", sum(c.cpu for c in costs), max(c.wall for c in costs), sum(c.pss for c in costs), sum(c.hwm for c in costs),
                sum(c.written for c in costs))
