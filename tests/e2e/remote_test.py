#!/usr/bin/env python3
"""What is said to and of a remote: names that Loki takes, secrets that stay secret, files that are missing, TLS, and whether anybody is there."""
import http.server
import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
import time
import unittest
import urllib.parse

import weir_kit as kit

STAMP = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class Server:
    """An HTTP server whose answers a function gives: answer(method, path, headers, body) -> (status, text)."""

    def __init__(self, answer, context=None):
        self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def reply(handler):
                body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
                self.asked.append((handler.command, handler.path, dict(handler.headers)))
                status, text = answer(handler.command, handler.path, handler.headers, body)
                data = text.encode()
                handler.send_response(status)
                if status != 204:
                    handler.send_header("Content-Length", str(len(data)))
                handler.end_headers()
                handler.wfile.write(data)

            do_GET = do_POST = do_HEAD = reply

            def log_message(self, *args):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):  # a handshake that fails is what some tests want
                pass

        self.http = Quiet(("127.0.0.1", 0), Handler)
        if context:
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.http.server_address[1]
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()


def loki(method, path, headers, body):
    """As Loki answers."""
    if path == "/ready":
        return 200, "ready\n"
    return (422, "error at least one valid stream is required for ingestion\n") if len(body) < 2 else (204, "")


class Remote(kit.Case):
    def server(self, answer=loki, **kwargs):
        server = Server(answer, **kwargs)
        self.addCleanup(server.close)
        return server

    def weir(self, *args, stdin=b"", **environment):
        """Exit code and standard error."""
        done = subprocess.run([kit.WEIR, *map(str, args)], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=kit.environment(**environment), timeout=kit.PATIENCE, check=False)
        return done.returncode, done.stderr.decode()

    def record(self, line="x"):
        return json.dumps({"timestamp": STAMP, "line": line, "labels": {"app": "x"}}).encode() + b"\n"


class Names(Remote):
    def test_what_loki_does_not_take_is_sent_as_it_does(self):
        """A file whose name is Latin-1, metadata without a name, a tenant that is none: each record arrives, and what it was can be read."""
        rows = [
            {"labels": {"filename": "caf\udce9.log"}},
            {"labels": {"filename": "caf\udce8.log"}},
            {"labels": {"filename": "caf\ufffd.log"}},
            {"labels": {"app": "x"}, "metadata": {"_": "1", "é": "2", "日本": "3", "": "4", " ": "5", "__res__": "6", "a.b": "7"}},
            {"labels": {"app": "y"}, "tenant": "caf\udce9"},
        ]
        path = self.dir / "in.jsonl"
        path.write_text("".join(json.dumps(dict(row, timestamp=STAMP, line=f"line {i}")) + "\n" for i, row in enumerate(rows)))
        for fused in (False, True):
            with self.subTest(fused=fused):
                record = self.dir / f"sink-{fused}"
                chain = self.chain(["filter '{}'", f"push {self.sink(record)}"], fused, stdin=path)
                self.assertEqual(chain.wait(), [0] * len(chain.processes), chain.errors())
                self.assertIn("1 had metadata with a name that Loki does not take", chain.errors())
                taken = {}
                for entry in kit.whole_lines(record):
                    taken[entry["line"]] = (entry["labels"], entry["metadata"], entry["tenant"])
                self.assertEqual(len(taken), len(rows))
                self.assertEqual([taken[f"line {i}"][0] for i in range(3)],
                                 [r'{filename="caf\\xe9.log"}', r'{filename="caf\\xe8.log"}', r'{filename="caf\\xef\\xbf\\xbd.log"}'])
                self.assertEqual(taken["line 0"][1], {"weir_escaped_labels": "filename"})
                self.assertEqual(taken["line 3"][1], {"weir_unnamed_5f": "1", "weir_unnamed_c3a9": "2", "weir_unnamed_e697a5e69cac": "3",
                                                      "weir_unnamed": "4", "weir_unnamed_20": "5", "__res__": "6", "a_b": "7"})
                self.assertEqual(taken["line 4"][1:], ({"weir_tenant": r"caf\xe9"}, "caf(e9)"))

    def test_a_file_named_in_latin_1(self):
        name = os.fsencode(self.dir) + b"/caf\xe9.log"
        with open(name, "wb") as out:
            out.write(b"one\ntwo\n")
        record = self.dir / "sink"
        for fused in (False, True):
            chain = self.chain([f"tail {self.dir}/caf?.log" if not fused else f"tail '{self.dir}/caf?.log'", f"push {self.sink(record)}"], fused)
            self.assertEqual(chain.wait(), [0] * len(chain.processes), chain.errors())
            for entry in kit.whole_lines(record):
                self.assertTrue(entry["labels"].endswith(r'/caf\\xe9.log"}'), entry)


class Windows(Remote):
    def test_a_server_that_ignores_the_window_is_no_endless_query(self):
        """The same page whatever is asked for: what lies in the window is shown, and a query that would need another page ends with an error."""
        now = time.time_ns()

        def page(count):
            values = [[str(now - i * 10**9), f"line {i}"] for i in range(count)]
            body = json.dumps({"status": "success", "data": {"resultType": "streams", "result": [{"stream": {"app": "x"}, "values": values}]}})
            return self.server(lambda *_: (200, body))

        for count, args, code, wanted in ((5000, [], 4, None), (5000, ["--limit", "0"], 4, None), (5000, ["--forward"], 4, None), (20, [], 0, 10)):  # ten seconds hold ten
            with self.subTest(count=count, args=args):
                server = page(count)
                done = subprocess.run([kit.WEIR, "query", "--addr", server.url, "-o", "jsonl", "--since", "10s", *args, '{app="x"}'], stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, env=kit.environment(), timeout=kit.PATIENCE, check=False)
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertLess(len(server.asked), 5)
                if code:
                    self.assertIn(b"it ignores `start` and `end`", done.stderr)
                else:
                    self.assertLessEqual(len(done.stdout.splitlines()), wanted + 1)
                    self.assertIn(b"lie outside the time they were asked for; they are left out", done.stderr)


class Files(Remote):
    def test_a_missing_secret_or_certificate_ends_at_once(self):
        spool = self.dir / "spool.db"
        self.assertEqual(self.weir("buffer", spool, "--store", stdin=self.record())[0], 0)
        text = self.dir / "text"
        text.write_text("hello\n")
        missing = self.dir / "none"
        for option, file, cause in (("--bearer-token-file", missing, "No such file"), ("--password-file", missing, "No such file"),
                                    ("--ca-cert", missing, "No such file"), ("--ca-cert", text, "not in PEM form")):
            options = [option, file] + (["--username", "u"] if option == "--password-file" else [])
            for command in (["push", "http://127.0.0.1:9"], ["push", "--spool", spool, "--once", "http://127.0.0.1:9"], ["push", "--check", "http://127.0.0.1:9"],
                            ["query", "--addr", "http://127.0.0.1:9", '{a="b"}'], ["run", "-c", "push http://127.0.0.1:9 " + " ".join(map(str, options))]):
                with self.subTest(command, option=option):
                    code, errors = self.weir(*command, *([] if command[0] == "run" else options), stdin=self.record())
                    self.assertEqual(code, 2, errors)
                    self.assertIn(cause, errors)
                    self.assertIn(str(file), errors)
                    self.assertNotIn("is a Loki there?", errors)
        code, errors = self.weir("push", "--cert", text, "--key", missing, "https://127.0.0.1:9", stdin=self.record())
        self.assertEqual(code, 2, errors)

    def test_a_token_file_that_goes_away_while_push_runs(self):
        token = self.dir / "token"
        token.write_text("first-token")
        server = self.server()
        errors = self.dir / "errors"
        with open(errors, "wb") as err:
            process = self.start(kit.WEIR, "push", server.url, "--bearer-token-file", str(token), stdin=subprocess.PIPE, stderr=err, env=kit.environment())
        bearers = lambda: [headers.get("Authorization") for method, _, headers in server.asked if method == "POST"]
        wanted = []
        for change, bearer in ((None, "first-token"), (token.unlink, "first-token"), (lambda: token.write_text("second-token"), "second-token")):
            if change:
                change()
            process.stdin.write(self.record(f"line {len(wanted)}"))
            process.stdin.flush()
            wanted.append("Bearer " + bearer)
            kit.wait_for(lambda: bearers() == wanted, lambda: f"{bearers()} {errors.read_text()}")
        process.stdin.close()
        self.assertEqual(process.wait(kit.PATIENCE), 0)
        self.assertIn("No such file or directory; the one that was read before stays in use", errors.read_text())


class Secrets(Remote):
    def test_errors_of_run_hide_them(self):
        file = self.dir / "pipelines"
        for text in ("tail | push --password hunter2 --nosuch", "tail | push http://me:hunter2@loki:3100 --nosuch", "tail | push --password 'hunter2",
                     "tail | push --header 'Authorization: Bearer hunter2' *", "tail | push --pasword hunter2", "tail | push --bearer-token=hunter2 |",
                     "tail | push --password \\\n  hunter2 --nosuch", "tail | push --password hunter2 --timeout hunter2"):
            file.write_text(text)
            for args in (["run", file], ["run", "-c", text], ["run", "--check", file], ["run", text]):
                with self.subTest(text, args=args[0:2]):
                    code, errors = self.weir(*args)
                    self.assertEqual(code, 2, errors)
                    self.assertNotIn("hunter2", errors.replace(str(file), ""))
        for args in (["push", "--password", "hunter2", "--nosuch"], ["push", "http://me:hunter2@h", "hunter2"], ["push", "ftp://me:hunter2@h"],
                     ["push", "--password", "hunter2", "--timeout", "hunter2"], ["push", "http://me:hunter2/x"]):
            with self.subTest(args):
                code, errors = self.weir(*args)
                self.assertEqual(code, 2, errors)
                if "@" in args[1] or args[1] == "--password":
                    self.assertNotIn("hunter2", errors)

    def test_a_variable_shows_in_the_text_and_its_value_nowhere(self):
        code, errors = self.weir("run", "-c", "push --password $PW --timeout $PW", PW="hunter2")
        self.assertEqual(code, 2, errors)
        self.assertIn("push --password $PW --timeout $PW", errors)
        self.assertNotIn("hunter2", errors)

    def test_only_what_the_process_list_shows_is_warned_of(self):
        server = self.server()
        proxy = server.url.replace("//", "//u:hunter2@")
        warned = lambda *args, **env: "everybody on this machine can read the secret of" in self.weir(*args, stdin=self.record(), **env)[1]
        for args in (["push", server.url, "--username", "u", "--password", "hunter2"], ["push", server.url, "--header", "Authorization: Bearer hunter2"],
                     ["push", server.url, "--header", "X-Api-Key: hunter2"], ["push", server.url, "--proxy-url", proxy], ["push", proxy],
                     ["run", "-c", f"push {server.url} --bearer-token hunter2"]):
            with self.subTest(args):
                self.assertTrue(warned(*args))
        file = self.dir / "pipelines"
        file.write_text(f"push {server.url} --username u --password $PW")
        self.assertFalse(warned("run", file, PW="hunter2"))
        file.write_text(f"push {server.url} --bearer-token hunter2")
        self.assertFalse(warned("run", file))
        self.assertFalse(warned("run", "-c", f"push {server.url} --username u --password $PW", PW="hunter2"))
        self.assertFalse(warned("push", server.url, LOKI_USERNAME="u", LOKI_PASSWORD="hunter2"))
        self.assertFalse(warned("push", server.url, "--header", "X-Team: shop"))

    def test_what_a_server_repeats_is_hidden(self):
        token = self.dir / "token"
        token.write_text("hunter2-token\n")
        for status in (400, 401, 500):
            echo = lambda method, path, headers, body, status=status: (status, f"{path} {urllib.parse.quote(headers.get('Authorization') or '')} "
                                                                               f"{headers.get('Authorization')} {'x' * 250} {headers.get('Authorization')}")
            server = self.server(echo)
            with_user = server.url.replace("//", "//me:hunter2-pass@") + "?api_key=hunter2-key"
            for args in ([server.url, "--bearer-token-file", token], [with_user], [server.url, "--username", "u", "--password", "hunter2-pass"],
                         [server.url, "--header", "Authorization: Token hunter2-word"]):
                for command in (["push", "--give-up", "1s"], ["query", '{a="b"}', "--addr"], ["push", "--check"]):
                    with self.subTest(command, status=status, args=args):
                        if command[0] == "query" and status == 500:
                            continue  # it is asked six times
                        code, errors = self.weir(*command, *args, stdin=self.record())
                        self.assertNotEqual(code, 0, errors)
                        self.assertIn("***", errors)
                        for shown in ("hunter2", "aHVudGVyMi", "bWU6aHVudGVyMi", "dTpodW50ZXIy"):
                            self.assertNotIn(shown, errors)

    def test_not_in_the_rejected_store_either(self):
        token = self.dir / "token"
        token.write_text("hunter2-token\n")
        server = self.server(lambda method, path, headers, body: (400, f"has duplicate label name: {headers.get('Authorization')}"))
        spool = self.dir / "spool.db"
        self.weir("buffer", spool, "--store", stdin=self.record())
        self.weir("push", "--spool", spool, "--once", server.url, "--bearer-token-file", token)
        self.assertTrue(server.asked)
        for path in self.dir.glob("spool.db*"):
            self.assertNotIn(b"hunter2", path.read_bytes())


class Check(Remote):
    def test_it_says_whether_records_would_be_taken(self):
        server = self.server()
        code, errors = self.weir("push", "--check", server.url, "--tenant", "shop")
        self.assertEqual(code, 0, errors)
        self.assertIn(f"weir push: {server.url} takes records: it answered 422 to a request without records", errors)
        self.assertEqual([(method, path) for method, path, _ in server.asked], [("POST", "/loki/api/v1/push"), ("GET", "/ready")])
        self.assertEqual(server.asked[0][2]["X-Scope-OrgID"], "shop")
        self.assertEqual(self.weir("push", "--check", server.url + "/loki/api/v1/push")[0], 0)
        self.assertEqual(server.asked[-1][1], "/ready")

    def test_it_says_what_is_in_the_way(self):
        for answer, code, part in ((lambda *_: (401, "no org id\n"), 4, "401 Unauthorized: no org id"), (lambda *_: (404, "404 page not found\n"), 4, "is this a Loki?"),
                                   (lambda *_: (503, "empty ring\n"), 4, "503 Service Unavailable: empty ring"), (lambda *_: (204, ""), 0, "answered 204"),
                                   (lambda method, *rest: (503, "Ingester not ready: waiting for 15s") if method == "GET" else loki(method, *rest), 4,
                                    "is not ready: 503 Service Unavailable: Ingester not ready"),
                                   (lambda method, *rest: (404, "") if method == "GET" else loki(method, *rest), 0, "takes records")):
            got, errors = self.weir("push", "--check", self.server(answer).url)
            self.assertEqual(got, code, errors)
            self.assertIn(part, errors)
        code, errors = self.weir("push", "--check", "http://127.0.0.1:9")
        self.assertEqual(code, 4, errors)
        self.assertIn("Connection refused", errors)
        self.assertIn("is a Loki there?", errors)
        # Without records there is nothing to deliver, and nobody is asked.
        code, errors = self.weir("push", "http://127.0.0.1:9")
        self.assertEqual(code, 0, errors)
        self.assertIn("nothing to push: no records came", errors)
        self.assertIn("--check", errors)

    def test_it_stands_first(self):
        self.assertEqual(self.weir("run", "-c", f"push --check {self.server().url}")[0], 0)
        code, errors = self.weir("run", "-c", "tail | push --check http://127.0.0.1:9")
        self.assertEqual(code, 2, errors)


class Tls(Remote):
    CONFIG = """
[ca]
default_ca = own
[own]
dir = {dir}
new_certs_dir = {dir}
database = {dir}/index
serial = {dir}/serial
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[names]
subjectAltName = {names}
"""

    def setUp(self):
        super().setUp()
        if not shutil.which("openssl"):
            self.skipTest("no openssl to make certificates with")

    def certificate(self, name, names="IP:127.0.0.1", begin="20200101000000Z", end="20990101000000Z"):
        """A certificate that signs itself, and its key."""
        folder = self.dir / name
        folder.mkdir()
        (folder / "index").write_text("")
        (folder / "serial").write_text("01\n")
        (folder / "config").write_text(self.CONFIG.format(dir=folder, names=names))
        run = lambda *args: subprocess.run(["openssl", *map(str, args)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        (folder / "request.cnf").write_text("[req]\ndistinguished_name = dn\n[dn]\n")
        run("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder / "key", "-out", folder / "request",
            "-subj", f"/CN={name}", "-config", folder / "request.cnf")
        run("ca", "-batch", "-selfsign", "-keyfile", folder / "key", "-in", folder / "request", "-out", folder / "certificate", "-startdate", begin,
            "-enddate", end, "-extensions", "names", "-config", folder / "config")
        return folder / "certificate", folder / "key"

    def tls(self, certificate, key):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return self.server(context=context)

    def test_trouble_with_tls_in_the_words_of_a_person(self):
        good = self.certificate("good")
        server = self.tls(*good)
        self.assertEqual(self.weir("push", "--check", server.url, "--ca-cert", good[0])[0], 0)
        self.assertEqual(self.weir("push", "--check", server.url, "--tls-skip-verify")[0], 0)
        old = self.certificate("old", end="20200102000000Z")
        future = self.certificate("future", begin="20900101000000Z")
        other = self.certificate("other", names="DNS:loki.example")
        plain = self.server()
        for url, ca, message, hint in (
                (server.url, None, "this machine does not trust the authority that signed the server's certificate", "--ca-cert FILE"),
                (self.tls(*old).url, old[0], "the server's certificate has expired", "clock"),
                (self.tls(*future).url, future[0], "the server's certificate is not valid yet", "clock"),
                (self.tls(*other).url, other[0], "the server's certificate is for another name than 127.0.0.1", "name"),
                (plain.url.replace("http:", "https:"), None, "the server does not speak TLS", "http:// instead of https://?"),
                (server.url.replace("https:", "http:"), None, "", "https:// instead of http://?")):
            with self.subTest(message):
                for command in (["push", "--check", url], ["push", url, "--give-up", "1s"], ["query", '{a="b"}', "--addr", url]):
                    code, errors = self.weir(*command, *(["--ca-cert", ca] if ca else []), stdin=self.record())
                    self.assertEqual(code, 4, errors)
                    self.assertIn(f"cannot reach {url}: {message}", errors)
                    self.assertIn(hint, errors)


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
