#!/usr/bin/env python3
"""Runs a program under what a systemd unit asks for, where systemd is not the first process:

    under_unit.py UNIT [--errno] [--rw PATH]… [--bind FROM TO]… -- PROGRAM …

Always: the filter of system calls (SystemCallFilter, as `systemd-analyze syscall-filter` expands its groups), RestrictAddressFamilies,
MemoryDenyWriteExecute, RestrictNamespaces, NoNewPrivileges, UMask. As root also: a user of no rights with AmbientCapabilities and
CapabilityBoundingSet, and the mounts of ProtectSystem, ProtectHome, PrivateTmp, InaccessiblePaths; --rw stays writable, --bind shows FROM at
TO. A system call beyond the filter kills the process with SIGSYS, so that no test overlooks it; --errno refuses it, as the unit does.
"""
import argparse
import ctypes
import errno
import functools
import os
import pathlib
import socket
import subprocess

KILL_PROCESS, ALLOW, REFUSE = 0x80000000, 0x7FFF0000, 0x00050000 | errno.EPERM
EQUAL, MASKED_EQUAL = 4, 7  # how libseccomp compares
NOBODY = 61234
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
CLONE_NEWNS = 0x20000
NEW_NAMESPACES = (0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
PROT_WRITE, PROT_EXEC = 2, 4
PR_CAPBSET_DROP, PR_SET_KEEPCAPS, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 24, 8, 38, 47, 2
CAPABILITIES = {"CAP_DAC_OVERRIDE": 1, "CAP_DAC_READ_SEARCH": 2, "CAP_FOWNER": 3}  # of <linux/capability.h>
LAST_CAPABILITY = 40

libc = ctypes.CDLL(None, use_errno=True)


def checked(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno() or -result, f"{what}: {os.strerror(ctypes.get_errno() or -result)}")


class Unit:
    """The section [Service]. Of a key that stands several times, all values."""

    def __init__(self, path):
        self.values, section = {}, ""
        for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
            if line.startswith("["):
                section = line
            elif section == "[Service]" and "=" in line and not line.startswith("#"):
                key, value = line.split("=", 1)
                self.values.setdefault(key, []).append(value)

    def words(self, key):
        return " ".join(self.values.get(key, [])).split()

    def says_yes(self, key):
        return self.words(key) in (["yes"], ["strict"], ["full"], ["invisible"])


@functools.cache
def group(name):
    """The system calls of @name. Groups within groups are resolved."""
    text = subprocess.run(["systemd-analyze", "syscall-filter", name], check=True, stdout=subprocess.PIPE, text=True).stdout
    names = {word for line in text.splitlines()[1:] for word in line.split("#")[0].split()}
    return frozenset(call for word in names for call in (group(word) if word.startswith("@") else [word]))


def allowed_calls(unit):
    """The names that SystemCallFilter allows: the first line is a list of what is allowed, one with ~ takes away."""
    calls = set()
    for value in unit.values["SystemCallFilter"]:
        takes_away = value.startswith("~")
        for word in value.removeprefix("~").split():
            named = group(word) if word.startswith("@") else {word}
            calls = calls - named if takes_away else calls | named
    # systemd allows these always: without them no program could start.
    return calls | group("@default") | {"execve"}


class Compare(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def load_filter(unit, beyond):
    """Sets the filter for this process and all that it starts. `beyond`: what happens on a system call that is not allowed."""
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    seccomp.seccomp_init.argtypes = [ctypes.c_uint32]
    seccomp.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p]
    seccomp.seccomp_load.argtypes = [ctypes.c_void_p]
    context = seccomp.seccomp_init(beyond)

    def number(name):
        found = seccomp.seccomp_syscall_resolve_name(name.encode())
        return found if found >= 0 else None  # of another architecture

    def add(filter_, action, name, *compares):
        if (call := number(name)) is not None:
            checked(seccomp.seccomp_rule_add_array(filter_, action, call, len(compares), (Compare * len(compares))(*compares)), name)

    for name in sorted(allowed_calls(unit)):
        add(context, ALLOW, name)
    # What forbids arguments is a filter of its own: of several filters the strictest counts.
    more = seccomp.seccomp_init(ALLOW)
    if families := unit.words("RestrictAddressFamilies"):
        allowed = {int(getattr(socket, family)) for family in families}
        for family in set(range(46)) - allowed:
            add(more, 0x00050000 | errno.EAFNOSUPPORT, "socket", Compare(0, EQUAL, family, 0))
    if unit.says_yes("MemoryDenyWriteExecute"):
        add(more, beyond, "mmap", Compare(2, MASKED_EQUAL, PROT_WRITE | PROT_EXEC, PROT_WRITE | PROT_EXEC))
        for name in ("mprotect", "pkey_mprotect"):
            add(more, beyond, name, Compare(2, MASKED_EQUAL, PROT_EXEC, PROT_EXEC))
    if unit.says_yes("RestrictNamespaces"):
        for flag in NEW_NAMESPACES[1:]:
            add(more, beyond, "clone", Compare(0, MASKED_EQUAL, flag, flag))
        # clone3 has its flags in memory, so that nobody can ask for them; the C library takes ENOSYS for an older kernel.
        add(more, 0x00050000 | errno.ENOSYS, "clone3")
    checked(seccomp.seccomp_load(more), "load the filter of arguments")
    checked(seccomp.seccomp_load(context), "load the filter of system calls")


def mount(source, target, kind=None, flags=0):
    checked(libc.mount(source.encode() if source else None, str(target).encode(), kind.encode() if kind else None, flags, None), f"mount {target}")


def make_mounts(unit, writable, binds):
    checked(libc.unshare(CLONE_NEWNS), "unshare")
    mount(None, "/", flags=MS_REC | MS_PRIVATE)
    for source, target in binds:
        mount(source, target, flags=MS_BIND)
    for path in writable:  # also below what was shown
        mount(str(path), path, flags=MS_BIND)
    if unit.says_yes("ProtectSystem"):
        kept = ("/proc", "/sys", "/dev", *map(str, writable))
        lines = pathlib.Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
        for target in {line.split()[4] for line in lines}:
            if not any(target == one or target.startswith(one + "/") for one in kept):
                libc.mount(None, target.encode(), None, MS_REMOUNT | MS_BIND | MS_RDONLY, None)
    hidden = [path.lstrip("-") for path in unit.words("InaccessiblePaths")]
    hidden += ["/home", "/root", "/run/user"] if unit.says_yes("ProtectHome") else []
    for path in hidden:
        if os.path.isdir(path) and not any(str(one).startswith(path) for one in [*writable, *(b[0] for b in binds), os.environ.get("WEIR_BIN", "")]):
            mount("tmpfs", path, "tmpfs", MS_RDONLY)
        elif os.path.isfile(path):
            mount("/dev/null", path, flags=MS_BIND)


def become_user(unit):
    """A user of no rights, with the capabilities that the unit gives."""
    given = [CAPABILITIES[name] for name in unit.words("AmbientCapabilities")]
    bounding = [CAPABILITIES[name] for name in unit.words("CapabilityBoundingSet")]
    for capability in range(LAST_CAPABILITY + 1):
        if capability not in bounding:
            checked(libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0), "drop a capability")
    checked(libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "keep capabilities")
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    mask = sum(1 << capability for capability in given)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    data = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    checked(libc.capset(header, data), "set capabilities")
    for capability in given:
        checked(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0), "raise an ambient capability")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("unit")
    parser.add_argument("--errno", action="store_true")
    parser.add_argument("--rw", action="append", default=[], type=pathlib.Path)
    parser.add_argument("--bind", action="append", default=[], nargs=2)
    parser.add_argument("program", nargs="+")
    options = parser.parse_args()
    unit = Unit(options.unit)
    if unit.says_yes("NoNewPrivileges"):
        checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "forbid new rights")
    os.umask(int(unit.words("UMask")[0], 8))
    if os.geteuid() == 0:
        make_mounts(unit, options.rw, options.bind)
        become_user(unit)
    load_filter(unit, REFUSE if options.errno else KILL_PROCESS)
    os.execv(options.program[0], options.program)


if __name__ == "__main__":
    main()
