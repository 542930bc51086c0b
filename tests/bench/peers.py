"""weir beside tools that do a part of its work, in one run: vlagent, Promtail, logcli. run.sh builds them from their Go modules.

What each does differs. vlagent's file collector sends lines as they are in the file: it takes no time, stream or pod from them, and
drops none. Promtail is given no discovery, so its only label is the name of the file. weir finds labels and levels.
"""
import collections
import dataclasses
import hashlib
import http.server
import json
import os
import pathlib
import re
import shlex
import statistics
import subprocess
import threading
import time

import live
import measure
import weir_kit as kit

NOISE = "/healthz"
STAGES = ["enrich --level", f"filter --drop '|= \"{NOISE}\"'"]
PROMTAIL = """
server: {{disable: true}}
positions: {{filename: {dir}/positions.yaml}}
clients: [{{url: "{url}/loki/api/v1/push"}}]
scrape_configs:
  - job_name: pods
    pipeline_stages: [{{cri: {{}}}}, {{drop: {{expression: "{noise}"}}}}]
    static_configs:
      - {{targets: [localhost], labels: {{job: pods, __path__: "{tree}/*/*/*.log"}}}}
"""


class Swallower:
    """Takes requests of VictoriaLogs' protocol and answers 200."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    def __init__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/insert/native"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Sink:
    def __init__(self):
        self.process = subprocess.Popen([kit.SINK], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.url = self.process.stdout.readline().decode().strip()

    def entries(self):
        return kit.sink_stats(self.url)["entries"]

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


class Agent:
    """A tool that follows `tree` and delivers into a sink of its own. `folder` is for its files."""

    def __init__(self, tree, folder):
        self.tree, self.folder = tree, folder
        subprocess.run(["rm", "-rf", str(folder)], check=True)
        folder.mkdir(parents=True)
        self.sink = self.make_sink()
        with open(folder / "messages", "wb") as messages:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=messages, stderr=messages, env=kit.environment())

    def make_sink(self):
        return Sink()

    def delivered(self):
        return self.sink.entries()

    def check(self):
        if self.process.poll() is not None:
            raise SystemExit(f"{self.name} ended with {self.process.returncode}: {(self.folder / 'messages').read_text(errors='replace')[-2000:]}")

    def close(self):
        self.process.kill()
        self.process.wait()
        self.sink.close()


class Weir(Agent):
    name = "weir"

    def command(self):
        return [kit.WEIR, "run", "-c", " | ".join([f"tail -f {shlex.quote(str(self.tree))}", *STAGES, f"push {self.sink.url}"])]


class WeirWithSpool(Agent):
    """Survives an outage, a crash and the rotation of logs meanwhile."""
    name = "weir, with a spool"

    def command(self):
        spool = shlex.quote(str(self.folder / "spool.db"))
        return [kit.WEIR, "run", "-c",
                " | ".join([f"tail -f {shlex.quote(str(self.tree))}", *STAGES, f"buffer {spool}", f"push {self.sink.url}"])]


class Promtail(Agent):
    name = "Promtail"

    def command(self):
        config = self.folder / "promtail.yaml"
        config.write_text(PROMTAIL.format(dir=self.folder, url=self.sink.url, tree=self.tree, noise=NOISE))
        return [os.environ["PROMTAIL_BIN"], f"-config.file={config}"]


class Vlagent(Agent):
    name = "vlagent"
    figures = re.compile(r"^vlagent_remotewrite_(block_size_rows_sum|block_size_bytes_count|blocks_sent_total)\S* (\d+)$", re.M)

    def make_sink(self):
        return Swallower()

    def command(self):
        return [os.environ["VLAGENT_BIN"], f"-tmpDataPath={self.folder}/data", f"-remoteWrite.url={self.sink.url}",
                f"-fileCollector.glob={self.tree}/*/*/*.log", "-httpListenAddr=127.0.0.1:0"]

    def delivered(self):
        """Rows in blocks, once all blocks have been sent."""
        at = re.search(r"started server at (http://127\.0\.0\.1:\d+)/", (self.folder / "messages").read_text(errors="replace"))
        if not at:
            return 0
        found = {name: int(value) for name, value in self.figures.findall(kit.get(at.group(1) + "/metrics")[1].decode())}
        return found.get("block_size_rows_sum", 0) if found.get("block_size_bytes_count") == found.get("blocks_sent_total") else 0


@dataclasses.dataclass
class Lines:
    """Of a tree: all, and those that the chain does not drop."""
    all: int = 0
    kept: int = 0

    @staticmethod
    def of(files):
        lines = Lines()
        for path in files:
            with open(path, "rb") as log:
                for line in log:
                    lines.all += 1
                    lines.kept += NOISE.encode() not in line
        return lines


def wanted(agent, lines):
    return lines.all if isinstance(agent, Vlagent) else lines.kept


def wait_for(agent, lines, seconds=900):
    """Until it has delivered all. It is asked rarely, because vlagent pays for the answer."""
    def done():
        agent.check()
        return agent.delivered() >= wanted(agent, lines)

    if not kit.poll(done, seconds, pause=0.25):
        raise SystemExit(f"{agent.name} delivered {agent.delivered():,} lines of {wanted(agent, lines):,} in {seconds} s")


def median(costs):
    return dataclasses.replace(costs[0], **{field: statistics.median(getattr(cost, field) for cost in costs) for field in ("cpu", "wall", "pss", "hwm", "written")})


def batch(report, agents, tree, files, folder, runs):
    report.title(f"Peers: a tree that is there already, until all is delivered (median of {runs} runs, in turn)")
    log_bytes, lines, costs = sum(map(os.path.getsize, files)), Lines.of(files), collections.defaultdict(list)
    for _ in range(runs):
        for make in agents:
            begin, agent = time.monotonic(), make(tree, folder / "agent")
            cost = measure.Cost(agent.name)
            sampler = measure.Sampler({agent.process.pid: cost})
            try:
                wait_for(agent, lines)
                cost.wall, cost.cpu, cost.written = time.monotonic() - begin, measure.cpu(agent.process.pid), measure.written(agent.process.pid)
            finally:
                sampler.stop()
                agent.close()
            costs[agent.name].append(cost)
    middle = {name: median(some) for name, some in costs.items()}
    for cost in middle.values():
        report.cost(cost, log_bytes, "of log")
    return {name: cost.cpu / log_bytes * 1e9 for name, cost in middle.items()}, {name: cost.hwm for name, cost in middle.items()}


def at_work(report, agents, folder, seconds):
    report.title(f"Peers: {live.RATE} lines/s one by one over {live.PODS} pods, beside {live.IDLE} files that nobody writes, {seconds:.0f} s")
    tree = folder / "live"
    subprocess.run(["rm", "-rf", str(tree)], check=True)
    podgen = [kit.PODGEN, str(tree), "--pods", str(live.PODS)]
    subprocess.run([*podgen, "--rate", "1000", "--seconds", "0.05", "--idle", str(live.IDLE)], check=True, stdout=subprocess.DEVNULL)
    files = sorted(str(path) for path in tree.rglob("*.log"))
    groups, running = {"tail -q -F": live.Group([live.start(["tail", "-q", "-n", "0", "-F", *files], stdout=subprocess.DEVNULL)])}, []
    try:
        for number, make in enumerate(agents):
            running.append(make(tree, folder / f"agent-{number}"))
            groups[running[-1].name] = live.Group([running[-1].process])
        for agent in running:
            wait_for(agent, Lines.of(files))
        time.sleep(live.SETTLE)
        idle = live.over(groups, live.IDLE_SECONDS)
        # The same seed gives the same pods, so the lines go to files that are followed already.
        writer = subprocess.Popen([*podgen, "--rate", str(live.RATE), "--seconds", str(seconds + 3)], stdout=subprocess.DEVNULL)
        time.sleep(1)
        busy = live.over(groups, seconds)
        writer.wait()
        for agent in running:
            wait_for(agent, Lines.of(files))
        memory = {agent.name: measure.high_water(agent.process.pid) for agent in running}
    finally:
        groups.pop("tail -q -F").end()
        for agent in running:
            agent.close()
        subprocess.run(["rm", "-rf", str(tree)], check=True)
    for name, share in busy.items():
        report.figure(f"{name}, at work", share * 100, "% of a core")
    for name, share in idle.items():
        report.figure(f"{name}, idle", share * 100, "% of a core")
    return busy, idle, memory


def lines_of(path, run):
    """How often each line is in this output of a query, as digests."""
    found = collections.Counter()
    with open(path, "rb") as output:
        for text in output:
            record = json.loads(text)
            if "line" not in record:
                continue
            labels = record["labels"]
            key = [labels.get(name, "") for name in ("namespace", "pod", "container", "stream")]
            if labels.get("run") != run:
                raise SystemExit(f"a line that was not asked for: {record}")
            found[hashlib.blake2b(repr((key, kit.nanoseconds(record["timestamp"]), record["line"])).encode("utf-8", "surrogatepass"), digest_size=12).digest()] += 1
    return found


def read_back(report, tree, newest, folder, runs):
    import loki_server
    report.title(f"Peers: everything out of a real Loki as JSON lines (median of {runs} runs, in turn)")
    run, output = f"peers-{os.urandom(4).hex()}", folder / "read.jsonl"
    server = loki_server.Loki()
    try:
        stages = [f"tail {shlex.quote(str(tree))}", *STAGES, f"enrich --label run={run}"]
        measure.run([[kit.WEIR, "run", "-c", " | ".join(stages)]], stdout=output, env=kit.environment())
        written = lines_of(output, run)
        measure.run([[kit.WEIR, "run", "-c", " | ".join([*stages, f"push {server.url}"])]], env=kit.environment())
        end = max(time.time_ns(), newest) // 10**9 + 1
        times = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) for at in (end - 6 * 3600, end)]
        selector = f'{{run="{run}"}}'
        ways = {
            "weir query": [kit.WEIR, "query", "--addr", server.url, "-o", "jsonl", "--from", times[0], "--to", times[1], selector],
            "logcli query": [os.environ["LOGCLI_BIN"], "query", "--addr", server.url, "--quiet", "--output", "jsonl", "--include-common-labels", "--forward",
                             "--limit", "0", "--batch", "5000", "--from", times[0], "--to", times[1], selector],
        }
        costs, faults = collections.defaultdict(list), {}
        for number in range(runs):
            for name, command in ways.items():
                (cost,) = measure.run([command], [name], stdout=output, env=kit.environment(TZ="UTC"))
                costs[name].append(cost)
                if number == 0:
                    read = lines_of(output, run)
                    faults[name] = (sum((written - read).values()), sum((read - written).values()))
    finally:
        server.stop()
        output.unlink(missing_ok=True)
    middle = {name: median(some) for name, some in costs.items()}
    for name, cost in middle.items():
        report.cost(cost, sum(os.path.getsize(path) for path in pathlib.Path(tree).rglob("*.log")), "of log")
        report.figure(f"{name}: lines missing of {sum(written.values()):,}", faults[name][0])
        report.figure(f"{name}: lines too many", faults[name][1])
    report.check("weir query gives every line back, none missing, none twice", faults["weir query"] == (0, 0))
    weir, logcli = middle["weir query"], middle["logcli query"]
    report.figure("weir query: CPU for 1.2 million lines", weir.cpu / sum(written.values()) * 1.2e6, "s", limit=1.6)
    report.figure("weir query: peak memory of its own (PSS)", weir.pss / 1e6, "MB", limit=15)
    report.figure("weir query: time relative to logcli's", weir.wall / logcli.wall, "times", limit=1)
    return middle, faults, sum(written.values())


def table(heads, rows):
    print("\n| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def run(report, tree, files, newest, folder, seconds, runs):
    """The figures, and at the end the tables for the README. What has no program is left out, aloud."""
    folder = pathlib.Path(folder).resolve() / "peers"
    agents = [Weir, WeirWithSpool]
    for make, variable in (Vlagent, "VLAGENT_BIN"), (Promtail, "PROMTAIL_BIN"):
        if os.environ.get(variable):
            agents.append(make)
        else:
            print(f"\nSKIPPED: {make.name} ({variable} names one; run.sh builds it where there is Go)")
    cpu, peak = batch(report, agents, pathlib.Path(tree).resolve(), files, folder, runs)
    busy, idle, memory = at_work(report, agents, folder, seconds)
    for name in cpu:
        if name not in (Weir.name, WeirWithSpool.name):
            report.figure(f"{name}, CPU for a GB relative to weir", cpu[name] / cpu["weir"], "times", at_least=1)
            report.figure(f"{name}, CPU at work relative to weir", busy[name] / busy["weir"], "times", at_least=1)
    answers = None
    if os.environ.get("LOGCLI_BIN") and (os.environ.get("LOKI_BIN") or os.environ.get("LOKI_ADDR")):
        answers = read_back(report, tree, newest, folder, runs)
    else:
        print("\nSKIPPED: logcli (LOGCLI_BIN names one; and LOKI_BIN or LOKI_ADDR a Loki)")
    tail = busy["tail -q -F"]
    table(["", "CPU s/GB", "peak RSS", f"CPU at {live.RATE} lines/s", "CPU idle", "RSS live"],
          [[name, f"{cpu[name]:.2f} ({cpu[name] / cpu['weir']:.1f} ×)", f"{peak[name] / 1e6:.0f} MB", f"{busy[name] / tail:.2f} × tail -q -F",
            f"{idle[name] * 100:.2f} %", f"{memory[name] / 1e6:.0f} MB"] for name in cpu])
    if answers:
        costs, faults, count = answers
        table(["", "CPU", "time", "peak RSS", f"missing of {count:,}", "too many"],
              [[name, f"{cost.cpu:.2f} s", f"{cost.wall:.1f} s", f"{cost.hwm / 1e6:.0f} MB", *map(str, faults[name])] for name, cost in costs.items()])
    subprocess.run(["rm", "-rf", str(folder)], check=True)
