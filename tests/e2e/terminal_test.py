#!/usr/bin/env python3
"""What an operator sees: questions to a spool of a quarter of an hour, asked in terminals of 80 and of 200 columns.

tests/cases/terminal/QUESTION holds `question` (a line for bash, with weir on PATH and WEIR_SPOOL set) and, for each width, what the
screen showed then: `80` is its text, `80.color` the same with its colours, as tmux gives them.

  terminal_test.py                        compares
  terminal_test.py --record [QUESTION…]   writes what the screens show now; then look at git diff
"""
import difflib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unicodedata
import unittest

import weir_kit as kit

CASES = pathlib.Path(__file__).resolve().parents[1] / "cases" / "terminal"
WIDTHS = (80, 200)
LINES = 50
END = "(end of the output)"
# What can be read on dark and on light backgrounds; a palette of more colours would be the terminal's own and not the user's.
READABLE = {"0", "1", "2", "31", "32", "33", "35", "36", "39", "49", "94", "95", "22"}

TRACE = """java.lang.IllegalStateException: no stock for sku 4711
\tat com.example.shop.checkout.stock.StockService.reserve(StockService.java:112)
\tat com.example.shop.checkout.order.OrderController.place(OrderController.java:48)
\tat org.springframework.web.method.support.InvocableHandlerMethod.doInvoke(InvocableHandlerMethod.java:205)
Caused by: java.sql.SQLTimeoutException: query took longer than 2000 ms
\tat org.postgresql.jdbc.PgStatement.executeInternal(PgStatement.java:381)
\t... 42 more"""


def records():
    """Fifteen minutes of three pods of a shop and one of the cluster, on the first of May 2026, from 10:00 UTC on."""
    def record(second, line, pod, container, namespace="shop", node="node-a", **labels):
        # A prime number of milliseconds apart, so that no two records have the same time.
        millisecond = second * 7919 % 997
        time = f"2026-05-01T10:{second // 60:02d}:{second % 60:02d}.{millisecond:03d}Z"
        names = {"namespace": namespace, "pod": pod, "container": container, "node": node, "stream": "stdout", **labels}
        return {"timestamp": time, "line": line, "labels": names}

    web, checkout, payments = "web-7d9f8b6c5d-x2v4q", "checkout-5b8c7d4f9-kq8wz", "payments-0"
    found = []
    for second in range(0, 900, 3):
        status = 500 if 400 <= second < 520 and second % 2 else 200
        level = "error" if status == 500 else "info"
        line = {"level": level, "method": "GET", "path": f"/cart/{second % 7}", "status": status, "duration_ms": 5 + second * 31 % 400}
        found.append(record(second, json.dumps(line, separators=(",", ":")), web, "nginx"))
    for second in range(1, 900, 10):
        found.append(record(second, f"level=info msg=\"order placed\" order={10000 + second} items={second % 5 + 1}", checkout, "app", node="node-b"))
    for second in range(404, 520, 17):
        found.append(record(second, f"level=warn msg=\"stock service is slow\" wait={second - 400}ms", checkout, "app", node="node-b"))
    found.append(record(437, TRACE, checkout, "app", node="node-b", stream="stderr"))
    found.append(record(455, "level=fatal msg=\"no connection to the database left, giving up\"", payments, "app", node="node-b"))
    found.append(record(600, "顧客の注文を受け付けました 🎉 e\u0301te\u0301, naïve café: \x1b]0;title\x07 tab\there", payments, "app", node="node-b"))
    long = " ".join(f"header{i}=value-{i * 7919}" for i in range(24))
    found.append(record(700, f"level=info msg=\"request with many headers\" {long}", payments, "app", node="node-b"))
    for second in range(2, 900, 60):
        found.append(record(second, "I0501 reconciled 12 endpoints", "kube-proxy-qz5rt", "kube-proxy", namespace="kube-system"))
    return sorted(found, key=lambda one: one["timestamp"])


def columns(line):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


class Terminals:
    """A tmux server of our own, and a spool with the records."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="weir-terminal-"))
        lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records())
        spool = self.dir / "shop.db"
        subprocess.run([kit.WEIR, "buffer", spool, "--store", "--min-free", "0"], input=lines.encode(), check=True, stderr=subprocess.DEVNULL,
                       env=kit.environment())
        self.tmux = ["tmux", "-S", str(self.dir / "tmux"), "-f", "/dev/null"]
        self.count = 0
        self.environment = kit.environment(
            PATH=f"{pathlib.Path(kit.WEIR).resolve().parent}:{os.environ['PATH']}", HOME=self.dir, TZ="UTC", LC_ALL="C.UTF-8", TERM="xterm")
        for name in ("NO_COLOR", "COLUMNS", "COLORTERM", "TMUX"):
            self.environment.pop(name, None)
        self.environment["WEIR_SPOOL"] = "shop.db"

    def close(self):
        subprocess.run([*self.tmux, "kill-server"], check=False, capture_output=True)
        shutil.rmtree(self.dir, ignore_errors=True)

    def run(self, *args):
        return subprocess.run([*self.tmux, *args], check=True, capture_output=True, text=True, env=self.environment, cwd=self.dir).stdout

    def ask(self, question, width, style="fg=white,bg=black", **changes):
        """What the terminal shows when the command has ended: its text, with colours, and with its wrapped lines joined."""
        self.count += 1
        name = f"ask{self.count}"
        setting = [f"{key}={value}" for key, value in changes.items()]
        self.run("start-server", ";", "set-option", "-s", "exit-empty", "off", ";", "set-option", "-g", "window-style", style, ";", "new-session", "-d", "-s", name, "-x", str(width), "-y", str(LINES),
                 "env", "TERM=tmux-256color", *setting, "bash", "-c", f"{question}\nprintf '{END}'\nread -r")
        capture = ["capture-pane", "-p", "-t", name, "-S", "-"]
        # What was written before it, tmux has read, too. The shell then waits, since a pane whose command has ended may lack the end.
        kit.wait_for(lambda: END in self.run(*capture), lambda: self.run(*capture))
        text, color, joined = (self.run(*capture, *more) for more in ((), ("-e",), ("-J",)))
        self.run("kill-session", "-t", name)
        return [re.sub(r"(?m) +$", "", one[:one.index(END)]) for one in (text, color, joined)]


def questions(names=()):
    return sorted(path.parent for path in CASES.glob("*/question") if not names or path.parent.name in names)


@unittest.skipUnless(shutil.which("tmux") or os.environ.get("CI"), "tmux is not installed")
class Terminal(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.terminals = Terminals()
        cls.addClassCleanup(cls.terminals.close)

    def test_questions(self):
        self.assertGreaterEqual(len(questions()), 10)
        for case in questions():
            for width in WIDTHS:
                with self.subTest(question=case.name, width=width):
                    text, color, joined = self.terminals.ask((case / "question").read_text(), width)
                    for name, got in ((f"{width}", text), (f"{width}.color", color)):
                        want = (case / name).read_text()
                        difference = difflib.unified_diff(want.splitlines(), got.splitlines(), "expected", "seen", lineterm="")
                        self.assertEqual(want, got, f"{case.name}/{name}\n" + "\n".join(difference))
                    # Nothing was too wide, so the terminal itself wrapped no line; messages on standard error it may.
                    for line in joined.splitlines():
                        self.assertTrue(line.startswith("weir query: ") or columns(line) <= width, line)
                    codes = {code for found in re.findall(r"\x1b\[([0-9;]*)m", color) for code in found.split(";")}
                    self.assertLessEqual(codes, READABLE)
                    self.assertNotRegex(re.sub(r"\x1b\[[0-9;]*m", "", color), r"[\x00-\x09\x0b-\x1f\x7f]")

    QUESTION = "weir query -n shop --from '2026-05-01 10:06' --to '2026-05-01 10:09' --limit 40"

    def test_a_light_terminal_gets_the_same(self):
        dark, light = (self.terminals.ask(self.QUESTION, 80, style)[1] for style in ("fg=white,bg=black", "fg=black,bg=white"))
        self.assertEqual(dark, light)
        self.assertIn("\x1b[31m", dark)

    def test_without_colour(self):
        colored, *_ = self.terminals.ask(self.QUESTION, 80)
        for changes in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            text, color, _ = self.terminals.ask(self.QUESTION, 80, **changes)
            self.assertEqual(text, colored)
            self.assertEqual(color, text)

    def test_where_the_locale_has_no_blocks(self):
        text, *_ = self.terminals.ask(self.QUESTION, 80, LC_ALL="C")
        self.assertEqual([c for c in text if ord(c) > 126], [])

    def test_other_zones(self):
        for option, time in (("--timezone Asia/Tokyo", "2026-05-01 19:0"), ("--utc", "2026-05-01 10:0")):
            question = f"weir query -n shop --from '{time}6' --to '{time}9' --limit 3 {option} --no-histogram"
            text, *_ = self.terminals.ask(question, 80, TZ="America/New_York")
            self.assertRegex(text, r"2026-05-01 (JST|UTC)")
            self.assertRegex(text, r"\n(19|10):08:5\d")

    def test_into_a_pipe_nothing_is_wrapped_cut_or_coloured(self):
        def piped(options):
            command = f"{self.QUESTION.replace('--limit 40', '--limit 0')} {options} 2> /dev/null"
            return subprocess.run(["bash", "-c", command], check=True, capture_output=True, env=self.terminals.environment, cwd=self.terminals.dir).stdout
        wanted = [record for record in records() if record["labels"]["namespace"] == "shop" and "10:06" <= record["timestamp"][11:16] < "10:09"]
        text = piped("-o text").decode()
        self.assertNotIn("\x1b", text)
        for record in wanted:
            one_line = record["line"].replace("\n", "\\n")
            self.assertIn(f" {record['labels']['pod']}/{record['labels']['container']} {one_line}", text)
            self.assertIn(record["timestamp"][11:19], text)
        for form in ("csv", "table"):
            self.assertNotIn("\x1b", piped(f"-o {form}").decode())
        self.assertIn("\x1b[31m", piped("--color always").decode())

    def test_csv_can_be_read_back(self):
        import csv
        import io
        command = "weir query -n shop -o csv 2> /dev/null"
        text = subprocess.run(["bash", "-c", command], check=True, capture_output=True, env=self.terminals.environment, cwd=self.terminals.dir).stdout
        rows = list(csv.DictReader(io.StringIO(text.decode(), newline="")))
        wanted = [record for record in records() if record["labels"]["namespace"] == "shop"]
        self.assertEqual([(row["line"], row["pod"], row["stream"]) for row in rows],
                         [(record["line"], record["labels"]["pod"], record["labels"]["stream"]) for record in wanted])
        self.assertEqual({row["other_labels"] for row in rows}, {""})


def record(names):
    terminals = Terminals()
    try:
        for case in questions(names):
            for width in WIDTHS:
                text, color, _ = terminals.ask((case / "question").read_text(), width)
                (case / f"{width}").write_text(text)
                (case / f"{width}.color").write_text(color)
    finally:
        terminals.close()


if __name__ == "__main__":
    if "--record" in sys.argv:
        record([name for name in sys.argv[1:] if name != "--record"])
    else:
        sys.exit(unittest.main(verbosity=2))
