#!/usr/bin/env python3
"""Tenants, against a Loki that insists on them."""
import json
import sys
import time
import unittest

import loki_server
import weir_kit as kit

NOW = int(time.time()) * 1_000_000_000
START, END = NOW - 600_000_000_000, NOW + 60_000_000_000
loki = None


def setUpModule():
    global loki
    loki = loki_server.Loki(auth=True)


def tearDownModule():
    loki.stop()


class Tenants(kit.Case):
    def input(self, rows):
        path = self.dir / "in.jsonl"
        path.write_text("".join(json.dumps({"timestamp": str(NOW - i), **row}) + "\n" for i, row in enumerate(rows)))
        return open(path, "rb")

    def lines(self, tenant, selector):
        return sorted(e[2] for e in loki.entries(selector, START, END, tenant))

    def queried(self, tenant, selector):
        out = kit.weir("query", "--addr", loki.url, "--tenant", tenant, "-o", "jsonl", "--since", "10m", selector, expect=None)
        return sorted(r["line"] for r in kit.records(out.splitlines()))

    def test_each_record_goes_to_its_tenant(self):
        rows = [{"line": f"of {t} {i}", "labels": {"run": "each"}, **({"tenant": t} if t else {})} for i in range(300) for t in ("one", "two", "")]
        with self.input(rows) as stdin:
            kit.weir("push", loki.url, "--tenant", "rest", stdin=stdin)
        for tenant, name in (("one", "one"), ("two", "two"), ("rest", "")):
            want = sorted(f"of {name} {i}" for i in range(300))
            self.assertEqual(self.lines(tenant, '{run="each"}'), want)
            self.assertEqual(self.queried(tenant, '{run="each"}'), want)
        self.assertEqual(self.lines("other", '{run="each"}'), [])

    def test_through_a_spool_and_tenant_from(self):
        self.podgen("--lines", 600, "--pods", 5, "--end", NOW // 10**9)
        expected = kit.oracle(self.dir / "pods")
        for fused in (False, True):
            with self.subTest(fused=fused):
                spool, run = self.dir / f"spool-{fused}.db", f"spool-{fused}"
                self.run_chain([f"tail --checkpoint {spool} {self.dir / 'pods'}", f"enrich --label run={run} --tenant-from namespace", f"buffer {spool}",
                                f"push {loki.url}"], fused)
                for namespace in ("payments", "checkout", "default"):
                    want = sorted(line for key, rows in expected.items() if key[0] == namespace for _, line in rows)
                    self.assertEqual(self.lines(namespace, f'{{run="{run}"}}'), want)

    def test_what_is_no_tenant_goes_to_one_that_is(self):
        with self.input([{"line": t, "labels": {"run": "odd"}, "tenant": t} for t in ("caf\udce9", "a|b", "日本")]) as stdin:
            kit.weir("push", loki.url, stdin=stdin)
        for tenant, original in (("caf(e9)", r"caf\xe9"), ("a(7c)b", "a|b"), ("(e6)(97)(a5)(e6)(9c)(ac)", "日本")):
            found = loki.entries('{run="odd"}', START, END, tenant)
            self.assertEqual([dict(metadata)["weir_tenant"] for _, _, _, metadata in found], [original])

    def test_without_a_tenant_the_target_is_in_trouble(self):
        with self.input([{"line": "x", "labels": {"run": "none"}}]) as stdin:
            kit.weir("push", loki.url, stdin=stdin, expect=4)


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
