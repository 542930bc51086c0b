"""Bare Debian 12 trees for tests of the package: made once with mmdebstrap, kept in ~/.cache/weir, copied for each use.

Two kinds: `bare` has apt and nothing else, and the packages that weir depends on in apt's cache, so that `apt-get install ./weir.deb` needs no
network. `full` has these installed, and man, bash, zsh, fish and systemd.
"""
import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
KINDS = {"bare": "", "full": "man-db,bash-completion,zsh,fish,systemd,systemd-sysv,dbus"}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class CannotBeHad(Exception):
    """Why there are no trees here."""


def check_means():
    if os.geteuid() != 0:
        raise CannotBeHad("a Debian tree needs root")
    if shutil.which("mmdebstrap") is None:
        raise CannotBeHad("there is no mmdebstrap")
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False).returncode != 0:
        raise CannotBeHad("no namespaces can be made here")


def cached(kind, depends):
    """The folder of a tree that is never changed. `depends`: packages that apt has to have at hand."""
    names = ",".join([KINDS[kind], *depends]) if KINDS[kind] else ""
    wanted = hashlib.sha256(repr((2, MIRROR, names, sorted(depends))).encode()).hexdigest()[:16]
    home = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "weir"
    folder = home / f"debian-{kind}-{wanted}"
    if folder.exists():
        return folder
    home.mkdir(parents=True, exist_ok=True)
    making = pathlib.Path(tempfile.mkdtemp(dir=home, prefix=f"debian-{kind}-making-"))
    making.chmod(0o755)
    print(f"making the {kind} Debian tree {folder} (once)", flush=True)
    # Without the clean-up at its end, mmdebstrap leaves apt's lists.
    done = subprocess.run(["mmdebstrap", "--quiet", "--variant=apt", *([f"--include={names}"] if names else []), "--skip=cleanup/apt",
                           "--aptopt=Acquire::Retries 3", "bookworm", str(making), MIRROR], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        done = run_in(making, "apt-get", "install", "--download-only", "--yes", "--no-install-recommends", *depends)
    if done.returncode != 0:
        shutil.rmtree(making, ignore_errors=True)
        raise CannotBeHad(f"mmdebstrap cannot make a tree from {MIRROR}: {done.stderr.strip()[-2000:]}")
    try:
        making.rename(folder)
    except OSError:  # another run was faster
        shutil.rmtree(making, ignore_errors=True)
    return folder


def in_tree(tree, *command):
    """The words that run `command` in the tree, with /proc, /dev and /run of its own that are gone when it ends."""
    inner = ('mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && mount -t tmpfs tmpfs "$1/run" && mkdir -p "$1/run/lock" && '
             'tree=$1 && shift && exec chroot "$tree" "$@"')
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", inner, "sh", str(tree), *map(str, command)]


def environment(**more):
    return {"PATH": PATH, "HOME": "/root", "TERM": "dumb", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive",
            **{name: value for name, value in os.environ.items() if name.endswith("_proxy")}, **more}


def run_in(tree, *command, env=None, **more):
    return subprocess.run(in_tree(tree, *command), env=environment(**(env or {})), capture_output=True, text=True, check=False, **more)


class Tree:
    """A copy of a cached tree."""

    def __init__(self, kind, depends, folder):
        self.root = pathlib.Path(folder) / kind
        subprocess.run(["cp", "-a", "--reflink=auto", cached(kind, depends), self.root], check=True)
        shutil.copy("/etc/resolv.conf", self.root / "etc/resolv.conf")

    def run(self, *command, expect=0, env=None, **more):
        """Standard output and standard error together."""
        done = run_in(self.root, *command, env=env, **more)
        said = done.stdout + done.stderr
        if done.returncode != expect:
            raise AssertionError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{said}")
        return said

    def install(self, package, *options):
        shutil.copy(package, self.root / "root" / package.name)
        said = self.run("apt-get", "install", "--yes", "--no-install-recommends", *options, f"/root/{package.name}")
        (self.root / "root" / package.name).unlink()
        return said

    def path(self, name):
        return self.root / str(name).lstrip("/")

    def read(self, name):
        return self.path(name).read_text()

    def files(self):
        """Every file with what can be told of it: path → (mode, owner, group, link or hash). Without what apt and dpkg keep of the past."""
        found = {}
        for folder, names, files in os.walk(self.root):
            here = pathlib.Path(folder)
            relative = here.relative_to(self.root)
            if str(relative) in ("var/log", "var/cache", "var/lib/apt", "run", "tmp", "proc", "dev", "sys"):
                names.clear()
                continue
            for name in names + files:
                path = here / name
                inside = str(relative / name)
                if inside.startswith(("var/lib/dpkg/available", "var/lib/dpkg/status", "var/lib/dpkg/lock", "var/lib/dpkg/diversions",
                                      "var/lib/dpkg/triggers", "etc/resolv.conf")):
                    continue
                status = path.lstat()
                if path.is_symlink():
                    content = os.readlink(path)
                elif path.is_file():
                    content = hashlib.sha256(path.read_bytes()).hexdigest()
                else:
                    content = ""
                found[inside] = (oct(status.st_mode), status.st_uid, status.st_gid, content)
        return found


class Booted:
    """A tree whose systemd runs: in namespaces of its own, with a cgroup of its own. The network is that of this machine."""

    # Where a container has no /dev of its own, systemd needs these.
    START = """set -e
tree=$1
mount --make-rprivate /
mount --bind "$tree" "$tree"
mount -t proc proc "$tree/proc"
mount -t sysfs -o ro sysfs "$tree/sys"
mount -t tmpfs tmpfs "$tree/dev"
for name in null zero full random urandom tty; do touch "$tree/dev/$name"; mount --bind "/dev/$name" "$tree/dev/$name"; done
mkdir "$tree/dev/pts" "$tree/dev/shm"
ln -s /proc/self/fd "$tree/dev/fd"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$tree/dev/pts"
ln -s pts/ptmx "$tree/dev/ptmx"  # PrivateDevices= copies it
mount -t tmpfs tmpfs "$tree/dev/shm"
mount -t tmpfs tmpfs "$tree/run"
mount -t cgroup2 cgroup2 "$tree/sys/fs/cgroup"
cd "$tree"
pivot_root . .
umount --lazy .
exec chroot . /usr/bin/env -i container=test PATH="$PATH" /lib/systemd/systemd --unit=multi-user.target
"""

    def __init__(self, tree):
        self.tree = tree
        mounts = [line.split() for line in pathlib.Path("/proc/mounts").read_text().splitlines()]
        roots = [words[1] for words in mounts if words[2] == "cgroup2"]
        if not roots:
            raise CannotBeHad("there are no cgroups of version 2 here")
        self.cgroup = pathlib.Path(roots[0]) / f"weir-test-{os.getpid()}"
        try:
            self.cgroup.mkdir()
        except OSError as why:
            raise CannotBeHad(f"no cgroup can be made here: {why}") from why
        self.process = subprocess.Popen(
            ["sh", "-c", 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"', "sh", str(self.cgroup),
             "unshare", "--mount", "--pid", "--cgroup", "--uts", "--ipc", "--fork", "--kill-child", "sh", "-c", self.START, "sh", str(tree.root)],
            env={"PATH": PATH}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def first_process(self):
        """Of the tree, as this machine counts; None before there is one."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        words = children.read_text().split() if children.exists() else []
        return words[0] if words else None

    def is_up(self):
        return self.first_process() and self.run("systemctl", "is-system-running", expect=None).strip() in ("running", "degraded")

    def run(self, *command, expect=0):
        done = subprocess.run(["nsenter", "--target", self.first_process() or "0", "--mount", "--pid", "--cgroup", "--uts", "--ipc", "--root", "--wd=/",
                               *map(str, command)], env=environment(), capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        if expect is not None and done.returncode != expect:
            raise AssertionError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{said}")
        return said

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        said = self.process.communicate()[1]
        for _ in range(500):  # the kernel takes a moment to empty the groups of what was killed
            for folder, _, _ in os.walk(self.cgroup, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    pass
            if not self.cgroup.exists():
                break
            time.sleep(0.02)
        return said
