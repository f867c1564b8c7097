"""A store in front of SeaweedFS that refuses what R2 does not implement, and passes on all else."""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.wire.stores import Weed

_REFUSED = {
    "x-amz-tagging": "x-amz-tagging",
    "x-amz-sdk-checksum-algorithm": "x-amz-checksum-algorithm",
}
"""Headers of a PUT that are answered with 501, and how the answer calls them."""


class Strict:
    """Listens on loopback until it is stopped."""

    def __init__(self, weed: Weed) -> None:
        class Handler(_Handler):
            port = weed.port

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    port: int

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        for header, shown in _REFUSED.items():
            if self.command == "PUT" and header in self.headers:
                told = f"Header '{shown}' with value '{self.headers[header]}' not implemented"
                said = f"<Error><Code>NotImplemented</Code><Message>{told}</Message></Error>"
                return self._answer(501, [], said.encode())
        store = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            # With the Host that was signed.
            store.request(self.command, self.path, body or None, dict(self.headers.items()))
            answer = store.getresponse()
            return self._answer(answer.status, answer.getheaders(), answer.read())
        finally:
            store.close()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on  # noqa: N815

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        length = str(len(body))
        for name, value in headers:
            if name.lower() == "content-length":
                length = value  # of what a HEAD is about
            elif name.lower() not in ("transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: the test's output is not a log."""
