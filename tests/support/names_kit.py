"""A chain that stores logs, each line of which is to be stored once, as a pipe and fused."""
import collections
import pathlib
import time

import weir_kit as kit


def both_ways(test):
    """Runs the test as a pipe and fused, each in a folder of its own."""

    def run(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                test(self, fused)

    run.__name__ = test.__name__
    return run


def cri(text, age=0.0):
    at = time.time() - age
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at))}.{int(at % 1 * 1e9):09d}Z stdout F {text}\n"


class NamesCase(kit.Case):
    """Logs that a chain stores, each line of which is to be stored once."""

    def setUp(self):
        super().setUp()
        self.logs = self.dir / "logs"
        self.logs.mkdir()
        self.spool = self.dir / "spool.db"
        self.live = self.logs / "server.log"
        self.lines = []

    def write(self, path=None, count=3):
        with open(path or self.live, "a", encoding="ascii") as out:
            for _ in range(count):
                self.lines.append(f"line {len(self.lines)}")
                out.write(self.lines[-1] + "\n")

    def follow(self, fused, *paths, options=""):
        return self.chain([f"tail -f --checkpoint {self.spool} {options} {' '.join(map(str, paths or [self.logs]))}", f"buffer {self.spool} --store"],
                          fused)

    def stored(self):
        return kit.weir("replay", self.spool, "-o", "jsonl", expect=None).splitlines() if self.spool.exists() else []

    def rows(self):
        """Texts by file name, and what was told to be lost."""
        rows, gaps = collections.defaultdict(list), []
        for record in kit.records(self.stored()):
            if "weir_gap_bytes" in record.get("metadata", {}):
                gaps.append(record["line"])
            else:
                rows[pathlib.Path(record["labels"].get("filename", record["labels"].get("pod", ""))).name].append(record["line"])
        return dict(rows), gaps

    def wait_lines(self, chain, count=None):
        wanted = len(self.lines) if count is None else count
        kit.wait_for(lambda: sum(map(len, self.rows()[0].values())) >= wanted, lambda: f"{self.rows()}\n{chain.errors()}")

    def assert_once(self, chain=None):
        rows, gaps = self.rows()
        errors = chain.errors() if chain else ""
        self.assertEqual(gaps, [], errors)
        self.assertEqual(sorted(text for texts in rows.values() for text in texts), sorted(self.lines), f"{rows}\n{errors}")
        return rows
