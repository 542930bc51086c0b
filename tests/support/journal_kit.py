"""Journal files for tests: made by systemd-journal-remote, which writes them as journald does, and rotated by hand.

A new file of journal-remote is a journal of its own. renumber() makes it the next file of another one, as a rotation does: the same id, and
numbers that go on. https://systemd.io/JOURNAL_FILE_FORMAT/
"""
import pathlib
import struct
import subprocess

REMOTE = "/lib/systemd/systemd-journal-remote"
FIRST = 1764460800_000000  # microseconds: the time of entry 0
MACHINE = "0123456789abcdef0123456789abcdef"
BOOT = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

STATE, ID, HEADER_SIZE, TAIL_OBJECT, TAIL, HEAD = 16, 72, 88, 136, 160, 168
ARCHIVED, ENTRY = 2, 3


def there():
    return pathlib.Path(REMOTE).exists()


def entry(number, unit="kubelet.service", priority=6, host="node-1", message=None, time=None, **more):
    """One entry in the export format. A field whose value is None is left out; one that is a list occurs several times; bytes as they are."""
    fields = {"MESSAGE": f"line {number}" if message is None else message, "_SYSTEMD_UNIT": unit, "PRIORITY": str(priority), "_HOSTNAME": host,
              "_MACHINE_ID": MACHINE, "_TRANSPORT": "stdout", "_PID": str(1000 + number % 7), **more}
    when = FIRST + number * 1000 if time is None else time
    out = f"__REALTIME_TIMESTAMP={when}\n__MONOTONIC_TIMESTAMP={number * 1000 + 1}\n_BOOT_ID={BOOT}\n".encode()
    for name, values in fields.items():
        for value in values if isinstance(values, list) else [values]:
            if value is None:
                continue
            data = value if isinstance(value, bytes) else value.encode()
            if b"\n" in data or not data.isascii() or any(c < 32 for c in data):
                out += name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"
            else:
                out += name.encode() + b"=" + data + b"\n"
    return out + b"\n"


def write(path, entries):
    """Adds entries to the file, which is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([REMOTE, "-o", str(path), "-"], input=b"".join(entries), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return path


def _read(path, at):
    with open(path, "rb") as file:
        file.seek(at)
        return struct.unpack("<Q", file.read(8))[0]


def _patch(path, *changes):
    with open(path, "r+b") as file:
        for at, data in changes:
            file.seek(at)
            file.write(data)


def id_of(path):
    with open(path, "rb") as file:
        file.seek(ID)
        return file.read(16)


def tail_of(path):
    return _read(path, TAIL)


def rotate(path):
    """Puts the file aside, as its writer does. Its new path."""
    _patch(path, (STATE, bytes([ARCHIVED])))
    aside = path.with_name(f"{path.stem}@{id_of(path).hex()}-{_read(path, HEAD):016x}-{FIRST:016x}.journal")
    return path.rename(aside)


def renumber(path, journal, first):
    """Makes the file one of the journal with this id; its first entry gets the number `first`."""
    changes = [(ID, journal)]
    at, last, shift = _read(path, HEADER_SIZE), _read(path, TAIL_OBJECT), first - _read(path, HEAD)
    with open(path, "rb") as file:
        while at <= last:
            file.seek(at)
            kind, size = struct.unpack("<B7xQ", file.read(16))
            if kind == ENTRY:
                changes.append((at + 16, struct.pack("<Q", _read(path, at + 16) + shift)))
            at += (size + 7) // 8 * 8
    changes += [(HEAD, struct.pack("<Q", first)), (TAIL, struct.pack("<Q", tail_of(path) + shift))]
    _patch(path, *changes)


def next_file(path, entries, first=None):
    """Rotates the file at `path`, and writes the next one of the same journal there. The old one's new path."""
    journal, tail = id_of(path), tail_of(path)
    made = write(path.parent.with_name("made") / "next.journal", entries)
    renumber(made, journal, first or tail + 1)
    aside = rotate(path)
    made.rename(path)
    return aside
