"""A real Chromium, driven through Debian's chromedriver by the WebDriver protocol (https://www.w3.org/TR/webdriver2/), without packages.

Importing it skips the test (77) where Chromium or chromedriver is missing; where CI=true that is a failure.
"""
import atexit
import base64
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import weir_kit

for program, package in (("chromium", "chromium"), ("chromedriver", "chromium-driver")):
    if shutil.which(program) is None:
        print(f"SKIPPED: install Debian's {package}", file=sys.stderr)
        sys.exit(1 if os.environ.get("CI") == "true" else 77)

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"Enter": "\ue007", "Escape": "\ue00c", "Tab": "\ue004", "Left": "\ue012", "Up": "\ue013", "Right": "\ue014", "Down": "\ue015",
        "PageUp": "\ue00e", "PageDown": "\ue00f", "End": "\ue010", "Home": "\ue011", "Shift": "\ue008", "Control": "\ue009", "Backspace": "\ue003"}


class DriverError(Exception):
    pass


class Browser:
    """One window. The programs die with close(), which runs at exit as well."""

    def __init__(self, width=1400, height=900):
        self.folder = tempfile.TemporaryDirectory(prefix="weir-page-")
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                       env={**os.environ, "TMPDIR": self.folder.name})
        atexit.register(self.close)
        for text in self.driver.stdout:
            if found := re.search(r"successfully on port (\d+)", text):
                self.base = f"http://127.0.0.1:{found.group(1)}"
                break
        options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                            f"--user-data-dir={self.folder.name}/profile", f"--window-size={width},{height}"],
                   "prefs": {"download.default_directory": self.folder.name + "/downloads", "download.prompt_for_download": False}}
        wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}}
        self.session = self.request("POST", "/session", wanted)["sessionId"]
        self.downloads = pathlib.Path(self.folder.name) / "downloads"
        self.size(width, height)

    def close(self):
        if self.driver is None:
            return
        try:
            self.request("DELETE", f"/session/{self.session}")
        except (OSError, DriverError, AttributeError):
            pass
        self.driver.terminate()
        self.driver.wait()
        self.driver.stdout.close()
        self.driver = None
        self.folder.cleanup()

    def request(self, method, path, body=None):
        data = json.dumps(body if body is not None else {}).encode() if method == "POST" else None
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            found = json.load(error)["value"]
            raise DriverError(f"{found['error']}: {found['message'].splitlines()[0]}") from None

    def do(self, command, body=None, method="POST"):
        return self.request(method, f"/session/{self.session}/{command}", body)

    def cdp(self, command, **given):
        return self.do("goog/cdp/execute", {"cmd": command, "params": given})

    def size(self, width, height):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def media(self, **features):
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": name.replace("_", "-"), "value": value} for name, value in features.items()])

    def open(self, url):
        # From another document, so that a new fragment is a new page too.
        self.do("url", {"url": "about:blank"})
        self.do("url", {"url": url})

    def run(self, script, *args):
        """The value of the function body `script`, which may await."""
        return self.do("execute/async", {"script": "const done = arguments[arguments.length - 1]; const given = [...arguments].slice(0, -1);"
                                         "(async function() {" + script + "}).apply(null, given).then(v => done({v}), e => done({e: String(e) + e.stack}));",
                                         "args": list(args)})

    def js(self, script, *args):
        found = self.run(script, *args)
        if "e" in found:
            raise DriverError(found["e"])
        return found.get("v")

    def value(self, expression, *args):
        return self.js(f"return {expression}", *args)

    def wait(self, expression, seconds=weir_kit.PATIENCE):
        """The first true value of the expression."""
        seen = "[location.hash, document.getElementById('says')?.textContent, document.querySelector('main')?.innerText.slice(0, 300)].join(' | ')"
        return weir_kit.wait_for(lambda: self.value(expression), lambda: f"{expression}; the page: {self.value(seen)}", seconds)

    def find(self, selector):
        return self.do("element", {"using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        self.do(f"element/{self.find(selector)}/click")

    def type(self, text):
        """Into what has the focus: a key of KEYS alone, "Shift+Right", or text."""
        parts = text.split("+") if "+" in text and len(text) > 1 else [text]
        keys = [KEYS.get(part, part) for part in parts]
        if len(keys) == 1 and parts[0] not in KEYS:
            actions = [{"type": kind, "value": one} for one in text for kind in ("keyDown", "keyUp")]
        else:
            actions = [{"type": "keyDown", "value": key} for key in keys] + [{"type": "keyUp", "value": key} for key in reversed(keys)]
        self.do("actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def drag(self, selector, start, end, release=True):
        """The pointer over the element, from one share of its width to another."""
        box = self.js("const b = document.querySelector(given[0]).getBoundingClientRect(); return [b.left, b.top, b.width, b.height]", selector)
        at = lambda share: {"type": "pointerMove", "x": int(box[0] + share * box[2]), "y": int(box[1] + box[3] / 2), "duration": 0}
        steps = [at(start), {"type": "pointerDown", "button": 0}, at((start + end) / 2), at(end)] + ([{"type": "pointerUp", "button": 0}] if release else [])
        self.do("actions", {"actions": [{"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": steps}]})

    def release(self):
        self.do("actions", method="DELETE")

    def wheel(self, selector, pixels):
        box = self.js("const b = document.querySelector(given[0]).getBoundingClientRect(); return [b.left + b.width / 2, b.top + b.height / 2]", selector)
        self.do("actions", {"actions": [{"type": "wheel", "id": "wheel", "actions": [
            {"type": "scroll", "x": int(box[0]), "y": int(box[1]), "deltaX": 0, "deltaY": pixels, "duration": 0, "origin": "viewport"}]}]})

    def back(self):
        self.do("back")

    def errors(self):
        """What the page complained of in the console since the last call."""
        return [entry["message"] for entry in self.do("se/log", {"type": "browser"}) if entry["level"] in ("SEVERE", "WARNING")]

    def screenshot(self, path):
        pathlib.Path(path).write_bytes(base64.b64decode(self.do("screenshot", method="GET")))
