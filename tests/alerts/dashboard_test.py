#!/usr/bin/env python3
"""examples/dashboard/weir.json: it is what dashboard.py makes, Grafana can load it, and Prometheus can evaluate its expressions.

There is no Grafana here. What is checked of its schema is what it refuses, or draws wrongly without a message.
"""
import json
import pathlib
import re
import subprocess
import tempfile
import unittest

import promtool

DASHBOARD = json.loads((promtool.DASHBOARD / "weir.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
ROWS = ["Overview", "Tail", "Rules", "Spool", "Push", "Process", "Smoke test"]
UNITS = {"s", "short", "bytes", "Bps", "reqps", "percentunit", "dateTimeAsIso"}  # as Grafana spells them


class Dashboard(unittest.TestCase):
    def test_it_is_up_to_date(self):
        done = subprocess.run([promtool.DASHBOARD / "dashboard.py", "--check"], stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_it_has_what_grafana_needs(self):
        self.assertGreaterEqual(DASHBOARD["schemaVersion"], 38)
        self.assertNotIn("id", DASHBOARD)  # Grafana gives one; an import with an id overwrites another dashboard
        self.assertRegex(DASHBOARD["uid"], r"^[A-Za-z0-9_-]{1,40}$")
        self.assertEqual([row["title"] for row in DASHBOARD["panels"] if row["type"] == "row"], ROWS)
        numbers = [panel["id"] for panel in DASHBOARD["panels"]]
        self.assertEqual(len(numbers), len(set(numbers)))
        self.assertEqual({v["name"]: v["type"] for v in DASHBOARD["templating"]["list"]},
                         {"datasource": "datasource", "node": "query", "instance": "query"})
        for panel in PANELS:
            with self.subTest(panel["title"]):
                self.assertIn(panel["type"], ("stat", "timeseries", "table"))
                self.assertEqual(panel["datasource"], {"type": "prometheus", "uid": "${datasource}"})
                self.assertIn(panel["fieldConfig"]["defaults"]["unit"], UNITS)
                self.assertTrue(panel["description"].endswith("."), "its description is a sentence")
                names = [target["refId"] for target in panel["targets"]]
                self.assertTrue(names)
                self.assertEqual(len(names), len(set(names)))
                for target in panel["targets"]:
                    self.assertEqual(target["datasource"], panel["datasource"])
                    self.assertTrue(target["instant"] != target["range"])

    def test_the_panels_do_not_overlap(self):
        taken = {}
        for panel in DASHBOARD["panels"]:
            at = panel["gridPos"]
            self.assertLessEqual(at["x"] + at["w"], 24, panel["title"])
            for x in range(at["x"], at["x"] + at["w"]):
                for y in range(at["y"], at["y"] + at["h"]):
                    self.assertNotIn((x, y), taken, f"{panel['title']} covers {taken.get((x, y))}")
                    taken[x, y] = panel["title"]

    def test_every_query_follows_the_variables(self):
        for panel in PANELS:
            for target in panel["targets"]:
                with self.subTest(panel["title"]):
                    expression = target["expr"]
                    selectors = re.findall(r"\b((?:weir|process)_\w+)(\{[^}]*\})?", expression)
                    self.assertTrue(selectors)
                    for name, labels in selectors:
                        if f"(instance, job) {name}" not in expression:
                            self.assertIn('node=~"$node",instance=~"$instance"', labels, name)
                    self.assertLessEqual(set(re.findall(r"\$\{?(\w+)", expression)),
                                         {"node", "instance", "__rate_interval", "__range"})

    def test_prometheus_accepts_every_expression(self):
        def known(text):
            return text.replace("$__rate_interval", "5m").replace("$__range", "1h").replace("$node", ".*").replace("$instance",
                                                                                                                   ".*")

        rules = [{"record": f"panel:{panel['id']}:{target['refId']}", "expr": known(target["expr"])} for panel in PANELS
                 for target in panel["targets"]]
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "rules.yml"
            file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
            done = promtool.run("check", "rules", file)
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertIn(f"{len(rules)} rules found", done.stdout)

    def test_the_legends_name_labels_that_are_there(self):
        """A legend whose label was summed away shows nothing."""
        for panel in PANELS:
            for target in panel["targets"]:
                kept = re.match(r"(?:topk\(\d+, )?(?:sum|count) by \(([\w, ]+)\)", target["expr"])
                for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                    with self.subTest(panel["title"], label=label):
                        self.assertNotRegex(target["expr"], r"^(?:sum|max|min)\(", "all labels are summed away")
                        self.assertTrue(not kept or label in kept.group(1).split(", "))


if __name__ == "__main__":
    unittest.main()
