#!/usr/bin/env python3
"""Every stage under the sandbox of examples/systemd/weir.service: its filter of system calls, its user, its capability, its mounts.

A system call beyond the filter kills the process here, so that none is overlooked (tests/support/under_unit.py). With --measure the tests run
under strace instead and print the system calls that were made: the list that the unit has.
"""
import collections
import gzip
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
import unittest

import fake_kube
import journal_kit as journal
import weir_kit as kit

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "support"
UNIT = pathlib.Path(os.environ.get("WEIR_UNIT", pathlib.Path(__file__).resolve().parents[2] / "examples/systemd/weir.service"))
MEASURE = "--measure" in sys.argv
ROOT = os.geteuid() == 0
NAME = "loki.weir-test.example"


def cri(text, stream="stdout"):
    now = time.time()
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now % 1 * 1e9):09d}Z {stream} F {text}\n"


class Dns:
    """Answers every question for an address with 127.0.0.1, on port 53 of a loopback address of its own."""

    def __init__(self):
        self.asked = collections.Counter()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for last in range(2, 250):
            self.address = f"127.53.{os.getpid() % 250}.{last}"
            try:
                self.socket.bind((self.address, 53))
                break
            except OSError:
                if last == 249:
                    raise
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                question, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            end = question.index(b"\0", 12) + 5
            kind = int.from_bytes(question[end - 4:end - 2], "big")
            self.asked[kind] += 1
            answer = b"\xc0\x0c" + kind.to_bytes(2, "big") + b"\0\1\0\0\0\1\0\4\x7f\0\0\1" if kind == 1 else b""
            head = question[:2] + b"\x81\x80\0\1" + (b"\0\1" if answer else b"\0\0") + b"\0\0\0\0"
            self.socket.sendto(head + question[12:end] + answer, peer)

    def close(self):
        self.socket.close()


class Tls:
    """Takes TLS connections and passes their bytes to a server that speaks none."""

    def __init__(self, target, certificate, key):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.target = ("127.0.0.1", int(target.rsplit(":", 1)[1]))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            with self.context.wrap_socket(connection, server_side=True) as client, socket.create_connection(self.target) as server:
                back = threading.Thread(target=self.copy, args=(server, client), daemon=True)
                back.start()
                self.copy(client, server)
                back.join()
        except OSError:
            pass

    @staticmethod
    def copy(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.listener.close()


class UnderUnit(kit.Case):
    seen = collections.Counter()  # with --measure

    def setUp(self):
        super().setUp()
        self.pods = self.dir / "pods"
        self.state = self.dir / "state"  # the only folder that weir may write
        self.pods.mkdir()
        self.state.mkdir(mode=0o700)
        self.spool = self.state / "spool.db"
        self.record = self.dir / "sink"
        self.url = self.sink(self.record)
        self.wanted = []
        self.options = ["--rw", str(self.state)]
        self.program = self.dir / "weir-under-unit"
        if ROOT:
            os.chown(self.state, 61234, 61234)
        self.write_program()

    def write_program(self):
        """A program in the place of weir, that starts it as the unit would."""
        words = ["strace", "-D", "-f", "-qq", "-e", "signal=none", "-o", f"{self.dir}/trace.$$"] if MEASURE else [
            sys.executable, str(SUPPORT / "under_unit.py"), str(UNIT), *self.options, "--"]
        self.program.write_text(f'#!/bin/sh\nexec {" ".join(words)} {pathlib.Path(kit.WEIR).resolve()} "$@"\n')
        self.program.chmod(0o755)

    def tearDown(self):
        for path in self.dir.glob("trace.*"):
            self.seen.update(re.findall(r"^\d+ +(?:<\.\.\. )?(\w+)(?:\(| resumed)", path.read_text(errors="replace"), re.M))
        super().tearDown()

    def both(self, body):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                body(fused)

    def chain(self, stages, fused, **kwargs):
        return super().chain(stages, fused, executable=str(self.program), **kwargs)

    def weir(self, *args, expect=0, stdin=subprocess.DEVNULL):
        done = subprocess.run([self.program, *map(str, args)], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=kit.environment(),
                              check=False)
        self.assertEqual(done.returncode, expect, f"{args}\n{done.stderr.decode(errors='replace')}")
        return done.stdout

    def folder(self, pod="shop_web-0_11111111-2222-3333-4444-555555555555"):
        folder = self.pods / pod / "app"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def line(self, path):
        """A line more, in a file that only root may read."""
        self.wanted.append(f"line {len(self.wanted)} of {path.name}")
        with open(path, "a", encoding="ascii") as out:
            out.write(cri(self.wanted[-1]))
        path.chmod(0o600)
        return path

    def arrived(self):
        return [record[1] for rows in kit.sink_records(self.record).values() for record in rows] if self.record.exists() else []

    def wait_arrived(self, chain):
        kit.wait_for(lambda: set(self.wanted) <= set(self.arrived()), lambda: f"{set(self.wanted) - set(self.arrived())}\n{chain.errors()}")

    def rules(self, name, text):
        path = self.state / name
        fresh = self.state / f"{name}.new"
        fresh.write_text(text, encoding="ascii")
        if ROOT:
            os.chown(fresh, 61234, 61234)
        fresh.rename(path)
        return path

    def certificate(self):
        config = self.dir / "tls.cnf"
        config.write_text(f"[req]\ndistinguished_name=dn\nx509_extensions=v3\n[dn]\n[v3]\nsubjectAltName=DNS:{NAME},IP:127.0.0.1\n")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=weir",
                        "-keyout", self.dir / "tls.key", "-out", self.dir / "tls.pem", "-config", config], check=True, stderr=subprocess.DEVNULL)
        return self.dir / "tls.pem", self.dir / "tls.key"

    def https(self):
        """The sink behind TLS, by a name that only DNS knows where that can be had."""
        pem, key = self.certificate()
        tls = Tls(self.url, pem, key)
        self.addCleanup(tls.close)
        if not ROOT or MEASURE:
            return f"https://127.0.0.1:{tls.port}", pem, None
        dns = Dns()
        self.addCleanup(dns.close)
        (self.dir / "resolv.conf").write_text(f"nameserver {dns.address}\n")
        self.options += ["--bind", str(self.dir / "resolv.conf"), os.path.realpath("/etc/resolv.conf")]
        self.write_program()
        return f"https://{NAME}:{tls.port}", pem, dns

    # -- the chain of a node --

    def test_the_chain_of_a_node(self):
        """tail with rotation, compression and the journal; enrich with an API server; rules that change; buffer; push over TLS; reloads; a stop."""
        def body(fused):
            url, pem, dns = self.https()
            kube = fake_kube.FakeKube()
            self.addCleanup(kube.close)
            kube.put(fake_kube.pod("11111111-2222-3333-4444-555555555555", "shop", "web-0", {"app": "web"}))
            temporary, base = self.rules("rules", "# none\n"), self.rules("base", 'drop {namespace="noise"}\n')
            live = self.line(self.folder() / "0.log")
            entries = self.dir / "journal" / "remote-a.journal"
            options = []
            if journal.there():
                journal.write(entries, [journal.entry(i, message=f"entry {i}", time=int(time.time() * 1e6) + i) for i in range(5)])
                entries.chmod(0o600)
                self.wanted += [f"entry {i}" for i in range(5)]
                options = ["--journal-dir", str(entries.parent)]
            elif os.environ.get("CI") == "true":
                self.fail("there is no systemd-journal-remote to write a journal with")
            tracked = "" if fused else f"--checkpoint {self.spool}"
            stages = [f"tail -f {tracked} {' '.join(options)} {self.pods}",
                      f"enrich --level --kubernetes api --kube-server {kube.url} --node-name node-1 --pod-cache {self.state}/pods.cache",
                      f"filter --rules {temporary} --rules {base}", f"buffer {self.spool}", f"push --ca-cert {pem} {url}"]
            if fused:
                chain, service = self.service(stages)
            else:
                chain = self.chain(stages, False)
            self.wait_arrived(chain)
            for i in range(3):  # the kubelet rotates, and compresses what it rotated
                self.line(live)
                aside = live.rename(live.with_name(f"0.log.2026113{i}-100000"))
                self.line(live)
                self.wait_arrived(chain)
                packed = aside.with_name(aside.name + ".gz")
                packed.write_bytes(gzip.compress(aside.read_bytes()))
                packed.chmod(0o600)
                aside.unlink()
            new = self.line(self.folder("shop_web-1_22222222-2222-3333-4444-555555555555") / "0.log")
            self.wait_arrived(chain)
            # A rule that changes, by a rename and in place.
            self.rules("rules", 'drop {pod="web-1"} |= "noise"\n')
            self.until_dropped(chain, new)
            with open(temporary, "w", encoding="ascii") as out:
                out.write('drop {pod="web-1"} |= "other"\n')
            self.until_dropped(chain, new, "other")
            self.line(new)
            self.wait_arrived(chain)
            if fused:
                self.reload(chain, stages)
                self.line(new)
                self.wait_arrived(chain)
                kit.wait_for(lambda: b"WATCHDOG=1" in service.heard, lambda: f"{service.heard} {chain.errors()}")
                self.assertIn(b"READY=1", service.heard)
                chain.signal(signal.SIGTERM)
                self.assertEqual(chain.wait(), [0], chain.errors())
            else:
                chain.stop()
            got = collections.Counter(self.arrived())
            self.assertEqual({text: got[text] for text in self.wanted}, dict.fromkeys(self.wanted, 1))
            if dns is not None:
                self.assertGreater(dns.asked[1], 0)
            self.read_back()
        self.both(body)

    def until_dropped(self, chain, path, word="noise"):
        """Lines with the word, until one does not arrive: a line that follows it did."""
        def one():
            marks = [f"{word} {time.monotonic_ns()}", f"after {time.monotonic_ns()}"]
            with open(path, "a", encoding="ascii") as out:
                out.writelines(map(cri, marks))
            kit.wait_for(lambda: marks[1] in self.arrived(), chain.errors)
            return marks[0] not in self.arrived()
        kit.wait_for(one, lambda: f"the rule about {word} never acted\n{chain.errors()}")

    def service(self, stages):
        """`weir run FILE` as the unit starts it, with the messages that systemd would get."""
        service = Manager(self.dir / "notify")
        self.addCleanup(service.close)
        self.text = self.state / "node.weir"
        self.text.write_text(" | ".join(stages) + "\n")
        chain = kit.Chain([], True, self.dir, executable="/bin/true")  # for what it keeps
        chain.wait()
        words = kit_words()
        chain.stages, chain.processes = stages, []
        errors = self.dir / "errors"
        chain.stderr_paths = [errors]
        with open(errors, "wb") as out:
            chain.processes.append(self.start(str(self.program), *words[1:-1], str(self.text), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                              stderr=out, env=kit.environment(NOTIFY_SOCKET=service.path, WATCHDOG_USEC=1_000_000)))
        kit.wait_for(lambda: b"READY=1" in service.heard, lambda: f"{chain.errors()} {chain.processes[0].poll()}")
        address = kit.wait_for(lambda: re.search(r"metrics on (http://\S+)/metrics\n", chain.errors()), chain.errors).group(1)
        self.assertEqual(kit.get(address + "/metrics")[0], 200)
        self.assertEqual(kit.get(address + "/-/healthy")[0], 200)
        return chain, service

    def reload(self, chain, stages):
        """SIGHUP with another text: the pipeline is replaced."""
        changed = [stages[0], stages[1] + " --label reloaded=yes", *stages[2:]]
        self.text.write_text(" | ".join(changed) + "\n")
        chain.signal(signal.SIGHUP)
        kit.wait_for(lambda: any("reloaded" in dict(record[2]) for rows in kit.sink_records(self.record).values() for record in rows) or
                     (self.line(self.folder() / "0.log"), False)[1], chain.errors, seconds=kit.PATIENCE)

    def read_back(self):
        """What reads a spool, as the user of the unit."""
        found = self.weir("replay", self.spool, "-o", "jsonl").splitlines()
        self.assertGreaterEqual(len(found), len(self.wanted))
        self.assertIn(b"line", self.weir("query", "--spool", self.spool, '{namespace="shop"} |= "line" | logfmt', "-o", "raw"))
        self.weir("spool", "status", self.spool)
        self.weir("spool", "check", self.spool)
        self.weir("rules", "list", self.state / "rules")
        self.weir("rules", "test", self.state / "rules", "--against", self.spool)
        self.weir("rules", "add", self.state / "rules", 'drop {app="x"}')
        self.weir("tail", self.pods, "-o", "text")

    def test_what_the_package_installs(self):
        """Pipeline and rules of the package, word for word and in their places: ExecStartPre, then ExecStart; then with each rule that it proposes."""
        if not ROOT or MEASURE:
            self.skipTest("only root can show other files at /etc and /var")
        var, etc = self.dir / "var", self.dir / "etc"
        state, rules = var / "lib/weir", etc / "weir/rules"
        for folder in (state, var / "log", etc / "weir"):
            folder.mkdir(parents=True)
        os.chown(state, 61234, 61234)
        for name in ("node.weir", "rules"):
            shutil.copy(UNIT.parent / name, etc / "weir")
        for path in map(pathlib.Path, ("/etc/passwd", "/etc/group", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ld.so.cache")):
            if path.exists():
                shutil.copy(path, etc)
        self.options = ["--bind", str(var), "/var", "--bind", str(etc), "/etc", "--rw", "/var/lib/weir"]
        self.write_program()
        before = shlex.split(re.search(r"^ExecStartPre=(.*)$", UNIT.read_text(), re.M).group(1))
        subprocess.run([sys.executable, SUPPORT / "under_unit.py", UNIT, *self.options, "--", *before], env=kit.environment(), check=True)
        self.assertEqual((state / "rules").read_text().count("\n"), 1)
        service = Manager(self.dir / "notify")
        self.addCleanup(service.close)
        errors = self.dir / "errors"
        with open(errors, "wb") as out:
            process = self.start(str(self.program), *kit_words()[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=out,
                                 env=kit.environment(NOTIFY_SOCKET=service.path, WATCHDOG_USEC=1_000_000, LOKI_ADDR=self.url))

        def said():
            return f"{errors.read_text(errors='replace')} {service.heard} {process.poll()}"

        def wait(condition):
            kit.wait_for(lambda: process.poll() is not None or condition(), said)
            self.assertIsNone(process.poll(), said())
        # The folder of the pods comes later.
        wait(lambda: b"READY=1" in service.heard)
        self.pods = var / "log/pods"
        log = self.line(self.folder() / "0.log")
        wait(lambda: set(self.wanted) <= set(self.arrived()))
        text, active = re.subn(r"^# (?=redact `|name [\w-]+: |tenant )", "", rules.read_text(), flags=re.M)
        self.assertGreater(active, 5)
        rules.write_text(text)

        def redacted():
            with open(log, "a", encoding="ascii") as out:
                out.write(cri("postgres://weir:hunter2@db"))
            return any("postgres://weir:[redacted]@db" in line for line in self.arrived())
        wait(redacted)
        self.weir("spool", "status", "/var/lib/weir/spool.db")
        wait(lambda: b"WATCHDOG=1" in service.heard)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(kit.PATIENCE), 0, said())

    def test_held_records_and_releases(self):
        rules = self.rules("rules", 'hold |= "line"\n')
        self.line(self.folder() / "0.log")
        self.chain([f"tail {self.pods}", f"filter --rules {rules}", f"buffer {self.spool} --store"], True).wait()
        self.assertIn(b"line 0", self.weir("replay", "--held", self.spool, "-o", "raw"))
        self.weir("replay", "--held", "--release", self.spool)
        chain = self.chain([f"push --spool {self.spool} {self.url}"], True)
        kit.wait_for(lambda: any("line 0" in text for text in self.arrived()), chain.errors)
        chain.stop()

    def test_the_files_of_a_capability(self):
        """The user of the unit reads logs that only root may read, and nothing else gives it rights: it cannot write beyond its folder."""
        if not ROOT or MEASURE:
            self.skipTest("only root can become another user")
        self.line(self.folder() / "0.log")
        self.assertIn(b"line 0", self.weir("tail", self.pods, "-o", "raw"))
        with open(self.dir / "in.jsonl", "wb") as out:
            out.write(b'{"line":"x","labels":{"app":"x"}}\n')
        with open(self.dir / "in.jsonl", "rb") as stdin:
            self.weir("buffer", self.dir / "elsewhere.db", "--store", expect=4, stdin=stdin)
        self.assertFalse((self.dir / "elsewhere.db").exists())
        with open(self.dir / "in.jsonl", "rb") as stdin:
            self.weir("buffer", self.spool, "--store", stdin=stdin)
        self.assertEqual({stat.filemode(path.stat().st_mode) for path in self.state.iterdir()}, {"-rw-------"})

    def test_what_the_filter_forbids(self):
        """The harness can fail: a system call that is not in the unit ends the process, and one that is refused does not."""
        if MEASURE:
            self.skipTest("without the filter")
        script = "import os; os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))"
        under = [sys.executable, str(SUPPORT / "under_unit.py"), str(UNIT)]
        python = os.path.realpath("/usr/bin/python3")
        killed = subprocess.run([*under, "--", python, "-c", script], stderr=subprocess.PIPE, check=False)
        self.assertEqual(killed.returncode, -signal.SIGSYS, killed.stderr)
        refused = subprocess.run([*under, "--errno", "--", python, "-c", script], stderr=subprocess.PIPE, check=False)
        self.assertIn(b"PermissionError", refused.stderr)
        families = "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)"
        self.assertIn(b"not supported", subprocess.run([*under, "--", python, "-c", families], stderr=subprocess.PIPE, check=False).stderr)


class Manager:
    """The socket on which systemd would listen."""

    def __init__(self, path):
        self.path, self.heard = str(path), []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o777)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            try:
                said = self.socket.recv(65536)
            except OSError:
                return
            self.heard += said.split(b"\n")

    def close(self):
        self.socket.close()


def kit_words():
    """The words of ExecStart, with a free port."""
    line = re.search(r"^ExecStart=(.*)$", UNIT.read_text(), re.M).group(1)
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:0", line).split()


def there():
    return all(map(shutil.which, ("systemd-analyze", "openssl"))) and any(pathlib.Path("/usr/lib").glob("*/libseccomp.so.2"))


if __name__ == "__main__":
    if not there():
        print("skipped: systemd-analyze, openssl or libseccomp is missing")
        sys.exit(1 if os.environ.get("CI") == "true" else 77)
    outcome = unittest.main(argv=[word for word in sys.argv if word != "--measure"], exit=False).result
    if MEASURE:
        print(" ".join(sorted(UnderUnit.seen)))
    sys.exit(not outcome.wasSuccessful())
