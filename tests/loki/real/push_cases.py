"""Push requests with and without faults, as (name, path, headers, body): what a Loki and `weir serve` are to answer alike.

Bodies are made here byte by byte: protobuf and snappy have no library in the tests.
"""
import gzip
import json
import time
import zlib

PUSH, LEGACY = "/loki/api/v1/push", "/api/prom/push"
JSON, PROTOBUF = "application/json", "application/x-protobuf"


def varint(value):
    out = b""
    value &= (1 << 64) - 1
    while value > 0x7f:
        out += bytes([value & 0x7f | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def entry(ns, line, metadata=(), nanos=None):
    body = field(1, field(1, ns // 10**9) + field(2, ns % 10**9 if nanos is None else nanos)) + field(2, line)
    for name, value in metadata:
        body += field(3, field(1, name) + field(2, value))
    return body


def request(*streams):
    """The protobuf of [(labels, [entry, …]), …]."""
    return b"".join(field(1, field(1, labels) + b"".join(field(2, e) for e in entries)) for labels, entries in streams)


def snappy(data):
    """A snappy block of literals only."""
    out = varint(len(data))
    for at in range(0, len(data), 65536):
        piece = data[at:at + 65536]
        out += bytes([61 << 2]) + (len(piece) - 1).to_bytes(2, "little") + piece
    return out


def deflate(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


NOW = time.time_ns() // 10**9 * 10**9  # Loki checks times against its clock


def cases():
    now = NOW
    old, new = now - 8 * 24 * 3600 * 10**9, now + 3600 * 10**9
    found = []

    def add(name, body, kind=JSON, path=PUSH, **headers):
        if kind is not None:
            headers["Content-Type"] = kind
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        found.append((name, path, headers, body if isinstance(body, bytes) else body.encode()))

    def streams(labels, *values):
        return json.dumps({"streams": [{"stream": labels, "values": list(values)}]})

    def pb(name, *all_streams, **more):
        add(name, snappy(request(*all_streams)), PROTOBUF, **more)

    ts = str(now)
    good = streams({"app": "a"}, [ts, "line"])
    good_pb = request(('{app="b"}', [entry(now, "line")]))
    # What is fine.
    add("json", good)
    add("json with a charset", good, "application/json; charset=utf-8")
    add("json in capitals", good, "Application/JSON")
    add("json, gzip", gzip.compress(good.encode()), Content_Encoding="gzip")
    add("json, deflate", deflate(good.encode()), Content_Encoding="deflate")
    add("json that calls itself snappy", good, Content_Encoding="snappy")
    add("protobuf", snappy(good_pb), PROTOBUF)
    add("protobuf, gzip around snappy", gzip.compress(snappy(good_pb)), PROTOBUF, Content_Encoding="gzip")
    add("protobuf that calls itself snappy", snappy(good_pb), PROTOBUF, Content_Encoding="snappy")
    add("protobuf as text/plain", snappy(good_pb), "text/plain")
    add("legacy json", json.dumps({"streams": [{"labels": '{app="c"}', "entries": [
        {"ts": time.strftime("%Y-%m-%dT%H:%M:%S.5Z", time.gmtime(now // 10**9)), "line": "x"}]}]}), path=LEGACY)
    add("protobuf at the legacy path", snappy(good_pb), PROTOBUF, path=LEGACY)
    add("json with metadata", streams({"app": "d"}, [ts, "line", {"trace_id": "1", "b": "2"}]))
    add("json without a line", streams({"app": "d"}, [ts]))
    add("json with a fourth element", streams({"app": "d"}, [ts, "line", {}, 7]))
    add("json with a null entry", streams({"app": "d"}, None, [ts, "line"]))
    add("json with null values", '{"streams":[{"stream":{"app":"d"},"values":null}]}')
    add("json with unknown members", '{"x":[1,{"y":2}],"streams":[{"stream":{"app":"d"},"z":null,"values":[["%s","l"]]}]}' % ts)
    add("json with a key twice", '{"streams":[{"stream":{"app":"d","app":"e"},"values":[["%s","l"]]}]}' % ts)
    add("json, no labels", streams({}, [ts, "line"]))
    add("json, an empty label value", streams({"app": "d", "x": ""}, [ts, "line"]))
    add("json, a value with quotes", streams({"app": 'd"\n\\'}, [ts, "line"]))
    pb("labels in another order, a trailing comma", ("{ b='2' , app=`d`, }", [entry(now, "line")]))
    pb("a stream without entries beside one with", ('{app="d"}', []), ('{app="e"}', [entry(now, "line")]))
    pb("a line that is not UTF-8", ('{app="d"}', [entry(now, b"\xff\xfe")]))
    pb("metadata that is normalised", ('{app="d"}', [entry(now, "line", [("a.b", "1"), ("1x", "2"), ("a..b", "3"), ("e", "")])]))
    pb("duplicate metadata", ('{app="d"}', [entry(now, "line", [("a", "1"), ("a", "2")])]))
    # Requests of which nothing is taken.
    add("no content type", good, None)
    add("a content type that is none", good, "/")
    add("content type of one word", good, "json")
    add("an encoding nobody knows", good, Content_Encoding="zstd")
    add("two encodings", good, Content_Encoding="gzip, snappy")
    add("gzip that is none", good, Content_Encoding="gzip")
    add("gzip cut short", gzip.compress(good.encode() * 50)[:40], Content_Encoding="gzip")
    add("deflate that is none", b"\xff\xff\xff\xff", Content_Encoding="deflate")
    add("snappy that is none", b"\xff\xff\xff\xff\xff\xff", PROTOBUF)
    add("snappy with a wrong length", varint(100) + snappy(good_pb)[1:], PROTOBUF)
    add("snappy cut short", snappy(good_pb)[:-5], PROTOBUF)
    add("json as protobuf", good, PROTOBUF)
    add("an empty body as protobuf", b"", PROTOBUF)
    add("protobuf cut short", snappy(good_pb[:-3]), PROTOBUF)
    add("protobuf with a wrong wire type", snappy(b"\x08\x01"), PROTOBUF)
    add("protobuf with a group", snappy(b"\x0b"), PROTOBUF)
    add("an empty body", b"")
    add("no json", "hello")
    add("json cut short", good[:-10])
    add("json: an array", "[]")
    add("json: null", "null")
    add("no streams", '{"streams":[]}')
    add("no member streams", "{}")
    add("streams is no array", '{"streams":{}}')
    add("protobuf without streams", snappy(b""), PROTOBUF)
    add("only a stream without values", '{"streams":[{"stream":{"app":"d"},"values":[]}]}')
    add("time as a number", '{"streams":[{"stream":{"app":"d"},"values":[[%s,"l"]]}]}' % ts)
    add("time that is no number", streams({"app": "d"}, ["x", "line"]))
    add("time empty", streams({"app": "d"}, ["", "line"]))
    add("time with a zero in front", streams({"app": "d"}, ["0" + ts, "line"]))
    add("time beyond 64 bits", streams({"app": "d"}, ["9" * 20, "line"]))
    add("time as a float", streams({"app": "d"}, ["1.5", "line"]))
    add("line that is no string", '{"streams":[{"stream":{"app":"d"},"values":[["%s",7]]}]}' % ts)
    add("metadata that is a number", streams({"app": "d"}, [ts, "line", {"a": 1}]))
    add("metadata that is null", streams({"app": "d"}, [ts, "line", None]))
    add("metadata that is an array", streams({"app": "d"}, [ts, "line", ["a"]]))
    add("an entry that is no array", streams({"app": "d"}, {"ts": ts}))
    add("a label that is a number", '{"streams":[{"stream":{"app":1},"values":[["%s","l"]]}]}' % ts)
    add("a label name with a dot", streams({"a.b": "x"}, [ts, "line"]))
    add("an empty label name", streams({"": "x"}, [ts, "line"]))
    pb("labels without braces", ('app="x"', [entry(now, "line")]))
    pb("labels not closed", ('{app="x"', [entry(now, "line")]))
    pb("labels with a regular expression", ('{app=~"x"}', [entry(now, "line")]))
    pb("labels without quotes", ("{app=x}", [entry(now, "line")]))
    pb("labels that are empty", ("", [entry(now, "line")]))
    pb("a bad escape in labels", ('{app="\\q"}', [entry(now, "line")]))
    pb("a label twice", ('{app="x",app="y"}', [entry(now, "line")]))
    pb("time beyond its range", ('{app="d"}', [entry(now, "line", nanos=10**9)]))
    pb("metadata of underscores", ('{app="d"}', [entry(now, "line", [("__", "1")])]))
    pb("metadata without a name", ('{app="d"}', [entry(now, "line", [("", "1")])]))
    add("legacy json with labels that are none", json.dumps({"streams": [{"labels": "x", "entries": [{"ts": "2026-01-01T00:00:00Z", "line": "x"}]}]}), path=LEGACY)
    add("legacy json with a bad time", json.dumps({"streams": [{"labels": '{a="x"}', "entries": [{"ts": "yesterday", "line": "x"}]}]}), path=LEGACY)
    # Requests of which the rest is taken.
    add("a line too long", streams({"app": "d"}, [ts, "x" * 262145], [ts, "fine"]))
    add("two lines too long", streams({"app": "d"}, [ts, "x" * 262145], [ts, "x" * 262145]))
    add("a line as long as may be", streams({"app": "d"}, [ts, "x" * 262144]))
    add("sixteen labels", streams({f"l{i:02}": "v" for i in range(16)}, [ts, "line"]))
    add("fifteen labels", streams({f"l{i:02}": "v" for i in range(15)}, [ts, "line"]))
    add("a label name too long", streams({"n" * 1025: "v"}, [ts, "line"]))
    add("a label value too long", streams({"app": "v" * 2049}, [ts, "line"]))
    add("metadata too large", streams({"app": "d"}, [ts, "line", {"m": "v" * 65536}]))
    add("too many metadata", streams({"app": "d"}, [ts, "line", {f"m{i}": "v" for i in range(129)}]))
    add("too old", streams({"app": "d"}, [str(old), "line"], [ts, "fine"]))
    add("three too old", streams({"app": "d"}, *[[str(old), f"line{i}"] for i in range(3)]))
    add("too new", streams({"app": "d"}, [str(new), "line"]))
    add("an entry without anything", streams({"app": "d"}, []))
    add("a stream of two has too many labels", json.dumps({"streams": [
        {"stream": {f"l{i:02}": "v" for i in range(16)}, "values": [[ts, "line"]]}, {"stream": {"app": "d"}, "values": [[ts, "fine"]]}]}))
    return found
