#!/usr/bin/env python3
"""`weir smoke` without a real Loki: verdicts, exit codes and reports, against a small store that takes pushes and shows them as Loki does."""
import collections
import http.server
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import unittest
import urllib.parse
import xml.etree.ElementTree

import ci_jobs
import proxy
import weir_kit as kit

MATCHER = re.compile(r'(\w+)(=~|=)"([^"]*)"')


class Store:
    """As much of a Loki as smoke asks for. `answer(path)` may give (status, text) in place of its own answer."""

    def __init__(self, answer=None):
        self.rows = []  # (labels, ns, line, metadata)
        self.pushes = self.queries = 0
        self.most_bytes = None  # no entries in place of those with more bytes of lines
        self.lock = threading.Lock()
        self.answer = answer or (lambda path: None)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def reply(handler, status, text):
                data = text.encode()
                handler.send_response(status)
                if status != 204:
                    handler.send_header("Content-Length", str(len(data)))
                handler.end_headers()
                handler.wfile.write(data)

            def do_POST(handler):
                body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
                with self.lock:
                    self.pushes += 1
                handler.reply(*(self.answer(handler.path) or self.push(body)))

            def do_GET(handler):
                url = urllib.parse.urlsplit(handler.path)
                given = {k: v[0] for k, v in urllib.parse.parse_qs(url.query).items()}
                with self.lock:
                    self.queries += 1
                handler.reply(*(self.answer(url.path) or (200, json.dumps({"status": "success", "data": self.ask(url.path, given)}))))

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):  # a client that went away is what some tests want
                pass

        self.http = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()

    def push(self, body):
        with self.lock:
            for labels, entries in proxy.streams_of(body):
                for entry in entries:
                    ns, line, metadata = 0, b"", {}
                    for number, value in proxy.fields(entry):
                        if number == 1:
                            parts = dict(proxy.fields(value))
                            ns = parts.get(1, 0) * 10**9 + parts.get(2, 0)
                        elif number == 2:
                            line = value
                        else:
                            pair = dict(proxy.fields(value))
                            metadata[pair[1].decode()] = pair[2].decode()
                    self.rows.append((dict(kit.parse_labels(labels), service_name="weir-smoke"), ns, line.decode(), metadata))
        return 204, ""

    def matching(self, query):
        selector, _, filters = query.partition("}")
        matchers = MATCHER.findall(selector)
        run = re.search(r'weir_smoke_run="(\w+)"', filters)
        text = re.search(r"\|= `([^`]*)`", filters)
        for labels, ns, line, metadata in self.rows:
            if not all(labels.get(name, "") == value if how == "=" else labels.get(name) for name, how, value in matchers):
                continue
            if (run and metadata.get("weir_smoke_run") != run.group(1)) or (text and text.group(1) not in line):
                continue
            yield labels, ns, metadata.get("weir_smoke_record", "") if "line_format" in filters else line, metadata

    def ask(self, path, given):
        query = given["query"]
        with self.lock:
            rows = list(self.matching(query[query.index("{"):]))
        if path.endswith("/query_range"):
            streams = collections.defaultdict(list)
            rows = sorted((r for r in rows if int(given["start"]) <= r[1] < int(given["end"])), key=lambda r: r[1])[:int(given["limit"])]
            if self.most_bytes is not None and sum(len(line) for _, _, line, _ in rows) > self.most_bytes:
                rows = []
            for labels, ns, line, metadata in rows:
                streams[json.dumps(labels, sort_keys=True)].append([str(ns), line, {"structuredMetadata": metadata}])
            return {"resultType": "streams", "result": [{"stream": json.loads(k), "values": v} for k, v in streams.items()]}
        if query.startswith("topk"):
            counts = collections.Counter(r[3]["weir_smoke_record"] for r in rows)
            series = [({"weir_smoke_record": number}, n) for number, n in counts.items() if n > 1][:10]
        else:
            series = [({}, len(rows))] if rows else []
        return {"resultType": "vector", "result": [{"metric": labels, "value": [1, str(n)]} for labels, n in series]}


class Smoke(kit.Case):
    def setUp(self):
        super().setUp()
        self.store = Store()
        self.addCleanup(self.store.close)

    def environment(self, **changes):
        return kit.environment(LOKI_ADDR=self.store.url, PATH=f"{os.path.dirname(os.path.abspath(kit.WEIR))}:{os.environ['PATH']}",
                               TMPDIR=self.dir, **changes)

    def smoke(self, *args, **changes):
        """Exit code, standard output and standard error."""
        done = subprocess.run([kit.WEIR, "smoke", *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=self.environment(**changes), timeout=2 * kit.PATIENCE, check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()


class Verdict(Smoke):
    def test_good(self):
        code, out, err = self.smoke("--records", 80, "--rate", 400)
        self.assertEqual((code, err), (0, ""), out)
        self.assertRegex(out, r"^good: 80 records in 4 streams arrived once, in order and unchanged \(run ")
        self.assertEqual((len(self.store.rows), self.store.pushes), (80, 10))
        for labels, _, _, metadata in self.store.rows:
            self.assertEqual(set(labels), {"job", "smoke_stream", "service_name"}, "the run is no label")
            self.assertEqual(set(metadata), {"weir_smoke_run", "weir_smoke_record", "weir_smoke_note"})

    def test_the_line_says_it_where_metadata_is_not_allowed(self):
        text = 'stream \'{job="weir-smoke"}\' includes structured metadata, but this feature is disallowed. Please see `limits_config`.\n'
        self.store.push = lambda body: (400, text) if any(proxy.entries_with_metadata(body)[0][1][0][1]) else Store.push(self.store, body)
        code, out, _ = self.smoke("--records", 40, "--rate", 400)
        self.assertEqual(code, 0, out)
        self.assertIn("\n  note       Loki takes no structured metadata here, so the run's id stands in the lines\n", out)
        self.assertTrue(all("weir-smoke run=" in line and not metadata for _, _, line, metadata in self.store.rows))

    def test_bad_in_every_form_of_report(self):
        """The first batch is taken and not stored."""
        first = iter([(204, "")])
        push = self.store.push
        self.store.push = lambda body: next(first, None) or push(body)
        code, out, err = self.smoke("--records", 24, "--rate", 400, "--streams", 1, "--timeout", "500ms", "--json", "--junit", self.dir / "r.xml")
        self.assertEqual((code, err), (1, ""))
        report = json.loads(out)
        self.assertEqual((report["good"], report["arrived"], report["count_over_time"]), (False, 16, 16))
        (finding,) = report["findings"]
        self.assertEqual((finding["fault"], finding["count"], finding["text"]), ("missing", 8, "8 records are missing"))
        self.assertEqual(finding["examples"][0], "record 1 of stream 1 (plain)")
        suite = xml.etree.ElementTree.parse(self.dir / "r.xml").getroot().find("testsuite")
        self.assertEqual((suite.get("tests"), suite.get("failures"), suite.get("errors")), ("9", "1", "0"))

    def test_what_is_stored_twice(self):
        """The store keeps repeats, so that listing shows them as well."""
        push = self.store.push
        self.store.push = lambda body: push(body) and push(body)
        code, out, _ = self.smoke("--records", 8, "--rate", 400)
        self.assertEqual(code, 1)
        self.assertRegex(out, r"^bad: 8 records are repeated \(run ")
        self.assertIn("\n  read back  16 by query_range, 16 by count_over_time\n", out)

    def test_via(self):
        code, out, err = self.smoke("--via", 'weir tail -f "$WEIR_SMOKE_DIR" | weir push', "--records", 80, "--rate", 200)
        self.assertEqual(code, 0, out + err)
        self.assertEqual({(r[0]["namespace"], r[0]["container"]) for r in self.store.rows}, {("weir-smoke", "smoke")})
        self.assertEqual({(r[0]["pod"], r[0]["stream"]) for r in self.store.rows}, {(f"smoke-{i}", s) for i in (1, 2) for s in ("stdout", "stderr")})
        self.assertEqual(os.listdir(self.dir), [])

    def test_via_a_pipeline_that_drops(self):
        """Exit 1 with what is missing; the pipeline is the text of `weir run`."""
        text = "tail -f $WEIR_SMOKE_DIR | filter --drop '|= `the same in every batch`' | push"
        code, out, _ = self.smoke("--via", text, "--records", 40, "--rate", 400, "--timeout", "8s")
        self.assertEqual(code, 1)
        self.assertRegex(out, r"^bad: 5 records are missing \(run ")
        self.assertIn("\n    record 5 of stream 1 (same line)\n", out)

    def test_via_a_command_that_ends(self):
        code, out, _ = self.smoke("--via", "exit 3", "--records", 8, "--rate", 400, "--timeout", "1s")
        self.assertEqual(code, 1)
        self.assertRegex(out, r"^bad: 8 records are missing, the command failed \(run ")
        self.assertIn("\n    it ended with exit code 3 before it was stopped\n", out)

    def test_via_a_target_that_is_down(self):
        """The report says what the command said."""
        code, out, err = self.smoke("--via", "tail -f $WEIR_SMOKE_DIR | push http://127.0.0.1:1 --give-up 2s", "--records", 8, "--rate", 400,
                                    "--timeout", "4s", "--junit", self.dir / "r.xml")
        self.assertEqual(code, 1)
        self.assertRegex(out, r"(?s)^bad: 8 records are missing.*\n  the last lines of the command:\n.*cannot reach http://127.0.0.1:1")
        self.assertIn("cannot reach http://127.0.0.1:1", err, "passed on as well")
        suite = xml.etree.ElementTree.parse(self.dir / "r.xml").getroot().find("testsuite")
        self.assertIn("cannot reach http://127.0.0.1:1", suite.find("system-err").text)

    def test_answers_that_are_too_large_to_be_sent(self):
        """Loki then gives 200 and no entries; smaller pages show them all."""
        self.store.most_bytes = 400_000
        code, out, err = self.smoke("--records", 40, "--rate", 400, "--large", "all")
        self.assertEqual(code, 0, out)
        self.assertEqual(err.count("grpc_server_max_send_msg_size"), 1, err)
        self.assertIn("\n  read back  40 by query_range, 40 by count_over_time\n", out)

    def test_via_learns_the_options(self):
        """Of LOKI_*, what is given as an option; the folder is there when the command starts."""
        (self.dir / "password").write_text("secret")
        script = f'env | grep ^LOKI_ | sort > {self.dir}/env; ls "$WEIR_SMOKE_DIR"/*/*/0.log > {self.dir}/logs; echo to stdout'
        code, out, _ = self.smoke("--via", script, "--records", 8, "--rate", 400, "--timeout", "1s", "--push-url", "http://127.0.0.1:1",
                                  "--tenant", "t", "--username", "u", "--password-file", self.dir / "password")
        self.assertEqual(code, 1)
        self.assertNotRegex(out, r"(?m)^to stdout")
        self.assertEqual((self.dir / "env").read_text().splitlines(), ["LOKI_ADDR=http://127.0.0.1:1", "LOKI_ORG_ID=t", "LOKI_USERNAME=u"])
        self.assertEqual(len((self.dir / "logs").read_text().splitlines()), 1)

    def test_a_selector_that_misses_the_records(self):
        """They arrive, and not where they are expected."""
        code, out, _ = self.smoke("--via", "tail -f $WEIR_SMOKE_DIR | push", "--selector", '{app="x"}', "--records", 16, "--rate", 400, "--timeout", "4s")
        self.assertEqual(code, 1)
        self.assertRegex(out, r"^bad: 16 records have wrong labels \(run ")
        self.assertIn('record 1 of stream 1 (plain) is not in the selected streams, but in {container="smoke", namespace="weir-smoke"', out)

    def test_emit_keeps_standard_output_for_the_records(self):
        code, out, err = self.smoke("--emit", "stdout", "--selector", '{app="x"}', "--records", 24, "--rate", 400, "--timeout", "1s")
        self.assertEqual(code, 1)
        lines = out.rstrip("\n").split("\n")  # a line may hold other separators of lines
        self.assertEqual(len(lines), 24)
        self.assertTrue(all(re.search(r"weir-smoke run=[0-9a-f]{12} record=(\d+|same) ", line) for line in lines))
        self.assertRegex(err, r"^bad: 24 records are missing \(run ")

    def test_write_only(self):
        code, out, _ = self.smoke("--write-only", "--records", 24, "--rate", 400)
        self.assertEqual((code, self.store.queries), (0, 0))
        self.assertRegex(out, r"^good: Loki took 24 records in 3 streams; they were not read back \(run ")
        self.store.push = lambda body: (400, "entry for stream '{}' has timestamp too old: T, oldest acceptable timestamp is: T\n")
        code, out, _ = self.smoke("--write-only", "--records", 24, "--rate", 400)
        self.assertEqual(code, 1)
        self.assertRegex(out, r"^bad: 24 records were refused \(run .*\)\n.*\n    record 1 of stream 1 \(plain\): 400 Bad Request: entry for stream")

    def test_push_url_and_query_url(self):
        other = Store()
        self.addCleanup(other.close)
        code, _, _ = self.smoke("--push-url", self.store.url + "/loki/api/v1/push", "--query-url", other.url, "--records", 8, "--rate", 400,
                                "--timeout", "500ms")
        self.assertEqual((code, other.pushes, self.store.queries), (1, 0, 0))
        self.assertEqual(len(self.store.rows), 8)

    def test_count_over_time_that_is_refused_is_said(self):
        self.store.answer = lambda path: (400, "no metrics here\n") if path.endswith("/query") else None
        code, out, _ = self.smoke("--records", 8, "--rate", 400)
        self.assertEqual(code, 0)
        self.assertRegex(out, r"\n  note       count_over_time was not checked: cannot query .*: 400 no metrics here\n")


class NoVerdict(Smoke):
    """Exit code 4: nothing could be asked."""

    def check(self, *args, message, code=4, **changes):
        found, out, err = self.smoke("--rate", 400, *args, **changes)
        self.assertEqual((found, out), (code, ""), err)
        self.assertRegex(err, message)

    def test_nothing_listens(self):
        self.check("--addr", "http://127.0.0.1:1", message=r"^weir smoke: cannot query http://127.0.0.1:1: cannot reach .*\nweir smoke: is a Loki there\?")
        self.check("--push-url", "http://127.0.0.1:1", message=r"^weir smoke: cannot reach http://127.0.0.1:1: .*\nweir smoke: is a Loki there\?")
        self.check("--query-url", "http://127.0.0.1:1", message="cannot query http://127.0.0.1:1")
        self.assertEqual(self.store.rows, [])

    def test_in_every_form_of_report(self):
        code, out, err = self.smoke("--addr", "http://127.0.0.1:1", "--json", "--junit", self.dir / "r.xml")
        self.assertEqual(code, 4)
        report = json.loads(out)
        self.assertEqual((report["good"], report["error"][:36]), (False, "cannot query http://127.0.0.1:1: can"))
        self.assertIn("weir smoke: cannot query", err)
        suite = xml.etree.ElementTree.parse(self.dir / "r.xml").getroot().find("testsuite")
        self.assertEqual((suite.get("tests"), suite.get("errors")), ("1", "1"))

    def test_access_is_denied(self):
        self.store.answer = lambda path: (401, "no org id\n")
        self.check(message="^weir smoke: cannot query .*: 401 no org id\n")
        self.store.answer = lambda path: (401, "no org id\n") if path.endswith("/push") else None
        self.check(message="^weir smoke: cannot push to .*: 401 Unauthorized: no org id\n")

    def test_no_loki_that_answers_queries(self):
        """As VictoriaLogs does."""
        self.store.answer = lambda path: None if path.endswith("/push") else (400, 'unsupported path requested: "/select"\n')
        self.check(message="400 unsupported path requested: .*\nweir smoke: is this a Loki that answers queries\\? --write-only ")

    def test_not_ready(self):
        self.store.answer = lambda path: (503, "Ingester not ready\n")
        self.check(message="503 Ingester not ready")

    def test_counts_what_it_does_not_show(self):
        """Nothing is said of the records then: neither that they are missing, nor that they are repeated."""
        self.store.most_bytes = 0
        self.check("--records", "8", "--timeout", "500ms", message=r"cannot judge: Loki counts 8 records and shows none\n.*grpc_server_max_send_msg_size")

    def test_accepts_and_does_not_answer(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = "http://127.0.0.1:%d" % server.getsockname()[1]
            self.check("--addr", address, "--wait", "1s",
                       message=rf"cannot query {address}: it accepted the connection, but answered no query within 1 s \(--wait\)\n")

    def test_waits_until_it_is_ready(self):
        asked = []
        self.store.answer = lambda path: (503, "not ready\n") if not path.endswith("/push") and asked.append(path) is None and len(asked) < 3 else None
        code, out, err = self.smoke("--wait", "60s", "--records", 8, "--rate", 400)
        self.assertEqual((code, err), (0, ""), out)

    def test_a_command_that_cannot_be_run(self):
        self.check("--via", "no-such-program-here", code=2, message="cannot run the command of --via: exit code 127")

    def test_usage(self):
        for args, message in ((("--emit", "stdout"), "--selector is missing"),
                              (("--emit", "stdout", "--via", "true"), "cannot use --emit together with --via"),
                              (("--emit", "stdout", "--selector", "{a=\"b\"}", "--streams", "2"), "standard output is one stream"),
                              (("--selector", "{a=\"b\"}"), "belong to --via and --emit"),
                              (("--via", "true", "--write-only"), "only a push is answered"),
                              (("--records", "0"), "--records"),
                              (("--timeout", "0"), "it must be greater than 0"),
                              (("--label", "x"), "write --label NAME=VALUE")):
            self.check(*args, code=2, message=re.escape(message))

    def test_ctrl_c(self):
        """Interrupted while it sends: 130, nothing on standard output, no folder left, and no process of the command."""
        for args in ((), ("--via", f"echo $$ > {self.dir}/pid; exec sleep 1000")):
            process = self.start(kit.WEIR, "smoke", "--records", "100000", "--rate", "10", *args, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 env=self.environment())
            kit.wait_for(lambda: (self.dir / "pid").exists() and (self.dir / "pid").read_text().strip() if args else self.store.pushes > 0, "it has begun")
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=kit.PATIENCE)
            self.assertEqual((process.returncode, out), (130, b""), err)
            self.assertIn(b"interrupted before there was a verdict", err)
        pid = int((self.dir / "pid").read_text())
        self.assertFalse(kit.poll(lambda: not os.path.exists(f"/proc/{pid}")) is False, "the command is gone")
        self.assertEqual(os.listdir(self.dir), ["pid"])


class Ci(Smoke):
    """The jobs of examples/ci."""

    def test_the_commands_run(self):
        self.assertEqual(ci_jobs.FILES, ["github.yml", "gitlab.yml"])
        for name, command, done in ci_jobs.run_all(self.dir, self.environment(), 2 * kit.PATIENCE):
            self.assertEqual(done.returncode, 0, f"{name}: {command}\n{done.stdout.decode()}")
            self.assertIn(b"\n  read back  200 ", done.stdout)
        for name in ci_jobs.FILES:
            for report in ci_jobs.reports(name):
                suite = xml.etree.ElementTree.parse(self.dir / name / report).getroot().find("testsuite")
                self.assertEqual(suite.get("failures"), "0")

    def test_both_jobs_run_the_same(self):
        github, gitlab = map(ci_jobs.commands, ci_jobs.FILES)
        self.assertEqual([text.split() for text in github], [text.split() for text in gitlab])
        self.assertEqual(*map(ci_jobs.reports, ci_jobs.FILES))

    def test_they_are_yaml(self):
        try:
            import yaml
        except ImportError:
            self.skipTest("python3-yaml is not installed")
        github, gitlab = (yaml.safe_load((ci_jobs.FOLDER / name).read_text()) for name in ci_jobs.FILES)
        self.assertEqual([step["run"] for step in github["jobs"]["loki"]["steps"] if "run" in step], ci_jobs.commands("github.yml"))
        jobs = [job for name, job in gitlab.items() if not name.startswith(".")]
        self.assertEqual([command for job in jobs for command in job["script"]], ci_jobs.commands("gitlab.yml"))
        self.assertEqual([job["artifacts"]["reports"]["junit"] for job in jobs], ci_jobs.reports("gitlab.yml"))
        self.assertEqual([len(job["script"]) for job in jobs], [1, 1], "a test that fails keeps no other from running")
        second = [step for step in github["jobs"]["loki"]["steps"] if "run" in step][1]
        self.assertEqual(second["if"], "${{ !cancelled() }}")


class Repeated(Smoke):
    def every(self, lines, *args):
        """The first lines of a repeated run, and how it ended on SIGTERM."""
        process = self.start(kit.WEIR, "smoke", "--every", "100ms", "--records", "8", "--rate", "400", *args, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, env=self.environment())
        found = []
        for change in lines:
            change()
            found.append(process.stdout.readline().decode())
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=kit.PATIENCE)
        self.assertEqual(process.returncode, 143, err)
        return found

    def test_a_line_a_run(self):
        """Also of a run without a verdict; the next one is good again."""
        def deny():
            self.store.answer = lambda path: (503, "down\n")

        def allow():
            self.store.answer = lambda path: None

        lines = self.every([allow, deny, deny, allow, allow])
        self.assertRegex(lines[0], r"^20\d\d-\S+Z good: 8 records in 1 stream arrived once, in order and unchanged; latency p50 \d+ ms, p99 \d+ ms \(run \w+\)\n$")
        self.assertRegex(lines[2], r"^20\d\d-\S+Z no verdict: cannot (query|push).*503")
        self.assertRegex(lines[4], r" good: ")

    def test_metrics(self):
        """One good run, one bad, one without a verdict; a probe of health is content with all of them."""
        process = self.start(kit.WEIR, "smoke", "--every", "100ms", "--records", "8", "--rate", "400", "--timeout", "500ms", "--metrics", "127.0.0.1:0",
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment())
        url = re.search(rb"metrics on (http://\S+)/metrics", process.stderr.readline()).group(1).decode()
        self.assertRegex(process.stdout.readline().decode(), " good: ")

        def value(name):
            status, text = kit.get(url + "/metrics")
            self.assertEqual(status, 200)
            return float(re.search(rf"(?m)^{re.escape(name)} (\S+)$", text.decode()).group(1))

        self.assertGreaterEqual(value('weir_smoke_finished_runs_total{result="good"}'), 1)
        self.assertEqual(value('weir_smoke_finished_runs_total{result="bad"}'), 0)
        success = value("weir_smoke_last_success_timestamp_seconds")
        self.assertAlmostEqual(success, time.time(), delta=600)
        self.store.push = lambda body: (204, "")
        kit.wait_for(lambda: value('weir_smoke_faulty_records_total{fault="missing"}') >= 8, "a bad run")
        self.assertGreaterEqual(value('weir_smoke_finished_runs_total{result="bad"}'), 1)
        self.store.answer = lambda path: (401, "no\n")
        kit.wait_for(lambda: value('weir_smoke_finished_runs_total{result="none"}') >= 1, "a run without a verdict")
        self.assertEqual(kit.get(url + "/-/healthy")[0], 200)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=kit.PATIENCE)
        self.assertEqual(process.returncode, 143)

    def test_as_json(self):
        for line in self.every([lambda: None] * 2, "--json"):
            self.assertTrue(json.loads(line)["good"])


if __name__ == "__main__":
    unittest.main()
