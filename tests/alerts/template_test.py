#!/usr/bin/env python3
"""The templates of alerts: `weir rules unit` and `promtool test rules` expand each of them to the same text."""
import pathlib
import tempfile
import unittest

import promtool
import weir_kit as kit
import yaml

DATA = "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value float64 }"
# template: the value of the alert's expression, and what it becomes
TEMPLATES = [
    ("{{ $value }}", 0.25, "0.25"), ("{{ $value }}", 1e21, "1e+21"), ("{{ $value }}", 1234567, "1.234567e+06"), ("{{ .Value }}", -3, "-3"),
    ("{{ $labels.namespace }} {{ .Labels.namespace }} <{{ $labels.nope }}>", 1, "shop shop <>"), ("{{ $labels }}", 1, "map[namespace:shop]"),
    ("{{ range $k, $v := $labels }}{{ $k }}={{ $v }}{{ end }}", 1, "namespace=shop"), ("{{ $externalLabels.cluster }}", 1, "eu"),
    ("{{ $externalURL }} {{ .ExternalURL }}", 1, "http://h:1/p http://h:1/p"),
    ("{{ if gt $value 2.0 }}a{{ else if gt $value 1.0 }}b{{ else }}c{{ end }}", 1.5, "b"),
    ("{{ with $labels.nope }}a{{ else }}b{{ end }}", 1, "b"), ("{{ $x := $value }}{{ $x }}{{ $x = 2.5 }}{{ $x }}", 1.5, "1.52.5"),
    ("{{ printf \"%.2f %s %5.1f %e %g\" $value $labels.namespace $value $value $value }}", 3.14159, "3.14 shop   3.1 3.141590e+00 3.14159"),
    ("{{ $value | printf \"%.0f\" }}", 41.7, "42"), ("{{ print $value $labels.namespace }} {{ len $labels }}", 1, "1shop 1"),
    ("{{ eq $labels.namespace \"shop\" \"cart\" }} {{ and true $value }} {{ not false }} {{ index $labels \"namespace\" }}", 7, "true 7 true shop"),
    ("{{ html \"<a>\" }} {{ urlquery \"a b\" }} {{ js \"it's\" }} {{ slice \"abcd\" 1 3 }}", 1, "&lt;a&gt; a+b it\\'s bc"),
    ("{{ humanize $value }}", 0, "0"), ("{{ humanize $value }}", 1234567, "1.235M"), ("{{ humanize $value }}", 999.96, "1000"),
    ("{{ humanize $value }}", 0.00123, "1.23m"), ("{{ humanize $value }}", -1500, "-1.5k"), ("{{ humanize $value }}", 1e30, "1e+06Y"),
    ("{{ humanize $value }}", 1e-30, "1e-06y"), ("{{ humanize $value }}", 100, "100"), ("{{ humanize \"2500\" }}", 1, "2.5k"),
    ("{{ humanize1024 $value }}", 1536, "1.5ki"), ("{{ humanize1024 $value }}", 3e6, "2.861Mi"), ("{{ humanize1024 $value }}", 0.5, "0.5"),
    ("{{ humanize1024 $value }}", -1, "-1"), ("{{ humanizeDuration $value }}", 0, "0s"), ("{{ humanizeDuration $value }}", 12.3456, "12.35s"),
    ("{{ humanizeDuration $value }}", 61, "1m 1s"), ("{{ humanizeDuration $value }}", 3600, "1h 0m 0s"),
    ("{{ humanizeDuration $value }}", 90061.9, "1d 1h 1m 1s"), ("{{ humanizeDuration $value }}", -90, "-1m 30s"),
    ("{{ humanizeDuration $value }}", 0.0123, "12.3ms"), ("{{ humanizePercentage $value }}", 0.43217, "43.22%"),
    ("{{ humanizePercentage $value }}", 1000, "1e+05%"), ("{{ humanizeTimestamp $value }}", 1435065584.128, "2015-06-23 13:19:44.128 +0000 UTC"),
    ("{{ toUpper $labels.namespace }} {{ \"ABC\" | toLower }} {{ title \"a bc d\" }}", 1, "SHOP abc A Bc D"),
    ("{{ reReplaceAll \"s(.)op\" \"$1-\" $labels.namespace }} {{ match \"^sh\" $labels.namespace }}", 1, "h- true"),
    ("{{ stripPort \"a.b:80\" }} {{ stripPort \"[::1]:80\" }} {{ stripPort \"::1\" }} {{ stripPort \"a\" }}", 1, "a.b ::1 ::1 a"),
    ("{{ stripDomain \"a.b.c:80\" }} {{ stripDomain \"a.b\" }} {{ stripDomain \"10.0.0.1:80\" }} {{ stripDomain \"10.0.0.1\" }}", 1, "a:80 a 10.0.0.1:80 10.0.0.1"),
    ("{{ parseDuration \"1h30m\" }}", 1, "5400"), ("{{ graphLink \"up > 0\" }} {{ tableLink \"up\" }}", 1,
                                                  "/graph?g0.expr=up+%3E+0&g0.tab=0 /graph?g0.expr=up&g0.tab=1"),
    ("{{ .value }}", 1, "<error expanding template: error executing template ALERT: template: ALERT:1:115: executing \"ALERT\" at <.value>: "
                        f"can't evaluate field value in type {DATA}>"),
    ("{{ safeHtml \"<b>\" }}", 1, "<b>"), ("{{- $value -}} x", 1, "1x"), ("{{/* nothing */}}x", 1, "x"),
]


def rules(expressions):
    return {"groups": [{"name": "g", "rules": [
        {"alert": f"A{i}", "expr": expression, "labels": {"text": template}, "annotations": {"text": template}}
        for i, (expression, (template, _, _)) in enumerate(zip(expressions, TEMPLATES))]}]}


def expectations(alerts):
    """ALERT stands for the name of the template."""
    alerts = [(template, value, text.replace("ALERT", f"__alert_A{i}")) for i, (template, value, text) in enumerate(alerts)]
    return {"external_labels": {"cluster": "eu"}, "external_url": "http://h:1/p", "alert_rule_test": [
        {"eval_time": "1m", "alertname": f"A{i}", "exp_alerts": [{"exp_labels": {"namespace": "shop", "text": text}, "exp_annotations": {"text": text}}]}
        for i, (_, _, text) in enumerate(alerts)]}


class Templates(unittest.TestCase):
    def write(self, name, content):
        (pathlib.Path(self.folder.name) / name).write_text(yaml.safe_dump(content))
        return pathlib.Path(self.folder.name) / name

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def test_promtool(self):
        self.write("rules.yml", rules([f'x * {value!r}' for _, value, _ in TEMPLATES]))
        test = self.write("test.yml", {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [
            dict(expectations(TEMPLATES), interval="1m", input_series=[{"series": 'x{namespace="shop"}', "values": "1 1 1"}])]})
        done = promtool.run("test", "rules", test)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_weir(self):
        expression = 'sum by (namespace) (count_over_time({{namespace="shop"}}[1m])) * {!r}'
        self.write("rules.yml", rules([expression.format(value) for _, value, _ in TEMPLATES]))
        test = self.write("test.yml", {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [
            dict(expectations(TEMPLATES), interval="1m", input_streams=[{"stream": '{namespace="shop"}', "lines": ["x", "x", "x"]}])]})
        self.assertIn(": ok", kit.weir("rules", "unit", test, expect=(0, 1)).decode())


if __name__ == "__main__":
    unittest.main()
