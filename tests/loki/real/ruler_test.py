#!/usr/bin/env python3
"""examples/alerts/loki.rules.yml in a real Loki: its ruler takes it, and each expression fires on its logs and on no others."""
import dataclasses
import json
import os
import pathlib
import sys
import time
import unittest

import loki_server
import weir_kit as kit

try:
    import yaml
except ImportError:
    print("SKIPPED: install Debian's python3-yaml", file=sys.stderr)
    sys.exit(1 if os.environ.get("CI") == "true" else 77)

FILE = pathlib.Path(__file__).resolve().parents[3] / "examples" / "alerts" / "loki.rules.yml"
RULES = {rule["alert"]: rule["expr"] for group in yaml.safe_load(FILE.read_text(encoding="utf-8"))["groups"]
         for rule in group["rules"]}
NOW = int(time.time())
MINUTE = 60
loki = None


def setUpModule():
    global loki
    loki = loki_server.Loki(rules=FILE)


def tearDownModule():
    loki.stop()


@dataclasses.dataclass
class Lines:
    namespace: str
    minutes: range     # ago
    each: int = 1      # lines a minute
    text: str = "all is well"
    metadata: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Case:
    alert: str
    lines: list
    fires: set                 # the namespaces for which it fires
    ago: int = 0               # minutes; when it is asked
    change: tuple = ("", "")   # of the expression, so that a test needs fewer lines


# At 160 and more minutes ago nothing is logged; all is within what Loki's ingesters answer by themselves (3 h).
CASES = [
    Case("NoLogsFromNamespace", [Lines("quiet", range(60, 20, -1)), Lines("talks", range(60, 0, -1))], {"quiet"}),
    Case("NoLogsFromNamespace", [Lines("pause", range(60, 0, -5))], set()),
    Case("NoLogsFromRequiredNamespace", [Lines("kube-system", range(60, 30, -1))], {"kube-system"}),
    Case("NoLogsFromRequiredNamespace", [Lines("kube-system", range(60, 0, -1))], set()),
    Case("LinesLostBeforeLoki",
         [Lines("hurt", range(10, 8, -1), text="a gap", metadata={"weir_gap_bytes": "4711"}), Lines("fine", range(10, 0, -1))],
         {"hurt"}),
    Case("LinesLostBeforeLoki",
         [Lines("fine", range(10, 0, -1), text="weir_gap_bytes"), Lines("old", [30], metadata={"weir_gap_bytes": "1"})], set()),
    Case("HighErrorRatio",
         [Lines("bad", range(9, 0, -1), each=8, text="level=error no"),
          Lines("bad", range(9, 0, -1), each=12, text="level=info ok")],
         {"bad"}),
    Case("HighErrorRatio", [Lines("few", range(9, 0, -1), text="level=error no"),
                            Lines("good", range(9, 0, -1), each=20, text="level=info ok"),
                            Lines("good", range(9, 0, -1), text="level=error no")], set()),
    Case("LogFlood", [Lines("flood", range(5, 0, -1), each=10, text="x" * 50000), Lines("calm", range(5, 0, -1), each=10)],
         {"flood"},
         change=("3e6", "3e3")),
    Case("LogFlood", [Lines("calm", range(5, 0, -1), each=10)], set(), change=("3e6", "3e3")),
    Case("CredentialsInLogs", [Lines("leak", range(4, 0, -1), text="connecting to postgres://app:hunter2@db/shop")], {"leak"}),
    Case("CredentialsInLogs", [Lines("shy", range(4, 0, -1), text="postgres://app:****@db/shop https://x.example:8080/a@b")],
         set()),
]


class Ruler(unittest.TestCase):
    def test_it_takes_the_file(self):
        def listed():
            status, body = kit.get(f"{loki.url}/prometheus/api/v1/rules")
            groups = json.loads(body)["data"]["groups"] if status == 200 else []
            return [rule["name"] for group in groups for rule in group["rules"]]

        self.assertEqual(kit.wait_for(listed, "Loki's ruler lists no rules", seconds=90), list(RULES))

    def test_each_fires_and_stays_silent(self):
        for name in RULES:
            self.assertTrue(any(case.alert == name and case.fires for case in CASES), name)
            self.assertTrue(any(case.alert == name and not case.fires for case in CASES), name)
        for number, case in enumerate(CASES):
            with self.subTest(case.alert, number=number):
                # The cases share a Loki, so each has namespaces of its own.
                mark = f"-{number}"
                for lines in case.lines:
                    self.push(lines, mark)
                found = self.ask(case, mark)
                self.assertEqual(found, case.fires)

    def push(self, lines, mark):
        entries = [(int((NOW - minute * MINUTE + i / lines.each) * 1e9), lines.text, lines.metadata) for minute in lines.minutes
                   for i in range(lines.each)]
        labels = {"namespace": lines.namespace + mark, "pod": "web-0", "container": "app", "part": lines.text[:12]}
        status, body = loki.push([(labels, entries)])
        self.assertEqual(status, 204, body)

    def ask(self, case, mark):
        query = RULES[case.alert].replace(*case.change) if case.change[0] else RULES[case.alert]
        if case.change[0]:
            self.assertIn(case.change[0], RULES[case.alert])
        for namespace in ('=~".+"', '="kube-system"'):
            query = query.replace(f"namespace{namespace}", f'namespace{namespace[:-1]}{mark}"')
        self.assertIn(mark, query)
        result = loki.api("query", query=query, time=NOW * 10**9)["result"]
        return {sample["metric"]["namespace"].removesuffix(mark) for sample in result}


if __name__ == "__main__":
    unittest.main()
