#!/usr/bin/env python3
"""enrich --kubernetes api: records of pods that are not known yet wait, and pods that do not want it are left out, in a pipe and fused."""
import json
import os
import pathlib
import signal
import time
import unittest

import fake_kube
import weir_kit as kit

EXCLUDE = {"weir.io/exclude": "true"}


class PodsCase(kit.Case):
    def setUp(self):
        super().setUp()
        self.pods = self.dir / "pods"
        self.pods.mkdir()
        self.kube = fake_kube.FakeKube()
        self.addCleanup(self.kube.close)

    def both(self, body):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                body(fused)

    def log(self, uid, name="web", namespace="shop"):
        folder = self.pods / f"{namespace}_{name}_{uid}" / "app"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / "0.log"

    def write(self, uid, *lines, **where):
        with open(self.log(uid, **where), "a", encoding="ascii") as log:
            for line in lines:
                log.write(f"2024-05-01T10:00:00Z stdout F {line}\n")

    def enrich(self, *options):
        return f"enrich --kubernetes api --kube-server {self.kube.url} --node-name node-1 --no-service-name " + " ".join(options)

    def follow(self, fused, *options):
        return self.chain([f"tail -f {self.pods} -o jsonl", self.enrich(*options)], fused)

    @staticmethod
    def lines(chain):
        return [record["line"] for record in kit.records(chain.output())]

    @staticmethod
    def replayed(spool):
        if not spool.exists():
            return []
        return [json.loads(line)["line"] for line in kit.weir("replay", spool, "-o", "jsonl", expect=(0, 1, 4)).splitlines()]

    def wait_for_lines(self, chain, *lines):
        kit.wait_for(lambda: sorted(self.lines(chain)) == sorted(lines), lambda: f"{self.lines(chain)}\n{chain.errors()}")

    def opened(self, chain):
        """Paths of the logs that the first process has open."""
        found = set()
        for fd in pathlib.Path(f"/proc/{chain.processes[0].pid}/fd").iterdir():
            try:
                found.add(os.readlink(fd))
            except OSError:
                pass
        return {path for path in found if path.endswith(".log")}


class Waiting(PodsCase):
    def test_records_of_an_unknown_pod_get_its_labels(self):
        def body(fused):
            self.kube.put(fake_kube.pod("known", "shop", "web", {"app": "shop-web"}))
            chain = self.follow(fused, "--wait 1m", "--exclude-unknown pass")
            self.write("known", "k1")
            self.wait_for_lines(chain, "k1")
            self.write("new", "n1", "n2", name="db")
            self.write("known", "k2")
            self.wait_for_lines(chain, "k1", "k2")
            self.kube.put(fake_kube.pod("new", "shop", "db", {"app": "shop-db"}))
            self.wait_for_lines(chain, "k1", "k2", "n1", "n2")
            apps = {r["line"]: r["labels"].get("app") for r in kit.records(chain.output())}
            self.assertEqual(apps, {"k1": "shop-web", "k2": "shop-web", "n1": "shop-db", "n2": "shop-db"})
            chain.stop()
        self.both(body)

    def test_after_the_wait_they_go_on(self):
        def body(fused):
            chain = self.follow(fused, "--wait 300ms", "--exclude-unknown pass")
            self.write("new", "n1")
            self.wait_for_lines(chain, "n1")
            record = next(kit.records(chain.output()))
            self.assertEqual((record["labels"]["namespace"], record["labels"]["pod"]), ("shop", "web"))
            chain.stop()
        self.both(body)

    def test_a_stop_lets_them_go(self):
        def body(fused):
            chain = self.follow(fused, "--wait 1m", "--exclude-unknown pass")
            self.kube.put(fake_kube.pod("known", "shop", "web"))
            self.write("known", "k1")
            self.write("new", "n1")
            self.wait_for_lines(chain, "k1")
            self.assertEqual(self.lines(chain), ["k1"])
            chain.signal(signal.SIGTERM)
            self.assertTrue(all(code in (0, 143) for code in chain.wait(30)), chain.errors())
            self.assertEqual(sorted(self.lines(chain)), ["k1", "n1"])
        self.both(body)

    def test_a_server_that_is_away_holds_nothing_up(self):
        def body(fused):
            self.kube.hang()
            chain = self.follow(fused, "--wait 500ms")
            self.write("one", "o1")
            self.wait_for_lines(chain, "o1")
            begun = time.monotonic()
            for number in range(20):
                self.write(f"u{number}", f"n{number}")
            self.wait_for_lines(chain, "o1", *(f"n{number}" for number in range(20)))
            self.assertLess(time.monotonic() - begun, 20 * 0.5)
            chain.stop()
        self.both(body)

    def test_a_kill_loses_and_repeats_nothing(self):
        def body(fused):
            spool = self.dir / "spool.db"
            stages = [f"tail -f --max-age 0 --checkpoint {spool} {self.pods} -o jsonl", self.enrich("--wait 1m", "--exclude-unknown pass"),
                      f"buffer {spool} --store"]
            self.kube.put(fake_kube.pod("known", "shop", "web"))
            chain = self.chain(stages, fused)

            def stored():
                if not spool.exists():
                    return []
                return [json.loads(line)["line"] for line in kit.weir("replay", spool, "-o", "jsonl", expect=(0, 1, 4)).splitlines()]

            self.write("new", "n1", name="db")
            self.write("known", "k1")
            kit.wait_for(lambda: stored() == ["k1"], lambda: f"{stored()}\n{chain.errors()}")
            self.write("new", "n2", name="db")
            self.write("known", "k2")
            kit.wait_for(lambda: stored() == ["k1", "k2"], lambda: f"{stored()}\n{chain.errors()}")
            chain.kill()
            self.kube.put(fake_kube.pod("new", "shop", "db"))
            chain = self.chain(stages, fused)
            kit.wait_for(lambda: len(stored()) >= 4, lambda: f"{stored()}\n{chain.errors()}")
            self.write("known", "k3")
            kit.wait_for(lambda: len(stored()) >= 5, lambda: f"{stored()}\n{chain.errors()}")
            chain.stop()
            self.assertEqual(sorted(stored()), ["k1", "k2", "k3", "n1", "n2"])
            self.assertLess(stored().index("n1"), stored().index("n2"))
        self.both(body)

    def test_logs_that_wait_to_the_end_are_introduced_before_their_records(self):
        """Short logs and the end of the stream are one batch: the markers that introduce the logs go in front of what waited."""
        def body(fused):
            rules, spool = self.dir / "rules", self.dir / "spool.db"
            rules.write_text('drop |= "noise"\n', encoding="ascii")
            self.kube.put(fake_kube.pod("known", "shop", "web"))
            chain = [f"tail --max-age 0 --checkpoint {spool} {self.pods} -o jsonl", self.enrich("--wait 300ms"), f"filter --rules {rules}",
                     f"buffer {spool} --store"]
            stored = []
            for part in (1, 2):
                self.write("one", f"a{part}", f"noise {part}", name="db")
                self.write("known", f"k{part}")
                self.write("two", f"noise {part}", f"b{part}", f"noise {part}", name="queue")
                with open(self.log("two", name="queue"), "a", encoding="ascii") as log:
                    log.write(f"2024-05-01T10:00:00Z stderr F e{part}\n")
                self.run_chain(chain, fused)
                stored += [f"{what}{part}" for what in "abek"]
                self.assertEqual(sorted(self.replayed(spool)), sorted(stored))
                rotated = self.log("one", name="db")
                rotated.rename(f"{rotated}.2024010{part}-000000")
        self.both(body)


class LeftOut(PodsCase):
    def test_by_annotation_and_by_label(self):
        def body(fused):
            self.kube.put(fake_kube.pod("in", "shop", "web", {"app": "a"}))
            self.kube.put(fake_kube.pod("annotated", "shop", "web", None, EXCLUDE))
            self.kube.put(fake_kube.pod("labelled", "shop", "web", {"team": "noisy"}))
            self.kube.put(fake_kube.pod("audited", "pay", "web", {"team": "noisy"}, EXCLUDE))
            for uid in ("in", "annotated", "labelled"):
                self.write(uid, f"{uid} 1")
            self.write("audited", "audited 1", namespace="pay")
            chain = self.follow(fused, "--exclude-pod-label team=noisy", "--ignore-exclude-in pay")
            self.wait_for_lines(chain, "in 1", "audited 1")
            if fused:
                self.assertEqual(self.opened(chain), {str(self.log("in")), str(self.log("audited", namespace="pay"))})
            for uid in ("annotated", "labelled", "in"):
                self.write(uid, f"{uid} 2")
            self.wait_for_lines(chain, "in 1", "audited 1", "in 2")
            chain.stop()
        self.both(body)

    def test_what_is_left_out_is_not_waited_for(self):
        """The list says that it is left out: nothing else is awaited, though nothing else happens."""
        def body(fused):
            self.kube.put(fake_kube.pod("u-1", "shop", "web", None, EXCLUDE))
            self.write("u-1", "one", "two")
            begun = time.monotonic()
            self.assertEqual(self.run_chain([f"tail {self.pods} -o jsonl", self.enrich("--wait", "1m")], fused), [])
            self.assertLess(time.monotonic() - begun, 50)
        self.both(body)

    def test_a_cache_that_cannot_be_written(self):
        """It is reported also at the very end, and the records pass."""
        def body(fused):
            self.kube.put(fake_kube.pod("u-1", "shop", "web", {"app": "shop"}))
            self.write("u-1", "one")
            chain = self.chain([f"tail {self.pods} -o jsonl", self.enrich("--pod-cache", str(self.dir / "missing" / "cache"))], fused)
            self.assertEqual(chain.wait(), [0] * len(chain.processes), chain.errors())
            self.assertEqual(self.lines(chain), ["one"])
            self.assertIn("missing/cache", chain.errors())
        self.both(body)

    def test_a_pipe_gives_the_same_as_one_process(self):
        self.kube.put(fake_kube.pod("in", "shop", "web", {"app": "a"}))
        self.kube.put(fake_kube.pod("out", "shop", "web", None, EXCLUDE))
        for number in range(500):
            self.write("in", f"in {number}")
            self.write("out", f"out {number}")
        stages = [f"tail {self.pods} -o jsonl", self.enrich()]
        pipe, fused = self.run_chain(stages, False), self.run_chain(stages, True)
        self.assertEqual(len(pipe), 500)
        self.assert_same(pipe, fused)

    def test_later_and_not_any_more(self):
        def body(fused):
            self.kube.put(fake_kube.pod("u", "shop", "web"))
            self.kube.put(fake_kube.pod("other", "shop", "web"))
            chain = self.follow(fused)
            self.write("u", "u1")
            self.write("other", "o0")
            self.wait_for_lines(chain, "u1", "o0")
            self.kube.put(fake_kube.pod("u", "shop", "web", None, EXCLUDE))
            self.kube.put(fake_kube.pod("mark", "shop", "web", {"app": "known behind it"}))
            self.write("mark", "m1")
            self.wait_for_lines(chain, "u1", "o0", "m1")
            if fused:
                kit.wait_for(lambda: str(self.log("u")) not in self.opened(chain), "it is still open")
            # Both files are known, so that they are read in this order.
            self.write("u", "secret")
            self.write("other", "o1")
            self.wait_for_lines(chain, "u1", "o0", "m1", "o1")
            self.kube.put(fake_kube.pod("u", "shop", "web"))
            if fused:
                kit.wait_for(lambda: str(self.log("u")) in self.opened(chain), "it is not open")
            else:
                self.kube.put(fake_kube.pod("mark", "shop", "web", {"app": "changed behind it"}))
                kit.wait_for(lambda: self.renamed(chain), "the change is not seen")
            # Where it begins is found out behind the opening.
            kit.wait_for(lambda: self.write("u", "u2") or "u2" in self.lines(chain), chain.errors)
            self.assertNotIn("secret", self.lines(chain))
            chain.stop()
        self.both(body)

    def renamed(self, chain):
        self.write("mark", "m2")
        return any(r["labels"].get("app") == "changed behind it" for r in kit.records(chain.output()))

    def test_positions_of_what_was_left_out_move_on(self):
        def body(fused):
            spool = self.dir / "spool.db"
            stages = [f"tail -f --max-age 0 --checkpoint {spool} {self.pods} -o jsonl", self.enrich(), f"buffer {spool} --store"]
            self.kube.put(fake_kube.pod("in", "shop", "web"))
            self.kube.put(fake_kube.pod("out", "shop", "db", None, EXCLUDE))
            self.write("out", "secret", name="db")
            self.write("in", "a1")
            for number in (1, 2):
                chain = self.chain(stages, fused)
                self.write("in", f"run {number}")
                kit.wait_for(lambda: f"run {number}" in self.replayed(spool), chain.errors)
                chain.signal(signal.SIGTERM, 0)
                codes = chain.wait()
                self.assertTrue(all(code in (0, 143) for code in codes), f"{codes}: {chain.errors()}")
                self.assertNotIn("lost", chain.errors())
            # It goes while nobody runs. In a pipe tail does not know that nobody wants it, and reports what it cannot see any more.
            if fused:
                self.log("out", name="db").unlink()
            chain = self.chain(stages, fused)
            self.write("in", "last")
            kit.wait_for(lambda: "last" in self.replayed(spool), chain.errors)
            chain.stop()
            self.assertEqual(self.replayed(spool), ["a1", "run 1", "run 2", "last"])
        self.both(body)


if __name__ == "__main__":
    unittest.main()
