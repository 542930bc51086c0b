"""A Promtail and a weir that read the same tree, and what each of them sends.

What an agent sends goes to a sink that writes down each entry (tests/support/sink_server.cc), so nothing of Loki is in between.
"""
import collections
import dataclasses
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import typing

import loki_server
import weir_kit as kit

HOST = "node-1"
WEIR_URL = "http://weir.invalid"  # stands in a configuration that is converted, until weir runs


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

    def here(self, text):
        """Paths of a node become paths below root."""
        return re.sub(r"(?<![\w*./-])/(?=(?:etc|run|srv|var)/)", f"{self.root}/", text)

    def configuration(self, name, url, **changes):
        """A configuration of configs/, with the paths of this test, and with `url` in place of Loki's."""
        text = self.here((pathlib.Path(__file__).parent / "configs" / f"{name}.yaml").read_text())
        for old, new in {"http://loki-gateway": url, **changes}.items():
            self.assertIn(old, text)
            text = text.replace(old, new)
        return text

    def run_promtail(self, configured, lines):
        """Lets Promtail read so many lines and ends it in good order; what it sent. `configured(url)`: the text of its configuration."""
        record = self.dir / f"promtail-{os.urandom(3).hex()}.sink"
        text = configured(self.sink(record))
        for folder in ("run/promtail", "var/lib/promtail"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        config, log = self.dir / "promtail.yaml", self.dir / "promtail.log"
        for _ in range(3):  # a port may be taken between choosing and listening
            http, grpc = loki_server.free_ports(2)
            config.write_text(re.sub(r"http_listen_port: \d+", f"http_listen_address: 127.0.0.1\n  http_listen_port: {http}\n"
                                     f"  grpc_listen_address: 127.0.0.1\n  grpc_listen_port: {grpc}", text))
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

    # ---- weir --------------------------------------------------------------------------------------------------------

    def run_weir(self, text, wanted=None):
        """What the text of pipelines sends. As a pipe each stage is a process, and the source ends at the end of the files. With `wanted`
        it is one process of `weir run` that follows, until so many entries have arrived; then it ends in good order."""
        record = self.dir / f"weir-{os.urandom(3).hex()}.sink"
        url = self.sink(record)
        text = text.replace(WEIR_URL, url)
        env = kit.environment(NODE_NAME=HOST)
        if wanted is not None:
            path = self.dir / f"pipelines-{os.urandom(3).hex()}.weir"
            path.write_text(text)
            errors = path.with_suffix(".err")
            with open(errors, "wb") as out:
                process = self.start(kit.WEIR, "run", "--exit-zero-on-term", str(path), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=out,
                                     env=env)
            kit.wait_for(lambda: kit.sink_stats(url)["entries"] >= wanted or process.poll() is not None,
                         lambda: f"{kit.sink_stats(url)['entries']} of {wanted} entries have arrived\n{text}\n{errors.read_text()}")
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(kit.PATIENCE), 0, f"{text}\n{errors.read_text()}")
        else:
            for stages in pipelines(text):
                spool = next((words[1] for words in map(shlex.split, stages) if words[0] == "buffer"), None)
                stages = [re.sub(r"^tail (-f|--follow)\b", "tail", stage) for stage in stages]
                if spool:
                    stages[0] = f"{stages[0]} --checkpoint {spool}"
                self.run_chain(stages, False, env=env)
        return sent_to(record)


def pipelines(text):
    """The pipelines of a text of weir run, each as the texts of its stages."""
    found, stages, stage, quote, at = [], [], "", "", 0
    text += "\n"
    while at < len(text):
        c = text[at]
        at += 1
        if quote:
            stage += c
            if quote == '"' and c == "\\":
                stage += text[at]
                at += 1
            elif c == quote:
                quote = ""
        elif c in "'\"":
            quote = c
            stage += c
        elif c == "\\":
            if text[at] != "\n":
                stage += c + text[at]
            at += 1
        elif c == "#" and (not stage or stage[-1].isspace()):
            at = text.index("\n", at)
        elif c == "|":
            stages.append(stage.strip())
            stage = ""
        elif c == "\n":
            if stage.strip():
                found.append([*stages, stage.strip()])
                stages, stage = [], ""
        else:
            stage += c
    return [[re.sub(r"^weir ", "", one) for one in stages] for stages in found]
