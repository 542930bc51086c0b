"""The kit of these tests does what it says: a real API server with users, rights, watches, outages and a wire that can be cut."""
import http.client
import json
import ssl
import threading
import time
import unittest

import kube_kit
import weir_kit as kit

kube = None


def setUpModule():
    global kube
    kube = kube_kit.Kube(audit=True)
    unittest.addModuleCleanup(kube.stop)


class Watch:
    """Events of a watch, read by a thread of its own until the server ends it."""

    def __init__(self, path, user="admin", version=None, port=None):
        self.events, self.status, self.ended = [], None, threading.Event()
        self.connection = http.client.HTTPSConnection("127.0.0.1", port or kube.port, timeout=60, context=ssl.create_default_context(cafile=str(kube.ca)))
        self.connection.request("GET", f"{path}{'&' if '?' in path else '?'}watch=1" + (f"&resourceVersion={version}" if version else ""),
                                headers={"Authorization": f"Bearer {kube.token(user)}"})
        self.answer = self.connection.getresponse()
        self.status = self.answer.status
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            for line in self.answer:
                self.events.append(json.loads(line))
        except (OSError, http.client.HTTPException, ValueError):
            pass
        self.ended.set()

    def seen(self):
        return [(event["type"], event["object"].get("metadata", {}).get("name")) for event in self.events]


class KitTest(unittest.TestCase):
    def test_pods_of_a_node(self):
        kube.pod("shop", "web-1", node="node-7", labels={"app": "web"}, owner=("ReplicaSet", "web-abc"))
        kube.pod("shop", "web-2", node="node-8")
        path = "/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-7"
        items = kube.ask("GET", path)["items"]
        self.assertEqual([(p["metadata"]["name"], p["metadata"]["labels"], p["metadata"]["ownerReferences"][0]["name"]) for p in items],
                         [("web-1", {"app": "web"}, "web-abc")])
        watch = Watch(path)
        kube.patch_pod("shop", "web-1", labels={"tier": "front"}, annotations={"a": "b"})
        kit.wait_for(lambda: ("MODIFIED", "web-1") in watch.seen(), watch.seen)
        kube.delete_pod("shop", "web-1")
        kit.wait_for(lambda: ("DELETED", "web-1") in watch.seen(), watch.seen)
        self.assertEqual(watch.events[-1]["object"]["metadata"]["labels"], {"app": "web", "tier": "front"})

    def test_config_maps(self):
        self.assertIsNone(kube.get_config_map("shop", "rules"))
        kube.config_map("shop", "rules", {"a": "1"})
        kube.config_map("shop", "rules", {"b": "2"})
        kube.patch_config_map("shop", "rules", {"c": "3"})
        self.assertEqual(kube.get_config_map("shop", "rules")["data"], {"b": "2", "c": "3"})
        kube.delete_config_map("shop", "rules")
        self.assertIsNone(kube.get_config_map("shop", "rules"))

    def test_rights(self):
        path = "/api/v1/namespaces/rights/configmaps"
        kube.namespace("rights")
        self.assertEqual(kube.request("GET", path, user="nobody")[0], 403)
        kube.allow("nobody", "rights", ["get", "list", "watch"], ["configmaps"], names=["mine"])
        self.assertEqual(kube.request("GET", path, user="nobody")[0], 403)
        self.assertEqual(kube.request("GET", path + "?fieldSelector=metadata.name%3Dmine", user="nobody")[0], 200)
        kube.forbid("nobody", "rights")
        self.assertEqual(kube.request("GET", path + "/mine", user="nobody")[0], 403)
        self.assertEqual(kube.request("GET", path, token="wrong")[0], 401)

    def test_service_accounts(self):
        token = kube.service_account_token("rights", "robot")
        path = "/api/v1/namespaces/rights/configmaps"
        self.assertEqual(kube.request("GET", path, token=token)[0], 403)
        kube.allow("system:serviceaccount:rights:robot", "rights", ["list"], ["configmaps"])
        self.assertEqual(kube.request("GET", path, token=token)[0], 200)
        kube.delete_service_account("rights", "robot")
        kit.wait_for(lambda: kube.request("GET", path, token=token)[0] == 401, "the token outlives its account")

    def test_audit_log(self):
        kube.allow("editor", "audited", ["get"], ["configmaps"])
        kube.request("GET", "/api/v1/namespaces/audited/configmaps/x", user="editor")
        found = kit.wait_for(lambda: kube.audited("editor", path="/api/v1/namespaces/audited"), "no request is in the audit log")
        self.assertEqual([(one.verb, one.code) for one in found], [("get", 404)])

    def test_wire(self):
        wire = kube_kit.Wire(kube.url)
        self.addCleanup(wire.close)
        watch = Watch("/api/v1/namespaces/wired/pods", port=wire.port)
        kube.pod("wired", "a")
        kit.wait_for(lambda: watch.seen() == [("ADDED", "a")], watch.seen)
        wire.set("silent")
        kube.pod("wired", "b")
        self.assertFalse(watch.ended.wait(0.5))
        self.assertEqual(watch.seen(), [("ADDED", "a")])
        wire.set("up")
        kit.wait_for(lambda: watch.seen() == [("ADDED", "a"), ("ADDED", "b")], watch.seen)
        wire.set("cut")
        self.assertTrue(watch.ended.wait(kit.PATIENCE))
        with self.assertRaises(OSError):
            Watch("/api/v1/namespaces/wired/pods", port=wire.port)
        wire.set("delay", 0.2)
        before = time.monotonic()
        again = Watch("/api/v1/namespaces/wired/pods", port=wire.port)
        kit.wait_for(lambda: len(again.events) == 2, again.seen)
        self.assertGreater(time.monotonic() - before, 0.4)
        self.assertEqual(wire.connections, 2)

    def test_kubectl(self):
        self.assertEqual(kube.kubectl("get", "namespace", "default", "-o", "name").strip(), "namespace/default")
        self.assertEqual(kit.get(kube.kubectl_proxy() + "/api/v1/namespaces/default")[0], 200)


class OutageTest(unittest.TestCase):
    def test_it_hangs_dies_and_forgets(self):
        kube.config_map("outage", "one", {"k": "1"})
        version = kube.get_config_map("outage", "one")["metadata"]["resourceVersion"]
        path = "/api/v1/namespaces/outage/configmaps"
        watch = Watch(path, version=version)
        kube.hang()
        with self.assertRaises(OSError):
            kube.request("GET", path, timeout=1)
        kube.go_on()
        kube.patch_config_map("outage", "one", {"k": "2"})
        kit.wait_for(lambda: watch.seen() == [("MODIFIED", "one")], watch.seen)
        kube.kill()
        self.assertTrue(watch.ended.wait(kit.PATIENCE))
        with self.assertRaises(OSError):
            kube.request("GET", path, timeout=1)
        kube.start()
        self.assertEqual(kube.get_config_map("outage", "one")["data"], {"k": "2"})
        kube.forget_history()
        late = Watch(path, version=version)
        kit.wait_for(lambda: late.status == 410 or any(e["type"] == "ERROR" and e["object"]["code"] == 410 for e in late.events), late.seen)


if __name__ == "__main__":
    unittest.main(verbosity=2)
