#!/usr/bin/env python3
"""Links, more files than descriptors, and logs that are older than anybody takes: what is followed, once; what was lost is reported."""
import os
import signal
import subprocess
import time
import unittest

import weir_kit as kit
from names_kit import NamesCase, both_ways, cri


class Links(NamesCase):
    # -- links --

    @both_ways
    def test_two_paths_to_one_folder(self, fused):
        link = self.dir / "link"
        link.symlink_to(self.logs)
        chain = self.follow(fused, self.logs, link)
        for i in range(8):
            folder = self.logs / f"shop_brief-{i}_uid" / "c"
            folder.mkdir(parents=True)
            with open(folder / "0.log", "w", encoding="ascii") as out:
                for j in range(5):
                    self.lines.append(f"pod {i} line {j}")
                    out.write(cri(self.lines[-1]))
            self.wait_lines(chain)
            with open(folder / "0.log", "a", encoding="ascii") as out:
                self.lines.append(f"pod {i} last line")
                out.write(cri(self.lines[-1]))
            (folder / "0.log").unlink()
            folder.rmdir()
            folder.parent.rmdir()
        self.wait_lines(chain)
        chain.stop()
        self.assert_once(chain)

    @both_ways
    def test_a_planted_link_is_not_followed(self, fused):
        secret = self.dir / "secret"
        secret.write_text("a secret\n", encoding="ascii")
        folder = self.logs / "shop_evil_uid" / "c"
        folder.mkdir(parents=True)
        (folder / "0.log").symlink_to(secret)
        (folder / "2.log").symlink_to("/dev/zero")
        (self.logs / "a_b_c").symlink_to(self.dir)
        (folder / "1.log").write_text(cri("its own"), encoding="ascii")
        self.lines = ["its own"]
        for follow in (True, False):
            chain = self.chain([f"tail {'-f' if follow else ''} {self.logs}"], fused)
            kit.wait_for(lambda: b"its own" in b"".join(chain.output()) or not chain.running(), chain.errors)
            kit.wait_for(lambda: "symbolic link" in chain.errors(), chain.errors)
            if follow:
                chain.stop()
            else:
                self.assertEqual(chain.wait(), [3], chain.errors())
            self.assertEqual([r["line"] for r in kit.records(chain.output())], ["its own"])
            self.assertEqual(chain.errors().count("a symbolic link leads out of the log folders"), 1, chain.errors())
        out = kit.weir("tail", "--log-root", self.dir, self.logs / "shop_evil_uid", "-o", "jsonl", expect=None)
        self.assertIn(b"a secret", out)
        self.assertIn(b"a secret", kit.weir("tail", "--follow-links", folder / "0.log", folder / "1.log", "-o", "jsonl"))
        self.assertIn(b"a secret", kit.weir("tail", folder / "0.log", "-o", "jsonl"))  # named

    # -- few descriptors --

    @both_ways
    def test_more_logs_than_descriptors(self, fused):
        logs, limit = 400, 160
        target = self.sink()
        for i in range(logs):
            self.write(self.logs / f"log-{i:03d}.log")
        stages = [f"tail -f --checkpoint {self.spool} {self.logs}", f"buffer {self.spool}", f"push {target}"]

        def limited(command):
            return ["prlimit", f"--nofile={limit}:{limit}", *command]

        commands = [[kit.WEIR, "run", "-c", " | ".join(stages)]] if fused else [[kit.WEIR, *stage.split()] for stage in stages]
        errors = open(self.dir / "errors", "wb")
        self.addCleanup(errors.close)
        processes, source = [], subprocess.DEVNULL
        for command in commands:
            processes.append(self.start(*limited(command), stdin=source, stdout=subprocess.PIPE, stderr=errors, env=kit.environment()))
            source = processes[-1].stdout

        def told():
            return (self.dir / "errors").read_text(encoding="utf-8", errors="replace")

        kit.wait_for(lambda: kit.sink_stats(target)["entries"] >= len(self.lines), told)
        for i in range(logs):  # all of them are followed, those that are rotated too
            path = self.logs / f"log-{i:03d}.log"
            self.write(path, 1)
            if i % 7 == 0:
                path.rename(self.logs / f"log-{i:03d}.log.1")
                self.write(path, 1)
        kit.wait_for(lambda: kit.sink_stats(target)["entries"] >= len(self.lines), told)
        processes[0].send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(kit.PATIENCE)
        self.assertEqual(kit.sink_stats(target)["entries"], len(self.lines), told())
        self.assertIn("ulimit -n", told())
        self.assertEqual(told().count("more log files than this process may open"), 1, told())

    @both_ways
    def test_more_logs_than_descriptors_at_a_restart(self, fused):
        """All were rotated while nothing ran: two files of each are opened, compared and read."""
        logs, limit = 120, 64
        tail = f"tail -f --checkpoint {self.spool} {self.logs}"
        stages = [tail if not fused else f"tail -f {self.logs}", f"buffer {self.spool} --store"]

        def run(lines):
            errors = open(self.dir / "errors", "ab")
            self.addCleanup(errors.close)
            limited = ["prlimit", f"--nofile={limit}:{limit}"]
            if fused:
                processes = [self.start(*limited, kit.WEIR, "run", "-c", " | ".join(stages), stderr=errors, env=kit.environment())]
            else:
                first = self.start(*limited, kit.WEIR, *stages[0].split(), stdout=subprocess.PIPE, stderr=errors, env=kit.environment())
                processes = [first, self.start(kit.WEIR, *stages[1].split(), stdin=first.stdout, stderr=errors, env=kit.environment())]
            told = lambda: (self.dir / "errors").read_text(encoding="utf-8", errors="replace")
            kit.wait_for(lambda: len(self.stored()) >= lines, lambda: f"{len(self.stored())} of {lines}: {told()[-2000:]}")
            processes[0].send_signal(signal.SIGTERM)
            for process in processes:
                process.wait(kit.PATIENCE)

        paths = [self.logs / f"log-{i:03d}.log" for i in range(logs)]
        for path in paths:
            self.write(path, 1)
        run(logs)
        run(logs)  # nothing changed
        self.assert_once()
        for path in paths:
            self.write(path, 1)
            path.rename(f"{path}.1")
            self.write(path, 1)
        run(3 * logs)
        self.assert_once()

    @both_ways
    def test_more_rotated_files_than_descriptors_read_once(self, fused):
        for i in range(60):
            for j in range(3):
                self.write(self.logs / f"log-{i:03d}.log{'' if j == 0 else f'.{j}'}", 1)
        command = [kit.WEIR, "run", "-c", f"tail '{self.logs}/*' -o jsonl"] if fused else [kit.WEIR, "tail", f"{self.logs}/*", "-o", "jsonl"]
        done = subprocess.run(["prlimit", "--nofile=64:64", *command], env=kit.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted(r["line"] for r in kit.records(done.stdout.splitlines())), sorted(self.lines))

    # -- a first start on an old node --

    DAY = 86400

    @both_ways
    def test_what_is_older_than_loki_takes_is_left_out(self, fused):
        pods = self.logs

        def log(pod, rows, name="0.log"):
            staged = self.dir / f"shop_{pod}_uid"  # so that it is there at once
            folder = staged / "c"
            folder.mkdir(parents=True)
            text = "".join(cri(t, age) for t, age in rows)
            (folder / name).write_text(text, encoding="ascii")
            newest = time.time() - min(age for _, age in rows)
            os.utime(folder / name, (newest, newest))
            staged.rename(pods / staged.name)

        old = [(f"old {i} {'x' * 100}", 9 * self.DAY - i) for i in range(3000)]
        log("old", old)
        log("both", old + [(f"young {i}", 60 - i / 100) for i in range(100)])
        log("edge", [("a minute too old", 7 * self.DAY + 60), ("just young enough", 7 * self.DAY - 60)])
        chain = self.chain([f"tail -f --checkpoint {self.spool} {pods}", f"buffer {self.spool} --store"], fused)
        young = [f"young {i}" for i in range(100)]
        kit.wait_for(lambda: len(self.rows()[0].get("both", [])) >= 100, chain.errors)
        # A log that comes later is looked at in the same way.
        log("later", old[:10] + [("of today", 1)])
        kit.wait_for(lambda: "later" in self.rows()[0], chain.errors)
        chain.stop()
        rows, gaps = self.rows()
        self.assertEqual(gaps, [])
        self.assertEqual(rows, {"both": young, "edge": ["just young enough"], "later": ["of today"]})
        self.assertRegex(chain.errors(), r"left out .* of 3 log files, older than 7d \(--max-age")
        # What has a position is read, however old it has become; and nothing of what was left out comes after all.
        chain = self.chain([f"tail -f --checkpoint {self.spool} {pods}", f"buffer {self.spool} --store"], fused)
        with open(pods / "shop_old_uid" / "c" / "0.log", "a", encoding="ascii") as out:
            out.write(cri("written now", 0))
        kit.wait_for(lambda: "old" in self.rows()[0], chain.errors)
        chain.stop()
        self.assertEqual(self.rows()[0]["old"], ["written now"])

    @both_ways
    def test_max_age_0_reads_all(self, fused):
        folder = self.logs / "shop_old_uid" / "c"
        folder.mkdir(parents=True)
        (folder / "0.log").write_text(cri("old", 9 * self.DAY), encoding="ascii")
        for options in ("--max-age 0", "--since 30d"):
            self.spool = self.dir / f"{len(options)}.db"
            chain = self.follow(fused, options=options)
            self.wait_lines(chain, 1)
            chain.stop()
            self.assertNotIn("left out", chain.errors())
        # Reading once, nothing is left out unless it is asked for.
        self.assertIn(b'"old"', kit.weir("tail", self.logs, "-o", "jsonl"))
        self.assertEqual(kit.weir("tail", "--max-age", "7d", self.logs, "-o", "jsonl"), b"")

    # -- what was lost --

    @both_ways
    def test_each_log_that_was_lost_is_reported(self, fused):
        pods = ["a", "b", "c", "d"]
        for pod in pods:
            folder = self.logs / f"shop_{pod}_uid" / "c"
            folder.mkdir(parents=True)
            (folder / "0.log").write_text(cri("first"), encoding="ascii")
        chain = self.follow(fused)
        self.wait_lines(chain, 4)
        chain.stop()
        for pod in pods[:3]:
            folder = self.logs / f"shop_{pod}_uid" / "c"
            (folder / "0.log").unlink()
            folder.rmdir()
            folder.parent.rmdir()
        chain = self.follow(fused)
        kit.wait_for(lambda: len(self.rows()[1]) == 3, chain.errors)
        chain.signal(signal.SIGTERM, 0)
        codes = chain.wait()
        self.assertEqual(codes[0], 3, f"{codes}\n{chain.errors()}")
        errors = chain.errors()
        for pod in pods[:3]:
            self.assertIn(f"shop_{pod}_uid/c/0.log", errors)
        self.assertIn("3 logs lost data: shop/", errors)


if __name__ == "__main__":
    unittest.main()
