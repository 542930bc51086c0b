#!/usr/bin/env python3
"""examples/systemd: the unit is one that systemd accepts, and starts weir with options that it has and a pipeline that is correct."""
import argparse
import configparser
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest


class Unit(unittest.TestCase):
    weir, source = "", pathlib.Path()

    def setUp(self):
        self.folder = self.source / "examples" / "systemd"
        self.unit = configparser.ConfigParser(interpolation=None, strict=False)
        self.unit.optionxform = str
        self.unit.read(self.folder / "weir.service")

    def test_systemd_accepts_it(self):
        analyze = shutil.which("systemd-analyze")
        if analyze is None:
            self.skipTest("there is no systemd-analyze")
        with tempfile.TemporaryDirectory() as folder:
            # The program and its user need not be installed here.
            copy = pathlib.Path(folder) / "weir.service"
            copy.write_text((self.folder / "weir.service").read_text().replace("/usr/bin/weir", str(pathlib.Path(self.weir).resolve()))
                            .replace("User=weir", "User=root"))
            done = subprocess.run([analyze, "verify", "--man=no", copy], capture_output=True, text=True, check=False)
        said = [line for line in done.stderr.splitlines() if "weir" in line]
        self.assertEqual(said, [])

    def test_weir_has_the_options_and_takes_the_pipeline(self):
        words = shlex.split(self.unit["Service"]["ExecStart"])
        self.assertEqual(words[:2], ["/usr/bin/weir", "run"])
        self.assertEqual(pathlib.Path(words[-1]).name, "node.weir")
        with tempfile.TemporaryDirectory() as folder:
            text = (self.folder / "node.weir").read_text().replace("/var/lib/weir", folder).replace("/etc/weir", str(self.folder.resolve()))
            (pathlib.Path(folder) / "rules").write_text("# Temporary rules.\n")
            (pathlib.Path(folder) / "node.weir").write_text(text)
            done = subprocess.run([self.weir, *words[1:-1], "--check", f"{folder}/node.weir"], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("1 pipeline of 5 stages: ok", done.stdout)

    def test_the_watchdog_and_the_drain_have_time(self):
        service = self.unit["Service"]
        self.assertEqual(service["Type"], "notify")
        self.assertGreater(int(service["WatchdogSec"]), 60)  # a thread counts as hanging after 30 s, and is asked twice in this time
        self.assertGreater(int(service["TimeoutStopSec"]), 20)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--weir", required=True)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    known, rest = parser.parse_known_args()
    Unit.weir, Unit.source = known.weir, known.source.resolve()
    unittest.main(argv=[sys.argv[0], *rest])
