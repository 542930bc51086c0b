#!/usr/bin/env python3
"""What `weir convert promtail` makes of five configurations, against the real Promtail: both read the same tree, and every stream, line, time
and metadata that differs stands below, with the reason."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import unittest

import agents
import guides_test
import kube_kit
import weir_kit as kit
from agents import Difference

SECOND = 1_000_000_000
# An hour ago: what reads the files a moment later takes every line for one of now.
BEGIN = (time.time_ns() // SECOND - 3600) // 60 * 60


def stamp(seconds, form="%Y-%m-%dT%H:%M:%S", fraction=".000000000Z"):
    return time.strftime(form, time.gmtime(BEGIN + seconds)) + fraction


def read_time(entry):
    """For lines that have no time of their own: each agent gives them the time at which it read them."""
    return entry.replace(timestamp=0)


class Converted(agents.Agents):
    """One configuration: what convert makes of it, and that weir sends with that what Promtail sends."""

    def setUp(self):
        super().setUp()
        self.state = self.dir / "state"
        self.state.mkdir()

    def converted(self, text, missing):
        """The text for weir run. `missing`: the places of what convert must list as not expressible, in their order."""
        file, folder = self.dir / "promtail.yaml", self.dir / "converted"
        file.write_text(text)
        expect = 1 if missing else 0
        found = json.loads(kit.weir("convert", "promtail", file, "-o", "json", expect=expect))
        self.assertEqual([one["path"] for one in found["findings"] if one["severity"] == "not expressible"], list(missing))
        # Each names its line in the source, and what to do.
        lines = text.splitlines()
        for one in found["findings"]:
            if one["severity"] == "not expressible":
                name = one["path"].rpartition(".")[2]
                self.assertIn("- " if name.endswith("]") else f"{name}:", lines[one["line"] - 1], one)
                self.assertTrue(one["advice"], one)
        kit.weir("convert", "promtail", file, "--output-dir", folder, "--state-dir", self.state, expect=expect)
        kit.weir("run", "--check", folder / "node.weir", env=kit.environment(NODE_NAME=agents.HOST))
        return (folder / "node.weir").read_text()

    def compare(self, name, lines, known, missing=(), ordered=True, **changes):
        of_promtail = self.run_promtail(lambda url: self.configuration(name, url, **changes), lines)
        self.assertTrue(of_promtail)
        for positions in self.root.rglob("positions.yaml"):
            positions.write_text("positions:\n")  # weir would go on there
        text = self.converted(self.configuration(name, agents.WEIR_URL, **changes), missing)
        # The pipe reads to the end, so it says for how many entries to wait where weir follows.
        count = None
        for way in ("pipe", "fused"):
            shutil.rmtree(self.state)  # no position of the way before
            self.state.mkdir()
            with self.subTest(way=way):
                of_weir = self.run_weir(text, count)
                count = len(of_weir)
                wrong = agents.differences(of_promtail, of_weir, known, ordered)
                self.assertEqual(wrong, [], "\n".join([*wrong, text]))


class Kubernetes(Converted):
    """The job of the Helm chart, at a real API server."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not os.environ.get("KUBE_APISERVER_BIN") or not os.environ.get("ETCD_BIN"):
            if os.environ.get("CI") == "true":
                raise AssertionError("no API server; CI has one")
            raise unittest.SkipTest("no API server (tests/run.sh --kube builds one)")
        cls.kube = kube_kit.Kube(audit=True)
        cls.addClassCleanup(cls.kube.stop)
        cls.kube.allow("node", None, ["get", "list", "watch"], ["pods"])

    def pod(self, namespace, name, containers=("app",), uid=None, **kwargs):
        """A pod of this node that runs, as Promtail wants it, and its logs."""
        made = self.kube.pod(namespace, name, containers=containers, **{"node": agents.HOST, **kwargs})
        address = {"podIP": "10.1.2.3", "podIPs": [{"ip": "10.1.2.3"}], "phase": "Running"}
        self.kube.ask("PATCH", f"/api/v1/namespaces/{namespace}/pods/{name}/status", {"status": address}, kind=kube_kit.MERGE)
        for container in containers:
            self.log(f"/var/log/pods/{namespace}_{name}_{uid or made['metadata']['uid']}/{container}/0.log", f"{name} {container}")

    def log(self, path, text, count=6):
        self.write(path, [f"{stamp(n, fraction=f'.{n:09}Z')} {('stdout', 'stderr')[n % 2]} F {text} line {n}" for n in range(count)])
        self.lines += count

    def fill(self):
        self.lines = 0
        self.pod("shop", "web-5d8f7b9c6d-x2x7p", owner=("ReplicaSet", "web-5d8f7b9c6d"),
                 labels={"app.kubernetes.io/name": "web", "app.kubernetes.io/instance": "web-eu", "app.kubernetes.io/component": "front", "team": "blue"})
        self.pod("shop", "cart-0", containers=("app", "proxy"), owner=("StatefulSet", "cart"), labels={"app": "cart", "instance": "one"})
        self.pod("shop", "api-7c9d8e6f5a-qq9zz", owner=("ReplicaSet", "api-7c9d8e6f5a"))
        self.pod("batch", "report-28391234-xk2lp", owner=("Job", "report-28391234"), labels={"component": "nightly"})
        self.pod("batch", "alone")
        self.pod("kube-system", "etcd-node-1", containers=("etcd",), owner=("Node", agents.HOST), uid="0123456789abcdef0123456789abcdef",
                 annotations={"kubernetes.io/config.hash": "0123456789abcdef0123456789abcdef", "kubernetes.io/config.source": "file"})
        lines = self.lines
        self.pod("sandbox-1", "play", labels={"app": "play"})
        self.pod("shop", "elsewhere", node="node-2", labels={"app": "elsewhere"})
        # The API server does not know this one (any more).
        self.log("/var/log/pods/shop_gone-1_11111111-2222-3333-4444-555555555555/app/0.log", "gone", count=3)
        self.lines = lines
        web = next((self.root / "var/log/pods").glob("shop_web-*/app"))
        relative = str(web)[len(str(self.root)):]
        self.log(f"{relative}/1.log", "after a restart")
        self.write(f"{relative}/1.log", [f"{stamp(30)} stdout F GET /healthz 200", f"{stamp(31)} stderr F GET /healthz 500",
                                         f"{stamp(32)} stdout P a line of ", f"{stamp(33)} stderr F in between", f"{stamp(34)} stdout P three ",
                                         f"{stamp(35)} stdout F parts", f"{stamp(36)} stdout F ", f"{stamp(37, fraction='.5+00:00')} stdout F an offset",
                                         f'{stamp(38)} stdout F {{"a": "\\u00e4"}} \u00fc\u20ac\U0001f600'])
        self.lines += 9
        # What the kubelet has rotated away is left alone by both.
        (web / "0.log.20260101-000000").write_text(f"{stamp(0)} stdout F rotated away\n")
        return self.lines

    KNOWN = [
        Difference("Promtail reads only pods that the API server lists on this node; weir reads every log of the node",
                   weir=lambda e: None if e.label("pod") in ("gone-1", "elsewhere") else e),
        Difference("weir adds the pod's uid as metadata", weir=lambda e: e.without_metadata("pod_uid")),
    ]

    def changes(self):
        server = f'role: pod\n        api_server: "{self.kube.url}"\n        bearer_token_file: {self.kube.token_file("node")}\n' \
                 f"        tls_config: {{ca_file: {self.kube.ca}}}"
        return {"role: pod": server}

    def converted(self, text, missing):
        """The pods are known from the first record on, as on a node where weir has run before: an answer may take long here."""
        cache = self.dir / "pods"
        watches = len(self.kube.audited(user="node", verb="watch"))
        learner = self.start(kit.WEIR, "enrich", "--kubernetes", "api", "--node-name", agents.HOST, *self.kube.options("node"), "--pod-cache", str(cache),
                             stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        kit.wait_for(lambda: len(self.kube.audited(user="node", verb="watch")) > watches, "a watch")
        learner.stdin.close()
        self.assertEqual(learner.wait(kit.PATIENCE), 0)
        made = super().converted(text, missing)
        self.assertIn("--labels-like promtail", made)
        return made.replace("--kubernetes api", f"--kubernetes api --pod-cache {cache}")

    def test_same_streams(self):
        lines = self.fill()
        self.compare("kubernetes", lines, self.KNOWN, **self.changes())


class Files(Converted):
    """Two programs' files: several lines to an entry, times and labels out of the line, and lines that are dropped."""

    def fill(self):
        def line(n, severity, text, logger="billing.Invoice"):
            return f"{stamp(n, '%Y-%m-%d %H:%M:%S', f',{n:03}')} {severity:5} [worker-{n % 3}] {logger} - {text}"

        trace = ["java.lang.IllegalStateException: no such invoice", "\tat billing.Invoice.load(Invoice.java:41)", "\tat billing.Main.main(Main.java:7)",
                 "Caused by: java.io.IOException: gone", "\t... 3 more"]
        first = [line(0, "INFO", "started"), line(1, "ERROR", "cannot load 4711"), *trace, line(2, "TRACE", "enter"), line(3, "WARN", "slow", "billing.Pool"),
                 line(4, "INFO", "the pool is idle", "billing.Pool"), line(5, "ERROR", "cannot load 4712"), *trace, line(6, "INFO", "stopped")]
        second = [line(n, "INFO", f"import {n}", "billing.Import") for n in range(20)]
        self.write("/var/log/billing/service.log", first)
        self.write("/var/log/billing/import.log", second)
        self.write("/var/log/billing/audit-2026.log", [line(0, "INFO", "for auditors only")])
        self.write("/var/log/billing/notes.txt", ["no log"])

        def request(n, target, status=200, zone="+0000"):
            at = stamp(n + {"+0000": 0, "+0200": 7200}[zone], "%d/%b/%Y:%H:%M:%S ", zone)
            return f'10.0.0.{n} - {("-", "ann")[n % 2]} [{at}] "{("GET", "POST")[n % 2]} {target} HTTP/1.1" {status} {100 + n} "-" "curl/8"'

        access = [request(n, f"/items/{n}", (200, 404, 500)[n % 3], ("+0000", "+0200")[n % 2]) for n in range(12)]
        access += [request(12, "/static/logo.png"), request(13, "/items/13?q=/static/"), request(14, "/long/" + "x" * 2048), request(15, "/last")]
        access += ["not a request", request(16, "/after/it")]
        self.write("/var/log/nginx/access.log", access)
        self.write("/var/log/nginx/error.log", ["not read"])
        return len(first) + len(second) + len(access)

    KNOWN = [
        Difference("a line without a time: Promtail gives it the time of the line before, 1 ns later; weir the time at which it was read",
                   promtail=lambda e: read_time(e) if e.line == "not a request" else e, weir=lambda e: read_time(e) if e.line == "not a request" else e),
    ]

    def test_same_streams(self):
        self.compare("files", self.fill(), self.KNOWN)


class Docker(Converted):
    """The files of docker's json-file driver, whose lines are JSON."""

    def fill(self):
        count = 0
        for container in ("3f" * 32, "9c" * 32):
            lines = []

            def add(text, stream="stdout", end="\n"):
                lines.append(json.dumps({"log": text + end, "stream": stream, "time": stamp(len(lines), fraction=f".{len(lines):09}Z")}))

            for n in range(10):
                add(json.dumps({"severity": ("info", "warn", "DEBUG", "debug")[n % 4], "component": ("web", "scheduler")[n % 2], "msg": f"message {n}",
                                "http": {"request_id": f"r-{n}", "status": 200 + n}}), ("stdout", "stderr")[n % 3 == 0])
            add(json.dumps({"severity": "info", "component": "scheduler", "msg": "tick 17"}))
            add(json.dumps({"severity": "info", "component": "web", "msg": "tick 17"}))
            add(json.dumps({"severity": None, "component": "web", "msg": "no severity"}))
            add(json.dumps({"severity": 5, "component": "numbers", "msg": "a number", "http": {"request_id": 7}}))
            add("no JSON at all: tick 1", "stderr")
            add("{broken")
            add("  indented, with \t and \"quotes\" \u00fc")
            add("")
            self.write(f"/var/lib/docker/containers/{container}/{container}-json.log", lines)
            self.write(f"/var/lib/docker/containers/{container}/config.v2.json", ["{}"])
            count += len(lines)
        return count

    KNOWN = [
        Difference("what labeldrop takes away becomes metadata", weir=lambda e: e.without_metadata("filename")),
        Difference("docker writes a newline at the end of each line: Promtail keeps it, weir takes it off",
                   promtail=lambda e: e.replace(line=e.line.removesuffix("\n"))),
    ]

    def test_same_streams(self):
        # Without filename both containers write to the same streams, in any order.
        self.compare("docker", self.fill(), self.KNOWN, ordered=False)


class Tenants(Converted):
    """Tenants by a label, by a field and by default; what is hidden, cut, and left out."""

    def fill(self):
        red = [f"order {n} card 1234-5678-9012-{n:04} for user{n} password=secret{n} token" for n in range(10)]
        red += ["two: 1111-2222-3333-4444 and 5555-6666-7777-8888", "password= is empty", "nothing to hide"]
        blue = [f"blue {n}" for n in range(20)] + [f"audit {n}" for n in range(20)]
        gateway = [f"org={('acme', 'initech')[n % 2]} request {n}" for n in range(8)] + ["no organisation", "org=acme replayed a moment ago"]
        machine = ["up", "down"]
        self.write("/srv/red/a.log", red)
        self.write("/srv/red/b.log", [f"b {n}" for n in range(5)])
        self.write("/srv/blue/a.log", blue)
        self.write("/srv/gateway/gateway.log", gateway)
        self.write("/srv/machine.log", machine)
        return len(red) + 5 + len(blue) + len(gateway) + len(machine)

    KNOWN = [Difference("no line has a time of its own: each agent gives it the time of reading", promtail=read_time, weir=read_time),
             Difference("what labeldrop takes away becomes metadata", weir=lambda e: e.without_metadata("tier")),
             Difference("a tenant out of the line is metadata, too", weir=lambda e: e.without_metadata("org"))]

    def test_same_streams(self):
        # weir's limit counts in windows of an hour: it shall read within one.
        kit.wait_for(lambda: time.time() % 3600 < 3570, "a window")
        self.compare("tenants", self.fill(), self.KNOWN, ordered=False)


class Logfmt(Converted):
    """Lines that Promtail writes anew, which weir does not: the streams, times and metadata are the same."""

    def fill(self):
        api = [f'ts={stamp(n, fraction=f".{n:09}Z")} level={("info", "warn", "error")[n % 3]} msg="answer {n}" trace_id=t{n:04} org={("acme", "initech")[n % 2]} '
               f"duration={n}ms" for n in range(12)]
        api += [f"ts={stamp(20)} level=info msg=short", f'ts={stamp(21)} level=info msg="with \\"quotes\\"" org=acme']
        worker = [f"ts={stamp(n)} level=info queue={('mail', 'print')[n % 2]} done={n}" for n in range(10)]
        self.write("/var/log/api/a.log", api)
        self.write("/var/log/worker/worker.log", worker)
        return len(api) + len(worker)

    def unpacked(self, entry):
        if entry.label("job") != "worker":
            return entry
        packed = json.loads(entry.line)
        return entry.replace(line=packed.pop("_entry"), labels=tuple(sorted([*entry.labels, *packed.items()])))

    def test_same_streams(self):
        def written(entry):
            """As the template of the configuration writes the line."""
            if entry.label("job") != "api":
                return entry
            took, text = re.search(r"duration=(\S+)", entry.line), re.search(r'msg=("(?:[^"\\]|\\.)*"|\S+)', entry.line).group(1)
            text = json.loads(text) if text.startswith('"') else text
            return entry.replace(line=f"{entry.label('level').upper()} {text}" + (f" ({took.group(1)})" if took else ""))

        self.compare("logfmt", self.fill(), [
            Difference("template and output write a line anew; weir keeps it", weir=written),
            Difference("pack takes a label and the line into one JSON text; weir keeps both", promtail=self.unpacked),
        ], missing=["scrape_configs[0].pipeline_stages[4].metrics.answers_total", "scrape_configs[0].pipeline_stages[5].template",
                    "scrape_configs[0].pipeline_stages[6].output", "scrape_configs[1].pipeline_stages[3].pack"])


class Journal(Converted):
    """Promtail's journal needs cgo, which this one is built without: only what convert makes of it."""

    def test_is_a_pipeline(self):
        self.write("/var/log/kern.log", ["one"])
        etc = self.root / "etc/promtail"
        etc.mkdir(parents=True)
        (etc / "password").write_text("secret\n")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=loki", "-keyout", "/dev/null", "-out", etc / "ca.pem"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        (self.root / "var/log/journal").mkdir()
        (self.root / "var/lib/promtail").mkdir(parents=True)
        (self.root / "var/lib/promtail/positions.yaml").write_text("positions:\n")
        text = self.converted(self.configuration("journal", agents.WEIR_URL),
                              ["scrape_configs[0].relabel_configs[1]", "scrape_configs[0].relabel_configs[2]"])
        chains = agents.pipelines(text)
        self.assertEqual([[stage.split()[0] for stage in chain][-2:] for chain in chains], [["buffer", "push"]] * 2)
        self.assertIn(f"--journal-dir {self.root}/var/log/journal", chains[0][0])
        self.assertIn("--password-file", chains[0][-1])
        self.assertNotIn("secret", text)


class RollBack(agents.Agents):
    """Back to Promtail, with the commands of weir-guide-promtail(7)."""

    CONFIGURATION = """
server:
  http_listen_port: 9080
positions: {filename: /run/promtail/positions.yaml}
clients: [{url: "%s/loki/api/v1/push"}]
scrape_configs:
  - job_name: pods
    pipeline_stages: [cri: {}]
    static_configs: [{targets: [localhost], labels: {job: pods, __path__: /var/log/pods/*/*/*.log}}]
"""

    def test_goes_on_where_weir_stopped(self):
        logs = [f"/var/log/pods/shop_web-{n}_0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f{n}/app/0.log" for n in range(3)]

        def write(what, count):
            for log in logs:
                self.write(log, [f"{stamp(n)} stdout F {what} {n}" for n in range(count)])

        write("before", 20)
        chain = f"tail -f --filename label {self.root}/var/log/pods | enrich --label job=pods | buffer {self.root}/spool.db | push {agents.WEIR_URL}"
        self.assertEqual(len(self.run_weir(chain, 60)), 60)
        (self.root / "run/promtail").mkdir(parents=True)
        guide = pathlib.Path(os.environ["WEIR_SOURCE"]) / "man/weir-guide-promtail.7"
        command = next(text for _, text in guides_test.examples(guide) if "echo 'positions:'" in text)
        subprocess.run(["bash", "-e", "-c", self.here(command)], check=True)
        write("after", 5)
        sent = self.run_promtail(lambda url: self.here(self.CONFIGURATION % url), 15)
        self.assertEqual(sorted(e.line for e in sent), sorted(f"after {n}" for n in range(5) for _ in logs))
        self.assertEqual({e.label("filename") for e in sent}, {str(self.root) + log for log in logs})


if __name__ == "__main__":
    unittest.main(verbosity=2)
