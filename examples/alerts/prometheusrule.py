#!/usr/bin/env python3
"""Makes weir.prometheusrule.yaml, for the Prometheus operator on Kubernetes, from weir.rules.yml beside it.

usage: prometheusrule.py [--check] [--name NAME] [--namespace NAMESPACE] [--label NAME=VALUE]...
Without --check it writes the file; with it, it changes nothing and ends with 1 when the file is out of date. With the other options
the result goes to standard output. An operator may select rules by label (spec.ruleSelector of the Prometheus object): then use
--label release=prometheus, say.
"""
import argparse
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
SOURCE, TARGET = HERE / "weir.rules.yml", HERE / "weir.prometheusrule.yaml"


def made(name="weir", namespace=None, labels=()):
    """The text of the PrometheusRule: the rule file, two spaces further in."""
    text = SOURCE.read_text(encoding="utf-8")
    groups = text[text.index("groups:\n"):]
    head = ["# Made by prometheusrule.py from weir.rules.yml: do not edit.", "apiVersion: monitoring.coreos.com/v1",
            "kind: PrometheusRule",
            "metadata:", f"  name: {name}"]
    if namespace:
        head.append(f"  namespace: {namespace}")
    head += ["  labels:", "    app.kubernetes.io/name: weir"]
    # A string of JSON is one of YAML.
    head += [f"    {json.dumps(key)}: {json.dumps(value)}" for key, value in labels]
    body = ["  " + line if line else line for line in groups.splitlines()]
    return "\n".join([*head, "spec:", *body]) + "\n"


def label(text):
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=VALUE")
    return key, value


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--check", action="store_true")
    arguments.add_argument("--name", default="weir")
    arguments.add_argument("--namespace")
    arguments.add_argument("--label", action="append", default=[], type=label)
    options = arguments.parse_args()
    text = made(options.name, options.namespace, options.label)
    if options.check:
        if not TARGET.exists() or TARGET.read_text(encoding="utf-8") != text:
            sys.exit(f"{TARGET.name} is out of date: run {pathlib.Path(__file__).name}")
    elif options.name != "weir" or options.namespace or options.label:
        sys.stdout.write(text)
    else:
        TARGET.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
