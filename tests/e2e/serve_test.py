#!/usr/bin/env python3
"""`weir serve`: what it receives is stored when it says so, tails show it, and beside a chain it only reads."""
import collections
import json
import os
import signal
import subprocess
import threading
import time
import unittest
import urllib.parse

import serve_kit
import weir_kit as kit
import ws_kit

QUERY = '{app="x"}'


def body_of(labels, rows):
    return json.dumps({"streams": [{"stream": labels, "values": [[str(ns), line] for ns, line in rows]}]}).encode()


class Serving(kit.Case):
    def setUp(self):
        super().setUp()
        self.spool = self.dir / "serve.db"
        self.running = []
        self.addCleanup(lambda: [one.stop(signal.SIGKILL) for one in self.running])

    def serve(self, *options, spool=None, **kwargs):
        serve = serve_kit.Serve(spool or self.spool, *options, **kwargs)
        self.running.append(serve)
        return serve

    def push(self, url, rows, labels=None, **headers):
        headers = {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return kit.get(url + "/loki/api/v1/push", headers, body_of(labels or {"app": "x"}, rows))

    def tail(self, url, query=QUERY, **parameters):
        tail = ws_kit.WebSocket(f"{url}/loki/api/v1/tail?" + urllib.parse.urlencode({"query": query, **parameters}))
        self.addCleanup(tail.close)
        return tail

    def lines(self, spool=None, query=QUERY):
        found = kit.weir("query", "--spool", spool or self.spool, query, "-o", "jsonl", "--since", "1h", "--limit", "0", expect=(0, 1))
        return [r["line"] for r in kit.records(found.splitlines())]

    # ---- receiving

    def test_what_push_sends_is_stored(self):
        """As a pipe and fused, all records of the pods, in the order of their logs."""
        pods = self.dir / "pods"
        self.podgen("--mb", "4", "--pods", "5", "--partial", "--end", str(int(time.time())))
        serve = self.serve()
        for fused in (False, True):
            tenant = f"fused-{fused}".lower()
            kit.Chain([f"tail {pods}", "enrich", f"push --tenant {tenant} {serve.url}"], fused, self.dir).wait()
        self.assertEqual(serve.stop(), 143)
        stored = collections.defaultdict(list)
        for r in kit.records(kit.weir("replay", self.spool, "-o", "jsonl").splitlines()):
            self.assertIn("detected_level", r["metadata"])
            stored[r["tenant"]].append((kit.key_of(r["labels"]), kit.nanoseconds(r["timestamp"]), r["line"]))
        self.assertEqual(sorted(stored["fused-false"]), sorted(stored["fused-true"]))
        sent = [(kit.key_of(r["labels"]), kit.nanoseconds(r["timestamp"]), r["line"])
                for r in kit.records(kit.weir("tail", pods, "-o", "jsonl").splitlines())]
        self.assertEqual(collections.Counter((ns, line) for _, ns, line in stored["fused-true"]), collections.Counter((ns, line) for _, ns, line in sent))

    def test_what_was_answered_survives_a_kill(self):
        answered, serve = [], self.serve()
        threads = []

        def client(number):
            for i in range(1000):
                line = f"client {number} line {i}"
                try:
                    status, _ = self.push(serve.url, [(time.time_ns(), line)])
                except OSError:
                    return
                if status == 204:
                    answered.append(line)

        for number in range(8):
            threads.append(threading.Thread(target=client, args=(number,)))
            threads[-1].start()
        kit.wait_for(lambda: len(answered) > 60, "answers")
        serve.stop(signal.SIGKILL)
        for thread in threads:
            thread.join()
        stored = collections.Counter(self.lines())
        self.assertEqual(set(answered) - set(stored), set())
        self.assertEqual(max(stored.values()), 1)

    def test_a_spool_that_lost_its_name(self):
        """Deleted, moved or replaced under the server: no 204 from then on, and it ends, so that it is started again."""
        def replace(spool):
            (self.dir / "other").write_bytes(spool.read_bytes())
            (self.dir / "other").rename(spool)

        for name, take_away in (("deleted", lambda spool: spool.unlink()), ("moved", lambda spool: spool.rename(self.dir / "elsewhere")),
                                ("replaced", replace)):
            with self.subTest(name):
                serve = self.serve(spool=self.dir / f"{name}.db")
                self.assertEqual(self.push(serve.url, [(time.time_ns(), "before")])[0], 204)
                take_away(self.dir / f"{name}.db")
                status, text = kit.get(serve.url + "/ready")
                self.assertEqual(status, 503)
                self.assertIn(b"deleted, moved or replaced", text)
                status, text = self.push(serve.url, [(time.time_ns(), "after")])
                self.assertEqual(status, 503)
                self.assertIn(b"deleted, moved or replaced", text)
                self.assertEqual(serve.process.wait(kit.PATIENCE), 4)
                self.assertIn("deleted", serve.log)

    def test_a_stop_answers_what_was_received(self):
        serve = self.serve()
        statuses = []
        threads = [threading.Thread(target=lambda i=i: statuses.append(self.push(serve.url, [(time.time_ns(), f"line {i}")])[0])) for i in range(20)]
        for thread in threads:
            thread.start()
        kit.wait_for(lambda: "weir_serve_input_records_total 0" not in kit.get(serve.url + "/metrics")[1].decode(), "a first record")
        self.assertEqual(serve.stop(), 143)
        for thread in threads:
            thread.join()
        self.assertEqual(len(self.lines()), statuses.count(204))
        self.assertGreater(statuses.count(204), 0)

    def test_books_balance(self):
        serve = self.serve("--reject-old", "1h")
        self.assertEqual(self.push(serve.url, [(time.time_ns(), "fine"), (1, "old")])[0], 400)
        text = kit.get(serve.url + "/metrics")[1].decode()
        for line in ("weir_serve_input_records_total 2", 'weir_serve_refused_records_total{reason="greater_than_max_sample_age"} 1',
                     "weir_serve_output_records_total 1", 'weir_unaccounted_records{stage="serve"} 0', 'weir_unaccounted_records{stage="buffer"} 0',
                     'weir_serve_push_requests_total{status="400"} 1'):
            self.assertIn(line + "\n", text)
        self.assertEqual(self.lines(), ["fine"])

    def test_a_promtail_pushes(self):
        promtail = os.environ.get("PROMTAIL_BIN")
        if not promtail:
            self.skipTest("PROMTAIL_BIN names no Promtail")
        serve = self.serve()
        log = self.dir / "some.log"
        lines = [f"level=warn line {i}" for i in range(2000)]
        log.write_text("".join(line + "\n" for line in lines))
        config = self.dir / "promtail.yaml"
        config.write_text(f"""
server: {{disable: true}}
positions: {{filename: {self.dir}/positions.yaml}}
clients: [{{url: '{serve.url}/loki/api/v1/push', batchwait: 100ms}}]
scrape_configs:
  - job_name: files
    static_configs: [{{targets: [localhost], labels: {{app: x, __path__: {log}}}}}]
""")
        process = self.start(promtail, f"-config.file={config}", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        kit.wait_for(lambda: len(self.lines()) == len(lines), "all lines")
        process.terminate()
        self.assertEqual(self.lines(), lines)
        self.assertEqual(len(self.lines(query='{app="x"} | detected_level="warn"')), len(lines))

    def test_smoke(self):
        serve = self.serve()
        done = subprocess.run([kit.WEIR, "smoke", "--addr", serve.url], capture_output=True, text=True, check=False, env=kit.environment())
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    # ---- tails

    def test_query_follows(self):
        serve = self.serve()
        self.push(serve.url, [(time.time_ns(), "before")])
        with open(self.dir / "followed", "wb") as out:
            follower = self.start(kit.WEIR, "query", "--addr", serve.url, "-f", "-o", "raw", QUERY, stdout=out, stderr=subprocess.DEVNULL)

        def seen():
            return (self.dir / "followed").read_text().split()

        kit.wait_for(lambda: seen() == ["before"], "what was there")
        rows = [(time.time_ns() + i, f"n{i}") for i in range(300)]
        self.push(serve.url, rows)
        kit.wait_for(lambda: seen() == ["before"] + [line for _, line in rows], "all lines, once")
        follower.send_signal(signal.SIGTERM)
        follower.wait(kit.PATIENCE)

    def test_fifty_tails(self):
        serve = self.serve()
        self.assertLess(serve.memory(), 15 << 10)
        self.push(serve.url, [(time.time_ns(), "before")])
        tails = [self.tail(serve.url) for _ in range(50)]
        for tail in tails:
            self.assertIn("before", tail.text())
        for i in range(20):
            self.push(serve.url, [(time.time_ns() + k, f"line {i} {k} " + "x" * 100) for k in range(100)])
        for tail in tails:
            seen = []
            while len(seen) < 2000:
                frame = json.loads(tail.text())
                self.assertNotIn("dropped_entries", frame)
                seen += [stream["values"][0][1] for stream in frame["streams"]]
            self.assertEqual([line.split()[1:3] for line in seen], [[str(i), str(k)] for i in range(20) for k in range(100)])
        self.assertLess(serve.memory("VmHWM"), 40 << 10)

    def test_logcli_tails(self):
        logcli = os.environ.get("LOGCLI_BIN")
        if not logcli:
            self.skipTest("LOGCLI_BIN names no logcli")
        serve = self.serve()
        out = open(self.dir / "logcli.out", "wb+")
        self.addCleanup(out.close)
        self.start(logcli, "--quiet", "--addr", serve.url, "query", "--tail", "-o", "raw", QUERY, stdout=out, stderr=subprocess.DEVNULL)

        def seen():
            return (self.dir / "logcli.out").read_text().split()

        kit.wait_for(lambda: self.push(serve.url, [(time.time_ns(), "first")])[0] == 204 and seen(), "a first line")
        rows = [(time.time_ns() + i, f"n{i}") for i in range(300)]
        self.push(serve.url, rows)
        kit.wait_for(lambda: [word for word in seen() if word != "first"] == [line for _, line in rows], "all lines")

    def test_a_stop_closes_tails(self):
        serve = self.serve()
        tail = self.tail(serve.url)
        ended = []
        thread = threading.Thread(target=lambda: ended.append(serve.stop()))
        thread.start()
        with self.assertRaises(ws_kit.Closed) as closed:
            tail.text()
        tail.close()
        thread.join()
        self.assertEqual((closed.exception.code, ended), (1001, [143]))

    def test_a_tail_that_does_not_answer_the_close(self):
        serve = self.serve()
        tail = self.tail(serve.url)
        begun = time.monotonic()
        self.assertEqual(serve.stop(), 143)
        self.assertLess(time.monotonic() - begun, 10)  # two seconds are for the client
        with self.assertRaises(ws_kit.Closed) as closed:
            tail.text()
        self.assertEqual(closed.exception.code, 1001)

    def test_the_page_tails_everything_of_a_tenant(self):
        serve = self.serve()
        self.push(serve.url, [(time.time_ns(), "an error")], {"app": "y"}, X_Scope_OrgID="red")
        self.push(serve.url, [(time.time_ns(), "of nobody")], {"app": "z"})
        url = f"{serve.url}/weir/api/v1/tail?" + urllib.parse.urlencode({"query": "{}", "tenant": "red"})
        tail = ws_kit.WebSocket(url, {"Origin": serve.url})
        self.addCleanup(tail.close)
        frame = json.loads(tail.text())
        self.assertEqual([(s["stream"]["app"], s["values"][0][1], s["values"][0][2]["level"]) for s in frame["streams"]], [("y", "an error", "error")])
        self.push(serve.url, [(time.time_ns(), "more")], {"app": "y"}, X_Scope_OrgID="red")
        self.assertIn("more", tail.text())
        with self.assertRaises(ws_kit.Refused):
            self.tail(serve.url, "{}")
        with self.assertRaises(ws_kit.Refused) as refused:
            ws_kit.WebSocket(url, {"Origin": "http://evil.example"})
        self.assertEqual(refused.exception.status, 403)

    # ---- the end

    def busy(self, url, count):
        """Asks that many queries of which each takes minutes. Where their statuses come; 0: the server closed the connection."""
        line = json.dumps(list(range(1000)))
        self.assertEqual(self.push(url, [(time.time_ns() + i, line) for i in range(2000)])[0], 204)
        query = '{app="x"} | line_format `{{$l := fromJson __line__}}{{range $l}}{{range $l}}{{end}}{{end}}` |= "nothing"'
        statuses = []

        def ask():
            try:
                statuses.append(kit.get(f"{url}/loki/api/v1/query_range?" + urllib.parse.urlencode({"query": query}))[0])
            except OSError:
                statuses.append(0)

        for _ in range(count):
            threading.Thread(target=ask, daemon=True).start()
        kit.wait_for(lambda: f"weir_serve_running_queries {min(count, 2)}\n" in kit.get(url + "/metrics")[1].decode(), "running queries")
        return statuses

    def test_the_time_of_a_query_ends_also_within_a_block(self):
        serve = self.serve("--query-timeout", "2s")
        begun = time.monotonic()
        statuses = self.busy(serve.url, 1)
        kit.wait_for(lambda: statuses, "an answer")
        self.assertEqual(statuses, [504])
        self.assertLess(time.monotonic() - begun, 20)

    def test_a_stop_gives_queries_a_while(self):
        """Those that run and those that wait are answered before the 20 s are over."""
        serve = self.serve()
        statuses = self.busy(serve.url, 3)
        begun = time.monotonic()
        self.assertEqual(serve.stop(), 143)
        self.assertGreater(time.monotonic() - begun, 15)
        self.assertLess(time.monotonic() - begun, 25)
        kit.wait_for(lambda: len(statuses) == 3, "all answers")
        self.assertEqual(statuses, [503, 503, 503])

    def test_a_second_signal_ends_it_at_once(self):
        serve = self.serve()
        statuses = self.busy(serve.url, 3)
        serve.process.send_signal(signal.SIGTERM)

        def refuses():
            try:
                kit.get(serve.url + "/ready")
            except OSError:
                return True
            return False

        kit.wait_for(refuses, "that it takes no more connections")
        self.assertIsNone(serve.process.poll())
        begun = time.monotonic()
        self.assertEqual(serve.stop(), 143)
        self.assertLess(time.monotonic() - begun, 10)
        kit.wait_for(lambda: len(statuses) == 3, "the end of all connections")
        self.assertEqual(statuses, [0, 0, 0])

    # ---- a spool without room

    def test_a_full_spool(self):
        """Clients wait five seconds and no longer, and what is stored can be read. When there is room, all goes on."""
        serve = self.serve("--max-size", "16MiB", "--on-full", "block")
        self.assertEqual(self.push(serve.url, [(time.time_ns(), "first")])[0], 204)
        consumer = self.start(kit.WEIR, "push", "--spool", self.spool, "--as", "other", "http://127.0.0.1:9/", stderr=subprocess.DEVNULL)
        kit.wait_for(lambda: json.loads(kit.weir("spool", "status", self.spool, "-o", "json"))["consumers"], "a consumer")
        kit.end(consumer)
        for number in range(200):
            begun = time.monotonic()
            rows = [(time.time_ns() + i, f"{number} {i} " + os.urandom(500).hex()) for i in range(500)]
            status, text = self.push(serve.url, rows)
            if status != 204:
                break
        self.assertEqual(status, 503)
        self.assertIn(b"the spool is full", text)
        self.assertGreater(time.monotonic() - begun, 4.5)
        self.assertLess(time.monotonic() - begun, 20)
        begun = time.monotonic()
        self.assertEqual(self.push(serve.url, [(time.time_ns(), "no room")])[0], 503)
        self.assertLess(time.monotonic() - begun, 4)  # nobody waits for what cannot be
        status, text = kit.get(serve.url + "/ready")
        self.assertEqual((status, b"the spool is full" in text), (503, True))
        self.assertEqual(kit.get(serve.url + "/-/healthy")[0], 200)
        found = kit.get(f"{serve.url}/loki/api/v1/query_range?" + urllib.parse.urlencode({"query": QUERY + ' |= "first"'}))[1]
        self.assertIn(b'"first"', found)
        kit.weir("spool", "forget", "other", self.spool)
        kit.wait_for(lambda: self.push(serve.url, [(time.time_ns(), "room again")])[0] == 204, "room")
        self.assertEqual(kit.get(serve.url + "/ready")[0], 200)
        self.assertIn("room again", self.lines(query=QUERY + ' |= "room"'))
        self.assertEqual(serve.stop(), 143)

    # ---- files that change

    def test_sighup_changes_nothing_and_files_are_read_again(self):
        users = self.dir / "users"
        users.write_text("me:secret\n")
        serve = self.serve("--auth-file", str(users))
        tail = ws_kit.WebSocket(f"{serve.url}/loki/api/v1/tail?" + urllib.parse.urlencode({"query": QUERY}), {"Authorization": "Basic bWU6c2VjcmV0"})
        self.addCleanup(tail.close)
        serve.process.send_signal(signal.SIGHUP)
        self.assertEqual(self.push(serve.url, [(time.time_ns(), "x")], Authorization="Basic bWU6c2VjcmV0")[0], 204)
        self.assertIn('"x"', tail.text())
        users.write_text("me:another\n")
        self.assertEqual(self.push(serve.url, [(time.time_ns(), "y")], Authorization="Basic bWU6c2VjcmV0")[0], 401)
        self.assertEqual(self.push(serve.url, [(time.time_ns(), "y")], Authorization="Basic bWU6YW5vdGhlcg==")[0], 204)
        self.assertIn('"y"', tail.text())  # who was let in stays

    # ---- read-only

    def test_what_is_no_spool_is_said_at_once(self):
        (self.dir / "notes").write_text("not a spool " * 1000)
        for path in (self.dir / "notes", self.dir):
            for options in ((), ("--read-only",)):
                done = subprocess.run([kit.WEIR, "serve", "--listen", "127.0.0.1:0", *options, str(path)], stdin=subprocess.DEVNULL, capture_output=True,
                                      env=kit.environment(), timeout=60, check=False)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(str(path), done.stderr.decode())
                self.assertNotIn("serving", done.stderr.decode())

    def test_beside_a_chain_it_only_reads(self):
        """As a process of its own, and as a line of `run`: new records are seen within two seconds."""
        pods = self.dir / "pods"
        log = pods / "ns_pod-1_uid" / "c" / "0.log"
        log.parent.mkdir(parents=True)

        def write(text):
            with open(log, "a", encoding="ascii") as out:
                out.write(f"{kit.stamp_of(time.time(), time.time_ns() % 10**9)} stdout F {text}\n")

        write("first")
        chain = kit.Chain([f"tail -f {pods} --checkpoint {self.spool}", f"buffer --store {self.spool}"], True, self.dir)
        self.addCleanup(chain.kill)
        kit.wait_for(self.spool.exists, "the spool")
        for options in ((), ("--read-only",)):
            serve = self.serve(*options)
            self.assertIn("read-only", serve.log)
            self.assertNotIn("cannot", serve.log)
            if not options:
                self.assertRegex(serve.log, rf"process [0-9]+ writes the spool '{self.spool}': serve only reads it, and refuses pushes")
            status, text = self.push(serve.url, [(time.time_ns(), "no")])
            self.assertEqual(status, 501)
            self.assertIn(b"only reads", text)
            tail = self.tail(serve.url, '{namespace="ns"}')
            kit.wait_for(lambda: "first" in tail.text(), "what was there")
            write("more")
            stored_by = time.monotonic() + 3.5  # a commit comes at most 3 s later
            self.assertIn("more", tail.text())
            self.assertLess(time.monotonic(), stored_by + 2)
            tail.close()
            serve.stop()
        chain.stop()

    def test_a_line_of_run(self):
        pods = self.dir / "pods"
        log = pods / "ns_pod-1_uid" / "c" / "0.log"
        log.parent.mkdir(parents=True)
        log.write_text(f"{kit.stamp_of(int(time.time()))} stdout F first\n")
        file = self.dir / "pipelines.weir"

        def pipelines(port):
            return (f"tail -f {pods} | buffer --store {self.spool}\n"
                    f"serve {self.spool} --listen 127.0.0.1:{port}\n")

        file.write_text(pipelines(0))
        errors = self.dir / "run.stderr"
        with open(errors, "wb") as out:
            run = self.start(kit.WEIR, "run", file, stderr=out)

        def url():
            found = [line.rsplit(" ", 1)[1].rstrip("/\n") for line in errors.read_text().splitlines() if "serving" in line]
            return found[-1] if found else None

        kit.wait_for(url, "where it listens")
        first = url()
        self.assertEqual(self.push(first, [(time.time_ns(), "no")])[0], 501)
        tail = self.tail(first, '{namespace="ns"}')
        kit.wait_for(lambda: "first" in tail.text(), "what was stored")
        tail.close()
        # A reload replaces it, and the collection runs on.
        file.write_text(pipelines(0).replace("--listen 127.0.0.1:0", "--listen localhost:0"))
        run.send_signal(signal.SIGHUP)
        kit.wait_for(lambda: url() != first, "another address")
        self.assertEqual(kit.get(url() + "/ready")[0], 200)
        # A port that is taken does not end the collection.
        taken = self.serve(spool=self.dir / "other.db")
        file.write_text(pipelines(taken.url.rsplit(":", 1)[1]))
        run.send_signal(signal.SIGHUP)
        kit.wait_for(lambda: "trying again" in errors.read_text(), "a message")
        with open(log, "a", encoding="ascii") as out:
            out.write(f"{kit.stamp_of(int(time.time()))} stdout F second\n")
        kit.wait_for(lambda: self.lines(query='{namespace="ns"}') == ["first", "second"], "the second line")
        run.send_signal(signal.SIGTERM)
        self.assertEqual(run.wait(kit.PATIENCE), 143)

    # ---- access

    def test_access(self):
        done = subprocess.run([kit.WEIR, "serve", self.spool, "--listen", "0.0.0.0:0"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("without authentication", done.stderr)
        self.assertFalse(self.spool.exists())
        users = self.dir / "users"
        users.write_text("me:secret\n")
        serve = self.serve("--auth-file", str(users))
        self.assertEqual(self.push(serve.url, [(time.time_ns(), "x")])[0], 401)
        self.assertEqual(self.push(serve.url, [(time.time_ns(), "x")], Authorization="Basic bWU6c2VjcmV0")[0], 204)
        self.assertEqual(kit.get(serve.url + "/ready")[0], 200)
        self.assertEqual(kit.get(serve.url + "/-/healthy")[0], 200)
        self.assertEqual(kit.get(serve.url + "/metrics")[0], 401)
        open_one = self.serve(spool=self.dir / "open.db")
        self.assertEqual(self.push(open_one.url, [(time.time_ns(), "x")], Host="evil.example")[0], 403)
        self.assertEqual(self.push(open_one.url, [(time.time_ns(), "x")], Origin="http://evil.example")[0], 403)


if __name__ == "__main__":
    unittest.main()
