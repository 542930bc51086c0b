#!/usr/bin/env python3
"""The guides (man/weir-guide-*.7, man/weir-troubleshooting.7 and man/weir-logql.7): every command, pipeline and rule in them works.

  guides_test.py --weir BINARY --source FOLDER [PAGE...]

An example is a block from .EX to .EE. What it is, its first word says:

  a stage (tail, push, ...)           a text of weir run: `weir run --check`
  an action of a rule (drop, ...)     a file of rules: `weir rules check`
  weir, or another program            a shell text: run by bash in a sandbox, where the other tools and kubectl are stand-ins
  anything else                       a text of another tool; not looked at

The sandbox is that of examples_test.py, with folders in place of /etc, /run, /srv, /tmp and /var: a path in an example is one in there. What
follows is interrupted. Beside the examples, the text may name only options, metrics, alerts and pages that there are.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import http.server

import examples_test as sandbox

# Options of other programs that a page speaks of; None: so many that only the examples are looked at.
OTHERS = {
    "weir-logql.7": {"--strict", "--keep-empty"},  # of the stage logfmt
    "weir-guide-logcli.7": None,
    "weir-guide-stern.7": None,
    "weir-troubleshooting.7": {"--field-selector"},
    "weir-guide-promtail.7": {"--now"},
    "weir-guide-alloy.7": {"--now", "--storage", "--watch-only"},
}
# Metrics of other programs begin otherwise; these are no metrics.
NO_METRICS = {"weir_gap_bytes", "weir_rule", "weir_split", "weir_release", "weir_invalid_utf8", "weir_escaped_labels", "weir_tenant", "weir_unnamed_"}
STAND_INS = ("alloy", "docker", "fluent-bit", "helm", "kubectl", "logcli", "promtail", "stern", "sudo", "systemctl")
PROGRAMS = {"weir", "apt", "cp", "curl", "dpkg", "find", "for", "jq", "journalctl", "mkdir", "rm", "sleep", "{", "(", *STAND_INS}
STAGES = {"tail", "replay", "query", "enrich", "filter", "buffer", "push", "top"}
ACTIONS = {"redact", "keep", "drop", "hold", "release", "sample", "limit", "dedup", "tenant", "name"}
# What a page may rely on: it exists on the node that it speaks of.
FILES = {
    "etc/promtail/config.yml": "positions: {filename: /run/promtail/positions.yaml}\nclients: [{url: http://loki}]\nscrape_configs:\n  - job_name: pods\n    pipeline_stages: [cri: {}]\n    static_configs:\n"
                               "      - {targets: [localhost], labels: {job: pods, __path__: /var/log/pods/*/*/*.log}}\n",
    "etc/weir/node.weir": "tail -f | enrich --level | push\n",
    "etc/weir/rules": 'drop |= "GET /healthz"\n',
    "var/lib/weir/rules": "# nothing yet\n",
    "run/promtail/positions.yaml": "positions:\n",
    "var/lib/weir/positions.yaml": "positions:\n",
    "var/lib/weir/positions.yml": "positions:\n",
    "var/lib/alloy/data/loki.source.file.pod_logs/positions.yml": "positions:\n",
}
FOLLOWS_FOR = 2  # seconds

failures = []


def roff(text):
    """A line of a page as it is shown, as far as examples need it."""
    text = re.sub(r"\\f(?:[BIRP]|\(..)", "", text)
    for code, shown in (("\\-", "-"), ("\\e", "\0"), ("\\(dq", '"'), ("\\(aq", "'"), ("\\(ga", "`"), ("\\(ha", "^"), ("\\(ti", "~"), ("\\&", ""), ("\\ ", " "),
                        ("\\[u2026]", "\u2026")):
        text = text.replace(code, shown)
    return text.replace("\0", "\\")


def examples(page):
    """(number of the line, text) of each block."""
    found, block = [], None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if line == ".EX":
            block = (number, [])
        elif line == ".EE" and block:
            # "# /etc/weir/rules" begins another text.
            at = block[0]
            for part in re.split(r"(?m)^(?=# /\S+$)", "\n".join(block[1]) + "\n"):
                found.append((at, part))
                at += part.count("\n")
            block = None
        elif block and not line.startswith('.\\"'):
            block[1].append(roff(line))
    return found


def kind(text):
    words = next((line.split() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")), [])
    if not words:
        return None
    first = words[0]
    # "push" and "limit" of Promtail's configuration end with a colon; "tenant" is an action and "push" a stage.
    if first in ACTIONS:
        return "rules"
    if first in STAGES:
        return "pipeline"
    return "shell" if first in PROGRAMS or re.match(r"[A-Z_]+=", first) else None


class Sandbox:
    """A node for one example."""

    def __init__(self, binary, loki, folder):
        self.binary, self.loki, self.folder = binary, loki, pathlib.Path(folder)
        for path, text in FILES.items():
            self.file(path, self.here(text))
        sandbox.write_pods(self.folder / "var/log/pods")
        for path in ("tmp", "var/log/journal", "var/lib/docker/containers/0a", "srv"):
            (self.folder / path).mkdir(parents=True, exist_ok=True)
        stand_ins = self.folder / "bin"
        stand_ins.mkdir()
        for name in STAND_INS:
            (stand_ins / name).write_text("#!/bin/sh\nexit 0\n")
            (stand_ins / name).chmod(0o755)
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith(("WEIR_", "LOKI_"))}
        self.environment.update(PATH=f"{stand_ins}:{binary.parent}:{self.environment['PATH']}", HOME=folder, LC_ALL="C.UTF-8", LOKI_ADDR=loki,
                                NODE_NAME="node-1", WEIR_SPOOL=f"{folder}/var/lib/weir/spool.db", LOKI_PASSWORD="secret")
        fill = ["bash", "-o", "pipefail", "-c", f"weir tail {folder}/var/log/pods | weir buffer --store {folder}/var/lib/weir/spool.db"]
        subprocess.run(fill, env=self.environment, check=True, stderr=subprocess.PIPE)

    def file(self, path, text):
        path = self.folder / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def here(self, text):
        """Paths of the node become those of the sandbox, and the Loki of a cluster the stand-in."""
        text = re.sub(r"(?<![\w.*/-])/(etc|run|srv|tmp|var)/", rf"{self.folder}/\1/", text)
        text = re.sub(r"https?://(?:loki-gateway|loki|archive)(?:\.[\w.]+)?(?::\d+)?(?=[\s'\"/}]|$)", self.loki, text)
        return text

    def weir(self, *arguments):
        done = subprocess.run([self.binary, *map(str, arguments)], env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout.decode(errors="replace")

    def run(self, what, text):
        """The trouble, or nothing."""
        text = self.here(text)
        if what == "pipeline":
            # A node has its pods by default; the API server is not asked.
            text = re.sub(r"(?m)^tail -f( \||$)", rf"tail -f {self.folder}/var/log/pods\1", text)
            text = text.replace("--kubernetes api", "--kubernetes api --kube-server http://127.0.0.1:9")
            code, said = self.weir("run", "--check", self.file("pipeline", text))
            return "" if code == 0 else f"exit {code}\n{said}"
        if what == "rules":
            code, said = self.weir("rules", "check", self.file("rules", text))
            return "" if code == 0 else f"exit {code}\n{said}"
        text = text.replace("--kubernetes api", "--kubernetes api --kube-server http://127.0.0.1:9")
        code, said = sandbox.run(text, self.folder, self.environment, None)
        elsewhere = "127.0.0.1:8001" in text  # kubectl proxy, which does not run here
        fine = code in (0, 1, 3, 130, -2, 143) or (code == 4 and elsewhere)
        return "" if fine and "did not end" not in said else f"exit {code}\n{said}"


def declared(binary, source):
    """The options of each command, every metric, every alert."""
    words = subprocess.run([binary, "docs", "completion", "bash"], check=True, stdout=subprocess.PIPE, text=True).stdout
    commands = re.search(r"_weir_words '([^']*) help --help --version'", words).group(1).split()
    options = {}
    for command in commands:
        text = subprocess.run([binary, command, "--help", "all"], check=True, stdout=subprocess.PIPE, text=True).stdout
        options[command] = {"--help", *re.findall(r"--[a-z][\w-]*", text)}
    metrics = set(re.findall(r"weir_\w+", roff((source / "man/weir-metrics.7").read_text())))
    alerts = set(re.findall(r"alert: (\w+)", (source / "examples/alerts/weir.rules.yml").read_text()))
    return options, metrics, alerts


def words_of(page, pages, options, metrics, alerts):
    text = roff(page.read_text(encoding="utf-8"))
    others = OTHERS.get(page.name, set())
    if others is not None:
        every = others.union({"--version"}, *options.values())
        for option in sorted(set(re.findall(r"(?<![\w-])--[a-z](?:[\w-]*\w)?(?![\w-])", text)) - every):
            failures.append(f"{page.name}: {option} is no option of any command")
        for command, option in sorted(set(re.findall(r"(?<![\w./-])([a-z]+) (--[a-z](?:[\w-]*\w)?)(?![\w-])", text))):
            if command in options and option not in options[command]:
                failures.append(f"{page.name}: {option} is no option of {command}")
    for metric in sorted(set(re.findall(r"(?<![\w.])weir_[a-z_]+", text)) - metrics - NO_METRICS):
        if not any(name.startswith(metric) for name in metrics) or not metric.endswith("_"):
            failures.append(f"{page.name}: {metric} is no metric")
    for alert in sorted(set(re.findall(r"\bWeir[A-Z]\w+", text)) - alerts):
        failures.append(f"{page.name}: {alert} is no alert")
    for name, section in re.findall(r"\b(weir(?:-[a-z]+)*)[ ]?\((\d)\)", text):
        if f"{name}.{section}" not in pages:
            failures.append(f"{page.name}: there is no page {name}({section})")


def on_a_node(binary, loki, what, text):
    """The trouble of an example, or nothing."""
    # Without underscores: a folder named a_b_c is one of a pod.
    folder = pathlib.Path(tempfile.gettempdir()) / f"weir-guides-{os.urandom(6).hex()}"
    folder.mkdir(mode=0o700)
    try:
        with sandbox.alone(text):
            return Sandbox(binary, loki, str(folder)).run(what, text)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--weir", required=True, type=pathlib.Path)
    arguments.add_argument("--source", required=True, type=pathlib.Path)
    arguments.add_argument("page", nargs="*")
    options = arguments.parse_args()
    binary = options.weir.resolve(strict=True)
    manual = options.source / "man"
    pages = {path.name for path in manual.iterdir()}
    guides = [manual / name for name in options.page] or sorted([*manual.glob("weir-guide-*.7"), *manual.glob("weir-troubleshooting.7"), *manual.glob("weir-logql.7")])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), sandbox.StandIn)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sandbox.FOLLOWS_FOR = FOLLOWS_FOR
    names = declared(binary, options.source)
    counts = {"pipeline": 0, "rules": 0, "shell": 0, None: 0}
    todo = []
    for page in guides:
        words_of(page, pages, *names)
        for number, text in examples(page):
            what = kind(text)
            counts[what] += 1
            if what is not None:
                todo.append((page, number, what, text))
    # Each on a node of its own, and most of the time one that follows only waits for its end.
    with concurrent.futures.ThreadPoolExecutor(sandbox.TOGETHER) as pool:
        troubles = pool.map(lambda one: on_a_node(binary, f"http://127.0.0.1:{server.server_port}", *one[2:]), todo)
        failures.extend(f"{page.name}:{number}: {text}  {trouble}" for (page, number, _, text), trouble in zip(todo, troubles) if trouble)
    server.shutdown()
    for text in failures:
        print(f"FAILED {text}")
    print(f"{len(guides)} guides: {counts['shell']} shell texts, {counts['pipeline']} pipelines, {counts['rules']} files of rules, {counts[None]} others; {len(failures)} failures")
    sys.exit(1 if failures or not guides or not counts["shell"] else 0)


if __name__ == "__main__":
    main()
