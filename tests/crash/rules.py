"""The rules of a chain under test: what they say, how their files change while it runs, and which of them may have judged a line.

The last digit of a line's number decides which rule means it (a comment at each rule below). Every version of the two files replaces a word
of the line by its number, so what is found tells by which versions it was judged. That rule stands last: what half a file judged is not
stamped.
"""
import dataclasses
import pathlib
import re
import threading
import time

SETTLE = 0.5    # between the two halves of an edit in place there is less
EDIT = 0.2
READ = 1.3      # a version that is on disk so long is read by who runs
EFFECT = 3.0    # and so long after it came it is in force, also on a busy machine; weir promises 1 s, and 1.5 s for an edit in place
STAMPS = re.compile(r"\be-(\d+|none) b-(\d+|none)\b")

PASS, DROP, HOLD = "pass", "drop", "hold"


def digits(which):
    return f'|~ "^[0-9]{{7}}[{which}] "'


@dataclasses.dataclass(frozen=True)
class Variant:
    """What the rules say at a time."""
    drops_7: bool = False  # emergency
    keeps_8: bool = False  # emergency
    holds_5: bool = False  # base

    def action(self, number):
        digit = number % 10
        if digit == 9:
            return DROP
        if digit == 7:
            return DROP if self.drops_7 else PASS
        if digit == 8:
            return PASS if self.keeps_8 else HOLD
        if digit == 5:
            return HOLD if self.holds_5 else PASS
        return HOLD if digit in (4, 6) else PASS


def rfc3339(nanoseconds):
    seconds, rest = divmod(nanoseconds, 10**9)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09d}Z"


@dataclasses.dataclass
class Release:
    """Held records that are asked for. Times in nanoseconds; `before`: what was held when it was asked for."""
    name: str
    which: str             # last digits
    start: int
    end: int
    asked: float = 0.0     # wall clock
    before: set = dataclasses.field(default_factory=set)

    def covers(self, number, nanoseconds):
        return str(number % 10) in self.which and self.start <= nanoseconds < self.end

    def rule(self, run):
        return f'name {self.name}: release from {rfc3339(self.start)} to {rfc3339(self.end)} {{run="{run}"}} {digits(self.which)}\n'


@dataclasses.dataclass(frozen=True)
class State:
    """What both files are, since `since` (wall clock)."""
    since: float
    usable: bool
    emergency: int
    base: int
    variant: Variant


class Files:
    """The two files and all that they ever were. One thread changes them."""

    def __init__(self, folder, run):
        self.run = run
        self.paths = {"emergency": pathlib.Path(folder) / "emergency.rules", "base": pathlib.Path(folder) / "base.rules"}
        self.began = time.time_ns()
        self.versions = {"emergency": 0, "base": 0}
        self.variant, self.release = Variant(), None
        self.states = []
        self.over = threading.Event()  # once set, an edit does not pause
        for name in self.paths:
            self.versions[name] += 1
            self.paths[name].write_text(self.text(name))
        self.note(True)

    def text(self, name):
        number = self.versions[name]
        if name == "emergency":
            return "".join([
                f"# version {number}\n",
                f"keep {digits(3)}\n",  # base drops them
                f'keep for 1h from {rfc3339(self.began)} {{run="{self.run}"}} {digits(8)}\n' if self.variant.keeps_8 else "# nothing more is kept\n",
                f"drop {digits(7)}\n" if self.variant.drops_7 else "",
                f'redact `\\be-none\\b` with "e-{number}"\n'])
        return "".join([
            f"# version {number}\n",
            f"hold {digits(8)}\n",
            f"drop {{pod=~\"pod-.*\"}} {digits('39')}\n",
            'hold | detected_level="debug"\n',  # 4
            f"hold {digits(6)}\n",
            f"hold {digits(5)}\n" if self.variant.holds_5 else "",
            self.release.rule(self.run) if self.release else "",
            f'redact `\\bb-none\\b` with "b-{number}"\n'])

    def note(self, usable):
        self.states.append(State(time.time(), usable, self.versions["emergency"], self.versions["base"], self.variant))

    def change(self, name, variant, how, broken=None):
        """Makes the next version. `how`: rename, in place. `broken`: first the file is of no use for so many seconds: (how, seconds)."""
        path = self.paths[name]
        if broken is not None:
            kind, seconds = broken
            self.note(False)
            if kind == "missing":
                path.unlink()
            elif kind == "empty":
                path.write_text("")
            else:
                self.put(path, self.text(name).replace("drop", "dorp").replace("keep", "kepp"), how)
            self.over.wait(seconds)  # so long the file stays broken
        self.versions[name] += 1
        self.variant = variant
        text = self.text(name)
        # From its first byte on it may be read; a start reads what is there.
        self.note(True)
        if how == "rename":
            self.put(path, text, how)
        else:
            half = text.index("\n", len(text) // 2) + 1
            with open(path, "w", encoding="ascii") as file:
                file.write(text[:half])
                file.flush()
                self.over.wait(EDIT)  # so long there is half a file
                file.write(text[half:])

    @staticmethod
    def put(path, text, how):
        target = path.with_suffix(".new") if how == "rename" else path
        target.write_text(text)
        if how == "rename":
            target.rename(path)

    def allowed(self, written, judged, calm):
        """The states that may have judged a line that was written then and judged for the last time before `judged` (wall clock).
        `calm(begin, end)`: the chain ran all that time."""
        first = 0
        for i, state in enumerate(self.states):
            until = self.states[i + 1].since if i + 1 < len(self.states) else float("inf")
            if state.usable and until - state.since >= READ and state.since + EFFECT <= written and calm(state.since, min(until, written)):
                first = i
        return [state for state in self.states[first:] if state.usable and state.since <= judged]

    def unusable(self, begin, end):
        """Whether a file was of no use at some time between the two."""
        ends = [state.since for state in self.states[1:]] + [float("inf")]
        return any(not state.usable and state.since <= end and until >= begin for state, until in zip(self.states, ends))

    def of_stamps(self, stamps):
        """The state that these stamps name, None if there was none."""
        return next((state for state in self.states if state.usable and (str(state.emergency), str(state.base)) == stamps), None)


class Editor:
    """Changes the files all the time, on a thread of its own."""

    def __init__(self, files, dice, seconds, remembers):
        """`remembers`: a start knows the rules that ran before. Else it must take an empty file for no rules."""
        self.files, self.dice = files, dice
        self.kinds = ["text", "text", "missing"] + (["empty"] if remembers else [])
        self.start = time.monotonic()
        self.seconds = seconds
        self.lock = threading.Lock()
        self.failure = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while not self.files.over.wait(self.dice.uniform(0.6, 2.0)):
                with self.lock:
                    self.edit()
        except Exception as failure:  # the thread's end must not go unseen
            self.failure = failure

    def edit(self):
        dice, variant = self.dice, self.files.variant
        drops = 0.4 * self.seconds <= time.monotonic() - self.start < 0.6 * self.seconds
        name = dice.choice(["emergency", "base"]) if drops == variant.drops_7 else "emergency"
        if name == "emergency":
            variant = dataclasses.replace(variant, drops_7=drops, keeps_8=dice.random() < 0.5)
        else:
            variant = dataclasses.replace(variant, holds_5=dice.random() < 0.5)
        broken = (dice.choice(self.kinds), dice.uniform(0.3, 1.5)) if dice.random() < 0.3 else None
        self.files.change(name, variant, dice.choice(["rename", "in place"]), broken)

    def add(self, release):
        """A rule that releases, which stays."""
        with self.lock:
            self.files.release = release
            self.files.change("base", self.files.variant, "rename")

    def end(self):
        self.files.over.set()
        self.thread.join()
        if self.failure:
            raise self.failure
