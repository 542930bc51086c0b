#!/usr/bin/env python3
"""Follows README.md word by word: every command of every ``` block, as it is printed, one after the other, in one shell.

usage: readme_test.py [--loki | --kube]

It runs in a mount and network namespace of its own, so that the paths, names and ports that the README prints are those of a sandbox:
/etc, /var/log and /var/lib are folders of the test, `loki` is 127.0.0.1, and port 3100, 9123, 9124 and 8001 are free. There

  - pods have logged, and go on;
  - at loki:3100 is the Loki that LOKI_BIN names. Without one there is a stand-in, which takes every push and knows two lines;
  - sudo, systemctl, helm and kubectl are stand-ins. systemctl starts what the unit says. helm and kubectl check names, flags, folders and
    values; `kubectl proxy` is an API server that knows ConfigMaps. With --kube, kubectl and the API server are real ones.

A block with a language (```text, ```weir, …) is no command: pipelines, rules and records are checked; one that names a file in its first
line (`# node.weir`) is written there. Every other block is run. A command that is not run stands in NOT_RUN with the test that runs it. A command that follows logs is left
running until its block ends. What a command must print, where more than an exit code of 0 counts, stands in EXPECTED. An entry of these tables
that fits no command fails the test, too.
"""
import argparse
import contextlib
import fcntl
import http.server
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

SOURCE = pathlib.Path(__file__).resolve().parents[2]
LIMIT = 90   # seconds for a command
SKIPPED = 77

NOT_RUN = {
    "./examples/demo.sh": "builds the tree; tests/bare-debian.sh runs it, and CI its own build",
    "cmake --build build/release --target deb": "tests/debian builds the package",
    "sudo apt install ./build/release/weir_*_amd64.deb": "tests/debian installs the package into a bare Debian",
    "podman build": "tests/image builds the image",
    "podman push": "there is no registry here",
    "sudo install build/release/cmd/weir /usr/bin/weir": "writes /usr/bin; the commands below find weir in PATH",
}
NEEDS_LOKI = {
    "weir smoke": "reads back what it sent; loki.readme runs it",
    "examples/incident/incident.sh": "reads back what it sent to LOKI_ADDR; loki.readme runs it, and e2e.incident without a Loki",
}
NEEDS_CONTROLLERS = {
    "kubectl -n weir rollout status": "no controller runs beside the API server of this test",
}
# Start of a command: how to see that it works. It is left running.
FOLLOWS = {
    "weir run --metrics :9124": lambda world: world.shows("http://localhost:9124/metrics", r"weir_push_delivered_records_total [1-9]"),
    "weir serve logs.db": lambda world: world.shows("http://localhost:3200/ready", r"ready"),
    "kubectl proxy": lambda world: world.shows("http://127.0.0.1:8001/version", r"major"),
}
# Start of a command: what a reader would have waited for.
BEFORE = {
    "weir rules add /var/lib/weir/rules": lambda world: world.finds("replay", "/var/lib/weir/spool.db", "--held", '{namespace="checkout"}'),
}
# Start of a command: the program that it needs beside weir.
NEEDS = {"weir docs man troubleshooting | man": "man"}
# Start of a command: what it prints.
EXPECTED = {
    "podgen pods": r'"pods": 3',
    "weir tail pods  ": r"checkout",
    "weir tail pods | weir filter '|= \"error\"'": r'^(\{.*"line":".*error.*\n){3}$',
    "weir tail pods | weir enrich --level": r"error",
    "weir tail pods | weir filter '| json": r'"status": 50',
    "echo LOKI_ADDR": r"LOKI_ADDR=http://loki:3100",
    "weir docs pipeline": r"tail -f",
    "weir docs rules": r"weir rules",
    "weir docs unit": r"\[Service\]",
    "systemctl status weir": r"running",
    "weir push --check": r"http://loki:3100 takes records",
    "sudo weir spool status": r"^writer +process \d+, since",
    "curl -s localhost:9124/metrics": r"weir_tail_output_records_total [1-9]",
    "curl -s localhost:9124/-/ready": r"^ready",
    "weir query '{namespace": r"error",
    "weir query --addr http://localhost:3200": r"error",
    "weir query --spool spool.db": r"error",
    "weir query labels namespace": r"checkout|namespace",
    "weir rules add /var/lib/weir/rules": r"keep for 30m from",
    "weir replay /var/lib/weir/spool.db --held": r"release",
    "weir spool status /var/lib/weir": r"release",
    "weir rules list": r"(?s)expires in.*keep for 30m.*active.*hold",
    "weir rules add configmap": r"added to 'configmap:weir/weir-emergency'",
    "weir rules test": r"hold",
    "examples/incident/incident.sh": r".",
    "weir smoke": r"^good",
    "weir docs\n": r"weir-troubleshooting\(7\)",
    "weir docs man troubleshooting | man": r"NOTHING ARRIVES",
}

TABLES = (NOT_RUN, NEEDS_LOKI, NEEDS_CONTROLLERS, FOLLOWS, BEFORE, NEEDS, EXPECTED)


# ---- the text -------------------------------------------------------------------------------------------------------------

def blocks(text):
    """(language, number of the first line, lines)."""
    found, language, begin, kept = [], None, 0, []
    for number, line in enumerate(text.splitlines(), 1):
        fence = re.fullmatch(r"```(\w*)", line)
        if fence and language is None:
            language, begin, kept = fence.group(1), number + 1, []
        elif line == "```" and language is not None:
            found.append((language, begin, kept))
            language = None
        elif language is not None:
            kept.append(line)
    assert language is None, "a ``` block does not end"
    return found


def complete(text):
    ended = not re.search(r"(\||\\|&&)\s*$", text)
    return ended and subprocess.run(["bash", "-n"], input=text, text=True, stderr=subprocess.DEVNULL, check=False).returncode == 0


def commands(lines):
    """A command may take several lines. Comments in lines of their own are none."""
    found, kept = [], ""
    for line in lines:
        if not kept and (not line.strip() or line.startswith("#")):
            continue
        kept += line + "\n"
        if complete(kept):
            found.append(kept)
            kept = ""
    assert not kept, f"a command does not end: {kept}"
    return found


# ---- what stands in for the rest of the world --------------------------------------------------------------------------------

class Loki(http.server.BaseHTTPRequestHandler):
    """Takes every push and knows two lines."""

    def log_message(self, *_):
        pass

    def answer(self, status, data=None):
        body = json.dumps({"status": "success", "data": data}).encode() if data is not None else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):  # noqa: N802: the library's name
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(204 if self.path.endswith("/push") else 404)

    def do_GET(self):  # noqa: N802
        url = urllib.parse.urlparse(self.path)
        given = urllib.parse.parse_qs(url.query)
        if url.path.endswith("/query_range"):
            start, end = int(given["start"][0]), int(given["end"][0])
            now = time.time_ns() - 60 * 10**9
            values = [[str(at), text] for at, text in ((now, "second error"), (now - 1, "first error")) if start <= at < end]
            stream = {"stream": {"namespace": "checkout"}, "values": values}
            self.answer(200, {"resultType": "streams", "result": [stream] if values else [], "stats": {}})
        elif "/label" in url.path:
            self.answer(200, ["checkout", "shop"])
        else:
            self.answer(404)


class ConfigMaps(http.server.BaseHTTPRequestHandler):
    """What `kubectl proxy` leads to: the ConfigMaps of an API server that lets everybody do everything."""
    kept, version = {}, 1

    def log_message(self, *_):
        pass

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def body(self):
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def store(self, name, data):
        ConfigMaps.version += 1
        kept = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "resourceVersion": str(self.version)}, "data": data}
        ConfigMaps.kept[name] = kept
        return kept

    def do_GET(self):  # noqa: N802
        path = urllib.parse.urlparse(self.path).path
        if path == "/version":
            return self.answer(200, {"major": "1"})
        name = path.rsplit("/", 1)[1]
        if name in self.kept:
            return self.answer(200, self.kept[name])
        return self.answer(404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "message": "not found", "code": 404})

    def do_POST(self):  # noqa: N802
        given = self.body()
        self.answer(201, self.store(given["metadata"]["name"], given["data"]))

    def do_PATCH(self):  # noqa: N802
        name = urllib.parse.urlparse(self.path).path.rsplit("/", 1)[1]
        self.answer(200, self.store(name, {**self.kept[name]["data"], **self.body()["data"]}))


def serve(port, handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def refuse(words, why):
    sys.exit(f"the stand-in for {pathlib.Path(sys.argv[0]).name} does not take {shlex.join(words)}: {why}")


def value_is_there(chart, name):
    """Whether values.yaml of the chart has this value: loki.url."""
    lines = (chart / "values.yaml").read_text(encoding="utf-8").splitlines()
    depth = 0
    for part in name.split("."):
        for at, line in enumerate(lines):
            if re.match(rf"{' ' * depth}{re.escape(part)}:", line):
                lines = lines[at + 1:]
                depth += 2
                break
        else:
            return False
    return True


def stand_in_kubectl(words):
    text = " ".join(words)
    if words == ["proxy"]:
        serve(8001, ConfigMaps)
        signal.pause()
    elif re.fullmatch(r"create namespace [\w-]+|label namespace [\w-]+ [\w./-]+=[\w-]+|-n [\w-]+ rollout status daemonset/[\w-]+", text):
        print(f"namespace or daemonset: {words[-1]}")
    elif words[:2] == ["apply", "-k"]:
        if not (pathlib.Path(words[2]) / "kustomization.yaml").is_file():
            refuse(words, "there is no kustomization.yaml")
        print("applied")
    else:
        refuse(words, "it is not known")


def stand_in_helm(words):
    given = argparse.ArgumentParser()
    given.add_argument("action", choices=["install"])
    given.add_argument("release")
    given.add_argument("chart", type=pathlib.Path)
    given.add_argument("--namespace", required=True)
    given.add_argument("--set", action="append", default=[])
    given = given.parse_args(words)
    if not (given.chart / "Chart.yaml").is_file():
        refuse(words, f"there is no chart in {given.chart}")
    for name in (one.split("=", 1)[0] for one in given.set):
        if not value_is_there(given.chart, name):
            refuse(words, f"the chart has no value {name}")
    print("installed")


def stand_in_systemctl(words):
    """Of the unit that the README has written: what `enable --now` starts, with its environment."""
    unit = pathlib.Path("/etc/systemd/system/weir.service")
    pid = pathlib.Path(os.environ["README_STATE"]) / "service.pid"
    if words == ["daemon-reload"]:
        return
    if words[:1] == ["enable"] and "--now" in words:
        text = unit.read_text(encoding="utf-8")
        environment = dict(os.environ)
        for name in re.findall(r"^EnvironmentFile=-?(\S+)", text, re.M):
            if os.path.exists(name):
                environment.update(line.strip().split("=", 1) for line in open(name, encoding="utf-8") if "=" in line and not line.startswith("#"))
        os.makedirs("/var/lib/weir", exist_ok=True)
        for before in re.findall(r"^ExecStartPre=(.+)", text, re.M):
            subprocess.run(shlex.split(before), check=True)
        command = shlex.split(re.search(r"^ExecStart=(.+)", text, re.M).group(1))
        command[0] = shutil.which(pathlib.Path(command[0]).name)
        with open(pid.with_name("service.log"), "ab") as log:
            service = subprocess.Popen(command, cwd="/var/lib/weir", env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        pid.write_text(str(service.pid))
        # As systemd does with Type=notify.
        World.wait_for(lambda: service.poll() is not None or World.shows("http://127.0.0.1:9123/-/ready", "ready"), "the service is ready", 30)
        if service.poll() is not None:
            sys.exit(f"weir.service ended with {service.returncode}: " + pid.with_name("service.log").read_text(encoding="utf-8"))
        return
    if words[:1] == ["status"]:
        print("Active: active (running)" if World.shows("http://127.0.0.1:9123/-/ready", "ready") else "Active: failed")
        return
    refuse(words, "it is not known")


STAND_INS = {"kubectl": stand_in_kubectl, "helm": stand_in_helm, "systemctl": stand_in_systemctl}


# ---- the sandbox -------------------------------------------------------------------------------------------------------------

def namespaces_can_be_had():
    return subprocess.run([*namespace_prefix(), "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


def namespace_prefix():
    return ["unshare", "--mount", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: IFF_UP | IFF_RUNNING


class World:
    def __init__(self, folder, options):
        self.folder, self.options = folder, options
        self.loki_is_real = bool(os.environ.get("LOKI_BIN")) and not options.kube
        self.ended = threading.Event()
        self.children = []
        self.prepare()

    def prepare(self):
        loopback_up()
        etc, work = self.folder / "etc", self.folder / "work"
        shutil.copytree("/etc", etc, symlinks=True, ignore=self.unreadable, dirs_exist_ok=True)
        with open(etc / "hosts", "a", encoding="utf-8") as hosts:
            hosts.write("\n127.0.0.1 loki localhost\n")
        shutil.rmtree(etc / "weir", ignore_errors=True)
        (etc / "systemd" / "system").mkdir(parents=True, exist_ok=True)
        for name in ("log", "lib"):
            (self.folder / name).mkdir()
        for name, target in (("etc", "/etc"), ("log", "/var/log"), ("lib", "/var/lib")):
            subprocess.run(["mount", "--bind", self.folder / name, target], check=True)
        work.mkdir()
        (work / "examples").symlink_to(SOURCE / "examples")
        (work / "build" / "release").mkdir(parents=True)
        for name, program in (("cmd", "WEIR_BIN"), ("examples", "WEIR_PODGEN")):
            (work / "build" / "release" / name).symlink_to(pathlib.Path(os.environ[program]).resolve().parent)
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        self.write_program("sudo", '#!/bin/sh\nexec "$@"\n')
        real = {"kubectl"} if self.options.kube else set()
        for name in STAND_INS.keys() - real:
            self.write_program(name, f"#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(__file__)} --stand-in {name} \"$@\"\n")
        if os.geteuid() != 0 or not os.access("/etc/shadow", os.W_OK):
            self.write_program("useradd", "#!/bin/sh\nexit 0\n")
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith(("WEIR_", "LOKI_"))}
        self.environment.update(PATH=f"{self.bin}:{os.environ['PATH']}", HOME=str(self.folder), README_STATE=str(self.folder), LC_ALL="C.UTF-8",
                                WEIR_BIN=os.environ["WEIR_BIN"], MANPAGER="cat", MANWIDTH="80", LESS="FRX", no_proxy="*")
        self.pods = pathlib.Path("/var/log/pods")
        self.write_lines(50, time.time() - 300)
        threading.Thread(target=self.go_on, daemon=True).start()
        self.start_loki()
        if self.options.kube:
            self.start_kube()

    @staticmethod
    def unreadable(folder, names):
        return [name for name in names if not os.access(os.path.join(folder, name), os.R_OK) and not os.path.islink(os.path.join(folder, name))]

    def write_program(self, name, text):
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def write_lines(self, count, begin):
        lines = ("GET /healthz 200", 'level=error msg="timeout"', "level=debug msg=retry", 'level=info msg="error page shown"')
        for namespace, pod in (("checkout", "web-0"), ("kube-system", "dns-x1"), ("shop", "cart-1")):
            logs = self.pods / f"{namespace}_{pod}_0c1b2a3d-4e5f-6789-abcd-ef0123456789" / "app"
            logs.mkdir(parents=True, exist_ok=True)
            with open(logs / "0.log", "a", encoding="utf-8") as out:
                for number in range(count):
                    at = begin + number
                    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1e9):09d}Z"
                    out.write(f"{stamp} stdout F {lines[number % 4]}\n")

    def go_on(self):
        """Pods log all the time."""
        while not self.ended.wait(0.25):
            self.write_lines(4, time.time() - 4)

    def start_loki(self):
        if not self.loki_is_real:
            serve(3100, Loki)
            return
        import loki_server  # noqa: PLC0415: tests/loki/real
        folder = self.folder / "loki"
        folder.mkdir()
        text = loki_server.CONFIG.format(auth="false", http=3100, grpc=9095, dir=folder, rate=1000, stream_rate="1000MB", limits="", message=100 << 20)
        (folder / "loki.yaml").write_text(text)
        with open(folder / "log", "wb") as log:
            self.children.append(subprocess.Popen([os.environ["LOKI_BIN"], f"-config.file={folder}/loki.yaml"], stdout=log, stderr=log))
        self.wait_for(lambda: self.shows("http://127.0.0.1:3100/ready", "ready"), "Loki is ready")

    def start_kube(self):
        import kube_kit  # noqa: PLC0415: tests/kube/real
        self.kube = kube_kit.Kube()
        settings = self.folder / "kubeconfig"
        settings.write_text(f"""apiVersion: v1
kind: Config
clusters: [{{name: one, cluster: {{server: '{self.kube.url}', certificate-authority: {self.kube.ca}}}}}]
users: [{{name: admin, user: {{token: token-of-admin}}}}]
contexts: [{{name: one, context: {{cluster: one, user: admin}}}}]
current-context: one
""")
        self.write_program("kubectl", f'#!/bin/sh\nexec {shlex.quote(os.environ["KUBECTL_BIN"])} "$@"\n')
        self.environment["KUBECONFIG"] = str(settings)

    @staticmethod
    def shows(url, pattern):
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as response:
                return re.search(pattern, response.read().decode()) is not None
        except (urllib.error.URLError, OSError):
            return False

    def finds(self, *words):
        """Whether weir with these words ends with 0 and prints something."""
        done = subprocess.run([os.environ["WEIR_BIN"], *words], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        return done.returncode == 0 and done.stdout != b""

    @staticmethod
    def wait_for(condition, what, seconds=LIMIT):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition():
                return
            time.sleep(0.05)
        raise AssertionError(f"did not come: {what}")

    def close(self):
        self.ended.set()
        service = self.folder / "service.pid"
        if service.exists():
            with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                os.kill(int(service.read_text()), signal.SIGTERM)
        for child in self.children:
            child.terminate()
        if self.options.kube:
            self.kube.stop()


class Shell:
    """One bash, as somebody types into it. Standard input of a command is empty."""

    def __init__(self, world):
        self.world, self.out, self.err = world, world.folder / "out", world.folder / "err"
        read, write = os.pipe()
        self.answers = os.fdopen(read)
        self.process = subprocess.Popen(["bash", "--norc"], cwd=world.folder / "work", env=world.environment, stdin=subprocess.PIPE,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True, pass_fds=[write])
        self.tell(f"set -m; exec 9>&{write} {write}>&-")
        os.close(write)
        self.left_running = []

    def tell(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def run(self, command):
        """(exit code, standard output, standard error)."""
        self.tell(f"{{\n{command}}} < /dev/null > {self.out} 2> {self.err} 9>&-\necho $? >&9")
        watch = threading.Timer(LIMIT, self.process.kill)
        watch.start()
        answer = self.answers.readline()
        watch.cancel()
        out, err = (path.read_text(encoding="utf-8", errors="replace") for path in (self.out, self.err))
        if not answer:
            raise AssertionError(f"did not end within {LIMIT} s: {command}{out[-500:]}{err[-500:]}")
        return int(answer), out, err

    def follow(self, command, works):
        """Starts a command that does not end by itself, and waits until it works."""
        log = self.world.folder / f"follower-{len(self.left_running)}"
        self.tell(f"{{\n{command.rstrip().removesuffix('&')}\n}} < /dev/null > {log} 2>&1 9>&- &\necho $! >&9")
        self.left_running.append(int(self.answers.readline()))
        try:
            self.world.wait_for(works, f"a sign of {command}", 60)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{log.read_text(encoding='utf-8')}") from None

    def end_block(self):
        """Ends what was left running: each is a process group, because the shell has job control."""
        for group in self.left_running:
            os.killpg(group, signal.SIGTERM)
        for group in self.left_running:
            self.tell(f"wait {group}; echo ended >&9")
            self.answers.readline()
        self.left_running.clear()


def fitting(table, command):
    return max((start for start in table if command.startswith(start)), key=len, default=None)


def inside(options):
    folder = pathlib.Path(os.environ["README_FOLDER"])
    world = World(folder, options)
    try:
        return follow_the_readme(world, folder)
    finally:
        world.close()


def text_block(shell, folder, language, begin, lines):
    """A block that is no command: faults. One with the name of a file in its first line is written there."""
    check = {"text": None, "weir": "weir run --check {}", "rules": "weir rules check {}", "json": "weir filter '|= \"\"' < {}"}
    if language not in check:
        return [f"README.md, line {begin}: the test does not know what a block of {language} is"]
    name = re.fullmatch(r"# ([\w./-]+)", lines[0])
    target = folder / "work" / (name.group(1) if name else f"block-{begin}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if language == "weir":  # its rules come with the next block
        (target.parent / "rules").touch()
    code, out, err = shell.run(check[language].format(target) + "\n") if check[language] else (0, "", "")
    if language == "json" and out != target.read_text(encoding="utf-8"):
        return [f"README.md, line {begin}: weir does not pass the record on as it is: {out}{err}"]
    return [f"README.md, line {begin}: this block of {language} is wrong: {out}{err}"] if code != 0 else []


def follow_the_readme(world, folder):
    shell = Shell(world)
    failures, used, ran = [], set(), 0
    for language, begin, lines in blocks((SOURCE / "README.md").read_text(encoding="utf-8")):
        if language:
            failures += text_block(shell, folder, language, begin, lines)
            continue
        for command in commands(lines):
            entries = [(table, start) for table in TABLES if (start := fitting(table, command))]
            used.update(start for _, start in entries)
            barred = [NOT_RUN] + [NEEDS_LOKI] * (not world.loki_is_real) + [NEEDS_CONTROLLERS] * world.options.kube
            reason = next((table[start] for table, start in entries if any(table is one for one in barred)), None)
            missing = next((table[start] for table, start in entries if table is NEEDS and shutil.which(table[start]) is None), None)
            if reason or missing:
                print(f"not run: {command.strip()}: {reason or f'there is no {missing} here'}", flush=True)
                continue
            ran += 1
            print(f"run: {command.strip()}", flush=True)
            follow = fitting(FOLLOWS, command)
            if follow:
                shell.follow(command, lambda works=FOLLOWS[follow]: works(world))
                continue
            before = fitting(BEFORE, command)
            if before:
                world.wait_for(lambda works=BEFORE[before]: works(world), f"what {command.strip()} needs")
            code, out, err = shell.run(command)
            start = fitting(EXPECTED, command)
            wanted = EXPECTED[start] if start else None
            if code != 0:
                failures.append(f"README.md, from line {begin}: {command}  exit {code}\n{out[-1500:]}{err[-1500:]}")
            elif wanted and not re.search(wanted, out + err, re.M):
                failures.append(f"README.md, from line {begin}: {command}  did not print {wanted!r}:\n{out[-1500:]}{err[-1500:]}")
        shell.end_block()
    for table in TABLES:
        failures += [f"no command of README.md begins with {start!r}" for start in table if start not in used]
    for text in failures:
        print(f"FAILED {text}")
    print(f"{ran} commands run, {len(failures)} failures")
    return 1 if failures or ran < 20 else 0


def main():
    if sys.argv[1:2] == ["--stand-in"]:
        STAND_INS[sys.argv[2]](sys.argv[3:])
        return 0
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--loki", action="store_true", help="only with a real Loki (LOKI_BIN); else it is skipped")
    arguments.add_argument("--kube", action="store_true", help="with a real API server and kubectl; without them it is skipped")
    arguments.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.inside:
        return inside(options)
    needed = ["LOKI_BIN"] * options.loki + ["KUBE_APISERVER_BIN", "ETCD_BIN", "KUBECTL_BIN"] * options.kube
    for name in needed:
        if not os.environ.get(name):
            print(f"SKIPPED: {name} names no program")
            return SKIPPED
    if not namespaces_can_be_had():
        print("SKIPPED: no mount and network namespace can be had here")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="weir-readme-") as folder:
        os.environ["README_FOLDER"] = folder
        return subprocess.run([*namespace_prefix(), sys.executable, __file__, *sys.argv[1:], "--inside"], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
