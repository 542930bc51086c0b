#!/usr/bin/env python3
"""What files and streams may hold, and what people are shown of it."""
import os
import pty
import re
import subprocess
import unittest

import weir_kit as kit

TIME = "2026-01-02T03:04:05Z"


def cri(text, tag="F", stream="stdout"):
    return f"{TIME} {stream} {tag} {text}\n"


class Reading(kit.Case):
    def pod_file(self, name="0.log", pod="shop_web-0_uid"):
        path = self.dir / "pods" / pod / "main" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def both(self):
        """As a pipe and fused, each in a folder of its own."""
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                yield fused

    def lines(self, chain):
        return [record["line"] for record in kit.records(chain if isinstance(chain, list) else chain.output())]

    def test_odd_bytes(self):
        for fused in self.both():
            self.pod_file().write_bytes(b"\xef\xbb\xbf" + (cri("one", "P") + f"{TIME} stdout F\n" + cri("two") + f"{TIME} stdout hello world again\n").encode() +
                                        bytes(5000) + cri("three").encode())
            (self.dir / "pods" / "wide.log").write_text("one\n", encoding="utf-16")
            chain = self.chain([f"tail {self.dir / 'pods'}", "enrich", "filter '{}'"], fused)
            self.assertEqual(chain.wait()[0], 3)
            lines = self.lines(chain)
            self.assertEqual(lines[:3] + lines[4:], ["one", "two", f"{TIME} stdout hello world again", "three"])
            self.assertRegex(lines[3], "^weir: 5000 bytes of .*/0.log from byte [0-9]+ on are lost: zeros stand there")
            self.assertIn("wide.log: it is UTF-16 text", chain.errors())

    def test_last_words_at_the_end(self):
        for fused in self.both():
            self.pod_file().write_text(cri("one") + cri("par", "P") + f"{TIME} stderr F last")
            chain = self.chain([f"tail -f {self.dir / 'pods'}", "filter '{}'"], fused)
            kit.wait_for(lambda: self.lines(chain) == ["one"], chain.errors())
            chain.stop()
            self.assertCountEqual(self.lines(chain), ["one", "par", "last"])

    def test_last_words_of_a_container_that_was_started_again(self):
        """Tracked: also when the chain is killed behind them, they are stored once."""
        for fused in self.both():
            spool = self.dir / "spool.db"
            self.pod_file().write_text(cri("one") + cri("pan", "P", "stderr") + f"{TIME} stderr F ic")
            tail = f"tail -f --max-age 0 {self.dir / 'pods'}"
            stages = [tail if fused else f"{tail} --checkpoint {spool}", "enrich", f"buffer {spool}"]
            chain = self.chain(stages, fused)
            kit.wait_for(lambda: "one" in self.lines(chain), chain.errors())
            self.assertEqual(self.lines(chain), ["one"])
            self.pod_file("1.log").write_text(cri("two"))
            kit.wait_for(lambda: len(self.lines(chain)) == 3, chain.errors())
            self.assertCountEqual(self.lines(chain), ["one", "two", "panic"])
            stored = lambda: self.lines(kit.weir("replay", spool, expect=None).splitlines())
            kit.wait_for(lambda: len(stored()) == 3, chain.errors())
            chain.kill()
            again = self.chain(stages, fused)
            with self.pod_file("1.log").open("a") as log:
                log.write(cri("three"))
            kit.wait_for(lambda: "three" in stored(), again.errors())
            again.stop()
            self.assertCountEqual(stored(), ["one", "two", "panic", "three"])

    def test_a_fifo_in_front_of_a_spool(self):
        for fused in self.both():
            os.mkfifo(self.dir / "fifo")
            chain = self.chain([f"tail {self.dir / 'fifo'}", f"buffer {self.dir / 'spool.db'}"], fused)
            with open(self.dir / "fifo", "wb") as fifo:
                fifo.write(b"one\ntwo\n")
            self.assertEqual(set(chain.wait()), {0}, chain.errors())
            self.assertEqual(self.lines(chain), ["one", "two"])

    def test_a_stream_beside_files_with_positions(self):
        self.pod_file()
        os.mkfifo(self.dir / "fifo")
        for options in (f"--checkpoint {self.dir / 'spool.db'}", "--lines 3", "--from end"):
            done = subprocess.run([kit.WEIR, "tail", self.dir / "fifo", *options.split()], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
            self.assertEqual(done.returncode, 2, done.stderr)
        done = subprocess.run([kit.WEIR, "run", "-c", f"tail {self.dir}/pods {self.dir}/fifo | buffer {self.dir}/spool.db"], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn(b"together with files whose positions are kept", done.stderr)

    def on_terminal(self, args, count):
        """What `weir tail ARGS` shows on a terminal until it showed so many records."""
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        process = self.start(kit.WEIR, "tail", *map(str, args), stdin=subprocess.DEVNULL, stdout=slave, stderr=slave, env=kit.environment(TERM="dumb"))
        os.close(slave)
        shown = b""
        while len(re.findall(b"line [0-9]+\r\n", shown)) < count:
            shown += os.read(master, 65536)
        process.terminate()
        return shown.decode().replace("\r", "")

    def test_a_terminal_begins_with_the_last_lines_and_says_so(self):
        for pod in ("shop_a_1", "shop_b_2", "shop_c_3"):
            self.pod_file(pod=pod).write_text("".join(cri(f"line {i:03}") for i in range(100)))
        pods = self.dir / "pods"
        shown = self.on_terminal(["-f", pods], 30)
        self.assertIn("showing the last 10 lines of each of 3 logs; --lines all for everything", shown)
        self.assertEqual(sorted(re.findall("line [0-9]+", shown)), sorted([f"line {i:03}" for i in range(90, 100)] * 3))
        shown = self.on_terminal(["-f", pods, "--lines", "all"], 300)
        self.assertNotIn("showing", shown)
        shown = self.on_terminal(["-f", pods, "--from", "start"], 300)
        self.assertNotIn("showing", shown)
        self.assertNotIn("showing", self.on_terminal([pods], 300))

    def test_into_a_pipe_everything_is_followed(self):
        self.pod_file().write_text("".join(cri(f"line {i:03}") for i in range(100)))
        chain = self.chain([f"tail -f -o text {self.dir / 'pods'}"], False)
        kit.wait_for(lambda: len(chain.output()) == 100, chain.errors())
        chain.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
