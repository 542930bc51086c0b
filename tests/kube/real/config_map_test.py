"""Rules in a ConfigMap: filter follows it with the rights of a node alone, `weir rules` edits it, and outages change nothing."""
import json
import os
import shlex
import statistics
import subprocess
import threading
import time
import unittest

import kube_kit
import weir_kit as kit

FILTERS = int(os.environ.get("WEIR_KUBE_FILTERS", "200"))
kube = None


def setUpModule():
    global kube
    kube = kube_kit.Kube(audit=True)
    unittest.addModuleCleanup(kube.stop)


class Filter:
    """A `weir filter` whose input stays open, and what comes out of it."""

    def __init__(self, case, *arguments, options=None):
        self.errors = case.dir / f"filter-{os.urandom(4).hex()}.err"
        with open(self.errors, "wb") as errors:
            self.process = case.start(kit.WEIR, "filter", *arguments, *(kube.options("node") if options is None else options), stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=errors, env=kit.environment())
        self.lines = set()
        threading.Thread(target=self.read, args=(self.process.stdout,), daemon=True).start()

    def read(self, out):
        try:
            for text in out:
                self.lines.add(json.loads(text)["line"])
        except ValueError:
            pass  # closed

    def send(self, line):
        self.process.stdin.write(json.dumps({"timestamp": "2026-11-30T00:00:00Z", "line": line, "labels": {"app": "x"}}).encode() + b"\n")
        self.process.stdin.flush()

    def passes(self, word):
        """Whether a line with this word passes now. What is sent behind it always does."""
        probe = f"{word} {os.urandom(4).hex()}"
        self.send(probe)
        self.send("pass " + probe)
        kit.wait_for(lambda: "pass " + probe in self.lines or self.process.poll() is not None, lambda: f"nothing comes out: {self.said()}")
        return probe in self.lines

    def drops(self, word):
        return not self.passes(word)

    def said(self):
        return self.errors.read_text(errors="replace")

    def wait_until(self, condition, what):
        return kit.wait_for(condition, lambda: f"{what}: {self.said()}")


class ConfigMapCase(kit.Case):
    """A namespace of its own, in which `node` may follow the ConfigMaps rules and emergency, and `editor` may edit them."""

    def setUp(self):
        super().setUp()
        self.namespace = f"n-{os.urandom(4).hex()}"
        kube.allow("node", self.namespace, ["get", "list", "watch"], ["configmaps"], names=["rules", "emergency"])
        kube.allow("editor", self.namespace, ["get", "patch", "create"], ["configmaps"])
        self.rules = f"configmap:{self.namespace}/rules"
        self.emergency = f"configmap:{self.namespace}/emergency"

    def put(self, text, name="rules"):
        kube.config_map(self.namespace, name, {"rules": text})

    def text(self, name="rules"):
        return kube.get_config_map(self.namespace, name)["data"]["rules"]

    def weir_rules(self, *arguments, user="editor", expect=0, url=None):
        """Standard output and standard error."""
        done = subprocess.run([kit.WEIR, "rules", *arguments, *kube.options(user, url)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=kit.environment(USER="ada"), text=True, check=False)
        self.assertEqual(done.returncode, expect, done.stderr)
        return done.stdout, done.stderr


class FollowTest(ConfigMapCase):
    def test_an_update_takes_effect_within_two_seconds(self):
        self.put("# none\n")
        one = Filter(self, "--rules", self.rules)
        self.assertTrue(one.passes("word"))
        took = []
        for round_ in range(5):
            for text, holds in (('drop |= "word" != "pass"\n', one.drops), ("# none\n", one.passes)):
                self.put(f"# {round_}\n{text}")
                begin = time.monotonic()
                one.wait_until(lambda: holds("word"), "the update takes no effect")
                took.append(time.monotonic() - begin)
        self.assertLess(statistics.median(took), 2, took)
        print(f"an update took effect after {statistics.median(took):.3f} s, {max(took):.3f} s at most")

    def test_what_does_not_exist_is_empty_and_may_come_and_go(self):
        one = Filter(self, "--rules", self.emergency, "--rules", self.rules)
        self.assertTrue(one.passes("word"))
        self.assertIn(f"the ConfigMap '{self.namespace}/emergency' does not exist, so it has no rules", one.said())
        self.put('drop |= "word" != "pass"\n')
        one.wait_until(lambda: one.drops("word"), "the new ConfigMap is not seen")
        self.put('keep |= "word"\n', "emergency")
        one.wait_until(lambda: one.passes("word"), "the emergency rules are not first")
        kube.delete_config_map(self.namespace, "emergency")
        one.wait_until(lambda: one.drops("word"), "the deletion is not seen")
        kube.delete_config_map(self.namespace, "rules")
        one.wait_until(lambda: one.passes("word"), "the deletion is not seen")
        self.put('drop |= "word" != "pass"\n')
        one.wait_until(lambda: one.drops("word"), "the ConfigMap that came again is not seen")

    def test_a_mistake_keeps_the_rules(self):
        self.put('drop |= "word" != "pass"\n')
        one = Filter(self, "--rules", self.rules)
        self.assertTrue(one.drops("word"))
        self.put('dorp |= "word"\n')
        one.wait_until(lambda: "the rules from before stay in use" in one.said(), "the mistake is not reported")
        self.assertIn(f"{self.rules}:1:1", one.said())
        self.assertTrue(one.drops("word"))
        kube.config_map(self.namespace, "rules", {"a": "", "b": ""})
        one.wait_until(lambda: "it has 2 keys" in one.said(), "the keys are not reported")
        self.assertTrue(one.drops("word"))
        kube.config_map(self.namespace, "rules", {"a": 'drop |= "other" != "pass"\n'})
        one.wait_until(lambda: one.passes("word") and one.drops("other"), "the only key is not taken")

    def test_outages_of_the_api_server_change_nothing_but_time(self):
        self.put('drop |= "first" != "pass"\n')
        one = Filter(self, "--rules", self.rules)
        self.assertTrue(one.drops("first"))
        kube.hang()
        self.addCleanup(kube.go_on)
        self.assertTrue(one.drops("first"))
        kube.go_on()
        self.put('drop |= "second" != "pass"\n')
        one.wait_until(lambda: one.drops("second"), "an update after the server hung")
        kube.kill()
        self.assertTrue(one.drops("second"))
        kube.start()
        self.put('drop |= "third" != "pass"\n')
        one.wait_until(lambda: one.drops("third"), "an update after the server died")
        kube.forget_history()
        self.put('drop |= "fourth" != "pass"\n')
        one.wait_until(lambda: one.drops("fourth"), "an update after the server forgot its history")


class StartTest(ConfigMapCase):
    def run_chain_of(self, logs, spool):
        return self.chain([f"tail -f {logs}", f"filter --rules {self.rules} {shlex.join(kube.options('node'))}", f"buffer --store {spool}"], True)

    def stored(self, spool):
        return [json.loads(text)["line"] for text in kit.weir("replay", spool, expect=None).splitlines()]

    def test_without_the_api_server_the_rules_that_ran_last_are_used(self):
        logs, spool = self.dir / "x.log", self.dir / "spool.db"
        logs.write_text("")
        self.put('drop |= "noise"\n')

        def write(*lines):
            with open(logs, "a", encoding="utf-8") as out:
                out.writelines(line + "\n" for line in lines)

        def arrives(chain, line):
            kit.wait_for(lambda: spool.exists() and line in self.stored(spool), lambda: f"{line} is not stored: {chain.errors()}")

        chain = self.run_chain_of(logs, spool)
        kit.wait_for(lambda: list(self.dir.glob("spool.db-rules-*")), chain.errors)
        write("noise 1", "line 1")
        arrives(chain, "line 1")
        chain.stop()
        for fault, mend in ((kube.hang, kube.go_on), (kube.kill, kube.start)):
            number = fault.__name__
            self.put('drop |= "noise"\n')
            fault()
            try:
                chain = self.run_chain_of(logs, spool)
                write(f"noise {number}", f"line {number}")
                arrives(chain, f"line {number}")
                self.assertIn(f"the rules of '{self.rules}' that ran last are used until it does", chain.errors())
            finally:
                mend()
            self.put('drop |= "racket"\n')
            kit.wait_for(lambda: "the rules were read again" in chain.errors(), chain.errors)
            kit.wait_for(lambda: "racket" in self.kept(), self.kept)
            write(f"racket {number}", f"noise again {number}", f"line again {number}")
            arrives(chain, f"line again {number}")
            self.put('drop |= "noise"\n')
            kit.wait_for(lambda: "noise" in self.kept(), self.kept)
            chain.stop()
        self.assertEqual(self.stored(spool), ["line 1", *(f"{text} {name}" for name in ("hang", "kill") for text in ("line", "noise again", "line again"))])

    def kept(self):
        return "".join(path.read_text() for path in self.dir.glob("spool.db-rules-*"))

    def test_check_asks_nobody_and_says_so(self):
        """A pipeline is to be checkable where there is no API server, in CI."""
        self.put("dorp\n")
        for user in ("node", "nobody"):
            done = subprocess.run([kit.WEIR, "run", "--check", "-c", f"tail {self.dir} | filter --rules {self.rules} {shlex.join(kube.options(user))}"],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=kit.environment(), check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(done.stderr, f"weir run: filter: the rules of '{self.rules}' are read when the pipeline starts; "
                                          f"`weir rules check {self.rules}` checks them before\n")
        self.assertFalse([one for one in kube.audited(path=f"/api/v1/namespaces/{self.namespace}") if one.user != "admin"])
        # What it names does ask.
        _, errors = self.weir_rules("check", self.rules, expect=2)
        self.assertIn(f"{self.rules}:1:1: unknown action", errors)

    def test_pipe_and_fused_agree(self):
        tree = self.dir / "pods"
        self.podgen("--pods", "3", "--lines", "500", "--seed", "5", out=tree)
        self.put('drop |= "GET"\nsample 50%\n')
        stages = [f"tail {tree}", f"filter --rules {self.rules} {shlex.join(kube.options('node'))}"]
        pipe, fused = (self.run_chain(stages, fused=fused) for fused in (False, True))
        self.assertTrue(pipe)
        self.assert_same(pipe, fused)

    def test_without_rights_it_says_what_to_ask_for_and_that_is_enough(self):
        self.put('drop |= "word" != "pass"\n')
        user = kube_kit.USERS[-1]
        refused = subprocess.run([kit.WEIR, "filter", "--rules", self.rules, *kube.options(user)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE, text=True, env=kit.environment(), check=False)
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertIn(f'configmaps "rules" is forbidden: User "{user}" cannot get resource "configmaps"', refused.stderr)
        commands = [line[line.index("kubectl ") + 8:] for line in refused.stderr.splitlines() if "kubectl create" in line]
        self.assertEqual(len(commands), 2, refused.stderr)
        for command in commands:
            kube.kubectl(*shlex.split(command))
        kit.wait_for(lambda: kube.request("GET", f"/api/v1/namespaces/{self.namespace}/configmaps/rules", user=user)[0] == 200, "no right yet")
        self.assertTrue(Filter(self, "--rules", self.rules, options=kube.options(user)).drops("word"))


class EditTest(ConfigMapCase):
    def test_add_list_remove(self):
        kube.config_map(self.namespace, "rules", {"rules": "# Ours.\n\ndrop |= \"a\"\n", "other": "x"})
        out, _ = self.weir_rules("add", self.rules, 'keep for 30m {app="x"}')
        self.assertIn(f"added to '{self.rules}', line 4", out)
        self.assertRegex(self.text(), r'^# Ours\.\n\n# added [0-9T:-]+Z by ada\nkeep for 30m from [0-9T:-]+Z \{app="x"\}\ndrop \|= "a"\n$')
        self.assertEqual(kube.get_config_map(self.namespace, "rules")["data"]["other"], "x")
        self.assertIn("already there", self.weir_rules("add", self.rules, 'drop |= "a"')[0])
        self.assertEqual(len(self.weir_rules("list", self.rules, user="node")[0].splitlines()), 2)
        self.assertIn("2 rules: ok", self.weir_rules("check", self.rules, user="node")[0])
        out, err = self.weir_rules("list", self.emergency, user="node")
        self.assertEqual((out, err), ("no rules\n", f"weir rules: the ConfigMap '{self.namespace}/emergency' does not exist, so it has no rules\n"))
        self.weir_rules("remove", self.rules, 'drop |= "a"')
        self.assertNotIn('drop |= "a"', self.text())
        self.weir_rules("add", self.rules + "/new", 'drop |= "n"')
        self.assertIn('drop |= "n"', kube.get_config_map(self.namespace, "rules")["data"]["new"])

    def test_add_makes_the_config_map_and_says_so(self):
        one = Filter(self, "--rules", self.emergency)
        self.assertTrue(one.passes("word"))
        out, _ = self.weir_rules("add", self.emergency, 'drop |= "word" != "pass"')
        self.assertIn("this ConfigMap did not exist before", out)
        one.wait_until(lambda: one.drops("word"), "the new rule takes no effect")
        _, err = self.weir_rules("remove", f"configmap:{self.namespace}/none", "name", expect=2)
        self.assertIsNone(kube.get_config_map(self.namespace, "none"), err)
        _, err = self.weir_rules("add", "configmap:no-such-namespace/rules", "drop |= `x`", user="admin", expect=4)
        self.assertIn('namespaces "no-such-namespace" not found', err)

    def test_through_kubectl_proxy(self):
        self.put("# none\n")
        one = Filter(self, "--rules", self.rules)
        proxy = kube.kubectl_proxy("editor")
        done = kit.weir("rules", "add", self.rules, 'drop |= "word" != "pass"', "--kube-server", proxy)
        self.assertIn(b"added to", done)
        one.wait_until(lambda: one.drops("word"), "the rule takes no effect")
        self.assertIn(b"drop", kit.weir("rules", "list", self.rules, "--kube-server", proxy))

    def test_who_was_overtaken_begins_anew(self):
        self.put("# none\n")
        wire = kube_kit.Wire(kube.url)
        self.addCleanup(wire.close)
        wire.set("delay", 0.3)
        path = f"/api/v1/namespaces/{self.namespace}/configmaps"
        editor = threading.Thread(target=self.weir_rules, args=("add", self.rules, 'drop |= "late"'), kwargs={"url": wire.url})
        editor.start()
        kit.wait_for(lambda: kube.audited("editor", "get", path), "the editor does not read")
        self.put('drop |= "early"\n')  # the answer to the editor is on its way
        editor.join()
        self.assertIn('drop |= "late"', self.text())
        self.assertIn('drop |= "early"', self.text())
        self.assertEqual([one.code for one in kube.audited("editor", "patch", path)], [409, 200])

    def test_editors_at_once_all_take_effect(self):
        def edit(editor):
            for i in range(4):
                self.weir_rules("add", self.rules, f'drop |= "word-{editor}-{i}"')
        threads = [threading.Thread(target=edit, args=(editor,)) for editor in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        text = self.text()
        for editor in range(3):
            for i in range(4):
                self.assertEqual(text.count(f'drop |= "word-{editor}-{i}"'), 1)

    def test_without_rights(self):
        self.put("# none\n")
        _, err = self.weir_rules("list", self.rules, user="nobody", expect=2)
        self.assertIn("--verb=get --resource-name=rules", err)
        _, err = self.weir_rules("add", self.rules, "drop |= `x`", user="node", expect=2)
        self.assertIn('User "node" cannot patch resource "configmaps"', err)
        self.assertIn("--verb=get,patch --resource-name=rules", err)
        bad = self.dir / "token"
        bad.write_text("wrong")
        done = subprocess.run([kit.WEIR, "rules", "list", self.rules, "--kube-server", kube.url, "--kube-ca", str(kube.ca), "--kube-token-file", str(bad)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=kit.environment(), check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("does not accept the token", done.stderr)


class ManyTest(ConfigMapCase):
    def test_of_many_that_follow_none_writes(self):
        self.put("# none\n")
        before = len(kube.audited("node"))
        filters = [Filter(self, "--rules", self.rules) for _ in range(FILTERS)]
        path = f"/api/v1/namespaces/{self.namespace}/configmaps"
        kit.wait_for(lambda: sum(one.stage == "ResponseStarted" for one in kube.audited("node", "watch", path)) >= FILTERS, "not all of them watch", 300)
        begin = time.monotonic()
        self.put('drop |= "word" != "pass"\n')
        version = kube.get_config_map(self.namespace, "rules")["metadata"]["resourceVersion"]
        kit.wait_for(lambda: all("the rules were read again: 1 rule" in one.said() for one in filters), "not all of them have the update", 300)
        took = time.monotonic() - begin
        self.assertTrue(all(one.drops("word") for one in (filters[0], filters[-1])))
        for one in filters:
            one.process.stdin.close()
        for one in filters:
            self.assertEqual(one.process.wait(kit.PATIENCE), 0)
        found = kube.audited("node")[before:]
        self.assertEqual({one.verb for one in found} - {"get", "list", "watch"}, set())
        self.assertEqual(kube.get_config_map(self.namespace, "rules")["metadata"]["resourceVersion"], version)
        lists = sum(one.verb == "list" for one in found)
        print(f"{FILTERS} filters: {lists} lists, {sum(one.verb == 'watch' for one in found)} watches; all had the update after {took:.2f} s")
        self.assertLessEqual(lists, 2 * FILTERS)


if __name__ == "__main__":
    unittest.main(verbosity=2)
