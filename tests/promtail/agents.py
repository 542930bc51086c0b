"""A Promtail and a weir that read the same tree, and what each of them sends.

What an agent sends goes to a sink that writes down each entry (tests/support/sink_server.cc), so nothing of Loki is in between.
"""
import collections
import dataclasses
import os
import re
import shlex
import signal
import subprocess
import sys
import typing

import loki_server
import weir_kit as kit

HOST = "node-1"


@dataclasses.dataclass(frozen=True)
class Entry:
    """One line as it arrived. `labels` and `metadata` are sorted pairs."""
    tenant: str
    labels: tuple
    timestamp: int
    line: str
    metadata: tuple

    def label(self, name):
        return dict(self.labels).get(name)

    def without_labels(self, *names):
        return dataclasses.replace(self, labels=tuple(p for p in self.labels if p[0] not in names))

    def without_metadata(self, *names):
        return dataclasses.replace(self, metadata=tuple(p for p in self.metadata if p[0] not in names))

    def replace(self, **changes):
        return dataclasses.replace(self, **changes)


def sent_to(path):
    """The entries that a sink wrote down, in the order of their arrival, with the labels that Loki itself would add."""
    found = []
    for labels, timestamp, line, metadata, tenant in raw_entries(path):
        shown, timestamp, line, metadata = loki_server.as_loki_shows(labels, timestamp, line, metadata)
        found.append(Entry(tenant, tuple(sorted(shown)), timestamp, line, tuple(sorted(metadata))))
    return found


def raw_entries(path):
    import json
    with open(path, "rb") as lines:
        for text in lines:
            entry = json.loads(text)
            line = entry["line"].encode("latin-1").decode("utf-8", "surrogateescape")
            labels = kit.parse_labels(entry["labels"].encode("latin-1").decode("utf-8"))
            metadata = {k.encode("latin-1").decode(): v.encode("latin-1").decode() for k, v in entry["metadata"].items()}
            yield labels, entry["timestamp"], line, metadata, entry["tenant"]


@dataclasses.dataclass
class Difference:
    """One known difference. `promtail` and `weir` make an entry of either agent what both are compared by; None leaves it out."""
    why: str
    promtail: typing.Callable = None
    weir: typing.Callable = None

    def applied(self, side, entries, used):
        change = getattr(self, side)
        if change is None:
            return entries
        result = []
        for entry in entries:
            changed = change(entry)
            if changed != entry:
                used.add(self.why)
            if changed is not None:
                result.append(changed)
        return result


def differences(of_promtail, of_weir, known, ordered=True):
    """Texts: what differs and is not known, and what is known and does not differ. None: the two are the same but for `known`."""
    used, sides = set(), {"promtail": of_promtail, "weir": of_weir}
    for one in known:
        sides = {side: one.applied(side, entries, used) for side, entries in sides.items()}
    wrong = [f"a known difference that there is not: {one.why}" for one in known if one.why not in used]
    streams = {side: collections.defaultdict(list) for side in sides}
    for side, entries in sides.items():
        for entry in entries:
            streams[side][entry.tenant, entry.labels].append((entry.timestamp, entry.line, entry.metadata))
    for key in sorted(set(streams["promtail"]) | set(streams["weir"])):
        want, got = streams["promtail"].get(key, []), streams["weir"].get(key, [])
        if want == got or (not ordered and sorted(want) == sorted(got)):
            continue
        missing, surplus = collections.Counter(want) - collections.Counter(got), collections.Counter(got) - collections.Counter(want)
        text = f"stream {key}: Promtail has {len(want)} entries, weir {len(got)}"
        if not missing and not surplus:
            text += ", the same in another order"
        for name, entries in (("only Promtail", missing), ("only weir", surplus)):
            text += "".join(f"\n    {name}: {timestamp} {line[:100]!r} {metadata}" for timestamp, line, metadata in list(entries)[:3])
        wrong.append(text)
    return wrong


class Agents(kit.Case):
    """`root`: the folder in which the paths of a configuration stand. A subclass fills it."""

    @classmethod
    def setUpClass(cls):
        if not os.environ.get("PROMTAIL_BIN"):
            print("SKIPPED: no Promtail to compare with (tests/run.sh --loki builds one; PROMTAIL_BIN names one)", file=sys.stderr)
            sys.exit(77)

    def setUp(self):
        super().setUp()
        self.root = self.dir / "root"
        self.root.mkdir()

    def write(self, path, lines):
        """Lines (without their ends) of a file below root."""
        path = self.root / path.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)

    def placed(self, name, url, **changes):
        """The configuration with the paths, ports and addresses of this test; the file."""
        text = (os.path.join(os.path.dirname(__file__), "configs", name + ".yaml"))
        with open(text, encoding="utf-8") as file:
            text = file.read()
        text = re.sub(r"(?<![\w*.])/(?=(var|srv|run)/)", f"{self.root}/", text)
        for old, new in {"http://loki-gateway": url, **changes}.items():
            self.assertIn(old, text)
            text = text.replace(old, new)
        path = self.dir / f"{name}-{os.urandom(3).hex()}.yaml"
        path.write_text(text)
        return path

    def run_promtail(self, name, lines, **changes):
        """Lets Promtail read so many lines and ends it in good order; what it sent."""
        record = self.dir / "promtail.sink"
        url = self.sink(record)
        positions = self.root / "var/lib/promtail"
        for folder in (positions, self.root / "run/promtail"):
            folder.mkdir(parents=True, exist_ok=True)
        for _ in range(3):  # a port may be taken between choosing and listening
            http, grpc = loki_server.free_ports(2)
            config = self.placed(name, url, **changes)
            text = re.sub(r"http_listen_port: \d+", f"http_listen_address: 127.0.0.1\n  http_listen_port: {http}\n  grpc_listen_address: 127.0.0.1\n"
                          f"  grpc_listen_port: {grpc}", config.read_text())
            config.write_text(text)
            log = self.dir / "promtail.log"
            with open(log, "wb") as out:
                process = self.start(os.environ["PROMTAIL_BIN"], f"-config.file={config}", "-target.sync-period=1s", stdout=out, stderr=out,
                                     env=dict(os.environ, HOSTNAME=HOST, GOMAXPROCS="2"))
            said = lambda: log.read_text(errors="replace")[-4000:]

            def read():
                try:
                    text = kit.get(f"http://127.0.0.1:{http}/metrics")[1].decode()
                except OSError:
                    return None
                return sum(float(n) for n in re.findall(r"^promtail_read_lines_total\{.*\} (\S+)$", text, re.M))

            kit.wait_for(lambda: (read() or 0) >= lines or process.poll() is not None, lambda: f"Promtail has read {read()} of {lines} lines\n{said()}")
            if process.poll() is None:
                break
            self.assertIn("address already in use", said())
        self.assertEqual(read(), lines, said())
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(kit.PATIENCE), 0, said())
        return sent_to(record)
