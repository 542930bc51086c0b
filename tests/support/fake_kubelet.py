"""A kubelet with nothing but GET /pods, by HTTPS on a free port of 127.0.0.1, and the token check that a kubelet makes."""
import contextlib
import http.server
import json
import ssl
import subprocess
import threading
import time


class FakeKubelet:
    """`url` and `ca` are what --kubelet and --kubelet-ca take. `folder`: for its certificate. `pods`: called for each request that is let in;
    gives the items of the list. `behave`: called with each request and its token; a tuple (status, body, headers) is the answer, None leaves
    it to the kubelet. Methods may be called from any thread."""

    def __init__(self, folder, pods, token="secret"):
        self.ca, key = folder / "kubelet.crt", folder / "kubelet.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=kubelet", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", str(key), "-out", str(self.ca)], check=True, stderr=subprocess.DEVNULL)
        self.pods, self.token = pods, token
        self.behave = lambda given: None
        self.asked = []  # when each request came
        self._going = threading.Event()
        self._going.set()
        self._closed = False
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def setup(self):
                # Here and not at the listener: a client that does not finish its handshake holds nobody up.
                self.request = fake._context.wrap_socket(self.request, server_side=True)
                super().setup()

            def finish(self):
                super().finish()
                self.request.close()

            def do_GET(self):  # noqa: N802: the library's name
                fake._answer(self)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a client that went away, or does not like the certificate

        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(str(self.ca), str(key))
        self._server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"

    def hang(self, on=True):
        """Takes requests and answers nobody."""
        (self._going.clear if on else self._going.set)()

    def close(self):
        self._closed = True
        self._going.set()
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request):
        self.asked.append(time.monotonic())
        self._going.wait()
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        answer = self.behave(given)
        if answer is None and given != self.token:
            answer = (401, b"Unauthorized", {})
        if answer is None and request.path != "/pods":
            answer = (404, b"404 page not found\n", {})
        if answer is None:
            answer = (200, json.dumps({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": self.pods()}).encode(), {})
        status, body, headers = answer
        with contextlib.suppress(OSError):
            request.send_response(status)
            for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
                request.send_header(name, value)
            request.end_headers()
            request.wfile.write(body)
