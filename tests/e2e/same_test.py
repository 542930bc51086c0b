#!/usr/bin/env python3
"""A shell pipe and `weir run` give the same, and both give what an independent reader finds in the files."""
import sys
import unittest

import weir_kit as kit

# Stages between tail and the end of the chain; {pods} and {dir} are filled in.
CHAINS = {
    "tail": ["tail {pods}"],
    "enrich": ["tail {pods}", "enrich --level --label cluster=test --keep-labels namespace,pod,container,stream,cluster"],
    "selector": ["tail {pods}", "enrich --level", "filter '{{namespace!=\"kube-system\"}} | detected_level != \"debug\"'"],
    "drop": ["tail {pods}", "filter --drop '{{container=\"main\"}} |= \"/healthz\"'", "filter --drop '|~ \"status=50[03]\"'"],
    "json": ["tail {pods}", "filter '| json | status >= 400'"],
    "logfmt": ["tail {pods}", "filter '| logfmt | duration > 50ms | level != \"debug\"'"],
    "pattern": ["tail {pods}", "filter '{{namespace=\"payments\"}} | pattern \"<ip> - - <_> <method> <_>\" | ip != \"\"'"],
    "regexp": ["tail {pods}", "filter '| regexp \"worker-(?P<worker>[0-9]+)\" | worker > 40'"],
}


class Same(kit.Case):
    def tree(self, *args):
        self.podgen("--mb", 6, "--pods", 10, "--seed", 11, "--partial", *args)
        return kit.oracle(self.dir / "pods")

    def both(self, stages, **kwargs):
        stages = [s.format(pods=self.dir / "pods", dir=self.dir) for s in stages]
        pipe = self.run_chain(stages, fused=False, **kwargs)
        fused = self.run_chain(stages, fused=True, **kwargs)
        self.assert_same(pipe, fused)
        return pipe

    def test_every_line_once_and_in_order(self):
        expected = self.tree()
        self.assert_records(self.both(CHAINS["tail"]), expected)

    def test_chains(self):
        self.tree()
        for name, stages in CHAINS.items():
            with self.subTest(name):
                self.assertGreater(len(self.both(stages)), 100)

    def test_a_filter_passes_what_the_expression_says(self):
        expected = self.tree()
        lines = self.both(["tail {pods}", "filter '{{namespace=~\"payments|checkout\"}} |= \"/healthz\" != \"level=debug\"'"])
        self.assert_records(lines, kit.keep(expected, lambda key, line: key[0] in ("payments", "checkout") and "/healthz" in line
                                            and "level=debug" not in line))

    def test_several_filters_are_all_asked(self):
        expected = self.tree()
        lines = self.both(["tail {pods}", "filter '|= \"request\"'", "filter --drop '|= \"debug\"'", "filter '{{stream=\"stderr\"}}'"])
        self.assert_records(lines, kit.keep(expected, lambda key, line: key[3] == "stderr" and "request" in line and "debug" not in line))

    def test_selection_before_a_file_is_opened(self):
        expected = self.tree()
        lines = self.both(["tail -n 'pay*' -p app00 {pods}"])
        self.assert_records(lines, kit.keep(expected, lambda key, _: key[0].startswith("pay") and key[1].startswith("app00-")))

    def test_a_tree_below_a_folder_that_looks_like_a_pod(self):
        folder = self.dir / "a_b_c" / "pods"
        self.podgen("--lines", 100, "--pods", 5, out=folder)
        self.assert_records(self.both([f"tail {folder}"]), kit.oracle(folder))

    def test_json_lines_from_a_file(self):
        self.tree()
        out = self.dir / "in.jsonl"
        out.write_bytes(b"".join(self.run_chain([f"tail {self.dir / 'pods'}"], fused=False)))
        lines = self.both(["filter '|= \"request\"'", "filter --drop '|= \"debug\"'"], stdin=out)
        self.assertGreater(len(lines), 100)

    def test_a_spool_gives_back_what_went_in(self):
        expected = self.tree()
        for fused in (False, True):
            spool = self.dir / f"spool-{fused}.db"
            self.run_chain([f"tail {self.dir / 'pods'}", f"buffer {spool} --store"], fused)
            self.assert_records(kit.weir("replay", spool, "-o", "jsonl").splitlines(), expected)

    def test_a_spool_is_the_same_by_replay_in_pipe_and_fused(self):
        self.tree()
        spool = self.dir / "spool.db"
        self.run_chain([f"tail {self.dir / 'pods'}", "enrich --level", f"buffer {spool} --store"], fused=True)
        lines = self.both([f"replay {spool} '{{{{namespace=\"checkout\"}}}}'", "filter '|= \"request\"'"])
        self.assertGreater(len(lines), 100)

    def test_in_front_of_push(self):
        expected = self.tree()
        stages = [f"tail {self.dir / 'pods'}", "enrich --level", "filter --drop '|= \"/healthz\"'"]
        sent = {}
        for fused in (False, True):
            record = self.dir / f"sink-{fused}"
            url = self.sink(record)
            self.run_chain([*stages, f"push {url}"], fused)
            sent[fused] = kit.sink_records(record)
        wanted = kit.keep(expected, lambda _, line: "/healthz" not in line)
        for fused, found in sent.items():
            got = {key: [row[:2] for row in rows] for key, rows in found.items()}
            self.assertEqual({k: len(v) for k, v in got.items()}, {k: len(v) for k, v in wanted.items() if v}, f"fused={fused}")
            self.assertEqual(got, {k: v for k, v in wanted.items() if v}, f"fused={fused}")
        self.assertEqual(sent[False], sent[True])

    def test_binary_lines_survive_a_whole_chain_in_both(self):
        folder = self.dir / "pods" / "ns_pod-0_11111111-2222-4333-a444-555555555555" / "main"
        folder.mkdir(parents=True)
        odd = [b"\xff\xfe broken", b"nul \x00 and \x01 and \x7f", "quotes \" \\ \t \u2028 \U0001f600".encode(), b"\xed\xa0\x80 surrogate", b"", b" "]
        (folder / "0.log").write_bytes(b"".join(b"2026-01-02T03:04:05.%09dZ stdout F " % i + line + b"\n" for i, line in enumerate(odd)))
        spools = []
        for fused in (False, True):
            spool = self.dir / f"spool-{fused}.db"
            self.run_chain([f"tail {self.dir / 'pods'}", "filter '{container=\"main\"}'", f"buffer {spool} --store"], fused)
            spools.append(kit.weir("replay", spool, "-o", "jsonl").splitlines(keepends=True))
        self.assert_same(*spools)
        self.assert_same(self.run_chain([f"tail {self.dir / 'pods'}"], fused=False), spools[0], ("tail", "replay"))
        self.assertEqual(len(spools[0]), len(odd))


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
