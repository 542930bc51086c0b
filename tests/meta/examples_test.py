#!/usr/bin/env python3
"""Runs every example of `weir --help` and `weir COMMAND --help all`, line breaks and all, in a sandbox.

  examples_test.py --weir BINARY [COMMAND...]

The sandbox is a folder with

  pods/                     three pods' logs (also at /var/log/pods, where the kernel lets a user have a mount namespace)
  spool.db, $WEIR_SPOOL     a spool filled from them
  records.jsonl, app.log    records, plain text
  pipeline.weir, Makefile, promtail.yaml, users, cert.pem, key.pem   what the examples name

and a small stand-in for Loki at LOKI_ADDR, unless LOKI_ADDR is set. An example that follows for ever is interrupted. An example must not end
with 2 (a wrong usage), be killed, or fail; where it names another machine (https://…), it may fail to reach it. Where no mount namespace is to
be had (in a chroot, say), the examples that read /var/log/pods are skipped, and listed.
"""

import argparse
import concurrent.futures
import contextlib
import gzip
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

FOLLOWS_FOR = 4  # seconds that an example gets before it is interrupted
LIMIT = 60
TOGETHER = 8  # examples at a time, but of those that listen on a port of their own, only one
LISTENS = re.compile(r"\bweir serve\b|--listen\b|--metrics ")


PROMTAIL = """clients: [{url: "http://localhost:3100/loki/api/v1/push"}]
scrape_configs:
  - job_name: pods
    static_configs: [{labels: {job: pods, __path__: /var/log/pods/*/*/*.log}}]
    pipeline_stages: [cri: {}]
"""


class StandIn(http.server.BaseHTTPRequestHandler):
    """Takes every push and knows two lines."""

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", kind="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.endswith("/push"):
            self.answer(204)
        else:
            self.do_GET()

    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        given = urllib.parse.parse_qs(url.query)
        if url.path.endswith("/query_range"):
            start, end = (int(given.get(name, [str(default)])[0]) for name, default in (("start", 0), ("end", 2**62)))
            now = time.time_ns() - 60 * 10**9
            values = [[str(at), text] for at, text in ((now + 1, "second error"), (now, "first error")) if start <= at < end]
            stream = {"stream": {"app": "checkout", "namespace": "checkout", "pod": "web-0", "container": "app"}, "values": values}
            data = {"resultType": "streams", "result": [stream] if values else [], "stats": {}}
        elif url.path.endswith(("/query", "/index/volume")):
            data = {"resultType": "vector", "result": [{"metric": {"namespace": "checkout"}, "value": [1, "7"]}]}
        elif "/label" in url.path:
            data = ["app", "namespace", "pod"]
        elif url.path.endswith("/series"):
            data = [{"app": "checkout", "namespace": "checkout"}]
        elif url.path.endswith("/ready"):
            return self.answer(200, b"ready\n", "text/plain")
        else:
            return self.answer(404)
        return self.answer(200, json.dumps({"status": "success", "data": data}).encode())


def examples(binary, command):
    """(what, text) of each, as the help prints it."""
    text = subprocess.run([binary, *([command] if command else []), "--help", *(["all"] if command else [])], check=True, stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "COLUMNS": "80"}).stdout
    block = re.search(r"^Examples:\n((?:  .*\n)+)", text, re.M)
    found = []
    for line in (block.group(1) if block else "").splitlines():
        if not line.startswith("    "):
            if found and found[-1][1] == "":
                found[-1][0] += " " + line.strip()
            else:
                found.append([line.strip(), ""])
        else:
            found[-1][1] += line[4:] + "\n"
    return found


def write_pods(folder):
    minute = time.gmtime(time.time() - 600)
    for namespace, pod, container in (("checkout", "web-0", "app"), ("kube-system", "dns-x1", "dns"), ("shop", "cart-1", "app")):
        logs = folder / f"{namespace}_{pod}_0c1b2a3d-4e5f-6789-abcd-ef0123456789" / container
        logs.mkdir(parents=True)
        with open(logs / "0.log", "w", encoding="utf-8") as out:
            for second in range(50):
                stamp = time.strftime("%Y-%m-%dT%H:%M:", minute) + f"{second:02d}.000000001Z"
                line = ("GET /healthz 200", "level=error msg=\"timeout\"", '{"level":"debug","msg":"ok"}', "error: no such cart")[second % 4]
                out.write(f"{stamp} {'stderr' if second % 4 == 3 else 'stdout'} F {line}\n")


def prepare(folder, environment):
    """What the examples find."""
    write_pods(folder / "pods")
    (folder / "Makefile").write_text("all:\n\t@echo built\n")
    if not shutil.which("make"):
        (folder / "make").write_text("#!/bin/sh\necho built\n")
        (folder / "make").chmod(0o755)
    (folder / "app.log").write_text("one\ntwo error\n")
    (folder / "old.log.gz").write_bytes(gzip.compress(b"old one\nold two\n"))
    (folder / "pipeline.weir").write_text("tail pods | filter '|= \"error\"'\n")
    (folder / "promtail.yaml").write_text(PROMTAIL)
    for alerts in ("loki.rules.yml", "loki.test.yml"):
        shutil.copy(pathlib.Path(__file__).resolve().parents[2] / "examples" / "alerts" / alerts, folder)
    (folder / "users").write_text("ada:swordfish\n")
    (folder / "users").chmod(0o600)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "cert.pem"],
                   cwd=folder, check=True, stderr=subprocess.DEVNULL)
    (folder / "etc").mkdir()
    for rules in ("etc/rules", "rules", "new"):
        (folder / rules).write_text('drop |= "GET /healthz"\nhold | detected_level="debug"\n')
    fill = "weir tail pods > records.jsonl && weir buffer --store spool.db < records.jsonl && weir push --spool spool.db --as archive --once"
    made = subprocess.run(["bash", "-c", fill], cwd=folder, env=environment, stderr=subprocess.PIPE, text=True, check=False)
    if made.returncode != 0:
        raise RuntimeError(f"cannot prepare the sandbox: {made.stderr}")


def mount_pods(folder):
    """A prefix for commands that see the pods at /var/log/pods, where that is allowed."""
    script = f"mkdir -p /var/log/pods && mount --bind {folder}/pods /var/log/pods"
    if not shutil.which("unshare") or not pathlib.Path("/var/log/pods").is_dir() and os.geteuid() != 0:
        return None
    prefix = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]), "bash", "-c"]
    # A tmpfs over /var/log, so that nothing is made on the machine itself.
    script = f"mount -t tmpfs none /var/log && {script}"
    tried = subprocess.run([*prefix, script], stderr=subprocess.DEVNULL, check=False)
    return [*prefix, script + ' && exec bash -o pipefail -c "$0"'] if tried.returncode == 0 else None


def run(text, folder, environment, prefix):
    """(exit, stderr) of an example; one that does not end by itself is interrupted, as with Ctrl-C."""
    command = [*prefix, text] if prefix else ["bash", "-o", "pipefail", "-c", text]
    with open(os.devnull, "rb") as nothing:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdin=nothing, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   start_new_session=True)
        try:
            _, err = process.communicate(timeout=FOLLOWS_FOR)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGINT)
            try:
                _, err = process.communicate(timeout=LIMIT)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                _, err = process.communicate()
                err += b"(did not end when interrupted)"
    return process.returncode, err.decode("utf-8", "replace")


listening = threading.Lock()


def alone(text):
    """A lock for an example that listens: its port may be that of another one."""
    return listening if LISTENS.search(text) else contextlib.nullcontext()


def in_sandbox(binary, loki, text):
    """Exit and stderr of an example, and whether it saw the pods at /var/log/pods."""
    with tempfile.TemporaryDirectory(prefix="weir-examples-") as name:
        folder = pathlib.Path(name)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("WEIR_")}
        environment.setdefault("LOKI_ADDR", loki)
        environment.update(PATH=f"{binary.parent}:{environment['PATH']}:{name}", HOME=name, WEIR_SPOOL=str(folder / "spool.db"), NODE_NAME="node-1",
                           LC_ALL="C.UTF-8")
        prepare(folder, environment)
        prefix = mount_pods(folder)
        # Nothing is made in /etc of the machine.
        with alone(text):
            return *run(text.replace("/etc/weir/", f"{folder}/etc/"), folder, environment, prefix), prefix is not None


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--weir", required=True, type=pathlib.Path)
    arguments.add_argument("command", nargs="*")
    options = arguments.parse_args()
    binary = options.weir.resolve(strict=True)
    help_text = subprocess.run([binary, "docs", "completion", "bash"], check=True, stdout=subprocess.PIPE, text=True).stdout
    every = re.search(r"_weir_words '([^']*) help --help --version'", help_text).group(1).split()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    every_one = [(command, what, text) for command in options.command or [None, *every] for what, text in examples(binary, command)]
    failed = skipped = 0
    # Each in a sandbox of its own, and most of the time one that follows only waits for its end.
    with concurrent.futures.ThreadPoolExecutor(TOGETHER) as pool:
        outcomes = pool.map(lambda one: in_sandbox(binary, address, one[2]), every_one)
        for (command, what, text), (code, err, mounted) in zip(every_one, outcomes):
            if not mounted and code == 4 and "/var/log/pods" in err and not pathlib.Path("/var/log/pods").is_dir():
                skipped += 1
                print(f"SKIPPED weir {command or ''}: {what}: there is no /var/log/pods, and none can be mounted here")
                continue
            elsewhere = re.search(r"https?://", text) is not None
            # An interrupted bash itself ends by the signal; 1 is a negative answer, 3 may be the sample's own trouble.
            fine = code in (0, 1, 3, 130, -signal.SIGINT) or (code == 4 and elsewhere)
            if not fine or "did not end" in err:
                failed += 1
                print(f"FAILED weir {command or ''}: {what}\n{text}  exit {code}\n  " + err.replace("\n", "\n  "))
    server.shutdown()
    print(f"{len(every_one)} examples, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or len(every_one) == skipped else 0)


if __name__ == "__main__":
    main()
