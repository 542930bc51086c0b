"""enrich --kubernetes api against a real API server: pods that come and go while the wire is cut, outages of every kind, and the load
of many nodes."""
import collections
import datetime
import json
import os
import re
import subprocess
import threading
import time
import unittest

import kube_kit
import weir_kit as kit

LINES = 20           # of each pod, before its last one
RECOVERY = 3 * kit.PATIENCE  # what back-off may take on a busy machine

kube = None


def setUpModule():
    global kube
    kube = kube_kit.Kube(users=("churn", "faults", "fleet"), audit=True)
    unittest.addModuleCleanup(kube.stop)


def stamp():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


class Tree:
    """The logs of pods on a node, as a kubelet lays them out."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def write(self, pod, *lines, container="app"):
        """`pod`: the object that the API server gave."""
        metadata = pod["metadata"]
        uid = metadata.get("annotations", {}).get("kubernetes.io/config.hash", metadata["uid"])
        folder = self.folder / f"{metadata['namespace']}_{metadata['name']}_{uid}" / container
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "0.log", "a", encoding="utf-8") as log:
            log.write("".join(f"{stamp()} stdout F {line}\n" for line in lines))


class Output:
    """Records that a chain has written so far, read as they come."""

    def __init__(self, path):
        self.path, self.at, self.rest, self.records = path, 0, b"", []
        self.by_line = collections.defaultdict(list)

    def read(self):
        with open(self.path, "rb") as out:
            out.seek(self.at)
            data = out.read()
        self.at += len(data)
        *lines, self.rest = (self.rest + data).split(b"\n")
        for text in lines:
            record = json.loads(text)
            if "line" in record:
                self.records.append(record)
                self.by_line[record["line"]].append(record)
        return self.records

    def labels_of(self, line):
        """Of the record with this line; None while there is none."""
        self.read()
        found = self.by_line.get(line)
        return found[-1].get("labels", {}) if found else None


class PodsCase(kit.Case):
    def setUp(self):
        super().setUp()
        self.tree = Tree(self.dir / "pods")

    def follow(self, fused, user, url=None, node="node-1", more=()):
        options = " ".join(map(str, [*kube.options(user, url), "--node-name", node, *more]))
        chain = self.chain([f"tail -f {self.tree.folder}", f"enrich --kubernetes api {options}"], fused)
        self.out = Output(chain.path)
        return chain

    def sees(self, namespace, name, chain, app=None, seconds=RECOVERY, node="node-1"):
        """Creates a pod, and waits until a line of it has its label."""
        app = app or name
        pod = kube.pod(namespace, name, node=node, labels={"app": app})
        def labelled():
            line = f"of {name} at {time.monotonic_ns()}"
            self.tree.write(pod, line)
            kit.wait_for(lambda: self.out.labels_of(line), lambda: f"{line} is missing\n{chain.errors()}")
            return self.out.labels_of(line).get("app") == app
        kit.wait_for(labelled, lambda: f"the labels of {name} do not come\n{chain.errors()}", seconds)
        return pod


class ChurnTest(PodsCase):
    PODS = 200

    def test_pods_that_come_and_go_while_the_wire_is_cut(self):
        kube.allow("churn", None, ["get", "list", "watch"], ["pods"])
        for fused in (True, False):
            with self.subTest(fused=fused):
                self.setUp()
                self.churn(fused, f"churn-{'fused' if fused else 'pipe'}")

    def churn(self, fused, namespace):
        kube.namespace(namespace)
        wire = kube_kit.Wire(kube.url)
        self.addCleanup(wire.close)
        node = f"node-of-{namespace}"
        chain = self.follow(fused, "churn", wire.url, node=node)
        self.sees(namespace, "first", chain, node=node)
        pods, begun = [], time.monotonic()
        living = collections.deque()
        cut = up = False
        for i in range(self.PODS):
            pod = kube.pod(namespace, f"web-{i}", node=node, labels={"app": f"app-{i}"})
            self.tree.write(pod, *(f"web-{i} {n}" for n in range(LINES)))
            pods.append(pod)
            living.append(f"web-{i}")
            if len(living) > 8:
                kube.delete_pod(namespace, living.popleft())
            share = (i + 1) / self.PODS
            if not cut and share >= 0.25:
                wire.set("cut")
                cut, cut_at = True, time.monotonic()
            # Ten seconds for all, so that the cut covers many whole lives.
            pause = begun + 10 * share - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            if cut and not up and time.monotonic() >= cut_at + 5:
                wire.set("up")
                up = True
        for name in living:
            kube.delete_pod(namespace, name)
        self.assertTrue(up, "the pods were too few for a cut of 5 seconds")
        self.sees(namespace, "last", chain, node=node)  # the watch is back
        for i, pod in enumerate(pods):
            self.tree.write(pod, f"web-{i} last")
        kit.wait_for(lambda: all(self.out.labels_of(f"web-{i} last") for i in range(self.PODS)), lambda: f"last lines are missing\n{chain.errors()}")
        chain.stop()
        found = collections.defaultdict(list)
        for record in self.out.read():
            labels = record.get("labels", {})
            self.assertEqual((labels.get("namespace"), labels.get("container")), (namespace, "app"), record)
            found[labels.get("pod")].append(record)
        for i in range(self.PODS):
            self.assertEqual([record["line"] for record in found[f"web-{i}"]], [*(f"web-{i} {n}" for n in range(LINES)), f"web-{i} last"], f"web-{i}")
            self.assertEqual(found[f"web-{i}"][-1]["labels"].get("app"), f"app-{i}", f"the watch did not bring web-{i}")
        errors = chain.errors()
        self.assertNotIn("lost", errors)


class FaultsTest(PodsCase):
    """Whatever the API server does, lines pass, and the directory recovers by itself."""

    def lists(self):
        return len([a for a in kube.audited(user=self.user, verb="list") if a.uri.startswith("/api/v1/pods")])

    def passes(self, chain, pod):
        """A line of this pod comes through."""
        line = f"passes at {time.monotonic_ns()}"
        self.tree.write(pod, line)
        kit.wait_for(lambda: self.out.labels_of(line), lambda: f"collection stopped\n{chain.errors()}")
        return self.out.labels_of(line)

    def test_faults(self):
        self.user = "faults"
        node = "node-of-faults"
        kube.allow("faults", None, ["get", "list", "watch"], ["pods"])
        chain = self.follow(True, "faults", node=node)
        known = self.sees("faults", "known", chain, node=node)
        begun, lists_before = time.monotonic(), self.lists()
        self.assertGreaterEqual(lists_before, 1)

        with self.subTest("hangs"):
            unknown = kube.pod("faults", "while-hanging", node="elsewhere")
            kube.hang()
            try:
                self.assertEqual(self.passes(chain, known)["app"], "known")
                self.assertEqual(self.passes(chain, unknown)["pod"], "while-hanging")
            finally:
                kube.go_on()
            self.sees("faults", "after-hanging", chain, node=node)

        with self.subTest("dies"):
            kube.kill()
            try:
                self.assertEqual(self.passes(chain, known)["app"], "known")
                self.assertEqual(self.passes(chain, unknown)["pod"], "while-hanging")
            finally:
                kube.start()
            self.sees("faults", "after-death", chain, node=node)

        with self.subTest("comes back with compacted history"):
            kube.pod("faults", "missed", node=node, labels={"app": "missed"})
            kube.forget_history()
            self.assertEqual(self.passes(chain, known)["app"], "known")
            self.sees("faults", "after-compaction", chain, node=node)

        with self.subTest("a label changes"):
            kube.patch_pod("faults", "known", labels={"app": "renamed"})
            kit.wait_for(lambda: self.passes(chain, known).get("app") == "renamed", lambda: f"the changed label does not come\n{chain.errors()}")

        with self.subTest("revokes rights"):
            kube.forbid("faults", None)
            kube.restart()  # an open watch would go on
            kit.wait_for(lambda: "403" in chain.errors() or "forbidden" in chain.errors(), lambda: f"nobody says what is missing\n{chain.errors()}")
            self.assertRegex(chain.errors(), r"(?i)pods")
            self.assertEqual(self.passes(chain, known)["app"], "renamed")
            kube.allow("faults", None, ["get", "list", "watch"], ["pods"])
            self.sees("faults", "after-rights", chain, node=node)

        # Each fault may cost a list; no more than one a minute besides.
        minutes = (time.monotonic() - begun) / 60
        self.assertLessEqual(self.lists() - lists_before, 5 + minutes, [a.uri for a in kube.audited(user="faults", verb="list")])
        chain.stop()

    def test_the_token_rotates(self):
        """The old token ends at once; the file gets the new one later. Collection goes on."""
        token_file = self.dir / "token"
        account = "system:serviceaccount:rotation:weir"
        token_file.write_text(kube.service_account_token("rotation", "weir"))
        kube.allow(account, None, ["get", "list", "watch"], ["pods"])
        options = f"--kube-server {kube.url} --kube-token-file {token_file} --kube-ca {kube.ca} --node-name node-of-rotation"
        chain = self.chain([f"tail -f {self.tree.folder}", f"enrich --kubernetes api {options}"], True)
        self.out = Output(chain.path)
        known = self.sees("rotation", "known", chain, node="node-of-rotation")
        kube.delete_service_account("rotation", "weir")
        kube.restart()  # so that the watch is cut
        kit.wait_for(lambda: "401" in chain.errors() or "nauthorized" in chain.errors(), lambda: f"nobody says that the token ended\n{chain.errors()}", RECOVERY)
        self.assertEqual(self.passes(chain, known)["app"], "known")
        token_file.write_text(kube.service_account_token("rotation", "weir"))
        self.sees("rotation", "after-rotation", chain, node="node-of-rotation")
        self.assertNotIn(token_file.read_text(), chain.errors())
        chain.stop()


class FleetTest(PodsCase):
    """Many nodes on one API server."""
    NODES = int(os.environ.get("WEIR_FLEET_NODES", "200"))

    def test_a_restart_of_the_server(self):
        user = "fleet"
        kube.allow(user, None, ["get", "list", "watch"], ["pods"])
        for i in range(self.NODES):
            command = [kit.WEIR, "enrich", "--kubernetes", "api", "--node-name", f"fleet-{i}", *kube.options(user)]
            self.start(*command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=kit.environment())
        def watches():
            return [a for a in kube.audited(user=user, verb="watch")]
        kit.wait_for(lambda: len({node_of(a.uri) for a in watches()}) == self.NODES, lambda: f"{len(watches())} watches", 4 * kit.PATIENCE)
        kube.kill()
        since = datetime.datetime.now(datetime.timezone.utc)
        kube.start()
        def back():
            return {node_of(a.uri) for a in watches() if at(a) > since}
        kit.wait_for(lambda: len(back()) == self.NODES, lambda: f"{len(back())} of {self.NODES} are back", 8 * kit.PATIENCE)
        after = [a for a in kube.audited(user=user, path="/api/v1/pods") if at(a) > since]
        seconds = collections.Counter(int(at(a).timestamp()) for a in after)
        lists = [a for a in after if a.verb == "list"]
        span = max(seconds) - min(seconds) + 1
        print(f"{self.NODES} nodes after a restart: {len(after)} requests ({len(lists)} lists) in {span} s: mean {len(after) / span:.1f}/s, peak {max(seconds.values())}/s",
              flush=True)
        # A watch that goes on needs no list; of those that were refused on the way each asks again at most a few times.
        self.assertLessEqual(len(after), 4 * self.NODES)
        self.assertLessEqual(len(lists), self.NODES)


def at(audited):
    return datetime.datetime.fromisoformat(re.sub(r"(\.\d{6})\d*Z?$", r"\1", audited.at).rstrip("Z")).replace(tzinfo=datetime.timezone.utc)


def node_of(uri):
    found = re.search(r"spec\.nodeName(?:%3D|=)([\w-]+)", uri)
    return found.group(1) if found else None


if __name__ == "__main__":
    unittest.main()
