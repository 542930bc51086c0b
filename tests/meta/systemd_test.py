#!/usr/bin/env python3
"""examples/systemd: the unit is one that systemd accepts, and starts weir with options that it has and a pipeline that is correct."""
import argparse
import configparser
import os
import pathlib
import re
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
        analyze = self.analyze()
        with tempfile.TemporaryDirectory() as folder:
            # The program and its user need not be installed here.
            copy = pathlib.Path(folder) / "weir.service"
            copy.write_text((self.folder / "weir.service").read_text().replace("/usr/bin/weir", str(pathlib.Path(self.weir).resolve()))
                            .replace("User=weir", "User=root"))
            done = subprocess.run([analyze, "verify", "--man=no", copy], capture_output=True, text=True, check=False)
        said = [line for line in done.stderr.splitlines() if "weir" in line]
        self.assertEqual(said, [])

    def analyze(self):
        program = shutil.which("systemd-analyze")
        if program is None:
            self.assertNotEqual(os.environ.get("CI"), "true", "CI has systemd-analyze")
            self.skipTest("there is no systemd-analyze")
        return program

    def test_what_it_exposes(self):
        """Of 10 points of exposure, 3 at most."""
        done = subprocess.run([self.analyze(), "security", "--offline=true", "--no-pager", "--threshold=30", self.folder / "weir.service"],
                              capture_output=True, text=True, check=False)
        exposure = float(re.search(r"Overall exposure level for weir.service: ([0-9.]+)", done.stdout).group(1))
        self.assertLessEqual(exposure, 3.0, done.stdout)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_system_calls_are_ones_that_systemd_knows(self):
        """Each by name, with no group but @default: what is allowed is what was measured (tests/security/syscalls_test.py --measure)."""
        lines = re.findall(r"^SystemCallFilter=(.*)$", (self.folder / "weir.service").read_text(), re.M)
        names = [name for line in lines for name in line.split()]
        self.assertEqual([name for name in names if name.startswith("@")], ["@default"])
        self.assertEqual(names[1:], sorted(set(names[1:])))
        known = subprocess.run([self.analyze(), "syscall-filter"], capture_output=True, text=True, check=True).stdout.split()
        self.assertEqual([name for name in names if name not in known], [])
        dangerous = {"ptrace", "mount", "bpf", "process_vm_writev", "setuid", "chown", "unshare", "setns", "init_module", "perf_event_open", "userfaultfd",
                     "io_uring_setup", "kexec_load", "keyctl", "mknod", "personality", "reboot", "swapon"}
        self.assertEqual(dangerous & set(names), set())

    def test_the_temporary_rules_are_made_once(self):
        """ExecStartPre makes the file that the pipeline names, with a comment, and leaves one that is there alone."""
        words = shlex.split(self.unit["Service"]["ExecStartPre"])
        with tempfile.TemporaryDirectory() as folder:
            rules = pathlib.Path(folder) / "rules"
            command = [word.replace("/var/lib/weir", folder) for word in words]
            subprocess.run(command, check=True)
            self.assertRegex(rules.read_text(), r"\A# .*\n\Z")
            self.assertEqual(subprocess.run([self.weir, "rules", "check", rules], check=False).returncode, 0)
            rules.write_text('drop {app="x"}\n')
            subprocess.run(command, check=True)
            self.assertEqual(rules.read_text(), 'drop {app="x"}\n')

    def test_it_starts_again_and_a_stop_is_a_success(self):
        service, unit = self.unit["Service"], self.unit["Unit"]
        self.assertEqual(service["Restart"], "always")
        self.assertEqual(unit["StartLimitIntervalSec"], "0")  # for as long as it takes
        self.assertIn("--exit-zero-on-term", service["ExecStart"].split())
        self.assertEqual(service["SuccessExitStatus"], "3")
        self.assertEqual(service["EnvironmentFile"], "-/etc/default/weir")
        self.assertEqual((service["User"], service["CapabilityBoundingSet"], service["AmbientCapabilities"]),
                         ("weir", "CAP_DAC_READ_SEARCH", "CAP_DAC_READ_SEARCH"))
        self.assertEqual(service["MemoryMax"], "192M")
        for weight in ("CPUWeight", "IOWeight"):
            self.assertLess(int(service[weight]), 100)  # what others have

    def test_it_hides_no_logs(self):
        hidden = [path.lstrip("-") for path in self.unit["Service"]["InaccessiblePaths"].split()]
        for logs in ("/var/log/pods", "/var/log/containers", "/var/log/journal", "/run/log/journal", "/var/lib/docker/containers", "/etc/weir", "/var/lib/weir"):
            self.assertFalse([path for path in hidden if logs.startswith(path)], logs)

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
        self.assertEqual(service["WatchdogSec"], "5min")  # a thread counts as hanging after 30 s, and is asked twice in this time
        self.assertGreater(int(service["TimeoutStopSec"]), 20)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--weir", required=True)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    known, rest = parser.parse_known_args()
    Unit.weir, Unit.source = known.weir, known.source.resolve()
    unittest.main(argv=[sys.argv[0], *rest])
