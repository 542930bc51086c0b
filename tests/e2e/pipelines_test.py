#!/usr/bin/env python3
"""examples/pipelines: each chain runs as it is written, and does what its comment promises.

/var/log, /var/lib and /etc/weir of a test are folders of its own, mounted over those of the machine in a mount namespace of the chain
(unshare, as root). Where that cannot be had, the test runs the text with these folders written into it, and says so.

usage: pipelines_test.py [--loki]     --loki: into the Loki of LOKI_BIN, otherwise into a sink
"""
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import unittest

import journal_kit
import weir_kit as kit

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples" / "pipelines"
CHAINS = ("backfill.weir", "ci-smoke.sh", "debug-recorder.weir", "docker.weir", "journal.weir", "kubectl-logs.sh", "node-to-loki.weir", "redact.weir",
          "sample.weir", "spill.weir", "tenants.weir", "two-targets.weir")
LOKI = "--loki" in sys.argv
if LOKI:
    sys.argv.remove("--loki")
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "loki" / "real"))
    import loki_server

FOLDERS = {"/var/log": "log", "/var/lib": "lib", "/etc": "etc"}
server = None  # a Loki that is shared by the tests
can_mount = None


def setUpModule():
    global server, can_mount
    if LOKI:
        server = loki_server.Loki(auth=True)
    done = subprocess.run(["unshare", "--mount", "sh", "-c", "mount --bind /tmp /var/log"], stderr=subprocess.PIPE, check=False)
    can_mount = done.returncode == 0
    if not can_mount:
        print(f"SKIPPED: running the chains as they are written, because nothing can be mounted here ({done.stderr.decode().strip()}). "
              "They run with folders of the test written into them.", file=sys.stderr)


def tearDownModule():
    if server:
        server.stop()


class Target:
    """A sink, or one more set of streams in the shared Loki (told apart by its tenant)."""

    def __init__(self, case, name):
        self.tenant = f"{name}-{os.urandom(4).hex()}"
        self.record = case.dir / f"sink-{name}"
        self.url = server.url if server else case.sink(self.record)
        self.began = time.time_ns() - 3 * 86400 * 10**9

    def rows(self, tenant=None):
        """[(labels, line, metadata, tenant)] in the order of arrival, or of time in a Loki. Of `tenant`, or of all in a sink."""
        if server:
            found = server.entries('{service_name=~".+"}', self.began, time.time_ns() + 60 * 10**9, tenant or self.tenant)
            found.sort(key=lambda entry: entry[1])
            return [(dict(labels), line, dict(metadata), tenant or self.tenant) for labels, _, line, metadata in found]
        if not self.record.exists():
            return []
        found = []
        for text in self.record.read_text().splitlines():
            entry = json.loads(text)
            line = entry["line"].encode("latin-1").decode("utf-8")
            found.append((kit.parse_labels(entry["labels"].encode("latin-1").decode("utf-8")), line, entry["metadata"], entry.get("tenant", "")))
        return [row for row in found if tenant is None or row[3] == tenant]

    def lines(self, tenant=None):
        return [row[1] for row in self.rows(tenant)]


class Pipelines(kit.Case):
    def setUp(self):
        super().setUp()
        self.pods, self.state, self.etc = self.dir / "log" / "pods", self.dir / "lib" / "weir", self.dir / "etc"
        self.spool = self.state / "spool.db"
        for folder in (self.pods, self.state, self.etc / "weir"):
            folder.mkdir(parents=True)
        for name in ("passwd", "group", "hosts", "nsswitch.conf", "ld.so.cache", "localtime"):
            if pathlib.Path("/etc", name).exists():
                shutil.copy(f"/etc/{name}", self.etc / name)
        (self.etc / "machine-id").write_text(journal_kit.MACHINE + "\n")
        self.target = Target(self, "main")
        self.numbers = {}
        # Everything else sees the folders of the machine.
        self.weir = self.dir / "bin" / "weir"
        self.weir.parent.mkdir()
        self.weir.write_text(f"#!/bin/sh\nexec {shlex.join(self.world())} {shlex.quote(os.path.abspath(kit.WEIR))} \"$@\"\n")
        self.weir.chmod(0o755)

    def world(self):
        mounts = "".join(f"mount --bind {shlex.quote(str(self.dir / ours))} {folder} && " for folder, ours in FOLDERS.items())
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", mounts + 'exec "$@"', "sh"] if can_mount else []

    def environment(self, **more):
        values = {"LOKI_ADDR": self.target.url, "PATH": f"{self.weir.parent}:{os.environ['PATH']}", **more}
        if server:
            values["LOKI_ORG_ID"] = self.target.tenant
        return kit.environment(**values)

    def text(self, name):
        """The file to run: the example itself, or a copy with the folders of the test where nothing can be mounted."""
        for rules in EXAMPLES.glob("*.rules"):
            shutil.copy(rules, self.etc / "weir")
        if can_mount:
            return EXAMPLES / name
        text = (EXAMPLES / name).read_text()
        for folder, ours in FOLDERS.items():
            text = text.replace(f"{folder}/", f"{self.dir / ours}/")
        (self.dir / name).write_text(text)
        return self.dir / name

    def write(self, namespace, *lines, pod="web-0", container="app", age=0.0):
        log = self.pods / f"{namespace}_{pod}_uid-{namespace}-{pod}" / container / "0.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a") as out:
            for line in lines:
                self.numbers[log] = max(self.numbers.get(log, 0) + 1, time.time_ns() - int(age * 1e9))
                at = self.numbers[log]
                out.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at // 10**9))}.{at % 10**9:09d}Z stdout F {line}\n")
        return list(lines)

    def stages(self, name, **more):
        """The pipelines of the example as lists of stages, for a shell."""
        text = "\n".join(line for line in self.text(name).read_text().splitlines() if not line.startswith("#"))
        values = self.environment(**more)
        text = re.sub(r'"\$(\w+)"', lambda found: shlex.quote(values[found[1]]), text)
        pipelines = []
        for pipeline in re.split(r"\n(?! )", re.sub(r"\|\s*\n\s*", "| ", text).strip()):
            stages, quoted, start = [], None, 0
            for at, char in enumerate(pipeline):
                if quoted is None and char in "'\"":
                    quoted = char
                elif char == quoted:
                    quoted = None
                elif char == "|" and quoted is None:
                    stages.append(pipeline[start:at].strip())
                    start = at + 1
            pipelines.append([*stages, pipeline[start:].strip()])
        return pipelines

    def run_example(self, name, fused, **more):
        """Starts it: as `weir run FILE`, or each pipeline as processes in a shell's pipe. The running chains."""
        env = self.environment(**more)
        file = self.text(name)
        checked = subprocess.run([str(self.weir), "run", "--check", str(file)], env=env, capture_output=True, text=True, check=False)
        self.assertEqual(checked.returncode, 0, checked.stderr)
        if fused:
            chain = kit.Chain([], True, self.dir, env=env, executable="true")
            chain.wait()
            chain.stages = [name]
            with open(chain.stderr_paths[0], "wb") as errors:
                chain.processes = [subprocess.Popen([str(self.weir), "run", str(file)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
                                                    env=env)]
            self.addCleanup(chain.kill)
            return [chain]
        chains = []
        for stages in self.stages(name, **more):
            if stages[0].startswith("tail"):
                # What `weir run` finds out by itself.
                keeper = re.search(r"buffer .*?(\S+)$", "\n".join(stages), re.M) or re.search(r"push --checkpoint (\S+)", "\n".join(stages))
                stages[0] = f"tail --checkpoint {keeper[1]}" + stages[0][4:]
            chain = kit.Chain(stages, False, self.dir, env=env, executable=str(self.weir))
            self.addCleanup(chain.kill)
            chains.append(chain)
        return chains

    def each(self, name, body, **more):
        """Calls `body(start)` fused and as a pipe, each in a world of its own; start() runs the example."""
        for fused in (True, False):
            with self.subTest(fused=fused):
                self.setUp()
                options = {key: value() for key, value in more.items()}
                body(lambda fused=fused, options=options: self.run_example(name, fused, **options))

    def stop(self, chains):
        for chain in reversed(chains):
            chain.signal(signal.SIGTERM, 0)
        for chain in chains:
            codes = chain.wait()
            self.assertTrue(all(code in (0, 143) for code in codes), f"{codes}\n{chain.errors()}")

    def arrived(self, count, chains, target=None, tenant=None):
        target = target or self.target
        kit.wait_for(lambda: len(target.lines(tenant)) >= count,
                     lambda: f"{len(target.lines(tenant))} of {count}\n" + "\n".join(chain.errors() for chain in chains))
        return target.rows(tenant)

    # ---- the chains ---------------------------------------------------------------------------------------------------

    def test_all_are_listed_and_tested(self):
        there = sorted(path.name for path in EXAMPLES.iterdir() if path.suffix in (".weir", ".sh"))
        self.assertEqual(there, sorted(CHAINS))
        table = (EXAMPLES / "README.md").read_text()
        for name in CHAINS:
            self.assertIn(f"({name})", table)
            self.assertIn("test_" + re.sub(r"\W", "_", name.rsplit(".", 1)[0]), dir(self))
        for rules in EXAMPLES.glob("*.rules"):
            self.assertEqual(subprocess.run([kit.WEIR, "rules", "check", str(rules)], stdout=subprocess.DEVNULL, check=False).returncode, 0, rules)

    def restarts(self, start):
        """Lines before, while it runs, during an outage of the chain and across a kill: each once, in order."""
        lines = self.write("shop", *(f"level=info line {i}" for i in range(200)))
        chains = start()
        self.arrived(200, chains)
        lines += self.write("shop", *(f"level=error line {i}" for i in range(200, 300)))
        self.arrived(300, chains)
        for chain in chains:
            chain.kill()
        lines += self.write("shop", *(f"line {i}" for i in range(300, 400)))
        chains = start()
        self.arrived(400, chains)
        self.stop(chains)
        rows = self.target.rows()
        # What was sent and not acknowledged before a kill may come twice; Loki shows it once.
        self.assertEqual(list(dict.fromkeys(row[1] for row in rows)), lines)
        self.assertLessEqual(len(rows), 500)
        self.assertEqual({row[0]["namespace"] for row in rows}, {"shop"})
        self.assertEqual({row[0]["service_name"] for row in rows}, {"app"})
        self.assertEqual({row[2].get("detected_level") for row in rows if "error" in row[1]}, {"error"})

    def test_node_to_loki(self):
        self.each("node-to-loki.weir", self.restarts)

    def test_spill(self):
        def body(start):
            self.restarts(start)
            code, out = 0, kit.weir("spool", "status", self.spool, "-o", "json")
            status = json.loads(out)
            self.assertEqual((code, len(status["positions"])), (0, 1))
            self.assertLess(status["records"], 400, "Loki kept up, so that most was never stored")

        self.each("spill.weir", body)

    def test_two_targets(self):
        archives = []

        def archive():
            archives.append(Target(self, "archive"))
            return archives[-1].url

        def body(start):
            second = archives[-1]
            if server:
                second.tenant = self.target.tenant  # one header for both
            self.write("shop", *(f"shop {i}" for i in range(50)))
            pay = self.write("payments", *(f"pay {i}" for i in range(60)))
            chains = start()
            if server:
                # Both targets are the same Loki: it has everything, and nothing twice.
                rows = self.arrived(110, chains)
                kit.wait_for(lambda: len(json.loads(kit.weir("spool", "status", self.spool, "-o", "json"))["consumers"]) == 2, chains[0].errors)
            else:
                rows = self.arrived(110, chains)
                self.assertEqual(sorted(row[1] for row in self.arrived(60, chains, second)), sorted(pay))
            self.assertEqual(len(rows), 110)
            kit.wait_for(lambda: all(c["behind_records"] == 0 for c in json.loads(kit.weir("spool", "status", self.spool, "-o", "json"))["consumers"]),
                         chains[0].errors)
            self.stop(chains)
            names = [c["name"] for c in json.loads(kit.weir("spool", "status", self.spool, "-o", "json"))["consumers"]]
            self.assertEqual(sorted(names), ["archive", "main"])

        self.each("two-targets.weir", body, ARCHIVE_ADDR=archive)

    def test_tenants(self):
        def body(start):
            name = f"t{os.urandom(4).hex()}"
            for namespace in (f"{name}-shop", f"{name}-cart"):
                self.write(namespace, *(f"{namespace} {i}" for i in range(40)))
            chains = start()
            for namespace in (f"{name}-shop", f"{name}-cart"):
                rows = self.arrived(40, chains, tenant=namespace)
                self.assertEqual([row[1] for row in rows], [f"{namespace} {i}" for i in range(40)])
                self.assertEqual({row[3] for row in rows}, {namespace})
            self.stop(chains)

        self.each("tenants.weir", body)

    def test_redact(self):
        secrets = ("4111 1111 1111 1234", "jane.doe@example.org", "eyJhbGciOi.J9-x_y")

        def body(start):
            self.write("payments", f"paid with {secrets[0]}", f"mail to {secrets[1]}: thanks", f"Authorization: Bearer {secrets[2]}==")
            self.write("shop", "order 4111111111111234 of jane@shop.example")
            chains = start()
            self.arrived(4, chains)
            self.stop(chains)
            self.assertEqual(sorted(self.target.lines()), sorted([
                "paid with ****1234", "mail to <mail>: thanks", "Authorization: Bearer <token>", "order 4111111111111234 of <mail>"]))
            stored = kit.weir("replay", self.spool, "-o", "raw").decode()
            for secret in secrets:
                self.assertNotIn(secret, stored)

        self.each("redact.weir", body)

    def test_sample(self):
        def body(start):
            access = [f'10.0.0.{i % 250} "GET /item/{i}" 200' for i in range(2000)]
            self.write("shop", *access, container="nginx")
            errors = self.write("shop", *(f"level=error failed {i}" for i in range(100)), container="nginx")
            self.write("shop", *('"GET /healthz" 200' for _ in range(100)))
            self.write("shop", *(f"level=info fine {i}" for i in range(100)))
            chains = start()
            self.arrived(300, chains)
            last = self.write("shop", "level=info the last one")
            kit.wait_for(lambda: last[0] in self.target.lines(), chains[0].errors)
            self.stop(chains)
            lines = self.target.lines()
            self.assertEqual([line for line in lines if "failed" in line], errors)
            self.assertEqual(sum("fine" in line for line in lines), 100)
            self.assertFalse([line for line in lines if "healthz" in line])
            share = sum("/item/" in line for line in lines) / len(access)
            self.assertTrue(0.07 < share < 0.13, share)

        self.each("sample.weir", body)

    def test_debug_recorder(self):
        def body(start):
            info = self.write("checkout", *(f"level=info request {i}" for i in range(30)))
            debug = self.write("checkout", *(f"level=debug step {i}" for i in range(30)))
            other = self.write("search", *(f"level=debug look {i}" for i in range(30)))
            chains = start()
            self.arrived(30, chains)

            def held():
                return json.loads(kit.weir("spool", "status", self.spool, "-o", "json"))["held"]

            kit.wait_for(lambda: held() == 60, chains[0].errors)
            self.assertEqual(sorted(self.target.lines()), sorted(info))
            on_node = kit.weir("query", "--spool", self.spool, "--since", "20m", '{namespace="checkout"}', "-o", "raw", "--limit", "0").decode()
            self.assertEqual(sorted(on_node.splitlines()), sorted(info + debug))
            # The commands of the comment, word by word.
            comment = (EXAMPLES / "debug-recorder.weir").read_text()
            for command in ("weir replay /var/lib/weir/spool.db --held --release --since 20m '{namespace=\"checkout\"}'",
                            "weir rules add /etc/weir/debug-recorder.rules 'keep for 1h {namespace=\"checkout\"}'"):
                self.assertIn(command, comment)
                mapped = command.replace("/var/lib", str(self.dir / "lib")).replace("/etc/", f"{self.etc}/")
                kit.weir(*shlex.split(mapped)[1:])
                if "release" in command:
                    self.arrived(60, chains)
                    self.assertEqual(sorted(self.target.lines()), sorted(info + debug))
            # When the rule counts is seen by what passes.
            fresh = []

            def passes():
                fresh.extend(self.write("checkout", f"level=debug fresh {len(fresh)}"))
                return any("fresh" in line for line in self.target.lines())

            kit.wait_for(passes, chains[0].errors)
            self.stop(chains)
            self.assertFalse(set(other) & set(self.target.lines()))

        self.each("debug-recorder.weir", body)

    def test_journal(self):
        if not journal_kit.there():
            self.skipTest("systemd-journal-remote is not here to write a journal")
        if not can_mount:
            self.skipTest("a journal of this machine can only be another one where folders can be mounted")

        def body(start):
            now = time.time_ns() // 1000
            live = self.dir / "log" / "journal" / journal_kit.MACHINE / "system.journal"
            journal_kit.write(live, [journal_kit.entry(i, time=now - 1000 + i, priority=3 if i % 10 == 0 else 6 if i % 2 else 7, unit=f"u{i % 2}.service")
                                     for i in range(100)])
            chains = start()
            rows = self.arrived(60, chains)
            self.assertEqual(sorted(row[1] for row in rows), sorted(f"line {i}" for i in range(100) if i % 10 == 0 or i % 2))
            self.assertEqual({row[0]["unit"] for row in rows}, {"u0.service", "u1.service"})
            self.assertEqual(sum(row[2].get("detected_level") == "error" for row in rows), 10)
            self.stop(chains)
            chains = start()
            journal_kit.write(live, [journal_kit.entry(100, time=now + 1000)])
            self.arrived(61, chains)
            self.stop(chains)
            self.assertEqual(len(self.target.lines()), 61)

        self.each("journal.weir", body)

    def test_docker(self):
        def body(start):
            folder = self.dir / "lib" / "docker" / "containers"

            def log(container, *lines):
                path = folder / container / f"{container}-json.log"
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("a") as out:
                    for line in lines:
                        at = time.time_ns()
                        stamp = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at // 10**9))}.{at % 10**9:09d}Z"
                        out.write(json.dumps({"log": line + "\n", "stream": "stdout", "time": stamp}) + "\n")

            log("aaaa", "level=warn one", "two")
            chains = start()
            self.arrived(2, chains)
            log("bbbb", "three")  # a container that comes later
            rows = self.arrived(3, chains)
            self.stop(chains)
            self.assertEqual(sorted(row[1] for row in rows), ["level=warn one", "three", "two"])
            self.assertEqual({(row[0]["job"], row[0]["host"]) for row in rows}, {("docker", "node-7")})
            self.assertFalse([row for row in rows if "filename" in row[0]])
            self.assertIn("bbbb-json.log", {row[1]: row[2]["filename"] for row in rows}["three"])

        (self.dir / "lib" / "docker" / "containers").mkdir(parents=True)
        set_up = self.setUp

        def with_docker():
            set_up()
            (self.dir / "lib" / "docker" / "containers").mkdir(parents=True, exist_ok=True)

        self.setUp = with_docker
        self.each("docker.weir", body, HOST=lambda: "node-7")

    def test_backfill(self):
        old = [self.dir / "old"]

        def body(start):
            folder = old[0] = self.dir / "old"
            # A Loki shows what is older than three hours only once it has stored it.
            end = int(time.time()) - (2 * 3600 if server else 86400)
            self.podgen("--pods", "3", "--lines", "3000", "--end", end, "--rotate-bytes", "60000", "--gzip", out=folder)
            want = kit.oracle(folder)
            chains = start()
            for chain in chains:
                self.assertEqual(set(chain.wait()), {0}, chain.errors())
            rows = self.arrived(kit.count(want), chains)
            self.assertEqual(sorted(row[1] for row in rows), sorted(line for group in want.values() for _, line in group))
            self.assertEqual({row[0]["backfill"] for row in rows}, {"once"})
            for chain in start():  # once more: all is there already
                self.assertEqual(set(chain.wait()), {0}, chain.errors())
            self.assertEqual(len(self.target.lines()), kit.count(want))

        self.each("backfill.weir", body, BACKFILL_DIR=lambda: str(self.dir / "old"))

    def shell(self, *command, env, folder=None, expect=0):
        done = subprocess.run(command, env=env, cwd=folder or self.dir, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_kubectl_logs(self):
        # kubectl itself needs a node; what it prints with these options is documented, and made here.
        kubectl = self.weir.parent / "kubectl"
        now = time.time_ns()
        lines = [f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now // 10**9))}.{i:09d}Z level=info line {i}" for i in range(50)]
        kubectl.write_text(f"#!/bin/sh\necho \"$*\" > {self.dir}/asked\ncat <<'END'\n" + "\n".join(lines) + "\nEND\n")
        kubectl.chmod(0o755)
        self.shell("sh", str(self.text("kubectl-logs.sh")), "checkout", "app=web", env=self.environment())
        asked = (self.dir / "asked").read_text().split()
        for option in ("logs", "--follow", "--timestamps", "--namespace", "checkout", "--selector", "app=web"):
            self.assertIn(option, asked)
        kit.wait_for(lambda: len(self.target.lines()) >= 50, "nothing arrived")
        rows = self.target.rows()
        self.assertEqual([row[1] for row in rows], [f"level=info line {i}" for i in range(50)])
        self.assertEqual({(row[0]["namespace"], row[0]["service_name"], row[2]["detected_level"]) for row in rows}, {("checkout", "web", "info")})
        self.shell("sh", str(self.text("kubectl-logs.sh")), env=self.environment(), expect=2)

    def test_ci_smoke(self):
        env = self.environment(LOKI_WAIT="20s")
        if server:
            out = self.shell("sh", str(self.text("ci-smoke.sh")), env=env)
            self.assertIn("<testsuite", (self.dir / "smoke.xml").read_text(), out)
            return
        # A sink answers no query, so that there is no verdict; what it was sent is judged here.
        env = self.environment(LOKI_WAIT="1s")
        done = subprocess.run(["sh", str(self.text("ci-smoke.sh"))], env=env, cwd=self.dir, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 4, done.stdout + done.stderr)
        self.assertIn("Loki", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
