#!/usr/bin/env python3
"""The container image: made as examples/image/Containerfile says, entered as a container runtime does it, and used.

The root is read-only, all capabilities are dropped, and folders of the node are mounted. buildah makes the image, without a daemon;
where it is not installed, only the files are tried. The last stage takes the program that is built here: tests/image/build.sh runs all
of the Containerfile, and this test on what comes out (WEIR_IMAGE_STORE, a store of buildah that has the image weir:test).

Needs root. The test runs in a mount and a network namespace of its own, so its mounts end with it, and it may be the DNS server.
"""
import contextlib
import ctypes
import fcntl
import hashlib
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

import journal_kit as journal
import weir_kit as kit

SOURCE = pathlib.Path(__file__).resolve().parents[2]
ROOTFS = SOURCE / "examples" / "image" / "rootfs.sh"
CONTAINERFILE = SOURCE / "examples" / "image" / "Containerfile"
LIMIT = 60_000_000
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, CAPABILITIES = 24, 38, 64
libc = ctypes.CDLL(None)

image = None   # the unpacked files
config = None  # what the image says of itself; None without buildah


def command(*args, **kwargs):
    done = subprocess.run([str(arg) for arg in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, **kwargs)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, args))}: exit {done.returncode}\n{done.stderr.decode(errors='replace')}")
    return done.stdout.decode()


def setUpModule():
    global image, config
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-image-"))
    unittest.addModuleCleanup(shutil.rmtree, folder, ignore_errors=True)
    store = os.environ.get("WEIR_IMAGE_STORE")
    if not store:
        command(ROOTFS, kit.WEIR, folder / "build" / "rootfs")
        image = folder / "build" / "rootfs"
    if not shutil.which("buildah"):
        print("buildah is not installed: the Containerfile is not tried, only the files", flush=True)
        return
    os.environ.setdefault("STORAGE_DRIVER", "vfs")  # works everywhere
    buildah = ["buildah", "--root", store or folder / "store", "--runroot", folder / "run"]
    if not store:
        # The stage that compiles is replaced by what it would leave.
        command(*buildah, "build", "--isolation", "chroot", "--build-context", f"build={folder / 'build'}", "--timestamp", 0, "--file", CONTAINERFILE,
                "--tag", "weir:test", SOURCE)
    container = command(*buildah, "from", "--pull-never", "localhost/weir:test").strip()
    unittest.addModuleCleanup(command, *buildah, "rm", container)
    image = pathlib.Path(command(*buildah, "mount", container).strip())
    config = json.loads(command(*buildah, "inspect", "--type", "image", "localhost/weir:test"))["OCIv1"]


def files(root, what=stat.S_ISREG):
    """{path in the image: its status} of the regular files."""
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            if what(status.st_mode):
                found["/" + os.path.relpath(path, root)] = status
    return found


class Image(kit.Case):
    """A container of it: self.root, read-only. Folders of the test's own are mounted by mount()."""

    def setUp(self):
        super().setUp()
        # Not below self.dir, which is removed with all that is in it.
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="weir-root-"))
        self.addCleanup(os.rmdir, self.root)
        command("mount", "--bind", image, self.root)
        self.addCleanup(command, "umount", "--recursive", self.root)
        command("mount", "-o", "remount,bind,ro", self.root)
        command("mount", "-t", "proc", "-o", "ro", "proc", self.root / "proc")
        command("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", self.root / "dev")
        for name, minor in ("null", 3), ("zero", 5), ("random", 8), ("urandom", 9):
            os.mknod(self.root / "dev" / name, 0o666 | stat.S_IFCHR, os.makedev(1, minor))
            os.chmod(self.root / "dev" / name, 0o666)

    def mount(self, what, where, writable=False):
        command("mount", "--bind", what, f"{self.root}{where}")
        if not writable:
            command("mount", "-o", "remount,bind,ro", f"{self.root}{where}")

    def volume(self, where="/var/lib/weir", owner=0):
        folder = self.dir / where.strip("/").replace("/", "-")
        folder.mkdir()
        os.chown(folder, owner, owner)
        self.mount(folder, where, writable=True)
        return folder

    def enter(self, user):
        """In the child, in front of exec: without a capability, and with no way to get one."""
        os.chroot(self.root)
        os.chdir("/")
        os.setgroups([])
        for capability in range(CAPABILITIES):
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
        if user:
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)

    def run_in(self, *args, expect=0, user=0, env=None, stdin=b"", program="/usr/bin/weir"):
        """Its standard output; of another exit code than `expect`, the messages."""
        done = subprocess.run([program, *map(str, args)], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              env={"PATH": "/usr/bin", **(env or {})}, preexec_fn=lambda: self.enter(user), timeout=2 * kit.PATIENCE)
        self.assertEqual(done.returncode, expect, f"{args}\n{done.stderr.decode(errors='replace')}")
        return done.stdout if expect == 0 else done.stderr.decode()

    def pods(self, owner=0):
        """A tree of a node, as root alone may read it, mounted. What is in it."""
        self.podgen("--seed", 7, "--pods", 5, "--lines", 3000, "--partial")
        for path in (self.dir / "pods").rglob("*"):
            os.chown(path, owner, owner)
            path.chmod(0o750 if path.is_dir() else 0o640)
        self.mount(self.dir / "pods", "/var/log/pods")
        return kit.oracle(self.dir / "pods")


class Files(Image):
    def test_it_is_small(self):
        total = sum(max(status.st_blocks * 512, status.st_size) for status in files(image).values())
        print(f"the image has {total / 1e6:.1f} MB in {len(files(image))} files")
        self.assertLess(total, LIMIT)

    def test_nothing_can_be_run_but_weir(self):
        loader = r"/usr/lib(64)?/ld-linux[\w-]*\.so\.\d+"
        programs = [path for path, status in files(image).items() if status.st_mode & 0o111 and not re.fullmatch(loader, path)]
        self.assertEqual([path for path in programs if not re.search(r"/lib[\w.+-]+\.so[\d.]*$", path)], ["/usr/bin/weir"])
        for name in ("sh", "bash", "dash", "busybox", "apt-get", "dpkg", "ldconfig"):
            self.assertEqual([path for path in files(image, lambda mode: not stat.S_ISDIR(mode)) if path.endswith("/" + name)], [])
        self.assertFalse([path for path, status in files(image).items() if status.st_mode & (stat.S_ISUID | stat.S_ISGID)])

    def test_every_library_is_needed_and_nothing_is_missing(self):
        loader = next(path for path in files(image) if re.search(r"/ld-linux[^/]*$", path))
        have = {path for path in files(image) if ".so" in path and path != loader}
        needed = set()
        for file in "/usr/bin/weir", *(path for path in have if re.search(r"/lib(curl|systemd)\.so\.", path)):
            listed = self.run_in("--list", file, program=loader).decode()
            self.assertNotIn("not found", listed)
            needed |= {re.sub("^/lib/", "/usr/lib/", path) for path in re.findall(r"=> (/\S+)", listed)} | ({file} & have)
        self.assertEqual(have, needed - {loader})
        self.assertGreater(len([path for path in have if "/libcurl" in path or "/libsystemd" in path]), 1)

    def test_scanners_and_lawyers_find_the_packages(self):
        have = {path.name for path in (image / "var/lib/dpkg/status.d").iterdir()}
        self.assertLessEqual({"libc6", "libcurl4", "libsystemd0", "libssl3", "libsqlite3-0", "ca-certificates", "tzdata"}, have)
        for package in have:
            text = (image / "var/lib/dpkg/status.d" / package).read_text()
            self.assertRegex(text, rf"(?m)\APackage: {re.escape(package)}$")
            self.assertRegex(text, r"(?m)^Version: \S+$")
            self.assertTrue((image / "usr/share/doc" / package / "copyright").stat().st_size)
        self.assertIn('ID=debian', (image / "etc/os-release").read_text())

    def test_the_same_inputs_give_the_same_files(self):
        def digest(root):
            sums = hashlib.sha256()
            for folder, folders, names in os.walk(root):
                folders.sort()
                for name in sorted(folders + names):
                    path = pathlib.Path(folder, name)
                    status = path.lstat()
                    content = os.readlink(path) if path.is_symlink() else "" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
                    sums.update(f"{path.relative_to(root)} {status.st_mode:o} {status.st_uid} {status.st_gid} {int(status.st_mtime)} {content}\n".encode())
            return sums.hexdigest()
        for name in "one", "two":
            command(ROOTFS, kit.WEIR, self.dir / name, env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"})
        self.assertEqual(digest(self.dir / "one"), digest(self.dir / "two"))
        self.assertEqual((self.dir / "two" / "usr/bin/weir").stat().st_mtime, 1700000000)
        done = subprocess.run([ROOTFS, kit.WEIR, self.dir / "two"], stderr=subprocess.PIPE, check=False)
        self.assertEqual((done.returncode, b"is not empty" in done.stderr), (1, True))

    def test_what_the_image_says_of_itself(self):
        if config is None:
            self.skipTest("no buildah")
        self.assertEqual(config["config"]["Entrypoint"], ["/usr/bin/weir"])
        self.assertEqual(config["config"]["Cmd"], ["--help"])
        self.assertEqual(config["config"]["Env"], ["PATH=/usr/bin"])
        self.assertNotIn("User", config["config"], "root, to whom the logs of a node belong")
        labels = {name.replace("org.opencontainers.image.", ""): value for name, value in config["config"]["Labels"].items()}
        cmake = (SOURCE / "CMakeLists.txt").read_text()
        self.assertEqual(labels["version"], re.search(r"project\(weir VERSION (\S+)", cmake).group(1))
        self.assertEqual(labels["description"], re.search(r'DESCRIPTION "([^"]+)"', cmake).group(1))
        self.assertEqual((labels["title"], labels["licenses"]), ("weir", "Apache-2.0"))


class Running(Image):
    def test_version_and_help(self):
        self.assertEqual(self.run_in("--version").decode().split("\n")[0], kit.weir("--version").decode().split("\n")[0])
        self.assertIn(b"weir tail", self.run_in("--help"))

    def test_the_root_is_read_only(self):
        with self.assertRaises(OSError):
            (self.root / "tmp" / "file").write_text("")
        with self.assertRaises(OSError):
            (self.root / "var/lib/weir" / "file").write_text("")

    def test_the_logs_of_the_pods(self):
        expected = self.pods()
        self.assertGreater(kit.count(expected), 1000)
        self.assert_records(self.run_in("tail", "/var/log/pods", "-o", "jsonl").splitlines(keepends=True), expected)

    def test_characters_that_are_no_ascii(self):
        record = json.dumps({"timestamp": "2026-01-02T03:04:05Z", "line": "größe", "labels": {"app": "a"}}).encode() + b"\n"
        for wanted, found in ("GRÖSSE", 0), ("GRÖßE", 1):
            out = self.run_in("filter", f'| label_format up="{{{{ __line__ | ToUpper }}}}" | up = "{wanted}"', stdin=record)
            self.assertEqual(len(out.splitlines()), found, wanted)

    def test_the_time_zone_of_a_person(self):
        record = json.dumps({"timestamp": "2026-01-02T03:04:05Z", "line": "one", "labels": {"app": "a"}}).encode() + b"\n"
        for zone, hour in ("", "03:04:05"), ("Asia/Kolkata", "08:34:05"), ("America/New_York", "22:04:05"):
            self.assertIn(hour, self.run_in("filter", "-o", "text", stdin=record, env={"TZ": zone}).decode(), zone)

    def test_the_journal(self):
        if not journal.there():
            self.skipTest("systemd-journal-remote is not installed")
        live = self.dir / "journal" / journal.MACHINE / "system.journal"
        journal.write(live, [journal.entry(number) for number in range(50)])
        self.mount(self.dir / "journal", "/var/log/journal")
        out = self.run_in("tail", "--journal-dir", "/var/log/journal", "-o", "jsonl")
        self.assertEqual([record["line"] for record in kit.records(out.splitlines())], [f"line {number}" for number in range(50)])

    def test_a_node(self):
        """What a DaemonSet runs: pods to a Loki, through a spool in a volume, by name and with TLS; then what the spool has."""
        for user in 0, 4242:
            with self.subTest(user=user):
                self.setUp()
                volume = self.volume(owner=user)
                expected = self.pods(owner=user)
                record = self.dir / "sink"
                with Gateway(self.dir, self.sink(record)) as gateway, Names("127.0.0.1"):
                    self.trust(gateway)
                    self.run_in("run", f"tail /var/log/pods | enrich --level | buffer /var/lib/weir/spool.db | push {gateway.url}", user=user)
                self.assertEqual({key[:4]: sorted(row[:2] for row in rows) for key, rows in kit.sink_records(record).items()},
                                 {key[:4]: sorted(rows) for key, rows in expected.items()})
                self.assertEqual({path.stat().st_uid for path in volume.iterdir()}, {user})
                out = self.run_in("replay", "/var/lib/weir/spool.db", "-o", "jsonl", user=user)
                self.assertEqual(len(list(kit.records(out.splitlines()))), kit.count(expected))

    def trust(self, gateway, resolv="nameserver 127.0.0.1\n"):
        """What a runtime and a ConfigMap mount: the DNS server of the cluster, and a bundle with one more authority."""
        (self.dir / "resolv.conf").write_text(resolv)
        self.mount(self.dir / "resolv.conf", "/etc/resolv.conf")
        (self.dir / "bundle.crt").write_text((image / "etc/ssl/certs/ca-certificates.crt").read_text() + gateway.certificate.read_text())
        self.mount(self.dir / "bundle.crt", "/etc/ssl/certs/ca-certificates.crt")

    def test_names_and_certificates(self):
        bundle = (image / "etc/ssl/certs/ca-certificates.crt").read_text()
        self.assertGreater(bundle.count("BEGIN CERTIFICATE"), 100)
        with Gateway(self.dir, self.sink()) as gateway:
            (self.dir / "hosts").write_text("127.0.0.1 localhost loki.test\n")
            self.mount(self.dir / "hosts", "/etc/hosts")
            self.assertIn("does not trust the authority", self.run_in("push", "--check", gateway.url, expect=4))
            self.trust(gateway, "")
            self.run_in("push", "--check", gateway.url)
        # Of what stands in no file, DNS is asked.
        with Gateway(self.dir, self.sink()) as gateway:
            (self.dir / "hosts").write_text("127.0.0.1 localhost\n")
            self.assertRegex(self.run_in("push", "--check", gateway.url, expect=4), "resolve|find|name")
            with Names("127.0.0.1") as names:
                self.run_in("push", "--check", gateway.url)
            self.assertIn("loki.test", names.asked)


class Gateway:
    """TLS in front of a server, with a certificate for the name loki.test that signs itself."""

    def __init__(self, folder, target):
        self.target = (lambda host, port: (host, int(port)))(*target.split("//")[1].split(":"))
        self.certificate, key = folder / "certificate.pem", folder / "key.pem"
        if not self.certificate.exists():
            command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=loki.test", "-days", "2",
                    "-addext", "subjectAltName=DNS:loki.test", "-keyout", key, "-out", self.certificate)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.certificate, key)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://loki.test:{self.listener.getsockname()[1]}"

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.serve, args=(self.listener.accept()[0],), daemon=True).start()

    def serve(self, plain):
        with contextlib.suppress(OSError), self.context.wrap_socket(plain, server_side=True) as client, \
                socket.create_connection(self.target) as server:
            back = threading.Thread(target=self.copy, args=(server, client), daemon=True)
            back.start()
            self.copy(client, server)
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_WR)
            back.join()

    @staticmethod
    def copy(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)


class Names:
    """A DNS server, on the port that resolv.conf cannot change: the network is the test's own. It knows loki.test."""

    def __init__(self, address):
        self.address, self.asked = socket.inet_aton(address), []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.socket.sendto(b"", self.socket.getsockname())
        self.thread.join()
        self.socket.close()

    def serve(self):
        while True:
            query, sender = self.socket.recvfrom(512)
            if not query:
                return
            at, labels = 12, []
            while query[at]:
                labels.append(query[at + 1:at + 1 + query[at]].decode())
                at += 1 + query[at]
            kind = struct.unpack(">H", query[at + 1:at + 3])[0]
            question, name = query[12:at + 5], ".".join(labels)
            self.asked.append(name)
            answer = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 1, 4) + self.address if (name, kind) == ("loki.test", 1) else b""
            flags = 0x8180 if name == "loki.test" else 0x8183
            self.socket.sendto(query[:2] + struct.pack(">HHHHH", flags, 1, 1 if answer else 0, 0, 0) + question + answer, sender)


def skip(why):
    print(f"SKIPPED: {why}", flush=True)
    sys.exit(77)


def main():
    if os.environ.get("WEIR_IMAGE_INSIDE") != "1":
        if os.geteuid() != 0:
            skip("a container's root cannot be entered without root")
        if subprocess.run(["unshare", "--mount", "--net", "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
            skip("namespaces cannot be made here")
        os.environ["WEIR_IMAGE_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--net", "--propagation", "private", sys.executable, *sys.argv])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:  # lo, up
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))
    unittest.main(argv=sys.argv, verbosity=2)


if __name__ == "__main__":
    main()
