"""A proxy in front of a Loki that misbehaves when told to, and remembers what passed through it.

A behaviour holds from the moment it is set until the next one:

  up                       everything passes
  refuse                   nothing listens; connections that are open are reset
  hang                     requests are read, nothing is stored, nobody is answered
  mute                     requests are stored, nobody is answered
  reset-before             the connection is reset once the request was read, nothing is stored
  reset-after              stored, then reset: the answer is lost
  slow SECONDS             passes after so long
  status CODE [RETRY_AFTER] answered so, nothing is stored

And behaviours that meddle with pushes, counted from the moment that they are set; everything else passes:

  drop EVERY               every such push is answered 204 and not passed on
  twice EVERY              every such push is passed on twice
  late SECONDS             a push is passed on after so long
  truncate EVERY BYTES     the lines of every such push are cut to so many bytes
  relabel NAME VALUE       the label NAME of every stream becomes VALUE
  unmeta                   the metadata of every record is taken away

The journal tells of every push what became of it, so that a repeat can be laid at somebody's door.
"""
import contextlib
import dataclasses
import http.client
import re
import socket
import struct
import threading
import time
import urllib.parse

HEAD = 64 << 10
MEDDLING = ("drop", "twice", "late", "truncate", "relabel", "unmeta")
TEXTS = {400: "the gateway does not like this request", 401: "no org id", 404: "404 page not found", 429: "too many requests",
         500: "internal error", 503: "service unavailable"}


@dataclasses.dataclass
class Push:
    """One request that came whole."""
    at: float                  # when it had come, time.monotonic()
    behaviour: str
    body: bytes
    stored: bool = False       # Loki said 2xx
    status: int = 0            # Loki's, or our own answer
    answer: str = ""           # what was wrong with it, if anything
    answered: float = 0.0      # when the answer had gone out whole; 0: never
    stored_at: float = 0.0


class Gone(Exception):
    """The client, or the request, is no more."""


class Proxy:
    """`url` passes to `target` (a Loki's base URL). Thread safe. A journal without bodies when `keep_bodies` is False."""

    def __init__(self, target, keep_bodies=True):
        self.target = urllib.parse.urlsplit(target)
        self.keep_bodies = keep_bodies
        self.journal = []
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        self.behaviour = ("up",)
        self.pushes = 0  # since it was set
        self.connections = set()
        self.closed = False
        # Holds the port while nothing listens on it, so that it stays ours and connections to it are refused.
        self.holder = self.bound(0)
        self.port = self.holder.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.listener = None
        self.listen()

    @staticmethod
    def bound(port):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.bind(("127.0.0.1", port))
        return s

    def set(self, *behaviour):
        """("up",), ("slow", 0.5), ("status", 429, 3), …"""
        with self.lock:
            self.behaviour = behaviour
            self.pushes = 0
            self.changed.notify_all()
            refuse = behaviour[0] == "refuse"
            victims = list(self.connections) if refuse else []
        if refuse:
            self.stop_listening()
            for connection in victims:
                cut(connection)
        elif self.listener is None:
            self.listen()

    def close(self):
        with self.lock:
            self.closed = True
            self.behaviour = ("up",)
            self.changed.notify_all()
            victims = list(self.connections)
        self.stop_listening()
        for connection in victims:
            cut(connection)
        self.holder.close()

    def listen(self):
        self.listener = self.bound(self.port)
        self.listener.listen(64)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def stop_listening(self):
        if self.listener is not None:
            with contextlib.suppress(OSError):
                self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
            self.listener.close()
            self.listener = None

    def accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.connections.add(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        upstream = http.client.HTTPConnection(self.target.hostname, self.target.port, timeout=60)
        try:
            pending = b""
            while True:
                head, pending = read_until(connection, pending, b"\r\n\r\n")
                request, headers = parse_head(head)
                if headers.get("expect", "").lower() == "100-continue":
                    connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                body, pending = read_exactly(connection, pending, int(headers.get("content-length", "0")))
                self.one(connection, upstream, request, headers, body)
        except (Gone, OSError):
            pass
        finally:
            upstream.close()
            with self.lock:
                self.connections.discard(connection)
            with contextlib.suppress(OSError):
                connection.close()

    def one(self, connection, upstream, request, headers, body):
        with self.lock:
            behaviour = self.behaviour
            push = Push(time.monotonic(), " ".join(map(str, behaviour)), body if self.keep_bodies else b"")
            self.journal.append(push)
        kind = behaviour[0]
        if kind == "hang":
            self.wait_for_another(behaviour)
            raise Gone
        if kind in ("reset-before", "refuse"):
            reset(connection)
            raise Gone
        if kind == "status":
            status, retry_after = behaviour[1], behaviour[2] if len(behaviour) > 2 else None
            push.status = status
            answer(connection, status, TEXTS.get(status, "no").encode() + b"\n", {"Retry-After": str(retry_after)} if retry_after is not None else {})
            push.answered = time.monotonic()
            return
        if kind == "slow":
            time.sleep(behaviour[1])
        if kind in MEDDLING and request[0] == "POST" and request[1].split("?")[0].endswith("/push"):
            with self.lock:
                self.pushes += 1
                mine = kind in ("late", "relabel", "unmeta") or self.pushes % behaviour[1] == 0
            if mine and kind == "drop":
                push.status, push.answered = 204, time.monotonic()
                answer(connection, 204, b"", {})
                return
            if mine and kind == "late":
                time.sleep(behaviour[1])
            if mine and kind == "twice":
                self.forward(upstream, request, headers, body)
            if mine and kind in ("truncate", "relabel", "unmeta"):
                body = changed_push(body, *behaviour)
        status, text, reply = self.forward(upstream, request, headers, body)
        push.status, push.stored, push.stored_at = status, status // 100 == 2, time.monotonic()
        push.answer = text.decode(errors="replace")[:300] if status // 100 != 2 else ""
        if kind == "mute":
            self.wait_for_another(behaviour)
            raise Gone
        if kind == "reset-after":
            reset(connection)
            raise Gone
        if peer_closed(connection):
            raise Gone
        answer(connection, status, text, reply)
        push.answered = time.monotonic()

    def wait_for_another(self, behaviour):
        with self.lock:
            self.changed.wait_for(lambda: self.behaviour is not behaviour)

    @staticmethod
    def forward(upstream, request, headers, body):
        method, path = request
        kept = {k: v for k, v in headers.items() if k not in ("host", "connection", "expect", "content-length")}
        for attempt in range(2):
            try:
                upstream.request(method, path, body=body, headers=kept)
                response = upstream.getresponse()
                text = response.read()
                return response.status, text, {"Content-Type": response.getheader("Content-Type", "text/plain")}
            except (http.client.RemoteDisconnected, ConnectionError):
                upstream.close()  # Loki may close what was idle
                if attempt == 1:
                    raise


def reset(connection):
    """Closes a connection of this thread so that the other side gets a reset instead of an end."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with contextlib.suppress(OSError):
        connection.close()


def cut(connection):
    """The same to a connection that another thread serves: it wakes and closes."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)


def peer_closed(connection):
    """True when the client of a request that waits for its answer has gone."""
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    finally:
        connection.setblocking(True)


def read_until(connection, pending, mark):
    while mark not in pending:
        more = connection.recv(HEAD)
        if not more or len(pending) > HEAD:
            raise Gone
        pending += more
    head, _, rest = pending.partition(mark)
    return head, rest


def read_exactly(connection, pending, size):
    parts, have = [pending], len(pending)
    while have < size:
        more = connection.recv(min(1 << 20, size - have))
        if not more:
            raise Gone
        parts.append(more)
        have += len(more)
    whole = b"".join(parts)
    return whole[:size], whole[size:]


def parse_head(head):
    first, *rest = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    return (method, path), {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}


def answer(connection, status, body, headers):
    lines = [f"HTTP/1.1 {status} {http.client.responses.get(status, 'Answer')}"]
    if status != 204:
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + (body if status != 204 else b""))


class Script:
    """Sets behaviours at moments: [(seconds since start, behaviour), …]. A thread of its own."""

    def __init__(self, proxy, moments, start):
        self.proxy, self.moments, self.start = proxy, sorted(moments, key=lambda moment: moment[0]), start
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        for at, behaviour in self.moments:
            if self.ended.wait(max(0.0, self.start + at - time.monotonic())):
                return
            self.proxy.set(*behaviour)

    def end(self):
        self.ended.set()
        self.thread.join()
        self.proxy.set("up")


# ---- what was in a push ---------------------------------------------------------------------------------------------------


def unsnappy(data):
    """Raw snappy block to bytes."""
    size, at = varint(data, 0)
    out = bytearray()
    end = len(data)
    while at < end:
        tag = data[at]
        at += 1
        kind = tag & 3
        if kind == 0:
            length = tag >> 2
            if length >= 60:
                extra = length - 59
                length = int.from_bytes(data[at:at + extra], "little")
                at += extra
            length += 1
            out += data[at:at + length]
            at += length
            continue
        if kind == 1:
            length, offset = 4 + (tag >> 2 & 7), (tag >> 5) << 8 | data[at]
            at += 1
        elif kind == 2:
            length, offset = 1 + (tag >> 2), data[at] | data[at + 1] << 8
            at += 2
        else:
            length, offset = 1 + (tag >> 2), int.from_bytes(data[at:at + 4], "little")
            at += 4
        first = len(out) - offset
        if offset >= length:
            out += out[first:first + length]
        else:
            pattern = bytes(out[first:])
            out += (pattern * (length // offset + 1))[:length]
    assert len(out) == size, "a body of snappy does not have its size"
    return bytes(out)


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def fields(data):
    """(number, bytes or int) of a protobuf message."""
    at, end = 0, len(data)
    while at < end:
        tag, at = varint(data, at)
        if tag & 7 == 2:
            size, at = varint(data, at)
            yield tag >> 3, data[at:at + size]
            at += size
        elif tag & 7 == 0:
            value, at = varint(data, at)
            yield tag >> 3, value
        else:
            raise AssertionError(f"a push has a field of wire type {tag & 7}")


def streams_of(body):
    """(label string, [entry, …]) of a push body, as they came."""
    for number, stream in fields(unsnappy(body)):
        if number != 1:
            continue
        labels, entries = "", []
        for inner, value in fields(stream):
            if inner == 1:
                labels = value.decode()
            elif inner == 2:
                entries.append(value)
        yield labels, entries


def entries_of(body):
    """[(label string, [line, …]), …] of a push body, as it came."""
    return [(labels, [text for entry in entries for part, text in fields(entry) if part == 2]) for labels, entries in streams_of(body)]


def entries_with_metadata(body):
    """[(label string, [(line, {name: value}), …]), …] of a push body, as it came."""
    found = []
    for labels, entries in streams_of(body):
        rows = []
        for entry in entries:
            line, metadata = b"", {}
            for part, value in fields(entry):
                if part == 2:
                    line = value
                elif part == 3:
                    pair = dict(fields(value))
                    metadata[pair.get(1, b"").decode()] = pair.get(2, b"").decode()
            rows.append((line, metadata))
        found.append((labels, rows))
    return found


# ---- a push that was changed ------------------------------------------------------------------------------------------------


def changed_push(body, kind, *how):
    """The body of a push with other lines or labels, as the behaviours say."""
    streams = []
    for labels, entries in streams_of(body):
        if kind == "relabel":
            name, value = how
            labels = re.sub(rf'\b{name}="[^"]*"', f'{name}="{value}"', labels)
        rows = []
        for entry in entries:
            parts = list(fields(entry))
            if kind == "truncate":
                parts = [(number, value[:how[1]] if number == 2 else value) for number, value in parts]
            if kind == "unmeta":
                parts = [(number, value) for number, value in parts if number != 3]
            rows.append((2, b"".join(field(number, value) for number, value in parts)))
        streams.append((1, field(1, labels.encode()) + b"".join(field(number, value) for number, value in rows)))
    return snappy(b"".join(field(number, value) for number, value in streams))


def to_varint(value):
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, value):
    """One field of a protobuf message: bytes, or a number."""
    if isinstance(value, int):
        return to_varint(number << 3) + to_varint(value)
    return to_varint(number << 3 | 2) + to_varint(len(value)) + value


def snappy(data):
    """A raw block of literals only: larger than need be, and valid."""
    out = bytearray(to_varint(len(data)))
    for at in range(0, len(data), 65536):
        piece = data[at:at + 65536]
        out += bytes([61 << 2]) + (len(piece) - 1).to_bytes(2, "little") + piece
    return bytes(out)
