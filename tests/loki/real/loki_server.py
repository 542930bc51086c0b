"""A real Loki for a test: started on free ports with a folder of its own, or the one at LOKI_ADDR. And a reader of its raw HTTP API.

Without LOKI_BIN and LOKI_ADDR a test that asks for one is skipped (exit 77, which ctest shows as skipped).
"""
import collections
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

import weir_kit as kit

CONFIG = """
auth_enabled: {auth}
server:
  http_listen_address: 127.0.0.1
  http_listen_port: {http}
  grpc_listen_address: 127.0.0.1
  grpc_listen_port: {grpc}
  log_level: error
  grpc_server_max_recv_msg_size: {message}
  grpc_server_max_send_msg_size: {message}
common:
  instance_addr: 127.0.0.1
  path_prefix: {dir}
  storage: {{filesystem: {{chunks_directory: {dir}/chunks, rules_directory: {dir}/rules}}}}
  replication_factor: 1
  ring: {{kvstore: {{store: inmemory}}}}
ingester:
  lifecycler: {{min_ready_duration: 0s, final_sleep: 0s}}
schema_config:
  configs:
    - {{from: 2020-10-24, store: tsdb, object_store: filesystem, schema: v13, index: {{prefix: index_, period: 24h}}}}
query_range: {{cache_results: false}}
limits_config:
  ingestion_rate_mb: {rate}
  ingestion_burst_size_mb: {rate}
  per_stream_rate_limit: {stream_rate}
  per_stream_rate_limit_burst: {stream_rate}
  max_query_series: 5000
  {limits}
analytics: {{reporting_enabled: false}}
"""


def find_logcli():
    """The logcli in LOGCLI_BIN, or the one beside the Loki in LOKI_BIN; None, and says so, where there is none."""
    if os.environ.get("LOGCLI_BIN"):
        return os.environ["LOGCLI_BIN"]
    beside = pathlib.Path(os.environ["LOKI_BIN"]).with_name("logcli") if os.environ.get("LOKI_BIN") else None
    if beside and os.access(beside, os.X_OK):
        return str(beside)
    print("SKIPPED: no logcli to compare with (tests/run.sh --loki builds one; LOGCLI_BIN names one)", file=sys.stderr)
    return None


def free_ports(count):
    held = [socket.socket() for _ in range(count)]
    for s in held:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


class Loki:
    """`url` of a ready Loki; `own` when this object started it. `rules`: a file of rules for its ruler. `message`: the most bytes
    that one part of it sends another; Loki's default is 4 MiB."""

    def __init__(self, auth=False, limits=None, rate=1000, stream_rate=None, rules=None, message=None):
        self.own = not os.environ.get("LOKI_ADDR") or auth or limits or rules or message
        self.message = message or 100 << 20
        self.rules = rules
        self.process = self.dir = None
        if not self.own:
            self.url = os.environ["LOKI_ADDR"].rstrip("/")
            return
        binary = os.environ.get("LOKI_BIN")
        if not binary:
            print("SKIPPED: no Loki to test against (tests/run.sh --loki builds one; LOKI_BIN or LOKI_ADDR name one)", file=sys.stderr)
            sys.exit(77)
        for attempt in range(3):  # a port may be taken between choosing and listening
            if self.start(binary, auth, limits or {}, rate, stream_rate or f"{rate}MB"):
                return
            self.stop(keep=attempt == 2)
        raise AssertionError(f"Loki did not become ready: {(self.dir / 'log').read_text()[-2000:]}")

    def start(self, binary, auth, limits, rate, stream_rate):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="weir-loki-"))
        http, grpc = free_ports(2)
        self.url = f"http://127.0.0.1:{http}"
        text = CONFIG.format(auth="true" if auth else "false", http=http, grpc=grpc, dir=self.dir, rate=rate, stream_rate=stream_rate, message=self.message,
                             limits="\n  ".join(f"{k}: {v}" for k, v in limits.items()))
        (self.dir / "loki.yaml").write_text(text)
        if self.rules:
            (self.dir / "rules" / "fake").mkdir(parents=True)
            shutil.copy(self.rules, self.dir / "rules" / "fake")
        with open(self.dir / "log", "wb") as log:
            self.process = subprocess.Popen([binary, f"-config.file={self.dir}/loki.yaml"], stdout=log, stderr=log, cwd=self.dir,
                                            env=dict(os.environ, GOMAXPROCS="2"))
        deadline = time.monotonic() + max(90, kit.PATIENCE)
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if kit.get(self.url + "/ready")[0] == 200:
                    # Another suite's Loki may have taken the port.
                    return str(self.dir).encode() in kit.get(self.url + "/config")[1]
            except OSError:
                pass
            time.sleep(0.1)
        return False

    def stop(self, keep=False):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        if self.dir and not keep:
            shutil.rmtree(self.dir, ignore_errors=True)

    # ---- the raw API ------------------------------------------------------------------------------------------------

    def api(self, path, tenant=None, **parameters):
        headers = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}
        if tenant:
            headers["X-Scope-OrgID"] = tenant
        status, body = kit.get(f"{self.url}/loki/api/v1/{path}?{urllib.parse.urlencode(parameters)}", headers)
        if status != 200:
            raise AssertionError(f"{path} {parameters}: {status} {body[:500]}")
        return json.loads(body)["data"]

    def push(self, streams, tenant=None):
        """JSON push of [(labels, [(ns, line, metadata), …]), …], with nothing of weir in between. The status and answer."""
        body = {"streams": [{"stream": labels, "values": [[str(ts), line, metadata] for ts, line, metadata in rows]} for labels, rows in streams]}
        headers = {"Content-Type": "application/json"}
        if tenant:
            headers["X-Scope-OrgID"] = tenant
        return kit.get(self.url + "/loki/api/v1/push", headers, json.dumps(body).encode())

    def entries(self, query, start, end, tenant=None, limit=5000):
        """Every entry of [start, end) as (labels, ns, line, metadata), in no special order.

        Halves the time until an answer is below the limit; entries that share one nanosecond are told apart by their last byte.
        """
        found, todo = [], [(start, end, query)]
        while todo:
            a, b, q = todo.pop()
            if a >= b:
                continue
            page = []
            for stream in self.api("query_range", tenant, query=q, start=a, end=b, limit=limit, direction="forward")["result"]:
                labels = frozenset((k, v) for k, v in stream["stream"].items() if not k.startswith("__"))
                for ts, line, *rest in stream["values"]:
                    extra = rest[0].get("structuredMetadata", {}) if rest else {}
                    page.append((labels, int(ts), line, frozenset(extra.items())))
            if len(page) < limit:
                found += page
            elif b - a > 1:
                middle = (a + b) // 2
                todo += [(a, middle, q), (middle, b, q)]
            elif q == query:
                todo += [(a, b, f'{q} |~ "{digit}$"') for digit in range(10)] + [(a, b, f'{q} !~ "[0-9]$"')]
            else:
                raise AssertionError(f"{q}: more than {limit} entries at {a}")
        return found

    def flush(self):
        """Has everything written to the store; what is old is not asked of the ingester. It takes a while."""
        kit.get(self.url + "/flush", data=b"")

    def counted(self, selector, seconds, at, tenant=None):
        """sum(count_over_time()) of the `seconds` before `at` (nanoseconds)."""
        result = self.api("query", tenant, query=f"sum(count_over_time({selector}[{seconds}s]))", time=at)["result"]
        return int(float(result[0]["value"][1])) if result else 0


SERVICE = ("service", "app", "application", "app_name", "name", "app_kubernetes_io_name", "container", "container_name",
           "k8s_container_name", "component", "workload", "job", "k8s_job_name")


def as_loki_shows(labels, ns, line, metadata):
    """What a record looks like once it is in Loki: with service_name, without what weir or Loki says about the level."""
    shown = {k: v for k, v in labels.items() if v}
    shown.setdefault("service_name", next((shown[name] for name in SERVICE if shown.get(name)), "unknown_service"))
    broken = sum(0xdc80 <= ord(c) <= 0xdcff for c in line)
    if broken:  # bytes that are not UTF-8 cannot be in Loki; push says how many it replaced
        line = "".join("\ufffd" if 0xdc80 <= ord(c) <= 0xdcff else c for c in line)
        metadata = dict(metadata, weir_invalid_utf8=str(broken))
    return frozenset(shown.items()), ns, line, without_level(metadata.items())


def without_level(pairs):
    return frozenset((k, v) for k, v in pairs if k != "detected_level" and v)


def multiset(entries):
    """Entries to be compared: how often each is there, Loki's own detected_level left out."""
    return collections.Counter((labels, ns, line, without_level(metadata)) for labels, ns, line, metadata in entries)


def of_json_lines(lines):
    """Entries of weir's JSON lines."""
    return [(frozenset(r.get("labels", {}).items()), kit.nanoseconds(r["timestamp"]), r["line"], frozenset(r.get("metadata", {}).items()))
            for r in kit.records(lines)]


def differences(expected, found):
    """The first few entries of which one side has more; "" when both are the same."""
    missing, surplus = expected - found, found - expected
    if not missing and not surplus:
        return ""

    def show(entries):
        return "".join(f"\n  {n} x {sorted(e[0])} {e[1]} {e[2][:80]!r} {sorted(e[3])}" for e, n in entries.most_common(5))

    return f"{sum(missing.values())} missing:{show(missing)}\n{sum(surplus.values())} too many:{show(surplus)}"
