"""enrich --kubernetes api against a real API server: the labels of a node's pods, and while they change."""
import shutil
import subprocess
import sys
import unittest

import kube_kit
import weir_kit as kit

kube = None


def setUpModule():
    global kube
    kube = kube_kit.Kube(audit=True)
    unittest.addModuleCleanup(kube.stop)
    kube.allow("node", None, ["get", "list", "watch"], ["pods"])


class Enrich(kit.Case):
    def options(self, node):
        return " ".join(["--kubernetes api --node-name", node, *kube.options("node")])

    def learn(self, node, cache, options=""):
        """Keeps the node's pods in a file, so that they are known from the first record on."""
        watches = len(kube.audited(user="node", verb="watch"))
        process = self.start(kit.WEIR, "enrich", *f"{self.options(node)} --pod-cache {cache} {options}".split(), stdin=subprocess.PIPE,
                             stdout=subprocess.DEVNULL)
        kit.wait_for(lambda: len(kube.audited(user="node", verb="watch")) > watches, "a watch")
        process.stdin.close()
        self.assertEqual(process.wait(kit.PATIENCE), 0)

    def log(self, pod, container="app", lines=1):
        metadata = pod["metadata"]
        folder = self.dir / "pods" / f"{metadata['namespace']}_{metadata['name']}_{metadata['uid']}" / container
        folder.mkdir(parents=True)
        (folder / "0.log").write_text("".join(f"2026-01-01T00:00:{n:02}.000000000Z stdout F {n}\n" for n in range(lines)))
        return folder / "0.log"

    def test_labels_that_change(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                node, name = f"changing-{fused}".lower(), f"web-{fused}".lower()
                pod = kube.pod("shop", name, node=node, labels={"app": "before"}, owner=("ReplicaSet", "web-5d8f7b9c6d"))
                kube.pod("shop", f"{name}-elsewhere", node="another", labels={"app": "elsewhere"})
                log, written = self.log(pod), 1
                chain = self.chain([f"tail -f {self.dir / 'pods'}", f"enrich {self.options(node)}"], fused)

                def next_app():
                    nonlocal written
                    with log.open("a") as file:
                        file.write(f"2026-01-01T00:01:{written % 60:02}.000000000Z stdout F {written}\n")
                    written += 1
                    kit.wait_for(lambda: len(chain.output()) >= written, chain.errors)
                    return list(kit.records(chain.output()))[-1]["labels"].get("app")

                kit.wait_for(lambda: next_app() == "before", chain.errors)
                kube.patch_pod("shop", name, labels={"app": "after"})
                kit.wait_for(lambda: next_app() == "after", chain.errors)
                kube.patch_pod("shop", name, labels={"app": None})
                kit.wait_for(lambda: next_app() == "web-5d8f7b9c6d", chain.errors)  # no pod-template-hash: the owner as it is
                kube.delete_pod("shop", name)
                self.assertEqual(next_app(), "web-5d8f7b9c6d")  # gone, and still known
                lines = list(kit.records(chain.output()))
                self.assertEqual([record["line"] for record in lines], ["0", *map(str, range(1, written))])
                apps = [record["labels"].get("app") for record in lines]
                order = [None, "before", "after", "web-5d8f7b9c6d"]
                self.assertEqual(apps, sorted(apps, key=order.index))
                for record in lines:
                    if record["labels"].get("app"):
                        self.assertEqual(record["labels"]["job"], f"shop/{record['labels']['app']}")
                        self.assertEqual(record["labels"]["node_name"], node)
                chain.stop()
                shutil.rmtree(self.dir / "pods")

    def test_what_the_pod_gives(self):
        pod = kube.pod("store", "api-0", node="giving", labels={"app.kubernetes.io/name": "api", "app.kubernetes.io/version": "1.2"},
                       annotations={"example.org/team": "blue", "other": "x" * 10_000}, owner=("StatefulSet", "api"))
        self.log(pod, lines=3)
        cache = self.dir / "cache"
        options = "--pod-label app.kubernetes.io/version=version --pod-metadata example.org/team=team"
        self.learn("giving", cache, options)
        self.assertEqual(cache.stat().st_mode & 0o777, 0o600)
        stages = [f"tail {self.dir / 'pods'}", f"enrich {self.options('giving')} --pod-cache {cache} {options}"]
        pipe, fused = self.run_chain(stages, False), self.run_chain(stages, True)
        self.assert_same(pipe, fused)
        self.assertEqual(len(pipe), 3)
        for record in kit.records(pipe):
            self.assertEqual(record["labels"], {"app": "api", "container": "app", "job": "store/api", "namespace": "store",
                                                "node_name": "giving", "pod": "api-0", "service_name": "api", "stream": "stdout",
                                                "version": "1.2"})
            self.assertEqual(record["metadata"], {"pod_uid": pod["metadata"]["uid"], "team": "blue"})

    def test_without_rights_collection_goes_on(self):
        pod = kube.pod("shop", "forbidden", node="forbidden", labels={"app": "a"})
        self.log(pod, lines=5)
        asks = " ".join(["--kubernetes api --node-name forbidden", *kube.options("nobody")])
        lines = self.run_chain([f"tail {self.dir / 'pods'}", f"enrich {asks}"], True)
        self.assertEqual(len(lines), 5)
        self.assertEqual({record["labels"]["namespace"] for record in kit.records(lines)}, {"shop"})


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
