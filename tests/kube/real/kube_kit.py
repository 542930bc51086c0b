"""A real Kubernetes API server for a test: etcd and kube-apiserver alone on loopback, no cluster.

Pods that name their node stay Pending, but they list, watch, change and vanish as in a cluster; tokens and RBAC are checked. The
programs come from the environment (tests/run.sh --kube builds them): KUBE_APISERVER_BIN and ETCD_BIN; KUBECTL_BIN for kubectl().
Without the first two a test that asks for a server is skipped (exit 77, which ctest shows as skipped).

  kube = Kube()                                     # ready when this returns
  kube.namespace("shop")
  kube.pod("shop", "web-1", node="node-1", labels={"app": "web"})
  kube.allow("node", "shop", ["get", "list", "watch"], ["configmaps"], names=["weir-rules"])
  weir(…, *kube.options("node"))                    # --kube-server … --kube-token-file … --kube-ca …
  kube.hang(); kube.go_on(); kube.kill(); kube.start(); kube.forget_history()
  kube.stop()
"""
import base64
import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import weir_kit as kit

USERS = ("node", "editor", "nobody")  # besides "admin"; without rights until allow() gives some
MERGE = "application/merge-patch+json"
AUDIT_POLICY = """apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
"""


class Refused(AssertionError):
    """The API server answered with an error."""

    def __init__(self, what, status, text):
        super().__init__(f"{what}: {status} {text[:500]}")
        self.status = status


@dataclasses.dataclass
class Audited:
    """One request, as the audit log of the API server has it. `stage`: ResponseStarted (a watch) or ResponseComplete."""
    user: str
    verb: str
    uri: str
    code: int
    stage: str
    at: str
    agent: str


def free_ports(count):
    held = [socket.socket() for _ in range(count)]
    for s in held:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


def binary(variable, what):
    path = os.environ.get(variable)
    if not path:
        print(f"SKIPPED: no {what} to test against (tests/run.sh --kube builds one; {variable} names one)", file=sys.stderr)
        sys.exit(77)
    return path


class Kube:
    """`url` and `ca` of a ready API server. `users`: more than USERS, each with a token of its own. `audit`: requests are logged, for
    audited(). `flags`: more arguments of kube-apiserver. Thread safe, but for start and stop."""

    def __init__(self, users=(), audit=False, flags=()):
        apiserver, etcd = binary("KUBE_APISERVER_BIN", "kube-apiserver"), binary("ETCD_BIN", "etcd")
        self.names = ("admin", *USERS, *users)
        self.audit, self.flags = audit, tuple(flags)
        self.dir = self.etcd = self.server = None
        self.namespaces, self.children = set(), []
        for attempt in range(3):  # a port may be taken between choosing and listening
            if self.begin(apiserver, etcd):
                return
            text = self.log()
            self.stop()
        raise AssertionError(f"the API server did not become ready: {text[-3000:]}")

    def begin(self, apiserver, etcd):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="weir-kube-"))
        self.port, client, peer = free_ports(3)
        self.url, self.etcd_url = f"https://127.0.0.1:{self.port}", f"http://127.0.0.1:{client}"
        self.ca = self.dir / "certificates" / "apiserver.crt"
        subprocess.run(["openssl", "genrsa", "-out", str(self.dir / "key.pem"), "2048"], check=True, stderr=subprocess.DEVNULL)
        rows = [f'token-of-{name},{name},uid-{name},"{"system:masters" if name == "admin" else "weir-tests"}"' for name in self.names]
        (self.dir / "tokens.csv").write_text("\n".join(rows) + "\n")
        for name in self.names:
            (self.dir / f"token-{name}").write_text(f"token-of-{name}")
        (self.dir / "audit.yaml").write_text(AUDIT_POLICY)
        peer_url = f"http://127.0.0.1:{peer}"
        self.etcd = self.child("etcd", [etcd, f"--data-dir={self.dir}/etcd", f"--listen-client-urls={self.etcd_url}", f"--advertise-client-urls={self.etcd_url}",
                                        f"--listen-peer-urls={peer_url}", f"--initial-advertise-peer-urls={peer_url}", f"--initial-cluster=default={peer_url}",
                                        "--unsafe-no-fsync", "--log-level=error"])
        key = self.dir / "key.pem"
        self.command = [apiserver, f"--etcd-servers={self.etcd_url}", "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--secure-port={self.port}",
                        f"--cert-dir={self.dir}/certificates", f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
                        "--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range=10.0.0.0/24", "--authorization-mode=RBAC",
                        f"--token-auth-file={self.dir}/tokens.csv", "--disable-admission-plugins=ServiceAccount", "--profiling=false", *self.flags]
        if self.audit:
            self.command += [f"--audit-policy-file={self.dir}/audit.yaml", f"--audit-log-path={self.dir}/audit.log"]
        return self.start(expected=False)

    def child(self, name, command):
        with open(self.dir / f"{name}.log", "ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=self.dir, env=dict(os.environ, GOMAXPROCS="2"))

    def log(self):
        """What both servers wrote."""
        return "\n".join(f"[{name}] {path.read_text(errors='replace')[-2000:]}" for name in ("etcd", "apiserver") if (path := self.dir / f"{name}.log").exists())

    # ---- the life of the server ---------------------------------------------------------------------------------------

    def start(self, expected=True):
        """Starts the server on the same etcd and port, and waits until it is ready."""
        self.server = self.child("apiserver", self.command)
        deadline = time.monotonic() + max(120, kit.PATIENCE)
        while time.monotonic() < deadline and self.server.poll() is None and self.etcd.poll() is None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.ca.exists() and self.request("GET", "/readyz")[0] == 200:
                    return True
            time.sleep(0.1)
        if expected:
            raise AssertionError(f"the API server did not become ready again: {self.log()[-3000:]}")
        return False

    def hang(self):
        """It accepts connections and answers nobody, until go_on()."""
        self.server.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.server.send_signal(signal.SIGCONT)

    def kill(self):
        """It is gone, and connections are refused, until start()."""
        self.server.kill()
        self.server.wait()

    def restart(self):
        self.kill()
        self.start()

    def stop(self):
        for process in (*self.children, self.server, self.etcd):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        for process in self.children:
            process.stdout.close()
        self.children = []
        if self.dir:
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def compact(self):
        """etcd forgets all but the present state."""
        def ask(path, body):
            status, text = kit.get(self.etcd_url + path, {"Content-Type": "application/json"}, json.dumps(body).encode())
            assert status == 200, (path, status, text)
            return json.loads(text)
        revision = ask("/v3/kv/range", {"key": base64.b64encode(b"/").decode()})["header"]["revision"]
        ask("/v3/kv/compaction", {"revision": revision, "physical": True})

    def forget_history(self):
        """Who watched is cut off; a watch that goes on from before gets 410 Gone. (The server remembers the latest changes itself, so it
        also begins anew.)"""
        self.config_map("default", f"history-{time.monotonic_ns()}", {})  # so that "before" is over
        self.compact()
        self.restart()

    # ---- requests -----------------------------------------------------------------------------------------------------

    def token(self, user):
        return f"token-of-{user}"

    def token_file(self, user):
        return str(self.dir / f"token-{user}")

    def options(self, user, url=None):
        """Of weir, for this user."""
        return ["--kube-server", url or self.url, "--kube-token-file", self.token_file(user), "--kube-ca", str(self.ca)]

    def request(self, method, path, body=None, user="admin", token=None, kind="application/json", timeout=60):
        """Status and text. `body`: something for JSON."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=ssl.create_default_context(cafile=str(self.ca)))
        try:
            connection.request(method, path, body=None if body is None else json.dumps(body),
                               headers={"Authorization": f"Bearer {token or self.token(user)}", "Content-Type": kind, "Accept": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def ask(self, method, path, body=None, missing=False, **kwargs):
        """The object that the server answers; None of a 404 where `missing` allows it."""
        status, text = self.request(method, path, body, **kwargs)
        if status == 404 and missing:
            return None
        if status // 100 != 2:
            raise Refused(f"{method} {path}", status, text)
        return json.loads(text)

    # ---- objects ------------------------------------------------------------------------------------------------------

    def namespace(self, name):
        """There is this namespace."""
        if name in self.namespaces:
            return
        status, text = self.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        if status not in (201, 409):
            raise Refused(f"create namespace {name}", status, text)
        self.namespaces.add(name)

    @staticmethod
    def pod_manifest(namespace, name, node="node-1", labels=None, annotations=None, owner=None, containers=("app",)):
        """`owner`: ("ReplicaSet", "web-abc")."""
        metadata = {"namespace": namespace, "name": name, "labels": labels or {}, "annotations": annotations or {}}
        if owner:
            version = {"ReplicaSet": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "Deployment": "apps/v1", "Job": "batch/v1"}
            metadata["ownerReferences"] = [{"apiVersion": version.get(owner[0], "v1"), "kind": owner[0], "name": owner[1], "uid": f"uid-{owner[1]}", "controller": True}]
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata,
                "spec": {"nodeName": node, "containers": [{"name": c, "image": "none.invalid/none"} for c in containers]}}

    def pod(self, namespace, name, **kwargs):
        """Creates it; the object (["metadata"]["uid"] is in the path of its logs). Arguments of pod_manifest()."""
        self.namespace(namespace)
        return self.ask("POST", f"/api/v1/namespaces/{namespace}/pods", self.pod_manifest(namespace, name, **kwargs))

    def patch_pod(self, namespace, name, labels=None, annotations=None):
        """None as a value takes a label or annotation away."""
        metadata = {k: v for k, v in (("labels", labels), ("annotations", annotations)) if v}
        return self.ask("PATCH", f"/api/v1/namespaces/{namespace}/pods/{name}", {"metadata": metadata}, kind=MERGE)

    def delete_pod(self, namespace, name):
        """At once; there is no kubelet that would confirm it."""
        self.ask("DELETE", f"/api/v1/namespaces/{namespace}/pods/{name}", {"gracePeriodSeconds": 0})

    def get_config_map(self, namespace, name, user="admin"):
        """None where there is none."""
        return self.ask("GET", f"/api/v1/namespaces/{namespace}/configmaps/{name}", missing=True, user=user)

    def config_map(self, namespace, name, data, user="admin"):
        """There is this ConfigMap, with exactly these keys."""
        self.namespace(namespace)
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": namespace, "name": name}, "data": data}
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        if self.ask("PUT", f"{path}/{name}", body, missing=True, user=user) is None:
            self.ask("POST", path, body, user=user)

    def patch_config_map(self, namespace, name, data, user="admin"):
        """None as a value takes a key away."""
        return self.ask("PATCH", f"/api/v1/namespaces/{namespace}/configmaps/{name}", {"data": data}, kind=MERGE, user=user)

    def delete_config_map(self, namespace, name):
        self.ask("DELETE", f"/api/v1/namespaces/{namespace}/configmaps/{name}", missing=True)

    def service_account_token(self, namespace, name, seconds=600):
        """Of a service account, which is created; its user is system:serviceaccount:NAMESPACE:NAME. The server gives 600 s at least; the
        token ends at once when the account is deleted."""
        self.namespace(namespace)
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        status, text = self.request("POST", path, {"metadata": {"name": name}})
        if status not in (201, 409):
            raise Refused(f"create service account {name}", status, text)
        return self.ask("POST", f"{path}/{name}/token", {"spec": {"expirationSeconds": seconds}})["status"]["token"]

    def delete_service_account(self, namespace, name):
        self.ask("DELETE", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}", missing=True)

    # ---- rights -------------------------------------------------------------------------------------------------------

    RBAC = "/apis/rbac.authorization.k8s.io/v1"

    def allow(self, user, namespace, verbs, resources, names=(), groups=("",)):
        """Replaces what `user` may do in `namespace` (None: everywhere). A user with a colon is a service account's."""
        cluster = namespace is None
        name = f"{re.sub('[^a-z0-9-]', '-', user)}-{'everywhere' if cluster else 'here'}"
        where = self.RBAC if cluster else f"{self.RBAC}/namespaces/{namespace}"
        kind = "ClusterRole" if cluster else "Role"
        if not cluster:
            self.namespace(namespace)
        rule = {"apiGroups": list(groups), "resources": list(resources), "verbs": list(verbs)}
        if names:
            rule["resourceNames"] = list(names)
        plural = kind.lower() + "s"
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name}, "rules": [rule] if verbs else []}
        if self.ask("PUT", f"{where}/{plural}/{name}", role, missing=True) is None:
            self.ask("POST", f"{where}/{plural}", role)
        binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": f"{kind}Binding", "metadata": {"name": name},
                   "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
                   "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user}]}
        bindings = f"{where}/{kind.lower()}bindings"
        if self.ask("GET", f"{bindings}/{name}", missing=True) is None:
            self.ask("POST", bindings, binding)
        self.wait_for_rights(user, namespace, verbs, resources, names, groups)

    def forbid(self, user, namespace):
        """Takes away what allow() gave. Watches that are open stay open, as in a cluster."""
        self.allow(user, namespace, [], ["none"])

    def wait_for_rights(self, user, namespace, verbs, resources, names, groups):
        """The authorizer hears of roles by a watch of its own, so a moment later."""
        def holds():
            for verb in verbs or ["get"]:
                for resource in resources:
                    attributes = {"verb": verb, "resource": resource, "group": groups[0], **({"namespace": namespace} if namespace else {}),
                                  **({"name": names[0]} if names else {})}
                    if "/" in resource:
                        attributes["resource"], attributes["subresource"] = resource.split("/")
                    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {"user": user, "resourceAttributes": attributes}}
                    if self.ask("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"] != bool(verbs):
                        return False
            return True
        if verbs:
            kit.wait_for(holds, f"{user} does not get the rights")
        else:
            # What is taken away is not named here: until the authorizer has seen the empty role.
            def gone():
                review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace or "default"}}
                rules = self.ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", review, user=user)["status"]["resourceRules"]
                return all("authorization.k8s.io" in rule["apiGroups"] or "authentication.k8s.io" in rule["apiGroups"] for rule in rules)
            kit.wait_for(gone, f"{user} keeps its rights")

    # ---- the audit log ------------------------------------------------------------------------------------------------

    def audited(self, user=None, verb=None, path=""):
        """The requests so far (of `user`, with `verb`, whose URI begins with `path`), oldest first. A watch that ended counts once."""
        found = {}
        with contextlib.suppress(FileNotFoundError), open(self.dir / "audit.log", encoding="utf-8") as lines:
            for text in lines:
                if not text.endswith("\n"):
                    break
                event = json.loads(text)
                one = Audited(event["user"].get("username", ""), event["verb"], event["requestURI"], event.get("responseStatus", {}).get("code", 0),
                              event["stage"], event["requestReceivedTimestamp"], event.get("userAgent", ""))
                if (user is None or one.user == user) and (verb is None or one.verb == verb) and one.uri.startswith(path):
                    found[event["auditID"]] = one
        return list(found.values())

    # ---- kubectl ------------------------------------------------------------------------------------------------------

    def kubectl_command(self, *arguments, user="admin"):
        return [binary("KUBECTL_BIN", "kubectl"), f"--server={self.url}", f"--token={self.token(user)}", f"--certificate-authority={self.ca}",
                f"--cache-dir={self.dir}/kubectl", *map(str, arguments)]

    def kubectl(self, *arguments, user="admin", stdin=None):
        done = subprocess.run(self.kubectl_command(*arguments, user=user), input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                              env=dict(os.environ, HOME=str(self.dir)))
        if done.returncode != 0:
            raise AssertionError(f"kubectl {arguments}: exit {done.returncode}\n{done.stderr}")
        return done.stdout

    def kubectl_proxy(self, user="admin"):
        """The URL of a `kubectl proxy` that acts as this user; it ends with the server."""
        process = subprocess.Popen(self.kubectl_command("proxy", "--port=0", user=user), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   env=dict(os.environ, HOME=str(self.dir)))
        self.children.append(process)
        ready, _, _ = select.select([process.stdout], [], [], kit.PATIENCE)
        line = process.stdout.readline().decode() if ready else ""
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        assert found, f"kubectl proxy says {line!r}"
        return f"http://127.0.0.1:{found.group(1)}"


class Wire:
    """A TCP proxy before `url` that can cut and delay; its own `url` has the scheme of the other. It does not look into TLS. Thread safe.

      up                everything passes
      cut               open connections are reset, new ones are refused
      silent            connections are accepted, and nothing passes in either direction
      delay SECONDS     each piece arrives so much later
    """

    def __init__(self, url):
        target = urllib.parse.urlsplit(url)
        self.target = (target.hostname, target.port)
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        self.behaviour, self.seconds = "up", 0.0
        self.sockets, self.connections, self.bytes = set(), 0, 0  # open; made so far; passed so far
        self.closed = False
        # Holds the port while nothing listens on it.
        self.holder = self.bound(0)
        self.port = self.holder.getsockname()[1]
        self.url = f"{target.scheme}://127.0.0.1:{self.port}"
        self.listener = None
        self.listen()

    @staticmethod
    def bound(port):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.bind(("127.0.0.1", port))
        return s

    def set(self, behaviour, seconds=0.0):
        assert behaviour in ("up", "cut", "silent", "delay"), behaviour
        with self.lock:
            self.behaviour, self.seconds = behaviour, seconds
            self.changed.notify_all()
        if behaviour == "cut":
            self.stop_listening()
            self.reset_all()
        elif self.listener is None:
            self.listen()

    def reset_all(self):
        """Resets the connections that are open; others may come at once."""
        with self.lock:
            victims = list(self.sockets)
        for one in victims:
            with contextlib.suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.shutdown(socket.SHUT_RDWR)  # wakes whoever reads

    def close(self):
        with self.lock:
            self.closed = True
            self.changed.notify_all()
        self.stop_listening()
        self.reset_all()
        self.holder.close()

    def listen(self):
        self.listener = self.bound(self.port)
        self.listener.listen(512)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def stop_listening(self):
        if self.listener is not None:
            with contextlib.suppress(OSError):
                self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None

    def accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self.target, timeout=10)
                server.settimeout(None)
            except OSError:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
                continue
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.connections += 1
                self.sockets |= {client, server}
            pair = [client, server, 2]  # the last of both directions closes
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self.pump, args=(source, target, pair), daemon=True).start()

    def pump(self, source, target, pair):
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                with self.lock:
                    self.changed.wait_for(lambda: self.behaviour != "silent" or self.closed)
                    seconds = self.seconds if self.behaviour == "delay" else 0
                if seconds:
                    time.sleep(seconds)
                target.sendall(piece)
                with self.lock:
                    self.bytes += len(piece)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        with self.lock:
            pair[2] -= 1
            last = pair[2] == 0
            if last:
                self.sockets -= set(pair[:2])
        if last:
            for one in pair[:2]:
                one.close()
