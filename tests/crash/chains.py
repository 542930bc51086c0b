"""The chains under test, and a supervisor that starts them again as a shell loop would: `while :; do weir tail … | weir push …; done`."""
import dataclasses
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import weir_kit as kit

PAUSE = 0.1  # between the end of a chain and its next start
HANDLES = 1.0  # seconds from the start of a process until SIGHUP does not end it
HANG = 60    # a chain of which one process died must end by itself within that


def help_of(command):
    return kit.weir(command, "--help").decode()


@dataclasses.dataclass
class Mode:
    name: str
    spool: str            # buffer, spill, store, none, full
    fused: bool

    def available(self):
        """"" or why not."""
        if self.spool == "spill" and "--spill" not in help_of("buffer"):
            return "this weir has no buffer --spill"
        if self.spool == "full" and os.geteuid() != 0:
            return "mounting a small file system needs root"
        return ""

    def pipelines(self, folder, url, front, buffer=""):
        """Lists of stages. `front` stands between tail and whatever keeps the positions; `buffer` are more options of it."""
        kept = folder / "spool" / "spool.db"
        head = [f"tail -f --checkpoint {kept} {folder / 'pods'}", *front]
        push = "push"
        if "--start-jitter" in help_of("push"):
            push += " --start-jitter 0s"  # whoever waits for the end of a test is no thundering herd
        if self.spool == "none":
            return [[*head, f"{push} {url} --checkpoint {kept}"]]
        if self.spool == "store":
            return [[*head, f"buffer {kept} --store{buffer}"], [f"{push} --spool {kept} {url}"]]
        if self.spool == "spill":
            return [[*head, f"buffer {kept} --spill{buffer}", f"{push} {url}"]]
        if self.spool == "full":
            return [[*head, f"buffer {kept} --min-free 0{buffer}", f"{push} {url}"]]
        return [[*head, f"buffer {kept}{buffer}", f"{push} {url}"]]


MODES = [Mode(f"{way}-{spool}", spool, way == "fused") for spool in ("buffer", "spill", "none", "store", "full") for way in ("pipe", "fused")]


@dataclasses.dataclass
class Run:
    """One start of a chain, until it ended."""
    started: float
    processes: list
    killed: list          # indices of the processes that were killed on purpose
    killed_at: float = 0.0
    ended_at: float = 0.0
    hung: bool = False
    stopped: bool = False  # asked to end in good order

    def codes(self):
        return [process.returncode for process in self.processes]


class Supervised:
    """One pipeline (or, fused, all of them in one process) that is started again whenever it has ended, until stop(). Thread safe."""

    def __init__(self, name, commands, folder):
        self.name, self.commands, self.folder = name, commands, folder
        self.lock = threading.Lock()
        self.runs = []
        self.held = False     # not started again until let_go()
        self.ending = False
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.loop, daemon=True)
        self.thread.start()

    def start(self):
        number = len(self.runs)
        processes, previous = [], subprocess.DEVNULL
        for i, command in enumerate(self.commands):
            last = i + 1 == len(self.commands)
            with open(self.folder / f"err-{self.name}-{i}", "ab") as errors:
                errors.write(f"--- start {number}\n".encode())
                errors.flush()
                process = subprocess.Popen(command, stdin=previous, stdout=subprocess.DEVNULL if last else subprocess.PIPE, stderr=errors,
                                           env=kit.environment())
            if previous is not subprocess.DEVNULL:
                previous.close()
            previous = process.stdout
            processes.append(process)
        self.runs.append(Run(time.monotonic(), processes, []))

    def loop(self):
        while True:
            with self.lock:
                if self.ending:
                    break
                if not self.held:
                    self.start()
            self.watch()
            time.sleep(PAUSE)
        self.over.set()

    def watch(self):
        """Until the latest run has ended by itself; a shell waits for every process of a pipe."""
        with self.lock:
            run = self.runs[-1] if self.runs else None
        if run is None or run.ended_at:
            return
        first_end = 0.0
        while True:
            alive = [process for process in run.processes if process.poll() is None]
            now = time.monotonic()
            if not alive:
                break
            if len(alive) < len(run.processes):
                first_end = first_end or now
                if now - first_end > HANG and not run.hung:
                    run.hung = True
                    for process in alive:
                        process.kill()
            time.sleep(0.02)
        run.ended_at = time.monotonic()

    def kill(self, index=None, wait_for_start=True):
        """SIGKILL to one process or to all. The moment of it, or None when nothing ran."""
        deadline = time.monotonic() + 10
        while True:
            with self.lock:
                run = self.runs[-1] if self.runs else None
                if run is not None and not run.ended_at and all(process.poll() is None for process in run.processes):
                    victims = range(len(run.processes)) if index is None else [index % len(run.processes)]
                    for i in victims:
                        run.processes[i].kill()
                    run.killed += victims
                    run.killed_at = time.monotonic()
                    return run.killed_at
            if not wait_for_start or time.monotonic() > deadline:
                return None
            time.sleep(0.01)

    def signal(self, number, stage, old_enough):
        """To the process of this stage (fused: to the one there is), unless it started less than `old_enough` seconds ago. True: sent."""
        with self.lock:
            run = self.runs[-1] if self.runs else None
            if run is None or run.ended_at or time.monotonic() - run.started < old_enough:
                return False
            for command, process in zip(self.commands, run.processes):
                if command[1] in (stage, "run") and process.poll() is None:
                    process.send_signal(number)
                    return True
        return False

    def hold(self):
        with self.lock:
            self.held = True

    def let_go(self):
        with self.lock:
            self.held = False

    def stop(self, patience=90):
        """The source is asked to end, everything else drains. Exit codes of the last run; None when it had to be killed."""
        with self.lock:
            self.ending = True
            run = self.runs[-1] if self.runs else None
            if run is not None and not run.ended_at:
                run.stopped = True
                if run.processes[0].poll() is None:
                    run.processes[0].send_signal(signal.SIGTERM)
        if not self.over.wait(patience):
            for process in run.processes:
                if process.poll() is None:
                    process.kill()
            self.over.wait(5)
            return None
        return run.codes() if run is not None else []

    def end(self):
        """Whatever still runs is killed."""
        with self.lock:
            self.ending = True
            processes = self.runs[-1].processes if self.runs else []
        for process in processes:
            if process.poll() is None:
                process.kill()
        self.over.wait(10)

    def size(self):
        return len(self.commands)


class Books:
    """Reads the metrics of all processes again and again: of every stage, whatever came in is accounted for in each answer."""

    UNACCOUNTED = re.compile(r'^weir_unaccounted_records\{stage="(\w+)"\} (-?[1-9]\d*)$', re.MULTILINE)
    PAUSE = 0.1

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-books-"))  # names of sockets are short
        self.sockets = []
        self.looks, self.wrong = 0, []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.loop, daemon=True)
        self.thread.start()

    def option(self):
        """For one more process, whenever it is started."""
        self.sockets.append(str(self.folder / str(len(self.sockets))))
        return ["--metrics", f"unix:{self.sockets[-1]}"]

    @staticmethod
    def scrape(path):
        """The metrics; what there is of them where the process is killed meanwhile or does not run."""
        text = b""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(5)
            try:
                client.connect(path)
                client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                while piece := client.recv(1 << 16):
                    text += piece
            except OSError:
                pass
        return text.decode(errors="replace").replace("\r\n", "\n")

    def loop(self):
        while not self.over.wait(self.PAUSE):
            for path in list(self.sockets):
                text = self.scrape(path)
                self.looks += "weir_unaccounted_records{" in text
                self.wrong += self.UNACCOUNTED.findall(text)

    def end(self):
        self.over.set()
        self.thread.join()
        shutil.rmtree(self.folder, ignore_errors=True)


def text_of(pipelines):
    return "".join(" | ".join(stages) + "\n" for stages in pipelines)


class Chains:
    """All pipelines of one mode, each with a supervisor of its own, as one."""

    def __init__(self, mode, folder, pipelines):
        self.mode, self.folder = mode, folder
        self.text = folder / "pipeline.weir"
        self.books = Books()
        if mode.fused:
            self.text.write_text(text_of(pipelines))
            parts = [("run", [[kit.WEIR, "run", str(self.text), *self.books.option()]])]
        else:
            parts = [(f"chain{i}", [[kit.WEIR, *shlex.split(stage), *self.books.option()] for stage in stages]) for i, stages in enumerate(pipelines)]
        self.parts = [Supervised(name, commands, folder) for name, commands in parts]

    def kill(self, which, dice):
        """`which`: all, one (a process at random) or tail, push, … by its place from the front. When it was."""
        if which == "all":
            return max((at for at in [part.kill() for part in self.parts] if at), default=None)
        places = [(part, i) for part in self.parts for i in range(part.size())]
        part, index = dice.choice(places)
        return part.kill(index)

    def hang_up(self, stage, text=None):
        """SIGHUP to whoever runs this stage; fused with a new pipeline text, if there is one. True: sent."""
        if self.mode.fused and text is not None:
            fresh = self.text.with_suffix(".new")
            fresh.write_text(text)
            fresh.rename(self.text)
        return any([part.signal(signal.SIGHUP, stage, HANDLES) for part in self.parts])

    def dead(self, seconds):
        for part in self.parts:
            part.hold()
        at = self.kill("all", None)
        time.sleep(seconds)
        for part in self.parts:
            part.let_go()
        return at

    def stop(self):
        """Ends all in good order, what reads logs first. [codes of each part]; None for what hung."""
        return [part.stop() for part in self.parts]

    def end(self):
        for part in self.parts:
            part.end()
        self.books.end()

    def runs(self):
        return [run for part in self.parts for run in part.runs]

    def errors(self):
        return "".join(f"[{path.name}]\n{path.read_text(errors='replace')}" for path in sorted(self.folder.glob("err-*")))


def small_disk(folder, size):
    """A file system of its own at `folder`, and how to end it; raises when it cannot be had."""
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise OSError(f"cannot mount a small file system: {done.stderr.decode().strip()}")
    return lambda: subprocess.run(["umount", "--lazy", str(folder)], check=False)
