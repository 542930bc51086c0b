#!/usr/bin/env python3
"""`filter --rules`: the same in a pipe and fused, rules that change while records flow, and rules that cannot be used."""
import json
import os
import signal
import subprocess
import threading
import time
import unittest

import weir_kit as kit


class Rules(kit.Case):
    def setUp(self):
        super().setUp()
        self.rules = self.dir / "rules"
        self.errors = self.dir / "err"

    def replace(self, text):
        fresh = self.dir / "rules.new"
        fresh.write_text(text)
        os.rename(fresh, self.rules)

    def said(self, text):
        return self.errors.read_text().count(text)

    # -- pipe and fused --

    def test_pipe_and_fused_agree(self):
        tree = self.dir / "pods"
        self.podgen("--pods", "5", "--lines", "4000", "--seed", "3", out=tree)
        for text in ("drop |= \"GET\"\n",
                     "redact `[0-9]+` with \"N\"\n",
                     "hold {container=~\".+\"} |~ `[13579]`\n",
                     "sample 25%\n",
                     "limit 20/s by (namespace, pod, container, stream)\n",
                     "dedup 10s by (pod, container, stream)\n",
                     "tenant t-a {stream=\"stderr\"}\ntenant t-b\n",
                     "keep |= \"POST\"\ndrop |~ `T`\nsample 50% |= \"a\"\nname l: limit 1KiB/s burst 4KiB by (pod, stream)\n"):
            with self.subTest(rules=text):
                self.rules.write_text(text)
                stages = [f"tail {tree}", "enrich --level", f"filter --rules {self.rules}"]
                pipe, fused = (self.run_chain(stages, fused=fused) for fused in (False, True))
                self.assertTrue(pipe)
                self.assert_same(pipe, fused)

    def test_rules_in_files_need_no_kubernetes(self):
        self.rules.write_text("drop |= \"x\"\n")
        process = self.start(kit.WEIR, "filter", "--rules", self.rules, "--kube-server", "http://127.0.0.1:1", stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        process.stdin.write(b'{"timestamp":"2026-11-30T00:00:00Z","line":"y","labels":{}}\n')
        process.stdin.flush()
        self.assertIn(b'"y"', process.stdout.readline())
        with open(f"/proc/{process.pid}/maps", encoding="utf-8") as maps:
            self.assertNotIn("libcurl", maps.read())
        self.assertEqual(len(os.listdir(f"/proc/{process.pid}/task")), 1)

    # -- reloads --

    def follow(self, fused, *options):
        """tail -f | filter --rules into a file, in a session of its own: on a terminal SIGHUP would end it."""
        self.log = self.dir / f"app-{fused}.log"
        self.log.touch()
        self.number = 0
        return self.chain([f"tail -f {self.log}", f"filter --rules {self.rules} {' '.join(options)}"], fused=fused, detached=True)

    def write(self, line):
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(line + "\n")

    def lines(self, chain):
        return [json.loads(text)["line"] for text in chain.output()]

    def takes_effect(self, chain, dropped, passed):
        """Writes both until the rule that drops the one is in force."""
        def tried():
            self.number += 1
            self.write(f"{dropped} {self.number}")
            self.write(f"{passed} {self.number}")
            kit.wait_for(lambda: f"{passed} {self.number}" in self.lines(chain), lambda: f"{passed} {self.number}\n{chain.errors()}")
            return f"{dropped} {self.number}" not in self.lines(chain)
        kit.wait_for(tried, lambda: f"{dropped} still passes\n{chain.errors()}")

    def test_a_change_takes_effect_however_it_is_made(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                data = self.dir / f"..data{fused}"
                for name, rule in (("..1", "one"), ("..2", "two")):
                    folder = self.dir / f"{name}{fused}"
                    folder.mkdir()
                    (folder / "rules").write_text(f"drop |= \"{rule}\"\n")
                data.symlink_to(f"..1{fused}")
                if self.rules.is_symlink() or self.rules.exists():
                    self.rules.unlink()
                self.rules.symlink_to(f"..data{fused}/rules")
                chain = self.follow(fused)
                self.takes_effect(chain, "one", "good")
                # As the kubelet changes a ConfigMap.
                link = self.dir / "..data_tmp"
                link.symlink_to(f"..2{fused}")
                os.rename(link, data)
                self.takes_effect(chain, "two", "good")
                self.replace("drop |= \"three\"\n")
                self.takes_effect(chain, "three", "good")
                self.rules.write_text("drop |= \"four\"\n")
                self.takes_effect(chain, "four", "good")
                chain.stop()

    def test_rules_that_cannot_be_used_change_nothing(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.replace("drop |= \"one\"\n")
                chain = self.follow(fused)
                self.takes_effect(chain, "one", "good")
                for broken in ("dorp |= \"two\"\n", "", "drop {app=\n"):
                    self.replace(broken)
                    kit.wait_for(lambda: "the rules from before stay in use" in chain.errors(), chain.errors)
                    self.takes_effect(chain, "one", "good")
                self.assertIn(":1:", chain.errors())
                self.rules.unlink()
                self.replace("drop |= \"two\"\n")
                self.takes_effect(chain, "two", "good")
                chain.stop()
                self.assertIn("rule files could not be used", chain.errors())

    def test_no_batch_is_judged_by_half_a_rule_set(self):
        """While records flow, rules drop either all even numbers or all odd ones: of each batch that was read from one line of the input, none
        passes in part."""
        total = 30_000
        texts = ["\n".join(f"drop |= \"{kind} {digit}\"" for digit in range(10)) + "\n" for kind in ("even", "odd")]
        self.replace(texts[0])
        for fused in (False, True):
            with self.subTest(fused=fused):
                chain = self.follow(fused)
                self.write("first")
                kit.wait_for(lambda: b'"line":"first"' in (chain.output() or [b""])[0], chain.errors)
                stop = threading.Event()

                def change():
                    turn = 0
                    while not stop.is_set():
                        turn += 1
                        self.replace(texts[turn % 2])
                        stop.wait(0.05)

                changer = threading.Thread(target=change)
                changer.start()
                try:
                    with open(self.log, "a", encoding="ascii") as log:
                        for at in range(0, total, 600):
                            log.write("".join(f"{'even' if i % 2 == 0 else 'odd'} {i % 10} {i}\n" for i in range(at, at + 600)))
                            log.flush()
                            time.sleep(0.01)  # paces the writer: several changes of the rules fall among its lines
                    self.write("last")
                    kit.wait_for(lambda: b'"line":"last"' in (chain.output() or [b""])[-1], chain.errors)
                finally:
                    stop.set()
                    changer.join()
                chain.stop()
                numbers = [int(line.split()[2]) for line in self.lines(chain) if line not in ("first", "last")]
                self.assertEqual(numbers, sorted(set(numbers)), "each once, in order")
                # Of two neighbours exactly one passes, wherever no reload falls between them.
                pairs = [0] * (total // 2)
                for number in numbers:
                    pairs[number // 2] += 1
                reloads = chain.errors().count("the rules were read again")
                self.assertGreater(reloads, 3, chain.errors())
                self.assertLessEqual(sum(1 for passed in pairs if passed != 1), reloads)

    # -- starts --

    @staticmethod
    def cri(line):
        now = time.time_ns()
        return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now // 10**9))}.{now % 10**9:09d}Z stdout F {line}\n"

    def test_a_start_with_a_mistake(self):
        self.replace("drop |= \"a\"\ndorp |= \"b\"\n")
        done = subprocess.run([kit.WEIR, "filter", "--rules", str(self.rules)], input=b"", stderr=subprocess.PIPE, env=kit.environment(),
                              check=False)
        self.assertEqual(done.returncode, 2, done.stderr)
        for part in (b":2:1: ", b"drop", b"^"):
            self.assertIn(part, done.stderr)

    def run_node(self, *options):
        text = f"tail -f {self.dir / 'pods'} | filter --rules {self.rules} | buffer {self.dir / 'spool.db'} --store"
        (self.dir / "node.weir").write_text(text)
        errors = open(self.errors, "wb")
        self.addCleanup(errors.close)
        return self.start(kit.WEIR, "run", str(self.dir / "node.weir"), *options, stderr=errors, stdin=subprocess.DEVNULL,
                          env=kit.environment(), start_new_session=True)

    def stored(self):
        done = subprocess.run([kit.WEIR, "replay", str(self.dir / "spool.db"), "-o", "raw"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              env=kit.environment(), check=False)
        return done.stdout.decode().splitlines()

    def test_a_node_starts_on_the_rules_that_ran_last(self):
        folder = self.dir / "pods" / "ns_pod_uid" / "main"
        folder.mkdir(parents=True)
        log = folder / "0.log"

        def write(line):
            with open(log, "a", encoding="ascii") as out:
                out.write(self.cri(line))

        self.replace("drop |= \"noise\"\n")
        node = self.run_node()
        write("noise 1")
        write("first")
        kit.wait_for(lambda: "first" in self.stored(), self.errors.read_text)
        node.send_signal(signal.SIGTERM)
        self.assertEqual(node.wait(kit.PATIENCE), 143)
        self.replace("drop {namespace=\n")
        node = self.run_node()
        write("noise 2")
        write("second")
        kit.wait_for(lambda: "second" in self.stored(), self.errors.read_text)
        self.assertEqual(self.stored(), ["first", "second"])
        self.assertIn("the rules that ran last are used", self.errors.read_text())
        # Mended, they take effect; SIGHUP is enough where nothing else tells.
        self.rules.write_text("drop |= \"second\"\n")
        node.send_signal(signal.SIGHUP)
        kit.wait_for(lambda: self.said("the rules were read again"), self.errors.read_text)
        node.send_signal(signal.SIGTERM)
        self.assertEqual(node.wait(kit.PATIENCE), 143)
        self.replace("drop {namespace=\n")
        node = self.run_node("--strict")
        self.assertEqual(node.wait(kit.PATIENCE), 2, self.errors.read_text())

    def test_a_node_starts_on_the_pipelines_that_ran_last(self):
        (self.dir / "pods" / "ns_pod_uid" / "main").mkdir(parents=True)
        log = self.dir / "pods" / "ns_pod_uid" / "main" / "0.log"
        self.replace("# none\n")
        node = self.run_node()
        log.write_text(self.cri("first"))
        kit.wait_for(lambda: "first" in self.stored(), self.errors.read_text)
        node.send_signal(signal.SIGTERM)
        self.assertEqual(node.wait(kit.PATIENCE), 143)
        text = (self.dir / "node.weir").read_text()
        (self.dir / "node.weir").write_text(text.replace("filter", "filtre"))
        with open(self.errors, "wb") as errors:
            node = self.start(kit.WEIR, "run", str(self.dir / "node.weir"), stderr=errors, stdin=subprocess.DEVNULL, env=kit.environment(),
                              start_new_session=True)
        with open(log, "a", encoding="ascii") as out:
            out.write(self.cri("second"))
        kit.wait_for(lambda: "second" in self.stored(), self.errors.read_text)
        self.assertIn("the pipelines that ran last are used", self.errors.read_text())
        (self.dir / "node.weir").write_text(text.replace("filter ", "filter --drop '|= \"third\"' "))
        node.send_signal(signal.SIGHUP)
        kit.wait_for(lambda: self.said("read the pipelines again"), self.errors.read_text)
        with open(log, "a", encoding="ascii") as out:
            out.write(self.cri("third") + self.cri("fourth"))
        kit.wait_for(lambda: "fourth" in self.stored(), self.errors.read_text)
        self.assertEqual(self.stored(), ["first", "second", "fourth"])
        node.send_signal(signal.SIGTERM)
        self.assertEqual(node.wait(kit.PATIENCE), 143)
        (self.dir / "node.weir").write_text(text.replace("filter", "filtre"))
        done = subprocess.run([kit.WEIR, "run", "--strict", str(self.dir / "node.weir")], stderr=subprocess.PIPE, env=kit.environment(), check=False)
        self.assertEqual(done.returncode, 2, done.stderr)


if __name__ == "__main__":
    unittest.main()
