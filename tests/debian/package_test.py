#!/usr/bin/env python3
"""The Debian package: lintian, the same bytes each time, and what it does in bare Debian 12 trees: install, man, completion, the unit and its
chain, upgrade, remove, purge."""
import gzip
import json
import os
import pathlib
import pty
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import debian_tree
import weir_kit as kit

BEGINS = int(time.time()) - 60  # of the lines

BUILD = pathlib.Path(os.environ["WEIR_BUILD"])
SOURCE = pathlib.Path(os.environ["WEIR_SOURCE"])
RULES_COMMENT = "# Temporary rules, in front of those in /etc/weir/rules."


def output(*command, **more):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True, **more).stdout


def make_package(folder, umask=0o022, **env):
    """The .deb, made from the build as it is."""
    folder.mkdir(parents=True)
    done = subprocess.run(["cpack", "--config", BUILD / "CPackConfig.cmake", "-B", folder],
                          cwd=folder, env={**os.environ, **env}, umask=umask, capture_output=True, text=True, check=False)
    packages = list(folder.glob("*.deb"))
    assert done.returncode == 0 and len(packages) == 1, f"cpack ended with {done.returncode}, made {packages}:\n{done.stdout}{done.stderr}"
    return packages[0]


def newer(package, folder):
    """The same package, with a higher revision: what an upgrade installs."""
    folder.mkdir()
    output("dpkg-deb", "--raw-extract", package, folder / "tree")
    control = folder / "tree/DEBIAN/control"
    text = control.read_text()
    assert re.search(r"^Version: .*-1$", text, re.M)
    control.write_text(re.sub(r"^(Version: .*)-1$", r"\1-2", text, flags=re.M))
    output("dpkg-deb", "--build", "--root-owner-group", "-Znone", folder / "tree", folder)
    return next(folder.glob("*.deb"))


def fields_of(package):
    text = output("dpkg-deb", "--field", package)
    return dict(re.findall(r"^([A-Za-z-]+): (.*(?:\n .*)*)", text, re.M))


class Package(unittest.TestCase):
    """What the file itself says, without a tree."""

    def test_lintian_is_content(self):
        said = subprocess.run(["lintian", "--allow-root", "--info", "--fail-on", "error,warning", work.first], capture_output=True, text=True, check=False)
        self.assertEqual((said.returncode, [line for line in said.stdout.splitlines() if line.startswith(("E:", "W:"))]), (0, []), said.stdout)

    def test_packed_again_elsewhere_it_is_equal(self):
        # Another folder, umask, time zone and locale; a second of time between the two is in no file.
        other = make_package(work.folder / "again" / "deeper", umask=0o077, TZ="Asia/Tokyo", LC_ALL="C")
        self.assertEqual(other.name, work.first.name)
        self.assertTrue(other.read_bytes() == work.first.read_bytes(), "two packages of one build differ")

    def test_the_target_deb_makes_all_that_it_packs(self):
        """In a folder where nothing was built, `cmake --build … --target deb` is the whole recipe."""
        commands = output("ninja", "-C", BUILD, "-t", "commands", "deb")
        packed = {name for script in BUILD.rglob("cmake_install.cmake") for name in re.findall(rf'FILES "{re.escape(str(BUILD))}/([^"]+)"', script.read_text())}
        self.assertIn("cmd/weir", packed)
        self.assertEqual([name for name in sorted(packed) if name not in commands], [])

    def test_the_program_names_no_folder_of_this_machine(self):
        binary = pathlib.Path(kit.WEIR).read_bytes()
        self.assertNotIn(str(SOURCE).encode(), binary)
        self.assertNotIn(str(BUILD).encode(), binary)

    def test_version_and_architecture(self):
        fields = fields_of(work.first)
        version = kit.weir("--version").decode().split()[1]
        self.assertEqual(fields["Version"], f"{version}-1")
        self.assertEqual(fields["Architecture"], output("dpkg", "--print-architecture").strip())
        self.assertEqual(work.first.name, f"weir_{fields['Version']}_{fields['Architecture']}.deb")

    def test_it_depends_on_all_that_it_loads(self):
        depends = re.findall(r"([a-z0-9+.-]+)(?: \(|,|$| \|)", fields_of(work.first)["Depends"])
        for library in re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-dW", kit.WEIR)):
            path = output("g++", f"-print-file-name={library}").strip()
            real = os.path.realpath(path)
            found = subprocess.run(["dpkg-query", "-S", real, real.removeprefix("/usr")], capture_output=True, text=True, check=False).stdout
            self.assertTrue({line.split(":")[0] for line in found.splitlines()} & set(depends), f"{library} ({found}) is in no package of {depends}")
        self.assertIn("libcurl4", depends)  # loaded with dlopen, as libsystemd0 is
        self.assertIn("libsystemd0", fields_of(work.first)["Recommends"])

    def test_settings_are_conffiles_and_temporary_rules_belong_to_nobody(self):
        conffiles = output("dpkg-deb", "--info", work.first, "conffiles").split()
        self.assertEqual(conffiles, ["/etc/weir/node.weir", "/etc/weir/rules"])
        listed = output("dpkg-deb", "--contents", work.first)
        self.assertNotIn("/var", listed)
        self.assertEqual({line.split()[1] for line in listed.splitlines()}, {"root/root"})

    def test_pages_are_compressed_and_all_there(self):
        listed = output("dpkg-deb", "--contents", work.first)
        pages = sorted(pathlib.Path(line.split()[-1]).name for line in listed.splitlines() if "/man/man" in line and not line.endswith("/"))
        self.assertEqual(pages, sorted(f"{page.name}.gz" for page in (SOURCE / "man").iterdir()))

    def test_the_change_log_has_the_version(self):
        with tempfile.TemporaryDirectory() as folder:
            output("dpkg-deb", "--extract", work.first, folder)
            documents = pathlib.Path(folder) / "usr/share/doc/weir"
            with gzip.open(documents / "changelog.Debian.gz", "rt") as text:
                self.assertIn(f"weir ({fields_of(work.first)['Version']})", text.readline())
            with gzip.open(documents / "changelog.gz", "rt") as text:
                self.assertEqual(text.read(), (SOURCE / "CHANGELOG.md").read_text())


class PlainInstall(unittest.TestCase):
    """`cmake --install --prefix`, without a package."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.prefix = pathlib.Path(folder.name) / "prefix"
        self.install()

    def install(self):
        return output("cmake", "--install", BUILD, "--prefix", self.prefix)

    def test_the_unit_names_what_was_installed(self):
        unit = (self.prefix / "lib/systemd/system/weir.service").read_text()
        words = shlex.split(re.search(r"^ExecStart=(.*)", unit, re.M).group(1))
        self.assertEqual(words[0], f"{self.prefix}/bin/weir")
        self.assertTrue(os.access(words[0], os.X_OK))
        self.assertEqual(words[-1], f"{self.prefix}/etc/weir/node.weir")
        self.assertIn(f"--rules {self.prefix}/etc/weir/rules", pathlib.Path(words[-1]).read_text())
        self.assertEqual(subprocess.run([words[0], "rules", "check", self.prefix / "etc/weir/rules"], check=False).returncode, 0)
        self.assertEqual(output(words[0], "--version"), kit.weir("--version").decode())

    def test_it_has_what_people_look_for(self):
        for name in ("share/man/man1/weir.1", "share/man/man5/weir-rules.5", "share/man/man7/weir-metrics.7", "share/sbom/weir.spdx.json",
                     "share/bash-completion/completions/weir", "share/zsh/site-functions/_weir", "share/fish/vendor_completions.d/weir.fish",
                     "share/doc/weir/LICENSE", "lib/sysusers.d/weir.conf", "lib/tmpfiles.d/weir.conf"):
            self.assertTrue((self.prefix / name).is_file(), name)

    def test_a_second_install_keeps_what_was_edited(self):
        rules = self.prefix / "etc/weir/rules"
        was = rules.read_text()
        rules.write_text("drop |= \"noise\"\n")
        self.assertIn(f"Kept: {rules}", self.install())
        self.assertEqual(rules.read_text(), "drop |= \"noise\"\n")
        self.assertEqual((self.prefix / "etc/weir/rules.new").read_text(), was)


class InTrees(unittest.TestCase):
    def setUp(self):
        folder = pathlib.Path(tempfile.mkdtemp(dir=work.folder))
        self.folder = folder
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)

    def tree(self, kind):
        depends = sorted(re.split(r"[ (|]", part.strip())[0] for part in fields_of(work.first)["Depends"].split(","))
        try:
            return debian_tree.Tree(kind, depends, self.folder)
        except debian_tree.CannotBeHad as why:
            self.skipTest(str(why))

    def account(self, tree):
        return re.search(r"^weir:x:(\d+):(\d+):.*:/var/lib/weir:/usr/sbin/nologin$", tree.read("etc/passwd"), re.M)

    def test_bare_install_remove_purge(self):
        tree = self.tree("bare")
        before = tree.files()
        said = tree.install(work.first)
        # Nobody has said yet where Loki is.
        self.assertIn("not started yet", said)
        self.assertEqual(list(tree.path("etc/systemd/system").rglob("weir*")), [])
        self.assertEqual(tree.run("weir", "--version").splitlines()[0], kit.weir("--version").decode().splitlines()[0])
        self.assertIn("loaded when needed: libcurl (7.", tree.run("weir", "--version"))
        user = self.account(tree)
        self.assertIsNotNone(user, tree.read("etc/passwd"))
        for name, mode in (("var/lib/weir", 0o40750), ("var/lib/weir/rules", 0o100640)):
            status = tree.path(name).stat()
            self.assertEqual((oct(status.st_mode), str(status.st_uid), str(status.st_gid)), (oct(mode), user[1], user[2]), name)
        self.assertTrue(tree.read("var/lib/weir/rules").startswith(RULES_COMMENT))
        self.assertEqual(tree.run("dpkg", "-S", "/var/lib/weir/rules", expect=1).count("no path found"), 1)
        self.assertEqual(tree.run("dpkg", "--verify", "weir"), "")
        tree.run("weir", "run", "--check", "/etc/weir/node.weir")
        # Installed once more: the temporary rules stay.
        tree.path("var/lib/weir/rules").write_text("drop |= \"noise\"\n")
        tree.install(work.first, "--reinstall")
        self.assertEqual(tree.read("var/lib/weir/rules"), "drop |= \"noise\"\n")

        tree.run("apt-get", "remove", "--yes", "weir")
        self.assertFalse(tree.path("usr/bin/weir").exists())
        for kept in ("etc/weir/rules", "etc/weir/node.weir", "var/lib/weir/rules"):
            self.assertTrue(tree.path(kept).exists(), kept)
        tree.path("etc/default/weir").write_text("LOKI_PASSWORD=secret\n")
        tree.path("var/lib/weir/spool.db").write_text("")
        # The spool was moved to another disk.
        tree.path("var/lib/weir").rename(tree.path("srv/weir"))
        tree.path("var/lib/weir").symlink_to("/srv/weir")
        tree.run("apt-get", "purge", "--yes", "weir")
        tree.path("srv/weir").rmdir()  # which is empty
        tree.run("apt-get", "autoremove", "--purge", "--yes")
        after = tree.files()
        # Not of weir: the copies of the accounts from before their last change, and the cache of the loader.
        for name in ("etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/ld.so.cache"):
            before.pop(name, None)
            after.pop(name, None)
        self.assertEqual(sorted(set(after) - set(before)), [], "left behind")
        self.assertEqual(sorted(set(before) - set(after)), [], "taken away")
        self.assertEqual(sorted(name for name in before if after[name] != before[name]), [], "changed")

    def test_manual_and_completions(self):
        tree = self.tree("full")
        tree.install(work.first)
        self.assertRegex(tree.run("man", "weir"), r"(?s)WEIR\(1\).*NAME\s+weir - collect")
        self.assertRegex(tree.run("man", "5", "weir-rules"), r"WEIR-RULES\(5\)")
        self.assertRegex(tree.run("man", "7", "weir-metrics"), r"WEIR-METRICS\(7\)")

        ask = ('. /usr/share/bash-completion/bash_completion; _completion_loader weir; name=$(complete -p weir | sed "s/.*-F \\([^ ]*\\).*/\\1/"); '
               'COMP_WORDS=(weir filt) COMP_CWORD=1 COMP_LINE="weir filt" COMP_POINT=9; "$name" weir filt weir; echo "${COMPREPLY[@]}"')
        self.assertEqual(tree.run("bash", "-c", ask).strip(), "filter")
        self.assertEqual(tree.run("fish", "-c", "complete -C 'weir filt'").split()[0], "filter")
        self.assertIn("filter ", self.ask_zsh(tree, "weir filt\t", r"filter "))

    def ask_zsh(self, tree, typed, wanted):
        """zsh completes only in its line editor, so it gets a terminal."""
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        shell = subprocess.Popen(debian_tree.in_tree(tree.root, "zsh", "-f", "-i"), stdin=slave, stdout=slave, stderr=slave,
                                 env=debian_tree.environment(), start_new_session=True)
        os.close(slave)
        self.addCleanup(shell.wait)
        self.addCleanup(shell.kill)

        def read_until(pattern):
            seen, deadline = "", time.monotonic() + 60
            while time.monotonic() < deadline and not re.search(pattern, seen):
                if select.select([master], [], [], 0.1)[0]:
                    seen += os.read(master, 65536).decode("utf-8", "replace").replace("\x07", "")
            self.assertRegex(seen, pattern)
            return seen

        # What Debian's zsh looks through by itself.
        os.write(master, b"PROMPT='ready> '; autoload -Uz compinit && compinit -u -D && echo com''pinit-done\n")
        read_until("compinit-done")
        os.write(master, typed.encode())
        return read_until(wanted)

    def test_the_unit_is_verified_and_its_chain_delivers(self):
        tree = self.tree("full")
        tree.path("etc/default/weir").write_text("LOKI_ADDR=http://127.0.0.1:9\n")
        tree.install(work.first)
        # The settings came first, so the service is enabled.
        link = tree.path("etc/systemd/system/multi-user.target.wants/weir.service")
        self.assertTrue(link.is_symlink())
        said = tree.run("systemd-analyze", "verify", "weir.service")
        self.assertEqual([line for line in said.splitlines() if "weir" in line], [])

        sink, url = self.start_sink()
        chain = self.start_chain(tree, url)
        log = self.write_log(tree)
        kit.wait_for(lambda: len(self.delivered()) >= 2, lambda: f"two lines; delivered: {self.delivered()}; {chain.said()}")
        with log.open("a") as file:
            file.write(f"{kit.stamp_of(BEGINS + 2)} stdout F third line\n")
        kit.wait_for(lambda: len(self.delivered()) >= 3, lambda: f"three lines; {chain.said()}")
        labels = self.delivered()[0]["labels"]
        for wanted in ('namespace="shop"', 'pod="web-0"', 'container="app"'):
            self.assertIn(wanted, labels)
        # One log, but stdout and stderr are streams of their own, which have no order among each other.
        self.assertCountEqual([record["line"] for record in self.delivered()], ["first line", "error: second line", "third line"])
        self.assertEqual(chain.stop(), 0, chain.said())
        self.assertTrue(chain.ready, "it did not tell systemd that it runs")
        # It ran as weir, and what it made is readable by nobody else.
        user = self.account(tree)
        spool = tree.path("var/lib/weir/spool.db").stat()
        self.assertEqual((str(spool.st_uid), spool.st_mode & 0o077), (user[1], 0))

        self.upgrade_keeps_settings_and_spool(tree, url, log)
        # Where the spool has a disk of its own, that is emptied and stays mounted.
        left = tree.run("sh", "-ec", "mount -t tmpfs tmpfs /var/lib/weir; mkdir /var/lib/weir/x; touch /var/lib/weir/spool.db /var/lib/weir/x/y; "
                        "apt-get purge --yes weir; mountpoint /var/lib/weir; echo \"left: $(ls -A /var/lib/weir)\"")
        self.assertIn("left: \n", left)
        # What lay below the mount is not ours to see.
        shutil.rmtree(tree.path("var/lib/weir"))
        for gone in ("etc/weir", "etc/default/weir", "usr/share/sbom/weir.spdx.json"):
            self.assertFalse(tree.path(gone).exists(), gone)
        self.assertEqual(list(tree.path("etc/systemd").rglob("weir*")) + list(tree.path("var/lib/systemd").rglob("weir*")), [])
        self.assertIsNone(self.account(tree))
        self.assertNotIn("weir:", tree.read("etc/group"))
        del sink

    def upgrade_keeps_settings_and_spool(self, tree, url, log):
        """Continues with a tree in which the chain has run. The service stays up during an upgrade; it is restarted behind it."""
        pipeline = tree.path("etc/weir/node.weir")
        edited = pipeline.read_text() + "\n# edited here\n"
        pipeline.write_text(edited)
        chain = self.start_chain(tree, url)
        kit.wait_for(lambda: chain.ready, lambda: f"the chain is ready; {chain.said()}")
        tree.install(work.second)
        self.assertEqual(pipeline.read_text(), edited)
        self.assertEqual(list(tree.path("etc/weir").glob("*.dpkg-*")), [])  # no question was asked: the package's own text did not change
        self.assertIsNone(chain.process.poll(), chain.said())
        self.assertIn("2", tree.run("dpkg-query", "-W", "-f", "${Version}", "weir").rsplit("-", maxsplit=1)[-1])
        with log.open("a") as file:
            file.write(f"{kit.stamp_of(BEGINS + 3)} stdout F fourth line\n")
        kit.wait_for(lambda: len(self.delivered()) >= 4, lambda: f"four lines; {chain.said()}")
        self.assertEqual(chain.stop(), 0, chain.said())
        # The new program goes on where the old one stopped.
        chain = self.start_chain(tree, url)
        with log.open("a") as file:
            file.write(f"{kit.stamp_of(BEGINS + 4)} stdout F fifth line\n")
        kit.wait_for(lambda: len(self.delivered()) >= 5, lambda: f"five lines; {chain.said()}")
        self.assertEqual(chain.stop(), 0, chain.said())
        self.assertCountEqual([record["line"] for record in self.delivered()],
                         ["first line", "error: second line", "third line", "fourth line", "fifth line"])

    def test_systemd_starts_upgrades_and_stops_it(self):
        tree = self.tree("full")
        _, url = self.start_sink()
        log = self.write_log(tree)
        for package in (work.first, work.second):
            shutil.copy(package, tree.path("root"))
        try:
            system = debian_tree.Booted(tree)
            self.addCleanup(system.end)
            if not kit.poll(system.is_up):
                raise debian_tree.CannotBeHad(f"it does not boot: {system.end()}")
        except debian_tree.CannotBeHad as why:
            print(f"no systemd here ({why}); a stand-in is asked instead", flush=True)
            self.systemd_is_asked_for_the_right_things(tree)
            return
        install = ("apt-get", "install", "--yes", "--no-install-recommends")

        def state(name):
            return system.run("systemctl", "show", "--property", name, "--value", "weir").strip()

        def journal():
            return system.run("systemctl", "status", "--no-pager", "--full", "weir", expect=None) + system.run("journalctl", "--unit", "weir", expect=None)

        def mine():  # the journal of the tree is delivered as well
            return [record["line"] for record in self.delivered() if 'pod="web-0"' in record["labels"]]

        # Without settings it is neither started nor enabled.
        system.run(*install, f"/root/{work.first.name}")
        self.assertEqual((state("ActiveState"), state("UnitFileState")), ("inactive", "disabled"))
        system.run("apt-get", "purge", "--yes", "weir")
        # With settings it is both. Type=notify: apt-get waits until the chain runs.
        tree.path("etc/default/weir").write_text(f"LOKI_ADDR={url}\n")
        system.run(*install, f"/root/{work.first.name}")
        self.assertEqual((state("ActiveState"), state("UnitFileState")), ("active", "enabled"), journal())
        kit.wait_for(lambda: len(mine()) >= 2, lambda: f"two lines; {journal()}")
        first = state("MainPID")
        # An upgrade restarts it, and it goes on where it was.
        system.run(*install, f"/root/{work.second.name}")
        self.assertEqual(state("ActiveState"), "active", journal())
        self.assertNotEqual(state("MainPID"), first)
        with log.open("a") as file:
            file.write(f"{kit.stamp_of(BEGINS + 2)} stdout F third line\n")
        kit.wait_for(lambda: len(mine()) >= 3, lambda: f"three lines; {journal()}")
        self.assertCountEqual(mine(), ["first line", "error: second line", "third line"])
        # What was stopped stays stopped; a stop by systemd is a success.
        system.run("systemctl", "stop", "weir")
        self.assertEqual((state("ActiveState"), state("Result")), ("inactive", "success"), journal())
        system.run(*install, "--reinstall", f"/root/{work.second.name}")
        self.assertEqual(state("ActiveState"), "inactive")
        system.run("systemctl", "start", "weir")
        system.run("apt-get", "purge", "--yes", "weir")
        self.assertEqual(state("LoadState"), "not-found")
        self.assertEqual(system.run("pgrep", "weir", expect=1), "")
        self.assertIsNone(self.account(tree))

    def systemd_is_asked_for_the_right_things(self, tree):
        """Where no systemd can boot: a stand-in for systemctl writes down what it is asked."""
        stand_in = tree.path("usr/bin/systemctl")
        stand_in.unlink()
        stand_in.write_text("#!/bin/sh\n"
                            "echo \"$*\" >> /var/tmp/asked\n"
                            "case \"$*\" in\n"
                            "  *is-enabled*) [ -e /etc/systemd/system/multi-user.target.wants/weir.service ] && echo enabled || echo disabled ;;\n"
                            "esac\n")
        stand_in.chmod(0o755)
        asked = tree.path("var/tmp/asked")

        def acts(*command):
            asked.unlink(missing_ok=True)
            # /run is a new one each time.
            tree.run("sh", "-ec", "mkdir -p /run/systemd/system; exec \"$@\"", "sh", *command)
            lines = asked.read_text().splitlines() if asked.exists() else []
            return [next(word for word in line.split() if word in ("start", "stop", "restart", "try-restart"))
                    for line in lines if "weir.service" in line and re.search(r"\b(start|stop|restart)\b", line)]

        install = ("apt-get", "install", "--yes", "--no-install-recommends")
        self.assertEqual(acts(*install, f"/root/{work.first.name}"), [])  # no settings: not started
        self.assertEqual(acts("apt-get", "purge", "--yes", "weir"), ["stop"])
        tree.path("etc/default/weir").write_text("LOKI_ADDR=http://127.0.0.1:9\n")
        self.assertEqual(acts(*install, f"/root/{work.first.name}"), ["start"])
        self.assertEqual(acts(*install, f"/root/{work.second.name}"), ["try-restart"])  # restarts what runs, starts nothing
        self.assertEqual(acts("apt-get", "remove", "--yes", "weir"), ["stop"])
        # Somebody switched it off; an upgrade leaves it off.
        tree.install(work.first)
        tree.path("etc/systemd/system/multi-user.target.wants/weir.service").unlink()
        self.assertEqual(acts(*install, f"/root/{work.second.name}"), ["try-restart"])
        self.assertFalse(tree.path("etc/systemd/system/multi-user.target.wants/weir.service").is_symlink())

    # ---- the chain as systemd would start it

    def start_sink(self):
        self.record = self.folder / "delivered"
        sink = subprocess.Popen([kit.SINK, "--record", self.record], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(sink.stdout.close)
        self.addCleanup(sink.wait)
        self.addCleanup(sink.stdin.close)
        return sink, sink.stdout.readline().strip()

    def delivered(self):
        return [json.loads(line) for line in self.record.read_text().splitlines(keepends=True) if line.endswith("\n")] if self.record.exists() else []

    def write_log(self, tree):
        log = tree.path("var/log/pods/shop_web-0_0a1b2c3d-0000-4000-8000-000000000001/app/0.log")
        log.parent.mkdir(parents=True)
        log.write_text(f"{kit.stamp_of(BEGINS)} stdout F first line\n{kit.stamp_of(BEGINS + 1)} stderr F error: second line\n")
        log.chmod(0o600)  # of root, as with CRI-O
        return log

    def start_chain(self, tree, url):
        chain = UnitChain(tree, url, self.folder)
        self.addCleanup(chain.kill)
        return chain


class UnitChain:
    """What ExecStart of the installed unit starts: as the unit's user, in its folder, with its capability and its environment."""

    def __init__(self, tree, url, folder):
        unit = tree.read("lib/systemd/system/weir.service")

        def setting(name):
            return re.findall(rf"^{name}=(.*)", unit, re.M)[-1]

        words = shlex.split(setting("ExecStart"))
        # One agent of this machine may use the port of the unit.
        words[words.index("--metrics") + 1] = "127.0.0.1:0"
        capability = setting("AmbientCapabilities").lower().removeprefix("cap_")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = tree.path("var/tmp/notify")
        name.unlink(missing_ok=True)
        self.notify.bind(str(name))
        name.chmod(0o777)
        self.notify.setblocking(False)
        self.heard = []
        self.log = folder / "messages"
        with self.log.open("ab") as messages:
            self.process = subprocess.Popen(
                debian_tree.in_tree(tree.root, "setpriv", "--reuid", setting("User"), "--regid", setting("User"), "--clear-groups", "--no-new-privs",
                                    "--bounding-set", f"-all,+{capability}", "--inh-caps", f"-all,+{capability}", "--ambient-caps", f"+{capability}",
                                    "sh", "-c", f"umask {setting('UMask')}; cd {setting('WorkingDirectory')}; exec \"$@\"", "sh", *words),
                env=debian_tree.environment(LOKI_ADDR=url, NOTIFY_SOCKET="/var/tmp/notify"), stdout=messages, stderr=messages)

    @property
    def ready(self):
        while True:
            try:
                self.heard.append(self.notify.recv(65536).decode())
            except BlockingIOError:
                break
        return any("READY=1" in text for text in self.heard)

    def child(self):
        """The process of weir itself: unshare waits for it."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    def stop(self):
        _ = self.ready
        os.kill(self.child(), signal.SIGTERM)
        return self.process.wait(timeout=60)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.notify.close()

    def said(self):
        return f"messages: {self.log.read_text()}; told systemd: {self.heard}"


class Work:
    """The packages that all tests use."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        # WEIR_DEB: one that is made already, to try a single test quickly.
        self.first = pathlib.Path(os.environ["WEIR_DEB"]) if "WEIR_DEB" in os.environ else make_package(self.folder / "first")
        self.second = newer(self.first, self.folder / "second")


if __name__ == "__main__":
    for tool, package in (("dpkg-deb", "dpkg"), ("dpkg-shlibdeps", "dpkg-dev"), ("lintian", "lintian"), ("cpack", "cmake")):
        if shutil.which(tool) is None:
            print(f"SKIPPED: there is no {tool} (apt install {package})")
            sys.exit(1 if os.environ.get("CI") == "true" else 77)
    with tempfile.TemporaryDirectory(prefix="weir-debian-") as temporary:
        os.chmod(temporary, 0o755)
        work = Work(temporary)
        why = None
        try:
            debian_tree.check_means()
        except debian_tree.CannotBeHad as reason:
            why = str(reason)
            InTrees = unittest.skip(why)(InTrees)
        program = unittest.main(exit=False, verbosity=2)
        result = program.result
    if result.wasSuccessful() and result.skipped:
        print(f"SKIPPED: no Debian tree can be had: {why or result.skipped[0][1]}")
        sys.exit(77)
    sys.exit(0 if result.wasSuccessful() else 1)
