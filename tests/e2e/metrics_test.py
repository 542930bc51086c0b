#!/usr/bin/env python3
"""--metrics, --metrics-file and NOTIFY_SOCKET of running chains: what they show, and that a chain which waits is healthy."""
import os
import re
import shutil
import signal
import socket
import subprocess
import unittest

import weir_kit as kit

SLOW_DISK = os.environ.get("WEIR_SLOW_DISK", "build/release/tests/support/libweir_slow_disk.so")
SAMPLE = re.compile(r'(\w+)(?:\{(.*)\})? (\S+)$')


def values(text):
    """{"name{labels}": number} of the text format."""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, labels, value = SAMPLE.match(line).groups()
            found[f"{name}{{{labels}}}" if labels else name] = float(value)
    return found


class MetricsCase(kit.SinkCase):
    def setUp(self):
        super().setUp()
        self.log = self.dir / "app.log"
        self.log.touch()
        self.errors = self.dir / "errors"

    def write(self, *lines):
        with open(self.log, "a", encoding="utf-8") as log:
            log.writelines(line + "\n" for line in lines)

    def weir(self, *args, env=None, listens=True, **kwargs):
        """Starts a command without a terminal. With `listens`, waits until its chain runs; its address is left in self.at."""
        with open(self.errors, "wb") as errors:
            process = self.start(kit.WEIR, *map(str, args), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
                                 env=env or kit.environment(), start_new_session=True, **kwargs)
        if listens:
            self.at = kit.wait_for(lambda: self.address() or process.poll() is not None and self.fail(self.said()), "no address")
            kit.wait_for(lambda: self.get("/-/ready")[0] == 200, self.said)
        return process

    def said(self):
        return self.errors.read_text()

    def address(self):
        found = re.search(r"metrics on (http://\S+)/metrics\n", self.said())
        return found and found.group(1)

    def get(self, path, data=None, headers=None):
        status, body = kit.get(self.at + path, data=data, headers=headers)
        return status, body.decode()

    def metrics(self):
        return values(self.get("/metrics")[1])

    def wait_for_metric(self, name, value):
        kit.wait_for(lambda: self.metrics().get(name) == value, lambda: f"{name} is {self.metrics().get(name)}, not {value}")

    def end(self, process, code=143):
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(kit.PATIENCE), code, self.said())

    def spooled(self):
        return f"tail -f {self.log} | filter --rules {self.dir / 'rules'} | buffer {self.spool} | push {self.url}"


class Scraped(MetricsCase):
    def test_a_whole_chain(self):
        (self.dir / "rules").write_text('name noise: drop |= "noise"\n')
        process = self.weir("run", "--metrics", "127.0.0.1:0", "-c", self.spooled())
        self.write(*(f"line {i} {'noise' if i % 4 == 0 else ''}" for i in range(100)))
        self.wait_for_metric("weir_push_delivered_records_total", 75)
        status, text = self.get("/metrics")
        self.assertEqual(status, 200)
        found = values(text)
        self.assertEqual(found["weir_tail_read_records_total"], 100)
        self.assertEqual(found['weir_filter_rule_records_total{rule="noise"}'], 25)
        self.assertEqual(found["weir_run_pipelines"], 1)
        books = {name: value for name, value in found.items() if name.startswith("weir_unaccounted_records")}
        stages = {f'weir_unaccounted_records{{stage="{stage}"}}' for stage in ("tail", "filter", "buffer", "push")}
        self.assertLessEqual(stages, set(books))
        self.assertEqual(set(books.values()), {0}, books)
        self.assertGreater(found["process_resident_memory_bytes"], 1 << 20)
        version = kit.weir("--version").decode().split()[1]
        self.assertEqual(found[f'weir_build_info{{version="{version}"}}'], 1)
        self.check_format(text)
        self.end(process)

    def check_format(self, text):
        """By Prometheus's own parser and its rules for names."""
        promtool = shutil.which("promtool")
        self.assertTrue(promtool, "promtool is not installed (Debian: prometheus)")
        done = subprocess.run([promtool, "check", "metrics"], input=text, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_every_stage_has_them(self):
        (self.dir / "rules").write_text('drop |= "noise"\n')
        self.write("one", "two")
        stages = [f"tail {self.log}", "enrich --level", f"filter --rules {self.dir / 'rules'}", f"buffer {self.spool}",
                  f"push {self.url}"]
        read = None
        for stage in stages:
            file = self.dir / f"{stage.split()[0]}.prom"
            done = subprocess.run([kit.WEIR, *stage.split(), "--metrics", "127.0.0.1:0", "--metrics-file", file], input=read,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=kit.environment(), check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(f"weir {stage.split()[0]}: metrics on http://127.0.0.1:".encode(), done.stderr)
            read = done.stdout
            text = file.read_text()
            own = {name: value for name, value in values(text).items() if name.startswith(f"weir_{stage.split()[0]}_")}
            self.assertIn(2, own.values(), text)
            self.check_format(text)
        self.assertEqual(kit.sink_stats(self.url)["entries"], 2)

    def test_rules_list_reads_them(self):
        rules = self.dir / "rules"
        rules.write_text('name noise: drop |= "noise"\nname rest: keep |= "rest"\n')
        file = self.dir / "weir.prom"
        process = self.weir("run", "--metrics", "127.0.0.1:0", "--metrics-file", file, "-c", self.spooled())
        self.write("noise 1", "noise 2", "noise 3", "rest")
        self.wait_for_metric('weir_filter_rule_records_total{rule="noise"}', 3)
        table = kit.weir("rules", "list", rules, "--metrics", self.at).decode()
        self.assertRegex(table, r"(?m)\b3\b.*name noise:|name noise:.*\b3\b")
        self.end(process)
        self.assertEqual(kit.weir("rules", "list", rules, "--metrics", file).decode(), table)

    def test_an_idle_chain_does_not_wake_up(self):
        process = self.weir("tail", "-f", self.log, "--metrics", "127.0.0.1:0")

        def switches():
            total = 0
            for task in os.listdir(f"/proc/{process.pid}/task"):
                with open(f"/proc/{process.pid}/task/{task}/status", encoding="ascii") as status:
                    total += int(re.search(r"\nvoluntary_ctxt_switches:\s*(\d+)", status.read()).group(1))
            return total

        # One second without a wake-up comes, if nothing wakes up all the time.
        def is_still():
            before = switches()
            return not kit.poll(lambda: switches() != before, seconds=1)

        self.assertTrue(kit.poll(is_still, seconds=20), "it wakes up again and again")


class Controlled(MetricsCase):
    def test_ready_and_healthy(self):
        process = self.weir("run", "--metrics", "127.0.0.1:0", "-c", f"tail -f {self.log} | push {self.url}")
        self.assertEqual(self.get("/-/ready"), (200, "ready\n"))
        status, text = self.get("/-/healthy")
        self.assertEqual((status, text.splitlines()[0]), (200, "ok"))
        self.assertIn("/metrics", self.get("/")[1])
        self.assertEqual(self.get("/nothing")[0], 404)
        self.end(process)

    def test_reload_by_post(self):
        text = self.dir / "pipelines"
        text.write_text(f"tail -f {self.log} | push {self.url}\n")
        process = self.weir("run", "--metrics", "127.0.0.1:0", text)
        text.write_text(f"tail -f {self.log} | filter '!= \"x\"' | push {self.url}\n")
        self.assertEqual(self.get("/-/reload", headers={"Host": "evil.example"}, data=b"")[0], 403)
        self.assertEqual(self.get("/-/reload", headers={"Host": "localhost:80@evil.example"}, data=b"")[0], 400)
        self.assertEqual(self.get("/-/reload")[0], 405)
        self.assertEqual(self.get("/-/reload", data=b"")[0], 200)
        self.wait_for_metric("weir_run_reloads_total", 1)
        text.write_text("tail | nothing\n")
        self.assertEqual(self.get("/-/reload", data=b"")[0], 200)
        self.wait_for_metric("weir_run_reload_failures_total", 1)
        self.assertEqual(self.metrics()["weir_run_broken_texts"], 1)
        text.write_text(f"tail -f {self.log} | push {self.url}\n")
        self.assertEqual(self.get("/-/reload", data=b"")[0], 200)
        self.wait_for_metric("weir_run_broken_texts", 0)
        self.end(process)

    def test_a_start_with_the_text_of_before(self):
        text, good = self.dir / "pipelines", f"tail -f {self.log} | push --checkpoint {self.dir / 'positions'} {self.url}\n"
        text.write_text(good)
        process = self.weir("run", "--metrics", "127.0.0.1:0", text)
        self.wait_for_metric("weir_run_broken_texts", 0)
        self.end(process)
        text.write_text(good.replace("tail -f", "tail -f --wrong"))
        process = self.weir("run", "--metrics", "127.0.0.1:0", text)
        self.wait_for_metric("weir_run_broken_texts", 1)
        text.write_text(good)
        self.assertEqual(self.get("/-/reload", data=b"")[0], 200)
        self.wait_for_metric("weir_run_broken_texts", 0)
        self.end(process)

    def test_reload_of_rules_by_post(self):
        rules = self.dir / "rules"
        rules.write_text('drop |= "a"\n')
        self.weir("run", "--metrics", "127.0.0.1:0", "-c", f"tail -f {self.log} | filter --rules {rules} | push {self.url}")
        before = self.metrics()["weir_filter_rules_reloads_total"]
        self.assertEqual(self.get("/-/reload", data=b"")[0], 200)
        rules.write_text('drop |= "b"\n')
        self.assertEqual(self.get("/-/reload", data=b"")[0], 200)
        kit.wait_for(lambda: self.metrics()["weir_filter_rules_reloads_total"] > before, "no reload")

    def test_a_port_in_use(self):
        self.weir("tail", "-f", self.log, "--metrics", "127.0.0.1:0")
        taken = self.at.split("//")[1]
        second = self.weir("tail", self.log, "--metrics", taken, listens=False)
        self.assertEqual(second.wait(kit.PATIENCE), 4)
        self.assertEqual(self.said(), f"weir tail: cannot listen on '{taken}': Address already in use\n"
                                      "weir tail: another process listens there; choose another port\n")

    def test_a_unix_socket(self):
        path = self.dir / "m.sock"
        process = self.weir("tail", "-f", self.log, "--metrics", f"unix:{path}", listens=False)
        kit.wait_for(lambda: f"metrics on unix:{path}, path /metrics" in self.said(), self.said)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"GET /-/healthy HTTP/1.0\r\n\r\n")
            self.assertTrue(client.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n"))
        self.end(process)
        self.assertFalse(path.exists())

    def test_a_path_that_is_taken(self):
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(str(self.dir / "s"))
        listener.listen()
        (self.dir / "folder").mkdir()
        for name, cause in ((self.log.name, "it is a file, not a socket"), ("folder", "it is a folder, not a socket"),
                            ("s", "another process listens there")):
            path = self.dir / name
            process = self.weir("tail", self.log, "--metrics", f"unix:{path}", listens=False)
            self.assertEqual(process.wait(kit.PATIENCE), 4)
            self.assertEqual(self.said(), f"weir tail: cannot listen on 'unix:{path}': {cause}\nweir tail: choose another path\n")
            self.assertTrue(path.exists())


class InAFile(MetricsCase):
    def test_is_written_while_it_runs_and_at_the_end(self):
        file = self.dir / "weir.prom"
        process = self.weir("run", "--metrics-file", file, "-c", f"tail -f {self.log} | push {self.url}", listens=False)
        kit.wait_for(file.exists, "no file")
        self.assertIn("weir_build_info", file.read_text())
        self.write("one")
        # Long before the 15 s after which it is written otherwise.
        kit.wait_for(lambda: "weir_push_delivered_records_total" in file.read_text(), file.read_text, seconds=10)
        kit.wait_for(lambda: self.record.exists() and b"one" in self.record.read_bytes(), "the line did not come")
        self.end(process)
        found = values(file.read_text())
        self.assertEqual(found["weir_push_delivered_records_total"], 1)
        self.assertAlmostEqual(found["weir_metrics_file_written_timestamp_seconds"], file.stat().st_mtime, delta=5)
        self.assertFalse([name for name in found if name.startswith("process_")])

    def test_needs_its_folder(self):
        for command in (["tail", self.log], ["run", "-c", f"tail {self.log}"], ["run", "--check", "-c", f"tail {self.log}"]):
            done = subprocess.run([kit.WEIR, *command, "--metrics-file", self.dir / "none" / "weir.prom"], env=kit.environment(),
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
            self.assertEqual(done.returncode, 4)
            self.assertIn(f"cannot write metrics to '{self.dir}/none/weir.prom': No such file or directory", done.stderr)


class UnderSystemd(MetricsCase):
    def setUp(self):
        super().setUp()
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        self.manager.settimeout(kit.PATIENCE)

    def next(self):
        return self.manager.recv(4096).decode()

    def next_of(self, beginning):
        while not (message := self.next()).startswith(beginning):
            pass
        return message

    def test_a_service(self):
        for name in (str(self.dir / "notify"), f"@weir-{os.getpid()}"):
            with self.subTest(name=name):
                self.setUp()
                self.manager.bind(name.replace("@", "\0"))
                process = self.weir("run", "-c", f"tail -f {self.log} | push {self.url}", listens=False,
                                    env=kit.environment(NOTIFY_SOCKET=name, WATCHDOG_USEC=200_000))
                self.assertEqual(self.next(), "READY=1")
                self.assertEqual(self.next(), "STATUS=starting")
                self.assertNotEqual(self.next_of("STATUS="), "STATUS=starting")
                for _ in range(3):
                    self.next_of("WATCHDOG=1")
                process.send_signal(signal.SIGHUP)
                self.assertRegex(self.next_of("RELOADING=1"), r"^RELOADING=1\nMONOTONIC_USEC=\d+$")
                self.next_of("READY=1")
                process.send_signal(signal.SIGTERM)
                self.next_of("STOPPING=1")
                self.assertEqual(process.wait(kit.PATIENCE), 143)

    def test_a_socket_that_is_not_there_stops_nothing(self):
        process = self.weir("run", "-c", f"tail -f {self.log} | push {self.url}", listens=False,
                            env=kit.environment(NOTIFY_SOCKET=self.dir / "none"))
        kit.wait_for(lambda: "cannot tell systemd" in self.said(), self.said)
        self.write("one")
        kit.wait_for(lambda: self.record.exists() and b"one" in self.record.read_bytes(), "the line did not come")
        self.end(process)


class Waits(MetricsCase):
    """A chain that waits for its disk or for room is healthy, and says what it waits for."""

    def wait_for_name(self, name):
        def found():
            status, text = self.get("/-/healthy")
            self.assertEqual(status, 200, text)
            return f": waits for {name}, " in text
        kit.wait_for(found, lambda: self.get("/-/healthy")[1])

    def test_a_disk_that_takes_a_minute(self):
        slow = self.dir / "slow"
        env = kit.environment(LD_PRELOAD=SLOW_DISK, WEIR_TEST_SLOW_DISK=slow)
        chain = f"tail -f {self.log} | buffer {self.spool} --sync full | push {self.url}"
        process = self.weir("run", "--metrics", "127.0.0.1:0", "-c", chain, env=env)
        self.write("one")
        self.wait_for_metric("weir_push_delivered_records_total", 1)
        slow.touch()
        self.write("two")
        self.wait_for_name("disk")
        self.assertEqual(self.get("/-/ready")[0], 200)
        self.assertEqual(self.get("/metrics")[0], 200)
        slow.unlink()
        self.wait_for_metric("weir_push_delivered_records_total", 2)
        self.assertGreater(self.metrics()['weir_blocked_seconds_total{on="disk"}'], 0)
        self.end(process)

    def test_a_full_spool(self):
        process = self.weir("run", "--metrics", "127.0.0.1:0", "-c",
                            f"tail -f {self.log} | buffer {self.spool} --max-size 4MiB --on-full block | push http://127.0.0.1:1")
        self.write(*(os.urandom(5000).hex() for _ in range(2000)))
        self.wait_for_name("room in the spool")
        kit.wait_for(lambda: self.get("/-/ready")[0] == 503, lambda: self.get("/-/ready"))
        self.assertIn("%", self.get("/-/ready")[1])
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        process.wait(kit.PATIENCE)


if __name__ == "__main__":
    unittest.main()
