#!/usr/bin/env python3
"""examples/alerts/loki.test.yml: the unit tests of the alerts for Loki's ruler, run by WEIR_BIN. And that they can fail."""
import pathlib
import re
import tempfile
import unittest

import weir_kit as kit

ALERTS = pathlib.Path(__file__).resolve().parents[2] / "examples" / "alerts"
TESTS = ALERTS / "loki.test.yml"


class Units(unittest.TestCase):
    def test_they_pass(self):
        out = kit.weir("rules", "unit", TESTS).decode()
        self.assertRegex(out, r": \d+ expectations in \d+ tests: ok\n$")

    def test_each_alert_fires_and_stays_silent(self):
        text = TESTS.read_text(encoding="utf-8")
        for alert in re.findall(r"- alert: (\w+)", (ALERTS / "loki.rules.yml").read_text(encoding="utf-8")):
            with self.subTest(alert):
                self.assertRegex(text, rf"alertname: {alert}\n +exp_alerts:")
                self.assertRegex(text, rf"eval_time: \w+, alertname: {alert}\}}")

    def test_a_changed_rule_fails_them(self):
        changes = {"> 0.25": "> 0.45", "[1h] offset 15m": "[1h] offset 25m", "> 3e6": "> 5e6", "for: 5m": "for: 7m", "weir_gap_bytes": "weir_gap",
                   "[a-z]://": "[a-z]//", "severity: critical": "severity: page", "hold a password": "hold a secret"}
        rules = (ALERTS / "loki.rules.yml").read_text(encoding="utf-8")
        for old, new in changes.items():
            with self.subTest(old), tempfile.TemporaryDirectory() as folder:
                self.assertIn(old, rules)
                (pathlib.Path(folder) / "loki.rules.yml").write_text(rules.replace(old, new))
                copy = pathlib.Path(folder) / "loki.test.yml"
                copy.write_text(TESTS.read_text(encoding="utf-8"))
                self.assertIn(" failed\n", kit.weir("rules", "unit", copy, expect=1).decode())


if __name__ == "__main__":
    unittest.main()
