#!/usr/bin/env python3
"""The same rules and records for Loki's ruler and for `weir query --rules`: the same states, since when, values, labels, annotations.

The ruler evaluates by the clock. So each rule is evaluated by weir at the time of the ruler's latest evaluation, which has the
ruler's own alignment: the times at which alerts became active show it.
"""
import datetime
import json
import pathlib
import subprocess
import tempfile
import time
import unittest

import loki_server
import weir_kit as kit

INTERVAL = 5  # seconds
RULES = r"""
groups:
  - name: states
    interval: 5s
    rules:
      - alert: AtOnce
        expr: sum by (app, level) (count_over_time({app=~".+"} | logfmt | level!="" [40s])) > 2
        labels: {severity: page, level: "{{ $labels.level | toUpper }}", team: "{{ if eq $labels.app \"shop\" }}a{{ else }}b{{ end }}"}
        annotations:
          summary: "{{ $labels.app }}: {{ $value }} lines of level {{ .Labels.level }}, {{ $value | humanize }}"
          absent: "<{{ $labels.nope }}>"
      - alert: Held
        expr: sum by (app, pod) (rate({app="shop"}[40s])) * 1e6
        for: 10s
        annotations: {summary: "{{ humanize $value }}B {{ printf \"%.3f\" $value }} {{ humanize1024 $value }} {{ humanizeDuration $value }}"}
      - alert: Waits
        expr: sum(count_over_time({app="cart"}[10m])) / 3
        for: 1h
        labels: {app: ""}
        annotations: {summary: "{{ humanizePercentage $value }} {{ $value | printf \"%.1f\" }}"}
      - alert: Never
        expr: count_over_time({app="nobody"}[10m]) > 0
      - alert: Absent
        expr: absent_over_time({app="nobody"}[10m])
        annotations: {summary: "no {{ $labels.app }}"}
      - alert: Broken
        expr: vector(1)
        annotations: {summary: "{{ humanize \"x\" }}"}
      - alert: KeptByPrometheusOnly
        expr: sum(count_over_time({app="shop"}[20s])) > 0
        keep_firing_for: 1h
  - name: limits
    interval: 5s
    limit: 1
    rules:
      - alert: OneTooMany
        expr: sum by (app) (count_over_time({app=~".+"}[40s]))
"""
loki = folder = None


def setUpModule():
    global loki, folder
    folder = tempfile.TemporaryDirectory(prefix="weir-ruler-")
    path = pathlib.Path(folder.name) / "rules.yml"
    path.write_text(RULES)
    loki = loki_server.Loki(rules=path)


def tearDownModule():
    loki.stop()
    folder.cleanup()


def nanoseconds(text):
    """Of Go's RFC 3339, in any zone."""
    head, fraction, zone = text, "", "+00:00"
    if head.endswith("Z"):
        head = head[:-1]
    else:
        head, zone = head[:-6], head[-6:]
    if "." in head:
        head, fraction = head.split(".")
    whole = datetime.datetime.fromisoformat(head + zone).timestamp()
    return int(whole) * 10**9 + int((fraction + "0" * 9)[:9])


def of_ruler():
    """name: the rule, as the ruler shows it; {} while it has not evaluated all."""
    status, body = kit.get(f"{loki.url}/prometheus/api/v1/rules")
    if status != 200:
        return {}
    rules = {rule["name"]: rule for group in json.loads(body)["data"]["groups"] for rule in group["rules"]}
    return rules if rules and all(not rule["lastEvaluation"].startswith("0001") for rule in rules.values()) else {}


class States(unittest.TestCase):
    def test_weir_says_what_the_ruler_says(self):
        kit.wait_for(of_ruler, "the ruler evaluates nothing", seconds=120)
        # Lines of the near future: the ruler has them before any of its windows reaches them.
        begin = int(time.time()) + 4
        streams = [({"app": "shop", "pod": f"web-{i}"}, [((begin + i) * 10**9 + n * 10**8, f"level={('error', 'info')[n % 2]} n={n}", {}) for n in range(9)])
                   for i in range(2)]
        streams.append(({"app": "cart", "pod": "db-0"}, [((begin + 1) * 10**9, "level=warn", {}), ((begin + 2) * 10**9, "level=warn", {})]))
        status, body = loki.push(streams)
        self.assertEqual(status, 204, body)
        spool = pathlib.Path(folder.name) / "s.db"
        lines = "".join(json.dumps({"timestamp": kit.stamp_of(at // 10**9, at % 10**9), "line": line, "labels": labels}) + "\n"
                        for labels, rows in streams for at, line, _ in rows)
        subprocess.run([kit.WEIR, "buffer", spool, "--store", "--min-free", "0"], input=lines.encode(), check=True, stderr=subprocess.DEVNULL)

        def fires():
            rules = of_ruler()
            return rules if rules and all(rules[name]["state"] == "firing" for name in ("AtOnce", "Held")) and rules["Waits"]["state"] == "pending" else None

        early = kit.wait_for(fires, "the ruler's alerts do not fire", seconds=60)
        self.compare(early, spool)
        self.assertEqual(early["OneTooMany"]["health"], "err")
        error = [row["error"] for row in self.ask(spool, nanoseconds(early["OneTooMany"]["lastEvaluation"])) if row["rule"] == "OneTooMany"]
        self.assertEqual(error, [early["OneTooMany"]["lastError"]])

        def resolved():
            rules = of_ruler()
            return rules if rules and rules["AtOnce"]["state"] == "inactive" and rules["Held"]["state"] == "inactive" else None

        late = kit.wait_for(resolved, "the ruler's alerts are not resolved", seconds=120)
        self.assertEqual(late["KeptByPrometheusOnly"]["state"], "inactive", "Loki's ruler knows keep_firing_for: take the note out")
        self.compare(late, spool)

    def compare(self, rules, spool):
        phase = {nanoseconds(alert["activeAt"]) % (INTERVAL * 10**9) for rule in rules.values() for alert in rule.get("alerts") or []
                 if rule["name"] not in ("OneTooMany",)}
        self.assertEqual(len(phase), 1, "the evaluations of one group do not have one alignment")
        phase = phase.pop()
        for name, rule in rules.items():
            with self.subTest(name):
                if name == "OneTooMany":
                    continue
                latest = nanoseconds(rule["lastEvaluation"])
                at = latest - (latest - phase) % (INTERVAL * 10**9)
                found = [row for row in self.ask(spool, at) if row["rule"] == name]
                if name == "KeptByPrometheusOnly" and rule["state"] == "inactive":
                    self.assertEqual(found[0]["state"], "firing")
                    continue
                # A rule's state is that of its worst alert; the others may still be pending.
                worst = max((row["state"] for row in found), key=["inactive", "pending", "firing"].index)
                self.assertEqual(worst, rule["state"])
                self.assertEqual(self.comparable_weir(found), self.comparable_ruler(rule.get("alerts") or []))

    def ask(self, spool, at):
        out = kit.weir("query", "--rules", pathlib.Path(folder.name) / "rules.yml", "--spool", spool, "--at", kit.stamp_of(at // 10**9, at % 10**9),
                       "-o", "jsonl", expect=(0, 1, 2))
        return [json.loads(line) for line in out.splitlines()]

    # What was so before the first record (Absent, Broken) began when the ruler did, of which weir knows nothing.
    @staticmethod
    def since(labels, when):
        return "" if labels["alertname"] in ("Absent", "Broken") else when

    def comparable_ruler(self, alerts):
        return sorted((sorted(a["labels"].items()), sorted(a["annotations"].items()), a["state"], float(a["value"]),
                       str(self.since(a["labels"], nanoseconds(a["activeAt"])))) for a in alerts)

    def comparable_weir(self, rows):
        return sorted((sorted(r["labels"].items()), sorted(r["annotations"].items()), r["state"], float(r["value"]),
                       str(self.since(r["labels"], nanoseconds(r["active_at"])))) for r in rows if r["state"] != "inactive")


if __name__ == "__main__":
    unittest.main()
