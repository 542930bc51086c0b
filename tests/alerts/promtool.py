"""Where the alerts are, their YAML, and promtool.

Importing it skips the test (77) where promtool or PyYAML is missing; where CI=true that is a failure.
"""
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ALERTS = ROOT / "examples" / "alerts"
DASHBOARD = ROOT / "examples" / "dashboard"


def need(what, package):
    if not what:
        print(f"SKIPPED: install Debian's {package}", file=sys.stderr)
        sys.exit(1 if os.environ.get("CI") == "true" else 77)


try:
    import yaml
except ImportError:
    yaml = None
need(yaml, "python3-yaml")
need(shutil.which("promtool") and shutil.which("prometheus"), "prometheus")


def rules_of(name):
    """What a file of examples/alerts says."""
    return yaml.safe_load((ALERTS / name).read_text(encoding="utf-8"))


def run(*arguments):
    return subprocess.run(["promtool", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
