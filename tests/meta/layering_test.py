#!/usr/bin/env python3
"""Holds the includes of lib/ and the LINK lists of its modules against the layers of ARCHITECTURE.md.

usage: layering_test.py ROOT
Two things are checked of every file of lib/MODULE: that `#include "other/x.h"` names a module below its own, and that a
header of a third-party library stays inside the module it was given to. That also holds for cmd/ and tests/: besides the tests of that
module, some may name what they check it with.
"""
import pathlib
import re
import sys
import tempfile
import unittest

# module: the modules it may include, besides what those may include
BELOW = {
    "base": [],
    "record": ["base"],
    "names": ["record"],
    "metrics": ["base"],
    "yaml": ["base"],
    "pipeline": ["record", "metrics"],
    "gotext": ["base"],
    "gotemplate": ["gotext"],
    "logql": ["names", "gotemplate"],
    "rules": ["logql"],
    "ruler": ["logql", "yaml"],
    "sqlite": ["base"],
    "spool": ["sqlite", "record"],
    "scan": ["spool", "logql"],
    "http": ["base"],
    "httpd": ["base"],
    "loki": ["http", "names"],
    "delivery": ["loki", "spool"],
    "tail": ["record"],
    "kube": ["http", "record"],
    "show": ["names", "gotext"],
    "smoke": ["loki", "pipeline"],
    "monitor": ["pipeline", "httpd"],
    "serve": ["scan", "loki", "httpd", "metrics"],
    "stages": ["pipeline", "rules", "scan", "delivery", "tail", "kube", "show", "smoke", "monitor", "serve", "ruler"],
    "convert": ["stages", "yaml"],
    "cli": ["stages"],
}

# header (a prefix of the include's path): modules that may name it
THIRD_PARTY = {
    "simdjson": {"loki", "kube"},
    "re2/": {"gotext"},
    "sqlite3": {"sqlite"},
    "zstd": {"spool"},
    "curl/": {"http"},
    "httplib": {"http"},
    "snappy": {"loki"},
    "protozero/": {"loki"},
    "nlohmann/": set(),
    "zlib": {"tail", "loki", "httpd"},
    "systemd/": {"tail"},
    "boost/": {"httpd"},
    "CLI/": {"cli"},
    "yaml-cpp/": {"yaml"},
}

# The same outside of lib/: folders that may name it, besides the tests of those modules.
BESIDES = {
    "simdjson": {"tests/bench"},
    "re2/": {"tests/support"},
    "sqlite3": {"tests/support"},
    "httplib": {"tests/support"},
    "snappy": {"tests/support", "tests/fuzz"},
    "protozero/": {"tests/support"},
    "nlohmann/": {"tests/support", "tests/record", "tests/fuzz", "tests/logql"},
    "zlib": {"examples"},
    "CLI/": {"cmd", "tests/cmd"},
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
MODULE = re.compile(r"weir_module\(\s*(\w+)(.*?)\)", re.S)


def allowed(module):
    """The modules that `module` may include, itself among them."""
    found, todo = set(), [module]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += BELOW[name]
    return found


def violations(root):
    """One line for each include or link that breaks the layers."""
    lib = pathlib.Path(root) / "lib"
    found = []
    for folder in sorted(p for p in lib.iterdir() if p.is_dir()):
        module = folder.name
        if module not in BELOW:
            found.append(f"lib/{module}: no such module in the layers")
            continue
        may = allowed(module)
        for path in sorted(folder.rglob("*")):
            if path.suffix not in (".h", ".cc"):
                continue
            text = path.read_text(encoding="utf-8")
            for match in INCLUDE.finditer(text):
                where = f"{path.relative_to(root)}:{text.count(chr(10), 0, match.start()) + 1}"
                name = match.group(2)
                first = name.split("/")[0]
                if match.group(1) == '"' and first in BELOW and first not in may:
                    found.append(f"{where}: {module} may not include {name}")
                if match.group(1) == '"' and first in ("cmd", "tests", "examples"):
                    found.append(f"{where}: lib may not include {name}")
                if match.group(1) == '"' and "/" not in name:
                    found.append(f"{where}: include {name} by its path from lib/")
                for header, modules in THIRD_PARTY.items():
                    if name.startswith(header) and module not in modules:
                        found.append(f"{where}: {name} belongs to {', '.join(sorted(modules))} alone")
        for match in MODULE.finditer((folder / "CMakeLists.txt").read_text(encoding="utf-8")):
            for linked in re.findall(r"\bweir_(\w+)", match.group(2)):
                if linked not in may:
                    found.append(f"lib/{module}/CMakeLists.txt: {module} may not link weir_{linked}")
    return found


def borrowed(root):
    """One line for each third-party header that cmd, a test or an example names and should not."""
    root = pathlib.Path(root)
    found = []
    for top in ("cmd", "tests", "examples"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix not in (".h", ".cc"):
                continue
            parts = path.relative_to(root).parts
            folder = "/".join(parts[:2]) if top == "tests" else top
            text = path.read_text(encoding="utf-8")
            for match in INCLUDE.finditer(text):
                for header, modules in THIRD_PARTY.items():
                    if not match.group(2).startswith(header):
                        continue
                    may = BESIDES.get(header, set()) | {f"tests/{module}" for module in modules}
                    if folder not in may:
                        where = f"{path.relative_to(root)}:{text.count(chr(10), 0, match.start()) + 1}"
                        found.append(f"{where}: {match.group(2)} is not for {folder}")
    return found


class Layering(unittest.TestCase):
    root = "."

    def test_the_tree_keeps_its_layers(self):
        self.assertEqual(violations(self.root), [])

    def test_third_party_headers_stay_with_their_users(self):
        self.assertEqual(borrowed(self.root), [])

    def test_modules_name_only_modules(self):
        for module, below in BELOW.items():
            self.assertLessEqual(set(below), set(BELOW), module)
            self.assertNotIn(module, set().union(*(allowed(b) for b in below)), f"{module} stands below itself")


class TheTestItself(unittest.TestCase):
    def check(self, name, text, cmake="weir_module(x LINK weir_base)"):
        with tempfile.TemporaryDirectory() as root:
            path = pathlib.Path(root) / "lib" / name
            path.parent.mkdir(parents=True)
            path.write_text(text, encoding="utf-8")
            (path.parent / "CMakeLists.txt").write_text(cmake, encoding="utf-8")
            return violations(root)

    def test_passes(self):
        for name, text in [("record/a.h", '#include "base/result.h"\n'), ("sqlite/a.cc", "#include <sqlite3.h>\n"),
                           ("stages/a.cc", '#include "base/clock.h"\n#include "loki/push.h"\n')]:
            self.assertEqual(self.check(name, text), [], name)

    def test_fails(self):
        for name, text in [("base/a.h", '#include "record/record.h"\n'), ("tail/a.cc", '# include  "spool/spool.h"\n'),
                           ("spool/a.cc", "#include <sqlite3.h>\n"), ("stages/a.cc", "#include <CLI/CLI.hpp>\n"),
                           ("loki/a.h", '#include "push.h"\n'), ("logql/a.h", '#include "cmd/commands.h"\n'),
                           ("utils/a.h", "\n")]:
            self.assertEqual(len(self.check(name, text)), 1, name)
        for name, count in [("cmd/a.cc", 0), ("tests/cli/a_test.cc", 0), ("tests/stages/a_test.cc", 1), ("examples/a.cc", 1)]:
            with tempfile.TemporaryDirectory() as root:
                path = pathlib.Path(root) / name
                path.parent.mkdir(parents=True)
                path.write_text("#include <CLI/App.hpp>\n", encoding="utf-8")
                self.assertEqual(len(borrowed(root)), count, name)
        self.assertEqual(len(self.check("base/a.h", "", "weir_module(base\n  SOURCES a.cc\n  LINK weir_record fmt::fmt)")), 1)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: layering_test.py ROOT")
    Layering.root = sys.argv.pop()
    unittest.main()
