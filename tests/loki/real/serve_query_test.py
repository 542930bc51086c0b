#!/usr/bin/env python3
"""The query API of `weir serve` beside a real Loki with the same records: raw requests, and logcli."""
import http.client
import json
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

import logql_queries
import loki_server
import metric_queries
import serve_kit
import serve_requests as requests
import weir_kit as kit

LOGCLI = loki_server.find_logcli()
SECOND = 1_000_000_000
FIRST = int(time.time()) // 60 * 60 * SECOND - 1200 * SECOND


def rfc3339(ns):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ns // SECOND)) + f".{ns % SECOND:09d}Z"


def records():
    """No two have one time: of those the order is open."""
    chooser = random.Random(7)
    rows = []
    for i in range(400):
        labels = {"app": chooser.choice(("shop", "cart")), "pod": chooser.choice("abc"), "namespace": "prod", "id": chooser.choice(("17", "18"))}
        line = chooser.choice((
            json.dumps({"status": chooser.choice((200, 404)), "took": f"{i % 7 + 1}ms", "user": {"id": f"u{i % 3}", "a-b": 1}}),
            f"level=info n={i % 5} ok={chooser.choice(('true', 'false'))} size={i % 4 + 1}KB msg=\"<a & b>\"", f"plain text {i % 20} \u2028\u00e9 \\ \"q\""))
        rows.append((labels, FIRST + i * 2 * SECOND + i * 7, line, {"trace": f"t{i % 4}", "detected_level": chooser.choice(("info", "error"))}))
    return rows


ROWS = records()
START, END = ROWS[0][1], ROWS[-1][1] + 1
TIMES = {"START": START, "END": END, "LONG_AGO": END - 800 * 3600 * SECOND, "BETWEEN": START + 1, "START_SECONDS": f"{START / 1e9:.3f}", "END_SECONDS": END // SECOND,
         "START_RFC": rfc3339(START), "END_RFC": rfc3339(END)}


def setUpModule():
    global loki, serve, folder
    loki = loki_server.Loki(limits={"discover_service_name": "[]", "discover_log_levels": "false"})
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-serve-"))
    status, text = loki.push([(labels, [(ns, line, metadata)]) for labels, ns, line, metadata in ROWS])
    assert status == 204, text
    (folder / "in.jsonl").write_text("".join(json.dumps({"timestamp": str(ns), "line": line, "labels": labels, "metadata": metadata}) + "\n"
                                             for labels, ns, line, metadata in ROWS))
    with open(folder / "in.jsonl", "rb") as stdin:
        subprocess.run([kit.WEIR, "buffer", "--store", "--min-free", "0", folder / "s.db"], stdin=stdin, check=True, env=kit.environment())
    serve = serve_kit.Serve(folder / "s.db", "--read-only")
    kit.wait_for(lambda: loki.counted('{app=~".+"}', 7200, END) == len(ROWS), "the records are in Loki")


def tearDownModule():
    serve.stop()
    loki.stop()
    shutil.rmtree(folder, ignore_errors=True)


def ask(base, path, parameters, headers, method="GET", body=None):
    values = {name: [str(TIMES.get(one, one)) for one in (value if isinstance(value, list) else [value])] for name, value in parameters.items()}
    target = path + ("?" + urllib.parse.urlencode(values, doseq=True) if values and body is None else "")
    if body is not None:
        body = urllib.parse.urlencode(values, doseq=True).encode()
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(base).netloc, timeout=120)
    try:
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type"), answer.read()
    finally:
        connection.close()


def comparable(path, status, kind, body):
    """What must be the same: without what is a matter of time, or of a hash table's order."""
    if not (kind or "").startswith("application/json"):
        text = body.decode()
        if text.startswith("pipeline error: "):  # which of several series is named is chance; the advice behind it is weir's own
            text = re.sub(r"for series: '\{.*\}'", "for series: …", text.splitlines()[0])
        return status, kind, text
    tree = json.loads(body)
    if isinstance(tree.get("data"), dict):
        tree["data"].pop("stats")
        if tree["data"]["resultType"] == "scalar":  # Loki's own time is wrong there
            tree["data"]["result"] = tree["data"]["result"][1]
        elif tree["data"]["resultType"] != "streams":
            for one in tree["data"]["result"]:
                for point in one.get("values") or [one["value"]]:
                    # Loki adds floats in the order of a hash table: the last digits are chance.
                    point[1] = point[1] if "N" in point[1] or "I" in point[1] else float(f"{float(point[1]):.12g}")
    tree.pop("stats", None)
    for name in ("fields", "detectedLabels"):
        if name in tree:
            tree[name].sort(key=lambda one: one["label"])
            for one in tree[name]:
                if one.get("parsers"):
                    one["parsers"].sort()
    if path.endswith("/series") or path.endswith("/values"):
        for name in ("data", "values"):
            if name in tree:
                tree[name].sort(key=lambda one: json.dumps(one, sort_keys=True))
    return status, kind, tree


class Requests(kit.Case):
    def compare(self, asks):
        wrong = []
        for path, parameters, headers in asks:
            of_loki, of_weir = (comparable(path, *ask(one.url, path, parameters, headers)) for one in (loki, serve))
            if of_loki != of_weir:
                wrong.append(f"{path} {parameters} {headers}\n  Loki: {str(of_loki)[:700]}\n  weir: {str(of_weir)[:700]}")
        self.assertEqual(wrong, [], f"{len(wrong)} of {len(asks)} answers differ:\n" + "\n".join(wrong[:20]))

    def test_lines(self):
        self.compare(requests.LINES)

    def test_points(self):
        self.compare(requests.POINTS)

    def test_streams_and_fields(self):
        self.compare(requests.STREAMS)

    def test_refusals(self):
        for path, parameters, headers in requests.REFUSED:
            self.assertGreaterEqual(ask(loki.url, path, parameters, headers)[0], 400, (path, parameters))
        self.compare(requests.REFUSED)

    def test_grafana(self):
        self.compare(requests.GRAFANA)

    def test_formatted_queries(self):
        """As Loki formats them. Where its text is another query, because it lost parentheses or rounded a number, weir's is not."""
        chooser = random.Random(11)
        logs, points = logql_queries.Generator(11), metric_queries.Generator(11)
        queries = list(dict.fromkeys(logql_queries.QUERIES + metric_queries.QUERIES + [logs.query() for _ in range(60)] + [points.vector() for _ in range(120)]))
        long_ones = []
        for query in chooser.sample(logql_queries.QUERIES, 80):
            if "#" not in query and not query.startswith("("):
                long_ones.append(query + chooser.choice((' | line_format "{{.method}} {{.path}} {{.status}}" | decolorize |= "a" != "b"', ' |= "' + 90 * "x" + '" != "y" | json | keep a, b')))
        for query in chooser.sample(metric_queries.QUERIES, 40):
            if "#" not in query:
                long_ones.append(chooser.choice((f'label_replace({query}, "a_long_destination", "$1-$2", "a_long_source", "([a-z]+)-(.*)")',
                                                 f"topk by (namespace, pod, container) (10, {query})", f"sum without (namespace, pod, container, stream) ({query})")))

        def formatted(one, query):
            status, kind, body = ask(one.url, requests.L + "format_query", {"query": query}, {})
            return status, kind, json.loads(body)
        wrong, others, split = [], [], 0
        for query in queries + long_ones:
            of_loki, of_weir = formatted(loki, query), formatted(serve, query)
            if of_weir[0] == 200:
                split += "\n" in of_weir[2]["data"]
                self.assertEqual(formatted(serve, of_weir[2]["data"]), of_weir, query)
                self.assertEqual(formatted(loki, of_weir[2]["data"])[0], 200, query)
            if of_loki == of_weir or (of_loki[0] != 200 and of_loki[0] == of_weir[0]):
                continue
            same_query = of_loki[0] == of_weir[0] == 200 and formatted(serve, of_loki[2]["data"]) == of_weir
            (wrong if same_query or of_loki[0] != of_weir[0] else others).append(f"{query}\n  Loki: {of_loki[2]}\n  weir: {of_weir[2]}")
        self.assertEqual(wrong, [], f"{len(wrong)} of {len(queries + long_ones)} differ:\n" + "\n".join(wrong[:20]))
        self.assertGreater(split, 100)
        self.assertLess(len(others), len(queries + long_ones) / 10, "\n".join(others[:20]))

    def test_posted_forms(self):
        for path, parameters, headers in requests.LINES[:6] + requests.POINTS[:4]:
            form = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
            of_loki, of_weir = (comparable(path, *ask(one.url, path, parameters, form, "POST", b"")) for one in (loki, serve))
            self.assertEqual(of_loki, of_weir, (path, parameters))

    def test_methods(self):
        for method, path in (("PUT", "/loki/api/v1/labels"), ("GET", "/nope")):
            of_loki, of_weir = (ask(one.url, path, {}, {}, method) for one in (loki, serve))
            self.assertEqual(of_loki[0], of_weir[0], (method, path))
            if of_loki[0] == 404:
                self.assertEqual(of_loki[2], of_weir[2])


def run_logcli(one, arguments):
    done = subprocess.run([LOGCLI, "--addr", one.url, "--timezone", "UTC", *arguments], capture_output=True, timeout=120)
    return done.returncode, done.stdout.decode()


@unittest.skipUnless(LOGCLI, "there is no logcli")
class Logcli(kit.Case):
    def test_the_same_output(self):
        window = ["--from", rfc3339(START), "--to", rfc3339(END)]
        every = '{app=~".+"}'
        commands = [["query", *window, every], ["query", *window, "--forward", every], ["query", *window, "--limit", "0", "--batch", "33", every],
                    ["query", *window, "--limit", "150", "--batch", "40", "--forward", every], ["query", *window, "-o", "raw", every],
                    ["query", *window, "-o", "jsonl", "--limit", "100", every + " | json"], ["query", *window, "--no-labels", every],
                    ["query", *window, "--include-common-labels", every + ' |= "status"'], ["query", *window, '{app="nope"}'],
                    ["query", *window, "--step", "1m", "sum by (app) (count_over_time(" + every + "[1m]))"],
                    ["query", *window, "--step", "5m", "rate(" + every + "[5m])"], ["query", *window, "{app="],
                    ["instant-query", "--now", rfc3339(END), "sum by (app, pod) (count_over_time(" + every + "[1h]))"],
                    ["instant-query", "--now", rfc3339(END), every], ["labels", *window], ["labels", *window, "app"],
                    ["detected-fields", *window, "--line-limit", "400", '{app="shop"}'],
                    ["detected-fields", *window, "--line-limit", "400", '{app="shop"}', "status"],
                    ["series", *window, '{app="shop"}'], ["series", *window, "--analyze-labels", every]]
        unordered = ("series", "detected-fields")
        for command in commands:
            with self.subTest(" ".join(command)):
                (code, text), (code2, text2) = (run_logcli(one, command) for one in (loki, serve))
                if command[0] in unordered:
                    text, text2 = (sorted(t.splitlines()) for t in (text, text2))
                self.assertEqual((code, text), (code2, text2))


class StatsAndVolume(kit.Case):
    """Last, since it has Loki write its chunks, which its index counts. Its bytes are estimates, and so is whether a part of a cell at
    the end has any; labels, whole cells and numbers of records are not."""

    @classmethod
    def setUpClass(cls):
        loki.flush()

    @staticmethod
    def shape(result):
        return sorted((sorted(each["metric"].items()), [point[0] for point in each.get("values", []) if str(point[0]).endswith(".999")]) for each in result)

    def test_of_requests(self):
        def stats(one):
            tree = json.loads(ask(one.url, "/loki/api/v1/index/stats", {"query": '{app="shop"}', **requests.TIME}, {})[2])
            return tree["streams"], tree["entries"]
        kit.wait_for(lambda: stats(loki) == stats(serve), "Loki has flushed")
        volumes = [("index/volume", {}), ("index/volume", {"targetLabels": "app,pod"}), ("index/volume", {"targetLabels": "nope"}),
                   ("index/volume", {"aggregateBy": "labels"}), ("index/volume", {"aggregateBy": "labels", "targetLabels": "pod"}),
                   ("index/volume_range", {"step": "5m"}), ("index/volume_range", {"step": "60", "targetLabels": "pod"})]
        for path, parameters in volumes:
            shapes = []
            for one in (loki, serve):
                status, kind, body = ask(one.url, "/loki/api/v1/" + path, {"query": '{app=~".+"}', **requests.TIME, **parameters}, {})
                data = json.loads(body)["data"]
                shapes.append((status, kind, data["resultType"], self.shape(data["result"])))
            self.assertEqual(*shapes, (path, parameters))

    def test_of_logcli(self):
        if not LOGCLI:
            self.skipTest("there is no logcli")
        window = ["--from", rfc3339(START), "--to", rfc3339(END)]
        def numbers(one):
            return [line for line in run_logcli(one, ["stats", *window, '{app="shop"}'])[1].splitlines() if "streams" in line or "entries" in line]
        kit.wait_for(lambda: numbers(loki) == numbers(serve), "Loki has flushed")
        for command in (["volume", *window, '{app=~".+"}'], ["volume_range", *window, "--step", "5m", '{app=~".+"}']):
            shapes = []
            for one in (loki, serve):
                code, text = run_logcli(one, command)
                self.assertEqual(code, 0)
                shapes.append(self.shape(json.loads(text)))
            self.assertEqual(*shapes, command)


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
