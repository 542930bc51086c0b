#!/usr/bin/env python3
"""VictoriaLogs as a target: its base URL has a path, and headers and query parameters are for it alone."""
import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

import loki_server
import weir_kit as kit

SECOND = 1_000_000_000
NOW = int(time.time()) * SECOND
server = None


class VictoriaLogs:
    def __init__(self):
        binary = os.environ.get("VICTORIALOGS_BIN")
        if not binary:
            print("SKIPPED: no VictoriaLogs to test against (tests/run.sh --loki builds one; VICTORIALOGS_BIN names one)", file=sys.stderr)
            sys.exit(77)
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="weir-victorialogs-"))
        for attempt in range(3):  # a port may be taken between choosing and listening
            (port,) = loki_server.free_ports(1)
            self.url = f"http://127.0.0.1:{port}"
            with open(self.dir / "log", "wb") as log:
                self.process = subprocess.Popen([binary, f"-storageDataPath={self.dir}/data", f"-httpListenAddr=127.0.0.1:{port}", "-loggerLevel=WARN"],
                                                stdout=log, stderr=log)
            deadline = time.monotonic() + kit.PATIENCE
            while time.monotonic() < deadline and self.process.poll() is None:
                try:
                    if kit.get(self.url + "/insert/loki/ready")[0] == 200:
                        return
                except OSError:
                    pass
                time.sleep(0.05)
        raise AssertionError(f"VictoriaLogs did not become ready: {(self.dir / 'log').read_text()[-2000:]}")

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def query(self, query, headers=None):
        """The entries that it has, as dictionaries of fields."""
        kit.get(self.url + "/internal/force_flush")
        status, body = kit.get(f"{self.url}/select/logsql/query?{urllib.parse.urlencode({'query': query, 'limit': 1000000})}", headers)
        assert status == 200, body
        return [json.loads(line) for line in body.splitlines()]


def setUpModule():
    global server
    server = VictoriaLogs()


def tearDownModule():
    server.stop()


class Target(kit.Case):
    def push(self, rows, url, *args, expect=0):
        path = self.dir / "in.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        with open(path, "rb") as stdin:
            return kit.weir("push", url, *args, stdin=stdin, expect=expect)

    def wait_for(self, query, count, headers=None):
        kit.wait_for(lambda: len(server.query(query, headers)) >= count, lambda: f"{len(server.query(query, headers))} of {count} for {query}")
        found = server.query(query, headers)
        self.assertEqual(len(found), count)
        return found

    def rows(self, run, lines):
        return [{"timestamp": str(NOW - 60 * SECOND + i), "line": line, "labels": {"run": run, "app": f"app-{i % 3}"}, "metadata": {"trace_id": f"t{i}"}}
                for i, line in enumerate(lines)]

    def test_records_arrive_as_they_are(self):
        lines = [f"line {i}" for i in range(5000)] + ['say "hi" \\ back', "two\nlines", "\u65e5\u672c\u8a9e \U0001f600", " spaces "]
        rows = self.rows("plain", lines)
        self.push(rows, f"{server.url}/insert")
        found = self.wait_for('{run="plain"}', len(rows))
        want = collections.Counter((r["line"], r["labels"]["app"], r["metadata"]["trace_id"]) for r in rows)
        self.assertEqual(collections.Counter((e["_msg"], e["app"], e["trace_id"]) for e in found), want)
        times = {e["_msg"]: kit.nanoseconds(e["_time"]) for e in found}
        self.assertEqual(times["line 7"], NOW - 60 * SECOND + 7)

    def test_the_full_push_url_is_the_same(self):
        self.push(self.rows("full", ["a", "b"]), f"{server.url}/insert/loki/api/v1/push")
        self.wait_for('{run="full"}', 2)

    def test_query_parameters_and_headers_are_passed_on(self):
        text = '{"level":"info","msg":"hello"}'
        self.push(self.rows("unpacked", [text]), f"{server.url}/insert")
        (entry,) = self.wait_for('{run="unpacked"}', 1)
        self.assertEqual(entry.get("level"), "info")  # it takes lines of JSON apart, unless told not to
        self.push(self.rows("by-query", [text]), f"{server.url}/insert?disable_message_parsing=1")
        (entry,) = self.wait_for('{run="by-query"}', 1)
        self.assertEqual((entry["_msg"], entry.get("level")), (text, None))
        self.push(self.rows("by-header", [text]), f"{server.url}/insert", "--header", "VL-Loki-Disable-Message-Parsing: 1")
        (entry,) = self.wait_for('{run="by-header"}', 1)
        self.assertEqual(entry["_msg"], text)

    def test_tenants(self):
        """No X-Scope-OrgID unless asked; its own headers work, too."""
        self.push(self.rows("tenant", ["of 12"]), f"{server.url}/insert", "--tenant", "12:34")
        self.push(self.rows("tenant", ["of 56"]), f"{server.url}/insert", "--header", "AccountID: 56")
        self.push(self.rows("tenant", ["of none"]), f"{server.url}/insert")
        for headers, line in (({"AccountID": "12", "ProjectID": "34"}, "of 12"), ({"AccountID": "56"}, "of 56"), (None, "of none")):
            (entry,) = self.wait_for('{run="tenant"}', 1, headers)
            self.assertEqual(entry["_msg"], line)

    def test_a_tenant_it_cannot_read_is_trouble_at_once(self):
        self.push(self.rows("word", ["x"]), f"{server.url}/insert", "--tenant", "fake", expect=4)

    def test_a_wrong_base_is_trouble_at_once(self):
        self.push(self.rows("wrong", ["x"]), f"{server.url}/select", expect=4)

    def test_whole_chains(self):
        end = int(time.time())
        self.podgen("--mb", 2, "--pods", 6, "--seed", 9, "--end", end)
        expected = kit.oracle(self.dir / "pods")
        for fused in (False, True):
            with self.subTest(fused=fused):
                run, spool = f"chain-{fused}", self.dir / f"spool-{fused}.db"
                self.run_chain([f"tail --checkpoint {spool} {self.dir / 'pods'}", f"enrich --label run={run}", f"buffer {spool}",
                                f"push '{server.url}/insert?disable_message_parsing=1'"], fused)
                found = self.wait_for(f'{{run="{run}"}}', kit.count(expected))
                lines = collections.Counter((e["namespace"], e["pod"], e["container"], e["stream"], kit.nanoseconds(e["_time"]), e["_msg"]) for e in found)
                want = collections.Counter((*key[:4], ns, line) for key, rows in expected.items() for ns, line in rows)
                self.assertEqual(lines, want)

    def test_smoke_writes_only(self):
        """It takes pushes in Loki's form, and answers no queries in that form."""
        report = json.loads(kit.weir("smoke", "--push-url", f"{server.url}/insert", "--write-only", "--records", 80, "--rate", 400, "--json"))
        self.assertEqual((report["good"], report["sent"]), (True, 80))
        found = self.wait_for(f'weir_smoke_run:{report["run"]}', 80)
        self.assertEqual({int(entry["weir_smoke_record"]) for entry in found}, set(range(1, 81)))
        kit.weir("smoke", "--push-url", f"{server.url}/insert", "--query-url", f"{server.url}/select", expect=4)


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
