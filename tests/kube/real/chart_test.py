"""examples/helm and examples/kubernetes: helm renders the chart, its schema refuses mistakes, the API server takes every example without a
warning, roles give what is needed and no more, and weir collects logs in the pod that the chart describes.

Needs HELM_BIN and PROMETHEUS_OPERATOR_CRDS beside the servers of kube_kit (tests/run.sh --kube makes them).
"""
import base64
import concurrent.futures
import copy
import functools
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest
import urllib.request

import yaml

import kube_kit
import pod_kit
import weir_kit as kit

ROOT = pathlib.Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "examples"
CHART = EXAMPLES / "helm" / "weir"
VALUES = {path.stem[len("values-"):]: path for path in sorted((EXAMPLES / "helm").glob("values-*.yaml"))}
BASELINE = {f"pod-security.kubernetes.io/{what}": "baseline" for what in ("enforce", "warn")}
ACCOUNT = "system:serviceaccount:{0}:weir"
HELM = CRDS = kube = None


def setUpModule():
    global kube, HELM, CRDS
    HELM, CRDS = kube_kit.binary("HELM_BIN", "helm"), kube_kit.binary("PROMETHEUS_OPERATOR_CRDS", "folder with the CRDs of the Prometheus operator")
    kube = kube_kit.Kube(audit=True, users=("manager",))
    unittest.addModuleCleanup(kube.stop)
    install_definitions()


def install_definitions():
    """PodMonitor and PrometheusRule, as the operator's own release has them."""
    files = sorted(pathlib.Path(CRDS).glob("*.yaml"))
    assert len(files) == 2, files
    kube.kubectl("create", *(word for file in files for word in ("-f", file)))
    kube.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd/podmonitors.monitoring.coreos.com", "crd/prometheusrules.monitoring.coreos.com")


def helm(*arguments, expect=0, server=False):
    """Standard output and standard error."""
    access = ["--kube-apiserver", kube.url, "--kube-token", kube.token("admin"), "--kube-ca-file", str(kube.ca)] if server else []
    home = {name: str(kube.dir / "helm") for name in ("HOME", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")}
    done = subprocess.run([HELM, *map(str, arguments), *access], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                          env=dict(os.environ, KUBECONFIG="/dev/null", **home))
    if done.returncode != expect:
        raise AssertionError(f"helm {arguments}: exit {done.returncode}\n{done.stderr}\n{done.stdout}")
    return done.stdout, done.stderr


def settings(values):
    """--set-json of each: {"loki.url": "http://…"}."""
    return [word for name, value in values.items() for word in ("--set-json", f"{name}={json.dumps(value)}")]


def rendered(*files, namespace="weir", **values):
    """The text that helm makes. `values`: with __ for a dot."""
    return helm_template(tuple(files), namespace, tuple(settings({name.replace("__", "."): value for name, value in values.items()})))


@functools.lru_cache(maxsize=None)
def helm_template(files, namespace, options):
    options = [word for file in files for word in ("-f", file)] + list(options)
    return helm("template", "weir", CHART, "--namespace", namespace, "--kube-version", "1.34.0", *options)[0]


def at_once(work, items):
    """[(item, work(item))], two at a time: helm alone takes one core."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(zip(items, pool.map(work, items)))


def objects(text):
    return [one for one in yaml.safe_load_all(text) if one]


def pick(found, kind, name=None):
    one, = [o for o in found if o["kind"] == kind and name in (None, o["metadata"]["name"])]
    return one


def pipeline_of(found):
    return pick(found, "ConfigMap", "weir-pipeline")["data"]["node.weir"]


def pod_of(found, name="weir-abcde", node="node-1"):
    """The pod that the DaemonSet's controller would make for this node."""
    daemon = pick(found, "DaemonSet")
    template = copy.deepcopy(daemon["spec"]["template"])
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {**template["metadata"], "name": name, "namespace": daemon["metadata"]["namespace"]},
            "spec": {**template["spec"], "nodeName": node}}


def apply(text, *options):
    """`kubectl apply` that fails of a warning."""
    return kube.kubectl("--warnings-as-errors", "apply", *options, "-f", "-", stdin=text)


def kustomization(folder, *parts):
    """A copy of examples/kubernetes with these parts of its kustomization.yaml, which are commented out there."""
    tree = folder / "tree"
    shutil.copytree(EXAMPLES / "kubernetes", tree)
    whole = tree / "kustomization.yaml"
    text = whole.read_text()
    for part in parts:
        block, = re.findall(rf"^# {part}:\n(?:#   .*\n)+?(?=# \w|\n|\Z)", text, re.M)
        text = text.replace(block, re.sub("^# ", "", block, flags=re.M))
    whole.write_text(text)
    return tree


def privileged(namespace):
    apply(yaml.safe_dump(pick(objects(rendered(namespace=namespace, namespace__create=True)), "Namespace")))


class ChartTest(kit.Case):
    def test_helm_finds_nothing_to_complain_of(self):
        found = at_once(lambda files: helm("lint", "--strict", CHART, *(word for file in files for word in ("-f", file))), [[], *([file] for file in VALUES.values())])
        for files, (out, errors) in found:
            with self.subTest(values=files):
                self.assertNotIn("[WARNING]", out)
                self.assertNotIn("[ERROR]", out)
                self.assertEqual(errors, "")

    def test_the_schema_refuses_what_is_no_value(self):
        good = {"spool.maxSize": "2GiB", "updateStrategy.maxUnavailable": 3, "metrics.address": "[::]", "global": {"x": 1}, "loki.tenant": "team-a"}
        helm("template", "weir", CHART, "--kube-version", "1.34.0", *settings(good))
        bad = [
            ("lokki", {"lokki.url": "http://loki:3100"}),
            ("adress", {"loki.adress": "http://loki:3100"}),
            ("url", {"loki.url": "loki:3100"}),
            ("url", {"loki.url": "http://ada:secret@loki:3100"}),  # everybody who may see the pod would see it
            ("secret", {"loki.auth.kind": "basic"}),
            ("secret", {"loki.auth.secret": "weir-loki"}),  # for nothing
            ("kind", {"loki.auth.kind": "digest"}),
            ("mode", {"spool.mode": "memory"}),
            ("maxSize", {"spool.maxSize": "2 gigabytes"}),
            ("directory", {"spool.directory": "var/lib/weir"}),
            ("onFull", {"spool.onFull": "drop"}),
            ("from", {"pods.from": "docker"}),
            ("units", {"journal.units": ["kube*"]}),
            ("base", {"rules.base": ""}),  # a running weir takes an empty text for a broken one
            ("tail", {"pipeline.tail": "--multiline java | filter"}),
            ("terminationGracePeriodSeconds", {"terminationGracePeriodSeconds": 10}),
            ("maxUnavailable", {"updateStrategy.maxUnavailable": 0}),
            ("updateStrategy", {"updateStrategy.maxSurge": 1}),
            ("port", {"metrics.port": 70000}),
            ("address", {"metrics.address": "localhost"}),
            ("subjects", {"rules.emergency.editors.subjects": [{"kind": "Person", "name": "ada"}]}),
            ("tag", {"image.tag": "a b"}),
            ("value", {"priorityClass.value": 2000000000}),
            ("seLinuxOptions", {"seLinuxOptions.kind": "spc_t"}),
        ]
        found = at_once(lambda one: helm("template", "weir", CHART, "--kube-version", "1.34.0", *settings(one[1]), expect=1), bad)
        for (word, values), (_, errors) in found:
            with self.subTest(values=values):
                self.assertIn("values don't meet the specifications of the schema", errors)
                self.assertIn(word, errors)

    def test_the_schema_knows_every_value(self):
        """What the schema does not name would be refused; what values.yaml does not name, nobody would find."""
        schema = json.loads((CHART / "values.schema.json").read_text())

        def compare(values, where, path):
            if "$ref" in where:
                where = schema["definitions"][where["$ref"].rsplit("/", 1)[1]]
            if where.get("additionalProperties") is not False:
                return
            self.assertEqual(set(values), set(where["properties"]) - {"global"} if path else set(where["properties"]) - {"global"}, path)
            for name, value in values.items():
                if isinstance(value, dict) and path + name not in ("resources", "seLinuxOptions"):
                    compare(value, where["properties"][name], f"{path}{name}.")
        compare(yaml.safe_load((CHART / "values.yaml").read_text()), schema, "")

    def test_what_design_asks_of_the_pod(self):
        found = objects(rendered())
        daemon = pick(found, "DaemonSet")
        spec = daemon["spec"]["template"]["spec"]
        container, = spec["containers"]
        self.assertEqual(container["image"], "registry.example/weir:0.1.0")
        self.assertEqual(container["resources"], {"requests": {"cpu": "50m", "memory": "48Mi"}, "limits": {"memory": "192Mi"}})
        self.assertEqual(spec["tolerations"], [{"operator": "Exists"}])
        self.assertGreater(spec["terminationGracePeriodSeconds"], 20)
        self.assertEqual((container["livenessProbe"]["httpGet"]["path"], container["livenessProbe"]["failureThreshold"]), ("/-/healthy", 10))
        self.assertEqual(container["readinessProbe"]["httpGet"]["path"], "/-/ready")
        mounts = {m["mountPath"]: m.get("readOnly", False) for m in container["volumeMounts"]}
        self.assertEqual(mounts, {"/etc/weir": True, "/var/lib/weir": False, "/var/log": True})
        self.assertEqual(spec["priorityClassName"], pick(found, "PriorityClass")["metadata"]["name"])
        self.assertNotIn("maxSurge", daemon["spec"]["updateStrategy"]["rollingUpdate"])
        self.assertFalse([o for o in found if o["kind"] == "ConfigMap" and o["metadata"]["name"] == "weir-emergency"])
        self.assertEqual(pick(objects(rendered(VALUES["selinux"])), "DaemonSet")["spec"]["template"]["spec"]["containers"][0]["securityContext"]["seLinuxOptions"]["type"], "spc_t")

    def test_secrets_are_nowhere_in_the_pod(self):
        for name in ("hosted-loki", "tls"):
            spec = pick(objects(rendered(VALUES[name])), "DaemonSet")["spec"]["template"]["spec"]
            container = spec["containers"][0]
            secrets = {v["secret"]["secretName"] for v in spec["volumes"] if "secret" in v}
            self.assertIn("weir-loki", secrets)
            self.assertFalse([e for e in container["env"] if re.search("PASSWORD|TOKEN", e["name"])], name)
            self.assertFalse([a for a in container["args"] if "pass" in a or "token" in a], name)

    def test_names_of_two_releases_do_not_meet(self):
        one, other = objects(rendered(namespace="a")), objects(rendered(namespace="b"))
        cluster = [{o["metadata"]["name"] for o in found if "namespace" not in o["metadata"]} for found in (one, other)]
        self.assertFalse(cluster[0] & cluster[1], cluster)
        self.assertIn("configmap:a/weir-emergency", pipeline_of(one))

    def test_a_changed_pipeline_changes_the_pod_and_changed_rules_do_not(self):
        template = lambda **values: pick(objects(rendered(**values)), "DaemonSet")["spec"]["template"]
        self.assertEqual(template(), template(rules__base="drop {app=\"noise\"}\n"))
        self.assertNotEqual(template(), template(pipeline__enrich="--level --label cluster=prod"))
        self.assertNotEqual(template(), template(pipeline__text="tail -f | push"))


class RenderingTest(kit.Case):
    """examples/kubernetes."""

    def test_it_is_up_to_date(self):
        done = subprocess.run([EXAMPLES / "kubernetes" / "render.sh", "--check"], env=dict(os.environ, HELM_BIN=HELM), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_a_change_is_noticed(self):
        for name in ("alerts", "dashboard", "helm", "kubernetes"):
            shutil.copytree(EXAMPLES / name, self.dir / name)
        script, env = self.dir / "kubernetes" / "render.sh", dict(os.environ, HELM_BIN=HELM)
        rules = self.dir / "alerts" / "weir.rules.yml"
        rules.write_text(rules.read_text().replace("for: 5m", "for: 6m"))
        done = subprocess.run([script, "--check"], env=env, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("monitoring/prometheusrule.yaml is out of date", done.stderr)
        self.assertIn("files/weir.rules.yml is out of date", done.stderr)
        subprocess.run([script], env=env, stdout=subprocess.DEVNULL, check=True)
        subprocess.run([script, "--check"], env=env, check=True)
        self.assertIn("for: 6m", (self.dir / "kubernetes" / "monitoring" / "prometheusrule.yaml").read_text())

    def test_kustomize_makes_what_helm_makes(self):
        text = kube.kubectl("kustomize", kustomization(self.dir, "components"))
        name = re.search(r"name: (weir-pipeline-[a-z0-9]{10})$", text, re.M).group(1)
        self.assertEqual(text.count(name), 2)  # its own, and where the pod names it
        kustomized = {(o["kind"], o["metadata"]["name"]): o for o in objects(text.replace(name, "weir-pipeline"))}
        flags = {"namespace__create": True, "podMonitor__enabled": True, "prometheusRule__enabled": True, "dashboard__enabled": True, "networkPolicy__enabled": True}
        helmed = {(o["kind"], o["metadata"]["name"]): o for o in objects(rendered(**flags))}
        self.assertEqual(sorted(kustomized), sorted(helmed))
        for key, one in helmed.items():
            for side in (one, kustomized[key]):
                labels = side["metadata"].pop("labels", {})
                if side is kustomized[key]:
                    self.assertNotIn("helm.sh/chart", labels)
            if key[0] == "DaemonSet":
                del one["spec"]["template"]["metadata"]["annotations"]["checksum/pipeline"]
            if key == ("ConfigMap", "weir-pipeline"):
                one["data"]["node.weir"] = one["data"]["node.weir"].rstrip("\n")
                kustomized[key]["data"]["node.weir"] = kustomized[key]["data"]["node.weir"].rstrip("\n")
            self.assertEqual(kustomized[key], one, key)

    def test_what_its_comments_propose_works(self):
        tree = kustomization(self.dir, "images", "patches", "configMapGenerator")
        (tree / "node.weir").write_text("tail -f | push\n")
        (tree / "rules").write_text("drop |= \"x\"\n")
        plain, changed = (objects(kube.kubectl("kustomize", folder)) for folder in (EXAMPLES / "kubernetes", tree))
        name = next(o["metadata"]["name"] for o in changed if o["metadata"]["name"].startswith("weir-pipeline-"))
        wanted = copy.deepcopy(plain)
        for one in wanted:
            if one["metadata"]["name"].startswith("weir-pipeline-"):
                self.assertNotEqual(one["metadata"]["name"], name)
                one["metadata"]["name"], one["data"] = name, {"node.weir": "tail -f | push\n"}
            elif one["metadata"]["name"] == "weir-rules":
                one["data"] = {"rules": "drop |= \"x\"\n"}
            elif one["kind"] == "DaemonSet":
                spec = one["spec"]["template"]["spec"]
                container, = spec["containers"]
                container["image"] = "registry.of.yours/weir:0.1.0"
                next(e for e in container["env"] if e["name"] == "LOKI_ADDR")["value"] = "http://loki-gateway.loki.svc"
                sources = [source for v in spec["volumes"] if "projected" in v for source in v["projected"]["sources"]]
                next(s for s in sources if s["configMap"]["name"].startswith("weir-pipeline-"))["configMap"]["name"] = name
        by_name = lambda o: (o["kind"], o["metadata"]["name"])
        for found in (changed, wanted):  # a patch puts its variables first
            next(o for o in found if o["kind"] == "DaemonSet")["spec"]["template"]["spec"]["containers"][0]["env"].sort(key=lambda e: e["name"])
        self.assertEqual(sorted(changed, key=by_name), sorted(wanted, key=by_name))

    def test_alerts_and_dashboard_are_those_of_their_folders(self):
        found = objects(rendered(prometheusRule__enabled=True, dashboard__enabled=True))
        self.assertEqual(pick(found, "PrometheusRule")["spec"], yaml.safe_load((EXAMPLES / "alerts" / "weir.rules.yml").read_text()))
        dashboard = pick(found, "ConfigMap", "weir-dashboard")
        self.assertEqual(json.loads(dashboard["data"]["weir.json"]), json.loads((EXAMPLES / "dashboard" / "weir.json").read_text()))
        self.assertEqual(dashboard["metadata"]["labels"]["grafana_dashboard"], "1")


class ServerTest(kit.Case):
    """What the API server says."""

    def test_every_example_is_taken_without_a_warning(self):
        texts = {"defaults": rendered(namespace="weir-defaults", namespace__create=True)}
        for name, file in VALUES.items():
            texts[name] = rendered(file, namespace=f"weir-{name}", namespace__create=True)
        texts["kubernetes"] = kube.kubectl("kustomize", kustomization(self.dir, "components"))
        # Whatever else in examples is an object of Kubernetes.
        for file in sorted(EXAMPLES.rglob("*.y*ml")):
            if {"helm", "kubernetes"} & set(file.relative_to(EXAMPLES).parts[:1]) or "apiVersion:" not in file.read_text():
                continue
            texts[str(file.relative_to(EXAMPLES))] = file.read_text()
        self.assertIn("alerts/weir.prometheusrule.yaml", texts)
        namespaces = [o for text in texts.values() for o in objects(text) if o["kind"] == "Namespace"]
        self.assertEqual(len(namespaces), len(VALUES) + 2)
        apply(yaml.safe_dump_all(namespaces))
        everything = "\n---\n".join(texts.values())
        tried = apply(everything, "--dry-run=server").splitlines()
        made = apply(everything).splitlines()
        count = sum(len(objects(text)) for text in texts.values())
        self.assertEqual((len(tried), len(made)), (count, count))
        self.assertTrue(all("(server dry run)" in line for line in tried), tried)
        print(f"{count} objects of {len(texts)} examples are taken without a warning")
        # The pods that the controller would make: admission looks at them once more.
        pods = [pod_of(objects(texts[name])) for name in ("defaults", *VALUES)]
        self.assertEqual(len(apply(yaml.safe_dump_all(pods)).splitlines()), len(VALUES) + 1)

    def test_a_namespace_that_enforces_baseline_refuses_the_pod(self):
        found = objects(rendered(namespace="strict"))
        apply(yaml.safe_dump({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "strict", "labels": BASELINE}}))
        apply(yaml.safe_dump_all([o for o in found if o["kind"] not in ("DaemonSet", "Role", "RoleBinding")]))
        path = "/api/v1/namespaces/strict/pods"
        status, text = kube.request("POST", path, pod_of(found))
        self.assertEqual(status, 403, text)
        # hostPath is all that is too much.
        message = json.loads(text)["message"]
        self.assertRegex(message, r'violates PodSecurity "baseline:latest": hostPath volumes \(volumes "(spool", "logs|logs", "spool)"\)$')
        # The DaemonSet itself is taken, with a warning: which is what apply() fails of.
        daemon = yaml.safe_dump(pick(found, "DaemonSet"))
        with self.assertRaisesRegex(AssertionError, "PodSecurity.*(?s:.*)1 warning received"):
            apply(daemon, "--dry-run=server")
        # As NOTES.txt says.
        kube.kubectl("label", "namespace", "strict", "--overwrite", "pod-security.kubernetes.io/enforce=privileged", "pod-security.kubernetes.io/warn=privileged")
        kube.ask("POST", path, pod_of(found))
        apply(daemon)

    def can(self, allowed, method, path, body=None, **who):
        status, text = kube.request(method, path, body, **who)
        self.assertEqual(status != 403, allowed, f"{method} {path}: {status} {text[:200]}")
        return status

    def test_a_node_may_read_its_pods_and_one_config_map(self):
        privileged("rights")
        apply(rendered(namespace="rights"))
        kube.namespace("other")
        token = kube.service_account_token("rights", "weir")
        maps, secrets = "/api/v1/namespaces/rights/configmaps", "/api/v1/namespaces/rights/secrets"
        kube.ask("POST", secrets, {"metadata": {"name": "weir-loki"}, "stringData": {"password": "hunter2"}})
        selected = "?fieldSelector=metadata.name%3Dweir-emergency"
        for verb in ("get", "list", "watch"):  # until the authorizer has seen the roles
            kit.wait_for(lambda v=verb: self.allowed("rights", v, "pods", None) and self.allowed("rights", v, "configmaps", "rights", "weir-emergency"), "no rights")

        def node(allowed, method, path, body=None):
            return self.can(allowed, method, path, body, token=token)
        node(True, "GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-1")
        node(True, "GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-1&watch=1&timeoutSeconds=1")
        self.assertEqual(node(True, "GET", f"{maps}/weir-emergency"), 404)  # may, and there is none yet
        node(True, "GET", maps + selected)
        node(True, "GET", f"{maps}{selected}&watch=1&timeoutSeconds=1")

        node(False, "GET", maps)
        node(False, "GET", f"{maps}/weir-rules")
        node(False, "GET", f"{maps}?fieldSelector=metadata.name%3Dweir-rules")
        node(False, "GET", "/api/v1/namespaces/other/configmaps/weir-emergency")
        node(False, "GET", secrets)
        node(False, "GET", f"{secrets}/weir-loki")
        node(False, "GET", "/api/v1/nodes")
        node(False, "GET", "/api/v1/nodes/node-1/proxy/pods")
        node(False, "GET", "/api/v1/namespaces/other/pods/web/log")
        kube.config_map("rights", "weir-emergency", {"rules": "# none\n"})
        text = {"metadata": {"name": "weir-emergency"}, "data": {"rules": ""}}
        for method, path, body in (("PUT", f"{maps}/weir-emergency", text), ("DELETE", f"{maps}/weir-emergency", None), ("POST", maps, text),
                                   ("DELETE", "/api/v1/namespaces/other/pods/web", None), ("POST", "/api/v1/namespaces/other/pods", kube.pod_manifest("other", "evil"))):
            node(False, method, path, body)
        self.assertEqual(kube.request("PATCH", f"{maps}/weir-emergency", {"data": {"rules": ""}}, token=token, kind=kube_kit.MERGE)[0], 403)
        # The same, as an administrator asks for it.
        for verb, what, answer in (("list", "pods", "yes"), ("create", "pods/exec", "no"), ("get", "nodes/proxy", "no"), ("get", "secrets", "no"),
                                   ("create", "serviceaccounts/token", "no")):
            done = subprocess.run(kube.kubectl_command("auth", "can-i", verb, what, "--all-namespaces", "--as", ACCOUNT.format("rights")), stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True, check=False, env=dict(os.environ, HOME=str(kube.dir)))
            self.assertEqual(done.stdout.strip(), answer, f"{verb} {what}")

    @staticmethod
    def allowed(namespace, verb, resource, inside, name="", user=None):
        attributes = {"verb": verb, "resource": resource, "name": name, **({"namespace": inside} if inside else {})}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
                  "spec": {"user": user or ACCOUNT.format(namespace), "resourceAttributes": attributes}}
        return kube.ask("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"]

    def test_without_rights_there_is_no_role_and_no_token(self):
        found = objects(rendered(VALUES["minimal-rights"]))
        self.assertFalse([o for o in found if "Role" in o["kind"]])
        self.assertFalse(pod_of(found)["spec"]["automountServiceAccountToken"])
        kubelet = objects(rendered(VALUES["docker"]))
        self.assertEqual(pick(kubelet, "ClusterRole")["rules"], [{"apiGroups": [""], "resources": ["nodes/pods"], "verbs": ["get"]}])

    def test_an_editor_may_write_emergency_rules_and_nothing_else(self):
        privileged("editors")
        subjects = [{"kind": "User", "name": "editor", "apiGroup": "rbac.authorization.k8s.io"}]
        apply(rendered(namespace="editors", rules__emergency__editors__subjects=subjects))
        kit.wait_for(lambda: self.allowed("", "patch", "configmaps", "editors", "weir-emergency", user="editor")
                     and self.allowed("", "create", "configmaps", "editors", user="editor"), "the editor has no rights")
        rules = "configmap:editors/weir-emergency"
        options = kube.options("editor")
        kit.weir("rules", "add", rules, 'keep for 30m {namespace="checkout"}', *options)
        kit.weir("rules", "add", rules, 'drop {namespace="noise"}', *options)
        self.assertIn('drop {namespace="noise"}', kit.weir("rules", "list", rules, *options).decode())
        kit.weir("rules", "remove", rules, 'drop {namespace="noise"}', *options)
        text = kube.get_config_map("editors", "weir-emergency")["data"]["rules"]
        self.assertIn('{namespace="checkout"}', text)
        self.assertNotIn("noise", text)

        def editor(allowed, method, path, body=None):
            return self.can(allowed, method, path, body, user="editor")
        maps = "/api/v1/namespaces/editors/configmaps"
        changed = {"metadata": {"name": "weir-emergency"}, "data": {"rules": "# none\n"}}
        editor(True, "PUT", f"{maps}/weir-emergency", changed)
        editor(False, "GET", f"{maps}/weir-rules")
        editor(False, "PUT", f"{maps}/weir-rules", {"metadata": {"name": "weir-rules"}, "data": {"rules": ""}})
        editor(False, "DELETE", f"{maps}/weir-emergency")
        editor(False, "GET", "/api/v1/namespaces/editors/secrets")
        editor(False, "GET", "/api/v1/pods")
        editor(False, "POST", "/api/v1/namespaces/default/configmaps", changed)
        # Where the ConfigMap is there, nobody needs the right to create.
        role = pick(objects(rendered(VALUES["monitoring"])), "Role", "weir-emergency-editor")
        self.assertEqual(role["rules"], [{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["weir-emergency"], "verbs": ["get", "patch", "update"]}])


class Gate(http.server.BaseHTTPRequestHandler):
    """A gateway in front of Loki that wants a password."""
    target, wanted, refused = "", "", 0

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Authorization") != self.wanted:
            Gate.refused += 1
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        request = urllib.request.Request(self.target + self.path, data=body, headers={"Content-Type": self.headers["Content-Type"]})
        with urllib.request.urlopen(request, timeout=60) as answer:
            self.send_response(answer.status)
        self.send_header("Content-Length", "0")
        self.end_headers()


class Node(kit.Case):
    """A folder that stands for the node's /, with a pods tree."""

    def setUp(self):
        super().setUp()
        if not pod_kit.available():
            print("SKIPPED: no mount namespace is to be had here, so no pod can be made to look like one", file=sys.stderr)
            self.skipTest("no mount namespace")
        self.host = self.dir / "node"
        (self.host / "var/log/pods").mkdir(parents=True)

    def log(self, namespace, pod, uid, *lines):
        """As a CRI runtime writes it: of root, for root alone."""
        folder = self.host / f"var/log/pods/{namespace}_{pod}_{uid}/app"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "0.log"
        with open(path, "a", encoding="utf-8") as out:
            for line in lines:
                out.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime())}.{time.time_ns() % 10**9:09d}Z stdout F {line}\n")
        path.chmod(0o600)


# podman run --rm -v SOURCE:TARGET -e NAME=VALUE IMAGE WORD…: an image has these folders, and nothing of the environment.
PODMAN = """import os, subprocess, sys
sys.path[:0] = ["{support}", "{here}"]
import pod_kit
words, environment, mounts = sys.argv[1:], {{"PATH": "/usr/sbin:/usr/bin"}}, []
assert words[:2] == ["run", "--rm"], words
words = words[2:]
while words[0] in ("-v", "-e"):
    if words[0] == "-v":
        source, target = words[1].split(":")
        mounts.append((os.path.realpath(source), target))
    else:
        environment.update([words[1].split("=", 1)])
    words = words[2:]
folder = os.path.abspath("host")
for path in ("/var/lib/weir", "/var/log/pods", "/var/log/journal"):
    os.makedirs(folder + path, exist_ok=True)
    mounts.append((folder + path, path))
os.makedirs(folder + "/root", exist_ok=True)
with open(folder + "/mounts", "w") as out:
    out.writelines(f"{{source}}|{{target}}|rw\\n" for source, target in mounts)
command = [*pod_kit.namespace_prefix(), "bash", "-c", pod_kit.SCRIPT, "podman", folder + "/root", os.path.realpath("{weir}"), folder + "/mounts", *words[1:]]
sys.exit(subprocess.run(command, env=environment, check=False).returncode)
"""


class CheckTest(Node):
    def test_weir_finds_no_mistake_in_any_pipeline(self):
        (self.host / "var/log/journal").mkdir()
        (self.host / "data/docker/containers").mkdir(parents=True)
        rendering = at_once(lambda name: objects(rendered(*([VALUES[name]] if name in VALUES else []), namespace=f"check-{name}")), ["defaults", *VALUES])
        for name, _ in rendering:
            kube.namespace(f"check-{name}")
        apply(yaml.safe_dump_all([o for _, found in rendering for o in found if o["kind"] in ("ConfigMap", "ServiceAccount")]))
        for name, found in rendering:
            with self.subTest(values=name):
                namespace = f"check-{name}"
                for secret in sorted({v["secret"]["secretName"] for v in pod_of(found)["spec"]["volumes"] if "secret" in v}):
                    kube.ask("POST", f"/api/v1/namespaces/{namespace}/secrets", {"metadata": {"name": secret}, "stringData": self.secret(secret)})
                code, out, errors = pod_kit.Pod(self, kube, pod_of(found), "node-1", self.host).run(kit.WEIR, "run", "--check", "/etc/weir/node.weir")
                self.assertEqual(code, 0, errors)
                self.assertRegex(out, r"^/etc/weir/node\.weir: [12] pipelines? of \d stages: ok$", errors)
                emergency = f"configmap:{namespace}/weir-emergency"
                unread = f"weir run: filter: the rules of '{emergency}' are read when the pipeline starts; `weir rules check {emergency}` checks them before\n"
                self.assertEqual(errors, "" if name == "minimal-rights" else unread)
                # It has no right yet, and asks for none.
                self.assertFalse(kube.audited(user=ACCOUNT.format(namespace)))
                rules = self.dir / f"{name}.rules"
                rules.write_text(pick(found, "ConfigMap", "weir-rules")["data"]["rules"])
                kit.weir("rules", "check", rules)

    def test_the_check_that_the_guide_proposes_for_ci(self):
        """Its commands, with a chroot in place of podman. No API server is named, and none could be."""
        guide = (EXAMPLES / "helm" / "README.md").read_text()
        commands, = [text for text in re.findall(r"^```\n(.*?)^```", guide, re.M | re.S) if "--check" in text]
        programs = self.dir / "bin"
        programs.mkdir()
        (self.dir / "examples").symlink_to(EXAMPLES)
        # A helm that go built takes an old Kubernetes for the cluster.
        (programs / "helm").write_text(f'#!/bin/sh\nexec "{HELM}" "$@" --kube-version 1.34.0 $MORE\n')
        (programs / "podman").write_text(f"#!{sys.executable}\n" + PODMAN.format(support=str(ROOT / "tests/support"), here=str(pathlib.Path(__file__).parent), weir=kit.WEIR))
        for program in programs.iterdir():
            program.chmod(0o755)
        (self.dir / "host").mkdir()

        def check(more=""):
            return subprocess.run(["bash", "-c", "set -eo pipefail\n" + commands], cwd=self.dir, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, check=False, env=dict(kit.environment(), PATH=f"{programs}:{os.environ['PATH']}", MORE=more))
        good = check()
        self.assertEqual((good.returncode, good.stdout), (0, "/etc/weir/node.weir: 1 pipeline of 5 stages: ok\n"), good.stderr)
        self.assertIn("`weir rules check configmap:weir/weir-emergency` checks them before", good.stderr)
        for more, said in (("--set rules.base=dorp", "/etc/weir/rules:1:1: unknown action"), ("--set pipeline.enrich=--lable", "--lable")):
            bad = check(more)
            self.assertEqual(bad.returncode, 2, bad.stderr)
            self.assertIn(said, bad.stderr)

    def secret(self, name):
        """Texts for the Secret of an example."""
        if name == "weir-loki":
            return {"password": "hunter2", "loki-token": "hunter3"}
        made = self.dir / name
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=weir",
                        "-keyout", f"{made}.key", "-out", f"{made}.crt"], check=True, stderr=subprocess.DEVNULL)
        certificate, key = made.with_suffix(".crt").read_text(), made.with_suffix(".key").read_text()
        return {"ca.crt": certificate} if name == "weir-loki-ca" else {"tls.crt": certificate, "tls.key": key}


class CollectTest(Node):
    """helm installs the chart; what a kubelet would do is done by pod_kit; everything else is real."""

    def setUp(self):
        super().setUp()
        self.record = self.dir / "sink"
        Gate.target, Gate.refused = self.sink(self.record), 0
        Gate.wanted = "Basic " + base64.b64encode(b"node:hunter2").decode()
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gate)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        # A server that go built without flags calls itself v0.0.0.
        self.chart = self.dir / "chart"
        shutil.copytree(CHART, self.chart)
        (self.chart / "Chart.yaml").write_text(re.sub("(?m)^kubeVersion:.*\n", "", (CHART / "Chart.yaml").read_text()))
        self.metrics, = kube_kit.free_ports(1)
        self.values = {"loki.url": f"http://127.0.0.1:{server.server_port}", "loki.auth": {"kind": "basic", "secret": "weir-loki"},
                       "metrics": {"address": "127.0.0.1", "port": self.metrics},
                       "rules.emergency.editors.subjects": [{"kind": "User", "name": "manager", "apiGroup": "rbac.authorization.k8s.io"}]}

    def helm_says_nothing_else(self, *arguments):
        out, errors = helm(*arguments, server=True)
        self.assertEqual(errors, "")
        return out

    def seen(self):
        """{line: labels} of what has arrived."""
        if not self.record.exists():
            return {}
        return {line: dict(labels) for rows in kit.sink_records(self.record).values() for _, line, labels, _ in rows}

    def passes(self, word):
        """Whether a line with this word arrives, now. What is written behind it always does."""
        probe = f"{word} {os.urandom(4).hex()}"
        self.log("shop", "web-1", self.uid, probe, "behind " + probe[::-1])
        kit.wait_for(lambda: "behind " + probe[::-1] in self.seen(), lambda: f"nothing arrives: {self.pod.errors()}")
        return probe in self.seen()

    def test_the_pod_of_the_chart_collects_logs(self):
        privileged("live")
        kube.ask("POST", "/api/v1/namespaces/live/secrets", {"metadata": {"name": "weir-loki"}, "stringData": {"username": "node", "password": "hunter2"}})
        notes = self.helm_says_nothing_else("install", "weir", self.chart, "--namespace", "live", *settings(self.values))
        self.assertIn("weir rules add configmap:live/weir-emergency", notes)
        found = objects(helm("get", "manifest", "weir", "--namespace", "live", server=True)[0])
        manifest = pod_of(found)
        kube.ask("POST", "/api/v1/namespaces/live/pods", manifest)
        made = kube.pod("shop", "web-1", node="node-1", labels={"app.kubernetes.io/name": "checkout"})
        self.uid = made["metadata"]["uid"]
        self.log("shop", "web-1", self.uid, "level=warn msg=first")

        self.pod = pod_kit.Pod(self, kube, manifest, "node-1", self.host)
        process = self.pod.start(kit.WEIR)
        begin = time.monotonic()
        labels = kit.wait_for(lambda: self.seen().get("level=warn msg=first"), lambda: f"nothing arrives: {self.pod.errors()}")
        took = time.monotonic() - begin
        self.assertEqual({name: labels[name] for name in ("namespace", "pod", "container", "app", "job", "node_name")},
                         {"namespace": "shop", "pod": "web-1", "container": "app", "app": "checkout", "job": "shop/checkout", "node_name": "node-1"})
        self.assertEqual(Gate.refused, 0)

        # It has what the manifest gives it, and no more.
        status = self.pod.status()
        self.assertEqual((status["CapEff"], status["CapPrm"], status["CapBnd"], status["NoNewPrivs"]), ("0" * 16, "0" * 16, "0" * 16, "1"))
        if os.geteuid() == 0:
            self.assertEqual(status["Uid"].split(), ["0"] * 4)
        for name in ("cmdline", "environ"):
            self.assertNotIn(b"hunter2", pathlib.Path(f"/proc/{process.pid}/{name}").read_bytes())
        url = f"http://127.0.0.1:{self.metrics}"
        container, = manifest["spec"]["containers"]
        for probe in ("livenessProbe", "readinessProbe"):
            self.assertEqual(kit.get(url + container[probe]["httpGet"]["path"])[0], 200, probe)
        self.assertIn(b"weir_enrich_known_pods", kit.get(url + "/metrics")[1])
        code, out, errors = self.pod.run(kit.WEIR, "spool", "status")  # kubectl exec … -- weir spool status
        self.assertEqual(code, 0, errors)
        self.assertIn("/var/lib/weir/spool.db", out + errors)

        # An emergency rule, through the API server.
        kit.wait_for(lambda: ServerTest.allowed("", "create", "configmaps", "live", user="manager"), "no rights")
        self.assertTrue(self.passes("noise"))
        kit.weir("rules", "add", "configmap:live/weir-emergency", 'drop {namespace="shop"} |= "noise"', *kube.options("manager"))
        begin = time.monotonic()
        kit.wait_for(lambda: not self.passes("noise"), lambda: f"the emergency rule has no effect: {self.pod.errors()}")
        print(f"first line after {took:.1f} s, emergency rule in effect after {time.monotonic() - begin:.1f} s")

        # Base rules, through helm and the mounted ConfigMap. The pod is not to be restarted for them.
        template = pick(objects(helm("get", "manifest", "weir", "--namespace", "live", server=True)[0]), "DaemonSet")["spec"]["template"]
        self.assertTrue(self.passes("chatter"))
        upgraded = {**self.values, "rules.base": "# chatter is for nobody\ndrop |= \"chatter\"\n"}
        self.helm_says_nothing_else("upgrade", "weir", self.chart, "--namespace", "live", *settings(upgraded))
        self.assertEqual(pick(objects(helm("get", "manifest", "weir", "--namespace", "live", server=True)[0]), "DaemonSet")["spec"]["template"], template)
        self.pod.sync()
        kit.wait_for(lambda: not self.passes("chatter"), lambda: f"the base rule has no effect: {self.pod.errors()}")

        # A stop is in time and no failure; a start goes on behind it.
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(manifest["spec"]["terminationGracePeriodSeconds"]), 0, self.pod.errors())
        self.log("shop", "web-1", self.uid, "written while nobody ran")
        process = self.pod.start(kit.WEIR)
        kit.wait_for(lambda: "written while nobody ran" in self.seen(), lambda: f"nothing arrives: {self.pod.errors()}")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(manifest["spec"]["terminationGracePeriodSeconds"]), 0, self.pod.errors())
        lines = [line for rows in kit.sink_records(self.record).values() for _, line, _, _ in rows]
        self.assertEqual(len(lines), len(set(lines)), "a line was delivered twice")

        # With its roles alone, it never asked for more than they give.
        refused = [one for one in kube.audited(user=ACCOUNT.format("live")) if one.code >= 400]
        self.assertFalse(refused)
        self.assertTrue(kube.audited(user=ACCOUNT.format("live"), verb="watch", path="/api/v1/namespaces/live/configmaps"))

        # Emergency rules belong to people, not to the release.
        self.helm_says_nothing_else("uninstall", "weir", "--namespace", "live")
        self.assertIn("noise", kube.get_config_map("live", "weir-emergency")["data"]["rules"])
        self.assertIsNone(kube.get_config_map("live", "weir-rules"))
        self.assertIsNone(kube.ask("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/live-weir", missing=True))


if __name__ == "__main__":
    unittest.main(verbosity=2)
