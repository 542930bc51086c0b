#!/usr/bin/env python3
"""enrich --kubernetes api: the labels of pods, in a shell pipe and fused, and while they change."""
import shutil
import subprocess
import sys
import unittest

import fake_api
import weir_kit as kit


class Pods(kit.Case):
    def setUp(self):
        super().setUp()
        self.api = fake_api.FakeApi()
        self.addCleanup(self.api.close)
        self.cache = self.dir / "pods.cache"
        self.asks = f"--kubernetes api --kube-server {self.api.url} --node-name node-7"

    def learn(self, options):
        """Writes the cache: so the pods are known from the first record on."""
        args = f"enrich {self.asks} --pod-cache {self.cache} {options}".split()
        process = self.start(kit.WEIR, *args, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        watches = self.api.watches
        kit.wait_for(lambda: self.api.watches > watches, "a watch")
        process.stdin.close()
        self.assertEqual(process.wait(kit.PATIENCE), 0)

    def both(self, options):
        self.learn(options)
        got = []
        for fused in (False, True):
            cache = self.dir / f"cache-{fused}"
            shutil.copy(self.cache, cache)
            got.append(self.run_chain([f"tail {self.dir / 'pods'}", f"enrich {self.asks} --pod-cache {cache} {options}"], fused))
        self.assert_same(*got)
        return list(kit.records(got[0]))

    def test_pipe_and_fused_are_the_same(self):
        self.podgen("--mb", 2, "--pods", 8, "--seed", 3)
        folders = sorted(path.name for path in (self.dir / "pods").iterdir())
        for number, folder in enumerate(folders[:-1]):
            namespace, name, uid = folder.split("_")
            self.api.put(fake_api.metadata(uid, namespace, name, {"app": f"app-{number}", "tier": "t"}, {"example.org/team": "blue"}))
        known = {folder.split("_")[2]: f"app-{number}" for number, folder in enumerate(folders[:-1])}
        lines = self.both("--pod-label tier --pod-metadata example.org/team=team --level")
        self.assertEqual({record["metadata"]["pod_uid"] for record in lines}, {folder.split("_")[2] for folder in folders})
        for record in lines:
            labels, metadata, app = record["labels"], record["metadata"], known.get(record["metadata"]["pod_uid"])
            if app is None:
                self.assertNotIn("node_name", labels)
                continue
            self.assertEqual((labels["app"], labels["job"], labels["node_name"], labels["tier"], metadata["team"], labels["service_name"]),
                             (app, f"{labels['namespace']}/{app}", "node-7", "t", "blue", app))

    def test_the_labels_of_other_agents(self):
        self.podgen("--lines", 200, "--pods", 3, "--seed", 5)
        for path in (self.dir / "pods").iterdir():
            namespace, name, uid = path.name.split("_")
            self.api.put(fake_api.metadata(uid, namespace, name, {"app.kubernetes.io/name": "web"}, owner=("ReplicaSet", "web-5d8f7b9c6d")))
        wanted = {"promtail": {"app", "container", "job", "namespace", "node_name", "pod", "service_name", "stream"},
                  "alloy-docs": {"app", "container", "instance", "job", "namespace", "pod", "service_name"},
                  "k8s-monitoring": {"app_kubernetes_io_name", "container", "job", "namespace", "service_name"}}
        for scheme, names in wanted.items():
            with self.subTest(scheme):
                for record in self.both(f"--labels-like {scheme}"):
                    self.assertEqual(set(record["labels"]), names)

    def test_a_changed_label_counts_for_later_records(self):
        self.api.put(fake_api.metadata("u-1", "shop", "web-1", {"app": "before"}))
        folder = self.dir / "pods" / "shop_web-1_u-1" / "nginx"
        folder.mkdir(parents=True)
        for fused in (False, True):
            with self.subTest(fused=fused):
                log = folder / "0.log"
                log.write_text("2026-01-01T00:00:00.000000000Z stdout F one\n")
                self.api.put(fake_api.metadata("u-1", "shop", "web-1", {"app": "before"}))
                cache = self.dir / f"cache-{fused}"
                self.learn("")
                shutil.copy(self.cache, cache)
                watches = self.api.watches
                chain = self.chain([f"tail -f {self.dir / 'pods'}", f"enrich {self.asks} --pod-cache {cache}"], fused)
                kit.wait_for(lambda: self.api.watches > watches and len(chain.output()) >= 1, chain.errors)
                self.api.put(fake_api.metadata("u-1", "shop", "web-1", {"app": "after"}))
                apps, count = [], 1

                def more():
                    nonlocal count
                    count += 1
                    with log.open("a") as file:
                        file.write(f"2026-01-01T00:00:{count % 60:02}.000000000Z stdout F more\n")
                    kit.wait_for(lambda: len(chain.output()) >= count, chain.errors)
                    apps[:] = [record["labels"]["app"] for record in kit.records(chain.output())]
                    return apps[-1] == "after"

                kit.wait_for(more, lambda: str(apps))
                self.assertEqual(apps, sorted(apps, reverse=True))  # "before" first, and never again
                self.assertEqual(len(list(kit.records(chain.output()))), count)
                chain.stop()
                shutil.rmtree(folder)
                folder.mkdir()

    def test_nobody_answers(self):
        """Collection goes on with what the path gives."""
        self.podgen("--lines", 50, "--pods", 2)
        stages = [f"tail {self.dir / 'pods'}", "enrich --kubernetes api --kube-server http://127.0.0.1:1 --node-name n"]
        pipe, fused = (self.run_chain(stages, fused) for fused in (False, True))
        self.assert_same(pipe, fused)
        self.assertEqual(len(pipe), 50)

    def test_check_says_what_the_start_says(self):
        text = f"tail {self.dir} | enrich {self.asks} | enrich {self.asks}"
        lists = self.api.lists
        said = []
        for check in ([], ["--check"]):
            done = subprocess.run([kit.WEIR, "run", *check, "-c", text], capture_output=True, text=True, env=kit.environment(), check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("this chain asks for pods already", done.stderr)
            said.append((done.returncode, done.stderr))
            if check:
                self.assertEqual(self.api.lists, lists)
            lists = self.api.lists
        self.assertEqual(said[0], said[1])

    def test_check_says_where_enrich_belongs(self):
        text = f"tail {self.dir} | buffer {self.dir / 's.db'} | enrich {self.asks} | push http://127.0.0.1:1"
        lists = self.api.lists
        done = subprocess.run([kit.WEIR, "run", "--check", "-c", text], capture_output=True, text=True, env=kit.environment())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("put enrich before buffer", done.stderr)
        self.assertEqual(self.api.lists, lists)  # nobody was asked


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
