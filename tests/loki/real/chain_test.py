#!/usr/bin/env python3
"""Whole chains into a real Loki, as a pipe and fused: every line exactly once."""
import json
import subprocess
import sys
import time
import unittest

import loki_server
import weir_kit as kit

loki = None


def setUpModule():
    global loki
    loki = loki_server.Loki()


def tearDownModule():
    loki.stop()


class Chain(kit.Case):
    def check(self, run, expected, start, end, seconds):
        """Loki holds exactly `expected` (as kit.oracle() gives it) for this run: by its API, by weir query, by counting."""
        selector = f'{{run="{run}"}}'
        wanted = {key: sorted(rows) for key, rows in expected.items() if rows}

        def by_key(entries):
            found = {}
            for labels, ns, line, _ in entries:
                found.setdefault(kit.key_of(dict(labels)), []).append((ns, line))
            return {key: sorted(rows) for key, rows in found.items()}

        raw = loki.entries(selector, start, end)
        self.assertEqual({k: len(v) for k, v in by_key(raw).items()}, {k: len(v) for k, v in wanted.items()})
        self.assertEqual(by_key(raw), wanted)
        stamp = lambda ns: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ns // 1_000_000_000))
        lines = kit.weir("query", "--addr", loki.url, "-o", "jsonl", "--from", stamp(start), "--to", stamp(end), selector).splitlines()
        read = loki_server.of_json_lines(lines)
        self.assertEqual(loki_server.differences(loki_server.multiset(raw), loki_server.multiset(read)), "")
        self.assertEqual(loki.counted(selector, seconds, end), kit.count(wanted))

    def test_batch(self):
        end = int(time.time())
        self.podgen("--mb", 5, "--pods", 20, "--seed", 5, "--partial", "--end", end)
        expected = kit.oracle(self.dir / "pods")
        wanted = kit.keep(expected, lambda key, line: key[0] != "kube-system" and "/healthz" not in line)
        self.assertGreater(kit.count(expected), kit.count(wanted))
        for fused in (False, True):
            with self.subTest(fused=fused):
                run = f"chain-{end}-{int(fused)}"
                self.run_chain([f"tail {self.dir / 'pods'}", f"enrich --level --label run={run}",
                                "filter '{namespace!=\"kube-system\"}' --drop '|= \"/healthz\"'", f"push {loki.url}"], fused)
                self.check(run, wanted, (end - 700) * 10**9, (end + 10) * 10**9, 710)

    def test_batch_through_a_spool(self):
        end = int(time.time())
        self.podgen("--mb", 3, "--pods", 8, "--seed", 6, "--partial", "--end", end)
        expected = kit.oracle(self.dir / "pods")
        for fused in (False, True):
            with self.subTest(fused=fused):
                run, spool = f"spool-{end}-{int(fused)}", self.dir / f"spool-{fused}.db"
                stages = [f"tail --checkpoint {spool} {self.dir / 'pods'}", f"enrich --label run={run}", f"buffer {spool}", f"push {loki.url}"]
                self.run_chain(stages, fused)
                self.check(run, expected, (end - 700) * 10**9, (end + 10) * 10**9, 710)
                self.run_chain(stages, fused)  # nothing is left to do
                self.check(run, expected, (end - 700) * 10**9, (end + 10) * 10**9, 710)
                self.assertEqual(kit.weir("replay", spool, "--undelivered", "-o", "jsonl", expect=1), b"")

    def test_live(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                start = int(time.time())
                run, truth = f"live-{start}-{int(fused)}", self.dir / "truth"
                (self.dir / "pods").mkdir()
                chain = self.chain([f"tail -f {self.dir / 'pods'}", f"enrich --level --label run={run}", "filter --drop '|= \"/healthz\"'",
                                    f"push {loki.url}"], fused)
                writer = self.start(kit.PODGEN, str(self.dir / "pods"), "--rate", "2000", "--seconds", "4", "--pods", "5", "--late-pods", "1",
                                    "--rotate-bytes", "100000", "--gzip", "--partial", "--truth", str(truth), stdout=subprocess.PIPE)
                self.assertEqual(json.loads(writer.communicate()[0])["lines"], 8000)
                wanted = kit.keep(kit.truth(truth), lambda _, line: "/healthz" not in line)
                kit.wait_for(lambda r=run, s=start: loki.counted(f'{{run="{r}"}}', int(time.time()) + 10 - s + 5, (int(time.time()) + 10) * 10**9)
                             >= kit.count(wanted), chain.errors)
                chain.stop()
                end = int(time.time()) + 10
                self.check(run, wanted, (start - 5) * 10**9, end * 10**9, end - start + 5)

    def test_replay_into_loki(self):
        end = int(time.time())
        self.podgen("--mb", 2, "--pods", 4, "--seed", 7, "--end", end)
        spool, run = self.dir / "spool.db", f"replay-{end}"
        self.run_chain([f"tail {self.dir / 'pods'}", f"buffer {spool} --store"], fused=True)
        self.run_chain([f"replay {spool} '{{namespace=\"payments\"}}'", f"enrich --label run={run}", f"push {loki.url}"], fused=False)
        self.check(run, kit.keep(kit.oracle(self.dir / "pods"), lambda key, _: key[0] == "payments"), (end - 700) * 10**9, (end + 10) * 10**9, 710)


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
