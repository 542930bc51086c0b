"""A WebSocket client for tests (RFC 6455), just enough to listen to a tail."""
import base64
import os
import socket
import struct
import time
import urllib.parse


class Refused(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status}: {body[:300]}")
        self.status, self.body = status, body


class Closed(Exception):
    def __init__(self, code, reason):
        super().__init__(f"closed: {code} {reason}")
        self.code, self.reason = code, reason


class WebSocket:
    """`url`: http://HOST:PORT/path?query. Raises Refused where the server does not upgrade."""

    def __init__(self, url, headers=None, timeout=30):
        at = urllib.parse.urlparse(url)
        self.socket = socket.create_connection((at.hostname, at.port), timeout=timeout)
        self.data = b""
        lines = [f"GET {at.path}?{at.query} HTTP/1.1", f"Host: {at.netloc}", "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)).decode()]
        lines += [f"{k}: {v}" for k, v in (headers or {}).items()]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.data:
            self.more()
        head, self.data = self.data.split(b"\r\n\r\n", 1)
        first, *rest = head.decode().split("\r\n")
        self.headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in rest)}
        status = int(first.split()[1])
        if status != 101:
            while len(self.data) < int(self.headers.get("content-length", 0)):
                self.more()
            raise Refused(status, self.data.decode())

    def more(self):
        got = self.socket.recv(1 << 16)
        if not got:
            raise Closed(1006, "the connection ended")
        self.data += got

    def take(self, count):
        while len(self.data) < count:
            self.more()
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def frame(self, seconds):
        """(opcode, payload) of the next frame. Answers pings, which do not count."""
        deadline = time.monotonic() + seconds
        while True:
            if time.monotonic() > deadline:
                raise TimeoutError(f"nothing but pings for {seconds} s")
            first, second = self.take(2)
            size = second & 0x7f
            if size == 126:
                size, = struct.unpack(">H", self.take(2))
            elif size == 127:
                size, = struct.unpack(">Q", self.take(8))
            payload = self.take(size)
            if first & 0xf == 9:
                self.send(10, payload)
            elif first & 0xf != 10:
                return first & 0xf, payload

    def text(self, seconds=30):
        """The next text. Raises Closed."""
        kind, payload = self.frame(seconds)
        if kind == 8:
            raise Closed(struct.unpack(">H", payload[:2])[0] if payload else 1005, payload[2:].decode())
        return payload.decode()

    def send(self, opcode, payload):
        mask = os.urandom(4)
        self.socket.sendall(bytes([0x80 | opcode, 0x80 | len(payload)]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload)))

    def close(self):
        self.socket.close()
