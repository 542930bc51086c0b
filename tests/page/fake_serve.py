"""A small stand-in for `weir serve`: the page's files, and what the page asks, over records in memory.

It knows as much of LogQL as the tests of the page need: a selector with = != =~ !~, line filters, `| json`, `| logfmt`, and comparisons of
fields with = and !=. Anything else is answered as a parse error, with its place. Run it by hand to look at the page:

    python3 tests/page/fake_serve.py [PORT]
"""
import base64
import hashlib
import http.server
import json
import mimetypes
import os
import pathlib
import random
import re
import struct
import sys
import threading
import time
import urllib.parse

import embedded

PAGE = pathlib.Path(__file__).resolve().parents[2] / "lib/serve/page"
# What the program serves, where the build says it; otherwise the files of the tree, to look at while they change.
FILES = embedded.page_files(os.environ["WEIR_PAGE_FILES"]) if "WEIR_PAGE_FILES" in os.environ else {p.name: p.read_bytes() for p in PAGE.iterdir()}
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; "
          "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'")
TOKEN = re.compile(r'\s*("(?:\\.|[^"\\])*"|`[^`]*`|=~|!~|!=|\|=|\|~|[{}(),|=]|[\w.:-]+|\S)')


def rfc3339(ns):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ns // NS)) + f".{ns % NS:09}Z"


class QueryError(Exception):
    def __init__(self, message, column):
        super().__init__(message)
        self.column = column


class Query:
    """A log query: matches(record) says whether it takes the record, and fills in record-independent `parsed` fields."""

    def __init__(self, text):
        self.tokens = [(m.group(1), m.start(1) + 1) for m in TOKEN.finditer(text)]
        self.end = len(text) + 1
        self.matchers, self.stages = [], []
        if not self.tokens:
            raise QueryError("syntax error: unexpected $end", 1)
        if self.peek() not in ("|", "|=", "!=", "|~", "!~"):  # the selector may be left out
            self.selector()
        while self.tokens:
            self.stage()

    def selector(self):
        self.expect("{")
        while self.peek() != "}":
            self.matchers.append((self.word(), self.one_of("=", "!=", "=~", "!~"), self.string()))
            if self.peek() == ",":
                self.tokens.pop(0)
        self.expect("}")

    def peek(self):
        return self.tokens[0][0] if self.tokens else ""

    def fail(self):
        text, column = self.tokens[0] if self.tokens else ("$end", self.end)
        raise QueryError(f"syntax error: unexpected {text}", column)

    def one_of(self, *texts):
        if self.peek() not in texts:
            self.fail()
        return self.tokens.pop(0)[0]

    expect = one_of

    def word(self):
        if not re.fullmatch(r"[A-Za-z_]\w*", self.peek()):
            self.fail()
        return self.tokens.pop(0)[0]

    def string(self):
        if self.peek()[:1] not in ('"', "`"):
            self.fail()
        text = self.tokens.pop(0)[0]
        return text[1:-1] if text[0] == "`" else json.loads(text)

    def stage(self):
        operator = self.one_of("|", "|=", "!=", "|~", "!~")
        if operator != "|":
            self.stages.append((operator, self.string()))
            return
        name = self.word()
        if name in ("json", "logfmt"):
            self.stages.append((name, ""))
        else:
            self.stages.append(("field" + self.one_of("=", "!="), (name, self.string())))

    def run(self, record):
        """The parsed fields of a record that passes, otherwise None."""
        for name, operator, value in self.matchers:
            have = record["labels"].get(name, "")
            same = have == value if operator in ("=", "!=") else re.fullmatch(value, have) is not None
            if same == operator.startswith("!"):
                return None
        parsed = {}
        for kind, value in self.stages:
            line = record["line"]
            if kind in ("|=", "!=") and (value in line) == (kind == "!="):
                return None
            if kind in ("|~", "!~") and (re.search(value, line) is not None) == (kind == "!~"):
                return None
            if kind == "json":
                try:
                    parsed.update({k: v if isinstance(v, str) else json.dumps(v) for k, v in json.loads(line).items()})
                except (ValueError, AttributeError):
                    parsed["__error__"] = "JSONParserErr"
            if kind == "logfmt":
                parsed.update(re.findall(r"(\w+)=(\S+)", line))
            if kind.startswith("field"):
                have = {**record["labels"], **record["metadata"], **parsed}.get(value[0], "")
                if value[0] == "detected_level":
                    have = record["level"]
                if (have == value[1]) == (kind == "field!="):
                    return None
        return parsed


class Store:
    """Records in the order of time: {ts, labels, line, metadata, level}."""

    def __init__(self, records=(), tenants=None):
        self.tenants = {"": sorted(records, key=lambda r: r["ts"]), **(tenants or {})}
        self.changed = threading.Condition()
        self.requests = []  # (path, parameters, headers)
        self.go_on = threading.Event()  # until it is set, the histogram of a view waits
        self.go_on.set()
        self.broken = None  # an error that views end with
        self.broken_labels = None  # an error in place of labels
        self.sockets = True  # whether a WebSocket can be had
        self.status = {}     # what the status has in place of what it usually has

    def records(self, tenant=""):
        return self.tenants.get(tenant, [])

    def add(self, *records, tenant=""):
        with self.changed:
            self.tenants[tenant].extend(records)
            self.changed.notify_all()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store = None
    MUTED = True

    def log_message(self, *args):
        pass

    def send(self, status, body, kind="application/json", headers=()):
        body = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), ("X-Content-Type-Options", "nosniff"), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def piece(self, *objects):
        data = "".join(json.dumps(o) + "\n" for o in objects).encode()
        if data:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        given = dict(urllib.parse.parse_qsl(url.query))
        tenant = self.headers.get("X-Scope-OrgID", "")
        self.store.requests.append((url.path, given, dict(self.headers)))
        try:
            self.answer(url.path, given, tenant)
        except QueryError as error:
            self.send(400, {"type": "error", "message": str(error), "line": 1, "col": error.column, "hint": "Write a selector first."})
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def answer(self, path, given, tenant):
        records = self.store.records(tenant)
        if path == "/" or path.startswith("/page/"):
            name = "index.html" if path == "/" else path[6:]
            if name not in FILES:
                return self.send(404, "404 page not found\n", "text/plain")
            kind = "text/javascript" if name.endswith(".js") else mimetypes.guess_type(name)[0]
            return self.send(200, FILES[name], kind, (("Content-Security-Policy", POLICY), ("Cache-Control", "no-cache")))
        if path == "/loki/api/v1/labels" and self.store.broken_labels:
            return self.send(400, self.store.broken_labels, "text/plain")
        if path == "/loki/api/v1/labels":
            return self.send(200, {"status": "success", "data": sorted({n for r in records for n in r["labels"]})})
        if match := re.fullmatch("/loki/api/v1/label/([^/]+)/values", path):
            query = Query(given.get("query", "") or "{}")
            values = {r["labels"].get(match.group(1)) for r in records if query.run(r) is not None} - {None}
            return self.send(200, {"status": "success", "data": sorted(values)})
        if path == "/loki/api/v1/query_range":
            return self.metric(given, records)
        if path == "/weir/api/v1/tail" and self.store.sockets:
            return self.tail(given, given.get("tenant", ""))
        if path == "/weir/api/v1/status":
            first, last = (records[0], records[-1]) if records else ({"ts": 0}, {"ts": 0})
            return self.send(200, {"bytes": 1234567, "records": len(records), "oldest": rfc3339(first["ts"]), "newest": rfc3339(last["ts"]), "streams": 4,
                                   "undelivered": 17, "writer": {"pid": 7, "command": "weir run"}, "version": "0.1.0", "read_only": True,
                                   "max_size": None, "consumers": [{"name": "push", "behind": 17, "connected": True}], "tenants": sorted(self.store.tenants),
                                   "spool": "/var/lib/weir/logs.db", "line_bytes": 12345, "held": 0, "rejected": 0, **self.store.status})
        if path == "/weir/api/v1/view":
            return self.view(given, records)
        if path == "/weir/api/v1/context":
            return self.context(given, records)
        return self.send(404, "404 page not found\n", "text/plain")

    @staticmethod
    def matching(query, given, records):
        start, end = int(given.get("start", 0)), int(given.get("end", 1 << 63))
        for record in records:
            if start <= record["ts"] < end and (parsed := query.run(record)) is not None:
                yield record, parsed

    @staticmethod
    def line(record, parsed, number):
        found = {"type": "line", "s": number, "ts": str(record["ts"]), "line": record["line"], "level": record["level"]}
        if record["metadata"]:
            found["metadata"] = record["metadata"]
        if parsed:
            found["parsed"] = parsed
        return found

    def view(self, given, records):
        query = Query(given["query"])
        found = sorted(self.matching(query, given, records), key=lambda one: one[0]["ts"])
        limit, buckets = int(given.get("limit", 100)), int(given.get("buckets", 0))
        chosen = found[:limit] if given.get("direction") == "forward" else found[::-1][:limit]
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        numbers, out = {}, []
        for record, parsed in chosen:
            key = json.dumps(record["labels"])
            if key not in numbers:
                numbers[key] = len(numbers)
                out.append({"type": "stream", "id": numbers[key], "labels": record["labels"]})
            out.append(self.line(record, parsed, numbers[key]))
            if len(out) >= 500:
                self.piece(*out)
                out = []
        self.piece(*out)
        if self.store.broken:
            self.piece({"type": "error", "message": self.store.broken})
        else:
            self.piece({"type": "progress", "done": 1, "all": 2})
            if buckets and found:
                self.store.go_on.wait()
                first, last = int(given.get("start", found[0][0]["ts"])), min(int(given["end"]), found[-1][0]["ts"] + 1)
                step = max(1, -(-(last - first) // buckets))
                levels = {}
                for record, _ in found:
                    counts = levels.setdefault(record["level"], {})
                    counts[(record["ts"] - first) // step] = counts.get((record["ts"] - first) // step, 0) + 1
                self.piece({"type": "histogram", "start": str(first), "step_ns": step, "buckets": {k: sorted(v.items()) for k, v in levels.items()}})
            self.piece({"type": "end", "lines": len(chosen), "more": len(found) > limit, "why": "limit" if len(found) > limit else ""})
        self.wfile.write(b"0\r\n\r\n")

    def context(self, given, records):
        labels, ts = json.loads(given["stream"]), int(given["ts"])
        query = Query("{} " + given.get("query", ""))
        log = [self.line(r, {}, 0) for r in records if r["labels"] == labels and query.run(r) is not None]
        before, after = [r for r in log if int(r["ts"]) < ts], [r for r in log if int(r["ts"]) >= ts]
        return self.send(200, {"labels": labels, "before": before[-int(given["before"]):], "after": after[:int(given["after"])],
                               "more_before": len(before) > int(given["before"]), "more_after": len(after) > int(given["after"])})

    def metric(self, given, records):
        match = re.fullmatch(r"(?:sum by \((\w+)\) )?\(?count_over_time\((\{.*\}.*)\[(\d+)s\]\)\)?", given["query"])
        if not match:
            return self.send(400, "parse error at line 1, col 5: syntax error: unexpected IDENTIFIER", "text/plain")
        by, query, window = match.group(1), Query(match.group(2)), int(match.group(3))
        start, end, step = float(given["start"]) / 1e9, float(given["end"]) / 1e9, float(given["step"])
        series = {}
        for record in records:
            if query.run(record) is None:
                continue
            name = record["level"] if by == "level" else record["labels"].get(by or "", "")
            points = series.setdefault(name, {})
            i = max(0, int((record["ts"] / 1e9 - start) // step) + 1)
            while start + i * step < record["ts"] / 1e9 + window and start + i * step <= end:
                points[start + i * step] = points.get(start + i * step, 0) + 1
                i += 1
        result = [{"metric": {by: name} if by else {}, "values": [[t, str(v)] for t, v in sorted(points.items())]} for name, points in sorted(series.items())]
        return self.send(200, {"status": "success", "data": {"resultType": "matrix", "result": result}})

    @staticmethod
    def tail_entry(record, parsed):
        about = {"level": record["level"], **({"structuredMetadata": record["metadata"]} if record["metadata"] else {}), **({"parsed": parsed} if parsed else {})}
        return {"stream": record["labels"], "values": [[str(record["ts"]), record["line"], about]]}

    def tail(self, given, tenant):
        key = base64.b64encode(hashlib.sha1((self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        self.send_response(101)
        for name, value in (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", key)):
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        query, told = Query(given["query"]), 0
        while not getattr(self.server, "ending", False):
            with self.store.changed:
                records = self.store.records(tenant)
                if told == len(records):
                    self.store.changed.wait(0.5)
                fresh, told = records[told:], len(records)
            streams = [self.tail_entry(*found) for found in self.matching(query, given, fresh)]
            given = {}  # what comes from now on may be late
            for i in range(0, len(streams), 100):
                data = json.dumps({"streams": streams[i:i + 100], "encodingFlags": ["categorize-labels"]}).encode()
                size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + struct.pack(">H", len(data)) if len(data) < 65536 else b"\x7f" + struct.pack(">Q", len(data))
                self.wfile.write(b"\x81" + size + data)


class Fake:
    """The server on a free port, until stop()."""

    def __init__(self, store, port=0):
        self.store = store
        handler = type("FakeHandler", (Handler,), {"store": store})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        self.server.ending = True
        self.server.shutdown()
        self.server.server_close()


NS = 1_000_000_000
START = 1_790_000_000 * NS  # 2026-09-21T14:13:20Z


def record(ts, line, level="info", labels=None, **metadata):
    return {"ts": ts, "line": line, "level": level, "metadata": metadata,
            "labels": labels or {"namespace": "shop", "app": "checkout", "pod": "checkout-7d9f-x2x", "container": "web"}}


def pod(name, app=None, namespace="shop"):
    return {"namespace": namespace, "app": app or name.split("-")[0], "pod": name, "container": "main", "service_name": app or name.split("-")[0]}


JAVA = ["java.lang.IllegalStateException: cart is empty", "\tat shop.Cart.total(Cart.java:41)", "\tat shop.Checkout.pay(Checkout.java:112)",
        "\tat java.base/java.lang.Thread.run(Thread.java:840)", "Caused by: java.io.IOException: broken pipe", "\tat shop.Net.write(Net.java:7)",
        "\t... 12 more"]


def shop(count=1000, seed=1, until=START + 3600 * NS):
    """Records of a small shop over an hour: four pods, all levels, JSON, traces."""
    chance = random.Random(seed)
    pods = [pod("checkout-7d9f-x2x"), pod("checkout-7d9f-k8s"), pod("nginx-5b6c-aaa"), pod("coredns-88d-bbb", namespace="kube-system")]
    out, at = [], until - 3600 * NS
    while len(out) < count:
        at = min(until, at + int(chance.random() * 2 * 3600 * NS / count))
        where = pods[chance.randrange(4)]
        n = len(out)
        if chance.random() < 0.004:
            out += [record(at + i * 1000, line, "error", where) for i, line in enumerate(JAVA)]
        elif where["app"] == "checkout":
            level = chance.choices(["info", "debug", "warn", "error"], [70, 20, 7, 3])[0]
            text = {"info": "order placed", "debug": "cache hit", "warn": "payment is slow", "error": "payment refused"}[level]
            out.append(record(at, json.dumps({"level": level, "msg": text, "order": n, "ms": chance.randrange(900), "user": {"id": n % 97, "plan": "pro"}}),
                              level, where, trace_id=f"{n:032x}"))
        elif where["app"] == "nginx":
            code = chance.choices([200, 304, 404, 502], [80, 12, 6, 2])[0]
            out.append(record(at, f'10.1.2.{n % 250} - - "GET /products/{n} HTTP/1.1" {code} {chance.randrange(5000)} "-" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"',
                              "error" if code == 502 else "info", where))
        else:
            out.append(record(at, f'[INFO] 10.1.2.{n % 250}:51234 - {n} "A IN shop.svc.cluster.local. udp 54 false 512" NOERROR qr,aa,rd 106 0.0001s', "info", where))
    return out[:count]


def hostile():
    """Lines that a page must only ever show."""
    lines = ["<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>", "&lt;b&gt; <b>bold</b> </article>", "NUL:\0 BEL:\a DEL:\x7f C1:\x9b",
             "bidi \u202egnp.exe\u202c \u2066x\u2069 end", "\x1b[31mred\x1b[0m plain \x1b[1;32mgreen\x1b[0m \x1b]0;title\x07", "zero\u200bwidth \ufeff bom",
             "x" * 1_000_000 + "the end", "\u0627\u0644\u0633\u0644\u0627\u0645 \u4f60\u597d \U0001f600 e\u0301", '{"msg": "<i>json</i>", "__proto__": {"x": 1}, "a\\u0000b": "\\u202e"}',
             "", "   leading and trailing   ", "javascript:alert(1) http://example.com/", "first\nsecond\nthird"]
    labels = {"app": "<b>app</b>", "pod": '"><img src=x onerror=window.hacked=3>'}
    return [record(START + i * NS, line, "<i>level</i>" if i == 0 else "info", labels, evil="<script>window.hacked=4</script>") for i, line in enumerate(lines)]


if __name__ == "__main__":
    now = time.time_ns()
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    serve = Fake(Store(shop(int(sys.argv[2]) if len(sys.argv) > 2 else 3000, until=now)), port)
    print(serve.url, flush=True)
    while True:
        time.sleep(1)  # how often new lines come; nothing is waited for
        serve.store.add(*shop(3, seed=time.time_ns(), until=time.time_ns()))
