#!/usr/bin/env python3
"""Too little memory, too many processes, files that may not grow: every command ends with exit code 4 and says why, never by a signal."""
import os
import resource
import shutil
import subprocess
import time
import unittest

import weir_kit as kit

MiB = 1 << 20
DEAD = "http://127.0.0.1:9"  # discard: nobody listens

BEGINS = int(time.time()) - 3600  # of the lines

class Limits(kit.Case):
    def setUp(self):
        super().setUp()
        log = self.dir / "pods" / "ns_pod_11111111-2222-3333-4444-555555555555" / "c" / "0.log"
        log.parent.mkdir(parents=True)
        with open(log, "w", encoding="ascii") as out:
            for i in range(20000):
                out.write(f"{kit.stamp_of(BEGINS, i)} stdout F line {i} of some text that fills the line\n")
        self.records = self.dir / "records.jsonl"
        self.records.write_bytes(kit.weir("tail", self.dir / "pods"))
        self.spool = self.dir / "spool.db"
        with open(self.records, "rb") as stdin:
            kit.weir("buffer", "--store", self.spool, stdin=stdin)

    def run_limited(self, args, limits, user=None, program=kit.WEIR):
        """(return code, stderr), with None for a command that was still running after some seconds."""
        def prepare():
            for what, value in limits.items():
                resource.setrlimit(what, (value, value))
            if user is not None:
                os.setgroups([])
                os.setgid(user)
                os.setuid(user)

        with open(self.records, "rb") as source:
            process = subprocess.Popen([program, *map(str, args)], stdin=source, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                       cwd=self.dir, env=kit.environment(), preexec_fn=prepare)
            try:
                _, errors = process.communicate(timeout=2)
                return process.returncode, errors.decode()
            except subprocess.TimeoutExpired:
                process.kill()
                return None, process.communicate()[1].decode()

    def commands(self):
        fresh = self.dir / "fresh.db"
        yield ["tail", "pods"]
        yield ["enrich", "--level", "metadata"]
        yield ["filter", '|= "line" | logfmt | x=""']
        yield ["buffer", "--store", fresh]
        yield ["buffer", fresh]
        yield ["push", DEAD]
        yield ["push", "--spool", self.spool, DEAD]
        yield ["replay", self.spool]
        yield ["query", "--spool", self.spool, '|= "line 7"']
        yield ["query", "--addr", DEAD, '{a="b"}']
        yield ["spool", "check", self.spool]
        yield ["run", "-c", f"tail pods | enrich | buffer fresh.db | push {DEAD}"]
        yield ["run", "-c", "tail pods | filter '|= \"x\"'"]

    def fresh(self):
        for file in self.dir.glob("fresh.db*"):
            file.unlink()

    def test_memory(self):
        words = 0
        for limit in (18, 24, 32, 44, 64):
            for args in self.commands():
                self.fresh()
                code, errors = self.run_limited(args, {resource.RLIMIT_AS: limit * MiB})
                if code == 127 or (code == 1 and "error while loading shared libraries" in errors):
                    continue  # the loader of the system had too little for the program itself
                self.assertIn(code, (None, 0, 3, 4), (limit, args, errors))
                if code == 4:
                    self.assertIn("weir", errors, (limit, args))
                words += "there is no more memory" in errors
        self.assertGreater(words, 0)

    def test_processes(self):
        if os.geteuid() != 0:
            self.skipTest("only root can become a user who has a process already")
        self.spool.unlink()
        os.chmod(self.dir, 0o777)
        other = self.dir / "bin"
        shutil.copy(kit.WEIR, other)
        os.chmod(other, 0o755)
        for args in (["tail", "-f", "pods"], ["buffer", "fresh.db"], ["push", DEAD], ["run", "-c", f"tail -f pods | push {DEAD}"],
                     ["run", "-c", f"tail pods | buffer fresh.db | push {DEAD}"]):
            self.fresh()
            code, errors = self.run_limited(args, {resource.RLIMIT_NPROC: 1}, user=100000 + os.getpid() % 100000, program=other)
            self.assertEqual(code, 4, (args, errors))
            self.assertIn("cannot start a thread", errors, args)

    def test_size_of_files(self):
        for limit in (0, 4096, 200000):
            for args in self.commands():
                self.fresh()
                code, errors = self.run_limited(args, {resource.RLIMIT_FSIZE: limit})
                self.assertIn(code, (None, 0, 4), (limit, args, errors))
                if "buffer" in args and limit > 0:
                    self.assertIn("ulimit -f", errors, (limit, args))
        with open(self.dir / "out", "wb") as out:
            done = subprocess.run([kit.WEIR, "tail", "pods"], stdout=out, stderr=subprocess.PIPE, cwd=self.dir, env=kit.environment(), check=False,
                                  preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)))
        self.assertEqual((done.returncode, done.stderr), (4, b"weir tail: cannot write the output: File too large\n"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
