#!/usr/bin/env python3
"""How a chain ends: a reader that leaves, a neighbour that is killed, Ctrl-C, input that is no record."""
import os
import signal
import subprocess
import sys
import unittest

import weir_kit as kit

LOG = b"".join(b"2026-01-02T03:04:05.%09dZ stdout F line %d\n" % (i, i) for i in range(20000))


class Ends(kit.Case):
    def setUp(self):
        super().setUp()
        self.pods = self.dir / "pods"
        self.log = self.pods / "ns_pod_uid" / "c" / "0.log"
        self.log.parent.mkdir(parents=True)
        self.log.write_bytes(LOG)

    def shell(self, text):
        """Exit codes of a shell pipe, by bash's PIPESTATUS, and its output."""
        script = f'weir() {{ "$WEIR" "$@"; }}\n{text}\ncodes=("${{PIPESTATUS[@]}}")\necho "${{codes[*]}}" >&3\n'
        read, write = os.pipe()
        with subprocess.Popen(["bash", "-c", f"exec 3>&{write}; {script}"], pass_fds=[write], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=kit.environment(WEIR=kit.WEIR, P=self.pods, D=self.dir)) as process:
            out, err = process.communicate(timeout=kit.PATIENCE)
        os.close(write)
        with os.fdopen(read) as codes:
            return [int(c) for c in codes.read().split()], out, err.decode()

    def test_a_reader_that_has_enough_is_a_normal_end(self):
        for chain in ("weir tail $P | head -n 1", "weir tail $P | weir enrich --level | head -n 1",
                      "weir run -c \"tail $P | enrich --level\" | head -n 1"):
            with self.subTest(chain):
                codes, out, err = self.shell(chain)
                self.assertEqual(set(codes), {0}, err)
                self.assertEqual(out.count(b"\n"), 1, err)

    def test_a_tracked_stage_whose_reader_left_cannot_go_on(self):
        codes, _, err = self.shell("weir tail --checkpoint $D/c.db $P | head -n 1")
        self.assertEqual(codes, [4, 0], err)

    def test_a_killed_source_is_noticed_by_its_reader(self):
        spool = self.dir / "spool.db"
        chain = self.chain([f"tail -f --checkpoint {spool} {self.pods}", "filter '{container=\"c\"}'", f"buffer {spool} --store"], False)
        kit.wait_for(lambda: spool.exists() and len(kit.weir("replay", spool, expect=None).splitlines()) == 20000, chain.errors)
        chain.kill(0)
        self.assertEqual(chain.wait(), [-signal.SIGKILL, 4, 4], chain.errors())

    def test_a_killed_stage_is_noticed_on_both_sides(self):
        spool = self.dir / "spool.db"
        chain = self.chain([f"tail -f --checkpoint {spool} {self.pods}", "filter '{container=\"c\"}'", f"buffer {spool} --store"], False)
        kit.wait_for(lambda: spool.exists() and len(kit.weir("replay", spool, expect=None).splitlines()) == 20000, chain.errors)
        chain.kill(1)
        with open(self.log, "ab") as log:
            log.write(LOG)
        self.assertEqual(chain.wait(), [4, -signal.SIGKILL, 4], chain.errors())

    def test_an_untracked_stream_may_end_anywhere(self):
        codes, out, err = self.shell("""printf '{"line":"a"}\\n{"line":"b"}' | weir filter '|~ "a|b"'""")
        self.assertEqual(codes, [0, 0], err)
        self.assertEqual(out.count(b"\n"), 2)

    def test_interrupt_to_all_processes_loses_nothing(self):
        for fused in (False, True):
            with self.subTest(fused=fused):
                spool = self.dir / f"spool-{fused}.db"
                chain = self.chain([f"tail -f --checkpoint {spool} {self.pods}", "filter '{container=\"c\"}'", f"buffer {spool} --store"], fused)
                kit.wait_for(lambda s=spool: s.exists() and len(kit.weir("replay", s, expect=None).splitlines()) == 20000, chain.errors)
                chain.signal(signal.SIGINT)
                self.assertTrue(set(chain.wait()) <= {0, 130}, chain.errors())
                self.assertEqual(len(kit.weir("replay", spool).splitlines()), 20000)

    def test_input_that_is_no_record(self):
        codes, out, err = self.shell("echo plain text | weir filter '|= \"a\"'")
        self.assertEqual(codes[-1], 2, err)
        self.assertEqual(out, b"")
        codes, out, err = self.shell("""printf '{"line":"a"}\\nbroken\\n{"line":"c"}\\n' | weir enrich --level""")
        self.assertEqual(codes[-1], 3, err)
        self.assertEqual([r["line"] for r in kit.records(out.splitlines())], ["a", "broken", "c"])
        self.assertIn("weir_error", next(r for r in kit.records(out.splitlines()) if r["line"] == "broken")["metadata"])

    def test_files_that_cannot_be_read(self):
        if os.geteuid() == 0:
            self.skipTest("root may read everything")
        self.log.chmod(0)
        self.assertEqual(self.shell("weir tail $P")[0], [4])
        other = self.log.with_name("1.log")
        other.write_bytes(LOG)
        self.assertEqual(self.shell("weir tail $P")[0], [3])

    def test_wrong_usage(self):
        for text in ("weir nonsense", "weir tail --no-such-option", "weir filter '{a='", "weir run -c 'tail $P |'", "weir run -c 'tail *'"):
            with self.subTest(text):
                self.assertEqual(self.shell(text)[0], [2])


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
