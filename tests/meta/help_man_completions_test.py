#!/usr/bin/env python3
"""Holds man/ and completions/ against the binary that prints them, and every option of every command against help, man page and
completions; then tries the completions in the shells that are installed.

  help_man_completions_test.py --weir BINARY --source FOLDER [--update]    --update writes what
  is printed: man/*.1, completions/* and tests/cases/*/help
"""

import argparse
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

SCRIPTS = {"bash": "weir.bash", "zsh": "_weir", "fish": "weir.fish"}
WIDTH = 80
SPOOLS = "a.db b.db pods"
failures = []


def check(condition, text):
    if not condition:
        failures.append(text)


def output(*command, **more):
    return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True, **more).stdout


def weir(options, *arguments):
    # The width is fixed, so that a terminal that runs the tests does not matter.
    return output(options.weir, *arguments, env={**os.environ, "COLUMNS": str(WIDTH)})


def commands_in(text):
    """Commands by the headings of weir --help."""
    names = []
    for section in ("Sources", "Stages", "Sinks", "Others"):
        block = re.search(rf"^{section}:\n((?:  .*\n)+)", text, re.M)
        if block:
            names += re.findall(r"^  (\w+) ", block.group(1), re.M)
    return names


def options_in(text):
    """Every option that a help text declares: the words at the beginning of its table rows."""
    found = set()
    for line in re.findall(r"^  (?:    )?(-.*)$", text, re.M):
        for name in re.match(r"(-{1,2}[A-Za-z][\w-]*)(?:, (-{1,2}[A-Za-z][\w-]*))*", line).group(0).split(", "):
            found.add(name)
    return found


def generate(options, folder):
    man, completions = folder / "man", folder / "completions"
    completions.mkdir(parents=True)
    weir(options, "docs", "man", "--dir", man)
    for shell, name in SCRIPTS.items():
        (completions / name).write_text(weir(options, "docs", "completion", shell))


def committed_files_are_current(options, folder):
    for made in sorted(folder.rglob("*.1")) + [folder / "completions" / name for name in SCRIPTS.values()]:
        kept = options.source / made.relative_to(folder)
        if options.update:
            kept.parent.mkdir(exist_ok=True)
            shutil.copy(made, kept)
        check(kept.exists() and kept.read_text() == made.read_text(),
              f"{made.relative_to(folder)} is not what the binary prints: run this test with --update")
    for kept in (options.source / "man").glob("*.[57]"):
        made = folder / "man" / kept.name
        check(made.exists() and made.read_text() == kept.read_text(), f"man/{kept.name} is not in the binary as it is")
    for kept in (options.source / "man").glob("*.1"):
        check((folder / "man" / kept.name).exists(), f"man/{kept.name} belongs to no command")


def options_appear_everywhere(options, folder, commands):
    scripts = {shell: (folder / "completions" / name).read_text() for shell, name in SCRIPTS.items()}
    main_page = (folder / "man" / "weir.1").read_text()
    for command in commands:
        text = weir(options, command, "--help", "all")
        page = (folder / "man" / f"weir-{command}.1").read_text()
        check(f"weir\\-{command}" in main_page, f"weir.1 does not name {command}")
        names = options_in(text)
        check("--help" in names, f"{command}: --help is not in its help")
        bash = re.search(rf"^    {command}\)\n(.*?)^      ;;$", scripts["bash"], re.M | re.S).group(1)
        zsh = re.search(rf"^    {command}\)\n(.*?)^      ;;$", scripts["zsh"], re.M | re.S).group(1)
        fish = "\n".join(line for line in scripts["fish"].splitlines() if f"'__weir_command {command}'" in line)
        for name in sorted(names):
            check("\\fB" + name.replace("-", "\\-") + "\\fR" in page, f"{command}: {name} is not in the man page")
            check(re.search(rf"[ ']{name}[ ']", bash), f"{command}: {name} is not in the bash completion")
            check(re.search(rf"[)*']{name}[+=\[]", zsh), f"{command}: {name} is not in the zsh completion")
            flag = f" -l {name[2:]} " if name.startswith("--") else f" -s {name[1:]} "
            check(flag in fish, f"{command}: {name} is not in the fish completion")


def help_fits(options, commands):
    # tests/cmd holds the length of the short help.
    for command, scope in [(None, ()), *((command, scope) for command in commands for scope in ((), ("all",)))]:
        text = weir(options, *([command] if command else []), "--help", *scope)
        # What stands in quotes in an example cannot be broken.
        body = re.sub(r"^Examples:\n(?:  .*\n)+", "", text, flags=re.M)
        for line in body.splitlines():
            check(len(line) <= WIDTH, f"{command or 'weir'} --help: wider than {WIDTH}: {line}")
            check(line == line.rstrip(), f"{command or 'weir'} --help: ends in blanks: {line!r}")
        check("placeholder" not in text, f"{command or 'weir'} --help says 'placeholder'")
        if command:
            check("Examples:" in text, f"{command} --help has no examples")


def help_cases_are_current(options, commands):
    for words in ([], *([command] for command in commands)):
        folder = options.source / "tests" / "cases" / (words[0] if words else "weir") / "help"
        given, text = " ".join(["weir", *words, "--help"]), weir(options, *words, "--help")
        if options.update:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "cmd").write_text(given + "\n")
            (folder / "out").write_text(text)
        check((folder / "cmd").exists() and (folder / "cmd").read_text().strip() == given and (folder / "out").read_text() == text,
              f"{folder.relative_to(options.source)} is not what the binary prints: run this test with --update")


def pages_are_sound(options, folder):
    pages = sorted((folder / "man").glob("*.1")) + sorted((options.source / "man").glob("*.[57]"))
    if shutil.which("mandoc"):
        for page in pages:
            said = subprocess.run(["mandoc", "-Tlint", "-Wwarning", page], stdout=subprocess.PIPE, text=True, check=False).stdout
            # References to pages that are not installed on the machine of the test.
            said = "\n".join(line for line in said.splitlines() if "referenced manual not found" not in line)
            check(not said, said)
    if shutil.which("man"):
        for page in pages:
            run = subprocess.run(["man", "--warnings", "-l", page], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
                                 env={**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8"})
            check(run.returncode == 0 and not run.stderr, f"man -l {page.name}: {run.stderr}")


def spool_actions(script):
    """As bash has them: they are compared with those of the other shells."""
    return re.search(r"0:\*\) _weir_words '(status [^']*)'", script.read_text()).group(1)


def tried_in_bash(script, commands):
    text = f"""
      source {script}
      offer() {{ COMP_WORDS=(weir "$@"); COMP_CWORD=$#; COMPREPLY=(); _weir; echo "${{COMPREPLY[@]}}"; }}
      offer ''; offer fil; offer filter --he; offer docs ''; offer run pipe; offer docs completion --; complete -p weir
      weir() {{ echo "$*" >> calls; printf '%s\n' app namespace '$(touch hit)'; }}
      offer spool ''; offer spool status ''; offer spool -o text status a; offer spool forget ''; offer spool forget main ''
      offer docs man ta; offer docs completion ''; offer query ''; offer query labels ''; offer query --spool = 'a.db' labels na
      offer query labels app ''; offer query --spool ''; offer replay ''; offer replay a.db ''; offer push http; offer tail pipe
      offer run a; offer tail a; offer tail -n ''; offer query --from ''
    """
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "pipeline with blanks").touch()
        pathlib.Path(folder, "pods").mkdir()
        for name in ("a.db", "a.db-wal", "b.db"):
            pathlib.Path(folder, name).touch()
        lines = output("bash", "--norc", "-uc", text, cwd=folder).splitlines()
        calls = pathlib.Path(folder, "calls").read_text().splitlines()
        check(not pathlib.Path(folder, "hit").exists(), "bash runs what a label is called")
    want_first = [*commands, "help", "--help", "--version"]
    check(lines[0].split() == want_first, f"bash: commands are {lines[0]}")
    check(lines[1:3] == ["filter", "--help"], f"bash offers {lines[1:3]}")
    check(lines[3].startswith("list man markdown completion"), f"bash offers {lines[3]}")
    check(lines[4] == "pipeline with blanks", f"bash offers {lines[4]}")
    check("--help" in lines[5], f"bash offers {lines[5]}")
    check(lines[6] == "complete -F _weir weir", f"bash: {lines[6]}")
    want = [spool_actions(script), SPOOLS, "a.db", "", SPOOLS, "tail", "bash zsh fish", "logs labels series stats volume fields values fmt", "app namespace", "namespace", "", SPOOLS, SPOOLS, "", "",
            "pipeline with blanks", "a.db", "a.db", "", ""]
    check(lines[7:] == want, f"bash offers {lines[7:]}")
    check(calls == ["query labels --timeout 2s", "query --spool=a.db labels --timeout 2s"], f"bash calls {calls}")


def tried_in_fish(script):
    def offer(line, cwd=None, path=""):
        env = {**os.environ, "HOME": tempfile.gettempdir(), "PATH": f"{path}:{os.environ['PATH']}"}
        text = output("fish", "--no-config", "-c", f"source {script}; complete -C {line!r}", env=env, cwd=cwd)
        return [row.split("\t")[0] for row in text.splitlines()]

    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/pods")
        for name in ("a.db", "a.db-wal", "b.db"):
            pathlib.Path(folder, name).touch()
        fake = pathlib.Path(folder, "weir")
        fake.write_text('#!/bin/sh\necho "$*" >> calls\nprintf "%s\\n" app namespace\n')
        fake.chmod(0o755)
        for line, wanted in (("weir spool ", spool_actions(script.with_name(SCRIPTS["bash"]))), ("weir spool status ", SPOOLS), ("weir spool -o text status a", "a.db"),
                             ("weir spool forget ", ""), ("weir spool forget main ", SPOOLS), ("weir docs man tai", "tail"),
                             ("weir docs completion ", "bash fish zsh"), ("weir query ", "fields fmt labels logs series stats values volume"), ("weir query labels ", "app namespace"),
                             ("weir query --spool a.db labels na", "namespace"), ("weir query labels app ", ""), ("weir replay a", "a.db"),
                             ("weir replay a.db ", ""), ("weir run a", "a.db"), ("weir tail a", "a.db"), ("weir tail -n ", "")):
            found = offer(line, cwd=folder, path=folder)
            check(sorted(one.rstrip("/") for one in found) == sorted(wanted.split()), f"fish offers {found} for {line!r}")
        calls = pathlib.Path(folder, "calls").read_text().splitlines()
        check(set(calls) == {"query labels --timeout 2s", "query --spool a.db labels --timeout 2s"}, f"fish calls {calls}")
    check(offer("weir fil") == ["filter"], f"fish offers {offer('weir fil')}")
    check("--help" in offer("weir filter --h"), f"fish offers {offer('weir filter --h')}")
    check("completion" in offer("weir docs co"), f"fish offers {offer('weir docs co')}")
    check(offer("weir docs --chec") == [], "fish offers an option of another command")
    check("--check" in offer("weir run --chec"), f"fish offers {offer('weir run --chec')}")


def tried_in_zsh(folder):
    """zsh completes only in its line editor, so this one gets a terminal of its own."""
    for name in ("only.db", "only.db-wal"):
        (folder / name).touch()
    fake = folder / "weir"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" app namespace\n')
    fake.chmod(0o755)
    master, slave = pty.openpty()
    env = {**os.environ, "TERM": "dumb", "HOME": str(folder), "ZDOTDIR": str(folder)}
    shell = subprocess.Popen(["zsh", "-f", "-i"], stdin=slave, stdout=slave, stderr=slave, env=env, cwd=folder, start_new_session=True)
    os.close(slave)

    def read_until(pattern, seconds=30):
        seen, deadline = "", time.monotonic() + seconds
        while time.monotonic() < deadline:
            if select.select([master], [], [], 0.1)[0]:
                try:
                    seen += os.read(master, 65536).decode("utf-8", "replace").replace("\x07", "")
                except OSError:
                    break
                if re.search(pattern, seen):
                    return seen
        check(False, f"zsh: {pattern} did not come: {seen!r}")
        return seen

    def send(text):
        os.write(master, text.encode())

    try:
        send(f"PROMPT='ready> '; PATH={folder}:$PATH; unsetopt zle_bracketed_paste 2>/dev/null; fpath=({folder}/completions $fpath)\n")
        send("autoload -Uz compinit && compinit -u -D && echo com''pinit-done\n")
        read_until("compinit-done")
        for typed, wanted in (("weir filt\t", "filter "), ("weir run --chec\t", "--check "), ("weir docs compl\t", "completion "),
                              ("weir docs man quer\t", "query "), ("weir docs completion fi\t", "fish "), ("weir spool sta\t", "status "),
                              ("weir spool status only\t", "only.db "), ("weir spool status -o json only\t", "only.db "),
                              ("weir query lab\t", "labels "), ("weir query labels names\t", "namespace "), ("weir replay only\t", "only.db "),
                              ("weir run only\t", "only.db ")):
            send(typed)
            read_until(re.escape(wanted))
            send("\x15")
        # What is offered where nothing was typed yet.
        for typed, wanted, unwanted in (("weir spool \t\t", "compact", "only.db"), ("weir spool status \t\t", "only.db", "compact"),
                                        ("weir query labels \t\t", "app", "series")):
            send(typed)
            seen = read_until(wanted)
            check(unwanted not in seen, f"zsh offers {unwanted} for {typed!r}: {seen!r}")
            send("\x15")
        send("exit\n")
        shell.wait(timeout=10)
    finally:
        if shell.poll() is None:
            shell.kill()
            shell.wait()
        os.close(master)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--weir", type=pathlib.Path, required=True)
    arguments.add_argument("--source", type=pathlib.Path, required=True)
    arguments.add_argument("--update", action="store_true")
    options = arguments.parse_args()
    options.weir = options.weir.resolve()
    commands = commands_in(weir(options, "--help"))
    check(len(commands) >= 10, f"weir --help lists {commands}")
    with tempfile.TemporaryDirectory(prefix="weir-docs-") as name:
        folder = pathlib.Path(name)
        generate(options, folder)
        committed_files_are_current(options, folder)
        options_appear_everywhere(options, folder, commands)
        help_fits(options, commands)
        help_cases_are_current(options, commands)
        pages_are_sound(options, folder)
        listed = re.search(r"_weir_words '([^']*) help --help --version'", (folder / "completions" / "weir.bash").read_text()).group(1).split()
        check(sorted(listed) == sorted(commands), f"completions list {listed}")
        for shell, trial in (("bash", lambda: tried_in_bash(folder / "completions" / "weir.bash", listed)),
                             ("zsh", lambda: tried_in_zsh(folder)),
                             ("fish", lambda: tried_in_fish(folder / "completions" / "weir.fish"))):
            if shutil.which(shell):
                trial()
            else:
                print(f"{shell} is not installed: its completion is not tried")
    for text in failures:
        print(f"FAILED: {text}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
