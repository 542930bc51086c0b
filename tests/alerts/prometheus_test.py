#!/usr/bin/env python3
"""Real chains, a real Prometheus (Debian's) and the alerts of examples/alerts: each fault makes its alerts fire.

All chains begin sound, Prometheus scrapes them every second, and no alert fires. Then each chain but one gets its fault, and the
test waits until the alerts of each fault fire. In the end every metric that an alert or a panel names must exist in the /metrics of
these chains, and every panel of the dashboard must show something.

Times are shortened by the test: `for` to a second, and the numbers in SHORTER.
"""
import base64
import http.server
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time
import unittest
import urllib.parse

import fake_api
import loki_server
import promtool
import proxy
import weir_kit as kit

# alert: what its expression has, and what it has here
SHORTER = {
    "WeirDeliveryDelayed": ("> 300", "> 12"),
    "WeirDeliveryCriticallyDelayed": ("> 2700", "> 20"),
    "WeirTailLagging": ("> 300", "> 12"),
    "WeirTailUnreadBytes": ("> 256e6", "> 1e6"),
    "WeirSpoolFull": ("> 150", "> 3"),
    "WeirMetricsFileStale": ("> 120", "> 20"),
}
# What no chain here can have.
NOT_PROVOKED = {
    "WeirPositionsNotStored": "needs a disk that fails",
    "WeirBooksDoNotBalance": "is a bug",
    "WeirAbsent": "would need a second Prometheus",
}
# Panels that show nothing as long as all is well, or that need what no chain here has.
MAY_BE_EMPTY = {"Books", "Temporary rules"}
VARIABLES = {"$__rate_interval": "1m", "$__range": "5m", "$node": ".*", "$instance": ".*"}  # of the dashboard
LINES = 40


def address_of(messages):
    """Where the process that said these shows its metrics, once it has said so."""
    found = re.search(r"http://([\d.]+:\d+)/metrics", messages)
    return found and found.group(1)


class Chain:
    """One `weir run --metrics`, the pods that it reads, and the Loki in front of it."""

    flags = ""               # of buffer
    rules = ""
    width, each = 80, 1      # of the lines that the writer adds ten times a second, and how many
    alerts = frozenset()     # that fire under its fault

    def __init__(self, case, name):
        self.case, self.name = case, name
        self.dir = case.dir / name
        self.pod = self.dir / "pods" / f"{name}_web-0_0c1b2a3d" / "app"
        self.pod.mkdir(parents=True)
        self.log = self.pod / "0.log"
        self.spool, self.rule_file, self.errors = self.dir / "spool.db", self.dir / "rules", self.dir / "errors"
        self.rule_file.write_text(self.rules or "# none\n")
        self.loki = proxy.Proxy(case.sink_url, keep_bodies=False)
        case.addCleanup(self.loki.close)
        self.silenced = False
        self.process = self.address = None
        self.start()

    def text(self):
        return (f"tail -f --checkpoint {self.spool} {self.dir / 'pods'} | enrich --level | filter --rules {self.rule_file} | "
                f"buffer {self.spool} --min-free 0 {self.flags} | push {self.loki.url} --start-jitter 0")

    def command(self):
        return ["-c", self.text()]

    def start(self):
        with open(self.errors, "wb") as errors:
            self.process = self.case.start(kit.WEIR, "run", "--metrics", self.address or "127.0.0.1:0", "--metrics-file",
                                           str(self.dir / "weir.prom"),
                                           *self.command(), stdin=subprocess.DEVNULL, stderr=errors, env=kit.environment(),
                                           start_new_session=True)
        self.address = kit.wait_for(lambda: address_of(self.said()), self.said)

    def said(self):
        ended = self.process.poll() if self.process else None
        return f"{self.name} (ended: {ended}): {self.errors.read_text(errors='replace')}"

    def target(self):
        return {"targets": [self.address], "labels": {"fault": self.name, "node": f"node-{self.name}"}}

    def write(self):
        """Some lines that do not compress. On the thread of the writer."""
        if self.silenced:
            return
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        with open(self.log, "a", encoding="ascii") as out:
            for _ in range(self.each):
                noise = base64.b64encode(os.urandom(self.width * 3 // 4)).decode()
                out.write(f"{stamp}.{time.time_ns() % 10**9:09d}Z stdout F level=info {noise}\n")

    def strike(self):
        pass


class Sound(Chain):
    """Two pipelines, of which the second has nothing to do: its ages and times must not be added to those of the first."""

    def text(self):
        (self.dir / "empty").mkdir()
        spool = self.dir / "second.db"
        second = f"tail -f --checkpoint {spool} {self.dir / 'empty'} | buffer {spool} --min-free 0 | push {self.loki.url}"
        return super().text() + "\n" + second


class Down(Chain):
    flags = "--max-size 16MiB"
    width, each = 400, 10
    alerts = {"WeirDeliveryDelayed", "WeirDeliveryCriticallyDelayed", "WeirPushErrors", "WeirSpoolFillingUp"}

    def strike(self):
        self.loki.set("refuse")


class Limited(Chain):
    alerts = {"WeirPushRateLimited"}

    def strike(self):
        self.loki.set("status", 429)


class Refused(Chain):
    alerts = {"WeirRecordsRejected"}

    def strike(self):
        self.loki.set("status", 400)


class Slow(Chain):
    alerts = {"WeirPushSlow"}

    def strike(self):
        self.loki.set("slow", 3)


class Evicting(Chain):
    flags = "--max-size 4MiB --on-full drop-oldest"
    alerts = {"WeirSpoolEvicting"}

    def strike(self):
        self.loki.set("refuse")
        self.width, self.each = 4000, 15


class Full(Chain):
    flags = "--max-size 4MiB --on-full block"
    alerts = {"WeirSpoolFull", "WeirTailLagging", "WeirTailUnreadBytes"}

    def strike(self):
        self.loki.set("refuse")
        self.width, self.each = 4000, 15


class Gap(Chain):
    """A log is rotated and deleted while the chain is stopped."""
    alerts = {"WeirTailGap"}

    def strike(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(kit.PATIENCE)
        self.silenced = True
        with open(self.log, "a", encoding="ascii") as out:
            out.write("2026-01-01T00:00:00.000000000Z stdout F nobody reads this\n" * LINES)
        self.log.unlink()
        (self.pod / "1.log").write_text("2026-01-01T00:00:01.000000000Z stdout F the next file\n")
        self.start()


class BrokenRules(Chain):
    alerts = {"WeirRulesReloadFailed"}

    def strike(self):
        self.rule_file.write_text("drpo {namespace=\n")


class Temporary(Chain):
    alerts = {"WeirTemporaryRuleActive"}

    def strike(self):
        kit.weir("rules", "add", self.rule_file, 'name look: keep for 30m {pod="web-0"}')


class DropsTooMuch(Chain):
    rules = 'name probes: drop |= "healthz"\n'
    each = 10
    alerts = {"WeirReloadDropsTooMuch"}

    def strike(self):
        # Of fewer than 100 records before the reload no share is known.
        passed = 'weir_filter_output_records_total{fault="drops"} > 100'
        kit.wait_for(lambda: self.case.prometheus.query(passed), self.said)
        self.rule_file.write_text(f'name all: drop {{namespace="{self.name}"}}\n')


class BrokenPipelines(Chain):
    alerts = {"WeirPipelinesReloadFailed"}

    def command(self):
        self.file = self.dir / "pipelines.weir"
        self.file.write_text(self.text() + "\n")
        return [str(self.file)]

    def strike(self):
        self.file.write_text("tail -f | nonsense\n")
        status, body = kit.get(f"http://{self.address}/-/reload", data=b"")
        self.case.assertEqual(status, 200, body)


class Strangers(Chain):
    """Files of no pod among those of pods, and a link that leads away."""
    alerts = {"WeirMetadataMissing", "WeirFileNotTailed"}

    def strike(self):
        self.stray = self.dir / "pods" / "stray.log"
        secret = self.dir / "secret"
        secret.write_text("2026-01-01T00:00:01.000000000Z stdout F not yours\n")
        (self.pod / "2.log").symlink_to(secret)

    def text(self):
        return super().text() + " --match '{pod!=\"\"}'"

    def write(self):
        super().write()
        if hasattr(self, "stray"):
            with open(self.stray, "a", encoding="ascii") as out:
                out.write("a line of no pod\n")


class Podless(Chain):
    """The API server of the pods goes away."""
    alerts = {"WeirPodsUnreachable"}

    def __init__(self, case, name):
        self.api = fake_api.FakeApi()
        case.addCleanup(self.api.close)
        self.api.put(fake_api.metadata("0c1b2a3d", name, "web-0", {"app": "web"}))
        super().__init__(case, name)

    def text(self):
        return super().text().replace("enrich --level", f"enrich --level --kubernetes api --kube-server {self.api.url} --node-name n")

    def strike(self):
        self.api.close()


class Gone(Chain):
    """Killed. Its metrics file stays, which is served as node_exporter does, under the job `node`."""
    alerts = {"WeirDown"}

    def strike(self):
        self.process.kill()
        self.process.wait()


KINDS = {"sound": Sound, "down": Down, "limited": Limited, "refused": Refused, "slow": Slow, "evicting": Evicting, "full": Full,
         "gap": Gap,
         "rules": BrokenRules, "temporary": Temporary, "drops": DropsTooMuch, "pipelines": BrokenPipelines, "strangers": Strangers,
         "podless": Podless, "gone": Gone}


class Smoke:
    """`weir smoke --every`, of which a Loki takes all records and shows none."""
    alerts = {"WeirSmokeFailed"}

    def __init__(self, case, targets):
        self.case, self.targets = case, targets
        self.errors = case.dir / "smoke-errors"
        targets.write_text("[]")

    def said(self):
        return f"smoke: {self.errors.read_text(errors='replace')}"

    def strike(self):
        with open(self.errors, "wb") as errors:
            self.case.start(kit.WEIR, "smoke", "--every", "1s", "--records", "20", "--rate", "100", "--timeout", "2s", "--metrics",
                            "127.0.0.1:0", "--push-url", self.case.sink_url, "--query-url", f"http://{self.case.exporters.address}",
                            stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, env=kit.environment())
        address = kit.wait_for(lambda: address_of(self.said()), self.said)
        # Prometheus must not see half of a file.
        new = self.targets.with_suffix(".new")
        new.write_text(json.dumps([{"targets": [address], "labels": {"fault": "smoke", "node": "node-sound"}}]))
        new.rename(self.targets)


class Exporters:
    """What stands beside weir on a cluster: node_exporter with a metrics file, kube-state-metrics with the nodes, and a Loki that
    finds nothing."""

    def __init__(self, case, file, nodes):
        nodes = "".join(f'kube_node_info{{node="{node}"}} 1\n' for node in nodes)

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                if self.path.startswith("/loki/"):
                    body = b'{"status":"success","data":{"resultType":"streams","result":[]}}'
                else:
                    body = nodes.encode() if self.path == "/nodes" else file.read_bytes()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        case.addCleanup(self.server.server_close)
        case.addCleanup(self.server.shutdown)


class Prometheus:
    """`jobs`: (name, path, targets). `more`: a file with targets of the job `smoke`, which may change."""

    def __init__(self, case, jobs, more):
        self.dir = case.dir / "prometheus"
        self.dir.mkdir()
        (self.dir / "rules.json").write_text(json.dumps(shortened()))
        (self.dir / "config.json").write_text(json.dumps({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.json"],
            "scrape_configs": [*({"job_name": job, "metrics_path": path, "static_configs": targets} for job, path, targets in jobs),
                               {"job_name": "smoke", "file_sd_configs": [{"files": [str(more)], "refresh_interval": "1s"}]}]}))
        for _ in range(3):  # a port may be taken between choosing and listening
            port, = loki_server.free_ports(1)
            self.url = f"http://127.0.0.1:{port}"
            with open(self.dir / "log", "wb") as log:
                process = case.start("prometheus", f"--config.file={self.dir}/config.json", f"--storage.tsdb.path={self.dir}/data",
                                     f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn",
                                     stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**kit.environment(), "GOMAXPROCS": "2"})
            if kit.wait_for(lambda: process.poll() is not None or self.ready(), lambda: (self.dir / "log").read_text()) == "ready":
                return
        raise AssertionError((self.dir / "log").read_text())

    def ready(self):
        try:
            return kit.get(self.url + "/-/ready")[0] == 200 and "ready"
        except OSError:
            return False

    def api(self, path, **parameters):
        status, body = kit.get(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
        if status != 200:
            raise AssertionError(f"{path} {parameters}: {status} {body[:500]}")
        return json.loads(body)["data"]

    def query(self, expression):
        return self.api("query", query=expression)["result"]

    def troubles(self):
        """What is wrong with the scrapes of each target."""
        return "".join(f"{target['labels']}: {target['lastError']}\n" for target in self.api("targets")["activeTargets"]
                       if target["health"] != "up")

    def firing(self):
        """{(fault or node, alert): annotations} of now."""
        found = {}
        for alert in self.api("alerts")["alerts"]:
            labels = alert["labels"]
            if alert["state"] == "firing":
                found[labels.get("fault") or labels.get("node", ""), labels["alertname"]] = alert["annotations"]
        return found

    def evaluated_after(self, moment):
        groups = self.api("rules")["groups"]
        return all(iso_seconds(group["lastEvaluation"]) > moment for group in groups)


def iso_seconds(text):
    return kit.nanoseconds(text) / 1e9


def shortened():
    rules = promtool.rules_of("weir.rules.yml")
    used = set()
    for group in rules["groups"]:
        for rule in group["rules"]:
            if "for" in rule:
                rule["for"] = "1s"
            if rule["alert"] in SHORTER:
                long, short = SHORTER[rule["alert"]]
                assert long in rule["expr"], rule["alert"]
                rule["expr"] = rule["expr"].replace(long, short)
                used.add(rule["alert"])
    assert used == set(SHORTER), set(SHORTER) - used
    return rules


def alert_names():
    return {rule["alert"] for group in shortened()["groups"] for rule in group["rules"]}


def named():
    """{metric: where} of all that alerts and panels name."""
    found = {}
    for group in shortened()["groups"]:
        for rule in group["rules"]:
            for name in metric_names(rule["expr"]):
                found.setdefault(name, rule["alert"])
            for name in re.findall(r"\bweir_\w+", rule["annotations"]["runbook"]):
                if name != "weir_gap_bytes":  # metadata of a record
                    found.setdefault(name, f"the runbook of {rule['alert']}")
    for panel in panels():
        for target in panel["targets"]:
            for name in metric_names(target["expr"]):
                found.setdefault(name, f"the panel {panel['title']}")
    return found


def metric_names(expression):
    return re.findall(r"\b(?:weir|process|kube)_\w+|\bup\b", expression)


def panels():
    dashboard = json.loads((promtool.DASHBOARD / "weir.json").read_text(encoding="utf-8"))
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


class Alerts(kit.Case):
    def test_each_fires_under_its_fault(self):
        self.sink_url = self.sink()
        self.chains = {name: kind(self, name) for name, kind in KINDS.items()}
        stale = self.chains["gone"].dir / "weir.prom"
        kit.wait_for(stale.exists, "no metrics file was written")
        self.exporters = Exporters(self, stale, ["node-sound", "node-gone"])
        nodes = {"targets": [self.exporters.address], "labels": {"fault": "nodes"}}
        smoke = Smoke(self, self.dir / "smoke.json")
        self.stop_writing = threading.Event()
        writer = threading.Thread(target=self.write)
        writer.start()
        self.addCleanup(writer.join)
        self.addCleanup(self.stop_writing.set)
        self.prometheus = Prometheus(self, [("weir", "/metrics", [chain.target() for chain in self.chains.values()]),
                                            ("node", "/metrics",
                                             [{"targets": [self.exporters.address], "labels": {"fault": "stale"}}]),
                                            ("ksm", "/nodes", [nodes])], smoke.targets)
        self.wait_until_sound()
        for chain in self.chains.values():
            chain.strike()
        smoke.strike()
        self.chains["smoke"] = smoke
        self.assert_fires()
        self.assert_metrics_exist()
        self.assert_panels_show_something()

    def write(self):
        chains = list(self.chains.values())
        while not self.stop_writing.wait(0.1):
            for chain in chains:
                chain.write()

    def wait_until_sound(self):
        count = len(self.chains)

        def delivering():
            self.assertEqual([chain.said() for chain in self.chains.values() if chain.process.poll() is not None], [])
            up = 'weir_push_delivered_records_total > 20 and on (instance) up{job="weir"} == 1'
            return len(self.prometheus.query(up)) == count

        kit.wait_for(delivering, lambda: json.dumps(self.prometheus.query("weir_push_delivered_records_total"))
                     + self.prometheus.troubles() + "".join(chain.said() for chain in self.chains.values()))
        moment = time.time() + 2  # `for` is one second
        kit.wait_for(lambda: self.prometheus.evaluated_after(moment), "Prometheus does not evaluate the rules")
        self.assertEqual(self.prometheus.firing(), {}, "before there is a fault")

    def assert_fires(self):
        expected = {(name, alert) for name, chain in self.chains.items() for alert in chain.alerts}
        expected |= {("stale", "WeirMetricsFileStale"), ("node-gone", "WeirAbsentOnNode")}
        self.assertEqual({alert for _, alert in expected} | set(NOT_PROVOKED), alert_names(), "the test forgot an alert")
        seen = {}

        def all_fire():
            seen.update(self.prometheus.firing())
            return expected <= set(seen)

        kit.poll(all_fire, seconds=2 * kit.PATIENCE, pause=0.5)
        missing = sorted(expected - set(seen))
        self.assertEqual(missing, [], self.prometheus.troubles()
                         + "".join(self.chains[name].said() for name, _ in missing if name in self.chains))
        self.assertEqual([key for key in seen if key[0] == "sound"], [], "nothing is wrong with this one")
        time_left, = self.prometheus.query('weir_buffer_full_seconds{fault="sound"} and on (instance) weir_run_pipelines == 2')
        self.assertEqual(time_left["value"][1], "+Inf")
        for key, notes in seen.items():
            for text in notes.values():
                self.assertNotRegex(text, r"<no value>|<error|\{\{|NaN|%!", key)

    def assert_metrics_exist(self):
        known = set(self.prometheus.api("label/__name__/values"))
        missing = {name: where for name, where in named().items() if name not in known}
        self.assertEqual(missing, {}, sorted(known))

    def assert_panels_show_something(self):
        for panel in panels():
            for target in panel["targets"]:
                expression = target["expr"]
                for variable, value in VARIABLES.items():
                    expression = expression.replace(variable, value)
                with self.subTest(panel["title"], expression=expression):
                    result = self.prometheus.query(expression)
                    if panel["title"] not in MAY_BE_EMPTY:
                        self.assertTrue(result, "it shows nothing")
                    for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                        for sample in result:
                            # A file that belongs to no pod goes by its path alone; Prometheus has no empty labels.
                            if not sample["metric"].get("log_container", "").startswith("/"):
                                self.assertIn(label, sample["metric"])


if __name__ == "__main__":
    unittest.main()
