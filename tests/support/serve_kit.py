"""A `weir serve` for a test: started on a free port, stopped by SIGTERM or SIGKILL."""
import pathlib
import re
import signal
import subprocess
import time

import weir_kit as kit


class Serve:
    """`url` without a slash at its end; `spool`; `process`; `log` is what it said so far."""

    def __init__(self, spool, *options, env=None, listen="127.0.0.1:0"):
        self.spool = str(spool)
        self.options = options
        self.errors = pathlib.Path(self.spool + ".stderr")
        self.errors.unlink(missing_ok=True)
        with open(self.errors, "ab") as errors:
            self.process = subprocess.Popen([kit.WEIR, "serve", self.spool, "--listen", listen, *options], stderr=errors,
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=env)
        self.url = None
        self.wait_for("where it listens", lambda: self.found_url())

    def found_url(self):
        found = re.search(r"serving .* on (https?://\S+)/", self.log)
        self.url = found.group(1) if found else None
        return found

    @property
    def log(self):
        return self.errors.read_text()

    def wait_for(self, what, condition):
        deadline = time.monotonic() + kit.PATIENCE
        while not condition():
            if self.process.poll() is not None:
                raise AssertionError(f"serve ended with {self.process.returncode} before {what}: {self.log}")
            if time.monotonic() > deadline:
                raise AssertionError(f"no {what} after {kit.PATIENCE} s: {self.log}")
            time.sleep(0.02)

    def stop(self, number=signal.SIGTERM):
        """Its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=kit.PATIENCE)

    def memory(self, kind="VmRSS"):
        """KiB."""
        return int(re.search(kind + r":\s+(\d+)", pathlib.Path(f"/proc/{self.process.pid}/status").read_text()).group(1))
