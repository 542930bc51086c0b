#!/usr/bin/env python3
"""A node taken over from Promtail or Alloy: reading goes on at the positions that these kept. (tests/promtail asks a real Promtail.)"""
import collections
import subprocess
import time
import unittest

import weir_kit as kit

PODS, LINES = 5, 400


def promtail(positions):
    """As Promtail writes it: a key of more than 128 bytes is a complex one."""
    return "positions:\n" + "".join(f'  {path}: "{at}"\n' if len(path) <= 128 else f'  ? {path}\n  : "{at}"\n' for path, at in sorted(positions.items()))


def alloy(positions):
    """As Alloy writes it, with two sets of labels for each path, of which one is a line behind the other."""
    text = "positions:\n"
    for path, at in sorted(positions.items()):
        for labels, place in (('{container="app", job="shop/web"}', at), ('{container="app"}', at + 50)):
            text += f"  ? path: {path}\n    labels: '{labels}'\n  : \"{place}\"\n"
    return text

# Of the first line. Later than all that happens here, so that files are told apart by when they were made.
BEGINS = int(time.time()) + 3600

class Positions(kit.SinkCase):
    def log(self, pod):
        folder = self.pods / f"shop_web-{pod}_0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f{pod}" / "app"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / "0.log"

    def write(self, first, last):
        """The lines of each pod, the numbers from `first` on; some of them in parts."""
        with_parts = collections.Counter()
        for pod in range(PODS):
            with open(self.log(pod), "a", encoding="ascii") as log:
                for number in range(first, last):
                    stamp = kit.stamp_of(BEGINS + number // 10, number % 10 * 100_000_000 + pod)
                    stream = "stderr" if number % 7 == 3 else "stdout"
                    if number % 5 == 0:
                        log.write(f"{stamp} {stream} P line {number} ")
                        log.write(f"\n{stamp} {stream} F of {pod}\n")
                    else:
                        log.write(f"{stamp} {stream} F line {number} of {pod}\n")
                    with_parts[pod] += 1
        return with_parts

    def sizes(self):
        return {str(self.log(pod)): self.log(pod).stat().st_size for pod in range(PODS)}

    def put(self, text):
        path = self.dir / "positions.yaml"
        path.write_text(text)
        # What is made from now on is newer, though the clock of a file system may tick only every few milliseconds.
        probe = self.dir / "probe"

        def ticked():
            probe.write_text("")
            return probe.stat().st_mtime_ns > path.stat().st_mtime_ns

        kit.wait_for(ticked, "the clock of the file system")
        return path

    def rotate(self):
        for pod in range(PODS):
            self.log(pod).rename(self.log(pod).with_name("0.log.20261130-101010"))

    def expected(self, first, last):
        """By pod, the numbers of its lines."""
        return {str(pod): list(range(first, last)) for pod in range(PODS)}

    def found(self, lines):
        numbers = collections.defaultdict(list)
        for record in kit.records(lines):
            _, number, _, pod = record["line"].split()
            numbers[pod].append(int(number))
        return {pod: sorted(all) for pod, all in numbers.items()}

    def stored(self):
        return self.found(kit.weir("replay", self.spool, "-o", "jsonl", expect=None).splitlines()) if self.spool.exists() else {}

    def chain_to_spool(self, positions, fused):
        checkpoint = "" if fused else f" --checkpoint {self.spool}"
        return self.chain([f"tail -f --positions {positions}{checkpoint} {self.pods}", f"buffer {self.spool} --store"], fused)

    def test_goes_on_and_past_a_rotation(self):
        def body(fused):
            for form in (promtail, alloy):
                with self.subTest(form=form.__name__):
                    self.setUp()
                    self.write(0, LINES)
                    positions = self.put(form(self.sizes()))
                    self.write(LINES, LINES + 20)
                    self.rotate()
                    self.write(LINES + 20, 3 * LINES)  # longer than the place
                    chain = self.chain_to_spool(positions, fused)
                    kit.wait_for(lambda: self.stored() == self.expected(LINES, 3 * LINES), chain.errors)
                    errors = chain.errors()
                    self.assertIn("5 logs begin where --positions says", errors)
                    self.assertEqual("5 paths have several positions" in errors, form is alloy, errors)
                    chain.stop()
                    # They are of no use any more.
                    self.write(3 * LINES, 3 * LINES + 10)
                    chain = self.chain_to_spool(positions, fused)
                    kit.wait_for(lambda: self.stored() == self.expected(LINES, 3 * LINES + 10), chain.errors)
                    self.assertNotIn("--positions", chain.errors())
                    chain.stop()
        self.both(body)

    def test_killed_right_after_the_start(self):
        def body(fused):
            self.write(0, LINES)
            positions = self.put(promtail(self.sizes()))
            self.write(LINES, LINES + 20)
            self.rotate()
            self.write(LINES + 20, 20 * LINES)
            chain = self.chain_to_spool(positions, fused)
            kit.wait_for(lambda: self.spool.exists() and self.spool.stat().st_size > 0, chain.errors)
            for _ in range(4):
                before = self.stored()
                chain.kill()
                chain = self.chain_to_spool(positions, fused)
                kit.wait_for(lambda b=before: self.stored() != b or b == self.expected(LINES, 20 * LINES), chain.errors)
            kit.wait_for(lambda: self.stored() == self.expected(LINES, 20 * LINES), lambda: f"{chain.errors()}\n{ {k: len(v) for k, v in self.stored().items()} }")
            chain.stop()
        self.both(body)

    def test_reading_once(self):
        self.write(0, LINES)
        positions = self.put(promtail(self.sizes()))
        self.rotate()
        self.write(LINES, 2 * LINES)
        lines = self.run_chain([f"tail --positions {positions} {self.pods}"], False)
        self.assertEqual(self.found(lines), self.expected(LINES, 2 * LINES))
        fused = self.run_chain([f"tail --positions {positions} {self.pods}"], True)
        self.assert_same(lines, fused)
        with open(positions, "a", encoding="ascii") as more:
            more.write(f'  {self.pods}/shop_web-9_0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f9/app/0.log: "7"\n')
        chain = self.chain([f"tail --positions {positions} {self.pods}"], True)
        chain.wait()
        self.assertEqual(chain.errors().count("5 logs begin where --positions says; 1 position there is of a file that is gone"), 1, chain.errors())

    def test_by_another_path(self):
        """Promtail was told of the links in /var/log/containers, and weir of the pods."""
        self.write(0, LINES)
        links = self.dir / "containers"
        links.mkdir()
        at = {}
        for pod in range(PODS):
            link = links / f"web-{pod}_shop_app-{pod:064x}.log"
            link.symlink_to(self.log(pod))
            at[str(link)] = self.log(pod).stat().st_size
        positions = self.put(promtail(at))
        self.write(LINES, 2 * LINES)
        for asked in (self.pods, links):
            lines = self.run_chain([f"tail --positions {positions} {asked}"], True)
            self.assertEqual(self.found(lines), self.expected(LINES, 2 * LINES), asked)

    def test_a_file_that_cannot_be_used(self):
        self.write(0, 3)
        bad = self.put("positions:\n  /a: x\n")
        none = self.dir / "none.yaml"

        def run(path, *options, expect):
            done = subprocess.run([kit.WEIR, "run", *options, "-c", f"tail --positions {path} {self.pods} | buffer {self.spool} --store"],
                                  stdin=subprocess.DEVNULL, capture_output=True, check=False, env=kit.environment())
            self.assertEqual(done.returncode, expect, done.stderr)
            return done.stderr.decode()

        for options in ((), ("--check",)):
            self.assertIn(f"cannot read the positions in {bad}: line 2: `x` is no number of bytes", run(bad, *options, expect=2))
        run(none, "--check", expect=0)
        self.assertIn("does not exist: logs that have no position are read from their start", run(none, expect=0))
        self.assertEqual(self.stored(), self.expected(0, 3))
        # Whoever has positions needs no others.
        self.assertIn("line 2", run(bad, expect=0))

    def test_a_rotated_file_that_is_gone(self):
        self.write(0, LINES)
        positions = self.put(promtail(self.sizes()))
        for pod in range(PODS):
            self.log(pod).unlink()
        self.write(LINES, 2 * LINES)
        lines = self.run_chain([f"tail --positions {positions} {self.pods}"], True, expect=(3,))
        gaps = [r for r in kit.records(lines) if "weir_gap_bytes" in r.get("metadata", {})]
        self.assertEqual([r["metadata"]["weir_gap_bytes"] for r in gaps], ["unknown"] * PODS)
        self.assertEqual(self.found([line for line in lines if b"weir_gap_bytes" not in line]), self.expected(LINES, 2 * LINES))


if __name__ == "__main__":
    unittest.main()
