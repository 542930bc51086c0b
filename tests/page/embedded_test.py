#!/usr/bin/env python3
"""Holds what the build embeds against the files of the tree: byte for byte the same, and small over the wire.

usage: embedded_test.py ROOT PAGE_FILES_CC
"""
import gzip
import pathlib
import sys
import unittest

import embedded

MOST_LOADED = 60_000  # bytes that a browser loads: the files as gzip
MOST_PLAIN = 120_000  # bytes of the files themselves


class Embedded(unittest.TestCase):
    def setUp(self):
        self.plain, self.gzip = embedded.page_files(PAGE_FILES), embedded.page_files(PAGE_FILES, "gzip")

    def test_the_files_are_those_of_the_tree(self):
        self.assertEqual(self.plain, {path.name: path.read_bytes() for path in (ROOT / "lib/serve/page").iterdir()})

    def test_the_compressed_files_are_the_same(self):
        self.assertEqual({name: gzip.decompress(data) for name, data in self.gzip.items()}, self.plain)

    def test_what_a_browser_loads_is_small(self):
        loaded, plain = (sum(map(len, files.values())) for files in (self.gzip, self.plain))
        print(f"a browser loads {loaded} bytes of the page; its files have {plain}: { {name: len(data) for name, data in self.plain.items()} }")
        self.assertLess(loaded, MOST_LOADED)
        self.assertLess(plain, MOST_PLAIN)


if __name__ == "__main__":
    ROOT, PAGE_FILES = pathlib.Path(sys.argv[1]), sys.argv[2]
    unittest.main(argv=sys.argv[:1])
