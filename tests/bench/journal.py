"""The journal: read from its files, and from journalctl -o json in a pipe."""
import pathlib
import resource
import shutil
import subprocess
import time

import journal_kit as journal
import weir_kit as kit

LEAST = 3.0
FIELDS = {"_UID": "0", "_GID": "0", "_COMM": "kubelet", "_EXE": "/usr/bin/kubelet", "_CMDLINE": "/usr/bin/kubelet --config /etc/kubelet.yaml",
          "_SYSTEMD_CGROUP": "/system.slice/kubelet.service", "_SYSTEMD_SLICE": "system.slice", "_SYSTEMD_INVOCATION_ID": "b" * 32,
          "_STREAM_ID": "c" * 32, "SYSLOG_FACILITY": "3", "SYSLOG_IDENTIFIER": "kubelet", "_CAP_EFFECTIVE": "1ffffffffff"}


def measured(command):
    """Wall and CPU seconds of a shell command, its processes together."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], check=True, env=kit.environment(), stdin=subprocess.DEVNULL)
    wall, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run(report, folder, megabytes):
    report.title(f"The journal, {megabytes} MB of files")
    files = pathlib.Path(folder) / "journal"
    shutil.rmtree(files, ignore_errors=True)
    for part in range(max(1, megabytes // 64)):
        live = files / f"part-{part}.journal"
        files.mkdir(exist_ok=True)
        number = part * 1_000_000
        feeder = subprocess.Popen([journal.REMOTE, "-o", str(live), "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not live.exists() or live.stat().st_size < min(megabytes, 64) << 20:
            feeder.stdin.write(b"".join(
                journal.entry(number + i, unit=f"unit-{i % 12}.service", priority=i % 8, **FIELDS,
                              message=f"I1130 04:48:18.{number + i:06d} 1 reconciler.go:{i}] operationExecutor started for volume {number + i}")
                for i in range(500)))
            number += 500
        feeder.stdin.close()
        feeder.wait()
    size = sum(path.stat().st_size for path in files.iterdir())
    out = pathlib.Path(folder) / "count"
    native = measured(f"{kit.WEIR} tail --journal-dir {files} -o jsonl | wc -l > {out}")
    entries = int(out.read_text())
    through = measured(f"journalctl -D {files} -q -o json --all | {kit.WEIR} tail --format journal -o jsonl - | wc -l > {out}")
    report.check("both give the same number of records", entries == int(out.read_text()) and entries > 0, f"{entries}")
    report.figure("from files", size / 1e6 / native[0], "MB/s")
    report.figure("through journalctl -o json", size / 1e6 / through[0], "MB/s")
    report.figure("from files, relative to journalctl, by time", through[0] / native[0], "times", at_least=LEAST)
    report.figure("from files, relative to journalctl, by CPU", through[1] / native[1], "times", at_least=LEAST)
