#!/usr/bin/env python3
"""Clients that want to take an HTTP server away from the others: `weir serve`, attacked through sockets.

While each of them goes on, another client is answered; at the end the process has the memory that its bounds allow. Nothing here waits for a
time limit of the server: tests/httpd/bounds_test.cc does, with limits of its own.
"""
import contextlib
import json
import random
import re
import resource
import socket
import struct
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import weir_kit as kit

MIB = 1 << 20
AT_REST = 40 * MIB  # what serve may take without bodies, its connections among it
BODIES = 64 * MIB  # Limits::bodies of serve
HEADERS = 16 * MIB  # Limits::long_headers
ANSWERS = 128 * MIB  # Limits::answers of serve
CONNECTIONS = 1000


class Hostile(kit.Case):
    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4 * CONNECTIONS), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        if min(hard, 4 * CONNECTIONS) < CONNECTIONS + 100:
            self.skipTest("too few descriptors are allowed here")
        self.server = subprocess.Popen([kit.WEIR, "serve", str(self.dir / "spool"), "--listen", "127.0.0.1:0"], stderr=subprocess.PIPE,
                                       text=True, env=kit.environment())
        self.addCleanup(self.end)
        line = self.server.stderr.readline()
        self.port = int(re.search(r":(\d+)", line).group(1))
        self.sockets = contextlib.ExitStack()
        self.addCleanup(self.sockets.close)

    def end(self):
        self.server.kill()
        self.server.communicate()

    def connect(self, data=b""):
        """A connection with `data` sent; the server may close it at any time."""
        one = self.sockets.enter_context(socket.create_connection(("127.0.0.1", self.port), timeout=kit.PATIENCE))
        with contextlib.suppress(ConnectionError):
            one.sendall(data)
        return one

    def answer(self, data):
        """The status of what `data` is answered with; 0 when the server closed without a word."""
        one = self.connect(data)
        got = b""
        with contextlib.suppress(ConnectionError):
            while b"\r\n" not in got and (piece := one.recv(4096)):
                got += piece
        return int(got.split(b" ", 2)[1]) if got.startswith(b"HTTP/1.1 ") else 0

    def serves(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ready", timeout=kit.PATIENCE) as answer:
            self.assertEqual((answer.status, answer.read()), (200, b"ready\n"))

    def push(self):
        body = b'{"streams":[{"stream":{"a":"b"},"values":[["%d","x"]]}]}' % (1_800_000_000 * 10**9)
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/loki/api/v1/push", body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=kit.PATIENCE) as answer:
                return answer.status
        except urllib.error.HTTPError as refused:
            return refused.code

    def most_memory(self):
        with open(f"/proc/{self.server.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmHWM:\s+(\d+) kB", status.read()).group(1)) << 10

    def descriptors(self):
        return len(list((kit.pathlib.Path("/proc") / str(self.server.pid) / "fd").iterdir()))

    def holds(self, most=AT_REST):
        """It lives, serves, and took no more memory than `most`."""
        self.serves()
        self.assertIsNone(self.server.poll())
        self.assertLess(self.most_memory() / MIB, most / MIB)

    def test_connections_that_say_nothing_or_half(self):
        for count in range(CONNECTIONS):
            self.connect((b"", b"GET /ready HT", b"POST /loki/api/v1/push HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")[count % 3])
            if count % 200 == 0:
                self.serves()
        self.holds()
        self.assertLess(self.descriptors(), 400)  # 256 connections
        self.assertEqual(self.push(), 204)

    def test_connections_that_close_a_side_or_break_off(self):
        for count in range(CONNECTIONS):
            one = self.connect(b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n" if count % 2 else b"GET /rea")
            with contextlib.suppress(OSError):
                if count % 4 < 2:
                    one.shutdown(socket.SHUT_WR)
                else:  # a reset
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    one.close()
        self.holds()
        kit.wait_for(lambda: self.descriptors() < 60, "the connections are not closed")

    def test_requests_that_are_too_large(self):
        get = b"GET /ready HTTP/1.1\r\nHost: localhost\r\n"
        self.assertEqual(self.answer(get + b"X: " + b"x" * MIB), 431)
        self.assertEqual(self.answer(get + b"X: y\r\n" * 20_000 + b"\r\n"), 431)
        self.assertEqual(self.answer(b"GET /" + b"x" * MIB), 431)
        post = b"POST /loki/api/v1/push HTTP/1.1\r\nHost: localhost\r\n"
        self.assertEqual(self.answer(post + b"Content-Length: 17000000\r\n\r\n"), 413)
        self.assertEqual(self.answer(post + b"Content-Length: 18446744073709551615\r\n\r\n"), 413)
        self.assertEqual(self.answer(post + b"Content-Length: 18446744073709551616\r\n\r\n"), 400)
        self.assertEqual(self.answer(post + b"Transfer-Encoding: chunked\r\n\r\n" + b"ffffff\r\n" + b"x" * 0xffffff + b"\r\nfff\r\n"), 413)
        self.holds(AT_REST + BODIES)

    def test_many_long_headers_at_once(self):
        """Before anybody said who he is: long first lines, many short lines."""
        for count in range(250):
            rest = b"x" * 250_000 if count % 2 else b" HTTP/1.1\r\nHost: localhost\r\n" + b"x:\r\n" * 250
            self.connect(b"GET /ready" + rest)
        self.assertEqual(self.push(), 204)
        self.holds(AT_REST + HEADERS)
        # Others are told to come again, until the long ones are gone.
        get = b"GET /ready?" + b"x" * 250_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
        for _ in range(50):
            if self.answer(get) == 503:
                break
            self.connect(b"GET /ready" + b"x" * 250_000)
        else:
            self.fail("nobody is told to come again")
        self.sockets.close()
        kit.wait_for(lambda: self.answer(get) == 200, "the headers are held")

    def test_queries_as_long_as_they_may_be(self):
        """Those that take a parser or a compiler longest."""
        texts = ['{a="b"} |~ "' + "(a|b)*" * 21_000 + '"', '{a="b"}' + ' |= "x"' * 18_000, "(" * 131_000, '{a="b"} | ' + "(" * 65_000 + "x=1" + ")" * 65_000,
                 '{a="b"} | line_format "' + "{{.a}}" * 21_000 + '"', "-" * 131_000, '{a="b"} | json ' + ", ".join(f'a{i}="b.c"' for i in range(9_000)),
                 " + ".join(["vector(1)"] * 10_900), "sum(" * 30_000, '{a="b"} |~ "' + "a{1000}" * 18_000 + '"', "#" * 131_000, '{a="' + "\\\\" * 65_000 + '"}']
        self.assertEqual(self.push(), 204)
        for text in texts:
            for path, form in (("query_range", "query"), ("tail", "query"), ("labels", "query"), ("series", "match[]"), ("format_query", "query")):
                with self.subTest(path, text=text[:20]):
                    begun = time.monotonic()
                    sent = urllib.parse.urlencode({form: text}, quote_via=urllib.parse.quote, safe="(){}|*+,=. ").replace(" ", "+").encode()
                    one = self.connect(b"GET /loki/api/v1/%b?%b HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                       b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n" % (path.encode(), sent))
                    self.serves()
                    self.assertLess(time.monotonic() - begun, 10)
                    self.assertRegex(one.recv(4096)[:13], rb"HTTP/1.1 (101|200|400|431)")
        self.holds(AT_REST + HEADERS + 128 * MIB)

    def test_pushes_with_labels_that_are_too_long(self):
        """Each is refused, and none is remembered."""
        for number in range(30):
            body = json.dumps({"streams": [{"stream": {"a": f"{number} " + "x" * 5 * MIB}, "values": [[str(1_800_000_000 * 10**9), "x"]]}]}).encode()
            self.assertEqual(self.answer(b"POST /loki/api/v1/push HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                                         b"Content-Length: %d\r\n\r\n%b" % (len(body), body)), 400)
            self.sockets.close()
        self.holds(AT_REST + BODIES + 32 * MIB)

    def test_long_answers_that_nobody_reads(self):
        for _ in range(40):
            body = json.dumps({"streams": [{"stream": {"a": "x" * 5 * MIB}, "values": [[str(1_800_000_000 * 10**9), "x"]]}]}).encode()
            self.connect(b"POST /loki/api/v1/push HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                         b"Content-Length: %d\r\n\r\n%b" % (len(body), body)).recv(1)
        self.holds(AT_REST + BODIES + ANSWERS + 64 * MIB)
        self.sockets.close()
        self.assertEqual(self.push(), 204)

    def test_many_bodies_at_once(self):
        post = b"POST /loki/api/v1/push HTTP/1.1\r\nHost: localhost\r\nContent-Length: 15000000\r\n\r\n"
        statuses = []
        for _ in range(20):
            one = self.connect(post + b"x" * 14_000_000)
            one.settimeout(0)
            with contextlib.suppress(BlockingIOError, ConnectionError):
                statuses.append(one.recv(100).split(b" ", 2)[1:2])
        self.assertIn([b"503"], statuses)
        self.holds(AT_REST + BODIES + 32 * MIB)
        self.sockets.close()
        kit.wait_for(lambda: self.push() == 204, "the bodies are held")

    def test_requests_whose_answers_nobody_reads(self):
        many = b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100_000
        for _ in range(20):
            one = self.connect()
            one.settimeout(0)
            sent = 0
            # As much as the server and the kernel take.
            with contextlib.suppress(BlockingIOError, ConnectionError):
                while sent < len(many):
                    sent += one.send(many[sent : sent + MIB])
            self.serves()
        self.holds()

    def test_bytes_that_are_no_requests(self):
        chance = random.Random(7)
        pieces = [b"GET ", b"POST ", b"/ready", b" HTTP/1.1", b"\r\n", b"\n", b"\r", b"\0", b"Host: x", b"Content-Length: ", b"9" * 30, b"chunked",
                  b"Transfer-Encoding: ", b"\x16\x03\x01\x02\x00\x01", b"Upgrade: websocket", b"\xff\xfe", b": ", b"%00", b"../", b"{", b"PRI * HTTP/2.0"]
        for _ in range(500):
            data = b"".join(chance.choice(pieces) for _ in range(chance.randrange(1, 40)))
            one = self.connect(data)
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_WR)
                while one.recv(65536):
                    pass
            one.close()
        self.holds()


if __name__ == "__main__":
    sys.exit(unittest.main())
