#!/usr/bin/env python3
"""Holds the tables of man/weir-metrics.7 against the declarations of metrics in lib/ (lib/metrics/metric.h), and each declaration against a
second one of its name.

  metrics_page_test.py --source FOLDER [--update]    --update writes the tables
"""
import argparse
import collections
import pathlib
import re
import sys

BEGIN, END = '.\\" METRICS BEGIN: written by tests/meta/metrics_page_test.py --update\n', '.\\" METRICS END\n'
CALL = re.compile(r"(?:\bmetrics::)?\b(counter|gauge|histogram)\(\s*(?=\")")
PLAIN = re.compile(r"\bMetric k\w+ = \{Kind::(\w+), ")
HEADS = {"process": "The process", "tail": "weir tail", "input": "Records from a pipe", "output": "Records into a pipe or a terminal",
         "run": "weir run", "all": "All stages, and weir itself", "spool": "A spool that push reads"}

Metric = collections.namedtuple("Metric", "kind name unit help labels")


def split_arguments(text):
    """The arguments of a call whose text begins behind its "(" or "{", up to the end that closes it."""
    arguments, depth, at, begin = [], 0, 0, 0
    while True:
        c = text[at]
        if c == '"':
            at += 1
            while text[at] != '"':
                at += 2 if text[at] == "\\" else 1
        elif c in "({[":
            depth += 1
        elif c in ")}]" and depth > 0:
            depth -= 1
        elif c in ")}" or (c == "," and depth == 0):
            arguments.append(text[begin:at].strip())
            begin = at + 1
            if c != ",":
                return arguments
        at += 1


def literal(argument):
    """The text of string literals beside one another; None of anything else."""
    pieces = re.findall(r'"((?:[^"\\]|\\.)*)"', argument)
    if not pieces or re.sub(r'"((?:[^"\\]|\\.)*)"', "", argument).strip():
        return None
    return "".join(pieces).replace('\\"', '"').replace("\\\\", "\\")


def value_of(argument, text):
    """What the constant of that name is in the same file; anything else as it is."""
    constant = re.search(rf"\b{argument}(?:\[\])? = ([^;]*);", text) if re.fullmatch(r"k\w+", argument) else None
    return constant.group(1) if constant else argument


def declared(text):
    """The metrics that a file declares."""
    for match in CALL.finditer(text):
        arguments = split_arguments(text[match.end():])
        if len(arguments) < 3 or not (literal(arguments[0]) or "").startswith("weir_"):
            continue
        labels = literal(value_of(arguments[4], text)) if len(arguments) > 4 else ""
        yield Metric(match.group(1), *(literal(one) for one in arguments[:3]), labels)
    for match in PLAIN.finditer(text):
        arguments = split_arguments(text[match.end():])
        yield Metric(match.group(1), *(literal(one) for one in arguments[1:4]), "")


def all_metrics(root):
    found = []
    for path in sorted((root / "lib").glob("*/*")):
        if path.suffix in (".h", ".cc") and path.name != "metric.h":
            found += declared(path.read_text(encoding="utf-8"))
    return sorted(found, key=lambda one: one.name)


def stage_of(name):
    parts = name.split("_")
    if parts[0] == "process":
        return "process"
    return parts[1] if parts[1] in ("tail", "enrich", "filter", "buffer", "push", "replay", "query", "input", "output", "run", "smoke",
                                    "spool", "top", "serve") else "all"


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in ".'" else text


def table(metrics):
    groups = collections.defaultdict(list)
    for one in metrics:
        groups[stage_of(one.name)].append(one)
    text = ""
    for stage in sorted(groups, key=lambda one: (one in ("all", "process"), one)):
        text += f".SS {escape(HEADS.get(stage, 'weir ' + stage))}\n"
        for one in groups[stage]:
            labels = f"{{{', '.join(one.labels.split(','))}}}" if one.labels else ""
            text += f".TP\n.BR {escape(one.name)} \"{escape(labels)} ({one.kind})\"\n{escape(one.help)}\n"
    return text


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--update", action="store_true")
    options = parser.parse_args()
    metrics = all_metrics(options.source)
    failures = []
    if len(metrics) < 60:
        failures.append(f"only {len(metrics)} metrics were found in lib/: this test does not read their declarations any more")
    for name, times in collections.Counter(one.name for one in metrics).items():
        if times > 1:
            failures.append(f"{name} is declared {times} times")
    for one in metrics:
        if not one.help or one.unit is None or one.labels is None or any(label == "le" for label in one.labels.split(",")):
            failures.append(f"the declaration of {one.name} was not understood")
    page = options.source / "man" / "weir-metrics.7"
    text = page.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        sys.exit(f"{page} has no place for the tables")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    wanted = before + BEGIN + table(metrics) + END + after
    if options.update:
        page.write_text(wanted, encoding="utf-8")
    elif text != wanted:
        failures.append("man/weir-metrics.7 does not list what lib/ declares: run this test with --update")
    for failure in failures:
        print(failure)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
