#!/usr/bin/env python3
"""Command-line cases: folders COMMAND/SLUG with

  cmd    a line for bash, with weir on PATH
  in     standard input (nothing when absent)
  out    standard output, exactly (empty when absent)
  err    standard error, exactly (empty when absent)
  exit   exit code (0 when absent)

The working directory stands as $PWD in out and err.

Other files of the folder, and `fixtures`, stand in the working directory, a temporary one.

  run.py --weir BINARY [CASE...]            compares; a CASE is a folder, or a command for all of its cases
  run.py --weir BINARY --record [CASE...]   writes what came out into out, err and exit; then look at git diff
"""

import argparse
import concurrent.futures
import difflib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
OWN = {"cmd", "in", "out", "err", "exit"}
TIMEOUT = 60


def environment(binary, home):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LOKI_", "WEIR_"))}
    for name in ("COLUMNS", "NO_COLOR", "BASH_ENV"):
        kept.pop(name, None)
    kept.update(PATH=f"{binary.parent}:{kept.get('PATH', '/usr/bin:/bin')}", HOME=str(home), TZ="UTC", LC_ALL="C.UTF-8")
    return kept


def run(case, binary):
    """What came out: (out, err, exit)."""
    with tempfile.TemporaryDirectory(prefix="weir-case-") as folder:
        work = pathlib.Path(folder)
        for path in case.iterdir():
            if path.name in OWN:
                continue
            if path.is_dir():
                shutil.copytree(path, work / path.name)
            else:
                shutil.copy(path, work / path.name)
        shutil.copytree(HERE / "fixtures", work / "fixtures")
        given = case / "in"
        with open(given if given.exists() else os.devnull, "rb") as stdin:
            process = subprocess.Popen(
                ["bash", "-c", (case / "cmd").read_text()], cwd=work, env=environment(binary, work), stdin=stdin,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
            try:
                out, err = process.communicate(timeout=TIMEOUT)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                out, err = process.communicate()
                err += f"(killed after {TIMEOUT} s)\n".encode()
        # Where the case ran is different each time.
        out, err = (text.replace(str(work).encode(), b"$PWD") for text in (out, err))
    return out, err, process.returncode


def expected(case):
    def read(name):
        path = case / name
        return path.read_bytes() if path.exists() else b""

    return read("out"), read("err"), int(read("exit") or b"0")


def record(case, result):
    for name, content in (("out", result[0]), ("err", result[1]), ("exit", f"{result[2]}\n".encode() if result[2] else b"")):
        path = case / name
        if content:
            path.write_bytes(content)
        elif path.exists():
            path.unlink()


def differences(want, got):
    text = []
    for name, old, new in (("out", want[0], got[0]), ("err", want[1], got[1])):
        if old != new:
            lines = [content.decode("utf-8", "backslashreplace").splitlines(keepends=True) for content in (old, new)]
            text += [line.rstrip("\n") for line in difflib.unified_diff(*lines, f"{name} expected", f"{name} seen")]
    if want[2] != got[2]:
        text.append(f"exit {want[2]} expected, {got[2]} seen")
    return text


def cases(names):
    roots = [pathlib.Path(name) if pathlib.Path(name).is_absolute() else HERE / name for name in names] or [HERE]
    found = sorted({path.parent for root in roots for path in root.rglob("cmd")})
    if not found:
        sys.exit("no cases: " + " ".join(names))
    return found


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--weir", required=True, type=pathlib.Path)
    arguments.add_argument("--record", action="store_true")
    arguments.add_argument("case", nargs="*")
    options = arguments.parse_args()
    binary = options.weir.resolve(strict=True)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=4) as pool:
        every = cases(options.case)
        for case, result in zip(every, pool.map(lambda case: run(case, binary), every)):
            if options.record:
                record(case, result)
                continue
            text = differences(expected(case), result)
            if text:
                failed += 1
                print(f"FAILED {case.relative_to(HERE)}: {(case / 'cmd').read_text().strip()}")
                print("\n".join("  " + line for line in text))
    print(f"{len(every)} cases, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
