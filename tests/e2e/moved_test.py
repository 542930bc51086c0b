#!/usr/bin/env python3
"""Files that lose the name under which they were read, over restarts: each line of them is stored once."""
import os
import signal
import unittest

from names_kit import NamesCase, both_ways, cri
import weir_kit as kit


class Moved(NamesCase):
    SHAPES = ["{}-2026-01-0{}.log", "{}-r{}.log", "{}.{}.log", "old{1}.log"]

    def put(self, path, count=1):
        """As write(), in the form of the folder."""
        if "_uid" not in str(path):
            return self.write(path, count)
        with open(path, "a", encoding="ascii") as out:
            for _ in range(count):
                self.lines.append(f"line {len(self.lines)}")
                out.write(cri(self.lines[-1]))

    def pod(self, name):
        folder = self.logs / f"shop_{name}_uid" / "c"
        folder.mkdir(parents=True)
        return folder

    def stopped(self, chain, kill=False):
        if kill:
            chain.signal(signal.SIGKILL, 0)
            chain.wait()
        else:
            chain.stop()

    def over_restarts(self, fused, paths, *steps):
        """Each step changes files while nothing runs; every second end is a SIGKILL."""
        for turn, step in enumerate((*steps, None, None)):
            if step is not None:
                step()
            self.put(self.mark)  # so that there is something to wait for
            chain = self.follow(fused, *paths)
            self.wait_lines(chain)
            self.stopped(chain, kill=turn % 2 == 1)
        self.assert_once(chain)

    def rotations(self):
        """Logs, and how each is rotated: (live, [names])."""
        found, paths = [], [self.logs]
        for kind in ("pod", "plain"):
            for i, shape in enumerate(self.SHAPES):
                for count in (1, 2):
                    folder = self.pod(f"p{i}-{count}") if kind == "pod" else self.dir / f"plain-{i}-{count}"
                    folder.mkdir(exist_ok=True)
                    if kind == "plain":
                        paths.append(folder)
                    stem = "0" if kind == "pod" else "server"
                    found.append((folder / f"{stem}.log", [folder / shape.format(stem, n) for n in range(1, count + 1)]))
        self.mark = self.pod("mark") / "0.log"
        return found, paths

    @both_ways
    def test_rotated_names_in_pods_and_beside_over_restarts(self, fused):
        for live in (True, False):
            with self.subTest(live=live):
                self.setUp()
                logs, paths = self.rotations()
                for log, _ in logs:
                    self.put(log)
                chain = self.follow(fused, *paths)
                self.wait_lines(chain)
                if not live:
                    self.stopped(chain)
                for turn in range(2):
                    for log, names in logs:
                        if turn < len(names):
                            self.put(log)
                            log.rename(names[turn])
                            self.put(log)
                    if live:
                        self.wait_lines(chain)
                if live:
                    self.stopped(chain)
                # The writer of a rotated file may still have it.
                self.over_restarts(fused, paths, None, None, lambda: [self.put(names[0]) for _, names in logs])

    @both_ways
    def test_rotated_more_often_than_positions_remember(self, fused):
        folder = self.pod("many")
        self.mark = self.pod("mark") / "0.log"
        chain = self.follow(fused)
        for turn in range(12):
            self.put(folder / "0.log")
            self.wait_lines(chain)
            (folder / "0.log").rename(folder / f"0-r{turn}.log")
            if turn % 5 == 4:
                self.stopped(chain, kill=turn == 9)
                chain = self.follow(fused)
        self.put(folder / "0.log")
        self.wait_lines(chain)
        self.stopped(chain)
        # What was read to its end is not lost when it goes.
        self.over_restarts(fused, [self.logs], None, lambda: self.put(folder / "0-r1.log"), lambda: (folder / "0-r0.log").unlink())

    @both_ways
    def test_another_path_to_the_same_folder(self, fused):
        first, link, second = (self.dir / name for name in ("first", "link", "second"))
        first.mkdir()
        link.symlink_to(first)
        live = first / "app.log"

        def read(folder):
            self.write(live)
            chain = self.follow(fused, folder)
            self.wait_lines(chain)
            self.stopped(chain)
            return chain

        for folder in (first, link, first):
            read(folder)
        first.rename(second)
        live = second / "app.log"
        read(second)
        self.write(live)
        live.rename(second / "app.log.1")  # and the live file is one that no position knows
        self.assert_once(read(second))

    @both_ways
    def test_a_log_that_ended_and_left_a_rotated_file(self, fused):
        folder = self.pod("ended")
        self.mark = self.pod("mark") / "0.log"
        self.put(folder / "0.log")
        chain = self.follow(fused)
        self.wait_lines(chain)
        (folder / "0.log").rename(folder / "0-r1.log")
        self.put(folder / "0.log")
        self.wait_lines(chain)
        (folder / "0.log").unlink()
        pid = chain.processes[0].pid
        ours = str(folder)
        kit.wait_for(lambda: not any(os.readlink(f"/proc/{pid}/fd/{fd}").startswith(ours) for fd in os.listdir(f"/proc/{pid}/fd")
                                     if os.path.islink(f"/proc/{pid}/fd/{fd}")), "the log to end")
        self.stopped(chain)
        self.over_restarts(fused, [self.logs], None, lambda: self.put(folder / "0-r1.log"))

    @both_ways
    def test_hard_links_whose_first_name_goes_while_nothing_runs(self, fused):
        self.mark = self.pod("mark") / "0.log"
        groups = []  # of the names of one file, the first of which goes
        for i, links in enumerate((["a/0", "b/0"], ["a/0", "a/1"], ["a/0", "a/1", "b/0"], ["a/0", "b/7", "b/8"])):
            folders = {name: self.pod(f"{name}{i}") for name in "ab"}
            groups.append([folders[link[0]] / f"{link[2:]}.log" for link in links])
        for first, *others in groups:
            self.put(first)
            for other in others:
                os.link(first, other)

        def replace():
            for first, *others in groups:
                self.put(others[0])
                first.unlink()
                self.put(first)

        def write_on():
            for _, *others in groups:
                for other in others:
                    self.put(other)

        self.over_restarts(fused, [self.logs], None, replace, write_on)
        chain = self.follow(fused)
        write_on()
        self.wait_lines(chain)
        self.stopped(chain, kill=True)
        self.over_restarts(fused, [self.logs], write_on)

    @both_ways
    def test_what_moved_is_read_once_by_a_run_that_ends(self, fused):
        a, b = self.pod("a"), self.pod("b")
        self.put(a / "0.log")
        os.link(a / "0.log", b / "0.log")

        def run():
            tail = f"tail --checkpoint {self.spool} {self.logs}"
            self.chain([tail, f"buffer {self.spool} --store"], fused).wait()
            self.assert_once()

        run()
        self.put(b / "0.log")
        (a / "0.log").unlink()
        self.put(a / "0.log")
        run()
        (a / "0.log").rename(a / "0-r1.log")
        self.put(a / "0.log")
        run()
        self.put(a / "0-r1.log")
        self.put(b / "0.log")
        run()
        run()


if __name__ == "__main__":
    unittest.main()
