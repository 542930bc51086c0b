#!/usr/bin/env python3
"""`weir serve` answers push requests as a Loki does, those with faults among them, and keeps of each what a Loki keeps."""
import http.client
import re
import subprocess
import sys
import tempfile
import unittest
import urllib.parse

import loki_server
import push_cases
import serve_kit
import weir_kit as kit

# What is wrong with JSON, and where, is said in words of our own: those of Loki quote the insides of its library.
OWN_WORDS = re.compile(r"^cannot read the JSON: ")


def answer(url, path, headers, body):
    connection = http.client.HTTPConnection(urllib.parse.urlparse(url).netloc, timeout=30)
    try:
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        return response.status, response.getheader("Content-Type"), response.read().decode()
    finally:
        connection.close()


def without_now(text):
    """The oldest acceptable time is that of the moment, and two servers are asked one after the other."""
    return re.sub(r"oldest acceptable timestamp is: [0-9TZ:-]+", "oldest acceptable timestamp is: (now - 7d)", text)


class Pushes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.loki = loki_server.Loki()
        cls.folder = tempfile.TemporaryDirectory()
        cls.serve = serve_kit.Serve(f"{cls.folder.name}/spool.db", "--reject-old", "7d", "--max-behind", "1h")

    @classmethod
    def tearDownClass(cls):
        cls.serve.stop()
        cls.loki.stop()
        cls.folder.cleanup()

    def test_the_answers_are_those_of_a_loki(self):
        cases = push_cases.cases()
        self.assertGreater(len(cases), 60)
        own = 0
        for name, path, headers, body in cases:
            with self.subTest(name):
                theirs = answer(self.loki.url, path, headers, body)
                ours = answer(self.serve.url, path, headers, body)
                self.assertEqual(ours[0], theirs[0], (ours, theirs))
                if ours[0] != 204:
                    self.assertEqual(ours[1], theirs[1])
                if OWN_WORDS.match(ours[2]):
                    own += 1
                    continue
                self.assertEqual(without_now(ours[2]), without_now(theirs[2]))
        self.assertLess(own, 25)

        # What both keep of it. Loki drops a repeat of what it has; a spool takes it again.
        def ours():
            return {(frozenset(r["labels"].items()), kit.nanoseconds(r["timestamp"]), r["line"].encode(errors="surrogateescape").decode(errors="replace"),
                     frozenset(r.get("metadata", {}).items())) for r in kit.records(
                         kit.weir("query", "--spool", self.serve.spool, '{service_name=~".+"}', "-o", "jsonl", "--since", "1h", "--limit", "0").splitlines())}
        start = push_cases.NOW - 3600 * 10**9
        theirs = set(self.loki.entries('{service_name=~".+"}', start, push_cases.NOW + 10**9))
        self.assertGreater(len(theirs), 15)
        self.assertEqual(theirs - ours(), set())
        self.assertEqual(ours() - theirs, set())


if __name__ == "__main__":
    unittest.main()
