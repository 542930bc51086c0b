"""The jobs of examples/ci, taken apart: the shell commands, and the reports that they promise.

These files use a small part of YAML, and this reads no more than that: keys, lists of plain scalars, and blocks of text behind `|`.
"""
import concurrent.futures
import pathlib
import re
import subprocess

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "examples" / "ci"
FILES = sorted(path.name for path in FOLDER.glob("*.yml"))


def blocks(name):
    """(key, text) of every scalar, in the order of the file; an item of a list has the key of the list."""
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    found, keys, at = [], [], 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        indent = len(line) - len(line.lstrip())
        text = line.strip()
        while text.startswith("- "):
            indent += 2
            text = text[2:]
        keys = [(depth, key) for depth, key in keys if depth < indent]
        match = re.match(r"([\w.-]+):(?: (.*))?$", text)
        if match:
            keys.append((indent, match.group(1)))
            value = match.group(2) or ""
        else:
            value = text
        if value == "|":
            parent = len(line) - len(line.lstrip())
            block = []
            while at < len(lines) and (not lines[at].strip() or len(lines[at]) - len(lines[at].lstrip()) > parent):
                block.append(lines[at])
                at += 1
            depth = min(len(one) - len(one.lstrip()) for one in block if one.strip())
            value = "\n".join(one[depth:] for one in block).rstrip("\n") + "\n"
        if value:
            found.append((keys[-1][1], value))
    return found


def commands(name):
    """What the job runs, each as a shell gets it."""
    found = [text for key, text in blocks(name) if key in ("run", "script")]
    assert found, f"{name} runs nothing"
    return found


def reports(name):
    """The files that the job hands over."""
    found = [path for key, text in blocks(name) if key in ("path", "junit") for path in text.split()]
    assert found, f"{name} hands nothing over"
    return found


def run_all(folder, environment, seconds):
    """Runs every command of every file, the files in folders of their own: (file, command, what became of it). All at once, because what they run
    takes ten seconds by its pace."""
    def run(one):
        return *one, subprocess.run(["bash", "-eo", "pipefail", "-c", one[1]], cwd=folder / one[0], env=environment, stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds, check=False)

    for name in FILES:
        (folder / name).mkdir()
    every = [(name, command) for name in FILES for command in commands(name)]
    with concurrent.futures.ThreadPoolExecutor(len(every)) as pool:
        return list(pool.map(run, every))
