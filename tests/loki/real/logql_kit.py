"""The same records in a real Loki and before weir, for tests that compare what both answer to LogQL queries.

weir is asked in two ways: as `weir query --spool` (of_command) and, for many queries and at one point of time, in one process
(weir_logql_answers, which also checks that what a query prints as parses back to it).

WEIR_TEST_QUERIES=2000 asks more random queries, WEIR_TEST_SEED others.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.parse

import loki_server
import weir_kit as kit

ANSWERS = os.environ.get("WEIR_LOGQL_ANSWERS", "build/release/tests/logql/weir_logql_answers")
SEED = int(os.environ.get("WEIR_TEST_SEED", "1"))
RANDOM = int(os.environ.get("WEIR_TEST_QUERIES", "1000"))
SECOND = 1_000_000_000
# What the data cause: where there are several such errors, it is chance which one is named, and for which series.
OF_DATA = ("pipeline error: ", "found duplicate series ", "multiple matches for labels: ")


def rfc3339(ns):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ns // SECOND)) + f".{ns % SECOND:09d}Z"


class Log:
    """A log query: every entry of [start, end), or with a limit the newest of them, or with `forward` the oldest."""

    def __init__(self, query, start, end, limit=0, forward=False):
        self.query, self.start, self.end, self.limit, self.forward = query, start, end, limit, forward

    def __str__(self):
        return self.query + (f" (the {'oldest' if self.forward else 'newest'} {self.limit})" if self.limit else "")

    def path(self):
        return "query_range", {"query": self.query, "start": self.start, "end": self.end, "limit": self.limit or 5000,
                               "direction": "forward" if self.forward or not self.limit else "backward"}

    def request(self):
        assert not self.limit
        return {"query": self.query, "kind": "log", "start": self.start, "end": self.end}

    def arguments(self):
        limit = ["--limit", str(self.limit)] + ["--forward"] * self.forward if self.limit else []
        return ["--from", rfc3339(self.start), "--to", rfc3339(self.end), *limit]

    @staticmethod
    def of_loki(data):
        entries = []
        for stream in data["result"]:
            for ns, line, extra in stream["values"]:
                entries.append((int(ns), line, pairs(stream["stream"]), pairs(extra.get("structuredMetadata", {})), pairs(extra.get("parsed", {}))))
        return sorted(entries)

    @staticmethod
    def of_answer(answer):
        return sorted((ns, line, pairs(labels), pairs(metadata), pairs(parsed)) for labels, ns, line, metadata, parsed in answer["entries"])

    @staticmethod
    def of_command(lines):
        found = [(kit.nanoseconds(r["timestamp"]), r["line"], pairs(r.get("labels", {})), pairs(r.get("metadata", {})), pairs(r.get("parsed", {})))
                 for r in map(json.loads, lines)]
        return sorted(found) if [entry[0] for entry in found] == sorted(entry[0] for entry in found) else "not in the order of time"


class Range:
    """A metric query at start, start + step, … up to end; step 0 asks at `start` alone. In nanoseconds."""

    def __init__(self, query, start, end=0, step=0):
        self.query, self.start, self.end, self.step = query, start, end, step

    def __str__(self):
        where = f"from {self.start} to {self.end} step {self.step / SECOND}s" if self.step else f"at {self.start}"
        return f"{self.query}\n  {where}"

    def path(self):
        if not self.step:
            return "query", {"query": self.query, "time": self.start}
        return "query_range", {"query": self.query, "start": self.start, "end": self.end, "step": f"{self.step // 1_000_000}ms"}

    def request(self):
        return {"query": self.query, "kind": "range" if self.step else "instant", "start": self.start, "end": self.end, "step": self.step}

    def arguments(self):
        return ["--from", rfc3339(self.start), "--to", rfc3339(self.end), "--step", f"{self.step // 1_000_000}ms"]

    def of_loki(self, data):
        if data["resultType"] == "scalar":
            return data["result"][1]
        series = [(metric(one["metric"]), sorted((round(seconds * 1000), number(value)) for seconds, value in one.get("values") or [one["value"]]))
                  for one in data["result"]]
        return self.ordered(series)

    def of_answer(self, answer):
        if "scalar" in answer:
            return answer["scalar"]
        return self.ordered([(metric(labels), sorted((ms, number(value)) for ms, value in points)) for labels, points in answer["series"]])

    def of_command(self, lines):
        series = {}
        for record in map(json.loads, lines):
            point = (kit.nanoseconds(record["timestamp"]) // 1_000_000, number(str(record["value"])))
            series.setdefault(metric(record.get("labels", {})), []).append(point)
        return self.ordered([(labels, sorted(points)) for labels, points in series.items()])

    def ordered(self, series):
        # The order of an answer is compared where the query asks for one.
        return series if self.query.startswith("sort") and not self.step else sorted(series)


def pairs(labels):
    return tuple(sorted(labels.items()))


def metric(labels):
    # Loki shows labels without a value, which a stage can make; weir leaves them out of series.
    return tuple(sorted((name, value) for name, value in labels.items() if value))


def number(text):
    return "+Inf" if text == "Infinity" else "-Inf" if text == "-Infinity" else text


def close(one, other):
    """Values may differ in their last digits, where Loki adds floats in the order of a hash table."""
    if one == other:
        return True
    if not isinstance(one, list) or not isinstance(other, list) or len(one) != len(other):
        return False
    for (labels, points), (labels2, points2) in zip(one, other):
        if labels != labels2 or len(points) != len(points2):
            return False
        for (ms, value), (ms2, value2) in zip(points, points2):
            if ms != ms2 or (value != value2 and not near(value, value2)):
                return False
    return True


def near(one, other):
    if "N" in one + other or "I" in one + other:
        return False
    a, b = float(one), float(other)
    return abs(a - b) <= 1e-9 * max(abs(a), abs(b)) or abs(a - b) < 1e-12


class Answerer:
    """A process that answers requests over one file of records."""

    def __init__(self, path):
        self.process = subprocess.Popen([ANSWERS, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, encoding="utf-8")
        self.lock = threading.Lock()

    def ask(self, request):
        with self.lock:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        if not answer:
            raise AssertionError(f"weir_logql_answers ended at {request}")
        return json.loads(answer)

    def close(self):
        kit.end(self.process)


class Twins:
    """`rows` of (labels, ns, line, metadata) in a Loki of its own and in a spool."""

    def __init__(self, rows, limits=None):
        self.rows = rows
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="weir-logql-"))
        # Nothing that Loki adds by itself stands in the way of comparing.
        self.loki = loki_server.Loki(limits={"discover_service_name": "[]", "discover_log_levels": "false", **(limits or {})})
        status, text = self.loki.push([(labels, [(ns, line, metadata)]) for labels, ns, line, metadata in rows])
        if status != 204:
            raise AssertionError(f"Loki answers {status} {text} to the records")
        path = self.dir / "records.jsonl"
        path.write_text("".join(json.dumps({"timestamp": str(ns), "line": line, "labels": labels, "metadata": metadata}) + "\n"
                                for labels, ns, line, metadata in rows))
        self.spool = self.dir / "spool.db"
        with open(path, "rb") as stdin:
            subprocess.run([kit.WEIR, "buffer", "--store", self.spool], stdin=stdin, check=True, env=kit.environment())
        self.answerer = Answerer(path)
        times = [ns for _, ns, _, _ in rows]
        everything = Log('{app=~".+"}', min(times), max(times) + 1)
        kit.wait_for(lambda: len(self.of_loki(everything)) == len(rows), "the records are in Loki")

    def close(self):
        self.answerer.close()
        self.loki.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def of_loki(self, ask):
        path, parameters = ask.path()
        status, body = kit.get(f"{self.loki.url}/loki/api/v1/{path}?{urllib.parse.urlencode(parameters)}",
                               {"X-Loki-Response-Encoding-Flags": "categorize-labels"})
        return ask.of_loki(json.loads(body)["data"]) if status == 200 else body.decode()

    def of_process(self, ask):
        answer = self.answerer.ask(ask.request())
        return answer["error"] if "error" in answer else ask.of_answer(answer)

    def of_command(self, ask, where=None):
        where = where or ["--spool", self.spool]
        run = subprocess.run([kit.WEIR, "query", *where, "-o", "jsonl", *ask.arguments(), ask.query], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, env=kit.environment(), check=False)
        if run.returncode not in (0, 1):
            return run.stderr.decode().removeprefix("weir query: ")
        return ask.of_command(run.stdout.splitlines())

    def of_both(self, ask):
        """Of Loki and the spool together."""
        return self.of_command(ask, ["--addr", self.loki.url, "--with-spool", self.spool])

    def differences(self, asks, of_weir):
        """What both answer to each of `asks`, and what differs as text."""
        with concurrent.futures.ThreadPoolExecutor(max_workers=4) as pool:
            answers = list(zip(asks, pool.map(self.of_loki, asks), pool.map(of_weir, asks)))
        return answers, [difference(*answer) for answer in answers if difference(*answer)]


def same_error(want, got):
    first = [re.sub(r"^[0-9]+ errors: ", "", text.split("\n")[0].strip()) for text in (want.strip(), got.strip())]
    if all(text.startswith(OF_DATA) for text in first):
        return True
    # Where Loki says line 0, `weir query` says which it is.
    return first[0] == first[1] or re.sub("at line [01], ", "", first[0]) == re.sub("at line [01], ", "", first[1])


def shown(answer):
    return answer.strip() if isinstance(answer, str) else f"{len(answer)} {'entries or series'}"


def difference(ask, want, got):
    if isinstance(want, str) and isinstance(got, str):
        return "" if same_error(want, got) else f"{ask}\n  Loki: {want.strip()}\n  weir: {got.strip()}"
    if isinstance(want, str) or isinstance(got, str):
        return f"{ask}\n  Loki: {shown(want)}\n  weir: {shown(got)}"
    if want == got or (isinstance(ask, Range) and close(want, got)):
        return ""
    if isinstance(ask, Range):
        want, got = ([(labels, *point) for labels, points in one for point in points] for one in (want, got))
    only = [[entry for entry in one if entry not in other] for one, other in ((want, got), (got, want))]
    return f"{ask}\n  only Loki ({len(only[0])} of {len(want)}): {only[0][:3]}\n  only weir ({len(only[1])} of {len(got)}): {only[1][:3]}"


class Comparison(kit.Case):
    """A test class with `twins`, which a subclass makes in make_twins()."""

    twins = None

    @classmethod
    def setUpClass(cls):
        cls.twins = cls.make_twins()
        cls.addClassCleanup(cls.twins.close)
        print(f"seed {SEED}, {RANDOM} random queries", flush=True)

    def compare(self, asks, of_weir):
        answers, wrong = self.twins.differences(asks, of_weir)
        self.assertEqual(wrong, [], f"{len(wrong)} of {len(asks)} answers differ:\n" + "\n".join(wrong[:25]))
        return answers
