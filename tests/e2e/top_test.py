#!/usr/bin/env python3
"""weir top: which pods log most, of log files and of a spool, with what rules would drop, for programs and on a terminal."""
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest

import weir_kit as kit


class Top(kit.Case):
    def setUp(self):
        super().setUp()
        self.pods = self.dir / "pods"
        self.pods.mkdir()
        self.stopped = threading.Event()
        self.addCleanup(self.stopped.set)

    def write(self, pod, text, count=1, namespace="shop"):
        log = self.pods / f"{namespace}_{pod}_uid" / "app" / "0.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        now = time.time_ns()
        stamp = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now // 10**9))}.{now % 10**9:09d}Z"
        with open(log, "ab") as out:
            out.write(f"{stamp} stdout F {text}\n".encode() * count)

    def write_on(self):
        """Writes until the test ends: `noisy` five times as much as `web`, and `dns` of another namespace a little."""
        def run():
            while not self.stopped.wait(0.05):
                self.write("noisy", "level=debug 12345678", 5)
                self.write("web", "level=info 123456789")
                self.write("dns", "x", namespace="kube-system")
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.stopped.set)

    def top(self, *args):
        return kit.weir("top", *args).decode()

    def test_once_for_people_and_for_programs(self):
        self.write("noisy", "from before the start", 1000)
        self.write_on()
        text = self.top("-n", "1", "--interval", "1s", self.pods)
        self.assertRegex(text, r"^3 logs: \d+ records a second, .* a second, over 1\.\d s\n\n +RECORDS/s +BYTES/s +SHARE NAMESPACE\n.* shop\n.* kube-system\n\n")
        self.assertEqual(re.findall(r"(\S+)\n", text.split("LOG\n")[1]), ["shop/noisy/app", "shop/web/app", "kube-system/dns/app"])
        self.assertNotIn("\x1b", text)
        lines = self.top("-n", "2", "--interval", "500ms", "-o", "json", self.pods).splitlines()
        self.assertEqual(len(lines), 2)
        for line in lines:
            report = json.loads(line)
            logs = {log["log"]: log for log in report["logs"]}
            self.assertEqual(set(logs), {"shop/noisy/app", "shop/web/app", "kube-system/dns/app"})
            self.assertEqual(sum(log["records"] for log in logs.values()), report["records"])
            self.assertEqual(sum(one["bytes"] for one in report["namespaces"]), report["bytes"])
            self.assertEqual(logs["shop/noisy/app"]["bytes"], 20 * logs["shop/noisy/app"]["records"])
            self.assertLess(logs["shop/noisy/app"]["records"], 900, "what was there before is not counted")
            self.assertNotIn("dropped_records", report)
        self.assertIn("shop/web/app", self.top("-n", "1", "--interval", "1s", "--pod", "web", self.pods))

    def test_with_rules_that_drop_nothing(self):
        self.write_on()
        rules = self.dir / "rules"
        rules.write_text('drop | detected_level="debug"\n')
        report = json.loads(self.top("-n", "1", "--interval", "1s", "-o", "json", "--rules", rules, self.pods))
        logs = {log["log"]: log for log in report["logs"]}
        self.assertEqual(logs["shop/noisy/app"]["dropped_records"], logs["shop/noisy/app"]["records"])
        self.assertEqual(logs["shop/web/app"]["dropped_records"], 0)
        self.assertEqual(report["dropped_bytes"], logs["shop/noisy/app"]["bytes"])
        self.assertIn(" 100% shop/noisy/app\n", self.top("-n", "1", "--interval", "1s", "--rules", rules, self.pods))

    def test_of_a_spool_that_a_chain_writes(self):
        self.write_on()
        spool = self.dir / "spool.db"
        chain = self.chain([f"tail -f {self.pods}", f"buffer {spool} --store --min-free 0"], True)
        kit.wait_for(lambda: spool.exists() and self.ask(spool) and len(self.ask(spool)["logs"]) == 3, chain.errors)
        report = self.ask(spool)
        self.assertEqual(report["logs"][0]["log"], "shop/noisy/app")
        self.assertEqual(report["namespaces"][0]["namespace"], "shop")
        chain.stop()

    def ask(self, spool):
        text = kit.weir("top", "--spool", spool, "-n", "1", "-o", "json", expect=(0, 4))
        return json.loads(text) if text else None

    def test_it_ends_when_asked(self):
        self.write_on()
        watch = self.start(kit.WEIR, "top", "--interval", "100ms", self.pods, stdout=subprocess.PIPE, env=kit.environment())
        watch.stdout.readline()
        watch.send_signal(signal.SIGINT)
        self.assertEqual(watch.wait(), 130)
        watch = self.start(kit.WEIR, "top", "--interval", "100ms", self.pods, stdout=subprocess.PIPE, env=kit.environment())
        watch.stdout.readline()
        watch.stdout.close()
        self.assertEqual(watch.wait(timeout=kit.PATIENCE), 0)

    @unittest.skipUnless(shutil.which("tmux"), "tmux is not installed")
    def test_on_a_terminal(self):
        self.write_on()
        tmux = ["tmux", "-S", str(self.dir / "tmux")]
        self.addCleanup(subprocess.run, [*tmux, "kill-server"], check=False, capture_output=True)
        subprocess.run([*tmux, "-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "20",
                        f"{kit.WEIR} top --interval 300ms {self.pods}; echo ended $?; stty -a | tr ';' '\\n'; echo settings end; read x"], check=True, env=kit.environment(LC_ALL="C.UTF-8"))
        screen = lambda: subprocess.run([*tmux, "capture-pane", "-p"], capture_output=True, check=False, text=True).stdout
        kit.wait_for(lambda: "shop/noisy/app" in screen() and "shop/web/app" in screen(), screen)

        def with_another():
            self.write("second", "x" * 5000, 20)
            return "shop/second/app" in (shown := screen()) and "shop/noisy/app" in shown and shown
        first = kit.wait_for(with_another, screen)
        self.assertEqual(len(re.findall(r"^\d+ logs: ", first, re.M)), 1, first)
        self.assertLess(first.index("shop/second/app"), first.index("shop/noisy/app"), first)
        kit.wait_for(lambda: "shop/second/app" not in screen(), screen)
        # A smaller window: nothing wraps or scrolls.
        subprocess.run([*tmux, "resize-window", "-x", "60", "-y", "10"], check=True)
        kit.wait_for(lambda: re.match(r"3 logs: .*\n\n +RECORDS/s", screen()), screen)
        self.assertLessEqual(max(map(len, screen().splitlines())), 60)
        subprocess.run([*tmux, "resize-window", "-x", "100", "-y", "60"], check=True)
        subprocess.run([*tmux, "send-keys", "q"], check=True)
        ended = kit.wait_for(lambda: "ended 0" in (shown := screen()) and re.search("(?m)^settings end$", shown) and shown, screen)
        # The terminal is as it was.
        self.assertRegex(ended, r"(?m)^ ?isig icanon .* echo ")


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
