#!/usr/bin/env python3
"""Secrets and the files that weir makes: who can read them, whatever the umask is, and where a password never stands.

What messages show of secrets is held by e2e push (test_secrets_are_never_shown) and e2e remote; here is what stays on the disk, in metrics, in
the status and in the list of processes, of a whole node's chain.
"""
import json
import os
import pathlib
import re
import signal
import stat
import subprocess
import time
import unittest

import fake_kube
import weir_kit as kit

SECRET = "hunter2-hunter2"


class Secrets(kit.SinkCase):
    def node(self, umask, refused=0):
        """The chain of a node with all files that it can make; all messages, metrics and files of it, and what it showed of itself."""
        log = self.pods / "shop_web_11111111-1111-4111-8111-111111111111" / "app" / "0.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "a", encoding="ascii") as out:
            out.write(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) + " stdout F {\"user\":\"u1\"}\n")
        state = self.dir / "state"
        state.mkdir(mode=0o755)
        kube = fake_kube.FakeKube()
        self.addCleanup(kube.close)
        (self.dir / "password").write_text(SECRET + "\n")
        rules, spool = state / "rules", state / "spool.db"
        rules.write_text("# none\n")
        kit.get(f"{self.url}/fail?status=401&count={refused}", data=b"")
        text = (f"tail -f --max-age 0 {self.pods} | enrich --level --kubernetes api --kube-server {kube.url} --node-name n --pod-cache {state}/pods "
                f"--parse json --to-label user --max-values user=5 --values-file {state}/values | filter --rules {rules} | buffer {spool} | "
                f"push --username u --password-file {self.dir}/password --header \"X-Api-Key: $KEY\" {self.url}")
        (self.dir / "node.weir").write_text(text + "\n")
        errors = self.dir / "errors"
        with open(errors, "wb") as out:
            process = self.start(kit.WEIR, "run", "--metrics", "127.0.0.1:0", "--metrics-file", str(state / "weir.prom"), str(self.dir / "node.weir"),
                                 stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=kit.environment(KEY=SECRET), preexec_fn=lambda: os.umask(umask))
        address = kit.wait_for(lambda: re.search(r"metrics on (http://\S+)/metrics\n", errors.read_text()), errors.read_text).group(1)
        kit.wait_for(lambda: (state / "weir.prom").exists(), errors.read_text)
        kit.wait_for(lambda: kit.sink_stats(self.url)["entries"] > 0 or refused and "401" in errors.read_text(), errors.read_text)
        shown = {"metrics": kit.get(address + "/metrics")[1], "cmdline": pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes(),
                 "ready": kit.get(address + "/-/ready")[1], "status": kit.weir("spool", "status", spool), "json": kit.weir("spool", "status", spool, "-o", "json"),
                 "comm": pathlib.Path(f"/proc/{process.pid}/comm").read_bytes()}
        running = {path.name: stat.S_IMODE(path.stat().st_mode) for path in state.iterdir()}
        kit.weir("rules", "add", rules, 'drop {app="x"}')
        process.send_signal(signal.SIGTERM)
        self.assertIn(process.wait(kit.PATIENCE), (0, 143), errors.read_text())
        after = {path.name: stat.S_IMODE(path.stat().st_mode) for path in state.iterdir()}
        files = {path.name: path.read_bytes() for path in [*state.iterdir(), errors]}
        return {**running, **after}, shown | files

    def test_files_are_for_their_owner_whatever_the_umask_is(self):
        for umask in (0, 0o022, 0o077):
            with self.subTest(umask=oct(umask)):
                self.setUp()
                modes, _ = self.node(umask)
                self.assertLessEqual({"spool.db", "spool.db-wal", "pods", "values"}, set(modes), modes)
                rules, prom = modes.pop("rules"), modes.pop("weir.prom")
                self.assertEqual({name: oct(mode) for name, mode in modes.items() if mode != 0o600}, {})
                self.assertEqual(rules & 0o133, 0)  # keeps what its owner gave it
                self.assertEqual(prom, 0o644 & ~umask)  # for node_exporter, which is another user

    def test_a_secret_stands_nowhere(self):
        for refused in (0, 100000):
            with self.subTest(refused=refused):
                self.setUp()
                _, shown = self.node(0o077, refused)
                for name, data in shown.items():
                    self.assertNotIn(SECRET.encode(), data, name)
                    self.assertNotIn(b"aHVudGVy", data, name)  # as base64

    def test_who_puts_a_secret_on_the_command_line_is_told_where_to_put_it(self):
        for words in (["--username", "u", "--password", SECRET, self.url], ["--bearer-token", SECRET, self.url], [self.url.replace("//", f"//u:{SECRET}@")]):
            done = subprocess.run([kit.WEIR, "push", *words], input=b'{"line":"x","labels":{"app":"x"}}\n', stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  env=kit.environment(), check=False)
            said = done.stderr.decode()
            self.assertEqual(done.returncode, 0, said)
            for part in ("on the command line", "--password-file", "--bearer-token-file", "LOKI_PASSWORD", "LOKI_BEARER_TOKEN"):
                self.assertIn(part, said)
            self.assertNotIn(SECRET, said)

    def test_a_secret_in_clear_and_a_certificate_that_is_not_checked_are_reported(self):
        def said(*words, **env):
            done = subprocess.run([kit.WEIR, "push", "--give-up", "100ms", "--timeout", "100ms", *words], input=b'{"line":"x","labels":{"app":"x"}}\n',
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=kit.environment(**env), check=False)
            return done.stderr.decode()
        # 192.0.2.0/24 belongs to documentation: nobody is there.
        self.assertIn("the secret goes to http://192.0.2.1:3100 in clear", said("http://192.0.2.1:3100", LOKI_USERNAME="u", LOKI_PASSWORD=SECRET))
        self.assertIn("in clear", said("http://192.0.2.1:3100", LOKI_BEARER_TOKEN=SECRET))
        self.assertNotIn("in clear", said("http://192.0.2.1:3100"))
        self.assertNotIn("in clear", said(self.url, LOKI_BEARER_TOKEN=SECRET))
        self.assertIn("is not checked", said("https://127.0.0.1:9", "--tls-skip-verify"))
        self.assertIn("is not checked", said("https://127.0.0.1:9", LOKI_TLS_SKIP_VERIFY="true"))
        self.assertNotIn("is not checked", said("https://127.0.0.1:9"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
