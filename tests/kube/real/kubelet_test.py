"""enrich --kubernetes kubelet: the pods are those of a real API server, as its PodList has them; a small HTTPS server stands for the
kubelet. And pods that do not want their logs collected, by the API server itself."""
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import unittest

import fake_kubelet
import kube_kit
import weir_kit as kit

EXCLUDE = {"weir.io/exclude": "true"}
BETWEEN = 2.0  # seconds between two requests, as the manual says
HASH = "0123456789abcdef0123456789abcdef"

kube = None


def setUpModule():
    global kube
    kube = kube_kit.Kube()
    unittest.addModuleCleanup(kube.stop)
    kube.allow("node", None, ["get", "list", "watch"], ["pods"])


class PodsCase(kit.Case):
    count = 0

    def setUp(self):
        super().setUp()
        PodsCase.count += 1
        self.node = f"node-{PodsCase.count}"
        self.logs = self.dir / "pods"
        self.logs.mkdir()

    def both(self, body):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                body(fused)

    def pod(self, name, namespace="shop", **kwargs):
        """Creates a pod of this node; names of several tests do not meet."""
        return kube.pod(f"{namespace}-{self.node}", name, node=self.node, **kwargs)

    def listed(self):
        return kube.ask("GET", f"/api/v1/pods?fieldSelector=spec.nodeName={self.node}")["items"]

    def log(self, pod, uid=None):
        metadata = pod["metadata"]
        return self.logs / f"{metadata['namespace']}_{metadata['name']}_{uid or metadata['uid']}" / "app" / "0.log"

    def write(self, pod, *lines, uid=None):
        log = self.log(pod, uid)
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "a", encoding="utf-8") as out:
            out.write("".join(f"2026-01-01T00:00:00Z stdout F {line}\n" for line in lines))

    @staticmethod
    def apps(chain):
        return {record["line"]: record["labels"].get("app") for record in kit.records(chain.output())}

    def wait_for_apps(self, chain, seconds=kit.PATIENCE, **expected):
        kit.wait_for(lambda: self.apps(chain) == expected, lambda: f"{self.apps(chain)}, not {expected}\n{chain.errors()}", seconds)

    @staticmethod
    def unknown(name, namespace="shop", uid="00000000-0000-4000-8000-000000000000"):
        """A pod that no server knows."""
        return {"metadata": {"namespace": namespace, "name": name, "uid": uid}}

    @staticmethod
    def opened(chain):
        """Paths of the logs that the first process has open."""
        found = set()
        for fd in pathlib.Path(f"/proc/{chain.processes[0].pid}/fd").iterdir():
            try:
                found.add(os.readlink(fd))
            except OSError:
                pass
        return {path for path in found if path.endswith(".log")}


class Kubelet(PodsCase):
    def setUp(self):
        super().setUp()
        self.kubelet = fake_kubelet.FakeKubelet(self.dir, self.listed)
        self.addCleanup(self.kubelet.close)
        self.token = self.dir / "token"
        self.token.write_text("secret")

    def enrich(self, *options, trust=None):
        trust = trust or f"--kubelet-ca {self.kubelet.ca}"
        return " ".join([f"enrich --kubernetes kubelet --kubelet {self.kubelet.url} --kube-token-file {self.token} --node-name {self.node}", trust, *options])

    def follow(self, fused, *options, trust=None):
        return self.chain([f"tail -f {self.logs} -o jsonl", self.enrich(*options, trust=trust)], fused)

    def renew_token(self, text):
        fresh = self.dir / "token.new"
        fresh.write_text(text)
        fresh.rename(self.token)

    def check_pace(self, begin):
        """No request comes before its time, counted from `begin`, when nobody was unknown yet. Two requests alone say little: the way of
        the first, with its handshake, may take longer than that of the second."""
        late_enough = [at - begin >= number * BETWEEN for number, at in enumerate(list(self.kubelet.asked))]
        self.assertTrue(all(late_enough), [at - begin for at in self.kubelet.asked])

    def test_labels_come_when_an_unknown_pod_appears(self):
        def body(fused):
            begin = time.monotonic()
            first = self.pod("first", labels={"app": "one"}, owner=("ReplicaSet", "first-5d8f7b9c6d"))
            self.write(first, "f1")
            chain = self.follow(fused, "--wait 1m")
            self.wait_for_apps(chain, f1="one")
            for number in range(5):
                new = self.pod(f"new-{number}", labels={"app": f"new{number}"})
                self.write(new, f"n{number}")
                self.write(first, f"g{number}")
            expected = {"f1": "one", **{f"n{i}": f"new{i}" for i in range(5)}, **{f"g{i}": "one" for i in range(5)}}
            self.wait_for_apps(chain, **expected)
            self.assertLessEqual(len(self.kubelet.asked), 6)
            self.check_pace(begin)
            for record in kit.records(chain.output()):
                self.assertEqual(record["labels"]["node_name"], self.node)
            # Nobody is unknown: nobody is asked.
            asked = len(self.kubelet.asked)
            self.write(first, "last")
            kit.wait_for(lambda: "last" in self.apps(chain), chain.errors)
            self.assertEqual(len(self.kubelet.asked), asked)
            chain.stop()
        self.both(body)

    def test_a_pod_that_stays_unknown(self):
        def body(fused):
            chain = self.follow(fused, "--wait 500ms")
            lost = self.unknown("lost")
            begin, lines = time.monotonic(), 0

            def another_line():
                nonlocal lines
                self.write(lost, f"l{lines}")
                lines += 1
                kit.wait_for(lambda: len(self.apps(chain)) >= lines, chain.errors)
                time.sleep(0.1)  # a line now and then; not a wait for anything
                return len(self.kubelet.asked) >= 3
            kit.wait_for(another_line, chain.errors)
            enough = time.monotonic() + 2 * BETWEEN  # over which nothing is to happen
            while time.monotonic() < enough:
                another_line()
            self.assertEqual(len(self.kubelet.asked), 3)
            self.check_pace(begin)
            self.assertEqual(set(self.apps(chain).values()), {None})
            chain.stop()
        self.both(body)

    def test_a_refused_token_is_replaced(self):
        # So long it would wait without a look at the file.
        self.kubelet.behave = lambda given: None if given == "secret" else (401, b"Unauthorized", {"Retry-After": "600"})
        self.token.write_text("old")
        pod = self.pod("web", labels={"app": "web"})
        chain = self.follow(True, "--wait 500ms")
        self.write(pod, "before")
        kit.wait_for(lambda: "does not accept the token (401)" in chain.errors(), chain.errors)
        self.wait_for_apps(chain, before=None)
        self.renew_token("secret")
        kit.wait_for(lambda: "lists the pods at" in chain.errors(), chain.errors, 10)
        self.write(pod, "after")
        self.wait_for_apps(chain, before=None, after="web")
        chain.stop()

    def test_trouble_stops_no_line(self):
        cases = {
            "the right is missing (403): Forbidden (user=x": (403, b"Forbidden (user=x, verb=get, resource=nodes, subresource=pods)\n", {}),
            "the kubelet answered 500": (500, b"", {}),
            "the answer is not what a kubelet gives": (200, b"<html>hello</html>", {}),
            "the list is not whole": (200, b'{"kind":"PodList","items":[{"metadata":{}}', {}),
        }
        for text, answer in cases.items():
            with self.subTest(text):
                self.setUp()
                self.kubelet.behave = lambda given, answer=answer: answer
                begin = time.monotonic()
                pod = self.pod("web", labels={"app": "web"})
                chain = self.follow(True, "--wait 500ms")
                self.write(pod, "w0")
                self.wait_for_apps(chain, w0=None)
                kit.wait_for(lambda: text in chain.errors(), chain.errors)
                self.kubelet.behave = lambda given: None
                count = 1

                def labelled():
                    nonlocal count
                    self.write(pod, f"w{count}")
                    count += 1
                    kit.wait_for(lambda: len(self.apps(chain)) == count, chain.errors)
                    return list(self.apps(chain).values())[-1] == "web"
                kit.wait_for(labelled, chain.errors)
                self.check_pace(begin)
                chain.stop()

    def test_a_kubelet_that_hangs_stops_no_line(self):
        self.kubelet.hang()
        pod = self.pod("web", labels={"app": "web"})
        chain = self.follow(True, "--wait 500ms")
        self.write(pod, "w0")
        self.wait_for_apps(chain, w0=None)
        begun = time.monotonic()
        for number in range(1, 20):
            self.write(self.unknown(f"lost-{number}", uid=f"u-{number}"), f"l{number}")
        kit.wait_for(lambda: len(self.apps(chain)) == 20, chain.errors)
        self.assertLess(time.monotonic() - begun, 19 * 0.5)
        self.assertEqual(len(self.kubelet.asked), 1)
        self.kubelet.hang(False)
        kit.wait_for(lambda: self.write(pod, "again") or "web" in self.apps(chain).values(), chain.errors, 2 * kit.PATIENCE)
        chain.stop()

    def test_a_long_list_needs_no_memory_of_its_size(self):
        def peak(items):
            """KiB, after the list came and the pod got its label."""
            self.setUp()
            known = self.pod("web", labels={"app": "web"})
            body = json.dumps({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [*items, *self.listed()]}).encode()
            self.kubelet.behave = lambda given: (200, body, {})
            self.write(known, "w")
            chain = self.follow(True, "--wait 1m")
            self.wait_for_apps(chain, w="web")
            status = pathlib.Path(f"/proc/{chain.processes[0].pid}/status").read_text()
            self.errors = chain.errors()
            chain.stop()
            return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]), len(body)

        manifest = kube.pod_manifest("shop", "other", labels={"app": "other"}, annotations={"filler": "x" * 50_000})
        many = [{**manifest, "metadata": {**manifest["metadata"], "name": f"other-{i}", "uid": f"u-{i}"}} for i in range(200)]
        small, _ = peak([])
        large, size = peak(many)
        self.assertGreater(size, 10_000_000)
        self.assertLess(large - small, 4096)
        giant = {**manifest, "metadata": {**manifest["metadata"], "annotations": {"filler": "x" * 10_000_000}, "uid": "u"}}
        large, _ = peak([giant])
        self.assertIn("are not read", self.errors)
        self.assertLess(large - small, 10 << 10)  # no object takes more than 4 MiB, and its buffer grows by doubling

    def test_whom_it_trusts(self):
        pod = self.pod("web", labels={"app": "web"})
        self.write(pod, "w")
        chain = self.follow(True, "--wait 1m", trust="--kubelet-insecure")
        self.wait_for_apps(chain, w="web")
        chain.stop()
        asked = len(self.kubelet.asked)
        chain = self.follow(True, "--wait 500ms", trust=f"--kubelet-ca {kube.ca}")
        self.wait_for_apps(chain, w=None)
        kit.wait_for(lambda: "--kubelet-ca FILE, or --kubelet-insecure" in chain.errors(), chain.errors)
        chain.stop()
        self.assertEqual(len(self.kubelet.asked), asked)  # the token went to nobody
        for trust, text in (("--kubelet-ca /none", "/none"), (f"--kubelet-insecure --kubelet-ca {kube.ca}", "contradict")):
            stages = f"tail {self.logs} | {self.enrich(trust=trust)}"
            done = subprocess.run([kit.WEIR, "run", "--check", "-c", stages], capture_output=True, text=True, env=kit.environment(), check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(text, done.stderr)

    def test_static_pods_and_those_that_claim_to_be_one(self):
        def body(fused):
            mirror = {"kubernetes.io/config.hash": HASH, "kubernetes.io/config.mirror": HASH, "kubernetes.io/config.source": "file"}
            static = self.pod("etcd", labels={"app": "etcd"}, annotations=mirror)
            self.pod("evil", labels={"app": "forged"}, annotations={**mirror, **EXCLUDE})
            victim = self.pod("victim", labels={"app": "victim"})
            self.pod("evil", namespace="other", labels={"app": "forged"}, annotations={"kubernetes.io/config.hash": victim["metadata"]["uid"], **EXCLUDE})
            alone = self.unknown("alone", namespace=f"shop-{self.node}", uid="fedcba9876543210fedcba9876543210")
            self.pod("evil-2", labels={"app": "forged"}, annotations={"kubernetes.io/config.hash": alone["metadata"]["uid"], **EXCLUDE})
            self.write(static, "s", uid=HASH)
            self.write(victim, "v")
            self.write(alone, "a")
            chain = self.follow(fused)
            self.wait_for_apps(chain, s="etcd", v="victim", a=None)
            chain.stop()
        self.both(body)

    def test_an_excluded_pod(self):
        def body(fused):
            wanted, out = self.pod("in", labels={"app": "in"}), self.pod("out", labels={"app": "out"}, annotations=EXCLUDE)
            self.write(out, "o1")
            self.write(wanted, "i1")
            chain = self.follow(fused)
            self.wait_for_apps(chain, i1="in")
            self.write(out, "o2")
            self.write(wanted, "i2")
            self.wait_for_apps(chain, i1="in", i2="in")
            if fused:
                self.assertEqual(self.opened(chain), {str(self.log(wanted))})
            chain.stop()
        self.both(body)


class Api(PodsCase):
    """The opt-out of a pod, with a real API server."""

    def follow(self, fused, *options):
        ask = " ".join(["enrich --kubernetes api --node-name", self.node, *kube.options("node"), *options])
        return self.chain([f"tail -f {self.logs} -o jsonl", ask], fused)

    def test_by_annotation_by_label_and_where_nothing_is_left_out(self):
        def body(fused):
            wanted = self.pod("in", labels={"app": "in"})
            annotated = self.pod("annotated", annotations=EXCLUDE)
            labelled = self.pod("labelled", labels={"team": "noisy"})
            audited = self.pod("audited", namespace="pay", labels={"team": "noisy", "app": "pay"}, annotations=EXCLUDE)
            everyone = (annotated, labelled, wanted, audited)
            for pod in everyone:
                self.write(pod, f"{pod['metadata']['name']}1")
            chain = self.follow(fused, "--exclude-pod-label team=noisy", f"--ignore-exclude-in pay-{self.node}")
            self.wait_for_apps(chain, in1="in", audited1="pay")
            for pod in everyone:
                self.write(pod, f"{pod['metadata']['name']}2")
            self.wait_for_apps(chain, in1="in", audited1="pay", in2="in", audited2="pay")
            if fused:
                self.assertEqual(self.opened(chain), {str(self.log(wanted)), str(self.log(audited))})
            chain.stop()
        self.both(body)

    def test_later_and_not_any_more(self):
        def body(fused):
            pod, other = self.pod("web", labels={"app": "web"}), self.pod("other", labels={"app": "0"})
            name = pod["metadata"]["namespace"]
            chain = self.follow(fused, "--wait 1m")
            self.write(pod, "w1")
            self.write(other, "o1")
            self.wait_for_apps(chain, w1="web", o1="0")
            changes = 0

            def settle():
                """Until everything that the API server said before has been heard."""
                nonlocal changes
                changes += 1
                kube.patch_pod(name, "other", labels={"app": str(changes)})
                kit.wait_for(lambda: self.write(other, f"m{changes}") or self.apps(chain).get(f"m{changes}") == str(changes), chain.errors)

            kube.patch_pod(name, "web", annotations=EXCLUDE)
            settle()
            if fused:
                kit.wait_for(lambda: str(self.log(pod)) not in self.opened(chain), "it is still open")
            self.write(pod, "secret")
            settle()
            kube.patch_pod(name, "web", annotations={"weir.io/exclude": None})
            settle()
            if fused:
                kit.wait_for(lambda: str(self.log(pod)) in self.opened(chain), "it is not open")
            # Where it begins is found out behind the opening.
            kit.wait_for(lambda: self.write(pod, "w2") or self.apps(chain).get("w2") == "web", chain.errors)
            self.assertNotIn("secret", self.apps(chain))
            chain.stop()
        self.both(body)

    def test_what_happens_to_the_log_of_an_unknown_pod(self):
        """Its pod comes to the API server after its log."""
        lost = self.unknown("lost", namespace=f"shop-{self.node}")
        for mode in ("wait", "pass"):
            with self.subTest(mode):
                self.setUp()
                wanted = self.pod("in", labels={"app": "in"})
                chain = self.follow(True, "--wait 1m", f"--exclude-unknown {mode}")
                self.write(wanted, "i1")
                self.wait_for_apps(chain, i1="in")
                self.write(lost, "l1")
                self.write(wanted, "i2")
                self.wait_for_apps(chain, i1="in", i2="in")  # with both, nothing of it goes on
                if mode == "pass":
                    kit.wait_for(lambda: str(self.log(lost)) in self.opened(chain), "it is not open")
                else:
                    self.assertNotIn(str(self.log(lost)), self.opened(chain))
                chain.stop()
                self.assertEqual(self.apps(chain), {"i1": "in", "i2": "in", **({"l1": None} if mode == "pass" else {})})


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
