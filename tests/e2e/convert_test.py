#!/usr/bin/env python3
"""What `weir convert promtail` writes is what `weir run` reads, and does what the configuration says."""
import json
import os
import pathlib
import subprocess
import unittest

import weir_kit as kit

CLIENT = 'clients: [{url: "http://127.0.0.1:1/loki/api/v1/push"}]\n'
FILES = "scrape_configs:\n- job_name: j\n  static_configs: [{labels: {job: j, __path__: %s/logs/*.log}}]\n  pipeline_stages:\n"
PODS = """scrape_configs:
- job_name: pods
  pipeline_stages: [cri: {}]
  kubernetes_sd_configs: [role: pod]
  relabel_configs:
  - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
  - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
  - {source_labels: [__meta_kubernetes_pod_container_name], target_label: container}
  - {source_labels: [__meta_kubernetes_pod_label_team], target_label: team}
  - {source_labels: [__meta_kubernetes_namespace], action: drop, regex: "kube-.*"}
  - {source_labels: [__meta_kubernetes_pod_uid, __meta_kubernetes_pod_container_name], separator: /, replacement: "/var/log/pods/*$1/*.log", target_label: __path__}
"""
STAGES = {
    "labels": '  - json: {expressions: {level: , app: "k8s.app"}}\n  - labels: {level: , app: }\n',
    "times": "  - json: {expressions: {ts: time}}\n  - timestamp: {source: ts, format: UnixMs, fallback_formats: [RFC3339], action_on_failure: skip}\n",
    "drops": '  - drop: {expression: "debug|trace"}\n  - drop: {longer_than: 10}\n  - drop: {older_than: 24h}\n  - logfmt: {mapping: {level: }}\n  - drop: {source: level, value: info}\n',
    "replaces": "  - replace: {expression: 'password=(\\S+)', replace: '***'}\n  - decolorize:\n",
    "cuts": "  - regex: {expression: '^(?P<app>\\S+) (?P<msg>.*)$'}\n  - labels: {app: }\n  - output: {source: msg}\n  - logfmt: {mapping: {level: }}\n  - labels: {level: }\n",
    "limits": "  - limit: {rate: 10, burst: 20, drop: true}\n  - sampling: {rate: 0.5}\n",
    "multiline": "  - multiline: {firstline: '^\\S'}\n",
    "tenants": "  - match: {selector: '{filename=~\".*a.*\"}', stages: [{tenant: {value: team-a}}]}\n  - labelallow: [job]\n",
}


class Convert(kit.Case):
    def convert(self, text, *options, exit_code=0):
        file = self.dir / "promtail.yaml"
        # Of a Promtail that ran here: --check asks for it.
        (self.dir / "positions.yaml").write_text("positions: {}\n", encoding="ascii")
        file.write_text(f"{text}positions: {{filename: {self.dir}/positions.yaml}}\n", encoding="utf-8")
        out = self.dir / "out"
        done = subprocess.run([kit.WEIR, "convert", "promtail", file, "--output-dir", out, "--state-dir", self.dir, "--overwrite", *options],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, env=kit.environment())
        self.assertEqual(done.returncode, exit_code, done.stderr.decode())
        return out / "node.weir", done.stderr.decode()

    def check(self, file):
        done = subprocess.run([kit.WEIR, "run", "--check", file], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, env=kit.environment(NODE_NAME="n"))
        self.assertEqual(done.returncode, 0, f"{file.read_text()}\n{done.stderr.decode()}")

    def test_each_stage_gives_what_run_accepts(self):
        (self.dir / "logs").mkdir()
        (self.dir / "logs" / "a.log").write_text("one\n")
        for name, stages in STAGES.items():
            with self.subTest(stages=name):
                file, _ = self.convert(CLIENT + FILES % self.dir + stages)
                self.check(file)

    def test_pods_give_what_run_accepts(self):
        if not pathlib.Path("/var/log/pods").is_dir():
            self.skipTest("there is no /var/log/pods here")
        file, _ = self.convert(CLIENT + PODS)
        self.check(file)

    def records(self, stages, lines):
        """What the chain in front of the buffer makes of these lines."""
        logs = self.dir / "logs"
        logs.mkdir(exist_ok=True)
        (logs / "a.log").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        file, _ = self.convert(CLIENT + FILES % self.dir + stages)
        text = file.read_text(encoding="utf-8").replace("tail -f", "tail")
        text = text[:text.index("|\n  buffer")].rstrip()
        done = subprocess.run([kit.WEIR, "run", "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, env=kit.environment())
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return kit.records(done.stdout.splitlines())

    def test_labels_and_metadata(self):
        found = self.records(STAGES["labels"], ['{"level":"warn","k8s":{"app":"shop"}}', "no json"])
        file = str(self.dir / "logs" / "a.log")
        self.assertEqual([r["labels"] for r in found], [{"job": "j", "filename": file, "level": "warn", "app": "shop"}, {"job": "j", "filename": file}])

    def test_the_second_format_of_a_time_counts_where_the_first_does_not_fit(self):
        found = self.records(STAGES["times"], ['{"time":1767323045000}', '{"time":"2026-01-02T03:04:06Z"}'])
        self.assertEqual([r["timestamp"] for r in found], ["2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z"])

    def test_drops(self):
        found = self.records(STAGES["drops"], ["a debug", "longer than ten", "level=info", "level=warn", "short"])
        self.assertEqual([r["line"] for r in found], ["level=warn", "short"])

    def test_old_lines_are_dropped(self):
        stages = "  - json: {expressions: {ts: t}}\n  - timestamp: {source: ts, format: RFC3339, action_on_failure: skip}\n  - drop: {older_than: 24h}\n"
        self.assertEqual([r["line"] for r in self.records(stages, ['{"t":"2026-01-02T03:04:06Z"}', "new"])], ["new"])

    def test_replacements(self):
        found = self.records(STAGES["replaces"], ["u=a password=secret x", "\x1b[31mred\x1b[0m"])
        self.assertEqual([r["line"] for r in found], ["u=a password=*** x", "red"])

    def test_a_line_is_cut_and_what_follows_reads_the_new_one(self):
        found = self.records(STAGES["cuts"], ["shop level=warn x", "alone"])
        self.assertEqual([(r["line"], r["labels"].get("app"), r["labels"].get("level")) for r in found], [("level=warn x", "shop", "warn"), ("alone", None, None)])

    def test_what_is_missing_is_said_with_its_line(self):
        _, said = self.convert(CLIENT + FILES % self.dir + "  - pack: {labels: [a]}\n", exit_code=1)
        self.assertIn("promtail.yaml:6:", said)
        self.assertIn("not expressible: scrape_configs[0].pipeline_stages[0].pack", said)

    def test_machines_read_json(self):
        (self.dir / "p.yaml").write_text(CLIENT + FILES % self.dir + "  - drop: {expression: x}\n  - geoip: {db: x}\n")
        done = subprocess.run([kit.WEIR, "convert", "promtail", self.dir / "p.yaml", "-o", "json"], stdout=subprocess.PIPE, check=False, env=kit.environment())
        made = json.loads(done.stdout)
        self.assertEqual((done.returncode, made["complete"], made["rules"][0]["file"]), (1, False, "rules"))
        self.assertIn("drop |~ `x`\n", made["rules"][0]["text"])
        self.assertEqual([f["line"] for f in made["findings"] if f["severity"] == "not expressible"], [7])

    def test_files_stay_unless_told(self):
        file, _ = self.convert(CLIENT + FILES % self.dir + STAGES["multiline"])
        before = file.read_text()
        done = subprocess.run([kit.WEIR, "convert", "promtail", self.dir / "promtail.yaml", "--output-dir", file.parent], stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 4)
        self.assertIn("it exists", done.stderr.decode())
        self.assertEqual(file.read_text(), before)
        self.assertEqual(os.stat(file).st_mode & 0o777, 0o644)


if __name__ == "__main__":
    unittest.main()
