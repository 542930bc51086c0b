#!/usr/bin/env python3
"""What is lost for good is never silent: each way to lose something is in a counter (the exit code is 3), in the summary at the end, and in
`weir spool status` afterwards; what logs lost is in a gap record as well."""
import json
import os
import shutil
import signal
import sqlite3
import sys
import time
import unittest

import weir_kit as kit

DEAD = "http://127.0.0.1:9"
RELIABLE = "--min-free 0"


def cri(text):
    now = time.time_ns()
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now // 10**9))}.{now % 10**9:09d}Z stdout F {text}\n".encode()


class Losses(kit.SinkCase):
    def write(self, *lines, pod="web"):
        log = self.pods / f"shop_{pod}_uid" / "app" / "0.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "ab") as out:
            out.write(b"".join(map(cri, lines)))
        return log

    def status(self, spool=None):
        return json.loads(kit.weir("spool", "status", spool or self.spool, "-o", "json"))

    def text(self, spool=None):
        return kit.weir("spool", "status", spool or self.spool).decode()

    def end(self, chain, lossy, process=0):
        """Ends the chain, by a signal to `process` (None: to all). The processes of `lossy` (their places in the pipe) say by their exit
        code that something is lost."""
        chain.signal(signal.SIGTERM, process)
        codes = chain.wait()
        if chain.fused:
            self.assertEqual(codes, [3], chain.errors())
        else:
            self.assertEqual([i for i, code in enumerate(codes) if code == 3], lossy, f"{codes}\n{chain.errors()}")
        return chain.errors()

    def tracked(self, fused, buffer="", push=None):
        return self.chain([f"tail -f --checkpoint {self.spool} {self.pods}", f"buffer {self.spool} {RELIABLE} {buffer}",
                           f"push --drain-rate 0 {push or self.url}"], fused)

    def delivered(self, count, chain):
        kit.wait_for(lambda: kit.sink_stats(self.url)["entries"] >= count, chain.errors)

    def gaps(self):
        return [dict(entry[3])["weir_gap_bytes"] for rows in kit.sink_records(self.record).values() for entry in rows
                if "weir_gap_bytes" in dict(entry[3])]

    def taken(self):
        """How many records the spool took: those that are in it, and those that it evicted undelivered."""
        if not self.spool.exists():
            return 0
        status = json.loads(kit.weir("spool", "status", self.spool, "-o", "json", expect=(0, 4)) or "null")
        return status["records"] + status["lost"]["evicted_undelivered"] if status else 0

    def test_logs_that_vanish(self):
        def body(fused):
            keep = ("web", "db")
            logs = [self.write("read", pod=pod) for pod in keep]
            chain = self.tracked(fused)
            self.delivered(2, chain)
            chain.stop()
            for log, pod in zip(logs, keep):
                self.write("never read", pod=pod)
                shutil.rmtree(log.parent)
            chain = self.tracked(fused)
            self.delivered(4, chain)
            kit.wait_for(lambda: self.status()["undelivered"] == 0, chain.errors)
            errors = self.end(chain, [0])
            self.assertEqual(self.gaps(), ["unknown", "unknown"])
            self.assertIn("2 logs lost data: shop/db/app, shop/web/app, of unknown size", errors)
            self.assertNotIn("again", errors)
            lost = self.status()["lost"]
            self.assertEqual((lost["gaps"], lost["gap_bytes"], lost["gaps_of_unknown_size"]), (2, 0, 2))
            self.assertEqual(lost["logs"], [{"log": "shop/db/app", "bytes": 0}, {"log": "shop/web/app", "bytes": 0}])
            self.assertIn("2 logs lost data: shop/db/app, shop/web/app, of unknown size; the last time ", self.text())
            # Once, also after another start.
            chain = self.tracked(fused)
            self.write("more", pod="third")
            self.delivered(5, chain)
            chain.stop()
            self.assertEqual(self.status()["lost"]["gaps"], 2)
            self.assertEqual(len(self.gaps()), 2)
        self.both(body)

    def test_a_log_that_vanishes_from_a_checkpoint(self):
        def body(fused):
            self.spool = self.dir / "positions"
            stages = [f"tail -f --checkpoint {self.spool} {self.pods}", f"push --checkpoint {self.spool} {self.url}"]
            log = self.write("read")
            chain = self.chain(stages, fused)
            self.delivered(1, chain)
            chain.stop()
            shutil.rmtree(log.parent)
            chain = self.chain(stages, fused)
            self.delivered(2, chain)
            self.end(chain, [0])
            self.assertEqual(self.status()["lost"]["logs"], [{"log": "shop/web/app", "bytes": 0}])
            self.assertIn("1 log lost data: shop/web/app, of unknown size", self.text())
        self.both(body)

    def test_records_that_are_evicted(self):
        def body(fused):
            chain = self.tracked(fused, "--max-size 4MiB --on-full drop-oldest", DEAD)
            for i in range(30):
                self.write(*(os.urandom(1000).hex() for _ in range(150)), pod=f"p{i}")
            kit.wait_for(lambda: "evicted and are lost" in chain.errors(), chain.errors)
            errors = self.end(chain, [1, 2], None)
            self.assertRegex(errors, r"buffer: .*; [\d,]+ undelivered records were evicted to make room and are lost")
            self.assertNotIn("the next start sends them again", errors)
            status = self.status()
            self.assertGreater(status["lost"]["evicted_undelivered"], 0)
            self.assertIsNotNone(status["lost"]["last_evicted"])
            self.assertRegex(self.text(), r"lost +[\d,]+ undelivered records were evicted; the last time ")
        self.both(body)

    def test_gap_records_tell_what_was_evicted(self):
        """Once Loki is back, gap records in the streams say how much of them was evicted."""
        def check(spill):
            def body(fused):
                kit.get(f"{self.url}/fail?status=503&count=1000000", data=b"")
                chain = self.chain([f"tail -f --checkpoint {self.spool} {self.pods}",
                                    f"buffer {self.spool} {RELIABLE} --max-size 4MiB --on-full drop-oldest{spill}", f"push {self.url}"], fused)
                written = {}
                for i in range(40):
                    written[f"p{i}"] = [os.urandom(1000).hex() for _ in range(150)]
                    self.write(*written[f"p{i}"], pod=f"p{i}")
                kit.wait_for(lambda: self.taken() >= 40 * 150, chain.errors)
                chain.signal(signal.SIGTERM, None)
                chain.wait()
                status = self.status()
                gaps = kit.weir("replay", self.spool).count(b"weir_gap_bytes")
                self.assertGreater(gaps, 0)
                self.assertEqual(status["lost"]["evicted_undelivered"] + status["records"], 40 * 150 + gaps)
                self.assertEqual(status["lost"]["gaps"], 0, "no log lost anything before it came here")
                # Loki is back, and gets them.
                kit.get(f"{self.url}/fail?status=503&count=0", data=b"")
                chain = self.tracked(fused, "--max-size 4MiB --on-full drop-oldest" + spill)
                kit.wait_for(lambda: self.status()["undelivered"] == 0, chain.errors)
                chain.stop()
                lost = {pod: len(lines) for pod, lines in written.items()}
                told = dict.fromkeys(written, 0)
                for rows in kit.sink_records(self.record).values():
                    for _, line, labels, metadata in rows:
                        pod = dict(labels)["pod"]
                        if "weir_gap_bytes" in dict(metadata):
                            told[pod] += int(dict(metadata)["weir_gap_bytes"])
                            self.assertRegex(line, r"^weir: [\d,]+ records?, .*, of this stream w(as|ere) evicted from the spool before ")
                        else:
                            lost[pod] -= 1
                self.assertGreater(sum(told.values()), 0)
                # What the last commit evicted is in the counters only: a block has about 1 MiB, and no more than that is missing.
                self.assertLess(sum(lost.values()) * 2000 - sum(told.values()), 2 << 20)
                for pod, bytes_told in told.items():
                    self.assertLessEqual(bytes_told, lost[pod] * 2000, pod)
            return body
        self.both(check(""))
        self.setUp()
        check(" --spill")(True)

    def test_a_damaged_block(self):
        def body(fused):
            self.write("one", "two", "three")
            self.run_chain([f"tail --checkpoint {self.spool} {self.pods}", f"buffer {self.spool} --store {RELIABLE}"], fused)
            with sqlite3.connect(self.spool) as database:
                database.execute("UPDATE bodies SET body = zeroblob(length(body))")
            database.close()
            self.write("four")
            chain = self.tracked(fused)
            self.delivered(1, chain)
            kit.wait_for(lambda: self.status()["lost"]["damaged_records"] == 3, chain.errors)
            errors = self.end(chain, [1])
            self.assertIn("3 records of damaged blocks are lost", errors)
            self.assertIn("3 records in 1 block damaged", self.text())
        self.both(body)

    def test_held_records_that_have_no_room(self):
        def body(fused):
            rules = self.dir / "rules"
            rules.write_text('hold {namespace="shop"}\n')
            chain = self.chain([f"tail -f --checkpoint {self.spool} {self.pods}", f"filter --rules {rules}",
                                f"buffer {self.spool} {RELIABLE} --max-size 4MiB --hold-max 1MiB", f"push {self.url}"], fused)
            for i in range(30):
                self.write(*(os.urandom(1000).hex() for _ in range(150)), pod=f"p{i}")
            kit.wait_for(lambda: self.spool.exists() and (s := kit.weir("spool", "status", self.spool, "-o", "json", expect=(0, 4))) and
                         json.loads(s)["lost"]["held_evicted"] > 0, chain.errors)
            chain.stop()
            self.assertRegex(chain.errors(), r"buffer: .*; [\d,]+ held records were evicted to make room")
            self.assertRegex(self.text(), r"lost +[\d,]+ held records were evicted to make room\n")
        self.both(body)

    def test_held_records_without_a_spool(self):
        rules = self.dir / "rules"
        rules.write_text('hold {namespace="shop"}\n')
        self.write("one", "two")
        chain = self.chain([f"tail {self.pods}", f"filter --rules {rules}", f"push {self.url}"], False)
        codes = chain.wait()
        self.assertEqual(codes[-1], 3, chain.errors())
        self.assertIn("2 held records are lost, because no spool keeps them", chain.errors())


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
