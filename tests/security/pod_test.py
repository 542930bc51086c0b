#!/usr/bin/env python3
"""What the pod of an attacker can do to a node that collects with weir: walked through as a pipe and fused.

Beside the attacker there is always an honest pod, shop/good. In each test these must hold: no file but logs is read, memory stays within a
bound, the lines of the honest pod arrive once and in order, what is lost is reported, and nobody is told what the attacker made up.

  what he tries                                                  where it is held
  links out of the log folders, to other pods, in circles        Files.test_links…; e2e links: test_a_planted_link_is_not_followed; e2e names: test_a_hard_link
  a link or folder that is exchanged between check and open      Files.test_…_exchanged_all_the_time
  FIFOs, devices, sockets, folders in the place of a log         Files.test_what_is_no_file; unit tail (input_file, log_set)
  sparse files, 20,000 files                                     Files.test_a_hole_of_a_terabyte, test_twenty_thousand_logs; e2e links: descriptors
  compressed bombs                                               Files.test_a_bomb_in_a_rotated_file; fuzz gzip; e2e rotation: damaged copies
  names with newlines, quotes, escapes, bytes that are no text   Names; unit base (visible), record (json), monitor (prometheus_text)
  claiming the pod of another one (config hash, uid)             unit kube (pod_directory, pod_parser); e2e pods; loki/real, kube/real
  escape sequences on the terminal of who looks                  Terminal; unit base (visible), show
  huge lines, lines without an end, NULs, no UTF-8, bidi         Lines; e2e reading: test_odd_bytes, multiline: test_bounds; fuzz cri, docker
  times of the year 0 or 9999                                    Lines.test_times_that_nobody_believes; unit loki (clock_trust), e2e rules
  lines that look like weir's own records, markers, gaps         Lines.test_lines_that_look_like_ours; unit record (own_name)
  fields that would change labels, tenants or the level          Fields.test_fields_change_no_label; unit stages (line_fields)
  more and more values of a label                                Fields.test_label_explosion; e2e fields: limits
  JSON bombs, lines that are slow to match                       Fields.test_lines_that_are_hard_to_read; unit record (hostile_json), gotext (regex)
  flooding the others out                                        Flood; e2e rules, stages (rate_window)
  memory and processes that run out                              e2e limits
"""
import collections
import gzip
import json
import os
import pathlib
import pty
import re
import select
import shutil
import socket
import subprocess
import threading
import time
import unittest

import weir_kit as kit

MIB = 1 << 20
GOOD = "shop_good_11111111-1111-4111-8111-111111111111"
EVIL = "evil_bad_22222222-2222-4222-8222-222222222222"
SECRET = "the-secret-of-another"
STAMP = "2026-01-02T03:04:05Z"


def cri(text, stream="stdout", tag="F", stamp=None):
    if stamp is None:
        now = time.time()
        stamp = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now % 1 * 1e9):09d}Z"
    text = text if isinstance(text, bytes) else text.encode()
    return f"{stamp} {stream} {tag} ".encode() + text + b"\n"


class AttackCase(kit.Case):
    memory = 64 * MIB  # of each process, at its peak

    def setUp(self):
        super().setUp()
        self.pods = self.dir / "pods"
        self.evil = self.pods / EVIL / "app"
        self.evil.mkdir(parents=True)
        self.good = self.pods / GOOD / "app" / "0.log"
        self.good.parent.mkdir(parents=True)
        self.sent = []
        self.secret = self.dir / "secret"
        self.secret.write_text(f"{SECRET}\n{STAMP} stdout F {SECRET}\n", encoding="ascii")
        self.honest(3)

    def both(self, body):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                body(fused)

    def honest(self, count=1):
        with open(self.good, "ab") as out:
            for _ in range(count):
                self.sent.append(f"an honest line {len(self.sent)}")
                out.write(cri(self.sent[-1]))

    def follow(self, fused, *more, options="", **kwargs):
        return self.chain([f"tail -f {options} {self.pods} -o jsonl", *(more or ["enrich --level"])], fused, **kwargs)

    @staticmethod
    def found(chain):
        """(labels, line, metadata) of each record so far. The last line may be half written, and each line is read once."""
        if not hasattr(chain, "found"):
            chain.found, chain.read_to = [], 0
        with open(chain.path, "rb") as out:
            out.seek(chain.read_to)
            text = out.read()
        text = text[:text.rfind(b"\n") + 1]
        chain.read_to += len(text)
        chain.found += [(r["labels"], r["line"], r.get("metadata", {})) for r in kit.records(text.splitlines())]
        return chain.found

    def honest_lines(self, chain):
        return [line for labels, line, _ in self.found(chain) if labels.get("pod") == "good"]

    def wait_honest(self, chain, seconds=kit.PATIENCE):
        """The honest pod's lines arrive, and new ones after them, each once."""
        self.honest()
        kit.wait_for(lambda: not chain.running() or self.honest_lines(chain) == self.sent, lambda: f"{self.honest_lines(chain)[-3:]} of {self.sent[-3:]}\n{chain.errors()[-2000:]}",
                     seconds)
        self.assertTrue(chain.running(), chain.errors()[-2000:])

    def wait_line(self, chain, text):
        kit.wait_for(lambda: any(text in line for _, line, _ in self.found(chain)), lambda: chain.errors()[-2000:])

    def check(self, chain, memory=None, loses=False):
        """What holds at the end of each attack. `loses`: something of the attacker's own is lost, which the exit code says."""
        self.wait_honest(chain)
        for process in chain.processes:
            self.assertLess(peak(process.pid), memory or self.memory, "memory")
        chain.stop(expect=(0, 3 if loses else 143))
        self.assertEqual(self.honest_lines(chain), self.sent)
        self.assertNotIn(SECRET.encode(), chain.path.read_bytes())
        self.assertNotIn(SECRET, chain.errors())
        for path in chain.stderr_paths:
            self.assert_plain(path.read_bytes())

    def assert_plain(self, said):
        """Bytes that no terminal obeys, and of which each line begins with weir's name."""
        text = said.decode("utf-8")  # and UTF-8
        self.assertNotRegex(text, "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
        for line in text.splitlines():
            self.assertRegex(line, r"^(weir|  |\s*$)", text)


def peak(pid):
    """Bytes: the most memory that the process had."""
    return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) * 1024


class Files(AttackCase):
    def test_links_out_in_circles_and_to_others(self):
        def body(fused):
            links = {"0.log": "/etc/shadow", "1.log": "/proc/self/environ", "2.log": str(self.secret), "3.log": "3.log", "4.log": "5.log",
                     "5.log": "4.log", "6.log": "/", "7.log": "nothing", "8.log": str(self.evil), "9.log": str(self.good), "10.log": "/proc/self/fd/1",
                     "11.log": "../../../secret", "12.log": f"/proc/self/root{self.secret}"}
            for name, target in links.items():
                (self.evil / name).symlink_to(target)
            (self.evil / "0.log.20260101-000000").symlink_to(self.secret)
            (self.evil / "0.log.20260101-000000.gz").symlink_to(self.secret)
            outside = self.dir / "outside"
            outside.mkdir()
            (outside / "0.log").write_bytes(cri(SECRET))
            (self.pods / EVIL / "linked").symlink_to(outside)
            (self.pods / "evil_other_33333333-2222-4222-8222-222222222222").symlink_to(self.dir)
            chain = self.follow(fused, env=kit.environment(HIDDEN=SECRET))
            self.wait_honest(chain)
            (self.evil / "20.log").symlink_to(self.secret)  # while it is followed
            (self.evil / "21.log").write_bytes(cri("its own"))
            self.wait_line(chain, "its own")
            self.check(chain)
            # The other pod's log is read once, and is that pod's: nobody is named for another one's lines.
            self.assertEqual({labels["pod"] for labels, line, _ in self.found(chain) if "honest" in line}, {"good"})
            self.assertIn("a symbolic link leads out of the log folders", chain.errors())
        self.both(body)

    def exchanged(self, fused, put):
        """`put(i)` exchanges what stands in the attacker's folder, again and again, while chains follow and read it."""
        stop = threading.Event()

        def play():
            i = 0
            while not stop.is_set():
                i += 1
                put(i)

        thread = threading.Thread(target=play, daemon=True)
        thread.start()
        try:
            chain = self.follow(fused)
            deadline = time.monotonic() + 2.5
            while time.monotonic() < deadline:
                out = kit.weir("tail", self.pods, "-o", "jsonl", expect=None)
                self.assertNotIn(SECRET.encode(), out)
            self.wait_honest(chain)
        finally:
            stop.set()
            thread.join()
        self.check(chain)

    def test_a_log_that_is_exchanged_all_the_time(self):
        def body(fused):
            def put(i):
                fresh = self.evil / "fresh"
                fresh.symlink_to(self.secret) if i % 2 else fresh.write_bytes(cri(f"its own {i}"))
                fresh.rename(self.evil / "0.log")
            self.exchanged(fused, put)
        self.both(body)

    def test_a_folder_that_is_exchanged_all_the_time(self):
        def body(fused):
            outside = self.dir / "outside"
            outside.mkdir()
            (outside / "0.log").write_bytes(cri(SECRET))
            real, link, aside = self.pods / EVIL / "app", self.dir / "link", self.dir / "aside"
            (real / "0.log").write_bytes(cri("its own"))
            link.symlink_to(outside)

            def put(_):
                real.rename(aside)
                link.rename(real)
                real.rename(link)
                aside.rename(real)
            self.exchanged(fused, put)
        self.both(body)

    def test_what_is_no_file(self):
        def body(fused):
            os.mkfifo(self.evil / "0.log")
            listener = socket.socket(socket.AF_UNIX)
            self.addCleanup(listener.close)
            os.chdir(self.evil)  # the path of a socket is short
            listener.bind("1.log")
            os.chdir("/")
            listener.listen()
            (self.evil / "2.log").mkdir()
            (self.evil / "2.log" / "0.log").mkdir()
            if os.geteuid() == 0:
                os.mknod(self.evil / "3.log", 0o600 | 0o020000, os.makedev(1, 5))  # /dev/zero
                os.mknod(self.evil / "4.log", 0o600 | 0o020000, os.makedev(5, 0))  # /dev/tty
            os.mkfifo(self.evil / "0.log.20260101-000000.gz")
            chain = self.follow(fused)
            self.wait_honest(chain)
            # Nobody opened the FIFO: a writer finds no reader.
            with self.assertRaises(OSError):
                os.open(self.evil / "0.log", os.O_WRONLY | os.O_NONBLOCK)
            (self.evil / "5.log").write_bytes(cri("its own"))
            self.wait_line(chain, "its own")
            self.check(chain)
        self.both(body)

    def test_a_hole_of_a_terabyte(self):
        def body(fused):
            with open(self.evil / "0.log", "wb") as out:
                out.write(cri("before"))
                out.seek(1 << 40)
                out.write(b"\n" + cri("behind"))
            chain = self.follow(fused)
            self.wait_honest(chain)
            self.wait_line(chain, "behind")
            self.check(chain, loses=True)
            gaps = [line for _, line, metadata in self.found(chain) if "weir_gap_bytes" in metadata]
            self.assertEqual(len(gaps), 1, chain.errors())
            self.assertIn("zeros stand there", gaps[0])
        self.both(body)

    def test_twenty_thousand_logs(self):
        """As a pipe: the stages behind tail touch no file, so that one form tells."""
        line = cri("its own")
        for i in range(20_000):
            (self.evil / f"{i}.log").write_bytes(line)
        before = time.monotonic()
        chain = self.follow(False)
        self.wait_honest(chain)
        kit.wait_for(lambda: len(self.found(chain)) >= 20_000 + len(self.sent), lambda: f"{len(self.found(chain))} {chain.errors()[-1000:]}")
        with open(self.evil / "19999.log", "ab") as out:
            out.write(cri("and on"))
        self.wait_line(chain, "and on")
        print(f"20,000 logs: {time.monotonic() - before:.1f} s, {[peak(p.pid) // MIB for p in chain.processes]} MiB", flush=True)
        self.check(chain, memory=160 * MIB)

    def test_a_bomb_in_a_rotated_file(self):
        # 300 KiB that become 300 MiB: one line without an end, and zeros.
        bombs = {name: gzip.compress(cri("before") + byte * (300 * MIB), compresslevel=1)
                 for name, byte in (("0.log.20260101-000000.gz", b"x"), ("0.log.20260102-000000.gz", b"\0"))}

        def body(fused):
            for name, bomb in bombs.items():
                (self.evil / name).write_bytes(bomb)
            (self.evil / "0.log").write_bytes(cri("its own"))
            spool = self.dir / "spool.db"
            chain = self.chain([f"tail -f --max-age 0 --checkpoint {spool} {self.pods}" if not fused else f"tail -f --max-age 0 {self.pods}",
                                f"buffer {spool}"], fused)
            self.wait_honest(chain)
            self.wait_line(chain, "its own")
            self.check(chain)
        self.both(body)


class Names(AttackCase):
    """Folders with names that Kubernetes would not give, but a process that may write there."""

    ODD = [b"a\nweir: all is well", b"\x1b]0;owned\x07\x1b[31m", b'x",app="checkout', b"a{b=\"c\"}", b"\xff\xfe\x80", "b\u202egol.0".encode(), b"%2e%2e%2f",
           b"...", b"a b\tc", "\u0085\u009b31m".encode(), b"$(touch owned)", b"'; drop", b"a\\", b"-o"]

    def test_odd_names(self):
        def body(fused):
            target = self.sink(self.dir / "sink")
            made = 0
            for odd in self.ODD:
                for folder in (b"evil_" + odd + b"_22222222/app", b"evil_pod_22222222/" + odd, odd + b"_pod_22222222/app"):
                    if b"/." in b"/" + folder:
                        continue  # hidden names are no logs
                    path = os.path.join(os.fsencode(self.pods), folder)
                    os.makedirs(path, exist_ok=True)
                    with open(os.path.join(path, b"0.log"), "wb") as out:
                        out.write(cri(f"odd {made}"))
                    os.symlink(self.secret, os.path.join(path, b"1.log"))  # which is reported, with its name
                    made += 1
            chain = self.chain([f"tail -f {self.pods}", "enrich --level", f"push {target}"], fused, options=["--metrics", "127.0.0.1:0"])
            self.honest()
            kit.wait_for(lambda: kit.sink_stats(target)["entries"] >= made + len(self.sent), lambda: chain.errors()[-2000:])
            address = re.search(r"metrics on (http://\S+)/metrics\n", chain.errors()).group(1)
            page = kit.get(address + "/metrics")[1].decode("utf-8")
            for line in page.splitlines():
                self.assertRegex(line, r'^(#.*|\w+(\{(\w+="([^"\\\n]|\\[\\n"])*",?)*\})? \S+)$')
            chain.stop()
            for path in chain.stderr_paths:
                self.assert_plain(path.read_bytes())
            # Labels are what Loki parses: no name was added, none of the honest pod's were taken.
            seen = collections.Counter()
            with open(self.dir / "sink", "rb") as lines:
                for text in lines:
                    entry = json.loads(text)
                    labels = dict(kit.LABEL.findall(entry["labels"].encode("latin-1").decode("utf-8")))  # as Go quotes them
                    self.assertLessEqual(set(labels), {"namespace", "pod", "container", "stream", "filename", "app", "service_name"}, entry["labels"])
                    if labels.get("pod") == "good" and labels.get("namespace") == "shop":
                        seen[entry["line"]] += 1
                    self.assertNotEqual(labels.get("app"), "checkout")
            self.assertEqual(seen, collections.Counter(self.sent))
        self.both(body)


class Lines(AttackCase):
    def test_a_line_without_an_end(self):
        """Of a quarter of a gigabyte, in one piece and in the parts that a runtime makes; then it goes on."""
        def body(fused):
            chunk = b"x" * MIB
            with open(self.evil / "0.log", "wb") as out:
                out.write(cri("before")[:-1])
                for _ in range(256):
                    out.write(chunk)
            with open(self.evil / "1.log", "wb") as out:
                part = cri(b"y" * 16384, tag="P")
                for _ in range(64 * 64):
                    out.write(part)
            chain = self.follow(fused, "enrich --level", "filter '|~ \"^(an honest|behind)\"'")
            self.wait_honest(chain)
            for name in ("0.log", "1.log"):
                with open(self.evil / name, "ab") as out:
                    out.write(b"\n" * (name == "0.log") + cri("end", tag="F") + cri(f"behind {name}"))
                self.wait_line(chain, f"behind {name}")
            self.check(chain)
        self.both(body)

    def test_bytes_that_are_no_text(self):
        def body(fused):
            lines = [b"a\0b", b"\xff\xfe\xc3(", "a\u202eb\u2066c".encode(), b"\x1b[2J\x1b]0;x\x07", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\r", b"", b"\x80" * 100]
            (self.evil / "0.log").write_bytes(b"".join(cri(line) for line in lines))
            target = self.sink(self.dir / "sink")
            chain = self.chain([f"tail {self.pods}", "enrich --level", f"push {target}"], fused)
            self.assertTrue(all(code == 0 for code in chain.wait()), chain.errors())
            got = kit.whole_lines(self.dir / "sink")
            evil = [entry["line"].encode("latin-1") for entry in got if '"bad"' in entry["labels"]]
            self.assertEqual(len(evil), len(lines))
            for sent, arrived in zip(lines, evil):
                arrived.decode("utf-8")  # Loki takes nothing else
                self.assertTrue(sent == arrived or "\ufffd" in arrived.decode("utf-8"), (sent, arrived))
        self.both(body)

    def test_times_that_nobody_believes(self):
        def body(fused):
            stamps = ["9999-12-31T23:59:59.999999999Z", "0000-01-01T00:00:00Z", "-001-01-01T00:00:00Z", "2262-04-11T23:47:16.854775807Z",
                      "2262-04-11T23:47:16.854775808Z", "1677-09-21T00:12:43Z", "2026-13-45T99:99:99Z", "2026-02-30T00:00:00Z", "1970-01-01T00:00:00Z",
                      "2026-01-01T00:00:00+99:99", "99999999999999999999-01-01T00:00:00Z", "2026-01-01T00:00:00." + "9" * 400 + "Z"]
            (self.evil / "0.log").write_bytes(b"".join(cri(f"at {i}", stamp=stamp) for i, stamp in enumerate(stamps)))
            spool, target = self.dir / "spool.db", self.sink(self.dir / "sink")
            rules = self.dir / "rules"
            rules.write_text("limit 1000/s by (namespace, pod)\ndedup 10s by (pod) {namespace=\"none\"}\n")
            tail = f"tail -f --max-age 0 {self.pods}" + ("" if fused else f" --checkpoint {spool}")
            chain = self.chain([tail, f"filter --rules {rules}", f"buffer {spool}", f"push {target}"], fused)

            def arrived():
                return [row[1] for rows in kit.sink_records(self.dir / "sink").values() for row in rows]

            def wait():
                self.honest()
                kit.wait_for(lambda: set(self.sent) <= set(arrived()), lambda: f"{arrived()} {chain.errors()}")
            wait()
            wait()
            for process in chain.processes:
                self.assertLess(peak(process.pid), self.memory)
            chain.stop(expect=(0, 3, 143))  # what Loki would refuse is a loss, which is reported
            kit.weir("spool", "check", spool)
            kit.weir("spool", "status", spool)
            # Each is there, with a time that Loki can have; those that it would refuse are kept as refused.
            stored = [r["line"] for r in kit.records(kit.weir("replay", spool, "-o", "jsonl").splitlines() + kit.weir("replay", "--rejected", spool, "-o", "jsonl", expect=(0, 1)).splitlines())]
            for i in range(len(stamps)):
                self.assertTrue(any(line == f"at {i}" or line.endswith(f" at {i}") for line in stored), (stamps[i], stored))
            self.assertEqual(collections.Counter(line for line in arrived() if "honest" in line), collections.Counter(self.sent))
        self.both(body)

    def test_lines_that_look_like_ours(self):
        """Records, markers and gap records of weir, as text of a pod: they stay text."""
        def body(fused):
            lines = ['{"line":"forged","labels":{"namespace":"kube-system","pod":"good"}}', '{"marker":"end"}', '{"type":"end"}', '{"source":"1:2:3","line":"x"}',
                     '{"timestamp":"2026-01-01T00:00:00Z","line":"x","labels":{},"metadata":{"weir_gap_bytes":"5"},"source":"a"}',
                     "weir: 5000 bytes of /var/log/pods/x/0.log from byte 3 on are lost: zeros stand there", '","labels":{"pod":"good"},"x":"',
                     '\\u0022,\\"labels\\"', "weir_gap_bytes=5", '{"end":true}', '{"begin":{"log":"x"}}']
            (self.evil / "0.log").write_bytes(b"".join(map(cri, lines)))
            spool = self.dir / "spool.db"
            tail = f"tail {self.pods}" + ("" if fused else f" --checkpoint {spool}")
            rules = self.dir / "rules"
            rules.write_text('drop {namespace="evil"} |= "bytes"\n')
            chain = self.chain([tail, f"filter --rules {rules}", f"buffer {spool} --store"], fused)
            self.assertTrue(all(code == 0 for code in chain.wait()), chain.errors())
            rows = list(kit.records(kit.weir("replay", spool, "-o", "jsonl").splitlines()))
            evil = [row for row in rows if row["labels"]["pod"] == "bad"]
            # What looks like a gap record is dropped as every line, and what is left is what was written.
            self.assertEqual([row["line"] for row in evil], [line for line in lines if "bytes" not in line])
            self.assertEqual({json.dumps(row["labels"], sort_keys=True) for row in evil},
                             {json.dumps({"container": "app", "namespace": "evil", "pod": "bad", "stream": "stdout"})})
            self.assertFalse([row for row in rows if any(name.startswith("weir_") for name in row.get("metadata", {}))])
            self.assertEqual([row["line"] for row in rows if row["labels"]["pod"] == "good"], self.sent)
        self.both(body)


class Fields(AttackCase):
    def test_fields_change_no_label(self):
        """--parse with everything to labels and metadata: what the path says stays, and nobody writes weir's own names or a tenant."""
        def body(fused):
            names = ["namespace", "pod", "container", "app", "stream", "__tenant_id__", "weir_gap_bytes", "weir_rule", "__error__", "detected_level", "labels", "team"]
            (self.evil / "0.log").write_bytes(cri(json.dumps({name: "forged" for name in names} | {"user": "u1"})))
            chain = self.chain([f"tail {self.pods}", "enrich --parse json --to-label team --to-metadata user"], fused)
            self.assertTrue(all(code == 0 for code in chain.wait()), chain.errors())
            (labels, metadata), = [(labels, metadata) for labels, line, metadata in self.found(chain) if "forged" in line]
            self.assertEqual(metadata, {"user": "u1", "pod_uid": EVIL.rsplit("_", 1)[1]})
            self.assertEqual(labels, {"namespace": "evil", "pod": "bad", "container": "app", "stream": "stdout", "team": "forged", "service_name": labels.get("service_name")})
            for option in ("--to-metadata weir_gap_bytes", "--to-metadata user=weir_gap_bytes", "--to-label user=weir_x", "--to-label weir_rule"):
                refused = self.chain([f"tail {self.pods}", f"enrich --parse json {option}"], fused)
                self.assertIn(2, refused.wait(), option)
        self.both(body)

    def test_label_explosion(self):
        """20,000 values of a field that is a label: within --max-values; and without a limit, within a bound of memory."""
        def body(fused):
            with open(self.evil / "0.log", "wb") as out:
                for i in range(20_000):
                    out.write(cri(json.dumps({"user": f"user-{i}-{'x' * 100}"})))
            for limited in (True, False):
                option = f"--max-values user=50 --values-file {self.dir}/values" if limited else ""
                chain = self.follow(fused, f"enrich --parse json --to-label user {option}")
                kit.wait_for(lambda: len(self.found(chain)) >= 20_000 + len(self.sent), lambda: chain.errors()[-2000:])
                users = {labels["user"] for labels, _, _ in self.found(chain) if "user" in labels}
                self.assertEqual(len(users), 50 if limited else 20_000)
                if limited:
                    self.assertEqual(sum("user" in metadata for _, _, metadata in self.found(chain)), 20_000 - 50)
                print(f"20,000 values, {'50 allowed' if limited else 'all allowed'}: {[peak(p.pid) // MIB for p in chain.processes]} MiB", flush=True)
                self.check(chain, memory=self.memory if limited else 128 * MIB)
        self.both(body)

    def test_lines_that_are_hard_to_read(self):
        def body(fused):
            lines = ['{"a":' * 60_000 + "1" + "}" * 60_000, "[" * 300_000, '{"a":"' + "\\u0041" * 40_000 + '"}',
                     "{" + ",".join(f'"k{i}":{i}' for i in range(20_000)) + "}", "a" * 220_000, " ".join(f"k{i}=v" for i in range(20_000)), '{"a":' + "9" * 200_000 + "}",
                     '{"a":1e' + "9" * 100_000 + "}", '"' * 200_000, "\\" * 200_000, "a=" * 100_000]
            with open(self.evil / "0.log", "wb") as out:
                for line in lines:
                    out.write(cri(line))
            for expression in ("| json", "| json a", "| logfmt", '|~ "(a+)+$"', '|~ "(a|aa)+b"', "| pattern \"<a>:<b> <_>\" | line_format \"{{ .a | replace `a` `bb` | upper }}\"",
                               '| json | a=~"(x+x+)+y"', "| unpack", "| decolorize"):
                begun = time.monotonic()
                chain = self.chain([f"tail {self.pods}", f"filter '{expression}'"], fused)
                codes = chain.wait(60)
                self.assertTrue(all(code in (0, 1) for code in codes), chain.errors()[-2000:])
                self.assertLess(time.monotonic() - begun, 20, expression)
            chain = self.follow(fused, "enrich --parse json --to-metadata a --level")
            self.wait_honest(chain)
            self.check(chain)
        self.both(body)


class Terminal(AttackCase):
    """Somebody looks at the logs of the attacker."""

    NASTY = ["\x1b[2J\x1b[31mred", "\x1b]0;title\x07", "\u009b31m", "a\rweir: all is well", "a\bb", "\x07", "\u202eevil", "\x1bPdcs\x1b\\", "\x1b]52;c;ZXZpbA==\x07",
             "a\u2028b", "\x7f", "\x0e", "\x1b[?1049h"]
    OBEYED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1a\x1b\x1c-\x1f\x7f-\x9f\u2028\u202a-\u202e\u2066-\u2069]")

    def on_terminal(self, *words, seconds=20, until=None, env=None):
        """What a terminal gets of a command: its output and its messages."""
        child, terminal = pty.openpty()
        process = self.start(kit.WEIR, *map(str, words), stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal, start_new_session=True,
                             env=kit.environment(NO_COLOR="1", TERM="dumb", COLUMNS="200", **(env or {})))
        os.close(terminal)
        got, deadline = b"", time.monotonic() + seconds
        while time.monotonic() < deadline:
            ready, _, _ = select.select([child], [], [], 0.1)
            if not ready:
                if until and until in got:
                    break
                continue
            try:
                data = os.read(child, 65536)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            got += data
        os.close(child)
        kit.end(process)
        return got

    def assert_obeys_nothing(self, got, what):
        text = got.replace(b"\r\n", b"\n").replace(b"\r\x1b[K", b"")  # weir's own: how a line of progress is taken away
        decoded = text.decode("utf-8")
        found = self.OBEYED.search(decoded)
        self.assertIsNone(found, f"{what}: {decoded[max(0, found.start() - 80):found.start() + 40]!r}" if found else "")

    def records(self):
        """Records whose line, labels and metadata hold what a terminal obeys, as `tail | enrich --parse` may give them."""
        path = self.dir / "records.jsonl"
        with open(path, "w", encoding="utf-8") as out:
            for i, nasty in enumerate(self.NASTY):
                labels = {"namespace": f"ns{nasty}", "pod": f"pod{nasty}", "container": "c", "filename": f"/x/{nasty}", "team": nasty}
                out.write(json.dumps({"timestamp": f"2026-01-02T03:04:{i:02}Z", "line": f"line {nasty} end", "labels": labels, "metadata": {"user": nasty}}) + "\n")
        return path

    def test_every_way_to_show_records(self):
        path, spool = self.records(), self.dir / "spool.db"
        with open(path, "rb") as stdin:
            kit.weir("buffer", spool, "--store", stdin=stdin)
        rules = self.dir / "rules"
        rules.write_text('drop |= "line"\n')
        for output in ("text", "raw", "jsonl"):
            for words in (["replay", spool], ["query", "--spool", spool, '{namespace=~".+"}'], ["query", "--spool", spool, '{pod=~".+"} | line_format "{{.team}}"']):
                got = self.on_terminal(*words, "-o", output)
                self.assertIn(b"c" if output == "jsonl" else b"", got)
                self.assertGreater(len(got), 20, words)
                self.assert_obeys_nothing(got, (words, output))
        for words in (["spool", "status", spool], ["rules", "test", rules, "--against", spool], ["query", "--spool", spool, 'sum by (team) (count_over_time({namespace=~".+"}[1h]))'],
                      ["spool", "check", spool]):
            got = self.on_terminal(*words)
            self.assertGreater(len(got), 10, words)
            self.assert_obeys_nothing(got, words)

    def test_a_folder_of_logs(self):
        for i, nasty in enumerate(self.NASTY):
            if "/" in nasty:
                continue
            folder = self.pods / f"evil_pod{nasty}_22222222" / f"c{nasty}"
            folder.mkdir(parents=True)
            (folder / "0.log").write_bytes(cri(f"line {nasty}", stamp="2026-01-02T03:04:05Z"))
            (folder / "1.log").symlink_to(self.secret)
        for words in (["tail", self.pods], ["tail", self.pods, "-o", "raw"], ["tail", self.pods, "-o", "jsonl"]):
            got = self.on_terminal(*words)
            self.assertIn(b"symbolic link", got)
            self.assert_obeys_nothing(got, words)
        spool = self.dir / "spool.db"
        kit.weir("run", "-c", f"tail --max-age 0 {self.pods} | buffer {spool} --store", expect=(0, 3))
        for log in self.pods.glob("evil_*/*/0.log"):
            with open(log, "ab") as out:
                out.write(cri("unread"))
        got = self.on_terminal("spool", "status", spool)
        self.assertIn(b"unread", got)
        self.assert_obeys_nothing(got, "spool status")

    def test_what_a_loki_answers(self):
        """A Loki that refuses with escape sequences: in messages, in the status, in the list of what was refused."""
        import http.server

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # noqa: N802
                self.rfile.read(int(self.headers["Content-Length"] or 0))
                body = "\x1b[31mowned\x1b]0;x\x07\r\nweir: all is well \u202e\u009b31m".encode()
                self.send_response(400)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.addCleanup(server.server_close)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        url, spool = f"http://127.0.0.1:{server.server_address[1]}", self.dir / "spool.db"
        got = self.on_terminal("run", "-c", f"tail {self.pods} | buffer {spool} | push {url}", seconds=30, until=b"owned")  # it goes on trying
        self.assertIn(b"owned", got)
        self.assert_obeys_nothing(got, "push")
        for words in (["spool", "status", spool], ["replay", "--rejected", spool], ["replay", "--rejected", spool, "-o", "raw"], ["query", "--addr", url, '{a="b"}']):
            got = self.on_terminal(*words)
            self.assertGreater(len(got), 10, words)
            self.assert_obeys_nothing(got, words)


class Flood(AttackCase):
    def test_a_flood_is_limited_and_the_others_arrive(self):
        def body(fused):
            stop, target, rules, spool = threading.Event(), self.sink(self.dir / "sink"), self.dir / "rules", self.dir / "spool.db"
            rules.write_text("limit 500/s burst 1000 by (namespace, pod)\n")

            def flood():
                with open(self.evil / "0.log", "ab") as out:
                    while not stop.is_set():
                        out.write(b"".join(cri(f"flood {i}") for i in range(2000)))
                        time.sleep(0.01)  # some hundred thousand lines a second

            thread = threading.Thread(target=flood, daemon=True)
            tail = f"tail -f {self.pods}" + ("" if fused else f" --checkpoint {spool}")
            chain = self.chain([tail, f"filter --rules {rules}", f"buffer {spool}", f"push {target}"], fused)
            thread.start()
            try:
                for _ in range(5):
                    self.honest()
                    kit.wait_for(lambda: self.sent[-1].encode() in (self.dir / "sink").read_bytes(), lambda: chain.errors()[-2000:], seconds=15)
            finally:
                stop.set()
                thread.join()
            for process in chain.processes:
                self.assertLess(peak(process.pid), self.memory)
            chain.stop()
            written = (self.evil / "0.log").read_bytes().count(b"\n")
            got = collections.Counter(row["line"].split()[0] for row in kit.whole_lines(self.dir / "sink"))
            self.assertEqual(got["an"], len(self.sent))
            self.assertLess(got["flood"], written // 4)
            self.assertGreater(got["flood"], 0)
        self.both(body)


if __name__ == "__main__":
    unittest.main(verbosity=2)
