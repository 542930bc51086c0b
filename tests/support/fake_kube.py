"""A Kubernetes API server with nothing but pods, on a free port of 127.0.0.1: GET /api/v1/pods lists them, with watch=1 it follows them.

Run by itself it prints its port, then takes commands as JSON lines on standard input: {"put": POD}, {"remove": UID}, {"hang": true}.
"""
import http.server
import json
import threading
import time
import urllib.parse


def pod(uid, namespace, name, labels=None, annotations=None):
    metadata = {"uid": uid, "namespace": namespace, "name": name}
    if labels:
        metadata["labels"] = labels
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata}


class FakeKube:
    """Methods may be called from any thread. `url` is what --kube-server takes."""

    def __init__(self):
        self._changed = threading.Condition()
        self._pods = {}
        self._events = []  # (version, type, object)
        self._version = 1
        self._closed = False
        self._silent = False
        self.lists = self.watches = 0
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):  # noqa: N802: the library's name
                fake._answer(self)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def put(self, added):
        """Adds or changes a pod, as pod() makes it."""
        with self._changed:
            uid = added["metadata"]["uid"]
            self._note("MODIFIED" if uid in self._pods else "ADDED", added)
            self._pods[uid] = self._events[-1][2]

    def remove(self, uid):
        with self._changed:
            self._note("DELETED", self._pods.pop(uid))

    def hang(self, on=True):
        """Takes requests and answers nothing, says nothing more on open watches."""
        with self._changed:
            self._silent = on
            self._changed.notify_all()

    def close(self):
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()

    def _note(self, kind, changed):
        self._version += 1
        copy = json.loads(json.dumps(changed))
        copy["metadata"]["resourceVersion"] = str(self._version)
        self._events.append((self._version, kind, copy))
        self._changed.notify_all()

    def _answer(self, request):
        url = urllib.parse.urlsplit(request.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        with self._changed:
            self._changed.wait_for(lambda: not self._silent or self._closed)
        try:
            if url.path != "/api/v1/pods":
                request.send_error(404)
            elif "watch" in query:
                self._watch(request, query)
            else:
                self._list(request)
        except OSError:
            pass  # the client went away

    def _list(self, request):
        with self._changed:
            self.lists += 1
            body = json.dumps({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList",
                               "metadata": {"resourceVersion": str(self._version)}, "items": list(self._pods.values())}).encode()
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def _watch(self, request, query):
        seen = int(query.get("resourceVersion") or 0)
        end = time.monotonic() + float(query.get("timeoutSeconds") or 300)
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        with self._changed:
            self.watches += 1
        while True:
            with self._changed:
                def news():
                    return self._closed or (not self._silent and self._events and self._events[-1][0] > seen)
                self._changed.wait_for(news, max(0.0, end - time.monotonic()))
                if self._closed or time.monotonic() >= end:
                    break
                fresh = [event for event in self._events if event[0] > seen]
            for version, kind, changed in fresh:
                seen = version
                line = json.dumps({"type": kind, "object": changed}).encode() + b"\n"
                request.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            request.wfile.flush()
        request.wfile.write(b"0\r\n\r\n")


def main():
    import sys
    server = FakeKube()
    print(server.url, flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        if "put" in command:
            server.put(command["put"])
        elif "remove" in command:
            server.remove(command["remove"])
        elif "hang" in command:
            server.hang(command["hang"])
    server.close()


if __name__ == "__main__":
    main()
