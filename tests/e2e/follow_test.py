#!/usr/bin/env python3
"""Following a tree that is being written: rotation, pods that appear, pods that live a moment."""
import json
import os
import subprocess
import sys
import unittest

import weir_kit as kit


class Follow(kit.Case):
    def live(self, *args):
        """podgen writing in the background."""
        return self.start(kit.PODGEN, str(self.dir / "pods"), "--truth", str(self.dir / "truth"), *map(str, args), stdout=subprocess.PIPE)

    def written(self, generator):
        summary = json.loads(generator.communicate()[0])
        self.assertEqual(generator.returncode, 0)
        expected = kit.truth(self.dir / "truth")
        self.assertEqual(kit.count(expected), summary["lines"])
        return expected, summary

    def follow(self, stages, fused, *args):
        """Runs the chain over a live tree until all of it came out; what was written."""
        os.makedirs(self.dir / "pods", exist_ok=True)
        chain = self.chain(stages, fused)
        expected, summary = self.written(self.live(*args))
        kit.wait_for(lambda: len(chain.output()) >= kit.count(expected), f"{summary['lines']} lines from {stages}\n{chain.errors()}")
        chain.stop()
        return chain.output(), expected, summary

    def test_rotation_and_new_pods(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                lines, expected, summary = self.follow([f"tail -f {self.dir / 'pods'}", "filter '{container=\"main\"}'"], fused,
                                                       "--rate", 3000, "--seconds", 3, "--pods", 4, "--late-pods", 2,
                                                       "--rotate-bytes", 60000, "--gzip", "--partial")
                self.assertGreater(summary["rotations"], 8)
                self.assert_records(lines, expected)

    def test_a_filter_behind_it_passes_each_line_at_once(self):
        expected_line = "lonely"
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                folder = self.dir / "pods" / "ns_pod_uid" / "c"
                folder.mkdir(parents=True)
                chain = self.chain([f"tail -f {self.dir / 'pods'}", "enrich --level", "filter '|= \"lonely\"'"], fused)
                with open(folder / "0.log", "ab", buffering=0) as log:
                    for i in range(3):
                        log.write(b"2026-01-02T03:04:05.%09dZ stdout F %s %d\n" % (i, expected_line.encode(), i))
                        kit.wait_for(lambda n=i + 1: len(chain.output()) == n, f"line {i}: {chain.errors()}")
                chain.stop()

    def test_a_line_of_another_form_is_told_with_its_log(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                for name in ("good", "odd"):
                    folder = self.dir / "pods" / f"ns_{name}_uid" / "c"
                    folder.mkdir(parents=True)
                    (folder / "0.log").write_text("2026-01-02T03:04:05Z stdout F one\n")
                chain = self.chain([f"tail -f {self.dir / 'pods'}", "enrich --level"], fused)
                kit.wait_for(lambda: len(chain.output()) == 2, chain.errors)
                odd = self.dir / "pods" / "ns_odd_uid" / "c" / "0.log"
                with open(odd, "a", encoding="ascii") as log:
                    log.write("no time\n")
                kit.wait_for(lambda: "a line is not in the format of its file" in chain.errors(), chain.errors)
                chain.stop(expect=(0, 3, 143))
                self.assertIn(f"tail: {odd}: a line is not", chain.errors())

    def test_a_pod_that_lives_a_moment(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                (self.dir / "pods").mkdir()
                chain = self.chain([f"tail -f {self.dir / 'pods'}", "enrich --level"], fused)
                log = self.dir / "pods" / "ns_brief_uid" / "c" / "0.log"
                log.parent.mkdir(parents=True)
                log.write_bytes(b"".join(b"2026-01-02T03:04:05.%09dZ stdout F line %d\n" % (i, i) for i in range(100)))
                kit.wait_for(lambda: len(chain.output()) == 100, chain.errors())
                log.unlink()
                log.parent.rmdir()
                log.parent.parent.rmdir()
                chain.stop()

    def test_a_file_cut_while_it_is_read(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                log = self.dir / "app.log"
                log.write_bytes(b"one\ntwo\n")
                chain = self.chain([f"tail -f --format raw {log}", "enrich --level"], fused)
                kit.wait_for(lambda: len(chain.output()) == 2, chain.errors())
                log.write_bytes(b"three\n")
                kit.wait_for(lambda: len(chain.output()) == 3, chain.errors())
                chain.stop()
                self.assertEqual([r["line"] for r in kit.records(chain.output())], ["one", "two", "three"])

    def test_into_a_spool_with_rotation(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                (self.dir / "pods").mkdir()
                spool = self.dir / "spool.db"
                chain = self.chain([f"tail -f --checkpoint {spool} {self.dir / 'pods'}", "filter --drop '|= \"/healthz\"'",
                                    f"buffer {spool} --store"], fused)
                expected, _ = self.written(self.live("--rate", 3000, "--seconds", 3, "--pods", 4, "--late-pods", 1,
                                                     "--rotate-bytes", 80000, "--gzip", "--partial"))
                wanted = kit.keep(expected, lambda _, line: "/healthz" not in line)
                kit.wait_for(lambda: len(kit.weir("replay", spool, "-o", "jsonl").splitlines()) >= kit.count(wanted), chain.errors())
                chain.stop()
                self.assert_records(kit.weir("replay", spool, "-o", "jsonl").splitlines(), wanted)

    def test_into_push(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                (self.dir / "pods").mkdir()
                record = self.dir / "sink"
                url = self.sink(record)
                chain = self.chain([f"tail -f {self.dir / 'pods'}", "enrich --level", f"push {url}"], fused)
                expected, summary = self.written(self.live("--rate", 2000, "--seconds", 2, "--pods", 4, "--rotate-bytes", 60000))
                kit.wait_for(lambda: kit.sink_stats(url)["entries"] >= summary["lines"], chain.errors())
                chain.stop()
                self.assertEqual({k: [r[:2] for r in v] for k, v in kit.sink_records(record).items()}, dict(expected))


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
