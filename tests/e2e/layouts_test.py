#!/usr/bin/env python3
"""Nodes whose logs lie otherwise: the links of /var/log/containers, static pods, init and ephemeral containers, CRI-O, and a folder of
pods that appears later, or is mounted over an empty one, taken away and mounted again. Each line arrives once, as a pipe and fused."""
import collections
import ctypes
import os
import pathlib
import shutil
import subprocess
import time
import unittest

import weir_kit as kit

UID = "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"
HASH = "d2f1ab2e5c9b7a64c1e5f3a0b9d8c7e6"  # a static pod's folder has the hash of its manifest in place of the uid
ID = "0123456789abcdef" * 4

libc = ctypes.CDLL(None, use_errno=True)
MS_BIND, MNT_DETACH = 4096, 2


def mount(kind, target, source="none", flags=0):
    if libc.mount(str(source).encode(), str(target).encode(), kind.encode() if kind else None, flags, None) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(target))


def unmount(target):
    return libc.umount2(str(target).encode(), MNT_DETACH) == 0


def may_mount(folder):
    try:
        mount("tmpfs", folder)
    except OSError:
        return False
    unmount(folder)
    return True

BEGINS = int(time.time()) - 3600  # of the lines

class LayoutsCase(kit.Case):
    def setUp(self):
        super().setUp()
        self.logs = self.dir / "log"
        self.pods = self.logs / "pods"
        self.logs.mkdir()
        self.expected = collections.defaultdict(list)
        self.count = 0

    def line(self, folder, name="0.log", stream="stdout", key=None, mode=0o640):
        """Appends a numbered line to a log below `folder`, whose pod and container the path names."""
        folder.mkdir(parents=True, exist_ok=True)
        self.count += 1
        stamp = kit.stamp_of(BEGINS + self.count)
        path = folder / name
        new = not path.exists()
        with open(path, "a") as log:
            log.write(f"{stamp} {stream} F line {self.count}\n")
        if new:
            path.chmod(mode)
        namespace, pod, _ = folder.parent.name.split("_")
        self.expected[key or (namespace, pod, folder.name, stream, "")].append(f"line {self.count}")
        return path

    def arrived(self, chain):
        found = collections.defaultdict(list)
        for text in chain.output():
            if text.endswith(b"\n"):
                for record in kit.records([text]):
                    found[kit.key_of(record["labels"])].append(record["line"])
        return found

    def wait_for_all(self, chain):
        kit.wait_for(lambda: sum(map(len, self.arrived(chain).values())) >= self.count,
                     lambda: f"{dict(self.arrived(chain))} instead of {dict(self.expected)}\n{chain.errors()}")

    def check(self, chain):
        self.wait_for_all(chain)
        chain.stop()
        self.assertEqual(self.arrived(chain), self.expected)

    def both(self, body):
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                body(fused)

    def follow(self, fused, path=None):
        return self.chain([f"tail -f {path or self.pods}", "enrich --label node=n1"], fused)


class Names(LayoutsCase):
    def test_static_pods_have_a_hash_for_a_uid(self):
        def body(fused):
            folder = self.pods / f"kube-system_etcd-node-1_{HASH}" / "etcd"
            self.line(folder)
            chain = self.follow(fused)
            self.wait_for_all(chain)
            self.line(folder)
            self.check(chain)
            uids = {record["metadata"]["pod_uid"] for record in kit.records(chain.output())}
            self.assertEqual(uids, {HASH})
        self.both(body)

    def test_a_changed_manifest_is_another_pod(self):
        def body(fused):
            self.line(self.pods / f"kube-system_etcd-node-1_{HASH}" / "etcd")
            chain = self.follow(fused)
            self.wait_for_all(chain)
            self.line(self.pods / f"kube-system_etcd-node-1_{HASH[::-1]}" / "etcd")
            self.check(chain)
            self.assertEqual([record["metadata"]["pod_uid"] for record in kit.records(chain.output())], [HASH, HASH[::-1]])
        self.both(body)

    def test_init_and_ephemeral_containers(self):
        def body(fused):
            pod = self.pods / f"shop_web-0_{UID}"
            self.line(pod / "init-schema")
            chain = self.follow(fused)
            self.wait_for_all(chain)
            self.line(pod / "web")
            self.wait_for_all(chain)
            self.line(pod / "debugger-x7k2p")  # kubectl debug
            self.line(pod / "web")
            self.line(pod / "init-schema", name="1.log")  # it was run again
            self.check(chain)
        self.both(body)


class Containers(LayoutsCase):
    """The links of /var/log/containers lead to those of /var/log/pods, which are files, or links once more (docker)."""

    def link(self, pod_log, pod, namespace, container, identity=ID):
        containers = self.logs / "containers"
        containers.mkdir(exist_ok=True)
        (containers / f"{pod}_{namespace}_{container}-{identity}.log").symlink_to(pod_log)
        return containers

    def test_links_are_followed_from_before_and_later(self):
        def body(fused):
            containers = self.link(self.line(self.pods / f"shop_web-0_{UID}" / "web"), "web-0", "shop", "web")
            chain = self.follow(fused, containers)
            self.wait_for_all(chain)
            self.line(self.pods / f"shop_web-0_{UID}" / "web")
            late = self.line(self.pods / f"shop_web-1_{UID}" / "web")
            self.link(late, "web-1", "shop", "web", ID[::-1])
            self.wait_for_all(chain)
            self.line(late.parent)
            self.check(chain)
        self.both(body)

    def test_a_container_that_starts_again_has_a_new_link(self):
        def body(fused):
            folder = self.pods / f"shop_web-0_{UID}" / "web"
            containers = self.link(self.line(folder), "web-0", "shop", "web")
            chain = self.follow(fused, containers)
            self.wait_for_all(chain)
            again = self.line(folder, name="1.log")
            (containers / f"web-0_shop_web-{ID}.log").unlink()
            self.link(again, "web-0", "shop", "web", ID[::-1])
            self.line(folder, name="1.log")
            self.check(chain)
        self.both(body)

    def test_rotation_behind_a_link(self):
        def body(fused):
            live = self.line(self.pods / f"shop_web-0_{UID}" / "web")
            chain = self.follow(fused, self.link(live, "web-0", "shop", "web"))
            self.wait_for_all(chain)
            for i in range(3):
                self.line(live.parent)
                live.rename(live.with_name(f"0.log.20261130-10000{i}"))
                self.line(live.parent)
            self.check(chain)
        self.both(body)

    def test_both_folders_name_a_log_once(self):
        def body(fused):
            live = self.line(self.pods / f"shop_web-0_{UID}" / "web")
            containers = self.link(live, "web-0", "shop", "web")
            chain = self.follow(fused, f"{containers} {self.pods}")
            self.wait_for_all(chain)
            self.line(live.parent)
            self.check(chain)
        self.both(body)


class CriO(LayoutsCase):
    """CRI-O writes /var/log/pods as others do, but 0600; its container folder holds links to the same files."""

    def test_files_that_only_their_owner_reads(self):
        def body(fused):
            folder = self.pods / f"openshift-etcd_etcd-0_{UID}" / "etcd"
            self.line(folder, mode=0o600)
            chain = self.follow(fused)
            self.wait_for_all(chain)
            live = self.line(folder)
            live.rename(live.with_name("0.log.20261130-100000"))
            self.line(folder, mode=0o600)
            self.line(folder)
            self.check(chain)
            self.assertEqual({path.stat().st_mode & 0o777 for path in folder.iterdir()}, {0o600})
        self.both(body)

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_files_that_may_not_be_read_are_named(self):
        folder = self.pods / f"shop_web-0_{UID}" / "web"
        self.line(folder, mode=0o600)
        for path in (self.dir, self.logs, self.pods, folder.parent, folder):
            path.chmod(0o755)
        program = pathlib.Path(kit.WEIR)

        def other_user():
            os.setgid(65534)
            os.setuid(65534)
        copy = self.dir / "weir"
        shutil.copy(program, copy)
        copy.chmod(0o755)
        done = subprocess.run([str(copy), "tail", str(self.pods)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=kit.environment(), preexec_fn=other_user, check=False)
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn(b"Permission denied", done.stderr)
        self.assertIn(str(folder).encode(), done.stderr)


class Later(LayoutsCase):
    """The folder of pods is not there yet, or not the one that will be."""

    def pod(self):
        return self.pods / f"shop_web-0_{UID}" / "web"

    def settle(self, chain, beside):
        """Until the chain follows what is there."""
        self.line(beside)
        self.wait_for_all(chain)

    def test_the_folder_appears(self):
        def body(fused):
            chain = self.chain([f"tail -f {self.dir}/other/ {self.pods}/", "enrich --label node=n1"], fused)
            self.settle(chain, self.dir / "other" / f"a_b_{UID}" / "c")
            self.line(self.pod())
            self.line(self.pod())
            self.wait_for_all(chain)
            self.line(self.pod())
            self.check(chain)
        self.both(body)

    def test_the_folder_is_removed_and_appears_again(self):
        def body(fused):
            self.line(self.pod())
            chain = self.follow(fused)
            self.wait_for_all(chain)
            shutil.rmtree(self.pods)
            self.line(self.pods / f"shop_web-1_{UID}" / "web")
            self.check(chain)
        self.both(body)

    def mounted(self, body):
        probe = self.dir / "probe"
        probe.mkdir()
        if not may_mount(probe):
            self.skipTest("mounts are not permitted here")
        for fused in (False, True):
            with self.subTest(fused=fused):
                self.setUp()
                try:
                    body(fused)
                finally:
                    for _ in range(4):
                        unmount(self.pods)
                        unmount(self.logs)
                        unmount(self.dir / "disk")

    def test_a_mount_over_an_empty_folder(self):
        def body(fused):
            self.pods.mkdir()
            chain = self.chain([f"tail -f {self.dir}/other/ {self.pods}/", "enrich --label node=n1"], fused)
            self.settle(chain, self.dir / "other" / f"a_b_{UID}" / "c")
            began = time.monotonic()
            mount("tmpfs", self.pods)
            self.line(self.pod())
            self.wait_for_all(chain)
            self.assertLess(time.monotonic() - began, 15)  # not only at the next look at everything, half a minute later
            self.line(self.pod())
            self.check(chain)
        self.mounted(body)

    def test_a_mount_over_the_folder_above(self):
        def body(fused):
            chain = self.chain([f"tail -f {self.dir}/other/ {self.pods}/", "enrich --label node=n1"], fused)
            self.settle(chain, self.dir / "other" / f"a_b_{UID}" / "c")
            mount("tmpfs", self.logs)
            self.line(self.pod())
            self.wait_for_all(chain)
            self.line(self.pod())
            self.check(chain)
        self.mounted(body)

    def test_a_mount_over_a_mount(self):
        def body(fused):
            self.pods.mkdir()
            mount("tmpfs", self.pods)
            self.line(self.pod())
            chain = self.follow(fused)
            self.wait_for_all(chain)
            mount("tmpfs", self.pods)
            self.line(self.pods / f"shop_web-1_{UID}" / "web")
            self.check(chain)
        self.mounted(body)

    def test_unmounted_and_mounted_again(self):
        def body(fused):
            self.pods.mkdir()
            disk = self.dir / "disk"
            disk.mkdir()
            mount("tmpfs", disk)
            mount("", self.pods, disk, MS_BIND)
            other = self.dir / "other" / f"a_b_{UID}" / "c"
            self.line(self.pod())
            chain = self.chain([f"tail -f {self.dir}/other/ {self.pods}/", "enrich --label node=n1"], fused)
            self.settle(chain, other)
            for _ in range(2):
                unmount(self.pods)
                self.settle(chain, other)
                # What is written meanwhile, and later.
                folder = disk / f"shop_web-0_{UID}" / "web"
                self.line(folder)
                mount("", self.pods, disk, MS_BIND)
                self.line(self.pod())
                self.wait_for_all(chain)
                self.line(self.pod())
                self.wait_for_all(chain)
            self.check(chain)
        self.mounted(body)

    def test_unmounted_and_mounted_again_with_positions(self):
        def body(fused):
            self.pods.mkdir()
            disk, spool = self.dir / "disk", self.dir / "spool.db"
            disk.mkdir()
            mount("tmpfs", disk)
            mount("", self.pods, disk, MS_BIND)
            self.line(self.pod())
            stages = [f"tail -f {self.pods}" + ("" if fused else f" --checkpoint {spool}"), f"buffer {spool}"]
            chain = self.chain(stages, fused)
            stored = lambda: [record["line"] for record in kit.records(kit.weir("replay", spool, "-o", "jsonl", expect=None).splitlines())]
            kit.wait_for(lambda: len(stored()) == 1, lambda: chain.errors())
            chain.stop()
            unmount(self.pods)
            self.line(disk / f"shop_web-0_{UID}" / "web")
            # It starts while the folder is empty: the log is not there, and is no loss when it is there again.
            chain = self.chain(stages, fused)
            kit.wait_for(lambda: b"line 1" in b"".join(chain.output()), lambda: chain.errors())  # what is undelivered is passed on again
            mount("", self.pods, disk, MS_BIND)
            self.line(self.pod())
            kit.wait_for(lambda: len(stored()) >= 3, lambda: f"{stored()} {chain.errors()}")
            chain.stop()
            self.assertEqual(stored(), ["line 1", "line 2", "line 3"])
        self.mounted(body)


if __name__ == "__main__":
    unittest.main()
