#!/usr/bin/env python3
"""One file under several names, rotated and renamed: what is followed, once."""
import os
import unittest

import weir_kit as kit
from names_kit import NamesCase, both_ways


class Names(NamesCase):
    # -- rotated names that keep the extension --

    NAMES = ["server-2026-01-02T03-04-05.000.log", "server.1.log", "server.2026-01-02.log", "server-1.log", "other.log"]

    @both_ways
    def test_a_rotated_file_whose_name_is_a_log_is_read_once(self, fused):
        for name in self.NAMES:
            with self.subTest(name=name):
                self.setUp()
                self.write()
                chain = self.follow(fused)
                self.wait_lines(chain)
                self.live.rename(self.logs / name)
                self.write()
                self.write(self.logs / name, 1)  # the writer still has the old one for a moment
                self.wait_lines(chain)
                self.live.rename(self.logs / f"again-{name}") if name == "other.log" else None
                self.write()
                self.wait_lines(chain)
                chain.stop()
                rows = self.assert_once(chain)
                self.assertEqual(list(rows), ["server.log"])

    @both_ways
    def test_rotated_while_nothing_ran(self, fused):
        for named in (False, True):
            for name in self.NAMES:
                with self.subTest(name=name, named=named):
                    self.setUp()
                    self.write()
                    paths = [self.live] if named else [self.logs]
                    chain = self.follow(fused, *paths)
                    self.wait_lines(chain)
                    chain.stop()
                    self.write()  # not read before it is renamed
                    self.live.rename(self.logs / name)
                    self.write()
                    chain = self.follow(fused, *paths)
                    self.wait_lines(chain)
                    self.write()
                    self.wait_lines(chain)
                    chain.stop()
                    rows = self.assert_once(chain)
                    self.assertEqual(list(rows), ["server.log"])
                    self.assertEqual(rows["server.log"], self.lines)

    @both_ways
    def test_rotated_twice_while_nothing_ran(self, fused):
        for named in (False, True):
            for shape in ("server-2026-01-{:02}.log", "server.2026-01-{:02}.log"):
                with self.subTest(shape=shape, named=named):
                    self.setUp()
                    self.write()
                    paths = [self.live] if named else [self.logs]
                    chain = self.follow(fused, *paths)
                    self.wait_lines(chain)
                    chain.stop()
                    for day in (1, 2):
                        self.write()
                        self.live.rename(self.logs / shape.format(day))
                    self.write()
                    chain = self.follow(fused, *paths)
                    self.wait_lines(chain)
                    chain.stop()
                    rows = self.assert_once(chain)
                    self.assertEqual(rows, {"server.log": self.lines})
                    # And what was read is not read again by the next start.
                    chain = self.follow(fused, *paths)
                    self.write()
                    self.wait_lines(chain)
                    chain.stop()
                    self.assertEqual(self.assert_once(chain), {"server.log": self.lines})

    @both_ways
    def test_moved_while_nothing_ran_and_written_on(self, fused):
        self.write()
        chain = self.follow(fused)
        self.wait_lines(chain)
        chain.stop()
        self.write()
        other = self.logs / "other.log"
        self.live.rename(other)
        chain = self.follow(fused)
        self.wait_lines(chain)
        self.write(other)
        self.wait_lines(chain)
        chain.stop()
        self.assert_once(chain)

    @both_ways
    def test_logrotates_extension_with_counts_over_restarts(self, fused):
        keep = 4
        for turn in range(keep + 2):
            self.write()
            chain = self.follow(fused)
            self.wait_lines(chain)
            if turn % 2:
                chain.stop()
            for i in range(keep, 0, -1):
                old = self.logs / f"server.{i}.log"
                if old.exists():
                    old.rename(self.logs / f"server.{i + 1}.log")
            self.live.rename(self.logs / "server.1.log")
            self.write()
            if turn % 2:
                chain = self.follow(fused)
            self.wait_lines(chain)
            chain.stop()
        self.assert_once(chain)

    @both_ways
    def test_a_hard_link(self, fused):
        self.write()
        os.link(self.live, self.logs / "alias.log")  # comes first by its name
        chain = self.follow(fused)
        self.wait_lines(chain)
        os.link(self.live, self.logs / "zz.log")
        self.write()
        self.wait_lines(chain)
        chain.stop()
        chain = self.follow(fused)
        self.write()
        self.wait_lines(chain)
        chain.stop()
        self.assert_once(chain)

    @both_ways
    def test_who_writes_on_to_a_renamed_file_is_read(self, fused):
        self.write()
        chain = self.follow(fused)
        self.wait_lines(chain)
        with open(self.live, "a", encoding="ascii") as writer:
            self.live.rename(self.logs / "other.log")
            self.write()
            self.wait_lines(chain)
            pid = chain.processes[0].pid
            other = str(self.logs / "other.log")
            kit.wait_for(lambda: other not in {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")
                                               if os.path.islink(f"/proc/{pid}/fd/{fd}")}, "the old file to be done with")
            self.lines.append("a late line")
            writer.write("a late line\n")
        self.wait_lines(chain)
        chain.stop()
        self.assert_once(chain)

    @both_ways
    def test_a_second_log_of_a_like_name_is_a_log(self, fused):
        for i in range(3):
            self.write(self.logs / f"server{'' if i == 0 else f'-{i}'}.log")
        chain = self.follow(fused)
        self.wait_lines(chain)
        chain.stop()
        self.live.rename(self.logs / "server.log.1")
        self.write()
        self.write(self.logs / "server-3.log")
        chain = self.follow(fused)
        for i in range(1, 4):
            self.write(self.logs / f"server-{i}.log")
        self.wait_lines(chain)
        chain.stop()
        rows = self.assert_once(chain)
        self.assertEqual({name: len(texts) for name, texts in rows.items()},
                         {"server.log": 6, "server-1.log": 6, "server-2.log": 6, "server-3.log": 6})


if __name__ == "__main__":
    unittest.main()
