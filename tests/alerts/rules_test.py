#!/usr/bin/env python3
"""The alerts of examples/alerts under promtool: each one fires and stays silent, and its texts can be followed.

The commands in the runbooks are compared with the help of WEIR_BIN.
"""
import dataclasses
import json
import pathlib
import re
import subprocess
import tempfile
import unittest

import promtool
import weir_kit as kit

TARGET = {"instance": "node-1:9123", "job": "weir"}


@dataclasses.dataclass
class Case:
    alert: str
    series: dict               # name, or name{labels}, to values in promtool's notation; a sample a minute
    silent: tuple = ()         # minutes at which nothing fires
    fires: tuple = ()          # minutes at which it fires
    summary: str = ""          # of what fires
    labels: dict = dataclasses.field(default_factory=dict)  # of what fires, beside those of the target
    target: dict = dataclasses.field(default_factory=lambda: TARGET)


def responses(**rates):
    """So many more of each code a minute, for an hour."""
    return {f'weir_push_responses_total{{code="{code.strip("_")}"}}': f"0+{rate}x60" for code, rate in rates.items()}


def buckets(**at_most):
    """So many more requests a minute that took at most so many seconds."""
    return {f'weir_push_request_duration_seconds_bucket{{le="{bound.strip("_").replace("_", ".")}"}}': f"0+{rate}x60"
            for bound, rate in at_most.items()}


LIMITED = "weir_push_rate_limited_requests_total"
REJECTED = 'weir_push_rejected_records_total{reason="too_far_behind"}'
UNKNOWN, ENRICHED = "weir_enrich_unknown_records_total", "weir_enrich_input_records_total"
ROOM = 'weir_blocked_seconds_total{on="room"}'
WRITTEN = "weir_metrics_file_written_timestamp_seconds"
EXPIRES = 'weir_filter_rule_expires_timestamp_seconds{rule="debug-checkout"}'
ABSENT_NODE = {f'kube_node_info{{node="{node}",instance="ksm:8080",job="kube-state-metrics"}}': "1x60" for node in ("a", "b")}
FAILED, PASSED = 'weir_smoke_finished_runs_total{result="bad"}', 'weir_smoke_finished_runs_total{result="good"}'
SUCCEEDED = "weir_smoke_last_success_timestamp_seconds"

CASES = [
    Case("WeirDeliveryDelayed", {"weir_buffer_oldest_undelivered_seconds": "0+60x20"}, silent=(5, 10), fires=(11, 20),
         summary="Log records wait for delivery on node-1:9123"),
    Case("WeirDeliveryDelayed", {"weir_push_oldest_unsent_seconds": "0+60x20"}, silent=(10,), fires=(11,),
         summary="Log records wait for delivery on node-1:9123"),
    Case("WeirDeliveryDelayed", {"weir_buffer_oldest_undelivered_seconds": "290x30", "weir_push_oldest_unsent_seconds": "290x30"},
         silent=(30,)),
    Case("WeirDeliveryDelayed", {"weir_buffer_oldest_undelivered_seconds": "0+60x8 0x20"}, silent=(8, 11, 20)),  # Loki came back
    Case("WeirDeliveryCriticallyDelayed", {"weir_buffer_oldest_undelivered_seconds": "0+60x60"}, silent=(45, 50), fires=(51,),
         summary="Log records wait for delivery for more than 45 minutes on node-1:9123"),
    Case("WeirDeliveryCriticallyDelayed", {"weir_push_oldest_unsent_seconds": "2600x60"}, silent=(60,)),
    Case("WeirPushErrors", responses(_204=3, error=2), silent=(5,), fires=(15,),
         summary="Push requests to Loki fail on node-1:9123"),
    Case("WeirPushErrors", responses(error=1), fires=(15,), summary="Push requests to Loki fail on node-1:9123"),
    Case("WeirPushErrors", responses(_204=1, _503=1), fires=(15,), summary="Push requests to Loki fail on node-1:9123"),
    Case("WeirPushErrors", responses(_204=1, _429=8, _400=2), silent=(30, 60)),
    Case("WeirPushErrors", responses(_204=100, _500=2), silent=(30, 60)),
    Case("WeirPushRateLimited", {**responses(_204=4, _429=1), LIMITED: "0+1x60"}, silent=(10,), fires=(20,),
         summary="Loki limits the rate of node-1:9123"),
    Case("WeirPushRateLimited", {**responses(_204=50, _429=1), LIMITED: "0+1x60"}, silent=(30, 60)),
    Case("WeirPushRateLimited", {**responses(_204=50), LIMITED: "0x60"}, silent=(30,)),
    Case("WeirPushSlow", buckets(_1=0, _5=60, Inf=60), silent=(10,), fires=(20,),
         summary="Push requests to Loki are slow on node-1:9123"),
    Case("WeirPushSlow", buckets(_0_5=60, _1=60, _5=60, Inf=60), silent=(30,)),
    Case("WeirRecordsRejected", {REJECTED: "0x20 7x60"}, silent=(20,), fires=(22,), labels={"reason": "too_far_behind"},
         summary="Loki refuses records of node-1:9123 for good: too_far_behind"),
    Case("WeirRecordsRejected", {REJECTED: "_x20 7x60"}, silent=(19, 40), fires=(21,), labels={"reason": "too_far_behind"},
         summary="Loki refuses records of node-1:9123 for good: too_far_behind"),
    Case("WeirRecordsRejected", {REJECTED: "7x60"}, silent=(30, 60)),  # long ago
    Case("WeirSpoolFillingUp", {"weir_buffer_full_seconds": "7200-60x120"}, silent=(59, 70), fires=(71, 110),
         summary="The spool of node-1:9123 is going to be full"),
    Case("WeirSpoolFillingUp", {"weir_buffer_full_seconds": "0x30"}, fires=(10,),
         summary="The spool of node-1:9123 is going to be full"),
    Case("WeirSpoolFillingUp", {"weir_buffer_full_seconds": "1e12x20 1800x8 1e12x20"}, silent=(10, 28, 40)),  # a burst
    Case("WeirSpoolFull", {ROOM: "0+60x30"}, silent=(3,), fires=(12,), labels={"on": "room"},
         summary="The spool of node-1:9123 is full and reading has stopped"),
    Case("WeirSpoolFull", {ROOM: "0+5x30", 'weir_blocked_seconds_total{on="disk"}': "0+60x30"}, silent=(12, 30)),
    Case("WeirSpoolEvicting", {"weir_buffer_evicted_records_total": "0x10 500x30"}, silent=(10, 30), fires=(12,),
         summary="The spool of node-1:9123 evicts undelivered records"),
    Case("WeirSpoolEvicting", {"weir_buffer_evicted_records_total": "0x30"}, silent=(1, 30)),
    Case("WeirPositionsNotStored", {"weir_buffer_store_failures_total": "0+1x30"}, silent=(3,), fires=(10,),
         summary="node-1:9123 cannot write its spool or its positions"),
    Case("WeirPositionsNotStored", {"weir_push_checkpoint_failures_total": "0+1x30"}, fires=(10,),
         summary="node-1:9123 cannot write its spool or its positions"),
    Case("WeirPositionsNotStored", {"weir_buffer_store_failures_total": "3x30", "weir_push_checkpoint_failures_total": "0x30"},
         silent=(10, 30)),
    Case("WeirTailGap", {"weir_tail_lost_parts_total": "0x10 2x30"}, silent=(10, 30), fires=(12,),
         summary="Parts of logs were lost on node-1:9123 before they were read"),
    # Found at the start, before the first scrape; and a restart, which begins to count again.
    Case("WeirTailGap", {"weir_tail_lost_parts_total": "1x30"}, fires=(0, 14), silent=(16, 30),
         summary="Parts of logs were lost on node-1:9123 before they were read"),
    Case("WeirTailGap", {"weir_tail_lost_parts_total": "9x20 1x30"}, silent=(19,), fires=(22,),
         summary="Parts of logs were lost on node-1:9123 before they were read"),
    Case("WeirTailGap", {"weir_tail_lost_parts_total": "0x30"}, silent=(1, 30)),
    Case("WeirTailLagging", {"weir_tail_oldest_unread_seconds": "400x20"}, silent=(9,), fires=(10,),
         summary="Reading of logs is behind on node-1:9123"),
    Case("WeirTailLagging", {"weir_tail_oldest_unread_seconds": "400x8 20x20"}, silent=(8, 20)),
    Case("WeirTailUnreadBytes", {"weir_tail_unread_bytes": "500e6x20"}, silent=(9,), fires=(10,),
         summary="Much of the logs is not read yet on node-1:9123"),
    Case("WeirTailUnreadBytes", {"weir_tail_unread_bytes": "200e6x20"}, silent=(20,)),
    Case("WeirFileNotTailed", {"weir_tail_unreadable_files_total": "0x10 1x80"}, silent=(10, 80), fires=(12, 60),
         summary="Log files cannot be read on node-1:9123"),
    Case("WeirFileNotTailed", {"weir_tail_unreadable_files_total": "1x80"}, fires=(0,), silent=(70,),
         summary="Log files cannot be read on node-1:9123"),
    Case("WeirRulesReloadFailed", {"weir_filter_rules_broken_files": "0x5 1x20"}, silent=(5, 6), fires=(7, 20),
         summary="Changed rules are not in use on node-1:9123"),
    Case("WeirRulesReloadFailed", {"weir_filter_rules_broken_files": "0x20"}, silent=(20,)),
    Case("WeirPipelinesReloadFailed", {"weir_run_broken_texts": "0x5 1x20"}, silent=(5, 6), fires=(7, 20),
         summary="A changed pipeline file is not in use on node-1:9123"),
    Case("WeirPipelinesReloadFailed", {"weir_run_broken_texts": "0x20"}, silent=(20,)),
    Case("WeirTemporaryRuleActive", {EXPIRES: "1200x40"}, fires=(0, 19), silent=(20, 40), labels={"rule": "debug-checkout"},
         summary="The temporary rule debug-checkout is active on node-1:9123"),
    Case("WeirReloadDropsTooMuch", {"weir_filter_reload_dropped_ratio": "0x5 0.93x20"}, silent=(5,), fires=(6, 20),
         summary="Changed rules drop more than half of the records on node-1:9123"),
    Case("WeirReloadDropsTooMuch", {"weir_filter_reload_dropped_ratio": "0.4x20"}, silent=(20,)),
    Case("WeirMetadataMissing", {UNKNOWN: "0+10x40", ENRICHED: "0+100x40"}, silent=(10,), fires=(20,),
         summary="Records lack the labels of their pod on node-1:9123"),
    Case("WeirMetadataMissing", {UNKNOWN: "0+1x40", ENRICHED: "0+100x40"}, silent=(40,)),
    Case("WeirMetadataMissing", {UNKNOWN: "0+100x40", ENRICHED: "0+100x40"}, silent=(40,)),  # a chain without pods
    Case("WeirMetadataMissing", {UNKNOWN: "0x40", ENRICHED: "0x40"}, silent=(40,)),
    # A chain that asks for pods and hears of none.
    Case("WeirMetadataMissing", {UNKNOWN: "0+100x40", ENRICHED: "0+100x40", "weir_enrich_known_pods": "0x40"}, silent=(10,), fires=(20,),
         summary="Records lack the labels of their pod on node-1:9123"),
    Case("WeirPodsUnreachable", {"weir_enrich_unreachable_pod_sources": "0x5 1x40"}, silent=(5, 19), fires=(21,),
         summary="weir cannot ask for pods on node-1:9123"),
    Case("WeirPodsUnreachable", {"weir_enrich_unreachable_pod_sources": "1x10 0x20"}, silent=(10, 16, 25)),
    Case("WeirDown", {"up": "1x5 0x20"}, silent=(5, 9), fires=(11,), summary="weir does not answer on node-1:9123"),
    Case("WeirDown", {"up": "0x20"}, fires=(5,), summary="weir does not answer on 10.0.0.7:9123",
         target={"instance": "10.0.0.7:9123", "job": "logging/weir"}),
    Case("WeirDown", {"up": "0x20"}, silent=(20,), target={"instance": "node-1:9100", "job": "node"}),
    Case("WeirAbsentOnNode", {**ABSENT_NODE, 'weir_build_info{version="1",node="a"}': "1x60"}, silent=(14,), fires=(16,),
         labels={"node": "b"}, target={}, summary="No weir runs on the node b"),
    Case("WeirAbsentOnNode", {**ABSENT_NODE, **{f'weir_build_info{{version="1",node="{node}"}}': "1x60" for node in ("a", "b")}},
         silent=(60,)),
    Case("WeirAbsent", {"up": "1x30"}, silent=(14,), fires=(15,), target={}, summary="No weir is scraped at all"),
    Case("WeirAbsent", {'weir_build_info{version="1"}': "1x30"}, silent=(30,)),
    Case("WeirMetricsFileStale", {WRITTEN: "0+60x5 300x20"}, silent=(5, 7), fires=(9,),
         summary="The metrics file of weir on node-1:9123 is old"),
    Case("WeirMetricsFileStale", {WRITTEN: "0+60x20"}, silent=(20,)),
    Case("WeirBooksDoNotBalance", {'weir_unaccounted_records{stage="buffer"}': "0x5 3x20"}, silent=(5, 9), fires=(11,),
         labels={"stage": "buffer"}, summary="weir cannot account for records in buffer on node-1:9123"),
    Case("WeirBooksDoNotBalance", {'weir_unaccounted_records{stage="buffer"}': "-2x20"}, fires=(6,), labels={"stage": "buffer"},
         summary="weir cannot account for records in buffer on node-1:9123"),
    Case("WeirBooksDoNotBalance", {'weir_unaccounted_records{stage="buffer"}': "0x20"}, silent=(20,)),
    Case("WeirSmokeFailed", {PASSED: "0+1x30", FAILED: "0x10 0+1x30", SUCCEEDED: "0+60x30"}, silent=(10, 11), fires=(20,),
         summary="The smoke test of the log pipeline fails on node-1:9123"),
    Case("WeirSmokeFailed", {PASSED: "0+1x30", FAILED: "_x10 1x30", SUCCEEDED: "0+60x30"}, silent=(10, 14, 26), fires=(20,),
         summary="The smoke test of the log pipeline fails on node-1:9123"),
    Case("WeirSmokeFailed", {PASSED: "5x60", SUCCEEDED: "0x60"}, silent=(30, 34), fires=(36,),
         summary="The smoke test of the log pipeline fails on node-1:9123"),
    Case("WeirSmokeFailed", {PASSED: "0+1x30", FAILED: "2x30", SUCCEEDED: "0+60x30"}, silent=(30,)),
]


def alerts_of(name):
    """The rules of a file by the names of their alerts."""
    return {rule["alert"]: rule for group in promtool.rules_of(name)["groups"] for rule in group["rules"]}


RULES, LOKI_RULES = alerts_of("weir.rules.yml"), alerts_of("loki.rules.yml")


def with_target(name, target):
    name, _, labels = name.partition("{")
    given = [labels.rstrip("}")] if labels else []
    return name + "{" + ",".join(given + [f'{key}="{value}"' for key, value in target.items() if f'{key}="' not in labels]) + "}"


def unit_tests(cases):
    """The cases as promtool reads them: JSON is YAML."""
    tests = []
    for case in cases:
        expected = {"exp_labels": {**case.target, **case.labels, "severity": RULES[case.alert]["labels"]["severity"]},
                    "exp_annotations": {"summary": case.summary}}
        tests.append({"interval": "1m", "name": case.alert,
                      "input_series": [{"series": with_target(name, case.target), "values": values}
                                       for name, values in case.series.items()],
                      "alert_rule_test": [{"alertname": case.alert, "eval_time": f"{minute}m", "exp_alerts": [expected] * fires}
                                          for minutes, fires in ((case.silent, 0), (case.fires, 1)) for minute in minutes]})
    return json.dumps({"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests})


class Rules(unittest.TestCase):
    def test_promtool_accepts_them(self):
        done = promtool.run("check", "rules", "--lint=all", "--lint-fatal", promtool.ALERTS / "weir.rules.yml")
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_each_fires_and_stays_silent(self):
        for name in RULES:
            self.assertTrue(any(case.alert == name and case.fires for case in CASES), f"no case in which {name} fires")
            self.assertTrue(any(case.alert == name and case.silent for case in CASES), f"no case in which {name} stays silent")
        # promtool compares all annotations. The long texts are not repeated here.
        short = promtool.rules_of("weir.rules.yml")
        for group in short["groups"]:
            for rule in group["rules"]:
                rule["annotations"] = {"summary": rule["annotations"]["summary"]}
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "rules.yml").write_text(json.dumps(short))
            test = pathlib.Path(folder) / "test.yml"
            test.write_text(unit_tests(CASES))
            done = promtool.run("test", "rules", test)
            self.assertEqual(done.returncode, 0, done.stdout)
            # It can fail: the first case that fires, turned around.
            wrong = dataclasses.replace(CASES[0], silent=CASES[0].fires, fires=())
            test.write_text(unit_tests([wrong]))
            self.assertNotEqual(promtool.run("test", "rules", test).returncode, 0)

    def test_the_prometheus_rule_says_the_same(self):
        done = subprocess.run([promtool.ALERTS / "prometheusrule.py", "--check"], stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        whole = promtool.rules_of("weir.prometheusrule.yaml")
        self.assertEqual((whole["apiVersion"], whole["kind"]), ("monitoring.coreos.com/v1", "PrometheusRule"))
        self.assertEqual(whole["spec"], promtool.rules_of("weir.rules.yml"))

    def test_a_prometheus_rule_of_another_name(self):
        options = ["--name", "logs", "--namespace", "monitoring", "--label", "release=prom"]
        done = subprocess.run([promtool.ALERTS / "prometheusrule.py", *options], stdout=subprocess.PIPE, check=True)
        whole = promtool.yaml.safe_load(done.stdout)
        self.assertEqual(whole["metadata"], {"name": "logs", "namespace": "monitoring",
                                             "labels": {"app.kubernetes.io/name": "weir", "release": "prom"}})


class Texts(unittest.TestCase):
    def test_each_has_all_of_them(self):
        for name, rule in {**RULES, **LOKI_RULES}.items():
            with self.subTest(name):
                self.assertIn(rule["labels"]["severity"], ("critical", "warning", "info"))
                notes = rule["annotations"]
                self.assertEqual(set(notes), {"summary", "description", "runbook"})
                self.assertFalse(notes["summary"].endswith("."), "a summary is a title")
                self.assertTrue(notes["description"].endswith("."))
                for heading in ("What happened: ", "What it means: ", "What to do:"):
                    self.assertEqual(notes["runbook"].count(heading), 1, heading)
                self.assertNotIn("{{", notes["runbook"], "a runbook is the same for every alert")

    def test_they_use_labels_that_are_there(self):
        for name, rule in RULES.items():
            used = set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
            for case in CASES:
                if case.alert == name and case.fires:
                    self.assertLessEqual(used, {*case.target, *case.labels}, name)

    def test_they_name_alerts_that_exist(self):
        for name, rule in {**RULES, **LOKI_RULES}.items():
            for other in re.findall(r"\bWeir[A-Z]\w+", rule["annotations"]["runbook"]):
                self.assertIn(other, {**RULES, **LOKI_RULES}, name)

    def test_their_commands_exist(self):
        checked = 0
        for name, rule in {**RULES, **LOKI_RULES}.items():
            for command, rest in commands(rule["annotations"]["runbook"]):
                with self.subTest(name, command=command):
                    text = manual(command)
                    for option in re.findall(r"(?<!\S)--[a-z-]+", rest):
                        self.assertRegex(text, re.escape(option) + r"\b", f"weir {command} has no {option}")
                    if command in ("spool", "rules"):
                        self.assertRegex(text, r"\b" + rest.split()[0].rstrip(".,") + r"\b")
                    checked += 1
        self.assertGreater(checked, 20)

    def test_the_rules_and_queries_in_them_are_valid(self):
        rules = queries = 0
        with tempfile.TemporaryDirectory() as folder:
            for name, rule in {**RULES, **LOKI_RULES}.items():
                flat = re.sub(r"\s+", " ", rule["annotations"]["runbook"])
                for action, text in re.findall(r"weir (rules add FILE|query|filter) '([^']*)'", flat):
                    with self.subTest(name, text=text):
                        if action.startswith("rules"):
                            file = pathlib.Path(folder) / f"rules-{rules}"
                            file.touch()
                            kit.weir("rules", "add", file, text)
                            rules += 1
                        else:
                            kit.weir("filter", text, expect=(0, 1))
                            queries += 1
        self.assertGreater(rules, 3)
        self.assertGreater(queries, 3)


COMMANDS = "spool|rules|tail|enrich|filter|buffer|push|replay|query|run|smoke|top"
CALL = re.compile(rf"(?<![\w./-])weir ({COMMANDS})\b([^|;,]*?)(?=\.(?: |$)| \||[;,:]| \d\. |$)")


def commands(runbook):
    """(command, what follows up to the end of the sentence, or to a pipe) of each call of weir."""
    return CALL.findall(re.sub(r"\s+", " ", runbook))


HELP = {}


def manual(command):
    if command not in HELP:
        HELP[command] = kit.weir(command, "--help", "all").decode()
    return HELP[command]


if __name__ == "__main__":
    unittest.main()
