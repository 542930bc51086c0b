#!/usr/bin/env python3
"""`enrich --parse` and `--max-values`: the same in a pipe and fused, the same fields as a query finds, places that survive a restart."""
import collections
import json
import re
import shlex
import sys
import unittest

import weir_kit as kit

PARSERS = {
    "json": ("json", ["status", "level"]),
    "json paths": ('json status="status", who="trace_id"', ["status", "who"]),
    "logfmt": ("logfmt", ["level", "duration"]),
    "pattern": ("pattern `<ip> - - <_> <method> <_>`", ["ip", "method"]),
    "regexp": ("regexp `worker-(?P<worker>[0-9]+)`", ["worker"]),
}


class Fields(kit.Case):
    def tree(self):
        self.podgen("--mb", 4, "--pods", 8, "--seed", 5, "--partial")
        return self.dir / "pods"

    def test_pipe_and_fused_agree(self):
        pods = self.tree()
        for name, (parse, fields) in PARSERS.items():
            with self.subTest(name):
                options = " ".join(f"--to-metadata {field}=f_{field}" for field in fields)
                stages = [f"tail {pods}", f"enrich --parse {shlex.quote(parse)} --to-label {fields[0]} {options} --level"]
                pipe, fused = (self.run_chain(stages, fused=fused) for fused in (False, True))
                self.assert_same(pipe, fused)

    def test_the_time_of_the_line(self):
        folder = self.dir / "pods" / "ns_pod-0_11111111-2222-4333-a444-555555555555" / "main"
        folder.mkdir(parents=True)
        times = ["2026-01-02T03:04:00.5Z", "2026-01-02T03:03:59+00:00", "soon", "2026-01-02T04:00:00Z", "2026-01-02T03:04:05.25Z"]
        (folder / "0.log").write_text("".join(f'2026-01-02T03:04:05.00000000{i}Z stdout F {{"t":"{t}"}}\n' for i, t in enumerate(times)))
        stages = [f"tail {self.dir / 'pods'}", "enrich --parse json --timestamp-from t rfc3339"]
        pipe, fused = (self.run_chain(stages, fused=fused) for fused in (False, True))
        self.assert_same(pipe, fused)
        self.assertEqual([json.loads(text)["timestamp"] for text in pipe],
                         ["2026-01-02T03:04:00.5Z", "2026-01-02T03:03:59Z", "2026-01-02T03:04:05.000000002Z", "2026-01-02T03:04:05.000000003Z",
                          "2026-01-02T03:04:05.25Z"])

    def test_fields_are_those_of_a_query(self):
        """Every value that enrich finds is what a filter over the same parser compares with, and for no other record."""
        pods = self.tree()
        source = self.dir / "in.jsonl"
        source.write_bytes(b"".join(self.run_chain([f"tail {pods}"], fused=False)))
        for name, (parse, fields) in PARSERS.items():
            field = fields[0]
            enriched = self.run_chain([f"enrich --no-service-name --kubernetes none --parse {shlex.quote(parse)} --to-metadata {field}=found"],
                                      fused=False, stdin=source)
            by_value = collections.defaultdict(list)
            for text in enriched:
                record = json.loads(text)
                by_value[record.get("metadata", {}).get("found", "")].append(record["line"])
            self.assertGreater(len(by_value), 1, name)
            for value, lines in sorted(by_value.items(), key=lambda item: -len(item[1]))[:4]:
                with self.subTest(name, value=value):
                    query = f'| {parse} | {field}="{value}"'
                    if not value:
                        query += ' or __error__!=""'
                    if name == "pattern":  # where a literal is missing, a query makes the rest of the line a field
                        query = '|~ `^.* - - .* .* ` ' + query
                        lines = [line for line in lines if re.search("^.* - - .* .* ", line)]
                    passed = self.run_chain([f"filter {shlex.quote(query)}"], fused=False, stdin=source)
                    self.assertEqual([json.loads(text)["line"] for text in passed], lines)

    # -- a limit of values --

    def write_users(self, name, users):
        log = self.dir / name
        log.write_text("".join(f"user={user}\n" for user in users))
        return log

    def labels(self, lines):
        return [json.loads(text).get("labels", {}).get("user", "-") for text in lines]

    def test_a_restart_finds_the_places_beside_the_spool(self):
        spool = self.dir / "spool.db"
        enrich = "enrich --parse logfmt --to-label user --max-values user=2"
        for name, users in (("a.log", "abcab"), ("b.log", "cdba")):
            log = self.write_users(name, users)
            self.run_chain([f"tail {log}", enrich, f"buffer {spool} --store"], fused=True)
        self.assertIn(" user a\n", (self.dir / "spool.db-values").read_text())
        found = kit.weir("replay", spool, "-o", "jsonl").splitlines()
        self.assertEqual("".join(self.labels(found)), "ab-ab--ba")
        self.assertEqual([json.loads(text).get("metadata", {}).get("user", "") for text in found], ["", "", "c", "", "", "c", "d", "", ""])

    def test_a_restart_finds_the_places_in_a_file(self):
        values = self.dir / "values"
        enrich = f"enrich --parse logfmt --to-label user --max-values user=2 --values-file {values}"
        for fused in (False, True):
            with self.subTest(fused=fused):
                values.unlink(missing_ok=True)
                found = [self.labels(self.run_chain([f"tail {self.write_users('u.log', users)}", enrich], fused=fused)) for users in ("abc", "cba")]
                self.assertEqual(found, [["a", "b", "-"], ["-", "b", "a"]])

    def test_a_kill_keeps_the_places(self):
        log = self.write_users("u.log", "ab")
        values = self.dir / "values"
        enrich = f"enrich --parse logfmt --to-label user --max-values user=2 --values-file {values}"
        for fused in (False, True):
            with self.subTest(fused=fused):
                values.unlink(missing_ok=True)
                chain = self.chain([f"tail -f --lines all {log}", enrich], fused=fused)
                kit.wait_for(lambda: len(chain.output()) == 2, chain.errors)
                chain.kill()
                found = self.run_chain([f"tail {self.write_users('v.log', 'cba')}", enrich], fused=fused)
                self.assertEqual(self.labels(found), ["-", "b", "a"])

    def test_a_check_makes_no_file(self):
        log = self.write_users("u.log", "ab")
        text = f"tail {log} | enrich --max-values filename=2 | buffer {self.dir / 'spool.db'} --store"
        kit.weir("run", "--check", "-c", text)
        self.assertEqual([path.name for path in self.dir.iterdir() if "values" in path.name], [])

    def test_two_limits_in_one_chain_need_two_files(self):
        log = self.write_users("u.log", "abc")
        one, two = (f"enrich --max-values filename={n}" for n in (1, 2))
        spool = self.dir / "spool.db"
        chain = self.chain([f"tail {log}", one, two, f"buffer {spool} --store"], fused=True)
        self.assertEqual(chain.wait(), [4])
        self.assertIn("another enrich uses the file", chain.errors())
        self.run_chain([f"tail {log}", one, f"{two} --values-file {self.dir / 'other'}", f"buffer {spool} --store"], fused=True)


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
