"""A stand-in for a Kubernetes API server: one list of pods, and watches that hear of every change. Any node, any rights."""
import http.server
import json
import threading


class FakeApi:
    """`url` is its address. Pods are dicts as metadata() makes them."""

    def __init__(self):
        self.lock = threading.Condition()
        self.pods, self.version, self.events = {}, 1, []
        self.lists = self.watches = 0
        self.ended = False
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                if "watch=1" in self.path or "watch=true" in self.path:
                    outer.watch(self)
                else:
                    outer.list(self)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):  # a client went away
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def put(self, metadata):
        with self.lock:
            kind = "MODIFIED" if metadata["uid"] in self.pods else "ADDED"
            self.version += 1
            self.pods[metadata["uid"]] = metadata
            self.events.append((self.version, kind, metadata))
            self.lock.notify_all()

    def object(self, metadata, version):
        return {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": {**metadata, "resourceVersion": str(version)}}

    def list(self, request):
        with self.lock:
            self.lists += 1
            body = json.dumps({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList",
                               "metadata": {"resourceVersion": str(self.version)},
                               "items": [self.object(pod, 1) for pod in self.pods.values()]}).encode()
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def watch(self, request):
        seen = int(request.path.split("resourceVersion=")[1].split("&")[0] or 0)
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        with self.lock:
            self.watches += 1
        try:
            while True:
                with self.lock:
                    self.lock.wait_for(lambda: self.ended or (self.events and self.events[-1][0] > seen))
                    if self.ended:
                        return
                    new = [event for event in self.events if event[0] > seen]
                for seen, kind, metadata in new:
                    text = json.dumps({"type": kind, "object": self.object(metadata, seen)}).encode() + b"\n"
                    request.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
                request.wfile.flush()
        except OSError:
            pass

    def close(self):
        with self.lock:
            self.ended = True
            self.lock.notify_all()
        self.server.shutdown()
        self.server.server_close()


def metadata(uid, namespace, name, labels=None, annotations=None, owner=None):
    made = {"uid": uid, "namespace": namespace, "name": name, "labels": labels or {}, "annotations": annotations or {}}
    if owner:
        made["ownerReferences"] = [{"apiVersion": "apps/v1", "kind": owner[0], "name": owner[1], "uid": "o", "controller": True}]
    return made
