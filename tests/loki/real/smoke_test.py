#!/usr/bin/env python3
"""`weir smoke` against a real Loki: a good verdict when all is well, and the right words when something between it and Loki is wrong."""
import json
import os
import re
import signal
import subprocess
import time
import unittest
import xml.etree.ElementTree

import ci_jobs
import loki_server
import proxy
import weir_kit as kit

loki = None


def setUpModule():
    global loki
    loki = loki_server.Loki()


def tearDownModule():
    loki.stop()


class Smoke(kit.Case):
    def smoke(self, *args, url=None, env=None, **kwargs):
        """Exit code, standard output and standard error of a run."""
        environment = kit.environment(LOKI_ADDR=url or loki.url, PATH=f"{os.path.dirname(os.path.abspath(kit.WEIR))}:{os.environ['PATH']}",
                                      TMPDIR=self.dir, **(env or {}))
        done = subprocess.run([kit.WEIR, "smoke", *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=environment, timeout=4 * kit.PATIENCE, check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def report(self, *args, expect=0, **kwargs):
        """The report of a run with this exit code, as JSON."""
        code, out, err = self.smoke(*args, "--json", **kwargs)
        self.assertEqual(code, expect, out + err)
        return json.loads(out)

    def faults(self, report):
        return {finding["fault"]: finding["count"] for finding in report["findings"]}


class Good(Smoke):
    def test_direct(self):
        report = self.report("--rate", 100)
        self.assertEqual((report["good"], report["sent"], report["arrived"], report["query_range"], report["count_over_time"]), (True, 200, 200, 200, 200))
        self.assertEqual((report["streams"], report["requests"], report["findings"]), (4, 25, []))
        latency = report["latency_ms"]
        self.assertLess(0, latency["p50"])
        self.assertTrue(latency["p50"] <= latency["p95"] <= latency["p99"] <= latency["max"] < 30_000, latency)

    def test_the_run_is_no_label(self):
        """Two runs share their streams, and the id of each is in the metadata."""
        runs = {self.report("--records", 16, "--streams", 2, "--rate", 200)["run"] for _ in range(2)}
        end = time.time_ns() + 300 * 10**9
        for run in runs:
            rows = loki.entries(f'{{job="weir-smoke"}} | weir_smoke_run="{run}"', end - 3600 * 10**9, end)
            self.assertEqual(len(rows), 16)
            self.assertEqual({labels for labels, _, _, _ in rows},
                             {frozenset({"job": "weir-smoke", "smoke_stream": stream, "service_name": "weir-smoke"}.items()) for stream in "12"})

    def test_text_and_junit(self):
        code, out, err = self.smoke("--records", 40, "--rate", 200, "--junit", self.dir / "smoke.xml")
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, r"^good: 40 records in 4 streams arrived once, in order and unchanged \(run [0-9a-f]{12}\)\n")
        self.assertRegex(out, r"(?m)^  read back  40 by query_range, 40 by count_over_time$")
        self.assertRegex(out, r"(?m)^  latency    p50 \S+ ms, p95 ")
        suite = xml.etree.ElementTree.parse(self.dir / "smoke.xml").getroot().find("testsuite")
        self.assertEqual((suite.get("tests"), suite.get("failures"), suite.get("errors")), ("9", "0", "0"))
        self.assertEqual(len(suite.findall("testcase")), 9)

    def test_via_a_pipe(self):
        report = self.report("--via", 'weir tail -f "$WEIR_SMOKE_DIR" | weir push', "--rate", 100)
        self.assertEqual((report["good"], report["arrived"], report["count_over_time"], report["way"]), (True, 200, 200, "via"))
        self.assertEqual(os.listdir(self.dir), [], "the folder of the logs is removed")

    def test_via_the_text_of_a_pipeline(self):
        """Without a shell's words: the stages are weir's, also with a spool between them."""
        spool = self.dir / "spool.db"
        report = self.report("--via", f"tail -f $WEIR_SMOKE_DIR | filter --drop '|= \"no such line\"' | buffer {spool} | push", "--rate", 100)
        self.assertEqual((report["good"], report["arrived"]), (True, 200))

    def test_via_with_the_labels_of_another_agent(self):
        command = 'weir tail -f "$WEIR_SMOKE_DIR" | weir enrich --label app=smoke-agent --keep-labels app | weir push'
        report = self.report("--via", command, "--selector", '{app="smoke-agent"}', "--label", "app=smoke-agent", "--records", 40, "--streams", 1)
        self.assertTrue(report["good"], report)
        report = self.report("--via", command, "--selector", '{app="smoke-agent"}', "--label", "app=another", "--records", 16, expect=1)
        self.assertEqual(self.faults(report), {"wrong_labels": 16})

    def test_emit(self):
        """An agent, here a weir, collects what smoke prints."""
        name = f"agent-{os.getpid()}"
        emit = f"{kit.WEIR} smoke --emit stdout --selector '{{app=\"{name}\"}}' --label app={name} --records 80 --json"
        agent = f"{kit.WEIR} tail --format raw - | {kit.WEIR} enrich --label app={name} | {kit.WEIR} push"
        done = subprocess.run(["bash", "-c", f"{emit} 2> report | ({agent} 2> agent); exit ${{PIPESTATUS[0]}}"], cwd=self.dir,
                              env=kit.environment(LOKI_ADDR=loki.url), timeout=4 * kit.PATIENCE, check=False)
        report = json.loads((self.dir / "report").read_text())
        self.assertEqual((done.returncode, report["good"], report["arrived"], report["count_over_time"]), (0, True, 80, 80))

    def test_every(self):
        process = self.start(kit.WEIR, "smoke", "--every", "1s", "--records", "8", "--rate", "400", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             env=kit.environment(LOKI_ADDR=loki.url))
        lines = [process.stdout.readline().decode() for _ in range(2)]
        process.send_signal(signal.SIGTERM)
        rest, err = process.communicate(timeout=kit.PATIENCE)
        self.assertEqual((process.returncode, err), (143, b""))
        for line in lines + rest.decode().splitlines(keepends=True):
            self.assertRegex(line, r"^20\S+Z good: 8 records in 1 stream arrived once, in order and unchanged; latency p50 \d+ ms, p99 \d+ ms \(run \w+\)\n$")
        self.assertNotEqual(re.findall(r"run (\w+)", lines[0]), re.findall(r"run (\w+)", lines[1]))


class LargeAnswers(Smoke):
    """A Loki that cannot send an answer of 4 MiB from one part to another, as with its defaults."""

    def test_are_read_in_smaller_pages(self):
        small = loki_server.Loki(message=4 << 20)
        self.addCleanup(small.stop)
        now = time.time_ns()
        window = {"query": '{job="weir-smoke"}', "start": now - 600 * 10**9, "end": now + 600 * 10**9, "limit": 1000}
        code, out, err = self.smoke("--rate", 100, "--large", "all", url=small.url)
        self.assertEqual(code, 0, out + err)
        self.assertIn("\n  read back  200 by query_range, 200 by count_over_time\n", out)
        self.assertEqual(small.api("query_range", **window)["result"], [], "this Loki shows the trouble")
        self.assertEqual(err.count("grpc_server_max_send_msg_size"), 1, err)
        done = subprocess.run([kit.WEIR, "query", window["query"], "--addr", small.url, "--limit", "190", "--output", "jsonl"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False, timeout=kit.PATIENCE)
        self.assertEqual((done.returncode, done.stdout.count(b"\n")), (0, 190), done.stderr)
        self.assertIn(b"grpc_server_max_send_msg_size", done.stderr)


class Ci(Smoke):
    def test_the_jobs_of_the_examples(self):
        """Of examples/ci, as they stand there, with this Loki in place of the one that they start."""
        environment = kit.environment(LOKI_ADDR=loki.url, PATH=f"{os.path.dirname(os.path.abspath(kit.WEIR))}:{os.environ['PATH']}")
        for name, command, done in ci_jobs.run_all(self.dir, environment, 2 * kit.PATIENCE):
            self.assertEqual(done.returncode, 0, f"{name}: {command}\n{done.stdout.decode()}")
            self.assertIn(b"\n  read back  200 by query_range, 200 by count_over_time\n", done.stdout)
        for name in ci_jobs.FILES:
            for report in ci_jobs.reports(name):
                self.assertEqual(xml.etree.ElementTree.parse(self.dir / name / report).getroot().find("testsuite").get("failures"), "0")


class Behind(Smoke):
    """A proxy between smoke and Loki that is not honest."""

    def setUp(self):
        super().setUp()
        self.proxy = proxy.Proxy(loki.url, keep_bodies=False)
        self.addCleanup(self.proxy.close)

    def bad(self, behaviour, *args):
        self.proxy.set(*behaviour)
        code, out, err = self.smoke("--rate", 100, *args, url=self.proxy.url)
        self.assertEqual((code, err), (1, ""), out)
        self.assertTrue(out.startswith("bad: "), out)
        return out

    def test_an_honest_one(self):
        self.assertTrue(self.report("--rate", 100, url=self.proxy.url)["good"])

    def test_that_drops_one_request_in_twenty(self):
        out = self.bad(("drop", 20), "--timeout", "3s")
        self.assertRegex(out, r"^bad: 8 records are missing \(run ")
        self.assertRegex(out, r"(?m)^  8 records are missing:\n    record \d+ of stream \d \(plain\)\n.*\n.*\n    and 5 more$")
        self.assertRegex(out, r"(?m)^  read back  192 by query_range, 192 by count_over_time$")

    def test_that_sends_one_twice(self):
        out = self.bad(("twice", 20))
        self.assertRegex(out, r"^bad: 8 records are repeated \(run ")
        self.assertRegex(out, r"(?m)^    record \d+ of stream \d \(.*\) is stored 2 times$")
        self.assertRegex(out, r"(?m)^  read back  200 by query_range, 208 by count_over_time$")

    def test_that_sends_any_one_twice(self):
        """Whichever it is."""
        for first in (3, 7):
            self.proxy.set("twice", first)
            report = self.report("--records", 8 * first, "--rate", 100, url=self.proxy.url, expect=1)
            self.assertEqual(self.faults(report), {"repeated": 8})

    def test_that_delays(self):
        out = self.bad(("late", 2.5), "--timeout", "2s", "--records", 64)
        self.assertRegex(out, r"^bad: 64 records came late \(run ")
        self.assertRegex(out, r"(?m)^    record 1 of stream 1 \(plain\) came after \d+\.\d s, 2\.0 s are allowed$")

    def test_that_delays_less_than_is_allowed(self):
        self.proxy.set("late", 1)
        report = self.report("--records", 64, "--rate", 100, url=self.proxy.url)
        self.assertGreater(report["latency_ms"]["p50"], 1000)

    def test_that_truncates_lines(self):
        out = self.bad(("truncate", 5, 30))
        self.assertRegex(out, r"^bad: \d+ records have truncated lines \(run ")
        self.assertRegex(out, r"(?m)^    record \d+ of stream \d \(.*\): 30 of [\d,]+ bytes are there$")

    def test_that_changes_labels(self):
        out = self.bad(("relabel", "smoke_stream", "7"))
        self.assertRegex(out, r"^bad: 200 records have wrong labels \(run ")
        self.assertIn('    record 1 of stream 1 (plain): smoke_stream="7" instead of "1"\n', out)

    def test_that_changes_the_label_by_which_they_are_found(self):
        out = self.bad(("relabel", "job", "another"), "--timeout", "2s", "--records", 64)
        self.assertRegex(out, r"^bad: 64 records have wrong labels \(run ")
        self.assertIn('    record 1 of stream 1 (plain): job="another" instead of "weir-smoke"\n', out)

    def test_that_takes_metadata_away(self):
        out = self.bad(("unmeta",), "--timeout", "2s", "--records", 24)
        self.assertRegex(out, r"^bad: 24 records are missing \(run ")

    def test_trouble_that_passes(self):
        """Smoke sends again, as agents do, and says so."""
        script = proxy.Script(self.proxy, [(0.5, ("status", 503)), (1.5, ("up",))], time.monotonic())
        self.addCleanup(script.end)
        report = self.report("--records", 80, "--rate", 50, url=self.proxy.url)
        self.assertTrue(report["good"], report)
        self.assertGreater(report["repeated_requests"], 0)
        self.assertTrue(any("sent again: 503" in note for note in report["notes"]), report["notes"])

    def test_junit_names_what_is_wrong(self):
        self.bad(("drop", 2), "--timeout", "1s", "--records", 16, "--junit", self.dir / "smoke.xml")
        suite = xml.etree.ElementTree.parse(self.dir / "smoke.xml").getroot().find("testsuite")
        self.assertEqual((suite.get("tests"), suite.get("failures")), ("9", "1"))
        (failed,) = [case for case in suite.findall("testcase") if case.find("failure") is not None]
        self.assertEqual((failed.get("name"), failed.find("failure").get("message")), ("every record arrives", "8 records are missing"))


class OtherLokis(Smoke):
    def test_the_id_stands_in_the_line(self):
        """A Loki that takes no structured metadata."""
        other = loki_server.Loki(limits={"allow_structured_metadata": "false"})
        self.addCleanup(other.stop)
        report = self.report("--records", 80, "--rate", 200, url=other.url)
        self.assertEqual((report["good"], report["arrived"], report["count_over_time"]), (True, 80, 80))
        self.assertIn("no structured metadata", report["notes"][0])

    def test_tenants(self):
        other = loki_server.Loki(auth=True)
        self.addCleanup(other.stop)
        code, out, err = self.smoke(url=other.url)
        self.assertEqual((code, out), (4, ""))
        self.assertIn("401 no org id", err)
        for args, env in ((("--tenant", "team-a"), {}), ((), {"LOKI_ORG_ID": "team-b"})):
            self.assertTrue(self.report("--records", 16, "--rate", 200, *args, url=other.url, env=env)["good"])
        command = ("--via", "tail -f $WEIR_SMOKE_DIR | push", "--tenant", "team-c", "--records", 16)
        self.assertTrue(self.report(*command, url=other.url)["good"], "the command has the tenant, too")

    def test_a_refusal_in_lokis_words(self):
        """A line limit below 100 KiB: the large lines are refused, the others of their requests arrive."""
        other = loki_server.Loki(limits={"max_line_size": "50KB"})
        self.addCleanup(other.stop)
        report = self.report("--records", 64, "--rate", 100, url=other.url, expect=1)
        self.assertEqual(self.faults(report), {"refused": 24})
        self.assertIn("max entry size", report["findings"][0]["examples"][0])
        self.assertTrue(self.report("--records", 64, "--rate", 200, "--large", "none", url=other.url)["good"])


if __name__ == "__main__":
    unittest.main()
