"""What enrich --kubernetes api costs: the same chain without and with it, in one run. A stand-in for the API server knows 250 pods."""
import contextlib
import os
import pathlib
import subprocess
import tempfile
import time

import fake_api
import metrics
import rules
import weir_kit as kit

PODS = 250
IDLE_SECONDS = 10
LABELS = {"app.kubernetes.io/name": "checkout", "app.kubernetes.io/version": "1.2.3", "pod-template-hash": "5d8f7b9c6d", "tier": "backend"}


@contextlib.contextmanager
def node(tree):
    """The options for a node with the pods of `tree` and others, PODS in all."""
    api = fake_api.FakeApi()
    try:
        named = [path.name.split("_") for path in sorted(pathlib.Path(tree).iterdir())]
        named += [("other", f"pod-{number}", f"00000000-0000-4000-8000-{number:012}") for number in range(PODS - len(named))]
        for namespace, name, uid in named:
            api.put(fake_api.metadata(uid, namespace, name, LABELS, owner=("ReplicaSet", "checkout-5d8f7b9c6d")))
        with tempfile.TemporaryDirectory() as folder:
            cache = pathlib.Path(folder) / "pods"
            options = f"--kubernetes api --kube-server {api.url} --node-name node-7 --pod-cache {cache}"
            # From the first record on the pods are known.
            learner = subprocess.Popen([kit.WEIR, "enrich", *options.split()], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
            kit.wait_for(lambda: api.watches > 0, "a watch")
            learner.stdin.close()
            learner.wait()
            yield api, options
    finally:
        api.close()


def process(records, options):
    """CPU seconds of `weir enrich` alone, over JSON lines."""
    def once():
        with open(records, "rb") as lines:
            running = subprocess.Popen([kit.WEIR, "enrich", *options.split()], stdin=lines, stdout=subprocess.DEVNULL, env=kit.environment())
            _, status, usage = os.wait4(running.pid, 0)
            running.returncode = os.waitstatus_to_exitcode(status)
            if running.returncode != 0:
                raise SystemExit(f"enrich {options} ended with {running.returncode}")
            return usage.ru_utime + usage.ru_stime
    return once


def memory(report, tree, api, options):
    """Two chains that follow, beside one another."""
    with contextlib.ExitStack() as stack:
        def start(more):
            url = stack.enter_context(rules.sink())
            text = f"tail -f {tree} | enrich --level {more} | push {url}"
            running = subprocess.Popen([kit.WEIR, "run", "-c", text], env=kit.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            stack.callback(running.wait)
            stack.callback(running.terminate)
            return url, running.pid

        watches = api.watches
        chains = {"without": start(""), "with": start(options)}
        kit.wait_for(lambda: api.watches > watches, "a watch")
        lines = kit.count(kit.oracle(tree))
        for url, _ in chains.values():
            kit.wait_for(lambda: kit.sink_stats(url)["entries"] >= lines, "all lines")
        time.sleep(2)
        before = {name: metrics.switches(pid) for name, (_, pid) in chains.items()}
        time.sleep(IDLE_SECONDS)
        idle = {name: metrics.switches(pid) - before[name] for name, (_, pid) in chains.items()}
        used = {name: metrics.private(pid) for name, (_, pid) in chains.items()}
    report.figure(f"memory that {PODS} pods add (private)", (used["with"] - used["without"]) / 1e6, "MB", limit=3)
    report.figure(f"wake-ups in {IDLE_SECONDS} idle seconds that it adds", idle["with"] - idle["without"])


def run(report, tree, folder, runs):
    report.title("enrich --kubernetes api beside enrich --kubernetes path")
    records = folder / "kubernetes.jsonl"
    with open(records, "wb") as out:
        subprocess.run([kit.WEIR, "tail", str(tree), "-o", "jsonl"], check=True, stdout=out)
    small = folder / "kubernetes-pods"
    subprocess.run(["rm", "-rf", str(small)], check=True)
    subprocess.run([kit.PODGEN, str(small), "--mb", "2", "--pods", "30"], check=True, stdout=subprocess.DEVNULL)
    with node(tree) as (_, options):
        got = rules.rotate({"enrich": process(records, ""), "enrich --kubernetes": process(records, options),
                            "enrich --level": process(records, "--level"),
                            "enrich --level --kubernetes": process(records, f"--level {options}")}, runs)
        report.figure("a process, CPU with --kubernetes relative to without", got["enrich --kubernetes"] / got["enrich"], "times", limit=1.1)
        report.figure("the same with --level", got["enrich --level --kubernetes"] / got["enrich --level"], "times", limit=1.1)
        stages = [f"tail {tree}", "{enrich}", "filter --drop '|= \"/healthz\"'"]
        fused = {name: rules.fused([stage.format(enrich=f"enrich --level {more}") for stage in stages])
                 for name, more in {"fused": "", "fused --kubernetes": options}.items()}
        got = rules.rotate(fused, runs)
        report.figure("fused, CPU with --kubernetes relative to without", got["fused --kubernetes"] / got["fused"], "times", limit=1.1)
    with node(small) as (api, options):
        memory(report, small, api, options)
    records.unlink()
    subprocess.run(["rm", "-rf", str(small)], check=True)
