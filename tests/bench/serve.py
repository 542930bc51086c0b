"""What `weir serve` costs: at rest, while it takes pushes, with 50 tails; and how soon it answers, in a browser as well."""
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

import measure
import query
import serve_kit
import weir_kit as kit
import ws_kit

TAILS = 50
PAIRS = 20  # of a request and a command, in turns


def fresh(folder, name):
    path = folder / name
    for end in ("", "-wal", "-shm", "-lock", "-status"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    return path


def status(spool):
    return json.loads(query.output(query.weir(f"spool status {spool} -o json")))


def get(url, path, **given):
    with urllib.request.urlopen(f"{url}{path}?{urllib.parse.urlencode(given)}", timeout=60) as answer:
        return answer.read()


def first_bytes(url, path, **given):
    """Seconds until an answer has brought its first line, and the whole of it read afterwards."""
    begin = time.monotonic()
    with urllib.request.urlopen(f"{url}{path}?{urllib.parse.urlencode(given)}", timeout=60) as answer:
        answer.readline()
        took = time.monotonic() - begin
        answer.read()
    return took


def pushes(report, folder, source):
    server = serve_kit.Serve(fresh(folder, "serve-pushed.db"), "--max-size", "1TiB", "--retain", "1000000h", "--max-behind", "0", env=kit.environment())
    get(server.url, "/ready")
    report.figure("memory at rest", server.memory() / 1e3, "MB RSS", limit=15)
    bytes_in = status(source)["line_bytes"]
    before = measure.cpu(server.process.pid)
    subprocess.run([*query.weir("run -c"), f"replay {source} | push {server.url}"], check=True, stderr=subprocess.DEVNULL, env=kit.environment())
    spent = measure.cpu(server.process.pid) - before
    report.figure("pushes: lines taken, durably, by one core", bytes_in / 1e6 / spent, "MB/CPU s", at_least=30)
    report.figure("pushes: memory", server.memory("VmHWM") / 1e3, "MB RSS")
    server.stop()
    report.check("pushes: every record is in the spool", status(server.spool)["records"] == status(source)["records"])


def tails(report, folder):
    server = serve_kit.Serve(fresh(folder, "serve-tails.db"), env=kit.environment())
    seen, connected = [0] * TAILS, threading.Barrier(TAILS + 1)

    def listen(number):
        socket = ws_kit.WebSocket(f"ws{server.url[4:]}/loki/api/v1/tail?query=%7Bapp%3D~%22.%2B%22%7D")
        connected.wait()
        try:
            while seen[number] < 5000:
                seen[number] += sum(len(stream["values"]) for stream in json.loads(socket.text())["streams"])
        finally:
            socket.close()

    threads = [threading.Thread(target=listen, args=(number,), daemon=True) for number in range(TAILS)]
    for thread in threads:
        thread.start()
    connected.wait(60)
    for number in range(500):  # ten lines at once, for five seconds and more
        stamp = time.time_ns()
        body = {"streams": [{"stream": {"app": f"app-{number % 20}"}, "values": [[str(stamp + i), f"{number} {i} " + "x" * 150] for i in range(10)]}]}
        request = urllib.request.Request(server.url + "/loki/api/v1/push", json.dumps(body).encode(), {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=30).close()
    for thread in threads:
        thread.join(60)
    report.figure(f"memory with {TAILS} tails of 5,000 lines", server.memory("VmHWM") / 1e3, "MB RSS", limit=40)
    report.check(f"{TAILS} tails: every line came", min(seen) >= 5000, f"{min(seen)}")
    server.stop()


def answers(report, spool):
    server = serve_kit.Serve(spool, "--read-only", env=kit.environment())
    newest = kit.nanoseconds(status(spool)["newest"])
    given = {"query": '{pod=~".+"}', "limit": 100, "start": newest - 3600 * 10**9, "end": newest + 1}
    command = query.weir(f"query '{{pod=~\".+\"}}' --spool {spool} --from {given['start']} --to {given['end']} --limit 100 -o jsonl")
    asked, alone = [], []
    for _ in range(PAIRS):  # in turns: the machine may have other work
        begin = time.monotonic()
        lines = sum(len(s["values"]) for s in json.loads(get(server.url, "/loki/api/v1/query_range", **given))["data"]["result"])
        asked.append(time.monotonic() - begin)
        alone.append(query.wall(command))
    report.check("query_range gives 100 lines", lines == 100, f"{lines}")
    report.figure("query_range of 100 lines, beyond the same weir query", (min(asked) - min(alone)) * 1e3, "ms", limit=5)
    report.figure("the page's answer: its first part", min(first_bytes(server.url, "/weir/api/v1/view", query="{}", limit=1000) for _ in range(5)) * 1e3, "ms")
    if shutil.which("chromium") and shutil.which("chromedriver"):
        sys.path.append(os.path.join(os.path.dirname(__file__), "..", "page"))
        import browser
        window = browser.Browser()
        took = []
        for _ in range(3):
            window.open("about:blank")
            begin = time.monotonic()
            window.open(server.url + "/")
            window.wait("document.querySelector('.row-line')")
            took.append(time.monotonic() - begin)
        window.close()
        report.figure("the page in Chromium: its first line", min(took) * 1e3, "ms", limit=1000)
    server.stop()


def run(report, folder, megabytes):
    report.title(f"serve over a spool of {megabytes:.0f} MB of log")
    _, _, live = query.make_spools(folder, megabytes)
    pushes(report, folder, live)
    tails(report, folder)
    answers(report, live)
