#!/usr/bin/env python3
"""The same records in a real Loki and in a spool, the same queries to both: `weir query --spool` answers what Loki answers.

The rest of LogQL in weir (filter, replay, --match) is the same library. WEIR_TEST_QUERIES=2000 asks more random queries,
WEIR_TEST_SEED others.
"""
import collections
import concurrent.futures
import json
import os
import random
import subprocess
import sys
import time
import unittest
import urllib.parse

import loki_server
import weir_kit as kit

NOW = int(time.time()) * 1_000_000_000
START, END = NOW - 1800 * 1_000_000_000, NOW + 60 * 1_000_000_000
SEED = int(os.environ.get("WEIR_TEST_SEED", "1"))
RANDOM = int(os.environ.get("WEIR_TEST_QUERIES", "150"))
loki = None

LINES = [
    '{"level":"error","msg":"boom","status":500,"took":"1.5s","size":"10KB","ip":"10.0.0.1","a":{"b":{"c":1},"d":[1,{"e":"x"}]}}',
    '{"level":"info","msg":"fine","status":"200","took":"250ms","size":"1.5KiB","ip":"192.168.4.7","user id":7,"9x":true}',
    '{"level":"warn","status":"4o4","took":"1d","size":"12 parsecs","ip":"none","msg":null,"lvl":"w","app":"inner","tid":"inner"}',
    '{"a":"1","a":"2","b":"","c":"caf\\u00e9 \\ud83d\\ude00","d":"tab\\there","e":1e3,"f":-0.0,"__error__x":"y"}',
    '{"cut off":"yes","level":"error","status":1', '{"level":"error"} trailing', '[1,2,{"level":"x"}]', '"text"', '{', '{}', '',
    '{"_entry":"the packed line","app":"shop","level":"error","n":5}', '{"_entry":"","k":"1","k":"2"}', '{"x":["q\\"uote",2],"x":{"y":3}}',
    'level=error msg="it broke" status=500 took=1.5s size=10KB ip=10.0.0.1 user=bob', 'level=info status=200 took=90ms empty= flag "quoted key"=1',
    'msg="it\\\'s" level=info', 'pair="\\ud83d\\ude00" msg="\\ud800" user="\\udc00x" a="\\ud800\\u0041" b="\\ud800\\ud83d\\ude00"', 'msg="\\x41" a="\\ud8" k="tab\there \\n"',
    'level=warn msg="unterminated', 'a=1 a=2 app=logfmt tid=logfmt b="\\u00e9\\n"', '= =x ="y" k==v', 'ünï=cödé 9x=1 a.b=c',
    '10.0.0.5 - alice [2026-01-01] "GET /api/v1/users HTTP/1.1" 200 1234', '192.168.4.7 - - [2026-01-01] "POST /login HTTP/1.1" 503 9',
    'fe80::1 said hello', 'addresses ::1', '1.2.3.4.5 and 1.2.3.4', 'ERROR: something failed', 'Error', 'an error', 'warning ahead', 'INFO',
    '\x1b[31merror\x1b[0m in colour', 'foo bar baz', 'foo <_> baz', 'x', 'K', 'straße STRASSE', '  blanks  ', 'line\nof two', 'tab\there', '😀 ünïcode',
    '/api/v1/users?id=5', 'back\\slash', '"quotes" and `ticks`', 'x' * 3000,
]
LABELS = [{"app": "x"}, {"app": "shop", "pod": "web-0"}, {"app": "shop", "pod": "web-1", "lvl": "L"}, {"app": "a|b", "level": "stream", "status": "7"}]
METADATA = [{}, {"tid": "T1"}, {"tid": "T2", "level": "meta", "took": "3s"}, {"app": "meta", "user": "carol", "size": "5 MB"}]

# Every form of stage; what is special about a query stands in it. Not among them: `size > 1536B`, which Loki itself writes as 1.5kB on
# the way to its parts and so rounds to 1500; what templates cut within a character; details of errors in templates.
QUERIES = [
    '{app=~".+"}', '{app="shop"}', '{app="shop", pod!="web-0"}', '{app=~"x|shop", pod!~"web-1"}', '{app!="x", app!=""}', '{app=~"(?i)SHOP"}', '{app=~"sh"}', '{app="a|b"}',
    '{app=~".+", pod=""}', '{app=~".+"} # a comment', '{app=~".+"} |= "error"', '{app=~".+"} |= "error" != "boom"', '{app=~".+"} |= "boom" or "fine"',
    '{app=~".+"} != "error" or "info"', '{app=~".+"} |~ "(?i)error"', '{app=~".+"} |~ "err|warn"', '{app=~".+"} !~ "^x"', '{app=~".+"} |~ "^$"', '{app=~".+"} |~ "two$"',
    '{app=~".+"} |~ "line.of"', '{app=~".+"} |~ "(?s)line.of"', '{app=~".+"} |= "" or "x"', '{app=~".+"} |~ ".*" or "boom"', '{app=~".+"} |~ "(?i)straße"', '{app=~".+"} |~ "(?i)k"',
    '{app=~".+"} |> "foo <_> baz"', '{app=~".+"} !> "<_>error<_>"', '{app=~".+"} |> "<_>"', '{app=~".+"} |= ip("10.0.0.0/8")', '{app=~".+"} != ip("1.2.3.4")',
    '{app=~".+"} |= ip("192.168.4.5-192.168.4.20")', '{app=~".+"} |= ip("::1")', '{app=~".+"} |= ip("fe80::/10")', '{app=~".+"} |= ip("10.0.0.1") or "x"',
    '{app=~".+"} |= "x" or ip("10.0.0.1")', '{app=~".+"} | tid="T1"', '{app=~".+"} | tid=""', '{app=~".+"} | tid=~"T."', '{app=~".+"} | app_extracted="meta"', '{app=~".+"} | level="stream"',
    '{app=~".+"} | status > 5', '{app=~".+"} | took >= 3s', '{app=~".+"} | size > 1MB', '{app=~".+"} | json', '{app=~".+"} | json | level="error"',
    '{app=~".+"} | json | status >= 500', '{app=~".+"} | json | status >= 500 | __error__=""', '{app=~".+"} | json | __error__="JSONParserErr"', '{app=~".+"} | json | __error__=~".+"',
    '{app=~".+"} | json | took > 300ms', '{app=~".+"} | json | took > 1s or size < 1KB', '{app=~".+"} | json | size >= 1KiB', '{app=~".+"} | json | size <= 1.2MiB',
    '{app=~".+"} | json | ip=ip("10.0.0.0/8")', '{app=~".+"} | json | ip!=ip("10.0.0.0/8")', '{app=~".+"} | json | (status=500 or status=200), level=~"e.*|info"',
    '{app=~".+"} | json | status=500 and level="error" or msg="fine"', '{app=~".+"} | json | level=~"err|error"', '{app=~".+"} | json | level=~"e.*"', '{app=~".+"} | json | level!~"warn|warning"',
    '{app=~".+"} | json | a_b_c=1', '{app=~".+"} | json x="a.b.c", y="a.d[1].e", z="[\\"user id\\"]"', '{app=~".+"} | json x="x.y", q="x"', '{app=~".+"} | json level, nope', '{app=~".+"} | json app, tid',
    '{app=~".+"} | json a="_entry", a2="a[0]"', '{app=~".+"} | json | json level="zz"', '{app=~".+"} | drop app | json app="zz"', '{app=~".+"} | lvl="" | json',
    '{app=~".+"} | json | label_format level="{{.level | upper}}" | level="ERROR"', '{app=~".+"} | logfmt', '{app=~".+"} | logfmt --strict', '{app=~".+"} | logfmt --keep-empty',
    '{app=~".+"} | logfmt --strict --keep-empty', '{app=~".+"} | logfmt --strict|= "a"', '{app=~".+"} | logfmt | status=500', '{app=~".+"} | logfmt lvl="level", msg', '{app=~".+"} | logfmt --strict a, app, tid',
    '{app=~".+"} | logfmt | logfmt x="level"', '{app=~".+"} | logfmt a | logfmt a="level", x="a"', '{app=~".+"} | logfmt | __error__=""', '{app=~".+"} | logfmt | msg=""', '{app=~".+"} | logfmt a, msg, user | msg=""', '{app=~".+"} | logfmt | a=" A"', '{app=~".+"} | __error__="" | logfmt --strict',
    '{app=~".+"} | pattern `<ip> - <user> [<_>] "<method> <path> <_>" <status> <size>`', '{app=~".+"} | pattern `<_>=<a> <rest>` | a!=""', '{app=~".+"} | pattern `<app>:<msg>`',
    '{app=~".+"} | regexp `(?P<method>GET|POST) (?P<path>\\S+)`', '{app=~".+"} | regexp `(?P<app>e)(?P<opt>zz)?`', '{app=~".+"} | regexp `(?i)(?P<level>error|warn)` | level!=""',
    '{app=~".+"} | unpack', '{app=~".+"} | unpack |= "packed"', '{app=~".+"} | unpack | k="2"', '{app=~".+"} | json | unpack | level="error"', '{app=~".+"} | decolorize', '{app=~".+"} | decolorize |= "m in"',
    '{app=~".+"} | line_format "{{.level}}"', '{app=~".+"} | json | line_format "{{.level | upper}} {{.msg}}" |= "ERROR"', '{app=~".+"} | line_format "{{__line__}}" | decolorize |= "error in"',
    '{app=~".+"} | json | line_format "{{.__error__}}"', '{app=~".+"} | json | line_format "{{.__error__}}!"', '{app=~".+"} | line_format "{{ div 1 0 }}"', '{app=~".+"} | json | line_format "{{ .took | duration }} {{ .size | bytes }}"',
    '{app=~".+"} | line_format `{{ __timestamp__ | unixEpochNanos }} {{ regexReplaceAll "\\\\d" __line__ "N" }}`', '{app=~".+"} | json | line_format `{{ if eq .level "error" }}E{{ else }}-{{ end }} {{ printf "%-6s|%q" .level .msg }}`',
    '{app=~".+"} | line_format "{{ __line__ | alignRight 8 | lower }}"', '{app=~".+"} |= "{" | line_format "{{ range $k, $v := fromJson __line__ }}{{ $k }}={{ $v }};{{ end }}"', '{app=~".+"} | json | label_format l=level, m="{{.msg}}!"',
    '{app=~".+"} | label_format app="changed"', '{app=~".+"} | label_format pod=app', '{app=~".+"} | json | label_format level=msg, msg=level', '{app=~".+"} | drop pod, tid', '{app=~".+"} | drop app=~"sh.*", tid="T1"',
    '{app=~".+"} | json | drop __error__', '{app=~".+"} | json | drop __error__, __error_details__', '{app=~".+"} | keep app', '{app=~".+"} | json | keep level="error", status', '{app=~".+"} | keep nope',
    '({app="shop"} |= "error")', '{app=~".+"} | json | ip="10.0.0.1" | size="10KB" | duration="" | count=""', "{app=~\".+\"}\n  | json\n  |= `error`",
]
# Loki answers a stage that cannot be built (a wrong regular expression, say) with 200 and no entries while they are in its ingester,
# so only what its parser refuses can be compared here; the texts of the others are in tests/logql.
REFUSED = [
    '{', '{app}', '{app="x"', '{app="x"} |', '{app="x"} |=', '{app="x"} foo', '{app="x"} "foo"', '{app="x"} | json |', '{app="x"} | status >', '{app="x"} | jsn', "{app='x'}",
    '{app=~"("}', '{app="x"} | regexp "x"', '{app="x"} | regexp "(?P<ü>x)"', '{app="x"} | pattern "<a><b>"', '{app="x"} | pattern "x"',
    '{app="x"} | by="x"', '{app="x"} ]', '{app="x"} | a > "5"', '{app="x"} | a=5kk', '{app="x",}', '{app="x"} | json a=', '{app="x"} |= "a" or', '{app="x"} | drop', '{app="x"}\n| json\n| status >> 5',
]


class Generator:
    """Random pipelines out of what LINES hold."""

    names = ("app", "pod", "lvl", "level", "status", "took", "size", "ip", "tid", "user", "msg", "a", "a_b_c", "x", "k", "app_extracted", "level_extracted", "__error__", "nope")
    values = ("", "x", "error", "shop", "500", "7", "1.5s", "10KB", "T1", "10.0.0.1", "stream", "meta", "boom", "JSONParserErr", "a|b")
    regexes = ("error", "err|error", ".*", ".+", "e.*", "(?i)ERROR", "a|b", "", "[0-9]+", "^web", "200|500", ".*o.*", "shop|x")
    templates = ("{{.level}}", "{{.msg}}-{{.a}}", "{{__line__}}", "x", "{{ .status | add 1 }}", "{{ .nope }}", "{{ .took | duration }}", "{{ __line__ | lower }}", "{{.__error__}}")
    paths = ("level", "a.b.c", "a", "x", "x[0]", "a.d[0]", "app", "_entry", "status", "msg")
    keys = ("level", "status", "a", "app", "msg", "nope", "k", "tid")

    def __init__(self, seed):
        self.random = random.Random(seed)

    def one(self, choices):
        return self.random.choice(choices)

    def several(self, make):
        return ", ".join(make() for _ in range(self.random.randint(1, 3)))

    def extractions(self, sources):
        # Which of two labels for one key gets its value is Loki's whim.
        count = self.random.randint(1, 3)
        targets = self.random.sample([name for name in self.names if name != "__error__"], count)
        return ", ".join(f'{name}="{source}"' for name, source in zip(targets, self.random.sample(sources, count)))

    def matcher(self):
        op = self.one(("=", "!=", "=~", "!~"))
        return f"{self.one(self.names)}{op}{json.dumps(self.one(self.regexes if '~' in op else self.values))}"

    def label_filter(self, depth=0):
        kind = self.random.random()
        if depth < 2 and kind < 0.25:
            text = self.label_filter(depth + 1) + self.one((" and ", ", ", " or ")) + self.label_filter(depth + 1)
            return f"({text})"
        if kind < 0.6:
            return self.matcher()
        if kind < 0.7:
            return f'{self.one(self.names)}{self.one(("=", "!="))}ip("10.0.0.0/8")'
        return f'{self.one(self.names)} {self.one(("==", "!=", ">", ">=", "<", "<="))} {self.one(("5", "500", "1s", "300ms", "1KB", "1KiB", "10KB", "-1"))}'

    def stage(self):
        kind = self.random.random()
        if kind < 0.25:
            op = self.one(("|=", "!=", "|~", "!~"))
            choices = self.regexes if "~" in op else self.values
            return op + " " + " or ".join(json.dumps(self.one(choices)) for _ in range(self.one((1, 1, 1, 2))))
        if kind < 0.5:
            return "| " + self.label_filter()
        return self.one((
            lambda: "| json", lambda: "| logfmt" + self.one(("", " --strict", " --keep-empty")), lambda: "| unpack", lambda: "| decolorize",
            lambda: "| json " + self.extractions(self.paths), lambda: "| logfmt " + self.extractions(self.keys),
            lambda: '| regexp "(?P<level>err|warn)(?P<x>or)?"', lambda: '| pattern "<ip> - <user> <_>"',
            lambda: "| line_format " + json.dumps(self.one(self.templates)),
            lambda: f"| label_format {self.one(self.names[:-2])}={self.one(self.names[:-2])}, z={json.dumps(self.one(self.templates))}",
            lambda: "| " + self.one(("drop ", "keep ")) + self.several(lambda: self.one((self.one(self.names), self.matcher()))),
        ))()

    def query(self):
        return '{app=~".+"} ' + " ".join(self.stage() for _ in range(self.random.randint(1, 4)))


def records():
    chooser = random.Random(7)
    return [(chooser.choice(LABELS), NOW - i * 1_000_000_000, line, chooser.choice(METADATA)) for i, line in enumerate(LINES * 3)]


def entry(labels, ns, line, metadata, parsed):
    return json.dumps([sorted(labels.items()), ns, line, sorted(metadata.items()), sorted(parsed.items())])


def setUpModule():
    global loki
    # Nothing that Loki adds by itself stands in the way of comparing.
    loki = loki_server.Loki(limits={"discover_service_name": "[]", "discover_log_levels": "false"})


def tearDownModule():
    if loki:
        loki.stop()


class LogQl(kit.Case):
    def setUp(self):
        super().setUp()
        self.spool = self.dir / "spool.db"
        rows = records()
        status, text = loki.push([(labels, [(ns, line, metadata)]) for labels, ns, line, metadata in rows])
        self.assertEqual((status, text), (204, b""))
        path = self.dir / "in.jsonl"
        path.write_text("".join(json.dumps({"timestamp": str(ns), "line": line, "labels": labels, "metadata": metadata}) + "\n"
                                for labels, ns, line, metadata in rows))
        with open(path, "rb") as stdin:
            kit.weir("buffer", "--store", self.spool, stdin=stdin)
        self.assertEqual(len(self.of_weir('{app=~".+"}')), len(set(self.of_weir('{app=~".+"}'))))
        kit.wait_for(lambda: self.of_loki('{app=~".+"}') == self.of_weir('{app=~".+"}'), "the records are in Loki")

    def ask_loki(self, query):
        parameters = urllib.parse.urlencode({"query": query, "start": START, "end": END, "limit": 5000, "direction": "forward"})
        return kit.get(f"{loki.url}/loki/api/v1/query_range?{parameters}", {"X-Loki-Response-Encoding-Flags": "categorize-labels"})

    def of_loki(self, query):
        status, body = self.ask_loki(query)
        if status != 200:
            return body.decode()
        found = []
        for stream in json.loads(body)["data"]["result"]:
            for ns, line, extra in stream["values"]:
                found.append(entry(stream["stream"], int(ns), line, extra.get("structuredMetadata", {}), extra.get("parsed", {})))
        return collections.Counter(found)

    def of_weir(self, query):
        run = subprocess.run([kit.WEIR, "query", "--spool", self.spool, "-o", "jsonl", query], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             env=kit.environment(), check=False)
        if run.returncode not in (0, 1):
            return run.stderr.decode()
        return collections.Counter(entry(r.get("labels", {}), kit.nanoseconds(r["timestamp"]), r["line"], r.get("metadata", {}), r.get("parsed", {}))
                                   for r in map(json.loads, run.stdout.splitlines()))

    def compare(self, queries):
        with concurrent.futures.ThreadPoolExecutor(max_workers=4) as pool:
            answers = list(zip(queries, pool.map(self.of_loki, queries), pool.map(self.of_weir, queries)))
        wrong = []
        for query, want, got in answers:
            if isinstance(want, str) or isinstance(got, str):
                if want != got:
                    wrong.append(f"{query}\n  Loki: {want if isinstance(want, str) else f'{sum(want.values())} entries'}\n  weir: {got if isinstance(got, str) else f'{sum(got.values())} entries'}")
            elif want != got:
                wrong.append(f"{query}\n  only Loki: {list((want - got).elements())[:3]}\n  only weir: {list((got - want).elements())[:3]}")
        self.assertEqual(wrong, [], f"{len(wrong)} of {len(queries)} answers differ:\n" + "\n".join(wrong[:20]))
        return answers

    def test_every_form(self):
        answers = self.compare(QUERIES)
        refused = [query for query, want, _ in answers if isinstance(want, str)]
        self.assertEqual(refused, [])
        # A query that passes nothing, or everything unchanged, would compare nothing.
        everything = len(records())
        telling = [query for query, want, _ in answers if 0 < sum(want.values()) and (sum(want.values()) < everything or "|" in query)]
        self.assertGreater(len(telling), len(QUERIES) * 0.8)

    def test_random_pipelines(self):
        generator = Generator(SEED)
        queries = [generator.query() for _ in range(RANDOM)]
        # A refusal is compared by test_refusals.
        accepted = [query for query in queries if self.ask_loki(query)[0] == 200]
        self.assertGreater(len(accepted), RANDOM * 0.7)
        self.compare(accepted)

    def test_refusals(self):
        """What Loki refuses is refused, in its words; the caret's lines follow."""
        for query in REFUSED:
            with self.subTest(query=query):
                status, body = self.ask_loki(query)
                self.assertEqual(status, 400, body)
                run = subprocess.run([kit.WEIR, "query", "--spool", self.spool, query], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                     env=kit.environment(), check=False)
                self.assertEqual(run.returncode, 2, run.stderr)
                self.assertEqual(run.stderr.decode().splitlines()[0], f"weir query: {body.decode()}", query)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
